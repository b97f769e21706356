//! Budgets of CAPs whose depth and memory can be counted by hand.

use proptest::prelude::*;

use super::*;
use crate::api::{self, packages};
use crate::cap::opcode::code::*;
use crate::cap::{Constant, MethodComponent, MethodHeader, StaticRef, sample};

const COSTS: Costs = Costs {
    frame: 10,
    object: 8,
};

/// The sample with these static methods instead of its own; the first is `install`. A call of method
/// n is `INVOKESTATIC, 0, n`, one of `JCSystem.makeTransientByteArray` names the constant after them.
fn assembled(methods: &[(MethodHeader, &[u8])]) -> Cap {
    let mut component = MethodComponent::default();
    let offsets: Vec<u16> = methods
        .iter()
        .map(|(header, code)| component.push(*header, code).unwrap())
        .collect();
    let own = offsets
        .iter()
        .map(|at| Constant::StaticMethod(StaticRef::Internal(*at)));
    let mut constants: Vec<Constant> = own.collect();
    let framework = api::find_by_name("javacard/framework").unwrap();
    let system = framework
        .class_named("javacard/framework/JCSystem")
        .unwrap();
    let make = system
        .methods
        .iter()
        .find(|m| m.name == "makeTransientByteArray");
    constants.push(Constant::StaticMethod(StaticRef::External {
        package: 0,
        class: system.token,
        token: make.unwrap().token,
    }));
    let mut cap = sample::cap();
    cap.class.classes.clear();
    cap.applets[0].install_method_offset = offsets[0];
    cap.constant_pool = constants;
    cap.method = component;
    cap.descriptor = None;
    cap
}

fn of(cap: &Cap) -> Budget {
    budget(cap, packages(), COSTS).unwrap()
}

/// stack, args, locals
fn header(stack: u8, args: u8, locals: u8) -> MethodHeader {
    MethodHeader::new(stack, args, locals)
}

#[test]
fn the_deepest_path_overlaps_arguments_and_counts_what_callers_hold() {
    let cap = assembled(&[
        // Holds two words under the argument of method 1; calls method 2 with an empty stack.
        (
            header(3, 3, 1),
            &[
                SCONST_1,
                SCONST_2,
                SCONST_3,
                INVOKESTATIC,
                0,
                1,
                POP2,
                INVOKESTATIC,
                0,
                2,
                RETURN,
            ],
        ),
        (header(1, 1, 2), &[RETURN]),
        (header(5, 0, 0), &[RETURN]),
    ]);
    let budget = of(&cap);
    let install = &budget.entry_points[0];
    assert_eq!(budget.entry_points.len(), 1);
    // install: 4 locals + 2 held; method 1: 1 + 2 locals + 1 stack. Method 2: 4 + 0 and 5.
    assert_eq!(install.stack, 10 + 2 * (4 + 2) + 10 + 2 * 4);
    let bytes: Vec<u32> = install.path.iter().map(|f| f.bytes).collect();
    assert_eq!(bytes, [22, 18]);
    assert!(!install.recursive && !install.leaves_package);
}

#[test]
fn recursion_is_found_and_said() {
    let cap = assembled(&[
        (header(0, 3, 0), &[INVOKESTATIC, 0, 1, RETURN]),
        (header(0, 0, 0), &[INVOKESTATIC, 0, 2, RETURN]),
        (header(0, 0, 0), &[INVOKESTATIC, 0, 1, RETURN]),
    ]);
    let budget = of(&cap);
    assert!(budget.entry_points[0].recursive);
    assert_eq!(budget.recursion.len(), 1);
    assert_eq!(budget.recursion[0].len(), 2);
    assert!(budget.to_string().contains("no bound for the stack"));
}

#[test]
fn constants_reach_allocations_through_locals_arithmetic_and_parameters() {
    let cap = assembled(&[
        (
            header(2, 3, 1),
            &[
                // byte[200 + 50], transient byte[100] twice by method 1
                SSPUSH,
                0,
                200,
                SSTORE_3,
                SLOAD_3,
                BSPUSH,
                50,
                SADD,
                NEWARRAY,
                11,
                POP, //
                BSPUSH,
                100,
                INVOKESTATIC,
                0,
                1,
                BSPUSH,
                100,
                INVOKESTATIC,
                0,
                1,
                RETURN,
            ],
        ),
        (
            header(2, 1, 0),
            &[SLOAD_0, SCONST_1, INVOKESTATIC, 0, 2, POP, RETURN],
        ),
    ]);
    let budget = of(&cap);
    let expected = Memory {
        persistent: 250 + 8 + 2 * 8,
        reset: 200,
        ..Memory::default()
    };
    assert_eq!(budget.instances[0].memory, expected);
    assert_eq!(budget.allocations[1].install, Times::AtMost(2));
    assert!(!budget.grows());
    let text = budget.to_string();
    assert!(
        text.contains("byte[250] (persistent) in install at"),
        "{text}"
    );
    assert!(text.contains("byte[100] (until reset)"), "{text}");
}

#[test]
fn what_no_constant_reaches_is_unknown_with_its_place() {
    let cap = assembled(&[(
        header(2, 3, 0),
        // The length is the parameter; then an array in a loop.
        &[
            SLOAD_1, NEWARRAY, 12, POP, SCONST_4, NEWARRAY, 11, POP, SLOAD_2, IFEQ, 0xFB, RETURN,
        ],
    )]);
    let budget = of(&cap);
    assert_eq!(budget.instances[0].memory.unknown, 2);
    assert_eq!(budget.allocations[0].what, "short[?]");
    assert_eq!(budget.allocations[0].persistent, None);
    assert_eq!(budget.allocations[1].install, Times::Repeated);
    let text = budget.to_string();
    assert!(
        text.contains("? bytes  short[?] (persistent) in install at 0x0004"),
        "{text}"
    );
}

#[test]
fn the_sample_has_its_entry_points_and_overridden_methods() {
    let budget = of(&sample::cap());
    let entry = |name: &str| {
        let mut entries = budget.entry_points.iter();
        entries.find(|entry| entry.method == name).unwrap()
    };
    let install = entry("class_0003.install");
    assert_eq!(install.kind, EntryKind::Install);
    // install holds the object; <init> has `this` as argument.
    assert_eq!(install.stack, 10 + 2 * (3 + 1) + 10 + 2 * (1 + 2));
    assert_eq!(entry("class_0003.process").kind, EntryKind::Applet);
    assert_eq!(budget.instances[0].memory.persistent, 8 + 2);
    assert!(budget.unreachable.is_empty() && budget.unfollowed.is_empty());
    assert_eq!((budget.static_image, budget.static_arrays), (4, 4 + 8));
}

#[test]
fn code_that_nothing_reaches_or_follows_is_named() {
    let cap = assembled(&[(header(1, 3, 0), &[POP, RETURN])]);
    let budget = of(&cap);
    assert_eq!(
        budget.unfollowed,
        ["install: pop at 0x0003: expected 1 words on the stack"]
    );
    assert_eq!(budget.stack(), 10 + 2 * 4, "its own frame counts");
    let mut cap = sample::cap();
    cap.class.classes[0].public_methods.clear();
    assert_eq!(of(&cap).unreachable[0].bytes, 2 + 14);
}

#[test]
fn a_card_that_is_too_small_is_told_what_takes_most() {
    let cap = assembled(&[(
        header(3, 3, 0),
        // Two transient arrays and a persistent one.
        &[
            BSPUSH,
            40,
            SCONST_1,
            INVOKESTATIC,
            0,
            1,
            POP,
            BSPUSH,
            60,
            SCONST_2,
            INVOKESTATIC,
            0,
            1,
            POP,
            BSPUSH,
            99,
            NEWARRAY,
            11,
            POP,
            RETURN,
        ],
    )]);
    let budget = of(&cap);
    let enough = Limits {
        persistent: Some(500 + 12 + 99 + 3 * 8),
        reset: Some(40),
        deselect: Some(60),
        stack: Some(10 + 2 * 6),
    };
    assert_eq!(budget.shortages(500, &enough), []);
    assert_eq!(budget.shortages(500, &Limits::default()), []);
    let less = |n: Option<u64>| n.map(|n| n - 1);
    let small = Limits {
        persistent: less(enough.persistent),
        reset: less(enough.reset),
        deselect: less(enough.deselect),
        stack: less(enough.stack),
    };
    let found = budget.shortages(500, &small);
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "persistent memory: 635 bytes are needed, 634 are there (largest: byte[99] in install \
             107; code of install 22; byte[40] in install 8)",
            "transient memory, cleared at reset: 40 bytes are needed, 39 are there (largest: \
             byte[40] in install 40)",
            "transient memory, cleared at deselection: 60 bytes are needed, 59 are there (largest: \
             byte[60] in install 60)",
            "stack: 22 bytes are needed, 21 are there (largest: install 22)",
        ]
    );
}

proptest! {
    #[test]
    fn altered_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
    ) {
        let mut bytes = sample::cap().load_file(true).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(cap) = Cap::from_load_file(&bytes)
            && let Ok(budget) = budget(&cap, packages(), COSTS)
        {
            let _ = budget.to_string();
        }
    }
}
