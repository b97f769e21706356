//! Proactive commands and what the applet reads in TERMINAL RESPONSEs and envelopes (ETSI TS 102 223).

use super::codes::Event;
use super::layout::{BUFFER, reg};
use super::{Machine, Wait, templates};
use crate::cat::{self, CommandType, Device, Feature, Tag, TlvList, qualifier};
use crate::trace::Boundary;

/// Buffer size that OPEN CHANNEL asks for, in bytes.
pub const CHANNEL_BUFFER: u16 = 1400;

/// What the device must offer for a session (ETSI TS 102 223 5.2).
pub const NEEDED: &[Feature] = &[
    Feature::OPEN_CHANNEL,
    Feature::CLOSE_CHANNEL,
    Feature::RECEIVE_DATA,
    Feature::SEND_DATA,
    Feature::TCP_CLIENT_REMOTE,
];

impl Machine {
    /// The first needed feature that the TERMINAL PROFILE lacks.
    pub(super) fn missing_feature(&self) -> Option<Feature> {
        let profile = cat::TerminalProfile(self.profile.clone());
        NEEDED.iter().find(|f| !profile.has(**f)).copied()
    }

    /// The stored TERMINAL PROFILE.
    pub(crate) fn terminal_profile(&self) -> &[u8] {
        &self.profile
    }

    /// The class of a TERMINAL RESPONSE; its result goes to `DETAIL`.
    pub(super) fn classify_response(&mut self) -> Event {
        let result = self.answer_object(Tag::RESULT).unwrap_or_default();
        // A response without a result is no performed command.
        let general = result.first().copied().unwrap_or(NO_RESULT);
        self.w[reg::DETAIL] = general;
        self.w[reg::DETAIL + 1] = result.get(1).copied().unwrap_or(0);
        match general {
            0x00..=0x0F => Event::TrOk,
            0x20 | 0x21 => Event::TrBusy,
            0x30 => Event::TrBeyond,
            0x3A => Event::TrBip,
            _ => Event::TrRefused,
        }
    }

    /// The value of a COMPREHENSION-TLV in the answer under way.
    pub(super) fn answer_object(&self, tag: Tag) -> Option<Vec<u8>> {
        TlvList(&self.answer).find(tag).map(|t| t.value.to_vec())
    }

    fn proactive(
        &mut self,
        command: CommandType,
        qualifier: u8,
        device: u8,
        rest: impl FnOnce(&Machine, &mut Vec<u8>),
    ) {
        let mut out = Vec::new();
        cat::write(
            &mut out,
            Tag::COMMAND_DETAILS,
            true,
            &[0, command.0, qualifier],
        );
        cat::write(
            &mut out,
            Tag::DEVICE_IDENTITIES,
            true,
            &[Device::UICC.0, device],
        );
        rest(self, &mut out);
        self.out = Some(Boundary::Proactive(out));
        self.wait = Wait::Terminal;
    }

    pub(super) fn start_timer(&mut self) {
        self.w[reg::NO_TIMER] = 0;
        self.w[reg::PROGRESS] = 0;
        let terminal = Device::TERMINAL.0;
        self.proactive(
            CommandType::TIMER_MANAGEMENT,
            qualifier::TIMER_START,
            terminal,
            |m, out| {
                let bcd = |v: u8| ((v % 10) << 4) | (v / 10);
                let delay = [m.w[reg::DELAY], m.w[reg::DELAY + 1], m.w[reg::DELAY + 2]];
                cat::write(out, Tag::TIMER_IDENTIFIER, true, &[m.w[reg::TIMER]]);
                cat::write(out, Tag::TIMER_VALUE, true, &delay.map(bcd));
            },
        );
    }

    pub(super) fn open_channel(&mut self) {
        if self.w[reg::ROUNDS] == 0 {
            return self.raise(Event::Exhausted);
        }
        self.w[reg::ROUNDS] -= 1;
        if self.w[reg::CHANNEL] != 0 {
            return self.raise(Event::Next);
        }
        let terminal = Device::TERMINAL.0;
        self.proactive(
            CommandType::OPEN_CHANNEL,
            qualifier::OPEN_IMMEDIATE,
            terminal,
            |m, out| {
                let w = &m.w;
                let bearer = usize::from(w[reg::BEARER_LEN]);
                let apn = usize::from(w[reg::APN_LEN]);
                out.extend(templates::OPEN_ALPHA);
                cat::write(
                    out,
                    Tag::BEARER_DESCRIPTION,
                    false,
                    &w[reg::BEARER..reg::BEARER + bearer],
                );
                cat::write(out, Tag::BUFFER_SIZE, false, &CHANNEL_BUFFER.to_be_bytes());
                if apn > 0 {
                    cat::write(
                        out,
                        Tag::NETWORK_ACCESS_NAME,
                        false,
                        &w[reg::APN..reg::APN + apn],
                    );
                }
                let port = [w[reg::EIM_PORT], w[reg::EIM_PORT + 1]];
                cat::write(
                    out,
                    Tag::TRANSPORT_LEVEL,
                    false,
                    &[TCP_CLIENT_REMOTE, port[0], port[1]],
                );
                let a = reg::EIM_ADDRESS;
                cat::write(
                    out,
                    Tag::OTHER_ADDRESS,
                    false,
                    &[IPV4, w[a], w[a + 1], w[a + 2], w[a + 3]],
                );
            },
        );
    }

    /// Notes the channel that OPEN CHANNEL opened.
    pub(super) fn note_channel(&mut self) {
        let status = self.answer_object(Tag::CHANNEL_STATUS).unwrap_or_default();
        let channel = status.first().copied().unwrap_or(0) & 0x07;
        if channel == 0 {
            return self.raise(Event::Fail);
        }
        self.w[reg::CHANNEL] = channel;
        self.raise(Event::Start);
    }

    fn channel_device(&self) -> u8 {
        0x20 | self.w[reg::CHANNEL]
    }

    pub(super) fn close_channel(&mut self) {
        if self.w[reg::CHANNEL] == 0 {
            return self.raise(Event::Closed);
        }
        self.proactive(
            CommandType::CLOSE_CHANNEL,
            0,
            self.channel_device(),
            |_, _| {},
        );
    }

    pub(super) fn send_data(&mut self) {
        let device = self.channel_device();
        self.proactive(
            CommandType::SEND_DATA,
            qualifier::SEND_IMMEDIATE,
            device,
            |m, out| {
                let len = usize::from(m.get16(reg::SEG_LEN));
                cat::write(out, Tag::CHANNEL_DATA, true, &m.seg[..len]);
            },
        );
    }

    pub(super) fn receive_data(&mut self) {
        let most = self.w[reg::AVAILABLE].clamp(1, BUFFER as u8);
        self.proactive(
            CommandType::RECEIVE_DATA,
            0,
            self.channel_device(),
            |_, out| {
                cat::write(out, Tag::CHANNEL_DATA_LENGTH, true, &[most]);
            },
        );
    }

    pub(super) fn refresh(&mut self) {
        let terminal = Device::TERMINAL.0;
        self.proactive(
            CommandType::REFRESH,
            qualifier::REFRESH_UICC_RESET,
            terminal,
            |_, _| {},
        );
    }

    /// Notes how many bytes wait, as the Data Available event says.
    pub(super) fn note_available(&mut self) {
        let length = self
            .answer_object(Tag::CHANNEL_DATA_LENGTH)
            .unwrap_or_default();
        self.w[reg::AVAILABLE] = length.first().copied().unwrap_or(0);
    }

    /// Takes the bytes of RECEIVE DATA to the receive buffer, and how many still wait.
    pub(super) fn take_data(&mut self) {
        let data = self.answer_object(Tag::CHANNEL_DATA).unwrap_or_default();
        let len = data.len().min(BUFFER);
        self.rx[..len].copy_from_slice(&data[..len]);
        self.put16(reg::RX_LEN, len as u16);
        self.put16(reg::RX_POS, 0);
        if len > 0 {
            self.w[reg::PROGRESS] = 1;
        }
        self.note_available();
    }
}

/// General result for a command that got none: command data not understood by terminal.
pub const NO_RESULT: u8 = 0x32;
/// UICC/terminal interface transport level: TCP, UICC in client mode, remote connection
/// (ETSI TS 102 223 8.59).
pub const TCP_CLIENT_REMOTE: u8 = 0x02;
/// Type of address: IPv4 (ETSI TS 102 223 8.58).
pub const IPV4: u8 = 0x21;
