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
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_message_makes_the_server_panic_or_give_a_package_away(
        which in 0usize..4,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 1..4),
        garbage in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        thread_local! {
            static RECORDED: (Smdp, Vec<Vec<u8>>) = (ordered(), requests());
        }
        let (mut smdp, requests) = RECORDED.with(Clone::clone);
        let mut bytes = requests[which].clone();
        for (place, bit) in flips {
            let length = bytes.len();
            bytes[place.index(length)] ^= 1 << bit;
        }
        if let Ok(request) = Request::from_der(&bytes) {
            let given = matches!(
                smdp.call(&request),
                Ok(Some(Response::GetBoundProfilePackageResponse(_)))
            );
            prop_assert!(!given);
        }
        let _ = Request::from_der(&garbage).map(|request| smdp.call(&request).is_ok());
        if let Ok(body) = serde_json::from_slice::<serde_json::Value>(&garbage) {
            let _ = json::read_request("authenticateClient", &body);
        }
        prop_assert!(!state(&smdp).is_final());
        prop_assert_eq!(smdp.orders().unwrap()[0].downloads, 0);
    }
}
