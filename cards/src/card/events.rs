//! Toolkit events and the proactive session (ETSI TS 102 241 6.5 to 6.8): which applet is called when, and
//! how a suspended one goes on.

use super::VirtualCard;
use super::world::is_recorded;
use crate::gp::Stop;
use crate::gp::registry::Aid;
use crate::power::PowerCut;
use crate::toolkit::{
    self, Activation, BipChannel, Handler, Proactive, Reason, Sender, Suspended, event, tag,
    without_number,
};
use crate::vm::{Outcome, Ref, Resume, Thread, Value};
use applet_model::cat::{CommandType, Device, GeneralResult};
use applet_model::status::Sw;
use applet_model::trace::Boundary;

const TOOLKIT_INTERFACE: &str = "uicc/toolkit/ToolkitInterface";
/// Parameter of `getShareableInterfaceObject` by which the framework asks for the ToolkitInterface
/// (ETSI TS 102 241 6.2).
const TOOLKIT_PARAMETER: u8 = 1;
/// Events that may wait; those that come beyond are answered "busy" or dropped.
const QUEUE: usize = 32;
/// Qualifier of REFRESH that resets the card (ETSI TS 102 223 8.6).
const REFRESH_RESET: u8 = 0x04;

impl VirtualCard {
    /// Puts an event before the applets that registered for it, or only before `target`.
    pub(super) fn raise(
        &mut self,
        event: i16,
        envelope: Option<(u8, Vec<u8>)>,
        target: Option<&Aid>,
    ) {
        for aid in self.world.toolkit.registered(event) {
            if target.is_some_and(|target| *target != aid) || !self.may_run(&aid) {
                continue;
            }
            let queue = &mut self.world.toolkit.session.queue;
            if queue.len() < QUEUE {
                queue.push_back(Activation {
                    aid,
                    event,
                    envelope: envelope
                        .clone()
                        .map(|(tag, list)| (tag, Handler::new(list))),
                    response: None,
                    proactive: true,
                });
            }
        }
    }

    /// True if the framework may call this applet now: it is selectable, and if it is the IPAe, no assistant
    /// in the device has the say.
    fn may_run(&self, aid: &Aid) -> bool {
        let selectable = self
            .world
            .domain
            .registry
            .instance(aid)
            .is_some_and(|instance| instance.is_selectable());
        selectable && !(is_recorded(aid) && self.device_assistant())
    }

    /// Events that don't wait for the proactive session (STATUS, the first command): applets that are
    /// not in `send()` are called at once, without a proactive handler if another has it.
    pub(super) fn raise_now(&mut self, event: i16) -> Result<(), PowerCut> {
        for aid in self.world.toolkit.registered(event) {
            let session = &self.world.toolkit.session;
            let waits = session
                .suspended
                .as_ref()
                .is_some_and(|suspended| suspended.activation.aid == aid);
            if waits || !self.may_run(&aid) {
                continue;
            }
            let proactive = !self.world.toolkit.is_busy();
            self.activate(Activation {
                aid,
                event,
                envelope: None,
                response: None,
                proactive,
            })?;
        }
        Ok(())
    }

    /// Goes on until the session is taken or nothing is left to do: first the framework's own
    /// commands, then events in their order, then those that wait for the handler.
    pub(super) fn pump(&mut self) -> Result<(), PowerCut> {
        while !self.world.toolkit.is_busy() {
            if let Some(command) = self.framework_command() {
                self.world.toolkit.session.proactive = Some(Proactive {
                    command,
                    sender: Sender::Framework,
                    fetched: false,
                });
                return Ok(());
            }
            if let Some(activation) = self.world.toolkit.session.queue.pop_front() {
                if self.may_run(&activation.aid) {
                    self.activate(activation)?;
                }
                continue;
            }
            if !self.offer_handler()? {
                return Ok(());
            }
        }
        Ok(())
    }

    fn framework_command(&mut self) -> Option<Vec<u8>> {
        let toolkit = &mut self.world.toolkit;
        if let Some((command, list)) = toolkit::set_up_event_list(toolkit) {
            toolkit.session.event_list = list;
            return Some(command);
        }
        let (command, seconds) = toolkit::poll_interval(toolkit)?;
        toolkit.session.polling = Some(seconds);
        Some(command)
    }

    /// EVENT_PROACTIVE_HANDLER_AVAILABLE: once per registration, which is cleared before the call.
    fn offer_handler(&mut self) -> Result<bool, PowerCut> {
        if self.world.toolkit.session.profile.is_none() {
            return Ok(false);
        }
        let waiting = self
            .world
            .toolkit
            .registered(event::PROACTIVE_HANDLER_AVAILABLE);
        let Some(aid) = waiting.into_iter().find(|aid| self.may_run(aid)) else {
            return Ok(false);
        };
        self.world.nvm.commit()?;
        if let Some(entry) = self.world.toolkit.entry_mut(&aid) {
            entry.events.remove(&event::PROACTIVE_HANDLER_AVAILABLE);
        }
        let event = event::PROACTIVE_HANDLER_AVAILABLE;
        self.activate(Activation {
            aid,
            event,
            envelope: None,
            response: None,
            proactive: true,
        })?;
        Ok(true)
    }

    /// Calls `processToolkit()`.
    pub(super) fn activate(&mut self, activation: Activation) -> Result<(), PowerCut> {
        let aid = activation.aid.clone();
        let Some(object) = self.toolkit_interface(&aid)? else {
            return Ok(());
        };
        let arguments = [Value::Short(activation.event)];
        let started = self.vm.start_interface(
            object,
            TOOLKIT_INTERFACE,
            "processToolkit",
            "(S)V",
            &arguments,
        );
        let Ok(mut thread) = started else {
            return Ok(());
        };
        let envelope = activation
            .envelope
            .as_ref()
            .map(|(_, list)| list.bytes().to_vec());
        self.world.record(
            &aid,
            Boundary::Event {
                event: activation.event,
                envelope: envelope.unwrap_or_default(),
            },
        );
        let session = &mut self.world.toolkit.session;
        if activation.proactive {
            session.handler = Handler::default();
        }
        session.current = Some(activation);
        let outcome = self.run(&aid, &mut thread);
        self.after(&aid, thread, outcome)
    }

    /// What became of `processToolkit()`: it waits in `send()`, or it is over.
    pub(super) fn after(
        &mut self,
        aid: &Aid,
        thread: Thread,
        outcome: Outcome,
    ) -> Result<(), PowerCut> {
        let session = &mut self.world.toolkit.session;
        let activation = session.current.take();
        if let (Outcome::Suspended, Some(activation)) = (&outcome, activation) {
            session.suspended = Some(Suspended { activation, thread });
            return Ok(());
        }
        // The applet's exceptions end its call and concern nobody else (6.5).
        self.status(&outcome)?;
        self.world.record(aid, Boundary::Return);
        Ok(())
    }

    /// The applet's `ToolkitInterface`, asked for once.
    fn toolkit_interface(&mut self, aid: &Aid) -> Result<Option<Ref>, PowerCut> {
        if let Some(known) = self
            .world
            .toolkit
            .entry(aid)
            .and_then(|entry| entry.interface)
        {
            return Ok(Some(known));
        }
        let Ok(instance) = self.instance(aid) else {
            return Ok(None);
        };
        let Ok(mut thread) = self.vm.start_shareable(instance, None, TOOLKIT_PARAMETER) else {
            return Ok(None);
        };
        let outcome = self.run(aid, &mut thread);
        self.status(&outcome)?;
        let Outcome::Returned(Some(Value::Ref(object))) = outcome else {
            return Ok(None);
        };
        if !self.vm.is_instance(object, TOOLKIT_INTERFACE) {
            return Ok(None);
        }
        if let Some(entry) = self.world.toolkit.entry_mut(aid) {
            entry.interface = Some(object);
        }
        Ok(Some(object))
    }

    /// TERMINAL RESPONSE to the command that FETCH gave out.
    pub(super) fn terminal_response(&mut self, list: &[u8]) -> Result<Sw, Stop> {
        let session = &mut self.world.toolkit.session;
        let Some(proactive) = session.proactive.take_if(|proactive| proactive.fetched) else {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        };
        if proactive.sender == Sender::Applet {
            self.resume_applet(list)?;
        }
        self.pump()?;
        Ok(Sw::OK)
    }

    /// The applet that waits in `send()` goes on with this terminal response.
    pub(super) fn resume_applet(&mut self, list: &[u8]) -> Result<(), PowerCut> {
        if let Some(Suspended {
            mut activation,
            mut thread,
        }) = self.world.toolkit.session.suspended.take()
        {
            let response = Handler::new(list.to_vec());
            let result = response
                .peek(tag::RESULT)
                .and_then(|value| value.first().copied());
            let aid = activation.aid.clone();
            self.settle(&aid, &response, result);
            self.world
                .record(&aid, Boundary::TerminalResponse(without_number(list)));
            activation.response = Some(response);
            self.world.toolkit.session.current = Some(activation);
            let answer = match result {
                Some(result) => Resume::Return(Some(Value::Short(i16::from(result.cast_signed())))),
                None => Resume::Throw(Reason::UnavailableElement.into()),
            };
            let outcome = self.running(&aid, |card| {
                card.vm.resume(&mut thread, answer, &mut card.world)
            });
            self.after(&aid, thread, outcome)?;
        }
        Ok(())
    }

    /// What a successful command changes on the card's side: channels open and closed, profiles
    /// refreshed. The command is the one in the proactive handler.
    fn settle(&mut self, aid: &Aid, response: &Handler, result: Option<u8>) {
        let session = &mut self.world.toolkit.session;
        let (kind, qualifier) = match session.handler.peek(tag::COMMAND_DETAILS) {
            Some([_, kind, qualifier]) => (CommandType(*kind), *qualifier),
            _ => return,
        };
        let destination = match session.handler.peek(tag::DEVICE_IDENTITIES) {
            Some([_, destination]) => Device(*destination),
            _ => return,
        };
        // A channel whose CLOSE CHANNEL ends in a BIP error is gone in the terminal already.
        let gone = kind == CommandType::CLOSE_CHANNEL && result == Some(GeneralResult::BIP_ERROR.0);
        if !gone && !result.is_some_and(|result| GeneralResult(result).is_success()) {
            return;
        }
        match kind {
            CommandType::OPEN_CHANNEL => {
                let status = response
                    .peek(tag::CHANNEL_STATUS)
                    .and_then(|value| value.first().copied());
                if let Some(id) = status.map(|status| status & 0x07).filter(|id| *id != 0) {
                    session.channels.retain(|channel| channel.id != id);
                    session.channels.push(BipChannel {
                        id,
                        owner: aid.clone(),
                    });
                }
            }
            CommandType::CLOSE_CHANNEL => {
                let id = destination.as_channel();
                session.channels.retain(|channel| Some(channel.id) != id);
            }
            CommandType::REFRESH if qualifier != REFRESH_RESET => self.refresh(),
            _ => {}
        }
    }
}
