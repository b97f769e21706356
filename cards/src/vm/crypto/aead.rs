//! Counter mode (NIST SP 800-38A 6.5), GCM (SP 800-38D) and CCM (RFC 3610), message by part.

use super::block::{BlockCipher, xor};
use ghash::GHash;
use ghash::universal_hash::UniversalHash;
use serde::{Deserialize, Serialize};

const BLOCK: usize = 16;

/// A key stream's place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counter {
    /// Block of the key stream's first byte.
    first: Vec<u8>,
    /// How many of the block's last bytes count.
    width: usize,
    /// Bytes used so far.
    position: u64,
}

impl Counter {
    /// `first` has a block's length.
    pub fn new(first: Vec<u8>, width: usize) -> Self {
        Counter {
            first,
            width,
            position: 0,
        }
    }

    /// Encrypts or decrypts the next part.
    pub fn apply(&mut self, cipher: &BlockCipher, data: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(data.len());
        let mut data = data;
        while !data.is_empty() {
            let within = usize::try_from(self.position % BLOCK as u64).unwrap_or(0);
            let (part, rest) = data.split_at(data.len().min(BLOCK - within));
            let stream = cipher.encrypted(&self.block(self.position / BLOCK as u64));
            let start = out.len();
            out.extend_from_slice(part);
            if let (Some(to), Some(stream)) = (out.get_mut(start..), stream.get(within..)) {
                xor(to, stream);
            }
            self.position += part.len() as u64;
            data = rest;
        }
        out
    }

    fn block(&self, index: u64) -> Vec<u8> {
        let mut block = self.first.clone();
        let mut carry = u128::from(index);
        for byte in block.iter_mut().rev().take(self.width) {
            carry += u128::from(*byte);
            *byte = (carry & 0xFF) as u8;
            carry >>= 8;
        }
        block
    }
}

/// Which mode.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum AeadKind {
    Gcm,
    /// With what is announced: bytes of additional data, of the message, and of the tag.
    Ccm {
        additional: u64,
        message: u64,
        tag: usize,
    },
}

/// A message on its way. The key is not part of the state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Aead {
    pub kind: AeadKind,
    counter: Counter,
    /// The block whose encryption hides the tag.
    mask: Vec<u8>,
    /// GHASH's or CBC-MAC's value, and bytes that don't fill a block yet.
    sum: Vec<u8>,
    rest: Vec<u8>,
    additional: u64,
    message: u64,
    in_message: bool,
}

/// Why a call doesn't fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Misuse {
    /// More additional data than announced.
    Additional,
    /// Out of order, or another length of message than announced.
    Order,
}

impl Aead {
    /// GCM with an initial value of any length but zero.
    pub fn gcm(cipher: &BlockCipher, initial: &[u8]) -> Option<Self> {
        if initial.is_empty() {
            return None;
        }
        let mut aead = Aead::blank(AeadKind::Gcm, vec![0; BLOCK], 4);
        let first = if initial.len() == 12 {
            [initial, &[0, 0, 0, 1]].concat()
        } else {
            aead.absorb(cipher, initial);
            aead.fill(cipher);
            let bits = initial.len() as u128 * 8;
            aead.absorb(cipher, &bits.to_be_bytes());
            core::mem::replace(&mut aead.sum, vec![0; BLOCK])
        };
        aead.mask = first.clone();
        aead.counter = Counter::new(first, 4);
        // The message's key stream starts one block later.
        aead.counter.position = BLOCK as u64;
        Some(aead)
    }

    /// CCM; `None` if a length is none that RFC 3610 allows.
    pub fn ccm(
        cipher: &BlockCipher,
        nonce: &[u8],
        additional: u64,
        message: u64,
        tag: usize,
    ) -> Option<Self> {
        let width = (BLOCK - 1).checked_sub(nonce.len())?;
        let tags = matches!(tag, 4 | 6 | 8 | 10 | 12 | 14 | 16);
        let fits = width >= 8 || message >> (8 * width) == 0;
        if !(2..=8).contains(&width) || !tags || !fits {
            return None;
        }
        let head = |flags: usize, count: u64| {
            let count = count.to_be_bytes();
            let count = count.get(8 - width..).unwrap_or_default();
            [&[u8::try_from(flags).unwrap_or(0)], nonce, count].concat()
        };
        let kind = AeadKind::Ccm {
            additional,
            message,
            tag,
        };
        let first = head(width - 1, 0);
        let mut aead = Aead::blank(kind, first, width);
        aead.counter.position = BLOCK as u64;
        let flags = (usize::from(additional > 0) << 6) | (((tag - 2) / 2) << 3) | (width - 1);
        aead.absorb(cipher, &head(flags, message));
        if additional > 0 {
            // 2.2: the length in front; a short's values are below 2^16 - 2^8.
            let length = u16::try_from(additional).ok()?;
            aead.absorb(cipher, &length.to_be_bytes());
        }
        Some(aead)
    }

    fn blank(kind: AeadKind, first: Vec<u8>, width: usize) -> Self {
        Aead {
            kind,
            mask: first.clone(),
            counter: Counter::new(first, width),
            sum: vec![0; BLOCK],
            rest: Vec::new(),
            additional: 0,
            message: 0,
            in_message: false,
        }
    }

    /// Adds bytes to what the tag covers.
    fn absorb(&mut self, cipher: &BlockCipher, data: &[u8]) {
        self.rest.extend_from_slice(data);
        let whole = self.rest.len() / BLOCK * BLOCK;
        let rest = self.rest.split_off(whole);
        let mut blocks = core::mem::replace(&mut self.rest, rest);
        if blocks.is_empty() {
            return;
        }
        if self.kind == AeadKind::Gcm {
            // GHASH goes on from a value if the value is added to its next block.
            xor(&mut blocks, &self.sum);
            let key: [u8; BLOCK] = cipher.encrypted(&[0; BLOCK]).try_into().unwrap_or_default();
            let mut hash = GHash::new(&key.into());
            hash.update_padded(&blocks);
            self.sum = hash.finalize().to_vec();
        } else {
            cipher.cbc(&mut self.sum, &blocks, true);
        }
    }

    /// Fills up the block with zeros.
    fn fill(&mut self, cipher: &BlockCipher) {
        let missing = self.rest.len().next_multiple_of(BLOCK) - self.rest.len();
        self.absorb(cipher, &vec![0; missing]);
    }

    /// Additional data.
    pub fn additional(&mut self, cipher: &BlockCipher, data: &[u8]) -> Result<(), Misuse> {
        if self.in_message {
            return Err(Misuse::Order);
        }
        let length = self.additional + data.len() as u64;
        if matches!(self.kind, AeadKind::Ccm { additional, .. } if length > additional) {
            return Err(Misuse::Additional);
        }
        self.additional = length;
        self.absorb(cipher, data);
        Ok(())
    }

    /// A part of the message.
    pub fn message(
        &mut self,
        cipher: &BlockCipher,
        data: &[u8],
        encrypt: bool,
    ) -> Result<Vec<u8>, Misuse> {
        let length = self.message + data.len() as u64;
        if let AeadKind::Ccm {
            additional,
            message,
            ..
        } = self.kind
            && (self.additional != additional || length > message)
        {
            return Err(Misuse::Order);
        }
        if !self.in_message {
            self.fill(cipher);
            self.in_message = true;
        }
        self.message = length;
        let out = self.counter.apply(cipher, data);
        // GCM's tag covers the cipher text, CCM's the plain text.
        let covers_output = (self.kind == AeadKind::Gcm) == encrypt;
        self.absorb(cipher, if covers_output { &out } else { data });
        Ok(out)
    }

    /// The message's last part, and the whole tag.
    pub fn finish(
        &mut self,
        cipher: &BlockCipher,
        data: &[u8],
        encrypt: bool,
    ) -> Result<(Vec<u8>, Vec<u8>), Misuse> {
        let out = self.message(cipher, data, encrypt)?;
        if matches!(self.kind, AeadKind::Ccm { message, .. } if message != self.message) {
            return Err(Misuse::Order);
        }
        self.fill(cipher);
        if self.kind == AeadKind::Gcm {
            let bits = [self.additional * 8, self.message * 8].map(u64::to_be_bytes);
            self.absorb(cipher, &bits.concat());
        }
        let mut tag = self.sum.clone();
        xor(&mut tag, &cipher.encrypted(&self.mask));
        if let AeadKind::Ccm { tag: length, .. } = self.kind {
            tag.truncate(length);
        }
        Ok((out, tag))
    }
}
