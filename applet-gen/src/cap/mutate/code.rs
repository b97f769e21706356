//! One instruction is replaced, inserted or deleted.

use super::other_byte;
use crate::cap::class::NO_METHOD;
use crate::cap::decode::{Instruction, Operands, decode_all};
use crate::cap::descriptor::access;
use crate::cap::opcode::{Layout, TABLE};
use crate::cap::{Cap, Constant, MethodInfo, ReferenceLocation, StaticRef};
use applet_model::machine::random::Random;

/// What was changed, and the CAP; `None` if the draw leads to nothing that a CAP can hold.
pub(super) fn change(cap: &Cap, random: &mut Random) -> Option<(String, Cap)> {
    let methods = cap.methods().ok()?;
    let method = methods.get(random.below(methods.len()))?;
    let instructions = decode_all(&method.code).ok()?;
    let instruction = instructions.get(random.below(instructions.len()))?;
    let (at, length) = (instruction.at, instruction.len);
    let old = method.code.get(at..at + length)?;
    let (what, replaced, new) = match random.below(10) {
        0..3 => ("replaced", length, other_opcode(instruction, old, random)?),
        3..6 => ("operand", length, other_operand(old, random)?),
        6 => ("deleted", length, Vec::new()),
        7 => {
            // An instruction of the same method, put where it doesn't belong.
            let other = instructions.get(random.below(instructions.len()))?;
            let copied = method.code.get(other.at..other.at + other.len)?;
            ("copied in", 0, copied.to_vec())
        }
        8 => {
            let other = instructions.get(random.below(instructions.len()))?;
            let copied = method.code.get(other.at..other.at + other.len)?;
            ("replaced by a copy", length, copied.to_vec())
        }
        _ => ("inserted", 0, any_instruction(cap, random)),
    };
    let mut changed = splice(cap, method, at, replaced, &new)?;
    // A checker of stack depths only would see nothing: half of the mutants have room for more.
    if random.below(2) == 0 {
        deepen(&mut changed, method.offset);
    }
    let name = instruction.opcode.name;
    let place = usize::from(method.code_offset) + at;
    let text = format!("{name} at {place:#06x} {what}: {}", hex::encode(&new));
    Some((text, changed))
}

fn other_opcode(instruction: &Instruction, old: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let same = |layout: Layout| layout == instruction.opcode.layout;
    let alike: Vec<_> = TABLE.iter().filter(|row| same(row.layout)).collect();
    let row = if random.below(5) == 0 {
        TABLE.get(random.below(TABLE.len()))?
    } else {
        *alike.get(random.below(alike.len()))?
    };
    let mut new = old.to_vec();
    *new.first_mut()? = row.code;
    if !same(row.layout) {
        new.truncate(1);
        new.resize(1 + row.layout.fixed_len()?, 0);
        new.iter_mut()
            .skip(1)
            .for_each(|byte| *byte = random.byte() % 8);
    }
    Some(new)
}

fn other_operand(old: &[u8], random: &mut Random) -> Option<Vec<u8>> {
    let mut new = old.to_vec();
    let at = 1 + random.below(old.len().saturating_sub(1));
    let byte = new.get_mut(at)?;
    *byte = match random.below(2) {
        0 => random.byte() % 16,
        _ => other_byte(random, *byte),
    };
    Some(new)
}

fn any_instruction(cap: &Cap, random: &mut Random) -> Vec<u8> {
    loop {
        let Some(row) = TABLE.get(random.below(TABLE.len())) else {
            continue;
        };
        let Some(length) = row.layout.fixed_len() else {
            continue;
        };
        let mut bytes = vec![row.code];
        let index = random.below(cap.constant_pool.len());
        let index = u16::try_from(index).unwrap_or(0).to_be_bytes();
        match row.layout {
            Layout::Pool2 => bytes.extend(index),
            Layout::Pool1 => bytes.extend(index.get(1)),
            _ => bytes.extend((0..length).map(|_| random.byte() % 8)),
        }
        return bytes;
    }
}

/// Raises a method's max_stack by two, where its header has room.
fn deepen(cap: &mut Cap, offset: u16) {
    let Ok(mut header) = cap.method.header_at(offset) else {
        return;
    };
    let limit = if header.is_extended() { 253 } else { 13 };
    if header.max_stack > limit {
        return;
    }
    header.max_stack += 2;
    let at = usize::from(offset) - cap.method.base();
    let bytes = header.to_bytes();
    if let Some(place) = cap.method.methods.get_mut(at..at + bytes.len()) {
        place.copy_from_slice(&bytes);
    }
}

/// The CAP with `removed` bytes of a method's code from `at` on replaced by `new`, and every offset
/// that this moves put right; `None` if a branch or the component grows too long.
pub(in crate::cap) fn splice(
    cap: &Cap,
    method: &MethodInfo,
    at: usize,
    removed: usize,
    new: &[u8],
) -> Option<Cap> {
    let begin = usize::from(method.code_offset);
    let end = begin + at + removed;
    let shift = |offset: usize| {
        if offset < end {
            offset
        } else {
            offset + new.len() - removed
        }
    };
    let moved = |offset: u16| u16::try_from(shift(offset.into())).ok();
    let mut code = method.code.clone();
    for instruction in decode_all(&method.code).ok()? {
        if removed != 0 && instruction.at == at {
            continue;
        }
        redirect(&mut code, begin, &instruction, &shift)?;
    }
    code.splice(at..at + removed, new.iter().copied());
    let mut changed = cap.clone();
    let start = begin - cap.method.base();
    changed
        .method
        .methods
        .splice(start..start + method.code.len(), code);
    for handler in &mut changed.method.handlers {
        let last = shift(usize::from(handler.start) + usize::from(handler.length));
        handler.start = moved(handler.start)?;
        handler.length = u16::try_from(last - usize::from(handler.start)).ok()?;
        handler.handler = moved(handler.handler)?;
    }
    for class in &mut changed.class.classes {
        let tables = class
            .public_methods
            .iter_mut()
            .chain(&mut class.package_methods);
        for entry in tables.filter(|entry| **entry != NO_METHOD) {
            *entry = moved(*entry)?;
        }
    }
    for constant in &mut changed.constant_pool {
        if let Constant::StaticMethod(StaticRef::Internal(offset)) = constant {
            *offset = moved(*offset)?;
        }
    }
    for applet in &mut changed.applets {
        applet.install_method_offset = moved(applet.install_method_offset)?;
    }
    let exports = changed
        .export
        .iter_mut()
        .flat_map(|export| &mut export.classes);
    for offset in exports.flat_map(|class| &mut class.static_methods) {
        *offset = moved(*offset)?;
    }
    let described = changed
        .descriptor
        .iter_mut()
        .flat_map(|table| &mut table.classes);
    for class in described.filter(|class| class.access_flags & access::INTERFACE == 0) {
        for entry in &mut class.methods {
            if entry.method_offset == method.offset {
                let count = usize::from(entry.bytecode_count) + new.len() - removed;
                entry.bytecode_count = u16::try_from(count).ok()?;
            }
            entry.method_offset = moved(entry.method_offset)?;
        }
    }
    changed.ref_location = locations(&changed).unwrap_or_else(|| ReferenceLocation {
        byte_indices: cap
            .ref_location
            .byte_indices
            .iter()
            .filter_map(|at| moved(*at))
            .collect(),
        byte2_indices: cap
            .ref_location
            .byte2_indices
            .iter()
            .filter_map(|at| moved(*at))
            .collect(),
    });
    changed.directory = changed.compute_directory().ok()?;
    Some(changed)
}

/// Writes the branches of an instruction anew, for where it and its targets will be.
fn redirect(
    code: &mut [u8],
    begin: usize,
    instruction: &Instruction,
    shift: &impl Fn(usize) -> usize,
) -> Option<()> {
    let from = i64::try_from(shift(begin + instruction.at)).ok()?;
    let at = instruction.at;
    let key = if instruction.opcode.int { 4 } else { 2 };
    let places: Vec<usize> = match &instruction.operands {
        Operands::Branch(_) => vec![at + 1],
        Operands::Table { offsets, .. } => std::iter::once(at + 1)
            .chain((0..offsets.len()).map(|index| at + 3 + 2 * key + 2 * index))
            .collect(),
        Operands::Lookup { pairs, .. } => std::iter::once(at + 1)
            .chain((0..pairs.len()).map(|index| at + 5 + index * (key + 2) + key))
            .collect(),
        _ => return Some(()),
    };
    for (place, target) in places.into_iter().zip(instruction.targets()) {
        let target = usize::try_from(target).ok()?;
        let distance = i64::try_from(shift(begin + target)).ok()? - from;
        if instruction.opcode.layout == Layout::Branch1 {
            let [byte] = i8::try_from(distance).ok()?.to_be_bytes();
            *code.get_mut(place)? = byte;
        } else {
            let bytes = i16::try_from(distance).ok()?.to_be_bytes();
            code.get_mut(place..place + 2)?.copy_from_slice(&bytes);
        }
    }
    Some(())
}

/// Where the code has indexes into the constant pool; `None` if it can't be decoded.
fn locations(cap: &Cap) -> Option<ReferenceLocation> {
    let mut found = ReferenceLocation::default();
    let handlers = cap.method.handlers.iter().zip(0u16..);
    found.byte2_indices = handlers
        .filter(|(handler, _)| handler.catch_type != 0)
        .map(|(_, index)| 1 + 8 * index + 6)
        .collect();
    for method in cap.methods().ok()? {
        for instruction in decode_all(&method.code).ok()? {
            if let Some(index) = instruction.pool_index() {
                let at = u16::try_from(index.at).ok()? + method.code_offset;
                match index.width {
                    1 => found.byte_indices.push(at),
                    _ => found.byte2_indices.push(at),
                }
            }
        }
    }
    Some(found)
}
