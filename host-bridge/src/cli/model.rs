//! `ipae model`: the applet's state machine.

use super::failure::Failure;
use super::output::{Out, style};
use applet_model::commands::{COMMANDS, OBJECTS};
use applet_model::machine::codes::State;
use applet_model::machine::table::{Row, rows};
use clap::Subcommand;

#[derive(Subcommand)]
pub enum Model {
    /// Print the tables: states, transitions, commands
    #[command(
        after_help = "Examples:\n  ipae model show\n  ipae model show --json | jq '.transitions | length'"
    )]
    Show,
}

impl Model {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Model::Show => show(out),
        }
    }
}

fn actions(row: &Row) -> String {
    let all: Vec<String> = row
        .actions
        .iter()
        .map(|(action, argument)| match argument {
            0 => format!("{action:?}"),
            n => format!("{action:?}({n})"),
        })
        .collect();
    all.join(", ")
}

fn show(out: &Out) -> Result<(), Failure> {
    let states: Vec<_> = State::ALL
        .iter()
        .map(|s| serde_json::json!({"state": format!("{s:?}"), "text": s.text()}))
        .collect();
    let transitions: Vec<_> = rows()
        .iter()
        .map(|row| {
            serde_json::json!({
                "state": format!("{:?}", row.state),
                "event": format!("{:?}", row.event),
                "guard": format!("{:?}", row.guard),
                "actions": actions(row),
                "next": format!("{:?}", row.next),
            })
        })
        .collect();
    let commands: Vec<_> = COMMANDS
        .iter()
        .map(
            |c| serde_json::json!({"ins": format!("{:02X}", c.ins), "name": c.name, "text": c.doc}),
        )
        .collect();
    let value = serde_json::json!({
        "states": states, "transitions": transitions, "commands": commands,
    });
    out.print(&value, |w| {
        let (head, dim) = (style::HEAD, style::DIM);
        for state in State::ALL {
            writeln!(w, "{head}{state:?}{head:#}  {dim}{}{dim:#}", state.text())?;
            for row in rows().iter().filter(|row| row.state == *state) {
                let event = format!("{:?}", row.event);
                let guard = format!("{:?}", row.guard);
                writeln!(
                    w,
                    "  {event:<16} {guard:<18} -> {:<14} {}",
                    format!("{:?}", row.next),
                    actions(row)
                )?;
            }
        }
        writeln!(w, "\n{head}Commands{head:#}")?;
        for c in COMMANDS {
            writeln!(w, "  80{:02X} {:<12} {}", c.ins, c.name, c.doc)?;
        }
        writeln!(w, "\n{head}Objects of GET DATA{head:#}")?;
        OBJECTS
            .iter()
            .try_for_each(|o| writeln!(w, "  DF{:02X} {:<16} {}", o.tag, o.name, o.doc))
    })
}
