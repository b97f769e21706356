//! What comes of watching the VM: counts by method, traces, breakpoints, the predicted time of a card.
//!
//! Here live observers ([`crate::vm::Observer`]) and what is computed from what they saw. No I/O: who
//! loads, runs and prints is the host's business.

mod class;
mod cost;
mod counts;
mod names;
mod profile;
mod trace;

#[cfg(test)]
mod tests;

pub use class::Class;
pub use cost::{Apdus, Time};
pub use counts::{Counts, Crypto, Operation};
pub use names::{Line, Names};
pub use profile::{MethodRow, Profile, Stack};
pub use trace::{Break, Entry, Filter, Thrown, Tracer};

use crate::vm::{Event, Observer};
use std::sync::{Arc, Mutex, PoisonError};

/// An observer that the card has and whoever started it looks into.
pub struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Shared(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    /// Takes an observer.
    pub fn new(observer: T) -> Self {
        Shared(Arc::new(Mutex::new(observer)))
    }

    /// Looks into it, or changes it.
    pub fn with<R>(&self, act: impl FnOnce(&mut T) -> R) -> R {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl<T: Observer> Observer for Shared<T> {
    fn event(&mut self, event: &Event<'_>) {
        self.with(|observer| observer.event(event));
    }
}
