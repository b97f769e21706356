//! Mutants of the applet: parsed, verified, loaded whatever the verdict, and run. None may make the tool
//! panic or hang, and none that the verifier accepts may break type safety. `IPAE_MUTANTS` is their number.

use cards::card::CardConfig;
use cards::definition::Definition;
use cards::euicc::EuiccConfig;
use host_bridge::mutation::{Base, Campaign};
use ipae_tests::{applet, eid};
use std::sync::atomic::AtomicU64;

#[test]
fn no_mutant_of_the_applet_breaks_verifier_or_vm() {
    let count = std::env::var("IPAE_MUTANTS").map_or(300, |n| n.parse().unwrap());
    let base = Base::new("ipae.cap", &applet().cap).unwrap();
    let definition = Definition::find("virtual-lab").unwrap();
    let euicc = EuiccConfig::lab(eid(1)).unwrap();
    let config = CardConfig::with_test_keys(definition, 1, euicc).unwrap();
    let campaign = Campaign::new(config, vec![base], &[], Vec::new()).unwrap();
    let (figures, troubles) = campaign.run(1..1 + count, &AtomicU64::new(0));
    let told: Vec<String> = (troubles.iter())
        .map(|one| format!("seed {}, {}: {}", one.seed, one.change, one.what))
        .collect();
    assert!(told.is_empty(), "{told:#?}");
    assert_eq!(figures.mutants, count);
    // Otherwise nothing would have been tried.
    assert!(figures.verified > count / 20, "{figures:?}");
    assert!(figures.refused > count / 2, "{figures:?}");
    assert!(figures.loaded_though_refused > count / 10, "{figures:?}");
    assert!(figures.stopped > 0, "{figures:?}");
}
