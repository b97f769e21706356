//! Every type against values from an independent ASN.1 encoder
//! (`testdata/sgp32-vectors.json`, made by `tests/tools/sgp32_vectors.py`), and against damaged ones.

use super::asn1::Described;
use super::*;
use proptest::prelude::*;
use serde_json::Value as Json;

struct Vector {
    name: String,
    der: Vec<u8>,
    value: Json,
}

fn vectors() -> Vec<Vector> {
    let all: Vec<Json> =
        serde_json::from_str(include_str!("../../testdata/sgp32-vectors.json")).unwrap();
    all.into_iter()
        .map(|vector| Vector {
            name: vector["type"].as_str().unwrap().to_owned(),
            der: hex::decode(vector["der"].as_str().unwrap()).unwrap(),
            value: vector["value"].clone(),
        })
        .collect()
}

struct Again {
    written: Vec<u8>,
    unknown: bool,
    node: Node,
}

/// Decodes, writes again, and gives the names' view of the bytes.
fn again<T>(bytes: &[u8]) -> der::Result<Again>
where
    T: for<'a> Decode<'a, Error = der::Error> + Encode + Described + PartialEq + core::fmt::Debug,
{
    let value = T::from_der(bytes)?;
    let written = value.to_der()?;
    assert_eq!(T::from_der(&written).as_ref(), Ok(&value));
    // An operation or result kept as unknown proves nothing about the type that should have taken it.
    let unknown = format!("{value:?}").contains("Unknown(");
    Ok(Again {
        written,
        unknown,
        node: node_of::<T>(bytes),
    })
}

macro_rules! by_name {
    ($name:expr, $bytes:expr; $($asn1:literal $ty:ty;)*) => {
        match $name {
            $($asn1 => again::<$ty>($bytes),)*
            other => panic!("the test knows no type {other}"),
        }
    };
}

fn decode_again(name: &str, bytes: &[u8]) -> der::Result<Again> {
    by_name! { name, bytes;
        "GetEimPackageRequest" esipa::GetEimPackageRequest;
        "GetEimPackageResponse" esipa::GetEimPackageResponse;
        "ProvideEimPackageResult" esipa::ProvideEimPackageResult;
        "ProvideEimPackageResultResponse" esipa::ProvideEimPackageResultResponse;
        "EimPackageResult" esipa::EimPackageResult;
        "EimPackageResultResponseError" esipa::EimPackageResultResponseError;
        "EimAcknowledgements" esipa::EimAcknowledgements;
        "HandleNotificationEsipa" esipa::HandleNotificationEsipa;
        "TransferEimPackageRequest" esipa::TransferEimPackageRequest;
        "TransferEimPackageResponse" esipa::TransferEimPackageResponse;
        "EuiccPackageRequest" euicc_package::EuiccPackageRequest;
        "EuiccPackageSigned" euicc_package::EuiccPackageSigned;
        "EuiccPackage" euicc_package::EuiccPackage;
        "Psmo" euicc_package::Psmo;
        "Eco" euicc_package::Eco;
        "EuiccPackageResult" euicc_result::EuiccPackageResult;
        "EuiccPackageResultSigned" euicc_result::EuiccPackageResultSigned;
        "EuiccPackageResultDataSigned" euicc_result::EuiccPackageResultDataSigned;
        "EuiccPackageErrorSigned" euicc_result::EuiccPackageErrorSigned;
        "EuiccPackageErrorDataSigned" euicc_result::EuiccPackageErrorDataSigned;
        "EuiccPackageErrorUnsigned" euicc_result::EuiccPackageErrorUnsigned;
        "EuiccResultData" euicc_result::EuiccResultData;
        "AddEimResult" euicc_result::AddEimResult;
        "ListEimResult" euicc_result::ListEimResult;
        "EimConfigurationData" eim_config::EimConfigurationData;
        "AddInitialEimRequest" eim_config::AddInitialEimRequest;
        "AddInitialEimResponse" eim_config::AddInitialEimResponse;
        "GetEimConfigurationDataRequest" eim_config::GetEimConfigurationDataRequest;
        "GetEimConfigurationDataResponse" eim_config::GetEimConfigurationDataResponse;
        "GetCertsRequest" certs::GetCertsRequest;
        "GetCertsResponse" certs::GetCertsResponse;
        "GetEuiccDataRequest" certs::GetEuiccDataRequest;
        "GetEuiccDataResponse" certs::GetEuiccDataResponse;
        "EUICCInfo1" euicc_info::EuiccInfo1;
        "EUICCInfo2" euicc_info::EuiccInfo2;
        "IoTSpecificInfo" euicc_info::IoTSpecificInfo;
        "ProfileInfo" profile::ProfileInfo;
        "ProfileInfoListRequest" profile::ProfileInfoListRequest;
        "ProfileInfoListResponse" profile::ProfileInfoListResponse;
        "GetRatRequest" profile::GetRatRequest;
        "GetRatResponse" profile::GetRatResponse;
        "RulesAuthorisationTable" profile::RulesAuthorisationTable;
        "RetrieveNotificationsListRequest" notification::RetrieveNotificationsListRequest;
        "RetrieveNotificationsListResponse" notification::RetrieveNotificationsListResponse;
        "NotificationSentRequest" notification::NotificationSentRequest;
        "NotificationSentResponse" notification::NotificationSentResponse;
        "ListNotificationRequest" notification::ListNotificationRequest;
        "ListNotificationResponse" notification::ListNotificationResponse;
        "NotificationMetadata" notification::NotificationMetadata;
        "PendingNotification" notification::PendingNotification;
        "OtherSignedNotification" notification::OtherSignedNotification;
        "ProfileInstallationResult" notification::ProfileInstallationResult;
        "ProfileInstallationResultData" notification::ProfileInstallationResultData;
        "ProfileRollbackRequest" es10::ProfileRollbackRequest;
        "ProfileRollbackResponse" es10::ProfileRollbackResponse;
        "ConfigureImmediateProfileEnablingRequest" es10::ConfigureImmediateProfileEnablingRequest;
        "ConfigureImmediateProfileEnablingResponse" es10::ConfigureImmediateProfileEnablingResponse;
        "ImmediateEnableRequest" es10::ImmediateEnableRequest;
        "ImmediateEnableResponse" es10::ImmediateEnableResponse;
        "EnableEmergencyProfileRequest" es10::EnableEmergencyProfileRequest;
        "EnableEmergencyProfileResponse" es10::EnableEmergencyProfileResponse;
        "DisableEmergencyProfileRequest" es10::DisableEmergencyProfileRequest;
        "DisableEmergencyProfileResponse" es10::DisableEmergencyProfileResponse;
        "ExecuteFallbackMechanismRequest" es10::ExecuteFallbackMechanismRequest;
        "ExecuteFallbackMechanismResponse" es10::ExecuteFallbackMechanismResponse;
        "ReturnFromFallbackRequest" es10::ReturnFromFallbackRequest;
        "ReturnFromFallbackResponse" es10::ReturnFromFallbackResponse;
        "GetConnectivityParametersRequest" es10::GetConnectivityParametersRequest;
        "GetConnectivityParametersResponse" es10::GetConnectivityParametersResponse;
        "EuiccMemoryResetRequest" es10::EuiccMemoryResetRequest;
        "EuiccMemoryResetResponse" es10::EuiccMemoryResetResponse;
        "SetDefaultDpAddressRequest" es10::SetDefaultDpAddressRequest;
        "SetDefaultDpAddressResponse" es10::SetDefaultDpAddressResponse;
        "IpaeActivationRequest" es10::IpaeActivationRequest;
        "IpaeActivationResponse" es10::IpaeActivationResponse;
        "ISDRProprietaryApplicationTemplateIoT" es10::IsdrProprietaryApplicationTemplateIoT;
        "GetEuiccChallengeRequest" es10::GetEuiccChallengeRequest;
        "GetEuiccChallengeResponse" es10::GetEuiccChallengeResponse;
        "EuiccConfiguredAddressesRequest" es10::EuiccConfiguredAddressesRequest;
        "EuiccConfiguredAddressesResponse" es10::EuiccConfiguredAddressesResponse;
        "IpaEuiccDataRequest" ipa_data::IpaEuiccDataRequest;
        "IpaEuiccDataResponse" ipa_data::IpaEuiccDataResponse;
        "IpaEuiccData" ipa_data::IpaEuiccData;
        "IpaCapabilities" ipa_data::IpaCapabilities;
        "DeviceInfo" ipa_data::DeviceInfo;
        "ProfileDownloadTriggerRequest" ipa_data::ProfileDownloadTriggerRequest;
        "ProfileDownloadTriggerResult" ipa_data::ProfileDownloadTriggerResult;
        "ProfileDownloadData" ipa_data::ProfileDownloadData;
        "InitiateAuthenticationRequestEsipa" download::InitiateAuthenticationRequestEsipa;
        "InitiateAuthenticationResponseEsipa" download::InitiateAuthenticationResponseEsipa;
        "AuthenticateServerRequest" download::AuthenticateServerRequest;
        "AuthenticateServerResponse" download::AuthenticateServerResponse;
        "AuthenticateClientRequestEsipa" download::AuthenticateClientRequestEsipa;
        "AuthenticateClientResponseEsipa" download::AuthenticateClientResponseEsipa;
        "StoreMetadataRequest" download::StoreMetadataRequest;
        "PrepareDownloadRequest" download::PrepareDownloadRequest;
        "PrepareDownloadResponse" download::PrepareDownloadResponse;
        "GetBoundProfilePackageRequestEsipa" download::GetBoundProfilePackageRequestEsipa;
        "GetBoundProfilePackageResponseEsipa" download::GetBoundProfilePackageResponseEsipa;
        "BoundProfilePackage" download::BoundProfilePackage;
        "CancelSessionRequest" download::CancelSessionRequest;
        "CancelSessionRequestEsipa" download::CancelSessionRequestEsipa;
        "CancelSessionResponse" download::CancelSessionResponse;
        "CancelSessionResponseEsipa" download::CancelSessionResponseEsipa;
        "EnableProfileRequest" es10c::EnableProfileRequest;
        "EnableProfileResponse" es10c::EnableProfileResponse;
        "DisableProfileRequest" es10c::DisableProfileRequest;
        "DisableProfileResponse" es10c::DisableProfileResponse;
        "DeleteProfileRequest" es10c::DeleteProfileRequest;
        "DeleteProfileResponse" es10c::DeleteProfileResponse;
        "SetNicknameRequest" es10c::SetNicknameRequest;
        "SetNicknameResponse" es10c::SetNicknameResponse;
    }
}

#[test]
fn every_vector_decodes_to_its_value_and_encodes_to_its_bytes() {
    let mut wrong = Vec::new();
    let all = vectors();
    assert!(all.len() > 900);
    for Vector { name, der, value } in all {
        match decode_again(&name, &der) {
            Ok(Again {
                written,
                unknown,
                node,
            }) => {
                let seen = serde_json::to_value(&node).unwrap();
                // A list by itself has no name of its own.
                if node.name != name && name != "RulesAuthorisationTable" {
                    wrong.push(format!("{name} is called {}", node.name));
                }
                if unknown || node.defects() > 0 {
                    wrong.push(format!(
                        "{name} {}: unknown parts\n{node}",
                        hex::encode_upper(&der)
                    ));
                }
                if written != der {
                    wrong.push(format!(
                        "{name} {}\n  written {}",
                        hex::encode_upper(&der),
                        hex::encode_upper(written)
                    ));
                }
                if seen != value {
                    wrong.push(format!(
                        "{name} {}\n  seen     {seen}\n  expected {value}",
                        hex::encode_upper(&der)
                    ));
                }
            }
            Err(error) => wrong.push(format!("{name} {}: {error}", hex::encode_upper(&der))),
        }
    }
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

/// The first vector of a type: the one with every component there.
fn full<T: for<'a> Decode<'a, Error = der::Error>>(name: &str) -> T {
    let vector = vectors()
        .into_iter()
        .find(|vector| vector.name == name)
        .unwrap();
    T::from_der(&vector.der).unwrap()
}

#[test]
fn fields_hold_what_their_names_say() {
    let request: esipa::GetEimPackageRequest = full("GetEimPackageRequest");
    assert_eq!(
        request.eid_value.to_string(),
        "89049032123451234512345678901235"
    );
    assert!(request.notify_state_change);
    assert_eq!(
        request.state_change_cause,
        Some(esipa::StateChangeCause::OtherEim)
    );

    let package: euicc_package::EuiccPackageRequest = full("EuiccPackageRequest");
    let signed = &package.euicc_package_signed;
    assert_eq!(signed.eim_id, "eimId.example.com");
    assert_eq!(signed.counter_value, 1);
    assert!(signed.eim_transaction_id.is_some());
    let euicc_package::EuiccPackage::PsmoList(list) = &signed.euicc_package else {
        panic!()
    };
    assert_eq!(
        list[0],
        euicc_package::Psmo::enable("89012345678901234567".parse().unwrap(), true)
    );
    assert_eq!(package.eim_signature.len(), 64);
    let whole = package.to_der().unwrap();
    let part = crate::tlv::path(&whole, &[0xBF51, 0x30]).unwrap();
    assert_eq!(signed.bytes(), part.raw);

    let eim: eim_config::EimConfigurationData = full("EimConfigurationData");
    assert_eq!(eim.eim_id_type, Some(eim_config::EimIdType::EimIdTypeOid));
    assert_eq!(
        (eim.counter_value, eim.association_token),
        (Some(1), Some(1))
    );
    assert!(eim.indirect_profile_download);
    assert!(
        eim.eim_supported_protocol
            .unwrap()
            .has(eim_config::EimSupportedProtocol::EIM_RETRIEVE_HTTPS)
    );
    let key = eim.eim_public_key_data.unwrap().public_key().unwrap();
    assert_eq!(
        key.parse().unwrap().subject_public_key.raw_bytes().len(),
        65
    );

    let info: profile::ProfileInfo = full("ProfileInfo");
    assert_eq!(info.iccid.unwrap().to_string(), "89012345678901234567");
    assert_eq!(info.profile_state, Some(profile::ProfileState::Disabled));
    assert_eq!(
        info.profile_name.as_deref(),
        Some("profileName.example.com")
    );

    let certs::GetCertsResponse::Certs(certs) = full("GetCertsResponse") else {
        panic!()
    };
    assert_eq!(
        certs
            .eum_certificate
            .parse()
            .unwrap()
            .tbs_certificate()
            .subject()
            .to_string(),
        "CN=Test vector"
    );

    let euicc: euicc_info::EuiccInfo2 = full("EUICCInfo2");
    assert_eq!(euicc.ipa_mode, Some(euicc_info::IpaMode::Ipad));
    assert!(euicc.iot_specific_info.unwrap().fallback_supported);

    let notification: notification::OtherSignedNotification = full("OtherSignedNotification");
    assert_eq!(
        notification.tbs_other_notification.bytes()[..2],
        [0xBF, 0x2F]
    );
    assert!(
        notification
            .tbs_other_notification
            .profile_management_operation
            .has(profile::NotificationEvent::NOTIFICATION_ENABLE)
    );

    let rollback: es10::ProfileRollbackResponse = full("ProfileRollbackResponse");
    assert_eq!(rollback.cmd_result, es10::ProfileRollbackResult::Ok);
    let result = rollback.euicc_package_result.unwrap();
    assert_eq!(
        (result.eim_id(), result.counter_value(), result.seq_number()),
        ("eimId.example.com", Some(1), Some(1))
    );
    assert!(result.results()[0].is_ok());
    assert_eq!(result.results()[0].summary(), "enableResult ok(0)");
}

#[test]
fn keys_are_read_in_every_form_seen_and_written_in_one() {
    let eim: eim_config::EimConfigurationData = full("EimConfigurationData");
    let written = eim.to_der().unwrap();
    let key = crate::tlv::path(&written, &[0x30, 0xA5, 0xA0]).unwrap();
    let bare = crate::tlv::write(0x30, key.value);
    for inside in [key.raw.to_vec(), crate::tlv::write(0xA0, &bare), bare] {
        let other = crate::tlv::write_constructed(
            0x30,
            &[
                crate::tlv::write(0x80, b"x"),
                crate::tlv::write(0xA5, &inside),
            ],
        );
        let other = eim_config::EimConfigurationData::from_der(&other).unwrap();
        assert_eq!(other.eim_public_key_data, eim.eim_public_key_data);
    }
    for wrong in ["A500", "A502A000", "A5053003020100", "A504A1020500"] {
        let wrong = crate::tlv::write_constructed(
            0x30,
            &[crate::tlv::write(0x80, b"x"), hex::decode(wrong).unwrap()],
        );
        assert!(eim_config::EimConfigurationData::from_der(&wrong).is_err());
    }
}

#[test]
fn what_later_versions_add_is_skipped() {
    // The unsigned error's code [15] of v1.3.
    let bytes = hex::decode("BF510BA209800365494D8F0200FF").unwrap();
    let euicc_result::EuiccPackageResult::EuiccPackageErrorUnsigned(error) =
        euicc_result::EuiccPackageResult::from_der(&bytes).unwrap()
    else {
        panic!()
    };
    assert_eq!(error.eim_id, "eIM");
    let later =
        esipa::GetEimPackageResponse::from_der(&hex::decode("BF4F03020163").unwrap()).unwrap();
    assert_eq!(
        later,
        esipa::GetEimPackageResponse::EimPackageError(esipa::EimPackageError::Other(99))
    );
}

#[test]
fn vendors_data_have_an_explicit_tag() {
    // pycrate takes the open type's tag as IMPLICIT, so this one is by hand (X.680 31.2.7 c).
    let bytes = hex::decode("E312BF220F300D80042B0601 04A105040301 0203".replace(' ', "")).unwrap();
    let info = profile::ProfileInfo::from_der(&bytes).unwrap();
    let vendor = &info.service_specific_data_stored_in_euicc.as_ref().unwrap()[0];
    assert_eq!(vendor.vendor_oid.to_string(), "1.3.6.1.4");
    assert_eq!(vendor.vendor_specific_data.0.value(), [1, 2, 3]);
    assert_eq!(info.to_der().unwrap(), bytes);
}

#[test]
fn errors_say_what_was_expected_and_where() {
    // A counter where the EID should be.
    let bytes = hex::decode("BF510B30068001418101015F3700").unwrap();
    let error = decode::<euicc_package::EuiccPackageRequest>(&bytes[..13]).unwrap_err();
    assert_eq!(error.type_name, "EuiccPackageRequest");
    let error = decode::<euicc_package::EuiccPackageRequest>(&bytes).unwrap_err();
    assert_eq!(
        error.source.position(),
        Some(der::Length::new(8)),
        "{error}"
    );
    let error = decode::<esipa::GetEimPackageResponse>(&bytes)
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("GetEimPackageResponse expected in 14 bytes: "),
        "{error}"
    );
}

#[test]
fn cut_messages_are_errors() {
    for Vector { name, der, .. } in vectors() {
        for len in 0..der.len() {
            assert!(
                decode_again(&name, &der[..len]).is_err(),
                "{name} cut to {len}"
            );
        }
    }
}

fn mutate(bytes: &mut Vec<u8>, at: usize, how: u8, with: u8) {
    if bytes.is_empty() {
        return;
    }
    let at = at % bytes.len();
    match how % 5 {
        0 => bytes[at] = with,
        1 => bytes[at] ^= 1 << (with % 8),
        2 => bytes.insert(at, with),
        3 => {
            bytes.remove(at);
        }
        _ => bytes.truncate(at),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    /// Mutated messages decode to something that survives being written and read, or are errors;
    /// nothing panics, and every message is described.
    #[test]
    fn mutated_messages_never_panic(
        pick in any::<prop::sample::Index>(),
        mutations in prop::collection::vec((any::<usize>(), any::<u8>(), any::<u8>()), 1..4),
    ) {
        thread_local! { static ALL: Vec<Vector> = vectors(); }
        ALL.with(|all| {
            let vector = &all[pick.index(all.len())];
            let mut bytes = vector.der.clone();
            for (at, how, with) in mutations {
                mutate(&mut bytes, at, how, with);
            }
            let _ = decode_again(&vector.name, &bytes);
            let _ = describe(&bytes);
            let _ = serde_json::to_string(&nodes(&bytes)).unwrap();
        });
    }

    #[test]
    fn garbage_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..48)) {
        let _ = describe(&bytes);
        let _ = decode_again("EuiccPackageRequest", &bytes);
        let _ = decode_again("EuiccPackageResult", &bytes);
    }
}
