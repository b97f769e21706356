//! PINs and administrative keys (ETSI TS 102 221 9.4, 9.5, 11.1.9 to 11.1.13): VERIFY, CHANGE, DISABLE, ENABLE,
//! UNBLOCK.

use super::{FileError, FileId};
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

/// Length of a PIN as it is coded: FF behind its digits.
pub const PIN_BYTES: usize = 8;
/// P1 of DISABLE PIN: the universal PIN replaces it. This card doesn't do that.
const REPLACE: u8 = 0x80;

/// A PIN or key with its counters.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pin {
    /// Key reference (table 9.3).
    pub reference: u8,
    value: [u8; PIN_BYTES],
    /// False if commands need no verification of it.
    pub enabled: bool,
    /// Wrong presentations before it is blocked.
    limit: u8,
    /// Presentations left.
    left: u8,
    puk: Option<[u8; PIN_BYTES]>,
    puk_limit: u8,
    puk_left: u8,
    /// Directories whose PIN it is: the MF for a global one. Where it is looked for, the nearest directory counts.
    #[serde(default = "everywhere")]
    scopes: Vec<FileId>,
    /// If it may be changed, and if it may be disabled.
    #[serde(default = "allowed")]
    changeable: bool,
    #[serde(default = "allowed")]
    can_be_disabled: bool,
}

fn everywhere() -> Vec<FileId> {
    vec![FileId::MF]
}

fn allowed() -> bool {
    true
}

impl core::fmt::Debug for Pin {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Pin")
            .field("reference", &self.reference)
            .field("enabled", &self.enabled)
            .field("left", &self.left)
            .finish_non_exhaustive()
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.value.zeroize();
        if let Some(puk) = &mut self.puk {
            puk.zeroize();
        }
    }
}

/// Pads a PIN's digits.
pub(super) fn padded(text: &[u8]) -> Option<[u8; PIN_BYTES]> {
    let mut value = [0xFF; PIN_BYTES];
    value.get_mut(..text.len())?.copy_from_slice(text);
    Some(value)
}

impl Pin {
    /// A PIN with three presentations, and ten of its unblock key, if it has one.
    pub fn new(
        reference: u8,
        value: [u8; PIN_BYTES],
        enabled: bool,
        puk: Option<[u8; PIN_BYTES]>,
    ) -> Pin {
        Pin {
            reference,
            value,
            enabled,
            limit: 3,
            left: 3,
            puk,
            puk_limit: 10,
            puk_left: 10,
            scopes: everywhere(),
            changeable: true,
            can_be_disabled: true,
        }
    }

    /// The same PIN as that of one directory.
    #[must_use]
    pub fn of(mut self, directory: FileId) -> Pin {
        self.scopes = vec![directory];
        self
    }

    /// The same PIN with its own limits: presentations in all and left, of it and of its unblock key.
    #[must_use]
    pub fn with_tries(mut self, pin: (u8, u8), puk: (u8, u8)) -> Pin {
        (self.limit, self.left) = pin;
        (self.puk_limit, self.puk_left) = puk;
        self
    }

    /// The same PIN, that may be changed or disabled or not.
    #[must_use]
    pub fn with_rights(mut self, changeable: bool, can_be_disabled: bool) -> Pin {
        self.changeable = changeable;
        self.can_be_disabled = can_be_disabled;
        self
    }

    /// Directories whose PIN it is.
    pub fn scopes(&self) -> &[FileId] {
        &self.scopes
    }

    /// Makes it another directory's PIN, too.
    pub fn share(&mut self, directory: FileId) {
        if !self.scopes.contains(&directory) {
            self.scopes.push(directory);
        }
    }

    /// An administrative key: it can't be disabled.
    pub fn is_adm(&self) -> bool {
        matches!(self.reference, 0x0A..=0x0E | 0x8A..=0x8E)
    }
}

/// The PINs of a file system, and which of them are verified.
#[derive(Debug)]
pub struct Pins<'a> {
    /// All of them.
    pub list: &'a mut Vec<Pin>,
    /// Those of the list that are verified in this session.
    pub verified: &'a mut Vec<usize>,
    /// The directories from which they are looked at, the nearest first.
    pub from: Vec<FileId>,
}

/// The PIN that a reference means: that of the nearest directory.
pub(super) fn index(list: &[Pin], from: &[FileId], reference: u8) -> Option<usize> {
    from.iter().find_map(|directory| {
        list.iter()
            .position(|pin| pin.reference == reference && pin.scopes.contains(directory))
    })
}

impl Pins<'_> {
    fn pin(&mut self, reference: u8) -> Result<&mut Pin, FileError> {
        let index = index(self.list, &self.from, reference).ok_or(FileError::Reference)?;
        self.list.get_mut(index).ok_or(FileError::Reference)
    }

    fn set_verified(&mut self, reference: u8, verified: bool) {
        let Some(index) = index(self.list, &self.from, reference) else {
            return;
        };
        self.verified.retain(|other| *other != index);
        if verified {
            self.verified.push(index);
        }
    }

    /// Compares a presentation; a wrong one counts. The counter goes down before the comparison, as on a card that
    /// fears for its power.
    fn present(
        &mut self,
        nvm: &mut Nvm,
        reference: u8,
        value: &[u8],
    ) -> Result<Option<Sw>, FileError> {
        let pin = self.pin(reference)?;
        if pin.left == 0 {
            return Err(FileError::Blocked);
        }
        nvm.commit()?;
        pin.left -= 1;
        let fits = pin.value == value;
        if fits {
            nvm.commit()?;
            pin.left = pin.limit;
        }
        let left = pin.left;
        self.set_verified(reference, fits);
        Ok((!fits).then_some(tries(left)))
    }

    /// One of the five commands.
    ///
    /// # Errors
    /// [`FileError`].
    pub fn command(&mut self, nvm: &mut Nvm, command: &Command) -> Result<Response, FileError> {
        let reference = command.p2;
        if command.p1 != 0 {
            return Err(match (command.ins, command.p1) {
                (0x26, REPLACE) => FileError::Function,
                _ => FileError::Mode,
            });
        }
        let data = command.data.as_slice();
        let (first, second) = data.split_at(data.len().min(PIN_BYTES));
        let lengths = (first.len(), second.len());
        let wrong = match command.ins {
            0x20 if data.is_empty() => {
                let left = self.pin(reference)?.left;
                return match left {
                    0 => Err(FileError::Blocked),
                    _ => Ok(Response::status(tries(left))),
                };
            }
            0x20 => {
                one(lengths)?;
                self.enabled(reference)?;
                self.present(nvm, reference, first)?
            }
            0x24 => {
                let new = two(lengths, second)?;
                self.enabled(reference)?;
                if !self.pin(reference)?.changeable {
                    return Err(FileError::Security);
                }
                let wrong = self.present(nvm, reference, first)?;
                if wrong.is_none() {
                    nvm.commit()?;
                    self.pin(reference)?.value = new;
                }
                wrong
            }
            0x26 | 0x28 => {
                one(lengths)?;
                let enable = command.ins == 0x28;
                let pin = self.pin(reference)?;
                if pin.is_adm() || !pin.can_be_disabled || pin.enabled == enable {
                    return Err(FileError::Invalidated);
                }
                let wrong = self.present(nvm, reference, first)?;
                if wrong.is_none() {
                    nvm.commit()?;
                    self.pin(reference)?.enabled = enable;
                }
                wrong
            }
            _ => return self.unblock(nvm, reference, data),
        };
        Ok(Response::status(wrong.unwrap_or(Sw::OK)))
    }

    /// A disabled PIN is neither verified nor changed.
    fn enabled(&mut self, reference: u8) -> Result<(), FileError> {
        match self.pin(reference)?.enabled {
            true => Ok(()),
            false => Err(FileError::Invalidated),
        }
    }

    fn unblock(
        &mut self,
        nvm: &mut Nvm,
        reference: u8,
        data: &[u8],
    ) -> Result<Response, FileError> {
        let pin = self.pin(reference)?;
        let puk = pin.puk.ok_or(FileError::Function)?;
        if pin.puk_left == 0 {
            return Err(FileError::Blocked);
        }
        if data.is_empty() {
            return Ok(Response::status(tries(pin.puk_left)));
        }
        let (given, new) = data.split_at(data.len().min(PIN_BYTES));
        let new = two((given.len(), new.len()), new)?;
        nvm.commit()?;
        pin.puk_left -= 1;
        if puk != given {
            return Ok(Response::status(tries(pin.puk_left)));
        }
        nvm.commit()?;
        pin.puk_left = pin.puk_limit;
        pin.left = pin.limit;
        pin.value = new;
        pin.enabled = true;
        self.set_verified(reference, true);
        Ok(Response::status(Sw::OK))
    }

    /// References that ask for nothing more, as seen from some directories: verified, or disabled. A blocked PIN that is
    /// disabled does neither.
    pub fn satisfied(list: &[Pin], verified: &[usize], from: &[FileId]) -> Vec<u8> {
        list.iter()
            .enumerate()
            .filter(|(at, pin)| {
                index(list, from, pin.reference) == Some(*at)
                    && (!pin.enabled || verified.contains(at))
            })
            .map(|(_, pin)| pin.reference)
            .collect()
    }
}

/// 63Cx.
fn tries(left: u8) -> Sw {
    Sw(0x63C0 | u16::from(left.min(15)))
}

fn one(lengths: (usize, usize)) -> Result<(), FileError> {
    match lengths {
        (PIN_BYTES, 0) => Ok(()),
        _ => Err(FileError::Length),
    }
}

fn two(lengths: (usize, usize), new: &[u8]) -> Result<[u8; PIN_BYTES], FileError> {
    match (lengths, new.try_into()) {
        ((PIN_BYTES, PIN_BYTES), Ok(new)) => Ok(new),
        _ => Err(FileError::Length),
    }
}
