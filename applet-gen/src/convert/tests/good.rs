//! What must convert, and to what.

use std::collections::{BTreeMap, BTreeSet};

use super::harness::{classes, classes_of, converted};
use crate::cap::{Cap, ComponentTag, decode};

fn good(result: Result<crate::convert::Converted, Vec<crate::convert::ConvertError>>) -> Cap {
    let cap = match result {
        Ok(converted) => converted.cap,
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
fn listing(cap: &Cap, index: usize) -> Vec<String> {
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
        "sstore_2",
        "sinc LocalS1(2, 1)",
    ];
    let listing = listing(&cap, 1);
    assert_eq!(listing[..4], names[..4]);
}
