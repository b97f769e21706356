//! The issuer security domain as the host sees it: plain commands, then commands under SCP03.

use super::error::PersonalizeError;
use super::{Event, Observer, Options, emit};
use crate::order::KeySet;
use crate::transport::{CardLink, exchange};
use applet_gen::gp::command::{self, StatusKind};
use applet_gen::gp::registry::{self, RegistryEntry};
use applet_gen::gp::scp03::{Mode, Request, ScpError, SecureChannel, SecurityLevel};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use cards::definition::Definition;

/// A selected issuer security domain.
pub struct Isd<'a> {
    link: &'a mut dyn CardLink,
    channel: Option<SecureChannel>,
}

impl<'a> Isd<'a> {
    /// Selects the issuer security domain on the basic channel.
    ///
    /// # Errors
    /// [`PersonalizeError`]: the link, or SELECT refused.
    pub fn select(
        link: &'a mut dyn CardLink,
        definition: &Definition,
    ) -> Result<Self, PersonalizeError> {
        let mut isd = Isd {
            link,
            channel: None,
        };
        let select = command::select(definition.isd.aid.bytes());
        isd.send("SELECT of the issuer security domain", &select)?;
        Ok(isd)
    }

    /// Sends a command, under the secure channel if there is one; any status word but 9000 is an error.
    ///
    /// # Errors
    /// [`PersonalizeError::Refused`] with the command's name, the link's and the channel's errors.
    pub fn send(&mut self, name: &str, command: &Command) -> Result<Vec<u8>, PersonalizeError> {
        let response = self.exchange(command)?;
        match response.sw {
            Sw::OK => Ok(response.data),
            sw => Err(PersonalizeError::Refused {
                command: name.to_owned(),
                sw,
            }),
        }
    }

    /// Sends a command, under the secure channel if there is one.
    ///
    /// # Errors
    /// The link's and the channel's errors.
    pub fn exchange(&mut self, command: &Command) -> Result<Response, PersonalizeError> {
        let Some(channel) = &mut self.channel else {
            return Ok(exchange(self.link, command)?);
        };
        let set = || "of this session".to_owned();
        let wrapped = channel.wrap(command).map_err(|e| PersonalizeError::Scp {
            set: set(),
            source: e.into(),
        })?;
        let response = exchange(self.link, &wrapped)?;
        channel.unwrap(response).map_err(|e| PersonalizeError::Scp {
            set: set(),
            source: e.into(),
        })
    }

    /// Opens the secure channel with a named key set: one attempt. With keys that aren't the card's it
    /// ends before EXTERNAL AUTHENTICATE.
    ///
    /// # Errors
    /// [`PersonalizeError::Scp`].
    pub fn authenticate(
        &mut self,
        set: &KeySet,
        definition: &Definition,
        options: &mut Options,
        observer: &mut Observer<'_>,
    ) -> Result<(), PersonalizeError> {
        let scp = |source: ScpError| PersonalizeError::Scp {
            set: set.name.clone(),
            source,
        };
        emit(
            observer,
            Event::KeySet {
                name: set.name.clone(),
                kvn: set.kvn,
                check_values: set.keys.check_values().map(hex::encode_upper),
            },
        )?;
        let mode = Mode::of_i_parameter(definition.isd.scp03.i);
        // The definition's check "scp03-level" has been through this value.
        let level =
            SecurityLevel::from_byte(definition.isd.scp03.level).unwrap_or(SecurityLevel::Full);
        let mut challenge = vec![0; mode.length()];
        (options.random)(&mut challenge).map_err(PersonalizeError::Random)?;
        let request = Request::new(set.kvn, mode, &challenge).map_err(scp)?;
        let answer = exchange(self.link, &request.command())?;
        let pending = request
            .authenticate(&set.keys, &answer, level)
            .map_err(scp)?;
        emit(observer, Event::KeysFit)?;
        let answer = exchange(self.link, pending.command())?;
        self.channel = Some(pending.complete(&answer).map_err(scp)?);
        Ok(())
    }

    /// The most command data bytes of one command: the secure channel's limit and the definition's.
    pub fn max_command_data(&self, definition: &Definition) -> usize {
        let limit = usize::from(definition.apdu.max_command_data.min(255));
        match &self.channel {
            None => limit,
            // What the channel adds is the difference to a full short APDU.
            Some(channel) => channel
                .max_command_data()
                .min(limit.saturating_sub(255 - channel.max_command_data())),
        }
    }

    /// The load files with their modules; without them on cards that have no such list.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn load_files(&mut self) -> Result<Vec<RegistryEntry>, PersonalizeError> {
        match self.status(StatusKind::LoadFilesAndModules) {
            Err(PersonalizeError::Refused { .. }) => self.status(StatusKind::LoadFiles),
            files => files,
        }
    }

    /// The registry's entries of a kind; empty if there are none.
    ///
    /// # Errors
    /// [`PersonalizeError`].
    pub fn status(&mut self, kind: StatusKind) -> Result<Vec<RegistryEntry>, PersonalizeError> {
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
                    return Err(PersonalizeError::Refused {
                        command: name.to_owned(),
                        sw,
                    });
                }
            }
        }
        registry::parse_status(&data).map_err(|source| PersonalizeError::Answer {
            command: name.to_owned(),
            source,
        })
    }
}
