//! The eUICC's certificates and data (SGP.32 5.9.2 GetCerts, SGP.22 5.7.20 GetEuiccData), and the revocation lists
//! that it is given (SGP.22 5.7.12).

use super::{CertificateDer, CertificateListDer, Eid, KeyId, TagList};

codes! {
    /// Why no certificates are given.
    GetCertsError {
        InvalidCiPkId = 1 "invalidCiPKId",
        UndefinedError = 127 "undfinedError",
    }
    /// Why a revocation list isn't taken.
    LoadCrlResponseError {
        InvalidSignature = 1 "invalidSignature",
        InvalidCrlFormat = 2 "invalidCRLFormat",
        NotEnoughMemorySpace = 3 "notEnoughMemorySpace",
        VerificationKeyNotFound = 4 "verificationKeyNotFound",
        FresherCrlAlreadyLoaded = 5 "fresherCrlAlreadyLoaded",
        BaseCrlMissing = 6 "baseCrlMissing",
        UndefinedError = 127 "undefinedError",
    }
}

sequence! {
    /// ES10b.GetCerts.
    #[derive(Default)]
    GetCertsRequest = 0xBF56 {
        euicc_ci_pk_id "euiccCiPKId": optional 0x80 KeyId,
    }
    /// The certificates that lead from the CI to the eUICC.
    Certs = 0x30 {
        eum_certificate "eumCertificate": required 0xA5 CertificateDer,
        euicc_certificate "euiccCertificate": required 0xA6 CertificateDer,
    }
    /// ES10b.LoadCRL.
    LoadCrlRequest "LoadCRLRequest" = 0xBF35 {
        crl "crl": required 0xA0 CertificateListDer,
    }
    /// A revocation list, or a part of one, was taken.
    #[derive(Default)]
    LoadCrlResponseOk "LoadCRLResponseOk" = 0x30 {
        /// `partialCrlNumber` of the parts that are still to come.
        missing_parts "missingParts": optional 0xA0 Vec<u64>,
    }
    /// ES10c.GetEID.
    GetEuiccDataRequest = 0xBF3E {
        /// `5A` and nothing else.
        tag_list "tagList": required 0x5C TagList,
    }
    /// Answer to [`GetEuiccDataRequest`].
    GetEuiccDataResponse = 0xBF3E {
        eid_value "eidValue": required 0x5A Eid,
    }
}

choice! {
    /// Answer to [`LoadCrlRequest`].
    LoadCrlResponse "LoadCRLResponse" = 0xBF35 {
        0xA0 LoadCrlResponseOk(LoadCrlResponseOk) "loadCRLResponseOk",
        0x81 LoadCrlResponseError(LoadCrlResponseError) "loadCRLResponseError",
    }
    /// Answer to [`GetCertsRequest`].
    GetCertsResponse = 0xBF56 {
        0xA0 Certs(Certs) "certs",
        0x81 GetCertsError(GetCertsError) "getCertsError",
    }
}

impl GetEuiccDataRequest {
    /// Asks for the EID (`BF3E 03 5C 01 5A`).
    pub fn eid() -> Option<Self> {
        TagList::new([0x5A]).map(|tag_list| Self { tag_list })
    }
}
