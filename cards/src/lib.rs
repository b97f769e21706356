//! Card definitions and the virtual card: GlobalPlatform runtime, Java Card VM, toolkit framework, eUICC.

pub mod card;
pub mod channels;
pub mod definition;
pub mod euicc;
mod fileview;
pub mod fs;
pub mod gp;
pub mod naa;
pub mod observe;
pub mod pki;
pub mod power;
pub mod saip;
pub mod toolkit;
pub mod vm;
