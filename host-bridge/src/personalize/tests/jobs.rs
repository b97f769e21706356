//! Jobs of one's own on virtual cards; and a dry run is what a run sends.

use super::rotated::order_with_new_keys;
use super::*;
use crate::personalize::job::dry::DryRun;
use crate::personalize::job::tests::ALL;
use crate::transport::LinkError;
use applet_model::apdu::{Command, Response};
use std::path::PathBuf;
use std::sync::Mutex;

type Log = Arc<Mutex<Vec<Command>>>;

/// A link that keeps every command.
struct Kept(Box<dyn CardLink>, Log);

impl CardLink for Kept {
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.0.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        self.1.lock().unwrap().push(command.clone());
        self.0.transmit(command)
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

struct KeptStation(VirtualStation, Log);

impl Station for KeptStation {
    fn name(&self) -> String {
        self.0.name()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let presented = self.0.next(supply)?;
        Ok(presented.map(|presented| Presented {
            link: Box::new(Kept(presented.link, Arc::clone(&self.1))),
            ..presented
        }))
    }
}

fn all() -> Job {
    of_text(ALL)
}

fn of_text(text: &str) -> Job {
    let file = JobFile::parse(text, "all.toml", PathBuf::from(".")).unwrap();
    file.with(Some(applet())).unwrap()
}

/// Runs a job, and gives the commands that were sent.
fn sent(out: &Path, order: &Order, job: &Job, definition: &Definition) -> Vec<Command> {
    let log = Log::default();
    let mut station = KeptStation(station_of(out, definition), Arc::clone(&log));
    let mut events = Vec::new();
    let outcome = run(
        order,
        definition,
        job,
        vec![&mut station],
        &options(out),
        &mut |notice| {
            events.push(notice.event.clone());
            ControlFlow::Continue(())
        },
    );
    assert_eq!(outcome.unwrap().done, 1, "{events:#?}");
    std::mem::take(&mut *log.lock().unwrap())
}

fn station_of(out: &Path, definition: &Definition) -> VirtualStation {
    VirtualStation::new(
        &out.join("cards"),
        definition.clone(),
        Hierarchy::lab().unwrap(),
        EuiccSetup::lab().unwrap(),
        7,
    )
}

/// With C-MAC alone every command can be read on the link: the dry run's are those, one by one.
#[test]
fn a_dry_run_is_what_a_run_sends() {
    let mut definition = definition();
    definition.isd.scp03.level = 0x01;
    // The lab's cards are SECURED: for a state that has to be set, the applet is locked at the end.
    let locking = ALL.replace(
        "do = \"set-state\"\ncard = \"secured\"\n",
        "do = \"configure\"\n",
    );
    let locking = locking.replacen("[[step]]\ndo = \"configure\"\n", "", 1)
        + "[[step]]\ndo = \"set-state\"\napplication = \"F0495041650101000000000049504101\"\nstate = \"locked\"\n";
    for (job, order) in [
        (job(), order(1)),
        (of_text(&locking), order_with_new_keys()),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let planned = DryRun::of(&job, &order, &definition, 1).unwrap().commands;
        let mut sent = sent(dir.path(), &order, &job, &definition);
        // GET RESPONSE is below the commands.
        sent.retain(|command| command.ins != 0xC0);
        for (i, (planned, sent)) in planned.iter().zip(&sent).enumerate() {
            let secured = sent.cla & 0x04 != 0 && sent.ins != 0x82;
            let mut plain = sent.clone();
            if secured {
                plain.cla &= !0x04;
                plain.data.truncate(plain.data.len() - 8);
            }
            let header = hex::encode_upper([plain.cla, plain.ins, plain.p1, plain.p2]);
            let is = (planned.secured, &planned.command[..8], planned.length);
            assert_eq!(
                is,
                (secured, header.as_str(), plain.data.len()),
                "{i}: {planned:?}"
            );
            if !planned.command.contains('[') {
                let data = hex::encode_upper(&plain.data);
                assert!(
                    planned.command[8..].contains(&data),
                    "{i}: {planned:?} {data}"
                );
            }
        }
        assert_eq!(planned.len(), sent.len());
    }
}

#[test]
fn a_job_of_every_kind_of_step() {
    let dir = tempfile::tempdir().unwrap();
    let order = order_with_new_keys();
    let eid = order.rows[0].eid.to_string();
    sent(dir.path(), &order, &all(), &definition());
    let card = stored(dir.path(), &order, 0);
    assert_personalized(&card);
    assert_eq!(card.registry().card as u8, 0x0F);
    let text = std::fs::read_to_string(dir.path().join(format!("receipts/{eid}.json"))).unwrap();
    let receipt: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(receipt["job"]["title"], "all");
    assert_eq!(receipt["job"]["sha256"], all().digest.as_str());
    assert_eq!(receipt["job"]["steps"][6], "eid");
    assert_eq!(receipt["key_set"]["kvn"], "31");
    assert!(
        receipt["reads"]["eid"]
            .as_str()
            .unwrap()
            .starts_with("DF20")
    );
    let journal = crate::journal::SqliteJournal::read(dir.path()).unwrap();
    let steps = journal.steps().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step.step.as_str()).collect();
    assert_eq!(
        names[..5],
        ["identify", "authenticate", "check", "load", "install"]
    );
    assert_eq!(names[names.len() - 3..], ["eid", "read", "verify"]);
    // Another job does not take this one's journal.
    drop(journal);
    let (other, _) = run_logged(dir.path(), &order, &mut station(dir.path()));
    let error = other.unwrap_err();
    assert_eq!(error.exit(), exit::JOURNAL);
    assert!(error.to_string().contains("another job"), "{error}");
}

#[test]
fn an_answer_that_differs_sets_the_card_aside() {
    let text = ALL.replace("DF2006????", "DF2006FFFF");
    let job = of_text(&text);
    let dir = tempfile::tempdir().unwrap();
    let order = order_with_new_keys();
    let outcome = run(
        &order,
        &definition(),
        &job,
        vec![&mut station(dir.path())],
        &options(dir.path()),
        &mut |_| ControlFlow::Continue(()),
    )
    .unwrap();
    assert_eq!((outcome.failed, outcome.exit_code), (1, exit::VERIFY.code));
    let journal = crate::journal::SqliteJournal::read(dir.path()).unwrap();
    let card = journal
        .card(&order.rows[0].eid.to_string())
        .unwrap()
        .unwrap();
    assert_eq!(card.failed_step.as_deref(), Some("eid"));
}

/// Stopped at every event, the same command brings the job to its end, and each thing is done once.
#[test]
fn a_job_stopped_anywhere_goes_on() {
    let order = order_with_new_keys();
    let mut events = 0;
    let whole = tempfile::tempdir().unwrap();
    let mut count = |_: &Notice| {
        events += 1;
        ControlFlow::Continue(())
    };
    let mut cards = station(whole.path());
    let stations: Vec<&mut dyn Station> = vec![&mut cards];
    run(
        &order,
        &definition(),
        &all(),
        stations,
        &options(whole.path()),
        &mut count,
    )
    .unwrap();
    // Beginnings and ends of the steps lie outside the blocks of LOAD.
    for stop in (0..20).chain(events - 26..events) {
        let dir = tempfile::tempdir().unwrap();
        let mut seen = 0;
        let mut until = |_: &Notice| {
            seen += 1;
            match seen > stop {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        };
        let mut cards = station(dir.path());
        let stations: Vec<&mut dyn Station> = vec![&mut cards];
        let stopped = run(
            &order,
            &definition(),
            &all(),
            stations,
            &options(dir.path()),
            &mut until,
        );
        assert!(
            matches!(stopped, Err(PersonalizeError::Interrupted)),
            "{stop}"
        );
        sent(dir.path(), &order, &all(), &definition());
        let card = stored(dir.path(), &order, 0);
        assert_personalized(&card);
        assert_eq!(
            (card.registry().card as u8, card.tries_left()),
            (0x0F, 10),
            "{stop}"
        );
    }
}

#[test]
fn profiles_other_than_ordered_set_the_card_aside() {
    let dir = tempfile::tempdir().unwrap();
    let mut order = order(1);
    let has = EuiccSetup::lab().unwrap().profiles[0].iccid;
    let iccid = |text: &str| text.parse::<applet_model::sgp::Iccid>().unwrap();
    // The card is made as the order says; another order is then done with it.
    order.rows[0].iccids = vec![iccid("89445310150011013678")];
    let job = job();
    let batch = Batch::new(&order, &definition(), &job).map(drop);
    batch.unwrap();
    let log = sent(dir.path(), &order, &job, &definition());
    assert!(!log.is_empty());
    let other = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(other.path().join("cards")).unwrap();
    let name = format!("cards/{}.card", order.rows[0].eid);
    std::fs::copy(dir.path().join(&name), other.path().join(&name)).unwrap();
    order.rows[0].iccids = vec![applet_model::sgp::Iccid(*has.as_bytes())];
    let (outcome, events) = run_logged(other.path(), &order, &mut station(other.path()));
    let outcome = outcome.unwrap();
    assert_eq!(
        (outcome.failed, outcome.exit_code),
        (1, exit::WRONG_CARD.code)
    );
    let said = format!("{events:?}");
    assert!(
        said.contains("ICCID: expected") && said.contains("89445310150011013678"),
        "{said}"
    );
}
