//! A security domain as the host sees it, on any logical channel: plain commands, then commands under
//! SCP03.

use super::attempts::{Attempts, Target, identity};
use super::error::GpError;
use super::plan;
use crate::order::KeySet;
use crate::transport::{CardLink, exchange};
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::registry::{self, KeyInformation, RegistryEntry};
use applet_gen::gp::scp03::{
    CardKeysError, InitializeUpdateResponse, Mode, Request, ScpError, SecureChannel, SecurityLevel,
};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;
use cards::definition::Definition;
use std::ops::ControlFlow;

/// SELECT of the issuer security domain on a card that is CARD_LOCKED: a warning (GPCS table 11-79).
const CARD_LOCKED: Sw = Sw(0x6283);
/// Tag of the key diversification data (GPCS H.1).
const TAG_DIVERSIFICATION: u16 = 0x00CF;

/// Told while a secure channel is opened. Never holds a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// Before the first cryptogram: the key set that will be used.
    KeySet {
        /// Its name.
        name: String,
        /// Key version number.
        kvn: u8,
        /// Key check values of ENC, MAC and DEK in hex.
        check_values: [String; 3],
    },
    /// The card's cryptogram fits the key set; EXTERNAL AUTHENTICATE follows.
    KeysFit,
}

/// How to authenticate.
pub struct Authentication<'a> {
    /// Security level; `None` for the definition's.
    pub level: Option<SecurityLevel>,
    /// The record of tries; `None` only for a virtual card of this process that nobody misses.
    pub attempts: Option<&'a Attempts>,
    /// Fills the host challenge.
    pub random: &'a mut dyn FnMut(&mut [u8]) -> Result<(), String>,
    /// Is told; `Break` stops before the next command.
    pub observer: &'a mut dyn FnMut(&Notice) -> ControlFlow<()>,
}

/// A selected security domain, the issuer's or a supplementary one. `L` is the way to the card, owned or
/// borrowed.
pub struct SecurityDomain<L> {
    link: L,
    aid: Vec<u8>,
    logical: u8,
    /// Most command data bytes of the card's interface.
    limit: usize,
    i: u8,
    level: SecurityLevel,
    secure: Option<SecureChannel>,
    keys: Option<KeySet>,
    diversification: [u8; 10],
    card: Option<String>,
}

impl<L: CardLink> SecurityDomain<L> {
    /// Selects the definition's issuer security domain on the basic channel.
    ///
    /// # Errors
    /// [`GpError`]: the link, or SELECT refused.
    pub fn issuer(link: L, definition: &Definition) -> Result<Self, GpError> {
        Self::select(link, definition, definition.isd.aid.bytes(), 0)
    }

    /// Selects the security domain `aid` on a logical channel, 0 to 19; a channel other than the basic one
    /// is opened first (ISO/IEC 7816-4 11.1.2).
    ///
    /// # Errors
    /// [`GpError`]: the link, no such channel, or SELECT refused.
    pub fn select(
        mut link: L,
        definition: &Definition,
        aid: &[u8],
        logical: u8,
    ) -> Result<Self, GpError> {
        if logical != 0 {
            open_channel(&mut link, logical)?;
        }
        let scp03 = &definition.isd.scp03;
        let limit = plan::command_data(definition, link.longest_data());
        let mut domain = SecurityDomain {
            link,
            aid: aid.to_vec(),
            logical,
            limit,
            i: scp03.i,
            // The definition's check "scp03-level" has been through this value.
            level: SecurityLevel::from_byte(scp03.level).unwrap_or(SecurityLevel::Full),
            secure: None,
            keys: None,
            diversification: [0; 10],
            card: None,
        };
        let name = match aid == definition.isd.aid.bytes() {
            true => "SELECT of the issuer security domain".to_owned(),
            false => format!("SELECT of security domain {}", hex::encode_upper(aid)),
        };
        let answer = domain.exchange(&command::select(aid))?;
        match answer.sw {
            Sw::OK | CARD_LOCKED => Ok(domain),
            sw => Err(GpError::Refused { command: name, sw }),
        }
    }

    /// AID of the domain.
    pub fn aid(&self) -> &[u8] {
        &self.aid
    }

    /// The way to the card, for what does not go to the domain.
    pub fn link_mut(&mut self) -> &mut L {
        &mut self.link
    }

    /// The secure channel is over: something else was selected (Amendment D 6.2.1).
    pub fn leave(&mut self) {
        self.secure = None;
        self.keys = None;
    }

    /// Gives the way to the card back.
    pub fn into_link(self) -> L {
        self.link
    }

    /// Sends a command, under the secure channel if there is one; any status word but 9000 is an error.
    ///
    /// # Errors
    /// [`GpError::Refused`] with the command's name, the link's and the channel's errors.
    pub fn send(&mut self, name: &str, command: &Command) -> Result<Vec<u8>, GpError> {
        let response = self.exchange(command)?;
        match response.sw {
            Sw::OK => Ok(response.data),
            sw => Err(GpError::Refused {
                command: name.to_owned(),
                sw,
            }),
        }
    }

    /// Sends a command on the domain's logical channel, under the secure channel if there is one.
    ///
    /// # Errors
    /// The link's and the channel's errors.
    pub fn exchange(&mut self, command: &Command) -> Result<Response, GpError> {
        let command = command.clone().on_channel(self.logical);
        let Some(secure) = &mut self.secure else {
            return Ok(exchange(&mut self.link, &command)?);
        };
        let scp = |source: ScpError| GpError::Scp {
            set: "of this session".to_owned(),
            source,
        };
        let wrapped = secure.wrap(&command).map_err(|e| scp(e.into()))?;
        let response = exchange(&mut self.link, &wrapped)?;
        secure.unwrap(response).map_err(|e| scp(e.into()))
    }

    /// Opens the secure channel with a named key set: one attempt. With keys that aren't the card's it
    /// ends before EXTERNAL AUTHENTICATE, as it does where a try was spent before.
    ///
    /// # Errors
    /// [`GpError::Scp`], [`GpError::Attempts`], the link's errors.
    pub fn authenticate(
        &mut self,
        set: &KeySet,
        how: &mut Authentication<'_>,
    ) -> Result<(), GpError> {
        let scp = |source: ScpError| GpError::Scp {
            set: set.name.clone(),
            source,
        };
        let mut tell = |notice: Notice| match (how.observer)(&notice) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(GpError::Interrupted),
        };
        let mode = Mode::of_i_parameter(self.i);
        let level = how.level.unwrap_or(self.level);
        let mut challenge = vec![0; mode.length()];
        (how.random)(&mut challenge).map_err(GpError::Random)?;
        let mut cplc = Vec::new();
        if how.attempts.is_some() {
            // Not every card has them, and not every domain tells them.
            let answer = self.exchange(&command::get_data(command::TAG_CPLC))?;
            if answer.sw.is_ok() {
                cplc = answer.data;
            }
        }
        // A channel that is open is over with INITIALIZE UPDATE (Amendment D 6.2.1).
        self.secure = None;
        self.keys = None;
        let request = Request::new(set.kvn, mode, &challenge).map_err(scp)?;
        let answer = self.exchange(&request.command())?;
        let of_keys = |source: CardKeysError| scp(source.into());
        let own = match InitializeUpdateResponse::parse(&answer.data) {
            Ok(card) => {
                self.diversification = card.diversification;
                set.of_card(&card.diversification).map_err(of_keys)?
            }
            // `Request::authenticate` says what is wrong with the answer.
            Err(_) => set.clone(),
        };
        tell(Notice::KeySet {
            name: own.name.clone(),
            kvn: own.kvn,
            check_values: own.check_values().map_err(of_keys)?,
        })?;
        let pending = request
            .authenticate(&*own.keys, &answer, level)
            .map_err(scp)?;
        tell(Notice::KeysFit)?;
        let card = identity(&pending.card().diversification, &cplc);
        let target = Target {
            card: card.clone(),
            domain: hex::encode_upper(&self.aid),
            kvn: pending.card().kvn,
        };
        let check_values = own.check_values().map_err(of_keys)?.join(" ");
        let begin = |attempts: &Attempts| attempts.begin(&target, &own.name, &check_values);
        let begun = how.attempts.map(begin).transpose()?;
        let answer = self.exchange(pending.command())?;
        if let (Some(attempts), Some(begun)) = (how.attempts, begun) {
            attempts.end(&target, begun, answer.sw)?;
        }
        let mut secure = pending.complete(&answer).map_err(scp)?;
        secure.set_limit(self.limit);
        self.secure = Some(secure);
        self.keys = Some(own);
        self.card = Some(card);
        Ok(())
    }

    /// The card's key diversification data, from the last response to INITIALIZE UPDATE.
    pub fn diversification(&self) -> &[u8; 10] {
        &self.diversification
    }

    /// The key set of the open channel, with the card's own keys: PUT KEY encrypts under its Key-DEK.
    pub fn key_set(&self) -> Option<&KeySet> {
        self.keys.as_ref()
    }

    /// What the card of the open channel is known by in the record of attempts.
    pub fn card(&self) -> Option<&str> {
        self.card.as_deref()
    }

    /// Key diversification data (tag CF) in hex, as the domain tells them to anybody.
    ///
    /// # Errors
    /// [`GpError::Refused`] on cards that don't, the link's errors.
    pub fn told_diversification(&mut self) -> Result<String, GpError> {
        let name = "GET DATA (key diversification data)";
        let data = self.send(name, &command::get_data(TAG_DIVERSIFICATION))?;
        let value = tlv::expect(&data, TAG_DIVERSIFICATION.into());
        Ok(value.map_or_else(
            |_| hex::encode_upper(&data),
            |object| hex::encode_upper(object.value),
        ))
    }

    /// The keys that the domain lists (tag E0).
    ///
    /// # Errors
    /// [`GpError::Refused`], [`GpError::Answer`], the link's errors.
    pub fn key_information(&mut self) -> Result<Vec<KeyInformation>, GpError> {
        let name = "GET DATA (key information)";
        let data = self.send(name, &command::get_data(command::TAG_KEY_INFORMATION))?;
        registry::parse_key_information(&data).map_err(|source| GpError::Answer {
            command: name.to_owned(),
            source,
        })
    }

    /// The most command data bytes of one command: the secure channel's limit and the definition's.
    pub fn max_command_data(&self) -> usize {
        match &self.secure {
            None => self.limit,
            Some(secure) => secure.max_command_data(),
        }
    }

    /// The load files with their modules; without them on cards that have no such list.
    ///
    /// # Errors
    /// [`GpError`].
    pub fn load_files(&mut self) -> Result<Vec<RegistryEntry>, GpError> {
        match self.status(StatusKind::LoadFilesAndModules) {
            Err(GpError::Refused { .. }) => self.status(StatusKind::LoadFiles),
            files => files,
        }
    }

    /// The registry's entries of a kind; empty if there are none.
    ///
    /// # Errors
    /// [`GpError`].
    pub fn status(&mut self, kind: StatusKind) -> Result<Vec<RegistryEntry>, GpError> {
        let name = "GET STATUS";
        let mut data = Vec::new();
        let mut next = false;
        // More than a few hundred rounds is a card that never ends.
        for _ in 0..512 {
            let response = self.exchange(&command::get_status(kind, &[], next))?;
            data.extend(response.data);
            match response.sw {
                Sw::OK | Sw::REFERENCED_DATA_NOT_FOUND => break,
                Sw::MORE_DATA_AVAILABLE => next = true,
                sw => {
                    return Err(GpError::Refused {
                        command: name.to_owned(),
                        sw,
                    });
                }
            }
        }
        registry::parse_status(&data).map_err(|source| GpError::Answer {
            command: name.to_owned(),
            source,
        })
    }
}

/// MANAGE CHANNEL, open, for this very number; cards that only assign numbers themselves are asked for
/// one, which has to be it.
fn open_channel(link: &mut dyn CardLink, number: u8) -> Result<(), GpError> {
    let named = Command::new(0x00, 0x70, 0x00, number);
    let refused = |problem: String| GpError::Channel {
        asked: number,
        problem,
    };
    let answer = exchange(link, &named)?;
    if answer.sw.is_ok() {
        return Ok(());
    }
    let assigned = exchange(link, &Command::new(0x00, 0x70, 0x00, 0x00).with_le(1))?;
    match (assigned.sw.is_ok(), assigned.data.first()) {
        (true, Some(given)) if *given == number => Ok(()),
        (true, Some(given)) => {
            exchange(link, &Command::new(0x00, 0x70, 0x80, *given))?;
            Err(refused(format!(
                "MANAGE CHANNEL was answered with {}; the card assigns numbers itself, the next is {given}",
                answer.sw
            )))
        }
        _ => Err(refused(format!(
            "MANAGE CHANNEL was answered with {}; the card gives no channel",
            answer.sw
        ))),
    }
}
