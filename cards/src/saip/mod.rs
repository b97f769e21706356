//! Profile packages: the interoperable format of the Trusted Connectivity Alliance (eUICC Profile Package:
//! Interoperable Format, versions 2.0 to 3.3), as an SM-DP+ sends them.
//!
//! A package is a list of profile elements, each with a tag of its own and nothing around them. [`elements`] and
//! [`mod@file`] are their types, [`templates`] the files that a template stands for, [`install`] makes a profile of a package, [`status`] is what a card
//! answers.
//! [`description`] says the same in TOML, [`overview`] in words, [`check`] what is wrong.
//! What a type doesn't know is kept: a package comes out of [`Package::encode`] as it went into [`Package::decode`].

#[macro_use]
pub mod asn1;
pub mod check;
pub mod description;
pub mod elements;
pub mod file;
pub mod header;
pub mod install;
pub mod overview;
pub mod status;
pub mod templates;
#[cfg(test)]
mod tests;

use applet_model::sgp::asn1::{tag, tagged_len, write_tagged};
use applet_model::tlv;
use der::asn1::Any;
use der::{Decode, Encode, Header, Length, Reader, Tag, Writer};
use elements::{
    AkaParameter, Application, CdmaParameter, End, GenericFileManagement, NonStandard, PeHeader,
    PinCodes, ProfileHeader, PukCodes, Rfm, SecurityDomain,
};
use file::{FilesElement, FilesKind};

macro_rules! elements {
    ($( $(#[$meta:meta])* $tag:literal $variant:ident($ty:ty) $name:literal $header:expr; )*) => {
        /// A profile element.
        #[allow(clippy::large_enum_variant)] // decoded, looked at and dropped
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum Element {
            $(
                #[doc = concat!("`", $name, "` (`", stringify!($tag), "`).")]
                $variant($ty),
            )*
            /// Files of a template.
            Files(FilesElement),
            /// An element that this version doesn't know.
            Unknown(Any),
        }

        impl Element {
            /// The name of the alternative of `ProfileElement`.
            pub fn name(&self) -> &'static str {
                match self {
                    $( Element::$variant(_) => $name, )*
                    Element::Files(files) => files.kind.name,
                    Element::Unknown(_) => "unknown",
                }
            }

            /// The element's header; a profile header and an unknown element have none.
            pub fn header(&self) -> Option<&PeHeader> {
                match self {
                    $( Element::$variant(element) => { let of: fn(&$ty) -> Option<&PeHeader> = $header; of(element) } )*
                    Element::Files(files) => Some(&files.header),
                    Element::Unknown(_) => None,
                }
            }
        }

        impl<'a> Decode<'a> for Element {
            type Error = der::Error;

            fn decode<R: Reader<'a>>(reader: &mut R) -> der::Result<Self> {
                $(
                    if let Some(value) = applet_model::sgp::asn1::tagged::<_, $ty>(reader, const { tag($tag) })? {
                        return Ok(Element::$variant(value));
                    }
                )*
                match FilesKind::of_tag(Tag::peek(reader)?) {
                    Some(kind) => {
                        let header = Header::decode(reader)?;
                        reader
                            .read_nested(header.length(), |inner| FilesElement::decode_value(kind, inner))
                            .map(Element::Files)
                    }
                    None => Any::decode(reader).map(Element::Unknown),
                }
            }
        }

        impl Encode for Element {
            fn encoded_len(&self) -> der::Result<Length> {
                match self {
                    $( Element::$variant(value) => tagged_len(value, const { tag($tag) }), )*
                    Element::Files(files) => {
                        let len = files.value_len()?;
                        Header::new(tag(files.kind.tag), len).encoded_len()? + len
                    }
                    Element::Unknown(any) => any.encoded_len(),
                }
            }

            fn encode(&self, writer: &mut impl Writer) -> der::Result<()> {
                match self {
                    $( Element::$variant(value) => write_tagged(value, const { tag($tag) }, writer), )*
                    Element::Files(files) => {
                        Header::new(tag(files.kind.tag), files.value_len()?).encode(writer)?;
                        files.encode_value(writer)
                    }
                    Element::Unknown(any) => any.encode(writer),
                }
            }
        }
    };
}

elements! {
    0xA0 Header(ProfileHeader) "header" |_| None;
    0xA1 GenericFileManagement(GenericFileManagement) "genericFileManagement" |e| Some(&e.header);
    0xA2 PinCodes(PinCodes) "pinCodes" |e| Some(&e.header);
    0xA3 PukCodes(PukCodes) "pukCodes" |e| Some(&e.header);
    0xA4 AkaParameter(AkaParameter) "akaParameter" |e| Some(&e.header);
    0xA5 CdmaParameter(CdmaParameter) "cdmaParameter" |e| Some(&e.header);
    0xA6 SecurityDomain(SecurityDomain) "securityDomain" |e| Some(&e.header);
    0xA7 Rfm(Rfm) "rfm" |e| Some(&e.header);
    0xA8 Application(Application) "application" |e| Some(&e.header);
    0xA9 NonStandard(NonStandard) "nonStandard" |e| Some(&e.header);
    0xAA End(End) "end" |e| Some(&e.header);
}

impl Element {
    /// The element's number in the package, which statuses name.
    pub fn identification(&self) -> Option<u16> {
        self.header().map(|header| header.identification)
    }

    /// True if the card has to refuse the package when it can't do what the element says.
    pub fn is_mandated(&self) -> bool {
        match self {
            Element::Header(_) => true,
            element => element.header().is_some_and(|header| header.mandated),
        }
    }
}

/// Bytes that are no package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("profile element {number} at byte {offset}: {problem}")]
pub struct PackageError {
    /// Which element, from 1.
    pub number: usize,
    /// Where it begins.
    pub offset: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// A profile package: its elements in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Package {
    /// The elements.
    pub elements: Vec<Element>,
}

/// The data objects that a package's bytes are, one for each element, with their offsets.
///
/// # Errors
/// [`PackageError`] if they aren't data objects.
pub fn split(bytes: &[u8]) -> Result<Vec<(usize, &[u8])>, PackageError> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let offset = bytes.len() - rest.len();
        let (object, behind) = tlv::read(rest).map_err(|error| PackageError {
            number: found.len() + 1,
            offset,
            problem: error.to_string(),
        })?;
        found.push((offset, object.raw));
        rest = behind;
    }
    Ok(found)
}

impl Package {
    /// Decodes a package. Elements of later versions are kept as they came.
    ///
    /// # Errors
    /// [`PackageError`]: the first element that isn't DER, or not what its tag says.
    pub fn decode(bytes: &[u8]) -> Result<Package, PackageError> {
        let mut elements = Vec::new();
        for (offset, raw) in split(bytes)? {
            let element = Element::from_der(raw).map_err(|error| PackageError {
                number: elements.len() + 1,
                offset,
                problem: error.to_string(),
            })?;
            elements.push(element);
        }
        Ok(Package { elements })
    }

    /// The package's bytes.
    ///
    /// # Errors
    /// What `der` finds: lengths beyond its limits.
    pub fn encode(&self) -> der::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        for element in &self.elements {
            bytes.extend(element.to_der()?);
        }
        Ok(bytes)
    }

    /// The profile header, which has to be the first element.
    pub fn header(&self) -> Option<&ProfileHeader> {
        match self.elements.first() {
            Some(Element::Header(header)) => Some(header),
            _ => None,
        }
    }
}
