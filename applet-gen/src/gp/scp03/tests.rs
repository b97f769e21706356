//! What the two ends do when something is wrong, and that they agree when nothing is.

use super::*;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use proptest::prelude::*;

const LEVELS: [u8; 6] = [0x00, 0x01, 0x03, 0x11, 0x13, 0x33];

fn keys(fill: u8, length: usize) -> StaticKeys {
    let key = |n: u8| vec![fill.wrapping_add(n); length];
    StaticKeys::new(&key(0), &key(1), &key(2)).unwrap()
}

fn parameters(mode: Mode) -> CardParameters {
    CardParameters {
        diversification: [7; 10],
        kvn: 0x30,
        i: if mode == Mode::S8 { 0x70 } else { 0x71 },
        card_challenge: vec![0xC4; mode.length()],
        sequence_counter: Some([0, 0, 9]),
    }
}

fn handshake(
    host: &StaticKeys,
    card: &StaticKeys,
    mode: Mode,
    level: SecurityLevel,
) -> Result<(SecureChannel, Session), ScpError> {
    let challenge = vec![0xAA; mode.length()];
    let request = Request::new(0x30, mode, &challenge)?;
    let (answer, card) = CardPending::initialize_update(card, parameters(mode), &challenge)?;
    let pending = request.authenticate(host, &Response::ok(answer.to_bytes()), level)?;
    match card.external_authenticate(pending.command()) {
        Ok(session) => Ok((pending.complete(&Response::status(Sw::OK))?, session)),
        Err(sw) => Err(ScpError::NotAuthenticated(sw)),
    }
}

#[test]
fn wrong_keys_stop_before_external_authenticate() {
    let request = Request::new(0x30, Mode::S8, &[1; 8]).unwrap();
    let (answer, _) =
        CardPending::initialize_update(&keys(1, 16), parameters(Mode::S8), &[1; 8]).unwrap();
    let error = request
        .authenticate(
            &keys(2, 16),
            &Response::ok(answer.to_bytes()),
            SecurityLevel::CMac,
        )
        .unwrap_err();
    assert_eq!(error, ScpError::WrongCryptogram { kvn: 0x30 });
    assert!(
        error
            .to_string()
            .contains("EXTERNAL AUTHENTICATE was not sent")
    );
}

#[test]
fn the_card_refuses_a_foreign_host() {
    let (_, card) =
        CardPending::initialize_update(&keys(1, 16), parameters(Mode::S8), &[1; 8]).unwrap();
    let command = Command::new(0x84, 0x82, 0x01, 0).with_data(vec![0; 16]);
    assert_eq!(
        card.clone().external_authenticate(&command).unwrap_err(),
        Sw::SECURITY_NOT_SATISFIED
    );
    let command = Command::new(0x84, 0x82, 0x02, 0).with_data(vec![0; 16]);
    assert_eq!(
        card.external_authenticate(&command).unwrap_err(),
        Sw::INCORRECT_P1_P2
    );
}

#[test]
fn a_card_without_response_security_is_named() {
    let request = Request::new(0x30, Mode::S8, &[1; 8]).unwrap();
    let mut told = parameters(Mode::S8);
    told.i = 0x10;
    let (answer, _) = CardPending::initialize_update(&keys(1, 16), told, &[1; 8]).unwrap();
    let error = request
        .authenticate(
            &keys(1, 16),
            &Response::ok(answer.to_bytes()),
            SecurityLevel::Full,
        )
        .unwrap_err();
    assert_eq!(
        error,
        ScpError::Level {
            i: 0x10,
            level: SecurityLevel::Full
        }
    );
}

#[test]
fn a_command_that_was_left_out_or_doubled_is_noticed() {
    let k = keys(3, 32);
    let (mut host, mut card) = handshake(&k, &k, Mode::S8, SecurityLevel::CMac).unwrap();
    let first = host.wrap(&Command::new(0x80, 0xF2, 0x40, 0)).unwrap();
    let second = host.wrap(&Command::new(0x80, 0xF2, 0x20, 0)).unwrap();
    assert_eq!(
        card.clone().unwrap_command(&second).unwrap_err(),
        SmError::WrongMac
    );
    card.unwrap_command(&first).unwrap();
    assert_eq!(card.unwrap_command(&first).unwrap_err(), SmError::WrongMac);
}

#[test]
fn logical_channels_keep_their_number() {
    let k = keys(3, 16);
    for (plain, secured) in [(0x81u8, 0x85u8), (0xC2, 0xE2)] {
        let (mut host, mut card) = handshake(&k, &k, Mode::S8, SecurityLevel::Full).unwrap();
        let command = Command::new(plain, 0xE2, 0x90, 0).with_data([1, 2, 3]);
        let wrapped = host.wrap(&command).unwrap();
        assert_eq!(wrapped.cla, secured);
        assert_eq!(card.unwrap_command(&wrapped).unwrap(), command);
    }
}

#[test]
fn errors_come_back_bare() {
    let k = keys(3, 16);
    let (mut host, mut card) = handshake(&k, &k, Mode::S8, SecurityLevel::Full).unwrap();
    let bare = card.wrap_response(Response::status(Sw::NOT_FOUND));
    assert_eq!(bare, Response::status(Sw::NOT_FOUND));
    assert_eq!(host.unwrap(bare.clone()).unwrap(), bare);
    assert_eq!(
        host.unwrap(Response::status(Sw::OK)).unwrap_err(),
        SmError::MissingMac(SecurityLevel::Full)
    );
}

proptest! {
    #[test]
    fn both_ends_agree(
        length in prop::sample::select(vec![16usize, 24, 32]),
        mode in prop::sample::select(vec![Mode::S8, Mode::S16]),
        level in prop::sample::select(LEVELS.to_vec()),
        messages in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..240), prop::collection::vec(any::<u8>(), 0..240)), 1..5),
    ) {
        let level = SecurityLevel::from_byte(level).unwrap();
        let k = keys(9, length);
        let (mut host, mut card) = handshake(&k, &k, mode, level).unwrap();
        for (mut data, mut answer) in messages {
            data.truncate(host.max_command_data());
            answer.truncate(card.max_response_data());
            let command = Command::new(0x80, 0xE2, 0, 1).with_data(data);
            let wrapped = host.wrap(&command).unwrap();
            prop_assert!(wrapped.data.len() <= 255);
            prop_assert_eq!(card.unwrap_command(&wrapped).unwrap(), command);
            let response = Response::ok(answer);
            let wrapped = card.wrap_response(response.clone());
            prop_assert!(wrapped.data.len() <= 256);
            prop_assert_eq!(host.unwrap(wrapped).unwrap(), response);
        }
    }

    #[test]
    fn garbage_never_opens_anything(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = InitializeUpdateResponse::parse(&bytes);
        let k = keys(9, 16);
        let (mut host, mut card) = handshake(&k, &k, Mode::S8, SecurityLevel::Full).unwrap();
        prop_assert!(host.unwrap(Response::ok(bytes.clone())).is_err());
        prop_assert!(card.unwrap_command(&Command::new(0x84, 0xE2, 0, 0).with_data(bytes)).is_err());
    }
}
