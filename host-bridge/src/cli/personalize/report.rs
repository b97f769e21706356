//! `ipae personalize report`: the report on a batch.

use super::super::failure::Failure;
use super::super::output::Out;
use clap::Args;
use host_bridge::exit;
use host_bridge::report::batch::BatchReport;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae personalize report run1                 run1/batch.html and run1/batch.json
  ipae personalize report run1 --to reports    the same elsewhere
  ipae personalize report --queue postgres://line@db/order7 --to reports    of all stations that share an order

Yield, failures by class, time per step, the slowest cards, each failed card with its last commands.")]
pub struct Report {
    /// Output folder of the batch
    #[arg(value_name = "DIR", required_unless_present = "queue")]
    out: Option<PathBuf>,
    /// The queue that stations share, instead of a folder
    #[arg(long, value_name = "ADDRESS", conflicts_with = "out", requires = "to")]
    queue: Option<String>,
    /// Where the report goes; the output folder without it
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

impl Report {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let here = PathBuf::from(".");
        let folder = self.out.as_ref().unwrap_or(&here);
        let journal = super::journal(self.queue.as_deref(), folder)?;
        let report = BatchReport::of(journal.as_ref(), &jiff::Timestamp::now().to_string())?;
        let to = self.to.as_ref().unwrap_or(folder);
        let cannot = |path: PathBuf, e: std::io::Error| {
            Failure::new(
                exit::OUTPUT,
                format!("failed to write {}: {e}", path.display()),
            )
        };
        std::fs::create_dir_all(to).map_err(|e| cannot(to.clone(), e))?;
        let [_, html] = report.write(to).map_err(|(path, e)| cannot(path, e))?;
        out.print(&report, |w| {
            writeln!(
                w,
                "{} of {} cards done, {} failed; {}",
                report.done,
                report.cards,
                report.failed,
                html.display()
            )
        })
    }
}
