//! The server: what it takes, and what it survives.

use super::*;

#[test]
fn plain_http_stays_on_this_machine_unless_asked_for() {
    let smdp = smdp();
    let refused = smdp.serve("0.0.0.0:0".parse().unwrap(), false);
    assert!(matches!(refused, Err(SmdpError::NotLoopback(_))));
    smdp.serve("0.0.0.0:0".parse().unwrap(), true)
        .unwrap()
        .shutdown();
}

/// An SM-DP+ that shows this certificate, and a way to it for who believes that CI.
fn over_tls(
    shown: &cards::pki::ServerCredential,
    ci: &Hierarchy,
) -> (Smdp, ServerHandle, HttpServer) {
    let options = SmdpOptions {
        tls: Some(Tls::new(shown).unwrap()),
        ..options()
    };
    let smdp = smdp_with(&Hierarchy::lab().unwrap(), options);
    smdp.order(&new_order("A")).unwrap();
    let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let ci = ci.ci.certificate.clone();
    let way = HttpServer {
        to: server.address(),
        host: ADDRESS.into(),
        binding: Binding::Json,
        tls: Some(Trust::new(ci, Some(ServerRole::Tls)).unwrap()),
    };
    (smdp, server, way)
}

#[test]
fn over_tls_only_the_right_server_is_believed() {
    let lab = Hierarchy::lab().unwrap();
    let years = (2020, 2050);
    let good = lab.issue_server(ADDRESS, ServerRole::Tls, years).unwrap();
    let (smdp, server, mut way) = over_tls(&good, &lab);
    let mut link = card(1);
    get(&mut link, &mut way, "A").unwrap();
    assert!(has_profile(&link));
    assert_eq!(state(&smdp), OrderState::Installed);
    // Plain HTTP isn't answered, and who says nothing holds nobody up.
    let mut silent = std::net::TcpStream::connect(server.address()).unwrap();
    assert_eq!(post(server.address(), crate::eim::PATH, b""), 0);
    assert!(matches!(
        get(&mut link, &mut way, "A"),
        Err(PushError::Es9(Es9Error::Refused { .. }))
    ));
    silent.write_all(b"no TLS").unwrap();

    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let of_other = other.issue_server(ADDRESS, ServerRole::Tls, years).unwrap();
    let elsewhere = lab
        .issue_server("other.example", ServerRole::Tls, years)
        .unwrap();
    let old = lab
        .issue_server(ADDRESS, ServerRole::Tls, (2020, 2022))
        .unwrap();
    let no_role = lab.issue_tls(ADDRESS, None, years).unwrap();
    for (shown, why) in [
        (&of_other, "authority key identifier"),
        (&elsewhere, "other.example"),
        (&old, "valid"),
        (&no_role, "polic"),
    ] {
        let (_smdp, _server, mut way) = over_tls(shown, &lab);
        let refused = get(&mut card(2), &mut way, "A").unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
}

#[test]
fn bodies_that_are_no_messages_are_refused() {
    let smdp = smdp();
    let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let address = server.address();
    let large = vec![b' '; 65 * 1024];
    for (path, body, status) in [
        ("/gsma/rsp2/asn1", &b""[..], 400),
        (
            "/gsma/rsp2/asn1",
            &[0xA2, 0x84, 0xFF, 0xFF, 0xFF, 0xFF][..],
            400,
        ),
        ("/gsma/rsp2/asn1", &large, 413),
        ("/gsma/rsp2/es9plus/initiateAuthentication", b"{}", 400),
        ("/gsma/rsp2/es9plus/initiateAuthentication", b"[", 400),
        ("/gsma/rsp2/es9plus/getBoundProfilePackage", &large, 413),
        ("/gsma/rsp2/es9plus/downloadOrder", b"{}", 404),
        ("/", b"", 404),
    ] {
        assert_eq!(post(address, path, body), status, "{path}");
    }
}

#[test]
fn test_material_of_the_gsma_serves_too() {
    let named = std::env::var_os("IPAE_REFERENCE").map(std::path::PathBuf::from);
    let beside =
        || std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let dir = named.unwrap_or_else(beside).join("sgp26");
    if !dir.is_dir() {
        println!("SKIPPED: SGP.26 test material is not here (set IPAE_REFERENCE to its parent)");
        return;
    }
    let hierarchy = Hierarchy::load(&dir).unwrap();
    let credential = hierarchy.smdp.clone().unwrap();
    assert_eq!(credential.address, "testsmdpplus1.example.com");
    assert_eq!(credential.oid().unwrap().to_string(), "2.999.10");
    let mut smdp = smdp_with(&hierarchy, options());
    smdp.order(&new_order("A")).unwrap();
    let mut link = card_of(&hierarchy, 1, 100_000);
    let order = PushOrder {
        address: credential.address,
        ..wish("A")
    };
    push(&mut link, &mut smdp, &order).unwrap();
    assert!(has_profile(&link));
}

/// The requests of a download, as they were.
fn requests() -> Vec<Vec<u8>> {
    struct Recorder(Smdp, Vec<Vec<u8>>);
    impl Es9 for Recorder {
        fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error> {
            self.1.push(request.to_der().unwrap());
            self.0.call(request)
        }
    }
    let mut recorder = Recorder(ordered(), Vec::new());
    get(&mut card(1), &mut recorder, "A").unwrap();
    recorder.1
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// The requests of a download up to one, which is altered.
    #[test]
    fn no_message_makes_the_server_panic_or_give_a_package_away(
        which in 0usize..4,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        garbage in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        thread_local! {
            static RECORDED: Vec<Vec<u8>> = requests();
        }
        let requests = RECORDED.with(Clone::clone);
        // The same seed as that of the server which was recorded: it gives the same transaction.
        let mut smdp = ordered();
        for before in &requests[..which] {
            smdp.call(&Request::from_der(before).unwrap()).unwrap();
        }
        let (before, downloads) = (state(&smdp), smdp.orders().unwrap()[0].downloads);
        let mut bytes = requests[which].clone();
        for (place, bit) in flips {
            let length = bytes.len();
            bytes[place.index(length)] ^= 1 << bit;
        }
        let original = Request::from_der(&requests[which]).unwrap();
        match Request::from_der(&bytes) {
            Ok(request) if request != original => {
                let given = matches!(
                    smdp.call(&request),
                    Ok(Some(Response::GetBoundProfilePackageResponse(_)))
                );
                prop_assert!(!given);
            }
            // Two flips of one bit, or one that the encoding doesn't care about.
            _ => {}
        }
        let _ = Request::from_der(&garbage).map(|request| smdp.call(&request).is_ok());
        let text = serde_json::from_slice::<serde_json::Value>(&garbage);
        for body in [text.ok(), Some(json::write_request(&original))].into_iter().flatten() {
            for function in ["initiateAuthentication", "authenticateClient", "getBoundProfilePackage",
                "cancelSession", "handleNotification"] {
                let _ = json::read_request(function, &body);
            }
        }
        prop_assert_eq!(state(&smdp), before);
        prop_assert_eq!(smdp.orders().unwrap()[0].downloads, downloads);
    }
}
