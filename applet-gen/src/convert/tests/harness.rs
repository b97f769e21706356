//! From a folder of sources to a converted package.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::api::{self, ApiPackage};
use crate::cap::jar::JarNames;
use crate::convert::{ConvertError, ConvertInput, Converted, convert};
use crate::javac::Javac;

pub(super) const PACKAGE: [u8; 6] = [0xF0, 0x49, 0x50, 0x41, 0x65, 0x7F];

/// Class files: name and contents.
pub(super) type Classes = Vec<(String, Vec<u8>)>;

fn stubs() -> &'static (Javac, tempfile::TempDir, PathBuf) {
    static STUBS: OnceLock<(Javac, tempfile::TempDir, PathBuf)> = OnceLock::new();
    STUBS.get_or_init(|| {
        let javac = Javac::locate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let classes = api::stubs::compile(folder.path(), &javac).unwrap();
        (javac, folder, classes)
    })
}

fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|end| end == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// The class files of the sources under `testdata/java/<folder>`, by file name.
pub(super) fn classes(folder: &str) -> Vec<(String, Vec<u8>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/java");
    compile(&files(&root.join(folder), "java"))
}

fn compile(sources: &[PathBuf]) -> Vec<(String, Vec<u8>)> {
    let (javac, _, classpath) = stubs();
    let out = tempfile::tempdir().unwrap();
    javac
        .compile(sources, std::slice::from_ref(classpath), out.path())
        .unwrap();
    files(out.path(), "class")
        .into_iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            (name, std::fs::read(path).unwrap())
        })
        .collect()
}

/// The class files of these texts, each with the path of its source file; by path.
pub(super) fn compile_texts(sources: &[(&str, &str)]) -> Vec<(PathBuf, Vec<u8>)> {
    let (javac, _, classpath) = stubs();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let paths: Vec<PathBuf> = sources
        .iter()
        .map(|(name, text)| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    javac
        .compile(&paths, std::slice::from_ref(classpath), &out)
        .unwrap();
    files(&out, "class")
        .into_iter()
        .map(|path| {
            let bytes = std::fs::read(&path).unwrap();
            (path.strip_prefix(&out).unwrap().to_owned(), bytes)
        })
        .collect()
}

/// The class files by package, made with `--release`; `None` where the compiler cannot.
pub(super) fn classes_by_package(
    release: u32,
    sources: &[(String, String)],
) -> Option<BTreeMap<String, Classes>> {
    let (javac, _, classpath) = stubs();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let mut command = Command::new(&javac.path);
    command
        .args([
            "--release",
            &release.to_string(),
            "-g",
            "-nowarn",
            "-Xlint:-options",
        ])
        .arg("-classpath")
        .arg(classpath)
        .arg("-d")
        .arg(&out);
    for (name, text) in sources {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        command.arg(path);
    }
    let output = command.output().unwrap();
    if !output.status.success() {
        let messages = String::from_utf8_lossy(&output.stderr);
        assert!(messages.contains("not supported"), "{messages}");
        return None;
    }
    let mut packages: BTreeMap<String, Classes> = BTreeMap::new();
    for path in files(&out, "class") {
        let own = path.strip_prefix(&out).unwrap();
        let package = own
            .parent()
            .unwrap()
            .display()
            .to_string()
            .replace('/', ".");
        let bytes = std::fs::read(&path).unwrap();
        let name = own.display().to_string();
        packages.entry(package).or_default().push((name, bytes));
    }
    Some(packages)
}

/// Writes a CAP and its export file to a folder of `$IPAE_KEEP_CAPS`, where that is set: for
/// a vendor's verifier to look at.
pub(super) fn keep(converted: &Converted, known: &[ApiPackage]) {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let Some(folder) = std::env::var_os("IPAE_KEEP_CAPS") else {
        return;
    };
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let package = &converted.exp.name;
    let folder = PathBuf::from(folder).join(format!("{number}/{package}/javacard"));
    std::fs::create_dir_all(&folder).unwrap();
    let simple = package.rsplit('/').next().unwrap();
    let names = JarNames {
        package: package.clone(),
        ..JarNames::default()
    };
    let file = |end: &str| folder.join(format!("{simple}.{end}"));
    std::fs::write(file("cap"), converted.cap.to_jar_named(&names).unwrap()).unwrap();
    let exp = crate::exp::write(&converted.exp, known).unwrap();
    std::fs::write(file("exp"), exp).unwrap();
}

/// Errors as a user sees them.
pub(super) fn lines(errors: &[ConvertError]) -> String {
    let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

/// The class files of one source text of package `p`, class `A`.
pub(super) fn classes_of(source: &str) -> Vec<(String, Vec<u8>)> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("A.java");
    std::fs::write(&path, source).unwrap();
    compile(&[path])
}

pub(super) fn input(
    classes: Vec<(String, Vec<u8>)>,
    applet: Option<&str>,
) -> ConvertInput<'static> {
    let mut aid = PACKAGE.to_vec();
    aid.push(1);
    ConvertInput {
        classes,
        package_aid: PACKAGE.to_vec(),
        version: (1, 0),
        applets: applet
            .map(|name| (name.to_owned(), aid))
            .into_iter()
            .collect(),
        imports: api::packages(),
        // Tests look at methods that no applet calls.
        keep_unused: true,
        ..ConvertInput::default()
    }
}

pub(super) fn converted(
    classes: Vec<(String, Vec<u8>)>,
    applet: Option<&str>,
) -> Result<Converted, Vec<ConvertError>> {
    convert(&input(classes, applet))
}

/// The folder of class files made of these sources, without the API in the class path.
pub(super) fn run_compiler(sources: &[(&str, String)]) -> tempfile::TempDir {
    let out = tempfile::tempdir().unwrap();
    let paths: Vec<PathBuf> = sources
        .iter()
        .map(|(name, text)| {
            let path = out.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        })
        .collect();
    stubs().0.compile(&paths, &[], out.path()).unwrap();
    out
}

/// The `java` beside the compiler.
pub(super) fn java() -> PathBuf {
    let javac = std::fs::canonicalize(&stubs().0.path).unwrap();
    javac.with_file_name("java")
}
