//! Every shipped definition is sound; every named check catches what it is for.

use super::*;

fn lab() -> Definition {
    Definition::shipped("virtual-lab").unwrap()
}

#[test]
fn every_shipped_definition_validates() {
    for (name, text) in SHIPPED {
        let definition = Definition::from_toml(text, name).unwrap();
        let again = toml::to_string(&definition).unwrap();
        assert_eq!(Definition::from_toml(&again, name).unwrap(), definition);
    }
}

#[test]
fn every_file_is_shipped() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/definitions");
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        assert!(
            SHIPPED.iter().any(|(shipped, _)| *shipped == name),
            "{name}"
        );
    }
}

#[test]
fn the_aids_are_those_of_the_model() {
    use applet_model::aid;
    let d = lab();
    assert_eq!(d.isd.aid.bytes(), aid::ISD);
    let euicc = d.euicc.as_ref().unwrap();
    assert_eq!(euicc.isd_r.bytes(), aid::ISD_R);
    assert_eq!(euicc.ecasd.bytes(), aid::ECASD);
    assert_eq!(d.package(aid::PACKAGE_ES10).unwrap().name, "ipae/es10");
}

#[test]
fn unknown_fields_are_refused_with_their_place() {
    let text = SHIPPED[0]
        .1
        .replace("int = false", "int = false\ncolour = 3");
    let error = Definition::from_toml(&text, "x.toml")
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("x.toml") && error.contains("colour") && error.contains("line"),
        "{error}"
    );
}

#[test]
fn each_check_catches_its_fault() {
    type Break = fn(&mut Definition);
    let faults: &[(&str, Break)] = &[
        ("format", |d| d.format = 2),
        ("names", |d| d.product = " ".into()),
        ("files", |d| {
            let text = "[[files]]\npath = \"3F00/7F99/6F01\"\ntype = \"transparent\"";
            d.file_system = Some(toml::from_str(text).unwrap());
        }),
        ("atr", |d| d.atr = Hex(vec![0x3C, 0x3C])),
        ("atr-check-byte", |d| d.atr.0[3] ^= 1),
        ("aids", |d| d.isd.aid.0.truncate(4)),
        ("packages", |d| {
            let again = d.java_card.packages[0].clone();
            d.java_card.packages.push(again);
        }),
        ("algorithms", |d| {
            d.java_card.algorithms.push(Algorithm::AesGcm)
        }),
        ("scp03-i", |d| d.isd.scp03.i = 0x42),
        ("scp03-level", |d| d.isd.scp03.level = 0x02),
        ("scp03-keys", |d| d.isd.scp03.key_length = 17),
        ("security-domains", |d| {
            let domains = d.security_domains.as_mut().unwrap();
            domains.privileges.push("Sandwich Management".into());
        }),
        ("production-keys", |d| d.use_ = Use::Production),
        ("es10", |d| {
            if let Some(euicc) = &mut d.euicc {
                euicc.es10_block = 0;
            }
        }),
        ("toolkit", |d| d.toolkit.timers = 9),
        ("apdu", |d| d.apdu.max_command_data = 256),
        // The lab card is T=0.
        ("apdu", |d| d.apdu.extended_length = true),
        ("cost", |d| {
            if let Some(cost) = &mut d.cost {
                cost.basis.clear();
            }
        }),
        ("memory", |d| d.memory.apdu_buffer = 100),
    ];
    for check in CHECKS {
        assert!(
            faults.iter().any(|(name, _)| *name == check.name),
            "{}",
            check.name
        );
    }
    for (name, fault) in faults {
        let mut d = lab();
        fault(&mut d);
        assert!(
            d.validate().iter().any(|f| f.check == *name),
            "{name} finds nothing"
        );
    }
}

#[test]
fn a_secret_key_in_a_definition_is_refused() {
    let mut d = lab();
    d.isd.scp03.test_keys.as_mut().unwrap().enc = Hex((0..16).map(|i| i * 7 + 3).collect());
    assert!(d.validate()[0].message.contains("not a public test key"));
}

#[test]
fn the_schema_names_every_section() {
    let schema = json_schema();
    for section in [
        "java_card",
        "memory",
        "isd",
        "security_domains",
        "quirks",
        "euicc",
        "toolkit",
        "apdu",
        "cost",
        "use",
    ] {
        assert!(schema["properties"][section].is_object(), "{section}");
    }
    assert_eq!(schema["additionalProperties"], false);
}

#[test]
fn the_lists_of_algorithms_and_curves_are_whole() {
    let schema = json_schema();
    for (name, count) in [
        ("Algorithm", Algorithm::ALL.len()),
        ("Curve", Curve::ALL.len()),
    ] {
        assert_eq!(
            schema["$defs"][name]["oneOf"].as_array().unwrap().len(),
            count,
            "{name}"
        );
    }
}
