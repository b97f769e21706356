//! The machine's tables as text and as data, for `ipae model show`.

use super::check::name;
use super::codes::{Action, Event, Guard, State, goal, mode, query, reason, tx};
use super::layout::{BUFFER, HOLD, PERSISTENT, REGISTERS, WORKING};
use super::table::{self, Coverage, coverage};
use crate::commands::{COMMANDS, OBJECT_CLASS, OBJECTS};
use crate::config::{Form, ITEMS, TAG_LOCK};
use core::fmt;
use serde::Serialize;

/// A code and what it means.
#[derive(Debug, Clone, Serialize)]
pub struct Code {
    /// Its number.
    pub code: u8,
    /// Its name.
    pub name: String,
    /// What it means.
    pub text: &'static str,
}

/// A row of the transition table.
#[derive(Debug, Clone, Serialize)]
pub struct Transition {
    /// Its number, from 0.
    pub row: usize,
    /// State, event and guard in one line.
    pub name: String,
    /// In this state…
    pub state: String,
    /// …on this event…
    pub event: String,
    /// …if this holds…
    pub guard: String,
    /// …the machine does this, in this order…
    pub actions: Vec<String>,
    /// …and goes there.
    pub next: String,
}

/// A command of the applet.
#[derive(Debug, Clone, Serialize)]
pub struct ApduRow {
    /// Name.
    pub name: &'static str,
    /// Instruction, in hexadecimal.
    pub ins: String,
    /// Who may send it.
    pub security: String,
    /// In which states.
    pub allowed: String,
    /// P1-P2.
    pub parameters: &'static str,
    /// Data.
    pub data: &'static str,
    /// What it does.
    pub doc: &'static str,
}

/// An object of GET DATA or of STORE DATA.
#[derive(Debug, Clone, Serialize)]
pub struct ObjectRow {
    /// Tag, in hexadecimal.
    pub tag: String,
    /// Name.
    pub name: &'static str,
    /// Bytes or values.
    pub form: String,
    /// What it holds.
    pub doc: &'static str,
}

/// A register.
#[derive(Debug, Clone, Serialize)]
pub struct RegisterRow {
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
    /// Name.
    pub name: &'static str,
    /// True if it survives a loss of power.
    pub persistent: bool,
    /// What it holds.
    pub doc: &'static str,
}

/// What the applet needs, in bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// Persistent record.
    pub persistent: usize,
    /// Transient registers, the mirror of the record among them.
    pub transient_registers: usize,
    /// Transient buffers.
    pub transient_buffers: usize,
}

/// All tables.
#[derive(Debug, Clone, Serialize)]
pub struct Tables {
    /// Digest of the tables, as GET DATA answers it.
    pub digest: String,
    /// States.
    pub states: Vec<Code>,
    /// Events.
    pub events: Vec<Code>,
    /// Guards.
    pub guards: Vec<Code>,
    /// Actions.
    pub actions: Vec<Code>,
    /// Transitions, in the order in which they are tried.
    pub transitions: Vec<Transition>,
    /// Pairs of state and event that are declared ignored.
    pub ignored: Vec<String>,
    /// APDU commands.
    pub commands: Vec<ApduRow>,
    /// Objects of GET DATA.
    pub objects: Vec<ObjectRow>,
    /// Objects of STORE DATA.
    pub configuration: Vec<ObjectRow>,
    /// Registers.
    pub registers: Vec<RegisterRow>,
    /// Memory.
    pub memory: Memory,
    /// Reasons of log entries.
    pub reasons: Vec<Code>,
}

/// An action with its argument: `Log(OPEN_REFUSED)`.
pub fn action(action: Action, argument: u8) -> String {
    let of = |table: &[(&'static str, u8, &'static str)]| {
        let row = table.iter().find(|row| row.1 == argument);
        row.map_or_else(|| argument.to_string(), |row| row.0.to_owned())
    };
    let argument = match action {
        Action::Log => of(reason::TABLE),
        Action::SetGoal => of(goal::TABLE),
        Action::SetMode => of(mode::TABLE),
        Action::Ask => of(query::TABLE),
        Action::PrepareRequest => of(tx::TABLE),
        Action::Raise => Event::from_code(argument).map_or_else(String::new, |e| format!("{e:?}")),
        Action::StoreBlock => (if argument == 1 { "last" } else { "more" }).to_owned(),
        _ => return format!("{action:?}"),
    };
    format!("{action:?}({argument})")
}

/// All tables as data.
pub fn tables() -> Tables {
    fn codes<T: Copy + fmt::Debug>(
        all: &[T],
        code: impl Fn(T) -> u8,
        text: impl Fn(T) -> &'static str,
    ) -> Vec<Code> {
        all.iter()
            .map(|v| Code {
                code: code(*v),
                name: format!("{v:?}"),
                text: text(*v),
            })
            .collect()
    }
    let transition = |(row, r): (usize, &table::Row)| Transition {
        row,
        name: name(r),
        state: format!("{:?}", r.state),
        event: format!("{:?}", r.event),
        guard: format!("{:?}", r.guard),
        actions: r
            .actions
            .iter()
            .map(|(a, argument)| action(*a, *argument))
            .collect(),
        next: format!("{:?}", r.next),
    };
    let pairs = State::ALL
        .iter()
        .flat_map(|s| Event::ALL.iter().map(|e| (*s, *e)));
    Tables {
        digest: hex::encode_upper(super::digest()),
        states: codes(State::ALL, |v| v as u8, State::text),
        events: codes(Event::ALL, |v| v as u8, Event::text),
        guards: codes(Guard::ALL, |v| v as u8, Guard::text),
        actions: codes(Action::ALL, |v| v as u8, Action::text),
        transitions: table::rows().iter().enumerate().map(transition).collect(),
        ignored: pairs
            .filter(|(s, e)| coverage(*s, *e) == Coverage::Ignored)
            .map(|(s, e)| format!("{s:?} on {e:?}"))
            .collect(),
        commands: COMMANDS
            .iter()
            .map(|c| ApduRow {
                name: c.name,
                ins: format!("{:02X}", c.ins),
                security: format!("{:?}", c.security),
                allowed: format!("{:?}", c.allowed),
                parameters: c.parameters,
                data: c.data,
                doc: c.doc,
            })
            .collect(),
        objects: OBJECTS
            .iter()
            .map(|o| ObjectRow {
                tag: format!("{OBJECT_CLASS:02X}{:02X}", o.tag),
                name: o.name,
                form: match o.parts.iter().map(|p| usize::from(p.1)).sum::<usize>() {
                    0 => "made for the answer".to_owned(),
                    n => format!("{n} bytes"),
                },
                doc: o.doc,
            })
            .collect(),
        configuration: configuration(),
        registers: REGISTERS
            .iter()
            .map(|r| RegisterRow {
                offset: r.offset,
                len: r.len,
                name: r.name,
                persistent: r.offset < PERSISTENT,
                doc: r.doc,
            })
            .collect(),
        memory: Memory {
            persistent: PERSISTENT,
            transient_registers: WORKING,
            transient_buffers: 2 * BUFFER + HOLD,
        },
        reasons: reason::TABLE
            .iter()
            .map(|(name, code, text)| Code {
                code: *code,
                name: (*name).to_owned(),
                text,
            })
            .collect(),
    }
}

fn configuration() -> Vec<ObjectRow> {
    let item = |i: &crate::config::Item| ObjectRow {
        tag: format!("{:02X}", i.tag),
        name: i.name,
        form: match i.form {
            Form::Number => format!("{} to {}, {} bytes", i.least, i.most, i.len),
            Form::Bytes => format!("{} bytes", i.len),
            Form::Counted => format!("{} to {} bytes", i.least, i.len),
        },
        doc: i.doc,
    };
    let lock = ObjectRow {
        tag: format!("{TAG_LOCK:02X}"),
        name: "lock",
        form: "0 or 1, 1 byte".to_owned(),
        doc: "1 locks, 0 unlocks",
    };
    ITEMS.iter().map(item).chain([lock]).collect()
}

/// Columns as wide as their widest cell.
fn columns(f: &mut fmt::Formatter<'_>, title: &str, rows: &[Vec<String>]) -> fmt::Result {
    writeln!(f, "{title}")?;
    let count = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |c: usize| {
        let cells = rows.iter().filter_map(|r| r.get(c));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..count).map(width).collect();
    for row in rows {
        let mut line = String::from(" ");
        for (cell, width) in row.iter().zip(&widths) {
            line.push_str(&format!(" {cell:<width$} "));
        }
        writeln!(f, "{}", line.trim_end())?;
    }
    writeln!(f)
}

impl fmt::Display for Tables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = |c: &Code| vec![format!("{:02X}", c.code), c.name.clone(), c.text.to_owned()];
        let codes = |all: &[Code]| all.iter().map(code).collect::<Vec<_>>();
        writeln!(f, "IPAe model, digest of its tables {}\n", self.digest)?;
        columns(f, "States", &codes(&self.states))?;
        let mut rows = Vec::new();
        let mut last = "";
        for t in &self.transitions {
            let state = if t.state == last {
                String::new()
            } else {
                t.state.clone()
            };
            last = &t.state;
            let guard = if t.guard == "Always" {
                String::new()
            } else {
                format!("[{}]", t.guard)
            };
            let next = if t.next == t.state {
                "·".to_owned()
            } else {
                t.next.clone()
            };
            rows.push(vec![
                state,
                t.event.clone(),
                guard,
                next,
                t.actions.join(", "),
            ]);
        }
        columns(
            f,
            "Transitions: state, event, guard, next state (· the same), actions; tried from top to bottom",
            &rows,
        )?;
        columns(f, "Events", &codes(&self.events))?;
        columns(f, "Guards", &codes(&self.guards))?;
        columns(f, "Actions", &codes(&self.actions))?;
        let commands: Vec<Vec<String>> = self
            .commands
            .iter()
            .map(|c| {
                let cells = [
                    c.ins.as_str(),
                    c.name,
                    &c.security,
                    &c.allowed,
                    c.parameters,
                    c.data,
                    c.doc,
                ];
                cells.map(str::to_owned).to_vec()
            })
            .collect();
        columns(
            f,
            "APDU commands: INS, name, security, allowed, P1-P2, data, what it does",
            &commands,
        )?;
        let objects = |all: &[ObjectRow]| -> Vec<Vec<String>> {
            let cells = |o: &ObjectRow| {
                vec![
                    o.tag.clone(),
                    o.name.to_owned(),
                    o.form.clone(),
                    o.doc.to_owned(),
                ]
            };
            all.iter().map(cells).collect()
        };
        columns(f, "GET DATA objects", &objects(&self.objects))?;
        columns(f, "STORE DATA objects", &objects(&self.configuration))?;
        let register = |r: &RegisterRow| {
            let kind = if r.persistent {
                "persistent"
            } else {
                "transient"
            };
            vec![
                r.offset.to_string(),
                r.len.to_string(),
                r.name.to_owned(),
                kind.to_owned(),
                r.doc.to_owned(),
            ]
        };
        let registers: Vec<Vec<String>> = self.registers.iter().map(register).collect();
        columns(f, "Registers: offset, bytes, name", &registers)?;
        columns(f, "Log reasons", &codes(&self.reasons))?;
        writeln!(
            f,
            "Memory: {} bytes persistent, {} bytes transient ({} registers, {} buffers)",
            self.memory.persistent,
            self.memory.transient_registers + self.memory.transient_buffers,
            self.memory.transient_registers,
            self.memory.transient_buffers
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_hold_every_row_and_register() {
        let tables = tables();
        let text = tables.to_string();
        let json = serde_json::to_value(&tables).unwrap();
        assert_eq!(
            json["transitions"].as_array().unwrap().len(),
            table::rows().len()
        );
        for r in REGISTERS {
            assert!(text.contains(r.name), "{}", r.name);
        }
        assert!(text.contains("Log(OPEN_REFUSED), Raise(Fail)"), "{text}");
    }
}
