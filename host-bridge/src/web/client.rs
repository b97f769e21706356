//! One request on one connection, as a device sends it to a server.

use super::{ADMIN_PROTOCOL, Trust};
use std::io::{Error, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of a server.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// Where a request goes, and in which form.
pub(crate) struct Target<'a> {
    /// Where the server listens.
    pub to: SocketAddr,
    /// Its name, for the Host header.
    pub host: &'a str,
    /// The function's path.
    pub path: &'a str,
    /// What the body is.
    pub content_type: &'a str,
    /// With whom TLS is spoken; `None`: plain HTTP.
    pub tls: Option<&'a Trust>,
}

/// Posts a body; gives status and body of the answer.
///
/// # Errors
/// The connection's, or that the answer isn't whole, is none of HTTP, or larger than 4 MiB.
pub(crate) fn post(target: &Target<'_>, body: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let stream = TcpStream::connect_timeout(&target.to, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    match target.tls {
        None => exchange(stream, target, body),
        Some(trust) => {
            let stream = trust.over(stream, target.host).map_err(Error::other)?;
            exchange(stream, target, body)
        }
    }
}

fn exchange(
    mut stream: impl Read + Write,
    target: &Target<'_>,
    body: &[u8],
) -> std::io::Result<(u16, Vec<u8>)> {
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gsma-rsp-lpad\r\nContent-Type: {}\r\n\
         X-Admin-Protocol: {ADMIN_PROTOCOL}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        target.path,
        target.host,
        target.content_type,
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat())?;
    let mut answer = Vec::new();
    match stream.take(MAX_ANSWER + 1).read_to_end(&mut answer) {
        // A server that closes without TLS's own end: whether the answer is whole, its length tells.
        Err(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {}
        other => {
            other?;
        }
    }
    if answer.len() as u64 > MAX_ANSWER {
        return Err(Error::other("the answer is larger than 4 MiB"));
    }
    parse(&answer)
}

/// Status and body of an answer that is there as a whole.
fn parse(answer: &[u8]) -> std::io::Result<(u16, Vec<u8>)> {
    let none = || Error::other("the answer is no HTTP");
    let end = answer
        .windows(4)
        .position(|w| w == b"\r\n\r\n")
        .ok_or_else(none)?;
    let (head, body) = answer.split_at(end + 4);
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = head
        .split_whitespace()
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(none)?;
    let header = |name: &str| {
        head.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(found, _)| *found == name)
            .map(|(_, value)| value.trim())
    };
    if header("transfer-encoding") == Some("chunked") {
        return Ok((
            status,
            chunked(body).ok_or_else(|| Error::other("a chunk is cut off"))?,
        ));
    }
    let length = header("content-length").and_then(|value| value.parse::<usize>().ok());
    if length.is_some_and(|length| length != body.len()) {
        return Err(Error::other(
            "the connection ended in the middle of the answer",
        ));
    }
    Ok((status, body.to_vec()))
}

/// A body in chunks (RFC 9112 7.1), put together.
fn chunked(mut body: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = body.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(body.get(..end)?).ok()?;
        let size = usize::from_str_radix(size.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(whole);
        }
        let from = end + 2;
        let to = from.checked_add(size)?;
        whole.extend_from_slice(body.get(from..to)?);
        body = body.get(to..)?.strip_prefix(b"\r\n")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_not_at_all() {
        let ok = |text: &str| parse(text.as_bytes()).unwrap();
        assert_eq!(ok("HTTP/1.1 204 No Content\r\n\r\n"), (204, vec![]));
        let sized = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc";
        assert_eq!(ok(sized), (200, b"abc".to_vec()));
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(ok(chunks), (200, b"abc".to_vec()));
        for bad in [
            "",
            "HTTP/1.1",
            "nonsense\r\n\r\n",
            "HTTP/1.1 x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\nab\r\n",
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
