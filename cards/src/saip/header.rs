//! `ServicesList`: what the eUICC has to have for this profile (8.2).

use der::{
    DecodeValue, EncodeValue, ErrorKind, Header, Length, Reader, Result, Tag, TagNumber, Writer,
};

/// Names of the services, in the order of their tags.
pub const SERVICES: &[&str] = &[
    "contactless",
    "usim",
    "isim",
    "csim",
    "milenage",
    "tuak128",
    "cave",
    "gba-usim",
    "gba-isim",
    "mbms",
    "eap",
    "javacard",
    "multos",
    "multiple-usim",
    "multiple-isim",
    "multiple-csim",
    "tuak256",
    "usim-test-algorithm",
    "ber-tlv",
    "dfLink",
    "cat-tp",
    "get-identity",
    "profile-a-x25519",
    "profile-b-p256",
    "suciCalculatorApi",
    "dns-resolution",
    "scp11ac",
    "scp11c-authorization-mechanism",
    "s16mode",
    "eaka",
];

/// A set of services, by their tag numbers; each is a NULL on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Services(pub Vec<u32>);

impl Services {
    /// Names of the services; a number for one of a later version.
    pub fn names(&self) -> Vec<String> {
        let name = |number: &u32| {
            usize::try_from(*number)
                .ok()
                .and_then(|number| SERVICES.get(number))
                .map_or_else(|| format!("service-{number}"), |name| (*name).to_owned())
        };
        self.0.iter().map(name).collect()
    }

    /// The service of this name, as [`Services::names`] gives it.
    pub fn number(name: &str) -> Option<u32> {
        match SERVICES.iter().position(|known| *known == name) {
            Some(number) => u32::try_from(number).ok(),
            None => name.strip_prefix("service-")?.parse().ok(),
        }
    }
}

fn service_tag(number: u32) -> Tag {
    Tag::ContextSpecific {
        constructed: false,
        number: TagNumber(number),
    }
}

impl<'a> DecodeValue<'a> for Services {
    type Error = der::Error;

    fn decode_value<R: Reader<'a>>(reader: &mut R, _header: Header) -> Result<Self> {
        let mut numbers: Vec<u32> = Vec::new();
        while !reader.is_finished() {
            let actual = Tag::peek(reader)?;
            let number = match actual {
                Tag::ContextSpecific {
                    constructed: false,
                    number,
                } => number.value(),
                _ => {
                    return Err(reader.error(ErrorKind::TagUnexpected {
                        expected: None,
                        actual,
                    }));
                }
            };
            let header = <Header as der::Decode>::decode(reader)?;
            if header.length() != Length::ZERO || numbers.last().is_some_and(|last| *last >= number)
            {
                return Err(reader.error(ErrorKind::Value { tag: actual }));
            }
            numbers.push(number);
        }
        Ok(Services(numbers))
    }
}

impl EncodeValue for Services {
    fn value_len(&self) -> Result<Length> {
        self.0.iter().try_fold(Length::ZERO, |len, number| {
            len + der::Encode::encoded_len(&Header::new(service_tag(*number), Length::ZERO))?
        })
    }

    fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        self.0.iter().try_for_each(|number| {
            der::Encode::encode(&Header::new(service_tag(*number), Length::ZERO), writer)
        })
    }
}
