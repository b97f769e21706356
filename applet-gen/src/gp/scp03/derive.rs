//! Data derivation: session keys, pseudo-random challenges, cryptograms (Amendment D 4.1.5, 6.2).

use super::Mode;
use super::crypto::{AesKey, BLOCK};
use super::keys::{CardKeys, CardKeysError, KeyRole};
use core::convert::Infallible;
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
/// length in bits, the counter, the context. One CMAC for every 16 bytes.
fn derive<E>(
    cmac: impl Fn(&[u8]) -> Result<[u8; BLOCK], E>,
    constant: Constant,
    bytes: usize,
    context: &[&[u8]],
) -> Result<Zeroizing<Vec<u8>>, E> {
    let mut out = Zeroizing::new(Vec::with_capacity(bytes + BLOCK));
    let mut counter = 1u8;
    while out.len() < bytes {
        let input = kdf_input(constant as u8, bytes, counter, context);
        let block = Zeroizing::new(cmac(&input)?);
        out.extend_from_slice(&block[..]);
        counter += 1;
    }
    out.truncate(bytes);
    Ok(out)
}

/// What is under the CMAC for one block of a key of `bytes` bytes (Amendment D 4.1.5).
fn kdf_input(constant: u8, bytes: usize, counter: u8, context: &[&[u8]]) -> Vec<u8> {
    let [high, low] = ((bytes * 8) as u16).to_be_bytes();
    let mut out = vec![0; 11];
    out.extend([constant, 0, high, low, counter]);
    out.extend(context.concat());
    out
}

/// The card challenge of a security domain with pseudo-random challenges (bit 5 of "i"): from
/// Key-ENC, the key set's sequence counter and the AID of the application (Amendment D 6.2.2.1).
///
/// # Errors
/// Those of [`CardKeys::cmac`].
pub fn pseudo_random_challenge(
    keys: &dyn CardKeys,
    mode: Mode,
    sequence_counter: [u8; 3],
    aid: &[u8],
) -> Result<Vec<u8>, CardKeysError> {
    let challenge = derive(
        |data| keys.cmac(KeyRole::Enc, data),
        Constant::CardChallenge,
        mode.length(),
        &[&sequence_counter, aid],
    )?;
    Ok(challenge.to_vec())
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
    /// Those of [`CardKeys::cmac`].
    pub fn derive(
        keys: &dyn CardKeys,
        mode: Mode,
        host_challenge: &[u8],
        card_challenge: &[u8],
    ) -> Result<Self, CardKeysError> {
        let context = [host_challenge, card_challenge];
        let one = |role, constant| {
            let cmac = |data: &[u8]| keys.cmac(role, data);
            let key = derive(cmac, constant, keys.key_length(), &context)?;
            Ok::<_, CardKeysError>(AesKey::new(&key)?)
        };
        Ok(SessionKeys {
            enc: one(KeyRole::Enc, Constant::SEnc)?,
            mac: one(KeyRole::Mac, Constant::SMac)?,
            rmac: one(KeyRole::Mac, Constant::SRmac)?,
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
        let Ok(cryptogram) = derive(
            |data| Ok::<_, Infallible>(self.mac.cmac(&[data])),
            constant,
            self.mode.length(),
            &[&self.host_challenge, &self.card_challenge],
        );
        cryptogram.to_vec()
    }
}
