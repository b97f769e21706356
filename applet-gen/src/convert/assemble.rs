//! The components of the CAP, out of the classes, the image and the assembled methods.

use std::collections::{BTreeMap, BTreeSet};

use super::error::Problem;
use super::ir::Symbol;
use super::method::Assembled;
use super::pool::Pool;
use super::statics::Image;
use super::tokens::{self, Layout, PACKAGE_TOKEN};
use super::types::{Signature, Type, field_type, signature};
use super::world::{Binding, ClassId, MemberId, Origin, World};
use crate::cap::class::{ACC_INTERFACE, ACC_SHAREABLE, NO_METHOD, NO_REFERENCE};
use crate::cap::{
    CapError, ClassComponent, ClassInfo, ClassRef, Constant, ExceptionHandler,
    ImplementedInterface, InterfaceInfo, MethodComponent, MethodHeader, PackageInfo,
    ReferenceLocation, StaticRef,
};
use crate::classfile::acc;

impl From<CapError> for Problem {
    fn from(error: CapError) -> Self {
        Problem::Input(error.to_string())
    }
}

/// Everything that the components are made of.
pub(crate) struct Parts<'a> {
    pub(crate) world: &'a World,
    /// The own classes in the order of the Class component.
    pub(crate) order: &'a [ClassId],
    pub(crate) class_tokens: &'a [Option<u8>],
    pub(crate) layouts: &'a [Layout],
    pub(crate) methods: &'a BTreeMap<MemberId, Assembled>,
    pub(crate) pool: &'a Pool,
    pub(crate) image: &'a Image,
    /// Own methods that are left out, since nothing can call them.
    pub(crate) dropped: &'a BTreeSet<MemberId>,
    /// Whether the CAP is of format 2.2, for a Debug component.
    pub(crate) debug: bool,
    /// Whether the package uses `int`.
    pub(crate) uses_int: bool,
}

/// Where things lie in the components.
pub(crate) struct Places {
    /// Imported package's index in the list of imports, to its index in the Import component.
    packages: BTreeMap<usize, u8>,
    /// By own class: its offset in the Class component.
    classes: Vec<u16>,
    pub(crate) methods: BTreeMap<MemberId, MethodPlace>,
}

/// Where a method lies in the Method component.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct MethodPlace {
    pub(crate) offset: u16,
    pub(crate) code_len: u16,
    pub(crate) first_handler: u16,
    pub(crate) handlers: u16,
}

impl Places {
    pub(crate) fn class_ref(&self, world: &World, class: ClassId) -> ClassRef {
        match world.classes[class].origin {
            Origin::Own(_) => {
                ClassRef::Internal(self.classes.get(class).copied().unwrap_or_default())
            }
            Origin::Import { package, token } => ClassRef::External {
                package: self.packages.get(&package).copied().unwrap_or_default(),
                class: token,
            },
        }
    }

    /// The reference to a static field or to a method that is bound at link time.
    fn static_ref(&self, world: &World, id: MemberId, token: Option<u8>, offset: u16) -> StaticRef {
        match self.class_ref(world, id.class) {
            ClassRef::Internal(_) => StaticRef::Internal(offset),
            ClassRef::External { package, class } => StaticRef::External {
                package,
                class,
                token: token.unwrap_or(u8::MAX),
            },
        }
    }

    fn method_offset(&self, id: Option<MemberId>) -> u16 {
        id.and_then(|id| self.methods.get(&id))
            .map_or(NO_METHOD, |place| place.offset)
    }
}

/// The components that this module makes.
pub(crate) struct Components {
    pub(crate) imports: Vec<PackageInfo>,
    pub(crate) class: ClassComponent,
    pub(crate) method: MethodComponent,
    pub(crate) constant_pool: Vec<Constant>,
    pub(crate) ref_location: ReferenceLocation,
    pub(crate) places: Places,
}

/// The method's declared types; what is wrong with them was reported before.
pub(crate) fn quiet_signature(descriptor: &str) -> Signature {
    signature(descriptor, &mut |_| {})
}

/// Cells of a method's arguments, the object included.
pub(crate) fn argument_cells(world: &World, id: MemberId) -> usize {
    let method = world.method(id);
    let signature = quiet_signature(&method.descriptor);
    signature.parameters.iter().map(Type::cells).sum::<usize>()
        + usize::from(!method.is(acc::STATIC))
}

/// Whether the method stands in the Method component.
pub(crate) fn has_method_info(world: &World, id: MemberId) -> bool {
    !world.classes[id.class].is_interface() && world.method(id).name != "<clinit>"
}

/// The package's own methods, in the order of the components.
pub(crate) fn own_methods<'a>(
    world: &'a World,
    order: &'a [ClassId],
) -> impl Iterator<Item = MemberId> + 'a {
    order.iter().flat_map(move |class| {
        (0..world.classes[*class].methods.len()).map(|index| MemberId {
            class: *class,
            index,
        })
    })
}

pub(crate) fn components(
    parts: &Parts<'_>,
    import_infos: impl Fn(usize) -> PackageInfo,
) -> Result<Components, Problem> {
    let used = used_packages(parts);
    if used.len() > 128 {
        return Err(Problem::TooMany {
            what: "packages that a package imports".to_owned(),
            value: used.len(),
            limit: 128,
            clause: "2.2.4.1",
        });
    }
    let mut places = Places {
        packages: used
            .iter()
            .enumerate()
            .map(|(token, package)| (*package, token as u8))
            .collect(),
        classes: vec![0; parts.layouts.len()],
        methods: BTreeMap::new(),
    };
    let mut class = class_component(parts, &places)?;
    let offsets = (class.interfaces.iter().map(|interface| interface.offset))
        .chain(class.classes.iter().map(|class| class.offset));
    for (id, offset) in parts.order.iter().zip(offsets) {
        places.classes[*id] = offset;
    }
    let (method, ref_location) = method_component(parts, &mut places)?;
    // A second time, now that the offsets are known: sizes don't depend on them.
    class = class_component(parts, &places)?;
    let constant_pool = (parts.pool.symbols.iter())
        .map(|symbol| constant(parts, &places, *symbol))
        .collect();
    Ok(Components {
        imports: used.into_iter().map(import_infos).collect(),
        class,
        method,
        constant_pool,
        ref_location,
        places,
    })
}

/// Indexes of the imported packages that the CAP names anywhere.
fn used_packages(parts: &Parts<'_>) -> Vec<usize> {
    let world = parts.world;
    let mut classes: Vec<ClassId> = Vec::new();
    for symbol in &parts.pool.symbols {
        let class = match *symbol {
            Symbol::Class(class) => class,
            Symbol::SuperMethod(class, id) => {
                name_types(world, &world.method(id).descriptor, &mut classes);
                class
            }
            Symbol::VirtualMethod(id) | Symbol::StaticMethod(id) => {
                name_types(world, &world.method(id).descriptor, &mut classes);
                id.class
            }
            Symbol::InstanceField(id) | Symbol::StaticField(id) => {
                name_types(world, &world.field(id).descriptor, &mut classes);
                id.class
            }
        };
        classes.push(class);
    }
    for id in parts.order {
        let class = &world.classes[*id];
        classes.extend(world.super_class(*id));
        classes.extend(world.interfaces(*id));
        for field in &class.fields {
            name_types(world, &field.descriptor, &mut classes);
        }
        for method in &class.methods {
            name_types(world, &method.descriptor, &mut classes);
        }
    }
    let mut packages: Vec<usize> = classes
        .into_iter()
        .filter_map(|class| match world.classes[class].origin {
            Origin::Import { package, .. } => Some(package),
            Origin::Own(_) => None,
        })
        .collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

/// Adds the classes that a descriptor names.
fn name_types(world: &World, descriptor: &str, classes: &mut Vec<ClassId>) {
    let types = if descriptor.starts_with('(') {
        let signature = quiet_signature(descriptor);
        let mut types = signature.parameters;
        types.push(signature.result);
        types
    } else {
        vec![field_type(descriptor, &mut |_| {})]
    };
    for kind in types {
        let name = match kind {
            Type::Class(name) => name,
            Type::Array(element) => match *element {
                Type::Class(name) => name,
                _ => continue,
            },
            _ => continue,
        };
        classes.extend(world.find(&name));
    }
}

fn class_component(parts: &Parts<'_>, places: &Places) -> Result<ClassComponent, Problem> {
    let mut component = ClassComponent {
        // Of remote methods, which the converter has none of.
        signature_pool: parts.debug.then(Vec::new),
        ..ClassComponent::default()
    };
    for id in parts.order.iter().copied() {
        let class = &parts.world.classes[id];
        let shareable = if parts.world.is_shareable(id) {
            ACC_SHAREABLE
        } else {
            0
        };
        if class.is_interface() {
            let above = parts.world.interfaces(id).into_iter();
            component.interfaces.push(InterfaceInfo {
                flags: ACC_INTERFACE | shareable,
                superinterfaces: above
                    .map(|above| places.class_ref(parts.world, above))
                    .collect(),
                ..InterfaceInfo::default()
            });
        } else {
            component
                .classes
                .push(class_info(parts, places, id, shareable)?);
        }
    }
    component.layout()?;
    Ok(component)
}

fn class_info(
    parts: &Parts<'_>,
    places: &Places,
    id: ClassId,
    flags: u8,
) -> Result<ClassInfo, Problem> {
    let world = parts.world;
    let layout = &parts.layouts[id];
    let table = |table: &tokens::Table| -> Vec<u16> {
        let own = table.entries.iter().skip(table.base);
        own.map(|entry| places.method_offset(*entry)).collect()
    };
    let mut interfaces = Vec::new();
    for interface in world.interfaces(id) {
        let mut methods = Vec::new();
        for (name, descriptor) in world.interface_methods(interface) {
            let found = tokens::find_virtual(world, id, &name, &descriptor);
            let token = found.and_then(|found| world.method(found).token);
            match token {
                Some(token) if token & PACKAGE_TOKEN == 0 => methods.push(token),
                _ => {
                    return Err(Problem::Unknown {
                        what: format!(
                            "a public implementation of {name}{descriptor} of {} in {}",
                            world.classes[interface].name, world.classes[id].name
                        ),
                        instead: "declare the method public in the class",
                    });
                }
            }
        }
        interfaces.push(ImplementedInterface {
            interface: places.class_ref(world, interface),
            methods,
        });
    }
    Ok(ClassInfo {
        offset: 0,
        flags,
        super_class: world
            .super_class(id)
            .map(|above| places.class_ref(world, above)),
        declared_instance_size: layout.instance_size as u8,
        first_reference_token: layout.first_reference.unwrap_or(NO_REFERENCE),
        reference_count: layout.references as u8,
        public_method_base: layout.public.base as u8,
        public_methods: table(&layout.public),
        package_method_base: layout.package.base as u8,
        package_methods: table(&layout.package),
        interfaces,
        remote: None,
    })
}

fn method_component(
    parts: &Parts<'_>,
    places: &mut Places,
) -> Result<(MethodComponent, ReferenceLocation), Problem> {
    let world = parts.world;
    let mut component = MethodComponent::default();
    let mut locations = ReferenceLocation::default();
    let total: usize = parts.methods.values().map(|m| m.handlers.len()).sum();
    if total > 255 {
        return Err(Problem::TooMany {
            what: "exception handlers of a package".to_owned(),
            value: total,
            limit: 255,
            clause: "6.9",
        });
    }
    let blank = ExceptionHandler {
        start: 0,
        length: 0,
        stop: false,
        handler: 0,
        catch_type: 0,
    };
    component.handlers = vec![blank; total];
    let mut next_handler = 0usize;
    for id in own_methods(world, parts.order) {
        if !has_method_info(world, id) || parts.dropped.contains(&id) {
            continue;
        }
        let nargs = argument_cells(world, id);
        let Some(method) = parts.methods.get(&id) else {
            let header = MethodHeader::new_abstract(cell_count(nargs, "parameters")?);
            let offset = component.push(header, &[])?;
            places.methods.insert(
                id,
                MethodPlace {
                    offset,
                    ..MethodPlace::default()
                },
            );
            continue;
        };
        let header = MethodHeader::new(
            cell_count(method.max_stack, "operand stack cells")?,
            cell_count(nargs, "parameters")?,
            cell_count(method.max_locals, "local variables")?,
        );
        let offset = component.push(header, &method.code)?;
        let code = usize::from(offset) + header.len();
        let at = |offset: usize| (code + offset) as u16;
        locations
            .byte_indices
            .extend(method.byte_indices.iter().map(|offset| at(*offset)));
        locations
            .byte2_indices
            .extend(method.byte2_indices.iter().map(|offset| at(*offset)));
        let first_handler = next_handler;
        for handler in &method.handlers {
            let row = ExceptionHandler {
                start: at(handler.start),
                length: (handler.end - handler.start) as u16,
                stop: handler.stop,
                handler: at(handler.target),
                catch_type: handler
                    .class
                    .map_or(0, |class| parts.pool.index(Symbol::Class(class))),
            };
            if let Some(slot) = component.handlers.get_mut(next_handler) {
                *slot = row;
            }
            if handler.class.is_some() {
                // start, length and handler offset come before the index.
                locations
                    .byte2_indices
                    .push((1 + 8 * next_handler + 6) as u16);
            }
            next_handler += 1;
        }
        places.methods.insert(
            id,
            MethodPlace {
                offset,
                code_len: method.code.len() as u16,
                first_handler: if method.handlers.is_empty() {
                    0
                } else {
                    first_handler as u16
                },
                handlers: method.handlers.len() as u16,
            },
        );
    }
    locations.byte2_indices.sort_unstable();
    Ok((component, locations))
}

/// What a method has more of than its header or its frame can hold (JCVM 2.2.4.4, 6.9.2).
pub(crate) fn over_limits(world: &World, id: MemberId, method: &Assembled) -> Vec<Problem> {
    let arguments = argument_cells(world, id);
    let variables = arguments + method.max_locals;
    let checks = [
        cell_count(variables, "cells of parameters and local variables"),
        cell_count(method.max_stack, "cells of the operand stack"),
    ];
    checks.into_iter().filter_map(Result::err).collect()
}

fn cell_count(value: usize, what: &'static str) -> Result<u8, Problem> {
    u8::try_from(value).map_err(|_| Problem::TooMany {
        what: format!("{what} of a method"),
        value,
        limit: 255,
        clause: "2.2.4.4",
    })
}

fn constant(parts: &Parts<'_>, places: &Places, symbol: Symbol) -> Constant {
    let world = parts.world;
    match symbol {
        Symbol::Class(class) => Constant::Class(places.class_ref(world, class)),
        Symbol::InstanceField(id) => Constant::InstanceField {
            class: places.class_ref(world, id.class),
            token: world.field(id).token.unwrap_or(u8::MAX),
        },
        Symbol::VirtualMethod(id) => Constant::VirtualMethod {
            class: places.class_ref(world, id.class),
            token: world.method(id).token.unwrap_or(u8::MAX),
        },
        Symbol::SuperMethod(class, id) => Constant::SuperMethod {
            class: places.class_ref(world, class),
            token: world.method(id).token.unwrap_or(u8::MAX),
        },
        Symbol::StaticMethod(id) => {
            let offset = places.method_offset(Some(id));
            Constant::StaticMethod(places.static_ref(world, id, world.method(id).token, offset))
        }
        Symbol::StaticField(id) => {
            let offset = parts.image.offsets.get(&id).copied().unwrap_or(u16::MAX);
            Constant::StaticField(places.static_ref(world, id, world.field(id).token, offset))
        }
    }
}

impl World {
    /// An interface's methods by token: name and descriptor, inherited ones included.
    pub(crate) fn interface_methods(&self, interface: ClassId) -> Vec<(String, String)> {
        let mut by_token: BTreeMap<u8, (String, String)> = BTreeMap::new();
        let mut all = vec![interface];
        all.extend(self.interfaces(interface));
        for method in all.iter().flat_map(|class| &self.classes[*class].methods) {
            let name = (method.name.clone(), method.descriptor.clone());
            if method.binding != Binding::Interface || by_token.values().any(|known| *known == name)
            {
                continue;
            }
            if let Some(token) = self.interface_token(interface, &name.0, &name.1) {
                by_token.insert(token, name);
            }
        }
        by_token.into_values().collect()
    }
}
