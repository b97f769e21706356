//! A secure channel session of SCP03 on the card (Amendment D 6): INITIALIZE UPDATE, EXTERNAL
//! AUTHENTICATE, secure messaging. The cryptography is `applet_gen::gp::scp03`, the card's side.

use super::Stop;
use super::domain::Domain;
use crate::power::Nvm;
use applet_gen::gp::scp03::{
    CardParameters, CardPending, Mode, SecurityLevel, Session, pseudo_random_challenge,
};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

/// A session on a logical channel. It ends when another application is selected there, with the channel,
/// and at the first wrong message.
#[derive(Debug, Clone)]
pub struct SecureChannel {
    /// Key version number of the static keys.
    pub version: u8,
    state: State,
}

#[derive(Debug, Clone)]
enum State {
    Pending(Box<CardPending>),
    Open(Box<Session>),
}

impl SecureChannel {
    /// The level that was agreed on; `None` before EXTERNAL AUTHENTICATE.
    pub fn level(&self) -> Option<SecurityLevel> {
        match &self.state {
            State::Pending(_) => None,
            State::Open(session) => Some(session.level()),
        }
    }

    /// Checks and decrypts a command as the level asks. An error ends the session: the caller drops it.
    ///
    /// # Errors
    /// 6982: no MAC where one must be, a wrong one, or wrong padding.
    pub fn unwrap(&mut self, command: &Command) -> Result<Command, Sw> {
        match &mut self.state {
            State::Pending(_) => Err(Sw::SECURITY_NOT_SATISFIED),
            State::Open(session) => session
                .unwrap_command(command)
                .map_err(|_| Sw::SECURITY_NOT_SATISFIED),
        }
    }

    /// Protects a response as the level asks.
    pub fn wrap(&mut self, response: Response) -> Response {
        match &mut self.state {
            State::Pending(_) => response,
            State::Open(session) => session.wrap_response(response),
        }
    }
}

impl Domain {
    /// INITIALIZE UPDATE (Amendment D 7.1.1): P1 is the key version, 0 for the first set. `aid` is the
    /// application that the channel has selected, `random` serves cards whose challenge is random.
    pub(crate) fn initialize_update(
        &mut self,
        command: &Command,
        aid: &[u8],
        random: [u8; 16],
        nvm: &mut Nvm,
    ) -> Result<(Response, SecureChannel), Stop> {
        if self.tries_left() == 0 {
            return Err(Sw::AUTHENTICATION_BLOCKED.into());
        }
        if command.p2 != 0 {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let (i, diversification) = (self.i, self.diversification);
        let mode = Mode::of_i_parameter(i);
        if command.data.len() != mode.length() {
            return Err(Sw::WRONG_LENGTH.into());
        }
        let version = self
            .key_set(command.p1)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?
            .version;
        let set = self
            .keys
            .iter_mut()
            .find(|set| set.version == version)
            .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        let keys = set.to_static()?;
        let (card_challenge, sequence_counter) = if i & 0x10 != 0 {
            // The counter counts challenges, and is durable before one is given out (6.2.2.1).
            let next = set.counter.wrapping_add(1) & 0x00FF_FFFF;
            nvm.commit()?;
            set.counter = next;
            let [_, a, b, c] = next.to_be_bytes();
            (
                pseudo_random_challenge(&keys, mode, [a, b, c], aid)
                    .map_err(|_| Sw::REFERENCED_DATA_INVALIDATED)?,
                Some([a, b, c]),
            )
        } else {
            (random[..mode.length()].to_vec(), None)
        };
        let card = CardParameters {
            diversification,
            kvn: version,
            i,
            card_challenge,
            sequence_counter,
        };
        let (answer, pending) = CardPending::initialize_update(&keys, card, &command.data)
            .map_err(|_| Sw::REFERENCED_DATA_INVALIDATED)?;
        let channel = SecureChannel {
            version,
            state: State::Pending(Box::new(pending)),
        };
        Ok((Response::ok(answer.to_bytes()), channel))
    }

    /// EXTERNAL AUTHENTICATE (Amendment D 7.1.2) for the session that INITIALIZE UPDATE began. Failures count,
    /// durably and before the answer, until the domain is blocked (6983).
    pub(crate) fn external_authenticate(
        &mut self,
        command: &Command,
        channel: SecureChannel,
        nvm: &mut Nvm,
    ) -> Result<SecureChannel, Stop> {
        let State::Pending(pending) = channel.state else {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        };
        if self.tries_left() == 0 {
            return Err(Sw::AUTHENTICATION_BLOCKED.into());
        }
        match pending.external_authenticate(command) {
            Ok(session) => {
                if self.failures != 0 {
                    nvm.commit()?;
                    self.failures = 0;
                }
                Ok(SecureChannel {
                    version: channel.version,
                    state: State::Open(Box::new(session)),
                })
            }
            Err(sw) => {
                if matches!(sw, Sw::AUTHENTICATION_FAILED | Sw::SECURITY_NOT_SATISFIED) {
                    nvm.commit()?;
                    self.failures = self.failures.saturating_add(1);
                }
                Err(sw.into())
            }
        }
    }
}
