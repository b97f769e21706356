//! The eUICC as an IPA and an eIM see it.

use super::*;

fn eid() -> Eid {
    Eid::with_check_digits("890490320010012345670000000001").unwrap()
}

#[test]
fn the_lab_euicc_has_three_profiles_and_the_first_enabled() {
    let mut euicc = Euicc::new(EuiccConfig::lab(eid()).unwrap()).unwrap();
    let mut nvm = Nvm::default();
    let answer = euicc
        .es10(&mut nvm, &[0xBF, 0x3E, 3, 0x5C, 1, 0x5A])
        .unwrap();
    assert_eq!(answer.sw, Sw::OK);
    assert_eq!(answer.data[5..], eid().as_bytes()[..]);
    assert_eq!(euicc.state().profiles.len(), 3);
    assert_eq!(euicc.visible_profile().unwrap().imsi, "999010000000001");
    assert_eq!(nvm.writes, 0);
    euicc.check_invariants().unwrap();
}
