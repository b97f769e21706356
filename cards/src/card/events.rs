//! Toolkit events and the proactive session (ETSI TS 102 241 6.5 to 6.8): which applet is called when, and
//! how a suspended one goes on.

use super::VirtualCard;
use super::world::is_recorded;
use crate::fs::FilePath;
use crate::gp::Stop;
use crate::gp::registry::Aid;
use crate::power::PowerCut;
use crate::toolkit::{
    self, Activation, BipChannel, Handler, Proactive, Reason, Sender, Suspended, event, files, tag,
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
/// Qualifier of DECLARE SERVICE that takes the service away (ETSI TS 102 223 8.6).
const SERVICE_DELETE: u8 = 0x01;

impl VirtualCard {
    /// Puts an event before the applets that registered for it, or only before `target`: at once or, while the
    /// session is not free, as far as that goes. An applet of another's session runs without the proactive
    /// handler (ETSI TS 102 241 6.6); one that waits in `send()` itself is called when it is free.
    ///
    /// # Errors
    /// 9300 (busy: the terminal sends it again) if the one applet that it is for can't be called now, or says so.
    pub(super) fn trigger(
        &mut self,
        event: i16,
        envelope: Option<(u8, Vec<u8>)>,
        target: Option<&Aid>,
    ) -> Result<(), Stop> {
        let mut concerned = self.world.toolkit.registered(event);
        concerned.retain(|aid| target.is_none_or(|target| target == aid));
        self.put(event, envelope, concerned)
    }

    /// EVENT_EXTERNAL_FILE_UPDATE, for those who registered for this file or its directory.
    pub(super) fn file_updated(
        &mut self,
        path: &FilePath,
        information: [u8; 4],
    ) -> Result<(), Stop> {
        let event = event::EXTERNAL_FILE_UPDATE;
        let mut concerned = self.world.toolkit.registered(event);
        concerned.retain(|aid| {
            let entry = self.world.toolkit.entry(aid);
            entry.is_some_and(|entry| entry.watches(path))
        });
        let envelope = (files::TEMPLATE.0, files::update(path, information));
        self.put(event, Some(envelope), concerned)
    }

    /// EVENT_APPLICATION_DESELECT: the session of a file system's application ended.
    pub(super) fn application_left(&mut self, aid: &[u8]) -> Result<(), Stop> {
        let envelope = (files::TEMPLATE.0, files::deselected(aid));
        self.trigger(event::APPLICATION_DESELECT, Some(envelope), None)
    }

    /// Puts an event before these applets.
    fn put(
        &mut self,
        event: i16,
        envelope: Option<(u8, Vec<u8>)>,
        mut concerned: Vec<Aid>,
    ) -> Result<(), Stop> {
        concerned.retain(|aid| self.may_run(aid));
        let alone = concerned.len() == 1 && event::may_be_refused(event);
        if !concerned.is_empty() {
            self.world.toolkit.withdraw();
        }
        let session = &mut self.world.toolkit.session;
        session.refused = false;
        let busy = session.proactive.is_some() || session.suspended.is_some();
        let waiting = session
            .suspended
            .as_ref()
            .map(|suspended| suspended.activation.aid.clone());
        for aid in concerned {
            let activation = Activation {
                envelope: envelope
                    .clone()
                    .map(|(tag, list)| (tag, Handler::new(list))),
                proactive: !busy,
                answers: event::takes_response(event),
                alone,
                ..Activation::new(aid, event)
            };
            // Where no applet waits, the command under way is the framework's own, and soon answered.
            let held = waiting.as_ref().is_none_or(|aid| *aid == activation.aid);
            if busy && (event::is_urgent(event) || !held) {
                self.activate(activation)?;
            } else if busy && alone {
                return Err(Sw::TOOLKIT_BUSY.into());
            } else {
                self.enqueue(activation);
            }
        }
        self.pump()?;
        match core::mem::take(&mut self.world.toolkit.session.refused) {
            true => Err(Sw::TOOLKIT_BUSY.into()),
            false => Ok(()),
        }
    }

    fn enqueue(&mut self, activation: Activation) {
        let queue = &mut self.world.toolkit.session.queue;
        if queue.len() < QUEUE {
            queue.push_back(Activation {
                proactive: true,
                ..activation
            });
        }
    }

    /// True if the framework may call this applet now: it is selectable, and if it is the IPAe, no assistant
    /// in the device has the say.
    fn may_run(&self, aid: &Aid) -> bool {
        let selectable = self
            .world
            .gp
            .registry
            .instance(aid)
            .is_some_and(|instance| instance.is_selectable());
        selectable && !(is_recorded(aid) && self.device_assistant())
    }

    /// Events that don't wait for the proactive session (STATUS, the first command): applets that are
    /// not in `send()` are called at once, without a proactive handler if another has it.
    pub(super) fn raise_now(&mut self, event: i16) -> Result<(), PowerCut> {
        for aid in self.world.toolkit.registered(event) {
            self.world.toolkit.withdraw();
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
                proactive,
                ..Activation::new(aid, event)
            })?;
        }
        Ok(())
    }

    /// Goes on until the session is taken or nothing is left to do: events in their order, then those that
    /// wait for the handler, then the framework's own commands. At the start of a session, these come first.
    pub(super) fn pump(&mut self) -> Result<(), PowerCut> {
        while !self.world.toolkit.is_busy() {
            if !self.world.toolkit.session.begun {
                if self.send_own() {
                    return Ok(());
                }
                self.world.toolkit.session.begun = true;
            }
            if let Some(activation) = self.world.toolkit.session.queue.pop_front() {
                if self.may_run(&activation.aid) {
                    self.activate(activation)?;
                }
                continue;
            }
            if !self.offer_handler()? {
                self.send_own();
                return Ok(());
            }
        }
        Ok(())
    }

    /// Begins the framework's next own command, if there is one.
    fn send_own(&mut self) -> bool {
        if self.world.toolkit.session.profile.is_none() {
            return false;
        }
        let title = self.menu_title();
        let entries = self.world.toolkit.entries.iter().map(|entry| &entry.aid);
        let runnable: Vec<Aid> = entries.filter(|aid| self.may_run(aid)).cloned().collect();
        let toolkit = &mut self.world.toolkit;
        let command = toolkit::next_command(toolkit, &title, &|aid| runnable.contains(aid));
        let sent = command.is_some();
        toolkit.session.proactive = command.map(|(command, told)| Proactive {
            command,
            sender: Sender::Framework,
            tells: Some(told),
            fetched: false,
        });
        sent
    }

    /// What stands above the menu.
    fn menu_title(&self) -> toolkit::Title {
        files::title(self.world.files.tree())
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
        self.activate(Activation::new(aid, event::PROACTIVE_HANDLER_AVAILABLE))?;
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
        session.reply = Handler::with_capacity(toolkit::REPLY_CAPACITY);
        session.current = Some(activation);
        let outcome = self.run(&aid, &mut thread);
        self.after(&aid, thread, outcome)
    }

    /// What became of `processToolkit()`: it waits in `send()`, or it is over.
    pub(super) fn after(
        &mut self,
        aid: &Aid,
        mut thread: Thread,
        outcome: Outcome,
    ) -> Result<(), PowerCut> {
        let activation = self.world.toolkit.session.current.take();
        if outcome == Outcome::Suspended
            && let Some(activation) = activation
        {
            // In `send()`; on a test stand also in a call of the port.
            if self.world.toolkit.session.proactive.is_some() {
                self.vm.abort_of(&mut thread, &mut self.world);
            }
            self.world.toolkit.session.suspended = Some(Suspended { activation, thread });
            return Ok(());
        }
        // The applet's exceptions end its call and concern nobody else (6.5), but that one applet may have the
        // terminal try again.
        let sw = self.status(&outcome)?;
        if sw == Sw::TOOLKIT_BUSY && activation.is_some_and(|activation| activation.alone) {
            self.world.toolkit.session.refused = true;
        }
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
        match proactive.sender {
            Sender::Applet => self.resume_applet(list)?,
            // Only POLL INTERVAL's response has a duration.
            Sender::Framework => {
                if let Some(duration) = Handler::new(list.to_vec()).peek(tag::DURATION) {
                    session.polled = toolkit::seconds(duration);
                }
            }
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
            let value = response.peek(tag::RESULT);
            let missing = match value {
                Some(_) => Reason::OutOfTlvBoundaries,
                None => Reason::UnavailableElement,
            };
            let result = value.and_then(|value| value.first().copied());
            let aid = activation.aid.clone();
            self.settle(&aid, &response, result);
            self.world
                .record(&aid, Boundary::TerminalResponse(without_number(list)));
            activation.response = Some(response);
            self.world.toolkit.session.current = Some(activation);
            let answer = match result {
                Some(result) => Resume::Return(Some(Value::Short(i16::from(result.cast_signed())))),
                None => Resume::Throw(missing.into()),
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
            CommandType::DECLARE_SERVICE => {
                let record = session.handler.peek(tag::SERVICE_RECORD);
                let id = record.and_then(|record| record.get(1).copied());
                match (id, qualifier & SERVICE_DELETE) {
                    (Some(id), 0) => {
                        session.services.insert(id, aid.clone());
                    }
                    (Some(id), _) => {
                        session.services.remove(&id);
                    }
                    (None, _) => {}
                }
            }
            CommandType::REFRESH if qualifier != REFRESH_RESET => self.refresh(),
            _ => {}
        }
    }
}
