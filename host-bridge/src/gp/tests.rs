//! Sessions with the virtual card, and what is done before its try counter can be touched.

use super::attempts::{Attempts, AttemptsError, Permission, Target};
use super::*;
use crate::exit::{self, ExitCode};
use crate::keys::key_set;
use crate::order::{KeySet, KeyStore};
use crate::transport::{CardLink, LinkError, VirtualLink};
use applet_gen::gp::command::StatusKind;
use applet_gen::gp::scp03::ScpError;
use applet_gen::gp::scp03::channel::{INS_EXTERNAL_AUTHENTICATE, INS_INITIALIZE_UPDATE};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig};
use std::ops::ControlFlow;
use std::path::Path;

fn definition() -> Definition {
    Definition::shipped("virtual-lab").unwrap()
}

fn card(number: u32) -> VirtualCard {
    let eid = Eid::with_check_digits(&format!("89049032{number:022}")).unwrap();
    let euicc = EuiccConfig::lab(eid).unwrap();
    VirtualCard::new(CardConfig::with_test_keys(definition(), 1, euicc).unwrap()).unwrap()
}

fn test_keys() -> KeySet {
    KeyStore::default()
        .find("test", None, &definition())
        .unwrap()
}

/// What happens to a command on its way.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Plain,
    /// A bit of EXTERNAL AUTHENTICATE falls over: the card refuses it and counts.
    Altered,
    /// The card is pulled out before it could answer EXTERNAL AUTHENTICATE.
    PulledOut,
    /// A card with SCP02.
    Scp02,
}

struct Link {
    link: VirtualLink,
    way: Way,
    /// The last instruction but GET RESPONSE.
    asked: u8,
}

impl Link {
    fn new(way: Way) -> Self {
        let link = VirtualLink::new("card", card(1));
        Link {
            link,
            way,
            asked: 0,
        }
    }

    fn tries(&self) -> u8 {
        self.link.card().tries_left()
    }
}

impl CardLink for Link {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let mut command = command.clone();
        match (self.way, command.ins) {
            (Way::Altered, INS_EXTERNAL_AUTHENTICATE) => command.data[0] ^= 1,
            (Way::PulledOut, INS_EXTERNAL_AUTHENTICATE) => {
                return Err(LinkError::Removed("card".to_owned()));
            }
            _ => {}
        }
        let mut answer = self.link.transmit(&command)?;
        if command.ins != 0xC0 {
            self.asked = command.ins;
        }
        if self.way == Way::Scp02
            && self.asked == INS_INITIALIZE_UPDATE
            && let Some(protocol) = answer.data.get_mut(11)
        {
            *protocol = 2;
        }
        Ok(answer)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

/// One session: the card is reset, its domain selected, the channel opened.
fn authenticate(link: &mut Link, set: &KeySet, attempts: &Attempts) -> Result<(), GpError> {
    link.reset()?;
    let mut domain = SecurityDomain::issuer(link, &definition())?;
    domain.authenticate(
        set,
        &mut Authentication {
            level: None,
            attempts: Some(attempts),
            random: &mut |challenge| {
                challenge.fill(7);
                Ok(())
            },
            observer: &mut |_| ControlFlow::Continue(()),
        },
    )
}

fn record(dir: &Path, permission: Permission) -> Attempts {
    let mut attempts = Attempts::at(dir.join("state/attempts.sqlite"));
    attempts.permit(permission);
    attempts
}

#[test]
fn what_the_host_sees_before_costs_no_try() {
    let dir = tempfile::tempdir().unwrap();
    let attempts = record(dir.path(), Permission::None);
    let other = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    let wrong_keys = key_set("other", 0x30, other, other, other).unwrap();
    let wrong_version = KeySet {
        kvn: 0x31,
        ..test_keys()
    };
    let cases = [
        (
            Way::Plain,
            wrong_keys,
            exit::WRONG_KEYS,
            "these are not this card's keys",
        ),
        (
            Way::Plain,
            wrong_version,
            exit::WRONG_KEYS,
            "with key version 31",
        ),
        (
            Way::Scp02,
            test_keys(),
            exit::CARD_REFUSED,
            "is for SCP02, not SCP03",
        ),
    ];
    for (way, set, code, words) in cases {
        let mut link = Link::new(way);
        // More often than the card would bear.
        for _ in 0..12 {
            let error = authenticate(&mut link, &set, &attempts).unwrap_err();
            assert_eq!(error.exit(), code, "{error}");
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains(other));
        }
        assert_eq!(link.tries(), 10);
        link.way = Way::Plain;
        authenticate(&mut link, &test_keys(), &attempts).unwrap();
    }
    assert!(dir.path().join("state/attempts.sqlite").exists());
}

#[test]
fn a_try_that_was_spent_takes_a_word() {
    let dir = tempfile::tempdir().unwrap();
    let mut link = Link::new(Way::Altered);
    let refused = |link: &mut Link, permission| {
        // A new process each time: what counts is on disk.
        authenticate(link, &test_keys(), &record(dir.path(), permission)).unwrap_err()
    };
    let first = refused(&mut link, Permission::None);
    assert_eq!(first.exit(), exit::NOT_AUTHENTICATED, "{first}");
    assert_eq!(link.tries(), 9);
    for permission in [Permission::None, Permission::Resume] {
        let error = refused(&mut link, permission);
        assert_eq!(error.exit(), exit::ATTEMPTS);
        let text = error.to_string();
        for word in [
            "1 of the card's tries",
            "key set test",
            "6982",
            "--spend-attempt",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(!text.contains("404142"), "{text}");
    }
    assert_eq!(link.tries(), 9);
    refused(&mut link, Permission::Spend);
    assert_eq!(link.tries(), 8);
    assert!(
        refused(&mut link, Permission::None)
            .to_string()
            .contains("2 of the card's tries")
    );
    // Another card is another matter.
    let mut other = Link::new(Way::Plain);
    other.link = VirtualLink::new("card", card(2));
    authenticate(
        &mut other,
        &test_keys(),
        &record(dir.path(), Permission::None),
    )
    .unwrap();
    // Success clears the record.
    link.way = Way::Plain;
    authenticate(
        &mut link,
        &test_keys(),
        &record(dir.path(), Permission::Spend),
    )
    .unwrap();
    authenticate(
        &mut link,
        &test_keys(),
        &record(dir.path(), Permission::None),
    )
    .unwrap();
    assert_eq!(link.tries(), 10);
}

#[test]
fn an_answer_that_nobody_saw_counts_and_a_resumed_run_goes_on_once() {
    let dir = tempfile::tempdir().unwrap();
    let mut link = Link::new(Way::PulledOut);
    let go = |link: &mut Link, permission| {
        authenticate(link, &test_keys(), &record(dir.path(), permission))
    };
    assert_eq!(
        go(&mut link, Permission::None).unwrap_err().exit(),
        exit::CARD_REMOVED
    );
    let error = go(&mut link, Permission::None).unwrap_err();
    assert_eq!(error.exit(), exit::ATTEMPTS);
    assert!(error.to_string().contains("no answer was seen"), "{error}");
    assert_eq!(
        go(&mut link, Permission::Resume).unwrap_err().exit(),
        exit::CARD_REMOVED
    );
    link.way = Way::Plain;
    assert_eq!(
        go(&mut link, Permission::Resume).unwrap_err().exit(),
        exit::ATTEMPTS
    );
    go(&mut link, Permission::Spend).unwrap();
}

#[test]
fn without_a_record_nothing_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    // A file where the folder would be: no user may write there, not even root.
    std::fs::write(dir.path().join("state"), "").unwrap();
    let mut link = Link::new(Way::Altered);
    let error = authenticate(
        &mut link,
        &test_keys(),
        &record(dir.path(), Permission::Spend),
    );
    let error = error.unwrap_err();
    assert_eq!(error.exit(), exit::OUTPUT);
    assert!(
        error
            .to_string()
            .contains("EXTERNAL AUTHENTICATE was not sent"),
        "{error}"
    );
    assert_eq!(link.tries(), 10);
}

#[test]
fn of_two_processes_one_gets_the_try() {
    let dir = tempfile::tempdir().unwrap();
    let target = Target {
        card: "00/00".to_owned(),
        domain: "A0".to_owned(),
        kvn: 1,
    };
    let begin = || record(dir.path(), Permission::None).begin(&target, "set", "AA BB CC");
    let results = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(begin)).collect();
        threads
            .into_iter()
            .map(|t| t.join().unwrap())
            .collect::<Vec<_>>()
    });
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert_eq!(
        results
            .iter()
            .filter(|r| matches!(r, Err(AttemptsError::Spent { .. })))
            .count(),
        3
    );
    let attempts = record(dir.path(), Permission::None);
    assert_eq!(attempts.spent(&target).unwrap().len(), 1);
    for begun in results.into_iter().flatten() {
        attempts.end(&target, begun, Sw::OK).unwrap();
    }
    assert!(attempts.spent(&target).unwrap().is_empty());
}

#[test]
fn a_session_on_another_logical_channel() {
    let dir = tempfile::tempdir().unwrap();
    let attempts = record(dir.path(), Permission::None);
    let mut link = VirtualLink::new("card", card(1));
    link.reset().unwrap();
    let definition = definition();
    let aid = definition.isd.aid.bytes();
    let error = SecurityDomain::select(&mut link, &definition, aid, 9)
        .err()
        .unwrap();
    assert!(
        matches!(error, GpError::Channel { asked: 9, .. }),
        "{error}"
    );
    let mut domain = SecurityDomain::select(link, &definition, aid, 2).unwrap();
    let mut how = Authentication {
        level: None,
        attempts: Some(&attempts),
        random: &mut |challenge| {
            challenge.fill(7);
            Ok(())
        },
        observer: &mut |_| ControlFlow::Continue(()),
    };
    domain.authenticate(&test_keys(), &mut how).unwrap();
    assert_eq!(
        domain
            .status(StatusKind::IssuerSecurityDomain)
            .unwrap()
            .len(),
        1
    );
    let error = GpError::Scp {
        set: "x".to_owned(),
        source: ScpError::NotAuthenticated(Sw::AUTHENTICATION_BLOCKED),
    };
    assert_eq!(error.exit(), exit::NOT_AUTHENTICATED);
}
