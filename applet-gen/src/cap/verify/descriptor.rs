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
    if context.typed {
        constants(context, descriptor, report);
    }
    tiling(context, report);
    for class in &descriptor.classes {
        flags(class, report);
        fields(context, class, report);
        tokens(context, class, report);
        let interface = class.access_flags & access::INTERFACE != 0;
        for method in &class.methods {
            if !interface {
                check_method(context, method, report);
            }
            if context.typed && context.signature_at(method.type_offset).is_none() {
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

/// One type for each constant: that of the field or method that it means, in the Descriptor or in
/// the imported package.
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
        if let Some((expected, found)) = constant_type(context, constant, *kind) {
            let of = constant.kind();
            report.component(
                COMPONENT,
                None,
                format!("the type of constant {index}, {of}: {expected}"),
                found,
            );
        }
    }
}

/// Expected and found, where they differ.
fn constant_type(
    context: &Context<'_>,
    constant: &Constant,
    kind: u16,
) -> Option<(String, String)> {
    let none = || format!("none at {kind:#06x}");
    match constant {
        Constant::Class(_) => {
            (kind != NO_TYPE).then(|| (format!("{NO_TYPE:#06x}"), format!("{kind:#06x}")))
        }
        Constant::InstanceField { .. } | Constant::StaticField(_) => {
            // A primitive type has a descriptor here, unlike with the fields themselves.
            let listed = context.field_kind(kind).filter(|_| kind & PRIMITIVE == 0);
            let Some(field) = context.field(constant) else {
                return listed.is_none().then(|| ("a field's type".into(), none()));
            };
            let found = listed.map_or_else(none, |kind| kind.to_string());
            (listed != Some(field.kind)).then(|| (field.kind.to_string(), found))
        }
        _ => {
            let listed = context.signature_at(kind);
            let Some(method) = context.method(constant) else {
                return listed.is_none().then(|| ("a method's type".into(), none()));
            };
            let found = listed.as_ref().map_or_else(none, ToString::to_string);
            (listed != Some(method.signature.clone()))
                .then(|| (method.signature.to_string(), found))
        }
    }
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
        if context.typed && context.field_kind(field.kind).is_none() {
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
            FieldRef::Instance { token, .. } if ![token, NO_TOKEN].contains(&field.token) => {
                place(
                    report,
                    format!("field token {token}"),
                    field.token.to_string(),
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

/// Flags that exclude or demand each other (JCVM 6.13.1 to 6.13.3).
fn flags(class: &ClassDescriptor, report: &mut Report) {
    let this = class.this_class;
    let mut wrong = |expected: &str, found: String| {
        report.component(COMPONENT, None, format!("{expected} of {this}"), found);
    };
    let interface = class.access_flags & access::INTERFACE != 0;
    let class_flags = access::PUBLIC | access::FINAL | access::INTERFACE | access::CLASS_ABSTRACT;
    if class.access_flags & !class_flags != 0 {
        wrong("flags", format!("{:#04x}", class.access_flags));
    }
    if interface && class.access_flags & access::CLASS_ABSTRACT == 0 {
        wrong(
            "ACC_ABSTRACT among the flags",
            "an interface without".into(),
        );
    }
    if interface && !(class.fields.is_empty() && class.interfaces.is_empty()) {
        // Its superinterfaces stand in the Class component.
        wrong("neither fields nor interfaces in the entry", "some".into());
    }
    if class.access_flags & access::PUBLIC == 0 && class.token != NO_TOKEN {
        wrong("no token, as it is not public,", class.token.to_string());
    }
    let visibility = |flags: u8| {
        let all = access::PUBLIC | access::PRIVATE | access::PROTECTED;
        (flags & all).count_ones()
    };
    for field in &class.fields {
        if visibility(field.access_flags) > 1 || field.access_flags & !0x1F != 0 {
            wrong("a field's flags", format!("{:#04x}", field.access_flags));
        }
        let open = field.access_flags & (access::PUBLIC | access::PROTECTED) != 0;
        let fixed = matches!(field.field_ref, FieldRef::Static(_));
        if fixed && !open && field.token != NO_TOKEN {
            wrong(
                "no token for a static field of the package",
                field.token.to_string(),
            );
        }
    }
    for method in &class.methods {
        let is = |flag| method.access_flags & flag != 0;
        let (abstract_, init) = (is(access::METHOD_ABSTRACT), is(access::INIT));
        let bound = is(access::STATIC) || init || is(access::PRIVATE);
        let fits = visibility(method.access_flags) <= 1
            && method.access_flags & 0x20 == 0
            && !(is(access::STATIC) && init)
            && !(abstract_ && (bound || is(access::FINAL)));
        if !fits {
            wrong("a method's flags", format!("{:#04x}", method.access_flags));
        }
        let open = is(access::PUBLIC) || is(access::PROTECTED);
        if bound && !open && method.token != NO_TOKEN {
            wrong(
                "no token for a method of the package",
                method.token.to_string(),
            );
        }
        if interface {
            let bare = method.method_offset == 0
                && method.bytecode_count == 0
                && method.handler_count == 0
                && method.handler_index == 0;
            if !(abstract_ && is(access::PUBLIC) && bare) {
                wrong(
                    "public abstract methods without code",
                    format!("token {}", method.token),
                );
            }
        } else {
            if abstract_ && class.access_flags & access::CLASS_ABSTRACT == 0 {
                wrong("ACC_ABSTRACT among the flags", "an abstract method".into());
            }
            // Virtual methods are called by their token (JCVM 4.3.7.6).
            if !bound && method.token == NO_TOKEN {
                let found = format!("none for the one at {:#06x}", method.method_offset);
                wrong("a token for a virtual method", found);
            }
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
    if context
        .owners
        .get(&offset)
        .is_none_or(|(_, owner)| *owner != method)
    {
        report.method(offset, "one entry in the Descriptor", "two");
    }
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
    if let Some(signature) = context.signature_at(method.type_offset) {
        let this = u16::from(method.access_flags & access::STATIC == 0);
        let expected = signature.words() + this;
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
    if count == 0 && first != 0 {
        report.method(offset, "exception_handler_index 0 without handlers", first);
    }
    let begin = usize::from(info.code_offset);
    let within = |at: u16| (begin..begin + info.code.len()).contains(&usize::from(at));
    let others = handlers.iter().enumerate().filter(|(index, handler)| {
        within(handler.start) && !(first..first + count).contains(index)
    });
    for (index, _) in others {
        let expected = format!("exception handler {index} in its entry of the Descriptor");
        report.method(offset, expected, "others only");
    }
    match own {
        Some(own) => {
            for handler in own.iter().filter(|handler| !within(handler.start)) {
                report.method(
                    offset,
                    format!("{count} exception handlers of its own from {first} on"),
                    format!("a handler of code at {:#06x}", handler.start),
                );
            }
        }
        None => report.method(
            offset,
            format!("{count} exception handlers from {first} on"),
            format!("{} handlers in the component", handlers.len()),
        ),
    }
}
