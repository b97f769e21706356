//! Exit codes of the `ipae` binary: the one table of them.
//!
//! Scripts and production lines act on these; a code never changes its meaning. Errors of the
//! library say which one is theirs through [`ExitCode`].

/// A row of [`TABLE`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Exit {
    /// The process's exit code.
    pub code: u8,
    /// Name in reports and JSON.
    pub name: &'static str,
    /// What happened.
    pub meaning: &'static str,
}

/// An error that knows its exit code.
pub trait ExitCode {
    /// The row of [`TABLE`] for this error.
    fn exit(&self) -> Exit;
}

/// The row of a code.
pub fn find(code: u8) -> Option<Exit> {
    TABLE.iter().find(|row| row.code == code).copied()
}

macro_rules! exits {
    ($($name:ident = $code:literal, $text:literal, $meaning:literal;)*) => {
        $(#[doc = concat!("`", stringify!($code), "`: ", $meaning, ".")]
        pub const $name: Exit = Exit { code: $code, name: $text, meaning: $meaning };)*

        /// Every exit code.
        pub const TABLE: &[Exit] = &[$($name),*];
    };
}

exits! {
    OK = 0, "ok", "everything that was asked for was done";
    FAILED = 1, "failed", "an error without a code of its own";
    USAGE = 2, "usage", "the command line is wrong";

    ORDER = 10, "order", "the order file has errors; no card was touched";
    DEFINITION = 11, "definition", "the card definition can't be read or fails a check";
    CAP = 12, "cap", "the CAP file is cut, altered or not valid";
    KEYS = 13, "keys", "a key set is missing or a key has the wrong length";
    TEST_KEYS = 14, "test-keys", "public test keys were refused on a production card";
    SCRIPT = 15, "script", "the load script is altered or of another version";
    BUILD = 16, "build", "the applet can't be built: javac is missing or refuses the sources";
    HSM = 17, "hsm", "the HSM or its session failed or was lost; the card was left alone";
    PROFILE = 18, "profile", "the profile package or its description is not valid";
    PARAMETERS = 19, "parameters", "install parameters that a card refuses, or no parameters at all";

    NO_SERVICE = 20, "no-pcsc-service", "the PC/SC service is not running";
    NO_READER = 21, "no-reader", "no reader, or none with the name given";
    READER_BUSY = 22, "reader-busy", "another process has the reader";
    NO_CARD = 23, "no-card", "the reader has no card in it, or a mute one";
    CARD_REMOVED = 24, "card-removed", "the card was removed or lost power";
    LINK = 25, "link", "the connection to the card failed";
    CONTACTLESS = 26, "contactless", "the reader is contactless: toolkit and personalization need contacts";

    WRONG_CARD = 30, "wrong-card", "the card is not the one that the order expects";
    WRONG_KEYS = 31, "wrong-keys", "the card's cryptogram does not fit the key set; no try was used up";
    NOT_AUTHENTICATED = 32, "not-authenticated", "the card refused the authentication";
    MEMORY = 33, "memory", "the card has too little memory";
    IMPORTS = 34, "imports", "the card lacks a package or version that the applet imports";
    CARD_REFUSED = 35, "card-refused", "the card answered a command with an error";
    VERIFY = 36, "verify", "what was read back is not what was written";
    ATTEMPTS = 37, "attempts-spent", "a try of the card was spent before; one more takes the operator's word";

    JOURNAL = 40, "journal", "the journal belongs to another order or can't be used";
    LOCKED = 41, "locked", "another process is at work in the output directory";
    OUTPUT = 42, "output", "an output file can't be written";
    INTERRUPTED = 43, "interrupted", "stopped on request; the same command resumes";
    QUEUE = 44, "queue", "the order's queue can't be reached, or was lost while at work";
    HOOK = 45, "hook", "the hook command failed, and the run was to stop then";
    RECEIPTS = 46, "receipts", "a receipt is missing, altered, out of its place or doubled";
    JOB = 47, "job", "the job has errors; no card was touched";
    ELSEWHERE = 48, "elsewhere", "this station is through; the rest of the order is in other stations' hands";

    SCENARIO = 50, "scenario", "a test scenario failed";
    LOCKSTEP = 51, "lockstep", "applet and model differ";
    MODEL = 53, "model", "a property of the machine's table does not hold";
    SERVER = 52, "server", "a server can't listen on its address or failed";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_names_are_distinct() {
        for (i, a) in TABLE.iter().enumerate() {
            for b in &TABLE[..i] {
                assert!(a.code != b.code && a.name != b.name, "{a:?} {b:?}");
            }
        }
    }

    #[test]
    fn the_readme_has_the_whole_table() {
        let readme = include_str!("../../README.md");
        let rows = readme
            .lines()
            .skip_while(|line| !line.starts_with("| code | class |"))
            .skip(2);
        let rows: Vec<&str> = rows.take_while(|line| line.starts_with('|')).collect();
        let mut table = TABLE.to_vec();
        table.sort_by_key(|exit| exit.code);
        let expected = table
            .iter()
            .map(|exit| format!("| {} | {} | {} |", exit.code, exit.name, exit.meaning));
        assert_eq!(rows, expected.collect::<Vec<_>>());
    }
}
