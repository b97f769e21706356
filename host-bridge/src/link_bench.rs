//! What an APDU costs on the host's side of a link, and how many a load takes.

use crate::exit::{self, Exit, ExitCode};
use crate::gp::plan;
use crate::transport::{CardLink, Counted, LinkError, exchange};
use applet_gen::cap::{Cap, CapError};
use applet_gen::gp::command;
use applet_gen::gp::load::{LoadError, load_commands};
use applet_gen::gp::scp03::{
    CardKeysError, Mode, SecurityLevel, Session, SessionKeys, SmError, StaticKeys,
};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use cards::definition::Definition;
use serde::Serialize;
use std::hint::black_box;
use std::time::Instant;

/// Levels for which a load is counted, in the order of their protection.
const LEVELS: [SecurityLevel; 4] = [
    SecurityLevel::None,
    SecurityLevel::CMac,
    SecurityLevel::CDecCMac,
    SecurityLevel::Full,
];

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum LinkBenchError {
    /// The CAP file.
    #[error(transparent)]
    Cap(#[from] CapError),
    /// The load file has too many blocks.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Session keys.
    #[error(transparent)]
    Keys(#[from] CardKeysError),
    /// Secure messaging.
    #[error(transparent)]
    Secure(#[from] SmError),
}

impl ExitCode for LinkBenchError {
    fn exit(&self) -> Exit {
        match self {
            LinkBenchError::Cap(_) | LinkBenchError::Load(_) => exit::CAP,
            LinkBenchError::Link(error) => error.exit(),
            LinkBenchError::Keys(_) | LinkBenchError::Secure(_) => exit::FAILED,
        }
    }
}

/// Medians, in microseconds an APDU.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Figures {
    /// Runs of which the median is taken.
    pub runs: u32,
    /// Commands of a run.
    pub count: u32,
    /// Our side of a command as it is: encoding, counting, collecting the answer.
    pub plain_us: f64,
    /// Our side of a LOAD block, as long as goes, under C-DECRYPTION and C-MAC.
    pub secure_us: f64,
    /// A command with its card, reader and service.
    pub total_us: Option<f64>,
}

/// A link that answers at once.
struct Nothing {
    answer: Response,
}

impl CardLink for Nothing {
    fn atr(&self) -> &[u8] {
        &[]
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        Ok(Vec::new())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        black_box(command.to_bytes());
        Ok(self.answer.clone())
    }

    fn name(&self) -> String {
        "no card".to_owned()
    }
}

/// Median over `runs` of the microseconds that `one` takes, `count` times a run.
fn median(
    count: u32,
    runs: u32,
    mut one: impl FnMut() -> Result<(), LinkBenchError>,
) -> Result<f64, LinkBenchError> {
    let mut all = Vec::new();
    for _ in 0..runs.max(1) {
        let start = Instant::now();
        for _ in 0..count.max(1) {
            one()?;
        }
        all.push(start.elapsed().as_secs_f64() * 1e6 / f64::from(count.max(1)));
    }
    all.sort_by(f64::total_cmp);
    Ok(all.get(all.len() / 2).copied().unwrap_or_default())
}

/// A session with keys that are nobody's.
fn session(level: SecurityLevel, definition: &Definition) -> Result<Session, LinkBenchError> {
    let key = vec![0x5A; definition.isd.scp03.key_length.into()];
    let keys = StaticKeys::new(&key, &key, &key).map_err(CardKeysError::from)?;
    let mode = Mode::of_i_parameter(definition.isd.scp03.i);
    let challenge = vec![0; mode.length()];
    let mut session = Session::new(SessionKeys::derive(&keys, mode, &challenge, &challenge)?);
    session.set_level(level);
    session.set_limit(plan::command_data(definition, usize::MAX));
    Ok(session)
}

/// Measures our own side with a link that answers at once.
///
/// # Errors
/// [`LinkBenchError`].
pub fn own(definition: &Definition, count: u32, runs: u32) -> Result<Figures, LinkBenchError> {
    let answer = Response::status(Sw::OK);
    let mut link = Counted::new(Nothing { answer });
    let select = command::select(definition.isd.aid.bytes());
    let plain_us = median(count, runs, || {
        black_box(exchange(&mut link, &select)?);
        Ok(())
    })?;
    let mut session = session(SecurityLevel::CDecCMac, definition)?;
    let load = Command::new(0x80, 0xE8, 0, 0)
        .with_data(vec![0xA5; session.max_command_data()])
        .with_le(256);
    let secure_us = median(count, runs, || {
        let wrapped = session.wrap_command(&load)?;
        let response = exchange(&mut link, &wrapped)?;
        black_box(session.unwrap_response(response)?);
        Ok(())
    })?;
    Ok(Figures {
        runs,
        count,
        plain_us,
        secure_us,
        total_us: None,
    })
}

/// Measures SELECT of the security domain on a card, each with its answer fetched; microseconds are
/// those of one APDU.
///
/// # Errors
/// [`LinkBenchError::Link`].
pub fn round_trip(
    figures: &mut Figures,
    link: &mut dyn CardLink,
    definition: &Definition,
    count: u32,
    runs: u32,
) -> Result<(), LinkBenchError> {
    let mut link = Counted::new(link);
    let select = command::select(definition.isd.aid.bytes());
    exchange(&mut link, &select)?;
    let apdus = link.traffic.apdus.max(1);
    let us = median(count, runs, || {
        black_box(exchange(&mut link, &select)?);
        Ok(())
    })?;
    figures.total_us = Some(us / apdus as f64);
    Ok(())
}

/// A load, counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Load {
    /// Bytes of the load file with its C4 header.
    pub bytes: usize,
    /// Most command data bytes of the definition's card.
    pub limit: usize,
    /// For each security level.
    pub levels: Vec<LevelLoad>,
}

/// LOAD commands at one security level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LevelLoad {
    /// The level, as P1 of EXTERNAL AUTHENTICATE states it.
    pub level: u8,
    /// Bytes of the load file in a command.
    pub block: usize,
    /// Commands that are sent.
    pub commands: usize,
    /// Commands that would do if secure messaging took no room: no sender can have fewer.
    pub least: usize,
}

/// Counts the LOAD commands for a CAP file on a definition's card.
///
/// # Errors
/// [`LinkBenchError`]: the CAP file, too many blocks.
pub fn load(cap: &[u8], definition: &Definition) -> Result<Load, LinkBenchError> {
    let file = Cap::from_jar(cap)?.load_file(false)?;
    let limit = plan::command_data(definition, usize::MAX);
    let mut bytes = 0;
    let mut levels = Vec::new();
    for level in LEVELS {
        let block = session(level, definition)?.max_command_data();
        let commands = load_commands(&file, block)?;
        bytes = commands.iter().map(|command| command.data.len()).sum();
        levels.push(LevelLoad {
            level: level as u8,
            block,
            commands: commands.len(),
            least: bytes.div_ceil(limit.max(1)),
        });
    }
    Ok(Load {
        bytes,
        limit,
        levels,
    })
}
