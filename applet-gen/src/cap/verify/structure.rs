//! Header, Directory, Import, Applet and Static Field against each other.

use std::collections::BTreeSet;

use super::Report;
use crate::api::ApiPackage;
use crate::cap::header::{ACC_APPLET, ACC_EXPORT};
use crate::cap::{Cap, ComponentTag};

pub(super) fn check(cap: &Cap, packages: &[ApiPackage], report: &mut Report) {
    header(cap, report);
    directory(cap, report);
    imports(cap, packages, report);
    applets(cap, report);
}

fn header(cap: &Cap, report: &mut Report) {
    let flags = [
        (
            ACC_APPLET,
            "ACC_APPLET",
            !cap.applets.is_empty(),
            "an Applet",
        ),
        (ACC_EXPORT, "ACC_EXPORT", cap.export.is_some(), "an Export"),
    ];
    for (flag, name, present, component) in flags {
        let set = cap.header.flags & flag != 0;
        if set != present {
            let state = |on: bool| if on { "set" } else { "not set" };
            report.component(
                ComponentTag::Header,
                Some(6),
                format!(
                    "{name} {} ({} {component} component)",
                    state(present),
                    if present { "with" } else { "without" }
                ),
                state(set),
            );
        }
    }
}

fn directory(cap: &Cap, report: &mut Report) {
    let computed = match cap.compute_directory() {
        Ok(computed) => computed,
        Err(error) => {
            report.component(ComponentTag::Directory, None, "components that fit", error);
            return;
        }
    };
    let own = &cap.directory;
    let debug = usize::from(ComponentTag::Debug as u8) - 1;
    for (index, (size, actual)) in own.sizes.iter().zip(&computed.sizes).enumerate() {
        let dropped = match ComponentTag::ALL.get(index) {
            // Debug's size may be left out; both components may be dropped after conversion.
            Some(ComponentTag::Debug) => index == debug && (*size == 0 || *actual == 0),
            Some(ComponentTag::Descriptor) => cap.descriptor.is_none(),
            _ => false,
        };
        if size != actual && !dropped {
            let name = ComponentTag::ALL.get(index).map(ToString::to_string);
            report.component(
                ComponentTag::Directory,
                Some(2 * index),
                format!("{actual} bytes of {}", name.unwrap_or_default()),
                size,
            );
        }
    }
    let image = (own.static_field_size, computed.static_field_size);
    let counts = [
        ("image_size", image.0.image_size, image.1.image_size),
        (
            "array_init_count",
            image.0.array_init_count,
            image.1.array_init_count,
        ),
        (
            "array_init_size",
            image.0.array_init_size,
            image.1.array_init_size,
        ),
        (
            "import_count",
            own.import_count.into(),
            computed.import_count.into(),
        ),
        (
            "applet_count",
            own.applet_count.into(),
            computed.applet_count.into(),
        ),
    ];
    for (name, found, expected) in counts {
        if found != expected {
            let expected = format!("{name} {expected}");
            report.component(ComponentTag::Directory, None, expected, found);
        }
    }
}

fn imports(cap: &Cap, packages: &[ApiPackage], report: &mut Report) {
    let mut seen = BTreeSet::new();
    for (index, import) in cap.imports.iter().enumerate() {
        let aid = hex::encode_upper(&import.aid);
        let mut wrong = |expected: String, found: String| {
            report.component(ComponentTag::Import, Some(index), expected, found);
        };
        if import.aid == cap.header.package.aid || !seen.insert(&import.aid) {
            wrong("another package, once".into(), aid);
            continue;
        }
        let Some(known) = packages.iter().find(|package| package.aid == import.aid) else {
            wrong(
                "a package that the card has".into(),
                format!("{aid} {}.{}", import.major, import.minor),
            );
            continue;
        };
        // JCVM 4.5.2: binary compatible if major is equal and minor not below what is asked for.
        if known.major != import.major || import.minor > known.minor {
            wrong(
                format!(
                    "{} {}.0 to {}.{}",
                    known.name, known.major, known.major, known.minor
                ),
                format!("{}.{}", import.major, import.minor),
            );
        }
    }
}

fn applets(cap: &Cap, report: &mut Report) {
    let package = &cap.header.package.aid;
    let mut seen = BTreeSet::new();
    for (index, applet) in cap.applets.iter().enumerate() {
        let aid = hex::encode_upper(&applet.aid);
        let mut wrong = |expected: String, found: &str| {
            report.component(ComponentTag::Applet, Some(index), expected, found);
        };
        // JCVM 4.2: the RID, five bytes, is the package's.
        if applet.aid.get(..5) != package.get(..5) {
            let rid = hex::encode_upper(package.get(..5).unwrap_or_default());
            wrong(format!("an AID with the package's RID {rid}"), &aid);
        }
        if applet.aid == *package || !seen.insert(&applet.aid) {
            wrong("an AID of its own".into(), &aid);
        }
    }
}
