//! Keys in a real PKCS#11 token, SoftHSM's. Skipped, and said so, where its module isn't installed.
//!
//! SoftHSM is configured through the environment and lives in the process that loads it: each test starts
//! itself again in a process of its own, with a new token.

use crate::support::ipae;
use applet_gen::gp::diversify::Diversification;
use applet_gen::gp::put_key::put_key_set;
use applet_gen::gp::scp03::{
    AesKey, CardKeys, CardKeysError, KeyRole, Mode, SessionKeys, StaticKeys,
};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, KeyType, ObjectClass};
use cryptoki::session::UserType;
use cryptoki::types::AuthPin;
use host_bridge::exit::{self, ExitCode};
use host_bridge::keys::hsm::{Hsm, TokenChoice};
use host_bridge::keys::{Access, KeyError, KeyStore};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

const PIN: &str = "123456";
const DATA: [u8; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];
/// RFC 3394 4.1: the key encryption key, the key, the wrapped key.
const KEK: &str = "000102030405060708090A0B0C0D0E0F";
const PLAIN: &str = "00112233445566778899AABBCCDDEEFF";
const WRAPPED: &str = "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5";

/// The same key under the 24 bytes of RFC 5649 6, by RFC 3394 and by RFC 5649, as another implementation wraps
/// it (Python's cryptography).
const WRAPPED_24: &str = "FFD303FC17CCD7032755EB57893374033640370A37D7AC88";
const WRAPPED_PAD_24: &str = "3D5096111D227D3C97F6A8D619CCF2EE7912EEBEB1B41E43";

fn module() -> Option<PathBuf> {
    [
        "/usr/lib/softhsm/libsofthsm2.so",
        "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
        "/usr/local/lib/softhsm/libsofthsm2.so",
    ]
    .iter()
    .map(PathBuf::from)
    .find(|path| path.is_file())
}

/// A token with nothing in it: the folder that has it, and what SoftHSM needs to find it.
fn new_token() -> Option<(tempfile::TempDir, PathBuf)> {
    let installed = module().is_some()
        && Command::new("softhsm2-util")
            .arg("--version")
            .output()
            .is_ok();
    if !installed {
        eprintln!("skipped: no SoftHSM on this machine (Debian, Ubuntu: apt-get install softhsm2)");
        return None;
    }
    let dir = tempfile::tempdir().unwrap();
    let tokens = dir.path().join("tokens");
    std::fs::create_dir(&tokens).unwrap();
    let conf = dir.path().join("softhsm2.conf");
    std::fs::write(
        &conf,
        format!("directories.tokendir = {}\n", tokens.display()),
    )
    .unwrap();
    let done = Command::new("softhsm2-util")
        .args([
            "--init-token",
            "--free",
            "--label",
            "lab",
            "--so-pin",
            "12345678",
            "--pin",
            PIN,
        ])
        .env("SOFTHSM2_CONF", &conf)
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    Some((dir, conf))
}

/// Runs `body` in a process of its own that has a token; the folder is for files.
fn with_token(test: &str, body: fn(&Path)) {
    const MARK: &str = "IPAE_TEST_TOKEN";
    if let Some(dir) = std::env::var_os(MARK) {
        body(Path::new(&dir));
        return;
    }
    let Some((dir, conf)) = new_token() else {
        return;
    };
    let run = Command::new(std::env::current_exe().unwrap())
        .args([&format!("hsm::{test}"), "--exact", "--nocapture"])
        .env("SOFTHSM2_CONF", &conf)
        .env(MARK, dir.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(
        run.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

/// Puts an AES key into the token, as an HSM's administrator would.
fn store_key(label: &str, value: &[u8]) {
    let pkcs11 = Pkcs11::new(module().unwrap()).unwrap();
    let _ = pkcs11.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
    let slot = pkcs11.get_slots_with_initialized_token().unwrap()[0];
    let session = pkcs11.open_rw_session(slot).unwrap();
    let _ = session.login(UserType::User, Some(&AuthPin::from(PIN.to_owned())));
    session
        .create_object(&[
            Attribute::Class(ObjectClass::SECRET_KEY),
            Attribute::KeyType(KeyType::AES),
            Attribute::Value(value.to_vec()),
            Attribute::Label(label.as_bytes().to_vec()),
            Attribute::Token(true),
            Attribute::Private(true),
            Attribute::Sensitive(true),
            Attribute::Extractable(false),
            Attribute::Sign(true),
            Attribute::Encrypt(true),
            Attribute::Decrypt(true),
            Attribute::Unwrap(true),
            Attribute::Derive(true),
        ])
        .unwrap();
}

fn hsm(allowed: bool) -> Arc<Hsm> {
    let label = TokenChoice::Label("lab".to_owned());
    Hsm::open(&module().unwrap(), &label, PIN, allowed).unwrap()
}

fn store(dir: &Path, text: &str, hsm: Arc<Hsm>) -> Result<KeyStore, KeyError> {
    let path = dir.join("keys.toml");
    std::fs::write(&path, text).unwrap();
    let access = Access {
        hsm: Some(hsm),
        passphrase: &mut || panic!("the file is not encrypted"),
    };
    KeyStore::open(&path, access)
}

fn lab() -> cards::definition::Definition {
    cards::definition::Definition::shipped("virtual-lab").unwrap()
}

/// The same session keys, seen by the cryptogram that they give.
fn same_session(a: &dyn CardKeys, b: &dyn CardKeys) {
    let session = |keys| {
        SessionKeys::derive(keys, Mode::S16, &[1; 16], &[2; 16])
            .unwrap()
            .card_cryptogram()
    };
    assert_eq!(session(a), session(b));
    assert_eq!(a.check_values().unwrap(), b.check_values().unwrap());
    let (mut x, mut y) = ([7; 32], [7; 32]);
    a.encrypt_under_dek(&mut x).unwrap();
    b.encrypt_under_dek(&mut y).unwrap();
    assert_eq!(x, y);
}

#[test]
fn keys_of_a_card_in_the_token() {
    with_token("keys_of_a_card_in_the_token", |dir| {
        let keys = [[0x11; 24], [0x22; 24], [0x33; 24]];
        for (label, key) in ["enc", "mac", "dek"].iter().zip(&keys) {
            store_key(label, key);
        }
        let text = "[set.a]\nkvn = 0x30\nenc = \"pkcs11:object=enc\"\nmac = \"pkcs11:token=lab;object=mac\"\n\
                    dek = \"pkcs11:object=dek\"\n";
        let store = store(dir, text, hsm(false)).unwrap();
        let set = store.find("a", None, &lab()).unwrap();
        let [enc, mac, dek] = &keys;
        let known = StaticKeys::new(enc, mac, dek).unwrap();
        same_session(&*set.keys, &known);
        // A sequence of equal bytes is a public test key in a token, too.
        let production = cards::definition::Definition::shipped("virtual-production").unwrap();
        assert!(matches!(
            set.allowed_on(&production),
            Err(KeyError::Public { .. })
        ));
        // PUT KEY under them is possible, PUT KEY of them is not.
        assert_eq!(
            put_key_set(0, 0x31, &known, &*set.keys).unwrap(),
            put_key_set(0, 0x31, &known, &known).unwrap()
        );
        let error = put_key_set(0, 0x31, &*set.keys, &known).err().unwrap();
        assert!(error.to_string().contains("does not leave it"), "{error}");
    });
}

#[test]
fn a_master_stays_in_the_token() {
    with_token("a_master_stays_in_the_token", |dir| {
        let master: Vec<u8> = (0..16).map(|i| i * 11).collect();
        store_key("master", &master);
        store_key("long", &[master.clone(), master.clone()].concat());
        let file = |object: &str, method: &str| {
            format!(
                "[set.b]\nkvn = 0x20\nmaster = \"pkcs11:object={object}\"\ndiversify = \"{method}\"\n"
            )
        };
        let own = |length: &[u8]| {
            let key = |role| {
                let master = AesKey::new(length).unwrap();
                Diversification::Kdf3.derive(&master, role, &DATA).unwrap()
            };
            StaticKeys {
                enc: key(KeyRole::Enc),
                mac: key(KeyRole::Mac),
                dek: key(KeyRole::Dek),
            }
        };
        let closed = hsm(false);
        let set = store(dir, &file("master", "kdf3"), Arc::clone(&closed))
            .unwrap()
            .find("b", None, &lab())
            .unwrap();
        assert_eq!(set.check_values().unwrap(), ["-", "-", "-"]);
        let card = set.of_card(&DATA).unwrap();
        same_session(&*card.keys, &own(&master));
        assert!(card.keys.value(KeyRole::Enc).is_err());
        // Several readers: a session for each thread that works.
        std::thread::scope(|scope| {
            for n in 0..4u8 {
                let set = &set;
                scope.spawn(move || {
                    for m in 0..8 {
                        let card = set.of_card(&[n, m, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
                        assert!(card.keys.check_values().unwrap().is_some());
                    }
                });
            }
        });
        // What the token can't do inside is refused, and had with the operator's word.
        let refused = store(dir, &file("long", "kdf3"), Arc::clone(&closed))
            .err()
            .unwrap();
        assert_eq!(refused.exit(), exit::KEYS);
        assert!(
            refused.to_string().contains("--allow-keys-in-host"),
            "{refused}"
        );
        let open = store(dir, &file("long", "kdf3"), hsm(true)).unwrap();
        let card = open
            .find("b", None, &lab())
            .unwrap()
            .of_card(&DATA)
            .unwrap();
        let long = own(&[master.clone(), master].concat());
        same_session(&*card.keys, &long);
        assert!(put_key_set(0, 0x31, &*card.keys, &long).is_ok());
        let refused = store(dir, &file("master", "emv"), closed).err().unwrap();
        assert!(refused.to_string().contains("kdf3 is"), "{refused}");
    });
}

#[test]
fn wrapped_keys_are_unwrapped_in_the_token() {
    with_token("wrapped_keys_are_unwrapped_in_the_token", |dir| {
        store_key("kek", &hex::decode(KEK).unwrap());
        let file = |wrap: &str| {
            format!("[transport.vendor]\nkey = \"pkcs11:object=kek\"\nwrap = \"{wrap}\"\n")
        };
        let wrapped = || [(); 3].map(|()| hex::decode(WRAPPED).unwrap());
        let plain = hex::decode(PLAIN).unwrap();
        let known = StaticKeys::new(&plain, &plain, &plain).unwrap();
        let closed = store(dir, &file("rfc3394"), hsm(false)).unwrap();
        let vendor = closed.transport("vendor").unwrap();
        let values = known.check_values().map(Some);
        let keys = vendor.keys(wrapped(), values, true).unwrap();
        let card = keys.of_card(&DATA).unwrap().unwrap();
        same_session(&*card, &known);
        assert!(card.value(KeyRole::Dek).is_err());
        let mut altered = wrapped();
        altered[1][3] ^= 1;
        let error = vendor
            .keys(altered, [None; 3], false)
            .unwrap()
            .unwrap()
            .err()
            .unwrap();
        assert!(error.to_string().contains("does not unwrap"), "{error}");
        let wrong = vendor
            .keys(wrapped(), [Some([0; 3]); 3], false)
            .unwrap()
            .unwrap()
            .err()
            .unwrap();
        assert!(wrong.to_string().contains("check value"), "{wrong}");
        let open = store(dir, &file("rfc3394"), hsm(true)).unwrap();
        let vendor = open.transport("vendor").unwrap();
        let card = vendor
            .keys(wrapped(), values, true)
            .unwrap()
            .unwrap()
            .unwrap();
        assert_eq!(card.value(KeyRole::Enc).unwrap().expose(), plain);
    });
}

/// Each form of wrapping that the token has is unwrapped there; what it lacks is refused by name.
#[test]
fn every_form_of_wrapping_in_the_token() {
    with_token("every_form_of_wrapping_in_the_token", |dir| {
        // RFC 5649 6: a transport key of 24 bytes, and a key of 16 wrapped here with it.
        let kek = hex::decode("5840DF6E29B02AF1AB493B705BF16EA1AE8338F4DCC176A8").unwrap();
        store_key("kek", &kek);
        let plain = hex::decode(PLAIN).unwrap();
        let known = StaticKeys::new(&plain, &plain, &plain).unwrap();
        let values = known.check_values().map(Some);
        let wrapping = AesKey::new(&kek).unwrap();
        let mut cbc = plain.clone();
        wrapping.cbc_encrypt(&[0; 16], &mut cbc);
        for (name, ability, wrapped) in [
            ("rfc3394", "RFC 3394", WRAPPED_24),
            ("rfc5649", "RFC 5649", WRAPPED_PAD_24),
            ("cbc", "by CBC", hex::encode(&cbc).as_str()),
        ] {
            let text = format!("[transport.v]\nkey = \"pkcs11:object=kek\"\nwrap = \"{name}\"\n");
            let token = hsm(false);
            let can = token
                .abilities()
                .iter()
                .any(|(what, can)| what.contains(ability) && *can);
            let store = store(dir, &text, token).unwrap();
            let wrapped = [(); 3].map(|()| hex::decode(wrapped).unwrap());
            let keys = store
                .transport("v")
                .unwrap()
                .keys(wrapped, values, false)
                .unwrap();
            match keys.unwrap() {
                Ok(keys) => {
                    assert!(can, "{name}");
                    same_session(&*keys, &known);
                    assert!(keys.value(KeyRole::Dek).is_err(), "{name}");
                }
                Err(error) => {
                    assert!(!can, "{name}: {error}");
                    assert!(error.to_string().contains("can't unwrap with"), "{error}");
                }
            }
        }
    });
}

/// New keys go from the token to the card encrypted under its Key-DEK, and are nowhere else.
#[test]
fn new_keys_for_put_key_are_wrapped_in_the_token() {
    with_token("new_keys_for_put_key_are_wrapped_in_the_token", |dir| {
        let master: Vec<u8> = (0..16).map(|i| i * 7 + 1).collect();
        store_key("master", &master);
        store_key("kek", &hex::decode(KEK).unwrap());
        let text = "[set.b]\nkvn = 0x20\nmaster = \"pkcs11:object=master\"\ndiversify = \"kdf3\"\n\
                    [transport.vendor]\nkey = \"pkcs11:object=kek\"\nwrap = \"rfc3394\"\n";
        let token = hsm(false);
        let wraps = token
            .abilities()
            .iter()
            .any(|(what, can)| what.contains("PUT KEY") && *can);
        let store = store(dir, text, token).unwrap();
        let current = store
            .find("b", None, &lab())
            .unwrap()
            .of_card(&DATA)
            .unwrap();
        let wrapped = [(); 3].map(|()| hex::decode(WRAPPED).unwrap());
        let new = store
            .transport("vendor")
            .unwrap()
            .keys(wrapped, [None; 3], true);
        let new = new.unwrap().of_card(&DATA).unwrap().unwrap();
        let put = put_key_set(0x20, 0x31, &*new, &*current.keys);
        let plain = hex::decode(PLAIN).unwrap();
        let known = StaticKeys::new(&plain, &plain, &plain).unwrap();
        let derive = |role| {
            let master = AesKey::new(&master).unwrap();
            Diversification::Kdf3.derive(&master, role, &DATA).unwrap()
        };
        let own = StaticKeys {
            enc: derive(KeyRole::Enc),
            mac: derive(KeyRole::Mac),
            dek: derive(KeyRole::Dek),
        };
        match put {
            Ok(put) => {
                assert!(wraps);
                assert_eq!(put, put_key_set(0x20, 0x31, &known, &own).unwrap());
            }
            Err(error) => {
                assert!(!wraps, "{error}");
                assert!(error.to_string().contains("CKM_AES_CBC"), "{error}");
            }
        }
    });
}

#[test]
fn a_lost_token_is_an_error_of_its_own() {
    with_token("a_lost_token_is_an_error_of_its_own", |dir| {
        store_key("master", &[0x5A; 16]);
        let text = "[set.b]\nkvn = 0x20\nmaster = \"pkcs11:object=master\"\ndiversify = \"kdf3\"\n";
        let set = store(dir, text, hsm(false))
            .unwrap()
            .find("b", None, &lab())
            .unwrap();
        let card = set.of_card(&DATA).unwrap();
        // What a pulled token and a stopped HSM look like to PKCS#11: the library is finalized.
        Pkcs11::new(module().unwrap()).unwrap().finalize().unwrap();
        for error in [
            set.of_card(&DATA).err().unwrap(),
            card.keys.cmac(KeyRole::Mac, &[1]).err().unwrap(),
        ] {
            assert!(
                matches!(&error, CardKeysError::Device(text) if text.contains("is lost")),
                "{error}"
            );
            let error = host_bridge::gp::GpError::Scp {
                set: "b".to_owned(),
                source: error.into(),
            };
            assert_eq!(error.exit(), exit::HSM);
        }
    });
}

#[test]
fn the_command_line_names_module_token_and_pin() {
    let Some((dir, conf)) = new_token() else {
        return;
    };
    let module = module().unwrap();
    let run = |pin: &str, more: &[&str]| {
        let run = ipae()
            .args(["keys", "hsm", "--hsm"])
            .arg(&module)
            .args(more)
            .env("SOFTHSM2_CONF", &conf)
            .env("IPAE_HSM_PIN", pin)
            .output()
            .unwrap();
        let text = [run.stdout, run.stderr].concat();
        (run.status.code(), String::from_utf8(text).unwrap())
    };
    let (code, said) = run(PIN, &["--token", "lab"]);
    assert!(
        code == Some(0) && said.contains("yes  session keys by CKM_AES_CMAC"),
        "{said}"
    );
    let (code, said) = run(PIN, &["--token", "other"]);
    assert!(
        code == Some(i32::from(exit::HSM.code)) && said.contains("\"lab\" in slot"),
        "{said}"
    );
    let (code, said) = run("654321", &[]);
    assert!(
        code == Some(i32::from(exit::HSM.code)) && said.contains("not tried again"),
        "{said}"
    );
    assert!(!said.contains("654321"), "{said}");
    let file = dir.path().join("pin");
    std::fs::write(&file, format!("{PIN}\n")).unwrap();
    let (code, said) = run("wrong", &["--pin-file", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
}
