//! The eIM against an IPA and an eUICC played by this file, over real HTTP.

use super::*;
use crate::smdp::client::Binding;
use applet_model::sgp::esipa::{
    EimPackageResult, EprAndNotifications, GetEimPackageRequest, GetEimPackageResponse,
    ProvideEimPackageResult, ProvideEimPackageResultResponse,
};
use applet_model::sgp::euicc_package::{EuiccPackageRequest, signature_input};
use applet_model::sgp::euicc_result::{
    DeleteEimResult, DeleteProfileResult, EnableProfileResult, EuiccPackageErrorCode,
    EuiccPackageErrorDataSigned, EuiccPackageErrorSigned, EuiccPackageErrorUnsigned,
    EuiccPackageResult, EuiccPackageResultDataSigned, EuiccPackageResultSigned, EuiccResultData,
    RollbackProfileResult,
};
use applet_model::sgp::notification::{
    NotificationMetadata, OtherSignedNotification, PendingNotification,
};
use applet_model::sgp::profile::{
    NotificationEvent, ProfileInfo, ProfileInfoListResponse, ProfileState,
};
use applet_model::sgp::{CertificateDer, Decode, Encode, Octets, Signed};
use cards::pki::{EuiccCredential, Hierarchy};
use std::io::{Read, Write};
use std::net::TcpStream;

const A: &str = "89012345678901234567";
const B: &str = "89012345678901234575";

/// An eUICC that signs whatever results it is told to.
struct Euicc {
    eid: Eid,
    credential: EuiccCredential,
    token: Option<i64>,
    seq: u64,
}

impl Euicc {
    fn new(hierarchy: &Hierarchy) -> Self {
        let eid = "89049032123451234512345678901235";
        Euicc {
            eid: eid.parse().unwrap(),
            credential: hierarchy.issue_euicc(&eid.parse().unwrap()).unwrap(),
            token: None,
            seq: 0,
        }
    }

    fn sign(&self, bytes: &[u8]) -> Octets {
        let input = signature_input(bytes, self.token);
        Octets::from(self.credential.key.sign(&input).unwrap().to_vec())
    }

    fn result(
        &mut self,
        request: &EuiccPackageRequest,
        results: Vec<EuiccResultData>,
    ) -> EuiccPackageResult {
        self.seq += 1;
        let package = &request.euicc_package_signed;
        let data = Signed::new(EuiccPackageResultDataSigned {
            eim_id: package.eim_id.clone(),
            counter_value: package.counter_value,
            eim_transaction_id: package.eim_transaction_id.clone(),
            seq_number: self.seq,
            euicc_result: results,
        })
        .unwrap();
        let euicc_sign_epr = self.sign(data.bytes());
        EuiccPackageResult::EuiccPackageResultSigned(EuiccPackageResultSigned {
            euicc_package_result_data_signed: data,
            euicc_sign_epr,
        })
    }

    fn refusal(
        &self,
        request: &EuiccPackageRequest,
        code: EuiccPackageErrorCode,
    ) -> EuiccPackageResult {
        let package = &request.euicc_package_signed;
        let data = Signed::new(EuiccPackageErrorDataSigned {
            eim_id: package.eim_id.clone(),
            counter_value: package.counter_value,
            eim_transaction_id: package.eim_transaction_id.clone(),
            euicc_package_error_code: code,
        })
        .unwrap();
        let euicc_sign_epe = self.sign(data.bytes());
        EuiccPackageResult::EuiccPackageErrorSigned(EuiccPackageErrorSigned {
            euicc_package_error_data_signed: data,
            euicc_sign_epe,
        })
    }

    fn notification(&mut self, iccid: &str) -> PendingNotification {
        self.seq += 1;
        let tbs = Signed::new(NotificationMetadata {
            seq_number: self.seq,
            profile_management_operation: NotificationEvent::of(&[
                NotificationEvent::NOTIFICATION_ENABLE,
            ]),
            notification_address: "smdp.lab.example".into(),
            iccid: Some(iccid.parse().unwrap()),
        })
        .unwrap();
        let signature = self.credential.key.sign(tbs.bytes()).unwrap();
        PendingNotification::OtherSignedNotification(OtherSignedNotification {
            tbs_other_notification: tbs,
            euicc_notification_signature: Octets::from(signature.to_vec()),
            euicc_certificate: CertificateDer::from_bytes(&self.credential.euicc_certificate)
                .unwrap(),
            eum_certificate: CertificateDer::from_bytes(&self.credential.eum_certificate).unwrap(),
        })
    }
}

struct World {
    eim: Eim,
    server: ServerHandle,
    euicc: Euicc,
}

impl World {
    fn new() -> Self {
        Self::with(EimOptions::default(), true)
    }

    fn with(options: EimOptions, registered: bool) -> Self {
        let hierarchy = Hierarchy::lab().unwrap();
        let identity = EimIdentity::of_hierarchy(&hierarchy).unwrap();
        let eim = Eim::open(&Storage::Memory, identity, options).unwrap();
        let euicc = Euicc::new(&hierarchy);
        if registered {
            let registration = Registration {
                certificates: Some((
                    euicc.credential.euicc_certificate.clone(),
                    euicc.credential.eum_certificate.clone(),
                )),
                ..Registration::default()
            };
            eim.register(&euicc.eid, &registration).unwrap();
        }
        let server = eim.serve(([127, 0, 0, 1], 0).into()).unwrap();
        World { eim, server, euicc }
    }

    fn post(&self, body: &[u8]) -> (u16, Vec<u8>) {
        http(self.server.address(), PATH, crate::web::ASN1, body).unwrap()
    }

    fn poll(&self) -> GetEimPackageResponse {
        let request = GetEimPackageRequest::new(self.euicc.eid).to_der().unwrap();
        let (status, body) = self.post(&request);
        assert_eq!(status, 200);
        GetEimPackageResponse::from_der(&body).unwrap()
    }

    fn package(&self) -> EuiccPackageRequest {
        match self.poll() {
            GetEimPackageResponse::EuiccPackageRequest(request) => request,
            other => panic!("{other:?}"),
        }
    }

    fn nothing(&self) {
        assert_eq!(self.poll(), GetEimPackageResponse::no_package());
    }

    fn deliver(&self, result: EimPackageResult) -> ProvideEimPackageResultResponse {
        let message = ProvideEimPackageResult {
            eid_value: Some(self.euicc.eid),
            eim_package_result: result,
        };
        let (status, body) = self.post(&message.to_der().unwrap());
        assert_eq!(status, 200);
        ProvideEimPackageResultResponse::from_der(&body).unwrap()
    }

    fn states(&self) -> Vec<PackageState> {
        let packages = self.eim.packages(&self.euicc.eid).unwrap();
        packages.iter().map(|package| package.state).collect()
    }

    fn enqueue(&self, operations: &[&str]) {
        let operations: Vec<Operation> = operations.iter().map(|o| o.parse().unwrap()).collect();
        self.eim.enqueue(&self.euicc.eid, &operations).unwrap();
    }
}

/// One request on one connection; an error if the answer isn't whole.
fn http(
    to: SocketAddr,
    path: &str,
    content_type: &str,
    body: &[u8],
) -> std::io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_millis(500)))?;
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: eim\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let split = answer.windows(4).position(|w| w == b"\r\n\r\n");
    let at = split.ok_or_else(|| std::io::Error::other("no whole header"))?;
    let head = String::from_utf8_lossy(&answer[..at]).to_lowercase();
    let body = answer[at + 4..].to_vec();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |n| n.parse().unwrap());
    if body.len() != length {
        return Err(std::io::Error::other("no whole body"));
    }
    let status = head.split_whitespace().nth(1).unwrap().parse().unwrap();
    Ok((status, body))
}

fn ok(code: EnableProfileResult) -> EuiccResultData {
    EuiccResultData::EnableResult(code)
}

fn list(profiles: &[(&str, ProfileState)]) -> EuiccResultData {
    EuiccResultData::ListProfileInfoResult(ProfileInfoListResponse::ProfileInfoListOk(
        profiles
            .iter()
            .map(|(iccid, state)| ProfileInfo {
                iccid: Some(iccid.parse().unwrap()),
                profile_state: Some(*state),
                ..ProfileInfo::default()
            })
            .collect(),
    ))
}

fn acknowledged(response: &ProvideEimPackageResultResponse) -> Vec<u64> {
    match response {
        ProvideEimPackageResultResponse::EimAcknowledgements(list) => {
            list.0.iter().map(|n| n.0).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn nothing_pending_is_six_bytes() {
    let w = World::new();
    w.nothing();
    let log = w.eim.take_log();
    assert_eq!(log[0].function, "GetEimPackage");
    assert_eq!(log[0].response, "BF4F03020101");
    assert_eq!(w.eim.devices().unwrap()[0].polls, 1);
}

#[test]
fn packages_are_signed_counted_and_their_results_believed() {
    let mut w = World::new();
    w.enqueue(&["listProfileInfo"]);
    w.enqueue(&[
        "enable 89012345678901234575 rollback",
        "delete 89012345678901234567",
    ]);
    let first = w.package();
    let signed = &first.euicc_package_signed;
    let key = w.eim.identity().key.public_key().unwrap();
    assert!(key.verify(&signature_input(signed.bytes(), None), &first.eim_signature));
    assert_eq!((signed.counter_value, signed.eid_value), (1, w.euicc.eid));

    let result = w.euicc.result(
        &first,
        vec![list(&[
            (A, ProfileState::Enabled),
            (B, ProfileState::Disabled),
        ])],
    );
    let response = w.deliver(EimPackageResult::EuiccPackageResult(result));
    assert_eq!(acknowledged(&response), [1]);
    assert_eq!(w.eim.inventory(&w.euicc.eid).unwrap().enabled(), Some(A));

    let second = w.package();
    assert_eq!(second.euicc_package_signed.counter_value, 2);
    let result = w.euicc.result(
        &second,
        vec![
            ok(EnableProfileResult::Ok),
            EuiccResultData::DeleteResult(DeleteProfileResult::Ok),
        ],
    );
    let notification = w.euicc.notification(B);
    let both = EimPackageResult::EprAndNotifications(EprAndNotifications {
        euicc_package_result: result,
        notification_list: vec![notification],
    });
    let response = w.deliver(both.clone());
    assert_eq!(acknowledged(&response), [3, 2]);
    // The same again: acknowledged again, done once.
    assert_eq!(acknowledged(&w.deliver(both)), [3, 2]);
    assert_eq!(w.states(), [PackageState::Done, PackageState::Done]);
    let inventory = w.eim.inventory(&w.euicc.eid).unwrap();
    assert_eq!(inventory.profiles.len(), 1);
    assert!(inventory.complete && inventory.enabled() == Some(B));
    let results = w.eim.results(&w.euicc.eid).unwrap();
    assert_eq!((results.len(), results[1].times), (2, 2));
    let notifications = w.eim.notifications(&w.euicc.eid).unwrap();
    assert_eq!(notifications.len(), 1);
    assert!(notifications[0].verified);
    assert_eq!(notifications[0].state, "not forwarded");
    assert!(notifications[0].reason.contains("smdp.lab.example"));
    w.nothing();
}

#[test]
fn an_unanswered_package_is_handed_out_again_byte_for_byte() {
    let w = World::with(
        EimOptions {
            deliveries: 3,
            ..EimOptions::default()
        },
        true,
    );
    w.enqueue(&["getRAT"]);
    let first = w.package();
    assert_eq!(w.package(), first);
    assert_eq!(w.package(), first);
    w.nothing();
    let package = &w.eim.packages(&w.euicc.eid).unwrap()[0];
    assert_eq!(package.state, PackageState::Failed);
    assert!(package.note.contains("3 times"), "{}", package.note);
}

#[test]
fn ten_queued_operations_come_in_order() {
    let mut w = World::new();
    for i in 0..10 {
        w.enqueue(&[&format!("disable 8901234567890123{i:04}")]);
    }
    for i in 1..=10 {
        let request = w.package();
        assert_eq!(request.euicc_package_signed.counter_value, i);
        let result = w.euicc.result(
            &request,
            vec![EuiccResultData::DisableResult(
                applet_model::sgp::euicc_result::DisableProfileResult::Ok,
            )],
        );
        w.deliver(EimPackageResult::EuiccPackageResult(result));
    }
    w.nothing();
    assert_eq!(w.states(), [PackageState::Done; 10]);
}

#[test]
fn cat_busy_is_tried_again_and_reported_in_the_end() {
    let mut w = World::new();
    w.enqueue(&["listProfileInfo", "enable 89012345678901234575", "getRAT"]);
    w.enqueue(&["getRAT"]);
    for attempt in 1..=3u64 {
        let request = w.package();
        assert_eq!(request.euicc_package_signed.counter_value, attempt);
        let busy = ok(EnableProfileResult::CatBusy);
        let results = match attempt {
            1 => vec![list(&[]), busy],
            _ => vec![busy],
        };
        let result = w.euicc.result(&request, results);
        w.deliver(EimPackageResult::EuiccPackageResult(result));
        if attempt < 3 {
            // Not in the same session, and nothing overtakes it.
            w.nothing();
        }
    }
    let packages = w.eim.packages(&w.euicc.eid).unwrap();
    let summary: Vec<_> = packages.iter().map(|p| (p.state, p.attempt)).collect();
    assert_eq!(
        summary,
        [
            (PackageState::Retried, 1),
            (PackageState::Retried, 2),
            (PackageState::Failed, 3),
            (PackageState::Queued, 1)
        ]
    );
    assert!(
        packages[2].note.contains("after 3 attempts"),
        "{}",
        packages[2].note
    );
    assert_eq!(packages[1].text, "enable 89012345678901234575; getRAT");
    w.package();
}

#[test]
fn a_rollback_replaces_the_result_and_undoes_the_inventory() {
    let mut w = World::new();
    w.enqueue(&["listProfileInfo"]);
    w.enqueue(&["enable 89012345678901234575 rollback"]);
    let request = w.package();
    let result = w.euicc.result(
        &request,
        vec![list(&[
            (A, ProfileState::Enabled),
            (B, ProfileState::Disabled),
        ])],
    );
    w.deliver(EimPackageResult::EuiccPackageResult(result));
    let request = w.package();
    let result = w.euicc.result(
        &request,
        vec![
            ok(EnableProfileResult::Ok),
            EuiccResultData::RollbackResult(RollbackProfileResult::Ok),
        ],
    );
    w.deliver(EimPackageResult::EuiccPackageResult(result));
    assert_eq!(w.states()[1], PackageState::RolledBack);
    assert_eq!(w.eim.inventory(&w.euicc.eid).unwrap().enabled(), Some(A));
}

#[test]
fn what_is_not_signed_by_the_euicc_is_not_believed() {
    let mut w = World::new();
    w.enqueue(&["delete 89012345678901234567"]);
    let request = w.package();
    w.euicc.token = Some(7);
    let result = w.euicc.result(
        &request,
        vec![EuiccResultData::DeleteResult(DeleteProfileResult::Ok)],
    );
    let response = w.deliver(EimPackageResult::EuiccPackageResult(result));
    assert_eq!(acknowledged(&response), [1]);
    assert_eq!(w.states(), [PackageState::Unverified]);
    let results = w.eim.results(&w.euicc.eid).unwrap();
    assert!(!results[0].verified && results[0].verdict.contains("does not verify"));
    assert_eq!(w.eim.inventory(&w.euicc.eid).unwrap(), Inventory::default());
}

#[test]
fn certificates_come_with_a_notification_and_old_results_are_verified_then() {
    let mut w = World::with(EimOptions::default(), false);
    w.enqueue(&["enable 89012345678901234575"]);
    let request = w.package();
    let result = w.euicc.result(&request, vec![ok(EnableProfileResult::Ok)]);
    w.deliver(EimPackageResult::EuiccPackageResult(result));
    assert_eq!(w.states(), [PackageState::Unverified]);

    let notification = w.euicc.notification(B);
    let message =
        applet_model::sgp::esipa::HandleNotificationEsipa::PendingNotification(notification);
    assert_eq!(w.post(&message.to_der().unwrap()), (204, Vec::new()));
    assert_eq!(w.states(), [PackageState::Done]);
    assert_eq!(w.eim.inventory(&w.euicc.eid).unwrap().enabled(), Some(B));
}

#[test]
fn refusals_are_told_apart() {
    let mut w = World::new();
    for _ in 0..3 {
        w.enqueue(&["getRAT"]);
    }
    let request = w.package();
    let refusal = w
        .euicc
        .refusal(&request, EuiccPackageErrorCode::ReplayError);
    let response = w.deliver(EimPackageResult::EuiccPackageResult(refusal));
    assert!(acknowledged(&response).is_empty());
    let request = w.package();
    let unsigned = EuiccPackageErrorUnsigned {
        eim_id: "eim.lab.example".into(),
        eim_transaction_id: request.euicc_package_signed.eim_transaction_id.clone(),
        association_token: None,
    };
    w.deliver(EimPackageResult::EuiccPackageResult(
        EuiccPackageResult::EuiccPackageErrorUnsigned(unsigned),
    ));
    let request = w.package();
    let result = w.euicc.result(
        &request,
        vec![EuiccResultData::DeleteEimResult(
            DeleteEimResult::EimNotFound,
        )],
    );
    w.deliver(EimPackageResult::EuiccPackageResult(result));
    let packages = w.eim.packages(&w.euicc.eid).unwrap();
    let notes: Vec<_> = packages.iter().map(|p| p.note.as_str()).collect();
    assert!(notes[0].contains("replayError"), "{notes:?}");
    assert!(notes[1].contains("without a signature"), "{notes:?}");
    assert!(
        notes[2].starts_with("getRAT: deleteEimResult eimNotFound"),
        "{notes:?}"
    );
}

#[test]
fn package_faults_change_what_is_signed() {
    let w = World::new();
    let key = w.eim.identity().key.public_key().unwrap();
    let good = |r: &EuiccPackageRequest| {
        key.verify(
            &signature_input(r.euicc_package_signed.bytes(), None),
            &r.eim_signature,
        )
    };
    let next = |fault: Option<EimFault>| {
        w.eim.clear_queue(&w.euicc.eid).unwrap();
        w.eim
            .with_db(|db| db.execute("DELETE FROM package", []))
            .unwrap();
        w.enqueue(&["getRAT"]);
        if let Some(fault) = fault {
            w.eim.inject(FaultPlan::once(fault));
        }
        w.package()
    };
    assert_eq!(next(None).euicc_package_signed.counter_value, 1);
    let replayed = next(Some(EimFault::ReplayedCounter));
    assert!(good(&replayed) && replayed.euicc_package_signed.counter_value == 1);
    assert!(!good(&next(Some(EimFault::WrongSignature))));
    let other = next(Some(EimFault::WrongEid));
    assert!(good(&other) && other.euicc_package_signed.eid_value != w.euicc.eid);
    let unknown = next(Some(EimFault::UnknownEimId));
    assert!(good(&unknown) && unknown.euicc_package_signed.eim_id != w.eim.identity().eim_id);
    let large = next(Some(EimFault::LargeAnswer { bytes: 10_240 }));
    assert!(good(&large));
    let length = large.to_der().unwrap().len();
    assert!((10_150..10_300).contains(&length), "{length}");
    assert!(good(&next(None)));
}

#[test]
fn transport_faults_are_seen_by_the_client() {
    let w = World::new();
    let request = GetEimPackageRequest::new(w.euicc.eid).to_der().unwrap();
    let try_once = |fault| {
        w.eim.inject(FaultPlan::once(fault));
        http(w.server.address(), PATH, crate::web::ASN1, &request)
    };
    assert!(try_once(EimFault::Silent).is_err());
    assert!(try_once(EimFault::CutMidAnswer { bytes: 40 }).is_err());
    let (status, body) = try_once(EimFault::Garbage).unwrap();
    assert!(status == 200 && GetEimPackageResponse::from_der(&body).is_err());
    assert_eq!(
        try_once(EimFault::HttpStatus { status: 500 }).unwrap(),
        (500, vec![])
    );
    w.nothing();
    let log = w.eim.take_log();
    assert_eq!(
        log.iter().map(|e| e.status).collect::<Vec<_>>(),
        [0, 200, 200, 500, 200]
    );
}

#[test]
fn strangers_and_nonsense_are_turned_away() {
    let w = World::with(
        EimOptions {
            accept_unknown: false,
            body_limit: 2048,
            ..EimOptions::default()
        },
        false,
    );
    let to = w.server.address();
    let (_, body) = w.post(&GetEimPackageRequest::new(w.euicc.eid).to_der().unwrap());
    assert_eq!(hex::encode_upper(body), "BF4F03020102");
    assert_eq!(w.post(b"hello").0, 400);
    assert_eq!(w.post(&[0xBF, 0x4F, 0x01, 0x00]).0, 400);
    assert_eq!(w.post(&[0xBF, 0x39, 0x00]).0, 400);
    assert_eq!(w.post(&[0xBF, 0x4E, 0x00]).0, 501);
    assert_eq!(w.post(&vec![0; 4096]).0, 413);
    let asn1 = crate::web::ASN1;
    assert_eq!(http(to, "/", asn1, b"").unwrap().0, 404);
    assert_eq!(http(to, PATH, "text/plain", b"").unwrap().0, 415);
}

#[test]
fn the_database_outlives_the_process_and_knows_its_eim() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::File(dir.path().join("eim.sqlite"));
    let hierarchy = Hierarchy::lab().unwrap();
    let identity = EimIdentity::of_hierarchy(&hierarchy).unwrap();
    let eid = Euicc::new(&hierarchy).eid;
    let open = |identity| Eim::open(&storage, identity, EimOptions::default());
    let eim = open(identity.clone()).unwrap();
    eim.enqueue(&eid, &[Operation::get_rat()]).unwrap();
    drop(eim);
    assert_eq!(open(identity).unwrap().packages(&eid).unwrap().len(), 1);
    let other = EimIdentity::new(&hierarchy, &hierarchy.issue_eim("second.example").unwrap());
    assert!(matches!(open(other), Err(EimError::Foreign { .. })));
}

#[test]
fn notifications_are_forwarded_where_there_is_a_way() {
    let sink = World::new();
    let mut w = World::with(
        EimOptions {
            forward: vec![Forward {
                name: "smdp.lab.example".into(),
                to: sink.server.address(),
                binding: Binding::Asn1,
            }],
            ..EimOptions::default()
        },
        true,
    );
    let notification = w.euicc.notification(A);
    let message =
        applet_model::sgp::esipa::HandleNotificationEsipa::PendingNotification(notification);
    assert_eq!(w.post(&message.to_der().unwrap()).0, 204);
    let row = &w.eim.notifications(&w.euicc.eid).unwrap()[0];
    // The sink is an eIM: an SM-DP+'s message is none of its own, and it says so.
    assert_eq!((row.state.as_str(), row.seq_number), ("not forwarded", 1));
    assert!(row.reason.contains("HTTP status 400"), "{}", row.reason);
}

#[test]
fn a_certificate_of_another_eid_or_ci_is_refused() {
    let w = World::with(EimOptions::default(), false);
    let registration = Registration {
        certificates: Some((
            w.euicc.credential.euicc_certificate.clone(),
            w.euicc.credential.eum_certificate.clone(),
        )),
        ..Registration::default()
    };
    let other: Eid = "89049032123451234512345678901246".parse().unwrap();
    assert!(w.eim.register(&other, &registration).is_err());
    let foreign = Hierarchy::from_seed(b"another", &Default::default()).unwrap();
    let eim = Eim::open(
        &Storage::Memory,
        EimIdentity::of_hierarchy(&foreign).unwrap(),
        EimOptions::default(),
    )
    .unwrap();
    assert!(eim.register(&w.euicc.eid, &registration).is_err());
}
