//! GlobalPlatform: commands, secure channel, install parameters.
//!
//! Everything here is a pure function of its inputs: challenges and keys come from outside, APDUs
//! come out. Readers and card state live elsewhere; the virtual card's security domain uses the
//! card side of [`scp03`] and the decoders.

pub mod card_data;
pub mod command;
pub mod diversify;
pub mod explain;
pub mod load;
pub mod privilege;
pub mod put_key;
pub mod receipt;
pub mod registry;
pub mod scp03;
pub mod signature;
pub mod token;
pub mod uicc_params;
