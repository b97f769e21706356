//! The type `int` (JCVM 2.2.3.1), in hand-assembled bytecode.

use super::harness::{Host, load_files};
use super::snippets::{card, run, run_with, short};
use crate::vm::code::Entry;
use crate::vm::lower::lower;
use crate::vm::state::Loaded;
use crate::vm::*;
use proptest::prelude::*;
use std::sync::Arc;

fn int(v: i32) -> Outcome {
    Outcome::Returned(Some(Value::Int(v)))
}

/// iipush v
fn push(v: i32) -> Vec<u8> {
    [&[0x14], &v.to_be_bytes()[..]].concat()
}

/// iipush a, iipush b, op, ireturn
fn binary(op: u8, a: i32, b: i32) -> Outcome {
    run(&[push(a), push(b), vec![op, 0x79]].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn arithmetic_wraps_as_java_does(a: i32, b: i32) {
        prop_assert_eq!(binary(0x42, a, b), int(a.wrapping_add(b)));
        prop_assert_eq!(binary(0x44, a, b), int(a.wrapping_sub(b)));
        prop_assert_eq!(binary(0x46, a, b), int(a.wrapping_mul(b)));
        if b != 0 {
            prop_assert_eq!(binary(0x48, a, b), int(a.wrapping_div(b)));
            prop_assert_eq!(binary(0x4A, a, b), int(a.wrapping_rem(b)));
        }
        prop_assert_eq!(binary(0x4E, a, b), int(a.wrapping_shl(b.cast_unsigned())));
        prop_assert_eq!(binary(0x50, a, b), int(a.wrapping_shr(b.cast_unsigned())));
        let unsigned = a.cast_unsigned().wrapping_shr(b.cast_unsigned());
        prop_assert_eq!(binary(0x52, a, b), int(unsigned.cast_signed()));
        prop_assert_eq!(binary(0x54, a, b), int(a & b));
        prop_assert_eq!(binary(0x56, a, b), int(a | b));
        prop_assert_eq!(binary(0x58, a, b), int(a ^ b));
        // icmp, sreturn
        let order = a.cmp(&b) as i16;
        prop_assert_eq!(run(&[push(a), push(b), vec![0x5F, 0x78]].concat()), short(order));
        // ineg; i2b, i2s, s2i
        prop_assert_eq!(run(&[push(a), vec![0x4C, 0x79]].concat()), int(a.wrapping_neg()));
        prop_assert_eq!(run(&[push(a), vec![0x5D, 0x78]].concat()), short((a as i8).into()));
        prop_assert_eq!(run(&[push(a), vec![0x5E, 0x78]].concat()), short(a as i16));
        prop_assert_eq!(run(&[push(a), vec![0x5E, 0x5C, 0x79]].concat()), int((a as i16).into()));
    }
}

#[test]
fn division_at_the_edges() {
    assert_eq!(binary(0x48, i32::MIN, -1), int(i32::MIN));
    assert_eq!(binary(0x4A, i32::MIN, -1), int(0));
    let exception = "java/lang/ArithmeticException".to_owned();
    let reason = 0;
    assert_eq!(binary(0x4A, 1, 0), Outcome::Uncaught { exception, reason });
}

#[test]
fn constants_and_variables() {
    assert_eq!(run(&[0x09, 0x79]), int(-1));
    assert_eq!(run(&[0x12, 0x80, 0x79]), int(-128));
    assert_eq!(run(&[0x13, 0x80, 0, 0x79]), int(-32768));
    // iconst_5, istore_0, sipush 300, istore 2, iinc 0 -7, iinc_w 2 1000, iload_0, iload 2, iadd
    let code = [
        0x0F, 0x33, 0x13, 1, 44, 0x2A, 2, 0x5A, 0, 0xF9, 0x97, 2, 3, 0xE8, 0x20, 0x17, 2, 0x42,
        0x79,
    ];
    assert_eq!(run(&code), int(5 - 7 + 300 + 1000));
}

#[test]
fn words_of_an_int_move_together() {
    // 1 2 as ints: swap_x 2 2, isub
    assert_eq!(run(&[0x0B, 0x0C, 0x40, 0x22, 0x44, 0x79]), int(2 - 1));
    // dup2, iadd
    assert_eq!(run(&[0x0E, 0x3E, 0x42, 0x79]), int(8));
    // 1 2: dup_x 2 4: 2 1 2; isub, isub: 2 - (1 - 2)
    assert_eq!(run(&[0x0B, 0x0C, 0x3F, 0x24, 0x44, 0x44, 0x79]), int(3));
    // 7s 1i: swap_x 2 1: 1i 7s; pop, ireturn
    assert_eq!(run(&[0x08, 0x0B, 0x40, 0x21, 0x3B, 0x79]), int(1));
    assert_eq!(run(&[0x0B, 0x0C, 0x3C, 0x79]), int(1), "pop2");
}

#[test]
fn halves_of_an_int_are_no_words() {
    let trap = |code: &[u8]| {
        let outcome = run(code);
        let Outcome::Trap(trap) = &outcome else {
            panic!("{code:02X?}: {outcome:?}");
        };
        assert!(trap.breaks_type_safety(), "{trap}");
    };
    trap(&[0x0B, 0x3B, 0x7A]); // pop of half an int
    trap(&[0x0B, 0x78]); // half an int as a short
    trap(&[0x0B, 0x3D, 0x7A]); // dup of half an int
    trap(&[0x03, 0x04, 0x79]); // two shorts as an int
    trap(&[0x0B, 0x03, 0x3C, 0x7A]); // pop2 of a short and half an int
    trap(&[0x0B, 0x03, 0x40, 0x11, 0x7A]); // swap of a short and half an int
    // iconst_1 istore_0, iconst_2 istore_1 (over its second cell), iload_0
    trap(&[0x0B, 0x33, 0x0C, 0x34, 0x20, 0x79]);
    trap(&[0x0B, 0x36, 0x7A]); // the last variable has no second cell
    trap(&[0x20, 0x79]); // nothing was stored
}

#[test]
fn switches_on_int() {
    // itableswitch at 5: default +30, 100000..=100001
    let key = |v: i32| {
        let mut code = push(v);
        code.extend([0x74, 0, 19]);
        code.extend(100_000i32.to_be_bytes());
        code.extend(100_001i32.to_be_bytes());
        code.extend([0, 15, 0, 17]);
        code.extend([0x04, 0x78, 0x05, 0x78, 0x06, 0x78]);
        run(&code)
    };
    assert_eq!(key(100_000), short(1));
    assert_eq!(key(100_001), short(2));
    assert_eq!(key(100_002), short(3));
    assert_eq!(key(i32::MIN), short(3));
    let key = |v: i32| {
        let mut code = push(v);
        code.extend([0x76, 0, 21, 0, 2]);
        code.extend((-70_000i32).to_be_bytes());
        code.extend([0, 17]);
        code.extend(i32::MAX.to_be_bytes());
        code.extend([0, 19]);
        code.extend([0x04, 0x78, 0x05, 0x78, 0x06, 0x78]);
        run(&code)
    };
    assert_eq!(key(-70_000), short(1));
    assert_eq!(key(i32::MAX), short(2));
    assert_eq!(key(0), short(3));
}

#[test]
fn arrays_of_int() {
    // sconst_3 newarray 13 checkcast 13 astore_0; aload_0 sconst_1 iipush iastore; aload_0 sconst_1 iaload
    let code = [
        &[0x06, 0x90, 13, 0x94, 13, 0, 0, 0x2B, 0x18, 0x04][..],
        &push(0x1234_5678),
        &[0x3A, 0x18, 0x04, 0x27, 0x79],
    ]
    .concat();
    assert_eq!(run(&code), int(0x1234_5678));
    // instanceof short[]
    assert_eq!(run(&[0x06, 0x90, 13, 0x95, 12, 0, 0, 0x78]), short(0));
    // iaload of an array of short
    let outcome = run(&[0x06, 0x90, 12, 0x03, 0x27, 0x79]);
    assert!(matches!(outcome, Outcome::Trap(_)));
    // iaload outside
    let outcome = run(&[0x06, 0x90, 13, 0x06, 0x27, 0x79]);
    let exception = "java/lang/ArrayIndexOutOfBoundsException".to_owned();
    let reason = 0;
    assert_eq!(outcome, Outcome::Uncaught { exception, reason });
    let mut vm = card(&[0x06, 0x90, 13, 0x77], &[]).unwrap();
    assert!(matches!(run_with(&mut vm), Outcome::Returned(_)));
    assert_eq!(vm.memory().persistent, OBJECT_BYTES + 12);
}

#[test]
fn fields_of_int() {
    let value = 0x1234_5678;
    let code = [
        // new, astore_0; aload_0, iipush, putfield_i; aload_0, getfield_i
        &[0x8F, 0, 0, 0x2B, 0x18][..],
        &push(value),
        &[0x8A, 1, 0x18, 0x86, 1],
        // iipush, iadd, putstatic_i, getstatic_i, ireturn
        &push(-5),
        &[0x42, 0x82, 0, 2, 0x7E, 0, 2, 0x79],
    ]
    .concat();
    let mut vm = card(&code, &[]).unwrap();
    let package = PackageId::FIRST_LOADED;
    let class = ClassRef { package, class: 0 };
    let mut code = (**vm.code(package).unwrap()).clone();
    code.classes[0].cells = 3;
    let (cell, offset, kind) = (1, 0, None);
    code.pool = vec![
        Entry::Class(class),
        Entry::Field { class, cell, kind },
        Entry::Static { package, offset },
    ];
    vm.linked.insert(package, Arc::new(code));
    let loaded = Loaded {
        load_file: Arc::from([]),
        // The class has no constructor, which a defensive frame would ask for.
        verified: true,
        static_refs: Vec::new(),
        static_data: vec![0; 4],
    };
    vm.s.packages.insert(package, loaded);
    assert_eq!(run_with(&mut vm), int(value - 5));
    vm.set_verified(package, false);
    let Outcome::Trap(trap) = run_with(&mut vm) else {
        panic!("an object that no constructor has run on");
    };
    assert!(trap.to_string().contains("initialised"), "{trap}");
}

#[test]
fn a_card_without_int_refuses_the_package() {
    let (server, _) = load_files();
    let mut server = server.clone();
    // Header component: tag, size (2), magic (4), minor, major, flags.
    server[9] |= applet_gen::cap::header::ACC_INT;
    let limits = |int| Limits {
        int,
        ..Limits::default()
    };
    let mut vm = Vm::new(limits(false), &[]);
    let refused = vm.load(&server, &mut Host::default()).unwrap_err();
    assert!(refused.to_string().contains("ACC_INT"), "{refused}");
    assert!(vm.packages().is_empty());
    // int instructions in a package that doesn't announce them.
    assert!(lower(&[0x09, 0x7A], &[], false).is_err());
    assert!(lower(&[0x09, 0x7A], &[], true).is_ok());
    // The same file on a card that has it, and its code is not taken for the other card's.
    let mut other = Vm::new(limits(true), &[]);
    other.load(&server, &mut Host::default()).unwrap();
    assert!(vm.load(&server, &mut Host::default()).is_err());
}
