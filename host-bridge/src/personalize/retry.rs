//! Which failed cards are tried again, by the class of their error: the one table of it.

use crate::exit::{self, Exit};

/// What happens to a card that failed, when it is seen again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Retry {
    /// It is tried again.
    WhenSeen,
    /// It stays aside until the operator says `--retry-failed`.
    SetAside,
    /// It stays aside until the operator says `--retry-authentication`: each try counts on the card.
    Authentication,
}

/// The error classes that aren't [`Retry::SetAside`], with the reason.
pub const RETRY: &[(Exit, Retry, &str)] = &[
    (
        exit::CARD_REMOVED,
        Retry::WhenSeen,
        "nothing is wrong with the card",
    ),
    (
        exit::NO_CARD,
        Retry::WhenSeen,
        "it may have been put in badly",
    ),
    (exit::LINK, Retry::WhenSeen, "reader or contacts"),
    (
        exit::READER_BUSY,
        Retry::WhenSeen,
        "the card was not reached",
    ),
    (exit::NO_READER, Retry::WhenSeen, "the card was not reached"),
    (
        exit::NO_SERVICE,
        Retry::WhenSeen,
        "the card was not reached",
    ),
    (
        exit::INTERRUPTED,
        Retry::WhenSeen,
        "it was left at a step's boundary",
    ),
    (exit::HSM, Retry::WhenSeen, "the card was left alone"),
    (
        exit::QUEUE,
        Retry::WhenSeen,
        "nothing is wrong with the card",
    ),
    (
        exit::ATTEMPTS,
        Retry::Authentication,
        "a try of the card was spent before",
    ),
    (
        exit::NOT_AUTHENTICATED,
        Retry::Authentication,
        "each try counts on the card, and the last one locks it",
    ),
];

/// What happens to a card whose last error has this exit code.
pub fn retry(code: u8) -> Retry {
    let found = RETRY.iter().find(|(exit, _, _)| exit.code == code);
    found.map_or(Retry::SetAside, |(_, retry, _)| *retry)
}

/// The exit codes of errors after which a card stays aside, as the operator said.
pub(super) fn set_aside(retry_failed: bool, retry_authentication: bool) -> Vec<u8> {
    let aside = |code: u8| match retry(code) {
        Retry::WhenSeen => false,
        Retry::SetAside => !retry_failed,
        Retry::Authentication => !retry_authentication,
    };
    let codes = exit::TABLE.iter().map(|row| row.code);
    codes.filter(|code| aside(*code)).collect()
}

/// The table as `--help` shows it.
pub fn retry_help() -> String {
    let mut text =
        String::from("A card that failed and is seen again, by the class of its error:\n");
    for (exit, retry, why) in RETRY {
        let what = match retry {
            Retry::WhenSeen => "is tried again",
            Retry::SetAside => "stays aside until --retry-failed",
            Retry::Authentication => "stays aside until --retry-authentication",
        };
        text.push_str(&format!(
            "  {:>3}  {:<18} {what}: {why}\n",
            exit.code, exit.name
        ));
    }
    text.push_str("  all others              stays aside until --retry-failed\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nobodys_fault_is_tried_again_and_wrong_keys_never() {
        let aside = set_aside(false, false);
        assert!(!aside.contains(&exit::CARD_REMOVED.code));
        for exit in [exit::WRONG_KEYS, exit::NOT_AUTHENTICATED, exit::VERIFY] {
            assert!(aside.contains(&exit.code), "{}", exit.name);
        }
        // The operator's word for the one isn't his word for the other.
        let aside = set_aside(true, false);
        assert_eq!(aside, [exit::NOT_AUTHENTICATED.code, exit::ATTEMPTS.code]);
        assert!(!set_aside(false, true).contains(&exit::NOT_AUTHENTICATED.code));
    }
}
