//! The card's GlobalPlatform environment (OPEN): registry, security domains, and who is above whom.

use super::Stop;
use super::domain::Domain;
use super::keys::KeySet;
use super::load::Loading;
use super::registry::{Aid, CardState, LoadFile, Registry, app_state};
use crate::definition::{Definition, InitialKeys, Quirks};
use applet_gen::gp::privilege::{Privilege, Privileges};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use serde::{Deserialize, Serialize};

/// What a card's definition says of its card management.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rules {
    /// Supplementary security domains, if the card has any.
    pub domains: Option<DomainRules>,
    /// Its oddities.
    pub quirks: Quirks,
}

/// Rules for supplementary security domains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DomainRules {
    /// How many there may be.
    pub max: usize,
    /// The load file they are installed from.
    pub package: Aid,
    /// Its module.
    pub module: Aid,
    /// Privileges that they may have.
    pub privileges: Privileges,
    /// Whether one without keys takes those of the domain above it.
    pub parent_keys: bool,
}

impl Rules {
    /// The rules of a definition, which was validated.
    pub fn of(definition: &Definition) -> Self {
        let domains = definition.security_domains.as_ref().and_then(|domains| {
            let named = domains.privileges.iter();
            let mut privileges: Vec<Privilege> =
                named.filter_map(|name| Privilege::by_name(name)).collect();
            privileges.push(Privilege::SecurityDomain);
            Some(DomainRules {
                max: domains.max.into(),
                package: Aid::new(domains.package.bytes())?,
                module: Aid::new(domains.module.bytes())?,
                privileges: Privilege::bytes(&privileges),
                parent_keys: domains.initial_keys == InitialKeys::Parent,
            })
        });
        Rules {
            domains,
            quirks: definition.quirks.clone(),
        }
    }
}

/// The GlobalPlatform environment.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Open {
    /// What is on the card.
    pub registry: Registry,
    /// The security domains; the issuer's is the first and always there.
    pub domains: Vec<Domain>,
    /// What the product is like.
    pub(crate) rules: Rules,
    /// The load file that is coming in. Lost with the power.
    #[serde(skip)]
    pub(super) loading: Option<Loading>,
    /// Why the last command was refused, in words, if that is more than its status word says.
    #[serde(skip)]
    pub(crate) refusal: Option<String>,
}

impl Open {
    /// An environment without content. `serial` (the EID's last bytes) makes diversification data, CIN and CPLC.
    pub(crate) fn new(isd: Aid, keys: Vec<KeySet>, i: u8, serial: &[u8], rules: Rules) -> Open {
        let resident = rules.domains.iter().map(|domains| LoadFile {
            aid: domains.package.clone(),
            version: [1, 0],
            modules: vec![domains.module.clone()],
            domain: isd.clone(),
        });
        Open {
            registry: Registry {
                card: CardState::Secured,
                isd: isd.clone(),
                isd_privileges: super::registry::ISD_PRIVILEGES,
                resident: resident.collect(),
                load_files: Vec::new(),
                instances: Vec::new(),
            },
            domains: vec![Domain::issuer(isd, keys, i, serial)],
            rules,
            loading: None,
            refusal: None,
        }
    }

    /// Refuses with a reason in words.
    pub(crate) fn refuse(&mut self, sw: Sw, why: impl Into<String>) -> Stop {
        self.refusal = Some(why.into());
        sw.into()
    }

    /// The domain with this AID.
    ///
    /// # Errors
    /// 6A88.
    pub(crate) fn domain(&self, aid: &Aid) -> Result<&Domain, Sw> {
        let found = self.domains.iter().find(|domain| domain.aid == *aid);
        found.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)
    }

    /// The same, to be changed.
    pub(crate) fn domain_mut(&mut self, aid: &Aid) -> Result<&mut Domain, Sw> {
        let found = self.domains.iter_mut().find(|domain| domain.aid == *aid);
        found.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)
    }

    /// The issuer security domain, if the card is whole.
    pub(crate) fn issuer(&self) -> Option<&Domain> {
        self.domains.first()
    }

    /// Whether the application has a privilege.
    pub(crate) fn has(&self, aid: &Aid, privilege: Privilege) -> bool {
        privilege.is_in(&self.registry.privileges(aid))
    }

    /// A security domain that has a privilege and isn't locked: the issuer's first.
    pub(super) fn domain_with(&self, privilege: Privilege) -> Option<Aid> {
        let mut able = self.domains.iter().map(|domain| &domain.aid);
        able.find(|aid| self.has(aid, privilege) && !self.is_locked(aid))
            .cloned()
    }

    fn is_locked(&self, aid: &Aid) -> bool {
        let instance = self.registry.instance(aid);
        instance.is_some_and(|instance| instance.state & app_state::LOCKED != 0)
    }

    /// Whether a domain may manage content: the issuer's always, another when it is PERSONALIZED (9.3.2).
    pub(super) fn is_personalized(&self, aid: &Aid) -> bool {
        *aid == self.registry.isd
            || self
                .registry
                .instance(aid)
                .is_some_and(|instance| instance.state == app_state::PERSONALIZED)
    }

    /// What content management answers without a confirmation: the byte 00, if a response is asked for.
    pub(crate) fn no_receipt(&self, command: &Command) -> Response {
        match command.le {
            Some(_) if !self.rules.quirks.no_receipt_byte => Response::ok([0]),
            _ => Response::status(Sw::OK),
        }
    }

    /// Power is gone: what was in RAM is, too.
    pub(crate) fn reset(&mut self) {
        self.loading = None;
        self.refusal = None;
        for domain in &mut self.domains {
            domain.end_session();
        }
    }

    /// The domain isn't selected any longer: its application session ends, with the load that it began.
    pub(crate) fn deselected(&mut self, aid: &Aid) {
        if self
            .loading
            .as_ref()
            .is_some_and(|loading| loading.is_by(aid))
        {
            self.loading = None;
        }
        if let Ok(domain) = self.domain_mut(aid) {
            domain.end_session();
        }
    }
}
