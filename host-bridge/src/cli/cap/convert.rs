//! `ipae cap convert`: class files to CAP files.

use super::packages::{Named, exports};
use crate::cli::failure::{Failure, OrExit};
use crate::cli::output::{Out, style, write_file};
use applet_gen::api::{self, ApiPackage, stubs};
use applet_gen::cap::jar::JarNames;
use applet_gen::cap::{disasm, info};
use applet_gen::classfile::ClassFile;
use applet_gen::collect::collect;
use applet_gen::convert::{ConvertInput, Converted, convert_all, tables};
use applet_gen::exp::{self, Format};
use applet_gen::javac::Javac;
use clap::Args;
use host_bridge::exit;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Folder below the output folder for what `--source` makes.
const WORK: &str = "work";

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae cap convert classes --package com.eum.lock=F049504165AA \\
      --applet com.eum.lock.Lock=F049504165AA01 --out target/lock
  ipae cap convert lock.jar --exp vendor.exp --package com.eum.lock=F049504165AA@1.2 \\
      --debug --out target/lock
  ipae cap convert --source src \\
      --package com.eum.es10=F049504165BB --package com.eum.probe=F049504165CC \\
      --applet com.eum.probe.Probe=F049504165CC01 --out target/eum

Several packages in one run may import each other; all other imports come from --exp, or else
from this tool's tables (Java Card 3.0.4, UICC, GlobalPlatform). For each package the output
folder gets, below the package's folders in javacard/, as vendors' converters write them:
  NAME.cap    the CAP file, with Descriptor (and Debug with --debug)
  NAME.ijc    the components in the order of loading, without Descriptor: a load file data block
  NAME.exp    the export file, if there is anything that others may import
  NAME.jca    a listing in the manner of Java Card Assembly
  NAME.json   tables of the tokens that it imports and exports
Exit code 12 with every error of all packages: file, line, what, clause, what to write
instead.")]
pub struct Convert {
    /// Class files, folders or JAR archives of them
    #[arg(value_name = "CLASSES", required_unless_present = "source")]
    classes: Vec<PathBuf>,
    /// Folder of Java sources to compile with javac, against the packages that may be imported
    #[arg(long, value_name = "DIR")]
    source: Vec<PathBuf>,
    /// A package with its AID and version (1.0 if none is given); each package of the classes needs one
    #[arg(long, value_name = "NAME=AID[@VERSION]", required = true)]
    package: Vec<Named>,
    /// An applet's class with its AID
    #[arg(long, value_name = "CLASS=AID")]
    applet: Vec<Named>,
    /// Export files of packages that may be imported: files, folders, JAR archives
    #[arg(long, value_name = "PATH")]
    exp: Vec<PathBuf>,
    /// Format of the export files that are written: 2.1, which every converter reads, 2.2 or 2.3
    #[arg(long, value_name = "FORMAT", default_value = "2.1")]
    exp_format: Format,
    /// The card has the optional type int
    #[arg(long)]
    int: bool,
    /// Put a Debug component in: names, source lines, local variables (CAP format 2.2)
    #[arg(long)]
    debug: bool,
    /// Leave the code as it is translated, without the rules that make it shorter
    #[arg(long)]
    plain: bool,
    /// Leave methods in that nothing can call
    #[arg(long)]
    keep_unused: bool,
    /// Leave the Descriptor component out; no verifier can check such a CAP file
    #[arg(long)]
    no_descriptor: bool,
    /// Where to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

/// What was written for one package.
#[derive(Serialize)]
struct Done {
    package: String,
    files: Vec<PathBuf>,
    info: info::Info,
}

impl Convert {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let mut imports = exports(&self.exp)?;
        for package in api::packages() {
            if imports.iter().all(|known| known.name != package.name) {
                imports.push(package.clone());
            }
        }
        let classes = self.class_files(&imports)?;
        let inputs = self.inputs(classes, &imports)?;
        let converted = convert_all(&inputs).map_err(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            let count = lines.len();
            let text = format!("{count} errors, nothing was written\n{}", lines.join("\n"));
            Failure::new(exit::CAP, text)
        })?;
        // Packages of the run go before imports of the same name, as in the conversion.
        let known: Vec<ApiPackage> = (converted.iter())
            .map(|made| made.exp.clone())
            .chain(imports.iter().cloned())
            .collect();
        let done = (inputs.iter().zip(&converted))
            .map(|(input, made)| self.write(input, made, &known))
            .collect::<Result<Vec<Done>, Failure>>()?;
        out.print(&done, |w| {
            let head = style::HEAD;
            for one in &done {
                writeln!(w, "{head}{}{head:#}", one.package)?;
                writeln!(w, "{}", one.info)?;
                for file in &one.files {
                    writeln!(w, "wrote        {}", file.display())?;
                }
            }
            Ok(())
        })
    }

    /// The class files given, and those of `--source`.
    fn class_files(&self, imports: &[ApiPackage]) -> Result<Vec<(String, Vec<u8>)>, Failure> {
        let mut classes = collect(&self.classes, "class").or_exit(exit::CAP)?;
        if !self.source.is_empty() {
            let javac = Javac::locate().or_exit(exit::BUILD)?;
            let sources = collect(&self.source, "java").or_exit(exit::BUILD)?;
            let sources: Vec<PathBuf> = sources.into_iter().map(|(name, _)| name.into()).collect();
            let work = self.out.join(WORK);
            let api = stubs::compile_packages(imports, &[], &work.join("api"), &javac)
                .or_exit(exit::BUILD)?;
            let folder = work.join("classes");
            if folder.exists() {
                // Class files of sources that are gone would be converted again.
                std::fs::remove_dir_all(&folder).or_exit(exit::OUTPUT)?;
            }
            javac
                .compile(&sources, &[api], &folder)
                .or_exit(exit::BUILD)?;
            classes.extend(collect(&[folder], "class").or_exit(exit::CAP)?);
        }
        Ok(classes)
    }

    /// One input a package; every class and applet belongs to one of them.
    fn inputs<'a>(
        &self,
        classes: Vec<(String, Vec<u8>)>,
        imports: &'a [ApiPackage],
    ) -> Result<Vec<ConvertInput<'a>>, Failure> {
        let mut by_package: BTreeMap<String, Vec<(String, Vec<u8>)>> = BTreeMap::new();
        for (name, bytes) in classes {
            let file = ClassFile::parse(&bytes)
                .map_err(|error| Failure::new(exit::CAP, format!("{name}: {error}")))?;
            let package = file.package().to_owned();
            by_package.entry(package).or_default().push((name, bytes));
        }
        let mut inputs = Vec::new();
        for package in &self.package {
            let Some(classes) = by_package.remove(&package.name) else {
                let text = format!("no class of package {} is given", package.name);
                return Err(Failure::new(exit::USAGE, text)
                    .next("give its class files, or take its --package away"));
            };
            let applets = self.applet.iter();
            let applets = applets.filter(|applet| folder_of(&applet.name) == package.name);
            inputs.push(ConvertInput {
                classes,
                package_aid: package.aid.clone(),
                version: package.version,
                applets: applets
                    .map(|applet| (applet.name.clone(), applet.aid.clone()))
                    .collect(),
                imports,
                int: self.int,
                debug: self.debug,
                plain: self.plain,
                keep_unused: self.keep_unused,
            });
        }
        if let Some(name) = by_package.keys().next() {
            let text = format!("classes of package {name:?} are given, and no AID for it");
            return Err(Failure::new(exit::USAGE, text)
                .next(format!("add --package {}=AID", name.replace('/', "."))));
        }
        let stray = self.applet.iter().find(|applet| {
            let package = folder_of(&applet.name);
            self.package.iter().all(|known| known.name != package)
        });
        if let Some(applet) = stray {
            let text = format!("applet {} is in none of the packages", applet.name);
            return Err(Failure::new(exit::USAGE, text)
                .next("write the applet's class with its package: com.eum.lock.Lock=AID"));
        }
        Ok(inputs)
    }

    fn write(
        &self,
        input: &ConvertInput<'_>,
        made: &Converted,
        known: &[ApiPackage],
    ) -> Result<Done, Failure> {
        let mut cap = made.cap.clone();
        if self.no_descriptor {
            cap.descriptor = None;
            cap.directory = cap.compute_directory().or_exit(exit::CAP)?;
        }
        let name = &made.exp.name;
        let folder = self.out.join(name).join("javacard");
        let last = name.rsplit('/').next().unwrap_or(name);
        let names = JarNames {
            package: name.clone(),
            applets: (input.applets.iter())
                .map(|(class, _)| class.rsplit('/').next().unwrap_or(class).to_owned())
                .collect(),
        };
        let mut files = vec![
            ("cap", cap.to_jar_named(&names).or_exit(exit::CAP)?),
            ("ijc", cap.load_file(false).or_exit(exit::CAP)?),
            ("jca", disasm::disassemble(&cap, known).into_bytes()),
            (
                "json",
                serde_json::to_vec_pretty(&tables(made, known)).or_exit(exit::OUTPUT)?,
            ),
        ];
        if !made.exp.classes.is_empty() {
            let bytes = exp::write_format(&made.exp, known, self.exp_format);
            files.push(("exp", bytes.or_exit(exit::CAP)?));
        }
        let mut paths = Vec::new();
        for (extension, bytes) in files {
            let path: PathBuf = folder.join(last).with_extension(extension);
            write_file(&path, &bytes)?;
            paths.push(path);
        }
        Ok(Done {
            package: name.replace('/', "."),
            files: paths,
            info: info::info(&cap, known).or_exit(exit::CAP)?,
        })
    }
}

/// A class's package.
fn folder_of(class: &str) -> &str {
    Path::new(class)
        .parent()
        .and_then(Path::to_str)
        .unwrap_or_default()
}
