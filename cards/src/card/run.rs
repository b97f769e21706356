//! Running applet threads: how each ends, as a status word.

use super::VirtualCard;
use super::world::World;
use crate::gp::Stop;
use crate::gp::registry::Aid;
use crate::power::PowerCut;
use crate::vm::{Fault, InstanceId, Outcome, Ref, Thread, Value, VmError};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::trace::Boundary;

const ISO_EXCEPTION: &str = "javacard/framework/ISOException";

/// An uncaught exception in words: reasons of the toolkit's by their names, for they are what an applet's
/// author meets most.
fn describe(exception: &str, reason: i16) -> String {
    let class = exception.replace('/', ".");
    let name = match exception {
        "uicc/toolkit/ToolkitException" => crate::toolkit::reason_name(reason),
        _ => None,
    };
    match name {
        Some(name) => format!("uncaught {class}: {name}"),
        None => format!("uncaught {class}, reason {reason}"),
    }
}

impl World {
    /// The error that a power cut inside the VM stands for.
    pub(super) fn power_cut(&self) -> PowerCut {
        PowerCut {
            write: self.nvm.writes,
        }
    }
}

impl VirtualCard {
    /// Runs a thread of the applet to its end or until it suspends.
    pub(super) fn run(&mut self, aid: &Aid, thread: &mut Thread) -> Outcome {
        self.running(aid, |card| card.vm.run(thread, &mut card.world))
    }

    /// Does something with the VM on behalf of an applet: its random numbers and commits are its own.
    pub(super) fn running<T>(&mut self, aid: &Aid, act: impl FnOnce(&mut Self) -> T) -> T {
        let instance = self
            .vm
            .instance_by_aid(aid.bytes())
            .and_then(|id| self.vm.instance(id));
        if super::world::is_recorded(aid)
            && let Some(instance) = instance
        {
            self.world.recorded_package = Some(instance.package);
        }
        let outer = self.world.running.replace(aid.clone());
        let result = act(self);
        self.world.running = outer;
        result
    }

    /// What an outcome says to the terminal: 9000, the reason of an ISOException, 6F00 for everything that
    /// an applet mustn't do.
    pub(super) fn status(&mut self, outcome: &Outcome) -> Result<Sw, PowerCut> {
        Ok(match outcome {
            Outcome::Returned(_) => Sw::OK,
            Outcome::Uncaught { exception, reason } if exception == ISO_EXCEPTION => {
                Sw(reason.cast_unsigned())
            }
            Outcome::PowerCut => return Err(self.world.power_cut()),
            Outcome::Trap(trap) => {
                self.last_trap = Some(trap.clone());
                self.fault(trap.to_string())
            }
            Outcome::Uncaught { exception, reason } => self.fault(describe(exception, *reason)),
            Outcome::Suspended => self.fault("send() outside of processToolkit()".into()),
            Outcome::OutOfFuel => self.fault("the command took too many instructions".into()),
        })
    }

    fn fault(&mut self, why: String) -> Sw {
        self.last_fault = Some(why);
        Sw::UNKNOWN
    }

    /// Does what applets asked for by `JCSystem.requestObjectDeletion()`, after the command (JCRE 11.1).
    pub(super) fn delete_unused_objects(&mut self) -> Result<(), PowerCut> {
        if !self.vm.deletion_requested() {
            return Ok(());
        }
        let toolkit = &self.world.toolkit;
        let objects = &toolkit.objects;
        let suspended = toolkit.session.suspended.as_ref();
        let threads: Vec<&Thread> = suspended
            .map(|suspended| &suspended.thread)
            .into_iter()
            .collect();
        let held = self.vm.held(&threads);
        let views = self.world.views.drop_unused(&|view| held.contains(&view));
        self.vm.forget(&views);
        let framework = objects
            .handlers
            .iter()
            .flatten()
            .chain(&objects.volatile_bytes)
            .chain(&objects.es10_port);
        let entries = toolkit
            .entries
            .iter()
            .flat_map(|entry| entry.object.iter().chain(&entry.interface));
        let mut roots: Vec<Ref> = framework.chain(entries).copied().collect();
        roots.extend(self.world.views.roots());
        match self.vm.collect(&mut self.world.nvm, &threads, &roots) {
            Ok(_) => Ok(()),
            Err(Fault::PowerCut) => Err(self.world.power_cut()),
            Err(other) => {
                self.last_fault = Some(format!("object deletion: {other:?}"));
                Ok(())
            }
        }
    }

    /// The VM's instance of this AID.
    pub(super) fn instance(&self, aid: &Aid) -> Result<InstanceId, Sw> {
        self.vm.instance_by_aid(aid.bytes()).ok_or(Sw::NOT_FOUND)
    }

    /// `process()` with this command.
    pub(super) fn process(
        &mut self,
        aid: &Aid,
        command: &Command,
        selecting: bool,
    ) -> Result<Response, Stop> {
        let instance = self.instance(aid)?;
        let started =
            self.vm
                .start_process(instance, &command.to_bytes(), command.channel(), selecting);
        let mut thread = started.map_err(|error| match error {
            // Extended lengths, and the applet takes none (javacardx.apdu.ExtendedLength).
            VmError::Apdu(_) => Sw::WRONG_LENGTH,
            _ => Sw::UNKNOWN,
        })?;
        self.world.record(aid, Boundary::Apdu(command.clone()));
        let outcome = self.run(aid, &mut thread);
        let sw = self.status(&outcome)?;
        // An error goes without what the applet may have sent before it; a warning keeps it.
        let data = match sw.sw1() {
            0x90 | 0x62 | 0x63 => thread
                .apdu()
                .map(|apdu| apdu.response().to_vec())
                .unwrap_or_default(),
            _ => Vec::new(),
        };
        let response = Response { data, sw };
        self.world.record(aid, Boundary::Response(response.clone()));
        Ok(response)
    }

    /// `select()`: false if the applet refuses.
    pub(super) fn ask_select(&mut self, aid: &Aid, channel: u8) -> Result<bool, Stop> {
        let instance = self.instance(aid)?;
        let mut thread = self
            .vm
            .start_select(instance, channel)
            .map_err(|error| match error {
                // JCRE 4.5.2: active on another channel, and not MultiSelectable.
                VmError::NotMultiselectable(_) => Sw::CONDITIONS_NOT_SATISFIED,
                _ => Sw::UNKNOWN,
            })?;
        let outcome = self.run(aid, &mut thread);
        self.status(&outcome)?;
        Ok(matches!(outcome, Outcome::Returned(Some(Value::Short(n))) if n != 0))
    }

    /// `deselect()` and what the VM does after it. The applet's exceptions are nobody's concern.
    pub(super) fn deselect(&mut self, aid: &Aid, channel: u8) -> Result<(), Stop> {
        if let Ok(instance) = self.instance(aid)
            && let Ok(mut thread) = self.vm.start_deselect(instance, channel)
        {
            let outcome = self.run(aid, &mut thread);
            self.status(&outcome)?;
        }
        self.vm.deselected(channel);
        Ok(())
    }
}
