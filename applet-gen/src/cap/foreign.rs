//! CAP files of other converters, where a folder of them is at hand (`$IPAE_CAPS`).

use std::io::Write;
use std::path::{Path, PathBuf};

use super::decode::decode_all;
use super::{Cap, ComponentTag, Debug};
use crate::api::ApiPackage;

/// Every file below `folder` whose name ends so, in order.
fn below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ext| ext == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn files() -> Vec<(PathBuf, Vec<u8>)> {
    let Some(folder) = std::env::var_os("IPAE_CAPS") else {
        // Past the test harness, which would hide it.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED CAP files of other converters: set IPAE_CAPS to a folder of them"
        );
        return Vec::new();
    };
    below(Path::new(&folder), "cap")
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// The packages of this crate's tables, and those of export files, the nearer to `cap` the rather.
fn known_packages(cap: &Path, exports: &[(PathBuf, ApiPackage)]) -> Vec<ApiPackage> {
    let common = |path: &Path| {
        let pairs = path.components().zip(cap.components());
        pairs.take_while(|(one, other)| one == other).count()
    };
    let mut nearest: Vec<&(PathBuf, ApiPackage)> = exports.iter().collect();
    nearest.sort_by_key(|(path, _)| std::cmp::Reverse(common(path)));
    let mut packages = crate::api::packages().to_vec();
    for (_, package) in nearest {
        if packages.iter().all(|known| known.aid != package.aid) {
            packages.push(package.clone());
        }
    }
    packages
}

fn exports() -> Vec<(PathBuf, ApiPackage)> {
    let Some(folder) = std::env::var_os("IPAE_CAPS") else {
        return Vec::new();
    };
    below(Path::new(&folder), "exp")
        .into_iter()
        .map(|path| {
            let package = crate::exp::read(&std::fs::read(&path).unwrap());
            let package = package.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (path, package)
        })
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
        if let Some(debug) = cap
            .debug_info()
            .unwrap_or_else(|error| panic!("{name}: {error}"))
        {
            let again = Debug::read(&debug.write().unwrap()).unwrap();
            assert_eq!(again, debug, "{name}");
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
fn they_pass_verification_but_for_packages_that_are_not_at_hand() {
    let exports = exports();
    let mut wrong = Vec::new();
    for (path, bytes) in files() {
        let cap = Cap::from_jar(&bytes).unwrap();
        let packages = known_packages(&path, &exports);
        let verdict = super::verify::verify(&cap, &packages);
        let findings: Vec<String> = verdict.findings.iter().map(ToString::to_string).collect();
        println!("{}: {findings:#?}", path.display());
        let missing = (verdict.findings.iter()).any(|one| one.component == ComponentTag::Import);
        if !(verdict.is_verified() || missing) {
            wrong.push(format!("{}: {findings:#?}", path.display()));
        }
        let listing = super::disasm::disassemble(&cap, &packages);
        assert!(!listing.contains(".bytes"), "{}", path.display());
        println!("{}", super::info::info(&cap, &packages).unwrap());
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
