//! The shape that every table of one-byte codes has.

/// Defines a code as a newtype over its byte, with one constant per row of the table. Codes that
/// the table does not know stay representable: a card or terminal may send any byte.
macro_rules! codes {
    ($(#[$doc:meta])* $name:ident($int:ty) { $($(#[$cfg:meta])* $konst:ident = $value:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub $int);

        impl $name {
            $($(#[$cfg])* #[doc = concat!("`", stringify!($value), "`: ", $text, ".")]
            pub const $konst: $name = $name($value);)*

            /// Every row of the table: value, constant's name, text of the specification.
            pub const TABLE: &'static [($name, &'static str, &'static str)] =
                &[$(($name($value), stringify!($konst), $text)),*];

            /// The name that the specification gives this code, if it gives one.
            pub fn name(self) -> Option<&'static str> {
                Self::TABLE.iter().find(|row| row.0 == self).map(|row| row.2)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match self.name() {
                    Some(name) => f.write_str(name),
                    None => write!(f, concat!(stringify!($name), " {:02X}"), self.0),
                }
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({:02X}, {})"), self.0, self.name().unwrap_or("unknown"))
            }
        }
    };
}
pub(super) use codes;

#[cfg(test)]
mod tests {
    use crate::cat::*;

    macro_rules! each_once {
        ($($name:ident)*) => {$(
            for (i, a) in $name::TABLE.iter().enumerate() {
                for b in &$name::TABLE[i + 1..] {
                    assert!(a.0 != b.0 && a.1 != b.1, "{:?} stands twice", a.0);
                }
            }
        )*};
    }

    #[test]
    fn each_code_stands_once() {
        each_once!(Tag Ber CommandType Device Event GeneralResult BipError TerminalProblem Bearer Transport);
    }

    #[test]
    fn unknown_codes_are_shown_as_numbers() {
        assert_eq!(CommandType(0xEE).to_string(), "CommandType EE");
        assert_eq!(CommandType::OPEN_CHANNEL.to_string(), "OPEN CHANNEL");
    }
}
