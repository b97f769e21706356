//! Scenarios in which the power goes: before each persistent write, after each APDU.
//!
//! Afterwards exactly one profile is enabled, the operation was executed exactly once or not at all
//! and says which, and the result reaches the eIM.

use super::bench::{Bench, DAY, Failure};
use crate::eim::PackageState;

/// A bound for the number of places; a defect would otherwise go on for ever.
const PLACES: u64 = 2000;

/// Where the power goes.
#[derive(Clone, Copy)]
enum Cut {
    BeforeWrite(u64),
    AfterApdu(u64),
}

pub(super) fn before_each_write(b: &mut Bench) -> Result<(), Failure> {
    at_each_place(b, Cut::BeforeWrite)
}

pub(super) fn after_each_apdu(b: &mut Bench) -> Result<(), Failure> {
    at_each_place(b, Cut::AfterApdu)
}

fn at_each_place(b: &mut Bench, cut: fn(u64) -> Cut) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.run_for(120)?;
    let saved = b.save()?;
    for place in 1..PLACES {
        b.restore(&saved)?;
        if !at_place(b, &iccids, cut(place))? {
            b.step(format!("done: the power was cut at {} places", place - 1));
            return Ok(());
        }
    }
    Err(Failure::Expectation(format!(
        "the scenario has more than {PLACES} places"
    )))
}

/// One cut; false if the operation was over before the power went.
fn at_place(b: &mut Bench, iccids: &[String], cut: Cut) -> Result<bool, Failure> {
    let id = b.enqueue(&[&format!("enable {} rollback", iccids[1])])?;
    b.boot()?;
    let lost = match cut {
        Cut::BeforeWrite(n) => {
            b.card()?.nvm_mut().cut_after(n - 1);
            b.until_power_lost(DAY, None)?
        }
        Cut::AfterApdu(n) => {
            b.until_power_lost(DAY, Some(n))?;
            !b.package(id)?.state.is_final()
        }
    };
    if !lost {
        return Ok(false);
    }
    b.power_off()?;
    b.boot()?;
    let package = b.until_final(id)?;
    let enabled = b
        .virtual_card()
        .and_then(|c| c.euicc().enabled_profile().map(|p| p.iccid.to_string()));
    b.expect(enabled.is_some(), || {
        "no profile is enabled after the power cut".into()
    })?;
    match package.state {
        PackageState::Done => b.expect_enabled(&iccids[1])?,
        PackageState::RolledBack | PackageState::Failed => b.expect_enabled(&iccids[0])?,
        other => {
            return Err(Failure::Expectation(format!(
                "package {id} ended as {other:?}: {}",
                package.note
            )));
        }
    }
    Ok(true)
}
