//! TERMINAL RESPONSE (ETSI TS 102 223 6.8): the terminal's answer to a proactive command.

use super::proactive::{details, devices};
use super::tlv::{TlvList, write};
use super::{
    BipError, CatError, ChannelStatus, CommandType, Device, GeneralResult, OwnedTlv,
    ProactiveCommand, Tag, TerminalProblem, TimerValue,
};
use serde::{Deserialize, Serialize};

/// A TERMINAL RESPONSE: the data of the command `80 14`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct TerminalResponse {
    /// Command number of the proactive command; 0 in traces of the applet's boundary.
    pub number: u8,
    /// Type of the proactive command.
    pub command: CommandType,
    /// Qualifier of the proactive command.
    pub qualifier: u8,
    /// General result.
    pub result: GeneralResult,
    /// Additional information on the result.
    pub additional: Vec<u8>,
    /// The data objects besides command details, device identities and result, in order.
    pub objects: Vec<OwnedTlv>,
}

impl TerminalResponse {
    /// The answer to `command` with this result.
    pub fn to(command: &ProactiveCommand, result: GeneralResult) -> Self {
        TerminalResponse {
            number: command.number,
            command: command.command,
            qualifier: command.qualifier,
            result,
            additional: Vec::new(),
            objects: Vec::new(),
        }
    }

    /// The answer `3A xx` to `command`.
    pub fn bip_error(command: &ProactiveCommand, error: BipError) -> Self {
        Self::to(command, GeneralResult::BIP_ERROR).additional([error.0])
    }

    /// The answer `20 xx` to `command`.
    pub fn unable(command: &ProactiveCommand, problem: TerminalProblem) -> Self {
        Self::to(command, GeneralResult::TERMINAL_UNABLE).additional([problem.0])
    }

    /// The same with this additional information.
    #[must_use]
    pub fn additional(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.additional = bytes.into();
        self
    }

    /// The same with one more data object.
    #[must_use]
    pub fn with(mut self, tag: Tag, cr: bool, value: impl Into<Vec<u8>>) -> Self {
        self.objects.push(OwnedTlv::new(tag, cr, value));
        self
    }

    /// The data of TERMINAL RESPONSE. Objects come in the order that ETSI TS 102 223 6.8 has for
    /// the first three, then as given.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let details = [self.number, self.command.0, self.qualifier];
        write(&mut out, Tag::COMMAND_DETAILS, true, &details);
        let devices = [Device::TERMINAL.0, Device::UICC.0];
        write(&mut out, Tag::DEVICE_IDENTITIES, true, &devices);
        let result = [&[self.result.0][..], &self.additional].concat();
        write(&mut out, Tag::RESULT, true, &result);
        for tlv in &self.objects {
            write(&mut out, tlv.tag, tlv.cr, &tlv.value);
        }
        out
    }

    /// Reads the data of TERMINAL RESPONSE. Device identities may be missing: terminals were seen
    /// to leave them out, and nothing depends on them.
    ///
    /// # Errors
    /// [`CatError`] if a data object's coding, command details or result are wrong or missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatError> {
        let list = TlvList(bytes);
        let mut objects = list.to_owned_list()?;
        let (number, command, qualifier) = details(list)?;
        if list.find(Tag::DEVICE_IDENTITIES).is_some() {
            devices(list)?;
        }
        let result = list.require(Tag::RESULT)?;
        let (general, additional) = result
            .split_first()
            .ok_or_else(|| CatError::value(Tag::RESULT, "empty", result))?;
        for tag in [Tag::COMMAND_DETAILS, Tag::DEVICE_IDENTITIES, Tag::RESULT] {
            if let Some(i) = objects.iter().position(|tlv| tlv.tag == tag) {
                objects.remove(i);
            }
        }
        Ok(TerminalResponse {
            number,
            command,
            qualifier,
            result: GeneralResult(*general),
            additional: additional.to_vec(),
            objects,
        })
    }

    /// The value of the first data object with this tag, besides the first three.
    pub fn find(&self, tag: Tag) -> Option<&[u8]> {
        self.objects
            .iter()
            .find(|tlv| tlv.tag == tag)
            .map(|tlv| tlv.value.as_slice())
    }

    /// Channel status, after OPEN CHANNEL and GET CHANNEL STATUS; `None` if it isn't there or
    /// isn't of its coding.
    pub fn channel_status(&self) -> Option<ChannelStatus> {
        ChannelStatus::parse(self.find(Tag::CHANNEL_STATUS)?).ok()
    }

    /// Channel data, after RECEIVE DATA.
    pub fn channel_data(&self) -> Option<&[u8]> {
        self.find(Tag::CHANNEL_DATA)
    }

    /// Channel data length: bytes that remain to be received or may be stored; `FF` is 255 or more.
    pub fn channel_data_length(&self) -> Option<u8> {
        match self.find(Tag::CHANNEL_DATA_LENGTH)? {
            [n] => Some(*n),
            _ => None,
        }
    }

    /// Timer value, after TIMER MANAGEMENT deactivate and get.
    pub fn timer_value(&self) -> Option<TimerValue> {
        TimerValue::parse(self.find(Tag::TIMER_VALUE)?).ok()
    }
}
