//! The way to a card's ISD-R, for reading only: nothing goes over it but SELECT, MANAGE CHANNEL, TERMINAL
//! CAPABILITY (which ends with the session) and the ES10 functions of [`Ask`].

use super::known::IsdR;
use super::{Attempt, Refused};
use crate::transport::{CardLink, LinkError, exchange};
use applet_gen::gp::command;
use applet_model::apdu::Command;
use applet_model::status::Sw;

/// An ES10 function that reads.
pub struct Ask {
    /// Its name.
    pub name: &'static str,
    /// The command data object.
    pub request: &'static [u8],
    /// Tag of the answer.
    pub tag: u32,
}

/// ES10c.GetEID (SGP.22 5.7.20).
pub const EID: Ask = Ask {
    name: "GetEID",
    request: &[0xBF, 0x3E, 0x03, 0x5C, 0x01, 0x5A],
    tag: 0xBF3E,
};
/// ES10b.GetEUICCInfo, EUICCInfo1 (SGP.22 5.7.8).
pub const INFO1: Ask = Ask {
    name: "GetEUICCInfo1",
    request: &[0xBF, 0x20, 0x00],
    tag: 0xBF20,
};
/// ES10b.GetEUICCInfo, EUICCInfo2 (SGP.22 5.7.8, SGP.32 5.9.2).
pub const INFO2: Ask = Ask {
    name: "GetEUICCInfo2",
    request: &[0xBF, 0x22, 0x00],
    tag: 0xBF22,
};
/// ES10b.GetEimConfigurationData (SGP.32 5.9.18).
pub const EIMS: Ask = Ask {
    name: "GetEimConfigurationData",
    request: &[0xBF, 0x55, 0x00],
    tag: 0xBF55,
};

/// TERMINAL CAPABILITY of a device with an assistant of its own (ETSI TS 102 221 11.1.19): tag 84 as SGP.32 3.8.2
/// has it, and SGP.22's tag 83 (LUId, LPDd, LDSd), which older clients send.
const CAPABILITY: &[u8] = &[0xA9, 0x06, 0x83, 0x01, 0x07, 0x84, 0x01, 0x01];

/// A session: from one reset to the next.
pub struct Talk<'a> {
    link: &'a mut dyn CardLink,
    /// The logical channel that is used; 0 on cards that give none.
    pub channel: u8,
    /// What was refused.
    pub refused: Vec<Refused>,
}

impl<'a> Talk<'a> {
    /// Resets the card; gives its ATR.
    pub fn begin(link: &'a mut dyn CardLink) -> Result<(Self, Vec<u8>), LinkError> {
        let atr = link.reset()?;
        let talk = Talk {
            link,
            channel: 0,
            refused: Vec::new(),
        };
        Ok((talk, atr))
    }

    fn refuse(&mut self, what: impl Into<String>, sw: Sw) {
        self.refused.push(Refused::new(what, sw));
    }

    /// Opens a logical channel (ETSI TS 102 221 11.1.17): one that the card numbers, else the first. Where the card
    /// gives none, the basic channel is used.
    pub fn open(&mut self) -> Result<(), LinkError> {
        let assigned = exchange(self.link, &Command::new(0x00, 0x70, 0x00, 0x00).with_le(1))?;
        if let (true, [number @ 1..=19]) = (assigned.sw.is_ok(), assigned.data.as_slice()) {
            self.channel = *number;
            return Ok(());
        }
        self.refuse("MANAGE CHANNEL, number by the card", assigned.sw);
        let named = exchange(self.link, &Command::new(0x00, 0x70, 0x00, 0x01))?;
        match named.sw.is_ok() {
            true => self.channel = 1,
            false => self.refuse("MANAGE CHANNEL, channel 1", named.sw),
        }
        Ok(())
    }

    /// Closes the channel.
    pub fn close(&mut self) -> Result<(), LinkError> {
        if self.channel != 0 {
            exchange(self.link, &Command::new(0x00, 0x70, 0x80, self.channel))?;
            self.channel = 0;
        }
        Ok(())
    }

    /// Selects an application; its answer, or why there is none.
    pub fn select(&mut self, aid: &[u8]) -> Result<Result<Vec<u8>, Sw>, LinkError> {
        let select = command::select(aid).on_channel(self.channel);
        let mut answer = exchange(self.link, &select)?;
        if matches!(answer.sw, Sw::INCORRECT_P1_P2 | Sw::WRONG_P1_P2) {
            // Some cards give the FCP only (ETSI TS 102 221 table 11.2).
            let mut fcp = select;
            fcp.p2 = 0x04;
            answer = exchange(self.link, &fcp)?;
        }
        Ok(match answer.sw.is_ok() {
            true => Ok(answer.data),
            false => Err(answer.sw),
        })
    }

    /// Selects the ISD-R by the first of these AIDs that the card has. A card that doesn't select on its
    /// logical channel is asked on the basic one.
    pub fn isd_r<'k>(
        &mut self,
        aids: &'k [IsdR],
    ) -> Result<Option<(&'k IsdR, Vec<u8>)>, LinkError> {
        let mut first = None;
        for aid in aids {
            let mut answer = self.select(&aid.aid)?;
            if let Err(sw @ (Sw::CHANNEL_NOT_SUPPORTED | Sw::CLA_NOT_SUPPORTED)) = answer
                && self.channel != 0
            {
                self.refuse(format!("SELECT on channel {}", self.channel), sw);
                self.close()?;
                answer = self.select(&aid.aid)?;
            }
            match answer {
                Ok(fci) => return Ok(Some((aid, fci))),
                Err(sw) => first = first.or(Some(sw)),
            }
        }
        if let Some(sw) = first {
            self.refuse("SELECT of the ISD-R", sw);
        }
        Ok(None)
    }

    /// Calls a function of the ISD-R; `None` if it is refused.
    pub fn ask(&mut self, ask: &Ask) -> Result<Option<Vec<u8>>, LinkError> {
        let mut answer = None;
        for store in command::store_data(ask.request, 255, 0x11) {
            let store = store.on_channel(self.channel).with_le(256);
            let response = exchange(self.link, &store)?;
            if !response.sw.is_ok() || response.data.is_empty() {
                self.refuse(ask.name, response.sw);
                return Ok(None);
            }
            answer = Some(response.data);
        }
        Ok(answer)
    }

    /// Declares an assistant in the device, on the channel that is in use now: until the next reset.
    pub fn declare(&mut self) -> Result<Sw, LinkError> {
        let declare = Command::new(0x80, 0xAA, 0x00, 0x00).with_data(CAPABILITY);
        Ok(exchange(self.link, &declare.on_channel(self.channel))?.sw)
    }
}

/// Whether a session of its own, in which the device declares its assistant over the basic or a logical
/// channel, shows another `ipaMode`.
pub fn attempt(
    link: &mut dyn CardLink,
    logical: bool,
    isd_r: &IsdR,
    mode: &mut dyn FnMut(&[u8]) -> Option<String>,
) -> Result<Option<Attempt>, LinkError> {
    let (mut talk, _) = Talk::begin(link)?;
    if logical {
        talk.open()?;
        if talk.channel == 0 {
            return Ok(None);
        }
    }
    let sw = talk.declare()?;
    if !logical {
        talk.open()?;
    }
    let info = match talk.isd_r(core::slice::from_ref(isd_r))? {
        Some(_) => talk.ask(&INFO2)?,
        None => None,
    };
    let refused = talk.refused.pop();
    talk.close()?;
    Ok(Some(Attempt {
        channel: if logical { "logical" } else { "basic" },
        sw: format!("{:04X}", sw.0),
        ipa_mode: info.as_deref().and_then(mode),
        refused: info.is_none().then_some(refused).flatten(),
    }))
}
