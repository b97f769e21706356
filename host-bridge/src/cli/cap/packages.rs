//! Packages that a command line names: export files, and `NAME=AID` options.

use crate::cli::failure::{Failure, OrExit};
use applet_gen::api::ApiPackage;
use applet_gen::collect::collect;
use applet_gen::exp;
use host_bridge::exit;
use std::path::PathBuf;

/// The packages of export files; `paths` are files, folders or JAR archives of them.
pub fn exports(paths: &[PathBuf]) -> Result<Vec<ApiPackage>, Failure> {
    let mut packages = Vec::new();
    for (name, bytes) in collect(paths, "exp").or_exit(exit::CAP)? {
        let package = exp::read(&bytes).map_err(|error| {
            Failure::new(exit::CAP, format!("{name}: {error}"))
                .next("give export files as their package's converter wrote them")
        })?;
        packages.push(package);
    }
    Ok(packages)
}

/// `NAME=AID` or, for a package, `NAME=AID@MAJOR.MINOR`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The package or class, with slashes.
    pub name: String,
    /// Its AID.
    pub aid: Vec<u8>,
    /// Its version; 1.0 if none is given.
    pub version: (u8, u8),
}

impl std::str::FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = "expected NAME=AID, as com.eum.es10=F04950416545, for packages with @1.0 \
                        for their version";
        let (name, rest) = text.split_once('=').ok_or(expected)?;
        let (aid, version) = rest.split_once('@').unwrap_or((rest, "1.0"));
        let bytes = hex::decode(aid.replace([':', ' '], "").replace("0x", ""))
            .map_err(|_| format!("{aid:?} is no AID in hexadecimal: {expected}"))?;
        let number = |part: Option<&str>| part.and_then(|part| part.parse::<u8>().ok());
        let mut parts = version.splitn(2, '.');
        match (number(parts.next()), number(parts.next())) {
            (Some(major), Some(minor)) if !name.is_empty() => Ok(Named {
                name: name.replace('.', "/"),
                aid: bytes,
                version: (major, minor),
            }),
            _ => Err(format!(
                "{version:?} is no version from 0.0 to 255.255: {expected}"
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_with_aids() {
        let named: Named = "com.eum.es10=F049504165@1.2".parse().unwrap();
        assert_eq!(named.name, "com/eum/es10");
        assert_eq!((named.aid.len(), named.version), (5, (1, 2)));
        assert_eq!(
            "p=0xF0:0x49:0x50:0x41:0x65"
                .parse::<Named>()
                .unwrap()
                .aid
                .len(),
            5
        );
        for wrong in ["p", "p=XY", "=F0", "p=F0@1", "p=F0@1.x", "p=F0@300.1"] {
            assert!(wrong.parse::<Named>().is_err(), "{wrong}");
        }
    }
}
