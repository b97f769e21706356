//! Why personalizing a card, or a whole run, failed.

use super::es10::Es10Error;
use super::hook::HookError;
use super::receipt::SignerError;
use crate::exit::{self, Exit, ExitCode};
use crate::gp::GpError;
use crate::journal::JournalError;
use crate::order::OrderError;
use crate::transport::LinkError;
use applet_gen::cap::CapError;
use applet_gen::cap::budget::Shortage;
use applet_gen::gp::load::LoadError;
use applet_gen::gp::uicc_params::ParameterError;
use std::path::PathBuf;

/// What went wrong, on which command, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum PersonalizeError {
    /// The CAP file is cut, altered, or not a CAP file.
    #[error("CAP file {name}: {source}")]
    Cap {
        /// The file.
        name: String,
        /// Where it is wrong.
        source: CapError,
    },
    /// The CAP file can't be used, though it can be read.
    #[error("CAP file {name}: {problem}")]
    Unusable {
        /// The file.
        name: String,
        /// Why not.
        problem: String,
    },
    /// The card product lacks what the applet imports.
    #[error("the applet imports {package} {major}.{minor}, cards of {card} have {}", available.as_deref().unwrap_or("no such package"))]
    Import {
        /// Name or AID of the package.
        package: String,
        /// Major version imported.
        major: u8,
        /// Minor version imported.
        minor: u8,
        /// The card definition.
        card: String,
        /// The version on the card.
        available: Option<String>,
    },
    /// A step of the job that can't be done on these cards.
    #[error("{place}: {problem}")]
    JobStep {
        /// File, line and step.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// Rows of the order that don't go with the job.
    #[error(transparent)]
    Order(#[from] OrderError),
    /// Too little memory.
    #[error("the applet needs more memory than is there {who}, so nothing was loaded:\n{}", lines(.shortages))]
    Memory {
        /// Who says what is there.
        who: &'static str,
        /// Every memory of which there is too little.
        shortages: Vec<Shortage>,
    },
    /// Install parameters that don't fit.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// The load file has too many blocks.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The card in the reader is not in the order.
    #[error("card {eid} is not in the order; nothing was sent to it but a request for its EID")]
    NotInOrder {
        /// The card's EID.
        eid: String,
    },
    /// The card in the reader is done.
    #[error("card {eid} is personalized already, by this order")]
    AlreadyDone {
        /// The card's EID.
        eid: String,
    },
    /// The card is at work elsewhere.
    #[error("card {eid} is being personalized by {worker}")]
    Busy {
        /// The card's EID.
        eid: String,
        /// Reader or station.
        worker: String,
    },
    /// The card failed for a reason that doesn't go away by itself.
    #[error("card {eid} was set aside: {error}")]
    SetAside {
        /// The card's EID.
        eid: String,
        /// Exit code of that error.
        code: u8,
        /// The error.
        error: String,
    },
    /// The card says another identity than expected.
    #[error("{what}: expected {expected}, the card has {found}")]
    Identity {
        /// EID or ICCIDs.
        what: &'static str,
        /// In the order.
        expected: String,
        /// On the card.
        found: String,
    },
    /// The security domain.
    #[error(transparent)]
    Gp(GpError),
    /// A package of that AID is on the card that these runs did not load.
    #[error(
        "package {0} is on the card already, and not loaded by this order; it is not touched without --replace-foreign (which deletes it)"
    )]
    ForeignPackage(String),
    /// ES10.
    #[error(transparent)]
    Es10(#[from] Es10Error),
    /// What was read back is something else.
    #[error("read back {what}: expected {expected}, found {found}")]
    Verify {
        /// What was read.
        what: String,
        /// What was written.
        expected: String,
        /// What the card has.
        found: String,
    },
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file can't be written.
    #[error("failed to write {}: {source}", path.display())]
    Output {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key that signs receipts.
    #[error(transparent)]
    Signer(#[from] SignerError),
    /// A virtual card can't be made or stored.
    #[error("virtual card {eid}: {problem}")]
    Virtual {
        /// Its EID.
        eid: String,
        /// What is wrong.
        problem: String,
    },
    /// The hook failed, and the run was to stop then.
    #[error("{0}; the card itself is done with, the run stopped as --hook-failure says")]
    Hook(#[from] HookError),
    /// The observer said stop.
    #[error("stopped on request; the same command goes on from here")]
    Interrupted,
    /// An error with the step it happened in.
    #[error("{step}: {source}")]
    In {
        /// The step.
        step: String,
        /// The error.
        source: Box<PersonalizeError>,
    },
}

fn lines(shortages: &[Shortage]) -> String {
    let lines: Vec<String> = shortages.iter().map(|one| format!("  {one}")).collect();
    lines.join("\n")
}

impl From<GpError> for PersonalizeError {
    fn from(error: GpError) -> Self {
        match error {
            GpError::Link(error) => PersonalizeError::Link(error),
            GpError::Interrupted => PersonalizeError::Interrupted,
            error => PersonalizeError::Gp(error),
        }
    }
}

impl PersonalizeError {
    /// True for what no further card of the run would escape.
    pub(super) fn stops_run(&self) -> bool {
        match self {
            PersonalizeError::In { source, .. } => source.stops_run(),
            PersonalizeError::Interrupted
            | PersonalizeError::Hook(_)
            | PersonalizeError::Journal(_)
            | PersonalizeError::Output { .. }
            | PersonalizeError::Gp(GpError::Random(_)) => true,
            _ => false,
        }
    }

    /// True for what no further card in this reader would escape.
    pub(super) fn stops_reader(&self) -> bool {
        match self {
            PersonalizeError::In { source, .. } => source.stops_reader(),
            PersonalizeError::Link(e) => matches!(e, LinkError::NoService(_) | LinkError::NoReader),
            _ => false,
        }
    }

    /// The step that it happened in.
    pub fn step(&self) -> Option<&str> {
        match self {
            PersonalizeError::In { step, .. } => Some(step),
            _ => None,
        }
    }
}

impl ExitCode for PersonalizeError {
    fn exit(&self) -> Exit {
        match self {
            PersonalizeError::Cap { .. }
            | PersonalizeError::Unusable { .. }
            | PersonalizeError::Load(_) => exit::CAP,
            PersonalizeError::Import { .. } => exit::IMPORTS,
            PersonalizeError::JobStep { .. } => exit::JOB,
            PersonalizeError::Order(e) => e.exit(),
            PersonalizeError::Memory { .. } => exit::MEMORY,
            PersonalizeError::Parameters(_) => exit::DEFINITION,
            PersonalizeError::NotInOrder { .. }
            | PersonalizeError::AlreadyDone { .. }
            | PersonalizeError::Busy { .. }
            | PersonalizeError::Identity { .. } => exit::WRONG_CARD,
            PersonalizeError::SetAside { code, .. } => {
                exit::find(*code).unwrap_or(exit::CARD_REFUSED)
            }
            PersonalizeError::Gp(e) => e.exit(),
            PersonalizeError::ForeignPackage(_) => exit::CARD_REFUSED,
            PersonalizeError::Es10(e) => e.exit(),
            PersonalizeError::Verify { .. } => exit::VERIFY,
            PersonalizeError::Link(e) => e.exit(),
            PersonalizeError::Journal(e) => e.exit(),
            PersonalizeError::Output { .. } => exit::OUTPUT,
            PersonalizeError::Signer(e) => e.exit(),
            PersonalizeError::Virtual { .. } => exit::FAILED,
            PersonalizeError::Hook(_) => exit::HOOK,
            PersonalizeError::Interrupted => exit::INTERRUPTED,
            PersonalizeError::In { source, .. } => source.exit(),
        }
    }
}
