//! Byte templates: HTTP text, ES10 commands, proactive commands. The generator emits them as the
//! byte arrays of the Java runtime.

use crate::cat;

macro_rules! templates {
    ($($(#[$doc:meta])* $name:ident = $value:expr;)*) => {
        $($(#[$doc])* pub const $name: &[u8] = $value;)*
        /// Name and bytes of each.
        pub const TABLE: &[(&str, &[u8])] = &[$((stringify!($name), $name),)*];
    };
}

templates! {
    /// HTTP request up to the host name (SGP.32 6.1.1).
    HTTP_POST = b"POST /gsma/rsp2/asn1 HTTP/1.1\r\nHost: ";
    /// HTTP header fields from the end of the host name to the length (SGP.32 6.1.1).
    HTTP_FIELDS = b"\r\nUser-Agent: gsma-rsp-ipae\r\nX-Admin-Protocol: gsma/rsp/v2.1.0\r\nContent-Type: application/x-gsma-rsp-asn1\r\nContent-Length: ";
    /// End of the HTTP header.
    HTTP_END = b"\r\n\r\n";
    /// Name of the field that gives the body's length, in lower case.
    HTTP_LENGTH_NAME = b"content-length:";
    /// Name of the field that this applet does not understand, in lower case.
    HTTP_CODING_NAME = b"transfer-encoding:";
    /// Begin of an HTTP status line; the digit after the dot is not looked at.
    HTTP_VERSION = b"HTTP/1.? ";
    /// ES10c.GetEID: tagList 5A (SGP.22 5.7.20).
    ES10_EID = &[0xBF, 0x3E, 0x03, 0x5C, 0x01, 0x5A];
    /// ES10b.GetEimConfigurationData of all eIMs (SGP.32 5.9.18).
    ES10_EIM = &[0xBF, 0x55, 0x00];
    /// ES10b.RetrieveNotificationsList, searchCriteria euiccPackageResults (SGP.32 5.9.11).
    ES10_RESULTS = &[0xBF, 0x2B, 0x04, 0xA0, 0x02, 0x82, 0x00];
    /// ES10b.RetrieveNotificationsList of all notifications.
    ES10_NOTIFICATIONS = &[0xBF, 0x2B, 0x00];
    /// ES10b.ProfileRollback, refreshFlag false: the applet sends REFRESH itself (SGP.32 5.9.16).
    ES10_ROLLBACK = &[0xBF, 0x58, 0x03, 0x80, 0x01, 0x00];
    /// ES10b.GetEUICCInfo1 (SGP.22 5.7.8).
    ES10_INFO = &[0xBF, 0x20, 0x00];
    /// ES10b.GetEUICCChallenge (SGP.22 5.7.7).
    ES10_CHALLENGE = &[0xBF, 0x2E, 0x00];
    /// ES10b.ImmediateEnable, refreshFlag false: the applet sends REFRESH itself (SGP.32 5.9.15).
    ES10_IMMEDIATE = &[0xBF, 0x5A, 0x03, 0x80, 0x01, 0x00];
    /// ES10b.GetEUICCInfo2 (SGP.22 5.7.8).
    ES10_INFO2 = &[0xBF, 0x22, 0x00];
    /// ES10a.GetEuiccConfiguredAddresses (SGP.22 5.7.3).
    ES10_ADDRESSES = &[0xBF, 0x3C, 0x00];
    /// ES10b.GetCerts of the first CI (SGP.32 5.9.10).
    ES10_CERTS = &[0xBF, 0x56, 0x00];
    /// ipaCapabilities (SGP.32 2.11.2.2): indirect downloads, data and metadata handled by the eIM if it wants.
    IPA_CAPABILITIES = &[0xA8, 0x04, 0x80, 0x02, 0x03, 0x68];
    /// deviceInfo of the IPA eUICC data.
    IPA_DEVICE = &[0xA9, 0x08, 0x80, 0x04, 0x00, 0x00, 0x00, 0x00, 0xA1, 0x00];
    /// deviceInfo of ctxParams1 (SGP.22 4.2): the applet knows neither the device's TAC nor its capabilities.
    DEVICE_INFO = &[0xA1, 0x08, 0x80, 0x04, 0x00, 0x00, 0x00, 0x00, 0xA1, 0x00];
    /// profileDownloadError undefinedError (SGP.32 2.11.2.3).
    DOWNLOAD_ERROR = &[0x30, 0x03, 0x80, 0x01, 0x7F];
    /// OPEN CHANNEL after the device identities: no alpha identifier shown to the user.
    OPEN_ALPHA = &[cat::Tag::ALPHA_IDENTIFIER.0 as u8, 0x00];
}
