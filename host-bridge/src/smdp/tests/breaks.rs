//! What breaks on the way: messages altered or lost, the card torn out.

use super::*;

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
    fn call(&mut self, request: &Request) -> Result<Option<Response>, Es9Error> {
        let number = self.calls;
        self.calls += 1;
        let lost = || {
            Err(Es9Error::Server {
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
            assert!(
                matches!(error, PushError::Es9(Es9Error::Server { .. })),
                "{error}"
            );
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
        tls: None,
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
