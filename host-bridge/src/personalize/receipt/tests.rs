use super::verify::FindingKind::{Altered, Doubled, Foreign, Missing, Reordered};
use super::*;
use cards::pki::SecretKey;
use std::path::Path;

const ORDER: &str = "0f0e";

fn signer() -> Signer {
    Signer::new(SecretKey::derive(b"receipts", "test").unwrap()).unwrap()
}

fn receipt(eid: &str) -> Receipt {
    Receipt {
        format: FORMAT,
        eid: eid.to_owned(),
        iccids: Vec::new(),
        line: 1,
        order: ORDER.to_owned(),
        card: "lab card".to_owned(),
        atr: String::new(),
        cplc: String::new(),
        key_set: KeySetReceipt {
            name: "test".to_owned(),
            kvn: "30".to_owned(),
            check_values: Default::default(),
        },
        keys_in_host: false,
        job: JobReceipt {
            sha256: String::new(),
            title: String::new(),
            steps: Vec::new(),
        },
        packages: Vec::new(),
        applet: Some(AppletReceipt {
            instance: String::new(),
            version: String::new(),
        }),
        eim: Some(EimReceipt {
            id: "eim".to_owned(),
            fqdn: "eim".to_owned(),
            public_key: String::new(),
            association_token: None,
        }),
        configuration: None,
        reads: Default::default(),
    }
}

fn run() -> RunReceipt {
    RunReceipt {
        attempts: 1,
        reader: "reader".to_owned(),
        traffic: Traffic::default(),
        finished: "2026-01-01T00:00:00Z".to_owned(),
    }
}

/// The output directory of a station with a receipt for each of these cards, of all the order's.
fn station(dir: &Path, name: &str, eids: &[&str], all: &[&str]) -> ChainHead {
    let signer = signer();
    let mut head = ChainHead {
        station: name.to_owned(),
        sequence: 0,
        hash: ORDER.to_owned(),
    };
    std::fs::create_dir_all(dir.join("receipts")).unwrap();
    for eid in eids {
        let sealed = seal(&receipt(eid), &run(), &head, &signer).unwrap();
        std::fs::write(file(dir, eid), &sealed.text).unwrap();
        head.sequence = sealed.sequence;
        head.hash = sealed.hash;
    }
    let all: Vec<String> = all.iter().map(|eid| (*eid).to_owned()).collect();
    let text = statement(ORDER, &all, &head, "now", &signer).unwrap();
    std::fs::write(dir.join(STATEMENT), text).unwrap();
    head
}

fn file(dir: &Path, eid: &str) -> std::path::PathBuf {
    dir.join("receipts").join(format!("{eid}.json"))
}

fn check(dirs: &[&Path]) -> Verification {
    let key = SecretKey::derive(b"receipts", "test")
        .and_then(|key| key.public_key())
        .unwrap();
    let dirs: Vec<_> = dirs.iter().map(|dir| (dir.to_path_buf(), key)).collect();
    verify(&dirs, None).unwrap()
}

fn kinds(found: &Verification) -> Vec<FindingKind> {
    found.findings.iter().map(|one| one.kind).collect()
}

const CARDS: [&str; 4] = ["E1", "E2", "E3", "E4"];

#[test]
fn whole_chains_of_two_stations() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let head = station(&a, "a", &["E2", "E1"], &CARDS);
    station(&b, "b", &["E3", "E4"], &CARDS);
    let found = check(&[&a, &b]);
    assert_eq!(found.findings, []);
    assert_eq!((found.cards, found.receipts), (4, 4));
    assert_eq!(found.chains[0].last, head.hash);
    // One alone lacks the other's cards.
    let alone = check(&[&a]);
    assert_eq!(kinds(&alone), [Missing, Missing]);
    assert_eq!(alone.findings[0].of, "E3");
    // The order itself may be at hand.
    let key = SecretKey::derive(b"receipts", "test").unwrap();
    let known = ["E1", "E2"].map(String::from);
    let found = verify(&[(a, key.public_key().unwrap())], Some(&known)).unwrap();
    assert_eq!(found.findings, []);
}

#[test]
fn a_missing_receipt_at_either_end_and_within() {
    for lost in CARDS {
        let dir = tempfile::tempdir().unwrap();
        station(dir.path(), "a", &CARDS, &CARDS);
        std::fs::remove_file(file(dir.path(), lost)).unwrap();
        let found = check(&[dir.path()]);
        assert_eq!(kinds(&found), [Missing, Missing], "{lost}: {found:#?}");
        assert_eq!(found.findings[0].of, lost);
        assert!(found.findings[1].problem.starts_with("receipt "));
    }
}

#[test]
fn an_altered_receipt() {
    let dir = tempfile::tempdir().unwrap();
    station(dir.path(), "a", &CARDS, &CARDS);
    let path = file(dir.path(), "E2");
    let good = std::fs::read_to_string(&path).unwrap();
    for (from, to) in [
        ("\"fqdn\":\"eim\"", "\"fqdn\":\"mie\""),
        ("\"attempts\":1", "\"attempts\":2"),
        ("\"sequence\":2", "\"sequence\":3"),
        // The same members, another text.
        ("{\"applet\"", "{ \"applet\""),
        ("ES256", "none"),
    ] {
        assert!(good.contains(from), "{from}");
        std::fs::write(&path, good.replacen(from, to, 1)).unwrap();
        let found = check(&[dir.path()]);
        let altered = &found.findings[found
            .findings
            .iter()
            .position(|f| f.kind == Altered)
            .unwrap()];
        assert!(altered.of.ends_with("E2.json"), "{found:#?}");
    }
    std::fs::write(&path, good.trim_end()).unwrap();
    assert!(kinds(&check(&[dir.path()])).contains(&Altered));
    std::fs::write(&path, &good).unwrap();
    assert_eq!(check(&[dir.path()]).findings, []);
    // Signed, but by somebody else.
    let other = Signer::new(SecretKey::derive(b"other", "test").unwrap()).unwrap();
    let head = ChainHead {
        station: "a".to_owned(),
        sequence: 1,
        hash: String::new(),
    };
    let forged = seal(&receipt("E2"), &run(), &head, &other).unwrap();
    std::fs::write(&path, forged.text).unwrap();
    assert!(kinds(&check(&[dir.path()])).contains(&Altered));
    // The statement is signed too.
    let path = dir.path().join(STATEMENT);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replacen("\"receipts\":4", "\"receipts\":3", 1)).unwrap();
    assert!(kinds(&check(&[dir.path()])).contains(&Altered));
}

#[test]
fn reordered_receipts() {
    // Two files with each other's content.
    let dir = tempfile::tempdir().unwrap();
    station(dir.path(), "a", &CARDS, &CARDS);
    let (one, two) = (file(dir.path(), "E1"), file(dir.path(), "E2"));
    let text = std::fs::read(&one).unwrap();
    std::fs::copy(&two, &one).unwrap();
    std::fs::write(&two, text).unwrap();
    assert_eq!(kinds(&check(&[dir.path()])), [Reordered, Reordered]);
    // Two chains of the right key, mixed: numbers fit, what they follow doesn't.
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    station(dir.path(), "a", &["E1", "E2", "E3", "E4"], &CARDS);
    station(&other, "a", &["E2", "E1", "E3", "E4"], &CARDS);
    std::fs::copy(file(&other, "E3"), file(dir.path(), "E3")).unwrap();
    let found = check(&[dir.path()]);
    assert_eq!(kinds(&found), [Reordered, Reordered], "{found:#?}");
    // And a last one that isn't the statement's.
    let dir = tempfile::tempdir().unwrap();
    let other = dir.path().join("other");
    let mut later = run();
    later.attempts = 2;
    station(dir.path(), "a", &["E1"], &["E1"]);
    let head = ChainHead {
        station: "a".to_owned(),
        sequence: 0,
        hash: ORDER.to_owned(),
    };
    let again = seal(&receipt("E1"), &later, &head, &signer()).unwrap();
    std::fs::write(file(dir.path(), "E1"), again.text).unwrap();
    assert_eq!(kinds(&check(&[dir.path()])), [Reordered]);
    assert!(!other.exists());
}

#[test]
fn doubled_and_foreign_receipts() {
    let dir = tempfile::tempdir().unwrap();
    station(dir.path(), "a", &CARDS, &CARDS);
    std::fs::copy(file(dir.path(), "E1"), file(dir.path(), "copy")).unwrap();
    let found = kinds(&check(&[dir.path()]));
    assert_eq!(found, [Reordered, Doubled, Doubled]);
    std::fs::remove_file(file(dir.path(), "copy")).unwrap();
    // The same card at two stations.
    let other = dir.path().join("other");
    station(&other, "b", &["E1"], &CARDS);
    assert_eq!(kinds(&check(&[dir.path(), &other])), [Doubled]);
    // A card that nobody ordered.
    let dir = tempfile::tempdir().unwrap();
    station(dir.path(), "a", &["E1", "X"], &["E1"]);
    assert_eq!(kinds(&check(&[dir.path()])), [Foreign]);
}

#[test]
fn a_key_is_made_once() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(Signer::FILE);
    let random: crate::personalize::RandomSource = std::sync::Arc::new(|bytes: &mut [u8]| {
        bytes.fill(3);
        Ok(())
    });
    let first = Signer::open(&path, &random).unwrap();
    let public = read_public(&Signer::public_file(&path)).unwrap();
    assert_eq!(signer::key_id(&public).unwrap(), first.id());
    let none: crate::personalize::RandomSource =
        std::sync::Arc::new(|_: &mut [u8]| Err("not needed".to_owned()));
    assert_eq!(Signer::open(&path, &none).unwrap().id(), first.id());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    std::fs::write(&path, "no key").unwrap();
    let error = Signer::open(&path, &none).err().unwrap().to_string();
    assert!(
        error.contains("P-256") && error.contains("receipt-key.pem"),
        "{error}"
    );
}
