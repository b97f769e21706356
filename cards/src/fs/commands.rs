//! File commands on the interface (ETSI TS 102 221 11.1, ETSI TS 102 222 6).

use super::ops::{self, Record, Search, Within};
use super::security::Rights;
use super::tree::{FileId, LifeCycle, Position, Reach};
use super::{FileError, FileSystems, MF};
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// What a command did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The answer.
    pub response: Response,
    /// The EF whose contents it changed.
    pub updated: Option<FileId>,
}

impl From<Response> for Done {
    fn from(response: Response) -> Done {
        Done {
            response,
            updated: None,
        }
    }
}

fn ok() -> Done {
    Response::status(Sw::OK).into()
}

fn updated(file: FileId) -> Done {
    Done {
        response: Response::status(Sw::OK),
        updated: Some(file),
    }
}

/// Records in P2 of READ, UPDATE and SEARCH RECORD: a short file identifier, and the mode in its low bits.
fn mode(command: &Command) -> (Option<u8>, u8) {
    let sfi = command.p2 >> 3;
    ((sfi != 0).then_some(sfi), command.p2 & 0x07)
}

fn record(mode: u8, number: u8) -> Result<Record, FileError> {
    match (mode, number) {
        (0x02, 0) => Ok(Record::Next),
        (0x03, 0) => Ok(Record::Previous),
        (0x04, number) => Ok(Record::Absolute(number)),
        _ => Err(FileError::Mode),
    }
}

impl FileSystems {
    /// What SELECT by file identifier (P1 00), child (01, 02), parent (03), path from the MF (08) or from the current
    /// directory (09) leads to (11.1.1).
    ///
    /// # Errors
    /// [`FileError`].
    pub fn find(&self, from: Position, p1: u8, data: &[u8]) -> Result<Position, FileError> {
        let tree = self.tree();
        let step = |at: Position, fid: u16| tree.go(at, tree.find(at, fid, Reach::Mf)?);
        let identifier = |pair: &[u8]| match pair {
            [hi, lo] => Ok(u16::from_be_bytes([*hi, *lo])),
            _ => Err(FileError::Length),
        };
        let here = Position { file: None, ..from };
        match p1 {
            0x00 if data.is_empty() => step(here, MF),
            0x00 => {
                let fid = identifier(data)?;
                match (step(here, fid), tree.child(FileId::MF, fid)) {
                    // Terminals select EFs of the MF from an ADF, and cards let them.
                    (Err(FileError::NotFound), Some(file))
                        if tree.get(file)?.elementary().is_some() =>
                    {
                        tree.go(here, file)
                    }
                    (found, _) => found,
                }
            }
            0x01 | 0x02 => {
                let file = tree
                    .child(from.directory, identifier(data)?)
                    .ok_or(FileError::NotFound)?;
                if tree.get(file)?.is_directory() != (p1 == 0x01) {
                    return Err(FileError::NotFound);
                }
                tree.go(here, file)
            }
            0x03 if data.is_empty() => tree.go(here, tree.get(from.directory)?.parent),
            0x03 => Err(FileError::Length),
            0x08 | 0x09 => {
                if data.is_empty() || !data.len().is_multiple_of(2) {
                    return Err(FileError::Length);
                }
                let mut at = match p1 {
                    0x08 => Position {
                        adf: from.adf,
                        ..Position::default()
                    },
                    _ => here,
                };
                for pair in data.chunks_exact(2) {
                    let fid = identifier(pair)?;
                    if at.file.is_some() {
                        return Err(FileError::NotFound);
                    }
                    let file = match tree.child(at.directory, fid) {
                        Some(child) => child,
                        // The MF and the current ADF may begin a path.
                        None => tree.find(
                            Position {
                                directory: FileId::MF,
                                ..at
                            },
                            fid,
                            Reach::Mf,
                        )?,
                    };
                    at = tree.go(at, file)?;
                }
                Ok(at)
            }
            _ => Err(FileError::Mode),
        }
    }

    /// The answer to a successful SELECT: P2 0C nothing, else the FCP; a warning if the file is deactivated (6283) or
    /// terminated (6285).
    pub fn selected(&self, position: Position, p2: u8) -> Response {
        let file = position.file.unwrap_or(position.directory);
        let (Ok(fcp), Ok(node)) = (self.control_parameters(file), self.tree().get(file)) else {
            return Response::status(Sw::NOT_FOUND);
        };
        Response {
            data: if p2 & 0x0C == 0x0C { Vec::new() } else { fcp },
            sw: match node.state {
                LifeCycle::Deactivated => Sw::WARNING_INVALIDATED,
                LifeCycle::Terminated => Sw::WARNING_TERMINATED,
                _ => Sw::OK,
            },
        }
    }

    /// STATUS (11.1.2): P2 00 the directory's FCP, 01 its DF name, 0C nothing.
    pub fn status(&self, position: Position, command: &Command) -> Response {
        if command.p1 > 2 {
            return Response::status(Sw::INCORRECT_P1_P2);
        }
        match command.p2 {
            0x0C => Response::status(Sw::OK),
            0x00 => match self.control_parameters(position.directory) {
                Ok(fcp) => Response::ok(fcp),
                Err(_) => Response::status(Sw::CONDITIONS_NOT_SATISFIED),
            },
            0x01 => {
                let adf = position.adf.and_then(|adf| self.tree().get(adf).ok());
                match adf.and_then(|node| node.adf_name()) {
                    Some(aid) => Response::ok(tlv::write(0x84, aid)),
                    None => Response::ok(tlv::write(0x84, &MF.to_be_bytes())),
                }
            }
            _ => Response::status(Sw::INCORRECT_P1_P2),
        }
    }

    /// A command to the files, SELECT and STATUS aside.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn command(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        ops::settle(self.tree(), position, FileId::MF);
        match (command.cla & 0x80, command.ins) {
            (0, 0xB0) => self.read_binary(position, command).map(Done::from),
            (0, 0xD6) => self.update_binary(nvm, position, command),
            (0, 0xB2) => self.read_record(position, command).map(Done::from),
            (0, 0xDC) => self.update_record(nvm, position, command),
            (0, 0xA2) => self.search_record(position, command).map(Done::from),
            (0x80, 0x32) => self.increase(nvm, position, command),
            (0, 0x20 | 0x24 | 0x26 | 0x28 | 0x2C) => {
                let mut pins = self.pins(position.directory);
                pins.command(nvm, command).map(Done::from)
            }
            (0, 0x04 | 0x44 | 0xE6 | 0xE8) => self.set_state(nvm, position, command),
            (0, 0xE0 | 0xE4) | (0x80, 0xD4) => self.administer(nvm, position, command),
            (0, 0x88) => self.authenticate(nvm, position, command).map(Done::from),
            _ => Ok(Response::status(Sw::INS_NOT_SUPPORTED).into()),
        }
    }

    /// Makes the EF of a short file identifier the current one.
    fn by_short(&self, position: &mut Position, sfi: Option<u8>) -> Result<(), FileError> {
        if let Some(sfi) = sfi {
            let file = self.tree().find_short(position.directory, sfi)?;
            *position = self.tree().go(*position, file)?;
        }
        Ok(())
    }

    /// Offset and short file identifier in P1 and P2 of READ and UPDATE BINARY.
    fn offset(&self, position: &mut Position, command: &Command) -> Result<usize, FileError> {
        if command.p1 & 0x80 == 0 {
            return Ok(u16::from_be_bytes([command.p1, command.p2]).into());
        }
        if command.p1 & 0x60 != 0 {
            return Err(FileError::Mode);
        }
        self.by_short(position, Some(command.p1 & 0x1F))?;
        Ok(command.p2.into())
    }

    fn read_binary(
        &self,
        position: &mut Position,
        command: &Command,
    ) -> Result<Response, FileError> {
        let offset = self.offset(position, command)?;
        let keys = self.satisfied(position.directory);
        let rest = ops::read_binary(self.tree(), position, &Rights::Terminal(&keys), offset)?;
        if rest.is_empty() {
            return Err(FileError::OutOfFile);
        }
        match command.le {
            None => Err(FileError::Le(rest.len())),
            Some(256) => Ok(Response::ok(rest.get(..256).unwrap_or(rest))),
            Some(le) => match rest.get(..le as usize) {
                Some(bytes) => Ok(Response::ok(bytes)),
                None => Err(FileError::Le(rest.len())),
            },
        }
    }

    fn update_binary(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        let offset = self.offset(position, command)?;
        let keys = self.satisfied(position.directory);
        let (tree, rights) = (self.tree_mut(), Rights::Terminal(&keys));
        if command.data.is_empty() {
            return Err(FileError::Length);
        }
        ops::update_binary(tree, nvm, position, &rights, offset, &command.data).map(updated)
    }

    fn read_record(
        &self,
        position: &mut Position,
        command: &Command,
    ) -> Result<Response, FileError> {
        let (sfi, mode) = mode(command);
        let record = record(mode, command.p1)?;
        self.by_short(position, sfi)?;
        let keys = self.satisfied(position.directory);
        let (bytes, number) =
            ops::read_record(self.tree(), position, &Rights::Terminal(&keys), record)?;
        let length = bytes.len();
        match command.le {
            Some(le) if le as usize == length || le == 256 => {}
            _ => return Err(FileError::Le(length)),
        }
        if !matches!(record, Record::Absolute(_)) {
            position.record = number;
        }
        Ok(Response::ok(bytes))
    }

    fn update_record(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        let (sfi, mode) = mode(command);
        let record = record(mode, command.p1)?;
        self.by_short(position, sfi)?;
        let keys = self.satisfied(position.directory);
        let tree = self.tree_mut();
        // The whole record, no less (11.1.6).
        let ef = position.file.and_then(|file| tree.contents(file).ok());
        let length = ef.map(|(_, ef)| usize::from(ef.record));
        if length.is_some_and(|length| length != 0 && length != command.data.len()) {
            return Err(FileError::Length);
        }
        let rights = Rights::Terminal(&keys);
        ops::update_record(tree, nvm, position, &rights, record, 0, &command.data).map(updated)
    }

    fn search_record(
        &self,
        position: &mut Position,
        command: &Command,
    ) -> Result<Response, FileError> {
        let (sfi, mode) = mode(command);
        let data = command.data.as_slice();
        let (from, forward, within, pattern) = match mode {
            0x04 | 0x05 => (
                Record::Absolute(command.p1),
                mode == 0x04,
                Within::Offset(0),
                data,
            ),
            0x06 => {
                let (&[indication, value], pattern) =
                    data.split_first_chunk::<2>().ok_or(FileError::Length)?;
                let (from, forward) = direction(indication, command.p1)?;
                let within = match indication & 0x08 {
                    0 => Within::Offset(value),
                    _ => Within::Behind(value),
                };
                (from, forward, within, pattern)
            }
            _ => return Err(FileError::Mode),
        };
        if pattern.is_empty() {
            return Err(FileError::Length);
        }
        self.by_short(position, sfi)?;
        let keys = self.satisfied(position.directory);
        let search = Search {
            from,
            forward,
            within,
            pattern,
        };
        let found = ops::search(self.tree(), position, &Rights::Terminal(&keys), &search)?;
        Ok(match found.is_empty() {
            // 6282: unsuccessful search.
            true => Response::status(Sw::SEARCH_UNSUCCESSFUL),
            false => Response::ok(found),
        })
    }

    fn increase(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        match command.p1 {
            0 => {}
            sfi if sfi & 0xE0 == 0x80 => self.by_short(position, Some(sfi & 0x1F))?,
            _ => return Err(FileError::Mode),
        }
        if command.p2 != 0 {
            return Err(FileError::Mode);
        }
        if command.data.is_empty() || command.data.len() > 127 {
            return Err(FileError::Length);
        }
        let keys = self.satisfied(position.directory);
        let tree = self.tree_mut();
        let rights = Rights::Terminal(&keys);
        let (file, sum) = ops::increased(tree, position, &rights, &command.data)?;
        ops::increase(tree, nvm, position, file, &sum)?;
        // The new value, and what was added to it (11.1.8).
        let mut data = sum;
        data.extend(&command.data);
        Ok(Done {
            response: Response::ok(data),
            updated: Some(file),
        })
    }

    /// DEACTIVATE, ACTIVATE FILE and TERMINATE EF/DF: the current file, or the one that the data name as SELECT does.
    fn set_state(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        if command.p2 != 0 || !matches!(command.p1, 0 | 8 | 9) {
            return Err(FileError::Mode);
        }
        let named = match command.data.is_empty() {
            true => *position,
            false => self.find(*position, command.p1, &command.data)?,
        };
        let file = named.file.unwrap_or(named.directory);
        if file == FileId::MF {
            return Err(FileError::NotAllowed);
        }
        let state = match command.ins {
            0x04 => LifeCycle::Deactivated,
            0x44 => LifeCycle::Activated,
            _ => LifeCycle::Terminated,
        };
        // TERMINATE EF isn't for directories, nor TERMINATE DF for EFs.
        let directory = self.tree().get(file)?.is_directory();
        if matches!(command.ins, 0xE6 | 0xE8) && directory != (command.ins == 0xE6) {
            return Err(FileError::NotAllowed);
        }
        let keys = self.satisfied(position.directory);
        let rights = Rights::Terminal(&keys);
        ops::set_state(self.tree_mut(), nvm, file, &rights, state)?;
        Ok(ok())
    }

    /// CREATE, DELETE and RESIZE FILE.
    fn administer(
        &mut self,
        nvm: &mut Nvm,
        position: &mut Position,
        command: &Command,
    ) -> Result<Done, FileError> {
        if (command.p1, command.p2) != (0, 0) {
            return Err(FileError::Mode);
        }
        let keys = self.satisfied(position.directory);
        let rights = Rights::Terminal(&keys);
        if command.ins == 0xE4 {
            let named = match command.data.is_empty() {
                true => *position,
                false => self.find(*position, 0, &command.data)?,
            };
            let file = named.file.unwrap_or(named.directory);
            ops::delete(self.tree_mut(), nvm, position, &rights, file)?;
            return Ok(ok());
        }
        let template = tlv::read_one(&command.data).map_err(|_| FileError::Parameters)?;
        if template.tag != 0x62 {
            return Err(FileError::Parameters);
        }
        let tree = self.tree_mut();
        match command.ins {
            0xE0 => ops::create(tree, nvm, position, &rights, template.value)?,
            _ => ops::resize(tree, nvm, position, &rights, template.value)?,
        };
        Ok(ok())
    }
}

/// Start and direction of an enhanced search (table 11.11): bits 3 to 1 of the search indication.
///
/// # Errors
/// [`FileError::Mode`].
pub fn direction(indication: u8, number: u8) -> Result<(Record, bool), FileError> {
    Ok(match indication & 0xF7 {
        0x04 => (Record::Absolute(number), true),
        0x05 => (Record::Absolute(number), false),
        0x06 => (Record::Next, true),
        0x07 => (Record::Previous, false),
        _ => return Err(FileError::Mode),
    })
}
