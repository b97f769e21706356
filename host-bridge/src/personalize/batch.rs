//! A run: several readers, each with a thread and a card of its own, one journal, one stream of events.

use super::card::{self, Identity};
use super::error::PersonalizeError;
use super::event::{Event, Notice, RunObserver};
use super::evidence::Recorded;
use super::hook::{Hook, OnHookFailure};
use super::job::Job;
use super::receipt::Signer;
use super::station::{Presented, Station};
use super::{Options, Outcome, Task, output};
use crate::exit::{self, ExitCode};
use crate::journal::{Belongs, CardState, Choice, Claim, Fault, Journal, SqliteJournal};
use crate::order::{Order, OrderError, OrderRow};
use crate::transport::{CardLink, Traffic};
use cards::definition::Definition;
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is to be done: an order's cards of one definition get what a job says.
pub struct Batch<'a> {
    /// The order.
    pub order: &'a Order,
    /// Their definition.
    pub definition: &'a Definition,
    /// What each card gets.
    pub job: &'a Job,
    rows: HashMap<String, &'a OrderRow>,
    /// Some row has ICCIDs: cards are asked for theirs.
    iccids: bool,
}

impl<'a> Batch<'a> {
    /// A batch whose job fits the cards and the order.
    ///
    /// # Errors
    /// As [`Job::fits`]; [`PersonalizeError::Order`] with every row that the job can't be done for.
    pub fn new(
        order: &'a Order,
        definition: &'a Definition,
        job: &'a Job,
    ) -> Result<Self, PersonalizeError> {
        job.fits(definition)?;
        let faults = job.faults(order);
        if !faults.is_empty() {
            let path = order.path.clone();
            return Err(OrderError::Faults { path, faults }.into());
        }
        let rows = order.rows.iter().map(|row| (row.eid.to_string(), row));
        Ok(Batch {
            order,
            definition,
            job,
            rows: rows.collect(),
            iccids: order.rows.iter().any(|row| !row.iccids.is_empty()),
        })
    }

    /// What a journal of this batch belongs to.
    pub fn belongs(&self) -> Belongs {
        let text = serde_json::to_vec(self.definition).unwrap_or_default();
        Belongs {
            order: self.order.digest.clone(),
            definition: hex::encode(Sha256::digest(&text)),
            job: self.job.digest.clone(),
        }
    }

    /// The EIDs in the order's sequence.
    pub fn eids(&self) -> impl Iterator<Item = String> {
        self.order.rows.iter().map(|row| row.eid.to_string())
    }

    /// The journal in the output directory.
    ///
    /// # Errors
    /// [`PersonalizeError::Journal`].
    pub fn journal(&self, options: &Options) -> Result<SqliteJournal, PersonalizeError> {
        Ok(SqliteJournal::open(
            &options.out,
            &self.belongs(),
            &options.station,
            self.eids(),
        )?)
    }

    /// Personalizes the cards that are not done yet, at all these readers at once.
    ///
    /// # Errors
    /// [`PersonalizeError`] for what stops the whole run; a card's own error goes to its journal entry,
    /// the response file and [`Outcome::exit_code`].
    pub fn run(
        &self,
        journal: &dyn Journal,
        stations: Vec<&mut dyn Station>,
        options: &Options,
        observer: &mut RunObserver<'_>,
    ) -> Result<Outcome, PersonalizeError> {
        let signer = Signer::open(&options.receipt_key, &options.random)?;
        output::write_missing_receipts(&options.out, journal)?;
        self.state(journal, options, &signer)?;
        let records = journal.cards()?;
        let done = records
            .iter()
            .filter(|c| c.state == CardState::Done)
            .count();
        let shared = Shared {
            batch: self,
            journal,
            options,
            signer: &signer,
            observer: Mutex::new(observer),
            halt: AtomicBool::new(false),
            enough: AtomicBool::new(false),
            tally: Mutex::default(),
        };
        let cards = records.len();
        let started = Event::Started {
            cards,
            done,
            keys_in_host: options.keys_in_host,
        };
        shared.tell("", started)?;
        let ended: Vec<Result<(), PersonalizeError>> = std::thread::scope(|scope| {
            let mut threads = Vec::new();
            for station in stations {
                let shared = &shared;
                threads.push(scope.spawn(move || shared.worker(station)));
            }
            threads
                .into_iter()
                .map(|thread| match thread.join() {
                    Ok(result) => result,
                    Err(panic) => std::panic::resume_unwind(panic),
                })
                .collect()
        });
        let tally = shared
            .tally
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        // The first error that isn't a mere answer to another one's.
        let mut errors: Vec<PersonalizeError> = ended.into_iter().filter_map(Result::err).collect();
        errors.sort_by_key(|error| matches!(error, PersonalizeError::Interrupted));
        self.state(journal, options, &signer)?;
        let outcome = self.outcome(journal, options, &tally)?;
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        if tally.done == 0 && tally.touched.is_empty() && outcome.done < outcome.cards {
            // Nothing came of the run, and this is why.
            if let Some(why) = tally.lost.or(tally.refused) {
                return Err(why);
            }
        }
        Ok(outcome)
    }

    /// Says where the station's chain of receipts ends.
    fn state(
        &self,
        journal: &dyn Journal,
        options: &Options,
        signer: &Signer,
    ) -> Result<(), PersonalizeError> {
        let at = (options.clock)();
        output::write_statement(&options.out, &self.order.digest, journal, &at, signer)
    }

    fn outcome(
        &self,
        journal: &dyn Journal,
        options: &Options,
        tally: &Tally,
    ) -> Result<Outcome, PersonalizeError> {
        let records = journal.cards()?;
        output::write_responses(&options.out, &records, self.order)?;
        let count = |state| records.iter().filter(|c| c.state == state).count();
        let (done, failed) = (count(CardState::Done), count(CardState::Failed));
        let pending = records.len() - done - failed;
        let first = records
            .iter()
            .find_map(|c| c.error.as_ref().map(|(code, _)| *code));
        let why = tally.lost.as_ref().or(tally.refused.as_ref());
        let elsewhere = journal.elsewhere()?;
        // Nothing is left for this station: the others have it.
        let left = match elsewhere > 0 && elsewhere >= pending {
            true => exit::ELSEWHERE,
            false => exit::INTERRUPTED,
        };
        let left = why.map_or(left, ExitCode::exit).code;
        Ok(Outcome {
            cards: records.len(),
            done,
            done_now: tally.done,
            failed,
            pending,
            elsewhere,
            traffic: tally.traffic,
            exit_code: first.unwrap_or(if pending > 0 { left } else { 0 }),
        })
    }
}

/// What the readers of a run came to.
#[derive(Default)]
struct Tally {
    traffic: Traffic,
    done: usize,
    /// Cards that failed in this run: a free hand doesn't take them again.
    touched: Vec<String>,
    /// The first reader that was lost, and why.
    lost: Option<PersonalizeError>,
    /// The first card that wasn't for this run, and why.
    refused: Option<PersonalizeError>,
}

/// What the readers of a run have in common.
struct Shared<'a, 'o> {
    batch: &'a Batch<'a>,
    journal: &'a dyn Journal,
    options: &'a Options,
    signer: &'a Signer,
    observer: Mutex<&'a mut RunObserver<'o>>,
    /// Stop at the next step.
    halt: AtomicBool,
    /// Take no further card.
    enough: AtomicBool,
    tally: Mutex<Tally>,
}

/// What a station may ask of the run that it presents cards to.
pub struct Supply<'a> {
    choose: &'a dyn Fn() -> Result<Option<&'a OrderRow>, PersonalizeError>,
    tell: &'a dyn Fn(Event) -> Result<(), PersonalizeError>,
    stopped: &'a dyn Fn() -> bool,
    over: &'a dyn Fn() -> Result<bool, PersonalizeError>,
}

impl<'a> Supply<'a> {
    /// The card that a hand without a preference puts in next: one that is neither done nor in another
    /// reader. `None` if there is none.
    ///
    /// # Errors
    /// [`PersonalizeError::Journal`].
    pub fn choose(&mut self) -> Result<Option<&'a OrderRow>, PersonalizeError> {
        (self.choose)()
    }

    /// Tells what happens at the reader.
    ///
    /// # Errors
    /// [`PersonalizeError::Interrupted`] when the run is to stop.
    pub fn tell(&mut self, event: Event) -> Result<(), PersonalizeError> {
        (self.tell)(event)
    }

    /// Whether the run is to stop: a station that waits looks now and then.
    pub fn stopped(&self) -> bool {
        (self.stopped)()
    }

    /// Whether no card of the run is left to do: others did them while the station waited.
    ///
    /// # Errors
    /// [`PersonalizeError::Journal`].
    pub fn over(&self) -> Result<bool, PersonalizeError> {
        (self.over)()
    }
}

impl Shared<'_, '_> {
    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, reader: &str, event: Event) -> Result<(), PersonalizeError> {
        // A card's steps are its resting places.
        let rest = matches!(event, Event::StepEnded { .. });
        let notice = Notice {
            at: (self.options.clock)(),
            reader: reader.to_owned(),
            event,
        };
        let mut observer = self.observer.lock().unwrap_or_else(PoisonError::into_inner);
        let flow = observer(&notice);
        drop(observer);
        self.hook(&notice)?;
        match flow {
            ControlFlow::Break(()) => Err(PersonalizeError::Interrupted),
            ControlFlow::Continue(()) if rest && self.stopped() => {
                Err(PersonalizeError::Interrupted)
            }
            ControlFlow::Continue(()) => Ok(()),
        }
    }

    /// Runs the hook, on this reader's thread, if a card ended.
    fn hook(&self, notice: &Notice) -> Result<(), PersonalizeError> {
        let (Event::CardDone { eid, .. } | Event::CardFailed { eid, .. }) = &notice.event else {
            return Ok(());
        };
        let Some(hook) = &self.options.hook else {
            return Ok(());
        };
        let out = &self.options.out;
        let Err(failed) = hook.after(notice, |eid| output::receipt_file(out, eid)) else {
            return Ok(());
        };
        Hook::record(out, notice, eid, &failed)?;
        let (eid, error) = (eid.clone(), failed.to_string());
        self.tell(&notice.reader, Event::HookFailed { eid, error })?;
        match hook.on_failure {
            OnHookFailure::Warn => Ok(()),
            OnHookFailure::Stop => Err(failed.into()),
        }
    }

    fn stopped(&self) -> bool {
        self.halt.load(Ordering::Relaxed) || (self.options.stop)()
    }

    /// One reader's part; with an error that ends the run the others stop at their next step.
    fn worker(&self, station: &mut dyn Station) -> Result<(), PersonalizeError> {
        let reader = station.name();
        let result = self.cards(station, &reader);
        match result {
            Err(PersonalizeError::Link(error)) => {
                let exit = error.exit();
                let text = error.to_string();
                self.tally()
                    .lost
                    .get_or_insert(PersonalizeError::Link(error));
                self.tell(&reader, Event::ReaderLost { exit, error: text })
            }
            Err(error) => {
                self.halt.store(true, Ordering::Relaxed);
                Err(error)
            }
            Ok(()) => Ok(()),
        }
    }

    fn choose(&self, reader: &str) -> Result<Option<&OrderRow>, PersonalizeError> {
        let not = self.tally().touched.clone();
        let choice = Choice {
            worker: reader,
            set_aside: &self.options.set_aside(),
            not: &not,
        };
        let eid = self.journal.choose(&choice)?;
        Ok(eid.and_then(|eid| self.batch.rows.get(&eid).copied()))
    }

    /// True when no card is left to be taken.
    fn over(&self) -> Result<bool, PersonalizeError> {
        Ok(self.enough.load(Ordering::Relaxed) || self.journal.done()? >= self.batch.rows.len())
    }

    fn cards(&self, station: &mut dyn Station, reader: &str) -> Result<(), PersonalizeError> {
        // A card in a reader isn't even reset when nothing is left to do.
        while !self.over()? {
            if self.stopped() {
                return Err(PersonalizeError::Interrupted);
            }
            let mut supply = Supply {
                choose: &|| self.choose(reader),
                tell: &|event| self.tell(reader, event),
                stopped: &|| self.stopped(),
                over: &|| self.over(),
            };
            let Some(presented) = station.next(&mut supply)? else {
                break;
            };
            self.card(presented, reader)?;
        }
        Ok(())
    }

    /// One card that was seen. Errors are those that end the reader's part or the run.
    fn card(&self, presented: Presented, reader: &str) -> Result<(), PersonalizeError> {
        let mut link = Recorded::new(presented.link);
        let name = link.name();
        let identity = card::identify(&mut link, self.batch.definition, self.batch.iccids);
        let ended = match self.claim(identity, presented.expected, reader, &name) {
            Ok((row, attempts, identity)) => {
                let eid = row.eid.to_string();
                Some((
                    eid,
                    self.personalize(row, attempts, identity, &mut link, reader),
                ))
            }
            Err(Refusal::Card(eid, error)) => {
                let (exit, text) = (error.exit(), error.to_string());
                self.tally().refused.get_or_insert(error);
                let error = text;
                self.tell(reader, Event::CardRefused { eid, exit, error })?;
                None
            }
            Err(Refusal::Run(error)) => return Err(error),
        };
        let sent = link.traffic();
        let mut tally = self.tally();
        tally.traffic.apdus += sent.apdus;
        tally.traffic.sent += sent.sent;
        tally.traffic.received += sent.received;
        drop(tally);
        match ended {
            None => Ok(()),
            Some((eid, Ok(sequence))) => {
                self.tally().done += 1;
                self.tell(reader, Event::CardDone { eid, sequence })
            }
            Some((eid, Err(error))) if error.stops_run() || error.stops_reader() => {
                self.journal.release(&eid)?;
                Err(error)
            }
            Some((eid, Err(error))) => {
                let fault = Fault {
                    exit: error.exit(),
                    error: error.to_string(),
                    step: error.step().map(str::to_owned),
                    evidence: link.evidence(),
                };
                self.journal.fail(&eid, &fault)?;
                self.tally().touched.push(eid.clone());
                if self.options.stop_on_error {
                    self.enough.store(true, Ordering::Relaxed);
                }
                let Fault { exit, error, .. } = fault;
                self.tell(reader, Event::CardFailed { eid, exit, error })
            }
        }
    }

    /// Makes a card that said who it is this reader's.
    fn claim(
        &self,
        identity: Result<Identity, PersonalizeError>,
        expected: Option<String>,
        reader: &str,
        link: &str,
    ) -> Result<(&OrderRow, u32, Result<Identity, PersonalizeError>), Refusal> {
        let (eid, chip) = match (&identity, expected) {
            (Ok(identity), expected) => (
                expected.unwrap_or_else(|| identity.eid.clone()),
                hex::encode_upper(&identity.cplc),
            ),
            // A virtual card that doesn't say who it is still has a row to be blamed on.
            (Err(_), Some(eid)) => (eid, String::new()),
            (Err(_), None) => {
                return Err(match identity.map(drop) {
                    Err(error) if !error.stops_reader() => Refusal::Card(None, error),
                    Err(error) => Refusal::Run(error),
                    Ok(()) => Refusal::Run(PersonalizeError::Interrupted),
                });
            }
        };
        let refuse = |error| Err(Refusal::Card(Some(eid.clone()), error));
        let Some(row) = self.batch.rows.get(&eid) else {
            return refuse(PersonalizeError::NotInOrder { eid: eid.clone() });
        };
        let before = self.journal.card(&eid).map_err(PersonalizeError::from)?;
        if let Some((code, error)) = before.and_then(|card| card.error)
            && self.options.set_aside().contains(&code)
        {
            return refuse(PersonalizeError::SetAside {
                eid: eid.clone(),
                code,
                error,
            });
        }
        let claim = self.journal.claim(&eid, reader, &chip);
        let attempts = match claim.map_err(PersonalizeError::from)? {
            Claim::Taken { attempts } => attempts,
            Claim::NotInOrder => return refuse(PersonalizeError::NotInOrder { eid: eid.clone() }),
            Claim::Done => return refuse(PersonalizeError::AlreadyDone { eid: eid.clone() }),
            Claim::Busy { worker } => {
                return refuse(PersonalizeError::Busy {
                    eid: eid.clone(),
                    worker,
                });
            }
            Claim::OtherChip { expected } => {
                return refuse(PersonalizeError::Identity {
                    what: "production life cycle data",
                    expected,
                    found: chip,
                });
            }
        };
        let event = Event::Card {
            eid: eid.clone(),
            link: link.to_owned(),
            resumed: attempts > 1,
        };
        self.tell(reader, event)?;
        Ok((row, attempts, identity))
    }

    fn personalize(
        &self,
        row: &OrderRow,
        attempts: u32,
        identity: Result<Identity, PersonalizeError>,
        link: &mut card::Link,
        reader: &str,
    ) -> Result<u64, PersonalizeError> {
        let task = Task {
            definition: self.batch.definition,
            job: self.batch.job,
            row,
            attempts,
            journal: self.journal,
            order_digest: &self.batch.order.digest,
            replace_foreign: self.options.replace_foreign,
            keys_in_host: self.options.keys_in_host,
            signer: self.signer,
            reader,
        };
        let mut observer = |event: &Event| match self.tell(reader, event.clone()) {
            Ok(()) => ControlFlow::Continue(()),
            Err(_) => ControlFlow::Break(()),
        };
        card::personalize(&task, identity?, link, self.options, &mut observer)
    }
}

/// Why a card isn't this reader's.
enum Refusal {
    /// The card isn't for this run; the reader goes on.
    Card(Option<String>, PersonalizeError),
    /// The reader or the run ends.
    Run(PersonalizeError),
}

impl From<PersonalizeError> for Refusal {
    fn from(error: PersonalizeError) -> Self {
        Refusal::Run(error)
    }
}
