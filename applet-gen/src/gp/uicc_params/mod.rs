//! Install parameters of UICC toolkit applications (GPCS 11.5.2.3.7, ETSI TS 102 226 8.2.1.3.2).
//!
//! INSTALL \[for install\] carries C9 (what `Applet.install()` gets), EF (memory quotas and the older
//! CA form of the toolkit parameters) and EA (UICC system specific parameters: toolkit 80, access
//! 81, administrative access 82). Cards answer a fault in any of them with a bare 6A80, so both
//! directions are typed here and every error names the field.

mod access;
mod form;
mod lint;
mod reader;
mod toolkit;

pub use access::{AccessDomain, AccessParameters, AdfAccess};
pub use form::{FormError, from_toml, to_toml};
pub use lint::{Finding, Severity, Target, lint};
pub use toolkit::{MenuEntry, ToolkitParameters};

use applet_model::tlv;
use reader::Reader;

/// A fault in install parameters: which field, where, and what is wrong.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("install parameters: {field} at offset {offset}: {problem}")]
pub struct ParameterError {
    /// The field, as the specification names it.
    pub field: &'static str,
    /// Offset from the start of the parameters, or of the field's own value when encoding.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What can be wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The bytes end inside it.
    #[error("{expected} bytes expected, {available} are there")]
    Cut {
        /// Bytes that it needs.
        expected: usize,
        /// Bytes that are left.
        available: usize,
    },
    /// Its value is out of range.
    #[error("value {value} is not in {range}")]
    Range {
        /// The value.
        value: usize,
        /// The allowed values, in words.
        range: &'static str,
    },
    /// A length that the field can't have.
    #[error("length {length}, {allowed}")]
    Length {
        /// The length.
        length: usize,
        /// The allowed lengths, in words.
        allowed: &'static str,
    },
    /// Bytes follow it that belong to nothing.
    #[error("{0} bytes follow that belong to no field")]
    Trailing(usize),
    /// Not a data object.
    #[error("{0}")]
    Tlv(tlv::TlvError),
    /// A data object that belongs somewhere else.
    #[error("{0:02X} belongs into {1}")]
    Misplaced(u32, &'static str),
    /// It stands twice.
    #[error("the field stands twice")]
    Twice,
    /// The card's definition has less.
    #[error("{asked} asked for, the card has {available}")]
    NotOnCard {
        /// Asked for.
        asked: usize,
        /// By the card's definition.
        available: usize,
    },
}

/// The parameters of INSTALL \[for install\].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct InstallParameters {
    /// C9: application specific parameters, at most 127 bytes.
    pub application: Vec<u8>,
    /// EF: system specific parameters.
    pub system: Option<SystemParameters>,
    /// EA: UICC system specific parameters.
    pub uicc: Option<UiccParameters>,
    /// C9 stands behind EF and EA, not before them.
    pub application_last: bool,
}

/// EF: system specific parameters (GPCS table 11-49).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SystemParameters {
    /// C7: volatile memory quota in bytes.
    pub volatile_quota: Option<u32>,
    /// C8: non-volatile memory quota in bytes.
    pub non_volatile_quota: Option<u32>,
    /// D7: volatile memory to reserve, in bytes.
    pub volatile_reserved: Option<u32>,
    /// D8: non-volatile memory to reserve, in bytes.
    pub non_volatile_reserved: Option<u32>,
    /// CA: SIM file access domain and toolkit parameters (ETSI TS 102 226 8.2.1.3.2.1).
    pub sim_toolkit: Option<SimToolkit>,
    /// Objects that have no field here (CB global services, CF implicit selection, …): tag and value, as
    /// they are.
    pub other: Vec<(u32, Vec<u8>)>,
}

/// CA inside EF: access domain and toolkit parameters in one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimToolkit {
    /// Access domain: parameter (00 full access, 02 UICC access mechanism, FF none) and its data.
    pub access_domain: Vec<u8>,
    /// The rest; `max_services` does not exist in this form.
    pub toolkit: ToolkitParameters,
}

/// EA: UICC system specific parameters (ETSI TS 102 226 8.2.1.3.2.2).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UiccParameters {
    /// 80: toolkit application specific parameters.
    pub toolkit: Option<ToolkitParameters>,
    /// 81: access application specific parameters.
    pub access: Option<AccessParameters>,
    /// 82: administrative access application specific parameters.
    pub administrative_access: Option<AccessParameters>,
}

/// What a card can give, for [`InstallParameters::lint`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CardLimits {
    /// BIP channels.
    pub channels: u8,
    /// Timers.
    pub timers: u8,
    /// Free persistent memory in bytes.
    pub non_volatile: u32,
    /// Free transient memory in bytes.
    pub volatile: u32,
}

fn quota(tag: u32, bytes: Option<u32>) -> Vec<u8> {
    match bytes {
        None => Vec::new(),
        // Two bytes where they suffice, four else (GPCS 11.5.2.3.7).
        Some(n) => match u16::try_from(n) {
            Ok(short) => tlv::write(tag, &short.to_be_bytes()),
            Err(_) => tlv::write(tag, &n.to_be_bytes()),
        },
    }
}

impl InstallParameters {
    /// The bytes of the install parameters field: C9, EF, EA in this order, or C9 last. C9 is always there.
    ///
    /// # Errors
    /// [`ParameterError`] if a field is out of range or too long.
    pub fn encode(&self) -> Result<Vec<u8>, ParameterError> {
        if self.application.len() > 127 {
            return Err(ParameterError {
                field: "application specific parameters (C9)",
                offset: 0,
                problem: Problem::Length {
                    length: self.application.len(),
                    allowed: "0 to 127 bytes reach the applet",
                },
            });
        }
        let application = tlv::write(0xC9, &self.application);
        let mut out = match self.application_last {
            true => Vec::new(),
            false => application.clone(),
        };
        if let Some(system) = &self.system {
            out.extend(tlv::write(0xEF, &system.encode()?));
        }
        if let Some(uicc) = &self.uicc {
            out.extend(tlv::write(0xEA, &uicc.encode()?));
        }
        if self.application_last {
            out.extend(application);
        }
        if out.len() > 255 {
            return Err(ParameterError {
                field: "install parameters",
                offset: 0,
                problem: Problem::Length {
                    length: out.len(),
                    allowed: "at most 255 bytes",
                },
            });
        }
        Ok(out)
    }

    /// Reads the install parameters field. Data objects other than C9, EF and EA are skipped, but for
    /// those that belong into EF or EA.
    ///
    /// # Errors
    /// [`ParameterError`] that names the field.
    pub fn decode(bytes: &[u8]) -> Result<Self, ParameterError> {
        let mut out = InstallParameters::default();
        let mut seen = Vec::new();
        for (tag, mut value) in Reader::new("install parameters", bytes, 0).objects()? {
            if seen.contains(&tag) {
                return Err(value.error(Problem::Twice));
            }
            seen.push(tag);
            match tag {
                0xC9 => {
                    out.application = value.rest().to_vec();
                    out.application_last = out.system.is_some() || out.uicc.is_some();
                }
                0xEF => out.system = Some(SystemParameters::decode(value)?),
                0xEA => out.uicc = Some(UiccParameters::decode(value)?),
                0xC7 | 0xC8 | 0xCA | 0xD7 | 0xD8 => {
                    return Err(value.error(Problem::Misplaced(tag, "EF")));
                }
                0x80..=0x82 => return Err(value.error(Problem::Misplaced(tag, "EA"))),
                _ => {}
            }
        }
        Ok(out)
    }

    /// The toolkit parameters, in whichever of the two forms they stand.
    pub fn toolkit(&self) -> Option<&ToolkitParameters> {
        let ea = self.uicc.as_ref().and_then(|uicc| uicc.toolkit.as_ref());
        let ca = || Some(&self.system.as_ref()?.sim_toolkit.as_ref()?.toolkit);
        ea.or_else(ca)
    }

    /// Compares with what a card has: each field that asks for more.
    pub fn lint(&self, card: &CardLimits) -> Vec<ParameterError> {
        let mut asked: Vec<(&'static str, usize, usize)> = Vec::new();
        if let Some(toolkit) = self.toolkit() {
            let channels = (toolkit.max_channels, card.channels);
            asked.push((
                "maximum number of channels",
                channels.0.into(),
                channels.1.into(),
            ));
            asked.push((
                "maximum number of timers",
                toolkit.max_timers.into(),
                card.timers.into(),
            ));
        }
        if let Some(system) = &self.system {
            let volatile = system.volatile_quota.max(system.volatile_reserved);
            let non_volatile = system.non_volatile_quota.max(system.non_volatile_reserved);
            asked.push((
                "volatile memory quota (C7)",
                volatile.unwrap_or(0) as usize,
                card.volatile as usize,
            ));
            asked.push((
                "non-volatile memory quota (C8)",
                non_volatile.unwrap_or(0) as usize,
                card.non_volatile as usize,
            ));
        }
        asked
            .into_iter()
            .filter(|(_, asked, available)| asked > available)
            .map(|(field, asked, available)| ParameterError {
                field,
                offset: 0,
                problem: Problem::NotOnCard { asked, available },
            })
            .collect()
    }
}

impl SystemParameters {
    fn encode(&self) -> Result<Vec<u8>, ParameterError> {
        let mut out = quota(0xC8, self.non_volatile_quota);
        out.extend(quota(0xC7, self.volatile_quota));
        out.extend(quota(0xD8, self.non_volatile_reserved));
        out.extend(quota(0xD7, self.volatile_reserved));
        if let Some(sim) = &self.sim_toolkit {
            let mut value = Vec::new();
            reader::put_lv(&mut value, "access domain", &sim.access_domain)?;
            sim.toolkit.encode_into(&mut value)?;
            out.extend(tlv::write(0xCA, &value));
        }
        for (tag, value) in &self.other {
            out.extend(tlv::write(*tag, value));
        }
        Ok(out)
    }

    fn decode(bytes: Reader<'_>) -> Result<Self, ParameterError> {
        let mut out = SystemParameters::default();
        for (tag, mut value) in bytes.objects()? {
            match tag {
                0xC7 => out.volatile_quota = Some(value.number("volatile memory quota (C7)")?),
                0xC8 => {
                    out.non_volatile_quota = Some(value.number("non-volatile memory quota (C8)")?)
                }
                0xD7 => {
                    out.volatile_reserved = Some(value.number("volatile reserved memory (D7)")?)
                }
                0xD8 => {
                    out.non_volatile_reserved =
                        Some(value.number("non-volatile reserved memory (D8)")?);
                }
                0xCA => {
                    let access_domain = value.lv("access domain")?.to_vec();
                    let toolkit = ToolkitParameters::decode(value, false)?;
                    out.sim_toolkit = Some(SimToolkit {
                        access_domain,
                        toolkit,
                    });
                }
                tag => out.other.push((tag, value.rest().to_vec())),
            }
        }
        Ok(out)
    }
}

impl UiccParameters {
    fn encode(&self) -> Result<Vec<u8>, ParameterError> {
        let mut out = Vec::new();
        if let Some(toolkit) = &self.toolkit {
            let mut value = Vec::new();
            toolkit.encode_into(&mut value)?;
            value.push(toolkit.max_services.unwrap_or(0));
            out.extend(tlv::write(0x80, &value));
        }
        for (tag, access) in [(0x81, &self.access), (0x82, &self.administrative_access)] {
            if let Some(access) = access {
                out.extend(tlv::write(tag, &access.encode()?));
            }
        }
        Ok(out)
    }

    fn decode(bytes: Reader<'_>) -> Result<Self, ParameterError> {
        let mut out = UiccParameters::default();
        for (tag, value) in bytes.objects()? {
            match tag {
                0x80 => out.toolkit = Some(ToolkitParameters::decode(value, true)?),
                0x81 => out.access = Some(AccessParameters::decode(value)?),
                0x82 => out.administrative_access = Some(AccessParameters::decode(value)?),
                _ => {}
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests;
