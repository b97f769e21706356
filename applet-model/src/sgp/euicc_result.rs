//! eUICC package results: what the eUICC signs and the eIM reads (SGP.32 2.11.2.1).

use super::eim_config::EimIdInfo;
use super::es10::SetDefaultDpAddressResponse;
use super::profile::{ProfileInfoListResponse, RulesAuthorisationTable};
use super::{Octets, Signed, TransactionId};

codes! {
    /// PSMO enable (3.4.1).
    EnableProfileResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        CatBusy = 5 "catBusy",
        RollbackNotAvailable = 20 "rollbackNotAvailable",
        UndefinedError = 127 "undefinedError",
    }
    /// PSMO disable (3.4.2).
    DisableProfileResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInEnabledState = 2 "profileNotInEnabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        CatBusy = 5 "catBusy",
        UndefinedError = 127 "undefinedError",
    }
    /// PSMO delete (3.4.3).
    DeleteProfileResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        RollbackNotAvailable = 20 "rollbackNotAvailable",
        ReturnFallbackProfile = 21 "returnFallbackProfile",
        UndefinedError = 127 "undefinedError",
    }
    /// PSMO configureImmediateEnable (3.4.4).
    ConfigureImmediateEnableResult {
        Ok = 0 "ok",
        InsufficientMemory = 1 "insufficientMemory",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// PSMO setFallbackAttribute (3.4.6).
    SetFallbackAttributeResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        FallbackNotAllowed = 2 "fallbackNotAllowed",
        FallbackProfileEnabled = 3 "fallbackProfileEnabled",
        UndefinedError = 127 "undefinedError",
    }
    /// PSMO unsetFallbackAttribute (3.4.7).
    UnsetFallbackAttributeResult {
        Ok = 0 "ok",
        NoFallbackAttribute = 2 "noFallbackAttribute",
        FallbackProfileEnabled = 3 "fallbackProfileEnabled",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// eCO addEim (3.5.1).
    AddEimResultCode {
        Ok = 0 "ok",
        InsufficientMemory = 1 "insufficientMemory",
        AssociatedEimAlreadyExists = 2 "associatedEimAlreadyExists",
        CiPkUnknown = 3 "ciPKUnknown",
        InvalidAssociationToken = 5 "invalidAssociationToken",
        CounterValueOutOfRange = 6 "counterValueOutOfRange",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// eCO deleteEim; `lastEimDeleted` is a success.
    DeleteEimResult {
        Ok = 0 "ok",
        EimNotFound = 1 "eimNotFound",
        LastEimDeleted = 2 "lastEimDeleted",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// eCO updateEim.
    UpdateEimResult {
        Ok = 0 "ok",
        EimNotFound = 1 "eimNotFound",
        CiPkUnknown = 3 "ciPKUnknown",
        CounterValueOutOfRange = 6 "counterValueOutOfRange",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// eCO listEim failed.
    ListEimError { UndefinedError = 127 "undefinedError" }
    /// The profile was rolled back (3.3.2).
    RollbackProfileResult { Ok = 0 "ok", UndefinedError = 127 "undefinedError" }
    /// Operations weren't executed.
    ProcessingTerminated {
        ResultSizeOverflow = 1 "resultSizeOverflow",
        UnknownOrDamagedCommand = 2 "unknownOrDamagedCommand",
        Interruption = 3 "interruption",
        UndefinedError = 127 "undefinedError",
    }
    /// The package was refused, in an answer that is signed.
    EuiccPackageErrorCode {
        InvalidEid = 3 "invalidEid",
        ReplayError = 4 "replayError",
        CounterValueOutOfRange = 6 "counterValueOutOfRange",
        SizeOverflow = 15 "sizeOverflow",
        EcallActive = 104 "ecallActive",
        UndefinedError = 127 "undefinedError",
    }
}

sequence! {
    /// A package was executed.
    EuiccPackageResultSigned = 0x30 {
        /// With the bytes that were signed.
        euicc_package_result_data_signed "euiccPackageResultDataSigned": required 0x30 Signed<EuiccPackageResultDataSigned>,
        /// ECDSA over the signed part and the association token: see
        /// [`signature_input`](super::euicc_package::signature_input).
        euicc_sign_epr "euiccSignEPR": required 0x5F37 Octets,
    }
    /// The signed part of an [`EuiccPackageResultSigned`].
    EuiccPackageResultDataSigned = 0x30 {
        eim_id "eimId": required 0x80 String,
        counter_value "counterValue": required 0x81 u64,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
        /// By this it is acknowledged and removed.
        seq_number "seqNumber": required 0x83 u64,
        /// One for each operation up to and including the one that failed.
        euicc_result "euiccResult": required 0x30 Vec<EuiccResultData>,
    }
    /// A package was refused after its signature was verified.
    EuiccPackageErrorSigned = 0x30 {
        euicc_package_error_data_signed "euiccPackageErrorDataSigned": required 0x30 Signed<EuiccPackageErrorDataSigned>,
        /// As [`EuiccPackageResultSigned::euicc_sign_epr`].
        euicc_sign_epe "euiccSignEPE": required 0x5F37 Octets,
    }
    /// The signed part of an [`EuiccPackageErrorSigned`].
    EuiccPackageErrorDataSigned = 0x30 {
        eim_id "eimId": required 0x80 String,
        counter_value "counterValue": required 0x81 u64,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
        euicc_package_error_code "euiccPackageErrorCode": required 0x02 EuiccPackageErrorCode,
    }
    /// A package was refused: unknown eIM, wrong signature or not decodable.
    EuiccPackageErrorUnsigned = 0x30 {
        eim_id "eimId": required 0x80 String,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
        association_token "associationToken": optional 0x84 i64,
    }
}

choice! {
    /// Answer to ES10b.LoadEuiccPackage; also how it travels over ESipa. On the wire the tag is
    /// EXPLICIT: `BF51 { A0 {…} }`.
    EuiccPackageResult = 0xBF51 {
        0xA0 EuiccPackageResultSigned(EuiccPackageResultSigned) "euiccPackageResultSigned",
        0xA1 EuiccPackageErrorSigned(EuiccPackageErrorSigned) "euiccPackageErrorSigned",
        0xA2 EuiccPackageErrorUnsigned(EuiccPackageErrorUnsigned) "euiccPackageErrorUnsigned",
    }
    /// The result of one operation.
    EuiccResultData = _ {
        0x83 EnableResult(EnableProfileResult) "enableResult",
        0x84 DisableResult(DisableProfileResult) "disableResult",
        0x85 DeleteResult(DeleteProfileResult) "deleteResult",
        0xBF2D ListProfileInfoResult(ProfileInfoListResponse) "listProfileInfoResult",
        0xA6 GetRatResult(RulesAuthorisationTable) "getRATResult",
        0x87 ConfigureImmediateEnableResult(ConfigureImmediateEnableResult) "configureImmediateEnableResult",
        0xA8 AddEimResult(AddEimResult) "addEimResult",
        0x89 DeleteEimResult(DeleteEimResult) "deleteEimResult",
        0x8A UpdateEimResult(UpdateEimResult) "updateEimResult",
        0xAB ListEimResult(ListEimResult) "listEimResult",
        0x8C RollbackResult(RollbackProfileResult) "rollbackResult",
        0x8D SetFallbackAttributeResult(SetFallbackAttributeResult) "setFallbackAttributeResult",
        0x8E UnsetFallbackAttributeResult(UnsetFallbackAttributeResult) "unsetFallbackAttributeResult",
        0x02 ProcessingTerminated(ProcessingTerminated) "processingTerminated",
        0xBF65 SetDefaultDpAddressResult(SetDefaultDpAddressResponse) "setDefaultDpAddressResult",
        ; or Unknown
    }
    /// The result of eCO addEim: the token given, or how it ended.
    AddEimResult = _ {
        0x84 AssociationToken(i64) "associationToken",
        0x02 AddEimResultCode(AddEimResultCode) "addEimResultCode",
    }
    /// The result of eCO listEim.
    ListEimResult = _ {
        0xA0 EimIdList(Vec<EimIdInfo>) "eimIdList",
        0x81 ListEimError(ListEimError) "listEimError",
    }
}

impl EuiccPackageResult {
    /// The number by which it is acknowledged and removed; errors have none and aren't stored.
    pub fn seq_number(&self) -> Option<u64> {
        match self {
            Self::EuiccPackageResultSigned(result) => {
                Some(result.euicc_package_result_data_signed.seq_number)
            }
            Self::EuiccPackageErrorSigned(_) | Self::EuiccPackageErrorUnsigned(_) => None,
        }
    }

    /// The eIM that it is for.
    pub fn eim_id(&self) -> &str {
        match self {
            Self::EuiccPackageResultSigned(result) => {
                &result.euicc_package_result_data_signed.eim_id
            }
            Self::EuiccPackageErrorSigned(error) => &error.euicc_package_error_data_signed.eim_id,
            Self::EuiccPackageErrorUnsigned(error) => &error.eim_id,
        }
    }

    /// The counter of the package that it answers.
    pub fn counter_value(&self) -> Option<u64> {
        match self {
            Self::EuiccPackageResultSigned(result) => {
                Some(result.euicc_package_result_data_signed.counter_value)
            }
            Self::EuiccPackageErrorSigned(error) => {
                Some(error.euicc_package_error_data_signed.counter_value)
            }
            Self::EuiccPackageErrorUnsigned(_) => None,
        }
    }

    /// The transaction of the package that it answers.
    pub fn eim_transaction_id(&self) -> Option<&TransactionId> {
        match self {
            Self::EuiccPackageResultSigned(result) => result
                .euicc_package_result_data_signed
                .eim_transaction_id
                .as_ref(),
            Self::EuiccPackageErrorSigned(error) => error
                .euicc_package_error_data_signed
                .eim_transaction_id
                .as_ref(),
            Self::EuiccPackageErrorUnsigned(error) => error.eim_transaction_id.as_ref(),
        }
    }

    /// The signed bytes and the signature, if it is signed.
    pub fn signed(&self) -> Option<(&[u8], &[u8])> {
        match self {
            Self::EuiccPackageResultSigned(result) => Some((
                result.euicc_package_result_data_signed.bytes(),
                &result.euicc_sign_epr,
            )),
            Self::EuiccPackageErrorSigned(error) => Some((
                error.euicc_package_error_data_signed.bytes(),
                &error.euicc_sign_epe,
            )),
            Self::EuiccPackageErrorUnsigned(_) => None,
        }
    }

    /// The results of the operations; none if the package was refused.
    pub fn results(&self) -> &[EuiccResultData] {
        match self {
            Self::EuiccPackageResultSigned(result) => {
                &result.euicc_package_result_data_signed.value().euicc_result
            }
            Self::EuiccPackageErrorSigned(_) | Self::EuiccPackageErrorUnsigned(_) => &[],
        }
    }
}

impl EuiccResultData {
    /// True if the operation did what it should; a list is a success, `lastEimDeleted` too.
    pub fn is_ok(&self) -> bool {
        match self {
            Self::EnableResult(result) => *result == EnableProfileResult::Ok,
            Self::DisableResult(result) => *result == DisableProfileResult::Ok,
            Self::DeleteResult(result) => *result == DeleteProfileResult::Ok,
            Self::ListProfileInfoResult(result) => {
                matches!(result, ProfileInfoListResponse::ProfileInfoListOk(_))
            }
            Self::GetRatResult(_) => true,
            Self::ConfigureImmediateEnableResult(result) => {
                *result == ConfigureImmediateEnableResult::Ok
            }
            Self::AddEimResult(result) => {
                !matches!(result, AddEimResult::AddEimResultCode(code) if *code != AddEimResultCode::Ok)
            }
            Self::DeleteEimResult(result) => matches!(
                result,
                DeleteEimResult::Ok | DeleteEimResult::LastEimDeleted
            ),
            Self::UpdateEimResult(result) => *result == UpdateEimResult::Ok,
            Self::ListEimResult(result) => matches!(result, ListEimResult::EimIdList(_)),
            Self::RollbackResult(result) => *result == RollbackProfileResult::Ok,
            Self::SetFallbackAttributeResult(result) => *result == SetFallbackAttributeResult::Ok,
            Self::UnsetFallbackAttributeResult(result) => {
                *result == UnsetFallbackAttributeResult::Ok
            }
            Self::SetDefaultDpAddressResult(result) => result.is_ok(),
            Self::ProcessingTerminated(_) | Self::Unknown(_) => false,
        }
    }

    /// The result in short: `enableResult ok(0)`, `addEimResult associationToken 5`.
    pub fn summary(&self) -> String {
        let value = match self {
            Self::EnableResult(result) => result.to_string(),
            Self::DisableResult(result) => result.to_string(),
            Self::DeleteResult(result) => result.to_string(),
            Self::ListProfileInfoResult(ProfileInfoListResponse::ProfileInfoListOk(list)) => {
                format!("{} profiles", list.len())
            }
            Self::ListProfileInfoResult(ProfileInfoListResponse::ProfileInfoListError(error)) => {
                error.to_string()
            }
            Self::GetRatResult(rules) => format!("{} rules", rules.len()),
            Self::ConfigureImmediateEnableResult(result) => result.to_string(),
            Self::AddEimResult(AddEimResult::AssociationToken(token)) => {
                format!("associationToken {token}")
            }
            Self::AddEimResult(AddEimResult::AddEimResultCode(code)) => code.to_string(),
            Self::DeleteEimResult(result) => result.to_string(),
            Self::UpdateEimResult(result) => result.to_string(),
            Self::ListEimResult(ListEimResult::EimIdList(list)) => format!("{} eIMs", list.len()),
            Self::ListEimResult(ListEimResult::ListEimError(error)) => error.to_string(),
            Self::RollbackResult(result) => result.to_string(),
            Self::SetFallbackAttributeResult(result) => result.to_string(),
            Self::UnsetFallbackAttributeResult(result) => result.to_string(),
            Self::ProcessingTerminated(reason) => reason.to_string(),
            Self::SetDefaultDpAddressResult(result) => {
                result.set_default_dp_address_result.to_string()
            }
            Self::Unknown(any) => der::Encode::to_der(any)
                .map(hex::encode_upper)
                .unwrap_or_default(),
        };
        format!("{} {value}", self.alternative())
    }
}
