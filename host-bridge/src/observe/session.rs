//! A fresh virtual card of a definition, and packages of any kind on it.

use crate::exit::{self, Exit, ExitCode};
use crate::gp::{Authentication, Domain, GpError};
use crate::order::{KeyError, KeyStore};
use crate::personalize::VirtualLink;
use crate::transport::{CardLink, Counted, LinkError, exchange};
use applet_gen::cap::{Cap, CapError};
use applet_gen::gp::command::{self, Install};
use applet_gen::gp::load::{LoadError, load_commands};
use applet_model::apdu::{ApduError, Command, Response};
use applet_model::cat::{self, GeneralResult, ProactiveCommand, TerminalResponse};
use applet_model::sgp::IdentityError;
use applet_model::status::Sw;
use cards::card::{CardConfig, CardError, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{ConfigError, Eid, EuiccConfig};
use cards::observe::{Apdus, Names, Shared, Thrown, Tracer};
use cards::vm::{Observer, Usage};
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Proactive commands that are answered after one command; an applet that sends more is given up.
const PROACTIVE: usize = 64;
/// The card's EID: the lab's first.
const EID: &str = "890490320000000000000000000001";

/// Why something can't be done with the card.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// The EID of the card isn't one.
    #[error(transparent)]
    Eid(#[from] IdentityError),
    /// The card's eUICC can't be made.
    #[error(transparent)]
    Euicc(#[from] ConfigError),
    /// The card can't be made.
    #[error(transparent)]
    Card(#[from] CardError),
    /// The definition has no test keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A CAP can't be turned into a load file.
    #[error(transparent)]
    Cap(#[from] CapError),
    /// A load file has too many blocks.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// The security domain refused, with the reason from inside the card where it gave one.
    #[error("{source}{}", reason.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Managed {
        /// What was refused.
        source: GpError,
        /// What happened in the card.
        reason: Option<String>,
    },
    /// The card has no power.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// No command APDU.
    #[error("{hex}: {source}")]
    Apdu {
        /// What was given.
        hex: String,
        /// Why.
        source: ApduError,
    },
}

impl ExitCode for SessionError {
    fn exit(&self) -> Exit {
        match self {
            SessionError::Eid(_) | SessionError::Euicc(_) | SessionError::Card(_) => {
                exit::DEFINITION
            }
            SessionError::Cap(_) | SessionError::Load(_) => exit::CAP,
            SessionError::Keys(e) => e.exit(),
            SessionError::Managed { source, .. } => source.exit(),
            SessionError::Link(e) => e.exit(),
            SessionError::Apdu { .. } => exit::USAGE,
        }
    }
}

/// An applet instance that was installed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Installed {
    /// AID of the package, in hexadecimal.
    pub package: String,
    /// AID of the instance.
    pub instance: String,
}

/// A proactive command and what the session answered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Proactive {
    /// Its bytes, in hexadecimal.
    pub bytes: String,
    /// What it says.
    pub text: String,
}

/// A command, its answer, and what happened meanwhile.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The command.
    pub command: Command,
    /// The whole response, after GET RESPONSE.
    pub response: Response,
    /// Why the card gave up, in words.
    pub fault: Option<String>,
    /// The exception that ended the applet's method.
    pub thrown: Option<Thrown>,
    /// Proactive commands that followed.
    pub proactive: Vec<Proactive>,
}

/// A fresh virtual card, packages on it, and a terminal that answers "performed" to everything.
pub struct Session {
    link: Counted<VirtualLink>,
    definition: Definition,
    caps: Vec<Cap>,
    names: Arc<Names>,
    tracer: Option<Shared<Tracer>>,
}

/// The CAP files in an order in which a card can load them: each after those that it imports. Those of a
/// circle stay in their order, for the card to refuse.
pub fn load_order(caps: Vec<Cap>) -> Vec<Cap> {
    let (mut ordered, mut rest): (Vec<Cap>, Vec<Cap>) = (Vec::new(), caps);
    while !rest.is_empty() {
        let waiting: BTreeSet<Vec<u8>> = rest
            .iter()
            .map(|cap| cap.header.package.aid.clone())
            .collect();
        let ready = |cap: &Cap| {
            let own = &cap.header.package.aid;
            cap.imports
                .iter()
                .all(|i| i.aid == *own || !waiting.contains(&i.aid))
        };
        let at = rest.iter().position(ready).unwrap_or(0);
        ordered.push(rest.remove(at));
    }
    ordered
}

impl Session {
    /// A card as it leaves the factory.
    ///
    /// # Errors
    /// [`SessionError`]: the definition has no test keys, or can't be a card.
    pub fn new(definition: Definition, seed: u64) -> Result<Session, SessionError> {
        let euicc = EuiccConfig::lab(Eid::with_check_digits(EID)?)?;
        let config = CardConfig::with_test_keys(definition.clone(), seed, euicc)?;
        let card = VirtualCard::new(config)?;
        Ok(Session {
            link: Counted::new(VirtualLink::new("virtual card", card)),
            definition,
            caps: Vec::new(),
            names: Arc::default(),
            tracer: None,
        })
    }

    /// Loads a package over the security domain's secure channel.
    ///
    /// # Errors
    /// [`SessionError`]: what the card refuses, and why.
    pub fn load(&mut self, cap: Cap, verified: bool) -> Result<(), SessionError> {
        let load_file = cap.load_file(false)?;
        let aid = cap.header.package.aid.clone();
        self.manage(|isd| {
            let begin = command::install_for_load(&aid, &[], &[], &[], &[]);
            isd.send("INSTALL [for load]", &begin)?;
            let commands = load_commands(&load_file, isd.max_command_data())?;
            let count = commands.len();
            for (i, load) in commands.iter().enumerate() {
                isd.send(&format!("LOAD block {} of {count}", i + 1), load)?;
            }
            Ok(())
        })?;
        if verified {
            self.link.link.card_mut().set_verified(&aid);
        }
        self.caps.push(cap);
        self.names = Arc::new(Names::new(self.link.link.card().vm(), &self.caps));
        Ok(())
    }

    /// Installs an applet and makes it selectable. `parameters` is the whole field of INSTALL: C9 with
    /// the applet's data, EF and EA with the system's.
    ///
    /// # Errors
    /// [`SessionError`]: what the card refuses, and why.
    pub fn install(
        &mut self,
        package: &[u8],
        module: &[u8],
        parameters: &[u8],
    ) -> Result<Installed, SessionError> {
        self.manage(|isd| {
            let install = Install {
                package,
                module,
                instance: module,
                privileges: [0; 3],
                parameters,
                token: &[],
            };
            let what = "INSTALL [for install and make selectable]";
            isd.send(what, &install.for_install_and_make_selectable())?;
            Ok(())
        })?;
        Ok(Installed {
            package: hex::encode_upper(package),
            instance: hex::encode_upper(module),
        })
    }

    fn manage(
        &mut self,
        act: impl FnOnce(&mut Domain<'_>) -> Result<(), GpError>,
    ) -> Result<(), SessionError> {
        let managed = |source| SessionError::Managed {
            source,
            reason: None,
        };
        let set = KeyStore::default().find("test", None, &self.definition);
        let set = set?;
        let mut isd = Domain::issuer(&mut self.link, &self.definition).map_err(managed)?;
        let mut how = Authentication {
            level: None,
            attempts: None,
            // The card is of this process and for this run: its challenges need not be secret.
            random: &mut |bytes| {
                bytes.fill(0x5A);
                Ok(())
            },
            observer: &mut |_| ControlFlow::Continue(()),
        };
        let done = isd
            .authenticate(&set, &mut how)
            .and_then(|()| act(&mut isd));
        done.map_err(|source| SessionError::Managed {
            source,
            reason: self.link.link.card_mut().take_fault(),
        })
    }

    /// What the code on the card is called.
    pub fn names(&self) -> Arc<Names> {
        Arc::clone(&self.names)
    }

    /// The packages, in the order of loading.
    pub fn caps(&self) -> &[Cap] {
        &self.caps
    }

    /// Watches the VM with an observer of one's own.
    pub fn observe(&mut self, observer: Box<dyn Observer>) {
        self.tracer = None;
        self.link.link.card_mut().observe(observer);
    }

    /// Watches the VM with a tracer; exceptions are then told with each exchange.
    pub fn trace(&mut self, tracer: Tracer) -> Shared<Tracer> {
        let shared = Shared::new(tracer);
        self.observe(Box::new(shared.clone()));
        self.tracer = Some(shared.clone());
        shared
    }

    /// The exception that ended the last method that the card called, if a tracer watches.
    pub fn take_uncaught(&mut self) -> Option<Thrown> {
        let tracer = self.tracer.as_ref()?;
        tracer.with(Tracer::take_uncaught)
    }

    /// What crossed the interface so far.
    pub fn apdus(&self) -> Apdus {
        let traffic = self.link.traffic;
        Apdus {
            count: traffic.apdus,
            bytes: traffic.sent + traffic.received,
        }
    }

    /// Memory in use.
    pub fn memory(&self) -> Usage {
        self.link.link.card().vm().memory()
    }

    /// Power off and on.
    ///
    /// # Errors
    /// [`SessionError::Link`].
    pub fn reset(&mut self) -> Result<(), SessionError> {
        self.link.reset()?;
        Ok(())
    }

    /// Sends a command, collects the response, fetches and answers proactive commands.
    ///
    /// # Errors
    /// [`SessionError::Apdu`] if the bytes are no command, [`SessionError::Link`].
    pub fn transmit(&mut self, bytes: &[u8]) -> Result<Exchange, SessionError> {
        let command = Command::parse(bytes).map_err(|source| SessionError::Apdu {
            hex: hex::encode_upper(bytes),
            source,
        })?;
        self.take_uncaught();
        let response = exchange(&mut self.link, &command)?;
        let thrown = self.take_uncaught();
        let fault = self.link.link.card_mut().take_fault();
        let mut found = Exchange {
            command,
            response,
            fault,
            thrown,
            proactive: Vec::new(),
        };
        let mut sw = found.response.sw;
        while sw.sw1() == 0x91 && found.proactive.len() < PROACTIVE {
            sw = self.fetch(sw, &mut found.proactive)?;
        }
        Ok(found)
    }

    /// FETCH and TERMINAL RESPONSE (ETSI TS 102 221 11.2.3, 11.2.4); gives the last status word.
    fn fetch(&mut self, sw: Sw, seen: &mut Vec<Proactive>) -> Result<Sw, SessionError> {
        let length = match sw.sw2() {
            0 => 256,
            n => u32::from(n),
        };
        let fetched = exchange(
            &mut self.link,
            &Command::new(0x80, 0x12, 0, 0).with_le(length),
        )?;
        let Ok(command) = ProactiveCommand::parse(&fetched.data) else {
            return Ok(fetched.sw);
        };
        seen.push(Proactive {
            bytes: hex::encode_upper(&fetched.data),
            text: cat::describe_proactive(&fetched.data).trim_end().to_owned(),
        });
        let answer = TerminalResponse::to(&command, GeneralResult::OK).to_bytes();
        let response = Command::new(0x80, 0x14, 0, 0).with_data(answer);
        Ok(exchange(&mut self.link, &response)?.sw)
    }
}
