//! Figures, and what was found wrong.

use super::client::Client;
use super::device::Device;
use super::drive::Operation;
use super::{LoadError, LoadOptions};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;

/// One poll, for the figures.
pub(super) struct Taken {
    /// When, from the beginning of the load.
    pub(super) at: Duration,
    pub(super) took: Duration,
    pub(super) packages: usize,
}

/// Answers to polls in one quarter of the load's time.
#[derive(Debug, Clone, Serialize)]
pub struct Quarter {
    /// How many.
    pub polls: usize,
    /// Half of the answers came within so many milliseconds.
    pub median_ms: f64,
    /// 99 of 100 did.
    pub p99_ms: f64,
}

/// Something that must not be.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// Whose.
    pub eid: String,
    /// What.
    pub what: String,
}

/// What came of a load.
#[derive(Debug, Clone, Serialize)]
pub struct LoadReport {
    /// Devices.
    pub devices: usize,
    /// Length of the load in seconds, without what followed until nothing waited.
    pub seconds: f64,
    /// Polls that were answered in that time.
    pub polls: usize,
    /// Per second.
    pub polls_per_second: f64,
    /// Operations that the eIM took.
    pub operations: usize,
    /// Per minute.
    pub operations_per_minute: f64,
    /// Packages that eUICCs executed and signed for.
    pub executed: usize,
    /// Answers to polls, by quarters of the load.
    pub quarters: Vec<Quarter>,
    /// Seconds from queued to ended: half of the operations.
    pub median_to_result: f64,
    /// 95 of 100.
    pub p95_to_result: f64,
    /// Requests that failed and were sent again, by reason.
    pub errors: BTreeMap<String, u64>,
    /// Operations lost, doubled, out of order, or not ended well: none in a good run.
    pub findings: Vec<Finding>,
}

/// The value below which so many thousandths of a sorted list are.
fn quantile(sorted: &[f64], thousandths: usize) -> f64 {
    let last = sorted.len().saturating_sub(1);
    sorted
        .get(last * thousandths / 1000)
        .copied()
        .unwrap_or(0.0)
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

pub(super) fn of(
    options: &LoadOptions,
    devices: &[Device],
    operations: &[Operation],
    taken: &[Taken],
    errors: BTreeMap<String, u64>,
) -> Result<LoadReport, LoadError> {
    let within: Vec<&Taken> = taken.iter().filter(|t| t.at < options.duration).collect();
    let seconds = within
        .iter()
        .map(|t| t.at.as_secs_f64())
        .fold(f64::MIN_POSITIVE, f64::max);
    let quarters = (0..4u32)
        .map(|quarter| {
            let (from, to) = (
                options.duration * quarter / 4,
                options.duration * (quarter + 1) / 4,
            );
            let took = sorted(
                within
                    .iter()
                    .filter(|t| (from..to).contains(&t.at))
                    .map(|t| t.took.as_secs_f64() * 1000.0),
            );
            Quarter {
                polls: took.len(),
                median_ms: quantile(&took, 500),
                p99_ms: quantile(&took, 990),
            }
        })
        .collect();
    let (findings, to_result) = compare(options, devices, operations)?;
    let to_result = sorted(to_result.into_iter());
    Ok(LoadReport {
        devices: devices.len(),
        seconds,
        polls: within.len(),
        polls_per_second: within.len() as f64 / seconds,
        operations: operations.len(),
        operations_per_minute: operations.len() as f64 / seconds * 60.0,
        executed: taken.iter().map(|t| t.packages).sum(),
        quarters,
        median_to_result: quantile(&to_result, 500),
        p95_to_result: quantile(&to_result, 950),
        errors,
        findings,
    })
}

/// Holds what the eUICCs executed against what the eIM was asked for and says; gives what is wrong, and
/// the seconds from queued to ended.
fn compare(
    options: &LoadOptions,
    devices: &[Device],
    operations: &[Operation],
) -> Result<(Vec<Finding>, Vec<f64>), LoadError> {
    let client = Client::new(options);
    let (mut findings, mut seconds) = (Vec::new(), Vec::new());
    let mut of_device: BTreeMap<usize, Vec<i64>> = BTreeMap::new();
    for operation in operations {
        of_device
            .entry(operation.device)
            .or_default()
            .push(operation.package);
    }
    for (place, device) in devices.iter().enumerate() {
        let mut asked = of_device.remove(&place).unwrap_or_default();
        if asked.is_empty() && device.executed.is_empty() {
            continue;
        }
        let eid = device.eid.to_string();
        let mut wrong = |what: String| {
            findings.push(Finding {
                eid: eid.clone(),
                what,
            });
        };
        if !asked.is_sorted() {
            wrong("operations were numbered in another order than they were queued".into());
        }
        asked.sort_unstable();
        asked.dedup();
        let listed = client.get(&format!("/devices/{eid}/packages"))?;
        let rows = listed.get("packages").and_then(Value::as_array);
        let rows: BTreeMap<i64, &Value> = rows
            .into_iter()
            .flatten()
            .filter_map(|row| Some((row.get("id")?.as_i64()?, row)))
            .collect();
        let mut transactions = Vec::new();
        for id in &asked {
            let Some(row) = rows.get(id) else {
                wrong(format!("package {id} was taken and is gone"));
                continue;
            };
            let text = |field: &str| row.get(field).and_then(Value::as_str).unwrap_or_default();
            if text("state") != "done" {
                let (state, note) = (text("state"), text("note"));
                wrong(format!("package {id} is {state}: {note}"));
            }
            transactions.push(text("transaction_id").to_owned());
            let time = |field: &str| text(field).parse::<jiff::Timestamp>().ok();
            if let (Some(queued), Some(ended)) = (time("queued_at"), time("ended_at")) {
                seconds.push(ended.duration_since(queued).as_secs_f64());
            }
        }
        if transactions != device.executed {
            wrong(format!(
                "the eUICC executed {} packages, the eIM was asked for {}, or in another order",
                device.executed.len(),
                transactions.len()
            ));
        }
    }
    Ok((findings, seconds))
}
