//! Power cuts, framing, serialization, and bytes that make no sense.

use super::*;
use applet_model::sgp::es10::ProfileRollbackRequest;
use applet_model::sgp::notification::NotificationSentRequest;
use applet_model::tlv;
use proptest::prelude::*;

/// Every command of a life with a switch and a rollback, as bytes.
fn life() -> (Lab, Vec<Vec<u8>>) {
    let start = Lab::bare();
    let mut lab = start.clone();
    let mut commands = vec![
        AddInitialEimRequest {
            eim_configuration_data_list: vec![lab.eim.configuration_data(0, true).unwrap()],
        }
        .to_der()
        .unwrap(),
        vec![0xBF, 0x2E, 0],
        vec![0xBF, 0x2D, 0],
    ];
    lab.token = Some(1);
    for list in [
        vec![Psmo::list_profile_info()],
        vec![Psmo::delete(iccid(GAMMA)), Psmo::enable(iccid(BETA), true)],
    ] {
        let order = lab.order(EuiccPackage::PsmoList(list));
        commands.push(lab.sign(order));
    }
    commands.push(
        ProfileRollbackRequest { refresh_flag: true }
            .to_der()
            .unwrap(),
    );
    for seq_number in 1..=6 {
        commands.push(NotificationSentRequest { seq_number }.to_der().unwrap());
    }
    (start, commands)
}

/// A function for the device, or one for the IPAe.
fn send(lab: &mut Lab, command: &[u8]) -> Result<Es10Answer, PowerCut> {
    match command {
        [0xBF, 0x31..=0x34, ..] => Ok(lab.euicc.es10_of_device(&mut lab.nvm, command)?.0),
        _ => lab.euicc.es10(&mut lab.nvm, command),
    }
}

/// Cuts the power before each write of these commands: the old state is there, with its notifications, and what the
/// terminal sees is what is enabled; the command can be repeated, and then all is as without the cut.
fn survives_cuts(start: &Lab, commands: &[Vec<u8>], at_least: u64) {
    let mut whole = start.clone();
    let answers: Vec<_> = commands
        .iter()
        .map(|command| send(&mut whole, command).unwrap())
        .collect();
    let writes = whole.nvm.writes - start.nvm.writes;
    assert!(writes >= at_least, "{writes}");
    for cut in 0..writes {
        let mut lab = start.clone();
        lab.nvm.cut_after(cut);
        let mut cuts = 0;
        for (command, expected) in commands.iter().zip(&answers) {
            let before = lab.euicc.state().clone();
            let done = match send(&mut lab, command) {
                Ok(answer) => answer,
                Err(_) => {
                    cuts += 1;
                    assert!(*lab.euicc.state() == before);
                    lab.euicc.check_invariants().unwrap();
                    lab.nvm.restore();
                    lab.euicc.refresh();
                    let iccid = |p: Option<&Profile>| p.map(|p| p.iccid);
                    assert_eq!(
                        iccid(lab.euicc.visible_profile()),
                        iccid(lab.euicc.enabled_profile())
                    );
                    send(&mut lab, command).unwrap()
                }
            };
            assert_eq!(done, *expected);
        }
        assert_eq!(cuts, 1);
        assert!(lab.euicc.state() == whole.euicc.state());
    }
}

#[test]
fn a_power_cut_before_each_write_leaves_the_old_state_and_the_command_can_be_repeated() {
    let (start, commands) = life();
    survives_cuts(&start, &commands, 8);
}

#[test]
fn local_management_fallback_emergency_and_reset_survive_power_cuts_too() {
    let mut start = Lab::new();
    start.profile(GAMMA).ecall = true;
    start.profile(BETA).fallback = true;
    let commands = [
        // Enable, disable, enable again by an LPA.
        "BF3111A00C5A0A989909020000000000928101FF",
        "BF3211A00C5A0A989909020000000000928101FF",
        "BF3111A00C5A0A989909010000000000318101FF",
        // To the Fallback Profile; an emergency over it; back from both.
        "BF5D038001FF",
        "BF5B038001FF",
        "BF5C038001FF",
        "BF5E038001FF",
        // Delete; reset of the default address, then of all there is.
        "BF330C5A0A98990902000000000092",
        "BF340482020520",
        "BF640482020186",
    ]
    .map(|command| hex::decode(command).unwrap());
    survives_cuts(&start, &commands, 10);
}

#[test]
fn the_same_life_gives_the_same_bytes_also_through_a_saved_image() {
    let (start, commands) = life();
    let mut one = start.clone();
    let mut two = start;
    for command in commands {
        let image = serde_json::to_string(&two.euicc).unwrap();
        two.euicc = serde_json::from_str(&image).unwrap();
        assert_eq!(one.send(&command), two.send(&command));
    }
    assert!(one.euicc.state() == two.euicc.state());
}

#[test]
fn only_changes_are_written() {
    let (mut lab, commands) = life();
    let mut written = Vec::new();
    for command in &commands {
        let before = lab.nvm.writes;
        lab.send(command);
        written.push(lab.nvm.writes - before);
    }
    // Of the six removals one finds nothing: the first result of the switch was replaced by the rollback's.
    assert_eq!(written[..6], [1, 0, 0, 1, 1, 1]);
    assert!(written.iter().all(|n| *n <= 1));
    assert_eq!(written[6..].iter().sum::<u64>(), 5);
}

#[test]
fn es10_is_refused_after_a_switch_if_the_card_is_like_that() {
    let mut lab = Lab::new();
    lab.euicc.faults.refuse_after_switch = true;
    lab.codes(vec![Psmo::enable(iccid(BETA), false)]);
    let mut session = Es10Session::for_ipae();
    let send = |lab: &mut Lab, session: &mut Es10Session| {
        session
            .store_data(&mut lab.euicc, &mut lab.nvm, 0x91, 0, &[0xBF, 0x2E, 0])
            .unwrap()
    };
    assert_eq!(send(&mut lab, &mut session), Sw::CONDITIONS_NOT_SATISFIED);
    lab.euicc.refresh();
    assert_eq!(send(&mut lab, &mut session), Sw::bytes_remaining(21));
}

#[test]
fn commands_come_in_blocks_and_answers_go_in_pieces() {
    let mut lab = Lab::new();
    let order = lab.order(EuiccPackage::PsmoList(vec![Psmo::list_profile_info(); 2]));
    let command = lab.sign(order);
    let mut direct = lab.clone();
    let whole = direct.send(&command).data;
    for (block, piece) in [(1, 1), (120, 256), (255, 100)] {
        let mut lab = lab.clone();
        let mut session = Es10Session::for_ipae();
        let blocks: Vec<_> = command.chunks(block).collect();
        let mut sw = Sw::UNKNOWN;
        for (i, data) in blocks.iter().enumerate() {
            let p1 = if i + 1 == blocks.len() { 0x91 } else { 0x11 };
            sw = session
                .store_data(&mut lab.euicc, &mut lab.nvm, p1, i as u8, data)
                .unwrap();
            assert!(sw == Sw::OK || i + 1 == blocks.len());
        }
        assert_eq!(sw, Sw::bytes_remaining(whole.len()));
        let mut answer = Vec::new();
        loop {
            let part = session.get_response(piece);
            if part.is_empty() {
                break;
            }
            answer.extend(part);
            assert_eq!(session.remaining(), whole.len() - answer.len());
        }
        assert_eq!(answer, whole);
    }
}

#[test]
fn blocks_out_of_order_and_commands_too_long() {
    let mut lab = Lab::bare();
    let mut session = Es10Session::for_device();
    let mut store = |p1, p2, data: &[u8]| {
        session
            .store_data(&mut lab.euicc, &mut lab.nvm, p1, p2, data)
            .unwrap()
    };
    assert_eq!(store(0x11, 1, &[0]), Sw::INCORRECT_P1_P2);
    assert_eq!(store(0x90, 0, &[0]), Sw::INCORRECT_P1_P2);
    assert_eq!(store(0x11, 0, &[0xBF]), Sw::OK);
    assert_eq!(store(0x11, 2, &[0x2E]), Sw::INCORRECT_P1_P2);
    // Block 0 starts anew, whatever was before.
    assert_eq!(store(0x11, 0, &[0xBF]), Sw::OK);
    assert_eq!(store(0x11, 0, &[0xBF]), Sw::OK);
    assert_eq!(store(0x91, 1, &[0x2E, 0]), Sw::bytes_remaining(21));
    assert_eq!(store(0x91, 0, &[0xBF, 0x66, 0]), choices::NOT_SUPPORTED);
    let first_refusal = (0..70u8)
        .map(|number| store(0x11, number, &[0; 255]))
        .find(|sw| *sw != Sw::OK);
    assert_eq!(first_refusal, Some(Sw::NOT_ENOUGH_MEMORY));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn garbage_is_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut lab = Lab::new();
        lab.send(&bytes);
    }

    #[test]
    fn garbage_in_every_function_is_answered(
        tag in 0x20u32..0x66,
        bytes in proptest::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut lab = Lab::new();
        lab.send(&tlv::write(0xBF00 | tag, &bytes));
    }

    #[test]
    fn damaged_packages_change_nothing(at in 0usize..200, bit in 0u8..8) {
        let mut lab = Lab::new();
        let order = lab.order(EuiccPackage::PsmoList(vec![
            Psmo::enable(iccid(BETA), true),
            Psmo::delete(iccid(GAMMA)),
        ]));
        let mut bytes = lab.sign(order);
        // Behind the tag BF51: with another tag it would be another function.
        let at = 2 + at % (bytes.len() - 2);
        bytes[at] ^= 1 << bit;
        let before = lab.euicc.state().clone();
        let answer = lab.send(&bytes);
        prop_assert!(*lab.euicc.state() == before);
        prop_assert!(answer.data.is_empty() || answer.data.starts_with(&[0xBF, 0x51]));
    }
}
