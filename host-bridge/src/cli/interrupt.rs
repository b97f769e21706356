//! Ctrl-C: long work stops at its next safe point, a second one ends the process.

use host_bridge::exit;
use std::sync::atomic::{AtomicBool, Ordering};

static STOP: AtomicBool = AtomicBool::new(false);
/// A screen has the terminal: it shows what is to be said, and is taken down before the process ends.
static SCREEN: AtomicBool = AtomicBool::new(false);

/// From now on Ctrl-C (and SIGTERM) sets the flag that this gives. Without a call the process ends at
/// once, as usual.
pub fn flag() -> &'static AtomicBool {
    // A second handler can't be set, and needn't: the first does the same.
    let _ = ctrlc::set_handler(request);
    &STOP
}

/// Asks to stop; the second time the process ends.
pub fn request() {
    let screen = SCREEN.load(Ordering::Relaxed);
    if STOP.swap(true, Ordering::Relaxed) {
        if screen {
            ratatui::restore();
        }
        std::process::exit(exit::INTERRUPTED.code.into());
    }
    if !screen {
        eprintln!("stopping at the next safe point; again to stop at once");
    }
}

/// Whether to stop.
pub fn requested() -> bool {
    STOP.load(Ordering::Relaxed)
}

/// Says that a screen has the terminal, or has it no longer.
pub fn screen(has: bool) {
    SCREEN.store(has, Ordering::Relaxed);
}
