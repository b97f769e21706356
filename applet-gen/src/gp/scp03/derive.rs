//! Data derivation: session keys, pseudo-random challenges, cryptograms (Amendment D 4.1.5, 6.2).

use super::Mode;
use super::crypto::{AesKey, BLOCK, KeyLengthError, StaticKeys};
use zeroize::Zeroizing;

/// Data derivation constants (Amendment D table 4-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Constant {
    CardCryptogram = 0x00,
    HostCryptogram = 0x01,
    CardChallenge = 0x02,
    SEnc = 0x04,
    SMac = 0x06,
    SRmac = 0x07,
}

/// KDF in counter mode of NIST SP 800-108 with CMAC: 11 zero bytes and the constant, '00', the
/// length in bits, the counter, the context.
fn derive(key: &AesKey, constant: Constant, bytes: usize, context: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let mut label = [0u8; 12];
    label[11] = constant as u8;
    let bits = ((bytes * 8) as u16).to_be_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes + BLOCK));
    let mut counter = 1u8;
    while out.len() < bytes {
        let tail = [0, bits[0], bits[1], counter];
        let mut parts: Vec<&[u8]> = vec![&label, &tail];
        parts.extend(context);
        let block = Zeroizing::new(key.cmac(&parts));
        out.extend_from_slice(&block[..]);
        counter += 1;
    }
    out.truncate(bytes);
    out
}

/// The card challenge of a security domain with pseudo-random challenges (bit 5 of "i"): from
/// Key-ENC, the key set's sequence counter and the AID of the application (Amendment D 6.2.2.1).
pub fn pseudo_random_challenge(
    key_enc: &AesKey,
    mode: Mode,
    sequence_counter: [u8; 3],
    aid: &[u8],
) -> Vec<u8> {
    derive(
        key_enc,
        Constant::CardChallenge,
        mode.length(),
        &[&sequence_counter, aid],
    )
    .to_vec()
}

/// The session keys S-ENC, S-MAC and S-RMAC, and the two cryptograms that they give.
#[derive(Clone)]
pub struct SessionKeys {
    pub(super) enc: AesKey,
    pub(super) mac: AesKey,
    pub(super) rmac: AesKey,
    mode: Mode,
    host_challenge: Vec<u8>,
    card_challenge: Vec<u8>,
}

impl SessionKeys {
    /// Derives them from the static keys and both challenges (Amendment D 6.2.1).
    ///
    /// # Errors
    /// None that a caller can cause: [`KeyLengthError`] is there because a derived key is checked
    /// like any other.
    pub fn derive(
        keys: &StaticKeys,
        mode: Mode,
        host_challenge: &[u8],
        card_challenge: &[u8],
    ) -> Result<Self, KeyLengthError> {
        let context = [host_challenge, card_challenge];
        let one =
            |key: &AesKey, constant| AesKey::new(&derive(key, constant, key.length(), &context));
        Ok(SessionKeys {
            enc: one(&keys.enc, Constant::SEnc)?,
            mac: one(&keys.mac, Constant::SMac)?,
            rmac: one(&keys.mac, Constant::SRmac)?,
            mode,
            host_challenge: host_challenge.to_vec(),
            card_challenge: card_challenge.to_vec(),
        })
    }

    /// What the card proves itself with in INITIALIZE UPDATE (Amendment D 6.2.2.2).
    pub fn card_cryptogram(&self) -> Vec<u8> {
        self.cryptogram(Constant::CardCryptogram)
    }

    /// What the host proves itself with in EXTERNAL AUTHENTICATE (Amendment D 6.2.2.3).
    pub fn host_cryptogram(&self) -> Vec<u8> {
        self.cryptogram(Constant::HostCryptogram)
    }

    /// Length of challenges, cryptograms and MACs.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    fn cryptogram(&self, constant: Constant) -> Vec<u8> {
        derive(
            &self.mac,
            constant,
            self.mode.length(),
            &[&self.host_challenge, &self.card_challenge],
        )
        .to_vec()
    }
}
