//! From the model to a CAP: Java sources, class files, converted, verified; and all files of a build.
//!
//! [`Applet::build`] makes the CAP, [`artifacts()`] the files that go with it, [`Manifest`] says what
//! they are. The load and install script is [`crate::script`]'s.

mod artifacts;
mod manifest;

pub use artifacts::{Artifact, CAP_FILE, NAMED_CAP_FILE, artifacts};
pub use manifest::{FileEntry, MANIFEST_FILE, Manifest, Memory, Model};

use crate::api::{self, stubs};
use crate::cap::verify::verify;
use crate::cap::{Cap, CapError, info};
use crate::convert::{ConvertError, ConvertInput, convert};
use crate::exp::ExpError;
use crate::java;
use crate::javac::{Javac, JavacError};
use applet_model::aid;
use std::path::{Path, PathBuf};

/// Version of the applet's package, major and minor.
pub const PACKAGE_VERSION: (u8, u8) = (1, 0);

/// Folder of the stubs of the API in a build's working folder.
const API: &str = "api";

/// Class files of the API, made by [`Applet::build`] in this working folder.
fn api_classes(work: &Path) -> PathBuf {
    work.join(API).join(stubs::CLASSES)
}

/// The applet, built.
#[derive(Debug, Clone)]
pub struct Applet {
    /// Java sources: path below a source folder, and text.
    pub sources: Vec<(String, String)>,
    /// The CAP file.
    pub cap: Cap,
    /// The same with names and lines (the Debug component): for tracers, not for cards.
    pub named: Cap,
    /// Its figures.
    pub info: info::Info,
}

/// Why the applet can't be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// A file or folder can't be written or read.
    #[error("failed to write {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// `javac` is missing or refuses the sources.
    #[error(transparent)]
    Javac(#[from] JavacError),
    /// The converter refuses the classes: all errors.
    #[error("the classes can't be converted:\n{}", list(.0))]
    Convert(Vec<ConvertError>),
    /// The CAP can't be written.
    #[error(transparent)]
    Cap(#[from] CapError),
    /// An export file can't be written.
    #[error(transparent)]
    Exp(#[from] ExpError),
    /// The verifier found something in the converter's own output: a defect of this tool.
    #[error("the converted CAP does not verify, which is a defect of this tool:\n{0}")]
    Verify(String),
}

fn list<T: std::fmt::Display>(errors: &[T]) -> String {
    errors
        .iter()
        .map(|e| format!("  {e}"))
        .collect::<Vec<_>>()
        .join("\n")
}

impl Applet {
    /// Builds the applet in a folder of its own below `dir`, which keeps the class files.
    ///
    /// # Errors
    /// [`BuildError`]; `javac` (JDK 11 or later) must be there.
    pub fn build(dir: &Path, javac: &Javac) -> Result<Applet, BuildError> {
        let stubs = stubs::compile(&dir.join(API), javac)?;
        let sources = java::sources();
        let paths = write_sources(&sources, &dir.join("src"))?;
        let classes = dir.join("classes");
        javac.compile(&paths, &[stubs], &classes)?;
        let classes = classes.join(java::PACKAGE);
        let cap = convert_classes(&classes, false)?;
        let verdict = verify(&cap, api::packages());
        if !verdict.is_verified() {
            return Err(BuildError::Verify(list(&verdict.findings)));
        }
        let info = info::info(&cap, api::packages())?;
        Ok(Applet {
            sources,
            named: convert_classes(&classes, true)?,
            cap,
            info,
        })
    }
}

/// Writes the sources below `dir`; gives their paths.
///
/// # Errors
/// [`BuildError::File`].
pub fn write_sources(sources: &[(String, String)], dir: &Path) -> Result<Vec<PathBuf>, BuildError> {
    let mut paths = Vec::new();
    for (name, text) in sources {
        let path = dir.join(name);
        let parent = path.parent().unwrap_or(dir);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, text))
            .map_err(|source| BuildError::File {
                path: path.clone(),
                source,
            })?;
        paths.push(path);
    }
    Ok(paths)
}

fn convert_classes(dir: &Path, debug: bool) -> Result<Cap, BuildError> {
    let file = |path: &Path| {
        let path = path.to_owned();
        move |source| BuildError::File { path, source }
    };
    let mut classes = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(file(dir))? {
        let path = entry.map_err(file(dir))?.path();
        if path.extension().is_some_and(|e| e == "class") {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            classes.push((name, std::fs::read(&path).map_err(file(&path))?));
        }
    }
    classes.sort();
    let input = ConvertInput {
        classes,
        package_aid: aid::PACKAGE_IPAE.to_vec(),
        version: PACKAGE_VERSION,
        applets: vec![(
            format!("{}/{}", java::PACKAGE, java::APPLET_CLASS),
            aid::MODULE_IPAE.to_vec(),
        )],
        imports: api::packages(),
        debug,
        ..ConvertInput::default()
    };
    Ok(convert(&input).map_err(BuildError::Convert)?.cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_applet_builds_the_same_twice_and_fits_a_card() {
        let dir = tempfile::tempdir().expect("a folder");
        let javac = Javac::locate().expect("javac (apt install default-jdk-headless)");
        let applet = Applet::build(dir.path(), &javac).unwrap_or_else(|e| panic!("{e}"));
        println!("{}", applet.info);
        assert!(
            applet.info.load_size < 20 * 1024,
            "{}",
            applet.info.load_size
        );
        let again = convert_classes(&dir.path().join("classes").join(java::PACKAGE), false)
            .unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            again.to_jar().expect("a JAR"),
            applet.cap.to_jar().expect("a JAR")
        );
        assert_eq!(applet.named.method, applet.cap.method, "the same code");
    }
}
