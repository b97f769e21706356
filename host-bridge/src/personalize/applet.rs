//! The applet to load: its CAP file, what it needs, how it is installed.

use super::error::PersonalizeError;
use crate::gp::plan;
use applet_gen::api;
use applet_gen::cap::Cap;
use applet_gen::cap::budget::{self, Budget};
use applet_gen::gp::uicc_params::{
    AccessDomain, AccessParameters, CardLimits, InstallParameters, SimToolkit, SystemParameters,
    ToolkitParameters, UiccParameters,
};
use applet_model::aid;
use cards::definition::{Definition, InstallParameterForm};
use cards::vm::COSTS;
use sha2::{Digest, Sha256};
use std::path::Path;

/// An applet, or a library, that can be loaded.
#[derive(Clone)]
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
    /// What it takes on a card.
    pub budget: Budget,
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
        Ok(Applet {
            name: name.to_owned(),
            digest: hex::encode(Sha256::digest(bytes)),
            load_file,
            package,
            budget: budget::budget(&cap, api::packages(), COSTS).map_err(wrong)?,
            cap,
        })
    }

    /// AID of its first executable module.
    ///
    /// # Errors
    /// [`PersonalizeError::Unusable`]: it is a library.
    pub fn module(&self) -> Result<&[u8], PersonalizeError> {
        match self.cap.applets.first() {
            Some(applet) => Ok(&applet.aid),
            None => Err(PersonalizeError::Unusable {
                name: self.name.clone(),
                problem: "it is a library: there is no applet in it to install".to_owned(),
            }),
        }
    }

    /// AID that an instance of a module of it has by default.
    pub fn instance_of(module: &[u8]) -> &[u8] {
        match module == aid::MODULE_IPAE {
            true => aid::INSTANCE_IPAE,
            false => module,
        }
    }

    /// AID of the instance of its first module.
    ///
    /// # Errors
    /// As [`Applet::module`].
    pub fn instance(&self) -> Result<&[u8], PersonalizeError> {
        self.module().map(Self::instance_of)
    }

    /// Takes names of classes and methods from a CAP of the same code that has them.
    ///
    /// # Errors
    /// [`PersonalizeError::Cap`].
    pub fn name_by(&mut self, named: &Cap) -> Result<&mut Self, PersonalizeError> {
        let budget = budget::budget(named, api::packages(), COSTS);
        self.budget = budget.map_err(|source| PersonalizeError::Cap {
            name: self.name.clone(),
            source,
        })?;
        Ok(self)
    }

    /// Compares the imports with a card definition's packages (JCVM 6.7: equal major, minor not above)
    /// and the needs with its memory.
    ///
    /// # Errors
    /// [`PersonalizeError::Import`], [`PersonalizeError::Memory`], [`PersonalizeError::Parameters`].
    pub fn fits(&self, definition: &Definition) -> Result<(), PersonalizeError> {
        plan::check_imports(&self.cap, definition, &[])?;
        self.memory("by the card definition", &room(definition))?;
        let memory = &definition.memory;
        let limits = CardLimits {
            channels: definition.toolkit.bip_channels,
            timers: definition.toolkit.timers,
            non_volatile: memory.persistent,
            volatile: memory.transient_reset,
        };
        match Self::parameters(definition)
            .lint(&limits)
            .into_iter()
            .next()
        {
            Some(finding) => Err(finding.into()),
            None => Ok(()),
        }
    }

    /// Compares the budget with what is there.
    pub(super) fn memory(
        &self,
        who: &'static str,
        limits: &budget::Limits,
    ) -> Result<(), PersonalizeError> {
        let shortages = self.budget.shortages(self.load_file.len(), limits);
        if shortages.is_empty() {
            return Ok(());
        }
        Err(PersonalizeError::Memory { who, shortages })
    }

    /// The install parameters: one timer, one channel, no menu, no access to files, no remote
    /// management (the TAR is in the instance AID).
    pub fn parameters(definition: &Definition) -> InstallParameters {
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

/// What cards of a definition have room for.
pub(super) fn room(definition: &Definition) -> budget::Limits {
    let memory = &definition.memory;
    let bytes = |n: u32| Some(n.into());
    budget::Limits {
        persistent: bytes(memory.persistent),
        reset: bytes(memory.transient_reset),
        deselect: bytes(memory.transient_deselect),
        stack: bytes(memory.stack),
    }
}
