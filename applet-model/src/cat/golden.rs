//! Bytes of 3GPP TS 31.124 / ETSI TS 102 384 test sequences, read and written.

use super::*;
use proptest::prelude::*;

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// Proactive commands (clause 27.22.4) and what a trace says of them.
const COMMANDS: &[(&str, &str)] = &[
    ("D009810301020082028182", "MORE TIME"),
    (
        "D00D81030103008202818284020114",
        "POLL INTERVAL: duration 20.0 s",
    ),
    ("D009810301010482028182", "REFRESH (UICC reset)"),
    (
        "D00C810301050082028182990104",
        "SET UP EVENT LIST: event list [user activity]",
    ),
    (
        "D011810301270082028182A40101A503005000",
        "TIMER MANAGEMENT (start): timer identifier 1, timer value 00:05:00",
    ),
    (
        "D00C810301270282028182A40101",
        "TIMER MANAGEMENT (get current value): timer identifier 1",
    ),
    (
        "D042810301400182028182350702030403041F0239020578470A065465737447700272730D08F4557365724C6F670D08F4557365725077643C0301AD9C3E052101010101",
        "OPEN CHANNEL (immediate): bearer description GPRS, UTRAN packet service, E-UTRAN 030403041F02, \
         buffer size 1400, network access name TestGp.rs, text string \"UserLog\", text string \"UserPwd\", \
         UICC/terminal interface transport level UDP, UICC in client mode, remote connection port 44444, \
         other address 1.1.1.1",
    ),
    ("D009810301410082028121", "CLOSE CHANNEL to channel 1"),
    (
        "D00C810301420082028121B701C8",
        "RECEIVE DATA to channel 1: channel data length 200",
    ),
    (
        "D013810301430182028121B6080001020304050607",
        "SEND DATA (send immediately) to channel 1: channel data 8 bytes",
    ),
    ("D009810301440082028182", "GET CHANNEL STATUS"),
];

/// Terminal responses.
const RESPONSES: &[(&str, &str)] = &[
    (
        "81030101068202828183022002",
        "REFRESH: 20 terminal currently unable to process command, terminal currently busy on call",
    ),
    (
        "810301270282028281830100A40101A503003095",
        "TIMER MANAGEMENT: 00 command performed successfully, timer identifier 1, timer value 00:03:59",
    ),
    (
        "810301270182028281830124",
        "TIMER MANAGEMENT: 24 action in contradiction with the current timer state",
    ),
    (
        "81030140018202828183010038028100350702030403041F0239020578",
        "OPEN CHANNEL: 00 command performed successfully, channel status channel 1 established, \
         bearer description GPRS, UTRAN packet service, E-UTRAN 030403041F02, buffer size 1400",
    ),
    (
        "81030141008202828183023A03",
        "CLOSE CHANNEL: 3A bearer independent protocol error, channel identifier not valid",
    ),
    (
        "810301430182028281830100B701FF",
        "SEND DATA: 00 command performed successfully, channel data length 255 or more",
    ),
    (
        "810301440082028281830100B8028100",
        "GET CHANNEL STATUS: 00 command performed successfully, channel status channel 1 established",
    ),
];

#[test]
fn commands_are_read_and_written_back() {
    for (hex, text) in COMMANDS {
        let command = ProactiveCommand::parse(&bytes(hex)).unwrap();
        assert_eq!(hex::encode_upper(command.to_bytes()), *hex);
        assert_eq!(describe_proactive(&bytes(hex)), *text);
        command.detail().unwrap();
    }
}

#[test]
fn responses_are_read_and_written_back() {
    for (hex, text) in RESPONSES {
        let response = TerminalResponse::parse(&bytes(hex)).unwrap();
        assert_eq!(hex::encode_upper(response.to_bytes()), *hex);
        assert_eq!(describe_response(&bytes(hex)), *text);
    }
}

#[test]
fn open_channel_is_typed() {
    let command = ProactiveCommand::parse(&bytes(COMMANDS[6].0)).unwrap();
    let Detail::OpenChannel(open) = command.detail().unwrap() else {
        panic!("not an OPEN CHANNEL");
    };
    assert!(open.immediate);
    assert_eq!(open.buffer_size, 1400);
    assert_eq!(open.local, None);
    assert_eq!(
        open.transport,
        Some(TransportLevel {
            transport: Transport::UDP_CLIENT_REMOTE,
            port: 44444
        })
    );
    assert_eq!(open.destination, Some(IpAddress::Ip([1, 1, 1, 1].into())));
    let again = open.to_command(1);
    assert_eq!(again.detail().unwrap(), Detail::OpenChannel(open));
}

#[test]
fn envelopes_are_built_as_the_test_specification_has_them() {
    let up = ChannelStatus {
        channel: 1,
        established: true,
        info: 0,
    };
    let data = Envelope::data_available(up, 1000);
    assert_eq!(data.to_bytes(), bytes("D60E99010982028281B8028100B701FF"));
    assert_eq!(data.event_code(), Some(Event::DATA_AVAILABLE));
    assert_eq!((data.channel(), data.data_length()), (Some(up), Some(255)));

    let dropped = Envelope::channel_status(ChannelStatus {
        channel: 1,
        established: false,
        info: ChannelStatus::LINK_DROPPED,
    });
    assert_eq!(dropped.to_bytes(), bytes("D60B99010A82028281B8020105"));
    assert_eq!(
        describe_envelope(&dropped.to_bytes()),
        "event download: event list [channel status], channel status channel 1 not established, link dropped"
    );

    let timer = Envelope::timer_expiration(1, TimerValue::from_seconds(10).unwrap());
    assert_eq!(timer.to_bytes(), bytes("D70C82028281A40101A503000001"));
    assert_eq!(timer.timer(), Some(1));
    assert_eq!(Envelope::parse(&timer.to_bytes()).unwrap(), timer);
}

#[test]
fn what_is_missing_is_named() {
    let no_details = bytes("D00482028182");
    assert_eq!(
        ProactiveCommand::parse(&bytes("D00482028182")).unwrap_err(),
        CatError::Missing(Tag::COMMAND_DETAILS),
        "{}",
        describe_proactive(&no_details)
    );
    let no_timer = ProactiveCommand::parse(&bytes("D009810301270082028182")).unwrap();
    assert_eq!(
        no_timer.detail(),
        Err(CatError::Missing(Tag::TIMER_IDENTIFIER))
    );
    assert_eq!(
        TerminalResponse::parse(&bytes("81030127018202828183"))
            .unwrap_err()
            .to_string(),
        "data object at byte 9 needs 2 bytes, 1 are there"
    );
}

proptest! {
    #[test]
    fn no_bytes_panic(list in proptest::collection::vec(any::<u8>(), 0..60)) {
        let wrapped = wrap_ber(Ber::PROACTIVE_COMMAND, &list);
        for bytes in [&list, &wrapped] {
            let _ = describe_proactive(bytes);
            let _ = describe_response(bytes);
            let _ = describe_envelope(bytes);
            let _ = describe_list(bytes);
        }
    }

    #[test]
    fn no_objects_panic(number: u8, command: u8, qualifier: u8, destination: u8,
                        objects in proptest::collection::vec((1u16..0x50, proptest::collection::vec(any::<u8>(), 0..9)), 0..8)) {
        let mut proactive = ProactiveCommand::new(number, CommandType(command), qualifier, Device(destination));
        for (tag, value) in objects {
            proactive = proactive.with(Tag(tag), false, value);
        }
        let bytes = proactive.to_bytes();
        let _ = describe_proactive(&bytes);
        let _ = ProactiveCommand::parse(&bytes).map(|command| command.detail());
        let mut response = TerminalResponse::to(&proactive, GeneralResult(qualifier));
        response.objects = proactive.objects.clone();
        let _ = describe_response(&response.to_bytes());
    }
}
