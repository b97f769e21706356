//! The tour for EUMs with packages of their own: converted, looked at, verified, run.

use super::support::{Run, ipae};
use host_bridge::exit;
use std::path::{Path, PathBuf};

const SOURCES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/java/eum");
const PACKAGES: [&str; 6] = [
    "--package",
    "eum.es10=F049504165BB",
    "--package",
    "eum.reader=F049504165CC",
    "--applet",
    "eum.reader.ReaderApplet=F049504165CC01",
];

fn convert(out: &Path, more: &[&str]) -> Run {
    let mut command = ipae();
    command
        .args(["cap", "convert", "--source", SOURCES])
        .args(PACKAGES);
    Run::of(command.args(more).arg("--out").arg(out))
}

/// A file of a converted package.
fn made(out: &Path, package: &str, ending: &str) -> PathBuf {
    out.join(format!("eum/{package}/javacard/{package}.{ending}"))
}

#[test]
fn a_library_and_an_applet_from_sources_to_the_cards_answer() {
    let dir = tempfile::tempdir().expect("a folder");
    let (first, second) = (dir.path().join("first"), dir.path().join("second"));
    convert(&first, &["--debug"]).good();
    convert(&second, &["--debug"]).good();
    for (package, ending) in [
        ("es10", "cap"),
        ("es10", "exp"),
        ("es10", "ijc"),
        ("reader", "cap"),
        ("reader", "jca"),
    ] {
        let read = |out| std::fs::read(made(out, package, ending)).expect("a file");
        let bytes = read(&first);
        assert!(
            !bytes.is_empty() && bytes == read(&second),
            "{package}.{ending}"
        );
    }
    let (library, reader) = (made(&first, "es10", "cap"), made(&first, "reader", "cap"));
    let exp = made(&first, "es10", "exp");

    let shown = Run::of(ipae().args(["cap", "exp"]).arg(&exp)).good();
    assert!(
        shown
            .stdout
            .contains("shareable interface eum/es10/EumPort"),
        "{}",
        shown.stdout
    );
    Run::of(ipae().args(["cap", "exp"]).arg(&exp).arg(&exp)).good();
    Run::of(
        ipae()
            .args(["cap", "verify"])
            .arg(&reader)
            .arg("--exp")
            .arg(&exp),
    )
    .good();
    let run = Run::of(
        ipae()
            .args(["vm", "run"])
            .arg(&reader)
            .arg(&library)
            .args(["--apdu", "8060000010"]),
    );
    let answer = run.good().stdout;
    assert!(
        answer.contains("89049032000000000000000000000163 9000"),
        "{answer}"
    );
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let dir = tempfile::tempdir().expect("a folder");
    let out = dir.path().join("out");
    // The applet alone: its library is not known.
    let mut command = ipae();
    command.args([
        "cap",
        "convert",
        "--source",
        SOURCES,
        "--package",
        "eum.reader=F049504165CC",
    ]);
    let run = Run::of(command.arg("--out").arg(&out));
    assert_ne!(run.code, Some(0), "{run:?}");
    assert!(run.stderr.contains("eum.es10"), "{}", run.stderr);
    // An applet's AID of another vendor.
    let mut args = PACKAGES.map(str::to_owned);
    args[5] = "eum.reader.ReaderApplet=A000000001CC01".to_owned();
    let mut command = ipae();
    command
        .args(["cap", "convert", "--source", SOURCES])
        .args(args);
    Run::of(command.arg("--out").arg(&out)).bad(exit::CAP, &["RID"]);
    let missing = dir.path().join("missing.exp");
    assert_ne!(
        Run::of(ipae().args(["cap", "exp"]).arg(missing)).code,
        Some(0)
    );
}
