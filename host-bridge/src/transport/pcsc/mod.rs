//! Cards in PC/SC readers.
//!
//! A reader is taken exclusively for as long as the link lives: nobody else's APDU can come between
//! two of ours, and a second process is told so at once. (A transaction in a shared connection would
//! not do: Windows ends it, with a reset, after five idle seconds, and others may connect meanwhile.)
//! A link can be moved to another thread; each has a context of its own, so links to several readers
//! work side by side. [`Watch`] tells when cards, readers and the service itself come and go,
//! [`survey`] what is there.
//!
//! The protocol is the one that the card offers first, as the service agrees on it with the reader;
//! `rules` says how APDUs go over it, [`quirks`] what is done otherwise with which reader.

mod contactless;
mod info;
mod properties;
pub mod quirks;
mod rules;
mod users;
mod watch;

pub use info::{ReaderInfo, survey};
pub use users::User;
pub use watch::{Event, Watch};

use super::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use pcsc::{
    Card, Context, Disposition, Error, Protocol, Protocols, ReaderState, Scope, ShareMode, State,
};
use properties::Properties;
use quirks::Quirk;
use rules::Rules;
use std::ffi::CString;
use std::time::{Duration, Instant};

/// Longest answer: extended length's data and a status word.
const BUFFER: usize = 65538;
/// How long it is waited for the reader to say that a card that doesn't answer any more was taken out.
const PULLED: Duration = Duration::from_millis(600);

/// A card in a reader, held exclusively.
pub struct PcscLink {
    card: Card,
    name: CString,
    reader: String,
    atr: Vec<u8>,
    protocol: Option<Protocol>,
    limit: Option<u32>,
    quirks: Vec<&'static Quirk>,
    rules: Rules,
    buffer: Vec<u8>,
    // The card handle lives in this context.
    context: Context,
}

fn error(reader: &str, error: Error) -> LinkError {
    let reader = reader.to_owned();
    match error {
        Error::NoService | Error::ServiceStopped => LinkError::NoService(error.to_string()),
        Error::NoReadersAvailable => LinkError::NoReader,
        Error::SharingViolation => LinkError::Busy {
            reader,
            users: users::in_words(),
        },
        Error::NoSmartcard => LinkError::NoCard(reader),
        Error::RemovedCard => LinkError::Removed(reader),
        Error::ReaderUnavailable | Error::UnknownReader => LinkError::ReaderGone(reader),
        Error::UnresponsiveCard | Error::UnpoweredCard | Error::ProtoMismatch => LinkError::Mute {
            reader,
            detail: error.to_string(),
        },
        other => LinkError::Failed {
            name: format!("reader {reader:?}"),
            detail: other.to_string(),
        },
    }
}

fn context() -> Result<Context, LinkError> {
    Context::establish(Scope::User).map_err(|e| match e {
        // pcsc-lite says one of these when its socket isn't there.
        Error::NoService | Error::ServiceStopped => LinkError::NoService(e.to_string()),
        e => error("", e),
    })
}

/// The names of all readers.
///
/// # Errors
/// [`LinkError::NoService`]; an empty list is no error.
pub fn readers() -> Result<Vec<String>, LinkError> {
    let context = context()?;
    Ok(names(&context)?
        .into_iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect())
}

fn names(context: &Context) -> Result<Vec<CString>, LinkError> {
    match context.list_readers_owned() {
        Ok(names) => Ok(names),
        Err(Error::NoReadersAvailable) => Ok(Vec::new()),
        Err(e) => Err(error("", e)),
    }
}

/// The reader meant: the one with that name, else the only one whose name contains it.
///
/// # Errors
/// [`LinkError::NoReader`], [`LinkError::UnknownReader`], [`LinkError::AmbiguousReader`].
pub fn choose(available: &[String], wanted: &str) -> Result<usize, LinkError> {
    if available.is_empty() {
        return Err(LinkError::NoReader);
    }
    if let Some(i) = available.iter().position(|name| name == wanted) {
        return Ok(i);
    }
    let lower = wanted.to_lowercase();
    let matches: Vec<usize> = (0..available.len())
        .filter(|&i| {
            available
                .get(i)
                .is_some_and(|name| name.to_lowercase().contains(&lower))
        })
        .collect();
    match matches[..] {
        [] => Err(LinkError::UnknownReader {
            wanted: wanted.to_owned(),
            available: available.to_vec(),
        }),
        [i] => Ok(i),
        _ => Err(LinkError::AmbiguousReader {
            wanted: wanted.to_owned(),
            matches: matches
                .iter()
                .filter_map(|&i| available.get(i).cloned())
                .collect(),
        }),
    }
}

/// The one reader that is meant: its name as the service knows it and as text.
fn find(context: &Context, wanted: &str) -> Result<(CString, String), LinkError> {
    let names = names(context)?;
    let readable: Vec<String> = names
        .iter()
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    let i = choose(&readable, wanted)?;
    names
        .into_iter()
        .zip(readable)
        .nth(i)
        .ok_or(LinkError::NoReader)
}

/// The whole name of the one reader that is meant.
///
/// # Errors
/// [`LinkError`]: no service, no such reader.
pub fn whole_name(wanted: &str) -> Result<String, LinkError> {
    Ok(find(&context()?, wanted)?.1)
}

/// Connects by `attempt`. A card that seems mute is powered again as often as the reader's quirks say;
/// where the service can't agree on a protocol of several, each is tried alone.
fn connect<T>(
    quirks: &[&Quirk],
    mut attempt: impl FnMut(Protocols) -> Result<T, Error>,
) -> Result<T, Error> {
    let (tries, pause) = quirks::power(quirks);
    let mut alone = [Protocols::T0, Protocols::T1].into_iter();
    let mut wanted = Protocols::ANY;
    let mut tried = 1;
    loop {
        match attempt(wanted) {
            Err(Error::UnresponsiveCard | Error::UnpoweredCard) if tried < tries => {
                tried += 1;
                std::thread::sleep(pause);
            }
            Err(Error::ProtoMismatch) => match alone.next() {
                Some(next) => wanted = next,
                None => return Err(Error::ProtoMismatch),
            },
            other => return other,
        }
    }
}

impl PcscLink {
    /// Takes a reader for itself and powers its card. `wanted` is a reader's name or a part of it that only one has.
    ///
    /// # Errors
    /// [`LinkError`]: a kind of its own for no service, no reader, busy reader, no card, mute card;
    /// [`LinkError::Contactless`]: what this link is for needs contacts ([`PcscLink::look`] doesn't).
    pub fn open(wanted: &str) -> Result<Self, LinkError> {
        let link = Self::look(wanted)?;
        match link.contactless() {
            Some(reason) => Err(LinkError::Contactless {
                reader: link.reader.clone(),
                reason,
            }),
            None => Ok(link),
        }
    }

    /// The same to look into a card, contactless or not.
    ///
    /// # Errors
    /// As [`PcscLink::open`].
    pub fn look(wanted: &str) -> Result<Self, LinkError> {
        let context = context()?;
        let (name, reader) = find(&context, wanted)?;
        let usb = Properties::ask(&context, &name).usb;
        let quirks = quirks::of(&reader, usb.as_deref())?;
        let attempt = |protocols| context.connect(&name, ShareMode::Exclusive, protocols);
        let card = connect(&quirks, attempt).map_err(|e| error(&reader, e))?;
        let mut link = PcscLink {
            rules: Rules::new(&reader, false, None, &quirks),
            limit: Properties::of(&card).max_data,
            card,
            name,
            reader,
            atr: Vec::new(),
            protocol: None,
            quirks,
            buffer: vec![0; BUFFER],
            context,
        };
        link.read_status()?;
        Ok(link)
    }

    /// Why the card is not one over contacts; `None` if nothing says so.
    pub fn contactless(&self) -> Option<String> {
        contactless::reason(&self.reader, &self.atr, self.t0())
    }

    /// The protocol agreed on, for people.
    pub fn protocol(&self) -> &'static str {
        match self.protocol {
            Some(Protocol::T0) => "T=0",
            Some(Protocol::T1) => "T=1",
            Some(Protocol::RAW) => "raw",
            None => "none",
        }
    }

    /// What is done otherwise with this reader.
    pub fn quirks(&self) -> &[&'static Quirk] {
        &self.quirks
    }

    fn t0(&self) -> bool {
        self.protocol == Some(Protocol::T0)
    }

    fn read_status(&mut self) -> Result<(), LinkError> {
        let status = self
            .card
            .status2_owned()
            .map_err(|e| error(&self.reader, e))?;
        self.atr = status.atr().to_vec();
        self.protocol = status.protocol2();
        self.rules = Rules::new(&self.reader, self.t0(), self.limit, &self.quirks);
        std::thread::sleep(self.rules.pause);
        Ok(())
    }

    /// Why there is no answer. What the service says of a failed exchange is the same for a card that
    /// was pulled, a reader that was unplugged and a service that ended, so it is asked.
    fn why(&self, said: Error) -> LinkError {
        let reader = || self.reader.clone();
        match said {
            Error::RemovedCard | Error::NoSmartcard => return LinkError::Removed(reader()),
            Error::NoService | Error::ServiceStopped | Error::InvalidHandle => {
                return LinkError::ServiceLost(reader());
            }
            Error::ResetCard => {
                return LinkError::Failed {
                    name: format!("reader {:?}", self.reader),
                    detail: "the card was reset by another program; do it again".to_owned(),
                };
            }
            _ => {}
        }
        match names(&self.context) {
            Err(_) => return LinkError::ServiceLost(reader()),
            Ok(names) if !names.contains(&self.name) => return LinkError::ReaderGone(reader()),
            Ok(_) => {}
        }
        let mut states = [ReaderState::new(self.name.clone(), State::PRESENT)];
        let end = Instant::now() + PULLED;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.context.get_status_change(left, &mut states) {
                Ok(()) => {
                    let [state] = &mut states;
                    if state.event_state().contains(State::EMPTY) {
                        return LinkError::Removed(reader());
                    }
                    state.sync_current_state();
                }
                Err(Error::Timeout) => break,
                Err(Error::UnknownReader | Error::ReaderUnavailable) => {
                    return LinkError::ReaderGone(reader());
                }
                Err(_) => return LinkError::ServiceLost(reader()),
            }
            if left.is_zero() {
                break;
            }
        }
        match said {
            Error::NotTransacted | Error::CommError => LinkError::Failed {
                name: format!("reader {:?}", self.reader),
                detail: format!(
                    "the card is there but gives no answer ({said}); clean its contacts, put it in again, try another reader"
                ),
            },
            e => error(&self.reader, e),
        }
    }
}

impl CardLink for PcscLink {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        // Unpower, so that the card starts cold: transient memory is gone for certain.
        let attempt = |protocols| {
            self.card
                .reconnect(ShareMode::Exclusive, protocols, Disposition::UnpowerCard)
        };
        if let Err(e) = connect(&self.quirks, attempt) {
            return Err(self.why(e));
        }
        self.read_status()?;
        Ok(self.atr.clone())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let bytes = self.rules.encode(command)?;
        match self.card.transmit(&bytes, &mut self.buffer) {
            // Some drivers say this of a card that is pulled at work (vsmartcard's).
            Ok([]) => Err(LinkError::Removed(self.reader.clone())),
            Ok(answer) => self.rules.decode(command, answer),
            Err(e) => Err(self.why(e)),
        }
    }

    fn name(&self) -> String {
        self.reader.clone()
    }

    fn longest_data(&self) -> usize {
        self.rules.longest_data()
    }
}

#[cfg(test)]
mod tests;
