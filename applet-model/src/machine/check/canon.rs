//! Which differences between machines don't matter: a machine is replaced by its representative.
//!
//! Two machines with the same representative take the same rows and give the same outputs for ever,
//! but for what is said below, so it is enough to explore one of them.
//!
//! - The log ring, its head, `DETAIL` and the four counters are written and never read by a guard
//!   or action; only GET DATA shows them, which changes nothing.
//! - The part of a buffer beyond its length, the answer that was taken already, `READ` once it was
//!   scanned: written before they are read again.
//! - `FAILS` matters by being 0 or not, and by the delay. With the configuration of the scenarios
//!   the delay reaches its maximum at 2 failures, so all from 2 on are alike.
//! - Where the applet waits for its next session (and in the states without sessions): everything
//!   that `BeginSession` and the session's first queries set anew before it is read.
//! - `ROUNDS` matters by reaching 0. Without a fault every request settles a package, delivers a
//!   result or finds nothing more, so that queue and faults of a scenario use a handful of the 100;
//!   the scenario that is about reaching 0 keeps the register.

use crate::machine::codes::State;
use crate::machine::layout::{BUFFER, PERSISTENT, REGISTERS, reg};
use crate::machine::{Machine, Wait};

/// Registers that nothing but GET DATA reads.
const WRITE_ONLY: &[usize] = &[
    reg::LOG,
    reg::LOG_HEAD,
    reg::SWITCHES,
    reg::ROLLBACKS,
    reg::DETAIL,
    reg::POLLS,
    reg::FAILURES,
    reg::SC_MAX,
];

/// Transient registers that outlive a session.
const OUTLIVE: &[usize] = &[
    reg::LOADED,
    reg::STATE,
    reg::TRIGGERED,
    reg::FAILS,
    reg::TRIES,
    reg::REFRESH_LEFT,
    reg::NO_TIMER,
    reg::TICKS,
    reg::CHANNEL,
    reg::RESULTS_KNOWN,
    reg::EID_LEN,
    reg::EID,
    reg::EIM_INDEX,
    reg::EIM_COUNT,
];

fn clear(bytes: &mut [u8], at: usize, len: usize) {
    if let Some(part) = bytes.get_mut(at..at + len) {
        part.fill(0);
    }
}

/// Replaces the machine by its representative.
pub(super) fn representative(m: &mut Machine, keep_rounds: bool) {
    m.taken.clear();
    for register in REGISTERS {
        let write_only = WRITE_ONLY.contains(&register.offset);
        if write_only {
            clear(&mut m.w, register.offset, register.len);
            if register.offset < PERSISTENT {
                clear(&mut m.nv, register.offset, register.len);
            }
        }
    }
    m.w[reg::FAILS] = m.w[reg::FAILS].min(2);
    if !keep_rounds {
        m.w[reg::ROUNDS] = 0xFF;
    }
    m.answer.clear();
    m.answer.shrink_to_fit();
    clear(&mut m.w, reg::READ, 2);
    let between = matches!(
        m.state(),
        State::Unpersonalized
            | State::Idle
            | State::Backoff
            | State::CheckWait
            | State::AwaitRefresh
            | State::Locked
    );
    if between && m.wait == Wait::Event {
        for register in REGISTERS {
            if register.offset >= PERSISTENT && !OUTLIVE.contains(&register.offset) {
                clear(&mut m.w, register.offset, register.len);
            }
        }
    }
    let seg = usize::from(m.get16(reg::SEG_LEN)).min(BUFFER);
    m.seg[seg..].fill(0);
    let rx = usize::from(m.get16(reg::RX_LEN)).min(BUFFER);
    m.rx[rx..].fill(0);
}
