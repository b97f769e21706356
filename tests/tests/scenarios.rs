//! Every scenario on a virtual card, in this process.

use applet_model::config::Config;
use applet_model::lockstep::Lockstep;
use applet_model::sgp::Encode;
use applet_model::sgp::eim_config::AddInitialEimRequest;
use cards::card::VirtualCard;
use cards::definition::Definition;
use cards::pki::Hierarchy;
use host_bridge::eim::EimIdentity;
use host_bridge::scenario::{self, Outcome, SCENARIOS, Setup};
use ipae_tests::{factory_card, personalize, send};
use std::collections::BTreeSet;

fn personalized(identity: &EimIdentity) -> VirtualCard {
    let mut card = factory_card(1, 1);
    let config = Config {
        address: [192, 0, 2, 1],
        ..Config::default()
    };
    personalize(&mut card, &config);
    card.reset();
    let entry = identity.configuration(0, false).expect("an entry");
    let request = AddInitialEimRequest {
        eim_configuration_data_list: vec![entry],
    };
    let request = request.to_der().expect("DER");
    assert!(
        send(
            &mut card,
            &applet_gen::gp::command::select(applet_model::aid::ISD_R)
        )
        .sw
        .is_ok()
    );
    for block in applet_gen::gp::command::store_data(&request, 255, 0x11) {
        let response = send(&mut card, &block.with_le(256));
        assert!(response.sw.is_ok(), "{}", response.sw);
    }
    card
}

#[test]
fn all_scenarios_pass_on_the_cap_in_lock_step() {
    let hierarchy = Hierarchy::lab().expect("the lab's hierarchy");
    let identity = EimIdentity::of_hierarchy(&hierarchy).expect("an eIM");
    let second = EimIdentity::new(
        &hierarchy,
        &hierarchy.issue_eim("eim2.lab.example").expect("an eIM"),
    );
    let card = personalized(&identity);
    let definition = Definition::find("virtual-lab").expect("a definition");
    let only = std::env::var("IPAE_SCENARIO").ok();
    let mut failures = Vec::new();
    let mut rows = BTreeSet::new();
    for scenario in SCENARIOS
        .iter()
        .filter(|s| only.as_deref().is_none_or(|only| only == s.name))
    {
        let setup = Setup::of_virtual(
            card.clone(),
            definition.clone(),
            identity.clone(),
            second.clone(),
        )
        .unwrap_or_else(|e| panic!("{e}"))
        .with_smdp(hierarchy.clone());
        let report = scenario::run(scenario, setup);
        println!(
            "{:22} {:?} {} ms, {} virtual s, {} APDUs, {} steps in lock-step {}",
            report.name,
            report.outcome,
            report.real_ms,
            report.virtual_ms / 1000,
            report.exchange.iter().map(|r| r.apdu).max().unwrap_or(0),
            report.lockstep_steps,
            report.failure.as_deref().unwrap_or_default()
        );
        if only.is_some() {
            for record in &report.exchange {
                println!("{:5} {:8} {:?}", record.apdu, record.at_ms, record.what);
            }
            for exchange in &report.esipa {
                println!("{exchange:?}");
            }
        }
        rows.extend(report.rows);
        if report.outcome != Outcome::Passed {
            failures.push(report.name);
        }
    }
    println!("{} of {} rows taken", rows.len(), Lockstep::rows_total());
    assert_eq!(failures, Vec::<&str>::new());
}
