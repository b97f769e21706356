//! One card, step by step: the frame that every card has, and the steps of the job.
//!
//! `session` is the secure channel, which comes and goes; `content` what is on the card, `keys` what opens
//! it, `ipae` what an IPAe applet and its eUICC get.

mod content;
pub(super) mod ipae;
mod keys;
mod session;

use super::es10::Es10;
use super::evidence::Recorded;
use super::job::{AUTHENTICATE, Action, CHECK, IDENTIFY, JobStep};
use super::output::write_receipt;
use super::receipt::{self, AppletReceipt, EimReceipt, JobReceipt, PackageReceipt};
use super::receipt::{Receipt, RunReceipt};
use super::{Event, Observer, Options, PersonalizeError, Task, emit};
use crate::gp::Domain;
use crate::journal::{ChainHead, Progress};
use crate::order::point_of;
use crate::transport::CardLink;
use applet_gen::gp::command;
use applet_model::sgp::Iccid;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::status::Sw;
use cards::definition::Definition;
use session::Session;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

/// Who a card is.
pub(super) struct Identity {
    /// EID, 32 digits.
    pub eid: String,
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Card production life cycle data; empty if the card has none.
    pub cplc: Vec<u8>,
    /// ICCIDs of its profiles; `None` if it wasn't asked.
    pub iccids: Option<Vec<Iccid>>,
}

/// The card's connection, with what went over it.
pub(super) type Link = Recorded<Box<dyn CardLink>>;

/// Resets the card and asks who it is. Changes nothing on it.
pub(super) fn identify(
    link: &mut Link,
    definition: &Definition,
    iccids: bool,
) -> Result<Identity, PersonalizeError> {
    let atr = link.reset()?;
    let mut es10 = Es10::open(link, definition)?;
    let eid = es10.eid()?;
    let iccids = match iccids {
        true => Some(es10.iccids()?),
        false => None,
    };
    es10.close()?;
    let mut isd = Domain::issuer(link, definition)?;
    // Not every card has them, and none needs them.
    let cplc = isd.exchange(&command::get_data(command::TAG_CPLC))?;
    let cplc = if cplc.sw == Sw::OK {
        cplc.data
    } else {
        Vec::new()
    };
    Ok(Identity {
        eid,
        atr,
        cplc,
        iccids,
    })
}

/// A card at work: the task, where to report to, and what came of it so far.
struct Work<'a, 'o> {
    task: &'a Task<'a>,
    options: &'a Options,
    eid: String,
    observer: &'a mut Observer<'o>,
    /// Packages that are on the card, by [`crate::personalize::Job::caps`].
    there: BTreeSet<usize>,
    /// What the verify step read back.
    verified: Option<ipae::Verified>,
    /// What read steps read for the receipt.
    reads: BTreeMap<String, String>,
}

impl Work<'_, '_> {
    /// Runs a step: journal before, journal after, its error marked with the step.
    fn step<T>(
        &mut self,
        step: &str,
        body: impl FnOnce(&mut Self) -> Result<(T, String), PersonalizeError>,
    ) -> Result<T, PersonalizeError> {
        self.task.journal.begin_step(&self.eid, step)?;
        let named = || step.to_owned();
        emit(self.observer, Event::StepBegun { step: named() })?;
        let started = Instant::now();
        let (value, detail) = body(self).map_err(|error| match error {
            error if error.stops_run() => error,
            error => PersonalizeError::In {
                step: named(),
                source: Box::new(error),
            },
        })?;
        let took = started.elapsed().as_millis() as u64;
        self.task.journal.end_step(&self.eid, step, &detail, took)?;
        let step = named();
        emit(self.observer, Event::StepEnded { step, detail })?;
        Ok(value)
    }

    fn progress(&self, step: &str) -> Result<Progress, PersonalizeError> {
        Ok(self.task.journal.progress(&self.eid, step)?)
    }

    /// What a step that is done once did, unless it ended in an earlier run.
    fn once(
        &mut self,
        step: &str,
        body: impl FnOnce(&mut Self) -> Result<String, PersonalizeError>,
    ) -> Result<(), PersonalizeError> {
        let ended = self.progress(step)? == Progress::Ended;
        self.step(step, |work| match ended {
            true => Ok(((), "stored by an earlier run".to_owned())),
            false => Ok(((), body(work)?)),
        })
    }
}

/// Takes a card through all steps and writes its receipt, whose number it gives.
pub(super) fn personalize(
    task: &Task<'_>,
    identity: Identity,
    link: &mut Link,
    options: &Options,
    observer: &mut Observer<'_>,
) -> Result<u64, PersonalizeError> {
    let row = task.row;
    let mut work = Work {
        task,
        options,
        eid: row.eid.to_string(),
        observer,
        there: BTreeSet::new(),
        verified: None,
        reads: BTreeMap::new(),
    };
    work.step(IDENTIFY, |work| compare(&identity, work))?;
    let mut session = Session::new(Domain::issuer(link, task.definition)?);
    work.step(AUTHENTICATE, |work| {
        keys::open(&mut session, work)?;
        let set = session.used()?;
        let text = format!("key set {}, version {}", set.name, set.kvn);
        Ok(((), text))
    })?;
    if !task.job.caps.is_empty() {
        work.step(CHECK, |work| content::check(work, &mut session))?;
    }
    for step in &task.job.steps {
        act(&mut work, &mut session, step)?;
    }
    let key_set = session.used()?;
    drop(session);
    let record = task.journal.card(&work.eid)?;
    let finished = (options.clock)();
    let receipt = Receipt {
        format: receipt::FORMAT,
        eid: work.eid.clone(),
        iccids: row.iccids.iter().map(ToString::to_string).collect(),
        line: row.line,
        order: task.order_digest.to_owned(),
        card: format!("{} {}", task.definition.eum, task.definition.product),
        atr: hex::encode_upper(&identity.atr),
        cplc: hex::encode_upper(&identity.cplc),
        key_set,
        keys_in_host: task.keys_in_host,
        job: JobReceipt {
            sha256: task.job.digest.clone(),
            title: task.job.title.clone(),
            steps: task.job.steps.iter().map(|one| one.name.clone()).collect(),
        },
        packages: task.job.caps.iter().map(PackageReceipt::of).collect(),
        applet: work.verified.as_ref().map(|verified| AppletReceipt {
            instance: hex::encode_upper(&verified.application),
            version: hex::encode_upper(&verified.version),
        }),
        eim: work
            .verified
            .as_ref()
            .and_then(|verified| verified.entry.as_ref())
            .map(|entry| eim_receipt(entry, record.as_ref().and_then(|card| card.token))),
        configuration: work
            .verified
            .as_ref()
            .filter(|verified| verified.configuration)
            .map(|_| row.config.clone()),
        reads: work.reads,
    };
    let run = RunReceipt {
        attempts: task.attempts,
        reader: task.reader.to_owned(),
        traffic: link.traffic(),
        finished: finished.clone(),
    };
    let mut seal = |head: &ChainHead| receipt::seal(&receipt, &run, head, task.signer);
    let sealed = task.journal.finish(&work.eid, &finished, &mut seal)?;
    write_receipt(&options.out, &sealed)?;
    Ok(sealed.sequence)
}

fn eim_receipt(entry: &EimConfigurationData, token: Option<i64>) -> EimReceipt {
    EimReceipt {
        id: entry.eim_id.clone(),
        fqdn: entry.eim_fqdn.clone().unwrap_or_default(),
        public_key: point_of(entry).map(hex::encode_upper).unwrap_or_default(),
        association_token: token,
    }
}

/// The card is the one of the order's row: EID, and the ICCIDs where the row has some.
fn compare(identity: &Identity, work: &mut Work<'_, '_>) -> Result<((), String), PersonalizeError> {
    if identity.eid != work.eid {
        return Err(PersonalizeError::Identity {
            what: "EID",
            expected: work.eid.clone(),
            found: identity.eid.clone(),
        });
    }
    let ordered = &work.task.row.iccids;
    let found = identity.iccids.as_deref().unwrap_or_default();
    // The order names profiles that the card must have; a card may have others beside them.
    if let Some(missing) = ordered.iter().find(|iccid| !found.contains(iccid)) {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        return Err(PersonalizeError::Identity {
            what: "ICCID",
            expected: missing.to_string(),
            found: match found.is_empty() {
                true => "no profile".to_owned(),
                false => found.join(" "),
            },
        });
    }
    let iccids = match ordered.len() {
        0 => String::new(),
        n => format!(", {n} ICCIDs as ordered"),
    };
    Ok(((), format!("EID {}{iccids}", identity.eid)))
}

/// A step of the job.
fn act(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    step: &JobStep,
) -> Result<(), PersonalizeError> {
    let name = step.name.as_str();
    match &step.action {
        Action::Load(load) => work.step(name, |work| {
            content::load(work, session, &step.action, load)
        }),
        Action::Install(install) => work.step(name, |work| {
            content::install(work, session, &step.action, install)
        }),
        Action::Store(_) | Action::Configure { .. } => {
            work.once(name, |work| content::store(work, session, &step.action))
        }
        Action::SetState(state) => content::set_state(work, session, step, state),
        Action::Read(read) => work.step(name, |work| content::read(work, session, step, read)),
        // An order without new keys leaves the card its own.
        Action::RotateKeys { .. } => match &work.task.row.new_keys {
            None => Ok(()),
            Some(new) => work.step(name, |work| keys::rotate(session, work, new)),
        },
        Action::AddEim => {
            let token = work.step(name, |work| ipae::add_eim(work, session.plain()))?;
            match token {
                Some(token) => Ok(work.task.journal.set_token(&work.eid, token)?),
                None => Ok(()),
            }
        }
        Action::Verify { .. } => {
            let verified = work.step(name, |work| {
                ipae::verify(work, session.plain(), &step.action)
            })?;
            work.verified = Some(verified);
            Ok(())
        }
    }
}
