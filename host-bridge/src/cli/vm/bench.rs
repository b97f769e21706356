//! `ipae vm bench`: how fast the virtual card is.

use super::super::failure::Failure;
use super::super::output::{Out, style, write_file};
use clap::Args;
use host_bridge::exit;
use host_bridge::vm_bench::{self, BenchError};
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae vm bench
  ipae vm bench --seconds 5 --cards 10000 --json
  ipae vm bench --card card.json
  ipae vm bench --write-applet peer/src
  ipae vm bench --peer jcardsim:echo=2700000 --peer jcardsim:sign=2900

The applet behind the figures is written by --write-applet: run it on a peer on the same
machine, and give what it reaches with --peer; the ratios are ours to the peer's. Figures are
bytecodes, bytecodes_defensive (a package that was not verified), echo (commands), sign (P-256
signatures), all a second and of one thread, and memory (resident bytes of one more card). It
takes a JDK's javac.")]
pub struct BenchArgs {
    /// Seconds that each rate is measured
    #[arg(long, value_name = "S", default_value_t = 1.0)]
    seconds: f64,
    /// Cards over which memory is measured
    #[arg(long, value_name = "N", default_value_t = 1000)]
    cards: u32,
    /// Measure the memory of this stored card instead of the one with the applet
    #[arg(long, value_name = "FILE")]
    card: Option<PathBuf>,
    /// A peer's figure to compare with
    #[arg(long, value_name = "NAME:FIGURE=VALUE", value_parser = peer)]
    peer: Vec<Peer>,
    /// Write the applet's source to this folder and measure nothing
    #[arg(long, value_name = "DIR")]
    write_applet: Option<PathBuf>,
}

#[derive(Debug, Clone)]
struct Peer {
    name: String,
    figure: String,
    value: f64,
}

fn peer(text: &str) -> Result<Peer, String> {
    let wrong = || format!("expected NAME:FIGURE=VALUE as in jcardsim:echo=2700000, found {text}");
    let (name, rest) = text.split_once(':').ok_or_else(wrong)?;
    let (figure, value) = rest.split_once('=').ok_or_else(wrong)?;
    let known = vm_bench::Figures::default().named();
    if !known.iter().any(|(name, _)| *name == figure) {
        let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
        return Err(format!(
            "no figure {figure}: there are {}",
            names.join(", ")
        ));
    }
    let value: f64 = value.parse().map_err(|_| wrong())?;
    if !value.is_finite() || value <= 0.0 {
        return Err(wrong());
    }
    Ok(Peer {
        name: name.into(),
        figure: figure.into(),
        value,
    })
}

fn failed(error: &BenchError) -> Failure {
    match error {
        BenchError::Javac(_) => Failure::of(exit::BUILD, error)
            .next("install a JDK (javac in PATH or JAVA_HOME), which compiles the applet"),
        _ => Failure::of(exit::FAILED, error),
    }
}

impl BenchArgs {
    pub fn run(self, out: Out) -> Result<(), Failure> {
        if let Some(dir) = &self.write_applet {
            let path = dir.join("ipae/bench/BenchApplet.java");
            write_file(&path, vm_bench::APPLET.as_bytes())?;
            return out.print(&json!({ "file": path }), |w| {
                writeln!(w, "{}", path.display())
            });
        }
        if !(0.001..=600.0).contains(&self.seconds) {
            let text = format!("--seconds is 0.001 to 600, not {}", self.seconds);
            return Err(Failure::new(exit::USAGE, text));
        }
        let time = Duration::from_secs_f64(self.seconds);
        let dir = std::env::temp_dir().join(format!("ipae-vm-bench-{}", std::process::id()));
        let file = vm_bench::load_file(&dir);
        // What is left behind does no harm.
        let _ = std::fs::remove_dir_all(&dir);
        let file = file.map_err(|e| failed(&e))?;
        let card = vm_bench::card(&file).map_err(|e| failed(&e))?;
        let mut figures = vm_bench::rates(&card, time).map_err(|e| failed(&e))?;
        let idle = match &self.card {
            None => card,
            Some(path) => {
                let bytes = std::fs::read(path).map_err(|e| {
                    Failure::new(exit::USAGE, format!("{}: {e}", path.display()))
                        .next("give a card that `ipae vcard` or `ipae run` has stored")
                })?;
                let card = cards::card::VirtualCard::from_bytes(&bytes);
                card.map_err(|e| Failure::of(exit::USAGE, &e))?
            }
        };
        figures.memory = vm_bench::memory(&idle, self.cards).map_err(|e| failed(&e))?;
        let mut ratios = Map::new();
        for peer in &self.peer {
            let ours = figures.named().into_iter().find(|f| f.0 == peer.figure);
            if let Some(ours) = ours.and_then(|f| f.1) {
                let of_peer = ratios.entry(&peer.name).or_insert_with(|| json!({}));
                if let Value::Object(of_peer) = of_peer {
                    of_peer.insert(peer.figure.clone(), json!(round(ours / peer.value)));
                }
            }
        }
        let value = json!({ "figures": figures, "ratios": ratios });
        out.print(&value, |w| {
            let head = style::HEAD;
            writeln!(w, "{head}virtual card, one thread{head:#}")?;
            for (name, figure) in figures.named() {
                let Some(figure) = figure else {
                    continue;
                };
                let unit = if name == "memory" {
                    "bytes a card"
                } else {
                    "a second"
                };
                write!(w, "  {name:<20} {figure:>14.0} {unit}")?;
                for peer in self.peer.iter().filter(|peer| peer.figure == name) {
                    write!(w, "  {:.3} of {}", figure / peer.value, peer.name)?;
                }
                writeln!(w)?;
            }
            Ok(())
        })
    }
}

/// Three digits after the point.
fn round(ratio: f64) -> f64 {
    (ratio * 1000.0).round() / 1000.0
}
