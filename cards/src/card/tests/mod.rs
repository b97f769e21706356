//! The card as its users meet it: APDUs in, APDUs out.

mod domain;
mod files;
mod interface;
mod toolkit;

use super::{CardConfig, VirtualCard};
use crate::definition::Definition;
use crate::euicc::{Eid, EuiccConfig};
use applet_gen::gp::scp03::{Mode, Request, SecureChannel, SecurityLevel, StaticKeys};
use applet_model::aid;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use std::sync::OnceLock;

/// A new card of the lab.
fn card() -> VirtualCard {
    static CARD: OnceLock<VirtualCard> = OnceLock::new();
    let made = CARD.get_or_init(|| card_of("virtual-lab"));
    made.clone()
}

fn card_of(definition: &str) -> VirtualCard {
    card_with(Definition::find(definition).unwrap())
}

fn card_with(definition: Definition) -> VirtualCard {
    let eid = Eid::with_check_digits("890490320000000000000000000001").unwrap();
    let euicc = EuiccConfig::lab(eid).unwrap();
    VirtualCard::new(CardConfig::with_test_keys(definition, 7, euicc).unwrap()).unwrap()
}

/// The raw answer.
fn raw(card: &mut VirtualCard, command: &str) -> String {
    let bytes = hex::decode(command.replace(' ', "")).unwrap();
    hex::encode_upper(card.transmit(&bytes).expect("power"))
}

/// Sends a command and fetches what waits, as a T=0 reader's driver does.
fn send(card: &mut VirtualCard, command: &Command) -> Response {
    let mut response =
        Response::parse(&card.transmit(&command.to_bytes()).expect("power")).unwrap();
    while response.sw.sw1() == 0x61 {
        let more = Command::new(command.cla & 0x03, 0xC0, 0, 0).with_le(match response.sw.sw2() {
            0 => 256,
            n => u32::from(n),
        });
        let next = Response::parse(&card.transmit(&more.to_bytes()).expect("power")).unwrap();
        response.data.extend(next.data);
        response.sw = next.sw;
    }
    response
}

fn test_keys() -> StaticKeys {
    let key = hex::decode("404142434445464748494A4B4C4D4E4F").unwrap();
    StaticKeys::new(&key, &key, &key).unwrap()
}

/// A secure channel to the security domain.
struct Session {
    card: VirtualCard,
    channel: SecureChannel,
}

impl Session {
    fn open(mut card: VirtualCard, level: SecurityLevel) -> Session {
        let selected = send(
            &mut card,
            &Command::new(0, 0xA4, 4, 0).with_data(aid::ISD).with_le(256),
        );
        assert_eq!(selected.sw, Sw::OK);
        let channel = authenticate(&mut card, level, &test_keys(), 0).unwrap();
        Session { card, channel }
    }

    fn send(&mut self, command: &Command) -> Response {
        let wrapped = self.channel.wrap(command).unwrap();
        let response = send(&mut self.card, &wrapped);
        self.channel.unwrap(response).unwrap()
    }

    fn ok(&mut self, command: &Command) -> Vec<u8> {
        let response = self.send(command);
        assert_eq!(
            response.sw,
            Sw::OK,
            "{command:?}: {:?}",
            self.card.take_fault()
        );
        response.data
    }
}

fn authenticate(
    card: &mut VirtualCard,
    level: SecurityLevel,
    keys: &StaticKeys,
    version: u8,
) -> Result<SecureChannel, applet_gen::gp::scp03::ScpError> {
    let request = Request::new(version, Mode::S8, &[0x11; 8]).unwrap();
    let response = send(card, &request.command());
    let pending = request.authenticate(keys, &response, level)?;
    let response = send(card, pending.command());
    pending.complete(&response)
}
