//! Key files: clear, encrypted, diversified, with transport keys; and that no message shows a key.

use super::sealed::{open, seal};
use super::transport::{Wrap, compare};
use super::*;
use applet_gen::gp::scp03::{AesKey, KeyRole};
use proptest::prelude::*;
use std::path::Path;

fn read(path: &Path) -> Result<KeyStore, KeyError> {
    read_with(path, "right")
}

fn read_with(path: &Path, passphrase: &str) -> Result<KeyStore, KeyError> {
    KeyStore::open(
        path,
        Access {
            hsm: None,
            passphrase: &mut || Ok(Zeroizing::new(passphrase.to_owned())),
        },
    )
}

fn lab() -> Definition {
    Definition::shipped("virtual-lab").unwrap()
}

const SECRET: &str = "00112233445566778899AABBCCDDEE";

#[test]
fn key_files_are_read_and_their_faults_show_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.toml");
    std::fs::write(
        &path,
        format!("[set.lab]\nkvn = 0x30\nenc = \"{SECRET}FF\"\nmac = \"{SECRET}FF\"\ndek = \"{SECRET}FF\"\n"),
    )
    .unwrap();
    let store = read(&path).unwrap();
    assert_eq!(store.find("lab", None, &lab()).unwrap().kvn, 0x30);
    assert_eq!(store.find("test", Some(0x31), &lab()).unwrap().kvn, 0x31);
    let unknown = store
        .find("other-one", None, &lab())
        .err()
        .unwrap()
        .to_string();
    assert!(
        unknown.contains("IPAE_KEY_OTHER_ONE_ENC") && unknown.contains("lab"),
        "{unknown}"
    );
    let key = format!("\"{SECRET}FF\"");
    for (text, words) in [
        (
            format!("enc = \"{SECRET}\"\nmac = {key}\ndek = {key}"),
            "16, 24 or 32",
        ),
        (format!("enc = {SECRET}"), "line 3"),
        (format!("key = {key}"), "not of the form"),
        (format!("enc = {key}"), "all needed"),
        (format!("master = {key}"), "diversify says"),
        (
            format!("master = {key}\nenc = {key}\ndiversify = \"kdf3\""),
            "either master",
        ),
        (
            format!("master = {key}\ndiversify = \"kdf9\""),
            "none, emv, visa2, kdf3",
        ),
        (
            format!("master = \"{SECRET}FF{SECRET}FF\"\ndiversify = \"emv\""),
            "16 bytes",
        ),
        (
            "enc = \"pkcs11:object=a\"\nmac = \"pkcs11:object=b\"\ndek = \"pkcs11:object=c\""
                .to_owned(),
            "--hsm MODULE.so",
        ),
    ] {
        std::fs::write(&path, format!("[set.lab]\nkvn = 0x30\n{text}\n")).unwrap();
        let error = read(&path).err().unwrap().to_string();
        assert!(!error.contains("0011") && error.contains(words), "{error}");
    }
}

#[cfg(unix)]
#[test]
fn a_clear_file_that_others_may_read_is_said_so() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.toml");
    std::fs::write(&path, "").unwrap();
    let mode = |mode| std::fs::set_permissions(&path, PermissionsExt::from_mode(mode)).unwrap();
    mode(0o640);
    assert!(read(&path).unwrap().notes()[0].contains("chmod 600"));
    mode(0o600);
    assert!(read(&path).unwrap().notes().is_empty());
}

#[test]
fn a_master_gives_each_card_its_own_keys() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.toml");
    std::fs::write(
        &path,
        "[set.batch]\nkvn = 0x20\nmaster = \"404142434445464748494A4B4C4D4E4F\"\ndiversify = \"kdf3\"\n",
    )
    .unwrap();
    let set = read(&path).unwrap().find("batch", None, &lab()).unwrap();
    assert_eq!(set.check_values().unwrap(), ["-", "-", "-"]);
    let card = set.of_card(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).unwrap();
    // martinpaljak/GlobalPlatformPro, testDefaultKeysWithDiversifier.
    assert_eq!(card.check_values().unwrap(), ["E79C05", "D1BD77", "3FDE8C"]);
    // A public test key is one as a master, too.
    let production = Definition::shipped("virtual-production").unwrap();
    assert!(matches!(
        set.allowed_on(&production),
        Err(KeyError::Public { .. })
    ));
}

#[test]
fn encrypted_files_open_with_their_passphrase_alone() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.ipae");
    let text = format!(
        "[set.lab]\nkvn = 0x30\nenc = \"{SECRET}FF\"\nmac = \"{SECRET}FF\"\ndek = \"{SECRET}FF\"\n"
    );
    let sealed = seal(&text, "right", &[7; 28]).unwrap();
    assert!(!sealed.contains(SECRET) && sealed.starts_with("ipae-keys encrypted 1\n"));
    std::fs::write(&path, &sealed).unwrap();
    let store = read(&path).unwrap();
    assert!(store.find("lab", None, &lab()).is_ok());
    // An encrypted file may be read by others.
    assert!(store.notes().is_empty());
    let error = read_with(&path, "wrong").err().unwrap().to_string();
    assert!(error.contains("the passphrase is wrong, or"), "{error}");
    for (from, to, words) in [
        ("encrypted 1", "encrypted 2", "this tool reads"),
        ("m=65536", "m=65528", "or the file was altered"),
        ("m=65536", "m=4000000000", "more work"),
        ("t=3", "t=x", "cut or altered"),
        ("salt=0707", "salt=0807", "or the file was altered"),
    ] {
        let error = open(&sealed.replace(from, to), "right").err().unwrap();
        assert!(error.contains(words), "{to}: {error}");
    }
    let cut: String = sealed.lines().take(3).collect::<Vec<_>>().join("\n");
    assert!(open(&cut, "right").is_err());
}

#[test]
fn wrapped_keys_are_unwrapped_and_compared() {
    // RFC 3394 4.1 and 4.6: 128 and 256 bits of key data.
    let transport = |wrap, key: &str| {
        let key = AesKey::new(&hex::decode(key).unwrap()).unwrap();
        Arc::new(TransportKey::here("vendor", wrap, key))
    };
    let wrapped = |text: &str| [(); 3].map(|()| hex::decode(text).unwrap());
    let vector = "1FA68B0A8112B447AEF34BD8FB5A7B829D3E862371D2CFE5";
    let kek = transport(Wrap::Rfc3394, "000102030405060708090A0B0C0D0E0F");
    let keys = kek.keys(wrapped(vector), [None; 3], false).unwrap();
    let plain = keys.value(KeyRole::Mac).unwrap();
    assert_eq!(
        hex::encode_upper(plain.expose()),
        "00112233445566778899AABBCCDDEEFF"
    );
    let long = transport(
        Wrap::Rfc3394,
        "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F",
    );
    let vector_256 =
        "28C9F404C4B810F4CBCCB35CFB87F8263F5786E2D80ED326CBC7F0E71A99F43BFB988B9B7A02DD21";
    let keys = long.keys(wrapped(vector_256), [None; 3], false).unwrap();
    assert_eq!(keys.key_length(), 32);
    assert_eq!(
        hex::encode_upper(keys.value(KeyRole::Enc).unwrap().expose()),
        "00112233445566778899AABBCCDDEEFF000102030405060708090A0B0C0D0E0F"
    );
    // Under another key, altered, with another check value, of another length.
    let other = transport(Wrap::Rfc3394, "000102030405060708090A0B0C0D0E10");
    let error = other
        .keys(wrapped(vector), [None; 3], false)
        .unwrap()
        .unwrap();
    assert!(
        error
            .err()
            .is_some_and(|e| e.to_string().contains("another transport key"))
    );
    let stated = [None, Some([1, 2, 3]), None];
    let error = kek.keys(wrapped(vector), stated, false).unwrap().unwrap();
    assert!(
        error
            .err()
            .is_some_and(|e| e.to_string().contains("key mac has check value"))
    );
    assert!(kek.keys(wrapped(&vector[2..]), [None; 3], false).is_err());
    let mixed = [
        wrapped(vector)[0].clone(),
        wrapped(vector_256)[0].clone(),
        wrapped(vector)[0].clone(),
    ];
    assert!(kek.keys(mixed, [None; 3], false).is_err());
    // CBC: what an AES key encrypts with ICV zero.
    let key = AesKey::new(&[9; 16]).unwrap();
    let mut data = vec![5; 32];
    key.cbc_encrypt(&[0; 16], &mut data);
    let cbc = Arc::new(TransportKey::here("vendor", Wrap::Cbc, key));
    let keys = cbc
        .keys([(); 3].map(|()| data.clone()), [None; 3], false)
        .unwrap();
    assert_eq!(keys.value(KeyRole::Dek).unwrap().expose(), [5; 32]);
    let set = key_set(
        "a",
        1,
        "05".repeat(16).as_str(),
        &"06".repeat(16),
        &"07".repeat(16),
    )
    .unwrap();
    let values = set.keys.check_values().unwrap().unwrap();
    assert!(compare(&*set.keys, &values.map(Some)).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_file_panics(text in "(ipae-keys encrypted 1\n)?[a-z0-9=\\[\\]. \n\"-]{0,200}") {
        let _ = open(&text, "x");
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        std::fs::write(&path, &text).unwrap();
        let _ = read(&path);
    }
}
