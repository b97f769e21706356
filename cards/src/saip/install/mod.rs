//! A package becomes a profile: its files, PINs, keys (chapter 8 of the format), element by element as a card takes
//! them, with the status that a card answers.
//!
//! Named choices: what this card keeps but doesn't serve (security domains, remote file management, CDMA keys) is
//! installed and listed in [`Installed::kept`]; what it can't even keep (applications, elements of other issuers and of
//! later versions, BER-TLV files, linked directories) is refused if the element is mandated, and else answered as not
//! supported and passed over. Service tables are left as the package has them. Each PIN has its own counter for its
//! unblock key, even if two PINs name the same one.

mod codes;
mod files;
#[cfg(test)]
mod tests;

use super::elements::{ProfileHeader, PukConfiguration};
use super::status::{EuiccResponse, PeStatus, Status};
use super::templates::Template;
use super::{Element, Package, PackageError};
use crate::fs::security::Security;
use crate::fs::{FileError, FileId, Tree, Volume};
use std::collections::BTreeMap;

/// Services of `ServicesList` that this card has.
pub const SERVED: &[&str] = &[
    "usim",
    "isim",
    "csim",
    "milenage",
    "tuak128",
    "tuak256",
    "usim-test-algorithm",
    "javacard",
    "multiple-usim",
    "multiple-isim",
    "multiple-csim",
];
/// Versions of the format that it reads: major, and the highest minor.
pub const VERSIONS: &[(u8, u8)] = &[(2, 3), (3, 3)];

/// Why an element can't be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What the card answers.
    pub status: Status,
    /// What is wrong.
    pub text: String,
}

impl Problem {
    fn new(status: Status, text: impl Into<String>) -> Problem {
        Problem {
            status,
            text: text.into(),
        }
    }

    /// True if a card passes over an element with this problem, unless it is mandated.
    fn is_missing_support(&self) -> bool {
        matches!(
            self.status,
            Status::PE_NOT_SUPPORTED
                | Status::FEATURE_NOT_SUPPORTED
                | Status::TEMPLATE_NOT_SUPPORTED
        )
    }
}

/// What a card says of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The element, from 1.
    pub number: usize,
    /// Its name.
    pub element: &'static str,
    /// Its identification.
    pub identification: Option<u16>,
    /// The status.
    pub status: Status,
    /// What there is to say; empty if it is just installed.
    pub text: String,
}

/// An element that is kept without anything that serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The element, from 1.
    pub number: usize,
    /// Its name.
    pub element: &'static str,
    /// What it is.
    pub text: String,
}

/// A profile made of a package.
#[derive(Debug, Clone)]
pub struct Installed {
    /// ICCID, as EF.ICCID has it.
    pub iccid: [u8; 10],
    /// IMSI of the first USIM, decimal digits; empty if there is none.
    pub imsi: String,
    /// `profileType`.
    pub profile_type: String,
    /// Files, PINs and keys.
    pub volume: Volume,
    /// What is kept and not served.
    pub kept: Vec<Kept>,
    /// What there is to say of each element.
    pub outcomes: Vec<Outcome>,
}

/// A package that isn't installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("element {} ({}): {}: {}", self.failed().number, self.failed().element, self.failed().status.name(), self.failed().text)]
pub struct Refused {
    /// Elements before the one that failed.
    pub outcomes: Vec<Outcome>,
    failed: Outcome,
    offset: Option<u32>,
}

impl Refused {
    /// The element that failed.
    pub fn failed(&self) -> &Outcome {
        &self.failed
    }

    /// What the card answers.
    pub fn response(&self) -> EuiccResponse {
        let mut statuses = statuses(&self.outcomes);
        let mut failed = PeStatus::new(self.failed.status, self.failed.identification);
        failed.offset = self.offset;
        statuses.push(failed);
        EuiccResponse {
            statuses,
            aborted: true,
            message: Some(message(&self.failed.text)),
            rest: Vec::new(),
        }
    }
}

impl Installed {
    /// What the card answers: elements that it passed over, and `ok` at the end.
    pub fn response(&self) -> EuiccResponse {
        let mut statuses = statuses(&self.outcomes);
        statuses.push(PeStatus::new(Status::OK, None));
        let kept = (!self.kept.is_empty()).then(|| {
            message(&format!(
                "kept without service: {} elements",
                self.kept.len()
            ))
        });
        EuiccResponse {
            statuses,
            aborted: false,
            message: kept,
            rest: Vec::new(),
        }
    }

    /// Bytes of the card's memory that files take.
    pub fn size(&self) -> usize {
        self.volume.tree.size()
    }
}

fn statuses(outcomes: &[Outcome]) -> Vec<PeStatus> {
    outcomes
        .iter()
        .filter(|outcome| outcome.status != Status::OK)
        .map(|outcome| PeStatus::new(outcome.status, outcome.identification))
        .collect()
}

/// `statusMessage`: 2 to 64 characters.
fn message(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Which application's directory elements are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Family {
    Usim,
    Isim,
    Csim,
}

/// A profile in the making.
struct Builder {
    volume: Volume,
    /// ADFs by their temporary file identifiers.
    temporary: BTreeMap<u16, FileId>,
    /// The ADF of each kind that was made last, and that of all.
    adfs: BTreeMap<Family, FileId>,
    adf: Option<FileId>,
    /// The directory whose PINs come next.
    context: Option<FileId>,
    puks: Vec<PukConfiguration>,
    /// Why the element is only kept.
    keeps: Option<String>,
}

/// Installs a package's bytes.
///
/// # Errors
/// [`Refused`]: the first element that a card would stop at, and what it would answer.
pub fn install(upp: &[u8]) -> Result<Installed, Box<Refused>> {
    match Package::decode(upp) {
        Ok(package) => install_package(&package),
        Err(error) => Err(undecodable(&error)),
    }
}

fn undecodable(error: &PackageError) -> Box<Refused> {
    Box::new(Refused {
        outcomes: Vec::new(),
        failed: Outcome {
            number: error.number,
            element: "unknown",
            identification: None,
            status: Status::INVALID_FORMAT,
            text: error.problem.clone(),
        },
        offset: u32::try_from(error.offset).ok(),
    })
}

/// Installs a package.
///
/// # Errors
/// As [`install`].
pub fn install_package(package: &Package) -> Result<Installed, Box<Refused>> {
    let mut builder = Builder {
        volume: Volume {
            tree: Tree::new(Security::None),
            pins: Vec::new(),
            naas: Vec::new(),
        },
        temporary: BTreeMap::new(),
        adfs: BTreeMap::new(),
        adf: None,
        context: None,
        puks: Vec::new(),
        keeps: None,
    };
    let mut outcomes: Vec<Outcome> = Vec::new();
    let mut kept = Vec::new();
    let last = package.elements.len();
    let refused = |outcomes: &mut Vec<Outcome>, failed: Outcome| {
        Box::new(Refused {
            outcomes: core::mem::take(outcomes),
            failed,
            offset: None,
        })
    };
    for (at, element) in package.elements.iter().enumerate() {
        let number = at + 1;
        let mut outcome = Outcome {
            number,
            element: element.name(),
            identification: element.identification(),
            status: Status::OK,
            text: String::new(),
        };
        let done = order(element, number, last).and_then(|()| builder.element(element));
        if let Err(problem) = done {
            outcome.status = problem.status;
            outcome.text = problem.text.clone();
            if element.is_mandated() || !problem.is_missing_support() {
                return Err(refused(&mut outcomes, outcome));
            }
        }
        if let Some(text) = builder.keeps.take() {
            outcome.text.clone_from(&text);
            kept.push(Kept {
                number,
                element: element.name(),
                text,
            });
        }
        outcomes.push(outcome);
    }
    let header = package.header();
    let iccid = header.and_then(|header| header.profile_iccid());
    let Some((header, iccid)) = header.zip(iccid) else {
        let failed = Outcome {
            number: 1,
            element: "header",
            identification: None,
            status: Status::INVALID_FORMAT,
            text: "a package begins with a header, and its ICCID has 10 bytes".to_owned(),
        };
        return Err(refused(&mut outcomes, failed));
    };
    Ok(Installed {
        iccid: *iccid.as_bytes(),
        imsi: builder.imsi(),
        profile_type: header.profile_type.clone().unwrap_or_default(),
        volume: builder.volume,
        kept,
        outcomes,
    })
}

/// The header comes first and once, the end last and once (8.1).
fn order(element: &Element, number: usize, last: usize) -> Result<(), Problem> {
    let bad = |text: &str| Err(Problem::new(Status::INVALID_FORMAT, text));
    let header = matches!(element, Element::Header(_));
    let end = matches!(element, Element::End(_));
    match () {
        () if header != (number == 1) => bad("the header is the first element, and only the first"),
        () if end != (number == last) => bad("the end is the last element, and only the last"),
        () => Ok(()),
    }
}

impl Builder {
    fn element(&mut self, element: &Element) -> Result<(), Problem> {
        match element {
            Element::Header(header) => check_header(header),
            Element::Files(files) => self.files(files),
            Element::GenericFileManagement(management) => self.manage(management),
            Element::PukCodes(codes) => self.puks(codes),
            Element::PinCodes(codes) => self.pins(codes),
            Element::AkaParameter(parameter) => self.aka(parameter),
            Element::CdmaParameter(_) => {
                self.keeps = Some("CDMA keys: no command uses them on this card".to_owned());
                Ok(())
            }
            Element::SecurityDomain(domain) => {
                let keys = domain.keys.as_ref().map_or(0, Vec::len);
                self.keeps = Some(format!(
                    "security domain {} with {keys} keys: no command reaches it on this card",
                    domain.instance.aid
                ));
                Ok(())
            }
            Element::Rfm(rfm) => {
                self.keeps = Some(format!(
                    "remote file management {}: no secured packet reaches it on this card",
                    rfm.aid
                ));
                Ok(())
            }
            Element::Application(application) => {
                let what = match &application.load_block {
                    Some(block) => format!("load package {}", block.aid),
                    None => "application instances".to_owned(),
                };
                let text = format!("{what}: applications of profiles aren't loaded by this card");
                Err(Problem::new(Status::PE_NOT_SUPPORTED, text))
            }
            Element::NonStandard(other) => Err(Problem::new(
                Status::PE_NOT_SUPPORTED,
                format!("an element of issuer {}", other.issuer),
            )),
            Element::End(_) => Ok(()),
            Element::Unknown(_) => Err(Problem::new(
                Status::PE_NOT_SUPPORTED,
                "an element of a later version",
            )),
        }
    }

    /// The directory of an application that an element adds to.
    fn family(&self, family: Family) -> Result<FileId, Problem> {
        self.adfs.get(&family).copied().ok_or_else(|| {
            Problem::new(
                Status::BAD_VALUES,
                "the application's own element has to come before",
            )
        })
    }

    fn imsi(&self) -> String {
        let tree = &self.volume.tree;
        let found = tree.adfs().find_map(|(adf, _)| {
            let file = tree.child(adf, crate::fs::IMSI)?;
            tree.contents(file).ok().map(|(_, ef)| ef.data.clone())
        });
        found.map_or_else(String::new, |data| imsi_digits(&data))
    }
}

/// The digits of EF.IMSI (3GPP TS 31.102 4.2.2): length, then nibbles, the first of which is the parity.
pub(super) fn imsi_digits(file: &[u8]) -> String {
    let length = file.first().copied().unwrap_or(0);
    file.iter()
        .skip(1)
        .take(length.into())
        .flat_map(|byte| [byte & 0x0F, byte >> 4])
        .skip(1)
        .filter(|digit| *digit < 10)
        .map(|digit| char::from(b'0' + digit))
        .collect()
}

fn check_header(header: &ProfileHeader) -> Result<(), Problem> {
    let version = (header.major_version, header.minor_version);
    if !VERSIONS
        .iter()
        .any(|(major, minor)| version.0 == *major && version.1 <= *minor)
    {
        let text = format!("version {}.{}", version.0, version.1);
        return Err(Problem::new(Status::UNSUPPORTED_VERSION, text));
    }
    if header.iccid.as_bytes().len() != 10 {
        return Err(Problem::new(
            Status::INVALID_PARAMETER,
            "an ICCID has 10 bytes",
        ));
    }
    let missing = header
        .mandatory_services
        .names()
        .into_iter()
        .find(|name| !SERVED.contains(&name.as_str()));
    if let Some(service) = missing {
        let text = format!("the profile needs {service}");
        return Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text));
    }
    let unknown = header
        .mandatory_templates
        .iter()
        .find(|oid| Template::of(oid).is_none());
    if let Some(oid) = unknown {
        let text = format!("the profile needs template {oid}");
        return Err(Problem::new(Status::TEMPLATE_NOT_SUPPORTED, text));
    }
    match header.mandatory_aids.as_ref().and_then(|list| list.first()) {
        Some(needed) => {
            let text = format!("the profile needs application {}", needed.aid);
            Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text))
        }
        None => Ok(()),
    }
}

impl From<FileError> for Problem {
    fn from(error: FileError) -> Problem {
        let status = match error {
            FileError::Memory => Status::NOT_ENOUGH_MEMORY,
            _ => Status::BAD_VALUES,
        };
        Problem::new(status, error.to_string())
    }
}
