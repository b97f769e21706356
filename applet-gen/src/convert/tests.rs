//! Sources in `testdata/java`, through javac and the converter.

mod bad;
mod good;
mod harness;
