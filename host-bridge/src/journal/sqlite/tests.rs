use super::*;
use crate::exit::{self, ExitCode};

fn belongs(order: &str) -> Belongs {
    Belongs {
        order: order.to_owned(),
        definition: "d".to_owned(),
        job: "a".to_owned(),
    }
}

fn open(dir: &Path, order: &str) -> Result<SqliteJournal, JournalError> {
    SqliteJournal::open(dir, &belongs(order), "one", ["E1", "E2"].map(String::from))
}

fn fault(exit: exit::Exit) -> Fault {
    Fault {
        exit,
        error: "too small".to_owned(),
        step: Some("check".to_owned()),
        evidence: vec!["80CA > 6A88".to_owned(), "80F2 > 9000".to_owned()],
    }
}

/// A receipt that says what it follows.
fn seal(eid: &str) -> impl FnMut(&ChainHead) -> Result<Sealed, String> + use<> {
    let eid = eid.to_owned();
    move |head| {
        Ok(Sealed {
            eid: eid.clone(),
            sequence: head.sequence + 1,
            hash: format!("hash of {eid}"),
            text: format!("{} after {}", eid, head.hash),
        })
    }
}

#[test]
fn what_was_recorded_is_there_again() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), "o").unwrap();
    assert_eq!(
        journal.claim("E1", "a", "C1").unwrap(),
        Claim::Taken { attempts: 1 }
    );
    journal.begin_step("E1", "load").unwrap();
    assert_eq!(journal.progress("E1", "load").unwrap(), Progress::Begun);
    journal.end_step("E1", "load", "42 blocks", 17).unwrap();
    journal.claim("E2", "b", "C2").unwrap();
    journal.fail("E2", &fault(exit::MEMORY)).unwrap();
    drop(journal);
    let journal = open(dir.path(), "o").unwrap();
    assert_eq!(journal.progress("E1", "load").unwrap(), Progress::Ended);
    assert_eq!(
        journal.progress("E1", "install").unwrap(),
        Progress::NotBegun
    );
    assert_eq!(journal.steps().unwrap()[0].took_ms, Some(17));
    let cards = journal.cards().unwrap();
    assert_eq!(cards[0].state, CardState::Working);
    assert_eq!(
        cards[1].error,
        Some((exit::MEMORY.code, "too small".to_owned()))
    );
    assert_eq!(cards[1].failed_step.as_deref(), Some("check"));
    assert_eq!(
        journal.evidence("E2").unwrap(),
        ["80CA > 6A88", "80F2 > 9000"]
    );
    journal.set_token("E1", 5).unwrap();
    journal
        .finish("E1", "2026-01-01T00:00:00Z", &mut seal("E1"))
        .unwrap();
    let card = journal.card("E1").unwrap().unwrap();
    assert_eq!(
        (card.state, card.token, card.attempts),
        (CardState::Done, Some(5), 1)
    );
}

#[test]
fn a_card_is_in_one_hand() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), "o").unwrap();
    let choose = |worker: &str, not: &[String]| {
        let choice = Choice {
            worker,
            set_aside: &[exit::NOT_AUTHENTICATED.code],
            not,
        };
        journal.choose(&choice).unwrap()
    };
    assert_eq!(choose("a", &[]).as_deref(), Some("E1"));
    assert_eq!(choose("b", &[]).as_deref(), Some("E2"));
    assert_eq!(choose("c", &[]), None);
    // Who asks again has let go of what it was given.
    assert_eq!(choose("a", &["E1".to_owned()]), None);
    assert_eq!(choose("c", &[]).as_deref(), Some("E1"));
    assert_eq!(
        journal.claim("E1", "a", "").unwrap(),
        Claim::Busy {
            worker: "c".to_owned()
        }
    );
    assert_eq!(journal.claim("E3", "a", "").unwrap(), Claim::NotInOrder);
    assert!(matches!(
        journal.claim("E1", "c", "C1").unwrap(),
        Claim::Taken { .. }
    ));
    journal.fail("E1", &fault(exit::NOT_AUTHENTICATED)).unwrap();
    assert_eq!(choose("a", &[]), None, "E1 is set aside, E2 is b's");
    // Another chip that says E1 is not the card that was begun.
    assert_eq!(
        journal.claim("E1", "a", "C9").unwrap(),
        Claim::OtherChip {
            expected: "C1".to_owned()
        }
    );
    assert_eq!(
        journal.claim("E1", "a", "C1").unwrap(),
        Claim::Taken { attempts: 2 }
    );
    journal.finish("E1", "now", &mut seal("E1")).unwrap();
    assert_eq!(journal.claim("E1", "a", "C1").unwrap(), Claim::Done);
}

#[test]
fn receipts_are_chained_once() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), "order digest").unwrap();
    assert_eq!(journal.head().unwrap().hash, "order digest");
    let failed = journal.finish("E1", "now", &mut |_| Err("no key".to_owned()));
    assert!(failed.unwrap_err().to_string().contains("no key"));
    assert_eq!(
        journal.card("E1").unwrap().unwrap().state,
        CardState::Pending
    );
    let first = journal.finish("E1", "now", &mut seal("E1")).unwrap();
    assert_eq!(
        (first.sequence, first.text.as_str()),
        (1, "E1 after order digest")
    );
    // Once more is the same one, and nothing new is made.
    let again = journal.finish("E1", "later", &mut |_| Err("twice".to_owned()));
    assert_eq!(again.unwrap(), first);
    let second = journal.finish("E2", "now", &mut seal("E2")).unwrap();
    assert_eq!(
        (second.sequence, second.text.as_str()),
        (2, "E2 after hash of E1")
    );
    drop(journal);
    let journal = SqliteJournal::read(dir.path()).unwrap();
    assert_eq!(journal.head().unwrap().sequence, 2);
    assert_eq!(journal.receipts(1).unwrap(), [second]);
    assert!(journal.set_token("E1", 1).is_err(), "opened for reading");
}

#[test]
fn new_keys_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let journal = open(dir.path(), "o").unwrap();
    assert_eq!(journal.rotation("E1").unwrap(), None);
    let rotation = Rotation {
        from: "test".to_owned(),
        from_kvn: 0x30,
        to: "production".to_owned(),
        to_kvn: 0x31,
        check_values: ["A", "B", "C"].map(String::from),
        source: "key file".to_owned(),
        confirmed: false,
    };
    journal.set_rotation("E1", &rotation).unwrap();
    drop(journal);
    let journal = open(dir.path(), "o").unwrap();
    assert_eq!(journal.rotation("E1").unwrap(), Some(rotation));
}

#[test]
fn a_second_process_and_another_order_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let first = open(dir.path(), "o").unwrap();
    let locked = open(dir.path(), "o").err().unwrap();
    assert_eq!(locked.exit(), exit::LOCKED);
    // Looking on is no second process at work.
    assert_eq!(
        SqliteJournal::read(dir.path())
            .unwrap()
            .cards()
            .unwrap()
            .len(),
        2
    );
    drop(first);
    let other = open(dir.path(), "p").err().unwrap();
    assert_eq!(other.exit(), exit::JOURNAL);
    assert!(other.to_string().contains("another order"));
    let nothing = SqliteJournal::read(&dir.path().join("no")).err().unwrap();
    assert_eq!(nothing.exit(), exit::JOURNAL);
}

#[test]
fn a_file_that_is_no_journal_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join(SqliteJournal::FILE),
        "not a database, but long enough to look at".repeat(20),
    )
    .unwrap();
    assert_eq!(open(dir.path(), "o").err().unwrap().exit(), exit::JOURNAL);
}
