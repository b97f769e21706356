//! The columns of an order: the one table of them.

use applet_model::config::ITEMS;

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Name in the header line.
    pub name: &'static str,
    /// Whether every order has it; those of the eIM (`eim_…`) where the job adds one.
    pub required: bool,
    /// What stands in it.
    pub doc: &'static str,
}

const fn required(name: &'static str, doc: &'static str) -> Column {
    Column {
        name,
        required: true,
        doc,
    }
}

const fn optional(name: &'static str, doc: &'static str) -> Column {
    Column {
        name,
        required: false,
        doc,
    }
}

/// What a job takes from an order, beside what all take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// The first eIM.
    pub eim: bool,
}

impl Default for Needs {
    /// What the job that comes with the tools takes.
    fn default() -> Self {
        Needs { eim: true }
    }
}

impl Column {
    /// Whether an order for such a job has to have it.
    pub(super) fn is_needed(&self, needs: Needs) -> bool {
        self.required && (needs.eim || !self.name.starts_with(EIM))
    }
}

/// How the names of the first eIM's columns begin.
pub(super) const EIM: &str = "eim_";

/// How the names of columns begin that only a job knows: its placeholders take from them.
pub const OF_JOB: &str = "x_";

/// The columns, except those that begin with [`OF_JOB`], and except those of the applet's configuration, which have the names of
/// [`applet_model::config::ITEMS`] and are all optional (an empty cell: the default).
pub const COLUMNS: &[Column] = &[
    required("eid", "EID of the card: 32 digits with valid check digits"),
    optional(
        "iccids",
        "ICCIDs of the profiles on the card, separated by spaces; compared with the card",
    ),
    optional(
        "imsis",
        "IMSIs of the profiles on the card, separated by spaces: 6 to 15 digits",
    ),
    optional(
        "key_set",
        "name of a key set in the key file; `test` is the definition's public test keys",
    ),
    optional(
        "kvn",
        "key version number of the card's SCP03 key set, two hexadecimal digits",
    ),
    optional(
        "key_enc",
        "Key-ENC in hex; only for tests: keys belong into a key file",
    ),
    optional("key_mac", "Key-MAC in hex"),
    optional("key_dek", "Key-DEK in hex"),
    optional(
        "key_wrap",
        "name of the transport key in the key file under which the three keys are wrapped; empty: in clear",
    ),
    optional(
        "key_enc_kcv",
        "key check value of Key-ENC, 6 hexadecimal digits; compared",
    ),
    optional("key_mac_kcv", "key check value of Key-MAC"),
    optional("key_dek_kcv", "key check value of Key-DEK"),
    optional(
        "new_key_set",
        "name of the key set that the card's is replaced by; empty: the card keeps its keys",
    ),
    optional(
        "new_kvn",
        "key version number of the new key set, two hexadecimal digits; empty: the key file's",
    ),
    optional("new_key_enc", "new Key-ENC in hex; only for tests"),
    optional("new_key_mac", "new Key-MAC in hex"),
    optional("new_key_dek", "new Key-DEK in hex"),
    optional(
        "new_key_wrap",
        "transport key under which the new keys are wrapped",
    ),
    optional("new_key_enc_kcv", "key check value of the new Key-ENC"),
    optional("new_key_mac_kcv", "key check value of the new Key-MAC"),
    optional("new_key_dek_kcv", "key check value of the new Key-DEK"),
    required("eim_id", "identifier of the first eIM (eimId)"),
    optional("eim_id_type", "`fqdn`, `oid` or `proprietary`; empty: fqdn"),
    required(
        "eim_fqdn",
        "address of the first eIM (eimFqdn), without a scheme",
    ),
    required(
        "eim_public_key",
        "the eIM's public key or certificate: a PEM or DER file, or hex of a SubjectPublicKeyInfo or of a P-256 point",
    ),
    optional(
        "eim_certificate",
        "a certificate that has to be of the key in eim_public_key: a PEM or DER file, or hex",
    ),
    optional(
        "eim_counter",
        "first counter value (counterValue); empty: 0",
    ),
    optional(
        "eim_token",
        "`yes` asks the eUICC for an association token; empty: no",
    ),
    optional(
        "eim_ci_pk_id",
        "CI public key identifier in hex (euiccCiPKId)",
    ),
];

/// True for a column of the applet's configuration.
pub(super) fn is_config(name: &str) -> bool {
    ITEMS.iter().any(|item| item.name == name)
}

/// True for a column that only a job knows.
pub(super) fn is_of_job(name: &str) -> bool {
    let end = name.strip_prefix(OF_JOB);
    end.is_some_and(|end| {
        !end.is_empty()
            && end
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    })
}

/// Every name that a header may have.
pub(super) fn is_known(name: &str) -> bool {
    COLUMNS.iter().any(|column| column.name == name) || is_config(name) || is_of_job(name)
}
