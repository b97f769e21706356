//! Classes and interfaces as the verifier sees them: the CAP's own and those of imported packages
//! alike, with who extends and who implements whom.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fmt;

use super::context::Context;
use crate::api::{self, ApiClass};
use crate::cap::ClassRef;
use crate::cap::descriptor::access;

/// A class or interface, the same however it is referred to.
#[derive(Debug, Clone, Copy)]
pub(super) enum Class<'a> {
    /// Of this package, by its offset in the Class component.
    Own(u16),
    /// Of an imported package, or one that those refer to.
    Api(&'a ApiClass),
}

impl<'a> Class<'a> {
    fn key(&self) -> (u16, &'a str) {
        match self {
            Class::Own(offset) => (*offset, ""),
            Class::Api(class) => (0, &class.name),
        }
    }
}

impl PartialEq for Class<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Class<'_> {}

impl PartialOrd for Class<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Class<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl fmt::Display for Class<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Own(offset) => write!(f, "class at {offset:#06x}"),
            Class::Api(class) => f.write_str(&class.name.replace('/', ".")),
        }
    }
}

impl<'a> Context<'a> {
    /// What a reference means; `None` if it leads nowhere or into a package that is not known.
    pub fn class(&self, class: ClassRef) -> Option<Class<'a>> {
        match class {
            ClassRef::Internal(offset) => {
                self.class_exists(class).ok()?;
                Some(Class::Own(offset))
            }
            ClassRef::External { package, class } => {
                self.external(package, class).ok()?.map(Class::Api)
            }
        }
    }

    /// The class of a known package with this full name.
    pub fn class_named(&self, name: &str) -> Option<Class<'a>> {
        api::find_class(self.packages, name).map(|(_, class)| Class::Api(class))
    }

    pub fn is_interface_class(&self, class: Class<'a>) -> bool {
        match class {
            Class::Own(offset) => self.cap.class.interface_at(offset).is_some(),
            Class::Api(class) => class.is_interface(),
        }
    }

    /// The superclass; java.lang.Object for an interface.
    pub fn superclass(&self, class: Class<'a>) -> Option<Class<'a>> {
        match class {
            Class::Own(offset) => match self.cap.class.class_at(offset) {
                Some(info) => self.class(info.super_class?),
                None => self.class_named("java/lang/Object"),
            },
            Class::Api(class) => self.class_named(class.super_name.as_deref()?),
        }
    }

    /// The class and its superclasses from below.
    pub fn lineage(&self, class: Class<'a>) -> Vec<Class<'a>> {
        let mut found = vec![class];
        let mut next = self.superclass(class);
        while let Some(class) = next.filter(|class| !found.contains(class)) {
            found.push(class);
            next = self.superclass(class);
        }
        found
    }

    pub fn is_subclass(&self, class: Class<'a>, of: Class<'a>) -> bool {
        self.lineage(class).contains(&of)
    }

    /// Every interface that a class implements or an interface extends, directly or not, without
    /// itself.
    pub fn interfaces(&self, class: Class<'a>) -> BTreeSet<Class<'a>> {
        let mut found = BTreeSet::new();
        let mut work = self.lineage(class);
        while let Some(next) = work.pop() {
            let above: Vec<Class<'a>> = match next {
                Class::Own(offset) => {
                    let component = &self.cap.class;
                    let implemented = component.class_at(offset).into_iter();
                    let implemented = implemented.flat_map(|info| &info.interfaces);
                    let extended = component.interface_at(offset).into_iter();
                    let extended = extended.flat_map(|info| &info.superinterfaces);
                    implemented
                        .map(|one| one.interface)
                        .chain(extended.copied())
                        .filter_map(|one| self.class(one))
                        .collect()
                }
                Class::Api(class) => class
                    .interfaces
                    .iter()
                    .filter_map(|name| self.class_named(name))
                    .collect(),
            };
            for interface in above {
                if interface != class && found.insert(interface) {
                    work.push(interface);
                }
            }
        }
        found
    }

    /// Whether it is or extends javacard.framework.Shareable, or implements what does (JCVM 6.8.1).
    pub fn is_shareable(&self, class: Class<'a>) -> bool {
        let shareable = |one: Class<'a>| match one {
            Class::Own(_) => false,
            Class::Api(class) => class.is_shareable(),
        };
        shareable(class) || self.interfaces(class).into_iter().any(shareable)
    }

    /// Whether no objects are made of it, as far as is known.
    pub fn is_abstract_class(&self, class: Class<'a>) -> bool {
        match class {
            Class::Own(offset) => self
                .descriptor_of(ClassRef::Internal(offset))
                .is_some_and(|described| described.access_flags & access::CLASS_ABSTRACT != 0),
            Class::Api(class) => class.flags & api::flags::ABSTRACT != 0,
        }
    }

    /// Whether nothing may extend it, as far as is known.
    pub fn is_final_class(&self, class: Class<'a>) -> bool {
        match class {
            Class::Own(offset) => self
                .descriptor_of(ClassRef::Internal(offset))
                .is_some_and(|described| described.access_flags & access::FINAL != 0),
            Class::Api(class) => class.flags & api::flags::FINAL != 0,
        }
    }
}
