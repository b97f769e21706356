//! What is in a package, in words: its elements, and the files, PINs and applications that they make.

use super::asn1::Secret;
use super::elements::{AkaParameter, AlgoConfiguration, PinCodes, PinList};
use super::file::{FilePart, FilesElement};
use super::install::{self, Installed};
use super::{Element, Package};
use crate::fs::security::Security;
use crate::fs::tree::{FileId, Kind, Structure, Tree};
use serde::Serialize;

/// A package in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Overview {
    /// Version of the format.
    pub version: String,
    /// `profileType`.
    pub profile_type: String,
    /// ICCID in digits.
    pub iccid: String,
    /// IMSI of the first USIM; empty if nothing could be installed.
    pub imsi: String,
    /// Mandatory services.
    pub services: Vec<String>,
    /// Its elements.
    pub elements: Vec<ElementLine>,
    /// Files, in the order of the tree; none if it can't be installed.
    pub files: Vec<FileLine>,
    /// Bytes that the files take on a card.
    pub size: usize,
    /// Why it can't be installed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// An element.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ElementLine {
    /// Its place, from 1.
    pub number: usize,
    /// Its name.
    pub element: &'static str,
    /// Its identification.
    pub identification: Option<u16>,
    /// If a card has to be able to do what it says.
    pub mandated: bool,
    /// Bytes that it takes.
    pub bytes: usize,
    /// What it says.
    pub text: String,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileLine {
    /// How many directories it is in.
    pub depth: usize,
    /// File identifier, or an application's AID.
    pub name: String,
    /// `transparent`, `linear-fixed`, `cyclic`, `directory`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Size in bytes; 0 for a directory.
    pub size: usize,
    /// Length of a record; 0 without records.
    pub record: u8,
    /// Short file identifier.
    pub sfi: Option<u8>,
    /// EF.ARR and record of its access rule.
    pub access: String,
    /// The file whose contents it shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
}

impl Overview {
    /// A package in words; with its keys and PINs only if `secrets`.
    pub fn of(package: &Package, secrets: bool) -> Overview {
        let header = package.header();
        let installed = install::install_package(package);
        let elements = package
            .elements
            .iter()
            .enumerate()
            .map(|(at, element)| ElementLine {
                number: at + 1,
                element: element.name(),
                identification: element.identification(),
                mandated: element.is_mandated(),
                bytes: der::Encode::encoded_len(element)
                    .ok()
                    .and_then(|length| usize::try_from(length).ok())
                    .unwrap_or_default(),
                text: words(element, secrets),
            })
            .collect();
        let iccid = header.and_then(|header| header.profile_iccid());
        let (files, size, imsi, refused) = match &installed {
            Ok(installed) => (
                tree(installed),
                installed.size(),
                installed.imsi.clone(),
                None,
            ),
            Err(refused) => (Vec::new(), 0, String::new(), Some(refused.to_string())),
        };
        Overview {
            version: header.map_or_else(String::new, |header| {
                format!("{}.{}", header.major_version, header.minor_version)
            }),
            profile_type: header
                .and_then(|header| header.profile_type.clone())
                .unwrap_or_default(),
            iccid: iccid.map_or_else(String::new, |iccid| iccid.to_string()),
            imsi,
            services: header.map_or_else(Vec::new, |header| header.mandatory_services.names()),
            elements,
            files,
            size,
            refused,
        }
    }
}

fn secret(value: &Secret, secrets: bool) -> String {
    match secrets {
        true => hex::encode_upper(value.bytes()),
        false => format!("({} bytes)", value.bytes().len()),
    }
}

fn words(element: &Element, secrets: bool) -> String {
    match element {
        Element::Header(header) => format!(
            "version {}.{}, {} services, {} templates",
            header.major_version,
            header.minor_version,
            header.mandatory_services.0.len(),
            header.mandatory_templates.len()
        ),
        Element::Files(files) => files_words(files),
        Element::GenericFileManagement(management) => {
            let steps: usize = management.commands.iter().map(Vec::len).sum();
            format!("{steps} steps")
        }
        Element::PinCodes(codes) => pin_words(codes, secrets),
        Element::PukCodes(codes) => {
            let puk = |puk: &super::elements::PukConfiguration| {
                format!("{} {}", puk.reference, secret(&puk.value, secrets))
            };
            let list: Vec<String> = codes.codes.iter().map(puk).collect();
            format!("unblock keys {}", list.join(", "))
        }
        Element::AkaParameter(parameter) => aka_words(parameter, secrets),
        Element::CdmaParameter(_) => "CDMA keys".to_owned(),
        Element::SecurityDomain(domain) => format!(
            "{}, {} keys",
            domain.instance.aid,
            domain.keys.as_ref().map_or(0, Vec::len)
        ),
        Element::Rfm(rfm) => {
            let tars = rfm.tars.iter().flatten().map(ToString::to_string);
            format!("{}, TAR {}", rfm.aid, tars.collect::<Vec<_>>().join(" "))
        }
        Element::Application(application) => match &application.load_block {
            Some(block) => format!(
                "load package {}, {} bytes",
                block.aid,
                block.block.as_bytes().len()
            ),
            None => "instances".to_owned(),
        },
        Element::NonStandard(other) => format!("issuer {}", other.issuer),
        Element::End(_) => String::new(),
        Element::Unknown(_) => "of a later version".to_owned(),
    }
}

fn files_words(files: &FilesElement) -> String {
    let aid = files
        .files
        .iter()
        .flat_map(|(_, parts)| parts)
        .find_map(|part| match part {
            FilePart::Descriptor(fcp) => fcp.df_name.as_ref().map(ToString::to_string),
            _ => None,
        });
    let aid = aid.map_or_else(String::new, |aid| format!(", {aid}"));
    format!(
        "template {}, {} files{aid}",
        files.template,
        files.files.len()
    )
}

fn pin_words(codes: &PinCodes, secrets: bool) -> String {
    match &codes.codes {
        PinList::Own(list) => {
            let pins = list.iter().map(|pin| {
                let disabled = pin.attributes.is_some_and(|bits| bits & 1 == 0);
                let state = if disabled { " disabled" } else { "" };
                format!("{} {}{state}", pin.reference, secret(&pin.value, secrets))
            });
            format!("PINs {}", pins.collect::<Vec<_>>().join(", "))
        }
        PinList::Of(path) => format!("PINs of {path}"),
        PinList::Unknown(_) => "PINs of a later version".to_owned(),
    }
}

fn aka_words(parameter: &AkaParameter, secrets: bool) -> String {
    match &parameter.algorithm {
        AlgoConfiguration::Mapping(mapping) => format!("keys of {}", mapping.source),
        AlgoConfiguration::Own(own) => {
            let name = match own.algorithm {
                1 => "MILENAGE".to_owned(),
                2 => "TUAK".to_owned(),
                3 => "test algorithm".to_owned(),
                other => format!("algorithm {other}"),
            };
            format!(
                "{name}, K {}, OPc {}",
                secret(&own.key, secrets),
                secret(&own.opc, secrets)
            )
        }
        AlgoConfiguration::Unknown(_) => "keys of a later version".to_owned(),
    }
}

fn tree(installed: &Installed) -> Vec<FileLine> {
    let mut lines = Vec::new();
    below(&installed.volume.tree, FileId::MF, 0, &mut lines);
    lines
}

fn below(tree: &Tree, file: FileId, depth: usize, lines: &mut Vec<FileLine>) {
    let Ok(node) = tree.get(file) else {
        return;
    };
    let access = match &node.security {
        Security::Referenced(value) => match value.as_slice() {
            [high, low, record] => format!("{high:02X}{low:02X}/{record}"),
            other => hex::encode_upper(other),
        },
        _ => String::new(),
    };
    let mut line = FileLine {
        depth,
        name: match node.adf_name() {
            Some(aid) => hex::encode_upper(aid),
            None => format!("{:04X}", node.fid),
        },
        kind: "directory",
        size: 0,
        record: 0,
        sfi: None,
        access,
        link: None,
    };
    if let (Kind::Elementary(own), Ok((_, shown))) = (&node.kind, tree.contents(file)) {
        line.kind = match shown.structure {
            Structure::Transparent => "transparent",
            Structure::LinearFixed => "linear-fixed",
            Structure::Cyclic => "cyclic",
        };
        line.size = shown.data.len();
        line.record = shown.record;
        line.sfi = own.sfi;
        line.link = own
            .link
            .and_then(|target| tree.path(target))
            .map(|(adf, fids)| {
                let first = adf.map_or_else(|| "3F00".to_owned(), hex::encode_upper);
                let skipped = if adf.is_some() { 2 } else { 1 };
                let rest = fids.iter().skip(skipped).map(|fid| format!("{fid:04X}"));
                [first]
                    .into_iter()
                    .chain(rest)
                    .collect::<Vec<_>>()
                    .join("/")
            });
    }
    lines.push(line);
    for (child, _) in tree.children(file) {
        below(tree, child, depth + 1, lines);
    }
}
