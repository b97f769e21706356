//! The CAP on the virtual card and the model, side by side.

use applet_model::apdu::Command;
use applet_model::config::Config;
use applet_model::lockstep::Lockstep;
use applet_model::machine::check::name;
use applet_model::{aid, commands};
use host_bridge::campaign;
use ipae_tests::{factory_card, installed, personalize, send};
use std::sync::atomic::AtomicU64;

#[test]
fn loading_installing_and_personalizing() {
    let mut card = factory_card(1, 1);
    personalize(&mut card, &Config::default());
    let mut lockstep = Lockstep::new();
    lockstep
        .follow(&card.take_trace())
        .unwrap_or_else(|e| panic!("{e}"));
    card.reset();
    assert!(
        send(
            &mut card,
            &applet_gen::gp::command::select(aid::INSTANCE_IPAE)
        )
        .sw
        .is_ok()
    );
    for object in commands::OBJECTS {
        let command = Command::new(0x80, 0xCA, commands::OBJECT_CLASS, object.tag).with_le(256);
        let response = send(&mut card, &command);
        assert!(
            response.sw.is_ok(),
            "{}: {}, {:?}",
            object.name,
            response.sw,
            card.take_fault()
        );
    }
    lockstep
        .follow(&card.take_trace())
        .unwrap_or_else(|e| panic!("{e}"));
    lockstep.finish().unwrap_or_else(|e| panic!("{e}"));
    assert!(lockstep.steps() > 10);
}

/// Random traces, each with inputs of its own seed. `IPAE_TRACES` sets how many, `IPAE_SEED` the first.
#[test]
fn random_traces_take_every_row_on_the_cap() {
    let number = |name, default| {
        std::env::var(name)
            .ok()
            .and_then(|n| n.parse().ok())
            .unwrap_or(default)
    };
    let (first, traces) = (number("IPAE_SEED", 0), number("IPAE_TRACES", 6_000));
    let (card, lockstep) = installed();
    let campaign = campaign::run(&card, &lockstep, first..first + traces, &AtomicU64::new(0))
        .unwrap_or_else(|e| panic!("{e}"));
    let (taken, total) = (campaign.rows.len(), Lockstep::rows_total());
    println!(
        "{traces} traces, {} steps, {taken} of {total} rows",
        campaign.steps
    );
    if first == 0 && traces >= 6_000 {
        let rows = applet_model::machine::table::rows();
        let missing: Vec<_> = (0..total)
            .filter(|r| !campaign.rows.contains(r))
            .map(|r| name(&rows[r]))
            .collect();
        assert!(missing.is_empty(), "rows never taken: {missing:#?}");
    }
}
