//! `ipae script`: explained, compared, sent; stopped where a card answers otherwise.

use super::support::{Bench, Run, applet, ipae};
use applet_model::aid;
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use std::path::{Path, PathBuf};

const EID: &str = "89049032000000000000000000000163";

/// A card as it leaves the factory.
fn factory(bench: &Bench, name: &str) -> PathBuf {
    let file = bench.path(name);
    Run::of(
        ipae()
            .args(["vcard", "new", "--eid", EID, "--file"])
            .arg(&file),
    )
    .good();
    file
}

/// `ipae script run` of a script on a card's file.
fn run(script: &Path, card: &Path, more: &[&str]) -> Run {
    let mut command = ipae();
    command.args(["script", "run", "--json"]).arg(script);
    Run::of(command.arg("--file").arg(card).args(more))
}

fn with_keys() -> [&'static str; 4] {
    ["--card", "virtual-lab", "--key-set", "test"]
}

/// The card has the applet, installed.
#[track_caller]
fn assert_installed(file: &Path) {
    let card = VirtualLink::open("card", file).expect("a card").into_card();
    let instances = &card.registry().instances;
    assert_eq!(instances.len(), 1);
    assert_eq!(instances[0].aid.bytes(), aid::INSTANCE_IPAE);
    assert_eq!(card.registry().load_files.len(), 1);
}

#[test]
fn a_plain_script_is_explained_and_sent_and_goes_on() {
    let bench = Bench::new(1);
    let script = applet().with_file_name("load.script");
    let explained = Run::of(ipae().args(["script", "explain", "--json"]).arg(&script)).good();
    let steps = explained.json();
    let last = steps.as_array().and_then(|all| all.last()).expect("steps");
    assert_eq!(last["name"], "INSTALL [for install and make selectable]");
    assert_eq!(
        last["fields"]["application"],
        hex::encode_upper(aid::INSTANCE_IPAE)
    );

    let card = factory(&bench, "a.card");
    run(&script, &card, &[]).bad(exit::USAGE, &["key set"]);
    let sent = run(&script, &card, &with_keys()).good().json();
    assert_eq!(
        sent["sent"].as_array().map(Vec::len),
        steps.as_array().map(Vec::len)
    );
    assert_installed(&card);
    // Again: the package is there, which the card says at the second step; nothing is sent after it.
    let again = run(&script, &card, &with_keys());
    assert_eq!(again.json()["sent"].as_array().map(Vec::len), Some(1));
    again.bad(
        exit::CARD_REFUSED,
        &["step 2 of", "INSTALL [for load]", "--from 2"],
    );
    // The last step alone: the instance is there, too.
    let from = steps.as_array().map_or(0, Vec::len).to_string();
    let mut args = with_keys().to_vec();
    args.extend(["--from", &from]);
    run(&script, &card, &args).bad(exit::CARD_REFUSED, &["for install"]);
    // A LOAD in the middle begins again with its INSTALL [for load]: a card that was cut off gets it all.
    let cut = factory(&bench, "cut.card");
    let mut args = with_keys().to_vec();
    args.extend(["--from", "20"]);
    let sent = run(&script, &cut, &args).good().json();
    assert_eq!(sent["sent"][1]["step"], 2);
    assert_installed(&cut);
}

#[test]
fn a_script_under_a_secure_channel_fits_one_card_once() {
    let bench = Bench::new(1);
    let out = bench.path("built");
    let args = [
        "build",
        "--card",
        "virtual-lab",
        "--key-set",
        "test",
        "--diversification",
    ];
    // What the card will answer: its key diversification data, from a look into it.
    let card = factory(&bench, "b.card");
    let info = Run::of(ipae().args(["card", "info", "--json", "--file"]).arg(&card)).good();
    let info = info.json();
    let facts = info["card"]["facts"].as_array().expect("facts");
    let data = facts
        .iter()
        .find(|fact| fact["name"] == "key diversification data");
    let data = data.and_then(|fact| fact["value"].as_str()).expect("data");
    Run::of(ipae().args(args).arg(data).arg("--out").arg(&out)).good();
    let script = out.join("load-scp03.script");

    run(&script, &card, &with_keys()).bad(exit::USAGE, &["already"]);
    run(&script, &card, &["--from", "3"]).bad(exit::USAGE, &["one session"]);
    run(&script, &card, &[]).good();
    assert_installed(&card);
    // The sequence counter has gone on: another challenge, and EXTERNAL AUTHENTICATE is not sent.
    let again = run(&script, &card, &[]);
    again.bad(
        exit::WRONG_KEYS,
        &["step 2", "no try of the card was used up", "sequence"],
    );
    let card = VirtualLink::open("card", &card)
        .expect("a card")
        .into_card();
    assert_eq!(card.tries_left(), 10);

    let same = Run::of(ipae().args(["script", "diff"]).arg(&script).arg(&script)).good();
    assert!(same.stdout.contains("the same"), "{}", same.stdout);
    let plain = applet().with_file_name("load.script");
    let differ = Run::of(
        ipae()
            .args(["script", "diff", "--json"])
            .arg(&plain)
            .arg(&script),
    )
    .good();
    assert!(
        differ
            .json()
            .as_array()
            .is_some_and(|steps| steps.len() > 10)
    );
}
