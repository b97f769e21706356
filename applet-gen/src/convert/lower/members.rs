//! Instructions that name classes, fields and methods: resolved to symbols.

use super::super::absent;
use super::super::error::{Problem, rule};
use super::super::ir::{Op, Symbol};
use super::super::types::{Range, Signature, Storage, Type, Value, field_type, signature};
use super::super::world::{Binding, ClassId, MemberId};
use super::{Step, java_name, unsupported};
use crate::cap::opcode::code as op;
use crate::classfile::{MemberRef, Operand, acc};

/// `atype` of `checkcast` and `instanceof`, and the type codes of `newarray` (JCVM 7.5).
mod atype {
    pub(super) const CLASS: u8 = 0;
    pub(super) const BOOLEAN: u8 = 10;
    pub(super) const BYTE: u8 = 11;
    pub(super) const SHORT: u8 = 12;
    pub(super) use super::super::super::ir::INT_ARRAY as INT;
    pub(super) const REFERENCE: u8 = 14;
}

impl Step<'_, '_> {
    pub(super) fn new_array(&mut self, code: i32) {
        self.pop_exact("the array's length");
        let (kind, name) = match code {
            10 if self.lower.world.int => (atype::INT, ""),
            4 => (atype::BOOLEAN, ""),
            8 => (atype::BYTE, ""),
            9 => (atype::SHORT, ""),
            5 => (0, "char"),
            6 => (0, "float"),
            7 => (0, "double"),
            10 => (0, "int"),
            _ => (0, "long"),
        };
        if kind == 0 {
            let rule = if name == "int" { rule::INT } else { rule::TYPE };
            self.refuse(unsupported(format!("an array of {name}"), rule));
        }
        self.emit(Op::NewArray(kind));
        self.push(Value::Reference);
    }

    pub(super) fn class_op(&mut self, opcode: u8, name: &str) {
        let pool = |opcode, class, pops| Op::Pool {
            opcode,
            symbol: Symbol::Class(class),
            pops,
            pushes: 1,
        };
        match opcode {
            0xBB => {
                match self.lower.class(name) {
                    Ok(class) => self.emit(pool(op::NEW, class, 0)),
                    Err(problem) => self.refuse(problem),
                }
                self.push(Value::Reference);
            }
            0xBD => {
                self.pop_exact("the array's length");
                if name.starts_with('[') {
                    self.refuse(unsupported("an array of arrays", rule::DIMENSIONS));
                } else {
                    match self.lower.class(name) {
                        Ok(class) => self.emit(pool(op::ANEWARRAY, class, 1)),
                        Err(problem) => self.refuse(problem),
                    }
                }
                self.push(Value::Reference);
            }
            _ => {
                self.pop_reference();
                let check = if opcode == 0xC0 {
                    op::CHECKCAST
                } else {
                    op::INSTANCEOF
                };
                match self.check_type(name) {
                    Ok((kind, class)) => self.emit(Op::TypeCheck(check, kind, class)),
                    Err(problem) => self.refuse(problem),
                }
                if opcode == 0xC0 {
                    self.push(Value::Reference);
                } else {
                    self.give(Value::Number(Range::new(0, 1)));
                }
            }
        }
    }

    fn check_type(&self, name: &str) -> Result<(u8, Option<ClassId>), Problem> {
        let Some(element) = name.strip_prefix('[') else {
            return Ok((atype::CLASS, Some(self.lower.class(name)?)));
        };
        Ok(match element {
            "Z" => (atype::BOOLEAN, None),
            "B" => (atype::BYTE, None),
            "S" => (atype::SHORT, None),
            "I" if self.lower.world.int => (atype::INT, None),
            "I" => return Err(unsupported("an array of int", rule::INT)),
            _ if element.starts_with('[') => {
                return Err(unsupported("an array of arrays", rule::DIMENSIONS));
            }
            _ => match element.strip_prefix('L').and_then(|e| e.strip_suffix(';')) {
                Some(class) => (atype::REFERENCE, Some(self.lower.class(class)?)),
                None => return Err(unsupported("an array of this type", rule::TYPE)),
            },
        })
    }

    pub(super) fn field(&mut self, opcode: u8, member: &MemberRef) {
        let is_static = opcode <= 0xB3;
        let is_put = matches!(opcode, 0xB3 | 0xB5);
        let kind = field_type(&member.descriptor, &mut |_| {});
        if is_put {
            self.pop_for(&kind);
        }
        if !is_static {
            self.pop_reference();
        }
        if !is_put {
            // Taken back below where there is an instruction to it.
            self.push(self.value_of(&kind));
        }
        let found = match self.lower.class(&member.class) {
            Ok(class) => class,
            Err(problem) => return self.refuse(problem),
        };
        let Some(id) = self
            .lower
            .world
            .find_field(found, &member.name, &member.descriptor)
        else {
            return self.refuse(Problem::Unknown {
                what: format!("field {}.{}", java_name(&member.class), member.name),
                instead: "compile against the same API that is imported",
            });
        };
        let field = self.lower.world.field(id);
        if field.access & acc::PRIVATE != 0 && id.class != self.lower.class {
            let what = format!("the private field {}", member.name);
            self.refuse(self.not_a_nest(what, id));
        }
        if !is_put {
            self.frame.stack.pop();
        }
        if let Some(value) = field.constant.filter(|_| is_static && !is_put) {
            return self.constant(value);
        }
        let storage = kind.storage();
        let cells = kind.cells() as u8;
        self.emit(match (is_static, is_put) {
            (true, true) => Op::Pool {
                opcode: op::PUTSTATIC_A + storage.step(),
                symbol: Symbol::StaticField(id),
                pops: cells,
                pushes: 0,
            },
            (true, false) => Op::Pool {
                opcode: op::GETSTATIC_A + storage.step(),
                symbol: Symbol::StaticField(id),
                pops: 0,
                pushes: cells,
            },
            (false, true) => Op::PutField {
                storage,
                field: id,
                this: false,
            },
            (false, false) => Op::GetField {
                storage,
                field: id,
                this: false,
            },
        });
        if !is_put {
            self.give(self.value_of(&kind));
        }
    }

    pub(super) fn call(&mut self, opcode: u8, member: &MemberRef) {
        const REQUIRE: (&str, &str, &str) = (
            "java/util/Objects",
            "requireNonNull",
            "(Ljava/lang/Object;)Ljava/lang/Object;",
        );
        if (&*member.class, &*member.name, &*member.descriptor) == REQUIRE {
            return self.require_non_null();
        }
        let Signature { parameters, result } = signature(&member.descriptor, &mut |_| {});
        for (index, parameter) in parameters.iter().rev().enumerate() {
            self.argument(parameter, index == 0);
        }
        let has_object = opcode != 0xB8;
        if has_object {
            self.pop_reference();
        }
        let cells = parameters.iter().map(Type::cells).sum::<usize>() + usize::from(has_object);
        let pushes = result.cells() as u8;
        let pops = u8::try_from(cells).unwrap_or_else(|_| {
            self.refuse(Problem::TooMany {
                what: "parameters of a method".to_owned(),
                value: cells,
                limit: 255,
                clause: "2.2.4.4",
            });
            u8::MAX
        });
        match self.resolve_call(opcode, member) {
            Ok(Callee::Interface(interface, token)) => self.emit(Op::Interface {
                nargs: pops,
                interface,
                token,
                pushes,
            }),
            Ok(Callee::Pool(opcode, symbol)) => self.emit(Op::Pool {
                opcode,
                symbol,
                pops,
                pushes,
            }),
            Err(problem) => self.refuse(problem),
        }
        if result != Type::Void {
            self.give(self.value_of(&result));
        }
    }

    /// An argument of a call; only the last one stands on top, where it can be converted.
    fn argument(&mut self, parameter: &Type, last: bool) {
        match parameter.storage() {
            _ if last => self.pop_for(parameter),
            Storage::Reference => self.pop_reference(),
            Storage::Int if self.lower.world.int => _ = self.pop_int_below(),
            _ => self.pop_low_below("the argument"),
        }
    }

    /// A private member of another class, which Java 11 and later reach without an accessor.
    fn not_a_nest(&self, what: String, id: MemberId) -> Problem {
        let owner = java_name(&self.lower.world.classes[id.class].name);
        unsupported(
            format!("{what} of {owner} used in another class (nest mates)"),
            rule::NEST,
        )
    }

    /// `Objects.requireNonNull(x)`, which javac puts before `x.new Inner()`: to throw null is to
    /// throw a NullPointerException (JCVM 7.5.4).
    fn require_non_null(&mut self) {
        self.pop_reference();
        self.push(Value::Reference);
        let after = self.lower.next_offset(self.offset);
        self.emit(Op::Plain(op::DUP));
        self.emit(Op::Branch(op::IFNONNULL, after));
        self.emit(Op::Plain(op::ACONST_NULL));
        self.emit(Op::Plain(op::ATHROW));
    }

    /// What a call of a method of `java.lang.String` stands for.
    fn string_call(&self, member: &MemberRef) -> Option<Problem> {
        let after = self.lower.next_offset(self.offset);
        let next = self.lower.instruction(after);
        let hash = member.class == "java/lang/String" && member.name == "hashCode";
        (hash && next.is_some_and(|next| matches!(next.operand, Operand::Switch(_)))).then(|| {
            let instead = "switch on a byte or short code, or compare byte arrays with \
                           Util.arrayCompare";
            unsupported("a switch on strings", ("2.2.1.4", instead))
        })
    }

    fn resolve_call(&self, opcode: u8, member: &MemberRef) -> Result<Callee, Problem> {
        if member.class.starts_with('[') {
            return Err(unsupported(
                format!("calling {}() of an array", member.name),
                rule::CLONE,
            ));
        }
        let world = self.lower.world;
        if let Some(problem) = self.string_call(member) {
            return Err(problem);
        }
        let class = self.lower.class(&member.class)?;
        let id = world.find_method(class, &member.name, &member.descriptor);
        let absent = || absent::method(&member.name, &member.descriptor);
        let id = id.ok_or_else(|| {
            absent().unwrap_or_else(|| Problem::Unknown {
                what: format!(
                    "method {}.{}{}",
                    java_name(&member.class),
                    member.name,
                    member.descriptor
                ),
                instead: "Java Card's API is a small part of Java's: use what the imported \
                          packages have",
            })
        })?;
        let method = world.method(id);
        if method.is(acc::PRIVATE) && id.class != self.lower.class {
            let what = match method.name.as_str() {
                "<init>" => "the private constructor".to_owned(),
                name => format!("the private method {name}()"),
            };
            return Err(self.not_a_nest(what, id));
        }
        Ok(match (opcode, method.binding) {
            (0xB7, Binding::Virtual) => {
                Callee::Pool(op::INVOKESPECIAL, Symbol::SuperMethod(self.lower.class, id))
            }
            (0xB8, _) if method.is(acc::STATIC) => {
                Callee::Pool(op::INVOKESTATIC, Symbol::StaticMethod(id))
            }
            (_, Binding::Static) => Callee::Pool(op::INVOKESPECIAL, Symbol::StaticMethod(id)),
            (_, Binding::Virtual) => Callee::Pool(op::INVOKEVIRTUAL, Symbol::VirtualMethod(id)),
            (_, Binding::Interface) => self.interface_call(class, id)?,
        })
    }

    /// A call of an interface's method. Named through an abstract class, it is a virtual call of
    /// the method that `miranda` gave that class.
    fn interface_call(&self, class: ClassId, id: MemberId) -> Result<Callee, Problem> {
        let world = self.lower.world;
        let method = world.method(id);
        if !world.classes[class].is_interface() {
            return Err(Problem::Unknown {
                what: format!("a virtual method token for {}", method.name),
                instead: "declare the method in the abstract class",
            });
        }
        let token = world.interface_token(class, &method.name, &method.descriptor);
        token
            .map(|token| Callee::Interface(class, token))
            .ok_or_else(|| Problem::Unknown {
                what: format!("the token of interface method {}", method.name),
                instead: "check the interface's API table",
            })
    }
}

enum Callee {
    Interface(ClassId, u8),
    Pool(u8, Symbol),
}
