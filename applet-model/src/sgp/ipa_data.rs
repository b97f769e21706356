//! IpaEuiccDataRequest and profile download triggers: what the eIM asks the IPA itself for
//! (SGP.32 2.11.1.2, 2.11.1.3, 2.11.2.2, 2.11.2.3).

use super::euicc_info::{EuiccInfo1, EuiccInfo2};
use super::notification::{
    EuiccPackageResultList, PendingNotificationList, ProfileInstallationResult,
};
use super::profile::NotificationEvent;
use super::{CertificateDer, KeyId, Octets, TagList, TransactionId, VersionType};
use der::asn1::Null;

codes! {
    /// Why the data isn't given.
    IpaEuiccDataErrorCode {
        IncorrectTagList = 1 "incorrectTagList",
        EuiccCiPkIdNotFound = 5 "euiccCiPKIdNotFound",
        EcallActive = 104 "ecallActive",
        UndefinedError = 127 "undefinedError",
    }
    /// Why nothing was downloaded.
    ProfileDownloadErrorReason {
        EcallActive = 104 "ecallActive",
        UndefinedError = 127 "undefinedError",
    }
    /// The form of an eUICC; the specification names no values.
    EuiccFormFactorType {}
}

named_bits! {
    /// What the IPA can do.
    IpaFeatures {
        DIRECT_RSP_SERVER_COMMUNICATION = 0 "directRspServerCommunication",
        INDIRECT_RSP_SERVER_COMMUNICATION = 1 "indirectRspServerCommunication",
        EIM_DOWNLOAD_DATA_HANDLING = 2 "eimDownloadDataHandling",
        EIM_CTX_PARAMS1_GENERATION = 3 "eimCtxParams1Generation",
        EIM_PROFILE_METADATA_VERIFICATION = 4 "eimProfileMetadataVerification",
        MINIMIZE_ESIPA_BYTES = 5 "minimizeEsipaBytes",
    }
    /// How the IPA reaches the eIM.
    IpaSupportedProtocols {
        IPA_RETRIEVE_HTTPS = 0 "ipaRetrieveHttps",
        IPA_RETRIEVE_COAPS = 1 "ipaRetrieveCoaps",
        IPA_INJECT_HTTPS = 2 "ipaInjectHttps",
        IPA_INJECT_COAPS = 3 "ipaInjectCoaps",
        IPA_PROPRIETARY = 4 "ipaProprietary",
    }
    /// Classes of the card application toolkit (ETSI TS 102 223); the bits aren't named.
    CatSupportedClasses {}
}

sequence! {
    /// Asks the IPA for data of the eUICC and of its own.
    IpaEuiccDataRequest = 0xBF52 {
        /// From v1.1: `A0 81 A2 BF20 BF22 83 84 A5 A6 A8 A9`; v1.0 had `80 88 BF2B`.
        tag_list "tagList": required 0x5C TagList,
        euicc_ci_pk_identifier_to_be_used "euiccCiPKIdentifierToBeUsed": optional 0x04 KeyId,
        search_criteria_notification "searchCriteriaNotification": optional 0xA1 NotificationSearchCriteria,
        search_criteria_euicc_package_result "searchCriteriaEuiccPackageResult": optional 0xA2 ResultSearchCriteria,
        eim_transaction_id "eimTransactionId": optional 0x83 TransactionId,
    }
    /// The data asked for.
    #[derive(Default)]
    IpaEuiccData = 0x30 {
        notifications_list "notificationsList": optional 0xA0 PendingNotificationList,
        default_smdp_address "defaultSmdpAddress": optional 0x81 String,
        euicc_package_result_list "euiccPackageResultList": optional 0xA2 EuiccPackageResultList,
        euicc_info1 "euiccInfo1": optional 0xBF20 EuiccInfo1,
        euicc_info2 "euiccInfo2": optional 0xBF22 EuiccInfo2,
        root_smds_address "rootSmdsAddress": optional 0x83 String,
        association_token "associationToken": optional 0x84 i64,
        eum_certificate "eumCertificate": optional 0xA5 CertificateDer,
        euicc_certificate "euiccCertificate": optional 0xA6 CertificateDer,
        eim_transaction_id "eimTransactionId": optional 0x87 TransactionId,
        ipa_capabilities "ipaCapabilities": optional 0xA8 IpaCapabilities,
        device_info "deviceInfo": optional 0xA9 DeviceInfo,
    }
    /// The data isn't given.
    IpaEuiccDataResponseError = 0x30 {
        eim_transaction_id "eimTransactionId": optional 0x80 TransactionId,
        ipa_euicc_data_error_code "ipaEuiccDataErrorCode": required 0x02 IpaEuiccDataErrorCode,
    }
    /// What the IPA can do.
    IpaCapabilities = 0x30 {
        ipa_features "ipaFeatures": required 0x80 IpaFeatures,
        ipa_supported_protocols "ipaSupportedProtocols": optional 0x81 IpaSupportedProtocols,
    }
    /// The device.
    DeviceInfo = 0x30 {
        tac "tac": required 0x80 Octets,
        device_capabilities "deviceCapabilities": required 0xA1 DeviceCapabilities,
        imei "imei": optional 0x82 Octets,
    }
    /// Releases that the device supports.
    #[derive(Default)]
    DeviceCapabilities = 0x30 {
        gsm_supported_release "gsmSupportedRelease": optional 0x80 VersionType,
        utran_supported_release "utranSupportedRelease": optional 0x81 VersionType,
        cdma2000onex_supported_release "cdma2000onexSupportedRelease": optional 0x82 VersionType,
        cdma2000hrpd_supported_release "cdma2000hrpdSupportedRelease": optional 0x83 VersionType,
        cdma2000ehrpd_supported_release "cdma2000ehrpdSupportedRelease": optional 0x84 VersionType,
        eutran_epc_supported_release "eutranEpcSupportedRelease": optional 0x85 VersionType,
        contactless_supported_release "contactlessSupportedRelease": optional 0x86 VersionType,
        rsp_crl_supported_version "rspCrlSupportedVersion": optional 0x87 VersionType,
        nr_epc_supported_release "nrEpcSupportedRelease": optional 0x88 VersionType,
        nr5gc_supported_release "nr5gcSupportedRelease": optional 0x89 VersionType,
        eutran5gc_supported_release "eutran5gcSupportedRelease": optional 0x8A VersionType,
        lpa_svn "lpaSvn": optional 0x8B VersionType,
        cat_supported_classes "catSupportedClasses": optional 0x8C CatSupportedClasses,
        euicc_form_factor_type "euiccFormFactorType": optional 0x8D EuiccFormFactorType,
        device_additional_feature_support "deviceAdditionalFeatureSupport": optional 0xAE DeviceAdditionalFeatureSupport,
    }
    /// Further features of the device.
    #[derive(Default)]
    DeviceAdditionalFeatureSupport = 0x30 {
        nai_support "naiSupport": optional 0x80 VersionType,
    }
    /// Asks the IPA to download a profile.
    #[derive(Default)]
    ProfileDownloadTriggerRequest = 0xBF54 {
        /// Missing only if the IPA has eimDownloadDataHandling.
        profile_download_data "profileDownloadData": optional 0xA0 ProfileDownloadData,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
    }
    /// Answer to [`ProfileDownloadTriggerRequest`], when it is done.
    ProfileDownloadTriggerResult = 0xBF54 {
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
        profile_download_trigger_result_data "profileDownloadTriggerResultData": required _ ProfileDownloadTriggerResultData,
    }
    /// Nothing was downloaded.
    ProfileDownloadError = 0x30 {
        profile_download_error_reason "profileDownloadErrorReason": required 0x80 ProfileDownloadErrorReason,
        error_response "errorResponse": optional 0x04 Octets,
    }
    /// The SM-DS to ask.
    #[derive(Default)]
    ContactSmds = 0x30 {
        smds_address "smdsAddress": optional 0x80 String,
    }
}

choice! {
    /// Which notifications the eIM wants.
    NotificationSearchCriteria = _ {
        0x80 SeqNumber(u64) "seqNumber",
        0x81 ProfileManagementOperation(NotificationEvent) "profileManagementOperation",
    }
    /// Which results the eIM wants.
    ResultSearchCriteria = _ {
        0x80 SeqNumber(u64) "seqNumber",
    }
    /// Answer to [`IpaEuiccDataRequest`].
    IpaEuiccDataResponse = 0xBF52 {
        0xA0 IpaEuiccData(IpaEuiccData) "ipaEuiccData",
        0xA1 IpaEuiccDataResponseError(IpaEuiccDataResponseError) "ipaEuiccDataResponseError",
    }
    /// Where a profile is to be had.
    ProfileDownloadData = _ {
        0x80 ActivationCode(String) "activationCode",
        0x81 ContactDefaultSmdp(Null) "contactDefaultSmdp",
        0xA2 ContactSmds(ContactSmds) "contactSmds",
    }
    /// How the download ended.
    ProfileDownloadTriggerResultData = _ {
        0xBF37 ProfileInstallationResult(ProfileInstallationResult) "profileInstallationResult",
        0x30 ProfileDownloadError(ProfileDownloadError) "profileDownloadError",
    }
}
