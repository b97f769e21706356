//! Many cards, four readers, `kill -9` at random moments: every card once, every receipt in its place.
//!
//! `IPAE_CAMPAIGN_CARDS` and `IPAE_CAMPAIGN_KILLS` make it long.

use super::support::{Background, Bench, Run, assert_personalized, ipae, wait};
use host_bridge::exit;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

const READERS: &str = "4";

fn setting(name: &str, default: u32) -> u32 {
    let value = std::env::var(name).ok().and_then(|text| text.parse().ok());
    value.unwrap_or(default)
}

/// Names of the receipts that are there, whole.
fn receipts(out: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(out.join("receipts"))
        .into_iter()
        .flatten();
    let names = entries
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.ends_with(".json")).collect()
}

/// The next number of a simple generator: the moments come from a seed.
fn next(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 33
}

fn verify(out: &Path) -> serde_json::Value {
    let run = Run::of(
        ipae()
            .args(["personalize", "verify-receipts", "--json"])
            .arg(out),
    );
    run.good().json()
}

#[test]
fn killed_at_random_moments_with_four_readers() {
    let cards = setting("IPAE_CAMPAIGN_CARDS", 24);
    let kills = setting("IPAE_CAMPAIGN_KILLS", 6);
    let bench = Bench::new(cards);
    let personalize = || {
        let mut command = bench.personalize();
        command.args(["--readers", READERS]);
        command
    };
    let mut seed = u64::from(cards) + u64::from(kills);
    // After so many receipts, and then some milliseconds later, the process dies.
    let mut moments: Vec<u64> = (0..kills)
        .map(|_| next(&mut seed) % u64::from(cards))
        .collect();
    moments.sort_unstable();
    let mut seen: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    let (mut killed, begun) = (0, Instant::now());
    for moment in moments {
        let before = receipts(&bench.out).len() as u64;
        let mut child = personalize();
        child.stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = Background::start(&mut child);
        // Nothing is there to be killed before the first of its cards is begun.
        let target = moment.max(before);
        wait(Duration::from_secs(600), || {
            child.0.try_wait().is_ok_and(|status| status.is_some())
                || receipts(&bench.out).len() as u64 >= target
        });
        std::thread::sleep(Duration::from_millis(next(&mut seed) % 250));
        if let Ok(Some(status)) = child.0.try_wait() {
            assert!(status.success(), "{status}");
            break;
        }
        child.kill();
        killed += 1;
        for name in receipts(&bench.out) {
            let text = std::fs::read(bench.out.join("receipts").join(&name)).expect("a receipt");
            let first = seen.entry(name.clone()).or_insert_with(|| text.clone());
            assert_eq!(*first, text, "{name} was written twice");
        }
    }
    // The rest may be done before the last moments come; the first always comes.
    assert!(killed > 0, "no process was killed");
    let outcome = Run::of(personalize().arg("--json")).good().json();
    println!(
        "{cards} cards, {READERS} readers, {killed} kills: {:.1} s; last life {} cards",
        begun.elapsed().as_secs_f64(),
        outcome["done_now"]
    );
    assert_eq!(outcome["done"], cards);
    let found = verify(&bench.out);
    assert_eq!(
        (&found["cards"], &found["receipts"], &found["findings"]),
        (&cards.into(), &cards.into(), &serde_json::json!([]))
    );
    assert_eq!(found["chains"][0]["receipts"], cards);
    for (name, text) in &seen {
        let now = std::fs::read(bench.out.join("receipts").join(name)).expect("a receipt");
        assert!(now == *text, "{name} was written twice");
    }
    for eid in &bench.eids {
        assert_personalized(&bench.card(eid));
    }
    // What a receipt is worth: one byte more, and it is found.
    let path = bench.out.join(format!("receipts/{}.json", bench.eids[0]));
    let text = std::fs::read_to_string(&path).expect("a receipt");
    std::fs::write(&path, text.replacen("\"line\":", "\"line\":1", 1)).expect("a file");
    Run::of(
        ipae()
            .args(["personalize", "verify-receipts"])
            .arg(&bench.out),
    )
    .bad(exit::RECEIPTS, &["wrong with the receipts"]);
    // A lost one is in the journal still.
    std::fs::remove_file(&path).expect("a file");
    Run::of(
        ipae()
            .args(["personalize", "verify-receipts"])
            .arg(&bench.out),
    )
    .bad(exit::RECEIPTS, &["missing"]);
    let resumed = ["personalize", "resume"];
    Run::of(ipae().args(resumed).arg(&bench.out)).good();
    assert_eq!(std::fs::read_to_string(&path).expect("a receipt"), text);
    verify(&bench.out);
}

#[test]
fn a_card_set_aside_and_what_is_told_of_it() {
    let bench = Bench::new(3);
    let key = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    let good = "404142434445464748494A4B4C4D4E4F";
    let file = |key: &str| {
        let text =
            format!("[set.mine]\nkvn = 0x30\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n");
        bench.write("keys.toml", text)
    };
    bench.edit_order(",test,", ",mine,");
    let keys = file(key);
    let run = |more: &[&str]| {
        let mut command = bench.personalize();
        command.arg("--keys").arg(&keys).args(more);
        Run::of(&mut command)
    };
    run(&["--readers", "2"]).bad(exit::WRONG_KEYS, &["failed"]);
    let status = |more: &[&str]| {
        let mut command = ipae();
        command.args(["personalize", "status", "--json"]);
        Run::of(command.arg(&bench.out).args(more)).good().json()
    };
    let whole = status(&[]);
    assert_eq!((&whole["done"], &whole["failed"]), (&2.into(), &1.into()));
    assert_eq!(whole["classes"][0]["name"], "wrong-keys");
    assert_eq!(whole["classes"][0]["retry"], "set-aside");
    let failed = whole["failures"][0]["eid"]
        .as_str()
        .expect("an EID")
        .to_owned();
    let one = status(&["--eid", &failed]);
    let evidence = one["evidence"].to_string();
    // INITIALIZE UPDATE was the last: no EXTERNAL AUTHENTICATE went out, and no key is shown.
    assert!(
        evidence.contains("8050") && !evidence.contains("8482"),
        "{evidence}"
    );
    assert!(!one.to_string().contains(key));
    // With the right keys it is still aside, until the operator says so.
    file(good);
    run(&[]).bad(exit::WRONG_KEYS, &["1 of 3"]);
    assert_eq!(status(&[])["done"], 2);
    run(&["--retry-failed"]).good();
    let report = Run::of(
        ipae()
            .args(["personalize", "report", "--json"])
            .arg(&bench.out),
    );
    let report = report.good().json();
    assert_eq!(
        (&report["done"], &report["yield_permille"]),
        (&3.into(), &1000.into())
    );
    let page = std::fs::read_to_string(bench.out.join("batch.html")).expect("a page");
    for text in ["3</b>of 3 cards done", "load", &bench.eids[0]] {
        assert!(page.contains(text), "{text}");
    }
    verify(&bench.out);
}
