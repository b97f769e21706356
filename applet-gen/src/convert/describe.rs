//! The Descriptor and Export components, and the package's own API.

use std::collections::BTreeMap;

use super::assemble::{Components, Parts, quiet_signature};
use super::error::Problem;
use super::ir::Symbol;
use super::tokens::PACKAGE_TOKEN;
use super::types::{Type, field_type};
use super::world::{Binding, ClassId, Field, MemberId, Method, World};
use crate::api::{ApiClass, ApiField, ApiMethod, flags};
use crate::cap::descriptor::{NO_TOKEN, NO_TYPE, PRIMITIVE, access};
use crate::cap::{
    ClassDescriptor, ClassExport, ClassRef, Descriptor, Export, FieldDescriptor, FieldRef,
    MethodDescriptor, StaticRef, TypeDescriptor,
};
use crate::classfile::acc;

/// Type descriptors by their nibbles, in the order of first use.
#[derive(Default)]
struct Types {
    list: Vec<TypeDescriptor>,
    index: BTreeMap<Vec<u8>, usize>,
}

impl Types {
    fn add(&mut self, nibbles: Vec<u8>) -> usize {
        *self.index.entry(nibbles).or_insert_with_key(|nibbles| {
            self.list.push(TypeDescriptor {
                offset: 0,
                nibbles: nibbles.clone(),
            });
            self.list.len() - 1
        })
    }
}

struct Describer<'a> {
    parts: &'a Parts<'a>,
    made: &'a Components,
    types: Types,
}

/// A field's access flags, which the class file has in the same bits.
fn field_flags(field: &Field) -> u8 {
    let kept = acc::PUBLIC | acc::PRIVATE | acc::PROTECTED | acc::STATIC | acc::FINAL;
    (field.access & kept) as u8
}

fn method_flags(method: &Method) -> u8 {
    let kept = acc::PUBLIC | acc::PRIVATE | acc::PROTECTED | acc::STATIC | acc::FINAL;
    let mut flags = (method.access & kept) as u8;
    if method.is(acc::ABSTRACT) {
        flags |= access::METHOD_ABSTRACT;
    }
    if method.name == "<init>" {
        flags |= access::INIT;
    }
    flags
}

fn class_flags(class_access: u16) -> u8 {
    let pairs = [
        (acc::PUBLIC, access::PUBLIC),
        (acc::FINAL, access::FINAL),
        (acc::INTERFACE, access::INTERFACE),
        (acc::ABSTRACT, access::CLASS_ABSTRACT),
    ];
    pairs
        .into_iter()
        .filter(|(java, _)| class_access & java != 0)
        .fold(0, |flags, (_, card)| flags | card)
}

/// The Descriptor component of the package.
pub(crate) fn descriptor(parts: &Parts<'_>, made: &Components) -> Result<Descriptor, Problem> {
    let mut describer = Describer {
        parts,
        made,
        types: Types::default(),
    };
    // Indexes into the types first; offsets once their number, and the pool's, are known.
    let pool_types: Vec<Option<usize>> = parts
        .pool
        .symbols
        .iter()
        .map(|symbol| describer.symbol_type(*symbol))
        .collect();
    let mut classes = Vec::new();
    for id in parts.order {
        classes.push(describer.class(*id));
    }
    let mut descriptor = Descriptor {
        classes: Vec::new(),
        constant_pool_types: vec![NO_TYPE; pool_types.len()],
        types: describer.types.list,
    };
    descriptor.layout()?;
    let offsets: Vec<u16> = descriptor.types.iter().map(|kind| kind.offset).collect();
    let offset = |index: u16| offsets.get(usize::from(index)).copied().unwrap_or_default();
    for (slot, index) in descriptor.constant_pool_types.iter_mut().zip(pool_types) {
        if let Some(index) = index {
            *slot = offset(index as u16);
        }
    }
    for class in &mut classes {
        for field in &mut class.fields {
            if field.kind & PRIMITIVE == 0 {
                field.kind = offset(field.kind);
            }
        }
        for method in &mut class.methods {
            method.type_offset = offset(method.type_offset);
        }
    }
    descriptor.classes = classes;
    Ok(descriptor)
}

impl Describer<'_> {
    fn world(&self) -> &World {
        self.parts.world
    }

    fn class_ref(&self, class: ClassId) -> ClassRef {
        self.made.places.class_ref(self.world(), class)
    }

    fn nibbles(&self, kind: &Type, into: &mut Vec<u8>) {
        let reference = |first: u8, name: &str, into: &mut Vec<u8>| {
            into.push(first);
            // Names that nothing knows were refused before.
            let class = self.world().find(name).map(|class| self.class_ref(class));
            let value = class.map_or(u16::MAX, ClassRef::to_u16);
            into.extend([12, 8, 4, 0].map(|shift| (value >> shift) as u8 & 0x0F));
        };
        match kind {
            Type::Void => into.push(1),
            Type::Boolean => into.push(2),
            Type::Byte => into.push(3),
            Type::Short | Type::Bad => into.push(4),
            Type::Int => into.push(5),
            Type::Class(name) => reference(6, name, into),
            Type::Array(element) => match &**element {
                Type::Boolean => into.push(0xA),
                Type::Byte => into.push(0xB),
                Type::Int => into.push(0xD),
                Type::Class(name) => reference(0xE, name, into),
                _ => into.push(0xC),
            },
        }
    }

    fn field_kind(&mut self, descriptor: &str) -> usize {
        let mut nibbles = Vec::new();
        self.nibbles(&field_type(descriptor, &mut |_| {}), &mut nibbles);
        self.types.add(nibbles)
    }

    fn method_kind(&mut self, descriptor: &str) -> usize {
        let signature = quiet_signature(descriptor);
        let mut nibbles = Vec::new();
        for kind in signature.parameters.iter().chain([&signature.result]) {
            self.nibbles(kind, &mut nibbles);
        }
        self.types.add(nibbles)
    }

    fn symbol_type(&mut self, symbol: Symbol) -> Option<usize> {
        Some(match symbol {
            Symbol::Class(_) => return None,
            Symbol::InstanceField(id) | Symbol::StaticField(id) => {
                self.field_kind(&self.parts.world.field(id).descriptor)
            }
            Symbol::VirtualMethod(id) | Symbol::SuperMethod(_, id) | Symbol::StaticMethod(id) => {
                self.method_kind(&self.parts.world.method(id).descriptor)
            }
        })
    }

    /// A class's entry; the types in it are indexes still.
    fn class(&mut self, id: ClassId) -> ClassDescriptor {
        let parts = self.parts;
        let class = &parts.world.classes[id];
        let mut fields = Vec::new();
        for (index, field) in class.fields.iter().enumerate() {
            if class.is_interface() || field.is_static() && field.constant.is_some() {
                continue;
            }
            fields.push(self.field(MemberId { class: id, index }, field));
        }
        let mut methods = Vec::new();
        for (index, method) in class.methods.iter().enumerate() {
            let member = MemberId { class: id, index };
            if method.name == "<clinit>" || parts.dropped.contains(&member) {
                continue;
            }
            let type_offset = self.method_kind(&method.descriptor) as u16;
            let place = self.made.places.methods.get(&member).copied();
            let place = place.unwrap_or_default();
            methods.push(MethodDescriptor {
                token: method.token.unwrap_or(NO_TOKEN),
                access_flags: method_flags(method),
                method_offset: place.offset,
                type_offset,
                bytecode_count: place.code_len,
                handler_count: place.handlers,
                handler_index: place.first_handler,
            });
        }
        let interfaces = if class.is_interface() {
            Vec::new()
        } else {
            let above = parts.world.interfaces(id).into_iter();
            above.map(|above| self.class_ref(above)).collect()
        };
        ClassDescriptor {
            token: parts.class_tokens[id].unwrap_or(NO_TOKEN),
            access_flags: class_flags(class.access),
            this_class: self.class_ref(id),
            interfaces,
            fields,
            methods,
        }
    }

    fn field(&mut self, id: MemberId, field: &Field) -> FieldDescriptor {
        let kind = match field.field_type() {
            Type::Boolean => PRIMITIVE | 2,
            Type::Byte => PRIMITIVE | 3,
            Type::Short => PRIMITIVE | 4,
            Type::Int => PRIMITIVE | 5,
            _ => self.field_kind(&field.descriptor) as u16,
        };
        let field_ref = if field.is_static() {
            let offset = self.parts.image.offsets.get(&id).copied();
            FieldRef::Static(StaticRef::Internal(offset.unwrap_or(u16::MAX)))
        } else {
            FieldRef::Instance {
                class: self.class_ref(id.class),
                token: field.token.unwrap_or(NO_TOKEN),
            }
        };
        FieldDescriptor {
            token: field.token.unwrap_or(NO_TOKEN),
            access_flags: field_flags(field),
            field_ref,
            kind,
        }
    }
}

/// The exported classes by token: all public ones of a library, the shareable interfaces of a
/// package with applets (JCVM 6.12). `None` when there is nothing to export.
pub(crate) fn exported(parts: &Parts<'_>, has_applets: bool) -> Vec<ClassId> {
    let world = parts.world;
    let mut classes: Vec<ClassId> = (0..parts.class_tokens.len())
        .filter(|id| parts.class_tokens[*id].is_some())
        .filter(|id| !has_applets || world.classes[*id].is_interface() && world.is_shareable(*id))
        .collect();
    classes.sort_by_key(|id| parts.class_tokens[*id]);
    classes
}

/// The Export component.
pub(crate) fn export(parts: &Parts<'_>, made: &Components, exported: &[ClassId]) -> Option<Export> {
    if exported.is_empty() {
        return None;
    }
    let world = parts.world;
    let classes = exported.iter().map(|id| {
        let class = &world.classes[*id];
        let offset = match made.places.class_ref(world, *id) {
            ClassRef::Internal(offset) => offset,
            ClassRef::External { .. } => u16::MAX,
        };
        let member = |index| MemberId { class: *id, index };
        // Tokens are numbered in this order.
        let fields = class.fields.iter().enumerate();
        let static_fields = fields
            .filter(|(_, field)| field.is_static() && field.token.is_some())
            .filter_map(|(index, _)| parts.image.offsets.get(&member(index)).copied());
        let methods = class.methods.iter().enumerate();
        let static_methods = methods
            .filter(|(_, method)| method.binding == Binding::Static && method.token.is_some())
            .filter_map(|(index, _)| made.places.methods.get(&member(index)))
            .map(|place| place.offset);
        ClassExport {
            class_offset: offset,
            static_fields: static_fields.collect(),
            static_methods: static_methods.collect(),
        }
    });
    Some(Export {
        classes: classes.collect(),
    })
}

/// Whether an importing package can name the class.
fn is_offered(parts: &Parts<'_>, exported: &[ClassId], class: ClassId) -> bool {
    !parts.world.classes[class].is_own() || exported.contains(&class)
}

/// The nearest superclass that importing packages can name, and the methods that they see in the
/// class: its own, and the virtual ones of the superclasses between.
fn offered<'a>(
    parts: &Parts<'a>,
    exported: &[ClassId],
    class: ClassId,
) -> (Option<ClassId>, Vec<&'a Method>) {
    let world = parts.world;
    let open = |class: ClassId| world.classes[class].methods.iter().filter(|m| m.is_open());
    let mut methods: Vec<&Method> = open(class).collect();
    for above in world.ancestry(class).into_iter().skip(1) {
        if is_offered(parts, exported, above) {
            return (Some(above), methods);
        }
        for method in open(above).filter(|method| method.binding == Binding::Virtual) {
            let same = |o: &&Method| o.name == method.name && o.descriptor == method.descriptor;
            if !methods.iter().any(same) {
                methods.push(method);
            }
        }
    }
    (None, methods)
}

/// The interfaces that the class names itself or through something that stays hidden.
fn offered_interfaces(parts: &Parts<'_>, exported: &[ClassId], class: ClassId) -> Vec<String> {
    let world = parts.world;
    let above = world.ancestry(class).into_iter().skip(1);
    let mut queue = vec![class];
    queue.extend(above.take_while(|above| !is_offered(parts, exported, *above)));
    let mut found: Vec<String> = Vec::new();
    let mut next = 0;
    while let Some(at) = queue.get(next).copied() {
        next += 1;
        for name in &world.classes[at].interfaces {
            match world.find(name) {
                Some(id) if !is_offered(parts, exported, id) => {
                    // Each once: interfaces can be circular in what was not refused yet.
                    queue.extend(Some(id).filter(|id| !queue.contains(id)));
                }
                _ => found.extend(Some(name.clone()).filter(|name| !found.contains(name))),
            }
        }
    }
    found
}

/// What the package offers to those who import it.
pub(crate) fn api_classes(parts: &Parts<'_>, exported: &[ClassId]) -> Vec<ApiClass> {
    let world = parts.world;
    let visible = flags::PUBLIC | flags::PROTECTED | flags::STATIC | flags::FINAL;
    let classes = exported.iter().map(|id| {
        let class = &world.classes[*id];
        let mut kept =
            class.access & (flags::PUBLIC | flags::FINAL | flags::INTERFACE | flags::ABSTRACT);
        // Classes that implement a shareable interface have the flag as well (JCVM table 5-3).
        if world.is_shareable(*id) {
            kept |= flags::SHAREABLE;
        }
        let open = |access: u16| access & (acc::PUBLIC | acc::PROTECTED) != 0;
        let fields = class.fields.iter().filter(|field| open(field.access));
        let (above, methods) = offered(parts, exported, *id);
        ApiClass {
            token: parts.class_tokens[*id].unwrap_or(NO_TOKEN),
            name: class.name.clone(),
            flags: kept,
            super_name: above.map(|above| world.classes[above].name.clone()),
            interfaces: offered_interfaces(parts, exported, *id),
            fields: fields
                .map(|field| ApiField {
                    name: field.name.clone(),
                    descriptor: field.descriptor.clone(),
                    token: field.token,
                    flags: field.access & visible,
                    constant: field.constant,
                })
                .collect(),
            methods: methods
                .into_iter()
                .filter_map(|method| {
                    let token = method.token.filter(|token| token & PACKAGE_TOKEN == 0)?;
                    Some(ApiMethod {
                        name: method.name.clone(),
                        descriptor: method.descriptor.clone(),
                        token,
                        flags: method.access & (visible | flags::ABSTRACT),
                        exceptions: Vec::new(),
                    })
                })
                .collect(),
        }
    });
    classes.collect()
}
