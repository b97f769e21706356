//! Scenarios of profile download by way of the eIM: order, trigger, the applet's relay, what the eUICC makes of it.

use super::bench::{Bench, DAY, Failure};
use crate::eim::{EimFault, FaultPlan, Operation, PackageState};
use crate::smdp::{NewOrder, OrderState, metadata_of};
use applet_model::sgp::Encode;
use applet_model::sgp::euicc_package::{ConfigureImmediateEnable, Psmo};
use cards::saip::description::{Description, LAB_TOML};
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Instant;

/// ICCID and IMSI of the lab's own profile.
const ICCID: &str = "8901000100000000009";
const IMSI: &str = "001010000000001";
/// Bytes of the two files that make the lab's profile a large one.
const FILLER: usize = 29_300;
/// The functions of a download, each of which can break.
const FUNCTIONS: [&str; 4] = [
    "InitiateAuthentication",
    "AuthenticateClient",
    "GetBoundProfilePackage",
    "HandleNotification",
];
/// APDUs between two places at which the power goes: a prime, so that the places wander through the blocks.
const STRIDE: u64 = 13;
/// A bound for the number of places; a defect would otherwise go on for ever.
const PLACES: u64 = 400;

fn message(e: impl std::fmt::Display) -> Failure {
    Failure::Message(e.to_string())
}

/// The lab's own profile, made of its description; with so many bytes more in each of two files.
fn profile(filler: usize) -> Result<Vec<u8>, Failure> {
    let mut text = LAB_TOML.to_owned();
    if filler > 0 {
        text.push_str("\n[[element]]\ntype = \"genericFileManagement\"\ncommands = [\n");
        for file in ["2F70", "2F71"] {
            // Bytes that no compression would make small.
            let content = (0..filler).fold(String::new(), |mut all, i| {
                let _ = write!(all, "{:02X}", (i * 7 + i / 251) % 256);
                all
            });
            let _ = writeln!(
                text,
                "[{{ path = \"\" }}, {{ fcp = {{ type = \"transparent\", fid = \"{file}\", access = \"2F06/2\", size = {filler} }}, content = \"{content}\" }}],"
            );
        }
        text.push_str("]\n");
    }
    let description: Description = toml::from_str(&text).map_err(message)?;
    let package = description.package().map_err(message)?;
    package.encode().map_err(message)
}

/// Orders a profile at the SM-DP+; gives the download's operation.
fn order(b: &mut Bench, filler: usize, code: Option<&str>) -> Result<String, Failure> {
    let profile = profile(filler)?;
    let metadata = metadata_of(&profile, "IPAe Lab", "Lab profile").map_err(message)?;
    let smdp = b.smdp()?;
    let matching_id = smdp.new_matching_id();
    let bytes = profile.len();
    smdp.order(&NewOrder {
        matching_id: matching_id.clone(),
        eid: Some(b.eid.to_string()),
        confirmation_code: code.map(str::to_owned),
        metadata: metadata.to_der().map_err(message)?,
        profile,
    })
    .map_err(message)?;
    b.step(format!(
        "the SM-DP+ has an order {matching_id} for a profile of {bytes} bytes"
    ));
    Ok(format!("download 1${}${matching_id}", smdp.address()))
}

/// Expects that the SM-DP+'s last order ended so.
fn expect_order(b: &mut Bench, state: OrderState) -> Result<(), Failure> {
    let orders = b.smdp()?.orders().map_err(message)?;
    let last = orders.last().map(|o| (o.state, o.note.clone()));
    b.expect(last.as_ref().is_some_and(|(s, _)| *s == state), || {
        format!("the SM-DP+'s order must be {state:?}, it is {last:?}")
    })
}

/// Expects that the card has the downloaded profile, or not, and that the eIM knows.
fn expect_profile(b: &Bench, there: bool) -> Result<(), Failure> {
    let known = b.eim.inventory(&b.eid)?.profiles;
    let known = known.iter().any(|p| p.iccid == ICCID);
    let inside = b.virtual_card().map(|card| {
        let profiles = &card.euicc().state().profiles;
        profiles.iter().any(|p| p.iccid.to_string() == ICCID)
    });
    b.expect(known == there && inside.unwrap_or(there) == there, || {
        format!("profile {ICCID}: expected {there}, the eIM says {known}, the card {inside:?}")
    })
}

fn enabled_and_read_back(b: &mut Bench) -> Result<(), Failure> {
    b.expect_enabled(ICCID)?;
    let imsi = b.visible_imsi();
    b.expect(imsi.as_deref() == Some(IMSI), || {
        format!("the device must read IMSI {IMSI} from the new profile, it reads {imsi:?}")
    })
}

/// Download, enable, read back.
fn push(b: &mut Bench, filler: usize) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.iccids()?;
    let download = order(b, filler, None)?;
    let package = b.operate(&[&download])?;
    b.expect_end(&package, PackageState::Done, "")?;
    expect_profile(b, true)?;
    expect_order(b, OrderState::Installed)?;
    let package = b.operate(&[&format!("enable {ICCID} rollback")])?;
    b.expect_end(&package, PackageState::Done, "")?;
    enabled_and_read_back(b)
}

/// What a download costs, from the trigger to the notification's removal.
#[derive(Debug, Clone, Serialize)]
pub struct PushFigures {
    /// Bytes of the unprotected profile package.
    pub profile_bytes: usize,
    /// APDUs between device and card.
    pub apdus: u64,
    /// Bytes of HTTP that the card sent.
    pub sent: u64,
    /// Bytes of HTTP that the card received.
    pub received: u64,
    /// Persistent writes of the card: the applet's and the eUICC's.
    pub writes: u64,
    /// Real milliseconds.
    pub real_ms: u64,
}

/// Measures a download of the lab's own profile, or of one of about 60 KB.
///
/// # Errors
/// [`Failure`].
pub fn measure(mut b: Bench, large: bool) -> Result<PushFigures, Failure> {
    b.step("the device starts");
    b.boot()?;
    let filler = if large { FILLER } else { 0 };
    let profile_bytes = profile(filler)?.len();
    let download = order(&mut b, filler, None)?;
    b.run_for(1)?;
    let (before, writes) = (b.traffic(), b.writes());
    let started = Instant::now();
    let package = b.operate(&[&download])?;
    b.expect_end(&package, PackageState::Done, "")?;
    // The result is with the eIM; the card still removes its notification.
    b.run_for(5)?;
    let real_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let after = b.traffic();
    Ok(PushFigures {
        profile_bytes,
        apdus: after[0] - before[0],
        sent: after[1] - before[1],
        received: after[2] - before[2],
        writes: b.writes() - writes,
        real_ms,
    })
}

pub(super) fn indirect(b: &mut Bench) -> Result<(), Failure> {
    push(b, 0)
}

pub(super) fn large(b: &mut Bench) -> Result<(), Failure> {
    push(b, FILLER)
}

pub(super) fn by_eim(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let download = order(b, 0, Some("1234"))?;
    let download = download.replacen("download", "downloadByEim", 1);
    let package = b.operate(&[&format!("{download} confirmationCode 1234")])?;
    b.expect_end(&package, PackageState::Done, "")?;
    expect_profile(b, true)
}

pub(super) fn immediate(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let configure = Operation::Psmo(Psmo::ConfigureImmediateEnable(ConfigureImmediateEnable {
        immediate_enable_flag: true,
        ..ConfigureImmediateEnable::default()
    }));
    let id = b.eim.enqueue(&b.eid, &[configure])?;
    let package = b.until_final(id)?;
    b.expect_end(&package, PackageState::Done, "")?;
    let download = order(b, 0, None)?;
    let package = b.operate(&[&download])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.operate(&["listProfileInfo"])?;
    enabled_and_read_back(b)
}

pub(super) fn wrong_code(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let download = order(b, 0, Some("1234"))?;
    let package = b.operate(&[&format!("{download} confirmationCode 4321")])?;
    b.expect_end(&package, PackageState::Failed, "confirmationCodeRefused")?;
    expect_profile(b, false)?;
    let package = b.operate(&[&format!("{download} confirmationCode 1234")])?;
    b.expect_end(&package, PackageState::Done, "")?;
    expect_profile(b, true)
}

pub(super) fn refused(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let address = b.smdp()?.address().to_owned();
    let package = b.operate(&[&format!("download 1${address}$NO-SUCH-ORDER")])?;
    b.expect_end(&package, PackageState::Failed, "matchingIdRefused")?;
    // The applet asks no default SM-DP+.
    let package = b.operate(&["downloadFromDefaultSmdp"])?;
    b.expect_end(&package, PackageState::Failed, "downloaded nothing")?;
    let package = b.operate(&["listProfileInfo"])?;
    b.expect_end(&package, PackageState::Done, "")
}

pub(super) fn altered(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.iccids()?;
    let saved = b.save()?;
    // In the secure channel's signature, the metadata, the first and the last segment.
    for (place, reason) in [
        (190, "invalidSignature"),
        (330, "scp03tSecurityError"),
        (900, "scp03tSecurityError"),
        (usize::MAX, "scp03tSecurityError"),
    ] {
        b.restore(&saved)?;
        b.boot()?;
        let download = order(b, 0, None)?;
        b.eim.inject(FaultPlan {
            function: Some("GetBoundProfilePackage".into()),
            ..FaultPlan::once(EimFault::AlteredAnswer { at: place })
        });
        let package = b.operate(&[&download])?;
        b.expect_end(&package, PackageState::Failed, reason)?;
        expect_profile(b, false)?;
    }
    Ok(())
}

pub(super) fn memory_full(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.card()?.euicc_mut().faults.profile_memory = Some(1000);
    let download = order(b, 0, None)?;
    let package = b.operate(&[&download])?;
    b.expect_end(&package, PackageState::Failed, "insufficientMemory")?;
    expect_profile(b, false)?;
    b.step("there is room again");
    b.card()?.euicc_mut().faults.profile_memory = None;
    let download = order(b, 0, None)?;
    let package = b.operate(&[&download])?;
    b.expect_end(&package, PackageState::Done, "")?;
    expect_profile(b, true)
}

/// Each function breaks once, in several ways; in the end the profile is there.
pub(super) fn broken(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.iccids()?;
    let saved = b.save()?;
    for function in FUNCTIONS {
        for fault in [
            EimFault::CutMidAnswer { bytes: 90 },
            EimFault::CutMidAnswer { bytes: 700 },
            EimFault::CutMidAnswer { bytes: 3000 },
            EimFault::Garbage,
            EimFault::HttpStatus { status: 503 },
        ] {
            let takes_no_body = function == "HandleNotification";
            if takes_no_body && !matches!(fault, EimFault::HttpStatus { .. }) {
                continue;
            }
            b.restore(&saved)?;
            let download = order(b, 0, None)?;
            b.step(format!("{function} once: {fault:?}"));
            b.eim.inject(FaultPlan {
                function: Some(function.into()),
                ..FaultPlan::once(fault)
            });
            b.boot()?;
            let package = b.operate(&[&download])?;
            b.expect_end(&package, PackageState::Done, "")?;
            expect_profile(b, true)?;
            expect_order(b, OrderState::Installed)?;
        }
    }
    Ok(())
}

/// The power goes before a write, or after an APDU; in the end the profile is there, once.
fn power_cut(b: &mut Bench, places: impl Iterator<Item = (bool, u64)>) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    b.iccids()?;
    b.run_for(120)?;
    let saved = b.save()?;
    for (done, (before_write, n)) in places.enumerate() {
        b.restore(&saved)?;
        let download = order(b, 0, None)?;
        let id = b.enqueue(&[&download])?;
        b.boot()?;
        let lost = if before_write {
            b.card()?.nvm_mut().cut_after(n - 1);
            b.until_power_lost(DAY, None)?
        } else {
            b.until_power_lost(DAY, Some(n))?;
            !b.package(id)?.state.is_final()
        };
        if !lost {
            b.step(format!("done: the power was cut at {done} places"));
            return Ok(());
        }
        b.power_off()?;
        b.boot()?;
        let package = b.until_final(id)?;
        b.expect_end(&package, PackageState::Done, "")?;
        expect_profile(b, true)?;
    }
    Err(Failure::Expectation(
        "the download has more places than that".into(),
    ))
}

pub(super) fn power_cut_writes(b: &mut Bench) -> Result<(), Failure> {
    power_cut(b, (1..PLACES).map(|n| (true, n)))
}

pub(super) fn power_cut_apdus(b: &mut Bench) -> Result<(), Failure> {
    power_cut(b, (1..PLACES).map(|n| (false, n * STRIDE)))
}
