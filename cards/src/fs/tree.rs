//! A file system: MF, ADFs, DFs and EFs (ETSI TS 102 221 8), and what SELECT finds from where.

use super::fcp;
use super::security::{Condition, Operation, Rights, Security, compact, expanded};
use super::{FileError, MF};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// "The current ADF" (ETSI TS 102 221 8.4.1).
pub const CURRENT_ADF: u16 = 0x7FFF;
/// Bytes that the files of a tree may take in all.
const CAPACITY: usize = 128 * 1024;
/// What a file costs beside its contents.
const NODE_BYTES: usize = 32;

/// A file, for as long as it exists; numbers are not used again.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
pub struct FileId(pub u32);

impl FileId {
    /// The MF of each tree.
    pub const MF: FileId = FileId(0);
}

/// Structure of an elementary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Structure {
    /// Bytes without records.
    Transparent,
    /// Records of one length.
    LinearFixed,
    /// Records of one length, record 1 is the one written last.
    Cyclic,
}

/// Life cycle status (ETSI TS 102 221 11.1.1.4.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum LifeCycle {
    /// Being made.
    Creation,
    /// Made, not yet in use.
    Initialisation,
    /// In use.
    Activated,
    /// Not in use until it is activated again.
    Deactivated,
    /// For good.
    Terminated,
}

impl LifeCycle {
    pub(super) fn code(self) -> u8 {
        match self {
            LifeCycle::Creation => 0x01,
            LifeCycle::Initialisation => 0x03,
            LifeCycle::Activated => 0x05,
            LifeCycle::Deactivated => 0x04,
            LifeCycle::Terminated => 0x0C,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<LifeCycle> {
        Some(match code {
            0x01 => LifeCycle::Creation,
            0x03 => LifeCycle::Initialisation,
            0x05 | 0x07 => LifeCycle::Activated,
            0x04 | 0x06 => LifeCycle::Deactivated,
            0x0C..=0x0F => LifeCycle::Terminated,
            _ => return None,
        })
    }
}

/// An elementary file's own part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elementary {
    /// Short file identifier, 1 to 30.
    pub sfi: Option<u8>,
    /// Structure.
    pub structure: Structure,
    /// Length of a record in bytes; 0 for a transparent file.
    pub record: u8,
    /// Contents, records one behind the other.
    pub data: Vec<u8>,
    /// The file whose contents this one shows; it has none of its own then (a link of a profile package).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<FileId>,
}

impl Elementary {
    /// Number of records.
    pub fn records(&self) -> u8 {
        match usize::from(self.record) {
            0 => 0,
            length => u8::try_from(self.data.len() / length).unwrap_or(u8::MAX),
        }
    }

    /// Record `number`, from 1.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        let at = usize::from(number.checked_sub(1)?) * usize::from(self.record);
        self.data
            .get(at..at + usize::from(self.record))
            .filter(|record| !record.is_empty())
    }
}

/// What a file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// MF, DF or ADF.
    Directory {
        /// DF name: an ADF's AID, else empty.
        name: Vec<u8>,
        /// Total file size of the FCP; 0 leaves it out.
        total: u16,
        /// References of its PINs, in the order of the PIN status template.
        pins: Vec<u8>,
    },
    /// EF.
    Elementary(Elementary),
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// File identifier.
    pub fid: u16,
    /// The directory that it is in; the MF's and an ADF's is the MF.
    pub parent: FileId,
    /// Life cycle status.
    pub state: LifeCycle,
    /// If it may be current in more than one place at once.
    pub shareable: bool,
    /// Security attributes.
    pub security: Security,
    /// The rest.
    pub kind: Kind,
}

impl Node {
    /// True for an MF, DF or ADF.
    pub fn is_directory(&self) -> bool {
        matches!(self.kind, Kind::Directory { .. })
    }

    /// The AID of an ADF.
    pub fn adf_name(&self) -> Option<&[u8]> {
        match &self.kind {
            Kind::Directory { name, .. } if self.fid == CURRENT_ADF => Some(name),
            _ => None,
        }
    }

    /// The elementary file, if it is one.
    pub fn elementary(&self) -> Option<&Elementary> {
        match &self.kind {
            Kind::Elementary(ef) => Some(ef),
            Kind::Directory { .. } => None,
        }
    }

    fn size(&self) -> usize {
        NODE_BYTES + self.elementary().map_or(0, |ef| ef.data.len())
    }
}

/// Where a logical channel or a FileView stands: current directory, elementary file and record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    /// Current directory.
    pub directory: FileId,
    /// Current elementary file.
    pub file: Option<FileId>,
    /// Current record; 0 for none.
    pub record: u8,
    /// The ADF of the application session.
    pub adf: Option<FileId>,
}

impl Position {
    /// At an ADF, with nothing else selected.
    pub fn adf(adf: FileId) -> Position {
        Position {
            directory: adf,
            adf: Some(adf),
            ..Position::default()
        }
    }
}

/// How far SELECT by file identifier looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// What ETSI TS 102 221 8.4.1 lists, from the MF on.
    Mf,
    /// The same inside one ADF: the MF is out of reach.
    Adf(FileId),
}

/// A file system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tree {
    #[serde(with = "nodes")]
    nodes: BTreeMap<FileId, Node>,
    next: u32,
}

impl Tree {
    /// A tree with its MF only.
    pub fn new(security: Security) -> Tree {
        let mf = Node {
            fid: MF,
            parent: FileId::MF,
            state: LifeCycle::Activated,
            shareable: true,
            security,
            kind: Kind::Directory {
                name: Vec::new(),
                total: 0,
                pins: vec![0x01],
            },
        };
        Tree {
            nodes: BTreeMap::from([(FileId::MF, mf)]),
            next: 1,
        }
    }

    /// A file; [`FileError::NotFound`] once it is deleted.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn get(&self, file: FileId) -> Result<&Node, FileError> {
        self.nodes.get(&file).ok_or(FileError::NotFound)
    }

    pub(crate) fn get_mut(&mut self, file: FileId) -> Result<&mut Node, FileError> {
        self.nodes.get_mut(&file).ok_or(FileError::NotFound)
    }

    /// The file with an EF's contents: itself, or the one that it is a link to.
    ///
    /// # Errors
    /// [`FileError::NotFound`], [`FileError::NoEf`].
    pub fn contents(&self, file: FileId) -> Result<(FileId, &Elementary), FileError> {
        let ef = self.get(file)?.elementary().ok_or(FileError::NoEf)?;
        match ef.link {
            None => Ok((file, ef)),
            // A link is made to the file itself, never to another link.
            Some(target) => {
                let node = self.get(target)?;
                Ok((target, node.elementary().ok_or(FileError::NoEf)?))
            }
        }
    }

    /// The file with this identifier in a directory.
    pub fn child(&self, directory: FileId, fid: u16) -> Option<FileId> {
        self.children(directory)
            .find(|(_, node)| node.fid == fid && node.adf_name().is_none())
            .map(|(id, _)| id)
    }

    /// Files of a directory; the MF's include the ADFs.
    pub fn children(&self, directory: FileId) -> impl Iterator<Item = (FileId, &Node)> {
        self.nodes
            .iter()
            .map(|(id, node)| (*id, node))
            .filter(move |(id, node)| *id != FileId::MF && node.parent == directory)
    }

    /// ADFs with their AIDs, in the order in which they were made.
    pub fn adfs(&self) -> impl Iterator<Item = (FileId, &[u8])> {
        self.nodes
            .iter()
            .filter_map(|(id, node)| Some((*id, node.adf_name()?)))
    }

    /// The ADF of this AID.
    pub fn adf(&self, aid: &[u8]) -> Option<FileId> {
        self.adfs().find(|(_, name)| *name == aid).map(|(id, _)| id)
    }

    /// Bytes that the files take.
    pub fn size(&self) -> usize {
        self.nodes.values().map(Node::size).sum()
    }

    /// Fails if `more` bytes don't fit.
    pub(super) fn room(&self, more: usize) -> Result<(), FileError> {
        match self.size() + more > CAPACITY {
            true => Err(FileError::Memory),
            false => Ok(()),
        }
    }

    /// Puts a file into its directory.
    ///
    /// # Errors
    /// [`FileError`]: no such directory, the identifier or name is taken, no room.
    pub fn insert(&mut self, node: Node) -> Result<FileId, FileError> {
        self.fits(&node)?;
        let id = FileId(self.next);
        self.next += 1;
        self.nodes.insert(id, node);
        Ok(id)
    }

    /// What [`Tree::insert`] checks.
    pub(super) fn fits(&self, node: &Node) -> Result<(), FileError> {
        if !self.get(node.parent)?.is_directory() {
            return Err(FileError::NotFound);
        }
        match node.adf_name() {
            Some(name) if self.adf(name).is_some() => return Err(FileError::NameExists),
            Some(_) => {}
            None if self.child(node.parent, node.fid).is_some() => return Err(FileError::Exists),
            None => {}
        }
        self.room(node.size())
    }

    /// Removes a file and all that is in it.
    pub(super) fn remove(&mut self, file: FileId) {
        let inside: Vec<FileId> = self.children(file).map(|(id, _)| id).collect();
        for id in inside {
            self.remove(id);
        }
        self.nodes.remove(&file);
    }

    /// The files from the MF, or from an ADF, down to this one: identifiers, and the ADF's AID.
    pub fn path(&self, file: FileId) -> Option<(Option<&[u8]>, Vec<u16>)> {
        let mut path = Vec::new();
        let mut at = file;
        loop {
            let node = self.nodes.get(&at)?;
            path.push(node.fid);
            let adf = node.adf_name();
            if at == FileId::MF || adf.is_some() {
                if adf.is_some() {
                    path.push(MF);
                }
                path.reverse();
                return Some((adf, path));
            }
            at = node.parent;
        }
    }

    /// The directories that a file or directory is in, its own first, the MF last.
    pub fn directories(&self, file: FileId) -> Vec<FileId> {
        let mut at = file;
        let mut found = Vec::new();
        while let Ok(node) = self.get(at) {
            if node.is_directory() {
                found.push(at);
            }
            if at == FileId::MF {
                break;
            }
            at = node.parent;
        }
        found
    }

    /// The condition under which an operation on a file is allowed.
    pub fn condition(&self, file: FileId, operation: Operation) -> Condition {
        let Ok(node) = self.get(file) else {
            return Condition::Never;
        };
        match &node.security {
            Security::None => Condition::Never,
            Security::Compact(rule) => compact(rule, operation),
            Security::Expanded(rule) => expanded(rule, operation),
            Security::Referenced(_) => {
                let rule = node
                    .security
                    .reference()
                    .and_then(|(fid, record)| self.rule(file, node, fid, record));
                rule.map_or(Condition::Never, |rule| expanded(rule, operation))
            }
        }
    }

    /// The record of the EF.ARR that is nearest above the file (9.2.7): in its own directory, those above it, and
    /// at last in the MF. The MF's and an ADF's own rules are inside them.
    fn rule(&self, file: FileId, node: &Node, fid: u16, record: u8) -> Option<&[u8]> {
        let mut at = match node.adf_name().is_some() {
            true => file,
            false => node.parent,
        };
        loop {
            let arr = self.child(at, fid).and_then(|arr| self.contents(arr).ok());
            if let Some((_, arr)) = arr {
                return arr.get(record);
            }
            if at == FileId::MF {
                return None;
            }
            at = self.nodes.get(&at)?.parent;
        }
    }

    /// Refuses an operation that the rights don't cover.
    pub(super) fn allow(
        &self,
        file: FileId,
        operation: Operation,
        rights: &Rights<'_>,
    ) -> Result<(), FileError> {
        match rights.satisfy(&self.condition(file, operation)) {
            true => Ok(()),
            false => Err(FileError::Security),
        }
    }

    /// SELECT by file identifier (8.4.1): a file in the current directory, a DF beside it, its parent, itself, the MF
    /// or the current ADF.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn find(&self, from: Position, fid: u16, reach: Reach) -> Result<FileId, FileError> {
        let adf = match reach {
            Reach::Mf => from.adf,
            Reach::Adf(adf) => Some(adf),
        };
        match (fid, reach) {
            (MF, Reach::Mf) => return Ok(FileId::MF),
            (MF, Reach::Adf(_)) => return Err(FileError::NotFound),
            (CURRENT_ADF, _) => return adf.ok_or(FileError::NotFound),
            _ => {}
        }
        if let Some(found) = self.child(from.directory, fid) {
            return Ok(found);
        }
        let here = self.get(from.directory)?;
        if here.fid == fid {
            return Ok(from.directory);
        }
        if from.directory == FileId::MF || here.adf_name().is_some() {
            return Err(FileError::NotFound);
        }
        if self.get(here.parent)?.fid == fid {
            return Ok(here.parent);
        }
        self.child(here.parent, fid)
            .filter(|file| self.nodes.get(file).is_some_and(Node::is_directory))
            .ok_or(FileError::NotFound)
    }

    /// The EF with this short identifier in a directory.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn find_short(&self, directory: FileId, sfi: u8) -> Result<FileId, FileError> {
        self.children(directory)
            .find(|(_, node)| node.elementary().is_some_and(|ef| ef.sfi == Some(sfi)))
            .map(|(id, _)| id)
            .ok_or(FileError::NotFound)
    }

    /// Moves a position to a file.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn go(&self, position: Position, file: FileId) -> Result<Position, FileError> {
        let node = self.get(file)?;
        let adf = match node.adf_name() {
            Some(_) => Some(file),
            None => position.adf,
        };
        Ok(match node.is_directory() {
            true => Position {
                directory: file,
                file: None,
                record: 0,
                adf,
            },
            false => Position {
                directory: node.parent,
                file: Some(file),
                record: 0,
                adf,
            },
        })
    }

    /// FCP template of a file. `enabled` tells which PIN references are enabled.
    ///
    /// # Errors
    /// [`FileError::NotFound`].
    pub fn control_parameters(
        &self,
        file: FileId,
        enabled: &dyn Fn(u8) -> bool,
    ) -> Result<Vec<u8>, FileError> {
        let node = self.get(file)?;
        let contents = self.contents(file).ok().map(|(_, ef)| ef);
        Ok(fcp::template(node, contents, enabled))
    }
}

/// The nodes as a list of pairs: JSON has no numbers as keys.
mod nodes {
    use super::{BTreeMap, FileId, Node};
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(
        nodes: &BTreeMap<FileId, Node>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(nodes.iter())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<FileId, Node>, D::Error> {
        let list = Vec::<(FileId, Node)>::deserialize(deserializer)?;
        Ok(list.into_iter().collect())
    }
}
