//! What happens at all readers: a reader plugged in or out, a card put in or taken out, the service
//! stopped and started again.
//!
//! ```no_run
//! use host_bridge::transport::pcsc::{Event, Watch};
//! use std::sync::atomic::AtomicBool;
//! use std::time::Duration;
//!
//! let stop = AtomicBool::new(false); // Ctrl-C sets it
//! let mut watch = Watch::new();
//! while let Some(event) = watch.next(Duration::from_secs(60), &stop) {
//!     match event {
//!         Event::CardIn { reader, .. } => println!("a card in {reader}: open it, in a thread of its own"),
//!         Event::CardOut { reader } => println!("{reader} is empty"),
//!         other => println!("{other}"),
//!     }
//! }
//! ```

use super::{context, names};
use core::fmt;
use pcsc::{Context, Error, PNP_NOTIFICATION, ReaderState, State};
use std::collections::VecDeque;
use std::ffi::CString;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long one question to the service lasts: a stop flag is seen within this time.
const TICK: Duration = Duration::from_millis(200);
/// First pause before a lost service is asked again; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(50);
/// Longest pause between two attempts to reach the service.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "event")]
pub enum Event {
    /// A reader is there: at the start, or plugged in.
    ReaderIn {
        /// The reader's name.
        reader: String,
    },
    /// A reader was unplugged.
    ReaderOut {
        /// The reader's name.
        reader: String,
    },
    /// A card that answers to reset is in a reader: at the start, or put in.
    CardIn {
        /// The reader's name.
        reader: String,
        /// Its answer to reset.
        #[serde(with = "hex::serde")]
        atr: Vec<u8>,
    },
    /// A card that doesn't answer to reset is in a reader.
    CardMute {
        /// The reader's name.
        reader: String,
    },
    /// The card was taken out.
    CardOut {
        /// The reader's name.
        reader: String,
    },
    /// The service is gone. For every card and reader that was there, out events come first: links to
    /// them are dead.
    ServiceOut {
        /// What the system says.
        detail: String,
    },
    /// The service is there again; in events for readers and cards follow.
    ServiceIn,
}

impl Event {
    /// The reader that the event is about, if it is about one.
    pub fn reader(&self) -> Option<&str> {
        match self {
            Event::ReaderIn { reader }
            | Event::ReaderOut { reader }
            | Event::CardIn { reader, .. }
            | Event::CardMute { reader }
            | Event::CardOut { reader } => Some(reader),
            Event::ServiceOut { .. } | Event::ServiceIn => None,
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Event::ReaderIn { reader } => write!(f, "reader {reader:?} is there"),
            Event::ReaderOut { reader } => write!(f, "reader {reader:?} was unplugged"),
            Event::CardIn { reader, .. } => write!(f, "a card in reader {reader:?}"),
            Event::CardMute { reader } => {
                write!(
                    f,
                    "a card in reader {reader:?} that does not answer; is it the right way up?"
                )
            }
            Event::CardOut { reader } => write!(f, "the card was taken out of reader {reader:?}"),
            Event::ServiceOut { detail } => {
                write!(f, "the PC/SC service is gone ({detail}); waiting for it")
            }
            Event::ServiceIn => f.write_str("the PC/SC service is there again"),
        }
    }
}

/// What is in a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Slot {
    Empty,
    Card,
    Mute,
}

impl Slot {
    fn of(state: State) -> Self {
        // A reader without an answer (UNKNOWN, UNAVAILABLE) holds no card that one could use.
        if !state.contains(State::PRESENT) {
            Slot::Empty
        } else if state.contains(State::MUTE) {
            Slot::Mute
        } else {
            Slot::Card
        }
    }
}

/// A reader as it was seen last.
struct Seen {
    state: ReaderState,
    name: String,
    slot: Slot,
    count: u32,
}

impl Seen {
    fn new(name: CString) -> Self {
        Seen {
            name: name.to_string_lossy().into_owned(),
            state: ReaderState::new(name, State::UNAWARE),
            slot: Slot::Empty,
            count: 0,
        }
    }

    /// Says what changed since the reader was seen last.
    fn compare(&mut self, events: &mut VecDeque<Event>) {
        let (slot, count) = (Slot::of(self.state.event_state()), self.state.event_count());
        let reader = || self.name.clone();
        // The service counts a card's coming and going: a card changed between two looks is another card.
        let changed = slot != Slot::Empty && self.slot != Slot::Empty && count != self.count;
        if slot != self.slot || changed {
            if self.slot != Slot::Empty && (slot == Slot::Empty || changed) {
                events.push_back(Event::CardOut { reader: reader() });
            }
            match slot {
                Slot::Empty => {}
                Slot::Card => events.push_back(Event::CardIn {
                    reader: reader(),
                    atr: self.state.atr().to_vec(),
                }),
                Slot::Mute => events.push_back(Event::CardMute { reader: reader() }),
            }
        }
        (self.slot, self.count) = (slot, count);
        self.state.sync_current_state();
    }
}

/// Watches all readers. It needs no service to start with: it waits for one, and for one that is
/// restarted, for as long as it takes.
///
/// A `Watch` is for one thread; several may be at work at once, each has its own context.
pub struct Watch {
    context: Option<Context>,
    // The pseudo-reader for readers that come and go stands first, once the service is there.
    plug: ReaderState,
    seen: Vec<Seen>,
    events: VecDeque<Event>,
    // The service is not asked before this moment.
    again: Option<Instant>,
    pause: Duration,
    // Said that the service is gone, and not yet that it is back.
    told: bool,
}

impl Default for Watch {
    fn default() -> Self {
        Watch::new()
    }
}

impl Watch {
    /// Nothing is asked before [`Watch::next`]: that tells of what is there, then of what changes.
    pub fn new() -> Self {
        Watch {
            context: None,
            plug: ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE),
            seen: Vec::new(),
            events: VecDeque::new(),
            again: None,
            pause: FIRST_PAUSE,
            told: false,
        }
    }

    /// Waits for the next event. `None` when none came within `timeout`, or soon after `stop` was set
    /// (at most a quarter of a second later). No failure ends a watch: a service that is gone is an event.
    pub fn next(&mut self, timeout: Duration, stop: &AtomicBool) -> Option<Event> {
        let start = Instant::now();
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            let left = timeout.saturating_sub(start.elapsed());
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            // A watch that was asked with no time to wait has looked once.
            self.look(left.min(TICK));
            if self.events.is_empty() && start.elapsed() >= timeout {
                return None;
            }
        }
    }

    /// Waits until a card that answers is in a reader, by its whole name, and gives its ATR; `None`
    /// after the timeout or on `stop`. Events of other readers that come meanwhile are kept for
    /// [`Watch::next`].
    pub fn card_in(
        &mut self,
        reader: &str,
        timeout: Duration,
        stop: &AtomicBool,
    ) -> Option<Vec<u8>> {
        self.until(timeout, stop, |watch| {
            let seen = watch.seen.iter().find(|seen| seen.name == reader)?;
            (seen.slot == Slot::Card).then(|| seen.state.atr().to_vec())
        })
    }

    /// Waits until a reader, by its whole name, has no card in it or is gone itself; false after the
    /// timeout or on `stop`. Events that come meanwhile are kept for [`Watch::next`].
    pub fn card_out(&mut self, reader: &str, timeout: Duration, stop: &AtomicBool) -> bool {
        let gone = |watch: &Watch| {
            let seen = watch.seen.iter().find(|seen| seen.name == reader);
            // A service that is gone is no answer.
            let out = watch.context.is_some() && seen.is_none_or(|seen| seen.slot == Slot::Empty);
            out.then_some(())
        };
        self.until(timeout, stop, gone).is_some()
    }

    fn until<T>(
        &mut self,
        timeout: Duration,
        stop: &AtomicBool,
        is: impl Fn(&Watch) -> Option<T>,
    ) -> Option<T> {
        let start = Instant::now();
        loop {
            let left = timeout.saturating_sub(start.elapsed());
            self.look(Duration::ZERO);
            if let Some(found) = is(self) {
                return Some(found);
            }
            if left.is_zero() || stop.load(Ordering::Relaxed) {
                return None;
            }
            self.look(left.min(TICK));
        }
    }

    /// Readers that are there now, as last seen.
    pub fn readers(&self) -> impl Iterator<Item = &str> {
        self.seen.iter().map(|seen| seen.name.as_str())
    }

    /// Looks once, for at most `time` if nothing happens, and puts what happened into the queue.
    fn look(&mut self, time: Duration) {
        let now = Instant::now();
        if let Some(again) = self.again.filter(|again| *again > now) {
            std::thread::sleep(time.min(again - now));
            return;
        }
        match self.ask(time) {
            Ok(()) => (self.again, self.pause) = (None, FIRST_PAUSE),
            Err(detail) => {
                self.lost(&detail);
                self.again = Some(Instant::now() + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
            }
        }
    }

    fn ask(&mut self, time: Duration) -> Result<(), String> {
        let context = match &self.context {
            Some(context) => context.clone(),
            None => {
                let context = context().map_err(|e| e.to_string())?;
                self.plug = ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE);
                self.context.insert(context).clone()
            }
        };
        let before = self.events.len();
        // The list is asked each time: a reader that came between two waits sets no notification off.
        let there = names(&context).map_err(|e| e.to_string())?;
        if core::mem::take(&mut self.told) {
            self.events.push_back(Event::ServiceIn);
        }
        self.list(there);
        // Something is to be told already: look at the states, and don't wait.
        let time = match self.events.len() > before {
            true => Duration::ZERO,
            false => time,
        };
        self.states(&context, time)
    }

    /// Compares the list of readers with what was there.
    fn list(&mut self, there: Vec<CString>) {
        let events = &mut self.events;
        self.seen.retain(|seen| {
            let stays = there.iter().any(|name| **name == *seen.state.name());
            if !stays {
                gone(seen, events);
            }
            stays
        });
        for name in there {
            if !self.seen.iter().any(|seen| *seen.state.name() == *name) {
                let seen = Seen::new(name);
                events.push_back(Event::ReaderIn {
                    reader: seen.name.clone(),
                });
                self.seen.push(seen);
            }
        }
    }

    /// Asks for the states of all readers.
    fn states(&mut self, context: &Context, time: Duration) -> Result<(), String> {
        let replacement = || ReaderState::new(PNP_NOTIFICATION(), State::UNAWARE);
        // The call wants one array of states.
        let mut states = vec![core::mem::replace(&mut self.plug, replacement())];
        for seen in &mut self.seen {
            states.push(core::mem::replace(&mut seen.state, replacement()));
        }
        let result = context.get_status_change(time, &mut states);
        let mut states = states.into_iter();
        if let Some(mut plug) = states.next() {
            plug.sync_current_state();
            self.plug = plug;
        }
        for (seen, state) in self.seen.iter_mut().zip(states) {
            seen.state = state;
            if result.is_ok() {
                seen.compare(&mut self.events);
            }
        }
        match result {
            // A reader went between list and wait: the next list says so.
            Ok(())
            | Err(
                Error::Timeout | Error::Cancelled | Error::UnknownReader | Error::ReaderUnavailable,
            ) => Ok(()),
            Err(e) => Err(e.to_string()),
        }
    }

    /// The service is gone, and with it all that was there.
    fn lost(&mut self, detail: &str) {
        self.context = None;
        for seen in self.seen.drain(..) {
            gone(&seen, &mut self.events);
        }
        if !core::mem::replace(&mut self.told, true) {
            self.events.push_back(Event::ServiceOut {
                detail: detail.to_owned(),
            });
        }
    }
}

/// A reader is gone, and the card in it.
fn gone(seen: &Seen, events: &mut VecDeque<Event>) {
    let reader = || seen.name.clone();
    if seen.slot != Slot::Empty {
        events.push_back(Event::CardOut { reader: reader() });
    }
    events.push_back(Event::ReaderOut { reader: reader() });
}
