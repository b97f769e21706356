//! Bound profile packages as a server makes them and an IPA cuts them (SGP.22 2.5.4, 2.5.5).
//!
//! Bytes in, bytes out: who orders what, and which keys are used, is the server's business.

use super::bsp::{Bsp, KEY_LENGTH, KEY_TYPE_AES};
use crate::pki::{PkiError, SecretKey};
use applet_model::tlv::{self, TlvError};
use zeroize::Zeroizing;

/// Keys that the profile itself is protected with, whoever it is bound to later: PPK-ENC, PPK-MAC and the
/// first MAC chaining value (SGP.22 2.5.3).
#[derive(Clone)]
pub struct ProtectionKeys {
    /// PPK-ENC.
    pub enc: Zeroizing<[u8; 16]>,
    /// PPK-MAC.
    pub mac: Zeroizing<[u8; 16]>,
    /// The first MAC chaining value.
    pub chain: [u8; 16],
}

/// To whom a profile is bound, and by whom.
pub struct Binding<'a> {
    /// The session's transaction.
    pub transaction_id: &'a [u8],
    /// `hostId`, any 1 to 16 bytes.
    pub host_id: &'a [u8],
    /// otSK.DP.ECKA: fresh for every binding.
    pub one_time: &'a SecretKey,
    /// otPK.EUICC.ECKA, an uncompressed point.
    pub euicc_otpk: &'a [u8],
    /// The eUICC's EID.
    pub eid: &'a [u8; 16],
    /// SK.DPpb.ECDSA.
    pub key: &'a SecretKey,
    /// Protection keys of the profile; `None` protects it with the session's.
    pub protection: Option<&'a ProtectionKeys>,
}

/// `remoteOpId` installBoundProfilePackage(1).
const INSTALL: [u8; 3] = [0x82, 1, 1];

/// The signed part of InitialiseSecureChannel, and otPK.EUICC.ECKA that is signed with it (SGP.22 5.5.1).
fn secure_channel(
    transaction_id: &[u8],
    host_id: &[u8],
    smdp_otpk: &[u8],
    euicc_otpk: &[u8],
    key: &SecretKey,
) -> Result<Vec<u8>, PkiError> {
    let mut inside = INSTALL.to_vec();
    inside.extend(tlv::write(0x80, transaction_id));
    let mut template = tlv::write(0x80, &[KEY_TYPE_AES]);
    template.extend(tlv::write(0x81, &[KEY_LENGTH]));
    template.extend(tlv::write(0x84, host_id));
    inside.extend(tlv::write(0xA6, &template));
    inside.extend(tlv::write(0x5F49, smdp_otpk));
    let mut message = inside.clone();
    message.extend(tlv::write(0x5F49, euicc_otpk));
    inside.extend(tlv::write(0x5F37, &key.sign(&message)?));
    Ok(tlv::write(0xBF23, &inside))
}

/// Binds a profile to one eUICC: gives the `BoundProfilePackage` (BF36…). `metadata` is a
/// `StoreMetadataRequest` (BF25…), `profile` the unprotected profile package.
///
/// # Errors
/// [`PkiError::Key`] if a key can't be used: a point that isn't on the curve.
pub fn bind(binding: &Binding<'_>, metadata: &[u8], profile: &[u8]) -> Result<Vec<u8>, PkiError> {
    let secret = binding.one_time.agree(binding.euicc_otpk)?;
    let keys = |e: super::bsp::BspError| PkiError::Key(e.to_string());
    let mut bsp = Bsp::derive(secret.as_slice(), binding.host_id, binding.eid).map_err(keys)?;
    let mut inside = secure_channel(
        binding.transaction_id,
        binding.host_id,
        &binding.one_time.public_key()?.to_point(),
        binding.euicc_otpk,
        binding.key,
    )?;
    // ConfigureISDP without proprietary data.
    inside.extend(tlv::write(0xA0, &bsp.protect(0x87, &[0xBF, 0x24, 0])));
    inside.extend(tlv::write(0xA1, &bsp.protect(0x88, metadata)));
    if let Some(protection) = binding.protection {
        let mut replace = Zeroizing::new(tlv::write(0x80, &protection.chain));
        replace.extend(tlv::write(0x81, protection.enc.as_slice()));
        replace.extend(tlv::write(0x82, protection.mac.as_slice()));
        let replace = Zeroizing::new(tlv::write(0xBF26, &replace));
        inside.extend(tlv::write(0xA2, &bsp.protect(0x87, &replace)));
        bsp = Bsp::new(
            protection.enc.as_slice(),
            protection.mac.as_slice(),
            &protection.chain,
        )
        .map_err(keys)?;
    }
    inside.extend(tlv::write(0xA3, &bsp.protect(0x86, profile)));
    Ok(tlv::write(0xBF36, &inside))
}

/// Gives a bound package to the same eUICC again, which kept its one-time key: only the transaction and the
/// signature over it are new (SGP.22 5.6.2).
///
/// # Errors
/// [`PkiError::Key`] if the package isn't one, or the key can't be used.
pub fn sign_again(
    package: &[u8],
    transaction_id: &[u8],
    euicc_otpk: &[u8],
    key: &SecretKey,
) -> Result<Vec<u8>, PkiError> {
    let damaged = |e: TlvError| PkiError::Key(format!("the bound profile package: {e}"));
    let outer = tlv::expect(package, 0xBF36).map_err(damaged)?;
    let (channel, rest) = tlv::read(outer.value).map_err(damaged)?;
    let host = tlv::path(channel.value, &[0xA6, 0x84]).map_err(damaged)?;
    let otpk = tlv::require(channel.value, 0x5F49).map_err(damaged)?;
    let mut inside = secure_channel(transaction_id, host.value, otpk.value, euicc_otpk, key)?;
    inside.extend_from_slice(rest);
    Ok(tlv::write(0xBF36, &inside))
}

/// Cuts a bound package into the commands that an eUICC takes one by one (SGP.22 2.5.5): heads of sequences go with their
/// first `87`, or alone before `88` and `86`.
///
/// # Errors
/// [`TlvError`] if it isn't made of data objects.
pub fn commands(package: &[u8]) -> Result<Vec<&[u8]>, TlvError> {
    let outer = tlv::expect(package, 0xBF36)?;
    let mut out = Vec::new();
    let mut start = 0usize;
    let mut at = package.len() - outer.value.len();
    for part in tlv::iter(outer.value) {
        let part = part?;
        let end = at + part.raw.len();
        if matches!(part.tag, 0xA1 | 0xA3) {
            // The head alone, then each segment.
            at += part.raw.len() - part.value.len();
            out.push((start, at));
            for segment in part.children() {
                let length = segment?.raw.len();
                out.push((at, at + length));
                at += length;
            }
        } else {
            out.push((start, end));
        }
        at = end;
        start = end;
    }
    Ok(out
        .into_iter()
        .filter_map(|(from, to)| package.get(from..to))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use applet_model::sgp::download::BoundProfilePackage;
    use applet_model::sgp::{Decode, Encode};

    #[test]
    fn packages_are_made_cut_and_signed_again() {
        let key = SecretKey::derive(b"test", "pb").unwrap();
        let (server, card) = (
            SecretKey::derive(b"test", "server").unwrap(),
            SecretKey::derive(b"test", "card").unwrap(),
        );
        let euicc_otpk = card.public_key().unwrap().to_point();
        let protection = ProtectionKeys {
            enc: Zeroizing::new([1; 16]),
            mac: Zeroizing::new([2; 16]),
            chain: [3; 16],
        };
        for protection in [None, Some(&protection)] {
            let binding = Binding {
                transaction_id: &[7; 16],
                host_id: b"host",
                one_time: &server,
                euicc_otpk: &euicc_otpk,
                eid: &[0x89; 16],
                key: &key,
                protection,
            };
            let profile = vec![0x5A; 2500];
            let package = bind(&binding, &[0xBF, 0x25, 0], &profile).unwrap();
            let read = BoundProfilePackage::from_der(&package).unwrap();
            assert_eq!(read.to_der().unwrap(), package);
            assert_eq!(read.sequence_of86.len(), 3);
            assert_eq!(read.second_sequence_of87.is_some(), protection.is_some());
            let commands = commands(&package).unwrap();
            assert_eq!(commands.concat(), package);
            assert_eq!(commands.len(), 8 + usize::from(protection.is_some()));
            let again = sign_again(&package, &[8; 16], &euicc_otpk, &key).unwrap();
            let read_again = BoundProfilePackage::from_der(&again).unwrap();
            assert_eq!(read_again.sequence_of86, read.sequence_of86);
            assert_eq!(
                read_again.initialise_secure_channel_request.smdp_otpk,
                read.initialise_secure_channel_request.smdp_otpk
            );
        }
    }
}
