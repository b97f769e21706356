//! Switching on: reset, selection, TERMINAL PROFILE (ETSI TS 102 221 14.1 and 14.2, ETSI TS 102 223
//! 6.2), and whose subscription the card holds.

use super::{Session, Terminal, TerminalError, What};
use crate::transport::CardLink;
use applet_model::apdu::Command;
use applet_model::cat::{Envelope, Event, LocationStatus};
use applet_model::tlv;
use serde::Serialize;

/// The beginning of every USIM's AID (ETSI TS 101 220 annex E, 3GPP TS 31.110).
const USIM_AID: &[u8] = &[0xA0, 0x00, 0x00, 0x00, 0x87, 0x10, 0x02];
/// Proactive commands in one session, and resets in a row, after which a card is broken.
const RESETS_IN_A_ROW: u32 = 5;

/// What the card's files say of the subscription.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// EF_ICCID, decimal digits; empty if the file isn't there.
    pub iccid: String,
    /// EF_IMSI, decimal digits; empty if there is no USIM or no IMSI.
    pub imsi: String,
}

impl<L: CardLink> Terminal<L> {
    /// Switches the device on, or resets the card if it is on: ATR, MF, TERMINAL CAPABILITY if the
    /// device sends it, EF_ICCID, EF_DIR, TERMINAL PROFILE and what the card asks for then, USIM,
    /// EF_IMSI. A card without these files is taken as one without a profile.
    ///
    /// # Errors
    /// [`TerminalError::Link`] if the transport fails, [`TerminalError::RefreshLoop`] and
    /// [`TerminalError::EndlessSession`] if the card doesn't let the start end.
    pub fn boot(&mut self) -> Result<(), TerminalError> {
        for _ in 0..RESETS_IN_A_ROW {
            self.start()?;
            if !self.session()?.reset {
                return Ok(());
            }
        }
        Err(TerminalError::RefreshLoop(RESETS_IN_A_ROW))
    }

    fn start(&mut self) -> Result<(), TerminalError> {
        self.session = None;
        let atr = self.link.reset().map_err(|source| TerminalError::Link {
            apdu: self.log.apdus() + 1,
            card: self.link.name(),
            source,
        })?;
        self.resets += 1;
        let atr = hex::encode_upper(atr);
        self.log.push(self.now, What::Reset { atr });
        let interval = u64::from(self.device.status_interval) * 1000;
        self.session = Some(Session {
            status: (interval > 0).then_some((interval, self.now + interval)),
            ..Session::default()
        });

        self.exchange(&select_file([0x3F, 0x00]))?;
        if !self.device.terminal_capability.is_empty() {
            let value = self.device.terminal_capability.clone();
            self.exchange(&Command::new(0x80, 0xAA, 0, 0).with_data(value))?;
        }
        let iccid = self.read_binary([0x2F, 0xE2], 10)?;
        let usim = self.usim_aid()?;

        let profile = self.device.terminal_profile().0;
        let response = self.exchange(&Command::new(0x80, 0x10, 0, 0).with_data(profile))?;
        if !response.sw.is_ok() {
            let text = format!("TERMINAL PROFILE refused with {}", response.sw);
            self.log.note(self.now, text);
        }
        self.proactive_session()?;
        if self.session()?.reset {
            return Ok(());
        }

        let imsi = self.read_imsi(&usim)?;
        self.proactive_session()?;
        self.enter_network(Identity {
            iccid: digits(&iccid),
            imsi,
        })
    }

    /// Reads ICCID and IMSI again, after a REFRESH that isn't a reset.
    pub(super) fn reread(&mut self) -> Result<(), TerminalError> {
        self.session()?.reread = false;
        self.exchange(&select_file([0x3F, 0x00]))?;
        let iccid = self.read_binary([0x2F, 0xE2], 10)?;
        let usim = self.usim_aid()?;
        let imsi = self.read_imsi(&usim)?;
        self.enter_network(Identity {
            iccid: digits(&iccid),
            imsi,
        })
    }

    /// Looks whether this subscription has service, and tells the card if it wants to know.
    fn enter_network(&mut self, identity: Identity) -> Result<(), TerminalError> {
        let up = self.network.has_service(&identity.iccid, &identity.imsi);
        let (iccid, imsi) = (identity.iccid.clone(), identity.imsi.clone());
        self.log.push(self.now, What::Network { iccid, imsi, up });
        self.session()?.identity = identity;
        self.service_changed(up)
    }

    /// Gives service to a profile or takes it away (ICCID or IMSI, decimal digits), now and at
    /// later starts. Open channels of a device that loses service are dropped.
    ///
    /// # Errors
    /// None today; the type leaves room for transports that are told of it.
    pub fn set_service(&mut self, profile: &str, up: bool) -> Result<(), TerminalError> {
        self.network.set_service(profile, up);
        let Some(session) = &self.session else {
            return Ok(());
        };
        let identity = session.identity.clone();
        let now = self.network.has_service(&identity.iccid, &identity.imsi);
        if now == session.service {
            return Ok(());
        }
        let Identity { iccid, imsi } = identity;
        self.log.push(self.now, What::Network { iccid, imsi, up });
        self.service_changed(now)
    }

    fn service_changed(&mut self, up: bool) -> Result<(), TerminalError> {
        let location = self.location();
        let session = self.session()?;
        session.service = up;
        let status = if up {
            LocationStatus::NormalService
        } else {
            LocationStatus::NoService
        };
        if session.events.contains(&Event::LOCATION_STATUS) {
            let location = up.then_some(&location[..]);
            session
                .queue
                .push_back(Envelope::location_status(status, location));
        }
        if !up {
            self.drop_channels("the network went away")?;
        }
        Ok(())
    }

    /// The USIM's AID from EF_DIR (ETSI TS 102 221 13.1); its beginning if EF_DIR has none.
    fn usim_aid(&mut self) -> Result<Vec<u8>, TerminalError> {
        let selected = self.exchange(&select_file([0x2F, 0x00]))?;
        if selected.sw.is_ok() {
            for record in 1..=16 {
                let read = Command::new(0x00, 0xB2, record, 0x04).with_le(256);
                let response = self.exchange(&read)?;
                if !response.sw.is_ok() {
                    break;
                }
                if let Some(aid) = aid_of(&response.data) {
                    return Ok(aid);
                }
            }
        }
        Ok(USIM_AID.to_vec())
    }

    fn read_imsi(&mut self, usim: &[u8]) -> Result<String, TerminalError> {
        let select = Command::new(0x00, 0xA4, 0x04, 0x04).with_data(usim);
        if !self.exchange(&select)?.sw.is_ok() {
            return Ok(String::new());
        }
        let imsi = self.read_binary([0x6F, 0x07], 9)?;
        // 3GPP TS 31.102 4.2.2: length, then parity and first digit, then digit pairs.
        let text = match imsi.split_first() {
            Some((length, rest)) => digits(rest.get(..usize::from(*length)).unwrap_or(rest)),
            None => String::new(),
        };
        Ok(text.get(1..).unwrap_or_default().to_owned())
    }

    /// A transparent file's bytes; empty if it can't be selected or read.
    fn read_binary(&mut self, file: [u8; 2], length: u32) -> Result<Vec<u8>, TerminalError> {
        if !self.exchange(&select_file(file))?.sw.is_ok() {
            return Ok(Vec::new());
        }
        let response = self.exchange(&Command::new(0x00, 0xB0, 0, 0).with_le(length))?;
        Ok(if response.sw.is_ok() {
            response.data
        } else {
            Vec::new()
        })
    }
}

/// SELECT by file identifier, FCP wanted (ETSI TS 102 221 11.1.1).
fn select_file(file: [u8; 2]) -> Command {
    Command::new(0x00, 0xA4, 0x00, 0x04).with_data(file)
}

/// Digit pairs with swapped half bytes, up to the first filler.
fn digits(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte & 0x0F, byte >> 4])
        .map_while(|digit| char::from_digit(u32::from(digit), 10))
        .collect()
}

/// The AID of an application template `61{4F …}` if it is a USIM's.
fn aid_of(record: &[u8]) -> Option<Vec<u8>> {
    let (template, _) = tlv::read(record).ok()?;
    if template.tag != 0x61 {
        return None;
    }
    let (aid, _) = tlv::read(template.value).ok()?;
    (aid.tag == 0x4F && aid.value.starts_with(USIM_AID)).then(|| aid.value.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_swapped_half_bytes() {
        assert_eq!(
            digits(&hex::decode("98103254769810325476").unwrap()),
            "89012345678901234567"
        );
        assert_eq!(digits(&[0x98, 0xF1, 0x22]), "891");
        assert_eq!(digits(&[]), "");
    }

    #[test]
    fn the_usim_is_found_in_a_record_with_padding() {
        let record = hex::decode("61104F0CA0000000871002FF49FF0589FFFFFFFFFFFFFF").unwrap();
        assert_eq!(
            aid_of(&record).unwrap(),
            hex::decode("A0000000871002FF49FF0589").unwrap()
        );
        assert_eq!(aid_of(&[0xFF; 20]), None);
    }
}
