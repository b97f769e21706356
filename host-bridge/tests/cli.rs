//! The `ipae` binary as its users meet it: good input and bad, exit codes, JSON.

use std::path::Path;
use std::process::{Command, Output};

fn ipae(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ipae"))
        .args(arguments)
        .current_dir(dir)
        .output()
        .expect("the binary runs")
}

/// Standard output of a command that must succeed.
fn good(dir: &Path, arguments: &[&str]) -> String {
    let output = ipae(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// The message of a command that must end with this exit code; it is one that helps.
fn bad(dir: &Path, code: i32, arguments: &[&str]) -> String {
    let output = ipae(dir, arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
    assert!(error.contains("error:"), "{error}");
    error
}

/// A folder with an applet built in it and an order of one card.
fn workshop() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    good(dir.path(), &["build", "--out", "applet"]);
    good(
        dir.path(),
        &["order", "sample", "--count", "1", "--out", "order.csv"],
    );
    dir
}

const PERSONALIZE: &[&str] = &[
    "personalize",
    "--order",
    "order.csv",
    "--cap",
    "applet/ipae.cap",
    "--virtual",
    "--out",
    "out",
];

fn with<'a>(base: &[&'a str], more: &[&'a str]) -> Vec<&'a str> {
    [base, more].concat()
}

fn replace(dir: &Path, file: &str, from: &str, to: &str) {
    let path = dir.join(file);
    let text = std::fs::read_to_string(&path).expect("a text");
    assert!(text.contains(from), "{file} has no {from:?}");
    std::fs::write(&path, text.replacen(from, to, 1)).expect("written");
}

#[test]
fn a_build_leaves_what_it_promises() {
    let dir = workshop();
    let path = dir.path();
    let args = ["build", "--out", "again", "--key-set", "test", "--json"];
    let manifest = good(path, &args);
    let manifest: serde_json::Value = serde_json::from_str(&manifest).expect("JSON");
    assert!(manifest["memory"]["transient"].as_u64() > Some(0));
    for file in manifest["files"].as_array().expect("files") {
        let bytes = std::fs::read(
            path.join("again")
                .join(file["path"].as_str().expect("a path")),
        );
        assert_eq!(
            Some(bytes.expect("it is there").len() as u64),
            file["size"].as_u64()
        );
    }
    let cap = |dir: &str| std::fs::read(path.join(dir).join("ipae.cap")).expect("a CAP file");
    assert_eq!(cap("applet"), cap("again"), "a build is reproducible");
    good(path, &["cap", "verify", "applet/ipae.cap"]);
    assert!(good(path, &["cap", "info", "applet/ipae.cap"]).contains("load file"));
    assert!(
        good(path, &["cap", "list", "applet/ipae.cap"])
            .lines()
            .count()
            > 500
    );
    assert!(
        good(path, &["script", "show", "again/load-scp03.script"])
            .contains("EXTERNAL AUTHENTICATE")
    );
    // A script that was altered says so.
    replace(path, "again/load.script", "LOAD", "L0AD");
    bad(path, 15, &["script", "show", "again/load.script"]);
}

#[test]
fn an_order_becomes_a_card_and_is_not_done_twice() {
    let dir = workshop();
    let out = good(dir.path(), &with(PERSONALIZE, &["--json"]));
    let out: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&out["done"], &out["done_now"]), (&1.into(), &1.into()));
    let again = good(dir.path(), &with(PERSONALIZE, &["--json"]));
    let again: serde_json::Value = serde_json::from_str(&again).expect("JSON");
    assert_eq!((&again["done"], &again["done_now"]), (&1.into(), &0.into()));
    let receipts = std::fs::read_dir(dir.path().join("out/receipts")).expect("receipts");
    assert_eq!(receipts.count(), 1);
}

#[test]
fn bad_orders_are_refused_before_any_card() {
    let dir = workshop();
    let path = dir.path();
    let order = std::fs::read_to_string(path.join("order.csv")).expect("an order");
    let row = order.lines().last().expect("a row");
    std::fs::write(path.join("twice.csv"), format!("{order}{row}\n")).expect("written");
    let twice = bad(path, 10, &["order", "check", "twice.csv"]);
    assert!(
        twice.contains("stands in line") && twice.contains("twice.csv:4:"),
        "{twice}"
    );
    let eid = row.split(',').next().expect("an EID");
    std::fs::write(
        path.join("iccid.csv"),
        order.replace(&format!("{eid},,"), &format!("{eid},89490200001234567890,")),
    )
    .expect("written");
    let iccid = bad(path, 10, &["order", "check", "iccid.csv"]);
    assert!(iccid.contains("check digit"), "{iccid}");
    replace(path, "order.csv", ",test,", ",nobody,");
    let keys = bad(path, 10, PERSONALIZE);
    assert!(keys.contains("nobody"), "{keys}");
    assert!(!path.join("out/cards").exists(), "no card was touched");
    // Key sets of a wrong length are named, and the key is not shown.
    let short = "00112233445566778899AABBCCDDEE";
    std::fs::write(
        path.join("keys.toml"),
        format!("[set.lab]\nkvn = 48\nenc = \"{short}\"\nmac = \"{short}\"\ndek = \"{short}\"\n"),
    )
    .expect("written");
    let keys = bad(path, 13, &with(PERSONALIZE, &["--keys", "keys.toml"]));
    assert!(keys.contains("lab") && !keys.contains(short), "{keys}");
}

#[test]
fn wrong_keys_cost_the_card_nothing() {
    let dir = workshop();
    let path = dir.path();
    let key = "00112233445566778899AABBCCDDEEFF";
    std::fs::write(
        path.join("keys.toml"),
        format!("[set.other]\nkvn = 48\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n"),
    )
    .expect("written");
    replace(path, "order.csv", ",test,", ",other,");
    let error = bad(path, 31, &with(PERSONALIZE, &["--keys", "keys.toml"]));
    assert!(error.contains("other") && !error.contains(key), "{error}");
}

#[test]
fn damaged_cap_files_are_refused() {
    let dir = workshop();
    let path = dir.path();
    let cap = std::fs::read(path.join("applet/ipae.cap")).expect("a CAP file");
    std::fs::write(path.join("cut.cap"), &cap[..cap.len() / 2]).expect("written");
    let mut altered = cap.clone();
    altered[cap.len() / 3] ^= 0x55;
    std::fs::write(path.join("altered.cap"), altered).expect("written");
    for file in ["cut.cap", "altered.cap"] {
        let error = bad(path, 12, &["cap", "verify", file]);
        assert!(error.contains(file), "{error}");
        bad(
            path,
            12,
            &[
                "personalize",
                "--order",
                "order.csv",
                "--cap",
                file,
                "--virtual",
                "--out",
                "out",
            ],
        );
    }
}

#[test]
fn a_card_that_is_too_small_is_told_before_loading() {
    let dir = workshop();
    let error = bad(
        dir.path(),
        33,
        &with(PERSONALIZE, &["--card", "virtual-small"]),
    );
    assert!(error.contains("bytes"), "{error}");
}

#[test]
fn wrong_command_lines_and_definitions_say_what_is_there() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path();
    assert!(bad(path, 11, &["card", "show", "nix"]).contains("virtual-lab"));
    assert!(
        bad(
            path,
            2,
            &["test", "--virtual", "--scenario", "nix", "--out", "o"]
        )
        .contains("nix")
    );
    assert!(bad(path, 2, &["trace", "0xZZ"]).contains("hexadecimal"));
    bad(path, 2, &["personalize", "--order", "o.csv", "--out", "o"]);
    let json = ipae(path, &["card", "show", "nix", "--json"]);
    let error: serde_json::Value = serde_json::from_slice(&json.stderr).expect("JSON");
    assert_eq!(error["error"]["code"], 11);
}

#[test]
fn data_comes_as_json_too() {
    let dir = tempfile::tempdir().expect("a folder");
    for arguments in [
        &["model", "show"][..],
        &["model", "diagram"],
        &["card", "list"],
        &["card", "show", "virtual-lab"],
        &["card", "schema"],
        &["order", "sample"],
        &["order", "columns"],
        &["test", "--list"],
        &["trace", "9110"],
        &["pki", "init", "pki"],
        &["pki", "show", "pki"],
        &["eim", "inventory"],
        &[
            "eim",
            "enqueue",
            "--eid",
            "89049032000000000000000000000163",
            "listProfileInfo",
        ],
        &[
            "eim",
            "results",
            "--eid",
            "89049032000000000000000000000163",
        ],
    ] {
        let text = good(dir.path(), &with(arguments, &["--json"]));
        assert!(
            serde_json::from_str::<serde_json::Value>(&text).is_ok(),
            "{arguments:?}: {text}"
        );
    }
}

#[test]
fn a_scenario_leaves_its_report() {
    let dir = tempfile::tempdir().expect("a folder");
    let text = good(
        dir.path(),
        &[
            "test",
            "--virtual",
            "--scenario",
            "nothing-pending",
            "--out",
            "t",
            "--json",
        ],
    );
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["scenarios"]["passed"], 1);
    assert_eq!(summary["figures"]["persistent_writes_per_idle_poll"], 0.0);
    for file in ["report.html", "report.json", "junit.xml"] {
        assert!(dir.path().join("t").join(file).exists(), "{file}");
    }
}
