//! What a card refuses in install parameters, named before it is sent.
//!
//! A card answers all of it with a bare 6A80. [`Severity::Refused`] is what the virtual card refuses,
//! too; [`Severity::Doubtful`] is what some cards refuse, or what does not do what was meant.

use super::{CardLimits, InstallParameters, ParameterError, Problem, ToolkitParameters};
use applet_model::status::Sw;
use applet_model::tlv;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Some cards refuse it, or it doesn't do what was meant.
    Doubtful,
    /// A card refuses it.
    Refused,
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The field, as the specification names it.
    pub field: String,
    /// What is wrong.
    pub problem: String,
    /// Where it is said.
    pub clause: &'static str,
    /// What a card answers.
    pub answer: Sw,
}

impl core::fmt::Display for Finding {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Finding {
            field,
            problem,
            clause,
            answer,
            severity,
        } = self;
        match severity {
            Severity::Refused => {
                write!(f, "{field}: {problem} ({clause}); a card answers {answer}")
            }
            Severity::Doubtful => write!(f, "{field}: {problem} ({clause})"),
        }
    }
}

/// What the parameters are for. The default knows nothing of card or applet, and finds less.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Target {
    /// What the card can give.
    pub limits: Option<CardLimits>,
    /// AID of the instance.
    pub instance: Option<Vec<u8>>,
    /// TARs of applets that are on the card.
    pub taken_tars: Vec<[u8; 3]>,
    /// Whether the card takes toolkit parameters as EA (else as CA in EF).
    pub takes_ea: Option<bool>,
}

const CLAUSE_TOOLKIT: &str = "ETSI TS 102 226 8.2.1.3.2.2.1";
const CLAUSE_ACCESS: &str = "ETSI TS 102 226 8.2.1.3.2.2.2";
const CLAUSE_MEMORY: &str = "GPCS 11.5.2.3.7";
const CLAUSE_TAR: &str = "ETSI TS 101 220 3.4";

/// TARs with a meaning of their own: first, last, whose.
const RESERVED_TARS: [(u32, u32, &str); 4] = [
    (0x00_0000, 0x00_0000, "the issuer security domain"),
    (0x00_0001, 0x00_0002, "an eUICC's ISD-R and ECASD"),
    (0x00_0010, 0x00_FFFF, "an eUICC's ISD-Ps"),
    (0xB0_0000, 0xB0_FFFF, "remote file management"),
];

fn finding(
    severity: Severity,
    field: impl Into<String>,
    problem: impl Into<String>,
    clause: &'static str,
) -> Finding {
    Finding {
        severity,
        field: field.into(),
        problem: problem.into(),
        clause,
        answer: Sw::WRONG_DATA,
    }
}

/// The clause that a field of [`ParameterError`] is from.
fn clause(field: &str) -> &'static str {
    match field {
        _ if field.contains("access") || field.contains("ADF") => CLAUSE_ACCESS,
        _ if field.contains("memory") || field.contains("(EF)") || field.contains("(C9)") => {
            CLAUSE_MEMORY
        }
        _ if field == "install parameters" => CLAUSE_MEMORY,
        _ => CLAUSE_TOOLKIT,
    }
}

fn refused(error: &ParameterError) -> Finding {
    let at = match error.problem {
        // Offsets are of no use where a value is compared with the card's.
        Problem::NotOnCard { .. } => String::new(),
        _ => format!(" at offset {}", error.offset),
    };
    let field = format!("{}{at}", error.field);
    let mut out = finding(
        Severity::Refused,
        field,
        error.problem.to_string(),
        clause(error.field),
    );
    if matches!(error.problem, Problem::NotOnCard { .. }) && error.field.contains("memory") {
        out.answer = Sw::NOT_ENOUGH_MEMORY;
    }
    out
}

/// Looks through the install parameters field of INSTALL \[for install\].
#[must_use]
pub fn lint(bytes: &[u8], target: &Target) -> Vec<Finding> {
    let parameters = match InstallParameters::decode(bytes) {
        Ok(parameters) => parameters,
        Err(error) => return vec![refused(&error)],
    };
    let mut out = Vec::new();
    if parameters.application.len() > 127 {
        out.push(finding(
            Severity::Doubtful,
            "application specific parameters (C9)",
            format!(
                "{} bytes; cards pass at most 127 to Applet.install()",
                parameters.application.len()
            ),
            "JCAPI Applet.install",
        ));
    }
    if let Some(limits) = &target.limits {
        out.extend(parameters.lint(limits).iter().map(refused));
    }
    order(bytes, &mut out);
    forms(&parameters, target, &mut out);
    if let Some(toolkit) = parameters.toolkit() {
        menu(toolkit, &mut out);
        tars(toolkit, target, &mut out);
        security_level(toolkit, &mut out);
    }
    access(&parameters, &mut out);
    out.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
    out
}

/// Order and presence of the objects.
fn order(bytes: &[u8], out: &mut Vec<Finding>) {
    let tags = |list: &[u8]| -> Vec<u32> {
        let objects = tlv::iter(list).filter_map(Result::ok);
        objects.map(|object| object.tag).collect()
    };
    let top = tags(bytes);
    let place = |list: &[u32], tag: u32| list.iter().position(|one| *one == tag);
    let Some(application) = place(&top, 0xC9) else {
        out.push(finding(
            Severity::Doubtful,
            "application specific parameters (C9)",
            "missing; it is mandatory, empty if there are none (C900)",
            CLAUSE_MEMORY,
        ));
        return;
    };
    for (tag, name) in [(0xEF, "EF"), (0xEA, "EA")] {
        if place(&top, tag).is_some_and(|at| at > application) {
            out.push(finding(
                Severity::Doubtful,
                name,
                "stands behind C9; some cards take it only before (application_last = true)",
                "ETSI TS 102 226 8.2.1.3.2",
            ));
        }
    }
    if let (Some(system), Some(uicc)) = (place(&top, 0xEF), place(&top, 0xEA))
        && uicc < system
    {
        out.push(finding(
            Severity::Doubtful,
            "EA",
            "stands before EF; the other order is what cards expect",
            "ETSI TS 102 226 8.2.1.3.2",
        ));
    }
    for tag in &top {
        if ![0xC9, 0xEF, 0xEA].contains(tag) {
            out.push(finding(
                Severity::Doubtful,
                format!("data object {tag:02X}"),
                "no install parameter that a UICC knows; it is passed over or refused",
                CLAUSE_MEMORY,
            ));
        }
    }
    if let Ok(Some(system)) = tlv::find(bytes, 0xEF) {
        let inside = tags(system.value);
        for (first, second) in [(0xC8, 0xC7), (0xD8, 0xD7)] {
            if let (Some(a), Some(b)) = (place(&inside, first), place(&inside, second))
                && b < a
            {
                out.push(finding(
                    Severity::Doubtful,
                    format!("{second:02X}"),
                    format!("stands before {first:02X}; the other order is what cards expect"),
                    "ETSI TS 102 226 8.2.1.3.2.1",
                ));
            }
        }
        if let Some(toolkit) = place(&inside, 0xCA)
            && inside
                .iter()
                .enumerate()
                .any(|(at, tag)| at > toolkit && matches!(tag, 0xC7 | 0xC8))
        {
            out.push(finding(
                Severity::Doubtful,
                "CA",
                "stands before the memory quotas; cards of the first releases expect them first",
                "ETSI TS 102 226 8.2.1.3.2.1",
            ));
        }
        for tag in inside {
            let (problem, clause) = match tag {
                0xC7 | 0xC8 | 0xD7 | 0xD8 | 0xCA => continue,
                0xC6 => (
                    "memory for code belongs to INSTALL [for load]",
                    "GPCS 11.5.2.3.7",
                ),
                0xCB => (
                    "global service parameters need the Global Service privilege",
                    "GPCS 8.1.3",
                ),
                0xCF => (
                    "implicit selection: a card without such channels refuses it",
                    "GPCS 11.1.7",
                ),
                _ => ("nothing that cards of every maker know", "GPCS 11.5.2.3.7"),
            };
            out.push(finding(
                Severity::Doubtful,
                format!("data object {tag:02X} in EF"),
                problem,
                clause,
            ));
        }
    }
}

/// Which of the two forms the toolkit parameters have.
fn forms(parameters: &InstallParameters, target: &Target, out: &mut Vec<Finding>) {
    let ea = parameters
        .uicc
        .as_ref()
        .is_some_and(|uicc| uicc.toolkit.is_some());
    let system = parameters.system.as_ref();
    let ca = system.is_some_and(|system| system.sim_toolkit.is_some());
    if ea && ca {
        out.push(finding(
            Severity::Doubtful,
            "CA and EA",
            "both forms of the toolkit parameters are there; a card takes one of them",
            "ETSI TS 102 226 8.2.1.3.2",
        ));
    }
    match target.takes_ea {
        Some(true) if ca => out.push(finding(
            Severity::Doubtful,
            "CA",
            "the card definition says that cards take toolkit parameters as EA",
            "card definition, toolkit.install_parameters",
        )),
        Some(false) if ea => out.push(finding(
            Severity::Doubtful,
            "EA",
            "the card definition says that cards take toolkit parameters as CA in EF",
            "card definition, toolkit.install_parameters",
        )),
        _ => {}
    }
}

fn menu(toolkit: &ToolkitParameters, out: &mut Vec<Finding>) {
    for (at, entry) in toolkit.menu.iter().enumerate() {
        let twice = |other: &super::MenuEntry| other.identifier == entry.identifier;
        if entry.identifier != 0 && toolkit.menu[..at].iter().any(twice) {
            out.push(finding(
                Severity::Refused,
                "menu entries",
                format!("identifier {} stands twice", entry.identifier),
                CLAUSE_TOOLKIT,
            ));
        }
    }
    if !toolkit.menu.is_empty() && toolkit.max_text_length == 0 {
        out.push(finding(
            Severity::Doubtful,
            "maximum text length for a menu entry",
            "0: initMenuEntry() refuses every text",
            CLAUSE_TOOLKIT,
        ));
    }
}

fn tars(toolkit: &ToolkitParameters, target: &Target, out: &mut Vec<Finding>) {
    let of_instance = target
        .instance
        .as_deref()
        .and_then(|aid| aid.get(12..15)?.try_into().ok());
    let own: Vec<[u8; 3]> = match toolkit.tars.is_empty() {
        true => of_instance.into_iter().collect(),
        false => toolkit.tars.clone(),
    };
    let hex = hex::encode_upper::<[u8; 3]>;
    for (at, tar) in own.iter().enumerate() {
        if target.taken_tars.contains(tar) {
            out.push(finding(
                Severity::Refused,
                "TAR values",
                format!("{} is taken by another applet on the card", hex(*tar)),
                CLAUSE_TOOLKIT,
            ));
        }
        if own[..at].contains(tar) {
            out.push(finding(
                Severity::Doubtful,
                "TAR values",
                format!("{} stands twice", hex(*tar)),
                CLAUSE_TOOLKIT,
            ));
        }
        let number = u32::from_be_bytes([0, tar[0], tar[1], tar[2]]);
        let reserved = RESERVED_TARS
            .iter()
            .find(|row| (row.0..=row.1).contains(&number));
        if let Some((_, _, whose)) = reserved {
            out.push(finding(
                Severity::Doubtful,
                "TAR values",
                format!("{} belongs to {whose}", hex(*tar)),
                "ETSI TS 101 220 annex D, SGP.02 2.2.3",
            ));
        }
    }
    match of_instance {
        _ if target.instance.is_none() => {}
        Some(tar) if !own.contains(&tar) => out.push(finding(
            Severity::Doubtful,
            "TAR values",
            format!(
                "bytes 13 to 15 of the instance AID are {}, which is not among them",
                hex(tar)
            ),
            CLAUSE_TAR,
        )),
        None if own.is_empty() => out.push(finding(
            Severity::Doubtful,
            "TAR values",
            "none, and the instance AID is too short to have one: no secured packet reaches the applet",
            CLAUSE_TAR,
        )),
        _ => {}
    }
}

fn security_level(toolkit: &ToolkitParameters, out: &mut Vec<Finding>) {
    if let Some(parameter @ (0x00 | 0x02..=0x7F | 0xFF)) = toolkit.minimum_security_level.first() {
        out.push(finding(
            Severity::Doubtful,
            "minimum security level",
            format!(
                "parameter {parameter:02X} is reserved; 01 is SPI1, 80 to FE are a maker's own"
            ),
            "ETSI TS 102 226 8.2.1.3.2.4",
        ));
    }
}

fn access(parameters: &InstallParameters, out: &mut Vec<Finding>) {
    let uicc = parameters.uicc.iter();
    let all = uicc.flat_map(|uicc| uicc.access.iter().chain(&uicc.administrative_access));
    let mut domains: Vec<&[u8]> = Vec::new();
    for access in all {
        domains.extend(access.uicc.iter().map(|d| d.domain.as_slice()));
        for adf in &access.adfs {
            domains.push(&adf.access.domain);
            if !(5..=16).contains(&adf.aid.len()) {
                out.push(finding(
                    Severity::Doubtful,
                    "AID of the ADF",
                    format!("{} bytes, an AID has 5 to 16", adf.aid.len()),
                    CLAUSE_ACCESS,
                ));
            }
        }
    }
    let system = parameters.system.as_ref();
    let sim = system.and_then(|system| system.sim_toolkit.as_ref());
    domains.extend(sim.iter().map(|sim| sim.access_domain.as_slice()));
    for domain in domains {
        let problem = match domain {
            [0x00] | [0xFF] | [0x02, _, _, _] => continue,
            // The older form has its access conditions in any number of bytes.
            [0x01 | 0x02, ..] if sim.is_some() => continue,
            [] => "empty; 00 is full access, FF none".to_owned(),
            [0x00 | 0xFF, ..] => "00 and FF have no data behind them".to_owned(),
            [0x02, ..] => "02 (UICC access mechanism) has three bytes behind it".to_owned(),
            [other, ..] => format!("{other:02X} is reserved or a maker's own"),
        };
        out.push(finding(
            Severity::Doubtful,
            "access domain",
            format!("{}: {problem}", hex::encode_upper(domain)),
            "ETSI TS 102 226 8.2.1.3.2.5",
        ));
    }
}
