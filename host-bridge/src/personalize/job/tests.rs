//! Jobs read, refused with their lines, shown; and what is shown is what is sent.

use super::dry::DryRun;
use super::*;
use crate::order::{KeyStore, SampleOptions, sample};
use crate::personalize::tests as whole;
use std::path::{Path, PathBuf};

fn parse(text: &str) -> Result<Job, JobError> {
    let file = JobFile::parse(text, "job.toml", PathBuf::from("."))?;
    file.with(Some(whole::applet()))
}

fn faults(text: &str) -> Vec<String> {
    match parse(text).map(|_| ()) {
        Err(JobError::Faults { faults, .. }) => faults
            .iter()
            .map(|fault| format!("{}: {}", fault.line, fault.problem))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// A job that has every kind of step.
pub(in crate::personalize) const ALL: &str = "\
format = 1
title = \"all\"
[cap.ipae]
build = true
[[step]]
do = \"load\"
cap = \"ipae\"
hash = \"sha256\"
[[step]]
do = \"install\"
cap = \"ipae\"
[[step]]
do = \"configure\"
[[step]]
do = \"add-eim\"
[[step]]
do = \"rotate-keys\"
[[step]]
do = \"set-state\"
card = \"secured\"
[[step]]
do = \"read\"
name = \"eid\"
select = \"F0495041650101\"
command = \"80CADF20\"
expect = \"DF2006????????????\"
receipt = true
[[step]]
do = \"read\"
command = \"80CA9F7F\"
allow = [\"9000\", \"6A88\"]
[[step]]
do = \"verify\"
";

#[test]
fn the_built_in_job_is_sound() {
    let job = Job::ipae(whole::applet()).unwrap();
    let names: Vec<&str> = job.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "load",
            "install",
            "configure",
            "rotate-keys",
            "add-eim",
            "verify"
        ]
    );
    assert!(JobFile::ipae().needs().eim && JobFile::ipae().wants_applet());
    job.fits(&whole::definition()).unwrap();
}

#[test]
fn every_fault_is_listed_with_its_line() {
    let head = "format = 1\ntitle = \"t\"\n[cap.a]\nbuild = true\n";
    for (steps, wanted) in [
        (
            "[[step]]\ndo = \"lod\"\n",
            "5: step 1 (lod): do: no such step",
        ),
        ("[[step]]\ncap = \"a\"\n", "5: step 1: do is missing"),
        (
            "[[step]]\ndo = \"load\"\ncap = \"b\"\n",
            "5: step 1 (load): cap: no [cap.b], there are: a",
        ),
        (
            "[[step]]\ndo = \"install\"\ncap = \"a\"\n",
            "step 1 (install): cap: a is loaded by no step before",
        ),
        (
            "[[step]]\ndo = \"load\"\ncap = \"a\"\ncolour = 1\n",
            "unknown field `colour`",
        ),
        ("[[step]]\ndo = \"verify\"\n", "application is missing"),
        (
            "[[step]]\ndo = \"read\"\ncommand = \"80E40000\"\n",
            "INS E4 changes the card",
        ),
        (
            "[[step]]\ndo = \"set-state\"\ncard = \"terminated\"\n",
            "neither locks nor ends cards",
        ),
        (
            "[[step]]\ndo = \"store\"\ndata = \"8001{y}\"\n",
            "{y}: {eid}, {iccid}",
        ),
        (
            "[[step]]\ndo = \"store\"\ndgis = [{ tag = \"01\", value = \"00\" }]\n",
            "two bytes are expected",
        ),
        (
            "[[step]]\ndo = \"store\"\ndata = \"00\"\nname = \"check\"\n",
            "none of identify",
        ),
        (
            "[[step]]\ndo = \"store\"\ndata = \"00\"\n",
            "3: cap.a: no step loads it",
        ),
    ] {
        let found = faults(&format!("{head}{steps}"));
        assert!(
            found.iter().any(|f| f.contains(wanted)),
            "{wanted}: {found:?}"
        );
    }
    let two = faults(&format!(
        "{head}[[step]]\ndo = \"a\"\n[[step]]\ndo = \"b\"\n"
    ));
    assert!(
        two[0].starts_with("5:") && two[1].starts_with("7:"),
        "{two:?}"
    );
    assert!(faults("format = 2\ntitle = \"t\"\nstep = []\n")[0].contains("these tools know 1"));
    assert!(faults("format = 1\ntitle = 1\n")[0].starts_with("2:"));
}

#[test]
fn the_digest_is_of_text_and_packages() {
    let one = parse(IPAE).unwrap().digest;
    assert_eq!(one, Job::ipae(whole::applet()).unwrap().digest);
    assert_ne!(one, parse(&format!("{IPAE}\n# more\n")).unwrap().digest);
}

/// An order of one card, with a column that only a job knows.
fn order(more: &str, value: &str) -> Order {
    let text = sample(&SampleOptions {
        count: 1,
        eim_public_key: "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299".to_owned(),
        ..SampleOptions::default()
    });
    let lines = text.lines().map(|line| match line.split(',').next() {
        Some("eid") => format!("{line}{more}"),
        Some(first) if !first.starts_with('#') => format!("{line}{value}"),
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    let (path, folder) = (Path::new("order.csv"), Path::new("."));
    Order::parse(
        &text,
        path,
        folder,
        &whole::definition(),
        &KeyStore::default(),
    )
    .unwrap()
}

#[test]
fn rows_fill_in_what_a_job_leaves_open() {
    let job = parse(
        "format = 1\ntitle = \"t\"\n[[step]]\ndo = \"store\"\nto = \"A000000003\"\n\
         dgis = [{ tag = \"0101\", value = \"{eid}{x_serial}\" }]\n",
    )
    .unwrap();
    let room = 200;
    let order_of = |value: &str| order(",x_serial", value);
    let good = order_of(",0A0B");
    assert!(job.faults(&good).is_empty());
    let row = &good.rows[0];
    let steps = job.steps[0]
        .action
        .commands(&job, &whole::definition(), row, room)
        .unwrap();
    let expected = format!("010112{}0A0B", row.eid);
    assert_eq!(hex::encode_upper(&steps[1].command.data), expected);
    assert_eq!((steps[1].command.p1, steps.len()), (0x88, 2));
    // What only the order knows is not shown.
    let shown = DryRun::of(&job, &good, &whole::definition(), 1).unwrap();
    let text = serde_json::to_string(&shown).unwrap();
    assert!(
        !text.contains("0A0B") && text.contains("of the order's row"),
        "{text}"
    );
    let bad = job.faults(&order_of(",ZZ"));
    assert!(
        bad[0].message.contains("x_serial: bytes") && bad[0].column > 1,
        "{bad:?}"
    );
    assert!(!bad[0].message.contains("ZZ"));
    let missing = job.faults(&order("", ""));
    assert!(missing[0].message.contains("no such column"), "{missing:?}");
    let rotating =
        parse("format = 1\ntitle = \"t\"\n[[step]]\ndo = \"rotate-keys\"\nrequired = true\n");
    let missing = rotating.unwrap().faults(&good);
    assert!(missing[0].message.contains("asks for them"), "{missing:?}");
}

#[test]
fn patterns_of_answers() {
    let expect = Value::parse("DF20??0?", true).unwrap();
    assert!(Value::parse("DF2", true).is_err() && Value::parse("??", false).is_err());
    let text = expect.text(&order("", "").rows[0]).unwrap();
    assert!(Value::fits(&text, &[0xDF, 0x20, 0x77, 0x05]));
    assert!(!Value::fits(&text, &[0xDF, 0x20, 0x77, 0x15]));
    assert!(!Value::fits(&text, &[0xDF, 0x20, 0x77]));
}
