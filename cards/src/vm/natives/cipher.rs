//! `javacardx.crypto`: Cipher and AEADCipher.

use super::keys::{
    ILLEGAL_USE, ILLEGAL_VALUE, INVALID_INIT, NO_SUCH_ALGORITHM, exception, given, instance,
};
use super::{Answer, Call, NativeFn, boolean, nothing, short};
use crate::definition::Algorithm;
use crate::vm::crypto::aead::{Aead, Counter, Misuse};
use crate::vm::crypto::block::{BlockCipher, Family, Padding};
use crate::vm::crypto::state::{CipherState, Mode};
use crate::vm::error::Fault;
use crate::vm::native_state::NativeState;
use crate::vm::value::Ref;
use subtle::ConstantTimeEq;

const MODE_DECRYPT: u8 = 1;
const MODE_ENCRYPT: u8 = 2;
/// AEADCipher.CIPHER_AES_GCM and CCM.
const CIPHER_AES_GCM: u8 = 0xF1;
const CIPHER_AES_CCM: u8 = 0xF2;
/// Counter mode has a name as a whole only (API, Cipher.ALG_AES_CTR).
const ALG_AES_CTR: u8 = 0xF0;

/// Cipher.ALG_* by cipher and padding (CIPHER_*, PAD_*).
const NAMES: [(u8, [u8; 2]); 19] = [
    (1, [3, 1]),
    (2, [3, 2]),
    (3, [3, 3]),
    (4, [3, 6]),
    (5, [4, 1]),
    (6, [4, 2]),
    (7, [4, 3]),
    (8, [4, 6]),
    (13, [1, 1]),
    (14, [2, 1]),
    (22, [1, 2]),
    (23, [1, 3]),
    (24, [1, 6]),
    (25, [2, 2]),
    (26, [2, 3]),
    (27, [2, 6]),
    (ALG_AES_CTR, [0, 0]),
    (0xF3, [CIPHER_AES_GCM, 0]),
    (0xF4, [CIPHER_AES_CCM, 0]),
];

pub(super) fn find(class: &str, method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (class, method, descriptor) {
        (_, "<init>", "()V") => nothing,
        ("Cipher", "getInstance", "(BZ)Ljavacardx/crypto/Cipher;") => |c| {
            let number = c.byte(0)?;
            let name = NAMES.iter().find(|n| n.0 == number).copied();
            new(c, name)
        },
        ("Cipher", "getInstance", _) => |c| {
            let parts = [c.byte(0)?, c.byte(1)?];
            let name = NAMES.iter().find(|n| n.1 == parts && n.0 != ALG_AES_CTR);
            new(c, name.copied())
        },
        ("Cipher", "getAlgorithm", _) => |c| short(signed(state(c)?.number)),
        ("Cipher", "getCipherAlgorithm", _) => |c| short(signed(state(c)?.parts[0])),
        ("Cipher", "getPaddingAlgorithm", _) => |c| short(signed(state(c)?.parts[1])),
        ("Cipher", "init", "(Ljavacard/security/Key;B)V") => |c| init(c, None),
        ("Cipher", "init", _) => |c| {
            let initial = c.bytes(2)?;
            init(c, Some(initial))
        },
        ("Cipher", "update", _) => |c| run(c, false),
        ("Cipher", "doFinal", _) => |c| run(c, true),
        ("AEADCipher", "init", "(Ljavacard/security/Key;B[BSSSSS)V") => init_offline,
        ("AEADCipher", "updateAAD", _) => update_aad,
        ("AEADCipher", "retrieveTag", _) => retrieve_tag,
        ("AEADCipher", "verifyTag", _) => verify_tag,
        _ => return None,
    })
}

/// A constant of type byte.
fn signed(number: u8) -> i16 {
    number.cast_signed().into()
}

fn new(c: &mut Call<'_>, name: Option<(u8, [u8; 2])>) -> Answer {
    let (number, parts) = name.ok_or_else(|| exception(NO_SUCH_ALGORITHM))?;
    let [cipher, padding] = parts;
    let (family, mode, algorithm) = match cipher {
        0 => (Family::Aes, Mode::Ctr(None), Algorithm::AesCtr),
        1 => (Family::Aes, Mode::Cbc(Vec::new()), Algorithm::Aes),
        2 => (Family::Aes, Mode::Ecb, Algorithm::Aes),
        3 => (Family::Des, Mode::Cbc(Vec::new()), Algorithm::Des),
        4 => (Family::Des, Mode::Ecb, Algorithm::Des),
        CIPHER_AES_GCM => (Family::Aes, Mode::Gcm(None), Algorithm::AesGcm),
        CIPHER_AES_CCM => (Family::Aes, Mode::Ccm(None), Algorithm::AesCcm),
        _ => return Err(exception(NO_SUCH_ALGORITHM)),
    };
    let class = match mode {
        Mode::Gcm(_) | Mode::Ccm(_) => "javacardx/crypto/AEADCipher",
        _ => "javacardx/crypto/Cipher",
    };
    let padding = match padding {
        2 => Padding::Iso9797M1,
        3 => Padding::Iso9797M2,
        6 => Padding::Pkcs5,
        _ => Padding::None,
    };
    let state = c.vm.offers(algorithm).then_some(CipherState {
        family,
        mode,
        padding,
        number,
        parts,
        key: Ref::NULL,
        encrypt: true,
        rest: Vec::new(),
        tag: None,
    });
    instance(c, class, state.map(|s| NativeState::Cipher(Box::new(s))))
}

fn state(c: &Call<'_>) -> Result<Box<CipherState>, Fault> {
    match c.state()? {
        NativeState::Cipher(s) => Ok(s.clone()),
        _ => Err(c.unconstructed()),
    }
}

/// The cipher with the key `r`.
fn keyed(c: &Call<'_>, s: &CipherState, r: Ref) -> Result<BlockCipher, Fault> {
    let key = given(c, r, s.key_kind())?;
    BlockCipher::new(s.family, &key.value).ok_or_else(|| exception(ILLEGAL_VALUE))
}

/// Key and mode, as the first two arguments of every `init` give them.
fn start(c: &Call<'_>, s: &mut CipherState) -> Result<BlockCipher, Fault> {
    let (r, mode) = (c.reference(0)?, c.byte(1)?);
    s.encrypt = match mode {
        MODE_ENCRYPT => true,
        MODE_DECRYPT => false,
        _ => return Err(exception(ILLEGAL_VALUE)),
    };
    let cipher = keyed(c, s, r)?;
    s.key = r;
    s.reset();
    Ok(cipher)
}

fn init(c: &mut Call<'_>, initial: Option<Vec<u8>>) -> Answer {
    let mut s = state(c)?;
    let block = s.family.block();
    if let Mode::Ccm(_) = s.mode {
        // CCM has to know lengths in advance.
        return Err(exception(INVALID_INIT));
    }
    let cipher = start(c, &mut s)?;
    let illegal = || exception(ILLEGAL_VALUE);
    match (&mut s.mode, initial) {
        (Mode::Cbc(chain), None) => *chain = vec![0; block],
        (Mode::Cbc(chain), Some(value)) if value.len() == block => *chain = value,
        (Mode::Ctr(counter), initial) => {
            let first = initial.unwrap_or_else(|| vec![0; block]);
            if first.len() != block {
                return Err(illegal());
            }
            *counter = Some(Counter::new(first, block));
        }
        (Mode::Gcm(aead), initial) => {
            let initial = initial.unwrap_or_else(|| vec![0; 12]);
            *aead = Some(Aead::gcm(&cipher, &initial).ok_or_else(illegal)?);
        }
        (Mode::Ecb, None) => {}
        _ => return Err(illegal()),
    }
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(None)
}

fn init_offline(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    if !matches!(s.mode, Mode::Ccm(_)) {
        return Err(exception(INVALID_INIT));
    }
    let cipher = start(c, &mut s)?;
    let count = |i| u64::try_from(c.short(i)?).map_err(|_| exception(ILLEGAL_VALUE));
    let (additional, message, tag) = (count(5)?, count(6)?, count(7)?);
    let tag = usize::try_from(tag).unwrap_or(usize::MAX);
    let aead = Aead::ccm(&cipher, &c.bytes(2)?, additional, message, tag);
    s.mode = Mode::Ccm(Some(aead.ok_or_else(|| exception(ILLEGAL_VALUE))?));
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(None)
}

fn run(c: &mut Call<'_>, last: bool) -> Answer {
    let mut s = state(c)?;
    if s.key.is_null() {
        return Err(exception(INVALID_INIT));
    }
    let cipher = keyed(c, &s, s.key)?;
    let data = c.bytes(0)?;
    let out = match &mut s.mode {
        Mode::Ecb | Mode::Cbc(_) => blocks(&mut s, &cipher, &data, last)?,
        Mode::Ctr(counter) => {
            let fresh = || Counter::new(vec![0; 16], 16);
            let out = counter.get_or_insert_with(fresh).apply(&cipher, &data);
            if last {
                *counter = None;
            }
            out
        }
        Mode::Gcm(_) | Mode::Ccm(_) => authenticated(&mut s, &cipher, &data, last)?,
    };
    let answer = c.output(3, &out)?;
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(answer)
}

/// ECB and CBC. The end of a message sets the initial value to zero (API, Cipher.doFinal).
fn blocks(
    s: &mut CipherState,
    cipher: &BlockCipher,
    data: &[u8],
    last: bool,
) -> Result<Vec<u8>, Fault> {
    let illegal = || exception(ILLEGAL_USE);
    let block = s.family.block();
    let mut input = core::mem::take(&mut s.rest);
    input.extend_from_slice(data);
    let strips = !s.encrypt && s.padding.is_stripped();
    if last {
        if s.encrypt {
            input = s.padding.pad(input, block).ok_or_else(illegal)?;
        } else if !input.len().is_multiple_of(block) {
            return Err(illegal());
        }
    } else {
        let held = usize::from(strips);
        let whole = input.len().saturating_sub(held) / block * block;
        s.rest = input.split_off(whole);
    }
    let encrypt = s.encrypt;
    let mut out = match &mut s.mode {
        Mode::Cbc(chain) => cipher.cbc(chain, &input, encrypt),
        _ => cipher.ecb(&input, encrypt),
    };
    if last {
        s.reset();
        if strips {
            let end = out.len().checked_sub(block).ok_or_else(illegal)?;
            let end = out.split_off(end);
            out.extend(s.padding.strip(end).ok_or_else(illegal)?);
        }
    }
    Ok(out)
}

fn misused(misuse: Misuse) -> Fault {
    match misuse {
        Misuse::Additional => exception(ILLEGAL_VALUE),
        Misuse::Order => exception(ILLEGAL_USE),
    }
}

/// The message of an authenticated mode. After its end GCM starts anew with zeros; CCM's next message, whose
/// lengths nobody has said, has none (API 3.0.5, Cipher.doFinal).
fn message<'a>(s: &'a mut CipherState, cipher: &BlockCipher) -> Result<&'a mut Aead, Fault> {
    match &mut s.mode {
        Mode::Gcm(aead) => {
            if aead.is_none() {
                *aead = Aead::gcm(cipher, &[0; 12]);
            }
            aead.as_mut()
        }
        Mode::Ccm(aead) => aead.as_mut(),
        _ => None,
    }
    .ok_or_else(|| exception(ILLEGAL_USE))
}

fn authenticated(
    s: &mut CipherState,
    cipher: &BlockCipher,
    data: &[u8],
    last: bool,
) -> Result<Vec<u8>, Fault> {
    let encrypt = s.encrypt;
    let aead = message(s, cipher)?;
    if !last {
        let out = aead.message(cipher, data, encrypt).map_err(misused)?;
        s.tag = None;
        return Ok(out);
    }
    let (out, tag) = aead.finish(cipher, data, encrypt).map_err(misused)?;
    s.reset();
    s.tag = Some(tag);
    Ok(out)
}

fn update_aad(c: &mut Call<'_>) -> Answer {
    let mut s = state(c)?;
    if s.key.is_null() {
        return Err(exception(ILLEGAL_USE));
    }
    let cipher = keyed(c, &s, s.key)?;
    let data = c.bytes(0)?;
    message(&mut s, &cipher)?
        .additional(&cipher, &data)
        .map_err(misused)?;
    s.tag = None;
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(None)
}

/// The tag of a message that was ended in the mode, which has to have tags of `length`.
fn tag(s: &CipherState, encrypt: bool, length: i16) -> Result<Vec<u8>, Fault> {
    let tag = s.tag.as_ref().filter(|_| s.encrypt == encrypt);
    let tag = tag.ok_or_else(|| exception(ILLEGAL_USE))?;
    let length = usize::try_from(length).ok();
    let length = length.filter(|length| match &s.mode {
        Mode::Gcm(_) => matches!(length, 4 | 8 | 12..=16),
        _ => *length == tag.len(),
    });
    let length = length.ok_or_else(|| exception(ILLEGAL_VALUE))?;
    Ok(tag.get(..length).unwrap_or_default().to_vec())
}

fn retrieve_tag(c: &mut Call<'_>) -> Answer {
    let s = state(c)?;
    let tag = tag(&s, true, c.short(2)?)?;
    c.output(0, &tag)
}

fn verify_tag(c: &mut Call<'_>) -> Answer {
    let s = state(c)?;
    let tag = tag(&s, false, c.short(3)?)?;
    boolean(bool::from(c.bytes(0)?.ct_eq(&tag)))
}
