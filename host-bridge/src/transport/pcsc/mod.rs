//! Cards in PC/SC readers.
//!
//! A reader is taken exclusively for as long as the link lives: nobody else's APDU can come between
//! two of ours, and a second process is told so at once. A link can be moved to another thread; each
//! has a context of its own, so links to several readers work side by side. [`Watch`] tells when
//! cards, readers and the service itself come and go.

mod watch;

pub use watch::{Event, Watch};

use super::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use pcsc::{
    Card, Context, Disposition, Error, Protocol, Protocols, ReaderState, Scope, ShareMode, State,
};
use std::ffi::CString;

/// A card in a reader, held exclusively.
pub struct PcscLink {
    card: Card,
    reader: String,
    atr: Vec<u8>,
    protocol: Option<Protocol>,
    // The card handle lives in this context.
    _context: Context,
}

fn error(reader: &str, error: Error) -> LinkError {
    let reader = reader.to_owned();
    match error {
        Error::NoService | Error::ServiceStopped => LinkError::NoService(error.to_string()),
        Error::NoReadersAvailable => LinkError::NoReader,
        Error::SharingViolation => LinkError::Busy(reader),
        Error::NoSmartcard => LinkError::NoCard(reader),
        Error::RemovedCard | Error::ReaderUnavailable | Error::UnknownReader => {
            LinkError::Removed(reader)
        }
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

/// Waits until the card in a reader was taken out and another put in.
///
/// # Errors
/// [`LinkError`]: no service, no such reader.
pub fn wait_for_change(wanted: &str) -> Result<(), LinkError> {
    let context = context()?;
    let (name, reader) = find(&context, wanted)?;
    for awaited in [State::EMPTY, State::PRESENT] {
        let mut states = [ReaderState::new(name.clone(), State::UNAWARE)];
        loop {
            context
                .get_status_change(None, &mut states)
                .map_err(|e| error(&reader, e))?;
            let [state] = &mut states;
            if state.event_state().contains(awaited) && !state.event_state().contains(State::MUTE) {
                break;
            }
            state.sync_current_state();
        }
    }
    Ok(())
}

impl PcscLink {
    /// Takes a reader for itself and powers its card. `wanted` is a reader's name or a part of it that only one has.
    ///
    /// # Errors
    /// [`LinkError`]: a kind of its own for no service, no reader, busy reader, no card, mute card.
    pub fn open(wanted: &str) -> Result<Self, LinkError> {
        let context = context()?;
        let (name, reader) = find(&context, wanted)?;
        let card = context
            .connect(&name, ShareMode::Exclusive, Protocols::ANY)
            .map_err(|e| error(&reader, e))?;
        let mut link = PcscLink {
            card,
            reader,
            atr: Vec::new(),
            protocol: None,
            _context: context,
        };
        link.read_status()?;
        Ok(link)
    }

    fn read_status(&mut self) -> Result<(), LinkError> {
        let status = self
            .card
            .status2_owned()
            .map_err(|e| error(&self.reader, e))?;
        self.atr = status.atr().to_vec();
        self.protocol = status.protocol2();
        Ok(())
    }
}

impl CardLink for PcscLink {
    fn atr(&self) -> &[u8] {
        &self.atr
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        // Unpower, so that the card starts cold: transient memory is gone for certain.
        self.card
            .reconnect(
                ShareMode::Exclusive,
                Protocols::ANY,
                Disposition::UnpowerCard,
            )
            .map_err(|e| error(&self.reader, e))?;
        self.read_status()?;
        Ok(self.atr.clone())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let mut command = command.clone();
        if self.protocol == Some(Protocol::T0) && !command.data.is_empty() {
            // With T=0 a command with data goes without Le, the answer is fetched (ISO/IEC 7816-3
            // 12.2.4). Some readers do this themselves, others send the extra byte to the card.
            command.le = None;
        }
        let mut buffer = vec![0; 65538];
        let answer = self
            .card
            .transmit(&command.to_bytes(), &mut buffer)
            .map_err(|e| match e {
                Error::NotTransacted | Error::CommError => LinkError::Removed(self.reader.clone()),
                e => error(&self.reader, e),
            })?;
        if answer.is_empty() {
            // Some drivers say this of a card that is pulled at work (vsmartcard's).
            return Err(LinkError::Removed(self.reader.clone()));
        }
        Response::parse(answer).ok_or_else(|| LinkError::ShortAnswer {
            name: self.name(),
            command: hex::encode_upper([command.cla, command.ins, command.p1, command.p2]),
            bytes: answer.len(),
        })
    }

    fn name(&self) -> String {
        self.reader.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_watches_go_to_other_threads() {
        fn sent<T: Send>() {}
        sent::<PcscLink>();
        sent::<Watch>();
    }

    #[test]
    fn readers_are_chosen_by_name_or_a_part_of_it() {
        let names =
            ["Virtual PCD 00 00", "Virtual PCD 00 01", "ACS ACR38U 01 00"].map(String::from);
        assert_eq!(choose(&names, "Virtual PCD 00 01"), Ok(1));
        assert_eq!(choose(&names, "acr38"), Ok(2));
        assert!(
            matches!(choose(&names, "Virtual"), Err(LinkError::AmbiguousReader { matches, .. }) if matches.len() == 2)
        );
        assert!(matches!(
            choose(&names, "Omnikey"),
            Err(LinkError::UnknownReader { .. })
        ));
        assert_eq!(choose(&[], "x"), Err(LinkError::NoReader));
    }
}
