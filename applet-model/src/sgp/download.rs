//! Profile download by way of the eIM: mutual authentication, preparation, the bound profile
//! package, cancelling; ESipa's messages and the ES10b ones inside of them (SGP.32 5.14.1 to 5.14.4,
//! SGP.22 5.7.5, 5.7.6, 5.7.13, 5.7.14).

use super::asn1::{Described, Explicit, Schema, Shape};
use super::euicc_info::{EuiccInfo1, EuiccInfo2};
use super::ipa_data::{DeviceInfo, ProfileDownloadTriggerRequest};
use super::profile::{
    IconType, NotificationConfigurationInformation, OperatorId, PprIds, ProfileClass,
    VendorExtension,
};
use super::{
    CertificateDer, Iccid, KeyId, Octet1, Octet16, Octet32, Octets, Oid, Signed, TransactionId,
};

codes! {
    /// The eIM refuses ESipa.InitiateAuthentication.
    InitiateAuthenticationErrorEsipa {
        InvalidDpAddress = 1 "invalidDpAddress",
        EuiccVersionNotSupportedByDp = 2 "euiccVersionNotSupportedByDp",
        CiPkIdNotSupported = 3 "ciPKIdNotSupported",
        SmdpAddressMismatch = 50 "smdpAddressMismatch",
        SmdpOidMismatch = 51 "smdpOidMismatch",
        InvalidEimTransactionId = 52 "invalidEimTransactionId",
        UndefinedError = 127 "undefinedError",
    }
    /// The eUICC refuses the server.
    AuthenticateErrorCode {
        InvalidCertificate = 1 "invalidCertificate",
        InvalidSignature = 2 "invalidSignature",
        UnsupportedCurve = 3 "unsupportedCurve",
        NoSessionContext = 4 "noSessionContext",
        InvalidOid = 5 "invalidOid",
        EuiccChallengeMismatch = 6 "euiccChallengeMismatch",
        CiPkUnknown = 7 "ciPKUnknown",
        UndefinedError = 127 "undefinedError",
    }
    /// The server refuses the eUICC.
    AuthenticateClientErrorEsipa {
        EumCertificateInvalid = 1 "eumCertificateInvalid",
        EumCertificateExpired = 2 "eumCertificateExpired",
        EuiccCertificateInvalid = 3 "euiccCertificateInvalid",
        EuiccCertificateExpired = 4 "euiccCertificateExpired",
        EuiccSignatureInvalid = 5 "euiccSignatureInvalid",
        MatchingIdRefused = 6 "matchingIdRefused",
        EidMismatch = 7 "eidMismatch",
        NoEligibleProfile = 8 "noEligibleProfile",
        CiPkUnknown = 9 "ciPKUnknown",
        InvalidTransactionId = 10 "invalidTransactionId",
        InsufficientMemory = 11 "insufficientMemory",
        PprNotAllowed = 50 "pprNotAllowed",
        EventIdUnknown = 56 "eventIdUnknown",
        UndefinedError = 127 "undefinedError",
    }
    /// The eUICC refuses to prepare the download.
    DownloadErrorCode {
        InvalidCertificate = 1 "invalidCertificate",
        InvalidSignature = 2 "invalidSignature",
        UnsupportedCurve = 3 "unsupportedCurve",
        NoSessionContext = 4 "noSessionContext",
        InvalidTransactionId = 5 "invalidTransactionId",
        UndefinedError = 127 "undefinedError",
    }
    /// There is no bound profile package.
    GetBoundProfilePackageErrorEsipa {
        EuiccSignatureInvalid = 1 "euiccSignatureInvalid",
        ConfirmationCodeMissing = 2 "confirmationCodeMissing",
        ConfirmationCodeRefused = 3 "confirmationCodeRefused",
        ConfirmationCodeRetriesExceeded = 4 "confirmationCodeRetriesExceeded",
        BppRebindingRefused = 5 "bppRebindingRefused",
        DownloadOrderExpired = 6 "downloadOrderExpired",
        MetadataMismatch = 50 "metadataMismatch",
        InvalidTransactionId = 95 "invalidTransactionId",
        UndefinedError = 127 "undefinedError",
    }
    /// Why a session is cancelled.
    CancelSessionReason {
        EndUserRejection = 0 "endUserRejection",
        Postponed = 1 "postponed",
        Timeout = 2 "timeout",
        PprNotAllowed = 3 "pprNotAllowed",
        MetadataMismatch = 4 "metadataMismatch",
        LoadBppExecutionError = 5 "loadBppExecutionError",
        UndefinedReason = 127 "undefinedReason",
    }
    /// The eUICC has no such session.
    CancelSessionResponseError {
        InvalidTransactionId = 5 "invalidTransactionId",
        UndefinedError = 127 "undefinedError",
    }
    /// The eIM refuses ESipa.CancelSession.
    CancelSessionError {
        InvalidTransactionId = 1 "invalidTransactionId",
        EuiccSignatureInvalid = 2 "euiccSignatureInvalid",
        UndefinedError = 127 "undefinedError",
    }
    /// What the secure channel is for.
    RemoteOpId { InstallBoundProfilePackage = 1 "installBoundProfilePackage" }
}

sequence! {
    /// ESipa.InitiateAuthentication.
    InitiateAuthenticationRequestEsipa = 0xBF39 {
        euicc_challenge "euiccChallenge": required 0x81 Octet16,
        smdp_address "smdpAddress": optional 0x83 String,
        euicc_info1 "euiccInfo1": optional 0xBF20 EuiccInfo1,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
    }
    /// The server's part of mutual authentication.
    InitiateAuthenticationOkEsipa = 0x30 {
        transaction_id "transactionId": optional 0x80 TransactionId,
        server_signed1 "serverSigned1": required 0x30 Signed<ServerSigned1>,
        server_signature1 "serverSignature1": required 0x5F37 Octets,
        euicc_ci_pk_identifier_to_be_used "euiccCiPKIdentifierToBeUsed": required 0x04 Octets,
        server_certificate "serverCertificate": required 0x30 CertificateDer,
        matching_id "matchingId": optional 0x0C String,
        ctx_params1 "ctxParams1": optional 0xA2 CtxParams1,
    }
    /// What the server signs first.
    ServerSigned1 = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        euicc_challenge "euiccChallenge": required 0x81 Octet16,
        server_address "serverAddress": required 0x83 String,
        server_challenge "serverChallenge": required 0x84 Octet16,
    }
    /// The usual context of an authentication.
    CtxParamsForCommonAuthentication = 0x30 {
        matching_id "matchingId": optional 0x80 String,
        device_info "deviceInfo": required 0xA1 DeviceInfo,
    }
    /// ES10b.AuthenticateServer.
    AuthenticateServerRequest = 0xBF38 {
        server_signed1 "serverSigned1": required 0x30 Signed<ServerSigned1>,
        server_signature1 "serverSignature1": required 0x5F37 Octets,
        euicc_ci_pk_id_to_be_used "euiccCiPKIdToBeUsed": required 0x04 KeyId,
        server_certificate "serverCertificate": required 0x30 CertificateDer,
        ctx_params1 "ctxParams1": required _ CtxParams1,
    }
    /// The eUICC's part of mutual authentication.
    AuthenticateResponseOk = 0x30 {
        euicc_signed1 "euiccSigned1": required 0x30 Signed<EuiccSigned1>,
        euicc_signature1 "euiccSignature1": required 0x5F37 Octets,
        euicc_certificate "euiccCertificate": required 0x30 CertificateDer,
        eum_certificate "eumCertificate": required 0x30 CertificateDer,
    }
    /// What the eUICC signs first.
    EuiccSigned1 = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        server_address "serverAddress": required 0x83 String,
        server_challenge "serverChallenge": required 0x84 Octet16,
        euicc_info2 "euiccInfo2": required 0xBF22 EuiccInfo2,
        ctx_params1 "ctxParams1": required _ CtxParams1,
    }
    /// The eUICC refuses the server.
    AuthenticateResponseError = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        authenticate_error_code "authenticateErrorCode": required 0x02 AuthenticateErrorCode,
    }
    /// [`AuthenticateResponseOk`] without what the eIM knows.
    CompactAuthenticateResponseOk = 0x30 {
        signed_data "signedData": required _ CompactSignedData,
        euicc_signature1 "euiccSignature1": required 0x5F37 Octets,
        euicc_certificate "euiccCertificate": optional 0xA1 CertificateDer,
        eum_certificate "eumCertificate": optional 0xA2 CertificateDer,
    }
    /// [`EuiccSigned1`] without what the eIM knows.
    CompactEuiccSigned1 = 0x30 {
        ext_card_resource "extCardResource": required 0x84 Octets,
        ctx_params1 "ctxParams1": optional 0xA2 CtxParams1,
    }
    /// ESipa.AuthenticateClient.
    AuthenticateClientRequestEsipa = 0xBF3B {
        transaction_id "transactionId": required 0x80 TransactionId,
        authenticate_server_response "authenticateServerResponse": required 0xBF38 AuthenticateServerResponse,
    }
    /// The SM-DP+ has a profile.
    AuthenticateClientOkDpEsipa "AuthenticateClientOkDPEsipa" = 0x30 {
        transaction_id "transactionId": optional 0x80 TransactionId,
        profile_meta_data "profileMetaData": optional 0xBF25 StoreMetadataRequest,
        smdp_signed2 "smdpSigned2": required 0x30 Signed<SmdpSigned2>,
        smdp_signature2 "smdpSignature2": required 0x5F37 Octets,
        smdp_certificate "smdpCertificate": required 0x30 CertificateDer,
        hash_cc "hashCc": optional 0x04 Octet32,
    }
    /// The SM-DS knows where a profile is.
    AuthenticateClientOkDsEsipa "AuthenticateClientOkDSEsipa" = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        profile_download_trigger "profileDownloadTrigger": optional 0xBF54 ProfileDownloadTriggerRequest,
    }
    /// A profile's metadata.
    StoreMetadataRequest = 0xBF25 {
        iccid "iccid": required 0x5A Iccid,
        service_provider_name "serviceProviderName": required 0x91 String,
        profile_name "profileName": required 0x92 String,
        icon_type "iconType": optional 0x93 IconType,
        icon "icon": optional 0x94 Octets,
        /// DEFAULT operational: `None` stands for it.
        profile_class "profileClass": optional 0x95 ProfileClass,
        notification_configuration_info "notificationConfigurationInfo": optional 0xB6 Vec<NotificationConfigurationInformation>,
        profile_owner "profileOwner": optional 0xB7 OperatorId,
        profile_policy_rules "profilePolicyRules": optional 0x99 PprIds,
        service_specific_data_stored_in_euicc "serviceSpecificDataStoredInEuicc": optional 0xBF22 Vec<VendorExtension>,
        service_specific_data_not_stored_in_euicc "serviceSpecificDataNotStoredInEuicc": optional 0xBF23 Vec<VendorExtension>,
        ecall_indication "ecallIndication": optional 0x9F7B bool,
        fallback_allowed "fallbackAllowed": optional 0x9F67 bool,
    }
    /// What the SM-DP+ signs second.
    SmdpSigned2 = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        cc_required_flag "ccRequiredFlag": required 0x01 bool,
        bpp_euicc_otpk "bppEuiccOtpk": optional 0x5F49 Octets,
    }
    /// ES10b.PrepareDownload.
    PrepareDownloadRequest = 0xBF21 {
        smdp_signed2 "smdpSigned2": required 0x30 Signed<SmdpSigned2>,
        smdp_signature2 "smdpSignature2": required 0x5F37 Octets,
        hash_cc "hashCc": optional 0x04 Octet32,
        smdp_certificate "smdpCertificate": required 0x30 CertificateDer,
    }
    /// The eUICC is ready for the package.
    PrepareDownloadResponseOk = 0x30 {
        euicc_signed2 "euiccSigned2": required 0x30 Signed<EuiccSigned2>,
        euicc_signature2 "euiccSignature2": required 0x5F37 Octets,
    }
    /// What the eUICC signs second.
    EuiccSigned2 "EUICCSigned2" = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        euicc_otpk "euiccOtpk": required 0x5F49 Octets,
        hash_cc "hashCc": optional 0x04 Octet32,
    }
    /// The eUICC refuses.
    PrepareDownloadResponseError = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        download_error_code "downloadErrorCode": required 0x02 DownloadErrorCode,
    }
    /// [`PrepareDownloadResponseOk`] without what the eIM knows.
    CompactPrepareDownloadResponseOk = 0x30 {
        compact_euicc_signed2 "compactEuiccSigned2": required 0x30 CompactEuiccSigned2,
        euicc_signature2 "euiccSignature2": required 0x5F37 Octets,
    }
    /// [`EuiccSigned2`] without what the eIM knows.
    #[derive(Default)]
    CompactEuiccSigned2 = 0x30 {
        euicc_otpk "euiccOtpk": optional 0x5F49 Octets,
        hash_cc "hashCc": optional 0x04 Octet32,
    }
    /// ESipa.GetBoundProfilePackage.
    GetBoundProfilePackageRequestEsipa = 0xBF3A {
        transaction_id "transactionId": required 0x80 TransactionId,
        prepare_download_response "prepareDownloadResponse": required 0xBF21 PrepareDownloadResponse,
    }
    /// The package.
    GetBoundProfilePackageOkEsipa = 0x30 {
        transaction_id "transactionId": optional 0x80 TransactionId,
        bound_profile_package "boundProfilePackage": required 0xBF36 BoundProfilePackage,
    }
    /// A profile encrypted for one eUICC. Larger than a card's memory: the applet streams it; whole
    /// it is only for hosts and tests.
    BoundProfilePackage = 0xBF36 {
        initialise_secure_channel_request "initialiseSecureChannelRequest": required 0xBF23 InitialiseSecureChannelRequest,
        first_sequence_of87 "firstSequenceOf87": required 0xA0 Vec<Segment87>,
        sequence_of88 "sequenceOf88": required 0xA1 Vec<Segment88>,
        second_sequence_of87 "secondSequenceOf87": optional 0xA2 Vec<Segment87>,
        sequence_of86 "sequenceOf86": required 0xA3 Vec<Segment86>,
    }
    /// Opens the secure channel to the new ISD-P.
    InitialiseSecureChannelRequest = 0xBF23 {
        remote_op_id "remoteOpId": required 0x82 RemoteOpId,
        transaction_id "transactionId": required 0x80 TransactionId,
        control_ref_template "controlRefTemplate": required 0xA6 ControlRefTemplate,
        smdp_otpk "smdpOtpk": required 0x5F49 Octets,
        smdp_sign "smdpSign": required 0x5F37 Octets,
    }
    /// The session keys' type and length.
    ControlRefTemplate = 0x30 {
        key_type "keyType": required 0x80 Octet1,
        key_len "keyLen": required 0x81 Octet1,
        host_id "hostId": required 0x84 Octets,
    }
    /// ES10b.CancelSession.
    CancelSessionRequest = 0xBF41 {
        transaction_id "transactionId": required 0x80 TransactionId,
        reason "reason": required 0x81 CancelSessionReason,
    }
    /// The session is cancelled.
    CancelSessionResponseOk = 0x30 {
        euicc_cancel_session_signed "euiccCancelSessionSigned": required 0x30 Signed<EuiccCancelSessionSigned>,
        euicc_cancel_session_signature "euiccCancelSessionSignature": required 0x5F37 Octets,
    }
    /// The part of a [`CancelSessionResponseOk`] that is signed.
    EuiccCancelSessionSigned = 0x30 {
        transaction_id "transactionId": required 0x80 TransactionId,
        smdp_oid "smdpOid": required 0x81 Oid,
        reason "reason": required 0x82 CancelSessionReason,
    }
    /// [`CancelSessionResponseOk`] without what the eIM knows.
    CompactCancelSessionResponseOk = 0x30 {
        compact_euicc_cancel_session_signed "compactEuiccCancelSessionSigned": required 0x30 CompactEuiccCancelSessionSigned,
        euicc_cancel_session_signature "euiccCancelSessionSignature": required 0x5F37 Octets,
    }
    /// [`EuiccCancelSessionSigned`] without what the eIM knows.
    #[derive(Default)]
    CompactEuiccCancelSessionSigned = 0x30 {
        reason "reason": optional 0x80 CancelSessionReason,
    }
    /// ESipa.CancelSession.
    CancelSessionRequestEsipa = 0xBF41 {
        transaction_id "transactionId": required 0x80 TransactionId,
        /// EXPLICIT: the answer with its own tag stands inside.
        cancel_session_response "cancelSessionResponse": required 0xA1 Explicit<CancelSessionResponse>,
    }
    /// The eIM knows.
    #[derive(Default)]
    CancelSessionOk = 0x30 {}
}

choice! {
    /// The context of an authentication.
    CtxParams1 = _ {
        0xA0 CtxParamsForCommonAuthentication(CtxParamsForCommonAuthentication) "ctxParamsForCommonAuthentication",
    }
    /// Answer to [`InitiateAuthenticationRequestEsipa`].
    InitiateAuthenticationResponseEsipa = 0xBF39 {
        0xA0 InitiateAuthenticationOkEsipa(InitiateAuthenticationOkEsipa) "initiateAuthenticationOkEsipa",
        0x81 InitiateAuthenticationErrorEsipa(InitiateAuthenticationErrorEsipa) "initiateAuthenticationErrorEsipa",
    }
    /// Answer to [`AuthenticateServerRequest`].
    AuthenticateServerResponse = 0xBF38 {
        0xA0 AuthenticateResponseOk(AuthenticateResponseOk) "authenticateResponseOk",
        0xA1 AuthenticateResponseError(AuthenticateResponseError) "authenticateResponseError",
        0xA2 CompactAuthenticateResponseOk(CompactAuthenticateResponseOk) "compactAuthenticateResponseOk",
    }
    /// What the eUICC signed first, whole or without what the eIM knows.
    CompactSignedData = _ {
        0x30 EuiccSigned1(EuiccSigned1) "euiccSigned1",
        0xA0 CompactEuiccSigned1(CompactEuiccSigned1) "compactEuiccSigned1",
    }
    /// Answer to [`AuthenticateClientRequestEsipa`].
    AuthenticateClientResponseEsipa = 0xBF3B {
        0xA0 AuthenticateClientOkDpEsipa(AuthenticateClientOkDpEsipa) "authenticateClientOkDPEsipa",
        0xA1 AuthenticateClientOkDsEsipa(AuthenticateClientOkDsEsipa) "authenticateClientOkDSEsipa",
        0x82 AuthenticateClientErrorEsipa(AuthenticateClientErrorEsipa) "authenticateClientErrorEsipa",
    }
    /// Answer to [`PrepareDownloadRequest`].
    PrepareDownloadResponse = 0xBF21 {
        0xA0 DownloadResponseOk(PrepareDownloadResponseOk) "downloadResponseOk",
        0xA1 DownloadResponseError(PrepareDownloadResponseError) "downloadResponseError",
        0xA2 CompactDownloadResponseOk(CompactPrepareDownloadResponseOk) "compactDownloadResponseOk",
    }
    /// Answer to [`GetBoundProfilePackageRequestEsipa`].
    GetBoundProfilePackageResponseEsipa = 0xBF3A {
        0xA0 GetBoundProfilePackageOkEsipa(GetBoundProfilePackageOkEsipa) "getBoundProfilePackageOkEsipa",
        0x81 GetBoundProfilePackageErrorEsipa(GetBoundProfilePackageErrorEsipa) "getBoundProfilePackageErrorEsipa",
    }
    /// Answer to [`CancelSessionRequest`].
    CancelSessionResponse = 0xBF41 {
        0xA0 CancelSessionResponseOk(CancelSessionResponseOk) "cancelSessionResponseOk",
        0x81 CancelSessionResponseError(CancelSessionResponseError) "cancelSessionResponseError",
        0xA2 CompactCancelSessionResponseOk(CompactCancelSessionResponseOk) "compactCancelSessionResponseOk",
    }
    /// Answer to [`CancelSessionRequestEsipa`].
    CancelSessionResponseEsipa = 0xBF41 {
        0xA0 CancelSessionOk(CancelSessionOk) "cancelSessionOk",
        0x81 CancelSessionError(CancelSessionError) "cancelSessionError",
    }
}

macro_rules! segments {
    ($( $(#[$meta:meta])* $name:ident = $tag:literal; )*) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name(pub Octets);

        impl der::FixedTag for $name {
            const TAG: der::Tag = super::asn1::tag($tag);
        }

        impl<'a> der::DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: der::Reader<'a>>(reader: &mut R, header: der::Header) -> der::Result<Self> {
                <Octets as der::DecodeValue>::decode_value(reader, header).map(Self)
            }
        }

        impl der::EncodeValue for $name {
            fn value_len(&self) -> der::Result<der::Length> {
                der::EncodeValue::value_len(&self.0)
            }

            fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
                der::EncodeValue::encode_value(&self.0, writer)
            }
        }

        impl Described for $name {
            const SCHEMA: &'static Schema =
                &Schema { name: stringify!($name), tag: $tag, shape: Shape::Octets };
        }
    )*};
}

segments! {
    /// A command for the secure channel, encrypted and authenticated.
    Segment87 = 0x87;
    /// A command for the secure channel, authenticated only.
    Segment88 = 0x88;
    /// A piece of the profile, encrypted and authenticated.
    Segment86 = 0x86;
}
