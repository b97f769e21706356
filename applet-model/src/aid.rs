//! Application identifiers (ISO/IEC 7816-4 12.2.3): the one table of AIDs.
//!
//! The project has no registered RID; its own packages use the proprietary unregistered
//! category (first nibble F, ISO/IEC 7816-4 12.2.3.3): `F0` and the letters `IPAe`.

/// Package `ipae.es10`: the library with the `Es10Port` interface.
pub const PACKAGE_ES10: &[u8] = b"\xF0IPAeES10";
/// Package `ipae.applet`: the IPAe applet's load file.
pub const PACKAGE_IPAE: &[u8] = b"\xF0IPAe\x01";
/// The applet class (executable module) in [`PACKAGE_IPAE`].
pub const MODULE_IPAE: &[u8] = b"\xF0IPAe\x01\x01";
/// The applet's instance. Bytes 13 to 15 are its TAR, as ETSI TS 101 220 3.4 has it.
pub const INSTANCE_IPAE: &[u8] = b"\xF0IPAe\x01\x01\0\0\0\0\0IPA\x01";
/// Toolkit Application Reference of [`INSTANCE_IPAE`] (ETSI TS 101 220 3.4).
pub const TAR_IPAE: [u8; 3] = *b"IPA";
/// The ISD-R (SGP.02 2.2.3, SGP.22 2.4.2).
pub const ISD_R: &[u8] = &[
    0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00, 0x01, 0x00,
];
/// The ECASD (SGP.02 2.2.3).
pub const ECASD: &[u8] = &[
    0xA0, 0x00, 0x00, 0x05, 0x59, 0x10, 0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x89, 0x00, 0x00, 0x02, 0x00,
];
/// GlobalPlatform's own AID of an issuer security domain (GlobalPlatform Card Specification H.1.3).
pub const ISD: &[u8] = &[0xA0, 0x00, 0x00, 0x01, 0x51, 0x00, 0x00, 0x00];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aids_have_five_to_sixteen_bytes_and_the_tar_its_place() {
        for aid in [
            PACKAGE_ES10,
            PACKAGE_IPAE,
            MODULE_IPAE,
            INSTANCE_IPAE,
            ISD_R,
            ECASD,
            ISD,
        ] {
            assert!((5..=16).contains(&aid.len()));
        }
        assert_eq!(INSTANCE_IPAE.len(), 16);
        assert_eq!(INSTANCE_IPAE[12..15], TAR_IPAE);
    }
}
