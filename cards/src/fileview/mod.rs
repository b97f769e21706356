//! The UICC file access API (ETSI TS 102 241 7, `uicc.access` and `uicc.access.fileadministration`): FileView objects
//! of applets, their file contexts, and what they may do.
//!
//! A view is a permanent entry point object. Its file context (current directory, file and record) is an array of the
//! applet's, in the memory that the applet asked for: cleared at reset, at deselection, or persistent. Rights
//! come from the access parameters of INSTALL (tags 81 and 82 of EA, ETSI TS 102 226 8.2.1.3.2.2): an applet without
//! an entry for a file system gets no view of it.
//!
//! Named choice: an update of a file is one persistent write of its own, also within a Java Card transaction, whose
//! abort doesn't undo it.

mod admin;
mod natives;

pub(crate) use natives::{current, native};

use crate::fs::security::Rights;
use crate::fs::{FileError, FileId, FileSystems, Position, Reach, ops};
use crate::gp::registry::Aid;
use crate::vm::{Fault, Owner, Ref, Throw, Vm};
use applet_gen::gp::uicc_params::{AccessParameters, UiccParameters};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bytes of a file context: directory, file, record.
const CONTEXT: usize = 9;

/// What an applet may do in a file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Domain {
    Full,
    Map([u8; 3]),
    Nothing,
}

impl Domain {
    /// Access domain parameter and data; what is not known gives nothing.
    fn new(domain: &[u8]) -> Domain {
        match domain {
            [0x00] => Domain::Full,
            [0x02, a, b, c] => Domain::Map([*a, *b, *c]),
            _ => Domain::Nothing,
        }
    }

    fn rights(self) -> Rights<'static> {
        match self {
            Domain::Full => Rights::Full,
            Domain::Map(map) => Rights::Domain(map),
            Domain::Nothing => Rights::Nothing,
        }
    }
}

/// Access domains by file system: empty for the UICC's, else the AID of an ADF.
type Domains = BTreeMap<String, Domain>;

/// An applet's access parameters.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Grant {
    access: Domains,
    administrative: Domains,
}

fn domains(parameters: Option<&AccessParameters>) -> Domains {
    let mut domains = Domains::new();
    if let Some(parameters) = parameters {
        if let Some(uicc) = &parameters.uicc {
            domains.insert(String::new(), Domain::new(&uicc.domain));
        }
        for adf in &parameters.adfs {
            domains.insert(hex::encode(&adf.aid), Domain::new(&adf.access.domain));
        }
    }
    domains
}

impl Grant {
    /// What INSTALL's parameters give.
    pub fn new(parameters: Option<&UiccParameters>) -> Grant {
        let of = |list: fn(&UiccParameters) -> &Option<AccessParameters>| {
            domains(parameters.and_then(|parameters| list(parameters).as_ref()))
        };
        Grant {
            access: of(|parameters| &parameters.access),
            administrative: of(|parameters| &parameters.administrative_access),
        }
    }

    fn domain(&self, administrative: bool, adf: Option<&[u8]>) -> Option<Domain> {
        let domains = match administrative {
            true => &self.administrative,
            false => &self.access,
        };
        domains
            .get(&adf.map_or_else(String::new, hex::encode))
            .copied()
    }
}

/// A FileView.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct View {
    owner: Aid,
    /// The ADF of its file system; `None` for the UICC's.
    adf: Option<Vec<u8>>,
    domain: Domain,
    /// The file context.
    context: Ref,
    object: Ref,
}

/// The FileViews of a card, by their objects' tags.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Views {
    grants: BTreeMap<String, Grant>,
    views: Vec<(u32, View)>,
    next: u32,
}

fn unsigned(bytes: &[u8], at: usize) -> u32 {
    let part = bytes.get(at..at + 4).unwrap_or(&[]);
    part.iter().fold(0, |sum, byte| sum << 8 | u32::from(*byte))
}

impl Views {
    /// Gives an applet that is being installed its rights.
    pub fn grant(&mut self, aid: &Aid, grant: Grant) {
        if grant != Grant::default() {
            self.grants.insert(hex::encode(aid.bytes()), grant);
        }
    }

    /// An applet is gone, with its views; gives their objects.
    pub fn forget(&mut self, aid: &Aid) -> Vec<Ref> {
        self.grants.remove(&hex::encode(aid.bytes()));
        let (gone, left) = core::mem::take(&mut self.views)
            .into_iter()
            .partition(|(_, view)| view.owner == *aid);
        self.views = left;
        let gone: Vec<(u32, View)> = gone;
        gone.into_iter().map(|(_, view)| view.object).collect()
    }

    /// Other files are seen: every view is back at its root.
    pub fn clear(&self, vm: &mut Vm) {
        for (_, view) in &self.views {
            if let Ok(context) = vm.bytes_mut(view.context) {
                context.fill(0);
            }
        }
    }

    /// Objects that the views need.
    pub fn roots(&self) -> impl Iterator<Item = Ref> {
        self.views.iter().map(|(_, view)| view.context)
    }

    /// Drops views that no applet refers to any more; gives their objects.
    pub fn drop_unused(&mut self, used: &dyn Fn(Ref) -> bool) -> Vec<Ref> {
        let (left, gone): (Vec<_>, Vec<_>) = core::mem::take(&mut self.views)
            .into_iter()
            .partition(|(_, view)| used(view.object));
        self.views = left;
        gone.into_iter()
            .flat_map(|(_, view)| [view.object, view.context])
            .collect()
    }

    /// Tags of the views that have this file current, as `vm` holds their contexts.
    pub fn at(&self, vm: &Vm, files: &FileSystems, file: FileId) -> Vec<u32> {
        let mut found = Vec::new();
        for (tag, view) in &self.views {
            let context = vm.bytes(view.context).unwrap_or(&[]);
            if view
                .position(files, context)
                .is_ok_and(|position| position.file == Some(file))
            {
                found.push(*tag);
            }
        }
        found
    }

    fn view(&self, tag: Option<u32>) -> Option<(u32, &View)> {
        let tag = tag?;
        let found = self.views.iter().find(|(other, _)| *other == tag)?;
        Some((tag, &found.1))
    }
}

impl View {
    /// The directory where the view begins; `NotFound` if its ADF went with its profile.
    fn root(&self, files: &FileSystems) -> Result<Position, FileError> {
        match &self.adf {
            None => Ok(Position::default()),
            Some(aid) => {
                let adf = files.tree().adf(aid).ok_or(FileError::NotFound)?;
                Ok(Position::adf(adf))
            }
        }
    }

    fn reach(root: Position) -> Reach {
        root.adf.map_or(Reach::Mf, Reach::Adf)
    }

    /// The position that a file context says, off files that are gone.
    fn position(&self, files: &FileSystems, context: &[u8]) -> Result<Position, FileError> {
        let root = self.root(files)?;
        let (directory, file) = (unsigned(context, 0), unsigned(context, 4));
        if directory == 0 && file == 0 {
            return Ok(root);
        }
        let mut position = Position {
            directory: FileId(directory),
            file: (file != 0).then_some(FileId(file)),
            record: context.get(8).copied().unwrap_or(0),
            adf: root.adf,
        };
        ops::settle(files.tree(), &mut position, root.directory);
        Ok(position)
    }
}

fn context_bytes(position: Position) -> [u8; CONTEXT] {
    let mut bytes = [0; CONTEXT];
    let file = position.file.unwrap_or_default();
    bytes[..4].copy_from_slice(&position.directory.0.to_be_bytes());
    bytes[4..8].copy_from_slice(&file.0.to_be_bytes());
    bytes[8] = position.record;
    bytes
}

/// Reasons of `uicc.access.UICCException`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i16)]
enum Reason {
    NoEfSelected = 1,
    CommandIncompatible = 2,
    SecurityStatusNotSatisfied = 3,
    FileNotFound = 4,
    InternalError = 5,
    RefDataInvalidated = 6,
    OutOfFileBoundaries = 7,
    OutOfRecordBoundaries = 8,
    RecordNotFound = 9,
    InvalidMode = 10,
    CommandNotAllowed = 11,
    MaxValueReached = 12,
    ConditionsOfUseNotSatisfied = 14,
    ReferencedDataNotFound = 15,
    NotEnoughMemorySpace = 17,
}

impl From<Reason> for Fault {
    fn from(reason: Reason) -> Fault {
        Throw::new("uicc/access/UICCException", reason as i16).into()
    }
}

/// What an applet is told of a refused operation.
fn thrown(error: FileError) -> Fault {
    let reason = match error {
        FileError::NoEf => Reason::NoEfSelected,
        FileError::Structure => Reason::CommandIncompatible,
        FileError::Security => Reason::SecurityStatusNotSatisfied,
        FileError::NotFound => Reason::FileNotFound,
        FileError::Invalidated => Reason::RefDataInvalidated,
        FileError::OutOfFile => Reason::OutOfFileBoundaries,
        FileError::OutOfRecord => Reason::OutOfRecordBoundaries,
        FileError::RecordNotFound => Reason::RecordNotFound,
        FileError::Mode => Reason::InvalidMode,
        FileError::MaxReached => Reason::MaxValueReached,
        FileError::NotAllowed => Reason::CommandNotAllowed,
        FileError::Terminated | FileError::Conditions => Reason::ConditionsOfUseNotSatisfied,
        FileError::Reference => Reason::ReferencedDataNotFound,
        FileError::Memory => Reason::NotEnoughMemorySpace,
        // A file that isn't shareable and current elsewhere: the specification names no reason.
        FileError::NotShareable
        | FileError::Exists
        | FileError::NameExists
        | FileError::Parameters
        | FileError::Blocked
        | FileError::Function
        | FileError::Length
        | FileError::Le(_)
        | FileError::Mac
        | FileError::Context => Reason::InternalError,
        FileError::Power(_) => return Fault::PowerCut,
    };
    reason.into()
}

/// Contexts are the runtime's to read and write, whoever calls.
const RUNTIME: Owner = Owner::JCRE;
