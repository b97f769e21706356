//! Static Field against the fields of the Descriptor (JCVM 6.10).

use std::collections::BTreeMap;

use super::Report;
use super::context::Context;
use super::members::Kind;
use crate::cap::descriptor::FieldRef;
use crate::cap::{ArrayInit, ComponentTag, StaticRef};

const COMPONENT: ComponentTag = ComponentTag::StaticField;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    sizes(context, report);
    let fields = &context.cap.static_field;
    for array in &fields.arrays {
        elements(array, report);
    }
    if context.typed {
        layout(context, report);
    }
}

fn sizes(context: &Context<'_>, report: &mut Report) {
    let fields = &context.cap.static_field;
    let sum = usize::from(fields.reference_count) * 2
        + usize::from(fields.default_value_count)
        + fields.values.len();
    if sum != usize::from(fields.image_size) {
        report.component(
            COMPONENT,
            Some(0),
            format!("image_size {sum}, the sum of its parts"),
            fields.image_size,
        );
    }
    if fields.arrays.len() > usize::from(fields.reference_count) {
        report.component(
            COMPONENT,
            Some(4),
            format!("{} arrays at most, one a reference", fields.reference_count),
            fields.arrays.len(),
        );
    }
}

fn elements(array: &ArrayInit, report: &mut Report) {
    let size = match array.kind {
        4 => 2,
        5 => 4,
        _ => 1,
    };
    let length = array.values.len();
    if !length.is_multiple_of(size) || length / size > 0x7FFF {
        let expected = format!("an array's values in up to 32767 elements of {size} bytes");
        report.component(COMPONENT, None, expected, length);
    }
    if array.kind == 2 && array.values.iter().any(|value| *value > 1) {
        let found = "another value";
        report.component(COMPONENT, None, "0 or 1 in an array of booleans", found);
    }
}

/// The fields fill the image without holes: references first, those of the arrays before all.
fn layout(context: &Context<'_>, report: &mut Report) {
    let image = &context.cap.static_field;
    let references = usize::from(image.reference_count) * 2;
    let mut fields: BTreeMap<u16, Kind<'_>> = BTreeMap::new();
    let described = context
        .cap
        .descriptor
        .iter()
        .flat_map(|table| &table.classes);
    for class in described {
        let Some(owner) = context.class(class.this_class) else {
            continue;
        };
        for field in &class.fields {
            let FieldRef::Static(StaticRef::Internal(offset)) = field.field_ref else {
                if matches!(field.field_ref, FieldRef::Static(_)) {
                    let found = "one of another package";
                    report.component(ComponentTag::Descriptor, None, "a field of its own", found);
                }
                continue;
            };
            let Some(found) = context.own_field(owner, field) else {
                continue;
            };
            if fields.insert(offset, found.kind).is_some() {
                let expected = format!("one static field at offset {offset}");
                report.component(ComponentTag::Descriptor, None, expected, "two");
            }
        }
    }
    let mut at = 0;
    for (offset, kind) in &fields {
        let offset = usize::from(*offset);
        if offset != at {
            let expected = format!("a static field at offset {at} of the image");
            report.component(
                ComponentTag::Descriptor,
                None,
                expected,
                format!("one at {offset}"),
            );
        }
        let reference = kind.is_reference();
        if reference != (offset < references) {
            report.component(
                ComponentTag::Descriptor,
                None,
                format!("references below offset {references} of the image, others above"),
                format!("{kind} at {offset}"),
            );
        }
        if let Some(array) = image.arrays.get(offset / 2).filter(|_| reference) {
            let fits = matches!(
                (kind, array.kind),
                (Kind::BooleanArray, 2)
                    | (Kind::ByteArray, 3)
                    | (Kind::ShortArray, 4)
                    | (Kind::IntArray, 5)
            );
            if !fits {
                let expected = format!("{kind} at offset {offset} of the image");
                let found = format!("an array of type {}", array.kind);
                report.component(COMPONENT, None, expected, found);
            }
        }
        if let (Kind::Boolean, Some(first)) = (kind, offset.checked_sub(initial(context))) {
            let value = image.values.get(first).copied().unwrap_or(0);
            if value > 1 {
                report.component(COMPONENT, None, "0 or 1 in a boolean field", value);
            }
        }
        at = offset
            + match kind {
                Kind::Boolean | Kind::Byte => 1,
                Kind::Int => 4,
                _ => 2,
            };
    }
    if at != usize::from(image.image_size) {
        let expected = format!("image_size {at}, the end of the last static field");
        report.component(COMPONENT, Some(0), expected, image.image_size);
    }
}

/// Where the fields with an initial value start.
fn initial(context: &Context<'_>) -> usize {
    let image = &context.cap.static_field;
    usize::from(image.reference_count) * 2 + usize::from(image.default_value_count)
}
