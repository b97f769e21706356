//! Finding classes and members among packages, inherited ones too.

use super::{ApiClass, ApiField, ApiMethod, ApiPackage};

/// A class or a member with the class and the package that declare it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a, T> {
    /// The declaring package.
    pub package: &'a ApiPackage,
    /// The declaring class.
    pub class: &'a ApiClass,
    /// The member.
    pub member: &'a T,
}

/// The class with this full name (`javacard/framework/Util`).
pub fn find_class<'a>(
    packages: &'a [ApiPackage],
    name: &str,
) -> Option<(&'a ApiPackage, &'a ApiClass)> {
    let (package_name, _) = name.rsplit_once('/')?;
    packages
        .iter()
        .filter(|package| package.name == package_name)
        .find_map(|package| Some((package, package.class_named(name)?)))
}

/// The method that `name` and `descriptor` mean in a class: its own, then the superclasses',
/// then the interfaces'. Constructors and static methods of an interface are not inherited.
pub fn find_method<'a>(
    packages: &'a [ApiPackage],
    class: &str,
    name: &str,
    descriptor: &str,
) -> Option<Member<'a, ApiMethod>> {
    let wanted = |method: &&ApiMethod| method.name == name && method.descriptor == descriptor;
    let found = |(package, class): (&'a ApiPackage, &'a ApiClass)| {
        let member = class.methods.iter().find(wanted)?;
        Some(Member {
            package,
            class,
            member,
        })
    };
    if name == "<init>" {
        return find_class(packages, class).and_then(found);
    }
    lineage(packages, class).into_iter().find_map(found)
}

/// The virtual (or interface) method with this token in a class, inherited ones too. An interface
/// with several superinterfaces numbers their methods anew: those it lists itself are not found
/// under the token that they have where they come from.
pub fn method_by_token<'a>(
    packages: &'a [ApiPackage],
    class: &str,
    token: u8,
) -> Option<Member<'a, ApiMethod>> {
    let mut lineage = lineage(packages, class);
    if lineage
        .first()
        .is_some_and(|(_, class)| class.is_interface())
    {
        // java.lang.Object's methods are called on it, but are none of the interface's.
        lineage.retain(|(_, class)| class.is_interface());
    }
    let own_token = |wanted: &ApiMethod| {
        lineage
            .iter()
            .flat_map(|(_, class)| &class.methods)
            .find(|method| method.name == wanted.name && method.descriptor == wanted.descriptor)
            .map(|method| method.token)
    };
    lineage.iter().find_map(|(package, class)| {
        let member = class.methods.iter().find(|method| {
            !method.is_static_token() && method.token == token && own_token(method) == Some(token)
        })?;
        Some(Member {
            package,
            class,
            member,
        })
    })
}

/// The field that `name` means in a class: its own, then inherited ones.
pub fn find_field<'a>(
    packages: &'a [ApiPackage],
    class: &str,
    name: &str,
) -> Option<Member<'a, ApiField>> {
    lineage(packages, class)
        .into_iter()
        .find_map(|(package, class)| {
            let member = class.fields.iter().find(|field| field.name == name)?;
            Some(Member {
                package,
                class,
                member,
            })
        })
}

/// The full names of every interface that a class implements or an interface extends, directly
/// or not, without itself.
pub fn interfaces_of(packages: &[ApiPackage], class: &str) -> Vec<String> {
    lineage(packages, class)
        .into_iter()
        .filter(|(_, found)| found.is_interface() && found.name != class)
        .map(|(_, found)| found.name.clone())
        .collect()
}

/// The class, its superclasses from below, then all their interfaces; each once. What is not in
/// `packages` is left out.
fn lineage<'a>(packages: &'a [ApiPackage], class: &str) -> Vec<(&'a ApiPackage, &'a ApiClass)> {
    let mut found: Vec<(&ApiPackage, &ApiClass)> = Vec::new();
    let mut next = find_class(packages, class);
    while let Some((package, class)) = next {
        if found.iter().any(|(_, seen)| seen.name == class.name) {
            break;
        }
        found.push((package, class));
        next = class
            .super_name
            .as_deref()
            .and_then(|name| find_class(packages, name));
    }
    let mut index = 0;
    while let Some((_, class)) = found.get(index).copied() {
        for name in &class.interfaces {
            if let Some(interface) = find_class(packages, name)
                && !found.iter().any(|(_, seen)| seen.name == interface.1.name)
            {
                found.push(interface);
            }
        }
        index += 1;
    }
    found
}
