//! `ipae keys`: files made, encrypted, shown, opened again; no key in any output but the file's.

use crate::support::{Run, ipae};
use host_bridge::exit;

fn keys(args: &[&str], passphrase: &str) -> Run {
    Run::of(
        ipae()
            .arg("keys")
            .args(args)
            .env("IPAE_KEYS_PASSPHRASE", passphrase),
    )
}

#[test]
fn a_key_file_is_made_encrypted_and_used() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name).display().to_string();
    let (sealed, clear, again) = (at("keys.ipae"), at("keys.toml"), at("again.ipae"));
    let made = [
        "generate", "--set", "lab", "--kvn", "0x31", "--out", &sealed,
    ];
    keys(&made, "a passphrase").good();
    // Never over a file that is there.
    keys(&made, "a passphrase").bad(exit::OUTPUT, &["failed to write"]);
    keys(&["decrypt", &sealed, "--out", &clear], "a passphrase").good();
    let text = std::fs::read_to_string(&clear).unwrap();
    assert!(
        text.starts_with("[set.lab]\nkvn = 0x31\nenc = \""),
        "{text}"
    );
    let key = text.split('"').nth(1).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&clear).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    keys(&["encrypt", &clear, "--out", &again], "another").good();
    keys(&["encrypt", &again, "--out", &at("x")], "another").bad(exit::KEYS, &["already"]);
    let wrong = keys(&["show", "--keys", &again], "a passphrase");
    wrong.bad(exit::KEYS, &["the passphrase is wrong"]);
    let shown = keys(&["show", "--keys", &again], "another").good().stdout;
    assert!(
        shown.contains("set lab  version 31  16 bytes  check values "),
        "{shown}"
    );
    assert!(!shown.contains(key), "{shown}");
    // Without a terminal nobody is asked.
    let nobody = Run::of(ipae().args(["keys", "show", "--keys", &again]));
    nobody.bad(exit::KEYS, &["IPAE_KEYS_PASSPHRASE is not set"]);
}

#[test]
fn a_master_shows_the_keys_of_one_card() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("keys.toml");
    std::fs::write(
        &path,
        "[set.batch]\nkvn = 0x20\nmaster = \"404142434445464748494A4B4C4D4E4F\"\ndiversify = \"kdf3\"\n",
    )
    .unwrap();
    let path = path.display().to_string();
    let shown = keys(&["show", "--keys", &path], "").good().stdout;
    assert!(
        shown.contains("of each card's own keys") && shown.contains("chmod 600"),
        "{shown}"
    );
    let card = [
        "show",
        "--keys",
        &path,
        "--diversification",
        "00010203040506070809",
    ];
    let shown = keys(&card, "").good().stdout;
    assert!(shown.contains("E79C05 D1BD77 3FDE8C"), "{shown}");
    let made = [
        "generate",
        "--diversify",
        "visa2",
        "--length",
        "32",
        "--clear",
        "--out",
        "x",
    ];
    keys(&made, "").bad(exit::KEYS, &["16 bytes"]);
}
