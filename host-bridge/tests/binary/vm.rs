//! `ipae vm`: a small applet that the tools never saw, run, traced and profiled.

use crate::support::Run;
use applet_gen::api::{self, stubs};
use applet_gen::cap::Cap;
use applet_gen::convert::{ConvertInput, convert};
use applet_gen::javac::Javac;
use host_bridge::exit;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

const PACKAGE: &str = "F04950416540";
const APPLET: &str = "F0495041654001";

struct Built {
    dir: tempfile::TempDir,
    cap: Cap,
}

/// The applet, compiled and converted with its names, once.
fn built() -> &'static Built {
    static BUILT: OnceLock<Built> = OnceLock::new();
    BUILT.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let javac = Javac::locate().unwrap();
        let stubs = stubs::compile(&dir.path().join("api"), &javac).unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/binary/testdata/Echo.java");
        let classes = dir.path().join("classes");
        javac.compile(&[source], &[stubs], &classes).unwrap();
        let class = std::fs::read(classes.join("demo/Echo.class")).unwrap();
        let input = ConvertInput {
            classes: vec![("Echo.class".to_owned(), class)],
            package_aid: hex::decode(PACKAGE).unwrap(),
            version: (1, 0),
            applets: vec![("demo/Echo".to_owned(), hex::decode(APPLET).unwrap())],
            imports: api::packages(),
            debug: true,
            ..ConvertInput::default()
        };
        let cap = convert(&input).unwrap().cap;
        std::fs::write(dir.path().join("echo.cap"), cap.to_jar().unwrap()).unwrap();
        Built { dir, cap }
    })
}

fn echo() -> PathBuf {
    built().dir.path().join("echo.cap")
}

fn vm(command: &str, file: &Path, more: &[&str]) -> Run {
    let file = file.to_str().unwrap();
    Run::new(
        ["vm", command, file]
            .into_iter()
            .chain(more.iter().copied()),
    )
}

#[test]
fn responses_status_words_and_exceptions_are_told() {
    let run = vm(
        "run",
        &echo(),
        &[
            "--apdu",
            "80010000 03 0A0B0C",
            "--apdu",
            "8003000001FF",
            "--apdu",
            "8004000001FF",
            "--apdu",
            "8009000001FF",
        ],
    )
    .good();
    let text = &run.stdout;
    for line in [
        "installed F0495041654001 of package F04950416540",
        "> 00A4040007F049504165400100  SELECT",
        "< 9000 (normal ending)",
        "< 0A0B0C 9000 (normal ending)",
        "< 6A80 (incorrect values in the command data)",
        "    javacard.framework.ISOException: 6A80 (incorrect values in the command data)",
        "      in ISOException.throwIt",
        "      at Echo.refuse (Echo.java:57)",
        "      at Echo.process (Echo.java:37)",
        "    java.lang.NullPointerException: reason 0",
        "      at Echo.process (Echo.java:40)",
        "< 6D00 (instruction code not supported)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let json = vm("run", &echo(), &["--json", "--apdu", "80010000020102"])
        .good()
        .json();
    assert_eq!(json["exchanges"][1]["response"], "0102");
    assert_eq!(json["exchanges"][1]["sw"], "9000");
    assert_eq!(json["installed"][0]["instance"], APPLET);
}

#[test]
fn a_script_resets_and_names_its_wrong_line() {
    let script = built().dir.path().join("commands.txt");
    std::fs::write(
        &script,
        "# two commands\n80010000010A\nreset\n80010000010B # unselected\n",
    )
    .unwrap();
    let script = script.to_str().unwrap();
    let run = vm("run", &echo(), &["--script", script]).good();
    assert!(run.stdout.contains("< 0A 9000"), "{}", run.stdout);
    assert!(
        !run.stdout.contains("< 0B 9000"),
        "not selected after the reset: {}",
        run.stdout
    );
    let wrong = built().dir.path().join("wrong.txt");
    std::fs::write(&wrong, "80010000010A\n8x\n").unwrap();
    vm("run", &echo(), &["--script", wrong.to_str().unwrap()]).bad(
        exit::USAGE,
        &["wrong.txt, line 2", "pairs of hexadecimal digits"],
    );
}

/// Read line by line when it was made: the loop adds one byte, `arrayCopy` writes, `store[63]` writes.
const KEEP: &str = include_str!("testdata/keep.trace");

#[test]
fn a_trace_shows_instructions_lines_and_stacks() {
    let run = vm(
        "trace",
        &echo(),
        &["--method", "Echo.keep", "--apdu", "800200000105"],
    )
    .good();
    let trace: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| !line.starts_with(['>', '<']))
        .collect();
    let expected: Vec<&str> = KEEP.lines().collect();
    assert_eq!(trace, expected, "{}", run.stdout);
    let cut = vm(
        "trace",
        &echo(),
        &["--limit", "3", "--apdu", "800200000105"],
    )
    .good();
    assert!(
        cut.stdout.contains("lines more: see --limit"),
        "{}",
        cut.stdout
    );
}

#[test]
fn a_breakpoint_shows_locals_and_callers() {
    let run = vm(
        "trace",
        &echo(),
        &[
            "--break",
            "Echo.keep:52",
            "--break",
            "Echo.refuse",
            "--apdu",
            "80020000020507",
            "--apdu",
            "8003000001FF",
        ],
    )
    .good();
    let text = &run.stdout;
    for line in [
        "stopped at Echo.keep (Echo.java:52)",
        "  length  2",
        "  sum     12",
        "  from    Echo.process (Echo.java:34)",
        "stopped at Echo.refuse (Echo.java:57)",
        "  from    Echo.process (Echo.java:37)",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert_eq!(text.matches("stopped at").count(), 2, "once a line: {text}");
    vm("trace", &echo(), &["--break", "Echo.java"]).bad(exit::USAGE, &["expected CLASS.METHOD"]);
}

#[test]
fn the_folded_stacks_of_a_profile_add_up_to_the_instructions() {
    let out = built().dir.path().join("profile");
    let run = vm(
        "profile",
        &echo(),
        &[
            "--json",
            "--out",
            out.to_str().unwrap(),
            "--apdu",
            "80020000020507",
            "--apdu",
            "8003000001FF",
        ],
    );
    let json = run.good().json();
    let number = |value: &Value| value.as_u64().unwrap();
    let total = number(&json["total"]["instructions"]);
    let folded = std::fs::read_to_string(out.join("stacks.folded")).unwrap();
    let weights = folded
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<u64>().unwrap());
    assert_eq!(weights.sum::<u64>(), total, "{folded}");
    assert!(folded.contains("Echo.process;Echo.keep "), "{folded}");
    let methods = json["methods"].as_array().unwrap();
    let method = |name: &str| methods.iter().find(|m| m["name"] == name).unwrap();
    let process = method("Echo.process");
    assert_eq!(number(&process["inclusive"]["instructions"]), total);
    assert_eq!(process["calls"], 3, "SELECT and two commands");
    // arrayCopy of two bytes is one write, store[63] another.
    assert_eq!(method("Echo.keep")["inclusive"]["persistent_writes"], 2);
    assert_eq!(method("Util.arrayCopy")["own"]["written_bytes"], 2);
    assert_eq!(json["total"]["exceptions"], 1);
    assert_eq!(json["apdus"]["count"], 3);
    assert!(number(&json["predicted"]["total_ns"]) > 0);
    let by = json["predicted"]["by"].as_object().unwrap();
    let sum: u64 = by.values().map(number).sum();
    assert_eq!(sum, number(&json["predicted"]["total_ns"]));
    let svg = std::fs::read_to_string(out.join("flame.svg")).unwrap();
    assert!(
        svg.starts_with("<?xml") && svg.contains("Echo.keep"),
        "{svg}"
    );
}

#[test]
fn predictions_are_labelled_and_need_a_cost_model() {
    let run = vm("profile", &echo(), &["--apdu", "800200000105"]).good();
    assert!(run.stdout.contains("predicted: "), "{}", run.stdout);
    assert!(
        run.stdout.contains("not measured on any card"),
        "{}",
        run.stdout
    );
    vm(
        "profile",
        &echo(),
        &[
            "--card",
            "virtual-small",
            "--by",
            "time",
            "--apdu",
            "800200000105",
        ],
    )
    .bad(exit::DEFINITION, &["no [cost]"]);
}

#[test]
fn two_packages_are_loaded_in_the_order_of_their_imports() {
    let dir = built().dir.path();
    let javac = Javac::locate().unwrap();
    let sources = [
        (
            "lib/Adder.java",
            "package lib; public class Adder { public static short add(short a, short b) { return (short) (a + b); } }",
        ),
        (
            "user/User.java",
            "package user; import javacard.framework.*;
public class User extends Applet {
    public static void install(byte[] b, short o, byte l) { new User().register(); }
    public void process(APDU apdu) {
        if (selectingApplet()) return;
        byte[] buffer = apdu.getBuffer();
        short sum = lib.Adder.add(buffer[2], buffer[3]);
        Util.setShort(buffer, (short) 0, sum);
        apdu.setOutgoingAndSend((short) 0, (short) 2);
    }
}",
        ),
    ];
    let mut paths = Vec::new();
    for (name, text) in sources {
        let path = dir.join("two").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        paths.push(path);
    }
    let classes = dir.join("two-classes");
    let stubs = dir.join("api/classes");
    javac.compile(&paths, &[stubs], &classes).unwrap();
    let class = |name: &str| {
        let bytes = std::fs::read(classes.join(name)).unwrap();
        vec![(name.to_owned(), bytes)]
    };
    let input = |classes, aid: &str, applets, imports| ConvertInput {
        classes,
        package_aid: hex::decode(aid).unwrap(),
        version: (1, 0),
        applets,
        imports,
        ..ConvertInput::default()
    };
    let library = convert(&input(
        class("lib/Adder.class"),
        "F04950416541",
        Vec::new(),
        api::packages(),
    ))
    .unwrap();
    let mut imports = api::packages().to_vec();
    imports.push(library.exp.clone());
    let applets = vec![(
        "user/User".to_owned(),
        hex::decode("F0495041654201").unwrap(),
    )];
    let user = convert(&input(
        class("user/User.class"),
        "F04950416542",
        applets,
        &imports,
    ))
    .unwrap();
    let (lib, user_file) = (dir.join("lib.cap"), dir.join("user.cap"));
    std::fs::write(&lib, library.cap.to_jar().unwrap()).unwrap();
    std::fs::write(&user_file, user.cap.to_jar().unwrap()).unwrap();
    let exp = dir.join("lib.exp");
    std::fs::write(
        &exp,
        applet_gen::exp::write(&library.exp, api::packages()).unwrap(),
    )
    .unwrap();
    let (lib, exp) = (lib.to_str().unwrap(), exp.to_str().unwrap());
    // The user stands first on the command line.
    let run = vm(
        "run",
        &user_file,
        &[lib, "--exp", exp, "--apdu", "8000070500"],
    )
    .good();
    assert!(run.stdout.contains("< 000C 9000"), "{}", run.stdout);
    vm("run", &user_file, &[]).bad(exit::CAP, &["F04950416541", "--unverified"]);
    vm("run", &user_file, &["--unverified"]).bad(
        exit::CARD_REFUSED,
        &["F04950416541", "does not have this package"],
    );
}

#[test]
fn damaged_files_end_with_a_clean_error() {
    let jar = std::fs::read(echo()).unwrap();
    let dir = built().dir.path();
    let path = dir.join("damaged.cap");
    for cut in [0, 1, 100, jar.len() / 2, jar.len() - 1] {
        std::fs::write(&path, &jar[..cut]).unwrap();
        vm("run", &path, &[]).bad(exit::CAP, &["damaged.cap"]);
    }
    // An applet that registers nothing: its constructor returns at once.
    let cap = &built().cap;
    let mut load_file = cap.load_file(true).unwrap();
    load_file.truncate(load_file.len() / 2);
    std::fs::write(&path, &load_file).unwrap();
    vm("run", &path, &["--unverified"]).bad(exit::CAP, &["damaged.cap"]);
    // What only the verifier sees is refused, and runs with --unverified.
    let mut wrong = cap.clone();
    wrong.ref_location.byte2_indices.pop();
    std::fs::write(&path, wrong.to_jar().unwrap()).unwrap();
    vm("run", &path, &[]).bad(exit::CAP, &["does not verify", "--unverified"]);
    let run = vm("run", &path, &["--unverified", "--apdu", "80010000010A"]).good();
    assert!(run.stdout.contains("< 0A 9000"), "{}", run.stdout);
}
