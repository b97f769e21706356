//! Whether a newer export file can take an older one's place (JCVM 4.4, 4.5).

use std::fmt;

use serde::Serialize;

use crate::api::{ApiClass, ApiMethod, ApiPackage, flags};

/// What two versions of a package differ in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What breaks packages that were converted against the old one (JCVM 4.4).
    pub breaking: Vec<String>,
    /// What breaks only those of them that extend a class or implement an interface of it. Minor
    /// versions of the platform's own packages have such changes.
    pub for_subclasses: Vec<String>,
    /// What is new and breaks nobody.
    pub added: Vec<String>,
    /// Where the version numbers don't say so (JCVM 4.5).
    pub version: Option<String>,
}

impl Comparison {
    /// Whether packages converted against the old one link and run against the new one.
    pub fn is_compatible(&self) -> bool {
        self.breaking.is_empty()
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for what in &self.breaking {
            writeln!(f, "breaks       {what}")?;
        }
        for what in &self.for_subclasses {
            writeln!(f, "extenders    {what}")?;
        }
        for what in &self.added {
            writeln!(f, "adds         {what}")?;
        }
        if let Some(text) = &self.version {
            writeln!(f, "version      {text}")?;
        }
        let same = self.added.is_empty() && self.for_subclasses.is_empty();
        f.write_str(match (self.is_compatible(), same) {
            (false, _) => "not compatible",
            (true, false) => "compatible",
            (true, true) => "the same to importers",
        })
    }
}

/// Compares two versions of a package.
pub fn compare(old: &ApiPackage, new: &ApiPackage) -> Comparison {
    let mut found = Comparison::default();
    if old.aid != new.aid {
        found.breaking.push(format!(
            "the AID: {} and {} are two packages",
            hex::encode_upper(&old.aid),
            hex::encode_upper(&new.aid)
        ));
    }
    for class in &old.classes {
        let same = |other: &&ApiClass| {
            // A package may be renamed: tokens name classes, not names (JCVM 4.3.3).
            other.simple_name() == class.simple_name()
        };
        match new.classes.iter().find(same) {
            Some(other) => found.class(class, other),
            None => found.breaks(class, "is gone"),
        }
    }
    for class in &new.classes {
        let known = old
            .classes
            .iter()
            .any(|other| other.simple_name() == class.simple_name());
        if !known {
            found.added.push(class.name.clone());
        }
    }
    let version = |package: &ApiPackage| format!("{}.{}", package.major, package.minor);
    let wanted = if !found.is_compatible() {
        (new.major <= old.major).then_some("a higher major version")
    } else if !(found.added.is_empty() && found.for_subclasses.is_empty()) {
        let higher = new.major > old.major || new.major == old.major && new.minor > old.minor;
        (!higher).then_some("a higher minor version")
    } else {
        ((new.major, new.minor) < (old.major, old.minor)).then_some("no lower version")
    };
    found.version = wanted.map(|wanted| {
        format!(
            "{} after {}: expected {wanted} (JCVM 4.5)",
            version(new),
            version(old)
        )
    });
    found
}

impl Comparison {
    fn breaks(&mut self, class: &ApiClass, what: &str) {
        self.breaking.push(format!("{} {what}", class.name));
    }

    fn class(&mut self, old: &ApiClass, new: &ApiClass) {
        if old.token != new.token {
            self.breaks(old, &format!("had token {}, has {}", old.token, new.token));
        }
        for (flag, what) in [
            (flags::INTERFACE, "interface"),
            (flags::SHAREABLE, "shareable"),
        ] {
            if (old.flags ^ new.flags) & flag != 0 {
                self.breaks(old, &format!("is {what} in one of them only"));
            }
        }
        for (flag, what) in [(flags::FINAL, "final"), (flags::ABSTRACT, "abstract")] {
            if new.flags & flag != 0 && old.flags & flag == 0 {
                self.breaks(old, &format!("has become {what}"));
            }
        }
        for above in old.super_name.iter().chain(&old.interfaces) {
            if new.super_name.as_ref() != Some(above) && !new.interfaces.contains(above) {
                self.breaks(
                    old,
                    &format!("does not extend or implement {above} any more"),
                );
            }
        }
        self.fields(old, new);
        self.methods(old, new);
    }

    fn fields(&mut self, old: &ApiClass, new: &ApiClass) {
        for field in &old.fields {
            let what = format!("{}.{}", old.name, field.name);
            let Some(other) = new.fields.iter().find(|other| other.name == field.name) else {
                self.breaking.push(format!("{what} is gone"));
                continue;
            };
            if field.descriptor != other.descriptor {
                let (a, b) = (&field.descriptor, &other.descriptor);
                self.breaking.push(format!("{what} was {a}, is {b}"));
            }
            if field.token != other.token || field.constant != other.constant {
                let text = format!("{what} has another token or value");
                self.breaking.push(text);
            }
            self.flags(&what, field.flags, other.flags);
        }
        for field in &new.fields {
            if old.fields.iter().any(|other| other.name == field.name) {
                continue;
            }
            let what = format!("{}.{}", new.name, field.name);
            if field.flags & flags::STATIC == 0 && new.flags & flags::FINAL == 0 {
                // Subclasses have numbered theirs after the old ones.
                self.for_subclasses
                    .push(format!("{what}: an instance field more"));
            } else {
                self.added.push(what);
            }
        }
    }

    fn methods(&mut self, old: &ApiClass, new: &ApiClass) {
        let same = |a: &ApiMethod, b: &ApiMethod| a.name == b.name && a.descriptor == b.descriptor;
        for method in &old.methods {
            let what = format!("{}.{}{}", old.name, method.name, method.descriptor);
            let Some(other) = new.methods.iter().find(|other| same(method, other)) else {
                self.breaking.push(format!("{what} is gone"));
                continue;
            };
            if method.token != other.token {
                let text = format!("{what} had token {}, has {}", method.token, other.token);
                self.breaking.push(text);
            }
            self.flags(&what, method.flags, other.flags);
        }
        for method in &new.methods {
            if old.methods.iter().any(|other| same(method, other)) {
                continue;
            }
            let what = format!("{}.{}{}", new.name, method.name, method.descriptor);
            if new.is_interface() {
                self.for_subclasses
                    .push(format!("{what}: a method more to implement"));
            } else if !method.is_static_token() && new.flags & flags::FINAL == 0 {
                // Their token is one that subclasses have given to a method of theirs.
                self.for_subclasses
                    .push(format!("{what}: a virtual method more"));
            } else {
                self.added.push(what);
            }
        }
    }

    fn flags(&mut self, what: &str, old: u16, new: u16) {
        if (old ^ new) & flags::STATIC != 0 {
            self.breaking
                .push(format!("{what} is static in one of them only"));
        }
        if old & flags::PUBLIC != 0 && new & flags::PUBLIC == 0 {
            self.breaking.push(format!("{what} is not public any more"));
        }
        for (flag, word) in [(flags::FINAL, "final"), (flags::ABSTRACT, "abstract")] {
            if new & flag != 0 && old & flag == 0 {
                self.breaking.push(format!("{what} has become {word}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api;

    #[test]
    fn what_importers_would_notice() {
        let old = api::find_by_name("javacard.framework").unwrap();
        assert_eq!(compare(old, old), Comparison::default());

        let mut new = old.clone();
        new.minor += 1;
        let pin = (new.classes.iter_mut())
            .find(|c| c.simple_name() == "PIN")
            .unwrap();
        pin.methods.retain(|method| method.token != 0);
        let broken = compare(old, &new);
        assert!(!broken.is_compatible());
        assert!(broken.version.unwrap().contains("a higher major version"));

        let mut new = old.clone();
        let util = new
            .classes
            .iter_mut()
            .find(|c| c.simple_name() == "Util")
            .unwrap();
        let mut more = util.methods[1].clone();
        more.name = "more".to_owned();
        more.token = 99;
        util.methods.push(more.clone());
        let grown = compare(old, &new);
        assert_eq!(grown.added.len(), 1, "{grown}");
        assert!(grown.is_compatible() && grown.version.unwrap().contains("a higher minor"));

        let mut new = old.clone();
        let pin = new
            .classes
            .iter_mut()
            .find(|c| c.simple_name() == "PIN")
            .unwrap();
        more.flags = flags::PUBLIC | flags::ABSTRACT;
        pin.methods.push(more);
        let found = compare(old, &new);
        assert!(found.for_subclasses[0].contains("a method more to implement"));
    }

    #[test]
    fn later_versions_of_the_tables_fit_the_earlier_ones() {
        for old in api::packages() {
            for new in api::versions(&old.aid) {
                let found = compare(old, new);
                assert!(found.is_compatible(), "{}: {found}", old.name);
            }
        }
    }
}
