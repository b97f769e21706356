//! Static fields: `<clinit>` run at conversion, and the static field image (JCVM 6.10).

use std::collections::BTreeMap;

use super::error::{Errors, Problem, rule};
use super::types::{Storage, Type};
use super::world::{ClassId, MemberId, World};
use crate::cap::{ArrayInit, StaticField};
use crate::classfile::{ClassFile, Code, Constant, Instruction, Operand, acc};

/// What a static field starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Initial {
    Number(i32),
    /// Index of an array in the class's initialiser.
    Array(usize),
    Null,
}

/// An array that a static initialiser makes.
#[derive(Debug, Clone)]
struct Array {
    /// 2 boolean, 3 byte, 4 short, 5 int.
    kind: u8,
    elements: Vec<i32>,
    taken: bool,
}

impl Array {
    fn bytes(&self) -> Vec<u8> {
        let bytes = self.elements.iter();
        match self.kind {
            4 => bytes
                .flat_map(|value| (*value as i16).to_be_bytes())
                .collect(),
            5 => bytes.flat_map(|value| value.to_be_bytes()).collect(),
            _ => bytes.map(|value| *value as u8).collect(),
        }
    }
}

/// The image and where each field lies in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Image {
    pub(crate) component: StaticField,
    pub(crate) offsets: BTreeMap<MemberId, u16>,
}

/// Runs every static initialiser and lays out the image. `place` names a class for errors.
pub(crate) fn image(
    world: &World,
    files: &[ClassFile],
    has_applets: bool,
    errors: &mut Errors,
    mut place: impl FnMut(&mut Errors, ClassId),
) -> Image {
    let mut arrays: Vec<(MemberId, ArrayInit)> = Vec::new();
    let mut nulls: Vec<MemberId> = Vec::new();
    let mut zeros: Vec<(MemberId, usize)> = Vec::new();
    let mut values: Vec<(MemberId, Vec<u8>)> = Vec::new();
    for (class, file) in files.iter().enumerate() {
        if super::check::is_refused(file) {
            continue;
        }
        place(errors, class);
        let mut run = Initialiser {
            world,
            class,
            stack: Vec::new(),
            arrays: Vec::new(),
            fields: BTreeMap::new(),
            has_applets,
        };
        let initialiser = file.methods.iter().find(|method| method.name == "<clinit>");
        if let Some(code) = initialiser.and_then(|method| method.code.as_ref()) {
            run.run(code, errors);
        }
        for (index, field) in world.classes[class].fields.iter().enumerate() {
            if !field.is_static() || field.constant.is_some() {
                continue;
            }
            let id = MemberId { class, index };
            let kind = field.field_type();
            match (kind.storage(), run.fields.get(&id)) {
                (_, Some(Initial::Array(array))) => {
                    if let Some(array) = run.arrays.get(*array) {
                        let init = ArrayInit {
                            kind: array.kind,
                            values: array.bytes(),
                        };
                        arrays.push((id, init));
                    }
                }
                (Storage::Reference, _) => nulls.push(id),
                (storage, Some(Initial::Number(value))) if *value != 0 => values.push((
                    id,
                    match storage {
                        Storage::Byte => vec![*value as u8],
                        Storage::Int => value.to_be_bytes().to_vec(),
                        _ => (*value as i16).to_be_bytes().to_vec(),
                    },
                )),
                (Storage::Byte, _) => zeros.push((id, 1)),
                (storage, _) => zeros.push((id, 2 * storage.cells())),
            }
        }
    }
    // Wide ones before bytes keeps them at even offsets.
    zeros.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    values.sort_by_key(|(_, bytes)| std::cmp::Reverse(bytes.len()));
    lay_out(arrays, nulls, zeros, values, errors)
}

fn lay_out(
    arrays: Vec<(MemberId, ArrayInit)>,
    nulls: Vec<MemberId>,
    zeros: Vec<(MemberId, usize)>,
    values: Vec<(MemberId, Vec<u8>)>,
    errors: &mut Errors,
) -> Image {
    let mut image = Image::default();
    let mut at = 0usize;
    let mut place = |image: &mut Image, id: MemberId, size: usize| {
        image
            .offsets
            .insert(id, u16::try_from(at).unwrap_or(u16::MAX));
        at += size;
    };
    for (id, array) in arrays {
        place(&mut image, id, 2);
        image.component.arrays.push(array);
    }
    for id in nulls {
        place(&mut image, id, 2);
    }
    image.component.reference_count = image.offsets.len() as u16;
    let mut default_bytes = 0;
    for (id, size) in zeros {
        place(&mut image, id, size);
        default_bytes += size;
    }
    for (id, bytes) in values {
        place(&mut image, id, bytes.len());
        image.component.values.extend(bytes);
    }
    match (u16::try_from(at), u16::try_from(default_bytes)) {
        (Ok(size), Ok(default_bytes)) => {
            image.component.image_size = size;
            image.component.default_value_count = default_bytes;
        }
        _ => errors.push(
            None,
            Problem::TooMany {
                what: "bytes of static fields".to_owned(),
                value: at,
                limit: 0xFFFF,
                clause: "6.10",
            },
        ),
    }
    image
}

/// The straight line that `javac` makes of field initialisers, interpreted.
struct Initialiser<'a> {
    world: &'a World,
    class: ClassId,
    stack: Vec<Initial>,
    arrays: Vec<Array>,
    fields: BTreeMap<MemberId, Initial>,
    has_applets: bool,
}

impl Initialiser<'_> {
    fn run(&mut self, code: &Code, errors: &mut Errors) {
        for instruction in &code.instructions {
            if let Operand::Member(member) = &instruction.operand
                && member.name == "desiredAssertionStatus"
            {
                // The class's assert statements are reported where they stand.
                return;
            }
            if let (Operand::Constant(Constant::Other("Class")), []) =
                (&instruction.operand, self.stack.as_slice())
            {
                // The receiver of desiredAssertionStatus(), or refused by the next instruction.
                self.stack.push(Initial::Null);
                continue;
            }
            let stored = self.stack.last().cloned();
            let step = self.step(instruction);
            if let (0xB3, Some(Initial::Array(_)), false) =
                (instruction.opcode, stored, self.has_applets)
            {
                let instead = "make it in a method that an applet calls, or put it into the \
                               applet's package";
                errors.unsupported(
                    code.line(instruction.offset),
                    "a static array with initial values in a package without applets",
                    ("6.10", instead),
                );
            }
            if let Err(what) = step {
                errors.unsupported(
                    code.line(instruction.offset),
                    format!("a static initialiser with {what}"),
                    rule::CLINIT,
                );
                // One message a class: what follows would be about a stack that is gone.
                return;
            }
        }
    }

    fn number(&mut self) -> Result<i32, String> {
        match self.stack.pop() {
            Some(Initial::Number(value)) => Ok(value),
            _ => Err("a computed value".to_owned()),
        }
    }

    fn step(&mut self, instruction: &Instruction) -> Result<(), String> {
        let other = |what: &str| Err(what.to_owned());
        match (&instruction.operand, instruction.opcode) {
            (Operand::Int(value), 0x10 | 0x11) => self.stack.push(Initial::Number(*value)),
            (Operand::Constant(Constant::Integer(value)), _) => {
                self.stack.push(Initial::Number(*value));
            }
            (Operand::Constant(Constant::String(_)), _) => return other("a string"),
            (Operand::None, 0x00) => {}
            (Operand::None, 0x01) => self.stack.push(Initial::Null),
            (Operand::Int(code), 0xBC) => {
                let kind = match code {
                    4 => 2,
                    8 => 3,
                    9 => 4,
                    10 if self.world.int => 5,
                    _ => return other("an array that is not of boolean, byte or short"),
                };
                let length = self.number()?;
                let length = u16::try_from(length)
                    .ok()
                    .filter(|length| *length <= 0x7FFF);
                let length = length.ok_or("an array of more than 32767 elements")?;
                self.stack.push(Initial::Array(self.arrays.len()));
                self.arrays.push(Array {
                    kind,
                    elements: vec![0; length.into()],
                    taken: false,
                });
            }
            (Operand::None, 0x59) => match self.stack.last().cloned() {
                Some(top) => self.stack.push(top),
                None => return other("an empty stack"),
            },
            (Operand::None, 0x4F | 0x54 | 0x56) => {
                let value = self.number()?;
                let index = self.number()?;
                let array = match self.stack.pop() {
                    Some(Initial::Array(array)) => self.arrays.get_mut(array),
                    _ => None,
                };
                let element = array
                    .zip(usize::try_from(index).ok())
                    .and_then(|(array, index)| array.elements.get_mut(index));
                match element {
                    Some(element) => *element = value,
                    None => return other("a store outside an array of its own"),
                }
            }
            (Operand::None, 0x91) => {
                let value = self.number()?;
                self.stack.push(Initial::Number((value as i8).into()));
            }
            (Operand::None, 0x93) => {
                let value = self.number()?;
                self.stack.push(Initial::Number((value as i16).into()));
            }
            (Operand::Member(member), 0xB3) => {
                let id = self
                    .world
                    .find(&member.class)
                    .filter(|class| *class == self.class)
                    .and_then(|class| {
                        self.world
                            .find_field(class, &member.name, &member.descriptor)
                    })
                    .ok_or("an assignment to another class's field")?;
                let value = self.stack.pop().ok_or("an empty stack")?;
                self.assign(id, value)?;
            }
            (Operand::None, 0xB1) => {}
            (Operand::Class(name), 0xBB) => {
                return Err(format!("new {}()", super::lower::java_name(name)));
            }
            (Operand::Class(_), 0xBD) => return other("an array of references"),
            (Operand::Member(member), 0xB6..=0xB9) => {
                return Err(format!("a call of {}()", member.name));
            }
            (Operand::Member(member), _) => return Err(format!("a read of {}", member.name)),
            _ => return other("a computation"),
        }
        Ok(())
    }

    fn assign(&mut self, id: MemberId, value: Initial) -> Result<(), String> {
        let field = self.world.field(id);
        if let Initial::Array(array) = value
            && let Some(array) = self.arrays.get_mut(array)
        {
            if array.taken {
                return Err("one array in two fields".to_owned());
            }
            let fits = match (field.field_type(), array.kind) {
                (Type::Array(element), kind) => matches!(
                    (*element, kind),
                    (Type::Boolean, 2) | (Type::Byte, 3) | (Type::Short, 4) | (Type::Int, 5)
                ),
                _ => false,
            };
            if !fits {
                return Err(format!(
                    "an array in the field {} of another type",
                    field.name
                ));
            }
            array.taken = true;
        }
        if matches!(value, Initial::Number(_)) && field.field_type().storage() == Storage::Reference
        {
            return Err("a number in a reference".to_owned());
        }
        if field.access & acc::STATIC == 0 {
            return Err("an instance field".to_owned());
        }
        self.fields.insert(id, value);
        Ok(())
    }
}
