//! Events of `ToolkitConstants` (ETSI TS 102 241, API 1.4) and the event codes of SET UP EVENT LIST and
//! ENVELOPE (event download) that belong to them (ETSI TS 102 223 8.25).

/// TERMINAL PROFILE came.
pub const PROFILE_DOWNLOAD: i16 = 1;
/// A menu entry was chosen.
pub const MENU_SELECTION: i16 = 7;
/// Help for a menu entry was asked for.
pub const MENU_SELECTION_HELP_REQUEST: i16 = 8;
/// A call is about to be made, or a supplementary service used.
pub const CALL_CONTROL_BY_NAA: i16 = 9;
/// A timer of the applet expired.
pub const TIMER_EXPIRATION: i16 = 11;
/// STATUS came.
pub const STATUS_COMMAND: i16 = 19;
/// Data for one of the applet's channels.
pub const DATA_AVAILABLE: i16 = 22;
/// The state of one of the applet's channels changed.
pub const CHANNEL_STATUS: i16 = 23;
/// A device connects to one of the applet's services.
pub const LOCAL_CONNECTION: i16 = 27;
/// The proactive handler is free; once per registration.
pub const PROACTIVE_HANDLER_AVAILABLE: i16 = 123;
/// A file was changed from outside.
pub const EXTERNAL_FILE_UPDATE: i16 = 124;
/// A file was changed by remote file management.
pub const REMOTE_FILE_UPDATE: i16 = 125;
/// The session of an application ended.
pub const APPLICATION_DESELECT: i16 = 126;
/// The first command after a reset.
pub const FIRST_COMMAND_AFTER_ATR: i16 = 127;
/// An ENVELOPE with a tag that nobody knows.
pub const UNRECOGNIZED_ENVELOPE: i16 = -1;

/// Event downloads: event, code in the event list.
pub const DOWNLOADS: &[(i16, u8)] = &[
    (12, 0x00),
    (13, 0x01),
    (14, 0x02),
    (15, 0x03),
    (16, 0x04),
    (17, 0x05),
    (18, 0x06),
    (20, 0x07),
    (21, 0x08),
    (DATA_AVAILABLE, 0x09),
    (CHANNEL_STATUS, 0x0A),
    (25, 0x0B),
    (26, 0x0C),
    (LOCAL_CONNECTION, 0x0D),
    (28, 0x0E),
    (29, 0x0F),
    (34, 0x10),
    (32, 0x13),
];

/// The code of an event download in the event list; `None` for other events.
pub fn download_code(event: i16) -> Option<u8> {
    DOWNLOADS.iter().find(|row| row.0 == event).map(|row| row.1)
}

/// The event download with this code.
pub fn of_download_code(code: u8) -> Option<i16> {
    DOWNLOADS.iter().find(|row| row.1 == code).map(|row| row.0)
}

/// Events of this card. SMS and cell broadcast belong to a network access application
/// (3GPP TS 31.130), which it doesn't have.
pub fn is_supported(event: i16) -> bool {
    download_code(event).is_some()
        || has_own_method(event)
        || matches!(
            event,
            PROFILE_DOWNLOAD
                | CALL_CONTROL_BY_NAA
                | PROACTIVE_HANDLER_AVAILABLE
                | APPLICATION_DESELECT
                | FIRST_COMMAND_AFTER_ATR
                | UNRECOGNIZED_ENVELOPE
        )
}

/// Events that an applet registers for by another method than `setEvent`: `initMenuEntry`, `allocateTimer`,
/// `requestPollInterval`, `allocateServiceIdentifier`, `registerFileEvent`.
pub fn has_own_method(event: i16) -> bool {
    matches!(
        event,
        MENU_SELECTION
            | MENU_SELECTION_HELP_REQUEST
            | TIMER_EXPIRATION
            | STATUS_COMMAND
            | LOCAL_CONNECTION
    ) || is_of_files(event)
}

/// Events of files, which `clearEvent` clears for all files at once.
pub fn is_of_files(event: i16) -> bool {
    matches!(event, EXTERNAL_FILE_UPDATE | REMOTE_FILE_UPDATE)
}

/// Events whose ENVELOPE an applet may answer (`EnvelopeResponseHandler`).
pub fn takes_response(event: i16) -> bool {
    matches!(event, CALL_CONTROL_BY_NAA | UNRECOGNIZED_ENVELOPE)
}

/// Events that reach an applet even while it waits in `send()`: the terminal can't wait with a call.
pub fn is_urgent(event: i16) -> bool {
    event == CALL_CONTROL_BY_NAA
}

/// Events that the terminal brings in an ENVELOPE, which it sends again if it is told "busy".
pub fn may_be_refused(event: i16) -> bool {
    !is_of_files(event) && !matches!(event, PROFILE_DOWNLOAD | APPLICATION_DESELECT)
}
