//! A disk that is full, and one that can't be written: what a run says, and that nothing is lost.
//!
//! On a small file system in memory, which takes root; skipped with its reason elsewhere.

use super::support::{Bench, Run, assert_personalized, ipae};
use host_bridge::exit;
use std::path::{Path, PathBuf};
use std::process::Command;

const CARDS: u32 = 3;

/// A small file system, gone with its value.
struct Small(PathBuf);

impl Small {
    /// `None` where it can't be mounted.
    fn new(at: &Path, kib: u32) -> Option<Small> {
        std::fs::create_dir_all(at).expect("a folder");
        let size = format!("size={kib}k");
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &size, "tmpfs"])
            .arg(at)
            .output();
        match mounted {
            Ok(output) if output.status.success() => Some(Small(at.to_owned())),
            _ => {
                eprintln!("skipped: no tmpfs can be mounted here");
                None
            }
        }
    }

    fn remount(&self, how: &str) {
        let status = Command::new("mount")
            .args(["-o", &format!("remount,{how}")])
            .arg(&self.0)
            .status();
        assert!(status.is_ok_and(|status| status.success()));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// A bench whose output folder is on the small file system; its virtual cards stand for real ones and
/// are elsewhere.
fn bench(kib: u32) -> Option<(Bench, Small)> {
    let bench = Bench::new(CARDS);
    let small = Small::new(&bench.out, kib)?;
    let cards = bench.path("cards-elsewhere");
    std::fs::create_dir(&cards).expect("a folder");
    std::os::unix::fs::symlink(&cards, bench.out.join("cards")).expect("a link");
    Some((bench, small))
}

fn all_well(bench: &Bench) {
    let outcome = Run::of(bench.personalize().arg("--json")).good().json();
    assert_eq!(outcome["done"], CARDS);
    for eid in &bench.eids {
        assert_personalized(&bench.card(eid));
    }
    Run::of(
        ipae()
            .args(["personalize", "verify-receipts"])
            .arg(&bench.out),
    )
    .good();
}

#[test]
fn a_disk_that_fills_up_anywhere() {
    // So much is left when the run begins: it ends in the first journal record, in a card's steps, in
    // a receipt.
    for left in [0, 8, 60, 120, 180, 240, 300] {
        let Some((bench, small)) = bench(700) else {
            return;
        };
        let ballast = small.0.join("ballast");
        std::fs::write(&ballast, vec![0; (700 - left - 8) * 1024]).expect("ballast");
        let run = Run::of(&mut bench.personalize());
        let codes = [exit::OUTPUT, exit::JOURNAL].map(|exit| Some(i32::from(exit.code)));
        assert!(
            codes.contains(&run.code) || run.code == Some(0) && left >= 240,
            "{left} KiB: {run:#?}"
        );
        if run.code != Some(0) {
            assert!(
                run.stderr.contains("full") || run.stderr.contains("space"),
                "{run:#?}"
            );
        }
        std::fs::remove_file(&ballast).expect("ballast");
        all_well(&bench);
    }
}

#[test]
fn a_disk_that_can_not_be_written() {
    let Some((bench, small)) = bench(4000) else {
        return;
    };
    small.remount("ro");
    let run = Run::of(&mut bench.personalize()).bad(exit::OUTPUT, &["ead-only"]);
    assert!(
        run.stderr.contains(&bench.out.display().to_string()),
        "{run:#?}"
    );
    let cards = std::fs::read_dir(bench.path("cards-elsewhere")).expect("cards");
    assert_eq!(cards.count(), 0, "a card was touched");
    small.remount("rw");
    all_well(&bench);
}
