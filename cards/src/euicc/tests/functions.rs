//! The functions by which the IPA asks and manages.

use super::*;
use applet_model::sgp::TagList;
use applet_model::sgp::es10::*;
use applet_model::sgp::euicc_info::{EuiccInfo1, EuiccInfo2, IpaMode};
use applet_model::sgp::profile::{
    GetRatRequest, GetRatResponse, ProfileInfoListRequest, ProfileInfoListResponse,
    ProfileSearchCriteria,
};
use applet_model::tlv;

#[test]
fn the_lab_euicc_has_three_profiles_and_the_first_enabled() {
    let mut lab = Lab::bare();
    let answer = lab.send(&[0xBF, 0x3E, 3, 0x5C, 1, 0x5A]);
    assert_eq!(answer.sw, Sw::OK);
    assert_eq!(answer.data[5..], eid().as_bytes()[..]);
    assert_eq!(lab.send(&[0xBF, 0x3E, 3, 0x5C, 1, 0x5B]).sw, Sw::WRONG_DATA);
    assert_eq!(lab.euicc.state().profiles.len(), 3);
    assert_eq!(lab.euicc.visible_profile().unwrap().imsi, "999010000000001");
    assert_eq!(lab.nvm.writes, 0);
    let aids: Vec<_> = lab
        .euicc
        .state()
        .profiles
        .iter()
        .map(|p| hex::encode_upper(&p.isdp_aid))
        .collect();
    assert_eq!(aids[0], "A0000005591010FFFFFFFF8900001000");
    assert_eq!(aids[2], "A0000005591010FFFFFFFF8900001200");
}

#[test]
fn what_it_says_of_itself() {
    let mut lab = Lab::bare();
    let info1 = EuiccInfo1::from_der(&lab.send(&[0xBF, 0x20, 0]).data).unwrap();
    let ci = Hierarchy::lab().unwrap().ci_key_id();
    assert_eq!(info1.euicc_ci_pk_id_list_for_signing[0].as_bytes(), ci);
    let info2 = EuiccInfo2::from_der(&lab.send(&[0xBF, 0x22, 0]).data).unwrap();
    assert_eq!(info2.ipa_mode, Some(IpaMode::Ipae));
    assert_eq!(
        info2.iot_specific_info.unwrap().iot_version[0].to_string(),
        "1.2.0"
    );
    assert_eq!(
        info2.uicc_capability.to_string(),
        "usimSupport isimSupport akaMilenage javacard"
    );
    let addresses: EuiccConfiguredAddressesResponse =
        lab.call(&EuiccConfiguredAddressesRequest::default());
    assert_eq!(
        addresses.default_dp_address.as_deref(),
        Some("smdp.lab.example")
    );
    assert_eq!(addresses.root_ds_address, "smds.lab.example");
    let rat: GetRatResponse = lab.call(&GetRatRequest::default());
    assert_eq!(rat.rat[0].ppr_ids.to_string(), "ppr1 ppr2");
    assert_eq!(
        hex::encode_upper(lab.euicc.isdr_fci()),
        "6F25\
         8410A0000005591010FFFFFFFF8900000100\
         A5049F6501FF\
         E0058203020500\
         E104800206C0"
    );
    assert_eq!(lab.nvm.writes, 0);
}

#[test]
fn challenges_come_from_the_seed() {
    let mut lab = Lab::bare();
    let challenge = |lab: &mut Lab| -> GetEuiccChallengeResponse {
        lab.call(&GetEuiccChallengeRequest::default())
    };
    let mut twin = lab.clone();
    let first = challenge(&mut lab);
    assert_eq!(first, challenge(&mut twin));
    assert_ne!(first, challenge(&mut lab));
}

#[test]
fn profile_lists_by_criteria_and_tags() {
    let mut lab = Lab::bare();
    let mut list = |criteria, tags: Option<&[u8]>| -> ProfileInfoListResponse {
        lab.call(&ProfileInfoListRequest {
            search_criteria: criteria,
            tag_list: tags.map(|t| TagList::new(t).unwrap()),
        })
    };
    let count = |answer: ProfileInfoListResponse| match answer {
        ProfileInfoListResponse::ProfileInfoListOk(list) => list.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(count(list(None, None)), 3);
    let by = |text| Some(ProfileSearchCriteria::Iccid(iccid(text)));
    assert_eq!(count(list(by(BETA), None)), 1);
    assert_eq!(count(list(by(UNKNOWN), None)), 0);
    let aid = sgp::Aid::new(isdp_aid(0x11)).unwrap();
    assert_eq!(
        count(list(Some(ProfileSearchCriteria::IsdpAid(aid)), None)),
        1
    );
    let ProfileInfoListResponse::ProfileInfoListOk(found) =
        list(by(ALPHA), Some(&[0x5A, 0x9F, 0x70, 0xB6, 0xB7]))
    else {
        panic!()
    };
    assert!(found[0].profile_state.is_some() && found[0].profile_name.is_none());
    assert!(found[0].profile_owner.is_some());
    assert_eq!(
        found[0]
            .notification_configuration_info
            .as_ref()
            .unwrap()
            .len(),
        1
    );
    // A tag list that ends inside a tag.
    let answer = list(None, Some(&[0x9F]));
    assert!(matches!(answer, ProfileInfoListResponse::ProfileInfoListError(e) if e.code() == 1));
}

#[test]
fn nicknames() {
    let mut lab = Lab::bare();
    let mut set = |text: &str, nickname: &str| {
        let value = [
            tlv::write(0x5A, &iccid(text).0),
            tlv::write(0x90, nickname.as_bytes()),
        ]
        .concat();
        lab.send(&tlv::write(0xBF29, &value)).data[5]
    };
    assert_eq!(set(BETA, "spare"), 0);
    assert_eq!(set(UNKNOWN, "spare"), 1);
    assert_eq!(set(BETA, &"x".repeat(65)), 127);
    assert_eq!(lab.profile(BETA).nickname, "spare");
    assert_eq!(lab.nvm.writes, 1);
    assert_eq!(lab.send(&[0xBF, 0x29, 0]).sw, Sw::WRONG_DATA);
}

#[test]
fn default_address_and_immediate_enabling() {
    let mut lab = Lab::bare();
    let address = |text: &str| SetDefaultDpAddressRequest {
        default_dp_address: text.into(),
    };
    let set: SetDefaultDpAddressResponse = lab.call(&address("dp.example"));
    assert!(set.is_ok());
    assert_eq!(lab.euicc.state().default_smdp, "dp.example");
    let set: SetDefaultDpAddressResponse = lab.call(&address(&"x".repeat(256)));
    assert!(!set.is_ok());
    let set: SetDefaultDpAddressResponse = lab.call(&address(""));
    assert!(set.is_ok() && lab.euicc.state().default_smdp.is_empty());

    let configure = ConfigureImmediateProfileEnablingRequest {
        immediate_enable_flag: true,
        default_smdp_oid: None,
        default_smdp_address: Some("dp.example".into()),
    };
    let code = |lab: &mut Lab| {
        let answer: ConfigureImmediateProfileEnablingResponse = lab.call(&configure);
        answer.config_immediate_enable_result.code()
    };
    let immediate = |lab: &mut Lab| {
        let answer: ImmediateEnableResponse =
            lab.call(&ImmediateEnableRequest { refresh_flag: true });
        answer.immediate_enable_result.code()
    };
    assert_eq!(immediate(&mut lab), 1);
    lab.euicc.faults.memory_full = true;
    assert_eq!(code(&mut lab), 1);
    lab.euicc.faults.memory_full = false;
    assert_eq!(code(&mut lab), 0);
    assert_eq!(immediate(&mut lab), 4);
    let mut lab = Lab::new();
    assert_eq!(code(&mut lab), 2);
}

#[test]
fn connectivity_parameters() {
    let mut lab = Lab::bare();
    let ask = |lab: &mut Lab| -> GetConnectivityParametersResponse {
        lab.call(&GetConnectivityParametersRequest::default())
    };
    assert!(matches!(
        ask(&mut lab),
        GetConnectivityParametersResponse::ConnectivityParametersError(e) if e.code() == 1
    ));
    lab.profile(ALPHA).http_params = vec![0x35, 1, 3];
    assert!(matches!(
        ask(&mut lab),
        GetConnectivityParametersResponse::ConnectivityParameters(p)
            if p.http_params.as_ref().unwrap().as_bytes() == [0x35, 1, 3]
    ));
}

#[test]
fn ipae_activation_and_who_is_in_charge() {
    let mut lab = Lab::bare();
    let activate = IpaeActivationRequest {
        ipae_option: IpaeOption::of(&[IpaeOption::ACTIVATE_IPAE]),
    };
    let answer: IpaeActivationResponse = lab.call(&activate);
    assert_eq!(answer.ipae_activation_result.code(), 0);
    assert!(lab.euicc.ipae_activated());
    lab.euicc.refresh();
    assert!(!lab.euicc.ipae_activated());
    let nothing = IpaeActivationRequest {
        ipae_option: IpaeOption::NONE,
    };
    let answer: IpaeActivationResponse = lab.call(&nothing);
    assert_eq!(answer.ipae_activation_result.code(), 1);

    let in_charge = Device {
        ipae_in_charge: true,
        ..Device::default()
    };
    lab.euicc.set_device(in_charge);
    let eid = [0xBF, 0x3E, 3, 0x5C, 1, 0x5A];
    let mut device = Es10Session::for_device();
    let mut ipae = Es10Session::for_ipae();
    let sw = device.store_data(&mut lab.euicc, &mut lab.nvm, 0x91, 0, &eid);
    assert_eq!(sw, Ok(Sw::CONDITIONS_NOT_SATISFIED));
    let sw = ipae.store_data(&mut lab.euicc, &mut lab.nvm, 0x91, 0, &eid);
    assert_eq!(sw, Ok(Sw::bytes_remaining(21)));
}

#[test]
fn memory_reset_codes() {
    use ResetOptions as R;
    let mut lab = Lab::new();
    lab.profile(GAMMA).class = ProfileClass::Test;
    let reset = |lab: &mut Lab, bits: &[u8]| -> EuiccMemoryResetResponse {
        lab.call(&EuiccMemoryResetRequest {
            reset_options: R::of(bits),
        })
    };
    let answer = reset(&mut lab, &[R::DELETE_PROVISIONING_PROFILES]);
    assert_eq!(answer.reset_result, ResetResult::NothingToDelete);
    assert!(answer.reset_eim_result.is_none());
    assert!(answer.reset_immediate_enable_config_result.is_none());
    let answer = reset(&mut lab, &[R::DELETE_FIELD_LOADED_TEST_PROFILES]);
    assert_eq!(answer.reset_result, ResetResult::NothingToDelete);
    let answer = reset(&mut lab, &[R::DELETE_PRE_LOADED_TEST_PROFILES]);
    assert_eq!(answer.reset_result, ResetResult::Ok);
    assert_eq!(lab.euicc.state().profiles.len(), 2);
    let answer = reset(&mut lab, &[R::RESET_DEFAULT_SMDP_ADDRESS]);
    assert_eq!(answer.reset_result, ResetResult::Ok);
    lab.euicc.faults.cat_busy = 1;
    let answer = reset(&mut lab, &[R::DELETE_OPERATIONAL_PROFILES]);
    assert_eq!(answer.reset_result, ResetResult::CatBusy);
    let everything = [
        R::DELETE_OPERATIONAL_PROFILES,
        R::RESET_EIM_CONFIG_DATA,
        R::RESET_IMMEDIATE_ENABLE_CONFIG,
    ];
    let answer = reset(&mut lab, &everything);
    assert_eq!(answer.reset_result, ResetResult::Ok);
    assert_eq!(answer.reset_eim_result, Some(ResetEimResult::Ok));
    assert_eq!(
        answer.reset_immediate_enable_config_result,
        Some(ResetImmediateEnableConfigResult::Ok)
    );
    assert!(lab.euicc.state().profiles.is_empty() && lab.euicc.visible_profile().is_none());
    let answer = reset(&mut lab, &everything);
    assert_eq!(answer.reset_result, ResetResult::NothingToDelete);
    assert_eq!(
        answer.reset_eim_result,
        Some(ResetEimResult::NothingToDelete)
    );
    // Association works again.
    let data = lab.eim.configuration_data(0, false).unwrap();
    assert!(matches!(
        lab.add_initial(vec![data]),
        AddInitialEimResponse::AddInitialEimOk(_)
    ));
}

#[test]
fn functions_that_are_not_there_say_so() {
    let mut lab = Lab::bare();
    for tag in [0xBF2A, 0xBF66, 0xBF31, 0x80] {
        let answer = lab.send(&tlv::write(tag, &[]));
        assert_eq!(answer.sw, choices::NOT_SUPPORTED);
        assert!(answer.data.is_empty());
    }
    assert_eq!(lab.send(&[]).sw, Sw::WRONG_DATA);
    assert_eq!(lab.send(&[0xBF, 0x2B, 5]).sw, Sw::WRONG_DATA);
}

#[test]
fn configurations_are_checked() {
    let lab = LAB_TOML;
    assert!(EuiccSetup::from_toml(lab).is_ok());
    let cases = [
        (
            lab.replace("89999020000000000029", "89999010000000000013"),
            "two profiles",
        ),
        (
            lab.replace("Beta IoT\"", "Beta IoT\"\nenabled = true"),
            "2 profiles are enabled",
        ),
        (
            lab.replace("89999020000000000029", "89999020000000000028"),
            "check digit",
        ),
        (lab.replace("999020000000002", "99902x"), "IMSI"),
        (lab.replace("root_smds", "root_smdz"), "root_smdz"),
        (lab.replace("99F920", "99F9"), "mcc_mnc"),
    ];
    for (text, expected) in cases {
        let error = EuiccSetup::from_toml(&text).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
    let mut config = EuiccConfig::lab(eid()).unwrap();
    config.credentials.clear();
    assert!(matches!(Euicc::new(config), Err(ConfigError::NoCredential)));
}
