//! All of the card but the VM: what the VM's [`Host`] is.

use super::es10::Port;
use super::rng::Rng;
use crate::channels::Channels;
use crate::euicc::Euicc;
use crate::fileview::{self, Views};
use crate::fs::{FileError, FileSystems, Position};
use crate::gp::Open;
use crate::gp::registry::Aid;
use crate::power::Nvm;
use crate::toolkit::{self, Toolkit};
use crate::vm::{
    Access, Context, Fault, Host, NativeCall, Observer, Owner, PackageId, Ref, Slot, Value, Vm,
    VmError,
};
use applet_model::aid;
use applet_model::trace::Boundary;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Steps of the boundary record that are kept while nobody takes them; the oldest go first.
const TRACE_STEPS: usize = 1 << 16;

/// The card around its VM.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct World {
    pub nvm: Nvm,
    pub rng: Rng,
    pub channels: Channels,
    pub gp: Open,
    pub toolkit: Toolkit,
    pub files: FileSystems,
    pub views: Views,
    pub euicc: Euicc,
    pub port: Port,
    pub trace: VecDeque<Boundary>,
    /// The applet is driven by a test stand: the port's answers come from outside.
    #[serde(skip)]
    pub on_stand: bool,
    /// Who is told what the VM does.
    #[serde(skip)]
    pub observer: Slot,
    /// The instance whose thread runs.
    pub running: Option<Aid>,
    /// The instance that is being installed: the VM doesn't know its AID yet.
    pub installing: Option<Aid>,
    /// The package of the IPAe applet, whose commits are recorded.
    pub recorded_package: Option<PackageId>,
}

/// Who has a file current.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// A logical channel.
    Channel(u8),
    /// A FileView, by its tag.
    View(u32),
}

/// True for the instance whose boundary is recorded.
pub(crate) fn is_recorded(aid: &Aid) -> bool {
    aid.bytes() == aid::INSTANCE_IPAE
}

impl World {
    /// Adds a step to the record if `aid` is the IPAe applet's instance.
    pub fn record(&mut self, aid: &Aid, step: Boundary) {
        if !is_recorded(aid) {
            return;
        }
        if self.trace.len() >= TRACE_STEPS {
            self.trace.pop_front();
        }
        self.trace.push_back(step);
    }

    /// Refuses a file that isn't shareable and is current somewhere else (ETSI TS 102 221 8.4.3).
    pub fn shareable(&self, vm: &Vm, position: Position, place: Place) -> Result<(), FileError> {
        let Some(file) = position.file else {
            return Ok(());
        };
        if self.files.tree().get(file)?.shareable {
            return Ok(());
        }
        let channels = self.channels.iter();
        let at_channel = channels
            .filter(|(_, channel)| channel.position.file == Some(file))
            .map(|(number, _)| Place::Channel(number));
        let views = self.views.at(vm, &self.files, file);
        let mut elsewhere = at_channel.chain(views.into_iter().map(Place::View));
        match elsewhere.any(|other| other != place) {
            true => Err(FileError::NotShareable),
            false => Ok(()),
        }
    }

    /// `uicc.system`.
    fn uicc(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault> {
        match (call.class, call.method) {
            ("uicc/system/UICCPlatform", "getTheVolatileByteArray") => {
                toolkit::given_bytes(self, vm, call)
            }
            ("uicc/system/HandlerBuilder", _) => toolkit::build_handler(self, vm, call),
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }

    /// `org.globalplatform.GPSystem`.
    fn global_platform(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault> {
        let byte = |value: u8| Ok(Some(Value::Short(i16::from(value.cast_signed()))));
        if call.class != "org/globalplatform/GPSystem" {
            return Err(VmError::NotSupported(call.name()).into());
        }
        let aid = toolkit::caller(self, vm, call)?;
        match call.method {
            "getCardState" => byte(self.gp.registry.card as u8),
            "getCardContentState" => byte(
                self.gp
                    .registry
                    .instance(&aid)
                    .map_or(0, |instance| instance.state),
            ),
            "setCardContentState" => {
                let [_, state] = call.short(0)?.to_be_bytes();
                // Application-specific states: SELECTABLE's bits stay, the lock is the domain's (5.3.2).
                let allowed = state & 0x87 == 0x07;
                let current = self
                    .gp
                    .registry
                    .instance(&aid)
                    .map(|instance| instance.state);
                if !allowed || current.is_none() {
                    return Ok(Some(Value::Short(0)));
                }
                if current != Some(state) {
                    self.nvm.commit()?;
                    if let Some(instance) = self.gp.registry.instance_mut(&aid) {
                        instance.state = state;
                    }
                }
                Ok(Some(Value::Short(1)))
            }
            // No applet has the privileges to lock or terminate the card, nor one to change the ATR.
            "lockCard" | "terminateCard" | "setATRHistBytes" => Ok(Some(Value::Short(0))),
            // The card has no global PIN, no global services, and no secure channel for applets: those are
            // personalized through the domain. `null` is how the API says that there is none.
            "getCVM" | "getService" | "getSecureChannel" | "getRegistryEntry" => {
                Ok(Some(Value::NULL))
            }
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }
}

impl Host for World {
    fn nvm(&mut self) -> &mut Nvm {
        &mut self.nvm
    }

    fn observer(&mut self) -> Option<&mut dyn Observer> {
        self.observer.0.as_deref_mut()
    }

    fn random(&mut self, out: &mut [u8]) {
        self.rng.fill(out);
        if let Some(aid) = self.running.clone() {
            self.record(&aid, Boundary::Random(out.to_vec()));
        }
    }

    fn native(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault> {
        match call.package {
            "uicc/toolkit" => toolkit::native(self, vm, call),
            "uicc/system" => self.uicc(vm, call),
            "uicc/access" | "uicc/access/fileadministration" => fileview::native(self, vm, call),
            "org/globalplatform" => self.global_platform(vm, call),
            "ipae/es10" => self.es10(vm, call),
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }

    fn get_shareable(&mut self, vm: &mut Vm, server_aid: &[u8], parameter: u8) -> Option<Ref> {
        if server_aid != aid::ISD_R {
            return None;
        }
        if parameter != 0 {
            return Some(Ref::NULL);
        }
        if let Some(object) = self.toolkit.objects.es10_port {
            return Some(object);
        }
        let made = vm.new_native(
            self,
            super::es10::INTERFACE,
            super::es10::TAG,
            Owner::JCRE,
            Access::Permanent,
        );
        let object = made.unwrap_or(Ref::NULL);
        self.toolkit.objects.es10_port = (!object.is_null()).then_some(object);
        Some(object)
    }

    fn on_commit(&mut self, context: Context) {
        if let (Context::Package(package), Some(recorded)) = (context, self.recorded_package)
            && package == recorded
            && self.running.as_ref().is_some_and(is_recorded)
            && let Some(aid) = self.running.clone()
        {
            self.record(&aid, Boundary::Commit);
        }
    }

    fn has_applet(&mut self, aid: &[u8]) -> bool {
        aid == aid::ISD_R || aid == aid::ECASD || self.gp.registry.isd == *aid
    }

    fn is_active(&mut self, aid: &[u8]) -> bool {
        Aid::new(aid).is_some_and(|aid| self.channels.has_selected(&aid))
    }
}
