//! `manifest.json`: what a build made, from what, and what it needs of a card.

use super::{Applet, Artifact};
use crate::cap::info::Info;
use crate::javac::Javac;
use applet_model::aid;
use applet_model::commands::VERSION;
use applet_model::machine::codes::{Event, State};
use applet_model::machine::{digest, layout, table};
use serde::Serialize;
use sha2::{Digest, Sha256};

/// Name of the manifest's file.
pub const MANIFEST_FILE: &str = "manifest.json";

/// What a build made. Sizes in bytes, AIDs and hashes in upper-case hexadecimal.
#[derive(Debug, Clone, Serialize)]
pub struct Manifest {
    /// Version of this form: 1.
    pub format: u32,
    /// The generator's version.
    pub generator: &'static str,
    /// Feature release of the JDK whose `javac` compiled the sources.
    pub javac: u32,
    /// The card definition that it was built for: EUM and product.
    pub card: Option<String>,
    /// The model that it was made from.
    pub model: Model,
    /// Instance AID to install.
    pub instance_aid: String,
    /// Toolkit Application Reference in the instance AID.
    pub tar: String,
    /// Memory on the card.
    pub memory: Memory,
    /// Figures of the CAP file.
    pub cap: Info,
    /// Every other file of the build.
    pub files: Vec<FileEntry>,
}

/// The model of a build.
#[derive(Debug, Clone, Serialize)]
pub struct Model {
    /// Version that the applet answers.
    pub version: String,
    /// Digest of the tables, which the applet answers too.
    pub digest: String,
    /// States of the machine.
    pub states: usize,
    /// Events that move it.
    pub events: usize,
    /// Rows of its transition table.
    pub transitions: usize,
}

/// Memory that the applet takes on the card, in bytes; headers of objects, which differ from card
/// to card, are not counted.
#[derive(Debug, Clone, Serialize)]
pub struct Memory {
    /// Load file (GPCS 11.6), without Descriptor.
    pub load_file: usize,
    /// Persistent record, written in one transaction at most.
    pub persistent_record: usize,
    /// All transient memory, cleared at reset.
    pub transient: usize,
    /// Of it: working registers (they mirror the persistent record).
    pub transient_registers: usize,
    /// Of it: block buffer and receive buffer.
    pub transient_buffers: usize,
}

/// A file of a build.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileEntry {
    /// Path below the output folder.
    pub path: String,
    /// Its size.
    pub size: usize,
    /// Its SHA-256.
    pub sha256: String,
}

impl Manifest {
    /// The manifest of a build with these files.
    pub fn new(applet: &Applet, javac: &Javac, card: Option<String>, files: &[Artifact]) -> Self {
        let [major, minor] = VERSION;
        let buffers = 2 * layout::BUFFER;
        Manifest {
            format: 1,
            generator: concat!("applet-gen ", env!("CARGO_PKG_VERSION")),
            javac: javac.version,
            card,
            model: Model {
                version: format!("{major}.{minor}"),
                digest: hex::encode_upper(digest()),
                states: State::ALL.len(),
                events: Event::ALL.len(),
                transitions: table::rows().len(),
            },
            instance_aid: hex::encode_upper(aid::INSTANCE_IPAE),
            tar: hex::encode_upper(aid::TAR_IPAE),
            memory: Memory {
                load_file: applet.info.load_size,
                persistent_record: layout::PERSISTENT,
                transient: layout::WORKING + buffers,
                transient_registers: layout::WORKING,
                transient_buffers: buffers,
            },
            cap: applet.info.clone(),
            files: files
                .iter()
                .map(|file| FileEntry {
                    path: file.path.clone(),
                    size: file.bytes.len(),
                    sha256: hex::encode_upper(Sha256::digest(&file.bytes)),
                })
                .collect(),
        }
    }
}
