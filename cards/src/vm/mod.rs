//! A Java Card VM for classic CAP files (JCVM 3.0.4 without `int`): heap, firewall, transactions,
//! interpreter, and the natives of `java.lang`, `javacard.framework`, `javacard.security` and
//! `javacardx.crypto`. Everything is a plain value; a native method of the card may suspend a thread,
//! and the host keeps no stack meanwhile.
//!
//! What doesn't live here: GlobalPlatform, logical channels, the toolkit framework, files. They reach
//! the VM through [`Vm`] and serve it through [`Host`].

#![allow(dead_code, unused_imports)] // until the interpreter is in

mod apdu;
mod error;
mod heap;
mod host;
mod limits;
mod native_state;
mod thread;
mod value;
#[allow(clippy::module_inception)]
mod vm;

pub use apdu::ApduState;
pub use error::{Fault, LoadError, Throw, VmError, system};
pub use heap::{Access, Object, Storage};
pub use host::{Host, NativeCall};
pub use limits::{FRAME_BYTES, Limits, OBJECT_BYTES, Usage};
pub use thread::{Outcome, Resume, Thread};
pub use value::{ClassRef, Context, InstanceId, Owner, PackageId, Ref, Value};
pub use vm::{DeleteError, Instance, Vm};
