//! Orders, keys, CAP files and cards that can't be used: each has its exit code and a message that
//! says what was expected, what came, where, and what to do; no card is touched for nothing.

use super::support::{Bench, Run, applet, ipae, package};
use host_bridge::exit;

/// Cards that were made for an order.
fn cards(bench: &Bench) -> usize {
    std::fs::read_dir(bench.out.join("cards")).map_or(0, Iterator::count)
}

#[test]
fn an_order_with_faults_is_refused_whole() {
    let bench = Bench::new(4);
    let [first, second, third, fourth] = &bench.eids[..] else {
        panic!("{:?}", bench.eids)
    };
    // Line 4 repeats line 3, line 5 has a wrong EID, line 6 a wrong ICCID and an unknown key set.
    bench.edit_order(second, first);
    let wrong = format!(
        "{}{}",
        &third[..30],
        if third.ends_with("00") { "01" } else { "00" }
    );
    bench.edit_order(third, &wrong);
    bench.edit_order(
        &format!("{fourth},,test"),
        &format!("{fourth},8988211000000000008,nobody"),
    );
    let text = std::fs::read_to_string(&bench.order).expect("the order");
    let name = bench.order.display().to_string();
    let at = |line: usize| format!("{name}:{line}:");
    let words = [
        "no card was touched",
        &at(4),
        "eid",
        first,
        &at(5),
        "check digit",
        &at(6),
        "8988211000000000008",
        "nobody",
    ];
    let run = Run::of(&mut bench.personalize()).bad(exit::ORDER, &words);
    assert!(run.stderr.contains("4 errors"), "{}\n{text}", run.stderr);
    assert_eq!(cards(&bench), 0);
    assert!(!bench.out.join("receipts").exists());
    // The check alone says the same.
    let check = Run::of(ipae().args(["order", "check"]).arg(&bench.order));
    check.bad(exit::ORDER, &words);
    let check = Run::of(ipae().args(["order", "check", "--json"]).arg(&bench.order));
    let error = check.bad(exit::ORDER, &[]).error();
    assert_eq!(
        (&error["code"], &error["name"]),
        (&10.into(), &"order".into())
    );
}

#[test]
fn keys_of_the_wrong_length() {
    let bench = Bench::new(1);
    let eid = &bench.eids[0];
    bench.edit_order("key_set,", "key_set,key_enc,key_mac,key_dek,");
    let (long, short) = (
        "404142434445464748494A4B4C4D4E4F",
        "404142434445464748494A4B4C4D4E",
    );
    bench.edit_order(
        &format!("{eid},,test,"),
        &format!("{eid},,,{long},{short},{long},"),
    );
    let run = Run::of(&mut bench.personalize()).bad(exit::ORDER, &["key_mac", "15", "16", ":3:"]);
    assert!(
        !run.stderr.contains(short),
        "a key in a message: {}",
        run.stderr
    );

    // The same in a key file, and sets that aren't there.
    let bench = Bench::new(1);
    bench.edit_order(",test,", ",line-4,");
    let file = format!(
        "[set.line-4]\nkvn = 0x30\nenc = \"{long}\"\nmac = \"{short}\"\ndek = \"{long}\"\n"
    );
    let keys = bench.write("keys.toml", file);
    let run = Run::of(bench.personalize().arg("--keys").arg(&keys));
    let run = run.bad(exit::KEYS, &["line-4", "mac", "15"]);
    assert!(
        !run.stderr.contains(short),
        "a key in a message: {}",
        run.stderr
    );
    let keys = bench.write("keys.toml", format!("[set.line-4]\nenc = {long}"));
    let run = Run::of(bench.personalize().arg("--keys").arg(&keys)).bad(exit::KEYS, &["keys.toml"]);
    assert!(
        !run.stderr.contains(long),
        "a key in a message: {}",
        run.stderr
    );
    Run::of(
        bench
            .personalize()
            .arg("--keys")
            .arg(bench.path("none.toml")),
    )
    .bad(exit::KEYS, &["none.toml"]);
    assert_eq!(cards(&bench), 0);
}

#[test]
fn a_wrong_key_set_costs_the_card_nothing() {
    let bench = Bench::new(1);
    bench.edit_order(",test,", ",line-4,");
    let key = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";
    let file =
        format!("[set.line-4]\nkvn = 0x30\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n");
    let keys = bench.write("keys.toml", file);
    let retried = || {
        let mut command = bench.personalize();
        command.arg("--retry-failed");
        command
    };
    for _ in 0..3 {
        let run = Run::of(retried().arg("--keys").arg(&keys));
        let words = [
            "line-4",
            "no try of the card was used up",
            &bench.eids[0],
            "response.csv",
        ];
        let run = run.bad(exit::WRONG_KEYS, &words);
        assert!(
            !run.stderr.contains(key),
            "a key in a message: {}",
            run.stderr
        );
    }
    let card = bench.card(&bench.eids[0]);
    assert_eq!(card.tries_left(), 10);
    assert!(card.registry().load_files.is_empty() && card.registry().instances.is_empty());
    let responses = bench.responses();
    assert!(
        responses[0].contains(&format!("{},failed,31,", bench.eids[0])),
        "{responses:?}"
    );

    // With the right keys under the same name the same command finishes the card.
    let right: String = (0x40..0x50).map(|byte| format!("{byte:02X}")).collect();
    let file = format!(
        "[set.line-4]\nkvn = 0x30\nenc = \"{right}\"\nmac = \"{right}\"\ndek = \"{right}\"\n"
    );
    let keys = bench.write("keys.toml", file);
    Run::of(retried().arg("--keys").arg(&keys)).good();
    super::support::assert_personalized(&bench.card(&bench.eids[0]));
}

#[test]
fn cut_and_altered_cap_files() {
    let bench = Bench::new(1);
    let whole = std::fs::read(applet()).expect("the CAP file");
    let name = bench.path("bad.cap").display().to_string();
    let refused = |bytes: &[u8]| {
        let cap = bench.write("bad.cap", bytes);
        let run = Run::of(bench.personalize_with(&cap).arg("--virtual"));
        run.bad(exit::CAP, &[&name]);
        Run::of(ipae().args(["cap", "verify"]).arg(&cap)).bad(exit::CAP, &[&name]);
    };
    for cut in [0, 3, whole.len() / 2, whole.len() - 1] {
        refused(&whole[..cut]);
    }
    // In the middle of compressed data: its checksum fits no more.
    for at in [whole.len() / 4, whole.len() / 2] {
        let mut altered = whole.clone();
        altered[at] ^= 0x10;
        refused(&altered);
    }
    refused(b"not a CAP file at all");
    let missing = bench.path("none.cap");
    Run::of(bench.personalize_with(&missing).arg("--virtual")).bad(exit::CAP, &["none.cap"]);
    assert_eq!(cards(&bench), 0);
}

#[test]
fn a_card_with_too_little_memory() {
    let bench = Bench::new(1);
    let run = Run::of(bench.personalize().args(["--card", "virtual-small"]));
    let run = run.bad(exit::MEMORY, &["memory", "bytes", "nothing was loaded"]);
    assert!(
        run.stderr.chars().any(|c| c.is_ascii_digit()),
        "{}",
        run.stderr
    );
    assert_eq!(cards(&bench), 0);
    let error = Run::of(
        bench
            .personalize()
            .args(["--card", "virtual-small", "--json"]),
    );
    let error = error.bad(exit::MEMORY, &[]).error();
    assert_eq!(
        (&error["code"], &error["name"]),
        (&33.into(), &"memory".into())
    );
    // A build for such a card says so before anything is written for it.
    let out = bench.path("build");
    let build = Run::of(
        ipae()
            .args(["build", "--card", "virtual-small", "--out"])
            .arg(&out),
    );
    // What takes most is named, by the names of the sources.
    build.bad(
        exit::MEMORY,
        &["persistent memory", "largest: ", "Machine."],
    );
}

#[test]
fn definitions_and_orders_that_are_not_there() {
    let bench = Bench::new(1);
    let words = ["nosuch", "ipae card list"];
    Run::of(bench.personalize().args(["--card", "nosuch"])).bad(exit::DEFINITION, &words);
    let broken = bench.write("broken.toml", "eum = \"x\"\nunknown_field = 1\n");
    let run = Run::of(bench.personalize().arg("--card").arg(&broken));
    run.bad(exit::DEFINITION, &["broken.toml"]);
    std::fs::remove_file(&bench.order).expect("the order");
    Run::of(&mut bench.personalize()).bad(exit::ORDER, &["order.csv"]);
    std::fs::write(&bench.order, [0xFF, 0xFE, 0x00]).expect("the order");
    Run::of(&mut bench.personalize()).bad(exit::ORDER, &["UTF-8"]);
}

#[test]
fn public_test_keys_are_refused_for_production() {
    let bench = Bench::new(1);
    let production = ["--card", "virtual-production"];
    // The definition has none to be had by name; the well-known values are known by any name.
    let run = Run::of(bench.personalize().args(production));
    run.bad(exit::ORDER, &["no test keys", "no card was touched"]);
    bench.edit_order(",test,", ",line-4,");
    let key: String = (0x40..0x50).map(|byte| format!("{byte:02X}")).collect();
    let file =
        format!("[set.line-4]\nkvn = 0x30\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n");
    let keys = bench.write("keys.toml", file);
    let run = Run::of(
        bench
            .personalize()
            .args(production)
            .arg("--keys")
            .arg(&keys),
    );
    run.bad(exit::TEST_KEYS, &["test", "no card was touched"]);
    assert_eq!(cards(&bench), 0);
}

#[test]
fn a_package_that_others_loaded_is_not_touched() {
    let bench = Bench::new(1);
    Run::of(&mut bench.personalize()).good();
    let before = bench.card(&bench.eids[0]);
    for name in ["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"] {
        let _ = std::fs::remove_file(bench.out.join(name));
    }
    let run = Run::of(&mut bench.personalize());
    run.bad(exit::CARD_REFUSED, &[&package(), "--replace-foreign"]);
    let after = bench.card(&bench.eids[0]);
    assert_eq!(
        before.registry().load_files.len(),
        after.registry().load_files.len()
    );
    Run::of(bench.personalize().arg("--replace-foreign")).good();
    super::support::assert_personalized(&bench.card(&bench.eids[0]));
}
