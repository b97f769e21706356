//! Campaigns of mutants: CAP files changed in one place, each parsed, verified, loaded onto a virtual
//! card, installed and sent commands.
//!
//! What may not happen: a panic, a command that doesn't end (instructions and memory of the card are
//! limited), and a mutant that the verifier accepts and whose run breaks type safety. What the card
//! runs is checked throughout, verified or not.

use crate::gp::{Authentication, GpError, SecurityDomain};
use crate::order::{KeyError, KeySet, KeyStore};
use crate::personalize::VirtualLink;
use crate::transport::{CardLink, exchange};
use applet_gen::api::ApiPackage;
use applet_gen::cap::mutate::{Mutant, Mutator};
use applet_gen::cap::verify::{Verdict, verify_with_tables};
use applet_gen::cap::{Cap, CapError};
use applet_gen::gp::command::{self, Install};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::scp03::SecurityLevel;
use applet_gen::gp::uicc_params::{InstallParameters, ToolkitParameters, UiccParameters};
use applet_model::aid;
use applet_model::apdu::{Command, Response};
use applet_model::machine::random::Random;
use cards::card::{CardConfig, CardError, VirtualCard};
use cards::definition::Definition;
use cards::vm;
use serde::Serialize;
use std::ops::{ControlFlow, Range};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

/// Instructions that one command may take: loops end soon, and all that applets do fits.
const FUEL: u64 = 200_000;
/// Commands that each installed applet is sent.
const COMMANDS: usize = 24;
/// Proactive commands that are answered in a row.
const FETCHES: usize = 8;

/// A CAP file that mutants are made of.
pub struct Base {
    name: String,
    mutator: Mutator,
}

impl Base {
    /// Mutants of `cap`; `name` is for messages.
    ///
    /// # Errors
    /// [`CapError`] if it can't be written.
    pub fn new(name: &str, cap: &Cap) -> Result<Self, CapError> {
        Ok(Base {
            name: name.to_owned(),
            mutator: Mutator::new(cap)?,
        })
    }
}

/// What a campaign runs on.
pub struct Campaign {
    bases: Vec<Base>,
    packages: Vec<ApiPackage>,
    definition: Definition,
    card: VirtualCard,
    keys: KeySet,
}

/// What a campaign came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Mutants.
    pub mutants: u64,
    /// Mutants that are CAP files by their form.
    pub parsed: u64,
    /// Of these, mutants that the verifier refused.
    pub refused: u64,
    /// And those that it accepted.
    pub verified: u64,
    /// Mutants that the card linked.
    pub loaded: u64,
    /// Refused mutants among these.
    pub loaded_though_refused: u64,
    /// Mutants of which code was run.
    pub run: u64,
    /// Commands and events given to their applets.
    pub commands: u64,
    /// Mutants that the checks at run time stopped.
    pub stopped: u64,
    /// Mutants that used up the instructions of a command.
    pub out_of_fuel: u64,
    /// Mutants that made the tool panic.
    pub panics: u64,
    /// Mutants that the verifier accepted and whose run broke type safety.
    pub contradictions: u64,
}

impl Figures {
    fn add(&mut self, other: &Figures) {
        let Figures {
            mutants,
            parsed,
            refused,
            verified,
            loaded,
            loaded_though_refused,
            run,
            commands,
            stopped,
            out_of_fuel,
            panics,
            contradictions,
        } = other;
        self.mutants += mutants;
        self.parsed += parsed;
        self.refused += refused;
        self.verified += verified;
        self.loaded += loaded;
        self.loaded_though_refused += loaded_though_refused;
        self.run += run;
        self.commands += commands;
        self.stopped += stopped;
        self.out_of_fuel += out_of_fuel;
        self.panics += panics;
        self.contradictions += contradictions;
    }
}

/// A mutant that shows a defect of this tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Name of the CAP file.
    pub base: String,
    /// Makes the mutant again.
    pub seed: u64,
    /// What was changed.
    pub change: String,
    /// What happened.
    pub what: String,
    /// The mutant, as a load file.
    pub load_file: Vec<u8>,
}

/// Why a campaign can't start.
#[derive(Debug, thiserror::Error)]
pub enum MutationError {
    /// The virtual card can't be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The card definition has no test keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A CAP file that the mutants need is refused by the card.
    #[error("{name}: the card refuses it: {reason}")]
    Library {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
}

/// A mutant, made and judged, before it is run.
pub struct Judged {
    /// Name of the CAP file.
    pub base: String,
    /// The mutant.
    pub mutant: Mutant,
    /// It as a CAP.
    pub cap: Result<Cap, CapError>,
    /// The verifier's verdict, if it is a CAP.
    pub verdict: Option<Verdict>,
}

impl Campaign {
    /// A campaign with mutants of `bases` in turn, on a new card of this configuration that has the
    /// packages of `libraries` already. `packages` are what imports are looked up in, before the tables.
    ///
    /// # Errors
    /// [`MutationError`].
    pub fn new(
        config: CardConfig,
        bases: Vec<Base>,
        libraries: &[(String, Cap)],
        packages: Vec<ApiPackage>,
    ) -> Result<Self, MutationError> {
        let definition = config.definition.clone();
        let keys = KeyStore::default().find("test", None, &definition)?;
        let mut card = VirtualCard::new(config)?;
        card.set_fuel(FUEL);
        card.set_vm_mode(vm::Mode::Defensive);
        let mut campaign = Campaign {
            bases,
            packages,
            definition,
            card,
            keys,
        };
        for (name, cap) in libraries {
            let load_file = cap.load_file(true).unwrap_or_default();
            let mut session = campaign.session().map_err(|error| MutationError::Library {
                name: name.clone(),
                reason: error.to_string(),
            })?;
            if !session.load(&cap.header.package.aid, &load_file) {
                let fault = session.domain.link_mut().card_mut().take_fault();
                return Err(MutationError::Library {
                    name: name.clone(),
                    reason: fault.unwrap_or_default(),
                });
            }
            campaign.card = session.domain.into_link().into_card();
        }
        Ok(campaign)
    }

    /// Makes the mutant of a seed and has it judged.
    #[must_use]
    pub fn judge(&self, seed: u64) -> Option<Judged> {
        let count = u64::try_from(self.bases.len()).ok().filter(|n| *n > 0)?;
        let base = self.bases.get(usize::try_from(seed % count).ok()?)?;
        let mutant = base.mutator.mutant(seed);
        let cap = mutant.cap();
        Some(Judged {
            verdict: cap
                .as_ref()
                .ok()
                .map(|cap| verify_with_tables(cap, &self.packages)),
            base: base.name.clone(),
            mutant,
            cap,
        })
    }

    /// Runs the mutants of these seeds, spread over the processors. `done` counts them.
    #[must_use]
    pub fn run(&self, seeds: Range<u64>, done: &AtomicU64) -> (Figures, Vec<Trouble>) {
        let next = AtomicU64::new(seeds.start);
        let total = Mutex::new((Figures::default(), Vec::new()));
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let seed = next.fetch_add(1, Ordering::Relaxed);
                        if seed >= seeds.end {
                            break;
                        }
                        let (figures, trouble) = self.one(seed);
                        if let Ok(mut total) = total.lock() {
                            total.0.add(&figures);
                            total.1.extend(trouble);
                        }
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
        });
        let (figures, mut troubles) = total.into_inner().unwrap_or_default();
        troubles.sort_by_key(|trouble| trouble.seed);
        (figures, troubles)
    }

    /// Runs the mutant of one seed.
    #[must_use]
    pub fn one(&self, seed: u64) -> (Figures, Option<Trouble>) {
        let mut figures = Figures {
            mutants: 1,
            ..Figures::default()
        };
        let name = |seed: u64| {
            let count = u64::try_from(self.bases.len()).unwrap_or(1).max(1);
            let index = usize::try_from(seed % count).unwrap_or(0);
            self.bases
                .get(index)
                .map_or("", |base| &base.name)
                .to_owned()
        };
        let made = catch_unwind(AssertUnwindSafe(|| self.judge(seed)));
        let judged = match made {
            Ok(Some(judged)) => judged,
            Ok(None) => return (figures, None),
            Err(panic) => {
                figures.panics = 1;
                let trouble = Trouble {
                    base: name(seed),
                    seed,
                    change: String::new(),
                    what: format!("mutator or verifier panicked: {}", message(&*panic)),
                    load_file: Vec::new(),
                };
                return (figures, Some(trouble));
            }
        };
        let verified = judged.verdict.as_ref().is_some_and(Verdict::is_verified);
        figures.parsed = judged.cap.is_ok().into();
        figures.verified = verified.into();
        figures.refused = (judged.cap.is_ok() && !verified).into();
        let load_file = judged.mutant.load_file();
        let ran = catch_unwind(AssertUnwindSafe(|| self.execute(&judged, &load_file, seed)));
        let what = match ran {
            Ok(Ok(ran)) => {
                figures.loaded = ran.loaded.into();
                figures.loaded_though_refused = (ran.loaded && !verified).into();
                figures.run = (ran.commands > 0).into();
                figures.commands = ran.commands;
                figures.stopped = ran.violation.is_some().into();
                figures.out_of_fuel = ran.out_of_fuel.into();
                let contradiction = ran.violation.filter(|_| verified);
                figures.contradictions = contradiction.is_some().into();
                contradiction.map(|trap| format!("verified, and stopped at run time: {trap}"))
            }
            Ok(Err(error)) => Some(format!("the card does not answer: {error}")),
            Err(panic) => {
                figures.panics = 1;
                Some(format!("card or VM panicked: {}", message(&*panic)))
            }
        };
        let trouble = what.map(|what| Trouble {
            base: judged.base,
            seed,
            change: judged.mutant.change,
            what,
            load_file,
        });
        (figures, trouble)
    }

    fn session(&self) -> Result<Session, GpError> {
        let mut link = VirtualLink::new("mutants", self.card.clone());
        link.reset()?;
        let mut domain = SecurityDomain::issuer(link, &self.definition)?;
        let mut how = Authentication {
            level: Some(SecurityLevel::CMac),
            attempts: None,
            random: &mut |challenge| {
                challenge.fill(7);
                Ok(())
            },
            observer: &mut |_| ControlFlow::Continue(()),
        };
        domain.authenticate(&self.keys, &mut how)?;
        Ok(Session {
            domain,
            ran: Ran::default(),
        })
    }

    fn execute(&self, judged: &Judged, load_file: &[u8], seed: u64) -> Result<Ran, GpError> {
        let mut session = self.session()?;
        // What does not parse is given to the card too, under the name that is announced.
        let package = match &judged.cap {
            Ok(cap) => cap.header.package.aid.clone(),
            Err(_) => vec![0xF0; 6],
        };
        if !session.load(&package, load_file) {
            return Ok(session.ran);
        }
        session.ran.loaded = true;
        let Ok(cap) = &judged.cap else {
            return Ok(session.ran);
        };
        let mut instances = Vec::new();
        for applet in &cap.applets {
            if session.install(&package, &applet.aid)? {
                instances.push(applet.aid.clone());
            }
        }
        let mut random = Random::new(seed);
        session.exercise(&instances, &mut random)?;
        Ok(session.ran)
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message")
}

#[derive(Debug, Default)]
struct Ran {
    loaded: bool,
    commands: u64,
    out_of_fuel: bool,
    /// What the checks at run time found first.
    violation: Option<String>,
}

/// One mutant on its card.
struct Session {
    domain: SecurityDomain<VirtualLink>,
    ran: Ran,
}

impl Session {
    fn secure(&mut self, command: &Command) -> Option<Response> {
        self.domain.exchange(command).ok()
    }

    /// Whether the card takes the load file.
    fn load(&mut self, package: &[u8], load_file: &[u8]) -> bool {
        let announce = command::install_for_load(package, &[], &[], &[], &[]);
        let announced = self
            .secure(&announce)
            .is_some_and(|answer| answer.sw.is_ok());
        let Ok(blocks) = load_commands(load_file, self.domain.max_command_data()) else {
            return false;
        };
        announced
            && blocks
                .iter()
                .all(|block| self.secure(block).is_some_and(|answer| answer.sw.is_ok()))
    }

    fn install(&mut self, package: &[u8], module: &[u8]) -> Result<bool, GpError> {
        let toolkit = ToolkitParameters {
            max_timers: 1,
            max_channels: 1,
            ..ToolkitParameters::default()
        };
        let parameters = InstallParameters {
            uicc: Some(UiccParameters {
                toolkit: Some(toolkit),
                ..UiccParameters::default()
            }),
            ..InstallParameters::default()
        };
        let Ok(parameters) = parameters.encode() else {
            return Ok(false);
        };
        let install = Install {
            package,
            module,
            instance: instance(module),
            privileges: [0, 0, 0],
            parameters: &parameters,
            token: &[],
        };
        let answer = self.secure(&install.for_install_and_make_selectable());
        self.note();
        Ok(answer.is_some_and(|answer| answer.sw.is_ok()))
    }

    /// Keeps what stopped the applet, if it was stopped.
    fn note(&mut self) {
        self.ran.commands += 1;
        let card = self.domain.link_mut().card_mut();
        if let Some(trap) = card.take_trap()
            && trap.breaks_type_safety()
            && self.ran.violation.is_none()
        {
            self.ran.violation = Some(trap.to_string());
        }
        self.ran.out_of_fuel |=
            card.take_fault().as_deref() == Some("the command took too many instructions");
    }

    fn send(&mut self, command: &Command) -> Result<Response, GpError> {
        let mut response = exchange(self.domain.link_mut(), command)?;
        self.note();
        for _ in 0..FETCHES {
            if response.sw.sw1() != 0x91 {
                break;
            }
            let fetch = Command::new(0x80, 0x12, 0, 0).with_le(256);
            let proactive = exchange(self.domain.link_mut(), &fetch)?;
            let answer = answer_to(&proactive.data);
            response = exchange(self.domain.link_mut(), &answer)?;
            self.note();
        }
        Ok(response)
    }

    /// A terminal's start, then commands to each applet, events between them.
    fn exercise(&mut self, instances: &[Vec<u8>], random: &mut Random) -> Result<(), GpError> {
        let profile = Command::new(0x80, 0x10, 0, 0).with_data(vec![0xFF; 31]);
        self.send(&profile)?;
        for module in instances {
            self.send(&command::select(instance(module)))?;
            for number in 0..COMMANDS {
                let command = match random.below(8) {
                    0 => Command::new(0x80, 0xF2, 0, 0x0C),
                    1 => envelope(random),
                    2 => command::select(instance(module)),
                    _ => applet_command(number, random),
                };
                self.send(&command)?;
            }
        }
        Ok(())
    }
}

/// The IPAe applet has an instance AID of its own.
fn instance(module: &[u8]) -> &[u8] {
    if module == aid::MODULE_IPAE {
        aid::INSTANCE_IPAE
    } else {
        module
    }
}

fn applet_command(number: usize, random: &mut Random) -> Command {
    let ins = match random.below(3) {
        0 => u8::try_from(number).unwrap_or(0),
        1 => [0xE2, 0xCA, 0xB0, 0xD6, 0x20, 0x10, 0x30, 0x01][random.below(8) % 8],
        _ => random.byte() & 0x7F,
    };
    let p1 = [0, 0, 1, 0x80, random.byte()][random.below(5) % 5];
    let p2 = [0, 0, 1, 2, random.byte()][random.below(5) % 5];
    let cla = [0x80, 0x80, 0x00, 0xB0][random.below(4) % 4];
    let length = random.below(20);
    let data: Vec<u8> = (0..length).map(|_| random.byte()).collect();
    let command = Command::new(cla, ins, p1, p2).with_data(data);
    match random.below(2) {
        0 => command.with_le(256),
        _ => command,
    }
}

/// ENVELOPE of one kind or another (ETSI TS 102 223 7).
fn envelope(random: &mut Random) -> Command {
    const KINDS: &[&[u8]] = &[
        // Menu selection, timer expiration, event download (data available), SMS-PP download.
        &[0xD3, 0x07, 0x82, 0x02, 0x01, 0x81, 0x90, 0x01, 0x01],
        &[
            0xD7, 0x0C, 0x82, 0x02, 0x82, 0x81, 0xA4, 0x01, 0x01, 0xA5, 0x03, 0, 0, 0,
        ],
        &[
            0xD6, 0x0E, 0x99, 0x01, 0x09, 0x82, 0x02, 0x82, 0x81, 0xB8, 0x02, 0x81, 0, 0xB7, 0x01,
            9,
        ],
        &[
            0xD1, 0x0A, 0x82, 0x02, 0x83, 0x81, 0x86, 0x01, 0x80, 0x8B, 0x01, 0,
        ],
    ];
    let kind = KINDS.get(random.below(KINDS.len())).copied();
    let mut data = kind.unwrap_or_default().to_vec();
    if random.below(4) == 0
        && let Some(byte) = data.last_mut()
    {
        *byte = random.byte();
    }
    Command::new(0x80, 0xC2, 0, 0).with_data(data).with_le(256)
}

/// TERMINAL RESPONSE "performed successfully" to a proactive command.
fn answer_to(proactive: &[u8]) -> Command {
    let start = if proactive.get(1) == Some(&0x81) {
        5
    } else {
        4
    };
    let details = proactive.get(start..start + 3).unwrap_or(&[1, 0, 0]);
    let data = [
        &[0x81, 0x03],
        details,
        &[0x82, 0x02, 0x82, 0x81, 0x83, 0x01, 0x00],
    ]
    .concat();
    Command::new(0x80, 0x14, 0, 0).with_data(data)
}
