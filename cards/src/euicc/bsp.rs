//! The protection of bound profile packages, by whichever side: SCP03t, which later versions call BPP
//! Security Protocol (SGP.22 2.6.4, 5.5, Annex G).
//!
//! Pure computation: keys from a shared secret, segments protected and opened. The same code serves the eUICC
//! and a server in front of it; it is checked against vectors of other implementations.

use applet_gen::gp::scp03::AesKey;
use applet_gen::gp::scp03::crypto::BLOCK;
use applet_model::tlv::{self, Tlv};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Largest segment that is made: tag, length field, data and MAC together (SGP.22 2.5.3).
pub const SEGMENT: usize = 1020;
/// Largest segment that is taken. Public servers cut 1008 bytes of plain text before padding, which
/// makes segments of 1036 bytes; cards in the field take them.
pub const SEGMENT_TAKEN: usize = 1036;
/// `keyType` of AES (SGP.22 5.5.1).
pub const KEY_TYPE_AES: u8 = 0x88;
/// `keyLen`: AES with 128 bits is the only one that SGP.22 2.6.4 has.
pub const KEY_LENGTH: u8 = 16;

/// The C-MAC at the end of a segment: 8 bytes.
const MAC: usize = 8;
/// Tag, `82` and two bytes of length.
const HEAD: usize = 4;

/// Why a segment isn't opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BspError {
    /// A key or the MAC chaining value doesn't have 16 bytes.
    #[error("keys and MAC chaining value have 16 bytes each")]
    KeyLength,
    /// The segment is longer than may be, too short for its MAC, not whole blocks, or not padded.
    #[error("the segment's form is wrong: {0}")]
    Structure(&'static str),
    /// The MAC doesn't fit: the segment was altered, is out of order, or comes from somebody else.
    #[error("the segment's MAC doesn't fit")]
    Security,
}

/// One direction of a secure channel: keys, MAC chaining value and block counter. Keys are wiped when dropped.
#[derive(Clone)]
pub struct Bsp {
    enc: AesKey,
    mac: AesKey,
    chain: [u8; BLOCK],
    block: u64,
}

impl Bsp {
    /// A channel with these keys, its counter at the beginning: after ReplaceSessionKeys (SGP.22 5.5.4).
    ///
    /// # Errors
    /// [`BspError::KeyLength`].
    pub fn new(enc: &[u8], mac: &[u8], chain: &[u8]) -> Result<Self, BspError> {
        if enc.len() != BLOCK || mac.len() != BLOCK {
            return Err(BspError::KeyLength);
        }
        Ok(Bsp {
            enc: AesKey::new(enc).map_err(|_| BspError::KeyLength)?,
            mac: AesKey::new(mac).map_err(|_| BspError::KeyLength)?,
            chain: chain.try_into().map_err(|_| BspError::KeyLength)?,
            block: 1,
        })
    }

    /// The session keys of a shared secret (SGP.22 2.6.4.2, Annex G: BSI TR-03111 4.3.3 with SHA-256; the
    /// shared information is key type, key length, and length and value of `hostId` and EID).
    ///
    /// # Errors
    /// [`BspError::KeyLength`] for a `hostId` that is too long for its length byte.
    pub fn derive(secret: &[u8], host_id: &[u8], eid: &[u8; 16]) -> Result<Self, BspError> {
        let host_length = u8::try_from(host_id.len())
            .ok()
            .filter(|n| *n < 0x80)
            .ok_or(BspError::KeyLength)?;
        let mut keys = Zeroizing::new(Vec::with_capacity(64));
        for counter in 1u32..=2 {
            let hash = Sha256::new()
                .chain_update(secret)
                .chain_update(counter.to_be_bytes())
                .chain_update([KEY_TYPE_AES, KEY_LENGTH, host_length])
                .chain_update(host_id)
                .chain_update([16])
                .chain_update(eid)
                .finalize();
            keys.extend_from_slice(&hash);
        }
        match keys.as_chunks::<BLOCK>().0 {
            [chain, enc, mac, ..] => Self::new(enc, mac, chain),
            _ => Err(BspError::KeyLength),
        }
    }

    /// The block counter's value, encrypted (SGP.22 2.6.4.4). The counter counts every segment.
    fn icv(&mut self) -> [u8; BLOCK] {
        let mut icv = u128::from(self.block).to_be_bytes();
        self.enc.encrypt_block(&mut icv);
        icv
    }

    fn mac_over(&mut self, head: &[u8], data: &[u8]) -> [u8; MAC] {
        let full = self.mac.cmac(&[&self.chain, head, data]);
        self.chain = full;
        let mut mac = [0; MAC];
        mac.copy_from_slice(full.first_chunk::<MAC>().unwrap_or(&[0; MAC]));
        mac
    }

    /// Protects one piece: `86` and `87` encrypted, `88` with a MAC only.
    fn protect_one(&mut self, tag: u8, plain: &[u8]) -> Vec<u8> {
        let mut data = plain.to_vec();
        if tag != 0x88 {
            data.push(0x80);
            data.resize(data.len().next_multiple_of(BLOCK), 0);
            let icv = self.icv();
            self.enc.cbc_encrypt(&icv, &mut data);
        }
        self.block += 1;
        let mut out = Vec::new();
        tlv::write_header(&mut out, u32::from(tag), data.len() + MAC);
        let mac = self.mac_over(&out, &data);
        out.extend_from_slice(&data);
        out.extend_from_slice(&mac);
        out
    }

    /// Protects data in as many segments as it takes (SGP.22 2.5.3): `86` and `87` are encrypted, `88` has a MAC only.
    pub fn protect(&mut self, tag: u8, plain: &[u8]) -> Vec<u8> {
        let room = SEGMENT - HEAD - MAC;
        // Padding takes at least a byte.
        let room = if tag == 0x88 { room } else { room - 1 };
        plain
            .chunks(room)
            .flat_map(|piece| self.protect_one(tag, piece))
            .collect()
    }

    /// Checks a segment's MAC and gives its plain text.
    ///
    /// # Errors
    /// [`BspError::Structure`] or [`BspError::Security`]: the channel is of no use any more.
    pub fn open(&mut self, segment: &Tlv<'_>) -> Result<Vec<u8>, BspError> {
        if segment.raw.len() > SEGMENT_TAKEN {
            return Err(BspError::Structure("longer than a segment may be"));
        }
        let (data, mac) = segment
            .value
            .split_last_chunk::<MAC>()
            .ok_or(BspError::Structure("too short for a MAC"))?;
        let head = segment.raw.len() - segment.value.len();
        let head = segment.raw.get(..head).unwrap_or_default();
        let expected = self.mac_over(head, data);
        if !bool::from(expected.ct_eq(mac)) {
            return Err(BspError::Security);
        }
        let mut data = data.to_vec();
        if segment.tag != 0x88 {
            if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
                return Err(BspError::Structure("not whole blocks"));
            }
            let icv = self.icv();
            self.enc.cbc_decrypt(&icv, &mut data);
            while data.last() == Some(&0) {
                data.pop();
            }
            if data.pop() != Some(0x80) {
                return Err(BspError::Structure("no padding"));
            }
        }
        self.block += 1;
        Ok(data)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Vec<u8> {
        hex::decode(text).unwrap()
    }

    /// Vectors of pySim (osmocom/pysim, tests/unittests/test_esim_bsp.py), the second set taken there from
    /// another vendor's server.
    #[test]
    fn keys_of_public_vectors() {
        for (secret, eid, enc, mac, chain) in [
            (
                "8902dca391bbb22570fe60c176076246f568b1941265dff1d729e63039658089",
                "89049032123451234512345678901335",
                "d782d575b22a38334556a3d9a1e2ae6b",
                "a35addc192ae8f934e2932116c7e89e7",
                "734bc93ddb10c71c5ad13d420dc08b5b",
            ),
            (
                "c9a993dd4879a8f7161f2085410edd4f9652f1df37be097ba96ba2ca6be528fe",
                "89049032123451234512345678901235",
                "472f5bfadd97f21d34f3ce9b51b92751",
                "9ec07f5b36a13e12a991d66e294e6242",
                "406d507b448a699e7a36a38494debbde",
            ),
        ] {
            let eid: [u8; 16] = bytes(eid).try_into().unwrap();
            let bsp = Bsp::derive(&bytes(secret), &[0x80; 8], &eid).unwrap();
            assert_eq!(hex::encode(bsp.enc.expose()), enc);
            assert_eq!(hex::encode(bsp.mac.expose()), mac);
            assert_eq!(hex::encode(bsp.chain), chain);
        }
    }

    /// As above: three segments in a row, so that MAC chain and counter are checked too.
    #[test]
    fn segments_of_public_vectors() {
        let new = || {
            Bsp::new(
                &bytes("472f5bfadd97f21d34f3ce9b51b92751"),
                &bytes("9ec07f5b36a13e12a991d66e294e6242"),
                &bytes("406d507b448a699e7a36a38494debbde"),
            )
            .unwrap()
        };
        let (mut one, mut two) = (new(), new());
        for (tag, plain, expected) in [
            (
                0x87,
                "bf2400",
                "8718f6fe031e4b9cfe87c8e1e62f3fde85c49412d7722a6a2d89",
            ),
            (
                0x88,
                "bf252d5a0a98001032547698103214910947534d415f54455354921147534d415f544553545f50524f46494c45950100",
                "8838bf252d5a0a98001032547698103214910947534d415f54455354921147534d415f544553545f50524f46494c459501008a62cc9adbb5ccbc",
            ),
            (
                0x87,
                "bf26368010000102030405060708090a0b0c0d0e0f8110010102030405060708090a0b0c0d0e0f8210020102030405060708090a0b0c0d0e0f",
                "8748a14c800a001992351cd46ad2945654674369701d82b7b46567652bc8fbed234939fc57fba748015525fd6c651e9d3d1330652d42a0cfad950e912122af4ec5362d3c0bc535729c40",
            ),
        ] {
            let segment = one.protect(tag, &bytes(plain));
            assert_eq!(hex::encode(&segment), expected);
            let opened = two.open(&tlv::read_one(&segment).unwrap()).unwrap();
            assert_eq!(hex::encode(opened), plain);
        }
    }

    #[test]
    fn long_data_is_cut_and_every_altered_bit_is_seen() {
        let plain: Vec<u8> = (0..5000u32).map(|i| i as u8).collect();
        for tag in [0x86, 0x88] {
            let new = || Bsp::new(&[1; 16], &[2; 16], &[3; 16]).unwrap();
            let all = new().protect(tag, &plain);
            let mut reader = new();
            let mut found = Vec::new();
            for segment in tlv::iter(&all) {
                let segment = segment.unwrap();
                assert!(segment.raw.len() <= SEGMENT);
                found.extend(reader.open(&segment).unwrap());
            }
            assert_eq!(found, plain);
            let small = new().protect(tag, b"abc");
            for bit in 16..small.len() * 8 {
                let mut altered = small.clone();
                altered[bit / 8] ^= 1 << (bit % 8);
                let altered = tlv::read_one(&altered).unwrap();
                assert_eq!(new().open(&altered), Err(BspError::Security));
            }
        }
        assert!(Bsp::new(&[0; 15], &[0; 16], &[0; 16]).is_err());
        let short = tlv::write(0x88, &[0; 7]);
        let mut bsp = Bsp::new(&[1; 16], &[2; 16], &[3; 16]).unwrap();
        assert!(matches!(
            bsp.open(&tlv::read_one(&short).unwrap()),
            Err(BspError::Structure(_))
        ));
    }
}
