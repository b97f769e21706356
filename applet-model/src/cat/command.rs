//! Types of proactive commands and their qualifiers (ETSI TS 102 223 8.6 and 9.4).

use super::code::codes;

codes! {
    /// The type of a proactive command (ETSI TS 102 223 9.4).
    CommandType(u8) {
        REFRESH = 0x01, "REFRESH";
        MORE_TIME = 0x02, "MORE TIME";
        POLL_INTERVAL = 0x03, "POLL INTERVAL";
        POLLING_OFF = 0x04, "POLLING OFF";
        SET_UP_EVENT_LIST = 0x05, "SET UP EVENT LIST";
        SET_UP_CALL = 0x10, "SET UP CALL";
        SEND_SS = 0x11, "SEND SS";
        SEND_USSD = 0x12, "SEND USSD";
        SEND_SHORT_MESSAGE = 0x13, "SEND SHORT MESSAGE";
        SEND_DTMF = 0x14, "SEND DTMF";
        LAUNCH_BROWSER = 0x15, "LAUNCH BROWSER";
        GEOGRAPHICAL_LOCATION_REQUEST = 0x16, "GEOGRAPHICAL LOCATION REQUEST";
        PLAY_TONE = 0x20, "PLAY TONE";
        DISPLAY_TEXT = 0x21, "DISPLAY TEXT";
        GET_INKEY = 0x22, "GET INKEY";
        GET_INPUT = 0x23, "GET INPUT";
        SELECT_ITEM = 0x24, "SELECT ITEM";
        SET_UP_MENU = 0x25, "SET UP MENU";
        PROVIDE_LOCAL_INFORMATION = 0x26, "PROVIDE LOCAL INFORMATION";
        TIMER_MANAGEMENT = 0x27, "TIMER MANAGEMENT";
        SET_UP_IDLE_MODE_TEXT = 0x28, "SET UP IDLE MODE TEXT";
        PERFORM_CARD_APDU = 0x30, "PERFORM CARD APDU";
        POWER_ON_CARD = 0x31, "POWER ON CARD";
        POWER_OFF_CARD = 0x32, "POWER OFF CARD";
        GET_READER_STATUS = 0x33, "GET READER STATUS";
        RUN_AT_COMMAND = 0x34, "RUN AT COMMAND";
        LANGUAGE_NOTIFICATION = 0x35, "LANGUAGE NOTIFICATION";
        OPEN_CHANNEL = 0x40, "OPEN CHANNEL";
        CLOSE_CHANNEL = 0x41, "CLOSE CHANNEL";
        RECEIVE_DATA = 0x42, "RECEIVE DATA";
        SEND_DATA = 0x43, "SEND DATA";
        GET_CHANNEL_STATUS = 0x44, "GET CHANNEL STATUS";
        SERVICE_SEARCH = 0x45, "SERVICE SEARCH";
        GET_SERVICE_INFORMATION = 0x46, "GET SERVICE INFORMATION";
        DECLARE_SERVICE = 0x47, "DECLARE SERVICE";
        SET_FRAMES = 0x50, "SET FRAMES";
        GET_FRAMES_STATUS = 0x51, "GET FRAMES STATUS";
        RETRIEVE_MULTIMEDIA_MESSAGE = 0x60, "RETRIEVE MULTIMEDIA MESSAGE";
        SUBMIT_MULTIMEDIA_MESSAGE = 0x61, "SUBMIT MULTIMEDIA MESSAGE";
        DISPLAY_MULTIMEDIA_MESSAGE = 0x62, "DISPLAY MULTIMEDIA MESSAGE";
        ACTIVATE = 0x70, "ACTIVATE";
        CONTACTLESS_STATE_CHANGED = 0x71, "CONTACTLESS STATE CHANGED";
        COMMAND_CONTAINER = 0x72, "COMMAND CONTAINER";
        ENCAPSULATED_SESSION_CONTROL = 0x73, "ENCAPSULATED SESSION CONTROL";
        END_OF_SESSION = 0x81, "end of the proactive session";
    }
}

/// Command qualifiers, by command (ETSI TS 102 223 8.6).
pub mod qualifier {
    use super::CommandType;

    /// REFRESH: NAA initialization and full file change notification.
    pub const REFRESH_INIT_FULL_FILE_CHANGE: u8 = 0x00;
    /// REFRESH: file change notification.
    pub const REFRESH_FILE_CHANGE: u8 = 0x01;
    /// REFRESH: NAA initialization and file change notification.
    pub const REFRESH_INIT_FILE_CHANGE: u8 = 0x02;
    /// REFRESH: NAA initialization.
    pub const REFRESH_INIT: u8 = 0x03;
    /// REFRESH: UICC reset.
    pub const REFRESH_UICC_RESET: u8 = 0x04;
    /// REFRESH: NAA application reset.
    pub const REFRESH_NAA_APPLICATION_RESET: u8 = 0x05;
    /// REFRESH: NAA session reset.
    pub const REFRESH_NAA_SESSION_RESET: u8 = 0x06;
    /// REFRESH: reserved by 3GPP, steering of roaming.
    pub const REFRESH_STEERING_OF_ROAMING: u8 = 0x07;
    /// REFRESH: reserved by 3GPP, steering of roaming for I-WLAN.
    pub const REFRESH_STEERING_OF_ROAMING_IWLAN: u8 = 0x08;
    /// REFRESH: eUICC profile state change.
    pub const REFRESH_PROFILE_STATE_CHANGE: u8 = 0x09;
    /// REFRESH: application update.
    pub const REFRESH_APPLICATION_UPDATE: u8 = 0x0A;

    /// TIMER MANAGEMENT: start.
    pub const TIMER_START: u8 = 0x00;
    /// TIMER MANAGEMENT: deactivate.
    pub const TIMER_DEACTIVATE: u8 = 0x01;
    /// TIMER MANAGEMENT: get current value.
    pub const TIMER_GET_VALUE: u8 = 0x02;

    /// OPEN CHANNEL, bit 1: immediate link establishment (else on demand).
    pub const OPEN_IMMEDIATE: u8 = 0x01;
    /// OPEN CHANNEL, bit 2: automatic reconnection.
    pub const OPEN_AUTOMATIC_RECONNECTION: u8 = 0x02;
    /// OPEN CHANNEL, bit 3: immediate link establishment in background mode.
    pub const OPEN_BACKGROUND: u8 = 0x04;

    /// SEND DATA: store data in the Tx buffer.
    pub const SEND_STORE: u8 = 0x00;
    /// SEND DATA: send data immediately.
    pub const SEND_IMMEDIATE: u8 = 0x01;

    /// PROVIDE LOCAL INFORMATION: location information.
    pub const LOCAL_LOCATION: u8 = 0x00;
    /// PROVIDE LOCAL INFORMATION: IMEI.
    pub const LOCAL_IMEI: u8 = 0x01;
    /// PROVIDE LOCAL INFORMATION: network measurement results.
    pub const LOCAL_NETWORK_MEASUREMENT: u8 = 0x02;
    /// PROVIDE LOCAL INFORMATION: date, time and time zone.
    pub const LOCAL_DATE_TIME: u8 = 0x03;
    /// PROVIDE LOCAL INFORMATION: language setting.
    pub const LOCAL_LANGUAGE: u8 = 0x04;
    /// PROVIDE LOCAL INFORMATION: access technology (single).
    pub const LOCAL_ACCESS_TECHNOLOGY: u8 = 0x06;
    /// PROVIDE LOCAL INFORMATION: IMEISV.
    pub const LOCAL_IMEISV: u8 = 0x08;
    /// PROVIDE LOCAL INFORMATION: search mode.
    pub const LOCAL_SEARCH_MODE: u8 = 0x09;
    /// PROVIDE LOCAL INFORMATION: charge state of the battery.
    pub const LOCAL_BATTERY: u8 = 0x0A;

    /// DISPLAY TEXT, bit 1: high priority.
    pub const DISPLAY_HIGH_PRIORITY: u8 = 0x01;
    /// DISPLAY TEXT, bit 8: wait for the user to clear the message.
    pub const DISPLAY_WAIT_FOR_USER: u8 = 0x80;

    /// What a qualifier says for this command, if this table knows it.
    pub fn name(command: CommandType, qualifier: u8) -> Option<&'static str> {
        Some(match command {
            CommandType::REFRESH => match qualifier {
                REFRESH_INIT_FULL_FILE_CHANGE => {
                    "NAA initialization and full file change notification"
                }
                REFRESH_FILE_CHANGE => "file change notification",
                REFRESH_INIT_FILE_CHANGE => "NAA initialization and file change notification",
                REFRESH_INIT => "NAA initialization",
                REFRESH_UICC_RESET => "UICC reset",
                REFRESH_NAA_APPLICATION_RESET => "NAA application reset",
                REFRESH_NAA_SESSION_RESET => "NAA session reset",
                REFRESH_STEERING_OF_ROAMING => "steering of roaming",
                REFRESH_STEERING_OF_ROAMING_IWLAN => "steering of roaming for I-WLAN",
                REFRESH_PROFILE_STATE_CHANGE => "eUICC profile state change",
                REFRESH_APPLICATION_UPDATE => "application update",
                _ => return None,
            },
            CommandType::TIMER_MANAGEMENT => match qualifier & 0x03 {
                TIMER_START => "start",
                TIMER_DEACTIVATE => "deactivate",
                TIMER_GET_VALUE => "get current value",
                _ => return None,
            },
            CommandType::OPEN_CHANNEL => match qualifier & 0x05 {
                0x00 => "on demand",
                OPEN_IMMEDIATE => "immediate",
                _ => "immediate in background",
            },
            CommandType::SEND_DATA => match qualifier & 0x01 {
                SEND_STORE => "store",
                _ => "send immediately",
            },
            CommandType::PROVIDE_LOCAL_INFORMATION => match qualifier {
                LOCAL_LOCATION => "location information",
                LOCAL_IMEI => "IMEI",
                LOCAL_NETWORK_MEASUREMENT => "network measurement results",
                LOCAL_DATE_TIME => "date, time and time zone",
                LOCAL_LANGUAGE => "language setting",
                LOCAL_ACCESS_TECHNOLOGY => "access technology",
                LOCAL_IMEISV => "IMEISV",
                LOCAL_SEARCH_MODE => "search mode",
                LOCAL_BATTERY => "battery charge state",
                _ => return None,
            },
            CommandType::DISPLAY_TEXT => match qualifier & 0x81 {
                0x00 => "normal priority, clear after a delay",
                0x01 => "high priority, clear after a delay",
                0x80 => "normal priority, wait for the user",
                _ => "high priority, wait for the user",
            },
            _ => return None,
        })
    }
}
