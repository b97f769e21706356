//! GET DATA and STORE DATA of the security domain (GlobalPlatform Card Specification 11.3, 11.11).

use super::Stop;
use super::domain::Domain;
use crate::power::Nvm;
use applet_gen::gp::registry::{CardResources, card_resources};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// Memory that is left, for the extended card resources (FF21, ETSI TS 102 226 8.2.1.7.2), bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Free {
    pub non_volatile: u32,
    pub volatile: u32,
}

/// GlobalPlatform's object identifier 1.2.840.114283 with these further arcs below 128.
fn oid(arcs: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x2A, 0x86, 0x48, 0x86, 0xFC, 0x6B];
    bytes.extend(arcs);
    tlv::write(0x06, &bytes)
}

impl Domain {
    /// GET DATA, classes 00 and 80: P1-P2 is the tag.
    pub(crate) fn get_data(&self, command: &Command, free: Free) -> Result<Response, Sw> {
        let tag = u16::from_be_bytes([command.p1, command.p2]);
        let data = match tag {
            0x0042 if !self.iin.is_empty() => tlv::write(0x42, &self.iin),
            0x0045 => tlv::write(0x45, &self.cin),
            0x0066 => self.card_data(),
            0x0067 => capabilities(self.i),
            0x00E0 => self.key_information(),
            0x00CF => tlv::write(0xCF, &self.diversification),
            // Sequence counter of the default key set (Amendment D 7.1.3).
            0x00C1 => {
                let counter = self.keys.first().map_or(0, |set| set.counter).to_be_bytes();
                tlv::write(0xC1, &counter[1..])
            }
            0x9F7F => tlv::write(0x9F7F, &self.cplc),
            0xFF21 => card_resources(&CardResources {
                applications: u32::try_from(self.registry.instances.len()).unwrap_or(u32::MAX),
                non_volatile: free.non_volatile,
                volatile: free.volatile,
            }),
            _ => return Err(Sw::REFERENCED_DATA_NOT_FOUND),
        };
        Ok(Response::ok(data))
    }

    /// Card recognition data (H.2, H.3): GlobalPlatform 2.3.1, SCP03 with its "i".
    fn card_data(&self) -> Vec<u8> {
        let recognition = tlv::write_constructed(
            0x73,
            &[
                oid(&[0x01]),
                tlv::write(0x60, &oid(&[0x02, 0x02, 0x03, 0x01])),
                tlv::write(0x63, &oid(&[0x03])),
                tlv::write(0x64, &oid(&[0x04, 0x03, self.i])),
            ],
        );
        tlv::write(0x66, &recognition)
    }

    /// STORE DATA to the domain itself: IIN (42), CIN (45), key diversification data (CF), in BER-TLV or
    /// as DGI 0070 that holds them.
    pub(crate) fn store_data(
        &mut self,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        let list = match command.p1 & 0x18 {
            0x08 => match command.data.as_slice() {
                [0x00, 0x70, length, value @ ..] if usize::from(*length) == value.len() => value,
                [0x00, 0x70, ..] => return Err(Sw::WRONG_DATA.into()),
                _ => return Err(Sw::REFERENCED_DATA_NOT_FOUND.into()),
            },
            _ => &command.data,
        };
        let (mut iin, mut cin, mut diversification) =
            (self.iin.clone(), self.cin.clone(), self.diversification);
        for object in tlv::iter(list) {
            let object = object.map_err(|_| Sw::WRONG_DATA)?;
            match object.tag {
                0x42 if object.value.len() <= 16 => iin = object.value.to_vec(),
                0x45 if object.value.len() <= 16 => cin = object.value.to_vec(),
                0xCF => diversification = object.value.try_into().map_err(|_| Sw::WRONG_DATA)?,
                0x42 | 0x45 => return Err(Sw::WRONG_DATA.into()),
                _ => return Err(Sw::REFERENCED_DATA_NOT_FOUND.into()),
            }
        }
        nvm.commit()?;
        (self.iin, self.cin, self.diversification) = (iin, cin, diversification);
        Ok(Response::status(Sw::OK))
    }
}

/// Card capability information (H.4): SCP03 with its "i" and key lengths.
fn capabilities(i: u8) -> Vec<u8> {
    let scp = tlv::write_constructed(
        0xA0,
        &[
            tlv::write(0x80, &[0x03]),
            tlv::write(0x81, &[i]),
            tlv::write(0x82, &[0x07]),
        ],
    );
    tlv::write(0x67, &scp)
}
