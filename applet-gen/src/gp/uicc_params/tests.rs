//! Parameters of public installs, read and written again; faults named.

use super::*;
use proptest::prelude::*;

fn read(hex: &str) -> InstallParameters {
    InstallParameters::decode(&hex::decode(hex).unwrap()).unwrap()
}

#[test]
fn the_ea_form_as_cards_took_it() {
    // GlobalPlatformPro #17: "-params C900EA1B80 0DFF..., worked".
    let hex = "C900EA1B800DFF0012010100000003C0000100810400010000820400010000";
    let p = read(hex);
    let toolkit = p.toolkit().unwrap();
    assert_eq!(toolkit.priority, 0xFF);
    assert_eq!(
        toolkit.menu,
        [MenuEntry {
            position: 1,
            identifier: 0
        }]
    );
    assert_eq!(toolkit.tars, [[0xC0, 0x00, 0x01]]);
    assert_eq!(toolkit.max_services, Some(0));
    let uicc = p.uicc.as_ref().unwrap();
    assert_eq!(
        uicc.access.as_ref().unwrap().uicc,
        Some(AccessDomain::full())
    );
    assert_eq!(hex::encode_upper(p.encode().unwrap()), hex);
}

#[test]
fn access_to_an_adf() {
    // The EA of GlobalPlatformPro #389.
    let hex =
        "C900EA26800A030010010000000000008118000100001 0A0000000871002FFFFFFFF8907090000010000";
    let hex = hex.replace(' ', "");
    let p = read(&hex);
    let access = p.uicc.as_ref().unwrap().access.as_ref().unwrap();
    assert_eq!(access.adfs.len(), 1);
    assert_eq!(access.adfs[0].aid.len(), 16);
    assert_eq!(hex::encode_upper(p.encode().unwrap()), hex);
}

#[test]
fn the_ca_form() {
    // GlobalPlatformPro #293, the CA of a SIM toolkit applet.
    let hex = "C900EF10CA0E0100FF00000000020116034242 42".replace(' ', "");
    let p = read(&hex);
    let sim = p.system.as_ref().unwrap().sim_toolkit.as_ref().unwrap();
    assert_eq!(sim.access_domain, [0x00]);
    assert_eq!(sim.toolkit.minimum_security_level, [0x01, 0x16]);
    assert_eq!(sim.toolkit.tars, [*b"BBB"]);
    assert_eq!(hex::encode_upper(p.encode().unwrap()), hex);
}

#[test]
fn the_oldest_form_without_tar() {
    // osmocom/pysim tests/unittests/test_globalplatform.py, Install_param_Test.
    let p = read("c900ef1cc8020100c7020100ca12010001001505000000000000000000000000");
    let system = p.system.as_ref().unwrap();
    assert_eq!(system.non_volatile_quota, Some(256));
    assert_eq!(system.volatile_quota, Some(256));
    let toolkit = p.toolkit().unwrap();
    assert_eq!((toolkit.max_text_length, toolkit.menu.len()), (0x15, 5));
    assert!(toolkit.tars.is_empty());
}

#[test]
fn faults_name_the_field_and_its_place() {
    let error = |hex: &str| {
        InstallParameters::decode(&hex::decode(hex).unwrap())
            .unwrap_err()
            .to_string()
    };
    assert!(error("C900EA0480030900").contains("(EA) at offset 4"));
    let cut = error("C900EA06800401000002");
    assert!(cut.contains("positions and identifiers"), "{cut}");
    assert!(cut.contains("4 bytes expected, 0 are there"), "{cut}");
    let priority = error("C900EA0A80080000000000000000".replace(' ', "").as_str());
    assert!(priority.contains("priority level"), "{priority}");
    let tar = error("C900EA0A8008010000000000 0142".replace(' ', "").as_str());
    assert!(tar.contains("TAR values"), "{tar}");
    assert!(error("C900C900").contains("twice"));
}

#[test]
fn encoding_checks_the_same_ranges() {
    let mut toolkit = ToolkitParameters {
        max_channels: 8,
        ..ToolkitParameters::default()
    };
    let with = |toolkit: &ToolkitParameters| InstallParameters {
        uicc: Some(UiccParameters {
            toolkit: Some(toolkit.clone()),
            ..UiccParameters::default()
        }),
        ..InstallParameters::default()
    };
    assert_eq!(
        with(&toolkit).encode().unwrap_err().field,
        "maximum number of channels"
    );
    toolkit.max_channels = 3;
    let limits = CardLimits {
        channels: 1,
        timers: 8,
        non_volatile: 1000,
        volatile: 1000,
    };
    let findings = with(&toolkit).lint(&limits);
    assert_eq!(findings.len(), 1);
    assert!(
        findings[0]
            .to_string()
            .contains("3 asked for, the card has 1")
    );
}

fn toolkit() -> impl Strategy<Value = ToolkitParameters> {
    (
        1u8..=255,
        0u8..=8,
        any::<u8>(),
        proptest::collection::vec((any::<u8>(), 0u8..128), 0..5),
        0u8..=7,
        proptest::collection::vec(any::<u8>(), 0..4),
        proptest::collection::vec(any::<[u8; 3]>(), 0..3),
        0u8..=8,
    )
        .prop_map(
            |(priority, max_timers, max_text_length, menu, max_channels, msl, tars, services)| {
                ToolkitParameters {
                    priority,
                    max_timers,
                    max_text_length,
                    menu: menu
                        .into_iter()
                        .map(|(position, identifier)| MenuEntry {
                            position,
                            identifier,
                        })
                        .collect(),
                    max_channels,
                    // Parameter 01 has exactly one byte behind it.
                    minimum_security_level: match msl.first() {
                        Some(0x01) => vec![0x01, 0x16],
                        _ => msl,
                    },
                    tars,
                    max_services: Some(services),
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(toolkit in toolkit(), application in proptest::collection::vec(any::<u8>(), 0..60),
                               quota in proptest::option::of(any::<u32>()), last: bool) {
        let p = InstallParameters {
            application,
            system: Some(SystemParameters { non_volatile_quota: quota, other: vec![(0xCF, vec![0x80])], ..SystemParameters::default() }),
            application_last: last,
            uicc: Some(UiccParameters {
                toolkit: Some(toolkit),
                access: Some(AccessParameters { uicc: Some(AccessDomain::none()), adfs: Vec::new() }),
                administrative_access: None,
            }),
        };
        prop_assert_eq!(InstallParameters::decode(&p.encode().unwrap()).unwrap(), p);
    }

    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = InstallParameters::decode(&bytes);
        let mut ea = vec![0xC9, 0x00, 0xEA, bytes.len() as u8 + 2, 0x80, bytes.len() as u8];
        ea.extend(&bytes);
        let _ = InstallParameters::decode(&ea);
    }
}

#[test]
fn a_description_is_written_and_read() {
    let text = r#"
        application = "0102"
        application_last = true
        [memory]
        non_volatile_quota = 1024
        other = [{ tag = "CF", value = "80" }]
        [toolkit]
        timers = 1
        channels = 2
        text_length = 16
        minimum_security_level = "0116"
        tars = ["494241"]
        menu = [{ position = 1, identifier = 2 }]
        [access]
        shared = "none"
        adfs = [{ aid = "A0000000871002", access = "02010000" }]
        [administration]
        shared = "full"
    "#;
    let read = from_toml(text).unwrap();
    assert_eq!(
        hex::encode_upper(read.encode().unwrap()),
        "EF07C8020400CF0180EA2B800FFF011001010202020116034942410081120001FF0007A0000000871002040201000000820400010000C9020102"
    );
    assert_eq!(from_toml(&to_toml(&read)).unwrap(), read);
    let ca = from_toml("[toolkit]\nform = \"ca\"\nfile_access = \"full\"\n").unwrap();
    assert_eq!(
        hex::encode_upper(ca.encode().unwrap()),
        "C900EF0BCA090100FF000000000000"
    );
    assert_eq!(from_toml(&to_toml(&ca)).unwrap(), ca);
    for (text, words) in [
        ("[toolkit]\nprority = 1\n", "unknown field `prority`"),
        ("[toolkit]\ntars = [\"4942\"]\n", "three bytes"),
        ("[toolkit]\nfile_access = \"full\"\n", "of the CA form"),
        (
            "[toolkit]\nform = \"ca\"\nservices = 1\n",
            "no number of services",
        ),
    ] {
        let error = from_toml(text).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn the_linter_names_field_and_clause() {
    let target = Target {
        limits: Some(CardLimits {
            channels: 1,
            timers: 2,
            non_volatile: 1000,
            volatile: 100,
        }),
        instance: Some(b"\xF0IPAe\x01\x01\0\0\0\0\0IPA\x01".to_vec()),
        taken_tars: vec![*b"BBB"],
        takes_ea: Some(true),
    };
    // EA: 80 with a toolkit field; the menu, channels, MSL and TARs vary.
    let ea = |tail: &str| {
        let toolkit = tlv::write(0x80, &hex::decode(tail.replace(' ', "")).unwrap());
        let ea = tlv::write(0xEA, &toolkit);
        lint(&[ea, vec![0xC9, 0]].concat(), &target)
    };
    let cases = [
        ("FF 03 00 00 00 00 00", Some("6A80"), "timers: 3 asked for"),
        (
            "FF 00 00 00 02 00 00",
            Some("6A80"),
            "channels: 2 asked for",
        ),
        (
            "FF 00 05 02 0101 0201 00 00 00",
            Some("6A80"),
            "identifier 1 stands twice",
        ),
        (
            "FF 00 00 00 00 00 03 424242",
            Some("6A80"),
            "424242 is taken",
        ),
        ("00 00 00 00 00 00 00", Some("6A80"), "priority level"),
        (
            "FF 00 00 00 00 01 01 00",
            Some("6A80"),
            "parameter 01 and one byte",
        ),
        (
            "FF 00 00 00 00 00 03 B00010",
            None,
            "remote file management",
        ),
        (
            "FF 00 00 00 00 00 03 000000",
            None,
            "the issuer security domain",
        ),
        ("FF 00 00 00 00 00 03 414141", None, "bytes 13 to 15"),
        (
            "FF 00 00 00 00 02 0216 00",
            None,
            "parameter 02 is reserved",
        ),
        ("FF 00 00 01 0101 00 00 00", None, "initMenuEntry"),
    ];
    for (tail, answer, words) in cases {
        let found = ea(tail);
        let hit = found
            .iter()
            .find(|finding| finding.to_string().contains(words));
        let hit = hit.unwrap_or_else(|| panic!("{tail}: {words}: {found:?}"));
        assert!(hit.clause.contains("TS 10"), "{hit}");
        assert_eq!(hit.severity == Severity::Refused, answer.is_some(), "{hit}");
        if let Some(answer) = answer {
            assert!(hit.to_string().contains(answer), "{hit}");
        }
    }
    assert_eq!(ea("FF 01 00 00 01 00 00"), []);
    for (hex, words) in [
        ("C900EA00", "EA: stands behind C9"),
        ("EA00", "(C9): missing"),
        ("EF08C7020001C8020001C900", "C7: stands before C8"),
        ("EF08C802FFFFC7020001C900", "6A84"),
        ("C8020001C900", "C8 belongs into EF"),
        ("800100C900", "80 belongs into EA"),
        (
            "EF0BCA090100FF000000000000C900",
            "take toolkit parameters as EA",
        ),
        ("EF04C6020001C900", "INSTALL [for load]"),
        ("EF03CF0180C900", "implicit selection"),
        ("EA06810400010500C900", "access domain"),
        ("D101AAC900", "data object D1"),
    ] {
        let found = lint(&hex::decode(hex).unwrap(), &target);
        assert!(
            found
                .iter()
                .any(|finding| finding.to_string().contains(words)),
            "{hex}: {words}: {found:?}"
        );
    }
}

proptest! {
    #[test]
    fn descriptions_come_back(toolkit in toolkit(), ca: bool, last: bool) {
        let text = to_toml(&InstallParameters {
            system: ca.then(|| SystemParameters {
                sim_toolkit: Some(SimToolkit {
                    access_domain: vec![0x00],
                    toolkit: ToolkitParameters { max_services: None, ..toolkit.clone() },
                }),
                ..SystemParameters::default()
            }),
            uicc: (!ca).then(|| UiccParameters { toolkit: Some(toolkit), ..UiccParameters::default() }),
            application_last: last,
            ..InstallParameters::default()
        });
        let read = from_toml(&text).unwrap();
        prop_assert_eq!(to_toml(&read), text);
    }

    #[test]
    fn the_linter_takes_anything(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        let _ = lint(&bytes, &Target::default());
    }
}
