//! `ipae personalize resume`: the command that began a batch, once more.

use super::super::failure::Failure;
use super::super::output::{Out, write_file};
use super::Run;
use clap::{Args, FromArgMatches};
use host_bridge::exit;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Where the command is kept, in the output folder.
const FILE: &str = "command.json";
/// Options whose value may hold a password: they are not kept.
const SECRET: &[&str] = &["--queue"];

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae personalize resume run1
  ipae personalize resume run1 --retry-failed     with options beside those of the first time

What `ipae personalize run` was called with stands in DIR/command.json; where a password may be in it
(--queue), it is to be given again.")]
pub struct Resume {
    /// Output folder of the batch
    #[arg(value_name = "DIR")]
    out: PathBuf,
    /// Options beside those of the first time
    #[arg(
        value_name = "OPTIONS",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    more: Vec<String>,
}

/// What `ipae personalize run` was called with, and where.
#[derive(Serialize, Deserialize)]
struct Kept {
    folder: PathBuf,
    arguments: Vec<String>,
}

/// The arguments after `personalize run`, without what may be secret; `None` if the process wasn't
/// called so.
fn arguments(all: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let mut all = all
        .skip_while(|word| word != "personalize")
        .skip(1)
        .peekable();
    match all.peek().map(String::as_str) {
        Some("resume") | None => return None,
        Some("run") => drop(all.next()),
        Some(_) => {}
    }
    let mut kept = Vec::new();
    while let Some(word) = all.next() {
        if SECRET.contains(&word.as_str()) {
            all.next();
        } else if !SECRET
            .iter()
            .any(|name| word.starts_with(&format!("{name}=")))
        {
            kept.push(word);
        }
    }
    Some(kept)
}

/// Keeps what the process was called with.
pub fn keep(out: &Path) -> Result<(), Failure> {
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let (Some(arguments), Ok(folder)) = (arguments(words), std::env::current_dir()) else {
        return Ok(());
    };
    let kept = serde_json::to_vec_pretty(&Kept { folder, arguments });
    write_file(&out.join(FILE), &kept.unwrap_or_default())
}

impl Resume {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let path = self.out.join(FILE);
        let bad = |problem: String| {
            Failure::new(exit::JOURNAL, format!("{}: {problem}", path.display()))
                .next("give the command of the first time again: it resumes too")
        };
        let text = std::fs::read(&path).map_err(|e| bad(e.to_string()))?;
        let kept: Kept = serde_json::from_slice(&text).map_err(|e| bad(e.to_string()))?;
        std::env::set_current_dir(&kept.folder)
            .map_err(|e| bad(format!("folder {}: {e}", kept.folder.display())))?;
        let command = Run::augment_args(clap::Command::new("ipae personalize run"))
            .no_binary_name(true)
            .arg(
                clap::Arg::new("json")
                    .long("json")
                    .action(clap::ArgAction::SetTrue),
            )
            .arg(clap::Arg::new("color").long("color").num_args(1));
        let words = kept.arguments.into_iter().chain(self.more);
        let matches = command.try_get_matches_from(words);
        let matches = matches.map_err(|e| Failure::new(exit::USAGE, e.to_string().trim()))?;
        let run = Run::from_arg_matches(&matches);
        run.map_err(|e| Failure::new(exit::USAGE, e))?.run(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(words: &str) -> Option<Vec<String>> {
        arguments(words.split(' ').map(String::from))
    }

    #[test]
    fn passwords_are_not_kept() {
        let words = ["--order", "o.csv", "--out", "d"]
            .map(String::from)
            .to_vec();
        for queue in ["--queue postgres://u:p@h/d", "--queue=postgres://u:p@h/d"] {
            let line = format!("ipae --json personalize run --order o.csv {queue} --out d");
            assert_eq!(kept(&line), Some(words.clone()));
        }
        assert_eq!(kept("ipae personalize --order o.csv --out d"), Some(words));
        assert_eq!(kept("ipae personalize resume d"), None);
        assert_eq!(kept("ipae run"), None);
    }
}
