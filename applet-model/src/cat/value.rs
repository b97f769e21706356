//! Values of data objects that a BIP-speaking applet and its terminal exchange.

use super::code::codes;
use super::{CatError, Tag};
use core::fmt;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

codes! {
    /// Bearer type of a bearer description (ETSI TS 102 223 8.52, 3GPP TS 31.111 8.52).
    Bearer(u8) {
        CSD = 0x01, "CSD";
        PACKET = 0x02, "GPRS, UTRAN packet service, E-UTRAN";
        DEFAULT = 0x03, "default bearer for requested transport layer";
        LOCAL_LINK = 0x04, "local link technology independent";
        BLUETOOTH = 0x05, "Bluetooth";
        IRDA = 0x06, "IrDA";
        RS232 = 0x07, "RS232";
        CDMA2000 = 0x08, "cdma2000 packet data service";
        UTRAN_EXTENDED = 0x09, "UTRAN packet service with extended parameters, HSDPA, E-UTRAN";
        IWLAN = 0x0A, "(I-)WLAN";
        E_UTRAN = 0x0B, "E-UTRAN, mapped UTRAN packet service";
        NG_RAN = 0x0C, "NG-RAN";
        USB = 0x10, "USB";
    }
}

codes! {
    /// Transport protocol type (ETSI TS 102 223 8.59).
    Transport(u8) {
        UDP_CLIENT_REMOTE = 0x01, "UDP, UICC in client mode, remote connection";
        TCP_CLIENT_REMOTE = 0x02, "TCP, UICC in client mode, remote connection";
        TCP_SERVER = 0x03, "TCP, UICC in server mode";
        UDP_CLIENT_LOCAL = 0x04, "UDP, UICC in client mode, local connection";
        TCP_CLIENT_LOCAL = 0x05, "TCP, UICC in client mode, local connection";
        DIRECT = 0x06, "direct communication channel";
    }
}

/// Bearer description (ETSI TS 102 223 8.52).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BearerDescription {
    /// Bearer type.
    pub bearer: Bearer,
    /// Bearer parameters, coded by the bearer's own rules.
    pub parameters: Vec<u8>,
}

impl BearerDescription {
    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] if it is empty.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        let (bearer, parameters) = value
            .split_first()
            .ok_or_else(|| CatError::value(Tag::BEARER_DESCRIPTION, "empty", value))?;
        Ok(BearerDescription {
            bearer: Bearer(*bearer),
            parameters: parameters.to_vec(),
        })
    }

    /// The value's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![self.bearer.0];
        out.extend(&self.parameters);
        out
    }
}

/// UICC/terminal interface transport level (ETSI TS 102 223 8.59).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TransportLevel {
    /// Transport protocol type.
    pub transport: Transport,
    /// Port number.
    pub port: u16,
}

impl TransportLevel {
    /// Reads the value: type and two bytes of port.
    ///
    /// # Errors
    /// [`CatError::Value`] if it isn't 3 bytes long.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        let [transport, hi, lo] = *value else {
            return Err(CatError::value(
                Tag::TRANSPORT_LEVEL,
                "3 bytes expected",
                value,
            ));
        };
        Ok(TransportLevel {
            transport: Transport(transport),
            port: u16::from_be_bytes([hi, lo]),
        })
    }

    /// The value's bytes.
    pub fn to_bytes(&self) -> [u8; 3] {
        let [hi, lo] = self.port.to_be_bytes();
        [self.transport.0, hi, lo]
    }
}

/// Other address (ETSI TS 102 223 8.58).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum IpAddress {
    /// An empty value: a dynamic local address is asked for.
    Dynamic,
    /// `21` or `57` and an address.
    Ip(IpAddr),
}

impl IpAddress {
    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] for another type of address or a length that doesn't fit it.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        match value {
            [] => Ok(IpAddress::Dynamic),
            [0x21, a, b, c, d] => Ok(IpAddress::Ip(Ipv4Addr::new(*a, *b, *c, *d).into())),
            [0x57, rest @ ..] => <[u8; 16]>::try_from(rest)
                .map(|bytes| IpAddress::Ip(Ipv6Addr::from(bytes).into()))
                .map_err(|_| CatError::value(Tag::OTHER_ADDRESS, "IPv6 has 16 bytes", value)),
            _ => Err(CatError::value(
                Tag::OTHER_ADDRESS,
                "21 with 4 bytes or 57 with 16 bytes expected",
                value,
            )),
        }
    }

    /// The value's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            IpAddress::Dynamic => Vec::new(),
            IpAddress::Ip(IpAddr::V4(ip)) => [&[0x21][..], &ip.octets()].concat(),
            IpAddress::Ip(IpAddr::V6(ip)) => [&[0x57][..], &ip.octets()].concat(),
        }
    }
}

/// Timer value (ETSI TS 102 223 8.38): hours, minutes, seconds as BCD with swapped half bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TimerValue(u32);

impl TimerValue {
    /// The longest value that TIMER MANAGEMENT starts a timer with, 24 hours (ETSI TS 102 223 6.4.21).
    pub const MAX_SECONDS: u32 = 24 * 3600;

    /// A value of this many seconds; `None` above 99:59:59, which the coding can't hold.
    pub fn from_seconds(seconds: u32) -> Option<Self> {
        (seconds < 100 * 3600).then_some(TimerValue(seconds))
    }

    /// Seconds.
    pub fn seconds(self) -> u32 {
        self.0
    }

    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] for another length, half bytes above 9, minutes or seconds above 59.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        let wrong = |why| CatError::value(Tag::TIMER_VALUE, why, value);
        let [h, m, s] = *value else {
            return Err(wrong("3 bytes expected"));
        };
        let digits = |byte: u8| {
            let (low, high) = (byte & 0x0F, byte >> 4);
            (low < 10 && high < 10).then_some(u32::from(low) * 10 + u32::from(high))
        };
        let (Some(h), Some(m), Some(s)) = (digits(h), digits(m), digits(s)) else {
            return Err(wrong("not decimal digits"));
        };
        if m > 59 || s > 59 {
            return Err(wrong("minutes or seconds above 59"));
        }
        Ok(TimerValue(h * 3600 + m * 60 + s))
    }

    /// The value's bytes.
    pub fn to_bytes(self) -> [u8; 3] {
        let bcd = |n: u32| ((n % 10) << 4 | (n / 10)) as u8;
        [bcd(self.0 / 3600), bcd(self.0 / 60 % 60), bcd(self.0 % 60)]
    }
}

impl fmt::Display for TimerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{:02}:{:02}:{:02}",
            self.0 / 3600,
            self.0 / 60 % 60,
            self.0 % 60
        )
    }
}

impl fmt::Debug for TimerValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Channel status of a client mode channel (ETSI TS 102 223 8.56).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ChannelStatus {
    /// Channel identifier, 0 (none) to 7.
    pub channel: u8,
    /// Bit 8 of the first byte: link established.
    pub established: bool,
    /// The second byte: `00` no further information, `05` link dropped.
    pub info: u8,
}

impl ChannelStatus {
    /// Second byte: no further information can be given.
    pub const NO_INFO: u8 = 0x00;
    /// Second byte: link dropped.
    pub const LINK_DROPPED: u8 = 0x05;

    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] if it isn't 2 bytes long.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        let [first, info] = *value else {
            return Err(CatError::value(
                Tag::CHANNEL_STATUS,
                "2 bytes expected",
                value,
            ));
        };
        Ok(ChannelStatus {
            channel: first & 0x07,
            established: first & 0x80 != 0,
            info,
        })
    }

    /// The value's bytes.
    pub fn to_bytes(self) -> [u8; 2] {
        [
            self.channel & 0x07 | u8::from(self.established) << 7,
            self.info,
        ]
    }
}

/// Duration (ETSI TS 102 223 8.8), for POLL INTERVAL and others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Duration {
    /// `00` minutes, `01` seconds, `02` tenths of seconds.
    pub unit: u8,
    /// 1 to 255 units.
    pub interval: u8,
}

impl Duration {
    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] for another length, an unknown unit or an interval of 0.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        match *value {
            [unit @ 0..=2, interval @ 1..=255] => Ok(Duration { unit, interval }),
            _ => Err(CatError::value(
                Tag::DURATION,
                "unit 00 to 02 and an interval from 01 expected",
                value,
            )),
        }
    }

    /// A duration of this many seconds, in seconds up to 255, else in whole minutes, at most 255.
    pub fn from_seconds(seconds: u32) -> Self {
        match u8::try_from(seconds) {
            Ok(n) => Duration {
                unit: 1,
                interval: n.max(1),
            },
            Err(_) => Duration {
                unit: 0,
                interval: u8::try_from(seconds / 60).unwrap_or(u8::MAX),
            },
        }
    }

    /// Milliseconds.
    pub fn millis(self) -> u32 {
        u32::from(self.interval)
            * match self.unit {
                0 => 60_000,
                1 => 1_000,
                _ => 100,
            }
    }

    /// The value's bytes.
    pub fn to_bytes(self) -> [u8; 2] {
        [self.unit, self.interval]
    }
}

/// Network access name (ETSI TS 102 223 8.70, coded as in 3GPP TS 23.003): labels with lengths.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct NetworkAccessName(pub String);

impl NetworkAccessName {
    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] if a label's length points past the end or a label isn't ASCII.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        let wrong = |why| CatError::value(Tag::NETWORK_ACCESS_NAME, why, value);
        let mut labels = Vec::new();
        let mut rest = value;
        while let Some((n, after)) = rest.split_first() {
            let label = after
                .get(..usize::from(*n))
                .ok_or_else(|| wrong("a label's length points past the end"))?;
            if !label.is_ascii() {
                return Err(wrong("a label isn't ASCII"));
            }
            labels.push(String::from_utf8_lossy(label).into_owned());
            rest = &after[usize::from(*n)..];
        }
        Ok(NetworkAccessName(labels.join(".")))
    }

    /// The value's bytes; labels are cut at 255 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for label in self.0.split('.').filter(|label| !label.is_empty()) {
            let label = label.as_bytes();
            let label = label.get(..255).unwrap_or(label);
            out.push(label.len() as u8);
            out.extend(label);
        }
        out
    }
}

/// Location status (ETSI TS 102 223 8.27).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum LocationStatus {
    /// `00`: normal service.
    NormalService,
    /// `01`: limited service.
    LimitedService,
    /// `02`: no service.
    NoService,
}

impl LocationStatus {
    /// Reads the value.
    ///
    /// # Errors
    /// [`CatError::Value`] for anything but one byte 00 to 02.
    pub fn parse(value: &[u8]) -> Result<Self, CatError> {
        match value {
            [0] => Ok(LocationStatus::NormalService),
            [1] => Ok(LocationStatus::LimitedService),
            [2] => Ok(LocationStatus::NoService),
            _ => Err(CatError::value(
                Tag::LOCATION_STATUS,
                "one byte 00 to 02 expected",
                value,
            )),
        }
    }

    /// The value's byte.
    pub fn to_byte(self) -> u8 {
        self as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn timer_values_have_swapped_digits() {
        let value = TimerValue::from_seconds(12 * 3600 + 34 * 60 + 56).unwrap();
        assert_eq!(value.to_bytes(), [0x21, 0x43, 0x65]);
        assert_eq!(value.to_string(), "12:34:56");
        assert!(TimerValue::parse(&[0x00, 0x06, 0x00]).is_err());
        assert!(TimerValue::parse(&[0x0A, 0x00, 0x00]).is_err());
        assert!(TimerValue::from_seconds(360_000).is_none());
    }

    #[test]
    fn access_names_are_labels() {
        // 3GPP TS 31.124 27.22.4.27.2, OPEN CHANNEL 1.2.1: "TestGp.rs".
        let bytes = hex::decode("065465737447700272 73".replace(' ', "")).unwrap();
        let name = NetworkAccessName::parse(&bytes).unwrap();
        assert_eq!(name.0, "TestGp.rs");
        assert_eq!(name.to_bytes(), bytes);
        assert!(NetworkAccessName::parse(&[5, b'a']).is_err());
    }

    #[test]
    fn durations_choose_their_unit() {
        assert_eq!(Duration::from_seconds(30).to_bytes(), [1, 30]);
        assert_eq!(Duration::from_seconds(600).to_bytes(), [0, 10]);
        assert_eq!(Duration::from_seconds(0).millis(), 1000);
        assert_eq!(Duration::from_seconds(u32::MAX).to_bytes(), [0, 255]);
    }

    proptest! {
        #[test]
        fn timer_round_trip(seconds in 0u32..360_000) {
            let value = TimerValue::from_seconds(seconds).unwrap();
            prop_assert_eq!(TimerValue::parse(&value.to_bytes()).unwrap(), value);
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..24)) {
            let _ = TimerValue::parse(&bytes);
            let _ = NetworkAccessName::parse(&bytes);
            let _ = Duration::parse(&bytes);
            if let Ok(v) = IpAddress::parse(&bytes) { prop_assert_eq!(v.to_bytes(), bytes.clone()); }
            if let Ok(v) = BearerDescription::parse(&bytes) { prop_assert_eq!(v.to_bytes(), bytes.clone()); }
            if let Ok(v) = TransportLevel::parse(&bytes) { prop_assert_eq!(v.to_bytes().to_vec(), bytes.clone()); }
            let _ = ChannelStatus::parse(&bytes);
            let _ = LocationStatus::parse(&bytes);
        }
    }
}
