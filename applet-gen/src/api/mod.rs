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
    ("uicc.access.api", include_str!("../../api/uicc.access.api")),
    ("uicc.system.api", include_str!("../../api/uicc.system.api")),
    (
        "uicc.toolkit.api",
        include_str!("../../api/uicc.toolkit.api"),
    ),
    (
        "org.globalplatform.api",
        include_str!("../../api/org.globalplatform.api"),
    ),
    ("ipae.es10.api", include_str!("../../api/ipae.es10.api")),
];

/// Every package of the tables, java.lang first.
///
/// # Panics
/// If a table that is compiled into this crate is broken, which its tests rule out.
pub fn packages() -> &'static [ApiPackage] {
    static PACKAGES: OnceLock<Vec<ApiPackage>> = OnceLock::new();
    PACKAGES.get_or_init(|| {
        TABLES
            .iter()
            .map(|(file, text)| parse(file, text).unwrap_or_else(|error| panic!("{error}")))
            .collect()
    })
}

/// The package with this AID.
pub fn find_by_aid(aid: &[u8]) -> Option<&'static ApiPackage> {
    packages().iter().find(|package| package.aid == aid)
}

/// The package with this name, with slashes (`javacard/framework`) or dots.
pub fn find_by_name(name: &str) -> Option<&'static ApiPackage> {
    let name = name.replace('.', "/");
    packages().iter().find(|package| package.name == name)
}
