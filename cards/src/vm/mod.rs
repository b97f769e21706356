//! A Java Card VM for classic CAP files (JCVM 3.0.4 without `int`): heap, firewall, transactions,
//! interpreter, and the natives of `java.lang`, `javacard.framework`, `javacard.security` and
//! `javacardx.crypto`. Everything is a plain value; a native method of the card may suspend a thread,
//! and the host keeps no stack meanwhile.
//!
//! What doesn't live here: GlobalPlatform, logical channels, the toolkit framework, files. They reach
//! the VM through [`Vm`] and serve it through [`Host`].

mod apdu;
mod api;
mod arrays;
mod classes;
mod code;
mod crypto;
mod elements;
mod error;
mod exec;
mod fields;
mod firewall;
mod heap;
mod host;
mod interp;
mod invoke;
mod limits;
mod link;
mod lower;
mod memory;
mod native_state;
mod natives;
mod observer;
mod packages;
mod platform;
mod state;
mod thread;
mod tx;
mod value;
#[expect(
    clippy::module_inception,
    reason = "the room's main piece of furniture"
)]
mod vm;

#[cfg(test)]
mod tests;

pub use apdu::ApduState;
pub use api::api_class_name;
pub use error::{DeleteError, Fault, LoadError, Throw, Trap, VmError, system};
pub use heap::{Access, Storage};
pub use host::{Host, NativeCall};
pub use limits::{COSTS, FRAME_BYTES, Limits, OBJECT_BYTES, Usage};
pub(crate) use observer::Slot;
pub use observer::{Event, Made, Observer, Place};
pub use platform::Platform;
pub use state::{Instance, Mode};
pub use thread::{Outcome, Resume, Thread};
pub use value::{ClassRef, Context, InstanceId, Owner, PackageId, Ref, Value};
pub use vm::Vm;
