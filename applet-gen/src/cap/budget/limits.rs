//! A budget against what a card has.

use std::fmt;

use serde::Serialize;

use super::{Allocation, Budget, Memory, Storage};

/// The kinds of memory that a card may have too little of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Resource {
    /// Non-volatile memory.
    Persistent,
    /// CLEAR_ON_RESET memory.
    Reset,
    /// CLEAR_ON_DESELECT memory.
    Deselect,
    /// Stack of a thread.
    Stack,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Resource::Persistent => "persistent memory",
            Resource::Reset => "transient memory, cleared at reset",
            Resource::Deselect => "transient memory, cleared at deselection",
            Resource::Stack => "stack",
        })
    }
}

/// Contributors that are named.
const NAMED: usize = 3;

/// What a card has for a package and an instance of its first applet, in bytes; `None`: not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Non-volatile memory.
    pub persistent: Option<u64>,
    /// CLEAR_ON_RESET memory.
    pub reset: Option<u64>,
    /// CLEAR_ON_DESELECT memory.
    pub deselect: Option<u64>,
    /// Stack of a thread.
    pub stack: Option<u64>,
}

/// Memory of which there is too little.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// Which memory.
    pub what: Resource,
    /// Bytes that the package and an instance need.
    pub needed: u64,
    /// Bytes that are there.
    pub available: u64,
    /// What takes most of it, the largest first.
    pub largest: Vec<String>,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} bytes are needed, {} are there",
            self.what, self.needed, self.available
        )?;
        if !self.largest.is_empty() {
            write!(f, " (largest: {})", self.largest.join("; "))?;
        }
        Ok(())
    }
}

impl Budget {
    /// Where a card has too little. The package counts with `load_file` bytes, what a card without a
    /// linker of its own keeps of it.
    pub fn shortages(&self, load_file: usize, limits: &Limits) -> Vec<Shortage> {
        let memory = self.instances.first().map(|instance| &instance.memory);
        let of = |get: fn(&Memory) -> u32| u64::from(memory.map_or(0, get));
        let package = (load_file + self.static_arrays) as u64;
        let rows = [
            (
                Resource::Persistent,
                package + of(|memory| memory.persistent),
                limits.persistent,
            ),
            (Resource::Reset, of(|m| m.reset), limits.reset),
            (Resource::Deselect, of(|m| m.deselect), limits.deselect),
            (Resource::Stack, self.stack().into(), limits.stack),
        ];
        let short = |(what, needed, available): (Resource, u64, Option<u64>)| {
            let available = available.filter(|available| needed > *available)?;
            Some(Shortage {
                what,
                needed,
                available,
                largest: self.largest(what),
            })
        };
        rows.into_iter().filter_map(short).collect()
    }

    fn largest(&self, what: Resource) -> Vec<String> {
        let mut found: Vec<(u64, String)> = Vec::new();
        let mut places = |bytes: fn(&Allocation) -> Option<u32>, of: fn(Storage) -> bool| {
            for place in self.allocations.iter().filter(|place| of(place.storage)) {
                let bytes = u64::from(bytes(place).unwrap_or(0)) * place.install.count();
                found.push((bytes, format!("{} in {}", place.what, place.method)));
            }
        };
        match what {
            Resource::Stack => {
                let path = self.entry_points.first().map(|entry| &entry.path);
                let frames = path.into_iter().flatten();
                found.extend(frames.map(|f| (f.bytes.into(), f.method.clone())));
            }
            Resource::Persistent => {
                places(|place| place.persistent, |_| true);
                let methods = self.code.iter();
                found.extend(methods.map(|m| (m.bytes as u64, format!("code of {}", m.method))));
            }
            Resource::Reset => {
                places(|place| place.transient, |storage| storage == Storage::Reset);
            }
            Resource::Deselect => places(
                |place| place.transient,
                |storage| storage == Storage::Deselect,
            ),
        }
        found.sort_by(|a, b| b.0.cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        let named = found
            .into_iter()
            .filter(|(bytes, _)| *bytes > 0)
            .take(NAMED);
        named
            .map(|(bytes, what)| format!("{what} {bytes}"))
            .collect()
    }
}
