//! The `ipae` binary as its users meet it: help, bad input, being killed, stations that share an order,
//! cards behind a real PC/SC stack.

mod bad_input;
mod card_info;
mod card_manage;
mod convert;
#[cfg(unix)]
mod disk;
#[cfg(unix)]
mod eim_load;
mod help;
mod hsm;
mod jobs;
mod keys;
mod killed;
mod killed_at_steps;
mod many;
mod pcsc;
mod postgres;
mod probe;
mod queue;
mod scripts;
mod stream;
mod support;
mod vm;
