//! Packages that may use `int` (JCVM 2.2.3.1).

use super::good::{good, listing};
use super::harness::{classes_of, converted, input, lines};
use crate::cap::header::ACC_INT;
use crate::cap::{Cap, Constant};
use crate::convert::convert;

/// Static arrays are for packages with applets only.
const APPLET: &str = "class App extends javacard.framework.Applet {
     public static void install(byte[] b, short o, byte l) { }
     public void process(javacard.framework.APDU apdu) { } }";

fn with_int(source: &str) -> Cap {
    let applet = source.contains(APPLET).then_some("p.App");
    let mut input = input(classes_of(source), applet);
    input.int = true;
    good(convert(&input))
}

/// What the one static method of a class that has it behind its constructor is translated to,
/// before the rules that make it shorter.
#[track_caller]
fn code(method: &str, expected: &[&str]) {
    let source = format!("package p; class A {{ {method} }}");
    let mut input = input(classes_of(&source), None);
    (input.int, input.plain) = (true, true);
    let cap = good(convert(&input));
    let found = listing(&cap, 1);
    let names: Vec<&str> = found.iter().map(String::as_str).collect();
    assert_eq!(names, expected, "{method}");
}

#[test]
fn what_fits_in_shorts_is_done_in_shorts() {
    code(
        "static short f(short a, short b) { return (short) (a + b); }",
        &["sload_0", "sload_1", "sadd", "sreturn"],
    );
    // The sum of two bytes fits in a short: it is widened at the end.
    code(
        "static int f(byte a, byte b) { return a + b; }",
        &["sload_0", "sload_1", "sadd", "s2i", "ireturn"],
    );
    // That of two shorts does not.
    code(
        "static int f(short a, short b) { return a + b; }",
        &["sload_0", "s2i", "sload_1", "s2i", "iadd", "ireturn"],
    );
    code(
        "static short f(short a, short b) { return (short) ((a * b) >> 8); }",
        &[
            "sload_0",
            "s2i",
            "sload_1",
            "s2i",
            "imul",
            "bipush Value(8)",
            "ishr",
            "i2s",
            "sreturn",
        ],
    );
    // A variable that is called int and holds a short all the time takes one cell.
    code(
        "static short f(byte[] a) { short s = 0; for (int i = 0; i < a.length; i++) s += a[i]; return s; }",
        &[
            "sconst_0",
            "sstore_1",
            "sconst_0",
            "sstore_2",
            "sload_2",
            "aload_0",
            "arraylength",
            "if_scmpge Branch(13)",
            "sload_1",
            "aload_0",
            "sload_2",
            "baload",
            "sadd",
            "sstore_1",
            "sinc Increment { local: 2, value: 1 }",
            "goto Branch(-14)",
            "sload_1",
            "sreturn",
        ],
    );
}

#[test]
fn ints_take_two_cells() {
    code(
        "static int f(int a, short b, int c) { int d = c; d += 70000; a++; return b == 0 ? a : d; }",
        &[
            "iload_3",
            "istore Local(5)",
            "iload Local(5)",
            "iipush Value(70000)",
            "iadd",
            "istore Local(5)",
            "iinc Increment { local: 0, value: 1 }",
            "sload_2",
            "ifne Branch(5)",
            "iload_0",
            "goto Branch(4)",
            "iload Local(5)",
            "ireturn",
        ],
    );
    code(
        "static boolean f(int a, short b) { return a < b; }",
        &[
            "iload_0",
            "sload_2",
            "s2i",
            "icmp",
            "ifge Branch(5)",
            "sconst_1",
            "goto Branch(3)",
            "sconst_0",
            "sreturn",
        ],
    );
    code(
        "static boolean f(short a, short b) { return a + b > 0; }",
        &[
            "sload_0",
            "s2i",
            "sload_1",
            "s2i",
            "iadd",
            "iconst_0",
            "icmp",
            "ifle Branch(5)",
            "sconst_1",
            "goto Branch(3)",
            "sconst_0",
            "sreturn",
        ],
    );
    code(
        "static int f(int[] a, int i, short j) { a[(short) i] = j; return a[j]++; }",
        &[
            "aload_0",
            "iload_1",
            "i2s",
            "sload_3",
            "s2i",
            "iastore",
            "aload_0",
            "sload_3",
            "dup2",
            "iaload",
            "dup_x Words { m: 2, n: 4 }",
            "iconst_1",
            "iadd",
            "iastore",
            "ireturn",
        ],
    );
    code(
        "static int g(int a, short b, int c) { return g(b, (short) c, b); }",
        &[
            "sload_2",
            "s2i",
            "iload_3",
            "i2s",
            "sload_2",
            "s2i",
            "invokestatic Pool2(0)",
            "ireturn",
        ],
    );
}

#[test]
fn switches_of_ints() {
    code(
        "static short f(int a) { switch (a) { case 1: return 2; case 2: return 3; case 3: return 4; } return 0; }",
        &[
            "iload_0",
            "itableswitch Table { default: 23, low: 1, offsets: [17, 19, 21] }",
            "sconst_2",
            "sreturn",
            "sconst_3",
            "sreturn",
            "sconst_4",
            "sreturn",
            "sconst_0",
            "sreturn",
        ],
    );
    code(
        "static short f(int a) { switch (a) { case 100000: return 2; case -7: return 3; } return 0; }",
        &[
            "iload_0",
            "ilookupswitch Lookup { default: 21, pairs: [(-7, 19), (100000, 17)] }",
            "sconst_2",
            "sreturn",
            "sconst_3",
            "sreturn",
            "sconst_0",
            "sreturn",
        ],
    );
}

#[test]
fn fields_statics_and_arrays() {
    let source = "package p; public class A {
             static int zero; static int set = 70000; static byte b = 5; static short s;
             static final int[] table = {1, -2, 100000};
             protected int first; protected short second; byte[] third; private int fourth;
             public int add(int by) { first += by; set = fourth; zero = table[1]; return first; }
             static boolean is(Object o) { return o instanceof int[] && new int[3].length > 2; }
         }";
    let cap = with_int(&format!("{source} {APPLET}"));
    assert_eq!(cap.header.flags & ACC_INT, ACC_INT);
    let class = &cap.class.classes[0];
    // first 0, second 2, third 3, fourth 4: six cells.
    assert_eq!(class.declared_instance_size, 6);
    assert_eq!((class.first_reference_token, class.reference_count), (3, 1));
    let tokens: Vec<u8> = (cap.constant_pool.iter())
        .filter_map(|entry| match entry {
            Constant::InstanceField { token, .. } => Some(*token),
            _ => None,
        })
        .collect();
    assert_eq!(tokens, [0, 4], "first and fourth are used");
    let statics = &cap.static_field;
    assert_eq!(
        (statics.image_size, statics.default_value_count),
        (2 + 6 + 5, 6)
    );
    assert_eq!(statics.arrays[0].kind, 5);
    assert_eq!(
        statics.arrays[0].values,
        [0, 0, 0, 1, 255, 255, 255, 254, 0, 1, 0x86, 0xA0]
    );
    assert_eq!(statics.values, [0, 1, 0x11, 0x70, 5]);
    let all = listing(&cap, 1).join("\n");
    for wanted in ["getfield_i_this", "putstatic_i", "putfield_i_this"] {
        assert!(all.contains(wanted), "{wanted} in\n{all}");
    }
}

#[test]
fn the_flag_says_whether_int_is_used() {
    let cap =
        with_int("package p; class A { static short f(short a) { return (short) (a + a); } }");
    assert_eq!(cap.header.flags & ACC_INT, 0);
    let source =
        "package p; class A { static short f(short a, short b) { return (short) (a * b / 3); } }";
    assert_eq!(with_int(source).header.flags & ACC_INT, ACC_INT);
    let errors = lines(&converted(classes_of(source), None).unwrap_err());
    assert!(errors.contains("beyond a short"), "{errors}");
}

#[test]
fn indexes_must_still_be_shorts() {
    let source = "package p; class A {\n static int f(int[] a, int i) {\n return a[i]; } }";
    let mut input = input(classes_of(source), None);
    input.int = true;
    let errors = lines(&convert(&input).unwrap_err());
    assert!(
        errors.contains("A.java:3:") && errors.contains("the array index"),
        "{errors}"
    );
    // Unless it is known to be one.
    with_int(
        "package p; class A { static int f(int[] a, int i) { return i >= 0 && i < 5 ? a[i] : a[i & 3]; } }",
    );
}
