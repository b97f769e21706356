//! Lock-step campaigns: random traces on the CAP, followed by the model (design decision 1).
//!
//! The card is on its test stand: terminal and eUICC are played by the model's own driver of random
//! traces, well or badly, garbage and losses of power included. A trace is known by its seed.

use applet_model::lockstep::{Divergence, Lockstep};
use applet_model::machine::random::Driver;
use cards::card::{StandError, VirtualCard};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// What a campaign came to.
#[derive(Debug, Clone, Default)]
pub struct Campaign {
    /// Traces.
    pub traces: u64,
    /// Boundary steps that were compared.
    pub steps: u64,
    /// Rows of the transition table that the CAP took.
    pub rows: BTreeSet<usize>,
    /// Deepest stack of the applet, in bytes.
    pub max_stack: usize,
}

/// Why a trace ended early: a defect of the applet, the VM or the model.
#[derive(Debug, thiserror::Error)]
#[error("trace with seed {seed} ({name}), input {number}: {cause}")]
pub struct CampaignError {
    /// Seed that makes the same trace again.
    pub seed: u64,
    /// What the seed plays.
    pub name: String,
    /// Number of the input.
    pub number: usize,
    /// What happened.
    pub cause: Cause,
}

/// What happened to a trace.
#[derive(Debug, thiserror::Error)]
pub enum Cause {
    /// The applet couldn't take the input.
    #[error(transparent)]
    Stand(#[from] StandError),
    /// Applet and model differ.
    #[error(transparent)]
    Lockstep(#[from] Box<Divergence>),
}

/// Runs the traces of these seeds, each from a copy of the card, spread over the processors.
/// `progress` counts the traces that are done.
///
/// # Errors
/// [`CampaignError`]: the first one of the lowest processor.
pub fn run(
    card: &VirtualCard,
    lockstep: &Lockstep,
    seeds: Range<u64>,
    progress: &AtomicU64,
) -> Result<Campaign, CampaignError> {
    let parts = std::thread::available_parallelism().map_or(1, |n| n.get() as u64);
    let length = seeds.end.saturating_sub(seeds.start).div_ceil(parts);
    let mut all = Campaign::default();
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..parts)
            .map(|part| {
                let first = seeds.start.saturating_add(part * length).min(seeds.end);
                let last = first.saturating_add(length).min(seeds.end);
                scope.spawn(move || traces(card, lockstep, first..last, progress))
            })
            .collect();
        for thread in threads {
            let part = thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.traces += part.traces;
            all.steps += part.steps;
            all.rows.extend(part.rows);
            all.max_stack = all.max_stack.max(part.max_stack);
        }
        Ok(all)
    })
}

fn traces(
    card: &VirtualCard,
    lockstep: &Lockstep,
    seeds: Range<u64>,
    progress: &AtomicU64,
) -> Result<Campaign, CampaignError> {
    let mut campaign = Campaign::default();
    for seed in seeds {
        let mut driver = Driver::new(seed);
        let mut lockstep = lockstep.clone();
        let before = lockstep.steps();
        let mut number = 0;
        let traced = trace(card.clone(), &mut lockstep, &mut driver, &mut number);
        let max_stack = traced.map_err(|cause| CampaignError {
            seed,
            name: driver.name(),
            number,
            cause,
        })?;
        campaign.traces += 1;
        campaign.steps += lockstep.steps() - before;
        campaign.rows.extend(lockstep.rows());
        campaign.max_stack = campaign.max_stack.max(max_stack);
        progress.fetch_add(1, Ordering::Relaxed);
    }
    Ok(campaign)
}

/// Gives the deepest stack.
fn trace(
    mut card: VirtualCard,
    lockstep: &mut Lockstep,
    driver: &mut Driver,
    number: &mut usize,
) -> Result<usize, Cause> {
    card.reset();
    card.set_on_stand(true);
    lockstep.follow(&card.take_trace())?;
    let inputs = driver.inputs();
    let mut outputs = Vec::new();
    while *number < inputs {
        let input = driver.next(&outputs);
        let given = card.stand_input(&input);
        let record = card.take_trace();
        lockstep.follow(&record)?;
        given?;
        outputs = record.into_iter().filter(|step| !step.is_input()).collect();
        *number += 1;
    }
    if !lockstep.machine().is_busy() {
        lockstep.finish()?;
    }
    Ok(card.vm().memory().max_stack)
}
