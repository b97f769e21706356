//! A CAP brought onto a card, also onto one on which an earlier load broke off.
//!
//! Half a package can't be continued: a card forgets the blocks of a load with the session that they came in
//! (GPCS 9.3.1). What is on the card is found first, and nothing of it is deleted without the operator's
//! word.

use super::plan::{self, Loading, Present};
use super::{GpError, SecurityDomain};
use crate::exit::{self, Exit, ExitCode};
use crate::personalize::PersonalizeError;
use crate::transport::CardLink;
use applet_gen::cap::Cap;
use applet_gen::gp::command::StatusKind;
use applet_gen::gp::registry::RegistryEntry;
use applet_gen::script::Step;
use cards::definition::Definition;

/// What the operator wants done with what is on the card.
#[derive(Debug, Clone, Copy, Default)]
pub struct Choice {
    /// Delete the package, or half of it, and load anew.
    pub clean: bool,
    /// With `clean`: the applets that were made of it, too.
    pub related: bool,
    /// A package that is there whole counts as loaded.
    pub resume: bool,
}

/// How a load ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loaded {
    /// It was loaded, with so many commands.
    Now(usize),
    /// It was there, whole.
    Before,
}

/// What is going on.
#[derive(Debug)]
pub enum Progress<'a> {
    /// What is on the card is deleted.
    Deleting,
    /// INSTALL \[for load\] was refused: what an earlier load may have left unseen is deleted.
    DeletingUnseen,
    /// A command of so many is sent.
    Step {
        /// Its number, from 0.
        number: usize,
        /// Of how many.
        of: usize,
        /// The command.
        step: &'a Step,
    },
}

/// Why a package was not loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadingError {
    /// The CAP file or the plan.
    #[error(transparent)]
    Plan(#[from] PersonalizeError),
    /// The card or the link; so many commands of the plan were carried out.
    #[error("{source}")]
    Card {
        /// What happened.
        source: GpError,
        /// Commands that were carried out.
        done: usize,
    },
    /// The package is on the card, whole or half.
    #[error("{}", in_the_way(package, found))]
    InTheWay {
        /// AID of the package in hex.
        package: String,
        /// What there is of it.
        found: Present,
    },
    /// What is there can't be deleted.
    #[error("{0}")]
    Delete(GpError),
    /// INSTALL \[for load\] was refused, and the package is in no list.
    #[error("{0}")]
    Unseen(GpError),
}

fn in_the_way(package: &str, found: &Present) -> String {
    match found {
        Present::Half { listed, expected } => format!(
            "half of package {package} is on the card: it lists {listed} of {expected} modules, an earlier load \
             broke off. It can't be continued: the card forgot the blocks with the session that they came in"
        ),
        _ => format!("package {package} is on the card already; nothing was changed"),
    }
}

impl LoadingError {
    /// What to do next.
    pub fn next(&self) -> Option<String> {
        let text = match self {
            LoadingError::Plan(_) => return None,
            LoadingError::Card {
                source: GpError::Link(_),
                ..
            } => {
                "with the card in its place again, the same command says what is on it, and what can be done"
            }
            LoadingError::Card { done: 0, .. } => "nothing on the card was changed by it",
            LoadingError::Card { done, .. } => {
                return Some(format!(
                    "the {done} commands before it were carried out; the same command says what is on the card now"
                ));
            }
            LoadingError::InTheWay {
                found: Present::Half { .. },
                ..
            } => "--clean deletes it and loads anew",
            LoadingError::InTheWay { .. } => {
                "--resume takes it as loaded, --clean deletes it and loads anew"
            }
            LoadingError::Delete(_) => "with --related its applets are deleted, too",
            LoadingError::Unseen(_) => {
                "the package is in no list; if an earlier load broke off, the card may keep half of it unseen: \
                 --clean sends DELETE and loads anew"
            }
        };
        Some(text.to_owned())
    }
}

impl ExitCode for LoadingError {
    fn exit(&self) -> Exit {
        match self {
            LoadingError::Plan(error) => error.exit(),
            LoadingError::InTheWay { .. } => exit::CARD_REFUSED,
            LoadingError::Card { source: error, .. }
            | LoadingError::Delete(error)
            | LoadingError::Unseen(error) => error.exit(),
        }
    }
}

/// Loads a CAP in an open session, in blocks as long as card and reader take.
///
/// # Errors
/// [`LoadingError`].
pub fn load<L: CardLink>(
    domain: &mut SecurityDomain<L>,
    cap: &Cap,
    definition: &Definition,
    how: &Loading<'_>,
    choice: Choice,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<Loaded, LoadingError> {
    let before = |source| LoadingError::Card { source, done: 0 };
    let steps = plan::load(cap, definition, domain.max_command_data(), how)?;
    let package = cap.header.package.aid.as_slice();
    let (files, modules_known) = load_files(domain).map_err(before)?;
    let found = plan::present(&files, cap, modules_known);
    match (&found, choice) {
        (Present::No, _) => {}
        (_, Choice { clean: true, .. }) => {
            observer(Progress::Deleting);
            for step in plan::delete(package, choice.related) {
                let answer = domain.exchange(&step.command).map_err(before)?;
                plan::judge(&step, &answer).map_err(LoadingError::Delete)?;
            }
        }
        (Present::Whole, Choice { resume: true, .. }) => return Ok(Loaded::Before),
        _ => {
            return Err(LoadingError::InTheWay {
                package: hex::encode_upper(package),
                found,
            });
        }
    }
    let of = steps.len();
    for (number, step) in steps.iter().enumerate() {
        observer(Progress::Step { number, of, step });
        let answer = domain.exchange(&step.command);
        let judged = answer.and_then(|answer| plan::judge(step, &answer));
        match judged {
            Ok(()) => {}
            Err(error @ GpError::Refused { .. }) if number == 0 && found == Present::No => {
                begin_again(domain, package, step, error, choice, observer)?;
            }
            Err(source) => {
                return Err(LoadingError::Card {
                    source,
                    done: number,
                });
            }
        }
    }
    Ok(Loaded::Now(of))
}

/// INSTALL \[for load\] was refused. On some cards a load that broke off is in the way and in no list.
fn begin_again<L: CardLink>(
    domain: &mut SecurityDomain<L>,
    package: &[u8],
    begin: &Step,
    refused: GpError,
    choice: Choice,
    observer: &mut dyn FnMut(Progress<'_>),
) -> Result<(), LoadingError> {
    let before = |source| LoadingError::Card { source, done: 0 };
    if !choice.clean {
        return Err(LoadingError::Unseen(refused));
    }
    observer(Progress::DeletingUnseen);
    for step in plan::delete(package, false) {
        // 6A88: there was nothing; INSTALL then says why by itself.
        domain.exchange(&step.command).map_err(before)?;
    }
    let again = domain.exchange(&begin.command).map_err(before)?;
    plan::judge(begin, &again).map_err(before)
}

/// The load files, and whether the card lists their modules. (A card that does lists none for half a package.)
fn load_files<L: CardLink>(
    domain: &mut SecurityDomain<L>,
) -> Result<(Vec<RegistryEntry>, bool), GpError> {
    match domain.status(StatusKind::LoadFilesAndModules) {
        Err(GpError::Refused { .. }) => Ok((domain.status(StatusKind::LoadFiles)?, false)),
        files => Ok((files?, true)),
    }
}

#[cfg(test)]
mod tests;
