//! The UICC toolkit framework (ETSI TS 102 241): which applet wants which event, the handlers that
//! applets see, the proactive session with the terminal.
//!
//! State and the API's natives live here; running applet threads is done by [`crate::card`]. The
//! framework numbers every proactive command 1.

pub mod event;
pub(crate) mod files;
mod framework;
mod handler;
mod menu;
mod natives;
mod profile;
mod registry;

pub(crate) use framework::{next_command, seconds};
pub(crate) use handler::{Handler, tag, without_number};
pub(crate) use menu::Title;
pub(crate) use natives::{
    VOLATILE_BYTES, build_handler, caller, given_bytes, native, view_bytes, volatile_bytes,
};
pub(crate) use registry::Entry;

use crate::gp::registry::Aid;
use crate::vm::{Ref, Thread, Throw};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Number of every proactive command.
const COMMAND_NUMBER: u8 = 1;
/// Capacity of the proactive handler, bytes: with D0 and its length, a command that one FETCH takes.
pub(crate) const HANDLER_CAPACITY: usize = 253;
/// Capacity of the envelope response handler: a response APDU's data.
pub(crate) const REPLY_CAPACITY: usize = 256;

/// Reasons of `ToolkitException` (ETSI TS 102 241, API 1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
#[allow(missing_docs)]
pub(crate) enum Reason {
    HandlerOverflow = 1,
    HandlerNotAvailable = 2,
    UnavailableElement = 3,
    MenuEntryNotFound = 4,
    RegistryError = 5,
    EventNotSupported = 6,
    EventAlreadyRegistered = 7,
    OutOfTlvBoundaries = 8,
    TerminalProfileNotAvailable = 9,
    AllowedLengthExceeded = 10,
    NoTimerAvailable = 11,
    InvalidTimerId = 12,
    EventNotAllowed = 13,
    BadInputParameter = 14,
    CommandNotAllowed = 15,
    NoServiceIdAvailable = 16,
    InvalidServiceId = 17,
}

/// What a `ToolkitException`'s reason says.
pub(crate) fn reason_name(reason: i16) -> Option<&'static str> {
    Some(match reason {
        1 => "HANDLER_OVERFLOW",
        2 => {
            "HANDLER_NOT_AVAILABLE (the handlers are for processToolkit(), after TERMINAL PROFILE)"
        }
        3 => "UNAVAILABLE_ELEMENT",
        4 => "MENU_ENTRY_NOT_FOUND",
        5 => "REGISTRY_ERROR (installed without toolkit parameters?)",
        6 => "EVENT_NOT_SUPPORTED",
        7 => "EVENT_ALREADY_REGISTERED",
        8 => "OUT_OF_TLV_BOUNDARIES",
        9 => "TERMINAL_PROFILE_NOT_AVAILABLE",
        10 => "ALLOWED_LENGTH_EXCEEDED",
        11 => "NO_TIMER_AVAILABLE (more than the toolkit parameters allow?)",
        12 => "INVALID_TIMER_ID",
        13 => {
            "EVENT_NOT_ALLOWED (timers, menus, services, files and STATUS have methods of their own: allocateTimer, initMenuEntry, allocateServiceIdentifier, registerFileEvent, requestPollInterval)"
        }
        14 => "BAD_INPUT_PARAMETER",
        15 => {
            "COMMAND_NOT_ALLOWED (a resource that isn't the applet's, or a command that is the framework's)"
        }
        16 => "NO_SERVICE_ID_AVAILABLE (more than the toolkit parameters allow?)",
        17 => "INVALID_SERVICE_ID",
        18 => "TAR_NOT_DEFINED",
        _ => return None,
    })
}

impl From<Reason> for Throw {
    fn from(reason: Reason) -> Throw {
        Throw::new("uicc/toolkit/ToolkitException", reason as i16)
    }
}

impl From<Reason> for crate::vm::Fault {
    fn from(reason: Reason) -> Self {
        Throw::from(reason).into()
    }
}

/// A call of `processToolkit()` that is due or going on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Activation {
    pub aid: Aid,
    pub event: i16,
    /// BER tag and contents of the ENVELOPE, if the event is one.
    pub envelope: Option<(u8, Handler)>,
    /// The last terminal response; none before the first `send()`.
    pub response: Option<Handler>,
    /// False if another applet had the proactive session when this one was called.
    pub proactive: bool,
    /// True while the applet may answer the ENVELOPE that called it.
    #[serde(default)]
    pub answers: bool,
    /// True if no other applet is called for the event: it may say "busy".
    #[serde(default)]
    pub alone: bool,
}

impl Activation {
    /// A call with the proactive handler and without an envelope.
    pub fn new(aid: Aid, event: i16) -> Activation {
        Activation {
            aid,
            event,
            envelope: None,
            response: None,
            proactive: true,
            answers: false,
            alone: false,
        }
    }
}

/// What an applet posted as the answer to an ENVELOPE (`EnvelopeResponseHandler`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Posted {
    pub data: Vec<u8>,
    pub success: bool,
}

/// An applet that waits in `send()`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Suspended {
    pub activation: Activation,
    pub thread: Thread,
}

/// Whose proactive command the terminal has or is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Sender {
    /// The suspended applet.
    Applet,
    /// The framework itself.
    Framework,
}

/// What the framework's own commands told the terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    /// The last SET UP MENU.
    pub menu: Option<Vec<u8>>,
    /// The events of the last SET UP EVENT LIST.
    pub events: Vec<u8>,
    /// The poll interval that the last POLL INTERVAL asked for, seconds.
    pub polling: Option<u16>,
    /// Switches of profiles that a REFRESH was sent for.
    #[serde(default)]
    pub switches: u32,
}

/// The one proactive command under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proactive {
    /// The whole command, D0 and length included.
    pub command: Vec<u8>,
    pub sender: Sender,
    /// What the terminal knows once it has the command, if it is the framework's.
    pub tells: Option<Told>,
    /// FETCH has given it out; the terminal response is due.
    pub fetched: bool,
}

/// A BIP channel that an applet has open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BipChannel {
    pub id: u8,
    pub owner: Aid,
}

/// What of the framework goes with the power.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Session {
    /// The terminal profile, once it came.
    pub profile: Option<Vec<u8>>,
    pub told: Told,
    /// The poll interval that the terminal answered with, seconds.
    pub polled: Option<i16>,
    /// Services that the terminal knows (DECLARE SERVICE), with their applets.
    pub services: BTreeMap<u8, Aid>,
    pub proactive: Option<Proactive>,
    pub suspended: Option<Suspended>,
    /// The activation whose thread runs just now; `None` outside of `processToolkit()`.
    pub current: Option<Activation>,
    /// Contents of the proactive handler.
    pub handler: Handler,
    /// Contents of the envelope response handler.
    pub reply: Handler,
    /// The answer to the ENVELOPE that is being processed, once an applet posted one.
    pub posted: Option<Posted>,
    /// Events that wait until the session is free.
    pub queue: VecDeque<Activation>,
    pub channels: Vec<BipChannel>,
    /// The framework's own commands of the session's start are done.
    pub begun: bool,
    /// The one applet that was called said that it is busy.
    pub refused: bool,
    /// True once a command came after the reset.
    pub woken: bool,
    /// Switches of profiles by the device that want a REFRESH.
    pub switches: u32,
}

/// A handler that an applet built (`uicc.system.HandlerBuilder`). Its contents are in RAM.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Built {
    pub object: Ref,
    pub handler: Handler,
    /// Tag of a BER-TLV handler, once it was set.
    pub ber: Option<u8>,
}

/// Objects that the framework gives to applets, made when first asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Objects {
    pub handlers: [Option<Ref>; 4],
    /// Handlers that applets built, by their tags.
    pub built: BTreeMap<u32, Built>,
    pub volatile_bytes: Option<Ref>,
    pub es10_port: Option<Ref>,
}

/// The framework.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Toolkit {
    /// Toolkit applets in the order of their installation.
    pub(crate) entries: Vec<Entry>,
    /// Places in the menu, in their order.
    #[serde(default)]
    pub(crate) menu: Vec<menu::Item>,
    pub(crate) session: Session,
    pub(crate) objects: Objects,
}

impl Toolkit {
    /// The registration of an applet.
    pub(crate) fn entry(&self, aid: &Aid) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.aid == *aid)
    }

    /// The registration of an applet, to be changed.
    pub(crate) fn entry_mut(&mut self, aid: &Aid) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.aid == *aid)
    }

    /// Applets that registered for an event, highest priority first; of equal priority, the
    /// one installed last first (ETSI TS 102 226 8.2.1.3.2.5).
    pub(crate) fn registered(&self, event: i16) -> Vec<Aid> {
        let mut found: Vec<&Entry> = self
            .entries
            .iter()
            .rev()
            .filter(|entry| entry.has(event))
            .collect();
        found.sort_by_key(|entry| entry.parameters.priority);
        found.into_iter().map(|entry| entry.aid.clone()).collect()
    }

    /// True while a proactive command is under way or an applet is in `send()`.
    pub(crate) fn is_busy(&self) -> bool {
        self.session.proactive.is_some() || self.session.suspended.is_some()
    }

    /// True while the terminal carries out a proactive command or an applet waits for it to.
    pub(crate) fn in_session(&self) -> bool {
        let fetched = |proactive: &Proactive| proactive.fetched;
        self.session.proactive.as_ref().is_some_and(fetched) || self.session.suspended.is_some()
    }

    /// Takes back a command of the framework's own that the terminal hasn't fetched: an applet's go first, and it
    /// comes again after them.
    pub(crate) fn withdraw(&mut self) {
        let own =
            |proactive: &mut Proactive| proactive.sender == Sender::Framework && !proactive.fetched;
        self.session.proactive.take_if(own);
    }

    /// Bytes of the proactive command that waits for FETCH.
    pub(crate) fn pending(&self) -> Option<usize> {
        let proactive = self.session.proactive.as_ref()?;
        (!proactive.fetched).then_some(proactive.command.len())
    }

    /// An applet is gone, with all that it registered.
    pub(crate) fn remove(&mut self, aid: &Aid) {
        self.entries.retain(|entry| entry.aid != *aid);
        self.menu.retain(|item| item.owner != *aid);
        self.session
            .channels
            .retain(|channel| channel.owner != *aid);
        self.session.services.retain(|_, owner| owner != aid);
        self.session
            .queue
            .retain(|activation| activation.aid != *aid);
    }

    /// Power is gone.
    pub(crate) fn reset(&mut self) {
        self.session = Session::default();
        for built in self.objects.built.values_mut() {
            built.handler.clear();
        }
    }
}
