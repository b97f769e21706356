//! `uicc.toolkit.ToolkitRegistry`: an applet's registration. It is persistent; every change of it is a
//! persistent write, a call that changes nothing is none.

use super::event;
use super::{Reason, Toolkit};
use crate::fs::FilePath;
use crate::gp::ToolkitParameters;
use crate::gp::registry::Aid;
use crate::vm::Ref;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Timers of a card (ETSI TS 102 223 6.4.21).
const TIMERS: u8 = 8;
/// Services of a card (ETSI TS 102 223 6.4.35).
const SERVICES: u8 = 8;
/// `POLL_NO_DURATION`: no interest in STATUS.
pub(super) const POLL_NO_DURATION: i16 = 0;
/// `POLL_SYSTEM_DURATION`: STATUS events at whatever interval the system has.
pub(super) const POLL_SYSTEM_DURATION: i16 = -1;
/// Longest interval that `requestPollInterval` takes: 255 minutes, in seconds.
const POLL_LONGEST: i16 = 15_300;

/// An applet's registration.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub aid: Aid,
    pub parameters: ToolkitParameters,
    /// Events registered by `setEvent`.
    pub events: BTreeSet<i16>,
    /// Identifiers of its timers, 1 to 8.
    pub timers: BTreeSet<u8>,
    /// Identifiers of its services, 0 to 7.
    #[serde(default)]
    pub services: BTreeSet<u8>,
    /// It has a menu entry, or one with help: registered for the menu's events.
    #[serde(default)]
    pub menu: bool,
    /// One of its menu entries has help.
    #[serde(default)]
    pub help: bool,
    /// Files and directories whose changes it wants to know.
    #[serde(default)]
    pub files: BTreeSet<FilePath>,
    /// What `requestPollInterval` asked for.
    pub poll: i16,
    /// The `ToolkitRegistry` object, once it was asked for.
    pub object: Option<Ref>,
    /// The applet's `ToolkitInterface` object, once it was asked for.
    pub interface: Option<Ref>,
}

impl Entry {
    pub fn new(aid: Aid, parameters: ToolkitParameters) -> Entry {
        Entry {
            aid,
            parameters,
            events: BTreeSet::new(),
            timers: BTreeSet::new(),
            services: BTreeSet::new(),
            menu: false,
            help: false,
            files: BTreeSet::new(),
            poll: POLL_NO_DURATION,
            object: None,
            interface: None,
        }
    }

    /// `isEventSet`: registered by whatever method.
    pub fn has(&self, event: i16) -> bool {
        match event {
            event::TIMER_EXPIRATION => !self.timers.is_empty(),
            event::STATUS_COMMAND => self.poll != POLL_NO_DURATION,
            event::EXTERNAL_FILE_UPDATE => !self.files.is_empty(),
            event::LOCAL_CONNECTION => !self.services.is_empty(),
            event::MENU_SELECTION => self.menu,
            event::MENU_SELECTION_HELP_REQUEST => self.help,
            _ => self.events.contains(&event),
        }
    }

    /// `setEvent`: true if that changes something.
    pub fn set(&mut self, event: i16) -> Result<bool, Reason> {
        may_set(event)?;
        Ok(self.events.insert(event))
    }

    /// `clearEvent`: true if that changes something.
    pub fn clear(&mut self, event: i16) -> Result<bool, Reason> {
        if event::has_own_method(event) && !event::is_of_files(event) {
            return Err(Reason::EventNotAllowed);
        }
        if !event::is_supported(event) {
            return Err(Reason::EventNotSupported);
        }
        if event == event::EXTERNAL_FILE_UPDATE {
            return Ok(!core::mem::take(&mut self.files).is_empty());
        }
        Ok(self.events.remove(&event))
    }

    /// `requestPollInterval`: true if that changes something.
    pub fn request_poll(&mut self, duration: i16) -> Result<bool, Reason> {
        match duration {
            POLL_NO_DURATION | POLL_SYSTEM_DURATION | 1..=POLL_LONGEST => {
                Ok(core::mem::replace(&mut self.poll, duration) != duration)
            }
            _ => Err(Reason::RegistryError),
        }
    }
}

/// Refuses events that `setEvent` isn't for or that this card doesn't have.
pub(super) fn may_set(event: i16) -> Result<(), Reason> {
    if event::has_own_method(event) {
        return Err(Reason::EventNotAllowed);
    }
    match event::is_supported(event) {
        true => Ok(()),
        false => Err(Reason::EventNotSupported),
    }
}

impl Toolkit {
    /// `allocateTimer`: the lowest free timer of the card, if the applet may have one more. The caller
    /// makes it durable with [`Entry::timers`].
    pub(super) fn free_timer(&self, aid: &Aid) -> Result<u8, Reason> {
        let entry = self.entry(aid).ok_or(Reason::RegistryError)?;
        if entry.timers.len() >= usize::from(entry.parameters.timers) {
            return Err(Reason::NoTimerAvailable);
        }
        let taken = |id: &u8| self.entries.iter().any(|entry| entry.timers.contains(id));
        (1..=TIMERS)
            .find(|id| !taken(id))
            .ok_or(Reason::NoTimerAvailable)
    }

    /// `allocateServiceIdentifier`: the lowest free service of the card, if the applet may have one more.
    pub(super) fn free_service(&self, aid: &Aid) -> Result<u8, Reason> {
        let entry = self.entry(aid).ok_or(Reason::RegistryError)?;
        let none = Reason::NoServiceIdAvailable;
        if entry.services.len() >= usize::from(entry.parameters.services) {
            return Err(none);
        }
        (0..SERVICES)
            .find(|id| self.service_owner(*id).is_none())
            .ok_or(none)
    }

    /// The applet that has this service.
    pub(crate) fn service_owner(&self, id: u8) -> Option<&Aid> {
        self.entries
            .iter()
            .find(|entry| entry.services.contains(&id))
            .map(|entry| &entry.aid)
    }

    /// `setEvent`, with what other applets have registered: one applet at a time has the call control.
    pub(super) fn may_register(&self, aid: &Aid, event: i16) -> Result<(), Reason> {
        let others = self.entries.iter().filter(|entry| entry.aid != *aid);
        if event == event::CALL_CONTROL_BY_NAA && others.into_iter().any(|entry| entry.has(event)) {
            return Err(Reason::EventAlreadyRegistered);
        }
        Ok(())
    }

    /// The applet that has this timer.
    pub(crate) fn timer_owner(&self, id: u8) -> Option<&Aid> {
        self.entries
            .iter()
            .find(|entry| entry.timers.contains(&id))
            .map(|entry| &entry.aid)
    }

    /// The applet that has this BIP channel open.
    pub(crate) fn channel_owner(&self, id: u8) -> Option<&Aid> {
        self.session
            .channels
            .iter()
            .find(|channel| channel.id == id)
            .map(|channel| &channel.owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(last: u8, timers: u8) -> Entry {
        let aid = Aid::new(&[1, 2, 3, 4, last]).unwrap();
        Entry::new(
            aid,
            ToolkitParameters {
                timers,
                priority: 1,
                ..ToolkitParameters::default()
            },
        )
    }

    #[test]
    fn timers_are_counted_per_applet_and_per_card() {
        let mut toolkit = Toolkit {
            entries: vec![entry(1, 2), entry(2, 8)],
            ..Toolkit::default()
        };
        let first = toolkit.entries[0].aid.clone();
        for id in [1, 2] {
            assert_eq!(toolkit.free_timer(&first), Ok(id));
            toolkit.entries[0].timers.insert(id);
        }
        assert_eq!(toolkit.free_timer(&first), Err(Reason::NoTimerAvailable));
        let second = toolkit.entries[1].aid.clone();
        for id in 3..=8 {
            assert_eq!(toolkit.free_timer(&second), Ok(id));
            toolkit.entries[1].timers.insert(id);
        }
        assert_eq!(toolkit.free_timer(&second), Err(Reason::NoTimerAvailable));
        assert_eq!(toolkit.timer_owner(2), Some(&first));
        assert!(toolkit.entries[1].has(event::TIMER_EXPIRATION));
    }

    #[test]
    fn events_with_a_method_of_their_own_are_refused() {
        let mut entry = entry(1, 0);
        assert_eq!(
            entry.set(event::TIMER_EXPIRATION),
            Err(Reason::EventNotAllowed)
        );
        assert_eq!(entry.set(99), Err(Reason::EventNotSupported));
        assert_eq!(entry.set(event::DATA_AVAILABLE), Ok(true));
        assert_eq!(entry.set(event::DATA_AVAILABLE), Ok(false));
        assert_eq!(entry.request_poll(-2), Err(Reason::RegistryError));
        assert_eq!(entry.request_poll(30), Ok(true));
        assert!(entry.has(event::STATUS_COMMAND));
        assert_eq!(entry.clear(event::DATA_AVAILABLE), Ok(true));
        assert!(!entry.has(event::DATA_AVAILABLE));
    }

    #[test]
    fn the_highest_priority_comes_first_and_the_youngest_of_equals() {
        let mut entries = vec![entry(1, 0), entry(2, 0), entry(3, 0)];
        entries[0].parameters.priority = 2;
        for entry in &mut entries {
            entry.set(event::PROFILE_DOWNLOAD).unwrap();
        }
        let toolkit = Toolkit {
            entries,
            ..Toolkit::default()
        };
        let order: Vec<u8> = toolkit
            .registered(event::PROFILE_DOWNLOAD)
            .iter()
            .map(|aid| aid.bytes()[4])
            .collect();
        assert_eq!(order, [3, 2, 1]);
    }
}
