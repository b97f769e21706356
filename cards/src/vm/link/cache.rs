//! Linked code, once for all cards of the process: cards that have the same load file in the same place,
//! bound to the same other packages, share it.

use super::{Result, World, link};
use crate::vm::code::Code;
use crate::vm::value::PackageId;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

/// By the SHA-256 of the load file and of the card's API versions: they say which tokens there are.
type Cache = HashMap<[u8; 32], Vec<Weak<Code>>>;

/// Load files between two looks for those that no card has any more.
const SWEEP: usize = 64;

fn cache() -> &'static Mutex<Cache> {
    static CACHE: OnceLock<Mutex<Cache>> = OnceLock::new();
    CACHE.get_or_init(Mutex::default)
}

/// The linked code of a load file as package `id`, made if no other card has it.
pub(crate) fn shared(load_file: &[u8], id: PackageId, world: &World<'_>) -> Result<Arc<Code>> {
    let hash = Sha256::new().chain_update(load_file);
    let key: [u8; 32] = hash
        .chain_update(world.platform.versions())
        .finalize()
        .into();
    let known = {
        let cache = cache().lock().unwrap_or_else(PoisonError::into_inner);
        let all = cache.get(&key).into_iter().flatten();
        all.filter_map(Weak::upgrade)
            .find(|code| world.fits(code, load_file, id))
    };
    if let Some(code) = known {
        return Ok(code);
    }
    let code = Arc::new(link(load_file, id, world)?);
    let mut cache = cache().lock().unwrap_or_else(PoisonError::into_inner);
    if cache.len() % SWEEP == SWEEP - 1 {
        cache.retain(|_, all| all.iter().any(|code| code.strong_count() > 0));
    }
    let all = cache.entry(key).or_default();
    all.retain(|code| code.strong_count() > 0);
    all.push(Arc::downgrade(&code));
    Ok(code)
}

impl World<'_> {
    /// Whether linking the load file here would give this code.
    fn fits(&self, code: &Code, load_file: &[u8], id: PackageId) -> bool {
        let mut bound = code.bound.iter();
        code.id == id
            && *code.load_file == *load_file
            && self.check_int(code.int).is_ok()
            && code
                .wanted
                .iter()
                .zip(&code.imports)
                .all(|(wanted, import)| {
                    self.import(wanted).as_ref() == Ok(import)
                        && match self.linked.get(*import) {
                            Some(here) => {
                                bound.next().is_some_and(|there| Arc::ptr_eq(here, there))
                            }
                            None => true,
                        }
                })
    }
}
