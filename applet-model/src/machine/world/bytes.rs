//! Bytes that the world around the applet sends.

use crate::cat::{self, Tag};
use crate::tlv;

/// The EID that the eUICC answers.
pub const EID: [u8; 16] = [
    0x89, 0x04, 0x40, 0x45, 0x93, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x14, 0x92, 0x68, 0x58, 0x47,
];

/// A primitive data object.
pub fn octets(tag: u32, value: &[u8]) -> Vec<u8> {
    tlv::write(tag, value)
}

/// An INTEGER of one byte.
pub fn number(tag: u32, value: u8) -> Vec<u8> {
    tlv::write(tag, &[value])
}

/// A sequence number `[0]`.
pub fn sequence_number(seq: u8) -> Vec<u8> {
    number(0x80, seq)
}

/// A constructed data object.
pub fn constructed(tag: u32, parts: &[Vec<u8>]) -> Vec<u8> {
    tlv::write_constructed(tag, parts)
}

/// GetEimConfigurationDataResponse with so many eIMs, at 1.2.3.4, 1.2.3.5, …
pub fn eim_list(count: u8) -> Vec<u8> {
    let one = |i: u8| {
        let name = format!("1.2.3.{}", i + 4);
        constructed(
            0x30,
            &[
                octets(0x80, &[b'a' + i]),
                octets(0x81, name.as_bytes()),
                number(0x82, 1),
            ],
        )
    };
    let all: Vec<Vec<u8>> = (0..count).map(one).collect();
    constructed(0xBF55, &[constructed(0xA0, &all)])
}

/// A TERMINAL RESPONSE to a command with this type and qualifier.
pub fn response(command: [u8; 2], result: &[u8], rest: &[(Tag, &[u8])]) -> Vec<u8> {
    let mut out = Vec::new();
    cat::write(
        &mut out,
        Tag::COMMAND_DETAILS,
        true,
        &[0, command[0], command[1]],
    );
    cat::write(&mut out, Tag::DEVICE_IDENTITIES, false, &[0x82, 0x81]);
    cat::write(&mut out, Tag::RESULT, true, result);
    for (tag, value) in rest {
        cat::write(&mut out, *tag, false, value);
    }
    out
}

/// The value of an event download envelope of a channel.
pub fn channel_event(event: u8, status: [u8; 2], available: Option<usize>) -> Vec<u8> {
    let mut out = Vec::new();
    cat::write(&mut out, Tag::EVENT_LIST, true, &[event]);
    cat::write(&mut out, Tag::DEVICE_IDENTITIES, true, &[0x82, 0x81]);
    cat::write(&mut out, Tag::CHANNEL_STATUS, true, &status);
    if let Some(n) = available {
        cat::write(
            &mut out,
            Tag::CHANNEL_DATA_LENGTH,
            true,
            &[n.min(255) as u8],
        );
    }
    out
}

/// An HTTP answer.
pub fn http(status: &str, body: &[u8]) -> Vec<u8> {
    let mut out = format!(
        "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .into_bytes();
    out.extend(body);
    out
}

/// The body of an HTTP request, once it is complete.
///
/// # Errors
/// What is wrong with the request.
pub fn request_body(request: &[u8]) -> Result<Option<&[u8]>, String> {
    const POST: &[u8] = b"POST /gsma/rsp2/asn1 HTTP/1.1\r\n";
    if !request.starts_with(&POST[..POST.len().min(request.len())]) {
        return Err("the HTTP request does not begin with POST".to_owned());
    }
    let Some(end) = request.windows(4).position(|w| w == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = String::from_utf8_lossy(&request[..end]);
    let length = head
        .lines()
        .find_map(|l| l.strip_prefix("Content-Length: "));
    let length: usize = length
        .and_then(|l| l.parse().ok())
        .ok_or("the HTTP request has no Content-Length")?;
    let body = &request[end + 4..];
    match body.len().cmp(&length) {
        core::cmp::Ordering::Less => Ok(None),
        core::cmp::Ordering::Equal => Ok(Some(body)),
        core::cmp::Ordering::Greater => Err(format!(
            "the HTTP body has {} bytes, Content-Length is {length}",
            body.len()
        )),
    }
}
