//! `ipae vm trace`: instruction after instruction, or stops at breakpoints.

use super::load::{Commands, Load, exchange_json, installed, play, write_exchange};
use crate::cli::failure::Failure;
use crate::cli::output::{Out, style};
use cards::observe::{Break, Entry, Filter, Tracer};
use clap::Args;
use host_bridge::exit;
use host_bridge::observe::Exchange;
use serde_json::{Value, json};

#[derive(Args)]
#[command(after_help = "\
Examples:
  ipae vm trace echo.cap --apdu 80010000050102030405
  ipae vm trace echo.cap --method Echo.process --apdu 80010000050102030405
  ipae vm trace echo.cap --break Echo.process:31 --break Buffer.append --script commands.txt

A line is an instruction: method, offset in the Method component, source line, mnemonic,
operands and what they mean, and the operand stack before it with its top last; calls are
indented. Names and lines come from the CAP's Debug component, if it has one; without it classes
and methods are known by their offsets, and methods that override one of the API by its name. At
a breakpoint, locals, stack and callers are shown, and the applet runs on.")]
pub struct Trace {
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    commands: Commands,
    /// Methods to trace: CLASS.METHOD, CLASS or .METHOD; all without it
    #[arg(long, value_name = "NAME")]
    method: Vec<String>,
    /// Packages to trace, by AID or its beginning; all without it
    #[arg(long, value_name = "AID")]
    package: Vec<String>,
    /// Where to stop and look: CLASS.METHOD, CLASS.METHOD:LINE or FILE.java:LINE
    #[arg(long = "break", value_name = "PLACE")]
    breaks: Vec<String>,
    /// Trace the installation, too
    #[arg(long)]
    with_install: bool,
    /// Lines at most
    #[arg(long, value_name = "N", default_value_t = 5000)]
    limit: usize,
}

impl Trace {
    pub fn run(self, out: &Out) -> Result<(), Failure> {
        let steps = self.commands.steps()?;
        let mut breaks = Vec::new();
        for text in &self.breaks {
            let parsed: Result<Break, String> = text.parse();
            let wrong = |e| Failure::new(exit::USAGE, format!("--break: {e}"));
            breaks.push(parsed.map_err(wrong)?);
        }
        let filter = Filter {
            methods: self.method.clone(),
            packages: self.package.iter().map(|aid| aid.to_uppercase()).collect(),
        };
        let mut session = self.load.session(out)?;
        let names = session.names();
        let tracer =
            |limit| Tracer::new(names.clone()).tracing(filter.clone(), breaks.clone(), limit);
        let mut sections: Vec<(Vec<Entry>, Option<Exchange>)> = Vec::new();
        let mut left_out = 0;
        let instances = if self.with_install {
            let shared = session.trace(tracer(self.limit));
            let instances = self.load.install(&mut session)?;
            let (entries, more) = shared.with(Tracer::take);
            left_out += more;
            sections.push((entries, None));
            instances
        } else {
            installed(&self.load, &mut session)?
        };
        let used: usize = sections.iter().map(|(entries, _)| entries.len()).sum();
        let limit = self.limit.saturating_sub(used);
        let shared = session.trace(tracer(limit));
        play(&mut session, &instances, steps, &mut |_, exchange| {
            sections.push((shared.with(Tracer::take).0, Some(exchange.clone())));
            Ok(())
        })?;
        left_out += shared.with(Tracer::take).1;
        let value: Vec<Value> = sections
            .iter()
            .map(|(entries, exchange)| {
                json!({
                    "exchange": exchange.as_ref().map(|e| exchange_json(e, &names)),
                    "trace": entries.iter().map(|e| e.text(&names)).collect::<Vec<_>>(),
                })
            })
            .collect();
        out.print(&json!({ "sections": value, "left_out": left_out }), |w| {
            let hint = style::HINT;
            for (entries, exchange) in &sections {
                for entry in entries {
                    writeln!(w, "{}", entry.text(&names))?;
                }
                if let Some(exchange) = exchange {
                    write_exchange(w, exchange, &names)?;
                }
            }
            if left_out > 0 {
                writeln!(
                    w,
                    "{hint}{left_out} lines more: see --limit and --method{hint:#}"
                )?;
            }
            Ok(())
        })
    }
}
