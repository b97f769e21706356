//! `ipae profile`: profile packages made, shown, checked.

use super::failure::{Failure, OrExit};
use super::output::{Out, read_file, style, write_file};
use cards::saip::check::{Finding, Level, check};
use cards::saip::description::{Description, LAB_TOML};
use cards::saip::overview::Overview;
use cards::saip::{Package, PackageError};
use clap::{Args, Subcommand};
use host_bridge::exit;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

#[derive(Subcommand)]
pub enum Profile {
    /// Make a profile package of a description in TOML
    Build(Build),
    /// Show a profile package: elements and file tree, or its description in TOML
    Show(Show),
    /// Check a profile package: what is wrong, and what a card answers
    Check(Check),
    /// Print the lab's own description, to begin with
    Example(Example),
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae profile example > lab.toml
  ipae profile build lab.toml
  ipae profile build lab.toml --out target/lab.der

What the checks find is printed; a package that a card would refuse isn't written.")]
pub struct Build {
    /// The description
    description: PathBuf,
    /// Where to; the description's name with .der otherwise
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae profile show lab.der
  ipae profile show lab.der --json
  ipae profile show lab.der --toml --keys > lab.toml

Keys and PINs are left out unless --keys is given; a description without them makes no package.")]
pub struct Show {
    /// The package
    package: PathBuf,
    /// As a description that `ipae profile build` takes
    #[arg(long)]
    toml: bool,
    /// With keys and PINs
    #[arg(long)]
    keys: bool,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae profile check lab.der
  ipae profile check lab.der --json

Clauses are those of the interoperable format (TCA eUICC Profile Package), answers its statuses.")]
pub struct Check {
    /// The package
    package: PathBuf,
}

#[derive(Args)]
#[command(after_help = "\
Example:
  ipae profile example > lab.toml

Test identities and public keys: for laboratories only.")]
pub struct Example {}

impl Profile {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Profile::Build(build) => build.run(out),
            Profile::Show(show) => show.run(out),
            Profile::Check(check) => check.run(out),
            Profile::Example(_) => {
                let value = serde_json::json!({ "description": LAB_TOML });
                out.print(&value, |w| w.write_all(LAB_TOML.as_bytes()))
            }
        }
    }
}

fn load(path: &Path) -> Result<(Vec<u8>, Package), Failure> {
    let bytes = read_file(path, exit::PROFILE)?;
    let package = Package::decode(&bytes).map_err(|error| undecodable(path, &error))?;
    Ok((bytes, package))
}

fn undecodable(path: &Path, error: &PackageError) -> Failure {
    Failure::new(exit::PROFILE, format!("{}: {error}", path.display()))
        .next("a profile package is the DER of its elements, one behind the other")
}

/// Fails if a card would refuse the package.
fn verdict(findings: &[Finding], path: &Path) -> Result<(), Failure> {
    match findings
        .iter()
        .find(|finding| finding.level == Level::Error)
    {
        None => Ok(()),
        Some(first) => Err(Failure::new(
            exit::PROFILE,
            format!(
                "{}: element {} ({}): {}; a card answers {}",
                path.display(),
                first.number,
                first.element,
                first.text,
                first.answer
            ),
        )),
    }
}

fn list(w: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    let (head, hint) = (style::HEAD, style::HINT);
    for finding in findings {
        let level = match finding.level {
            Level::Error => "error",
            Level::Warning => "warning",
            Level::Note => "note",
        };
        writeln!(
            w,
            "{head}{level:<7}{head:#} {:>2} {:<20} {} {hint}(clause {}; answered {}){hint:#}",
            finding.number, finding.element, finding.text, finding.clause, finding.answer
        )?;
    }
    Ok(())
}

/// What is wrong with the TOML and in which line; not the line itself, which may hold a key.
fn misread(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map_or(1, |before| before.matches('\n').count() + 1);
    format!("line {line}: {}", error.message())
}

impl Build {
    fn run(self, out: &Out) -> Result<(), Failure> {
        let text = read_file(&self.description, exit::PROFILE)?;
        let wrong = |error: &dyn std::fmt::Display| {
            let text = format!("{}: {error}", self.description.display());
            Failure::new(exit::PROFILE, text).next("`ipae profile example` prints one that works")
        };
        let text = String::from_utf8(text).map_err(|error| wrong(&error))?;
        let description: Description =
            toml::from_str(&text).map_err(|error| wrong(&misread(&text, &error)))?;
        let package = description.package().map_err(|error| wrong(&error))?;
        let bytes = package.encode().or_exit(exit::PROFILE)?;
        let findings = check(&bytes);
        verdict(&findings, &self.description)?;
        let path = self
            .out
            .unwrap_or_else(|| self.description.with_extension("der"));
        write_file(&path, &bytes)?;
        let value = serde_json::json!({
            "package": path,
            "bytes": bytes.len(),
            "elements": package.elements.len(),
            "findings": findings,
        });
        out.print(&value, |w| {
            list(w, &findings)?;
            writeln!(
                w,
                "{}: {} bytes, {} elements",
                path.display(),
                bytes.len(),
                package.elements.len()
            )
        })
    }
}

impl Check {
    fn run(self, out: &Out) -> Result<(), Failure> {
        let bytes = read_file(&self.package, exit::PROFILE)?;
        let findings = check(&bytes);
        let value = serde_json::json!({ "package": self.package, "findings": findings });
        out.print(&value, |w| {
            list(w, &findings)?;
            let of = |level| {
                findings
                    .iter()
                    .filter(|finding| finding.level == level)
                    .count()
            };
            writeln!(
                w,
                "{} errors, {} warnings, {} notes",
                of(Level::Error),
                of(Level::Warning),
                of(Level::Note)
            )
        })?;
        verdict(&findings, &self.package)
    }
}

impl Show {
    fn run(self, out: &Out) -> Result<(), Failure> {
        let (bytes, package) = load(&self.package)?;
        if self.toml {
            let mut description = Description::of(&package);
            if !self.keys {
                description = description.masked();
            }
            let text = toml::to_string(&description).or_exit(exit::FAILED)?;
            return out.print(&description, |w| w.write_all(text.as_bytes()));
        }
        let overview = Overview::of(&package, self.keys);
        out.print(&overview, |w| show(w, &overview, bytes.len()))
    }
}

fn show(w: &mut dyn Write, overview: &Overview, bytes: usize) -> io::Result<()> {
    let (head, hint) = (style::HEAD, style::HINT);
    writeln!(
        w,
        "{head}{}{head:#} version {}, {bytes} bytes",
        overview.profile_type, overview.version
    )?;
    writeln!(w, "ICCID {}  IMSI {}", overview.iccid, overview.imsi)?;
    writeln!(w, "needs {}", overview.services.join(", "))?;
    writeln!(w)?;
    for line in &overview.elements {
        let mandated = if line.mandated { "" } else { " (optional)" };
        let text = match line.identification {
            Some(identification) => format!("#{identification} {}{mandated}", line.text),
            None => line.text.clone(),
        };
        writeln!(
            w,
            "{:>3} {head}{:<22}{head:#} {text}",
            line.number, line.element
        )?;
    }
    writeln!(w)?;
    for file in &overview.files {
        let indent = "  ".repeat(file.depth);
        let sfi = file
            .sfi
            .map_or_else(String::new, |sfi| format!(" SFI {sfi}"));
        let link = file
            .link
            .as_ref()
            .map_or_else(String::new, |link| format!(" -> {link}"));
        let size = match (file.kind, file.record) {
            ("directory", _) => String::new(),
            (kind, 0) => format!(" {kind} {}", file.size),
            (kind, record) => format!(" {kind} {} x {record}", file.size / usize::from(record)),
        };
        writeln!(
            w,
            "{indent}{head}{}{head:#}{size}{sfi} {hint}rule {}{hint:#}{link}",
            file.name, file.access
        )?;
    }
    match &overview.refused {
        None => writeln!(w, "{} bytes on the card", overview.size),
        Some(refused) => writeln!(w, "{hint}not installable:{hint:#} {refused}"),
    }
}
