//! The terminal profile: what a terminal says that it can do (ETSI TS 102 223 5.2).

use core::fmt;
use serde::{Deserialize, Serialize};

/// One bit of the terminal profile, by its index: `(byte − 1) · 8 + (bit − 1)`, as
/// ETSI TS 102 241 `TerminalProfile.check(short)` counts.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Feature(pub u16);

macro_rules! features {
    ($($konst:ident = $byte:literal . $bit:literal, $text:literal;)*) => {
        impl Feature {
            $(#[doc = concat!("Byte ", $byte, ", bit ", $bit, ": ", $text, ".")]
            pub const $konst: Feature = Feature(($byte - 1) * 8 + ($bit - 1));)*

            /// Every row of the table: the bit, the constant's name, the text.
            pub const TABLE: &'static [(Feature, &'static str, &'static str)] =
                &[$((Feature::$konst, stringify!($konst), $text)),*];
        }
    };
}

features! {
    PROFILE_DOWNLOAD = 1 . 1, "profile download";
    SMS_PP_DOWNLOAD = 1 . 2, "SMS-PP data download";
    CELL_BROADCAST_DOWNLOAD = 1 . 3, "cell broadcast data download";
    MENU_SELECTION = 1 . 4, "menu selection";
    TIMER_EXPIRATION = 1 . 6, "timer expiration";
    CALL_CONTROL = 1 . 8, "call control by NAA";
    COMMAND_RESULT = 2 . 1, "command result";
    UCS2_ENTRY = 2 . 6, "UCS2 entry supported";
    UCS2_DISPLAY = 2 . 7, "UCS2 display supported";
    DISPLAY_EXTENSION = 2 . 8, "display extension text";
    DISPLAY_TEXT = 3 . 1, "proactive UICC: DISPLAY TEXT";
    GET_INKEY = 3 . 2, "proactive UICC: GET INKEY";
    GET_INPUT = 3 . 3, "proactive UICC: GET INPUT";
    MORE_TIME = 3 . 4, "proactive UICC: MORE TIME";
    PLAY_TONE = 3 . 5, "proactive UICC: PLAY TONE";
    POLL_INTERVAL = 3 . 6, "proactive UICC: POLL INTERVAL";
    POLLING_OFF = 3 . 7, "proactive UICC: POLLING OFF";
    REFRESH = 3 . 8, "proactive UICC: REFRESH";
    SELECT_ITEM = 4 . 1, "proactive UICC: SELECT ITEM";
    SEND_SHORT_MESSAGE = 4 . 2, "proactive UICC: SEND SHORT MESSAGE";
    SEND_SS = 4 . 3, "proactive UICC: SEND SS";
    SEND_USSD = 4 . 4, "proactive UICC: SEND USSD";
    SET_UP_CALL = 4 . 5, "proactive UICC: SET UP CALL";
    SET_UP_MENU = 4 . 6, "proactive UICC: SET UP MENU";
    LOCAL_INFORMATION = 4 . 7, "proactive UICC: PROVIDE LOCAL INFORMATION (location, IMEI)";
    LOCAL_NETWORK_MEASUREMENT = 4 . 8, "proactive UICC: PROVIDE LOCAL INFORMATION (network measurement results)";
    SET_UP_EVENT_LIST = 5 . 1, "proactive UICC: SET UP EVENT LIST";
    EVENT_MT_CALL = 5 . 2, "event: MT call";
    EVENT_CALL_CONNECTED = 5 . 3, "event: call connected";
    EVENT_CALL_DISCONNECTED = 5 . 4, "event: call disconnected";
    EVENT_LOCATION_STATUS = 5 . 5, "event: location status";
    EVENT_USER_ACTIVITY = 5 . 6, "event: user activity";
    EVENT_IDLE_SCREEN = 5 . 7, "event: idle screen available";
    EVENT_CARD_READER_STATUS = 5 . 8, "event: card reader status";
    EVENT_LANGUAGE_SELECTION = 6 . 1, "event: language selection";
    EVENT_BROWSER_TERMINATION = 6 . 2, "event: browser termination";
    EVENT_DATA_AVAILABLE = 6 . 3, "event: data available";
    EVENT_CHANNEL_STATUS = 6 . 4, "event: channel status";
    EVENT_ACCESS_TECHNOLOGY_CHANGE = 6 . 5, "event: access technology change";
    EVENT_DISPLAY_PARAMETERS = 6 . 6, "event: display parameters changed";
    EVENT_LOCAL_CONNECTION = 6 . 7, "event: local connection";
    EVENT_SEARCH_MODE_CHANGE = 6 . 8, "event: network search mode change";
    POWER_ON_CARD = 7 . 1, "proactive UICC: POWER ON CARD";
    POWER_OFF_CARD = 7 . 2, "proactive UICC: POWER OFF CARD";
    PERFORM_CARD_APDU = 7 . 3, "proactive UICC: PERFORM CARD APDU";
    GET_READER_STATUS = 7 . 4, "proactive UICC: GET READER STATUS (status)";
    GET_READER_IDENTIFIER = 7 . 5, "proactive UICC: GET READER STATUS (identifier)";
    TIMER_START_STOP = 8 . 1, "proactive UICC: TIMER MANAGEMENT (start, stop)";
    TIMER_GET_VALUE = 8 . 2, "proactive UICC: TIMER MANAGEMENT (get current value)";
    LOCAL_DATE_TIME = 8 . 3, "proactive UICC: PROVIDE LOCAL INFORMATION (date, time, time zone)";
    GET_INKEY_BINARY = 8 . 4, "GET INKEY, binary choice";
    SET_UP_IDLE_MODE_TEXT = 8 . 5, "SET UP IDLE MODE TEXT";
    RUN_AT_COMMAND = 8 . 6, "RUN AT COMMAND";
    SET_UP_CALL_SECOND_ALPHA = 8 . 7, "SET UP CALL, second alpha identifier";
    CALL_CONTROL_SECOND = 8 . 8, "call control by NAA, second capability configuration";
    DISPLAY_TEXT_SUSTAINED = 9 . 1, "sustained DISPLAY TEXT";
    SEND_DTMF = 9 . 2, "SEND DTMF";
    LOCAL_LANGUAGE = 9 . 4, "proactive UICC: PROVIDE LOCAL INFORMATION (language)";
    LOCAL_TIMING_ADVANCE = 9 . 5, "proactive UICC: PROVIDE LOCAL INFORMATION (timing advance)";
    LANGUAGE_NOTIFICATION = 9 . 6, "proactive UICC: LANGUAGE NOTIFICATION";
    LAUNCH_BROWSER = 9 . 7, "proactive UICC: LAUNCH BROWSER";
    LOCAL_ACCESS_TECHNOLOGY = 9 . 8, "proactive UICC: PROVIDE LOCAL INFORMATION (access technology)";
    SOFT_KEYS_SELECT_ITEM = 10 . 1, "soft keys for SELECT ITEM";
    SOFT_KEYS_SET_UP_MENU = 10 . 2, "soft keys for SET UP MENU";
    OPEN_CHANNEL = 12 . 1, "proactive UICC: OPEN CHANNEL";
    CLOSE_CHANNEL = 12 . 2, "proactive UICC: CLOSE CHANNEL";
    RECEIVE_DATA = 12 . 3, "proactive UICC: RECEIVE DATA";
    SEND_DATA = 12 . 4, "proactive UICC: SEND DATA";
    GET_CHANNEL_STATUS = 12 . 5, "proactive UICC: GET CHANNEL STATUS";
    SERVICE_SEARCH = 12 . 6, "proactive UICC: SERVICE SEARCH";
    GET_SERVICE_INFORMATION = 12 . 7, "proactive UICC: GET SERVICE INFORMATION";
    DECLARE_SERVICE = 12 . 8, "proactive UICC: DECLARE SERVICE";
    BEARER_CSD = 13 . 1, "bearer CSD";
    BEARER_GPRS = 13 . 2, "bearer GPRS";
    BEARER_BLUETOOTH = 13 . 3, "bearer Bluetooth";
    BEARER_IRDA = 13 . 4, "bearer IrDA";
    BEARER_RS232 = 13 . 5, "bearer RS232";
    NO_DISPLAY = 14 . 6, "no display capability";
    NO_KEYPAD = 14 . 7, "no keypad available";
    SCREEN_SIZING = 14 . 8, "screen sizing parameters";
    VARIABLE_SIZE_FONTS = 15 . 8, "variable size fonts";
    DISPLAY_RESIZE = 16 . 1, "display can be resized";
    TEXT_WRAPPING = 16 . 2, "text wrapping";
    TEXT_SCROLLING = 16 . 3, "text scrolling";
    TEXT_ATTRIBUTES = 16 . 4, "text attributes";
    TCP_CLIENT_REMOTE = 17 . 1, "TCP, UICC in client mode, remote connection";
    UDP_CLIENT_REMOTE = 17 . 2, "UDP, UICC in client mode, remote connection";
    TCP_SERVER = 17 . 3, "TCP, UICC in server mode";
    TCP_CLIENT_LOCAL = 17 . 4, "TCP, UICC in client mode, local connection";
    UDP_CLIENT_LOCAL = 17 . 5, "UDP, UICC in client mode, local connection";
    DIRECT_CHANNEL = 17 . 6, "direct communication channel";
    E_UTRAN = 17 . 7, "E-UTRAN";
    HSDPA = 17 . 8, "HSDPA";
    DISPLAY_TEXT_TIMEOUT = 18 . 1, "DISPLAY TEXT, variable time-out";
    GET_INKEY_HELP = 18 . 2, "GET INKEY, help while an immediate response is asked for";
    BEARER_USB = 18 . 3, "bearer USB";
    GET_INKEY_TIMEOUT = 18 . 4, "GET INKEY, variable time-out";
    LOCAL_ESN = 18 . 5, "proactive UICC: PROVIDE LOCAL INFORMATION (ESN)";
    CALL_CONTROL_GPRS = 18 . 6, "call control on GPRS";
    LOCAL_IMEISV = 18 . 7, "proactive UICC: PROVIDE LOCAL INFORMATION (IMEISV)";
    LOCAL_SEARCH_MODE = 18 . 8, "proactive UICC: PROVIDE LOCAL INFORMATION (search mode)";
    LOCAL_BATTERY = 22 . 2, "proactive UICC: PROVIDE LOCAL INFORMATION (battery state)";
    EVENT_BROWSING_STATUS = 25 . 1, "event: browsing status";
    MULTIPLE_ACCESS_TECHNOLOGIES = 25 . 8, "multiple access technologies";
    TERMINAL_APPLICATIONS = 30 . 3, "terminal applications";
    ACTIVATE = 30 . 5, "proactive UICC: ACTIVATE";
    CONTACTLESS_STATE_CHANGED = 31 . 1, "proactive UICC: CONTACTLESS STATE CHANGED";
    CAT_SUPPORTED = 31 . 5, "CAT supported";
    REFRESH_ENFORCEMENT_POLICY = 32 . 8, "REFRESH enforcement policy";
    DNS_SERVER_ADDRESS = 33 . 1, "DNS server address in OPEN CHANNEL";
    ACCESS_NAME_REUSE = 33 . 2, "network access name reuse in CLOSE CHANNEL";
    EVENT_POLL_INTERVAL_NEGOTIATION = 33 . 3, "event: poll interval negotiation";
}

impl Feature {
    /// Byte of the profile, from 1.
    pub fn byte(self) -> u16 {
        self.0 / 8 + 1
    }

    /// Bit of that byte, 1 (least significant) to 8.
    pub fn bit(self) -> u16 {
        self.0 % 8 + 1
    }

    /// The text of the table.
    pub fn name(self) -> Option<&'static str> {
        Self::TABLE
            .iter()
            .find(|row| row.0 == self)
            .map(|row| row.2)
    }

    /// The bit with this constant's name, for example `OPEN_CHANNEL`.
    pub fn by_name(name: &str) -> Option<Feature> {
        Self::TABLE
            .iter()
            .find(|row| row.1 == name)
            .map(|row| row.0)
    }
}

impl fmt::Debug for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{} {}",
            self.byte(),
            self.bit(),
            self.name().unwrap_or("unknown")
        )
    }
}

/// A terminal profile: the data of TERMINAL PROFILE, `80 10`.
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TerminalProfile(pub Vec<u8>);

impl TerminalProfile {
    /// A profile with these bits and nothing else.
    pub fn with(features: &[Feature]) -> Self {
        let mut profile = TerminalProfile::default();
        for feature in features {
            profile.set(*feature, true);
        }
        profile
    }

    /// True if the terminal sets this bit; bytes that aren't there are 0.
    pub fn has(&self, feature: Feature) -> bool {
        self.0
            .get(usize::from(feature.0 / 8))
            .is_some_and(|byte| byte >> (feature.0 % 8) & 1 != 0)
    }

    /// Sets or clears a bit; the profile grows as needed.
    pub fn set(&mut self, feature: Feature, on: bool) {
        let at = usize::from(feature.0 / 8);
        if self.0.len() <= at {
            self.0.resize(at + 1, 0);
        }
        if let Some(byte) = self.0.get_mut(at) {
            let mask = 1 << (feature.0 % 8);
            *byte = if on { *byte | mask } else { *byte & !mask };
        }
    }

    /// Number of BIP channels, 0 to 7 (byte 13, bits 6 to 8).
    pub fn channels(&self) -> u8 {
        self.0.get(12).map_or(0, |byte| byte >> 5)
    }

    /// Sets the number of BIP channels; above 7 is 7.
    pub fn set_channels(&mut self, channels: u8) {
        if self.0.len() < 13 {
            self.0.resize(13, 0);
        }
        if let Some(byte) = self.0.get_mut(12) {
            *byte = *byte & 0x1F | channels.min(7) << 5;
        }
    }

    /// The bits that are set and have a name, in order.
    pub fn features(&self) -> Vec<Feature> {
        Feature::TABLE
            .iter()
            .map(|row| row.0)
            .filter(|feature| self.has(*feature))
            .collect()
    }
}

impl fmt::Debug for TerminalProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TerminalProfile({})", hex::encode_upper(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indices_are_those_of_the_toolkit_api() {
        // ETSI TS 102 241 uicc.toolkit.TerminalProfile, export file: IDX_… constants.
        for (feature, index) in [
            (Feature::TIMER_EXPIRATION, 5),
            (Feature::REFRESH, 23),
            (Feature::SET_UP_EVENT_LIST, 32),
            (Feature::EVENT_DATA_AVAILABLE, 42),
            (Feature::EVENT_CHANNEL_STATUS, 43),
            (Feature::TIMER_START_STOP, 56),
            (Feature::RUN_AT_COMMAND, 61),
            (Feature::LOCAL_ACCESS_TECHNOLOGY, 71),
            (Feature::OPEN_CHANNEL, 88),
            (Feature::GET_CHANNEL_STATUS, 92),
            (Feature::BEARER_GPRS, 97),
            (Feature::SCREEN_SIZING, 111),
            (Feature::TCP_CLIENT_REMOTE, 128),
            (Feature::UDP_CLIENT_REMOTE, 129),
            (Feature::BEARER_USB, 138),
            (Feature::LOCAL_SEARCH_MODE, 143),
            (Feature::LOCAL_BATTERY, 169),
            (Feature::EVENT_BROWSING_STATUS, 192),
            (Feature::MULTIPLE_ACCESS_TECHNOLOGIES, 199),
            (Feature::TERMINAL_APPLICATIONS, 234),
            (Feature::ACTIVATE, 236),
            (Feature::CONTACTLESS_STATE_CHANGED, 240),
            (Feature::CAT_SUPPORTED, 244),
            (Feature::REFRESH_ENFORCEMENT_POLICY, 255),
            (Feature::DNS_SERVER_ADDRESS, 256),
            (Feature::EVENT_POLL_INTERVAL_NEGOTIATION, 258),
        ] {
            assert_eq!(feature.0, index, "{feature:?}");
        }
    }

    #[test]
    fn bits_and_channels() {
        let mut profile = TerminalProfile::with(&[Feature::OPEN_CHANNEL, Feature::BEARER_GPRS]);
        profile.set_channels(9);
        assert_eq!(profile.0, [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, 0xE2]);
        assert_eq!(profile.channels(), 7);
        assert!(profile.has(Feature::OPEN_CHANNEL) && !profile.has(Feature::TCP_CLIENT_REMOTE));
        profile.set(Feature::OPEN_CHANNEL, false);
        assert_eq!(profile.features(), [Feature::BEARER_GPRS]);
        assert_eq!(Feature::by_name("REFRESH"), Some(Feature::REFRESH));
    }

    #[test]
    fn each_bit_stands_once() {
        for (i, a) in Feature::TABLE.iter().enumerate() {
            assert!(
                Feature::TABLE[i + 1..]
                    .iter()
                    .all(|b| a.0 != b.0 && a.1 != b.1),
                "{:?} twice",
                a.0
            );
        }
    }
}
