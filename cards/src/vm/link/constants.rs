//! The constant pool, resolved (JCVM 6.7, 4.5.3).

use super::super::api::{Api, NativeId};
use super::super::code::{Entry, Kind, MethodRef};
use super::super::value::ClassRef;
use super::{Linker, Result, wrong};
use applet_gen::cap::{ComponentTag, Constant, StaticRef};

impl Linker<'_> {
    pub(super) fn pool(&self) -> Result<Vec<Entry>> {
        let constants = self.cap.constant_pool.iter().enumerate();
        constants
            .map(|(at, constant)| self.constant(at, constant))
            .collect()
    }

    fn constant(&self, at: usize, constant: &Constant) -> Result<Entry> {
        let tag = ComponentTag::ConstantPool;
        let missing = |what: String| wrong(tag, at, what);
        Ok(match *constant {
            Constant::Class(class) => Entry::Class(self.class_ref(class, at, tag)?),
            Constant::InstanceField { class, token } => {
                let class = self.class_ref(class, at, tag)?;
                let known = self.known(class).filter(|c| !c.interface);
                let known =
                    known.ok_or_else(|| missing("a field of a class without fields".into()))?;
                let cell = known.first_cell + u16::from(token);
                if cell >= known.cells {
                    return Err(missing(format!("the class has no field {token}")));
                }
                Entry::Field {
                    class,
                    cell,
                    kind: self.field_kind(at),
                }
            }
            Constant::VirtualMethod { class, token } => {
                let class = self.class_ref(class, at, tag)?;
                match self.resolve(class, token)? {
                    Some((_, nargs)) => Entry::Virtual {
                        class,
                        token,
                        nargs,
                    },
                    None => {
                        return Err(missing(format!("the class has no virtual method {token}")));
                    }
                }
            }
            Constant::SuperMethod { class, token } => {
                let class = self.class_ref(class, at, tag)?;
                let above = self.known(class).and_then(|c| c.superclass);
                let above = above.ok_or_else(|| missing("the class has no superclass".into()))?;
                match self.resolve(above, token)? {
                    Some((target, nargs)) => Entry::Method {
                        target,
                        nargs,
                        is_super: true,
                    },
                    None => return Err(missing(format!("the superclass has no method {token}"))),
                }
            }
            Constant::StaticField(StaticRef::Internal(offset)) => Entry::Static {
                package: self.id,
                offset,
            },
            Constant::StaticField(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let package = self.import(package, at, tag)?;
                // API packages have constants only, which the compiler has copied.
                let exported = self
                    .world
                    .linked
                    .get(package)
                    .and_then(|c| c.exports.get(usize::from(class)));
                let offset = exported.and_then(|e| e.fields.get(usize::from(token)));
                let offset = *offset.ok_or_else(|| {
                    missing(format!("class {class} exports no static field {token}"))
                })?;
                Entry::Static { package, offset }
            }
            Constant::StaticMethod(StaticRef::Internal(offset)) => {
                let method = self.method_at(offset, tag)?;
                let nargs = self.header(offset)?.nargs;
                let target = MethodRef::Java {
                    package: self.id,
                    method,
                };
                Entry::Method {
                    target,
                    nargs,
                    is_super: false,
                }
            }
            Constant::StaticMethod(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let package = self.import(package, at, tag)?;
                let none = || missing(format!("class {class} exports no static method {token}"));
                let (target, nargs) = match self.world.linked.get(package) {
                    Some(code) => {
                        let exported = code.exports.get(usize::from(class)).ok_or_else(none)?;
                        let method = *exported.methods.get(usize::from(token)).ok_or_else(none)?;
                        let nargs = code
                            .methods
                            .get(usize::from(method))
                            .ok_or_else(none)?
                            .nargs;
                        (MethodRef::Java { package, method }, nargs)
                    }
                    None => {
                        let class = self.world.api_class(ClassRef {
                            package,
                            class: class.into(),
                        });
                        let id = class
                            .and_then(|c| *c.statics.get(usize::from(token))?)
                            .and_then(|id| self.world.api_method(id))
                            .ok_or_else(none)?;
                        (MethodRef::Native(id), native_args(id))
                    }
                };
                Entry::Method {
                    target,
                    nargs,
                    is_super: false,
                }
            }
        })
    }

    /// Kind of the field that a constant refers to, if the Descriptor component tells it.
    fn field_kind(&self, constant: usize) -> Option<Kind> {
        let descriptor = self.cap.descriptor.as_ref()?;
        let offset = *descriptor.constant_pool_types.get(constant)?;
        match descriptor.type_at(offset)?.nibbles.first()? {
            2 | 3 => Some(Kind::Byte),
            4 => Some(Kind::Short),
            5 => Some(Kind::Int),
            6 | 0xA..=0xE => Some(Kind::Ref),
            _ => None,
        }
    }

    /// Virtual method of a class by token, as far as the class itself tells: the method and its
    /// argument cells.
    fn resolve(&self, class: ClassRef, token: u8) -> Result<Option<(MethodRef, u8)>> {
        let at = usize::from(token & 0x7F);
        let found = match self.known(class) {
            Some(known) if token & 0x80 == 0 => known.public.get(at).copied().flatten(),
            Some(known) => known.package.get(at).copied().flatten(),
            None => {
                let api = self.world.api_class(class);
                let id = api.and_then(|c| *c.virtuals.get(usize::from(token))?);
                let id = id.and_then(|id| self.world.api_method(id));
                id.map(MethodRef::Native)
            }
        };
        found
            .map(|target| Ok((target, self.nargs(target)?)))
            .transpose()
    }

    fn nargs(&self, target: MethodRef) -> Result<u8> {
        let (package, method) = match target {
            MethodRef::Native(id) => return Ok(native_args(id)),
            MethodRef::Java { package, method } => (package, usize::from(method)),
        };
        if package == self.id {
            let offset = self.offsets.get(method).copied().unwrap_or(0);
            return Ok(self.header(offset)?.nargs);
        }
        let code = self.world.linked.get(package);
        let called = code.and_then(|code| code.methods.get(method));
        Ok(called.map_or(0, |m| m.nargs))
    }
}

fn native_args(id: NativeId) -> u8 {
    Api::get().native(id).map_or(0, |m| m.nargs())
}
