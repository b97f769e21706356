//! Scenarios of profile state management.

use super::bench::{Bench, DAY, Failure};
use crate::eim::PackageState;

/// The lab card's poll interval is an hour at most; two polls fit into this many seconds.
const TWO_POLLS: u64 = 3 * 3600;

pub(super) fn nothing_pending(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts; the card polls");
    b.boot()?;
    let eid = b.eid;
    let polls = move |n: u64| {
        move |eim: &crate::eim::Eim, _: &crate::eim::Eim| {
            Ok(eim
                .devices()?
                .iter()
                .any(|d| d.eid == eid.to_string() && d.polls >= n))
        }
    };
    b.until(DAY, "a first poll", polls(1))?;
    b.run_for(60)?;
    let before = b.virtual_card().map(|card| card.nvm().writes);
    b.step("the card polls again, an interval later");
    b.until(TWO_POLLS, "a second poll", polls(2))?;
    b.run_for(60)?;
    let after = b.virtual_card().map(|card| card.nvm().writes);
    b.expect(before == after, || {
        format!("an idle poll must write nothing: {before:?} writes before, {after:?} after")
    })
}

pub(super) fn list_profile_info(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let Some(card) = b.virtual_card() else {
        return Ok(());
    };
    let inside: Vec<String> = card
        .euicc()
        .state()
        .profiles
        .iter()
        .map(|p| p.iccid.to_string())
        .collect();
    b.expect(inside == iccids, || {
        format!("the eIM's inventory is {iccids:?}, the card has {inside:?}")
    })
}

pub(super) fn euicc_data(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let package = b.operate(&["euiccData"])?;
    b.expect_end(&package, PackageState::Done, "certificates")?;
    for part in [
        "0 notifications",
        "0 package results",
        "default SM-DP+",
        "root SM-DS",
        "indirectRspServerCommunication",
    ] {
        b.expect_end(&package, PackageState::Done, part)?;
    }
    let package = b.operate(&["euiccData BF20A6"])?;
    b.expect_end(&package, PackageState::Done, "")?;
    // SGP.32 v1.0's tag of EUICCInfo2.
    let package = b.operate(&["euiccData 80"])?;
    b.expect_end(&package, PackageState::Failed, "incorrectTagList")?;
    let package = b.operate(&["listProfileInfo"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn enable_good_network(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let package = b.operate(&[&format!("enable {} rollback", iccids[1])])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.expect_enabled(&iccids[1])
}

pub(super) fn enable_dead_network(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.service(&iccids[1], false)?;
    let package = b.operate(&[&format!("enable {} rollback", iccids[1])])?;
    b.expect_end(&package, PackageState::RolledBack, "")?;
    b.expect_enabled(&iccids[0])
}

pub(super) fn disable(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let package = b.operate(&[&format!("disable {}", iccids[1])])?;
    b.expect_end(&package, PackageState::Failed, "profileNotInEnabledState")?;
    let package = b.operate(&[
        &format!("disable {}", iccids[0]),
        &format!("enable {}", iccids[1]),
    ])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.expect_enabled(&iccids[1])
}

pub(super) fn delete(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let package = b.operate(&[&format!("delete {}", iccids[2])])?;
    b.expect_end(&package, PackageState::Done, "")?;
    let left = b.eim.inventory(&b.eid)?.profiles;
    b.expect(left.iter().all(|p| p.iccid != iccids[2]), || {
        format!("{} is still in the inventory", iccids[2])
    })
}

pub(super) fn delete_refused(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let package = b.operate(&[&format!("delete {}", iccids[0])])?;
    b.expect_end(&package, PackageState::Failed, "profileNotInDisabledState")?;
    let package = b.operate(&["delete 89999990000000000099"])?;
    b.expect_end(&package, PackageState::Failed, "iccidOrAidNotFound")?;
    b.expect_enabled(&iccids[0])
}

pub(super) fn several_psmos(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    let enable = format!("enable {}", iccids[1]);
    let delete_unknown = "delete 89999990000000000099";
    let delete = format!("delete {}", iccids[2]);
    let package = b.operate(&["listProfileInfo", &enable, delete_unknown, &delete])?;
    b.expect_end(&package, PackageState::Failed, "iccidOrAidNotFound")?;
    // What came before the failure counts, what came after it was not done.
    b.expect_enabled(&iccids[1])?;
    let profiles = b.eim.inventory(&b.eid)?.profiles.len();
    b.expect(profiles == 3, || {
        format!("the operation after the failing one was done: {profiles} profiles left")
    })
}

pub(super) fn queued_while_off(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.power_off()?;
    b.step("ten operations are queued while the device is off");
    let enable: Vec<String> = (0..2)
        .map(|i| format!("enable {} rollback", iccids[i]))
        .collect();
    let delete = format!("delete {}", iccids[2]);
    let operations = [
        "listProfileInfo",
        "getRAT",
        &enable[1],
        "listEim",
        "listProfileInfo",
        &enable[0],
        &delete,
        "getRAT",
        &enable[1],
        "listProfileInfo",
    ];
    let mut ids = Vec::new();
    for operation in operations {
        ids.push(b.enqueue(&[operation])?);
    }
    b.step("the device is back");
    b.boot()?;
    b.until_final(ids[9])?;
    let mut counter = 0;
    for id in ids {
        let package = b.package(id)?;
        b.expect_end(&package, PackageState::Done, "")?;
        b.expect(package.counter > Some(counter), || {
            format!("package {id} was executed out of order")
        })?;
        counter = package.counter.unwrap_or(counter);
    }
    b.expect_enabled(&iccids[1])
}
