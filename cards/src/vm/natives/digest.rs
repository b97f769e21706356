//! `javacard.security`: MessageDigest, InitializedMessageDigest, RandomData, Checksum.

use super::keys::{ILLEGAL_VALUE, exception, instance, length};
use super::{Answer, Call, NativeFn, nothing, short};
use crate::definition::Algorithm;
use crate::vm::crypto::checksum::Checksum;
use crate::vm::crypto::digest::{DigestState, Hash};
use crate::vm::error::Fault;
use crate::vm::native_state::NativeState;

/// MessageDigest.ALG_*.
const DIGESTS: [(u8, Hash, Algorithm); 5] = [
    (1, Hash::Sha1, Algorithm::Sha1),
    (4, Hash::Sha256, Algorithm::Sha256),
    (5, Hash::Sha384, Algorithm::Sha384),
    (6, Hash::Sha512, Algorithm::Sha512),
    (7, Hash::Sha224, Algorithm::Sha224),
];
/// RandomData.ALG_*: one generator has all names.
const RANDOM: [(u8, Algorithm); 6] = [
    (1, Algorithm::PseudoRandom),
    (2, Algorithm::SecureRandom),
    (3, Algorithm::SecureRandom),
    (4, Algorithm::SecureRandom),
    (5, Algorithm::PseudoRandom),
    (6, Algorithm::SecureRandom),
];
/// Checksum.ALG_ISO3309_CRC16 and 32.
const CHECKSUMS: [(u8, bool, Algorithm); 2] =
    [(1, false, Algorithm::Crc16), (2, true, Algorithm::Crc32)];

pub(super) fn find(class: &str, method: &str, _: &str) -> Option<NativeFn> {
    Some(match (class, method) {
        ("MessageDigest", "getInstance") => |c| new_digest(c, "javacard/security/MessageDigest"),
        ("MessageDigest", "getInitializedMessageDigestInstance") => {
            |c| new_digest(c, "javacard/security/InitializedMessageDigest")
        }
        ("MessageDigest", "update") => |c| {
            let data = c.bytes(0)?;
            with_digest(c, |d| d.update(&data))
        },
        ("MessageDigest", "doFinal") => digest_final,
        ("MessageDigest", "reset") => |c| with_digest(c, DigestState::reset),
        ("MessageDigest", "getLength") => |c| length(digest(c)?.hash.length()),
        ("MessageDigest", "getAlgorithm") => |c| {
            let hash = digest(c)?.hash;
            short(
                DIGESTS
                    .iter()
                    .find(|d| d.1 == hash)
                    .map_or(0, |d| d.0.into()),
            )
        },
        ("InitializedMessageDigest", "setInitialDigest") => |c| {
            let resumed = resumed(c, digest(c)?)?;
            with_digest(c, |d| *d = resumed)
        },
        ("RandomData", "getInstance") => new_random,
        ("RandomData", "generateData") => |c| generate(c).map(|_| None),
        ("RandomData", "nextBytes") => |c| {
            let size = generate(c)?;
            short(c.short(1)?.wrapping_add(size))
        },
        // The card's generator takes no seed from applets.
        ("RandomData", "setSeed") => |c| c.bytes(0).map(|_| None),
        ("RandomData", "getAlgorithm") => |c| match c.state()? {
            NativeState::Random(number) => short((*number).into()),
            _ => Err(c.unconstructed()),
        },
        ("Checksum", "getInstance") => new_checksum,
        ("Checksum", "init") => |c| {
            let (mut sum, initial) = (checksum(c)?, c.bytes(0)?);
            if !sum.start(&initial) {
                return Err(exception(ILLEGAL_VALUE));
            }
            c.set_volatile(c.this, NativeState::Checksum(sum))?;
            Ok(None)
        },
        ("Checksum", "update") => |c| {
            let (mut sum, data) = (checksum(c)?, c.bytes(0)?);
            sum.update(&data);
            c.set_volatile(c.this, NativeState::Checksum(sum))?;
            Ok(None)
        },
        ("Checksum", "doFinal") => |c| {
            let (mut sum, data) = (checksum(c)?, c.bytes(0)?);
            let answer = c.output(3, &sum.finish(&data))?;
            c.set_volatile(c.this, NativeState::Checksum(sum))?;
            Ok(answer)
        },
        ("Checksum", "getAlgorithm") => |c| {
            let long = checksum(c)?.long;
            short(
                CHECKSUMS
                    .iter()
                    .find(|s| s.1 == long)
                    .map_or(0, |s| s.0.into()),
            )
        },
        (_, "<init>") => nothing,
        _ => return None,
    })
}

/// A hash by its number in MessageDigest.
pub(super) fn hash_of(number: u8) -> Option<Hash> {
    DIGESTS.iter().find(|d| d.0 == number).map(|d| d.1)
}

fn new_digest(c: &mut Call<'_>, class: &str) -> Answer {
    let number = c.byte(0)?;
    let entry = DIGESTS.iter().find(|d| d.0 == number && c.vm.offers(d.2));
    let state = entry.map(|d| NativeState::Digest(DigestState::new(d.1)));
    instance(c, class, state)
}

fn digest(c: &Call<'_>) -> Result<DigestState, Fault> {
    match c.state()? {
        NativeState::Digest(d) => Ok(d.clone()),
        _ => Err(c.unconstructed()),
    }
}

fn with_digest(c: &mut Call<'_>, change: impl FnOnce(&mut DigestState)) -> Answer {
    let mut d = digest(c)?;
    change(&mut d);
    c.set_volatile(c.this, NativeState::Digest(d))?;
    Ok(None)
}

fn digest_final(c: &mut Call<'_>) -> Answer {
    let mut d = digest(c)?;
    let value = d.finish(&c.bytes(0)?);
    let answer = c.output(3, &value)?;
    c.set_volatile(c.this, NativeState::Digest(d))?;
    Ok(answer)
}

/// `setInitialDigest` of a digest: intermediate value and how many bytes came before, as the arguments say.
pub(super) fn resumed(c: &Call<'_>, mut digest: DigestState) -> Result<DigestState, Fault> {
    let (value, count) = (c.bytes(0)?, c.bytes(3)?);
    let number = count.iter().try_fold(0u64, |n, byte| {
        n.checked_mul(256)?.checked_add(u64::from(*byte))
    });
    match number {
        Some(number) if digest.resume(&value, number) => Ok(digest),
        _ => Err(exception(ILLEGAL_VALUE)),
    }
}

fn new_random(c: &mut Call<'_>) -> Answer {
    let number = c.byte(0)?;
    let known = RANDOM.iter().any(|r| r.0 == number && c.vm.offers(r.1));
    let state = known.then_some(NativeState::Random(number));
    instance(c, "javacard/security/RandomData", state)
}

/// Random bytes to the array, offset and length of the arguments; the length.
fn generate(c: &mut Call<'_>) -> Result<i16, Fault> {
    let length = c.short(2)?;
    let size = usize::try_from(length).map_err(|_| exception(ILLEGAL_VALUE))?;
    if size == 0 {
        return Err(exception(ILLEGAL_VALUE));
    }
    c.vm.writable(c.caller, c.reference(0)?, c.short(1)?, size)?;
    let mut data = vec![0; size];
    c.host.random(&mut data);
    c.store(0, &data)?;
    Ok(length)
}

fn new_checksum(c: &mut Call<'_>) -> Answer {
    let number = c.byte(0)?;
    let entry = CHECKSUMS.iter().find(|s| s.0 == number && c.vm.offers(s.2));
    let state = entry.map(|s| NativeState::Checksum(Checksum::new(s.1)));
    instance(c, "javacard/security/Checksum", state)
}

fn checksum(c: &Call<'_>) -> Result<Checksum, Fault> {
    match c.state()? {
        NativeState::Checksum(sum) => Ok(sum.clone()),
        _ => Err(c.unconstructed()),
    }
}
