//! A CAP in figures: sizes by component, AIDs, imports, hashes.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::header::{ACC_APPLET, ACC_EXPORT, ACC_INT};
use super::{Cap, CapError, ComponentTag, PackageInfo};
use crate::api::ApiPackage;

/// What there is to know about a CAP without running it; AIDs and hashes in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Info {
    /// CAP format, `2.1` or `2.2`.
    pub format: String,
    /// The package's AID.
    pub package_aid: String,
    /// The package's version, `major.minor`.
    pub package_version: String,
    /// The flags that are set: `ACC_INT`, `ACC_EXPORT`, `ACC_APPLET`.
    pub flags: Vec<&'static str>,
    /// The applets' AIDs.
    pub applets: Vec<String>,
    /// The imported packages.
    pub imports: Vec<Import>,
    /// Components with the bytes of their info, in the order of tags.
    pub components: Vec<ComponentSize>,
    /// Number of classes, interfaces and methods.
    pub classes: usize,
    /// See `classes`.
    pub interfaces: usize,
    /// See `classes`.
    pub methods: usize,
    /// Bytes of static fields, and of arrays that they start with.
    pub static_image: usize,
    /// See `static_image`.
    pub static_arrays: usize,
    /// Bytes that go to the card: the load file without the Descriptor, tags and sizes included.
    pub load_size: usize,
    /// SHA-256 of that load file (GlobalPlatform's load file data block hash is over the same).
    pub load_sha256: String,
    /// Bytes of the load file with the Descriptor.
    pub load_size_with_descriptor: usize,
}

/// An imported package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Import {
    /// Its AID.
    pub aid: String,
    /// Its version.
    pub version: String,
    /// Its name, where it is known.
    pub name: Option<String>,
}

/// The size of a component.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ComponentSize {
    /// Its name.
    pub name: String,
    /// Bytes of its info.
    pub size: usize,
}

/// Takes the figures of a CAP; names of imports come from `packages`.
///
/// # Errors
/// [`CapError::TooLarge`] where a component does not fit its size fields.
pub fn info(cap: &Cap, packages: &[ApiPackage]) -> Result<Info, CapError> {
    let mut components = Vec::new();
    for tag in ComponentTag::ALL {
        if let Some(bytes) = cap.info(tag)? {
            components.push(ComponentSize {
                name: tag.to_string(),
                size: bytes.len(),
            });
        }
    }
    let load = cap.load_file(false)?;
    let flags = [
        (ACC_INT, "ACC_INT"),
        (ACC_EXPORT, "ACC_EXPORT"),
        (ACC_APPLET, "ACC_APPLET"),
    ];
    let version = |package: &PackageInfo| format!("{}.{}", package.major, package.minor);
    Ok(Info {
        format: format!("{}.{}", cap.header.major, cap.header.minor),
        package_aid: hex::encode_upper(&cap.header.package.aid),
        package_version: version(&cap.header.package),
        flags: flags
            .into_iter()
            .filter(|(flag, _)| cap.header.flags & flag != 0)
            .map(|(_, name)| name)
            .collect(),
        applets: cap
            .applets
            .iter()
            .map(|applet| hex::encode_upper(&applet.aid))
            .collect(),
        imports: cap
            .imports
            .iter()
            .map(|import| Import {
                aid: hex::encode_upper(&import.aid),
                version: version(import),
                name: packages
                    .iter()
                    .find(|package| package.aid == import.aid)
                    .map(|package| package.name.replace('/', ".")),
            })
            .collect(),
        components,
        classes: cap.class.classes.len(),
        interfaces: cap.class.interfaces.len(),
        methods: cap
            .methods()
            .map(|methods| methods.len())
            .unwrap_or_default(),
        static_image: cap.static_field.image_size.into(),
        static_arrays: cap.static_field.array_init_size(),
        load_size: load.len(),
        load_sha256: hex::encode_upper(Sha256::digest(&load)),
        load_size_with_descriptor: cap.load_file(true)?.len(),
    })
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "package      {} {} (CAP format {}; {})",
            self.package_aid,
            self.package_version,
            self.format,
            self.flags.join(", ")
        )?;
        for applet in &self.applets {
            writeln!(f, "applet       {applet}")?;
        }
        for import in &self.imports {
            let name = import.name.as_deref().unwrap_or("(not known)");
            writeln!(f, "import       {} {} {name}", import.aid, import.version)?;
        }
        for component in &self.components {
            writeln!(f, "{:<12} {:>6} bytes", component.name, component.size)?;
        }
        writeln!(
            f,
            "contents     {} classes, {} interfaces, {} methods; {} bytes of static fields, {} in \
             arrays",
            self.classes, self.interfaces, self.methods, self.static_image, self.static_arrays
        )?;
        writeln!(
            f,
            "load file    {} bytes ({} with Descriptor)",
            self.load_size, self.load_size_with_descriptor
        )?;
        write!(f, "SHA-256      {}", self.load_sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::packages;
    use crate::cap::sample;

    #[test]
    fn figures_of_the_sample() {
        let cap = sample::cap();
        let info = info(&cap, packages()).unwrap();
        let size = |name: &str| {
            info.components
                .iter()
                .find(|one| one.name == name)
                .unwrap()
                .size
        };
        assert_eq!((size("Header"), size("Method")), (16, 49));
        let loaded = info
            .components
            .iter()
            .filter(|one| one.name != "Descriptor");
        assert_eq!(
            loaded.map(|one| one.size + 3).sum::<usize>(),
            info.load_size
        );
        let whole = info.load_size + 3 + size("Descriptor");
        assert_eq!(whole, info.load_size_with_descriptor);
        assert_eq!((info.classes, info.interfaces, info.methods), (1, 1, 3));
        assert_eq!(info.imports[1].name.as_deref(), Some("java.lang"));
        assert_eq!(info.flags, ["ACC_EXPORT", "ACC_APPLET"]);
        let text = info.to_string();
        assert!(text.contains("applet       F0495041659901"), "{text}");
        assert!(text.contains("Method           49 bytes"), "{text}");
    }
}
