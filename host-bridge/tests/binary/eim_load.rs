//! The eIM with many devices at once, killed and started again while it works.

use super::support::{Background, Run, ipae, wait};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

const DEVICES: usize = 20;

/// An eIM with its database in a folder.
struct Server {
    process: Background,
    esipa: String,
    manage: String,
}

impl Server {
    fn start(dir: &Path, esipa: &str, manage: &str) -> Server {
        let said = dir.join("said");
        let file = std::fs::File::create(&said).unwrap();
        let process = Background::start(
            ipae()
                .current_dir(dir)
                .args([
                    "eim",
                    "serve",
                    "--json",
                    "--pki",
                    "pki",
                    "--db",
                    "eim.sqlite",
                ])
                .args(["--listen", esipa, "--manage", manage])
                .stdout(file)
                .stderr(Stdio::null()),
        );
        let mut addresses = None;
        wait(Duration::from_secs(20), || {
            let text = std::fs::read_to_string(&said).unwrap_or_default();
            let first = serde_json::Deserializer::from_str(&text)
                .into_iter::<serde_json::Value>()
                .next();
            addresses = first.and_then(Result::ok);
            addresses.is_some()
        });
        let addresses = addresses.expect("the eIM says where it serves");
        let at = |name: &str| addresses[name].as_str().expect("an address").to_owned();
        Server {
            process,
            esipa: at("address"),
            manage: at("manage"),
        }
    }
}

#[test]
fn killed_under_load_nothing_is_lost_doubled_or_out_of_order() {
    let dir = tempfile::tempdir().unwrap();
    Run::of(ipae().current_dir(&dir).args(["pki", "init", "pki"])).good();
    let any = "127.0.0.1:0";
    let mut server = Server::start(dir.path(), any, any);
    let report = dir.path().join("report.json");
    let mut load = Background::start(
        ipae()
            .current_dir(&dir)
            .args(["eim", "load", "--json", "--pki", "pki"])
            .args(["--esipa", &server.esipa, "--manage", &server.manage])
            .args(["--devices", &DEVICES.to_string(), "--poll-every", "1"])
            .args(["--operations", "1200", "--seconds", "4"])
            .stdout(std::fs::File::create(&report).unwrap())
            .stderr(Stdio::null()),
    );
    // The load begins once its devices are taken in.
    let taken_in = || {
        let mut list = ipae();
        list.current_dir(&dir).args(["eim", "inventory", "--json"]);
        let run = Run::of(list.args(["--pki", "pki", "--db", "eim.sqlite"]));
        run.good().json().as_array().map_or(0, Vec::len)
    };
    assert!(wait(Duration::from_secs(60), || taken_in() == DEVICES));
    let mut killed = 0;
    for kill in 0..3u64 {
        std::thread::sleep(Duration::from_millis(300 + 170 * kill));
        // A slow machine may be through before the later kills come; the first always does.
        if load.0.try_wait().unwrap().is_some() {
            break;
        }
        server.process.kill();
        killed += 1;
        server = Server::start(dir.path(), &server.esipa, &server.manage);
    }
    assert!(killed > 0, "the eIM was never killed");
    let mut code = None;
    assert!(wait(Duration::from_secs(120), || {
        code = load.0.try_wait().unwrap().map(|status| status.code());
        code.is_some()
    }));
    let text = std::fs::read_to_string(&report).unwrap();
    assert_eq!(code, Some(Some(0)), "{text}");
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(report["findings"], serde_json::json!([]), "{text}");
    assert!(report["operations"].as_u64() > Some(0), "{text}");
    assert_eq!(report["devices"], DEVICES);
}
