//! The management interface as its clients meet it: over HTTP, with a device behind it.

use super::super::store::Registration;
use super::super::with_euicc::{A, B, EID, World};
use super::super::{EimIdentity, EimOptions, Storage};
use super::*;
use cards::pki::Hierarchy;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const TOKEN: &str = "a-token-for-tests";

struct Client {
    server: ServerHandle,
}

struct Reply {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| {
            panic!("{e}: {} {}", self.head, String::from_utf8_lossy(&self.body))
        })
    }

    /// The answer, which has this status.
    fn is(&self, status: u16) -> Value {
        let text = String::from_utf8_lossy(&self.body);
        assert_eq!(self.status, status, "{text}");
        self.json()
    }
}

impl Client {
    fn of(eim: &Eim) -> Self {
        let token = Token::of_text(TOKEN).unwrap();
        let server = eim.manage(([127, 0, 0, 1], 0).into(), token, false);
        Client {
            server: server.unwrap(),
        }
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Reply {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: eim\r\nConnection: close\r\n");
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        let mut stream = TcpStream::connect(self.server.address()).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        // The server may have answered and closed before the whole body went out.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..at]).into_owned();
        Reply {
            status: head.split_whitespace().nth(1).unwrap().parse().unwrap(),
            head,
            body: answer[at + 4..].to_vec(),
        }
    }

    fn with_token(&self, method: &str, path: &str, more: &[(&str, &str)], body: &[u8]) -> Reply {
        let authorization = format!("Bearer {TOKEN}");
        let mut headers = vec![("Authorization", authorization.as_str())];
        headers.extend(more);
        self.send(method, path, &headers, body)
    }

    fn get(&self, path: &str) -> Reply {
        self.with_token("GET", &format!("{API}{path}"), &[], b"")
    }

    fn post(&self, path: &str, body: &Value) -> Reply {
        let body = body.to_string();
        self.with_token("POST", &format!("{API}{path}"), &[], body.as_bytes())
    }

    fn once(&self, key: &str, body: &Value) -> Reply {
        let path = format!("{API}/devices/{EID}/packages");
        let body = body.to_string();
        self.with_token("POST", &path, &[("Idempotency-Key", key)], body.as_bytes())
    }
}

fn lone_eim() -> Eim {
    let identity = EimIdentity::of_hierarchy(&Hierarchy::lab().unwrap()).unwrap();
    Eim::open(&Storage::Memory, identity, EimOptions::default()).unwrap()
}

#[test]
fn the_four_operations_wait_for_their_device_and_come_back() {
    let mut world = World::new(true);
    let client = Client::of(&world.eim);
    let packages = format!("/devices/{EID}/packages");
    let ask = |operations: Value| {
        let reply = client.post(&packages, &json!({ "operations": operations }));
        let row = reply.is(202);
        let id = row["id"].as_i64().unwrap();
        assert!(reply.head.contains(&format!("{API}/packages/{id}")));
        assert_eq!(row["state"], "queued");
        assert_eq!(row["sent_at"], Value::Null);
        id
    };
    // The device is offline: all wait, in order.
    let ids = [
        ask(json!([{ "operation": "inventory" }])),
        ask(json!([{ "operation": "enable", "iccid": B }])),
        ask(
            json!([{ "operation": "disable", "iccid": B }, { "operation": "enable", "iccid": A, "rollback": false }]),
        ),
        ask(json!([{ "operation": "delete", "iccid": B }])),
        ask(json!([{ "operation": "other", "text": "listEim" }])),
    ];
    assert_eq!(client.get(&format!("/devices/{EID}")).is(200)["waiting"], 5);
    for done in 0..=ids.len() {
        let listed = client.get(&packages).is(200);
        let states: Vec<_> = listed["packages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|row| row["state"].as_str().unwrap())
            .collect();
        let expected: Vec<_> = (0..ids.len())
            .map(|i| if i < done { "done" } else { "queued" })
            .collect();
        assert_eq!(states, expected, "{listed}");
        if done < ids.len() {
            world.execute();
        }
        if done == 1 {
            let device = client.get(&format!("/devices/{EID}")).is(200);
            assert_eq!(
                (&device["enabled"], &device["counter"]),
                (&json!(B), &json!(43))
            );
        }
    }
    let inventory = client.get(&format!("/devices/{EID}/profiles")).is(200);
    assert_eq!(inventory["complete"], true);
    let profiles = inventory["profiles"].as_array().unwrap();
    assert!(profiles.iter().all(|p| p["iccid"] != B), "{inventory}");
    assert!(
        profiles
            .iter()
            .any(|p| p["iccid"] == A && p["state"] == "enabled"),
        "{inventory}"
    );
    assert_eq!(inventory["eims"], json!(["eim.lab.example"]));
    let history = client.get(&format!("/devices/{EID}/history")).is(200);
    assert_eq!(history["results"].as_array().unwrap().len(), ids.len());
    let one = client.get(&format!("/packages/{}", ids[0])).is(200);
    let time = one["ended_at"].as_str().unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok(), "{time}");
    let summary = client.get("/summary").is(200);
    assert_eq!(summary["packages"], json!({ "done": 5 }));
}

#[test]
fn a_request_sent_again_is_queued_once_and_what_waits_can_be_cancelled() {
    let world = World::new(false);
    let client = Client::of(&world.eim);
    let rat =
        json!({ "operations": [{ "operation": "other", "text": "getRAT" }], "expires_in": 60 });
    let first = client.once("k1", &rat).is(202);
    assert_eq!(client.once("k1", &rat).is(200)["id"], first["id"]);
    let inventory = json!({ "operations": [{ "operation": "inventory" }] });
    let taken = client.once("k1", &inventory).is(409);
    assert!(
        taken["detail"]
            .as_str()
            .unwrap()
            .contains("another request")
    );
    assert_ne!(client.once("k2", &rat).is(202)["id"], first["id"]);
    let (queued, expires) = (&first["queued_at"], &first["expires_at"]);
    let time = |text: &Value| -> jiff::Timestamp { text.as_str().unwrap().parse().unwrap() };
    let seconds = time(expires).duration_since(time(queued)).as_secs();
    assert!((59..=60).contains(&seconds), "{seconds}");

    let path = format!("{API}/packages/{}", first["id"]);
    let cancel = || client.with_token("DELETE", &path, &[], b"");
    assert_eq!(cancel().is(200)["state"], "cancelled");
    assert_eq!(cancel().is(200)["state"], "cancelled");
    world
        .eim
        .get_package(&applet_model::sgp::esipa::GetEimPackageRequest::new(
            world.eid,
        ))
        .unwrap();
    let sent = format!("{API}/packages/2");
    let refused = client.with_token("DELETE", &sent, &[], b"").is(409);
    assert!(refused["detail"].as_str().unwrap().contains("is sent"));
}

#[test]
fn devices_are_taken_in_and_listed_in_parts() {
    let eim = lone_eim();
    let client = Client::of(&eim);
    let hierarchy = Hierarchy::lab().unwrap();
    let eid: applet_model::sgp::Eid = EID.parse().unwrap();
    let credential = hierarchy.issue_euicc(&EID.parse().unwrap()).unwrap();
    let body = json!({
        "eid": EID, "association_token": 7, "counter": 41,
        "euicc_certificate": hex::encode(&credential.euicc_certificate),
        "eum_certificate": hex::encode(&credential.eum_certificate),
    });
    let row = client.post("/devices", &body).is(200);
    assert_eq!(
        (
            &row["certified"],
            &row["association_token"],
            &row["counter"]
        ),
        (&json!(true), &json!(7), &json!(41))
    );
    // Another's certificate is no good.
    let mut other = body.clone();
    other["eid"] = json!("89049032123451234512345678901999");
    let refused = client.post("/devices", &other);
    assert!([400, 422].contains(&refused.status), "{}", refused.status);
    assert_eq!(eim.devices().unwrap().len(), 1);
    let mut half = body;
    half.as_object_mut().unwrap().remove("eum_certificate");
    client.post("/devices", &half).is(400);

    // 24 more, whatever their check digits are.
    let mut all = vec![EID.to_owned()];
    for n in 1..=24u8 {
        let mut more = eid;
        more.0[12] = n;
        eim.register(&more, &Registration::default()).unwrap();
        all.push(more.to_string());
    }
    all.sort();
    let (mut after, mut seen) = (String::new(), Vec::new());
    for part in 0.. {
        let page = client
            .get(&format!("/devices?limit=10&after={after}"))
            .is(200);
        let rows = page["devices"].as_array().unwrap();
        assert_eq!(rows.len(), [10, 10, 5][part]);
        seen.extend(
            rows.iter()
                .map(|row| row["eid"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => next.clone_into(&mut after),
            None => break,
        }
    }
    assert_eq!(seen, all);
}

#[test]
fn without_the_token_nothing_is_told_but_what_the_interface_is() {
    let client = Client::of(&World::new(false).eim);
    let document = client.send("GET", DOCUMENT, &[], b"").is(200);
    assert_eq!(document, serde_json::to_value(super::document()).unwrap());
    let mut operations = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{eid}", EID).replace("{id}", "1");
        for (method, described) in methods.as_object().unwrap() {
            operations += 1;
            assert_eq!(described["security"], json!([{ "token": [] }]), "{path}");
            for headers in [
                &[][..],
                &[("Authorization", "Bearer a-token-for-tests-not")],
                &[("Authorization", "a-token-for-tests")],
                &[("Authorization", "Bearer ")],
            ] {
                let reply = client.send(&method.to_uppercase(), &path, headers, b"{}");
                reply.is(401);
                assert!(
                    reply
                        .head
                        .to_lowercase()
                        .contains("www-authenticate: bearer")
                );
            }
        }
    }
    assert_eq!(operations, 10);
    for path in ["/", "/page.js", "/page.css"] {
        let reply = client.send("GET", path, &[], b"");
        assert_eq!(reply.status, 200);
        let head = reply.head.to_lowercase();
        assert!(head.contains("default-src 'none'"), "{head}");
    }
}

#[test]
fn problems_say_what_was_expected() {
    let client = Client::of(&World::new(false).eim);
    let packages = format!("{API}/devices/{EID}/packages");
    let stranger = format!("{API}/devices/{}/packages", EID.replace("12345", "12346"));
    let nothing = "{\"operations\":[]}";
    let mixed = json!({ "operations": [{ "operation": "inventory" }, { "operation": "other", "text": "listEim" }] }).to_string();
    let large = vec![b' '; 80 * 1024];
    let cases: [(&str, &str, &[u8], u16, &str); 15] = [
        ("GET", "/api/v1/nothing", b"", 404, "no such resource"),
        ("PUT", "/api/v1/summary", b"", 405, "no such method"),
        ("GET", "/api/v1/devices/89", b"", 400, "EID"),
        ("GET", "/api/v1/devices?limit=0", b"", 400, "1 to 1000"),
        ("GET", "/api/v1/devices?limit=x", b"", 400, "limit"),
        ("GET", "/api/v1/devices?colour=red", b"", 400, "colour"),
        ("GET", "/api/v1/packages/99", b"", 404, "no package 99"),
        ("GET", "/api/v1/packages/one", b"", 400, "number"),
        ("DELETE", "/api/v1/packages/99", b"", 404, "no package 99"),
        ("POST", &packages, b"{", 400, "line 1"),
        (
            "POST",
            &packages,
            b"{\"operations\":[{\"operation\":\"explode\"}]}",
            400,
            "explode",
        ),
        (
            "POST",
            &packages,
            b"{\"operations\":[{\"operation\":\"delete\",\"iccid\":\"1\"}]}",
            422,
            "delete 1",
        ),
        (
            "POST",
            &packages,
            b"{\"operations\":[{\"operation\":\"push\",\"activation_code\":\"x\"}]}",
            422,
            "push x",
        ),
        ("POST", &packages, nothing.as_bytes(), 422, "there is none"),
        ("POST", &packages, mixed.as_bytes(), 422, "both"),
    ];
    for (method, path, body, status, words) in cases {
        let reply = client.with_token(method, path, &[], body);
        let problem = reply.is(status);
        let detail = problem["detail"].as_str().unwrap();
        assert!(detail.contains(words), "{method} {path}: {detail}");
        assert_eq!(problem["status"], status);
        assert!(
            reply
                .head
                .to_lowercase()
                .contains("application/problem+json")
        );
    }
    client
        .with_token("POST", &stranger, &[], nothing.as_bytes())
        .is(404);
    client.with_token("POST", &packages, &[], &large).is(413);
    let long = "k".repeat(201);
    client
        .once(
            &long,
            &json!({ "operations": [{ "operation": "inventory" }] }),
        )
        .is(400);
}

#[test]
fn an_address_of_others_needs_a_word() {
    let eim = lone_eim();
    let token = || Token::of_text(TOKEN).unwrap();
    let everywhere = ([0, 0, 0, 0], 0).into();
    let refused = eim.manage(everywhere, token(), false).unwrap_err();
    assert!(refused.to_string().contains("without TLS"), "{refused}");
    eim.manage(everywhere, token(), true).unwrap();
}

/// JSON that is nearly right.
fn nearly() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(json!(null)),
        any::<i64>().prop_map(|n| json!(n)),
        "[ -~]{0,12}".prop_map(|text| json!(text)),
        prop::sample::select(vec![
            "enable",
            "delete",
            "inventory",
            "other",
            A,
            B,
            "listEim",
            "addEim 30"
        ])
        .prop_map(|text| json!(text)),
    ];
    let names = vec![
        "operations",
        "operation",
        "iccid",
        "rollback",
        "text",
        "expires_in",
        "eid",
        "counter",
        "euicc_certificate",
        "eum_certificate",
        "association_token",
    ];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(names.clone()), inner), 0..5)
                .prop_map(|pairs| pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()),
        ]
    })
}

#[test]
fn nothing_that_is_sent_is_the_servers_fault() {
    let client = Client::of(&World::new(false).eim);
    let packages = format!("{API}/devices/{EID}/packages");
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(300));
    let inputs = prop_oneof![
        nearly().prop_map(|value| value.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..200),
    ];
    runner
        .run(&(inputs, any::<bool>()), |(body, queue)| {
            let path = if queue {
                packages.clone()
            } else {
                format!("{API}/devices")
            };
            let reply = client.with_token("POST", &path, &[], &body);
            prop_assert!(reply.status < 500, "{} {:?}", reply.status, body);
            Ok(())
        })
        .unwrap();
}
