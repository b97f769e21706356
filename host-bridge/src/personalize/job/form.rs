//! A job's file: its form, the kinds of step, what is wrong with it. `reading` reads the steps.

use super::reading::Reading;
use super::{Job, JobCap};
use crate::exit::{self, Exit, ExitCode};
use crate::order::Needs;
use crate::personalize::{Applet, PersonalizeError};
use serde::Deserialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Spanned, Table};

/// The job that is done where none is named.
pub const IPAE: &str = include_str!("ipae.toml");

/// The kind of step that needs the order's eIM.
pub(super) const ADD_EIM: &str = "add-eim";

/// A kind of step, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct StepDoc {
    /// Its name: what `do` says.
    pub name: &'static str,
    /// What it does, and with which keys.
    pub doc: &'static str,
    /// What happens when a run that stopped goes on.
    pub again: &'static str,
}

/// The kinds of step. Each may have a `name` of its own.
pub const STEPS: &[StepDoc] = &[
    StepDoc {
        name: "load",
        doc: "loads a package: cap (a name of [cap]), to (AID of a security domain), hash (sha256, sha384, sha512)",
        again: "not again if the card has the whole package and an earlier run began to load it",
    },
    StepDoc {
        name: "install",
        doc: "installs an applet: cap, or package and module (AIDs); instance (AID), privileges (names), \
              parameters (a table as `ipae card params encode` takes it) or parameters_hex, selectable (true)",
        again: "not again if the card lists the instance",
    },
    StepDoc {
        name: "store",
        doc: "STORE DATA: to (AID; without it the security domain), data (hex) or dgis ([{ tag, value }]), form \
              (plain, dgi, tlv). {eid}, {iccid} (as in EF.ICCID) and the order's {x_…} columns may stand in hex",
        again: "not again if it ended in an earlier run; again if it was cut off",
    },
    StepDoc {
        name: "configure",
        doc: "the order's configuration for an IPAe applet: application (AID; without it the job's own)",
        again: "as store",
    },
    StepDoc {
        name: "rotate-keys",
        doc: "PUT KEY of the order's new key set in the place of the card's: required (false): every row must have one",
        again: "the card's cryptogram tells which set it has; no try is spent on it",
    },
    StepDoc {
        name: ADD_EIM,
        doc: "ES10b.AddInitialEim with the order's eim_… columns",
        again: "not again if the eUICC has the entry",
    },
    StepDoc {
        name: "set-state",
        doc: "SET STATUS: card (initialized, secured), or application (AID) and state (locked, unlocked)",
        again: "not again if the registry has that state; unlocking as store. A locked application can't be read again",
    },
    StepDoc {
        name: "read",
        doc: "sends a command that changes nothing and compares: command (4 bytes, or 5 and more with data, in hex), \
              select (AID; without it the security domain, under the secure channel), expect (hex, ? for any digit), \
              allow (status words; 9000), receipt (true: the answer goes into the receipt)",
        again: "always again",
    },
    StepDoc {
        name: "verify",
        doc: "reads back version, configuration and eIM entry of an IPAe card: application (AID; without it the job's own)",
        again: "always again",
    },
];

/// Why a job can't be done. No card was touched.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// It can't be read.
    #[error("failed to read job {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It has faults: all that were found.
    #[error("the job has {} error{}; no card was touched\n{}", faults.len(), if faults.len() == 1 { "" } else { "s" }, list(source_name, faults))]
    Faults {
        /// Where it came from.
        source_name: String,
        /// Every fault.
        faults: Vec<JobFault>,
    },
    /// A CAP file.
    #[error(transparent)]
    Cap(#[from] Box<PersonalizeError>),
}

/// A fault of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFault {
    /// Line, from 1.
    pub line: usize,
    /// Where, and what is wrong.
    pub problem: String,
}

fn list(source: &str, faults: &[JobFault]) -> String {
    let lines = faults
        .iter()
        .map(|fault| format!("{source}:{}: {}", fault.line, fault.problem));
    lines.collect::<Vec<_>>().join("\n")
}

impl ExitCode for JobError {
    fn exit(&self) -> Exit {
        match self {
            JobError::Cap(error) => error.exit(),
            _ => exit::JOB,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Form {
    format: u32,
    title: String,
    #[serde(default)]
    pub cap: BTreeMap<String, Spanned<CapForm>>,
    pub step: Vec<Spanned<Table>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapForm {
    pub file: Option<PathBuf>,
    pub build: Option<bool>,
}

/// A job's file, before its packages are there.
pub struct JobFile {
    pub(super) text: String,
    source: String,
    pub(super) directory: PathBuf,
    pub(super) form: Form,
}

/// The line of a byte.
pub(super) fn line_of(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.matches('\n').count() + 1
}

impl JobFile {
    /// Reads a job.
    ///
    /// # Errors
    /// [`JobError`].
    pub fn read(path: &Path) -> Result<Self, JobError> {
        let text = std::fs::read_to_string(path).map_err(|source| JobError::Read {
            path: path.to_owned(),
            source,
        })?;
        let directory = path.parent().unwrap_or(Path::new(".")).to_owned();
        Self::parse(&text, &path.display().to_string(), directory)
    }

    /// Reads a job's text; paths in it count from `directory`.
    ///
    /// # Errors
    /// [`JobError::Faults`].
    pub fn parse(text: &str, source: &str, directory: PathBuf) -> Result<Self, JobError> {
        let fault = |line, problem: String| JobError::Faults {
            source_name: source.to_owned(),
            faults: vec![JobFault { line, problem }],
        };
        let form: Form = toml::from_str(text).map_err(|e| {
            let line = e.span().map_or(1, |span| line_of(text, span.start));
            fault(line, e.message().to_owned())
        })?;
        if form.format != 1 {
            let problem = format!("format is {}, these tools know 1", form.format);
            return Err(fault(1, problem));
        }
        Ok(JobFile {
            text: text.to_owned(),
            source: source.to_owned(),
            directory,
            form,
        })
    }

    /// The job that is done where none is named.
    pub fn ipae() -> Self {
        match Self::parse(IPAE, "the built-in job", PathBuf::from(".")) {
            Ok(job) => job,
            // A test reads it.
            Err(_) => JobFile {
                text: String::new(),
                source: String::new(),
                directory: PathBuf::new(),
                form: Form {
                    format: 1,
                    title: String::new(),
                    cap: BTreeMap::new(),
                    step: Vec::new(),
                },
            },
        }
    }

    /// Whether it asks for the applet that is built.
    pub fn wants_applet(&self) -> bool {
        let mut caps = self.form.cap.values();
        caps.any(|cap| cap.get_ref().build == Some(true))
    }

    /// What it takes from an order.
    pub fn needs(&self) -> Needs {
        let mut steps = self.form.step.iter().map(Spanned::get_ref);
        Needs {
            eim: steps.any(|step| step.get("do").and_then(toml::Value::as_str) == Some(ADD_EIM)),
        }
    }

    /// The job, with its packages; `applet` is the one that is built.
    ///
    /// # Errors
    /// [`JobError`]: every fault.
    pub fn with(self, applet: Option<Applet>) -> Result<Job, JobError> {
        let Reading {
            caps,
            loaded,
            steps,
            faults,
            ..
        } = Reading::of(&self, applet)?;
        if !faults.is_empty() {
            return Err(JobError::Faults {
                source_name: self.source.clone(),
                faults,
            });
        }
        let mut hash = Sha256::new();
        hash.update(&self.text);
        for (name, applet) in &caps {
            hash.update(format!("\n{name} {}", applet.digest));
        }
        let mut caps = caps;
        let caps = loaded.into_iter().filter_map(|name| {
            let applet = caps.remove(&name)?;
            Some(JobCap { name, applet })
        });
        Ok(Job {
            title: self.form.title.clone(),
            digest: hex::encode(hash.finalize()),
            caps: caps.collect(),
            steps,
            source: self.source.clone(),
        })
    }
}
