//! The VM on real bytecode: the sources in `testdata/java`, through javac and the converter.

mod differential;
mod harness;
mod hostile;
mod int;
mod language;
mod observer;
mod runtime;
mod snippets;
mod storage;
mod wide;
