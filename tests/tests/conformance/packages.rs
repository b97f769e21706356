//! The packages: compiled once, converted and verified.

use applet_gen::api::{self, ApiPackage};
use applet_gen::cap::verify::verify;
use applet_gen::convert::{ConvertInput, convert};
use applet_gen::javac::Javac;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// An applet of a package.
pub struct Applet {
    /// Class, without its package.
    pub name: &'static str,
    /// AID of the module, and of the instance that the groups install.
    pub aid: Vec<u8>,
    package: &'static str,
}

impl Applet {
    /// Its source.
    pub fn source(&self) -> PathBuf {
        let file = format!("{}.java", self.name);
        sources().join(self.package).join(file)
    }
}

/// A package of the suite.
pub struct Package {
    /// Name, without `conformance.`.
    pub name: &'static str,
    pub aid: Vec<u8>,
    pub applets: Vec<Applet>,
    /// Those of the suite that have to be on the card first.
    pub needs: &'static [&'static str],
    pub load_file: Vec<u8>,
}

impl Package {
    /// The applet of this name.
    pub fn applet(&self, name: &str) -> &Applet {
        let found = self.applets.iter().find(|applet| applet.name == name);
        found.unwrap_or_else(|| panic!("no applet {name} in {}", self.name))
    }
}

/// Name, applets, packages it needs, and whether it imports the newest API.
type Row = (
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    bool,
);

/// The package that uses `int`.
const INTEGERS: &str = "integers";

/// Each after those it needs. A package's AID ends with its place here, from 1; an applet's goes on with the
/// applet's, from 1.
const TABLE: &[Row] = &[
    ("base", &[], &[], false),
    ("language", &["Language"], &["base"], false),
    ("memory", &["Memory"], &["base"], false),
    ("transactions", &["Transactions"], &["base"], false),
    (
        "runtime",
        &["Apdus", "Exceptions", "Objects"],
        &["base"],
        false,
    ),
    ("single", &["Single"], &[], false),
    ("shared", &[], &[], false),
    ("server", &["Server"], &["shared"], false),
    (
        "firewall",
        &["Firewall", "Mate"],
        &["base", "server"],
        false,
    ),
    ("channels", &["Multi"], &[], false),
    ("crypto", &["Keys", "Vectors"], &["base"], false),
    ("aead", &["Aead"], &["base"], true),
    (INTEGERS, &["Integers"], &["base"], false),
];
/// "ICONF", with the first nibble of a proprietary AID.
const AID: [u8; 6] = [0xF0, 0x49, 0x43, 0x4F, 0x4E, 0x46];

/// Where the sources are.
pub fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("java/conformance")
}

/// The package of this name.
pub fn package(name: &str) -> &'static Package {
    let found = packages().iter().find(|package| package.name == name);
    found.unwrap_or_else(|| panic!("no package {name}"))
}

/// All packages; whoever asks fails if one of them is wrong.
pub fn packages() -> &'static [Package] {
    static PACKAGES: OnceLock<Result<Vec<Package>, String>> = OnceLock::new();
    let built = PACKAGES.get_or_init(build);
    built.as_ref().unwrap_or_else(|errors| panic!("{errors}"))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

fn build() -> Result<Vec<Package>, String> {
    let dir = tempfile::tempdir().unwrap();
    let javac = Javac::locate().map_err(|e| e.to_string())?;
    let stubs = api::stubs::compile_packages(api::newest(), &[], dir.path(), &javac)
        .map_err(|e| e.to_string())?;
    let out = dir.path().join("out");
    let all: Vec<PathBuf> = files(&sources()).iter().flat_map(|f| files(f)).collect();
    javac
        .compile(&all, &[stubs], &out)
        .map_err(|e| e.to_string())?;
    let mut exports: Vec<ApiPackage> = Vec::new();
    let mut packages = Vec::new();
    let mut wrong = Vec::new();
    for (place, (name, applets, needs, newest)) in (1u8..).zip(TABLE) {
        let aid = [&AID[..], &[place]].concat();
        let applets: Vec<Applet> = (1u8..)
            .zip(*applets)
            .map(|(place, applet)| Applet {
                name: applet,
                aid: [&aid[..], &[place]].concat(),
                package: name,
            })
            .collect();
        let mut imports = if *newest {
            api::newest()
        } else {
            api::packages()
        }
        .to_vec();
        imports.extend(exports.clone());
        let class = |applet: &Applet| format!("conformance.{name}.{}", applet.name);
        let input = ConvertInput {
            classes: files(&out.join("conformance").join(name))
                .into_iter()
                .map(|path| (path.display().to_string(), std::fs::read(&path).unwrap()))
                .collect(),
            package_aid: aid.clone(),
            version: (1, 0),
            applets: applets.iter().map(|a| (class(a), a.aid.clone())).collect(),
            imports: &imports,
            int: *name == INTEGERS,
            ..ConvertInput::default()
        };
        let lines = |errors: &[String]| format!("{name}: {}", errors.join("\n"));
        let converted = match convert(&input) {
            Ok(converted) => converted,
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                wrong.push(lines(&errors));
                continue;
            }
        };
        let verdict = verify(&converted.cap, &imports);
        let findings = verdict.findings.iter().map(ToString::to_string);
        let findings: Vec<String> = findings.chain(verdict.unchecked).collect();
        if !findings.is_empty() {
            wrong.push(lines(&findings));
        }
        let load_file = converted.cap.load_file(false).unwrap();
        exports.push(converted.exp);
        packages.push(Package {
            name,
            aid,
            applets,
            needs,
            load_file,
        });
    }
    match wrong.is_empty() {
        true => Ok(packages),
        false => Err(wrong.join("\n")),
    }
}
