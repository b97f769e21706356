//! One card, step by step.

use super::applet::Applet;
use super::error::PersonalizeError;
use super::es10::Es10;
use super::evidence::Recorded;
use super::output::write_receipt;
use super::receipt::{self, AppletReceipt, EimReceipt, KeySetReceipt, Receipt, RunReceipt};
use super::{Event, Job, Observer, Options, emit};
use crate::exit::{self, ExitCode};
use crate::gp::{Authentication, Domain, GpError, Notice};
use crate::journal::{ChainHead, Progress, Rotation};
use crate::order::{Eim, KeySet, point_of};
use crate::transport::{CardLink, exchange};
use applet_gen::cap::budget::Limits;
use applet_gen::gp::command::{self, Install, StatusKind};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::put_key::{expected_answer, put_key_set};
use applet_gen::gp::registry::{RegistryEntry, parse_card_resources};
use applet_gen::gp::scp03::CardKeysError;
use applet_model::apdu::Command;
use applet_model::commands::{
    CLA, INS_GET_DATA, INS_STORE_DATA, OBJECT_CLASS, OBJECT_CONFIG, OBJECT_VERSION,
};
use applet_model::config::{Config, Form, ITEMS};
use applet_model::machine::layout::reg;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::status::Sw;
use applet_model::tlv;
use cards::definition::Definition;
use std::time::Instant;

/// Who a card is.
pub(super) struct Identity {
    /// EID, 32 digits.
    pub eid: String,
    /// Answer to reset.
    pub atr: Vec<u8>,
    /// Card production life cycle data; empty if the card has none.
    pub cplc: Vec<u8>,
}

/// The card's connection, with what went over it.
pub(super) type Link = Recorded<Box<dyn CardLink>>;

/// Resets the card and asks who it is. Changes nothing on it.
pub(super) fn identify(
    link: &mut Link,
    definition: &Definition,
) -> Result<Identity, PersonalizeError> {
    let atr = link.reset()?;
    let mut es10 = Es10::open(link, definition)?;
    let eid = es10.eid()?;
    es10.close()?;
    let mut isd = Domain::issuer(link, definition)?;
    // Not every card has them, and none needs them.
    let cplc = isd.exchange(&command::get_data(command::TAG_CPLC))?;
    let cplc = if cplc.sw == Sw::OK {
        cplc.data
    } else {
        Vec::new()
    };
    Ok(Identity { eid, atr, cplc })
}

/// A card at work: the job, and where to report to.
struct Work<'a, 'o> {
    job: &'a Job<'a>,
    eid: String,
    observer: &'a mut Observer<'o>,
}

impl Work<'_, '_> {
    /// Runs a step: journal before, journal after, its error marked with the step.
    fn step<T>(
        &mut self,
        step: &str,
        body: impl FnOnce(&mut Self) -> Result<(T, String), PersonalizeError>,
    ) -> Result<T, PersonalizeError> {
        self.job.journal.begin_step(&self.eid, step)?;
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
        self.job.journal.end_step(&self.eid, step, &detail, took)?;
        let step = named();
        emit(self.observer, Event::StepEnded { step, detail })?;
        Ok(value)
    }

    fn progress(&self, step: &str) -> Result<Progress, PersonalizeError> {
        Ok(self.job.journal.progress(&self.eid, step)?)
    }
}

/// Takes a card through all steps and writes its receipt, whose number it gives.
pub(super) fn personalize(
    job: &Job<'_>,
    identity: Identity,
    link: &mut Link,
    options: &Options,
    observer: &mut Observer<'_>,
) -> Result<u64, PersonalizeError> {
    let row = job.row;
    let mut work = Work {
        job,
        eid: row.eid.to_string(),
        observer,
    };
    work.step("identify", |work| {
        if identity.eid != work.eid {
            return Err(PersonalizeError::Identity {
                what: "EID",
                expected: work.eid.clone(),
                found: identity.eid.clone(),
            });
        }
        Ok(((), format!("EID {}", identity.eid)))
    })?;
    let mut isd = Domain::issuer(link, job.definition)?;
    let rotated = work.step("authenticate", |work| {
        let rotated = open(&mut isd, work, options)?;
        let set = used(&isd)?;
        let text = format!("key set {}, version {}", set.name, set.kvn);
        Ok((rotated, text))
    })?;
    let there = work.step("check", |work| check(work, &mut isd))?;
    work.step("load", |work| load(work, &mut isd, there))?;
    work.step("install", |work| install(work, &mut isd))?;
    let configured = work.progress("configure")? == Progress::Ended;
    work.step("configure", |_| {
        if configured {
            return Ok(((), "stored by an earlier run".to_owned()));
        }
        configure(job.applet, &row.config, &mut isd)
    })?;
    if let Some(new) = &row.new_keys {
        work.step("rotate-keys", |work| {
            rotate(&mut isd, work, options, new, rotated)
        })?;
    }
    let key_set = used(&isd)?;
    let token = work.step("add-eim", |work| add_eim(work, link))?;
    if let Some(token) = token {
        job.journal.set_token(&work.eid, token)?;
    }
    let (version, entry) = work.step("verify", |_| verify(job, link))?;
    let record = job.journal.card(&work.eid)?;
    let finished = (options.clock)();
    let receipt = Receipt {
        format: receipt::FORMAT,
        eid: work.eid.clone(),
        iccids: row.iccids.iter().map(ToString::to_string).collect(),
        line: row.line,
        order: job.order_digest.to_owned(),
        card: format!("{} {}", job.definition.eum, job.definition.product),
        atr: hex::encode_upper(&identity.atr),
        cplc: hex::encode_upper(&identity.cplc),
        key_set,
        applet: AppletReceipt {
            cap: job.applet.digest.clone(),
            package: hex::encode_upper(&job.applet.package),
            instance: hex::encode_upper(&job.applet.instance),
            version: hex::encode_upper(&version),
        },
        eim: EimReceipt {
            id: entry.eim_id.clone(),
            fqdn: entry.eim_fqdn.clone().unwrap_or_default(),
            public_key: point_of(&entry).map(hex::encode_upper).unwrap_or_default(),
            association_token: token.or_else(|| record.as_ref()?.token),
        },
        configuration: row.config.clone(),
    };
    let run = RunReceipt {
        attempts: job.attempts,
        reader: job.reader.to_owned(),
        traffic: link.traffic(),
        finished: finished.clone(),
    };
    let mut seal = |head: &ChainHead| receipt::seal(&receipt, &run, head, job.signer);
    let sealed = job.journal.finish(&work.eid, &finished, &mut seal)?;
    write_receipt(&options.out, &sealed)?;
    Ok(sealed.sequence)
}

/// The secure channel with the keys that the card has. True if these are the order's new ones.
///
/// Where the journal has a PUT KEY that was begun, the new set is compared first, then the old one: the
/// card's cryptogram in the response to INITIALIZE UPDATE tells, and EXTERNAL AUTHENTICATE goes out only
/// with the set that fits. No try is spent on finding out.
fn open(
    isd: &mut Domain<'_>,
    work: &mut Work<'_, '_>,
    options: &Options,
) -> Result<bool, PersonalizeError> {
    let row = work.job.row;
    if let Some(new) = &row.new_keys
        && let Some(begun) = work.job.journal.rotation(&work.eid)?
    {
        match authenticate(isd, work, options, new) {
            Ok(()) => return Ok(true),
            Err(error) if error.exit() == exit::WRONG_KEYS && !begun.confirmed => {}
            Err(error) => return Err(error),
        }
    }
    authenticate(isd, work, options, &row.keys)?;
    Ok(false)
}

/// The key set of the open channel, as a receipt has it.
fn used(isd: &Domain<'_>) -> Result<KeySetReceipt, PersonalizeError> {
    let Some(set) = isd.key_set() else {
        return Ok(KeySetReceipt::default());
    };
    Ok(KeySetReceipt {
        name: set.name.clone(),
        kvn: format!("{:02X}", set.kvn),
        check_values: set.check_values().map_err(of_keys(&set.name))?,
    })
}

fn of_keys(set: &str) -> impl Fn(CardKeysError) -> PersonalizeError {
    let set = set.to_owned();
    move |source| {
        PersonalizeError::Gp(GpError::Scp {
            set: set.clone(),
            source: source.into(),
        })
    }
}

/// Gives the card the order's new keys in place of those that opened the channel. What it is to get is
/// in the journal before PUT KEY goes out, so that a card never has keys that nobody can name.
fn rotate(
    isd: &mut Domain<'_>,
    work: &mut Work<'_, '_>,
    options: &Options,
    new: &KeySet,
    rotated: bool,
) -> Result<((), String), PersonalizeError> {
    let journal = work.job.journal;
    if rotated {
        if let Some(mut rotation) = journal.rotation(&work.eid)? {
            rotation.confirmed = true;
            journal.set_rotation(&work.eid, &rotation)?;
        }
        return Ok(((), "the card has them since an earlier run".to_owned()));
    }
    let Some(current) = isd.key_set().cloned() else {
        return Err(PersonalizeError::Interrupted);
    };
    let failed = of_keys(&new.name);
    let own = new.of_card(isd.diversification()).map_err(&failed)?;
    let put = put_key_set(current.kvn, own.kvn, &*own.keys, &*current.keys).map_err(&failed)?;
    let expected = expected_answer(own.kvn, &*own.keys).map_err(&failed)?;
    let mut rotation = Rotation {
        from: current.name,
        from_kvn: current.kvn,
        to: own.name.clone(),
        to_kvn: own.kvn,
        check_values: own.check_values().map_err(&failed)?,
        source: format!("line {} of the order", work.job.row.line),
        confirmed: false,
    };
    journal.set_rotation(&work.eid, &rotation)?;
    let answer = isd.send("PUT KEY (the order's new key set)", &put)?;
    if answer != expected {
        return Err(PersonalizeError::Verify {
            what: "key version and check values in the answer to PUT KEY".to_owned(),
            expected: hex::encode_upper(expected),
            found: hex::encode_upper(answer),
        });
    }
    authenticate(isd, work, options, new)?;
    rotation.confirmed = true;
    journal.set_rotation(&work.eid, &rotation)?;
    let detail = format!("key set {}, version {:02X}", rotation.to, rotation.to_kvn);
    Ok(((), detail))
}

/// The secure channel, one attempt; what it tells goes to the run's observer.
fn authenticate(
    isd: &mut Domain<'_>,
    work: &mut Work<'_, '_>,
    options: &Options,
    set: &KeySet,
) -> Result<(), PersonalizeError> {
    let observer = &mut *work.observer;
    let attempts = options.attempts();
    let mut how = Authentication {
        level: None,
        attempts: Some(&attempts),
        random: &mut |bytes| (options.random)(bytes),
        observer: &mut |notice| {
            observer(&match notice.clone() {
                Notice::KeySet {
                    name,
                    kvn,
                    check_values,
                } => Event::KeySet {
                    name,
                    kvn,
                    check_values,
                },
                Notice::KeysFit => Event::KeysFit,
            })
        },
    };
    Ok(isd.authenticate(set, &mut how)?)
}

/// The package's entry in the registry.
fn package(
    isd: &mut Domain<'_>,
    applet: &Applet,
) -> Result<Option<RegistryEntry>, PersonalizeError> {
    let files = isd.load_files()?;
    Ok(files.into_iter().find(|entry| entry.aid == applet.package))
}

/// Is there room, and is there nothing of somebody else's in the way? True if the package is there,
/// loaded by an earlier run.
fn check(
    work: &mut Work<'_, '_>,
    isd: &mut Domain<'_>,
) -> Result<(bool, String), PersonalizeError> {
    let applet = work.job.applet;
    let ours = work.progress("load")? != Progress::NotBegun;
    if let Some(entry) = package(isd, applet)? {
        let whole = entry.modules.is_empty() || entry.modules.contains(&applet.module);
        if ours && whole {
            return Ok((
                true,
                "the package is there, loaded by an earlier run".to_owned(),
            ));
        }
        if !ours && !work.job.replace_foreign {
            return Err(PersonalizeError::ForeignPackage(hex::encode_upper(
                &applet.package,
            )));
        }
        // Half a package of ours, or a foreign one that may be replaced. Deleted here, while the
        // journal has no load of ours: a package found later is then one that we loaded.
        isd.send(
            "DELETE of the package",
            &command::delete(&applet.package, true),
        )?;
    }
    let resources = isd.exchange(&command::get_data(command::TAG_EXTENDED_CARD_RESOURCES))?;
    let free = match resources.sw {
        Sw::OK => parse_card_resources(&resources.data).ok(),
        _ => None,
    };
    let Some(free) = free else {
        return Ok((false, "the card doesn't say what memory is free".to_owned()));
    };
    let limits = Limits {
        persistent: Some(free.non_volatile.into()),
        reset: Some(free.volatile.into()),
        ..Limits::default()
    };
    applet.memory("by the card itself", &limits)?;
    Ok((
        false,
        format!(
            "{} bytes persistent, {} transient free",
            free.non_volatile, free.volatile
        ),
    ))
}

fn load(
    work: &mut Work<'_, '_>,
    isd: &mut Domain<'_>,
    there: bool,
) -> Result<((), String), PersonalizeError> {
    if there {
        return Ok(((), "loaded by an earlier run".to_owned()));
    }
    let applet = work.job.applet;
    let begin = command::install_for_load(&applet.package, &[], &[], &[], &[]);
    let answer = isd.exchange(&begin)?;
    if answer.sw != Sw::OK {
        // A load that was cut off may be in the way on some cards, invisible in the registry.
        isd.exchange(&command::delete(&applet.package, true))?;
        isd.send("INSTALL [for load]", &begin)?;
    }
    let commands = load_commands(&applet.load_file, isd.max_command_data())?;
    let count = commands.len();
    for (i, load) in commands.iter().enumerate() {
        isd.send(&format!("LOAD block {} of {count}", i + 1), load)?;
        emit(
            work.observer,
            Event::Loading {
                block: i + 1,
                of: count,
            },
        )?;
    }
    Ok((
        (),
        format!("{} bytes in {count} blocks", applet.load_file.len()),
    ))
}

fn install(
    work: &mut Work<'_, '_>,
    isd: &mut Domain<'_>,
) -> Result<((), String), PersonalizeError> {
    let applet = work.job.applet;
    let entry = isd
        .status(StatusKind::Applications)?
        .into_iter()
        .find(|entry| entry.aid == applet.instance);
    if let Some(entry) = entry {
        let other = entry.load_file.is_some_and(|file| file != applet.package);
        if other {
            return Err(PersonalizeError::ForeignPackage(hex::encode_upper(
                &applet.instance,
            )));
        }
        return Ok(((), "installed by an earlier run".to_owned()));
    }
    let parameters = applet.parameters(work.job.definition).encode()?;
    let install = Install {
        package: &applet.package,
        module: &applet.module,
        instance: &applet.instance,
        privileges: [0; 3],
        parameters: &parameters,
        token: &[],
    };
    isd.send(
        "INSTALL [for install and make selectable]",
        &install.for_install_and_make_selectable(),
    )?;
    Ok((
        (),
        format!("instance {}", hex::encode_upper(&applet.instance)),
    ))
}

fn configure(
    applet: &Applet,
    config: &Config,
    isd: &mut Domain<'_>,
) -> Result<((), String), PersonalizeError> {
    isd.send(
        "INSTALL [for personalization]",
        &command::install_for_personalization(&applet.instance),
    )?;
    let data = config.to_store_data();
    let text = format!("{} bytes", data.len());
    let store = Command::new(CLA, INS_STORE_DATA, 0x80, 0x00).with_data(data);
    isd.send("STORE DATA (the applet's configuration)", &store)?;
    Ok(((), text))
}

/// True if the card's entry is the order's.
fn same(entry: &EimConfigurationData, eim: &Eim) -> Result<(), PersonalizeError> {
    let differs = |what: &str, expected: String, found: String| PersonalizeError::Verify {
        what: format!("the eIM entry's {what}"),
        expected,
        found,
    };
    if entry.eim_id != eim.id {
        return Err(differs("eimId", eim.id.clone(), entry.eim_id.clone()));
    }
    let fqdn = entry.eim_fqdn.clone().unwrap_or_default();
    if fqdn != eim.fqdn {
        return Err(differs("eimFqdn", eim.fqdn.clone(), fqdn));
    }
    // An eUICC needn't show the key; one that is shown has to be the one.
    if let (Some(found), Some(expected)) = (point_of(entry), eim.point())
        && found != expected
    {
        let hex = |bytes| hex::encode_upper::<Vec<u8>>(bytes);
        return Err(differs("public key", hex(expected), hex(found)));
    }
    Ok(())
}

/// Gives the eUICC its eIM; the association token, if there is one.
fn add_eim(
    work: &mut Work<'_, '_>,
    link: &mut Link,
) -> Result<(Option<i64>, String), PersonalizeError> {
    let eim = &work.job.row.eim;
    let mut es10 = Es10::open(link, work.job.definition)?;
    let entries = es10.eims()?;
    if let Some(entry) = entries.iter().find(|entry| entry.eim_id == eim.id) {
        same(entry, eim)?;
        es10.close()?;
        return Ok((entry.association_token, "there already".to_owned()));
    }
    let token = es10.add_initial_eim(eim.configuration())?;
    es10.close()?;
    Ok((token, format!("{} at {}", eim.id, eim.fqdn)))
}

/// Reads everything back: the applet's version and configuration, the eUICC's entry.
fn verify(
    job: &Job<'_>,
    link: &mut Link,
) -> Result<((Vec<u8>, EimConfigurationData), String), PersonalizeError> {
    let answer = exchange(link, &command::select(&job.applet.instance))?;
    if !answer.sw.is_ok() {
        return Err(GpError::Refused {
            command: "SELECT of the applet".to_owned(),
            sw: answer.sw,
        }
        .into());
    }
    let version = object(link, OBJECT_VERSION)?;
    let registers = object(link, OBJECT_CONFIG)?;
    compare(&job.row.config, &registers)?;
    let mut es10 = Es10::open(link, job.definition)?;
    let entries = es10.eims()?;
    es10.close()?;
    let eim = &job.row.eim;
    let Some(entry) = entries.into_iter().find(|entry| entry.eim_id == eim.id) else {
        return Err(PersonalizeError::Verify {
            what: "the eUICC's eIMs".to_owned(),
            expected: eim.id.clone(),
            found: "no such eIM".to_owned(),
        });
    };
    same(&entry, eim)?;
    Ok((
        (version, entry),
        "applet, configuration and eIM entry are as ordered".to_owned(),
    ))
}

/// The value of one of the applet's objects.
fn object(link: &mut Link, tag: u8) -> Result<Vec<u8>, PersonalizeError> {
    let name = format!("GET DATA {OBJECT_CLASS:02X}{tag:02X} of the applet");
    let get = Command::new(CLA, INS_GET_DATA, OBJECT_CLASS, tag).with_le(256);
    let answer = exchange(link, &get)?;
    if !answer.sw.is_ok() {
        return Err(GpError::Refused {
            command: name,
            sw: answer.sw,
        }
        .into());
    }
    let wanted = u32::from(OBJECT_CLASS) << 8 | u32::from(tag);
    match tlv::expect(&answer.data, wanted) {
        Ok(object) => Ok(object.value.to_vec()),
        Err(source) => Err(GpError::Answer {
            command: name,
            source,
        }
        .into()),
    }
}

/// Compares the configuration registers with what was stored, object by object.
fn compare(config: &Config, registers: &[u8]) -> Result<(), PersonalizeError> {
    let stored = config.to_store_data();
    for object in tlv::iter(&stored) {
        let answer = |source| GpError::Answer {
            command: "the configuration itself".to_owned(),
            source,
        };
        let object = object.map_err(answer)?;
        let Some(item) = ITEMS.iter().find(|item| u32::from(item.tag) == object.tag) else {
            continue;
        };
        let mut expected = object.value.to_vec();
        if item.form == Form::Counted {
            expected.insert(0, object.value.len() as u8);
        }
        let from = item.register.saturating_sub(reg::POLL);
        let found = registers
            .get(from..from + expected.len())
            .unwrap_or_default();
        if found != expected {
            return Err(PersonalizeError::Verify {
                what: format!("the applet's {}", item.name),
                expected: hex::encode_upper(&expected),
                found: hex::encode_upper(found),
            });
        }
    }
    Ok(())
}
