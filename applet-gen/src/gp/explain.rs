//! GlobalPlatform commands in words: what a card would read in them, and what it would refuse.
//!
//! A card answers most faults with a bare 6A80. [`explain`] takes a plain command apart as GPCS
//! chapter 11 does and names the field that is wrong.

mod management;

use super::command::{
    INS_BEGIN_R_MAC_SESSION, INS_DELETE, INS_END_R_MAC_SESSION, INS_GET_DATA, INS_GET_STATUS,
    INS_INSTALL, INS_LOAD, INS_PUT_KEY, INS_SELECT, INS_SET_STATUS, INS_STORE_DATA,
};
use super::privilege;
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

    fn value(&self, name: &str) -> Option<&str> {
        let field = self.fields.iter().find(|field| field.0 == name);
        field.map(|field| field.1.as_str())
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
        INS_GET_STATUS => {
            out.field(
                "of",
                match p1 {
                    0x80 => "the issuer security domain",
                    0x40 => "applications and security domains",
                    0x20 => "load files",
                    0x10 => "load files and their modules",
                    _ => "nothing that is defined",
                },
            );
            out.field(
                "form",
                if p2 & 2 != 0 {
                    "data objects"
                } else {
                    "the older one"
                },
            );
            if p2 & 1 != 0 {
                out.field("from", "where the last answer ended");
            }
            if !matches!(tlv::find(&command.data, 0x4F), Ok(Some(_))) {
                out.fault("no AID to search for: 4F, empty for all, has to be there");
            }
        }
        INS_SET_STATUS => management::set_status(command, &mut out),
        INS_DELETE => management::delete(command, &mut out),
        INS_LOAD => {
            out.field("block", p2.to_string());
            out.field("bytes", command.data.len().to_string());
            if p2 == 0 {
                management::load_file(&command.data, &mut out);
            }
            if p1 & 0x80 != 0 {
                out.field("last", "yes");
            }
        }
        INS_INSTALL => install(command, &mut out),
        INS_PUT_KEY => management::put_key(command, &mut out),
        INS_STORE_DATA => management::store_data(command, &mut out),
        INS_BEGIN_R_MAC_SESSION => match p1 {
            0x10 => out.field("responses carry", "R-MAC"),
            0x30 => out.field("responses carry", "R-MAC and R-ENCRYPTION"),
            _ => out.fault(format!("P1 {p1:02X}: 10 (R-MAC) or 30 (R-ENCRYPTION, too)")),
        },
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
        INS_BEGIN_R_MAC_SESSION => "BEGIN R-MAC SESSION",
        INS_END_R_MAC_SESSION => "END R-MAC SESSION",
        INS_EXTERNAL_AUTHENTICATE => "EXTERNAL AUTHENTICATE",
        ins => return format!("command with INS {ins:02X}"),
    };
    name.to_owned()
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
            "privileges" if optional && value.is_empty() => {}
            "privileges" => {
                out.field(label, privilege::words(value));
                out.faults.extend(privilege::faults(value));
            }
            "install parameters" => {
                parameters(value, out);
                management::parameters(value, out);
            }
            "parameters" | "load parameters" => management::parameters(value, out),
            "load file data block hash" if !matches!(value.len(), 0 | 20 | 32 | 48 | 64) => {
                out.fault(format!(
                    "load file data block hash: {} bytes, a hash has 20, 32, 48 or 64",
                    value.len()
                ));
            }
            "load token"
                if !value.is_empty() && out.value("load file data block hash").is_none() =>
            {
                out.field(label, hex::encode_upper(value));
                out.fault("load token: it needs the load file data block hash (GPCS C.2)");
            }
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
mod tests;
