//! `ipae personalize verify-receipts`: are all receipts there, unaltered, in their place, once?

use super::super::failure::Failure;
use super::super::output::{Out, style};
use clap::Args;
use host_bridge::exit;
use host_bridge::personalize::Signer;
use host_bridge::personalize::receipt::{FindingKind, read_public, verify};
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae personalize verify-receipts run1 --key station.pub.pem
  ipae personalize verify-receipts station-a station-b       an order that two stations shared

Without --key each folder's own receipt-key.pub.pem is taken: that shows that nothing was lost or mixed
up, but not by whom the receipts were signed. The order's cards are those of receipts.json, which is
signed too. The form of receipts is in the documentation of host_bridge::personalize::receipt.")]
pub struct VerifyReceipts {
    /// Output folders of the order's stations
    #[arg(value_name = "DIR", required = true)]
    out: Vec<PathBuf>,
    /// Public key of the stations, in PEM; several in the sequence of the folders
    #[arg(long = "key", value_name = "FILE.pem")]
    keys: Vec<PathBuf>,
}

impl VerifyReceipts {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let mut stations = Vec::new();
        for (i, directory) in self.out.iter().enumerate() {
            let own = Signer::public_file(&directory.join(Signer::FILE));
            // One key is every folder's.
            let key = self.keys.get(i).or(self.keys.first()).unwrap_or(&own);
            stations.push((directory.clone(), read_public(key)?));
        }
        let found = verify(&stations, None)?;
        let missing = |kind: FindingKind| found.findings.iter().filter(|f| f.kind == kind).count();
        out.print(&found, |w| {
            for finding in &found.findings {
                let (bad, kind) = (style::ERROR, format!("{:?}", finding.kind).to_lowercase());
                writeln!(w, "{bad}{kind}{bad:#} {}: {}", finding.of, finding.problem)?;
            }
            for chain in &found.chains {
                writeln!(
                    w,
                    "station {}: {} receipts, the last {}",
                    chain.station, chain.receipts, chain.last
                )?;
            }
            let good = if found.findings.is_empty() {
                style::GOOD
            } else {
                style::ERROR
            };
            writeln!(
                w,
                "{good}{} receipts for {} cards, {} findings{good:#}",
                found.receipts,
                found.cards,
                found.findings.len()
            )
        })?;
        match found.findings.len() {
            0 => Ok(()),
            n => Err(Failure::new(
                exit::RECEIPTS,
                format!(
                    "{n} things are wrong with the receipts ({} missing)",
                    missing(FindingKind::Missing)
                ),
            )
            .next("`ipae personalize resume DIR` writes again what the journal has; what is altered must be explained")),
        }
    }
}
