//! Jobs: what every card of an order gets, as data. TOML.
//!
//! A job names CAP files and steps; [`STEPS`] is the table of the kinds of step. It is read and checked
//! whole before any card: against itself ([`JobFile`]), the card definition ([`Job::fits`]) and each row of the
//! order ([`Job::faults`]). [`IPAE`] is the job that is done where none is named. `form` and `reading` read it, `value` is
//! text with placeholders, `commands` makes the APDUs, [`dry`] shows them.

mod commands;
pub mod dry;
mod form;
mod reading;
#[cfg(test)]
pub(super) mod tests;
mod value;

pub use form::{IPAE, JobError, JobFile, STEPS, StepDoc};
pub use value::Value;

use super::PersonalizeError;
use super::applet::{self, Applet};
use crate::gp::plan;
use crate::order::{Order, OrderFault, OrderRow};
use applet_gen::cap::Cap;
use applet_gen::gp::command::Privileges;
use applet_gen::gp::load::LoadHash;
use applet_gen::gp::uicc_params::{CardLimits, Severity, Target, lint};
use applet_model::status::Sw;
use cards::definition::{Definition, InstallParameterForm};

/// Steps of the frame: every card begins with them.
pub(super) const IDENTIFY: &str = "identify";
/// The secure channel.
pub(super) const AUTHENTICATE: &str = "authenticate";
/// What is on the card and how much room there is, where something is loaded.
pub(super) const CHECK: &str = "check";

/// What every card of an order gets.
pub struct Job {
    /// For people.
    pub title: String,
    /// SHA-256 in hex over the job's text and its CAP files: the journal belongs to it.
    pub digest: String,
    /// The packages, in the sequence in which they are loaded.
    pub caps: Vec<JobCap>,
    /// What is done, in this sequence.
    pub steps: Vec<JobStep>,
    /// Where it came from, for messages.
    pub source: String,
}

/// A package of a job.
pub struct JobCap {
    /// Its name in the job.
    pub name: String,
    /// The package.
    pub applet: Applet,
}

/// A step.
pub struct JobStep {
    /// Its name, in the journal too; no two of a job have the same.
    pub name: String,
    /// Line in the job, from 1.
    pub line: usize,
    /// What it does.
    pub action: Action,
}

/// What a step does.
pub enum Action {
    /// Loads a package, unless it is there.
    Load(LoadStep),
    /// Installs an applet, unless it is there.
    Install(InstallStep),
    /// Gives data to an application, or to the security domain, once.
    Store(StoreStep),
    /// Gives an IPAe applet the order's configuration, once.
    Configure {
        /// The instance.
        application: Vec<u8>,
    },
    /// Gives the card the order's new keys.
    RotateKeys {
        /// Every row has to have some.
        required: bool,
    },
    /// Gives the eUICC its first eIM, unless it has it.
    AddEim,
    /// Sets a life cycle state, unless it is that.
    SetState(SetState),
    /// Reads, and compares.
    Read(ReadStep),
    /// Reads back what an IPAe applet and its eUICC have of the order.
    Verify {
        /// The instance.
        application: Vec<u8>,
        /// Compare the configuration.
        configuration: bool,
        /// Compare the eIM's entry.
        eim: bool,
    },
}

/// Loading a package.
pub struct LoadStep {
    /// Which of [`Job::caps`].
    pub cap: usize,
    /// Security domain that gets it; empty for the issuer's.
    pub to: Vec<u8>,
    /// State its hash.
    pub hash: Option<LoadHash>,
}

/// Install parameters.
pub enum Parameters {
    /// What an IPAe applet asks for, in the form that the definition's cards take.
    Ipae,
    /// These bytes.
    Bytes(Vec<u8>),
}

/// Installing an applet.
pub struct InstallStep {
    /// Load file AID.
    pub package: Vec<u8>,
    /// Module AID.
    pub module: Vec<u8>,
    /// Instance AID.
    pub instance: Vec<u8>,
    /// Privileges.
    pub privileges: Privileges,
    /// Install parameters.
    pub parameters: Parameters,
    /// Make it selectable.
    pub selectable: bool,
}

/// STORE DATA.
pub struct StoreStep {
    /// The application; `None` for the issuer security domain itself.
    pub to: Option<Vec<u8>>,
    /// The data.
    pub data: Content,
    /// P1 without bit 8: 00 as it is, 08 DGI, 10 BER-TLV.
    pub encoding: u8,
}

/// Data of STORE DATA.
pub enum Content {
    /// As it is.
    Plain(Value),
    /// Data groupings: identifier and value (GPCS 11.11.2.1, EMV CPS 2.2).
    Dgis(Vec<([u8; 2], Value)>),
}

/// A life cycle state.
pub enum SetState {
    /// Of the card.
    Card {
        /// The state.
        state: u8,
        /// Its name.
        name: &'static str,
    },
    /// Of an application or security domain: locked or not.
    Application {
        /// Its AID.
        aid: Vec<u8>,
        /// Locked.
        locked: bool,
    },
}

/// Reading back.
pub struct ReadStep {
    /// The application that is selected for it; `None`: the security domain, under the secure channel.
    pub select: Option<Vec<u8>>,
    /// The command.
    pub command: [u8; 4],
    /// Its data.
    pub data: Option<Value>,
    /// Status words that are fine.
    pub allowed: Vec<Sw>,
    /// What the answer has to be; `?` stands for any digit.
    pub expect: Option<Value>,
    /// The answer goes into the receipt.
    pub receipt: bool,
}

impl Job {
    /// The job that is done where none is named, with this applet.
    ///
    /// # Errors
    /// [`JobError`]: the package is a library.
    pub fn ipae(applet: Applet) -> Result<Self, JobError> {
        JobFile::ipae().with(Some(applet))
    }

    /// The step that loads a package.
    pub(super) fn load_step(&self, cap: usize) -> Option<&JobStep> {
        let loads = |step: &&JobStep| matches!(&step.action, Action::Load(load) if load.cap == cap);
        self.steps.iter().find(loads)
    }

    /// Whether it gives cards new keys.
    fn rotates(&self) -> Option<&Action> {
        let mut actions = self.steps.iter().map(|step| &step.action);
        actions.find(|action| matches!(action, Action::RotateKeys { .. }))
    }

    /// Compares it with what cards of a definition have: packages, memory, what they take as parameters.
    ///
    /// # Errors
    /// [`PersonalizeError::Import`], [`PersonalizeError::Memory`], [`PersonalizeError::Parameters`],
    /// [`PersonalizeError::JobStep`].
    pub fn fits(&self, definition: &Definition) -> Result<(), PersonalizeError> {
        let mut loaded: Vec<&Cap> = Vec::new();
        for cap in &self.caps {
            plan::check_imports(&cap.applet.cap, definition, &loaded)?;
            loaded.push(&cap.applet.cap);
        }
        let all = self.caps.iter().map(|cap| &cap.applet);
        memory_for(all, "by the card definition", applet::room(definition))?;
        for step in &self.steps {
            let Action::Install(install) = &step.action else {
                continue;
            };
            let parameters = self.parameters(install, definition)?;
            let target = Target {
                limits: Some(CardLimits {
                    channels: definition.toolkit.bip_channels,
                    timers: definition.toolkit.timers,
                    non_volatile: definition.memory.persistent,
                    volatile: definition.memory.transient_reset,
                }),
                instance: Some(install.instance.clone()),
                taken_tars: Vec::new(),
                takes_ea: Some(definition.toolkit.install_parameters == InstallParameterForm::Ea),
            };
            let refused = lint(&parameters, &target)
                .into_iter()
                .find(|finding| finding.severity == Severity::Refused);
            if let Some(finding) = refused {
                return Err(PersonalizeError::JobStep {
                    place: format!("{}:{}: step {}", self.source, step.line, step.name),
                    problem: format!("parameters: {finding}"),
                });
            }
        }
        Ok(())
    }

    /// What of an order's rows doesn't go with it.
    pub fn faults(&self, order: &Order) -> Vec<OrderFault> {
        let mut faults = Vec::new();
        let rotates = self.rotates();
        for row in &order.rows {
            let problem = match (&row.new_keys, rotates) {
                (Some(_), None) => Some("new keys, but the job has no step rotate-keys"),
                (None, Some(Action::RotateKeys { required: true })) => {
                    Some("no new keys, and the job's step rotate-keys asks for them")
                }
                _ => None,
            };
            if let Some(problem) = problem {
                faults.push(OrderFault::new(row.line, 1, problem.to_owned()));
            }
            for step in &self.steps {
                if matches!(step.action, Action::AddEim) && row.eim.is_none() {
                    let problem = format!("no eIM, and the job's step {} adds one", step.name);
                    faults.push(OrderFault::new(row.line, 1, problem));
                }
                for (key, value) in step.values() {
                    if let Err((column, problem)) = value.text(row) {
                        let problem = format!("{problem} (the job's step {}, {key})", step.name);
                        faults.push(OrderFault::new(row.line, column, problem));
                    }
                }
            }
        }
        faults
    }

    /// The install parameters of a step.
    pub(super) fn parameters(
        &self,
        install: &InstallStep,
        definition: &Definition,
    ) -> Result<Vec<u8>, PersonalizeError> {
        Ok(match &install.parameters {
            Parameters::Ipae => Applet::parameters(definition).encode()?,
            Parameters::Bytes(bytes) => bytes.clone(),
        })
    }
}

impl JobStep {
    /// The texts of it that a row fills in, by the job's keys.
    fn values(&self) -> Vec<(&'static str, &Value)> {
        match &self.action {
            Action::Store(store) => match &store.data {
                Content::Plain(value) => vec![("data", value)],
                Content::Dgis(dgis) => dgis.iter().map(|(_, value)| ("dgis", value)).collect(),
            },
            Action::Read(read) => {
                let data = read.data.iter().map(|value| ("command", value));
                data.chain(read.expect.iter().map(|value| ("expect", value)))
                    .collect()
            }
            _ => Vec::new(),
        }
    }

    /// Whether its commands carry what only the order knows.
    pub(super) fn is_personal(&self) -> bool {
        self.values().iter().any(|(_, value)| value.is_of_job())
    }
}

/// Compares what packages need, one after the other, with what is there.
pub(super) fn memory_for<'a>(
    applets: impl Iterator<Item = &'a Applet>,
    who: &'static str,
    mut limits: applet_gen::cap::budget::Limits,
) -> Result<(), PersonalizeError> {
    for applet in applets {
        applet.memory(who, &limits)?;
        let memory = applet.budget.instances.first().map(|one| &one.memory);
        let takes = |limit: &mut Option<u64>, bytes: u64| {
            if let Some(limit) = limit {
                *limit = limit.saturating_sub(bytes);
            }
        };
        let of =
            |get: fn(&applet_gen::cap::budget::Memory) -> u32| u64::from(memory.map_or(0, get));
        let package = (applet.load_file.len() + applet.budget.static_arrays) as u64;
        takes(&mut limits.persistent, package + of(|m| m.persistent));
        takes(&mut limits.reset, of(|m| m.reset));
        // Memory that is cleared at deselection is shared by the applets of different packages.
    }
    Ok(())
}

/// A row, and the data of a step for it.
pub(super) fn data_of(
    content: &Content,
    row: &OrderRow,
    fail: &dyn Fn(String) -> PersonalizeError,
) -> Result<Vec<u8>, PersonalizeError> {
    let bytes = |value: &Value| value.bytes(row).map_err(|(_, problem)| fail(problem));
    match content {
        Content::Plain(value) => bytes(value),
        Content::Dgis(dgis) => {
            let mut out = Vec::new();
            for (identifier, value) in dgis {
                out.extend(identifier);
                let value = bytes(value)?;
                // EMV CPS 2.2: one byte up to 254, else FF and two.
                match value.len() {
                    length @ 0..=254 => out.push(length as u8),
                    length => {
                        out.push(0xFF);
                        out.extend((length as u16).to_be_bytes());
                    }
                }
                out.extend(value);
            }
            Ok(out)
        }
    }
}
