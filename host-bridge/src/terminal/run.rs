//! The terminal's loop: proactive sessions, events, timers, STATUS, and the jumping clock.

use super::{Session, Terminal, TerminalError, Timer, What, bip, le_of};
use crate::transport::CardLink;
use applet_model::apdu::Command;
use applet_model::cat::{
    ChannelStatus, Envelope, Event, TimerValue, describe_envelope, describe_proactive,
};
use std::time::Instant;

/// Proactive commands in one session after which a card is broken.
const COMMANDS_IN_A_SESSION: u32 = 5_000;
/// Virtual milliseconds after which an envelope that got 9300 is tried again.
const BUSY_RETRY_MS: u64 = 1_000;

/// How long a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Virtual milliseconds from now.
    pub virtual_ms: u64,
    /// Steps: a step is an envelope, a STATUS or a proactive session, each with all that follows
    /// from it, or a jump of the clock.
    pub steps: u32,
}

impl Limits {
    /// This much virtual time, and 100,000 steps.
    pub fn virtual_seconds(seconds: u64) -> Self {
        Limits {
            virtual_ms: seconds.saturating_mul(1000),
            steps: 100_000,
        }
    }
}

/// Why a run stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The condition holds.
    Condition,
    /// Nothing is left that could ever happen: no timer, no STATUS, no channel.
    Dead,
    /// The virtual time is used up.
    Deadline,
    /// The steps are used up.
    Steps,
}

impl<L: CardLink> Terminal<L> {
    /// Runs until the condition holds; it is asked before each step.
    ///
    /// # Errors
    /// [`TerminalError`] if the transport fails, the device is off, or the card never ends a
    /// session.
    pub fn run_until(
        &mut self,
        limits: Limits,
        mut condition: impl FnMut(&Terminal<L>) -> bool,
    ) -> Result<Stop, TerminalError> {
        let deadline = self.now.saturating_add(limits.virtual_ms);
        for _ in 0..limits.steps {
            if condition(self) {
                return Ok(Stop::Condition);
            }
            if !self.step(deadline)? {
                return Ok(if self.now >= deadline {
                    Stop::Deadline
                } else {
                    Stop::Dead
                });
            }
        }
        Ok(Stop::Steps)
    }

    /// Runs until nothing goes on any more but waiting for a timer or STATUS (see
    /// [`Terminal::is_quiet`]).
    ///
    /// # Errors
    /// As [`Terminal::run_until`].
    pub fn run_until_quiet(&mut self, limits: Limits) -> Result<Stop, TerminalError> {
        self.run_until(limits, Terminal::is_quiet)
    }

    /// Runs for this much virtual time.
    ///
    /// # Errors
    /// As [`Terminal::run_until`].
    pub fn run_for(&mut self, limits: Limits) -> Result<Stop, TerminalError> {
        self.run_until(limits, |_| false)
    }

    /// Sends an envelope now, and serves what the card asks for then.
    ///
    /// # Errors
    /// [`TerminalError`] as for a run.
    pub fn envelope(&mut self, envelope: &Envelope) -> Result<(), TerminalError> {
        self.session()?.queue.push_back(envelope.clone());
        let sooner = self.now;
        self.step(sooner).map(|_| ())
    }

    /// One step; false if the deadline is reached or nothing can ever happen.
    fn step(&mut self, deadline: u64) -> Result<bool, TerminalError> {
        let now = self.now;
        let session = self.session()?;
        if session.reset {
            self.boot()?;
            return Ok(true);
        }
        if session.pending.is_some() {
            self.proactive_session()?;
            return Ok(true);
        }
        if session.reread {
            self.reread()?;
            return Ok(true);
        }
        self.look_at_network()?;
        let session = self.session()?;
        if session.busy_until.is_none_or(|until| until <= now)
            && let Some(envelope) = session.queue.pop_front()
        {
            session.busy_until = None;
            if let Some(envelope) = session.still_true(envelope) {
                self.send_envelope(envelope)?;
            }
            return Ok(true);
        }
        if self.wait_for_network()? {
            return Ok(true);
        }
        self.jump(deadline)
    }

    /// FETCH and TERMINAL RESPONSE until no proactive command waits (ETSI TS 102 223 6.3).
    pub(super) fn proactive_session(&mut self) -> Result<(), TerminalError> {
        for _ in 0..COMMANDS_IN_A_SESSION {
            let session = self.session()?;
            let Some(length) = session.pending.take().filter(|_| !session.reset) else {
                return Ok(());
            };
            let fetch = Command::new(0x80, 0x12, 0, 0).with_le(le_of(length));
            let fetched = self.exchange(&fetch)?;
            if !fetched.sw.is_ok() || fetched.data.is_empty() {
                let text = format!("FETCH of a pending command got {}", fetched.sw);
                self.log.note(self.now, text);
                continue;
            }
            // The answer to FETCH itself never announces another command.
            self.session()?.pending = None;
            self.log.push(
                self.now,
                What::Proactive {
                    bytes: hex::encode_upper(&fetched.data),
                    text: describe_proactive(&fetched.data),
                },
            );
            self.serve(&fetched.data)?;
        }
        Err(TerminalError::EndlessSession(COMMANDS_IN_A_SESSION))
    }

    fn send_envelope(&mut self, envelope: Envelope) -> Result<(), TerminalError> {
        let bytes = envelope.to_bytes();
        self.log.push(
            self.now,
            What::Envelope {
                bytes: hex::encode_upper(&bytes),
                text: describe_envelope(&bytes),
            },
        );
        let response = self.exchange(&Command::new(0x80, 0xC2, 0, 0).with_data(bytes))?;
        if response.sw == applet_model::status::Sw::TOOLKIT_BUSY {
            // ETSI TS 102 223 7: the terminal may send it again later.
            let until = self.now + BUSY_RETRY_MS;
            let session = self.session()?;
            session.queue.push_front(envelope);
            session.busy_until = Some(until);
        } else if !response.sw.is_ok() {
            let text = format!("ENVELOPE refused with {}", response.sw);
            self.log.note(self.now, text);
        }
        self.proactive_session()
    }

    /// Takes in what the sockets have, and queues the events that the card asked for.
    pub(super) fn look_at_network(&mut self) -> Result<bool, TerminalError> {
        let settle = self.network.settle;
        let now = self.now;
        let mute = self.device.has_fault(&super::Fault::EventsNeverSent);
        let session = self.session.as_mut().ok_or(TerminalError::Off)?;
        let mut anything = false;
        for id in 1..=7u8 {
            let Some(Some(channel)) = session.channels.get_mut(usize::from(id) - 1) else {
                continue;
            };
            let pumped = channel.pump(settle);
            if !pumped.data.is_empty() {
                anything = true;
                let data = hex::encode_upper(&pumped.data);
                self.log.push(now, What::Received { channel: id, data });
            }
            if pumped.announce {
                anything = true;
                if session.events.contains(&Event::DATA_AVAILABLE) && !mute {
                    // The status is that of the moment the data came, before any end of the link.
                    let status = ChannelStatus {
                        channel: id,
                        established: true,
                        info: ChannelStatus::NO_INFO,
                    };
                    let event = Envelope::data_available(status, channel.available());
                    session.queue.push_back(event);
                }
            }
            if let Some(why) = pumped.ended {
                anything = true;
                if session.events.contains(&Event::CHANNEL_STATUS) && !mute {
                    let event = Envelope::channel_status(channel.status(id));
                    session.queue.push_back(event);
                }
                self.log.push(now, What::ChannelDown { channel: id, why });
            }
        }
        Ok(anything)
    }

    /// Waits in real time for a peer that owes an answer; true if something came.
    fn wait_for_network(&mut self) -> Result<bool, TerminalError> {
        let begin = Instant::now();
        loop {
            let patience = self.network.patience;
            let session = self.session()?;
            let owed = session
                .channels
                .iter()
                .flatten()
                .any(bip::Channel::expects_data);
            if !owed || session.silent {
                return Ok(false);
            }
            if begin.elapsed() >= patience {
                session.silent = true;
                let text = format!(
                    "nothing came from the network for {} ms of real time: virtual time goes on",
                    patience.as_millis()
                );
                self.log.note(self.now, text);
                return Ok(false);
            }
            bip::glance();
            if self.look_at_network()? {
                return Ok(true);
            }
        }
    }

    /// Ends all links at once.
    pub(super) fn drop_channels(&mut self, why: &str) -> Result<(), TerminalError> {
        let now = self.now;
        let session = self.session.as_mut().ok_or(TerminalError::Off)?;
        for id in 1..=7u8 {
            let Some(Some(channel)) = session.channels.get_mut(usize::from(id) - 1) else {
                continue;
            };
            if channel.is_down() {
                continue;
            }
            channel.take_down();
            if session.events.contains(&Event::CHANNEL_STATUS) {
                let event = Envelope::channel_status(channel.status(id));
                session.queue.push_back(event);
            }
            let why = why.to_owned();
            self.log.push(now, What::ChannelDown { channel: id, why });
        }
        Ok(())
    }

    /// Moves the clock to what comes next and does it; false at the deadline or if nothing comes.
    fn jump(&mut self, deadline: u64) -> Result<bool, TerminalError> {
        let now = self.now;
        let session = self.session()?;
        let timer = session.next_timer();
        let status = session.status.map(|(_, at)| at);
        let next = [
            timer.map(|(_, timer)| timer.due),
            status,
            session.busy_until.filter(|_| !session.queue.is_empty()),
        ]
        .into_iter()
        .flatten()
        .min();
        let Some(next) = next else {
            return Ok(false);
        };
        if next > deadline {
            self.advance(deadline.saturating_sub(now));
            return Ok(false);
        }
        self.advance(next.saturating_sub(now));
        let session = self.session()?;
        if let Some((id, timer)) = timer.filter(|(_, timer)| timer.due <= next) {
            if let Some(slot) = session.timers.get_mut(usize::from(id) - 1) {
                *slot = None;
            }
            let ran = (timer.due - timer.started - timer.late) / 1000;
            // A late device still tells how long the timer really ran (ETSI TS 102 223 7.4.1).
            let seconds = u32::try_from(ran + timer.late / 1000).unwrap_or(u32::MAX);
            if let Some(value) = TimerValue::from_seconds(seconds) {
                session
                    .queue
                    .push_back(Envelope::timer_expiration(id, value));
            }
        } else if status.is_some_and(|at| at <= next) {
            if let Some((interval, at)) = &mut session.status {
                *at = next + *interval;
            }
            self.exchange(&Command::new(0x80, 0xF2, 0x00, 0x0C))?;
            self.proactive_session()?;
        }
        Ok(true)
    }

    fn advance(&mut self, by_ms: u64) {
        if by_ms > 0 {
            self.now += by_ms;
            self.log.push(self.now, What::Clock { by_ms });
        }
    }
}

impl Session {
    /// The envelope as it is to be sent now, or nothing if the card has seen to it meanwhile: data
    /// that it read in the session in between, a channel that it closed.
    fn still_true(&self, envelope: Envelope) -> Option<Envelope> {
        let event = envelope.event_code();
        if !matches!(event, Some(Event::DATA_AVAILABLE | Event::CHANNEL_STATUS)) {
            return Some(envelope);
        }
        let status = envelope.channel()?;
        let index = usize::from(status.channel).checked_sub(1)?;
        let channel = self.channels.get(index)?.as_ref()?;
        if event == Some(Event::CHANNEL_STATUS) {
            return Some(envelope);
        }
        let length = channel.available();
        (length > 0).then(|| Envelope::data_available(status, length))
    }

    /// The timer that expires first.
    fn next_timer(&self) -> Option<(u8, Timer)> {
        (1..=8u8)
            .zip(&self.timers)
            .filter_map(|(id, timer)| timer.map(|timer| (id, timer)))
            .min_by_key(|(id, timer)| (timer.due, *id))
    }
}
