//! EUICCInfo1 and EUICCInfo2 with what SGP.32 adds (SGP.22 5.7.8, SGP.32 5.9.2).

use super::profile::PprIds;
use super::{KeyId, Octets, VersionType};
use der::asn1::Null;

codes! {
    /// Which IPA is in charge.
    IpaMode { Ipad = 0 "ipad", Ipae = 1 "ipae" }
    /// The size class of an eUICC.
    EuiccCategory {
        OtherCategory = 0 "other",
        BasicEuicc = 1 "basicEuicc",
        MediumEuicc = 2 "mediumEuicc",
        ContactlessEuicc = 3 "contactlessEuicc",
    }
}

named_bits! {
    /// What a UICC can do (TCA eUICC Profile Package, UICCCapability).
    UiccCapability {
        CONTACTLESS_SUPPORT = 0 "contactlessSupport",
        USIM_SUPPORT = 1 "usimSupport",
        ISIM_SUPPORT = 2 "isimSupport",
        CSIM_SUPPORT = 3 "csimSupport",
        AKA_MILENAGE = 4 "akaMilenage",
        AKA_CAVE = 5 "akaCave",
        AKA_TUAK128 = 6 "akaTuak128",
        AKA_TUAK256 = 7 "akaTuak256",
        USIM_TEST_ALGORITHM = 8 "usimTestAlgorithm",
        RFU2 = 9 "rfu2",
        GBA_AUTHEN_USIM = 10 "gbaAuthenUsim",
        GBA_AUTHEN_ISIM = 11 "gbaAuthenISim",
        MBMS_AUTHEN_USIM = 12 "mbmsAuthenUsim",
        EAP_CLIENT = 13 "eapClient",
        JAVACARD = 14 "javacard",
        MULTOS = 15 "multos",
        MULTIPLE_USIM_SUPPORT = 16 "multipleUsimSupport",
        MULTIPLE_ISIM_SUPPORT = 17 "multipleIsimSupport",
        MULTIPLE_CSIM_SUPPORT = 18 "multipleCsimSupport",
        BER_TLV_FILE_SUPPORT = 19 "berTlvFileSupport",
        DF_LINK_SUPPORT = 20 "dfLinkSupport",
        CAT_TP = 21 "catTp",
        GET_IDENTITY = 22 "getIdentity",
        PROFILE_A_X25519 = 23 "profile-a-x25519",
        PROFILE_B_P256 = 24 "profile-b-p256",
        SUCI_CALCULATOR_API = 25 "suciCalculatorApi",
        DNS_RESOLUTION = 26 "dns-resolution",
        SCP11AC = 27 "scp11ac",
        SCP11C_AUTHORIZATION_MECHANISM = 28 "scp11c-authorization-mechanism",
        S16MODE = 29 "s16mode",
        EAKA = 30 "eaka",
        IOTMINIMAL = 31 "iotminimal",
    }
    /// What the eUICC supports of SGP.22.
    RspCapability {
        ADDITIONAL_PROFILE = 0 "additionalProfile",
        CRL_SUPPORT = 1 "crlSupport",
        RPM_SUPPORT = 2 "rpmSupport",
        TEST_PROFILE_SUPPORT = 3 "testProfileSupport",
        DEVICE_INFO_EXTENSIBILITY_SUPPORT = 4 "deviceInfoExtensibilitySupport",
        SERVICE_SPECIFIC_DATA_SUPPORT = 5 "serviceSpecificDataSupport",
    }
    /// What the tamper resistant element is.
    TreProperties {
        IS_DISCRETE = 0 "isDiscrete",
        IS_INTEGRATED = 1 "isIntegrated",
        USES_REMOTE_MEMORY = 2 "usesRemoteMemory",
    }
}

sequence! {
    /// ES10b.GetEUICCInfo1.
    #[derive(Default)]
    GetEuiccInfo1Request = 0xBF20 {}
    /// Answer to [`GetEuiccInfo1Request`].
    EuiccInfo1 "EUICCInfo1" = 0xBF20 {
        svn "svn": required 0x82 VersionType,
        euicc_ci_pk_id_list_for_verification "euiccCiPKIdListForVerification": required 0xA9 Vec<KeyId>,
        euicc_ci_pk_id_list_for_signing "euiccCiPKIdListForSigning": required 0xAA Vec<KeyId>,
    }
    /// ES10b.GetEUICCInfo2.
    #[derive(Default)]
    GetEuiccInfo2Request = 0xBF22 {}
    /// Answer to [`GetEuiccInfo2Request`].
    EuiccInfo2 "EUICCInfo2" = 0xBF22 {
        profile_version "profileVersion": required 0x81 VersionType,
        svn "svn": required 0x82 VersionType,
        euicc_firmware_ver "euiccFirmwareVer": required 0x83 VersionType,
        /// ETSI TS 102 226 extended card resources: `81` applications, `82` free non-volatile, `83` free volatile memory.
        ext_card_resource "extCardResource": required 0x84 Octets,
        uicc_capability "uiccCapability": required 0x85 UiccCapability,
        ts102241_version "ts102241Version": optional 0x86 VersionType,
        globalplatform_version "globalplatformVersion": optional 0x87 VersionType,
        rsp_capability "rspCapability": required 0x88 RspCapability,
        euicc_ci_pk_id_list_for_verification "euiccCiPKIdListForVerification": required 0xA9 Vec<KeyId>,
        euicc_ci_pk_id_list_for_signing "euiccCiPKIdListForSigning": required 0xAA Vec<KeyId>,
        euicc_category "euiccCategory": optional 0x8B EuiccCategory,
        forbidden_profile_policy_rules "forbiddenProfilePolicyRules": optional 0x99 PprIds,
        pp_version "ppVersion": required 0x04 VersionType,
        sas_acreditation_number "sasAcreditationNumber": required 0x0C String,
        certification_data_object "certificationDataObject": optional 0xAC CertificationDataObject,
        tre_properties "treProperties": optional 0x8D TreProperties,
        tre_product_reference "treProductReference": optional 0x8E String,
        additional_euicc_profile_package_versions "additionalEuiccProfilePackageVersions": optional 0xAF Vec<VersionType>,
        ipa_mode "ipaMode": optional 0x90 IpaMode,
        euicc_ci_pk_id_list_for_signing_v3 "euiccCiPKIdListForSigningV3": optional 0xB1 Vec<KeyId>,
        additional_euicc_info "additionalEuiccInfo": optional 0x92 Octets,
        highest_svn "highestSvn": optional 0x93 VersionType,
        iot_specific_info "iotSpecificInfo": optional 0xB4 IoTSpecificInfo,
    }
    /// Where the eUICC's certification is to be found.
    CertificationDataObject = 0x30 {
        platform_label "platformLabel": required 0x80 String,
        discovery_base_url "discoveryBaseURL": required 0x81 String,
    }
    /// What SGP.32 adds to EUICCInfo2.
    IoTSpecificInfo = 0x30 {
        iot_version "iotVersion": required 0xA0 Vec<VersionType>,
        ecall_supported "ecallSupported": flag 0x81 Null,
        fallback_supported "fallbackSupported": flag 0x82 Null,
    }
}
