//! Cards that get new keys, and runs that end around PUT KEY.

use super::*;
use crate::transport::LinkError;
use applet_gen::gp::command::INS_PUT_KEY;
use applet_model::apdu::{Command, Response};
use std::panic::{AssertUnwindSafe, catch_unwind};

const NEW: &str = "0F1E2D3C4B5A69788796A5B4C3D2E1F0";

/// One card with new keys of version 31.
pub(super) fn order_with_new_keys() -> Order {
    let hierarchy = Hierarchy::lab().unwrap();
    let eim = hierarchy.issue_eim("eim.lab.example").unwrap();
    let key = eim.certificate.public_key().unwrap().to_spki().unwrap();
    let text = sample(&SampleOptions {
        count: 1,
        eim_public_key: hex::encode(key),
        address: Some("127.0.0.1".to_owned()),
        ..SampleOptions::default()
    });
    let lines = text.lines().map(|line| match line.split(',').next() {
        Some("eid") => format!("{line},new_kvn,new_key_enc,new_key_mac,new_key_dek"),
        Some(first) if !first.starts_with('#') => format!("{line},31,{NEW},{NEW},{NEW}"),
        _ => line.to_owned(),
    });
    let text = lines.collect::<Vec<_>>().join("\n") + "\n";
    let (path, folder) = (Path::new("order.csv"), Path::new("."));
    Order::parse(&text, path, folder, &definition(), &KeyStore::default()).unwrap()
}

/// Ends the run like a crash at PUT KEY, before it reaches the card or after.
struct CrashAtPutKey(Box<dyn CardLink>, bool);

impl CardLink for CrashAtPutKey {
    fn atr(&self) -> &[u8] {
        self.0.atr()
    }

    fn reset(&mut self) -> Result<Vec<u8>, LinkError> {
        self.0.reset()
    }

    fn transmit(&mut self, command: &Command) -> Result<Response, LinkError> {
        if command.ins == INS_PUT_KEY {
            if self.1 {
                let _ = self.0.transmit(command);
            }
            std::panic::panic_any("crash");
        }
        self.0.transmit(command)
    }

    fn name(&self) -> String {
        self.0.name()
    }
}

struct CrashStation(VirtualStation, bool);

impl Station for CrashStation {
    fn name(&self) -> String {
        self.0.name()
    }

    fn next(&mut self, supply: &mut Supply<'_>) -> Result<Option<Presented>, PersonalizeError> {
        let presented = self.0.next(supply)?;
        Ok(presented.map(|presented| Presented {
            link: Box::new(CrashAtPutKey(presented.link, self.1)),
            ..presented
        }))
    }
}

/// The card is done with its new keys, no try was spent, and receipt and journal say so.
fn check(out: &Path, order: &Order) {
    let (outcome, events) = run_logged(out, order, &mut station(out));
    assert_eq!(outcome.unwrap().done, 1, "{events:#?}");
    let card = stored(out, order, 0);
    assert_personalized(&card);
    assert_eq!(card.tries_left(), 10);
    let eid = order.rows[0].eid.to_string();
    let journal = crate::journal::SqliteJournal::read(out).unwrap();
    let rotation = journal.rotation(&eid).unwrap().unwrap();
    assert!(rotation.confirmed);
    assert_eq!((rotation.from_kvn, rotation.to_kvn), (0x30, 0x31));
    let receipt = std::fs::read_to_string(out.join(format!("receipts/{eid}.json"))).unwrap();
    let values: serde_json::Value = serde_json::from_str(&receipt).unwrap();
    assert_eq!(values["key_set"]["kvn"], "31");
    assert_eq!(
        values["key_set"]["check_values"][0],
        rotation.check_values[0]
    );
    assert!(!receipt.contains(NEW));
}

#[test]
fn a_card_gets_new_keys() {
    let dir = tempfile::tempdir().unwrap();
    check(dir.path(), &order_with_new_keys());
}

#[test]
fn ended_around_put_key() {
    let order = order_with_new_keys();
    for after in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let mut crashing = CrashStation(station(dir.path()), after);
        let crashed = catch_unwind(AssertUnwindSafe(|| {
            run_logged(dir.path(), &order, &mut crashing).0.map(|_| ())
        }));
        assert!(crashed.is_err(), "{after}");
        let journal = crate::journal::SqliteJournal::read(dir.path()).unwrap();
        let eid = order.rows[0].eid.to_string();
        let begun = journal.rotation(&eid).unwrap().unwrap();
        assert!(!begun.confirmed && begun.check_values[0] != "-");
        drop(journal);
        check(dir.path(), &order);
    }
}
