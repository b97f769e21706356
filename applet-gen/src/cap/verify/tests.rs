//! Each check finds what it is for, and what is right passes.

use std::path::Path;

use proptest::prelude::*;

use super::verify;
use crate::api::{self, packages};
use crate::cap::class::ACC_SHAREABLE;
use crate::cap::opcode::code as op;
use crate::cap::{Cap, ClassRef, Constant, MethodHeader, StaticRef, sample};
use crate::convert::{ConvertInput, convert};
use crate::javac::Javac;

/// Offset of the first method of the sample: its constructor.
const INIT: usize = 9;

fn findings(change: impl FnOnce(&mut Cap)) -> Vec<String> {
    let mut cap = sample::cap();
    change(&mut cap);
    let verdict = verify(&cap, packages());
    verdict.findings.iter().map(ToString::to_string).collect()
}

#[track_caller]
fn one(change: impl FnOnce(&mut Cap), expected: &str) {
    assert_eq!(findings(change), [expected]);
}

#[track_caller]
fn among(change: impl FnOnce(&mut Cap), expected: &str) {
    let found = findings(change);
    assert!(
        found.iter().any(|line| line.contains(expected)),
        "{found:#?}"
    );
}

/// Sets a byte of the Method component's info.
fn poke(cap: &mut Cap, at: usize, byte: u8) {
    cap.method.methods[at - INIT] = byte;
}

#[test]
fn the_sample_passes_with_and_without_descriptor() {
    let cap = sample::cap();
    let verdict = verify(&cap, packages());
    assert_eq!(verdict.findings, []);
    assert!(verdict.unchecked.is_empty());
    let bare = Cap::from_load_file(&cap.load_file(false).unwrap()).unwrap();
    let verdict = verify(&bare, packages());
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.unchecked.len(), 1);
}

#[test]
fn sizes_flags_and_versions() {
    one(
        |cap| cap.directory.sizes[6] -= 1,
        "Directory at 0x000c: expected 49 bytes of Method, found 48",
    );
    one(
        |cap| cap.header.flags = 2,
        "Header at 0x0006: expected ACC_APPLET set (with an Applet component), found not set",
    );
    one(
        |cap| cap.imports[0].minor = 6,
        "Import package 0: expected javacard/framework 1.0 to 1.5, found 1.6",
    );
    one(
        |cap| cap.imports[1].major = 2,
        "Import package 1: expected java/lang 1.0 to 1.0, found 2.0",
    );
    among(
        |cap| cap.imports[1].aid[6] = 9,
        "Import package 1: expected a package that the card has, found A0000000620009 1.0",
    );
    among(
        |cap| cap.static_field.image_size = 5,
        "expected image_size 4, the sum of its parts",
    );
    among(
        |cap| cap.applets[0].aid[0] = 0xA0,
        "an AID with the package's RID F049504165",
    );
}

#[test]
fn references_that_lead_nowhere() {
    one(
        |cap| cap.applets[0].install_method_offset = 21,
        "Applet applet 0: expected an install method, found no method at 0x0015",
    );
    one(
        |cap| cap.applets[0].install_method_offset = 9,
        "Applet applet 0: expected public static void install(byte[], short, byte), found the \
         method at 0x0009 with nargs 1",
    );
    one(
        |cap| cap.constant_pool[2] = Constant::StaticMethod(StaticRef::Internal(10)),
        "ConstantPool constant 2: expected CONSTANT_StaticMethodref of a method, found no method \
         at 0x000a",
    );
    one(
        |cap| {
            cap.constant_pool[6] = Constant::StaticMethod(StaticRef::External {
                package: 0,
                class: 7,
                token: 2,
            });
        },
        "ConstantPool constant 6: expected CONSTANT_StaticMethodref of an imported static method \
         or constructor, found token 2",
    );
    one(
        |cap| {
            cap.constant_pool[3] = Constant::VirtualMethod {
                class: ClassRef::Internal(3),
                token: 8,
            };
        },
        "ConstantPool constant 3: expected CONSTANT_VirtualMethodref of a virtual method, found \
         no token 8 in class at 0x0003",
    );
    among(
        |cap| {
            cap.class.classes[0].super_class = Some(ClassRef::External {
                package: 0,
                class: 0,
            })
        },
        "Class at 0x0003: expected a superclass, found interface package 0 class 0",
    );
    among(
        |cap| cap.class.classes[0].public_methods[0] = 10,
        "a method in the public table at 0",
    );
    among(
        |cap| cap.export.as_mut().unwrap().classes[0].class_offset = 1,
        "Export: expected a class for token 0, found no class at 0x0001",
    );
}

#[test]
fn code() {
    // In `init`: aload_0, invokespecial 1, aload_0, sconst_5, putfield_b 4, return.
    let code = INIT + 2;
    one(
        |cap| poke(cap, code + 6, op::PUTFIELD_S),
        "Method, method at 0x0009 (<init> of class at 0x0003), putfield_s at 0x0011: expected an access of type b, as the \
         field of constant 4 has, found putfield_s",
    );
    one(
        |cap| poke(cap, code + 7, 3),
        "Method, method at 0x0009 (<init> of class at 0x0003), putfield_b at 0x0011: expected CONSTANT_InstanceFieldref, \
         found constant 3, CONSTANT_VirtualMethodref",
    );
    one(
        |cap| poke(cap, code + 3, 77),
        "Method, method at 0x0009 (<init> of class at 0x0003), invokespecial at 0x000c: expected a constant below 8, found 77",
    );
    one(
        |cap| poke(cap, code + 4, op::ALOAD_1),
        "Method, method at 0x0009 (<init> of class at 0x0003), aload_1 at 0x000f: expected a local variable below 1, found 1",
    );
    one(
        |cap| poke(cap, code + 8, op::NOP),
        "Method, method at 0x0009 (<init> of class at 0x0003), nop at 0x0013: expected a return, a throw or a jump at the end \
         of the code, found nop",
    );
    among(
        |cap| poke(cap, code + 5, op::ICONST_0),
        "iconst_0 at 0x0010: expected no int instruction (ACC_INT is not set), found one",
    );
    among(
        |cap| poke(cap, code, 0xFE),
        "expected instructions, found at 0x0000: expected an opcode",
    );
}

#[test]
fn reference_locations() {
    let sized = |change: fn(&mut Vec<u16>)| {
        move |cap: &mut Cap| {
            change(&mut cap.ref_location.byte2_indices);
            cap.directory = cap.compute_directory().unwrap();
        }
    };
    one(
        sized(|locations| {
            locations.remove(1);
        }),
        "RefLocation: expected the two-byte constant pool index at 0x000d, found no entry",
    );
    one(
        sized(|locations| locations.insert(2, 15)),
        "RefLocation: expected two-byte constant pool indexes, found 0x000f, where there is none",
    );
}

#[test]
fn stack_and_nargs() {
    one(
        |cap| {
            let header = MethodHeader::new(1, 1, 0).to_bytes();
            cap.method.methods[..2].copy_from_slice(&header);
        },
        "Method, method at 0x0009 (<init> of class at 0x0003), sconst_5 at 0x0010: expected at most 1 words on the stack \
         (max_stack), found 2",
    );
    one(
        |cap| poke(cap, INIT + 2 + 4, op::NOP),
        "Method, method at 0x0009 (<init> of class at 0x0003), putfield_b at 0x0011: expected another word on the stack, found none",
    );
    among(
        |cap| poke(cap, INIT + 1, 0x20),
        "expected nargs 1 by its type, found 2",
    );
}

#[test]
fn handlers_and_branches() {
    among(
        |cap| cap.method.handlers[0].start += 1,
        "an instruction at the start of an exception",
    );
    among(
        |cap| cap.method.handlers[0].length = 10,
        "an instruction at the end of an exception",
    );
    among(
        |cap| cap.method.handlers[0].handler = 9,
        "an instruction as the code of an exception",
    );
    among(
        |cap| cap.method.handlers[0].catch_type = 4,
        "CONSTANT_Classref as the type",
    );
    among(
        |cap| cap.method.handlers[0].start = 2,
        "an exception handler of a method's code",
    );
    // `ifeq 8` of process: one byte further it would land within sspush … return.
    let ifeq = usize::from(sample::cap().class.classes[0].public_methods[0]) + 2 + 3;
    among(
        |cap| poke(cap, ifeq + 1, 3),
        "expected a branch to an instruction of the method",
    );
}

#[test]
fn descriptor() {
    among(
        |cap| {
            let descriptor = cap.descriptor.as_mut().unwrap();
            descriptor.classes[1].methods[0].bytecode_count -= 1;
        },
        "Method at 0x0013: expected a method where the one before it ends",
    );
    among(|cap| cap.method.methods.push(op::RETURN), "1 more bytes");
    among(
        |cap| {
            cap.constant_pool
                .push(Constant::Class(ClassRef::Internal(3)))
        },
        "expected types for 9 constants, found 8",
    );
    among(
        |cap| {
            cap.descriptor.as_mut().unwrap().classes.pop();
        },
        "expected each of the 2 classes and interfaces once, found 1 entries for 1 of them",
    );
}

#[test]
fn shareable_interfaces_mark_their_classes() {
    let change = |flags| {
        move |cap: &mut Cap| {
            cap.class.classes[0].flags = flags;
            let shareable = ClassRef::External {
                package: 0,
                class: 2,
            };
            for interface in [ClassRef::Internal(0), shareable] {
                let implemented = crate::cap::ImplementedInterface {
                    interface,
                    methods: Vec::new(),
                };
                cap.class.classes[0].interfaces.push(implemented);
                let descriptor = cap.descriptor.as_mut().unwrap();
                descriptor.classes[1].interfaces.push(interface);
            }
            cap.directory = cap.compute_directory().unwrap();
        }
    };
    assert!(findings(change(ACC_SHAREABLE)).is_empty());
    one(
        change(0),
        "Class at 0x0003: expected ACC_SHAREABLE, as it implements class at 0x0000, found not set",
    );
}

#[test]
fn tokens_lead_where_the_tables_say() {
    among(
        |cap| cap.descriptor.as_mut().unwrap().classes[1].methods[2].token = 6,
        "Descriptor: expected method token 6 of class at 0x0003 to lead to 0x0021, found nothing",
    );
    among(
        |cap| cap.descriptor.as_mut().unwrap().classes[0].token = 1,
        "Descriptor: expected the token of class at 0x0000 in Export, found 1",
    );
}

#[test]
fn classes_and_their_tables() {
    let class = |change: fn(&mut crate::cap::ClassInfo)| {
        move |cap: &mut Cap| change(&mut cap.class.classes[0])
    };
    one(
        class(|class| class.declared_instance_size = 2),
        "Class at 0x0003: expected a field in each of 2 cells, found none in 1",
    );
    among(
        class(|class| class.public_method_base = 9),
        "a public table from 8 or below to there or beyond, found 9 to 10",
    );
    among(
        class(|class| class.public_method_base = 6),
        "a public table from 8 or below to there or beyond, found 6 to 7",
    );
    among(
        class(|class| {
            class.first_reference_token = 0;
            class.reference_count = 1;
        }),
        "expected references in cells 0..1 and nothing else there, found byte in cell 0",
    );
    among(
        |cap| cap.descriptor.as_mut().unwrap().classes[1].methods[2].type_offset = 18,
        "expected (<javacard.framework.APDU>) void for token 7, as it overrides, found () void",
    );
    among(
        |cap| {
            // The default of Applet.process is none.
            let class = &mut cap.class.classes[0];
            class.public_methods = vec![crate::cap::class::NO_METHOD];
        },
        "expected code for public method 7, or an abstract class",
    );
    among(
        class(|class| {
            class.super_class = Some(ClassRef::External {
                package: 0,
                class: 8,
            });
        }),
        "Class at 0x0003: expected a superclass",
    );
}

#[test]
fn the_static_image() {
    among(
        |cap| cap.static_field.arrays[0].kind = 4,
        "expected byte[] at offset 0 of the image, found an array of type 4",
    );
    among(
        |cap| cap.descriptor.as_mut().unwrap().classes[1].fields[1].kind = 0x8004,
        "references below offset 2 of the image, others above, found short at 0",
    );
    among(
        |cap| {
            let fields = &mut cap.descriptor.as_mut().unwrap().classes[1].fields;
            fields.pop();
        },
        "expected image_size 2, the end of the last static field, found 4",
    );
    among(
        |cap| {
            cap.static_field.arrays[0].kind = 2;
        },
        "expected 0 or 1 in an array of booleans",
    );
}

#[test]
fn flags_and_tokens_of_the_descriptor() {
    let method = |index: usize, change: fn(&mut crate::cap::MethodDescriptor)| {
        move |cap: &mut Cap| {
            change(&mut cap.descriptor.as_mut().unwrap().classes[1].methods[index]);
        }
    };
    one(
        method(0, |method| method.token = 0),
        "Descriptor: expected no token for a method of the package of class at 0x0003, found 0",
    );
    among(
        method(2, |method| method.access_flags |= 0x40),
        "expected ACC_ABSTRACT among the flags of class at 0x0003",
    );
    among(
        method(1, |method| method.access_flags = 0x0A),
        "expected public static void install(byte[], short, byte)",
    );
    one(
        |cap| cap.descriptor.as_mut().unwrap().classes[1].fields[0].token = 3,
        "Descriptor: expected field token 0, found 3",
    );
    one(
        |cap| cap.method.handlers[0].stop = false,
        "Method at 0x0003: expected stop_bit 1, as its range is not within a later one's, found 0",
    );
    one(
        |cap| cap.descriptor.as_mut().unwrap().constant_pool_types[4] = 31,
        "Descriptor: expected the type of constant 4, CONSTANT_InstanceFieldref: byte, found short",
    );
}

#[test]
fn what_a_cap_offers_is_what_others_need_to_know() {
    let cap = sample::cap();
    let offer = super::offer(&cap, packages()).unwrap();
    assert_eq!(offer.aid, cap.header.package.aid);
    let interface = offer.class(0).unwrap();
    assert!(interface.is_interface() && interface.is_shareable());
    let hidden = offer
        .classes
        .iter()
        .find(|class| class.token == 0xFF)
        .unwrap();
    let methods: Vec<_> = (hidden.methods.iter())
        .map(|method| (method.name.as_str(), method.descriptor.as_str()))
        .collect();
    // `install` has no token, the constructor is private.
    assert_eq!(methods, [("v7", "(Ljavacard/framework/APDU;)V")]);
}

#[test]
fn what_the_converter_makes_passes() {
    let javac = Javac::locate().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let stubs = api::stubs::compile(&folder.path().join("stubs"), &javac).unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/java/good/demo");
    let files = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries
            .map(|entry| entry.unwrap().path())
            .collect::<Vec<_>>()
    };
    let out = folder.path().join("out");
    javac.compile(&files(&demo), &[stubs], &out).unwrap();
    let classes = files(&out.join("demo"))
        .into_iter()
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect();
    let aid = b"\xF0IPAe\x7F".to_vec();
    let converted = convert(&ConvertInput {
        classes,
        package_aid: aid.clone(),
        version: (1, 0),
        applets: vec![("demo.DemoApplet".into(), [aid.as_slice(), b"\x01"].concat())],
        imports: packages(),
        ..ConvertInput::default()
    });
    let verdict = verify(&converted.unwrap().cap, packages());
    assert_eq!(verdict.findings, []);
    assert_eq!(verdict.unchecked, [""; 0]);
}

proptest! {
    #[test]
    fn altered_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        descriptor in any::<bool>(),
    ) {
        let mut bytes = sample::cap().load_file(descriptor).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(cap) = Cap::from_load_file(&bytes) {
            let _ = verify(&cap, packages());
        }
    }
}
