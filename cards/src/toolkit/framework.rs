//! Proactive commands that the framework sends for itself (ETSI TS 102 241 6.8).

use super::Toolkit;
use super::event::download_code;
use applet_model::cat::{CommandType, Device, ProactiveCommand, Tag};

/// Bit of SET UP EVENT LIST in the terminal profile (`ToolkitConstants.IDX_PROACTIVE_UICC_SET_UP_EVENT_LIST`).
const PROFILE_SET_UP_EVENT_LIST: i16 = 32;
/// Bit of POLL INTERVAL.
const PROFILE_POLL_INTERVAL: i16 = 21;
const COMMAND_NUMBER: u8 = 1;

/// SET UP EVENT LIST, if applets want other event downloads than the terminal was told of and it knows the
/// command; with the new list.
pub(crate) fn set_up_event_list(toolkit: &Toolkit) -> Option<(Vec<u8>, Vec<u8>)> {
    let profile = toolkit.session.profile.as_deref()?;
    if !super::profile::bit(profile, PROFILE_SET_UP_EVENT_LIST) {
        return None;
    }
    let events = toolkit.entries.iter().flat_map(|entry| entry.events.iter());
    let mut list: Vec<u8> = events.filter_map(|event| download_code(*event)).collect();
    list.sort_unstable();
    list.dedup();
    if list == toolkit.session.event_list {
        return None;
    }
    let command = ProactiveCommand::new(
        COMMAND_NUMBER,
        CommandType::SET_UP_EVENT_LIST,
        0,
        Device::TERMINAL,
    )
    .with(Tag::EVENT_LIST, true, list.clone());
    Some((command.to_bytes(), list))
}

/// POLL INTERVAL, if an applet asked for an interval that the terminal wasn't told of; with the interval in
/// seconds. The shortest wish counts. Without a wish none is sent.
pub(crate) fn poll_interval(toolkit: &Toolkit) -> Option<(Vec<u8>, u16)> {
    let profile = toolkit.session.profile.as_deref()?;
    if !super::profile::bit(profile, PROFILE_POLL_INTERVAL) {
        return None;
    }
    let wished = toolkit
        .entries
        .iter()
        .filter_map(|entry| u16::try_from(entry.poll).ok());
    let seconds = wished.filter(|seconds| *seconds > 0).min()?;
    if toolkit.session.polling == Some(seconds) {
        return None;
    }
    // Duration in seconds up to 255, in minutes beyond (ETSI TS 102 223 8.8).
    let duration = match u8::try_from(seconds) {
        Ok(seconds) => [1, seconds],
        Err(_) => [0, u8::try_from(seconds.div_ceil(60)).unwrap_or(u8::MAX)],
    };
    let command = ProactiveCommand::new(
        COMMAND_NUMBER,
        CommandType::POLL_INTERVAL,
        0,
        Device::TERMINAL,
    )
    .with(Tag::DURATION, true, duration);
    Some((command.to_bytes(), seconds))
}
