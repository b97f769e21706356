//! Who a call can reach: by the tables of the CAP's own classes, and which call leaves the package.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{self, ApiClass, ApiMethod, ApiPackage};
use crate::cap::labels::{imported_class, imported_parent};
use crate::cap::opcode::code as op;
use crate::cap::signature::Words;
use crate::cap::{
    Cap, CapError, ClassInfo, ClassRef, Constant, Instruction, MethodInfo, Operands, StaticRef,
    decode,
};

/// A CAP with its methods cut out.
pub(super) struct Program<'a> {
    pub cap: &'a Cap,
    pub packages: &'a [ApiPackage],
    /// By offset in the Method component.
    pub methods: BTreeMap<u16, MethodInfo>,
}

/// What a call does to the stack, and where it leads.
#[derive(Debug, Clone, Default)]
pub(super) struct Call<'a> {
    /// Words of the arguments, `this` included.
    pub nargs: u16,
    /// Words of the result.
    pub result: u16,
    /// Methods of this package that it can reach.
    pub targets: Vec<u16>,
    /// The method of a known imported package that it names.
    pub imported: Option<(&'a ApiClass, &'a ApiMethod)>,
}

impl<'a> Program<'a> {
    pub fn new(cap: &'a Cap, packages: &'a [ApiPackage]) -> Result<Self, CapError> {
        let methods = cap.methods()?;
        Ok(Program {
            cap,
            packages,
            methods: methods.into_iter().map(|m| (m.offset, m)).collect(),
        })
    }

    /// Where a call leads; `None` if it can't be told how many words it takes and leaves.
    pub fn call(&self, instruction: &Instruction) -> Option<Call<'a>> {
        let index = instruction.pool_index()?.index;
        let constant = self.cap.constant_pool.get(usize::from(index))?;
        let mut call = match (instruction.opcode.code, constant, &instruction.operands) {
            (op::INVOKEINTERFACE, Constant::Class(class), Operands::Interface { token, .. }) => {
                self.interface_call(*class, *token)
            }
            (op::INVOKEVIRTUAL, Constant::VirtualMethod { class, token }, _) => {
                self.virtual_call(*class, *token)
            }
            (op::INVOKESPECIAL, Constant::SuperMethod { class, token }, _) => {
                let ClassRef::Internal(offset) = class else {
                    return None;
                };
                self.bound_virtual(self.cap.class.class_at(*offset)?.super_class?, *token)
            }
            (
                op::INVOKESPECIAL | op::INVOKESTATIC,
                Constant::StaticMethod(StaticRef::Internal(offset)),
                _,
            ) => Call {
                targets: vec![*offset],
                ..Call::default()
            },
            (
                op::INVOKESPECIAL | op::INVOKESTATIC,
                Constant::StaticMethod(StaticRef::External {
                    package,
                    class,
                    token,
                }),
                _,
            ) => {
                let class = ClassRef::External {
                    package: *package,
                    class: *class,
                };
                let known = imported_class(self.cap, self.packages, class);
                let method = known.and_then(|known| {
                    let mut methods = known.methods.iter();
                    methods.find(|m| m.is_static_token() && m.token == *token)
                });
                Call {
                    imported: known.zip(method),
                    ..Call::default()
                }
            }
            _ => return None,
        };
        let is_static = instruction.opcode.code == op::INVOKESTATIC;
        self.set_words(&mut call, index, is_static, &instruction.operands)?;
        Some(call)
    }

    /// Words of arguments and result: by an own method's header and return instructions, by the
    /// API's table, or by the Descriptor.
    fn set_words(
        &self,
        call: &mut Call<'_>,
        index: u16,
        is_static: bool,
        operands: &Operands,
    ) -> Option<()> {
        let own = call.targets.iter().find_map(|t| self.methods.get(t));
        let api = call.imported.map(|(_, method)| &method.descriptor);
        let described = || {
            let descriptor = self.cap.descriptor.as_ref()?;
            let offset = descriptor.constant_pool_types.get(usize::from(index))?;
            Words::of_nibbles(&descriptor.type_at(*offset)?.nibbles)
        };
        if let Some(method) = own {
            call.nargs = method.header.nargs.into();
            // A method that only throws has no return instruction: the Descriptor knows better.
            call.result = described().map_or_else(|| result_words(method), |words| words.result);
        } else {
            let words = api.and_then(|text| Words::of_descriptor(text));
            let words = words.or_else(described)?;
            call.nargs = words.parameters + u16::from(!is_static);
            call.result = words.result;
        }
        if let Operands::Interface { nargs, .. } = operands {
            call.nargs = (*nargs).into();
        }
        Some(())
    }

    /// Every own class that is `class` or a subclass of it.
    fn subclasses(&self, class: ClassRef) -> Vec<&'a ClassInfo> {
        let chain_has = |info: &ClassInfo| {
            let mut next = Some(ClassRef::Internal(info.offset));
            for _ in 0..=self.cap.class.classes.len() {
                match next {
                    Some(found) if found == class => return true,
                    Some(ClassRef::Internal(offset)) => {
                        next = self.cap.class.class_at(offset).and_then(|i| i.super_class);
                    }
                    Some(ClassRef::External { .. }) | None => break,
                }
            }
            self.inherits_from_import(info, class)
        };
        let classes = self.cap.class.classes.iter();
        classes.filter(|info| chain_has(info)).collect()
    }

    /// Whether an own class inherits from a class of an imported package by other classes of it.
    fn inherits_from_import(&self, info: &ClassInfo, class: ClassRef) -> bool {
        let Some(wanted) = imported_class(self.cap, self.packages, class) else {
            return false;
        };
        let mut parent = imported_parent(self.cap, self.packages, info);
        for _ in 0..=self.packages.iter().map(|p| p.classes.len()).sum() {
            match parent {
                Some(found) if found.name == wanted.name => return true,
                Some(found) => {
                    let name = found.super_name.as_deref();
                    parent = name.and_then(|n| Some(api::find_class(self.packages, n)?.1));
                }
                None => break,
            }
        }
        false
    }

    /// The own method that a virtual method token means in a class, or the imported one.
    fn bound_virtual(&self, class: ClassRef, token: u8) -> Call<'a> {
        let mut class = class;
        for _ in 0..=self.cap.class.classes.len() {
            let ClassRef::Internal(offset) = class else {
                let known = imported_class(self.cap, self.packages, class);
                return Call {
                    imported: known.and_then(|k| self.imported_virtual(k, token)),
                    ..Call::default()
                };
            };
            let Some(info) = self.cap.class.class_at(offset) else {
                break;
            };
            if let Some(found) = info.own_virtual_method(token) {
                return Call {
                    targets: vec![found],
                    ..Call::default()
                };
            }
            match info.super_class {
                Some(parent) => class = parent,
                None => break,
            }
        }
        Call::default()
    }

    fn imported_virtual(
        &self,
        class: &'a ApiClass,
        token: u8,
    ) -> Option<(&'a ApiClass, &'a ApiMethod)> {
        let found = api::method_by_token(self.packages, &class.name, token)?;
        Some((found.class, found.member))
    }

    fn virtual_call(&self, class: ClassRef, token: u8) -> Call<'a> {
        let mut call = self.bound_virtual(class, token);
        let classes = self.subclasses(class).into_iter();
        let own = classes.filter_map(|info| info.own_virtual_method(token));
        let targets: BTreeSet<u16> = call.targets.iter().copied().chain(own).collect();
        call.targets = targets.into_iter().collect();
        call
    }

    fn interface_call(&self, interface: ClassRef, token: u8) -> Call<'a> {
        let mut targets = BTreeSet::new();
        for info in &self.cap.class.classes {
            targets.extend(self.implementations(info, interface, token));
        }
        let known = imported_class(self.cap, self.packages, interface);
        Call {
            targets: targets.into_iter().collect(),
            imported: known.and_then(|k| self.imported_virtual(k, token)),
            ..Call::default()
        }
    }

    /// The methods that a class and its subclasses have for an interface's method.
    pub fn implementations(
        &self,
        info: &ClassInfo,
        interface: ClassRef,
        token: u8,
    ) -> BTreeSet<u16> {
        let of = |i: &&crate::cap::ImplementedInterface| i.interface == interface;
        let implemented = info.interfaces.iter().find(of);
        let Some(own) = implemented.and_then(|i| i.methods.get(usize::from(token))) else {
            return BTreeSet::new();
        };
        let call = self.virtual_call(ClassRef::Internal(info.offset), *own);
        call.targets.into_iter().collect()
    }
}

/// Words of a method's result, by the return instructions in it.
fn result_words(method: &MethodInfo) -> u16 {
    let mut at = 0;
    while let Ok(instruction) = decode::decode(&method.code, at) {
        match instruction.opcode.code {
            op::ARETURN | op::SRETURN => return 1,
            op::IRETURN => return 2,
            op::RETURN => return 0,
            _ => at += instruction.len,
        }
    }
    0
}
