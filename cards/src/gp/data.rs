//! GET DATA of security domains (GlobalPlatform Card Specification 11.3).

use super::domain::Domain;
use super::open::Open;
use super::registry::Aid;
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::registry::{CardResources, card_resources};
use applet_gen::gp::scp03::SecurityLevel;
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

impl Open {
    /// GET DATA to the domain `on`, classes 00 and 80: P1-P2 is the tag. `level` is that of a session.
    pub(crate) fn get_data(
        &self,
        on: &Aid,
        command: &Command,
        free: Free,
        level: Option<SecurityLevel>,
    ) -> Result<Response, Sw> {
        let domain = self.domain(on)?;
        Ok(Response::ok(match (command.p1, command.p2) {
            // Current security level (10.6), applications of the domain or, with Global Registry, of the card.
            (0x00, 0xD3) => tlv::write(0xD3, &[level.map_or(0, |level| 0x80 | level as u8)]),
            (0x2F, 0x00) => {
                let all = self.has(on, Privilege::GlobalRegistry);
                let seen = |aid: &&Aid| all || self.registry.is_below(aid, on);
                let instances = self.registry.instances.iter();
                let list: Vec<u8> = instances
                    .map(|instance| &instance.aid)
                    .filter(seen)
                    .flat_map(|aid| tlv::write(0x61, &tlv::write(0x4F, aid.bytes())))
                    .collect();
                tlv::write(0x2F00, &list)
            }
            (0xFF, 0x21) => card_resources(&CardResources {
                applications: u32::try_from(self.registry.instances.len()).unwrap_or(u32::MAX),
                non_volatile: free.non_volatile,
                volatile: free.volatile,
            }),
            _ => domain.data_object(u16::from_be_bytes([command.p1, command.p2]))?,
        }))
    }
}

impl Domain {
    fn data_object(&self, tag: u16) -> Result<Vec<u8>, Sw> {
        let data = match tag {
            0x0042 if !self.iin.is_empty() => tlv::write(0x42, &self.iin),
            0x0045 if !self.cin.is_empty() => tlv::write(0x45, &self.cin),
            0x5F50 if !self.url.is_empty() => tlv::write(0x5F50, &self.url),
            0x00C2 => tlv::write(0xC2, &self.confirmations.to_be_bytes()),
            0x0066 => self.card_data(),
            0x0067 => capabilities(self.i),
            0x00E0 => self.key_information(),
            0x00CF => tlv::write(0xCF, &self.diversification),
            // Sequence counter of the default key set (Amendment D 7.1.3).
            0x00C1 => {
                let counter = self.key_set(0).map_or(0, |set| set.counter).to_be_bytes();
                tlv::write(0xC1, &counter[1..])
            }
            0x9F7F if !self.cplc.is_empty() => tlv::write(0x9F7F, &self.cplc),
            _ => return Err(Sw::REFERENCED_DATA_NOT_FOUND),
        };
        Ok(data)
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
