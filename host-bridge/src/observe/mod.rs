//! Any package on a fresh virtual card: loaded, installed, sent commands, watched.
//!
//! `session` is the card and what is done with it, `flame` draws a profile. What is seen inside the VM
//! is [`cards::observe`]'s; cards of an order and their eIM are not here.

pub mod flame;
mod session;

pub use session::{Exchange, Installed, Proactive, Session, SessionError, load_order};
