//! Virtual cards made from an order, each with a file that holds what its memory holds.

use super::batch::Supply;
use super::error::PersonalizeError;
use super::station::{Presented, Station};
use crate::order::OrderRow;
use crate::transport::{LinkError, VirtualLink};
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{EuiccConfig, EuiccSetup};
use cards::pki::Hierarchy;
use std::path::{Path, PathBuf};

/// Makes the order's cards and keeps each in `DIRECTORY/EID.card`.
#[derive(Clone)]
pub struct VirtualStation {
    name: String,
    directory: PathBuf,
    definition: Definition,
    setup: EuiccSetup,
    hierarchy: Hierarchy,
    seed: u64,
}

impl VirtualStation {
    /// Cards of a definition, with eUICCs certified by a hierarchy, stored in a directory.
    pub fn new(
        directory: &Path,
        definition: Definition,
        hierarchy: Hierarchy,
        setup: EuiccSetup,
        seed: u64,
    ) -> Self {
        VirtualStation {
            name: "virtual".to_owned(),
            directory: directory.to_owned(),
            definition,
            setup,
            hierarchy,
            seed,
        }
    }

    /// So many readers that share the cards.
    pub fn readers(&self, count: usize) -> Vec<VirtualStation> {
        let reader = |n| VirtualStation {
            name: format!("{} {n}", self.name),
            ..self.clone()
        };
        (1..=count).map(reader).collect()
    }

    /// Where a card is stored.
    pub fn file(&self, eid: &str) -> PathBuf {
        self.directory.join(format!("{eid}.card"))
    }

    /// A card that was made before.
    ///
    /// # Errors
    /// [`LinkError::Failed`].
    pub fn open(&self, eid: &str) -> Result<VirtualLink, LinkError> {
        VirtualLink::open(&format!("virtual card {eid}"), &self.file(eid))
    }

    fn make(&self, row: &OrderRow) -> Result<VirtualCard, PersonalizeError> {
        let name = row.eid.to_string();
        let fail = |problem: String| PersonalizeError::Virtual {
            eid: name.clone(),
            problem,
        };
        let mut setup = self.setup.clone();
        for (profile, iccid) in setup.profiles.iter_mut().zip(&row.iccids) {
            profile.iccid = *iccid;
        }
        // Each card has random numbers of its own, the same ones in every run with this seed.
        let seed = row.eid.0.iter().fold(self.seed, |s, &b| {
            s.wrapping_mul(0x0100_0000_01B3) ^ u64::from(b)
        });
        let euicc = EuiccConfig::issue(row.eid, seed, &self.hierarchy, setup)
            .map_err(|e| fail(e.to_string()))?;
        let keys = self.definition.isd.scp03.test_keys.as_ref();
        let keys = keys.ok_or_else(|| fail("the card definition has no test keys".to_owned()))?;
        let isd_keys = cards::gp::KeySet::new(
            self.definition.isd.scp03.kvn,
            [keys.enc.bytes(), keys.mac.bytes(), keys.dek.bytes()],
        )
        .map_err(|e| fail(e.to_string()))?;
        VirtualCard::new(CardConfig {
            definition: self.definition.clone(),
            isd_keys,
            seed,
            euicc,
        })
        .map_err(|e| fail(e.to_string()))
    }
}

impl Station for VirtualStation {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let Some(row) = supply.choose()? else {
            return Ok(None);
        };
        let eid = row.eid.to_string();
        let file = self.file(&eid);
        let link = if file.exists() {
            self.open(&eid)?
        } else {
            std::fs::create_dir_all(&self.directory).map_err(|source| {
                PersonalizeError::Output {
                    path: self.directory.clone(),
                    source,
                }
            })?;
            VirtualLink::create(&format!("virtual card {eid}"), &file, self.make(row)?)?
        };
        Ok(Some(Presented {
            link: Box::new(link),
            expected: Some(eid),
        }))
    }
}
