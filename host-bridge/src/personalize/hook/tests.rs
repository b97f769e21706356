//! Hooks: real processes.

use super::*;
use crate::exit;

const EID: &str = "89049032000000000000000000000163";

fn sh(script: &str) -> Hook {
    Hook {
        program: "/bin/sh".into(),
        arguments: ["-c", script].map(String::from).to_vec(),
        timeout: Duration::from_secs(20),
        on_failure: OnHookFailure::Warn,
    }
}

fn notice(event: Event) -> Notice {
    Notice {
        at: "2026-01-01T00:00:00Z".to_owned(),
        reader: "Slot 1; touch x".to_owned(),
        event,
    }
}

fn done() -> Notice {
    let eid = EID.to_owned();
    notice(Event::CardDone { eid, sequence: 1 })
}

/// Runs it for a card that is done, with this receipt.
fn run(hook: &Hook, receipt: &[u8]) -> Result<(), HookError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("receipt.json");
    std::fs::write(&file, receipt).unwrap();
    hook.after(&done(), |_| file)
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

#[test]
fn a_hook_gets_the_card_and_nothing_is_taken_for_shell() {
    let dir = tempfile::tempdir().unwrap();
    // Everything that a shell would take apart.
    let seen = dir.path().join("a;b $(c) 'd'");
    let script = "printf '%s|' \"$IPAE_EID\" \"$IPAE_STATE\" \"$IPAE_EXIT_CODE\" \"$IPAE_READER\" > \"$0\"; cat >> \"$0\"";
    let mut hook = sh(script);
    hook.arguments.push(seen.display().to_string());
    run(&hook, b"{\"eid\":1}").unwrap();
    assert_eq!(
        read(&seen),
        format!("{EID}|done|0|Slot 1; touch x|{{\"eid\":1}}")
    );
    let failed = notice(Event::CardFailed {
        eid: EID.to_owned(),
        exit: exit::MEMORY,
        error: "full".to_owned(),
    });
    hook.after(&failed, |_| unreachable!("it has no receipt"))
        .unwrap();
    let text = read(&seen);
    let (said, json) = text.rsplit_once("|{").unwrap();
    assert_eq!(said, format!("{EID}|failed|33|Slot 1; touch x"));
    assert!(json.contains("\"event\":\"card-failed\""), "{json}");
    // No card's end, no hook.
    std::fs::remove_file(&seen).unwrap();
    hook.after(&notice(Event::KeysFit), |_| unreachable!())
        .unwrap();
    assert!(!seen.exists());
}

#[test]
fn a_hook_that_reads_nothing_is_not_waited_for() {
    // More than a pipe holds.
    run(&sh("exit 0"), &vec![b' '; 300_000]).unwrap();
}

#[test]
fn a_hook_that_fails_says_why_and_it_is_recorded() {
    let error = run(&sh("echo 'out of labels' >&2; exit 3"), b"").unwrap_err();
    let text = error.to_string();
    assert!(text.contains("exit status: 3: out of labels"), "{text}");
    let dir = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        Hook::record(dir.path(), &done(), EID, &error).unwrap();
    }
    let lines = read(&dir.path().join(FAILURES));
    let line: serde_json::Value = serde_json::from_str(lines.lines().nth(1).unwrap()).unwrap();
    assert_eq!((&line["eid"], &line["error"]), (&EID.into(), &text.into()));

    let mut none = sh("");
    none.program = "/nowhere/at/all".into();
    assert!(matches!(run(&none, b""), Err(HookError::Start { .. })));
}

#[test]
fn a_hook_that_hangs_is_killed_with_what_it_started() {
    let dir = tempfile::tempdir().unwrap();
    let pid = dir.path().join("pid");
    let mut hook = sh("sleep 600 & echo $! > \"$0\"; wait");
    hook.arguments.push(pid.display().to_string());
    hook.timeout = Duration::from_secs(1);
    let error = run(&hook, b"").unwrap_err();
    assert!(matches!(error, HookError::Timeout { .. }), "{error}");
    let child: u32 = read(&pid).trim().parse().expect("it had started");
    let stat = format!("/proc/{child}/stat");
    let begun = Instant::now();
    // Gone, or dead and waiting for init to notice.
    while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z")) {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "process {child} is still there"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}
