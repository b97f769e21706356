//! DELETE (GlobalPlatform Card Specification 9.5, 11.2): what it names, and whether that may go.

use super::Stop;
use super::authority::{Grant, Request};
use super::open::Open;
use super::registry::Aid;
use crate::power::Nvm;
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::token::TAG_DELETE_TOKEN;
use applet_model::apdu::Command;
use applet_model::status::Sw;
use applet_model::tlv;

/// What is to be deleted, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Deletion {
    pub instances: Vec<Aid>,
    pub load_file: Option<Aid>,
    /// What the command named; `None` after keys, which are gone already.
    pub object: Option<Aid>,
    pub grant: Grant,
}

impl Open {
    /// Reads DELETE as it came to the domain `by`. Keys (D0, D2) are deleted here; an AID (4F) gives the list
    /// of what goes with it: a load file with instances goes only if P2 says "with related objects".
    pub(crate) fn delete(
        &mut self,
        by: &Aid,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Deletion, Stop> {
        if command.p1 != 0 || command.p2 & 0x7F != 0 {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let find = |tag| tlv::find(&command.data, tag).map_err(|_| Sw::WRONG_DATA);
        let number = |tag| match find(tag)?.map(|object| object.value) {
            None => Ok(None),
            Some([number]) => Ok(Some(*number)),
            Some(_) => Err(Sw::WRONG_DATA),
        };
        let (id, version) = (number(0xD0)?, number(0xD2)?);
        if id.is_some() || version.is_some() {
            self.delete_keys(by, version, id, nvm)?;
            return Ok(Deletion {
                instances: Vec::new(),
                load_file: None,
                object: None,
                grant: Grant::PLAIN,
            });
        }
        let object = find(0x4F)?.ok_or(Sw::WRONG_DATA)?;
        let aid = Aid::new(object.value).ok_or(Sw::WRONG_DATA)?;
        // The token is the last object.
        let (unsigned, token) = match find(TAG_DELETE_TOKEN)? {
            None => (command.data.as_slice(), &[][..]),
            Some(token) => {
                let unsigned = command.data.strip_suffix(token.raw);
                (unsigned.ok_or(Sw::WRONG_DATA)?, token.value)
            }
        };
        let request = Request {
            command,
            unsigned,
            token,
            parameters: unsigned,
        };
        let manages = self.has(by, Privilege::AuthorizedManagement)
            || self.has(by, Privilege::DelegatedManagement);
        let global = self.has(by, Privilege::GlobalDelete);
        let grant = match global && !manages {
            true => Grant::PLAIN,
            false => self.authorize(by, request)?,
        };
        if aid == self.registry.isd || self.registry.resident.iter().any(|file| file.aid == aid) {
            let why = "DELETE: the issuer security domain and the card's own load files stay";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if self.registry.domain_of(&aid).is_none() {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        if !global && !self.registry.is_below(&aid, by) {
            let why =
                "DELETE: the object is not below this security domain, which has no Global Delete";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if self.registry.instance(&aid).is_some() {
            if self.registry.has_content(&aid) {
                let why =
                    "DELETE: applications or load files are associated with the security domain";
                return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
            return Ok(Deletion {
                instances: vec![aid.clone()],
                load_file: None,
                object: Some(aid),
                grant,
            });
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
            load_file: Some(aid.clone()),
            object: Some(aid),
            grant,
        })
    }

    /// The registry entry of an instance is gone, and with it the domain that it was.
    pub(crate) fn forget_instance(&mut self, aid: &Aid) {
        self.registry
            .instances
            .retain(|instance| instance.aid != *aid);
        self.domains
            .retain(|domain| domain.aid != *aid || domain.aid == self.registry.isd);
    }
}
