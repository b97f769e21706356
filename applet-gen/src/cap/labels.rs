//! Names of a package's own classes and methods, as far as the CAP has them.
//!
//! The Debug component (JCVM 6.14) has them, and source lines. A CAP without it names nothing; then a class has its offset for a name,
//! and a method that of the API's method which it overrides, or its offset.

use std::collections::BTreeMap;

use super::descriptor::access;
use super::{Cap, ClassInfo, ClassRef, Debug};
use crate::api::{self, ApiClass, ApiPackage};

/// The names of a CAP's own classes and methods.
#[derive(Debug, Clone, Default)]
pub struct Labels {
    classes: BTreeMap<u16, String>,
    methods: BTreeMap<u16, String>,
    debug: Option<Debug>,
}

/// The class of an imported package that a reference means, where the package is known.
pub fn imported_class<'a>(
    cap: &Cap,
    packages: &'a [ApiPackage],
    class: ClassRef,
) -> Option<&'a ApiClass> {
    let ClassRef::External { package, class } = class else {
        return None;
    };
    let import = cap.imports.get(usize::from(package))?;
    let known = packages.iter().find(|known| known.aid == import.aid)?;
    known.class(class)
}

impl Labels {
    /// Takes what names there are; those of imported packages come from `packages`.
    pub fn new(cap: &Cap, packages: &[ApiPackage]) -> Self {
        let mut labels = Labels::default();
        for interface in &cap.class.interfaces {
            let name = format!("interface_{:04x}", interface.offset);
            labels.classes.insert(interface.offset, name);
        }
        for class in &cap.class.classes {
            let name = format!("class_{:04x}", class.offset);
            labels.classes.insert(class.offset, name);
        }
        for class in &cap.class.classes {
            labels.overridden(cap, packages, class);
        }
        labels.described(cap);
        for applet in &cap.applets {
            let offset = applet.install_method_offset;
            let class = labels.owner(cap, offset);
            labels.name(offset, class, "install");
        }
        // A Debug component that can't be read is as good as none: a card doesn't see it.
        if let Ok(Some(debug)) = cap.debug_info() {
            labels.named(&debug);
            labels.debug = Some(debug);
        }
        labels
    }

    /// The names that the Debug component has; methods of one name in a class get their parameters.
    fn named(&mut self, debug: &Debug) {
        for class in &debug.classes {
            let simple = class.name.rsplit('/').next().unwrap_or(&class.name);
            self.classes.insert(class.location, simple.to_owned());
            for method in class.methods.iter().filter(|method| method.header_size > 0) {
                let mut same = class
                    .methods
                    .iter()
                    .filter(|other| other.name == method.name);
                let shape = match same.nth(1) {
                    Some(_) => method
                        .descriptor
                        .split_inclusive(')')
                        .next()
                        .unwrap_or_default(),
                    None => "",
                };
                let text = format!("{simple}.{}{shape}", method.name);
                self.methods.insert(method.location, text);
            }
        }
    }

    /// Source file and line of the instruction at `pc` of the method at `method`, both offsets in the
    /// Method component.
    pub fn line(&self, method: u16, pc: u16) -> Option<(String, u16)> {
        let (debug, at) = self.debugged(method, pc)?;
        let place = debug.place(method, at)?;
        Some((place.class.source.clone(), place.line?))
    }

    /// The names of the local variables that hold a value at an instruction, by index.
    pub fn locals(&self, method: u16, pc: u16) -> BTreeMap<u8, String> {
        let Some((debug, at)) = self.debugged(method, pc) else {
            return BTreeMap::new();
        };
        let known = debug.method(method);
        let variables = known.into_iter().flat_map(|(_, method)| &method.variables);
        variables
            .filter(|v| at.checked_sub(v.start).is_some_and(|past| past < v.length))
            .map(|v| (v.index, v.name.clone()))
            .collect()
    }

    /// The Debug component, and an instruction's offset in its method's code.
    fn debugged(&self, method: u16, pc: u16) -> Option<(&Debug, u16)> {
        let debug = self.debug.as_ref()?;
        let (_, known) = debug.method(method)?;
        let at = pc
            .checked_sub(method)?
            .checked_sub(known.header_size.into())?;
        Some((debug, at))
    }

    /// A class or interface by its offset in the Class component.
    pub fn class(&self, offset: u16) -> String {
        let known = self.classes.get(&offset).cloned();
        known.unwrap_or_else(|| format!("class_{offset:04x}"))
    }

    /// A method, with its class where that is known, by its offset in the Method component.
    pub fn method(&self, offset: u16) -> String {
        let known = self.methods.get(&offset).cloned();
        known.unwrap_or_else(|| format!("method_{offset:04x}"))
    }

    fn name(&mut self, offset: u16, class: Option<u16>, method: &str) {
        let text = match class {
            Some(class) => format!("{}.{method}", self.class(class)),
            None => method.to_owned(),
        };
        self.methods.insert(offset, text);
    }

    /// The class that declares a method, by the Descriptor.
    fn owner(&self, cap: &Cap, method: u16) -> Option<u16> {
        let classes = cap.descriptor.iter().flat_map(|d| &d.classes);
        let mut owners = classes.filter(|class| {
            class.access_flags & access::INTERFACE == 0
                && class.methods.iter().any(|m| m.method_offset == method)
        });
        match owners.next()?.this_class {
            ClassRef::Internal(offset) => Some(offset),
            ClassRef::External { .. } => None,
        }
    }

    /// Methods of a class that override one of the API's, or implement one of an API interface.
    fn overridden(&mut self, cap: &Cap, packages: &[ApiPackage], class: &ClassInfo) {
        let mut named = BTreeMap::new();
        let mut take = |of: &ApiClass, token: u8, own: u8| {
            if let Some(found) = api::method_by_token(packages, &of.name, token)
                && let Some(offset) = class.own_virtual_method(own)
            {
                named.insert(offset, found.member.name.clone());
            }
        };
        for implemented in &class.interfaces {
            if let Some(interface) = imported_class(cap, packages, implemented.interface) {
                for (own, token) in implemented.methods.iter().zip(0..=u8::MAX) {
                    take(interface, token, *own);
                }
            }
        }
        if let Some(parent) = imported_parent(cap, packages, class) {
            for token in 0..0x80 {
                take(parent, token, token);
            }
        }
        for (offset, name) in named {
            self.name(offset, Some(class.offset), &name);
        }
    }

    /// What the Descriptor says of methods that have no name yet.
    fn described(&mut self, cap: &Cap) {
        for class in cap.descriptor.iter().flat_map(|d| &d.classes) {
            let ClassRef::Internal(owner) = class.this_class else {
                continue;
            };
            if class.access_flags & access::INTERFACE != 0 {
                continue;
            }
            for method in &class.methods {
                let offset = method.method_offset;
                if method.access_flags & access::INIT != 0 {
                    self.name(offset, Some(owner), "<init>");
                } else if !self.methods.contains_key(&offset) {
                    self.name(offset, Some(owner), &format!("method_{offset:04x}"));
                }
            }
        }
    }
}

/// The nearest superclass of a class that is of an imported and known package.
pub fn imported_parent<'a>(
    cap: &Cap,
    packages: &'a [ApiPackage],
    class: &ClassInfo,
) -> Option<&'a ApiClass> {
    let mut class = class;
    // A chain longer than there are classes would be a circle.
    for _ in 0..=cap.class.classes.len() {
        match class.super_class? {
            ClassRef::Internal(offset) => class = cap.class.class_at(offset)?,
            external => return imported_class(cap, packages, external),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::packages;
    use crate::cap::sample;

    #[test]
    fn names_without_debug_component() {
        let cap = sample::cap();
        let labels = Labels::new(&cap, packages());
        assert_eq!(labels.method(9), "class_0003.<init>");
        assert_eq!(labels.method(0x14), "class_0003.install");
        assert_eq!(labels.method(0x21), "class_0003.process");
        let bare = Cap {
            descriptor: None,
            ..cap
        };
        let labels = Labels::new(&bare, packages());
        assert_eq!(labels.method(0x14), "install");
        assert_eq!(labels.method(0x21), "class_0003.process");
        assert_eq!(labels.method(9), "method_0009");
    }
}
