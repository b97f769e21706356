//! Privileges (GPCS 6.6, tables 6-1 and 11-7 to 11-9): three bytes, their names, and which go together.

/// Privileges as commands and the registry carry them.
pub type Privileges = [u8; 3];

/// A privilege.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Privilege {
    /// 0: the application is a security domain.
    SecurityDomain,
    /// 1: it verifies DAP blocks.
    DapVerification,
    /// 2: it manages content with tokens.
    DelegatedManagement,
    /// 3: it locks the card.
    CardLock,
    /// 4: it terminates the card.
    CardTerminate,
    /// 5: it is the card's default application, which sets the historical bytes.
    CardReset,
    /// 6: it manages the card's CVM.
    CvmManagement,
    /// 7: every load needs its DAP block.
    MandatedDapVerification,
    /// 8: it hands commands on to its applications.
    TrustedPath,
    /// 9: it manages content on its own.
    AuthorizedManagement,
    /// 10: it verifies tokens.
    TokenVerification,
    /// 11: it deletes anything.
    GlobalDelete,
    /// 12: it locks anything.
    GlobalLock,
    /// 13: it sees the whole registry.
    GlobalRegistry,
    /// 14: it is the only one selectable on a locked card.
    FinalApplication,
    /// 15: it serves other applications.
    GlobalService,
    /// 16: it makes receipts.
    ReceiptGeneration,
    /// 17: load files for it come ciphered.
    CipheredLoadFileDataBlock,
    /// 18: it activates applications on the contactless interface.
    ContactlessActivation,
    /// 19: it activates itself on the contactless interface.
    ContactlessSelfActivation,
}

use Privilege::*;

/// Every privilege: byte, the bit of its own, name.
///
/// DAP Verification and Mandated DAP Verification are told apart by bit 1 of the first byte, beside the bits of
/// Security Domain and DAP Verification.
const TABLE: [(Privilege, usize, u8, &str); 20] = [
    (SecurityDomain, 0, 0x80, "Security Domain"),
    (DapVerification, 0, 0x40, "DAP Verification"),
    (DelegatedManagement, 0, 0x20, "Delegated Management"),
    (CardLock, 0, 0x10, "Card Lock"),
    (CardTerminate, 0, 0x08, "Card Terminate"),
    (CardReset, 0, 0x04, "Card Reset"),
    (CvmManagement, 0, 0x02, "CVM Management"),
    (
        MandatedDapVerification,
        0,
        0x01,
        "Mandated DAP Verification",
    ),
    (TrustedPath, 1, 0x80, "Trusted Path"),
    (AuthorizedManagement, 1, 0x40, "Authorized Management"),
    (TokenVerification, 1, 0x20, "Token Verification"),
    (GlobalDelete, 1, 0x10, "Global Delete"),
    (GlobalLock, 1, 0x08, "Global Lock"),
    (GlobalRegistry, 1, 0x04, "Global Registry"),
    (FinalApplication, 1, 0x02, "Final Application"),
    (GlobalService, 1, 0x01, "Global Service"),
    (ReceiptGeneration, 2, 0x80, "Receipt Generation"),
    (
        CipheredLoadFileDataBlock,
        2,
        0x40,
        "Ciphered Load File Data Block",
    ),
    (ContactlessActivation, 2, 0x20, "Contactless Activation"),
    (
        ContactlessSelfActivation,
        2,
        0x10,
        "Contactless Self-Activation",
    ),
];

impl Privilege {
    /// Every privilege in the order of its number.
    pub fn all() -> impl Iterator<Item = Privilege> {
        TABLE.iter().map(|row| row.0)
    }

    fn row(self) -> &'static (Privilege, usize, u8, &'static str) {
        // The table is in the order of the enumeration: a test compares.
        &TABLE[self as usize % TABLE.len()]
    }

    /// Its name in the specification.
    pub fn name(self) -> &'static str {
        self.row().3
    }

    /// The privilege of this name: as in the specification, or in lower case with hyphens
    /// (`dap-verification`).
    pub fn by_name(name: &str) -> Option<Privilege> {
        let plain = |text: &str| text.to_ascii_lowercase().replace(' ', "-");
        let wanted = plain(name);
        Self::all().find(|privilege| plain(privilege.name()) == wanted)
    }

    /// True if these bytes have it; missing bytes count as zero.
    pub fn is_in(self, bytes: &[u8]) -> bool {
        let (_, at, bit, _) = *self.row();
        bytes.get(at).is_some_and(|byte| byte & bit != 0)
    }

    /// The three bytes of these privileges, with those that they take along (Security Domain for DAP
    /// Verification, …).
    pub fn bytes(privileges: &[Privilege]) -> Privileges {
        let mut bytes = [0; 3];
        for privilege in privileges {
            for needed in privilege.needs().iter().chain([privilege]) {
                let (_, at, bit, _) = *needed.row();
                bytes[at] |= bit;
            }
        }
        bytes
    }

    /// What must be set with it (table 6-1).
    fn needs(self) -> &'static [Privilege] {
        match self {
            MandatedDapVerification => &[SecurityDomain, DapVerification],
            DapVerification
            | DelegatedManagement
            | AuthorizedManagement
            | TokenVerification
            | ReceiptGeneration
            | CipheredLoadFileDataBlock => &[SecurityDomain],
            _ => &[],
        }
    }
}

/// Pairs that exclude each other (6.6.2).
const EXCLUSIVE: [(Privilege, Privilege); 3] = [
    (AuthorizedManagement, DelegatedManagement),
    (TokenVerification, DelegatedManagement),
    (ReceiptGeneration, DelegatedManagement),
];

/// What is wrong with privileges, in words: their length, what lacks, what excludes each other.
pub fn faults(bytes: &[u8]) -> Vec<String> {
    let mut out = Vec::new();
    if !matches!(bytes.len(), 1 | 3) {
        out.push(format!(
            "privileges: {} bytes, 1 or 3 are allowed",
            bytes.len()
        ));
    }
    if bytes.get(2).is_some_and(|byte| byte & 0x0F != 0) {
        out.push("privileges: reserved bits of the third byte are set".to_owned());
    }
    for privilege in Privilege::all().filter(|privilege| privilege.is_in(bytes)) {
        for needed in privilege
            .needs()
            .iter()
            .filter(|needed| !needed.is_in(bytes))
        {
            out.push(format!(
                "privileges: {} needs {}",
                privilege.name(),
                needed.name()
            ));
        }
    }
    for (a, b) in EXCLUSIVE {
        if a.is_in(bytes) && b.is_in(bytes) {
            out.push(format!(
                "privileges: {} and {} exclude each other",
                a.name(),
                b.name()
            ));
        }
    }
    out
}

/// Privileges in words; `none` for none.
pub fn words(bytes: &[u8]) -> String {
    let names: Vec<&str> = Privilege::all()
        .filter(|privilege| privilege.is_in(bytes))
        .map(Privilege::name)
        .collect();
    match names[..] {
        [] => "none".to_owned(),
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        for (number, (privilege, at, bit, _)) in TABLE.iter().enumerate() {
            assert_eq!(*privilege as usize, number);
            assert_eq!((number / 8, 0x80 >> (number % 8)), (*at, i32::from(*bit)));
        }
    }

    #[test]
    fn words_names_and_bytes() {
        assert_eq!(words(&[]), "none");
        assert_eq!(
            words(&[0x80, 0x40]),
            "Security Domain, Authorized Management"
        );
        assert_eq!(
            Privilege::by_name("mandated-dap-verification"),
            Some(MandatedDapVerification)
        );
        assert_eq!(Privilege::by_name("Global Delete"), Some(GlobalDelete));
        assert_eq!(Privilege::by_name("nothing"), None);
        assert_eq!(Privilege::bytes(&[MandatedDapVerification]), [0xC1, 0, 0]);
        assert_eq!(
            Privilege::bytes(&[DelegatedManagement, GlobalLock]),
            [0xA0, 0x08, 0]
        );
    }

    #[test]
    fn what_does_not_go_together_is_said() {
        assert_eq!(faults(&[0x04]), Vec::<String>::new());
        assert!(faults(&[0x40, 0, 0])[0].contains("needs Security Domain"));
        assert!(faults(&[0xA0, 0x40, 0])[0].contains("exclude each other"));
        assert!(faults(&[0, 0])[0].contains("1 or 3"));
        assert!(faults(&[0, 0, 1])[0].contains("reserved"));
    }
}
