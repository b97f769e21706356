//! ESipa messages that carry packages and results between eIM and IPA (SGP.32 5.14, 6.3.2).

use super::euicc_package::{EuiccPackageRequest, NoParameters};
use super::euicc_result::EuiccPackageResult;
use super::ipa_data::{
    IpaEuiccDataRequest, IpaEuiccDataResponse, ProfileDownloadTriggerRequest,
    ProfileDownloadTriggerResult,
};
use super::notification::{PendingNotification, PendingNotificationList, SequenceNumber};
use super::{Eid, MccMnc, TransactionId};
use der::asn1::Null;

codes! {
    /// Why the IPA says that the eUICC's state changed.
    StateChangeCause {
        OtherEim = 0 "otherEim",
        Fallback = 1 "fallback",
        EmergencyProfile = 2 "emergencyProfile",
        Local = 3 "local",
        Reset = 4 "reset",
        ImmediateEnableProfile = 5 "immediateEnableProfile",
        DeviceChange = 6 "deviceChange",
        Undefined = 127 "undefined",
    }
    /// The eIM gives no package.
    EimPackageError {
        NoEimPackageAvailable = 1 "noEimPackageAvailable",
        EidNotFound = 2 "eidNotFound",
        InvalidEid = 3 "invalidEid",
        MissingEid = 4 "missingEid",
        UndefinedError = 127 "undefinedError",
    }
    /// The IPA can't do anything with the eIM's package.
    EimPackageResultErrorCode {
        InvalidPackageFormat = 1 "invalidPackageFormat",
        UnknownPackage = 2 "unknownPackage",
        UndefinedError = 127 "undefinedError",
    }
    /// The eIM can't do anything with the IPA's result.
    ProvideEimPackageResultError {
        EidNotFound = 2 "eidNotFound",
        InvalidEid = 3 "invalidEid",
        MissingEid = 4 "missingEid",
        UndefinedError = 127 "undefinedError",
    }
    /// The IPA refuses a package that was pushed to it.
    TransferEimPackageError {
        InvalidPackageFormat = 1 "invalidPackageFormat",
        UnknownPackage = 2 "unknownPackage",
        UndefinedError = 127 "undefinedError",
    }
}

sequence! {
    /// ESipa.GetEimPackage (5.14.5).
    GetEimPackageRequest = 0xBF4F {
        eid_value "eidValue": required 0x5A Eid,
        /// Goes together with the cause, until the eIM has answered once.
        notify_state_change "notifyStateChange": flag 0x80 Null,
        state_change_cause "stateChangeCause": optional 0x81 StateChangeCause,
        r_plmn "rPLMN": optional 0x82 MccMnc,
    }
    /// ESipa.ProvideEimPackageResult (5.14.6).
    ProvideEimPackageResult = 0xBF50 {
        /// Some IPAs leave it out where the eIM knows the eUICC otherwise.
        eid_value "eidValue": optional 0x5A Eid,
        eim_package_result "eimPackageResult": required _ EimPackageResult,
    }
    /// A result together with the notifications that it caused.
    EprAndNotifications = 0x30 {
        euicc_package_result "euiccPackageResult": required 0xBF51 EuiccPackageResult,
        notification_list "notificationList": required 0xA0 PendingNotificationList,
    }
    /// The IPA couldn't do anything with a package.
    EimPackageResultResponseError = 0x30 {
        eim_transaction_id "eimTransactionId": optional 0x80 TransactionId,
        eim_package_result_error_code "eimPackageResultErrorCode": required 0x02 EimPackageResultErrorCode,
    }
}

choice! {
    /// Answer to [`GetEimPackageRequest`].
    GetEimPackageResponse = 0xBF4F {
        0xBF51 EuiccPackageRequest(EuiccPackageRequest) "euiccPackageRequest",
        0xBF52 IpaEuiccDataRequest(IpaEuiccDataRequest) "ipaEuiccDataRequest",
        0xBF54 ProfileDownloadTriggerRequest(ProfileDownloadTriggerRequest) "profileDownloadTriggerRequest",
        0x02 EimPackageError(EimPackageError) "eimPackageError",
    }
    /// What became of a package.
    EimPackageResult = _ {
        0xBF51 EuiccPackageResult(EuiccPackageResult) "euiccPackageResult",
        0x30 EprAndNotifications(EprAndNotifications) "ePRAndNotifications",
        0xBF52 IpaEuiccDataResponse(IpaEuiccDataResponse) "ipaEuiccDataResponse",
        0xBF54 ProfileDownloadTriggerResult(ProfileDownloadTriggerResult) "profileDownloadTriggerResult",
        0xA0 EimPackageResultResponseError(EimPackageResultResponseError) "eimPackageResultResponseError",
    }
    /// Answer to [`ProvideEimPackageResult`].
    ProvideEimPackageResultResponse = 0xBF50 {
        0xBF53 EimAcknowledgements(EimAcknowledgements) "eimAcknowledgements",
        0x30 EmptyResponse(NoParameters) "emptyResponse",
        0x02 ProvideEimPackageResultError(ProvideEimPackageResultError) "provideEimPackageResultError",
    }
    /// ESipa.HandleNotification (5.14.7).
    HandleNotificationEsipa = 0xBF3D {
        0xA0 PendingNotification(PendingNotification) "pendingNotification",
        0xBF50 ProvideEimPackageResult(ProvideEimPackageResult) "provideEimPackageResult",
    }
    /// ESipa.TransferEimPackage, from the eIM to an IPA that is injected to (5.14.8).
    TransferEimPackageRequest = 0xBF4E {
        0xBF51 EuiccPackageRequest(EuiccPackageRequest) "euiccPackageRequest",
        0xBF52 IpaEuiccDataRequest(IpaEuiccDataRequest) "ipaEuiccDataRequest",
        0xBF53 EimAcknowledgements(EimAcknowledgements) "eimAcknowledgements",
        0xBF54 ProfileDownloadTriggerRequest(ProfileDownloadTriggerRequest) "profileDownloadTriggerRequest",
    }
    /// Answer to [`TransferEimPackageRequest`].
    TransferEimPackageResponse = 0xBF4E {
        0xBF51 EuiccPackageResult(EuiccPackageResult) "euiccPackageResult",
        0x30 EprAndNotifications(EprAndNotifications) "ePRAndNotifications",
        0xBF52 IpaEuiccDataResponse(IpaEuiccDataResponse) "ipaEuiccDataResponse",
        0x05 EimPackageReceived(Null) "eimPackageReceived",
        0x02 EimPackageError(TransferEimPackageError) "eimPackageError",
    }
}

/// Sequence numbers of the results and notifications that the eIM has (`BF53`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EimAcknowledgements(pub Vec<SequenceNumber>);

impl EimAcknowledgements {
    /// Of these numbers.
    pub fn of(numbers: impl IntoIterator<Item = u64>) -> Self {
        Self(numbers.into_iter().map(SequenceNumber).collect())
    }
}

impl der::FixedTag for EimAcknowledgements {
    const TAG: der::Tag = super::asn1::tag(0xBF53);
}

impl<'a> der::DecodeValue<'a> for EimAcknowledgements {
    type Error = der::Error;

    fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
        <Vec<SequenceNumber> as der::DecodeValue>::decode_value(reader, header).map(Self)
    }
}

impl der::EncodeValue for EimAcknowledgements {
    fn value_len(&self) -> der::Result<der::Length> {
        self.0.value_len()
    }

    fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        self.0.encode_value(writer)
    }
}

impl super::asn1::Described for EimAcknowledgements {
    const SCHEMA: &'static super::asn1::Schema = &super::asn1::Schema {
        name: "EimAcknowledgements",
        tag: 0xBF53,
        shape: super::asn1::Shape::List(<SequenceNumber as super::asn1::Described>::SCHEMA),
    };
}

impl GetEimPackageRequest {
    /// An ordinary poll.
    pub fn new(eid_value: Eid) -> Self {
        Self {
            eid_value,
            notify_state_change: false,
            state_change_cause: None,
            r_plmn: None,
        }
    }
}

impl GetEimPackageResponse {
    /// Nothing to do (`BF4F 03 02 01 01`).
    pub const fn no_package() -> Self {
        Self::EimPackageError(EimPackageError::NoEimPackageAvailable)
    }
}
