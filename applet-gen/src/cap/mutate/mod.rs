//! Mutants: a CAP changed in one place, for campaigns against parser, verifier and virtual machine.
//!
//! A mutant is made from a seed and is the same whenever it is made again. Three kinds: one field of
//! one component is changed, and what depends on it by size is written anew (`field`); one instruction
//! is replaced, inserted or deleted, and every offset that this moves is put right (`code`); one byte
//! of one component is changed and nothing else, so that lengths and counts lie.

mod code;
mod field;

#[cfg(test)]
pub(super) use code::splice;

use std::collections::BTreeMap;

use super::{Cap, CapError, ComponentTag};
use applet_model::machine::random::Random;

/// One CAP with one change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutant {
    /// What was changed, in words.
    pub change: String,
    /// The components by tag, each without tag and size.
    pub components: BTreeMap<u8, Vec<u8>>,
}

impl Mutant {
    /// Reads it as a CAP.
    ///
    /// # Errors
    /// [`CapError`], as a card or a verifier would find it.
    pub fn cap(&self) -> Result<Cap, CapError> {
        Cap::from_components(&self.components)
    }

    /// The components as GlobalPlatform's LOAD has them, Descriptor included.
    #[must_use]
    pub fn load_file(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for tag in ComponentTag::LOAD_ORDER {
            if let Some(info) = self.components.get(&(tag as u8)) {
                bytes.push(tag as u8);
                let size = u16::try_from(info.len()).unwrap_or(u16::MAX);
                bytes.extend_from_slice(&size.to_be_bytes());
                bytes.extend_from_slice(info);
            }
        }
        bytes
    }
}

/// Makes mutants of one CAP.
#[derive(Debug, Clone)]
pub struct Mutator {
    cap: Cap,
    components: BTreeMap<u8, Vec<u8>>,
    /// The CAP as a tree, whose leaves are its fields.
    tree: serde_json::Value,
}

impl Mutator {
    /// Makes mutants of this CAP, which keeps its Descriptor and loses its Debug component.
    ///
    /// # Errors
    /// [`CapError`] if the CAP can't be written.
    pub fn new(cap: &Cap) -> Result<Self, CapError> {
        let mut cap = cap.clone();
        cap.debug = None;
        cap.directory = cap.compute_directory()?;
        let tree = serde_json::to_value(&cap).map_err(|error| CapError::Jar(error.to_string()))?;
        Ok(Mutator {
            components: components(&cap)?,
            cap,
            tree,
        })
    }

    /// The mutant of this seed.
    #[must_use]
    pub fn mutant(&self, seed: u64) -> Mutant {
        let mut random = Random::new(seed);
        // Some draws lead nowhere (a value that no field can have, a branch that grows too long).
        for _ in 0..64 {
            let made = match random.below(20) {
                0..7 => field::change(&self.tree, &mut random),
                7..17 => code::change(&self.cap, &mut random),
                _ => break,
            };
            if let Some((change, cap)) = made
                && let Ok(components) = components(&cap)
                && components != self.components
            {
                return Mutant { change, components };
            }
        }
        self.one_byte(&mut random)
    }

    fn one_byte(&self, random: &mut Random) -> Mutant {
        let mut components = self.components.clone();
        let index = random.below(components.len());
        let mut change = String::new();
        if let Some((tag, info)) = components.iter_mut().nth(index) {
            let at = random.below(info.len());
            if let Some(byte) = info.get_mut(at) {
                let old = *byte;
                *byte = other_byte(random, old);
                let name = ComponentTag::from_u8(*tag).map(|tag| tag.to_string());
                let name = name.unwrap_or_else(|| tag.to_string());
                change = format!("{name}, byte {at:#06x}: {old:#04x} to {byte:#04x}");
            }
        }
        Mutant { change, components }
    }
}

fn components(cap: &Cap) -> Result<BTreeMap<u8, Vec<u8>>, CapError> {
    let mut components = BTreeMap::new();
    for tag in ComponentTag::LOAD_ORDER {
        // The whole component, to have its size checked.
        if cap.component(tag)?.is_some()
            && let Some(info) = cap.info(tag)?
        {
            components.insert(tag as u8, info);
        }
    }
    Ok(components)
}

/// Another byte than `old`: near it, one bit away, or any.
fn other_byte(random: &mut Random, old: u8) -> u8 {
    let new = match random.below(5) {
        0 => old.wrapping_add(1),
        1 => old.wrapping_sub(1),
        2 => old ^ (1 << random.below(8)),
        _ => random.byte(),
    };
    if new == old { old ^ 1 } else { new }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::packages;
    use crate::cap::sample;
    use crate::cap::verify::verify;
    use std::collections::BTreeSet;

    #[test]
    fn a_seed_makes_the_same_mutant_always_and_another_seed_another() {
        let mutator = Mutator::new(&sample::cap()).unwrap();
        let mutants: Vec<Mutant> = (0..200).map(|seed| mutator.mutant(seed)).collect();
        assert_eq!(mutants[7], mutator.mutant(7));
        let different: BTreeSet<_> = mutants.iter().map(|one| &one.components).collect();
        assert!(different.len() > 150, "{}", different.len());
        assert!(
            mutants
                .iter()
                .all(|one| one.components != mutator.components)
        );
    }

    #[test]
    fn an_instruction_that_does_nothing_can_be_put_anywhere() {
        // Offsets, branches, handlers and reference locations follow: the CAP is as good as before.
        let cap = sample::cap();
        for method in cap.methods().unwrap() {
            for instruction in crate::cap::decode::decode_all(&method.code).unwrap() {
                let nop = [crate::cap::opcode::code::NOP];
                let changed = splice(&cap, &method, instruction.at, 0, &nop).unwrap();
                let verdict = verify(&changed, packages());
                assert_eq!(verdict.findings, [], "{:#06x}", instruction.at);
                assert_eq!(changed.method.end(), cap.method.end() + 1);
            }
        }
    }

    #[test]
    fn mutants_are_parsed_and_verified_without_panic_and_most_are_refused() {
        let mutator = Mutator::new(&sample::cap()).unwrap();
        let good = (0..3000)
            .filter(|seed| {
                let cap = mutator.mutant(*seed).cap();
                cap.is_ok_and(|cap| verify(&cap, packages()).is_verified())
            })
            .count();
        assert!((1..1000).contains(&good), "{good}");
    }
}
