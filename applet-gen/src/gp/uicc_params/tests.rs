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
                    minimum_security_level: msl,
                    tars,
                    max_services: Some(services),
                }
            },
        )
}

proptest! {
    #[test]
    fn what_is_written_is_read(toolkit in toolkit(), application in proptest::collection::vec(any::<u8>(), 0..60),
                               quota in proptest::option::of(any::<u32>())) {
        let p = InstallParameters {
            application,
            system: Some(SystemParameters { non_volatile_quota: quota, ..SystemParameters::default() }),
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
