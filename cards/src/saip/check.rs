//! What is wrong with a package, with the clause and what a card answers.

use super::install::{self, Installed};
use super::status::Status;
use super::{Element, Package};
use crate::fs::security::{Condition, Operation};
use crate::fs::tree::{FileId, Kind, Tree};
use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// A card refuses the package.
    Error,
    /// A card takes it, and it probably isn't what was meant; or this card passes over it.
    Warning,
    /// To be known: what this card keeps without serving it.
    Note,
}

/// Something to say about a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// The element, from 1; 0 for the package as a whole.
    pub number: usize,
    /// Its name.
    pub element: String,
    /// The clause of the format that says so.
    pub clause: &'static str,
    /// What is wrong.
    pub text: String,
    /// What a card answers: a status of `PEStatus`.
    pub answer: String,
}

/// The clause about an element.
fn clause(element: &str) -> &'static str {
    match element {
        "header" => "8.2",
        "genericFileManagement" => "8.3.5",
        "pinCodes" => "8.4.1",
        "pukCodes" => "8.4.2",
        "akaParameter" | "cdmaParameter" => "8.5",
        "securityDomain" => "8.6",
        "application" => "8.7",
        "rfm" => "8.8",
        "nonStandard" => "8.9",
        "end" => "8.10",
        "unknown" => "8.1",
        _ => "8.3",
    }
}

/// Looks at a package's bytes; the worst findings come first.
pub fn check(bytes: &[u8]) -> Vec<Finding> {
    let package = match Package::decode(bytes) {
        Ok(package) => package,
        Err(error) => {
            return vec![Finding {
                level: Level::Error,
                number: error.number,
                element: "unknown".to_owned(),
                clause: "8.1",
                text: format!("byte {}: {}", error.offset, error.problem),
                answer: Status::INVALID_FORMAT.name(),
            }];
        }
    };
    let mut findings = Vec::new();
    match install::install_package(&package) {
        Err(refused) => {
            let failed = refused.failed();
            findings.push(Finding {
                level: Level::Error,
                number: failed.number,
                element: failed.element.to_owned(),
                clause: clause(failed.element),
                text: failed.text.clone(),
                answer: failed.status.name(),
            });
        }
        Ok(installed) => {
            for outcome in &installed.outcomes {
                if outcome.text.is_empty() {
                    continue;
                }
                findings.push(Finding {
                    level: match outcome.status {
                        Status::OK => Level::Note,
                        _ => Level::Warning,
                    },
                    number: outcome.number,
                    element: outcome.element.to_owned(),
                    clause: clause(outcome.element),
                    text: outcome.text.clone(),
                    answer: outcome.status.name(),
                });
            }
            findings.extend(whole(&package, &installed));
        }
    }
    findings.extend(identifications(&package));
    findings.sort_by_key(|finding| (finding.level, finding.number));
    findings
}

fn identifications(package: &Package) -> Vec<Finding> {
    let mut seen: Vec<u16> = Vec::new();
    let mut findings = Vec::new();
    for (at, element) in package.elements.iter().enumerate() {
        let Some(identification) = element.identification() else {
            continue;
        };
        if seen.contains(&identification) {
            findings.push(Finding {
                level: Level::Warning,
                number: at + 1,
                element: element.name().to_owned(),
                clause: "8.1",
                text: format!("identification {identification} is another element's, too: statuses can't tell them apart"),
                answer: Status::OK.name(),
            });
        }
        seen.push(identification);
    }
    findings
}

/// What the elements together make.
fn whole(package: &Package, installed: &Installed) -> Vec<Finding> {
    let tree = &installed.volume.tree;
    let of = |kind: &str| {
        let at = package
            .elements
            .iter()
            .position(|element| element.name() == kind);
        (at.map_or(0, |at| at + 1), kind.to_owned())
    };
    let warning = |(number, element): (usize, String), clause, text, status: Status| Finding {
        level: Level::Warning,
        number,
        element,
        clause,
        text,
        answer: status.name(),
    };
    let mut findings = Vec::new();
    let content = |fid| {
        let file = tree.child(FileId::MF, fid)?;
        tree.contents(file).ok().map(|(_, ef)| ef.data.as_slice())
    };
    if content(0x2FE2).is_some_and(|iccid| iccid != installed.iccid) {
        let text = "EF.ICCID isn't the header's ICCID".to_owned();
        findings.push(warning(of("mf"), "8.2", text, Status::OK));
    }
    for (adf, aid) in tree.adfs() {
        let name = hex::encode_upper(aid);
        if !content(0x2F00).is_some_and(|dir| dir.windows(aid.len()).any(|part| part == aid)) {
            let text = format!("EF.DIR doesn't list {name}: a phone may not find it");
            findings.push(warning(of("mf"), "ETSI TS 102 221 13.1", text, Status::OK));
        }
        let keys = installed
            .volume
            .naas
            .iter()
            .any(|naa| naa.adfs.contains(&adf));
        let csim = aid.starts_with(&[0xA0, 0x00, 0x00, 0x03, 0x43, 0x10, 0x02]);
        if !keys && !csim {
            let text = format!("{name} has no authentication keys");
            findings.push(warning(of("akaParameter"), "8.5", text, Status::OK));
        }
    }
    for kind in ["usim", "isim", "csim"] {
        let named = package.header().is_some_and(|header| {
            header
                .mandatory_services
                .names()
                .iter()
                .any(|name| name == kind)
        });
        let (number, element) = of(kind);
        if number != 0 && !named {
            let text = format!("the header doesn't name the service {kind}");
            findings.push(warning((number, element), "8.2", text, Status::OK));
        }
    }
    findings.extend(rules(tree, installed));
    let domain = |element: &Element| matches!(element, Element::SecurityDomain(_));
    if !package.elements.iter().any(domain) {
        let text = "no security domain of the operator: nobody manages the profile over the air"
            .to_owned();
        findings.push(warning((0, "package".to_owned()), "8.6", text, Status::OK));
    }
    findings
}

/// Access rules that lead nowhere, and PINs that they name and nobody has defined.
fn rules(tree: &Tree, installed: &Installed) -> Vec<Finding> {
    let mut missing: Vec<u8> = Vec::new();
    let mut nowhere = Vec::new();
    let mut todo = vec![FileId::MF];
    while let Some(file) = todo.pop() {
        todo.extend(tree.children(file).map(|(child, _)| child));
        let Ok(node) = tree.get(file) else {
            continue;
        };
        let operations = match node.kind {
            Kind::Directory { .. } => [Operation::CreateEf, Operation::Delete],
            Kind::Elementary(_) => [Operation::Read, Operation::Update],
        };
        let conditions = operations.map(|operation| tree.condition(file, operation));
        if conditions
            .iter()
            .all(|condition| *condition == Condition::Never)
            && !node.is_directory()
        {
            nowhere.push(format!("{:04X}", node.fid));
        }
        let from = tree.directories(file);
        for key in conditions.iter().flat_map(keys) {
            let defined = installed.volume.pins.iter().any(|pin| {
                pin.reference == key && pin.scopes().iter().any(|scope| from.contains(scope))
            });
            if !defined && !missing.contains(&key) {
                missing.push(key);
            }
        }
    }
    let finding = |text: String, status: Status| Finding {
        level: Level::Warning,
        number: 0,
        element: "package".to_owned(),
        clause: "8.3.1",
        text,
        answer: status.name(),
    };
    let mut findings = Vec::new();
    if !missing.is_empty() {
        let list: Vec<String> = missing.iter().map(ToString::to_string).collect();
        let text = format!(
            "access rules name PINs that no element defines: {}",
            list.join(", ")
        );
        findings.push(finding(text, Status::PIN_CODE_MISSING));
    }
    if !nowhere.is_empty() {
        let text = format!(
            "nobody may read or update {}: the access rule isn't in EF.ARR, or says never",
            nowhere.join(", ")
        );
        findings.push(finding(text, Status::OK));
    }
    findings
}

fn keys(condition: &Condition) -> Vec<u8> {
    match condition {
        Condition::Key(key) => vec![*key],
        Condition::Any(list) | Condition::All(list) => list.iter().flat_map(keys).collect(),
        Condition::Always | Condition::Never => Vec::new(),
    }
}
