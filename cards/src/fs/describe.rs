//! File systems as data: a list of files with their paths, as a card definition or a test states them in TOML.
//!
//! ```toml
//! [[files]]
//! path = "3F00/7F4A/6F03"        # identifiers from the MF, or from an ADF's AID, down to the file
//! type = "transparent"
//! size = 260                     # FF where no content is given
//! sfi = 3
//! access = "2F06/1"              # a record of EF.ARR; "read" for reading only; or hex of tag 8C, 8B or AB
//! ```

use super::pins::{Pin, padded};
use super::security::Security;
use super::tree::{CURRENT_ADF, Elementary, FileId, Kind, LifeCycle, Node, Structure, Tree};
use super::{FileError, MF};
use crate::definition::Hex;
use applet_model::tlv;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A file as a definition states it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileDescription {
    /// Where it is: file identifiers of four hexadecimal digits with slashes between, from 3F00, or from an ADF's AID.
    /// Directories stand before what is in them. What is there already is replaced.
    pub path: String,
    /// Its name, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: FileType,
    /// Size in bytes, of an EF; the content's if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u16>,
    /// Length of a record in bytes, of a linear fixed or cyclic EF.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<u8>,
    /// Short file identifier, 1 to 30.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sfi: Option<u8>,
    /// Content from its beginning; FF behind it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<Hex>,
    /// Security attributes: file identifier and record of an EF.ARR ("2F06/1"), "read" (reading always, the rest
    /// never), or a data object with tag 8B, 8C or AB in hexadecimal digits.
    #[serde(default = "read_only")]
    pub access: String,
    /// Life cycle status.
    #[serde(default, skip_serializing_if = "State::is_activated")]
    pub state: State,
    /// False if it may be current in one place only.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub shareable: bool,
    /// References of the directory's PINs in hexadecimal digits (01, 81, 0A, …).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pins: Option<Hex>,
}

fn read_only() -> String {
    "read".to_owned()
}

fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
fn is_true(value: &bool) -> bool {
    *value
}

/// What a described file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FileType {
    /// Application directory; its path is the AID alone.
    Adf,
    /// Directory.
    Df,
    /// Elementary file of bytes.
    Transparent,
    /// Elementary file of records.
    LinearFixed,
    /// Elementary file of records, record 1 the newest.
    Cyclic,
}

/// Life cycle status of a described file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// In use.
    #[default]
    Activated,
    /// Not in use.
    Deactivated,
    /// For good.
    Terminated,
}

impl State {
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's shape")]
    fn is_activated(&self) -> bool {
        *self == State::Activated
    }
}

/// A PIN or key as a definition states it: public, like all that a definition holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PinDescription {
    /// Key reference (ETSI TS 102 221 table 9.3): 1 to 8 and 129 to 136 PINs, 10 to 14 and 138 to 142 ADM.
    pub reference: u8,
    /// Its digits, at most eight characters.
    pub value: String,
    /// If commands need it.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// The unblock key's digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub puk: Option<String>,
}

/// Files and PINs.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FilesDescription {
    /// Files, directories before what is in them.
    #[serde(default)]
    pub files: Vec<FileDescription>,
    /// PINs and keys.
    #[serde(default)]
    pub pins: Vec<PinDescription>,
}

/// Why a described file can't be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("file {path}: {problem}")]
pub struct DescribeError {
    /// The description's path.
    pub path: String,
    /// What is wrong.
    pub problem: String,
}

impl FilesDescription {
    /// Puts the files into a tree and the PINs into a list.
    ///
    /// # Errors
    /// The first description that can't be followed.
    pub fn apply(&self, tree: &mut Tree, pins: &mut Vec<Pin>) -> Result<(), DescribeError> {
        for file in &self.files {
            file.apply(tree).map_err(|problem| DescribeError {
                path: file.path.clone(),
                problem,
            })?;
        }
        for described in &self.pins {
            let pin = described.pin().ok_or_else(|| DescribeError {
                path: format!("PIN {:02X}", described.reference),
                problem: "a PIN and its unblock key have at most eight characters".to_owned(),
            })?;
            pins.retain(|other| other.reference != pin.reference);
            pins.push(pin);
        }
        Ok(())
    }
}

impl PinDescription {
    fn pin(&self) -> Option<Pin> {
        let value = padded(self.value.as_bytes())?;
        let puk = match &self.puk {
            None => None,
            Some(puk) => Some(padded(puk.as_bytes())?),
        };
        Some(Pin::new(self.reference, value, self.enabled, puk))
    }
}

impl FileDescription {
    fn apply(&self, tree: &mut Tree) -> Result<(), String> {
        let mut steps: Vec<&str> = self.path.split('/').collect();
        let last = steps.pop().unwrap_or_default();
        if self.kind == FileType::Adf {
            let name = hex::decode(last).map_err(|_| "an ADF's path is its AID".to_owned())?;
            if !steps.is_empty() || !(5..=16).contains(&name.len()) {
                return Err("an ADF's path is its AID alone, 5 to 16 bytes".to_owned());
            }
            if let Some(there) = tree.adf(&name) {
                tree.remove(there);
            }
            return self.insert(tree, FileId::MF, CURRENT_ADF, name);
        }
        let fid = identifier(last)?;
        if steps.is_empty() {
            if fid != MF {
                return Err("a path begins with 3F00 or with the AID of an ADF".to_owned());
            }
            let security = self.security()?;
            let pins = self.pins.as_ref().map(|pins| pins.bytes().to_vec());
            let mf = tree
                .get_mut(FileId::MF)
                .map_err(|error| error.to_string())?;
            mf.security = security;
            if let (Kind::Directory { pins, .. }, Some(described)) = (&mut mf.kind, pins) {
                *pins = described;
            }
            return Ok(());
        }
        let parent = directory(tree, &steps)?;
        if let Some(there) = tree.child(parent, fid) {
            tree.remove(there);
        }
        self.insert(tree, parent, fid, Vec::new())
    }

    fn insert(
        &self,
        tree: &mut Tree,
        parent: FileId,
        fid: u16,
        name: Vec<u8>,
    ) -> Result<(), String> {
        let node = Node {
            fid,
            parent,
            state: match self.state {
                State::Activated => LifeCycle::Activated,
                State::Deactivated => LifeCycle::Deactivated,
                State::Terminated => LifeCycle::Terminated,
            },
            shareable: self.shareable,
            security: self.security()?,
            kind: self.contents(name)?,
        };
        tree.insert(node)
            .map(|_| ())
            .map_err(|error: FileError| error.to_string())
    }

    fn contents(&self, name: Vec<u8>) -> Result<Kind, String> {
        let structure = match self.kind {
            FileType::Adf | FileType::Df => {
                let pins = self
                    .pins
                    .as_ref()
                    .map_or(vec![0x01], |pins| pins.bytes().to_vec());
                return Ok(Kind::Directory {
                    name,
                    total: 0,
                    pins,
                });
            }
            FileType::Transparent => Structure::Transparent,
            FileType::LinearFixed => Structure::LinearFixed,
            FileType::Cyclic => Structure::Cyclic,
        };
        let mut data = self
            .content
            .as_ref()
            .map_or_else(Vec::new, |content| content.bytes().to_vec());
        let size = self.size.map_or(data.len(), usize::from);
        if data.len() > size {
            return Err(format!("{} bytes of content in {size}", data.len()));
        }
        data.resize(size, 0xFF);
        let record = self.record.unwrap_or(0);
        match (structure, usize::from(record)) {
            (Structure::Transparent, 0) => {}
            (Structure::Transparent, _) => return Err("a transparent file has no records".into()),
            (_, 0) => return Err("the length of a record is missing".into()),
            (_, length) if size.is_multiple_of(length) && size / length <= 254 => {}
            (_, length) => return Err(format!("{size} bytes are no records of {length}")),
        }
        if self.sfi.is_some_and(|sfi| !(1..=30).contains(&sfi)) {
            return Err("a short file identifier is 1 to 30".to_owned());
        }
        Ok(Kind::Elementary(Elementary {
            sfi: self.sfi,
            structure,
            record,
            data,
            link: None,
        }))
    }

    fn security(&self) -> Result<Security, String> {
        if self.access == "read" {
            return Ok(Security::Compact(vec![
                0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00,
            ]));
        }
        let wrong = || {
            format!(
                "access {:?}: expected a record of an EF.ARR like \"2F06/1\", \"read\", or a data object with tag 8B, 8C or AB",
                self.access
            )
        };
        if let Some((fid, record)) = self.access.split_once('/') {
            let record: u8 = record.parse().map_err(|_| wrong())?;
            let [hi, lo] = identifier(fid)?.to_be_bytes();
            return Ok(Security::Referenced(vec![hi, lo, record]));
        }
        let bytes = hex::decode(&self.access).map_err(|_| wrong())?;
        let object = tlv::read_one(&bytes).map_err(|_| wrong())?;
        let value = object.value.to_vec();
        match object.tag {
            0x8B => Ok(Security::Referenced(value)),
            0x8C => Ok(Security::Compact(value)),
            0xAB => Ok(Security::Expanded(value)),
            _ => Err(wrong()),
        }
    }
}

fn identifier(text: &str) -> Result<u16, String> {
    match (text.len(), u16::from_str_radix(text, 16)) {
        (4, Ok(fid)) => Ok(fid),
        _ => Err(format!("{text:?} is no file identifier of four digits")),
    }
}

fn directory(tree: &Tree, steps: &[&str]) -> Result<FileId, String> {
    let mut at = None;
    for step in steps {
        let next = match (at, *step) {
            (None, "3F00") => Some(FileId::MF),
            (None, aid) => hex::decode(aid).ok().and_then(|aid| tree.adf(&aid)),
            (Some(parent), fid) => tree.child(parent, identifier(fid)?),
        };
        at = Some(next.ok_or_else(|| format!("there is no directory {step} on its path"))?);
    }
    at.ok_or_else(|| "a path begins with 3F00 or with the AID of an ADF".to_owned())
}
