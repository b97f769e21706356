//! Hierarchies: made, written, loaded, and chains with one thing wrong each.

use super::*;
use crate::euicc::Eid;
use std::path::PathBuf;

fn eid() -> Eid {
    Eid::with_check_digits("890490320010012345670000000001").unwrap()
}

#[test]
fn the_lab_hierarchy_is_reproducible_and_issues_valid_chains() {
    let a = Hierarchy::lab().unwrap();
    let b = Hierarchy::lab().unwrap();
    assert_eq!(a.ci.certificate, b.ci.certificate);
    let one = a.issue_euicc(&eid()).unwrap();
    let two = b.issue_euicc(&eid()).unwrap();
    assert_eq!(one.euicc_certificate, two.euicc_certificate);
    let certificate = Cert::from_der(&one.euicc_certificate, "eUICC").unwrap();
    // 1 January 2030.
    let found = verify_euicc_chain(
        &a.ci.certificate,
        &a.eum.certificate,
        &certificate,
        Some(1_893_456_000),
    );
    assert_eq!(found, Ok(eid()));
    assert_eq!(
        certificate.public_key().unwrap(),
        one.key.public_key().unwrap()
    );
    assert!(a.test_keys);
    assert_eq!(one.ci_key_id.len(), 20);
    let eim = a.eim.unwrap();
    assert_eq!(eim.certificate.authority_key_id(), Some(one.ci_key_id));
}

#[test]
fn chains_are_refused_with_the_reason() {
    let a = Hierarchy::lab().unwrap();
    let b = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let credential = a.issue_euicc(&eid()).unwrap();
    let euicc = Cert::from_der(&credential.euicc_certificate, "eUICC").unwrap();
    let verify = |ci: &Cert, eum: &Cert, euicc: &Cert, at| verify_euicc_chain(ci, eum, euicc, at);
    let (ci, eum) = (&a.ci.certificate, &a.eum.certificate);
    assert!(matches!(
        verify(&b.ci.certificate, eum, &euicc, None),
        Err(ChainError::KeyIdentifier {
            certificate: "EUM",
            ..
        })
    ));
    // The CI's own certificate in the EUM's place has no authority key identifier.
    assert!(matches!(
        verify(ci, ci, &euicc, None),
        Err(ChainError::KeyIdentifier { found, .. }) if found == "none"
    ));
    assert!(matches!(
        verify(ci, eum, eum, None),
        Err(ChainError::Issuer { .. })
    ));
    assert!(matches!(
        verify(ci, eum, &euicc, Some(0)),
        Err(ChainError::Expired {
            certificate: "CI",
            ..
        })
    ));
    // One bit of the signature, then one of the subject.
    let mut altered = credential.euicc_certificate.clone();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    let altered = Cert::from_der(&altered, "eUICC").unwrap();
    assert_eq!(
        verify(ci, eum, &altered, None),
        Err(ChainError::Signature {
            certificate: "eUICC",
            issuer: "EUM"
        })
    );
    assert!(Cert::from_der(&credential.euicc_certificate[1..], "eUICC").is_err());
}

#[test]
fn the_eum_certifies_its_own_eids_only() {
    let lab = Hierarchy::lab().unwrap();
    let foreign = Eid::with_check_digits("890330230010012345670000000001").unwrap();
    assert!(matches!(
        lab.issue_euicc(&foreign),
        Err(PkiError::EidNotPermitted { prefix, .. }) if prefix == "89049032"
    ));
    // The same EID certified by a hierarchy without that limit doesn't pass under this EUM's name.
    let options = HierarchyOptions {
        eid_prefix: "89033023".into(),
        ..HierarchyOptions::default()
    };
    let other = Hierarchy::from_seed(b"ipae lab", &options).unwrap();
    let credential = other.issue_euicc(&foreign).unwrap();
    let certificate = Cert::from_der(&credential.euicc_certificate, "eUICC").unwrap();
    assert!(matches!(
        verify_euicc_chain(
            &lab.ci.certificate,
            &lab.eum.certificate,
            &certificate,
            None
        ),
        Err(ChainError::NameConstraints { .. })
    ));
}

#[test]
fn a_directory_written_is_loaded_alike() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pki");
    let made = Hierarchy::init(&path, b"seed", &HierarchyOptions::default()).unwrap();
    let loaded = Hierarchy::load(&path).unwrap();
    assert_eq!(made.ci.certificate, loaded.ci.certificate);
    assert!(loaded.test_keys);
    assert_eq!(
        made.issue_euicc(&eid()).unwrap().euicc_certificate,
        loaded.issue_euicc(&eid()).unwrap().euicc_certificate
    );
    assert_eq!(
        made.eim.unwrap().fqdn,
        loaded.eim.as_ref().map(|e| e.fqdn.clone()).unwrap()
    );
    // Nothing is overwritten.
    assert!(matches!(
        Hierarchy::init(&path, b"seed", &HierarchyOptions::default()),
        Err(PkiError::File { .. })
    ));
    // A key that isn't the certificate's.
    let other = SecretKey::derive(b"x", "y").unwrap().to_pem().unwrap();
    std::fs::write(path.join("SK_EUM_ECDSA_NIST.pem"), other.as_bytes()).unwrap();
    assert!(matches!(
        Hierarchy::load(&path),
        Err(PkiError::KeyMismatch("EUM"))
    ));
    // Without the keys it still loads, but issues nothing.
    std::fs::remove_file(path.join("SK_EUM_ECDSA_NIST.pem")).unwrap();
    assert!(matches!(
        Hierarchy::load(&path).unwrap().issue_euicc(&eid()),
        Err(PkiError::NoSecretKey("EUM"))
    ));
    let missing = Hierarchy::load(&dir.path().join("nowhere"));
    assert!(matches!(missing, Err(PkiError::File { .. })));
}

/// Where the reference material is, if it is there.
fn reference() -> Option<PathBuf> {
    let named = std::env::var_os("IPAE_REFERENCE").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let dir = named.unwrap_or_else(beside).join("sgp26");
    dir.is_dir().then_some(dir)
}

#[test]
fn sgp26_test_material_issues_an_euicc_certificate() {
    let Some(dir) = reference() else {
        println!("SKIPPED: SGP.26 test material is not here (set IPAE_REFERENCE to its parent)");
        return;
    };
    let hierarchy = Hierarchy::load(&dir).unwrap();
    assert_eq!(
        hex::encode(hierarchy.ci_key_id()),
        "f54172bdf98a95d65cbeb88a38a1c11d800a85c3"
    );
    let credential = hierarchy.issue_euicc(&eid()).unwrap();
    let euicc = Cert::from_der(&credential.euicc_certificate, "eUICC").unwrap();
    assert_eq!(
        verify_euicc_chain(
            &hierarchy.ci.certificate,
            &hierarchy.eum.certificate,
            &euicc,
            Some(1_893_456_000)
        ),
        Ok(eid())
    );
    assert!(hierarchy.test_keys);
    let eim = hierarchy.issue_eim("eim.lab.example").unwrap();
    assert_eq!(
        eim.certificate.authority_key_id(),
        Some(hierarchy.ci_key_id())
    );
}
