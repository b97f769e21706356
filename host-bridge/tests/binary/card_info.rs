//! `ipae card info` on a virtual card: what it tells to anybody, and to whoever has the keys.

use super::support::{Bench, Run, ipae};
use host_bridge::exit;
use std::path::PathBuf;

/// A personalized card's file.
fn card(bench: &Bench) -> PathBuf {
    Run::of(&mut bench.personalize()).good();
    bench
        .out
        .join("cards")
        .join(format!("{}.card", bench.eids[0]))
}

#[test]
fn a_card_is_looked_into_with_and_without_keys() {
    let bench = Bench::new(1);
    let file = card(&bench);
    let info = |more: &[&str]| {
        Run::of(
            ipae()
                .args(["card", "info", "--json", "--file"])
                .arg(&file)
                .args(more),
        )
    };
    let value = info(&[]).good().json();
    let facts = value["card"]["facts"].as_array().expect("a list").clone();
    let said = |name: &str| {
        let fact = facts.iter().find(|fact| fact["name"] == name);
        fact.unwrap_or_else(|| panic!("no {name}: {facts:#?}"))["value"].clone()
    };
    assert_eq!(said("GlobalPlatform"), "2.3.1");
    assert_eq!(said("secure channel"), "SCP03 i=70");
    assert_eq!(said("key 30/01"), "AES-128");
    assert!(
        value["card"]["atr_says"]
            .as_str()
            .is_some_and(|atr| atr.contains("eUICC"))
    );
    assert!(value["registry"].is_null());

    let keyed = info(&["--card", "virtual-lab", "--key-set", "test"])
        .good()
        .json();
    let registry = keyed["registry"].as_array().expect("a list");
    let kinds: Vec<_> = registry
        .iter()
        .map(|entry| entry["kind"].as_str().unwrap_or_default())
        .collect();
    assert_eq!(
        kinds,
        [
            "issuer security domain",
            "application",
            // The applet's, and the one that security domains are made of.
            "load file",
            "load file"
        ]
    );
    assert_eq!(registry[1]["state"], "SELECTABLE");
    assert!(
        registry[0]["privileges"]
            .as_str()
            .is_some_and(|p| p.contains("Card Terminate"))
    );

    // Wrong keys: told before the card is asked, so that it counts nothing.
    let keys = file.with_extension("toml");
    let key = "00112233445566778899AABBCCDDEEFF";
    std::fs::write(
        &keys,
        format!("[set.other]\nkvn = 0x30\nenc = \"{key}\"\nmac = \"{key}\"\ndek = \"{key}\"\n"),
    )
    .expect("a file");
    let wrong = Run::of(
        ipae()
            .args([
                "card",
                "info",
                "--card",
                "virtual-lab",
                "--key-set",
                "other",
                "--keys",
            ])
            .arg(&keys)
            .arg("--file")
            .arg(&file),
    );
    wrong.bad(exit::WRONG_KEYS, &["no try of the card was used up"]);
    let refused = info(&["--card", "virtual-production", "--key-set", "test"]);
    refused.bad(exit::KEYS, &[]);
    info(&["--isd", "A0000000030000"]).bad(exit::CARD_REFUSED, &["A0000000030000"]);
    info(&["--isd", "xyz"]).bad(exit::USAGE, &["hexadecimal"]);
}
