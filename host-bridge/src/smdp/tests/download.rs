//! The whole way, and every refusal.

use super::*;

#[test]
fn a_profile_goes_from_an_order_into_a_card_in_both_bindings() {
    for binding in [Binding::Json, Binding::Asn1] {
        let smdp = ordered();
        let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let mut http = HttpServer {
            to: server.address(),
            host: ADDRESS.into(),
            binding,
            tls: None,
        };
        let mut link = card(1);
        let writes = link.card().nvm().writes;
        let pushed = get(&mut link, &mut http, "A").unwrap();
        assert_eq!(pushed.iccid, ICCID);
        assert_eq!(pushed.name, "Delta IoT");
        assert_eq!(pushed.notifications, 1);
        assert!(has_profile(&link));
        // One-time key, two segments, profile with result, result acknowledged.
        assert_eq!(link.card().nvm().writes - writes, 5);
        let orders = smdp.orders().unwrap();
        assert_eq!(orders[0].state, OrderState::Installed);
        assert_eq!(orders[0].downloads, 1);
        assert_eq!(smdp.notifications().unwrap()[0].text, "installed");
        let log = smdp.take_log();
        let functions: Vec<&str> = log.iter().map(|e| e.function).collect();
        assert_eq!(
            functions,
            [
                "initiateAuthentication",
                "authenticateClient",
                "getBoundProfilePackage",
                "handleNotification"
            ]
        );
        // One order is one download.
        let refused = get(&mut link, &mut http, "A").unwrap_err().to_string();
        assert!(refused.contains("authenticateClient"), "{refused}");
        assert!(refused.contains("matching"), "{refused}");
        server.shutdown();
        let gone = get(&mut link, &mut http, "A");
        assert!(matches!(gone, Err(PushError::Es9(Es9Error::Server { .. }))));
    }
}

#[test]
fn orders_are_for_whom_they_are_for() {
    let smdp = smdp();
    let mut two = card(2);
    let eid = two.card().euicc().eid().to_string();
    let order = NewOrder {
        eid: Some(eid),
        ..new_order("B")
    };
    smdp.order(&order).unwrap();
    assert!(matches!(smdp.order(&order), Err(SmdpError::Order(_))));
    assert!(smdp.order(&new_order("small letters")).is_err());
    let (mut one, mut server) = (card(1), smdp.clone());
    for (id, why) in [
        ("B", "8.1.1"),
        ("C", "8.2.6"),
        // Nothing waits for it.
        ("", "8.2.5"),
    ] {
        let refused = get(&mut one, &mut server, id).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    // By its EID alone.
    get(&mut two, &mut server, "").unwrap();
    assert!(has_profile(&two) && !has_profile(&one));

    smdp.order(&new_order("D")).unwrap();
    smdp.cancel("D").unwrap();
    assert!(smdp.cancel("D").is_err());
    let refused = get(&mut one, &mut server, "D").unwrap_err().to_string();
    assert!(refused.contains("cancelled"), "{refused}");
    // Another SM-DP+'s address.
    let other = PushOrder {
        address: "other.example".into(),
        ..wish("D")
    };
    let refused = push(&mut one, &mut server, &other).unwrap_err().to_string();
    assert!(refused.contains("8.8.1"), "{refused}");
}

#[test]
fn a_confirmation_code_is_asked_for_and_three_wrong_ones_end_the_order() {
    let smdp = smdp();
    let order = NewOrder {
        confirmation_code: Some("1234".into()),
        ..new_order("A")
    };
    smdp.order(&order).unwrap();
    let (mut link, mut server) = (card(1), smdp.clone());
    assert!(matches!(
        get(&mut link, &mut server, "A"),
        Err(PushError::CodeMissing)
    ));
    let mut with = |code: &str| {
        let wish = PushOrder {
            confirmation_code: Some(code.into()),
            ..wish("A")
        };
        push(&mut link, &mut server, &wish)
    };
    let refused = with("4321").unwrap_err().to_string();
    assert!(refused.contains("8.2.7, reason 3.8"), "{refused}");
    assert_eq!(state(&smdp), OrderState::Released);
    with("1234").unwrap();
    assert_eq!(state(&smdp), OrderState::Installed);

    let (mut link, mut server) = (card(1), smdp_with(&Hierarchy::lab().unwrap(), options()));
    server.order(&order).unwrap();
    for (code, why) in [("1", "3.8"), ("2", "3.8"), ("3", "6.4"), ("1234", "8.2.6")] {
        let wish = PushOrder {
            confirmation_code: Some(code.into()),
            ..wish("A")
        };
        let refused = push(&mut link, &mut server, &wish).unwrap_err().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    assert_eq!(state(&server), OrderState::Failed);
    assert!(!has_profile(&link));
}

#[test]
fn certificates_of_another_ci_expired_or_of_another_role_are_refused() {
    let lab = Hierarchy::lab().unwrap();
    let order = |smdp: &Smdp| smdp.order(&new_order("A")).unwrap();
    let mut link = card(1);
    // An SM-DP+ of another CI.
    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let mut foreign = smdp_with(&other, options());
    order(&foreign);
    let refused = get(&mut link, &mut foreign, "A").unwrap_err().to_string();
    assert!(refused.contains("8.8.2"), "{refused}");
    // Its certificates don't fit their roles, or are of a time gone by.
    let with = |change: &dyn Fn(&mut SmdpCredential)| {
        let mut credential = lab.smdp.clone().unwrap();
        change(&mut credential);
        let smdp = Smdp::open(None, &lab, credential, options()).unwrap();
        order(&smdp);
        smdp
    };
    let old = |role| lab.issue_server(ADDRESS, role, (2020, 2022)).unwrap();
    let mut cases = [
        (
            with(&|c| c.auth = c.pb.clone()),
            "AuthenticateServer: the eUICC answered invalidCertificate",
        ),
        (
            with(&|c| c.pb = c.auth.clone()),
            "PrepareDownload: the eUICC answered invalidCertificate",
        ),
        (
            with(&|c| c.auth = old(ServerRole::Authentication)),
            "authentication certificate is valid from",
        ),
        (
            with(&|c| c.pb = old(ServerRole::Binding)),
            "binding certificate is valid from",
        ),
    ];
    for (smdp, why) in &mut cases {
        let refused = get(&mut link, smdp, "A").unwrap_err().to_string();
        assert!(refused.contains(*why), "{refused}");
        assert_eq!(state(smdp), OrderState::Released);
    }
    // The server has a clock, too: in 2060 nobody's certificate is valid.
    let late = SmdpOptions {
        time: Some(2_840_140_800),
        ..options()
    };
    let mut late = smdp_with(&lab, late);
    order(&late);
    let refused = get(&mut link, &mut late, "A").unwrap_err().to_string();
    assert!(refused.contains("reason 6.3"), "{refused}");
    // An eUICC of another CI at a server that says it knows that CI.
    let mut stranger = card_of(&other, 1, 100_000);
    let mut lab_smdp = ordered();
    let refused = get(&mut stranger, &mut lab_smdp, "A")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("8.8.2"), "{refused}");
    assert!(!has_profile(&link));
}

#[test]
fn a_card_without_room_is_told_before_the_package_is_bound() {
    let mut link = card_of(&Hierarchy::lab().unwrap(), 1, 1000);
    let mut smdp = ordered();
    let refused = get(&mut link, &mut smdp, "A").unwrap_err().to_string();
    assert!(refused.contains("8.1, reason 4.8"), "{refused}");
    assert_eq!(state(&smdp), OrderState::Released);
    get(&mut card(2), &mut smdp, "A").unwrap();
}

#[test]
fn a_notification_that_the_lab_eim_forwards_is_believed() {
    use crate::eim::{Eim, EimIdentity, EimOptions, Forward, Storage};
    let smdp = smdp();
    let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let mut link = card(1);
    let mut lpa = Lpa::open(&mut link).unwrap();
    // eUICCMemoryReset of operational profiles: the first one's operator wants to be told.
    let reset = [0xBF, 0x64, 4, 0x82, 2, 7, 0x80];
    lpa.es10("eUICCMemoryReset", &reset).unwrap();
    let list = lpa.es10("list", &[0xBF, 0x2B, 0]).unwrap();
    let pending = tlv::path(&list, &[0xBF2B, 0xA0, 0x30]).unwrap().raw;
    let hierarchy = Hierarchy::lab().unwrap();
    let options = EimOptions {
        forward: vec![Forward {
            name: "smdp.alpha.example".into(),
            to: server.address(),
            binding: Binding::Asn1,
        }],
        ..EimOptions::default()
    };
    let identity = EimIdentity::of_hierarchy(&hierarchy).unwrap();
    let eim = Eim::open(&Storage::Memory, identity, options).unwrap();
    let at = eim.serve("127.0.0.1:0".parse().unwrap()).unwrap();
    let message = tlv::write(0xBF3D, &tlv::write(0xA0, pending));
    assert_eq!(post(at.address(), crate::eim::PATH, &message), 204);
    let known = smdp.notifications().unwrap();
    assert_eq!(known.len(), 1);
    assert!(
        known[0].text.starts_with("notificationDelete 8999901"),
        "{known:?}"
    );
    // Altered, it is taken and not believed.
    let mut altered = tlv::write(0xA2, &message);
    let place = altered.len() / 4;
    altered[place] ^= 1;
    let status = post(server.address(), crate::eim::PATH, &altered);
    assert!(matches!(status, 204 | 400), "{status}");
    assert_eq!(smdp.notifications().unwrap().len(), 1);
}
