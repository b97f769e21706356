//! CAP files by JCVM 3.0.4 chapter 6: typed components, read from bytes and written back.
//!
//! Here live the components ([`Cap`]), the two containers (JAR archive: [`Cap::from_jar`],
//! [`Cap::to_jar`]; GlobalPlatform load file: [`Cap::from_load_file`], [`Cap::load_file`]), the
//! instruction set as data ([`opcode`]) and its decoder ([`decode`]), and the checks of a CAP
//! beyond its form ([`verify`]), a listing ([`disasm`]), figures ([`mod@info`]), and mutants
//! ([`mutate`]). Making a CAP out of class
//! files is the converter's, running one the virtual machine's.
//!
//! Offsets are those of the specification: from the start of a component's *info*, the byte after
//! its tag and size. Reading is strict (a byte that chapter 6 calls zero must be zero, nothing may
//! be left over) and lossless: what [`Cap::from_components`] accepts, [`Cap::component`] gives back
//! byte for byte. CAP formats 2.1 and 2.2 are read and written; 2.3 (Java Card 3.1) is refused.

pub mod budget;
pub mod bytes;
pub mod class;
pub mod debug;
pub mod decode;
pub mod descriptor;
pub mod disasm;
pub mod error;
pub mod header;
pub mod info;
pub mod jar;
pub mod labels;
pub mod loadfile;
pub mod method;
pub mod mutate;
pub mod opcode;
pub mod pool;
pub mod signature;
pub mod statics;
pub mod verify;
mod whole;

#[cfg(test)]
mod foreign;
#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;

pub use class::{ClassComponent, ClassInfo, ImplementedInterface, InterfaceInfo, RemoteInfo};
pub use debug::Debug;
pub use decode::{Instruction, Operands};
pub use descriptor::{
    ClassDescriptor, Descriptor, FieldDescriptor, FieldRef, MethodDescriptor, TypeDescriptor,
};
pub use error::CapError;
pub use header::{Applet, CustomComponent, Directory, Header, PackageInfo, StaticFieldSize};
pub use method::{ExceptionHandler, MethodComponent, MethodHeader, MethodInfo};
pub use pool::{ClassRef, Constant, StaticRef};
pub use statics::{ArrayInit, ClassExport, Export, ReferenceLocation, StaticField};
pub use whole::{Cap, ComponentTag};
