//! Calls: which method, which kind of call, and what it takes and leaves.

use super::super::members::{Method, Visibility};
use super::super::world::Class;
use super::Subject;
use super::cell::{Bound, Cell};
use super::frame::{Frame, Stop, wrong};
use crate::cap::Constant;
use crate::cap::decode::{Instruction, Operands};
use crate::cap::opcode::code as op;

type Done = Result<(), Stop>;

impl<'a> Subject<'a, '_> {
    pub(super) fn call(&self, instruction: &Instruction, frame: &mut Frame<'a>) -> Done {
        if let Operands::Interface {
            nargs,
            index,
            token,
        } = instruction.operands
        {
            return self.interface_call(frame, nargs, index, token);
        }
        let Operands::Pool2(index) = instruction.operands else {
            return Err(Stop::Unresolved);
        };
        let constant = self.constant(index)?;
        let method = self.context.method(constant).ok_or(Stop::Unresolved)?;
        self.arguments(&method, frame)?;
        match (instruction.opcode.code, constant) {
            (op::INVOKESTATIC, Constant::StaticMethod(_)) => self.static_call(&method)?,
            (op::INVOKESPECIAL, Constant::StaticMethod(_)) if method.access.is_init => {
                self.construct(&method, frame)?;
            }
            (op::INVOKESPECIAL, Constant::StaticMethod(_)) => self.private_call(&method, frame)?,
            (op::INVOKESPECIAL, Constant::SuperMethod { class, .. }) => {
                let class = self.context.class(*class).ok_or(Stop::Unresolved)?;
                self.super_call(class, &method, frame)?;
            }
            (op::INVOKEVIRTUAL, Constant::VirtualMethod { class, .. }) => {
                let class = self.context.class(*class).ok_or(Stop::Unresolved)?;
                let object = self.receiver(class, frame)?;
                let visibility = method.access.visibility;
                self.reachable(method.owner, visibility)?;
                self.protected(method.owner, visibility, &object)?;
            }
            _ => return Err(Stop::Unresolved),
        }
        frame.push(Cell::of(self.context, method.signature.result));
        Ok(())
    }

    fn arguments(&self, method: &Method<'a>, frame: &mut Frame<'a>) -> Done {
        let parameters = &method.signature.parameters;
        let needed = usize::from(method.signature.words()) + usize::from(!method.access.is_static);
        if frame.stack.len() < needed {
            let expected = format!("{needed} words on the stack");
            return Err(wrong(expected, frame.stack.len()));
        }
        for (index, kind) in parameters.iter().enumerate().rev() {
            frame
                .pop_kind(self.context, *kind)
                .map_err(|stop| match stop {
                    Stop::Wrong(expected, found) => {
                        Stop::Wrong(format!("{expected} as argument {}", index + 1), found)
                    }
                    other => other,
                })?;
        }
        Ok(())
    }

    /// Takes the object of a call, which has to be a `class`.
    fn receiver(&self, class: Class<'a>, frame: &mut Frame<'a>) -> Result<Cell<'a>, Stop> {
        let object = frame.pop()?;
        if object.fits(self.context, self.kind_of_class(class)) {
            return Ok(object);
        }
        Err(wrong(format!("{class} to call the method of"), object))
    }

    fn interface_call(&self, frame: &mut Frame<'a>, nargs: u8, index: u16, token: u8) -> Done {
        let Constant::Class(class) = self.constant(index)? else {
            return Err(Stop::Unresolved);
        };
        let interface = self.context.class(*class).ok_or(Stop::Unresolved)?;
        let Some(method) = self.context.interface_member(interface, token) else {
            let expected = format!("a method of {interface}");
            return Err(wrong(expected, format!("token {token}")));
        };
        let words = method.signature.words() + 1;
        if u16::from(nargs) != words {
            let expected = format!("nargs {words} by the method's type");
            return Err(wrong(expected, nargs));
        }
        self.arguments(&method, frame)?;
        self.receiver(interface, frame)?;
        frame.push(Cell::of(self.context, method.signature.result));
        Ok(())
    }

    fn static_call(&self, method: &Method<'a>) -> Done {
        if !method.access.is_static || method.access.is_init {
            return Err(wrong("a static method", describe(method)));
        }
        self.reachable(method.owner, method.access.visibility)
    }

    /// A private method of this class; others are bound at run time (JCVM 7.5, invokespecial).
    fn private_call(&self, method: &Method<'a>, frame: &mut Frame<'a>) -> Done {
        let private = method.access.visibility == Visibility::Private;
        if method.access.is_static || !private {
            let expected = "a constructor or a private method that is not static";
            return Err(wrong(expected, describe(method)));
        }
        self.reachable(method.owner, Visibility::Private)?;
        self.receiver(self.own(), frame)?;
        Ok(())
    }

    /// A superclass's method, on an object of this class.
    fn super_call(&self, class: Class<'a>, method: &Method<'a>, frame: &mut Frame<'a>) -> Done {
        if class != self.own() {
            let expected = format!("a CONSTANT_SuperMethodref of {}", self.own());
            return Err(wrong(expected, class));
        }
        if method.access.is_abstract {
            return Err(wrong("a method with code", describe(method)));
        }
        self.receiver(class, frame)?;
        Ok(())
    }

    /// A constructor, on what `new` made of its class, or on `this` in a constructor of the same
    /// class or of a subclass.
    fn construct(&self, method: &Method<'a>, frame: &mut Frame<'a>) -> Done {
        let object = frame.pop()?;
        let class = match object {
            Cell::New(at) => {
                let class = self.made_class(at)?;
                let foreign = matches!(method.owner, Class::Api(_));
                if foreign && method.access.visibility == Visibility::Protected {
                    return Err(wrong(
                        "a public constructor for new",
                        format!("a protected one of {}", method.owner),
                    ));
                }
                if class != method.owner {
                    let expected = format!("an object without constructor of {}", method.owner);
                    return Err(wrong(expected, format!("one of {class}")));
                }
                class
            }
            Cell::This => {
                let parent = self.context.superclass(self.own());
                if method.owner != self.own() && Some(method.owner) != parent {
                    return Err(wrong(
                        "a constructor of the class or its superclass",
                        format!("one of {}", method.owner),
                    ));
                }
                frame.pending = false;
                self.own()
            }
            other => return Err(wrong("an object without constructor", other)),
        };
        self.reachable(method.owner, method.access.visibility)?;
        let made = Cell::Object(Bound::of(self.context, class));
        frame.replace(&object, &made);
        Ok(())
    }
}

fn describe(method: &Method<'_>) -> String {
    let access = method.access;
    let mut words = Vec::new();
    words.push(match access.visibility {
        Visibility::Private => "a private",
        Visibility::Package => "a package-visible",
        Visibility::Protected => "a protected",
        Visibility::Public => "a public",
    });
    if access.is_static {
        words.push("static");
    }
    if access.is_abstract {
        words.push("abstract");
    }
    words.push(if access.is_init {
        "constructor"
    } else {
        "method"
    });
    format!("{} of {}", words.join(" "), method.owner)
}
