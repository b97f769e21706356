//! The applet's memory: every register by name, place and size.
//!
//! The applet works on one transient byte array `w`. Its first [`PERSISTENT`] bytes mirror the
//! persistent array `nv`: they are read from it at the first event after a reset and written back,
//! in one transaction, by the action `Commit` only. So an idle poll writes nothing, and a power cut
//! leaves the whole old or the whole new record. Numbers are big-endian and never above 32767,
//! since a Java Card `short` holds them. The generator emits this table as the constants of the
//! Java runtime.

/// A named place in the working array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Register {
    /// Name, as the Java constant has it after `R_`.
    pub name: &'static str,
    /// First byte.
    pub offset: usize,
    /// Bytes.
    pub len: usize,
    /// What it holds.
    pub doc: &'static str,
}

macro_rules! registers {
    (persistent { $($p:ident : $plen:expr, $pdoc:literal;)* } transient { $($t:ident : $tlen:expr, $tdoc:literal;)* }) => {
        /// Offsets of the registers in the working array.
        pub mod reg {
            #[allow(unused_imports, reason = "sizes of registers")]
            use super::*;
            registers!(@offsets 0usize; $($p : $plen, $pdoc;)* $($t : $tlen, $tdoc;)*);
        }
        /// Every register, in the order of their offsets.
        pub const REGISTERS: &[Register] = &[
            $(Register { name: stringify!($p), offset: reg::$p, len: $plen, doc: $pdoc },)*
            $(Register { name: stringify!($t), offset: reg::$t, len: $tlen, doc: $tdoc },)*
        ];
        /// Bytes of the persistent record.
        pub const PERSISTENT: usize = 0 $(+ $plen)*;
        /// Bytes of the working array.
        pub const WORKING: usize = PERSISTENT $(+ $tlen)*;
    };
    (@offsets $at:expr; $name:ident : $len:expr, $doc:literal; $($rest:tt)*) => {
        #[doc = $doc]
        pub const $name: usize = $at;
        registers!(@offsets $at + $len; $($rest)*);
    };
    (@offsets $at:expr;) => {};
}

/// Entries in the ring log.
pub const LOG_ENTRIES: usize = 16;
/// Bytes of a log entry: reason, state, detail (two bytes).
pub const LOG_ENTRY: usize = 4;
/// Bytes of the block and receive buffers: an ES10 STORE DATA block, a SEND DATA payload and a
/// RECEIVE DATA answer are at most this long, so that each fits a short APDU with its header.
pub const BUFFER: usize = 240;
/// Longest `eimFqdn` that the applet can poll.
pub const FQDN_MAX: usize = 60;
/// Longest Network Access Name.
pub const APN_MAX: usize = 32;
/// Longest bearer description.
pub const BEARER_MAX: usize = 8;
/// Acknowledged sequence numbers kept from one answer of the eIM; the rest is delivered again.
pub const ACKS_MAX: usize = 8;
/// Bytes of an acknowledged sequence number at most.
pub const ACK_LEN: usize = 4;
/// Longest activation code of a download trigger (SGP.22 4.1 allows 255).
pub const AC_MAX: usize = 160;
/// Longest certificate of an SM-DP+ that can be held back until the confirmation code's hash has come.
pub const HOLD: usize = 720;
/// Bytes of the tag list of an IPA eUICC data request.
pub const TAGS_MAX: usize = 20;
/// Parts of the IPA eUICC data that come from the eUICC.
pub const DATA_PARTS: usize = 8;
/// Terminal profile bytes that GET DATA gives.
pub const PROFILE_BYTES: usize = 32;

registers! {
    persistent {
        LIFE: 1, "0 not personalized, 1 operational, 2 locked.";
        MODE: 1, "0 normal, 1 profile switched and not yet confirmed by the eIM, 2 rolled back and not yet reported.";
        TIMER: 1, "Timer identifier that the toolkit framework allocated at install.";
        POLL: 2, "Configuration: minutes between polls.";
        BOOT_DELAY: 2, "Configuration: seconds from start-up to the first poll.";
        RESPONSE: 2, "Configuration: seconds to wait for the eIM's answer.";
        BACKOFF: 2, "Configuration: seconds before the first retry; doubled each time.";
        BACKOFF_MAX: 2, "Configuration: seconds between retries at most.";
        CHECK: 2, "Configuration: seconds from a profile change to the connectivity check, and between its tries.";
        CHECK_TRIES: 1, "Configuration: tries of the connectivity check before rollback.";
        REFRESH: 2, "Configuration: seconds to wait for the reset that follows REFRESH, and between its tries.";
        REFRESH_TRIES: 1, "Configuration: tries of REFRESH.";
        EIM_CHOICE: 1, "Configuration: 0 first eIM only, 1 next eIM after a failure, 2 next eIM at each poll.";
        LOSS: 1, "Configuration: after loss of connectivity 0 roll back, 1 keep trying.";
        PORT: 2, "Configuration: TCP port where eimFqdn has none.";
        ADDRESS: 4, "Configuration: IPv4 address of the eIM where eimFqdn is a name; zero if none.";
        BEARER_LEN: 1, "Configuration: bytes of BEARER.";
        BEARER: BEARER_MAX, "Configuration: bearer description (ETSI TS 102 223 8.52).";
        APN_LEN: 1, "Configuration: bytes of APN.";
        APN: APN_MAX, "Configuration: Network Access Name (ETSI TS 102 223 8.70).";
        SWITCHES: 2, "Count of profile changes.";
        ROLLBACKS: 2, "Count of rollbacks.";
        LOG_HEAD: 1, "Where the next log entry goes.";
        LOG: LOG_ENTRIES * LOG_ENTRY, "Ring of log entries.";
    }
    transient {
        LOADED: 1, "1 once the persistent record was read after a reset.";
        STATE: 1, "State of the machine.";
        DETAIL: 2, "Detail for the next log entry.";
        TRIGGERED: 1, "1 if a poll was asked for by APDU.";
        FAILS: 1, "Sessions that failed in a row.";
        TRIES: 1, "Tries left of the connectivity check.";
        REFRESH_LEFT: 1, "Tries left of REFRESH.";
        ROUNDS: 1, "Requests left in this session.";
        NO_TIMER: 1, "1 if the device refused TIMER MANAGEMENT: STATUS commands are counted instead.";
        TICKS: 1, "STATUS commands left until the timer would have expired.";
        DELAY: 3, "Timer value to start: hours, minutes, seconds.";
        POLLS: 2, "Count of polls that ended with noEimPackageAvailable since the reset.";
        FAILURES: 2, "Count of failed sessions since the reset.";
        CHANNEL: 1, "BIP channel, 0 if none is open.";
        PKG: 1, "1 once this session relayed a package.";
        RESULTS_KNOWN: 1, "1 if the eUICC is known to hold no result to deliver.";
        GOAL: 1, "What follows CLOSE CHANNEL: one of goal.";
        QUERY: 1, "ES10 query under way: one of query.";
        KIND: 1, "What the scanner found: one of kind.";
        CODE: 1, "Result code that the scanner found.";
        CHANGED: 1, "1 if the package result says that a profile was enabled or disabled.";
        BLOCK: 1, "Number of the next ES10 block.";
        LAST: 1, "1 if the block under way is the last of its command.";
        EID_LEN: 1, "16 once the EID is known.";
        EID: 16, "EID.";
        EIM_INDEX: 1, "Which associated eIM is polled.";
        EIM_COUNT: 1, "eIMs that the eUICC listed.";
        EIM_ADDRESS: 4, "IPv4 address to open the channel to.";
        EIM_PORT: 2, "TCP port to open the channel to.";
        FQDN_LEN: 1, "Bytes of FQDN.";
        FQDN: FQDN_MAX, "eimFqdn of the eIM that is polled.";
        TID_LEN: 1, "Bytes of TID.";
        TID: 16, "eimTransactionId of the package under way.";
        TX_KIND: 1, "Request under way: one of tx.";
        TX_PHASE: 1, "Part of the request that is produced next: one of phase.";
        OFF1: 2, "Where the package result begins in the eUICC's answer.";
        LEN1: 2, "Bytes of the package result; 0 if there is none.";
        OFF2: 2, "Where the notification list begins in the eUICC's answer.";
        LEN2: 2, "Bytes of the notification list; 0 if there is none.";
        SKIP: 2, "Bytes of the eUICC's answer still to be skipped.";
        LEFT: 2, "Bytes of the part under way still to be sent.";
        READ: 2, "Bytes of the eUICC's answer that were read last.";
        SEG_LEN: 2, "Bytes in the block buffer.";
        RX_LEN: 2, "Bytes in the receive buffer.";
        RX_POS: 2, "Bytes of the receive buffer that were used.";
        AVAILABLE: 1, "Bytes that wait in the terminal; 255 means 255 or more.";
        HTTP: 1, "Where the HTTP parser stands: one of http.";
        HTTP_POS: 2, "Bytes of the HTTP header so far.";
        HTTP_M1: 1, "Matched characters of Content-Length.";
        HTTP_M2: 1, "Matched characters of Transfer-Encoding.";
        HTTP_CODE: 2, "HTTP status code.";
        HTTP_HAS_LENGTH: 1, "1 if Content-Length came.";
        BODY_LEFT: 2, "Bytes of the body still to come, less the thousands.";
        BODY_KILO: 2, "Thousands of bytes of the body still to come.";
        SC_NODE: 1, "Scanner: node of the grammar.";
        SC_STEP: 1, "Scanner: 0 tag, 1 second tag byte, 2 length, 3 to 5 more length bytes, 6 in a value, 7 stopped, 8 failed.";
        SC_TAG: 2, "Scanner: tag of the current data object.";
        SC_LEN: 2, "Scanner: its length.";
        SC_LEFT: 2, "Scanner: bytes of its value still to come.";
        SC_HEADER: 1, "Scanner: bytes of its header so far.";
        SC_TOTAL: 2, "Scanner: bytes before the current data object.";
        SC_OP: 1, "Scanner: what to do with the value.";
        SC_ARG: 2, "Scanner: register that the value goes to.";
        SC_MAX: 1, "Scanner: bytes that fit there.";
        SC_RELAY: 1, "Scanner: 1 if all bytes also go to the block buffer.";
        SC_BIG: 1, "Scanner: 1 if the length is above 32767.";
        SIZED: 1, "1 once the size of the ES10 command that is made of the answer is known.";
        ENDED: 1, "1 if the block buffer holds the end of an ES10 command.";
        PROGRESS: 1, "1 if data came since the timer was started.";
        HOLD_LEN: 2, "Bytes held back.";
        HOLD_POS: 2, "Bytes held back that were given to the eUICC.";
        ACKS: 1, "Acknowledged sequence numbers in ACK.";
        ACK: ACKS_MAX * (1 + ACK_LEN), "Acknowledged sequence numbers, each with its length.";
        TAGS_LEN: 1, "Bytes of TAGS.";
        TAGS: TAGS_MAX, "Tag list of an IPA eUICC data request.";
        PART: 1, "Part of the IPA eUICC data that is asked for.";
        PART_SIZES: 4 * DATA_PARTS, "Place and size of each part in the eUICC's answer.";
        AC_LEN: 1, "Bytes of AC.";
        AC: AC_MAX, "Activation code of the trigger.";
        DP_LEN: 1, "Bytes of the SM-DP+ address in AC.";
        MID_AT: 1, "Where the matchingId begins in AC.";
        MID_LEN: 1, "Bytes of the matchingId in AC.";
        CHALLENGE_LEN: 1, "16 once the eUICC gave a challenge.";
        CHALLENGE: 16, "euiccChallenge.";
        RTID_LEN: 1, "Bytes of RTID.";
        RTID: 16, "transactionId of the download session.";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn registers_follow_one_another() {
        let mut at = 0;
        for r in REGISTERS {
            assert_eq!(r.offset, at, "{}", r.name);
            at += r.len;
        }
        assert_eq!(at, WORKING);
        assert_eq!(reg::LOADED, PERSISTENT);
        // Small enough for any card that runs toolkit applets.
        const { assert!(WORKING + 2 * BUFFER + HOLD < 2048) };
    }
}
