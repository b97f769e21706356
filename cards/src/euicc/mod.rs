//! The eUICC of the virtual card: ISD-R, ISD-Ps and ECASD as a plain value, with no I/O.

mod eid;
pub mod hexbytes;

pub use eid::{Eid, EidError};
