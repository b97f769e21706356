//! The test stand: the IPAe applet alone, driven at its boundary.
//!
//! Instead of a terminal and the eUICC, the caller answers what the applet sends: terminal responses
//! and ES10 answers of any kind, events with any envelope. The framework around the applet is the
//! card's own; only what crosses the boundary comes from outside. Lock-step campaigns use it.

use super::VirtualCard;
use crate::gp::Stop;
use crate::gp::registry::Aid;
use crate::toolkit::{self, Activation, Handler, Sender};
use crate::vm::{Resume, Value};
use applet_model::aid;
use applet_model::trace::Boundary;

/// Why the stand can't give an input to the applet.
#[derive(Debug, thiserror::Error)]
pub enum StandError {
    /// The IPAe applet isn't on the card.
    #[error("the card has no instance of the IPAe applet")]
    NoApplet,
    /// The applet waits for something else.
    #[error("the applet doesn't wait for {0}")]
    Unexpected(&'static str),
    /// The card has no power.
    #[error("the card's power was cut")]
    PowerLost,
    /// The VM gave up: a defect of the applet or of the VM.
    #[error("the applet failed: {0}")]
    Fault(String),
}

impl VirtualCard {
    /// Takes the card off the terminal and the eUICC, or puts it back.
    pub fn set_on_stand(&mut self, on: bool) {
        self.world.on_stand = on;
    }

    /// Gives one input to the applet; what it does until it waits again is in the record
    /// ([`VirtualCard::take_trace`]).
    ///
    /// # Errors
    /// [`StandError`].
    pub fn stand_input(&mut self, input: &Boundary) -> Result<(), StandError> {
        let aid = Aid::new(aid::INSTANCE_IPAE).ok_or(StandError::NoApplet)?;
        self.instance(&aid).map_err(|_| StandError::NoApplet)?;
        self.last_fault = None;
        let result = match input {
            Boundary::PowerLoss => {
                self.reset();
                return Ok(());
            }
            Boundary::TerminalProfile(profile) => {
                // An empty one is none: the card itself refuses it.
                let stored = Some(profile.clone()).filter(|profile| !profile.is_empty());
                self.world.toolkit.session.profile = stored;
                self.world.record(&aid, input.clone());
                return Ok(());
            }
            Boundary::Apdu(command) => {
                let selecting = command.ins == 0xA4;
                self.process(&aid, command, selecting).map(|_| ())
            }
            Boundary::Personalization(command) => self.personalize(&aid, command).map(|_| ()),
            Boundary::Event { event, envelope } => {
                if self.world.toolkit.session.suspended.is_some() {
                    return Err(StandError::Unexpected("an event"));
                }
                self.activate(Activation {
                    envelope: Some((0xD6, Handler::new(envelope.clone()))),
                    ..Activation::new(aid, *event)
                })
                .map_err(Stop::from)
            }
            Boundary::TerminalResponse(tlvs) => {
                let session = &mut self.world.toolkit.session;
                let waits = session.proactive.take_if(|p| p.sender == Sender::Applet);
                if waits.is_none() {
                    return Err(StandError::Unexpected("a terminal response"));
                }
                self.resume_applet(tlvs).map_err(Stop::from)
            }
            Boundary::Es10Status(sw) => {
                self.world.record(&aid, input.clone());
                self.resume_es10(&aid, Value::Short(sw.0.cast_signed()))?
            }
            Boundary::Es10Data(data) => {
                let array = toolkit::volatile_bytes(&mut self.world, &mut self.vm);
                let window = self.vm.bytes_mut(array);
                let window = window.map_err(|e| StandError::Fault(e.to_string()))?;
                let n = data.len().min(window.len());
                window[..n].copy_from_slice(&data[..n]);
                self.world
                    .record(&aid, Boundary::Es10Data(data[..n].to_vec()));
                let length = i16::try_from(n).unwrap_or(i16::MAX);
                self.resume_es10(&aid, Value::Short(length))?
            }
            _ => return Err(StandError::Unexpected("this input")),
        };
        match (result, self.last_fault.take()) {
            (Err(Stop::Power(_)), _) => Err(StandError::PowerLost),
            (_, Some(fault)) => Err(StandError::Fault(fault)),
            _ => Ok(()),
        }
    }

    /// The applet goes on with the answer of the port.
    fn resume_es10(&mut self, aid: &Aid, answer: Value) -> Result<Result<(), Stop>, StandError> {
        let session = &mut self.world.toolkit.session;
        if session.proactive.is_some() {
            return Err(StandError::Unexpected("an ES10 answer"));
        }
        let suspended = session.suspended.take();
        let mut suspended = suspended.ok_or(StandError::Unexpected("an ES10 answer"))?;
        session.current = Some(suspended.activation);
        let outcome = self.running(aid, |card| {
            let answer = Resume::Return(Some(answer));
            card.vm
                .resume(&mut suspended.thread, answer, &mut card.world)
        });
        Ok(self
            .after(aid, suspended.thread, outcome)
            .map_err(Stop::from))
    }
}
