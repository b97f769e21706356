//! Export files (JCVM chapter 5): what a package offers, as a vendor's `.exp` says it.
//!
//! [`read`] takes formats 2.1 to 2.3, [`write()`] makes 2.1, which every converter reads, and
//! [`write_format`] the others; [`compare`] tells if a newer version fits those who import an older
//! one. All speak [`crate::api::ApiPackage`], so an import is the same whether it comes from a table of
//! this crate or from a vendor. An export file lists inherited members in every class; reading
//! keeps them, since it cannot know which of them the class overrides.

mod compare;
mod read;
mod write;

pub use compare::{Comparison, compare};
pub use read::read;
pub use write::{Format, write, write_format};

const MAGIC: u32 = 0x00FA_CADE;
const TAG_UTF8: u8 = 1;
const TAG_INTEGER: u8 = 3;
const TAG_CLASS: u8 = 7;
const TAG_PACKAGE: u8 = 13;
/// `CONSTANT_Package` flag of a library, a package without applets.
const ACC_LIBRARY: u8 = 0x01;
/// Token of a field that is a compile-time constant.
const NO_TOKEN: u8 = 0xFF;

/// Why bytes are no export file, or a package fits in none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExpError {
    /// The bytes end inside an item.
    #[error("export file ends at offset {offset}: {what} expected (JCVM 5)")]
    Truncated {
        /// Where the item starts.
        offset: usize,
        /// The item.
        what: &'static str,
    },
    /// An item has a value that it cannot have.
    #[error("export file offset {offset}: {what} is {found}, expected {expected} (JCVM 5)")]
    Invalid {
        /// Offset after the item.
        offset: usize,
        /// The item.
        what: &'static str,
        /// What stands there.
        found: String,
        /// What would be right.
        expected: &'static str,
    },
    /// A format that is not known.
    #[error("export file format {major}.{minor} is not supported: 2.1 to 2.3 are (JCVM 5.5)")]
    Format {
        /// Major version.
        major: u8,
        /// Minor version.
        minor: u8,
    },
    /// More of something than a count can say.
    #[error("{what}: {value}, and an export file holds {limit} at most (JCVM 5)")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How much.
        value: usize,
        /// How much may be.
        limit: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{self, ApiPackage};
    use proptest::prelude::*;

    /// A package as an export file gives it back: with inherited members, whose classes are the
    /// ones above, and with all interfaces.
    fn same_offer(before: &ApiPackage, after: &ApiPackage) {
        assert_eq!(
            (&before.name, &before.aid, before.major, before.minor),
            (&after.name, &after.aid, after.major, after.minor)
        );
        assert_eq!(before.classes.len(), after.classes.len());
        for (old, new) in before.classes.iter().zip(&after.classes) {
            assert_eq!(
                (&old.name, old.token, old.flags),
                (&new.name, new.token, new.flags)
            );
            assert_eq!(old.super_name, new.super_name, "{}", old.name);
            assert_eq!(old.fields, new.fields, "{}", old.name);
            for method in &old.methods {
                let found = new.methods.iter().any(|other| {
                    (&other.name, &other.descriptor, other.token, other.flags)
                        == (&method.name, &method.descriptor, method.token, method.flags)
                });
                assert!(found, "{}.{}", old.name, method.name);
            }
            for interface in &old.interfaces {
                assert!(new.interfaces.contains(interface));
            }
        }
    }

    #[test]
    fn every_table_survives_as_an_export_file() {
        for package in api::packages() {
            let bytes = write(package, api::packages()).unwrap();
            let back = read(&bytes).unwrap();
            same_offer(package, &back);
            // What was read is complete in itself.
            let again = write(&back, api::packages()).unwrap();
            same_offer(&back, &read(&again).unwrap());
        }
    }

    #[test]
    fn virtual_tokens_of_a_class_are_complete() {
        let framework = api::find_by_name("javacard.framework").unwrap();
        let back = read(&write(framework, api::packages()).unwrap()).unwrap();
        let iso = back.class_named("javacard/framework/ISOException").unwrap();
        let mut tokens: Vec<u8> = (iso.methods.iter())
            .filter(|method| !method.is_static_token())
            .map(|method| method.token)
            .collect();
        tokens.sort_unstable();
        assert_eq!(tokens, [0, 1, 2], "equals, getReason, setReason");
    }

    #[test]
    fn says_what_is_wrong() {
        assert!(matches!(
            read(&[0, 0xFA]),
            Err(ExpError::Truncated { offset: 0, .. })
        ));
        let mut bytes = write(&api::packages()[0], api::packages()).unwrap();
        bytes[4] = 4;
        assert_eq!(read(&bytes), Err(ExpError::Format { major: 2, minor: 4 }));
        bytes[4] = 1;
        bytes.push(0);
        assert!(matches!(
            read(&bytes),
            Err(ExpError::Invalid {
                what: "the file",
                ..
            })
        ));
    }

    #[test]
    fn every_format_says_the_same() {
        for package in api::packages() {
            for (format, minor) in [(Format::V2_1, 1), (Format::V2_2, 2), (Format::V2_3, 3)] {
                let bytes = write_format(package, api::packages(), format).unwrap();
                assert_eq!(bytes[4], minor);
                same_offer(package, &read(&bytes).unwrap());
            }
        }
    }

    #[test]
    fn format_2_3_counts_virtual_methods() {
        let es10 = api::find_by_name("ipae.es10").unwrap();
        let old = write(es10, api::packages()).unwrap();
        let new = write_format(es10, api::packages(), Format::V2_3).unwrap();
        // An interface has no virtual methods; two packages are referred to.
        assert_eq!(new.last(), Some(&0));
        assert!(new.len() > old.len() + 1);
        let framework = api::find_by_name("javacard.framework").unwrap();
        let bytes = write_format(framework, api::packages(), Format::V2_3).unwrap();
        assert!(bytes.len() > write(framework, api::packages()).unwrap().len());
        let aid = framework.class_named("javacard/framework/AID").unwrap();
        assert_eq!(write::virtual_methods(api::packages(), aid), Ok(6));
    }

    proptest! {
        #[test]
        fn garbage_never_panics(
            at in 0usize..400, value in any::<u8>(), cut in 0usize..4000,
        ) {
            let mut bytes = write(&api::packages()[1], api::packages()).unwrap();
            if let Some(byte) = bytes.get_mut(at) {
                *byte = value;
            }
            bytes.truncate(cut.max(10));
            let _ = read(&bytes);
        }
    }
}
