//! The conformance suite: small applets, grouped by what they test, compiled once, converted, verified, loaded
//! by the card's own card-content management and run case by case.
//!
//! The cases stand in `tests/java/conformance`, each with its clause and title beside it (see
//! [`cases`]); vectors of algorithms in [`vectors`]; what takes several channels or installations in
//! [`content`]. Each group prints its table: `cargo test -p ipae-tests --test conformance -- --nocapture`.

mod card;
mod cases;
mod content;
mod packages;
mod vectors;

use card::Session;
use cases::{Case, run};
use packages::{package, packages};

/// Runs the groups of a package on a card of the definition, and shows every case.
fn group(package_name: &str, definition: &str) {
    group_on(Session::new(definition), package_name);
}

fn group_on(mut session: Session, package_name: &str) {
    session.load(package_name);
    let mut failed = Vec::new();
    let mut count = 0;
    for applet in &package(package_name).applets {
        let cases = Case::all(applet.source());
        if cases.is_empty() {
            continue;
        }
        for case in &cases {
            let outcome = run(&mut session, applet, case);
            let shown = match &outcome {
                Ok(()) => "holds".to_owned(),
                Err(error) => format!("FAILS: {error}"),
            };
            println!(
                "{}.{:<12} {:>3}  {:<46} {:<7} {}",
                package_name, applet.name, case.number, case.clause, shown, case.title
            );
            count += 1;
            if outcome.is_err() {
                failed.push(format!(
                    "{}.{} {}: {shown}",
                    package_name, applet.name, case.number
                ));
            }
        }
    }
    println!(
        "{package_name}: {} of {count} cases hold",
        count - failed.len()
    );
    assert!(count > 0, "{package_name} has no cases");
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn language() {
    group("language", "virtual-lab");
}

#[test]
fn memory() {
    group("memory", "virtual-lab");
}

#[test]
fn transactions() {
    group("transactions", "virtual-lab");
}

#[test]
fn runtime() {
    group("runtime", "virtual-lab");
}

#[test]
fn firewall() {
    group("firewall", "virtual-lab");
}

#[test]
fn keys() {
    group("crypto", "virtual-lab");
}

/// On a card that has `int`; another one refuses the CAP.
#[test]
fn integers() {
    group_on(
        Session::with(|definition| definition.java_card.int = true),
        "integers",
    );
    let mut session = Session::new("virtual-lab");
    session.load("base");
    let (sw, fault) = session.try_load("integers");
    assert_ne!(sw, 0x9000);
    assert!(fault.unwrap_or_default().contains("int"));
}

/// Java Card 3.0.5.
#[test]
fn api_of_305() {
    group("aead", "virtual-305");
}

/// The same CAP on a card with the older API.
#[test]
fn a_newer_api_is_refused_at_loading() {
    let mut session = Session::new("virtual-lab");
    session.load("base");
    let (sw, fault) = session.try_load("aead");
    assert_eq!(sw, 0x6985);
    let fault = fault.unwrap_or_default();
    assert!(fault.contains("1.6: the card has 1.5"), "{fault}");
}

/// What a definition doesn't list, the applet doesn't get: it says so at its installation.
#[test]
fn an_algorithm_taken_away_is_missing() {
    let mut session = Session::with(|definition| {
        let algorithms = &mut definition.java_card.algorithms;
        algorithms.retain(|a| *a != cards::definition::Algorithm::Aes);
    });
    session.load("crypto");
    let keys = package("crypto").applet("Keys");
    // The applet's constructor asks for an AES cipher; nothing catches CryptoException.
    assert_eq!(session.try_install(keys, &[]), 0x6F00);
    let fault = session.card.take_fault().unwrap_or_default();
    assert!(
        fault.contains("CryptoException") && fault.contains('3'),
        "{fault}"
    );
    // Another one does without.
    let vectors = package("crypto").applet("Vectors");
    assert_eq!(session.try_install(vectors, &[]), 0x9000);
}

#[test]
fn vectors_are_computed() {
    let mut session = Session::new("virtual-lab");
    session.load("crypto");
    session.install(package("crypto").applet("Vectors"), &[]);
    let mut wrong = Vec::new();
    for (source, ins, p1, p2, fields, expected) in vectors::VECTORS {
        let mut data = Vec::new();
        for field in *fields {
            let field = hex::decode(field).unwrap();
            data.push(u8::try_from(field.len()).unwrap());
            data.extend(field);
        }
        let (response, sw) = session.send(&[0x80, *ins, *p1, *p2], &data, true);
        let found = hex::encode_upper(response);
        let holds = sw == 0x9000 && found == *expected;
        println!("{:<8} {source}", if holds { "holds" } else { "FAILS" });
        if !holds {
            wrong.push(format!("{source}: {sw:04X} {found}, expected {expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every package of the suite passed the verifier (it would not be there otherwise), and the table of packages
/// names every folder of sources.
#[test]
fn every_folder_is_a_package() {
    let mut folders: Vec<String> = std::fs::read_dir(packages::sources())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    folders.sort();
    let mut names: Vec<&str> = packages().iter().map(|package| package.name).collect();
    names.sort_unstable();
    assert_eq!(folders, names);
}
