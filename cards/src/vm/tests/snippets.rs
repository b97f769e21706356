//! Hand-assembled bytecode: instructions that the compiler rarely makes, and code that no verifier lets
//! through.

use super::harness::Host;
use crate::vm::code::{Class, Code, Handler, Method, MethodRef, Statics};
use crate::vm::lower::lower;
use crate::vm::*;
use proptest::prelude::*;
use std::sync::Arc;

const ID: PackageId = PackageId::FIRST_LOADED;

pub(super) fn card(code: &[u8], handlers: &[(usize, usize, usize)]) -> Result<Vm, String> {
    let entries: Vec<usize> = handlers.iter().map(|h| h.2).collect();
    let lowered = lower(code, &entries, true).map_err(|(at, reason)| format!("{at}: {reason}"))?;
    let handlers = handlers.iter().map(|(start, end, target)| Handler {
        start: lowered.index_from(*start),
        end: lowered.index_from(*end),
        target: lowered.index_at(*target).unwrap(),
        catch: None,
    });
    let method = Method {
        offset: 1,
        is_abstract: false,
        nargs: 0,
        max_stack: 8,
        max_locals: 4,
        handlers: handlers.collect(),
        source: lowered.source(3),
        code: lowered.code,
        switches: lowered.switches,
    };
    let mut vm = Vm::new(
        Limits {
            fuel: 5_000,
            ..Limits::default()
        },
        &[],
    );
    let code = Code {
        load_file: Arc::from([]),
        id: ID,
        aid: vec![0xF0; 5],
        major: 1,
        minor: 0,
        int: true,
        wanted: Vec::new(),
        imports: Vec::new(),
        bound: Vec::new(),
        pool: Vec::new(),
        classes: vec![Class::default()],
        methods: vec![method],
        statics: Statics::default(),
        applets: Vec::new(),
        exports: Vec::new(),
        size: 0,
    };
    vm.linked.insert(ID, Arc::new(code));
    Ok(vm)
}

pub(super) fn run(code: &[u8]) -> Outcome {
    run_with(&mut card(code, &[]).unwrap())
}

pub(super) fn run_with(vm: &mut Vm) -> Outcome {
    let target = MethodRef::Java {
        package: ID,
        method: 0,
    };
    let owner = Owner {
        context: Context::Package(ID),
        instance: None,
    };
    vm.run(
        &mut Thread::new(target, Vec::new(), owner),
        &mut Host::default(),
    )
}

pub(super) fn short(v: i16) -> Outcome {
    Outcome::Returned(Some(Value::Short(v)))
}

/// sspush a, sspush b, op, sreturn
fn binary(op: u8, a: i16, b: i16) -> Outcome {
    let [a1, a2] = a.to_be_bytes();
    let [b1, b2] = b.to_be_bytes();
    run(&[0x11, a1, a2, 0x11, b1, b2, op, 0x78])
}

#[test]
fn shifts_use_five_bits_of_the_distance() {
    assert_eq!(
        binary(0x51, -1, 15),
        short(-1),
        "sushr: the sign was extended to 32 bits before"
    );
    assert_eq!(binary(0x51, -1, 17), short(0x7FFF));
    assert_eq!(binary(0x51, -256, 4), short(-16));
    assert_eq!(binary(0x4F, -256, 4), short(-16));
    assert_eq!(binary(0x4F, 256, 36), short(16));
    assert_eq!(binary(0x4D, 1, 15), short(i16::MIN));
    assert_eq!(binary(0x4D, 1, 16), short(0));
    assert_eq!(binary(0x4D, 3, 33), short(6));
}

#[test]
fn division_wraps_and_refuses_zero() {
    assert_eq!(binary(0x47, i16::MIN, -1), short(i16::MIN));
    assert_eq!(binary(0x49, i16::MIN, -1), short(0));
    let exception = "java/lang/ArithmeticException".to_owned();
    assert_eq!(
        binary(0x49, 1, 0),
        Outcome::Uncaught {
            exception,
            reason: 0
        }
    );
}

#[test]
fn words_are_copied_and_swapped() {
    // 1 2 3, dup_x(1, 3): 3 1 2 3; sum of weighted digits by repeated 10 * x + y
    let fold = [0x10, 10, 0x45, 0x41];
    // 5 4: swap_x(1,1) gives 4 5, then 4*10 + 5 by: swap back the order with dup_x is checked below
    let swapped = [&[0x08, 0x07, 0x40, 0x11][..], &[0x43, 0x78]].concat();
    assert_eq!(run(&swapped), short(4 - 5));
    let dup = [
        &[0x04, 0x05, 0x06, 0x3F, 0x13][..],
        &fold,
        &fold,
        &fold,
        &[0x78],
    ]
    .concat();
    // ((2 + 10*3) * 10 + 1) * 10 + 3, each step taking the next word below
    let step = |below: i16, top: i16| below + 10 * top;
    assert_eq!(run(&dup), short(step(3, step(1, step(2, 3)))));
    assert_eq!(
        run(&[0x04, 0x05, 0x3E, 0x41, 0x41, 0x41, 0x78]),
        short(6),
        "dup2"
    );
    assert_eq!(
        run(&[0x04, 0x05, 0x06, 0x40, 0x21, 0x43, 0x43, 0x78]),
        short(2 - (3 - 1)),
        "swap_x 2 1"
    );
}

#[test]
fn subroutines_return_to_their_caller() {
    let code = [
        0x03, 0x30, // 0: sconst_0, sstore_1
        0x71, 0, 8, // 2: jsr 10
        0x71, 0, 5, // 5: jsr 10
        0x1D, 0x78, // 8: sload_1, sreturn
        0x2B, 0x59, 1, 5, 0x72, 0, // 10: astore_0, sinc 1 5, ret 0
    ];
    assert_eq!(run(&code), short(10));
}

#[test]
fn wide_forms_do_what_the_short_ones_do() {
    // sinc_w 1 by -300, goto_w over an sconst, ifeq_w not taken
    let code = [
        0x96, 1, 0xFE, 0xD4, 0xA8, 0, 5, 0x03, 0x78, 0x1D, 0x98, 0, 0xFD, 0x1D, 0x78,
    ];
    assert!(card(&code, &[]).is_err(), "a branch between instructions");
    let code = [
        0x03, 0x30, 0x96, 1, 0xFE, 0xD4, 0xA8, 0, 5, 0x03, 0x78, 0x1D, 0x98, 0, 5, 0x1D, 0x78,
        0x03, 0x78,
    ];
    assert_eq!(run(&code), short(-300));
}

#[test]
fn the_first_handler_that_covers_is_taken() {
    // 0: sconst_1 sconst_0 sdiv sreturn; 4: pop sconst_3 sreturn; 7: pop sconst_4 sreturn
    let code = [0x04, 0x03, 0x47, 0x78, 0x3B, 0x06, 0x78, 0x3B, 0x07, 0x78];
    assert_eq!(
        run_with(&mut card(&code, &[(0, 3, 4), (0, 4, 7)]).unwrap()),
        short(3)
    );
    assert_eq!(
        run_with(&mut card(&code, &[(0, 2, 4), (0, 3, 7)]).unwrap()),
        short(4)
    );
    let uncaught = run_with(&mut card(&code, &[(3, 4, 4)]).unwrap());
    assert!(matches!(uncaught, Outcome::Uncaught { .. }));
    // A handler that covers itself and throws again ends with the fuel.
    let code = [0x04, 0x03, 0x47, 0x78, 0x93];
    assert_eq!(
        run_with(&mut card(&code, &[(0, 5, 4)]).unwrap()),
        Outcome::OutOfFuel
    );
}

#[test]
fn type_confusion_is_stopped() {
    let trap = |code: &[u8]| assert!(matches!(run(code), Outcome::Trap(_)), "{code:02X?}");
    trap(&[0x11, 0x12, 0x34, 0x77]); // a number as the reference to return
    trap(&[0x01, 0x78]); // null as a number
    trap(&[0x41, 0x78]); // nothing on the stack
    trap(&[0x03, 0x2B, 0x7A]); // a number into a reference variable
    trap(&[0x2C, 0x7A]); // a variable from an empty stack
    trap(&[0x19, 0x77]); // a reference from a variable that holds a number
    trap(&[0x16, 9, 0x78]); // a variable outside the frame
    trap(&[0x71, 0, 3, 0x78]); // a return address as a number
    trap(&[0x72, 0]); // no return address
    trap(&[0x03, 0x03, 0x25, 0x78]); // a number as an array
    trap(&[0x7B, 0, 0, 0x77]); // a constant that isn't there
    trap(&[0x8D, 0, 0, 0x7A]);
    trap(&[0x8F, 0, 0, 0x77]);
    trap(&[0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x03, 0x7A]); // stack overflow
    // new byte[2], baload of a short array
    trap(&[0x05, 0x90, 12, 0x03, 0x25, 0x78]);
}

#[test]
fn a_trap_names_its_place() {
    let Outcome::Trap(trap) = run(&[0x00, 0x01, 0x78]) else {
        panic!("null as a number");
    };
    let at = Place {
        package: ID,
        method: 1,
        pc: 5,
    };
    assert_eq!(trap.at, Some(at));
    assert!(trap.breaks_type_safety());
    let text = trap.to_string();
    assert!(text.contains("expected short, found null"), "{text}");
    assert!(
        text.contains("method at 0x0001, instruction at 0x0005"),
        "{text}"
    );
}

#[test]
fn code_that_leads_nowhere_is_not_linked() {
    for code in [
        &[0x03][..],
        &[0x70, 10],
        &[0x70, 0x80],
        &[0xB9],
        &[0x73, 0, 0, 0, 5, 0, 1],
        &[],
    ] {
        assert!(card(code, &[]).is_err(), "{code:02X?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever the bytes: refused, or run to an end.
    #[test]
    fn any_code_ends(code in proptest::collection::vec(0u8..=0xB8, 1..40)) {
        if let Ok(mut vm) = card(&code, &[]) {
            run_with(&mut vm);
        }
    }

    /// Simple instructions in any order, so that much of it runs.
    #[test]
    fn any_simple_code_ends(mut code in proptest::collection::vec(
        prop_oneof![
            Just(vec![0x03]), Just(vec![0x01]), Just(vec![0x07]), Just(vec![0x3D]), Just(vec![0x3B]),
            Just(vec![0x41]), Just(vec![0x47]), Just(vec![0x2C]), Just(vec![0x30]), Just(vec![0x1D]),
            Just(vec![0x19]), Just(vec![0x90, 11]), Just(vec![0x92]), Just(vec![0x25]), Just(vec![0x38]),
            Just(vec![0x90, 12]), Just(vec![0x26]), Just(vec![0x39]), Just(vec![0x3F, 0x12]),
            Just(vec![0x40, 0x11]), Just(vec![0x94, 11, 0, 0]), Just(vec![0x95, 12, 0, 0]), Just(vec![0x93]),
        ],
        1..30,
    )) {
        code.push(vec![0x7A]);
        let mut vm = card(&code.concat(), &[]).unwrap();
        let outcome = run_with(&mut vm);
        prop_assert!(!matches!(outcome, Outcome::Suspended | Outcome::PowerCut));
    }
}

#[test]
fn what_was_never_stored_is_not_read() {
    let Outcome::Trap(trap) = run(&[0x1D, 0x78]) else {
        panic!("a variable without a value");
    };
    assert!(trap.to_string().contains("nothing was stored"), "{trap}");
}
