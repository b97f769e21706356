//! Where the card enters a package's code.

use std::collections::BTreeMap;

use super::{EntryKind, calls::Program};
use crate::api::{self, ApiClass};
use crate::cap::class::ACC_SHAREABLE;
use crate::cap::labels::{imported_class, imported_parent};
use crate::cap::{ClassInfo, ClassRef};

/// Methods that something outside of the package calls, by offset.
pub(super) fn entries(program: &Program<'_>) -> BTreeMap<u16, EntryKind> {
    let mut found = BTreeMap::new();
    let cap = program.cap;
    for class in &cap.class.classes {
        by_superclass(program, class, &mut found);
        by_interface(program, class, &mut found);
    }
    for export in cap.export.iter().flat_map(|export| &export.classes) {
        let exported = cap.class.class_at(export.class_offset);
        let methods = exported.iter().flat_map(|class| &class.public_methods);
        for offset in methods.chain(&export.static_methods) {
            found.entry(*offset).or_insert(EntryKind::Exported);
        }
    }
    for applet in &cap.applets {
        found.insert(applet.install_method_offset, EntryKind::Install);
    }
    found.retain(|offset, _| program.methods.contains_key(offset));
    found
}

/// The kind of a method by the API type that declares it.
fn kind_of(declaring: &ApiClass) -> EntryKind {
    match declaring.name.as_str() {
        "javacard/framework/Applet"
        | "javacard/framework/AppletEvent"
        | "javacard/framework/MultiSelectable" => EntryKind::Applet,
        "uicc/toolkit/ToolkitInterface" => EntryKind::Toolkit,
        _ if declaring.is_shareable() => EntryKind::Shareable,
        _ => EntryKind::Callback,
    }
}

/// Methods that override one of an imported class's; of an imported class that is not known, all.
fn by_superclass(program: &Program<'_>, class: &ClassInfo, found: &mut BTreeMap<u16, EntryKind>) {
    let Some(parent) = imported_parent(program.cap, program.packages, class) else {
        let unknown = matches!(class.super_class, Some(ClassRef::External { .. }));
        for offset in class.public_methods.iter().filter(|_| unknown) {
            found.entry(*offset).or_insert(EntryKind::Callback);
        }
        return;
    };
    for token in 0..0x80 {
        if let Some(offset) = class.own_virtual_method(token)
            && let Some(over) = api::method_by_token(program.packages, &parent.name, token)
        {
            found.insert(offset, kind_of(over.class));
        }
    }
}

/// Methods of an interface that is imported, or shareable: other packages can reach them.
fn by_interface(program: &Program<'_>, class: &ClassInfo, found: &mut BTreeMap<u16, EntryKind>) {
    for implemented in &class.interfaces {
        let kind = match implemented.interface {
            ClassRef::Internal(offset) => {
                let own = program.cap.class.interface_at(offset);
                if own.is_none_or(|own| own.flags & ACC_SHAREABLE == 0) {
                    continue;
                }
                EntryKind::Shareable
            }
            external => {
                let known = imported_class(program.cap, program.packages, external);
                known.map_or(EntryKind::Callback, kind_of)
            }
        };
        for token in (0..=u8::MAX).take(implemented.methods.len()) {
            for offset in program.implementations(class, implemented.interface, token) {
                found.insert(offset, kind);
            }
        }
    }
}
