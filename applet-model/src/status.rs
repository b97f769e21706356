//! Status words (ISO/IEC 7816-4 5.6, ETSI TS 102 221 10.2.1, GlobalPlatform Card Specification 11).
//!
//! The one table of status words: constants, names and meanings all come from it.

use core::fmt;

/// A status word SW1-SW2 as a card sends it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Sw(pub u16);

macro_rules! status_words {
    ($($(#[$doc:meta])* $name:ident = $value:literal, $meaning:literal;)*) => {
        impl Sw {
            $($(#[$doc])* #[doc = concat!("`", stringify!($value), "`: ", $meaning, ".")]
            pub const $name: Sw = Sw($value);)*

            /// Every named status word: value, name, meaning.
            pub const TABLE: &'static [(Sw, &'static str, &'static str)] =
                &[$((Sw($value), stringify!($name), $meaning)),*];
        }
    };
}

status_words! {
    OK = 0x9000, "normal ending";
    WARNING_NO_INFORMATION = 0x6200, "warning, state unchanged";
    SEARCH_UNSUCCESSFUL = 0x6282, "end of file reached, or unsuccessful search";
    WARNING_INVALIDATED = 0x6283, "selected file invalidated";
    WARNING_TERMINATED = 0x6285, "selected file in termination state";
    AUTHENTICATION_FAILED = 0x6300, "authentication of the host cryptogram failed";
    MORE_DATA_AVAILABLE = 0x6310, "more data available";
    EXECUTION_ERROR = 0x6400, "execution error, state unchanged";
    MEMORY_FAILURE = 0x6581, "memory failure";
    WRONG_LENGTH = 0x6700, "wrong length";
    CHANNEL_NOT_SUPPORTED = 0x6881, "logical channel not supported or not open";
    SECURE_MESSAGING_NOT_SUPPORTED = 0x6882, "secure messaging not supported";
    INCOMPATIBLE_WITH_FILE = 0x6981, "command incompatible with file structure";
    SECURITY_NOT_SATISFIED = 0x6982, "security status not satisfied";
    AUTHENTICATION_BLOCKED = 0x6983, "authentication method blocked";
    REFERENCED_DATA_INVALIDATED = 0x6984, "referenced data invalidated";
    CONDITIONS_NOT_SATISFIED = 0x6985, "conditions of use not satisfied";
    COMMAND_NOT_ALLOWED = 0x6986, "command not allowed, no elementary file selected";
    SM_INCORRECT = 0x6988, "secure messaging data objects incorrect";
    SELECT_FAILED = 0x6999, "applet selection failed";
    WRONG_DATA = 0x6A80, "incorrect values in the command data";
    FUNCTION_NOT_SUPPORTED = 0x6A81, "function not supported, or card life cycle state is CARD_LOCKED";
    NOT_FOUND = 0x6A82, "file, application or referenced data not found";
    RECORD_NOT_FOUND = 0x6A83, "record not found";
    NOT_ENOUGH_MEMORY = 0x6A84, "not enough memory space";
    INCORRECT_P1_P2 = 0x6A86, "incorrect parameters P1-P2";
    LC_INCONSISTENT = 0x6A87, "Lc inconsistent with P1-P2";
    REFERENCED_DATA_NOT_FOUND = 0x6A88, "referenced data not found";
    FILE_EXISTS = 0x6A89, "application or file exists already";
    DF_NAME_EXISTS = 0x6A8A, "DF name exists already";
    WRONG_P1_P2 = 0x6B00, "wrong parameters P1-P2";
    INS_NOT_SUPPORTED = 0x6D00, "instruction code not supported";
    CLA_NOT_SUPPORTED = 0x6E00, "class not supported";
    UNKNOWN = 0x6F00, "no precise diagnosis";
    TOOLKIT_BUSY = 0x9300, "SIM application toolkit is busy, command cannot be executed at present";
    INCREASE_MAXIMUM = 0x9850, "INCREASE cannot be performed, maximum value reached";
    AUTHENTICATION_MAC = 0x9862, "authentication error, incorrect MAC";
    SECURITY_CONTEXT = 0x9864, "authentication error, security context not supported";
    ALGORITHM_NOT_SUPPORTED = 0x9484, "algorithm not supported";
    INVALID_KEY_CHECK_VALUE = 0x9485, "invalid key check value";
}

impl Sw {
    /// `61xx`: `n` response bytes wait for GET RESPONSE (256 and more are coded 00).
    pub fn bytes_remaining(n: usize) -> Sw {
        Sw(0x6100 | if n > 255 { 0 } else { n as u16 })
    }

    /// `91xx`: normal ending, a proactive command of `n` bytes waits for FETCH (ETSI TS 102 221 7.4.2.1).
    pub fn proactive_pending(n: usize) -> Sw {
        Sw(0x9100 | if n > 255 { 0 } else { n as u16 })
    }

    /// `6Cxx`: wrong Le, `n` bytes are available.
    pub fn wrong_le(n: usize) -> Sw {
        Sw(0x6C00 | if n > 255 { 0 } else { n as u16 })
    }

    /// The first byte, SW1.
    pub fn sw1(self) -> u8 {
        (self.0 >> 8) as u8
    }

    /// The second byte, SW2.
    pub fn sw2(self) -> u8 {
        self.0 as u8
    }

    /// True for 9000, 91xx (a proactive command waits) and 61xx (response data waits).
    pub fn is_ok(self) -> bool {
        self.0 == 0x9000 || matches!(self.sw1(), 0x91 | 0x61)
    }

    /// The name in [`Sw::TABLE`], for example `CONDITIONS_NOT_SATISFIED`.
    pub fn name(self) -> Option<&'static str> {
        Self::TABLE
            .iter()
            .find(|row| row.0 == self)
            .map(|row| row.1)
    }

    /// What the status word says, in words.
    pub fn meaning(self) -> String {
        if let Some(row) = Self::TABLE.iter().find(|row| row.0 == self) {
            return row.2.to_owned();
        }
        let n = if self.sw2() == 0 {
            256
        } else {
            usize::from(self.sw2())
        };
        match self.sw1() {
            0x61 => format!("{n} response bytes available"),
            0x6C => format!("wrong Le, {n} bytes available"),
            0x91 => format!("normal ending, a proactive command of {n} bytes waits"),
            0x63 if self.sw2() & 0xF0 == 0xC0 => {
                format!("verification failed, {} tries left", self.sw2() & 0x0F)
            }
            _ => "not a status word known to this tool".to_owned(),
        }
    }
}

impl fmt::Display for Sw {
    /// `6985 (conditions of use not satisfied)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X} ({})", self.0, self.meaning())
    }
}

impl fmt::Debug for Sw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sw({:04X})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn table_has_each_value_once() {
        for (i, a) in Sw::TABLE.iter().enumerate() {
            for b in &Sw::TABLE[i + 1..] {
                assert!(a.0 != b.0 && a.1 != b.1, "{a:?} stands twice");
            }
        }
    }

    #[test]
    fn families_are_read_by_their_first_byte() {
        assert_eq!(
            Sw(0x910B).to_string(),
            "910B (normal ending, a proactive command of 11 bytes waits)"
        );
        assert_eq!(Sw(0x63C2).meaning(), "verification failed, 2 tries left");
        assert!(Sw::bytes_remaining(300).is_ok());
        assert_eq!(Sw::bytes_remaining(256), Sw(0x6100));
    }
}
