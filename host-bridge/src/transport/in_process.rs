//! Virtual cards in this process.

use super::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use cards::card::VirtualCard;
use std::path::{Path, PathBuf};

/// A virtual card in this process; with a file, its state is on disk after every command that
/// changed its persistent memory, so that the end of the process is a power cut to it.
pub struct VirtualLink {
    card: VirtualCard,
    file: Option<PathBuf>,
    name: String,
    written: u64,
}

impl VirtualLink {
    /// A card in memory only.
    pub fn new(name: &str, card: VirtualCard) -> Self {
        VirtualLink {
            written: card.nvm().writes,
            card,
            file: None,
            name: name.to_owned(),
        }
    }

    /// A card with a file: its state is read from there.
    ///
    /// # Errors
    /// [`LinkError::Failed`] if the file can't be read or holds no card.
    pub fn open(name: &str, file: &Path) -> Result<Self, LinkError> {
        let failed = |detail: String| LinkError::Failed {
            name: file.display().to_string(),
            detail,
        };
        let bytes = std::fs::read(file).map_err(|e| failed(e.to_string()))?;
        let mut card = VirtualCard::from_bytes(&bytes).map_err(|e| failed(e.to_string()))?;
        card.reset();
        Ok(VirtualLink {
            file: Some(file.to_owned()),
            ..Self::new(name, card)
        })
    }

    /// Stores a new card in a file and keeps it there.
    ///
    /// # Errors
    /// [`LinkError::Failed`].
    pub fn create(name: &str, file: &Path, card: VirtualCard) -> Result<Self, LinkError> {
        let link = VirtualLink {
            file: Some(file.to_owned()),
            ..Self::new(name, card)
        };
        link.save()?;
        Ok(link)
    }

    /// The card.
    pub fn card(&self) -> &VirtualCard {
        &self.card
    }

    /// The card, to plan a power cut for example.
    pub fn card_mut(&mut self) -> &mut VirtualCard {
        &mut self.card
    }

    /// The card, without its link.
    pub fn into_card(self) -> VirtualCard {
        self.card
    }

    fn save(&self) -> Result<(), LinkError> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let failed = |detail: String| LinkError::Failed {
            name: file.display().to_string(),
            detail,
        };
        let bytes = self.card.to_bytes().map_err(|e| failed(e.to_string()))?;
        crate::files::replace(file, &bytes, false).map_err(|e| failed(e.to_string()))
    }
}

impl CardLink for VirtualLink {
    fn atr(&self) -> &[u8] {
        self.card.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(self.card.reset().to_vec())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let answer = self.card.transmit(&command.to_bytes());
        // Stored before the answer goes out: what the host saw done is done. A power cut kept what was written before it.
        if self.card.nvm().writes != self.written {
            self.save()?;
            self.written = self.card.nvm().writes;
        }
        let answer = answer.map_err(|_| LinkError::PowerLost(self.name.clone()))?;
        Response::parse(&answer).ok_or_else(|| LinkError::ShortAnswer {
            name: self.name.clone(),
            command: hex::encode_upper([command.cla, command.ins, command.p1, command.p2]),
            bytes: answer.len(),
        })
    }

    fn name(&self) -> String {
        self.name.clone()
    }
}
