//! What public clients send, and what a technician's shell does.

use super::*;

const ISD_R: &str = "A0000005591010FFFFFFFF8900000100";

/// An LPA in the field (its driver fetches what waits).
#[test]
fn an_lpa_reads_the_eid() {
    let mut card = card();
    assert_eq!(raw(&mut card, "80AA00000AA9088100820101830107"), "9000");
    assert_eq!(raw(&mut card, "0070000001"), "019000");
    let selected = raw(&mut card, &format!("01A4040010{ISD_R}"));
    assert_eq!(&selected[..2], "61");
    let fci = raw(&mut card, &format!("01C00000{}", &selected[2..]));
    assert!(fci.starts_with("6F") && fci.contains(ISD_R) && fci.ends_with("9000"));
    // GetEID.
    let stored = raw(&mut card, "81E2910006BF3E035C015A");
    assert_eq!(&stored[..2], "61");
    let eid = raw(&mut card, &format!("81C00000{}", &stored[2..]));
    assert!(eid.starts_with("BF3E125A1089049032"), "{eid}");
    assert_eq!(raw(&mut card, "0070800100"), "9000");
    assert_eq!(raw(&mut card, "81E2910006BF3E035C015A"), "6881");
}

/// An SGP.32 IPAd: channel fixed by P2, FCP asked for, GET RESPONSE with class 00.
#[test]
fn an_ipad_reads_the_eid_and_the_eim_configuration() {
    let mut card = card();
    assert_eq!(raw(&mut card, "80AA000005A903830107"), "9000");
    assert_eq!(raw(&mut card, "0070000100"), "9000");
    let selected = raw(&mut card, &format!("01A4040410{ISD_R}00"));
    assert_eq!(&selected[..2], "61");
    assert!(raw(&mut card, "01C0000000").starts_with("6F"));
    for (command, answer) in [("BF3E035C015A", "BF3E"), ("BF5500", "BF55")] {
        let length = command.len() / 2;
        assert_eq!(
            &raw(&mut card, &format!("81E29100{length:02X}{command}"))[..2],
            "61"
        );
        assert!(raw(&mut card, "01C0000000").starts_with(answer));
    }
}

/// A shell: files by identifier, applications by name, resets between its probes.
#[test]
fn a_shell_finds_files_and_applications() {
    let mut card = card();
    for probe in [
        "00A40004023F00",
        "00A40004022F00",
        &format!("00A4040410{ISD_R}"),
        "00A4040410A0000005591010FFFFFFFF8900000200",
    ] {
        let answer = raw(&mut card, probe);
        assert_eq!(&answer[..2], "61", "{probe}");
        assert!(raw(&mut card, &format!("00C00000{}", &answer[2..])).ends_with("9000"));
        card.reset();
    }
    assert_eq!(raw(&mut card, "A0A40000023F00"), "6E00");
    assert_eq!(raw(&mut card, "00A4000C022F00"), "9000");
    let record = raw(&mut card, "00B2010420");
    assert!(record.starts_with("611"), "{record}");
    assert_eq!(
        raw(&mut card, "00A4040C10A0000000871002FFFFFFFF8949504165"),
        "9000"
    );
    assert_eq!(raw(&mut card, "00A4000C026F07"), "9000");
    assert_eq!(raw(&mut card, "00B0000000"), "0899991000000000109000");
    assert_eq!(&raw(&mut card, "80F2000000")[..2], "62");
    assert_eq!(raw(&mut card, "80F2000C"), "9000");
    assert_eq!(raw(&mut card, "0088008100"), "6A81");
    assert_eq!(raw(&mut card, "00A4000C022FE2"), "9000");
    assert_eq!(&raw(&mut card, "00B000000A")[..20], "98990901000000000031");
}

#[test]
fn names_may_be_cut_short() {
    let mut card = card();
    // Under the RID of GSMA: ISD-R first, ECASD next, then nothing.
    assert_eq!(raw(&mut card, "00A4040C05A000000559"), "9000");
    assert_eq!(raw(&mut card, "80E2910006BF3E035C015A")[..2], *"61");
    assert_eq!(raw(&mut card, "00A4040E05A000000559"), "9000");
    assert_eq!(raw(&mut card, "80E2910006BF3E035C015A"), "6D00");
    assert_eq!(raw(&mut card, "00A4040E05A000000559"), "6A82");
    assert_eq!(raw(&mut card, "00A4040C05A000000999"), "6A82");
    assert_eq!(raw(&mut card, "00A4040400")[..2], *"6F");
}

#[test]
fn bad_commands_get_an_answer() {
    let mut card = card();
    assert_eq!(raw(&mut card, "00A4"), "6700");
    assert_eq!(raw(&mut card, "00A40400FF00"), "6700");
    assert_eq!(raw(&mut card, "03A40004023F00"), "6881");
    assert_eq!(raw(&mut card, "4FA40004023F00"), "6881");
    assert_eq!(raw(&mut card, "FFA40004023F00"), "6E00");
    assert_eq!(raw(&mut card, "8012000000"), "6985");
    assert_eq!(raw(&mut card, "801400000C810301010002028281830100"), "6985");
    assert_eq!(raw(&mut card, "80C2000000"), "6700");
    assert_eq!(raw(&mut card, "80C2000003D70124"), "6A80");
    assert_eq!(raw(&mut card, "00C0000000"), "6985");
}

#[test]
fn a_stored_card_goes_on_where_it_was() {
    let mut card = card();
    raw(&mut card, "0070000001");
    raw(&mut card, &format!("01A4040010{ISD_R}"));
    let bytes = card.to_bytes().unwrap();
    let mut copy = VirtualCard::from_bytes(&bytes).unwrap();
    assert_eq!(copy.to_bytes().unwrap(), bytes);
    for card in [&mut card, &mut copy] {
        assert_eq!(raw(card, "81E2910006BF3E035C015A")[..2], *"61");
    }
    assert!(VirtualCard::from_bytes(&bytes[..bytes.len() - 1]).is_err());
    assert!(VirtualCard::from_bytes(b"{}").is_err());
}

/// Once stopped the card: a SELECT by file identifier that names none.
#[test]
fn a_select_without_data_is_answered() {
    let command = Command::new(0x00, 0xA4, 0, 0).with_le(256);
    assert!(card().transmit(&command.to_bytes()).is_ok());
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn no_command_stops_the_card(commands in proptest::collection::vec(
        (0u8..4, proptest::sample::select(vec![0x00u8, 0x80, 0x84, 0x40, 0xA0]),
         proptest::sample::select(vec![0xA4u8, 0x70, 0xC0, 0xB0, 0xB2, 0xF2, 0xCA, 0x50, 0x82, 0xE6, 0xE8, 0xE2, 0x10, 0x12, 0x14, 0xC2, 0xAA, 0x88]),
         0u8..8, 0u8..8, proptest::collection::vec(proptest::prelude::any::<u8>(), 0..40)), 1..30)) {
        let mut card = card();
        for (channel, cla, ins, p1, p2, data) in commands {
            let command = Command::new(cla | channel, ins, p1, p2).with_data(data).with_le(256);
            card.transmit(&command.to_bytes()).unwrap();
        }
    }
}

/// An LPA on a card whose terminal is a phone: the switch is seen after the REFRESH that follows it, or at once.
#[test]
fn an_lpa_switches_profiles() {
    let mut card = card();
    let lpa = |card: &mut VirtualCard, declared: &str| {
        raw(card, &format!("80AA000005A903{declared}"));
        raw(card, "0070000001");
        raw(card, &format!("01A4040010{ISD_R}"));
    };
    let iccid = |card: &mut VirtualCard| {
        raw(card, "00A4000C022FE2");
        raw(card, "00B000000A")[..20].to_string()
    };
    const ALPHA: &str = "98990901000000000031";
    const BETA: &str = "98990902000000000092";
    let enable = |card: &mut VirtualCard, profile: &str, refresh: &str| {
        raw(
            card,
            &format!("81E2910014BF3111A00C5A0A{profile}8101{refresh}"),
        )
    };
    lpa(&mut card, "830107");
    // The terminal has a toolkit with REFRESH.
    assert_eq!(raw(&mut card, "8010000003010080"), "9000");
    lpa(&mut card, "830107");
    assert_eq!(enable(&mut card, BETA, "FF"), "6106");
    let answer = raw(&mut card, "81C0000006");
    assert_eq!(answer, "BF3103800100910B");
    assert_eq!(iccid(&mut card), ALPHA);
    let refresh = raw(&mut card, "801200000B");
    assert_eq!(refresh, "D0098103010104820281829000");
    // Meanwhile it is busy.
    assert_eq!(enable(&mut card, ALPHA, "FF"), "6106");
    assert_eq!(raw(&mut card, "81C0000006"), "BF31038001059000");
    assert_eq!(raw(&mut card, "801400000C810301010402028281030100"), "9000");
    card.reset();
    assert_eq!(iccid(&mut card), BETA);
    // Without REFRESH it is seen at once.
    lpa(&mut card, "830107");
    assert_eq!(enable(&mut card, ALPHA, "00"), "6106");
    assert_eq!(raw(&mut card, "81C0000006"), "BF31038001009000");
    assert_eq!(iccid(&mut card), ALPHA);
    // An IPAd has no such function.
    card.reset();
    lpa(&mut card, "840101");
    assert_eq!(enable(&mut card, BETA, "FF"), "6A88");
    assert_eq!(raw(&mut card, "81E2910006BF3E035C015A")[..2], *"61");
}

/// What a definition says of its eUICC is what the eUICC says of itself.
#[test]
fn a_product_has_its_own_version_and_memory() {
    use crate::definition::Sgp32Version;
    let euicc_info = |card: &mut VirtualCard| {
        raw(card, &format!("00A4040010{ISD_R}"));
        let stored = raw(card, "80E2910003BF2200");
        let info = raw(card, &format!("80C00000{}", &stored[2..4]));
        assert!(info.starts_with("BF22"), "{info}");
        info
    };
    let mut small = card_of("virtual-small");
    // extCardResource: three profiles, 16384 and 256 bytes.
    let info = euicc_info(&mut small);
    assert!(info.contains("840B8101038202400083020100"), "{info}");
    // iotVersion 1.2.0, ecallSupported, fallbackSupported; then 1.3.0.
    assert!(
        info.contains("B40BA0050403010200") && info.contains("81008200"),
        "{info}"
    );
    let mut definition = Definition::find("virtual-lab").unwrap();
    definition.euicc.as_mut().unwrap().sgp32 = Some(Sgp32Version::V1_3);
    let info = euicc_info(&mut card_with(definition));
    assert!(info.contains("B40BA0050403010300"), "{info}");
}
