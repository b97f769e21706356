//! `ipae keys`, and the options that name keys.

use super::failure::{Failure, OrExit};
use super::output::Out;
use applet_gen::gp::diversify::Diversification;
use cards::definition::Definition;
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::gp::{Attempts, Notice, Permission};
use host_bridge::keys::hsm::{Hsm, TokenChoice};
use host_bridge::keys::{Access, KeyError, KeySet, KeyStore, sealed, secret, store};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Where key sets come from.
pub const HELP: &str = "a key file ([set.NAME] with kvn and enc, mac, dek, or master and diversify, in TOML; \
keys in an HSM as pkcs11:object=LABEL), or the environment (IPAE_KEY_NAME_ENC, _MAC, _DEK), or `test`: the card \
definition's public test keys";

/// Says which key set will be used, before the first cryptogram.
pub fn show(notice: &Notice, out: &Out) {
    if let Notice::KeySet {
        name,
        kvn,
        check_values: [enc, mac, dek],
    } = notice
    {
        out.note(format_args!(
            "key set {name}, version {kvn:02X}, check values {enc} {mac} {dek}"
        ));
    }
}

/// Host challenges from the system's randomness.
pub fn random(bytes: &mut [u8]) -> Result<(), String> {
    getrandom::fill(bytes).map_err(|e| e.to_string())
}

/// The record of authentication attempts.
#[derive(Debug, Args)]
pub struct AttemptArgs {
    /// Record of authentication attempts; without it IPAE_ATTEMPTS, or ipae/attempts.sqlite in
    /// $XDG_STATE_HOME or ~/.local/state
    #[arg(long, value_name = "FILE")]
    attempts: Option<PathBuf>,
    /// Try once more although a try of this card was spent; a card blocks for ever after a few
    #[arg(long)]
    spend_attempt: bool,
}

impl AttemptArgs {
    /// The record, with what the operator said.
    pub fn open(&self) -> Result<Attempts, Failure> {
        let mut attempts = match &self.attempts {
            Some(path) => Attempts::at(path),
            None => Attempts::of_user()?,
        };
        if self.spend_attempt {
            attempts.permit(Permission::Spend);
        }
        Ok(attempts)
    }
}

#[derive(Debug, Args)]
pub struct KeyArgs {
    /// Key file, encrypted or clear (`ipae keys`); the environment is looked at too
    /// (IPAE_KEY_NAME_ENC, _MAC, _DEK)
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    keys: Option<PathBuf>,
    /// Its passphrase is the first line of this file; else IPAE_KEYS_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE", help_heading = "Keys")]
    passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    hsm: Box<HsmArgs>,
}

/// An HSM behind PKCS#11.
#[derive(Debug, Args)]
pub struct HsmArgs {
    /// PKCS#11 module of the HSM that the key file refers to
    #[arg(long, value_name = "MODULE.so", help_heading = "Keys")]
    hsm: Option<PathBuf>,
    /// Label of its token; not needed where there is only one
    #[arg(
        long,
        value_name = "LABEL",
        requires = "hsm",
        conflicts_with = "slot",
        help_heading = "Keys"
    )]
    token: Option<String>,
    /// Slot of its token
    #[arg(long, value_name = "N", requires = "hsm", help_heading = "Keys")]
    slot: Option<u64>,
    /// The PIN is the first line of this file; else IPAE_HSM_PIN, else it is asked for
    #[arg(long, value_name = "FILE", requires = "hsm", help_heading = "Keys")]
    pin_file: Option<PathBuf>,
    /// Let keys of cards, never masters, into this computer's memory where the HSM can't do without
    #[arg(long, requires = "hsm", help_heading = "Keys")]
    allow_keys_in_host: bool,
}

impl HsmArgs {
    /// The token, logged in; `None` where no HSM was named.
    fn open(&self) -> Result<Option<Arc<Hsm>>, KeyError> {
        let Some(module) = &self.hsm else {
            return Ok(None);
        };
        let pin = secret::ask("PIN of the HSM", self.pin_file.as_deref(), "IPAE_HSM_PIN")?;
        let choice = match (&self.token, self.slot) {
            (Some(label), _) => TokenChoice::Label(label.clone()),
            (None, Some(slot)) => TokenChoice::Slot(slot),
            (None, None) => TokenChoice::Only,
        };
        Hsm::open(module, &choice, &pin, self.allow_keys_in_host)
            .map(Some)
            .map_err(KeyError::Hsm)
    }
}

/// The passphrase of a key file.
fn passphrase(file: Option<&Path>) -> Result<Zeroizing<String>, KeyError> {
    secret::ask("passphrase of the key file", file, "IPAE_KEYS_PASSPHRASE")
}

impl KeyArgs {
    /// Whether keys of cards may be in this computer's memory where the HSM can't do without.
    pub fn in_host(&self) -> bool {
        self.hsm.allow_keys_in_host
    }

    /// Whether a key file was given.
    pub fn is_given(&self) -> bool {
        self.keys.is_some()
    }

    /// The key set of this name for cards of this definition, which no public test key is where they are
    /// for production.
    pub fn find(&self, name: &str, definition: &Definition) -> Result<KeySet, Failure> {
        let set = self.store()?.find(name, None, definition)?;
        set.allowed_on(definition)?;
        Ok(set)
    }

    /// The key sets at hand.
    pub fn store(&self) -> Result<KeyStore, Failure> {
        let Some(path) = &self.keys else {
            return Ok(KeyStore::default());
        };
        let store = KeyStore::open(
            path,
            Access {
                hsm: self.hsm.open()?,
                passphrase: &mut || passphrase(self.passphrase_file.as_deref()),
            },
        )?;
        // For the operator; programs read standard error, too.
        if std::io::stderr().is_terminal() {
            for note in store.notes() {
                anstream::eprintln!("note: {note}");
            }
        }
        Ok(store)
    }
}

/// `ipae keys`: key files and HSMs.
#[derive(Subcommand)]
pub enum Keys {
    /// Write a key file with new random keys, to start from
    Generate(Generate),
    /// Encrypt a key file with a passphrase
    Encrypt(Convert),
    /// Decrypt a key file
    Decrypt(Convert),
    /// Show a key file's sets: names, versions, lengths, check values, never keys
    Show(Show),
    /// Show an HSM's token and what it can do
    Hsm(ShowHsm),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae keys generate --set lab --kvn 0x31 --out keys.ipae
  ipae keys generate --set batch7 --kvn 0x20 --diversify kdf3 --length 32 --clear --out keys.toml

The file is encrypted unless --clear is given.")]
pub struct Generate {
    /// Name of the set
    #[arg(long, value_name = "NAME", default_value = "lab")]
    set: String,
    /// Its key version number, as 0x31 or 49
    #[arg(long, value_name = "KVN", default_value = "0x30", value_parser = kvn)]
    kvn: u8,
    /// Bytes of each key: 16, 24 or 32
    #[arg(long, value_name = "BYTES", default_value_t = 16)]
    length: usize,
    /// Make one master key, from which the keys of cards come: kdf3, emv, visa2
    #[arg(long, value_name = "METHOD")]
    diversify: Option<String>,
    /// In clear: for laboratories
    #[arg(long)]
    clear: bool,
    /// File with the passphrase in its first line; else IPAE_KEYS_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File to write; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae keys encrypt keys.toml --out keys.ipae
  ipae keys decrypt keys.ipae --out keys.toml --passphrase-file passphrase.txt

Argon2id (64 MiB) makes the key of the passphrase, AES-256-GCM encrypts and notices every change.
Neither command removes the file that it reads.")]
pub struct Convert {
    /// The key file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// File with the passphrase in its first line; else IPAE_KEYS_PASSPHRASE, else it is asked for
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// File to write, readable for its owner alone; it must not be there yet
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae keys show --keys keys.ipae
  ipae keys show --keys keys.toml --hsm /usr/lib/softhsm/libsofthsm2.so --token lab
  ipae keys show --keys keys.ipae --diversification 00010203040506070809    Check values of one card's keys")]
pub struct Show {
    #[command(flatten)]
    keys: KeyArgs,
    /// A card's key diversification data, as `ipae card info` shows it: 10 bytes in hex
    #[arg(long, value_name = "HEX")]
    diversification: Option<String>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae keys hsm --hsm /usr/lib/softhsm/libsofthsm2.so --token lab
  ipae keys hsm --hsm /opt/vendor/libpkcs11.so --slot 1 --pin-file pin.txt")]
pub struct ShowHsm {
    #[command(flatten)]
    hsm: HsmArgs,
}

fn kvn(text: &str) -> Result<u8, String> {
    let read = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match read {
        Some(kvn @ 1..=0x7F) => Ok(kvn),
        _ => Err("a key version number is 0x01 to 0x7F".to_owned()),
    }
}

impl Keys {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Keys::Generate(options) => generate(&options, out),
            Keys::Encrypt(options) => {
                let file = options.passphrase_file.as_deref();
                let (text, encrypted) = store::text(&options.file, &mut || passphrase(file))?;
                if encrypted {
                    return Err(Failure::new(
                        exit::KEYS,
                        "the key file is encrypted already",
                    ));
                }
                let sealed = seal(&text, file)?;
                written(&options.out, sealed.as_bytes(), out)
            }
            Keys::Decrypt(options) => {
                let file = options.passphrase_file.as_deref();
                let (text, encrypted) = store::text(&options.file, &mut || passphrase(file))?;
                if !encrypted {
                    return Err(Failure::new(exit::KEYS, "the key file is not encrypted"));
                }
                written(&options.out, text.as_bytes(), out)
            }
            Keys::Show(options) => show_file(&options, out),
            Keys::Hsm(options) => {
                let Some(hsm) = options.hsm.open()? else {
                    return Err(Failure::new(exit::USAGE, "--hsm MODULE.so is missing"));
                };
                let can: serde_json::Map<_, _> = hsm
                    .abilities()
                    .iter()
                    .map(|(what, can)| ((*what).to_owned(), (*can).into()))
                    .collect();
                let value = serde_json::json!({ "token": hsm.label(), "can": can });
                out.print(&value, |w| {
                    writeln!(w, "token {:?}", hsm.label())?;
                    for (what, can) in hsm.abilities() {
                        writeln!(w, "  {}  {what}", if can { "yes" } else { "no " })?;
                    }
                    Ok(())
                })
            }
        }
    }
}

/// Encrypts with a passphrase, which is asked for, and fresh randomness.
fn seal(text: &str, file: Option<&Path>) -> Result<String, Failure> {
    let mut random = [0; 28];
    getrandom::fill(&mut random)
        .map_err(|e| Failure::new(exit::FAILED, format!("no random numbers: {e}")))?;
    sealed::seal(text, &passphrase(file)?, &random).map_err(|e| Failure::new(exit::KEYS, e))
}

/// Writes a key file, for its owner alone, and over no other: keys that are lost are lost for good.
fn written(path: &Path, bytes: &[u8], out: &Out) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let done = options
        .open(path)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    done.map_err(|e| {
        Failure::new(
            exit::OUTPUT,
            format!("failed to write {}: {e}", path.display()),
        )
    })?;
    out.print(&serde_json::json!({ "keys": path }), |w| {
        writeln!(w, "{}", path.display())
    })
}

fn generate(options: &Generate, out: &Out) -> Result<(), Failure> {
    if !matches!(options.length, 16 | 24 | 32) {
        return Err(Failure::new(
            exit::USAGE,
            format!("--length {}: 16, 24 or 32 bytes", options.length),
        ));
    }
    let plain = options
        .set
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if options.set.is_empty() || !plain {
        return Err(Failure::new(
            exit::USAGE,
            "--set: letters, digits, hyphens and underscores",
        ));
    }
    if let Some(name) = &options.diversify {
        let method = Diversification::from_name(name).ok_or_else(|| {
            Failure::new(
                exit::USAGE,
                format!("--diversify {name}: kdf3, emv or visa2"),
            )
        })?;
        method.takes(options.length).or_exit(exit::KEYS)?;
    }
    let key = || -> Result<Zeroizing<String>, Failure> {
        let mut key = Zeroizing::new([0u8; 32]);
        let part = key.get_mut(..options.length).unwrap_or_default();
        getrandom::fill(part)
            .map_err(|e| Failure::new(exit::FAILED, format!("no random numbers: {e}")))?;
        Ok(Zeroizing::new(hex::encode_upper(part)))
    };
    let head = format!("[set.{}]\nkvn = 0x{:02X}\n", options.set, options.kvn);
    let text = Zeroizing::new(match &options.diversify {
        Some(method) => format!("{head}master = \"{}\"\ndiversify = \"{method}\"\n", *key()?),
        None => format!(
            "{head}enc = \"{}\"\nmac = \"{}\"\ndek = \"{}\"\n",
            *key()?,
            *key()?,
            *key()?
        ),
    });
    if options.clear {
        return written(&options.out, text.as_bytes(), out);
    }
    let sealed = seal(&text, options.passphrase_file.as_deref())?;
    written(&options.out, sealed.as_bytes(), out)
}

fn show_file(options: &Show, out: &Out) -> Result<(), Failure> {
    if !options.keys.is_given() {
        return Err(Failure::new(exit::USAGE, "--keys FILE is missing"));
    }
    let card = match &options.diversification {
        None => None,
        Some(text) => {
            let bytes = hex::decode(text)
                .ok()
                .and_then(|bytes| <[u8; 10]>::try_from(bytes).ok());
            Some(bytes.ok_or_else(|| {
                Failure::new(exit::USAGE, "--diversification: 20 hexadecimal digits")
            })?)
        }
    };
    let store = options.keys.store()?;
    let mut sets = Vec::new();
    for set in store.sets() {
        let own = match card {
            Some(card) => set.of_card(&card).or_exit(exit::KEYS)?,
            None => set.clone(),
        };
        sets.push(serde_json::json!({
            "set": own.name,
            "kvn": format!("{:02X}", own.kvn),
            "key_length": own.keys.key_length(),
            "check_values": own.check_values().or_exit(exit::KEYS)?,
        }));
    }
    let transports: Vec<&str> = store.transports().map(|key| key.name()).collect();
    let value = serde_json::json!({
        "sets": sets, "transport_keys": transports, "notes": store.notes(),
    });
    out.print(&value, |w| {
        for set in store.notes() {
            writeln!(w, "note: {set}")?;
        }
        for set in &sets {
            let text = |name: &str| set[name].as_str().unwrap_or_default().to_owned();
            let values: Vec<_> = set["check_values"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(serde_json::Value::as_str)
                .collect();
            writeln!(
                w,
                "set {}  version {}  {} bytes  check values {}",
                text("set"),
                text("kvn"),
                set["key_length"],
                match values.first() {
                    Some(&"-") => "of each card's own keys".to_owned(),
                    _ => values.join(" "),
                }
            )?;
        }
        for name in &transports {
            writeln!(w, "transport key {name}")?;
        }
        Ok(())
    })
}
