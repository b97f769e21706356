//! ES10c: what a local assistant may do, and who is none.

use super::*;
use applet_model::sgp::es10c::*;
use applet_model::sgp::notification::{ListNotificationRequest, ListNotificationResponse};
use applet_model::tlv;

fn by_iccid(text: &str) -> ProfileIdentifier {
    ProfileIdentifier::Iccid(iccid(text))
}

fn by_aid(number: u16) -> ProfileIdentifier {
    ProfileIdentifier::IsdpAid(sgp::Aid::new(isdp_aid(number)).unwrap())
}

fn ask(lab: &mut Lab, command: &[u8]) -> (Es10Answer, Option<Switch>) {
    let done = lab.euicc.es10_of_device(&mut lab.nvm, command).unwrap();
    lab.euicc.check_invariants().unwrap();
    done
}

fn enable(lab: &mut Lab, profile: ProfileIdentifier, refresh_flag: bool) -> (i64, Option<Switch>) {
    let request = EnableProfileRequest {
        profile_identifier: profile,
        refresh_flag,
    };
    let (answer, switch) = ask(lab, &request.to_der().unwrap());
    let answer = EnableProfileResponse::from_der(&answer.data).unwrap();
    (answer.enable_result.code(), switch)
}

fn disable(lab: &mut Lab, profile: ProfileIdentifier, refresh_flag: bool) -> (i64, Option<Switch>) {
    let request = DisableProfileRequest {
        profile_identifier: profile,
        refresh_flag,
    };
    let (answer, switch) = ask(lab, &request.to_der().unwrap());
    let answer = DisableProfileResponse::from_der(&answer.data).unwrap();
    (answer.disable_result.code(), switch)
}

fn delete(lab: &mut Lab, profile: DeleteProfileRequest) -> i64 {
    let (answer, switch) = ask(lab, &profile.to_der().unwrap());
    assert_eq!(switch, None);
    let answer = DeleteProfileResponse::from_der(&answer.data).unwrap();
    answer.delete_result.code()
}

fn delete_iccid(lab: &mut Lab, text: &str) -> i64 {
    delete(lab, DeleteProfileRequest::Iccid(iccid(text)))
}

/// Events of the pending notifications, with the last digit of the ICCID.
fn told(lab: &mut Lab) -> Vec<String> {
    let ListNotificationResponse::NotificationMetadataList(list) =
        lab.call(&ListNotificationRequest::default())
    else {
        panic!()
    };
    list.iter()
        .map(|n| {
            format!(
                "{} {}",
                n.profile_management_operation,
                n.iccid.unwrap().to_string().chars().last().unwrap()
            )
        })
        .collect()
}

#[test]
fn an_lpa_switches_by_iccid_and_by_aid() {
    let mut lab = Lab::bare();
    let writes = lab.nvm.writes;
    let (code, switch) = enable(&mut lab, by_iccid(BETA), true);
    assert_eq!((code, switch), (0, Some(Switch::Refresh)));
    assert_eq!(lab.nvm.writes, writes + 1);
    assert_eq!(lab.enabled().as_deref(), Some(BETA));
    assert!(lab.euicc.refresh_due());
    assert_eq!(
        told(&mut lab),
        ["notificationDisable 3", "notificationEnable 9"]
    );
    let (code, switch) = enable(&mut lab, by_aid(0x12), false);
    assert_eq!((code, switch), (0, Some(Switch::AtOnce)));
    assert_eq!(lab.enabled().as_deref(), Some(GAMMA));
    assert_eq!(
        disable(&mut lab, by_aid(0x12), true),
        (0, Some(Switch::Refresh))
    );
    assert_eq!(lab.enabled(), None);
    let aid = sgp::Aid::new(isdp_aid(0x12)).unwrap();
    assert_eq!(delete(&mut lab, DeleteProfileRequest::IsdpAid(aid)), 0);
    assert_eq!(lab.euicc.state().profiles.len(), 2);
}

#[test]
fn enable_codes() {
    let mut lab = Lab::bare();
    assert_eq!(enable(&mut lab, by_iccid(UNKNOWN), true), (1, None));
    assert_eq!(enable(&mut lab, by_aid(0x55), true), (1, None));
    assert_eq!(enable(&mut lab, by_iccid(ALPHA), true), (2, None));
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    assert_eq!(enable(&mut lab, by_iccid(BETA), true), (3, None));
    // A test profile stands in for it all the same, and only it may come back.
    lab.profile(GAMMA).class = ProfileClass::Test;
    assert_eq!(enable(&mut lab, by_iccid(GAMMA), true).0, 0);
    assert_eq!(enable(&mut lab, by_iccid(BETA), true), (4, None));
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(enable(&mut lab, by_iccid(ALPHA), true), (5, None));
    assert_eq!(enable(&mut lab, by_iccid(ALPHA), true).0, 0);
    assert_eq!(lab.euicc.state().test_return, None);
    // While the Emergency Profile is enabled.
    lab.profile(ALPHA).ecall = true;
    assert_eq!(enable(&mut lab, by_iccid(GAMMA), true), (127, None));
}

#[test]
fn disable_codes() {
    let mut lab = Lab::bare();
    assert_eq!(disable(&mut lab, by_iccid(UNKNOWN), true), (1, None));
    assert_eq!(disable(&mut lab, by_iccid(BETA), true), (2, None));
    lab.profile(ALPHA).policy.ppr1_no_disable = true;
    assert_eq!(disable(&mut lab, by_iccid(ALPHA), true), (3, None));
    lab.profile(ALPHA).policy.ppr1_no_disable = false;
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(disable(&mut lab, by_iccid(ALPHA), true), (5, None));
    lab.profile(ALPHA).ecall = true;
    assert_eq!(disable(&mut lab, by_iccid(ALPHA), true), (127, None));
    lab.profile(ALPHA).ecall = false;
    // The test profile gives back what it stood in for.
    lab.profile(GAMMA).class = ProfileClass::Test;
    lab.profile(BETA).class = ProfileClass::Test;
    assert_eq!(enable(&mut lab, by_iccid(GAMMA), true).0, 0);
    assert_eq!(enable(&mut lab, by_iccid(BETA), true).0, 0);
    assert_eq!(disable(&mut lab, by_iccid(BETA), true).0, 0);
    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
}

#[test]
fn delete_codes() {
    let mut lab = Lab::bare();
    assert_eq!(delete_iccid(&mut lab, UNKNOWN), 1);
    assert_eq!(delete_iccid(&mut lab, ALPHA), 2);
    lab.profile(BETA).policy.ppr2_no_delete = true;
    assert_eq!(delete_iccid(&mut lab, BETA), 3);
    lab.profile(BETA).policy.ppr2_no_delete = false;
    lab.profile(ALPHA).fallback = true;
    lab.euicc.state.fallback_return = Some(BETA.parse().unwrap());
    assert_eq!(delete_iccid(&mut lab, BETA), 127);
    lab.euicc.state.fallback_return = None;
    assert_eq!(delete_iccid(&mut lab, BETA), 0);
    assert_eq!(told(&mut lab), ["notificationDelete 9"]);
}

#[test]
fn requests_that_are_none_and_a_busy_device() {
    let mut lab = Lab::bare();
    for damaged in [
        "BF3100",
        "BF310FA00C5A0A98990902000000000092",
        "BF310FA0095A0798990902000000810100",
        "BF31118101FFA00C5C0A98990902000000000092",
        "BF3208A0034F0101810100",
        "BF3300",
        "BF33035A0198",
        "BF3400",
        "BF3F00",
    ] {
        let (answer, _) = ask(&mut lab, &hex::decode(damaged).unwrap());
        assert_eq!(answer.sw, Sw::WRONG_DATA, "{damaged}");
    }
    let device = Device {
        proactive: true,
        ..Device::default()
    };
    lab.euicc.set_device(device);
    assert_eq!(enable(&mut lab, by_iccid(BETA), true), (5, None));
    assert_eq!(disable(&mut lab, by_iccid(ALPHA), false), (5, None));
    assert_eq!(lab.nvm.writes, 0);
}

#[test]
fn a_switch_by_the_lpa_withdraws_the_grant_of_rollback() {
    let mut lab = Lab::new();
    lab.codes(vec![Psmo::enable(iccid(BETA), true)]);
    assert_eq!(enable(&mut lab, by_iccid(GAMMA), true).0, 0);
    assert!(lab.euicc.state().rollback.is_none());
    lab.codes(vec![Psmo::enable(iccid(BETA), true)]);
    assert_eq!(delete_iccid(&mut lab, GAMMA), 0);
    assert!(lab.euicc.state().rollback.is_none());
}

#[test]
fn the_consumer_memory_reset_and_default_address() {
    let mut lab = Lab::new();
    let address = |text: &str| tlv::write(0xBF3F, &tlv::write(0x80, text.as_bytes()));
    let (answer, _) = ask(&mut lab, &address("dp.example"));
    assert_eq!(answer.data, [0xBF, 0x3F, 3, 0x80, 1, 0]);
    assert_eq!(lab.euicc.state().default_smdp, "dp.example");
    let (answer, _) = ask(&mut lab, &address(&"x".repeat(256)));
    assert_eq!(answer.data, [0xBF, 0x3F, 3, 0x80, 1, 127]);
    let reset = |lab: &mut Lab, bits: u8| {
        let (answer, switch) = ask(lab, &[0xBF, 0x34, 4, 0x82, 2, 0, bits]);
        let result = tlv::expect(&answer.data, 0xBF34).unwrap().value.to_vec();
        (result, switch)
    };
    // Bits that only SGP.32 has are ignored here.
    assert_eq!(reset(&mut lab, 0x04), (vec![0x80, 1, 1], None));
    assert_eq!(lab.euicc.state().eims.len(), 1);
    assert_eq!(reset(&mut lab, 0x40), (vec![0x80, 1, 1], None));
    assert_eq!(reset(&mut lab, 0x20), (vec![0x80, 1, 0], None));
    lab.euicc.faults.cat_busy = 1;
    assert_eq!(reset(&mut lab, 0x80), (vec![0x80, 1, 5], None));
    lab.profile(ALPHA).ecall = true;
    assert_eq!(reset(&mut lab, 0x80), (vec![0x80, 1, 127], None));
    lab.profile(ALPHA).ecall = false;
    assert_eq!(
        reset(&mut lab, 0x80),
        (vec![0x80, 1, 0], Some(Switch::Refresh))
    );
    assert!(lab.euicc.state().profiles.is_empty());
}

#[test]
fn who_is_no_local_assistant_has_no_es10c() {
    let mut lab = Lab::bare();
    let commands = ["BF3100", "BF3200", "BF3300", "BF3400", "BF3F00"];
    let answers =
        |lab: &mut Lab| commands.map(|command| ask(lab, &hex::decode(command).unwrap()).0.sw);
    assert_eq!(answers(&mut lab), [Sw::WRONG_DATA; 5]);
    let ipad = Device {
        ipad: true,
        ..Device::default()
    };
    lab.euicc.set_device(ipad);
    assert_eq!(answers(&mut lab), [choices::NOT_SUPPORTED; 5]);
    lab.euicc.set_device(Device::default());
    for (local, without, with_eim) in [
        (LocalManagement::Always, Sw::WRONG_DATA, Sw::WRONG_DATA),
        (
            LocalManagement::UntilAssociated,
            Sw::WRONG_DATA,
            choices::NOT_SUPPORTED,
        ),
        (
            LocalManagement::Never,
            choices::NOT_SUPPORTED,
            choices::NOT_SUPPORTED,
        ),
    ] {
        let mut lab = Lab::bare();
        lab.euicc.constants.local = local;
        assert_eq!(answers(&mut lab), [without; 5]);
        let mut lab = Lab::new();
        lab.euicc.constants.local = local;
        assert_eq!(answers(&mut lab), [with_eim; 5]);
    }
    // The IPAe has no such functions either; v1.0's memory reset is SGP.22's.
    for command in commands {
        let answer = lab.send(&hex::decode(command).unwrap());
        assert_eq!(answer.sw, choices::NOT_SUPPORTED);
    }
    lab.euicc.constants.versions.iot = vec![[1, 0, 0]];
    let answer = lab.send(&[0xBF, 0x34, 4, 0x82, 2, 1, 0x06]);
    assert_eq!(hex::encode_upper(answer.data), "BF3409800101810101820100");
}
