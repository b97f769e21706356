//! What a card answers to a package: `EUICCResponse` with a `PEStatus` for each element that there is something to
//! say of, which `ProfileInstallationResult` carries as `simaResponse`.

use der::Encode;

/// Values of `status`: name and meaning. 6xxx and 9xxx are status words.
pub const STATUSES: &[(u16, &str, &str)] = &[
    (0, "ok", "installed"),
    (
        1,
        "pe-not-supported",
        "the card doesn't have what this element asks for",
    ),
    (2, "memory-failure", "the memory failed"),
    (
        3,
        "bad-values",
        "values that contradict each other or the card's state",
    ),
    (4, "not-enough-memory", "the files and keys don't fit"),
    (
        5,
        "invalid-request-format",
        "the element's encoding isn't valid",
    ),
    (
        6,
        "invalid-parameter",
        "a parameter is missing or out of its range",
    ),
    (
        7,
        "runtime-not-supported",
        "the card has no such runtime environment",
    ),
    (
        8,
        "lib-not-supported",
        "an application needs a library that isn't there",
    ),
    (
        9,
        "template-not-supported",
        "the card doesn't know this file template",
    ),
    (
        10,
        "feature-not-supported",
        "the element asks for a feature that the card doesn't have",
    ),
    (
        11,
        "pin-code-missing",
        "an access rule names a PIN that no element defines",
    ),
    (
        31,
        "unsupported-profile-version",
        "the card doesn't know this version of the format",
    ),
];

/// `PEStatus.status`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status(pub u16);

#[allow(missing_docs)] // the table says it
impl Status {
    pub const OK: Status = Status(0);
    pub const PE_NOT_SUPPORTED: Status = Status(1);
    pub const BAD_VALUES: Status = Status(3);
    pub const NOT_ENOUGH_MEMORY: Status = Status(4);
    pub const INVALID_FORMAT: Status = Status(5);
    pub const INVALID_PARAMETER: Status = Status(6);
    pub const TEMPLATE_NOT_SUPPORTED: Status = Status(9);
    pub const FEATURE_NOT_SUPPORTED: Status = Status(10);
    pub const PIN_CODE_MISSING: Status = Status(11);
    pub const UNSUPPORTED_VERSION: Status = Status(31);
}

impl Status {
    fn row(self) -> Option<&'static (u16, &'static str, &'static str)> {
        STATUSES.iter().find(|(code, _, _)| *code == self.0)
    }

    /// The name in the ASN.1, or the number.
    pub fn name(self) -> String {
        self.row()
            .map_or_else(|| format!("{:04X}", self.0), |row| row.1.to_owned())
    }

    /// What it means.
    pub fn meaning(self) -> &'static str {
        self.row().map_or("a status word", |row| row.2)
    }
}

record! {
    /// `PEStatus`.
    PeStatus {
        status "status": required 0x80 u16,
        identification "identification": optional 0x81 u16,
        additional "additional-information": optional 0x82 u8,
        offset "offset": optional 0x83 u32,
    }
    /// `EUICCResponse`.
    EuiccResponse {
        statuses "peStatus": required 0xA0 Vec<PeStatus>,
        aborted "profileInstallationAborted": flag 0x81 der::asn1::Null,
        message "statusMessage": optional 0x82 String,
    }
}

impl PeStatus {
    /// A status of the element with this identification.
    pub fn new(status: Status, identification: Option<u16>) -> PeStatus {
        PeStatus {
            status: status.0,
            identification,
            additional: None,
            offset: None,
            rest: Vec::new(),
        }
    }
}

impl EuiccResponse {
    /// The bytes of `simaResponse`.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A list of small numbers is never too long for DER.
        self.to_der().unwrap_or_default()
    }
}
