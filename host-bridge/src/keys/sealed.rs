//! The encrypted form of a key file: AES-256-GCM under a key that Argon2id (RFC 9106) makes of a
//! passphrase.
//!
//! It is text, so that it can be mailed and versioned: a line with form and version, the parameters, and
//! the ciphertext in hex. Everything before the ciphertext is authenticated with it: no parameter can be
//! changed without notice.

use aes_gcm::aead::{Aead, KeyInit, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use argon2::{Algorithm, Argon2, Params, Version};
use zeroize::Zeroizing;

/// The first line of an encrypted key file.
const HEAD: &str = "ipae-keys encrypted 1";
/// Memory in KiB, passes, lanes: the second recommended set of RFC 9106 (4), 64 MiB and three passes.
const COST: (u32, u32, u32) = (64 * 1024, 3, 4);
/// The most that a file may ask of this machine: a file from elsewhere must not exhaust it.
const MOST: (u32, u32, u32) = (1024 * 1024, 16, 16);

/// Whether a file's text is of the encrypted form, of any version.
pub fn is_sealed(text: &str) -> bool {
    text.starts_with("ipae-keys encrypted ")
}

fn cipher(
    passphrase: &str,
    salt: &[u8],
    (memory, passes, lanes): (u32, u32, u32),
) -> Result<Aes256Gcm, String> {
    let params = Params::new(memory, passes, lanes, Some(32))
        .map_err(|e| format!("its Argon2 parameters can't be used: {e}"))?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), salt, &mut key[..])
        .map_err(|e| format!("no key from the passphrase: {e}"))?;
    Aes256Gcm::new_from_slice(&key[..]).map_err(|e| e.to_string())
}

/// Encrypts a key file's text. `random` is the salt and the nonce: never the same twice.
///
/// # Errors
/// What can't be done, in words.
pub fn seal(text: &str, passphrase: &str, random: &[u8; 28]) -> Result<String, String> {
    let (salt, nonce) = random.split_at(16);
    let (memory, passes, lanes) = COST;
    let head = format!(
        "{HEAD}\nargon2id m={memory} t={passes} p={lanes} salt={}\naes-256-gcm nonce={}\n",
        hex::encode_upper(salt),
        hex::encode_upper(nonce)
    );
    let nonce = Nonce::try_from(nonce).map_err(|e| e.to_string())?;
    let payload = Payload {
        msg: text.as_bytes(),
        aad: head.as_bytes(),
    };
    let data = cipher(passphrase, salt, COST)?
        .encrypt(&nonce, payload)
        .map_err(|_| "encryption failed".to_owned())?;
    let mut out = head;
    for line in data.chunks(48) {
        out.push_str(&hex::encode_upper(line));
        out.push('\n');
    }
    Ok(out)
}

/// Decrypts what [`seal`] made.
///
/// # Errors
/// What is wrong, in words; a wrong passphrase and an altered file can't be told apart.
pub fn open(sealed: &str, passphrase: &str) -> Result<Zeroizing<String>, String> {
    let form = || "not of the form of an encrypted key file: it is cut or altered".to_owned();
    let mut lines = sealed.split_inclusive('\n');
    let (Some(first), Some(second), Some(third)) = (lines.next(), lines.next(), lines.next())
    else {
        return Err(form());
    };
    if first.trim_end() != HEAD {
        return Err(format!(
            "it begins with {:?}, this tool reads {HEAD:?}",
            first.trim_end()
        ));
    }
    let mut cost = second.trim_end().split(' ');
    let mut field = |name: &str| {
        cost.next()
            .and_then(|field| field.strip_prefix(name))
            .ok_or_else(form)
    };
    field("argon2id")?;
    let number = |text: &str| text.parse::<u32>().map_err(|_| form());
    let cost = (
        number(field("m=")?)?,
        number(field("t=")?)?,
        number(field("p=")?)?,
    );
    let salt = hex::decode(field("salt=")?).map_err(|_| form())?;
    if cost.0 > MOST.0 || cost.1 > MOST.1 || cost.2 > MOST.2 {
        return Err(format!(
            "it asks for more work than {} KiB, {} passes and {} lanes: nothing that these tools write",
            MOST.0, MOST.1, MOST.2
        ));
    }
    let nonce = third
        .trim_end()
        .strip_prefix("aes-256-gcm nonce=")
        .and_then(|text| hex::decode(text).ok())
        .ok_or_else(form)?;
    let nonce = Nonce::try_from(&nonce[..]).map_err(|_| form())?;
    let text: String = lines.flat_map(str::split_whitespace).collect();
    let data = hex::decode(text).map_err(|_| form())?;
    let head = [first, second, third].concat();
    let payload = Payload {
        msg: &data,
        aad: head.as_bytes(),
    };
    let plain = cipher(passphrase, &salt, cost)?
        .decrypt(&nonce, payload)
        .map_err(|_| "the passphrase is wrong, or the file was altered".to_owned())?;
    match String::from_utf8(plain) {
        Ok(text) => Ok(Zeroizing::new(text)),
        Err(e) => {
            zeroize::Zeroize::zeroize(&mut e.into_bytes());
            Err(form())
        }
    }
}
