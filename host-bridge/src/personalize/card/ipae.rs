//! What an IPAe applet and its eUICC get and have: the first eIM, and all of it read back.

use super::Work;
use crate::gp::GpError;
use crate::order::{Eim, point_of};
use crate::personalize::PersonalizeError;
use crate::personalize::es10::Es10;
use crate::personalize::job::Action;
use crate::transport::{CardLink, exchange};
use applet_gen::gp::command;
use applet_model::apdu::Command;
use applet_model::commands::{CLA, INS_GET_DATA, OBJECT_CLASS, OBJECT_CONFIG, OBJECT_VERSION};
use applet_model::config::{Config, Form, ITEMS};
use applet_model::machine::layout::reg;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::tlv;

/// What was read back.
pub(super) struct Verified {
    /// The instance.
    pub application: Vec<u8>,
    /// Its version object.
    pub version: Vec<u8>,
    /// Its configuration is the order's.
    pub configuration: bool,
    /// The eUICC's entry of the order's eIM.
    pub entry: Option<EimConfigurationData>,
}

/// The order's eIM; a job that adds one has an order that has one.
fn eim<'a>(work: &Work<'a, '_>) -> Result<&'a Eim, PersonalizeError> {
    let eim = work.task.row.eim.as_ref();
    eim.ok_or_else(|| PersonalizeError::JobStep {
        place: format!("line {} of the order", work.task.row.line),
        problem: "it has no eIM".to_owned(),
    })
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
pub(super) fn add_eim(
    work: &mut Work<'_, '_>,
    link: &mut dyn CardLink,
) -> Result<(Option<i64>, String), PersonalizeError> {
    let eim = eim(work)?;
    let mut es10 = Es10::open(link, work.task.definition)?;
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
pub(super) fn verify(
    work: &mut Work<'_, '_>,
    link: &mut dyn CardLink,
    action: &Action,
) -> Result<(Verified, String), PersonalizeError> {
    let Action::Verify {
        application,
        configuration,
        eim: with_eim,
    } = action
    else {
        return Err(PersonalizeError::Interrupted);
    };
    let answer = exchange(link, &command::select(application))?;
    if !answer.sw.is_ok() {
        return Err(GpError::Refused {
            command: "SELECT of the applet".to_owned(),
            sw: answer.sw,
        }
        .into());
    }
    let version = object(link, OBJECT_VERSION)?;
    let mut seen = vec!["applet"];
    if *configuration {
        compare(&work.task.row.config, &object(link, OBJECT_CONFIG)?)?;
        seen.push("configuration");
    }
    let mut entry = None;
    if *with_eim {
        let eim = eim(work)?;
        let mut es10 = Es10::open(link, work.task.definition)?;
        let entries = es10.eims()?;
        es10.close()?;
        let found = entries.into_iter().find(|entry| entry.eim_id == eim.id);
        let found = found.ok_or_else(|| PersonalizeError::Verify {
            what: "the eUICC's eIMs".to_owned(),
            expected: eim.id.clone(),
            found: "no such eIM".to_owned(),
        })?;
        same(&found, eim)?;
        entry = Some(found);
        seen.push("eIM entry");
    }
    let text = match seen.split_last() {
        Some((last, [])) => format!("{last} is as ordered"),
        Some((last, first)) => format!("{} and {last} are as ordered", first.join(", ")),
        None => String::new(),
    };
    Ok((
        Verified {
            application: application.clone(),
            version,
            configuration: *configuration,
            entry,
        },
        text,
    ))
}

/// GET DATA for one of the applet's objects.
pub(in crate::personalize) fn get_object(tag: u8) -> Command {
    Command::new(CLA, INS_GET_DATA, OBJECT_CLASS, tag).with_le(256)
}

/// The value of one of the applet's objects.
fn object(link: &mut dyn CardLink, tag: u8) -> Result<Vec<u8>, PersonalizeError> {
    let name = format!("GET DATA {OBJECT_CLASS:02X}{tag:02X} of the applet");
    let answer = exchange(link, &get_object(tag))?;
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
