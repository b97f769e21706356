//! Sources in `testdata/java`, through javac and the converter.

mod bad;
mod differential;
mod good;
mod harness;
mod int;
mod limits;
mod packages;
mod refused;
