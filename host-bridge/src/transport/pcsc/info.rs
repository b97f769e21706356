//! What is there: every reader, its state, the card in it.

use super::properties::Properties;
use super::quirks::{self, Quirk};
use super::rules::Rules;
use super::{LinkError, User, contactless, context, names, users};
use applet_model::atr::Atr;
use pcsc::{ReaderState, State};
use serde::Serialize;
use std::time::Duration;

/// A reader, and the card in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ReaderInfo {
    /// Its name.
    pub name: String,
    /// `empty`, `card`, `mute` (a card that doesn't answer to reset) or `unknown`.
    pub state: &'static str,
    /// The card's answer to reset.
    pub atr: Option<String>,
    /// The same in words.
    pub atr_says: Option<String>,
    /// The protocol that a connection will use: the card's own choice, else its first offer.
    pub protocol: Option<String>,
    /// `free`, `shared` (others have it, too) or `exclusive` (another process has it alone).
    pub in_use: &'static str,
    /// Programs that use the service, if the reader is in use and the system tells.
    pub users: Vec<User>,
    /// Why it counts as contactless; `None` if nothing says so.
    pub contactless: Option<String>,
    /// USB vendor and product, if the driver tells.
    pub usb: Option<String>,
    /// Most command data bytes that reader and protocol carry; 255 without extended length.
    pub longest_data: usize,
    /// What is done otherwise with it.
    pub quirks: Vec<&'static Quirk>,
}

/// Looks at every reader. No card is powered or reset for it.
///
/// # Errors
/// [`LinkError::NoService`], [`LinkError::Quirks`]; no reader is no error.
pub fn survey() -> Result<Vec<ReaderInfo>, LinkError> {
    let context = context()?;
    let mut states: Vec<ReaderState> = names(&context)?
        .into_iter()
        .map(|name| ReaderState::new(name, State::UNAWARE))
        .collect();
    if states.is_empty() {
        return Ok(Vec::new());
    }
    // A reader that goes meanwhile is shown as unknown.
    let _ = context.get_status_change(Duration::ZERO, &mut states);
    let mut all = Vec::new();
    for state in &states {
        let properties = Properties::ask(&context, state.name());
        all.push(describe(state, &properties)?);
    }
    Ok(all)
}

fn describe(state: &ReaderState, properties: &Properties) -> Result<ReaderInfo, LinkError> {
    let name = state.name().to_string_lossy().into_owned();
    let flags = state.event_state();
    let what = if flags.intersects(State::UNKNOWN | State::UNAVAILABLE | State::IGNORE) {
        "unknown"
    } else if flags.contains(State::PRESENT | State::MUTE) {
        "mute"
    } else if flags.contains(State::PRESENT) {
        "card"
    } else if flags.contains(State::EMPTY) {
        "empty"
    } else {
        "unknown"
    };
    let in_use = if flags.contains(State::EXCLUSIVE) {
        "exclusive"
    } else if flags.contains(State::INUSE) {
        "shared"
    } else {
        "free"
    };
    let atr = Some(state.atr()).filter(|atr| !atr.is_empty());
    let parsed = atr.map(Atr::parse);
    let protocol = parsed
        .as_ref()
        .and_then(|parsed| parsed.as_ref().ok())
        .and_then(|atr| atr.specific_mode().or(atr.protocols().first().copied()));
    let t0 = protocol == Some(0);
    let quirks = quirks::of(&name, properties.usb.as_deref())?;
    Ok(ReaderInfo {
        state: what,
        atr: atr.map(hex::encode_upper),
        atr_says: parsed.map(|parsed| match parsed {
            Ok(atr) => atr.to_string(),
            Err(error) => error.to_string(),
        }),
        protocol: protocol.map(|t| format!("T={t}")),
        in_use,
        users: match in_use {
            "free" => Vec::new(),
            _ => users::users(),
        },
        contactless: contactless::reason(&name, atr.unwrap_or_default(), t0),
        usb: properties.usb.clone(),
        longest_data: Rules::new(&name, t0, properties.max_data, &quirks).longest_data(),
        quirks,
        name,
    })
}
