//! How ES10 commands come in and answers go out: STORE DATA blocks and pieces of the response
//! (SGP.22 5.7.2, GlobalPlatform Card Specification 11.11).

use super::{Euicc, Switch};
use crate::power::{Nvm, PowerCut};
use applet_model::status::Sw;
use serde::{Deserialize, Serialize};

/// P1 of a STORE DATA block with more to follow: BER-TLV data, case 4.
pub const P1_MORE: u8 = 0x11;
/// P1 of the last block.
pub const P1_LAST: u8 = 0x91;

/// One path to the ISD-R: a logical channel or the applet's port. Volatile: it ends with the channel's
/// closing, another SELECT or a reset (make a new one).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Es10Session {
    command: Vec<u8>,
    next_block: Option<u8>,
    response: Vec<u8>,
    read: usize,
    of_device: bool,
    #[serde(skip)]
    switch: Option<Switch>,
}

impl Es10Session {
    /// The path that the device uses: a logical channel on which the ISD-R is selected.
    pub fn for_device() -> Self {
        Es10Session {
            of_device: true,
            ..Self::default()
        }
    }

    /// The path that the IPAe in the card uses.
    pub fn for_ipae() -> Self {
        Self::default()
    }

    /// Takes a STORE DATA block; with the last one, the command is executed.
    ///
    /// The status word says how it went: 9000 block taken, or executed without an answer; 61xx the answer
    /// waits; 6985 the ISD-R doesn't answer this path now; 6A80 the command is no data object;
    /// 6A84 it is larger than the eUICC takes; 6A86 P1 is neither 11 nor 91, or the block number
    /// (from 0, after FF comes 00) is out of order: then the command starts anew with block 0;
    /// 6A88 the function isn't supported.
    ///
    /// # Errors
    /// [`PowerCut`]: the card has no power any more.
    pub fn store_data(
        &mut self,
        euicc: &mut Euicc,
        nvm: &mut Nvm,
        p1: u8,
        p2: u8,
        data: &[u8],
    ) -> Result<Sw, PowerCut> {
        self.response.clear();
        self.read = 0;
        if let Some(sw) = euicc.refuses(self.of_device) {
            self.abandon();
            return Ok(sw);
        }
        if !matches!(p1, P1_MORE | P1_LAST) {
            self.abandon();
            return Ok(Sw::INCORRECT_P1_P2);
        }
        if p2 == 0 && self.next_block != Some(0) {
            self.abandon();
        } else if self.next_block != Some(p2) {
            self.abandon();
            return Ok(Sw::INCORRECT_P1_P2);
        }
        if self.command.len() + data.len() > euicc.limits().command {
            self.abandon();
            return Ok(Sw::NOT_ENOUGH_MEMORY);
        }
        self.command.extend_from_slice(data);
        self.next_block = Some(p2.wrapping_add(1));
        if p1 == P1_MORE {
            return Ok(Sw::OK);
        }
        let command = std::mem::take(&mut self.command);
        self.abandon();
        let answer = if self.of_device {
            let (answer, switch) = euicc.es10_of_device(nvm, &command)?;
            self.switch = switch;
            answer
        } else {
            euicc.es10(nvm, &command)?
        };
        self.response = answer.data;
        Ok(if self.response.is_empty() {
            answer.sw
        } else {
            Sw::bytes_remaining(self.response.len())
        })
    }

    /// What the last command's switch asks of the card, if it made one.
    pub fn take_switch(&mut self) -> Option<Switch> {
        self.switch.take()
    }

    fn abandon(&mut self) {
        self.command.clear();
        self.next_block = None;
    }

    /// Up to `max` next bytes of the answer; empty when there are no more.
    pub fn get_response(&mut self, max: usize) -> Vec<u8> {
        let piece: Vec<u8> = self
            .response
            .iter()
            .skip(self.read)
            .take(max)
            .copied()
            .collect();
        self.read += piece.len();
        if self.read >= self.response.len() {
            self.response.clear();
            self.read = 0;
        }
        piece
    }

    /// How many bytes of the answer still wait.
    pub fn remaining(&self) -> usize {
        self.response.len().saturating_sub(self.read)
    }
}
