//! Writing files so that nobody ever sees half of one.

use std::io::Write;
use std::path::Path;

/// Replaces a file as a whole: written beside it, renamed. With `sync` it also outlives a power cut
/// of this machine, not only the end of this process.
pub(crate) fn replace(path: &Path, bytes: &[u8], sync: bool) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = std::fs::File::create(&beside)?;
    file.write_all(bytes)?;
    if sync {
        file.sync_data()?;
    }
    std::fs::rename(&beside, path)
}

/// The same for a secret: nobody but the owner may read the file (where the system knows owners).
pub(crate) fn replace_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_data()?;
    std::fs::rename(&beside, path)
}
