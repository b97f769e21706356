//! The bench of a scenario: card, device, eIM, and the model beside the card.

use super::setup::{Setup, Subject};
use super::{Outcome, Scenario, ScenarioReport};
use crate::eim::{
    Eim, EimError, EimOptions, Forward, Operation, PackageRow, PackageState, Registration,
    ServerHandle, Storage,
};
use crate::personalize::{Es10, Es10Error};
use crate::smdp::client::Binding;
use crate::smdp::{Smdp, SmdpError, SmdpOptions};
use crate::terminal::{
    DeviceProfile, Limits, Network, Resolve, Stop, Terminal, TerminalError, What,
};
use crate::transport::{CardLink, LinkError};
use applet_model::lockstep::{Divergence, Lockstep};
use applet_model::sgp::certs::{GetCertsRequest, GetCertsResponse};
use applet_model::sgp::{Decode, Eid, Encode};
use cards::card::VirtualCard;
use cards::definition::{Cost, Definition};
use cards::observe::{Profile, Shared, Time};
use cards::pki::Hierarchy;
use serde::Serialize;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// Why a scenario failed.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Something else happened than what must.
    #[error("{0}")]
    Expectation(String),
    /// The card and the model differ.
    #[error("lock-step: {0}")]
    Lockstep(#[from] Box<Divergence>),
    /// The device can't go on.
    #[error("device: {}", chain(.0))]
    Terminal(#[from] TerminalError),
    /// The eIM can't go on.
    #[error("eIM: {0}")]
    Eim(#[from] EimError),
    /// The SM-DP+ can't go on.
    #[error("SM-DP+: {0}")]
    Smdp(#[from] SmdpError),
    /// The ISD-R refused while the card was prepared.
    #[error("ISD-R: {0}")]
    Es10(#[from] Es10Error),
    /// An ES10 or eIM message can't be read or written.
    #[error("{0}")]
    Message(String),
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

/// A step of a scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Step {
    /// What was done.
    pub text: String,
    /// Number of the first APDU after it began.
    pub first_apdu: u64,
    /// Virtual milliseconds when it began.
    pub at_ms: u64,
    /// Real milliseconds that it took.
    pub real_ms: u64,
    /// Whether it is the one at which the scenario failed.
    pub failed: bool,
}

/// Where the lab's eIMs are, as the card sees it (RFC 5737: documentation addresses).
pub const EIM_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
/// Where the second eIM is.
pub const SECOND_ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Address of the SM-DP+ where the hierarchy has none.
const SMDP_ADDRESS: &str = "smdp.lab.example";
/// A day, the time in which everything must have happened.
pub const DAY: u64 = 86_400;
/// Real time that a silent peer is waited for where a scenario says that the peer is silent.
const SHORT_PATIENCE: Duration = Duration::from_millis(150);

/// A card in a device, with its eIM.
pub struct Bench {
    terminal: Terminal<Subject>,
    /// The eIM that the card was personalized for.
    pub eim: Eim,
    /// Another eIM that the card doesn't know yet.
    pub second: Eim,
    servers: [Option<ServerHandle>; 2],
    hierarchy: Option<Hierarchy>,
    smdp: Option<(Smdp, ServerHandle)>,
    /// EID of the card.
    pub eid: Eid,
    definition: Definition,
    lockstep: Option<Lockstep>,
    steps: Vec<(Step, Instant)>,
    /// Counts the applet's work, to predict its time by the definition's cost model.
    watch: Option<(Shared<Profile>, Cost)>,
}

/// Watches a virtual card on which nobody looks yet.
fn watch(subject: &mut Subject, cost: Cost) -> Option<(Shared<Profile>, Cost)> {
    let Subject::Virtual(link) = subject else {
        return None;
    };
    let card = link.card_mut();
    if let Some(other) = card.take_observer() {
        card.observe(other);
        return None;
    }
    let profile = Shared::new(Profile::default());
    card.observe(Box::new(profile.clone()));
    Some((profile, cost))
}

impl Bench {
    /// Registers the card at the eIM, starts the servers, puts the card into a device that is off.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn new(setup: Setup) -> Result<Bench, Failure> {
        let Setup {
            mut subject,
            eid,
            definition,
            identity,
            second,
            hierarchy,
            lockstep,
            counter,
        } = setup;
        let eid: Eid = eid
            .parse()
            .map_err(|_| Failure::Message(format!("{eid} is no EID")))?;
        subject
            .reset()
            .map_err(|e| Failure::Message(e.to_string()))?;
        let certificates = certificates(&mut subject, &definition)?;
        let watch = definition
            .cost
            .clone()
            .and_then(|cost| watch(&mut subject, cost));
        let mut registration = Registration {
            certificates: Some(certificates),
            association_token: None,
            counter: None,
        };
        let open = |identity| Eim::open(&Storage::Memory, identity, EimOptions::default());
        let (eim, second) = (open(identity)?, open(second)?);
        second.register(&eid, &registration)?;
        registration.counter = Some(counter);
        eim.register(&eid, &registration)?;
        let any_port = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let servers = [Some(eim.serve(any_port)?), Some(second.serve(any_port)?)];
        let mut network = Network::default();
        for (asked, server) in [EIM_ADDRESS, SECOND_ADDRESS].iter().zip(&servers) {
            if let Some(server) = server {
                network.resolve.push(Resolve {
                    host: asked.to_string(),
                    port: None,
                    to: server.address(),
                });
            }
        }
        Ok(Bench {
            terminal: Terminal::new(subject, DeviceProfile::default(), network),
            eim,
            second,
            servers,
            hierarchy,
            smdp: None,
            eid,
            definition,
            lockstep,
            steps: Vec::new(),
            watch,
        })
    }

    /// Begins a step.
    pub fn step(&mut self, text: impl Into<String>) {
        self.end_step();
        let step = Step {
            text: text.into(),
            first_apdu: self.terminal.log().apdus() + 1,
            at_ms: self.terminal.now_ms(),
            real_ms: 0,
            failed: false,
        };
        self.steps.push((step, Instant::now()));
    }

    fn end_step(&mut self) {
        if let Some((step, started)) = self.steps.last_mut()
            && step.real_ms == 0
        {
            step.real_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        }
    }

    /// The device.
    pub fn device(&mut self) -> &mut DeviceProfile {
        self.terminal.device_mut()
    }

    /// Makes the device do something wrong.
    pub fn inject(&mut self, fault: crate::terminal::Fault) {
        self.terminal.inject(fault);
    }

    /// The device does everything right again.
    pub fn clear_device_faults(&mut self) {
        self.terminal.clear_faults();
    }

    /// A peer that stays silent is waited for only shortly: the scenario says that it is silent.
    pub fn expect_silence(&mut self) {
        self.terminal.network_mut().patience = SHORT_PATIENCE;
    }

    /// Whether the operator of the profile with this ICCID gives service.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn service(&mut self, iccid: &str, up: bool) -> Result<(), Failure> {
        Ok(self.terminal.set_service(iccid, up)?)
    }

    /// The SM-DP+, to which the eIM has a way; it is opened at the first use.
    ///
    /// # Errors
    /// [`Failure::Expectation`] if the setup has no hierarchy, [`Failure::Smdp`].
    pub fn smdp(&mut self) -> Result<Smdp, Failure> {
        if let Some((smdp, _)) = &self.smdp {
            return Ok(smdp.clone());
        }
        let hierarchy = self.hierarchy.as_ref().ok_or_else(|| {
            Failure::Expectation(
                "a download needs the hierarchy that issued the card's certificates".into(),
            )
        })?;
        let credential = match &hierarchy.smdp {
            Some(credential) => credential.clone(),
            None => hierarchy
                .issue_smdp(SMDP_ADDRESS)
                .map_err(SmdpError::from)?,
        };
        let options = SmdpOptions {
            seed: Some(1),
            ..SmdpOptions::default()
        };
        let smdp = Smdp::open(None, hierarchy, credential, options)?;
        let server = smdp.serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), false)?;
        self.eim.forward(Forward {
            name: smdp.address().to_owned(),
            to: server.address(),
            binding: Binding::Json,
        });
        self.smdp = Some((smdp.clone(), server));
        Ok(smdp)
    }

    /// Sends connections for the eIM nowhere, or to its server again.
    pub fn eim_reachable(&mut self, reachable: bool) {
        let to = match (&self.servers[0], reachable) {
            (Some(server), true) => server.address(),
            // Port 9 of loopback: nobody listens there.
            _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 9)),
        };
        if let Some(rule) = self.terminal.network_mut().resolve.first_mut() {
            rule.to = to;
        }
    }

    /// The virtual card.
    ///
    /// # Errors
    /// [`Failure::Expectation`] for a card in a reader.
    pub fn card(&mut self) -> Result<&mut VirtualCard, Failure> {
        match self.terminal.link_mut() {
            Subject::Virtual(link) => Ok(link.card_mut()),
            Subject::Reader(_) => Err(Failure::Expectation("this needs a virtual card".into())),
        }
    }

    /// The virtual card, if it is one.
    pub fn virtual_card(&self) -> Option<&VirtualCard> {
        match self.terminal.link() {
            Subject::Virtual(link) => Some(link.card()),
            Subject::Reader(_) => None,
        }
    }

    /// Switches the device on.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn boot(&mut self) -> Result<(), Failure> {
        self.terminal.boot()?;
        self.follow()
    }

    /// Switches the device off.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn power_off(&mut self) -> Result<(), Failure> {
        self.terminal.power_off();
        self.follow()
    }

    /// Switches the device off, and asks the ISD-R as a device with an assistant of its own does before its toolkit
    /// session begins.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn es10(&mut self, request: &impl Encode) -> Result<Vec<u8>, Failure> {
        let wrong = |e: &dyn std::fmt::Display| Failure::Message(e.to_string());
        let request = request.to_der().map_err(|e| wrong(&e))?;
        self.terminal.power_off();
        let subject = self.terminal.link_mut();
        subject.reset().map_err(|e| wrong(&e))?;
        let mut es10 = Es10::open(subject, &self.definition)?;
        let answer = es10.call(&request)?;
        es10.close()?;
        self.follow()?;
        Ok(answer)
    }

    /// Virtual milliseconds so far.
    pub fn now_ms(&self) -> u64 {
        self.terminal.now_ms()
    }

    /// APDUs so far.
    pub fn apdus(&self) -> u64 {
        self.terminal.log().apdus()
    }

    /// Runs the device until the condition holds, for at most so many virtual seconds.
    ///
    /// # Errors
    /// [`Failure::Expectation`] if it doesn't come to hold.
    pub fn until(
        &mut self,
        seconds: u64,
        what: &str,
        mut condition: impl FnMut(&Eim, &Eim) -> Result<bool, EimError>,
    ) -> Result<(), Failure> {
        let (eim, second) = (self.eim.clone(), self.second.clone());
        let mut error = None;
        let stop = self
            .terminal
            .run_until(Limits::virtual_seconds(seconds), |_| {
                match condition(&eim, &second) {
                    Ok(holds) => holds,
                    Err(e) => {
                        error = Some(e);
                        true
                    }
                }
            });
        self.follow()?;
        if let Some(error) = error {
            return Err(error.into());
        }
        match stop? {
            Stop::Condition => Ok(()),
            other => Err(Failure::Expectation(format!(
                "expected within {seconds} virtual seconds: {what}; the device stopped for {other:?}"
            ))),
        }
    }

    /// Runs the device for so many virtual seconds.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn run_for(&mut self, seconds: u64) -> Result<(), Failure> {
        let stop = self.terminal.run_for(Limits::virtual_seconds(seconds));
        self.follow()?;
        stop?;
        Ok(())
    }

    /// Runs the device until an event breaks the card's power; gives true if it did.
    ///
    /// # Errors
    /// [`Failure`] for any other end but the given time's.
    pub fn until_power_lost(&mut self, seconds: u64, apdus: Option<u64>) -> Result<bool, Failure> {
        let last = apdus.map(|n| self.apdus() + n);
        let eim = self.eim.clone();
        let eid = self.eid;
        let result = self
            .terminal
            .run_until(Limits::virtual_seconds(seconds), |terminal| {
                last.is_some_and(|last| terminal.log().apdus() >= last)
                    || eim
                        .packages(&eid)
                        .is_ok_and(|p| p.iter().all(|p| p.state.is_final()))
            });
        self.follow()?;
        match result {
            Ok(_) => Ok(false),
            Err(TerminalError::Link {
                source: LinkError::PowerLost(_),
                ..
            }) => Ok(true),
            Err(other) => Err(other.into()),
        }
    }

    /// Queues a package.
    ///
    /// # Errors
    /// [`Failure::Eim`].
    pub fn enqueue(&mut self, operations: &[&str]) -> Result<i64, Failure> {
        let operations: Vec<Operation> = operations
            .iter()
            .map(|o| o.parse())
            .collect::<Result<_, _>>()?;
        Ok(self.eim.enqueue(&self.eid, &operations)?)
    }

    /// Queues a package and runs the device until its end is known.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn operate(&mut self, operations: &[&str]) -> Result<PackageRow, Failure> {
        self.step(format!("eIM queues: {}", operations.join("; ")));
        let id = self.enqueue(operations)?;
        self.until_final(id)
    }

    /// Runs the device until a package's end is known.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn until_final(&mut self, id: i64) -> Result<PackageRow, Failure> {
        let eid = self.eid;
        self.until(DAY, &format!("package {id} is final"), |eim, _| {
            Ok(eim
                .packages(&eid)?
                .iter()
                .any(|p| p.id == id && p.state.is_final()))
        })?;
        self.package(id)
    }

    /// A package as the eIM has it.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn package(&self, id: i64) -> Result<PackageRow, Failure> {
        let packages = self.eim.packages(&self.eid)?;
        let found = packages.into_iter().find(|p| p.id == id);
        found.ok_or_else(|| Failure::Expectation(format!("the eIM has no package {id}")))
    }

    /// Expects a package's end and, in its note, a text.
    ///
    /// # Errors
    /// [`Failure::Expectation`].
    pub fn expect_end(
        &self,
        package: &PackageRow,
        state: PackageState,
        note: &str,
    ) -> Result<(), Failure> {
        if package.state == state && package.note.contains(note) {
            return Ok(());
        }
        Err(Failure::Expectation(format!(
            "package {} ({}): expected {state:?} with a note of {note:?}, found {:?}: {}",
            package.id, package.text, package.state, package.note
        )))
    }

    /// Expects something.
    ///
    /// # Errors
    /// [`Failure::Expectation`] with the text.
    pub fn expect(&self, holds: bool, otherwise: impl FnOnce() -> String) -> Result<(), Failure> {
        if holds {
            Ok(())
        } else {
            Err(Failure::Expectation(otherwise()))
        }
    }

    /// ICCIDs of the profiles as the eIM knows them, in the card's order.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn iccids(&mut self) -> Result<Vec<String>, Failure> {
        self.operate(&["listProfileInfo"])?;
        let inventory = self.eim.inventory(&self.eid)?;
        let iccids: Vec<String> = inventory.profiles.into_iter().map(|p| p.iccid).collect();
        self.expect(iccids.len() >= 3, || {
            format!(
                "three profiles expected on the card, found {}",
                iccids.len()
            )
        })?;
        Ok(iccids)
    }

    /// ICCID of the profile that the device sees, decimal digits.
    pub fn visible_iccid(&self) -> String {
        self.terminal
            .identity()
            .map(|i| i.iccid.clone())
            .unwrap_or_default()
    }

    /// APDUs so far, and bytes that the card sent to the network and received from it.
    pub fn traffic(&self) -> [u64; 3] {
        let mut all = [self.apdus(), 0, 0];
        for record in self.terminal.log().records() {
            match &record.what {
                What::Sent { data, .. } => all[1] += data.len() as u64 / 2,
                What::Received { data, .. } => all[2] += data.len() as u64 / 2,
                _ => {}
            }
        }
        all
    }

    /// Persistent writes of a virtual card so far; 0 for a card in a reader.
    pub fn writes(&self) -> u64 {
        self.virtual_card().map_or(0, |card| card.nvm().writes)
    }

    /// IMSI that the device reads, decimal digits.
    pub fn visible_imsi(&self) -> Option<String> {
        self.terminal.identity().map(|i| i.imsi.clone())
    }

    /// Expects that this profile is enabled, for the eIM, for the device and in the card.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn expect_enabled(&self, iccid: &str) -> Result<(), Failure> {
        let inventory = self.eim.inventory(&self.eid)?;
        let seen = [
            Some(self.visible_iccid()),
            inventory.enabled().map(str::to_owned),
        ];
        let inside = self
            .virtual_card()
            .map(|card| card.euicc().enabled_profile().map(|p| p.iccid.to_string()));
        let fits = |found: &Option<String>| found.as_deref() == Some(iccid);
        self.expect(seen.iter().all(fits) && inside.as_ref().is_none_or(fits), || {
            format!("{iccid} must be enabled: device sees {:?}, eIM knows {:?}, card has {inside:?}", seen[0], seen[1])
        })
    }

    /// Lets the model follow what the card recorded.
    fn follow(&mut self) -> Result<(), Failure> {
        let trace = match self.terminal.link_mut() {
            Subject::Virtual(link) => link.card_mut().take_trace(),
            Subject::Reader(_) => return Ok(()),
        };
        if let Some(lockstep) = &mut self.lockstep {
            lockstep.follow(&trace)?;
        }
        Ok(())
    }

    /// Takes a copy of the card and of the model beside it, to start from here several times.
    ///
    /// # Errors
    /// [`Failure`] for a card in a reader.
    pub fn save(&mut self) -> Result<(VirtualCard, Option<Lockstep>), Failure> {
        let card = self.card()?.clone();
        Ok((card, self.lockstep.clone()))
    }

    /// Goes back to a copy; the device is off then. Rows that the model took meanwhile still count.
    ///
    /// # Errors
    /// [`Failure`] for a card in a reader.
    pub fn restore(&mut self, saved: &(VirtualCard, Option<Lockstep>)) -> Result<(), Failure> {
        self.terminal.power_off();
        // What is counted from here on was counted before.
        self.watch = None;
        let mut card = saved.0.clone();
        card.reset();
        // Who watches the card goes on watching.
        if let Some(observer) = self.card()?.take_observer() {
            card.observe(observer);
        }
        *self.card()? = card;
        if let (Some(now), Some(then)) = (&mut self.lockstep, &saved.1) {
            now.go_back_to(then);
        }
        self.follow()
    }

    /// What every scenario checks in the end.
    pub(super) fn finish(&mut self) -> Result<(), Failure> {
        self.follow()?;
        if let Some(lockstep) = &mut self.lockstep {
            // A session may still be open: the model then waits for the same answer as the applet.
            if !lockstep.machine().is_busy() {
                lockstep.finish()?;
            }
        }
        if let Some(card) = self.virtual_card() {
            card.euicc()
                .check_invariants()
                .map_err(Failure::Expectation)?;
        }
        Ok(())
    }

    pub(super) fn report(
        mut self,
        scenario: &Scenario,
        failure: Option<Failure>,
        real_ms: u64,
    ) -> ScenarioReport {
        self.end_step();
        let mut steps: Vec<Step> = self.steps.drain(..).map(|(step, _)| step).collect();
        if let (Some(step), true) = (steps.last_mut(), failure.is_some()) {
            step.failed = true;
        }
        let eid = self.eid.to_string();
        let devices = self.eim.devices().unwrap_or_default();
        let counter = devices
            .iter()
            .filter(|d| d.eid == eid)
            .map(|d| d.counter)
            .max();
        let mut esipa = self.eim.take_log();
        esipa.extend(self.second.take_log());
        if let Some((_, server)) = self.smdp.take() {
            server.shutdown();
        }
        for server in &mut self.servers {
            if let Some(server) = server.take() {
                server.shutdown();
            }
        }
        let mut report = ScenarioReport {
            name: scenario.name,
            title: scenario.title,
            eid,
            counter: counter.unwrap_or_default(),
            outcome: if failure.is_some() {
                Outcome::Failed
            } else {
                Outcome::Passed
            },
            failure: failure.map(|f| f.to_string()),
            real_ms,
            virtual_ms: self.terminal.now_ms(),
            predicted_ms: None,
            steps,
            exchange: self.terminal.log_mut().take(),
            esipa,
            lockstep_steps: self.lockstep.as_ref().map_or(0, Lockstep::steps),
            rows: self.lockstep.map(|l| l.rows().clone()).unwrap_or_default(),
        };
        report.predicted_ms = self.watch.map(|(profile, cost)| {
            let mut time = Time::of(&profile.with(|profile| profile.total()), &cost);
            time += Time::of_apdus(&report.apdus(), &cost);
            time.total_ns() / 1_000_000
        });
        report
    }
}

/// The card's certificates, read by ES10b.GetCerts (SGP.32 5.9.10).
fn certificates(
    subject: &mut Subject,
    definition: &Definition,
) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let wrong = |e: &dyn std::fmt::Display| Failure::Message(format!("GetCerts: {e}"));
    let mut es10 = Es10::open(subject, definition)?;
    let request = GetCertsRequest::default().to_der().map_err(|e| wrong(&e))?;
    let answer = es10.call(&request)?;
    es10.close()?;
    match GetCertsResponse::from_der(&answer).map_err(|e| wrong(&e))? {
        GetCertsResponse::Certs(certs) => Ok((
            certs.euicc_certificate.to_bytes().to_vec(),
            certs.eum_certificate.to_bytes().to_vec(),
        )),
        GetCertsResponse::GetCertsError(code) => Err(wrong(&code)),
    }
}
