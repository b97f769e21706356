//! INSTALL [for load] and LOAD (GlobalPlatform Card Specification 9.3.5, 11.5.2.3.1, 11.6): a load file comes in.
//!
//! Blocks are gathered and become a package in one persistent step at the last block: a load broken
//! off by a reset or a power cut leaves nothing behind, unless the card is odd. Each block still counts as a
//! persistent write, as it does where blocks go to flash.

use super::Stop;
use super::authority::{Grant, Request};
use super::open::Open;
use super::params::ForLoad;
use super::registry::{Aid, LoadFile, app_state};
use crate::power::Nvm;
use applet_gen::gp::load::{
    TAG_CIPHERED, TAG_DAP, TAG_ICV, TAG_LOAD_FILE, TAG_SIGNATURE, decipher,
};
use applet_gen::gp::privilege::Privilege;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv::{self, TlvError};
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384, Sha512};

/// Bytes of DAP blocks and ICV that may stand before the data block.
const MOST_BEFORE: usize = 4096;

/// A load file on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loading {
    load_file: Aid,
    /// The domain that has the commands, and the one that the load file is for.
    by: Aid,
    domain: Aid,
    grant: Grant,
    hash: Vec<u8>,
    next: u8,
    data: Vec<u8>,
}

impl Loading {
    /// True if this domain has the commands.
    pub fn is_by(&self, domain: &Aid) -> bool {
        self.by == *domain
    }
}

/// A load file that came in whole: the load file data block in clear, without its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub aid: Aid,
    /// The domain that it is for.
    pub domain: Aid,
    pub grant: Grant,
    pub block: Vec<u8>,
}

impl Open {
    /// INSTALL [for load] to the domain `by`: begins a load. `free` is the non-volatile memory left, bytes.
    pub(crate) fn install_for_load(
        &mut self,
        by: &Aid,
        command: &Command,
        free: u32,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        let request = ForLoad::parse(&command.data)?;
        let grant = self.authorize(
            by,
            Request {
                command,
                unsigned: request.unsigned,
                token: request.token,
                parameters: request.parameters,
            },
        )?;
        let domain = request.domain.unwrap_or_else(|| by.clone());
        self.domain(&domain)?;
        if domain != *by && !self.is_personalized(&domain) {
            let why = "INSTALL [for load]: the security domain to load into isn't PERSONALIZED";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if self.registry.is_taken(&request.load_file) {
            return Err(self.refuse(
                Sw::CONDITIONS_NOT_SATISFIED,
                "INSTALL [for load]: the AID is taken",
            ));
        }
        if !matches!(request.hash.len(), 0 | 20 | 32 | 48 | 64) {
            return Err(Sw::WRONG_DATA.into());
        }
        if request.hash.is_empty() && !request.token.is_empty() {
            let why = "INSTALL [for load]: a load token needs the load file data block hash (C.2)";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        let announced =
            u64::from(request.code_bytes.unwrap_or(0)) + u64::from(request.data_bytes.unwrap_or(0));
        if announced > u64::from(free) {
            return Err(Sw::NOT_ENOUGH_MEMORY.into());
        }
        if self.rules.quirks.half_load_stays {
            nvm.commit()?;
            self.registry.load_files.push(LoadFile {
                aid: request.load_file.clone(),
                version: [0, 0],
                modules: Vec::new(),
                domain: domain.clone(),
            });
        }
        self.loading = Some(Loading {
            load_file: request.load_file,
            by: by.clone(),
            domain,
            grant,
            hash: request.hash,
            next: 0,
            data: Vec::new(),
        });
        Ok(self.no_receipt(command))
    }

    /// LOAD: one block. The last one (P1 80) gives the load file to link. Any error ends the load.
    pub(crate) fn load(
        &mut self,
        by: &Aid,
        command: &Command,
        free: u32,
        nvm: &mut Nvm,
    ) -> Result<Option<Loaded>, Stop> {
        let loading = self.loading.take().filter(|loading| loading.by == *by);
        let mut loading = loading.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        if !matches!(command.p1, 0x00 | 0x80) || command.p2 != loading.next {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        if command.data.is_empty() {
            return Err(Sw::WRONG_LENGTH.into());
        }
        loading.next = loading.next.wrapping_add(1);
        loading.data.extend(&command.data);
        let extent = extent(&loading.data)?;
        let expected = extent.unwrap_or(loading.data.len());
        if u32::try_from(expected).is_ok_and(|bytes| bytes > free)
            || loading.data.len() > free as usize
        {
            return Err(Sw::NOT_ENOUGH_MEMORY.into());
        }
        if loading.data.len() > expected {
            return Err(self.refuse(
                Sw::WRONG_DATA,
                "LOAD: bytes follow the load file data block",
            ));
        }
        nvm.commit()?;
        if command.p1 == 0 {
            self.loading = Some(loading);
            return Ok(None);
        }
        if extent != Some(loading.data.len()) {
            return Err(self.refuse(
                Sw::WRONG_DATA,
                "LOAD: the load file isn't whole at the last block",
            ));
        }
        self.finish(loading).map(Some)
    }

    /// Everything that is checked before a load file becomes a package (9.3.5).
    fn finish(&mut self, loading: Loading) -> Result<Loaded, Stop> {
        let mut daps = Vec::new();
        let (mut icv, mut clear, mut ciphered) = (None, None, None);
        for object in tlv::iter(&loading.data) {
            let object = object.map_err(|_| Sw::WRONG_DATA)?;
            match object.tag {
                TAG_DAP => {
                    let domain = tlv::require(object.value, 0x4F).map_err(|_| Sw::WRONG_DATA)?;
                    let signature = tlv::require(object.value, TAG_SIGNATURE);
                    let signature = signature.map_err(|_| Sw::WRONG_DATA)?.value.to_vec();
                    daps.push((Aid::new(domain.value).ok_or(Sw::WRONG_DATA)?, signature));
                }
                TAG_ICV => icv = Some(object.value.try_into().map_err(|_| Sw::WRONG_DATA)?),
                TAG_LOAD_FILE => clear = Some(object.value.to_vec()),
                _ => ciphered = Some(object.value),
            }
        }
        let must_cipher = self.has(&loading.domain, Privilege::CipheredLoadFileDataBlock);
        if (!daps.is_empty() || ciphered.is_some()) && loading.hash.is_empty() {
            let why = "LOAD: DAP blocks and ciphered load files need the hash in INSTALL [for load] (C.2)";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        let block = match (clear, ciphered) {
            (Some(_), _) if must_cipher => {
                let why = "LOAD: the security domain takes ciphered load files only (D4)";
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
            (Some(block), _) => block,
            (None, Some(_)) if !must_cipher => {
                let why = "LOAD: a ciphered load file for a security domain without that privilege";
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
            (None, Some(data)) => {
                let Some(key) = self.domain(&loading.domain)?.load_cipher_key() else {
                    let why =
                        "LOAD: the security domain has no key for ciphered load files (version 75)";
                    return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
                };
                let Some(block) = decipher(data, icv, &key) else {
                    let why = "LOAD: the deciphered load file does not end in its padding";
                    return Err(self.refuse(Sw::WRONG_DATA, why));
                };
                block
            }
            (None, None) => return Err(Sw::WRONG_DATA.into()),
        };
        if !is_hash_of(&loading.hash, &block) {
            let why = "LOAD: the hash in INSTALL [for load] is not this load file's";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        self.check_daps(&loading, &daps)?;
        Ok(Loaded {
            aid: loading.load_file,
            domain: loading.domain,
            grant: loading.grant,
            block,
        })
    }

    /// DAP verification (9.2.1): every block there is, and those that must be there.
    fn check_daps(&mut self, loading: &Loading, daps: &[(Aid, Vec<u8>)]) -> Result<(), Stop> {
        let mandated = |aid: &Aid| {
            let instance = self.registry.instance(aid);
            instance.is_some_and(|instance| {
                instance.state & !app_state::LOCKED == app_state::PERSONALIZED
                    && Privilege::MandatedDapVerification.is_in(&instance.privileges)
            })
        };
        let mut needed: Vec<Aid> = self
            .domains
            .iter()
            .map(|domain| domain.aid.clone())
            .filter(mandated)
            .collect();
        if self.has(&loading.domain, Privilege::DapVerification) {
            needed.push(loading.domain.clone());
        }
        for domain in needed {
            if !daps.iter().any(|(by, _)| *by == domain) {
                let why = format!(
                    "LOAD: no DAP block of security domain {domain:?}, which must verify it"
                );
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
        }
        // SHA-1 is below what AES and P-256 keys ask for (table C-3).
        if !daps.is_empty() && loading.hash.len() < 32 {
            return Err(self.refuse(
                Sw::WRONG_DATA,
                "LOAD: DAP takes SHA-256 or longer (table C-3)",
            ));
        }
        for (by, signature) in daps {
            if !self.has(by, Privilege::DapVerification) {
                let why = format!("LOAD: a DAP block of {by:?}, which has no DAP Verification");
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
            let Some(key) = self.domain(by)?.dap_key() else {
                let why = format!("LOAD: {by:?} has no key for DAP (version 73)");
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            };
            if !key.verify(&loading.hash, signature) {
                let why = format!("LOAD: the DAP block of {by:?} is not this load file's");
                return Err(self.refuse(Sw::SECURITY_NOT_SATISFIED, why));
            }
        }
        Ok(())
    }
}

/// True if there is no hash, or it is this block's, the algorithm known by its length (C.2).
fn is_hash_of(hash: &[u8], block: &[u8]) -> bool {
    match hash.len() {
        0 => true,
        20 => Sha1::digest(block)[..] == *hash,
        32 => Sha256::digest(block)[..] == *hash,
        48 => Sha384::digest(block)[..] == *hash,
        _ => Sha512::digest(block)[..] == *hash,
    }
}

/// Length of the load file of which this is the beginning, as soon as the header of its data block is there:
/// DAP blocks (E2), ICV (D3), then C4 or D4 (table 11-58), which is the last.
fn extent(data: &[u8]) -> Result<Option<usize>, Sw> {
    let mut at = 0;
    while let Some(rest) = data.get(at..) {
        let header = match tlv::read_header(rest) {
            Ok(header) => header,
            Err(TlvError::TagCut { .. } | TlvError::LengthCut { .. }) => return Ok(None),
            Err(_) => return Err(Sw::WRONG_DATA),
        };
        at += header.header_len + header.value_len;
        match header.tag {
            TAG_LOAD_FILE | TAG_CIPHERED => return Ok(Some(at)),
            TAG_DAP | TAG_ICV if at <= MOST_BEFORE => {}
            _ => return Err(Sw::WRONG_DATA),
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use applet_gen::gp::load::{Dap, load_file};

    #[test]
    fn the_extent_is_known_with_the_data_blocks_header() {
        let dap = Dap {
            domain: vec![1; 5],
            signature: vec![2; 16],
        };
        let file = load_file(&[dap], &[7; 300], None);
        let known = (0..file.len())
            .find(|length| extent(&file[..*length]) != Ok(None))
            .unwrap();
        assert_eq!(known, file.len() - 300);
        for length in known..=file.len() {
            assert_eq!(extent(&file[..length]), Ok(Some(file.len())));
        }
        assert_eq!(extent(&[0xE3, 0]), Err(Sw::WRONG_DATA));
        assert_eq!(extent(&[0xE2, 0x82, 0xFF, 0xFF]), Err(Sw::WRONG_DATA));
    }
}
