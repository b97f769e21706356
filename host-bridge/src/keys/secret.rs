//! Passphrases and PINs: from a file, from the environment, or asked for on the terminal without echo.

use super::KeyError;
use std::io::IsTerminal;
use std::path::Path;
use zeroize::Zeroizing;

/// The secret for `what`: the first line of the file, else the environment variable, else the operator's
/// answer.
///
/// # Errors
/// [`KeyError::Secret`] where there is none of the three; it says what was tried.
pub fn ask(what: &str, file: Option<&Path>, variable: &str) -> Result<Zeroizing<String>, KeyError> {
    let fail = |problem: String| KeyError::Secret {
        what: what.to_owned(),
        problem,
    };
    let found = if let Some(path) = file {
        let text = std::fs::read_to_string(path)
            .map(Zeroizing::new)
            .map_err(|e| fail(format!("failed to read {}: {e}", path.display())))?;
        Zeroizing::new(text.lines().next().unwrap_or_default().to_owned())
    } else if let Ok(text) = std::env::var(variable) {
        Zeroizing::new(text)
    } else if std::io::stdin().is_terminal() {
        rpassword::prompt_password(format!("{what}: "))
            .map(Zeroizing::new)
            .map_err(|e| fail(format!("can't be asked for on this terminal: {e}")))?
    } else {
        return Err(fail(format!(
            "{variable} is not set, no file was given, and there is no terminal to ask on"
        )));
    };
    match found.is_empty() {
        true => Err(fail("must not be empty".to_owned())),
        false => Ok(found),
    }
}

/// True if others than the owner may read the file; always false where files have no such modes.
pub fn others_may_read(path: &Path) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        false
    }
}
