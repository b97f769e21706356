use super::*;
use crate::eim::Exchange;
use crate::scenario::Step;
use crate::terminal::{Record, What};

fn report() -> Report {
    let step = |text: &str, first_apdu, failed| Step {
        text: text.to_owned(),
        first_apdu,
        at_ms: first_apdu * 10,
        real_ms: 1,
        failed,
    };
    let apdu = |apdu, response: &str| Record {
        apdu,
        at_ms: apdu * 10,
        what: What::Apdu {
            command: "80F2000C".to_owned(),
            response: response.to_owned(),
            text: "STATUS <&>".to_owned(),
        },
    };
    let record = ScenarioReport {
        name: "disable",
        title: "a title with <tags> & \"quotes\"",
        eid: "89049032000000000000000000000163".to_owned(),
        counter: 0,
        outcome: Outcome::Failed,
        failure: Some("expected <a>, found \u{1}b".to_owned()),
        real_ms: 1234,
        virtual_ms: 90_000,
        predicted_ms: Some(1500),
        steps: vec![step("start", 1, false), step("poll", 3, true)],
        exchange: vec![apdu(1, "9000"), apdu(2, "9000"), apdu(3, "6985")],
        esipa: vec![Exchange {
            number: 1,
            function: "GetEimPackage".to_owned(),
            eid: None,
            status: 200,
            request: "BF4F125A1089049032000000000000000000000163".to_owned(),
            response: String::new(),
            text: "nothing <pending>".to_owned(),
        }],
        lockstep_steps: 7,
        rows: BTreeSet::from([0, 1]),
    };
    Report {
        format: 1,
        tool: "ipae test",
        transport: NOT_SECURE,
        seed: 7,
        started: "2026-01-02T03:04:05.678Z".to_owned(),
        real_ms: 2000,
        card: "lab virtual".to_owned(),
        cards: 1,
        personalized: 1,
        card_list: vec![CardRow {
            eid: record.eid.clone(),
            state: "done".to_owned(),
            error: String::new(),
            passed: 0,
            failed: 1,
        }],
        lockstep: LockstepCoverage::of(&record.rows, record.lockstep_steps, 0),
        scenarios: Scenarios::of(vec![record], |r| format!("ipae test --scenario {}", r.name)),
        figures: serde_json::json!({"cap": {"Method": 8043}, "writes": 0})
            .as_object()
            .cloned()
            .unwrap_or_default(),
    }
}

#[test]
fn the_failing_apdu_is_marked_and_nothing_gets_through_unescaped() {
    let html = html::render(&report()).unwrap();
    assert_eq!(html.matches("id=\"failing\"").count(), 1);
    assert!(html.contains("STATUS &lt;&amp;&gt;"), "{html}");
    assert!(html.contains("a title with &lt;tags&gt;"), "{html}");
    assert!(html.contains("lab, not secure"));
    assert!(html.contains("ipae test --scenario disable"));
    assert!(html.contains("eidValue"), "ESipa is decoded");
    // Self-contained: nothing is loaded from anywhere.
    for outside in ["http://", "https://", "src=", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
}

#[test]
fn junit_is_well_formed_and_counts() {
    let xml = junit::render(&report()).unwrap();
    assert!(
        xml.contains("<testsuites name=\"ipae\" tests=\"2\" failures=\"1\""),
        "{xml}"
    );
    assert!(xml.contains("time=\"1.234\""), "{xml}");
    assert!(xml.contains("expected &lt;a&gt;, found b"), "{xml}");
    assert!(!xml.contains('\u{1}'));
    let open = xml.matches("<testcase").count();
    assert_eq!(open, xml.matches("</testcase>").count());
}

#[test]
fn json_has_what_scripts_look_for() {
    let json = serde_json::to_value(report()).unwrap();
    assert_eq!(json["cards"], 1);
    assert_eq!(json["personalized"], 1);
    assert_eq!(json["scenarios"]["passed"], 0);
    assert_eq!(json["scenarios"]["failed"], 1);
    assert_eq!(json["scenarios"]["list"][0]["name"], "disable");
    assert_eq!(json["lockstep"]["transitions_taken"], 2);
    assert!(json["lockstep"]["transitions_total"].as_u64().unwrap() > 100);
    assert_eq!(json["figures"]["writes"], 0);
}

#[test]
fn all_files_are_written() {
    let dir = tempfile::tempdir().unwrap();
    let written = write_all(&report(), &dir.path().join("deep")).unwrap();
    for path in [written.html, written.json, written.junit] {
        assert!(std::fs::metadata(path).unwrap().len() > 500);
    }
}
