//! The Java Card API packages that an applet may import: one table each, for everyone.
//!
//! `applet-gen/api/*.api` says what a package has and under which tokens. The converter links
//! against it, [`stubs`] makes `javac` sources of it, the verifier checks a CAP's imports with it
//! and the virtual card binds its natives to it. Vendors' packages come as export files instead
//! and are read into the same types.

mod lookup;
mod parse;
pub mod stubs;
#[cfg(test)]
mod tests;
mod types;

use std::sync::OnceLock;

pub use lookup::{Member, find_class, find_field, find_method, interfaces_of, method_by_token};
pub use parse::{ApiError, parse};
pub use types::{ApiClass, ApiField, ApiMethod, ApiPackage, flags};

/// The tables, with the names of their files.
const TABLES: &[(&str, &str)] = &[
    ("java.lang.api", include_str!("../../api/java.lang.api")),
    (
        "javacard.framework.api",
        include_str!("../../api/javacard.framework.api"),
    ),
    (
        "javacard.security.api",
        include_str!("../../api/javacard.security.api"),
    ),
    (
        "javacardx.crypto.api",
        include_str!("../../api/javacardx.crypto.api"),
    ),
    (
        "javacardx.apdu.api",
        include_str!("../../api/javacardx.apdu.api"),
    ),
    (
        "javacardx.framework.util.api",
        include_str!("../../api/javacardx.framework.util.api"),
    ),
    (
        "javacardx.security.api",
        include_str!("../../api/javacardx.security.api"),
    ),
    ("uicc.access.api", include_str!("../../api/uicc.access.api")),
    (
        "uicc.access.fileadministration.api",
        include_str!("../../api/uicc.access.fileadministration.api"),
    ),
    ("uicc.system.api", include_str!("../../api/uicc.system.api")),
    (
        "uicc.toolkit.api",
        include_str!("../../api/uicc.toolkit.api"),
    ),
    (
        "uicc.usim.access.api",
        include_str!("../../api/uicc.usim.access.api"),
    ),
    (
        "org.globalplatform.api",
        include_str!("../../api/org.globalplatform.api"),
    ),
    ("ipae.es10.api", include_str!("../../api/ipae.es10.api")),
];

/// The packages of every table, each in all its versions, oldest first.
///
/// # Panics
/// If a table that is compiled into this crate is broken, which its tests rule out.
fn tables() -> &'static [Vec<ApiPackage>] {
    static VERSIONS: OnceLock<Vec<Vec<ApiPackage>>> = OnceLock::new();
    VERSIONS.get_or_init(|| {
        TABLES
            .iter()
            .map(|(file, text)| parse(file, text).unwrap_or_else(|error| panic!("{error}")))
            .collect()
    })
}

/// Every package of the tables, java.lang first, in its oldest version there: what an applet links to
/// that has to run on any card (Java Card 3.0.4).
pub fn packages() -> &'static [ApiPackage] {
    static OLDEST: OnceLock<Vec<ApiPackage>> = OnceLock::new();
    OLDEST.get_or_init(|| tables().iter().filter_map(|v| v.first()).cloned().collect())
}

/// Every package of the tables, java.lang first, in its newest version there.
pub fn newest() -> &'static [ApiPackage] {
    static NEWEST: OnceLock<Vec<ApiPackage>> = OnceLock::new();
    NEWEST.get_or_init(|| tables().iter().filter_map(|v| v.last()).cloned().collect())
}

/// All versions of the package with this AID, oldest first; empty if no table has it.
pub fn versions(aid: &[u8]) -> &'static [ApiPackage] {
    let found = tables()
        .iter()
        .find(|versions| versions.iter().any(|package| package.aid == aid));
    found.map_or(&[], Vec::as_slice)
}

/// The package with this AID, as [`packages`] has it.
pub fn find_by_aid(aid: &[u8]) -> Option<&'static ApiPackage> {
    packages().iter().find(|package| package.aid == aid)
}

/// The package with this name, with slashes (`javacard/framework`) or dots, as [`packages`] has it.
pub fn find_by_name(name: &str) -> Option<&'static ApiPackage> {
    let name = name.replace('.', "/");
    packages().iter().find(|package| package.name == name)
}
