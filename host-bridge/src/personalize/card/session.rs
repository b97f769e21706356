//! The way to the card: a security domain under its secure channel, which ends where another application is
//! selected, and is opened again where it is needed.

use super::Work;
use super::keys::{self, of_keys};
use crate::gp::Domain;
use crate::order::KeySet;
use crate::personalize::PersonalizeError;
use crate::personalize::receipt::KeySetReceipt;
use crate::transport::CardLink;
use applet_gen::gp::command;

/// See the module.
pub(super) struct Session<'l> {
    domain: Domain<'l>,
    /// The key set that the card has, as the order names it.
    set: Option<KeySet>,
    /// The same with the card's own keys, and as a receipt has it.
    used: Option<KeySet>,
    /// Something else was selected since.
    left: bool,
    /// The card had the order's new keys before this run.
    pub rotated: bool,
}

impl<'l> Session<'l> {
    /// Of a security domain that is selected.
    pub fn new(domain: Domain<'l>) -> Self {
        Session {
            domain,
            set: None,
            used: None,
            left: false,
            rotated: false,
        }
    }

    /// The secure channel with a key set, one attempt.
    pub fn authenticate(
        &mut self,
        work: &mut Work<'_, '_>,
        set: &KeySet,
    ) -> Result<(), PersonalizeError> {
        keys::authenticate(&mut self.domain, work, set)?;
        self.set = Some(set.clone());
        self.used = self.domain.key_set().cloned();
        self.left = false;
        Ok(())
    }

    /// The security domain under its secure channel.
    pub fn secure(&mut self, work: &mut Work<'_, '_>) -> Result<&mut Domain<'l>, PersonalizeError> {
        if self.left
            && let Some(set) = self.set.clone()
        {
            let select = command::select(self.domain.aid());
            self.domain.leave();
            self.domain
                .send("SELECT of the issuer security domain", &select)?;
            self.authenticate(work, &set)?;
        }
        Ok(&mut self.domain)
    }

    /// The card itself, for what goes to others than the security domain.
    pub fn plain(&mut self) -> &mut dyn CardLink {
        self.left = true;
        *self.domain.link_mut()
    }

    /// The key set that the card has, as a receipt has it.
    pub fn used(&self) -> Result<KeySetReceipt, PersonalizeError> {
        let Some(set) = &self.used else {
            return Ok(KeySetReceipt::default());
        };
        Ok(KeySetReceipt {
            name: set.name.clone(),
            kvn: format!("{:02X}", set.kvn),
            check_values: set.check_values().map_err(of_keys(&set.name))?,
        })
    }
}
