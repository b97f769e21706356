//! `uicc.access.fileadministration.AdminFileView` (ETSI TS 102 241 8): CREATE, DELETE and RESIZE FILE.

use super::natives::Session;
use super::{Reason, thrown};
use crate::card::World;
use crate::fs::{FileError, ops};
use crate::toolkit;
use crate::vm::{Fault, NativeCall, Throw, Value, Vm, VmError};

/// Reasons of `AdminException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
enum AdminReason {
    IncorrectParameters = 1,
    FileAlreadyExists = 2,
    ConditionsOfUseNotSatisfied = 3,
    NotEnoughMemorySpace = 4,
    DfNameAlreadyExists = 5,
}

impl From<AdminReason> for Fault {
    fn from(reason: AdminReason) -> Fault {
        Throw::new(
            "uicc/access/fileadministration/AdminException",
            reason as i16,
        )
        .into()
    }
}

fn refused(error: FileError) -> Fault {
    match error {
        FileError::Parameters => AdminReason::IncorrectParameters.into(),
        FileError::Exists => AdminReason::FileAlreadyExists.into(),
        FileError::NameExists => AdminReason::DfNameAlreadyExists.into(),
        FileError::Memory => AdminReason::NotEnoughMemorySpace.into(),
        FileError::Conditions | FileError::Terminated => {
            AdminReason::ConditionsOfUseNotSatisfied.into()
        }
        other => thrown(other),
    }
}

pub(super) fn method(
    world: &mut World,
    vm: &mut Vm,
    call: &NativeCall,
    at: &mut Session,
) -> Result<Option<Value>, Fault> {
    let rights = at.view.domain.rights();
    match call.method {
        "deleteFile" => {
            let fid = call.short(0)?.cast_unsigned();
            let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
            let file = tree
                .child(at.position.directory, fid)
                .ok_or(Reason::FileNotFound)?;
            ops::delete(tree, nvm, &mut at.position, &rights, file).map_err(refused)?;
        }
        "createFile" => {
            let objects = toolkit::view_bytes(world, vm, call.reference(0)?)?;
            let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
            ops::create(tree, nvm, &mut at.position, &rights, &objects).map_err(refused)?;
        }
        "resizeFile" => {
            let objects = toolkit::view_bytes(world, vm, call.reference(0)?)?;
            let (tree, nvm) = (world.files.tree_mut(), &mut world.nvm);
            ops::resize(tree, nvm, &mut at.position, &rights, &objects).map_err(refused)?;
        }
        _ => return Err(VmError::NotSupported(call.name()).into()),
    }
    Ok(None)
}
