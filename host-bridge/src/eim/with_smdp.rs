//! Indirect downloads: an eUICC, an IPA of a few lines, the eIM and the lab's SM-DP+, over real HTTP.

use super::*;
use crate::smdp::client::Binding;
use crate::smdp::{NewOrder, OrderState, Smdp, SmdpOptions, metadata_of};
use crate::web::{self, ASN1};
use applet_model::sgp::asn1::Explicit;
use applet_model::sgp::download::*;
use applet_model::sgp::es10::{GetEuiccChallengeRequest, GetEuiccChallengeResponse};
use applet_model::sgp::esipa::{
    EimPackageResult, GetEimPackageRequest, GetEimPackageResponse, HandleNotificationEsipa,
    ProvideEimPackageResult, ProvideEimPackageResultResponse,
};
use applet_model::sgp::euicc_info::{EuiccInfo1, GetEuiccInfo1Request};
use applet_model::sgp::ipa_data::*;
use applet_model::sgp::notification::*;
use applet_model::sgp::{ActivationCode, Decode, Encode, KeyId, TransactionId};
use cards::euicc::{Euicc, EuiccConfig, bpp};
use cards::pki::Hierarchy;
use cards::power::Nvm;
use cards::saip::description::{Description, LAB_TOML};
use proptest::prelude::*;

const EID: &str = "89049032123451234512345678901235";
const SMDP: &str = "smdp.lab.example";

/// The lab's own package, made of its description.
fn profile() -> Vec<u8> {
    let description: Description = toml::from_str(LAB_TOML).unwrap();
    description.package().unwrap().encode().unwrap()
}

struct World {
    smdp: Smdp,
    smdp_server: Option<ServerHandle>,
    eim: Eim,
    server: ServerHandle,
    euicc: Euicc,
    nvm: Nvm,
    eid: Eid,
    /// Commands of the package that the IPA gives the eUICC before it loses interest.
    commands: usize,
    /// The last requests to the eIM.
    requests: Vec<Vec<u8>>,
}

/// How a download ended that didn't bring a result: the function and the error's name, or what the IPA did.
type Ended = Result<ProfileInstallationResult, String>;

impl World {
    fn new(binding: Binding) -> Self {
        let hierarchy = Hierarchy::lab().unwrap();
        let options = SmdpOptions {
            seed: Some(1),
            ..SmdpOptions::default()
        };
        let credential = hierarchy.smdp.clone().unwrap();
        let smdp = Smdp::open(None, &hierarchy, credential, options).unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let smdp_server = smdp.serve(any, false).unwrap();
        let identity = EimIdentity::of_hierarchy(&hierarchy).unwrap();
        let eim = Eim::open(&Storage::Memory, identity, EimOptions::default()).unwrap();
        eim.forward(Forward {
            name: SMDP.into(),
            to: smdp_server.address(),
            binding,
        });
        let eid: Eid = EID.parse().unwrap();
        let config = EuiccConfig::lab(EID.parse().unwrap()).unwrap();
        let server = eim.serve(any).unwrap();
        World {
            smdp,
            smdp_server: Some(smdp_server),
            eim,
            server,
            euicc: Euicc::new(config).unwrap(),
            nvm: Nvm::default(),
            eid,
            commands: usize::MAX,
            requests: Vec::new(),
        }
    }

    /// An order `A` at the SM-DP+.
    fn ordered(code: Option<&str>) -> Self {
        let w = World::new(Binding::Json);
        w.order(code);
        w
    }

    fn order(&self, code: Option<&str>) {
        let profile = profile();
        let metadata = metadata_of(&profile, "Delta", "Delta IoT").unwrap();
        let order = NewOrder {
            matching_id: "A".into(),
            eid: None,
            confirmation_code: code.map(Into::into),
            metadata: metadata.to_der().unwrap(),
            profile,
        };
        self.smdp.order(&order).unwrap();
    }

    fn es10<T>(&mut self, request: &impl Encode) -> T
    where
        T: for<'a> Decode<'a, Error = der::Error>,
    {
        let command = request.to_der().unwrap();
        let answer = self.euicc.es10(&mut self.nvm, &command).unwrap();
        T::from_der(&answer.data).unwrap()
    }

    fn post(&mut self, body: Vec<u8>) -> (u16, Vec<u8>) {
        let target = web::Target {
            to: self.server.address(),
            host: "eim.lab.example",
            path: PATH,
            content_type: ASN1,
            tls: None,
        };
        let answer = web::post(&target, &body).unwrap();
        self.requests.push(body);
        answer
    }

    fn esipa<T>(&mut self, request: &impl Encode) -> T
    where
        T: for<'a> Decode<'a, Error = der::Error>,
    {
        let (status, body) = self.post(request.to_der().unwrap());
        assert_eq!(status, 200, "{:?}", self.eim.take_log().last());
        T::from_der(&body).unwrap()
    }

    fn enqueue(&self, text: &str) -> i64 {
        let operation = text.parse().unwrap();
        self.eim.enqueue(&self.eid, &[operation]).unwrap()
    }

    fn poll(&mut self) -> GetEimPackageResponse {
        self.esipa(&GetEimPackageRequest::new(self.eid))
    }

    fn trigger(&mut self) -> ProfileDownloadTriggerRequest {
        match self.poll() {
            GetEimPackageResponse::ProfileDownloadTriggerRequest(trigger) => trigger,
            other => panic!("{other:?}"),
        }
    }

    fn package(&self) -> PackageRow {
        self.eim.packages(&self.eid).unwrap().pop().unwrap()
    }

    fn order_state(&self) -> OrderState {
        self.smdp.orders().unwrap()[0].state
    }

    fn cancel(&mut self, id: &TransactionId, reason: CancelSessionReason) {
        let response: CancelSessionResponse = self.es10(&CancelSessionRequest {
            transaction_id: id.clone(),
            reason,
        });
        let answer: CancelSessionResponseEsipa = self.esipa(&CancelSessionRequestEsipa {
            transaction_id: id.clone(),
            cancel_session_response: Explicit(response),
        });
        assert_eq!(
            answer,
            CancelSessionResponseEsipa::CancelSessionOk(CancelSessionOk {})
        );
    }

    fn initiate(
        &mut self,
        trigger: &ProfileDownloadTriggerRequest,
        address: Option<&str>,
    ) -> InitiateAuthenticationResponseEsipa {
        let challenge: GetEuiccChallengeResponse = self.es10(&GetEuiccChallengeRequest {});
        let info: EuiccInfo1 = self.es10(&GetEuiccInfo1Request {});
        self.esipa(&InitiateAuthenticationRequestEsipa {
            euicc_challenge: challenge.euicc_challenge,
            smdp_address: address.map(Into::into),
            euicc_info1: Some(info),
            eim_transaction_id: trigger.eim_transaction_id.clone(),
        })
    }

    /// SGP.32 3.2.3.2 up to the session's metadata. Without an activation code in the trigger, the eIM knows.
    fn authenticate(
        &mut self,
        trigger: &ProfileDownloadTriggerRequest,
    ) -> Result<AuthenticateClientOkDpEsipa, String> {
        let code: Option<ActivationCode> = match &trigger.profile_download_data {
            Some(ProfileDownloadData::ActivationCode(code)) => Some(code.parse().unwrap()),
            _ => None,
        };
        let address = code.as_ref().map(|code| code.address.clone());
        let server = match self.initiate(trigger, address.as_deref()) {
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(ok) => ok,
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(e) => {
                return Err(e.to_string());
            }
        };
        let matching_id = server.matching_id.or(code.map(|code| code.matching_id));
        let transaction_id = server.server_signed1.transaction_id.clone();
        let response: AuthenticateServerResponse = self.es10(&AuthenticateServerRequest {
            server_signed1: server.server_signed1,
            server_signature1: server.server_signature1,
            euicc_ci_pk_id_to_be_used: KeyId::new(
                server.euicc_ci_pk_identifier_to_be_used.to_vec(),
            )
            .unwrap(),
            server_certificate: server.server_certificate,
            ctx_params1: CtxParams1::CtxParamsForCommonAuthentication(
                CtxParamsForCommonAuthentication {
                    matching_id,
                    device_info: DeviceInfo {
                        tac: vec![0x35, 0x29, 0x06, 0x11].into(),
                        device_capabilities: DeviceCapabilities::default(),
                        imei: None,
                    },
                },
            ),
        });
        let request = AuthenticateClientRequestEsipa {
            transaction_id,
            authenticate_server_response: response,
        };
        match self.esipa(&request) {
            AuthenticateClientResponseEsipa::AuthenticateClientOkDpEsipa(ok) => Ok(ok),
            AuthenticateClientResponseEsipa::AuthenticateClientErrorEsipa(e) => Err(e.to_string()),
            other => panic!("{other:?}"),
        }
    }

    fn load(&mut self, ok: AuthenticateClientOkDpEsipa) -> Ended {
        let transaction_id = ok.smdp_signed2.transaction_id.clone();
        let response: PrepareDownloadResponse = self.es10(&PrepareDownloadRequest {
            smdp_signed2: ok.smdp_signed2,
            smdp_signature2: ok.smdp_signature2,
            hash_cc: ok.hash_cc,
            smdp_certificate: ok.smdp_certificate,
        });
        let request = GetBoundProfilePackageRequestEsipa {
            transaction_id: transaction_id.clone(),
            prepare_download_response: response,
        };
        let package = match self.esipa(&request) {
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok) => {
                ok.bound_profile_package.to_der().unwrap()
            }
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageErrorEsipa(e) => {
                return Err(e.to_string());
            }
        };
        for command in bpp::commands(&package)
            .unwrap()
            .into_iter()
            .take(self.commands)
        {
            let answer = self.euicc.es10(&mut self.nvm, command).unwrap().data;
            if !answer.is_empty() {
                return Ok(ProfileInstallationResult::from_der(&answer).unwrap());
            }
        }
        Err("left in the middle".into())
    }

    fn download(&mut self, trigger: &ProfileDownloadTriggerRequest) -> Ended {
        self.authenticate(trigger).and_then(|ok| self.load(ok))
    }

    fn notify(&mut self, result: &ProfileInstallationResult) {
        let message = HandleNotificationEsipa::PendingNotification(
            PendingNotification::ProfileInstallationResult(result.clone()),
        );
        assert_eq!(self.post(message.to_der().unwrap()).0, 204);
    }
}

const CODE: &str = "download 1$smdp.lab.example$A";

#[test]
fn a_profile_goes_from_the_order_through_the_eim_into_the_euicc() {
    for binding in [Binding::Json, Binding::Asn1] {
        let mut w = World::new(binding);
        w.order(None);
        w.enqueue(CODE);
        let trigger = w.trigger();
        let again = w.trigger();
        assert_eq!(again, trigger, "handed out until it ends");
        let result = w.download(&trigger).unwrap();
        let data = &result.profile_installation_result_data;
        let iccid = data.notification_metadata.iccid.unwrap().to_string();
        assert_eq!(w.package().state, PackageState::Sent);
        w.notify(&result);
        let package = w.package();
        assert_eq!(package.state, PackageState::Done, "{}", package.note);
        assert_eq!(package.note, format!("{iccid} installed"));
        let inventory = w.eim.inventory(&w.eid).unwrap();
        assert_eq!(inventory.profiles.len(), 1);
        let row = &inventory.profiles[0];
        assert_eq!(
            (
                row.iccid.as_str(),
                row.state.as_str(),
                row.name.as_str(),
                row.provider.as_str()
            ),
            (iccid.as_str(), "disabled", "Delta IoT", "Delta")
        );
        // Its certificates came with AuthenticateClient, the SM-DP+ was told.
        assert!(w.eim.devices().unwrap()[0].certified);
        assert_eq!(w.order_state(), OrderState::Installed);
        let notification = w.eim.notifications(&w.eid).unwrap().remove(0);
        assert!(notification.verified);
        assert_eq!(notification.state, "forwarded");
        assert_eq!(w.poll(), GetEimPackageResponse::no_package());
        let euicc_has = w.euicc.state().profile(&iccid.parse().unwrap()).is_some();
        assert!(euicc_has);
        // The same again, in any form, changes nothing; the IPA may drop it.
        w.notify(&result);
        let eid_value = Some(w.eid);
        let response: ProvideEimPackageResultResponse = w.esipa(&ProvideEimPackageResult {
            eid_value,
            eim_package_result: EimPackageResult::ProfileDownloadTriggerResult(
                ProfileDownloadTriggerResult {
                    eim_transaction_id: trigger.eim_transaction_id.clone(),
                    profile_download_trigger_result_data:
                        ProfileDownloadTriggerResultData::ProfileInstallationResult(result),
                },
            ),
        });
        let ProvideEimPackageResultResponse::EimAcknowledgements(list) = response else {
            panic!("{response:?}");
        };
        assert_eq!(list.0.len(), 1);
        assert_eq!(w.eim.notifications(&w.eid).unwrap().len(), 1);
        assert_eq!(w.eim.results(&w.eid).unwrap().len(), 1);
    }
}

#[test]
fn the_eim_keeps_activation_and_confirmation_code_to_itself() {
    let mut w = World::ordered(Some("1234"));
    w.enqueue("downloadByEim 1$smdp.lab.example$A$$1 confirmationCode 4321");
    let trigger = w.trigger();
    assert_eq!(trigger.profile_download_data, None);
    assert!(!w.package().text.contains("4321"));
    let refused = w.download(&trigger).unwrap_err();
    assert_eq!(refused, "confirmationCodeRefused(3)");
    let package = w.package();
    assert_eq!(package.state, PackageState::Failed);
    assert!(
        package.note.contains("confirmationCodeRefused"),
        "{}",
        package.note
    );
    assert_eq!(w.order_state(), OrderState::Released);
    w.enqueue("downloadByEim 1$smdp.lab.example$A$$1 confirmationCode 1234");
    let trigger = w.trigger();
    let result = w.download(&trigger).unwrap();
    w.notify(&result);
    assert_eq!(w.package().state, PackageState::Done);
    assert_eq!(w.order_state(), OrderState::Installed);
}

#[test]
fn what_does_not_fit_is_refused_by_its_own_code_and_ends_the_order() {
    for (order, code, ends) in [
        ("download 1$other.example$A", "invalidDpAddress(1)", true),
        (
            "download 1$smdp.lab.example$B",
            "matchingIdRefused(6)",
            true,
        ),
        (
            "download 1$smdp.lab.example$A$2.999.10",
            "smdpOidMismatch(51)",
            true,
        ),
    ] {
        let mut w = World::ordered(None);
        w.enqueue(order);
        let trigger = w.trigger();
        assert_eq!(w.download(&trigger).unwrap_err(), code, "{order}");
        let package = w.package();
        assert_eq!(package.state == PackageState::Failed, ends, "{order}");
        assert!(package.note.contains(code), "{}", package.note);
    }
    let mut w = World::ordered(None);
    w.enqueue(CODE);
    let mut trigger = w.trigger();
    let initiated = |answer| match answer {
        InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(e) => e.to_string(),
        InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(_) => "ok".into(),
    };
    let answer = w.initiate(&trigger, Some("other.example"));
    assert_eq!(initiated(answer), "smdpAddressMismatch(50)");
    // That was the order's end; its transaction isn't known any more, and no other ever was.
    let answer = w.initiate(&trigger, Some(SMDP));
    assert_eq!(initiated(answer), "invalidEimTransactionId(52)");
    trigger.eim_transaction_id = TransactionId::new([7; 16]);
    let answer = w.initiate(&trigger, Some(SMDP));
    assert_eq!(initiated(answer), "invalidEimTransactionId(52)");
    // A download of the device's own goes through: it only has to name the server.
    trigger.eim_transaction_id = None;
    assert_eq!(initiated(w.initiate(&trigger, Some(SMDP))), "ok");
    assert_eq!(initiated(w.initiate(&trigger, None)), "invalidDpAddress(1)");
}

#[test]
fn an_smdp_that_is_away_costs_nothing_but_time() {
    let mut w = World::ordered(None);
    w.enqueue(CODE);
    let trigger = w.trigger();
    w.smdp_server.take();
    assert_eq!(w.download(&trigger).unwrap_err(), "undefinedError(127)");
    assert_eq!(w.package().state, PackageState::Sent);
    let server = w.smdp.serve(([127, 0, 0, 1], 0).into(), false).unwrap();
    w.eim.forward(Forward {
        name: SMDP.into(),
        to: server.address(),
        binding: Binding::Asn1,
    });
    let trigger = w.trigger();
    let result = w.download(&trigger).unwrap();
    drop(server);
    // The result is kept here, and forwarded when it comes again.
    w.notify(&result);
    assert_eq!(w.package().state, PackageState::Done);
    assert_eq!(
        w.eim.notifications(&w.eid).unwrap()[0].state,
        "not forwarded"
    );
    let server = w.smdp.serve(([127, 0, 0, 1], 0).into(), false).unwrap();
    w.eim.forward(Forward {
        name: SMDP.into(),
        to: server.address(),
        binding: Binding::Json,
    });
    w.notify(&result);
    assert_eq!(w.eim.notifications(&w.eid).unwrap()[0].state, "forwarded");
    assert_eq!(w.order_state(), OrderState::Installed);
}

#[test]
fn who_says_no_ends_the_order_and_who_cannot_now_gets_it_again() {
    for (reason, state) in [
        (CancelSessionReason::EndUserRejection, PackageState::Failed),
        (CancelSessionReason::Postponed, PackageState::Sent),
    ] {
        let mut w = World::ordered(None);
        w.enqueue(CODE);
        let trigger = w.trigger();
        let ok = w.authenticate(&trigger).unwrap();
        w.cancel(&ok.smdp_signed2.transaction_id, reason);
        let package = w.package();
        assert_eq!(package.state, state);
        assert!(package.note.contains(reason.name()), "{}", package.note);
        // Not in the same session of the IPA.
        assert_eq!(w.poll(), GetEimPackageResponse::no_package());
        if state == PackageState::Sent {
            assert_eq!(w.trigger(), trigger);
            let result = w.download(&trigger).unwrap();
            w.notify(&result);
            assert_eq!(w.package().state, PackageState::Done);
        }
    }
}

#[test]
fn a_download_left_in_the_middle_goes_on_with_the_same_package() {
    let mut w = World::ordered(None);
    w.enqueue(CODE);
    let trigger = w.trigger();
    w.commands = 6;
    assert_eq!(w.download(&trigger).unwrap_err(), "left in the middle");
    assert_eq!(w.order_state(), OrderState::Downloaded);
    // The eUICC says so itself when the next session begins.
    w.commands = usize::MAX;
    let trigger = w.trigger();
    let ok = w.authenticate(&trigger).unwrap();
    let list: RetrieveNotificationsListResponse =
        w.es10(&RetrieveNotificationsListRequest::default());
    let RetrieveNotificationsListResponse::NotificationList(list) = list else {
        panic!("{list:?}");
    };
    for notification in list {
        if let PendingNotification::ProfileInstallationResult(result) = notification {
            w.notify(&result);
            assert_eq!(
                w.package().state,
                PackageState::Sent,
                "{}",
                w.package().note
            );
        }
    }
    let result = w.load(ok).unwrap();
    w.notify(&result);
    assert_eq!(
        w.package().state,
        PackageState::Done,
        "{}",
        w.package().note
    );
    assert_eq!(w.order_state(), OrderState::Installed);
    assert_eq!(w.smdp.orders().unwrap()[0].downloads, 2);
}

/// A result of a download that the IPA did itself: the eIM saw nothing of it.
fn direct(w: &mut World) -> (ProfileDownloadTriggerRequest, ProfileInstallationResult) {
    w.enqueue(CODE);
    let trigger = w.trigger();
    let result = w.download(&trigger).unwrap();
    w.eim
        .with_db(|db| db.execute("DELETE FROM download", []))
        .unwrap();
    (trigger, result)
}

fn delivered(
    w: &World,
    trigger: &ProfileDownloadTriggerRequest,
    data: ProfileDownloadTriggerResultData,
) -> ProvideEimPackageResult {
    ProvideEimPackageResult {
        eid_value: Some(w.eid),
        eim_package_result: EimPackageResult::ProfileDownloadTriggerResult(
            ProfileDownloadTriggerResult {
                eim_transaction_id: trigger.eim_transaction_id.clone(),
                profile_download_trigger_result_data: data,
            },
        ),
    }
}

#[test]
fn a_direct_download_is_settled_by_the_ipas_answer() {
    let mut w = World::ordered(None);
    let (trigger, result) = direct(&mut w);
    let data = ProfileDownloadTriggerResultData::ProfileInstallationResult(result.clone());
    // Altered, it is kept and not believed; the right one is.
    let mut forged = result.clone();
    let mut signature = forged.euicc_sign_pir.to_vec();
    signature[3] ^= 1;
    forged.euicc_sign_pir = signature.into();
    let message = delivered(
        &w,
        &trigger,
        ProfileDownloadTriggerResultData::ProfileInstallationResult(forged),
    );
    let _: ProvideEimPackageResultResponse = w.esipa(&message);
    assert_eq!(w.package().state, PackageState::Unverified);
    assert!(w.eim.inventory(&w.eid).unwrap().profiles.is_empty());
    // Inside of HandleNotification, as 3.2.3.1 has it. Nothing is acknowledged: the SM-DP+ has to be told first.
    let message = HandleNotificationEsipa::ProvideEimPackageResult(delivered(&w, &trigger, data));
    assert_eq!(w.post(message.to_der().unwrap()).0, 204);
    assert_eq!(
        w.package().state,
        PackageState::Done,
        "{}",
        w.package().note
    );
    assert_eq!(w.eim.inventory(&w.eid).unwrap().profiles.len(), 1);
    assert_eq!(w.order_state(), OrderState::Downloaded);
}

#[test]
fn a_result_that_comes_alone_is_found_by_its_signature() {
    let mut w = World::ordered(None);
    let (_, result) = direct(&mut w);
    w.notify(&result);
    let notifications = w.eim.notifications(&w.eid).unwrap();
    assert_eq!(notifications.len(), 1);
    assert!(notifications[0].verified);
    assert_eq!(w.eim.inventory(&w.eid).unwrap().profiles.len(), 1);
    // Nobody's that is known: kept and forwarded all the same.
    let stranger = World::ordered(None);
    let address = w.smdp_server.as_ref().unwrap().address();
    stranger.eim.forward(Forward {
        name: SMDP.into(),
        to: address,
        binding: Binding::Asn1,
    });
    let notification = PendingNotification::ProfileInstallationResult(result);
    let text = stranger.eim.take_notification(None, &notification).unwrap();
    assert!(text.contains("forwarded"), "{text}");
}

#[test]
fn an_ipa_that_downloads_nothing_says_why() {
    let mut w = World::ordered(None);
    w.enqueue("downloadFromDefaultSmdp");
    let trigger = w.trigger();
    assert_eq!(
        trigger.profile_download_data,
        Some(ProfileDownloadData::ContactDefaultSmdp(der::asn1::Null))
    );
    let error = ProfileDownloadTriggerResultData::ProfileDownloadError(ProfileDownloadError {
        profile_download_error_reason: ProfileDownloadErrorReason::EcallActive,
        error_response: None,
    });
    let message = delivered(&w, &trigger, error);
    let response: ProvideEimPackageResultResponse = w.esipa(&message);
    assert!(matches!(
        response,
        ProvideEimPackageResultResponse::EmptyResponse(_)
    ));
    let package = w.package();
    assert_eq!(package.state, PackageState::Failed);
    assert!(package.note.contains("ecallActive"), "{}", package.note);
}

/// The requests of a whole download, and the eIM that answered them.
fn recorded() -> (Eim, Vec<Vec<u8>>, ServerHandle) {
    let mut w = World::ordered(None);
    w.enqueue(CODE);
    let trigger = w.trigger();
    let result = w.download(&trigger).unwrap();
    w.notify(&result);
    let message = delivered(
        &w,
        &trigger,
        ProfileDownloadTriggerResultData::ProfileInstallationResult(result),
    );
    let _: ProvideEimPackageResultResponse = w.esipa(&message);
    // Requests that still decode go on to an SM-DP+ that is there.
    (w.eim, w.requests, w.smdp_server.take().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_message_makes_the_eim_panic(
        which in any::<prop::sample::Index>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..4),
        cut in any::<prop::sample::Index>(),
        garbage in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        thread_local! {
            static RECORDED: (Eim, Vec<Vec<u8>>, ServerHandle) = recorded();
        }
        RECORDED.with(|(eim, requests, _)| {
            let mut bytes = which.get(requests).clone();
            for (place, bit) in &flips {
                let length = bytes.len();
                bytes[place.index(length)] ^= 1 << bit;
            }
            let status = eim.answer(&bytes).status;
            prop_assert!(matches!(status, 200 | 204 | 400 | 501), "{status}");
            bytes.truncate(cut.index(bytes.len()));
            eim.answer(&bytes);
            for tag in [0xBF39, 0xBF3A, 0xBF3B, 0xBF3D, 0xBF41, 0xBF4F, 0xBF50] {
                eim.answer(&applet_model::tlv::write(tag, &garbage));
            }
            Ok(())
        })?;
    }
}
