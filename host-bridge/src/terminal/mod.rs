//! The device around a card: what a phone or an IoT module does with a UICC (ETSI TS 102 221 14,
//! ETSI TS 102 223).
//!
//! A [`Terminal`] resets the card, selects, sends TERMINAL PROFILE, polls with STATUS, fetches and
//! answers proactive commands, runs timers, sends events, and bridges BIP channels to real TCP and
//! UDP sockets. Time is virtual: when nothing real is outstanding, the clock jumps to what comes
//! next, so an hour's back-off passes in no time. What a device can't do or does wrong is data, a
//! [`DeviceProfile`].
//!
//! Card transports don't live here ([`crate::transport`]), nor does any knowledge of the IPAe.

mod bip;
mod device;
mod local;
mod log;
mod network;
mod proactive;
mod run;
#[cfg(test)]
pub(crate) mod script;
mod start;
#[cfg(test)]
mod tests;

pub use device::{DeviceProfile, Fault};
pub use log::{Log, Record, What};
pub use network::{Network, Resolve};
pub use run::{Limits, Stop};
pub use start::Identity;

use crate::transport::{self, CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use applet_model::cat::{Envelope, Event};
use bip::Channel;
use std::collections::VecDeque;

/// Why a terminal can't go on.
#[derive(Debug, thiserror::Error)]
pub enum TerminalError {
    /// The transport failed, or the card has no power.
    #[error("APDU {apdu} to {card} failed")]
    Link {
        /// Number of the APDU, from 1.
        apdu: u64,
        /// Name of the transport.
        card: String,
        /// What the transport said.
        #[source]
        source: LinkError,
    },
    /// The card asked for one reset after another.
    #[error("the card asked for a reset {0} times in a row, right after each start")]
    RefreshLoop(u32),
    /// The card never ends a proactive session.
    #[error("the card sent {0} proactive commands in one session")]
    EndlessSession(u32),
    /// The terminal is off.
    #[error("the terminal is off: boot it first")]
    Off,
    /// An address override that can't be read.
    #[error("address override {text:?}: {why}")]
    Resolve {
        /// What was given.
        text: String,
        /// What is wrong.
        why: String,
    },
}

/// A device with a card in it.
pub struct Terminal<L: CardLink> {
    link: L,
    device: DeviceProfile,
    network: Network,
    log: Log,
    /// Virtual milliseconds since the terminal was made.
    now: u64,
    resets: u64,
    /// `None` while the device is off.
    session: Option<Session>,
}

/// All that ends with the card session.
#[derive(Debug, Default)]
struct Session {
    /// Length byte of a 91xx that wasn't fetched yet.
    pending: Option<u8>,
    /// The event list that the card set up.
    events: Vec<Event>,
    /// Envelopes to send, in order.
    queue: VecDeque<Envelope>,
    /// Until when (virtual) the card said 9300 to an envelope.
    busy_until: Option<u64>,
    channels: [Option<Channel>; 7],
    timers: [Option<Timer>; 8],
    /// Milliseconds between STATUS commands, and when the next is due.
    status: Option<(u64, u64)>,
    /// The network was waited for and stays silent; until the card sends again, time goes on.
    silent: bool,
    /// The card asked for a reset.
    reset: bool,
    /// The card's files may have changed.
    reread: bool,
    identity: Identity,
    service: bool,
}

/// A running timer, in virtual milliseconds.
#[derive(Debug, Clone, Copy)]
struct Timer {
    started: u64,
    due: u64,
    late: u64,
}

impl<L: CardLink> Terminal<L> {
    /// A device that is off, with this card in it.
    pub fn new(link: L, device: DeviceProfile, network: Network) -> Self {
        Terminal {
            link,
            device,
            network,
            log: Log::default(),
            now: 0,
            resets: 0,
            session: None,
        }
    }

    /// The card.
    pub fn link(&self) -> &L {
        &self.link
    }

    /// The card, to look into or to cut its power.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// Gives the card back.
    pub fn into_link(self) -> L {
        self.link
    }

    /// The device's capabilities and faults; a change of the terminal profile counts from the next
    /// start.
    pub fn device_mut(&mut self) -> &mut DeviceProfile {
        &mut self.device
    }

    /// Adds a fault that counts from now on.
    pub fn inject(&mut self, fault: Fault) {
        self.log.note(self.now, format!("fault: {fault:?}"));
        self.device.faults.push(fault);
    }

    /// Removes all faults.
    pub fn clear_faults(&mut self) {
        self.device.faults.clear();
    }

    /// The network around the device. To take service away from a running device use
    /// [`Terminal::set_service`].
    pub fn network_mut(&mut self) -> &mut Network {
        &mut self.network
    }

    /// Virtual time in milliseconds since the terminal was made.
    pub fn now_ms(&self) -> u64 {
        self.now
    }

    /// How many times the card was reset, the first power-on included.
    pub fn resets(&self) -> u64 {
        self.resets
    }

    /// What happened so far.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// The log, to take records out.
    pub fn log_mut(&mut self) -> &mut Log {
        &mut self.log
    }

    /// ICCID and IMSI as read at the last start; `None` while the device is off.
    pub fn identity(&self) -> Option<&Identity> {
        self.session.as_ref().map(|session| &session.identity)
    }

    /// Whether there is service now.
    pub fn has_service(&self) -> bool {
        self.session.as_ref().is_some_and(|session| session.service)
    }

    /// True if no channel is open, no event waits and no proactive command is pending: whatever
    /// comes next comes from a timer or from STATUS.
    pub fn is_quiet(&self) -> bool {
        self.session.as_ref().is_none_or(|session| {
            session.pending.is_none()
                && session.queue.is_empty()
                && session.channels.iter().all(Option::is_none)
        })
    }

    /// Switches the device off: links, timers and the card session are gone. The card's own power
    /// is the transport's matter; the next [`Terminal::boot`] resets it.
    pub fn power_off(&mut self) {
        if self.session.take().is_some() {
            self.log.note(self.now, "the device was switched off");
        }
    }

    /// Lets virtual time pass while the device is off (or on, without anything happening).
    pub fn sleep_ms(&mut self, ms: u64) {
        self.now = self.now.saturating_add(ms);
        self.log.push(self.now, What::Clock { by_ms: ms });
    }

    /// Sends a command of the caller's own on the interface, with 61xx and 6Cxx followed up. A 91xx
    /// in the answer is taken up by the next run.
    ///
    /// # Errors
    /// [`TerminalError::Link`] if the transport fails.
    pub fn command(&mut self, command: &Command) -> Result<Response, TerminalError> {
        self.exchange(command)
    }

    fn session(&mut self) -> Result<&mut Session, TerminalError> {
        self.session.as_mut().ok_or(TerminalError::Off)
    }

    /// One command with its whole answer; a 91xx is remembered.
    fn exchange(&mut self, command: &Command) -> Result<Response, TerminalError> {
        let mut logged = Logged {
            link: &mut self.link,
            log: &mut self.log,
            now: self.now,
        };
        match transport::exchange(&mut logged, command) {
            Ok(response) => {
                if response.sw.sw1() == 0x91
                    && let Some(session) = &mut self.session
                {
                    session.pending = Some(response.sw.sw2());
                }
                Ok(response)
            }
            Err(source) => {
                let text = format!("{command:?} got no answer: {source}");
                self.log.note(self.now, text);
                self.session = None;
                Err(TerminalError::Link {
                    apdu: self.log.apdus() + 1,
                    card: self.link.name(),
                    source,
                })
            }
        }
    }
}

/// The card's link with every exchange written to the log, GET RESPONSE included.
struct Logged<'a, L: CardLink> {
    link: &'a mut L,
    log: &'a mut Log,
    now: u64,
}

impl<L: CardLink> CardLink for Logged<'_, L> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let response = self.link.transmit(command)?;
        self.log.apdu(self.now, command, &response);
        Ok(response)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

/// Le from the second status byte of 91xx: 00 is 256.
fn le_of(sw2: u8) -> u32 {
    if sw2 == 0 { 256 } else { u32::from(sw2) }
}
