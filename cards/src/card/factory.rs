//! Applets that are on the card from the factory on: loaded and installed without a secure channel.

use super::VirtualCard;
use crate::gp::Stop;
use crate::gp::registry::{Aid, LoadFile};
use crate::vm::LoadError;
use applet_model::apdu::Command;
use applet_model::status::Sw;

/// Why an applet can't be put onto a card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FactoryError {
    /// The card's linker refuses the load file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An AID is too short or too long.
    #[error("an AID has 5 to 16 bytes, this one has {0}")]
    Aid(usize),
    /// The applet wasn't installed.
    #[error("INSTALL ends with {sw}{}", .reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default())]
    Install {
        /// What a reader would see.
        sw: Sw,
        /// Why, in words, if the card knows.
        reason: Option<String>,
    },
    /// The power was cut.
    #[error("the power was cut")]
    Power,
}

fn aid(bytes: &[u8]) -> Result<Aid, FactoryError> {
    Aid::new(bytes).ok_or(FactoryError::Aid(bytes.len()))
}

impl VirtualCard {
    /// Loads a package as the factory does: a load file's components, no secure channel, no tokens. Gives its
    /// AID.
    ///
    /// # Errors
    /// [`FactoryError::Load`], [`FactoryError::Power`].
    pub fn factory_load(&mut self, load_file: &[u8]) -> Result<Vec<u8>, FactoryError> {
        let package = match self.vm.load(load_file, &mut self.world) {
            Ok(package) => package,
            Err(LoadError::PowerCut) => return Err(FactoryError::Power),
            Err(error) => return Err(error.into()),
        };
        let (bytes, major, minor) = self.vm.package_aid(package).unwrap_or((&[], 0, 0));
        let package_aid = aid(bytes)?;
        let modules = self.vm.modules(package);
        let file = LoadFile {
            aid: package_aid.clone(),
            version: [major, minor],
            modules: modules.iter().filter_map(|aid| Aid::new(aid)).collect(),
            domain: self.world.gp.registry.isd.clone(),
        };
        self.world.gp.registry.load_files.push(file);
        Ok(package_aid.bytes().to_vec())
    }

    /// Installs an applet as the factory does and makes it selectable. `parameters` are INSTALL's (C9, EF, …;
    /// GlobalPlatform Card Specification 11.5.2.3.7).
    ///
    /// # Errors
    /// [`FactoryError`].
    pub fn factory_install(
        &mut self,
        package: &[u8],
        module: &[u8],
        instance: &[u8],
        parameters: &[u8],
    ) -> Result<(), FactoryError> {
        let mut data = Vec::new();
        for field in [package, module, instance] {
            aid(field)?;
            data.push(u8::try_from(field.len()).unwrap_or(0));
            data.extend(field);
        }
        // No privileges; parameters; no token.
        data.extend([1, 0]);
        // A length is coded as in BER; the header of a data object ends with one.
        let mut field = applet_model::tlv::write(0xC9, parameters);
        data.extend(field.drain(1..));
        data.push(0);
        let command = Command::new(0x80, 0xE6, 0x0C, 0).with_data(data);
        let free = self.free();
        let isd = self.world.gp.registry.isd.clone();
        let installed = self
            .read_install(&command)
            .and_then(|request| self.install_applet(&isd, &request, [0; 3], true, free));
        match installed {
            Ok(()) => Ok(()),
            Err(Stop::Power(_)) => Err(FactoryError::Power),
            Err(Stop::Status(sw)) => Err(FactoryError::Install {
                sw,
                reason: self.take_fault(),
            }),
        }
    }
}
