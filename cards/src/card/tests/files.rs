//! Applets that reach files (`testdata/java/files`, ETSI TS 102 241 7 and 8), and terminals beside them.

use super::*;
use crate::vm::Usage;
use applet_gen::api;
use applet_gen::convert::{ConvertInput, convert};
use applet_gen::gp::command::{self, Install};
use applet_gen::gp::load::load_commands;
use applet_gen::gp::uicc_params::{
    AccessDomain, AccessParameters, AdfAccess, InstallParameters, UiccParameters,
};
use applet_gen::javac::Javac;
use std::path::Path;

const PACKAGE: [u8; 6] = [0xF0, 0x46, 0x49, 0x4C, 0x45, 0x01];
const MODULE: [u8; 7] = [0xF0, 0x46, 0x49, 0x4C, 0x45, 0x01, 0x01];
/// Instances: full access; "always" in the UICC's files, and PIN 81 and ADM1 of the ADF; no parameters.
const FULL: [u8; 7] = [0xF0, 0x46, 0x49, 0x4C, 0x45, 0x01, 0x10];
const ALWAYS: [u8; 7] = [0xF0, 0x46, 0x49, 0x4C, 0x45, 0x01, 0x11];
const NONE: [u8; 7] = [0xF0, 0x46, 0x49, 0x4C, 0x45, 0x01, 0x12];
const ADF: [u8; 11] = [0xA0, 0, 0, 0, 9, 0, 1, 2, 3, 4, 5];

/// 1: all always; 2: all never; 3: all PIN 81 or ADM1.
const FILES: &str = r#"
[[files]]
path = "3F00/2F09"
type = "linear-fixed"
record = 28
content = "80017F90008402D4329000FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF80017F97008402D4329700FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF80017FA010A406830181950108A40683010A950108FFFFFFFFFFFFFF"

[[files]]
path = "3F00/7F4A"
type = "df"
access = "2F09/1"

[[files]]
path = "3F00/7F4A/6F01"
type = "transparent"
content = "0102030405060708"
sfi = 1
access = "2F09/1"

[[files]]
path = "3F00/7F4A/6F02"
type = "linear-fixed"
record = 3
content = "010203040506070809"
access = "2F09/1"

[[files]]
path = "3F00/7F4A/6F03"
type = "cyclic"
record = 2
content = "0001FFFF"
access = "2F09/1"

[[files]]
path = "3F00/7F4A/6F04"
type = "transparent"
content = "00"
access = "2F09/2"

[[files]]
path = "3F00/7F4A/6F05"
type = "transparent"
content = "05"
access = "2F09/3"

[[files]]
path = "3F00/7F4A/6F06"
type = "transparent"
content = "06"
access = "2F09/1"
shareable = false

[[files]]
path = "A000000009000102030405"
type = "adf"
access = "2F09/1"

[[files]]
path = "A000000009000102030405/6F05"
type = "transparent"
content = "AD"
access = "2F09/3"
"#;

fn load_file() -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let javac = Javac::locate().unwrap();
    let stubs = api::stubs::compile(dir.path(), &javac).unwrap();
    let out = dir.path().join("out");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/java/files/Filer.java");
    javac.compile(&[source], &[stubs], &out).unwrap();
    let input = ConvertInput {
        classes: vec![(
            "Filer.class".into(),
            std::fs::read(out.join("files/Filer.class")).unwrap(),
        )],
        package_aid: PACKAGE.to_vec(),
        version: (1, 0),
        applets: vec![("files.Filer".into(), MODULE.to_vec())],
        imports: api::packages(),
        ..ConvertInput::default()
    };
    let converted = convert(&input).unwrap_or_else(|errors| panic!("{errors:?}"));
    converted.cap.load_file(false).unwrap()
}

fn access(uicc: Option<AccessDomain>, adf: AccessDomain) -> AccessParameters {
    AccessParameters {
        uicc,
        adfs: vec![AdfAccess {
            aid: ADF.to_vec(),
            access: adf,
        }],
    }
}

fn map(bytes: [u8; 3]) -> AccessDomain {
    AccessDomain {
        domain: vec![2, bytes[0], bytes[1], bytes[2]],
        dap: Vec::new(),
    }
}

fn with_applets() -> VirtualCard {
    static CARD: OnceLock<VirtualCard> = OnceLock::new();
    let made = CARD.get_or_init(|| {
        let mut definition = Definition::find("virtual-lab").unwrap();
        definition.file_system = Some(toml::from_str(FILES).unwrap());
        let mut session = Session::open(card_with(definition), SecurityLevel::CMac);
        session.ok(&command::install_for_load(
            &PACKAGE,
            aid::ISD,
            &[],
            &[],
            &[],
        ));
        for block in load_commands(&load_file(), session.channel.max_command_data()).unwrap() {
            session.ok(&block);
        }
        let full = access(Some(AccessDomain::full()), AccessDomain::full());
        let some = access(Some(map([0, 0, 4])), map([0, 1, 8]));
        for (instance, access) in [(FULL, Some(full)), (ALWAYS, Some(some)), (NONE, None)] {
            let uicc = UiccParameters {
                administrative_access: access.clone().filter(|_| instance == FULL),
                access,
                ..UiccParameters::default()
            };
            let parameters = InstallParameters {
                uicc: Some(uicc),
                ..InstallParameters::default()
            };
            let install = Install {
                package: &PACKAGE,
                module: &MODULE,
                instance: &instance,
                privileges: [0; 3],
                parameters: &parameters.encode().unwrap(),
                token: &[],
            };
            session.ok(&install.for_install_and_make_selectable());
        }
        let mut card = session.card;
        card.reset();
        card
    });
    made.clone()
}

/// The applet, selected on channel 1; the terminal's files are on channel 0.
struct Applet {
    card: VirtualCard,
}

impl Applet {
    fn select(mut card: VirtualCard, instance: [u8; 7]) -> Applet {
        raw(&mut card, "0070000100");
        let select = Command::new(1, 0xA4, 4, 0x0C).with_data(instance);
        assert!(send(&mut card, &select).sw.is_ok());
        Applet { card }
    }

    fn ask(&mut self, ins: u8, view: u8, p2: u8, data: &str) -> String {
        let data = hex::decode(data.replace(' ', "")).unwrap();
        let command = Command::new(0x81, ins, view, p2)
            .with_data(data)
            .with_le(256);
        hex::encode_upper(send(&mut self.card, &command).to_bytes())
    }

    fn run(&mut self, calls: &[(u8, u8, u8, &str, &str)]) {
        for (ins, view, p2, data, answer) in calls {
            let got = self.ask(*ins, *view, *p2, data);
            assert_eq!(
                got,
                answer.replace(' ', ""),
                "{ins:02X} {view} {p2} {data}: {:?}",
                self.card.take_fault()
            );
        }
    }
}

const ADF_AID: &str = "A000000009000102030405";

#[test]
fn a_view_reads_and_writes_what_its_context_names() {
    let mut applet = Applet::select(with_applets(), FULL);
    applet.run(&[
        // A view, and that there was none before the applet was registered.
        (0x10, 0, 1, "", "01019000"),
        (0x30, 0, 1, "0000", "6501"),
        (0x21, 0, 0, "6F01", "6504"),
        (0x21, 0, 0, "7F4A", "9000"),
        (
            0x20,
            0,
            0,
            "6F01",
            "6217 82024121 83026F01 8A0105 8B032F0901 80020008 880108 9000",
        ),
        (0x30, 0, 8, "0000", "0102030405060708 9000"),
        (0x30, 0, 2, "0007", "6507"),
        (0x30, 0, 1, "FFFF", "6507"),
        (0x30, 0, 0xFF, "0000", "6801"),
        (0x30, 0, 65, "0000", "6801"),
        (0x3E, 0, 0, "0000", "6802"),
        (0x32, 0, 0, "0002 AABB", "9000"),
        (0x30, 0, 4, "0001", "02AABB05 9000"),
        (0x34, 0, 1, "010400", "6502"),
        (0x22, 0, 1, "", "9000"),
        (0x22, 0, 9, "", "6504"),
        // STATUS speaks of the directory.
        (0x24, 0, 10, "", "6218 82027821 83027F4A 9000"),
        (0x21, 0, 0, "6F04", "9000"),
        (0x30, 0, 1, "0000", "6503"),
        (0x21, 0, 0, "6F01", "9000"),
        (0x3C, 0, 0, "", "9000"),
        (0x30, 0, 1, "0000", "6506"),
        (0x3D, 0, 0, "", "9000"),
        (0x30, 0, 1, "0000", "01 9000"),
        (0x21, 0, 0, "7FFF", "6504"),
        (0x21, 0, 0, "3F00", "9000"),
        (0x3C, 0, 0, "", "6501"),
    ]);
}

#[test]
fn records_go_on_from_where_the_context_is() {
    let mut applet = Applet::select(with_applets(), FULL);
    applet.run(&[
        (0x10, 0, 1, "", "01019000"),
        (0x21, 0, 0, "7F4A", "9000"),
        (0x21, 0, 0, "6F02", "9000"),
        (0x34, 0, 3, "000400", "6509"),
        (0x34, 0, 3, "000200", "010203 9000"),
        (0x34, 0, 2, "000201", "0506 9000"),
        (0x34, 0, 3, "000401", "6508"),
        (0x34, 0, 3, "0004FF", "6508"),
        (0x34, 0, 3, "FF0400", "6509"),
        (0x34, 0, 3, "000500", "650A"),
        (0x36, 0, 0, "030401 7788", "9000"),
        (0x34, 0, 3, "030400", "077788 9000"),
        (0x38, 0, 0, "04 01 0000 0506", "02 9000"),
        (0x38, 0, 0, "05 03 0000 05", "02 9000"),
        (0x38, 0, 0, "06 01 0401 06", "02 9000"),
        (0x38, 0, 0, "06 00 0600 05", "9000"),
        (0x38, 0, 0, "04 01 0000 01020304", "6508"),
        (0x38, 0, 0, "07 01 0000 01", "650A"),
        (0x3A, 0, 0, "01", "6502"),
        (0x21, 0, 0, "6F03", "9000"),
        (0x34, 0, 2, "000400", "6509"),
        (0x3A, 0, 0, "0004", "0005 9000"),
        (0x3A, 0, 63, "0001", "6801"),
        (0x34, 0, 2, "000400", "0005 9000"),
        (0x34, 0, 2, "000300", "0001 9000"),
        (0x3A, 0, 0, "FFFF", "650C"),
        (0x36, 0, 0, "010400 1111", "6502"),
        (0x36, 0, 0, "000300 1111", "9000"),
        (0x34, 0, 2, "020400", "0005 9000"),
    ]);
}

#[test]
fn access_is_what_the_parameters_of_install_give() {
    let mut applet = Applet::select(with_applets(), ALWAYS);
    applet.run(&[
        (0x10, 0, 1, "", "01019000"),
        (0x10, 1, 1, ADF_AID, "01019000"),
        // No administrative access, no such application, no name.
        (0x12, 2, 1, "", "00019000"),
        (0x10, 2, 1, "A0000000090000", "00019000"),
        (0x10, 2, 1, "A0", "6701"),
        (0x10, 2, 3, "", "6701"),
        (0x21, 0, 0, "7F4A", "9000"),
        (0x21, 0, 0, "6F01", "9000"),
        (0x30, 0, 1, "0000", "01 9000"),
        (0x21, 0, 0, "6F05", "9000"),
        (0x30, 0, 1, "0000", "6503"),
        (0x21, 1, 0, "3F00", "6504"),
        (0x21, 1, 0, "6F05", "9000"),
        (0x30, 1, 1, "0000", "AD 9000"),
        (0x21, 1, 0, "7FFF", "9000"),
        (0x30, 1, 1, "0000", "6501"),
    ]);
    let mut applet = Applet::select(applet.card, NONE);
    applet.run(&[
        (0x10, 0, 1, "", "00019000"),
        (0x10, 0, 1, ADF_AID, "00019000"),
    ]);
}

#[test]
fn contexts_last_as_long_as_their_memory() {
    let mut applet = Applet::select(with_applets(), FULL);
    for (view, event) in [(0, 0), (1, 1), (2, 2)] {
        applet.run(&[
            (0x10, view, event, "", "01019000"),
            (0x21, view, 0, "7F4A", "9000"),
            (0x21, view, 0, "6F01", "9000"),
        ]);
    }
    raw(&mut applet.card, "0070800100");
    let mut applet = Applet::select(applet.card, FULL);
    applet.run(&[
        (0x30, 0, 1, "0000", "01 9000"),
        (0x30, 1, 1, "0000", "01 9000"),
        (0x30, 2, 1, "0000", "6501"),
    ]);
    applet.card.reset();
    let mut applet = Applet::select(applet.card, FULL);
    applet.run(&[
        (0x30, 0, 1, "0000", "01 9000"),
        (0x30, 1, 1, "0000", "6501"),
    ]);
    // A stored card has its views.
    let stored = applet.card.to_bytes().unwrap();
    applet.card = VirtualCard::from_bytes(&stored).unwrap();
    applet.run(&[(0x30, 0, 1, "0000", "01 9000")]);
}

#[test]
fn views_that_nobody_holds_give_their_memory_back() {
    let mut applet = Applet::select(with_applets(), FULL);
    let used = |applet: &Applet| -> Usage { applet.card.vm().memory() };
    let before = used(&applet).transient_reset;
    applet.run(&[(0x10, 0, 1, "", "01019000"), (0x10, 1, 1, "", "01019000")]);
    assert!(used(&applet).transient_reset > before);
    applet.run(&[
        (0x14, 0, 0, "", "9000"),
        (0x24, 1, 3, "", "622082 9000"),
        (0x14, 1, 0, "", "9000"),
    ]);
    assert_eq!(used(&applet).transient_reset, before);
}

#[test]
fn a_file_that_isn_t_shareable_is_current_in_one_place() {
    let mut applet = Applet::select(with_applets(), FULL);
    applet.run(&[
        (0x10, 0, 1, "", "01019000"),
        (0x10, 1, 1, "", "01019000"),
        (0x21, 0, 0, "7F4A", "9000"),
        (0x21, 1, 0, "7F4A", "9000"),
        (0x21, 0, 0, "6F06", "9000"),
        (0x21, 0, 0, "6F06", "9000"),
        (0x21, 1, 0, "6F06", "6505"),
    ]);
    let terminal = "00A4080C047F4A6F06";
    assert_eq!(raw(&mut applet.card, terminal), "6985");
    applet.run(&[(0x21, 0, 0, "7F4A", "9000")]);
    assert_eq!(raw(&mut applet.card, terminal), "9000");
    applet.run(&[(0x21, 0, 0, "6F06", "6505")]);
}

#[test]
fn files_are_deleted_and_what_stood_there_is_above() {
    let mut applet = Applet::select(with_applets(), FULL);
    applet.run(&[
        (0x12, 0, 1, "", "01019000"),
        (0x10, 1, 1, "", "01019000"),
        (0x21, 0, 0, "7F4A", "9000"),
        (0x21, 1, 0, "7F4A", "9000"),
        (0x21, 1, 0, "6F01", "9000"),
        (0x42, 0, 0, "", "6802"),
        (0x40, 0, 0, "6F0F", "6504"),
        (0x40, 0, 0, "6F01", "9000"),
        (0x30, 1, 1, "0000", "6501"),
        (0x21, 1, 0, "6F02", "9000"),
    ]);
    assert_eq!(raw(&mut applet.card, "00A4080C047F4A6F01"), "6A82");
}

#[test]
fn files_are_made_and_resized() {
    let mut applet = Applet::select(with_applets(), FULL);
    let made = "82024121 83026F29 8A0105 8B032F0901 80020004 8800";
    applet.run(&[
        (0x12, 0, 1, "", "01019000"),
        (0x21, 0, 0, "7F4A", "9000"),
        (0x42, 0, 0, "42424242", "6601"),
        (0x42, 0, 0, made, "9000"),
        (0x32, 0, 0, "0000 0102", "9000"),
        (0x42, 0, 0, made, "6602"),
        (0x44, 0, 0, "83026F29 80020006", "9000"),
        (0x30, 0, 6, "0000", "0102FFFFFFFF 9000"),
        (0x44, 0, 0, "83026F03 80020006", "6502"),
        (0x44, 0, 0, "83026F0F 80020006", "6504"),
        (0x44, 0, 0, "83026F29", "6601"),
        (0x44, 0, 0, "83026F04 80020006", "6503"),
        (0x3C, 0, 0, "", "9000"),
        (0x44, 0, 0, "83026F29 80020006", "6506"),
        (0x40, 0, 0, "6F29", "9000"),
        (0x21, 0, 0, "6F29", "6504"),
    ]);
}

#[test]
fn an_update_is_kept_whole_or_not_at_all() {
    for cut in 0..2 {
        let mut applet = Applet::select(with_applets(), FULL);
        applet.run(&[
            (0x10, 0, 1, "", "01019000"),
            (0x21, 0, 0, "7F4A", "9000"),
            (0x21, 0, 0, "6F01", "9000"),
        ]);
        applet.card.nvm_mut().cut_after(cut);
        let update = Command::new(0x81, 0x32, 0, 0).with_data([0, 0, 0xAA, 0xBB]);
        assert_eq!(
            applet.card.transmit(&update.to_bytes()).is_err(),
            cut == 0,
            "{cut}"
        );
        applet.card.reset();
        assert_eq!(raw(&mut applet.card, "00A4080C047F4A6F01"), "9000");
        let wanted = if cut == 0 { "01029000" } else { "AABB9000" };
        assert_eq!(raw(&mut applet.card, "00B0000002"), wanted);
    }
}
