//! Who else uses the PC/SC service. PC/SC itself doesn't tell; Linux tells which programs have its
//! client library loaded.

use serde::Serialize;

/// A program that talks to the service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct User {
    /// Its process.
    pub pid: u32,
    /// Its name.
    pub program: String,
}

/// How programs give a card back, by the start of their name.
const RELEASE: &[(&str, &str)] = &[
    (
        "scdaemon",
        "GnuPG's: gpgconf --kill scdaemon; with disable-scdaemon or pcsc-shared in scdaemon.conf it stays away",
    ),
    ("gpg-agent", "GnuPG's: gpgconf --kill scdaemon"),
    (
        "firefox",
        "a browser with an OpenSC module: close it, or unload the module",
    ),
    (
        "chrome",
        "a browser with an OpenSC module: close it, or unload the module",
    ),
    (
        "pkcs11",
        "OpenSC's: end it; opensc.conf can keep it from readers (ignored_readers)",
    ),
    (
        "opensc",
        "OpenSC's: end it; opensc.conf can keep it from readers (ignored_readers)",
    ),
    ("pcsc_scan", "end it"),
    ("ipae", "another run of this tool: wait for it or end it"),
];

/// What one does about a program that has the reader.
pub fn release(program: &str) -> Option<&'static str> {
    let found = RELEASE.iter().find(|(name, _)| program.starts_with(name));
    found.map(|(_, how)| *how)
}

/// Programs of this user (of all, for root) that have the client library loaded; none where the
/// system doesn't tell.
pub fn users() -> Vec<User> {
    let own = std::process::id();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let mut all: Vec<User> = processes
        .filter_map(|entry| {
            let pid: u32 = entry.file_name().to_str()?.parse().ok()?;
            if pid == own {
                return None;
            }
            let maps = std::fs::read_to_string(entry.path().join("maps")).ok()?;
            if !maps.contains("libpcsclite.so") {
                return None;
            }
            let program = std::fs::read_to_string(entry.path().join("comm")).ok()?;
            let program = program.trim().to_owned();
            // The daemon has no use for the client library, but a driver may.
            (program != "pcscd").then_some(User { pid, program })
        })
        .collect();
    all.sort_by_key(|user| user.pid);
    all
}

/// The same as one line for a message; empty if nobody is known.
pub fn in_words() -> String {
    let mut text = String::new();
    for user in users() {
        text += &format!("; {} (process {}) uses the service", user.program, user.pid);
        if let Some(how) = release(&user.program) {
            text += &format!(" ({how})");
        }
    }
    text
}
