//! The CAP as a whole: components by tag, the Directory, the methods.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::class::NO_METHOD;
use super::header::{self, StaticFieldSize};
use super::method::MethodInfo;
use super::{
    Applet, CapError, ClassComponent, Constant, Descriptor, Directory, Export, Header,
    MethodComponent, PackageInfo, ReferenceLocation, StaticField, StaticRef, pool,
};

/// The components of the specification by their tags (JCVM table 6-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(u8)]
pub enum ComponentTag {
    /// COMPONENT_Header
    Header = 1,
    /// COMPONENT_Directory
    Directory = 2,
    /// COMPONENT_Applet
    Applet = 3,
    /// COMPONENT_Import
    Import = 4,
    /// COMPONENT_ConstantPool
    ConstantPool = 5,
    /// COMPONENT_Class
    Class = 6,
    /// COMPONENT_Method
    Method = 7,
    /// COMPONENT_StaticField
    StaticField = 8,
    /// COMPONENT_ReferenceLocation
    ReferenceLocation = 9,
    /// COMPONENT_Export
    Export = 10,
    /// COMPONENT_Descriptor
    Descriptor = 11,
    /// COMPONENT_Debug
    Debug = 12,
}

impl ComponentTag {
    /// All of them in the order of tags.
    pub const ALL: [ComponentTag; 12] = [
        ComponentTag::Header,
        ComponentTag::Directory,
        ComponentTag::Applet,
        ComponentTag::Import,
        ComponentTag::ConstantPool,
        ComponentTag::Class,
        ComponentTag::Method,
        ComponentTag::StaticField,
        ComponentTag::ReferenceLocation,
        ComponentTag::Export,
        ComponentTag::Descriptor,
        ComponentTag::Debug,
    ];

    /// The order in which a card reads them (JCVM table 6-3). Debug is never loaded.
    pub const LOAD_ORDER: [ComponentTag; 11] = [
        ComponentTag::Header,
        ComponentTag::Directory,
        ComponentTag::Import,
        ComponentTag::Applet,
        ComponentTag::Class,
        ComponentTag::Method,
        ComponentTag::StaticField,
        ComponentTag::Export,
        ComponentTag::ConstantPool,
        ComponentTag::ReferenceLocation,
        ComponentTag::Descriptor,
    ];

    /// The component with this tag.
    pub fn from_u8(tag: u8) -> Option<Self> {
        ComponentTag::ALL
            .into_iter()
            .find(|component| *component as u8 == tag)
    }

    /// Its file in the archive (JCVM 4.1.1), without the folder.
    pub fn file_name(self) -> &'static str {
        match self {
            ComponentTag::Header => "Header.cap",
            ComponentTag::Directory => "Directory.cap",
            ComponentTag::Applet => "Applet.cap",
            ComponentTag::Import => "Import.cap",
            ComponentTag::ConstantPool => "ConstantPool.cap",
            ComponentTag::Class => "Class.cap",
            ComponentTag::Method => "Method.cap",
            ComponentTag::StaticField => "StaticField.cap",
            ComponentTag::ReferenceLocation => "RefLocation.cap",
            ComponentTag::Export => "Export.cap",
            ComponentTag::Descriptor => "Descriptor.cap",
            ComponentTag::Debug => "Debug.cap",
        }
    }
}

impl fmt::Display for ComponentTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file_name();
        f.write_str(name.strip_suffix(".cap").unwrap_or(name))
    }
}

/// A CAP file, typed. Components that may be absent are `Option`s or empty lists.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cap {
    /// Header component.
    pub header: Header,
    /// Directory component.
    pub directory: Directory,
    /// Applet component; absent when empty.
    pub applets: Vec<Applet>,
    /// Import component.
    pub imports: Vec<PackageInfo>,
    /// Constant pool component.
    pub constant_pool: Vec<Constant>,
    /// Class component.
    pub class: ClassComponent,
    /// Method component.
    pub method: MethodComponent,
    /// Static field component.
    pub static_field: StaticField,
    /// Reference location component.
    pub ref_location: ReferenceLocation,
    /// Export component.
    pub export: Option<Export>,
    /// Descriptor component; may have been dropped on the way to a card.
    pub descriptor: Option<Descriptor>,
    /// Debug component's info; [`Cap::debug_info`] reads it.
    pub debug: Option<Vec<u8>>,
    /// Components that are not of the specification (tags 128 to 255), not interpreted.
    pub custom: BTreeMap<u8, Vec<u8>>,
}

impl Cap {
    /// Reads a CAP out of its components: by tag, the info (without tag and size).
    pub fn from_components(components: &BTreeMap<u8, Vec<u8>>) -> Result<Self, CapError> {
        let optional = |tag: ComponentTag| components.get(&(tag as u8)).map(Vec::as_slice);
        let info = |tag: ComponentTag| optional(tag).ok_or(CapError::Missing(tag));
        let header = Header::read(info(ComponentTag::Header)?)?;
        let is_2_2 = header.is_2_2();
        Ok(Cap {
            directory: Directory::read(info(ComponentTag::Directory)?, is_2_2)?,
            applets: match optional(ComponentTag::Applet) {
                Some(bytes) => header::read_applets(bytes)?,
                None => Vec::new(),
            },
            imports: header::read_imports(info(ComponentTag::Import)?)?,
            constant_pool: pool::read(info(ComponentTag::ConstantPool)?)?,
            class: ClassComponent::read(info(ComponentTag::Class)?, is_2_2)?,
            method: MethodComponent::read(info(ComponentTag::Method)?)?,
            static_field: StaticField::read(info(ComponentTag::StaticField)?)?,
            ref_location: ReferenceLocation::read(info(ComponentTag::ReferenceLocation)?)?,
            export: optional(ComponentTag::Export)
                .map(Export::read)
                .transpose()?,
            descriptor: optional(ComponentTag::Descriptor)
                .map(Descriptor::read)
                .transpose()?,
            debug: optional(ComponentTag::Debug).map(<[u8]>::to_vec),
            custom: components
                .iter()
                .filter(|(tag, _)| **tag >= 128)
                .map(|(tag, bytes)| (*tag, bytes.clone()))
                .collect(),
            header,
        })
    }

    /// The info of one component as bytes, `None` where the CAP does not have it.
    pub fn info(&self, tag: ComponentTag) -> Result<Option<Vec<u8>>, CapError> {
        Ok(match tag {
            ComponentTag::Header => Some(self.header.write()?),
            ComponentTag::Directory => Some(self.directory.write()?),
            ComponentTag::Applet if self.applets.is_empty() => None,
            ComponentTag::Applet => Some(header::write_applets(&self.applets)?),
            ComponentTag::Import => Some(header::write_imports(&self.imports)?),
            ComponentTag::ConstantPool => Some(pool::write(&self.constant_pool)?),
            ComponentTag::Class => Some(self.class.write()?),
            ComponentTag::Method => Some(self.method.write()?),
            ComponentTag::StaticField => Some(self.static_field.write()?),
            ComponentTag::ReferenceLocation => Some(self.ref_location.write()?),
            ComponentTag::Export => self.export.as_ref().map(Export::write).transpose()?,
            ComponentTag::Descriptor => self
                .descriptor
                .as_ref()
                .map(Descriptor::write)
                .transpose()?,
            ComponentTag::Debug => self.debug.clone(),
        })
    }

    /// One component as its file holds it: tag, size, info.
    pub fn component(&self, tag: ComponentTag) -> Result<Option<Vec<u8>>, CapError> {
        let Some(info) = self.info(tag)? else {
            return Ok(None);
        };
        let size = u16::try_from(info.len()).map_err(|_| CapError::TooLarge {
            component: tag,
            what: "the component's size",
            value: info.len(),
            limit: 0xFFFF,
        })?;
        let mut bytes = vec![tag as u8];
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(&info);
        Ok(Some(bytes))
    }

    /// The Directory that fits the other components.
    pub fn compute_directory(&self) -> Result<Directory, CapError> {
        let too_large = |what, value, limit| CapError::TooLarge {
            component: ComponentTag::Directory,
            what,
            value,
            limit,
        };
        let u2 =
            |what, value: usize| u16::try_from(value).map_err(|_| too_large(what, value, 0xFFFF));
        let u1 = |what, value: usize| u8::try_from(value).map_err(|_| too_large(what, value, 0xFF));
        let slots = if self.header.is_2_2() { 12 } else { 11 };
        let mut sizes = Vec::new();
        for tag in ComponentTag::ALL.into_iter().take(slots) {
            let size = if tag == ComponentTag::Directory {
                // Its own size does not depend on its contents, but on the number of slots.
                let custom = &self.directory.custom;
                2 * slots + 9 + custom.iter().map(|own| 4 + own.aid.len()).sum::<usize>()
            } else {
                self.info(tag)?.map_or(0, |info| info.len())
            };
            sizes.push(u2("the size of a component", size)?);
        }
        Ok(Directory {
            sizes,
            static_field_size: StaticFieldSize {
                image_size: self.static_field.image_size,
                array_init_count: u2("the number of arrays", self.static_field.arrays.len())?,
                array_init_size: u2("the arrays' size", self.static_field.array_init_size())?,
            },
            import_count: u1("the number of imports", self.imports.len())?,
            applet_count: u1("the number of applets", self.applets.len())?,
            custom: self.directory.custom.clone(),
        })
    }

    /// The methods, in ascending order of offset.
    ///
    /// With a Descriptor they are the ones that it lists. Without one, a method reaches from an
    /// entry point (virtual method tables, static method constants, applets, exports) to the
    /// next: a method that nothing refers to is then counted to the code of the one before it.
    pub fn methods(&self) -> Result<Vec<MethodInfo>, CapError> {
        let ends: Vec<(u16, Option<u16>)> = match &self.descriptor {
            Some(descriptor) => descriptor
                .classes
                .iter()
                .filter(|class| class.access_flags & super::descriptor::access::INTERFACE == 0)
                .flat_map(|class| &class.methods)
                .map(|method| (method.method_offset, Some(method.bytecode_count)))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect(),
            None => self
                .entry_points()
                .into_iter()
                .map(|at| (at, None))
                .collect(),
        };
        let mut methods = Vec::new();
        for (index, (offset, count)) in ends.iter().enumerate() {
            let header = self.method.header_at(*offset)?;
            let rest = self
                .method
                .bytes_from(*offset)
                .get(header.len()..)
                .unwrap_or_default();
            let next = ends
                .get(index + 1)
                .map_or(self.method.end(), |(at, _)| usize::from(*at));
            let start = usize::from(*offset) + header.len();
            let length = count.map_or(next.saturating_sub(start), usize::from);
            let code = rest.get(..length).ok_or_else(|| CapError::Malformed {
                component: ComponentTag::Method,
                offset: start,
                expected: format!("{length} bytes of code"),
                found: format!("{} bytes to the end of the component", rest.len()),
            })?;
            methods.push(MethodInfo {
                offset: *offset,
                header,
                code_offset: u16::try_from(start).unwrap_or(u16::MAX),
                code: code.to_vec(),
            });
        }
        Ok(methods)
    }

    /// Offsets in the Method component that something other than the Descriptor refers to.
    pub fn entry_points(&self) -> BTreeSet<u16> {
        let mut entries = BTreeSet::new();
        for class in &self.class.classes {
            entries.extend(class.public_methods.iter().chain(&class.package_methods));
        }
        for constant in &self.constant_pool {
            if let Constant::StaticMethod(StaticRef::Internal(offset)) = constant {
                entries.insert(*offset);
            }
        }
        entries.extend(
            self.applets
                .iter()
                .map(|applet| applet.install_method_offset),
        );
        for class in self.export.iter().flat_map(|export| &export.classes) {
            entries.extend(&class.static_methods);
        }
        entries.remove(&NO_METHOD);
        entries
    }
}
