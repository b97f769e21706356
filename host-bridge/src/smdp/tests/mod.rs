//! Downloads into virtual cards: the whole way, every refusal, and connections that break anywhere.

mod breaks;
mod download;
mod server;

use super::client::{Binding, Es9, Es9Error, HttpServer};
use super::push::{Lpa, PushError, PushOrder, Pushed, push};
use super::*;
use crate::transport::{CardLink, LinkError, VirtualLink};
use applet_model::apdu::{Command, Response as Apdu};
use applet_model::sgp::download::{BoundProfilePackage, GetBoundProfilePackageResponseEsipa};
use applet_model::sgp::es9::{
    RemoteProfileProvisioningRequest as Request, RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::{Decode, Encode};
use applet_model::tlv;
use cards::card::{CardConfig, VirtualCard};
use cards::definition::Definition;
use cards::euicc::{Eid, EuiccConfig, EuiccSetup, Iccid, bpp};
use cards::pki::{HierarchyOptions, ServerRole};
use cards::saip::elements::ProfileHeader;
use proptest::prelude::*;
use std::io::{Read, Write};

const ADDRESS: &str = "smdp.lab.example";
const ICCID: &str = "8988303000000614224";
/// 1 January 2027.
const NOW: u64 = 1_798_761_600;

/// A package of a header and an end.
fn package() -> Vec<u8> {
    let iccid: Iccid = ICCID.parse().unwrap();
    let digits = ProfileHeader::iccid_field(&iccid);
    let mut header = vec![0x80, 1, 2, 0x81, 1, 3];
    header.extend(tlv::write(0x82, &[b'x'; 100]));
    header.extend(tlv::write(0x83, digits.as_bytes()));
    header.extend([0xA5, 0, 0xA6, 0]);
    let mut out = tlv::write(0xA0, &header);
    // Elements that the card doesn't know are passed over: they make the package longer than a segment.
    for _ in 0..3 {
        let mut unknown = vec![0xA0, 3, 0x81, 1, 9];
        unknown.extend(tlv::write(0x81, &[0; 500]));
        out.extend(tlv::write(0xBF60, &unknown));
    }
    out.extend([0xAA, 5, 0xA0, 3, 0x81, 1, 1]);
    out
}

fn card_of(hierarchy: &Hierarchy, number: u32, memory: usize) -> VirtualLink {
    let eid = Eid::with_check_digits(&format!("8904903200000000000000{number:08}")).unwrap();
    let mut setup = EuiccSetup::lab().unwrap();
    setup.limits.profile_memory = memory;
    let euicc = EuiccConfig::issue(eid, u64::from(number), hierarchy, setup).unwrap();
    let definition = Definition::find("virtual-lab").unwrap();
    let config = CardConfig::with_test_keys(definition, 7, euicc).unwrap();
    VirtualLink::new("card", VirtualCard::new(config).unwrap())
}

fn card(number: u32) -> VirtualLink {
    card_of(&Hierarchy::lab().unwrap(), number, 100_000)
}

fn options() -> SmdpOptions {
    SmdpOptions {
        seed: Some(1),
        time: Some(NOW),
        ..SmdpOptions::default()
    }
}

fn smdp_with(hierarchy: &Hierarchy, options: SmdpOptions) -> Smdp {
    let credential = hierarchy.smdp.clone().unwrap();
    Smdp::open(None, hierarchy, credential, options).unwrap()
}

fn smdp() -> Smdp {
    smdp_with(&Hierarchy::lab().unwrap(), options())
}

fn new_order(matching_id: &str) -> NewOrder {
    NewOrder {
        matching_id: matching_id.into(),
        eid: None,
        confirmation_code: None,
        metadata: metadata_of(&package(), "Delta", "Delta IoT")
            .unwrap()
            .to_der()
            .unwrap(),
        profile: package(),
    }
}

/// An SM-DP+ with one order, `A`.
fn ordered() -> Smdp {
    let smdp = smdp();
    smdp.order(&new_order("A")).unwrap();
    smdp
}

fn wish(matching_id: &str) -> PushOrder {
    PushOrder {
        address: ADDRESS.into(),
        matching_id: matching_id.into(),
        confirmation_code: None,
        now: NOW,
    }
}

fn get(link: &mut dyn CardLink, smdp: &mut dyn Es9, id: &str) -> Result<Pushed, PushError> {
    push(link, smdp, &wish(id))
}

fn state(smdp: &Smdp) -> OrderState {
    smdp.orders().unwrap()[0].state
}

fn has_profile(link: &VirtualLink) -> bool {
    let euicc = link.card().euicc();
    euicc.check_invariants().unwrap();
    euicc.state().profile(&ICCID.parse().unwrap()).is_some()
}

fn post(address: SocketAddr, path: &str, body: &[u8]) -> u16 {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    // The server may have answered and closed before the whole body went out.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer);
    text.split_whitespace()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .unwrap_or(0)
}
