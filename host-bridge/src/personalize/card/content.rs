//! What is on the card: packages, applets, their data and states, and what is read of them.

use super::Work;
use super::session::Session;
use crate::gp::{Domain, GpError, plan};
use crate::journal::Progress;
use crate::personalize::job::{
    Action, InstallStep, JobStep, LoadStep, ReadStep, SetState, Value, memory_for,
};
use crate::personalize::{Applet, Event, PersonalizeError, emit};
use crate::transport::exchange;
use applet_gen::cap::budget::Limits;
use applet_gen::gp::command::{self, INS_LOAD, StatusKind};
use applet_gen::gp::registry::{RegistryEntry, parse_card_resources};
use applet_gen::script::Step;
use applet_model::apdu::Response;
use applet_model::status::Sw;

/// Sends commands of a plan.
fn send(isd: &mut Domain<'_>, steps: &[Step]) -> Result<(), PersonalizeError> {
    for step in steps {
        let answer = isd.exchange(&step.command)?;
        plan::judge(step, &answer)?;
    }
    Ok(())
}

/// The commands of a step, for the card's secure channel.
fn commands(
    work: &Work<'_, '_>,
    isd: &Domain<'_>,
    action: &Action,
) -> Result<Vec<Step>, PersonalizeError> {
    let task = work.task;
    action.commands(task.job, task.definition, task.row, isd.max_command_data())
}

/// Is there room, and is there nothing of somebody else's in the way? Notes the packages that are there,
/// loaded by an earlier run.
pub(super) fn check(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
) -> Result<((), String), PersonalizeError> {
    let isd = session.secure(work)?;
    let job = work.task.job;
    let files = isd.load_files()?;
    for (i, cap) in job.caps.iter().enumerate() {
        let ours = match job.load_step(i) {
            Some(step) => work.progress(&step.name)? != Progress::NotBegun,
            None => false,
        };
        if present(work, isd, &files, &cap.applet, ours)? {
            work.there.insert(i);
        }
    }
    let missing = job.caps.iter().enumerate();
    let missing: Vec<&Applet> = missing
        .filter(|(i, _)| !work.there.contains(i))
        .map(|(_, cap)| &cap.applet)
        .collect();
    if missing.is_empty() {
        let what = match job.caps.len() {
            1 => "the package is there, loaded by an earlier run",
            _ => "the packages are there, loaded by an earlier run",
        };
        return Ok(((), what.to_owned()));
    }
    let resources = isd.exchange(&command::get_data(command::TAG_EXTENDED_CARD_RESOURCES))?;
    let free = match resources.sw {
        Sw::OK => parse_card_resources(&resources.data).ok(),
        _ => None,
    };
    let Some(free) = free else {
        return Ok(((), "the card doesn't say what memory is free".to_owned()));
    };
    let limits = Limits {
        persistent: Some(free.non_volatile.into()),
        reset: Some(free.volatile.into()),
        ..Limits::default()
    };
    memory_for(missing.into_iter(), "by the card itself", limits)?;
    Ok((
        (),
        format!(
            "{} bytes persistent, {} transient free",
            free.non_volatile, free.volatile
        ),
    ))
}

/// Whether a package is there, whole, and loaded by an earlier run. What else is in its way is deleted
/// here, or refused, while the journal has no load of ours: a package found later is then one that we
/// loaded.
fn present(
    work: &Work<'_, '_>,
    isd: &mut Domain<'_>,
    files: &[RegistryEntry],
    applet: &Applet,
    ours: bool,
) -> Result<bool, PersonalizeError> {
    let Some(entry) = files.iter().find(|entry| entry.aid == applet.package) else {
        return Ok(false);
    };
    let modules = || applet.cap.applets.iter();
    let whole =
        entry.modules.is_empty() || modules().all(|module| entry.modules.contains(&module.aid));
    if ours && whole {
        return Ok(true);
    }
    if !ours && !work.task.replace_foreign {
        return Err(PersonalizeError::ForeignPackage(hex::encode_upper(
            &applet.package,
        )));
    }
    // Half a package of ours, or a foreign one that may be replaced.
    send(isd, &plan::delete(&applet.package, true))?;
    Ok(false)
}

pub(super) fn load(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    action: &Action,
    load: &LoadStep,
) -> Result<((), String), PersonalizeError> {
    if work.there.contains(&load.cap) {
        return Ok(((), "loaded by an earlier run".to_owned()));
    }
    let isd = session.secure(work)?;
    let steps = commands(work, isd, action)?;
    let (begin, blocks): (Vec<&Step>, Vec<&Step>) =
        steps.iter().partition(|step| step.command.ins != INS_LOAD);
    for step in begin {
        let answer = isd.exchange(&step.command)?;
        if plan::judge(step, &answer).is_err() {
            // A load that was cut off may be in the way on some cards, invisible in the registry.
            if let Some(cap) = work.task.job.caps.get(load.cap) {
                isd.exchange(&command::delete(&cap.applet.package, true))?;
            }
            let answer = isd.exchange(&step.command)?;
            plan::judge(step, &answer)?;
        }
    }
    let count = blocks.len();
    let mut bytes = 0;
    for (i, step) in blocks.into_iter().enumerate() {
        let answer = isd.exchange(&step.command)?;
        plan::judge(step, &answer)?;
        bytes += step.command.data.len();
        emit(
            work.observer,
            Event::Loading {
                block: i + 1,
                of: count,
            },
        )?;
    }
    Ok(((), format!("{bytes} bytes in {count} blocks")))
}

pub(super) fn install(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    action: &Action,
    install: &InstallStep,
) -> Result<((), String), PersonalizeError> {
    let isd = session.secure(work)?;
    let entry = isd
        .status(StatusKind::Applications)?
        .into_iter()
        .find(|entry| entry.aid == install.instance);
    if let Some(entry) = entry {
        let other = entry.load_file.is_some_and(|file| file != install.package);
        if other {
            return Err(PersonalizeError::ForeignPackage(hex::encode_upper(
                &install.instance,
            )));
        }
        return Ok(((), "installed by an earlier run".to_owned()));
    }
    send(isd, &commands(work, isd, action)?)?;
    Ok((
        (),
        format!("instance {}", hex::encode_upper(&install.instance)),
    ))
}

/// STORE DATA, the order's configuration among them. What it stored is in no text.
pub(super) fn store(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    action: &Action,
) -> Result<String, PersonalizeError> {
    let isd = session.secure(work)?;
    let steps = commands(work, isd, action)?;
    send(isd, &steps)?;
    let stored = steps
        .iter()
        .filter(|step| step.command.ins == command::INS_STORE_DATA);
    let bytes: usize = stored.map(|step| step.command.data.len()).sum();
    Ok(format!("{bytes} bytes"))
}

pub(super) fn set_state(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    step: &JobStep,
    state: &SetState,
) -> Result<(), PersonalizeError> {
    // The state before a lock is the card's to know.
    if matches!(state, SetState::Application { locked: false, .. }) {
        return work.once(&step.name, |work| {
            let isd = session.secure(work)?;
            send(isd, &commands(work, isd, &step.action)?)?;
            Ok("unlocked".to_owned())
        });
    }
    work.step(&step.name, |work| {
        let isd = session.secure(work)?;
        let is = match state {
            SetState::Card { state, .. } => isd
                .status(StatusKind::IssuerSecurityDomain)?
                .iter()
                .any(|entry| entry.life_cycle == *state),
            SetState::Application { aid, .. } => isd
                .status(StatusKind::Applications)?
                .iter()
                .any(|entry| entry.aid == *aid && entry.life_cycle & 0x80 != 0),
        };
        if is {
            return Ok(((), "it is that already".to_owned()));
        }
        send(isd, &commands(work, isd, &step.action)?)?;
        Ok((
            (),
            match state {
                SetState::Card { name, .. } => format!("the card is {name}"),
                SetState::Application { .. } => "locked".to_owned(),
            },
        ))
    })
}

pub(super) fn read(
    work: &mut Work<'_, '_>,
    session: &mut Session<'_>,
    step: &JobStep,
    read: &ReadStep,
) -> Result<((), String), PersonalizeError> {
    let task = work.task;
    let steps = step
        .action
        .commands(task.job, task.definition, task.row, usize::MAX)?;
    let mut answer = Response::status(Sw::OK);
    for step in &steps {
        answer = match read.select {
            Some(_) => exchange(session.plain(), &step.command)?,
            None => session.secure(work)?.exchange(&step.command)?,
        };
        plan::judge(step, &answer)?;
    }
    if let Some(expect) = &read.expect {
        let expected = expect.text(task.row).map_err(|(_, problem)| {
            PersonalizeError::Gp(GpError::Refused {
                command: problem,
                sw: answer.sw,
            })
        })?;
        if !Value::fits(&expected, &answer.data) {
            return Err(PersonalizeError::Verify {
                what: format!("by step {}", step.name),
                // What only the order knows may be secret.
                expected: match expect.is_of_job() {
                    true => format!("{} bytes as the order's row has them", expected.len() / 2),
                    false => expected,
                },
                found: match expect.is_of_job() {
                    true => format!("{} bytes that differ", answer.data.len()),
                    false => hex::encode_upper(&answer.data),
                },
            });
        }
    }
    if read.receipt {
        let text = hex::encode_upper(&answer.data);
        work.reads.insert(step.name.clone(), text);
    }
    Ok(((), format!("{} bytes, {}", answer.data.len(), answer.sw)))
}
