//! Published packages installed, and their files, PINs and keys as a terminal meets them. What is expected was computed
//! apart from this code, from the packages' ASN.1 and the tables of the specification.

use super::*;
use crate::fs::{FileSystems, Position, Subscription};
use crate::power::Nvm;
use crate::saip::tests::reference;
use applet_model::apdu::Command;
use sha2::{Digest, Sha256};

/// Every EF: its path and its content.
fn contents(tree: &Tree) -> Vec<String> {
    fn below(tree: &Tree, directory: FileId, path: &str, lines: &mut Vec<String>) {
        for (id, node) in tree.children(directory) {
            let name = match node.adf_name() {
                Some(aid) => hex::encode_upper(aid),
                None => format!("{path}/{:04X}", node.fid),
            };
            match tree.contents(id) {
                Ok((_, ef)) => lines.push(format!("{name} {}\n", hex::encode_upper(&ef.data))),
                Err(_) => below(tree, id, &name, lines),
            }
        }
    }
    let mut lines = Vec::new();
    below(tree, FileId::MF, "3F00", &mut lines);
    lines.sort();
    lines
}

#[test]
fn published_packages_become_the_files_that_they_describe() {
    let expected = [
        (
            223,
            "1dbd8d32546e8f313783f274f921f79b75e45ddcacdc99e57d971b8d67b99db6",
        ),
        (
            235,
            "a3900dee492a7f560893d3fd312100c49dacf9c6c30a4af7be29f7abcc9e5cd2",
        ),
    ];
    for ((name, bytes), (files, digest)) in reference().iter().zip(expected) {
        let installed = install(bytes).unwrap_or_else(|refused| panic!("{name}: {refused}"));
        let lines = contents(&installed.volume.tree);
        assert_eq!(lines.len(), files, "{name}");
        assert_eq!(
            hex::encode(Sha256::digest(lines.concat())),
            digest,
            "{name}"
        );
        assert_eq!(installed.imsi, "001010123456063", "{name}");
        // CDMA keys, the security domain and four instances of remote file management.
        assert_eq!(installed.kept.len(), 6, "{name}");
        assert!(
            installed
                .outcomes
                .iter()
                .all(|outcome| outcome.status == Status::OK)
        );
        assert_eq!(
            hex::encode_upper(installed.response().to_bytes()),
            "3029A0053003800100\
             82206B65707420776974686F757420736572766963653A203620656C656D656E7473"
        );
    }
}

struct Phone {
    files: FileSystems,
    nvm: Nvm,
    at: Position,
}

impl Phone {
    fn new(package: &[u8]) -> Phone {
        let mut files = FileSystems::new(None).unwrap();
        let subscription = Subscription {
            iccid: vec![0x89; 10],
            imsi: String::new(),
            name: String::new(),
            package: package.to_vec().into(),
        };
        files.show(Some(&subscription), &|_| true);
        Phone {
            files,
            nvm: Nvm::default(),
            at: Position::default(),
        }
    }

    fn usim(&mut self) {
        let tree = self.files.tree();
        let usim = tree
            .adfs()
            .find(|(_, aid)| aid.starts_with(&crate::fs::USIM[..7]));
        self.at = Position::adf(usim.unwrap().0);
    }

    fn send(&mut self, text: &str) -> String {
        let command = Command::parse(&hex::decode(text.replace(' ', "")).unwrap()).unwrap();
        if command.ins == 0xA4 {
            return match self.files.find(self.at, command.p1, &command.data) {
                Ok(found) => {
                    self.at = found;
                    hex::encode_upper(self.files.selected(found, command.p2).to_bytes())
                }
                Err(error) => format!("{:04X}", error.status().unwrap().0),
            };
        }
        match self.files.command(&mut self.nvm, &mut self.at, &command) {
            Ok(done) => hex::encode_upper(done.response.to_bytes()),
            Err(error) => format!("{:04X}", error.status().unwrap().0),
        }
    }

    fn run(&mut self, exchanges: &[(&str, &str)]) {
        for (command, answer) in exchanges {
            assert_eq!(self.send(command), answer.replace(' ', ""), "{command}");
        }
    }
}

/// Authentication with the test algorithm and K 00 01 … 0F: RAND, AUTN for SQN 21 with AMF 8000 and with FFFF, and the
/// answers, RES of 128 bits.
const RAND: &str = "53C1BD0C7F6A4D0EE0A7B2C4158F3A96";
const AUTN: &str = "0F7B6F4B09C9800053C0BF0F7B4ECB09";
const AUTN_RESYNCHRONISE: &str = "0F7B6F4B09C9FFFF53C0BF0F7B4EB4F6";
const KEYS: &str = "DB1053C0BF0F7B6F4B09E8AEB8CF19823499\
    10C0BF0F7B6F4B09E8AEB8CF1982349953\
    10BF0F7B6F4B09E8AEB8CF1982349953C0\
    0869C7A28F92EF2BD59000";

#[test]
fn a_published_profile_is_what_a_phone_expects() {
    for (_, bytes) in reference() {
        let mut phone = Phone::new(&bytes);
        phone.usim();
        let authenticate = format!("00880081 22 10{RAND}10{AUTN}00");
        let forged = format!("00880081 22 10{AUTN}10{AUTN}00");
        let again = format!("00880081 22 10{RAND}10{AUTN_RESYNCHRONISE}00");
        phone.run(&[
            // EF.IMSI by its short identifier; PIN 1 is disabled.
            ("00B0870009", "080910101032540636 9000"),
            ("00A4000C026F07", "9000"),
            ("00D60000 01 08", "6982"),
            ("0020000A08 3434343434343434", "63C9"),
            ("0020000A08 3535353535353535", "9000"),
            ("00D60000 01 08", "9000"),
            (&authenticate, KEYS),
            (&forged, "9862"),
            (&again, "DC0E0F7B6F4B09C953C0BF0F7B4E4B099000"),
            (
                &format!("00880080 11 10{RAND}00"),
                "04D98378500869C7A28F92EF2BD59000",
            ),
            ("0088008100", "6700"),
            (&format!("00880082 11 10{RAND}00"), "6A86"),
            ("0020008108 39393939FFFFFFFF", "9000"),
            ("0020000200", "6A88"),
        ]);
        // DF.TELECOM's EF.SMS shows that of the USIM.
        let record = "01".repeat(176);
        phone.run(&[
            ("00A4080C047FFF6F3C", "9000"),
            (&format!("00DC0104B0{record}"), "9000"),
            ("00A4080C047F106F3C", "9000"),
            ("00B20104B0", &format!("{record}9000")),
        ]);
        let fcp = phone.send("00A40804 04 7F106F3C");
        assert_eq!(
            fcp,
            "6219820542 2100B00A83026F3C8A01058B032F060B800206E088009000".replace(' ', "")
        );
    }
}

#[test]
fn nothing_is_authenticated_without_an_application() {
    for (_, bytes) in reference() {
        let mut phone = Phone::new(&bytes);
        let authenticate = format!("00880081 22 10{RAND}10{AUTN}00");
        phone.run(&[(&authenticate, "6985")]);
        phone.usim();
        phone.nvm.cut_after(0);
        let command = Command::parse(&hex::decode(authenticate.replace(' ', "")).unwrap()).unwrap();
        let cut = phone.files.command(&mut phone.nvm, &mut phone.at, &command);
        assert!(matches!(cut, Err(FileError::Power(_))));
        phone.nvm.restore();
        phone.run(&[(&authenticate, KEYS)]);
    }
}
