//! The card's random numbers: a stream from its seed, which goes on over resets.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// SHA-256 over seed and counter, block by block.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rng {
    seed: [u8; 32],
    counter: u64,
    rest: Vec<u8>,
}

impl core::fmt::Debug for Rng {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Rng")
            .field("counter", &self.counter)
            .finish_non_exhaustive()
    }
}

impl Rng {
    /// The stream of this seed; `label` keeps the streams of one seed's uses apart.
    pub fn new(seed: u64, label: &[u8]) -> Rng {
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        hash.update(label);
        Rng {
            seed: hash.finalize().into(),
            counter: 0,
            rest: Vec::new(),
        }
    }

    /// The next bytes of the stream.
    pub fn fill(&mut self, out: &mut [u8]) {
        for byte in out {
            if self.rest.is_empty() {
                let mut hash = Sha256::new();
                hash.update(self.seed);
                hash.update(self.counter.to_be_bytes());
                self.rest = hash.finalize().to_vec();
                self.counter += 1;
            }
            *byte = self.rest.pop().unwrap_or(0);
        }
    }
}
