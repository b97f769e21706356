//! Sizes of the card that the VM runs on, and what of them is in use.

use super::value::{InstanceId, PackageId};
use serde::{Deserialize, Serialize};

/// Memory of the card, in bytes unless said otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Non-volatile memory for packages and objects together.
    pub persistent: usize,
    /// RAM for CLEAR_ON_RESET arrays.
    pub transient_reset: usize,
    /// RAM for CLEAR_ON_DESELECT arrays.
    pub transient_deselect: usize,
    /// RAM for the frames of one thread (two bytes a cell, plus [`FRAME_BYTES`] a frame).
    pub stack: usize,
    /// Bytes that one transaction may log.
    pub commit: usize,
    /// Length of the APDU buffer (JCRE 9.3.1: at least 133; 261 holds a whole short command).
    pub apdu_buffer: usize,
    /// Packages may use the type `int` (JCVM 2.2.3.1).
    #[serde(default)]
    pub int: bool,
    /// Bytecode instructions that one command may take before [`super::Outcome::OutOfFuel`].
    pub fuel: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            persistent: 128 * 1024,
            transient_reset: 4096,
            transient_deselect: 2048,
            stack: 1024,
            commit: 2048,
            apdu_buffer: 261,
            int: true,
            fuel: 20_000_000,
        }
    }
}

/// Bytes that a frame takes besides its locals and operand stack.
pub const FRAME_BYTES: usize = 10;
/// Bytes that an object or array takes besides its fields or elements.
pub const OBJECT_BYTES: usize = 8;

/// What this VM charges, for budgets of packages that are not on a card yet.
pub const COSTS: applet_gen::cap::budget::Costs = applet_gen::cap::budget::Costs {
    frame: FRAME_BYTES as u32,
    object: OBJECT_BYTES as u32,
};

/// Memory in use, in bytes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Persistent objects by the applet instance that owns them.
    pub instances: Vec<(InstanceId, usize)>,
    /// Code and statics by package.
    pub packages: Vec<(PackageId, usize)>,
    /// Persistent bytes altogether.
    pub persistent: usize,
    /// CLEAR_ON_RESET arrays by instance.
    pub reset_by_instance: Vec<(InstanceId, usize)>,
    /// CLEAR_ON_DESELECT arrays by instance.
    pub deselect_by_instance: Vec<(InstanceId, usize)>,
    /// CLEAR_ON_RESET bytes altogether.
    pub transient_reset: usize,
    /// CLEAR_ON_DESELECT bytes altogether.
    pub transient_deselect: usize,
    /// Deepest stack of any thread so far.
    pub max_stack: usize,
}
