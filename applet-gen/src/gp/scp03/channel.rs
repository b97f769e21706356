//! The host's way into a secure channel: INITIALIZE UPDATE, compare, EXTERNAL AUTHENTICATE.
//!
//! The steps are types, so that none can be left out: a [`Request`] gives INITIALIZE UPDATE; its
//! response is compared with the card cryptogram that the keys would give; only if it fits is
//! there a [`Pending`] with the EXTERNAL AUTHENTICATE to send. A card counts failed EXTERNAL
//! AUTHENTICATE commands and blocks: with the wrong keys it never sees one, and nothing here
//! tries again on its own.

use super::Mode;
use super::derive::SessionKeys;
use super::keys::{CardKeys, CardKeysError};
use super::session::{SecurityLevel, Session, SmError};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use subtle::ConstantTimeEq;

/// INITIALIZE UPDATE.
pub const INS_INITIALIZE_UPDATE: u8 = 0x50;
/// EXTERNAL AUTHENTICATE.
pub const INS_EXTERNAL_AUTHENTICATE: u8 = 0x82;

/// Why a secure channel didn't come to be or was lost.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScpError {
    /// The host challenge's length is not the mode's.
    #[error("the host challenge has {got} bytes, {expected} are needed")]
    ChallengeLength {
        /// Bytes of the mode.
        expected: usize,
        /// Bytes given.
        got: usize,
    },
    /// INITIALIZE UPDATE was answered with an error.
    #[error("INITIALIZE UPDATE with key version {kvn:02X} was answered with {sw}")]
    Refused {
        /// Key version number in the command.
        kvn: u8,
        /// Status word.
        sw: Sw,
    },
    /// The response to INITIALIZE UPDATE has another length than SCP03's.
    #[error(
        "the response to INITIALIZE UPDATE has {0} bytes, SCP03 has 29 or 32 (S8), 45 or 48 (S16)"
    )]
    ResponseLength(usize),
    /// The card speaks another secure channel protocol with this key set.
    #[error("the card's key version {kvn:02X} is for SCP{scp:02X}, not SCP03")]
    Protocol {
        /// Key version number that the card reports.
        kvn: u8,
        /// Protocol that the card reports.
        scp: u8,
    },
    /// The card used another key version than the one asked for.
    #[error("key version {asked:02X} was asked for, the card answered with {got:02X}")]
    KeyVersion {
        /// In the command.
        asked: u8,
        /// In the response.
        got: u8,
    },
    /// The card's "i" parameter excludes what the security level asks for.
    #[error("the card's parameter i={i:02X} has no support for {level}")]
    Level {
        /// The card's parameter.
        i: u8,
        /// The level asked for.
        level: SecurityLevel,
    },
    /// The card cryptogram doesn't fit: the keys are not this card's.
    #[error(
        "the card's cryptogram does not fit the keys for key version {kvn:02X}: these are not this card's keys. \
         EXTERNAL AUTHENTICATE was not sent, no try of the card was used up"
    )]
    WrongCryptogram {
        /// Key version number.
        kvn: u8,
    },
    /// The card refused the host cryptogram although its own was right.
    #[error("EXTERNAL AUTHENTICATE was answered with {0}; it is not tried again")]
    NotAuthenticated(Sw),
    /// Secure messaging failed.
    #[error(transparent)]
    Messaging(#[from] SmError),
    /// The keys can't be used.
    #[error(transparent)]
    Keys(#[from] CardKeysError),
}

/// The response to INITIALIZE UPDATE (Amendment D table 7-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitializeUpdateResponse {
    /// Key diversification data.
    pub diversification: [u8; 10],
    /// Key version number of the key set that the card chose.
    pub kvn: u8,
    /// Secure channel protocol: 3.
    pub scp: u8,
    /// The "i" parameter (Amendment D table 5-1).
    pub i: u8,
    /// Card challenge, 8 or 16 bytes.
    pub card_challenge: Vec<u8>,
    /// Card cryptogram, as long as the challenge.
    pub card_cryptogram: Vec<u8>,
    /// Sequence counter, present with pseudo-random challenges.
    pub sequence_counter: Option<[u8; 3]>,
}

impl InitializeUpdateResponse {
    /// Reads the response data.
    ///
    /// # Errors
    /// [`ScpError::ResponseLength`], or [`ScpError::Protocol`] if the card answers for another protocol.
    pub fn parse(data: &[u8]) -> Result<Self, ScpError> {
        let wrong = || ScpError::ResponseLength(data.len());
        let (diversification, rest) = data.split_first_chunk::<10>().ok_or_else(wrong)?;
        let ([kvn, scp], rest) = rest.split_first_chunk::<2>().ok_or_else(wrong)?;
        if *scp != 3 {
            return Err(ScpError::Protocol {
                kvn: *kvn,
                scp: *scp,
            });
        }
        let (i, rest) = rest.split_first().ok_or_else(wrong)?;
        let length = match rest.len() {
            16 | 19 => 8,
            32 | 35 => 16,
            _ => return Err(wrong()),
        };
        let (card_challenge, rest) = rest.split_at(length);
        let (card_cryptogram, counter) = rest.split_at(length);
        Ok(InitializeUpdateResponse {
            diversification: *diversification,
            kvn: *kvn,
            scp: *scp,
            i: *i,
            card_challenge: card_challenge.to_vec(),
            card_cryptogram: card_cryptogram.to_vec(),
            sequence_counter: counter.first_chunk::<3>().copied(),
        })
    }

    /// The bytes, as the card sends them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = self.diversification.to_vec();
        out.extend([self.kvn, self.scp, self.i]);
        out.extend(&self.card_challenge);
        out.extend(&self.card_cryptogram);
        out.extend(self.sequence_counter.iter().flatten());
        out
    }
}

/// The beginning: which key set, which challenge.
#[derive(Debug, Clone)]
pub struct Request {
    kvn: u8,
    mode: Mode,
    host_challenge: Vec<u8>,
}

impl Request {
    /// A request for key version `kvn` (0: the card's first); the challenge has the mode's length.
    ///
    /// # Errors
    /// [`ScpError::ChallengeLength`].
    pub fn new(kvn: u8, mode: Mode, host_challenge: &[u8]) -> Result<Self, ScpError> {
        if host_challenge.len() != mode.length() {
            return Err(ScpError::ChallengeLength {
                expected: mode.length(),
                got: host_challenge.len(),
            });
        }
        Ok(Request {
            kvn,
            mode,
            host_challenge: host_challenge.to_vec(),
        })
    }

    /// INITIALIZE UPDATE (Amendment D 7.1.1).
    pub fn command(&self) -> Command {
        Command::new(0x80, INS_INITIALIZE_UPDATE, self.kvn, 0)
            .with_data(self.host_challenge.clone())
            .with_le(256)
    }

    /// Compares the card's cryptogram and prepares EXTERNAL AUTHENTICATE for this level. A set that comes
    /// from a master key is made the card's own first, by the diversification data in the response.
    ///
    /// # Errors
    /// [`ScpError`]; in particular [`ScpError::WrongCryptogram`], after which nothing is sent.
    pub fn authenticate(
        self,
        keys: &dyn CardKeys,
        response: &Response,
        level: SecurityLevel,
    ) -> Result<Pending, ScpError> {
        if response.sw != Sw::OK {
            return Err(ScpError::Refused {
                kvn: self.kvn,
                sw: response.sw,
            });
        }
        let card = InitializeUpdateResponse::parse(&response.data)?;
        if self.kvn != 0 && card.kvn != self.kvn {
            return Err(ScpError::KeyVersion {
                asked: self.kvn,
                got: card.kvn,
            });
        }
        if card.card_challenge.len() != self.mode.length() {
            return Err(ScpError::ResponseLength(response.data.len()));
        }
        if level.r_mac() && card.i & 0x20 == 0 || level.r_enc() && card.i & 0x60 != 0x60 {
            return Err(ScpError::Level { i: card.i, level });
        }
        let own = keys.of_card(&card.diversification)?;
        let session_keys = SessionKeys::derive(
            own.as_deref().unwrap_or(keys),
            self.mode,
            &self.host_challenge,
            &card.card_challenge,
        )?;
        if !bool::from(session_keys.card_cryptogram().ct_eq(&card.card_cryptogram)) {
            return Err(ScpError::WrongCryptogram { kvn: card.kvn });
        }
        let mut session = Session::new(session_keys);
        let command = Command::new(0x80, INS_EXTERNAL_AUTHENTICATE, level as u8, 0)
            .with_data(session.keys().host_cryptogram());
        let command = session.wrap_command(&command)?;
        Ok(Pending {
            session,
            level,
            command,
            card,
        })
    }
}

/// The card's cryptogram was right; EXTERNAL AUTHENTICATE is still to be sent.
#[derive(Debug)]
pub struct Pending {
    session: Session,
    level: SecurityLevel,
    command: Command,
    card: InitializeUpdateResponse,
}

impl Pending {
    /// EXTERNAL AUTHENTICATE (Amendment D 7.1.2). To be sent once.
    pub fn command(&self) -> &Command {
        &self.command
    }

    /// What the card said of itself.
    pub fn card(&self) -> &InitializeUpdateResponse {
        &self.card
    }

    /// The channel, if the card accepted.
    ///
    /// # Errors
    /// [`ScpError::NotAuthenticated`].
    pub fn complete(self, response: &Response) -> Result<SecureChannel, ScpError> {
        if response.sw != Sw::OK {
            return Err(ScpError::NotAuthenticated(response.sw));
        }
        Ok(self.assume_accepted())
    }

    /// The channel without a card's answer: for scripts made before the card is there.
    pub fn assume_accepted(self) -> SecureChannel {
        let mut session = self.session;
        session.restart_counter();
        session.set_level(self.level);
        SecureChannel {
            session,
            card: self.card,
        }
    }
}

/// An open secure channel, host side.
#[derive(Debug)]
pub struct SecureChannel {
    session: Session,
    card: InitializeUpdateResponse,
}

impl SecureChannel {
    /// Wraps a command.
    ///
    /// # Errors
    /// [`SmError::TooLong`].
    pub fn wrap(&mut self, command: &Command) -> Result<Command, SmError> {
        self.session.wrap_command(command)
    }

    /// Unwraps the response to the command wrapped last.
    ///
    /// # Errors
    /// [`SmError`]: the answer can't be trusted, the channel is to be given up.
    pub fn unwrap(&mut self, response: Response) -> Result<Response, SmError> {
        self.session.unwrap_response(response)
    }

    /// Sets the level after the response to BEGIN R-MAC SESSION or END R-MAC SESSION (Amendment D 7.1.3, 7.1.4).
    pub fn set_level(&mut self, level: SecurityLevel) {
        self.session.set_level(level);
    }

    /// What the card said of itself in INITIALIZE UPDATE.
    pub fn card(&self) -> &InitializeUpdateResponse {
        &self.card
    }

    /// Commands may carry so many data bytes, secure messaging included (see [`Session::set_limit`]).
    pub fn set_limit(&mut self, limit: usize) {
        self.session.set_limit(limit);
    }

    /// The most command data bytes of an APDU.
    pub fn max_command_data(&self) -> usize {
        self.session.max_command_data()
    }

    /// The security level.
    pub fn level(&self) -> SecurityLevel {
        self.session.level()
    }
}
