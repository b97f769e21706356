//! The commands of card management in words: DELETE, LOAD, PUT KEY, SET STATUS, STORE DATA, and the
//! parameters of INSTALL that aren't the applet's.

use super::Explained;
use crate::gp::card_data::{application_state, card_state};
use crate::gp::load::{TAG_CIPHERED, TAG_DAP, TAG_ICV, TAG_LOAD_FILE};
use crate::gp::put_key::{
    KEY_TYPE_AES, KVN_CIPHERED_LOAD, KVN_DAP, KVN_INITIAL, KVN_RECEIPT, KVN_TOKEN, key_fields,
};
use crate::gp::token::{TAG_DELETE_TOKEN, TAG_SIGNATURE_TEMPLATE};
use applet_model::apdu::Command;
use applet_model::tlv;

/// DELETE: an application or load file, or keys.
pub(super) fn delete(command: &Command, out: &mut Explained) {
    let mut named = false;
    for object in tlv::iter(&command.data) {
        let object = match object {
            Ok(object) => object,
            Err(error) => return out.fault(error.to_string()),
        };
        let hex = hex::encode_upper(object.value);
        named |= matches!(object.tag, 0x4F | 0xD0 | 0xD2);
        match object.tag {
            0x4F => out.aid("AID", object.value, false),
            0xD0 => out.field("key identifier", hex),
            0xD2 => out.field("key version", hex),
            TAG_DELETE_TOKEN => out.field("token", hex),
            TAG_SIGNATURE_TEMPLATE => template(object.value, out),
            tag => out.fault(format!("{tag:X}: no data object of DELETE")),
        }
    }
    if !named {
        out.fault("neither an AID (4F) nor a key (D0, D2)");
    }
    if command.p2 & 0x80 != 0 {
        out.field("with", "related objects");
    }
}

/// SET STATUS.
pub(super) fn set_status(command: &Command, out: &mut Explained) {
    let state = command.p2;
    match command.p1 {
        0x80 => {
            out.field("of", "the card");
            out.field("state", card_state(state));
            if card_state(state) == "unknown" {
                out.fault(format!("P2 {state:02X}: no life cycle state of a card"));
            }
        }
        0x40 | 0x60 => {
            let aid = hex::encode_upper(&command.data);
            out.field(
                "of",
                match command.p1 {
                    0x40 => aid,
                    _ => format!("{aid} and everything below it"),
                },
            );
            // To another application only bit 8 counts (GPCS 11.10.2.2).
            out.field(
                "state",
                match state {
                    0x80..=0xFF => "LOCKED",
                    0x00 => "as before it was locked",
                    _ => application_state(state),
                },
            );
            if !(5..=16).contains(&command.data.len()) {
                out.fault(format!(
                    "AID: {} bytes, an AID has 5 to 16",
                    command.data.len()
                ));
            }
        }
        p1 => out.fault(format!(
            "P1 {p1:02X}: 80 (card), 40 (application) or 60 (domain and below)"
        )),
    }
}

/// What a key version number is for by convention.
fn purpose(version: u8) -> Option<&'static str> {
    Some(match version {
        0x30..=0x3F => "SCP03",
        KVN_TOKEN => "token verification",
        KVN_RECEIPT => "receipt generation",
        KVN_DAP => "DAP verification",
        KVN_CIPHERED_LOAD => "ciphered load files",
        KVN_INITIAL => "initial keys",
        _ => return None,
    })
}

/// PUT KEY. A key itself is never shown.
pub(super) fn put_key(command: &Command, out: &mut Explained) {
    match command.p1 {
        0 => out.field("adds", "new keys"),
        p1 => out.field("replaces key version", format!("{p1:02X}")),
    }
    if command.p1 > 0x7F {
        out.fault(format!(
            "P1 {:02X}: a chain of commands, which few cards take",
            command.p1
        ));
    }
    let first = command.p2 & 0x7F;
    out.field("first key identifier", format!("{first:02X}"));
    let Some(version) = command.data.first() else {
        return out.fault("no data: the new key version and its keys");
    };
    out.field("new key version", format!("{version:02X}"));
    if let Some(purpose) = purpose(*version) {
        out.field("for", purpose);
    }
    let keys = match key_fields(&command.data) {
        Ok((_, keys)) => keys,
        Err(error) => return out.fault(error.to_string()),
    };
    if keys.len() > 1 && command.p2 & 0x80 == 0 {
        out.fault(format!(
            "{} keys, but P2 has no bit 8 (several keys)",
            keys.len()
        ));
    }
    for (id, key) in (u16::from(first)..).zip(&keys) {
        let kind = match key.kind {
            KEY_TYPE_AES => "AES",
            _ => "P-256 public key",
        };
        let check = match key.check_value {
            [] => String::new(),
            check => format!(", check value {}", hex::encode_upper(check)),
        };
        out.field(&format!("key {id}"), format!("{kind}{check}"));
        if key.kind == KEY_TYPE_AES && key.check_value.is_empty() {
            out.fault(format!(
                "key {id}: an AES key needs its check value (GPCS B.6)"
            ));
        }
    }
}

/// STORE DATA.
pub(super) fn store_data(command: &Command, out: &mut Explained) {
    let p1 = command.p1;
    out.field("block", command.p2.to_string());
    let form = match p1 & 0x18 {
        0x00 => "as it is",
        0x08 => "DGI",
        0x10 => "BER-TLV",
        _ => "reserved",
    };
    out.field("form", form);
    match p1 & 0x60 {
        0x00 => {}
        0x20 => out.field("encryption", "as the application knows"),
        0x60 => out.field("encryption", "by Key-DEK"),
        _ => out.field("encryption", "reserved"),
    }
    if p1 & 0x18 == 0x18 || p1 & 0x60 == 0x40 || p1 & 0x06 != 0 {
        out.fault(format!(
            "P1 {p1:02X}: reserved bits are set (GPCS table 11-89)"
        ));
    }
    out.field("bytes", command.data.len().to_string());
    if p1 & 0x01 != 0 {
        out.field("response", "may come");
    }
    if p1 & 0x80 != 0 {
        out.field("last", "yes");
    }
}

/// The beginning of a load file, as the first LOAD has it.
pub(super) fn load_file(data: &[u8], out: &mut Explained) {
    let mut rest = data;
    while let Ok(header) = tlv::read_header(rest) {
        let bytes = format!("{} bytes", header.value_len);
        match header.tag {
            TAG_DAP => {
                let value = rest.get(header.header_len..).unwrap_or_default();
                let domain = tlv::find(value, 0x4F).ok().flatten();
                let domain = domain.map_or(bytes, |aid| hex::encode_upper(aid.value));
                out.field("DAP block of", domain);
            }
            TAG_ICV => out.field("ICV", bytes),
            TAG_LOAD_FILE => return out.field("load file data block", bytes),
            TAG_CIPHERED => return out.field("ciphered load file data block", bytes),
            tag => {
                return out.fault(format!(
                    "{tag:X}: a load file has E2, C4, D3 and D4 (GPCS table 11-58)"
                ));
            }
        }
        let Some(tail) = rest.get(header.header_len + header.value_len..) else {
            return;
        };
        rest = tail;
    }
}

/// Parameters of INSTALL beside the applet's own: memory of the load file, implicit selection, what is
/// restricted, the template that goes with a token (GPCS tables 11-48 to 11-52).
pub(super) fn parameters(bytes: &[u8], out: &mut Explained) {
    for object in tlv::iter(bytes) {
        let Ok(object) = object else {
            // Install parameters were read before, with a better word for it.
            if !out.faults.iter().any(|fault| fault.contains("parameters")) {
                out.fault("parameters: not a list of data objects");
            }
            return;
        };
        match object.tag {
            TAG_SIGNATURE_TEMPLATE => template(object.value, out),
            0xEF => {
                for field in object.children().filter_map(Result::ok) {
                    system(&field, out);
                }
            }
            _ => {}
        }
    }
}

fn system(field: &tlv::Tlv<'_>, out: &mut Explained) {
    let hex = hex::encode_upper(field.value);
    match (field.tag, field.value) {
        (0xC6, _) => out.field("code memory needed (C6)", hex),
        (0xCF, [parameter]) => {
            let interface = match parameter & 0xC0 {
                0x40 => "contact",
                0x80 => "contactless",
                0xC0 => "contact and contactless",
                _ => "none",
            };
            out.field(
                "implicit selection",
                format!("{interface}, channel {}", parameter & 0x1F),
            );
        }
        (0xCF, _) => out.fault("implicit selection (CF): one byte"),
        (0xD9, _) => out.field("restricts functions (D9)", hex),
        _ => {}
    }
}

/// Control reference template for digital signature.
fn template(value: &[u8], out: &mut Explained) {
    for object in tlv::iter(value).filter_map(Result::ok) {
        let name = match object.tag {
            0x42 => "token verifier's identification number",
            0x45 => "token verifier's image number",
            0x5F20 => "application provider",
            0x93 => "token identifier",
            _ => continue,
        };
        out.field(name, hex::encode_upper(object.value));
    }
}
