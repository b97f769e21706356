//! The budget as text.

use std::fmt;

use super::{Allocation, Budget, EntryPoint, Storage, Times};

/// Contributors that are named.
const NAMED: usize = 5;

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "on the card  {} bytes: code and tables, {} of static fields; {} in static arrays",
            self.package, self.static_image, self.static_arrays
        )?;
        for entry in &self.entry_points {
            writeln!(f, "stack        {entry}")?;
        }
        if let Some(deepest) = self.entry_points.first()
            && deepest.path.len() > 1
        {
            for frame in &deepest.path {
                writeln!(f, "  {:>6} bytes  {}", frame.bytes, frame.method)?;
            }
        }
        for circle in &self.recursion {
            writeln!(
                f,
                "recursion    {}: no bound for the stack",
                circle.join(" > ")
            )?;
        }
        for instance in &self.instances {
            let memory = &instance.memory;
            write!(
                f,
                "instance     {}: {} bytes persistent; transient {} until reset, {} until deselection",
                instance.applet, memory.persistent, memory.reset, memory.deselect
            )?;
            if memory.transient > 0 {
                write!(f, ", {} of a kind that is not known", memory.transient)?;
            }
            if memory.card_objects > 0 {
                write!(f, "; and {} objects of the API", memory.card_objects)?;
            }
            if memory.unknown > 0 {
                write!(
                    f,
                    "; at least: {} places of unknown size or number",
                    memory.unknown
                )?;
            }
            writeln!(f)?;
        }
        let mut places: Vec<&Allocation> = self
            .allocations
            .iter()
            .filter(|p| p.install != Times::Never)
            .collect();
        places.sort_by_key(|p| std::cmp::Reverse(p.weight()));
        for place in places.iter().take(NAMED) {
            writeln!(f, "  {place}")?;
        }
        if places.len() > NAMED {
            writeln!(f, "  and {} smaller ones", places.len() - NAMED)?;
        }
        let later: Vec<&Allocation> = self.allocations.iter().filter(|p| p.later).collect();
        if later.is_empty() {
            writeln!(f, "later        nothing is allocated after installation")?;
        } else {
            writeln!(
                f,
                "later        {} places allocate after installation: no bound but the card's",
                later.len()
            )?;
            for place in later.iter().take(NAMED) {
                writeln!(f, "  {place}")?;
            }
        }
        writeln!(f, "code         the largest methods:")?;
        for method in self.code.iter().take(NAMED) {
            writeln!(f, "  {:>6} bytes  {}", method.bytes, method.method)?;
        }
        for method in &self.unreachable {
            writeln!(f, "unreachable  {} ({} bytes)", method.method, method.bytes)?;
        }
        for why in &self.unfollowed {
            writeln!(f, "unknown      {why}")?;
        }
        Ok(())
    }
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = match self.path.len() {
            1 => "1 frame".to_owned(),
            n => format!("{n} frames"),
        };
        write!(f, "{}: {} bytes in {frames}", self.method, self.stack)?;
        if self.recursive {
            write!(f, ", more with each round of a recursion")?;
        }
        if self.leaves_package {
            write!(f, ", and what other packages' objects take")?;
        }
        Ok(())
    }
}

impl Allocation {
    /// Bytes of all times at installation together, for comparison.
    fn weight(&self) -> u64 {
        let each = u64::from(self.persistent.unwrap_or(0)) + u64::from(self.transient.unwrap_or(0));
        each * self.install.count()
    }
}

impl fmt::Display for Allocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = match (self.persistent, self.transient) {
            (Some(persistent), Some(transient)) => format!("{:>6} bytes", persistent + transient),
            _ => "     ? bytes".to_owned(),
        };
        let storage = match self.storage {
            Storage::Persistent => "persistent",
            Storage::Reset => "until reset",
            Storage::Deselect => "until deselection",
            Storage::Transient => "transient",
            Storage::Card => "of the API, its size is the card's",
        };
        write!(f, "{bytes}  {} ({storage}) in {}", self.what, self.method)?;
        match &self.line {
            Some(line) => write!(f, " ({line})")?,
            None => write!(f, " at {:#06x}", self.at)?,
        }
        match self.install {
            Times::AtMost(n) if n > 1 => write!(f, ", {n} times at most"),
            Times::Repeated => write!(f, ", in a loop"),
            _ => Ok(()),
        }
    }
}
