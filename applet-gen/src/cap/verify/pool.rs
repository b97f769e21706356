//! The constant pool, classes, applets and exports: does every reference lead somewhere?

use super::Report;
use super::context::{Context, Target};
use crate::cap::class::{ACC_SHAREABLE, NO_METHOD, NO_REFERENCE};
use crate::cap::descriptor::FieldRef;
use crate::cap::{ClassInfo, ClassRef, ComponentTag, Constant, StaticRef};

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for (index, constant) in context.cap.constant_pool.iter().enumerate() {
        if let Err((expected, found)) = check_constant(context, constant) {
            let kind = constant.kind();
            let expected = format!("{kind} of {expected}");
            report.component(ComponentTag::ConstantPool, Some(index), expected, found);
        }
    }
    for interface in &context.cap.class.interfaces {
        for parent in &interface.superinterfaces {
            check_interface(context, interface.offset, *parent, report);
        }
    }
    for class in &context.cap.class.classes {
        check_class(context, class, report);
    }
    applets(context, report);
    exports(context, report);
}

/// Expected and found.
type Wrong = (&'static str, String);

fn check_constant(context: &Context<'_>, constant: &Constant) -> Result<(), Wrong> {
    match constant {
        Constant::Class(class) => context
            .class_exists(*class)
            .map_err(|found| ("a class", found)),
        Constant::InstanceField { class, token } => instance_field(context, *class, *token),
        Constant::VirtualMethod { class, token } => {
            context
                .class_exists(*class)
                .map_err(|found| ("a class", found))?;
            exists(context.virtual_method(*class, *token), *class, *token)
        }
        Constant::SuperMethod { class, token } => {
            let ClassRef::Internal(offset) = class else {
                return Err(("a class of this package", class.to_string()));
            };
            let parent = context
                .cap
                .class
                .class_at(*offset)
                .and_then(|class| class.super_class)
                .ok_or_else(|| ("a class with a superclass", class.to_string()))?;
            exists(context.virtual_method(parent, *token), parent, *token)
        }
        Constant::StaticField(target) => match target {
            StaticRef::Internal(offset) => {
                let size = context.cap.static_field.image_size;
                (*offset < size).then_some(()).ok_or_else(|| {
                    (
                        "a field in the image",
                        format!("offset {offset} of {size} bytes"),
                    )
                })
            }
            StaticRef::External {
                package,
                class,
                token,
            } => {
                let known = context
                    .external(*package, *class)
                    .map_err(|found| ("an imported class", found))?;
                let exists = known.is_none_or(|known| {
                    known.fields.iter().any(|field| field.token == Some(*token))
                });
                exists
                    .then_some(())
                    .ok_or_else(|| ("an imported field", format!("token {token}")))
            }
        },
        Constant::StaticMethod(target) => match target {
            StaticRef::Internal(offset) => context
                .methods
                .contains_key(offset)
                .then_some(())
                .ok_or_else(|| ("a method", format!("no method at {offset:#06x}"))),
            StaticRef::External {
                package,
                class,
                token,
            } => {
                let known = context
                    .external(*package, *class)
                    .map_err(|found| ("an imported class", found))?;
                let exists = known.is_none_or(|known| {
                    known
                        .methods
                        .iter()
                        .any(|method| method.is_static_token() && method.token == *token)
                });
                exists.then_some(()).ok_or_else(|| {
                    (
                        "an imported static method or constructor",
                        format!("token {token}"),
                    )
                })
            }
        },
    }
}

fn exists(target: Target<'_>, class: ClassRef, token: u8) -> Result<(), Wrong> {
    match target {
        Target::Missing => Err(("a virtual method", format!("no token {token} in {class}"))),
        _ => Ok(()),
    }
}

fn instance_field(context: &Context<'_>, class: ClassRef, token: u8) -> Result<(), Wrong> {
    match class {
        ClassRef::Internal(offset) => {
            let info = context
                .cap
                .class
                .class_at(offset)
                .ok_or_else(|| ("a class", format!("no class at {offset:#06x}")))?;
            let listed = context.descriptor_of(class).is_none_or(|descriptor| {
                descriptor
                    .fields
                    .iter()
                    .any(|field| field.field_ref == FieldRef::Instance { class, token })
            });
            (listed && token < info.declared_instance_size)
                .then_some(())
                .ok_or_else(|| ("a field of its class", format!("token {token} in {class}")))
        }
        ClassRef::External { package, class } => {
            let known = context
                .external(package, class)
                .map_err(|found| ("an imported class", found))?;
            let exists = known
                .is_none_or(|known| known.fields.iter().any(|field| field.token == Some(token)));
            exists
                .then_some(())
                .ok_or_else(|| ("an imported field", format!("token {token}")))
        }
    }
}

fn check_interface(context: &Context<'_>, at: u16, parent: ClassRef, report: &mut Report) {
    let place = Some(usize::from(at));
    match context.class_exists(parent) {
        Err(found) => report.component(ComponentTag::Class, place, "an interface", found),
        Ok(()) if !context.is_interface(parent, true) => {
            report.component(ComponentTag::Class, place, "an interface", parent);
        }
        Ok(()) => {}
    }
}

fn check_class(context: &Context<'_>, class: &ClassInfo, report: &mut Report) {
    let place = Some(usize::from(class.offset));
    let mut wrong = |expected: String, found: String| {
        report.component(ComponentTag::Class, place, expected, found);
    };
    match class.super_class {
        None => wrong("a superclass".into(), "none".into()),
        Some(ClassRef::Internal(parent)) if parent >= class.offset => wrong(
            "a superclass that stands before the class".into(),
            format!("{parent:#06x}"),
        ),
        Some(parent) => match context.class_exists(parent) {
            Err(found) => wrong("a superclass".into(), found),
            Ok(()) if context.is_interface(parent, false) => {
                wrong("a superclass".into(), format!("interface {parent}"));
            }
            Ok(()) => {}
        },
    }
    let inherits = matches!(class.super_class, Some(ClassRef::External { .. }));
    for (table, name) in [
        (&class.public_methods, "public"),
        (&class.package_methods, "package"),
    ] {
        for (index, entry) in table.iter().enumerate() {
            // Only what another package's superclass defines has no method here.
            let inherited = *entry == NO_METHOD && (inherits || class.super_class.is_some());
            if !inherited && !context.methods.contains_key(entry) {
                wrong(
                    format!("a method in the {name} table at {index}"),
                    format!("{entry:#06x}"),
                );
            }
        }
    }
    let references = u16::from(class.reference_count);
    let first = u16::from(class.first_reference_token);
    let size = u16::from(class.declared_instance_size);
    let fit = if references == 0 {
        class.first_reference_token == NO_REFERENCE
    } else {
        first + references <= size
    };
    if !fit {
        wrong(
            format!("reference fields within {size} cells"),
            format!("{references} from token {first}"),
        );
    }
    for implemented in &class.interfaces {
        let interface = implemented.interface;
        if let Err(found) = context.class_exists(interface) {
            wrong("an interface".into(), found);
            continue;
        }
        if !context.is_interface(interface, true) {
            wrong("an interface".into(), interface.to_string());
            continue;
        }
        if let Some(count) = interface_size(context, interface)
            && count != implemented.methods.len()
        {
            wrong(
                format!("{count} methods of {interface}"),
                implemented.methods.len().to_string(),
            );
        }
        let this = ClassRef::Internal(class.offset);
        for token in &implemented.methods {
            if matches!(context.virtual_method(this, *token), Target::Missing) {
                wrong(
                    format!("a virtual method for {interface}"),
                    format!("token {token}"),
                );
            }
        }
        let shareable = match interface {
            ClassRef::Internal(offset) => context
                .cap
                .class
                .interface_at(offset)
                .is_some_and(|found| found.flags & ACC_SHAREABLE != 0),
            ClassRef::External { package, class } => context
                .external(package, class)
                .ok()
                .flatten()
                .is_some_and(|known| known.is_shareable()),
        };
        if shareable && class.flags & ACC_SHAREABLE == 0 {
            wrong(
                format!("ACC_SHAREABLE, as it implements {interface}"),
                "not set".into(),
            );
        }
    }
}

/// Number of methods of an imported interface.
fn interface_size(context: &Context<'_>, interface: ClassRef) -> Option<usize> {
    let ClassRef::External { package, class } = interface else {
        return None;
    };
    context.external(package, class).ok().flatten()?;
    (0..=u8::MAX)
        .find(|token| matches!(context.virtual_method(interface, *token), Target::Missing))
        .map(usize::from)
}

fn applets(context: &Context<'_>, report: &mut Report) {
    for (index, applet) in context.cap.applets.iter().enumerate() {
        let offset = applet.install_method_offset;
        let place = Some(index);
        let Some(method) = context.methods.get(&offset) else {
            report.component(
                ComponentTag::Applet,
                place,
                "an install method",
                format!("no method at {offset:#06x}"),
            );
            continue;
        };
        use crate::cap::descriptor::access::{PUBLIC, STATIC};
        let flags = PUBLIC | STATIC;
        let listed = context
            .method_descriptor(offset)
            .is_none_or(|listed| listed.access_flags & flags == flags);
        if method.header.nargs != 3 || method.header.is_abstract() || !listed {
            report.component(
                ComponentTag::Applet,
                place,
                "public static void install(byte[], short, byte)",
                format!(
                    "the method at {offset:#06x} with nargs {}",
                    method.header.nargs
                ),
            );
        }
    }
}

fn exports(context: &Context<'_>, report: &mut Report) {
    let component = ComponentTag::Export;
    for (token, class) in context
        .cap
        .export
        .iter()
        .flat_map(|e| e.classes.iter().enumerate())
    {
        if let Err(found) = context.class_exists(ClassRef::Internal(class.class_offset)) {
            let expected = format!("a class for token {token}");
            report.component(component, None, expected, found);
        }
        for offset in &class.static_methods {
            if !context.methods.contains_key(offset) {
                report.component(
                    component,
                    None,
                    format!("a static method of class {token}"),
                    format!("no method at {offset:#06x}"),
                );
            }
        }
        for offset in &class.static_fields {
            if *offset >= context.cap.static_field.image_size {
                report.component(
                    component,
                    None,
                    format!("a static field of class {token}"),
                    format!("offset {offset} outside the image"),
                );
            }
        }
    }
}
