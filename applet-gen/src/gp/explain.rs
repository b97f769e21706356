//! GlobalPlatform commands in words: what a card would read in them, and what it would refuse.
//!
//! A card answers most faults with a bare 6A80. [`explain`] takes a plain command apart as GPCS
//! chapter 11 does and names the field that is wrong.

use super::card_data::privileges;
use super::command::{
    INS_DELETE, INS_GET_DATA, INS_GET_STATUS, INS_INSTALL, INS_LOAD, INS_PUT_KEY, INS_SELECT,
    INS_SET_STATUS, INS_STORE_DATA,
};
use super::scp03::channel::{INS_EXTERNAL_AUTHENTICATE, INS_INITIALIZE_UPDATE};
use super::scp03::session::is_secure_class;
use super::uicc_params::InstallParameters;
use applet_model::apdu::Command;
use applet_model::tlv;

/// A command in words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Explained {
    /// Its name, as `INSTALL [for load]`.
    pub name: String,
    /// Its fields in their order: name and value. Key material is never among them.
    pub fields: Vec<(String, String)>,
    /// What is wrong with it: the field, and why a card refuses it.
    pub faults: Vec<String>,
}

impl Explained {
    fn field(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    fn fault(&mut self, text: impl Into<String>) {
        self.faults.push(text.into());
    }

    /// An AID that has to be there, or may be empty.
    fn aid(&mut self, name: &str, aid: &[u8], optional: bool) {
        if !(optional && aid.is_empty()) {
            self.field(name, hex::encode_upper(aid));
            if !(5..=16).contains(&aid.len()) {
                self.fault(format!("{name}: {} bytes, an AID has 5 to 16", aid.len()));
            }
        }
    }
}

/// INSTALL's purposes: P1, name, names of the six length-value fields ("" where it must be empty;
/// GPCS tables 11-36 to 11-45).
const INSTALLS: [(u8, &str, [&str; 6]); 7] = [
    (
        0x02,
        "INSTALL [for load]",
        [
            "load file",
            "security domain?",
            "load file data block hash?",
            "load parameters?",
            "load token?",
            "-",
        ],
    ),
    (0x04, "INSTALL [for install]", FOR_INSTALL),
    (
        0x08,
        "INSTALL [for make selectable]",
        ["", "", "application", "privileges", "parameters?", "token?"],
    ),
    (
        0x0C,
        "INSTALL [for install and make selectable]",
        FOR_INSTALL,
    ),
    (
        0x10,
        "INSTALL [for extradition]",
        [
            "security domain",
            "",
            "application",
            "",
            "parameters?",
            "token?",
        ],
    ),
    (
        0x20,
        "INSTALL [for personalization]",
        ["", "", "application", "", "", ""],
    ),
    (
        0x40,
        "INSTALL [for registry update]",
        [
            "security domain?",
            "",
            "application?",
            "privileges?",
            "parameters?",
            "token?",
        ],
    ),
];
/// The fields of INSTALL \[for install\]; `?` marks those that may be empty.
const FOR_INSTALL: [&str; 6] = [
    "load file",
    "module",
    "application",
    "privileges",
    "install parameters?",
    "token?",
];

/// Takes a command apart. One under secure messaging is named only: its data is encrypted.
pub fn explain(command: &Command) -> Explained {
    let mut out = Explained::default();
    let (p1, p2) = (command.p1, command.p2);
    if is_secure_class(command.cla) && command.ins != INS_EXTERNAL_AUTHENTICATE {
        out.name = format!("{} under secure messaging", name(command.ins));
        return out;
    }
    out.name = name(command.ins);
    match command.ins {
        INS_SELECT if p1 == 0x04 => out.aid("AID", &command.data, true),
        INS_INITIALIZE_UPDATE => {
            out.field("key version", format!("{p1:02X}"));
            if !matches!(command.data.len(), 8 | 16) {
                out.fault("host challenge: 8 bytes (S8) or 16 (S16)");
            }
        }
        INS_GET_DATA => out.field("tag", format!("{p1:02X}{p2:02X}")),
        INS_GET_STATUS => out.field(
            "of",
            match p1 {
                0x80 => "the issuer security domain",
                0x40 => "applications and security domains",
                0x20 => "load files",
                0x10 => "load files and their modules",
                _ => "nothing that is defined",
            },
        ),
        INS_SET_STATUS => {
            out.field(
                "of",
                format!("{p1:02X} {}", hex::encode_upper(&command.data)),
            );
            out.field("state", format!("{p2:02X}"));
        }
        INS_DELETE => delete(command, &mut out),
        INS_LOAD => {
            out.field("block", p2.to_string());
            out.field("bytes", command.data.len().to_string());
            if p1 & 0x80 != 0 {
                out.field("last", "yes");
            }
        }
        INS_INSTALL => install(command, &mut out),
        INS_PUT_KEY => {
            out.field("replaces key version", format!("{p1:02X}"));
            out.field("first key identifier", format!("{:02X}", p2 & 0x7F));
            if let Some(kvn) = command.data.first() {
                out.field("new key version", format!("{kvn:02X}"));
            }
        }
        INS_STORE_DATA => {
            out.field("block", p2.to_string());
            let form = match p1 & 0x18 {
                0x08 => "DGI",
                0x10 => "BER-TLV",
                _ => "as it is",
            };
            out.field("form", form);
            out.field("bytes", command.data.len().to_string());
            if p1 & 0x80 != 0 {
                out.field("last", "yes");
            }
        }
        _ => {}
    }
    out
}

/// The command's name; its instruction byte if it has none here.
fn name(ins: u8) -> String {
    let name = match ins {
        INS_SELECT => "SELECT",
        INS_GET_DATA => "GET DATA",
        INS_GET_STATUS => "GET STATUS",
        INS_SET_STATUS => "SET STATUS",
        INS_INSTALL => "INSTALL",
        INS_LOAD => "LOAD",
        INS_DELETE => "DELETE",
        INS_PUT_KEY => "PUT KEY",
        INS_STORE_DATA => "STORE DATA",
        INS_INITIALIZE_UPDATE => "INITIALIZE UPDATE",
        INS_EXTERNAL_AUTHENTICATE => "EXTERNAL AUTHENTICATE",
        ins => return format!("command with INS {ins:02X}"),
    };
    name.to_owned()
}

fn delete(command: &Command, out: &mut Explained) {
    match tlv::find(&command.data, 0x4F) {
        Ok(Some(object)) => out.aid("AID", object.value, false),
        Ok(None) => match tlv::find(&command.data, 0xD2) {
            Ok(Some(version)) => out.field("key version", hex::encode_upper(version.value)),
            _ => out.fault("neither an AID (4F) nor a key version (D2)"),
        },
        Err(error) => out.fault(error.to_string()),
    }
    if command.p2 & 0x80 != 0 {
        out.field("with", "related objects");
    }
}

/// Splits a field with its length before it (`81 LL` from 128 on) off.
fn take<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (length, tail) = match rest {
        [0x81, length, tail @ ..] => (*length, tail),
        [length, tail @ ..] if *length < 0x80 => (*length, tail),
        _ => return None,
    };
    let (value, tail) = tail.split_at_checked(length.into())?;
    *rest = tail;
    Some(value)
}

fn install(command: &Command, out: &mut Explained) {
    let row = INSTALLS.iter().find(|row| row.0 == command.p1);
    let Some((_, name, fields)) = row else {
        out.fault(format!("P1 {:02X}: no purpose of INSTALL", command.p1));
        return;
    };
    out.name = (*name).to_owned();
    let mut rest = command.data.as_slice();
    for field in fields.iter().filter(|field| **field != "-") {
        let label = field.trim_end_matches('?');
        let optional = field.ends_with('?') || label.is_empty();
        let Some(value) = take(&mut rest) else {
            let of = if label.is_empty() {
                "an empty field"
            } else {
                label
            };
            out.fault(format!("{of}: cut, {} bytes are left", rest.len()));
            return;
        };
        match label {
            "" if !value.is_empty() => out.fault(format!(
                "{} where a field has to be empty",
                hex::encode_upper(value)
            )),
            "" => {}
            "privileges" => {
                out.field(label, privileges(value));
                if !(matches!(value.len(), 1 | 3) || optional && value.is_empty()) {
                    out.fault(format!(
                        "privileges: {} bytes, 1 or 3 are allowed",
                        value.len()
                    ));
                }
            }
            "install parameters" => parameters(value, out),
            "load file" | "module" | "application" | "security domain" => {
                out.aid(label, value, optional);
            }
            _ if value.is_empty() => {}
            _ => out.field(label, hex::encode_upper(value)),
        }
    }
    if !rest.is_empty() {
        out.fault(format!("{} bytes follow the last field", rest.len()));
    }
}

/// Install parameters (C9, EF, EA) in words.
fn parameters(bytes: &[u8], out: &mut Explained) {
    let read = match InstallParameters::decode(bytes) {
        Ok(read) => read,
        Err(error) => {
            out.field("install parameters", hex::encode_upper(bytes));
            out.fault(error.to_string());
            return;
        }
    };
    out.field("for the applet (C9)", hex::encode_upper(&read.application));
    if let Some(system) = &read.system {
        let quotas = [
            ("non-volatile memory quota (C8)", system.non_volatile_quota),
            ("volatile memory quota (C7)", system.volatile_quota),
            (
                "non-volatile memory reserved (D8)",
                system.non_volatile_reserved,
            ),
            ("volatile memory reserved (D7)", system.volatile_reserved),
        ];
        for (name, bytes) in quotas {
            if let Some(bytes) = bytes {
                out.field(name, format!("{bytes} bytes"));
            }
        }
    }
    if let Some(toolkit) = read.toolkit() {
        out.field("toolkit priority", format!("{:02X}", toolkit.priority));
        out.field("timers", toolkit.max_timers.to_string());
        out.field("channels", toolkit.max_channels.to_string());
        if let Some(services) = toolkit.max_services {
            out.field("services", services.to_string());
        }
        for entry in &toolkit.menu {
            let (identifier, position) = (entry.identifier, entry.position);
            out.field(
                "menu entry",
                format!("identifier {identifier}, position {position}"),
            );
        }
        for tar in &toolkit.tars {
            out.field("TAR", hex::encode_upper(tar));
        }
        let level = &toolkit.minimum_security_level;
        if !level.is_empty() {
            out.field("minimum security level", hex::encode_upper(level));
        }
    }
    let access = read.uicc.iter().flat_map(|uicc| {
        let files = uicc.access.iter().map(|access| ("file access", access));
        let administration = uicc.administrative_access.iter();
        files.chain(administration.map(|access| ("file administration", access)))
    });
    for (name, access) in access {
        if let Some(domain) = &access.uicc {
            out.field(
                name,
                format!("shared files: {}", hex::encode_upper(&domain.domain)),
            );
        }
        for adf in &access.adfs {
            let (aid, domain) = (hex::encode_upper(&adf.aid), &adf.access.domain);
            out.field(name, format!("{aid}: {}", hex::encode_upper(domain)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::command::{self, Install};
    use super::super::load::load_commands;
    use super::super::uicc_params::{InstallParameters, ToolkitParameters, UiccParameters};
    use super::*;
    use proptest::prelude::*;

    fn value<'a>(explained: &'a Explained, name: &str) -> &'a str {
        let field = explained.fields.iter().find(|field| field.0 == name);
        &field
            .unwrap_or_else(|| panic!("no {name}: {explained:?}"))
            .1
    }

    #[test]
    fn what_the_builders_make_has_no_faults() {
        let parameters = InstallParameters {
            application: vec![1, 2],
            uicc: Some(UiccParameters {
                toolkit: Some(ToolkitParameters {
                    max_channels: 1,
                    ..ToolkitParameters::default()
                }),
                ..UiccParameters::default()
            }),
            ..InstallParameters::default()
        };
        let parameters = parameters.encode().unwrap();
        let install = Install {
            package: &[0xF0, 1, 2, 3, 4],
            module: &[0xF0, 1, 2, 3, 4, 5],
            instance: &[0xF0, 1, 2, 3, 4, 6],
            privileges: [0x04, 0, 0],
            parameters: &parameters,
            token: &[],
        };
        let read = explain(&install.for_install_and_make_selectable());
        assert_eq!(read.name, "INSTALL [for install and make selectable]");
        assert_eq!(value(&read, "privileges"), "Card Reset");
        assert_eq!(value(&read, "channels"), "1");
        assert_eq!(value(&read, "for the applet (C9)"), "0102");
        for command in [
            command::select(&[0xF0, 1, 2, 3, 4]),
            command::install_for_load(&[0xF0, 1, 2, 3, 4], &[], &[9; 32], &[], &[]),
            command::install_for_personalization(&[0xF0, 1, 2, 3, 4]),
            command::install_for_make_selectable(&[0xF0, 1, 2, 3, 4], [0; 3]),
            command::delete(&[0xF0, 1, 2, 3, 4], true),
            load_commands(&[0; 300], 200).unwrap().remove(1),
        ] {
            assert_eq!(
                explain(&command).faults,
                Vec::<String>::new(),
                "{command:?}"
            );
        }
        assert_eq!(read.faults, Vec::<String>::new());
    }

    #[test]
    fn faults_are_named_by_field() {
        let mut command = command::install_for_load(&[1; 4], &[], &[], &[], &[]);
        assert!(explain(&command).faults[0].contains("load file: 4 bytes"));
        command.data.pop();
        assert!(explain(&command).faults[1].contains("load token: cut"));
        let bad = Install {
            package: &[1; 5],
            module: &[1; 6],
            instance: &[1; 7],
            privileges: [0; 3],
            // EA with a toolkit field that ends early.
            parameters: &[0xC9, 0, 0xEA, 4, 0x80, 2, 0xFF, 0],
            token: &[],
        };
        let read = explain(&bad.for_install());
        assert!(read.faults[0].contains("install parameters: "), "{read:?}");
    }

    #[test]
    fn keys_are_not_shown() {
        let command = Command::new(0x80, INS_PUT_KEY, 0x30, 0x81).with_data([0x31, 0x88, 0x11]);
        let shown = format!("{:?}", explain(&command));
        assert!(shown.contains("31") && !shown.contains("8811"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_command_is_explained(cla: u8, ins in 0xC0u8.., p1: u8, p2: u8, data in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = explain(&Command::new(cla, ins, p1, p2).with_data(data));
        }
    }
}
