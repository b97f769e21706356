//! Tags (ETSI TS 101 220 7.2, tables 7.17 and 7.23).

use super::code::codes;

codes! {
    /// The tag of a COMPREHENSION-TLV data object without its comprehension-required bit
    /// (ETSI TS 101 220 7.1.1.1). One-byte tags are `01` to `7E`; three-byte ones are the 15 bits
    /// after `7F`.
    Tag(u16) {
        COMMAND_DETAILS = 0x01, "command details";
        DEVICE_IDENTITIES = 0x02, "device identities";
        RESULT = 0x03, "result";
        DURATION = 0x04, "duration";
        ALPHA_IDENTIFIER = 0x05, "alpha identifier";
        ADDRESS = 0x06, "address";
        CAPABILITY_CONFIGURATION = 0x07, "capability configuration parameters";
        SUBADDRESS = 0x08, "subaddress";
        SS_STRING = 0x09, "SS string";
        USSD_STRING = 0x0A, "USSD string";
        SMS_TPDU = 0x0B, "SMS TPDU";
        CELL_BROADCAST_PAGE = 0x0C, "cell broadcast page";
        TEXT_STRING = 0x0D, "text string";
        TONE = 0x0E, "tone";
        ITEM = 0x0F, "item";
        ITEM_IDENTIFIER = 0x10, "item identifier";
        RESPONSE_LENGTH = 0x11, "response length";
        FILE_LIST = 0x12, "file list";
        LOCATION_INFORMATION = 0x13, "location information";
        IMEI = 0x14, "IMEI";
        HELP_REQUEST = 0x15, "help request";
        NETWORK_MEASUREMENT_RESULTS = 0x16, "network measurement results";
        DEFAULT_TEXT = 0x17, "default text";
        ITEMS_NEXT_ACTION = 0x18, "items next action indicator";
        EVENT_LIST = 0x19, "event list";
        CAUSE = 0x1A, "cause";
        LOCATION_STATUS = 0x1B, "location status";
        TRANSACTION_IDENTIFIER = 0x1C, "transaction identifier";
        BCCH_CHANNEL_LIST = 0x1D, "BCCH channel list";
        ICON_IDENTIFIER = 0x1E, "icon identifier";
        ITEM_ICON_LIST = 0x1F, "item icon identifier list";
        CARD_READER_STATUS = 0x20, "card reader status";
        CARD_ATR = 0x21, "card ATR";
        C_APDU = 0x22, "C-APDU";
        R_APDU = 0x23, "R-APDU";
        TIMER_IDENTIFIER = 0x24, "timer identifier";
        TIMER_VALUE = 0x25, "timer value";
        DATE_TIME_ZONE = 0x26, "date-time and time zone";
        CALL_CONTROL_ACTION = 0x27, "call control requested action";
        AT_COMMAND = 0x28, "AT command";
        AT_RESPONSE = 0x29, "AT response";
        BC_REPEAT = 0x2A, "BC repeat indicator";
        IMMEDIATE_RESPONSE = 0x2B, "immediate response";
        DTMF_STRING = 0x2C, "DTMF string";
        LANGUAGE = 0x2D, "language";
        TIMING_ADVANCE = 0x2E, "timing advance";
        AID = 0x2F, "AID";
        BROWSER_IDENTITY = 0x30, "browser identity";
        URL = 0x31, "URL";
        BEARER = 0x32, "bearer";
        PROVISIONING_FILE = 0x33, "provisioning reference file";
        BROWSER_TERMINATION_CAUSE = 0x34, "browser termination cause";
        BEARER_DESCRIPTION = 0x35, "bearer description";
        CHANNEL_DATA = 0x36, "channel data";
        CHANNEL_DATA_LENGTH = 0x37, "channel data length";
        CHANNEL_STATUS = 0x38, "channel status";
        BUFFER_SIZE = 0x39, "buffer size";
        CARD_READER_IDENTIFIER = 0x3A, "card reader identifier";
        FILE_UPDATE_INFORMATION = 0x3B, "file update information";
        TRANSPORT_LEVEL = 0x3C, "UICC/terminal interface transport level";
        OTHER_ADDRESS = 0x3E, "other address";
        ACCESS_TECHNOLOGY = 0x3F, "access technology";
        DISPLAY_PARAMETERS = 0x40, "display parameters";
        SERVICE_RECORD = 0x41, "service record";
        DEVICE_FILTER = 0x42, "device filter";
        SERVICE_SEARCH = 0x43, "service search";
        ATTRIBUTE_INFORMATION = 0x44, "attribute information";
        SERVICE_AVAILABILITY = 0x45, "service availability";
        ESN = 0x46, "ESN";
        NETWORK_ACCESS_NAME = 0x47, "network access name";
        REMOTE_ENTITY_ADDRESS = 0x49, "remote entity address";
        TEXT_ATTRIBUTE = 0x50, "text attribute";
        ITEM_TEXT_ATTRIBUTE_LIST = 0x51, "item text attribute list";
        PDP_ACTIVATION = 0x52, "PDP context activation parameters";
        IMEISV = 0x62, "IMEISV";
        BATTERY_STATE = 0x63, "battery state";
        BROWSING_STATUS = 0x64, "browsing status";
        NETWORK_SEARCH_MODE = 0x65, "network search mode";
        FRAME_LAYOUT = 0x66, "frame layout";
        FRAMES_INFORMATION = 0x67, "frames information";
        FRAME_IDENTIFIER = 0x68, "frame identifier";
        MEID = 0x6D, "MEID";
        BROADCAST_NETWORK = 0x7A, "broadcast network information";
    }
}

codes! {
    /// The BER-TLV template around a list of COMPREHENSION-TLVs (ETSI TS 101 220 table 7.17).
    Ber(u8) {
        PROACTIVE_COMMAND = 0xD0, "proactive UICC command";
        SMS_PP_DOWNLOAD = 0xD1, "SMS-PP download";
        CELL_BROADCAST_DOWNLOAD = 0xD2, "cell broadcast download";
        MENU_SELECTION = 0xD3, "menu selection";
        CALL_CONTROL = 0xD4, "call control";
        MO_SHORT_MESSAGE_CONTROL = 0xD5, "MO short message control";
        EVENT_DOWNLOAD = 0xD6, "event download";
        TIMER_EXPIRATION = 0xD7, "timer expiration";
        INTRA_UICC = 0xD8, "reserved for intra-UICC communication";
        USSD_DOWNLOAD = 0xD9, "USSD download";
        MMS_TRANSFER_STATUS = 0xDA, "MMS transfer status";
        MMS_NOTIFICATION = 0xDB, "MMS notification download";
        TERMINAL_APPLICATION = 0xDC, "terminal application";
        GEOGRAPHICAL_LOCATION = 0xDD, "geographical location reporting";
        ENVELOPE_CONTAINER = 0xDE, "envelope container";
        PROSE_REPORT = 0xDF, "ProSe report";
    }
}
