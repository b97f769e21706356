//! Checks of a CAP beyond its form: components against each other, code against the constant
//! pool, imports against the packages of a card.
//!
//! What is checked: sizes and counts of the Directory; versions of imports; that every reference
//! leads to something of the right kind and type; classes, their virtual method tables and
//! interfaces (`classes`); the static field image (`image`); that Reference Location lists exactly
//! the operands that index the constant pool; install methods; exception handlers; that control
//! never leaves a method and goes to instructions only; and the types of all values that the code
//! handles (`types`). What isn't: the Debug component and remote methods, which no virtual machine
//! of this project reads. Types stand in the Descriptor: without one, a CAP is not verified, and
//! [`Verdict::unchecked`] says so.

mod classes;
mod code;
mod context;
mod descriptor;
mod image;
mod members;
mod offer;
mod pool;
mod structure;
#[cfg(test)]
mod tests;
mod types;
mod world;

use std::fmt;

use super::{Cap, ComponentTag};
use crate::api::{self, ApiPackage};

use context::Context;
pub use offer::offer;

/// One thing that is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// The component that is wrong.
    pub component: ComponentTag,
    /// Offset in its info, or index where the component is a list (constant pool, imports).
    pub offset: Option<usize>,
    /// Offset of the method concerned in the Method component.
    pub method: Option<u16>,
    /// What the method is called, where that is known: constructors, `install`, and what comes from
    /// an imported class or interface.
    pub method_name: Option<String>,
    /// The instruction concerned: offset in the Method component and mnemonic.
    pub instruction: Option<(usize, &'static str)>,
    /// What had to be.
    pub expected: String,
    /// What is.
    pub found: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.component)?;
        if let Some(offset) = self.offset {
            match self.component {
                ComponentTag::ConstantPool => write!(f, " constant {offset}")?,
                ComponentTag::Import => write!(f, " package {offset}")?,
                ComponentTag::Applet => write!(f, " applet {offset}")?,
                _ => write!(f, " at {offset:#06x}")?,
            }
        }
        if let Some(method) = self.method {
            write!(f, ", method at {method:#06x}")?;
            if let Some(name) = &self.method_name {
                write!(f, " ({name})")?;
            }
        }
        if let Some((at, name)) = self.instruction {
            write!(f, ", {name} at {at:#06x}")?;
        }
        write!(f, ": expected {}, found {}", self.expected, self.found)
    }
}

/// The outcome of [`verify`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What is wrong; nothing if the CAP passed.
    pub findings: Vec<Finding>,
    /// Checks that could not be made, and why.
    pub unchecked: Vec<String>,
}

impl Verdict {
    /// Whether nothing is wrong, as far as it could be checked.
    pub fn is_ok(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether everything was checked and nothing is wrong: the CAP is type-safe.
    pub fn is_verified(&self) -> bool {
        self.is_ok() && self.unchecked.is_empty()
    }
}

/// Verifies `cap` against `packages`, and against the tables where those have nothing: with what
/// it imports in the oldest version that will do.
pub fn verify_with_tables(cap: &Cap, packages: &[ApiPackage]) -> Verdict {
    let own = &cap.header.package.aid;
    let others = packages.iter().filter(|package| package.aid != *own);
    let mut all: Vec<ApiPackage> = others.cloned().collect();
    let tables = tables_for(cap).into_iter();
    let missing = tables.filter(|one| packages.iter().all(|known| known.aid != one.aid));
    all.extend(missing);
    verify(cap, &all)
}

/// The packages of the tables, those that `cap` imports in the oldest version that will do.
fn tables_for(cap: &Cap) -> Vec<ApiPackage> {
    let tables = api::packages().iter();
    tables
        .map(|package| {
            let import = cap.imports.iter().find(|import| import.aid == package.aid);
            let fitting = import.and_then(|import| {
                let mut versions = api::versions(&package.aid).iter();
                versions.find(|one| one.major == import.major && one.minor >= import.minor)
            });
            fitting.unwrap_or(package).clone()
        })
        .collect()
}

/// Verifies `cap` as a card with these packages would see it. With no Descriptor, checks that
/// need types or the ends of methods are left out, and [`Verdict::unchecked`] says so.
pub fn verify(cap: &Cap, packages: &[ApiPackage]) -> Verdict {
    let mut report = Report::default();
    structure::check(cap, packages, &mut report);
    let context = Context::new(cap, packages, &mut report);
    if let Some(table) = &cap.descriptor {
        descriptor::check(&context, table, &mut report);
    } else {
        report.verdict.unchecked.push(
            "no Descriptor component: methods nobody refers to and all types are not checked"
                .into(),
        );
    }
    if context.imports.contains(&None) {
        let reason = "a package that it imports is not at hand: types are not checked";
        report.verdict.unchecked.push(reason.into());
    }
    pool::check(&context, &mut report);
    classes::check(&context, &mut report);
    image::check(&context, &mut report);
    code::check(&context, &mut report);
    for finding in &mut report.verdict.findings {
        finding.method_name = finding.method.and_then(|at| context.method_name(at));
    }
    report.verdict
}

/// Collects findings; the methods' `expected` and `found` are as in [`Finding`].
#[derive(Debug, Default)]
struct Report {
    verdict: Verdict,
}

impl Report {
    fn component(
        &mut self,
        component: ComponentTag,
        offset: Option<usize>,
        expected: impl ToString,
        found: impl ToString,
    ) {
        self.add(component, offset, None, None, expected, found);
    }

    fn method(&mut self, method: u16, expected: impl ToString, found: impl ToString) {
        self.add(
            ComponentTag::Method,
            None,
            Some(method),
            None,
            expected,
            found,
        );
    }

    fn instruction(
        &mut self,
        method: u16,
        instruction: (usize, &'static str),
        expected: impl ToString,
        found: impl ToString,
    ) {
        let component = ComponentTag::Method;
        let place = Some(instruction);
        self.add(component, None, Some(method), place, expected, found);
    }

    fn add(
        &mut self,
        component: ComponentTag,
        offset: Option<usize>,
        method: Option<u16>,
        instruction: Option<(usize, &'static str)>,
        expected: impl ToString,
        found: impl ToString,
    ) {
        self.verdict.findings.push(Finding {
            component,
            offset,
            method,
            method_name: None,
            instruction,
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }
}
