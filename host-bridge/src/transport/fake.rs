//! A card that plays a script, for tests.

use super::{CardLink, LinkError};
use applet_model::apdu::{Command, Response};
use std::collections::VecDeque;

/// Expects the commands of a script in order and gives their answers.
pub struct Scripted {
    script: VecDeque<(Vec<u8>, Vec<u8>)>,
    /// Resets so far.
    pub resets: usize,
}

impl Scripted {
    pub fn new(script: &[(&str, &str)]) -> Self {
        let bytes = |hex: &str| hex::decode(hex).unwrap();
        Scripted {
            script: script.iter().map(|(c, r)| (bytes(c), bytes(r))).collect(),
            resets: 0,
        }
    }
}

impl CardLink for Scripted {
    fn atr(&self) -> &[u8] {
        &[0x3B, 0x00]
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.resets += 1;
        Ok(self.atr().to_vec())
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        let (expected, answer) = self
            .script
            .pop_front()
            .expect("a command more than in the script");
        assert_eq!(
            hex::encode_upper(command.to_bytes()),
            hex::encode_upper(expected)
        );
        Ok(Response::parse(&answer).unwrap())
    }

    fn name(&self) -> String {
        "scripted card".to_owned()
    }
}
