//! The toolkit framework with an applet on it (`testdata/java/toolkit`).

use super::*;
use applet_gen::api;
use applet_gen::convert::{ConvertInput, convert};
use applet_gen::gp::command;
use applet_gen::gp::load::load_commands;
use applet_gen::gp::uicc_params::{
    InstallParameters, MenuEntry, ToolkitParameters, UiccParameters,
};
use applet_gen::javac::Javac;
use applet_model::trace::Boundary;
use std::path::Path;

pub(super) const PACKAGE: [u8; 6] = [0xF0, 0x54, 0x4B, 0x54, 0x4B, 0x01];
pub(super) const MODULE: [u8; 7] = [0xF0, 0x54, 0x4B, 0x54, 0x4B, 0x01, 0x01];
const ANSWERER: [u8; 7] = [0xF0, 0x54, 0x4B, 0x54, 0x4B, 0x01, 0x02];
/// 16 bytes, as toolkit applets have them: the TAR stands at 12.
pub(super) const APPLET: [u8; 16] = [
    0xF0, 0x54, 0x4B, 0x54, 0x4B, 1, 1, 0, 0, 0, 0, 0, 0x42, 0x43, 0x4E, 1,
];

/// Load file of the applet, compiled and converted once.
pub(super) fn load_file() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let javac = Javac::locate().unwrap();
        let stubs = api::stubs::compile(dir.path(), &javac).unwrap();
        let out = dir.path().join("out");
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/java/toolkit");
        let named = ["Beacon", "Answerer"];
        let files = named.map(|name| sources.join(format!("{name}.java")));
        javac.compile(&files, &[stubs], &out).unwrap();
        let class = |name: &str| std::fs::read(out.join(format!("toolkit/{name}.class"))).unwrap();
        let input = ConvertInput {
            classes: named
                .map(|name| (format!("{name}.class"), class(name)))
                .to_vec(),
            package_aid: PACKAGE.to_vec(),
            version: (1, 0),
            applets: vec![
                ("toolkit.Beacon".into(), MODULE.to_vec()),
                ("toolkit.Answerer".into(), ANSWERER.to_vec()),
            ],
            imports: api::packages(),
            ..ConvertInput::default()
        };
        let converted = convert(&input).unwrap_or_else(|errors| panic!("{errors:?}"));
        converted.cap.load_file(false).unwrap()
    })
}

pub(super) fn toolkit_parameters(timers: u8, channels: u8) -> Vec<u8> {
    let toolkit = ToolkitParameters {
        priority: 1,
        max_timers: timers,
        max_channels: channels,
        ..ToolkitParameters::default()
    };
    let uicc = UiccParameters {
        toolkit: Some(toolkit),
        ..UiccParameters::default()
    };
    InstallParameters {
        uicc: Some(uicc),
        ..InstallParameters::default()
    }
    .encode()
    .unwrap()
}

pub(super) fn install(parameters: &[u8]) -> Command {
    install_as(&APPLET, parameters)
}

fn install_as(instance: &[u8], parameters: &[u8]) -> Command {
    Install {
        package: &PACKAGE,
        module: &MODULE,
        instance,
        privileges: [0; 3],
        parameters,
        token: &[],
    }
    .for_install_and_make_selectable()
}

pub(super) fn loaded(level: SecurityLevel) -> Session {
    let mut session = Session::open(card(), level);
    session.ok(&command::install_for_load(
        &PACKAGE,
        aid::ISD,
        &[],
        &[],
        &[],
    ));
    for block in load_commands(load_file(), session.channel.max_command_data()).unwrap() {
        session.ok(&block);
    }
    session
}

/// A card with the applet, just reset.
fn with_applet() -> VirtualCard {
    static CARD: OnceLock<VirtualCard> = OnceLock::new();
    let made = CARD.get_or_init(|| {
        let mut session = loaded(SecurityLevel::CDecCMac);
        session.ok(&install(&toolkit_parameters(1, 1)));
        let mut card = session.card;
        card.reset();
        card
    });
    made.clone()
}

/// What the applet noted, read on channel 1.
fn log(card: &mut VirtualCard) -> String {
    raw(card, "0070000100");
    let select = Command::new(1, 0xA4, 4, 0x0C).with_data(APPLET);
    assert!(send(card, &select).sw.is_ok());
    let response = send(card, &Command::new(0x81, 0xB0, 0, 0).with_le(256));
    raw(card, "0070800100");
    let words = response.data.chunks(2).map(hex::encode_upper);
    words.collect::<Vec<_>>().join(" ")
}

/// FETCH of the command that the status word announces.
fn fetch(card: &mut VirtualCard, answer: &str) -> String {
    assert_eq!(
        &answer[answer.len() - 4..answer.len() - 2],
        "91",
        "{answer}"
    );
    let command = raw(card, &format!("80120000{}", &answer[answer.len() - 2..]));
    command.strip_suffix("9000").expect("a command").to_owned()
}

const PROFILE: &str = "8010000014 FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF";

/// TERMINAL PROFILE, and the framework's SET UP EVENT LIST and POLL INTERVAL; gives the last answer.
fn told(card: &mut VirtualCard) -> String {
    let answer = raw(card, PROFILE);
    assert_eq!(
        fetch(card, &answer),
        "D00D810301050082028182990209 0A".replace(' ', "")
    );
    let answer = raw(card, "801400000C 810301050082028281830100");
    assert_eq!(fetch(card, &answer), "D00D8103010300820281828402011E");
    raw(
        card,
        "8014000010 81030103008202828183010084020 13C"
            .replace(' ', "")
            .as_str(),
    )
}

/// The same, and the applet's OPEN CHANNEL, not answered yet.
fn started() -> VirtualCard {
    let mut card = with_applet();
    let answer = told(&mut card);
    let open = fetch(&mut card, &answer);
    assert_eq!(
        open,
        "D0158103014001820281 82B50103B90200FFBC03021F90".replace(' ', "")
    );
    card
}

const OPENED: &str = "8014000010 810301400182028281830100B8028100";
const DATA_AVAILABLE: &str = "80C2000010 D60E99010982028281B8028100B70105";

#[test]
fn a_load_and_an_install_at_every_level() {
    for level in [
        SecurityLevel::CMac,
        SecurityLevel::CDecCMacRMac,
        SecurityLevel::Full,
    ] {
        let mut session = loaded(level);
        session.ok(&install(&toolkit_parameters(1, 1)));
        assert_eq!(
            session.send(&install(&toolkit_parameters(1, 1))).sw,
            Sw::FILE_EXISTS
        );
        let registry = session.card.registry();
        assert_eq!(registry.instances[0].aid.bytes(), APPLET);
        // A load file that is in use goes only with what was made of it.
        assert_eq!(
            session.send(&command::delete(&PACKAGE, false)).sw,
            Sw::CONDITIONS_NOT_SATISFIED
        );
        session.ok(&command::delete(&PACKAGE, true));
        assert!(
            session.card.registry().instances.is_empty()
                && session.card.registry().load_files.is_empty()
        );
        assert!(session.card.world.toolkit.entries.is_empty());
    }
}

#[test]
fn toolkit_parameters_beyond_the_card_are_refused() {
    let mut session = loaded(SecurityLevel::CMac);
    assert_eq!(
        session.send(&install(&toolkit_parameters(1, 7))).sw,
        Sw::WRONG_DATA
    );
    assert!(session.card.take_fault().unwrap().contains("channels"));
    let mut cut = toolkit_parameters(1, 1);
    cut.pop();
    assert_eq!(session.send(&install(&cut)).sw, Sw::WRONG_DATA);
    assert!(session.card.take_fault().is_some());
    // Without a timer in its parameters the applet's install() fails, and nothing stays.
    assert_eq!(
        session.send(&install(&toolkit_parameters(0, 1))).sw,
        Sw::UNKNOWN
    );
    assert!(
        session
            .card
            .take_fault()
            .unwrap()
            .contains("ToolkitException")
    );
    assert!(session.card.world.toolkit.entries.is_empty());
    session.ok(&install(&toolkit_parameters(1, 1)));
}

#[test]
fn power_cuts_leave_no_half_package_and_no_half_applet() {
    let whole = {
        let mut session = loaded(SecurityLevel::CMac);
        session.ok(&install(&toolkit_parameters(1, 1)));
        session.card.nvm().writes
    };
    let before = card().nvm().writes;
    for cut in before..whole {
        let mut session = Session::open(card(), SecurityLevel::CMac);
        session.card.nvm_mut().cut_before = Some(cut);
        let mut commands = vec![command::install_for_load(&PACKAGE, aid::ISD, &[], &[], &[])];
        commands.extend(load_commands(load_file(), 200).unwrap());
        commands.push(install(&toolkit_parameters(1, 1)));
        for command in commands {
            let wrapped = session.channel.wrap(&command).unwrap();
            if session.card.transmit(&wrapped.to_bytes()).is_err() {
                break;
            }
        }
        let mut card = session.card;
        card.reset();
        let registry = card.registry();
        assert_eq!(
            registry.load_files.len(),
            card.vm.packages().len(),
            "cut before {cut}"
        );
        assert_eq!(
            registry.instances.len(),
            card.vm.instances().len(),
            "cut before {cut}"
        );
        assert_eq!(
            registry.instances.len(),
            card.world.toolkit.entries.len(),
            "cut before {cut}"
        );
        assert!(
            registry
                .load_files
                .iter()
                .all(|file| file.modules.len() == 2)
        );
    }
}

#[test]
fn an_applet_waits_in_send_while_other_commands_are_served() {
    let mut card = started();
    // In send(): other applications answer, STATUS still says that nothing is pending (it was fetched).
    assert_eq!(raw(&mut card, "80F2000C"), "9000");
    assert_eq!(log(&mut card), "190D 0001 0001");
    // Envelopes that want the applet are told to come again.
    assert_eq!(
        raw(
            &mut card,
            "80C2000009D707820282812401 01".replace(' ', "").as_str()
        ),
        "9300"
    );
    // The card can be stored meanwhile.
    let mut card = VirtualCard::from_bytes(&card.to_bytes().unwrap()).unwrap();
    assert_eq!(raw(&mut card, OPENED), "9000");
    assert_eq!(log(&mut card), "0000 0000 0001");
}

#[test]
fn data_arrive_on_the_applets_channel_only() {
    let mut card = started();
    raw(&mut card, OPENED);
    log(&mut card);
    // Another channel is nobody's.
    assert_eq!(
        raw(&mut card, "80C2000010 D60E990109820282 81B8028200B70105"),
        "9000"
    );
    assert_eq!(log(&mut card), "");
    let answer = raw(&mut card, DATA_AVAILABLE);
    assert_eq!(fetch(&mut card, &answer), "D00C810301420082028121B701C8");
    let answer = raw(
        &mut card,
        "8014000016 810301420082028281830100B60501020304 05B70100",
    );
    assert_eq!(fetch(&mut card, &answer), "D009810301410082028121");
    assert_eq!(
        raw(&mut card, "801400000C 810301410082028281830100"),
        "9000"
    );
    assert_eq!(log(&mut card), "0016 8100 0005 0102 FFD6 0000 420F");
    assert_eq!(raw(&mut card, DATA_AVAILABLE), "9000");
    assert_eq!(log(&mut card), "");
}

#[test]
fn timers_belong_to_one_applet() {
    let mut card = started();
    raw(&mut card, OPENED);
    log(&mut card);
    assert_eq!(
        raw(&mut card, "80C200000C D70A82028281240102250100"),
        "9000"
    );
    assert_eq!(log(&mut card), "");
    assert_eq!(
        raw(&mut card, "80C200000C D70A82028281240101250100"),
        "9000"
    );
    assert_eq!(log(&mut card), "000B 0001");
    assert_eq!(raw(&mut card, "80F2000C"), "9000");
    assert_eq!(log(&mut card), "0013");
}

#[test]
fn the_handler_is_given_once_to_those_who_wait_for_it() {
    let mut card = started();
    raw(&mut card, OPENED);
    log(&mut card);
    raw(&mut card, "0070000100");
    send(&mut card, &Command::new(1, 0xA4, 4, 0x0C).with_data(APPLET));
    // From process() there is no handler; after it, the framework calls.
    let answer = raw(&mut card, "81B2000000");
    assert_eq!(fetch(&mut card, &answer), "D009810301020082028182");
    let answer = raw(&mut card, "801400000C 810301020082028281830100");
    assert_eq!(fetch(&mut card, &answer), "D009810301010382028182");
    assert_eq!(
        raw(&mut card, "801400000C 810301010382028281830100"),
        "9000"
    );
    assert_eq!(log(&mut card), "2202 007B 7600 0000 0000");
    assert!(card.world.toolkit.registered(123).is_empty());
}

#[test]
fn a_reset_ends_the_session_and_the_channels() {
    let mut card = started();
    raw(&mut card, OPENED);
    card.reset();
    assert_eq!(raw(&mut card, DATA_AVAILABLE), "9000");
    assert!(card.world.toolkit.session.profile.is_none());
    let answer = raw(&mut card, PROFILE);
    assert!(fetch(&mut card, &answer).contains("0105"));
}

#[test]
fn personalization_goes_through_the_domain_to_the_applet() {
    let mut session = Session::open(with_applet(), SecurityLevel::Full);
    session.ok(&command::install_for_personalization(&APPLET));
    session.ok(&Command::new(0x80, 0xE2, 0x80, 0).with_data([0xAB, 0xCD, 0xEF]));
    assert_eq!(log(&mut session.card), "190D ABCD 0008");
}

#[test]
fn a_terminal_response_without_a_result_is_an_exception_in_the_applet() {
    let mut card = started();
    assert_eq!(raw(&mut card, "8014000009 810301400182028281"), "9000");
    assert!(card.take_fault().unwrap().contains("ToolkitException"));
    assert!(!card.world.toolkit.is_busy());
}

#[test]
fn a_menu_entry_is_chosen_and_a_call_answered_meanwhile() {
    let mut session = loaded(SecurityLevel::CMac);
    let toolkit = ToolkitParameters {
        max_text_length: 4,
        menu: vec![MenuEntry {
            position: 1,
            identifier: 1,
        }],
        ..ToolkitParameters::default()
    };
    let parameters = InstallParameters {
        uicc: Some(UiccParameters {
            toolkit: Some(toolkit),
            ..UiccParameters::default()
        }),
        ..InstallParameters::default()
    };
    let install = Install {
        package: &PACKAGE,
        module: &ANSWERER,
        instance: &ANSWERER,
        privileges: [0; 3],
        parameters: &parameters.encode().unwrap(),
        token: &[],
    };
    session.ok(&install.for_install_and_make_selectable());
    let mut card = session.card;
    card.reset();
    let answer = raw(&mut card, PROFILE);
    assert_eq!(
        fetch(&mut card, &answer),
        "D01281030125008202818285008F05014D656E75"
    );
    let answer = raw(&mut card, "801400000C 810301250082028281830100");
    assert_eq!(answer, "9000");
    let choose = "80C2000009 D30782020181900101";
    let answer = raw(&mut card, choose);
    assert_eq!(fetch(&mut card, &answer), "D009810301020082028182");
    // It waits in send(): the terminal is to choose again later, but a call can't wait.
    assert_eq!(raw(&mut card, choose), "9300");
    assert_eq!(raw(&mut card, "80C2000006 D40482028281"), "6105");
    assert_eq!(raw(&mut card, "00C0000005"), "02039001019000");
    let answer = raw(&mut card, "801400000C 810301020082028281830100");
    // Its entry is disabled: an item without contents removes the menu.
    assert_eq!(fetch(&mut card, &answer), "D00D81030125008202818285008F00");
}

/// The applet under the IPAe's AID: what crosses its boundary is recorded, in order.
#[test]
fn the_record_has_every_crossing_in_order() {
    use applet_model::trace::Boundary::{
        Apdu, Event, Install, Personalization, PowerLoss, Proactive,
    };
    use applet_model::trace::Boundary::{
        Response as Answer, Return, TerminalProfile, TerminalResponse, TimerAllocated,
    };
    let mut session = loaded(SecurityLevel::CMac);
    session.ok(&install_as(aid::INSTANCE_IPAE, &toolkit_parameters(1, 1)));
    session.ok(&command::install_for_personalization(aid::INSTANCE_IPAE));
    session.ok(&Command::new(0x80, 0xE2, 0x80, 0).with_data([0xAB, 0xCD]));
    let mut card = session.card;
    let record = card.take_trace();
    assert!(matches!(&record[0], Install(array) if array[1..17] == *aid::INSTANCE_IPAE));
    assert!(record.contains(&TimerAllocated(1)));
    let commits = record
        .iter()
        .filter(|step| **step == Boundary::Commit)
        .count();
    // The install, and two notes of two writes each (into the log, and its end).
    assert!(commits >= 5, "{record:?}");
    let stored = Command::new(0x80, 0xE2, 0x80, 0).with_data([0xAB, 0xCD]);
    let at = record
        .iter()
        .position(|step| *step == Personalization(stored.clone()))
        .unwrap();
    assert_eq!(record.last(), Some(&Answer(Response::status(Sw::OK))));
    assert!(at < record.len() - 1);
    card.reset();
    let answer = told(&mut card);
    fetch(&mut card, &answer);
    raw(&mut card, "8014000010 810301400182028281830100B8028100");
    let record: Vec<Boundary> = card
        .take_trace()
        .into_iter()
        .filter(|step| *step != Boundary::Commit)
        .collect();
    let hex = |text: &str| hex::decode(text).unwrap();
    assert_eq!(
        record,
        [
            PowerLoss,
            TerminalProfile(vec![0xFF; 20]),
            Event {
                event: 1,
                envelope: Vec::new()
            },
            Proactive(hex("8103004001820281 82B50103B90200FFBC03021F90"
                .replace(' ', "")
                .as_str())),
            TerminalResponse(hex("810300400182028281830100B8028100")),
            Return,
        ]
    );
    let select = Command::new(0, 0xA4, 4, 0).with_data(aid::INSTANCE_IPAE);
    send(&mut card, &select);
    assert_eq!(
        card.take_trace(),
        [Apdu(select), Answer(Response::status(Sw::OK))]
    );
    // With an assistant in the device, the IPAe is not called.
    card.reset();
    raw(&mut card, "80AA000005A903840101");
    raw(&mut card, PROFILE);
    assert!(
        !card
            .take_trace()
            .iter()
            .any(|step| matches!(step, Event { .. }))
    );
}
