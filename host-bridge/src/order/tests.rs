//! Whole orders: sound ones, and every fault with its place.

use super::*;
use crate::exit::{self, ExitCode};
use crate::journal::{CardRecord, CardState};
use cards::euicc::Eid;
use proptest::prelude::*;

/// The point of RFC 6979 A.2.5's P-256 key.
const POINT: &str = "0460FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB67903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299";

fn options() -> SampleOptions {
    SampleOptions {
        count: 3,
        eim_public_key: POINT.to_owned(),
        ..SampleOptions::default()
    }
}

fn parse(text: &str, definition: &str) -> Result<Order, OrderError> {
    let definition = Definition::shipped(definition).unwrap();
    Order::parse(
        text,
        Path::new("order.csv"),
        Path::new("."),
        &definition,
        &KeyStore::default(),
    )
}

fn faults(text: &str) -> Vec<String> {
    match parse(text, "virtual-lab") {
        Err(OrderError::Faults { faults, .. }) => faults.iter().map(ToString::to_string).collect(),
        other => panic!("{:?}", other.err()),
    }
}

#[test]
fn a_sample_is_a_sound_order() {
    let order = parse(&sample(&options()), "virtual-lab").unwrap();
    assert_eq!(order.rows.len(), 3);
    assert_eq!(order.rows[0].line, 3);
    assert_eq!(order.rows[2].keys.kvn, 0x30);
    assert!(order.row(&order.rows[1].eid.to_string()).is_some());
    let entry = order.rows[0].eim.as_ref().unwrap().configuration();
    assert_eq!(entry.eim_fqdn.as_deref(), Some("eim.lab.example"));
    assert_eq!(
        order.rows[0].eim.as_ref().unwrap().point().unwrap(),
        hex::decode(POINT).unwrap()
    );
}

#[test]
fn every_fault_is_listed_with_line_and_column() {
    let eid = |n: u32| Eid::with_check_digits(&format!("89049032{n:022}")).unwrap();
    let text = format!(
        "eid,iccids,key_set,eim_id,eim_fqdn,eim_public_key,poll_minutes\n\
         {},,test,e,e.example,{POINT},60\n\
         {},,test,e,e.example,{POINT},60\n\
         89049032000000000000000000000099,,test,e,e.example,{POINT},60\n\
         {},89445310150011013679,test,e,e.example,{POINT},60\n\
         {},,other,e,https://e.example/x,04AA,0\n\
         {},,test,,e.example,nowhere.pem\n",
        eid(1),
        eid(1),
        eid(2),
        eid(3),
        eid(4),
    );
    let faults = faults(&text);
    let expect = [
        ("3:1: eid:", "stands in line 2 already"),
        ("4:1: eid:", "check digits"),
        ("5:34: iccids:", "check digit"),
        ("6:35: key_set:", "no key set \"other\""),
        ("6:43: eim_fqdn:", "without scheme"),
        ("6:63: eim_public_key:", "neither a SubjectPublicKeyInfo"),
        ("6:68: poll_minutes:", "1 to 1439"),
        ("7:1:", "6 fields, the header has 7"),
    ];
    assert_eq!(faults.len(), expect.len(), "{faults:#?}");
    for (fault, (place, words)) in faults.iter().zip(expect) {
        assert!(
            fault.starts_with(place) && fault.contains(words),
            "{fault} <> {place} {words}"
        );
    }
}

#[test]
fn headers_are_checked_first() {
    let found = faults("eid,colour,eim_id,eid\n");
    assert!(
        found.iter().any(|f| f == "1:5: unknown column \"colour\""),
        "{found:?}"
    );
    assert!(found.iter().any(|f| f.contains("eid stands twice")));
    assert!(
        found
            .iter()
            .any(|f| f.contains("column eim_fqdn is missing"))
    );
    assert!(faults("")[0].contains("empty"));
    let header = sample(&SampleOptions {
        count: 0,
        ..options()
    });
    assert!(faults(&header)[0].contains("no cards"));
}

#[test]
fn key_lengths_are_checked_and_keys_stay_out_of_messages() {
    let row = |enc: &str| {
        format!(
            "eid,key_enc,key_mac,key_dek,eim_id,eim_fqdn,eim_public_key\n{},{enc},{},{},e,e.example,{POINT}\n",
            Eid::with_check_digits(&format!("89049032{:022}", 7)).unwrap(),
            "AB".repeat(16),
            "CD".repeat(16),
        )
    };
    assert!(parse(&row(&"12".repeat(16)), "virtual-lab").is_ok());
    for bad in ["12".repeat(15), "XY".repeat(16), "12".repeat(24)] {
        let found = faults(&row(&bad));
        assert_eq!(found.len(), 1);
        assert!(
            found[0].starts_with("2:34: key_enc:") || found[0].contains("key_mac"),
            "{found:?}"
        );
        assert!(
            !found[0].contains(&bad) && !found[0].contains("ABAB"),
            "{found:?}"
        );
    }
}

#[test]
fn a_new_key_set_is_an_order_for_rotation() {
    let new = ["12", "34", "56"].map(|byte| byte.repeat(16));
    let text = sample(&options());
    let order = |extra: &str| {
        let mut lines = text.lines().map(str::to_owned).collect::<Vec<_>>();
        lines[1] += ",new_key_set,new_kvn,new_key_enc,new_key_mac,new_key_dek";
        lines[2] += extra;
        lines[3] += ",,,,,";
        lines[4] += ",,,,,";
        parse(&(lines.join("\n") + "\n"), "virtual-lab")
    };
    let rows = order(&format!(",,31,{}", new.join(","))).unwrap().rows;
    let rotation = rows[0].new_keys.as_ref().unwrap();
    assert_eq!(
        (rotation.kvn, rotation.keys.key_length(), rows[0].keys.kvn),
        (0x31, 16, 0x30)
    );
    assert!(rows[1].new_keys.is_none());
    for (extra, words) in [
        (",,31,,,".to_owned(), "new_key_set: must not be empty"),
        (
            format!(",,80,{}", new.join(",")),
            "new_kvn: \"80\" is no key version",
        ),
        (
            format!(",,31,{},,", new[0]),
            "new_key_enc, new_key_mac and new_key_dek are all needed",
        ),
    ] {
        let error = order(&extra).err().unwrap().to_string();
        assert!(error.contains(words) && !error.contains("1212"), "{error}");
    }
}

#[test]
fn test_keys_are_refused_on_production_cards() {
    let text = sample(&options()).replace(",test,", ",,");
    let header = text.replace("key_set,", "key_enc,key_mac,key_dek,");
    let keys = "404142434445464748494A4B4C4D4E4F";
    let text = header.replace(",,,30,", &format!(",,{keys},{keys},{keys},30,"));
    let error = parse(&text, "virtual-production").err().unwrap();
    assert_eq!(error.exit(), exit::TEST_KEYS);
    assert!(error.to_string().contains("for production"));
    assert!(parse(&text, "virtual-lab").is_ok());
}

#[test]
fn spreadsheets_are_understood() {
    let text = sample(&options());
    let body: String = text
        .lines()
        .skip(1)
        .map(|line| format!("{}\r\n", line.replace(',', ";")))
        .collect();
    assert_eq!(
        parse(&format!("\u{FEFF}{body}"), "virtual-lab")
            .unwrap()
            .rows
            .len(),
        3
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", tail in "[a-z0-9,;\"\n]{0,120}") {
        let _ = parse(&text, "virtual-lab");
        let _ = parse(&format!("eid,eim_id,eim_fqdn,eim_public_key\n{tail}"), "virtual-lab");
    }
}

#[test]
fn json_lines_are_rows_too() {
    let line = |n: u32, more: &str| {
        let eid = Eid::with_check_digits(&format!("89049032{n:022}")).unwrap();
        format!(
            "{{\"eid\": \"{eid}\", \"key_set\": \"test\", \"kvn\": \"30\", \"eim_id\": \"e\", \
             \"eim_fqdn\": \"e.example\", \"eim_public_key\": \"{POINT}\"{more}}}\n"
        )
    };
    let text = [
        line(1, ", \"poll_minutes\": 30, \"eim_token\": true"),
        line(
            2,
            ", \"iccids\": [\"89445310150011013678\", \"8988211000000467343\"]",
        ),
    ]
    .concat();
    let order = parse(&text, "virtual-lab").unwrap();
    assert_eq!(order.rows[1].iccids.len(), 2);
    assert!(order.rows[0].eim.as_ref().unwrap().token && order.rows[0].config.poll_minutes == 30);
    let broken = [
        line(1, ", \"colour\": 1"),
        "{\"key_enc\": \"0011\n".to_owned(),
        line(2, ", \"apn\": {\"a\": 1}"),
    ]
    .concat();
    let found = faults(&broken);
    assert!(found[0].contains("unknown column \"colour\""), "{found:?}");
    assert!(
        found[1].starts_with("2:") && found[1].contains("not a JSON object"),
        "{found:?}"
    );
    assert!(found[2].contains("apn: a text"), "{found:?}");
    assert!(!found.concat().contains("0011"), "{found:?}");
}

/// An order in a vendor's file, read through a template.
fn through(template: &str, file: &[u8]) -> Result<Order, OrderError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("vendor.txt");
    std::fs::write(&path, file).unwrap();
    let template = Template::parse(template).unwrap();
    let definition = Definition::shipped("virtual-lab").unwrap();
    let needs = Needs::default();
    Order::read_with(
        &path,
        Some(&template),
        needs,
        &definition,
        &KeyStore::default(),
    )
}

#[test]
fn a_template_reads_a_vendors_file() {
    let template = TEMPLATE_EXAMPLE
        .replace("batch-{LOT}", "{LOT}")
        .replace("value = \"eim.pem\"", &format!("value = \"{POINT}\""));
    let mut file = b"CHIP;NOTE;ICC;IMSI;LOT;POLL\n".to_vec();
    file.extend(
        b"890490320000000000000000000001;gr\xFCn;98443501510011106387;084910101032547698;test;\n",
    );
    file.extend(b"890490320000000000000000000002;;;;test;45\n");
    let rows = through(&template, &file).unwrap().rows;
    assert_eq!(
        rows[0].iccids[0].to_string(),
        "89445310150011013678".to_owned()
    );
    assert_eq!(rows[0].imsis, ["401010123456789"]);
    assert_eq!(rows[0].config.poll_minutes, 60);
    let eim = rows[1].eim.as_ref().unwrap();
    assert_eq!((eim.counter, rows[1].config.poll_minutes), (2, 45));
    // Faults stand where the vendor's file has them.
    let file = b"CHIP;ICC;IMSI;LOT;POLL\n89049032;9844;08;test;\n";
    let Err(OrderError::Faults { faults, .. }) = through(&template, file) else {
        panic!()
    };
    let said: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(
        said[0].starts_with("2:1: eid: the first 30 digits"),
        "{said:?}"
    );
    assert!(
        said.iter().any(|f| f.starts_with("2:15: imsis: EF.IMSI")),
        "{said:?}"
    );
    let error = through(&template, b"CHIP;ICC\n").err().unwrap().to_string();
    assert!(error.contains("column \"LOT\" is missing"), "{error}");
}

#[test]
fn a_vendor_gets_the_response_in_the_form_of_his_file() {
    let template = TEMPLATE_EXAMPLE
        .replace("batch-{LOT}", "{LOT}")
        .replace("value = \"eim.pem\"", &format!("value = \"{POINT}\""));
    let file = b"CHIP;ICC;IMSI;LOT;POLL\n890490320000000000000000000001;;;test;\n\
                 890490320000000000000000000002;;;test;45\n";
    let order = through(&template, file).unwrap();
    let form = order.response.as_ref().unwrap();
    let card = |row: &OrderRow, error: Option<(u8, String)>| CardRecord {
        eid: row.eid.to_string(),
        state: match error {
            None => CardState::Done,
            Some(_) => CardState::Failed,
        },
        attempts: 1,
        error,
        failed_step: None,
        finished: None,
        token: None,
        worker: None,
        chip: None,
    };
    let error = (exit::MEMORY.code, "gr\u{FC}n; \u{20AC}\nno".to_owned());
    let cards = [
        card(&order.rows[0], None),
        card(&order.rows[1], Some(error)),
    ];
    let echo = order.rows.iter().map(|row| row.echo.as_slice());
    let bytes = form.write(cards.iter().zip(echo)).unwrap();
    let text: String = bytes.into_iter().map(char::from).collect();
    assert_eq!(
        text,
        "CHIP;RESULT;REASON\n890490320000000000000000000001;OK;\n\
         890490320000000000000000000002;NOK;\"gr\u{FC}n; ?; no\"\n"
    );
    assert_eq!(form.file, "response.txt");
}

#[test]
fn a_job_without_an_eim_needs_none_in_the_order() {
    let eid = Eid::with_check_digits(&format!("89049032{:022}", 1)).unwrap();
    let text = format!("eid,key_set,x_pin\n{eid},test,31323334\n");
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("order.csv");
    std::fs::write(&path, text).unwrap();
    let definition = Definition::shipped("virtual-lab").unwrap();
    let read = |needs| Order::read_with(&path, None, needs, &definition, &KeyStore::default());
    let order = read(Needs { eim: false }).unwrap();
    assert!(order.rows[0].eim.is_none());
    assert_eq!(order.rows[0].of_job["x_pin"], (39, "31323334".to_owned()));
    let missing = read(Needs::default()).err().unwrap().to_string();
    assert!(missing.contains("column eim_id is missing"), "{missing}");
}

#[test]
fn templates_are_checked() {
    for (from, to, words) in [
        (
            "value = \"batch-{LOT}\"",
            "value = \"a\"\n[column.key_wrap]\nvalue = \"b\"",
            "not both",
        ),
        ("is = \"state\"", "is = \"mood\"", "unknown variant"),
        (
            "file = \"response.txt\"",
            "file = \"../x\"",
            "a name of its own",
        ),
        ("from = \"CHIP\" }", "}", "one of from and is"),
        ("format = 1", "format = 2", "these tools know 1"),
        ("header = true", "header = false", "file.columns is missing"),
        ("[column.eid]", "[column.chip]", "no such column"),
        ("form = \"swapped\"", "form = \"turned\"", "unknown variant"),
        ("first = \"1\"", "first = \"x\"", "decimal digits"),
        ("batch-{LOT}", "batch-{LOT", "no } after"),
        ("value = \"eim.pem\"", "", "one of from, value and range"),
    ] {
        let text = TEMPLATE_EXAMPLE.replacen(from, to, 1);
        let (_, problem) = Template::parse(&text).err().unwrap();
        assert!(problem.contains(words), "{to}: {problem}");
    }
}
