//! Envelopes (ETSI TS 102 223 7): what the terminal sends with ENVELOPE, `80 C2`.

use super::tlv::{TlvList, wrap_ber, write};
use super::{Ber, CatError, ChannelStatus, Device, Event, LocationStatus, Tag, TimerValue};
use serde::{Deserialize, Serialize};

/// An envelope: its template and the list inside.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Envelope {
    /// The template.
    pub ber: Ber,
    /// The COMPREHENSION-TLV list inside, as it stands on the interface.
    pub list: Vec<u8>,
}

impl Envelope {
    fn event(event: Event, source: Device) -> Self {
        let mut list = Vec::new();
        write(&mut list, Tag::EVENT_LIST, true, &[event.0]);
        let devices = [source.0, Device::UICC.0];
        write(&mut list, Tag::DEVICE_IDENTITIES, true, &devices);
        Envelope {
            ber: Ber::EVENT_DOWNLOAD,
            list,
        }
    }

    fn and(mut self, tag: Tag, cr: bool, value: &[u8]) -> Self {
        write(&mut self.list, tag, cr, value);
        self
    }

    /// Event download, data available (ETSI TS 102 223 7.5.10): `length` bytes are in the receive
    /// buffer, of which 255 or more are coded `FF`.
    pub fn data_available(status: ChannelStatus, length: usize) -> Self {
        let length = u8::try_from(length).unwrap_or(u8::MAX);
        Self::event(Event::DATA_AVAILABLE, Device::TERMINAL)
            .and(Tag::CHANNEL_STATUS, true, &status.to_bytes())
            .and(Tag::CHANNEL_DATA_LENGTH, true, &[length])
    }

    /// Event download, channel status (ETSI TS 102 223 7.5.11): the link changed without the card
    /// having asked for it.
    pub fn channel_status(status: ChannelStatus) -> Self {
        Self::event(Event::CHANNEL_STATUS, Device::TERMINAL).and(
            Tag::CHANNEL_STATUS,
            true,
            &status.to_bytes(),
        )
    }

    /// Event download, location status (ETSI TS 102 223 7.5.4). `location` is the location
    /// information's value, for normal service only.
    pub fn location_status(status: LocationStatus, location: Option<&[u8]>) -> Self {
        let envelope = Self::event(Event::LOCATION_STATUS, Device::TERMINAL).and(
            Tag::LOCATION_STATUS,
            true,
            &[status.to_byte()],
        );
        match location {
            Some(value) => envelope.and(Tag::LOCATION_INFORMATION, true, value),
            None => envelope,
        }
    }

    /// Timer expiration (ETSI TS 102 223 7.4.1): `value` is what the timer was started with plus
    /// how late this is; terminals send the time since its start.
    pub fn timer_expiration(timer: u8, value: TimerValue) -> Self {
        let mut list = Vec::new();
        let devices = [Device::TERMINAL.0, Device::UICC.0];
        write(&mut list, Tag::DEVICE_IDENTITIES, true, &devices);
        write(&mut list, Tag::TIMER_IDENTIFIER, true, &[timer]);
        write(&mut list, Tag::TIMER_VALUE, true, &value.to_bytes());
        Envelope {
            ber: Ber::TIMER_EXPIRATION,
            list,
        }
    }

    /// Reads an ENVELOPE command's data.
    ///
    /// # Errors
    /// [`CatError`] if the template's length or a data object's coding is wrong. Any template is
    /// accepted.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatError> {
        let ber = Ber(*bytes.first().ok_or(CatError::Truncated {
            at: 0,
            need: 2,
            have: 0,
        })?);
        let list = super::unwrap_ber(bytes, ber)?;
        TlvList(list).to_owned_list()?;
        Ok(Envelope {
            ber,
            list: list.to_vec(),
        })
    }

    /// The list inside.
    pub fn objects(&self) -> TlvList<'_> {
        TlvList(&self.list)
    }

    /// The event, if this is an event download with one.
    pub fn event_code(&self) -> Option<Event> {
        if self.ber != Ber::EVENT_DOWNLOAD {
            return None;
        }
        match self.objects().find(Tag::EVENT_LIST)?.value {
            [event] => Some(Event(*event)),
            _ => None,
        }
    }

    /// The timer, if this is a timer expiration.
    pub fn timer(&self) -> Option<u8> {
        if self.ber != Ber::TIMER_EXPIRATION {
            return None;
        }
        match self.objects().find(Tag::TIMER_IDENTIFIER)?.value {
            [timer] => Some(*timer),
            _ => None,
        }
    }

    /// Channel status, if there is one.
    pub fn channel(&self) -> Option<ChannelStatus> {
        ChannelStatus::parse(self.objects().find(Tag::CHANNEL_STATUS)?.value).ok()
    }

    /// Channel data length, if there is one.
    pub fn data_length(&self) -> Option<u8> {
        match self.objects().find(Tag::CHANNEL_DATA_LENGTH)?.value {
            [n] => Some(*n),
            _ => None,
        }
    }

    /// The data of the ENVELOPE command.
    pub fn to_bytes(&self) -> Vec<u8> {
        wrap_ber(self.ber, &self.list)
    }
}
