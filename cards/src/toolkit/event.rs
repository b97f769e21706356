//! Events of `ToolkitConstants` (ETSI TS 102 241, API 1.4) and the event codes of SET UP EVENT LIST and
//! ENVELOPE (event download) that belong to them (ETSI TS 102 223 8.25).

/// TERMINAL PROFILE came.
pub const PROFILE_DOWNLOAD: i16 = 1;
/// A menu entry was chosen.
pub const MENU_SELECTION: i16 = 7;
/// Help for a menu entry was asked for.
pub const MENU_SELECTION_HELP_REQUEST: i16 = 8;
/// A timer of the applet expired.
pub const TIMER_EXPIRATION: i16 = 11;
/// Data for one of the applet's channels.
pub const DATA_AVAILABLE: i16 = 22;
/// The state of one of the applet's channels changed.
pub const CHANNEL_STATUS: i16 = 23;
/// STATUS came.
pub const STATUS_COMMAND: i16 = 19;
/// The proactive handler is free; once per registration.
pub const PROACTIVE_HANDLER_AVAILABLE: i16 = 123;
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
    (27, 0x0D),
    (28, 0x0E),
    (29, 0x0F),
    (34, 0x12),
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

/// Events for which `setEvent` is the way to register and which this card triggers. Calls, SMS and
/// files' events belong to networks and services that it doesn't have.
pub fn is_supported(event: i16) -> bool {
    download_code(event).is_some()
        || matches!(
            event,
            PROFILE_DOWNLOAD
                | PROACTIVE_HANDLER_AVAILABLE
                | FIRST_COMMAND_AFTER_ATR
                | UNRECOGNIZED_ENVELOPE
        )
}

/// Events that an applet registers for by another method: `initMenuEntry`, `allocateTimer`,
/// `requestPollInterval`.
pub fn has_own_method(event: i16) -> bool {
    matches!(
        event,
        MENU_SELECTION | MENU_SELECTION_HELP_REQUEST | TIMER_EXPIRATION | STATUS_COMMAND
    )
}
