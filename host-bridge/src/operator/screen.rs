//! A station's state: a fold over its events.

use crate::exit::Exit;
use crate::personalize::Event;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Ends of cards that throughput is taken from.
const WINDOW: usize = 64;
/// Events kept for the list.
const KEPT: usize = 200;

/// What a reader's operator has to know at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// No card: the operator's turn.
    Insert,
    /// A card is at work: hands off.
    Working {
        /// The step, once one was begun.
        step: Option<String>,
        /// LOAD blocks sent, of all, within LOAD.
        blocks: Option<(usize, usize)>,
    },
    /// The card is done: take it out.
    Done,
    /// The card is set aside: take it out, to the other tray.
    Failed(Why),
    /// The card isn't for this run, nothing was changed on it: take it out.
    Refused(Why),
    /// The reader can't go on.
    Lost(Why),
}

/// A reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// Class of the error, by its name in [`crate::exit::TABLE`].
    pub class: &'static str,
    /// The error.
    pub error: String,
}

/// A reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    /// Its name.
    pub name: String,
    /// What it does.
    pub phase: Phase,
    /// The card in it.
    pub eid: Option<String>,
    /// When its phase began.
    pub since: Duration,
}

/// A station. Times count from the run's start.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Screen {
    /// Heading: order and station.
    pub title: String,
    /// In the order of their first event.
    pub readers: Vec<Reader>,
    /// Cards in the order.
    pub cards: usize,
    /// Done, with those of earlier runs.
    pub done: usize,
    /// Failed in this run.
    pub failed: usize,
    /// How many cards failed, by class.
    pub classes: BTreeMap<&'static str, usize>,
    /// The last events, newest last.
    pub log: VecDeque<(Duration, String)>,
    /// The operator asked to stop.
    pub stopping: bool,
    /// Now.
    pub now: Duration,
    ends: VecDeque<Duration>,
}

impl Screen {
    /// An empty station with a heading and readers that wait for their first card.
    pub fn new(title: &str, readers: impl IntoIterator<Item = String>) -> Self {
        let mut screen = Screen {
            title: title.to_owned(),
            ..Screen::default()
        };
        for name in readers {
            screen.reader(&name);
        }
        screen
    }

    /// Time passes. It never goes back.
    pub fn tick(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    /// Takes an event of a reader's.
    pub fn apply(&mut self, at: Duration, reader: &str, event: &Event) {
        self.tick(at);
        match event {
            Event::Started { cards, done, .. } => {
                self.cards = *cards;
                self.done = *done;
                if *done > 0 {
                    self.say(format!("{done} of {cards} cards were done by earlier runs"));
                }
            }
            Event::Insert => self.enter(reader, None, Phase::Insert),
            Event::Card { eid, resumed, .. } => {
                if *resumed {
                    self.say(format!("{reader}: {eid} was begun by an earlier run"));
                }
                let (step, blocks) = (None, None);
                self.enter(reader, Some(eid), Phase::Working { step, blocks });
            }
            Event::StepBegun { step } => self.work(reader, step, None),
            Event::Loading { block, of } => {
                if let Phase::Working { blocks, .. } = &mut self.reader(reader).phase {
                    *blocks = Some((*block, *of));
                }
            }
            Event::CardDone { eid, .. } => {
                self.done += 1;
                self.end();
                self.say(format!("{reader}: {eid} done"));
                self.enter(reader, Some(eid), Phase::Done);
            }
            Event::CardFailed { eid, exit, error } => {
                self.failed += 1;
                self.end();
                *self.classes.entry(exit.name).or_default() += 1;
                self.say(format!("{reader}: {eid} failed: {error}"));
                self.enter(reader, Some(eid), Phase::Failed(why(*exit, error)));
            }
            Event::CardRefused { eid, exit, error } => {
                let card = eid.as_deref().unwrap_or("a card without an EID");
                self.say(format!("{reader}: {card} is not for this run: {error}"));
                self.enter(reader, eid.as_ref(), Phase::Refused(why(*exit, error)));
            }
            Event::HookFailed { eid, error } => {
                self.say(format!("{reader}: {eid}: {error}"));
            }
            Event::ReaderLost { exit, error } => {
                self.say(format!("{reader}: can't go on: {error}"));
                self.enter(reader, None, Phase::Lost(why(*exit, error)));
            }
            Event::KeySet { .. } | Event::KeysFit | Event::StepEnded { .. } => {}
        }
    }

    /// Cards an hour, from the last ends; `None` before there are enough of them.
    pub fn per_hour(&self) -> Option<f64> {
        let first = self.ends.front()?;
        let time = self.now.saturating_sub(*first).as_secs_f64();
        // The first end opens the window and is not counted in it.
        let count = self.ends.len().checked_sub(1).filter(|n| *n > 0)?;
        (time > 0.0).then(|| count as f64 * 3600.0 / time)
    }

    /// Cards that are neither done nor failed.
    pub fn open(&self) -> usize {
        self.cards.saturating_sub(self.done + self.failed)
    }

    /// How long the open cards take at this throughput.
    pub fn left(&self) -> Option<Duration> {
        let seconds = self.open() as f64 * 3600.0 / self.per_hour()?;
        Duration::try_from_secs_f64(seconds).ok()
    }

    /// Adds a line to the list of events.
    pub fn say(&mut self, text: String) {
        if self.log.len() == KEPT {
            self.log.pop_front();
        }
        self.log.push_back((self.now, text));
    }

    fn end(&mut self) {
        if self.ends.len() == WINDOW {
            self.ends.pop_front();
        }
        self.ends.push_back(self.now);
    }

    fn reader(&mut self, name: &str) -> &mut Reader {
        let place = self.readers.iter().position(|reader| reader.name == name);
        let place = place.unwrap_or_else(|| {
            self.readers.push(Reader {
                name: name.to_owned(),
                phase: Phase::Insert,
                eid: None,
                since: self.now,
            });
            self.readers.len() - 1
        });
        &mut self.readers[place]
    }

    fn enter(&mut self, reader: &str, eid: Option<&String>, phase: Phase) {
        let now = self.now;
        let reader = self.reader(reader);
        reader.phase = phase;
        reader.eid = eid.cloned();
        reader.since = now;
    }

    /// A step of the card that is at work; of a card that isn't, nothing is known.
    fn work(&mut self, reader: &str, begun: &str, of: Option<(usize, usize)>) {
        if let Phase::Working { step, blocks } = &mut self.reader(reader).phase {
            *step = Some(begun.to_owned());
            *blocks = of;
        }
    }
}

fn why(exit: Exit, error: &str) -> Why {
    Why {
        class: exit.name,
        error: error.to_owned(),
    }
}
