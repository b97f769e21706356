//! A small CAP, built by hand, that the tests of this room share.

use super::class::NO_REFERENCE;
use super::descriptor::{NO_TOKEN, NO_TYPE, access};
use super::header::{ACC_APPLET, ACC_EXPORT};
use super::opcode::code::*;
use super::*;

/// Package `F04950416599` 1.0 with an exported interface, an applet that has `install`, `process`
/// and a try block, and imports of java.lang and javacard.framework.
pub(crate) fn cap() -> Cap {
    let framework = |class: u8| ClassRef::External { package: 0, class };
    let constant_pool = vec![
        // 0: this class; 1: Applet.<init>; 2: own <init>; 3: register(); 4: field b; 5: static s
        // 6: ISOException.throwIt; 7: CardRuntimeException
        Constant::Class(ClassRef::Internal(3)),
        Constant::StaticMethod(StaticRef::External {
            package: 0,
            class: 3,
            token: 0,
        }),
        Constant::StaticMethod(StaticRef::Internal(9)),
        Constant::VirtualMethod {
            class: ClassRef::Internal(3),
            token: 1,
        },
        Constant::InstanceField {
            class: ClassRef::Internal(3),
            token: 0,
        },
        Constant::StaticField(StaticRef::Internal(2)),
        Constant::StaticMethod(StaticRef::External {
            package: 0,
            class: 7,
            token: 1,
        }),
        Constant::Class(framework(5)),
    ];
    let mut method = MethodComponent {
        handlers: vec![ExceptionHandler {
            start: 0,
            length: 0,
            stop: true,
            handler: 0,
            catch_type: 7,
        }],
        methods: Vec::new(),
    };
    let init = [
        ALOAD_0,
        INVOKESPECIAL,
        0,
        1,
        ALOAD_0,
        SCONST_5,
        PUTFIELD_B,
        4,
        RETURN,
    ];
    let install = [
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
    ];
    let process = [
        GETSTATIC_S,
        0,
        5,
        IFEQ,
        8,
        SSPUSH,
        0x6D,
        0x00,
        INVOKESTATIC,
        0,
        6,
        RETURN,
        ASTORE_2,
        RETURN,
    ];
    let mut push = |header, code: &[u8]| method.push(header, code).expect("fits");
    let init_at = push(MethodHeader::new(2, 1, 0), &init);
    let install_at = push(MethodHeader::new(2, 3, 0), &install);
    let process_at = push(MethodHeader::new(1, 2, 1), &process);
    let code = process_at + 2;
    method.handlers[0].start = code;
    method.handlers[0].length = 11;
    method.handlers[0].handler = code + 12;
    let class = ClassComponent {
        signature_pool: None,
        interfaces: vec![InterfaceInfo {
            offset: 0,
            flags: class::ACC_INTERFACE | class::ACC_SHAREABLE,
            superinterfaces: vec![framework(2)],
            name: None,
        }],
        classes: vec![ClassInfo {
            offset: 3,
            flags: 0,
            super_class: Some(framework(3)),
            declared_instance_size: 1,
            first_reference_token: NO_REFERENCE,
            reference_count: 0,
            public_method_base: 7,
            public_methods: vec![process_at],
            package_method_base: 0,
            package_methods: Vec::new(),
            interfaces: Vec::new(),
            remote: None,
        }],
    };
    let aid = b"\xF0IPAe\x99".to_vec();
    let mut descriptor = Descriptor {
        classes: vec![
            ClassDescriptor {
                token: 0,
                access_flags: access::PUBLIC | access::INTERFACE | access::CLASS_ABSTRACT,
                this_class: ClassRef::Internal(0),
                interfaces: Vec::new(),
                fields: Vec::new(),
                methods: Vec::new(),
            },
            ClassDescriptor {
                token: NO_TOKEN,
                access_flags: access::FINAL,
                this_class: ClassRef::Internal(3),
                interfaces: Vec::new(),
                fields: vec![
                    FieldDescriptor {
                        token: 0,
                        access_flags: access::PRIVATE,
                        field_ref: FieldRef::Instance {
                            class: ClassRef::Internal(3),
                            token: 0,
                        },
                        kind: 0x8003,
                    },
                    FieldDescriptor {
                        token: NO_TOKEN,
                        access_flags: access::PRIVATE | access::STATIC | access::FINAL,
                        field_ref: FieldRef::Static(StaticRef::Internal(0)),
                        kind: 33,
                    },
                    FieldDescriptor {
                        token: NO_TOKEN,
                        access_flags: access::PRIVATE | access::STATIC,
                        field_ref: FieldRef::Static(StaticRef::Internal(2)),
                        kind: 0x8004,
                    },
                ],
                methods: vec![
                    method_descriptor(NO_TOKEN, access::PRIVATE | access::INIT, init_at, 9, 18),
                    method_descriptor(
                        NO_TOKEN,
                        access::PUBLIC | access::STATIC,
                        install_at,
                        11,
                        20,
                    ),
                    MethodDescriptor {
                        handler_count: 1,
                        ..method_descriptor(7, access::PUBLIC, process_at, 14, 23)
                    },
                ],
            },
        ],
        constant_pool_types: vec![NO_TYPE, 18, 18, 18, 29, 31, 27, NO_TYPE],
        types: [
            vec![1],
            vec![0xB, 4, 3, 1],
            vec![6, 8, 0, 0, 0xA, 1],
            vec![4, 1],
            vec![3],
            vec![4],
            vec![0xB],
        ]
        .into_iter()
        .map(|nibbles| TypeDescriptor { offset: 0, nibbles })
        .collect(),
    };
    descriptor.layout().expect("fits");
    let offsets: Vec<u16> = descriptor.types.iter().map(|kind| kind.offset).collect();
    assert_eq!(offsets, [18, 20, 23, 27, 29, 31, 33]);
    let mut cap = Cap {
        header: Header {
            minor: 1,
            major: 2,
            flags: ACC_APPLET | ACC_EXPORT,
            package: PackageInfo {
                major: 1,
                minor: 0,
                aid: aid.clone(),
            },
            name: None,
        },
        directory: Directory {
            sizes: Vec::new(),
            static_field_size: Default::default(),
            import_count: 0,
            applet_count: 0,
            custom: Vec::new(),
        },
        applets: vec![Applet {
            aid: [aid.as_slice(), b"\x01"].concat(),
            install_method_offset: install_at,
        }],
        imports: vec![
            PackageInfo {
                major: 1,
                minor: 5,
                aid: vec![0xA0, 0, 0, 0, 0x62, 1, 1],
            },
            PackageInfo {
                major: 1,
                minor: 0,
                aid: vec![0xA0, 0, 0, 0, 0x62, 0, 1],
            },
        ],
        constant_pool,
        class,
        ref_location: ReferenceLocation {
            byte_indices: vec![init_at + 2 + 7],
            byte2_indices: vec![
                7,
                init_at + 4,
                install_at + 3,
                install_at + 7,
                install_at + 10,
                code + 1,
                code + 9,
            ],
        },
        method,
        static_field: StaticField {
            image_size: 4,
            reference_count: 1,
            arrays: vec![ArrayInit {
                kind: 3,
                values: b"IPAe".to_vec(),
            }],
            default_value_count: 2,
            values: Vec::new(),
        },
        export: Some(Export {
            classes: vec![ClassExport {
                class_offset: 0,
                static_fields: Vec::new(),
                static_methods: Vec::new(),
            }],
        }),
        descriptor: Some(descriptor),
        debug: None,
        custom: Default::default(),
    };
    cap.class.layout().expect("fits");
    cap.directory = cap.compute_directory().expect("fits");
    cap
}

fn method_descriptor(
    token: u8,
    access_flags: u8,
    method_offset: u16,
    bytecode_count: u16,
    type_offset: u16,
) -> MethodDescriptor {
    MethodDescriptor {
        token,
        access_flags,
        method_offset,
        type_offset,
        bytecode_count,
        handler_count: 0,
        handler_index: 0,
    }
}
