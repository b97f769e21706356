//! SELECT (ETSI TS 102 221 11.1.1, GlobalPlatform Card Specification 11.9): by AID or its beginning, by file.

use super::VirtualCard;
use super::world::Place;
use crate::channels::Selected;
use crate::fs::{FileError, FileId, Position};
use crate::gp::Stop;
use crate::gp::registry::{Aid, CardState};
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;
use applet_model::tlv;

/// Something that SELECT by AID finds.
struct Application {
    aid: Vec<u8>,
    selected: Selected,
    /// Of a file system's application.
    adf: Option<FileId>,
}

impl VirtualCard {
    /// SELECT on an open channel.
    pub(super) fn select(&mut self, command: &Command) -> Result<Response, Stop> {
        if command.p1 == 0x04 {
            return self.select_by_name(command);
        }
        let channel = command.channel();
        let from = match self.world.channels.get(channel) {
            Some(open) if open.selected == Selected::Files => open.position,
            Some(_) => Position::default(),
            None => return Err(Sw::CHANNEL_NOT_SUPPORTED.into()),
        };
        // The file is looked for first: a failed SELECT leaves the selected application as it is.
        let found = self.world.files.find(from, command.p1, &command.data);
        let found = found.and_then(|position| {
            self.shareable(position, Place::Channel(channel))?;
            Ok(position)
        });
        let position = match found {
            Ok(position) => position,
            Err(error) => return Err(error.status()?.into()),
        };
        self.leave(channel)?;
        if let Some(open) = self.world.channels.get_mut(channel) {
            open.selected = Selected::Files;
            open.position = position;
        }
        Ok(self.world.files.selected(position, command.p2))
    }

    /// Refuses a file that isn't shareable and is current somewhere else (ETSI TS 102 221 8.4.3).
    fn shareable(&self, position: Position, place: Place) -> Result<(), FileError> {
        self.world.shareable(&self.vm, position, place)
    }

    /// Everything that SELECT by AID can find, in the order in which a partial AID does.
    fn applications(&self) -> Vec<Application> {
        let registry = &self.world.gp.registry;
        let mut all = Vec::new();
        let mut add = |aid: &[u8], selected: Selected, adf: Option<FileId>| {
            all.push(Application {
                aid: aid.to_vec(),
                selected,
                adf,
            });
        };
        let locked = registry.card == CardState::Locked;
        if !locked {
            for (adf, aid) in self.world.files.tree().adfs() {
                add(aid, Selected::Files, Some(adf));
            }
        }
        add(
            registry.isd.bytes(),
            Selected::Domain(registry.isd.clone()),
            None,
        );
        if !locked {
            let instances = registry
                .instances
                .iter()
                .filter(|instance| instance.is_selectable());
            for instance in instances {
                let aid = instance.aid.clone();
                let selected = match self.world.gp.domain(&aid) {
                    Ok(domain) => Selected::Domain(domain.aid.clone()),
                    Err(_) => Selected::Applet(aid.clone()),
                };
                add(aid.bytes(), selected, None);
            }
            if !self.isd_r.is_empty() {
                add(&self.isd_r, Selected::IsdR, None);
                add(&self.ecasd, Selected::Ecasd, None);
            }
        }
        all
    }

    fn select_by_name(&mut self, command: &Command) -> Result<Response, Stop> {
        if self.world.gp.registry.card == CardState::Terminated {
            return Err(Sw::FUNCTION_NOT_SUPPORTED.into());
        }
        let channel = command.channel();
        let current = self
            .world
            .channels
            .get(channel)
            .ok_or(Sw::CHANNEL_NOT_SUPPORTED)?;
        let applications = self.applications();
        let name = command.data.as_slice();
        let mut matching = applications.iter().filter(|application| match name {
            // No AID: the domain, which is the card's default application here.
            [] => application.aid == self.world.gp.registry.isd.bytes(),
            _ => application.aid.starts_with(name),
        });
        let found = match command.p2 & 0x03 {
            // The full AID comes before those that begin with it.
            0x00 => applications
                .iter()
                .find(|application| application.aid == name)
                .or_else(|| matching.next()),
            0x02 => {
                let adf = match current.selected {
                    Selected::Files => current.position.adf,
                    _ => None,
                };
                let is_current = |application: &&Application| {
                    application.selected == current.selected && application.adf == adf
                };
                matching.by_ref().find(is_current);
                matching.next()
            }
            _ => return Err(Sw::INCORRECT_P1_P2.into()),
        };
        let found = found.ok_or(match self.world.gp.registry.card {
            CardState::Locked => Sw::FUNCTION_NOT_SUPPORTED,
            _ => Sw::NOT_FOUND,
        })?;
        let (selected, adf) = (found.selected.clone(), found.adf);
        // P2's session control (ETSI TS 102 221 table 11.2): termination of the application.
        let terminates = command.p2 & 0x60 == 0x40 && adf.is_some();
        if terminates && current.position.adf != adf {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        }
        let ended = current
            .position
            .adf
            .filter(|current| terminates || Some(*current) != adf);
        let ended = ended.and_then(|adf| self.world.files.tree().get(adf).ok()?.adf_name());
        let ended = ended.map(<[u8]>::to_vec);
        let response = self.select_application(command, selected, adf.filter(|_| !terminates))?;
        if let Some(aid) = ended {
            self.application_left(&aid)?;
        }
        Ok(response)
    }

    /// Selects what was found by name.
    fn select_application(
        &mut self,
        command: &Command,
        selected: Selected,
        adf: Option<FileId>,
    ) -> Result<Response, Stop> {
        let channel = command.channel();
        let no_data = command.p2 & 0x0C == 0x0C;
        self.leave(channel)?;
        if let Selected::Applet(aid) = &selected {
            return self.select_applet(channel, aid.clone(), command);
        }
        self.place(channel, selected.clone(), adf);
        if selected == Selected::Files {
            let position = adf.map(Position::adf).unwrap_or_default();
            return Ok(self.world.files.selected(position, command.p2));
        }
        if no_data {
            return Ok(Response::status(Sw::OK));
        }
        Ok(match &selected {
            // Maximum length of command data (9F65), as GlobalPlatform Card Specification 11.9.3.1 has it.
            Selected::Domain(aid) => fci(aid.bytes(), &tlv::write(0x9F65, &[0xFF])),
            Selected::IsdR => {
                self.tell_assistant();
                Response::ok(self.isd_r_fci())
            }
            _ => fci(&self.ecasd, &[]),
        })
    }

    /// Selects an applet: `select()` may refuse (6999), then `process()` answers the SELECT itself.
    fn select_applet(
        &mut self,
        channel: u8,
        aid: Aid,
        command: &Command,
    ) -> Result<Response, Stop> {
        self.place(channel, Selected::Applet(aid.clone()), None);
        let asked = self.ask_select(&aid, channel);
        if !matches!(asked, Ok(true)) {
            self.vm.deselected(channel);
            if let Some(open) = self.world.channels.get_mut(channel) {
                open.selected = Selected::Files;
            }
            asked?;
            return Err(Sw::SELECT_FAILED.into());
        }
        self.process(&aid, command, true)
    }

    /// Ends what is selected on a channel: tells the applet, drops the secure channel.
    pub(super) fn leave(&mut self, channel: u8) -> Result<(), Stop> {
        let Some(open) = self.world.channels.get_mut(channel) else {
            return Ok(());
        };
        open.secure = None;
        match core::mem::take(&mut open.selected) {
            Selected::Applet(aid) => self.deselect(&aid, channel)?,
            Selected::Domain(aid) => self.world.gp.deselected(&aid),
            Selected::IsdR => self.world.port.leave(channel),
            Selected::Files | Selected::Ecasd => {}
        }
        Ok(())
    }

    fn place(&mut self, channel: u8, selected: Selected, adf: Option<FileId>) {
        if let Some(open) = self.world.channels.get_mut(channel) {
            open.position = adf.map(Position::adf).unwrap_or_default();
            open.selected = selected;
        }
    }
}

/// File control information: DF name and proprietary data (GlobalPlatform Card Specification 11.9.3.1).
fn fci(aid: &[u8], proprietary: &[u8]) -> Response {
    Response::ok(tlv::write_constructed(
        0x6F,
        &[tlv::write(0x84, aid), tlv::write(0xA5, proprietary)],
    ))
}
