//! The applet to load: its CAP file, what it needs, how it is installed.

use super::error::PersonalizeError;
use applet_gen::cap::Cap;
use applet_gen::gp::uicc_params::{
    AccessDomain, AccessParameters, CardLimits, InstallParameters, SimToolkit, SystemParameters,
    ToolkitParameters, UiccParameters,
};
use applet_model::aid;
use applet_model::machine::layout;
use cards::definition::{Definition, InstallParameterForm};
use sha2::{Digest, Sha256};
use std::path::Path;

/// Memory that the applet takes besides its load file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Persistent: objects and the persistent record.
    pub persistent: u32,
    /// Transient, cleared at reset.
    pub transient: u32,
}

impl Default for Needs {
    /// The model's figures: persistent record, registers, two buffers.
    fn default() -> Self {
        Needs {
            persistent: layout::PERSISTENT as u32,
            transient: (layout::WORKING - layout::PERSISTENT + 2 * layout::BUFFER) as u32,
        }
    }
}

/// An applet that can be loaded.
pub struct Applet {
    /// The file it is from, for messages.
    pub name: String,
    /// SHA-256 of the CAP file in hex.
    pub digest: String,
    /// The package.
    pub cap: Cap,
    /// What LOAD carries.
    pub load_file: Vec<u8>,
    /// Executable load file AID.
    pub package: Vec<u8>,
    /// Executable module AID.
    pub module: Vec<u8>,
    /// Instance AID.
    pub instance: Vec<u8>,
    /// Memory it takes.
    pub needs: Needs,
}

impl Applet {
    /// Reads a CAP file.
    ///
    /// # Errors
    /// [`PersonalizeError::Cap`], [`PersonalizeError::Unusable`].
    pub fn from_file(path: &Path) -> Result<Self, PersonalizeError> {
        let name = path.display().to_string();
        match std::fs::read(path) {
            Ok(bytes) => Self::from_bytes(&name, &bytes),
            Err(e) => Err(PersonalizeError::Unusable {
                name,
                problem: format!("failed to read it: {e}"),
            }),
        }
    }

    /// Reads a CAP file's bytes; `name` is for messages.
    ///
    /// # Errors
    /// As [`Applet::from_file`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self, PersonalizeError> {
        let wrong = |source| PersonalizeError::Cap {
            name: name.to_owned(),
            source,
        };
        let cap = Cap::from_jar(bytes).map_err(wrong)?;
        // The same load file comes out of a CAP that was read and one that was made.
        let load_file = cap.load_file(false).map_err(wrong)?;
        let package = cap.header.package.aid.clone();
        let Some(applet) = cap.applets.first() else {
            return Err(PersonalizeError::Unusable {
                name: name.to_owned(),
                problem: "it is a library: there is no applet in it to install".to_owned(),
            });
        };
        let module = applet.aid.clone();
        let instance = match module == aid::MODULE_IPAE {
            true => aid::INSTANCE_IPAE.to_vec(),
            false => module.clone(),
        };
        Ok(Applet {
            name: name.to_owned(),
            digest: hex::encode(Sha256::digest(bytes)),
            load_file,
            package,
            module,
            instance,
            needs: Needs::default(),
            cap,
        })
    }

    /// Compares the imports with a card definition's packages (JCVM 6.7: equal major, minor not above)
    /// and the needs with its memory.
    ///
    /// # Errors
    /// [`PersonalizeError::Import`], [`PersonalizeError::Memory`], [`PersonalizeError::Parameters`].
    pub fn fits(&self, definition: &Definition) -> Result<(), PersonalizeError> {
        for import in &self.cap.imports {
            let on_card = definition.package(&import.aid);
            if on_card.is_some_and(|p| p.major == import.major && p.minor >= import.minor) {
                continue;
            }
            let known = applet_gen::api::find_by_aid(&import.aid);
            return Err(PersonalizeError::Import {
                package: known.map_or_else(|| hex::encode_upper(&import.aid), |p| p.name.clone()),
                major: import.major,
                minor: import.minor,
                card: format!("{} {}", definition.eum, definition.product),
                available: on_card.map(|p| format!("{}.{}", p.major, p.minor)),
            });
        }
        let memory = &definition.memory;
        self.memory(
            "persistent memory, by the card definition",
            "transient memory, by the card definition",
            memory.persistent.into(),
            memory.transient_reset.into(),
        )?;
        let limits = CardLimits {
            channels: definition.toolkit.bip_channels,
            timers: definition.toolkit.timers,
            non_volatile: memory.persistent,
            volatile: memory.transient_reset,
        };
        match self.parameters(definition).lint(&limits).into_iter().next() {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }

    /// Compares the needs with what is there, in bytes.
    pub(super) fn memory(
        &self,
        persistent_name: &'static str,
        transient_name: &'static str,
        persistent: u64,
        transient: u64,
    ) -> Result<(), PersonalizeError> {
        let load = self.load_file.len() as u64 + u64::from(self.needs.persistent);
        for (what, needed, available) in [
            (persistent_name, load, persistent),
            (transient_name, self.needs.transient.into(), transient),
        ] {
            if needed > available {
                return Err(PersonalizeError::Memory {
                    what,
                    needed,
                    available,
                });
            }
        }
        Ok(())
    }

    /// The install parameters: one timer, one channel, no menu, no access to files, no remote
    /// management (the TAR is in the instance AID).
    pub fn parameters(&self, definition: &Definition) -> InstallParameters {
        let toolkit = ToolkitParameters {
            max_timers: 1,
            max_channels: 1,
            ..ToolkitParameters::default()
        };
        match definition.toolkit.install_parameters {
            InstallParameterForm::Ea => InstallParameters {
                uicc: Some(UiccParameters {
                    toolkit: Some(toolkit),
                    access: Some(AccessParameters {
                        uicc: Some(AccessDomain::none()),
                        adfs: Vec::new(),
                    }),
                    administrative_access: None,
                }),
                ..InstallParameters::default()
            },
            InstallParameterForm::Ca => InstallParameters {
                system: Some(SystemParameters {
                    sim_toolkit: Some(SimToolkit {
                        access_domain: vec![0xFF],
                        toolkit,
                    }),
                    ..SystemParameters::default()
                }),
                ..InstallParameters::default()
            },
        }
    }
}
