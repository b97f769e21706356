//! The Descriptor against Class, Method and ConstantPool.

use std::collections::BTreeSet;

use super::Report;
use super::context::Context;
use crate::cap::descriptor::{
    ClassDescriptor, FieldRef, MethodDescriptor, NO_TOKEN, NO_TYPE, PRIMITIVE, access,
};
use crate::cap::signature::kinds;
use crate::cap::{ClassRef, ComponentTag, Constant, Descriptor, StaticRef};

const COMPONENT: ComponentTag = ComponentTag::Descriptor;

pub(super) fn check(context: &Context<'_>, descriptor: &Descriptor, report: &mut Report) {
    classes(context, descriptor, report);
    types(context, descriptor, report);
    constants(context, descriptor, report);
    tiling(context, report);
    for class in &descriptor.classes {
        fields(context, class, report);
        tokens(context, class, report);
        let interface = class.access_flags & access::INTERFACE != 0;
        for method in &class.methods {
            if !interface {
                check_method(context, method, report);
            }
            if context.words_at(method.type_offset).is_none() {
                report.component(
                    COMPONENT,
                    None,
                    format!("a method's type at {:#06x}", method.type_offset),
                    "none",
                );
            }
        }
    }
}

/// Each class and interface of the Class component stands here once.
fn classes(context: &Context<'_>, descriptor: &Descriptor, report: &mut Report) {
    let component = &context.cap.class;
    let expected: BTreeSet<ClassRef> = component
        .interfaces
        .iter()
        .map(|interface| interface.offset)
        .chain(component.classes.iter().map(|class| class.offset))
        .map(ClassRef::Internal)
        .collect();
    let found: Vec<ClassRef> = descriptor
        .classes
        .iter()
        .map(|class| class.this_class)
        .collect();
    let set: BTreeSet<ClassRef> = found.iter().copied().collect();
    if set != expected || set.len() != found.len() {
        report.component(
            COMPONENT,
            Some(0),
            format!("each of the {} classes and interfaces once", expected.len()),
            format!(
                "{} entries for {} of them",
                found.len(),
                set.intersection(&expected).count()
            ),
        );
    }
    for class in &descriptor.classes {
        let interface = class.access_flags & access::INTERFACE != 0;
        if set == expected && context.is_interface(class.this_class, interface) != interface {
            report.component(
                COMPONENT,
                None,
                format!(
                    "ACC_INTERFACE as in the Class component for {}",
                    class.this_class
                ),
                format!("flags {:#04x}", class.access_flags),
            );
        }
        let both = access::FINAL | access::CLASS_ABSTRACT;
        if class.access_flags & both == both {
            report.component(
                COMPONENT,
                None,
                format!("{} final or abstract", class.this_class),
                "both",
            );
        }
        for reference in &class.interfaces {
            if let Err(found) = context.class_exists(*reference) {
                report.component(COMPONENT, None, "an interface", found);
            }
        }
    }
}

fn types(context: &Context<'_>, descriptor: &Descriptor, report: &mut Report) {
    for entry in &descriptor.types {
        let place = Some(usize::from(entry.offset));
        let Some(kinds) = kinds(&entry.nibbles) else {
            let nibbles: String = entry
                .nibbles
                .iter()
                .map(|nibble| format!("{nibble:X}"))
                .collect();
            report.component(COMPONENT, place, "a type descriptor", nibbles);
            continue;
        };
        for kind in kinds {
            use crate::cap::signature::Kind;
            if let Kind::Reference(class) | Kind::ReferenceArray(class) = kind
                && let Err(found) = context.class_exists(class)
            {
                report.component(COMPONENT, place, "a class in a type", found);
            }
        }
    }
}

/// One type for each constant, of the constant's kind.
fn constants(context: &Context<'_>, descriptor: &Descriptor, report: &mut Report) {
    let pool = &context.cap.constant_pool;
    let types = &descriptor.constant_pool_types;
    if pool.len() != types.len() {
        report.component(
            COMPONENT,
            None,
            format!("types for {} constants", pool.len()),
            types.len(),
        );
        return;
    }
    for (index, (constant, kind)) in pool.iter().zip(types).enumerate() {
        let fits = match constant {
            Constant::Class(_) => *kind == NO_TYPE,
            Constant::InstanceField { .. } | Constant::StaticField(_) => {
                *kind & PRIMITIVE == 0 && is_field_type(context, *kind)
            }
            _ => context.words_at(*kind).is_some(),
        };
        if !fits {
            report.component(
                COMPONENT,
                None,
                format!("a type for constant {index}, {}", constant.kind()),
                format!("{kind:#06x}"),
            );
        }
    }
}

fn is_field_type(context: &Context<'_>, kind: u16) -> bool {
    if kind & PRIMITIVE != 0 {
        return (PRIMITIVE + 2..=PRIMITIVE + 5).contains(&kind);
    }
    let descriptor = context.cap.descriptor.as_ref();
    descriptor
        .and_then(|descriptor| descriptor.type_at(kind))
        .and_then(|found| kinds(&found.nibbles))
        .is_some_and(|kinds| kinds.len() == 1)
}

/// The methods fill the Method component: no byte between them, none after the last.
fn tiling(context: &Context<'_>, report: &mut Report) {
    let mut at = context.cap.method.base();
    for method in context.methods.values() {
        if usize::from(method.offset) != at {
            report.component(
                ComponentTag::Method,
                Some(at),
                "a method where the one before it ends",
                format!(
                    "the next method of the Descriptor at {:#06x}",
                    method.offset
                ),
            );
        }
        at = usize::from(method.code_offset) + method.code.len();
    }
    if at != context.cap.method.end() {
        report.component(
            ComponentTag::Method,
            Some(at),
            "the end of the component after the last method of the Descriptor",
            format!("{} more bytes", context.cap.method.end().saturating_sub(at)),
        );
    }
}

fn fields(context: &Context<'_>, class: &ClassDescriptor, report: &mut Report) {
    for field in &class.fields {
        let place = |report: &mut Report, expected: String, found: String| {
            report.component(COMPONENT, None, expected, found);
        };
        if !is_field_type(context, field.kind) {
            place(
                report,
                "a field's type".into(),
                format!("{:#06x}", field.kind),
            );
        }
        match field.field_ref {
            FieldRef::Static(StaticRef::Internal(offset))
                if offset >= context.cap.static_field.image_size =>
            {
                let size = context.cap.static_field.image_size;
                place(
                    report,
                    format!("a static field below {size}"),
                    offset.to_string(),
                );
            }
            FieldRef::Instance { class: owner, .. } if owner != class.this_class => {
                let expected = format!("a field of {}", class.this_class);
                place(report, expected, owner.to_string());
            }
            _ => {}
        }
    }
}

/// Tokens lead to what Export and the virtual method tables have under them.
fn tokens(context: &Context<'_>, class: &ClassDescriptor, report: &mut Report) {
    let ClassRef::Internal(offset) = class.this_class else {
        return;
    };
    let export = context
        .cap
        .export
        .as_ref()
        .filter(|_| class.token != NO_TOKEN);
    let exported = export.and_then(|export| export.classes.get(usize::from(class.token)));
    // Packages with applets export shareable interfaces only (JCVM 6.12): their classes have
    // tokens, but no entry.
    let interface = class.access_flags & access::INTERFACE != 0;
    let hidden = exported.is_none() && !context.cap.applets.is_empty() && !interface;
    if export.is_some() && !hidden && exported.is_none_or(|entry| entry.class_offset != offset) {
        report.component(
            COMPONENT,
            None,
            format!("the token of {} in Export", class.this_class),
            class.token,
        );
    }
    let info = context.cap.class.class_at(offset);
    for method in class
        .methods
        .iter()
        .filter(|method| method.token != NO_TOKEN)
    {
        let bound = method.access_flags & (access::STATIC | access::INIT) != 0;
        let found = if bound {
            let Some(entry) = exported else {
                continue;
            };
            entry.static_methods.get(usize::from(method.token)).copied()
        } else {
            let Some(info) = info else {
                continue;
            };
            info.own_virtual_method(method.token)
        };
        if found != Some(method.method_offset) {
            report.component(
                COMPONENT,
                None,
                format!(
                    "method token {} of {} to lead to {:#06x}",
                    method.token, class.this_class, method.method_offset
                ),
                found.map_or_else(|| "nothing".to_owned(), |found| format!("{found:#06x}")),
            );
        }
    }
}

fn check_method(context: &Context<'_>, method: &MethodDescriptor, report: &mut Report) {
    let offset = method.method_offset;
    let Some(info) = context.methods.get(&offset) else {
        return;
    };
    let is_abstract = method.access_flags & access::METHOD_ABSTRACT != 0;
    if is_abstract != info.header.is_abstract() {
        report.method(
            offset,
            "ACC_ABSTRACT in header and Descriptor alike",
            format!(
                "descriptor {is_abstract}, header {}",
                info.header.is_abstract()
            ),
        );
    }
    if is_abstract && method.access_flags & access::FINAL != 0 {
        report.method(offset, "final or abstract", "both");
    }
    if let Some(words) = context.words_at(method.type_offset) {
        let this = u16::from(method.access_flags & access::STATIC == 0);
        let expected = words.parameters + this;
        if expected != u16::from(info.header.nargs) {
            report.method(
                offset,
                format!("nargs {expected} by its type"),
                info.header.nargs,
            );
        }
    }
    let handlers = &context.cap.method.handlers;
    let first = usize::from(method.handler_index);
    let count = usize::from(method.handler_count);
    let own = handlers.get(first..first + count);
    let begin = usize::from(info.code_offset);
    let within = |at: u16| (begin..begin + info.code.len()).contains(&usize::from(at));
    match own {
        Some(own) => {
            for handler in own.iter().filter(|handler| !within(handler.start)) {
                report.method(
                    offset,
                    format!("its exception handlers {first} to {}", first + count - 1),
                    format!("a handler of code at {:#06x}", handler.start),
                );
            }
        }
        None => report.method(
            offset,
            format!("exception handlers {first} to {}", first + count),
            format!("{} handlers in the component", handlers.len()),
        ),
    }
}
