//! Profile download, with a server each of whose messages can be made wrong.

mod authentication;
mod certificates;
mod installing;
mod loading;

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
