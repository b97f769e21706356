//! Code that handles values of the wrong type is refused, by name; code that doesn't passes.

use crate::api::packages;
use crate::cap::header::ACC_INT;
use crate::cap::mutate::splice;
use crate::cap::opcode::code::*;
use crate::cap::verify::verify;
use crate::cap::{Cap, MethodHeader, sample};

/// Findings about the sample with this code as `process(APDU)`: `this` in local 0, the APDU in 1,
/// room in 2 and 3, six words of stack.
fn findings(code: &[u8], change: impl FnOnce(&mut Cap)) -> Vec<String> {
    let cap = sample::cap();
    let method = cap.methods().unwrap()[2].clone();
    let whole = [code, &[POP, RETURN]].concat();
    let mut cap = splice(&cap, &method, 0, method.code.len(), &whole).unwrap();
    let begin = usize::from(method.offset) - cap.method.base();
    let header = MethodHeader::new(6, 2, 2).to_bytes();
    cap.method.methods[begin..begin + 2].copy_from_slice(&header);
    // The sample's handler: of all of the code, at the end of it.
    let length = u16::try_from(code.len()).unwrap();
    cap.method.handlers[0].length = length;
    cap.method.handlers[0].handler = method.code_offset + length;
    change(&mut cap);
    cap.directory = cap.compute_directory().unwrap();
    let verdict = verify(&cap, packages());
    verdict.findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn refused(code: &[u8], expected: &str) {
    let found = findings(code, |_| {});
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "{expected}: {found:#?}"
    );
    assert!(found[0].starts_with("Method, method at "), "{found:?}");
}

#[track_caller]
fn passes(code: &[u8]) {
    assert_eq!(findings(code, |_| {}), [""; 0]);
}

#[test]
fn numbers_are_no_references_and_references_no_numbers() {
    passes(&[ALOAD_0, GETFIELD_B, 4, POP, RETURN]);
    refused(
        &[SCONST_1, GETFIELD_B, 4, POP, RETURN],
        "(process of class at 0x0003), getfield_b at 0x0024: expected class at 0x0003, found short",
    );
    refused(
        &[SCONST_1, ATHROW],
        "expected <java.lang.Throwable>, found short",
    );
    refused(
        &[ALOAD_0, SSTORE_2, RETURN],
        "expected short, found class at 0x0003",
    );
    refused(
        &[
            ALOAD_0, SCONST_1, PUTFIELD_B, 4, ALOAD_0, ALOAD_1, PUTFIELD_B, 4, RETURN,
        ],
        "expected byte, found javacard.framework.APDU",
    );
    refused(
        &[ALOAD_0, INVOKESTATIC, 0, 6, RETURN],
        "expected short as argument 1, found class at 0x0003",
    );
    refused(&[ALOAD_0, SNEG, POP, RETURN], "expected short, found class");
    refused(
        &[SCONST_1, IFNULL, 2, RETURN],
        "expected a reference, found short",
    );
    refused(&[SCONST_1, SRETURN], "whose result is void, found sreturn");
}

#[test]
fn objects_are_of_their_class() {
    refused(
        &[ALOAD_1, GETFIELD_B, 4, POP, RETURN],
        "expected class at 0x0003, found javacard.framework.APDU",
    );
    passes(&[ALOAD_1, CHECKCAST, 0, 0, 0, GETFIELD_B, 4, POP, RETURN]);
    refused(
        &[ALOAD_1, CHECKCAST, 11, 0, 0, GETFIELD_B, 4, POP, RETURN],
        "expected class at 0x0003, found byte[]",
    );
    refused(
        &[ALOAD_1, INVOKEVIRTUAL, 0, 3, RETURN],
        "expected class at 0x0003 to call the method of, found javacard.framework.APDU",
    );
    refused(
        &[ALOAD_0, ATHROW],
        "expected <java.lang.Throwable>, found class at 0x0003",
    );
}

#[test]
fn variables_are_set_before_they_are_read() {
    refused(
        &[SLOAD_2, POP, RETURN],
        "expected short, found nothing usable in local 2",
    );
    refused(
        &[ACONST_NULL, ASTORE_2, SINC, 2, 1, RETURN],
        "expected short, found null in local 2",
    );
    // Set on one way only.
    refused(
        &[
            GETSTATIC_S,
            0,
            5,
            IFEQ,
            4,
            SCONST_1,
            SSTORE_2,
            SLOAD_2,
            POP,
            RETURN,
        ],
        "expected short, found nothing usable in local 2",
    );
    // A reference on one way, a number on the other.
    refused(
        &[
            SCONST_1,
            SSTORE_2,
            GETSTATIC_S,
            0,
            5,
            IFEQ,
            4,
            ALOAD_0,
            ASTORE_2,
            SLOAD_2,
            POP,
            RETURN,
        ],
        "expected short, found nothing usable in local 2",
    );
}

#[test]
fn ways_that_meet_agree_about_the_stack() {
    refused(
        &[GETSTATIC_S, 0, 5, IFEQ, 3, SCONST_1, RETURN],
        "expected the same stack depth on every way",
    );
    refused(
        &[
            GETSTATIC_S,
            0,
            5,
            IFEQ,
            5,
            ALOAD_0,
            GOTO,
            3,
            SCONST_1,
            POP,
            RETURN,
        ],
        "on the stack on every way, found",
    );
    // An applet and an APDU are objects, and no more than that.
    passes(&[
        GETSTATIC_S,
        0,
        5,
        IFEQ,
        5,
        ALOAD_0,
        GOTO,
        3,
        ALOAD_1,
        POP,
        RETURN,
    ]);
    refused(
        &[
            GETSTATIC_S,
            0,
            5,
            IFEQ,
            5,
            ALOAD_0,
            GOTO,
            3,
            ALOAD_1,
            GETFIELD_B,
            4,
            POP,
            RETURN,
        ],
        "expected class at 0x0003, found java.lang.Object",
    );
    refused(&[DUP, RETURN], "expected 1 words on the stack, found 0");
    refused(
        &[SCONST_1, DUP_X, 0x12, RETURN],
        "expected 2 words on the stack, found 1",
    );
    refused(
        &[SCONST_1, DUP_X, 0x10, DUP2, DUP2, DUP2, RETURN],
        "expected at most 6 words on the stack (max_stack), found 8",
    );
}

#[test]
fn arrays_have_elements_of_one_type() {
    let at_zero = |kind, load| [SCONST_1, NEWARRAY, kind, SCONST_0, load, POP, RETURN];
    passes(&at_zero(10, BALOAD));
    passes(&at_zero(11, BALOAD));
    passes(&at_zero(12, SALOAD));
    refused(&at_zero(11, SALOAD), "expected short[], found byte[]");
    refused(
        &at_zero(11, AALOAD),
        "expected an array of references, found byte[]",
    );
    refused(
        &[ALOAD_0, ARRAYLENGTH, POP, RETURN],
        "expected an array, found class at",
    );
    let element = |class| {
        [
            SCONST_1, ANEWARRAY, 0, class, SCONST_0, AALOAD, GETFIELD_B, 4, POP, RETURN,
        ]
    };
    passes(&element(0));
    refused(
        &element(7),
        "expected class at 0x0003, found javacard.framework.CardRuntimeException",
    );
    refused(
        &[
            SCONST_1, ANEWARRAY, 0, 0, SCONST_0, SCONST_1, AASTORE, RETURN,
        ],
        "expected a reference, found short",
    );
}

#[test]
fn objects_go_through_one_constructor_of_their_class() {
    passes(&[
        NEW,
        0,
        0,
        DUP,
        INVOKESPECIAL,
        0,
        2,
        INVOKEVIRTUAL,
        0,
        3,
        RETURN,
    ]);
    refused(
        &[NEW, 0, 0, INVOKEVIRTUAL, 0, 3, RETURN],
        "found the object without constructor of new at 0x0000",
    );
    refused(
        &[NEW, 0, 0, DUP, INVOKESPECIAL, 0, 1, POP, RETURN],
        "expected a public constructor for new, found a protected one of javacard.framework.Applet",
    );
    refused(
        &[NEW, 0, 7, INVOKESPECIAL, 0, 2, RETURN],
        "an object without constructor of class at 0x0003, found one of javacard.framework.Card",
    );
    refused(
        &[ALOAD_0, INVOKESPECIAL, 0, 2, RETURN],
        "expected an object without constructor, found class at 0x0003",
    );
    // Another round of a loop makes another object.
    refused(
        &[
            ACONST_NULL,
            ASTORE_2,
            NEW,
            0,
            0,
            ASTORE_2,
            GETSTATIC_S,
            0,
            5,
            IFNE,
            0xF9,
            ALOAD_2,
            INVOKESPECIAL,
            0,
            2,
            ALOAD_2,
            ASTORE_3,
            NEW,
            0,
            0,
            ALOAD_3,
            INVOKEVIRTUAL,
            0,
            2,
            RETURN,
        ],
        "CONSTANT_VirtualMethodref",
    );
    let constructor = |change: fn(&mut Cap)| {
        let mut cap = sample::cap();
        change(&mut cap);
        verify(&cap, packages())
            .findings
            .first()
            .map(ToString::to_string)
    };
    let found = constructor(|cap| {
        // aload_0, invokespecial: the call of the superclass's constructor is jumped over.
        cap.method.methods[2..6].copy_from_slice(&[GOTO, 4, 0, 1]);
    });
    assert!(found.is_some());
    let found = constructor(|cap| cap.method.methods[2] = RETURN);
    let expected = "return at 0x000b: expected a call of another constructor on every way";
    assert!(
        found.as_ref().is_some_and(|text| text.contains(expected)),
        "{found:?}"
    );
}

#[test]
fn calls_are_of_their_kind() {
    refused(
        &[ALOAD_0, INVOKESTATIC, 0, 2, RETURN],
        "expected a static method, found a private constructor of class at 0x0003",
    );
    refused(
        &[SCONST_1, INVOKESPECIAL, 0, 6, RETURN],
        "expected a constructor or a private method that is not static, found a public static",
    );
}

#[test]
fn subroutines_return_to_where_they_were_called() {
    passes(&[JSR, 0, 4, RETURN, ASTORE_2, RET, 2]);
    // Local 3 is a number the first time and a reference the second.
    passes(&[
        SCONST_0, SSTORE_3, JSR, 0, 10, ALOAD_0, ASTORE_3, JSR, 0, 5, ALOAD_3, RETURN, ASTORE_2,
        RET, 2,
    ]);
    refused(
        &[JSR, 0, 4, RETURN, ASTORE_2, JSR, 0xFF, 0xFF, RET, 2],
        "expected a subroutine that is not active, found recursion",
    );
    refused(
        &[ALOAD_0, ASTORE_2, RET, 2],
        "expected the return address of an active subroutine in local 2, found class at 0x0003",
    );
    refused(
        &[JSR, 0, 4, RETURN, ASTORE_2, ALOAD_2, POP, RET, 2],
        "expected a reference, found the return address of jsr at 0x0000 in local 2",
    );
    // A return address that was used is used again.
    refused(
        &[JSR, 0, 5, RET, 2, ASTORE_2, RET, 2],
        "expected the return address of an active subroutine in local 2",
    );
}

#[test]
fn ints_are_not_split() {
    let int = |code: &[u8]| findings(code, |cap| cap.header.flags |= ACC_INT);
    assert_eq!(int(&[ICONST_1, POP2, RETURN]), [""; 0]);
    assert_eq!(
        int(&[ICONST_1, ISTORE_2, ILOAD_2, I2S, POP, RETURN]),
        [""; 0]
    );
    assert_eq!(
        int(&[
            ICONST_1, DUP2, IADD, SCONST_1, SWAP_X, 0x12, POP2, POP, RETURN
        ]),
        [""; 0]
    );
    let refused = |code: &[u8], expected: &str| {
        let found = int(code);
        assert!(
            found.len() == 1 && found[0].contains(expected),
            "{found:#?}"
        );
    };
    refused(
        &[ICONST_1, POP, RETURN],
        "expected whole ints, found half of one",
    );
    refused(
        &[ICONST_1, SCONST_1, SWAP_X, 0x11, RETURN],
        "expected whole ints, found half of one",
    );
    refused(
        &[SCONST_1, SCONST_1, INEG, RETURN],
        "expected int, found short",
    );
    refused(
        &[ICONST_1, ISTORE_2, SCONST_1, SSTORE_3, ILOAD_2, RETURN],
        "expected int, found nothing usable in local 2",
    );
}

#[test]
fn protected_members_of_other_packages_are_used_on_objects_of_the_class() {
    // Applet.register() on an object that is known to be an applet and no more.
    let found = findings(
        &[ALOAD_1, CHECKCAST, 0, 0, 8, INVOKEVIRTUAL, 0, 9, RETURN],
        |cap| {
            let applet = crate::cap::ClassRef::External {
                package: 0,
                class: 3,
            };
            cap.constant_pool.push(crate::cap::Constant::Class(applet));
            let register = crate::cap::Constant::VirtualMethod {
                class: applet,
                token: 1,
            };
            cap.constant_pool.push(register);
            let descriptor = cap.descriptor.as_mut().unwrap();
            let types = [0xFFFF, descriptor.constant_pool_types[3]];
            descriptor.constant_pool_types.extend(types);
            let shift = |offset: &mut u16| *offset += if *offset == 0xFFFF { 0 } else { 4 };
            descriptor.constant_pool_types.iter_mut().for_each(shift);
            for class in &mut descriptor.classes {
                class
                    .methods
                    .iter_mut()
                    .for_each(|method| shift(&mut method.type_offset));
                let fields = class.fields.iter_mut().filter(|field| field.kind < 0x8000);
                fields.for_each(|field| shift(&mut field.kind));
            }
            descriptor.layout().unwrap();
        },
    );
    let expected = "expected class at 0x0003, for a protected member of javacard.framework.Applet";
    assert!(
        found.len() == 1 && found[0].contains(expected),
        "{found:#?}"
    );
}
