//! The Debug component of a converted package.

use super::assemble::{Components, Parts};
use super::check::source;
use super::method::Assembled;
use super::world::{ClassId, MemberId};
use crate::api::flags;
use crate::cap::ClassRef;
use crate::cap::debug::{Debug, DebugClass, DebugField, DebugLine, DebugMethod, DebugVariable};
use crate::classfile::{ClassFile, Code, acc};

/// Names, lines and variables of every class, in the order of the Class component.
pub(crate) fn debug(
    parts: &Parts<'_>,
    made: &Components,
    files: &[ClassFile],
    package: &str,
) -> Debug {
    let classes = parts.order.iter();
    Debug {
        package: package.to_owned(),
        classes: classes
            .filter_map(|id| Some(class(parts, made, *id, files.get(*id)?)))
            .collect(),
    }
}

fn class(parts: &Parts<'_>, made: &Components, id: ClassId, file: &ClassFile) -> DebugClass {
    let world = parts.world;
    let class = &world.classes[id];
    let kept = flags::PUBLIC | flags::FINAL | flags::INTERFACE | flags::ABSTRACT;
    let mut access = class.access & kept;
    if world.is_shareable(id) {
        access |= flags::SHAREABLE;
    }
    let location = match made.places.class_ref(world, id) {
        ClassRef::Internal(offset) => offset,
        ClassRef::External { .. } => u16::MAX,
    };
    let fields = class.fields.iter().enumerate().map(|(index, field)| {
        let at = parts.image.offsets.get(&MemberId { class: id, index });
        DebugField {
            name: field.name.clone(),
            descriptor: field.descriptor.clone(),
            access: field.access & member_flags(),
            contents: match (field.constant, field.is_static()) {
                (Some(value), _) => value as u32,
                (None, true) => at.copied().unwrap_or(u16::MAX).into(),
                (None, false) => field.token.unwrap_or(u8::MAX).into(),
            },
        }
    });
    let methods = class.methods.iter().enumerate();
    let methods = methods.filter(|(index, method)| {
        let dropped = parts.dropped.contains(&MemberId {
            class: id,
            index: *index,
        });
        method.name != "<clinit>" && !dropped
    });
    DebugClass {
        name: class.name.clone(),
        access,
        location,
        super_name: class.super_name.clone().unwrap_or_default(),
        source: source(file),
        interfaces: (world.interfaces(id).into_iter())
            .map(|above| world.classes[above].name.clone())
            .collect(),
        fields: fields.collect(),
        methods: methods
            .map(|(index, _)| method(parts, made, MemberId { class: id, index }, file))
            .collect(),
    }
}

/// Flags of fields and methods that the component has a bit for.
fn member_flags() -> u16 {
    acc::PUBLIC | acc::PRIVATE | acc::PROTECTED | acc::STATIC | acc::FINAL | acc::ABSTRACT
}

fn method(parts: &Parts<'_>, made: &Components, id: MemberId, file: &ClassFile) -> DebugMethod {
    let method = parts.world.method(id);
    let mut described = DebugMethod {
        name: method.name.clone(),
        descriptor: method.descriptor.clone(),
        access: method.access & member_flags(),
        ..DebugMethod::default()
    };
    if let Some(place) = made.places.methods.get(&id) {
        described.location = place.offset;
        described.header_size = made
            .method
            .header_at(place.offset)
            .map_or(0, |header| header.len() as u8);
        described.body_size = place.code_len;
    }
    // Methods that the class only inherits stand behind those of the class file.
    let code = file.methods.get(id.index).and_then(|m| m.code.as_ref());
    if let Some((code, assembled)) = code.zip(parts.methods.get(&id)) {
        described.lines = lines(code, assembled);
        described.variables = variables(code, assembled);
    }
    described
}

/// Runs of instructions of one line.
fn lines(code: &Code, assembled: &Assembled) -> Vec<DebugLine> {
    let mut lines: Vec<DebugLine> = Vec::new();
    let starts = &assembled.origins;
    for (index, (start, from)) in starts.iter().enumerate() {
        let end = starts
            .get(index + 1)
            .map_or(assembled.code.len(), |(next, _)| *next);
        let (start, end) = (*start as u16, end.saturating_sub(1) as u16);
        let Some(line) = code.line(*from) else {
            continue;
        };
        match lines.last_mut() {
            Some(last) if last.line == line && last.end.checked_add(1) == Some(start) => {
                last.end = end;
            }
            _ => lines.push(DebugLine { start, end, line }),
        }
    }
    lines
}

/// The variables over the code made of their scope; those of which nothing is left are not there.
fn variables(code: &Code, assembled: &Assembled) -> Vec<DebugVariable> {
    let starts = &assembled.origins;
    let in_scope = code.variables.iter().filter_map(|variable| {
        let scope = variable.start..variable.end;
        let mut of_scope = starts
            .iter()
            .enumerate()
            .filter(|(_, (_, from))| scope.contains(from));
        let (first, (start, _)) = of_scope.next()?;
        let last = of_scope.next_back().map_or(first, |(last, _)| last);
        let end = starts
            .get(last + 1)
            .map_or(assembled.code.len(), |(next, _)| *next);
        Some(DebugVariable {
            index: assembled.local(variable.index)?,
            name: variable.name.clone(),
            descriptor: variable.descriptor.clone(),
            start: *start as u16,
            length: (end - start) as u16,
        })
    });
    let mut variables: Vec<DebugVariable> = in_scope.collect();
    variables.sort_by_key(|variable| (variable.index, variable.start));
    variables
}
