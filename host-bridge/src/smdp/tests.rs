//! Downloads into virtual cards: the whole way, every refusal, and connections that break anywhere.

use super::push::{Binding, Es9, HttpServer, Lpa, PushError, PushOrder, Pushed, push};
use super::*;
use crate::transport::{CardLink, LinkError, VirtualLink};
use applet_model::apdu::{Command, Response as Apdu};
use applet_model::sgp::download::{BoundProfilePackage, GetBoundProfilePackageResponseEsipa};
use applet_model::sgp::es9::{
    RemoteProfileProvisioningRequest as Request, RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode};
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig, EuiccSetup, bpp};
use cards::pki::{HierarchyOptions, ServerRole};
use proptest::prelude::*;
use std::io::{Read, Write};

const ADDRESS: &str = "smdp.lab.example";
const ICCID: &str = "8988303000000614224";
/// 1 January 2027.
const NOW: u64 = 1_798_761_600;

/// A package of a header and an end.
fn package() -> Vec<u8> {
    let iccid: Iccid = ICCID.parse().unwrap();
    let digits: Vec<u8> = iccid.0.iter().map(|b| b.rotate_left(4)).collect();
    let mut header = vec![0x80, 1, 2, 0x81, 1, 3];
    header.extend(tlv::write(0x82, &[b'x'; 100]));
    header.extend(tlv::write(0x83, &digits));
    header.extend([0xA5, 0, 0xA6, 0]);
    let mut out = tlv::write(0xA0, &header);
    // Elements that the card doesn't know are passed over: they make the package longer than a segment.
    for _ in 0..3 {
        let mut unknown = vec![0xA0, 3, 0x81, 1, 9];
        unknown.extend(tlv::write(0x81, &[0; 500]));
        out.extend(tlv::write(0xBF60, &unknown));
    }
    out.extend([0xAA, 5, 0xA0, 3, 0x81, 1, 1]);
    out
}

fn card_of(hierarchy: &Hierarchy, number: u32, memory: usize) -> VirtualLink {
    let eid = Eid::with_check_digits(&format!("8904903200000000000000{number:08}")).unwrap();
    let mut setup = EuiccSetup::lab().unwrap();
    setup.limits.profile_memory = memory;
    let euicc = EuiccConfig::issue(eid, u64::from(number), hierarchy, setup).unwrap();
    let definition = Definition::find("virtual-lab").unwrap();
    let config = CardConfig::with_test_keys(definition, 7, euicc).unwrap();
    VirtualLink::new("card", VirtualCard::new(config).unwrap())
}

fn card(number: u32) -> VirtualLink {
    card_of(&Hierarchy::lab().unwrap(), number, 100_000)
}

fn options() -> SmdpOptions {
    SmdpOptions {
        seed: Some(1),
        time: Some(NOW),
        ..SmdpOptions::default()
    }
}

fn smdp_with(hierarchy: &Hierarchy, options: SmdpOptions) -> Smdp {
    let credential = hierarchy.smdp.clone().unwrap();
    Smdp::open(None, hierarchy, credential, options).unwrap()
}

fn smdp() -> Smdp {
    smdp_with(&Hierarchy::lab().unwrap(), options())
}

fn new_order(matching_id: &str) -> NewOrder {
    NewOrder {
        matching_id: matching_id.into(),
        eid: None,
        confirmation_code: None,
        metadata: metadata_of(&package(), "Delta", "Delta IoT")
            .unwrap()
            .to_der()
            .unwrap(),
        profile: package(),
    }
}

/// An SM-DP+ with one order, `A`.
fn ordered() -> Smdp {
    let smdp = smdp();
    smdp.order(&new_order("A")).unwrap();
    smdp
}

fn wish(matching_id: &str) -> PushOrder {
    PushOrder {
        address: ADDRESS.into(),
        matching_id: matching_id.into(),
        confirmation_code: None,
        now: NOW,
    }
}

fn get(link: &mut dyn CardLink, smdp: &mut dyn Es9, id: &str) -> Result<Pushed, PushError> {
    push(link, smdp, &wish(id))
}

fn state(smdp: &Smdp) -> OrderState {
    smdp.orders().unwrap()[0].state
}

fn has_profile(link: &VirtualLink) -> bool {
    let euicc = link.card().euicc();
    euicc.check_invariants().unwrap();
    euicc.state().profile(&ICCID.parse().unwrap()).is_some()
}

#[test]
fn a_profile_goes_from_an_order_into_a_card_in_both_bindings() {
    for binding in [Binding::Json, Binding::Asn1] {
        let smdp = ordered();
        let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
        let mut http = HttpServer {
            to: server.address(),
            host: ADDRESS.into(),
            binding,
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
        assert!(matches!(gone, Err(PushError::Server { .. })));
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

/// Breaks what goes between device and server.
struct Broken {
    smdp: Smdp,
    calls: usize,
    /// The call that is lost, and whether the server got it.
    lost: Option<(usize, bool)>,
    /// The command of the package whose last byte is altered.
    altered: Option<usize>,
}

impl Es9 for Broken {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
        let number = self.calls;
        self.calls += 1;
        let lost = || {
            Err(PushError::Server {
                to: "nowhere".into(),
                detail: "lost on purpose".into(),
            })
        };
        match self.lost {
            Some((at, false)) if at == number => return lost(),
            Some((at, true)) if at == number => {
                self.smdp.call(request)?;
                return lost();
            }
            _ => {}
        }
        let mut response = self.smdp.call(request)?;
        if let (
            Some(altered),
            Some(Response::GetBoundProfilePackageResponse(
                GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok),
            )),
        ) = (self.altered, &mut response)
        {
            let mut bytes = ok.bound_profile_package.to_der().unwrap();
            let commands = bpp::commands(&bytes).unwrap();
            let end: usize = commands.iter().take(altered + 1).map(|c| c.len()).sum();
            bytes[end - 1] ^= 1;
            ok.bound_profile_package = BoundProfilePackage::from_der(&bytes).unwrap();
        }
        Ok(response)
    }
}

#[test]
fn a_package_altered_on_the_way_is_refused_and_the_order_given_back() {
    // BF23, 87 of A0, (head of A1), 88, 87 of A2, (head of A3), 86, 86.
    for (altered, command) in [
        (0, "initialiseSecureChannel"),
        (1, "configureISDP"),
        (3, "storeMetadata"),
        (4, "replaceSessionKeys"),
        (6, "loadProfileElements"),
        (7, "loadProfileElements"),
    ] {
        let smdp = ordered();
        let mut link = card(1);
        let mut broken = Broken {
            smdp: smdp.clone(),
            calls: 0,
            lost: None,
            altered: Some(altered),
        };
        let error = get(&mut link, &mut broken, "A").unwrap_err().to_string();
        assert!(error.contains(command), "{altered} {error}");
        assert!(!has_profile(&link));
        let order = &smdp.orders().unwrap()[0];
        assert_eq!(order.state, OrderState::Released);
        assert!(order.note.contains(command), "{}", order.note);
        let text = format!("{altered}");
        get(&mut link, &mut smdp.clone(), "A").expect(&text);
        assert!(has_profile(&link));
    }
}

#[test]
fn a_connection_that_is_lost_anywhere_costs_no_activation_code() {
    let mut lost_after = 0;
    for at in 0..4 {
        for reached in [false, true] {
            let smdp = ordered();
            let mut link = card(1);
            let mut broken = Broken {
                smdp: smdp.clone(),
                calls: 0,
                lost: Some((at, reached)),
                altered: None,
            };
            let error = get(&mut link, &mut broken, "A").unwrap_err();
            assert!(matches!(error, PushError::Server { .. }), "{error}");
            if has_profile(&link) {
                // Only the result was lost: it is told next time.
                assert_eq!(at, 3);
                lost_after += 1;
                let mut lpa = Lpa::open(&mut link).unwrap();
                assert_eq!(lpa.notify(&mut smdp.clone(), ADDRESS).unwrap(), 1);
            } else {
                get(&mut link, &mut smdp.clone(), "A").unwrap();
            }
            assert!(has_profile(&link));
            assert_eq!(state(&smdp), OrderState::Installed);
        }
    }
    assert_eq!(lost_after, 2);
}

#[test]
fn a_notification_that_the_lab_eim_forwards_is_believed() {
    use crate::eim::{Eim, EimIdentity, EimOptions, Storage};
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
        forward: vec![("smdp.alpha.example".into(), server.address())],
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

/// A card that is torn out after so many commands.
struct Torn<'a> {
    link: &'a mut VirtualLink,
    left: usize,
}

impl CardLink for Torn<'_> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Apdu, LinkError> {
        if self.left == 0 {
            return Err(LinkError::Removed("torn".into()));
        }
        self.left -= 1;
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        "torn".into()
    }
}

#[test]
fn a_card_torn_out_at_any_command_gets_its_profile_next_time() {
    let smdp = ordered();
    let mut link = card(1);
    let all = get(&mut link, &mut smdp.clone(), "A").unwrap().apdus as usize;
    let (mut again, mut cuts) = (0, 0);
    for left in (0..all + 20).step_by(3) {
        let smdp = ordered();
        let mut link = card(1);
        let mut torn = Torn {
            link: &mut link,
            left,
        };
        if get(&mut torn, &mut smdp.clone(), "A").is_ok() {
            break;
        }
        cuts += 1;
        let bound = smdp.orders().unwrap()[0].downloads;
        smdp.take_log();
        if has_profile(&link) {
            let mut lpa = Lpa::open(&mut link).unwrap();
            lpa.notify(&mut smdp.clone(), ADDRESS).unwrap();
        } else {
            let pushed = get(&mut link, &mut smdp.clone(), "A").unwrap();
            assert_eq!(pushed.iccid, ICCID, "{left}");
            let orders = smdp.orders().unwrap();
            again += usize::from(bound == 1 && orders[0].downloads == 2);
        }
        assert!(has_profile(&link), "{left}");
        assert_eq!(state(&smdp), OrderState::Installed, "{left}");
    }
    assert!(cuts > 8 && again > 2, "{cuts} {again}");
}

#[test]
fn a_broken_download_gets_the_same_package_and_no_other_card_does() {
    let smdp = ordered();
    let mut link = card(1);
    let mut broken = Broken {
        smdp: smdp.clone(),
        calls: 0,
        lost: Some((2, true)),
        altered: None,
    };
    assert!(get(&mut link, &mut broken, "A").is_err());
    let order = &smdp.orders().unwrap()[0];
    assert_eq!(order.state, OrderState::Downloaded);
    assert_eq!(order.bound_to, Some(link.card().euicc().eid().to_string()));
    let refused = get(&mut card(2), &mut smdp.clone(), "A")
        .unwrap_err()
        .to_string();
    assert!(refused.contains("8.2.6"), "{refused}");
    let server = smdp.serve("127.0.0.1:0".parse().unwrap(), false).unwrap();
    let mut http = HttpServer {
        to: server.address(),
        host: ADDRESS.into(),
        binding: Binding::Asn1,
    };
    get(&mut link, &mut http, "A").unwrap();
    let log = smdp.take_log();
    assert!(
        log.iter()
            .any(|e| e.text.contains("the same package again")),
        "{log:?}"
    );
}

#[test]
fn an_order_that_never_comes_back_fails_after_so_many_tries() {
    let smdp = smdp_with(
        &Hierarchy::lab().unwrap(),
        SmdpOptions {
            downloads: 2,
            ..options()
        },
    );
    smdp.order(&new_order("A")).unwrap();
    let mut link = card(1);
    for why in ["lost on purpose", "lost on purpose", "8.8.5"] {
        let mut broken = Broken {
            smdp: smdp.clone(),
            calls: 0,
            lost: Some((2, true)),
            altered: None,
        };
        let error = get(&mut link, &mut broken, "A").unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    assert_eq!(state(&smdp), OrderState::Failed);
}

#[test]
fn plain_http_stays_on_this_machine_unless_asked_for() {
    let smdp = smdp();
    let refused = smdp.serve("0.0.0.0:0".parse().unwrap(), false);
    assert!(matches!(refused, Err(SmdpError::NotLoopback(_))));
    smdp.serve("0.0.0.0:0".parse().unwrap(), true)
        .unwrap()
        .shutdown();
}

fn post(address: SocketAddr, path: &str, body: &[u8]) -> u16 {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server may have answered and closed before the whole body went out.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split_whitespace()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0)
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
    assert_eq!(credential.oid.to_string(), "2.999.10");
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
        fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
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
