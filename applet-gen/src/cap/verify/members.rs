//! Fields and methods with their types and access, the CAP's own (by the Descriptor) and those of
//! imported packages alike.

use std::fmt;

use super::context::Context;
use super::world::Class;
use crate::api::{self, ApiField, ApiMethod, flags};
use crate::cap::descriptor::{
    FieldDescriptor, FieldRef, MethodDescriptor, NO_TOKEN, PRIMITIVE, access,
};
use crate::cap::signature::{self, kinds, kinds_of_descriptor};
use crate::cap::{ClassRef, Constant, StaticRef};

/// A type with the class that it means.
pub(super) type Kind<'a> = signature::Kind<Class<'a>>;

/// Who may use a member (JCVM 3.0.4 table 6-24, 6-25).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Visibility {
    Private,
    Package,
    Protected,
    Public,
}

/// Access flags, in one form for the Descriptor and for export data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Access {
    pub visibility: Visibility,
    pub is_static: bool,
    pub is_final: bool,
    pub is_abstract: bool,
    pub is_init: bool,
}

impl Access {
    fn own(bits: u8, method: bool) -> Self {
        let is = |flag| bits & flag != 0;
        Access {
            visibility: if is(access::PUBLIC) {
                Visibility::Public
            } else if is(access::PROTECTED) {
                Visibility::Protected
            } else if is(access::PRIVATE) {
                Visibility::Private
            } else {
                Visibility::Package
            },
            is_static: is(access::STATIC),
            is_final: is(access::FINAL),
            is_abstract: method && is(access::METHOD_ABSTRACT),
            is_init: method && is(access::INIT),
        }
    }

    fn api(bits: u16, is_init: bool) -> Self {
        let is = |flag| bits & flag != 0;
        Access {
            visibility: if is(flags::PROTECTED) {
                Visibility::Protected
            } else {
                Visibility::Public
            },
            is_static: is(flags::STATIC),
            is_final: is(flags::FINAL),
            is_abstract: is(flags::ABSTRACT),
            is_init,
        }
    }
}

/// A method's parameters and result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Signature<'a> {
    pub parameters: Vec<Kind<'a>>,
    pub result: Kind<'a>,
}

impl<'a> Signature<'a> {
    fn new(kinds: Vec<Kind<'a>>) -> Option<Self> {
        let mut parameters = kinds;
        let result = parameters.pop()?;
        let void = parameters.contains(&Kind::Void);
        (!void).then_some(Signature { parameters, result })
    }

    /// Words of the parameters; `this` is not counted.
    pub fn words(&self) -> u16 {
        self.parameters.iter().map(|kind| kind.words()).sum()
    }
}

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parameters: Vec<String> = self.parameters.iter().map(ToString::to_string).collect();
        write!(f, "({}) {}", parameters.join(", "), self.result)
    }
}

/// A method and who declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Method<'a> {
    pub owner: Class<'a>,
    pub access: Access,
    pub signature: Signature<'a>,
    /// Where it lies, for a method of this package with code.
    pub offset: Option<u16>,
    pub name: Option<&'a str>,
}

/// A field and who declares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub owner: Class<'a>,
    pub access: Access,
    pub kind: Kind<'a>,
}

impl<'a> Context<'a> {
    fn known(&self, kinds: Vec<signature::Kind>) -> Option<Vec<Kind<'a>>> {
        kinds
            .into_iter()
            .map(|kind| kind.try_map(|class| self.class(class)))
            .collect()
    }

    fn kinds_at(&self, type_offset: u16) -> Option<Vec<Kind<'a>>> {
        let found = self.cap.descriptor.as_ref()?.type_at(type_offset)?;
        self.known(kinds(&found.nibbles)?)
    }

    fn kinds_of_api(&self, descriptor: &str) -> Option<Vec<Kind<'a>>> {
        kinds_of_descriptor(descriptor)?
            .into_iter()
            .map(|kind| kind.try_map(|name| self.class_named(name)))
            .collect()
    }

    /// The method type at this offset of `type_descriptor_info`.
    pub fn signature_at(&self, type_offset: u16) -> Option<Signature<'a>> {
        Signature::new(self.kinds_at(type_offset)?)
    }

    /// The type of a field as its descriptor has it: a primitive's number or an offset.
    pub fn field_kind(&self, kind: u16) -> Option<Kind<'a>> {
        if kind & PRIMITIVE != 0 {
            return Some(match kind & !PRIMITIVE {
                2 => Kind::Boolean,
                3 => Kind::Byte,
                4 => Kind::Short,
                5 => Kind::Int,
                _ => return None,
            });
        }
        match self.kinds_at(kind)?.as_slice() {
            [Kind::Void] => None,
            [only] => Some(*only),
            _ => None,
        }
    }

    /// A method of this package by its Descriptor entry.
    pub fn own_method(&self, owner: Class<'a>, method: &MethodDescriptor) -> Option<Method<'a>> {
        Some(Method {
            owner,
            access: Access::own(method.access_flags, true),
            signature: self.signature_at(method.type_offset)?,
            offset: (method.method_offset != 0).then_some(method.method_offset),
            name: None,
        })
    }

    /// The method of this package at this offset of the Method component.
    pub fn method_at(&self, offset: u16) -> Option<Method<'a>> {
        let (class, method) = self.owners.get(&offset)?;
        self.own_method(self.class(*class)?, method)
    }

    pub fn own_field(&self, owner: Class<'a>, field: &FieldDescriptor) -> Option<Field<'a>> {
        Some(Field {
            owner,
            access: Access::own(field.access_flags, false),
            kind: self.field_kind(field.kind)?,
        })
    }

    fn api_method(&self, owner: &'a api::ApiClass, method: &'a ApiMethod) -> Option<Method<'a>> {
        Some(Method {
            owner: Class::Api(owner),
            access: Access::api(method.flags, method.is_constructor()),
            signature: Signature::new(self.kinds_of_api(&method.descriptor)?)?,
            offset: None,
            name: Some(&method.name),
        })
    }

    fn api_field(&self, owner: &'a api::ApiClass, field: &'a ApiField) -> Option<Field<'a>> {
        match self.kinds_of_api(&field.descriptor)?.as_slice() {
            [kind] => Some(Field {
                owner: Class::Api(owner),
                access: Access::api(field.flags, false),
                kind: *kind,
            }),
            _ => None,
        }
    }

    /// The method that a virtual method token means in a class, inherited ones too.
    pub fn virtual_member(&self, class: Class<'a>, token: u8) -> Option<Method<'a>> {
        for class in self.lineage(class) {
            match class {
                Class::Own(offset) => {
                    let info = self.cap.class.class_at(offset)?;
                    if let Some(offset) = info.own_virtual_method(token) {
                        return self.method_at(offset);
                    }
                }
                // Package-visible methods of another package are not inherited (JCVM 4.3.7.8).
                Class::Api(_) if token & 0x80 != 0 => return None,
                Class::Api(known) => {
                    let found = api::method_by_token(self.packages, &known.name, token)?;
                    return self.api_method(found.class, found.member);
                }
            }
        }
        None
    }

    /// The method that a token means in an interface, inherited ones too.
    pub fn interface_member(&self, interface: Class<'a>, token: u8) -> Option<Method<'a>> {
        match interface {
            Class::Api(known) => {
                let found = api::method_by_token(self.packages, &known.name, token)?;
                self.api_method(found.class, found.member)
            }
            Class::Own(_) => {
                if let Some(found) = self.declared_interface_member(interface, token) {
                    return Some(found);
                }
                // Where the Descriptor leaves inherited methods to the superinterfaces.
                self.interfaces(interface)
                    .into_iter()
                    .find_map(|above| match above {
                        Class::Own(_) => self.declared_interface_member(above, token),
                        Class::Api(_) => self.interface_member(above, token),
                    })
            }
        }
    }

    fn declared_interface_member(&self, interface: Class<'a>, token: u8) -> Option<Method<'a>> {
        let Class::Own(offset) = interface else {
            return None;
        };
        let described = self.descriptor_of(ClassRef::Internal(offset))?;
        let method = described.methods.iter().find(|one| one.token == token)?;
        self.own_method(interface, method)
    }

    /// The number of an interface's methods, inherited ones too: one more than the highest token.
    pub fn interface_size(&self, interface: Class<'a>) -> usize {
        let highest = (0..=u8::MAX)
            .rev()
            .find(|token| self.interface_member(interface, *token).is_some());
        highest.map_or(0, |token| usize::from(token) + 1)
    }

    /// The field that a constant means.
    pub fn field(&self, constant: &Constant) -> Option<Field<'a>> {
        match constant {
            Constant::InstanceField { class, token } => match self.class(*class)? {
                owner @ Class::Own(_) => {
                    let wanted = FieldRef::Instance {
                        class: *class,
                        token: *token,
                    };
                    let described = self.descriptor_of(*class)?;
                    let field = described
                        .fields
                        .iter()
                        .find(|one| one.field_ref == wanted)?;
                    self.own_field(owner, field)
                }
                Class::Api(known) => {
                    let field = known.fields.iter().find(|field| {
                        field.token == Some(*token) && field.flags & flags::STATIC == 0
                    })?;
                    self.api_field(known, field)
                }
            },
            Constant::StaticField(target @ StaticRef::Internal(_)) => {
                let descriptor = self.cap.descriptor.as_ref()?;
                descriptor.classes.iter().find_map(|class| {
                    let wanted = FieldRef::Static(*target);
                    let field = class.fields.iter().find(|one| one.field_ref == wanted)?;
                    self.own_field(self.class(class.this_class)?, field)
                })
            }
            Constant::StaticField(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let known = self.external(*package, *class).ok()??;
                let field = known.fields.iter().find(|field| {
                    field.token == Some(*token) && field.flags & flags::STATIC != 0
                })?;
                self.api_field(known, field)
            }
            _ => None,
        }
    }

    /// The method that a constant means.
    pub fn method(&self, constant: &Constant) -> Option<Method<'a>> {
        match constant {
            Constant::VirtualMethod { class, token } => {
                self.virtual_member(self.class(*class)?, *token)
            }
            Constant::SuperMethod { class, token } => {
                let parent = self.superclass(self.class(*class)?)?;
                self.virtual_member(parent, *token)
            }
            Constant::StaticMethod(StaticRef::Internal(offset)) => self.method_at(*offset),
            Constant::StaticMethod(StaticRef::External {
                package,
                class,
                token,
            }) => {
                let known = self.external(*package, *class).ok()??;
                let method = known
                    .methods
                    .iter()
                    .find(|method| method.is_static_token() && method.token == *token)?;
                self.api_method(known, method)
            }
            _ => None,
        }
    }

    /// What a method of this package is called, as far as imported packages and the Applet component
    /// tell: names of its own are not in a CAP.
    pub fn method_name(&self, offset: u16) -> Option<String> {
        let method = self.method_at(offset)?;
        let named = |name: &str| Some(format!("{name} of {}", method.owner));
        if method.access.is_init {
            return named("<init>");
        }
        let mut installs = self.cap.applets.iter();
        if installs.any(|applet| applet.install_method_offset == offset) {
            return named("install");
        }
        let Class::Own(class) = method.owner else {
            return None;
        };
        let (_, described) = self.owners.get(&offset)?;
        let above = self.superclass(method.owner)?;
        let inherited = self
            .virtual_member(above, described.token)
            .filter(|_| !method.access.is_static && described.token != NO_TOKEN);
        if let Some(name) = inherited.and_then(|inherited| inherited.name) {
            return named(name);
        }
        let info = self.cap.class.class_at(class)?;
        info.interfaces.iter().find_map(|implemented| {
            let mapped = implemented.methods.iter();
            let (token, _) = (0..=u8::MAX)
                .zip(mapped)
                .find(|(_, mapped)| info.own_virtual_method(**mapped) == Some(offset))?;
            let interface = self.class(implemented.interface)?;
            named(self.interface_member(interface, token)?.name?)
        })
    }
}
