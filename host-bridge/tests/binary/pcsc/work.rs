//! What one does with a card in a reader on an ordinary day.

use super::service::{Service, new_card, skip};
use crate::support::{Bench, Run, applet, ipae};
use cards::definition::SHIPPED;
use host_bridge::exit;
use host_bridge::personalize::VirtualLink;
use serde_json::Value;
use std::path::{Path, PathBuf};

#[test]
fn a_card_in_a_reader_is_personalized_and_obeys_its_eim() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(1);
    let file = new_card(&bench, &bench.eids[0]);
    let (mut server, reader) = service.serve(&file);

    let listed = Run::new(["card", "readers", "--json"]).good().json();
    let mut listed = listed.as_array().into_iter().flatten();
    let info = listed
        .find(|info| info["name"] == *reader)
        .expect("the reader");
    let facts = [
        ("state", "card"),
        ("protocol", "T=0"),
        ("in_use", "free"),
        ("atr", "3B9C96803FC7828031E073FE2113644950416547"),
    ];
    for (name, value) in facts {
        assert_eq!(info[name], value, "{info}");
    }
    assert_eq!(info["longest_data"], 255);
    assert!(info["contactless"].is_null() && info["quirks"] == serde_json::json!([]));
    let text = Run::new(["card", "readers"]).good().stdout;
    for words in [
        "card present",
        "T=0, short APDUs",
        "class ABC; eUICC",
        "contacts       yes",
    ] {
        assert!(text.contains(words), "{words:?} is not in {text}");
    }
    let outcome = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&outcome["done"], &outcome["failed"]),
        (&1.into(), &0.into()),
        "{outcome}"
    );
    assert!(
        bench
            .out
            .join(format!("receipts/{}.json", bench.eids[0]))
            .is_file()
    );
    same_receipt_in_process(&bench);
    // The same command again: the card is done, and nothing is sent to it.
    let again = Run::of(bench.personalize_on(&reader).arg("--json"))
        .good()
        .json();
    assert_eq!(
        (&again["done_now"], &again["traffic"]["apdus"]),
        (&0.into(), &0.into())
    );

    // Scenarios change the card and move its counter on: the second run goes on where the first ended.
    let first = [
        "nothing-pending",
        "list-profile-info",
        "enable-good-network",
    ];
    let counter = scenarios(&bench, &reader, 0, &first);
    assert!(counter > 0);
    scenarios(&bench, &reader, counter, &["list-profile-info"]);
    assert_eq!(server.end(), Some(0));
    // The card's file has what the card had.
    let card = VirtualLink::open("card", &file)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    crate::support::assert_personalized(&card);
}

/// The receipt but for what differs from run to run.
fn receipt(out: &Path, eid: &str) -> Value {
    let text = std::fs::read(out.join(format!("receipts/{eid}.json"))).expect("a receipt");
    let mut value: Value = serde_json::from_slice(&text).expect("JSON");
    let members = value.as_object_mut().expect("an object");
    for name in ["run", "chain", "signature"] {
        assert!(members.remove(name).is_some(), "{name}");
    }
    value
}

/// The same order on a card in this process gives the same receipt.
fn same_receipt_in_process(bench: &Bench) {
    let out = bench.path("in-process");
    let mut command = ipae();
    command.arg("personalize").arg("--order").arg(&bench.order);
    command.args(["--virtual", "--cap"]).arg(applet());
    Run::of(command.arg("--out").arg(&out)).good();
    let eid = &bench.eids[0];
    assert_eq!(receipt(&bench.out, eid), receipt(&out, eid));
}

/// The lab's definition with T=1 and extended length.
fn extended_definition(bench: &Bench) -> PathBuf {
    let (_, lab) = SHIPPED
        .iter()
        .find(|(name, _)| *name == "virtual-lab")
        .expect("the lab's card");
    let changes = [
        ("product = \"virtual\"", "product = \"virtual-t1\""),
        (
            "3B9C96803FC7828031E073FE2113644950416547",
            "3B9C9681B1FE453FC7828031E073FE215364495041650C",
        ),
        ("max_command_data = 255", "max_command_data = 2048"),
        ("extended_length = false", "extended_length = true"),
    ];
    let mut text = (*lab).to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    bench.write("t1.toml", text)
}

#[test]
fn a_t1_card_with_extended_length_is_loaded_in_long_blocks() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(1);
    let definition = extended_definition(&bench);
    let file = bench.path("t1.card");
    let eid = &bench.eids[0];
    Run::of(
        ipae()
            .args(["vcard", "new", "--eid", eid, "--card"])
            .arg(&definition)
            .arg("--file")
            .arg(&file),
    )
    .good();
    let (mut server, reader) = service.serve(&file);
    let listed = Run::new(["card", "readers"]).good().stdout;
    for words in ["T=1, extended length", "T=1; F=512, D=32, IFSC 254"] {
        assert!(listed.contains(words), "{words:?} is not in {listed}");
    }
    let run = |card: &Path| {
        let mut command = bench.personalize_on(&reader);
        Run::of(command.arg("--card").arg(card).arg("--json"))
    };
    let outcome = run(&definition).good().json();
    assert_eq!(outcome["done"], 1, "{outcome}");
    // The load file has 12,5 kB: seven blocks of 2048 bytes instead of 56 of 255.
    let apdus = outcome["traffic"]["apdus"].as_u64();
    assert!(apdus.is_some_and(|n| n < 60), "{outcome}");
    assert_eq!(server.end(), Some(0));
    let card = VirtualLink::open("card", &file)
        .unwrap_or_else(|e| panic!("{e}"))
        .into_card();
    crate::support::assert_personalized(&card);
}

#[test]
fn a_contactless_card_is_looked_into_and_no_more() {
    let service = service!(Service::with_readers());
    let bench = Bench::new(1);
    let (_, lab) = SHIPPED[0];
    let file = bench.path("field.card");
    // What a contactless reader makes up for a card of ISO/IEC 14443.
    let text = lab.replace(
        "3B9C96803FC7828031E073FE2113644950416547",
        "3B8C80018031E073FE21136449504165BA",
    );
    let definition = bench.write("field.toml", text);
    Run::of(
        ipae()
            .args(["vcard", "new", "--eid", &bench.eids[0], "--card"])
            .arg(&definition)
            .arg("--file")
            .arg(&file),
    )
    .good();
    let (mut server, reader) = service.serve(&file);
    let listed = Run::new(["card", "readers", "--json"]).good().json();
    let refused = |info: &Value| {
        info["name"] == *reader
            && info["contactless"]
                .as_str()
                .is_some_and(|why| why.contains("3B 8n 80 01"))
    };
    assert!(
        listed.as_array().is_some_and(|all| all.iter().any(refused)),
        "{listed}"
    );
    Run::of(&mut bench.personalize_on(&reader)).bad(
        exit::CONTACTLESS,
        &[&reader, "contactless", "ETSI TS 102 223"],
    );
    Run::new(["card", "info", "--reader", &reader]).good();
    assert_eq!(server.end(), Some(0));
}

/// Runs scenarios on the card with `ipae test`; gives the last counter that the card took.
#[track_caller]
fn scenarios(bench: &Bench, reader: &str, counter: u64, names: &[&str]) -> u64 {
    let out = bench.path(&format!("test-{counter}"));
    let mut test = ipae();
    test.args(["test", "--json", "--reader", reader, "--out"])
        .arg(&out);
    test.args(["--counter", &counter.to_string()]);
    for name in names {
        test.args(["--scenario", name]);
    }
    let run = Run::of(&mut test);
    let report = std::fs::read_to_string(out.join("report.json")).unwrap_or_default();
    assert_eq!(run.code, Some(0), "{run:#?}");
    let passed = &run.json()["scenarios"];
    assert_eq!(
        (&passed["passed"], &passed["failed"]),
        (&names.len().into(), &0.into())
    );
    let report: Value = serde_json::from_str(&report).expect("the report");
    let list = report["scenarios"]["list"].as_array().expect("scenarios");
    for (row, name) in list.iter().zip(names) {
        assert_eq!(
            (&row["name"], &row["outcome"]),
            (&(*name).into(), &"passed".into())
        );
        assert!(
            row["exchange"]
                .as_array()
                .is_some_and(|list| list.len() > 20),
            "{name}"
        );
    }
    list.iter()
        .filter_map(|row| row["counter"].as_u64())
        .max()
        .expect("a counter")
}
