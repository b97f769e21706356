//! The card as its users meet it: APDUs in, APDUs out.

mod channels;
mod delegation;
mod domain;
mod files;
mod interface;
mod oddities;
mod security_domains;
mod storing;
mod toolkit;

use super::{CardConfig, VirtualCard};
use crate::definition::Definition;
use crate::euicc::{Eid, EuiccConfig};
use applet_gen::gp::command::{Install, SSD_MODULE, SSD_PACKAGE};
use applet_gen::gp::privilege::Privilege;
use applet_gen::gp::put_key::put_key_set;
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

/// A secure channel to a security domain on a logical channel.
struct Link {
    number: u8,
    channel: SecureChannel,
}

impl Link {
    /// Opens the logical channel, selects the domain and authenticates.
    fn open(
        card: &mut VirtualCard,
        number: u8,
        aid: &[u8],
        keys: &StaticKeys,
        version: u8,
    ) -> Result<Link, applet_gen::gp::scp03::ScpError> {
        if number > 0 {
            send(card, &Command::new(0, 0x70, 0, number));
        }
        let select = Command::new(number, 0xA4, 4, 0).with_data(aid).with_le(256);
        assert_eq!(send(card, &select).sw, Sw::OK);
        let request = Request::new(version, Mode::S8, &[0x22; 8]).unwrap();
        let on = |command: &Command| Command {
            cla: command.cla | number,
            ..command.clone()
        };
        let response = send(card, &on(&request.command()));
        let pending = request.authenticate(keys, &response, SecurityLevel::CMac)?;
        let response = send(card, &on(pending.command()));
        let channel = pending.complete(&response)?;
        Ok(Link { number, channel })
    }

    fn send(&mut self, card: &mut VirtualCard, command: &Command) -> Response {
        let mut wrapped = self.channel.wrap(command).unwrap();
        wrapped.cla |= self.number;
        let response = send(card, &wrapped);
        self.channel.unwrap(response).unwrap()
    }

    fn ok(&mut self, card: &mut VirtualCard, command: &Command) -> Vec<u8> {
        let response = self.send(card, command);
        assert_eq!(response.sw, Sw::OK, "{command:?}: {:?}", card.take_fault());
        response.data
    }
}

/// Three different keys of 16 bytes.
fn keys_of(n: u8) -> StaticKeys {
    StaticKeys::new(&[n; 16], &[n + 1; 16], &[n + 2; 16]).unwrap()
}

/// A supplementary security domain's AID.
fn domain_aid(n: u8) -> Vec<u8> {
    vec![0xA0, 0, 0, 1, 0x51, 0x53, 0x44, n]
}

/// INSTALL of a supplementary security domain.
fn install_domain(n: u8, privileges: &[Privilege]) -> Command {
    let mut all = vec![Privilege::SecurityDomain];
    all.extend(privileges);
    Install {
        package: &SSD_PACKAGE,
        module: &SSD_MODULE,
        instance: &domain_aid(n),
        privileges: Privilege::bytes(&all),
        parameters: &[0xC9, 0],
        token: &[],
    }
    .for_install_and_make_selectable()
}

/// A card with supplementary domain `n`, which has key set 31 (`keys_of(n)`), and the session with the issuer's.
fn with_domain(n: u8, privileges: &[Privilege]) -> Session {
    let mut session = Session::open(card(), SecurityLevel::CMac);
    add_domain(&mut session, n, privileges);
    session
}

fn add_domain(session: &mut Session, n: u8, privileges: &[Privilege]) {
    session.ok(&install_domain(n, privileges));
    let card = &mut session.card;
    // Its first keys come under those of the domain above.
    let mut link = Link::open(card, 3, &domain_aid(n), &test_keys(), 0).unwrap();
    link.ok(
        card,
        &put_key_set(0, 0x31, &keys_of(n), &test_keys()).unwrap(),
    );
    send(card, &Command::new(0, 0x70, 0x80, 3));
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
