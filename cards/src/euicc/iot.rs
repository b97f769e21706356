//! How much of SGP.32 an eUICC has, and which assistant is in charge. The card says so: it knows its
//! definition, its applets and what the terminal declared.

use serde::{Deserialize, Serialize};

/// The IoT Profile Assistant of a session (SGP.32 3.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Assistant {
    /// The IPAe, which is on the card.
    #[default]
    Ipae,
    /// The device's, for the terminal declared one: the IPAe that is on the card stays off.
    IpadDeclared,
    /// The device's, for there is no IPAe.
    Ipad,
}

impl Assistant {
    /// `ipaeSupported` of the SELECT response.
    pub(super) fn ipae_supported(self) -> bool {
        self != Assistant::Ipad
    }

    /// `ipaMode` of EUICCInfo2.
    pub(super) fn mode(self) -> u8 {
        u8::from(self == Assistant::Ipae)
    }
}

/// Whether a command data object is of a function that SGP.32 added to SGP.22's (SGP.32 5.9).
pub(super) fn is_iot_function(command: &[u8]) -> bool {
    matches!(command, [0xBF, 0x42 | 0x51..=0x5F | 0x64 | 0x65, ..])
}
