//! The VM on real bytecode: the sources in `testdata/java`, through javac and the converter.

mod harness;
mod language;
mod runtime;
mod storage;
