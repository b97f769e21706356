//! What a converted package imports and exports, by token: for people and programs to read.

use serde::Serialize;

use super::Converted;
use crate::api::{ApiClass, ApiPackage};
use crate::cap::disasm::constant_text;
use crate::cap::{Cap, ClassRef, Constant, StaticRef};

/// The tokens that a package's CAP names and offers; AIDs in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tables {
    /// The package's name with slashes.
    pub package: String,
    /// Its AID.
    pub aid: String,
    /// Its version, `major.minor`.
    pub version: String,
    /// The imported packages, in the order of their package tokens.
    pub imports: Vec<ImportTable>,
    /// What others may import, with tokens.
    pub exports: Vec<ApiClass>,
}

/// An imported package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImportTable {
    /// Its token in this CAP.
    pub token: usize,
    /// Its name with slashes, where it is known.
    pub name: Option<String>,
    /// Its AID.
    pub aid: String,
    /// The version that a card must have at least, `major.minor`.
    pub version: String,
    /// What is used of it: constants of the constant pool.
    pub uses: Vec<UsedConstant>,
}

/// A constant that names something of an imported package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UsedConstant {
    /// Its index in the constant pool.
    pub index: usize,
    /// What it names.
    pub name: String,
}

/// The tables of a converted package; `packages` are those that it may import.
pub fn tables(converted: &Converted, packages: &[ApiPackage]) -> Tables {
    let (cap, exp) = (&converted.cap, &converted.exp);
    let imports = cap.imports.iter().enumerate().map(|(token, import)| {
        let known = packages.iter().find(|package| package.aid == import.aid);
        ImportTable {
            token,
            name: known.map(|package| package.name.clone()),
            aid: hex::encode_upper(&import.aid),
            version: format!("{}.{}", import.major, import.minor),
            uses: uses(cap, packages, token),
        }
    });
    Tables {
        package: exp.name.clone(),
        aid: hex::encode_upper(&exp.aid),
        version: format!("{}.{}", exp.major, exp.minor),
        imports: imports.collect(),
        exports: exp.classes.clone(),
    }
}

fn uses(cap: &Cap, packages: &[ApiPackage], token: usize) -> Vec<UsedConstant> {
    let constants = cap.constant_pool.iter().enumerate();
    constants
        .filter(|(_, constant)| package_of(constant) == Some(token))
        .map(|(index, _)| UsedConstant {
            index,
            name: constant_text(cap, packages, index as u16).unwrap_or_default(),
        })
        .collect()
}

/// The package token of a constant that names something imported.
fn package_of(constant: &Constant) -> Option<usize> {
    match constant {
        Constant::Class(class)
        | Constant::InstanceField { class, .. }
        | Constant::VirtualMethod { class, .. }
        | Constant::SuperMethod { class, .. } => match class {
            ClassRef::External { package, .. } => Some((*package).into()),
            ClassRef::Internal(_) => None,
        },
        Constant::StaticField(target) | Constant::StaticMethod(target) => match target {
            StaticRef::External { package, .. } => Some((*package).into()),
            StaticRef::Internal(_) => None,
        },
    }
}
