//! What a package offers to others: classes, fields and methods with their tokens (JCVM 4.3.7).

use serde::{Deserialize, Serialize};

/// Access flags as class files and export files have them (JVMS 4.1, JCVM table 5-3).
pub mod flags {
    /// Class, field, method.
    pub const PUBLIC: u16 = 0x0001;
    /// Field, method.
    pub const PROTECTED: u16 = 0x0004;
    /// Field, method.
    pub const STATIC: u16 = 0x0008;
    /// Class, field, method.
    pub const FINAL: u16 = 0x0010;
    /// Class.
    pub const INTERFACE: u16 = 0x0200;
    /// Class, method.
    pub const ABSTRACT: u16 = 0x0400;
    /// Class: an interface that is or extends javacard.framework.Shareable, or a class that
    /// implements one.
    pub const SHAREABLE: u16 = 0x0800;
}

/// A package, its version and its exported classes in the order of their tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiPackage {
    /// Name with slashes: `javacard/framework`.
    pub name: String,
    /// AID, 5 to 16 bytes.
    pub aid: Vec<u8>,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// Whether it holds applets; it then offers nothing but shareable interfaces (JCVM 6.12).
    pub applets: bool,
    /// Public classes and interfaces.
    pub classes: Vec<ApiClass>,
}

impl ApiPackage {
    /// The class with this token.
    pub fn class(&self, token: u8) -> Option<&ApiClass> {
        self.classes.iter().find(|class| class.token == token)
    }

    /// The class with this full name (`javacard/framework/Util`).
    pub fn class_named(&self, name: &str) -> Option<&ApiClass> {
        self.classes.iter().find(|class| class.name == name)
    }
}

/// A public class or interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiClass {
    /// Token in the package.
    pub token: u8,
    /// Full name with slashes: `javacard/framework/Applet`.
    pub name: String,
    /// [`flags`].
    pub flags: u16,
    /// Full name of the superclass; `None` only for `java/lang/Object`.
    pub super_name: Option<String>,
    /// Full names of the interfaces that the class implements, or the interface extends, itself.
    pub interfaces: Vec<String>,
    /// Public and protected fields.
    pub fields: Vec<ApiField>,
    /// Public and protected methods that the class declares itself, and those interface methods
    /// that have another token here than where they come from.
    pub methods: Vec<ApiMethod>,
}

impl ApiClass {
    /// Whether it is an interface.
    pub fn is_interface(&self) -> bool {
        self.flags & flags::INTERFACE != 0
    }

    /// Whether it is a shareable interface.
    pub fn is_shareable(&self) -> bool {
        self.flags & flags::SHAREABLE != 0
    }

    /// The name without the package.
    pub fn simple_name(&self) -> &str {
        self.name.rsplit('/').next().unwrap_or(&self.name)
    }
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiField {
    /// Name.
    pub name: String,
    /// Descriptor as in class files: `S`, `[B`.
    pub descriptor: String,
    /// Token; a compile-time constant has none (its value is copied to where it is used).
    pub token: Option<u8>,
    /// [`flags`].
    pub flags: u16,
    /// The value of a compile-time constant.
    pub constant: Option<i32>,
}

/// A method or constructor (`<init>`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiMethod {
    /// Name.
    pub name: String,
    /// Descriptor as in class files: `([BSB)V`.
    pub descriptor: String,
    /// Token: among static methods and constructors of the class, or among the virtual methods
    /// of the class and its superclasses, or among the methods of the interface and those it
    /// extends.
    pub token: u8,
    /// [`flags`]; those of an interface are public and abstract.
    pub flags: u16,
    /// Full names of the checked exceptions that it declares.
    pub exceptions: Vec<String>,
}

impl ApiMethod {
    /// Whether its token is one of static methods and constructors (bound by StaticMethodref).
    pub fn is_static_token(&self) -> bool {
        self.flags & flags::STATIC != 0 || self.is_constructor()
    }

    /// Whether it is a constructor.
    pub fn is_constructor(&self) -> bool {
        self.name == "<init>"
    }
}
