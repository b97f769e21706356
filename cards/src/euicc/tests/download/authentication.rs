//! Mutual authentication, preparation and cancelling: every check with one thing wrong.

use super::*;

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
