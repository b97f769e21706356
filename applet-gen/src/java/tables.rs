//! Emits `Tables.java`: the model's tables as Java constants and byte arrays.

use applet_model::aid;
use applet_model::cat::{CommandType, Tag, qualifier};
use applet_model::commands::{self, COMMANDS, OBJECTS};
use applet_model::config::{self, ITEMS};
use applet_model::machine::codes::{self, Action, Event, Guard, State};
use applet_model::machine::grammar::{self, Op, RULES};
use applet_model::machine::layout::{self, REGISTERS};
use applet_model::machine::table::rows;
use applet_model::machine::{
    self, Machine, act, answer, data, download, proactive, request, scan, templates,
};
use applet_model::status::Sw;
use std::fmt::Write as _;

/// Collects the members of the class.
struct Class(String);

impl Class {
    fn heading(&mut self, text: &str) {
        let _ = writeln!(self.0, "\n    // {text}");
    }

    fn byte(&mut self, name: &str, value: u8) {
        let value = java_byte(value);
        let _ = writeln!(self.0, "    static final byte {name} = {value};");
    }

    fn short(&mut self, name: &str, value: u16) {
        let value = java_short(value);
        let _ = writeln!(self.0, "    static final short {name} = {value};");
    }

    fn array(&mut self, kind: &str, name: &str, values: impl Iterator<Item = String>) {
        let mut line = String::new();
        let _ = writeln!(self.0, "    static final {kind}[] {name} = {{");
        for value in values {
            if line.len() + value.len() > 90 {
                let _ = writeln!(self.0, "        {}", line.trim_end());
                line.clear();
            }
            line.push_str(&value);
            line.push_str(", ");
        }
        let _ = writeln!(self.0, "        {}\n    }};", line.trim_end());
    }

    fn bytes(&mut self, name: &str, values: impl IntoIterator<Item = u8>) {
        self.array("byte", name, values.into_iter().map(java_byte));
    }

    fn shorts(&mut self, name: &str, values: impl IntoIterator<Item = u16>) {
        self.array("short", name, values.into_iter().map(java_short));
    }
}

fn java_byte(value: u8) -> String {
    if value < 0x80 {
        value.to_string()
    } else {
        format!("(byte) 0x{value:02X}")
    }
}

fn java_short(value: u16) -> String {
    if value < 0x8000 {
        value.to_string()
    } else {
        format!("(short) 0x{value:04X}")
    }
}

/// `CheckWait` as `CHECK_WAIT`.
fn upper(name: &str) -> String {
    let mut out = String::new();
    for (i, c) in name.chars().enumerate() {
        if c.is_ascii_uppercase() && i > 0 {
            out.push('_');
        }
        out.push(c.to_ascii_uppercase());
    }
    out
}

/// The text of `Tables.java`.
pub fn tables() -> String {
    let mut class = Class(
        "package ipae.applet;\n\n/** Generated from the reference model's tables: change them there. */\n\
         final class Tables {\n    private Tables() {}\n"
            .to_owned(),
    );
    memory(&mut class);
    machine_codes(&mut class);
    transitions(&mut class);
    scanner(&mut class);
    toolkit(&mut class);
    apdus(&mut class);
    class.heading("Templates");
    for (name, bytes) in templates::TABLE {
        class.bytes(name, bytes.iter().copied());
    }
    class.bytes("ISD_R", aid::ISD_R.iter().copied());
    class.0.push_str("}\n");
    class.0
}

fn memory(class: &mut Class) {
    class.heading("Memory");
    class.short("WORKING", layout::WORKING as u16);
    class.short("PERSISTENT", layout::PERSISTENT as u16);
    class.short("BUFFER", layout::BUFFER as u16);
    class.byte("LOG_ENTRIES", layout::LOG_ENTRIES as u8);
    class.byte("LOG_ENTRY", layout::LOG_ENTRY as u8);
    class.short("HOLD", layout::HOLD as u16);
    class.byte("ACKS_MAX", layout::ACKS_MAX as u8);
    class.byte("ACK_LEN", layout::ACK_LEN as u8);
    class.byte("PROFILE_BYTES", layout::PROFILE_BYTES as u8);
    for register in REGISTERS {
        class.short(&format!("R_{}", register.name), register.offset as u16);
    }
    class.bytes("DEFAULTS", Machine::new().persistent().iter().copied());
}

fn machine_codes(class: &mut Class) {
    class.heading("States, events, guards, actions");
    let mut list = |prefix: &str, names: Vec<String>| {
        for (code, name) in names.iter().enumerate() {
            class.byte(&format!("{prefix}_{}", upper(name)), code as u8);
        }
    };
    list("ST", State::ALL.iter().map(|v| format!("{v:?}")).collect());
    list("EV", Event::ALL.iter().map(|v| format!("{v:?}")).collect());
    list("GU", Guard::ALL.iter().map(|v| format!("{v:?}")).collect());
    list("AC", Action::ALL.iter().map(|v| format!("{v:?}")).collect());
    class.heading("Values of registers");
    let values = [
        ("LIFE", codes::life::TABLE),
        ("MODE", codes::mode::TABLE),
        ("GOAL", codes::goal::TABLE),
        ("QUERY", codes::query::TABLE),
        ("KIND", codes::kind::TABLE),
        ("TX", codes::tx::TABLE),
        ("PHASE", codes::phase::TABLE),
        ("HTTP", codes::http::TABLE),
    ];
    for (prefix, table) in values {
        for (name, value, _) in table {
            class.byte(&format!("{prefix}_{name}"), *value);
        }
    }
    class.heading("Numbers");
    class.byte("STORE_MORE", act::STORE_MORE);
    class.byte("STORE_LAST", act::STORE_LAST);
    class.byte("ROUNDS", act::ROUNDS);
    class.byte("TICK_SECONDS", act::TICK_SECONDS as u8);
    class.byte("CAT_BUSY", machine::CAT_BUSY);
    class.byte("NO_EIM_PACKAGE_AVAILABLE", answer::NO_EIM_PACKAGE_AVAILABLE);
    class.short("HTTP_MAX", answer::HTTP_MAX);
    class.short("HTTP_OK", answer::HTTP_OK);
    class.short("HTTP_NO_CONTENT", answer::HTTP_NO_CONTENT);
    class.short("BODY_KILO_MAX", answer::BODY_KILO_MAX);
    class.short("COMMAND_HEAD", download::COMMAND_HEAD);
    class.short("HASH_OBJECT", download::HASH_OBJECT);
    class.short("SHARES", act::SHARES);
    class.short("MATCHING_MAX", download::MATCHING_MAX);
    class.short("KILO_MAX", download::KILO_MAX);
    class.byte("HEADER_MAX", download::HEADER_MAX as u8);
    class.byte("DP_MAX", download::DP_MAX);
    class.byte("AC_FORMAT", download::AC_FORMAT);
    class.byte("AC_DELIMITER", download::AC_DELIMITER);
    class.byte(
        "LOAD_BPP_EXECUTION_ERROR",
        download::LOAD_BPP_EXECUTION_ERROR,
    );
    class.byte("UNDEFINED_REASON", download::UNDEFINED_REASON);
    class.shorts("PART_TAGS", data::PARTS.iter().map(|part| part.tag));
    class.bytes("PART_NODES", data::PARTS.iter().map(|part| part.node));
    // As shorts: a tag above 7F is a negative byte.
    class.short("TAG_TOKEN", u16::from(data::TAG_TOKEN));
    class.short("TAG_CAPABILITIES", u16::from(data::TAG_CAPABILITIES));
    class.short("TAG_DEVICE", u16::from(data::TAG_DEVICE));
    class.short("DATA_TAIL", data::DATA_TAIL);
    class.bytes("MESSAGE_TAGS", request::MESSAGE_TAGS);
    class.short("PREFIX_MAX", request::PREFIX_MAX);
    class.short("MEASURE_MAX", scan::MEASURE_MAX);
    class.short("SW_OK", Sw::OK.0);
    class.short(
        "SW_REFERENCED_DATA_NOT_FOUND",
        Sw::REFERENCED_DATA_NOT_FOUND.0,
    );
}

/// Bytes of a row before its actions: state, event, guard, next state, number of actions.
const ROW_HEAD: usize = 5;

fn transitions(class: &mut Class) {
    class.heading("Rows: state, event, guard, next state, number of actions, then each action and its argument");
    let mut flat: Vec<u8> = Vec::new();
    let mut starts: Vec<u16> = Vec::new();
    for state in State::ALL {
        starts.push(flat.len() as u16);
        for row in rows().iter().filter(|r| r.state == *state) {
            let head: [u8; ROW_HEAD] = [
                row.state as u8,
                row.event as u8,
                row.guard as u8,
                row.next as u8,
                row.actions.len() as u8,
            ];
            flat.extend(head);
            flat.extend(
                row.actions
                    .iter()
                    .flat_map(|(action, argument)| [*action as u8, *argument]),
            );
        }
    }
    starts.push(flat.len() as u16);
    class.bytes("ROWS", flat);
    class.heading("Where the rows of each state begin, and the end");
    class.shorts("STATE_ROWS", starts);
}

fn scanner(class: &mut Class) {
    class.heading("Grammar: node, tag, operation, argument, size, kind");
    for op in Op::ALL {
        class.byte(&format!("OP_{}", upper(&format!("{op:?}"))), op as u8);
    }
    for (name, node, _) in grammar::node::TABLE {
        class.byte(&format!("N_{name}"), *node);
    }
    let rules: Vec<[u8; 8]> = RULES
        .iter()
        .map(|r| {
            let ([t1, t2], [a1, a2]) = (r.tag.to_be_bytes(), r.arg.to_be_bytes());
            [r.node, t1, t2, r.op as u8, a1, a2, r.max, r.kind]
        })
        .collect();
    class.byte("RULE_SIZE", 8);
    class.bytes("RULES", rules.into_iter().flatten());
}

fn toolkit(class: &mut Class) {
    class.heading("Toolkit");
    let commands = [
        ("TIMER_MANAGEMENT", CommandType::TIMER_MANAGEMENT),
        ("OPEN_CHANNEL", CommandType::OPEN_CHANNEL),
        ("CLOSE_CHANNEL", CommandType::CLOSE_CHANNEL),
        ("SEND_DATA", CommandType::SEND_DATA),
        ("RECEIVE_DATA", CommandType::RECEIVE_DATA),
        ("REFRESH", CommandType::REFRESH),
    ];
    for (name, command) in commands {
        class.byte(&format!("CMD_{name}"), command.0);
    }
    class.byte("QUAL_TIMER_START", qualifier::TIMER_START);
    class.byte("QUAL_OPEN_IMMEDIATE", qualifier::OPEN_IMMEDIATE);
    class.byte("QUAL_SEND_IMMEDIATE", qualifier::SEND_IMMEDIATE);
    class.byte("QUAL_REFRESH_UICC_RESET", qualifier::REFRESH_UICC_RESET);
    let tags = [
        Tag::RESULT,
        Tag::BEARER_DESCRIPTION,
        Tag::BUFFER_SIZE,
        Tag::NETWORK_ACCESS_NAME,
        Tag::TRANSPORT_LEVEL,
        Tag::OTHER_ADDRESS,
        Tag::CHANNEL_STATUS,
        Tag::CHANNEL_DATA,
        Tag::CHANNEL_DATA_LENGTH,
        Tag::TIMER_IDENTIFIER,
        Tag::TIMER_VALUE,
    ];
    for (tag, name, _) in Tag::TABLE.iter().filter(|row| tags.contains(&row.0)) {
        class.byte(&format!("TAG_{name}"), tag.0 as u8);
        class.byte(&format!("TAG_{name}_CR"), tag.0 as u8 | 0x80);
    }
    class.short("CHANNEL_BUFFER", proactive::CHANNEL_BUFFER);
    class.byte("TCP_CLIENT_REMOTE", proactive::TCP_CLIENT_REMOTE);
    class.bytes("ADDRESS_TYPE", [proactive::IPV4]);
    class.heading("Features of TERMINAL PROFILE that a session needs");
    class.shorts("NEEDED", proactive::NEEDED.iter().map(|f| f.0));
    class.heading("Toolkit events, each with the machine's");
    class.shorts(
        "EVENTS",
        machine::EVENTS
            .iter()
            .flat_map(|(code, event)| [*code as u16, *event as u16]),
    );
}

fn apdus(class: &mut Class) {
    class.heading("APDU commands: instruction, security level, allowed states");
    class.byte("CLA", commands::CLA);
    class.byte("CLA_MASK", commands::CLA_MASK);
    class.byte("INS_GET_DATA", commands::INS_GET_DATA);
    let rows = COMMANDS
        .iter()
        .flat_map(|c| [c.ins, c.security as u8, c.allowed as u8]);
    class.bytes("COMMANDS", rows);
    class.byte(
        "SECURITY_SECURITY_DOMAIN",
        commands::Security::SecurityDomain as u8,
    );
    class.byte("ALLOWED_ALWAYS", commands::Allowed::Always as u8);
    class.byte("ALLOWED_CONFIGURING", commands::Allowed::Configuring as u8);
    class.heading("Objects of GET DATA: tag, number of parts, then each register and its bytes");
    class.byte("OBJECT_CLASS", commands::OBJECT_CLASS);
    class.byte("OBJECT_VERSION", commands::OBJECT_VERSION);
    class.byte("OBJECT_PROFILE", commands::OBJECT_PROFILE);
    class.byte("OBJECT_MEMORY", commands::OBJECT_MEMORY);
    class.bytes(
        "VERSION",
        commands::VERSION.into_iter().chain(machine::digest()),
    );
    let objects = OBJECTS
        .iter()
        .filter(|o| !o.parts.is_empty())
        .flat_map(|o| {
            let parts = o
                .parts
                .iter()
                .flat_map(|(register, len)| [*register as u16, u16::from(*len)]);
            [u16::from(o.tag), o.parts.len() as u16]
                .into_iter()
                .chain(parts)
                .collect::<Vec<_>>()
        });
    class.shorts("OBJECTS", objects);
    class.heading("Configuration objects: tag, register, size, form, least, most");
    class.byte("TAG_LOCK", config::TAG_LOCK);
    class.byte("FORM_NUMBER", config::Form::Number as u8);
    class.byte("FORM_COUNTED", config::Form::Counted as u8);
    class.byte("ITEM_SIZE", 6);
    let items = ITEMS.iter().flat_map(|i| {
        [
            u16::from(i.tag),
            i.register as u16,
            u16::from(i.len),
            i.form as u16,
            i.least,
            i.most,
        ]
    });
    class.shorts("ITEMS", items);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_become_java() {
        assert_eq!(upper("CheckWait"), "CHECK_WAIT");
        assert_eq!(java_byte(0x80), "(byte) 0x80");
        assert_eq!(java_short(0xFFFF), "(short) 0xFFFF");
    }

    #[test]
    fn every_row_is_emitted_once() {
        let text = tables();
        assert_eq!(text.matches("static final byte[] ROWS").count(), 1);
        assert!(text.contains("static final byte ST_CHECK_WAIT = 3;"));
        assert!(text.contains("static final byte HTTP_BODY = 4;"));
    }
}
