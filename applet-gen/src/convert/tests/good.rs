//! What must convert, and to what.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::{classes, classes_of, converted};
use crate::cap::{Cap, ComponentTag, decode};

pub(super) fn good(
    result: Result<crate::convert::Converted, Vec<crate::convert::ConvertError>>,
) -> Cap {
    let cap = match result {
        Ok(converted) => {
            super::harness::keep(&converted, crate::api::packages());
            converted.cap
        }
        Err(errors) => {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"));
        }
    };
    consistent(&cap);
    cap
}

/// What every CAP must fulfil beside the verifier's checks.
fn consistent(cap: &Cap) {
    let components: BTreeMap<u8, Vec<u8>> = ComponentTag::ALL
        .into_iter()
        .filter_map(|tag| Some((tag as u8, cap.info(tag).unwrap()?)))
        .collect();
    assert_eq!(Cap::from_components(&components).unwrap(), *cap);
    let verdict = crate::cap::verify::verify(cap, crate::api::packages());
    let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
    assert!(verdict.is_ok(), "{}", findings.join("\n"));
    assert_eq!(verdict.unchecked, Vec::<String>::new());
    let mut byte = BTreeSet::new();
    let mut byte2 = BTreeSet::new();
    let mut used = BTreeSet::new();
    for method in cap.methods().unwrap() {
        let instructions = decode::decode_all(&method.code).unwrap();
        let starts: BTreeSet<i64> = instructions.iter().map(|ins| ins.at as i64).collect();
        for instruction in &instructions {
            for target in instruction.targets() {
                assert!(starts.contains(&target), "{instruction:?}");
            }
            if let Some(pool) = instruction.pool_index() {
                used.insert(pool.index);
                let at = method.code_offset + pool.at as u16;
                if pool.width == 1 {
                    byte.insert(at);
                } else {
                    byte2.insert(at);
                }
            }
        }
    }
    for (index, handler) in cap.method.handlers.iter().enumerate() {
        if handler.catch_type != 0 {
            used.insert(handler.catch_type);
            byte2.insert((1 + 8 * index + 6) as u16);
        }
    }
    let set = |list: &[u16]| list.iter().copied().collect::<BTreeSet<u16>>();
    assert_eq!(set(&cap.ref_location.byte_indices), byte);
    assert_eq!(set(&cap.ref_location.byte2_indices), byte2);
    assert_eq!(
        used.len(),
        cap.constant_pool.len(),
        "every constant is used"
    );
}

/// The mnemonics of the method at this position of the component, with operands.
pub(super) fn listing(cap: &Cap, index: usize) -> Vec<String> {
    let methods = cap.methods().unwrap();
    let code = decode::decode_all(&methods[index].code).unwrap();
    code.iter()
        .map(|ins| match &ins.operands {
            decode::Operands::None => ins.opcode.name.to_owned(),
            operands => format!("{} {operands:?}", ins.opcode.name),
        })
        .collect()
}

#[test]
fn the_demo_applet_converts() {
    let cap = good(converted(classes("good/demo"), Some("demo.DemoApplet")));
    if std::env::var_os("SHOW").is_some() {
        for (index, method) in cap.methods().unwrap().iter().enumerate() {
            println!("{:04x} {:?}", method.offset, method.header);
            for line in listing(&cap, index) {
                println!("    {line}");
            }
        }
        println!("{:#?}", cap);
    }
    assert_eq!(cap.applets.len(), 1);
    assert_eq!(cap.export.as_ref().unwrap().classes.len(), 1);
}

#[test]
fn the_result_does_not_depend_on_the_order_of_classes() {
    let mut classes = classes("good/demo");
    let one = converted(classes.clone(), Some("demo.DemoApplet")).unwrap();
    classes.reverse();
    let other = converted(classes, Some("demo/DemoApplet")).unwrap();
    assert_eq!(one, other);
    assert_eq!(one.cap.to_jar().unwrap(), other.cap.to_jar().unwrap());
}

#[test]
fn narrowing_costs_nothing() {
    let cap = good(converted(
        classes_of(
            "package p; class A { static short f(short a, byte b) {
                 short c = (short) (a + b);
                 c++;
                 return (short) (c - (byte) (b * 3) & 0xFF);
             } }",
        ),
        None,
    ));
    let names = [
        "sload_0",
        "sload_1",
        "sadd",
        // The parameter is not read any more: its place is the variable's.
        "sstore_0",
        "sinc LocalS1(0, 1)",
    ];
    let listing = listing(&cap, 1);
    assert_eq!(listing[..4], names[..4]);
}

#[test]
fn a_library_offers_its_classes_to_others() {
    let lib = classes_of(
        "package p;
         public class A {
             public static short level = 4;
             static short hidden;
             public static final short LIMIT = 77;
             protected byte[] data;
             short size;
             public A(byte[] data) { this.data = data; }
             private A() { }
             public static A make() { return new A(); }
             static void help() { }
             protected short first() { return 1; }
             short second() { return 2; }
             public boolean equals(Object other) { return other == this; }
         }
         class B extends A implements C {
             B() { super(null); }
             short second() { return 3; }
             public short third() { return super.first(); }
             short fourth() { return second(); }
         }
         interface C extends D { short third(); }
         interface D { boolean equals(Object other); short first(); }
         abstract class E implements C { short call() { return third(); } }
         class F extends B { protected short first() { return 9; }
             public short second() { return 4; } }"
            .replace("protected short first", "public short first")
            .as_str(),
    );
    let converted = converted(lib, None).unwrap();
    consistent(&converted.cap);
    let cap = &converted.cap;
    let class = converted.exp.class_named("p/A").unwrap();
    assert_eq!(
        converted.exp.classes.len(),
        1,
        "package-visible classes are not offered"
    );
    let tokens: Vec<(&str, u8)> = (class.methods.iter())
        .map(|method| (method.name.as_str(), method.token))
        .collect();
    assert_eq!(
        tokens,
        [("<init>", 0), ("make", 1), ("first", 1), ("equals", 0)]
    );
    let fields: Vec<(&str, Option<u8>, Option<i32>)> = (class.fields.iter())
        .map(|field| (field.name.as_str(), field.token, field.constant))
        .collect();
    assert_eq!(
        fields,
        [
            ("level", Some(0), None),
            ("LIMIT", None, Some(77)),
            ("data", Some(0), None)
        ]
    );
    let export = cap.export.as_ref().unwrap();
    assert_eq!(export.classes[0].static_fields.len(), 1);
    assert_eq!(export.classes[0].static_methods.len(), 2);
    // A, E, B, F: depth first, then name. Their tables start at the first token of their own.
    let shapes: Vec<(u8, usize, u8, usize)> = (cap.class.classes.iter())
        .map(|class| {
            (
                class.public_method_base,
                class.public_methods.len(),
                class.package_method_base,
                class.package_methods.len(),
            )
        })
        .collect();
    assert_eq!(
        shapes,
        [
            (0, 2, 0, 1), // A: equals 0, first 1; second 0
            (1, 2, 0, 1), // E: third 1, first 2 (abstract); call 0
            (2, 1, 0, 2), // B: third 2; second 0, fourth 1
            (1, 3, 0, 2), // F: first 1 and second 3; second in the package's table, too
        ]
    );
    let map = |index: usize| -> Vec<&[u8]> {
        let interfaces = &cap.class.classes[index].interfaces;
        interfaces
            .iter()
            .map(|list| list.methods.as_slice())
            .collect()
    };
    // C: third, equals, first. D: equals, first.
    assert_eq!(map(1), [&[1, 0, 2][..], &[0, 2]]);
    assert_eq!(map(2), [&[2, 0, 1][..], &[0, 1]]);
    // And through its export file.
    let bytes = crate::exp::write(&converted.exp, crate::api::packages()).unwrap();
    let back = crate::exp::read(&bytes).unwrap();
    assert_eq!(back.class_named("p/A").unwrap().fields, class.fields);
}

#[test]
fn long_methods_branch_wide_and_many_fields_index_wide() {
    let fields: String = (0..300).map(|n| format!("short f{n};")).collect();
    let body: String = (0..300)
        .map(|n| {
            let object = if n < 200 { "o." } else { "" };
            format!("{object}f{n} = a; a = (short) (a - {object}f{n});")
        })
        .collect();
    // 255 fields is the limit of an object.
    let (some, rest) = fields.split_at(fields.find("f200").unwrap() - "short ".len());
    let source = format!(
        "package p; class A {{ {some}
             static class B {{ {rest}
                 void g(short a, A o) {{ while (a > 0) {{ {body} }} }} }} }}"
    );
    let cap = good(converted(classes_of(&source), None));
    let all: Vec<String> = (0..cap.methods().unwrap().len())
        .flat_map(|index| listing(&cap, index))
        .collect();
    for wanted in [
        "ifle_w",
        "goto_w",
        "putfield_s_w",
        "getfield_s_w",
        "putfield_s_this",
    ] {
        assert!(
            all.iter()
                .any(|line| line.starts_with(&format!("{wanted} "))),
            "{wanted}"
        );
    }
}

#[test]
fn handlers_are_sorted_and_nested() {
    let cap = good(converted(
        classes_of(
            "package p; class A { short f(byte[] b) {
                 for (short i = 0; ; i++) {
                     try {
                         try { if (b[i] == 1) return 1; if (b[i] == 2) continue; b[i]++; }
                         catch (NullPointerException e) { return 2; }
                         catch (RuntimeException e) { if (b[0] == 3) break; }
                         finally { b[1] = 4; }
                         b[2]++;
                     } catch (Exception e) { b[3]++; }
                     finally { if (b[4] == 5) return 3; b[5]++; }
                 }
                 return 4;
             } }",
        ),
        None,
    ));
    let handlers = &cap.method.handlers;
    assert!(handlers.len() >= 6);
    assert!(
        handlers
            .windows(2)
            .all(|pair| pair[0].handler <= pair[1].handler)
    );
    assert!(handlers.iter().any(|handler| handler.stop));
    assert!(handlers.iter().any(|handler| !handler.stop));
}

#[test]
fn a_debug_component_leads_back_to_the_source() {
    let source = "package p; class A {\n byte[] b;\n static short S = 3;\n static final short C = 7;\n\
                  short f(short a) {\n short c = (short) (a + 1);\n if (a > 3) {\n return c;\n }\n\
                  return b[0];\n }\n}";
    let classes = classes_of(source);
    let plain = converted(classes.clone(), None).unwrap().cap;
    assert!(plain.debug.is_none());
    let mut input = super::harness::input(classes, None);
    input.debug = true;
    let cap = crate::convert::convert(&input).unwrap().cap;
    assert!(cap.header.is_2_2());
    let again = Cap::from_jar(&cap.to_jar().unwrap()).unwrap();
    assert_eq!(again, cap);
    let debug = again.debug_info().unwrap().unwrap();
    let class = &debug.classes[0];
    assert_eq!(
        (class.name.as_str(), class.source.as_str()),
        ("p/A", "A.java")
    );
    let fields: Vec<(&str, u32)> = (class.fields.iter())
        .map(|field| (field.name.as_str(), field.contents))
        .collect();
    assert_eq!(fields, [("b", 0), ("S", 0), ("C", 7)]);
    let method = class
        .methods
        .iter()
        .find(|method| method.name == "f")
        .unwrap();
    let lines: Vec<u16> = method.lines.iter().map(|line| line.line).collect();
    assert_eq!(lines, [6, 7, 8, 10]);
    assert_eq!(method.lines[3].end + 1, method.body_size);
    let names: Vec<(u8, &str)> = (method.variables.iter())
        .map(|variable| (variable.index, variable.name.as_str()))
        .collect();
    assert_eq!(names, [(0, "this"), (1, "a"), (2, "c")]);
    let place = debug.place(method.location, 0).unwrap();
    assert_eq!(place.to_string(), "p.A.f(A.java:6)");
    let text = crate::cap::disasm::disassemble(&cap, crate::api::packages());
    assert!(text.contains("p/A.f(S)S"), "{text}");
    assert!(text.contains(".line A.java 8"), "{text}");
    assert!(text.contains(".local 2 c S"), "{text}");
}
