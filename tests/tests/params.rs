//! The linter of install parameters and the virtual card are of one mind: what the one calls refused, the
//! other refuses with that status word, and nothing else for the parameters' sake.

use applet_gen::gp::uicc_params::{
    CardLimits, InstallParameters, MenuEntry, Severity, SystemParameters, Target,
    ToolkitParameters, UiccParameters, lint,
};
use applet_model::aid;
use applet_model::status::Sw;
use cards::card::{FactoryError, VirtualCard};
use cards::definition::Definition;
use ipae_tests::{applet, factory_card};
use proptest::prelude::*;
use std::sync::OnceLock;

/// A card with the applet's package.
fn loaded() -> &'static VirtualCard {
    static CARD: OnceLock<VirtualCard> = OnceLock::new();
    CARD.get_or_init(|| {
        let mut card = factory_card(1, 1);
        let load_file = applet().cap.load_file(false).expect("a load file");
        card.factory_load(&load_file).expect("it loads");
        card
    })
}

fn target() -> Target {
    let definition = Definition::shipped("virtual-lab").expect("it is shipped");
    Target {
        limits: Some(CardLimits {
            channels: definition.toolkit.bip_channels,
            timers: definition.toolkit.timers,
            non_volatile: definition.memory.persistent,
            volatile: definition.memory.transient_reset,
        }),
        instance: Some(aid::INSTANCE_IPAE.to_vec()),
        ..Target::default()
    }
}

/// What the card answers, if it is for the parameters that it refuses.
fn refusal(parameters: &[u8]) -> Option<Sw> {
    let mut card = loaded().clone();
    let installed = card.factory_install(
        aid::PACKAGE_IPAE,
        aid::MODULE_IPAE,
        aid::INSTANCE_IPAE,
        parameters,
    );
    match installed {
        Err(FactoryError::Install { sw, reason }) => {
            let of_parameters = reason.as_deref().is_some_and(|why| {
                why.starts_with("install parameters") || why.starts_with("toolkit parameters")
            });
            (of_parameters || sw == Sw::NOT_ENOUGH_MEMORY).then_some(sw)
        }
        _ => None,
    }
}

fn encoded() -> impl Strategy<Value = Vec<u8>> {
    let toolkit = (
        (0u8..=3, 0u8..=9, 0u8..=8, 0u8..=9),
        proptest::collection::vec((0u8..3, 0u8..=130), 0..4),
        proptest::collection::vec(any::<u8>(), 0..3),
        proptest::collection::vec(any::<[u8; 3]>(), 0..3),
    );
    let quota = proptest::option::of(prop_oneof![0u32..500, 10_000_000u32..20_000_000]);
    (toolkit, quota, any::<bool>(), 0usize..40).prop_map(
        |(((priority, timers, channels, services), menu, msl, tars), quota, last, length)| {
            // Written by hand: what the encoder refuses has to reach the card, too.
            let mut value = vec![priority, timers, 16, u8::try_from(menu.len()).unwrap_or(0)];
            for (position, identifier) in menu {
                value.extend([position, identifier]);
            }
            value.extend([channels, u8::try_from(msl.len()).unwrap_or(0)]);
            value.extend(msl);
            value.push(u8::try_from(tars.len() * 3).unwrap_or(0));
            value.extend(tars.concat());
            value.push(services);
            let ea = applet_model::tlv::write(0xEA, &applet_model::tlv::write(0x80, &value));
            let head = InstallParameters {
                application: vec![7; length],
                system: quota.map(|quota| SystemParameters {
                    non_volatile_quota: Some(quota),
                    ..SystemParameters::default()
                }),
                ..InstallParameters::default()
            };
            let head = head.encode().unwrap_or_default();
            match last {
                true => [ea, head].concat(),
                false => [head, ea].concat(),
            }
        },
    )
}

fn agree(parameters: &[u8]) -> Result<(), TestCaseError> {
    let found = lint(parameters, &target());
    let first = found
        .iter()
        .find(|finding| finding.severity == Severity::Refused);
    let answers: Vec<Sw> = found
        .iter()
        .filter(|finding| finding.severity == Severity::Refused)
        .map(|finding| finding.answer)
        .collect();
    match refusal(parameters) {
        Some(sw) => prop_assert!(answers.contains(&sw), "{parameters:02X?}: {sw}, {found:?}"),
        None => prop_assert!(first.is_none(), "{parameters:02X?}: accepted, {first:?}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]
    #[test]
    fn of_parameters_as_people_write_them(parameters in encoded()) {
        agree(&parameters)?;
    }

    #[test]
    fn of_parameters_with_a_byte_altered(parameters in encoded(), at: prop::sample::Index, byte: u8) {
        let mut parameters = parameters;
        let at = at.index(parameters.len());
        parameters[at] = byte;
        agree(&parameters)?;
    }
}

#[test]
fn of_parameters_that_are_fine() {
    let parameters = InstallParameters {
        uicc: Some(UiccParameters {
            toolkit: Some(ToolkitParameters {
                max_timers: 1,
                max_channels: 1,
                max_text_length: 16,
                menu: vec![MenuEntry {
                    position: 1,
                    identifier: 5,
                }],
                ..ToolkitParameters::default()
            }),
            ..UiccParameters::default()
        }),
        application_last: true,
        ..InstallParameters::default()
    };
    let parameters = parameters.encode().expect("parameters");
    assert_eq!(lint(&parameters, &target()), []);
    assert_eq!(refusal(&parameters), None);
}
