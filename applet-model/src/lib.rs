//! The reference model of the IPAe applet: what the applet does, with no I/O.
//!
//! Here live the state machine as one table, the applet's APDU commands as one table, status
//! words, COMPREHENSION-TLV and proactive commands (ETSI TS 102 223), the SGP.22/SGP.32 data
//! objects and the IPA procedures. Sockets, readers, clocks, threads and randomness never do:
//! all of these are inputs and outputs.

pub mod aid;
pub mod apdu;
pub mod atr;
pub mod cat;
pub mod commands;
pub mod config;
pub mod lockstep;
pub mod machine;
pub mod readout;
pub mod sgp;
pub mod status;
pub mod tlv;
pub mod trace;
