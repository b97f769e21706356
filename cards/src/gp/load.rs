//! INSTALL [for load] and LOAD (GlobalPlatform Card Specification 11.5.2.3.1, 11.6): a load file comes in.
//!
//! Blocks are gathered and become a package in one persistent step at the last block: a load broken
//! off by a reset or a power cut leaves nothing behind. Each block still counts as a persistent
//! write, as it does where blocks go to flash.

use super::Stop;
use super::domain::Domain;
use super::params::ForLoad;
use super::registry::Aid;
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use sha1::{Digest, Sha1};
use sha2::{Sha256, Sha384, Sha512};

/// A load file on its way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Loading {
    load_file: Aid,
    hash: Vec<u8>,
    next: u8,
    data: Vec<u8>,
}

/// A load file that came in whole: the load file data block, without its C4 header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub aid: Aid,
    pub block: Vec<u8>,
}

impl Domain {
    /// INSTALL [for load]: begins a load. `free` is the non-volatile memory left, bytes.
    pub(crate) fn install_for_load(
        &mut self,
        command: &Command,
        free: u32,
    ) -> Result<Response, Sw> {
        let request = ForLoad::parse(&command.data)?;
        if request
            .domain
            .is_some_and(|domain| domain != self.registry.isd)
        {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND);
        }
        if self.registry.is_taken(&request.load_file) {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        if !matches!(request.hash.len(), 0 | 20 | 32 | 48 | 64) {
            return Err(Sw::WRONG_DATA);
        }
        let announced =
            u64::from(request.code_bytes.unwrap_or(0)) + u64::from(request.data_bytes.unwrap_or(0));
        if announced > u64::from(free) {
            return Err(Sw::NOT_ENOUGH_MEMORY);
        }
        self.loading = Some(Loading {
            load_file: request.load_file,
            hash: request.hash,
            next: 0,
            data: Vec::new(),
        });
        Ok(receipt(command))
    }

    /// LOAD: one block. The last one (P1 80) gives the load file to link. Any error ends the load.
    pub(crate) fn load(
        &mut self,
        command: &Command,
        free: u32,
        nvm: &mut Nvm,
    ) -> Result<Option<Loaded>, Stop> {
        let mut loading = self.loading.take().ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        if !matches!(command.p1, 0x00 | 0x80) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        if command.p2 != loading.next {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        loading.next = loading.next.wrapping_add(1);
        loading.data.extend(&command.data);
        let header = header(&loading.data)?;
        let expected = header.map_or(loading.data.len(), |(start, length)| start + length);
        if u32::try_from(expected).is_ok_and(|bytes| bytes > free)
            || loading.data.len() > free as usize
        {
            return Err(Sw::NOT_ENOUGH_MEMORY.into());
        }
        if loading.data.len() > expected {
            return Err(Sw::WRONG_DATA.into());
        }
        nvm.commit()?;
        if command.p1 == 0 {
            self.loading = Some(loading);
            return Ok(None);
        }
        let (start, length) = header.ok_or(Sw::WRONG_DATA)?;
        let block = loading.data.split_off(start);
        if block.len() != length {
            return Err(Sw::WRONG_DATA.into());
        }
        let fits = match loading.hash.len() {
            0 => true,
            20 => Sha1::digest(&block)[..] == loading.hash[..],
            32 => Sha256::digest(&block)[..] == loading.hash[..],
            48 => Sha384::digest(&block)[..] == loading.hash[..],
            _ => Sha512::digest(&block)[..] == loading.hash[..],
        };
        if !fits {
            return Err(Sw::WRONG_DATA.into());
        }
        Ok(Some(Loaded {
            aid: loading.load_file,
            block,
        }))
    }
}

/// Where the load file data block starts behind C4 and its length, and how long it is; `None` while the header
/// isn't there whole. DAP blocks (E2) aren't supported.
fn header(data: &[u8]) -> Result<Option<(usize, usize)>, Sw> {
    Ok(match data {
        [tag, ..] if *tag != 0xC4 => return Err(Sw::WRONG_DATA),
        [_, n @ 0..=0x7F, ..] => Some((2, usize::from(*n))),
        [_, 0x81, n, ..] => Some((3, usize::from(*n))),
        [_, 0x82, a, b, ..] => Some((4, usize::from(u16::from_be_bytes([*a, *b])))),
        [_, 0x83, a, b, c, ..] => {
            let length = u32::from_be_bytes([0, *a, *b, *c]);
            Some((5, usize::try_from(length).map_err(|_| Sw::WRONG_DATA)?))
        }
        [_, 0x81..=0x83, ..] | [_] | [] => None,
        _ => return Err(Sw::WRONG_DATA),
    })
}

/// The one byte 00 ("no receipt") that card management commands answer if a response is asked for.
pub(crate) fn receipt(command: &Command) -> Response {
    match command.le {
        Some(_) => Response::ok([0]),
        None => Response::status(Sw::OK),
    }
}
