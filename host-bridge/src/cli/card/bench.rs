//! `ipae card bench`: what an APDU costs on our side of the reader, and a load's APDUs.

use super::super::failure::Failure;
use super::super::output::{Out, read_file, style};
use super::find;
use clap::Args;
use host_bridge::exit;
use host_bridge::link_bench::{self, Figures, Load};
use host_bridge::transport::pcsc::PcscLink;
use serde::Serialize;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae card bench
  ipae card bench --cap applet/ipae.cap --card virtual-lab
  ipae card bench --reader \"Virtual PCD 00 00\" --count 2000 --json

Without a card, only our own side is measured: commands go through secure channel, protocol rules
and counting to a link that answers at once. With one, SELECT of the security domain (which no card
counts) is sent over and over as it is, and the difference is card, reader and PC/SC service. With a
CAP file, the LOAD commands are compared with the least that the definition's card and a reader could
do with. Medians over the runs; no card is changed.")]
pub struct Bench {
    /// A PC/SC reader whose card is asked, or a part of its name that no other has
    #[arg(long, value_name = "NAME")]
    reader: Option<String>,
    /// A CAP file whose load is counted
    #[arg(long, value_name = "FILE.cap")]
    cap: Option<PathBuf>,
    /// Card definition for the counting of a load
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// Commands of a run
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u32,
    /// Runs, of which the median is shown
    #[arg(long, value_name = "N", default_value_t = 5)]
    runs: u32,
}

#[derive(Serialize)]
struct Report {
    figures: Figures,
    load: Option<Load>,
}

impl Bench {
    pub fn run(&self, out: &Out) -> Result<(), Failure> {
        if !(1..=1_000_000).contains(&self.count) || !(1..=1000).contains(&self.runs) {
            let text = "--count is 1 to 1000000, --runs 1 to 1000";
            return Err(Failure::new(exit::USAGE, text));
        }
        let definition = find(&self.card)?;
        let load = match &self.cap {
            Some(path) => {
                let bytes = read_file(path, exit::CAP)?;
                Some(link_bench::load(&bytes, &definition)?)
            }
            None => None,
        };
        let mut figures = link_bench::own(&definition, self.count, self.runs)?;
        if let Some(reader) = &self.reader {
            let mut link = PcscLink::look(reader)?;
            link_bench::round_trip(&mut figures, &mut link, &definition, self.count, self.runs)?;
        }
        let report = Report { figures, load };
        out.print(&report, |w| report.write(w))
    }
}

impl Report {
    fn write(&self, w: &mut dyn Write) -> io::Result<()> {
        let head = style::HEAD;
        let figures = &self.figures;
        writeln!(
            w,
            "{head}microseconds an APDU{head:#} (median of {} runs of {})",
            figures.runs, figures.count
        )?;
        let mut line = |name: &str, value: f64| writeln!(w, "  {name:<44} {value:>9.2}");
        line("our side, plain", figures.plain_us)?;
        line("our side, LOAD block under level 03", figures.secure_us)?;
        if let Some(total) = figures.total_us {
            line("with card, reader and service", total)?;
        }
        if let Some(load) = &self.load {
            writeln!(w, "{head}LOAD commands{head:#} for {} bytes", load.bytes)?;
            let limit = load.limit;
            for row in &load.levels {
                writeln!(
                    w,
                    "  level {:02X}: {} of {} bytes; the least with {limit} bytes of data is {}",
                    row.level, row.commands, row.block, row.least
                )?;
            }
        }
        Ok(())
    }
}
