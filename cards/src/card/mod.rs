//! The virtual card: ATR, reset, and answers to command APDUs. A plain value, with no thread and no
//! socket: it can be cloned, stored and read back between any two commands.
//!
//! What lives here is what ties the parts together; the parts are [`crate::gp`], [`crate::toolkit`],
//! [`crate::fs`], [`crate::channels`], [`crate::vm`] and [`crate::euicc`].

mod content;
mod dispatch;
mod es10;
mod events;
mod factory;
mod install;
mod interface;
mod rng;
mod run;
mod select;
mod snapshot;
mod stand;
#[cfg(test)]
mod tests;
mod uicc;
mod world;

pub use factory::FactoryError;
pub use snapshot::SnapshotError;
pub use stand::StandError;
pub(crate) use world::{Place, World};

use crate::channels::Channels;
use crate::definition::{Definition, TerminalCapabilityChannel};
use crate::euicc::{ConfigError, Device, Euicc, EuiccConfig};
use crate::fileview::Views;
use crate::fs::{DescribeError, FileSystems, Position, Subscription};
use crate::gp::registry::{Aid, Registry};
use crate::gp::{Domain, KeySet, Open, Rules, Stop};
use crate::power::Nvm;
use crate::toolkit::{Toolkit, event};
use crate::vm::{Limits, Mode, Observer, Platform, Slot, Trap, Vm};
use applet_model::apdu::{ApduError, Command, Response};
use applet_model::status::Sw;
use applet_model::trace::Boundary;
use interface::Interface;
use rng::Rng;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// What a virtual card is made of.
#[derive(Clone)]
pub struct CardConfig {
    /// The product: ATR, memory, packages, SCP03 parameters, AIDs.
    pub definition: Definition,
    /// First key set of the issuer security domain.
    pub isd_keys: KeySet,
    /// Where the card's random numbers come from.
    pub seed: u64,
    /// The eUICC, with the EID.
    pub euicc: EuiccConfig,
}

/// Why a card can't be made.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The definition's AID of the issuer security domain isn't one.
    #[error("the definition's ISD AID has {0} bytes, an AID has 5 to 16")]
    Aid(usize),
    /// The definition has no (public) test keys to take.
    #[error("definition {0} has no test keys")]
    NoTestKeys(String),
    /// A key has no AES length.
    #[error(transparent)]
    Key(#[from] applet_gen::gp::scp03::KeyLengthError),
    /// The eUICC can't be made.
    #[error(transparent)]
    Euicc(#[from] ConfigError),
    /// The definition's files can't be made.
    #[error("the definition's files: {0}")]
    Files(#[from] DescribeError),
}

impl CardConfig {
    /// A card with the definition's test keys.
    ///
    /// # Errors
    /// [`CardError::NoTestKeys`] if it has none; [`CardError::Key`].
    pub fn with_test_keys(
        definition: Definition,
        seed: u64,
        euicc: EuiccConfig,
    ) -> Result<CardConfig, CardError> {
        let scp03 = &definition.isd.scp03;
        let name = format!("{} {}", definition.eum, definition.product);
        let keys = scp03
            .test_keys
            .as_ref()
            .ok_or(CardError::NoTestKeys(name))?;
        let isd_keys = KeySet::new(
            scp03.kvn,
            [keys.enc.bytes(), keys.mac.bytes(), keys.dek.bytes()],
        )?;
        Ok(CardConfig {
            definition,
            isd_keys,
            seed,
            euicc,
        })
    }
}

/// The card has no power: it was cut before the persistent write named here, or the card was never reset.
/// Nothing but [`VirtualCard::reset`] helps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the card has no power (persistent writes so far: {writes})")]
pub struct PowerLost {
    /// Persistent writes over the card's life.
    pub writes: u64,
}

/// A virtual card.
#[derive(Clone, Serialize, Deserialize)]
pub struct VirtualCard {
    atr: Vec<u8>,
    /// AIDs; empty on a card that is no eUICC.
    isd_r: Vec<u8>,
    ecasd: Vec<u8>,
    /// BIP channels that one applet may ask for.
    bip_channels: u8,
    /// Timers that all applets together may ask for.
    timers: u8,
    /// The channels on which a TERMINAL CAPABILITY counts.
    capability_channel: TerminalCapabilityChannel,
    vm: Vm,
    world: World,
    powered: bool,
    /// The TERMINAL CAPABILITY of this session.
    capability: Option<Vec<u8>>,
    /// Why the last applet or load file failed, in words.
    last_fault: Option<String>,
    /// What stopped an applet last, if it did what verified code can't do.
    #[serde(skip)]
    last_trap: Option<Trap>,
    /// What the contacts carry; a card stored before there was a choice has T=0.
    #[serde(default)]
    interface: Interface,
}

impl core::fmt::Debug for VirtualCard {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("VirtualCard")
            .field("registry", &self.world.gp.registry)
            .field("powered", &self.powered)
            .field("nvm", &self.world.nvm)
            .finish_non_exhaustive()
    }
}

impl VirtualCard {
    /// A card as it leaves the factory: powered up, without applets, in state SECURED.
    ///
    /// # Errors
    /// [`CardError`]: what of the configuration doesn't hold together.
    pub fn new(config: CardConfig) -> Result<VirtualCard, CardError> {
        let CardConfig {
            definition,
            isd_keys,
            seed,
            mut euicc,
        } = config;
        // What the product is comes before what an eUICC's configuration says in general.
        let of_euicc = definition.euicc.as_ref();
        let version = of_euicc.and_then(|product| product.sgp32);
        if let Some(version) = version {
            euicc.setup.versions.iot = vec![version.number()];
        }
        let room = &mut euicc.setup.limits;
        room.volatile_memory = bytes(definition.memory.transient_reset);
        if let Some(memory) = of_euicc.and_then(|product| product.profile_memory) {
            room.profile_memory = bytes(memory);
        }
        let mut euicc = Euicc::new(euicc)?;
        euicc.set_sgp22_only(version.is_none());
        let isd = definition.isd.aid.bytes();
        let isd = Aid::new(isd).ok_or(CardError::Aid(isd.len()))?;
        let scp03 = &definition.isd.scp03;
        let serial = euicc.eid().as_bytes();
        let mut gp = Open::new(isd, vec![isd_keys], scp03.i, serial, Rules::of(&definition));
        if let (Some(tries), Some(isd)) = (scp03.tries, gp.domains.first_mut()) {
            isd.tries = tries;
        }
        let files = FileSystems::new(definition.file_system.as_ref())?;
        let mut card = VirtualCard {
            atr: definition.atr.bytes().to_vec(),
            isd_r: of_euicc.map_or_else(Vec::new, |euicc| euicc.isd_r.bytes().to_vec()),
            ecasd: of_euicc.map_or_else(Vec::new, |euicc| euicc.ecasd.bytes().to_vec()),
            bip_channels: definition.toolkit.bip_channels,
            timers: definition.toolkit.timers,
            capability_channel: of_euicc.map_or(TerminalCapabilityChannel::Any, |euicc| {
                euicc.terminal_capability
            }),
            vm: Vm::on(limits(&definition), Platform::of(&definition)),
            world: World {
                nvm: Nvm::default(),
                rng: Rng::new(seed, b"card"),
                channels: Channels::of(definition.apdu.logical_channels),
                gp,
                toolkit: Toolkit::default(),
                files,
                views: Views::default(),
                euicc,
                port: es10::Port::default(),
                on_stand: false,
                observer: Slot::default(),
                trace: VecDeque::new(),
                running: None,
                installing: None,
                recorded_package: None,
            },
            powered: true,
            capability: None,
            last_fault: None,
            last_trap: None,
            interface: Interface::of(&definition),
        };
        card.show_files();
        card.tell_assistant();
        Ok(card)
    }

    /// Answer to reset.
    pub fn atr(&self) -> &[u8] {
        &self.atr
    }

    /// Power off and on: transient memory, channels, sessions and suspended applets are gone, an open
    /// transaction is rolled back, the enabled profile becomes the visible one. Gives the ATR.
    pub fn reset(&mut self) -> &[u8] {
        let instances = self.world.gp.registry.instances.iter();
        let recorded = instances
            .map(|instance| instance.aid.clone())
            .find(world::is_recorded);
        if let Some(aid) = recorded {
            self.world.record(&aid, Boundary::PowerLoss);
        }
        self.world.nvm.restore();
        self.vm.reset();
        self.world.channels.reset();
        self.world.gp.reset();
        self.world.toolkit.reset();
        self.world.files.reset();
        self.world.port = es10::Port::default();
        self.world.running = None;
        self.world.installing = None;
        self.world.euicc.set_device(Device::default());
        self.refresh();
        self.capability = None;
        self.tell_assistant();
        self.powered = true;
        &self.atr
    }

    /// Answers a command APDU with the response APDU, status word included.
    ///
    /// Responses are those of the protocol that the ATR offers first: with T=0 (ETSI TS 102 221 7.3.1.1)
    /// data of a command with data wait for GET RESPONSE (`61xx`). `91xx` says that a proactive command
    /// waits for FETCH. Extended lengths are refused (6700) where the definition doesn't have them.
    ///
    /// # Errors
    /// [`PowerLost`] if the power was cut before one of the command's persistent writes, or before.
    pub fn transmit(&mut self, command: &[u8]) -> Result<Vec<u8>, PowerLost> {
        let lost = |card: &Self| PowerLost {
            writes: card.world.nvm.writes,
        };
        if !self.powered {
            return Err(lost(self));
        }
        let response = match Command::parse(command) {
            Ok(parsed) if self.interface.takes(command, &parsed) => self.answer(&parsed),
            Ok(_) | Err(ApduError::Length(_) | ApduError::Header(_)) => {
                Ok(Response::status(Sw::WRONG_LENGTH))
            }
        };
        match response {
            Ok(response) => Ok(response.to_bytes()),
            Err(Stop::Status(sw)) => Ok(Response::status(sw).to_bytes()),
            Err(Stop::Power(_)) => {
                self.powered = false;
                Err(lost(self))
            }
        }
    }

    fn answer(&mut self, command: &Command) -> Result<Response, Stop> {
        if !core::mem::replace(&mut self.world.toolkit.session.woken, true) {
            self.raise_now(event::FIRST_COMMAND_AFTER_ATR)?;
        }
        let mut response = match self.dispatch(command) {
            Ok(response) => response,
            Err(Stop::Status(sw)) => Response::status(sw),
            Err(stop) => return Err(stop),
        };
        // Applets that asked for the proactive handler from within `process()` get it now.
        self.pump()?;
        self.delete_unused_objects()?;
        // An R-MAC was made over 9000: such a response keeps it, 91xx comes with the next.
        let channel = self.world.channels.get(command.channel());
        let level = channel
            .and_then(|channel| channel.secure.as_ref())
            .and_then(|session| session.level());
        let sealed = level.is_some_and(|level| level.r_mac());
        if response.sw == Sw::OK
            && !sealed
            && let Some(length) = self.world.toolkit.pending()
        {
            response.sw = Sw::proactive_pending(length);
        }
        Ok(response)
    }

    /// The record of the IPAe applet's boundary since the last take, in true order.
    pub fn take_trace(&mut self) -> Vec<Boundary> {
        core::mem::take(&mut self.world.trace).into()
    }

    /// The count of persistent writes, and the plan for cutting the power.
    pub fn nvm(&self) -> &Nvm {
        &self.world.nvm
    }

    /// The same, to plan a power cut.
    pub fn nvm_mut(&mut self) -> &mut Nvm {
        &mut self.world.nvm
    }

    /// True while the card has power.
    pub fn is_powered(&self) -> bool {
        self.powered
    }

    /// What is on the card, to look at.
    pub fn registry(&self) -> &Registry {
        &self.world.gp.registry
    }

    /// EXTERNAL AUTHENTICATE attempts left before the issuer security domain is blocked.
    pub fn tries_left(&self) -> u8 {
        self.world.gp.issuer().map_or(0, Domain::tries_left)
    }

    /// The eUICC, to look at.
    pub fn euicc(&self) -> &Euicc {
        &self.world.euicc
    }

    /// The eUICC, for tests that make it misbehave.
    pub fn euicc_mut(&mut self) -> &mut Euicc {
        &mut self.world.euicc
    }

    /// The VM, to look at (memory in use).
    pub fn vm(&self) -> &Vm {
        &self.vm
    }

    /// Tells `observer` from now on what the VM does. A copy of the card, or its stored form, has none.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.world.observer.0 = Some(observer);
    }

    /// Ends what [`VirtualCard::observe`] began, and gives the observer back.
    pub fn take_observer(&mut self) -> Option<Box<dyn Observer>> {
        self.world.observer.0.take()
    }

    /// Notes that a verifier has accepted the package of this AID, whose code is then spared some checks.
    /// False if there is no such package.
    pub fn set_verified(&mut self, package: &[u8]) -> bool {
        let package = self.vm.package_by_aid(package);
        package.is_some_and(|package| self.vm.set_verified(package, true))
    }

    /// Sets whether verified packages are checked as well.
    pub fn set_vm_mode(&mut self, mode: Mode) {
        self.vm.set_mode(mode);
    }

    /// Sets how many instructions one command may take.
    pub fn set_fuel(&mut self, instructions: u64) {
        self.vm.set_fuel(instructions);
    }

    /// What stopped an applet since this was last asked, if one did what verified code can't do.
    pub fn take_trap(&mut self) -> Option<Trap> {
        self.last_trap.take()
    }

    /// Why the last applet or load file failed, in words, if one did since this was last asked: a card
    /// itself says 6F00 or 6A80 at most.
    pub fn take_fault(&mut self) -> Option<String> {
        self.last_fault.take()
    }

    /// What the file system shows.
    fn subscription(&self) -> Option<Subscription> {
        let profile = self.world.euicc.visible_profile()?;
        Some(Subscription {
            iccid: profile.iccid.as_bytes().to_vec(),
            imsi: profile.imsi.clone(),
            name: profile.service_provider.clone(),
            package: profile.package.clone(),
        })
    }

    /// The terminal carried out a REFRESH, or the card was reset: the enabled profile becomes visible.
    fn refresh(&mut self) {
        self.world.euicc.refresh();
        self.show_files();
    }

    /// Shows the files of the visible profile. A channel that stood in the old profile's USIM stands in the new one's,
    /// or in the MF if there is none; so do FileViews.
    pub(super) fn show_files(&mut self) {
        let subscription = self.subscription();
        let channels = &self.world.channels;
        let places: Vec<(u8, Option<Vec<u8>>)> = channels
            .iter()
            .map(|(number, channel)| {
                let adf = channel.position.adf;
                let adf = adf.and_then(|adf| self.world.files.tree().get(adf).ok()?.adf_name());
                (number, adf.map(<[u8]>::to_vec))
            })
            .collect();
        let profiles = &self.world.euicc.state().profiles;
        let known = |name: &str| {
            profiles
                .iter()
                .any(|profile| hex::encode_upper(profile.iccid.as_bytes()) == name)
        };
        if !self.world.files.show(subscription.as_ref(), &known) {
            return;
        }
        for (number, adf) in places {
            let position = self.world.files.moved(adf.as_deref());
            if let Some(channel) = self.world.channels.get_mut(number) {
                channel.position = match channel.selected {
                    crate::channels::Selected::Files => position,
                    _ => Position::default(),
                };
            }
        }
        self.world.views.clear(&mut self.vm);
    }

    /// The answer to SELECT of the ISD-R.
    fn isd_r_fci(&self) -> Vec<u8> {
        self.world.euicc.isdr_fci()
    }
}

fn bytes(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

fn limits(definition: &Definition) -> Limits {
    let memory = &definition.memory;
    Limits {
        persistent: bytes(memory.persistent),
        transient_reset: bytes(memory.transient_reset),
        transient_deselect: bytes(memory.transient_deselect),
        stack: bytes(memory.stack),
        commit: bytes(memory.commit_buffer),
        apdu_buffer: usize::from(memory.apdu_buffer),
        int: definition.java_card.int,
        ..Limits::default()
    }
}
