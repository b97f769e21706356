//! What people and machines beside a station see of its work.
//!
//! [`Screen`] is a station as its operator sees it: a fold over the run's events that nothing else
//! changes, drawn by [`draw()`] at any size. [`stream`] writes the same events as lines of JSON for a
//! line controller. None of them sees a key.

mod draw;
mod screen;
pub mod stream;

pub use draw::draw;
pub use screen::{Phase, Reader, Screen, Why};

#[cfg(test)]
mod tests;
