//! The options of a hook: a command for each card.

use clap::{Args, ValueEnum};
use host_bridge::personalize::{Hook, OnHookFailure};
use std::path::PathBuf;
use std::time::Duration;

/// A command for each card.
#[derive(Args)]
#[command(next_help_heading = "A command for each card")]
pub struct HookArgs {
    /// Run this program for each card that ended, without a shell: its receipt (or the event of its
    /// failure) on standard input, IPAE_EID, IPAE_STATE, IPAE_EXIT_CODE and IPAE_READER around it
    #[arg(long = "hook", value_name = "PROGRAM")]
    program: Option<PathBuf>,
    /// An argument for it; once for each
    #[arg(
        long = "hook-arg",
        value_name = "ARG",
        requires = "program",
        allow_hyphen_values = true
    )]
    arguments: Vec<String>,
    /// How long it may take before it is killed
    #[arg(long = "hook-timeout", value_name = "SECONDS", default_value_t = 10, requires = "program", value_parser = clap::value_parser!(u64).range(1..=600))]
    timeout: u64,
    /// What its failure means for the run; a card it never undoes
    #[arg(
        long = "hook-failure",
        value_name = "WHAT",
        default_value = "warn",
        requires = "program"
    )]
    on_failure: HookFailure,
}

/// What a hook's failure means.
#[derive(Clone, Copy, ValueEnum)]
pub enum HookFailure {
    /// It is shown and recorded in hook-failures.jsonl
    Warn,
    /// The run stops too, each card at its next step
    Stop,
}

impl HookArgs {
    /// The hook, if there is one.
    pub fn hook(&self) -> Option<Hook> {
        Some(Hook {
            program: self.program.clone()?,
            arguments: self.arguments.clone(),
            timeout: Duration::from_secs(self.timeout),
            on_failure: match self.on_failure {
                HookFailure::Warn => OnHookFailure::Warn,
                HookFailure::Stop => OnHookFailure::Stop,
            },
        })
    }
}
