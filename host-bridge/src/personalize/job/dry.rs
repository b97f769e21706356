//! A dry run: the commands that a card of the order gets, with the status words that are fine, and the time
//! that they are predicted to take.
//!
//! The commands are those that the run itself makes. What depends on challenges and keys is shown by its
//! length; so is what only the order knows (columns `x_…`). It is the plan of a card that has nothing of the
//! job yet; what the card answers can make it shorter.

use super::{AUTHENTICATE, Action, CHECK, IDENTIFY, Job, JobStep};
use crate::gp::plan;
use crate::order::{KeySet, Order, OrderRow};
use crate::personalize::PersonalizeError;
use crate::personalize::card::ipae::get_object;
use crate::personalize::es10::{self, Function};
use applet_gen::gp::command::{self, INS_INSTALL, INS_LOAD, StatusKind};
use applet_gen::gp::put_key::put_key_set;
use applet_gen::gp::scp03::{Mode, Request, SecurityLevel, StaticKeys};
use applet_gen::script::Step;
use applet_model::apdu::Command;
use applet_model::commands::{OBJECT_CONFIG, OBJECT_VERSION};
use applet_model::status::Sw;
use cards::definition::{Cost, Definition};
use cards::observe::{Apdus, Time};
use serde::Serialize;

/// What is not counted in a prediction.
pub const NOT_COUNTED: &str =
    "the code of applets, answers whose length the card chooses, the hands that change cards";
/// Bytes of an AES block.
const BLOCK: usize = 16;
/// Most data bytes of a command without secure channel on these links.
const SHORT: usize = 255;

/// A command of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The step.
    pub step: String,
    /// What it does.
    pub what: String,
    /// The command before the secure channel, in hex; what isn't shown in brackets.
    pub command: String,
    /// It goes through the secure channel.
    pub secured: bool,
    /// Status words that are fine.
    pub expected: String,
    #[serde(skip)]
    pub(in crate::personalize) length: usize,
    #[serde(skip)]
    ins: u8,
}

/// The time that is predicted for a card, by the definition's `[cost]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Prediction {
    /// Milliseconds of a card.
    pub card_ms: u64,
    /// Of these: bytes on the contact and the card's overhead for each command.
    pub link_ms: u64,
    /// Of these: writing of memory.
    pub memory_ms: u64,
    /// Of these: the secure channel's cryptography.
    pub crypto_ms: u64,
    /// Seconds of the whole order at this many readers.
    pub order_s: u64,
    /// Where the figures come from.
    pub basis: String,
    /// What is not in them.
    pub not_counted: &'static str,
}

/// What a run would do.
#[derive(Debug, Serialize)]
pub struct DryRun {
    /// The job's title.
    pub job: String,
    /// Its digest: the journal and the receipts have it.
    pub job_sha256: String,
    /// Cards in the order.
    pub cards: usize,
    /// Readers that share them.
    pub readers: usize,
    /// The card whose plan this is.
    pub eid: String,
    /// Its line in the order.
    pub line: usize,
    /// Its commands.
    pub commands: Vec<Planned>,
    /// Bytes of commands and answers on the contact.
    pub bytes: u64,
    /// The time; `None` where the definition has no `[cost]`.
    pub predicted: Option<Prediction>,
}

impl DryRun {
    /// The plan of an order's first card.
    ///
    /// # Errors
    /// [`PersonalizeError`], as for the run's own commands.
    pub fn of(
        job: &Job,
        order: &Order,
        definition: &Definition,
        readers: usize,
    ) -> Result<Self, PersonalizeError> {
        let level = SecurityLevel::from_byte(definition.isd.scp03.level);
        let level = level.unwrap_or(SecurityLevel::Full);
        let mut planner = Planner {
            definition,
            level,
            step: String::new(),
            left: false,
            out: Vec::new(),
        };
        let (mut eid, mut line) = (String::new(), 0);
        if let Some(row) = order.rows.first() {
            (eid, line) = (row.eid.to_string(), row.line);
            let iccids = order.rows.iter().any(|row| !row.iccids.is_empty());
            planner.card(job, row, iccids)?;
        }
        let commands = planner.out;
        let readers = readers.max(1);
        let rounds = order.rows.len().div_ceil(readers) as u64;
        let mode = Mode::of_i_parameter(definition.isd.scp03.i);
        let wire = Wire { level, mode };
        let apdus = wire.apdus(&commands);
        let cost = definition.cost.as_ref();
        let predicted = cost.map(|cost| {
            let time = time(&commands, job, &wire, &apdus, cost);
            let ms = |ns: u64| ns / 1_000_000;
            Prediction {
                card_ms: ms(time.total_ns()),
                link_ms: ms(time.apdu_ns),
                memory_ms: ms(time.nvm_ns),
                crypto_ms: ms(time.crypto_ns),
                order_s: ms(time.total_ns() * rounds).div_ceil(1000),
                basis: cost.basis.clone(),
                not_counted: NOT_COUNTED,
            }
        });
        Ok(DryRun {
            job: job.title.clone(),
            job_sha256: job.digest.clone(),
            cards: order.rows.len(),
            readers,
            eid,
            line,
            commands,
            bytes: apdus.bytes,
            predicted,
        })
    }
}

/// What of a command is shown.
#[derive(Clone, Copy)]
enum Shown {
    All,
    /// Its data by length, and why.
    Length(&'static str),
}

struct Planner<'a> {
    definition: &'a Definition,
    level: SecurityLevel,
    step: String,
    /// Something else than the security domain is selected.
    left: bool,
    out: Vec<Planned>,
}

impl Planner<'_> {
    fn add(&mut self, step: &Step, secured: bool, shown: Shown) {
        let command = &step.command;
        let header = [command.cla, command.ins, command.p1, command.p2];
        let text = match shown {
            Shown::Length(why) if !command.data.is_empty() => format!(
                "{} [{} bytes: {why}]",
                hex::encode_upper(header),
                command.data.len()
            ),
            _ => hex::encode_upper(command.to_bytes()),
        };
        self.out.push(Planned {
            step: self.step.clone(),
            what: step.comment.clone(),
            command: text,
            secured,
            expected: step.allowed(),
            length: command.data.len(),
            ins: command.ins,
        });
    }

    fn plain(&mut self, what: &str, command: Command) {
        self.add(&Step::new(what, command), false, Shown::All);
    }

    /// A question whose answer may also be that there is nothing.
    fn ask(&mut self, what: &str, command: Command, secured: bool) {
        let mut step = Step::new(what, command);
        step.expected.push(Sw::REFERENCED_DATA_NOT_FOUND);
        self.add(&step, secured, Shown::All);
    }

    fn es10(&mut self, functions: &[Function]) {
        // The card gives the first channel that is free.
        let channel = 1;
        let block = self.definition.es10_block();
        self.plain("MANAGE CHANNEL (open)", es10::open_channel());
        let select = es10::select_isd_r(self.definition, channel);
        self.plain("SELECT of the ISD-R", select);
        for function in functions {
            let request = function.request().unwrap_or_default();
            for command in es10::blocks(&request, block, channel) {
                self.plain(&format!("STORE DATA ({})", function.name()), command);
            }
        }
        self.plain("MANAGE CHANNEL (close)", es10::close_channel(channel));
    }

    fn select(&mut self) {
        let select = command::select(self.definition.isd.aid.bytes());
        self.plain("SELECT of the issuer security domain", select);
    }

    fn cplc(&mut self, secured: bool) {
        let get = command::get_data(command::TAG_CPLC);
        self.ask("GET DATA (production life cycle data)", get, secured);
    }

    /// `open`: a channel is open already.
    fn authenticate(&mut self, set: &KeySet, open: bool) {
        let mode = Mode::of_i_parameter(self.definition.isd.scp03.i);
        self.cplc(open);
        let challenge = vec![0; mode.length()];
        if let Ok(request) = Request::new(set.kvn, mode, &challenge) {
            let what = format!("INITIALIZE UPDATE, key set {}", set.name);
            let step = Step::new(what, request.command());
            self.add(&step, false, Shown::Length("host challenge"));
        }
        let data = vec![0; 2 * mode.length()];
        let external = Command::new(0x84, 0x82, self.level as u8, 0x00).with_data(data);
        let step = Step::new(
            "EXTERNAL AUTHENTICATE, if the card's cryptogram fits",
            external,
        );
        self.add(&step, false, Shown::Length("host cryptogram and MAC"));
        self.left = false;
    }

    /// Before a command of the secure channel.
    fn secure(&mut self, set: &KeySet) {
        if self.left {
            self.select();
            self.authenticate(set, false);
        }
    }

    fn card(&mut self, job: &Job, row: &OrderRow, iccids: bool) -> Result<(), PersonalizeError> {
        self.step = IDENTIFY.to_owned();
        let who = [Function::Eid, Function::Iccids];
        self.es10(if iccids { &who } else { &who[..1] });
        self.select();
        self.cplc(false);
        self.step = AUTHENTICATE.to_owned();
        self.select();
        self.authenticate(&row.keys, false);
        if !job.caps.is_empty() {
            self.step = CHECK.to_owned();
            let kind = StatusKind::LoadFilesAndModules;
            self.ask(
                "GET STATUS (packages)",
                command::get_status(kind, &[], false),
                true,
            );
            let get = command::get_data(command::TAG_EXTENDED_CARD_RESOURCES);
            self.ask("GET DATA (free memory)", get, true);
        }
        let mut set = &row.keys;
        for step in &job.steps {
            self.step.clone_from(&step.name);
            self.step(job, row, step, set)?;
            if let (Action::RotateKeys { .. }, Some(new)) = (&step.action, &row.new_keys) {
                set = new;
            }
        }
        Ok(())
    }

    fn step(
        &mut self,
        job: &Job,
        row: &OrderRow,
        step: &JobStep,
        set: &KeySet,
    ) -> Result<(), PersonalizeError> {
        let applications = command::get_status(StatusKind::Applications, &[], false);
        match &step.action {
            Action::RotateKeys { .. } => {
                if let Some(new) = &row.new_keys {
                    self.secure(set);
                    self.rotate(set, new);
                }
                return Ok(());
            }
            Action::AddEim => {
                let entry = row.eim.as_ref().map(|eim| Box::new(eim.configuration()));
                let add = entry.map(Function::Add);
                let calls: Vec<Function> = std::iter::once(Function::Eims).chain(add).collect();
                self.es10(&calls);
                self.left = true;
                return Ok(());
            }
            Action::Verify {
                application,
                configuration,
                eim,
            } => {
                self.plain("SELECT of the applet", command::select(application));
                self.plain("GET DATA (version)", get_object(OBJECT_VERSION));
                if *configuration {
                    self.plain("GET DATA (configuration)", get_object(OBJECT_CONFIG));
                }
                if *eim {
                    self.es10(&[Function::Eims]);
                }
                self.left = true;
                return Ok(());
            }
            Action::Install(_) => {
                self.secure(set);
                self.ask("GET STATUS (applications)", applications, true);
            }
            Action::SetState(super::SetState::Card { .. }) => {
                self.secure(set);
                let domain = command::get_status(StatusKind::IssuerSecurityDomain, &[], false);
                self.ask("GET STATUS (issuer security domain)", domain, true);
            }
            Action::SetState(super::SetState::Application { locked: true, .. }) => {
                self.secure(set);
                self.ask("GET STATUS (applications)", applications, true);
            }
            Action::Read(read) if read.select.is_some() => self.left = true,
            _ => self.secure(set),
        }
        let secured = !matches!(&step.action, Action::Read(read) if read.select.is_some());
        let room = plan::room(self.definition, self.level);
        let shown = match step.is_personal() {
            true => Shown::Length("of the order's row"),
            false => Shown::All,
        };
        for step in step.action.commands(job, self.definition, row, room)? {
            let load = step.command.ins == INS_LOAD;
            let shown = if load {
                Shown::Length("of the package")
            } else {
                shown
            };
            self.add(&step, secured, shown);
        }
        Ok(())
    }

    fn rotate(&mut self, set: &KeySet, new: &KeySet) {
        // Keys of zeros have the length of the real ones, and that is all that is shown.
        let zeros = vec![0; new.keys.key_length()];
        let Ok(keys) = StaticKeys::new(&zeros, &zeros, &zeros) else {
            return;
        };
        if let Ok(put) = put_key_set(set.kvn, new.kvn, &keys, &keys) {
            let what = format!("PUT KEY, key set {}", new.name);
            self.add(&Step::new(what, put), true, Shown::Length("encrypted keys"));
        }
        self.authenticate(new, true);
    }
}

/// The form of commands on the contact.
struct Wire {
    level: SecurityLevel,
    mode: Mode,
}

impl Wire {
    /// Data bytes of a command, and of the answer that is sure to come.
    fn lengths(&self, planned: &Planned) -> (usize, usize) {
        let mac = self.mode.length();
        if !planned.secured {
            return (planned.length, 0);
        }
        let data = match self.level.c_dec() && planned.length > 0 {
            // Padding takes at least a byte of the last block (Amendment D 6.2.6).
            true => (planned.length / BLOCK + 1) * BLOCK,
            false => planned.length,
        };
        let sent = if self.level.c_mac() { data + mac } else { data };
        (sent.min(SHORT), if self.level.r_mac() { mac } else { 0 })
    }

    /// What crosses the contact with T=0: where there is an answer to a command with data, GET RESPONSE
    /// fetches it (ISO/IEC 7816-3 10.3).
    fn apdus(&self, commands: &[Planned]) -> Apdus {
        let mut apdus = Apdus::default();
        for planned in commands {
            let (sent, answered) = self.lengths(planned);
            match sent > 0 && answered > 0 {
                true => {
                    apdus.add(5 + sent, 2);
                    apdus.add(5, answered + 2);
                }
                false => apdus.add(5 + sent, answered + 2),
            }
        }
        apdus
    }

    /// Cipher blocks that the card works through: C-MAC with the chaining value, decryption, R-MAC.
    fn blocks(&self, commands: &[Planned]) -> u64 {
        let mut blocks = 0;
        for planned in commands.iter().filter(|planned| planned.secured) {
            let (sent, answered) = self.lengths(planned);
            let data = sent.saturating_sub(self.mode.length());
            if self.level.c_mac() {
                blocks += 1 + (5 + data).div_ceil(BLOCK);
            }
            if self.level.c_dec() {
                blocks += data.div_ceil(BLOCK);
            }
            if self.level.r_mac() {
                blocks += 1 + answered.div_ceil(BLOCK);
            }
        }
        blocks as u64
    }
}

/// The predicted time of a plan.
fn time(commands: &[Planned], job: &Job, wire: &Wire, apdus: &Apdus, cost: &Cost) -> Time {
    let page = usize::from(cost.nvm.page_bytes.max(1));
    let mut pages = 0;
    for planned in commands.iter().filter(|planned| planned.secured) {
        pages += match planned.ins {
            INS_LOAD | command::INS_STORE_DATA | command::INS_PUT_KEY => {
                planned.length.div_ceil(page)
            }
            INS_INSTALL | command::INS_SET_STATUS => 1,
            _ => 0,
        };
    }
    // What an applet makes when it is installed.
    for cap in &job.caps {
        let memory = cap.applet.budget.instances.first().map(|one| &one.memory);
        pages += (memory.map_or(0, |memory| memory.persistent) as usize).div_ceil(page);
    }
    let mut time = Time::of_apdus(apdus, cost);
    time.nvm_ns = pages as u64 * u64::from(cost.nvm.page_write_us) * 1000;
    time.crypto_ns = wire.blocks(commands) * u64::from(cost.crypto_us.cipher_block) * 1000;
    time
}
