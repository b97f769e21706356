//! Key files: TOML, encrypted or clear.
//!
//! `[set.NAME]` has `kvn` and either `enc`, `mac`, `dek`, a card's own keys, or `master` and `diversify`,
//! what they come from (with `enc`, `mac`, `dek` and `diversify`: a master for each). `[transport.NAME]` has
//! `key` and `wrap`. A key is hex, or `pkcs11:object=LABEL` for one in an HSM.

use super::hsm::{Hsm, HsmKeys, HsmMaster, ObjectReference};
use super::transport::{TransportKey, Wrap};
use super::{KeyError, KeySet, key_bytes, key_set, sealed, secret, static_keys};
use applet_gen::gp::diversify::{Diversification, MasterKeys};
use applet_gen::gp::scp03::{AesKey, CardKeys, CardKeysError};
use cards::definition::Definition;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use zeroize::Zeroizing;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileForm {
    #[serde(default)]
    set: BTreeMap<String, SetForm>,
    #[serde(default)]
    transport: BTreeMap<String, TransportForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetForm {
    kvn: u8,
    enc: Option<Secret>,
    mac: Option<Secret>,
    dek: Option<Secret>,
    master: Option<Secret>,
    diversify: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TransportForm {
    key: Secret,
    wrap: String,
}

/// A key in hex, or a reference to one: wiped.
#[derive(Clone)]
struct Secret(Zeroizing<String>);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Secret(Zeroizing::new(text)))
    }
}

/// What a key file may need to be read.
pub struct Access<'a> {
    /// The HSM, if there is one.
    pub hsm: Option<Arc<Hsm>>,
    /// Gives the passphrase of an encrypted file.
    pub passphrase: &'a mut Ask<'a>,
}

/// The key sets at hand.
#[derive(Default)]
pub struct KeyStore {
    sets: BTreeMap<String, KeySet>,
    transports: BTreeMap<String, Arc<TransportKey>>,
    notes: Vec<String>,
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

/// Asks for a passphrase, where one is needed.
pub type Ask<'a> = dyn FnMut() -> Result<Zeroizing<String>, KeyError> + 'a;

/// A key file's text, decrypted if it is encrypted, and whether it was. Its form is looked at, its keys are
/// not.
///
/// # Errors
/// [`KeyError`].
pub fn text(path: &Path, passphrase: &mut Ask<'_>) -> Result<(Zeroizing<String>, bool), KeyError> {
    let text = std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(|source| KeyError::Read {
            path: path.to_owned(),
            source,
        })?;
    let (text, encrypted) = match sealed::is_sealed(&text) {
        false => (text, false),
        true => match sealed::open(&text, &passphrase()?) {
            Ok(text) => (text, true),
            Err(problem) => {
                return Err(KeyError::Sealed {
                    path: path.to_owned(),
                    problem,
                });
            }
        },
    };
    form(&text, path)?;
    Ok((text, encrypted))
}

fn form(text: &str, path: &Path) -> Result<FileForm, KeyError> {
    toml::from_str(text).map_err(|e| KeyError::Form {
        path: path.to_owned(),
        line: e
            .span()
            .and_then(|span| text.get(..span.start))
            .map(|before| before.matches('\n').count() + 1),
    })
}

impl KeyStore {
    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyError`]; its text never shows a key.
    pub fn open(path: &Path, access: Access<'_>) -> Result<Self, KeyError> {
        let (text, encrypted) = text(path, access.passphrase)?;
        let mut notes = Vec::new();
        if !encrypted && secret::others_may_read(path) {
            notes.push(format!(
                "key file {} is in clear and others may read it: chmod 600, or `ipae keys encrypt`",
                path.display()
            ));
        }
        let store = Self::parse(&text, path, access.hsm.as_ref())?;
        Ok(KeyStore { notes, ..store })
    }

    fn parse(text: &str, path: &Path, hsm: Option<&Arc<Hsm>>) -> Result<Self, KeyError> {
        let form = form(text, path)?;
        let mut store = KeyStore::default();
        for (name, set) in form.set {
            let keys = keys(&name, &set, hsm)?;
            let set = KeySet {
                name: name.clone(),
                kvn: set.kvn,
                keys,
            };
            store.sets.insert(name, set);
        }
        for (name, form) in form.transport {
            let transport = Arc::new(transport(&name, &form, hsm)?);
            store.transports.insert(name, transport);
        }
        Ok(store)
    }

    /// What the operator should know of how the file is kept.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The sets of the file, by name.
    pub fn sets(&self) -> impl Iterator<Item = &KeySet> {
        self.sets.values()
    }

    /// The transport keys of the file, by name.
    pub fn transports(&self) -> impl Iterator<Item = &Arc<TransportKey>> {
        self.transports.values()
    }

    /// A transport key by name.
    ///
    /// # Errors
    /// [`KeyError::UnknownTransport`].
    pub fn transport(&self, name: &str) -> Result<&Arc<TransportKey>, KeyError> {
        self.transports
            .get(name)
            .ok_or_else(|| KeyError::UnknownTransport {
                name: name.to_owned(),
                known: self.transports.keys().cloned().collect(),
            })
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
            variable: variable(name, "ENC"),
        })
    }
}

fn wrong(set: &str, key: &'static str, problem: impl Into<String>) -> KeyError {
    KeyError::Key {
        set: set.to_owned(),
        key,
        problem: problem.into(),
    }
}

/// A reference to an HSM's key, and that HSM.
fn in_hsm<'a>(
    set: &str,
    key: &'static str,
    value: &Secret,
    hsm: Option<&'a Arc<Hsm>>,
) -> Result<Option<(ObjectReference, &'a Arc<Hsm>)>, KeyError> {
    match ObjectReference::parse(&value.0) {
        None => Ok(None),
        Some(Err(problem)) => Err(wrong(set, key, problem)),
        Some(Ok(reference)) => match hsm {
            Some(hsm) => Ok(Some((reference, hsm))),
            None => Err(wrong(
                set,
                key,
                format!("{reference} is in an HSM: name its PKCS#11 module with --hsm MODULE.so"),
            )),
        },
    }
}

fn keys(name: &str, set: &SetForm, hsm: Option<&Arc<Hsm>>) -> Result<Arc<dyn CardKeys>, KeyError> {
    let used = |source: CardKeysError| KeyError::Use {
        set: name.to_owned(),
        source,
    };
    let method = match &set.diversify {
        None => Diversification::None,
        Some(method) => Diversification::from_name(method).ok_or_else(|| {
            let known: Vec<&str> = Diversification::ALL.iter().map(|m| m.name()).collect();
            wrong(
                name,
                "diversify",
                format!("{method:?} is not known, {} are", known.join(", ")),
            )
        })?,
    };
    let values = match (&set.master, &set.enc, &set.mac, &set.dek) {
        (Some(master), None, None, None) => [master; 3],
        (None, Some(enc), Some(mac), Some(dek)) => [enc, mac, dek],
        (Some(_), ..) => {
            return Err(wrong(name, "master", "either master, or enc, mac and dek"));
        }
        _ => {
            return Err(wrong(
                name,
                "enc",
                "enc, mac and dek are all needed, or master",
            ));
        }
    };
    if set.master.is_some() && set.diversify.is_none() {
        return Err(wrong(
            name,
            "master",
            "diversify says how cards' keys come from it: kdf3, emv or visa2; none if it is the card's key",
        ));
    }
    let roles = match set.master {
        Some(_) => ["master"; 3],
        None => ["enc", "mac", "dek"],
    };
    let mut references = Vec::new();
    for (role, value) in roles.into_iter().zip(values) {
        references.extend(in_hsm(name, role, value, hsm)?);
    }
    match (&references[..], method) {
        ([], _) => {}
        ([(enc, hsm), (mac, _), (dek, _)], method) => {
            let references = [enc.clone(), mac.clone(), dek.clone()];
            return match method {
                Diversification::None => {
                    let keys = HsmKeys::find(hsm, &references).map_err(used)?;
                    Ok(Arc::new(keys))
                }
                method => {
                    let keys = HsmMaster::find(hsm, &references, method).map_err(used)?;
                    Ok(Arc::new(keys))
                }
            };
        }
        _ => {
            return Err(wrong(
                name,
                "enc",
                "the keys of a set are all in the HSM or all in the file",
            ));
        }
    }
    let mut bytes = Vec::new();
    for (role, value) in roles.into_iter().zip(values) {
        bytes.push(key_bytes(name, role, &value.0)?);
    }
    let [enc, mac, dek] = &bytes[..] else {
        return Err(wrong(name, "enc", "three keys are due"));
    };
    let keys = static_keys(name, [enc, mac, dek])?;
    match method {
        Diversification::None => Ok(Arc::new(keys)),
        method => Ok(Arc::new(MasterKeys::new(method, keys).map_err(used)?)),
    }
}

fn transport(
    name: &str,
    form: &TransportForm,
    hsm: Option<&Arc<Hsm>>,
) -> Result<TransportKey, KeyError> {
    let wrap = Wrap::ALL
        .into_iter()
        .find(|wrap| wrap.name() == form.wrap)
        .ok_or_else(|| {
            let known: Vec<&str> = Wrap::ALL.iter().map(|wrap| wrap.name()).collect();
            wrong(
                name,
                "wrap",
                format!("{:?} is not known, {} are", form.wrap, known.join(", ")),
            )
        })?;
    let used = |source: CardKeysError| KeyError::Use {
        set: name.to_owned(),
        source,
    };
    if let Some((reference, hsm)) = in_hsm(name, "key", &form.key, hsm)? {
        return TransportKey::in_hsm(name, wrap, hsm, &reference).map_err(used);
    }
    let bytes = key_bytes(name, "key", &form.key.0)?;
    let key = AesKey::new(&bytes).map_err(|e| used(e.into()))?;
    Ok(TransportKey::here(name, wrap, key))
}
