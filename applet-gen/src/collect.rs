//! Files of one kind (class files, export files) out of files, folders and JAR archives.

use std::fs;
use std::io::{Cursor, Read};
use std::path::{Path, PathBuf};

use zip::ZipArchive;

/// More than a class file or an export file ever is; an archive's entry that says more is refused.
const LIMIT: u64 = 16 << 20;

/// Why files could not be had.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file or folder can't be read.
    #[error("failed to read {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// An archive can't be read.
    #[error("{}: {found}, expected a JAR archive", path.display())]
    Archive {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// There is nothing of the kind.
    #[error("{}: expected .{extension} files, found none", path.display())]
    Nothing {
        /// Where.
        path: PathBuf,
        /// The kind.
        extension: &'static str,
    },
}

/// Reads every file with this extension (`class`, `exp`) at `paths`: a file as it is, whatever its
/// name; a folder with all below it; a `.jar` or `.zip` with all in it. Names are for messages; the
/// order is that of `paths` and then of names.
///
/// # Errors
/// [`CollectError`], also where a path has nothing to give.
pub fn collect(
    paths: &[PathBuf],
    extension: &'static str,
) -> Result<Vec<(String, Vec<u8>)>, CollectError> {
    let mut all = Vec::new();
    for path in paths {
        let before = all.len();
        let is_archive = path
            .extension()
            .is_some_and(|found| found == "jar" || found == "zip");
        if path.is_dir() {
            let mut found = Vec::new();
            below(path, extension, &mut found)?;
            found.sort();
            for file in found {
                all.push((file.display().to_string(), read(&file)?));
            }
        } else if is_archive {
            archive(path, extension, &mut all)?;
        } else {
            all.push((path.display().to_string(), read(path)?));
        }
        if all.len() == before {
            return Err(CollectError::Nothing {
                path: path.clone(),
                extension,
            });
        }
    }
    Ok(all)
}

fn cannot_read(path: &Path) -> impl FnOnce(std::io::Error) -> CollectError {
    let path = path.to_owned();
    move |source| CollectError::File { path, source }
}

fn read(path: &Path) -> Result<Vec<u8>, CollectError> {
    fs::read(path).map_err(cannot_read(path))
}

fn below(folder: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<(), CollectError> {
    for entry in fs::read_dir(folder).map_err(cannot_read(folder))? {
        let entry = entry.map_err(cannot_read(folder))?;
        let kind = entry.file_type().map_err(cannot_read(folder))?;
        let path = entry.path();
        // Links to folders are not followed: they may lead round in circles.
        if kind.is_dir() {
            below(&path, extension, found)?;
        } else if path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    Ok(())
}

fn archive(
    path: &Path,
    extension: &str,
    all: &mut Vec<(String, Vec<u8>)>,
) -> Result<(), CollectError> {
    let broken = |found: &dyn std::fmt::Display| CollectError::Archive {
        path: path.to_owned(),
        found: found.to_string(),
    };
    let mut archive = ZipArchive::new(Cursor::new(read(path)?)).map_err(|e| broken(&e))?;
    let mut found = Vec::new();
    for index in 0..archive.len() {
        let entry = archive.by_index(index).map_err(|e| broken(&e))?;
        let name = entry.name().map_err(|e| broken(&e))?.into_owned();
        let is_kind = Path::new(&name).extension().is_some_and(|e| e == extension);
        if !is_kind {
            continue;
        }
        let mut bytes = Vec::new();
        let read = entry.take(LIMIT + 1).read_to_end(&mut bytes);
        read.map_err(|e| broken(&format!("{name}: {e}")))?;
        if bytes.len() as u64 > LIMIT {
            return Err(broken(&format!("{name} is larger than {LIMIT} bytes")));
        }
        found.push((format!("{}!{name}", path.display()), bytes));
    }
    found.sort();
    all.append(&mut found);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn files_folders_and_archives() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/b/X.class"), [1]).unwrap();
        fs::write(at("a/Y.class"), [2]).unwrap();
        fs::write(at("a/note.txt"), [3]).unwrap();
        let mut jar = zip::ZipWriter::new(fs::File::create(at("c.jar")).unwrap());
        let options = zip::write::SimpleFileOptions::default();
        for name in ["q/Z.class", "q/A.class", "META-INF/MANIFEST.MF"] {
            jar.start_file(name, options).unwrap();
            jar.write_all(name.as_bytes()).unwrap();
        }
        jar.finish().unwrap();
        let paths = [at("a"), at("c.jar"), at("a/note.txt")];
        let found = collect(&paths, "class").unwrap();
        let names: Vec<&str> = (found.iter())
            .map(|(name, _)| name.rsplit(['/', '!']).next().unwrap())
            .collect();
        assert_eq!(
            names,
            ["Y.class", "X.class", "A.class", "Z.class", "note.txt"]
        );
        assert!(matches!(
            collect(&[at("a")], "exp"),
            Err(CollectError::Nothing { .. })
        ));
        fs::write(at("d.jar"), b"PK no archive").unwrap();
        assert!(matches!(
            collect(&[at("d.jar")], "class"),
            Err(CollectError::Archive { .. })
        ));
        assert!(collect(&[at("nothing")], "class").is_err());
    }
}
