//! What can be wrong with the bytes of a CAP file.

use super::ComponentTag;

/// Why bytes are no CAP file: which component, where in it, what was expected, what came.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CapError {
    /// A component's content is not as JCVM chapter 6 has it. `offset` counts from the start of
    /// the component's info (the byte after tag and size).
    #[error("{component} component at offset {offset:#06x}: expected {expected}, found {found}")]
    Malformed {
        /// The component.
        component: ComponentTag,
        /// Offset in the component's info, in bytes.
        offset: usize,
        /// What had to stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A component that every such CAP has is not there.
    #[error("{0} component is missing")]
    Missing(ComponentTag),
    /// A component came twice.
    #[error("{0} component comes twice")]
    Twice(ComponentTag),
    /// A CAP format other than 2.1 and 2.2.
    #[error(
        "CAP format {major}.{minor} is not supported: formats 2.1 and 2.2 (Java Card 2.1 to 3.0.5) are"
    )]
    Format {
        /// Major version as in the header.
        major: u8,
        /// Minor version as in the header.
        minor: u8,
    },
    /// The archive is not readable, or holds no CAP.
    #[error("CAP archive: {0}")]
    Jar(String),
    /// The load file's sequence of components is broken. `offset` counts from its first byte.
    #[error("load file at offset {offset:#06x}: expected {expected}, found {found}")]
    LoadFile {
        /// Offset in the load file, in bytes.
        offset: usize,
        /// What had to stand there.
        expected: String,
        /// What stands there.
        found: String,
    },
    /// A component would be larger than its two-byte size allows, or a count than its field.
    #[error("{component} component: {what} is {value}, and {limit} is the most a CAP can hold")]
    TooLarge {
        /// The component.
        component: ComponentTag,
        /// The count or size.
        what: &'static str,
        /// Its value.
        value: usize,
        /// Its limit.
        limit: usize,
    },
}
