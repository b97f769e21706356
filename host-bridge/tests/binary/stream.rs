//! The event stream for a line controller, and the hook for each card.

use super::support::{Bench, Run};
use host_bridge::exit;
use serde_json::Value;

fn events(run: &Run) -> Vec<Value> {
    let lines = run.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}")))
        .collect()
}

#[test]
fn a_line_for_each_event_and_a_hook_for_each_card() {
    let bench = Bench::new(3);
    let seen = bench.path("seen");
    let mut command = bench.personalize();
    command.args([
        "--json",
        "--readers",
        "2",
        "--station",
        "line 4",
        "--hook",
        "/bin/sh",
    ]);
    // A directory is made once: a card that came twice would fail.
    let script = "grep -q \"\\\"eid\\\": *\\\"$IPAE_EID\\\"\" && mkdir -p \"$0\" && mkdir \"$0/$IPAE_EID-$IPAE_STATE\"";
    for argument in ["-c", script, &seen.display().to_string()] {
        command.args(["--hook-arg", argument]);
    }
    let run = Run::of(&mut command).good();
    assert_eq!(run.stderr, "");
    let events = events(&run);
    for event in &events {
        assert_eq!(
            (&event["v"], &event["station"]),
            (&1.into(), &"line 4".into())
        );
        assert!(
            event["at"].is_string() && event["reader"].is_string(),
            "{event}"
        );
    }
    let named = |name: &str| events.iter().filter(|event| event["event"] == name).count();
    assert_eq!(
        (named("started"), named("card"), named("card-done")),
        (1, 3, 3)
    );
    assert_eq!(named("hook-failed"), 0, "{}", run.stdout);
    assert!(
        named("step-begun") >= 24 && named("loading") > 30,
        "{}",
        run.stdout
    );
    let last = &events[events.len() - 1];
    assert_eq!(
        (&last["event"], &last["done"], &last["exit_code"]),
        (&"ended".into(), &3.into(), &0.into())
    );
    for eid in &bench.eids {
        assert!(seen.join(format!("{eid}-done")).is_dir(), "{eid}");
    }
    // Public test keys of the lab card: in no line.
    assert!(
        !run.stdout
            .to_uppercase()
            .contains("404142434445464748494A4B4C4D4E4F")
    );
}

#[test]
fn a_hook_that_fails_is_told_and_undoes_nothing() {
    let bench = Bench::new(2);
    let with = |failure: &str| {
        let mut command = bench.personalize();
        command.args([
            "--hook",
            "/bin/sh",
            "--hook-arg",
            "-c",
            "--hook-arg",
            "echo no labels >&2; exit 7",
        ]);
        command.args(["--hook-failure", failure, "--json"]);
        command
    };
    let stopped = Run::of(&mut with("stop"));
    assert_eq!(
        events(&stopped).last().unwrap()["event"],
        "hook-failed",
        "{stopped:#?}"
    );
    let stopped = stopped.bad(exit::HOOK, &["no labels"]);
    assert_eq!(stopped.error()["name"], "hook");
    assert_eq!(
        bench
            .responses()
            .iter()
            .filter(|line| line.contains(",done,0,"))
            .count(),
        1
    );
    let went_on = Run::of(&mut with("warn")).good();
    assert_eq!(went_on.json()["done"], 2);
    let recorded = std::fs::read_to_string(bench.out.join("hook-failures.jsonl")).unwrap();
    for (line, eid) in recorded.lines().zip(&bench.eids) {
        let line: Value = serde_json::from_str(line).unwrap();
        assert_eq!(line["eid"], **eid);
        assert!(
            line["error"]
                .as_str()
                .unwrap()
                .contains("exit status: 7: no labels"),
            "{line}"
        );
    }
    assert_eq!(recorded.lines().count(), 2);
}
