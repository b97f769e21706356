//! What the applet answers to GET DATA, decoded to names: for a technician at a reader.

use crate::apdu::Command;
use crate::commands::{self, OBJECT_CLASS, OBJECTS, Object};
use crate::config::{Form, ITEMS};
use crate::machine::codes::{State, life, mode, reason};
use crate::machine::digest;
use crate::machine::layout::{LOG_ENTRIES, LOG_ENTRY, reg};
use serde::Serialize;

/// A value of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Field {
    /// Name.
    pub name: String,
    /// Value, in words.
    pub value: String,
}

/// An object of GET DATA.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Readout {
    /// Its name.
    pub name: &'static str,
    /// Its values.
    pub fields: Vec<Field>,
}

/// An answer that is no object of this applet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{object}: expected DF{tag:02X} and its length, got {got}")]
pub struct ReadoutError {
    /// Name of the object that was asked for.
    pub object: &'static str,
    /// Its tag's second byte.
    pub tag: u8,
    /// The first bytes that came, in hexadecimal.
    pub got: String,
}

/// GET DATA of an object.
pub fn command(object: &Object) -> Command {
    Command::new(
        commands::CLA,
        commands::INS_GET_DATA,
        OBJECT_CLASS,
        object.tag,
    )
    .with_le(256)
}

/// Decodes the answer to [`command`].
///
/// # Errors
/// [`ReadoutError`] if the answer isn't this object.
pub fn decode(object: &Object, answer: &[u8]) -> Result<Readout, ReadoutError> {
    let value = match answer {
        [OBJECT_CLASS, tag, len, value @ ..]
            if *tag == object.tag && usize::from(*len) == value.len() =>
        {
            value
        }
        _ => {
            let got = hex::encode_upper(answer.get(..answer.len().min(8)).unwrap_or_default());
            return Err(ReadoutError {
                object: object.name,
                tag: object.tag,
                got,
            });
        }
    };
    let fields = match object.tag {
        commands::OBJECT_VERSION => version(value),
        commands::OBJECT_STATE => state(value),
        commands::OBJECT_COUNTERS => numbers(
            value,
            &["polls", "failures", "profile changes", "rollbacks"],
        ),
        commands::OBJECT_CONFIG => configuration(value),
        commands::OBJECT_LOG => log(value),
        commands::OBJECT_MEMORY => numbers(
            value,
            &[
                "transient registers",
                "persistent record",
                "transient buffers",
            ],
        ),
        commands::OBJECT_EIM => eim(value),
        _ => vec![field("bytes", hex::encode_upper(value))],
    };
    Ok(Readout {
        name: object.name,
        fields,
    })
}

/// Every object of the applet, in the order of their tags.
pub fn objects() -> &'static [Object] {
    OBJECTS
}

fn field(name: &str, value: impl Into<String>) -> Field {
    Field {
        name: name.to_owned(),
        value: value.into(),
    }
}

fn byte(value: &[u8], at: usize) -> u8 {
    value.get(at).copied().unwrap_or(0)
}

fn short(value: &[u8], at: usize) -> u16 {
    u16::from_be_bytes([byte(value, at), byte(value, at + 1)])
}

fn named(table: &[(&str, u8, &str)], code: u8) -> String {
    let row = table.iter().find(|row| row.1 == code);
    row.map_or_else(|| format!("unknown ({code})"), |row| row.2.to_owned())
}

fn state_name(code: u8) -> String {
    State::from_code(code).map_or_else(
        || format!("unknown ({code})"),
        |s| format!("{s:?}: {}", s.text()),
    )
}

fn version(value: &[u8]) -> Vec<Field> {
    let tables = value.get(2..).unwrap_or_default();
    let same = if tables == digest() {
        "the tables of this tool"
    } else {
        "other tables than this tool's"
    };
    vec![
        field("version", format!("{}.{}", byte(value, 0), byte(value, 1))),
        field("tables", format!("{} ({same})", hex::encode_upper(tables))),
    ]
}

fn state(value: &[u8]) -> Vec<Field> {
    let mut fields = vec![
        field("state", state_name(byte(value, 0))),
        field("life", named(life::TABLE, byte(value, 1))),
        field("mode", named(mode::TABLE, byte(value, 2))),
    ];
    let names = [
        "failures in a row",
        "tries left",
        "REFRESH tries left",
        "eIM",
        "eIMs",
        "channel",
        "timer refused",
    ];
    fields.extend(
        names
            .iter()
            .enumerate()
            .map(|(i, name)| field(name, byte(value, 3 + i).to_string())),
    );
    fields
}

fn numbers(value: &[u8], names: &[&str]) -> Vec<Field> {
    names
        .iter()
        .enumerate()
        .map(|(i, name)| field(name, short(value, 2 * i).to_string()))
        .collect()
}

fn configuration(value: &[u8]) -> Vec<Field> {
    let show = |item: &crate::config::Item| {
        let at = item.register - reg::POLL;
        let bytes = |from: usize, len: usize| {
            hex::encode_upper(value.get(from..from + len).unwrap_or_default())
        };
        let text = match item.form {
            Form::Number if item.len == 1 => byte(value, at).to_string(),
            Form::Number => short(value, at).to_string(),
            Form::Bytes => bytes(at, usize::from(item.len)),
            Form::Counted => bytes(at + 1, usize::from(byte(value, at))),
        };
        field(item.name, text)
    };
    ITEMS.iter().map(show).collect()
}

/// The log, oldest entry first.
fn log(value: &[u8]) -> Vec<Field> {
    let head = usize::from(byte(value, 0));
    let entry = |i: usize| {
        let at = 1 + (head + i) % LOG_ENTRIES * LOG_ENTRY;
        let (why, state, detail) = (byte(value, at), byte(value, at + 1), short(value, at + 2));
        let text = format!(
            "{} (detail {detail:04X}; then {})",
            named(reason::TABLE, why),
            state_name(state)
        );
        (why != 0).then(|| field("entry", text))
    };
    (0..LOG_ENTRIES).filter_map(entry).collect()
}

fn eim(value: &[u8]) -> Vec<Field> {
    let address = [0, 1, 2, 3].map(|i| byte(value, i).to_string()).join(".");
    let name = value
        .get(7..7 + usize::from(byte(value, 6)))
        .unwrap_or_default();
    vec![
        field("address", format!("{address}:{}", short(value, 4))),
        field("eimFqdn", String::from_utf8_lossy(name)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::machine::Machine;
    use crate::trace::Boundary;
    use proptest::prelude::*;

    fn read(machine: &mut Machine, object: &Object) -> Readout {
        machine.input(&Boundary::Apdu(command(object))).unwrap();
        let Some(Boundary::Response(response)) = machine.output().unwrap() else {
            panic!("no response")
        };
        decode(object, &response.data).unwrap()
    }

    #[test]
    fn a_personalized_applet_is_read_in_words() {
        let mut machine = Machine::new();
        let store = Command::new(0x80, 0xE2, 0x90, 0).with_data(Config::default().to_store_data());
        machine.input(&Boundary::Personalization(store)).unwrap();
        while machine.output().unwrap().is_some() {}
        let all: Vec<Readout> = objects().iter().map(|o| read(&mut machine, o)).collect();
        let find = |object: &str, name: &str| {
            let readout = all.iter().find(|r| r.name == object).unwrap();
            readout
                .fields
                .iter()
                .find(|f| f.name == name)
                .unwrap()
                .value
                .clone()
        };
        assert_eq!(find("state", "life"), "personalized");
        assert_eq!(find("configuration", "poll_minutes"), "60");
        assert_eq!(find("configuration", "bearer"), "03");
        assert!(find("log", "entry").starts_with("configuration stored"));
        assert!(find("version", "tables").ends_with("(the tables of this tool)"));
    }

    proptest! {
        #[test]
        fn no_answer_panics(bytes in proptest::collection::vec(any::<u8>(), 0..140), n in 0usize..8, fit: bool) {
            let object = &objects()[n];
            let mut answer = bytes;
            if fit {
                let len = answer.len() as u8;
                answer.splice(0..0, [OBJECT_CLASS, object.tag, len]);
            }
            let _ = decode(object, &answer);
        }
    }
}
