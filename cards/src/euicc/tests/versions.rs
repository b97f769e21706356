//! SGP.32 v1.0 and v1.3 where they differ on the wire.

use super::*;
use applet_model::sgp::es10::{ProfileRollbackRequest, ProfileRollbackResponse};
use applet_model::sgp::euicc_package::NoParameters;
use applet_model::sgp::euicc_package::ProfileOperation;
use applet_model::sgp::profile::{OpenValue, VendorExtension};
use applet_model::tlv;

/// A package as an eIM of v1.0 signs it: without the association token.
fn first_version(lab: &mut Lab, package: EuiccPackage) -> Vec<u8> {
    let order = lab.order(package);
    let signed = EuiccPackageSigned {
        eim_id: order.eim_id,
        eid_value: order.eid,
        counter_value: order.counter,
        eim_transaction_id: order.transaction,
        euicc_package: order.package,
    };
    let signed = signed.to_der().unwrap();
    let signature = lab.eim.key.sign(&signed).unwrap();
    let inside = [signed, tlv::write(0x5F37, &signature)].concat();
    tlv::write(0xBF51, &inside)
}

/// The answer, whose signature is over the data and the package's own signature.
fn answered(lab: &Lab, package: &[u8], answer: &[u8]) -> EuiccPackageResult {
    let result = EuiccPackageResult::from_der(answer).unwrap();
    let (data, signature) = result.signed().expect("a signed answer");
    let eim_signature = tlv::path(package, &[0xBF51, 0x5F37]).unwrap();
    let key = lab.euicc.public_key(None).unwrap();
    assert!(key.verify(&[data, eim_signature.raw].concat(), signature));
    result
}

fn speaking(versions: &[[u8; 3]]) -> Lab {
    let mut lab = Lab::new();
    lab.euicc.constants.versions.iot = versions.to_vec();
    lab
}

#[test]
fn v1_0_signs_without_the_token() {
    let mut lab = speaking(&[[1, 0, 1]]);
    let enable = EuiccPackage::PsmoList(vec![Psmo::enable(iccid(BETA), true)]);
    let package = first_version(&mut lab, enable);
    let answer = lab.send(&package).data;
    let first = answered(&lab, &package, &answer);
    assert_eq!(first.results()[0].summary(), "enableResult ok(0)");
    // The result of a rollback, too.
    let rollback: ProfileRollbackResponse =
        lab.call(&ProfileRollbackRequest { refresh_flag: true });
    let result = rollback.euicc_package_result.unwrap().to_der().unwrap();
    let result = answered(&lab, &package, &result);
    assert_eq!(result.counter_value(), first.counter_value());
    // And an error.
    let error = lab.send(&package).data;
    let error = answered(&lab, &package, &error);
    assert!(matches!(
        error,
        EuiccPackageResult::EuiccPackageErrorSigned(_)
    ));
    // What v1.2 signs is not for it.
    let order = lab.order(EuiccPackage::PsmoList(vec![]));
    let package = lab.sign(order);
    assert!(matches!(
        lab.load(&package, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_)
    ));
}

#[test]
fn who_speaks_both_answers_as_asked() {
    let mut lab = speaking(&[[1, 0, 0], [1, 2, 0]]);
    let package = first_version(&mut lab, EuiccPackage::PsmoList(vec![Psmo::get_rat()]));
    let answer = lab.send(&package).data;
    answered(&lab, &package, &answer);
    assert_eq!(lab.codes(vec![Psmo::get_rat()]), ["getRATResult 1 rules"]);
    // Who speaks v1.2 alone takes no signature without the token.
    let mut lab = Lab::new();
    let package = first_version(&mut lab, EuiccPackage::PsmoList(vec![]));
    assert!(matches!(
        lab.load(&package, None),
        EuiccPackageResult::EuiccPackageErrorUnsigned(_)
    ));
}

#[test]
fn v1_0_has_fewer_functions_and_another_list_of_eims() {
    let mut lab = speaking(&[[1, 0, 0]]);
    for tag in [0x5Bu8, 0x5C, 0x5D, 0x5E, 0x5F, 0x64, 0x65] {
        assert_eq!(lab.send(&[0xBF, tag, 0]).sw, choices::NOT_SUPPORTED);
    }
    for operation in [
        Psmo::UnsetFallbackAttribute(NoParameters {}),
        Psmo::SetFallbackAttribute(ProfileOperation { iccid: iccid(BETA) }),
    ] {
        let package = first_version(&mut lab, EuiccPackage::PsmoList(vec![operation]));
        let answer = lab.send(&package).data;
        let result = answered(&lab, &package, &answer);
        assert_eq!(
            result.results()[0].summary(),
            "processingTerminated unknownOrDamagedCommand(2)"
        );
    }
    let package = first_version(&mut lab, EuiccPackage::EcoList(vec![Eco::list_eim()]));
    let answer = lab.send(&package).data;
    let list = tlv::path(&answer, &[0xBF51, 0xA0, 0x30, 0x30, 0xAB, 0xA0, 0x30]).unwrap();
    let name = tlv::write(0x80, lab.eim.fqdn.as_bytes());
    // eimIdTypeFqdn(2) under [4].
    assert_eq!(list.value, [name, tlv::write(0x84, &[2])].concat());
}

#[test]
fn v1_3_says_that_a_package_is_too_large_before_it_reads_it() {
    let large = || EuiccPackage::PsmoList(vec![Psmo::list_profile_info(); 3000]);
    let mut lab = speaking(&[[1, 3, 0]]);
    let order = lab.order(large());
    let mut package = lab.sign(order);
    *package.last_mut().unwrap() ^= 1;
    let answer = lab.send(&package).data;
    let error = tlv::path(&answer, &[0xBF51, 0xA2]).unwrap();
    assert_eq!(error.find(0x8F).unwrap().unwrap().value, [15]);
    assert_eq!(
        error.find(0x80).unwrap().unwrap().value,
        lab.eim.fqdn.as_bytes()
    );
}

#[test]
fn v1_3_keeps_what_an_eim_needs_for_its_own_protocol() {
    let own = VendorExtension {
        vendor_oid: "1.2.3".parse().unwrap(),
        vendor_specific_data: OpenValue(der::asn1::Any::null()),
    };
    for (version, kept) in [([1, 2, 0], None), ([1, 3, 0], Some(vec![own.clone()]))] {
        let mut lab = Lab::bare();
        lab.euicc.constants.versions.iot = vec![version];
        let mut data = lab.eim.configuration_data(0, false).unwrap();
        data.esipa_proprietary = Some(vec![own.clone()]);
        assert!(matches!(
            lab.add_initial(vec![data]),
            AddInitialEimResponse::AddInitialEimOk(_)
        ));
        let stored = &lab.euicc.state().eims[0].data;
        let shown = EimConfigurationData::from_der(stored).unwrap();
        assert_eq!(shown.esipa_proprietary, kept);
    }
}
