//! The `ipae` binary as its users meet it: help, bad input, being killed, cards behind a real PC/SC
//! stack.

mod bad_input;
mod card_info;
mod convert;
mod help;
mod killed;
mod pcsc;
mod scripts;
mod support;
mod vm;
