//! `ipae personalize job`: what every card gets; and a dry run.

use super::super::card;
use super::super::failure::Failure;
use super::super::output::{Out, style, write_file};
use clap::Args;
use host_bridge::personalize::job::dry::{DryRun, Planned};
use host_bridge::personalize::job::{IPAE, STEPS};
use host_bridge::personalize::{Job, JobFile};
use serde_json::json;
use std::path::{Path, PathBuf};

const HELP: &str = "\
Examples:
  ipae personalize job --out job.toml                 the job that is done without --job, to start from
  ipae personalize job job.toml --card my-card.toml   check it: every error with its line
  ipae personalize run --order order.csv --job job.toml --card my-card.toml --dry-run
  ipae personalize run --order order.csv --job job.toml --card my-card.toml --reader \"ACR38\" --out run1

A job of an applet of one's own, with data of each card:
  format = 1
  title = \"Transit applet\"
  [cap.lib]
  file = \"lib.cap\"
  [cap.transit]
  file = \"transit.cap\"
  [[step]]
  do = \"load\"
  cap = \"lib\"
  [[step]]
  do = \"load\"
  cap = \"transit\"
  [[step]]
  do = \"install\"
  cap = \"transit\"
  parameters = { toolkit = { priority = 1, menu = [{ position = 1, identifier = 1 }] } }
  [[step]]
  do = \"store\"
  to = \"A00000000301\"
  dgis = [{ tag = \"0101\", value = \"{eid}\" }, { tag = \"8001\", value = \"{x_serial}\" }]
  [[step]]
  do = \"rotate-keys\"
  required = true
  [[step]]
  do = \"set-state\"
  card = \"secured\"
  [[step]]
  do = \"read\"
  select = \"A00000000301\"
  command = \"80CA0101\"
  expect = \"0101??{eid}\"
";

fn help() -> String {
    let mut text = format!(
        "{HELP}\nThe kinds of step (each may have a name of its own, the journal's and the receipt's):\n"
    );
    for step in STEPS {
        text.push_str(&format!(
            "  {:<12} {}\n               when a run goes on: {}\n",
            step.name, step.doc, step.again
        ));
    }
    text
}

#[derive(Args)]
#[command(after_help = help())]
pub struct JobCommand {
    /// The job to check; without it the job to start from is written
    #[arg(value_name = "FILE.toml", conflicts_with = "out")]
    job: Option<PathBuf>,
    /// Card definition that it is compared with: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", requires = "job")]
    card: Option<String>,
    /// The applet's CAP file, where the job has `build = true`; without it the applet is built
    #[arg(long, value_name = "FILE.cap", requires = "job")]
    cap: Option<PathBuf>,
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
}

impl JobCommand {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match (&self.job, &self.out) {
            (Some(path), _) => self.check(path, out),
            (None, Some(path)) => write_file(path, IPAE.as_bytes()),
            (None, None) => out.print(&json!({ "job": IPAE, "steps": STEPS }), |w| {
                w.write_all(IPAE.as_bytes())
            }),
        }
    }

    fn check(&self, path: &Path, out: &Out) -> Result<(), Failure> {
        let file = JobFile::read(path)?;
        let definition = self.card.as_deref().map(card::find).transpose()?;
        let folder = super::scratch()?;
        let name = self.card.as_deref().unwrap_or("virtual-lab");
        let job = with(file, self.cap.as_deref(), &folder, name, out);
        let _ = std::fs::remove_dir_all(&folder);
        let job = job?;
        if let Some(definition) = &definition {
            job.fits(definition)?;
        }
        let steps: Vec<&str> = job.steps.iter().map(|step| step.name.as_str()).collect();
        let packages: Vec<_> = job
            .caps
            .iter()
            .map(|cap| json!({ "cap": cap.name, "sha256": cap.applet.digest, "package": hex::encode_upper(&cap.applet.package) }))
            .collect();
        let value = json!({ "title": job.title, "sha256": job.digest, "steps": steps, "packages": packages });
        out.print(&value, |w| {
            let good = style::GOOD;
            writeln!(w, "{good}{}{good:#}", job.title)?;
            writeln!(w, "  steps     {}", steps.join(", "))?;
            for cap in &job.caps {
                let package = hex::encode_upper(&cap.applet.package);
                writeln!(
                    w,
                    "  package   {} {package}, {} bytes",
                    cap.name,
                    cap.applet.load_file.len()
                )?;
            }
            writeln!(w, "  sha256    {}", job.digest)
        })
    }
}

/// A job with its packages: the applet is the CAP file given, or built in a folder below `folder`.
pub fn with(
    file: JobFile,
    cap: Option<&Path>,
    folder: &Path,
    card: &str,
    out: &Out,
) -> Result<Job, Failure> {
    let applet = match file.wants_applet() {
        true => Some(super::applet(cap, folder, card, out)?),
        false => None,
    };
    Ok(file.with(applet)?)
}

/// Shows a dry run.
pub fn dry(run: &DryRun, out: &Out) -> Result<(), Failure> {
    out.print(run, |w| {
        let (head, dim) = (style::HEAD, style::DIM);
        writeln!(
            w,
            "{head}{}{head:#}: {} commands for card {} (line {}), none sent",
            run.job,
            run.commands.len(),
            run.eid,
            run.line
        )?;
        let mut step = "";
        for (i, command) in run.commands.iter().enumerate() {
            if step != command.step {
                step = &command.step;
                writeln!(w, "{head}{step}{head:#}")?;
            }
            let Planned {
                what,
                command,
                secured,
                expected,
                ..
            } = command;
            let through = if *secured { "SCP03 " } else { "" };
            writeln!(w, "{:>4} {what}", i + 1)?;
            writeln!(w, "     {dim}{through}{command} -> {expected}{dim:#}")?;
        }
        writeln!(
            w,
            "{} bytes on the contact, with T=0, besides answers whose length the card chooses",
            run.bytes
        )?;
        match &run.predicted {
            None => writeln!(
                w,
                "no time is predicted: the card definition has no [cost]; measure a card, or write one"
            ),
            Some(time) => {
                writeln!(
                    w,
                    "{head}predicted{head:#} {} ms a card: {} ms contact, {} ms memory, {} ms secure channel",
                    time.card_ms, time.link_ms, time.memory_ms, time.crypto_ms
                )?;
                writeln!(
                    w,
                    "{head}predicted{head:#} {} for {} cards with {} reader{}",
                    hours(time.order_s),
                    run.cards,
                    run.readers,
                    if run.readers == 1 { "" } else { "s" }
                )?;
                writeln!(w, "  by {}; not counted: {}", time.basis, time.not_counted)
            }
        }
    })
}

fn hours(seconds: u64) -> String {
    format!(
        "{} h {:02} min {:02} s",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}
