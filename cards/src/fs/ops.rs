//! Operations on the file where one stands (ETSI TS 102 221 11.1, TS 102 222): the same for a terminal's commands
//! and for an applet's FileView. Each that changes something is one persistent write: a power cut
//! before it leaves the old contents, one after it the new.

use super::FileError;
use super::fcp;
use super::security::{Operation, Rights};
use super::tree::{Elementary, FileId, Kind, LifeCycle, Position, Structure, Tree};
use crate::power::Nvm;

/// Which record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record {
    /// By its number from 1, or the current one (0).
    Absolute(u8),
    /// The one behind the current one.
    Next,
    /// The one before the current one.
    Previous,
}

/// Where SEARCH RECORD looks (ETSI TS 102 221 11.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search<'a> {
    /// First record.
    pub from: Record,
    /// To higher numbers, or to lower ones.
    pub forward: bool,
    /// Where in a record: from an offset, or behind the first byte with this value.
    pub within: Within,
    /// What is looked for.
    pub pattern: &'a [u8],
}

/// Part of a record that SEARCH RECORD looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Within {
    /// From this offset on.
    Offset(u8),
    /// Behind the first byte with this value.
    Behind(u8),
}

/// The EF at a position that is fit for use: selected, activated, allowed. For a link, the file that it shows: what a
/// link's own attributes allow is done to the other's contents.
fn usable<'a>(
    tree: &'a Tree,
    at: &Position,
    operation: Operation,
    rights: &Rights<'_>,
    structures: &[Structure],
) -> Result<(FileId, &'a Elementary), FileError> {
    let file = at.file.ok_or(FileError::NoEf)?;
    let node = tree.get(file).map_err(|_| FileError::NoEf)?;
    let (shown, ef) = tree.contents(file)?;
    if !structures.contains(&ef.structure) {
        return Err(FileError::Structure);
    }
    tree.allow(file, operation, rights)?;
    match node.state {
        LifeCycle::Deactivated => Err(FileError::Invalidated),
        LifeCycle::Terminated => Err(FileError::Terminated),
        _ => Ok((shown, ef)),
    }
}

const RECORDS: &[Structure] = &[Structure::LinearFixed, Structure::Cyclic];

/// The number of the record, which `Next` and `Previous` make the current one.
fn number(ef: &Elementary, record: Record, current: u8) -> Result<u8, FileError> {
    let last = ef.records();
    let wraps = ef.structure == Structure::Cyclic;
    let number = match (record, current) {
        (Record::Absolute(0), current) => current,
        (Record::Absolute(number), _) => number,
        (Record::Next, current) if current >= last => match wraps || current == 0 {
            true => 1,
            false => return Err(FileError::RecordNotFound),
        },
        (Record::Next, current) => current + 1,
        (Record::Previous, 0) => last,
        (Record::Previous, 1) => match wraps {
            true => last,
            false => return Err(FileError::RecordNotFound),
        },
        (Record::Previous, current) => current - 1,
    };
    match (1..=last).contains(&number) {
        true => Ok(number),
        false => Err(FileError::RecordNotFound),
    }
}

/// READ BINARY: the file from an offset to its end.
///
/// # Errors
/// [`FileError`].
pub fn read_binary<'a>(
    tree: &'a Tree,
    at: &Position,
    rights: &Rights<'_>,
    offset: usize,
) -> Result<&'a [u8], FileError> {
    let structures = &[Structure::Transparent];
    let (_, ef) = usable(tree, at, Operation::Read, rights, structures)?;
    ef.data.get(offset..).ok_or(FileError::OutOfFile)
}

/// UPDATE BINARY.
///
/// # Errors
/// [`FileError`].
pub fn update_binary(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &Position,
    rights: &Rights<'_>,
    offset: usize,
    data: &[u8],
) -> Result<FileId, FileError> {
    let structures = &[Structure::Transparent];
    let (file, ef) = usable(tree, at, Operation::Update, rights, structures)?;
    if offset + data.len() > ef.data.len() {
        return Err(FileError::OutOfFile);
    }
    if !data.is_empty() {
        nvm.commit()?;
        if let Kind::Elementary(ef) = &mut tree.get_mut(file)?.kind
            && let Some(slot) = ef.data.get_mut(offset..offset + data.len())
        {
            slot.copy_from_slice(data);
        }
    }
    Ok(file)
}

/// READ RECORD: the record, and its number, which is current if it was reached by `Next` or `Previous`.
///
/// # Errors
/// [`FileError`].
pub fn read_record<'a>(
    tree: &'a Tree,
    at: &Position,
    rights: &Rights<'_>,
    record: Record,
) -> Result<(&'a [u8], u8), FileError> {
    let (_, ef) = usable(tree, at, Operation::Read, rights, RECORDS)?;
    let number = number(ef, record, at.record)?;
    Ok((ef.get(number).ok_or(FileError::RecordNotFound)?, number))
}

/// UPDATE RECORD: `data` from an offset of the record. A cyclic file takes `Previous` only: the oldest record
/// becomes record 1. Moves the position as [`read_record`] says; gives the file.
///
/// # Errors
/// [`FileError`].
pub fn update_record(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &mut Position,
    rights: &Rights<'_>,
    record: Record,
    offset: usize,
    data: &[u8],
) -> Result<FileId, FileError> {
    let (file, ef) = usable(tree, at, Operation::Update, rights, RECORDS)?;
    let cyclic = ef.structure == Structure::Cyclic;
    if cyclic && record != Record::Previous {
        return Err(FileError::Structure);
    }
    let number = match cyclic {
        true => 1,
        false => number(ef, record, at.record)?,
    };
    let length = usize::from(ef.record);
    if ef.get(number).is_none() {
        return Err(FileError::RecordNotFound);
    }
    if offset + data.len() > length {
        return Err(FileError::OutOfRecord);
    }
    nvm.commit()?;
    if let Kind::Elementary(ef) = &mut tree.get_mut(file)?.kind {
        if cyclic {
            ef.data.rotate_right(length);
        }
        let start = usize::from(number - 1) * length + offset;
        if let Some(slot) = ef.data.get_mut(start..start + data.len()) {
            slot.copy_from_slice(data);
        }
    }
    if record == Record::Next || record == Record::Previous {
        at.record = number;
    }
    Ok(file)
}

/// SEARCH RECORD: numbers of the records with the pattern, in the order of the search; the first of them becomes
/// current.
///
/// # Errors
/// [`FileError`].
pub fn search(
    tree: &Tree,
    at: &mut Position,
    rights: &Rights<'_>,
    search: &Search<'_>,
) -> Result<Vec<u8>, FileError> {
    let (_, ef) = usable(tree, at, Operation::Read, rights, RECORDS)?;
    let offset = match search.within {
        Within::Offset(offset) => usize::from(offset),
        Within::Behind(_) => 0,
    };
    if offset + search.pattern.len() > usize::from(ef.record) {
        return Err(FileError::OutOfRecord);
    }
    let from = match number(ef, search.from, at.record) {
        Ok(from) => from,
        // Nothing lies behind the last record of a linear file, nor before the first.
        Err(_) if matches!(search.from, Record::Next | Record::Previous) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let has = |number: &u8| {
        let Some(record) = ef.get(*number) else {
            return false;
        };
        let start = match search.within {
            Within::Offset(offset) => usize::from(offset),
            Within::Behind(value) => match record.iter().position(|byte| *byte == value) {
                Some(at) => at + 1,
                None => return false,
            },
        };
        let part = record.get(start..).unwrap_or(&[]);
        search.pattern.is_empty()
            || part
                .windows(search.pattern.len())
                .any(|part| part == search.pattern)
    };
    let found: Vec<u8> = match search.forward {
        true => (from..=ef.records()).filter(has).collect(),
        false => (1..=from).rev().filter(has).collect(),
    };
    if let Some(first) = found.first() {
        at.record = *first;
    }
    Ok(found)
}

/// What [`increase`] would write: the record written last plus `value`, both most significant byte first.
///
/// # Errors
/// [`FileError`].
pub fn increased(
    tree: &Tree,
    at: &Position,
    rights: &Rights<'_>,
    value: &[u8],
) -> Result<(FileId, Vec<u8>), FileError> {
    let structures = &[Structure::Cyclic];
    let (file, ef) = usable(tree, at, Operation::Increase, rights, structures)?;
    let last = ef.get(1).ok_or(FileError::RecordNotFound)?;
    let mut sum = last.to_vec();
    let mut carry = 0u16;
    let mut digits = value.iter().rev();
    for byte in sum.iter_mut().rev() {
        let total = u16::from(*byte) + digits.next().map_or(0, |digit| u16::from(*digit)) + carry;
        let [high, low] = total.to_be_bytes();
        *byte = low;
        carry = high.into();
    }
    if carry != 0 || digits.any(|digit| *digit != 0) {
        return Err(FileError::MaxReached);
    }
    Ok((file, sum))
}

/// INCREASE: writes what [`increased`] gave over the oldest record, which becomes record 1 and current.
///
/// # Errors
/// [`FileError`].
pub fn increase(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &mut Position,
    file: FileId,
    sum: &[u8],
) -> Result<(), FileError> {
    nvm.commit()?;
    if let Kind::Elementary(ef) = &mut tree.get_mut(file)?.kind {
        ef.data.rotate_right(usize::from(ef.record));
        if let Some(slot) = ef.data.get_mut(..sum.len()) {
            slot.copy_from_slice(sum);
        }
    }
    at.record = 1;
    Ok(())
}

/// ACTIVATE FILE, DEACTIVATE FILE, TERMINATE EF and TERMINATE DF on a file.
///
/// # Errors
/// [`FileError`].
pub fn set_state(
    tree: &mut Tree,
    nvm: &mut Nvm,
    file: FileId,
    rights: &Rights<'_>,
    state: LifeCycle,
) -> Result<(), FileError> {
    let operation = match state {
        LifeCycle::Activated => Operation::Activate,
        LifeCycle::Deactivated => Operation::Deactivate,
        _ => Operation::Terminate,
    };
    tree.allow(file, operation, rights)?;
    let node = tree.get_mut(file)?;
    if node.state == LifeCycle::Terminated {
        return Err(FileError::Terminated);
    }
    if node.state != state {
        nvm.commit()?;
        node.state = state;
    }
    Ok(())
}

/// CREATE FILE in the current directory: the data objects of the FCP template. The new file is the current one.
///
/// # Errors
/// [`FileError`].
pub fn create(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &mut Position,
    rights: &Rights<'_>,
    objects: &[u8],
) -> Result<FileId, FileError> {
    let parent = at.directory;
    let node = fcp::parse(objects, parent)?;
    let operation = match node.is_directory() {
        true => Operation::CreateDf,
        false => Operation::CreateEf,
    };
    // ADFs are made in the MF only (ETSI TS 102 222 6.3).
    if node.adf_name().is_some() && parent != FileId::MF {
        return Err(FileError::Conditions);
    }
    tree.allow(parent, operation, rights)?;
    match tree.get(parent)?.state {
        LifeCycle::Deactivated => return Err(FileError::Invalidated),
        LifeCycle::Terminated => return Err(FileError::Terminated),
        _ => {}
    }
    tree.fits(&node)?;
    nvm.commit()?;
    let file = tree.insert(node)?;
    *at = tree.go(*at, file)?;
    Ok(file)
}

/// DELETE FILE: a file of the current directory, with all that is in it. Its own rule or its directory's has to allow
/// it.
///
/// # Errors
/// [`FileError`].
pub fn delete(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &mut Position,
    rights: &Rights<'_>,
    file: FileId,
) -> Result<(), FileError> {
    if file == FileId::MF {
        return Err(FileError::NotAllowed);
    }
    let parent = tree.get(file)?.parent;
    tree.allow(parent, Operation::DeleteChild, rights)
        .or_else(|_| tree.allow(file, Operation::Delete, rights))?;
    nvm.commit()?;
    tree.remove(file);
    settle(tree, at, parent);
    Ok(())
}

/// Moves a position off files that are gone: to `directory`, or to the MF.
pub fn settle(tree: &Tree, at: &mut Position, directory: FileId) {
    if at.adf.is_some_and(|adf| tree.get(adf).is_err()) {
        at.adf = None;
    }
    if tree.get(at.directory).is_err() {
        *at = Position {
            directory: match tree.get(directory) {
                Ok(_) => directory,
                Err(_) => FileId::MF,
            },
            adf: at.adf,
            ..Position::default()
        };
    } else if at.file.is_some_and(|file| tree.get(file).is_err()) {
        at.file = None;
        at.record = 0;
    }
}

/// RESIZE FILE: a transparent or linear fixed EF of the current directory. What comes to it is FF.
///
/// # Errors
/// [`FileError`].
pub fn resize(
    tree: &mut Tree,
    nvm: &mut Nvm,
    at: &mut Position,
    rights: &Rights<'_>,
    objects: &[u8],
) -> Result<FileId, FileError> {
    let (fid, size) = fcp::parse_resize(objects)?;
    let file = tree.child(at.directory, fid).ok_or(FileError::NotFound)?;
    let node = tree.get(file)?;
    let ef = node.elementary().ok_or(FileError::Structure)?;
    if ef.structure == Structure::Cyclic || ef.link.is_some() {
        return Err(FileError::Structure);
    }
    tree.allow(file, Operation::Resize, rights)?;
    match node.state {
        LifeCycle::Deactivated => return Err(FileError::Invalidated),
        LifeCycle::Terminated => return Err(FileError::Terminated),
        _ => {}
    }
    let whole = match ef.record {
        0 => true,
        record => size.is_multiple_of(u16::from(record)) && size / u16::from(record) <= 254,
    };
    if !whole {
        return Err(FileError::Parameters);
    }
    let size = usize::from(size);
    tree.room(size.saturating_sub(ef.data.len()))?;
    nvm.commit()?;
    if let Kind::Elementary(ef) = &mut tree.get_mut(file)?.kind {
        ef.data.resize(size, 0xFF);
        if at.file == Some(file) && at.record > ef.records() {
            at.record = 0;
        }
    }
    Ok(file)
}
