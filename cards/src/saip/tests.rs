//! Packages decoded and encoded.

use super::*;
use std::path::PathBuf;

/// The two published TS.48 packages with their names, if the reference material is here.
pub(super) fn reference() -> Vec<(String, Vec<u8>)> {
    let named = std::env::var_os("IPAE_REFERENCE").map(PathBuf::from);
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let dir = named.unwrap_or_else(beside).join("ts48");
    let Ok(entries) = std::fs::read_dir(&dir) else {
        println!(
            "SKIPPED: TS.48 packages are not here (set IPAE_REFERENCE to their folder's parent)"
        );
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "der"))
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| (path.display().to_string(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn published_packages_come_out_as_they_went_in() {
    for (name, bytes) in reference() {
        let package = Package::decode(&bytes).unwrap();
        assert_eq!(package.elements.len(), 28, "{name}");
        assert!(
            !package
                .elements
                .iter()
                .any(|e| matches!(e, Element::Unknown(_))),
            "{name}"
        );
        assert!(package.encode().unwrap() == bytes, "{name}");
    }
}

/// Bytes of an end element, and of one that no version has yet.
const END: &str = "AA07A0058000810101";

#[test]
fn what_isn_t_known_is_kept() {
    // A header with a component more, a file element with a field more, an element of a later version.
    for text in [
        "A023 800102 810103 830A89010000000000000000 A50481008400 A606060467810F01 8F0100",
        "AA0AA005800081010199010F",
        "BF2503800101",
        "AB00",
    ] {
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        let package = Package::decode(&bytes).unwrap();
        assert_eq!(package.encode().unwrap(), bytes, "{text}");
    }
}

#[test]
fn what_isn_t_der_is_told_with_its_place() {
    let end = hex::decode(END).unwrap();
    for (text, problem) in [
        ("AA", "tag"),
        ("AA8107A0058000810101", "length"),
        ("AA02A003", "unexpected"),
        ("AA07A0058000820101", "unexpected"),
    ] {
        let mut bytes = end.clone();
        bytes.extend(hex::decode(text).unwrap());
        let error = Package::decode(&bytes).unwrap_err();
        assert_eq!(
            (error.number, error.offset),
            (2, end.len()),
            "{text}: {error}"
        );
        assert!(!error.problem.is_empty(), "{problem}");
    }
}

proptest::proptest! {
    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..200)) {
        let _ = install::install(&bytes);
    }

    /// One byte of a published package altered: it is decoded and comes out the same, or is refused with a reason.
    #[test]
    fn altered_packages_are_taken_as_they_are_or_refused(at in 0usize..12_000, value in 0u8..=255) {
        for (_, mut bytes) in reference().into_iter().take(1) {
            let at = at % bytes.len();
            bytes[at] = value;
            if let Ok(package) = Package::decode(&bytes) {
                assert!(package.encode().unwrap() == bytes, "byte {at} {value:02X}");
            }
            match install::install(&bytes) {
                Ok(installed) => assert!(!installed.response().to_bytes().is_empty()),
                Err(refused) => assert!(!refused.failed().text.is_empty()),
            }
        }
    }
}
