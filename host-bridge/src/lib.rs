//! Drives cards, real and virtual: readers, terminal, personalization, lab eIM, reports. Holds the ipae binary.

pub mod campaign;
mod database;
pub mod eim;
pub mod exit;
mod files;
pub mod gp;
pub mod journal;
pub mod keys;
pub mod link_bench;
pub mod mutation;
pub mod observe;
pub mod operator;
pub mod order;
pub mod personalize;
pub mod play;
pub mod probe;
pub mod report;
pub mod scenario;
pub mod smdp;
pub mod survey;
pub mod terminal;
pub mod transport;
pub mod vm_bench;
mod web;
