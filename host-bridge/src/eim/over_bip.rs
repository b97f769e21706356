//! A scripted card polls the eIM over the terminal's BIP channel: the whole way of the bytes.

use super::*;
use crate::terminal::script::{Script, close, command, events, open, receive, send};
use crate::terminal::{DeviceProfile, Limits, Network, Resolve, Terminal};
use applet_model::cat::{CommandType, Device, Event, ProactiveCommand, Tag, TerminalResponse};
use applet_model::sgp::esipa::{GetEimPackageRequest, GetEimPackageResponse};
use applet_model::sgp::{Decode, Encode};
use cards::pki::Hierarchy;

const EID: &str = "89049032123451234512345678901235";

fn store(data: &[u8]) -> ProactiveCommand {
    ProactiveCommand::new(1, CommandType::SEND_DATA, 0, Device::CHANNEL_1).with(
        Tag::CHANNEL_DATA,
        true,
        data,
    )
}

/// One poll of a card that opens a channel, posts, reads until nothing is left, and closes.
fn poll(eim: &Eim) -> (Vec<u8>, Vec<crate::terminal::Record>) {
    let server = eim.serve(([127, 0, 0, 1], 0).into()).unwrap();
    let body = GetEimPackageRequest::new(EID.parse().unwrap())
        .to_der()
        .unwrap();
    let head = format!(
        "POST {PATH} HTTP/1.1\r\nHost: eim.lab.example\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n",
        crate::web::ASN1,
        body.len()
    );
    let mut script = Script::new(vec![events()]);
    script.on_status = [open(true), store(head.as_bytes()), send(&body)].into();
    script.on_envelope = Box::new(|envelope| match envelope.event_code() {
        Some(Event::DATA_AVAILABLE) => vec![receive(237); 3],
        _ => vec![],
    });
    script
        .on_status
        .push_back(command(CommandType::MORE_TIME, 0));
    script.on_status.push_back(close());
    let network = Network {
        resolve: vec![Resolve {
            host: "192.0.2.1".into(),
            port: Some(80),
            to: server.address(),
        }],
        patience: Duration::from_millis(400),
        ..Network::default()
    };
    let mut terminal = Terminal::new(script, DeviceProfile::default(), network);
    terminal.boot().unwrap();
    terminal
        .run_until(Limits::virtual_seconds(600), |terminal| {
            terminal.link().responses.last().unwrap().command == CommandType::CLOSE_CHANNEL
        })
        .unwrap();
    let data = terminal
        .link()
        .responses
        .iter()
        .filter_map(TerminalResponse::channel_data)
        .flatten()
        .copied()
        .collect();
    (data, terminal.log_mut().take())
}

fn eim() -> Eim {
    let identity = EimIdentity::of_hierarchy(&Hierarchy::lab().unwrap()).unwrap();
    Eim::open(&Storage::Memory, identity, EimOptions::default()).unwrap()
}

fn body(answer: &[u8]) -> &[u8] {
    let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    &answer[at + 4..]
}

#[test]
fn a_poll_brings_a_package_through_every_layer() {
    let eim = eim();
    eim.enqueue(&EID.parse().unwrap(), &[Operation::list_profile_info()])
        .unwrap();
    let (answer, records) = poll(&eim);
    assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"));
    assert!(matches!(
        GetEimPackageResponse::from_der(body(&answer)).unwrap(),
        GetEimPackageResponse::EuiccPackageRequest(_)
    ));
    assert!(!records.is_empty());
    let (answer, _) = poll(&eim);
    assert_eq!(
        eim.packages(&EID.parse().unwrap()).unwrap()[0].deliveries,
        2
    );
    assert!(!answer.is_empty());
}

#[test]
fn an_answer_that_is_cut_reaches_the_card_as_far_as_it_came() {
    let eim = eim();
    eim.inject(FaultPlan::once(EimFault::CutMidAnswer { bytes: 50 }));
    let (answer, records) = poll(&eim);
    assert_eq!(answer.len(), 50);
    let story = serde_json::to_string(&records).unwrap();
    assert!(story.contains("channel-down"), "{story}");
}
