//! The files of a build: sources, CAP, export files and class files of what the applet imports, and
//! a `build.xml` that makes the same CAP with a vendor's converter.

use super::{Applet, BuildError, PACKAGE_VERSION};
use crate::api::{ApiPackage, packages};
use crate::{exp, java};
use applet_model::aid;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// Name of the CAP file.
pub const CAP_FILE: &str = "ipae.cap";
/// Name of the CAP file with names and lines.
pub const NAMED_CAP_FILE: &str = "ipae-debug.cap";
const BUILD_XML: &str = include_str!("build.xml.j2");

/// A file of the build: path below the output folder, with slashes, and content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Artifact {
    /// Its path.
    pub path: String,
    /// What it holds.
    pub bytes: Vec<u8>,
}

impl Artifact {
    /// A file.
    pub fn new(path: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Artifact {
            path: path.into(),
            bytes: bytes.into(),
        }
    }
}

/// Packages that come with no vendor's Java Card kit, so that the build brings its own export files
/// and class files of them.
fn brought() -> impl Iterator<Item = &'static ApiPackage> {
    packages()
        .iter()
        .filter(|package| !package.name.starts_with("java"))
}

/// All files of a build but manifest and scripts. `work` is the folder that [`Applet::build`] was
/// given: the class files are taken from there.
///
/// # Errors
/// [`BuildError`] if a class file can't be read or a file can't be made.
pub fn artifacts(applet: &Applet, work: &Path) -> Result<Vec<Artifact>, BuildError> {
    let mut out = vec![
        Artifact::new(CAP_FILE, applet.cap.to_jar()?),
        Artifact::new(NAMED_CAP_FILE, applet.named.to_jar()?),
    ];
    for (path, text) in &applet.sources {
        out.push(Artifact::new(format!("src/{path}"), text.as_bytes()));
    }
    for package in brought() {
        let last = package.name.rsplit('/').next().unwrap_or_default();
        out.push(Artifact::new(
            format!("exp/{}/javacard/{last}.exp", package.name),
            exp::write(package, packages())?,
        ));
    }
    out.push(Artifact::new(
        "lib/api.jar",
        api_jar(&super::api_classes(work))?,
    ));
    out.push(Artifact::new("build.xml", build_xml()?));
    Ok(out)
}

/// The class files of [`brought`] packages, to compile the sources against; the same bytes always.
fn api_jar(classes: &Path) -> Result<Vec<u8>, BuildError> {
    let mut files: Vec<(String, PathBuf)> = Vec::new();
    for package in brought() {
        for class in &package.classes {
            let name = format!("{}.class", class.name);
            files.push((name.clone(), classes.join(name)));
        }
    }
    files.sort();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .unix_permissions(0o644);
    let mut jar = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, path) in files {
        let file = |source| BuildError::File {
            path: path.clone(),
            source,
        };
        let content = std::fs::read(&path).map_err(file)?;
        jar.start_file(name, options)
            .map_err(|e| file(std::io::Error::other(e)))?;
        jar.write_all(&content).map_err(file)?;
    }
    let done = jar.finish().map_err(|e| BuildError::File {
        path: "lib/api.jar".into(),
        source: std::io::Error::other(e),
    })?;
    Ok(done.into_inner())
}

fn build_xml() -> Result<String, BuildError> {
    let (major, minor) = PACKAGE_VERSION;
    let values = minijinja::context! {
        package => java::PACKAGE.replace('/', "."),
        package_aid => hex::encode_upper(aid::PACKAGE_IPAE),
        version => format!("{major}.{minor}"),
        class => format!("{}.{}", java::PACKAGE.replace('/', "."), java::APPLET_CLASS),
        applet_aid => hex::encode_upper(aid::MODULE_IPAE),
    };
    minijinja::Environment::new()
        .render_named_str("build.xml", BUILD_XML, values)
        .map_err(|e| BuildError::File {
            path: "build.xml".into(),
            source: std::io::Error::other(e),
        })
}
