//! `UICCSystem`, `AdminFileViewBuilder` and the methods of `FileView`.

use super::{CONTEXT, RUNTIME, Reason, View, admin, context_bytes, thrown};
use crate::card::{Place, World};
use crate::fs::commands::direction;
use crate::fs::ops::{self, Record, Search, Within};
use crate::fs::tree::LifeCycle;
use crate::fs::{FileError, FileId, FilePath, Position};
use crate::gp::registry::Aid;
use crate::vm::{
    Access, Fault, NativeCall, Owner, Ref, Storage, Throw, Value, Vm, VmError, system,
};

type Answer = Result<Option<Value>, Fault>;

/// `incrLength` of `increase`: as INCREASE takes.
const LONGEST_INCREASE: usize = 127;

fn short(value: usize) -> Answer {
    Ok(Some(Value::Short(i16::try_from(value).unwrap_or(i16::MAX))))
}

const VOID: Answer = Ok(None);

/// A method of `uicc.access` or `uicc.access.fileadministration`.
pub(crate) fn native(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let Some(this) = call.this else {
        return made(world, vm, call);
    };
    let Some((tag, view)) = world.views.view(vm.native_tag(this)) else {
        return Err(VmError::NotSupported(call.name()).into());
    };
    let view = view.clone();
    let mut at = Session {
        position: position(world, vm, &view)?,
        view,
        tag,
    };
    let before = at.position;
    let answer = match call.class {
        "uicc/access/FileView" => at.method(world, vm, call),
        _ => admin::method(world, vm, call, &mut at),
    }?;
    if at.position != before {
        let bytes = context_bytes(at.position);
        vm.write(world, RUNTIME, at.view.context, 0, &bytes)?;
    }
    Ok(answer)
}

fn position(world: &World, vm: &Vm, view: &View) -> Result<Position, Fault> {
    let length = i16::try_from(CONTEXT).unwrap_or(i16::MAX);
    let context = vm.read(RUNTIME, view.context, 0, length)?;
    view.position(&world.files, context).map_err(thrown)
}

/// Where a view's current file is, or its directory.
pub(crate) fn current(world: &World, vm: &Vm, object: Ref) -> Result<FilePath, Fault> {
    let Some((_, view)) = world.views.view(vm.native_tag(object)) else {
        return Err(VmError::NotSupported("a FileView of the applet's own".to_owned()).into());
    };
    let at = position(world, vm, view)?;
    let path = world.files.path(at.file.unwrap_or(at.directory));
    path.ok_or_else(|| thrown(FileError::NotFound))
}

/// `getTheUICCView`, `getTheFileView` and those of the administration: `null` before the applet is registered, for a
/// file system that isn't there, and for one that its access parameters don't name.
fn made(world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
    let null = Ok(Some(Value::NULL));
    let administrative = match call.class {
        "uicc/access/UICCSystem" => false,
        "uicc/access/fileadministration/AdminFileViewBuilder" => true,
        _ => return Err(VmError::NotSupported(call.name()).into()),
    };
    let illegal = || Fault::from(Throw::system(system::ILLEGAL_VALUE));
    let adf = match call.descriptor.split_once(')') {
        Some(("(B", _)) => None,
        Some(("(Ljavacard/framework/AID;B", _)) => {
            let aid = call.reference(0)?;
            vm.readable(call.caller, aid)?;
            Some(vm.aid_bytes(aid).ok_or_else(illegal)?.to_vec())
        }
        _ => {
            let (array, offset, length) = (call.reference(0)?, call.short(1)?, call.short(2)?);
            vm.read(call.caller, array, 0, 0)?;
            if !(5..=16).contains(&length) {
                return Err(illegal());
            }
            Some(vm.read(call.caller, array, offset, length)?.to_vec())
        }
    };
    let storage = match call.args.last().and_then(|value| value.short()) {
        Some(0) => Storage::Persistent,
        Some(1) => Storage::Reset,
        Some(2) => Storage::Deselect,
        _ => return Err(illegal()),
    };
    // The instance has its AID once it is registered.
    let instance = call.caller.instance.and_then(|id| vm.instance(id));
    let Some(owner) = instance.and_then(|instance| Aid::new(&instance.aid)) else {
        return null;
    };
    let grant = world.views.grants.get(&hex::encode(owner.bytes()));
    let domain = grant.and_then(|grant| grant.domain(administrative, adf.as_deref()));
    let Some(domain) = domain else {
        return null;
    };
    if adf
        .as_ref()
        .is_some_and(|aid| world.files.tree().adf(aid).is_none())
    {
        return null;
    }
    let context = vm.new_bytes(world, call.caller, storage, CONTEXT)?;
    let class = match administrative {
        false => "uicc/access/FileView",
        true => "uicc/access/fileadministration/AdminFileView",
    };
    let tag = world.views.next;
    let object = vm.new_native(world, class, tag, Owner::JCRE, Access::Permanent)?;
    world.views.next += 1;
    let view = View {
        owner,
        adf,
        domain,
        context,
        object,
    };
    world.views.views.push((tag, view));
    Ok(Some(Value::Ref(object)))
}

/// A view in the middle of a call.
pub(super) struct Session {
    pub view: View,
    pub position: Position,
    pub tag: u32,
}

impl Session {
    fn method(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        match (call.method, call.descriptor) {
            ("select", "(B)V") => {
                let sfi = call.short(0)?.to_be_bytes()[1];
                let tree = world.files.tree();
                let file = tree
                    .find_short(self.position.directory, sfi)
                    .map_err(thrown)?;
                self.go(world, vm, file)?;
                VOID
            }
            ("select", "(S)V") => {
                self.select(world, vm, call.short(0)?)?;
                VOID
            }
            ("select", _) => {
                let (array, offset, length) = (call.reference(1)?, call.short(2)?, call.short(3)?);
                vm.read(call.caller, array, offset, length)?;
                let file = self.select(world, vm, call.short(0)?)?;
                template(world, vm, call.caller, file, (array, offset, length))
            }
            ("status", _) => {
                let (array, offset, length) = (call.reference(0)?, call.short(1)?, call.short(2)?);
                vm.read(call.caller, array, offset, length)?;
                let directory = self.position.directory;
                template(world, vm, call.caller, directory, (array, offset, length))
            }
            ("readBinary", _) => self.read_binary(world, vm, call),
            ("updateBinary", _) => self.update_binary(world, vm, call),
            ("readRecord", _) => self.read_record(world, vm, call),
            ("updateRecord", _) => self.update_record(world, vm, call),
            ("searchRecord", _) => self.search(world, vm, call),
            ("increase", _) => self.increase(world, vm, call),
            ("activateFile", _) => self.set_state(world, LifeCycle::Activated),
            ("deactivateFile", _) => self.set_state(world, LifeCycle::Deactivated),
            _ => Err(VmError::NotSupported(call.name()).into()),
        }
    }

    /// Makes a file the current one.
    pub fn go(&mut self, world: &World, vm: &Vm, file: FileId) -> Result<(), Fault> {
        let position = world.files.tree().go(self.position, file).map_err(thrown)?;
        world
            .shareable(vm, position, Place::View(self.tag))
            .map_err(thrown)?;
        self.position = position;
        Ok(())
    }

    fn select(&mut self, world: &World, vm: &Vm, fid: i16) -> Result<FileId, Fault> {
        let root = self.view.root(&world.files).map_err(thrown)?;
        let tree = world.files.tree();
        let file = tree
            .find(self.position, fid.cast_unsigned(), View::reach(root))
            .map_err(thrown)?;
        self.go(world, vm, file)?;
        Ok(file)
    }

    fn read_binary(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let (array, offset, length) = (call.reference(1)?, call.short(2)?, call.short(3)?);
        vm.read(call.caller, array, offset, length)?;
        let from = file_offset(call.short(0)?)?;
        let rights = self.view.domain.rights();
        let rest =
            ops::read_binary(world.files.tree(), &self.position, &rights, from).map_err(thrown)?;
        let length = usize::try_from(length).unwrap_or(0);
        let part = rest.get(..length).ok_or(Reason::OutOfFileBoundaries)?;
        let part = part.to_vec();
        vm.write(world, call.caller, array, offset, &part)?;
        short(usize::try_from(offset).unwrap_or(0) + length)
    }

    fn update_binary(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let data = given(vm, call, 1)?;
        let from = file_offset(call.short(0)?)?;
        let rights = self.view.domain.rights();
        let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
        ops::update_binary(tree, nvm, &self.position, &rights, from, &data).map_err(thrown)?;
        VOID
    }

    fn read_record(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let (array, offset, length) = (call.reference(3)?, call.short(4)?, call.short(5)?);
        vm.read(call.caller, array, offset, length)?;
        let record = which(call)?;
        let rights = self.view.domain.rights();
        let (bytes, number) = ops::read_record(world.files.tree(), &self.position, &rights, record)
            .map_err(thrown)?;
        let from = record_offset(call.short(2)?)?;
        let length = usize::try_from(length).unwrap_or(0);
        let part = bytes
            .get(from..from + length)
            .ok_or(Reason::OutOfRecordBoundaries)?
            .to_vec();
        if !matches!(record, Record::Absolute(_)) {
            self.position.record = number;
        }
        vm.write(world, call.caller, array, offset, &part)?;
        short(usize::try_from(offset).unwrap_or(0) + length)
    }

    fn update_record(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let data = given(vm, call, 3)?;
        let record = which(call)?;
        let from = record_offset(call.short(2)?)?;
        let rights = self.view.domain.rights();
        let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
        let position = &mut self.position;
        ops::update_record(tree, nvm, position, &rights, record, from, &data).map_err(thrown)?;
        VOID
    }

    fn search(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let pattern = given(vm, call, 3)?;
        let (array, offset, length) = (call.reference(6)?, call.short(7)?, call.short(8)?);
        vm.read_shorts(call.caller, array, offset, length)?;
        let number =
            u8::try_from(call.short(1)?).map_err(|_| Fault::from(Reason::RecordNotFound))?;
        let [indication, value] = call.short(2)?.to_be_bytes();
        let (from, forward, within) = match call.short(0)? {
            4 => (Record::Absolute(number), true, Within::Offset(0)),
            5 => (Record::Absolute(number), false, Within::Offset(0)),
            6 => {
                let (from, forward) = direction(indication, number).map_err(thrown)?;
                let within = match indication & 0x08 {
                    0 => Within::Offset(value),
                    _ => Within::Behind(value),
                };
                (from, forward, within)
            }
            _ => return Err(Reason::InvalidMode.into()),
        };
        let search = Search {
            from,
            forward,
            within,
            pattern: &pattern,
        };
        let rights = self.view.domain.rights();
        let found = ops::search(world.files.tree(), &mut self.position, &rights, &search)
            .map_err(thrown)?;
        let room = usize::try_from(length).unwrap_or(0);
        let found: Vec<i16> = found.into_iter().take(room).map(i16::from).collect();
        vm.write_shorts(world, call.caller, array, offset, &found)?;
        short(found.len())
    }

    fn increase(&mut self, world: &mut World, vm: &mut Vm, call: &NativeCall) -> Answer {
        let value = given(vm, call, 0)?;
        let (array, offset) = (call.reference(3)?, call.short(4)?);
        vm.read(call.caller, array, offset, 0)?;
        let rights = self.view.domain.rights();
        let (file, sum) =
            ops::increased(world.files.tree(), &self.position, &rights, &value).map_err(thrown)?;
        if value.len() > LONGEST_INCREASE {
            return Err(Reason::OutOfRecordBoundaries.into());
        }
        vm.writable(call.caller, array, offset, sum.len())?;
        let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
        ops::increase(tree, nvm, &mut self.position, file, &sum).map_err(thrown)?;
        vm.write(world, call.caller, array, offset, &sum)?;
        short(sum.len())
    }

    fn set_state(&mut self, world: &mut World, state: LifeCycle) -> Answer {
        let file = self.position.file.ok_or(Reason::NoEfSelected)?;
        let rights = self.view.domain.rights();
        let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
        ops::set_state(tree, nvm, file, &rights, state).map_err(thrown)?;
        VOID
    }
}

/// The record that arguments 0 and 1 name: its number and the mode.
fn which(call: &NativeCall) -> Result<Record, Fault> {
    let number = call.short(0)?;
    match call.short(1)? {
        2 => Ok(Record::Next),
        3 => Ok(Record::Previous),
        4 => Ok(Record::Absolute(
            u8::try_from(number).map_err(|_| Fault::from(Reason::RecordNotFound))?,
        )),
        _ => Err(Reason::InvalidMode.into()),
    }
}

fn file_offset(offset: i16) -> Result<usize, Fault> {
    usize::try_from(offset).map_err(|_| Reason::OutOfFileBoundaries.into())
}

fn record_offset(offset: i16) -> Result<usize, Fault> {
    usize::try_from(offset).map_err(|_| Reason::OutOfRecordBoundaries.into())
}

/// Bytes that an applet hands over: array, offset and length from argument `at` on.
fn given(vm: &Vm, call: &NativeCall, at: usize) -> Result<Vec<u8>, Fault> {
    let (array, offset, length) = (
        call.reference(at)?,
        call.short(at + 1)?,
        call.short(at + 2)?,
    );
    Ok(vm.read(call.caller, array, offset, length)?.to_vec())
}

/// Copies a file's FCP template, as much of it as there is room for; gives the number of bytes.
fn template(
    world: &mut World,
    vm: &mut Vm,
    caller: Owner,
    file: FileId,
    (array, offset, length): (Ref, i16, i16),
) -> Answer {
    let mut fcp = world.files.control_parameters(file).map_err(thrown)?;
    fcp.truncate(usize::try_from(length).unwrap_or(0));
    vm.write(world, caller, array, offset, &fcp)?;
    short(fcp.len())
}
