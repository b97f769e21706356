//! What is to be done in a security domain, as steps: made before a card is there, shown, sent.
//!
//! Each plan is a list of [`Step`]s behind SELECT and the secure channel, with the status words that are
//! fine. What a card would refuse and the definition knows of is refused here, before anything is sent.

use super::GpError;
use crate::personalize::PersonalizeError;
use applet_gen::api;
use applet_gen::cap::Cap;
use applet_gen::gp::command::{self, Install, SSD_MODULE, SSD_PACKAGE, StatusType};
use applet_gen::gp::load::{Dap, LoadError, LoadHash, commands, load_file};
use applet_gen::gp::privilege::{Privilege, Privileges};
use applet_gen::gp::put_key::put_key_set;
use applet_gen::gp::scp03::{CardKeys, CardKeysError, Mode, SecurityLevel, session};
use applet_gen::gp::signature::SigningKey;
use applet_gen::script::Step;
use cards::definition::Definition;

/// Most command data bytes of a short APDU (ISO/IEC 7816-3 12.1.3).
const SHORT: usize = 255;

/// The most command data bytes, secure messaging included, on cards of a definition behind a reader that
/// carries `reader` of them.
#[must_use]
pub fn command_data(definition: &Definition, reader: usize) -> usize {
    let card = usize::from(definition.apdu.max_command_data);
    match definition.apdu.extended_length {
        true => card.min(reader),
        false => card.min(reader).min(SHORT),
    }
}

/// The most data bytes that a command has at this level on cards of a definition, in short APDUs, which
/// every reader carries. What an open session has is [`SecurityDomain::max_command_data`](super::SecurityDomain::max_command_data).
#[must_use]
pub fn room(definition: &Definition, level: SecurityLevel) -> usize {
    let mode = Mode::of_i_parameter(definition.isd.scp03.i);
    session::room(command_data(definition, SHORT), level, mode).max(1)
}

/// How a load file is to arrive.
#[derive(Default)]
pub struct Loading<'a> {
    /// Security domain that gets it; empty for the one that is selected.
    pub to: &'a [u8],
    /// Hash of the load file data block in INSTALL \[for load\]; a DAP block takes one, too.
    pub hash: Option<LoadHash>,
    /// DAP blocks: AID of the verifying domain, and its key.
    pub daps: Vec<(&'a [u8], &'a SigningKey)>,
    /// Bytes of a LOAD command; `None` for as many as there is room for.
    pub block: Option<usize>,
}

/// Compares a CAP's imports with a definition's packages, and with those that are loaded before it (JCVM
/// 6.7: equal major, minor not above).
///
/// # Errors
/// [`PersonalizeError::Import`]: the first package that is missing or too old.
pub fn check_imports(
    cap: &Cap,
    definition: &Definition,
    loaded: &[&Cap],
) -> Result<(), PersonalizeError> {
    for import in &cap.imports {
        let on_card = definition.package(&import.aid);
        if on_card.is_some_and(|p| p.major == import.major && p.minor >= import.minor) {
            continue;
        }
        let loaded = loaded.iter().map(|cap| &cap.header.package);
        if loaded
            .filter(|package| package.aid == import.aid)
            .any(|p| p.major == import.major && p.minor >= import.minor)
        {
            continue;
        }
        let known = api::find_by_aid(&import.aid);
        return Err(PersonalizeError::Import {
            package: known.map_or_else(|| hex::encode_upper(&import.aid), |p| p.name.clone()),
            major: import.major,
            minor: import.minor,
            card: format!("{} {}", definition.eum, definition.product),
            available: on_card.map(|p| format!("{}.{}", p.major, p.minor)),
        });
    }
    Ok(())
}

/// Loading a CAP: INSTALL \[for load\] and the LOAD commands, as few as `room` allows.
///
/// # Errors
/// [`PersonalizeError`]: imports that the card lacks, a CAP that can't be written, too many blocks.
pub fn load(
    cap: &Cap,
    definition: &Definition,
    room: usize,
    how: &Loading<'_>,
) -> Result<Vec<Step>, PersonalizeError> {
    check_imports(cap, definition, &[])?;
    if cap.header.flags & applet_gen::cap::header::ACC_INT != 0 && !definition.java_card.int {
        return Err(PersonalizeError::Unusable {
            name: hex::encode_upper(&cap.header.package.aid),
            problem: format!(
                "its code uses int, which cards of {} {} don't have",
                definition.eum, definition.product
            ),
        });
    }
    let block = cap
        .load_file(false)
        .map_err(|source| PersonalizeError::Cap {
            name: hex::encode_upper(&cap.header.package.aid),
            source,
        })?;
    Ok(loading(&cap.header.package.aid, &block, room, how)?)
}

/// The commands that load a package's load file data block.
///
/// # Errors
/// [`LoadError`]: too many blocks.
pub fn loading(
    package: &[u8],
    block: &[u8],
    room: usize,
    how: &Loading<'_>,
) -> Result<Vec<Step>, LoadError> {
    let algorithm = match (how.hash, how.daps.is_empty()) {
        (Some(hash), _) => Some(hash),
        (None, false) => Some(LoadHash::default()),
        (None, true) => None,
    };
    let hash = algorithm.map(|hash| hash.of(block)).unwrap_or_default();
    let daps: Vec<Dap> = how
        .daps
        .iter()
        .map(|(domain, key)| Dap::sign(domain, &hash, key))
        .collect();
    let data = load_file(&daps, block, None);
    let size = how.block.unwrap_or(room).min(room);
    let blocks = commands(&data, size)?;
    let count = blocks.len();
    let begin = command::install_for_load(package, how.to, &hash, &[], &[]);
    let mut steps = vec![Step::new("INSTALL [for load]", begin)];
    for (i, block) in blocks.into_iter().enumerate() {
        steps.push(Step::new(
            format!("LOAD, block {} of {count}", i + 1),
            block,
        ));
    }
    Ok(steps)
}

/// Installing an applet. `selectable` also makes it selectable.
#[must_use]
pub fn install(install: &Install<'_>, selectable: bool) -> Vec<Step> {
    vec![match selectable {
        true => Step::new(
            "INSTALL [for install and make selectable]",
            install.for_install_and_make_selectable(),
        ),
        false => Step::new("INSTALL [for install]", install.for_install()),
    }]
}

/// A supplementary security domain, from the package that cards have for it.
#[must_use]
pub fn create_domain(aid: &[u8], privileges: Privileges, parameters: &[u8]) -> Vec<Step> {
    let [first, second, third] = Privilege::bytes(&[Privilege::SecurityDomain]);
    let create = Install {
        package: &SSD_PACKAGE,
        module: &SSD_MODULE,
        instance: aid,
        privileges: [
            privileges[0] | first,
            privileges[1] | second,
            privileges[2] | third,
        ],
        parameters,
        token: &[],
    };
    install(&create, true)
}

/// Deleting an application, a load file, or with `related` a load file and what was made of it.
#[must_use]
pub fn delete(aid: &[u8], related: bool) -> Vec<Step> {
    vec![Step::new(
        format!("DELETE of {}", hex::encode_upper(aid)),
        command::delete(aid, related),
    )]
}

/// Deleting a key set, or a key of it.
#[must_use]
pub fn delete_keys(kvn: u8, identifier: Option<u8>) -> Vec<Step> {
    vec![Step::new(
        format!("DELETE of key version {kvn:02X}"),
        command::delete_keys(Some(kvn), identifier),
    )]
}

/// Locking or unlocking an application (GPCS 11.10.2.2: bit 8 of P2).
#[must_use]
pub fn lock(aid: &[u8], locked: bool) -> Vec<Step> {
    let (what, state) = match locked {
        true => ("LOCKED", 0x80),
        false => ("its state before", 0x00),
    };
    vec![Step::new(
        format!("SET STATUS of {} to {what}", hex::encode_upper(aid)),
        command::set_status(StatusType::Application as u8, state, aid),
    )]
}

/// Setting the card's life cycle state.
#[must_use]
pub fn card_state(isd: &[u8], state: u8, name: &str) -> Vec<Step> {
    vec![Step::new(
        format!("SET STATUS of the card to {name}"),
        command::set_status(StatusType::Card as u8, state, isd),
    )]
}

/// Handing an application or load file on to another security domain.
#[must_use]
pub fn extradite(object: &[u8], to: &[u8]) -> Vec<Step> {
    vec![Step::new(
        format!(
            "INSTALL [for extradition] of {} to {}",
            hex::encode_upper(object),
            hex::encode_upper(to)
        ),
        command::install_for_extradition(to, object, &[]),
    )]
}

/// STORE DATA to the domain itself, or to an application of it. `encoding` is P1 without bit 8: 00 as it
/// is, 08 DGI, 10 BER-TLV.
#[must_use]
pub fn store(application: Option<&[u8]>, data: &[u8], room: usize, encoding: u8) -> Vec<Step> {
    let mut steps = Vec::new();
    if let Some(aid) = application {
        steps.push(Step::new(
            format!(
                "INSTALL [for personalization] of {}",
                hex::encode_upper(aid)
            ),
            command::install_for_personalization(aid),
        ));
    }
    let blocks = command::store_data(data, room, encoding);
    let count = blocks.len();
    for (i, block) in blocks.into_iter().enumerate() {
        steps.push(Step::new(
            format!("STORE DATA, block {} of {count}", i + 1),
            block,
        ));
    }
    steps
}

/// PUT KEY of a whole set: `replaced` 0 adds it. `current` is the open session's set.
///
/// # Errors
/// [`CardKeysError`]: keys that their keeper does not give away.
pub fn put_keys(
    replaced: u8,
    kvn: u8,
    new: &dyn CardKeys,
    current: &dyn CardKeys,
) -> Result<Step, CardKeysError> {
    let what = match replaced {
        0 => format!("PUT KEY: key version {kvn:02X} added"),
        old => format!("PUT KEY: key version {kvn:02X} in the place of {old:02X}"),
    };
    Ok(Step::new(what, put_key_set(replaced, kvn, new, current)?))
}

/// Whether a package is on the card, and how much of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Present {
    /// It isn't.
    No,
    /// All its modules are there.
    Whole,
    /// A load broke off: it is listed, and modules are missing.
    Half {
        /// Modules that the card lists.
        listed: usize,
        /// Modules that the CAP has.
        expected: usize,
    },
}

/// Compares the registry with a CAP. On cards that list no modules, a package that is listed counts as
/// whole (`modules_known` false).
#[must_use]
pub fn present(
    files: &[applet_gen::gp::registry::RegistryEntry],
    cap: &Cap,
    modules_known: bool,
) -> Present {
    let package = &cap.header.package.aid;
    let Some(entry) = files.iter().find(|entry| entry.aid == *package) else {
        return Present::No;
    };
    let applets = cap.applets.iter();
    let found = applets
        .filter(|applet| entry.modules.contains(&applet.aid))
        .count();
    match modules_known && found < cap.applets.len() {
        true => Present::Half {
            listed: entry.modules.len(),
            expected: cap.applets.len(),
        },
        false => Present::Whole,
    }
}

/// A step that the card answered as the plan says, or the error that ends the plan.
///
/// # Errors
/// [`GpError::Refused`] with the step's name.
pub fn judge(step: &Step, answer: &applet_model::apdu::Response) -> Result<(), GpError> {
    match step.allows(answer.sw) {
        true => Ok(()),
        false => Err(GpError::Refused {
            command: step.comment.clone(),
            sw: answer.sw,
        }),
    }
}
