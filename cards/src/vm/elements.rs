//! Instructions on array elements and on types.

use super::api::Api;
use super::code::{Code, Kind, TypeTest};
use super::error::{Fault, Throw, VmError};
use super::exec::pool_class;
use super::fields::pop;
use super::heap::{Kind as Contents, Storage};
use super::host::Host;
use super::thread::{Thread, mismatch};
use super::tx::Undo;
use super::value::{ClassRef, Ref, Value};
use super::vm::Vm;

impl Vm {
    #[inline]
    pub(crate) fn array_load(&self, thread: &mut Thread, kind: Kind) -> Result<(), Fault> {
        let index = thread.pop_short()?;
        let r = thread.pop_ref()?;
        let object = self.accessible(thread.top.owner, r)?;
        let at = usize::try_from(index).map_err(|_| Throw::bounds())?;
        match (kind, &object.kind) {
            (Kind::Byte, Contents::Bytes { data, .. }) => {
                let v = data.get(at).ok_or_else(Throw::bounds)?;
                thread.push_short(v.cast_signed().into())?;
            }
            (Kind::Short, Contents::Shorts(data)) => {
                thread.push_short(*data.get(at).ok_or_else(Throw::bounds)?)?;
            }
            (Kind::Int, Contents::Ints(data)) => {
                thread.push_int(*data.get(at).ok_or_else(Throw::bounds)?)?;
            }
            (Kind::Ref, Contents::Refs { data, .. }) => {
                thread.push_ref(*data.get(at).ok_or_else(Throw::bounds)?)?;
            }
            (_, other) => return Err(wrong_array(kind, other).into()),
        }
        Ok(())
    }

    pub(crate) fn array_store(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        kind: Kind,
    ) -> Result<(), Fault> {
        let value = pop(thread, kind)?;
        let index = thread.pop_short()?;
        let array = thread.pop_ref()?;
        let object = self.accessible(thread.top.owner, array)?;
        let i = usize::try_from(index).map_err(|_| Throw::bounds())?;
        if i >= object.kind.length().unwrap_or(0) {
            return Err(match object.kind.length() {
                Some(_) => Throw::bounds().into(),
                None => wrong_array(kind, &object.kind).into(),
            });
        }
        let (persistent, context) = (object.storage == Storage::Persistent, object.owner.context);
        if let Value::Ref(new) = value {
            let Contents::Refs { element, .. } = &object.kind else {
                return Err(wrong_array(kind, &object.kind).into());
            };
            let element = *element;
            self.storable(thread, new)?;
            if !new.is_null() && !self.instance_of_class(new, element)? {
                return Err(Throw::new("java/lang/ArrayStoreException", 0).into());
            }
        }
        if persistent {
            let object = self.s.heap.get(array)?;
            if !fits(kind, &object.kind) {
                return Err(wrong_array(kind, &object.kind).into());
            }
            if !self.in_transaction() {
                let bytes = object.kind.size() / object.kind.length().unwrap_or(1).max(1);
                self.write_now(host, context, bytes)?;
                return self.put_element(array, i, kind, value);
            }
            let at = u16::try_from(index).map_err(|_| Throw::bounds())?;
            let undo = match &object.kind {
                Contents::Bytes { data, .. } => Undo::Bytes {
                    array,
                    at,
                    old: data.get(i..=i).unwrap_or(&[]).into(),
                },
                Contents::Shorts(data) => Undo::Short {
                    array,
                    at,
                    old: data.get(i).copied().unwrap_or(0),
                },
                Contents::Ints(data) => Undo::Int {
                    array,
                    at,
                    old: data.get(i).copied().unwrap_or(0),
                },
                Contents::Refs { data, .. } => Undo::Element {
                    array,
                    at,
                    old: data.get(i).copied().unwrap_or(Ref::NULL),
                },
                other => return Err(wrong_array(kind, other).into()),
            };
            self.before_write(host, context, undo)?;
        }
        self.put_element(array, i, kind, value)
    }

    fn put_element(&mut self, array: Ref, i: usize, kind: Kind, value: Value) -> Result<(), Fault> {
        match (kind, &mut self.s.heap.get_mut(array)?.kind, value) {
            (Kind::Byte, Contents::Bytes { boolean, data }, Value::Short(v)) => {
                let [_, low] = v.to_be_bytes();
                if let Some(slot) = data.get_mut(i) {
                    *slot = if *boolean { low & 1 } else { low };
                }
            }
            (Kind::Short, Contents::Shorts(data), Value::Short(v)) => {
                if let Some(slot) = data.get_mut(i) {
                    *slot = v;
                }
            }
            (Kind::Int, Contents::Ints(data), Value::Int(v)) => {
                if let Some(slot) = data.get_mut(i) {
                    *slot = v;
                }
            }
            (Kind::Ref, Contents::Refs { data, .. }, Value::Ref(v)) => {
                if let Some(slot) = data.get_mut(i) {
                    *slot = v;
                }
            }
            (_, other, _) => return Err(wrong_array(kind, other).into()),
        }
        Ok(())
    }

    /// True if an object or array is an instance of a class or interface.
    fn instance_of_class(&self, r: Ref, class: ClassRef) -> Result<bool, VmError> {
        Ok(match self.class_of(r)? {
            Some(actual) => self.assignable(actual, class),
            None => Api::get().object == class,
        })
    }

    fn matches(&self, code: &Code, test: TypeTest, r: Ref) -> Result<bool, VmError> {
        Ok(match (test, &self.s.heap.get(r)?.kind) {
            (TypeTest::Class(i), _) => self.instance_of_class(r, pool_class(code, i)?)?,
            (TypeTest::Booleans, Contents::Bytes { boolean, .. }) => *boolean,
            (TypeTest::Bytes, Contents::Bytes { boolean, .. }) => !*boolean,
            (TypeTest::Shorts, Contents::Shorts(_)) | (TypeTest::Ints, Contents::Ints(_)) => true,
            (TypeTest::Refs(i), Contents::Refs { element, .. }) => {
                self.assignable(*element, pool_class(code, i)?)
            }
            _ => false,
        })
    }

    fn cast(&self, thread: &Thread, code: &Code, test: TypeTest, r: Ref) -> Result<bool, Fault> {
        let target = match test {
            TypeTest::Class(i) => Some(pool_class(code, i)?),
            _ => None,
        };
        self.castable(thread.top.owner, r, target)?;
        Ok(self.matches(code, test, r)?)
    }

    pub(crate) fn check_cast(
        &self,
        thread: &mut Thread,
        code: &Code,
        test: TypeTest,
    ) -> Result<(), Fault> {
        let r = thread.pop_ref()?;
        if !r.is_null() && !self.cast(thread, code, test, r)? {
            return Err(Throw::new("java/lang/ClassCastException", 0).into());
        }
        Ok(thread.push_ref(r)?)
    }

    pub(crate) fn instance_of(
        &self,
        thread: &mut Thread,
        code: &Code,
        test: TypeTest,
    ) -> Result<(), Fault> {
        let r = thread.pop_ref()?;
        let is = !r.is_null() && self.cast(thread, code, test, r)?;
        Ok(thread.push_bool(is)?)
    }

    /// An object that a defensive frame uses other than by its constructor must have been through one.
    #[inline]
    pub(crate) fn initialised(&self, thread: &Thread, r: Ref) -> Result<(), Fault> {
        if !thread.top.trusted && !r.is_null() && self.s.heap.get(r)?.fresh {
            return Err(mismatch("an initialised object", Value::Ref(r)).into());
        }
        Ok(())
    }
}

fn fits(kind: Kind, contents: &Contents) -> bool {
    matches!(
        (kind, contents),
        (Kind::Byte, Contents::Bytes { .. })
            | (Kind::Short, Contents::Shorts(_))
            | (Kind::Int, Contents::Ints(_))
            | (Kind::Ref, Contents::Refs { .. })
    )
}

#[cold]
fn wrong_array(kind: Kind, found: &Contents) -> VmError {
    let expected = match kind {
        Kind::Ref => "an array of references",
        Kind::Byte => "an array of byte or boolean",
        Kind::Short => "an array of short",
        Kind::Int => "an array of int",
    };
    VmError::Type {
        expected: expected.into(),
        found: found.describe().into(),
    }
}
