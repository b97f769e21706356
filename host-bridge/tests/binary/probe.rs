//! `ipae probe`: our IPAe card, the same card without its IPAe, other cards; nothing on them is changed.

use super::support::{Bench, Run, ipae};
use cards::definition::SHIPPED;
use host_bridge::exit;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What the probe says; the card's file stays as it was, to the byte.
fn probe(file: &Path) -> Value {
    let before = std::fs::read(file).expect("the card");
    let found = Run::of(ipae().args(["probe", "--json", "--card"]).arg(file)).good();
    assert!(
        before == std::fs::read(file).expect("the card"),
        "{file:?} was changed"
    );
    found.json()
}

/// A new card of a definition.
fn new_card(bench: &Bench, definition: &str) -> PathBuf {
    let file = bench.path(&format!("{definition}.card"));
    let args = [
        "vcard",
        "new",
        "--eid",
        &bench.eids[0],
        "--card",
        definition,
    ];
    Run::of(ipae().args(args).arg("--file").arg(&file)).good();
    file
}

/// A card with the IPAe, of the lab's definition or of one that looks for TERMINAL CAPABILITY on one channel.
fn personalized(bench: &Bench, channel: &str) -> PathBuf {
    let (_, lab) = SHIPPED[0];
    let text = lab.replace(
        "terminal_capability = \"any\"",
        &format!("terminal_capability = \"{channel}\""),
    );
    let definition = bench.write(&format!("{channel}.toml"), text);
    let out = bench.path(channel);
    let mut command = ipae();
    command
        .args(["personalize", "--virtual", "--order"])
        .arg(&bench.order);
    command.arg("--card").arg(definition).arg("--out").arg(&out);
    command.arg("--cap").arg(super::support::applet());
    Run::of(&mut command).good();
    out.join(format!("cards/{}.card", bench.eids[0]))
}

#[test]
fn an_ipae_card_is_told_from_all_others() {
    let bench = Bench::new(1);
    let mut ours = PathBuf::new();
    for channel in ["any", "basic", "logical"] {
        ours = personalized(&bench, channel);
        let found = probe(&ours);
        assert_eq!(found["verdict"], "ipae", "{found}");
        assert_eq!(found["ipa_interface"], true);
        let ipa = &found["ipa"];
        assert_eq!(
            (&ipa["ipae_supported"], &ipa["mode"], &ipa["applet_visible"]),
            (&true.into(), &"ipae".into(), &true.into())
        );
        assert_eq!(ipa["switched_by"], channel, "{ipa}");
        assert_eq!(found["eims"][0]["id"], "eim.lab.example");
    }
    let text = Run::of(ipae().args(["probe", "--file"]).arg(&ours))
        .good()
        .stdout;
    for words in [
        "with an IPAe",
        "logical channel",
        "check digits fit",
        "eim.lab.example",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }

    // The same card with its IPAe locked, then without it.
    let applet = super::support::package();
    let instance = hex::encode_upper(applet_model::aid::INSTANCE_IPAE);
    let at = |words: &[&str]| {
        let mut command = ipae();
        command.arg("card").args(words).arg("--file").arg(&ours);
        command.args(["--card", "virtual-lab", "--key-set", "test"]);
        Run::of(&mut command).good();
    };
    at(&["lock", &instance]);
    let locked = probe(&ours);
    assert_eq!(locked["verdict"], "ipad", "{locked}");
    assert_eq!(locked["ipa"]["applet_visible"], false);
    at(&["unlock", &instance]);
    assert_eq!(probe(&ours)["verdict"], "ipae");
    at(&["delete", &applet, "--related"]);
    let without = probe(&ours);
    assert_eq!(
        (&without["verdict"], &without["ipa_interface"]),
        (&"ipad".into(), &true.into())
    );
    assert_eq!(without["ipa"]["mode"], "ipad");
    // The eIM is the eUICC's, and stays.
    assert_eq!(without["eims"][0]["id"], "eim.lab.example");

    let consumer = probe(&new_card(&bench, "virtual-sgp22"));
    assert_eq!(consumer["verdict"], "sgp22", "{consumer}");
    let plain = probe(&new_card(&bench, "virtual-uicc"));
    assert_eq!(plain["verdict"], "uicc", "{plain}");
    let none = Run::new(["probe", "--card", "/nonexistent/x.card"]);
    none.bad(exit::LINK, &["/nonexistent/x.card"]);
}
