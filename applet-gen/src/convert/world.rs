//! Every class the package can name: its own and those of the imports, in one view.

use std::collections::HashMap;

use super::absent;
use super::error::Problem;
use super::lower::java_name;
use super::types::{Type, field_type};
use crate::api::ApiPackage;
use crate::classfile::{ClassFile, Constant, acc};

/// Index of a class in [`World::classes`].
pub(crate) type ClassId = usize;

/// Where a class comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The package that is converted: index of the class file.
    Own(usize),
    /// An import: index in the list of imports, and the class's token there.
    Import { package: usize, token: u8 },
}

/// How a method is bound (JCVM 4.3.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Binding {
    /// Static methods, constructors and private methods: at link time.
    Static,
    /// By the object's class.
    Virtual,
    /// By the object's class and an interface.
    Interface,
}

/// A field of any class.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) descriptor: String,
    pub(crate) access: u16,
    /// Its token, once assigned; static fields of this package that nobody outside sees have none.
    pub(crate) token: Option<u8>,
    /// The value that the compiler puts in place of the field.
    pub(crate) constant: Option<i32>,
}

impl Field {
    pub(crate) fn is_static(&self) -> bool {
        self.access & acc::STATIC != 0
    }

    /// The field's type, without reports (the declaration is checked once, in `check`).
    pub(crate) fn field_type(&self) -> Type {
        field_type(&self.descriptor, &mut |_| {})
    }
}

/// A method of any class.
#[derive(Debug, Clone)]
pub(crate) struct Method {
    pub(crate) name: String,
    pub(crate) descriptor: String,
    pub(crate) access: u16,
    pub(crate) binding: Binding,
    /// Its token; bit 8 is set for a package-visible virtual method (JCVM 4.3.7.6).
    pub(crate) token: Option<u8>,
}

impl Method {
    pub(crate) fn is(&self, flag: u16) -> bool {
        self.access & flag != 0
    }

    /// Whether it can be seen from other packages.
    pub(crate) fn is_open(&self) -> bool {
        self.is(acc::PUBLIC | acc::PROTECTED)
    }
}

/// A class or interface.
#[derive(Debug, Clone)]
pub(crate) struct Class {
    pub(crate) name: String,
    pub(crate) access: u16,
    pub(crate) origin: Origin,
    pub(crate) super_name: Option<String>,
    pub(crate) interfaces: Vec<String>,
    pub(crate) fields: Vec<Field>,
    pub(crate) methods: Vec<Method>,
}

impl Class {
    pub(crate) fn is_interface(&self) -> bool {
        self.access & acc::INTERFACE != 0
    }

    pub(crate) fn is_own(&self) -> bool {
        matches!(self.origin, Origin::Own(_))
    }
}

/// A field or method found: the class that declares it and its place there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct MemberId {
    pub(crate) class: ClassId,
    pub(crate) index: usize,
}

/// The classes by name and by [`ClassId`].
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) classes: Vec<Class>,
    by_name: HashMap<String, ClassId>,
    /// Names of the imports.
    packages: Vec<String>,
    /// Whether the package may use `int` (JCVM 2.2.3.1).
    pub(crate) int: bool,
}

fn binding(class_access: u16, name: &str, access: u16) -> Binding {
    if name == "<init>" || access & (acc::STATIC | acc::PRIVATE) != 0 {
        Binding::Static
    } else if class_access & acc::INTERFACE != 0 {
        Binding::Interface
    } else {
        Binding::Virtual
    }
}

impl World {
    /// The package's classes (they come first, in this order), then those of the imports.
    /// Of several imports with one name, the first counts.
    pub(crate) fn new(
        package: &str,
        own: &[ClassFile],
        imports: &[ApiPackage],
        int: bool,
    ) -> World {
        let mut world = World {
            classes: Vec::new(),
            by_name: HashMap::new(),
            packages: Vec::new(),
            int,
        };
        for (index, file) in own.iter().enumerate() {
            world.add(own_class(index, file));
        }
        for (index, import) in imports.iter().enumerate() {
            if import.name != package && !world.packages.contains(&import.name) {
                world.packages.push(import.name.clone());
                world.add_import(index, import);
            }
        }
        world
    }

    fn add(&mut self, class: Class) {
        let id = self.classes.len();
        self.by_name.entry(class.name.clone()).or_insert(id);
        self.classes.push(class);
    }

    fn add_import(&mut self, index: usize, package: &ApiPackage) {
        for class in &package.classes {
            let fields = class.fields.iter().map(|field| Field {
                name: field.name.clone(),
                descriptor: field.descriptor.clone(),
                access: field.flags,
                token: field.token,
                constant: field.constant,
            });
            let methods = class.methods.iter().map(|method| Method {
                name: method.name.clone(),
                descriptor: method.descriptor.clone(),
                access: method.flags,
                binding: binding(class.flags, &method.name, method.flags),
                token: Some(method.token),
            });
            // Tables, export files and the packages of a run list members in different orders.
            let mut fields: Vec<Field> = fields.collect();
            fields.sort_by(|a, b| a.name.cmp(&b.name));
            let mut methods: Vec<Method> = methods.collect();
            methods.sort_by(|a, b| (&a.name, &a.descriptor).cmp(&(&b.name, &b.descriptor)));
            self.add(Class {
                name: class.name.clone(),
                access: class.flags,
                origin: Origin::Import {
                    package: index,
                    token: class.token,
                },
                super_name: class.super_name.clone(),
                interfaces: class.interfaces.clone(),
                fields,
                methods,
            });
        }
    }

    pub(crate) fn find(&self, name: &str) -> Option<ClassId> {
        self.by_name.get(name).copied()
    }

    /// What is wrong with a class that [`World::find`] doesn't find.
    pub(crate) fn unknown_class(&self, name: &str) -> Problem {
        let package = name.rsplit_once('/').map_or("", |(package, _)| package);
        if let Some(problem) = absent::class(name) {
            return problem;
        }
        Problem::Unknown {
            what: format!("class {}", java_name(name)),
            instead: if self.packages.iter().any(|known| known == package) {
                "its package is imported, but does not export it: a package with applets exports \
                 its shareable interfaces only (JCVM 6.12), and any package only what is public"
            } else {
                "it is neither in the package nor in an imported one: add the import's API table \
                 or export file, or do without the class"
            },
        }
    }

    pub(crate) fn field(&self, id: MemberId) -> &Field {
        &self.classes[id.class].fields[id.index]
    }

    pub(crate) fn method(&self, id: MemberId) -> &Method {
        &self.classes[id.class].methods[id.index]
    }

    /// The superclass, where it is known.
    pub(crate) fn super_class(&self, class: ClassId) -> Option<ClassId> {
        self.find(self.classes[class].super_name.as_deref()?)
    }

    /// The class, its superclass, and so on. Ends also when the hierarchy is circular.
    pub(crate) fn ancestry(&self, class: ClassId) -> Vec<ClassId> {
        let mut line = vec![class];
        let mut at = class;
        while let Some(above) = self.super_class(at) {
            if line.contains(&above) {
                break;
            }
            line.push(above);
            at = above;
        }
        line
    }

    /// Every superinterface of a class or interface by its own declaration (direct ones first,
    /// then theirs), without those that only a superclass implements.
    pub(crate) fn interfaces(&self, class: ClassId) -> Vec<ClassId> {
        let mut found: Vec<ClassId> = Vec::new();
        let mut queue = vec![class];
        let mut next = 0;
        while let Some(at) = queue.get(next).copied() {
            next += 1;
            for name in &self.classes[at].interfaces {
                if let Some(id) = self.find(name)
                    && !found.contains(&id)
                    && id != class
                {
                    found.push(id);
                    queue.push(id);
                }
            }
        }
        found
    }

    /// The superclasses and all interfaces of all of them, the class itself first.
    fn upwards(&self, class: ClassId) -> Vec<ClassId> {
        let mut all = self.ancestry(class);
        for above in all.clone() {
            for interface in self.interfaces(above) {
                if !all.contains(&interface) {
                    all.push(interface);
                }
            }
        }
        all
    }

    /// Finds a field as JVMS 5.4.3.2 does, superclasses before interfaces.
    pub(crate) fn find_field(
        &self,
        class: ClassId,
        name: &str,
        descriptor: &str,
    ) -> Option<MemberId> {
        self.upwards(class).into_iter().find_map(|class| {
            let index = self.classes[class]
                .fields
                .iter()
                .position(|field| field.name == name && field.descriptor == descriptor)?;
            Some(MemberId { class, index })
        })
    }

    /// The method declared in this very class.
    pub(crate) fn declared(
        &self,
        class: ClassId,
        name: &str,
        descriptor: &str,
    ) -> Option<MemberId> {
        let index = self.classes[class]
            .methods
            .iter()
            .position(|method| method.name == name && method.descriptor == descriptor)?;
        Some(MemberId { class, index })
    }

    /// Finds a method as JVMS 5.4.3.3 does. Constructors are found in the class itself only.
    pub(crate) fn find_method(
        &self,
        class: ClassId,
        name: &str,
        descriptor: &str,
    ) -> Option<MemberId> {
        if name == "<init>" {
            return self.declared(class, name, descriptor);
        }
        self.upwards(class)
            .into_iter()
            .find_map(|class| self.declared(class, name, descriptor))
    }

    /// Whether the interface, or an interface of the class or of a superclass, is shareable.
    pub(crate) fn is_shareable(&self, class: ClassId) -> bool {
        const SHAREABLE: &str = "javacard/framework/Shareable";
        self.upwards(class)
            .into_iter()
            .any(|class| self.classes[class].name == SHAREABLE)
    }

    /// Whether both stand in one package.
    pub(crate) fn same_package(&self, a: ClassId, b: ClassId) -> bool {
        match (self.classes[a].origin, self.classes[b].origin) {
            (Origin::Own(_), Origin::Own(_)) => true,
            (Origin::Import { package: a, .. }, Origin::Import { package: b, .. }) => a == b,
            _ => false,
        }
    }
}

fn own_class(index: usize, file: &ClassFile) -> Class {
    let fields = file.fields.iter().map(|field| Field {
        name: field.name.clone(),
        descriptor: field.descriptor.clone(),
        access: field.access,
        token: None,
        constant: match &field.constant {
            Some(Constant::Integer(value)) if field.access & acc::STATIC != 0 => Some(*value),
            _ => None,
        },
    });
    let methods = file.methods.iter().map(|method| Method {
        name: method.name.clone(),
        descriptor: method.descriptor.clone(),
        access: method.access,
        binding: binding(file.access, &method.name, method.access),
        token: None,
    });
    Class {
        name: file.name.clone(),
        access: file.access,
        origin: Origin::Own(index),
        super_name: file.super_name.clone(),
        interfaces: file.interfaces.clone(),
        fields: fields.collect(),
        methods: methods.collect(),
    }
}
