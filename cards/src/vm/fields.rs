//! Instructions on fields and static fields.

use super::code::{Code, Entry, Kind};
use super::error::{Fault, Throw, VmError};
use super::exec::byte;
use super::heap::{Kind as Contents, Object, Storage};
use super::host::Host;
use super::thread::{Thread, mismatch};
use super::tx::Undo;
use super::value::{Context, Owner, PackageId, Ref, Value};
use super::vm::Vm;

/// Takes a value of this kind from the stack. A byte is cut to its size; the second cell of an `int` is
/// dropped.
pub(crate) fn pop(thread: &mut Thread, kind: Kind) -> Result<Value, VmError> {
    Ok(match kind {
        Kind::Ref => Value::Ref(thread.pop_ref()?),
        Kind::Short => Value::Short(thread.pop_short()?),
        Kind::Byte => Value::Short(byte(thread.pop_short()?)),
        Kind::Int => Value::Int(thread.pop_int()?),
    })
}

/// The two cells of an `int` in an object.
fn halves(v: i32) -> [i16; 2] {
    let [a, b, c, d] = v.to_be_bytes();
    [i16::from_be_bytes([a, b]), i16::from_be_bytes([c, d])]
}

fn joined(high: i16, low: i16) -> i32 {
    let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
    i32::from_be_bytes([a, b, c, d])
}

/// The cells from `at` on that a field of this kind has.
fn cells(fields: &[Value], at: u16, kind: Kind) -> Result<&[Value], VmError> {
    let from = usize::from(at);
    let to = from + if kind == Kind::Int { 2 } else { 1 };
    fields.get(from..to).ok_or_else(|| {
        let size = u16::try_from(fields.len()).unwrap_or(u16::MAX);
        VmError::Field(at, size)
    })
}

impl Vm {
    /// A field's object, first cell, in an object that the firewall lets the running code reach (JCRE
    /// 6.2.8.3).
    #[inline]
    fn field(
        &self,
        thread: &Thread,
        code: &Code,
        kind: Kind,
        index: u16,
        r: Ref,
    ) -> Result<(&Object, &[Value], u16), Fault> {
        let Some(Entry::Field {
            class,
            cell,
            kind: declared,
        }) = code.pool.get(usize::from(index))
        else {
            return Err(VmError::NoClass(format!("constant {index} is no field")).into());
        };
        let object = self.own(thread.top.owner, r)?;
        let Contents::Instance {
            class: actual,
            fields,
            ..
        } = &object.kind
        else {
            return Err(mismatch("an object", Value::Ref(r)).into());
        };
        if !thread.top.trusted {
            if actual != class && !self.assignable(*actual, *class) {
                return Err(mismatch("an instance of the field's class", Value::Ref(r)).into());
            }
            if let Some(declared) = declared
                && *declared != kind
            {
                let expected = format!("a field of kind {kind:?}").into();
                let found = format!("one of kind {declared:?}");
                return Err(VmError::Type { expected, found }.into());
            }
        }
        Ok((object, fields, *cell))
    }

    #[inline]
    pub(crate) fn get_field(
        &self,
        thread: &mut Thread,
        code: &Code,
        kind: Kind,
        index: u16,
        r: Ref,
    ) -> Result<(), Fault> {
        let (object, fields, cell) = self.field(thread, code, kind, index, r)?;
        if object.fresh && !thread.top.trusted {
            return Err(mismatch("an initialised object", Value::Ref(r)).into());
        }
        match (kind, cells(fields, cell, kind)?) {
            (Kind::Ref, [value @ Value::Ref(_)]) | (Kind::Short, [value @ Value::Short(_)]) => {
                thread.push(*value)?;
            }
            (Kind::Byte, [Value::Short(v)]) => thread.push_short(byte(*v))?,
            (Kind::Int, [Value::Short(high), Value::Short(low)]) => {
                thread.push_int(joined(*high, *low))?;
            }
            (Kind::Ref, found) => return Err(wrong_cell("reference", found)),
            (_, found) => return Err(wrong_cell("number", found)),
        }
        Ok(())
    }

    /// putfield; `this`: the object is the first local variable and not on the stack.
    pub(crate) fn put_field(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        kind: Kind,
        index: u16,
        this: bool,
    ) -> Result<(), Fault> {
        let value = pop(thread, kind)?;
        let r = match this {
            false => thread.pop_ref()?,
            true => match *thread.local(0)? {
                Value::Ref(r) => r,
                other => return Err(mismatch("reference", other).into()),
            },
        };
        let (object, fields, cell) = self.field(thread, code, kind, index, r)?;
        let (persistent, context) = (object.storage == Storage::Persistent, object.owner.context);
        let (undo, new) = match (value, cells(fields, cell, kind)?) {
            (Value::Ref(new), [old @ Value::Ref(_)]) => {
                let old = [*old, Value::Unset];
                self.storable(thread, new)?;
                (old, [value, Value::Unset])
            }
            (Value::Short(_), [old @ Value::Short(_)]) => {
                ([*old, Value::Unset], [value, Value::Unset])
            }
            (Value::Int(v), [high @ Value::Short(_), low @ Value::Short(_)]) => {
                ([*high, *low], halves(v).map(Value::Short))
            }
            (Value::Ref(_), found) => return Err(wrong_cell("reference", found)),
            (_, found) => return Err(wrong_cell("number", found)),
        };
        if persistent {
            let undo = Undo::Cells {
                object: r,
                index: cell,
                old: undo,
            };
            self.before_write(host, context, undo)?;
        }
        if let Contents::Instance { fields, .. } = &mut self.s.heap.get_mut(r)?.kind {
            put_cells(fields, cell, new);
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

    /// Bytes of a static field that holds a number: where they start in the package's data, and themselves.
    fn static_bytes(
        &self,
        package: PackageId,
        offset: u16,
        width: usize,
    ) -> Result<(usize, &[u8]), VmError> {
        let loaded = self.s.packages.get(&package);
        let loaded = loaded.ok_or(VmError::NoPackage(package))?;
        let refs = 2 * loaded.static_refs.len();
        let start = usize::from(offset).checked_sub(refs);
        let bytes = start.and_then(|at| Some((at, loaded.static_data.get(at..at + width)?)));
        bytes.ok_or(VmError::Static(offset))
    }

    fn static_ref(&self, package: PackageId, offset: u16) -> Result<Ref, VmError> {
        let loaded = self.s.packages.get(&package);
        let loaded = loaded.ok_or(VmError::NoPackage(package))?;
        let found = loaded.static_refs.get(usize::from(offset / 2));
        let found = found.filter(|_| offset.is_multiple_of(2));
        found.copied().ok_or(VmError::Static(offset))
    }

    pub(crate) fn get_static(
        &self,
        thread: &mut Thread,
        code: &Code,
        kind: Kind,
        index: u16,
    ) -> Result<(), Fault> {
        let (package, offset) = static_entry(code, index)?;
        if kind == Kind::Ref {
            let r = self.static_ref(package, offset)?;
            return Ok(thread.push_ref(r)?);
        }
        match self.static_bytes(package, offset, width(kind))?.1 {
            [v] => thread.push_short(v.cast_signed().into())?,
            [a, b] => thread.push_short(i16::from_be_bytes([*a, *b]))?,
            [a, b, c, d] => thread.push_int(i32::from_be_bytes([*a, *b, *c, *d]))?,
            _ => return Err(VmError::Static(offset).into()),
        }
        Ok(())
    }

    pub(crate) fn put_static(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        code: &Code,
        kind: Kind,
        index: u16,
    ) -> Result<(), Fault> {
        let (package, offset) = static_entry(code, index)?;
        let context = Context::Package(package);
        let bytes = match pop(thread, kind)? {
            Value::Ref(new) => {
                self.storable(thread, new)?;
                let old = self.static_ref(package, offset)?;
                let index = offset / 2;
                let undo = Undo::StaticRef {
                    package,
                    index,
                    old,
                };
                self.before_write(host, context, undo)?;
                if let Some(slot) = self.static_ref_mut(package, index) {
                    *slot = new;
                }
                return Ok(());
            }
            Value::Int(v) => v.to_be_bytes(),
            Value::Short(v) => i32::from(v).to_be_bytes(),
            other => return Err(mismatch("a value of the field's kind", other).into()),
        };
        let new = bytes.get(4 - width(kind)..).unwrap_or(&[]);
        let (start, old) = self.static_bytes(package, offset, new.len())?;
        // An undo log is kept in a transaction only.
        let old = if self.in_transaction() {
            old.to_vec()
        } else {
            vec![]
        };
        let at = u16::try_from(start).map_err(|_| VmError::Static(offset))?;
        self.before_write(host, context, Undo::StaticBytes { package, at, old })?;
        if let Some(loaded) = self.s.packages.get_mut(&package)
            && let Some(slot) = loaded.static_data.get_mut(start..start + new.len())
        {
            slot.copy_from_slice(new);
        }
        Ok(())
    }

    /// An object whose fields the running code may reach: its own, or any for the runtime.
    #[inline]
    pub(crate) fn own(&self, caller: Owner, r: Ref) -> Result<&Object, Fault> {
        let object = self.object(r)?;
        if caller.context != object.owner.context && caller.context != Context::Jcre {
            return Err(Throw::security().into());
        }
        Ok(object)
    }
}

/// Bytes that a number of this kind takes in the static image.
fn width(kind: Kind) -> usize {
    match kind {
        Kind::Byte => 1,
        Kind::Short | Kind::Ref => 2,
        Kind::Int => 4,
    }
}

/// Stores one cell, or two.
pub(crate) fn put_cells(fields: &mut [Value], at: u16, new: [Value; 2]) {
    let slots = fields.iter_mut().skip(at.into());
    for (slot, value) in slots.zip(new) {
        if value != Value::Unset {
            *slot = value;
        }
    }
}

#[cold]
fn wrong_cell(expected: &'static str, found: &[Value]) -> Fault {
    let other = found.iter().find(|v| match expected {
        "reference" => v.reference().is_none(),
        _ => v.short().is_none(),
    });
    mismatch(expected, other.copied().unwrap_or(Value::Unset)).into()
}

fn static_entry(code: &Code, index: u16) -> Result<(PackageId, u16), VmError> {
    match code.pool.get(usize::from(index)) {
        Some(Entry::Static { package, offset }) => Ok((*package, *offset)),
        _ => Err(VmError::NoClass(format!(
            "constant {index} is no static field"
        ))),
    }
}
