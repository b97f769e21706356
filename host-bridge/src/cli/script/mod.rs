//! `ipae script`: load and install scripts.

mod check;
mod make;

use super::card::{self, LinkArgs};
use super::failure::{Failure, OrExit};
use super::interrupt;
use super::keys::{self, AttemptArgs, KeyArgs};
use super::output::{Out, progress, read_file, style};
use applet_gen::gp::explain::{Explained, explain};
use applet_gen::script::{Script as LoadScript, Step};
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::play::{PlayError, Progress, Secure, play};
use serde_json::{Value, json};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Script {
    /// Make a load script of a CAP file, a card definition and install parameters, in any form
    Make(make::Make),
    /// Check whether a script can do what it says
    Check(check::Check),
    /// Check a load script's checksum and list its commands
    Show(Show),
    /// Say what each command of a script asks of the card, field by field, and what a card would refuse
    Explain(Explain),
    /// Show in which steps two scripts differ
    Diff(Diff),
    /// Send a script to a card, step by step; stop where the card answers something else
    Run(Run),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script show target/applet/load.script
  ipae script show target/applet/load-scp03.json --json

`ipae build` makes scripts.")]
pub struct Show {
    /// The script, in its text or its JSON form
    file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script explain target/applet/load.script
  ipae script explain target/applet/load.script --json

Commands under secure messaging are named, but their data is encrypted and can't be explained.
Ends with exit code 15 if a command has a fault that a card answers with 6A80.")]
pub struct Explain {
    /// The script, in its text or its JSON form
    file: PathBuf,
}

#[derive(Args)]
#[command(after_help = "Example:\n  ipae script diff old/load.script new/load.script")]
pub struct Diff {
    /// One script
    old: PathBuf,
    /// Another
    new: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae script run applet/load.script --reader \"ACR38\" --card virtual-lab --key-set test
  ipae script run applet/load.script --reader \"ACR38\" --card virtual-lab --key-set test --from 62
  ipae script run applet/load-scp03.script --file my.card

A plain script is sent under a secure channel that is opened once, with the key set named. A
script that is under a secure channel already is sent as it is, and only if the card answers
INITIALIZE UPDATE as the script states: EXTERNAL AUTHENTICATE is never sent to another card or
with another sequence counter, so that no try is used up.

A plain script can go on with --from at the step where it stopped; within a LOAD it goes back to
its INSTALL [for load], since a card forgets what it received when its session ends.")]
pub struct Run {
    /// The script, in its text or its JSON form
    script: PathBuf,
    #[command(flatten)]
    link: LinkArgs,
    /// Card definition with the secure channel's parameters, for a plain script
    #[arg(long, value_name = "DEF", requires = "key_set")]
    card: Option<String>,
    #[command(flatten)]
    keys: KeyArgs,
    #[command(flatten)]
    attempts: AttemptArgs,
    #[arg(long, value_name = "NAME", requires = "card", help = format!("Key set for a plain script: {}", keys::HELP))]
    key_set: Option<String>,
    /// Step to begin with, as `ipae script show` numbers them
    #[arg(long, value_name = "STEP", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    from: u32,
}

/// Reads a script in either form, its checksum verified.
fn read(file: &Path) -> Result<LoadScript, Failure> {
    let bytes = read_file(file, exit::SCRIPT)?;
    let wrong = |error: &dyn std::fmt::Display| {
        Failure::new(exit::SCRIPT, format!("{}: {error}", file.display()))
            .next("make it anew with `ipae build`")
    };
    let text = String::from_utf8(bytes).map_err(|e| wrong(&e))?;
    if text.trim_start().starts_with('{') {
        let value: Value = serde_json::from_str(&text).or_exit(exit::SCRIPT)?;
        return LoadScript::from_json(&value).map_err(|e| wrong(&e));
    }
    LoadScript::from_text(&text).map_err(|e| wrong(&e))
}

impl Script {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Script::Make(make) => make.run(out),
            Script::Check(check) => check.run(out),
            Script::Show(show) => show.run(out),
            Script::Explain(explain) => explain.run(out),
            Script::Diff(diff) => diff.run(out),
            Script::Run(run) => run.run(out),
        }
    }
}

impl Show {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let script = read(&self.file)?;
        out.print(&script.to_json(), |w| {
            let head = style::HEAD;
            writeln!(w, "{head}{}{head:#} ({})", script.title, script.channel)?;
            for (i, step) in script.steps.iter().enumerate() {
                let bytes = step.command.to_bytes().len();
                writeln!(w, "{:>4} {bytes:>4} bytes  {}", i + 1, step.comment)?;
            }
            Ok(())
        })
    }
}

impl Explain {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let script = read(&self.file)?;
        let all: Vec<Explained> = script.steps.iter().map(|s| explain(&s.command)).collect();
        let value: Vec<Value> = all
            .iter()
            .map(|step| {
                let fields: serde_json::Map<_, _> = step
                    .fields
                    .iter()
                    .map(|(name, value)| (name.clone(), Value::from(value.clone())))
                    .collect();
                json!({ "name": step.name, "fields": fields, "faults": step.faults })
            })
            .collect();
        out.print(&value, |w| {
            let (head, bad) = (style::HEAD, style::ERROR);
            for (i, step) in all.iter().enumerate() {
                writeln!(w, "{:>4} {head}{}{head:#}", i + 1, step.name)?;
                for (name, value) in &step.fields {
                    writeln!(w, "       {name:<32} {value}")?;
                }
                for fault in &step.faults {
                    writeln!(w, "       {bad}wrong{bad:#} {fault}")?;
                }
            }
            Ok(())
        })?;
        let faults: usize = all.iter().map(|step| step.faults.len()).sum();
        if faults == 0 {
            return Ok(());
        }
        Err(Failure::new(
            exit::SCRIPT,
            format!(
                "{}: {faults} faults that a card refuses",
                self.file.display()
            ),
        )
        .next("mend what made the script; nothing was sent"))
    }
}

impl Diff {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let (old, new) = (read(&self.old)?, read(&self.new)?);
        let length = old.steps.len().max(new.steps.len());
        let differing: Vec<(usize, Option<&Step>, Option<&Step>)> = (0..length)
            .map(|i| (i, old.steps.get(i), new.steps.get(i)))
            .filter(|(_, a, b)| a != b)
            .collect();
        let line = |step: Option<&Step>| {
            step.map(|step| {
                let command = hex::encode_upper(step.command.to_bytes());
                format!("{}: {command} -> {}", step.comment, step.allowed())
            })
        };
        let value: Vec<Value> = differing
            .iter()
            .map(|(i, a, b)| json!({ "step": i + 1, "old": line(*a), "new": line(*b) }))
            .collect();
        out.print(&value, |w| {
            let (gone, came) = (style::ERROR, style::GOOD);
            if old.channel != new.channel {
                writeln!(w, "{gone}-{gone:#} {}", old.channel)?;
                writeln!(w, "{came}+{came:#} {}", new.channel)?;
            }
            for (i, a, b) in &differing {
                writeln!(w, "step {}", i + 1)?;
                if let Some(text) = line(*a) {
                    writeln!(w, "{gone}-{gone:#} {text}")?;
                }
                if let Some(text) = line(*b) {
                    writeln!(w, "{came}+{came:#} {text}")?;
                }
            }
            if differing.is_empty() {
                writeln!(w, "the same {length} steps")?;
            }
            Ok(())
        })
    }
}

impl Run {
    fn run(&self, out: &Out) -> Result<(), Failure> {
        let script = read(&self.script)?;
        let chosen = match (&self.key_set, &self.card) {
            (Some(name), Some(card)) => {
                let definition = card::find(card)?;
                let set = self.keys.find(name, &definition)?;
                Some((definition, set))
            }
            _ => None,
        };
        let attempts = self.attempts.open()?;
        let mut random = keys::random;
        let secure = chosen.as_ref().map(|(definition, set)| Secure {
            set,
            definition,
            attempts: &attempts,
            random: &mut random,
        });
        let mut link = self.link.open()?;
        link.reset()?;
        interrupt::flag();
        let bar = progress(out, script.steps.len() as u64, "commands");
        let mut sent = Vec::new();
        let played = play(
            &script,
            link.as_mut(),
            secure,
            self.from as usize - 1,
            &mut |event| {
                match event {
                    Progress::Channel(notice) => keys::show(notice, out),
                    Progress::Step(at, step, sw) => {
                        bar.set_position(at as u64 + 1);
                        bar.set_message(step.comment.clone());
                        sent.push(json!({
                            "step": at + 1,
                            "comment": step.comment,
                            "sw": format!("{:04X}", sw.0),
                        }));
                    }
                }
                match interrupt::requested() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            },
        );
        bar.finish_and_clear();
        let count = sent.len();
        let card = link.name();
        let value =
            json!({ "script": script.title, "card": card, "sent": sent, "ok": played.is_ok() });
        out.print(&value, |w| match &played {
            Ok(()) => {
                let good = style::GOOD;
                writeln!(
                    w,
                    "{good}done{good:#} {count} commands to {card}: {}",
                    script.title
                )
            }
            Err(_) => writeln!(w, "{count} commands were answered as expected by {card}"),
        })?;
        played.map_err(|error| self.stopped(&script, error))
    }

    /// The failure, with the way to go on.
    fn stopped(&self, script: &LoadScript, error: PlayError) -> Failure {
        let resume = error.resume_at(script);
        let failure = Failure::from(error);
        match resume {
            Some(step) => failure.next(format!(
                "mend the cause, then go on with --from {}",
                step + 1
            )),
            None if script.is_plain() => failure,
            None => failure.next(
                "make the script anew for the card's next sequence counter (`ipae build --sequence-counter`)",
            ),
        }
    }
}
