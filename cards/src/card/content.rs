//! The security domains' commands: secure messaging around them, and what needs the VM, loading,
//! personalizing, deleting (GlobalPlatform Card Specification 9.3, 11).

use super::VirtualCard;
use crate::gp::params::Transfer;
use crate::gp::registry::{Aid, CardState, LoadFile, app_state};
use crate::gp::session::SecureChannel;
use crate::gp::{Free, Stop};
use crate::vm::{DeleteError, LoadError, Value, Vm};
use applet_gen::cap::Cap;
use applet_gen::cap::verify::{offer, verify_with_tables};
use applet_gen::gp::command::{INS_BEGIN_R_MAC_SESSION, INS_END_R_MAC_SESSION};
use applet_gen::gp::receipt::Operation;
use applet_gen::gp::scp03::session::{is_secure_class, plain_class};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::trace::Boundary;

const APPLICATION: &str = "org/globalplatform/Application";

impl VirtualCard {
    /// A command to the security domain `on`, which is selected.
    pub(super) fn domain_command(&mut self, on: &Aid, command: &Command) -> Result<Response, Stop> {
        let result = self.secured_command(on, command);
        if let Some(why) = self.world.gp.refusal.take() {
            self.last_fault = Some(why);
        }
        result
    }

    fn secured_command(&mut self, on: &Aid, command: &Command) -> Result<Response, Stop> {
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
                let world = &mut self.world;
                let (response, session) =
                    world
                        .gp
                        .initialize_update(on, command, random, &mut world.nvm)?;
                if let Some(open) = world.channels.get_mut(channel) {
                    open.secure = Some(session);
                }
                return Ok(response);
            }
            0x82 => {
                let session = session.ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
                let world = &mut self.world;
                let session = world
                    .gp
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
            return self.plain_command(on, command, None);
        };
        // A wrong message ends the session, too: it was taken from the channel.
        let plain = session.unwrap(command)?;
        let (mut raised, mut ended) = (None, false);
        let response = match plain.ins {
            INS_BEGIN_R_MAC_SESSION => session.begin_r_mac(&plain).map(|level| {
                raised = Some(level);
                Response::status(Sw::OK)
            }),
            INS_END_R_MAC_SESSION => session.end_r_mac(&plain).map(|()| {
                ended = true;
                Response::status(Sw::OK)
            }),
            _ => match self.plain_command(on, &plain, Some(&session)) {
                Ok(response) => Ok(response),
                Err(Stop::Status(sw)) => Err(sw),
                Err(stop) => return Err(stop),
            },
        };
        let response = session.wrap(response.unwrap_or_else(Response::status));
        // An R-MAC session counts from the response after this one, and to this one.
        if let Some(level) = raised {
            session.raise(level);
        }
        if ended {
            session.lower();
        }
        if let Some(open) = self.world.channels.get_mut(channel) {
            open.secure = Some(session);
        }
        Ok(response)
    }

    /// A command as it is under the secure messaging, with its authenticated session. Without one, only GET DATA
    /// is served; in SECURED the rest wants C-MAC, but for GET STATUS (GlobalPlatform Card Specification 10.2.3,
    /// 11.1.1).
    fn plain_command(
        &mut self,
        on: &Aid,
        command: &Command,
        session: Option<&SecureChannel>,
    ) -> Result<Response, Stop> {
        let free = self.free();
        let state = self.world.gp.registry.card;
        let level = session.and_then(SecureChannel::level);
        if command.ins == 0xCA {
            return Ok(self.world.gp.get_data(on, command, free, level)?);
        }
        if !matches!(command.ins, 0xE2 | 0xE4 | 0xE6 | 0xE8 | 0xF0 | 0xF2 | 0xD8) {
            return Err(Sw::INS_NOT_SUPPORTED.into());
        }
        if command.cla & 0x80 == 0 {
            return Err(Sw::CLA_NOT_SUPPORTED.into());
        }
        let session = session.ok_or(Sw::SECURITY_NOT_SATISFIED)?;
        let keys = (&session.keys.0, session.keys.1);
        let maced = level.is_some_and(|level| level.c_mac());
        let world = &mut self.world;
        match command.ins {
            0xF2 => return world.gp.get_status(on, command),
            _ if !maced && state as u8 >= CardState::Secured as u8 => {
                return Err(Sw::SECURITY_NOT_SATISFIED.into());
            }
            0xF0 => return world.gp.set_status(on, command, &mut world.nvm),
            _ if state == CardState::Locked => return Err(Sw::FUNCTION_NOT_SUPPORTED.into()),
            0xD8 => return world.gp.put_key(on, keys, command, &mut world.nvm),
            0xE8 => return self.load_block(on, command, free),
            0xE6 => return self.install(on, command, free),
            0xE4 => return self.delete(on, command),
            _ => {}
        }
        world.gp.count_block(on, command)?;
        let target = world.gp.domain(on)?.personalizing.clone();
        let target = target.unwrap_or_else(|| on.clone());
        let result = match world.gp.domain(&target).is_ok() {
            true => world
                .gp
                .store_data(on, &target, keys, command, &mut world.nvm),
            false => self.personalize(&target, command),
        };
        // The last block ends the personalization.
        if command.p1 & 0x80 != 0 {
            self.world.gp.domain_mut(on)?.personalizing = None;
        }
        result
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

    fn load_block(&mut self, on: &Aid, command: &Command, free: Free) -> Result<Response, Stop> {
        let world = &mut self.world;
        let Some(loaded) = world
            .gp
            .load(on, command, free.non_volatile, &mut world.nvm)?
        else {
            return Ok(world.gp.no_receipt(command));
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
            aid: loaded.aid.clone(),
            domain: loaded.domain.clone(),
        };
        let world = &mut self.world;
        // A card that lists a load while it goes on has an entry already.
        let files = &mut world.gp.registry.load_files;
        files.retain(|entry| entry.aid != file.aid);
        files.push(file);
        let operation = Operation::Load {
            load_file: loaded.aid.bytes(),
            domain: loaded.domain.bytes(),
        };
        world
            .gp
            .confirm(loaded.grant, &operation, command, &mut world.nvm)
    }

    fn install(&mut self, on: &Aid, command: &Command, free: Free) -> Result<Response, Stop> {
        if command.p2 != 0 {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let world = &mut self.world;
        match command.p1 {
            0x02 => world
                .gp
                .install_for_load(on, command, free.non_volatile, &mut world.nvm),
            0x04 | 0x0C => self.install_application(on, command, free),
            0x08 => self.make_selectable(on, command),
            0x10 => world.gp.extradite(on, command, &mut world.nvm),
            0x20 => self.for_personalization(on, command),
            0x40 => world.gp.update_registry(on, command, &mut world.nvm),
            _ => Err(Sw::INCORRECT_P1_P2.into()),
        }
    }

    /// INSTALL [for make selectable] (11.5.2.3.3). Of the privileges only Card Reset counts, which a UICC ignores.
    fn make_selectable(&mut self, on: &Aid, command: &Command) -> Result<Response, Stop> {
        let request = Transfer::parse(&command.data)?;
        let world = &mut self.world;
        let grant = world.gp.authorize(on, request.request(command))?;
        world.gp.refuse_implicit_selection(request.parameters)?;
        let aid = request.object.ok_or(Sw::WRONG_DATA)?;
        if !world.gp.registry.is_below(&aid, on) {
            return Err(Sw::REFERENCED_DATA_NOT_FOUND.into());
        }
        let instance = world.gp.registry.instance_mut(&aid);
        let instance = instance.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        if instance.state & app_state::SELECTABLE != app_state::SELECTABLE {
            world.nvm.commit()?;
            instance.state |= app_state::SELECTABLE;
        }
        let load_file = instance.load_file.clone();
        let operation = Operation::Install {
            load_file: load_file.bytes(),
            instance: aid.bytes(),
        };
        world.gp.confirm(grant, &operation, command, &mut world.nvm)
    }

    /// INSTALL [for personalization] (11.5.2.3.6): STORE DATA goes to an application or security domain that is
    /// associated with this one.
    fn for_personalization(&mut self, on: &Aid, command: &Command) -> Result<Response, Stop> {
        let request = Transfer::parse(&command.data)?;
        let aid = request.object.ok_or(Sw::WRONG_DATA)?;
        let gp = &mut self.world.gp;
        let own = aid == *on;
        if !own {
            let instance = gp.registry.instance(&aid);
            let instance = instance.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
            if !instance.is_selectable() || instance.domain != *on {
                let why = "INSTALL [for personalization]: not selectable, or another domain's";
                return Err(gp.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
        }
        gp.personalize(on, (!own).then_some(aid))?;
        Ok(gp.no_receipt(command))
    }

    /// STORE DATA for an applet: by `Application.processData()` with the whole plain command, or, if the applet
    /// doesn't have that, as a command to `process()`.
    pub(super) fn personalize(&mut self, aid: &Aid, command: &Command) -> Result<Response, Stop> {
        let mut plain = command.clone();
        plain.cla = plain_class(plain.cla);
        plain.le = None;
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

    fn delete(&mut self, on: &Aid, command: &Command) -> Result<Response, Stop> {
        let world = &mut self.world;
        let deletion = world.gp.delete(on, command, &mut world.nvm)?;
        for aid in &deletion.instances {
            let waits = self.world.toolkit.session.suspended.as_ref();
            if self.world.channels.has_selected(aid)
                || waits.is_some_and(|waits| waits.activation.aid == *aid)
            {
                let why = "DELETE: the application is selected, or waits for the terminal";
                return Err(self.world.gp.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
            }
        }
        for aid in &deletion.instances {
            if self.world.gp.domain(aid).is_ok() {
                self.world.nvm.commit()?;
                self.world.gp.forget_instance(aid);
                continue;
            }
            let id = self.instance(aid)?;
            if let Ok(Some(mut thread)) = self.vm.start_uninstall(id) {
                let outcome = self.run(aid, &mut thread);
                self.status(&outcome)?;
            }
            self.vm
                .delete_instance(id, &mut self.world.nvm)
                .map_err(|error| self.refused(error))?;
            self.world.gp.forget_instance(aid);
            let views = self.world.views.forget(aid);
            self.vm.forget(&views);
            self.world.toolkit.remove(aid);
        }
        if let Some(aid) = &deletion.load_file {
            match self.vm.package_by_aid(aid.bytes()) {
                Some(package) => self
                    .vm
                    .delete_package(package, &mut self.world.nvm)
                    .map_err(|error| self.refused(error))?,
                // What a load that broke off left.
                None => self.world.nvm.commit()?,
            }
            let files = &mut self.world.gp.registry.load_files;
            files.retain(|file| file.aid != *aid);
        }
        let world = &mut self.world;
        let Some(object) = deletion.object else {
            return Ok(world.gp.no_receipt(command));
        };
        let operation = Operation::Delete {
            object: object.bytes(),
        };
        world
            .gp
            .confirm(deletion.grant, &operation, command, &mut world.nvm)
    }

    fn refused(&self, error: DeleteError) -> Stop {
        match error {
            DeleteError::InUse(_) => Sw::CONDITIONS_NOT_SATISFIED.into(),
            DeleteError::NotFound => Sw::REFERENCED_DATA_NOT_FOUND.into(),
            DeleteError::PowerCut => self.world.power_cut().into(),
        }
    }
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
