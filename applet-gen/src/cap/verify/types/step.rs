//! What each instruction takes and leaves, calls excepted.

use super::super::code::local_of;
use super::super::members::{Field, Kind, Visibility};
use super::super::world::Class;
use super::Subject;
use super::cell::{Bound, Cell, Element};
use super::frame::{Frame, Stop, wrong};
use crate::cap::Constant;
use crate::cap::decode::{Instruction, Operands};
use crate::cap::opcode::code as op;

type Done = Result<(), Stop>;

impl<'a> Subject<'a, '_> {
    /// Applies an instruction other than `ret` to the state before it.
    pub(super) fn step(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        match instruction.opcode.code {
            op::NOP | op::GOTO | op::GOTO_W => {}
            op::ACONST_NULL => frame.push([Cell::Null]),
            op::SCONST_M1..=op::SCONST_5 | op::BSPUSH | op::SSPUSH => frame.push_short(),
            op::ICONST_M1..=op::ICONST_5 | op::BIPUSH | op::SIPUSH | op::IIPUSH => {
                frame.push_int();
            }
            op::ALOAD..=op::ILOAD | op::ALOAD_0..=op::ILOAD_3 => self.load(instruction, frame)?,
            op::AALOAD..=op::IALOAD => self.array_load(instruction, frame)?,
            op::ASTORE..=op::ISTORE | op::ASTORE_0..=op::ISTORE_3 => {
                self.store(instruction, frame)?;
            }
            op::AASTORE..=op::IASTORE => self.array_store(instruction, frame)?,
            op::POP..=op::SWAP_X => shuffle(instruction, frame)?,
            op::SADD..=op::IXOR => arithmetic(instruction, frame)?,
            op::SINC | op::SINC_W | op::IINC | op::IINC_W => increment(instruction, frame)?,
            op::S2B => {
                frame.pop_short()?;
                frame.push_short();
            }
            op::S2I => {
                frame.pop_short()?;
                frame.push_int();
            }
            op::I2B | op::I2S => {
                frame.pop_int()?;
                frame.push_short();
            }
            op::ICMP => {
                frame.pop_int()?;
                frame.pop_int()?;
                frame.push_short();
            }
            op::IFEQ..=op::IFLE | op::IFEQ_W..=op::IFLE_W => frame.pop_short()?,
            op::IFNULL | op::IFNONNULL | op::IFNULL_W | op::IFNONNULL_W => {
                frame.pop_reference()?;
            }
            op::IF_ACMPEQ | op::IF_ACMPNE | op::IF_ACMPEQ_W | op::IF_ACMPNE_W => {
                frame.pop_reference()?;
                frame.pop_reference()?;
            }
            op::IF_SCMPEQ..=op::IF_SCMPLE | op::IF_SCMPEQ_W..=op::IF_SCMPLE_W => {
                frame.pop_short()?;
                frame.pop_short()?;
            }
            op::JSR => frame.push([Cell::Return(instruction.at)]),
            op::STABLESWITCH | op::SLOOKUPSWITCH => frame.pop_short()?,
            op::ITABLESWITCH | op::ILOOKUPSWITCH => frame.pop_int()?,
            op::ARETURN..=op::RETURN => self.result(instruction, frame)?,
            op::GETSTATIC_A..=op::PUTSTATIC_I => self.static_field(instruction, frame)?,
            op::GETFIELD_A..=op::PUTFIELD_I | op::GETFIELD_A_W..=op::PUTFIELD_I_THIS => {
                self.instance_field(instruction, frame)?;
            }
            op::INVOKEVIRTUAL..=op::INVOKEINTERFACE => self.call(instruction, frame)?,
            op::NEW => self.make(instruction, frame)?,
            op::NEWARRAY | op::ANEWARRAY => self.make_array(instruction, frame)?,
            op::ARRAYLENGTH => match frame.pop_reference()? {
                Cell::Array(_) | Cell::Null => frame.push_short(),
                other => return Err(wrong("an array", other)),
            },
            op::ATHROW => {
                let throwable = self.throwable()?;
                frame.pop_kind(self.context, self.kind_of_class(throwable))?;
            }
            op::CHECKCAST | op::INSTANCEOF => {
                frame.pop_reference()?;
                let cell = self.type_operand(instruction)?;
                if instruction.opcode.code == op::CHECKCAST {
                    frame.push([cell]);
                } else {
                    frame.push_short();
                }
            }
            // `ret` is followed by its caller; the table has no other rows.
            _ => return Err(Stop::Unresolved),
        }
        Ok(())
    }

    fn load(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let local = local_of(instruction).ok_or(Stop::Unresolved)?;
        let cell = frame.local(local)?.clone();
        let found = |cell: &Cell<'a>| format!("{cell} in local {local}");
        match letter(instruction) {
            // Objects without constructor may be moved, a return address may not (JCVM 7.5.6).
            'a' if cell.is_reference() || matches!(cell, Cell::New(_) | Cell::This) => {
                frame.push([cell]);
            }
            's' if cell == Cell::Short => frame.push_short(),
            'i' if frame.is_int(local) => frame.push_int(),
            letter => return Err(wrong(type_word(letter), found(&cell))),
        }
        Ok(())
    }

    fn store(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let local = local_of(instruction).ok_or(Stop::Unresolved)?;
        match letter(instruction) {
            's' => {
                frame.pop_short()?;
                frame.set_local(local, &[Cell::Short])
            }
            'i' => {
                frame.pop_int()?;
                frame.set_local(local, &[Cell::Int, Cell::IntLow])
            }
            _ => {
                let cell = frame.pop()?;
                if !cell.is_reference()
                    && !matches!(cell, Cell::New(_) | Cell::This | Cell::Return(_))
                {
                    return Err(wrong("a reference or a return address", cell));
                }
                frame.set_local(local, &[cell])
            }
        }
    }

    fn array_load(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        frame.pop_short()?;
        let array = frame.pop_reference()?;
        match (letter(instruction), array) {
            ('a', Cell::Null) => frame.push([Cell::Null]),
            ('a', Cell::Array(Element::Object(bound))) => frame.push([Cell::Object(bound)]),
            ('b', Cell::Null | Cell::Array(Element::Boolean | Element::Byte))
            | ('s', Cell::Null | Cell::Array(Element::Short)) => frame.push_short(),
            ('i', Cell::Null | Cell::Array(Element::Int)) => frame.push_int(),
            (letter, other) => return Err(wrong(array_word(letter), other)),
        }
        Ok(())
    }

    fn array_store(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        match letter(instruction) {
            'a' => {
                frame.pop_reference()?;
            }
            'i' => frame.pop_int()?,
            _ => frame.pop_short()?,
        }
        frame.pop_short()?;
        let array = frame.pop_reference()?;
        match (letter(instruction), array) {
            // Whether an object fits is a question at run time (ArrayStoreException).
            ('a', Cell::Null | Cell::Array(Element::Object(_)))
            | ('b', Cell::Null | Cell::Array(Element::Boolean | Element::Byte))
            | ('s', Cell::Null | Cell::Array(Element::Short))
            | ('i', Cell::Null | Cell::Array(Element::Int)) => Ok(()),
            (letter, other) => Err(wrong(array_word(letter), other)),
        }
    }

    fn result(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let result = self.method.signature.result;
        let fits = match letter(instruction) {
            'a' => result.is_reference(),
            's' => matches!(result, Kind::Boolean | Kind::Byte | Kind::Short),
            'i' => result == Kind::Int,
            _ => result == Kind::Void,
        };
        if !fits {
            let expected = format!("the return of a method whose result is {result}");
            return Err(wrong(expected, instruction.opcode.name));
        }
        if result != Kind::Void {
            frame.pop_kind(self.context, result)?;
        }
        if frame.pending {
            return Err(wrong(
                "a call of another constructor on every way (JCVM 7.5, return)",
                "this without one",
            ));
        }
        Ok(())
    }

    fn static_field(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let Operands::Pool2(index) = instruction.operands else {
            return Err(Stop::Unresolved);
        };
        let field = self.field(index)?;
        letter_fits(instruction, index, &field)?;
        self.reachable(field.owner, field.access.visibility)?;
        let get = instruction.opcode.name.starts_with("get");
        if get {
            frame.push(Cell::of(self.context, field.kind));
            return Ok(());
        }
        self.writable(&field)?;
        frame.pop_kind(self.context, field.kind)
    }

    fn field(&self, index: u16) -> Result<Field<'a>, Stop> {
        let constant = self.constant(index)?;
        self.context.field(constant).ok_or(Stop::Unresolved)
    }

    fn writable(&self, field: &Field<'a>) -> Done {
        if field.access.is_final && field.owner != self.own() {
            let expected = format!("a field that is not final, or the code of {}", field.owner);
            return Err(wrong(expected, format!("code of {}", self.own())));
        }
        Ok(())
    }

    fn instance_field(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let (this, name) = (instruction.opcode.name.ends_with("_this"), instruction);
        let index = instruction.pool_index().ok_or(Stop::Unresolved)?.index;
        let field = self.field(index)?;
        letter_fits(name, index, &field)?;
        let get = instruction.opcode.name.starts_with("get");
        if !get {
            self.writable(&field)?;
            frame.pop_kind(self.context, field.kind)?;
        }
        let object = if this {
            if self.method.access.is_static {
                return Err(wrong("this", "a static method, which has none"));
            }
            frame.local(0)?.clone()
        } else {
            frame.pop()?
        };
        // A constructor may set fields of its own class before it calls another constructor:
        // compilers do so with an inner object's reference to the outer one.
        let early = object == Cell::This && !get && field.owner == self.own();
        if !early {
            if !object.fits(self.context, self.kind_of_class(field.owner)) {
                return Err(wrong(field.owner, object));
            }
            self.reachable(field.owner, field.access.visibility)?;
            self.protected(field.owner, field.access.visibility, &object)?;
        }
        if get {
            frame.push(Cell::of(self.context, field.kind));
        }
        Ok(())
    }

    /// Whether this method may name a member (JVMS 5.4.4); of another package it sees what is
    /// public, and what is protected from a subclass.
    pub(super) fn reachable(&self, owner: Class<'a>, visibility: Visibility) -> Done {
        let foreign = matches!(owner, Class::Api(_));
        match visibility {
            Visibility::Private if owner != self.own() => Err(wrong(
                format!("code of {owner}, for a private member"),
                format!("code of {}", self.own()),
            )),
            Visibility::Protected if foreign && !self.context.is_subclass(self.own(), owner) => {
                Err(wrong(
                    format!("code of a subclass of {owner}, for a protected member"),
                    format!("code of {}", self.own()),
                ))
            }
            _ => Ok(()),
        }
    }

    /// A protected member of another package's class is used on objects of one's own class only
    /// (JVMS 4.10.1.8).
    pub(super) fn protected(
        &self,
        owner: Class<'a>,
        visibility: Visibility,
        object: &Cell<'a>,
    ) -> Done {
        let foreign = matches!(owner, Class::Api(_));
        let own = self.kind_of_class(self.own());
        if foreign && visibility == Visibility::Protected && !object.fits(self.context, own) {
            let expected = format!("{}, for a protected member of {owner}", self.own());
            return Err(wrong(expected, object));
        }
        Ok(())
    }

    /// The class or interface that a constant names.
    fn class_constant(&self, index: u16) -> Result<Class<'a>, Stop> {
        match self.constant(index)? {
            Constant::Class(class) => self.context.class(*class).ok_or(Stop::Unresolved),
            _ => Err(Stop::Unresolved),
        }
    }

    fn make(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        let Operands::Pool2(index) = instruction.operands else {
            return Err(Stop::Unresolved);
        };
        let class = self.class_constant(index)?;
        if self.context.is_abstract_class(class) || self.context.is_interface_class(class) {
            return Err(wrong("a class that is not abstract", class));
        }
        // One that an earlier round of a loop made is not the one made now.
        let new = Cell::New(instruction.at);
        if frame.stack.contains(&new) {
            let expected = "no earlier object without constructor of the same place on the stack";
            return Err(wrong(expected, "one"));
        }
        frame.replace(&new, &Cell::Unset);
        frame.push([new]);
        Ok(())
    }

    /// The class of what the `new` at this offset makes.
    pub(super) fn made_class(&self, at: usize) -> Result<Class<'a>, Stop> {
        let made = self.instructions.get(&at).ok_or(Stop::Unresolved)?;
        match made.operands {
            Operands::Pool2(index) => self.class_constant(index),
            _ => Err(Stop::Unresolved),
        }
    }

    fn make_array(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        frame.pop_short()?;
        let cell = match instruction.operands {
            Operands::ArrayType(kind) => primitive_array(kind)?,
            Operands::Pool2(index) => {
                let class = self.class_constant(index)?;
                Cell::Array(Element::Object(Bound::of(self.context, class)))
            }
            _ => return Err(Stop::Unresolved),
        };
        frame.push([cell]);
        Ok(())
    }

    /// What `checkcast` and `instanceof` compare with.
    fn type_operand(&self, instruction: &Instruction) -> Result<Cell<'a>, Stop> {
        let Operands::TypeCheck { atype, index } = instruction.operands else {
            return Err(Stop::Unresolved);
        };
        Ok(match atype {
            0 => Cell::Object(Bound::of(self.context, self.class_constant(index)?)),
            14 => {
                let bound = Bound::of(self.context, self.class_constant(index)?);
                Cell::Array(Element::Object(bound))
            }
            kind => primitive_array(kind)?,
        })
    }
}

fn primitive_array<'a>(kind: u8) -> Result<Cell<'a>, Stop> {
    Ok(Cell::Array(match kind {
        10 => Element::Boolean,
        11 => Element::Byte,
        12 => Element::Short,
        13 => Element::Int,
        _ => return Err(Stop::Unresolved),
    }))
}

/// The letter of the type in a mnemonic: `a` of `aload_0`, `b` of `getfield_b_this`, `r` of `return`.
fn letter(instruction: &Instruction) -> char {
    let name = instruction.opcode.name;
    let after = name
        .split_once("field_")
        .or_else(|| name.split_once("static_"))
        .map_or(name, |(_, after)| after);
    after.chars().next().unwrap_or(' ')
}

fn type_word(letter: char) -> &'static str {
    match letter {
        's' => "short",
        'i' => "int",
        _ => "a reference",
    }
}

fn array_word(letter: char) -> &'static str {
    match letter {
        'a' => "an array of references",
        'b' => "byte[] or boolean[]",
        's' => "short[]",
        _ => "int[]",
    }
}

/// The letter of `getfield_b` and the like fits the field's type.
fn letter_fits(instruction: &Instruction, index: u16, field: &Field<'_>) -> Done {
    let expected = match field.kind {
        Kind::Boolean | Kind::Byte => 'b',
        Kind::Short => 's',
        Kind::Int => 'i',
        _ => 'a',
    };
    if letter(instruction) == expected {
        return Ok(());
    }
    Err(wrong(
        format!("an access of type {expected}, as the field of constant {index} has"),
        instruction.opcode.name,
    ))
}

fn arithmetic(instruction: &Instruction, frame: &mut Frame<'_>) -> Done {
    let unary = matches!(instruction.opcode.code, op::SNEG | op::INEG);
    let count = if unary { 1 } else { 2 };
    for _ in 0..count {
        if instruction.opcode.int {
            frame.pop_int()?;
        } else {
            frame.pop_short()?;
        }
    }
    if instruction.opcode.int {
        frame.push_int();
    } else {
        frame.push_short();
    }
    Ok(())
}

fn increment(instruction: &Instruction, frame: &mut Frame<'_>) -> Done {
    let local = local_of(instruction).ok_or(Stop::Unresolved)?;
    let cell = frame.local(local)?;
    let int = instruction.opcode.int;
    let fits = if int {
        frame.is_int(local)
    } else {
        *cell == Cell::Short
    };
    if fits {
        return Ok(());
    }
    let expected = if int { "int" } else { "short" };
    Err(wrong(expected, format!("{cell} in local {local}")))
}

/// `pop`, `pop2`, `dup`, `dup2`, `dup_x`, `swap_x`: no int is split (JCVM 7.5).
fn shuffle(instruction: &Instruction, frame: &mut Frame<'_>) -> Done {
    let (m, n) = match (instruction.opcode.code, &instruction.operands) {
        (op::POP | op::DUP, _) => (1, 0),
        (op::POP2 | op::DUP2, _) => (2, 0),
        (_, Operands::Words { m, n }) => (usize::from(*m), usize::from(*n)),
        _ => return Err(Stop::Unresolved),
    };
    let moved = frame.top(m)?.to_vec();
    let length = frame.stack.len();
    match instruction.opcode.code {
        op::POP | op::POP2 => frame.stack.truncate(length - m),
        op::SWAP_X => {
            frame.top(m + n)?;
            frame.stack.truncate(length - m);
            let at = length - m - n;
            frame.stack.splice(at..at, moved);
        }
        _ => {
            let depth = n.max(m);
            frame.top(depth)?;
            // With n 0 the copy lies on top, which is the same as below the words copied.
            let at = length - depth;
            frame.stack.splice(at..at, moved);
        }
    }
    Ok(())
}
