//! Notifications: metadata, the signed ones, lists and their removal (SGP.22 5.7.9 to 5.7.11,
//! SGP.32 5.9.10 to 5.9.12).

use super::asn1::{Described, Schema, Shape};
use super::euicc_result::EuiccPackageResult;
use super::profile::NotificationEvent;
use super::{Aid, CertificateDer, Eid, Iccid, Octets, Oid, Signed, TransactionId};
use der::asn1::Null;

codes! {
    /// Why no notifications or results are listed.
    NotificationsListResultError { UndefinedError = 127 "undefinedError" }
    /// Whether a notification or result was removed.
    DeleteNotificationStatus {
        Ok = 0 "ok",
        NothingToDelete = 1 "nothingToDelete",
        UndefinedError = 127 "undefinedError",
    }
    /// The part of a profile's installation.
    BppCommandId {
        InitialiseSecureChannel = 0 "initialiseSecureChannel",
        ConfigureIsdp = 1 "configureISDP",
        StoreMetadata = 2 "storeMetadata",
        StoreMetadata2 = 3 "storeMetadata2",
        ReplaceSessionKeys = 4 "replaceSessionKeys",
        LoadProfileElements = 5 "loadProfileElements",
    }
    /// Why a profile wasn't installed.
    ErrorReason {
        IncorrectInputValues = 1 "incorrectInputValues",
        InvalidSignature = 2 "invalidSignature",
        InvalidTransactionId = 3 "invalidTransactionId",
        UnsupportedCrtValues = 4 "unsupportedCrtValues",
        UnsupportedRemoteOperationType = 5 "unsupportedRemoteOperationType",
        UnsupportedProfileClass = 6 "unsupportedProfileClass",
        Scp03tStructureError = 7 "scp03tStructureError",
        Scp03tSecurityError = 8 "scp03tSecurityError",
        IccidAlreadyExists = 9 "installFailedDueToIccidAlreadyExistsOnEuicc",
        InsufficientMemory = 10 "installFailedDueToInsufficientMemoryForProfile",
        Interruption = 11 "installFailedDueToInterruption",
        PeProcessingError = 12 "installFailedDueToPEProcessingError",
        DataMismatch = 13 "installFailedDueToDataMismatch",
        InvalidNaaKey = 14 "testProfileInstallFailedDueToInvalidNaaKey",
        PprNotAllowed = 15 "pprNotAllowed",
        UnknownError = 127 "installFailedDueToUnknownError",
    }
}

sequence! {
    /// What happened to which profile, and whom to tell.
    NotificationMetadata = 0xBF2F {
        seq_number "seqNumber": required 0x80 u64,
        profile_management_operation "profileManagementOperation": required 0x81 NotificationEvent,
        notification_address "notificationAddress": required 0x0C String,
        iccid "iccid": optional 0x5A Iccid,
    }
    /// A notification of enabling, disabling or deleting.
    OtherSignedNotification = 0x30 {
        tbs_other_notification "tbsOtherNotification": required 0xBF2F Signed<NotificationMetadata>,
        /// Over `tbsOtherNotification` with its tag BF2F.
        euicc_notification_signature "euiccNotificationSignature": required 0x5F37 Octets,
        euicc_certificate "euiccCertificate": required 0x30 CertificateDer,
        eum_certificate "eumCertificate": required 0x30 CertificateDer,
    }
    /// [`OtherSignedNotification`] without the certificates, which the eIM already has.
    CompactOtherSignedNotification = 0x30 {
        eid_value "eidValue": optional 0x5A Eid,
        tbs_other_notification "tbsOtherNotification": required 0xBF2F Signed<NotificationMetadata>,
        euicc_notification_signature "euiccNotificationSignature": required 0x5F37 Octets,
    }
    /// The signed result of a profile's installation.
    ProfileInstallationResult = 0xBF37 {
        profile_installation_result_data "profileInstallationResultData": required 0xBF27 Signed<ProfileInstallationResultData>,
        euicc_sign_pir "euiccSignPIR": required 0x5F37 Octets,
    }
    /// The part of a [`ProfileInstallationResult`] that is signed.
    ProfileInstallationResultData = 0xBF27 {
        transaction_id "transactionId": required 0x80 TransactionId,
        notification_metadata "notificationMetadata": required 0xBF2F NotificationMetadata,
        smdp_oid "smdpOid": required 0x06 Oid,
        final_result "finalResult": required 0xA2 FinalResult,
    }
    /// The profile was installed.
    SuccessResult = 0x30 {
        aid "aid": required 0x4F Aid,
        sima_response "simaResponse": required 0x04 Octets,
    }
    /// The profile wasn't installed.
    ErrorResult = 0x30 {
        bpp_command_id "bppCommandId": required 0x80 BppCommandId,
        error_reason "errorReason": required 0x81 ErrorReason,
        sima_response "simaResponse": optional 0x82 Octets,
    }
    /// [`ProfileInstallationResult`], shorter.
    CompactProfileInstallationResult = 0x30 {
        compact_profile_installation_result_data "compactProfileInstallationResultData": required 0xA0 CompactProfileInstallationResultData,
        euicc_sign_pir "euiccSignPIR": required 0x5F37 Octets,
    }
    /// What [`CompactProfileInstallationResult`] says. The signature isn't over these bytes but over
    /// the full form that the eIM builds again.
    CompactProfileInstallationResultData = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        seq_number "seqNumber": required 0x02 u64,
        /// DEFAULT TRUE: `None` stands for true.
        iccid_present "iccidPresent": optional 0x01 bool,
        compact_final_result "compactFinalResult": required 0xA2 CompactFinalResult,
    }
    /// [`SuccessResult`], shorter.
    CompactSuccessResult = 0x30 {
        compact_aid "compactAid": required 0x4F Octets,
        sima_response "simaResponse": optional 0x04 Octets,
    }
    /// ES10b.RetrieveNotificationsList.
    #[derive(Default)]
    RetrieveNotificationsListRequest = 0xBF2B {
        search_criteria "searchCriteria": optional 0xA0 RetrieveSearchCriteria,
    }
    /// ES10b.RemoveNotificationFromList.
    NotificationSentRequest = 0xBF30 {
        seq_number "seqNumber": required 0x80 u64,
    }
    /// Answer to [`NotificationSentRequest`].
    NotificationSentResponse = 0xBF30 {
        delete_notification_status "deleteNotificationStatus": required 0x80 DeleteNotificationStatus,
    }
    /// ES10b.ListNotification.
    #[derive(Default)]
    ListNotificationRequest = 0xBF28 {
        profile_management_operation "profileManagementOperation": optional 0x81 NotificationEvent,
    }
}

/// Notifications waiting for delivery.
pub type PendingNotificationList = Vec<PendingNotification>;
/// eUICC package results waiting for delivery.
pub type EuiccPackageResultList = Vec<EuiccPackageResult>;

choice! {
    /// A notification as it is delivered.
    PendingNotification = _ {
        0xBF37 ProfileInstallationResult(ProfileInstallationResult) "profileInstallationResult",
        0x30 OtherSignedNotification(OtherSignedNotification) "otherSignedNotification",
        0xA0 CompactProfileInstallationResult(CompactProfileInstallationResult) "compactProfileInstallationResult",
        0xA1 CompactOtherSignedNotification(CompactOtherSignedNotification) "compactOtherSignedNotification",
    }
    /// How an installation ended.
    FinalResult = _ {
        0xA0 SuccessResult(SuccessResult) "successResult",
        0xA1 ErrorResult(ErrorResult) "errorResult",
    }
    /// How an installation ended, shorter.
    CompactFinalResult = _ {
        0xA0 CompactSuccessResult(CompactSuccessResult) "compactSuccessResult",
        0xA1 ErrorResult(ErrorResult) "errorResult",
    }
    /// Which notifications or results to retrieve.
    RetrieveSearchCriteria = _ {
        0x80 SeqNumber(u64) "seqNumber",
        0x81 ProfileManagementOperation(NotificationEvent) "profileManagementOperation",
        0x82 EuiccPackageResults(Null) "euiccPackageResults",
    }
    /// Answer to [`RetrieveNotificationsListRequest`].
    RetrieveNotificationsListResponse = 0xBF2B {
        0xA0 NotificationList(PendingNotificationList) "notificationList",
        0x81 NotificationsListResultError(NotificationsListResultError) "notificationsListResultError",
        0xA2 EuiccPackageResultList(EuiccPackageResultList) "euiccPackageResultList",
    }
    /// Answer to [`ListNotificationRequest`].
    ListNotificationResponse = 0xBF28 {
        0xA0 NotificationMetadataList(Vec<NotificationMetadata>) "notificationMetadataList",
        0x81 ListNotificationsResultError(NotificationsListResultError) "listNotificationsResultError",
    }
}

impl PendingNotification {
    /// The number by which it is acknowledged and removed.
    pub fn seq_number(&self) -> u64 {
        match self {
            Self::ProfileInstallationResult(result) => {
                result
                    .profile_installation_result_data
                    .notification_metadata
                    .seq_number
            }
            Self::OtherSignedNotification(notification) => {
                notification.tbs_other_notification.seq_number
            }
            Self::CompactProfileInstallationResult(result) => {
                result.compact_profile_installation_result_data.seq_number
            }
            Self::CompactOtherSignedNotification(notification) => {
                notification.tbs_other_notification.seq_number
            }
        }
    }
}

impl RetrieveNotificationsListRequest {
    /// All eUICC package results (`BF2B 04 A0 02 82 00`).
    pub fn euicc_package_results() -> Self {
        Self {
            search_criteria: Some(RetrieveSearchCriteria::EuiccPackageResults(Null)),
        }
    }

    /// The notification or result with this number.
    pub fn seq_number(number: u64) -> Self {
        Self {
            search_criteria: Some(RetrieveSearchCriteria::SeqNumber(number)),
        }
    }
}

/// A sequence number with its own tag (`80`), as it stands in lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SequenceNumber(pub u64);

impl der::FixedTag for SequenceNumber {
    const TAG: der::Tag = super::asn1::tag(0x80);
}

impl<'a> der::DecodeValue<'a> for SequenceNumber {
    type Error = der::Error;

    fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
        <u64 as der::DecodeValue>::decode_value(reader, header).map(Self)
    }
}

impl der::EncodeValue for SequenceNumber {
    fn value_len(&self) -> der::Result<der::Length> {
        self.0.value_len()
    }

    fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        self.0.encode_value(writer)
    }
}

impl Described for SequenceNumber {
    const SCHEMA: &'static Schema = &Schema {
        name: "SequenceNumber",
        tag: 0x80,
        shape: Shape::Integer,
    };
}
