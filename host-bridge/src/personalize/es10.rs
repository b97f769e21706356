//! ES10 from outside: commands to the ISD-R over a logical channel (SGP.22 5.7.2, SGP.32 5.9).

use crate::exit::{self, Exit, ExitCode};
use crate::transport::{CardLink, LinkError, exchange};
use applet_gen::gp::command;
use applet_model::apdu::Command;
use applet_model::sgp::certs::{GetEuiccDataRequest, GetEuiccDataResponse};
use applet_model::sgp::eim_config::{
    AddInitialEimOk, AddInitialEimRequest, AddInitialEimResponse, EimConfigurationData,
    GetEimConfigurationDataRequest, GetEimConfigurationDataResponse,
};
use applet_model::sgp::profile::{ProfileInfoListRequest, ProfileInfoListResponse};
use applet_model::sgp::{Decode, Encode, Iccid, TagList};
use applet_model::status::Sw;
use cards::definition::Definition;

/// Why an ES10 function failed.
#[derive(Debug, thiserror::Error)]
pub enum Es10Error {
    /// The ISD-R or a channel to it refused a command.
    #[error("{command} was answered with {sw}")]
    Refused {
        /// The command, in words.
        command: &'static str,
        /// The status word.
        sw: Sw,
    },
    /// An answer that can't be read.
    #[error("the answer to {function} can't be read ({detail}): {data}")]
    Answer {
        /// The function.
        function: &'static str,
        /// What is wrong.
        detail: String,
        /// The answer in hex.
        data: String,
    },
    /// The function's own error code.
    #[error("{function} was refused: {code}")]
    Function {
        /// The function.
        function: &'static str,
        /// The code's name in the specification.
        code: String,
    },
    /// The link.
    #[error(transparent)]
    Link(#[from] LinkError),
}

impl ExitCode for Es10Error {
    fn exit(&self) -> Exit {
        match self {
            Es10Error::Link(e) => e.exit(),
            _ => exit::CARD_REFUSED,
        }
    }
}

/// MANAGE CHANNEL: the card gives a logical channel.
pub(super) fn open_channel() -> Command {
    Command::new(0x00, 0x70, 0x00, 0x00).with_le(1)
}

/// MANAGE CHANNEL: the channel is closed.
pub(super) fn close_channel(channel: u8) -> Command {
    Command::new(0x00, 0x70, 0x80, channel)
}

/// SELECT of the ISD-R on a channel.
pub(super) fn select_isd_r(definition: &Definition, channel: u8) -> Command {
    command::select(definition.isd_r()).on_channel(channel)
}

/// The STORE DATA commands of a command data object.
pub(super) fn blocks(data: &[u8], block: usize, channel: u8) -> Vec<Command> {
    let blocks = command::store_data(data, block, 0x11).into_iter();
    blocks
        .map(|command| command.on_channel(channel).with_le(256))
        .collect()
}

/// A function of the ISD-R.
#[derive(Debug, Clone)]
pub(super) enum Function {
    /// ES10c.GetEID.
    Eid,
    /// ES10c.GetProfilesInfo: the ICCIDs of all profiles.
    Iccids,
    /// ES10b.GetEimConfigurationData.
    Eims,
    /// ES10b.AddInitialEim.
    Add(Box<EimConfigurationData>),
}

impl Function {
    /// Its name in the specification.
    pub fn name(&self) -> &'static str {
        match self {
            Function::Eid => "GetEID",
            Function::Iccids => "GetProfilesInfo",
            Function::Eims => "GetEimConfigurationData",
            Function::Add(_) => "AddInitialEim",
        }
    }

    /// Its command data object; `None` if it can't be written.
    pub fn request(&self) -> Option<Vec<u8>> {
        match self {
            Function::Eid => GetEuiccDataRequest::eid()?.to_der().ok(),
            // The default list has ICCIDs, and names that nobody asked for.
            Function::Iccids => ProfileInfoListRequest {
                tag_list: TagList::new([0x5A]),
                ..ProfileInfoListRequest::default()
            }
            .to_der()
            .ok(),
            Function::Eims => GetEimConfigurationDataRequest::default().to_der().ok(),
            Function::Add(entry) => AddInitialEimRequest {
                eim_configuration_data_list: vec![(**entry).clone()],
            }
            .to_der()
            .ok(),
        }
    }
}

/// An open way to the ISD-R.
pub struct Es10<'a> {
    link: &'a mut dyn CardLink,
    channel: u8,
    block: usize,
}

impl<'a> Es10<'a> {
    /// Opens a logical channel and selects the ISD-R on it; on cards that give no channel, on the
    /// basic one.
    ///
    /// # Errors
    /// [`Es10Error`].
    pub fn open(link: &'a mut dyn CardLink, definition: &Definition) -> Result<Self, Es10Error> {
        let opened = exchange(link, &open_channel())?;
        let channel = match (opened.sw, opened.data.first()) {
            (Sw::OK, Some(channel @ 1..=3)) => *channel,
            _ => 0,
        };
        let answer = exchange(link, &select_isd_r(definition, channel))?;
        if !answer.sw.is_ok() {
            return Err(Es10Error::Refused {
                command: "SELECT of the ISD-R",
                sw: answer.sw,
            });
        }
        Ok(Es10 {
            link,
            channel,
            block: definition.es10_block(),
        })
    }

    /// Closes the channel.
    ///
    /// # Errors
    /// [`Es10Error`].
    pub fn close(self) -> Result<(), Es10Error> {
        if self.channel == 0 {
            return Ok(());
        }
        let answer = exchange(self.link, &close_channel(self.channel))?;
        match answer.sw.is_ok() {
            true => Ok(()),
            false => Err(Es10Error::Refused {
                command: "MANAGE CHANNEL (close)",
                sw: answer.sw,
            }),
        }
    }

    /// Sends a command data object in STORE DATA blocks and gives the response data object.
    ///
    /// # Errors
    /// [`Es10Error::Refused`].
    pub fn call(&mut self, data: &[u8]) -> Result<Vec<u8>, Es10Error> {
        let mut answer = Vec::new();
        for command in blocks(data, self.block, self.channel) {
            let response = exchange(self.link, &command)?;
            if !response.sw.is_ok() {
                return Err(Es10Error::Refused {
                    command: "STORE DATA to the ISD-R",
                    sw: response.sw,
                });
            }
            answer = response.data;
        }
        Ok(answer)
    }

    fn function<T: for<'d> Decode<'d, Error = der::Error>>(
        &mut self,
        call: &Function,
    ) -> Result<T, Es10Error> {
        let function = call.name();
        let request = call.request().ok_or(Es10Error::Answer {
            function,
            detail: "the request can't be written".to_owned(),
            data: String::new(),
        })?;
        let answer = self.call(&request)?;
        T::from_der(&answer).map_err(|e| Es10Error::Answer {
            function,
            detail: e.to_string(),
            data: hex::encode_upper(&answer),
        })
    }

    /// ES10c.GetEID, as 32 digits.
    ///
    /// # Errors
    /// [`Es10Error`].
    pub fn eid(&mut self) -> Result<String, Es10Error> {
        let answer: GetEuiccDataResponse = self.function(&Function::Eid)?;
        Ok(answer.eid_value.to_string())
    }

    /// ES10c.GetProfilesInfo: the ICCIDs of all profiles.
    ///
    /// # Errors
    /// [`Es10Error`].
    pub fn iccids(&mut self) -> Result<Vec<Iccid>, Es10Error> {
        match self.function(&Function::Iccids)? {
            ProfileInfoListResponse::ProfileInfoListOk(profiles) => {
                Ok(profiles.into_iter().filter_map(|one| one.iccid).collect())
            }
            ProfileInfoListResponse::ProfileInfoListError(code) => Err(Es10Error::Function {
                function: Function::Iccids.name(),
                code: format!("{code:?}"),
            }),
        }
    }

    /// ES10b.GetEimConfigurationData: all eIMs.
    ///
    /// # Errors
    /// [`Es10Error`].
    pub fn eims(&mut self) -> Result<Vec<EimConfigurationData>, Es10Error> {
        let answer: GetEimConfigurationDataResponse = self.function(&Function::Eims)?;
        Ok(answer.eim_configuration_data_list)
    }

    /// ES10b.AddInitialEim with one entry; the association token if the eUICC gave one.
    ///
    /// # Errors
    /// [`Es10Error::Function`] with the specification's name of the code.
    pub fn add_initial_eim(
        &mut self,
        entry: EimConfigurationData,
    ) -> Result<Option<i64>, Es10Error> {
        let add = Function::Add(Box::new(entry));
        match self.function(&add)? {
            AddInitialEimResponse::AddInitialEimOk(done) => {
                Ok(done.iter().find_map(|one| match one {
                    AddInitialEimOk::AssociationToken(token) => Some(*token),
                    AddInitialEimOk::AddOk(_) => None,
                }))
            }
            AddInitialEimResponse::AddInitialEimError(code) => Err(Es10Error::Function {
                function: add.name(),
                code: format!("{code:?}"),
            }),
        }
    }
}
