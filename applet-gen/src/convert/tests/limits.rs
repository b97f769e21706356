//! What a CAP file can hold (JCVM 2.2.4, chapter 6): a package just over each limit.

use std::fmt::Write as _;

use super::harness::{classes_by_package, compile_texts, input, lines};
use crate::api;
use crate::convert::{ConvertInput, convert, convert_all};

/// `count` copies of a text, with `#` as the number.
fn many(count: usize, text: &str) -> String {
    (0..count)
        .map(|n| text.replace('#', &n.to_string()))
        .collect()
}

fn list(count: usize, text: &str) -> String {
    let items: Vec<String> = (0..count)
        .map(|n| text.replace('#', &n.to_string()))
        .collect();
    items.join(", ")
}

/// The text of `A.java`, and what the error says.
fn rows() -> Vec<(String, &'static [&'static str])> {
    vec![
        (
            format!("interface A {{ {} }}", many(129, "void m#();")),
            &[
                "A.java: in l0.A: methods of an interface",
                ": 129, and at most 128",
                "JCVM 4.3.7.7",
            ],
        ),
        (
            format!(
                "class A implements {} {{ }} {}",
                list(16, "I#"),
                many(16, "interface I# { }")
            ),
            &[
                "A.java: in l1.A: interfaces of a class: 16, and at most 15",
                "JCVM 2.2.4.2",
            ],
        ),
        (
            format!(
                "interface A extends {} {{ }} {}",
                list(15, "I#"),
                many(15, "interface I# { }")
            ),
            &["superinterfaces of an interface: 15, and at most 14"],
        ),
        (
            format!(
                "public class A {{ {} }}",
                many(256, "public static short f#;")
            ),
            &["public and protected static fields of a class: 256, and at most 255"],
        ),
        (
            format!(
                "public class A {{ {} }}",
                many(255, "public static void m#() { }")
            ),
            &[
                "public and protected static methods and constructors of a class: 256, and at most 255",
            ],
        ),
        (
            format!(
                "public class A {{ {} }}",
                many(255, "public static class C# { }")
            ),
            &[
                "package l5: public classes of a package: 256, and at most 255",
                "JCVM 2.2.4.1",
            ],
        ),
        (
            format!("class A {{ {} }}", many(128, "public void m#() { }")),
            &["public and protected methods of a class and its superclasses: 129, and at most 128"],
        ),
        (
            format!("class A {{ {} }}", many(129, "void m#() { }")),
            &["package-visible methods of a class and its superclasses: 129, and at most 128"],
        ),
        (
            format!("class A {{ {} }}", many(256, "short f#;")),
            &[
                "cells of an object's fields: 256, and at most 255",
                "JCVM 2.2.4.3",
            ],
        ),
        (
            format!(
                "class A {{ {} }}",
                many(256, "void m#() { try { m0(); } catch (Exception e) { } }")
            )
            .replace("void m", "private void m"),
            &[
                "package l9: exception handlers of a package: 256, and at most 255",
                "JCVM 6.9",
            ],
        ),
        (
            format!(
                "class A {{ static short s; static void f(short a) {{ {} }} }}",
                many(4100, "s += a;")
            ),
            &[
                "A.java: in l10.A.f(S)V: bytes of a method's code",
                "at most 32767",
                "JCVM 2.2.4.4",
            ],
        ),
        (
            format!(
                "class A {{ static short s; static short f({}) {{ {} return (short) ({} 0); }} }}",
                list(200, "short p#"),
                many(56, "short v# = s; s += p#;"),
                many(56, "v# ^ ") + &many(200, "p# ^ ")
            ),
            &[
                "in l11.A.f(",
                "cells of parameters and local variables of a method: 256, and at most 255",
            ],
        ),
        (
            format!(
                "class A {{ static short f(short a) {{ return (short) ({}a{}); }} }}",
                "(short) (a + ".repeat(260),
                ")".repeat(260)
            ),
            &["in l12.A.f(S)S: cells of the operand stack of a method: 261, and at most 255"],
        ),
        (
            "class A {\n static byte[] big = new byte[32768]; }".to_owned(),
            &["A.java:2: in l13.A: a static initialiser with an array of more than 32767 elements"],
        ),
        (
            format!(
                "class A {{ static short s; {} }}",
                many(
                    3,
                    &format!("static void f#(short a) {{ {} }}", "s += a;".repeat(3000))
                )
            ),
            &[
                "package l14: Method component: the component's size is",
                "65535 is the most",
            ],
        ),
        (
            "class A {\n static byte[] table = {1, 2, 3}; }".to_owned(),
            &[
                "A.java:2: in l15.A: a static array with initial values in a package without applets",
                "JCVM 6.10",
            ],
        ),
        (
            "class A {\n private short s; static class B {\n void f(A a) { a.s += 2; } } }"
                .to_owned(),
            &[
                "A.java:1: in l16.A.access$",
                "the accessor that a nested class needs for += or ++",
            ],
        ),
    ]
}

#[test]
fn every_limit_has_its_error() {
    let rows = rows();
    let sources: Vec<(String, String)> = rows
        .iter()
        .enumerate()
        .map(|(n, (text, _))| (format!("l{n}/A.java"), format!("package l{n}; {text}")))
        .collect();
    let packages = classes_by_package(8, &sources).unwrap();
    let mut missing = String::new();
    for (n, (_, says)) in rows.iter().enumerate() {
        // As it is written: shorter code has fewer cells and bytes.
        let mut written = input(packages[&format!("l{n}")].clone(), None);
        written.plain = true;
        let errors = match convert(&written) {
            Ok(_) => Vec::new(),
            Err(errors) => errors,
        };
        let mut texts = errors.iter().map(ToString::to_string);
        if !texts.any(|text| says.iter().all(|part| text.contains(part))) {
            let _ = writeln!(missing, "{says:?} in\n{}\n", lines(&errors));
        }
    }
    assert!(missing.is_empty(), "{missing}");
}

#[test]
fn limits_of_the_package() {
    let mut too_many = input(
        super::harness::classes_of("package p; class A { }"),
        Some("p.A"),
    );
    too_many.applets = (0..256u16)
        .map(|n| {
            let aid = [super::harness::PACKAGE.to_vec(), n.to_be_bytes().to_vec()].concat();
            ("p.A".to_owned(), aid)
        })
        .collect();
    let text = lines(&convert(&too_many).unwrap_err());
    assert!(
        text.contains("applets of a package: 256, and at most 255"),
        "{text}"
    );

    // One package that imports 129.
    let names: Vec<(String, String)> = (0..129)
        .map(|n| {
            (
                format!("i{n}/C.java"),
                format!("package i{n}; public class C {{ }}"),
            )
        })
        .chain([(
            "u/U.java".to_owned(),
            format!("package u; class U {{ {} }}", many(129, "i#.C c#;")),
        )])
        .collect();
    let sources: Vec<(&str, &str)> = names
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let inputs: Vec<ConvertInput<'_>> = compile_texts(&sources)
        .into_iter()
        .enumerate()
        .map(|(n, (path, bytes))| ConvertInput {
            classes: vec![(path.display().to_string(), bytes)],
            package_aid: [&[0xF0, 1, 2, 3, 4][..], &(n as u16).to_be_bytes()].concat(),
            version: (1, 0),
            imports: api::packages(),
            ..ConvertInput::default()
        })
        .collect();
    let text = lines(&convert_all(&inputs).unwrap_err());
    assert!(
        text.contains("package u: packages that a package imports: 130, and at most 128"),
        "{text}"
    );
}
