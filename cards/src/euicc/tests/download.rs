//! Profile download: every check of each function with one thing wrong, segments altered, cut and repeated.

use super::*;
use crate::euicc::bpp::{self, Binding, ProtectionKeys};
use crate::pki::{Cert, HierarchyOptions, SecretKey, ServerRole, SmdpCredential};
use applet_model::sgp::download::*;
use applet_model::sgp::es10::{
    ConfigImmediateEnableResult, ConfigureImmediateProfileEnablingRequest,
    ConfigureImmediateProfileEnablingResponse, GetEuiccChallengeRequest, GetEuiccChallengeResponse,
    ImmediateEnableRequest, ImmediateEnableResponse, ImmediateEnableResult,
};
use applet_model::sgp::euicc_info::{EuiccInfo2, GetEuiccInfo2Request};
use applet_model::sgp::ipa_data::{DeviceCapabilities, DeviceInfo};
use applet_model::sgp::notification::*;
use applet_model::sgp::profile::{
    IconType, NotificationConfigurationInformation, NotificationEvent, PprIds,
    ProfileInfoListRequest, ProfileInfoListResponse,
};
use applet_model::sgp::{CertificateDer, KeyId, Octet16, Octet32, Octets, Signed};
use applet_model::tlv;
use proptest::prelude::*;
use zeroize::Zeroizing;

const NEW: &str = "8988303000000614224";

/// An SM-DP+ as the eUICC sees one, each of whose messages can be made wrong.
#[derive(Clone)]
pub(super) struct Server {
    hierarchy: Hierarchy,
    smdp: SmdpCredential,
    transaction: TransactionId,
    pub metadata: StoreMetadataRequest,
    pub profile: Vec<u8>,
    pub protection: Option<ProtectionKeys>,
}

fn ctx() -> CtxParams1 {
    CtxParams1::CtxParamsForCommonAuthentication(CtxParamsForCommonAuthentication {
        matching_id: Some("TEST-1".into()),
        device_info: DeviceInfo {
            tac: vec![0x35, 0x29, 0x06, 0x11].into(),
            device_capabilities: DeviceCapabilities::default(),
            imei: None,
        },
    })
}

fn octets(bytes: impl Into<Vec<u8>>) -> Octets {
    bytes.into().into()
}

impl Server {
    pub fn new() -> Self {
        let hierarchy = Hierarchy::lab().unwrap();
        Server {
            smdp: hierarchy.smdp.clone().unwrap(),
            hierarchy,
            transaction: TransactionId::new([0xA1; 16]).unwrap(),
            metadata: StoreMetadataRequest {
                iccid: NEW.parse().unwrap(),
                service_provider_name: "Delta".into(),
                profile_name: "Delta IoT".into(),
                icon_type: None,
                icon: None,
                profile_class: None,
                notification_configuration_info: None,
                profile_owner: None,
                profile_policy_rules: None,
                service_specific_data_stored_in_euicc: None,
                service_specific_data_not_stored_in_euicc: None,
                ecall_indication: None,
                fallback_allowed: Some(true),
            },
            profile: package(3000),
            protection: None,
        }
    }

    fn authentication(&self, challenge: [u8; 16]) -> AuthenticateServerRequest {
        let signed = Signed::new(ServerSigned1 {
            transaction_id: self.transaction.clone(),
            euicc_challenge: Octet16(challenge),
            server_address: self.smdp.address.clone(),
            server_challenge: Octet16([0x5C; 16]),
        })
        .unwrap();
        AuthenticateServerRequest {
            server_signature1: octets(self.smdp.auth.key.sign(signed.bytes()).unwrap()),
            server_signed1: signed,
            euicc_ci_pk_id_to_be_used: KeyId::new(self.hierarchy.ci_key_id()).unwrap(),
            server_certificate: der(&self.smdp.auth.certificate),
            ctx_params1: ctx(),
        }
    }

    fn preparation(&self, ok: &AuthenticateResponseOk) -> PrepareDownloadRequest {
        self.preparation_of(ok, false, None)
    }

    fn preparation_of(
        &self,
        ok: &AuthenticateResponseOk,
        cc: bool,
        otpk: Option<&Octets>,
    ) -> PrepareDownloadRequest {
        let signed = Signed::new(SmdpSigned2 {
            transaction_id: self.transaction.clone(),
            cc_required_flag: cc,
            bpp_euicc_otpk: otpk.cloned(),
        })
        .unwrap();
        let mut message = signed.bytes().to_vec();
        message.extend(tlv::write(0x5F37, &ok.euicc_signature1));
        PrepareDownloadRequest {
            smdp_signature2: octets(self.smdp.pb.key.sign(&message).unwrap()),
            smdp_signed2: signed,
            hash_cc: cc.then_some(Octet32([0xCC; 32])),
            smdp_certificate: der(&self.smdp.pb.certificate),
        }
    }

    fn package(&self, otpk: &Octets) -> Vec<u8> {
        bpp::bind(
            &Binding {
                transaction_id: &self.transaction,
                host_id: b"SMDP",
                one_time: &SecretKey::derive(b"one time", "server").unwrap(),
                euicc_otpk: otpk,
                eid: eid().as_bytes(),
                key: &self.smdp.pb.key,
                protection: self.protection.as_ref(),
            },
            &self.metadata.to_der().unwrap(),
            &self.profile,
        )
        .unwrap()
    }
}

fn der(certificate: &Cert) -> CertificateDer {
    CertificateDer::from_bytes(certificate.der()).unwrap()
}

impl Lab {
    fn challenge(&mut self) -> [u8; 16] {
        let answer: GetEuiccChallengeResponse = self.call(&GetEuiccChallengeRequest {});
        answer.euicc_challenge.0
    }

    fn authenticate(&mut self, request: &AuthenticateServerRequest) -> AuthenticateServerResponse {
        self.call(request)
    }

    fn authenticated(&mut self, server: &Server) -> AuthenticateResponseOk {
        let challenge = self.challenge();
        match self.authenticate(&server.authentication(challenge)) {
            AuthenticateServerResponse::AuthenticateResponseOk(ok) => ok,
            other => panic!("{other:?}"),
        }
    }

    fn prepare(&mut self, request: &PrepareDownloadRequest) -> PrepareDownloadResponse {
        self.call(request)
    }

    fn prepared(&mut self, server: &Server) -> PrepareDownloadResponseOk {
        let ok = self.authenticated(server);
        match self.prepare(&server.preparation(&ok)) {
            PrepareDownloadResponse::DownloadResponseOk(ok) => ok,
            other => panic!("{other:?}"),
        }
    }

    /// Loads commands until there is a result.
    fn load_package(&mut self, commands: &[&[u8]]) -> Option<ProfileInstallationResult> {
        for command in commands {
            let answer = self.send(command);
            assert_eq!(answer.sw, Sw::OK);
            if !answer.data.is_empty() {
                let result = ProfileInstallationResult::from_der(&answer.data).unwrap();
                let key = self.euicc.public_key(None).unwrap();
                let data = &result.profile_installation_result_data;
                assert!(key.verify(data.bytes(), &result.euicc_sign_pir));
                return Some(result);
            }
        }
        None
    }

    fn download(&mut self, server: &Server) -> ProfileInstallationResult {
        let prepared = self.prepared(server);
        let package = server.package(&prepared.euicc_signed2.euicc_otpk);
        self.load_package(&bpp::commands(&package).unwrap())
            .expect("a result")
    }

    /// A download that fails: which part, and why.
    fn refused(&mut self, server: &Server) -> (BppCommandId, ErrorReason) {
        error(&self.download(server))
    }
}

fn error(result: &ProfileInstallationResult) -> (BppCommandId, ErrorReason) {
    match &result.profile_installation_result_data.final_result {
        FinalResult::ErrorResult(error) => (error.bpp_command_id, error.error_reason),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_server_is_authenticated_and_the_euicc_says_what_it_is() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let ok = lab.authenticated(&server);
    let key = lab.euicc.public_key(None).unwrap();
    assert!(key.verify(ok.euicc_signed1.bytes(), &ok.euicc_signature1));
    let signed = ok.euicc_signed1.value();
    assert_eq!(signed.transaction_id, server.transaction);
    assert_eq!(signed.server_address, "smdp.lab.example");
    assert_eq!(signed.server_challenge.0, [0x5C; 16]);
    assert_eq!(signed.ctx_params1, ctx());
    let info: EuiccInfo2 = lab.call(&GetEuiccInfo2Request {});
    assert_eq!(signed.euicc_info2, info);
    let hierarchy = &server.hierarchy;
    let euicc = Cert::from_der(&ok.euicc_certificate.to_bytes(), "eUICC").unwrap();
    let (ci, eum) = (&hierarchy.ci.certificate, &hierarchy.eum.certificate);
    assert_eq!(
        crate::pki::verify_euicc_chain(ci, eum, &euicc, None),
        Ok(eid())
    );
}

#[test]
fn authentication_fails_with_the_code_of_what_is_wrong() {
    let server = Server::new();
    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let other_smdp = other.smdp.clone().unwrap();
    type Change<'a> = Box<dyn Fn(&mut AuthenticateServerRequest) + 'a>;
    let cases: Vec<(AuthenticateErrorCode, Change<'_>)> = vec![
        (
            AuthenticateErrorCode::CiPkUnknown,
            Box::new(|r| r.euicc_ci_pk_id_to_be_used = KeyId::new(other.ci_key_id()).unwrap()),
        ),
        (
            // Of another CI.
            AuthenticateErrorCode::CiPkUnknown,
            Box::new(|r| r.server_certificate = der(&other_smdp.auth.certificate)),
        ),
        (
            // Of another role.
            AuthenticateErrorCode::InvalidCertificate,
            Box::new(|r| r.server_certificate = der(&server.smdp.pb.certificate)),
        ),
        (
            AuthenticateErrorCode::InvalidCertificate,
            Box::new(|r| r.server_certificate = der(&server.hierarchy.eum.certificate)),
        ),
        (
            // No role at all, and no object identifier: the role comes first.
            AuthenticateErrorCode::InvalidCertificate,
            Box::new(|r| {
                let eim = server.hierarchy.eim.as_ref().unwrap();
                r.server_certificate = der(&eim.certificate);
            }),
        ),
        (
            AuthenticateErrorCode::InvalidCertificate,
            Box::new(|r| {
                let mut bytes = server.smdp.auth.certificate.der().to_vec();
                *bytes.last_mut().unwrap() ^= 1;
                r.server_certificate = CertificateDer::from_bytes(&bytes).unwrap();
            }),
        ),
        (
            AuthenticateErrorCode::InvalidSignature,
            Box::new(|r| {
                let mut bytes = r.server_signature1.to_vec();
                bytes[10] ^= 1;
                r.server_signature1 = octets(bytes);
            }),
        ),
        (
            AuthenticateErrorCode::EuiccChallengeMismatch,
            Box::new(|r| {
                *r = AuthenticateServerRequest {
                    ctx_params1: r.ctx_params1.clone(),
                    ..server.authentication([7; 16])
                };
            }),
        ),
    ];
    let mut lab = Lab::bare();
    for (expected, change) in cases {
        let mut request = server.authentication(lab.challenge());
        let right = request.clone();
        change(&mut request);
        let writes = lab.nvm.writes;
        let refusal = lab.authenticate(&request);
        let AuthenticateServerResponse::AuthenticateResponseError(error) = refusal else {
            panic!("{refusal:?}");
        };
        assert_eq!(error.authenticate_error_code, expected);
        assert_eq!(error.transaction_id, server.transaction);
        assert_eq!(lab.nvm.writes, writes);
        // The challenge is used up, whatever became of it.
        let AuthenticateServerResponse::AuthenticateResponseError(error) = lab.authenticate(&right)
        else {
            panic!("a challenge was taken twice");
        };
        assert_eq!(
            error.authenticate_error_code,
            AuthenticateErrorCode::NoSessionContext
        );
    }
}

#[test]
fn preparation_fails_with_the_code_of_what_is_wrong() {
    let server = Server::new();
    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let other_smdp = other.smdp.clone().unwrap();
    let mut lab = Lab::bare();
    let code = |lab: &mut Lab, request: &PrepareDownloadRequest| match lab.prepare(request) {
        PrepareDownloadResponse::DownloadResponseError(error) => error.download_error_code,
        ok => panic!("{ok:?}"),
    };
    let ok = lab.authenticated(&server);
    let right = server.preparation(&ok);
    for certificate in [
        &other_smdp.pb.certificate,
        &server.smdp.auth.certificate,
        &server.hierarchy.ci.certificate,
    ] {
        let wrong = PrepareDownloadRequest {
            smdp_certificate: der(certificate),
            ..right.clone()
        };
        assert_eq!(
            code(&mut lab, &wrong),
            DownloadErrorCode::InvalidCertificate
        );
    }
    let mut signature = right.smdp_signature2.to_vec();
    signature[0] ^= 1;
    let wrong = PrepareDownloadRequest {
        smdp_signature2: octets(signature),
        ..right.clone()
    };
    assert_eq!(code(&mut lab, &wrong), DownloadErrorCode::InvalidSignature);
    // The signature is over the eUICC's own one, too: nothing made for another session fits.
    let mut other_session = ok.clone();
    other_session.euicc_signature1 = octets(vec![9; 64]);
    assert_eq!(
        code(&mut lab, &server.preparation(&other_session)),
        DownloadErrorCode::InvalidSignature
    );
    let again = lab.authenticated(&server);
    let foreign = Server {
        transaction: TransactionId::new([1]).unwrap(),
        ..server.clone()
    };
    assert_eq!(
        code(&mut lab, &foreign.preparation(&again)),
        DownloadErrorCode::InvalidTransactionId
    );
    lab.euicc.refresh();
    assert_eq!(
        code(&mut lab, &server.preparation(&again)),
        DownloadErrorCode::NoSessionContext
    );
    // Nothing of it made a package acceptable.
    assert_eq!(lab.send(&[0xBF, 0x36, 0]).sw, Sw::CONDITIONS_NOT_SATISFIED);
    assert_eq!(lab.send(&[0xA3, 0]).sw, Sw::CONDITIONS_NOT_SATISFIED);
}

#[test]
fn the_confirmation_code_and_the_one_time_key_are_signed() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let mut kept: Option<Octets> = None;
    for (cc, keep) in [(true, false), (false, true), (true, true)] {
        let ok = lab.authenticated(&server);
        let asked = kept.clone().filter(|_| keep);
        let request = server.preparation_of(&ok, cc, asked.as_ref());
        let PrepareDownloadResponse::DownloadResponseOk(done) = lab.prepare(&request) else {
            panic!("refused");
        };
        let key = lab.euicc.public_key(None).unwrap();
        let mut message = done.euicc_signed2.bytes().to_vec();
        message.extend(tlv::write(0x5F37, &request.smdp_signature2));
        assert!(key.verify(&message, &done.euicc_signature2));
        let signed = done.euicc_signed2.value();
        assert_eq!(signed.hash_cc, cc.then_some(Octet32([0xCC; 32])));
        if keep {
            assert_eq!(Some(&signed.euicc_otpk), kept.as_ref());
        }
        kept = Some(signed.euicc_otpk.clone());
        // It outlives the session and a power cut.
        lab.euicc.refresh();
    }
    // Without being asked for, another one is made.
    let fresh = lab.prepared(&server);
    assert_ne!(Some(&fresh.euicc_signed2.euicc_otpk), kept.as_ref());
}

#[test]
fn a_session_is_cancelled_with_a_signature_and_only_once() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    lab.authenticated(&server);
    let cancel = |transaction: &TransactionId| CancelSessionRequest {
        transaction_id: transaction.clone(),
        reason: CancelSessionReason::MetadataMismatch,
    };
    let foreign = TransactionId::new([2]).unwrap();
    assert_eq!(
        lab.call::<CancelSessionResponse>(&cancel(&foreign)),
        CancelSessionResponse::CancelSessionResponseError(
            CancelSessionResponseError::InvalidTransactionId
        )
    );
    let CancelSessionResponse::CancelSessionResponseOk(ok) = lab.call(&cancel(&server.transaction))
    else {
        panic!("refused");
    };
    let key = lab.euicc.public_key(None).unwrap();
    let signed = &ok.euicc_cancel_session_signed;
    assert!(key.verify(signed.bytes(), &ok.euicc_cancel_session_signature));
    assert_eq!(signed.smdp_oid, server.smdp.oid().unwrap());
    assert_eq!(signed.reason, CancelSessionReason::MetadataMismatch);
    assert!(matches!(
        lab.call(&cancel(&server.transaction)),
        CancelSessionResponse::CancelSessionResponseError(_)
    ));
}

#[test]
fn a_package_altered_in_any_segment_is_refused_there() {
    for protection in [
        None,
        Some(ProtectionKeys {
            enc: Zeroizing::new([1; 16]),
            mac: Zeroizing::new([2; 16]),
            chain: [3; 16],
        }),
    ] {
        let mut server = Server::new();
        server.protection = protection;
        let mut start = Lab::bare();
        let prepared = start.prepared(&server);
        let package = server.package(&prepared.euicc_signed2.euicc_otpk);
        let commands = bpp::commands(&package).unwrap();
        let expected = |number: usize| match (number, server.protection.is_some()) {
            (0, _) => BppCommandId::InitialiseSecureChannel,
            (1, _) => BppCommandId::ConfigureIsdp,
            (2 | 3, _) => BppCommandId::StoreMetadata,
            (4, true) => BppCommandId::ReplaceSessionKeys,
            _ => BppCommandId::LoadProfileElements,
        };
        for (number, command) in commands.iter().enumerate() {
            // Every eighth byte and the last: heads, data and MACs.
            let places = (0..command.len()).step_by(8).chain([command.len() - 1]);
            for place in places {
                let mut altered = command.to_vec();
                altered[place] ^= 0x01;
                let mut all = commands.clone();
                all[number] = &altered;
                let mut lab = start.clone();
                let mut result = None;
                for command in &all {
                    let answer = lab.send(command);
                    if !answer.data.is_empty() || answer.sw != Sw::OK {
                        result = Some(answer);
                        break;
                    }
                }
                let answer = result.unwrap_or_else(|| panic!("{number} {place} was taken"));
                assert!(lab.euicc.state().profile(&NEW.parse().unwrap()).is_none());
                // What no longer looks like a package is another command, or none.
                if place == 0 && number == 0 {
                    assert_ne!(answer.sw, Sw::OK);
                    continue;
                }
                if place == 0 && answer.sw != Sw::OK {
                    continue;
                }
                let result = ProfileInstallationResult::from_der(&answer.data).unwrap();
                let (command_id, _) = error(&result);
                // A wrong head of a sequence may only be seen in its segments, or be another's head.
                assert!(
                    command_id == expected(number) || command.len() < 12 || place == 0,
                    "{number} {place} {command_id:?}"
                );
                // The session is over.
                assert_eq!(lab.send(all[0]).sw, Sw::CONDITIONS_NOT_SATISFIED);
            }
        }
    }
}

#[test]
fn segments_in_another_order_or_missing_are_refused() {
    let server = Server::new();
    let mut start = Lab::bare();
    let prepared = start.prepared(&server);
    let package = server.package(&prepared.euicc_signed2.euicc_otpk);
    let commands = bpp::commands(&package).unwrap();
    for missing in 1..commands.len() {
        let mut all = commands.clone();
        all.remove(missing);
        let result = start.clone().load_package(&all);
        assert!(result.is_none_or(|r| error(&r).1 != ErrorReason::PeProcessingError));
        if missing + 1 < commands.len() {
            let mut all = commands.clone();
            all.swap(missing, missing + 1);
            let result = start.clone().load_package(&all).expect("a result");
            assert!(matches!(
                error(&result).1,
                ErrorReason::Scp03tSecurityError | ErrorReason::Scp03tStructureError
            ));
        }
    }
    // Bytes after the end, in the same command.
    let mut last = commands.last().unwrap().to_vec();
    last.push(0);
    let mut all = commands.clone();
    *all.last_mut().unwrap() = &last;
    let result = start.clone().load_package(&all).expect("a result");
    assert_eq!(
        error(&result),
        (
            BppCommandId::LoadProfileElements,
            ErrorReason::Scp03tStructureError
        )
    );
}

#[test]
fn metadata_are_checked() {
    let refused = |change: &dyn Fn(&mut Server)| {
        let mut server = Server::new();
        change(&mut server);
        Lab::bare().refused(&server)
    };
    let metadata = |reason| (BppCommandId::StoreMetadata, reason);
    assert_eq!(
        refused(&|s| s.metadata.iccid = ALPHA.parse().unwrap()),
        metadata(ErrorReason::IccidAlreadyExists)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_class = Some(sgp::profile::ProfileClass::from_code(9))),
        metadata(ErrorReason::UnsupportedProfileClass)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_name = "x".repeat(65)),
        metadata(ErrorReason::IncorrectInputValues)
    );
    assert_eq!(
        refused(&|s| s.metadata.icon = Some(octets(vec![1]))),
        metadata(ErrorReason::IncorrectInputValues)
    );
    // PPR1 with other operational profiles there, and rules without an owner.
    assert_eq!(
        refused(&|s| s.metadata.profile_policy_rules = Some(PprIds::of(&[PprIds::PPR1]))),
        metadata(ErrorReason::PprNotAllowed)
    );
    assert_eq!(
        refused(&|s| s.metadata.profile_policy_rules = Some(PprIds::of(&[PprIds::PPR2]))),
        metadata(ErrorReason::PprNotAllowed)
    );
}

#[test]
fn memory_is_counted_and_said() {
    let mut server = Server::new();
    let mut lab = Lab::bare();
    lab.euicc.constants.limits.profile_memory = 2999;
    let info: EuiccInfo2 = lab.call(&GetEuiccInfo2Request {});
    let resource = info.ext_card_resource.to_vec();
    let free = tlv::require(&resource, 0x82).unwrap();
    assert_eq!(free.value, [0x0B, 0xB7]);
    assert_eq!(
        lab.refused(&server),
        (
            BppCommandId::LoadProfileElements,
            ErrorReason::InsufficientMemory
        )
    );
    server.profile = package(2999);
    assert_ne!(lab.refused(&server).1, ErrorReason::InsufficientMemory);
}

#[test]
fn a_profile_is_installed_deleted_and_enabled_at_once_where_that_is_configured() {
    let mut server = Server::new();
    server.profile = small_package(NEW);
    let told = |events: &[u8], address: &str| NotificationConfigurationInformation {
        profile_management_operation: NotificationEvent::of(events),
        notification_address: address.into(),
    };
    server.metadata.notification_configuration_info = Some(vec![
        told(&[NotificationEvent::NOTIFICATION_INSTALL], "delta.example"),
        told(
            &[NotificationEvent::NOTIFICATION_ENABLE],
            "smdp.lab.example",
        ),
    ]);
    server.metadata.icon_type = Some(IconType::Png);
    server.metadata.icon = Some(octets(vec![1, 2, 3]));
    let mut lab = Lab::bare();
    let immediate: ConfigureImmediateProfileEnablingResponse =
        lab.call(&ConfigureImmediateProfileEnablingRequest {
            immediate_enable_flag: true,
            default_smdp_oid: Some(server.smdp.oid().unwrap()),
            default_smdp_address: Some(server.smdp.address.clone()),
        });
    assert_eq!(
        immediate.config_immediate_enable_result,
        ConfigImmediateEnableResult::Ok
    );
    let enable = |lab: &mut Lab| -> ImmediateEnableResult {
        let answer: ImmediateEnableResponse =
            lab.call(&ImmediateEnableRequest { refresh_flag: true });
        answer.immediate_enable_result
    };
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
    let free = lab.euicc.free_profile_memory();
    let result = lab.download(&server);
    let data = &result.profile_installation_result_data;
    let FinalResult::SuccessResult(success) = &data.final_result else {
        panic!("{data:?}");
    };
    let profile = lab.profile(NEW).clone();
    assert_eq!(success.aid.as_bytes(), profile.isdp_aid);
    assert_eq!(profile.name, "Delta IoT");
    assert_eq!(profile.fallback_allowed, Some(true));
    assert!(!profile.enabled);
    assert!(profile.size > 0);
    assert_eq!(lab.euicc.free_profile_memory(), free - profile.size);
    assert!(lab.euicc.state().one_time.is_none());
    // The result, and a notification for another address.
    assert_eq!(lab.euicc.state().notifications.len(), 2);
    let infos: ProfileInfoListResponse = lab.call(&ProfileInfoListRequest::default());
    let ProfileInfoListResponse::ProfileInfoListOk(list) = infos else {
        panic!("{infos:?}");
    };
    let info = list.last().unwrap();
    assert_eq!(info.iccid, Some(iccid(NEW)));
    assert_eq!(info.icon, server.metadata.icon);

    assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    assert_eq!(enable(&mut lab), ImmediateEnableResult::Ok);
    assert_eq!(lab.enabled().as_deref(), Some(NEW));
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
    // Once more, it is there already.
    assert_eq!(
        lab.refused(&server),
        (BppCommandId::StoreMetadata, ErrorReason::IccidAlreadyExists)
    );
    // The package is of another profile than the metadata.
    server.profile = small_package(GAMMA);
    server.metadata.iccid = "8949449999999990007".parse().unwrap();
    assert_eq!(
        lab.refused(&server),
        (BppCommandId::LoadProfileElements, ErrorReason::DataMismatch)
    );
    assert_eq!(enable(&mut lab), ImmediateEnableResult::NoSessionContext);
}

#[test]
fn immediate_enabling_looks_at_who_sent_the_profile() {
    let mut server = Server::new();
    server.profile = small_package(NEW);
    for (oid, address) in [
        (Some("1.2.3".parse().unwrap()), None),
        (None, Some("other.example".to_owned())),
    ] {
        let mut lab = Lab::bare();
        let _: ConfigureImmediateProfileEnablingResponse =
            lab.call(&ConfigureImmediateProfileEnablingRequest {
                immediate_enable_flag: true,
                default_smdp_oid: oid,
                default_smdp_address: address,
            });
        lab.download(&server);
        let answer: ImmediateEnableResponse =
            lab.call(&ImmediateEnableRequest { refresh_flag: true });
        assert_eq!(
            answer.immediate_enable_result,
            ImmediateEnableResult::ImmediateEnableNotAvailable
        );
        assert_eq!(lab.enabled().as_deref(), Some(ALPHA));
    }
}

#[test]
fn results_are_notifications_until_they_are_acknowledged() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let result = lab.download(&server);
    let data = result.profile_installation_result_data.value();
    assert_eq!(data.transaction_id, server.transaction);
    assert_eq!(data.smdp_oid, server.smdp.oid().unwrap());
    assert_eq!(
        data.notification_metadata.notification_address,
        "smdp.lab.example"
    );
    assert_eq!(data.notification_metadata.iccid, Some(iccid(NEW)));
    let seq = data.notification_metadata.seq_number;
    let listed: ListNotificationResponse = lab.call(&ListNotificationRequest::default());
    assert_eq!(
        listed,
        ListNotificationResponse::NotificationMetadataList(vec![
            data.notification_metadata.clone()
        ])
    );
    lab.euicc.refresh();
    let retrieved: RetrieveNotificationsListResponse =
        lab.call(&RetrieveNotificationsListRequest::seq_number(seq));
    assert_eq!(
        retrieved,
        RetrieveNotificationsListResponse::NotificationList(vec![
            PendingNotification::ProfileInstallationResult(result)
        ])
    );
    let sent: NotificationSentResponse = lab.call(&NotificationSentRequest { seq_number: seq });
    assert_eq!(
        sent.delete_notification_status,
        DeleteNotificationStatus::Ok
    );
    assert!(lab.euicc.state().notifications.is_empty());
}

#[test]
fn a_load_that_something_comes_in_between_is_reported_as_interrupted() {
    let (mut lab, server) = (Lab::bare(), Server::new());
    let prepared = lab.prepared(&server);
    let otpk = &prepared.euicc_signed2.euicc_otpk;
    let package = server.package(otpk);
    let commands = bpp::commands(&package).unwrap();
    assert_eq!(lab.load_package(&commands[..6]), None);
    lab.challenge();
    let RetrieveNotificationsListResponse::NotificationList(list) =
        lab.call(&RetrieveNotificationsListRequest::default())
    else {
        panic!("no list");
    };
    let [PendingNotification::ProfileInstallationResult(result)] = list.as_slice() else {
        panic!("{list:?}");
    };
    assert_eq!(
        error(result),
        (BppCommandId::LoadProfileElements, ErrorReason::Interruption)
    );
    // The key that the package is bound to is still there.
    let ok = lab.authenticated(&server);
    let again = lab.prepare(&server.preparation_of(&ok, false, Some(otpk)));
    let PrepareDownloadResponse::DownloadResponseOk(again) = again else {
        panic!("{again:?}");
    };
    assert_eq!(again.euicc_signed2.euicc_otpk, *otpk);
    let package = bpp::sign_again(&package, &server.transaction, otpk, &server.smdp.pb.key);
    let package = package.unwrap();
    let commands = bpp::commands(&package).unwrap();
    // Begun anew in the same session, too.
    assert_eq!(lab.load_package(&commands[..5]), None);
    let result = lab.load_package(&commands).expect("a result");
    assert_ne!(error(&result).1, ErrorReason::Scp03tSecurityError);
}

#[test]
fn a_power_cut_before_each_write_leaves_nothing_half() {
    let server = Server::new();
    let mut start = Lab::bare();
    let prepared = start.prepared(&server);
    let package = server.package(&prepared.euicc_signed2.euicc_otpk);
    let commands = bpp::commands(&package).unwrap();
    let mut whole = start.clone();
    whole.load_package(&commands).expect("a result");
    let writes = whole.nvm.writes - start.nvm.writes;
    // Three segments and the end.
    assert_eq!(writes, 4);
    for cut in 0..writes {
        let mut lab = start.clone();
        let before = lab.euicc.state().clone();
        lab.nvm.cut_after(cut);
        let cuts = commands
            .iter()
            .filter(|command| lab.euicc.es10(&mut lab.nvm, command).is_err())
            .count();
        assert!(cuts > 0);
        lab.nvm.restore();
        lab.euicc.refresh();
        lab.euicc.check_invariants().unwrap();
        assert!(*lab.euicc.state() == before);
        let ok = lab.authenticated(&server);
        let otpk = &prepared.euicc_signed2.euicc_otpk;
        let request = server.preparation_of(&ok, false, Some(otpk));
        assert!(matches!(
            lab.prepare(&request),
            PrepareDownloadResponse::DownloadResponseOk(_)
        ));
        let package = bpp::sign_again(&package, &server.transaction, otpk, &server.smdp.pb.key);
        let package = package.unwrap();
        let again = lab.load_package(&bpp::commands(&package).unwrap());
        let reason = error(&again.expect("a result")).1;
        assert_eq!(reason, ErrorReason::PeProcessingError);
    }
}

#[test]
fn certificates_for_servers_are_checked_with_the_time_where_there_is_one() {
    let hierarchy = Hierarchy::lab().unwrap();
    let ci = &hierarchy.ci.certificate;
    let old = hierarchy
        .issue_server("old.example", ServerRole::Authentication, (2020, 2022))
        .unwrap();
    let verify = |at| {
        crate::pki::verify_server_certificate(ci, &old.certificate, ServerRole::Authentication, at)
    };
    assert!(verify(None).is_ok());
    // 1 January 2021 and 2030.
    assert!(verify(Some(1_609_459_200)).is_ok());
    assert!(matches!(
        verify(Some(1_893_456_000)),
        Err(crate::pki::ChainError::Expired { .. })
    ));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn nothing_that_comes_in_a_session_panics(
        bytes in proptest::collection::vec(any::<u8>(), 0..80),
        tag in prop::sample::select(vec![
            0xBF21u32, 0xBF36, 0xBF38, 0xBF41, 0xA0, 0xA1, 0xA2, 0xA3, 0x86, 0x87, 0x88,
        ]),
        after in 0usize..8,
    ) {
        thread_local! {
            static READY: (Lab, Vec<Vec<u8>>) = {
                let (mut lab, server) = (Lab::bare(), Server::new());
                let prepared = lab.prepared(&server);
                let package = server.package(&prepared.euicc_signed2.euicc_otpk);
                let commands = bpp::commands(&package).unwrap();
                (lab, commands.into_iter().map(<[u8]>::to_vec).collect())
            };
        }
        let (mut lab, commands) = READY.with(Clone::clone);
        for command in commands.iter().take(after) {
            lab.send(command);
        }
        lab.send(&tlv::write(tag, &bytes));
        lab.send(&bytes);
    }
}

/// A package of a header and an end.
fn small_package(iccid: &str) -> Vec<u8> {
    let iccid: Iccid = iccid.parse().unwrap();
    let digits: Vec<u8> = iccid.as_bytes().iter().map(|b| b.rotate_left(4)).collect();
    let mut header = vec![0x80, 1, 2, 0x81, 1, 3];
    header.extend(tlv::write(0x83, &digits));
    header.extend([0xA5, 0, 0xA6, 0]);
    let mut out = tlv::write(0xA0, &header);
    out.extend([0xAA, 5, 0xA0, 3, 0x81, 1, 1]);
    out
}

/// Data objects that look like a package from afar, so many bytes of them.
fn package(length: usize) -> Vec<u8> {
    let mut out = tlv::write(0xA0, &[]);
    let rest = length - out.len() - 4;
    out.extend(tlv::write(0xBF50, &vec![0; rest - 1]));
    assert_eq!(out.len(), length);
    out
}
