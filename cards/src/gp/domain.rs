//! A security domain: what it holds.

use super::keys::KeySet;
use super::registry::Aid;
use super::status::Cursor;
use super::store::Storing;
use applet_gen::gp::put_key::{KVN_CIPHERED_LOAD, KVN_DAP, KVN_RECEIPT, KVN_TOKEN};
use applet_gen::gp::scp03::AesKey;
use applet_gen::gp::signature::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

/// Failed EXTERNAL AUTHENTICATE commands in a row after which a security domain answers 6983 for
/// ever, unless the definition says another number. A successful one sets the count back.
pub const AUTHENTICATION_TRIES: u8 = 10;

/// A security domain: the issuer's or a supplementary one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Domain {
    /// Its AID.
    pub aid: Aid,
    /// Key sets; INITIALIZE UPDATE with version 0 means the first that SCP03 can use.
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
    /// Identification number (tag 42): the issuer's or the domain provider's.
    pub iin: Vec<u8>,
    /// Image number (tag 45).
    pub cin: Vec<u8>,
    /// URL of the domain's manager (tag 5F50).
    pub url: Vec<u8>,
    /// Card production life cycle data (tag 9F7F), 42 bytes; the issuer's domain has them.
    pub cplc: Vec<u8>,
    /// Confirmation counter (tag C2): receipts made so far.
    pub confirmations: u16,
    /// Where the next GET STATUS (next) goes on. Lost with the power.
    #[serde(skip)]
    pub(super) cursor: Option<Cursor>,
    /// The application that STORE DATA goes to after INSTALL [for personalization]. Lost with the
    /// power.
    #[serde(skip)]
    pub(crate) personalizing: Option<Aid>,
    /// What STORE DATA brought so far. Lost with the power.
    #[serde(skip)]
    pub(super) storing: Storing,
}

impl Domain {
    /// The issuer's. `serial` makes diversification data, CIN and CPLC.
    pub(super) fn issuer(aid: Aid, keys: Vec<KeySet>, i: u8, serial: &[u8]) -> Domain {
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
            cplc,
            keys,
            i,
            diversification,
            cin: diversification.to_vec(),
            ..Domain::empty(aid, AUTHENTICATION_TRIES)
        }
    }

    /// A supplementary one under `parent`, without keys: SCP03 as the parent has it.
    pub(crate) fn supplementary(aid: Aid, parent: &Domain) -> Domain {
        Domain {
            i: parent.i,
            diversification: parent.diversification,
            ..Domain::empty(aid, parent.tries)
        }
    }

    fn empty(aid: Aid, tries: u8) -> Domain {
        Domain {
            aid,
            keys: Vec::new(),
            tries,
            failures: 0,
            i: 0,
            diversification: [0; 10],
            iin: Vec::new(),
            cin: Vec::new(),
            url: Vec::new(),
            cplc: Vec::new(),
            confirmations: 0,
            cursor: None,
            personalizing: None,
            storing: Storing::default(),
        }
    }

    /// Attempts that are left before EXTERNAL AUTHENTICATE is blocked for ever.
    pub fn tries_left(&self) -> u8 {
        self.tries.saturating_sub(self.failures)
    }

    /// Its application session ends: what was in RAM is gone.
    pub(super) fn end_session(&mut self) {
        self.cursor = None;
        self.personalizing = None;
        self.storing = Storing::default();
    }

    /// The key that verifies DAP blocks.
    pub(super) fn dap_key(&self) -> Option<VerifyingKey> {
        self.key_set(KVN_DAP)?.verifying(1)
    }

    /// The key that verifies tokens.
    pub(super) fn token_key(&self) -> Option<VerifyingKey> {
        self.key_set(KVN_TOKEN)?.verifying(1)
    }

    /// The key that makes receipts.
    pub(super) fn receipt_key(&self) -> Option<SigningKey> {
        self.key_set(KVN_RECEIPT)?.aes(1).map(SigningKey::Aes)
    }

    /// The key that load files are ciphered with.
    pub(super) fn load_cipher_key(&self) -> Option<AesKey> {
        self.key_set(KVN_CIPHERED_LOAD)?.aes(1)
    }
}
