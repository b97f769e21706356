//! The fields of a card definition.

use super::{Cost, Hex, Quirks, SecurityDomains};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the tools know of a card product.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Definition {
    /// Version of this form: 1.
    pub format: u32,
    /// EUM, as validation records and reports name it.
    pub eum: String,
    /// Product name of the EUM.
    pub product: String,
    /// What it is, in a sentence.
    pub description: String,
    /// Whether cards of this definition go to customers: public test keys are refused then.
    #[serde(rename = "use")]
    pub use_: Use,
    /// What was tried on this product, and when.
    pub validation: Validation,
    /// Answer to reset of the virtual card; for a real product what its cards are known by.
    pub atr: Hex,
    /// The Java Card platform.
    pub java_card: JavaCard,
    /// Memory for applications.
    pub memory: Memory,
    /// The issuer security domain and its secure channel.
    pub isd: Isd,
    /// Supplementary security domains, if the product has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_domains: Option<SecurityDomains>,
    /// Where it is odder than the specifications.
    #[serde(default, skip_serializing_if = "is_plain")]
    pub quirks: Quirks,
    /// The eUICC; a UICC without remote provisioning has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub euicc: Option<Euicc>,
    /// The toolkit.
    pub toolkit: Toolkit,
    /// Limits of the interface.
    pub apdu: ApduLimits,
    /// What work costs its time; without it, no time is predicted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
    /// Files that the card has beside those of the lab's profiles, in every profile and without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_system: Option<crate::fs::FilesDescription>,
}

fn is_plain(quirks: &Quirks) -> bool {
    *quirks == Quirks::default()
}

/// Where cards of a definition go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Use {
    /// Test cards: public test keys are fine.
    Lab,
    /// Cards for customers: public test keys are refused.
    Production,
}

/// How far a product was tried with these tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Validation {
    /// Never on a physical card.
    None,
    /// In the lab.
    Lab,
    /// In the field.
    Field,
}

/// The Java Card platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct JavaCard {
    /// Platform version, for example "3.0.4".
    pub version: String,
    /// Whether the type `int` is supported.
    pub int: bool,
    /// API packages on the card: a CAP file links if the major version is equal and the minor not above (JCVM 6.7).
    pub packages: Vec<Package>,
    /// Algorithms for applications.
    pub algorithms: Vec<Algorithm>,
    /// Elliptic curves for applications and the eUICC.
    pub curves: Vec<Curve>,
}

/// An API package on the card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// Name with slashes: "javacard/framework".
    pub name: String,
    /// AID.
    pub aid: Hex,
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
}

/// An algorithm that applications can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// AES in ECB and CBC mode, with each padding.
    Aes,
    /// AES in counter mode.
    AesCtr,
    /// AES-GCM: `AEADCipher`, from `javacardx.crypto` 1.6 on.
    AesGcm,
    /// AES-CCM: `AEADCipher`, from `javacardx.crypto` 1.6 on.
    AesCcm,
    /// AES CBC-MAC.
    AesMac,
    /// AES-CMAC.
    AesCmac,
    /// DES and triple DES in ECB and CBC mode, with each padding.
    Des,
    /// DES MACs of 4 and 8 bytes, algorithms 1 and 3 of ISO/IEC 9797-1.
    DesMac,
    /// SHA-1.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// HMAC with SHA-1.
    HmacSha1,
    /// HMAC with SHA-256.
    HmacSha256,
    /// HMAC with SHA-384.
    HmacSha384,
    /// HMAC with SHA-512.
    HmacSha512,
    /// ECDSA with SHA-1.
    EcdsaSha1,
    /// ECDSA with SHA-224.
    EcdsaSha224,
    /// ECDSA with SHA-256.
    EcdsaSha256,
    /// ECDSA with SHA-384.
    EcdsaSha384,
    /// ECDSA with SHA-512.
    EcdsaSha512,
    /// ECDH: plain x coordinate, plain point, and hashed with SHA-1.
    Ecdh,
    /// Secure random numbers, under each name that API 3.0.5 has for them.
    SecureRandom,
    /// Random numbers that need not be secure.
    PseudoRandom,
    /// 16-bit checksum.
    Crc16,
    /// 32-bit checksum.
    Crc32,
}

impl Algorithm {
    /// Every one.
    pub const ALL: &[Algorithm] = &[
        Algorithm::Aes,
        Algorithm::AesCtr,
        Algorithm::AesGcm,
        Algorithm::AesCcm,
        Algorithm::AesMac,
        Algorithm::AesCmac,
        Algorithm::Des,
        Algorithm::DesMac,
        Algorithm::Sha1,
        Algorithm::Sha224,
        Algorithm::Sha256,
        Algorithm::Sha384,
        Algorithm::Sha512,
        Algorithm::HmacSha1,
        Algorithm::HmacSha256,
        Algorithm::HmacSha384,
        Algorithm::HmacSha512,
        Algorithm::EcdsaSha1,
        Algorithm::EcdsaSha224,
        Algorithm::EcdsaSha256,
        Algorithm::EcdsaSha384,
        Algorithm::EcdsaSha512,
        Algorithm::Ecdh,
        Algorithm::SecureRandom,
        Algorithm::PseudoRandom,
        Algorithm::Crc16,
        Algorithm::Crc32,
    ];
}

/// An elliptic curve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Curve {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Brainpool P256r1.
    BrainpoolP256r1,
    /// Brainpool P384r1.
    BrainpoolP384r1,
}

impl Curve {
    /// Every one.
    pub const ALL: &[Curve] = &[
        Curve::P256,
        Curve::P384,
        Curve::P521,
        Curve::BrainpoolP256r1,
        Curve::BrainpoolP384r1,
    ];
}

/// Memory for applications, in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// Persistent: packages and instances.
    pub persistent: u32,
    /// Transient, cleared at reset.
    pub transient_reset: u32,
    /// Transient, cleared at deselection.
    pub transient_deselect: u32,
    /// Stack of one thread: two bytes for each word of arguments, locals and operands, and what a frame takes besides.
    pub stack: u32,
    /// Java Card transaction buffer.
    pub commit_buffer: u32,
    /// Smallest APDU buffer that applets see, including the header.
    pub apdu_buffer: u16,
}

/// The issuer security domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Isd {
    /// AID.
    pub aid: Hex,
    /// Secure channel.
    pub scp03: Scp03,
}

/// The issuer security domain's SCP03 (GlobalPlatform Amendment D).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scp03 {
    /// Parameter "i" (table 5-1): 0x10 pseudo-random challenge, 0x20 R-MAC, 0x60 R-MAC and R-ENCRYPTION, 0x01 S16.
    pub i: u8,
    /// Key length in bytes: 16, 24 or 32.
    pub key_length: u8,
    /// Key version number of the key set that a card of this product is delivered with: 30 to 3F, or FF for initial
    /// keys, which go when a set is added.
    pub kvn: u8,
    /// Security level for personalization: 0x01, 0x03, 0x11, 0x13 or 0x33.
    pub level: u8,
    /// Failed authentications until the card blocks the key set; absent if the product doesn't count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tries: Option<u8>,
    /// Public keys of test cards: everyone knows them. Never in a production definition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_keys: Option<TestKeys>,
}

/// Public test keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TestKeys {
    /// Key-ENC.
    pub enc: Hex,
    /// Key-MAC.
    pub mac: Hex,
    /// Key-DEK.
    pub dek: Hex,
}

/// The eUICC and how the applet reaches it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Euicc {
    /// ISD-R AID.
    pub isd_r: Hex,
    /// ECASD AID.
    pub ecasd: Hex,
    /// SGP.32 version that it speaks; an eUICC of SGP.22 alone has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sgp32: Option<Sgp32Version>,
    /// How the applet's ES10 port is bound (design decision 5).
    pub es10_binding: Es10Binding,
    /// The vendor's package with the ES10 interface, for [`Es10Binding::Vendor`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub es10_package: Option<Package>,
    /// Most bytes of a STORE DATA block to the ISD-R: 1 to 255.
    pub es10_block: u8,
    /// Which channel the TERMINAL CAPABILITY that selects IPAd or IPAe has to go over.
    pub terminal_capability: TerminalCapabilityChannel,
    /// Memory for downloaded profiles, bytes; without it the eUICC's configuration says how much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile_memory: Option<u32>,
}

/// Versions of SGP.32.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Sgp32Version {
    /// SGP.32 v1.0.
    #[serde(rename = "1.0")]
    V1_0,
    /// SGP.32 v1.2.
    #[serde(rename = "1.2")]
    V1_2,
    /// SGP.32 v1.3.
    #[serde(rename = "1.3")]
    V1_3,
}

impl Sgp32Version {
    /// As `iotVersion` shows it.
    pub fn number(self) -> [u8; 3] {
        match self {
            Sgp32Version::V1_0 => [1, 0, 0],
            Sgp32Version::V1_2 => [1, 2, 0],
            Sgp32Version::V1_3 => [1, 3, 0],
        }
    }
}

/// How the applet's ES10 port is bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Es10Binding {
    /// The project's own Shareable Interface Object, `ipae.es10.Es10Port`.
    Shareable,
    /// A vendor's package, given as export file.
    Vendor,
}

/// Which channel TERMINAL CAPABILITY goes over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TerminalCapabilityChannel {
    /// The basic channel.
    Basic,
    /// The logical channel to the ISD-R.
    Logical,
    /// Either.
    Any,
}

/// The toolkit (ETSI TS 102 223, TS 102 241).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toolkit {
    /// BIP channels that the card can hold open at once: 1 to 7.
    pub bip_channels: u8,
    /// Timers that applets can allocate in all: 1 to 8.
    pub timers: u8,
    /// How a profile change is made known to the device.
    pub refresh: RefreshMode,
    /// Form of the toolkit parameters that INSTALL takes.
    pub install_parameters: InstallParameterForm,
}

/// Qualifier of the REFRESH after a profile change (ETSI TS 102 223 8.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshMode {
    /// 04: UICC reset.
    UiccReset,
    /// 09: eUICC profile state change.
    ProfileStateChange,
}

/// Where INSTALL carries the toolkit parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum InstallParameterForm {
    /// EA: UICC system specific parameters (ETSI TS 102 226 8.2.1.3.2.2).
    Ea,
    /// CA inside EF: SIM file access and toolkit parameters (ETSI TS 102 226 8.2.1.3.2.1).
    Ca,
}

/// Limits of the card's interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApduLimits {
    /// Most command data bytes, secure messaging included: 1 to 255 for short APDUs. LOAD blocks are
    /// as long as this and the reader allow.
    pub max_command_data: u16,
    /// Most response data bytes: 1 to 256 for short APDUs.
    pub max_response_data: u16,
    /// Logical channels, the basic one included: 1 to 20.
    pub logical_channels: u8,
    /// Extended length APDUs: the card offers T=1, and says so in the ATR's historical bytes or EF.ATR.
    pub extended_length: bool,
}
