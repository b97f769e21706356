//! The help texts, and `--json` of every command that prints data without a card.

use super::support::{Run, applet};
use host_bridge::exit;

/// Commands below one, from its help text.
fn commands(path: &[String]) -> Vec<String> {
    let mut args = path.to_vec();
    args.push("--help".to_owned());
    let help = Run::new(&args).good().stdout;
    let list = help.split("Commands:\n").nth(1).unwrap_or_default();
    let list = list.split("\n\n").next().unwrap_or_default();
    list.lines()
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_command_explains_itself_with_examples() {
    let help = Run::new(["--help"]).good().stdout;
    assert!(help.contains("Examples:\n"), "{help}");
    for row in exit::TABLE {
        assert!(
            help.contains(row.name) && help.contains(row.meaning),
            "{}",
            row.name
        );
    }
    let mut open: Vec<Vec<String>> = commands(&[]).into_iter().map(|name| vec![name]).collect();
    for name in [
        "model",
        "build",
        "cap",
        "card",
        "order",
        "personalize",
        "eim",
        "vcard",
        "pki",
    ] {
        assert!(
            open.iter().any(|path| path[0] == name),
            "{name} is not in {help}"
        );
    }
    let mut leaves = 0;
    while let Some(path) = open.pop() {
        let below = commands(&path);
        let mut args = path.clone();
        args.push("--help".to_owned());
        let help = Run::new(&args).good().stdout;
        assert!(help.contains("Usage: ipae"), "{path:?}: {help}");
        assert!(help.contains("--json"), "{path:?}: {help}");
        if below.is_empty() {
            leaves += 1;
            assert!(help.contains("Example"), "{path:?} has no examples: {help}");
            let example = format!("\n  ipae {}", path.join(" "));
            assert!(
                help.contains(&example),
                "{path:?}: no example of it: {help}"
            );
        }
        open.extend(
            below
                .into_iter()
                .map(|name| [path.clone(), vec![name]].concat()),
        );
    }
    assert!(leaves > 15, "{leaves}");
}

#[test]
fn wrong_command_lines_are_usage_errors() {
    for args in [
        &["frobnicate"][..],
        &["personalize"],
        &["personalize", "--order", "o.csv", "--out", "x"],
        &[
            "personalize",
            "--order",
            "o.csv",
            "--out",
            "x",
            "--virtual",
            "--reader",
            "r",
        ],
        &["order", "sample", "--count", "many"],
        &["vcard", "new", "--eid", "123", "--file", "x.card"],
    ] {
        Run::new(args).bad(exit::USAGE, &["error"]);
    }
}

#[test]
fn data_is_printed_as_json() {
    let cap = applet().to_str().expect("a path").to_owned();
    for args in [
        &["card", "list"][..],
        &["card", "show", "virtual-lab"],
        &["card", "schema"],
        &["order", "columns"],
        &["order", "sample", "--count", "2"],
        &["model", "show"],
        &["cap", "info", &cap],
        &["cap", "verify", &cap],
    ] {
        let run = Run::new(args.iter().copied().chain(["--json"])).good();
        let value = run.json();
        assert!(value.is_object() || value.is_array(), "{args:?}: {value}");
        assert_eq!(run.stderr, "", "{args:?}");
        // The same as text.
        let text = Run::new(args).good().stdout;
        assert!(!text.trim().is_empty(), "{args:?}");
    }
}
