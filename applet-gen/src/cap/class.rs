//! Class component (JCVM 6.8).

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ClassRef, ComponentTag};

/// Flag nibble: an interface, not a class.
pub const ACC_INTERFACE: u8 = 0x8;
/// Flag nibble: a shareable interface, or a class that implements one.
pub const ACC_SHAREABLE: u8 = 0x4;
/// Flag nibble: a remote interface, or a class that implements one (format 2.2).
pub const ACC_REMOTE: u8 = 0x2;
/// A virtual method table's entry for a method that a superclass in another package defines.
pub const NO_METHOD: u16 = 0xFFFF;
/// `super_class_ref` of the class without a superclass (java.lang.Object).
const NO_SUPER: u16 = 0xFFFF;
/// `first_reference_token` of a class without reference fields.
pub const NO_REFERENCE: u8 = 0xFF;

/// `interface_info` (JCVM 6.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceInfo {
    /// Offset in the component's info; [`ClassComponent::layout`] sets it when writing.
    pub offset: u16,
    /// [`ACC_INTERFACE`] with [`ACC_SHAREABLE`] and [`ACC_REMOTE`].
    pub flags: u8,
    /// Every superinterface, also the indirect ones; 15 at most.
    pub superinterfaces: Vec<ClassRef>,
    /// The interface's name, only with [`ACC_REMOTE`].
    pub name: Option<Vec<u8>>,
}

/// How a class implements an interface (`implemented_interface_info`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImplementedInterface {
    /// The interface.
    pub interface: ClassRef,
    /// At index n: the class's virtual method token of the interface's method token n.
    pub methods: Vec<u8>,
}

/// One remote method (`remote_method_info`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteMethod {
    /// Hash of name and signature.
    pub hash: u16,
    /// Offset of the signature in the component's info.
    pub signature_offset: u16,
    /// The class's virtual method token.
    pub token: u8,
}

/// What a class that implements a remote interface has in addition (`remote_interface_info`).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteInfo {
    /// The remote methods.
    pub methods: Vec<RemoteMethod>,
    /// Anti-collision text of the hashes.
    pub hash_modifier: Vec<u8>,
    /// The class's name.
    pub class_name: Vec<u8>,
    /// The remote interfaces.
    pub interfaces: Vec<ClassRef>,
}

/// `class_info` (JCVM 6.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassInfo {
    /// Offset in the component's info; [`ClassComponent::layout`] sets it when writing.
    pub offset: u16,
    /// [`ACC_SHAREABLE`] and [`ACC_REMOTE`].
    pub flags: u8,
    /// The superclass; `None` only for java.lang.Object.
    pub super_class: Option<ClassRef>,
    /// 16-bit cells of the fields that this class declares (an int takes two).
    pub declared_instance_size: u8,
    /// Token of the first reference field, [`NO_REFERENCE`] if there is none.
    pub first_reference_token: u8,
    /// Number of reference fields; they stand together.
    pub reference_count: u8,
    /// Token of the first entry of [`ClassInfo::public_methods`].
    pub public_method_base: u8,
    /// Offsets in the Method component of the public and protected virtual methods from
    /// `public_method_base` on; [`NO_METHOD`] where a superclass in another package has it.
    pub public_methods: Vec<u16>,
    /// Token (without bit 8) of the first entry of [`ClassInfo::package_methods`].
    pub package_method_base: u8,
    /// The same for package-visible virtual methods.
    pub package_methods: Vec<u16>,
    /// Every interface that the class implements, also the inherited ones; 15 at most.
    pub interfaces: Vec<ImplementedInterface>,
    /// Only with [`ACC_REMOTE`].
    pub remote: Option<RemoteInfo>,
}

/// `class_component` (JCVM 6.8).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassComponent {
    /// The signature pool (type descriptors of remote methods), only in format 2.2.
    pub signature_pool: Option<Vec<u8>>,
    /// Interfaces: a superinterface of this package stands before those that extend it.
    pub interfaces: Vec<InterfaceInfo>,
    /// Classes: a superclass of this package stands before those that extend it.
    pub classes: Vec<ClassInfo>,
}

impl ClassComponent {
    /// The class at this offset.
    pub fn class_at(&self, offset: u16) -> Option<&ClassInfo> {
        self.classes.iter().find(|class| class.offset == offset)
    }

    /// The interface at this offset.
    pub fn interface_at(&self, offset: u16) -> Option<&InterfaceInfo> {
        self.interfaces
            .iter()
            .find(|interface| interface.offset == offset)
    }

    /// Sets the `offset` of every interface and class to where writing puts it. Sizes do not
    /// depend on references, so this can be called before they are known.
    pub fn layout(&mut self) -> Result<(), CapError> {
        let mut at = match &self.signature_pool {
            Some(pool) => 2 + pool.len(),
            None => 0,
        };
        for interface in &mut self.interfaces {
            interface.offset = offset(at)?;
            at += interface.bytes()?.len();
        }
        for class in &mut self.classes {
            class.offset = offset(at)?;
            at += class.bytes()?.len();
        }
        Ok(())
    }

    pub(super) fn read(bytes: &[u8], is_2_2: bool) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Class, bytes);
        let mut component = ClassComponent::default();
        if is_2_2 {
            let length = reader.u2("signature_pool_length")?;
            let pool = reader.take(usize::from(length), "signature pool")?;
            component.signature_pool = Some(pool.to_vec());
        }
        while let Some(first) = reader.peek() {
            if first >> 4 & ACC_INTERFACE == 0 {
                component.classes.push(ClassInfo::read(&mut reader)?);
            } else if component.classes.is_empty() {
                component.interfaces.push(InterfaceInfo::read(&mut reader)?);
            } else {
                return Err(reader.wrong("a class (interfaces stand before classes)", "interface"));
            }
        }
        Ok(component)
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Class);
        if let Some(pool) = &self.signature_pool {
            writer.count2(pool.len(), "the length of the signature pool")?;
            writer.raw(pool);
        }
        for interface in &self.interfaces {
            writer.raw(&interface.bytes()?);
        }
        for class in &self.classes {
            writer.raw(&class.bytes()?);
        }
        Ok(writer.finish())
    }
}

fn offset(at: usize) -> Result<u16, CapError> {
    u16::try_from(at)
        .ok()
        .filter(|offset| *offset < 0x8000)
        .ok_or(CapError::TooLarge {
            component: ComponentTag::Class,
            what: "the offset of a class",
            value: at,
            limit: 0x7FFF,
        })
}

/// Reads the byte of flags (high nibble) and interface count (low nibble).
fn bitfield(reader: &mut Reader<'_>, allowed: u8) -> Result<(u8, usize), CapError> {
    let at = reader.at();
    let byte = reader.u1("flags and interface count")?;
    let flags = byte >> 4;
    if flags & !allowed != 0 {
        return Err(reader.wrong_at(
            at,
            format!("flags within {allowed:#x}"),
            format!("{flags:#x}"),
        ));
    }
    Ok((flags, usize::from(byte & 0x0F)))
}

fn class_refs(
    reader: &mut Reader<'_>,
    count: usize,
    what: &str,
) -> Result<Vec<ClassRef>, CapError> {
    let refs = reader.u2s(count, what)?;
    Ok(refs.into_iter().map(ClassRef::from_u16).collect())
}

impl InterfaceInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let offset = reader.at_u16()?;
        let (flags, count) = bitfield(reader, ACC_INTERFACE | ACC_SHAREABLE | ACC_REMOTE)?;
        let superinterfaces = class_refs(reader, count, "superinterfaces")?;
        let name = if flags & ACC_REMOTE != 0 {
            let length = reader.u1("the interface name's length")?;
            Some(reader.take(usize::from(length), "interface name")?.to_vec())
        } else {
            None
        };
        Ok(InterfaceInfo {
            offset,
            flags,
            superinterfaces,
            name,
        })
    }

    fn bytes(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Class);
        writer.nibbles(
            self.flags | ACC_INTERFACE,
            self.superinterfaces.len(),
            "the number of superinterfaces",
        )?;
        for interface in &self.superinterfaces {
            writer.u2(interface.to_u16());
        }
        if self.flags & ACC_REMOTE != 0 {
            let name = self.name.as_deref().unwrap_or_default();
            writer.counted(name, "the length of an interface name")?;
        }
        Ok(writer.finish())
    }
}

impl ClassInfo {
    /// The offset in the Method component of the virtual method with this token, if the class
    /// itself (not a superclass) has it; bit 8 of the token chooses the package-visible methods.
    pub fn own_virtual_method(&self, token: u8) -> Option<u16> {
        let (table, base) = if token & 0x80 == 0 {
            (&self.public_methods, self.public_method_base)
        } else {
            (&self.package_methods, self.package_method_base)
        };
        let index = (token & 0x7F).checked_sub(base & 0x7F)?;
        let entry = table.get(usize::from(index)).copied();
        entry.filter(|offset| *offset != NO_METHOD)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let offset = reader.at_u16()?;
        let (flags, interface_count) = bitfield(reader, ACC_SHAREABLE | ACC_REMOTE)?;
        let super_class = match reader.u2("super_class_ref")? {
            NO_SUPER => None,
            value => Some(ClassRef::from_u16(value)),
        };
        let declared_instance_size = reader.u1("declared_instance_size")?;
        let first_reference_token = reader.u1("first_reference_token")?;
        let reference_count = reader.u1("reference_count")?;
        let public_method_base = reader.u1("public_method_table_base")?;
        let public_count = reader.u1("public_method_table_count")?;
        let package_method_base = reader.u1("package_method_table_base")?;
        let package_count = reader.u1("package_method_table_count")?;
        let public_methods = reader.u2s(usize::from(public_count), "public methods")?;
        let package_methods = reader.u2s(usize::from(package_count), "package methods")?;
        let mut interfaces = Vec::new();
        for _ in 0..interface_count {
            let interface = ClassRef::from_u16(reader.u2("implemented interface")?);
            let count = reader.u1("the number of interface methods")?;
            let methods = reader.take(usize::from(count), "method mapping")?.to_vec();
            interfaces.push(ImplementedInterface { interface, methods });
        }
        let remote = if flags & ACC_REMOTE != 0 {
            Some(RemoteInfo::read(reader)?)
        } else {
            None
        };
        Ok(ClassInfo {
            offset,
            flags,
            super_class,
            declared_instance_size,
            first_reference_token,
            reference_count,
            public_method_base,
            public_methods,
            package_method_base,
            package_methods,
            interfaces,
            remote,
        })
    }

    fn bytes(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Class);
        writer.nibbles(
            self.flags,
            self.interfaces.len(),
            "the number of a class's interfaces",
        )?;
        writer.u2(self.super_class.map_or(NO_SUPER, ClassRef::to_u16));
        writer.u1(self.declared_instance_size);
        writer.u1(self.first_reference_token);
        writer.u1(self.reference_count);
        writer.u1(self.public_method_base);
        writer.count1(self.public_methods.len(), "the number of public methods")?;
        writer.u1(self.package_method_base);
        writer.count1(self.package_methods.len(), "the number of package methods")?;
        writer.u2s(&self.public_methods);
        writer.u2s(&self.package_methods);
        for implemented in &self.interfaces {
            writer.u2(implemented.interface.to_u16());
            writer.counted(&implemented.methods, "the number of interface methods")?;
        }
        if self.flags & ACC_REMOTE != 0 {
            self.remote.clone().unwrap_or_default().write(&mut writer)?;
        }
        Ok(writer.finish())
    }
}

impl RemoteInfo {
    fn read(reader: &mut Reader<'_>) -> Result<Self, CapError> {
        let count = reader.u1("remote_methods_count")?;
        let mut methods = Vec::new();
        for _ in 0..count {
            methods.push(RemoteMethod {
                hash: reader.u2("remote_method_hash")?,
                signature_offset: reader.u2("signature_offset")?,
                token: reader.u1("virtual_method_token")?,
            });
        }
        let length = reader.u1("hash_modifier_length")?;
        let hash_modifier = reader.take(usize::from(length), "hash modifier")?.to_vec();
        let length = reader.u1("class_name_length")?;
        let class_name = reader.take(usize::from(length), "class name")?.to_vec();
        let count = reader.u1("remote_interfaces_count")?;
        let interfaces = class_refs(reader, usize::from(count), "remote interfaces")?;
        Ok(RemoteInfo {
            methods,
            hash_modifier,
            class_name,
            interfaces,
        })
    }

    fn write(&self, writer: &mut Writer) -> Result<(), CapError> {
        writer.count1(self.methods.len(), "the number of remote methods")?;
        for method in &self.methods {
            writer.u2(method.hash);
            writer.u2(method.signature_offset);
            writer.u1(method.token);
        }
        writer.counted(&self.hash_modifier, "the length of the hash modifier")?;
        writer.counted(&self.class_name, "the length of a class name")?;
        writer.count1(self.interfaces.len(), "the number of remote interfaces")?;
        for interface in &self.interfaces {
            writer.u2(interface.to_u16());
        }
        Ok(())
    }
}
