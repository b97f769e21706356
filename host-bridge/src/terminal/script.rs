//! A card that is a script, for tests: it sends listed proactive commands, and more in answer to
//! envelopes and STATUS.

use crate::transport::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use applet_model::cat::{
    Bearer, BearerDescription, CommandType, Device, Envelope, IpAddress, OpenChannel,
    ProactiveCommand, Tag, TerminalProfile, TerminalResponse, TimerValue, Transport,
    TransportLevel, qualifier,
};
use applet_model::status::Sw;
use std::collections::VecDeque;

pub(crate) type Rule = Box<dyn FnMut(&Envelope) -> Vec<ProactiveCommand>>;

/// A card that sends listed proactive commands, and more in answer to envelopes.
pub(crate) struct Script {
    pub(crate) next: VecDeque<ProactiveCommand>,
    pub(crate) on_envelope: Rule,
    pub(crate) on_status: VecDeque<ProactiveCommand>,
    pub(crate) responses: Vec<TerminalResponse>,
    pub(crate) envelopes: Vec<Envelope>,
    pub(crate) profiles: Vec<TerminalProfile>,
    pub(crate) busy: u32,
    pub(crate) statuses: u32,
    pub(crate) files: Vec<([u8; 2], Vec<u8>)>,
    pub(crate) selected: Option<[u8; 2]>,
    pub(crate) dead: bool,
}

impl Script {
    pub(crate) fn new(commands: Vec<ProactiveCommand>) -> Self {
        Script {
            next: commands.into(),
            on_envelope: Box::new(|_| Vec::new()),
            on_status: VecDeque::new(),
            responses: Vec::new(),
            envelopes: Vec::new(),
            profiles: Vec::new(),
            busy: 0,
            statuses: 0,
            files: vec![
                ([0x3F, 0x00], vec![]),
                ([0x2F, 0xE2], hex::decode("98103254769810325476").unwrap()),
                ([0x6F, 0x07], hex::decode("080910101032547698").unwrap()),
            ],
            selected: None,
            dead: false,
        }
    }

    fn ending(&self, data: Vec<u8>) -> Response {
        let sw = self
            .next
            .front()
            .map_or(Sw::OK, |next| Sw::proactive_pending(next.to_bytes().len()));
        Response { data, sw }
    }
}

impl CardLink for Script {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x00]
    }
    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.selected = None;
        Ok(vec![0x3B, 0x00])
    }
    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        if self.dead {
            return Err(LinkError::PowerLost(self.name()));
        }
        Ok(match command.ins {
            0xA4 if command.p1 == 4 => self.ending(vec![]),
            0xA4 => {
                let file = [command.data[0], command.data[1]];
                if self.files.iter().any(|(id, _)| *id == file) {
                    self.selected = Some(file);
                    self.ending(vec![])
                } else {
                    Response::status(Sw::NOT_FOUND)
                }
            }
            0xB0 => {
                let file = self.files.iter().find(|(id, _)| Some(*id) == self.selected);
                Response::ok(file.unwrap().1.clone())
            }
            0x10 => {
                self.profiles.push(TerminalProfile(command.data.clone()));
                self.ending(vec![])
            }
            0x12 => Response::ok(self.next.pop_front().unwrap().to_bytes()),
            0x14 => {
                let response = TerminalResponse::parse(&command.data).unwrap();
                self.responses.push(response);
                self.ending(vec![])
            }
            0xC2 if self.busy > 0 => {
                self.busy -= 1;
                Response::status(Sw::TOOLKIT_BUSY)
            }
            0xC2 => {
                let envelope = Envelope::parse(&command.data).unwrap();
                self.next.extend((self.on_envelope)(&envelope));
                self.envelopes.push(envelope);
                self.ending(vec![])
            }
            0xF2 => {
                self.statuses += 1;
                self.next.extend(self.on_status.pop_front());
                self.ending(vec![])
            }
            _ => Response::status(Sw::INS_NOT_SUPPORTED),
        })
    }
    fn name(&self) -> String {
        "script".into()
    }
}

pub(crate) fn timer(id: u8, seconds: u32) -> ProactiveCommand {
    command(CommandType::TIMER_MANAGEMENT, qualifier::TIMER_START)
        .with(Tag::TIMER_IDENTIFIER, true, [id])
        .with(
            Tag::TIMER_VALUE,
            true,
            TimerValue::from_seconds(seconds).unwrap().to_bytes(),
        )
}

pub(crate) fn command(kind: CommandType, qualifier: u8) -> ProactiveCommand {
    ProactiveCommand::new(1, kind, qualifier, Device::TERMINAL)
}

pub(crate) fn events() -> ProactiveCommand {
    command(CommandType::SET_UP_EVENT_LIST, 0).with(Tag::EVENT_LIST, true, [0x09, 0x0A])
}

pub(crate) fn open(immediate: bool) -> ProactiveCommand {
    OpenChannel {
        immediate,
        bearer: BearerDescription {
            bearer: Bearer::DEFAULT,
            parameters: vec![],
        },
        buffer_size: 1400,
        access_name: None,
        local: None,
        transport: Some(TransportLevel {
            transport: Transport::TCP_CLIENT_REMOTE,
            port: 80,
        }),
        destination: Some(IpAddress::Ip([192, 0, 2, 1].into())),
    }
    .to_command(1)
}

pub(crate) fn send(data: &[u8]) -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::SEND_DATA, 1, Device::CHANNEL_1).with(
        Tag::CHANNEL_DATA,
        true,
        data,
    )
}

pub(crate) fn receive(n: u8) -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::RECEIVE_DATA, 0, Device::CHANNEL_1).with(
        Tag::CHANNEL_DATA_LENGTH,
        true,
        [n],
    )
}

pub(crate) fn close() -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::CLOSE_CHANNEL, 0, Device::CHANNEL_1)
}
