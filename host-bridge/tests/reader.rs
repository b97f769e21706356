//! The `ipae` binary on a real PC/SC stack: pcscd with the vsmartcard driver, a virtual card behind.

use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

fn ipae(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ipae"));
    command.current_dir(dir);
    command
}

fn good(dir: &Path, arguments: &[&str]) -> String {
    let output = ipae(dir).args(arguments).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("text")
}

/// A card behind the reader, taken out when dropped.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
#[ignore = "needs pcscd with the vsmartcard driver: see `make test`"]
fn a_card_in_a_reader_is_personalized_and_runs_two_scenarios() {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path();
    let eid = "89049032000000000000000000000163";
    let order = [
        "order",
        "sample",
        "--count",
        "1",
        "--address",
        "192.0.2.1",
        "--out",
        "order.csv",
    ];
    good(path, &order);
    good(path, &["vcard", "new", "--eid", eid, "--file", "my.card"]);
    let mut serve = ipae(path);
    let _served = Served(
        serve
            .args([
                "vcard",
                "serve",
                "--vpcd",
                "127.0.0.1:35963",
                "--file",
                "my.card",
            ])
            .spawn()
            .expect("it runs"),
    );
    let reader = "Virtual PCD 00 00";
    assert!(good(path, &["card", "readers"]).contains(reader));
    // The driver looks for a card every now and then.
    let start = Instant::now();
    let personalize = [
        "personalize",
        "--order",
        "order.csv",
        "--reader",
        reader,
        "--out",
        "run",
    ];
    loop {
        let output = ipae(path).args(personalize).output().expect("it runs");
        if output.status.success() {
            break;
        }
        let no_card = output.status.code() == Some(23);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(
            no_card && start.elapsed() < Duration::from_secs(20),
            "{error}"
        );
        std::thread::sleep(Duration::from_millis(200));
    }
    let scenarios = [
        "--scenario",
        "nothing-pending",
        "--scenario",
        "list-profile-info",
    ];
    let test = [
        &["test", "--reader", reader, "--out", "t", "--json"][..],
        &scenarios,
    ]
    .concat();
    let text = good(path, &test);
    let summary: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(summary["scenarios"]["passed"], 2, "{text}");
}
