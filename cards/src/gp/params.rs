//! INSTALL's data as the card reads them (GlobalPlatform Card Specification 11.5). The install
//! parameters inside (C9, EF, EA) are read by `applet_gen::gp::uicc_params`.

use super::authority::Request;
use super::registry::Aid;
use applet_gen::gp::token::TAG_SIGNATURE_TEMPLATE;
use applet_gen::gp::uicc_params::{InstallParameters, ParameterError, ToolkitParameters};
use applet_model::apdu::Command;
use applet_model::status::Sw;
use applet_model::tlv;
use serde::{Deserialize, Serialize};

/// Length-prefixed fields, as INSTALL's data are made of.
pub(crate) struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next field with its length byte.
    pub fn take(&mut self) -> Result<&'a [u8], Sw> {
        let (length, rest) = self.0.split_first().ok_or(Sw::WRONG_DATA)?;
        let field = rest.get(..usize::from(*length)).ok_or(Sw::WRONG_DATA)?;
        self.0 = &rest[field.len()..];
        Ok(field)
    }

    /// The next field, whose length may be BER-coded (parameters longer than 127 bytes).
    pub fn take_long(&mut self) -> Result<&'a [u8], Sw> {
        let (length, rest) = match self.0 {
            [0x81, n, rest @ ..] => (usize::from(*n), rest),
            [0x82, hi, lo, rest @ ..] => (usize::from(u16::from_be_bytes([*hi, *lo])), rest),
            [n, rest @ ..] => (usize::from(*n), rest),
            [] => return Err(Sw::WRONG_DATA),
        };
        let field = rest.get(..length).ok_or(Sw::WRONG_DATA)?;
        self.0 = &rest[length..];
        Ok(field)
    }

    /// The next field as an AID.
    pub fn aid(&mut self) -> Result<Aid, Sw> {
        Aid::new(self.take()?).ok_or(Sw::WRONG_DATA)
    }

    /// The next field as an AID that may be left out (length 0).
    pub fn optional_aid(&mut self) -> Result<Option<Aid>, Sw> {
        match self.take()? {
            [] => Ok(None),
            bytes => Aid::new(bytes).map(Some).ok_or(Sw::WRONG_DATA),
        }
    }

    /// The last field, a token: the data before it (of `all`, which this reads), and itself.
    pub fn token(&mut self, all: &'a [u8]) -> Result<(&'a [u8], &'a [u8]), Sw> {
        let before = all.len().saturating_sub(self.0.len());
        let token = self.take_long()?;
        self.end()?;
        Ok((all.get(..before).unwrap_or_default(), token))
    }

    /// Refuses bytes behind the last field.
    pub fn end(&self) -> Result<(), Sw> {
        match self.0 {
            [] => Ok(()),
            _ => Err(Sw::WRONG_DATA),
        }
    }
}

/// INSTALL [for load] (11.5.2.3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForLoad<'a> {
    pub load_file: Aid,
    /// The security domain to load into; `None` for the one that has the command.
    pub domain: Option<Aid>,
    pub hash: Vec<u8>,
    pub parameters: &'a [u8],
    /// The data without the token field, and the token.
    pub unsigned: &'a [u8],
    pub token: &'a [u8],
    /// Non-volatile memory the host announces (C6), bytes.
    pub code_bytes: Option<u32>,
    /// Non-volatile data memory announced (C8), bytes.
    pub data_bytes: Option<u32>,
}

impl<'a> ForLoad<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Self, Sw> {
        let mut fields = Fields(data);
        let load_file = fields.aid()?;
        let domain = fields.optional_aid()?;
        let hash = fields.take()?.to_vec();
        let parameters = fields.take_long()?;
        let (unsigned, token) = fields.token(data)?;
        let mut result = ForLoad {
            load_file,
            domain,
            hash,
            parameters,
            unsigned,
            token,
            code_bytes: None,
            data_bytes: None,
        };
        for object in tlv::iter(parameters) {
            let object = object.map_err(|_| Sw::WRONG_DATA)?;
            match object.tag {
                0xEF => {
                    for limit in object.children() {
                        let limit = limit.map_err(|_| Sw::WRONG_DATA)?;
                        match limit.tag {
                            0xC6 => result.code_bytes = Some(number(limit.value)?),
                            0xC8 => result.data_bytes = Some(number(limit.value)?),
                            // Volatile memory; format and parameters of the data block (table 11-48).
                            0xC7 | 0xCD | 0xDD => {}
                            _ => return Err(Sw::WRONG_DATA),
                        }
                    }
                }
                TAG_SIGNATURE_TEMPLATE => {}
                _ => return Err(Sw::WRONG_DATA),
            }
        }
        Ok(result)
    }
}

/// A number of 2 or 4 bytes, as memory sizes are coded (11.5.2.3.7).
fn number(value: &[u8]) -> Result<u32, Sw> {
    match value {
        [a, b] => Ok(u32::from_be_bytes([0, 0, *a, *b])),
        [a, b, c, d] => Ok(u32::from_be_bytes([*a, *b, *c, *d])),
        _ => Err(Sw::WRONG_DATA),
    }
}

/// INSTALL [for install] and [for install and make selectable] (11.5.2.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForInstall<'a> {
    pub load_file: Aid,
    pub module: Aid,
    pub instance: Aid,
    /// As they came: one byte or three.
    pub privileges: &'a [u8],
    pub parameters: InstallParameters,
    /// The parameters as they came.
    pub raw: &'a [u8],
    /// The data without the token field, and the token.
    pub unsigned: &'a [u8],
    pub token: &'a [u8],
}

/// Why INSTALL's data are refused, always by 6A80.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("INSTALL: the fields of the data don't fit: {0}")]
    Fields(Sw),
    #[error(transparent)]
    Parameters(ParameterError),
}

impl From<Sw> for Refusal {
    fn from(sw: Sw) -> Self {
        Refusal::Fields(sw)
    }
}

impl<'a> ForInstall<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Self, Refusal> {
        let mut fields = Fields(data);
        let load_file = fields.aid()?;
        let module = fields.aid()?;
        let instance = fields.optional_aid()?.unwrap_or_else(|| module.clone());
        let privileges = fields.take()?;
        let raw = fields.take_long()?;
        let parameters = InstallParameters::decode(raw).map_err(Refusal::Parameters)?;
        let (unsigned, token) = fields.token(data)?;
        Ok(ForInstall {
            load_file,
            module,
            instance,
            privileges,
            parameters,
            raw,
            unsigned,
            token,
        })
    }
}

/// INSTALL [for make selectable], [for extradition] and [for registry update] (11.5.2.3.3 to 11.5.2.3.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Transfer<'a> {
    /// The security domain to go to.
    pub domain: Option<Aid>,
    /// Application or load file.
    pub object: Option<Aid>,
    pub privileges: &'a [u8],
    pub parameters: &'a [u8],
    /// The data without the token field, and the token.
    unsigned: &'a [u8],
    token: &'a [u8],
}

impl<'a> Transfer<'a> {
    pub fn parse(data: &'a [u8]) -> Result<Self, Sw> {
        let mut fields = Fields(data);
        let domain = fields.optional_aid()?;
        if !fields.take()?.is_empty() {
            return Err(Sw::WRONG_DATA);
        }
        let object = fields.optional_aid()?;
        let privileges = fields.take()?;
        let parameters = fields.take_long()?;
        let (unsigned, token) = fields.token(data)?;
        Ok(Transfer {
            domain,
            object,
            privileges,
            parameters,
            unsigned,
            token,
        })
    }

    /// The command these data are of, as its token signs it.
    pub fn request(&self, command: &'a Command) -> Request<'a> {
        Request {
            command,
            unsigned: self.unsigned,
            token: self.token,
            parameters: self.parameters,
        }
    }
}

/// Implicit selection parameters (CF) in system specific parameters (EF; tables 11-49 to 11-52).
pub(crate) fn implicit_selection(parameters: &[u8]) -> Result<Vec<u8>, Sw> {
    let mut found = Vec::new();
    for object in tlv::iter(parameters) {
        let object = object.map_err(|_| Sw::WRONG_DATA)?;
        if object.tag != 0xEF {
            continue;
        }
        for field in object.children() {
            match field.map_err(|_| Sw::WRONG_DATA)? {
                field if field.tag != 0xCF => {}
                field => match field.value {
                    [parameter] => found.push(*parameter),
                    _ => return Err(Sw::WRONG_DATA),
                },
            }
        }
    }
    Ok(found)
}

/// What the framework keeps of an applet's toolkit parameters (ETSI TS 102 226 8.2.1.3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Toolkit {
    /// Priority level: 1 is the highest, FF the lowest.
    pub priority: u8,
    /// Timers it may allocate, 0 to 8.
    pub timers: u8,
    /// Longest text of a menu entry, bytes.
    #[serde(default)]
    pub text_length: u8,
    /// Position and identifier of each menu entry it asked for; 0 leaves them to the card.
    #[serde(default)]
    pub menu: Vec<(u8, u8)>,
    /// Channels (BIP) it may have open, 0 to 7.
    pub channels: u8,
    /// Toolkit Application References of its own, if not the one in the AID.
    pub tars: Vec<[u8; 3]>,
    /// Services (local connectivity) it asked for, 0 to 8.
    pub services: u8,
}

impl From<&ToolkitParameters> for Toolkit {
    fn from(parameters: &ToolkitParameters) -> Self {
        Toolkit {
            priority: parameters.priority,
            timers: parameters.max_timers,
            text_length: parameters.max_text_length,
            menu: parameters
                .menu
                .iter()
                .map(|entry| (entry.position, entry.identifier))
                .collect(),
            channels: parameters.max_channels,
            tars: parameters.tars.clone(),
            services: parameters.max_services.unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn garbage_never_panics(data in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = ForLoad::parse(&data);
            let _ = ForInstall::parse(&data);
            let _ = Transfer::parse(&data);
            let _ = implicit_selection(&data);
        }
    }
}
