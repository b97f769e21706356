//! The UICC's own commands on the interface: TERMINAL CAPABILITY, TERMINAL PROFILE, FETCH, TERMINAL
//! RESPONSE, ENVELOPE, STATUS (ETSI TS 102 221 11.1.19, 11.2).

use super::VirtualCard;
use super::world::is_recorded;
use crate::channels::Selected;
use crate::definition::TerminalCapabilityChannel;
use crate::euicc::iot::Assistant;
use crate::fs::Position;
use crate::gp::Stop;
use crate::gp::registry::Aid;
use crate::toolkit::{Handler, Told, event, tag};
use applet_model::aid;
use applet_model::apdu::{Command, Response};
use applet_model::cat::{Ber, unwrap_ber};
use applet_model::status::Sw;
use applet_model::tlv;
use applet_model::trace::Boundary;

/// If a TERMINAL CAPABILITY declares an assistant in the device, which keeps the IPAe off until the next reset
/// (SGP.32 3.8.4). Tag 84 of A9, bit 1, says "IPAd supported"; older clients declare themselves in
/// tag 83 (LUId, LPAd, LDSd of SGP.22), and since they manage profiles all the same, that counts too.
pub(super) fn declares_assistant(capability: &[u8]) -> bool {
    declares(capability, IPAD) || declares(capability, LPAD)
}

/// "IPAd supported": tag in A9 and bits.
const IPAD: (u32, u8) = (0x84, 0x01);
/// LUId, LPAd, LDSd of SGP.22.
const LPAD: (u32, u8) = (0x83, 0x07);

fn declares(capability: &[u8], (tag, mask): (u32, u8)) -> bool {
    let a9 = tlv::find(capability, 0xA9).ok().flatten();
    let found = a9.and_then(|a9| a9.find(tag).ok().flatten());
    found
        .and_then(|object| object.value.first().copied())
        .is_some_and(|byte| byte & mask != 0)
}

impl VirtualCard {
    /// True while an assistant in the device has the say.
    pub(super) fn device_assistant(&self) -> bool {
        self.capability.as_deref().is_some_and(declares_assistant)
    }

    /// True if the device declared an IPAd and no assistant of SGP.22: ES10c is not for it.
    pub(super) fn ipad_alone(&self) -> bool {
        self.capability
            .as_deref()
            .is_some_and(|capability| declares(capability, IPAD) && !declares(capability, LPAD))
    }

    /// True if the IPAe has the say: it is installed, a terminal has begun a session (TERMINAL PROFILE) and
    /// declared no assistant of its own. The device's ES10 is refused then (named choice after
    /// the one card on which it was observed).
    pub(super) fn ipae_in_charge(&self) -> bool {
        self.has_ipae() && self.world.toolkit.session.profile.is_some() && !self.device_assistant()
    }

    /// True if the IPAe is installed, and not locked.
    fn has_ipae(&self) -> bool {
        let instance =
            Aid::new(aid::INSTANCE_IPAE).and_then(|aid| self.world.gp.registry.instance(&aid));
        instance.is_some_and(|instance| instance.is_selectable())
    }

    /// Tells the eUICC which assistant this session has: what it shows of itself says so.
    pub(super) fn tell_assistant(&mut self) {
        let assistant = match (self.has_ipae(), self.device_assistant()) {
            (false, _) => Assistant::Ipad,
            (true, true) => Assistant::IpadDeclared,
            (true, false) => Assistant::Ipae,
        };
        self.world.euicc.set_assistant(assistant);
    }

    pub(super) fn terminal_capability(&mut self, command: &Command) -> Result<Response, Stop> {
        if (command.p1, command.p2) != (0, 0) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        for object in tlv::iter(&command.data) {
            object.map_err(|_| Sw::WRONG_DATA)?;
        }
        // Cards differ in where they look for it: where this one doesn't, the command has no effect.
        let counts = match self.capability_channel {
            TerminalCapabilityChannel::Any => true,
            TerminalCapabilityChannel::Basic => command.channel() == 0,
            TerminalCapabilityChannel::Logical => command.channel() != 0,
        };
        if counts {
            self.capability = Some(command.data.clone());
        }
        Ok(Response::status(Sw::OK))
    }

    pub(super) fn terminal_profile(&mut self, command: &Command) -> Result<Response, Stop> {
        if (command.p1, command.p2) != (0, 0) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        if command.data.is_empty() {
            return Err(Sw::WRONG_LENGTH.into());
        }
        let instances = self.world.gp.registry.instances.iter();
        let recorded = instances
            .map(|instance| instance.aid.clone())
            .find(is_recorded);
        if let Some(aid) = recorded {
            self.world
                .record(&aid, Boundary::TerminalProfile(command.data.clone()));
        }
        let session = &mut self.world.toolkit.session;
        session.profile = Some(command.data.clone());
        session.told = Told::default();
        session.begun = false;
        self.tell_assistant();
        self.trigger(event::PROFILE_DOWNLOAD, None, None)?;
        Ok(Response::status(Sw::OK))
    }

    pub(super) fn fetch(&mut self, command: &Command) -> Result<Response, Stop> {
        if (command.p1, command.p2) != (0, 0) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let Some(proactive) = &mut self.world.toolkit.session.proactive else {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        };
        let length = proactive.command.len();
        match command.le {
            // A second FETCH before the terminal response gives the same command.
            Some(le) if le as usize == length || le == 256 => {
                proactive.fetched = true;
                let command = proactive.command.clone();
                if let Some(told) = proactive.tells.take() {
                    self.world.toolkit.session.told = told;
                }
                Ok(Response::ok(command))
            }
            _ => Err(Sw::wrong_le(length).into()),
        }
    }

    /// ENVELOPE: the event that it is, for the applets that registered for it (ETSI TS 102 241 6.5).
    pub(super) fn envelope(&mut self, command: &Command) -> Result<Response, Stop> {
        if (command.p1, command.p2) != (0, 0) {
            return Err(Sw::INCORRECT_P1_P2.into());
        }
        let Some(&ber) = command.data.first() else {
            return Err(Sw::WRONG_LENGTH.into());
        };
        let list = unwrap_ber(&command.data, Ber(ber))
            .map_err(|_| Sw::WRONG_DATA)?
            .to_vec();
        let Some((event, target)) = self.event_of(Ber(ber), &list)? else {
            return Ok(Response::status(Sw::OK));
        };
        self.world.toolkit.session.posted = None;
        self.trigger(event, Some((ber, list)), target.as_ref())?;
        // Those that wait for the session are called after the answer has gone out.
        for waiting in &mut self.world.toolkit.session.queue {
            waiting.answers = false;
        }
        Ok(match self.world.toolkit.session.posted.take() {
            None => Response::status(Sw::OK),
            Some(posted) if posted.success || posted.data.is_empty() => Response::ok(posted.data),
            Some(posted) => Response {
                data: posted.data,
                sw: Sw::WARNING_NO_INFORMATION,
            },
        })
    }

    /// The event that an envelope stands for, and the one applet that it belongs to, if it does: whose menu
    /// entry, timer, channel or service it names. `None` if it is nobody's.
    fn event_of(&self, ber: Ber, list: &[u8]) -> Result<Option<(i16, Option<Aid>)>, Stop> {
        let objects = Handler::new(list.to_vec());
        let byte = |tag, at: usize| {
            let value = objects.peek(tag).and_then(|value| value.get(at).copied());
            value.ok_or(Sw::WRONG_DATA)
        };
        let toolkit = &self.world.toolkit;
        let of = |event, owner: Option<&Aid>| owner.map(|owner| (event, Some(owner.clone())));
        Ok(match ber {
            Ber::EVENT_DOWNLOAD => match event::of_download_code(byte(tag::EVENT_LIST, 0)?) {
                Some(event @ (event::DATA_AVAILABLE | event::CHANNEL_STATUS)) => {
                    let id = byte(tag::CHANNEL_STATUS, 0)? & 0x07;
                    of(event, toolkit.channel_owner(id))
                }
                Some(event::LOCAL_CONNECTION) => {
                    let id = byte(tag::SERVICE_RECORD, 1)?;
                    of(event::LOCAL_CONNECTION, toolkit.session.services.get(&id))
                }
                event => event.map(|event| (event, None)),
            },
            Ber::TIMER_EXPIRATION => {
                let id = byte(tag::TIMER_IDENTIFIER, 0)?;
                of(event::TIMER_EXPIRATION, toolkit.timer_owner(id))
            }
            Ber::MENU_SELECTION => {
                let id = byte(tag::ITEM_IDENTIFIER, 0)?;
                let help = objects.peek(tag::HELP_REQUEST).is_some();
                let event = match help {
                    true => event::MENU_SELECTION_HELP_REQUEST,
                    false => event::MENU_SELECTION,
                };
                of(event, toolkit.menu_owner(id, help))
            }
            Ber::CALL_CONTROL => Some((event::CALL_CONTROL_BY_NAA, None)),
            // SMS, cell broadcast and the like belong to applications that this card doesn't have.
            other if other.name().is_some() => None,
            _ => Some((event::UNRECOGNIZED_ENVELOPE, None)),
        })
    }

    /// STATUS: the current directory's parameters, and the event for applets that registered for it.
    pub(super) fn status_command(&mut self, command: &Command) -> Result<Response, Stop> {
        let files = &self.world.files;
        let open = self
            .world
            .channels
            .get(command.channel())
            .ok_or(Sw::CHANNEL_NOT_SUPPORTED)?;
        let response = match (&open.selected, command.p2) {
            (Selected::Applet(aid), 0x01) => Response::ok(tlv::write(0x84, aid.bytes())),
            (Selected::Files, _) => files.status(open.position, command),
            _ => files.status(Position::default(), command),
        };
        // With a wrong Le the command comes again.
        let whole = command
            .le
            .is_none_or(|le| le as usize >= response.data.len());
        if response.sw == Sw::OK && whole {
            self.raise_now(event::STATUS_COMMAND)?;
            self.pump()?;
        }
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::declares_assistant;

    #[test]
    fn devices_declare_their_assistant_in_two_ways() {
        let declared = |text: &str| declares_assistant(&hex::decode(text).unwrap());
        assert!(declared("A903840101"));
        assert!(declared("A903830107"));
        assert!(declared("A9088100820101830107"));
        assert!(!declared("A903840100"));
        assert!(!declared("A9058100820101"));
        assert!(!declared("A905") && !declared("8401"));
    }
}
