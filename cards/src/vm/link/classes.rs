//! Classes and interfaces (JCVM 6.8): method tables, interfaces and supertypes, inherited ones included, so
//! that no instruction has to walk up a chain.

use super::super::api::Api;
use super::super::code::{Class, MethodRef};
use super::super::value::ClassRef;
use super::{Linker, Result, wrong};
use applet_gen::cap::{self, ComponentTag};
use std::collections::BTreeSet;

/// Superclasses that a class may have.
const MAX_DEPTH: usize = 64;
/// Superclasses and interfaces that a class or interface may have.
const MAX_SUPERS: usize = 256;

impl Linker<'_> {
    pub(super) fn classes(&mut self) -> Result<()> {
        let tag = ComponentTag::Class;
        for interface in &self.cap.class.interfaces {
            let at = usize::from(interface.offset);
            let supers = interface
                .superinterfaces
                .iter()
                .map(|i| Ok((self.class_ref(*i, at, tag)?, Vec::new())));
            let interfaces = supers.collect::<Result<Vec<_>>>()?;
            self.classes.push(Class {
                interface: true,
                shareable: interface.flags & cap::class::ACC_SHAREABLE != 0,
                interfaces,
                ..Class::default()
            });
        }
        for info in &self.cap.class.classes {
            let class = self.class(info)?;
            self.classes.push(class);
        }
        Ok(())
    }

    fn class(&self, info: &cap::ClassInfo) -> Result<Class> {
        let tag = ComponentTag::Class;
        let at = usize::from(info.offset);
        let superclass = info
            .super_class
            .map(|c| self.class_ref(c, at, tag))
            .transpose()?;
        let superclass =
            superclass.ok_or_else(|| wrong(tag, at, "a class without a superclass"))?;
        let above = match self.known(superclass) {
            Some(above) if above.interface => {
                return Err(wrong(tag, at, "the superclass is an interface"));
            }
            Some(above) => above.clone(),
            None if superclass.package == self.id => {
                let why = "the superclass does not stand before the class";
                return Err(wrong(tag, at, why));
            }
            None => match Api::get().class(superclass) {
                Some(above) if !above.interface => Class {
                    public: above
                        .virtuals
                        .iter()
                        .map(|id| id.map(MethodRef::Native))
                        .collect(),
                    ..Class::default()
                },
                _ => return Err(wrong(tag, at, "the superclass is an interface")),
            },
        };
        let cells = above.cells.checked_add(info.declared_instance_size.into());
        let cells = cells.ok_or_else(|| wrong(tag, at, "more than 65535 cells of fields"))?;
        let references = if info.reference_count == 0 {
            (0, 0)
        } else {
            let end = info.first_reference_token.checked_add(info.reference_count);
            if end.is_none_or(|end| end > info.declared_instance_size) {
                return Err(wrong(tag, at, "reference fields outside the instance"));
            }
            (
                above.cells + u16::from(info.first_reference_token),
                info.reference_count.into(),
            )
        };
        let mut interfaces = info
            .interfaces
            .iter()
            .map(|i| Ok((self.class_ref(i.interface, at, tag)?, i.methods.clone())))
            .collect::<Result<Vec<_>>>()?;
        for inherited in above.interfaces {
            if !interfaces.iter().any(|(i, _)| *i == inherited.0) {
                interfaces.push(inherited);
            }
        }
        let same_package = superclass.package == self.id;
        let inherited = if same_package {
            above.package
        } else {
            Vec::new()
        };
        Ok(Class {
            interface: false,
            is_abstract: self.is_abstract(info.offset),
            shareable: info.flags & cap::class::ACC_SHAREABLE != 0,
            superclass: Some(superclass),
            cells,
            first_cell: above.cells,
            references,
            public: self.table(above.public, info.public_method_base, &info.public_methods)?,
            package: self.table(inherited, info.package_method_base, &info.package_methods)?,
            interfaces,
            supers: Vec::new(),
        })
    }

    /// A class's table of virtual methods: its own over the inherited ones. An entry without a method is
    /// inherited from a superclass in another package (JCVM 6.8.2).
    fn table(
        &self,
        mut inherited: Vec<Option<MethodRef>>,
        base: u8,
        own: &[u16],
    ) -> Result<Vec<Option<MethodRef>>> {
        let base = usize::from(base & 0x7F);
        if inherited.len() < base + own.len() {
            inherited.resize(base + own.len(), None);
        }
        for (slot, offset) in inherited.iter_mut().skip(base).zip(own) {
            if *offset != cap::class::NO_METHOD {
                let method = self.method_at(*offset, ComponentTag::Class)?;
                *slot = Some(MethodRef::Java {
                    package: self.id,
                    method,
                });
            }
        }
        Ok(inherited)
    }

    /// Whether the Descriptor component, if there is one, calls the class at this offset abstract.
    fn is_abstract(&self, offset: u16) -> bool {
        let classes = self.cap.descriptor.iter().flat_map(|d| &d.classes);
        let this = cap::ClassRef::Internal(offset);
        classes
            .filter(|c| c.this_class == this)
            .any(|c| c.access_flags & cap::descriptor::access::CLASS_ABSTRACT != 0)
    }

    /// Collects the supertypes of each class and interface.
    pub(super) fn close(&mut self) -> Result<()> {
        for index in 0..self.classes.len() {
            let supers = self.supers(index)?;
            if let Some(class) = self.classes.get_mut(index) {
                class.supers = supers;
            }
        }
        Ok(())
    }

    fn supers(&self, index: usize) -> Result<Vec<ClassRef>> {
        let Some(class) = self.classes.get(index) else {
            return Ok(Vec::new());
        };
        let mut found = BTreeSet::new();
        let mut open: Vec<ClassRef> = class.interfaces.iter().map(|(i, _)| *i).collect();
        open.extend(class.superclass);
        let mut depth = 0;
        while let Some(next) = open.pop() {
            if !found.insert(next) {
                continue;
            }
            match self.known(next) {
                Some(known) => {
                    depth += usize::from(!known.interface);
                    open.extend(known.interfaces.iter().map(|(i, _)| *i));
                    open.extend(known.superclass);
                }
                None => {
                    if let Some(api) = Api::get().class(next) {
                        open.extend(&api.interfaces);
                        open.extend(api.superclass);
                    }
                }
            }
            if depth > MAX_DEPTH || found.len() > MAX_SUPERS {
                let why = format!(
                    "expected at most {MAX_DEPTH} superclasses and {MAX_SUPERS} supertypes, class {index} has more"
                );
                return Err(wrong(ComponentTag::Class, index, why));
            }
        }
        Ok(found.into_iter().collect())
    }
}
