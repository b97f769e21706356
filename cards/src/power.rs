//! The card's non-volatile memory as a power supply sees it: a count of persistent writes, and a plan
//! for cutting the power before one of them.

use serde::{Deserialize, Serialize};

/// Counts persistent writes and cuts the power before a chosen one.
///
/// Every part of the card calls [`Nvm::commit`] immediately *before* it applies a persistent change; a
/// change that spans several bytes but is kept or lost as a whole (a transaction) is one commit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nvm {
    /// Persistent writes applied since the card was made.
    pub writes: u64,
    /// Power goes away before the write that would make `writes` greater than this number.
    pub cut_before: Option<u64>,
}

/// The supply voltage is gone: nothing after this point happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the power was cut before persistent write {write}")]
pub struct PowerCut {
    /// Number of the write that was not applied, counted from 0 over the card's life.
    pub write: u64,
}

impl Nvm {
    /// Plans a power cut before the `n`-th persistent write from now (0: before the next one).
    pub fn cut_after(&mut self, n: u64) {
        self.cut_before = Some(self.writes.saturating_add(n));
    }

    /// Announces one atomic persistent change.
    ///
    /// # Errors
    /// [`PowerCut`] if the plan says that the power is gone by now: the caller must not apply the change.
    /// The plan stays, so that later writes of the same session fail as well; a reset clears it with
    /// [`Nvm::restore`].
    pub fn commit(&mut self) -> Result<(), PowerCut> {
        if self.cut_before.is_some_and(|cut| self.writes >= cut) {
            return Err(PowerCut { write: self.writes });
        }
        self.writes += 1;
        Ok(())
    }

    /// The power is back: forgets a plan whose cut has happened; a plan that lies ahead stays.
    pub fn restore(&mut self) {
        if self.cut_before.is_some_and(|cut| self.writes >= cut) {
            self.cut_before = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_happens_before_the_planned_write_and_stays_until_power_returns() {
        let mut nvm = Nvm::default();
        nvm.commit().expect("no plan");
        nvm.cut_after(1);
        nvm.commit().expect("one write still goes through");
        assert_eq!(nvm.commit(), Err(PowerCut { write: 2 }));
        assert_eq!(nvm.commit(), Err(PowerCut { write: 2 }));
        assert_eq!(nvm.writes, 2);
        nvm.restore();
        nvm.commit().expect("power is back");
    }

    #[test]
    fn a_plan_ahead_survives_a_reset() {
        let mut nvm = Nvm::default();
        nvm.cut_after(1);
        nvm.restore();
        nvm.commit().expect("before the plan");
        assert!(nvm.commit().is_err());
    }
}
