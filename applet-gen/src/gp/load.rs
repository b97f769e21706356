//! Loading a package: the load file with its DAP blocks, and the LOAD commands (GPCS 11.6, C.2, C.3, C.6).

use super::command::INS_LOAD;
use super::scp03::AesKey;
use super::scp03::crypto::{BLOCK, pad, unpad};
use super::signature::SigningKey;
use applet_model::apdu::Command;
use applet_model::tlv;
use sha2::{Digest, Sha256, Sha384, Sha512};

/// DAP block.
pub const TAG_DAP: u32 = 0xE2;
/// Load file data block signature, in a DAP block.
pub const TAG_SIGNATURE: u32 = 0xC3;
/// Load file data block.
pub const TAG_LOAD_FILE: u32 = 0xC4;
/// ICV of the ciphered load file data block.
pub const TAG_ICV: u32 = 0xD3;
/// Ciphered load file data block.
pub const TAG_CIPHERED: u32 = 0xD4;

/// A load file that doesn't fit the block numbers of LOAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// There are no components.
    #[error("the load file is empty")]
    Empty,
    /// More than 256 blocks.
    #[error(
        "the load file of {bytes} bytes takes {blocks} LOAD commands of {block} bytes, 256 are possible (GPCS 11.6.2.2)"
    )]
    TooLong {
        /// Bytes with the C4 header.
        bytes: usize,
        /// Blocks that would be needed.
        blocks: usize,
        /// Bytes of a block.
        block: usize,
    },
}

/// Hash algorithms for the load file data block (GPCS table C-3). SHA-1 goes with DES and RSA of 1,024 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LoadHash {
    /// SHA-256: what DAP and tokens by P-256 and AES-128 take at least.
    #[default]
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl LoadHash {
    /// By its name: `sha256`, `sha384`, `sha512`.
    pub fn by_name(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(LoadHash::Sha256),
            "sha384" => Some(LoadHash::Sha384),
            "sha512" => Some(LoadHash::Sha512),
            _ => None,
        }
    }

    /// The hash of a load file data block in clear, without C4 and its length (C.2).
    pub fn of(self, block: &[u8]) -> Vec<u8> {
        match self {
            LoadHash::Sha256 => Sha256::digest(block).to_vec(),
            LoadHash::Sha384 => Sha384::digest(block).to_vec(),
            LoadHash::Sha512 => Sha512::digest(block).to_vec(),
        }
    }
}

/// A DAP block: a security domain's signature of the load file data block hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dap {
    /// AID of the security domain that verifies it.
    pub domain: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Dap {
    /// Signs a load file data block hash (C.3).
    pub fn sign(domain: &[u8], hash: &[u8], key: &SigningKey) -> Self {
        Dap {
            domain: domain.to_vec(),
            signature: key.sign(hash),
        }
    }
}

/// A load file as LOAD carries it (table 11-58): DAP blocks, then the data block, ciphered or not.
pub fn load_file(daps: &[Dap], block: &[u8], cipher: Option<(&AesKey, [u8; BLOCK])>) -> Vec<u8> {
    let mut out = Vec::new();
    for dap in daps {
        out.extend(tlv::write_constructed(
            TAG_DAP,
            &[
                tlv::write(0x4F, &dap.domain),
                tlv::write(TAG_SIGNATURE, &dap.signature),
            ],
        ));
    }
    match cipher {
        None => out.extend(tlv::write(TAG_LOAD_FILE, block)),
        Some((key, icv)) => {
            // AES-CBC over the block padded by 80, 00… (C.6, B.2.3).
            let mut data = block.to_vec();
            pad(&mut data);
            key.cbc_encrypt(&icv, &mut data);
            out.extend(tlv::write(TAG_ICV, &icv));
            out.extend(tlv::write(TAG_CIPHERED, &data));
        }
    }
    out
}

/// The card's side of a ciphered load file data block; `None` if the length or the padding is wrong.
/// Without D3 the ICV is zero.
pub fn decipher(data: &[u8], icv: Option<[u8; BLOCK]>, key: &AesKey) -> Option<Vec<u8>> {
    if data.is_empty() || !data.len().is_multiple_of(BLOCK) {
        return None;
    }
    let mut plain = data.to_vec();
    key.cbc_decrypt(&icv.unwrap_or_default(), &mut plain);
    unpad(&plain).map(<[u8]>::to_vec)
}

/// The LOAD commands for a load file data block: tag C4, cut into blocks of at most `block` bytes,
/// numbered from 0, P1 bit 8 in the last.
///
/// # Errors
/// [`LoadError`].
pub fn load_commands(load_file: &[u8], block: usize) -> Result<Vec<Command>, LoadError> {
    if load_file.is_empty() {
        return Err(LoadError::Empty);
    }
    commands(&tlv::write(TAG_LOAD_FILE, load_file), block)
}

/// The LOAD commands for a whole load file, as [`load_file`] makes it.
///
/// # Errors
/// [`LoadError`].
pub fn commands(data: &[u8], block: usize) -> Result<Vec<Command>, LoadError> {
    if data.is_empty() {
        return Err(LoadError::Empty);
    }
    let block = block.clamp(1, 65535);
    let blocks = data.len().div_ceil(block);
    if blocks > 256 {
        return Err(LoadError::TooLong {
            bytes: data.len(),
            blocks,
            block,
        });
    }
    let command = |(i, chunk): (usize, &[u8])| {
        let p1 = if i + 1 == blocks { 0x80 } else { 0x00 };
        Command::new(0x80, INS_LOAD, p1, i as u8)
            .with_data(chunk)
            .with_le(256)
    };
    Ok(data.chunks(block).enumerate().map(command).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn blocks_join_to_the_load_file(file in proptest::collection::vec(any::<u8>(), 1..3000), block in 16usize..=255) {
            let commands = load_commands(&file, block).unwrap();
            let joined: Vec<u8> = commands.iter().flat_map(|c| c.data.clone()).collect();
            let read = tlv::read_one(&joined).unwrap();
            prop_assert_eq!(read.tag, 0xC4);
            prop_assert_eq!(read.value, &file[..]);
            for (i, command) in commands.iter().enumerate() {
                prop_assert_eq!(usize::from(command.p2), i);
                prop_assert_eq!(command.p1 == 0x80, i + 1 == commands.len());
            }
        }

        #[test]
        fn ciphered_blocks_come_back(file in proptest::collection::vec(any::<u8>(), 1..200), icv: [u8; 16]) {
            let key = AesKey::new(&[0x75; 32]).unwrap();
            let sent = load_file(&[], &file, Some((&key, icv)));
            let data = tlv::require(&sent, TAG_CIPHERED).unwrap().value;
            prop_assert_eq!(decipher(data, Some(icv), &key), Some(file));
            prop_assert_eq!(decipher(&data[1..], Some(icv), &key), None);
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        assert_eq!(load_commands(&[], 200), Err(LoadError::Empty));
        assert!(matches!(
            load_commands(&vec![0; 60_000], 200),
            Err(LoadError::TooLong { .. })
        ));
    }

    #[test]
    fn dap_blocks_stand_before_the_data_block() {
        // E2 with 4F and C3, then C4, as GlobalPlatformPro and gpshell send it; the signature is over the hash.
        let key = SigningKey::Aes(AesKey::new(&[0x73; 16]).unwrap());
        let hash = LoadHash::Sha256.of(b"abc");
        // FIPS 180-4's example.
        assert_eq!(
            hex::encode(&hash),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        let dap = Dap::sign(&[0xA0; 5], &hash, &key);
        let file = load_file(std::slice::from_ref(&dap), b"abc", None);
        assert_eq!(
            hex::encode_upper(file),
            format!(
                "E2194F05A0A0A0A0A0C310{}C403616263",
                hex::encode_upper(&dap.signature)
            )
        );
        assert!(key.verifying().verify(&hash, &dap.signature));
    }
}
