//! Methods of the API packages that the VM implements itself: `java.lang`, `javacard.framework`,
//! `javacard.security`, `javacardx.crypto`. What isn't found here is the card's ([`Host::native`]).

mod aid;
mod apdu;
mod applet;
mod cipher;
mod digest;
mod exceptions;
mod jcsystem;
mod keys;
mod pin;
mod signature;
mod util;

use super::api::NativeMethod;
use super::error::{Fault, Throw, VmError};
use super::heap::Storage;
use super::host::Host;
use super::native_state::NativeState;
use super::thread::Thread;
use super::tx::Undo;
use super::value::{Owner, Ref, Value};
use super::vm::Vm;

/// A call of a native method.
pub(crate) struct Call<'a> {
    pub vm: &'a mut Vm,
    pub thread: &'a mut Thread,
    pub host: &'a mut dyn Host,
    pub method: &'static NativeMethod,
    /// Receiver; null for static methods.
    pub this: Ref,
    pub args: &'a [Value],
    pub caller: Owner,
}

pub(crate) type Answer = Result<Option<Value>, Fault>;
pub(crate) type NativeFn = fn(&mut Call<'_>) -> Answer;

/// The implementation of a method as the named class declares it.
pub(crate) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    let (package, name) = class.rsplit_once('/')?;
    if name.ends_with("Exception") || package == "java/lang" {
        return exceptions::find(method, descriptor);
    }
    match (package, name) {
        ("javacard/framework", "Applet") => applet::find(method, descriptor),
        ("javacard/framework", "APDU") => apdu::find(method, descriptor),
        ("javacard/framework", "JCSystem") => jcsystem::find(method, descriptor),
        ("javacard/framework", "Util") => util::find(method, descriptor),
        ("javacard/framework", "AID") => aid::find(method, descriptor),
        ("javacard/framework", "OwnerPIN" | "PIN" | "OwnerPINx" | "OwnerPINBuilder") => {
            pin::find(method, descriptor)
        }
        (
            "javacard/security",
            "MessageDigest" | "InitializedMessageDigest" | "RandomData" | "Checksum",
        ) => digest::find(name, method, descriptor),
        ("javacard/security", "Signature" | "KeyAgreement") => {
            signature::find(name, method, descriptor)
        }
        ("javacard/security", _) => keys::find(name, method, descriptor),
        ("javacardx/crypto", _) => cipher::find(name, method, descriptor),
        _ => None,
    }
}

/// A method that has nothing to do: constructors of classes without native state.
fn nothing(_: &mut Call<'_>) -> Answer {
    Ok(None)
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the shape of every native's result"
)]
fn short(v: i16) -> Answer {
    Ok(Some(Value::Short(v)))
}

fn boolean(v: bool) -> Answer {
    short(v.into())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "the shape of every native's result"
)]
fn reference(r: Ref) -> Answer {
    Ok(Some(Value::Ref(r)))
}

/// A number that doesn't fit a short is given as the largest.
fn clipped(v: usize) -> Answer {
    short(i16::try_from(v).unwrap_or(i16::MAX))
}

/// The low byte of a short: how the VM passes `byte` arguments.
fn low(v: i16) -> u8 {
    let [_, low] = v.to_be_bytes();
    low
}

impl Call<'_> {
    /// Argument `i` as a number. The kinds were checked when the method was called.
    fn short(&self, i: usize) -> Result<i16, Fault> {
        self.args
            .get(i)
            .and_then(|v| v.short())
            .ok_or_else(|| self.bad(i))
    }

    fn byte(&self, i: usize) -> Result<u8, Fault> {
        self.short(i).map(low)
    }

    fn reference(&self, i: usize) -> Result<Ref, Fault> {
        self.args
            .get(i)
            .and_then(|v| v.reference())
            .ok_or_else(|| self.bad(i))
    }

    fn bad(&self, i: usize) -> Fault {
        VmError::Native(self.method.full_name(), format!("no argument {i}")).into()
    }

    /// Bytes given by three arguments from `i` on: array, offset, length.
    fn bytes(&self, i: usize) -> Result<Vec<u8>, Fault> {
        let (array, offset) = (self.reference(i)?, self.short(i + 1)?);
        Ok(self
            .vm
            .read(self.caller, array, offset, self.short(i + 2)?)?
            .to_vec())
    }

    /// Stores `data` at the array and offset given by two arguments from `i` on.
    fn store(&mut self, i: usize, data: &[u8]) -> Result<(), Fault> {
        let (array, offset) = (self.reference(i)?, self.short(i + 1)?);
        self.vm.write(self.host, self.caller, array, offset, data)
    }

    /// Stores an output and returns its length.
    fn output(&mut self, i: usize, data: &[u8]) -> Answer {
        self.store(i, data)?;
        clipped(data.len())
    }

    fn state(&self) -> Result<&NativeState, Fault> {
        Ok(self.vm.native_of(self.this)?)
    }

    /// An argument whose contents the method uses: not null, and of the caller's context or open.
    fn usable(&self, r: Ref) -> Result<&NativeState, Fault> {
        self.vm.accessible(self.caller, r)?;
        Ok(self.vm.native_of(r)?)
    }

    /// Changes the persistent native part of an object: transaction or one write.
    fn set_state(&mut self, r: Ref, state: NativeState) -> Result<(), Fault> {
        let object = self.vm.object(r)?;
        if object.storage == Storage::Persistent {
            let context = object.owner.context;
            let old = Box::new(self.vm.native_of(r)?.clone());
            self.vm
                .before_write(self.host, context, Undo::Native { object: r, old })?;
        }
        Ok(self.vm.s.heap.set_native(r, state)?)
    }

    /// Changes working state that a real card keeps in RAM.
    fn set_volatile(&mut self, r: Ref, state: NativeState) -> Result<(), Fault> {
        Ok(self.vm.s.heap.set_native(r, state)?)
    }

    /// The object isn't what its class says: a constructor was not run.
    fn unconstructed(&self) -> Fault {
        Throw::null_pointer().into()
    }

    /// A new object of an API class, owned by the caller.
    fn make(&mut self, class: &str, native: NativeState) -> Result<Ref, Fault> {
        let class = self.vm.api_class(class)?;
        let kind = self.vm.blank(class, native);
        self.vm
            .allocate(self.host, self.caller, Storage::Persistent, kind)
    }
}
