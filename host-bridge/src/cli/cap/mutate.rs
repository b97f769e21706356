//! `ipae cap mutate`: campaigns of mutants.

use super::File;
use super::verify::{export, packages};
use crate::cli::card;
use crate::cli::failure::{Failure, OrExit};
use crate::cli::output::{Out, progress, style, write_file};
use applet_gen::cap::Cap;
use applet_gen::cap::verify::Verdict;
use cards::card::CardConfig;
use cards::euicc::{Eid, EuiccConfig};
use clap::Args;
use host_bridge::exit;
use host_bridge::mutation::{Base, Campaign, Figures, Trouble};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae cap mutate target/applet/ipae.cap --count 20000 --seed 1
  ipae cap mutate client.cap --with server.cap --count 5000
  ipae cap mutate target/applet/ipae.cap --seed 4711 --count 1 --out target/mutants

Each mutant is parsed, verified, loaded onto a virtual card whatever the verifier says,
installed, and its applets are sent commands and events, all checks at run time on. Seeds start
at --seed and take the CAP files in turn: a seed makes the same mutant whenever it is given with
the same files. Exit code 0: no panic, no command without end, and no mutant that the verifier
accepted was stopped by the checks of type safety at run time. Mutants that show a defect are
kept in --out.")]
pub struct Mutate {
    /// CAP files to make mutants of
    #[arg(value_name = "FILE.cap", required = true)]
    files: Vec<PathBuf>,
    /// CAP file that the card has already, unchanged; may be given more than once
    #[arg(long, value_name = "FILE.cap")]
    with: Vec<PathBuf>,
    /// Export file of a package that is imported; may be given more than once
    #[arg(long, value_name = "FILE.exp")]
    exp: Vec<PathBuf>,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 2000)]
    count: u64,
    /// First seed
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Card definition: a name of `ipae card list`, or a file
    #[arg(long, value_name = "DEF", default_value = "virtual-lab")]
    card: String,
    /// Where mutants go that show a defect
    #[arg(long, value_name = "DIR", default_value = "target/mutants")]
    out: PathBuf,
    /// Keep every mutant that is a CAP by its form, with the verdicts in verdicts.tsv, to have another
    /// verifier judge them too; nothing is run then
    #[arg(long)]
    keep: bool,
}

fn named(paths: &[PathBuf]) -> Result<Vec<(String, Cap)>, Failure> {
    paths
        .iter()
        .map(|path| Ok((path.display().to_string(), File::cap(path)?)))
        .collect()
}

impl Mutate {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let files = named(&self.files)?;
        let libraries = named(&self.with)?;
        let exports = self.exp.iter().map(|path| export(path));
        let exports = exports.collect::<Result<Vec<_>, _>>()?;
        let all: Vec<Cap> = libraries.iter().map(|(_, cap)| cap.clone()).collect();
        let packages = packages(exports, &all);
        let bases = files.iter().map(|(name, cap)| Base::new(name, cap));
        let bases = bases.collect::<Result<Vec<_>, _>>().or_exit(exit::CAP)?;
        let definition = card::find(&self.card)?;
        let eid = Eid::with_check_digits(&format!("89049032{:022}", 1)).or_exit(exit::FAILED)?;
        let euicc = EuiccConfig::lab(eid).or_exit(exit::FAILED)?;
        let config = CardConfig::with_test_keys(definition, 1, euicc).or_exit(exit::KEYS)?;
        let campaign = Campaign::new(config, bases, &libraries, packages).or_exit(exit::FAILED)?;
        let seeds = self.seed..self.seed.saturating_add(self.count);
        if self.keep {
            return self.keep_all(&campaign, seeds, out);
        }
        let bar = progress(out, self.count, "mutants");
        let done = AtomicU64::new(0);
        // What a mutant makes panic is reported with its seed; the usual message, which says where, is for
        // the one mutant that is looked into.
        let quiet = self.count > 1;
        let hook = quiet.then(std::panic::take_hook);
        if quiet {
            std::panic::set_hook(Box::new(|_| {}));
        }
        let started = Instant::now();
        let (figures, troubles) = std::thread::scope(|scope| {
            let worker = scope.spawn(|| campaign.run(seeds, &done));
            while !worker.is_finished() {
                bar.set_position(done.load(Ordering::Relaxed));
                std::thread::sleep(Duration::from_millis(50));
            }
            worker.join()
        })
        .map_err(|_| Failure::new(exit::FAILED, "the campaign itself panicked"))?;
        if let Some(hook) = hook {
            std::panic::set_hook(hook);
        }
        bar.finish_and_clear();
        self.report(&figures, &troubles, started.elapsed(), out)
    }

    fn report(
        &self,
        figures: &Figures,
        troubles: &[Trouble],
        took: Duration,
        out: &Out,
    ) -> Result<(), Failure> {
        for trouble in troubles {
            let path = self.out.join(format!("{}.loadfile", trouble.seed));
            write_file(&path, &trouble.load_file)?;
        }
        let list: Vec<serde_json::Value> = (troubles.iter())
            .map(|trouble| {
                serde_json::json!({
                    "file": trouble.base, "seed": trouble.seed,
                    "change": trouble.change, "what": trouble.what,
                })
            })
            .collect();
        let value = serde_json::json!({
            "figures": figures, "troubles": list, "seconds": took.as_secs_f64(),
        });
        out.print(&value, |w| {
            let (bad, good) = (style::ERROR, style::GOOD);
            for trouble in troubles {
                let Trouble {
                    base,
                    seed,
                    change,
                    what,
                    ..
                } = trouble;
                writeln!(
                    w,
                    "{bad}defect{bad:#}        {base}, seed {seed}, {change}: {what}"
                )?;
            }
            let f = figures;
            writeln!(
                w,
                "mutants       {} in {:.1} s",
                f.mutants,
                took.as_secs_f64()
            )?;
            writeln!(
                w,
                "parsed        {}, of which refused {}, verified {}",
                f.parsed, f.refused, f.verified
            )?;
            writeln!(
                w,
                "loaded        {}, of which refused by the verifier {}",
                f.loaded, f.loaded_though_refused
            )?;
            writeln!(
                w,
                "run           {}, with {} commands and events",
                f.run, f.commands
            )?;
            writeln!(
                w,
                "stopped       {} by checks at run time, {} by the limit of instructions",
                f.stopped, f.out_of_fuel
            )?;
            let mark = if troubles.is_empty() { good } else { bad };
            writeln!(
                w,
                "{mark}defects{mark:#}       {} panics, {} contradictions",
                f.panics, f.contradictions
            )
        })?;
        if troubles.is_empty() {
            return Ok(());
        }
        let what = format!("{} mutants show a defect of this tool", troubles.len());
        Err(Failure::new(exit::FAILED, what).next(format!(
            "the mutants are in {}; the same files with --seed and --count 1 make one again",
            self.out.display()
        )))
    }

    fn keep_all(
        &self,
        campaign: &Campaign,
        seeds: std::ops::Range<u64>,
        out: &Out,
    ) -> Result<(), Failure> {
        let mut lines = String::new();
        for seed in seeds {
            let Some(judged) = campaign.judge(seed) else {
                continue;
            };
            let (Ok(cap), Some(verdict)) = (&judged.cap, &judged.verdict) else {
                continue;
            };
            let Ok(jar) = cap.to_jar() else {
                continue;
            };
            write_file(&self.out.join(format!("{seed}.cap")), &jar)?;
            let word = if Verdict::is_verified(verdict) {
                "verified"
            } else {
                "refused"
            };
            let first = verdict.findings.first().map(ToString::to_string);
            let change = &judged.mutant.change;
            let base = &judged.base;
            let first = first.unwrap_or_default();
            lines.push_str(&format!("{seed}.cap\t{word}\t{base}\t{change}\t{first}\n"));
        }
        let path = self.out.join("verdicts.tsv");
        write_file(&path, lines.as_bytes())?;
        let value = serde_json::json!({ "verdicts": path });
        out.print(&value, |w| writeln!(w, "{}", path.display()))
    }
}
