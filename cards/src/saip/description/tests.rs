//! Descriptions and packages, both ways.

use super::*;
use crate::saip::Package;
use crate::saip::check::{Level, check};
use crate::saip::overview::Overview;
use crate::saip::tests::reference;

fn lab() -> Package {
    let description: Description = toml::from_str(LAB_TOML).unwrap();
    description.package().unwrap()
}

#[test]
fn the_lab_s_description_makes_a_package_without_faults() {
    let bytes = lab().encode().unwrap();
    let findings = check(&bytes);
    assert!(
        findings.iter().all(|finding| finding.level == Level::Note),
        "{findings:#?}"
    );
    let installed = crate::saip::install::install(&bytes).unwrap();
    assert_eq!(installed.imsi, "001010000000001");
    assert_eq!(hex::encode_upper(installed.iccid), "981000100000000000F9");
    // A header has the digits in order (8.2).
    let package = lab();
    let header = package.header().unwrap();
    assert_eq!(
        hex::encode_upper(header.iccid.as_bytes()),
        "8901000100000000009F"
    );
    assert_eq!(installed.volume.naas.len(), 1);
}

#[test]
fn the_lab_s_package_has_words_for_everything() {
    let description = Description::of(&lab());
    assert!(description.header.raw.is_none());
    assert!(
        description
            .elements
            .iter()
            .all(|element| element.raw.is_none())
    );
}

#[test]
fn packages_go_through_words_and_back() {
    let mut packages = vec![lab()];
    packages.extend(
        reference()
            .iter()
            .map(|(_, bytes)| Package::decode(bytes).unwrap()),
    );
    for package in packages {
        let description = Description::of(&package);
        let text = toml::to_string(&description).unwrap();
        let again: Description = toml::from_str(&text).unwrap();
        assert_eq!(again, description);
        assert!(again.package().unwrap().encode().unwrap() == package.encode().unwrap());
        let masked = toml::to_string(&description.masked()).unwrap();
        assert!(!masked.contains("465B5CE8") && masked.contains(MASK));
        let masked: Description = toml::from_str(&masked).unwrap();
        assert!(masked.package().unwrap_err().problem.contains("mask"));
    }
}

#[test]
fn words_that_make_no_sense_are_told_with_their_place() {
    for (from, to, place, problem) in [
        (
            "version = \"2.3\"",
            "version = \"two\"",
            "header",
            "version",
        ),
        ("\"milenage\"]", "\"millenage\"]", "header", "service"),
        ("ef-imsi =", "ef-imsy =", "element 4 (usim)", "ef-imsy"),
        (
            "imsi:001010000000001",
            "imsi:001x",
            "element 4 (usim)",
            "IMSI",
        ),
        (
            "algorithm = \"milenage\"",
            "algorithm = \"comp128\"",
            "element 6 (akaParameter)",
            "milenage",
        ),
        (
            "type = \"pukCodes\"",
            "type = \"pokCodes\"",
            "element 2 (pokCodes)",
            "raw",
        ),
    ] {
        let text = LAB_TOML.replacen(from, to, 1);
        let description: Description = toml::from_str(&text).unwrap();
        let error = description.package().unwrap_err();
        assert_eq!(error.place, place, "{error}");
        assert!(error.problem.contains(problem), "{error}");
    }
}

#[test]
fn findings_name_element_clause_and_answer() {
    for (from, to, element, clause, answer) in [
        (
            "version = \"2.3\"",
            "version = \"4.0\"",
            "header",
            "8.2",
            "unsupported-profile-version",
        ),
        (
            "\"milenage\"]",
            "\"milenage\", \"cave\"]",
            "header",
            "8.2",
            "feature-not-supported",
        ),
        (
            "puk = 129 }",
            "puk = 130 }",
            "pinCodes",
            "8.4.1",
            "bad-values",
        ),
    ] {
        let text = LAB_TOML.replacen(from, to, 1);
        let description: Description = toml::from_str(&text).unwrap();
        let bytes = description.package().unwrap().encode().unwrap();
        let first = check(&bytes).into_iter().next().unwrap();
        assert_eq!(
            (
                first.level,
                first.element.as_str(),
                first.clause,
                first.answer.as_str()
            ),
            (Level::Error, element, clause, answer),
            "{first:?}"
        );
    }
}

#[test]
fn keys_are_shown_to_those_who_ask() {
    let package = lab();
    let shown = |secrets| serde_json::to_string(&Overview::of(&package, secrets)).unwrap();
    assert!(!shown(false).contains("465B5CE8") && shown(true).contains("465B5CE8"));
    assert!(!shown(false).contains("30303030"));
    assert!(shown(false).contains("A0000000871002FFFFFFFF8949504165"));
}
