//! The constant pool, applets and exports: does every reference lead somewhere?

use super::Report;
use super::context::{Context, Target};
use super::members::{Kind, Visibility};
use super::world::Class;
use crate::cap::descriptor::{FieldRef, NO_TOKEN};
use crate::cap::{ClassRef, ComponentTag, Constant, StaticRef};

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for (index, constant) in context.cap.constant_pool.iter().enumerate() {
        if let Err((expected, found)) = check_constant(context, constant) {
            let kind = constant.kind();
            let expected = format!("{kind} of {expected}");
            report.component(ComponentTag::ConstantPool, Some(index), expected, found);
        }
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

fn exists(target: Target, class: ClassRef, token: u8) -> Result<(), Wrong> {
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
        let found = context.method_at(offset).filter(|_| context.typed);
        let fits = found.as_ref().is_none_or(|found| {
            found.access.is_static
                && found.access.visibility == Visibility::Public
                && found.signature.parameters == [Kind::ByteArray, Kind::Short, Kind::Byte]
                && found.signature.result == Kind::Void
        });
        if method.header.nargs != 3 || method.header.is_abstract() || !fits {
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
        // JCRE 3.1: the class that has it is the applet's.
        let applet = context.class_named("javacard/framework/Applet");
        if let Some((found, applet)) = found.zip(applet)
            && !context.is_subclass(found.owner, applet)
        {
            report.component(
                ComponentTag::Applet,
                place,
                format!("an install method of a subclass of {applet}"),
                format!("one of {}", found.owner),
            );
        }
    }
}

fn exports(context: &Context<'_>, report: &mut Report) {
    let Some(export) = &context.cap.export else {
        return;
    };
    for (token, class) in export.classes.iter().enumerate() {
        let mut wrong = |expected: String, found: String| {
            report.component(ComponentTag::Export, None, expected, found);
        };
        let reference = ClassRef::Internal(class.class_offset);
        if let Err(found) = context.class_exists(reference) {
            wrong(format!("a class for token {token}"), found);
            continue;
        }
        let owner = Class::Own(class.class_offset);
        // JCVM 6.12: a package with applets gives others shareable interfaces only.
        if context.typed
            && !context.cap.applets.is_empty()
            && !(context.is_interface_class(owner) && context.is_shareable(owner))
        {
            let expected = format!("a shareable interface for token {token}, with applets");
            wrong(expected, owner.to_string());
        }
        let described = context.descriptor_of(reference);
        if let Some(described) = described
            && usize::from(described.token) != token
        {
            let expected = format!("the class with token {token}");
            wrong(expected, format!("{owner}, with token {}", described.token));
        }
        for (index, offset) in class.static_methods.iter().enumerate() {
            let listed = context.owners.get(offset);
            let fits = listed.is_none_or(|(class, method)| {
                let bound = context.method_at(*offset).is_none_or(|method| {
                    (method.access.is_static || method.access.is_init)
                        && method.access.visibility >= Visibility::Protected
                });
                *class == reference && usize::from(method.token) == index && bound
            });
            if !context.methods.contains_key(offset) || !fits {
                wrong(
                    format!("static method or constructor {index} of class {token}"),
                    match listed {
                        Some(_) => format!("another method at {offset:#06x}"),
                        None => format!("no method at {offset:#06x}"),
                    },
                );
            }
        }
        for (index, offset) in class.static_fields.iter().enumerate() {
            let wanted = FieldRef::Static(StaticRef::Internal(*offset));
            let fits = described.is_none_or(|described| {
                described
                    .fields
                    .iter()
                    .any(|field| field.field_ref == wanted && usize::from(field.token) == index)
            });
            if *offset >= context.cap.static_field.image_size || !fits {
                let found = format!("offset {offset} of the image");
                wrong(format!("static field {index} of class {token}"), found);
            }
        }
        // What has a token is exported under it: others link to all of it or to none.
        let missing = described
            .into_iter()
            .flat_map(|described| &described.methods);
        for method in missing.filter(|method| method.token != NO_TOKEN) {
            let bound = context
                .method_at(method.method_offset)
                .is_some_and(|method| method.access.is_static || method.access.is_init);
            if bound && class.static_methods.len() <= usize::from(method.token) {
                let expected = format!("method token {} of class {token}", method.token);
                wrong(expected, "no entry".into());
            }
        }
    }
}
