//! Scenarios in which the eIM, the network or the device does something wrong.

use super::bench::{Bench, DAY, Failure};
use crate::eim::{EimFault, FaultPlan, PackageState};
use crate::terminal::Fault;
use applet_model::cat::CommandType;

/// A package with this fault ends refused, and the next one is executed.
fn refused(b: &mut Bench, fault: EimFault, note: &str) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.step(format!("the eIM's next package: {fault:?}"));
    b.eim.inject(FaultPlan::once(fault));
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Failed, note)?;
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn replayed_counter(b: &mut Bench) -> Result<(), Failure> {
    refused(b, EimFault::ReplayedCounter, "replayError")
}

pub(super) fn wrong_signature(b: &mut Bench) -> Result<(), Failure> {
    refused(b, EimFault::WrongSignature, "without a signature")
}

pub(super) fn wrong_eid(b: &mut Bench) -> Result<(), Failure> {
    refused(b, EimFault::WrongEid, "invalidEid")
}

pub(super) fn unknown_eim(b: &mut Bench) -> Result<(), Failure> {
    refused(b, EimFault::UnknownEimId, "without a signature")
}

/// The eIM answers wrongly for a while; afterwards the operation is executed, once.
fn survives(b: &mut Bench, fault: EimFault, times: u32) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.step(format!("the eIM, {times} times: {fault:?}"));
    if fault == EimFault::Silent {
        b.expect_silence();
    }
    b.eim.inject(FaultPlan {
        times: Some(times),
        ..FaultPlan::once(fault)
    });
    let package = b.operate(&["listProfileInfo"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn eim_silent(b: &mut Bench) -> Result<(), Failure> {
    survives(b, EimFault::Silent, 2)
}

pub(super) fn eim_cut(b: &mut Bench) -> Result<(), Failure> {
    survives(b, EimFault::CutMidAnswer { bytes: 100 }, 2)
}

pub(super) fn eim_garbage(b: &mut Bench) -> Result<(), Failure> {
    survives(b, EimFault::Garbage, 3)
}

pub(super) fn eim_http_500(b: &mut Bench) -> Result<(), Failure> {
    survives(b, EimFault::HttpStatus { status: 500 }, 3)
}

pub(super) fn eim_large_answer(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.eim
        .inject(FaultPlan::once(EimFault::LargeAnswer { bytes: 10_000 }));
    let package = b.operate(&["getRAT"])?;
    // The package streams through the card; what the eUICC says of it reaches the eIM.
    b.expect(package.state != PackageState::Done, || {
        "an operation that no eUICC knows can't succeed".into()
    })?;
    let package = b.operate(&["getRAT"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn eim_unreachable(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts; nobody listens at the eIM's address");
    b.eim_reachable(false);
    b.boot()?;
    b.run_for(3600)?;
    let polled = b.eim.devices()?.iter().any(|d| d.polls > 0);
    b.expect(!polled, || {
        "the eIM was polled although it can't be reached".into()
    })?;
    b.step("the eIM is back");
    b.eim_reachable(true);
    let package = b.operate(&["listProfileInfo"])?;
    b.expect_end(&package, PackageState::Done, "")
}

/// The device does something wrong for a while; afterwards the operation is executed.
fn device_recovers(b: &mut Bench, fault: Fault) -> Result<(), Failure> {
    b.step(format!("the device starts with {fault:?}"));
    b.inject(fault);
    b.boot()?;
    let package = b.operate(&["listProfileInfo"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn no_channel_free(b: &mut Bench) -> Result<(), Failure> {
    device_recovers(b, Fault::NoChannelFree { times: Some(2) })
}

fn answers(command: CommandType, result: &[u8], times: Option<u32>) -> Fault {
    Fault::Answer {
        command,
        result: result.to_vec(),
        times,
    }
}

pub(super) fn open_refused(b: &mut Bench) -> Result<(), Failure> {
    device_recovers(b, answers(CommandType::OPEN_CHANNEL, &[0x22], Some(2)))
}

pub(super) fn beyond_capabilities(b: &mut Bench) -> Result<(), Failure> {
    device_recovers(b, answers(CommandType::OPEN_CHANNEL, &[0x30], Some(2)))
}

pub(super) fn timers_beyond(b: &mut Bench) -> Result<(), Failure> {
    device_recovers(b, Fault::beyond_capabilities(CommandType::TIMER_MANAGEMENT))
}

/// A change that the device doesn't follow is undone, and the eIM is told.
fn not_followed(b: &mut Bench, fault: Fault) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.step(format!("the device: {fault:?}"));
    b.inject(fault);
    let package = b.operate(&[&format!("enable {} rollback", iccids[1])])?;
    b.expect_end(&package, PackageState::RolledBack, "")?;
    b.expect_enabled(&iccids[0])
}

pub(super) fn refresh_refused(b: &mut Bench) -> Result<(), Failure> {
    not_followed(b, answers(CommandType::REFRESH, &[0x22], None))
}

pub(super) fn refresh_never(b: &mut Bench) -> Result<(), Failure> {
    not_followed(b, Fault::RefreshNeverHappens { times: None })
}

pub(super) fn refresh_late(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.inject(answers(CommandType::REFRESH, &[0x20, 0x02], Some(1)));
    let package = b.operate(&[&format!("enable {} rollback", iccids[1])])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.expect_enabled(&iccids[1])
}

fn busy(b: &mut Bench, times: u8) -> Result<(Vec<String>, i64), Failure> {
    b.step("the device starts");
    b.boot()?;
    let iccids = b.iccids()?;
    b.step(format!("the eUICC is busy {times} times"));
    b.card()?.euicc_mut().faults.cat_busy = times;
    let id = b.enqueue(&[&format!("enable {} rollback", iccids[1])])?;
    let eid = b.eid;
    b.until(DAY, "no package is open any more", |eim, _| {
        Ok(eim.packages(&eid)?.iter().all(|p| p.state.is_final()))
    })?;
    Ok((iccids, id))
}

pub(super) fn cat_busy_once(b: &mut Bench) -> Result<(), Failure> {
    let (iccids, id) = busy(b, 1)?;
    let package = b.package(id)?;
    b.expect_end(&package, PackageState::Retried, "catBusy")?;
    b.expect_enabled(&iccids[1])
}

pub(super) fn cat_busy_for_ever(b: &mut Bench) -> Result<(), Failure> {
    let (iccids, _) = busy(b, u8::MAX)?;
    let packages = b.eim.packages(&b.eid)?;
    let last = packages
        .last()
        .ok_or_else(|| Failure::Expectation("no package".into()))?;
    b.expect_end(last, PackageState::Failed, "catBusy")?;
    b.expect(last.attempt > 1, || "catBusy must be tried again".into())?;
    b.expect_enabled(&iccids[0])
}
