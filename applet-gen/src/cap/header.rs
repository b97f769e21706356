//! Header, Directory, Applet and Import components (JCVM 6.3 to 6.6).

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ComponentTag};

/// Header flag: the package uses `int`.
pub const ACC_INT: u8 = 0x01;
/// Header flag: the CAP has an Export component.
pub const ACC_EXPORT: u8 = 0x02;
/// Header flag: the CAP has an Applet component.
pub const ACC_APPLET: u8 = 0x04;

const MAGIC: [u8; 4] = [0xDE, 0xCA, 0xFF, 0xED];

/// A package's version and AID (`package_info`, JCVM 6.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct PackageInfo {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
    /// AID, 5 to 16 bytes.
    pub aid: Vec<u8>,
}

impl PackageInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let minor = reader.u1("package minor version")?;
        let major = reader.u1("package major version")?;
        let aid = reader.aid("a package AID")?;
        Ok(PackageInfo { major, minor, aid })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), CapError> {
        writer.u1(self.minor);
        writer.u1(self.major);
        writer.counted(&self.aid, "the length of a package AID")
    }
}

/// `header_component` (JCVM 6.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// Minor version of the CAP format: 1 or 2.
    pub minor: u8,
    /// Major version of the CAP format: 2.
    pub major: u8,
    /// [`ACC_INT`], [`ACC_EXPORT`], [`ACC_APPLET`].
    pub flags: u8,
    /// The package that this CAP defines.
    pub package: PackageInfo,
    /// The package's name with slashes, ASCII; only in format 2.2, and may be empty there.
    pub name: Option<Vec<u8>>,
}

impl Header {
    /// Whether the CAP is of format 2.2, with package name, signature pool and a twelfth size.
    pub fn is_2_2(&self) -> bool {
        self.minor == 2
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Header, bytes);
        let magic = reader.take(4, "the magic number")?;
        if magic != MAGIC {
            return Err(reader.wrong_at(0, "the magic number DECAFFED", hex::encode_upper(magic)));
        }
        let minor = reader.u1("CAP minor version")?;
        let major = reader.u1("CAP major version")?;
        if major != 2 || !(1..=2).contains(&minor) {
            return Err(CapError::Format { major, minor });
        }
        let at = reader.at();
        let flags = reader.u1("flags")?;
        if flags & !(ACC_INT | ACC_EXPORT | ACC_APPLET) != 0 {
            return Err(reader.wrong_at(at, "flags within 0x07", format!("{flags:#04x}")));
        }
        let package = PackageInfo::read(&mut reader)?;
        let name = if minor == 2 {
            let length = reader.u1("the package name's length")?;
            Some(reader.take(usize::from(length), "package name")?.to_vec())
        } else {
            None
        };
        reader.end()?;
        Ok(Header {
            minor,
            major,
            flags,
            package,
            name,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Header);
        writer.raw(&MAGIC);
        writer.u1(self.minor);
        writer.u1(self.major);
        writer.u1(self.flags);
        self.package.write(&mut writer)?;
        if self.is_2_2() {
            let name = self.name.as_deref().unwrap_or_default();
            writer.counted(name, "the length of the package name")?;
        }
        Ok(writer.finish())
    }
}

/// Sizes of the static field image (`static_field_size_info`, JCVM 6.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticFieldSize {
    /// Bytes of the static field image.
    pub image_size: u16,
    /// Number of arrays initialised in the image.
    pub array_init_count: u16,
    /// Bytes of all those arrays' initial values.
    pub array_init_size: u16,
}

/// A component that is not of the specification (`custom_component_info`, JCVM 6.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomComponent {
    /// Tag, 128 to 255.
    pub tag: u8,
    /// Size of its info in bytes.
    pub size: u16,
    /// AID that names it.
    pub aid: Vec<u8>,
}

/// `directory_component` (JCVM 6.4). [`super::Cap::compute_directory`] makes the right one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Directory {
    /// Size of the info of each component in the order of tags, zero where it is absent:
    /// 11 in format 2.1 (Header to Descriptor), 12 in format 2.2 (Debug too).
    pub sizes: Vec<u16>,
    /// Sizes of the static field image.
    pub static_field_size: StaticFieldSize,
    /// Number of packages in the Import component.
    pub import_count: u8,
    /// Number of applets in the Applet component.
    pub applet_count: u8,
    /// Components that are not of the specification.
    pub custom: Vec<CustomComponent>,
}

impl Directory {
    pub(super) fn read(bytes: &[u8], is_2_2: bool) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Directory, bytes);
        let sizes = reader.u2s(if is_2_2 { 12 } else { 11 }, "component sizes")?;
        let static_field_size = StaticFieldSize {
            image_size: reader.u2("image_size")?,
            array_init_count: reader.u2("array_init_count")?,
            array_init_size: reader.u2("array_init_size")?,
        };
        let import_count = reader.u1("import_count")?;
        let applet_count = reader.u1("applet_count")?;
        let count = reader.u1("custom_count")?;
        let mut custom = Vec::new();
        for _ in 0..count {
            let at = reader.at();
            let tag = reader.u1("custom component tag")?;
            if tag < 128 {
                return Err(reader.wrong_at(at, "a custom component's tag of 128 to 255", tag));
            }
            let size = reader.u2("custom component size")?;
            let aid = reader.aid("a custom component's AID")?;
            custom.push(CustomComponent { tag, size, aid });
        }
        reader.end()?;
        Ok(Directory {
            sizes,
            static_field_size,
            import_count,
            applet_count,
            custom,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Directory);
        writer.u2s(&self.sizes);
        writer.u2(self.static_field_size.image_size);
        writer.u2(self.static_field_size.array_init_count);
        writer.u2(self.static_field_size.array_init_size);
        writer.u1(self.import_count);
        writer.u1(self.applet_count);
        writer.count1(self.custom.len(), "the number of custom components")?;
        for custom in &self.custom {
            writer.u1(custom.tag);
            writer.u2(custom.size);
            writer.counted(&custom.aid, "the length of a custom component's AID")?;
        }
        Ok(writer.finish())
    }
}

/// One applet of the Applet component (JCVM 6.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applet {
    /// AID of the applet class (GlobalPlatform: executable module AID).
    pub aid: Vec<u8>,
    /// Offset of `install([BSB)V` in the Method component's info.
    pub install_method_offset: u16,
}

pub(super) fn read_applets(bytes: &[u8]) -> Result<Vec<Applet>, CapError> {
    let mut reader = Reader::new(ComponentTag::Applet, bytes);
    let count = reader.u1("the number of applets")?;
    if count == 0 {
        return Err(reader.wrong_at(0, "one applet at least", "none"));
    }
    let mut applets = Vec::new();
    for _ in 0..count {
        let aid = reader.aid("an applet AID")?;
        let install_method_offset = reader.u2("install_method_offset")?;
        applets.push(Applet {
            aid,
            install_method_offset,
        });
    }
    reader.end()?;
    Ok(applets)
}

pub(super) fn write_applets(applets: &[Applet]) -> Result<Vec<u8>, CapError> {
    let mut writer = Writer::new(ComponentTag::Applet);
    writer.count1(applets.len(), "the number of applets")?;
    for applet in applets {
        writer.counted(&applet.aid, "the length of an applet AID")?;
        writer.u2(applet.install_method_offset);
    }
    Ok(writer.finish())
}

pub(super) fn read_imports(bytes: &[u8]) -> Result<Vec<PackageInfo>, CapError> {
    let mut reader = Reader::new(ComponentTag::Import, bytes);
    let count = reader.u1("the number of imported packages")?;
    if count > 128 {
        return Err(reader.wrong_at(0, "128 imported packages at most", count));
    }
    let mut packages = Vec::new();
    for _ in 0..count {
        packages.push(PackageInfo::read(&mut reader)?);
    }
    reader.end()?;
    Ok(packages)
}

pub(super) fn write_imports(packages: &[PackageInfo]) -> Result<Vec<u8>, CapError> {
    let mut writer = Writer::new(ComponentTag::Import);
    writer.count1(packages.len(), "the number of imported packages")?;
    for package in packages {
        package.write(&mut writer)?;
    }
    Ok(writer.finish())
}
