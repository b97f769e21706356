//! What a card offers to applets: versions of the API packages, algorithms, curves.

use super::vm::Vm;
use crate::definition::{Algorithm, Curve, Definition};
use applet_gen::api;
use serde::{Deserialize, Serialize};

/// What a card offers to applets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Platform {
    /// API packages by AID with major and minor version.
    packages: Vec<(Vec<u8>, u8, u8)>,
    algorithms: Vec<Algorithm>,
    pub(crate) curves: Vec<Curve>,
}

impl Platform {
    /// Everything that there is, in its newest version, but the packages of these AIDs.
    #[must_use]
    pub fn newest(without: &[Vec<u8>]) -> Platform {
        let packages = api::newest()
            .iter()
            .filter(|package| !without.contains(&package.aid))
            .map(|package| (package.aid.clone(), package.major, package.minor));
        Platform {
            packages: packages.collect(),
            algorithms: Algorithm::ALL.to_vec(),
            curves: Curve::ALL.to_vec(),
        }
    }

    /// What a definition says.
    #[must_use]
    pub fn of(definition: &Definition) -> Platform {
        let java_card = &definition.java_card;
        let packages = java_card.packages.iter();
        Platform {
            packages: packages
                .map(|package| (package.aid.bytes().to_vec(), package.major, package.minor))
                .collect(),
            algorithms: java_card.algorithms.clone(),
            curves: java_card.curves.clone(),
        }
    }

    /// The card's version of an API package, major and minor.
    pub(crate) fn version(&self, aid: &[u8]) -> Option<(u8, u8)> {
        let found = self.packages.iter().find(|package| package.0 == aid);
        found.map(|package| (package.1, package.2))
    }

    /// The versions of all packages as bytes: equal if the versions are.
    pub(crate) fn versions(&self) -> Vec<u8> {
        let packages = self.packages.iter();
        packages
            .flat_map(|(aid, major, minor)| {
                [&[aid.len() as u8], &aid[..], &[*major, *minor]].concat()
            })
            .collect()
    }

    /// True if the card has the package in a version that is not before this minor one.
    pub(crate) fn has(&self, aid: &[u8], minor: u8) -> bool {
        self.version(aid).is_some_and(|(_, has)| has >= minor)
    }
}

impl Vm {
    /// What the card offers.
    pub(crate) fn platform(&self) -> &Platform {
        &self.s.platform
    }

    /// True if applets can use the algorithm.
    pub(crate) fn offers(&self, algorithm: Algorithm) -> bool {
        self.s.platform.algorithms.contains(&algorithm)
    }
}
