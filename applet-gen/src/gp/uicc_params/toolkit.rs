//! Toolkit application specific parameters (ETSI TS 102 226 8.2.1.3.2.2.1).

use super::reader::{Reader, put_lv};
use super::{ParameterError, Problem};

/// What a toolkit application may use. The fields stand in this order on the interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolkitParameters {
    /// Priority level: 01 highest to FF lowest.
    pub priority: u8,
    /// Maximum number of timers: 0 to 8.
    pub max_timers: u8,
    /// Maximum text length of a menu entry.
    pub max_text_length: u8,
    /// Menu entries, in order.
    pub menu: Vec<MenuEntry>,
    /// Maximum number of channels: 0 to 7.
    pub max_channels: u8,
    /// Minimum security level: empty, or the parameter byte and its data.
    pub minimum_security_level: Vec<u8>,
    /// Toolkit application references; none: the TAR is in the instance AID (ETSI TS 101 220).
    pub tars: Vec<[u8; 3]>,
    /// Maximum number of services, 0 to 8; only in the EA form, absent on cards before release 7.
    pub max_services: Option<u8>,
}

/// A menu entry that SET UP MENU will have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MenuEntry {
    /// Position: 0 don't care, 1 first.
    pub position: u8,
    /// Item identifier: 0 don't care, 1 to 127.
    pub identifier: u8,
}

impl Default for ToolkitParameters {
    /// Lowest priority and nothing else.
    fn default() -> Self {
        ToolkitParameters {
            priority: 0xFF,
            max_timers: 0,
            max_text_length: 0,
            menu: Vec::new(),
            max_channels: 0,
            minimum_security_level: Vec::new(),
            tars: Vec::new(),
            max_services: Some(0),
        }
    }
}

impl ToolkitParameters {
    /// Range of each field: name, value, allowed, in words.
    fn check(&self, offset: usize) -> Result<(), ParameterError> {
        let fields: [(&'static str, usize, bool, &'static str); 5] = [
            (
                "priority level",
                self.priority.into(),
                self.priority != 0,
                "01 to FF",
            ),
            (
                "maximum number of timers",
                self.max_timers.into(),
                self.max_timers <= 8,
                "0 to 8",
            ),
            (
                "maximum number of channels",
                self.max_channels.into(),
                self.max_channels <= 7,
                "0 to 7",
            ),
            (
                "maximum number of services",
                self.max_services.unwrap_or(0).into(),
                self.max_services.unwrap_or(0) <= 8,
                "0 to 8",
            ),
            (
                "menu entry identifier",
                self.menu
                    .iter()
                    .map(|e| e.identifier)
                    .max()
                    .unwrap_or(0)
                    .into(),
                self.menu.iter().all(|e| e.identifier < 128),
                "0 to 127",
            ),
        ];
        match fields.into_iter().find(|field| !field.2) {
            // Parameter 01, the first byte of the SPI, has that one byte (ETSI TS 102 226 8.2.1.3.2.4).
            None if matches!(self.minimum_security_level[..], [0x01] | [0x01, _, _, ..]) => {
                Err(ParameterError {
                    field: "minimum security level",
                    offset,
                    problem: Problem::Length {
                        length: self.minimum_security_level.len(),
                        allowed: "parameter 01 and one byte of SPI1 are allowed",
                    },
                })
            }
            None => Ok(()),
            Some((field, value, _, range)) => Err(ParameterError {
                field,
                offset,
                problem: Problem::Range { value, range },
            }),
        }
    }

    /// Appends all fields up to the TARs.
    pub(super) fn encode_into(&self, out: &mut Vec<u8>) -> Result<(), ParameterError> {
        self.check(0)?;
        let Ok(entries) = u8::try_from(self.menu.len()) else {
            return Err(ParameterError {
                field: "maximum number of menu entries",
                offset: 3,
                problem: Problem::Range {
                    value: self.menu.len(),
                    range: "0 to 255",
                },
            });
        };
        out.extend([
            self.priority,
            self.max_timers,
            self.max_text_length,
            entries,
        ]);
        for entry in &self.menu {
            out.extend([entry.position, entry.identifier]);
        }
        out.push(self.max_channels);
        put_lv(out, "minimum security level", &self.minimum_security_level)?;
        put_lv(out, "TAR values", &self.tars.concat())
    }

    /// `services`: the EA form, where the number of services may follow.
    pub(super) fn decode(mut bytes: Reader<'_>, services: bool) -> Result<Self, ParameterError> {
        let start = bytes;
        let priority = bytes.byte("priority level")?;
        let max_timers = bytes.byte("maximum number of timers")?;
        let max_text_length = bytes.byte("maximum text length for a menu entry")?;
        let entries = bytes.byte("maximum number of menu entries")?;
        let menu = bytes
            .take(
                "positions and identifiers of menu entries",
                2 * usize::from(entries),
            )?
            .as_chunks::<2>()
            .0
            .iter()
            .map(|&[position, identifier]| MenuEntry {
                position,
                identifier,
            })
            .collect();
        let max_channels = bytes.byte("maximum number of channels")?;
        let minimum_security_level = bytes.lv("minimum security level")?.to_vec();
        // Parameters of the first releases end here.
        let tars = match bytes.is_empty() {
            true => &[],
            false => bytes.lv("TAR values")?,
        };
        let (tars, odd) = tars.as_chunks::<3>();
        if !odd.is_empty() {
            return Err(bytes.error(Problem::Length {
                length: tars.len() * 3 + odd.len(),
                allowed: "a multiple of 3 is needed",
            }));
        }
        let max_services = match services && !bytes.is_empty() {
            true => Some(bytes.byte("maximum number of services")?),
            false => None,
        };
        // Later releases may add fields, which older cards pass over; the older form has none behind the TARs.
        if !services {
            bytes.end()?;
        }
        let out = ToolkitParameters {
            priority,
            max_timers,
            max_text_length,
            menu,
            max_channels,
            minimum_security_level,
            tars: tars.to_vec(),
            max_services,
        };
        match out.check(0) {
            Ok(()) => Ok(out),
            Err(error) => Err(ParameterError {
                field: error.field,
                ..start.error(error.problem)
            }),
        }
    }
}
