//! CAP files of other converters, where a folder of them is at hand (`$IPAE_CAPS`).

use std::io::Write;
use std::path::PathBuf;

use super::decode::decode_all;
use super::{Cap, ComponentTag};

fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let Some(folder) = std::env::var_os("IPAE_CAPS") else {
        // Past the test harness, which would hide it.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED CAP files of other converters: set IPAE_CAPS to a folder of them"
        );
        return Vec::new();
    };
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ext| ext == "cap"))
        .collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn they_are_read_and_written_back_byte_for_byte() {
    for (path, bytes) in files() {
        let name = path.display();
        let cap = Cap::from_jar(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut archive = zip::ZipArchive::new(std::io::Cursor::new(&bytes)).unwrap();
        for index in 0..archive.len() {
            let mut entry = archive.by_index(index).unwrap();
            let entry_name = entry.name().unwrap().into_owned();
            let tag = ComponentTag::ALL
                .into_iter()
                .find(|tag| entry_name.ends_with(&format!("/javacard/{}", tag.file_name())));
            let Some(tag) = tag else { continue };
            let mut content = Vec::new();
            std::io::Read::read_to_end(&mut entry, &mut content).unwrap();
            let written = cap.component(tag).unwrap();
            assert!(written == Some(content), "{name}: {tag}");
        }
        let mut computed = cap.clone();
        computed.directory = cap.compute_directory().unwrap();
        // The other converters leave the twelfth size zero or true.
        assert_eq!(
            computed.directory.sizes[..11],
            cap.directory.sizes[..11],
            "{name}"
        );
        assert_eq!(
            Cap::from_jar(&cap.to_jar().unwrap()).unwrap(),
            cap,
            "{name}"
        );
        for method in cap.methods().unwrap() {
            let read = decode_all(&method.code);
            read.unwrap_or_else(|error| panic!("{name}: method {:#06x}: {error}", method.offset));
        }
    }
}

#[test]
fn they_pass_verification_but_for_packages_that_are_newer_here() {
    for (path, bytes) in files() {
        let cap = Cap::from_jar(&bytes).unwrap();
        let verdict = super::verify::verify(&cap, crate::api::packages());
        let findings: Vec<String> = verdict
            .findings
            .iter()
            .filter(|finding| finding.component != ComponentTag::Import)
            .map(ToString::to_string)
            .collect();
        assert!(findings.is_empty(), "{}: {findings:#?}", path.display());
        let listing = super::disasm::disassemble(&cap, crate::api::packages());
        assert!(!listing.contains(".bytes"), "{}", path.display());
        println!(
            "{}",
            super::info::info(&cap, crate::api::packages()).unwrap()
        );
    }
}
