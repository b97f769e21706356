//! INSTALL [for extradition] and [for registry update] (GlobalPlatform Card Specification 9.4, 11.5.2.3.4,
//! 11.5.2.3.5): who an application belongs to, and what it may do.

use super::Stop;
use super::open::Open;
use super::params::{Transfer, implicit_selection};
use super::registry::Aid;
use crate::power::Nvm;
use applet_gen::gp::privilege::{self, Privilege, Privileges};
use applet_gen::gp::receipt::Operation;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// Tag of the restrict parameter.
const TAG_RESTRICT: u32 = 0xD9;

impl Open {
    /// INSTALL [for extradition], sent to the domain `by` that has the object now.
    pub(crate) fn extradite(
        &mut self,
        by: &Aid,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        let request = Transfer::parse(&command.data)?;
        if !request.privileges.is_empty() {
            return Err(Sw::WRONG_DATA.into());
        }
        let object = request.object.clone().ok_or(Sw::WRONG_DATA)?;
        let to = request.domain.clone().ok_or(Sw::WRONG_DATA)?;
        let grant = self.authorize(by, request.request(command))?;
        self.check_extradition(by, &object, &to)?;
        nvm.commit()?;
        self.registry.associate(&object, &to);
        let operation = Operation::Extradition {
            from: by.bytes(),
            object: object.bytes(),
            to: to.bytes(),
        };
        self.confirm(grant, &operation, command, nvm)
    }

    /// Whether an application or load file of `from` may go to the domain `to`.
    fn check_extradition(&mut self, from: &Aid, object: &Aid, to: &Aid) -> Result<(), Stop> {
        let now = self.registry.domain_of(object).cloned();
        if now.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)? != *from {
            let why = "extradition: the object is associated with another security domain";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        self.domain(to)?;
        if self
            .registry
            .resident
            .iter()
            .any(|file| file.aid == *object)
        {
            let why = "extradition: the load file is the card's own";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if !self.is_personalized(to) {
            let why = "extradition: the security domain to extradite to isn't PERSONALIZED";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if to == object || self.registry.is_below(to, object) {
            let why = "extradition: a security domain can't go below itself";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if self.registry.load_file(object).is_some() && self.has(to, Privilege::DapVerification) {
            let why = "extradition: a load file can't go to a security domain with DAP Verification (9.4.1)";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        Ok(())
    }

    /// INSTALL [for registry update], sent to the domain `by` that the application is associated with. All of it
    /// is done, or nothing.
    pub(crate) fn update_registry(
        &mut self,
        by: &Aid,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        let request = Transfer::parse(&command.data)?;
        let grant = self.authorize(by, request.request(command))?;
        let system = tlv::find(request.parameters, 0xEF).map_err(|_| Sw::WRONG_DATA)?;
        let system = system.map_or(&[][..], |object| object.value);
        if tlv::find(system, TAG_RESTRICT)
            .map_err(|_| Sw::WRONG_DATA)?
            .is_some()
        {
            let why = "registry update: this card restricts no functions (D9)";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        let Some(application) = request.object else {
            let why =
                "registry update: no application, and nothing of the card itself can be changed";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        };
        self.refuse_implicit_selection(request.parameters)?;
        let Some(instance) = self.registry.instance(&application) else {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        };
        let (was, domain) = (instance.privileges, instance.domain.clone());
        if domain != *by {
            let why = "registry update: the application is associated with another security domain";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        let privileges = match request.privileges {
            [] => was,
            field => self.check_privileges(field, Privilege::SecurityDomain.is_in(&was))?,
        };
        if let Some(to) = &request.domain {
            self.check_extradition(by, &application, to)?;
        }
        nvm.commit()?;
        if let Some(to) = &request.domain {
            self.registry.associate(&application, to);
        }
        self.registry.set_privileges(&application, privileges);
        let operation = Operation::RegistryUpdate {
            from: request.domain.as_ref().map_or(&[], |_| by.bytes()),
            application: application.bytes(),
            to: request.domain.as_ref().map_or(&[], Aid::bytes),
            privileges: request.privileges,
            parameters: request.parameters,
        };
        self.confirm(grant, &operation, command, nvm)
    }

    /// Reads privileges (one byte or three), and refuses what the card doesn't give.
    pub(crate) fn check_privileges(
        &mut self,
        field: &[u8],
        domain: bool,
    ) -> Result<Privileges, Stop> {
        if let Some(fault) = privilege::faults(field).into_iter().next() {
            return Err(self.refuse(Sw::WRONG_DATA, fault));
        }
        let mut all = match field {
            [a] => [*a, 0, 0],
            [a, b, c] => [*a, *b, *c],
            _ => return Err(Sw::WRONG_DATA.into()),
        };
        // The one-byte form leaves the defaults of table 6-2: a domain has the trusted path.
        if domain && field.len() == 1 {
            all[1] = 0x80;
        }
        if domain != Privilege::SecurityDomain.is_in(&all) {
            let why = "privileges: Security Domain goes with the module of security domains, and only with it";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        // An application may be asked to be the default one, which a UICC ignores (ETSI TS 102 226).
        let mut given = Privilege::bytes(&[Privilege::CardReset]);
        if domain && let Some(rules) = &self.rules.domains {
            given = rules.privileges;
        }
        let refused =
            Privilege::all().find(|privilege| privilege.is_in(&all) && !privilege.is_in(&given));
        if let Some(privilege) = refused {
            let why = format!("privileges: this card gives no {}", privilege.name());
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        Ok(all)
    }

    /// Refuses an implicit selection parameter (CF): on a UICC the file system is what a channel starts with.
    pub(crate) fn refuse_implicit_selection(&mut self, parameters: &[u8]) -> Result<(), Stop> {
        if !implicit_selection(parameters)?.is_empty() {
            let why =
                "implicit selection (CF): on a UICC the file system is what a channel starts with";
            return Err(self.refuse(Sw::WRONG_DATA, why));
        }
        Ok(())
    }
}
