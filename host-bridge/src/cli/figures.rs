//! Measured figures of a run.

use super::lab::Lab;
use applet_model::machine::layout;
use host_bridge::scenario::{Bench, DAY, Failure, ScenarioReport, measure_push};
use host_bridge::terminal::What;
use serde_json::{Map, Value, json};
use std::path::Path;

/// Polls over which an idle card is watched.
const IDLE_POLLS: u64 = 5;

/// The figures of a run, by name; bytes unless the name says otherwise.
pub fn of(lab: &Lab, records: &[ScenarioReport], dir: &Path) -> Map<String, Value> {
    let mut out = Map::new();
    if let Ok(text) = std::fs::read(dir.join("applet").join(applet_gen::build::MANIFEST_FILE))
        && let Ok(manifest) = serde_json::from_slice::<Value>(&text)
    {
        out.insert(
            "cap_load_file_bytes".into(),
            manifest["cap"]["load_size"].clone(),
        );
        out.insert("cap_component_bytes".into(), components(&manifest));
    }
    let buffers = 2 * layout::BUFFER + layout::HOLD;
    out.insert("persistent_record_bytes".into(), layout::PERSISTENT.into());
    out.insert("transient_bytes".into(), (layout::WORKING + buffers).into());
    out.insert("transient_register_bytes".into(), layout::WORKING.into());
    out.insert("transient_buffer_bytes".into(), buffers.into());
    let cards = lab.outcome.done_now.max(1) as u64;
    let traffic = &lab.outcome.traffic;
    out.insert(
        "personalization_apdus_per_card".into(),
        (traffic.apdus / cards).into(),
    );
    out.insert(
        "personalization_bytes_to_card".into(),
        (traffic.sent / cards).into(),
    );
    out.insert(
        "personalization_bytes_from_card".into(),
        (traffic.received / cards).into(),
    );
    out.insert(
        "personalization_seconds_per_card".into(),
        json!((lab.took.as_secs_f64() / cards as f64 * 1000.0).round() / 1000.0),
    );
    if let Some((apdus, bytes)) = load(lab) {
        out.insert("load_apdus".into(), apdus.into());
        out.insert("load_bytes_to_card".into(), bytes.into());
    }
    if let Some((_, card)) = lab.cards.first()
        && let Ok(setup) = lab.eims.setup(card.clone())
        && let Ok(writes) = Bench::new(setup).and_then(idle_writes)
    {
        out.insert("persistent_writes_per_idle_poll".into(), json!(writes));
    }
    for (name, large) in [("push", false), ("push_60_kb", true)] {
        if let Some((_, card)) = lab.cards.first()
            && let Ok(setup) = lab.eims.setup(card.clone())
            && let Ok(figures) = Bench::new(setup).and_then(|b| measure_push(b, large))
        {
            out.insert(name.into(), json!(figures));
        }
    }
    let pushes = records.iter().filter(|r| r.name == "push-indirect");
    let (cards, real_ms) = pushes.fold((0, 0), |(n, ms), r| (n + 1, ms + r.real_ms));
    if cards > 0 {
        out.insert("push_cards".into(), json!(cards));
        out.insert(
            "push_enable_and_read_ms_per_card".into(),
            json!(real_ms / cards),
        );
    }
    if let Some((sent, received)) = records.iter().find_map(wire) {
        out.insert("idle_poll_bytes_sent".into(), sent.into());
        out.insert("idle_poll_bytes_received".into(), received.into());
    }
    out
}

fn components(manifest: &Value) -> Value {
    let list = manifest["cap"]["components"].as_array();
    let pairs = list.into_iter().flatten().filter_map(|component| {
        let name = component["name"].as_str()?.to_owned();
        Some((name, component["size"].clone()))
    });
    Value::Object(pairs.collect())
}

/// APDUs and bytes of INSTALL \[for load\], LOAD and INSTALL \[for install\] under the definition's
/// secure channel.
fn load(lab: &Lab) -> Option<(u64, u64)> {
    let script = super::build::plan(&lab.applet, &lab.eims.definition)
        .ok()?
        .plain()
        .ok()?;
    let commands = script.steps.iter().skip(1);
    let bytes: usize = commands
        .clone()
        .map(|step| step.command.to_bytes().len())
        .sum();
    Some((commands.count() as u64, bytes as u64))
}

/// Persistent writes of an idle card, a poll.
fn idle_writes(mut bench: Bench) -> Result<f64, Failure> {
    let eid = bench.eid.to_string();
    let polls = |n: u64| {
        let eid = eid.clone();
        move |eim: &host_bridge::eim::Eim, _: &host_bridge::eim::Eim| {
            Ok(eim.devices()?.iter().any(|d| d.eid == eid && d.polls >= n))
        }
    };
    let writes = |bench: &Bench| bench.virtual_card().map_or(0, |card| card.nvm().writes);
    bench.step("idle");
    bench.boot()?;
    bench.until(DAY, "a first poll", polls(1))?;
    bench.run_for(60)?;
    let before = writes(&bench);
    bench.until(DAY, "more polls", polls(1 + IDLE_POLLS))?;
    bench.run_for(60)?;
    Ok((writes(&bench) - before) as f64 / IDLE_POLLS as f64)
}

/// Bytes that an idle poll sends to and gets from the network: HTTP, without TCP and IP.
fn wire(record: &ScenarioReport) -> Option<(u64, u64)> {
    if record.name != "nothing-pending" || record.esipa.is_empty() {
        return None;
    }
    let (mut sent, mut received) = (0, 0);
    for entry in &record.exchange {
        match &entry.what {
            What::Sent { data, .. } => sent += data.len() as u64 / 2,
            What::Received { data, .. } => received += data.len() as u64 / 2,
            _ => {}
        }
    }
    let polls = record.esipa.len() as u64;
    Some((sent / polls, received / polls))
}
