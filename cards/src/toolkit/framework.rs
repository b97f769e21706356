//! Proactive commands that the framework sends for itself (ETSI TS 102 241 6.8): SET UP MENU, SET UP EVENT LIST,
//! POLL INTERVAL and POLLING OFF, when what the applets registered isn't what the terminal was told, and its
//! profile has the command; and REFRESH after a switch of profiles that the device commanded.

use super::menu::Title;
use super::registry::POLL_SYSTEM_DURATION;
use super::{Entry, Told, Toolkit, event};
use crate::gp::registry::Aid;
use applet_model::cat::{CommandType, Device, Feature, ProactiveCommand, Tag, qualifier};

/// What `POLL_SYSTEM_DURATION` stands for: the interval that terminals have by themselves
/// (ETSI TS 102 221 14.5.2), seconds.
const SYSTEM_POLL: u16 = 30;

/// The next of the framework's own commands, and what the terminal knows with it. `may_run` says which applets
/// count: a locked one's registrations rest.
pub(crate) fn next_command(
    toolkit: &Toolkit,
    title: &Title,
    may_run: &dyn Fn(&Aid) -> bool,
) -> Option<(Vec<u8>, Told)> {
    let profile = toolkit.session.profile.as_deref()?;
    let has = |feature: Feature| super::profile::bit(profile, feature.0.cast_signed());
    let mut told = toolkit.session.told.clone();
    if has(Feature::REFRESH) && told.switches != toolkit.session.switches {
        // Every terminal has the mode UICC reset; "eUICC profile state change" is for the newer ones.
        told.switches = toolkit.session.switches;
        let refresh = ProactiveCommand::new(
            super::COMMAND_NUMBER,
            CommandType::REFRESH,
            qualifier::REFRESH_UICC_RESET,
            Device::TERMINAL,
        );
        return Some((refresh.to_bytes(), told));
    }
    if has(Feature::SET_UP_MENU)
        && let Some(menu) = toolkit.set_up_menu(title, has(Feature::TEXT_ATTRIBUTES), may_run)
        && told.menu.as_ref() != Some(&menu)
    {
        told.menu = Some(menu.clone());
        return Some((menu, told));
    }
    let list = event_list(toolkit, may_run);
    if has(Feature::SET_UP_EVENT_LIST) && list != told.events {
        told.events = list.clone();
        let command = command(CommandType::SET_UP_EVENT_LIST);
        return Some((command.with(Tag::EVENT_LIST, true, list).to_bytes(), told));
    }
    let polling = poll_interval(toolkit, may_run);
    if polling == told.polling {
        return None;
    }
    told.polling = polling;
    let command = match polling {
        Some(seconds) if has(Feature::POLL_INTERVAL) => {
            let command = command(CommandType::POLL_INTERVAL);
            command.with(Tag::DURATION, true, duration(seconds))
        }
        None if has(Feature::POLLING_OFF) => command(CommandType::POLLING_OFF),
        _ => return None,
    };
    Some((command.to_bytes(), told))
}

fn command(kind: CommandType) -> ProactiveCommand {
    ProactiveCommand::new(super::COMMAND_NUMBER, kind, 0, Device::TERMINAL)
}

fn counting<'a>(
    toolkit: &'a Toolkit,
    may_run: &'a dyn Fn(&Aid) -> bool,
) -> impl Iterator<Item = &'a Entry> {
    toolkit.entries.iter().filter(|entry| may_run(&entry.aid))
}

/// Codes of the event downloads that applets registered for.
fn event_list(toolkit: &Toolkit, may_run: &dyn Fn(&Aid) -> bool) -> Vec<u8> {
    event::DOWNLOADS
        .iter()
        .filter(|(event, _)| counting(toolkit, may_run).any(|entry| entry.has(*event)))
        .map(|(_, code)| *code)
        .collect()
}

/// The shortest interval that applets asked for, seconds; `None` if none wants STATUS.
fn poll_interval(toolkit: &Toolkit, may_run: &dyn Fn(&Aid) -> bool) -> Option<u16> {
    counting(toolkit, may_run)
        .filter_map(|entry| match entry.poll {
            POLL_SYSTEM_DURATION => Some(SYSTEM_POLL),
            wish => u16::try_from(wish).ok().filter(|seconds| *seconds > 0),
        })
        .min()
}

/// Duration (ETSI TS 102 223 8.8): in seconds up to 255, in minutes beyond.
fn duration(seconds: u16) -> [u8; 2] {
    match u8::try_from(seconds) {
        Ok(seconds) => [1, seconds],
        Err(_) => [0, u8::try_from(seconds.div_ceil(60)).unwrap_or(u8::MAX)],
    }
}

/// Seconds of a duration as terminals send it; `None` for nonsense.
pub(crate) fn seconds(duration: &[u8]) -> Option<i16> {
    let [unit, count] = duration else {
        return None;
    };
    let count = i16::from(*count);
    match unit {
        0 => Some(count.saturating_mul(60)),
        1 => Some(count),
        // Tenths of seconds.
        2 => Some(count.div_euclid(10).max(1)),
        _ => None,
    }
}
