//! Proactive commands (ETSI TS 102 223 6.6): what the card sends after FETCH.

use super::tlv::{TlvList, unwrap_ber, wrap_ber, write};
use super::{
    BearerDescription, Ber, CatError, CommandType, Device, Duration, Event, IpAddress,
    NetworkAccessName, OwnedTlv, Tag, TimerValue, TransportLevel,
};
use serde::{Deserialize, Serialize};

/// A proactive command: command details, device identities and its other data objects in order.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ProactiveCommand {
    /// Command number, 1 to 254; 0 in traces of the applet's boundary.
    pub number: u8,
    /// Type of command.
    pub command: CommandType,
    /// Command qualifier, see [`super::qualifier`].
    pub qualifier: u8,
    /// Source device.
    pub source: Device,
    /// Destination device.
    pub destination: Device,
    /// The data objects after these two, in order.
    pub objects: Vec<OwnedTlv>,
}

impl ProactiveCommand {
    /// A command from the UICC to `destination`, with no other data objects yet.
    pub fn new(number: u8, command: CommandType, qualifier: u8, destination: Device) -> Self {
        ProactiveCommand {
            number,
            command,
            qualifier,
            source: Device::UICC,
            destination,
            objects: Vec::new(),
        }
    }

    /// The same command with one more data object.
    #[must_use]
    pub fn with(mut self, tag: Tag, cr: bool, value: impl Into<Vec<u8>>) -> Self {
        self.objects.push(OwnedTlv::new(tag, cr, value));
        self
    }

    /// Reads a command as FETCH gives it, `D0…`.
    ///
    /// # Errors
    /// [`CatError`] if the template, a data object's coding, command details or device identities
    /// are wrong or missing.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatError> {
        Self::parse_inner(unwrap_ber(bytes, Ber::PROACTIVE_COMMAND)?)
    }

    /// Reads what stands inside the template.
    ///
    /// # Errors
    /// As [`ProactiveCommand::parse`].
    pub fn parse_inner(list: &[u8]) -> Result<Self, CatError> {
        let list = TlvList(list);
        let (number, command, qualifier) = details(list)?;
        let (source, destination) = devices(list)?;
        let mut objects = list.to_owned_list()?;
        for tag in [Tag::COMMAND_DETAILS, Tag::DEVICE_IDENTITIES] {
            if let Some(i) = objects.iter().position(|tlv| tlv.tag == tag) {
                objects.remove(i);
            }
        }
        Ok(ProactiveCommand {
            number,
            command,
            qualifier,
            source,
            destination,
            objects,
        })
    }

    /// What stands inside the template.
    pub fn inner_bytes(&self) -> Vec<u8> {
        let mut list = Vec::new();
        let details = [self.number, self.command.0, self.qualifier];
        write(&mut list, Tag::COMMAND_DETAILS, true, &details);
        let devices = [self.source.0, self.destination.0];
        write(&mut list, Tag::DEVICE_IDENTITIES, true, &devices);
        for tlv in &self.objects {
            write(&mut list, tlv.tag, tlv.cr, &tlv.value);
        }
        list
    }

    /// The bytes that FETCH gives, `D0…`.
    pub fn to_bytes(&self) -> Vec<u8> {
        wrap_ber(Ber::PROACTIVE_COMMAND, &self.inner_bytes())
    }

    /// The value of the first data object with this tag.
    pub fn find(&self, tag: Tag) -> Option<&[u8]> {
        self.objects
            .iter()
            .find(|tlv| tlv.tag == tag)
            .map(|tlv| tlv.value.as_slice())
    }

    fn require(&self, tag: Tag) -> Result<&[u8], CatError> {
        self.find(tag).ok_or(CatError::Missing(tag))
    }

    fn require_byte(&self, tag: Tag) -> Result<u8, CatError> {
        match self.require(tag)? {
            [byte] => Ok(*byte),
            other => Err(CatError::value(tag, "one byte expected", other)),
        }
    }

    fn channel(&self) -> Result<u8, CatError> {
        self.destination.as_channel().ok_or_else(|| {
            CatError::value(
                Tag::DEVICE_IDENTITIES,
                "the destination must be a channel",
                &[self.source.0, self.destination.0],
            )
        })
    }

    /// The command's data objects as the specification types them.
    ///
    /// # Errors
    /// [`CatError`] if a mandatory data object is missing or a value is not of its coding.
    pub fn detail(&self) -> Result<Detail, CatError> {
        Ok(match self.command {
            CommandType::REFRESH => Detail::Refresh {
                mode: self.qualifier,
            },
            CommandType::MORE_TIME => Detail::MoreTime,
            CommandType::POLLING_OFF => Detail::PollingOff,
            CommandType::POLL_INTERVAL => {
                Detail::PollInterval(Duration::parse(self.require(Tag::DURATION)?)?)
            }
            CommandType::SET_UP_EVENT_LIST => Detail::SetUpEventList(
                self.require(Tag::EVENT_LIST)?
                    .iter()
                    .copied()
                    .map(Event)
                    .collect(),
            ),
            CommandType::TIMER_MANAGEMENT => Detail::TimerManagement {
                action: self.qualifier & 0x03,
                timer: self.require_byte(Tag::TIMER_IDENTIFIER)?,
                value: self
                    .find(Tag::TIMER_VALUE)
                    .map(TimerValue::parse)
                    .transpose()?,
            },
            CommandType::OPEN_CHANNEL => Detail::OpenChannel(self.open_channel()?),
            CommandType::CLOSE_CHANNEL => Detail::CloseChannel {
                channel: self.channel()?,
            },
            CommandType::SEND_DATA => Detail::SendData {
                channel: self.channel()?,
                immediate: self.qualifier & 1 != 0,
                data: self.require(Tag::CHANNEL_DATA)?.to_vec(),
            },
            CommandType::RECEIVE_DATA => Detail::ReceiveData {
                channel: self.channel()?,
                length: self.require_byte(Tag::CHANNEL_DATA_LENGTH)?,
            },
            CommandType::GET_CHANNEL_STATUS => Detail::GetChannelStatus,
            CommandType::PROVIDE_LOCAL_INFORMATION => Detail::ProvideLocalInformation {
                what: self.qualifier,
            },
            CommandType::DISPLAY_TEXT => Detail::DisplayText {
                text: self.require(Tag::TEXT_STRING)?.to_vec(),
            },
            _ => Detail::Other,
        })
    }

    fn open_channel(&self) -> Result<OpenChannel, CatError> {
        let mut addresses = self
            .objects
            .iter()
            .filter(|tlv| tlv.tag == Tag::OTHER_ADDRESS);
        let first = addresses.next();
        let second = addresses.next();
        let transport = self
            .find(Tag::TRANSPORT_LEVEL)
            .map(TransportLevel::parse)
            .transpose()?;
        // ETSI TS 102 223 6.6.27: the local address comes before the transport level, the data
        // destination address after it.
        let transport_at = self
            .objects
            .iter()
            .position(|tlv| tlv.tag == Tag::TRANSPORT_LEVEL);
        let address_at = self
            .objects
            .iter()
            .position(|tlv| tlv.tag == Tag::OTHER_ADDRESS);
        let only_is_destination = match (transport_at, address_at) {
            (Some(transport), Some(address)) => address > transport,
            _ => false,
        };
        let (local, destination) = match (first, second) {
            (Some(_), Some(_)) => (first, second),
            _ if only_is_destination => (None, first),
            _ => (first, None),
        };
        let address = |tlv: Option<&OwnedTlv>| tlv.map(|t| IpAddress::parse(&t.value)).transpose();
        let buffer = self.require(Tag::BUFFER_SIZE)?;
        Ok(OpenChannel {
            immediate: self.qualifier & 0x05 != 0,
            bearer: BearerDescription::parse(self.require(Tag::BEARER_DESCRIPTION)?)?,
            buffer_size: <[u8; 2]>::try_from(buffer)
                .map(u16::from_be_bytes)
                .map_err(|_| CatError::value(Tag::BUFFER_SIZE, "2 bytes expected", buffer))?,
            access_name: self
                .find(Tag::NETWORK_ACCESS_NAME)
                .map(NetworkAccessName::parse)
                .transpose()?,
            local: address(local)?,
            transport,
            destination: address(destination)?,
        })
    }
}

/// A proactive command's own data, typed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Detail {
    /// REFRESH with this mode (`qualifier::REFRESH_…`).
    Refresh {
        /// Command qualifier.
        mode: u8,
    },
    /// MORE TIME.
    MoreTime,
    /// POLL INTERVAL.
    PollInterval(Duration),
    /// POLLING OFF.
    PollingOff,
    /// SET UP EVENT LIST: replaces the list; empty removes it.
    SetUpEventList(Vec<Event>),
    /// TIMER MANAGEMENT.
    TimerManagement {
        /// `qualifier::TIMER_…`.
        action: u8,
        /// Timer identifier, 1 to 8.
        timer: u8,
        /// The value, for a start.
        value: Option<TimerValue>,
    },
    /// OPEN CHANNEL for a packet data or default bearer.
    OpenChannel(OpenChannel),
    /// CLOSE CHANNEL.
    CloseChannel {
        /// Channel identifier, 1 to 7.
        channel: u8,
    },
    /// SEND DATA.
    SendData {
        /// Channel identifier, 1 to 7.
        channel: u8,
        /// True to send all that is stored, false to store only.
        immediate: bool,
        /// Channel data.
        data: Vec<u8>,
    },
    /// RECEIVE DATA.
    ReceiveData {
        /// Channel identifier, 1 to 7.
        channel: u8,
        /// How many bytes the card asks for.
        length: u8,
    },
    /// GET CHANNEL STATUS.
    GetChannelStatus,
    /// PROVIDE LOCAL INFORMATION.
    ProvideLocalInformation {
        /// `qualifier::LOCAL_…`.
        what: u8,
    },
    /// DISPLAY TEXT.
    DisplayText {
        /// Data coding scheme and text, as sent.
        text: Vec<u8>,
    },
    /// A command whose data this tool doesn't type.
    Other,
}

/// OPEN CHANNEL's data (ETSI TS 102 223 6.6.27.2 and 6.6.27.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OpenChannel {
    /// Immediate link establishment, in the foreground or background; else on demand.
    pub immediate: bool,
    /// Bearer description.
    pub bearer: BearerDescription,
    /// Requested buffer size in bytes.
    pub buffer_size: u16,
    /// Access point name.
    pub access_name: Option<NetworkAccessName>,
    /// Local address.
    pub local: Option<IpAddress>,
    /// Transport level; without it the card speaks IP itself.
    pub transport: Option<TransportLevel>,
    /// Data destination address.
    pub destination: Option<IpAddress>,
}

impl OpenChannel {
    /// The proactive command that carries this, in the order of ETSI TS 102 223 6.6.27.2.
    pub fn to_command(&self, number: u8) -> ProactiveCommand {
        let qualifier = u8::from(self.immediate);
        let mut command = ProactiveCommand::new(
            number,
            CommandType::OPEN_CHANNEL,
            qualifier,
            Device::TERMINAL,
        )
        .with(Tag::BEARER_DESCRIPTION, false, self.bearer.to_bytes())
        .with(Tag::BUFFER_SIZE, false, self.buffer_size.to_be_bytes());
        if let Some(name) = &self.access_name {
            command = command.with(Tag::NETWORK_ACCESS_NAME, false, name.to_bytes());
        }
        if let Some(local) = &self.local {
            command = command.with(Tag::OTHER_ADDRESS, false, local.to_bytes());
        }
        if let Some(transport) = &self.transport {
            command = command.with(Tag::TRANSPORT_LEVEL, false, transport.to_bytes());
        }
        if let Some(destination) = &self.destination {
            command = command.with(Tag::OTHER_ADDRESS, false, destination.to_bytes());
        }
        command
    }
}

pub(super) fn details(list: TlvList<'_>) -> Result<(u8, CommandType, u8), CatError> {
    match list.require(Tag::COMMAND_DETAILS)? {
        [number, command, qualifier] => Ok((*number, CommandType(*command), *qualifier)),
        other => Err(CatError::value(
            Tag::COMMAND_DETAILS,
            "3 bytes expected",
            other,
        )),
    }
}

pub(super) fn devices(list: TlvList<'_>) -> Result<(Device, Device), CatError> {
    match list.require(Tag::DEVICE_IDENTITIES)? {
        [source, destination] => Ok((Device(*source), Device(*destination))),
        other => Err(CatError::value(
            Tag::DEVICE_IDENTITIES,
            "2 bytes expected",
            other,
        )),
    }
}
