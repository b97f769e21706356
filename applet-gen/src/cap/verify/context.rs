//! What the checks look things up in.

use std::collections::BTreeMap;

use super::Report;
use crate::api::{self, ApiClass, ApiMethod, ApiPackage};
use crate::cap::descriptor::{ClassDescriptor, MethodDescriptor};
use crate::cap::signature::Words;
use crate::cap::{Cap, ClassRef, ComponentTag, MethodInfo};

/// A CAP with its methods cut out and its imports resolved.
pub(super) struct Context<'a> {
    pub cap: &'a Cap,
    pub packages: &'a [ApiPackage],
    /// At the index of the Import component: the package, where it is known.
    pub imports: Vec<Option<&'a ApiPackage>>,
    /// By offset.
    pub methods: BTreeMap<u16, MethodInfo>,
}

/// What a token of a class leads to.
pub(super) enum Target<'a> {
    /// A method of this package.
    Internal,
    /// A method of an imported package.
    External(&'a ApiMethod),
    /// It belongs to a package that is not known.
    Unknown,
    /// There is none.
    Missing,
}

impl<'a> Context<'a> {
    pub fn new(cap: &'a Cap, packages: &'a [ApiPackage], report: &mut Report) -> Self {
        let methods = cap.methods().unwrap_or_else(|error| {
            let place = Some(cap.method.base());
            report.component(
                ComponentTag::Method,
                place,
                "methods that can be cut out",
                error,
            );
            Vec::new()
        });
        Context {
            cap,
            packages,
            imports: cap
                .imports
                .iter()
                .map(|import| {
                    packages.iter().find(|package| {
                        // A newer one may have what the one here has not: it is not known.
                        package.aid == import.aid
                            && package.major == import.major
                            && package.minor >= import.minor
                    })
                })
                .collect(),
            methods: methods
                .into_iter()
                .map(|method| (method.offset, method))
                .collect(),
        }
    }

    /// The class of an imported package: `Err` when there is none, `Ok(None)` when the package is
    /// not known.
    pub fn external(&self, package: u8, class: u8) -> Result<Option<&'a ApiClass>, String> {
        match self.imports.get(usize::from(package)) {
            None => Err(format!("package {package} of {}", self.imports.len())),
            Some(None) => Ok(None),
            Some(Some(known)) => known.class(class).map(Some).ok_or_else(|| {
                format!(
                    "class {class}, which {} {}.{} does not have",
                    known.name, known.major, known.minor
                )
            }),
        }
    }

    /// Whether the reference leads to a class or interface; if not, what is wrong.
    pub fn class_exists(&self, class: ClassRef) -> Result<(), String> {
        match class {
            ClassRef::Internal(offset) => {
                let component = &self.cap.class;
                let exists = component.class_at(offset).is_some()
                    || component.interface_at(offset).is_some();
                exists
                    .then_some(())
                    .ok_or_else(|| format!("no class at {offset:#06x}"))
            }
            ClassRef::External { package, class } => self.external(package, class).map(|_| ()),
        }
    }

    /// Whether the reference leads to an interface; unknown ones are taken for what is wanted.
    pub fn is_interface(&self, class: ClassRef, wanted: bool) -> bool {
        match class {
            ClassRef::Internal(offset) => self.cap.class.interface_at(offset).is_some(),
            ClassRef::External { package, class } => self
                .external(package, class)
                .ok()
                .flatten()
                .map_or(wanted, ApiClass::is_interface),
        }
    }

    /// The virtual method that a token means in a class, inherited ones too.
    pub fn virtual_method(&self, class: ClassRef, token: u8) -> Target<'a> {
        let mut class = class;
        // A chain longer than there are classes would be a circle.
        for _ in 0..=self.cap.class.classes.len() {
            let offset = match class {
                ClassRef::Internal(offset) => offset,
                ClassRef::External { package, class } => {
                    return self.external_virtual(package, class, token);
                }
            };
            let Some(info) = self.cap.class.class_at(offset) else {
                return Target::Missing;
            };
            if info.own_virtual_method(token).is_some() {
                return Target::Internal;
            }
            match info.super_class {
                Some(parent) => class = parent,
                None => return Target::Missing,
            }
        }
        Target::Missing
    }

    fn external_virtual(&self, package: u8, class: u8, token: u8) -> Target<'a> {
        match self.external(package, class) {
            Err(_) => Target::Missing,
            Ok(None) => Target::Unknown,
            Ok(Some(known)) => match api::method_by_token(self.packages, &known.name, token) {
                Some(found) => Target::External(found.member),
                None => Target::Missing,
            },
        }
    }

    /// The method that a token means in an interface.
    pub fn interface_method(&self, class: ClassRef, token: u8) -> Option<Words> {
        match class {
            ClassRef::External { package, class } => {
                let known = self.external(package, class).ok().flatten()?;
                let found = api::method_by_token(self.packages, &known.name, token)?;
                Words::of_descriptor(&found.member.descriptor)
            }
            ClassRef::Internal(offset) => {
                let own = self.descriptor_of(class)?;
                if let Some(method) = own.methods.iter().find(|method| method.token == token) {
                    return self.words_at(method.type_offset);
                }
                let info = self.cap.class.interface_at(offset)?;
                info.superinterfaces
                    .iter()
                    .filter(|parent| **parent != class)
                    .find_map(|parent| self.direct_interface_method(*parent, token))
            }
        }
    }

    /// As [`Self::interface_method`], without superinterfaces (the list names all of them).
    fn direct_interface_method(&self, class: ClassRef, token: u8) -> Option<Words> {
        match class {
            ClassRef::External { .. } => self.interface_method(class, token),
            ClassRef::Internal(_) => {
                let own = self.descriptor_of(class)?;
                let method = own.methods.iter().find(|method| method.token == token)?;
                self.words_at(method.type_offset)
            }
        }
    }

    /// The Descriptor's entry of a class.
    pub fn descriptor_of(&self, class: ClassRef) -> Option<&'a ClassDescriptor> {
        let descriptor = self.cap.descriptor.as_ref()?;
        descriptor
            .classes
            .iter()
            .find(|entry| entry.this_class == class)
    }

    /// The Descriptor's entry of the method at this offset.
    pub fn method_descriptor(&self, offset: u16) -> Option<&'a MethodDescriptor> {
        let descriptor = self.cap.descriptor.as_ref()?;
        descriptor
            .classes
            .iter()
            .flat_map(|class| &class.methods)
            .find(|method| method.method_offset == offset && offset != 0)
    }

    /// The words of the type descriptor at this offset.
    pub fn words_at(&self, offset: u16) -> Option<Words> {
        let kind = self.cap.descriptor.as_ref()?.type_at(offset)?;
        Words::of_nibbles(&kind.nibbles)
    }
}
