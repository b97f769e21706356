//! Every command of a load disturbed: the card pulled before it or before its answer, the reader gone, garbage for an
//! answer. The same command afterwards ends well or says what is half there, and no try of the card is spent.

use super::*;
use crate::gp::{Attempts, AttemptsError, Authentication, Permission};
use crate::order::KeyStore;
use crate::transport::{LinkError, VirtualLink};
use crate::vm_bench;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use cards::card::{CardConfig, VirtualCard};
use cards::euicc::{Eid, EuiccConfig};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::OnceLock;

/// Short blocks: more commands to disturb.
const BLOCK: usize = 64;
/// More commands than any session here has.
const MANY: usize = 200;

/// A small package, compiled once.
fn cap() -> &'static Cap {
    static CAP: OnceLock<Cap> = OnceLock::new();
    CAP.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        Cap::from_load_file(&vm_bench::load_file(dir.path()).unwrap()).unwrap()
    })
}

/// The lab's card, or one on which a load that broke off stays in the registry.
fn definition(half_stays: bool) -> Definition {
    let mut definition = Definition::shipped("virtual-lab").unwrap();
    definition.quirks.half_load_stays = half_stays;
    definition
}

fn card(definition: &Definition) -> VirtualCard {
    let eid = Eid::with_check_digits("890490320000000000000000000071").unwrap();
    let euicc = EuiccConfig::lab(eid).unwrap();
    VirtualCard::new(CardConfig::with_test_keys(definition.clone(), 1, euicc).unwrap()).unwrap()
}

/// What happens at one command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The card goes out before it gets the command.
    PulledBefore,
    /// The card did what the command says, and goes out before its answer arrives.
    PulledAfter,
    /// The reader goes with the card.
    ReaderGone,
    /// The answer is another than the card's.
    Garbage,
    /// The answer is empty, and says that all is well.
    Empty,
}

/// A link on which a fault happens at one command.
struct Disturbed<'a> {
    card: &'a mut VirtualLink,
    fault: Fault,
    left: usize,
    happened: bool,
    out: bool,
}

impl CardLink for Disturbed<'_> {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.card.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let gone = || match self.fault {
            Fault::ReaderGone => LinkError::ReaderGone("reader".to_owned()),
            _ => LinkError::Removed("reader".to_owned()),
        };
        if self.out {
            return Err(gone());
        }
        if self.left > 0 {
            self.left -= 1;
            return self.card.transmit(command);
        }
        self.left = MANY;
        self.happened = true;
        match self.fault {
            Fault::PulledBefore => self.out = true,
            Fault::PulledAfter | Fault::ReaderGone => {
                self.card.transmit(command)?;
                self.out = true;
            }
            Fault::Garbage => {
                self.card.transmit(command)?;
                return Ok(Response {
                    data: vec![0xA5; 37],
                    sw: Sw(0x1234),
                });
            }
            Fault::Empty => {
                self.card.transmit(command)?;
                return Ok(Response::status(Sw::OK));
            }
        }
        Err(gone())
    }

    fn name(&self) -> String {
        "reader".to_owned()
    }
}

/// The record of tries, with what the operator allowed.
fn attempts(dir: &Path, permission: Permission) -> Attempts {
    let mut attempts = Attempts::at(dir.join("attempts.sqlite"));
    attempts.permit(permission);
    attempts
}

/// What `ipae card load` does.
fn run(
    link: &mut dyn CardLink,
    definition: &Definition,
    attempts: &Attempts,
    choice: Choice,
) -> Result<Loaded, LoadingError> {
    let before = |source| LoadingError::Card { source, done: 0 };
    let set = KeyStore::default().find("test", None, definition).unwrap();
    let session = move || {
        link.reset()?;
        let mut domain = SecurityDomain::issuer(link, definition)?;
        domain.authenticate(
            &set,
            &mut Authentication {
                level: None,
                attempts: Some(attempts),
                random: &mut |bytes| {
                    bytes.fill(0x5A);
                    Ok(())
                },
                observer: &mut |_| ControlFlow::Continue(()),
            },
        )?;
        Ok(domain)
    };
    let mut domain = session().map_err(before)?;
    let how = Loading {
        block: Some(BLOCK),
        ..Loading::default()
    };
    load(&mut domain, cap(), definition, &how, choice, &mut |_| {})
}

/// Brings the card to the end after a fault, as an operator does by what the messages say; gives the words
/// for what was found.
fn go_on(card: &mut VirtualLink, definition: &Definition, dir: &Path) -> &'static str {
    let attempts = &attempts(dir, Permission::Resume);
    let again = run(card, definition, attempts, Choice::default());
    let (choice, found) = match again {
        Ok(Loaded::Now(_)) => return "loaded",
        Ok(Loaded::Before) => panic!("nobody said --resume"),
        // The host saw a refusal, whatever the card counts: one more try takes the operator's word.
        Err(LoadingError::Card {
            source: GpError::Attempts(AttemptsError::Spent { .. }),
            ..
        }) => {
            let attempts = &self::attempts(dir, Permission::Spend);
            let spent = run(card, definition, attempts, Choice::default());
            assert!(matches!(spent, Ok(Loaded::Now(_))), "{spent:?}");
            return "try told";
        }
        Err(error) => {
            let next = error.next().unwrap_or_default();
            match &error {
                LoadingError::InTheWay {
                    found: Present::Half { listed: 0, .. },
                    ..
                } => {
                    assert!(error.to_string().contains("broke off") && next.contains("--clean"));
                    let clean = Choice {
                        clean: true,
                        ..Choice::default()
                    };
                    (clean, "half")
                }
                LoadingError::InTheWay {
                    found: Present::Whole,
                    ..
                } => {
                    assert!(next.contains("--resume"), "{next}");
                    let resume = Choice {
                        resume: true,
                        ..Choice::default()
                    };
                    (resume, "whole")
                }
                other => panic!("{other}"),
            }
        }
    };
    run(card, definition, attempts, choice).unwrap_or_else(|e| panic!("{e}"));
    found
}

/// Disturbs every command in turn; gives how many there were, and what was found after each.
fn disturbed(fault: Fault, half_stays: bool) -> (usize, Vec<&'static str>) {
    let definition = definition(half_stays);
    let factory = card(&definition);
    let mut found = Vec::new();
    for at in 0..MANY {
        let dir = tempfile::tempdir().unwrap();
        let attempts = attempts(dir.path(), Permission::None);
        let mut card = VirtualLink::new("card", factory.clone());
        let mut link = Disturbed {
            card: &mut card,
            fault,
            left: at,
            happened: false,
            out: false,
        };
        let result = run(&mut link, &definition, &attempts, Choice::default());
        if !link.happened {
            assert!(matches!(result, Ok(Loaded::Now(_))), "{result:?}");
            return (at, found);
        }
        let what = format!("{fault:?} at command {at}");
        if matches!(
            fault,
            Fault::PulledBefore | Fault::PulledAfter | Fault::ReaderGone
        ) {
            let code = result.as_ref().err().map(ExitCode::exit);
            assert_eq!(code, Some(exit::CARD_REMOVED), "{what}: {result:?}");
        }
        match result {
            // An answer that the load doesn't depend on.
            Ok(_) => found.push("loaded at once"),
            Err(_) => found.push(go_on(&mut card, &definition, dir.path())),
        }
        let card = card.into_card();
        assert_eq!(card.tries_left(), factory.tries_left(), "{what}");
        let files = &card.registry().load_files;
        assert_eq!(files.len(), 1, "{what}");
    }
    panic!("a load of more than {MANY} commands")
}

#[test]
fn a_card_pulled_at_every_command_is_loaded_by_the_same_command() {
    for fault in [Fault::PulledBefore, Fault::PulledAfter, Fault::ReaderGone] {
        let (commands, found) = disturbed(fault, false);
        assert!(commands > 20, "{commands}");
        let whole = found.iter().filter(|what| **what == "whole").count();
        // Only what comes after the last block's execution finds the package there.
        let last = usize::from(fault != Fault::PulledBefore);
        assert!(whole >= last && whole <= last + 1, "{fault:?}: {found:?}");
        assert!(!found.contains(&"half"));
    }
}

#[test]
fn half_a_package_that_stays_is_named_and_cleaned_up() {
    let (commands, found) = disturbed(Fault::PulledAfter, true);
    let half = found.iter().filter(|what| **what == "half").count();
    // From INSTALL [for load] to the block before the last.
    assert!(half > 10 && half < commands, "{found:?}");
    assert!(!found.contains(&"loaded at once"));
}

#[test]
fn garbage_at_every_command_is_noticed_and_costs_nothing() {
    for fault in [Fault::Garbage, Fault::Empty] {
        let (commands, found) = disturbed(fault, false);
        assert!(commands > 20, "{commands}");
        let unnoticed = found
            .iter()
            .filter(|what| **what == "loaded at once")
            .count();
        // SELECT's answer and the card's production data are for information; all else is under the channel's MAC.
        assert!(unnoticed <= 4, "{fault:?}: {found:?}");
    }
}

#[test]
fn a_try_that_nobody_saw_is_told() {
    // Pulled at EXTERNAL AUTHENTICATE, and started anew without a word about resuming.
    let definition = definition(false);
    let mut told = 0;
    for at in 0..12 {
        let dir = tempfile::tempdir().unwrap();
        let attempts = attempts(dir.path(), Permission::None);
        let mut card = VirtualLink::new("card", card(&definition));
        let mut link = Disturbed {
            card: &mut card,
            fault: Fault::PulledAfter,
            left: at,
            happened: false,
            out: false,
        };
        let first = run(&mut link, &definition, &attempts, Choice::default());
        assert!(first.is_err());
        match run(&mut card, &definition, &attempts, Choice::default()) {
            Ok(_) => {}
            Err(LoadingError::Card {
                source: GpError::Attempts(error @ AttemptsError::Spent { .. }),
                ..
            }) => {
                assert!(error.to_string().contains("--"), "{error}");
                told += 1;
            }
            Err(other) => panic!("{other}"),
        }
        assert_eq!(card.into_card().tries_left(), 10);
    }
    assert_eq!(told, 1);
}
