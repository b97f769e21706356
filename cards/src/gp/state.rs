//! SET STATUS (GlobalPlatform Card Specification 11.10): life cycles by command.

use super::Stop;
use super::domain::Domain;
use super::registry::{Aid, CardState, app_state};
use crate::power::Nvm;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

impl Domain {
    /// SET STATUS: P1 80 the card (and its domain), 40 an application, locked or unlocked by P2's first bit.
    pub(crate) fn set_status(
        &mut self,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        match command.p1 {
            0x80 => {
                let next = CardState::from_code(command.p2).ok_or(Sw::INCORRECT_P1_P2)?;
                if !self.registry.card.may_become(next) {
                    return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
                }
                if next != self.registry.card {
                    nvm.commit()?;
                    self.registry.card = next;
                }
            }
            0x40 => {
                let aid = Aid::new(&command.data).ok_or(Sw::WRONG_DATA)?;
                let instance = self
                    .registry
                    .instance_mut(&aid)
                    .ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?;
                let next = instance.state & !app_state::LOCKED | command.p2 & app_state::LOCKED;
                if next != instance.state {
                    nvm.commit()?;
                    instance.state = next;
                }
            }
            _ => return Err(Sw::INCORRECT_P1_P2.into()),
        }
        Ok(Response::status(Sw::OK))
    }
}
