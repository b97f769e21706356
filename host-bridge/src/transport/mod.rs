//! Ways to a card: PC/SC readers, virtual cards in this process, virtual cards offered to pcscd.
//!
//! A [`CardLink`] sends one APDU and gives back one answer, nothing more. GET RESPONSE after 61xx
//! and the repeat after 6Cxx stand once, in [`exchange`]; 91xx is the terminal's business.

mod error;
mod in_process;
pub mod pcsc;
pub mod vpcd;

pub use error::LinkError;
pub use in_process::VirtualLink;

use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

/// A card that can be reset and takes commands.
pub trait CardLink {
    /// Answer to the last reset.
    fn atr(&self) -> &[u8];

    /// Resets the card (cold where the reader can) and gives its ATR.
    ///
    /// # Errors
    /// [`LinkError`].
    fn reset(&mut self) -> Result<Vec<u8>, LinkError>;

    /// Sends one command. Status words are no errors here.
    ///
    /// # Errors
    /// [`LinkError`]: there is no answer.
    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError>;

    /// The reader or virtual card, for people.
    fn name(&self) -> String;

    /// Most command data bytes that reader and protocol carry: 255 where extended length doesn't go
    /// through. What the card itself takes is its definition's.
    fn longest_data(&self) -> usize {
        65535
    }
}

impl<L: CardLink + ?Sized> CardLink for &mut L {
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        (**self).reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        (**self).transmit(command)
    }

    fn name(&self) -> String {
        (**self).name()
    }

    fn longest_data(&self) -> usize {
        (**self).longest_data()
    }
}

impl<L: CardLink + ?Sized> CardLink for Box<L> {
    fn atr(&self) -> &[u8] {
        (**self).atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        (**self).reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        (**self).transmit(command)
    }

    fn name(&self) -> String {
        (**self).name()
    }

    fn longest_data(&self) -> usize {
        (**self).longest_data()
    }
}

/// Most bytes that [`exchange`] collects: what an extended Le could ask for.
const MAX_RESPONSE: usize = 65536;
/// Most pieces in which it comes: 256 of 256 bytes, and room for cards that give less at a time.
const MAX_PIECES: usize = 4096;

/// Sends a command and collects the whole answer: GET RESPONSE while the card says 61xx, the
/// command again with the right Le after 6Cxx (ISO/IEC 7816-3 12.2, ETSI TS 102 221 7.3.1.1).
///
/// # Errors
/// [`LinkError`]; [`LinkError::Endless`] if the card never comes to an end.
pub fn exchange(link: &mut dyn CardLink, command: &Command) -> Result<Response, LinkError> {
    let mut response = link.transmit(command)?;
    if response.sw.sw1() == 0x6C {
        let again = command.clone().with_le(length(response.sw));
        response = link.transmit(&again)?;
    }
    let mut data = core::mem::take(&mut response.data);
    let mut pieces = 0;
    while response.sw.sw1() == 0x61 {
        pieces += 1;
        let get = get_response(command.cla, response.sw);
        let mut next = link.transmit(&get)?;
        if next.sw.sw1() == 0x6C {
            next = link.transmit(&get.clone().with_le(length(next.sw)))?;
        }
        let empty = next.data.is_empty();
        data.append(&mut next.data);
        if data.len() > MAX_RESPONSE || pieces > MAX_PIECES || empty && next.sw.sw1() == 0x61 {
            return Err(LinkError::Endless {
                name: link.name(),
                bytes: data.len(),
            });
        }
        response.sw = next.sw;
    }
    response.data = data;
    Ok(response)
}

/// SW2 as a length: 00 is 256.
fn length(sw: Sw) -> u32 {
    match sw.sw2() {
        0 => 256,
        n => n.into(),
    }
}

/// GET RESPONSE on the command's channel, interindustry class (ETSI TS 102 221 10.1.1).
fn get_response(cla: u8, sw: Sw) -> Command {
    let class = match cla & 0x40 {
        0 => cla & 0x03,
        _ => 0x40 | cla & 0x0F,
    };
    Command::new(class, 0xC0, 0, 0).with_le(length(sw))
}

/// What went over a link.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Traffic {
    /// Commands sent, GET RESPONSE included.
    pub apdus: u64,
    /// Command bytes.
    pub sent: u64,
    /// Response bytes, status words included.
    pub received: u64,
}

/// A link that counts what goes over it and shows it to an observer.
pub struct Counted<L> {
    /// The link.
    pub link: L,
    /// The count so far.
    pub traffic: Traffic,
    observer: Option<Observer>,
}

/// Sees each command with its answer.
pub type Observer = Box<dyn FnMut(&Command, &Response) + Send>;

impl<L: CardLink> Counted<L> {
    /// Counts from zero.
    pub fn new(link: L) -> Self {
        Counted {
            link,
            traffic: Traffic::default(),
            observer: None,
        }
    }

    /// Shows every exchange to `observer`.
    #[must_use]
    pub fn observed(mut self, observer: Observer) -> Self {
        self.observer = Some(observer);
        self
    }
}

impl<L: CardLink> CardLink for Counted<L> {
    fn atr(&self) -> &[u8] {
        self.link.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.link.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let response = self.link.transmit(command)?;
        self.traffic.apdus += 1;
        self.traffic.sent += command.to_bytes().len() as u64;
        self.traffic.received += response.data.len() as u64 + 2;
        if let Some(observer) = &mut self.observer {
            observer(command, &response);
        }
        Ok(response)
    }

    fn name(&self) -> String {
        self.link.name()
    }

    fn longest_data(&self) -> usize {
        self.link.longest_data()
    }
}

#[cfg(test)]
pub(crate) mod fake;
#[cfg(test)]
mod tests;
