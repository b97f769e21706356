//! A secure channel session of SCP03 on the card (Amendment D 6): INITIALIZE UPDATE, EXTERNAL
//! AUTHENTICATE, secure messaging. The cryptography is `applet_gen::gp::scp03`, the card's side.

use super::Stop;
use super::domain::Domain;
use super::open::Open;
use super::registry::Aid;
use crate::power::Nvm;
use applet_gen::gp::scp03::{
    CardParameters, CardPending, Mode, SecurityLevel, Session, pseudo_random_challenge,
};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

/// The last value of a sequence counter: no challenge comes after it (Amendment D 6.2.2.1).
const LAST_COUNT: u32 = 0x00FF_FFFF;

/// A session on a logical channel. It ends when another application is selected there, with the channel,
/// and at the first wrong message.
#[derive(Debug, Clone)]
pub struct SecureChannel {
    /// The domain whose keys they are, and their key version number.
    pub(crate) keys: (Aid, u8),
    state: State,
    /// The level that EXTERNAL AUTHENTICATE agreed on, while an R-MAC session goes beyond it.
    agreed: Option<SecurityLevel>,
    /// The "i" parameter: what an R-MAC session may ask for.
    i: u8,
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

impl SecureChannel {
    /// BEGIN R-MAC SESSION (Amendment D 7.1.3): more protection for the responses after this command's. 6985
    /// leaves the session as it is.
    pub(crate) fn begin_r_mac(&mut self, command: &Command) -> Result<SecurityLevel, Sw> {
        let level = self.level().ok_or(Sw::CONDITIONS_NOT_SATISFIED)?;
        if command.p2 != 0x01 || !matches!(command.p1, 0x10 | 0x30) {
            return Err(Sw::INCORRECT_P1_P2);
        }
        // The data is a field with its length, which is not looked at: it goes into the MAC.
        match command.data.split_first() {
            None => {}
            Some((length, rest)) if usize::from(*length) == rest.len() => {}
            Some(_) => return Err(Sw::WRONG_DATA),
        }
        let encrypted = command.p1 == 0x30;
        let refused = self.agreed.is_some()
            || level.r_enc()
            || !level.c_mac()
            || if encrypted {
                !level.c_dec()
            } else {
                level.r_mac()
            };
        let able = self.i & 0x20 != 0 && (!encrypted || self.i & 0x40 != 0);
        if refused || !able {
            return Err(Sw::CONDITIONS_NOT_SATISFIED);
        }
        SecurityLevel::from_byte(level as u8 | command.p1).ok_or(Sw::CONDITIONS_NOT_SATISFIED)
    }

    /// The R-MAC session begins: for the responses from the next on.
    pub(crate) fn raise(&mut self, level: SecurityLevel) {
        if let State::Open(session) = &mut self.state {
            self.agreed = Some(session.level());
            session.set_level(level);
        }
    }

    /// END R-MAC SESSION (Amendment D 7.1.4), whose own response is still protected: see
    /// [`SecureChannel::lower`].
    pub(crate) fn end_r_mac(&self, command: &Command) -> Result<(), Sw> {
        match (command.p1, command.p2) {
            (0x00, 0x03) if self.agreed.is_some() => Ok(()),
            (0x00, 0x03) => Err(Sw::CONDITIONS_NOT_SATISFIED),
            _ => Err(Sw::INCORRECT_P1_P2),
        }
    }

    /// The R-MAC session is over: back to the level that was agreed on.
    pub(crate) fn lower(&mut self) {
        if let (State::Open(session), Some(level)) = (&mut self.state, self.agreed.take()) {
            session.set_level(level);
        }
    }
}

impl Open {
    /// INITIALIZE UPDATE (Amendment D 7.1.1) to the domain `on`: P1 is the key version, 0 for the first set.
    /// `random` serves cards whose challenge is random.
    ///
    /// A domain without keys answers with those of the domain above it, if the card is made so.
    pub(crate) fn initialize_update(
        &mut self,
        on: &Aid,
        command: &Command,
        random: [u8; 16],
        nvm: &mut Nvm,
    ) -> Result<(Response, SecureChannel), Stop> {
        let mut owner = on.clone();
        let inherits = self
            .rules
            .domains
            .as_ref()
            .is_some_and(|rules| rules.parent_keys);
        while inherits && !self.domain(&owner)?.has_channel_keys() {
            let above = self.registry.domain_of(&owner).cloned();
            owner = above.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        }
        self.domain_mut(&owner)?
            .initialize_update(on, command, random, nvm)
    }

    /// EXTERNAL AUTHENTICATE (Amendment D 7.1.2), judged by the domain whose keys the session has.
    pub(crate) fn external_authenticate(
        &mut self,
        command: &Command,
        channel: SecureChannel,
        nvm: &mut Nvm,
    ) -> Result<SecureChannel, Stop> {
        let owner = channel.keys.0.clone();
        self.domain_mut(&owner)?
            .external_authenticate(command, channel, nvm)
    }
}

impl Domain {
    fn initialize_update(
        &mut self,
        on: &Aid,
        command: &Command,
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
        let keys = set.to_static().ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
        let (card_challenge, sequence_counter) = if i & 0x10 != 0 {
            // The counter counts challenges, and is durable before one is given out (6.2.2.1).
            let next = set.counter.saturating_add(1);
            if next > LAST_COUNT {
                return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
            }
            nvm.commit()?;
            set.counter = next;
            let [_, a, b, c] = next.to_be_bytes();
            (
                pseudo_random_challenge(&keys, mode, [a, b, c], on.bytes())
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
            keys: (self.aid.clone(), version),
            state: State::Pending(Box::new(pending)),
            agreed: None,
            i,
        };
        Ok((Response::ok(answer.to_bytes()), channel))
    }

    /// Failures count, durably and before the answer, until the domain is blocked (6983).
    fn external_authenticate(
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
                    state: State::Open(Box::new(session)),
                    ..channel
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
