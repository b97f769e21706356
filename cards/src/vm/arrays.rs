//! Arrays as natives and the card reach them.

use super::error::{Fault, Throw, VmError, system};
use super::heap::{Kind, Object, Storage};
use super::host::Host;
use super::tx::Undo;
use super::value::{Owner, Ref};
use super::vm::Vm;
use std::ops::Range;

/// Bytes that a non-atomic copy writes at a time: a page of a small flash.
const PAGE: usize = 32;

fn no_bytes(object: &Object) -> VmError {
    VmError::Type {
        expected: "an array of byte".into(),
        found: object.kind.describe().into(),
    }
}

/// `offset` and `length` as a range inside `size`.
pub(crate) fn range(offset: i16, length: i16, size: usize) -> Result<Range<usize>, Fault> {
    let (Ok(start), Ok(length)) = (usize::try_from(offset), usize::try_from(length)) else {
        return Err(Throw::bounds().into());
    };
    let end = start + length;
    if end > size {
        return Err(Throw::bounds().into());
    }
    Ok(start..end)
}

impl Vm {
    /// A byte or boolean array for the runtime, without firewall.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn bytes(&self, array: Ref) -> Result<&[u8], VmError> {
        let object = self.s.heap.get(array)?;
        match &object.kind {
            Kind::Bytes { data, .. } => Ok(data),
            _ => Err(no_bytes(object)),
        }
    }

    /// The same for writing, without counting a persistent write: only for the runtime's own arrays.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn bytes_mut(&mut self, array: Ref) -> Result<&mut [u8], VmError> {
        let object = self.s.heap.get_mut(array)?;
        match &mut object.kind {
            Kind::Bytes { data, .. } => Ok(data),
            other => Err(VmError::Type {
                expected: "an array of byte".into(),
                found: other.describe().into(),
            }),
        }
    }

    /// `length` bytes of an array from `offset` as a native method reads them for its caller.
    ///
    /// # Errors
    /// NullPointerException, SecurityException, ArrayIndexOutOfBoundsException as the API says.
    pub fn read(
        &self,
        caller: Owner,
        array: Ref,
        offset: i16,
        length: i16,
    ) -> Result<&[u8], Fault> {
        let object = self.accessible(caller, array)?;
        let Kind::Bytes { data, .. } = &object.kind else {
            return Err(no_bytes(object).into());
        };
        let at = range(offset, length, data.len())?;
        Ok(data.get(at).unwrap_or(&[]))
    }

    /// The same for an array of shorts.
    ///
    /// # Errors
    /// As [`Vm::read`].
    pub fn read_shorts(
        &self,
        caller: Owner,
        array: Ref,
        offset: i16,
        length: i16,
    ) -> Result<&[i16], Fault> {
        let object = self.accessible(caller, array)?;
        let Kind::Shorts(data) = &object.kind else {
            return Err(VmError::Type {
                expected: "an array of shorts".into(),
                found: format!("object {}", array.0),
            }
            .into());
        };
        let at = range(offset, length, data.len())?;
        Ok(data.get(at).unwrap_or(&[]))
    }

    /// Checks that a native method may write `length` bytes from `offset` for its caller.
    ///
    /// # Errors
    /// As [`Vm::write`], without the writing.
    pub fn writable(
        &self,
        caller: Owner,
        array: Ref,
        offset: i16,
        length: usize,
    ) -> Result<(), Fault> {
        let length = i16::try_from(length).map_err(|_| Throw::bounds())?;
        self.read(caller, array, offset, length).map(|_| ())
    }

    /// Stores bytes into an array as a native method does for its caller: firewall, bounds, the open
    /// transaction, and one persistent write if the array is persistent and no transaction is open.
    ///
    /// # Errors
    /// NullPointerException, SecurityException, ArrayIndexOutOfBoundsException,
    /// TransactionException.BUFFER_FULL, [`Fault::PowerCut`].
    pub fn write(
        &mut self,
        host: &mut dyn Host,
        caller: Owner,
        array: Ref,
        offset: i16,
        data: &[u8],
    ) -> Result<(), Fault> {
        self.writable(caller, array, offset, data.len())?;
        let at = usize::try_from(offset).map_err(|_| Throw::bounds())?;
        if data.is_empty() {
            return Ok(());
        }
        let object = self.s.heap.get(array)?;
        if object.storage == Storage::Persistent {
            let context = object.owner.context;
            let old = self
                .bytes(array)?
                .get(at..at + data.len())
                .unwrap_or(&[])
                .to_vec();
            let at = u16::try_from(at).map_err(|_| Throw::bounds())?;
            self.before_write(host, context, Undo::Bytes { array, at, old })?;
        }
        self.put_bytes(array, at, data)
    }

    /// The same, outside any transaction, page by page: a power cut may leave a part written.
    pub(crate) fn write_non_atomic(
        &mut self,
        host: &mut dyn Host,
        caller: Owner,
        array: Ref,
        offset: i16,
        data: &[u8],
    ) -> Result<(), Fault> {
        self.writable(caller, array, offset, data.len())?;
        let mut at = usize::try_from(offset).map_err(|_| Throw::bounds())?;
        let object = self.s.heap.get(array)?;
        let (context, persistent) = (object.owner.context, object.storage == Storage::Persistent);
        for page in data.chunks(PAGE) {
            if persistent {
                self.write_now(host, context, page.len())?;
            }
            self.put_bytes(array, at, page)?;
            at += page.len();
        }
        Ok(())
    }

    fn put_bytes(&mut self, array: Ref, at: usize, data: &[u8]) -> Result<(), Fault> {
        let slot = self
            .bytes_mut(array)?
            .get_mut(at..at + data.len())
            .ok_or_else(Throw::bounds)?;
        slot.copy_from_slice(data);
        Ok(())
    }

    /// The same for an array of shorts.
    ///
    /// # Errors
    /// As [`Vm::write`].
    pub fn write_shorts(
        &mut self,
        host: &mut dyn Host,
        caller: Owner,
        array: Ref,
        offset: i16,
        values: &[i16],
    ) -> Result<(), Fault> {
        let length = i16::try_from(values.len()).map_err(|_| Throw::bounds())?;
        let old = self.read_shorts(caller, array, offset, length)?.to_vec();
        let object = self.s.heap.get(array)?;
        let (context, persistent) = (object.owner.context, object.storage == Storage::Persistent);
        if !persistent && values.is_empty() {
            return Ok(());
        }
        for (i, (value, old)) in values.iter().zip(old).enumerate() {
            let at = usize::try_from(offset).unwrap_or(0) + i;
            if persistent {
                let at = u16::try_from(at).map_err(|_| Throw::bounds())?;
                self.before_write(host, context, Undo::Short { array, at, old })?;
            }
            if let Kind::Shorts(data) = &mut self.s.heap.get_mut(array)?.kind
                && let Some(slot) = data.get_mut(at)
            {
                *slot = *value;
            }
        }
        Ok(())
    }

    /// A byte array for an applet, made by the card on its behalf: cleared when its storage says.
    ///
    /// # Errors
    /// SystemException.ILLEGAL_TRANSIENT, NO_TRANSIENT_SPACE, NO_RESOURCE; [`Fault::PowerCut`].
    pub fn new_bytes(
        &mut self,
        host: &mut dyn Host,
        owner: Owner,
        storage: Storage,
        length: usize,
    ) -> Result<Ref, Fault> {
        if storage == Storage::Deselect && !self.has_deselect_memory(owner) {
            return Err(Throw::system(system::ILLEGAL_TRANSIENT).into());
        }
        let kind = Kind::Bytes {
            boolean: false,
            data: vec![0; length].into(),
        };
        self.allocate(host, owner, storage, kind)
    }

    /// Length of any array, or an error if it isn't one.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn array_length(&self, array: Ref) -> Result<usize, VmError> {
        let kind = &self.s.heap.get(array)?.kind;
        kind.length().ok_or_else(|| VmError::Type {
            expected: "an array".into(),
            found: kind.describe().into(),
        })
    }
}
