//! Selection, logical channels, installation and deletion: what takes more than one applet's view.

use crate::card::Session;
use crate::packages::{Applet, package};
use applet_model::apdu::Command;

fn multi() -> &'static Applet {
    package("channels").applet("Multi")
}

fn single() -> &'static Applet {
    package("single").applet("Single")
}

/// A card with the package, nothing installed.
fn loaded(name: &str) -> Session {
    let mut session = Session::new("virtual-lab");
    session.load(name);
    session
}

/// SELECT by AID on a channel: status word.
fn select(session: &mut Session, channel: u8, aid: &[u8]) -> u16 {
    let command = Command::new(channel, 0xA4, 4, 0).with_data(aid);
    session.transmit(&command).sw.0
}

fn manage_channel(session: &mut Session, p1: u8, p2: u8) -> u16 {
    let command = Command::new(0, 0x70, p1, p2);
    let command = if p1 == 0 && p2 == 0 {
        command.with_le(1)
    } else {
        command
    };
    session.transmit(&command).sw.0
}

/// What the applet counted, as its answer to 80 20 has it: select(), deselect(), the same of MultiSelectable,
/// the last argument, SELECT seen by process(), channel twice, transient byte.
fn counted(session: &mut Session, channel: u8) -> Vec<u8> {
    let (data, sw) = session.send(&[0x80 | channel, 0x20, 0, 0], &[], true);
    assert_eq!(sw, 0x9000);
    data
}

fn told(session: &mut Session, channel: u8, ins: u8, p1: u8) {
    let (_, sw) = session.send(&[0x80 | channel, ins, p1, 0], &[], false);
    assert_eq!(sw, 0x9000);
}

/// JCRE 4.2, 4.5: MultiSelectable's methods are called while another instance of the package is active.
#[test]
fn a_multiselectable_applet_on_two_channels() {
    let mut session = loaded("channels");
    session.install(multi(), &[]);
    told(&mut session, 0, 0x22, 0);
    told(&mut session, 0, 0x21, 7);
    assert_eq!(manage_channel(&mut session, 0, 1), 0x9000);
    assert_eq!(select(&mut session, 1, &multi().aid), 0x9000);
    let one = counted(&mut session, 1);
    assert_eq!(
        one[..6],
        [0, 0, 1, 0, 1, 1],
        "select(true), and process() saw the command"
    );
    assert_eq!(
        one[6..9],
        [1, 1, 7],
        "its channel; the transient byte is the package's"
    );
    assert_eq!(counted(&mut session, 0)[6..8], [0, 0]);
    // Closing one of them: deselect(true), and CLEAR_ON_DESELECT arrays stay.
    assert_eq!(manage_channel(&mut session, 0x80, 1), 0x9000);
    let zero = counted(&mut session, 0);
    assert_eq!(zero[3..5], [1, 1]);
    assert_eq!(zero[8], 7);
    // The last one: deselect(), and they are cleared.
    session.deselect();
    session.select(multi());
    let again = counted(&mut session, 0);
    assert_eq!(again[..4], [1, 1, 1, 1]);
    assert_eq!(again[8], 0);
}

/// JCRE 4.2.2, 4.4: an applet without MultiSelectable is active on one channel at a time.
#[test]
fn an_applet_on_one_channel_at_a_time() {
    let mut session = loaded("single");
    session.install(single(), &[]);
    assert_eq!(manage_channel(&mut session, 0, 1), 0x9000);
    assert_eq!(select(&mut session, 1, &single().aid), 0x6985);
    session.deselect();
    assert_eq!(select(&mut session, 1, &single().aid), 0x9000);
    assert_eq!(select(&mut session, 0, &single().aid), 0x6985);
}

/// JCRE 4.5, 4.6: false from select() refuses, what deselect() throws is ignored.
#[test]
fn an_applet_may_refuse_its_selection() {
    let mut session = loaded("single");
    session.install(single(), &[]);
    let (before, _) = session.send(&[0x80, 0x20, 0, 0], &[], true);
    told(&mut session, 0, 0x21, 1);
    session.deselect();
    assert_eq!(select(&mut session, 0, &single().aid), 0x6999);
    // No applet is selected now: the next command is nobody's.
    let (_, sw) = session.send(&[0x80, 0x20, 0, 0], &[], true);
    assert_ne!(sw, 0x9000);
    assert!(before[0] >= 1);
}

/// JCRE 4.5: SELECT's response data are the applet's.
#[test]
fn an_applet_answers_its_selection() {
    let mut session = loaded("single");
    session.install(single(), &[]);
    let command = Command::new(0, 0xA4, 4, 0)
        .with_data(single().aid.clone())
        .with_le(256);
    let response = session.transmit(&command);
    assert_eq!((response.sw.0, response.data), (0x9000, vec![0x6F, 0]));
}

/// JCRE 3.1, API Applet.install: the array has AID, privileges and application data, each with its length.
#[test]
fn installation_parameters_come_as_one_array() {
    let mut session = loaded("channels");
    session.install(multi(), &[0xAA, 0xBB]);
    let (array, sw) = session.send(&[0x80, 0x23, 0, 0], &[], true);
    assert_eq!(sw, 0x9000);
    let aid = &multi().aid;
    let length = u8::try_from(aid.len()).unwrap();
    assert_eq!(
        array,
        [&[length], &aid[..], &[1, 0, 2, 0xAA, 0xBB]].concat()
    );
}

/// JCRE 3.1, 11.2: an installation that fails leaves nothing, and can be tried again.
#[test]
fn a_failed_installation_leaves_nothing() {
    // What Multi.install does with its first byte: return without register, ISOException, NullPointerException,
    // register twice, ISOException after register.
    let ways: [(u8, Option<u16>); 5] = [
        (1, None),
        (2, Some(0x6A88)),
        (3, Some(0x6F00)),
        (4, Some(0x6B04)),
        (5, Some(0x6A89)),
    ];
    let mut session = loaded("channels");
    for (way, expected) in ways {
        let free = session.free_memory();
        let sw = session.try_install(multi(), &[way]);
        assert_ne!(sw, 0x9000, "way {way}");
        if let Some(expected) = expected {
            assert_eq!(sw, expected, "way {way}");
        }
        assert_eq!(select(&mut session, 0, &multi().aid), 0x6A82, "way {way}");
        assert_eq!(session.free_memory(), free, "way {way}");
    }
    session.install(multi(), &[]);
}

/// API Applet.register(): under the instance AID that the card was told.
#[test]
fn register_without_an_aid_takes_the_instances() {
    let mut session = loaded("channels");
    session.install(multi(), &[7]);
    assert_eq!(counted(&mut session, 0)[0], 1);
}

/// JCRE 11.3.4, API AppletEvent.uninstall: deletion of an instance, of a package with instances.
#[test]
fn deletion_of_instances_and_packages() {
    let mut session = loaded("channels");
    session.install(multi(), &[]);
    let second = [&multi().aid[..], &[2]].concat();
    assert_eq!(session.try_install_as(multi(), &second, &[]), 0x9000);
    let package_aid = &package("channels").aid;
    assert_eq!(
        session.delete(package_aid, false),
        0x6985,
        "it has instances"
    );
    session.select(multi());
    assert_eq!(counted(&mut session, 0)[9], 0);
    assert_eq!(session.delete(&second, false), 0x9000);
    assert_eq!(select(&mut session, 0, &second), 0x6A82);
    session.select(multi());
    assert_eq!(counted(&mut session, 0)[9], 1, "uninstall() was called");
    assert_eq!(session.delete(package_aid, true), 0x9000);
    assert_eq!(select(&mut session, 0, &multi().aid), 0x6A82);
    session.load("channels");
}

/// JCRE 11.3.4.3: a package that another one imports stays.
#[test]
fn a_package_in_use_is_not_deleted() {
    let mut session = loaded("language");
    let base = &package("base").aid;
    assert_eq!(session.delete(base, false), 0x6985);
    assert_eq!(session.delete(&package("language").aid, false), 0x9000);
    assert_eq!(session.delete(base, false), 0x9000);
}

/// GPCS 11.5, JCRE 11.1: an AID is given once.
#[test]
fn an_aid_is_taken_once() {
    let mut session = loaded("single");
    session.install(single(), &[]);
    assert_ne!(session.try_install(single(), &[]), 0x9000);
    let (sw, _) = session.try_load("single");
    assert_ne!(sw, 0x9000);
}
