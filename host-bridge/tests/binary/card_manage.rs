//! `ipae card load | install | … | keys | params`, from a factory card to one with keys of its own.

use super::support::{Bench, Run, applet, ipae};
use applet_model::aid;
use cards::card::VirtualCard;
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use std::path::{Path, PathBuf};

const EID: &str = "89049032000000000000000000000163";
const KEY: &str = "A0A1A2A3A4A5A6A7A8A9AAABACADAEAF";

fn factory(bench: &Bench) -> PathBuf {
    let file = bench.path("my.card");
    let mut new = ipae();
    new.args(["vcard", "new", "--eid", EID, "--file"])
        .arg(&file);
    Run::of(&mut new).good();
    file
}

fn stored(file: &Path) -> VirtualCard {
    VirtualLink::open("card", file).expect("a card").into_card()
}

/// `ipae card …` on a card's file, with the lab's definition.
fn card(file: &Path, args: &[&str]) -> Run {
    let mut command = ipae();
    command.arg("card").args(args).arg("--file").arg(file);
    Run::of(command.args(["--card", "virtual-lab"]))
}

/// The same under the definition's test keys.
fn keyed(file: &Path, args: &[&str]) -> Run {
    card(file, &[args, &["--key-set", "test"]].concat())
}

#[test]
fn an_applet_comes_and_goes_by_hand() {
    let bench = Bench::new(1);
    let file = factory(&bench);
    let cap = applet().display().to_string();
    let package = hex::encode_upper(aid::PACKAGE_IPAE);
    let module = hex::encode_upper(aid::MODULE_IPAE);
    let instance = hex::encode_upper(aid::INSTANCE_IPAE);

    // The plan, and nothing else: no card is needed.
    let plan = Run::new([
        "card",
        "load",
        &cap,
        "--card",
        "virtual-lab",
        "--dry-run",
        "--json",
    ]);
    let plan = plan.good().json();
    let steps = plan["steps"].as_array().expect("steps").clone();
    assert!(steps.len() > 50, "{}", steps.len());
    assert_eq!(steps[1]["comment"], "INSTALL [for load]");

    keyed(&file, &["load", &cap, "--hash", "sha256"]).good();
    assert_eq!(stored(&file).registry().load_files.len(), 1);
    // It is there already: said, and left alone.
    keyed(&file, &["load", &cap]).bad(exit::CARD_REFUSED, &["already", "--resume", "--clean"]);
    keyed(&file, &["load", &cap, "--resume"]).good();

    let params = bench.write(
        "params.toml",
        "[toolkit]\ntimers = 1\nchannels = 1\n[access]\nshared = \"none\"\n",
    );
    let params = params.display().to_string();
    let wrong = bench
        .write("wrong.toml", "[toolkit]\nchannels = 7\n")
        .display()
        .to_string();
    let install = [
        "install",
        "--package",
        &package,
        "--module",
        &module,
        "--instance",
        &instance,
        "--params",
    ];
    let refused = keyed(&file, &[&install[..], &[&wrong]].concat());
    refused.bad(
        exit::PARAMETERS,
        &[
            "7 asked for, the card has 4",
            "6A80",
            "TS 102 226",
            "nothing was sent",
        ],
    );
    keyed(&file, &[&install[..], &[&params]].concat()).good();

    keyed(&file, &["lock", &instance]).good();
    let registry = |file: &Path| stored(file).registry().instances[0].state;
    assert_eq!(registry(&file) & 0x80, 0x80);
    keyed(&file, &["unlock", &instance]).good();
    assert_eq!(registry(&file) & 0x80, 0);

    let domain = "A0000001515350FF";
    keyed(&file, &["domain", "create", domain]).good();
    // A domain without keys of its own takes nothing (GPCS 7.3.1); its first ones come from the issuer.
    keyed(&file, &["extradite", &instance, "--to", domain]).bad(exit::CARD_REFUSED, &["6985"]);
    let keys = bench.write(
        "keys.toml",
        format!("[set.ssd]\nkvn = 0x31\nenc = \"{KEY}\"\nmac = \"{KEY}\"\ndek = \"{KEY}\"\n"),
    );
    let keys = keys.display().to_string();
    let put = [
        "keys",
        "put",
        "--domain",
        domain,
        "--new-set",
        "ssd",
        "--keys",
        &keys,
    ];
    keyed(&file, &[&put[..], &["--verify"]].concat()).good();
    keyed(&file, &["extradite", &instance, "--to", domain]).good();
    let info = keyed(&file, &["info", "--json"]).good().json();
    let registry = info["registry"].as_array().expect("a list").clone();
    let entry = |kind: &str| registry.iter().find(|entry| entry["kind"] == kind).cloned();
    assert_eq!(entry("security domain").expect("a domain")["aid"], domain);
    assert_eq!(entry("application").expect("the applet")["domain"], domain);

    keyed(&file, &["load", &cap, "--clean"]).bad(exit::CARD_REFUSED, &["6985", "--related"]);
    keyed(&file, &["load", &cap, "--clean", "--related"]).good();
    // The applet went with its package, the domain stayed.
    let left = stored(&file).registry().instances.len();
    assert_eq!(left, 1);
    keyed(&file, &["delete", domain]).good();
    assert!(stored(&file).registry().instances.is_empty());
    keyed(&file, &["delete", &package]).good();
    assert!(stored(&file).registry().load_files.is_empty());
    let isd = hex::encode_upper(aid::ISD);
    keyed(&file, &["delete", &isd]).bad(exit::USAGE, &["no card lives without it"]);
    assert_eq!(stored(&file).tries_left(), 10);
}

#[test]
fn what_a_card_can_never_take_back_is_said_twice() {
    let bench = Bench::new(1);
    let file = factory(&bench);
    let state = || stored(&file).registry().card;
    let before = state();
    keyed(&file, &["card-state", "terminated"]).bad(
        exit::USAGE,
        &["--terminate-the-card-for-ever", "nothing was sent"],
    );
    keyed(
        &file,
        &["card-state", "locked", "--terminate-the-card-for-ever"],
    )
    .bad(exit::USAGE, &["--lock-the-card"]);
    keyed(
        &file,
        &["card-state", "terminated", "--terminate-the-card-for-ever"],
    )
    .bad(exit::USAGE, &["identity", "nothing was sent"]);
    let other = [
        "card-state",
        "terminated",
        "--terminate-the-card-for-ever",
        "--identity",
        "00112233445566778899",
    ];
    keyed(&file, &other).bad(exit::WRONG_CARD, &["another card", "nothing was changed"]);
    assert_eq!(state(), before);

    let info = Run::of(ipae().args(["card", "info", "--json", "--file"]).arg(&file))
        .good()
        .json();
    let facts = info["card"]["facts"].as_array().expect("facts").clone();
    let own = facts
        .iter()
        .find(|fact| fact["name"] == "key diversification data");
    let own = own.expect("data")["value"]
        .as_str()
        .expect("text")
        .to_owned();
    keyed(
        &file,
        &[
            "card-state",
            "locked",
            "--lock-the-card",
            "--identity",
            &own,
        ],
    )
    .good();
    assert_ne!(state(), before);
    keyed(&file, &["card-state", "secured"]).good();
    assert_eq!(state(), before);
    assert_eq!(stored(&file).tries_left(), 10);
}

#[test]
fn keys_change_and_nobody_loses_them() {
    let bench = Bench::new(1);
    let file = factory(&bench);
    let keys = bench.write(
        "keys.toml",
        format!("[set.prod]\nkvn = 0x31\nenc = \"{KEY}\"\nmac = \"{KEY}\"\ndek = \"{KEY}\"\n"),
    );
    let keys = keys.display().to_string();
    let put = ["keys", "put", "--new-set", "prod", "--keys", &keys];
    let listed = |file: &Path| -> Vec<String> {
        let value = card(file, &["keys", "list", "--json"]).good().json();
        let all = value.as_array().expect("a list").clone();
        all.iter()
            .map(|fact| fact["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(listed(&file), ["key 30/01", "key 30/02", "key 30/03"]);
    // The session's own version is not put a second time.
    keyed(&file, &[&put[..], &["--new-kvn", "30"]].concat()).bad(exit::USAGE, &["--replace"]);
    let done = keyed(
        &file,
        &[&put[..], &["--verify", "--delete-old", "--json"]].concat(),
    )
    .good();
    assert!(!done.stdout.contains(KEY) && !done.stderr.contains(KEY));
    assert_eq!(done.json()["verified"], true);
    assert_eq!(listed(&file), ["key 31/01", "key 31/02", "key 31/03"]);

    // The old keys are no keys any more; no try is spent on that.
    keyed(&file, &["keys", "delete", "31"]).bad(exit::USAGE, &["last key set"]);
    keyed(&file, &["delete", "F0495041650101"]).bad(exit::WRONG_KEYS, &["INITIALIZE UPDATE"]);
    let prod = ["--keys", &keys, "--key-set", "prod"];
    card(&file, &[&["keys", "delete", "31"][..], &prod].concat())
        .bad(exit::USAGE, &["last key set", "--last"]);
    assert_eq!(stored(&file).tries_left(), 10);
    card(&file, &[&["delete", "F0495041650101"][..], &prod].concat())
        .bad(exit::CARD_REFUSED, &["6A88"]);
}

#[test]
fn test_keys_stay_away_from_customers_cards() {
    let bench = Bench::new(1);
    let file = factory(&bench);
    let public = "404142434445464748494A4B4C4D4E4F";
    let keys = bench.write(
        "keys.toml",
        format!(
            "[set.lab]\nkvn = 0x30\nenc = \"{public}\"\nmac = \"{public}\"\ndek = \"{public}\"\n"
        ),
    );
    let mut command = ipae();
    command.args([
        "card",
        "card-state",
        "secured",
        "--card",
        "virtual-production",
        "--key-set",
        "lab",
    ]);
    let run = Run::of(command.arg("--keys").arg(&keys).arg("--file").arg(&file));
    run.bad(exit::TEST_KEYS, &["public test key"]);
    assert_eq!(stored(&file).tries_left(), 10);
}

#[test]
fn parameters_both_ways() {
    let bench = Bench::new(1);
    let hex = "EA0C800AFF010000000003C00001C900";
    let decoded = Run::new(["card", "params", "decode", hex]).good().stdout;
    assert!(
        decoded.contains("timers = 1") && decoded.contains("C00001"),
        "{decoded}"
    );
    let file = bench.write("params.toml", &decoded);
    let encoded = Run::of(ipae().args(["card", "params", "encode"]).arg(&file)).good();
    assert_eq!(encoded.stdout.trim(), "EA0D800BFF010000000003C0000100C900");
    let lint = |hex: &str| {
        Run::new([
            "card",
            "params",
            "lint",
            "--hex",
            hex,
            "--card",
            "virtual-lab",
            "--json",
        ])
    };
    lint("C900C900").bad(exit::PARAMETERS, &["refuses"]);
    let found = lint("C900EA00").good().json();
    assert_eq!(found[0]["refused"], false);
}
