//! Ctrl-C: long work stops at its next safe point, a second one ends the process.

use host_bridge::exit;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C (and SIGTERM) sets the flag that this gives. Without a call the process ends at
/// once, as usual.
pub fn flag() -> &'static AtomicBool {
    // A second handler can't be set, and needn't: the first does the same.
    let _ = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) {
            std::process::exit(exit::INTERRUPTED.code.into());
        }
        eprintln!("stopping at the next safe point; again to stop at once");
    });
    &STOP
}

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}
