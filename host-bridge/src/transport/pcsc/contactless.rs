//! Contactless readers and cards: no toolkit there, and no personalization.
//!
//! A UICC's toolkit needs a terminal with contacts (ETSI TS 102 221 clause 5, TS 102 223): over the
//! air interface there is no TERMINAL PROFILE and no proactive command, and a field that breaks off
//! in the middle of PUT KEY or LOAD is an everyday event.

/// Parts of names that readers (and slots of dual readers) without contacts have.
const NAMES: &[&str] = &[
    "picc",
    "contactless",
    "nfc",
    "rfid",
    "proximity",
    " cl reader",
];

/// Why the card can't be had over contacts; `None` if it can, or nothing tells. `t0`: the protocol is T=0.
pub fn reason(reader: &str, atr: &[u8], t0: bool) -> Option<String> {
    // PC/SC part 3, 3.1.3.2.3: the reader makes up 3B 8n 80 01 for a card of ISO/IEC 14443, without
    // any speed (TA1) or waiting time (TB3) of contacts. The service may call its protocol T=0, which
    // TD1 names first.
    if matches!(atr, [0x3B, t0, 0x80, 0x01, ..] if t0 >> 4 == 8) {
        return Some(
            "the ATR is one that a contactless reader makes up (3B 8n 80 01, PC/SC part 3)"
                .to_owned(),
        );
    }
    // A name may cover both interfaces of a reader; a T=0 card with an ATR of its own has contacts.
    if t0 {
        return None;
    }
    let name = reader.to_lowercase();
    let part = NAMES.iter().find(|part| name.contains(**part))?;
    Some(format!("its name says {:?}", part.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_and_none_are_told_apart() {
        let atr = |hex: &str| hex::decode(hex).unwrap();
        let contact = atr("3BF81300008131FE454A434F5076323431B7");
        let field = atr("3B888001010000000091710099"); // made up by a reader
        assert_eq!(reason("ACS ACR38U 00 00", &contact, false), None);
        assert!(reason("ACS ACR1281 1S Dual Reader 00 00", &field, false).is_some());
        assert!(reason("ACS ACR1252 Dual Reader [PICC] 00 00", &contact, false).is_some());
        assert!(reason("OMNIKEY 5427 CL Reader 00 00", &[], false).is_some());
        // A card of its own with T=0 has contacts; what the reader made up has none, whatever the protocol.
        assert!(reason("ACS ACR1281 1S Dual Reader 00 00", &field, true).is_some());
        assert_eq!(
            reason("Broadcom NFC and contact 00 00", &contact, true),
            None
        );
    }
}
