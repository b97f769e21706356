//! Key sets by name: from a key file, from the environment, or a definition's test keys.
//!
//! A key file is TOML, `[set.NAME]` with `kvn`, `enc`, `mac`, `dek` in hex. It is read once; keys are
//! wiped when dropped, have no textual form, and no message shows more than a check value.

use crate::exit::{self, Exit, ExitCode};
use applet_gen::gp::scp03::{CardKeys, CardKeysError, KeyLengthError, StaticKeys};
use cards::definition::{Definition, Use, is_public_test_key};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// A named SCP03 key set.
#[derive(Clone)]
pub struct KeySet {
    /// Name, for people.
    pub name: String,
    /// Key version number on the card.
    pub kvn: u8,
    /// The keys: a card's own, or what they come from.
    pub keys: Arc<dyn CardKeys>,
}

impl KeySet {
    /// Refuses public test keys on cards of a production definition.
    ///
    /// # Errors
    /// [`KeyError::Public`], [`KeyError::Use`].
    pub fn allowed_on(&self, definition: &Definition) -> Result<(), KeyError> {
        if definition.use_ != Use::Production {
            return Ok(());
        }
        let fingerprints = self.keys.fingerprints().map_err(|source| KeyError::Use {
            set: self.name.clone(),
            source,
        })?;
        if !fingerprints.iter().any(is_public_test_key) {
            return Ok(());
        }
        Err(KeyError::Public {
            set: self.name.clone(),
            card: format!("{} {}", definition.eum, definition.product),
        })
    }

    /// The same set with the keys of the card that has this diversification data.
    ///
    /// # Errors
    /// [`CardKeysError`].
    pub fn of_card(&self, diversification: &[u8; 10]) -> Result<KeySet, CardKeysError> {
        let own = self.keys.of_card(diversification)?;
        Ok(KeySet {
            keys: own.unwrap_or_else(|| Arc::clone(&self.keys)),
            ..self.clone()
        })
    }

    /// Key check values of ENC, MAC and DEK in hex; dashes while the card's own keys aren't known.
    ///
    /// # Errors
    /// [`CardKeysError`].
    pub fn check_values(&self) -> Result<[String; 3], CardKeysError> {
        Ok(match self.keys.check_values()? {
            Some(values) => values.map(hex::encode_upper),
            None => [(); 3].map(|()| "-".to_owned()),
        })
    }
}

/// Why keys can't be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key file can't be read.
    #[error("failed to read key file {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// Not the form of a key file. The parser's own message would show a line with a key in it.
    #[error("key file {}: not of the form [set.NAME] with kvn, enc, mac, dek{}", path.display(), line.map(|l| format!(" (line {l})")).unwrap_or_default())]
    Form {
        /// The file.
        path: PathBuf,
        /// Line of the fault, from 1.
        line: Option<usize>,
    },
    /// A key of a set can't be read.
    #[error("key set {set}: {key}: {problem}")]
    Key {
        /// Name of the set.
        set: String,
        /// `enc`, `mac` or `dek`.
        key: &'static str,
        /// What is wrong, without the key.
        problem: String,
    },
    /// No set of that name.
    #[error(
        "no key set {name:?}: the key file has {}; in the environment {} is not set",
        list(known),
        variable(name, "ENC")
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// Names in the key file.
        known: Vec<String>,
    },
    /// A key that everyone knows, for cards that go to customers (design: secrets).
    #[error("key set {set}: a public test key, and cards of {card} are for production")]
    Public {
        /// Name of the set.
        set: String,
        /// EUM and product of the definition.
        card: String,
    },
    /// The keys can't be used.
    #[error("key set {set}: {source}")]
    Use {
        /// Name of the set.
        set: String,
        /// Why.
        source: CardKeysError,
    },
    /// `test` was asked for, and the definition has none.
    #[error("key set \"test\": the card definition has no test keys")]
    NoTestKeys,
}

fn list(names: &[String]) -> String {
    if names.is_empty() {
        return "no sets".to_owned();
    }
    names.join(", ")
}

impl ExitCode for KeyError {
    fn exit(&self) -> Exit {
        match self {
            KeyError::Public { .. } => exit::TEST_KEYS,
            _ => exit::KEYS,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    set: BTreeMap<String, SetForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetForm {
    kvn: u8,
    #[serde(deserialize_with = "secret")]
    enc: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    mac: Zeroizing<String>,
    #[serde(deserialize_with = "secret")]
    dek: Zeroizing<String>,
}

fn secret<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Zeroizing<String>, D::Error> {
    String::deserialize(deserializer).map(Zeroizing::new)
}

/// The key sets at hand.
#[derive(Default)]
pub struct KeyStore {
    sets: BTreeMap<String, KeySet>,
}

/// The environment variable of one key: `IPAE_KEY_NAME_ENC`.
fn variable(set: &str, key: &str) -> String {
    let name: String = set
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() {
                c.to_ascii_uppercase()
            } else {
                '_'
            }
        })
        .collect();
    format!("IPAE_KEY_{name}_{key}")
}

/// A key set from hex.
///
/// # Errors
/// [`KeyError::Key`] that names the key and the length that is wrong.
pub fn key_set(name: &str, kvn: u8, enc: &str, mac: &str, dek: &str) -> Result<KeySet, KeyError> {
    let bytes = |key: &'static str, text: &str| {
        let fail = |problem: String| KeyError::Key {
            set: name.to_owned(),
            key,
            problem,
        };
        let bytes = hex::decode(text.trim()).map(Zeroizing::new).map_err(|_| {
            fail(format!(
                "{} characters that are not hexadecimal digits in pairs",
                text.len()
            ))
        })?;
        match bytes.len() {
            16 | 24 | 32 => Ok(bytes),
            n => Err(fail(KeyLengthError(n).to_string())),
        }
    };
    let (enc, mac, dek) = (bytes("enc", enc)?, bytes("mac", mac)?, bytes("dek", dek)?);
    if enc.len() != mac.len() || enc.len() != dek.len() {
        return Err(KeyError::Key {
            set: name.to_owned(),
            key: "mac",
            problem: "the keys of a set have the same length (Amendment D 6.1)".to_owned(),
        });
    }
    let keys = StaticKeys::new(&enc, &mac, &dek).map_err(|e| KeyError::Key {
        set: name.to_owned(),
        key: "enc",
        problem: e.to_string(),
    })?;
    Ok(KeySet {
        name: name.to_owned(),
        kvn,
        keys: Arc::new(keys),
    })
}

impl KeyStore {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyError`]; its text never shows a key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|source| KeyError::Read {
                path: path.to_owned(),
                source,
            })?;
        let form: FileForm = toml::from_str(&text).map_err(|e| KeyError::Form {
            path: path.to_owned(),
            line: e
                .span()
                .and_then(|span| text.get(..span.start))
                .map(|before| before.matches('\n').count() + 1),
        })?;
        let mut sets = BTreeMap::new();
        for (name, set) in form.set {
            let read = key_set(&name, set.kvn, &set.enc, &set.mac, &set.dek)?;
            sets.insert(name, read);
        }
        Ok(KeyStore { sets })
    }

    /// A key set by name: from the key file, from `IPAE_KEY_NAME_ENC` (`_MAC`, `_DEK`), or `test`.
    /// Sets from the environment have the definition's key version unless one is given.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn find(
        &self,
        name: &str,
        kvn: Option<u8>,
        definition: &Definition,
    ) -> Result<KeySet, KeyError> {
        let scp03 = &definition.isd.scp03;
        let kvn_or_default = kvn.unwrap_or(scp03.kvn);
        if let Some(set) = self.sets.get(name) {
            return Ok(KeySet {
                kvn: kvn.unwrap_or(set.kvn),
                ..set.clone()
            });
        }
        let from_env = |key| std::env::var(variable(name, key)).map(Zeroizing::new).ok();
        if let (Some(enc), Some(mac), Some(dek)) =
            (from_env("ENC"), from_env("MAC"), from_env("DEK"))
        {
            return key_set(name, kvn_or_default, &enc, &mac, &dek);
        }
        if name == "test" {
            let keys = scp03.test_keys.as_ref().ok_or(KeyError::NoTestKeys)?;
            return key_set(
                name,
                kvn_or_default,
                &keys.enc.to_string(),
                &keys.mac.to_string(),
                &keys.dek.to_string(),
            );
        }
        Err(KeyError::Unknown {
            name: name.to_owned(),
            known: self.sets.keys().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_files_are_read_and_their_faults_show_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys.toml");
        let secret = "00112233445566778899AABBCCDDEE";
        std::fs::write(&path, format!("[set.lab]\nkvn = 0x30\nenc = \"{secret}FF\"\nmac = \"{secret}FF\"\ndek = \"{secret}FF\"\n")).unwrap();
        let store = KeyStore::read(&path).unwrap();
        let lab = Definition::shipped("virtual-lab").unwrap();
        assert_eq!(store.find("lab", None, &lab).unwrap().kvn, 0x30);
        assert_eq!(store.find("test", Some(0x31), &lab).unwrap().kvn, 0x31);
        let unknown = store
            .find("other-one", None, &lab)
            .err()
            .unwrap()
            .to_string();
        assert!(
            unknown.contains("IPAE_KEY_OTHER_ONE_ENC") && unknown.contains("lab"),
            "{unknown}"
        );
        for text in [
            format!(
                "[set.lab]\nkvn = 0x30\nenc = \"{secret}\"\nmac = \"{secret}FF\"\ndek = \"{secret}FF\"\n"
            ),
            format!("[set.lab]\nkvn = 0x30\nenc = {secret}\n"),
            format!("[set.lab]\nkvn = 0x30\nkey = \"{secret}\"\n"),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = KeyStore::read(&path).err().unwrap().to_string();
            assert!(!error.contains("0011"), "{error}");
        }
    }
}
