//! What the end-to-end tests share: the applet, built once a process, and cards that carry it.

use applet_gen::build::Applet;
use applet_gen::cap::Cap;
use applet_gen::gp::command::{self, Install};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::scp03::{Mode, Request, SecureChannel, SecurityLevel, StaticKeys};
use applet_gen::gp::uicc_params::{InstallParameters, ToolkitParameters, UiccParameters};
use applet_gen::javac::Javac;
use applet_model::aid;
use applet_model::apdu::{Command, Response};
use applet_model::config::Config;
use applet_model::lockstep::Lockstep;
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig};
use std::sync::OnceLock;

/// The applet, built once a process.
///
/// # Panics
/// If `javac` is missing or the applet does not build.
pub fn applet() -> &'static Applet {
    static APPLET: OnceLock<Applet> = OnceLock::new();
    APPLET.get_or_init(|| {
        let dir = tempfile::tempdir().expect("a folder");
        let javac = Javac::locate().unwrap_or_else(|e| panic!("{e}"));
        Applet::build(dir.path(), &javac).unwrap_or_else(|e| panic!("{e}"))
    })
}

/// A lab EID with right check digits.
pub fn eid(n: u32) -> Eid {
    Eid::with_check_digits(&format!("89049032{n:022}")).expect("30 digits")
}

/// A virtual card of the lab, as it leaves the factory.
///
/// # Panics
/// If the lab's own definition or hierarchy is wrong.
pub fn factory_card(n: u32, seed: u64) -> VirtualCard {
    let definition = Definition::find("virtual-lab").unwrap_or_else(|e| panic!("{e}"));
    card_of(definition, n, seed)
}

/// A virtual card of a definition that has test keys, as it leaves the factory.
///
/// # Panics
/// If the definition has none, or the lab's hierarchy is wrong.
pub fn card_of(definition: Definition, n: u32, seed: u64) -> VirtualCard {
    let euicc = EuiccConfig::lab(eid(n)).unwrap_or_else(|e| panic!("{e}"));
    let config =
        CardConfig::with_test_keys(definition, seed, euicc).unwrap_or_else(|e| panic!("{e}"));
    VirtualCard::new(config).unwrap_or_else(|e| panic!("{e}"))
}

/// Sends a command; follows 61xx.
///
/// # Panics
/// If the card has no power.
pub fn send(card: &mut VirtualCard, command: &Command) -> Response {
    let mut data = Vec::new();
    let mut bytes = command.to_bytes();
    loop {
        let answer = card.transmit(&bytes).expect("power");
        let response = Response::parse(&answer).expect("a status word");
        data.extend(response.data);
        if response.sw.sw1() != 0x61 {
            return Response {
                data,
                sw: response.sw,
            };
        }
        bytes = Command::new(command.cla & 0x03, 0xC0, 0, 0)
            .with_le(u32::from(response.sw.sw2()))
            .to_bytes();
    }
}

/// Sends a command in the secure channel.
///
/// # Panics
/// If the card refuses it.
pub fn wrapped(card: &mut VirtualCard, channel: &mut SecureChannel, command: &Command) {
    let response = send(card, &channel.wrap(command).expect("it fits"));
    let sw = response.sw;
    channel
        .unwrap(response)
        .expect("a response that is the card's");
    assert!(sw.is_ok(), "{command:?}: {sw}; {:?}", card.take_fault());
}

/// Install parameters of the applet: one timer, one channel.
pub fn install_parameters() -> InstallParameters {
    let toolkit = ToolkitParameters {
        priority: 1,
        max_timers: 1,
        max_channels: 1,
        tars: vec![aid::TAR_IPAE],
        ..ToolkitParameters::default()
    };
    InstallParameters {
        uicc: Some(UiccParameters {
            toolkit: Some(toolkit),
            ..UiccParameters::default()
        }),
        ..InstallParameters::default()
    }
}

/// Selects the issuer security domain and opens a secure channel to it.
///
/// # Panics
/// If the card refuses any step.
pub fn authenticate(card: &mut VirtualCard) -> SecureChannel {
    let key: Vec<u8> = (0x40..0x50).collect();
    let keys = StaticKeys::new(&key, &key, &key).expect("AES keys");
    assert!(send(card, &command::select(aid::ISD)).sw.is_ok());
    let request = Request::new(0x30, Mode::S8, &[1, 2, 3, 4, 5, 6, 7, 8]).expect("a challenge");
    let answer = send(card, &request.command());
    let pending = request
        .authenticate(&keys, &answer, SecurityLevel::CMac)
        .expect("the card's cryptogram");
    let answer = send(card, pending.command());
    pending.complete(&answer).expect("authenticated")
}

/// Loads a package.
///
/// # Panics
/// If the card refuses any step.
pub fn load(card: &mut VirtualCard, channel: &mut SecureChannel, cap: &Cap) {
    let load_file = cap.load_file(false).expect("a load file");
    let package = &cap.header.package.aid;
    wrapped(
        card,
        channel,
        &command::install_for_load(package, &[], &[], &[], &[]),
    );
    for block in load_commands(&load_file, channel.max_command_data()).expect("blocks") {
        wrapped(card, channel, &block);
    }
}

/// Loads and installs the applet; gives the secure channel.
///
/// # Panics
/// If the card refuses any step.
pub fn install(card: &mut VirtualCard) -> SecureChannel {
    card.reset();
    let mut channel = authenticate(card);
    load(card, &mut channel, &applet().cap);
    let parameters = install_parameters().encode().expect("parameters");
    let install = Install {
        package: aid::PACKAGE_IPAE,
        module: aid::MODULE_IPAE,
        instance: aid::INSTANCE_IPAE,
        privileges: [0, 0, 0],
        parameters: &parameters,
        token: &[],
    };
    wrapped(
        card,
        &mut channel,
        &install.for_install_and_make_selectable(),
    );
    channel
}

/// Loads, installs and configures the applet.
///
/// # Panics
/// If the card refuses any step.
pub fn personalize(card: &mut VirtualCard, config: &Config) {
    let mut channel = install(card);
    wrapped(
        card,
        &mut channel,
        &command::install_for_personalization(aid::INSTANCE_IPAE),
    );
    for block in command::store_data(&config.to_store_data(), channel.max_command_data(), 0) {
        wrapped(card, &mut channel, &block);
    }
}

/// The applet installed on a card and not personalized, and the model beside it.
///
/// # Panics
/// If the card refuses any step, or card and model differ already.
pub fn installed() -> (VirtualCard, Lockstep) {
    let mut card = factory_card(1, 1);
    install(&mut card);
    let mut lockstep = Lockstep::new();
    lockstep
        .follow(&card.take_trace())
        .unwrap_or_else(|e| panic!("{e}"));
    (card, lockstep)
}
