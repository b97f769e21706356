//! Doing what proactive commands ask for (ETSI TS 102 223 6.4) and answering them (6.8).

use super::bip::Channel;
use super::{Fault, Terminal, TerminalError, Timer, What};
use crate::transport::CardLink;
use applet_model::apdu::Command;
use applet_model::cat::{
    Bearer, BipError, CatError, ChannelStatus, CommandType, Detail, GeneralResult, IpAddress,
    OpenChannel, ProactiveCommand, Tag, TerminalProblem, TerminalResponse, TimerValue, Transport,
    describe_response, qualifier,
};
use std::net::SocketAddr;

impl<L: CardLink> Terminal<L> {
    /// Does a fetched command and sends the answer, unless a reset takes its place.
    pub(super) fn serve(&mut self, bytes: &[u8]) -> Result<(), TerminalError> {
        let command = match ProactiveCommand::parse(bytes) {
            Ok(command) => command,
            Err(e) => {
                // Command details are what an answer must repeat: number 0 if they can't be read.
                self.log.note(self.now, format!("can't be read: {e}"));
                let unread = ProactiveCommand::new(
                    0,
                    CommandType(0),
                    0,
                    applet_model::cat::Device::TERMINAL,
                );
                return self.answer(&TerminalResponse::to(
                    &unread,
                    GeneralResult::DATA_NOT_UNDERSTOOD,
                ));
            }
        };
        let response = self.execute(&command)?;
        match response {
            Some(response) => self.answer(&response),
            None => Ok(()),
        }
    }

    fn answer(&mut self, response: &TerminalResponse) -> Result<(), TerminalError> {
        let bytes = response.to_bytes();
        self.log.push(
            self.now,
            What::TerminalResponse {
                bytes: hex::encode_upper(&bytes),
                text: describe_response(&bytes),
            },
        );
        let answer = self.exchange(&Command::new(0x80, 0x14, 0, 0).with_data(bytes))?;
        if !answer.sw.is_ok() {
            let text = format!("TERMINAL RESPONSE refused with {}", answer.sw);
            self.log.note(self.now, text);
        }
        Ok(())
    }

    /// The answer to a command; `None` if the card is reset instead.
    fn execute(
        &mut self,
        command: &ProactiveCommand,
    ) -> Result<Option<TerminalResponse>, TerminalError> {
        let kind = command.command;
        let fault = self.device.take_fault(|fault| match fault {
            Fault::Answer {
                command, result, ..
            } if *command == kind => Some(result.clone()),
            Fault::NoChannelFree { .. } if kind == CommandType::OPEN_CHANNEL => Some(vec![
                GeneralResult::BIP_ERROR.0,
                BipError::NO_CHANNEL_AVAILABLE.0,
            ]),
            _ => None,
        });
        if let Some(result) = fault {
            return Ok(Some(with_result(command, &result)));
        }
        let detail = match command.detail() {
            Ok(detail) => detail,
            Err(e) => {
                self.log.note(self.now, e.to_string());
                let result = match e {
                    CatError::Missing(_) => GeneralResult::REQUIRED_VALUES_MISSING,
                    _ => GeneralResult::DATA_NOT_UNDERSTOOD,
                };
                return Ok(Some(TerminalResponse::to(command, result)));
            }
        };
        let ok = TerminalResponse::to(command, GeneralResult::OK);
        let beyond = TerminalResponse::to(command, GeneralResult::BEYOND_CAPABILITIES);
        let bip = self.device.channels > 0;
        Ok(Some(match detail {
            Detail::Refresh { mode } => return self.refresh(command, mode),
            Detail::MoreTime => ok,
            Detail::PollInterval(wanted) => {
                let interval = u64::from(wanted.millis());
                let now = self.now;
                self.session()?.status = Some((interval, now + interval));
                ok.with(Tag::DURATION, true, wanted.to_bytes())
            }
            Detail::PollingOff => {
                self.session()?.status = None;
                ok
            }
            Detail::SetUpEventList(events) => {
                self.session()?.events = events;
                ok
            }
            Detail::TimerManagement { .. } if !self.device.timers => beyond,
            Detail::TimerManagement {
                action,
                timer,
                value,
            } => self.timer_management(command, action, timer, value)?,
            Detail::OpenChannel(open) if bip => self.open_channel(command, &open)?,
            Detail::CloseChannel { channel } if bip => self.close_channel(command, channel)?,
            Detail::SendData {
                channel,
                immediate,
                data,
            } if bip => self.send_data(command, channel, immediate, &data)?,
            Detail::ReceiveData { channel, length } if bip => {
                self.receive_data(command, channel, length)?
            }
            Detail::GetChannelStatus if bip => self.channel_status(command)?,
            Detail::ProvideLocalInformation { what } => self.local_information(command, what),
            Detail::Other if command.command.name().is_none() => {
                TerminalResponse::to(command, GeneralResult::TYPE_NOT_UNDERSTOOD)
            }
            // Without a display, a keypad and a subscriber's calls, nothing else is done.
            _ => beyond,
        }))
    }

    /// REFRESH (ETSI TS 102 223 6.4.7). For a UICC reset the terminal sends no TERMINAL RESPONSE:
    /// the reset is the answer.
    fn refresh(
        &mut self,
        command: &ProactiveCommand,
        mode: u8,
    ) -> Result<Option<TerminalResponse>, TerminalError> {
        let ok = TerminalResponse::to(command, GeneralResult::OK);
        let never = self
            .device
            .take_fault(|fault| matches!(fault, Fault::RefreshNeverHappens { .. }).then_some(()));
        if never.is_some() {
            return Ok(Some(ok));
        }
        if mode == qualifier::REFRESH_UICC_RESET {
            if self.device.has_fault(&Fault::RefreshAnswersFirst) {
                self.answer(&ok)?;
            }
            self.session()?.reset = true;
            return Ok(None);
        }
        self.session()?.reread = true;
        Ok(Some(ok))
    }

    fn timer_management(
        &mut self,
        command: &ProactiveCommand,
        action: u8,
        id: u8,
        value: Option<TimerValue>,
    ) -> Result<TerminalResponse, TerminalError> {
        let now = self.now;
        let late = self.device.faults.iter().find_map(|fault| match fault {
            Fault::TimersLate { seconds } => Some(u64::from(*seconds) * 1000),
            _ => None,
        });
        let late = late.unwrap_or(0);
        let not_understood = TerminalResponse::to(command, GeneralResult::DATA_NOT_UNDERSTOOD);
        let contradiction = TerminalResponse::to(command, GeneralResult::TIMER_CONTRADICTION);
        let ok = TerminalResponse::to(command, GeneralResult::OK).with(
            Tag::TIMER_IDENTIFIER,
            true,
            [id],
        );
        let index = usize::from(id).checked_sub(1);
        let session = self.session()?;
        let Some(slot) = index.and_then(|index| session.timers.get_mut(index)) else {
            return Ok(not_understood);
        };
        Ok(match action {
            qualifier::TIMER_START => match value.map(TimerValue::seconds) {
                None => TerminalResponse::to(command, GeneralResult::REQUIRED_VALUES_MISSING),
                Some(seconds @ 1..=TimerValue::MAX_SECONDS) => {
                    *slot = Some(Timer {
                        started: now,
                        due: now + u64::from(seconds) * 1000 + late,
                        late,
                    });
                    ok
                }
                Some(_) => not_understood,
            },
            qualifier::TIMER_DEACTIVATE | qualifier::TIMER_GET_VALUE => match *slot {
                None => contradiction,
                Some(timer) => {
                    if action == qualifier::TIMER_DEACTIVATE {
                        *slot = None;
                    }
                    // Remaining time, rounded up so that a running timer never shows zero.
                    let left = timer.due.saturating_sub(now).div_ceil(1000);
                    let value = TimerValue::from_seconds(u32::try_from(left).unwrap_or(0));
                    match value {
                        Some(value) => ok.with(Tag::TIMER_VALUE, true, value.to_bytes()),
                        None => ok,
                    }
                }
            },
            _ => not_understood,
        })
    }

    fn open_channel(
        &mut self,
        command: &ProactiveCommand,
        open: &OpenChannel,
    ) -> Result<TerminalResponse, TerminalError> {
        let bip = |error| TerminalResponse::bip_error(command, error);
        let packet = [
            Bearer::PACKET,
            Bearer::DEFAULT,
            Bearer::UTRAN_EXTENDED,
            Bearer::E_UTRAN,
            Bearer::NG_RAN,
        ];
        if !packet.contains(&open.bearer.bearer) {
            return Ok(TerminalResponse::to(
                command,
                GeneralResult::BEYOND_CAPABILITIES,
            ));
        }
        let udp = match open.transport.map(|level| level.transport) {
            Some(Transport::TCP_CLIENT_REMOTE) => false,
            Some(Transport::UDP_CLIENT_REMOTE) => true,
            _ => return Ok(bip(BipError::TRANSPORT_LEVEL_NOT_AVAILABLE)),
        };
        let (Some(level), Some(IpAddress::Ip(ip))) = (open.transport, open.destination) else {
            return Ok(TerminalResponse::to(
                command,
                GeneralResult::REQUIRED_VALUES_MISSING,
            ));
        };
        let session = self.session()?;
        let service = session.service;
        let in_use = session.channels.iter().flatten().count();
        let free = session.channels.iter().position(Option::is_none);
        let Some(slot) = free.filter(|_| in_use < usize::from(self.device.channels)) else {
            return Ok(bip(BipError::NO_CHANNEL_AVAILABLE));
        };
        if !service {
            return Ok(with_result(command, &self.device.no_service_result));
        }
        let id = slot as u8 + 1;
        let size = open.buffer_size.min(self.device.buffer_size);
        let mut channel = Channel::new(SocketAddr::new(ip, level.port), udp, size.into());
        if let Some(bytes) = self.device.take_fault(|fault| match fault {
            Fault::LinkDropsAfter { bytes, .. } => Some(*bytes),
            _ => None,
        }) {
            channel.drop_after(bytes);
        }
        if open.immediate && !self.connect(id, &mut channel) {
            return Ok(with_result(command, &self.device.unreachable_result));
        }
        let result = if size < open.buffer_size {
            GeneralResult::WITH_MODIFICATION
        } else {
            GeneralResult::OK
        };
        let status = channel.status(id);
        let session = self.session()?;
        session.silent = false;
        if let Some(place) = session.channels.get_mut(slot) {
            *place = Some(channel);
        }
        Ok(TerminalResponse::to(command, result)
            .with(Tag::CHANNEL_STATUS, false, status.to_bytes())
            .with(Tag::BEARER_DESCRIPTION, false, open.bearer.to_bytes())
            .with(Tag::BUFFER_SIZE, false, size.to_be_bytes()))
    }

    fn connect(&mut self, id: u8, channel: &mut Channel) -> bool {
        let asked = channel.asked.to_string();
        match channel.connect(&self.network) {
            Ok(to) => {
                let to = to.to_string();
                self.log.push(
                    self.now,
                    What::ChannelOpen {
                        channel: id,
                        asked,
                        to,
                    },
                );
                true
            }
            Err(e) => {
                let to = self.network.target(channel.asked).to_string();
                let why = e.to_string();
                self.log.push(self.now, What::ConnectFailed { to, why });
                false
            }
        }
    }

    fn close_channel(
        &mut self,
        command: &ProactiveCommand,
        id: u8,
    ) -> Result<TerminalResponse, TerminalError> {
        let Some(channel) = self.take_channel(id)? else {
            return Ok(TerminalResponse::bip_error(
                command,
                BipError::CHANNEL_IDENTIFIER_INVALID,
            ));
        };
        if channel.is_down() {
            if self.device.has_fault(&Fault::CloseAfterDropRefused) {
                return Ok(TerminalResponse::bip_error(
                    command,
                    BipError::CHANNEL_IDENTIFIER_INVALID,
                ));
            }
        } else {
            let why = "closed by the card".to_owned();
            self.log
                .push(self.now, What::ChannelDown { channel: id, why });
        }
        Ok(TerminalResponse::to(command, GeneralResult::OK))
    }

    fn send_data(
        &mut self,
        command: &ProactiveCommand,
        id: u8,
        immediate: bool,
        data: &[u8],
    ) -> Result<TerminalResponse, TerminalError> {
        let bip = |error| Ok(TerminalResponse::bip_error(command, error));
        // Taken out for the time of sending, so that the log can be written beside it.
        let Some(mut channel) = self.take_channel(id)? else {
            return bip(BipError::CHANNEL_IDENTIFIER_INVALID);
        };
        let response = if channel.is_down() {
            TerminalResponse::bip_error(command, BipError::CHANNEL_CLOSED)
        } else if !channel.store(data) {
            TerminalResponse::bip_error(command, BipError::BUFFER_SIZE_NOT_AVAILABLE)
        } else if immediate && channel.is_waiting() && !self.connect(id, &mut channel) {
            with_result(command, &self.device.unreachable_result)
        } else if immediate && !self.flush(id, &mut channel) {
            TerminalResponse::bip_error(command, BipError::CHANNEL_CLOSED)
        } else {
            let free = u8::try_from(channel.free()).unwrap_or(u8::MAX);
            TerminalResponse::to(command, GeneralResult::OK).with(
                Tag::CHANNEL_DATA_LENGTH,
                true,
                [free],
            )
        };
        let session = self.session()?;
        session.silent = false;
        if let Some(slot) = session.channels.get_mut(usize::from(id) - 1) {
            *slot = Some(channel);
        }
        Ok(response)
    }

    fn flush(&mut self, id: u8, channel: &mut Channel) -> bool {
        match channel.flush() {
            Ok(data) => {
                let data = hex::encode_upper(data);
                self.log.push(self.now, What::Sent { channel: id, data });
                true
            }
            Err(e) => {
                channel.take_down();
                let why = format!("sending failed: {e}");
                self.log
                    .push(self.now, What::ChannelDown { channel: id, why });
                false
            }
        }
    }

    /// RECEIVE DATA (ETSI TS 102 223 6.4.29): fewer bytes than asked for is "missing information".
    fn receive_data(
        &mut self,
        command: &ProactiveCommand,
        id: u8,
        length: u8,
    ) -> Result<TerminalResponse, TerminalError> {
        self.look_at_network()?;
        let most = usize::from(self.device.receive_size.min(length));
        let Some(channel) = self.channel(id)? else {
            return Ok(TerminalResponse::bip_error(
                command,
                BipError::CHANNEL_IDENTIFIER_INVALID,
            ));
        };
        if channel.is_down() && channel.available() == 0 {
            return Ok(TerminalResponse::bip_error(
                command,
                BipError::CHANNEL_CLOSED,
            ));
        }
        let data = channel.read(most);
        let left = u8::try_from(channel.available()).unwrap_or(u8::MAX);
        let result = if data.len() < most {
            GeneralResult::MISSING_INFORMATION
        } else {
            GeneralResult::OK
        };
        Ok(TerminalResponse::to(command, result)
            .with(Tag::CHANNEL_DATA, true, data)
            .with(Tag::CHANNEL_DATA_LENGTH, true, [left]))
    }

    fn channel_status(
        &mut self,
        command: &ProactiveCommand,
    ) -> Result<TerminalResponse, TerminalError> {
        let mut response = TerminalResponse::to(command, GeneralResult::OK);
        let session = self.session()?;
        for (id, channel) in (1..=7u8).zip(&session.channels) {
            if let Some(channel) = channel {
                response = response.with(Tag::CHANNEL_STATUS, true, channel.status(id).to_bytes());
            }
        }
        if response.objects.is_empty() {
            let none = ChannelStatus {
                channel: 0,
                established: false,
                info: 0,
            };
            response = response.with(Tag::CHANNEL_STATUS, true, none.to_bytes());
        }
        Ok(response)
    }

    fn channel(&mut self, id: u8) -> Result<Option<&mut Channel>, TerminalError> {
        let session = self.session()?;
        Ok(usize::from(id)
            .checked_sub(1)
            .and_then(|index| session.channels.get_mut(index))
            .and_then(Option::as_mut))
    }

    fn take_channel(&mut self, id: u8) -> Result<Option<Channel>, TerminalError> {
        let session = self.session()?;
        Ok(usize::from(id)
            .checked_sub(1)
            .and_then(|index| session.channels.get_mut(index))
            .and_then(Option::take))
    }
}

/// The answer with a result that is given as bytes; no bytes are "terminal currently unable".
fn with_result(command: &ProactiveCommand, result: &[u8]) -> TerminalResponse {
    match result.split_first() {
        Some((general, additional)) => {
            TerminalResponse::to(command, GeneralResult(*general)).additional(additional)
        }
        None => TerminalResponse::unable(command, TerminalProblem::NO_SPECIFIC_CAUSE),
    }
}
