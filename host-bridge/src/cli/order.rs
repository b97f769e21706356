//! `ipae order`: order files.

use super::card;
use super::failure::{Failure, OrExit};
use super::keys::{self, KeyArgs};
use super::output::{Out, style, write_file};
use super::pki;
use clap::{Args, Subcommand};
use host_bridge::exit;
use host_bridge::order::{
    COLUMNS, Needs, Order as OrderFile, SampleOptions, TEMPLATE_EXAMPLE, Template, sample,
};
use host_bridge::personalize::JobFile;
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Order {
    /// Write an order to start from
    Sample(Sample),
    /// Check an order file: every error with line and column; no card is touched
    Check(Check),
    /// Write a template to start from: how a vendor's order file is read
    Template(TemplateCommand),
    /// Explain the columns of an order file
    #[command(after_help = "Example:\n  ipae order columns")]
    Columns,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae order sample --count 8 --out order.csv
  ipae order sample --count 1 --eim eim.lab.example --address 192.0.2.1 --port 8080")]
pub struct Sample {
    /// How many cards
    #[arg(long, value_name = "N", default_value_t = 8)]
    count: u32,
    /// Number of the first card
    #[arg(long, value_name = "N", default_value_t = 1)]
    first: u32,
    /// Key set of all cards; `test` is the card definition's public test keys
    #[arg(long, value_name = "NAME", default_value = "test")]
    key_set: String,
    /// IPv4 address of the eIM, for devices that do not resolve its name
    #[arg(long, value_name = "IPV4")]
    address: Option<String>,
    /// TCP port of the eIM
    #[arg(long, default_value_t = 80)]
    port: u16,
    /// Minutes between polls
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    poll: u16,
    #[command(flatten)]
    pki: pki::Dir,
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE.csv")]
    out: Option<PathBuf>,
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae order check order.csv --card virtual-lab
  ipae order check order.csv --card my-card.toml --keys keys.toml
  ipae order check vendor.txt --template vendor.toml --keys keys.ipae
  ipae order check order.jsonl                              JSON Lines: an object a line")]
pub struct Check {
    /// The order
    #[arg(value_name = "FILE")]
    order: PathBuf,
    #[command(flatten)]
    template: TemplateArgs,
    /// The job that it is for: which columns have to be there (`ipae personalize run --dry-run` checks all)
    #[arg(long, value_name = "FILE.toml")]
    job: Option<PathBuf>,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    #[command(flatten)]
    keys: KeyArgs,
}

impl Check {
    fn needs(&self) -> Result<Needs, Failure> {
        let job = self.job.as_deref().map(JobFile::read).transpose()?;
        Ok(job.map(|job| job.needs()).unwrap_or_default())
    }
}

/// How the order file is read.
#[derive(Debug, Args)]
pub struct TemplateArgs {
    /// Template that explains a vendor's order file (`ipae order template`)
    #[arg(long, value_name = "FILE.toml")]
    template: Option<PathBuf>,
}

impl TemplateArgs {
    /// The template, if one was named.
    pub fn read(&self) -> Result<Option<Template>, Failure> {
        Ok(self.template.as_deref().map(Template::read).transpose()?)
    }
}

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae order template --out vendor.toml
  ipae order template                      The example on standard output")]
pub struct TemplateCommand {
    /// File to write; standard output without it
    #[arg(long, value_name = "FILE.toml")]
    out: Option<PathBuf>,
}

impl Order {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        match self {
            Order::Sample(options) => write_sample(options, out),
            Order::Check(check) => {
                let definition = card::find(&check.card)?;
                let order = OrderFile::read_with(
                    &check.order,
                    check.template.read()?.as_ref(),
                    check.needs()?,
                    &definition,
                    &check.keys.store()?,
                )?;
                let value = serde_json::json!({
                    "order": check.order,
                    "sha256": order.digest,
                    "cards": order.rows.len(),
                });
                out.print(&value, |w| {
                    let good = style::GOOD;
                    writeln!(
                        w,
                        "{good}fine{good:#}  {} cards, SHA-256 {}",
                        order.rows.len(),
                        order.digest
                    )
                })
            }
            Order::Template(options) => {
                if let Some(path) = &options.out {
                    write_file(path, TEMPLATE_EXAMPLE.as_bytes())?;
                }
                let value =
                    serde_json::json!({ "template": options.out, "text": TEMPLATE_EXAMPLE });
                out.print(&value, |w| match &options.out {
                    Some(path) => writeln!(w, "{}", path.display()),
                    None => write!(w, "{TEMPLATE_EXAMPLE}"),
                })
            }
            Order::Columns => columns(out),
        }
    }
}

/// The text of a sample order whose eIM is that of the hierarchy.
pub fn sample_text(
    hierarchy: &cards::pki::Hierarchy,
    options: SampleOptions,
) -> Result<String, Failure> {
    let eim = pki::eim(hierarchy)?;
    let key = eim
        .key
        .public_key()
        .and_then(|key| key.to_spki())
        .or_exit(exit::KEYS)?;
    Ok(sample(&SampleOptions {
        eim: eim.fqdn,
        eim_public_key: hex::encode_upper(key),
        ..options
    }))
}

fn write_sample(options: Sample, out: &Out) -> Result<(), Failure> {
    let text = sample_text(
        &options.pki.load()?,
        SampleOptions {
            count: options.count,
            first: options.first,
            key_set: options.key_set,
            address: options.address,
            port: options.port,
            poll_minutes: options.poll,
            ..SampleOptions::default()
        },
    )?;
    match options.out {
        Some(path) => {
            write_file(&path, text.as_bytes())?;
            let value = serde_json::json!({ "order": path, "cards": options.count });
            out.print(&value, |w| {
                writeln!(w, "{} ({} cards)", path.display(), options.count)
            })
        }
        None => {
            let value = serde_json::json!({ "cards": options.count, "csv": text });
            out.print(&value, |w| write!(w, "{text}"))
        }
    }
}

fn columns(out: &Out) -> Result<(), Failure> {
    let mut rows: Vec<_> = COLUMNS
        .iter()
        .map(|c| (c.name, c.required, c.doc.to_owned()))
        .collect();
    for item in applet_model::config::ITEMS {
        rows.push((item.name, false, format!("applet: {}", item.doc)));
    }
    let value: Vec<_> = rows
        .iter()
        .map(|(name, required, doc)| serde_json::json!({"name": name, "required": required, "text": doc}))
        .collect();
    out.print(&value, |w| {
        let head = style::HEAD;
        for (name, required, doc) in &rows {
            let mark = if *required { "required" } else { "" };
            writeln!(w, "{head}{name:<18}{head:#} {mark:<9} {doc}")?;
        }
        writeln!(w, "\nKey sets: {}", keys::HELP)
    })
}
