//! Files as a terminal meets them.

use super::*;
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};

fn subscription() -> Subscription {
    Subscription {
        iccid: hex::decode("984400000000000010F5").unwrap(),
        imsi: "001010123456789".into(),
        name: "Lab".into(),
        package: Default::default(),
    }
}

/// What tests add: a DF with each kind of file, rules in its own EF.ARR.
const ADDED: &str = r#"
[[files]]
path = "3F00/7F4A"
type = "df"
access = "2F06/4"

# 1 all for everybody but INCREASE for PIN 81 and RESIZE for ADM1; 2 nothing.
[[files]]
path = "3F00/7F4A/6F06"
type = "linear-fixed"
record = 40
content = "80017F9000840132A406830181950108 8401D4A40683010A950108FFFFFFFFFFFFFFFFFFFFFFFFFF"
access = "read"

[[files]]
path = "3F00/7F4A/6F01"
type = "transparent"
size = 8
content = "0102030405"
sfi = 1
access = "6F06/1"

[[files]]
path = "3F00/7F4A/6F02"
type = "linear-fixed"
record = 4
content = "0102030405060708090A0B0C"
sfi = 2
access = "6F06/1"

[[files]]
path = "3F00/7F4A/6F03"
type = "cyclic"
record = 3
content = "000001000002"
sfi = 3
access = "6F06/1"

[[files]]
path = "3F00/7F4A/6F04"
type = "transparent"
size = 1
access = "6F06/1"
state = "terminated"
shareable = false

[[files]]
path = "A000000009000102030405"
type = "adf"
access = "2F06/4"

[[files]]
path = "A000000009000102030405/6F01"
type = "transparent"
content = "AD"
"#;

struct Card {
    files: FileSystems,
    nvm: Nvm,
    at: Position,
}

impl Card {
    fn new() -> Card {
        let added: FilesDescription =
            toml::from_str(&ADDED.replace("950108 8401", "9501088401")).unwrap();
        let mut files = FileSystems::new(Some(&added)).unwrap();
        assert!(!files.show(None, &|_| true));
        assert!(files.show(Some(&subscription()), &|_| true));
        Card {
            files,
            nvm: Nvm::default(),
            at: Position::default(),
        }
    }

    fn raw(&mut self, text: &str) -> Response {
        let command = Command::parse(&hex::decode(text.replace(' ', "")).unwrap()).unwrap();
        if command.ins == 0xA4 {
            return match self.files.find(self.at, command.p1, &command.data) {
                Ok(found) => {
                    self.at = found;
                    self.files.selected(found, command.p2)
                }
                Err(error) => Response::status(error.status().unwrap()),
            };
        }
        let done = self.files.command(&mut self.nvm, &mut self.at, &command);
        match done {
            Ok(done) => done.response,
            Err(error) => Response::status(error.status().unwrap()),
        }
    }

    /// Data and status word in one string.
    fn send(&mut self, text: &str) -> String {
        hex::encode_upper(self.raw(text).to_bytes())
    }

    fn run(&mut self, exchanges: &[(&str, &str)]) {
        for (command, answer) in exchanges {
            assert_eq!(self.send(command), answer.replace(' ', ""), "{command}");
        }
    }
}

#[test]
fn the_profile_s_own_files_are_read() {
    let mut card = Card::new();
    card.run(&[
        ("00A4000C022FE2", "9000"),
        ("00B000000A", "984400000000000010F59000"),
        ("00B0000000", "984400000000000010F59000"),
        ("00B0000A01", "6B00"),
        ("00B000050A", "6C05"),
        ("00B082000A", "984400000000000010F59000"),
        ("00A408 0C 04 7FFF6FAD", "6A82"),
    ]);
    card.at = Position::adf(card.files.tree().adf(USIM).unwrap());
    card.run(&[
        ("00A4000C026F07", "9000"),
        ("00B0000009", "0809101010325476989000"),
        ("00A4080C047FFF6FAD", "9000"),
        ("00A4000C022FE2", "9000"),
        ("00A4000C027FFF", "9000"),
        ("00A4000C023F00", "9000"),
        ("00B0000001", "6986"),
    ]);
}

#[test]
fn without_a_profile_only_the_card_s_own_files_are_there() {
    let mut card = Card::new();
    assert!(card.files.show(None, &|_| false));
    card.at = Position::default();
    card.run(&[
        ("00A4000C022FE2", "6A82"),
        ("00A4000C022F00", "9000"),
        ("00B2010420", &("FF".repeat(32) + "9000")),
        ("00A4000C027F4A", "9000"),
    ]);
    assert_eq!(card.files.tree().adf(USIM), None);
}

#[test]
fn select_finds_children_siblings_and_parents() {
    let mut card = Card::new();
    card.run(&[
        ("00A4000C027F4A", "9000"),
        ("00A4000C026F01", "9000"),
        ("00A4000C027F4A", "9000"),
        ("00A4000C027F10", "9000"),
        ("00A4000C026F01", "6A82"),
        ("00A4090C026F3A", "9000"),
        ("00A4030C", "9000"),
        ("00A4010C026F01", "6A82"),
        ("00A4080C047F4A6F02", "9000"),
        ("00A4080C066F027F4A6F02", "6A82"),
        ("00A4050C026F01", "6A86"),
        ("00A4000C036F0102", "6700"),
        ("00A4000C026F04", "6285"),
        ("00B0000001", "6985"),
    ]);
    let fcp = card.raw("00A4000402 6F02");
    assert_eq!(
        hex::encode_upper(fcp.data),
        "621A8205422100040383026F028A01058B036F06018002000C880110"
    );
}

#[test]
fn bytes_are_updated_in_one_write() {
    let mut card = Card::new();
    card.run(&[
        ("00A4080C047F4A6F01", "9000"),
        ("00D60002 02 AABB", "9000"),
        ("00B0000008", "0102AABB05FFFFFF 9000"),
        ("00D60007 02 AABB", "6B00"),
        ("00D68100 01 99", "9000"),
        ("00B0810001", "999000"),
        ("00B0820001", "6981"),
        ("00B09E0001", "6A82"),
    ]);
    assert_eq!(card.nvm.writes, 2);
    card.nvm.cut_after(0);
    card.at = Position::default();
    card.raw("00A4080C047F4A6F01");
    let command = Command::parse(&hex::decode("00D60000021111").unwrap()).unwrap();
    let cut = card.files.command(&mut card.nvm, &mut card.at, &command);
    assert!(matches!(cut, Err(FileError::Power(_))));
    card.nvm.restore();
    assert_eq!(card.send("00B0000002"), "99029000");
}

#[test]
fn records_are_reached_by_number_and_by_their_neighbours() {
    let mut card = Card::new();
    card.run(&[
        ("00A4080C047F4A6F02", "9000"),
        ("00B2000404", "6A83"),
        ("00B2030404", "090A0B0C9000"),
        ("00B2040404", "6A83"),
        ("00B2000204", "010203049000"),
        ("00B2000204", "050607089000"),
        ("00B2000404", "050607089000"),
        ("00B2000304", "010203049000"),
        ("00B2000304", "6A83"),
        ("00B2010403", "6C04"),
        ("00DC0304 04 11223344", "9000"),
        ("00DC0304 03 112233", "6700"),
        ("00B2031404", "112233449000"),
        ("00B2000504", "6A86"),
        ("00A20304 02 2233", "039000"),
        ("00A20305 01 99", "6282"),
        // Enhanced: from record 1 on, behind the byte 05.
        ("00A20106 04 0C050607", "029000"),
        ("00A20106 04 04030607", "6700"),
        ("00A20106 04 08050607", "6A86"),
        ("00A4000C026F03", "9000"),
        ("00B2000203", "0000019000"),
        ("00B2000203", "0000029000"),
        ("00B2000203", "0000019000"),
        ("00DC0003 03 000005", "9000"),
        ("00B2010403", "0000059000"),
        ("00B2020403", "0000019000"),
        ("00DC0104 03 000005", "6981"),
    ]);
}

#[test]
fn pins_open_what_rules_close() {
    let mut card = Card::new();
    card.run(&[
        ("00A4080C047F4A6F03", "9000"),
        ("8032000003000004", "6982"),
        ("0020008100", "63C3"),
        ("002000810831323334FFFFFF00", "63C2"),
        ("002000810831323334FFFFFFFF", "9000"),
        ("8032000003000004", "0000050000049000"),
        ("8032000003FFFFFF", "9850"),
        ("0020008103313233", "6700"),
        ("0020008308FFFFFFFFFFFFFFFF", "6A88"),
        ("0024008110 31323334FFFFFFFF 35353535FFFFFFFF", "9000"),
        ("0020008108 31323334FFFFFFFF", "63C2"),
        ("8032000003000004", "6982"),
        ("0020008108 31323334FFFFFFFF", "63C1"),
        ("0020008108 31323334FFFFFFFF", "63C0"),
        ("0020008108 35353535FFFFFFFF", "6983"),
        ("002C008110 3132333435363730 36363636FFFFFFFF", "63C9"),
        ("002C008110 3132333435363738 36363636FFFFFFFF", "9000"),
        ("8032000003000004", "0000090000049000"),
        // PIN 01 is disabled: nobody verifies it, and what asks for it is open.
        ("0020000108 30303030FFFFFFFF", "6984"),
        ("0028000108 30303030FFFFFFFF", "9000"),
        ("0028000108 30303030FFFFFFFF", "6984"),
        ("0026000108 30303030FFFFFFFF", "9000"),
        ("0026000A08 3838383838383838", "6984"),
    ]);
}

/// CREATE FILE or RESIZE FILE with these data objects.
fn template(header: &str, objects: &str) -> String {
    let objects = hex::decode(objects.replace(' ', "")).unwrap();
    let data = tlv::write(0x62, &objects);
    format!("{header}0000{:02X}{}", data.len(), hex::encode(data))
}

#[test]
fn files_are_administered() {
    let mut card = Card::new();
    let ef = "82024121 83026F29 8A0105 8B036F0601 80020005 8800";
    let create = template("00E0", ef);
    let resize = |fid: &str, size: &str| template("80D4", &format!("8302{fid} 8002{size}"));
    card.run(&[
        ("00A4000C027F4A", "9000"),
        (&create, "6982"),
        ("0020000A08 3838383838383838", "9000"),
        (&create, "9000"),
        (&create, "6A89"),
        ("00D60000 02 0102", "9000"),
        (&resize("6F29", "0007"), "9000"),
        ("00B0000007", "0102FFFFFFFFFF9000"),
        (&resize("6F03", "0009"), "6981"),
        (&resize("6F02", "0009"), "6A80"),
        (&resize("6F2A", "0009"), "6A82"),
        ("0004000000", "9000"),
        ("00B0000001", "6984"),
        ("00A4000C026F29", "6283"),
        ("0044000000", "9000"),
        ("00B0000001", "019000"),
        ("00E8000000", "9000"),
        ("0044000000", "6985"),
        ("00A4000C026F29", "6285"),
        ("00E4000002 6F29", "9000"),
        ("00A4000C026F29", "6A82"),
        ("00E4000002 3F00", "6986"),
        ("00E0000004 62020000", "6A80"),
    ]);
    // A directory with a file in it goes with it.
    let df = "82027821 83025F01 8A0105 8B032F0604 81020030 C606900180830101";
    card.run(&[
        (&template("00E0", df), "9000"),
        (&create, "9000"),
        ("00A4030C", "9000"),
        ("00E4000002 5F01", "9000"),
        ("00A4000C025F01", "6A82"),
    ]);
}

#[test]
fn each_profile_has_its_files_and_they_go_with_it() {
    let mut card = Card::new();
    card.raw("00A4080C047F4A6F01");
    assert_eq!(card.send("00D60000 01 77"), "9000");
    let other = Subscription {
        iccid: vec![0x11; 10],
        ..subscription()
    };
    let position = Position::default();
    assert!(card.files.show(Some(&other), &|_| true));
    card.at = position;
    card.raw("00A4080C047F4A6F01");
    assert_eq!(card.send("00B0000001"), "019000");
    assert!(card.files.show(Some(&subscription()), &|_| true));
    card.at = position;
    card.raw("00A4080C047F4A6F01");
    assert_eq!(card.send("00B0000001"), "779000");
    // Deleted and installed again, the profile begins anew.
    card.files.show(None, &|_| false);
    card.files.show(Some(&subscription()), &|_| true);
    card.at = position;
    card.raw("00A4080C047F4A6F01");
    assert_eq!(card.send("00B0000001"), "019000");
}

#[test]
fn descriptions_that_make_no_files_say_so() {
    for (text, words) in [
        ("path = \"3F00/7F99/6F01\"\ntype = \"transparent\"", "7F99"),
        (
            "path = \"6F01\"\ntype = \"transparent\"",
            "begins with 3F00",
        ),
        (
            "path = \"3F00/6F01\"\ntype = \"cyclic\"\nsize = 4",
            "record",
        ),
        (
            "path = \"3F00/6F01\"\ntype = \"cyclic\"\nsize = 4\nrecord = 3",
            "no records of 3",
        ),
        (
            "path = \"3F00/6F01\"\ntype = \"transparent\"\nsize = 1\ncontent = \"0102\"",
            "2 bytes",
        ),
        (
            "path = \"3F00/6F01\"\ntype = \"transparent\"\naccess = \"free\"",
            "free",
        ),
    ] {
        let described: FilesDescription = toml::from_str(&format!("[[files]]\n{text}")).unwrap();
        let error = FileSystems::new(Some(&described)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_file_is_where_its_path_says() {
    let card = Card::new();
    let aid = hex::decode("A000000009000102030405").unwrap();
    let at = |adf: Option<&[u8]>, fids: &[u16]| card.files.resolve(adf, fids);
    let under_mf = at(None, &[MF, 0x7F4A, 0x6F01]).unwrap();
    assert_eq!(under_mf.adf, None);
    let in_adf = at(Some(&aid), &[MF, 0x7FFF, 0x6F01]).unwrap();
    assert_eq!(in_adf.adf.as_deref(), Some(&aid[..]));
    assert_eq!(in_adf.fids, [MF, 0x7FFF, 0x6F01]);
    assert_eq!(at(None, &[MF, 0x7FFF, 0x6F01]), None);
    assert_eq!(at(None, &[0x7F4A]), None);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]
    #[test]
    fn no_command_panics(commands in proptest::collection::vec(
        (proptest::sample::select(vec![0xA4u8, 0xB0, 0xB2, 0xD6, 0xDC, 0xA2, 0x32, 0x20, 0x24, 0x26, 0x28,
            0x2C, 0x04, 0x44, 0xE0, 0xE4, 0xE6, 0xE8, 0xD4]), 0u8..12, 0u8..12,
            proptest::sample::select(vec!["", "6F01", "6F02", "6F03", "7F4A", "3F00", "7FFF", "31323334FFFFFFFF",
                "621782024121 83026F298A01058B036F0601800200058800", "620883026F2980020007"]),
            proptest::prelude::any::<Vec<u8>>()), 1..40)) {
        let mut card = Card::new();
        for (ins, p1, p2, data, tail) in commands {
            let cla = if matches!(ins, 0x32 | 0xD4) { 0x80 } else { 0x00 };
            let mut data = hex::decode(data.replace(' ', "")).unwrap();
            data.extend(tail.iter().take(8));
            let command = Command::new(cla, ins, p1, p2).with_data(data).with_le(256);
            let _ = card.raw(&hex::encode(command.to_bytes()));
        }
    }
}
