//! Instructions on fields, arrays and types.

use super::code::{Code, Entry, Insn, Kind, TypeTest};
use super::error::{Fault, Throw, VmError};
use super::heap::{Kind as Contents, Storage};
use super::host::Host;
use super::interp::pool_class;
use super::thread::{Thread, mismatch};
use super::tx::Undo;
use super::value::{ClassRef, Context, PackageId, Ref, Value};
use super::vm::Vm;

fn byte(v: i16) -> i16 {
    let [_, low] = v.to_be_bytes();
    low.cast_signed().into()
}

fn pop(thread: &mut Thread, kind: Kind) -> Result<Value, VmError> {
    Ok(match kind {
        Kind::Ref => Value::Ref(thread.pop_ref()?),
        Kind::Short => Value::Short(thread.pop_short()?),
        Kind::Byte => Value::Short(byte(thread.pop_short()?)),
    })
}

impl Vm {
    pub(crate) fn field(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        insn: Insn,
    ) -> Result<(), Fault> {
        match insn {
            Insn::GetField(kind, i) => {
                let r = thread.pop_ref()?;
                let value = self.get_field(thread, code, kind, i, r)?;
                thread.push(value)?;
            }
            Insn::GetThis(kind, i) => {
                let r = this(thread)?;
                let value = self.get_field(thread, code, kind, i, r)?;
                thread.push(value)?;
            }
            Insn::PutField(kind, i) => {
                let value = pop(thread, kind)?;
                let r = thread.pop_ref()?;
                self.put_field(thread, host, code, i, r, value)?;
            }
            Insn::PutThis(kind, i) => {
                let value = pop(thread, kind)?;
                let r = this(thread)?;
                self.put_field(thread, host, code, i, r, value)?;
            }
            Insn::GetStatic(kind, i) => {
                let (package, offset) = static_entry(code, i)?;
                let value = self.get_static(kind, package, offset)?;
                thread.push(value)?;
            }
            Insn::PutStatic(kind, i) => {
                let (package, offset) = static_entry(code, i)?;
                let value = pop(thread, kind)?;
                self.put_static(host, kind, package, offset, value)?;
            }
            _ => return Err(VmError::Code.into()),
        }
        Ok(())
    }

    /// The field's cell in an object that the firewall lets the running code reach.
    fn cell(
        &self,
        thread: &Thread,
        code: &Code,
        index: u16,
        r: Ref,
    ) -> Result<(u16, Value), Fault> {
        let Some(Entry::Field { class, cell }) = code.pool.get(usize::from(index)) else {
            return Err(VmError::NoClass(format!("constant {index} is no field")).into());
        };
        let object = self.accessible(thread.top.owner, r)?;
        let Contents::Instance {
            class: actual,
            fields,
            ..
        } = &object.kind
        else {
            return Err(mismatch("an object", Value::Ref(r)).into());
        };
        if !self.assignable(*actual, *class) {
            return Err(mismatch("an instance of the field's class", Value::Ref(r)).into());
        }
        let size = u16::try_from(fields.len()).unwrap_or(u16::MAX);
        let value = fields
            .get(usize::from(*cell))
            .ok_or(VmError::Field(*cell, size))?;
        Ok((*cell, *value))
    }

    fn get_field(
        &self,
        thread: &Thread,
        code: &Code,
        kind: Kind,
        index: u16,
        r: Ref,
    ) -> Result<Value, Fault> {
        let (_, value) = self.cell(thread, code, index, r)?;
        match (kind, value) {
            (Kind::Ref, Value::Ref(_)) | (Kind::Short, Value::Short(_)) => Ok(value),
            (Kind::Byte, Value::Short(v)) => Ok(Value::Short(byte(v))),
            (Kind::Ref, other) => Err(mismatch("reference", other).into()),
            (_, other) => Err(mismatch("short", other).into()),
        }
    }

    fn put_field(
        &mut self,
        thread: &Thread,
        host: &mut dyn Host,
        code: &Code,
        index: u16,
        r: Ref,
        value: Value,
    ) -> Result<(), Fault> {
        let (cell, old) = self.cell(thread, code, index, r)?;
        match (old, value) {
            (Value::Ref(_), Value::Ref(new)) => self.storable(new)?,
            (Value::Short(_), Value::Short(_)) => {}
            (Value::Ref(_), other) => return Err(mismatch("reference", other).into()),
            (_, other) => return Err(mismatch("short", other).into()),
        }
        let object = self.s.heap.get(r)?;
        if object.storage == Storage::Persistent {
            let context = object.owner.context;
            self.before_write(
                host,
                context,
                Undo::Cell {
                    object: r,
                    index: cell,
                    old,
                },
            )?;
        }
        if let Contents::Instance { fields, .. } = &mut self.s.heap.get_mut(r)?.kind
            && let Some(slot) = fields.get_mut(usize::from(cell))
        {
            *slot = value;
        }
        Ok(())
    }

    pub(crate) fn static_ref_mut(&mut self, package: PackageId, index: u16) -> Option<&mut Ref> {
        self.s
            .packages
            .get_mut(&package)?
            .static_refs
            .get_mut(usize::from(index))
    }

    fn get_static(&self, kind: Kind, package: PackageId, offset: u16) -> Result<Value, Fault> {
        let loaded = self
            .s
            .packages
            .get(&package)
            .ok_or(VmError::NoPackage(package))?;
        let refs = 2 * loaded.static_refs.len();
        let at = usize::from(offset);
        let missing = VmError::Static(offset);
        Ok(match kind {
            Kind::Ref if at < refs && at % 2 == 0 => {
                Value::Ref(*loaded.static_refs.get(at / 2).ok_or(missing)?)
            }
            Kind::Ref => return Err(missing.into()),
            Kind::Byte => {
                let at = at.checked_sub(refs).ok_or(VmError::Static(offset))?;
                let v = loaded.static_data.get(at).ok_or(missing)?;
                Value::Short(v.cast_signed().into())
            }
            Kind::Short => {
                let at = at.checked_sub(refs).ok_or(VmError::Static(offset))?;
                let bytes = loaded
                    .static_data
                    .get(at..)
                    .and_then(|d| d.first_chunk::<2>())
                    .ok_or(missing)?;
                Value::Short(i16::from_be_bytes(*bytes))
            }
        })
    }

    fn put_static(
        &mut self,
        host: &mut dyn Host,
        kind: Kind,
        package: PackageId,
        offset: u16,
        value: Value,
    ) -> Result<(), Fault> {
        let old = self.get_static(kind, package, offset)?;
        let context = Context::Package(package);
        match (kind, value, old) {
            (Kind::Ref, Value::Ref(new), Value::Ref(old)) => {
                self.storable(new)?;
                let index = offset / 2;
                self.before_write(
                    host,
                    context,
                    Undo::StaticRef {
                        package,
                        index,
                        old,
                    },
                )?;
                if let Some(slot) = self.static_ref_mut(package, index) {
                    *slot = new;
                }
            }
            (_, Value::Short(new), Value::Short(_)) => {
                let width = if kind == Kind::Byte { 1 } else { 2 };
                let loaded = self
                    .s
                    .packages
                    .get(&package)
                    .ok_or(VmError::NoPackage(package))?;
                let start = usize::from(offset) - 2 * loaded.static_refs.len();
                let old = loaded
                    .static_data
                    .get(start..start + width)
                    .unwrap_or(&[])
                    .to_vec();
                let at = u16::try_from(start).map_err(|_| VmError::Static(offset))?;
                self.before_write(host, context, Undo::StaticBytes { package, at, old })?;
                let bytes = new.to_be_bytes();
                let new = bytes.get(2 - width..).unwrap_or(&[]);
                if let Some(loaded) = self.s.packages.get_mut(&package)
                    && let Some(slot) = loaded.static_data.get_mut(start..start + width)
                {
                    slot.copy_from_slice(new);
                }
            }
            (_, other, _) => return Err(mismatch("a value of the field's kind", other).into()),
        }
        Ok(())
    }

    pub(crate) fn array_load(&mut self, thread: &mut Thread, kind: Kind) -> Result<(), Fault> {
        let index = thread.pop_short()?;
        let r = thread.pop_ref()?;
        let object = self.accessible(thread.top.owner, r)?;
        let at = usize::try_from(index).map_err(|_| Throw::bounds())?;
        let value = match (kind, &object.kind) {
            (Kind::Byte, Contents::Bytes { data, .. }) => {
                Value::Short(data.get(at).ok_or_else(Throw::bounds)?.cast_signed().into())
            }
            (Kind::Short, Contents::Shorts(data)) => {
                Value::Short(*data.get(at).ok_or_else(Throw::bounds)?)
            }
            (Kind::Ref, Contents::Refs { data, .. }) => {
                Value::Ref(*data.get(at).ok_or_else(Throw::bounds)?)
            }
            (_, other) => return Err(wrong_array(kind, other).into()),
        };
        Ok(thread.push(value)?)
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
        let at = u16::try_from(index).map_err(|_| Throw::bounds())?;
        let (undo, element) = match (kind, &object.kind) {
            (Kind::Byte, Contents::Bytes { data, .. }) => {
                let old = vec![*data.get(i).ok_or_else(Throw::bounds)?];
                (Undo::Bytes { array, at, old }, None)
            }
            (Kind::Short, Contents::Shorts(data)) => {
                let old = *data.get(i).ok_or_else(Throw::bounds)?;
                (Undo::Short { array, at, old }, None)
            }
            (Kind::Ref, Contents::Refs { data, element }) => {
                let old = *data.get(i).ok_or_else(Throw::bounds)?;
                (Undo::Element { array, at, old }, Some(*element))
            }
            (_, other) => return Err(wrong_array(kind, other).into()),
        };
        let (persistent, context) = (object.storage == Storage::Persistent, object.owner.context);
        if let (Some(element), Value::Ref(new)) = (element, value) {
            self.storable(new)?;
            if !new.is_null() && !self.instance_of_class(new, element)? {
                return Err(Throw::new("java/lang/ArrayStoreException", 0).into());
            }
        }
        if persistent {
            self.before_write(host, context, undo)?;
        }
        match (&mut self.s.heap.get_mut(array)?.kind, value) {
            (Contents::Bytes { boolean, data }, Value::Short(v)) => {
                let [_, low] = v.to_be_bytes();
                if let Some(slot) = data.get_mut(i) {
                    *slot = if *boolean { low & 1 } else { low };
                }
            }
            (Contents::Shorts(data), Value::Short(v)) => {
                if let Some(slot) = data.get_mut(i) {
                    *slot = v;
                }
            }
            (Contents::Refs { data, .. }, Value::Ref(v)) => {
                if let Some(slot) = data.get_mut(i) {
                    *slot = v;
                }
            }
            (other, _) => return Err(wrong_array(kind, other).into()),
        }
        Ok(())
    }

    /// True if an object or array is an instance of a class or interface.
    fn instance_of_class(&self, r: Ref, class: ClassRef) -> Result<bool, VmError> {
        Ok(match self.class_of(r)? {
            Some(actual) => self.assignable(actual, class),
            None => self.api_class("java/lang/Object")? == class,
        })
    }

    fn matches(&self, code: &Code, test: TypeTest, r: Ref) -> Result<bool, VmError> {
        Ok(match (test, &self.s.heap.get(r)?.kind) {
            (TypeTest::Class(i), _) => self.instance_of_class(r, pool_class(code, i)?)?,
            (TypeTest::Booleans, Contents::Bytes { boolean, .. }) => *boolean,
            (TypeTest::Bytes, Contents::Bytes { boolean, .. }) => !*boolean,
            (TypeTest::Shorts, Contents::Shorts(_)) => true,
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
        &mut self,
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
        &mut self,
        thread: &mut Thread,
        code: &Code,
        test: TypeTest,
    ) -> Result<(), Fault> {
        let r = thread.pop_ref()?;
        let is = !r.is_null() && self.cast(thread, code, test, r)?;
        Ok(thread.push_bool(is)?)
    }
}

fn this(thread: &mut Thread) -> Result<Ref, Fault> {
    let value = *thread.local(0)?;
    value
        .reference()
        .ok_or_else(|| mismatch("reference", value).into())
}

fn static_entry(code: &Code, index: u16) -> Result<(PackageId, u16), VmError> {
    match code.pool.get(usize::from(index)) {
        Some(Entry::Static { package, offset }) => Ok((*package, *offset)),
        _ => Err(VmError::NoClass(format!(
            "constant {index} is no static field"
        ))),
    }
}

fn wrong_array(kind: Kind, found: &Contents) -> VmError {
    let expected = match kind {
        Kind::Ref => "an array of references",
        Kind::Byte => "an array of byte or boolean",
        Kind::Short => "an array of short",
    };
    VmError::Type {
        expected: expected.into(),
        found: found.describe().into(),
    }
}
