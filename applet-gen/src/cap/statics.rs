//! Static Field, Reference Location and Export components (JCVM 6.10 to 6.12).

use serde::{Deserialize, Serialize};

use super::bytes::{Reader, Writer};
use super::{CapError, ComponentTag};

/// An array of primitives that a static final field starts with (`array_init_info`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArrayInit {
    /// Type of the elements: 2 boolean, 3 byte, 4 short, 5 int.
    pub kind: u8,
    /// The elements, big-endian.
    pub values: Vec<u8>,
}

/// `static_field_component` (JCVM 6.10). The image holds, in this order: references to the
/// arrays of `arrays`, null references, fields of default value, `values`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StaticField {
    /// Bytes of the whole image.
    pub image_size: u16,
    /// Number of reference fields (two bytes each).
    pub reference_count: u16,
    /// The arrays that the first references point to.
    pub arrays: Vec<ArrayInit>,
    /// Bytes of primitive fields that start as zero.
    pub default_value_count: u16,
    /// Primitive fields with another initial value.
    pub values: Vec<u8>,
}

impl StaticField {
    /// Bytes of all arrays' values.
    pub fn array_init_size(&self) -> usize {
        self.arrays.iter().map(|array| array.values.len()).sum()
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::StaticField, bytes);
        let image_size = reader.u2("image_size")?;
        let reference_count = reader.u2("reference_count")?;
        let count = reader.u2("array_init_count")?;
        let mut arrays = Vec::new();
        for _ in 0..count {
            let at = reader.at();
            let kind = reader.u1("an array's type")?;
            if !(2..=5).contains(&kind) {
                return Err(reader.wrong_at(at, "an array type, 2 to 5", kind));
            }
            let length = reader.u2("the length of an array's values")?;
            let values = reader.take(usize::from(length), "array values")?.to_vec();
            arrays.push(ArrayInit { kind, values });
        }
        let default_value_count = reader.u2("default_value_count")?;
        let length = reader.u2("non_default_value_count")?;
        let values = reader.take(usize::from(length), "initial values")?.to_vec();
        reader.end()?;
        Ok(StaticField {
            image_size,
            reference_count,
            arrays,
            default_value_count,
            values,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::StaticField);
        writer.u2(self.image_size);
        writer.u2(self.reference_count);
        writer.count2(self.arrays.len(), "the number of array initialisers")?;
        for array in &self.arrays {
            writer.u1(array.kind);
            writer.count2(array.values.len(), "the length of an array's values")?;
            writer.raw(&array.values);
        }
        writer.u2(self.default_value_count);
        writer.count2(self.values.len(), "the length of the initial values")?;
        writer.raw(&self.values);
        Ok(writer.finish())
    }
}

/// `reference_location_component` (JCVM 6.11): where in the Method component's info indexes into
/// the constant pool stand, in ascending order (stored as distances, 255 to go on): operands of
/// instructions, and the `catch_type` of exception handlers other than 0.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReferenceLocation {
    /// Offsets of one-byte indexes (`getfield_b`, …).
    pub byte_indices: Vec<u16>,
    /// Offsets of two-byte indexes (`invokestatic`, …; `catch_type` at 7 + 8n of handler n).
    pub byte2_indices: Vec<u16>,
}

impl ReferenceLocation {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::ReferenceLocation, bytes);
        let byte_indices = read_locations(&mut reader)?;
        let byte2_indices = read_locations(&mut reader)?;
        reader.end()?;
        Ok(ReferenceLocation {
            byte_indices,
            byte2_indices,
        })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::ReferenceLocation);
        write_locations(&mut writer, &self.byte_indices)?;
        write_locations(&mut writer, &self.byte2_indices)?;
        Ok(writer.finish())
    }
}

fn read_locations(reader: &mut Reader<'_>) -> Result<Vec<u16>, CapError> {
    let count = reader.u2("the number of distances")?;
    let start = reader.at();
    let distances = reader.take(usize::from(count), "distances")?;
    let mut locations = Vec::new();
    let mut at = 0usize;
    for (index, distance) in distances.iter().enumerate() {
        at += usize::from(*distance);
        if *distance == 0xFF {
            continue;
        }
        let location = u16::try_from(at).map_err(|_| {
            reader.wrong_at(
                start + index,
                "a location below 0x10000",
                format!("{at:#x}"),
            )
        })?;
        locations.push(location);
    }
    if distances.last() == Some(&0xFF) {
        return Err(reader.wrong_at(
            start + distances.len() - 1,
            "a last distance below 255",
            "255",
        ));
    }
    Ok(locations)
}

fn write_locations(writer: &mut Writer, locations: &[u16]) -> Result<(), CapError> {
    let mut distances = Vec::new();
    let mut before = 0u16;
    for location in locations {
        let mut distance = location.checked_sub(before).ok_or(CapError::Malformed {
            component: ComponentTag::ReferenceLocation,
            offset: writer.at() + 2 + distances.len(),
            expected: format!("a location from {before:#06x} on (ascending order)"),
            found: format!("{location:#06x}"),
        })?;
        while distance >= 0xFF {
            distances.push(0xFF);
            distance -= 0xFF;
        }
        distances.push(u8::try_from(distance).unwrap_or(0xFE));
        before = *location;
    }
    writer.count2(distances.len(), "the number of distances")?;
    writer.raw(&distances);
    Ok(())
}

/// What a class gives to other packages (`class_export_info`), at the index of its token.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassExport {
    /// Offset of the class or interface in the Class component.
    pub class_offset: u16,
    /// At index n: offset in the static field image of the field with token n.
    pub static_fields: Vec<u16>,
    /// At index n: offset in the Method component of the static method or constructor with token n.
    pub static_methods: Vec<u16>,
}

/// `export_component` (JCVM 6.12), the classes in the order of their tokens.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Export {
    /// The exported classes.
    pub classes: Vec<ClassExport>,
}

impl Export {
    pub(super) fn read(bytes: &[u8]) -> Result<Self, CapError> {
        let mut reader = Reader::new(ComponentTag::Export, bytes);
        let count = reader.u1("the number of exported classes")?;
        let mut classes = Vec::new();
        for _ in 0..count {
            let class_offset = reader.u2("class_offset")?;
            let fields = reader.u1("static_field_count")?;
            let methods = reader.u1("static_method_count")?;
            classes.push(ClassExport {
                class_offset,
                static_fields: reader.u2s(usize::from(fields), "static field offsets")?,
                static_methods: reader.u2s(usize::from(methods), "static method offsets")?,
            });
        }
        reader.end()?;
        Ok(Export { classes })
    }

    pub(super) fn write(&self) -> Result<Vec<u8>, CapError> {
        let mut writer = Writer::new(ComponentTag::Export);
        writer.count1(self.classes.len(), "the number of exported classes")?;
        for class in &self.classes {
            writer.u2(class.class_offset);
            writer.count1(class.static_fields.len(), "the number of static fields")?;
            writer.count1(class.static_methods.len(), "the number of static methods")?;
            writer.u2s(&class.static_fields);
            writer.u2s(&class.static_methods);
        }
        Ok(writer.finish())
    }
}
