//! The issuer security domain: what it holds.

use super::keys::KeySet;
use super::load::Loading;
use super::registry::{Aid, CardState, Registry};
use super::status::Cursor;
use serde::{Deserialize, Serialize};

/// Failed EXTERNAL AUTHENTICATE commands in a row after which the security domain answers 6983 for
/// ever, unless the definition says another number. A successful one sets the count back.
pub const AUTHENTICATION_TRIES: u8 = 10;

/// The issuer security domain.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// What is on the card.
    pub registry: Registry,
    /// Key sets in the order in which they came; INITIALIZE UPDATE with version 0 means the first.
    pub keys: Vec<KeySet>,
    /// Failed EXTERNAL AUTHENTICATE commands in a row that block the domain.
    pub tries: u8,
    /// Failed EXTERNAL AUTHENTICATE commands since the last successful one.
    pub failures: u8,
    /// The "i" parameter of SCP03 (Amendment D table 5-1): 10 pseudo-random challenge, 20 R-MAC, 40
    /// R-ENCRYPTION, 01 S16 mode.
    pub i: u8,
    /// Key diversification data that INITIALIZE UPDATE answers.
    pub diversification: [u8; 10],
    /// Issuer identification number (tag 42).
    pub iin: Vec<u8>,
    /// Card image number (tag 45).
    pub cin: Vec<u8>,
    /// Card production life cycle data (tag 9F7F), 42 bytes.
    pub cplc: Vec<u8>,
    /// The load file that is coming in. Lost with the power.
    #[serde(skip)]
    pub(super) loading: Option<Loading>,
    /// Where the next GET STATUS (next) goes on. Lost with the power.
    #[serde(skip)]
    pub(super) cursor: Option<Cursor>,
    /// The application that STORE DATA goes to after INSTALL [for personalization]. Lost with the
    /// power.
    #[serde(skip)]
    pub(crate) personalizing: Option<Aid>,
}

impl Domain {
    /// A domain without content. `serial` (the EID's last bytes) makes diversification data, CIN and CPLC.
    pub fn new(isd: Aid, keys: Vec<KeySet>, i: u8, serial: &[u8]) -> Domain {
        let mut diversification = [0; 10];
        for (to, from) in diversification.iter_mut().rev().zip(serial.iter().rev()) {
            *to = *from;
        }
        // CPLC (GlobalPlatform Card Specification H.6): fabricator and type of nobody's, then the serial
        // number where integrated circuit serial number and batch stand.
        let mut cplc = vec![0; 42];
        cplc[..2].copy_from_slice(b"IP");
        cplc[10..18].copy_from_slice(&diversification[2..]);
        Domain {
            registry: Registry {
                card: CardState::Secured,
                isd,
                load_files: Vec::new(),
                instances: Vec::new(),
            },
            keys,
            tries: AUTHENTICATION_TRIES,
            failures: 0,
            i,
            diversification,
            iin: Vec::new(),
            cin: diversification.to_vec(),
            cplc,
            loading: None,
            cursor: None,
            personalizing: None,
        }
    }

    /// Attempts that are left before EXTERNAL AUTHENTICATE is blocked for ever.
    pub fn tries_left(&self) -> u8 {
        self.tries.saturating_sub(self.failures)
    }

    /// Power is gone: what was in RAM is, too.
    pub(crate) fn reset(&mut self) {
        self.loading = None;
        self.cursor = None;
        self.personalizing = None;
    }
}
