//! What `ipae build` and `ipae test` leave. How the binary meets bad input is tried in `binary`.

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

#[test]
fn an_sm_dp_takes_orders_and_serves_no_strangers() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path();
    // A profile of a header and an end.
    let profile =
        "A01680010281010383 0A 89883030000006142 24F A500A600 AA05A003810101".replace(' ', "");
    std::fs::write(
        path.join("profile.der"),
        hex::decode(profile).expect("digits"),
    )
    .expect("written");
    let order = [
        "smdp",
        "order",
        "--profile",
        "profile.der",
        "--matching-id",
        "LAB-1",
        "--json",
    ];
    let made: serde_json::Value = serde_json::from_str(&good(path, &order)).expect("JSON");
    assert_eq!(made["activation_code"], "LPA:1$smdp.lab.example$LAB-1");
    assert_eq!(made["iccid"], "8988303000000614224");
    let without_json = order.split_last().expect("words").1;
    assert!(bad(path, 2, without_json).contains("taken"));
    assert!(good(path, &["smdp", "list"]).contains("LAB-1 released 8988303000000614224"));
    assert!(good(path, &["smdp", "cancel", "LAB-1"]).contains("cancelled"));
    let refused = bad(path, 2, &["smdp", "serve", "--listen", "0.0.0.0:0"]);
    assert!(
        refused.contains("loopback") && refused.contains("--insecure"),
        "{refused}"
    );
    let push = [
        "smdp",
        "push",
        "--file",
        "none.card",
        "--smdp",
        "127.0.0.1:1",
    ];
    bad(path, 25, &push);
}
