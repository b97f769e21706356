//! Sources in `testdata/java`, through javac and the converter.

mod good;
mod harness;
