//! `javacardx.crypto.Cipher`: AES in ECB and CBC without padding.

use super::keys::{
    ILLEGAL_USE, ILLEGAL_VALUE, INVALID_INIT, NO_SUCH_ALGORITHM, exception, given, instance,
};
use super::{Answer, Call, NativeFn, nothing, short};
use crate::vm::crypto::{BLOCK, CipherState, KeyKind, aes_blocks};
use crate::vm::error::Fault;
use crate::vm::native_state::NativeState;
use crate::vm::value::Ref;

const MODE_DECRYPT: u8 = 1;
const MODE_ENCRYPT: u8 = 2;

pub(super) fn find(method: &str, descriptor: &str) -> Option<NativeFn> {
    Some(match (method, descriptor) {
        ("<init>", "()V") => nothing,
        ("getInstance", "(BZ)Ljavacardx/crypto/Cipher;") => new,
        ("getInstance", _) => |_| Err(exception(NO_SUCH_ALGORITHM)),
        ("getAlgorithm", _) => |c| short(state(c)?.number.into()),
        ("init", "(Ljavacard/security/Key;B)V") => |c| init(c, None),
        ("init", _) => |c| {
            let iv = c.bytes(2)?;
            init(c, Some(iv))
        },
        ("update", _) => |c| run(c, false),
        ("doFinal", _) => |c| run(c, true),
        _ => return None,
    })
}

fn new(c: &mut Call<'_>) -> Answer {
    let number = c.byte(0)?;
    // ALG_AES_BLOCK_128_CBC_NOPAD and ALG_AES_BLOCK_128_ECB_NOPAD; the key may be longer.
    let cbc = match number {
        13 => true,
        14 => false,
        _ => return Err(exception(NO_SUCH_ALGORITHM)),
    };
    let state = CipherState {
        number,
        cbc,
        key: Ref::NULL,
        encrypt: true,
        iv: Vec::new(),
        chain: Vec::new(),
        rest: Vec::new(),
    };
    instance(
        c,
        "javacardx/crypto/Cipher",
        Some(NativeState::Cipher(state)),
    )
}

fn state(c: &Call<'_>) -> Result<CipherState, Fault> {
    match c.state()? {
        NativeState::Cipher(s) => Ok(s.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn init(c: &mut Call<'_>, iv: Option<Vec<u8>>) -> Answer {
    let mut s = state(c)?;
    let (r, mode) = (c.reference(0)?, c.byte(1)?);
    s.iv = match iv {
        None => vec![0; BLOCK],
        Some(iv) if s.cbc && iv.len() == BLOCK => iv,
        Some(_) => return Err(exception(ILLEGAL_VALUE)),
    };
    s.encrypt = match mode {
        MODE_ENCRYPT => true,
        MODE_DECRYPT => false,
        _ => return Err(exception(ILLEGAL_VALUE)),
    };
    given(c, r, KeyKind::Aes)?;
    s.key = r;
    s.chain = s.iv.clone();
    s.rest.clear();
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(None)
}

fn run(c: &mut Call<'_>, last: bool) -> Answer {
    let mut s = state(c)?;
    if s.key.is_null() {
        return Err(exception(INVALID_INIT));
    }
    let key = given(c, s.key, KeyKind::Aes)?;
    s.rest.extend(c.bytes(0)?);
    let whole = s.rest.len() - s.rest.len() % BLOCK;
    if last && whole != s.rest.len() {
        return Err(exception(ILLEGAL_USE));
    }
    let rest = s.rest.split_off(whole);
    let chain = if s.cbc { Some(&mut s.chain) } else { None };
    let out = aes_blocks(&key, chain, &s.rest, s.encrypt).ok_or_else(|| exception(ILLEGAL_USE))?;
    s.rest = rest;
    if last {
        s.chain = s.iv.clone();
    }
    let answer = c.output(3, &out)?;
    c.set_volatile(c.this, NativeState::Cipher(s))?;
    Ok(answer)
}
