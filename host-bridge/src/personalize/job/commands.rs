//! The commands of a step, on a card that has nothing of it yet: what a run sends and a dry run shows.

use super::{Action, Job, SetState, data_of};
use crate::gp::plan::{self, Loading};
use crate::order::OrderRow;
use crate::personalize::PersonalizeError;
use applet_gen::gp::command::{self, Install};
use applet_gen::script::Step;
use applet_model::apdu::Command;
use cards::definition::Definition;

impl Action {
    /// Its commands to the security domain, for a card of the order; `room` is the most data bytes of
    /// one. Those that depend on keys or on what the card says are made where they are sent.
    ///
    /// # Errors
    /// [`PersonalizeError`]: too many blocks, parameters that can't be written, a row without what is asked for.
    pub(in crate::personalize) fn commands(
        &self,
        job: &Job,
        definition: &Definition,
        row: &OrderRow,
        room: usize,
    ) -> Result<Vec<Step>, PersonalizeError> {
        let fail = |problem: String| PersonalizeError::JobStep {
            place: format!("line {} of the order", row.line),
            problem,
        };
        Ok(match self {
            Action::Load(load) => match job.caps.get(load.cap) {
                None => Vec::new(),
                Some(cap) => {
                    let how = Loading {
                        to: &load.to,
                        hash: load.hash,
                        ..Loading::default()
                    };
                    plan::loading(&cap.applet.package, &cap.applet.load_file, room, &how)?
                }
            },
            Action::Install(install) => {
                let parameters = job.parameters(install, definition)?;
                let command = Install {
                    package: &install.package,
                    module: &install.module,
                    instance: &install.instance,
                    privileges: install.privileges,
                    parameters: &parameters,
                    token: &[],
                };
                plan::install(&command, install.selectable)
            }
            Action::Store(store) => {
                let data = data_of(&store.data, row, &fail)?;
                plan::store(store.to.as_deref(), &data, room, store.encoding)
            }
            Action::Configure { application } => {
                let data = row.config.to_store_data();
                plan::store(Some(application), &data, room, 0x00)
            }
            Action::SetState(SetState::Card { state, name }) => {
                plan::card_state(definition.isd.aid.bytes(), *state, name)
            }
            Action::SetState(SetState::Application { aid, locked }) => plan::lock(aid, *locked),
            Action::Read(read) => {
                let mut steps = Vec::new();
                if let Some(aid) = &read.select {
                    let name = format!("SELECT of {}", hex::encode_upper(aid));
                    steps.push(Step::new(name, command::select(aid)));
                }
                let [cla, ins, p1, p2] = read.command;
                let mut command = Command::new(cla, ins, p1, p2);
                if let Some(data) = &read.data {
                    command = command.with_data(data.bytes(row).map_err(|(_, e)| fail(e))?);
                }
                let name = format!("command {}", hex::encode_upper(read.command));
                let mut step = Step::new(name, command.with_le(256));
                step.expected.clone_from(&read.allowed);
                steps.push(step);
                steps
            }
            Action::RotateKeys { .. } | Action::AddEim | Action::Verify { .. } => Vec::new(),
        })
    }
}
