//! Logical channels (ETSI TS 102 221 8.7): which application each has selected, where it stands in
//! the file system, and which response bytes wait there for GET RESPONSE.

use crate::fs::Position;
use crate::gp::registry::Aid;
use crate::gp::session::SecureChannel;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use serde::{Deserialize, Serialize};

/// Channels of the card: 0 (basic, always open) to 3, those that class bytes 0X and 8X name.
pub const COUNT: usize = 4;

/// What the commands of a channel go to.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Selected {
    /// The UICC's file system (MF and ADFs), which is selected after a reset.
    #[default]
    Files,
    /// A security domain: the issuer's or a supplementary one.
    Domain(Aid),
    /// The ISD-R of the eUICC.
    IsdR,
    /// The eUICC's controlling authority security domain.
    Ecasd,
    /// An applet instance.
    Applet(Aid),
}

/// One open logical channel.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Channel {
    /// The selected application.
    pub selected: Selected,
    /// Current directory and file.
    pub position: Position,
    /// Response bytes that wait for GET RESPONSE.
    pub waiting: Vec<u8>,
    /// Status word that goes with the last of them; `None` for 9000.
    pub waiting_sw: Option<Sw>,
    /// The GlobalPlatform secure channel session, if one is being opened or open here.
    ///
    /// Not stored: a card read back from a snapshot has lost its sessions (and their keys).
    #[serde(skip)]
    pub secure: Option<SecureChannel>,
}

/// The channels of a card.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Channels {
    open: [Option<Channel>; COUNT],
    /// How many of them this card has.
    count: usize,
}

impl Default for Channels {
    fn default() -> Self {
        Channels {
            open: [Some(Channel::default()), None, None, None],
            count: COUNT,
        }
    }
}

impl Channels {
    /// The channels of a card that has `count` of them, at most [`COUNT`].
    pub fn of(count: u8) -> Channels {
        Channels {
            count: usize::from(count).clamp(1, COUNT),
            ..Channels::default()
        }
    }

    /// Closes all but the basic channel, which starts anew.
    pub fn reset(&mut self) {
        self.open = Channels::default().open;
    }

    /// The channel, if it is open.
    pub fn get(&self, number: u8) -> Option<&Channel> {
        self.open.get(usize::from(number))?.as_ref()
    }

    /// The channel, if it is open.
    pub fn get_mut(&mut self, number: u8) -> Option<&mut Channel> {
        self.open.get_mut(usize::from(number))?.as_mut()
    }

    /// Numbers and states of the open channels.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &Channel)> {
        (0..)
            .zip(&self.open)
            .filter_map(|(n, c)| Some((n, c.as_ref()?)))
    }

    /// The open channels, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (u8, &mut Channel)> {
        (0..)
            .zip(&mut self.open)
            .filter_map(|(n, c)| Some((n, c.as_mut()?)))
    }

    /// True if some channel has this applet or security domain selected (`JCSystem` calls that multiselection).
    pub fn has_selected(&self, aid: &Aid) -> bool {
        self.iter().any(
            |(_, channel)| matches!(&channel.selected, Selected::Applet(a) | Selected::Domain(a) if a == aid),
        )
    }

    /// MANAGE CHANNEL (ETSI TS 102 221 11.1.17) as it came on an open channel. P1 00 opens: with P2 00
    /// the card gives the number, which is the whole response; with another P2 the terminal gives
    /// it. P1 80 closes P2. A channel opened from a channel other than 0 inherits its place in the
    /// file system.
    ///
    /// The second value is the channel that was closed, whose applet has to be told.
    pub fn manage(&mut self, command: &Command) -> (Response, Option<Channel>) {
        let status = |sw| (Response::status(sw), None);
        if !command.data.is_empty() {
            return status(Sw::WRONG_LENGTH);
        }
        let fixed = usize::from(command.p2);
        match (command.p1, command.p2) {
            (0x00, 0x00) => {
                if command.le.is_none() {
                    return status(Sw::wrong_le(1));
                }
                match (1u8..)
                    .zip(self.open.iter().take(self.count).skip(1))
                    .find(|(_, c)| c.is_none())
                {
                    None => status(Sw::FUNCTION_NOT_SUPPORTED),
                    Some((number, _)) => {
                        self.place(number, command.channel());
                        (Response::ok([number]), None)
                    }
                }
            }
            (0x00, number) if fixed < self.count => {
                if self.get(number).is_some() {
                    return status(Sw::INCORRECT_P1_P2);
                }
                self.place(number, command.channel());
                status(Sw::OK)
            }
            (0x80, 0x00) => status(Sw::INCORRECT_P1_P2),
            (0x80, _) if fixed < self.count => {
                match self.open.get_mut(fixed).and_then(Option::take) {
                    // Closing a channel that is closed changes nothing: a warning, not an error.
                    None => status(Sw::WARNING_NO_INFORMATION),
                    closed => (Response::status(Sw::OK), closed),
                }
            }
            (0x00 | 0x80, _) => status(Sw::CHANNEL_NOT_SUPPORTED),
            _ => status(Sw::INCORRECT_P1_P2),
        }
    }

    fn place(&mut self, number: u8, from: u8) {
        let mut channel = Channel::default();
        if from != 0
            && let Some(origin) = self.get(from)
        {
            channel.position = origin.position;
        }
        if let Some(slot) = self.open.get_mut(usize::from(number)) {
            *slot = Some(channel);
        }
    }
}

/// The protocol over which an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// T=0 (ETSI TS 102 221 7.3.1.1): response data of a command that carried data waits for GET
    /// RESPONSE (`61xx`), a command without data gets it at once, or `6Cxx` if its Le is too small, or,
    /// if the card wants it `exact`, any other than the length there is.
    T0 {
        /// The card wants exactly the length there is.
        exact: bool,
    },
    /// T=1: data comes at once, up to Le; what is more waits for GET RESPONSE.
    T1,
}

/// Gives a command's answer the form that it has on the interface.
pub fn deliver(
    channel: &mut Channel,
    command: &Command,
    mut response: Response,
    delivery: Delivery,
) -> Response {
    channel.waiting.clear();
    channel.waiting_sw = None;
    let n = response.data.len();
    if n == 0 {
        return response;
    }
    if let (Delivery::T1, Some(le)) = (delivery, command.le) {
        if le as usize >= n {
            return response;
        }
        channel.waiting = response.data.split_off(le as usize);
        channel.waiting_sw = (response.sw != Sw::OK).then_some(response.sw);
        response.sw = Sw::bytes_remaining(channel.waiting.len());
        return response;
    }
    if command.data.is_empty() {
        return match command.le {
            Some(le) if (le as usize) < n => Response::status(Sw::wrong_le(n)),
            Some(le) if delivery == (Delivery::T0 { exact: true }) && le as usize != n => {
                Response::status(Sw::wrong_le(n))
            }
            _ => response,
        };
    }
    // An error has no data to speak of; a warning goes with the last of its data.
    if !matches!(response.sw.sw1(), 0x90 | 0x62 | 0x63) {
        return response;
    }
    channel.waiting = response.data;
    channel.waiting_sw = (response.sw != Sw::OK).then_some(response.sw);
    Response::status(Sw::bytes_remaining(n))
}

/// GET RESPONSE (ETSI TS 102 221 12.1.1): up to Le of the bytes that wait, `61xx` if more are left.
pub fn get_response(channel: &mut Channel, command: &Command) -> Response {
    if (command.p1, command.p2) != (0, 0) {
        return Response::status(Sw::INCORRECT_P1_P2);
    }
    let waiting = channel.waiting.len();
    if waiting == 0 {
        return Response::status(Sw::CONDITIONS_NOT_SATISFIED);
    }
    let le = match command.le {
        Some(256) | None => waiting.min(256),
        Some(le) if le as usize > waiting => return Response::status(Sw::wrong_le(waiting)),
        Some(le) => le as usize,
    };
    let rest = channel.waiting.split_off(le);
    let data = core::mem::replace(&mut channel.waiting, rest);
    let sw = match channel.waiting.len() {
        0 => channel.waiting_sw.take().unwrap_or(Sw::OK),
        n => Sw::bytes_remaining(n),
    };
    Response { data, sw }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Delivery = Delivery::T0 { exact: false };
    const EXACT: Delivery = Delivery::T0 { exact: true };

    fn command(text: &str) -> Command {
        Command::parse(&hex::decode(text).unwrap()).unwrap()
    }

    #[test]
    fn channels_are_numbered_by_card_or_by_terminal() {
        let mut channels = Channels::default();
        let mut manage = |text: &str| channels.manage(&command(text)).0;
        assert_eq!(manage("0070000001"), Response::ok([1]));
        assert_eq!(manage("0070000200"), Response::status(Sw::OK));
        assert_eq!(manage("0070000001"), Response::ok([3]));
        assert_eq!(manage("0070000001").sw, Sw::FUNCTION_NOT_SUPPORTED);
        assert_eq!(manage("0070000200").sw, Sw::INCORRECT_P1_P2);
        assert_eq!(manage("00708001").sw, Sw::OK);
        assert_eq!(manage("00708001").sw, Sw::WARNING_NO_INFORMATION);
        assert_eq!(manage("00708000").sw, Sw::INCORRECT_P1_P2);
        assert_eq!(manage("00700004").sw, Sw::CHANNEL_NOT_SUPPORTED);
        assert_eq!(manage("0070000001"), Response::ok([1]));
    }

    #[test]
    fn over_t1_data_comes_at_once() {
        let mut channel = Channel::default();
        let select = command("00A4040402A00000");
        let answer = deliver(
            &mut channel,
            &select,
            Response::ok(vec![7; 200]),
            Delivery::T1,
        );
        assert_eq!(answer, Response::ok(vec![7; 200]));
        // More than Le: the rest waits, with the status word of the whole.
        let warned = Response {
            data: vec![7; 300],
            sw: Sw(0x6282),
        };
        let answer = deliver(&mut channel, &select, warned.clone(), Delivery::T1);
        assert_eq!((answer.data.len(), answer.sw), (256, Sw(0x612C)));
        let rest = get_response(&mut channel, &command("00C000002C"));
        assert_eq!((rest.data.len(), rest.sw), (44, Sw(0x6282)));
        let long = command("00A40404000002A0000400");
        assert_eq!(
            deliver(&mut channel, &long, warned.clone(), Delivery::T1),
            warned
        );
        // Without Le there is nothing at once.
        let answer = deliver(
            &mut channel,
            &command("00A4040402A000"),
            warned,
            Delivery::T1,
        );
        assert_eq!(answer, Response::status(Sw(0x6100)));
    }

    #[test]
    fn data_of_a_command_with_data_waits() {
        let mut channel = Channel::default();
        let select = command("00A4040402A000");
        let answer = deliver(&mut channel, &select, Response::ok(vec![7; 300]), T0);
        assert_eq!(answer, Response::status(Sw(0x6100)));
        let part = get_response(&mut channel, &command("00C0000010"));
        assert_eq!((part.data.len(), part.sw), (16, Sw(0x6100)));
        let part = get_response(&mut channel, &command("00C0000000"));
        assert_eq!((part.data.len(), part.sw), (256, Sw(0x611C)));
        assert_eq!(
            get_response(&mut channel, &command("00C000001D")).sw,
            Sw(0x6C1C)
        );
        let part = get_response(&mut channel, &command("00C000001C"));
        assert_eq!((part.data.len(), part.sw), (28, Sw::OK));
        assert_eq!(
            get_response(&mut channel, &command("00C0000000")).sw,
            Sw::CONDITIONS_NOT_SATISFIED
        );
        let get_data = command("80CA006605");
        let answer = deliver(&mut channel, &get_data, Response::ok([1; 6]), T0);
        assert_eq!(answer, Response::status(Sw(0x6C06)));
        let get_data = command("80CA006600");
        let answer = deliver(&mut channel, &get_data, Response::ok([1; 6]), T0);
        assert_eq!(answer.data.len(), 6);
        let answer = deliver(&mut channel, &get_data, Response::ok([1; 6]), EXACT);
        assert_eq!(answer, Response::status(Sw(0x6C06)));
    }
}
