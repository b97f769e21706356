//! `ipae cap exp`: what a package offers to others, and whether a newer version breaks them.

use super::packages::exports;
use crate::cli::failure::Failure;
use crate::cli::output::{Out, style};
use applet_gen::api::{ApiClass, ApiPackage, flags};
use applet_gen::exp::compare;
use clap::Args;
use host_bridge::exit;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae cap exp target/eum/eum/es10/javacard/es10.exp
  ipae cap exp released/es10.exp target/eum/eum/es10/javacard/es10.exp

With two files, they are two versions of a package, older first: what of the newer one breaks
packages that were converted against the older one (JCVM 4.4), and whether the version numbers
say so (JCVM 4.5). Exit code 12 if it breaks them.")]
pub struct Exp {
    /// The export file, of format 2.1, 2.2 or 2.3
    #[arg(value_name = "FILE.exp")]
    file: PathBuf,
    /// Export file of a newer version of the same package
    #[arg(value_name = "NEWER.exp")]
    newer: Option<PathBuf>,
}

/// One package out of one file.
fn package(path: &PathBuf) -> Result<ApiPackage, Failure> {
    let mut found = exports(std::slice::from_ref(path))?;
    match (found.pop(), found.is_empty()) {
        (Some(package), true) => Ok(package),
        _ => Err(Failure::new(
            exit::USAGE,
            format!("{}: expected one export file", path.display()),
        )),
    }
}

fn words(access: u16) -> String {
    let words = [
        (flags::PUBLIC, "public"),
        (flags::PROTECTED, "protected"),
        (flags::STATIC, "static"),
        (flags::FINAL, "final"),
        (flags::ABSTRACT, "abstract"),
        (flags::SHAREABLE, "shareable"),
    ];
    let found = words.into_iter().filter(|(flag, _)| access & flag != 0);
    found.map(|(_, word)| format!("{word} ")).collect()
}

fn class(w: &mut dyn Write, class: &ApiClass) -> io::Result<()> {
    let head = style::HEAD;
    // Interfaces are abstract anyway.
    let (access, kind) = if class.is_interface() {
        (class.flags & !flags::ABSTRACT, "interface")
    } else {
        (class.flags, "class")
    };
    write!(
        w,
        "{head}{:>3}{head:#}  {}{kind} {}",
        class.token,
        words(access),
        class.name
    )?;
    if let Some(above) = class.super_name.as_ref().filter(|_| !class.is_interface()) {
        write!(w, " extends {above}")?;
    }
    if !class.interfaces.is_empty() {
        let word = if class.is_interface() {
            "extends"
        } else {
            "implements"
        };
        write!(w, " {word} {}", class.interfaces.join(", "))?;
    }
    writeln!(w)?;
    for field in &class.fields {
        let token = field
            .token
            .map_or("-".to_owned(), |token| token.to_string());
        write!(
            w,
            "     {token:>3}  {}{} {}",
            words(field.flags),
            field.name,
            field.descriptor
        )?;
        match field.constant {
            Some(value) => writeln!(w, " = {value}")?,
            None => writeln!(w)?,
        }
    }
    for method in &class.methods {
        writeln!(
            w,
            "     {:>3}  {}{}{}",
            method.token,
            words(method.flags),
            method.name,
            method.descriptor
        )?;
    }
    Ok(())
}

impl Exp {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let old = package(&self.file)?;
        let Some(newer) = &self.newer else {
            return out.print(&old, |w| {
                writeln!(
                    w,
                    "package {} {}.{} {}",
                    old.name,
                    old.major,
                    old.minor,
                    hex::encode_upper(&old.aid)
                )?;
                old.classes.iter().try_for_each(|one| class(w, one))
            });
        };
        let found = compare(&old, &package(newer)?);
        out.print(&found, |w| writeln!(w, "{found}"))?;
        if found.is_compatible() {
            return Ok(());
        }
        let count = found.breaking.len();
        Err(Failure::new(
            exit::CAP,
            format!(
                "{}: {count} changes break importers of the older one",
                newer.display()
            ),
        )
        .next("take them back, or raise the major version and convert all importers again"))
    }
}
