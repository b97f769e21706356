//! The Class component (JCVM 6.8) against Descriptor, Method and imported packages: superclasses,
//! instance fields, virtual method tables, interfaces.

use std::collections::{BTreeMap, BTreeSet};

use super::Report;
use super::context::Context;
use super::members::{Kind, Visibility};
use super::world::Class;
use crate::api;
use crate::cap::class::{ACC_SHAREABLE, NO_METHOD, NO_REFERENCE};
use crate::cap::descriptor::FieldRef;
use crate::cap::{ClassInfo, ClassRef, ComponentTag, ImplementedInterface, InterfaceInfo};

/// Bit of the tokens of package-visible virtual methods.
const PACKAGE: u8 = 0x80;

pub(super) fn check(context: &Context<'_>, report: &mut Report) {
    for interface in &context.cap.class.interfaces {
        check_interface(context, interface, report);
    }
    for class in &context.cap.class.classes {
        let before = report.verdict.findings.len();
        superclass(context, class, report);
        references(class, report);
        if report.verdict.findings.len() > before || !context.typed {
            // What follows would only say the same in other words.
            continue;
        }
        instance_fields(context, class, report);
        for table in [
            Table::public(context, class),
            Table::package(context, class),
        ] {
            table.check(context, class, report);
        }
        interfaces(context, class, report);
    }
}

fn wrong(report: &mut Report, at: u16, expected: impl ToString, found: impl ToString) {
    report.component(ComponentTag::Class, Some(at.into()), expected, found);
}

fn check_interface(context: &Context<'_>, interface: &InterfaceInfo, report: &mut Report) {
    let at = interface.offset;
    let before = report.verdict.findings.len();
    let mut listed = BTreeSet::new();
    for parent in &interface.superinterfaces {
        if let Err(found) = context.class_exists(*parent) {
            wrong(report, at, "an interface", found);
        } else if !context.is_interface(*parent, true) {
            wrong(report, at, "an interface", parent);
        } else if matches!(parent, ClassRef::Internal(offset) if *offset >= at) {
            wrong(report, at, "a superinterface that stands before", parent);
        }
        if let Some(class) = context.class(*parent)
            && !listed.insert(class)
        {
            wrong(report, at, "each superinterface once", class);
        }
    }
    if report.verdict.findings.len() > before || !context.typed {
        return;
    }
    for class in &listed {
        for above in context.interfaces(*class) {
            if !listed.contains(&above) {
                wrong(
                    report,
                    at,
                    format!("{above} among the superinterfaces"),
                    "not there",
                );
            }
        }
    }
    let shareable = context.is_shareable(Class::Own(at));
    if (interface.flags & ACC_SHAREABLE != 0) != shareable {
        let word = |set| if set { "set" } else { "not set" };
        let expected = format!("ACC_SHAREABLE {}", word(shareable));
        wrong(report, at, expected, word(!shareable));
    }
    let described = context.descriptor_of(ClassRef::Internal(at));
    let tokens: BTreeSet<u8> = described
        .into_iter()
        .flat_map(|described| &described.methods)
        .map(|method| method.token)
        .collect();
    let size = context.interface_size(Class::Own(at));
    let missing = (0..=u8::MAX)
        .take(size)
        .find(|token| context.interface_member(Class::Own(at), *token).is_none());
    let double = described.is_some_and(|described| described.methods.len() != tokens.len());
    if let Some(token) = missing {
        wrong(report, at, format!("a method with token {token}"), "none");
    }
    if double {
        wrong(report, at, "each method token once", "one twice");
    }
}

fn superclass(context: &Context<'_>, class: &ClassInfo, report: &mut Report) {
    let at = class.offset;
    let Some(reference) = class.super_class else {
        return wrong(report, at, "a superclass", "none");
    };
    match reference {
        ClassRef::Internal(parent) if parent >= at => {
            let found = format!("{parent:#06x}");
            return wrong(
                report,
                at,
                "a superclass that stands before the class",
                found,
            );
        }
        _ => {}
    }
    if let Err(found) = context.class_exists(reference) {
        return wrong(report, at, "a superclass", found);
    }
    if context.is_interface(reference, false) {
        return wrong(report, at, "a superclass", format!("interface {reference}"));
    }
    if let Some(parent) = context.class(reference)
        && context.is_final_class(parent)
    {
        wrong(report, at, "a superclass that is not final", parent);
    }
}

fn references(class: &ClassInfo, report: &mut Report) {
    let references = u16::from(class.reference_count);
    let first = u16::from(class.first_reference_token);
    let size = u16::from(class.declared_instance_size);
    let fit = if references == 0 {
        class.first_reference_token == NO_REFERENCE
    } else {
        first + references <= size
    };
    if !fit {
        wrong(
            report,
            class.offset,
            format!("reference fields within {size} cells"),
            format!("{references} from token {first}"),
        );
    }
}

/// The fields of the Descriptor lie side by side in the cells that the class declares, and those
/// that hold references are those of the Class component.
fn instance_fields(context: &Context<'_>, class: &ClassInfo, report: &mut Report) {
    let at = class.offset;
    let size = u16::from(class.declared_instance_size);
    let first = u16::from(class.first_reference_token);
    let references = first..first + u16::from(class.reference_count);
    let Some(described) = context.descriptor_of(ClassRef::Internal(at)) else {
        return;
    };
    let mut cells: BTreeMap<u16, Kind<'_>> = BTreeMap::new();
    let mut held = 0;
    for field in &described.fields {
        let FieldRef::Instance { token, .. } = field.field_ref else {
            continue;
        };
        let Some(found) = context.own_field(Class::Own(at), field) else {
            continue;
        };
        let token = u16::from(token);
        for cell in token..token + found.kind.words() {
            if cell >= size || cells.insert(cell, found.kind).is_some() {
                let expected = format!("a cell of its own below {size} for field {token}");
                wrong(report, at, expected, format!("cell {cell}"));
            }
        }
        let reference = found.kind.is_reference();
        held += u16::from(reference);
        if reference != references.contains(&token) {
            let expected = format!("references in cells {references:?} and nothing else there");
            wrong(
                report,
                at,
                expected,
                format!("{} in cell {token}", found.kind),
            );
        }
    }
    if let Some(cell) = (0..size).find(|cell| !cells.contains_key(cell)) {
        wrong(
            report,
            at,
            format!("a field in each of {size} cells"),
            format!("none in {cell}"),
        );
    }
    if held != u16::from(class.reference_count) {
        let expected = format!("{held} reference fields, as in the Descriptor");
        wrong(report, at, expected, class.reference_count);
    }
}

/// One of a class's two virtual method tables.
struct Table<'t> {
    name: &'static str,
    /// [`PACKAGE`] or 0.
    bit: u8,
    base: u8,
    entries: &'t [u16],
    /// Number of tokens that the superclass uses.
    inherited: usize,
}

impl<'t> Table<'t> {
    fn public(context: &Context<'_>, class: &'t ClassInfo) -> Self {
        Table {
            name: "public",
            bit: 0,
            base: class.public_method_base,
            entries: &class.public_methods,
            inherited: parent(context, class).map_or(0, |parent| public_count(context, parent)),
        }
    }

    fn package(context: &Context<'_>, class: &'t ClassInfo) -> Self {
        Table {
            name: "package",
            bit: PACKAGE,
            base: class.package_method_base,
            entries: &class.package_methods,
            inherited: match class.super_class {
                Some(ClassRef::Internal(parent)) => {
                    context.cap.class.class_at(parent).map_or(0, |info| {
                        usize::from(info.package_method_base) + info.package_methods.len()
                    })
                }
                _ => 0,
            },
        }
    }

    fn check(&self, context: &Context<'_>, class: &ClassInfo, report: &mut Report) {
        let (at, name, inherited) = (class.offset, self.name, self.inherited);
        let base = usize::from(self.base);
        let end = base + self.entries.len();
        // JCVM 6.8.2: the table goes on where the superclass's ends, or starts at the lowest token
        // that the class overrides.
        if base > inherited || end < inherited || end > 128 {
            let expected = format!("a {name} table from {inherited} or below to there or beyond");
            wrong(report, at, expected, format!("{base} to {end}"));
            return;
        }
        for (token, entry) in (self.base..).zip(self.entries) {
            self.entry(context, class, token | self.bit, *entry, report);
        }
        if context.is_abstract_class(Class::Own(at)) {
            return;
        }
        for token in (0..=127).take(end) {
            let found = context.virtual_member(Class::Own(at), token | self.bit);
            if let Some(found) = found.filter(|found| found.access.is_abstract) {
                wrong(
                    report,
                    at,
                    format!("code for {name} method {token}, or an abstract class"),
                    format!("the abstract method of {}", found.owner),
                );
            }
        }
    }

    /// The entry is the class's own method with this token, or what the superclass has.
    fn entry(
        &self,
        context: &Context<'_>,
        class: &ClassInfo,
        token: u8,
        entry: u16,
        report: &mut Report,
    ) {
        let (at, name) = (class.offset, self.name);
        let index = (token & !PACKAGE).saturating_sub(self.base);
        let expected = format!("a method in the {name} table at {index}");
        let parent = parent(context, class);
        let above = parent.and_then(|parent| context.virtual_member(parent, token));
        if entry == NO_METHOD {
            // Only what another package's superclass defines has no method here.
            let foreign = above.is_some_and(|above| matches!(above.owner, Class::Api(_)));
            if !foreign {
                wrong(report, at, expected, format!("{entry:#06x}"));
            }
            return;
        }
        if !context.methods.contains_key(&entry) {
            return wrong(report, at, expected, format!("{entry:#06x}"));
        }
        let (Some((_, described)), Some(found)) =
            (context.owners.get(&entry), context.method_at(entry))
        else {
            return;
        };
        // A public method that overrides a package-visible one has a token of each kind.
        let widened = self.bit == PACKAGE && described.token & PACKAGE == 0 && above.is_some();
        let named = described.token == token || widened;
        if found.access.is_static || found.access.is_init || !named {
            let expected = format!("the virtual method with token {token} in the {name} table");
            let found = format!("the method at {entry:#06x}, token {}", described.token);
            return wrong(report, at, expected, found);
        }
        if found.owner != Class::Own(at) {
            if above.as_ref() != Some(&found) {
                let expected = format!("what the superclass has for token {token}, or its own");
                wrong(report, at, expected, format!("the method at {entry:#06x}"));
            }
            return;
        }
        let Some(above) = above else {
            return;
        };
        if above.signature != found.signature {
            wrong(
                report,
                at,
                format!("{} for token {token}, as it overrides", above.signature),
                &found.signature,
            );
        }
        if above.access.is_final {
            wrong(
                report,
                at,
                format!("no override of token {token}, which is final"),
                "one",
            );
        }
        if above.access.visibility > found.access.visibility {
            let expected = format!("an override of token {token} that is as visible");
            wrong(report, at, expected, "one that is less");
        }
    }
}

fn parent<'a>(context: &Context<'a>, class: &ClassInfo) -> Option<Class<'a>> {
    context.class(class.super_class?)
}

/// One more than the highest token of a class's public and protected virtual methods.
fn public_count(context: &Context<'_>, class: Class<'_>) -> usize {
    match class {
        Class::Own(offset) => context.cap.class.class_at(offset).map_or(0, |info| {
            usize::from(info.public_method_base) + info.public_methods.len()
        }),
        Class::Api(known) => {
            let mut count = 0;
            let mut next = Some(known);
            while let Some(class) = next {
                let tokens = class
                    .methods
                    .iter()
                    .filter(|method| !method.is_static_token())
                    .map(|method| usize::from(method.token) + 1);
                count = count.max(tokens.max().unwrap_or(0));
                next = class
                    .super_name
                    .as_deref()
                    .and_then(|name| api::find_class(context.packages, name))
                    .map(|(_, class)| class)
                    .filter(|parent| parent.name != class.name);
            }
            count
        }
    }
}

/// Every interface is implemented whole, by public methods of the same type.
fn interfaces(context: &Context<'_>, class: &ClassInfo, report: &mut Report) {
    let at = class.offset;
    let this = Class::Own(at);
    let mut listed = BTreeSet::new();
    for implemented in &class.interfaces {
        let reference = implemented.interface;
        if let Err(found) = context.class_exists(reference) {
            wrong(report, at, "an interface", found);
            continue;
        }
        if !context.is_interface(reference, true) {
            wrong(report, at, "an interface", reference);
            continue;
        }
        let Some(interface) = context.class(reference) else {
            continue;
        };
        if !listed.insert(interface) {
            wrong(report, at, "each interface once", interface);
        }
        mapping(context, class, implemented, interface, report);
    }
    let inherited =
        parent(context, class).map_or_else(BTreeSet::new, |parent| context.interfaces(parent));
    for interface in &listed {
        for above in context.interfaces(*interface) {
            if !listed.contains(&above) && !inherited.contains(&above) {
                wrong(
                    report,
                    at,
                    format!("{above}, which {interface} extends"),
                    "no entry",
                );
            }
        }
    }
    let flag = class.flags & ACC_SHAREABLE != 0;
    let shareable = context
        .interfaces(this)
        .into_iter()
        .find(|one| context.is_shareable(*one));
    match shareable {
        Some(interface) if !flag => {
            let expected = format!("ACC_SHAREABLE, as it implements {interface}");
            wrong(report, at, expected, "not set");
        }
        None if flag => wrong(
            report,
            at,
            "no ACC_SHAREABLE without such an interface",
            "set",
        ),
        _ => {}
    }
    if let Some(described) = context.descriptor_of(ClassRef::Internal(at)) {
        let own: BTreeSet<ClassRef> = class.interfaces.iter().map(|one| one.interface).collect();
        let theirs: BTreeSet<ClassRef> = described.interfaces.iter().copied().collect();
        if own != theirs || described.interfaces.len() != theirs.len() {
            report.component(
                ComponentTag::Descriptor,
                None,
                format!("the {} interfaces of {this}", own.len()),
                format!("{} others", described.interfaces.len()),
            );
        }
    }
}

fn mapping<'a>(
    context: &Context<'a>,
    class: &ClassInfo,
    implemented: &ImplementedInterface,
    interface: Class<'a>,
    report: &mut Report,
) {
    let at = class.offset;
    let count = context.interface_size(interface);
    if count != implemented.methods.len() {
        let expected = format!("{count} methods of {interface}");
        return wrong(report, at, expected, implemented.methods.len());
    }
    for (token, mapped) in (0..=u8::MAX).zip(&implemented.methods) {
        let Some(wanted) = context.interface_member(interface, token) else {
            continue;
        };
        let expected = format!("a virtual method for {interface}");
        let Some(found) = context.virtual_member(Class::Own(at), *mapped) else {
            wrong(report, at, expected, format!("token {mapped}"));
            continue;
        };
        if found.signature != wanted.signature || found.access.visibility != Visibility::Public {
            let name = wanted
                .name
                .map_or_else(|| format!("token {token}"), str::to_owned);
            wrong(
                report,
                at,
                format!(
                    "a public method {} for {name} of {interface}",
                    wanted.signature
                ),
                format!("token {mapped}, {}", found.signature),
            );
        }
    }
}
