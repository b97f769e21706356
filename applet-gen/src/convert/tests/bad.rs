//! What must be refused: each with its line, clause and advice, all of a run at once.

use super::harness::{classes_of, converted};

/// The errors of class `p.A` with this body; line 1 is the class's first line.
fn errors(body: &str) -> Vec<String> {
    let source = format!("package p; class A {{\n{body}\n}}");
    match converted(classes_of(&source), None) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(ToString::to_string).collect(),
    }
}

#[track_caller]
fn refused(body: &str, wanted: &[&[&str]]) {
    let found = errors(body);
    for parts in wanted {
        assert!(
            found
                .iter()
                .any(|error| parts.iter().all(|part| error.contains(part))),
            "{parts:?} expected in:\n{}",
            found.join("\n")
        );
    }
    assert!(
        found.iter().all(|error| error.starts_with("A.java")),
        "{found:#?}"
    );
}

#[test]
fn int_intermediates_that_matter() {
    let beyond = "beyond a short (JCVM 2.2.3.1)";
    refused(
        "static short f(short a, short b) {\n return (short) ((a + b) >> 1);\n}",
        &[&[
            "A.java:3:",
            "the shift to the right",
            "-65536 and 65534",
            beyond,
        ]],
    );
    refused(
        "static boolean f(short a, short b) {\n return a + b > 0;\n}",
        &[&["A.java:3:", "the comparison", beyond]],
    );
    refused(
        "static byte f(byte[] a, short i) {\n return a[i + 1];\n}",
        &[&["A.java:3:", "the array index", "-32767 and 32768"]],
    );
    refused(
        "static byte[] f(short i) {\n return new byte[i * 2];\n}",
        &[&["A.java:3:", "the array's length"]],
    );
    refused(
        "static short f(short a, short b) {\n return (short) (a * b / 3);\n}",
        &[&["A.java:3:", "the division"]],
    );
    refused(
        "static short f(short a) {\n switch (a + 1) { case 1: return 2; }\n return 0;\n}",
        &[&["A.java:3:", "the switch"]],
    );
    refused(
        "static boolean f(short sw) {\n return sw == 0x9000;\n}",
        &[&["A.java:3:", "the comparison", "36864"]],
    );
}

#[test]
fn narrowed_intermediates_are_welcome() {
    for body in [
        "static short f(short a, short b) { return (short) (((short) (a + b)) >> 1); }",
        "static short f(byte a, byte b) { return (short) ((a + b) >> 1); }",
        "static byte f(byte[] a, byte i) { return a[i + 1]; }",
        "static short f(byte[] a, short i) { return (short) (a[i] << 8 | a[(short) (i + 1)] & 0xFF); }",
        "static boolean f(byte[] a) { return (a[0] & 0xFF) * 2 > 300; }",
        "static short f(short a) { return (short) (a >>> 8 & 0xFF); }",
        "static short f(short a) { return (short) (0xBF00 | a); }",
        "static boolean f(byte[] a) { return a.length - 1 == 3; }",
        "static short f(short a) { short s = 0; while (s < a) { s += 3; } return s; }",
        "static short f(boolean c, short a) { return (short) ((c ? a : 7) + (c ? 1 : 0)); }",
    ] {
        assert_eq!(errors(body), Vec::<String>::new(), "{body}");
    }
}

#[test]
fn types_that_a_card_has_not() {
    refused(
        "int field;\nlong wide;\nchar letter;\nshort[][] grid;\nString text;",
        &[
            &["A.java: in p.A.field", "type int", "2.2.3.1", "use short"],
            &["p.A.wide", "type long", "2.2.1.3"],
            &["p.A.letter", "type char"],
            &["p.A.grid", "an array of arrays", "2.2.1.3"],
            &["p.A.text", "java.lang.String", "2.2.1.4"],
        ],
    );
    refused(
        "static void f() {\n int i = 0;\n while (i < 100000) {\n i++;\n }\n}",
        &[&["A.java:3:", "the local variable i of type int", "2.2.3.1"]],
    );
    refused(
        "static void f(long a) {\n long b = a + 1;\n float c = 2.5f * b;\n}",
        &[
            &["A.java:3:", "a parameter or result of type long"],
            &["A.java:3:", "the local variable b of type long"],
            &["A.java:3:", "long arithmetic"],
            &["A.java:4:", "float arithmetic"],
        ],
    );
    refused(
        "static short f(short a) {\n return (short) (char) a;\n}",
        &[&["A.java:3:", "char arithmetic", "2.2.1.3"]],
    );
    refused(
        "static void f() {\n Object a = new int[3];\n a = new short[2][2];\n}",
        &[
            &["A.java:3:", "an array of int", "2.2.3.1"],
            &["A.java:4:", "an array of arrays", "2.2.1.3"],
        ],
    );
}

#[test]
fn language_that_a_card_has_not() {
    refused(
        "static Object f(short a) {\n return \"x\" + a;\n}",
        &[&["A.java:3:", "string concatenation", "2.2.1.4", "byte[]"]],
    );
    refused(
        "interface F { short g(short a); }\nstatic F f() {\n return a -> a;\n}",
        &[&["A.java:4:", "invokedynamic", "2.2.1.1"]],
    );
    refused("enum E { X, Y }", &[&["an enum", "2.2.1.1"]]);
    refused(
        "synchronized void f() {\n synchronized (this) {\n g();\n }\n}\nnative void g();\nvolatile short v;",
        &[
            &["A.java:3:", "a synchronized method", "2.2.1.2"],
            &["A.java:3:", "a synchronized block"],
            &["a native method"],
            &["the keyword volatile"],
        ],
    );
    refused(
        "void f(short a) {\n assert a > 0;\n}",
        &[&["A.java:3:", "an assert statement"]],
    );
    refused(
        "interface I {\n default void f() {\n }\n}",
        &[&["A.java:4:", "a default method"]],
    );
    refused(
        "void f(byte[] a) {\n a.clone();\n}\nvoid g() {\n System.gc();\n hashCode();\n}",
        &[
            &["A.java:3:", "calling clone() of an array"],
            &["A.java:6:", "class java.lang.System is not known"],
            &[
                "A.java:7:",
                "method java.lang.Object.hashCode()I is not known",
            ],
        ],
    );
}

#[test]
fn static_initialisers_that_run_code() {
    refused(
        "static final Object O = new Object();",
        &[&[
            "A.java:2:",
            "new java.lang.Object()",
            "2.2.4.6",
            "install()",
        ]],
    );
    refused(
        "static short a = f();\nstatic short f() { return 1; }",
        &[&["A.java:2:", "a call of f()"]],
    );
    refused(
        "static byte[] a = {1};\nstatic byte[] b = a;",
        &[&["A.java:3:", "a read of a"]],
    );
    refused(
        "interface I { byte[] T = {1, 2}; }",
        &[&["an interface field that is no constant", "2.2.4.6"]],
    );
}

#[test]
fn the_package_as_a_whole() {
    let classes = || classes_of("package p; class A { }");
    let lines = |applet| -> Vec<String> {
        let errors = converted(classes(), Some(applet)).unwrap_err();
        errors.iter().map(ToString::to_string).collect()
    };
    assert!(lines("p.B")[0].contains("no class p.B is given"));
    let errors = lines("p.A");
    assert!(
        errors
            .iter()
            .any(|error| error.contains("extends javacard.framework.Applet"))
    );
    assert!(
        errors
            .iter()
            .any(|error| error.contains("public static void install"))
    );

    let mut input = super::harness::input(classes(), None);
    input.package_aid = vec![1, 2];
    input.classes.push(("Bad.class".to_owned(), vec![1, 2, 3]));
    let errors = crate::convert::convert(&input).unwrap_err();
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(lines.iter().any(|line| line.contains("2 bytes, 5 to 16")));
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with("Bad.class: not a readable class file"))
    );
}

/// Class files with single bytes changed: an answer or errors, never a panic, and what converts
/// can be written and read back.
#[test]
fn damaged_class_files_never_panic() {
    let classes = super::harness::classes("good/demo");
    let mut state = 7u64;
    let mut roll = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut converted_anyway = 0;
    for _ in 0..1500 {
        let mut damaged = classes.clone();
        let file = roll(damaged.len());
        let bytes = &mut damaged[file].1;
        for _ in 0..=roll(3) {
            let at = roll(bytes.len());
            bytes[at] = roll(256) as u8;
        }
        if let Ok(result) = converted(damaged, Some("demo.DemoApplet")) {
            converted_anyway += 1;
            let file = result.cap.load_file(true).unwrap();
            assert!(!file.is_empty());
        }
    }
    assert!(converted_anyway > 0);
}

/// What is refused in a loop comes back to it as something unknown, which must not hide why. The
/// class file says nothing of its variables, so that only their values speak.
#[test]
fn a_refusal_in_a_loop_is_told() {
    let source = "package p; class A {\n static void f(byte[] a) {\n int i = 0;\n\
        while (a[0] > 0) {\n i += 9;\n a[i] = 0;\n }\n }\n}";
    let mut classes = classes_of(source);
    for (_, bytes) in &mut classes {
        let table = b"LocalVariableTable";
        let at = bytes.windows(table.len()).position(|part| part == table);
        bytes[at.unwrap()] = b'X';
    }
    let errors = super::harness::lines(&converted(classes, None).unwrap_err());
    let wanted = "A.java:5: in p.A.f([B)V: the increment of a local variable needs a value";
    assert!(errors.contains(wanted), "{errors}");
}
