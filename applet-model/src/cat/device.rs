//! Device identities (ETSI TS 102 223 8.7).

use super::code::codes;

codes! {
    /// Source or destination of a command (ETSI TS 102 223 8.7).
    Device(u8) {
        KEYPAD = 0x01, "keypad";
        DISPLAY = 0x02, "display";
        EARPIECE = 0x03, "earpiece";
        CHANNEL_1 = 0x21, "channel 1";
        CHANNEL_2 = 0x22, "channel 2";
        CHANNEL_3 = 0x23, "channel 3";
        CHANNEL_4 = 0x24, "channel 4";
        CHANNEL_5 = 0x25, "channel 5";
        CHANNEL_6 = 0x26, "channel 6";
        CHANNEL_7 = 0x27, "channel 7";
        UICC = 0x81, "UICC";
        TERMINAL = 0x82, "terminal";
        NETWORK = 0x83, "network";
    }
}

impl Device {
    /// The BIP channel with this identifier, 1 to 7; `None` for any other number.
    pub fn from_channel(id: u8) -> Option<Device> {
        (1..=7).contains(&id).then(|| Device(0x20 + id))
    }

    /// The channel identifier 1 to 7, if this is a channel.
    pub fn as_channel(self) -> Option<u8> {
        (0x21..=0x27).contains(&self.0).then(|| self.0 - 0x20)
    }
}
