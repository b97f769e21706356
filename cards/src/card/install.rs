//! INSTALL [for install] (GlobalPlatform Card Specification 9.3.6, 11.5.2.3.2): applets, and security domains.

use super::VirtualCard;
use crate::fileview::Grant;
use crate::gp::params::ForInstall;
use crate::gp::registry::{Aid, Instance, app_state};
use crate::gp::{Domain, Free, Request, Stop, ToolkitParameters};
use crate::toolkit::Entry;
use crate::vm::Outcome;
use applet_gen::gp::privilege::Privileges;
use applet_gen::gp::receipt::Operation;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;
use applet_model::trace::Boundary;

impl VirtualCard {
    /// INSTALL [for install] to the security domain `on`, which lets it or not.
    pub(super) fn install_application(
        &mut self,
        on: &Aid,
        command: &Command,
        free: Free,
    ) -> Result<Response, Stop> {
        let request = self.read_install(command)?;
        let gp = &mut self.world.gp;
        let grant = gp.authorize(
            on,
            Request {
                command,
                unsigned: request.unsigned,
                token: request.token,
                parameters: request.raw,
            },
        )?;
        if gp.rules.quirks.c9_required && !matches!(tlv::find(request.raw, 0xC9), Ok(Some(_))) {
            return Err(gp.refuse(Sw::WRONG_DATA, "INSTALL: C9 is missing"));
        }
        gp.refuse_implicit_selection(request.raw)?;
        // The load file is this domain's, or one's above or below it: those agree (9.3.6).
        let file = gp.registry.any_load_file(&request.load_file);
        let domain = file.map(|file| file.domain.clone());
        let domain = domain.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        let related =
            domain == *on || gp.registry.is_below(&domain, on) || gp.registry.is_below(on, &domain);
        if !related {
            let why = "INSTALL: the load file is associated with a security domain that is not above or below this one";
            return Err(gp.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        let is_domain = gp
            .rules
            .domains
            .as_ref()
            .is_some_and(|rules| rules.module == request.module);
        let privileges = gp.check_privileges(request.privileges, is_domain)?;
        let selectable = command.p1 == 0x0C;
        match is_domain {
            true => self.install_domain(on, &request, privileges, selectable)?,
            false => self.install_applet(on, &request, privileges, selectable, free)?,
        }
        let operation = Operation::Install {
            load_file: request.load_file.bytes(),
            instance: request.instance.bytes(),
        };
        let world = &mut self.world;
        world.gp.confirm(grant, &operation, command, &mut world.nvm)
    }

    /// Reads INSTALL's data; module and instance AID are looked at.
    pub(super) fn read_install<'a>(
        &mut self,
        command: &'a Command,
    ) -> Result<ForInstall<'a>, Stop> {
        let request = ForInstall::parse(&command.data).map_err(|refusal| {
            self.last_fault = Some(refusal.to_string());
            Sw::WRONG_DATA
        })?;
        let registry = &self.world.gp.registry;
        let file = registry
            .any_load_file(&request.load_file)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if !file.modules.contains(&request.module) {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        if registry.is_taken(&request.instance) || self.applications_of_the_card(&request.instance)
        {
            return Err(Sw::FILE_EXISTS.into());
        }
        Ok(request)
    }

    /// A supplementary security domain: in Rust, like the issuer's. Its parameters (C9) may state the secure channel
    /// protocol (81: 03 and "i"), which has to be the card's.
    fn install_domain(
        &mut self,
        on: &Aid,
        request: &ForInstall<'_>,
        privileges: Privileges,
        selectable: bool,
    ) -> Result<(), Stop> {
        let world = &mut self.world;
        let most = world.gp.rules.domains.as_ref().map_or(0, |rules| rules.max);
        // The issuer's doesn't count.
        if world.gp.domains.len() > most {
            let why = format!(
                "INSTALL: the card has room for {most} security domains beside the issuer's"
            );
            return Err(world.gp.refuse(Sw::NOT_ENOUGH_MEMORY, why));
        }
        if request.parameters.toolkit().is_some() {
            let why = "INSTALL: toolkit parameters for a security domain";
            return Err(world.gp.refuse(Sw::WRONG_DATA, why));
        }
        let parent = world.gp.domain(on)?;
        let domain = Domain::supplementary(request.instance.clone(), parent);
        let fields: Result<Vec<tlv::Tlv<'_>>, _> =
            tlv::iter(&request.parameters.application).collect();
        for field in fields.map_err(|_| Sw::WRONG_DATA)? {
            if field.tag == 0x81 && field.value != [0x03, domain.i] {
                let why = format!(
                    "INSTALL: the card's secure channel protocol (81) is 03 {:02X}",
                    domain.i
                );
                return Err(world.gp.refuse(Sw::WRONG_DATA, why));
            }
        }
        world.nvm.commit()?;
        world.gp.domains.push(domain);
        world.gp.registry.instances.push(Instance {
            aid: request.instance.clone(),
            load_file: request.load_file.clone(),
            module: request.module.clone(),
            state: state_after(selectable),
            privileges,
            domain: on.clone(),
            toolkit: None,
        });
        Ok(())
    }

    /// An applet: `install()` runs.
    pub(super) fn install_applet(
        &mut self,
        on: &Aid,
        request: &ForInstall<'_>,
        privileges: Privileges,
        selectable: bool,
        free: Free,
    ) -> Result<(), Stop> {
        if let Some(system) = &request.parameters.system {
            let wanted = |quota: Option<u32>, reserved| quota.max(reserved).unwrap_or(0);
            if wanted(system.non_volatile_quota, system.non_volatile_reserved) > free.non_volatile
                || wanted(system.volatile_quota, system.volatile_reserved) > free.volatile
            {
                return Err(Sw::NOT_ENOUGH_MEMORY.into());
            }
        }
        let toolkit = request.parameters.toolkit().map(ToolkitParameters::from);
        if let Some(toolkit) = &toolkit {
            self.check_toolkit(toolkit, &request.instance)?;
        }
        let array = install_array(request, privileges)?;
        let aid = request.instance.clone();
        if let Some(toolkit) = toolkit.clone() {
            let places = self.world.toolkit.place_menu(&aid, &toolkit.menu);
            if let Err(refusal) = places {
                self.last_fault = Some(refusal.to_owned());
                return Err(Sw::WRONG_DATA.into());
            }
            self.world
                .toolkit
                .entries
                .push(Entry::new(aid.clone(), toolkit));
        }
        let grant = Grant::new(request.parameters.uicc.as_ref());
        self.world.views.grant(&aid, grant);
        let result = self.run_install(request, &array);
        self.world.installing = None;
        if result.is_err() {
            let views = self.world.views.forget(&aid);
            self.vm.forget(&views);
            self.world.toolkit.remove(&aid);
        }
        result?;
        // Part of the write that made the instance.
        self.world.gp.registry.instances.push(Instance {
            aid,
            load_file: request.load_file.clone(),
            module: request.module.clone(),
            state: state_after(selectable),
            privileges,
            domain: on.clone(),
            toolkit,
        });
        Ok(())
    }

    fn run_install(&mut self, request: &ForInstall<'_>, array: &[u8]) -> Result<(), Stop> {
        let aid = &request.instance;
        self.world.record(aid, Boundary::Install(array.to_vec()));
        self.world.installing = Some(aid.clone());
        let package = self.vm.package_by_aid(request.load_file.bytes());
        if super::world::is_recorded(aid) {
            self.world.recorded_package = package;
        }
        let outcome = self.running(aid, |card| {
            card.vm
                .install(request.module.bytes(), aid.bytes(), array, &mut card.world)
        });
        let (outcome, instance) = outcome.map_err(|error| {
            self.last_fault = Some(error.to_string());
            Sw::UNKNOWN
        })?;
        let sw = self.status(&outcome)?;
        match (&outcome, instance) {
            (Outcome::Returned(_), Some(_)) => Ok(()),
            // It returned and never registered itself (JCRE 3.1).
            (Outcome::Returned(_), None) => Err(Sw::CONDITIONS_NOT_SATISFIED.into()),
            (
                Outcome::Uncaught {
                    exception,
                    reason: 2 | 5,
                },
                _,
            ) if exception == "javacard/framework/SystemException" => {
                Err(Sw::NOT_ENOUGH_MEMORY.into())
            }
            _ => Err(sw.into()),
        }
    }

    /// True if the AID is one of the eUICC's own applications.
    fn applications_of_the_card(&self, aid: &Aid) -> bool {
        aid.bytes() == self.isd_r
            || aid.bytes() == self.ecasd
            || self.world.files.tree().adf(aid.bytes()).is_some()
    }

    /// What ETSI TS 102 226 8.2.1.3.2.2 has the card refuse (6A80): more timers than a card has, a TAR that is
    /// taken, more channels than the definition allows.
    fn check_toolkit(&mut self, toolkit: &ToolkitParameters, instance: &Aid) -> Result<(), Sw> {
        let refusal = self.toolkit_refusal(toolkit, instance);
        let answer = if refusal.is_some() {
            Err(Sw::WRONG_DATA)
        } else {
            Ok(())
        };
        self.last_fault = refusal.map(str::to_owned);
        answer
    }

    fn toolkit_refusal(&self, toolkit: &ToolkitParameters, instance: &Aid) -> Option<&'static str> {
        let entries = &self.world.toolkit.entries;
        if toolkit.timers > self.timers {
            return Some("toolkit parameters: more timers than the card has");
        }
        if toolkit.channels > self.bip_channels {
            return Some("toolkit parameters: more channels than the card has");
        }
        let own = tars(toolkit, instance);
        let mut taken = entries
            .iter()
            .flat_map(|entry| tars(&entry.parameters, &entry.aid));
        taken
            .any(|tar| own.contains(&tar))
            .then_some("toolkit parameters: a TAR is taken by another applet")
    }
}

/// Life cycle state of what was installed.
fn state_after(selectable: bool) -> u8 {
    match selectable {
        true => app_state::SELECTABLE,
        false => app_state::INSTALLED,
    }
}

/// The TARs that reach an applet: those of its parameters, else the one in its AID.
fn tars(toolkit: &ToolkitParameters, aid: &Aid) -> Vec<[u8; 3]> {
    match toolkit.tars.is_empty() {
        true => aid.tar().into_iter().collect(),
        false => toolkit.tars.clone(),
    }
}

/// `install()`'s array: instance AID, privileges, applet data, each with its length (Java Card API
/// `Applet.install`).
fn install_array(request: &ForInstall<'_>, privileges: Privileges) -> Result<Vec<u8>, Sw> {
    let mut array = Vec::new();
    for field in [
        request.instance.bytes(),
        &privileges[..1],
        &request.parameters.application,
    ] {
        array.push(u8::try_from(field.len()).map_err(|_| Sw::WRONG_DATA)?);
        array.extend(field);
    }
    Ok(array)
}
