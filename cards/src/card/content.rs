//! The security domain's commands: secure messaging around them, and what needs the VM, loading,
//! installing, personalizing, deleting (GlobalPlatform Card Specification 9.3, 11).

use super::VirtualCard;
use crate::fileview::Grant;
use crate::gp::params::{Fields, ForInstall};
use crate::gp::registry::{Aid, CardState, Instance, LoadFile, app_state};
use crate::gp::{Free, Stop, ToolkitParameters, receipt};
use crate::toolkit::Entry;
use crate::vm::{DeleteError, LoadError, Outcome, Value, Vm};
use applet_gen::cap::Cap;
use applet_gen::cap::verify::{offer, verify_with_tables};
use applet_gen::gp::scp03::session::{is_secure_class, plain_class};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::trace::Boundary;

const APPLICATION: &str = "org/globalplatform/Application";

impl VirtualCard {
    /// A command to the selected security domain.
    pub(super) fn domain_command(&mut self, command: &Command) -> Result<Response, Stop> {
        let channel = command.channel();
        let session = self
            .world
            .channels
            .get_mut(channel)
            .and_then(|open| open.secure.take());
        match command.ins {
            0x50 if !is_secure_class(command.cla) => {
                let mut random = [0; 16];
                self.world.rng.fill(&mut random);
                let aid = self.world.domain.registry.isd.clone();
                let world = &mut self.world;
                let (response, session) =
                    world
                        .domain
                        .initialize_update(command, aid.bytes(), random, &mut world.nvm)?;
                if let Some(open) = world.channels.get_mut(channel) {
                    open.secure = Some(session);
                }
                return Ok(response);
            }
            0x82 => {
                let session = session.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
                let world = &mut self.world;
                let session =
                    world
                        .domain
                        .external_authenticate(command, session, &mut world.nvm)?;
                if let Some(open) = world.channels.get_mut(channel) {
                    open.secure = Some(session);
                }
                return Ok(Response::status(Sw::OK));
            }
            _ => {}
        }
        // A session that waits for EXTERNAL AUTHENTICATE ends with any other command.
        let Some(mut session) = session.filter(|session| session.level().is_some()) else {
            if is_secure_class(command.cla) {
                return Err(Sw::SECURITY_NOT_SATISFIED.into());
            }
            return self.plain_command(command, None);
        };
        // A wrong message ends the session, too: it was taken from the channel.
        let plain = session.unwrap(command)?;
        let response = match self.plain_command(&plain, Some((session.version, session.level()))) {
            Ok(response) => response,
            Err(Stop::Status(sw)) => Response::status(sw),
            Err(stop) => return Err(stop),
        };
        let response = session.wrap(response);
        if let Some(open) = self.world.channels.get_mut(channel) {
            open.secure = Some(session);
        }
        Ok(response)
    }

    /// A command as it is under the secure messaging. `session` is key version and level of an
    /// authenticated session. Without one, only GET DATA is served; in SECURED the rest wants
    /// C-MAC, but for GET STATUS (GlobalPlatform Card Specification 10.2.3, 11.1.1).
    fn plain_command(
        &mut self,
        command: &Command,
        session: Option<(u8, Option<applet_gen::gp::scp03::SecurityLevel>)>,
    ) -> Result<Response, Stop> {
        let free = self.free();
        let state = self.world.domain.registry.card;
        if command.ins == 0xCA {
            return Ok(self.world.domain.get_data(command, free)?);
        }
        if !matches!(command.ins, 0xE2 | 0xE4 | 0xE6 | 0xE8 | 0xF0 | 0xF2 | 0xD8) {
            return Err(Sw::INS_NOT_SUPPORTED.into());
        }
        if command.cla & 0x80 == 0 {
            return Err(Sw::CLA_NOT_SUPPORTED.into());
        }
        let (version, level) = session.ok_or(Sw::SECURITY_NOT_SATISFIED)?;
        let maced = level.is_some_and(|level| level.c_mac());
        let world = &mut self.world;
        match command.ins {
            0xF2 => return Ok(world.domain.get_status(command)?),
            _ if !maced && state as u8 >= CardState::Secured as u8 => {
                return Err(Sw::SECURITY_NOT_SATISFIED.into());
            }
            0xF0 => return world.domain.set_status(command, &mut world.nvm),
            _ if state == CardState::Locked => return Err(Sw::FUNCTION_NOT_SUPPORTED.into()),
            0xD8 => return world.domain.put_key(version, command, &mut world.nvm),
            0xE8 => return self.load_block(command, free),
            0xE6 => return self.install(command, free),
            0xE4 => return self.delete(command),
            _ => {}
        }
        match self.world.domain.personalizing.clone() {
            Some(aid) => self.personalize(&aid, command),
            None => self.world.domain.store_data(command, &mut self.world.nvm),
        }
    }

    /// Memory that is left.
    pub(super) fn free(&self) -> Free {
        let (used, limits) = (self.vm.memory(), self.vm.limits());
        let left = |limit: usize, used: usize| {
            u32::try_from(limit.saturating_sub(used)).unwrap_or(u32::MAX)
        };
        Free {
            non_volatile: left(limits.persistent, used.persistent),
            volatile: left(limits.transient_reset, used.transient_reset),
        }
    }

    fn load_block(&mut self, command: &Command, free: Free) -> Result<Response, Stop> {
        let world = &mut self.world;
        let Some(loaded) = world
            .domain
            .load(command, free.non_volatile, &mut world.nvm)?
        else {
            return Ok(receipt(command));
        };
        // The VM's one persistent write is also the registry's: both or neither.
        let package = match self.vm.load(&loaded.block, &mut self.world) {
            Ok(package) => package,
            Err(LoadError::PowerCut) => return Err(self.world.power_cut().into()),
            Err(error) => {
                let sw = load_status(&error);
                self.last_fault = Some(error.to_string());
                return Err(sw.into());
            }
        };
        let verified = verified(&self.vm, &loaded.block);
        self.vm.set_verified(package, verified);
        let (aid, major, minor) = self.vm.package_aid(package).ok_or(Sw::UNKNOWN)?;
        if loaded.aid.bytes() != aid {
            // INSTALL [for load] announced another AID than the load file has (11.6.2.3).
            self.vm
                .delete_package(package, &mut self.world.nvm)
                .map_err(|error| self.refused(error))?;
            return Err(Sw::WRONG_DATA.into());
        }
        let file = LoadFile {
            version: [major, minor],
            modules: self
                .vm
                .modules(package)
                .iter()
                .filter_map(|aid| Aid::new(aid))
                .collect(),
            aid: loaded.aid,
        };
        self.world.domain.registry.load_files.push(file);
        Ok(receipt(command))
    }

    fn install(&mut self, command: &Command, free: Free) -> Result<Response, Stop> {
        if command.p2 != 0 {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        match command.p1 {
            0x02 => Ok(self
                .world
                .domain
                .install_for_load(command, free.non_volatile)?),
            0x04 | 0x0C => self.install_applet(command, free),
            0x08 => self.make_selectable(command),
            0x20 => self.for_personalization(command),
            _ => Err(Sw::INCORRECT_P1_P2.into()),
        }
    }

    pub(super) fn install_applet(
        &mut self,
        command: &Command,
        free: Free,
    ) -> Result<Response, Stop> {
        let request = ForInstall::parse(&command.data).map_err(|refusal| {
            self.last_fault = Some(refusal.to_string());
            Sw::WRONG_DATA
        })?;
        let registry = &self.world.domain.registry;
        let file = registry
            .load_file(&request.load_file)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if !file.modules.contains(&request.module) {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        if registry.is_taken(&request.instance) || self.applications_of_the_card(&request.instance)
        {
            return Err(Sw::FILE_EXISTS.into());
        }
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
        let array = install_array(&request)?;
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
        let result = self.run_install(&request, &array);
        self.world.installing = None;
        if result.is_err() {
            let views = self.world.views.forget(&aid);
            self.vm.forget(&views);
            self.world.toolkit.remove(&aid);
        }
        result?;
        // Part of the write that made the instance.
        let state = if command.p1 == 0x0C {
            app_state::SELECTABLE
        } else {
            app_state::INSTALLED
        };
        self.world.domain.registry.instances.push(Instance {
            aid,
            load_file: request.load_file,
            module: request.module,
            state,
            privileges: request.privileges,
            toolkit,
        });
        Ok(receipt(command))
    }

    fn run_install(&mut self, request: &ForInstall, array: &[u8]) -> Result<(), Stop> {
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

    /// INSTALL [for make selectable]: only the instance AID matters.
    fn make_selectable(&mut self, command: &Command) -> Result<Response, Stop> {
        let mut fields = Fields(&command.data);
        fields.optional_aid()?;
        fields.optional_aid()?;
        let aid = fields.aid()?;
        let world = &mut self.world;
        let instance = world
            .domain
            .registry
            .instance_mut(&aid)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if instance.state & app_state::SELECTABLE != app_state::SELECTABLE {
            world.nvm.commit()?;
            instance.state |= app_state::SELECTABLE;
        }
        Ok(receipt(command))
    }

    fn for_personalization(&mut self, command: &Command) -> Result<Response, Stop> {
        let mut fields = Fields(&command.data);
        fields.optional_aid()?;
        fields.optional_aid()?;
        let aid = fields.aid()?;
        let domain = &mut self.world.domain;
        if aid == domain.registry.isd {
            domain.personalizing = None;
            return Ok(receipt(command));
        }
        let instance = domain
            .registry
            .instance(&aid)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if !instance.is_selectable() {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        }
        domain.personalizing = Some(aid);
        Ok(receipt(command))
    }

    /// STORE DATA for an applet: by `Application.processData()` with the whole plain command, or, if the applet
    /// doesn't have that, as a command to `process()`. P1's first bit ends the personalization.
    pub(super) fn personalize(&mut self, aid: &Aid, command: &Command) -> Result<Response, Stop> {
        let mut plain = command.clone();
        plain.cla = plain_class(plain.cla);
        plain.le = None;
        if command.p1 & 0x80 != 0 {
            self.world.domain.personalizing = None;
        }
        let id = self.instance(aid)?;
        let object = self.vm.instance(id).ok_or(Sw::NOT_FOUND)?.object;
        if !self.vm.is_instance(object, APPLICATION) {
            return self.process(aid, &plain, false);
        }
        let bytes = plain.to_bytes();
        let buffer = self.vm.apdu_buffer();
        let length = i16::try_from(bytes.len()).map_err(|_| Sw::WRONG_LENGTH)?;
        let slot = self
            .vm
            .bytes_mut(buffer)
            .ok()
            .and_then(|buffer| buffer.get_mut(..bytes.len()));
        slot.ok_or(Sw::WRONG_LENGTH)?.copy_from_slice(&bytes);
        let arguments = [Value::Ref(buffer), Value::Short(0), Value::Short(length)];
        let started =
            self.vm
                .start_interface(object, APPLICATION, "processData", "([BSS)V", &arguments);
        let mut thread = started.map_err(|_| Sw::CONDITIONS_NOT_SATISFIED)?;
        self.world.record(aid, Boundary::Personalization(plain));
        let outcome = self.run(aid, &mut thread);
        let response = Response::status(self.status(&outcome)?);
        self.world.record(aid, Boundary::Response(response.clone()));
        Ok(response)
    }

    fn delete(&mut self, command: &Command) -> Result<Response, Stop> {
        let world = &mut self.world;
        let deletion = world.domain.delete(command, &mut world.nvm)?;
        for aid in &deletion.instances {
            let waits = self.world.toolkit.session.suspended.as_ref();
            if self.world.channels.has_selected(aid)
                || waits.is_some_and(|waits| waits.activation.aid == *aid)
            {
                return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
            }
        }
        for aid in &deletion.instances {
            let id = self.instance(aid)?;
            if let Ok(Some(mut thread)) = self.vm.start_uninstall(id) {
                let outcome = self.run(aid, &mut thread);
                self.status(&outcome)?;
            }
            self.vm
                .delete_instance(id, &mut self.world.nvm)
                .map_err(|error| self.refused(error))?;
            self.world
                .domain
                .registry
                .instances
                .retain(|instance| instance.aid != *aid);
            let views = self.world.views.forget(aid);
            self.vm.forget(&views);
            self.world.toolkit.remove(aid);
        }
        if let Some(aid) = &deletion.load_file {
            let package = self
                .vm
                .package_by_aid(aid.bytes())
                .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
            self.vm
                .delete_package(package, &mut self.world.nvm)
                .map_err(|error| self.refused(error))?;
            self.world
                .domain
                .registry
                .load_files
                .retain(|file| file.aid != *aid);
        }
        Ok(receipt(command))
    }

    fn refused(&self, error: DeleteError) -> Stop {
        match error {
            DeleteError::InUse(_) => Sw::CONDITIONS_NOT_SATISFIED.into(),
            DeleteError::NotFound => Sw::REFERENCED_DATA_NOT_FOUND.into(),
            DeleteError::PowerCut => self.world.power_cut().into(),
        }
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
fn install_array(request: &ForInstall) -> Result<Vec<u8>, Sw> {
    let mut array = Vec::new();
    for field in [
        request.instance.bytes(),
        &request.privileges[..1],
        &request.parameters.application,
    ] {
        array.push(u8::try_from(field.len()).map_err(|_| Sw::WRONG_DATA)?);
        array.extend(field);
    }
    Ok(array)
}

/// The status word of a load file that the VM refuses.
fn load_status(error: &LoadError) -> Sw {
    match error {
        LoadError::Memory { .. } => Sw::NOT_ENOUGH_MEMORY,
        LoadError::Import { .. } => Sw::CONDITIONS_NOT_SATISFIED,
        LoadError::Exists(_) => Sw::FILE_EXISTS,
        _ => Sw::WRONG_DATA,
    }
}

/// Whether a load file is type-safe: it has a Descriptor, and the verifier finds nothing. What the card
/// knows not to be runs with all checks on.
fn verified(vm: &Vm, load_file: &[u8]) -> bool {
    let Ok(cap) = Cap::from_load_file(load_file) else {
        return false;
    };
    let imported = |aid: &[u8]| cap.imports.iter().any(|import| import.aid == aid);
    let mut offers = Vec::new();
    for package in vm.packages() {
        let loaded = vm.load_file(package).map(Cap::from_load_file);
        if let Some(Ok(other)) = loaded
            && imported(&other.header.package.aid)
        {
            offers.extend(offer(&other, applet_gen::api::packages()));
        }
    }
    cap.descriptor.is_some() && verify_with_tables(&cap, &offers).is_verified()
}
