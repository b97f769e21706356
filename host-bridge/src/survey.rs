//! What a GlobalPlatform card says of itself: answer to reset, data objects, registry.
//!
//! [`survey`] sends nothing but SELECT and GET DATA: no cryptogram, nothing that a card counts or
//! keeps. The registry takes an authenticated [`SecurityDomain`]: [`registry`].

use crate::gp::{GpError, SecurityDomain};
use crate::transport::{CardLink, LinkError, exchange};
use applet_gen::gp::card_data::{self, Recognition};
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::put_key::KEY_TYPE_AES;
use applet_gen::gp::registry::{
    CardResources, KeyInformation, RegistryEntry, parse_card_resources, parse_key_information,
};
use applet_model::aid;
use applet_model::atr::Atr;
use serde::Serialize;

/// AIDs of issuer security domains in the field, tried in this order: GlobalPlatform's, then the one
/// that cards before GlobalPlatform 2.2 had (Visa's).
pub const ISD_AIDS: [&[u8]; 2] = [aid::ISD, &[0xA0, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x00]];

/// A name and what is said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What.
    pub name: String,
    /// The value in words.
    pub value: String,
}

fn fact(name: &str, value: impl Into<String>) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.into(),
    }
}

/// What [`survey`] found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Reader or virtual card.
    pub link: String,
    /// Answer to reset in hex.
    pub atr: String,
    /// The answer to reset in words, or why it is none.
    pub atr_says: String,
    /// AID of the issuer security domain, in hex.
    pub isd: String,
    /// The data objects that the card answered, in words.
    pub facts: Vec<Fact>,
    /// Data objects that it refused: name and status word.
    pub refused: Vec<Fact>,
}

/// Why a card could not be looked into.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No issuer security domain under any of the AIDs.
    #[error("no issuer security domain: SELECT of {tried} answered {answers}")]
    NoDomain {
        /// AIDs tried.
        tried: String,
        /// Status words.
        answers: String,
    },
}

impl crate::exit::ExitCode for SurveyError {
    fn exit(&self) -> crate::exit::Exit {
        match self {
            SurveyError::Link(error) => error.exit(),
            SurveyError::NoDomain { .. } => crate::exit::CARD_REFUSED,
        }
    }
}

/// The data objects that are asked for (GPCS 11.3.2, annex H; ETSI TS 102 226 8.2.1.7.2).
const OBJECTS: [(u16, &str); 9] = [
    (0x0042, "issuer identification number"),
    (0x0045, "card image number"),
    (0x0066, "card recognition data"),
    (0x0067, "card capability information"),
    (command::TAG_KEY_INFORMATION, "keys"),
    (0x00C1, "sequence counter"),
    (0x00CF, "key diversification data"),
    (command::TAG_CPLC, "card production life cycle"),
    (command::TAG_EXTENDED_CARD_RESOURCES, "memory"),
];

/// Resets the card and reads what it tells to anybody. `isd` is the issuer security domain's AID, or
/// `None` to try those of [`ISD_AIDS`].
///
/// # Errors
/// [`SurveyError`]; a data object that the card refuses is no error.
pub fn survey(link: &mut dyn CardLink, isd: Option<&[u8]>) -> Result<Survey, SurveyError> {
    let atr = link.reset()?;
    let isd = select(link, isd)?;
    let (mut facts, mut refused) = (Vec::new(), Vec::new());
    for (tag, name) in OBJECTS {
        let answer = exchange(link, &command::get_data(tag))?;
        match answer.sw.is_ok() {
            true => facts.extend(read(tag, name, &answer.data)),
            false => refused.push(fact(&format!("{name} ({tag:04X})"), answer.sw.to_string())),
        }
    }
    Ok(Survey {
        link: link.name(),
        atr_says: match Atr::parse(&atr) {
            Ok(atr) => atr.to_string(),
            Err(error) => error.to_string(),
        },
        atr: hex::encode_upper(&atr),
        isd: hex::encode_upper(isd),
        facts,
        refused,
    })
}

fn select(link: &mut dyn CardLink, isd: Option<&[u8]>) -> Result<Vec<u8>, SurveyError> {
    let tried: Vec<&[u8]> = match isd {
        Some(aid) => vec![aid],
        None => ISD_AIDS.to_vec(),
    };
    let mut answers = Vec::new();
    for aid in &tried {
        let answer = exchange(link, &command::select(aid))?;
        if answer.sw.is_ok() {
            return Ok(aid.to_vec());
        }
        answers.push(answer.sw.to_string());
    }
    let tried: Vec<String> = tried.iter().map(hex::encode_upper).collect();
    Err(SurveyError::NoDomain {
        tried: tried.join(", "),
        answers: answers.join(", "),
    })
}

/// A data object in words; as it is where it has not the form that its specification gives it.
fn read(tag: u16, name: &str, data: &[u8]) -> Vec<Fact> {
    let raw = || vec![fact(name, hex::encode_upper(data))];
    let all = |fields: Vec<card_data::Field>| {
        fields
            .into_iter()
            .map(|(name, value)| fact(name, value))
            .collect()
    };
    match tag {
        0x0066 => card_data::recognition(data).map_or_else(|_| raw(), |read| recognized(&read)),
        0x0067 => card_data::capabilities(data).map_or_else(|_| raw(), all),
        command::TAG_KEY_INFORMATION => {
            parse_key_information(data).map_or_else(|_| raw(), |keys| key_facts(&keys))
        }
        command::TAG_CPLC => card_data::cplc(data).map_or_else(raw, all),
        command::TAG_EXTENDED_CARD_RESOURCES => {
            parse_card_resources(data).map_or_else(|_| raw(), |free| resources(&free))
        }
        _ => match applet_model::tlv::expect(data, tag.into()) {
            Ok(object) => vec![fact(name, hex::encode_upper(object.value))],
            Err(_) => raw(),
        },
    }
}

fn recognized(read: &Recognition) -> Vec<Fact> {
    let mut facts = Vec::new();
    if let Some(version) = &read.version {
        facts.push(fact("GlobalPlatform", version));
    }
    for (scp, i) in &read.protocols {
        let note = match scp {
            3 => "",
            // Safe keys are lost on a card that gets cryptograms of another protocol.
            _ => ", which these tools do not speak: nothing is sent to it but SELECT and GET DATA",
        };
        facts.push(fact(
            "secure channel",
            format!("SCP{scp:02X} i={i:02X}{note}"),
        ));
    }
    facts
}

/// Keys in words.
#[must_use]
pub fn key_facts(keys: &[KeyInformation]) -> Vec<Fact> {
    let one = |key: &KeyInformation| {
        let kind = match key.kind {
            KEY_TYPE_AES => format!("AES-{}", u16::from(key.length) * 8),
            0x80..=0x82 => format!("DES, {} bytes", key.length),
            0xA0 | 0xA1 => "RSA public".to_owned(),
            0xB0 => "ECC public".to_owned(),
            other => format!("type {other:02X}, {} bytes", key.length),
        };
        // KVN FF: the initial keys of a card that was never given any (GPCS 7.5.2).
        let initial = if key.kvn == 0xFF { ", initial" } else { "" };
        fact(
            &format!("key {:02X}/{:02X}", key.kvn, key.id),
            format!("{kind}{initial}"),
        )
    };
    keys.iter().map(one).collect()
}

fn resources(free: &CardResources) -> Vec<Fact> {
    vec![
        fact("applications", free.applications.to_string()),
        fact(
            "free memory",
            format!(
                "{} bytes non-volatile, {} volatile",
                free.non_volatile, free.volatile
            ),
        ),
    ]
}

/// An entry of the registry in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `issuer security domain`, `application`, `load file`.
    pub kind: &'static str,
    /// AID in hex.
    pub aid: String,
    /// Life cycle state.
    pub state: &'static str,
    /// Privileges, for domains and applications.
    pub privileges: Option<String>,
    /// Version, for load files.
    pub version: Option<String>,
    /// Modules, for load files; the load file, for applications: AIDs in hex.
    pub of: Vec<String>,
    /// The security domain that it belongs to.
    pub domain: Option<String>,
}

/// The registry, as an authenticated security domain lists it.
///
/// # Errors
/// [`GpError`]: GET STATUS refused or unreadable, or the link's and the channel's errors.
pub fn registry<L: CardLink>(isd: &mut SecurityDomain<L>) -> Result<Vec<Entry>, GpError> {
    let mut out = Vec::new();
    for entry in isd.status(StatusKind::IssuerSecurityDomain)? {
        let state = card_data::card_state(entry.life_cycle);
        out.push(words("issuer security domain", entry, state));
    }
    for entry in isd.status(StatusKind::Applications)? {
        let state = card_data::application_state(entry.life_cycle);
        let kind = match Privilege::SecurityDomain.is_in(&entry.privileges) {
            true => "security domain",
            false => "application",
        };
        out.push(words(kind, entry, state));
    }
    for entry in isd.load_files()? {
        let state = match entry.life_cycle {
            0x01 => "LOADED",
            _ => "unknown",
        };
        out.push(words("load file", entry, state));
    }
    Ok(out)
}

fn words(kind: &'static str, entry: RegistryEntry, state: &'static str) -> Entry {
    let hex = |bytes: &Vec<u8>| hex::encode_upper(bytes);
    Entry {
        kind,
        aid: hex(&entry.aid),
        state,
        privileges: (!entry.privileges.is_empty())
            .then(|| card_data::privileges(&entry.privileges)),
        version: entry
            .version
            .map(|[major, minor]| format!("{major}.{minor}")),
        of: entry
            .modules
            .iter()
            .chain(&entry.load_file)
            .map(hex)
            .collect(),
        domain: entry.security_domain.as_ref().map(hex),
    }
}
