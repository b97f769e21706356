//! From a command APDU to the one who answers it.

use super::VirtualCard;
use crate::channels::{self, Delivery, Selected};
use crate::gp::Stop;
use crate::toolkit::files;
use applet_gen::gp::scp03::session::is_secure_class;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

impl VirtualCard {
    /// Answers a command in the form that it has on the interface.
    pub(super) fn dispatch(&mut self, command: &Command) -> Result<Response, Stop> {
        // GSM's class A0 is not this card's: it has no SIM application (ETSI TS 102 221 annex). FF is
        // no class at all.
        if command.cla == 0xA0 || command.cla == 0xFF {
            return Err(Sw::CLA_NOT_SUPPORTED.into());
        }
        let number = command.channel();
        let Some(channel) = self.world.channels.get_mut(number) else {
            return Err(Sw::CHANNEL_NOT_SUPPORTED.into());
        };
        let plain = !is_secure_class(command.cla);
        // Classes 0X and 8X both ask for it: clients use either after STORE DATA.
        if command.ins == 0xC0 && plain {
            return Ok(channels::get_response(channel, command));
        }
        let response = match self.serve(command) {
            Ok(response) => response,
            Err(Stop::Status(sw)) => Response::status(sw),
            Err(stop) => return Err(stop),
        };
        let delivery = match self.interface.t1 {
            true => Delivery::T1,
            false => Delivery::T0 {
                exact: self.world.gp.rules.quirks.exact_le,
            },
        };
        Ok(match self.world.channels.get_mut(number) {
            Some(channel) => channels::deliver(channel, command, response, delivery),
            // MANAGE CHANNEL closed the channel that it came on.
            None => response,
        })
    }

    fn serve(&mut self, command: &Command) -> Result<Response, Stop> {
        let number = command.channel();
        let plain = !is_secure_class(command.cla);
        match (command.cla & 0x80 != 0, command.ins) {
            (false, 0x70) if plain => return self.manage_channel(command),
            (false, 0xA4) if plain => return self.select(command),
            (true, 0xAA) if plain => return self.terminal_capability(command),
            // The toolkit's commands belong to the basic channel (ETSI TS 102 221 11.2).
            (true, 0x10 | 0x12 | 0x14 | 0xC2) if plain && number == 0 => {
                return self.toolkit_command(command);
            }
            // With the security domain selected, 80F2 is GET STATUS, unless P1 is one of STATUS.
            (true, 0xF2) if plain && (command.p1 <= 2 || !self.selected_is_domain(number)) => {
                return self.status_command(command);
            }
            _ => {}
        }
        let selected = self
            .world
            .channels
            .get(number)
            .map(|channel| channel.selected.clone());
        match selected.ok_or(Sw::CHANNEL_NOT_SUPPORTED)? {
            Selected::Files => self.file_command(command),
            Selected::Domain(aid) => self.domain_command(&aid, command),
            Selected::IsdR => self.es10_command(command),
            Selected::Ecasd => Err(Sw::INS_NOT_SUPPORTED.into()),
            Selected::Applet(aid) => self.process(&aid, command, false),
        }
    }

    fn selected_is_domain(&self, number: u8) -> bool {
        self.world
            .channels
            .get(number)
            .is_some_and(|channel| matches!(channel.selected, Selected::Domain(_)))
    }

    fn toolkit_command(&mut self, command: &Command) -> Result<Response, Stop> {
        match command.ins {
            0x10 => self.terminal_profile(command),
            0x12 => self.fetch(command),
            0x14 if (command.p1, command.p2) != (0, 0) => Err(Sw::INCORRECT_P1_P2.into()),
            0x14 => Ok(Response::status(self.terminal_response(&command.data)?)),
            _ => self.envelope(command),
        }
    }

    fn manage_channel(&mut self, command: &Command) -> Result<Response, Stop> {
        // What is selected on a channel is told before the channel goes.
        if command.p1 == 0x80 && command.p2 != 0 && command.data.is_empty() {
            self.leave(command.p2)?;
        }
        Ok(self.world.channels.manage(command).0)
    }

    fn file_command(&mut self, command: &Command) -> Result<Response, Stop> {
        // Card data may be read without selecting the domain, as many tools do.
        if command.cla & 0x80 != 0 && command.ins == 0xCA {
            let isd = &self.world.gp.registry.isd;
            return Ok(self.world.gp.get_data(isd, command, self.free(), None)?);
        }
        let world = &mut self.world;
        let open = world
            .channels
            .get_mut(command.channel())
            .ok_or(Sw::CHANNEL_NOT_SUPPORTED)?;
        let done = world
            .files
            .command(&mut world.nvm, &mut open.position, command);
        let done = match done {
            Ok(done) => done,
            Err(error) => return Ok(Response::status(error.status()?)),
        };
        if let Some(file) = done.updated {
            let record = open.position.record;
            let information = files::information(world.files.tree(), file, command, record);
            if let Some(path) = world.files.path(file) {
                self.file_updated(&path, information)?;
            }
        }
        Ok(done.response)
    }
}
