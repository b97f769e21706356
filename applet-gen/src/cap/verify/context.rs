//! What the checks look things up in.

use std::collections::BTreeMap;

use super::Report;
use crate::api::{self, ApiClass, ApiPackage};
use crate::cap::descriptor::{ClassDescriptor, MethodDescriptor, NO_TOKEN, access};
use crate::cap::{Cap, ClassRef, ComponentTag, MethodInfo};

/// A CAP with its methods cut out and its imports resolved.
pub(super) struct Context<'a> {
    pub cap: &'a Cap,
    pub packages: &'a [ApiPackage],
    /// At the index of the Import component: the package, where it is known.
    pub imports: Vec<Option<&'a ApiPackage>>,
    /// Whether types can be told: there is a Descriptor, and every import is known.
    pub typed: bool,
    /// By offset.
    pub methods: BTreeMap<u16, MethodInfo>,
    /// By the offset of a method with code or header: its class and entry in the Descriptor.
    pub owners: BTreeMap<u16, (ClassRef, &'a MethodDescriptor)>,
}

/// What a token of a class leads to.
pub(super) enum Target {
    /// A method of this package.
    Internal,
    /// A method of an imported package.
    External,
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
        let descriptor = cap.descriptor.iter().flat_map(|table| &table.classes);
        let owners = descriptor
            .filter(|class| class.access_flags & access::INTERFACE == 0)
            .flat_map(|class| {
                class
                    .methods
                    .iter()
                    .map(|method| (class.this_class, method))
            })
            .map(|(class, method)| (method.method_offset, (class, method)))
            .collect();
        let imports: Vec<Option<&ApiPackage>> = cap
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
            .collect();
        Context {
            owners,
            cap,
            packages,
            typed: cap.descriptor.is_some() && imports.iter().all(Option::is_some),
            imports,
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
            Some(Some(known)) => known
                .class(class)
                .filter(|found| found.token != NO_TOKEN)
                .map(Some)
                .ok_or_else(|| {
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
    pub fn virtual_method(&self, class: ClassRef, token: u8) -> Target {
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

    fn external_virtual(&self, package: u8, class: u8, token: u8) -> Target {
        match self.external(package, class) {
            Err(_) => Target::Missing,
            Ok(None) => Target::Unknown,
            Ok(Some(known)) => match api::method_by_token(self.packages, &known.name, token) {
                Some(_) => Target::External,
                None => Target::Missing,
            },
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
}
