//! Every restriction of the language by what javac makes of it: name, line, clause, advice.

use std::collections::BTreeMap;

use super::harness::{classes_by_package, converted, lines};

/// Release of the class files, the text of `A.java` after its package statement (line 1), and
/// what one of the errors must say: its line, or nothing where there is none, and more.
struct Row {
    release: u32,
    source: &'static str,
    line: Option<u16>,
    says: &'static [&'static str],
}

const fn row(release: u32, line: u16, source: &'static str, says: &'static [&'static str]) -> Row {
    let line = if line == 0 { None } else { Some(line) };
    Row {
        release,
        source,
        line,
        says,
    }
}

const ROWS: &[Row] = &[
    // 2.2.1.4: strings, boxing, collections
    row(
        8,
        3,
        "class A {\n Object f(short a) {\n return \"x\" + a; } }",
        &[
            "string concatenation (java.lang.StringBuilder)",
            "JCVM 2.2.1.4",
            "use a static final byte[]",
        ],
    ),
    row(
        17,
        3,
        "class A {\n Object f(short a) {\n return \"x\" + a; } }",
        &[
            "string concatenation (invokedynamic)",
            "JCVM 2.2.1.4",
            "use a static final byte[]",
        ],
    ),
    row(
        8,
        3,
        "class A {\n Object f() {\n return \"text\"; } }",
        &["the string \"text\"", "JCVM 2.2.1.4"],
    ),
    row(
        17,
        2,
        "class A {\n static final String S = f(); static String f() { return null; } }",
        &["java.lang.String", "JCVM 2.2.1.4"],
    ),
    row(
        8,
        3,
        "class A {\n short f(String s) {\n switch (s) { case \"a\": return 1; default: return 2; } } }",
        &["a switch on strings", "JCVM 2.2.1.4", "Util.arrayCompare"],
    ),
    row(
        8,
        3,
        "class A {\n Object f(short a) {\n return a; } }",
        &[
            "boxing of a primitive value (java.lang.Short)",
            "JCVM 2.2.1.4",
            "primitive type",
        ],
    ),
    row(
        17,
        2,
        "class A {\n short f(Short a) { return a; } }",
        &["boxing of a primitive value (java.lang.Short)"],
    ),
    row(
        17,
        3,
        "class A {\n short f(java.util.List<A> l) {\n return (short) l.size(); } }",
        &["a collection (java.util.List)", "use an array"],
    ),
    row(
        8,
        3,
        "class A {\n void f(Iterable<A> l) {\n for (A a : l) a.f(null); } }",
        &["an enhanced for statement over objects (java.lang.Iterable)"],
    ),
    // 2.2.1.1: language additions
    row(
        8,
        3,
        "class A {\n interface F { short g(short a); } F f() {\n return a -> a; } }",
        &[
            "a lambda expression (invokedynamic)",
            "JCVM 2.2.1.1",
            "a named class",
        ],
    ),
    row(
        17,
        3,
        "class A {\n interface F { short g(short a); } short m(short a) { return a; } F f() {\n return this::m; } }",
        &["the method reference r", ".A::m (invokedynamic)"],
    ),
    row(
        17,
        3,
        "class A {\n static class N { private short s; } short f(N n) {\n return n.s; } }",
        &[
            "the private field s of r",
            ".A$N used in another class (nest mates)",
            "JCVM 2.2.1.1",
            "--release 8",
        ],
    ),
    row(
        17,
        3,
        "class A {\n class N { private void m() { } } void f(N n) {\n n.m(); } }",
        &["the private method m() of r", "(nest mates)"],
    ),
    row(
        11,
        3,
        "class A {\n static class N { private N() { } } Object f() {\n return new N(); } }",
        &["the private constructor of r", "(nest mates)"],
    ),
    row(
        8,
        1,
        "enum A {\n X, Y }",
        &["an enum", "JCVM 2.2.1.1", "static final constants"],
    ),
    row(
        8,
        3,
        "class A {\n enum E { X } short f(E e) {\n switch (e) { case X: return 1; default: return 2; } } }",
        &["a switch on an enum (ordinal())"],
    ),
    row(
        17,
        1,
        "record A(\n short a) { }",
        &["a record", "JCVM 2.2.1.1"],
    ),
    row(
        17,
        1,
        "sealed class A\n permits A.B { static final class B extends A { } }",
        &["a sealed class or interface", "JCVM 2.2.1.1"],
    ),
    row(
        21,
        3,
        "class A {\n static short f(Object o) {\n return switch (o) { case A a -> 1; default -> 2; }; } }",
        &["a switch on patterns or an enum (invokedynamic)"],
    ),
    row(
        8,
        3,
        "class A {\n void f(short a) {\n assert a > 0; } }",
        &[
            "an assert statement",
            "JCVM 2.2.1.1",
            "throw an ISOException",
        ],
    ),
    row(
        8,
        2,
        "class A implements AutoCloseable { public void close() { } static void f() {\n\
        try (A a = new A()) { a.close(); } } }",
        &[
            "a try-with-resources statement (addSuppressed())",
            "JCVM 2.2.1.1",
            "try and finally",
        ],
    ),
    row(
        8,
        3,
        "class A {\n short f(short... a)\n { return a[0]; } }",
        &[
            "a method with a variable number of arguments",
            "JCVM 2.2.1.1",
            "take an array",
        ],
    ),
    row(
        8,
        3,
        "class A {\n interface I { default void f()\n { } } }",
        &["a default method of an interface", "JCVM 2.2.1.1"],
    ),
    row(
        8,
        3,
        "class A {\n interface I { static void f()\n { } } }",
        &["a static method of an interface"],
    ),
    row(
        17,
        3,
        "class A {\n interface I { private void f()\n { } } }",
        &["a private method of an interface"],
    ),
    row(
        8,
        3,
        "class A {\n protected void finalize()\n { } }",
        &["a finalizer", "JCVM 2.2.1.1", "Applet.deselect()"],
    ),
    row(
        8,
        3,
        "class A implements Cloneable {\n Object f() throws CloneNotSupportedException {\n return clone(); } }",
        &["cloning of objects (clone())", "by hand"],
    ),
    row(
        8,
        3,
        "class A {\n Object f(byte[] a) {\n return a.clone(); } }",
        &["calling clone() of an array", "Util.arrayCopy"],
    ),
    row(
        8,
        3,
        "class A {\n Object f() {\n return A.class; } }",
        &["a class literal", "JCVM 2.2.1.1"],
    ),
    row(
        8,
        3,
        "class A {\n Object f() {\n return getClass(); } }",
        &["a class object (getClass())"],
    ),
    // 2.2.1.2: keywords
    row(
        8,
        3,
        "class A {\n synchronized void f()\n { } }",
        &["a synchronized method", "JCVM 2.2.1.2", "one thread only"],
    ),
    row(
        8,
        3,
        "class A {\n void f() {\n synchronized (this) { f(); } } }",
        &["a synchronized block", "JCVM 2.2.1.2"],
    ),
    row(
        8,
        3,
        "class A {\n void f() {\n notifyAll(); } }",
        &["threads (notifyAll())"],
    ),
    row(
        8,
        3,
        "class A {\n void f() {\n new Thread().start(); } }",
        &["threads (java.lang.Thread)"],
    ),
    row(
        8,
        0,
        "class A {\n native void f(); }",
        &["a native method", "JCVM 2.2.1.2"],
    ),
    row(
        8,
        2,
        "class A {\n volatile short v = 3; }",
        &["the keyword volatile", "JCVM 2.2.1.2"],
    ),
    row(
        8,
        2,
        "class A {\n transient short v = 3; }",
        &["the keyword transient", "makeTransientByteArray"],
    ),
    // 2.2.1.3: types
    row(
        8,
        3,
        "class A {\n void f(byte b) {\n long l = b; } }",
        &[
            "the local variable l of type long",
            "JCVM 2.2.1.3",
            "byte, short or boolean",
        ],
    ),
    row(
        8,
        3,
        "class A {\n static short f(short b) {\n return (short) (b * 1.5f); } }",
        &["float arithmetic", "JCVM 2.2.1.3"],
    ),
    row(
        8,
        3,
        "class A {\n static short f(short b) {\n return (short) (b * 1.5); } }",
        &["double arithmetic"],
    ),
    row(
        8,
        3,
        "class A {\n static boolean f(char c)\n { return c == 'x'; } }",
        &["a parameter or result of type char"],
    ),
    row(
        8,
        2,
        "class A {\n short[][] a = new short[2][]; }",
        &["a field of type an array of arrays", "JCVM 2.2.1.3"],
    ),
    row(
        8,
        3,
        "class A {\n Object f() {\n return new byte[2][3]; } }",
        &["an array of arrays", "compute the index"],
    ),
    // 2.2.3.1: int
    row(
        8,
        2,
        "class A {\n int i = 70000; }",
        &["a field of type int", "JCVM 2.2.3.1", "--int"],
    ),
    row(
        8,
        3,
        "class A {\n Object f() {\n return new int[2]; } }",
        &["an array of int", "JCVM 2.2.3.1"],
    ),
    row(
        8,
        3,
        "class A {\n boolean f(short a, short b) {\n return a * b > 9; } }",
        &[
            "the comparison",
            "beyond a short (JCVM 2.2.3.1)",
            "(short) cast",
        ],
    ),
    // 2.2.4.6: class initialization
    row(
        8,
        2,
        "class A {\n static Object o = new A(); }",
        &[
            "a static initialiser with new r",
            "JCVM 2.2.4.6",
            "install()",
        ],
    ),
    row(
        8,
        0,
        "class A {\n static final long L = 5; }",
        &["a field of type long"],
    ),
    // 2.3.1: the class file itself
    row(
        25,
        0,
        "class A {\n }",
        &["class file version 69.0", "JCVM 2.3.1", "--release 8"],
    ),
];

#[test]
fn every_restriction_has_its_error() {
    let mut by_release: BTreeMap<u32, Vec<(usize, &Row)>> = BTreeMap::new();
    for (index, row) in ROWS.iter().enumerate() {
        by_release
            .entry(row.release)
            .or_default()
            .push((index, row));
    }
    let mut tried = 0;
    let mut missing = Vec::new();
    for (release, rows) in by_release {
        let sources: Vec<(String, String)> = rows
            .iter()
            .map(|(index, row)| {
                let text = format!("package r{index}; {}", row.source);
                (format!("r{index}/A.java"), text)
            })
            .collect();
        let Some(packages) = classes_by_package(release, &sources) else {
            eprintln!("javac cannot make class files of release {release}: rows left out");
            continue;
        };
        for (index, row) in rows {
            let classes = packages[&format!("r{index}")].clone();
            let errors = converted(classes, None).unwrap_err();
            let found = errors.iter().any(|error| {
                let text = error.to_string();
                error.line == row.line && row.says.iter().all(|part| text.contains(part))
            });
            if !found {
                missing.push(format!(
                    "{:?} line {:?}\n{}",
                    row.says,
                    row.line,
                    lines(&errors)
                ));
            }
            tried += 1;
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n\n"));
    assert!(tried > 40, "{tried}");
}

/// All of what is wrong is told in one run: behind an instruction that is refused, too.
#[test]
fn all_errors_of_a_method_are_told() {
    let source = "package p; class A {\n interface F { short g(); }\n short s;\n\
        static void h(F f, Object o) { }\n\
        boolean f(short a, short b) {\n h(() -> 1, \"x\" + a);\n Object o = A.class;\n\
        o = new short[2][2];\n synchronized (this) {\n return a * b > 3; } } }";
    let packages = classes_by_package(17, &[("p/A.java".to_owned(), source.to_owned())]);
    let errors = converted(packages.unwrap()["p"].clone(), None).unwrap_err();
    let text = lines(&errors);
    for wanted in [
        "A.java:6: in p.A.f(SS)Z: a lambda expression",
        "A.java:6: in p.A.f(SS)Z: string concatenation",
        "A.java:7: in p.A.f(SS)Z: a class literal",
        "A.java:8: in p.A.f(SS)Z: an array of arrays",
        "A.java:9: in p.A.f(SS)Z: a synchronized block",
        "A.java:10: in p.A.f(SS)Z: the comparison needs a value",
    ] {
        assert!(text.contains(wanted), "{wanted} in\n{text}");
    }
}
