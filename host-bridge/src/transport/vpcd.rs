//! Virtual cards for pcscd: the card's side of the vsmartcard reader driver (`vpcd`).
//!
//! The driver listens (Debian: port 35963, the next slot 35964), the card connects. Each message is
//! a two-byte length and that many bytes; a message of one byte is a control code: 0 power off, 1
//! power on, 2 reset, 4 asks for the ATR. Anything longer is an APDU, answered with the R-APDU.

use super::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Port of the driver's first slot.
pub const DEFAULT_PORT: u16 = 35963;

const OFF: u8 = 0;
const ON: u8 = 1;
const RESET: u8 = 2;
const ATR: u8 = 4;

/// How long a read may block before the stop flag is looked at.
const TICK: Duration = Duration::from_millis(200);

fn failed(address: &str, detail: impl ToString) -> LinkError {
    LinkError::Failed {
        name: format!("the vpcd driver at {address}"),
        detail: detail.to_string(),
    }
}

/// Connects a card to the driver and serves it until the driver hangs up or `stop` is set.
///
/// `after` is called after each APDU that the card answered: to keep its state, for example.
///
/// # Errors
/// [`LinkError::Failed`] if the driver can't be reached or talks nonsense, and what the card's link says.
pub fn serve(
    address: &str,
    card: &mut dyn CardLink,
    stop: &AtomicBool,
    after: &mut dyn FnMut(&mut dyn CardLink) -> Result<(), LinkError>,
) -> Result<(), LinkError> {
    let mut stream = TcpStream::connect(address).map_err(|e| {
        failed(
            address,
            format!("{e}; is pcscd running with the driver installed (Debian: vsmartcard-vpcd)?"),
        )
    })?;
    stream.set_nodelay(true).map_err(|e| failed(address, e))?;
    stream
        .set_read_timeout(Some(TICK))
        .map_err(|e| failed(address, e))?;
    while !stop.load(Ordering::Relaxed) {
        let mut length = [0; 2];
        if !read(&mut stream, &mut length, stop).map_err(|e| failed(address, e))? {
            return Ok(());
        }
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        if !read(&mut stream, &mut message, stop).map_err(|e| failed(address, e))? {
            return Ok(());
        }
        let (answer, apdu) = respond(card, &message)?;
        if apdu {
            after(card)?;
        }
        if let Some(answer) = answer {
            let length = u16::try_from(answer.len())
                .map_err(|_| failed(address, "an answer of more than 65535 bytes"))?;
            // One write: the driver's side waits for the whole message.
            let mut out = length.to_be_bytes().to_vec();
            out.extend(answer);
            stream.write_all(&out).map_err(|e| failed(address, e))?;
        }
    }
    Ok(())
}

/// What the card says to a message, and whether it was an APDU.
fn respond(card: &mut dyn CardLink, message: &[u8]) -> Result<(Option<Vec<u8>>, bool), LinkError> {
    Ok(match message {
        [] | [OFF] => (None, false),
        [ON | RESET] => {
            card.reset()?;
            (None, false)
        }
        [ATR] => (Some(card.atr().to_vec()), false),
        [_] => (None, false),
        apdu => {
            let response = match Command::parse(apdu) {
                Ok(command) => card.transmit(&command)?,
                Err(_) => Response::status(Sw::WRONG_LENGTH),
            };
            (Some(response.to_bytes()), true)
        }
    })
}

/// Fills the buffer; false if the other side closed or `stop` was set.
fn read(stream: &mut TcpStream, buffer: &mut [u8], stop: &AtomicBool) -> std::io::Result<bool> {
    let mut filled = 0;
    while filled < buffer.len() {
        quick_ack(stream);
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => return Ok(false),
            Ok(n) => filled += n,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if stop.load(Ordering::Relaxed) {
                    return Ok(false);
                }
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return Ok(false),
            Err(e) => return Err(e),
        }
    }
    Ok(true)
}

/// The driver sends length and body in two writes; a delayed acknowledgement of the first would hold
/// back the second by 40 ms. The kernel forgets the option, so it is set before each read.
#[cfg(target_os = "linux")]
fn quick_ack(stream: &TcpStream) {
    use std::os::linux::net::TcpStreamExt;
    // Only speed depends on it.
    let _ = stream.set_quickack(true);
}

#[cfg(not(target_os = "linux"))]
fn quick_ack(_: &TcpStream) {}

#[cfg(test)]
mod tests {
    use super::super::fake::Scripted;
    use super::*;
    use std::net::TcpListener;

    /// The driver's side, as ifd-vpcd does it: length and body in two writes.
    fn send(stream: &mut TcpStream, message: &[u8]) {
        stream
            .write_all(&(message.len() as u16).to_be_bytes())
            .unwrap();
        stream.write_all(message).unwrap();
    }

    fn receive(stream: &mut TcpStream) -> Vec<u8> {
        let mut length = [0; 2];
        stream.read_exact(&mut length).unwrap();
        let mut body = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut body).unwrap();
        body
    }

    #[test]
    fn a_driver_is_served() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let driver = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            send(&mut stream, &[ATR]);
            assert_eq!(receive(&mut stream), [0x3B, 0x00]);
            send(&mut stream, &[ON]);
            send(&mut stream, &[0x00, 0xA4, 0x00, 0x00, 0x02, 0x3F, 0x00]);
            assert_eq!(receive(&mut stream), [0x61, 0x1E]);
            send(&mut stream, &[RESET]);
            send(&mut stream, &[0x00, 0xA4]);
            assert_eq!(receive(&mut stream), [0x67, 0x00]);
            send(&mut stream, &[OFF]);
        });
        let mut card = Scripted::new(&[("00A40000023F00", "611E")]);
        let mut apdus = 0;
        serve(&address, &mut card, &AtomicBool::new(false), &mut |_| {
            apdus += 1;
            Ok(())
        })
        .unwrap();
        driver.join().unwrap();
        assert_eq!((apdus, card.resets), (2, 2));
    }

    #[test]
    fn no_driver_is_explained() {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let mut card = Scripted::new(&[]);
        let error = serve(
            &format!("127.0.0.1:{port}"),
            &mut card,
            &AtomicBool::new(false),
            &mut |_| Ok(()),
        )
        .unwrap_err();
        assert!(error.to_string().contains("vsmartcard-vpcd"), "{error}");
    }
}
