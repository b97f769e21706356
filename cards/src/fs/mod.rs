//! The UICC's file system (ETSI TS 102 221 8 and 11.1, ETSI TS 102 222): a tree of files for each profile, and one
//! for the card without any.
//!
//! [`tree`] holds files and finds them, [`security`] their access rules, [`pins`] PINs and keys, [`ops`] what can be
//! done to a file, [`commands`] the same as APDUs, [`describe`] file systems as data. A new profile's tree is
//! the lab's default one (`cards/files/default.toml`) with the profile's ICCID, IMSI and name in it, and what the
//! card's definition adds.
//!
//! Named choices: with no profile enabled there is no ADF.USIM and no EF.ICCID. When another profile's files are seen,
//! open channels are at its ADF of the same AID, or at its MF, and FileViews are where they begin.
//!
//! A profile that was made from a package has the package's files, PINs and keys instead ([`Subscription::package`]);
//! [`authenticate`] is its AUTHENTICATE.
//!
//! Not there: BER-TLV files (answered 6981 at CREATE FILE), the universal PIN in place of another, GSM's class A0.

pub mod authenticate;
pub mod commands;
pub mod describe;
pub(crate) mod fcp;
pub mod ops;
pub mod pins;
pub mod security;
#[cfg(test)]
mod tests;
pub mod tree;

pub use describe::{DescribeError, FilesDescription};
pub use tree::{FileId, Position, Reach, Tree};

use crate::naa::Naa;
use crate::power::PowerCut;
use crate::saip::asn1::Secret;
use applet_model::status::Sw;
use applet_model::tlv;
use describe::FileDescription;
use pins::{Pin, Pins};
use security::Security;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::OnceLock;
use tree::{CURRENT_ADF, Kind};

/// The master file.
pub const MF: u16 = 0x3F00;
/// AID of the USIM (ETSI TS 101 220 annex E, 3GPP), with the lab's application provider field.
pub const USIM: &[u8] = &[
    0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x49, 0x50, 0x41, 0x65,
];
/// EF.DIR, EF.ICCID (ETSI TS 102 221 13).
const DIR: u16 = 0x2F00;
const ICCID: u16 = 0x2FE2;
/// EF.IMSI, EF.SPN (3GPP TS 31.102 4.2).
pub(crate) const IMSI: u16 = 0x6F07;
const SPN: u16 = 0x6F46;

/// The lab's files, of every profile and of the card without one.
const DEFAULT: &str = include_str!("../../files/default.toml");

/// Why an operation on files is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum FileError {
    #[error("no elementary file is selected")]
    NoEf,
    #[error("the command doesn't fit the file's structure")]
    Structure,
    #[error("the security status isn't satisfied")]
    Security,
    #[error("the file is deactivated, or the PIN disabled")]
    Invalidated,
    #[error("the file is terminated")]
    Terminated,
    #[error("file not found")]
    NotFound,
    #[error("record not found")]
    RecordNotFound,
    #[error("outside the file")]
    OutOfFile,
    #[error("outside the record")]
    OutOfRecord,
    #[error("no such mode")]
    Mode,
    #[error("the largest value is reached")]
    MaxReached,
    #[error("no room")]
    Memory,
    #[error("the file exists")]
    Exists,
    #[error("the DF name exists")]
    NameExists,
    #[error("parameters that make no sense")]
    Parameters,
    #[error("conditions of use not satisfied")]
    Conditions,
    #[error("not allowed")]
    NotAllowed,
    #[error("no such PIN")]
    Reference,
    #[error("blocked")]
    Blocked,
    #[error("not supported")]
    Function,
    #[error("wrong length")]
    Length,
    #[error("wrong Le, {0} bytes are there")]
    Le(usize),
    #[error("the network's MAC is wrong")]
    Mac,
    #[error("no such security context")]
    Context,
    #[error("the file isn't shareable, and current elsewhere")]
    NotShareable,
    #[error(transparent)]
    Power(#[from] PowerCut),
}

impl FileError {
    /// The status word (ETSI TS 102 221 10.2.1); `Err` if there is no power to send one.
    ///
    /// # Errors
    /// [`PowerCut`].
    pub fn status(self) -> Result<Sw, PowerCut> {
        Ok(match self {
            FileError::NoEf | FileError::NotAllowed => Sw::COMMAND_NOT_ALLOWED,
            FileError::Structure => Sw::INCOMPATIBLE_WITH_FILE,
            FileError::Security => Sw::SECURITY_NOT_SATISFIED,
            FileError::Invalidated => Sw::REFERENCED_DATA_INVALIDATED,
            FileError::Terminated | FileError::Conditions | FileError::NotShareable => {
                Sw::CONDITIONS_NOT_SATISFIED
            }
            FileError::NotFound => Sw::NOT_FOUND,
            FileError::RecordNotFound => Sw::RECORD_NOT_FOUND,
            FileError::OutOfFile => Sw::WRONG_P1_P2,
            FileError::OutOfRecord | FileError::Length => Sw::WRONG_LENGTH,
            FileError::Mode => Sw::INCORRECT_P1_P2,
            FileError::MaxReached => Sw::INCREASE_MAXIMUM,
            FileError::Memory => Sw::NOT_ENOUGH_MEMORY,
            FileError::Exists => Sw::FILE_EXISTS,
            FileError::NameExists => Sw::DF_NAME_EXISTS,
            FileError::Parameters => Sw::WRONG_DATA,
            FileError::Reference => Sw::REFERENCED_DATA_NOT_FOUND,
            FileError::Blocked => Sw::AUTHENTICATION_BLOCKED,
            FileError::Function => Sw::FUNCTION_NOT_SUPPORTED,
            FileError::Le(length) => Sw::wrong_le(length),
            FileError::Mac => Sw::AUTHENTICATION_MAC,
            FileError::Context => Sw::SECURITY_CONTEXT,
            FileError::Power(cut) => return Err(cut),
        })
    }
}

/// What the file system shows of the profile that the terminal sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// EF.ICCID, 10 bytes as in the file (nibbles swapped).
    pub iccid: Vec<u8>,
    /// IMSI, decimal digits.
    pub imsi: String,
    /// Service provider name.
    pub name: String,
    /// The profile package that it was made from; empty for a profile that has the lab's default files.
    #[serde(default, skip_serializing_if = "Secret::is_empty")]
    pub package: Secret,
}

/// Where a file is: the AID of its ADF, and file identifiers from 3F00 on (7FFF for the ADF).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FilePath {
    /// The ADF that it is in.
    pub adf: Option<Vec<u8>>,
    /// File identifiers, the MF's first.
    pub fids: Vec<u16>,
}

/// A profile's files and PINs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    /// Files.
    pub tree: Tree,
    /// PINs and keys.
    pub pins: Vec<Pin>,
    /// Authentication keys, with the ADFs that they are for.
    #[serde(default)]
    pub naas: Vec<Naa>,
}

/// The file systems of a card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct FileSystems {
    /// What the card's definition adds to every tree.
    added: FilesDescription,
    /// By the profile's ICCID in hexadecimal digits; empty for the card without a profile.
    volumes: BTreeMap<String, Volume>,
    /// The volume that is seen.
    seen: String,
    /// The volume that is seen while there is none yet: the MF alone.
    blank: Volume,
    /// PINs that were verified in this session, by their place in the volume's list.
    verified: Vec<usize>,
}

impl Default for FileSystems {
    fn default() -> Self {
        FileSystems {
            added: FilesDescription::default(),
            volumes: BTreeMap::new(),
            seen: String::new(),
            blank: Volume {
                tree: Tree::new(Security::None),
                pins: Vec::new(),
                naas: Vec::new(),
            },
            verified: Vec::new(),
        }
    }
}

impl FileSystems {
    /// File systems with what a definition adds to each.
    ///
    /// # Errors
    /// [`DescribeError`] if that can't be followed.
    pub fn new(added: Option<&FilesDescription>) -> Result<FileSystems, DescribeError> {
        let files = FileSystems {
            added: added.cloned().unwrap_or_default(),
            ..FileSystems::default()
        };
        files.make(None)?;
        Ok(files)
    }

    fn make(&self, subscription: Option<&Subscription>) -> Result<Volume, DescribeError> {
        if let Some(subscription) = subscription
            && !subscription.package.is_empty()
        {
            // Only what could be installed became a profile.
            let installed = crate::saip::install::install(subscription.package.bytes());
            return installed
                .map(|installed| installed.volume)
                .map_err(|refused| DescribeError {
                    path: "profile package".to_owned(),
                    problem: refused.to_string(),
                });
        }
        let mut tree = Tree::new(Security::None);
        let mut pins = Vec::new();
        for described in [&defaults(subscription)?, &self.added] {
            described.apply(&mut tree, &mut pins)?;
        }
        if let Some(subscription) = subscription {
            subscription.write(&mut tree);
        }
        Ok(Volume {
            tree,
            pins,
            naas: Vec::new(),
        })
    }

    /// Shows the files of a profile, which are made when it is seen first; PINs have to be verified anew. Files of profiles
    /// that `known` doesn't have any more go. True if other files are seen now than before.
    pub fn show(
        &mut self,
        subscription: Option<&Subscription>,
        known: &dyn Fn(&str) -> bool,
    ) -> bool {
        self.volumes
            .retain(|name, _| name.is_empty() || known(name));
        let name = subscription.map_or_else(String::new, |subscription| {
            hex::encode_upper(&subscription.iccid)
        });
        // What `new` has tried can't fail here.
        if !self.volumes.contains_key(&name)
            && let Ok(volume) = self.make(subscription)
        {
            self.volumes.insert(name.clone(), volume);
        }
        self.verified.clear();
        core::mem::replace(&mut self.seen, name) != self.seen
    }

    /// The power is gone: nothing is verified any more.
    pub fn reset(&mut self) {
        self.verified.clear();
    }

    fn volume(&self) -> &Volume {
        self.volumes.get(&self.seen).unwrap_or(&self.blank)
    }

    /// The files that are seen.
    pub fn tree(&self) -> &Tree {
        &self.volume().tree
    }

    /// The same, to be changed.
    pub fn tree_mut(&mut self) -> &mut Tree {
        &mut self.volume_mut().tree
    }

    fn volume_mut(&mut self) -> &mut Volume {
        self.volumes.get_mut(&self.seen).unwrap_or(&mut self.blank)
    }

    /// PINs and keys as seen from a directory.
    fn pins(&mut self, directory: FileId) -> Pins<'_> {
        let volume = self.volumes.get_mut(&self.seen).unwrap_or(&mut self.blank);
        Pins {
            from: volume.tree.directories(directory),
            list: &mut volume.pins,
            verified: &mut self.verified,
        }
    }

    /// Key references that the terminal has satisfied, as seen from a directory.
    fn satisfied(&self, directory: FileId) -> Vec<u8> {
        let volume = self.volume();
        let from = volume.tree.directories(directory);
        Pins::satisfied(&volume.pins, &self.verified, &from)
    }

    /// FCP template of a file, with the PINs as they are.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn control_parameters(&self, file: FileId) -> Result<Vec<u8>, FileError> {
        let volume = self.volume();
        let from = volume.tree.directories(file);
        let enabled = |reference: u8| {
            pins::index(&volume.pins, &from, reference)
                .and_then(|index| volume.pins.get(index))
                .is_some_and(|pin| pin.enabled)
        };
        volume.tree.control_parameters(file, &enabled)
    }

    /// Where a file is.
    pub fn path(&self, file: FileId) -> Option<FilePath> {
        let (adf, fids) = self.tree().path(file)?;
        Some(FilePath {
            adf: adf.map(<[u8]>::to_vec),
            fids,
        })
    }

    /// The file at a path, in the form that it has; `None` if there is none.
    pub fn resolve(&self, adf: Option<&[u8]>, fids: &[u16]) -> Option<FilePath> {
        let tree = self.tree();
        let mut at = None;
        for fid in fids {
            at = Some(match (at, *fid) {
                (None, MF) => FileId::MF,
                (Some(FileId::MF), CURRENT_ADF) => tree.adf(adf?)?,
                (Some(parent), fid) => tree.child(parent, fid)?,
                (None, _) => return None,
            });
        }
        self.path(at?)
    }

    /// The position in these files that answers to one in the files seen before: at the ADF of the same AID, or at
    /// the MF.
    pub fn moved(&self, adf: Option<&[u8]>) -> Position {
        match adf.and_then(|aid| self.tree().adf(aid)) {
            Some(adf) => Position::adf(adf),
            None => Position::default(),
        }
    }
}

/// The default files: those of the MF alone if there is no profile.
fn defaults(subscription: Option<&Subscription>) -> Result<FilesDescription, DescribeError> {
    static PARSED: OnceLock<Result<FilesDescription, DescribeError>> = OnceLock::new();
    let all = PARSED
        .get_or_init(|| {
            toml::from_str(DEFAULT).map_err(|error| DescribeError {
                path: "default.toml".to_owned(),
                problem: error.to_string(),
            })
        })
        .as_ref()
        .map_err(Clone::clone)?;
    if subscription.is_some() {
        return Ok(all.clone());
    }
    let of_card = |file: &&FileDescription| {
        file.path.starts_with("3F00") && !file.path.ends_with("2FE2") && !file.path.contains("7F10")
    };
    Ok(FilesDescription {
        files: all.files.iter().filter(of_card).cloned().collect(),
        pins: all.pins.clone(),
    })
}

impl Subscription {
    /// Writes what is the profile's own into its files.
    fn write(&self, tree: &mut Tree) {
        let record =
            tlv::write_constructed(0x61, &[tlv::write(0x4F, USIM), tlv::write(0x50, b"USIM")]);
        put(tree, FileId::MF, DIR, &record);
        put(tree, FileId::MF, ICCID, &self.iccid);
        if let Some(usim) = tree.adf(USIM) {
            let mut name = vec![0x00];
            name.extend(self.name.bytes().filter(u8::is_ascii).take(16));
            put(tree, usim, SPN, &name);
            put(tree, usim, IMSI, &imsi_file(&self.imsi));
        }
    }
}

/// Writes the beginning of a file's contents as a factory does.
fn put(tree: &mut Tree, directory: FileId, fid: u16, content: &[u8]) {
    let Some(file) = tree.child(directory, fid) else {
        return;
    };
    if let Ok(node) = tree.get_mut(file)
        && let Kind::Elementary(ef) = &mut node.kind
    {
        for (slot, byte) in ef.data.iter_mut().zip(content) {
            *slot = *byte;
        }
    }
}

/// EF.IMSI (3GPP TS 31.102 4.2.2): length, then the digits with parity as nibbles, low first.
pub(crate) fn imsi_file(imsi: &str) -> Vec<u8> {
    let digits: Vec<u8> = imsi
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|d| d - b'0')
        .take(15)
        .collect();
    let mut nibbles = vec![if digits.len() % 2 == 1 { 0x9 } else { 0x1 }];
    nibbles.extend(digits);
    if nibbles.len() % 2 == 1 {
        nibbles.push(0xF);
    }
    let mut file = vec![u8::try_from(nibbles.len() / 2).unwrap_or(8)];
    file.extend(nibbles.chunks_exact(2).map(|pair| pair[1] << 4 | pair[0]));
    file.resize(9, 0xFF);
    file
}
