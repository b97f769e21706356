//! eIM entries: AddInitialEim, GetEimConfigurationData and the eCOs.

use super::*;
use applet_model::sgp::KeyId;
use applet_model::sgp::certs::{GetCertsRequest, GetCertsResponse};
use applet_model::sgp::eim_config::{
    AddInitialEimOk, EimSearchCriteria, GetEimConfigurationDataRequest,
    GetEimConfigurationDataResponse, PublicKeyData,
};
use applet_model::sgp::euicc_result::ListEimResult;
use applet_model::tlv;

fn other_eim() -> EimCredential {
    Hierarchy::lab()
        .unwrap()
        .issue_eim("eim2.lab.example")
        .unwrap()
}

fn shown(lab: &mut Lab, id: Option<&str>) -> Vec<EimConfigurationData> {
    let request = GetEimConfigurationDataRequest {
        search_criteria: id.map(|id| EimSearchCriteria::EimId(id.into())),
    };
    let answer: GetEimConfigurationDataResponse = lab.call(&request);
    answer.eim_configuration_data_list
}

fn eco_codes(lab: &mut Lab, list: Vec<Eco>) -> Vec<String> {
    lab.ecos(list)
        .iter()
        .map(EuiccResultData::summary)
        .collect()
}

#[test]
fn initial_eim_codes() {
    let mut lab = Lab::bare();
    let good = lab.eim.configuration_data(5, true).unwrap();
    let with = |change: &dyn Fn(&mut EimConfigurationData)| {
        let mut data = good.clone();
        change(&mut data);
        data
    };
    let refused = |lab: &mut Lab, data: EimConfigurationData| {
        let second = other_eim().configuration_data(0, false).unwrap();
        let writes = lab.nvm.writes;
        // All or nothing: the entry before it isn't kept either.
        let answer = lab.add_initial(vec![second, data]);
        assert!(lab.euicc.state().eims.is_empty() && lab.nvm.writes == writes);
        match answer {
            AddInitialEimResponse::AddInitialEimError(e) => e.code(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(refused(&mut lab, with(&|d| d.counter_value = None)), 7);
    assert_eq!(
        refused(&mut lab, with(&|d| d.eim_public_key_data = None)),
        7
    );
    assert_eq!(refused(&mut lab, with(&|d| d.eim_id = String::new())), 7);
    assert_eq!(refused(&mut lab, with(&|d| d.eim_id = "x".repeat(129))), 7);
    assert_eq!(
        refused(&mut lab, with(&|d| d.association_token = Some(7))),
        5
    );
    assert_eq!(
        refused(&mut lab, with(&|d| d.counter_value = Some(0x80_0000))),
        6
    );
    assert_eq!(
        refused(&mut lab, with(&|d| d.euicc_ci_pk_id = KeyId::new([1; 20]))),
        3
    );
    assert_eq!(
        refused(&mut lab, with(&|d| d.eim_id = "eim2.lab.example".into())),
        2
    );
    lab.euicc.faults.memory_full = true;
    assert_eq!(refused(&mut lab, good.clone()), 1);
    lab.euicc.faults.memory_full = false;
    let answer = lab.send(&[0xBF, 0x57, 2, 0xA0, 0]);
    assert_eq!(answer.data, [0xBF, 0x57, 3, 0x81, 1, 7]);
    let answer = lab.send(&[0xBF, 0x57, 0]);
    assert_eq!(answer.data, [0xBF, 0x57, 3, 0x81, 1, 7]);

    let second = other_eim().configuration_data(0, false).unwrap();
    let AddInitialEimResponse::AddInitialEimOk(done) = lab.add_initial(vec![good.clone(), second])
    else {
        panic!()
    };
    assert!(matches!(
        &done[..],
        [AddInitialEimOk::AssociationToken(t), AddInitialEimOk::AddOk(_)] if *t > 0
    ));
    // Associated already.
    let answer = lab.add_initial(vec![good]);
    assert!(matches!(answer, AddInitialEimResponse::AddInitialEimError(e) if e.code() == 2));
}

#[test]
fn entries_are_shown_without_their_counter() {
    let mut lab = Lab::new();
    let all = shown(&mut lab, None);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].counter_value, None);
    assert_eq!(all[0].association_token, Some(1));
    assert_eq!(all[0].eim_fqdn.as_deref(), Some("eim.lab.example"));
    assert_eq!(shown(&mut lab, Some("eim.lab.example")), all);
    assert!(shown(&mut lab, Some("eim2.lab.example")).is_empty());
}

#[test]
fn the_key_is_taken_in_each_form_that_is_seen() {
    let spki = other_eim().key.public_key().unwrap().to_spki().unwrap();
    let certificate = other_eim().certificate.der().to_vec();
    let inside = |der: &[u8]| tlv::read_one(der).unwrap().value.to_vec();
    for form in [
        tlv::write(0xA0, &inside(&spki)),
        tlv::write(0xA0, &spki),
        spki.clone(),
        tlv::write(0xA1, &inside(&certificate)),
        tlv::write(0xA1, &certificate),
        certificate.clone(),
    ] {
        let mut lab = Lab::bare();
        let entry = [
            tlv::write(0x80, b"eim2"),
            tlv::write(0x83, &[0]),
            tlv::write(0xA5, &form),
        ]
        .concat();
        let command = tlv::write(0xBF57, &tlv::write(0xA0, &tlv::write(0x30, &entry)));
        let answer = lab.send(&command);
        assert_eq!(answer.data, [0xBF, 0x57, 4, 0xA0, 2, 5, 0]);
        assert_eq!(lab.euicc.state().eims[0].key, spki);
    }
    let mut lab = Lab::bare();
    let entry = [
        tlv::write(0x80, b"eim2"),
        tlv::write(0x83, &[0]),
        tlv::write(0xA5, &tlv::write(0xA0, &[5, 0])),
    ]
    .concat();
    let answer = lab.send(&tlv::write(
        0xBF57,
        &tlv::write(0xA0, &tlv::write(0x30, &entry)),
    ));
    assert_eq!(answer.data, [0xBF, 0x57, 3, 0x81, 1, 7]);
}

#[test]
fn add_eim_codes() {
    let mut lab = Lab::new();
    let good = other_eim().configuration_data(9, true).unwrap();
    let with = |change: &dyn Fn(&mut EimConfigurationData)| {
        let mut data = good.clone();
        change(&mut data);
        Eco::AddEim(data)
    };
    let one = |lab: &mut Lab, eco: Eco| eco_codes(lab, vec![eco]).remove(0);
    for (eco, code) in [
        (
            with(&|d| d.eim_id = "eim.lab.example".into()),
            "associatedEimAlreadyExists(2)",
        ),
        (
            with(&|d| d.euicc_ci_pk_id = KeyId::new([1; 20])),
            "ciPKUnknown(3)",
        ),
        (
            with(&|d| d.association_token = Some(3)),
            "invalidAssociationToken(5)",
        ),
        (
            with(&|d| d.counter_value = Some(u64::MAX)),
            "counterValueOutOfRange(6)",
        ),
        (with(&|d| d.counter_value = None), "commandError(7)"),
    ] {
        assert_eq!(one(&mut lab, eco), format!("addEimResult {code}"));
    }
    lab.euicc.faults.memory_full = true;
    assert_eq!(
        one(&mut lab, with(&|_| ())),
        "addEimResult insufficientMemory(1)"
    );
    lab.euicc.faults.memory_full = false;
    // Tokens are never used twice; refused entries draw none.
    assert_eq!(
        one(&mut lab, with(&|_| ())),
        "addEimResult associationToken 2"
    );
    let third = Hierarchy::lab().unwrap().issue_eim("eim3").unwrap();
    let data = third.configuration_data(0, false).unwrap();
    assert_eq!(one(&mut lab, Eco::AddEim(data)), "addEimResult ok(0)");
    let results = lab.ecos(vec![Eco::list_eim()]);
    let EuiccResultData::ListEimResult(ListEimResult::EimIdList(list)) = &results[0] else {
        panic!()
    };
    assert_eq!(list.len(), 3);
    assert_eq!(list[1].eim_id, "eim2.lab.example");

    // The new eIM commands, with its own counter and token.
    lab.eim = other_eim();
    (lab.token, lab.counter) = (Some(2), 9);
    assert_eq!(lab.codes(vec![Psmo::get_rat()]), ["getRATResult 1 rules"]);
    let mut order = lab.order(EuiccPackage::PsmoList(vec![]));
    order.counter = 9;
    assert_eq!(lab.error(order), EuiccPackageErrorCode::ReplayError);
}

#[test]
fn update_eim_codes() {
    let mut lab = Lab::new();
    let own = || EimConfigurationData::new("eim.lab.example");
    let one = |lab: &mut Lab, data: EimConfigurationData| {
        eco_codes(lab, vec![Eco::UpdateEim(data)]).remove(0)
    };
    let code = |text: &str| format!("updateEimResult {text}");
    assert_eq!(
        one(&mut lab, EimConfigurationData::new("other")),
        code("eimNotFound(1)")
    );
    assert_eq!(one(&mut lab, own()), code("commandError(7)"));
    let with = |change: &dyn Fn(&mut EimConfigurationData)| {
        let mut data = own();
        change(&mut data);
        data
    };
    assert_eq!(
        one(&mut lab, with(&|d| d.association_token = Some(-1))),
        code("commandError(7)")
    );
    assert_eq!(
        one(&mut lab, with(&|d| d.euicc_ci_pk_id = KeyId::new([1; 20]))),
        code("ciPKUnknown(3)")
    );
    assert_eq!(
        one(&mut lab, with(&|d| d.counter_value = Some(0x80_0000))),
        code("counterValueOutOfRange(6)")
    );
    assert_eq!(
        one(&mut lab, with(&|d| d.counter_value = Some(1))),
        code("commandError(7)")
    );
    assert_eq!(
        one(&mut lab, with(&|d| d.eim_fqdn = Some("new.example".into()))),
        code("ok(0)")
    );
    let entry = shown(&mut lab, None).remove(0);
    assert_eq!(entry.eim_fqdn.as_deref(), Some("new.example"));
    assert_eq!(entry.association_token, Some(1));
    // A higher counter that the eIM gives itself stands.
    assert_eq!(
        one(&mut lab, with(&|d| d.counter_value = Some(1000))),
        code("ok(0)")
    );
    let order = lab.order(EuiccPackage::PsmoList(vec![]));
    assert_eq!(lab.error(order), EuiccPackageErrorCode::ReplayError);
    lab.counter = 1000;
    // A lower one needs a new key, which then counts; this package is still signed with the old one.
    let key = other_eim()
        .configuration_data(0, false)
        .unwrap()
        .eim_public_key_data;
    assert!(matches!(key, Some(PublicKeyData::EimPublicKey(_))));
    assert_eq!(
        one(
            &mut lab,
            with(&|d| {
                d.counter_value = Some(0);
                d.eim_public_key_data = key.clone();
            })
        ),
        code("ok(0)")
    );
    let fqdn = lab.eim.fqdn.clone();
    lab.eim = EimCredential {
        fqdn,
        ..other_eim()
    };
    lab.counter = 0;
    assert_eq!(lab.codes(vec![]).len(), 0);
}

#[test]
fn the_last_eim_can_delete_itself_and_association_starts_anew() {
    let mut lab = Lab::new();
    assert_eq!(
        eco_codes(
            &mut lab,
            vec![Eco::delete_eim("other"), Eco::delete_eim("eim.lab.example")]
        ),
        ["deleteEimResult eimNotFound(1)"]
    );
    let second = other_eim().configuration_data(0, false).unwrap();
    assert_eq!(
        eco_codes(
            &mut lab,
            vec![
                Eco::AddEim(second),
                Eco::delete_eim("eim2.lab.example"),
                Eco::delete_eim("eim.lab.example"),
                Eco::list_eim(),
            ]
        ),
        [
            "addEimResult ok(0)",
            "deleteEimResult ok(0)",
            "deleteEimResult lastEimDeleted(2)",
            "listEimResult 0 eIMs",
        ]
    );
    // Its packages are now from an unknown eIM.
    let order = lab.order(EuiccPackage::PsmoList(vec![]));
    let bytes = lab.sign(order);
    assert!(matches!(
        lab.load(&bytes, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_)
    ));
    let data = lab.eim.configuration_data(0, true).unwrap();
    let AddInitialEimResponse::AddInitialEimOk(done) = lab.add_initial(vec![data]) else {
        panic!()
    };
    assert_eq!(done, [AddInitialEimOk::AssociationToken(2)]);
}

#[test]
fn certificates_are_given_for_a_known_ci() {
    let mut lab = Lab::bare();
    let GetCertsResponse::Certs(certs) = lab.call(&GetCertsRequest::default()) else {
        panic!()
    };
    let chain = |c: &sgp::CertificateDer| Cert::from_der(&c.to_bytes(), "chain").unwrap();
    let ci = Hierarchy::lab().unwrap().ci.certificate;
    let found = crate::pki::verify_euicc_chain(
        &ci,
        &chain(&certs.eum_certificate),
        &chain(&certs.euicc_certificate),
        None,
    );
    assert_eq!(found, Ok(eid()));
    let by_id = GetCertsRequest {
        euicc_ci_pk_id: KeyId::new(ci.subject_key_id().unwrap()),
    };
    assert!(matches!(lab.call(&by_id), GetCertsResponse::Certs(_)));
    let unknown = GetCertsRequest {
        euicc_ci_pk_id: KeyId::new([1; 20]),
    };
    let answer: GetCertsResponse = lab.call(&unknown);
    assert!(matches!(answer, GetCertsResponse::GetCertsError(e) if e.code() == 1));
}

#[test]
fn two_eims_have_each_their_own_key_counter_and_token() {
    let mut lab = Lab::new();
    let second = other_eim();
    let entry = second.configuration_data(40, true).unwrap();
    let added = lab.ecos(vec![Eco::AddEim(entry)]);
    assert_eq!(added[0].summary(), "addEimResult associationToken 2");
    let first = (lab.eim.clone(), lab.token, lab.counter);
    let list = || EuiccPackage::PsmoList(vec![Psmo::list_profile_info()]);

    // Of the second, in the first one's name: with its own key, then with its own token.
    let order = lab.order(list());
    lab.eim.key = second.key.clone();
    let package = lab.sign(order);
    assert!(matches!(
        lab.load(&package, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(e) if e.association_token == Some(1)
    ));
    lab.eim = first.0.clone();
    let mut order = lab.order(list());
    order.token = Some(2);
    let package = lab.sign(order);
    assert!(matches!(
        lab.load(&package, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_)
    ));

    // The second's counter is its own, and neither's package runs for the other.
    lab.eim = second;
    lab.token = Some(2);
    lab.counter = 39;
    let order = lab.order(list());
    assert_eq!(lab.error(order), EuiccPackageErrorCode::ReplayError);
    assert_eq!(lab.codes(vec![Psmo::enable(iccid(BETA), false)]).len(), 1);
    assert_eq!(
        lab.euicc.state().eim("eim2.lab.example").unwrap().counter,
        41
    );
    let of_first = lab.euicc.state().eim("eim.lab.example").unwrap();
    assert_eq!(of_first.counter, first.2);

    // One dismisses the other, which then is unknown; its stored results stay until they are fetched.
    let stored = lab.euicc.state().results.len();
    assert_eq!(
        eco_codes(&mut lab, vec![Eco::delete_eim("eim.lab.example")]),
        ["deleteEimResult ok(0)"]
    );
    assert_eq!(lab.euicc.state().results.len(), stored + 1);
    (lab.eim, lab.token, lab.counter) = first;
    let order = lab.order(list());
    let package = lab.sign(order);
    assert!(matches!(
        lab.load(&package, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(e) if e.association_token.is_none()
    ));
}
