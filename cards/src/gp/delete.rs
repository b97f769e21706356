//! DELETE (GlobalPlatform Card Specification 11.2): what it names, and whether that may go.

use super::Stop;
use super::domain::Domain;
use super::registry::Aid;
use crate::power::Nvm;
use applet_model::apdu::Command;
use applet_model::status::Sw;
use applet_model::tlv;

/// What is to be deleted, in this order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Deletion {
    pub instances: Vec<Aid>,
    pub load_file: Option<Aid>,
}

impl Domain {
    /// Reads DELETE. Keys (D0, D2) are deleted here; an AID (4F) gives the list of what goes with it:
    /// a load file with instances goes only if P2 says "with related objects".
    pub(crate) fn delete(&mut self, command: &Command, nvm: &mut Nvm) -> Result<Deletion, Stop> {
        if command.p1 != 0 || command.p2 & 0x7F != 0 {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let find = |tag| tlv::find(&command.data, tag).map_err(|_| Sw::WRONG_DATA);
        if let Some(version) = find(0xD2)? {
            let [version] = version.value else {
                return Err(Sw::WRONG_DATA.into());
            };
            self.delete_keys(*version, nvm)?;
            return Ok(Deletion::default());
        }
        let object = find(0x4F)?.ok_or(Sw::WRONG_DATA)?;
        let aid = Aid::new(object.value).ok_or(Sw::WRONG_DATA)?;
        if self.registry.instance(&aid).is_some() {
            return Ok(Deletion {
                instances: vec![aid],
                load_file: None,
            });
        }
        if self.registry.load_file(&aid).is_none() {
            let sw = if aid == self.registry.isd {
                Sw::CONDITIONS_NOT_SATISFIED
            } else {
                Sw::REFERENCED_DATA_NOT_FOUND
            };
            return Err(sw.into());
        }
        let related = self
            .registry
            .instances
            .iter()
            .filter(|instance| instance.load_file == aid);
        let instances: Vec<Aid> = related.map(|instance| instance.aid.clone()).collect();
        if !instances.is_empty() && command.p2 & 0x80 == 0 {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        }
        Ok(Deletion {
            instances,
            load_file: Some(aid),
        })
    }
}
