//! Card definitions and the virtual card: GlobalPlatform runtime, Java Card VM, toolkit framework, eUICC.

pub mod definition;
pub mod euicc;
pub mod pki;
pub mod power;
pub mod vm;
