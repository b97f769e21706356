//! Bytes to names, for traces and reports. What can't be read is shown as it is, with the reason.

use super::tlv::{TlvList, unwrap_ber};
use super::{
    BearerDescription, Ber, ChannelStatus, Device, Duration, Envelope, Event, GeneralResult,
    IpAddress, NetworkAccessName, ProactiveCommand, Tag, TerminalResponse, TimerValue, Tlv,
    TransportLevel, qualifier,
};
use core::fmt::Write;

/// A proactive command as FETCH gives it, in one line:
/// `OPEN CHANNEL (immediate): bearer description default bearer …, buffer size 1400, …`.
pub fn describe_proactive(bytes: &[u8]) -> String {
    let inner = match unwrap_ber(bytes, Ber::PROACTIVE_COMMAND) {
        Ok(inner) => inner,
        // Traces of the applet's boundary have no template.
        Err(_) if bytes.first().is_some_and(|b| b & 0x7F == 1) => bytes,
        Err(e) => return unreadable("proactive command", &e, bytes),
    };
    match ProactiveCommand::parse_inner(inner) {
        Ok(command) => {
            let mut out = command.command.to_string();
            match qualifier::name(command.command, command.qualifier) {
                Some(name) => {
                    let _ = write!(out, " ({name})");
                }
                None if command.qualifier != 0 => {
                    let _ = write!(out, " (qualifier {:02X})", command.qualifier);
                }
                None => {}
            }
            if command.destination.as_channel().is_some() {
                let _ = write!(out, " to {}", command.destination);
            }
            let objects: Vec<_> = command
                .objects
                .iter()
                .map(|o| object(&o.borrow()))
                .collect();
            if !objects.is_empty() {
                let _ = write!(out, ": {}", objects.join(", "));
            }
            out
        }
        Err(e) => unreadable("proactive command", &e, bytes),
    }
}

/// A terminal response's data, in one line.
pub fn describe_response(bytes: &[u8]) -> String {
    match TerminalResponse::parse(bytes) {
        Ok(response) => {
            let mut out = format!(
                "{}: {}",
                response.command,
                result(response.result, &response.additional)
            );
            for tlv in &response.objects {
                let _ = write!(out, ", {}", object(&tlv.borrow()));
            }
            out
        }
        Err(e) => unreadable("TERMINAL RESPONSE", &e, bytes),
    }
}

/// An envelope's data, in one line.
pub fn describe_envelope(bytes: &[u8]) -> String {
    match Envelope::parse(bytes) {
        Ok(envelope) => {
            let objects: Vec<_> = envelope
                .objects()
                .iter()
                .map_while(Result::ok)
                .filter(|tlv| tlv.tag != Tag::DEVICE_IDENTITIES)
                .map(|tlv| object(&tlv))
                .collect();
            format!("{}: {}", envelope.ber, objects.join(", "))
        }
        Err(e) => unreadable("ENVELOPE", &e, bytes),
    }
}

/// A list of COMPREHENSION-TLVs, in one line.
pub fn describe_list(bytes: &[u8]) -> String {
    let objects: Vec<_> = TlvList(bytes)
        .iter()
        .map(|tlv| match tlv {
            Ok(tlv) => object(&tlv),
            Err(e) => e.to_string(),
        })
        .collect();
    objects.join(", ")
}

fn unreadable(what: &str, why: &dyn core::fmt::Display, bytes: &[u8]) -> String {
    format!(
        "{what} that can't be read ({why}): {}",
        hex::encode_upper(bytes)
    )
}

fn result(result: GeneralResult, additional: &[u8]) -> String {
    let mut out = format!("{:02X} {result}", result.0);
    match result.additional_name(additional) {
        Some(name) => {
            let _ = write!(out, ", {name}");
        }
        None if !additional.is_empty() => {
            let _ = write!(
                out,
                ", additional information {}",
                hex::encode_upper(additional)
            );
        }
        None => {}
    }
    out
}

/// One data object: its name and its value, typed where the coding is known and right.
fn object(tlv: &Tlv<'_>) -> String {
    let value = value(tlv).unwrap_or_else(|| hex::encode_upper(tlv.value));
    if value.is_empty() {
        tlv.tag.to_string()
    } else {
        format!("{} {value}", tlv.tag)
    }
}

fn value(tlv: &Tlv<'_>) -> Option<String> {
    let bytes = tlv.value;
    Some(match tlv.tag {
        Tag::DEVICE_IDENTITIES => match *bytes {
            [from, to] => format!("{} to {}", Device(from), Device(to)),
            _ => return None,
        },
        Tag::RESULT => {
            let (first, rest) = bytes.split_first()?;
            result(GeneralResult(*first), rest)
        }
        Tag::DURATION => {
            let duration = Duration::parse(bytes).ok()?;
            format!(
                "{}.{} s",
                duration.millis() / 1000,
                duration.millis() % 1000 / 100
            )
        }
        Tag::TEXT_STRING => text(bytes)?,
        Tag::ALPHA_IDENTIFIER => format!("{:?}", printable(bytes)?),
        Tag::EVENT_LIST => {
            let events: Vec<_> = bytes.iter().map(|b| Event(*b).to_string()).collect();
            format!("[{}]", events.join(", "))
        }
        Tag::TIMER_IDENTIFIER => number(bytes)?,
        Tag::TIMER_VALUE => TimerValue::parse(bytes).ok()?.to_string(),
        Tag::BEARER_DESCRIPTION => {
            let bearer = BearerDescription::parse(bytes).ok()?;
            match bearer.parameters.as_slice() {
                [] => bearer.bearer.to_string(),
                parameters => format!("{} {}", bearer.bearer, hex::encode_upper(parameters)),
            }
        }
        Tag::CHANNEL_DATA => format!("{} bytes", bytes.len()),
        Tag::CHANNEL_DATA_LENGTH => match bytes {
            [0xFF] => "255 or more".into(),
            _ => number(bytes)?,
        },
        Tag::CHANNEL_STATUS => {
            let status = ChannelStatus::parse(bytes).ok()?;
            let link = if status.established {
                "established"
            } else {
                "not established"
            };
            let info = match status.info {
                ChannelStatus::NO_INFO => String::new(),
                ChannelStatus::LINK_DROPPED => ", link dropped".into(),
                other => format!(", information {other:02X}"),
            };
            format!("channel {} {link}{info}", status.channel)
        }
        Tag::BUFFER_SIZE => number(bytes)?,
        Tag::TRANSPORT_LEVEL => {
            let level = TransportLevel::parse(bytes).ok()?;
            format!("{} port {}", level.transport, level.port)
        }
        Tag::OTHER_ADDRESS => match IpAddress::parse(bytes).ok()? {
            IpAddress::Dynamic => "dynamic".into(),
            IpAddress::Ip(ip) => ip.to_string(),
        },
        Tag::NETWORK_ACCESS_NAME => NetworkAccessName::parse(bytes).ok()?.0,
        _ => return None,
    })
}

fn number(bytes: &[u8]) -> Option<String> {
    match *bytes {
        [n] => Some(n.to_string()),
        [a, b] => Some(u16::from_be_bytes([a, b]).to_string()),
        _ => None,
    }
}

fn text(bytes: &[u8]) -> Option<String> {
    let (dcs, rest) = bytes.split_first()?;
    match dcs {
        0x04 | 0xF4 => Some(format!("{:?}", printable(rest)?)),
        0x08 => {
            let units: Vec<u16> = rest
                .chunks_exact(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
            Some(format!("{:?}", String::from_utf16(&units).ok()?))
        }
        _ => None,
    }
}

fn printable(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes)
        .ok()
        .filter(|s| s.bytes().all(|b| (0x20..0x7F).contains(&b)))
}
