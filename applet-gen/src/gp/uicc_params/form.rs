//! Install parameters as TOML, both ways: what people write and read.
//!
//! ```toml
//! application = "0102"                # C9, hex
//!
//! [memory]                            # inside EF, bytes
//! non_volatile_quota = 1024           # C8
//! volatile_quota = 256                # C7
//!
//! [toolkit]                           # EA 80; with form = "ca": CA inside EF
//! form = "ea"
//! priority = 255
//! timers = 1
//! channels = 1
//! text_length = 16
//! menu = [{ position = 1, identifier = 2 }]
//! minimum_security_level = "0116"
//! tars = ["494241"]
//!
//! [access]                            # EA 81; [administration] is EA 82
//! shared = "none"                     # "full", "none", or the access domain in hex
//! adfs = [{ aid = "A0000000871002FFFFFFFF8907090000", access = "full" }]
//! ```

use super::{
    AccessDomain, AccessParameters, AdfAccess, InstallParameters, MenuEntry, SimToolkit,
    SystemParameters, ToolkitParameters, UiccParameters,
};
use serde::{Deserialize, Serialize};

/// Why text is no description of install parameters.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// Not TOML, or not of this form.
    #[error("install parameters: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value that is no hex, or has another length.
    #[error("install parameters: {field} = {value:?}: expected {expected}")]
    Value {
        /// The field.
        field: &'static str,
        /// What stands there.
        value: String,
        /// What should.
        expected: &'static str,
    },
    /// A field that the CA form has no room for.
    #[error("install parameters: {0}")]
    CaForm(&'static str),
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Form {
    /// C9.
    #[serde(skip_serializing_if = "String::is_empty")]
    application: String,
    /// C9 behind EF and EA.
    #[serde(skip_serializing_if = "is_false")]
    application_last: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<Memory>,
    #[serde(skip_serializing_if = "Option::is_none")]
    toolkit: Option<Toolkit>,
    #[serde(skip_serializing_if = "Option::is_none")]
    access: Option<Access>,
    #[serde(skip_serializing_if = "Option::is_none")]
    administration: Option<Access>,
    /// EA without content, which nothing else would show.
    #[serde(skip_serializing_if = "is_false")]
    empty_ea: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn is_false(value: &bool) -> bool {
    !value
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Memory {
    #[serde(skip_serializing_if = "Option::is_none")]
    non_volatile_quota: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volatile_quota: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_volatile_reserved: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    volatile_reserved: Option<u32>,
    /// Further objects of EF.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    other: Vec<Object>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Object {
    tag: String,
    value: String,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum ToolkitForm {
    #[default]
    Ea,
    Ca,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Toolkit {
    form: ToolkitForm,
    priority: u8,
    timers: u8,
    text_length: u8,
    channels: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    services: Option<u8>,
    #[serde(skip_serializing_if = "String::is_empty")]
    minimum_security_level: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tars: Vec<String>,
    /// The access domain that the CA form has in the same object.
    #[serde(skip_serializing_if = "Option::is_none")]
    file_access: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    menu: Vec<Entry>,
}

impl Default for Toolkit {
    fn default() -> Self {
        Toolkit {
            form: ToolkitForm::Ea,
            priority: 0xFF,
            timers: 0,
            text_length: 0,
            channels: 0,
            services: None,
            minimum_security_level: String::new(),
            tars: Vec::new(),
            file_access: None,
            menu: Vec::new(),
        }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    position: u8,
    identifier: u8,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Access {
    #[serde(skip_serializing_if = "Option::is_none")]
    shared: Option<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    shared_dap: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    adfs: Vec<Adf>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Adf {
    aid: String,
    access: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    dap: String,
}

fn bytes(field: &'static str, text: &str) -> Result<Vec<u8>, FormError> {
    hex::decode(text).map_err(|_| FormError::Value {
        field,
        value: text.to_owned(),
        expected: "bytes in hexadecimal digits",
    })
}

fn domain(text: &str) -> Result<Vec<u8>, FormError> {
    match text {
        "full" => Ok(AccessDomain::full().domain),
        "none" => Ok(AccessDomain::none().domain),
        hex => bytes("access", hex),
    }
}

fn domain_text(domain: &[u8]) -> String {
    match domain {
        [0x00] => "full".to_owned(),
        [0xFF] => "none".to_owned(),
        other => hex::encode_upper(other),
    }
}

impl Access {
    fn read(&self) -> Result<AccessParameters, FormError> {
        let uicc = match &self.shared {
            None => None,
            Some(text) => Some(AccessDomain {
                domain: domain(text)?,
                dap: bytes("shared_dap", &self.shared_dap)?,
            }),
        };
        let adf = |adf: &Adf| {
            Ok::<AdfAccess, FormError>(AdfAccess {
                aid: bytes("aid", &adf.aid)?,
                access: AccessDomain {
                    domain: domain(&adf.access)?,
                    dap: bytes("dap", &adf.dap)?,
                },
            })
        };
        Ok(AccessParameters {
            uicc,
            adfs: self.adfs.iter().map(adf).collect::<Result<_, _>>()?,
        })
    }

    fn of(access: &AccessParameters) -> Self {
        Access {
            shared: access.uicc.as_ref().map(|d| domain_text(&d.domain)),
            shared_dap: access
                .uicc
                .as_ref()
                .map(|d| hex::encode_upper(&d.dap))
                .unwrap_or_default(),
            adfs: access
                .adfs
                .iter()
                .map(|adf| Adf {
                    aid: hex::encode_upper(&adf.aid),
                    access: domain_text(&adf.access.domain),
                    dap: hex::encode_upper(&adf.access.dap),
                })
                .collect(),
        }
    }
}

impl Toolkit {
    fn read(&self) -> Result<ToolkitParameters, FormError> {
        let tar = |text: &String| {
            let bytes: Option<[u8; 3]> = hex::decode(text).ok().and_then(|b| b.try_into().ok());
            bytes.ok_or_else(|| FormError::Value {
                field: "tars",
                value: text.clone(),
                expected: "three bytes in hexadecimal digits",
            })
        };
        Ok(ToolkitParameters {
            priority: self.priority,
            max_timers: self.timers,
            max_text_length: self.text_length,
            menu: self
                .menu
                .iter()
                .map(|entry| MenuEntry {
                    position: entry.position,
                    identifier: entry.identifier,
                })
                .collect(),
            max_channels: self.channels,
            minimum_security_level: bytes("minimum_security_level", &self.minimum_security_level)?,
            tars: self.tars.iter().map(tar).collect::<Result<_, _>>()?,
            max_services: match self.form {
                ToolkitForm::Ea => Some(self.services.unwrap_or(0)),
                ToolkitForm::Ca => None,
            },
        })
    }

    fn of(toolkit: &ToolkitParameters, sim: Option<&[u8]>) -> Self {
        Toolkit {
            form: match sim {
                None => ToolkitForm::Ea,
                Some(_) => ToolkitForm::Ca,
            },
            priority: toolkit.priority,
            timers: toolkit.max_timers,
            text_length: toolkit.max_text_length,
            channels: toolkit.max_channels,
            services: toolkit.max_services.filter(|n| *n != 0),
            minimum_security_level: hex::encode_upper(&toolkit.minimum_security_level),
            tars: toolkit.tars.iter().map(hex::encode_upper).collect(),
            file_access: sim.map(domain_text),
            menu: toolkit
                .menu
                .iter()
                .map(|entry| Entry {
                    position: entry.position,
                    identifier: entry.identifier,
                })
                .collect(),
        }
    }
}

/// Reads a description.
///
/// # Errors
/// [`FormError`] with the field, or TOML's own message with the line.
pub fn from_toml(text: &str) -> Result<InstallParameters, FormError> {
    let form: Form = toml::from_str(text)?;
    let mut out = InstallParameters {
        application: bytes("application", &form.application)?,
        application_last: form.application_last,
        ..InstallParameters::default()
    };
    if let Some(memory) = &form.memory {
        let object = |object: &Object| {
            let tag = u32::from_str_radix(&object.tag, 16).map_err(|_| FormError::Value {
                field: "tag",
                value: object.tag.clone(),
                expected: "a tag in hexadecimal digits",
            })?;
            Ok::<_, FormError>((tag, bytes("value", &object.value)?))
        };
        out.system = Some(SystemParameters {
            volatile_quota: memory.volatile_quota,
            non_volatile_quota: memory.non_volatile_quota,
            volatile_reserved: memory.volatile_reserved,
            non_volatile_reserved: memory.non_volatile_reserved,
            sim_toolkit: None,
            other: memory.other.iter().map(object).collect::<Result<_, _>>()?,
        });
    }
    let access = form.access.as_ref().map(Access::read).transpose()?;
    let administrative_access = form.administration.as_ref().map(Access::read).transpose()?;
    let mut uicc = UiccParameters {
        toolkit: None,
        access,
        administrative_access,
    };
    if let Some(toolkit) = &form.toolkit {
        let read = toolkit.read()?;
        match toolkit.form {
            ToolkitForm::Ea => {
                if toolkit.file_access.is_some() {
                    return Err(FormError::CaForm(
                        "toolkit.file_access is of the CA form; the EA form has [access]",
                    ));
                }
                uicc.toolkit = Some(read);
            }
            ToolkitForm::Ca => {
                if toolkit.services.is_some() {
                    return Err(FormError::CaForm(
                        "toolkit.services: the CA form has no number of services",
                    ));
                }
                let access_domain = domain(toolkit.file_access.as_deref().unwrap_or("none"))?;
                out.system.get_or_insert_default().sim_toolkit = Some(SimToolkit {
                    access_domain,
                    toolkit: read,
                });
            }
        }
    }
    if form.empty_ea || uicc != UiccParameters::default() {
        out.uicc = Some(uicc);
    }
    Ok(out)
}

/// Writes a description. Where both forms of the toolkit parameters are there, which a card takes one
/// of, the EA form is what is written.
#[must_use]
pub fn to_toml(parameters: &InstallParameters) -> String {
    let system = parameters.system.as_ref();
    let uicc = parameters.uicc.as_ref();
    let sim = system.and_then(|system| system.sim_toolkit.as_ref());
    let ea = uicc.and_then(|uicc| uicc.toolkit.as_ref());
    let toolkit = match (ea, sim) {
        (Some(toolkit), _) => Some(Toolkit::of(toolkit, None)),
        (None, Some(sim)) => Some(Toolkit::of(&sim.toolkit, Some(&sim.access_domain))),
        (None, None) => None,
    };
    let form = Form {
        application: hex::encode_upper(&parameters.application),
        application_last: parameters.application_last,
        memory: system.map(|system| Memory {
            non_volatile_quota: system.non_volatile_quota,
            volatile_quota: system.volatile_quota,
            non_volatile_reserved: system.non_volatile_reserved,
            volatile_reserved: system.volatile_reserved,
            other: system
                .other
                .iter()
                .map(|(tag, value)| Object {
                    tag: format!("{tag:02X}"),
                    value: hex::encode_upper(value),
                })
                .collect(),
        }),
        toolkit,
        access: uicc.and_then(|uicc| uicc.access.as_ref()).map(Access::of),
        administration: uicc
            .and_then(|uicc| uicc.administrative_access.as_ref())
            .map(Access::of),
        empty_ea: uicc == Some(&UiccParameters::default()),
    };
    toml::to_string(&form).unwrap_or_default()
}
