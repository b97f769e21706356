//! The JAR archive around a CAP (JCVM 4.1.1 and Appendix A for the manifest).

use std::collections::BTreeMap;
use std::io::{Cursor, Read, Write};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

use super::loadfile::{insert, split};
use super::{Cap, CapError, ComponentTag};

/// No component can be larger than this; more in an archive's entry is not a component.
const LIMIT: u64 = 3 + 0xFFFF;

/// The archive's texts that are not in the components.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JarNames {
    /// The package's name with dots or slashes; the header's name is used if this is empty.
    pub package: String,
    /// The applets' class names (without package) in the order of the Applet component.
    pub applets: Vec<String>,
}

impl Cap {
    /// Reads the archive. Entries stand in `<package>/javacard/`, in any order; everything else in
    /// the archive (manifest, class files, `APPLET-INF`) is ignored.
    pub fn from_jar(bytes: &[u8]) -> Result<Self, CapError> {
        let jar = |error: &dyn std::fmt::Display| CapError::Jar(error.to_string());
        let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| jar(&error))?;
        let mut components = BTreeMap::new();
        let mut folder: Option<String> = None;
        for index in 0..archive.len() {
            let entry = archive.by_index(index).map_err(|error| jar(&error))?;
            let name = entry.name().map_err(|error| jar(&error))?.into_owned();
            let Some((parent, file)) = name.rsplit_once('/') else {
                continue;
            };
            let in_cap_folder = parent == "javacard" || parent.ends_with("/javacard");
            if !in_cap_folder || !file.to_ascii_lowercase().ends_with(".cap") {
                continue;
            }
            match &folder {
                Some(first) if first != parent => {
                    return Err(CapError::Jar(format!(
                        "expected one package, found components in {first}/ and in {parent}/"
                    )));
                }
                _ => folder = Some(parent.to_owned()),
            }
            let mut content = Vec::new();
            entry
                .take(LIMIT + 1)
                .read_to_end(&mut content)
                .map_err(|error| CapError::Jar(format!("{name}: {error}")))?;
            let wrong = |expected: &str, found: &str| {
                CapError::Jar(format!("{name}: expected {expected}, found {found}"))
            };
            let (tag, info, rest) =
                split(&content).map_err(|(expected, found)| wrong(&expected, &found))?;
            if !rest.is_empty() {
                return Err(wrong(
                    "the end of the component",
                    &format!("{} more bytes", rest.len()),
                ));
            }
            if let Some(component) = ComponentTag::from_u8(tag)
                && !component.file_name().eq_ignore_ascii_case(file)
            {
                return Err(wrong(
                    &format!("the component of {file}"),
                    &format!("{component}"),
                ));
            }
            insert(&mut components, tag, info)?;
        }
        if components.is_empty() {
            return Err(CapError::Jar(
                "expected <package>/javacard/Header.cap and others, found no component".into(),
            ));
        }
        Cap::from_components(&components)
    }

    /// [`Cap::to_jar_named`] without names but the header's.
    pub fn to_jar(&self) -> Result<Vec<u8>, CapError> {
        self.to_jar_named(&JarNames::default())
    }

    /// Writes the archive: the same CAP gives the same bytes, always (fixed order and times).
    /// Custom components are not written.
    pub fn to_jar_named(&self, names: &JarNames) -> Result<Vec<u8>, CapError> {
        let jar = |error: &dyn std::fmt::Display| CapError::Jar(error.to_string());
        let package = self.package_path(names);
        let options = SimpleFileOptions::default()
            .compression_method(CompressionMethod::Deflated)
            .last_modified_time(zip::DateTime::default())
            .unix_permissions(0o644);
        let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
        let mut add = |name: &str, content: &[u8]| {
            archive
                .start_file(name, options)
                .map_err(|error| jar(&error))?;
            archive.write_all(content).map_err(|error| jar(&error))
        };
        add("META-INF/MANIFEST.MF", self.manifest(names).as_bytes())?;
        for tag in ComponentTag::ALL {
            if let Some(content) = self.component(tag)? {
                add(&format!("{package}/javacard/{}", tag.file_name()), &content)?;
            }
        }
        let cursor = archive.finish().map_err(|error| jar(&error))?;
        Ok(cursor.into_inner())
    }

    fn package_path(&self, names: &JarNames) -> String {
        if !names.package.is_empty() {
            return names.package.replace('.', "/");
        }
        match &self.header.name {
            Some(name) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            _ => format!("package_{}", hex::encode(&self.header.package.aid)),
        }
    }

    fn manifest(&self, names: &JarNames) -> String {
        let package = &self.header.package;
        let mut lines = vec![
            ("Manifest-Version".to_owned(), "1.0".to_owned()),
            (
                "Created-By".to_owned(),
                format!("applet-gen {}", env!("CARGO_PKG_VERSION")),
            ),
            (
                "Java-Card-CAP-File-Version".to_owned(),
                format!("{}.{}", self.header.major, self.header.minor),
            ),
            (
                "Java-Card-Package-Version".to_owned(),
                format!("{}.{}", package.major, package.minor),
            ),
            ("Java-Card-Package-AID".to_owned(), aid_text(&package.aid)),
            (
                "Java-Card-Package-Name".to_owned(),
                self.package_path(names).replace('/', "."),
            ),
        ];
        for (index, applet) in self.applets.iter().enumerate() {
            let number = index + 1;
            lines.push((
                format!("Java-Card-Applet-{number}-AID"),
                aid_text(&applet.aid),
            ));
            if let Some(name) = names.applets.get(index) {
                lines.push((format!("Java-Card-Applet-{number}-Name"), name.clone()));
            }
        }
        for (index, import) in self.imports.iter().enumerate() {
            let key = format!("Java-Card-Imported-Package-{}", index + 1);
            lines.push((format!("{key}-AID"), aid_text(&import.aid)));
            lines.push((
                format!("{key}-Version"),
                format!("{}.{}", import.major, import.minor),
            ));
        }
        let int = self.header.flags & super::header::ACC_INT != 0;
        lines.push((
            "Java-Card-Integer-Support-Required".to_owned(),
            int.to_string().to_uppercase(),
        ));
        let mut text = String::new();
        for (key, value) in lines {
            text.push_str(&fold(&format!("{key}: {value}")));
        }
        text.push_str("\r\n");
        text
    }
}

fn aid_text(aid: &[u8]) -> String {
    let bytes: Vec<String> = aid.iter().map(|byte| format!("0x{byte:02x}")).collect();
    bytes.join(":")
}

/// Breaks a manifest line after 72 bytes; what follows starts with a space (JAR specification).
fn fold(line: &str) -> String {
    let mut folded = String::new();
    let mut width = 0;
    for character in line.chars() {
        if width + character.len_utf8() > 70 {
            folded.push_str("\r\n ");
            width = 1;
        }
        folded.push(character);
        width += character.len_utf8();
    }
    folded.push_str("\r\n");
    folded
}
