//! Runs that are stopped: by the observer at every event, by a panic at every APDU, by a power cut at
//! every persistent write, by SIGKILL. The same command must bring each to the same end.

use super::*;
use crate::transport::LinkError;
use applet_model::apdu::{Command, Response};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// LOAD blocks that a run sent.
fn loads(events: &[Event]) -> usize {
    events
        .iter()
        .filter(|e| matches!(e, Event::Loading { .. }))
        .count()
}

fn finish(out: &Path, order: &Order) -> Vec<Event> {
    let (outcome, events) = run_logged(out, order, &mut station(out));
    let outcome = outcome.unwrap();
    assert_eq!(
        (outcome.done, outcome.failed),
        (order.rows.len(), 0),
        "{events:#?}"
    );
    for i in 0..order.rows.len() {
        assert_personalized(&stored(out, order, i));
    }
    events
}

#[test]
fn stopped_at_every_event() {
    let order = order(1);
    let dir = tempfile::tempdir().unwrap();
    let whole = finish(dir.path(), &order);
    let blocks = loads(&whole);
    for stop in 0..whole.len() {
        // In the middle of LOAD all places are alike.
        if matches!(whole[stop], Event::Loading { block: i, of: n } if i > 2 && i + 2 < n) {
            continue;
        }
        let dir = tempfile::tempdir().unwrap();
        let mut seen = 0;
        let stopped = run(
            &order,
            &definition(),
            &job(),
            vec![&mut station(dir.path())],
            &options(dir.path()),
            &mut |_: &Notice| {
                seen += 1;
                if seen > stop {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            },
        );
        assert!(
            matches!(stopped, Err(PersonalizeError::Interrupted)),
            "{stop}"
        );
        let rest = finish(dir.path(), &order);
        let loaded = whole[..stop]
            .iter()
            .any(|e| matches!(e, Event::StepEnded { step, .. } if step == "load"));
        assert_eq!(
            loads(&rest),
            if loaded { 0 } else { blocks }.min(loads(&rest)),
            "{stop}"
        );
        if loaded {
            assert_eq!(
                loads(&rest),
                0,
                "loaded twice, stopped at {stop}: {:?}",
                whole[stop]
            );
        }
    }
}

/// A link that ends the run like a crash at one command, before it reaches the card or after.
struct Crashing {
    link: Box<dyn CardLink>,
    left: usize,
    after: bool,
}

impl CardLink for Crashing {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        if self.left == 0 {
            if self.after {
                let _ = self.link.transmit(command);
            }
            std::panic::panic_any("crash");
        }
        self.left -= 1;
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

struct CrashStation {
    inner: VirtualStation,
    left: usize,
    after: bool,
}

impl Station for CrashStation {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let presented = self.inner.next(supply)?;
        Ok(presented.map(|presented| Presented {
            link: Box::new(Crashing {
                link: presented.link,
                left: self.left,
                after: self.after,
            }),
            ..presented
        }))
    }
}

#[test]
fn crashed_at_every_command() {
    let order = order(1);
    let dir = tempfile::tempdir().unwrap();
    let (outcome, _) = run_logged(dir.path(), &order, &mut station(dir.path()));
    let apdus = outcome.unwrap().traffic.apdus as usize;
    let mut failures = Vec::new();
    for left in 0..apdus {
        // The many LOAD blocks are alike: every tenth.
        if left > 25 && left + 45 < apdus && left % 10 != 0 {
            continue;
        }
        for after in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let mut crashing = CrashStation {
                inner: station(dir.path()),
                left,
                after,
            };
            let crashed = catch_unwind(AssertUnwindSafe(|| {
                run_logged(dir.path(), &order, &mut crashing).0.map(|_| ())
            }));
            let finished = catch_unwind(AssertUnwindSafe(|| finish(dir.path(), &order)));
            if crashed.is_ok() || finished.is_err() {
                failures.push((left, after, crashed.is_ok()));
            }
        }
    }
    assert_eq!(failures, [], "of {apdus} commands");
}

/// Plans the power cut with the first command: a reset forgets a plan for the very next write.
struct CutLink {
    link: VirtualLink,
    cut: Option<u64>,
}

impl CardLink for CutLink {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        if let Some(cut) = self.cut.take() {
            self.link.card_mut().nvm_mut().cut_after(cut);
        }
        self.link.transmit(command)
    }

    fn name(&self) -> String {
        self.link.name()
    }
}

struct CutStation {
    inner: VirtualStation,
    cut: Option<u64>,
}

impl Station for CutStation {
    fn name(&self) -> String {
        self.inner.name()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let Some(row) = supply.choose()? else {
            return Ok(None);
        };
        let eid = row.eid.to_string();
        if !self.inner.file(&eid).exists() {
            self.inner.next(supply)?;
        }
        let link = CutLink {
            link: self.inner.open(&eid)?,
            cut: self.cut.take(),
        };
        Ok(Some(Presented {
            link: Box::new(link),
            expected: Some(eid),
        }))
    }
}

#[test]
fn power_cut_before_every_persistent_write() {
    let order = order(1);
    let dir = tempfile::tempdir().unwrap();
    finish(dir.path(), &order);
    let writes = stored(dir.path(), &order, 0).nvm().writes;
    for cut in 0..writes {
        let dir = tempfile::tempdir().unwrap();
        let mut station = CutStation {
            inner: station(dir.path()),
            cut: Some(cut),
        };
        let (outcome, _) = run_logged(dir.path(), &order, &mut station);
        let outcome = outcome.unwrap();
        assert_eq!(
            (outcome.failed, outcome.exit_code),
            (1, exit::CARD_REMOVED.code),
            "cut {cut}"
        );
        finish(dir.path(), &order);
    }
}

/// The child of [`killed`]: personalizes into the directory that the environment names.
#[test]
#[ignore = "run by the test that kills it"]
fn child() {
    let Ok(out) = std::env::var("IPAE_TEST_KILL_DIR") else {
        return;
    };
    let out = Path::new(&out);
    let cap = std::fs::read(out.join("ipae.cap")).unwrap();
    let job = Job::ipae(Applet::from_bytes("ipae.cap", &cap).unwrap()).unwrap();
    run(
        &order(4),
        &definition(),
        &job,
        vec![&mut station(out)],
        &options(out),
        &mut |_: &Notice| ControlFlow::Continue(()),
    )
    .unwrap();
}

#[test]
fn killed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("ipae.cap"), cap()).unwrap();
    let order = order(4);
    let mut kills = 0;
    // Each life is a little longer than the one before, so that every run gets further.
    for life in (0..40).map(|n| 60 + 45 * n) {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "personalize::tests::resumed::child", "--ignored"])
            .env("IPAE_TEST_KILL_DIR", dir.path())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(std::time::Duration::from_millis(life));
        if let Ok(Some(status)) = child.try_wait() {
            assert!(status.success());
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    finish(dir.path(), &order);
    assert!(kills > 0);
    for row in &order.rows {
        assert!(
            dir.path()
                .join(format!("receipts/{}.json", row.eid))
                .exists()
        );
    }
}
