//! The constant pool, resolved (JCVM 6.7, 4.5.3).

use super::super::api::{Api, NativeId};
use super::super::code::{Entry, MethodRef};
use super::super::value::{ClassRef, PackageId};
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
                Entry::Field { class, cell }
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
                    .get(&package)
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
                let (target, nargs) = match self.world.linked.get(&package) {
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
                        let class = Api::get().class(ClassRef {
                            package,
                            class: class.into(),
                        });
                        let id = class
                            .and_then(|c| *c.statics.get(usize::from(token))?)
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

    /// Virtual method of a class by token, as far as the class itself tells: the method and its
    /// argument cells.
    fn resolve(&self, class: ClassRef, token: u8) -> Result<Option<(MethodRef, u8)>> {
        let mut next = Some(class);
        for _ in 0..256 {
            let Some(class) = next else { break };
            if let Some(known) = self.known(class) {
                let (table, base) = if token & 0x80 == 0 {
                    (&known.public, known.public_base)
                } else {
                    (&known.package, known.package_base)
                };
                let at = (token & 0x7F).checked_sub(base).map(usize::from);
                if let Some(method) = at.and_then(|at| *table.get(at)?) {
                    let nargs = self.nargs(class.package, method)?;
                    return Ok(Some((
                        MethodRef::Java {
                            package: class.package,
                            method,
                        },
                        nargs,
                    )));
                }
                next = known.superclass;
            } else {
                let found = Api::get()
                    .class(class)
                    .and_then(|c| *c.virtuals.get(usize::from(token))?);
                return Ok(found.map(|id| (MethodRef::Native(id), native_args(id))));
            }
        }
        Ok(None)
    }

    fn nargs(&self, package: PackageId, method: u16) -> Result<u8> {
        if package == self.id {
            let offset = self
                .methods
                .iter()
                .find(|(_, index)| **index == method)
                .map(|(offset, _)| *offset);
            return Ok(self.header(offset.unwrap_or(0))?.nargs);
        }
        let methods = self.world.linked.get(&package).map(|code| &code.methods);
        Ok(methods
            .and_then(|m| m.get(usize::from(method)))
            .map_or(0, |m| m.nargs))
    }
}

fn native_args(id: NativeId) -> u8 {
    Api::get().native(id).map_or(0, |m| m.nargs())
}
