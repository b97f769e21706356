//! The UICC's file system, as far as a terminal or a technician needs it to see which profile is
//! active: MF with EF.ICCID, EF.DIR and EF.PL, ADF.USIM with EF.IMSI and what a terminal reads at
//! start (ETSI TS 102 221 13, 3GPP TS 31.102 4.2). Files are computed from the visible profile at
//! every access; nothing is stored here. Writing isn't supported.
//!
//! Named choice: with no profile enabled there is no ADF.USIM and no EF.ICCID.

mod fcp;

use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;
use fcp::Structure;
use serde::{Deserialize, Serialize};

/// The master file.
pub const MF: u16 = 0x3F00;
/// "The current ADF" (ETSI TS 102 221 8.4.1).
const CURRENT_ADF: u16 = 0x7FFF;
/// AID of the USIM (ETSI TS 101 220 annex E, 3GPP), with the lab's application provider field.
pub const USIM: &[u8] = &[
    0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x49, 0x50, 0x41, 0x65,
];
const DIR_RECORD: u8 = 32;

/// What the file system shows of the profile that the terminal sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscription {
    /// EF.ICCID, 10 bytes as in the file (nibbles swapped).
    pub iccid: Vec<u8>,
    /// IMSI, decimal digits.
    pub imsi: String,
    /// Service provider name.
    pub name: String,
}

/// Where a logical channel stands: current directory and elementary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Position {
    in_usim: bool,
    file: Option<u16>,
}

impl Position {
    /// The USIM's directory.
    pub const USIM: Position = Position {
        in_usim: true,
        file: None,
    };

    /// True in ADF.USIM.
    pub fn in_usim(&self) -> bool {
        self.in_usim
    }
}

struct File {
    fid: u16,
    sfi: Option<u8>,
    structure: Structure,
    content: Vec<u8>,
}

/// The file system over the visible profile; `None` when no profile is enabled.
#[derive(Debug, Clone, Copy)]
pub struct Files<'a>(pub Option<&'a Subscription>);

impl Files<'_> {
    fn list(&self, in_usim: bool) -> Vec<File> {
        let transparent = |fid, sfi, content: Vec<u8>| File {
            fid,
            sfi: Some(sfi),
            structure: Structure::Transparent,
            content,
        };
        match (in_usim, self.0) {
            (false, profile) => {
                let mut files = vec![
                    File {
                        fid: 0x2F00,
                        sfi: Some(0x1E),
                        structure: Structure::LinearFixed(DIR_RECORD),
                        content: self.directory_record(),
                    },
                    transparent(0x2F05, 0x05, vec![0xFF, 0xFF]),
                ];
                if let Some(profile) = profile {
                    files.push(transparent(0x2FE2, 0x02, profile.iccid.clone()));
                }
                files
            }
            (true, None) => Vec::new(),
            (true, Some(profile)) => {
                let mut name = vec![0x00];
                name.extend(profile.name.bytes().filter(u8::is_ascii).take(16));
                name.resize(17, 0xFF);
                vec![
                    transparent(0x6F07, 0x07, imsi_file(&profile.imsi)),
                    // EF.UST: no service that would need another file.
                    transparent(0x6F38, 0x04, vec![0, 0, 0, 0]),
                    transparent(0x6F78, 0x06, vec![0, 1]),
                    // EF.AD: normal operation, MNC of two digits.
                    transparent(0x6FAD, 0x03, vec![0, 0, 0, 2]),
                    File {
                        sfi: None,
                        ..transparent(0x6F46, 0, name)
                    },
                ]
            }
        }
    }

    /// EF.DIR's record (ETSI TS 102 221 13.1), empty (FF) without a profile.
    fn directory_record(&self) -> Vec<u8> {
        let mut record = match self.0 {
            None => Vec::new(),
            Some(_) => {
                tlv::write_constructed(0x61, &[tlv::write(0x4F, USIM), tlv::write(0x50, b"USIM")])
            }
        };
        record.resize(usize::from(DIR_RECORD), 0xFF);
        record
    }

    fn file(&self, in_usim: bool, fid: u16) -> Option<File> {
        self.list(in_usim).into_iter().find(|file| file.fid == fid)
    }

    /// FCP of what `position` names; `None` if it went with its profile.
    pub fn control_parameters(&self, position: Position) -> Option<Vec<u8>> {
        match position.file {
            Some(fid) => {
                let file = self.file(position.in_usim, fid)?;
                Some(fcp::elementary(
                    file.fid,
                    file.sfi,
                    file.structure,
                    file.content.len(),
                ))
            }
            None => self.directory(position),
        }
    }

    /// FCP of the current directory (what STATUS answers).
    pub fn directory(&self, position: Position) -> Option<Vec<u8>> {
        match position.in_usim {
            false => Some(fcp::directory(MF, None)),
            true => self.0.map(|_| fcp::directory(CURRENT_ADF, Some(USIM))),
        }
    }

    /// Finds what a SELECT by file identifier (P1 00), child (01, 02), parent (03) or path (08 from the
    /// MF, 09 from the current directory) names (ETSI TS 102 221 11.1.1).
    ///
    /// # Errors
    /// The status word: 6A82, 6A86, 6700.
    pub fn find(&self, from: Position, p1: u8, data: &[u8]) -> Result<Position, Sw> {
        let here = Position { file: None, ..from };
        match p1 {
            0x00..=0x02 => match data {
                [] if p1 == 0 => Ok(Position::default()),
                [hi, lo] => self.step(here, u16::from_be_bytes([*hi, *lo]), p1 == 0),
                _ => Err(Sw::WRONG_LENGTH),
            },
            0x03 if data.is_empty() => Ok(Position::default()),
            0x08 | 0x09 => {
                if data.is_empty() || !data.len().is_multiple_of(2) {
                    return Err(Sw::WRONG_LENGTH);
                }
                let mut position = if p1 == 0x08 {
                    Position::default()
                } else {
                    here
                };
                let mut current = from.in_usim;
                for pair in data.chunks_exact(2) {
                    let fid = u16::from_be_bytes([pair[0], pair[1]]);
                    if position.file.is_some() {
                        return Err(Sw::NOT_FOUND);
                    }
                    // From the MF, 7FFF is the ADF in which the channel stands.
                    position = match fid {
                        CURRENT_ADF if p1 == 0x08 && current => Position::USIM,
                        _ => self.step(position, fid, false)?,
                    };
                    current = current || position.in_usim;
                }
                Ok(position)
            }
            _ => Err(Sw::INCORRECT_P1_P2),
        }
    }

    fn step(&self, here: Position, fid: u16, anywhere: bool) -> Result<Position, Sw> {
        match fid {
            MF => Ok(Position::default()),
            CURRENT_ADF if here.in_usim => Ok(Position::USIM),
            _ if self.file(here.in_usim, fid).is_some() => Ok(Position {
                file: Some(fid),
                ..here
            }),
            // A file under the MF is found from an ADF by terminals that trust in SELECT by FID.
            _ if anywhere && here.in_usim && self.file(false, fid).is_some() => Ok(Position {
                in_usim: false,
                file: Some(fid),
            }),
            _ => Err(Sw::NOT_FOUND),
        }
    }

    /// SELECT of a file: moves `position` and answers by P2 (04 FCP, 0C nothing, 00 FCP too, since a
    /// file has no other control information).
    pub fn select(&self, position: &mut Position, command: &Command) -> Response {
        match self.find(*position, command.p1, &command.data) {
            Err(sw) => Response::status(sw),
            Ok(found) => {
                *position = found;
                self.selected(found, command.p2)
            }
        }
    }

    /// The answer to a successful SELECT with this P2.
    pub fn selected(&self, position: Position, p2: u8) -> Response {
        match p2 & 0x0C {
            0x0C => Response::status(Sw::OK),
            _ => match self.control_parameters(position) {
                Some(fcp) => Response::ok(fcp),
                None => Response::status(Sw::NOT_FOUND),
            },
        }
    }

    /// STATUS (ETSI TS 102 221 11.1.2): P2 00 the directory's FCP, 01 its DF name, 0C nothing.
    pub fn status(&self, position: Position, command: &Command) -> Response {
        match (command.p1, command.p2) {
            (0..=2, 0x0C) => Response::status(Sw::OK),
            (0..=2, 0x00) => match self.directory(position) {
                Some(fcp) => Response::ok(fcp),
                None => Response::status(Sw::CONDITIONS_NOT_SATISFIED),
            },
            (0..=2, 0x01) => match position.in_usim {
                true => Response::ok(tlv::write(0x84, USIM)),
                false => Response::ok(tlv::write(0x84, &MF.to_be_bytes())),
            },
            _ => Response::status(Sw::INCORRECT_P1_P2),
        }
    }

    /// READ BINARY (11.1.3): by offset in the current file, or by short file identifier.
    pub fn read_binary(&self, position: &mut Position, command: &Command) -> Response {
        let (file, offset) = if command.p1 & 0x80 != 0 {
            let sfi = command.p1 & 0x1F;
            let mut files = self.list(position.in_usim).into_iter();
            match files.find(|file| file.sfi == Some(sfi)) {
                None => return Response::status(Sw::NOT_FOUND),
                Some(file) => {
                    position.file = Some(file.fid);
                    (file, usize::from(command.p2))
                }
            }
        } else {
            let offset = usize::from(u16::from_be_bytes([command.p1, command.p2]));
            match position
                .file
                .and_then(|fid| self.file(position.in_usim, fid))
            {
                None => return Response::status(Sw::COMMAND_NOT_ALLOWED),
                Some(file) => (file, offset),
            }
        };
        if file.structure != Structure::Transparent {
            return Response::status(Sw(0x6981));
        }
        let Some(rest) = file.content.get(offset..).filter(|rest| !rest.is_empty()) else {
            return Response::status(Sw::WRONG_P1_P2);
        };
        match command.le {
            None => Response::status(Sw::wrong_le(rest.len())),
            Some(256) => Response::ok(rest),
            Some(le) => match rest.get(..le as usize) {
                Some(bytes) => Response::ok(bytes),
                None => Response::status(Sw::wrong_le(rest.len())),
            },
        }
    }

    /// READ RECORD (11.1.5) in absolute mode (P2 04), the current file or one by its short identifier.
    pub fn read_record(&self, position: &mut Position, command: &Command) -> Response {
        if command.p2 & 0x07 != 0x04 {
            return Response::status(Sw::INCORRECT_P1_P2);
        }
        let file = match command.p2 >> 3 {
            0 => position
                .file
                .and_then(|fid| self.file(position.in_usim, fid)),
            sfi => self
                .list(position.in_usim)
                .into_iter()
                .find(|file| file.sfi == Some(sfi)),
        };
        let Some(file) = file else {
            return Response::status(match command.p2 >> 3 {
                0 => Sw::COMMAND_NOT_ALLOWED,
                _ => Sw::NOT_FOUND,
            });
        };
        position.file = Some(file.fid);
        let Structure::LinearFixed(length) = file.structure else {
            return Response::status(Sw(0x6981));
        };
        let number = usize::from(command.p1);
        let mut records = file.content.chunks_exact(usize::from(length).max(1));
        match number.checked_sub(1).and_then(|n| records.nth(n)) {
            None => Response::status(Sw::RECORD_NOT_FOUND),
            Some(record) => match command.le {
                Some(le) if le == u32::from(length) || le == 256 => Response::ok(record),
                _ => Response::status(Sw::wrong_le(usize::from(length))),
            },
        }
    }
}

/// EF.IMSI (3GPP TS 31.102 4.2.2): length, then the digits with parity as nibbles, low first.
fn imsi_file(imsi: &str) -> Vec<u8> {
    let digits: Vec<u8> = imsi
        .bytes()
        .filter(u8::is_ascii_digit)
        .map(|d| d - b'0')
        .take(15)
        .collect();
    let mut nibbles = vec![if digits.len() % 2 == 1 { 0x9 } else { 0x1 }];
    nibbles.extend(digits);
    if nibbles.len() % 2 == 1 {
        nibbles.push(0xF);
    }
    let mut file = vec![u8::try_from(nibbles.len() / 2).unwrap_or(8)];
    file.extend(nibbles.chunks_exact(2).map(|pair| pair[1] << 4 | pair[0]));
    file.resize(9, 0xFF);
    file
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subscription() -> Subscription {
        Subscription {
            iccid: hex::decode("984400000000000010F5").unwrap(),
            imsi: "001010123456789".into(),
            name: "Lab".into(),
        }
    }

    fn command(text: &str) -> Command {
        Command::parse(&hex::decode(text).unwrap()).unwrap()
    }

    #[test]
    fn the_iccid_is_read_by_identifier_and_by_short_identifier() {
        let subscription = subscription();
        let files = Files(Some(&subscription));
        let mut at = Position::default();
        assert!(files.select(&mut at, &command("00A40004022FE2")).sw.is_ok());
        assert_eq!(
            files.read_binary(&mut at, &command("00B000000A")).data,
            subscription.iccid
        );
        assert_eq!(
            files.read_binary(&mut at, &command("00B0000000")).data,
            subscription.iccid
        );
        assert_eq!(
            files.read_binary(&mut at, &command("00B0000A01")).sw,
            Sw::WRONG_P1_P2
        );
        assert_eq!(
            files.read_binary(&mut at, &command("00B000050A")).sw,
            Sw(0x6C05)
        );
        assert_eq!(
            files.read_binary(&mut at, &command("00B082000A")).data,
            subscription.iccid
        );
        let mut at = Position::USIM;
        assert!(
            files
                .select(&mut at, &command("00A4000C026F07"))
                .data
                .is_empty()
        );
        assert_eq!(
            hex::encode(files.read_binary(&mut at, &command("00B0000009")).data),
            "080910101032547698"
        );
        assert!(
            files
                .select(&mut at, &command("00A40804047FFF6FAD"))
                .sw
                .is_ok()
        );
        assert!(files.select(&mut at, &command("00A40004023F00")).sw.is_ok());
        assert_eq!(at, Position::default());
    }

    #[test]
    fn the_directory_file_names_the_usim_only_while_a_profile_is_enabled() {
        let subscription = subscription();
        let mut at = Position::default();
        let read = |files: Files, at: &mut Position| {
            assert!(files.select(at, &command("00A40004022F00")).sw.is_ok());
            files.read_record(at, &command("00B2010420")).data
        };
        assert_eq!(read(Files(Some(&subscription)), &mut at)[4..20], *USIM);
        assert_eq!(read(Files(None), &mut at), [0xFF; 32]);
        assert_eq!(
            Files(None).read_record(&mut at, &command("00B2020420")).sw,
            Sw::RECORD_NOT_FOUND
        );
        assert_eq!(
            Files(None).select(&mut at, &command("00A40004022FE2")).sw,
            Sw::NOT_FOUND
        );
        assert_eq!(Files(None).control_parameters(Position::USIM), None);
    }

    #[test]
    fn control_parameters_are_one_template() {
        let subscription = subscription();
        let files = Files(Some(&subscription));
        for fid in [0x2F00, 0x2F05, 0x2FE2] {
            let at = Position {
                in_usim: false,
                file: Some(fid),
            };
            let fcp = files.control_parameters(at).unwrap();
            let template = tlv::expect(&fcp, 0x62).unwrap();
            assert_eq!(
                template.find(0x83).unwrap().unwrap().value,
                fid.to_be_bytes()
            );
        }
    }
}
