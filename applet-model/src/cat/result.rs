//! General results of a TERMINAL RESPONSE and their additional information (ETSI TS 102 223 8.12).

use super::code::codes;

codes! {
    /// The first byte of the result data object (ETSI TS 102 223 8.12).
    GeneralResult(u8) {
        OK = 0x00, "command performed successfully";
        PARTIAL_COMPREHENSION = 0x01, "command performed with partial comprehension";
        MISSING_INFORMATION = 0x02, "command performed, with missing information";
        REFRESH_ADDITIONAL_EFS_READ = 0x03, "REFRESH performed with additional EFs read";
        ICON_NOT_DISPLAYED = 0x04, "command performed successfully, but requested icon could not be displayed";
        MODIFIED_BY_CALL_CONTROL = 0x05, "command performed, but modified by call control by NAA";
        LIMITED_SERVICE = 0x06, "command performed successfully, limited service";
        WITH_MODIFICATION = 0x07, "command performed with modification";
        REFRESH_NAA_NOT_ACTIVE = 0x08, "REFRESH performed but indicated NAA was not active";
        TONE_NOT_PLAYED = 0x09, "command performed successfully, tone not played";
        TERMINATED_BY_USER = 0x10, "proactive UICC session terminated by the user";
        BACKWARD_MOVE = 0x11, "backward move in the proactive UICC session requested by the user";
        NO_RESPONSE_FROM_USER = 0x12, "no response from user";
        HELP_REQUIRED = 0x13, "help information required by the user";
        SS_TERMINATED_BY_USER = 0x14, "USSD or SS transaction terminated by the user";
        TERMINAL_UNABLE = 0x20, "terminal currently unable to process command";
        NETWORK_UNABLE = 0x21, "network currently unable to process command";
        USER_DID_NOT_ACCEPT = 0x22, "user did not accept the proactive command";
        USER_CLEARED_CALL = 0x23, "user cleared down call before connection or network release";
        TIMER_CONTRADICTION = 0x24, "action in contradiction with the current timer state";
        CALL_CONTROL_TEMPORARY = 0x25, "interaction with call control by NAA, temporary problem";
        LAUNCH_BROWSER_ERROR = 0x26, "launch browser generic error code";
        MMS_TEMPORARY = 0x27, "MMS temporary problem";
        BEYOND_CAPABILITIES = 0x30, "command beyond terminal's capabilities";
        TYPE_NOT_UNDERSTOOD = 0x31, "command type not understood by terminal";
        DATA_NOT_UNDERSTOOD = 0x32, "command data not understood by terminal";
        NUMBER_NOT_KNOWN = 0x33, "command number not known by terminal";
        SS_RETURN_ERROR = 0x34, "SS return error";
        SMS_RP_ERROR = 0x35, "SMS RP-ERROR";
        REQUIRED_VALUES_MISSING = 0x36, "error, required values are missing";
        USSD_RETURN_ERROR = 0x37, "USSD return error";
        MULTIPLE_CARD_ERROR = 0x38, "multiple card commands error";
        CALL_CONTROL_PERMANENT = 0x39, "interaction with call control by NAA, permanent problem";
        BIP_ERROR = 0x3A, "bearer independent protocol error";
        ACCESS_TECHNOLOGY_UNABLE = 0x3B, "access technology unable to process command";
        FRAMES_ERROR = 0x3C, "frames error";
        MMS_ERROR = 0x3D, "MMS error";
    }
}

/// What the upper half of a general result tells the card to do (ETSI TS 102 223 8.12).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize,
)]
pub enum ResultClass {
    /// `0x`, `1x`: the command has been performed.
    Performed,
    /// `2x`: it may be worth re-trying later.
    Temporary,
    /// `3x` and above: it is not worth re-trying with an identical command.
    Permanent,
}

impl GeneralResult {
    /// The class that the upper half byte names.
    pub fn class(self) -> ResultClass {
        match self.0 {
            0x00..=0x1F => ResultClass::Performed,
            0x20..=0x2F => ResultClass::Temporary,
            _ => ResultClass::Permanent,
        }
    }

    /// True for `00` to `09`: done, if perhaps in part. `1x` (the user ended it) is not.
    pub fn is_success(self) -> bool {
        self.0 < 0x10
    }

    /// Text of the first byte of additional information after this result, for example
    /// `no channel available` after [`GeneralResult::BIP_ERROR`].
    pub fn additional_name(self, additional: &[u8]) -> Option<&'static str> {
        let first = *additional.first()?;
        match self {
            GeneralResult::BIP_ERROR => BipError(first).name(),
            GeneralResult::TERMINAL_UNABLE => TerminalProblem(first).name(),
            _ => None,
        }
    }
}

codes! {
    /// Additional information after `3A`, bearer independent protocol error (ETSI TS 102 223 8.12.11).
    BipError(u8) {
        NO_SPECIFIC_CAUSE = 0x00, "no specific cause can be given";
        NO_CHANNEL_AVAILABLE = 0x01, "no channel available";
        CHANNEL_CLOSED = 0x02, "channel closed";
        CHANNEL_IDENTIFIER_INVALID = 0x03, "channel identifier not valid";
        BUFFER_SIZE_NOT_AVAILABLE = 0x04, "requested buffer size not available";
        SECURITY_ERROR = 0x05, "security error (unsuccessful authentication)";
        TRANSPORT_LEVEL_NOT_AVAILABLE = 0x06, "requested UICC/terminal interface transport level not available";
        REMOTE_DEVICE_NOT_REACHABLE = 0x07, "remote device is not reachable";
        SERVICE_ERROR = 0x08, "service error";
        SERVICE_IDENTIFIER_UNKNOWN = 0x09, "service identifier unknown";
        PORT_NOT_AVAILABLE = 0x10, "port not available";
        LAUNCH_PARAMETERS = 0x11, "launch parameters missing or incorrect";
        APPLICATION_LAUNCH_FAILED = 0x12, "application launch failed";
    }
}

codes! {
    /// Additional information after `20`, terminal currently unable (ETSI TS 102 223 8.12.2).
    TerminalProblem(u8) {
        NO_SPECIFIC_CAUSE = 0x00, "no specific cause can be given";
        SCREEN_BUSY = 0x01, "screen is busy";
        BUSY_ON_CALL = 0x02, "terminal currently busy on call";
        BUSY_ON_SS = 0x03, "terminal currently busy on SS transaction";
        NO_SERVICE = 0x04, "no service";
        ACCESS_CONTROL_BAR = 0x05, "access control class bar";
        RADIO_RESOURCE_NOT_GRANTED = 0x06, "radio resource not granted";
        NOT_IN_SPEECH_CALL = 0x07, "not in speech call";
        BUSY_ON_USSD = 0x08, "terminal currently busy on USSD transaction";
        BUSY_ON_DTMF = 0x09, "terminal currently busy on SEND DTMF command";
        NO_NAA_ACTIVE = 0x0A, "no NAA active";
    }
}
