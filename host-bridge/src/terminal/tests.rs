//! The terminal against a card that is a script.

use super::script::{Script, close, command, events, open, receive, send, timer};
use super::*;
use applet_model::cat::{
    BipError, ChannelStatus, CommandType, Device, GeneralResult, ProactiveCommand, Tag,
    TerminalResponse, TimerValue, Transport, qualifier,
};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

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

#[test]
fn datagrams_come_one_at_a_time() {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    std::thread::spawn(move || {
        let mut buffer = [0u8; 64];
        let (n, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..n], from).unwrap();
        socket.send_to(b"second", from).unwrap();
    });
    let mut udp = open(true);
    for object in &mut udp.objects {
        if object.tag == Tag::TRANSPORT_LEVEL {
            object.value[0] = Transport::UDP_CLIENT_REMOTE.0;
        }
    }
    let mut script = opening(Script::new(vec![]), vec![udp, send(b"first")]);
    script.on_envelope = Box::new(|e| match e.event_code() {
        Some(Event::DATA_AVAILABLE) => vec![receive(200)],
        _ => vec![],
    });
    let mut t = terminal(script, Some(address));
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(300), |t| {
        t.link().envelopes.len() == 2
    })
    .unwrap();
    let data: Vec<_> = t
        .link()
        .responses
        .iter()
        .filter_map(TerminalResponse::channel_data)
        .collect();
    assert_eq!(data, [&b"first"[..], &b"second"[..]]);
}

#[test]
fn data_that_was_read_meanwhile_is_not_announced() {
    let address = peer(vec![vec![0x55; 100]]);
    // The card waits by asking again instead of for the event.
    let asking = std::iter::repeat_n(receive(200), 400);
    let mut script = opening(Script::new(vec![]), vec![open(true)]);
    script.on_status.push_back(send(b"x"));
    let mut t = terminal(script, Some(address));
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(300), |t| {
        t.link().responses.last().unwrap().command == CommandType::SEND_DATA
    })
    .unwrap();
    std::thread::sleep(Duration::from_millis(20));
    t.link_mut().next.extend(asking);
    t.link_mut()
        .on_status
        .push_back(command(CommandType::MORE_TIME, 0));
    t.command(&Command::new(0x80, 0xF2, 0, 0x0C)).unwrap();
    t.run_until(Limits::virtual_seconds(5), |t| t.link().next.is_empty())
        .unwrap();
    t.run_for(Limits::virtual_seconds(5)).unwrap();
    let read: usize = t
        .link()
        .responses
        .iter()
        .filter_map(TerminalResponse::channel_data)
        .map(<[u8]>::len)
        .sum();
    assert_eq!(read, 100);
    let announced = t
        .link()
        .envelopes
        .iter()
        .filter(|e| e.event_code() == Some(Event::DATA_AVAILABLE))
        .count();
    assert_eq!(announced, 0);
}

#[test]
fn late_timers_and_an_answer_before_the_reset() {
    let refresh = command(CommandType::REFRESH, qualifier::REFRESH_UICC_RESET);
    let mut script = Script::new(vec![timer(1, 10)]);
    script.on_envelope = Box::new(move |_| vec![refresh.clone()]);
    let mut t = terminal(script, None);
    t.inject(Fault::TimersLate { seconds: 5 });
    t.inject(Fault::RefreshAnswersFirst);
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(100), |t| t.resets() == 2)
        .unwrap();
    assert_eq!(t.now_ms(), 15_000);
    let value = t.link().envelopes[0].objects().require(Tag::TIMER_VALUE);
    assert_eq!(TimerValue::parse(value.unwrap()).unwrap().seconds(), 15);
    let last = t.link().responses.last().unwrap();
    assert_eq!(
        (last.command, last.result),
        (CommandType::REFRESH, GeneralResult::OK)
    );
}

#[test]
fn the_log_tells_the_story() {
    let address = peer(vec![b"HTTP/1.1 200 OK".to_vec()]);
    let mut script = opening(Script::new(vec![]), vec![open(true), send(b"GET /")]);
    script.on_envelope = Box::new(|e| match e.event_code() {
        Some(Event::DATA_AVAILABLE) => vec![receive(200), close()],
        _ => vec![],
    });
    let mut t = terminal(script, Some(address));
    t.boot().unwrap();
    t.run_until(Limits::virtual_seconds(100), |t| {
        t.link().responses.last().unwrap().command == CommandType::CLOSE_CHANNEL
    })
    .unwrap();
    let records = t.log_mut().take();
    let story = serde_json::to_string(&records).unwrap();
    for part in [
        "\"kind\":\"reset\"",
        "89012345678901234567",
        "OPEN CHANNEL (immediate)",
        "192.0.2.1:80",
        &hex::encode_upper(b"GET /"),
        &hex::encode_upper(b"HTTP/1.1 200 OK"),
        "event download",
        "closed by the card",
    ] {
        assert!(story.contains(part), "{part} is not in {story}");
    }
    assert!(records.windows(2).all(|pair| pair[0].apdu <= pair[1].apdu));
}

#[test]
fn the_virtual_card_starts_as_any_other() {
    use cards::card::{CardConfig, VirtualCard};
    use cards::definition::Definition;
    use cards::euicc::{Eid, EuiccConfig};
    let eid = Eid::with_check_digits("890490320000000000000000000001").unwrap();
    let definition = Definition::find("virtual-lab").unwrap();
    let euicc = EuiccConfig::lab(eid).unwrap();
    let config = CardConfig::with_test_keys(definition, 7, euicc).unwrap();
    let link = crate::personalize::VirtualLink::new("lab", VirtualCard::new(config).unwrap());
    let mut t = Terminal::new(link, DeviceProfile::default(), Network::default());
    t.boot().unwrap();
    assert_eq!(
        t.identity(),
        Some(&Identity {
            iccid: "89999010000000000013".into(),
            imsi: "999010000000001".into(),
        })
    );
    assert!(t.has_service());
    assert_eq!(
        t.run_for(Limits::virtual_seconds(3600)).unwrap(),
        Stop::Deadline
    );
}
