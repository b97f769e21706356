//! Transactions and persistent writes (JCRE 7).
//!
//! A transaction changes objects in place and keeps what was there in an undo log; a write outside a
//! transaction is announced to the power supply before it is applied.

use super::error::{Fault, Throw};
use super::fields::put_cells;
use super::heap::Kind;
use super::host::Host;
use super::interp::tell;
use super::native_state::NativeState;
use super::observer::Event;
use super::thread::Thread;
use super::value::{Context, PackageId, Ref, Value};
use super::vm::Vm;
use serde::{Deserialize, Serialize};

/// Reasons of `TransactionException`.
pub(crate) mod reason {
    pub const IN_PROGRESS: i16 = 1;
    pub const NOT_IN_PROGRESS: i16 = 2;
    pub const BUFFER_FULL: i16 = 3;
}

/// Bytes that the log takes for each entry besides the old contents.
const ENTRY_BYTES: usize = 4;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Transaction {
    log: Vec<Undo>,
    bytes: usize,
    /// Contexts whose data the transaction has changed.
    contexts: Vec<Context>,
}

/// What brings the old state back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Undo {
    /// One cell of an object, or the two of an `int`; what isn't [`Value::Unset`] is put back.
    Cells {
        object: Ref,
        index: u16,
        old: [Value; 2],
    },
    Bytes {
        array: Ref,
        at: u16,
        old: Vec<u8>,
    },
    Short {
        array: Ref,
        at: u16,
        old: i16,
    },
    Int {
        array: Ref,
        at: u16,
        old: i32,
    },
    Element {
        array: Ref,
        at: u16,
        old: Ref,
    },
    StaticRef {
        package: PackageId,
        index: u16,
        old: Ref,
    },
    StaticBytes {
        package: PackageId,
        at: u16,
        old: Vec<u8>,
    },
    Native {
        object: Ref,
        old: Box<NativeState>,
    },
    Created {
        object: Ref,
    },
}

impl Undo {
    /// Bytes of contents that it brings back.
    fn bytes(&self) -> usize {
        match self {
            Undo::Bytes { old, .. } | Undo::StaticBytes { old, .. } => old.len(),
            Undo::Native { old, .. } => old.size(),
            Undo::Created { .. } => 0,
            Undo::Int { .. } => 4,
            Undo::Cells { old, .. } if old[1] != Value::Unset => 4,
            _ => 2,
        }
    }

    fn cost(&self) -> usize {
        ENTRY_BYTES + self.bytes()
    }
}

fn exception(reason: i16) -> Fault {
    Throw::new("javacard/framework/TransactionException", reason).into()
}

impl Vm {
    /// To be called before a persistent change is applied: logs the old state if a transaction is
    /// open, counts a write otherwise.
    pub(crate) fn before_write(
        &mut self,
        host: &mut dyn Host,
        context: Context,
        undo: Undo,
    ) -> Result<(), Fault> {
        let capacity = self.s.limits.commit;
        if let Some(tx) = &mut self.s.transaction {
            let bytes = tx.bytes + undo.cost();
            if bytes > capacity {
                return Err(exception(reason::BUFFER_FULL));
            }
            tx.bytes = bytes;
            tx.log.push(undo);
            if !tx.contexts.contains(&context) {
                tx.contexts.push(context);
            }
            return Ok(());
        }
        self.write_now(host, context, undo.bytes())
    }

    /// One persistent write of `bytes` outside any transaction (OwnerPIN's try counter, non-atomic copies).
    pub(crate) fn write_now(
        &mut self,
        host: &mut dyn Host,
        context: Context,
        bytes: usize,
    ) -> Result<(), Fault> {
        host.nvm().commit()?;
        let context_of = Some(context);
        tell(
            host,
            &Event::Written {
                bytes,
                context: context_of,
            },
        );
        host.on_commit(context);
        Ok(())
    }

    pub(crate) fn begin_transaction(&mut self, host: &mut dyn Host) -> Result<(), Fault> {
        if self.s.transaction.is_some() {
            return Err(exception(reason::IN_PROGRESS));
        }
        self.s.transaction = Some(Transaction::default());
        tell(host, &Event::Began);
        Ok(())
    }

    pub(crate) fn commit_transaction(&mut self, host: &mut dyn Host) -> Result<(), Fault> {
        let Some(tx) = &self.s.transaction else {
            return Err(exception(reason::NOT_IN_PROGRESS));
        };
        // A transaction that changed nothing costs nothing.
        if !tx.log.is_empty() {
            host.nvm().commit()?;
        }
        if let Some(tx) = self.s.transaction.take() {
            let bytes = tx.log.iter().map(Undo::bytes).sum();
            let context = None;
            tell(host, &Event::Written { bytes, context });
            for context in tx.contexts {
                host.on_commit(context);
            }
        }
        Ok(())
    }

    /// `JCSystem.abortTransaction`. Gives the objects that were made in the transaction and are gone.
    pub(crate) fn abort_transaction(&mut self, host: &mut dyn Host) -> Result<Vec<Ref>, Fault> {
        if self.s.transaction.is_none() {
            return Err(exception(reason::NOT_IN_PROGRESS));
        }
        Ok(self.give_up(host))
    }

    /// The same as [`Vm::roll_back`], told to the observer.
    pub(crate) fn give_up(&mut self, host: &mut dyn Host) -> Vec<Ref> {
        if let Some(tx) = &self.s.transaction {
            tell(host, &Event::Aborted { bytes: tx.bytes });
        }
        self.roll_back()
    }

    /// Aborts the transaction that a suspended thread has open, if it has one.
    pub fn abort_of(&mut self, thread: &mut Thread, host: &mut dyn Host) {
        let gone = self.give_up(host);
        Vm::forget_in(thread, &gone);
    }

    /// Undoes the open transaction, if there is one; gives the objects that are gone.
    pub(crate) fn roll_back(&mut self) -> Vec<Ref> {
        let Some(tx) = self.s.transaction.take() else {
            return Vec::new();
        };
        let mut gone = Vec::new();
        for undo in tx.log.into_iter().rev() {
            if let Undo::Created { object } = undo {
                gone.push(object);
            } else {
                self.undo(undo);
            }
        }
        self.forget(&gone);
        gone
    }

    /// Bytes that the open transaction may still log.
    pub(crate) fn unused_commit_capacity(&self) -> usize {
        let used = self.s.transaction.as_ref().map_or(0, |tx| tx.bytes);
        self.s.limits.commit.saturating_sub(used)
    }

    fn undo(&mut self, undo: Undo) {
        match undo {
            Undo::StaticRef {
                package,
                index,
                old,
            } => {
                if let Some(slot) = self.static_ref_mut(package, index) {
                    *slot = old;
                }
            }
            Undo::StaticBytes { package, at, old } => {
                let data = self
                    .s
                    .packages
                    .get_mut(&package)
                    .map(|p| &mut p.static_data);
                if let Some(data) = data {
                    overwrite(data, at.into(), &old);
                }
            }
            Undo::Cells { object, index, old } => {
                if let Some(Kind::Instance { fields, .. }) = self.kind_mut(object) {
                    put_cells(fields, index, old);
                }
            }
            Undo::Bytes { array, at, old } => {
                if let Some(Kind::Bytes { data, .. }) = self.kind_mut(array) {
                    overwrite(data, at.into(), &old);
                }
            }
            Undo::Short { array, at, old } => {
                if let Some(Kind::Shorts(data)) = self.kind_mut(array) {
                    set(data, at, old);
                }
            }
            Undo::Int { array, at, old } => {
                if let Some(Kind::Ints(data)) = self.kind_mut(array) {
                    set(data, at, old);
                }
            }
            Undo::Element { array, at, old } => {
                if let Some(Kind::Refs { data, .. }) = self.kind_mut(array) {
                    set(data, at, old);
                }
            }
            Undo::Native { object, mut old } => {
                // A PIN's value is rolled back, but no abort gives back a try or a validation (API, OwnerPIN).
                if let (NativeState::Pin(old), Ok(NativeState::Pin(now))) =
                    (&mut *old, self.native_of(object))
                {
                    old.left = old.left.min(now.left);
                    old.validated = now.validated;
                }
                // An object that is gone needs no old state.
                let _ = self.s.heap.set_native(object, *old);
            }
            Undo::Created { .. } => {}
        }
    }

    fn kind_mut(&mut self, object: Ref) -> Option<&mut Kind> {
        self.s.heap.get_mut(object).ok().map(|o| &mut o.kind)
    }
}

fn set<T>(list: &mut [T], at: u16, value: T) {
    if let Some(slot) = list.get_mut(usize::from(at)) {
        *slot = value;
    }
}

fn overwrite(data: &mut [u8], at: usize, old: &[u8]) {
    if let Some(slot) = data.get_mut(at..at + old.len()) {
        slot.copy_from_slice(old);
    }
}
