//! Bad input: each with its own exit code, and nothing lost.

use super::*;
use crate::keys::{Access, KeyStore};

fn failed(events: &[Event]) -> (Exit, String) {
    events
        .iter()
        .find_map(|e| match e {
            Event::CardFailed { exit, error, .. } => Some((*exit, error.clone())),
            _ => None,
        })
        .unwrap()
}

#[test]
fn wrong_keys_cost_no_try() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("keys.toml");
    let key = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    std::fs::write(
        &file,
        format!("[set.other]\nkvn = 0x30\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n"),
    )
    .unwrap();
    let access = Access {
        hsm: None,
        passphrase: &mut || panic!("the file is not encrypted"),
    };
    let store = KeyStore::open(&file, access).unwrap();
    let order = order_with(1, "other", &store);
    let (outcome, events) = run_logged(dir.path(), &order, &mut station(dir.path()));
    assert_eq!(outcome.unwrap().exit_code, exit::WRONG_KEYS.code);
    let (exit, error) = failed(&events);
    assert_eq!(exit, exit::WRONG_KEYS);
    assert!(
        error.contains("other") && error.contains("no try of the card was used up"),
        "{error}"
    );
    assert!(!error.contains(key));
    assert!(
        events
            .iter()
            .any(|e| matches!(e, Event::KeySet { kvn: 0x30, .. }))
    );
    assert!(!events.contains(&Event::KeysFit));
    let card = stored(dir.path(), &order, 0);
    assert_eq!(card.tries_left(), 10);
    assert!(card.registry().instances.is_empty());
}

#[test]
fn a_card_with_too_little_memory() {
    let dir = tempfile::tempdir().unwrap();
    let small = Definition::shipped("virtual-small").unwrap();
    let refused = run(
        &order(1),
        &small,
        &job(),
        vec![&mut station(dir.path())],
        &options(dir.path()),
        &mut |_: &Notice| ControlFlow::Continue(()),
    );
    let error = refused.unwrap_err();
    assert_eq!(error.exit(), exit::MEMORY, "{error}");
    assert!(error.to_string().contains("nothing was loaded"));
}

#[test]
fn a_card_that_is_fuller_than_its_definition_says() {
    let dir = tempfile::tempdir().unwrap();
    let mut full = definition();
    full.memory.persistent = 3000;
    let mut station = VirtualStation::new(
        &dir.path().join("cards"),
        full,
        Hierarchy::lab().unwrap(),
        EuiccSetup::lab().unwrap(),
        7,
    );
    let (outcome, events) = run_logged(dir.path(), &order(1), &mut station);
    assert_eq!(outcome.unwrap().exit_code, exit::MEMORY.code);
    assert!(
        failed(&events).1.contains("by the card itself"),
        "{:?}",
        failed(&events)
    );
}

#[test]
fn a_card_without_an_imported_package() {
    let mut poor = definition();
    poor.java_card.packages.retain(|p| p.name != "uicc/toolkit");
    let error = applet().fits(&poor).unwrap_err();
    assert_eq!(error.exit(), exit::IMPORTS);
    assert!(error.to_string().contains("uicc/toolkit 1."), "{error}");
    let mut old = definition();
    for package in &mut old.java_card.packages {
        package.minor = 0;
    }
    assert_eq!(applet().fits(&old).unwrap_err().exit(), exit::IMPORTS);
}

#[test]
fn cut_and_altered_cap_files() {
    let whole = cap();
    for cut in [0, 10, whole.len() / 2, whole.len() - 1] {
        let error = Applet::from_bytes("ipae.cap", &whole[..cut]).err().unwrap();
        assert_eq!(error.exit(), exit::CAP, "{cut}");
        assert!(
            error.to_string().starts_with("CAP file ipae.cap: "),
            "{error}"
        );
    }
    // Everywhere in the first half, where the compressed components are.
    for at in (40..whole.len() / 2).step_by(97) {
        let mut altered = whole.to_vec();
        altered[at] ^= 0x10;
        if let Ok(applet) = Applet::from_bytes("ipae.cap", &altered) {
            // A byte that carries nothing, in a ZIP header: what is loaded is the same.
            assert_eq!(applet.load_file, super::applet().load_file, "{at}");
        }
    }
}

#[test]
fn a_foreign_package_is_not_touched() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(1);
    run_logged(dir.path(), &order, &mut station(dir.path()))
        .0
        .unwrap();
    // The same card, and a journal that knows nothing of it.
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    let (outcome, events) = run_logged(dir.path(), &order, &mut station(dir.path()));
    assert_eq!(outcome.unwrap().exit_code, exit::CARD_REFUSED.code);
    assert!(failed(&events).1.contains("--replace"));
    // Nor by a second try: it is still foreign.
    assert_eq!(
        run_logged(dir.path(), &order, &mut station(dir.path()))
            .0
            .unwrap()
            .failed,
        1
    );
    let replacing = Options {
        replace_foreign: true,
        ..options(dir.path())
    };
    let outcome = run(
        &order,
        &definition(),
        &job(),
        vec![&mut station(dir.path())],
        &replacing,
        &mut |_: &Notice| ControlFlow::Continue(()),
    );
    assert_eq!(outcome.unwrap().done, 1);
    assert_personalized(&stored(dir.path(), &order, 0));
}

/// Presents the cards with these EIDs, the last first, as a reader would: not knowing which they are.
struct AnyCards(VirtualStation, Vec<String>);

impl Station for AnyCards {
    fn name(&self) -> String {
        self.0.name()
    }

    fn next(&mut self, _: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let Some(eid) = self.1.pop() else {
            return Ok(None);
        };
        Ok(Some(Presented {
            link: Box::new(self.0.open(&eid)?),
            expected: None,
        }))
    }
}

#[test]
fn a_card_of_another_order_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let two = order(2);
    run_logged(dir.path(), &two, &mut station(dir.path()))
        .0
        .unwrap();
    let other = two.rows[1].eid.to_string();
    let out = dir.path().join("other");
    let (refused, _) = run_logged(
        &out,
        &order(1),
        &mut AnyCards(station(dir.path()), vec![other]),
    );
    assert_eq!(refused.unwrap_err().exit(), exit::WRONG_CARD);
}

#[test]
fn a_second_process_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let order = order(1);
    let mut second = None;
    run(
        &order,
        &definition(),
        &job(),
        vec![&mut station(dir.path())],
        &options(dir.path()),
        &mut |_: &Notice| {
            if second.is_none() {
                second = Some(
                    run_logged(dir.path(), &order, &mut station(dir.path()))
                        .0
                        .map(|_| ()),
                );
            }
            ControlFlow::Continue(())
        },
    )
    .unwrap();
    assert_eq!(second.unwrap().unwrap_err().exit(), exit::LOCKED);
}
