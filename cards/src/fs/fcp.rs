//! File control parameters (ETSI TS 102 221 11.1.1.3).

use applet_model::tlv;

/// Structure of an elementary file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Structure {
    /// Bytes without records.
    Transparent,
    /// Records of one length, in bytes.
    LinearFixed(u8),
}

/// FCP template of an elementary file of `size` bytes.
pub fn elementary(fid: u16, sfi: Option<u8>, structure: Structure, size: usize) -> Vec<u8> {
    let size16 = u16::try_from(size).unwrap_or(u16::MAX);
    let descriptor = match structure {
        Structure::Transparent => vec![0x41, 0x21],
        Structure::LinearFixed(length) => {
            let records = if length == 0 {
                0
            } else {
                size / usize::from(length)
            };
            vec![
                0x42,
                0x21,
                0,
                length,
                u8::try_from(records).unwrap_or(u8::MAX),
            ]
        }
    };
    let sfi = sfi.map_or_else(Vec::new, |sfi| vec![sfi << 3]);
    tlv::write_constructed(
        0x62,
        &[
            tlv::write(0x82, &descriptor),
            tlv::write(0x83, &fid.to_be_bytes()),
            tlv::write(0x8A, &[0x05]),
            // Compact security attributes (9.2.1): reading always, everything else never.
            tlv::write(0x8C, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
            tlv::write(0x80, &size16.to_be_bytes()),
            tlv::write(0x88, &sfi),
        ],
    )
}

/// FCP template of the MF or of an ADF with its AID. PIN 01 is there and disabled (11.1.1.4.10).
pub fn directory(fid: u16, aid: Option<&[u8]>) -> Vec<u8> {
    let mut parts = vec![
        tlv::write(0x82, &[0x78, 0x21]),
        tlv::write(0x83, &fid.to_be_bytes()),
    ];
    if let Some(aid) = aid {
        parts.push(tlv::write(0x84, aid));
    }
    parts.extend([
        // UICC characteristics: clock stop allowed, class A, B and C voltages.
        tlv::write_constructed(0xA5, &[tlv::write(0x80, &[0x71])]),
        tlv::write(0x8A, &[0x05]),
        tlv::write(0x8C, &[0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x00]),
        tlv::write_constructed(
            0xC6,
            &[
                tlv::write(0x90, &[0x00]),
                tlv::write(0x83, &[0x01]),
                tlv::write(0x83, &[0x81]),
            ],
        ),
    ]);
    tlv::write_constructed(0x62, &parts)
}
