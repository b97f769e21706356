//! Events of the card's own making (ETSI TS 102 241 6.5): a file was changed from outside, an application's session
//! ended. Their envelopes are written here, in the form that EnvelopeHandler gives them.

use super::{Entry, Reason};
use crate::fs::{FileId, FilePath, MF, Tree};
use applet_model::apdu::Command;
use applet_model::cat::{Ber, Device, Tag, write};

/// BER tag of these envelopes (ETSI TS 101 220 table 7.17).
pub(crate) const TEMPLATE: Ber = Ber::INTRA_UICC;
/// "The current ADF" in a path.
const CURRENT_ADF: u16 = 0x7FFF;
/// DF.TELECOM and EF.SUME in it (ETSI TS 102 222, 3GPP TS 31.102 4.4.1).
const TELECOM: u16 = 0x7F10;
const SUME: u16 = 0x6F54;

/// Paths of a file list (ETSI TS 102 223 8.18): a count, then paths that each begin with the MF. Files under an ADF
/// are those of `adf`.
pub(super) fn paths(list: &[u8], adf: Option<&[u8]>) -> Result<Vec<FilePath>, Reason> {
    let bad = Reason::BadInputParameter;
    let (count, list) = list.split_first().ok_or(bad)?;
    let (pairs, odd) = list.as_chunks::<2>();
    if !odd.is_empty() {
        return Err(bad);
    }
    let mut found: Vec<FilePath> = Vec::new();
    for fid in pairs.iter().map(|pair| u16::from_be_bytes(*pair)) {
        if fid == MF {
            found.push(FilePath {
                adf: None,
                fids: Vec::new(),
            });
        }
        let path = found.last_mut().ok_or(bad)?;
        if fid == CURRENT_ADF {
            path.adf = Some(adf.ok_or(bad)?.to_vec());
        }
        path.fids.push(fid);
    }
    match found.len() == usize::from(*count) {
        true => Ok(found),
        false => Err(bad),
    }
}

impl Entry {
    /// True if the applet registered for this file, or for the directory that it is in.
    pub(crate) fn watches(&self, path: &FilePath) -> bool {
        let directory = FilePath {
            adf: path.adf.clone(),
            fids: path
                .fids
                .split_last()
                .map(|(_, above)| above.to_vec())
                .unwrap_or_default(),
        };
        self.files.contains(path) || self.files.contains(&directory)
    }
}

/// EVENT_EXTERNAL_FILE_UPDATE's envelope: device identities, the file, its application, and where it was changed.
pub(crate) fn update(path: &FilePath, information: [u8; 4]) -> Vec<u8> {
    let mut list = Vec::new();
    let devices = [Device::TERMINAL.0, Device::UICC.0];
    write(&mut list, Tag::DEVICE_IDENTITIES, true, &devices);
    let fids = path.fids.iter().flat_map(|fid| fid.to_be_bytes());
    let files: Vec<u8> = core::iter::once(1).chain(fids).collect();
    write(&mut list, Tag::FILE_LIST, true, &files);
    if let Some(adf) = &path.adf {
        write(&mut list, Tag::AID, true, adf);
    }
    write(&mut list, Tag::FILE_UPDATE_INFORMATION, true, &information);
    list
}

/// File update information (ETSI TS 102 241 6.5) of an update: offset and length in a transparent file, number and
/// length of a record.
pub(crate) fn information(tree: &Tree, file: FileId, command: &Command, record: u8) -> [u8; 4] {
    let ef = tree.get(file).ok().and_then(|node| node.elementary());
    let length = ef.map_or(0, |ef| ef.record);
    let (at, length) = match command.ins {
        0xD6 => {
            let offset = match command.p1 & 0x80 {
                0 => u16::from_be_bytes([command.p1, command.p2]),
                // By short file identifier.
                _ => u16::from(command.p2),
            };
            (offset, u16::try_from(command.data.len()).unwrap_or(0))
        }
        0xDC if command.p2 & 0x07 == 0x04 && command.p1 != 0 => {
            (u16::from(command.p1), u16::from(length))
        }
        // INCREASE makes the newest record.
        0x32 => (1, u16::from(length)),
        _ => (u16::from(record.max(1)), u16::from(length)),
    };
    let ([a, b], [c, d]) = (at.to_be_bytes(), length.to_be_bytes());
    [a, b, c, d]
}

/// EVENT_APPLICATION_DESELECT's envelope: whose session ended.
pub(crate) fn deselected(aid: &[u8]) -> Vec<u8> {
    let mut list = Vec::new();
    let devices = [Device::TERMINAL.0, Device::UICC.0];
    write(&mut list, Tag::DEVICE_IDENTITIES, true, &devices);
    write(&mut list, Tag::AID, true, aid);
    list
}

/// What EF.SUME has the menu be called; nothing if there is no such file.
pub(crate) fn title(tree: &Tree) -> super::Title {
    let sume = || {
        let telecom = tree.child(FileId::MF, TELECOM)?;
        let file = tree.child(telecom, SUME)?;
        tree.get(file).ok()?.elementary()
    };
    let Some(sume) = sume() else {
        return super::Title::default();
    };
    let objects = super::Handler::new(sume.data.clone());
    let attribute = objects.peek(super::tag::TEXT_ATTRIBUTE);
    super::Title {
        text: objects
            .peek(super::tag::ALPHA_IDENTIFIER)
            .unwrap_or_default()
            .to_vec(),
        attribute: attribute.and_then(|value| value.try_into().ok()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_begin_with_the_master_file() {
        let hex = |text: &str| hex::decode(text).unwrap();
        let two = paths(&hex("023F007F4A6F0C3F007F4A6F09"), None).unwrap();
        assert_eq!(two[0].fids, [0x3F00, 0x7F4A, 0x6F0C]);
        assert_eq!(two[1].fids, [0x3F00, 0x7F4A, 0x6F09]);
        let one = paths(&hex("013F007FFF6F07"), Some(&[1; 5])).unwrap();
        assert_eq!(one[0].adf.as_deref(), Some(&[1; 5][..]));
        for bad in ["", "01", "013F", "017F4A", "023F00", "013F007FFF6F07"] {
            assert_eq!(
                paths(&hex(bad), None),
                Err(Reason::BadInputParameter),
                "{bad}"
            );
        }
    }

    #[test]
    fn an_update_names_the_file_its_application_and_the_place() {
        let path = FilePath {
            adf: Some(vec![0xA0; 5]),
            fids: vec![0x3F00, 0x7FFF, 0x6F07],
        };
        assert_eq!(
            hex::encode_upper(update(&path, [0, 1, 0, 4])),
            "820282819207013F007FFF6F07AF05A0A0A0A0A0BB0400010004"
        );
    }
}
