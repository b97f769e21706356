//! Data objects that an eUICC tells, read as far as they can be read: what is damaged is a problem with a
//! name, and the rest is still told.

use super::known::Known;
use super::{Eim, EuiccConfiguration, Fci, Info1, Info2, Issuer, Memory};
use applet_gen::gp::registry::parse_card_resources;
use applet_model::sgp::bits::Bits;
use applet_model::sgp::eim_config::{EimIdType, EimSupportedProtocol};
use applet_model::sgp::euicc_info::{EuiccCategory, IpaMode, RspCapability, UiccCapability};
use applet_model::tlv::{self, Tlv, TlvError};

/// Most characters of a text that are shown.
const TEXT: usize = 256;

/// Reads data objects; what can't be read is told to `problem`.
pub struct Reader<'a> {
    pub known: &'a Known,
    pub problem: &'a mut dyn FnMut(String),
}

/// A text of the card's for people's eyes: what a terminal would obey is written out.
fn text(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(value);
    text.chars()
        .take(TEXT)
        .flat_map(|c| {
            // Control characters, and those that turn the direction of writing.
            let hidden =
                c.is_control() || matches!(c, '\u{200E}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
            let shown: Vec<char> = match hidden {
                true => c.escape_unicode().collect(),
                false => vec![c],
            };
            shown
        })
        .collect()
}

/// VersionType: three numbers.
fn version(value: &[u8]) -> String {
    match value {
        [major, minor, revision] => format!("{major}.{minor}.{revision}"),
        other => format!("({})", hex::encode_upper(other)),
    }
}

impl Reader<'_> {
    /// The data objects of a list, up to the first that is cut.
    fn objects<'d>(&mut self, of: &str, list: &'d [u8]) -> Vec<Tlv<'d>> {
        let mut out = Vec::new();
        for object in tlv::iter(list) {
            match object {
                Ok(object) => out.push(object),
                Err(error) => {
                    (self.problem)(format!("{of}: {error}"));
                    break;
                }
            }
        }
        out
    }

    fn bits(&mut self, of: &str, value: &[u8], names: &[(u8, &str)]) -> Vec<String> {
        match Bits::from_contents(value) {
            Ok(bits) => bits.names(names),
            Err(_) => {
                (self.problem)(format!("{of} is no BIT STRING of up to 64 bits"));
                Vec::new()
            }
        }
    }

    /// One small number.
    fn number(&mut self, of: &str, value: &[u8]) -> Option<u8> {
        match value {
            [number] => Some(*number),
            other => {
                (self.problem)(format!("{of} has {} bytes, expected 1", other.len()));
                None
            }
        }
    }

    fn issuers(&mut self, of: &str, list: &[u8]) -> Vec<Issuer> {
        let ids = self.objects(of, list);
        ids.iter()
            .filter(|id| id.tag == 0x04)
            .map(|id| Issuer {
                key_id: hex::encode(id.value),
                name: self.known.issuer(id.value).map(str::to_owned),
            })
            .collect()
    }

    /// The answer to SELECT of the ISD-R (SGP.22 5.7.1, SGP.32 5.9.1): E0 and E1 stand in the template or in
    /// its proprietary data.
    pub fn fci(&mut self, data: &[u8]) -> Fci {
        let mut fci = Fci {
            hex: hex::encode_upper(data),
            ..Fci::default()
        };
        let template = match tlv::expect(data, 0x6F) {
            Ok(template) => template,
            Err(error) => {
                // FCP (62) and an answer without any template are seen, too.
                if !data.is_empty() && data.first() != Some(&0x62) {
                    (self.problem)(format!("answer to SELECT of the ISD-R: {error}"));
                }
                return fci;
            }
        };
        let mut objects = self.objects("answer to SELECT of the ISD-R", template.value);
        let proprietary = objects.iter().find(|object| object.tag == 0xA5).copied();
        if let Some(proprietary) = proprietary {
            objects.extend(self.objects("proprietary data of the ISD-R", proprietary.value));
        }
        for object in objects {
            match object.tag {
                0xE0 => {
                    for inner in self.objects("ISDRProprietaryApplicationTemplate", object.value) {
                        if inner.tag == 0x82 {
                            fci.sgp22 = Some(version(inner.value));
                        }
                    }
                }
                0xE1 => {
                    let of = "ISDRProprietaryApplicationTemplateIoT";
                    let names = &[(0, "ipaeSupported"), (1, "enabledProfile")];
                    for inner in self.objects(of, object.value) {
                        if inner.tag == 0x80 {
                            let bits = self.bits("euiccConfiguration", inner.value, names);
                            fci.euicc_configuration = Some(EuiccConfiguration {
                                ipae_supported: bits.iter().any(|bit| bit == "ipaeSupported"),
                                enabled_profile: bits.iter().any(|bit| bit == "enabledProfile"),
                            });
                        }
                    }
                }
                _ => {}
            }
        }
        fci
    }

    /// EUICCInfo1 (SGP.22 5.7.8).
    pub fn info1(&mut self, value: &[u8]) -> Info1 {
        let mut info = Info1::default();
        for object in self.objects("EUICCInfo1", value) {
            match object.tag {
                0x82 => info.svn = Some(version(object.value)),
                0xA9 => {
                    info.issuers_for_verification = self.issuers("EUICCInfo1", object.value);
                }
                0xAA => info.issuers_for_signing = self.issuers("EUICCInfo1", object.value),
                _ => {}
            }
        }
        info
    }

    /// EUICCInfo2 (SGP.22 5.7.8, SGP.32 5.9.2).
    pub fn info2(&mut self, value: &[u8]) -> Info2 {
        let mut info = Info2::default();
        for object in self.objects("EUICCInfo2", value) {
            let value = object.value;
            match object.tag {
                0x81 => info.profile_package = Some(version(value)),
                0x82 => info.svn = Some(version(value)),
                0x83 => info.firmware = Some(version(value)),
                0x84 => match parse_card_resources(value) {
                    Ok(free) => {
                        info.memory = Some(Memory {
                            applications: free.applications,
                            non_volatile: free.non_volatile,
                            volatile: free.volatile,
                        });
                    }
                    Err(error) => (self.problem)(format!("extCardResource: {error}")),
                },
                0x85 => {
                    info.uicc = self.bits("uiccCapability", value, UiccCapability::NAMES);
                }
                0x86 => info.ts_102_241 = Some(version(value)),
                0x87 => info.globalplatform = Some(version(value)),
                0x88 => info.rsp = self.bits("rspCapability", value, RspCapability::NAMES),
                0xA9 => info.issuers_for_verification = self.issuers("EUICCInfo2", value),
                0xAA => info.issuers_for_signing = self.issuers("EUICCInfo2", value),
                0x8B => {
                    let code = self.number("euiccCategory", value);
                    info.category =
                        code.map(|code| name(EuiccCategory::from_code(code.into()).name(), code));
                }
                0x90 => {
                    let code = self.number("ipaMode", value);
                    info.ipa_mode =
                        code.map(|code| name(IpaMode::from_code(code.into()).name(), code));
                }
                0x93 => info.highest_svn = Some(version(value)),
                0x04 => info.protection_profile = Some(version(value)),
                0x0C => info.sas = Some(text(value)),
                0xB4 => self.iot(value, &mut info),
                _ => {}
            }
        }
        info
    }

    fn iot(&mut self, value: &[u8], info: &mut Info2) {
        info.iot_specific_info = true;
        for object in self.objects("iotSpecificInfo", value) {
            match object.tag {
                0xA0 => {
                    let versions = self.objects("iotVersion", object.value);
                    let versions = versions.iter().filter(|object| object.tag == 0x04);
                    info.sgp32 = versions.map(|object| version(object.value)).collect();
                }
                0x81 => info.ecall = true,
                0x82 => info.fallback = true,
                _ => {}
            }
        }
    }

    /// GetEimConfigurationData's answer (SGP.32 5.9.18).
    pub fn eims(&mut self, value: &[u8]) -> Vec<Eim> {
        let of = "GetEimConfigurationData";
        let list = match tlv::find(value, 0xA0) {
            Ok(Some(list)) => list.value,
            Ok(None) => return Vec::new(),
            Err(error) => {
                (self.problem)(format!("{of}: {error}"));
                return Vec::new();
            }
        };
        let entries = self.objects(of, list);
        let entries = entries.iter().filter(|entry| entry.tag == 0x30);
        entries.map(|entry| self.eim(entry.value)).collect()
    }

    fn eim(&mut self, value: &[u8]) -> Eim {
        let mut eim = Eim::default();
        for object in self.objects("EimConfigurationData", value) {
            let value = object.value;
            match object.tag {
                0x80 => eim.id = text(value),
                0x81 => eim.fqdn = Some(text(value)),
                0x82 => {
                    let code = self.number("eimIdType", value);
                    eim.id_type =
                        code.map(|code| name(EimIdType::from_code(code.into()).name(), code));
                }
                0x87 => {
                    let names = EimSupportedProtocol::NAMES;
                    eim.protocols = self.bits("eimSupportedProtocol", value, names);
                }
                0x88 => {
                    eim.issuer = Some(Issuer {
                        key_id: hex::encode(value),
                        name: self.known.issuer(value).map(str::to_owned),
                    });
                }
                0x89 => eim.indirect_profile_download = true,
                _ => {}
            }
        }
        eim
    }

    /// The EID's digits (GetEuiccDataResponse, SGP.22 5.7.20).
    pub fn eid(&mut self, value: &[u8]) -> Option<String> {
        let eid = match tlv::require(value, 0x5A) {
            Ok(eid) => eid.value,
            Err(error) => {
                (self.problem)(format!("GetEID: {error}"));
                return None;
            }
        };
        let digits = hex::encode(eid);
        match digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_digit()) {
            true => Some(digits),
            false => {
                let shown: String = digits.chars().take(TEXT).collect();
                (self.problem)(format!("GetEID: {shown} is no EID, which has 32 digits"));
                None
            }
        }
    }

    /// The value of an answer that has to have a tag.
    pub fn value<'d>(&mut self, of: &str, data: &'d [u8], tag: u32) -> Option<&'d [u8]> {
        match tlv::expect(data, tag) {
            Ok(object) => Some(object.value),
            Err(error) => {
                // What there is of it is read all the same.
                (self.problem)(format!("{of}: {error}"));
                match (error, tlv::read_header(data)) {
                    (TlvError::ValueCut { .. }, Ok(header)) if header.tag == tag => {
                        data.get(header.header_len..)
                    }
                    _ => None,
                }
            }
        }
    }
}

/// The name of a code; with the code where the specification has no name of its own for it.
fn name(name: &str, code: u8) -> String {
    match name {
        "other" => format!("other({code})"),
        name => name.to_owned(),
    }
}
