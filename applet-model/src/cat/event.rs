//! Events of SET UP EVENT LIST and event download (ETSI TS 102 223 8.25).

use super::code::codes;

codes! {
    /// An event that the terminal reports if the card asked for it (ETSI TS 102 223 8.25).
    Event(u8) {
        MT_CALL = 0x00, "MT call";
        CALL_CONNECTED = 0x01, "call connected";
        CALL_DISCONNECTED = 0x02, "call disconnected";
        LOCATION_STATUS = 0x03, "location status";
        USER_ACTIVITY = 0x04, "user activity";
        IDLE_SCREEN_AVAILABLE = 0x05, "idle screen available";
        CARD_READER_STATUS = 0x06, "card reader status";
        LANGUAGE_SELECTION = 0x07, "language selection";
        BROWSER_TERMINATION = 0x08, "browser termination";
        DATA_AVAILABLE = 0x09, "data available";
        CHANNEL_STATUS = 0x0A, "channel status";
        ACCESS_TECHNOLOGY_CHANGE = 0x0B, "access technology change (single)";
        DISPLAY_PARAMETERS_CHANGED = 0x0C, "display parameters changed";
        LOCAL_CONNECTION = 0x0D, "local connection";
        NETWORK_SEARCH_MODE_CHANGE = 0x0E, "network search mode change";
        BROWSING_STATUS = 0x0F, "browsing status";
        FRAMES_INFORMATION_CHANGE = 0x10, "frames information change";
        IWLAN_ACCESS_STATUS = 0x11, "I-WLAN access status";
        NETWORK_REJECTION = 0x12, "network rejection";
        HCI_CONNECTIVITY = 0x13, "HCI connectivity event";
        ACCESS_TECHNOLOGY_CHANGE_MULTIPLE = 0x14, "access technology change (multiple)";
        CSG_CELL_SELECTION = 0x15, "CSG cell selection";
        CONTACTLESS_STATE_REQUEST = 0x16, "contactless state request";
        IMS_REGISTRATION = 0x17, "IMS registration";
        INCOMING_IMS_DATA = 0x18, "incoming IMS data";
        PROFILE_CONTAINER = 0x19, "profile container";
        SECURED_PROFILE_CONTAINER = 0x1B, "secured profile container";
        POLL_INTERVAL_NEGOTIATION = 0x1C, "poll interval negotiation";
    }
}
