//! SET STATUS (GlobalPlatform Card Specification 11.10, 5.1, 5.3): life cycles by command.

use super::Stop;
use super::open::Open;
use super::registry::{Aid, CardState, app_state};
use crate::power::Nvm;
use applet_gen::gp::privilege::Privilege;
use applet_model::apdu::{Command, Response};
use applet_model::status::Sw;

impl Open {
    /// SET STATUS as it came to the domain `by`: P1 80 the card, 40 an application or domain, 60 a domain with
    /// everything below it. A change to the state that is there already is refused, but for P1 60.
    pub(crate) fn set_status(
        &mut self,
        by: &Aid,
        command: &Command,
        nvm: &mut Nvm,
    ) -> Result<Response, Stop> {
        match command.p1 {
            0x80 => self.set_card_state(by, command.p2, nvm)?,
            0x40 => {
                let aid = Aid::new(&command.data).ok_or(Sw::WRONG_DATA)?;
                self.set_application_state(by, &aid, command.p2, nvm)?;
            }
            0x60 => {
                let aid = Aid::new(&command.data).ok_or(Sw::WRONG_DATA)?;
                self.lock_all(by, &aid, command.p2 & app_state::LOCKED, nvm)?;
            }
            _ => return Err(Sw::INCORRECT_P1_P2.into()),
        }
        Ok(Response::status(Sw::OK))
    }

    fn set_card_state(&mut self, by: &Aid, code: u8, nvm: &mut Nvm) -> Result<(), Stop> {
        let next = CardState::from_code(code).ok_or(Sw::INCORRECT_P1_P2)?;
        let now = self.registry.card;
        let needed = match (now, next) {
            (_, CardState::Terminated) => Some(Privilege::CardTerminate),
            (CardState::Locked, _) | (_, CardState::Locked) => Some(Privilege::CardLock),
            _ => None,
        };
        let may = match needed {
            Some(privilege) => self.has(by, privilege),
            None => *by == self.registry.isd,
        };
        if !may {
            let name = needed.map_or("being the issuer's security domain", Privilege::name);
            let why = format!("SET STATUS of the card needs {name}");
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if next == now || !now.may_become(next) {
            return Err(Sw::CONDITIONS_NOT_SATISFIED.into());
        }
        nvm.commit()?;
        self.registry.card = next;
        Ok(())
    }

    fn set_application_state(
        &mut self,
        by: &Aid,
        aid: &Aid,
        p2: u8,
        nvm: &mut Nvm,
    ) -> Result<(), Stop> {
        let instance = self.registry.instance(aid);
        let now = instance.ok_or(Sw::REFERENCED_DATA_NOT_FOUND)?.state;
        let next = if by == aid {
            // A domain's own state: PERSONALIZED, or LOCKED; from LOCKED it doesn't lead itself.
            match p2 {
                app_state::PERSONALIZED if now == app_state::SELECTABLE => p2,
                _ if p2 & app_state::LOCKED != 0 => now | app_state::LOCKED,
                _ => return Err(Sw::CONDITIONS_NOT_SATISFIED.into()),
            }
        } else {
            self.may_lock(by, aid)?;
            now & !app_state::LOCKED | p2 & app_state::LOCKED
        };
        if next == now {
            return Err(self.refuse(
                Sw::CONDITIONS_NOT_SATISFIED,
                "SET STATUS: it is in that state",
            ));
        }
        nvm.commit()?;
        if let Some(instance) = self.registry.instance_mut(aid) {
            instance.state = next;
        }
        Ok(())
    }

    fn may_lock(&mut self, by: &Aid, aid: &Aid) -> Result<(), Stop> {
        if self.has(by, Privilege::GlobalLock) || self.registry.is_below(aid, by) {
            return Ok(());
        }
        let why = "SET STATUS: not below this security domain, which has no Global Lock";
        Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why))
    }

    /// Locks or unlocks a domain and everything below it, in one write.
    fn lock_all(&mut self, by: &Aid, domain: &Aid, lock: u8, nvm: &mut Nvm) -> Result<(), Stop> {
        self.domain(domain)?;
        if *domain == self.registry.isd {
            let why =
                "SET STATUS: locking the issuer's security domain is locking the card (P1 80)";
            return Err(self.refuse(Sw::CONDITIONS_NOT_SATISFIED, why));
        }
        if by != domain || lock == 0 {
            self.may_lock(by, domain)?;
        }
        let all: Vec<Aid> = self
            .registry
            .instances
            .iter()
            .map(|instance| &instance.aid)
            .filter(|aid| *aid == domain || self.registry.is_below(aid, domain))
            .cloned()
            .collect();
        nvm.commit()?;
        for aid in all {
            if let Some(instance) = self.registry.instance_mut(&aid) {
                instance.state = instance.state & !app_state::LOCKED | lock;
            }
        }
        Ok(())
    }
}
