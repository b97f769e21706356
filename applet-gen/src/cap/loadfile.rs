//! The load file of GlobalPlatform's LOAD command: the components one after the other
//! (JCVM table 6-3 for the order; GlobalPlatform Card Specification 2.3.1, 11.6.2 for the block
//! `C4` around it, which is not made here).

use std::collections::BTreeMap;

use super::{Cap, CapError, ComponentTag};

impl Cap {
    /// The components in load order, without Debug, and without the Descriptor unless asked for.
    ///
    /// The Directory goes out as it is: it describes the CAP, not what is loaded (JCVM 6.4).
    /// Custom components stay behind.
    pub fn load_file(&self, include_descriptor: bool) -> Result<Vec<u8>, CapError> {
        let mut bytes = Vec::new();
        for tag in ComponentTag::LOAD_ORDER {
            if tag == ComponentTag::Descriptor && !include_descriptor {
                continue;
            }
            bytes.extend(self.component(tag)?.unwrap_or_default());
        }
        Ok(bytes)
    }

    /// Reads a load file: components one after the other, in whatever order.
    pub fn from_load_file(bytes: &[u8]) -> Result<Self, CapError> {
        let mut components = BTreeMap::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let offset = bytes.len() - rest.len();
            let (tag, info, after) =
                split(rest).map_err(|(expected, found)| CapError::LoadFile {
                    offset,
                    expected,
                    found,
                })?;
            insert(&mut components, tag, info)?;
            rest = after;
        }
        Cap::from_components(&components)
    }
}

/// Expected and found.
type Wrong = (String, String);

/// Splits one component off: its tag, its info, what follows.
pub(super) fn split(bytes: &[u8]) -> Result<(u8, &[u8], &[u8]), Wrong> {
    let Some((&[tag, high, low], rest)) = bytes.split_first_chunk::<3>() else {
        return Err((
            "a component's tag and two-byte size".into(),
            format!("{} bytes", bytes.len()),
        ));
    };
    if ComponentTag::from_u8(tag).is_none() && tag < 128 {
        return Err(("a component's tag, 1 to 12".into(), format!("tag {tag}")));
    }
    let size = usize::from(u16::from_be_bytes([high, low]));
    rest.split_at_checked(size)
        .map(|(info, after)| (tag, info, after))
        .ok_or_else(|| {
            (
                format!("{size} bytes of component {}", name(tag)),
                format!("{} bytes", rest.len()),
            )
        })
}

fn name(tag: u8) -> String {
    ComponentTag::from_u8(tag).map_or_else(|| format!("with tag {tag}"), |known| known.to_string())
}

pub(super) fn insert(
    components: &mut BTreeMap<u8, Vec<u8>>,
    tag: u8,
    info: &[u8],
) -> Result<(), CapError> {
    if components.insert(tag, info.to_vec()).is_none() {
        return Ok(());
    }
    Err(match ComponentTag::from_u8(tag) {
        Some(component) => CapError::Twice(component),
        None => CapError::Jar(format!("custom component {tag} comes twice")),
    })
}
