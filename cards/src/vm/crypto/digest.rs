//! Message digests (FIPS 180-4) and HMAC (FIPS 198-1) whose running states are bytes.

use super::block::xor;
use cipher::Array;
use serde::{Deserialize, Serialize};
use sha1::Sha1;
use sha2::digest::common::hazmat::SerializableState;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

/// A hash function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Hash {
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    /// Bytes of the digest.
    pub fn length(self) -> usize {
        match self {
            Hash::Sha1 => 20,
            Hash::Sha224 => 28,
            Hash::Sha256 => 32,
            Hash::Sha384 => 48,
            Hash::Sha512 => 64,
        }
    }

    /// Bytes of a block.
    pub fn block(self) -> usize {
        match self {
            Hash::Sha1 | Hash::Sha224 | Hash::Sha256 => 64,
            Hash::Sha384 | Hash::Sha512 => 128,
        }
    }

    /// Bytes of a word and of the intermediate hash value.
    fn state(self) -> (usize, usize) {
        match self {
            Hash::Sha1 => (4, 20),
            Hash::Sha224 | Hash::Sha256 => (4, 32),
            Hash::Sha384 | Hash::Sha512 => (8, 64),
        }
    }
}

/// A digest on its way; the hash's inner state is kept as bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DigestState {
    pub hash: Hash,
    running: Option<Vec<u8>>,
}

fn restore<D: Digest + SerializableState>(state: Option<&[u8]>) -> D {
    state
        .and_then(|bytes| Array::try_from(bytes).ok())
        .and_then(|bytes| D::deserialize(&bytes).ok())
        .unwrap_or_else(D::new)
}

/// The state after `data`, and the digest if it ends there.
fn step<D: Digest + SerializableState>(state: Option<&[u8]>, data: &[u8], last: bool) -> Vec<u8> {
    let running = restore::<D>(state).chain_update(data);
    if last {
        return running.finalize().to_vec();
    }
    running.serialize().to_vec()
}

impl DigestState {
    pub fn new(hash: Hash) -> Self {
        DigestState {
            hash,
            running: None,
        }
    }

    fn step(&self, data: &[u8], last: bool) -> Vec<u8> {
        let state = self.running.as_deref();
        match self.hash {
            Hash::Sha1 => step::<Sha1>(state, data, last),
            Hash::Sha224 => step::<Sha224>(state, data, last),
            Hash::Sha256 => step::<Sha256>(state, data, last),
            Hash::Sha384 => step::<Sha384>(state, data, last),
            Hash::Sha512 => step::<Sha512>(state, data, last),
        }
    }

    pub fn update(&mut self, data: &[u8]) {
        self.running = Some(self.step(data, false));
    }

    /// The digest; starts anew.
    pub fn finish(&mut self, data: &[u8]) -> Vec<u8> {
        let digest = self.step(data, true);
        self.running = None;
        digest
    }

    pub fn reset(&mut self) {
        self.running = None;
    }

    /// Goes on from an intermediate hash value after `digested` bytes. False, and nothing done, if
    /// the value has another length than the hash's, or the bytes don't fill its blocks.
    pub fn resume(&mut self, value: &[u8], digested: u64) -> bool {
        let (word, length) = self.hash.state();
        let block = self.hash.block() as u64;
        if value.len() != length || digested == 0 || !digested.is_multiple_of(block) {
            return false;
        }
        // As the hash functions write their states: words, little endian; blocks so far; buffer.
        let mut state = self.step(&[], false);
        let words = value.chunks_exact(word).flat_map(|word| word.iter().rev());
        let count = (digested / block).to_le_bytes();
        for (to, from) in state.iter_mut().zip(words.chain(&count)) {
            *to = *from;
        }
        self.running = Some(state);
        true
    }
}

/// HMAC on its way. The key is not part of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Hmac {
    inner: DigestState,
    started: bool,
}

impl Hmac {
    pub fn new(hash: Hash) -> Self {
        Hmac {
            inner: DigestState::new(hash),
            started: false,
        }
    }

    fn padded(&self, key: &[u8], with: u8) -> Vec<u8> {
        let hash = self.inner.hash;
        let mut padded = match key.len() > hash.block() {
            true => DigestState::new(hash).finish(key),
            false => key.to_vec(),
        };
        padded.resize(hash.block(), 0);
        xor(&mut padded, &vec![with; hash.block()]);
        padded
    }

    pub fn update(&mut self, key: &[u8], data: &[u8]) {
        if !self.started {
            let pad = self.padded(key, 0x36);
            self.inner.update(&pad);
            self.started = true;
        }
        self.inner.update(data);
    }

    /// The code; starts anew.
    pub fn finish(&mut self, key: &[u8], data: &[u8]) -> Vec<u8> {
        self.update(key, data);
        let inner = self.inner.finish(&[]);
        self.started = false;
        let mut outer = DigestState::new(self.inner.hash);
        outer.update(&self.padded(key, 0x5C));
        outer.finish(&inner)
    }

    pub fn length(&self) -> usize {
        self.inner.hash.length()
    }

    pub fn reset(&mut self) {
        self.inner.reset();
        self.started = false;
    }
}
