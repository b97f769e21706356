//! The terminal against a card that is a script.

use super::*;
use crate::transport::{CardLink, LinkError};
use applet_model::cat::{
    Bearer, BearerDescription, BipError, ChannelStatus, CommandType, Device, GeneralResult,
    IpAddress, OpenChannel, ProactiveCommand, Tag, TerminalProfile, TerminalResponse, TimerValue,
    Transport, TransportLevel, qualifier,
};
use applet_model::status::Sw;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

type Rule = Box<dyn FnMut(&Envelope) -> Vec<ProactiveCommand>>;

/// A card that sends listed proactive commands, and more in answer to envelopes.
struct Script {
    next: VecDeque<ProactiveCommand>,
    on_envelope: Rule,
    on_status: VecDeque<ProactiveCommand>,
    responses: Vec<TerminalResponse>,
    envelopes: Vec<Envelope>,
    profiles: Vec<TerminalProfile>,
    busy: u32,
    statuses: u32,
    files: Vec<([u8; 2], Vec<u8>)>,
    selected: Option<[u8; 2]>,
    dead: bool,
}

impl Script {
    fn new(commands: Vec<ProactiveCommand>) -> Self {
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

fn timer(id: u8, seconds: u32) -> ProactiveCommand {
    command(CommandType::TIMER_MANAGEMENT, qualifier::TIMER_START)
        .with(Tag::TIMER_IDENTIFIER, true, [id])
        .with(
            Tag::TIMER_VALUE,
            true,
            TimerValue::from_seconds(seconds).unwrap().to_bytes(),
        )
}

fn command(kind: CommandType, qualifier: u8) -> ProactiveCommand {
    ProactiveCommand::new(1, kind, qualifier, Device::TERMINAL)
}

fn events() -> ProactiveCommand {
    command(CommandType::SET_UP_EVENT_LIST, 0).with(Tag::EVENT_LIST, true, [0x09, 0x0A])
}

fn open(immediate: bool) -> ProactiveCommand {
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

fn send(data: &[u8]) -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::SEND_DATA, 1, Device::CHANNEL_1).with(
        Tag::CHANNEL_DATA,
        true,
        data,
    )
}

fn receive(n: u8) -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::RECEIVE_DATA, 0, Device::CHANNEL_1).with(
        Tag::CHANNEL_DATA_LENGTH,
        true,
        [n],
    )
}

fn close() -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::CLOSE_CHANNEL, 0, Device::CHANNEL_1)
}

fn terminal(script: Script, to: Option<std::net::SocketAddr>) -> Terminal<Script> {
    let network = Network {
        resolve: to
            .map(|to| Resolve {
                host: "192.0.2.1".into(),
                port: None,
                to,
            })
            .into_iter()
            .collect(),
        patience: Duration::from_millis(300),
        ..Network::default()
    };
    Terminal::new(script, DeviceProfile::default(), network)
}

fn results(terminal: &Terminal<Script>) -> Vec<(CommandType, GeneralResult, Vec<u8>)> {
    terminal
        .link()
        .responses
        .iter()
        .map(|r| (r.command, r.result, r.additional.clone()))
        .collect()
}

/// A peer that answers one request with these pieces, a moment apart, and then closes.
fn peer(pieces: Vec<Vec<u8>>) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0u8; 64];
        let _ = stream.read(&mut request);
        for piece in pieces {
            stream.write_all(&piece).unwrap();
            std::thread::sleep(Duration::from_millis(40));
        }
    });
    address
}

#[test]
fn the_start_reads_who_the_card_is() {
    let mut t = terminal(Script::new(vec![events()]), None);
    t.boot().unwrap();
    let identity = t.identity().unwrap();
    assert_eq!(identity.iccid, "89012345678901234567");
    assert_eq!(identity.imsi, "001010123456789");
    assert!(t.has_service() && t.is_quiet());
    assert_eq!(t.link().profiles.len(), 1);
    assert_eq!(t.link().responses[0].result, GeneralResult::OK);
}

#[test]
fn a_card_without_files_has_no_service() {
    let mut script = Script::new(vec![]);
    script.files.clear();
    let mut t = terminal(script, None);
    t.boot().unwrap();
    assert!(!t.has_service());
    assert_eq!(t.identity(), Some(&Identity::default()));
}

#[test]
fn an_hour_passes_at_once_and_timers_keep_their_order() {
    let mut script = Script::new(vec![timer(2, 3600), timer(1, 90)]);
    script.on_envelope = Box::new(|e| match e.timer() {
        Some(1) => vec![timer(1, 100)],
        _ => vec![],
    });
    let mut t = terminal(script, None);
    t.boot().unwrap();
    let stop = t
        .run_until(Limits::virtual_seconds(7200), |t| {
            t.link().envelopes.iter().any(|e| e.timer() == Some(2))
        })
        .unwrap();
    assert_eq!(stop, Stop::Condition);
    assert_eq!(t.now_ms(), 3_600_000);
    // 90 s, then every 100 s up to 3590 s.
    assert_eq!(t.link().envelopes.len(), 1 + 35 + 1);
    // The last timer comes before the STATUS of the same moment.
    assert_eq!(t.link().statuses, 119);
    assert_eq!(
        t.run_for(Limits::virtual_seconds(10)).unwrap(),
        Stop::Deadline
    );
    assert_eq!(t.now_ms(), 3_610_000);
}

#[test]
fn timers_are_read_and_stopped() {
    let manage =
        |q, id| command(CommandType::TIMER_MANAGEMENT, q).with(Tag::TIMER_IDENTIFIER, true, [id]);
    let script = Script::new(vec![
        timer(8, 60),
        manage(qualifier::TIMER_GET_VALUE, 8),
        manage(qualifier::TIMER_DEACTIVATE, 8),
        manage(qualifier::TIMER_DEACTIVATE, 8),
        manage(qualifier::TIMER_START, 1),
        manage(qualifier::TIMER_GET_VALUE, 9),
    ]);
    let mut t = terminal(script, None);
    t.boot().unwrap();
    let got: Vec<_> = t.link().responses.iter().map(|r| r.result.0).collect();
    assert_eq!(got, [0x00, 0x00, 0x00, 0x24, 0x36, 0x32]);
    assert_eq!(t.link().responses[1].timer_value().unwrap().seconds(), 60);
}

#[test]
fn bytes_flow_over_a_real_socket_and_the_close_is_told() {
    let address = peer(vec![vec![0xAA; 300], vec![0xBB; 10]]);
    let mut script = Script::new(vec![events(), open(true), send(b"hello")]);
    script.on_envelope = Box::new(|e| match e.event_code() {
        Some(Event::DATA_AVAILABLE) => vec![receive(200), receive(200)],
        Some(Event::CHANNEL_STATUS) => vec![close()],
        _ => vec![],
    });
    let mut t = terminal(script, Some(address));
    t.boot().unwrap();
    // The script opens its channel before the device looks for service: refused.
    assert_eq!(t.link().responses[1].result, GeneralResult::TERMINAL_UNABLE);

    t.link_mut().next = VecDeque::from([open(true), send(b"hello")]);
    t.link_mut().responses.clear();
    t.run_until(Limits::virtual_seconds(40), |t| {
        t.link().responses.len() == 2
    })
    .unwrap();
    let status = t.link().responses[0].channel_status().unwrap();
    assert_eq!((status.channel, status.established), (1, true));
    assert_eq!(
        t.run_until_quiet(Limits::virtual_seconds(600)).unwrap(),
        Stop::Condition
    );
    let data: Vec<u8> = t
        .link()
        .responses
        .iter()
        .filter_map(TerminalResponse::channel_data)
        .flatten()
        .copied()
        .collect();
    assert_eq!(data.len(), 310);
    assert_eq!(data[300..], [0xBB; 10]);
    let last = t.link().responses.last().unwrap();
    assert_eq!(
        (last.command, last.result),
        (CommandType::CLOSE_CHANNEL, GeneralResult::OK)
    );
    let dropped = t.link().envelopes.last().unwrap().channel().unwrap();
    assert_eq!(dropped.info, ChannelStatus::LINK_DROPPED);
}

/// Opens a channel once the device has service, by way of STATUS.
fn opening(mut script: Script, commands: Vec<ProactiveCommand>) -> Script {
    script.next.push_back(events());
    script.on_status = commands.into();
    script
}

#[test]
fn a_silent_peer_lets_the_guard_timer_fire() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut script = opening(
        Script::new(vec![timer(1, 95)]),
        vec![open(true), send(b"hello")],
    );
    script.on_envelope = Box::new(|e| match e.timer() {
        Some(_) => vec![close()],
        None => vec![],
    });
    let mut t = terminal(script, Some(listener.local_addr().unwrap()));
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(600), |t| {
        t.link().responses.last().unwrap().command == CommandType::CLOSE_CHANNEL
    })
    .unwrap();
    assert_eq!(t.now_ms(), 95_000);
}

#[test]
fn channels_are_counted_and_checked() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let channel_9 = ProactiveCommand::new(1, CommandType::SEND_DATA, 1, Device(0x23)).with(
        Tag::CHANNEL_DATA,
        true,
        [1],
    );
    let script = opening(
        Script::new(vec![]),
        vec![
            open(false),
            command(CommandType::GET_CHANNEL_STATUS, 0),
            channel_9,
            receive(10),
            open(false),
            open(true),
            close(),
            close(),
        ],
    );
    let mut t = terminal(script, Some(listener.local_addr().unwrap()));
    t.boot().unwrap();
    t.run_for(Limits::virtual_seconds(300)).unwrap();
    let got: Vec<_> = results(&t)
        .into_iter()
        .skip(1)
        .map(|(_, general, more)| (general.0, more))
        .collect();
    let bip = |e: BipError| (0x3A, vec![e.0]);
    assert_eq!(
        got,
        [
            (0x00, vec![]),
            (0x00, vec![]),
            bip(BipError::CHANNEL_IDENTIFIER_INVALID),
            (0x02, vec![]),
            (0x00, vec![]),
            bip(BipError::NO_CHANNEL_AVAILABLE),
            (0x00, vec![]),
            bip(BipError::CHANNEL_IDENTIFIER_INVALID),
        ]
    );
}

#[test]
fn an_unreachable_peer_and_no_service_are_told_apart() {
    let nobody = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let script = opening(Script::new(vec![]), vec![open(true), open(true)]);
    let mut t = terminal(script, Some(nobody));
    t.boot().unwrap();
    t.run_for(Limits::virtual_seconds(30)).unwrap();
    t.set_service("89012345678901234567", false).unwrap();
    t.run_for(Limits::virtual_seconds(30)).unwrap();
    let got: Vec<_> = results(&t)
        .into_iter()
        .skip(1)
        .map(|r| (r.1.0, r.2))
        .collect();
    assert_eq!(got, [(0x21, vec![0]), (0x20, vec![4])]);
}

#[test]
fn refresh_resets_the_card_and_starts_again() {
    let refresh = command(CommandType::REFRESH, qualifier::REFRESH_UICC_RESET);
    let script = opening(Script::new(vec![timer(1, 500)]), vec![refresh]);
    let mut t = terminal(script, None);
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(100), |t| t.resets() == 2)
        .unwrap();
    assert_eq!(t.link().profiles.len(), 2);
    assert!(
        t.link()
            .responses
            .iter()
            .all(|r| r.command != CommandType::REFRESH)
    );
    // The timer went with the session.
    t.run_for(Limits::virtual_seconds(1000)).unwrap();
    assert!(t.link().envelopes.is_empty());
}

#[test]
fn a_card_that_only_resets_is_an_error() {
    let refresh = command(CommandType::REFRESH, qualifier::REFRESH_UICC_RESET);
    let mut t = terminal(Script::new(vec![refresh; 9]), None);
    assert!(matches!(t.boot(), Err(TerminalError::RefreshLoop(_))));
}

#[test]
fn faults_do_what_they_say() {
    let address = peer(vec![vec![0x55; 100]]);
    let refresh = command(CommandType::REFRESH, qualifier::REFRESH_UICC_RESET);
    let mut script = opening(
        Script::new(vec![]),
        vec![
            refresh.clone(),
            open(true),
            open(true),
            open(true),
            open(true),
            send(b"x"),
        ],
    );
    script.on_envelope = Box::new(|e| match e.event_code() {
        Some(Event::DATA_AVAILABLE) => vec![receive(200), receive(200)],
        _ => vec![],
    });
    let mut t = terminal(script, Some(address));
    t.inject(Fault::RefreshNeverHappens { times: Some(1) });
    t.inject(Fault::busy(CommandType::OPEN_CHANNEL, 2));
    t.inject(Fault::NoChannelFree { times: Some(1) });
    t.inject(Fault::LinkDropsAfter {
        bytes: 60,
        times: Some(1),
    });
    t.boot().unwrap();
    t.run_for(Limits::virtual_seconds(300)).unwrap();
    let got: Vec<_> = results(&t)
        .into_iter()
        .skip(1)
        .map(|r| (r.1.0, r.2))
        .collect();
    assert_eq!(
        got,
        [
            (0x00, vec![]),
            (0x20, vec![2]),
            (0x20, vec![2]),
            (0x3A, vec![1]),
            (0x00, vec![]),
            (0x00, vec![]),
            (0x02, vec![]),
            (0x3A, vec![2]),
        ]
    );
    assert_eq!(t.resets(), 1);
    let data = t
        .link()
        .responses
        .iter()
        .find_map(TerminalResponse::channel_data);
    assert_eq!(data.unwrap().len(), 60);
}

#[test]
fn a_busy_card_gets_its_envelope_later() {
    let mut script = Script::new(vec![timer(1, 10)]);
    script.busy = 3;
    let mut t = terminal(script, None);
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(100), |t| {
        !t.link().envelopes.is_empty()
    })
    .unwrap();
    assert_eq!(t.now_ms(), 13_000);
}

#[test]
fn what_is_not_supported_is_refused_politely() {
    let mut t = terminal(
        Script::new(vec![
            command(CommandType::SET_UP_MENU, 0),
            command(CommandType(0x6F), 0),
            command(
                CommandType::PROVIDE_LOCAL_INFORMATION,
                qualifier::LOCAL_DATE_TIME,
            ),
        ]),
        None,
    );
    t.boot().unwrap();
    let got: Vec<_> = results(&t).into_iter().map(|r| r.1.0).collect();
    assert_eq!(got, [0x30, 0x31, 0x00]);
    let date = t.link().responses[2].find(Tag::DATE_TIME_ZONE).unwrap();
    assert_eq!(hex::encode(date), "62101000000000");
}

#[test]
fn a_dead_card_ends_the_session_with_its_place() {
    let mut t = terminal(Script::new(vec![]), None);
    t.boot().unwrap();
    t.link_mut().dead = true;
    let e = t.run_for(Limits::virtual_seconds(60)).unwrap_err();
    assert!(matches!(e, TerminalError::Link { .. }), "{e}");
    assert!(matches!(
        t.run_for(Limits::virtual_seconds(60)),
        Err(TerminalError::Off)
    ));
    t.link_mut().dead = false;
    t.boot().unwrap();
}
