//! `ipae card card-state`: the life cycle of the whole card.

use super::super::failure::Failure;
use super::super::output::Out;
use super::session::{self, SessionArgs};
use clap::{Args, ValueEnum};
use host_bridge::exit;
use host_bridge::gp::plan;

/// Card life cycle states (GPCS table 11-7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum State {
    /// 01
    OpReady,
    /// 07
    Initialized,
    /// 0F
    Secured,
    /// 7F: nothing but the final application and the issuer security domain answers
    Locked,
    /// FF: the card is over, for ever
    Terminated,
}

impl State {
    fn code(self) -> (u8, &'static str) {
        match self {
            State::OpReady => (0x01, "OP_READY"),
            State::Initialized => (0x07, "INITIALIZED"),
            State::Secured => (0x0F, "SECURED"),
            State::Locked => (0x7F, "CARD_LOCKED"),
            State::Terminated => (0xFF, "TERMINATED"),
        }
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card card-state secured --reader \"ACR38\" --card my.toml --key-set lab
  ipae card card-state locked --lock-the-card --identity 89049032000000000163 --reader \"ACR38\" --card my.toml --key-set lab

TERMINATED ends the card for ever, CARD_LOCKED takes its applications away until it is SECURED again.
Both take a flag that spells it out, and the card's key diversification data (`ipae card info` shows
them), which are compared before anything else is sent.")]
pub struct CardState {
    /// The state
    state: State,
    #[command(flatten)]
    session: SessionArgs,
    /// Yes, lock the card
    #[arg(long)]
    lock_the_card: bool,
    /// Yes, end the card for ever
    #[arg(long)]
    terminate_the_card_for_ever: bool,
    /// Key diversification data of the card that is meant, in hexadecimal
    #[arg(long, value_name = "HEX")]
    identity: Option<String>,
}

impl CardState {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        let definition = self.session.definition()?;
        let (code, name) = self.state.code();
        let (said, flag) = match self.state {
            State::Locked => (self.lock_the_card, "--lock-the-card"),
            State::Terminated => (
                self.terminate_the_card_for_ever,
                "--terminate-the-card-for-ever",
            ),
            _ => (true, ""),
        };
        let grave = !flag.is_empty();
        if !self.session.is_dry() && !said {
            return Err(Failure::new(
                exit::USAGE,
                format!("{name} is not set without {flag}; nothing was sent"),
            )
            .next("`ipae help card card-state` says what it does"));
        }
        let title = format!("card state {name}");
        let steps = plan::card_state(definition.isd.aid.bytes(), code, name);
        if self.session.is_dry() {
            return self.session.show(&title, &definition, steps, out);
        }
        let set = self.session.key_set(&definition)?;
        let mut domain = self.session.select(&definition)?;
        if grave {
            let Some(identity) = &self.identity else {
                return Err(Failure::new(
                    exit::USAGE,
                    format!("{name} takes the card's identity; nothing was sent"),
                )
                .next("repeat the key diversification data that `ipae card info` shows with --identity"));
            };
            let found = domain.told_diversification()?;
            if !found.eq_ignore_ascii_case(identity) {
                return Err(Failure::new(
                    exit::WRONG_CARD,
                    format!(
                        "another card: --identity {identity}, the card's key diversification data are {found}; nothing was changed"
                    ),
                ));
            }
        }
        self.session.authenticate(&mut domain, &set, out)?;
        session::send(&mut domain, &title, &steps, out)
    }
}
