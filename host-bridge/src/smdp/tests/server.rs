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

/// One request to the ordering interface; gives status and JSON.
fn manage(
    to: SocketAddr,
    method: &str,
    path: &str,
    token: &str,
    body: &str,
) -> (u16, serde_json::Value) {
    let mut stream = std::net::TcpStream::connect(to).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[test]
fn orders_are_taken_over_the_network_from_who_has_the_token() {
    use base64ct::{Base64, Encoding};
    const TOKEN: &str = "Bearer 0123456789abcdef";
    let options = SmdpOptions {
        order_token: Token::of_text("0123456789abcdef"),
        ..options()
    };
    let smdp = smdp_with(&Hierarchy::lab().unwrap(), options);
    let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let to = server.address();
    let order = serde_json::json!({
        "profile": Base64::encode_string(&package()), "name": "Delta IoT", "provider": "Delta",
        "matching_id": "A", "notify": ["enable", "delete"],
    })
    .to_string();
    for wrong in [
        "",
        "Bearer",
        "Bearer 0123456789abcdeF",
        "Basic 0123456789abcdef",
    ] {
        for (method, path) in [
            ("POST", "/orders"),
            ("GET", "/orders"),
            ("DELETE", "/orders/A"),
            ("GET", "/notifications"),
        ] {
            assert_eq!(
                manage(to, method, path, wrong, &order).0,
                401,
                "{method} {path}"
            );
        }
    }
    assert!(smdp.orders().unwrap().is_empty());
    let (status, placed) = manage(to, "POST", "/orders", TOKEN, &order);
    assert_eq!(status, 201, "{placed}");
    assert_eq!(placed["activation_code"], "LPA:1$smdp.lab.example$A");
    assert_eq!(placed["iccid"], ICCID);
    assert_eq!(manage(to, "POST", "/orders", TOKEN, &order).0, 409);
    for bad in [
        "",
        "{}",
        "[1",
        r#"{"profile": "*", "name": "", "provider": ""}"#,
        r#"{"more": 1}"#,
    ] {
        assert_eq!(manage(to, "POST", "/orders", TOKEN, bad).0, 400, "{bad}");
    }
    let empty = r#"{"profile": "", "name": "", "provider": ""}"#;
    assert_eq!(manage(to, "POST", "/orders", TOKEN, empty).0, 409);
    get(&mut card(1), &mut smdp.clone(), "A").unwrap();
    let (_, one) = manage(to, "GET", "/orders/A", TOKEN, "");
    assert_eq!(one["state"], "installed");
    assert_eq!(manage(to, "GET", "/orders/B", TOKEN, "").0, 404);
    assert_eq!(manage(to, "DELETE", "/orders/A", TOKEN, "").0, 409);
    let (_, told) = manage(to, "GET", "/notifications", TOKEN, "");
    assert_eq!(told[0]["text"], "installed");
    // Without a token, the interface isn't there.
    let closed = ordered();
    let server = closed.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    assert_eq!(manage(server.address(), "GET", "/orders", TOKEN, "").0, 404);
}

#[test]
fn the_bench_downloads_what_it_counts() {
    let hierarchy = Hierarchy::lab().unwrap();
    let figures = bench::bench(&hierarchy, None, &package(), 2, NOW).unwrap();
    assert_eq!((figures.downloads, figures.requests), (2, 4));
    assert!(figures.package_bytes > figures.profile_bytes && figures.downloads_per_second > 0.0);
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
