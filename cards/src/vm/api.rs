//! The API packages as the VM needs them: classes by token, methods by token with their inherited
//! ones, natives resolved. One index for the process, made from the project's API tables.

use super::natives::{self, NativeFn};
use super::value::{ClassRef, PackageId};
use applet_gen::api::{self, ApiPackage};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::OnceLock;

/// Index of a method in [`Api::natives`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct NativeId(pub u16);

/// Return type of a native method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Ret {
    Void,
    Short,
    Byte,
    Boolean,
    Ref,
}

/// A method of an API package.
pub(crate) struct NativeMethod {
    pub package: &'static str,
    /// Its AID, and the first minor version that has the method.
    pub aid: &'static [u8],
    pub since: u8,
    /// Outermost type that declares it (java/lang/Object aside): what [`super::Host::native`] is told.
    pub class: &'static str,
    pub method: &'static str,
    pub descriptor: &'static str,
    pub is_static: bool,
    /// Kinds of the arguments, the receiver not included: true for references.
    pub args: Vec<bool>,
    pub returns: Ret,
    /// A constructor.
    pub is_init: bool,
    /// Fuel that a call takes besides that of its instruction: cryptography takes the host long.
    pub effort: u64,
    /// The VM's own implementation; `None` asks the card.
    pub run: Option<NativeFn>,
    /// The type that `run` was found for.
    run_of: Option<&'static str>,
}

impl NativeMethod {
    /// Cells of the arguments, the receiver included.
    pub fn nargs(&self) -> u8 {
        u8::try_from(self.args.len()).unwrap_or(u8::MAX - 1) + u8::from(!self.is_static)
    }

    pub fn full_name(&self) -> String {
        format!("{}.{}{}", self.class, self.method, self.descriptor)
    }
}

pub(crate) struct Class {
    pub name: &'static str,
    /// First minor version of the package that has it.
    pub since: u8,
    pub interface: bool,
    pub is_abstract: bool,
    pub superclass: Option<ClassRef>,
    /// All interfaces, inherited ones included.
    pub interfaces: Vec<ClassRef>,
    /// By token, inherited ones included.
    pub virtuals: Vec<Option<NativeId>>,
    /// Static methods and constructors by token.
    pub statics: Vec<Option<NativeId>>,
}

pub(crate) struct Package {
    pub table: &'static ApiPackage,
    /// By class token.
    pub classes: Vec<Option<Class>>,
}

pub(crate) struct Api {
    pub packages: Vec<Package>,
    by_name: HashMap<&'static str, ClassRef>,
    natives: Vec<NativeMethod>,
    /// java/lang/Object.
    pub object: ClassRef,
    /// java/lang/Throwable.
    pub throwable: ClassRef,
    /// javacard/framework/Shareable.
    pub shareable: ClassRef,
}

/// No class: the tables always have those that are looked for by it.
const NO_CLASS: ClassRef = ClassRef {
    package: PackageId(u16::MAX),
    class: u16::MAX,
};

impl Api {
    /// The process's index.
    pub fn get() -> &'static Api {
        static API: OnceLock<Api> = OnceLock::new();
        API.get_or_init(|| {
            let packages = api::newest();
            Builder {
                packages,
                by_name: HashMap::new(),
                natives: Vec::new(),
                tables: HashMap::new(),
            }
            .build()
        })
    }

    pub fn package(&self, id: PackageId) -> Option<&Package> {
        self.packages.get(usize::from(id.0))
    }

    pub fn package_by_aid(&self, aid: &[u8]) -> Option<(PackageId, &Package)> {
        let at = self
            .packages
            .iter()
            .position(|p| p.table.aid.as_slice() == aid)?;
        Some((PackageId(u16::try_from(at).ok()?), self.packages.get(at)?))
    }

    pub fn class(&self, class: ClassRef) -> Option<&Class> {
        self.package(class.package)?
            .classes
            .get(usize::from(class.class))?
            .as_ref()
    }

    pub fn class_named(&self, name: &str) -> Option<ClassRef> {
        self.by_name.get(name).copied()
    }

    pub fn native(&self, id: NativeId) -> Option<&NativeMethod> {
        self.natives.get(usize::from(id.0))
    }

    /// Method of a class or interface by name and descriptor, inherited ones included.
    pub fn virtual_named(
        &self,
        class: ClassRef,
        method: &str,
        descriptor: &str,
    ) -> Option<(u8, NativeId)> {
        let class = self.class(class)?;
        class
            .virtuals
            .iter()
            .zip(0u8..=u8::MAX)
            .find_map(|(id, token)| {
                let id = (*id)?;
                let native = self.native(id)?;
                (native.method == method && native.descriptor == descriptor).then_some((token, id))
            })
    }
}

/// Full name of a class of an API package, with slashes; `None` for one of a loaded package.
#[must_use]
pub fn api_class_name(class: ClassRef) -> Option<&'static str> {
    Api::get().class(class).map(|class| class.name)
}

struct Builder {
    packages: &'static [ApiPackage],
    by_name: HashMap<&'static str, ClassRef>,
    natives: Vec<NativeMethod>,
    /// By class name.
    tables: HashMap<&'static str, (&'static ApiPackage, &'static api::ApiClass)>,
}

impl Builder {
    fn build(mut self) -> Api {
        let tables = self.packages;
        for (id, package) in (0u16..).zip(tables) {
            for class in &package.classes {
                let r = ClassRef {
                    package: PackageId(id),
                    class: class.token.into(),
                };
                self.by_name.insert(class.name.as_str(), r);
                self.tables.insert(class.name.as_str(), (package, class));
            }
        }
        let packages = tables
            .iter()
            .map(|table| {
                let top = table.classes.iter().map(|c| c.token).max();
                let mut classes: Vec<Option<Class>> = (0..top.map_or(0, |t| usize::from(t) + 1))
                    .map(|_| None)
                    .collect();
                for class in &table.classes {
                    let linked = self.class(class);
                    if let Some(slot) = classes.get_mut(usize::from(class.token)) {
                        *slot = Some(linked);
                    }
                }
                Package { table, classes }
            })
            .collect();
        let named = |name: &str| self.by_name.get(name).copied().unwrap_or(NO_CLASS);
        Api {
            packages,
            object: named("java/lang/Object"),
            throwable: named("java/lang/Throwable"),
            shareable: named("javacard/framework/Shareable"),
            by_name: self.by_name,
            natives: self.natives,
        }
    }

    fn class(&mut self, class: &'static api::ApiClass) -> Class {
        let above = self.above(class);
        let interfaces = above
            .iter()
            .filter(|(_, c)| c.is_interface())
            .filter_map(|(_, c)| self.by_name.get(c.name.as_str()).copied())
            .collect();
        let mut virtuals = Vec::new();
        for token in 0..=0x7F {
            if let Some(found) = api::method_by_token(self.packages, &class.name, token) {
                let id = self.native(class, &above, found.member);
                put(&mut virtuals, token, id);
            }
        }
        let mut statics = Vec::new();
        for method in class.methods.iter().filter(|m| m.is_static_token()) {
            let id = self.native(class, &above, method);
            put(&mut statics, method.token, id);
        }
        let aid = self
            .tables
            .get(class.name.as_str())
            .map(|t| t.0.aid.as_slice());
        Class {
            name: class.name.as_str(),
            since: since(aid.unwrap_or_default(), |p| {
                p.class_named(&class.name).is_some()
            }),
            interface: class.is_interface(),
            is_abstract: class.flags & api::flags::ABSTRACT != 0,
            superclass: class
                .super_name
                .as_deref()
                .filter(|_| !class.is_interface())
                .and_then(|name| self.by_name.get(name).copied()),
            interfaces,
            virtuals,
            statics,
        }
    }

    /// All supertypes of a class, nearest first.
    fn above(
        &self,
        class: &'static api::ApiClass,
    ) -> Vec<(&'static ApiPackage, &'static api::ApiClass)> {
        let mut found: Vec<(&'static ApiPackage, &'static api::ApiClass)> = Vec::new();
        let mut at = 0;
        let mut current = class;
        loop {
            let names = current.super_name.iter().chain(&current.interfaces);
            for name in names {
                if let Some(entry) = self.tables.get(name.as_str())
                    && !found.iter().any(|(_, c)| std::ptr::eq(*c, entry.1))
                {
                    found.push(*entry);
                }
            }
            match found.get(at) {
                Some((_, next)) => current = next,
                None => return found,
            }
            at += 1;
        }
    }

    fn native(
        &mut self,
        class: &'static api::ApiClass,
        above: &[(&'static ApiPackage, &'static api::ApiClass)],
        method: &'static api::ApiMethod,
    ) -> Option<NativeId> {
        let own = self.tables.get(class.name.as_str()).copied()?;
        let is_static = method.flags & api::flags::STATIC != 0;
        let fixed = method.is_static_token();
        let line = || std::iter::once(&own).chain(if fixed { &[][..] } else { above });
        // The nearest type for which the VM has an implementation.
        let run = line().find_map(|(_, c)| {
            Some((
                natives::find(&c.name, &method.name, &method.descriptor)?,
                c.name.as_str(),
            ))
        });
        let declaring = line()
            .rfind(|(_, c)| {
                (c.name != "java/lang/Object" || class.name == "java/lang/Object")
                    && c.methods
                        .iter()
                        .any(|m| m.name == method.name && m.descriptor == method.descriptor)
            })
            .unwrap_or(&own);
        let (args, returns) = descriptor(&method.descriptor)?;
        let native = NativeMethod {
            package: declaring.0.name.as_str(),
            aid: &declaring.0.aid,
            since: since(&declaring.0.aid, |package| {
                let class = package.class_named(&declaring.1.name);
                class.is_some_and(|c| {
                    let methods = &mut c.methods.iter();
                    methods.any(|m| m.name == method.name && m.descriptor == method.descriptor)
                })
            }),
            class: declaring.1.name.as_str(),
            method: method.name.as_str(),
            descriptor: method.descriptor.as_str(),
            is_static,
            args,
            returns,
            is_init: method.name == "<init>",
            effort: match declaring.0.name.as_str() {
                "javacard/security" | "javacardx/crypto" => 5_000,
                _ => 10,
            },
            run: run.map(|(run, _)| run),
            run_of: run.map(|(_, of)| of),
        };
        let same = |n: &NativeMethod| {
            n.class == native.class
                && n.method == native.method
                && n.descriptor == native.descriptor
                && n.run_of == native.run_of
        };
        let at = match self.natives.iter().position(same) {
            Some(at) => at,
            None => {
                self.natives.push(native);
                self.natives.len() - 1
            }
        };
        u16::try_from(at).ok().map(NativeId)
    }
}

/// The first minor version of a package for which something holds.
fn since(aid: &[u8], holds: impl Fn(&ApiPackage) -> bool) -> u8 {
    let versions = &mut api::versions(aid).iter();
    versions
        .find(|p| holds(p))
        .map_or(0, |package| package.minor)
}

fn put(table: &mut Vec<Option<NativeId>>, token: u8, id: Option<NativeId>) {
    let token = usize::from(token);
    if table.len() <= token {
        table.resize(token + 1, None);
    }
    if let Some(slot) = table.get_mut(token) {
        *slot = id;
    }
}

/// Argument kinds (true: reference) and return type of a JVM descriptor without `int`.
pub(crate) fn descriptor(text: &str) -> Option<(Vec<bool>, Ret)> {
    let (args, returns) = text.strip_prefix('(')?.split_once(')')?;
    let mut kinds = Vec::new();
    let mut chars = args.chars();
    while let Some(c) = chars.next() {
        kinds.push(match c {
            'B' | 'S' | 'Z' => false,
            'L' => {
                chars.by_ref().find(|c| *c == ';')?;
                true
            }
            '[' => {
                if chars.next()? == 'L' {
                    chars.by_ref().find(|c| *c == ';')?;
                }
                true
            }
            _ => return None,
        });
    }
    let returns = match returns.chars().next()? {
        'V' => Ret::Void,
        'S' => Ret::Short,
        'B' => Ret::Byte,
        'Z' => Ret::Boolean,
        'L' | '[' => Ret::Ref,
        _ => return None,
    };
    Some((kinds, returns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptors() {
        assert_eq!(
            descriptor(
                "([BSLjavacard/framework/AID;[Ljava/lang/Object;Z)Ljavacard/framework/Shareable;"
            ),
            Some((vec![true, false, true, true, false], Ret::Ref))
        );
        assert_eq!(descriptor("()V"), Some((vec![], Ret::Void)));
        assert_eq!(descriptor("(I)V"), None);
        assert_eq!(descriptor("(Lx"), None);
    }
}
