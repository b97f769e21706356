//! A command of the operator's for each card that ended: a label printer, a counter, a gate.
//!
//! It is started without a shell on the thread of the card's reader, so one at a time a reader; it gets
//! the card's receipt (or the event of its failure) as JSON on standard input and the few things that
//! a script wants in its environment, and is killed with its process group when it takes too long.
//! What it does can't undo a card.

use super::error::PersonalizeError;
use super::event::{Event, Notice};
use rustix::process::{Pid, Signal, kill_process_group};
use serde::Serialize;
use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// What is kept of a hook's standard error for the message.
const KEPT: u64 = 2048;

/// Where failures are recorded, in the output directory: one JSON object a line.
const FAILURES: &str = "hook-failures.jsonl";

/// What a failed hook means for the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnHookFailure {
    /// It is shown and recorded.
    Warn,
    /// The run stops too: each card at its next step.
    Stop,
}

/// A command to run for each card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// The program.
    pub program: PathBuf,
    /// Its arguments, as they are.
    pub arguments: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
    /// What its failure means.
    pub on_failure: OnHookFailure,
}

/// How a hook failed.
#[derive(Debug, thiserror::Error)]
pub enum HookError {
    /// It can't be started.
    #[error("hook {}: {source}", program.display())]
    Start {
        /// The program.
        program: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It took too long.
    #[error("hook {}: not through after {} s, so it was killed", program.display(), timeout.as_secs_f32())]
    Timeout {
        /// The program.
        program: PathBuf,
        /// How long it had.
        timeout: Duration,
    },
    /// It said that it failed.
    #[error("hook {}: {status}{}{said}", program.display(), if said.is_empty() { "" } else { ": " })]
    Failed {
        /// The program.
        program: PathBuf,
        /// Exit code or signal.
        status: std::process::ExitStatus,
        /// The beginning of its standard error.
        said: String,
    },
}

/// What a hook is told.
struct Card<'a> {
    eid: &'a str,
    state: &'static str,
    exit_code: u8,
    reader: &'a str,
    json: Vec<u8>,
}

/// A line of [`FAILURES`].
#[derive(Serialize)]
struct Failure<'a> {
    at: &'a str,
    reader: &'a str,
    eid: &'a str,
    error: String,
}

impl Hook {
    /// Runs it if the event is a card's end, to its own end or its timeout. `receipt` is where the
    /// receipt of a card that is done stands.
    ///
    /// # Errors
    /// [`HookError`].
    pub fn after(
        &self,
        notice: &Notice,
        receipt: impl FnOnce(&str) -> PathBuf,
    ) -> Result<(), HookError> {
        let (eid, state, exit_code) = match &notice.event {
            Event::CardDone { eid, .. } => (eid, "done", 0),
            Event::CardFailed { eid, exit, .. } => (eid, "failed", exit.code),
            _ => return Ok(()),
        };
        let event = || serde_json::to_vec(notice).unwrap_or_default();
        let json = match exit_code {
            // Written a moment ago; if it is gone, the event says what is known.
            0 => std::fs::read(receipt(eid)).unwrap_or_else(|_| event()),
            _ => event(),
        };
        self.run(&Card {
            eid,
            state,
            exit_code,
            reader: &notice.reader,
            json,
        })
    }

    /// Adds a failure to the record in the output directory.
    ///
    /// # Errors
    /// [`PersonalizeError::Output`].
    pub(super) fn record(
        out: &Path,
        notice: &Notice,
        eid: &str,
        error: &HookError,
    ) -> Result<(), PersonalizeError> {
        let mut line = serde_json::to_vec(&Failure {
            at: &notice.at,
            reader: &notice.reader,
            eid,
            error: error.to_string(),
        })
        .unwrap_or_default();
        line.push(b'\n');
        let path = out.join(FAILURES);
        let append = || {
            let mut file = OpenOptions::new().create(true).append(true).open(&path)?;
            file.write_all(&line)?;
            file.sync_data()
        };
        append().map_err(|source| PersonalizeError::Output {
            path: path.clone(),
            source,
        })
    }

    fn run(&self, card: &Card<'_>) -> Result<(), HookError> {
        let start = |source| HookError::Start {
            program: self.program.clone(),
            source,
        };
        let mut child = self.command(card).spawn().map_err(start)?;
        feed(&mut child, &card.json);
        let said = listen(&mut child);
        let begun = Instant::now();
        let mut pause = Duration::from_millis(1);
        let status = loop {
            if let Some(status) = child.try_wait().map_err(start)? {
                break status;
            }
            let left = self.timeout.saturating_sub(begun.elapsed());
            if left.is_zero() {
                kill(&mut child);
                return Err(HookError::Timeout {
                    program: self.program.clone(),
                    timeout: self.timeout,
                });
            }
            std::thread::sleep(pause.min(left));
            pause = (pause * 2).min(Duration::from_millis(20));
        };
        if status.success() {
            return Ok(());
        }
        // What it started may keep standard error open; its own last words are there already.
        let said = said.recv_timeout(Duration::from_millis(200));
        Err(HookError::Failed {
            program: self.program.clone(),
            status,
            said: said.unwrap_or_default(),
        })
    }

    fn command(&self, card: &Card<'_>) -> Command {
        let mut command = Command::new(&self.program);
        // Keys of labs and the queue's password may stand in our environment.
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("IPAE_") || text.starts_with("PG") {
                command.env_remove(&name);
            }
        }
        command
            .args(&self.arguments)
            .env("IPAE_EID", card.eid)
            .env("IPAE_STATE", card.state)
            .env("IPAE_EXIT_CODE", card.exit_code.to_string())
            .env("IPAE_READER", card.reader)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .process_group(0);
        command
    }
}

/// Gives the JSON to the child, which needn't read it.
fn feed(child: &mut Child, json: &[u8]) {
    if let Some(mut pipe) = child.stdin.take() {
        let json = json.to_vec();
        std::thread::spawn(move || {
            // A hook that doesn't care for it closes the pipe.
            let _ = pipe.write_all(&json);
        });
    }
}

/// The beginning of what the child says on standard error, once that is said.
fn listen(child: &mut Child) -> mpsc::Receiver<String> {
    let (give, take) = mpsc::channel();
    if let Some(mut pipe) = child.stderr.take() {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.by_ref().take(KEPT).read_to_end(&mut bytes);
            let text = String::from_utf8_lossy(&bytes).trim().replace('\n', "; ");
            let _ = give.send(text);
            // The rest is read too: a full pipe would stop the hook.
            let _ = std::io::copy(&mut pipe, &mut std::io::sink());
        });
    }
    take
}

/// Kills the child and what it started.
fn kill(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    if let Some(group) = group {
        // An error says that all of them are gone.
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests;
