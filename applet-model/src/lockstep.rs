//! Lock-step: a record of what crossed an applet's boundary, replayed through the model.
//!
//! The same inputs must give the same outputs, byte for byte. A difference is a defect in the model
//! or in the applet, always (design decision 1).

use crate::machine::{Machine, MachineError, table};
use crate::trace::Boundary;
use std::collections::BTreeSet;

/// A model that follows an applet.
#[derive(Clone)]
pub struct Lockstep {
    machine: Machine,
    rows: BTreeSet<usize>,
    steps: u64,
    /// True while the runtime installs the applet: what it writes then is its memory's allocation.
    installing: bool,
    /// Outputs since the last input that the applet made and the model made.
    recent: Vec<Boundary>,
}

/// A difference between applet and model.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Divergence {
    /// The applet did something else than the model.
    #[error("step {step}: the applet gave {applet:?}, the model {model:?}; before it: {recent:?}")]
    Output {
        /// Number of the boundary step since the beginning.
        step: u64,
        /// What the applet did.
        applet: Option<Boundary>,
        /// What the model did.
        model: Option<Boundary>,
        /// The last steps before.
        recent: Vec<Boundary>,
    },
    /// The model can't take the input or has no row.
    #[error("step {step}: {error}; before it: {recent:?}")]
    Model {
        /// Number of the boundary step since the beginning.
        step: u64,
        /// Why.
        error: MachineError,
        /// The last steps before.
        recent: Vec<Boundary>,
    },
}

/// Steps kept for a divergence's message.
const RECENT: usize = 12;

impl Default for Lockstep {
    fn default() -> Self {
        Self::new()
    }
}

impl Lockstep {
    /// Follows an applet from before its installation.
    pub fn new() -> Self {
        Lockstep {
            machine: Machine::new(),
            rows: BTreeSet::new(),
            steps: 0,
            installing: false,
            recent: Vec::new(),
        }
    }

    /// The model as it stands.
    pub fn machine(&self) -> &Machine {
        &self.machine
    }

    /// Goes back to an earlier state of the same applet; rows and steps go on being counted.
    pub fn go_back_to(&mut self, earlier: &Lockstep) {
        self.machine = earlier.machine.clone();
        self.installing = earlier.installing;
        self.recent.clone_from(&earlier.recent);
    }

    /// Boundary steps followed.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// Rows of the transition table that were taken.
    pub fn rows(&self) -> &BTreeSet<usize> {
        &self.rows
    }

    /// Rows of the transition table.
    pub fn rows_total() -> usize {
        table::rows().len()
    }

    /// Follows a piece of the applet's record.
    ///
    /// # Errors
    /// The first [`Divergence`]; the model is of no use after it.
    pub fn follow(&mut self, record: &[Boundary]) -> Result<(), Box<Divergence>> {
        for step in record {
            self.steps += 1;
            self.follow_step(step)?;
            self.rows.extend(self.machine.take_rows());
            if self.recent.len() == RECENT {
                self.recent.remove(0);
            }
            self.recent.push(step.clone());
        }
        Ok(())
    }

    fn follow_step(&mut self, step: &Boundary) -> Result<(), Box<Divergence>> {
        match step {
            Boundary::Install(_) => {
                *self = Lockstep {
                    installing: true,
                    rows: core::mem::take(&mut self.rows),
                    steps: self.steps,
                    ..Lockstep::new()
                };
                self.input(step)
            }
            Boundary::TimerAllocated(_) => self.input(step),
            _ if !step.is_input() && self.installing => Ok(()),
            Boundary::PowerLoss => {
                // Whatever the model would have done next did not happen.
                self.installing = false;
                self.input(step)
            }
            Boundary::SendRefused => match self.output()? {
                Some(Boundary::Proactive(_)) => self.input(step),
                model => Err(self.difference(Some(step.clone()), model)),
            },
            _ if step.is_input() => {
                self.installing = false;
                let idle = self.output()?;
                if idle.is_some() {
                    return Err(self.difference(None, idle));
                }
                self.input(step)
            }
            _ => {
                let model = self.output()?;
                if model.as_ref() == Some(step) {
                    Ok(())
                } else {
                    Err(self.difference(Some(step.clone()), model))
                }
            }
        }
    }

    fn input(&mut self, step: &Boundary) -> Result<(), Box<Divergence>> {
        self.machine.input(step).map_err(|error| self.defect(error))
    }

    fn output(&mut self) -> Result<Option<Boundary>, Box<Divergence>> {
        self.machine.output().map_err(|error| self.defect(error))
    }

    fn defect(&self, error: MachineError) -> Box<Divergence> {
        Box::new(Divergence::Model {
            step: self.steps,
            error,
            recent: self.recent.clone(),
        })
    }

    fn difference(&self, applet: Option<Boundary>, model: Option<Boundary>) -> Box<Divergence> {
        Box::new(Divergence::Output {
            step: self.steps,
            applet,
            model,
            recent: self.recent.clone(),
        })
    }

    /// Checks that the model has nothing left to do: the end of a record.
    ///
    /// # Errors
    /// [`Divergence::Output`] if the applet left something out.
    pub fn finish(&mut self) -> Result<(), Box<Divergence>> {
        match self.output()? {
            None => Ok(()),
            model => Err(self.difference(None, model)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_and_a_different_output_are_found() {
        let mut lockstep = Lockstep::new();
        let boot = Boundary::Event {
            event: 1,
            envelope: vec![],
        };
        lockstep.follow(&[boot.clone(), Boundary::Return]).unwrap();
        let missing = lockstep.clone().follow(&[boot.clone(), boot.clone()]);
        assert!(matches!(
            *missing.unwrap_err(),
            Divergence::Output {
                applet: None,
                model: Some(Boundary::Return),
                ..
            }
        ));
        let other = lockstep.follow(&[boot, Boundary::Commit]);
        assert!(matches!(
            *other.unwrap_err(),
            Divergence::Output {
                applet: Some(Boundary::Commit),
                ..
            }
        ));
    }
}
