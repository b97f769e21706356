//! Turns the model into Java Card build artifacts and SCP03 load scripts.

pub mod api;
pub mod build;
pub mod cap;
pub mod classfile;
pub mod collect;
pub mod convert;
pub mod exp;
pub mod gp;
pub mod java;
pub mod javac;
pub mod script;
