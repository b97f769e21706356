//! Tokens and virtual method tables of the package's own classes (JCVM 4.3.7, 6.8).

use super::error::{Errors, Problem};
use super::types::Storage;
use super::world::{Binding, ClassId, Field, MemberId, Method, World};
use crate::classfile::acc;

/// High bit of the token of a package-visible virtual method (JCVM 4.3.7.6).
pub(crate) const PACKAGE_TOKEN: u8 = 0x80;

/// A class's virtual methods by token; `None` where a superclass in another package has it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Table {
    pub(crate) entries: Vec<Option<MemberId>>,
    /// Tokens below are left to the superclass.
    pub(crate) base: usize,
}

/// What a class's `class_info` says beyond its declaration.
#[derive(Debug, Clone, Default)]
pub(crate) struct Layout {
    pub(crate) public: Table,
    pub(crate) package: Table,
    /// Cells of the declared instance fields.
    pub(crate) instance_size: usize,
    pub(crate) first_reference: Option<u8>,
    pub(crate) references: usize,
}

/// The own classes in the order of the Class component: interfaces, then classes, each after
/// those of the package that it extends.
pub(crate) fn component_order(world: &World, own: usize) -> Vec<ClassId> {
    let depth = |class: ClassId| {
        let above = if world.classes[class].is_interface() {
            world.interfaces(class)
        } else {
            world.ancestry(class)
        };
        let own_above = above.iter().filter(|id| world.classes[**id].is_own());
        own_above.count()
    };
    let mut order: Vec<ClassId> = (0..own).collect();
    // The sort is stable, and classes are numbered by name.
    order.sort_by_key(|id| (!world.classes[*id].is_interface(), depth(*id)));
    order
}

/// Assigns every token of the own classes `0..own`. Gives the class tokens and the layouts, both
/// by [`ClassId`].
pub(crate) fn assign(
    world: &mut World,
    own: usize,
    order: &[ClassId],
    has_applets: bool,
    errors: &mut Errors,
    mut place: impl FnMut(&mut Errors, ClassId),
) -> (Vec<Option<u8>>, Vec<Layout>) {
    let class_tokens = class_tokens(world, own, has_applets, errors);
    let mut layouts = vec![Layout::default(); own];
    for class in order.iter().copied() {
        place(errors, class);
        interfaces(world, class, errors);
        if world.classes[class].is_interface() {
            interface_tokens(world, class, errors);
        } else {
            add_mirandas(world, class);
            static_tokens(world, class, errors);
            let layout = instance_fields(world, class, errors);
            layouts[class] = layout;
            virtual_tokens(world, class, &mut layouts, errors);
        }
    }
    (class_tokens, layouts)
}

fn class_tokens(
    world: &World,
    own: usize,
    has_applets: bool,
    errors: &mut Errors,
) -> Vec<Option<u8>> {
    let mut public: Vec<ClassId> = (0..own)
        .filter(|id| world.classes[*id].access & acc::PUBLIC != 0)
        .collect();
    if has_applets {
        // Only shareable interfaces are exported then, so they come first (JCVM 6.12).
        public.sort_by_key(|id| !(world.classes[*id].is_interface() && world.is_shareable(*id)));
    }
    let mut tokens = vec![None; own];
    if public.len() > 255 {
        too_many(
            errors,
            "public classes of a package",
            public.len(),
            255,
            "2.2.4.1",
        );
    }
    for (token, class) in public.into_iter().enumerate() {
        tokens[class] = u8::try_from(token).ok();
    }
    tokens
}

fn too_many(errors: &mut Errors, what: &str, value: usize, limit: usize, clause: &'static str) {
    errors.push(
        None,
        Problem::TooMany {
            what: what.to_owned(),
            value,
            limit,
            clause,
        },
    );
}

/// A class implements 15 interfaces at most, an interface extends 14, by whatever way.
fn interfaces(world: &World, class: ClassId, errors: &mut Errors) {
    let count = world.interfaces(class).len();
    let (what, limit) = match world.classes[class].is_interface() {
        true => ("superinterfaces of an interface", 14),
        false => ("interfaces of a class", 15),
    };
    if count > limit {
        too_many(errors, what, count, limit, "2.2.4.2");
    }
}

/// An interface's methods with those of its superinterfaces, numbered from 0 (JCVM 4.3.7.7). The
/// inherited ones are added to the class, as export files list them.
fn interface_tokens(world: &mut World, class: ClassId, errors: &mut Errors) {
    let mut inherited: Vec<Method> = Vec::new();
    for above in world.interfaces(class) {
        for method in &world.classes[above].methods {
            let same =
                |other: &Method| other.name == method.name && other.descriptor == method.descriptor;
            let declared = world.classes[class].methods.iter().any(same);
            if !declared && !inherited.iter().any(same) && method.binding == Binding::Interface {
                inherited.push(method.clone());
            }
        }
    }
    let methods = &mut world.classes[class].methods;
    methods.append(&mut inherited);
    let numbered = methods.iter_mut();
    let numbered = numbered.filter(|method| method.binding == Binding::Interface);
    let mut count = 0;
    for (token, method) in numbered.enumerate() {
        method.token = Some(token as u8);
        count += 1;
    }
    if count > 128 {
        let what = "methods of an interface, with those of its superinterfaces";
        too_many(errors, what, count, 128, "4.3.7.7");
    }
}

/// An abstract class declares nothing for the interface methods that it leaves to its
/// subclasses, but its interface tables need their tokens: it gets abstract methods for them.
fn add_mirandas(world: &mut World, class: ClassId) {
    if world.classes[class].access & acc::ABSTRACT == 0 {
        return;
    }
    let mut missing: Vec<Method> = Vec::new();
    for interface in world.interfaces(class) {
        for method in &world.classes[interface].methods {
            let known = find_virtual(world, class, &method.name, &method.descriptor).is_some()
                || missing.iter().any(|other| {
                    other.name == method.name && other.descriptor == method.descriptor
                });
            if !known && method.binding == Binding::Interface {
                missing.push(Method {
                    access: acc::PUBLIC | acc::ABSTRACT,
                    binding: Binding::Virtual,
                    token: None,
                    ..method.clone()
                });
            }
        }
    }
    world.classes[class].methods.append(&mut missing);
}

/// The virtual method of this name that objects of `class` have.
pub(crate) fn find_virtual(
    world: &World,
    class: ClassId,
    name: &str,
    descriptor: &str,
) -> Option<MemberId> {
    world.ancestry(class).into_iter().find_map(|class| {
        world
            .declared(class, name, descriptor)
            .filter(|id| world.method(*id).binding == Binding::Virtual)
    })
}

/// Public and protected static members are numbered in every class, whether others see the class
/// or not (JCVM 6.13.2, 6.13.3: only private and package-visible ones have no token).
fn static_tokens(world: &mut World, class: ClassId, errors: &mut Errors) {
    let class = &mut world.classes[class];
    let methods = class.methods.iter_mut().filter(|method| {
        let counts = method.binding == Binding::Static && method.name != "<clinit>";
        counts && method.is_open()
    });
    let fields = class.fields.iter_mut().filter(|field| {
        let open = field.access & (acc::PUBLIC | acc::PROTECTED) != 0;
        field.is_static() && open && field.constant.is_none()
    });
    let (mut static_methods, mut static_fields) = (0, 0);
    for method in methods {
        method.token = u8::try_from(static_methods).ok();
        static_methods += 1;
    }
    for field in fields {
        field.token = u8::try_from(static_fields).ok();
        static_fields += 1;
    }
    for (count, what) in [
        (
            static_methods,
            "public and protected static methods and constructors of a class",
        ),
        (
            static_fields,
            "public and protected static fields of a class",
        ),
    ] {
        // Tokens are 0 to 254 (JCVM table 4-1).
        if count > 255 {
            too_many(errors, what, count, 255, "2.2.4.2");
        }
    }
}

/// Order of instance fields, so that references stand together (JCVM 4.3.7.5).
fn category(field: &Field) -> u8 {
    let open = field.access & (acc::PUBLIC | acc::PROTECTED) != 0;
    let reference = field.field_type().storage() == Storage::Reference;
    match (open, reference) {
        (true, false) => 0,
        (true, true) => 1,
        (false, true) => 2,
        (false, false) => 3,
    }
}

fn instance_fields(world: &mut World, class: ClassId, errors: &mut Errors) -> Layout {
    // An object's cells are those of its superclasses as well, as far as they can be counted.
    let above = world.ancestry(class).into_iter().skip(1);
    let inherited = above
        .filter(|above| world.classes[*above].is_own())
        .flat_map(|above| &world.classes[above].fields)
        .filter(|field| !field.is_static())
        .map(|field| field.field_type().cells())
        .sum::<usize>();
    let class = &mut world.classes[class];
    let mut fields: Vec<&mut Field> = class
        .fields
        .iter_mut()
        .filter(|field| !field.is_static())
        .collect();
    fields.sort_by_key(|field| category(field));
    let cells: usize = fields.iter().map(|field| field.field_type().cells()).sum();
    let mut layout = Layout {
        instance_size: cells,
        ..Layout::default()
    };
    if inherited + cells > 255 {
        too_many(
            errors,
            "cells of an object's fields",
            inherited + cells,
            255,
            "2.2.4.3",
        );
        return layout;
    }
    let mut next = 0;
    for field in fields {
        let token = next;
        // An int takes two cells, and the number after its own (JCVM 4.3.7.5).
        next += field.field_type().cells() as u8;
        field.token = Some(token);
        if matches!(category(field), 1 | 2) {
            layout.first_reference.get_or_insert(token);
            layout.references += 1;
        }
    }
    layout
}

/// Number of public virtual tokens that an imported class has.
fn imported_tokens(world: &World, class: ClassId) -> usize {
    world
        .ancestry(class)
        .into_iter()
        .flat_map(|class| &world.classes[class].methods)
        .filter(|method| method.binding == Binding::Virtual)
        .filter_map(|method| method.token)
        .map(|token| usize::from(token) + 1)
        .max()
        .unwrap_or(0)
}

fn virtual_tokens(world: &mut World, class: ClassId, layouts: &mut [Layout], errors: &mut Errors) {
    let above = world.super_class(class);
    let (mut public, mut package) = match above {
        Some(above) if world.classes[above].is_own() => (
            layouts[above].public.entries.clone(),
            layouts[above].package.entries.clone(),
        ),
        Some(above) => (vec![None; imported_tokens(world, above)], Vec::new()),
        None => (Vec::new(), Vec::new()),
    };
    let (mut public_base, mut package_base) = (None::<usize>, None::<usize>);
    let lower = |base: &mut Option<usize>, token: usize| {
        *base = Some(base.map_or(token, |base| base.min(token)));
    };
    for index in 0..world.classes[class].methods.len() {
        let id = MemberId { class, index };
        let method = world.method(id);
        if method.binding != Binding::Virtual {
            continue;
        }
        let is_open = method.is_open();
        let (open, hidden) = overridden(world, class, id);
        if let Some(token) = hidden {
            // A package-visible method of a superclass: its callers must come here.
            let slot = usize::from(token & !PACKAGE_TOKEN);
            if let Some(entry) = package.get_mut(slot) {
                *entry = Some(id);
                lower(&mut package_base, slot);
            }
        }
        let token = match (open, hidden, is_open) {
            (Some(token), _, _) => {
                let slot = usize::from(token);
                if let Some(entry) = public.get_mut(slot) {
                    *entry = Some(id);
                }
                lower(&mut public_base, slot);
                slot
            }
            (None, Some(token), false) => usize::from(token),
            (None, _, true) => {
                public.push(Some(id));
                lower(&mut public_base, public.len() - 1);
                public.len() - 1
            }
            (None, None, false) => {
                package.push(Some(id));
                lower(&mut package_base, package.len() - 1);
                (package.len() - 1) | usize::from(PACKAGE_TOKEN)
            }
        };
        world.classes[class].methods[index].token = Some(token as u8);
    }
    for (count, what) in [
        (
            public.len(),
            "public and protected methods of a class and its superclasses",
        ),
        (
            package.len(),
            "package-visible methods of a class and its superclasses",
        ),
    ] {
        if count > 128 {
            too_many(errors, what, count, 128, "2.2.4.2");
        }
    }
    let layout = &mut layouts[class];
    layout.public.base = public_base.unwrap_or(public.len());
    layout.public.entries = public;
    layout.package.base = package_base.unwrap_or(package.len());
    layout.package.entries = package;
}

/// The public token, and the package-visible one, of the methods that this one overrides.
fn overridden(world: &World, class: ClassId, id: MemberId) -> (Option<u8>, Option<u8>) {
    let method = world.method(id);
    let (mut open, mut hidden) = (None, None);
    for above in world.ancestry(class).into_iter().skip(1) {
        let Some(other) = world.declared(above, &method.name, &method.descriptor) else {
            continue;
        };
        let other = world.method(other);
        if other.binding != Binding::Virtual {
            continue;
        }
        match other.token {
            Some(token) if token & PACKAGE_TOKEN == 0 => open = open.or(Some(token)),
            Some(token) if world.same_package(class, above) => hidden = hidden.or(Some(token)),
            _ => {}
        }
    }
    (open, hidden)
}

impl World {
    /// The token of an interface's method in that interface. An API table lists an inherited
    /// method only where its token differs from the one it has in the superinterface.
    pub(crate) fn interface_token(
        &self,
        interface: ClassId,
        name: &str,
        descriptor: &str,
    ) -> Option<u8> {
        let mut places = vec![interface];
        places.extend(self.interfaces(interface));
        let found = places
            .into_iter()
            .find_map(|class| self.declared(class, name, descriptor))?;
        self.method(found).token
    }
}
