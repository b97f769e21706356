//! Finds and runs the JDK's compiler, always in the same way.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The oldest JDK that is known to do.
const OLDEST: u32 = 11;

/// Why Java sources could not be compiled.
#[derive(Debug, thiserror::Error)]
pub enum JavacError {
    /// There is no `javac`.
    #[error(
        "javac was not found in JAVA_HOME or PATH: install a JDK of version 11 or later \
         (Debian, Ubuntu: apt install openjdk-17-jdk-headless)"
    )]
    NotFound,
    /// It could not be started.
    #[error("{path}: cannot run: {source}", path = path.display())]
    Run {
        /// The compiler.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is too old, or does not say its version.
    #[error(
        "{path}: expected a JDK of version 11 or later, found {found:?}; set JAVA_HOME to another",
        path = path.display()
    )]
    Version {
        /// The compiler.
        path: PathBuf,
        /// What `javac -version` printed.
        found: String,
    },
    /// The sources have errors.
    #[error("javac: the sources do not compile\n{messages}")]
    Sources {
        /// What the compiler printed: file, line, message.
        messages: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {source}", path = path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

/// A Java compiler of a known version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Javac {
    /// The program.
    pub path: PathBuf,
    /// Its feature release: 11, 17, 21, …
    pub version: u32,
}

impl Javac {
    /// Finds `javac`: in `$JAVA_HOME/bin`, then in `$PATH`.
    pub fn locate() -> Result<Self, JavacError> {
        let name = format!("javac{}", std::env::consts::EXE_SUFFIX);
        let home = std::env::var_os("JAVA_HOME").map(|home| PathBuf::from(home).join("bin"));
        let path = std::env::var_os("PATH").unwrap_or_default();
        home.into_iter()
            .chain(std::env::split_paths(&path))
            .map(|folder| folder.join(&name))
            .find(|program| program.is_file())
            .ok_or(JavacError::NotFound)
            .and_then(|program| Javac::at(&program))
    }

    /// Uses the compiler at `path`.
    pub fn at(path: &Path) -> Result<Self, JavacError> {
        let output = run(Command::new(path).arg("-version"), path)?;
        // On standard output since JDK 9: "javac 17.0.15", "javac 24-ea".
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let version = text.strip_prefix("javac ").and_then(|version| {
            let digits = version.split(|c: char| !c.is_ascii_digit()).next()?;
            digits.parse().ok()
        });
        match version {
            Some(version) if version >= OLDEST => Ok(Javac {
                path: path.to_owned(),
                version,
            }),
            _ => Err(JavacError::Version {
                path: path.to_owned(),
                found: text + String::from_utf8_lossy(&output.stderr).trim(),
            }),
        }
    }

    /// Compiles `sources` into `out` (made if it is not there) against `classpath`.
    ///
    /// Class files are of version 52 (Java 8): the newest that every JDK from 11 to 21 makes and
    /// that the vendors' converters read. They carry line numbers and local variables (`-g`),
    /// which a converter needs. Annotation processors, environment options and the time have no
    /// part in it: the same sources give the same class files.
    pub fn compile(
        &self,
        sources: &[PathBuf],
        classpath: &[PathBuf],
        out: &Path,
    ) -> Result<(), JavacError> {
        std::fs::create_dir_all(out).map_err(|source| JavacError::File {
            path: out.to_owned(),
            source,
        })?;
        let classpath = std::env::join_paths(classpath).map_err(|error| JavacError::File {
            path: out.to_owned(),
            source: std::io::Error::new(std::io::ErrorKind::InvalidInput, error),
        })?;
        let mut sources = sources.to_vec();
        sources.sort();
        let mut command = Command::new(&self.path);
        command
            // Messages in English, and a virtual machine that starts quickly.
            .args(["-J-Duser.language=en", "-J-Duser.country=US"])
            .args(["-J-XX:+UseSerialGC", "-J-XX:TieredStopAtLevel=1"])
            .args(["--release", "8", "-g", "-encoding", "UTF-8"])
            .args(["-proc:none", "-implicit:none", "-nowarn", "-Xlint:-options"])
            .arg("-classpath")
            .arg(classpath)
            .arg("-d")
            .arg(out)
            .args(sources);
        let output = run(&mut command, &self.path)?;
        if output.status.success() {
            return Ok(());
        }
        let messages = [output.stderr, output.stdout]
            .iter()
            .map(|text| String::from_utf8_lossy(text).trim().to_owned())
            .filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n");
        Err(JavacError::Sources { messages })
    }
}

fn run(command: &mut Command, path: &Path) -> Result<Output, JavacError> {
    for variable in [
        "CLASSPATH",
        "JAVA_TOOL_OPTIONS",
        "JDK_JAVAC_OPTIONS",
        "_JAVA_OPTIONS",
    ] {
        command.env_remove(variable);
    }
    command.output().map_err(|source| JavacError::Run {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_compiler_is_said() {
        let missing = Javac::at(Path::new("/nonexistent/javac")).unwrap_err();
        assert!(missing.to_string().contains("cannot run"), "{missing}");
        if cfg!(unix) {
            let other = Javac::at(Path::new("/bin/echo")).unwrap_err();
            assert!(other.to_string().contains("version 11 or later"), "{other}");
        }
    }

    #[test]
    fn errors_of_sources_come_with_file_and_line() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("A.java");
        std::fs::write(&source, "class A {\n  int f() { return x; }\n}\n").unwrap();
        let javac = Javac::locate().unwrap();
        let error = javac
            .compile(&[source], &[], &folder.path().join("out"))
            .unwrap_err();
        assert!(error.to_string().contains("A.java:2: error:"), "{error}");
    }
}
