//! ES9+ between LPA or IPA and SM-DP+, where its messages differ from ESipa's (SGP.22 5.6, 6.3, and the ASN.1
//! binding of SGP.32 6.1.1): the frames around them, AuthenticateClient's answer, notifications.

use super::download::{
    AuthenticateClientErrorEsipa, AuthenticateClientOkDpEsipa, AuthenticateClientRequestEsipa,
    CancelSessionRequestEsipa, CancelSessionResponseEsipa, GetBoundProfilePackageRequestEsipa,
    GetBoundProfilePackageResponseEsipa, InitiateAuthenticationRequestEsipa,
    InitiateAuthenticationResponseEsipa,
};
use super::notification::PendingNotification;

sequence! {
    /// ES9+.HandleNotification.
    HandleNotification = 0xBF3D {
        pending_notification "pendingNotification": required 0xA0 PendingNotification,
    }
}

choice! {
    /// A request to an SM-DP+.
    RemoteProfileProvisioningRequest = 0xA2 {
        0xBF39 InitiateAuthenticationRequest(InitiateAuthenticationRequestEsipa) "initiateAuthenticationRequest",
        0xBF3B AuthenticateClientRequest(AuthenticateClientRequestEsipa) "authenticateClientRequest",
        0xBF3A GetBoundProfilePackageRequest(GetBoundProfilePackageRequestEsipa) "getBoundProfilePackageRequest",
        0xBF41 CancelSessionRequestEs9(CancelSessionRequestEsipa) "cancelSessionRequestEs9",
        0xBF3D HandleNotification(HandleNotification) "handleNotification",
    }
    /// An SM-DP+'s answer; a notification has none.
    RemoteProfileProvisioningResponse = 0xA2 {
        0xBF39 InitiateAuthenticationResponse(InitiateAuthenticationResponseEsipa) "initiateAuthenticationResponse",
        0xBF3B AuthenticateClientResponseEs9(AuthenticateClientResponseEs9) "authenticateClientResponseEs9",
        0xBF3A GetBoundProfilePackageResponse(GetBoundProfilePackageResponseEsipa) "getBoundProfilePackageResponse",
        0xBF41 CancelSessionResponseEs9(CancelSessionResponseEsipa) "cancelSessionResponseEs9",
    }
    /// Answer to ES9+.AuthenticateClient: another tag for the error than ESipa's.
    AuthenticateClientResponseEs9 = 0xBF3B {
        0xA0 AuthenticateClientOk(AuthenticateClientOkDpEsipa) "authenticateClientOk",
        0x81 AuthenticateClientError(AuthenticateClientErrorEsipa) "authenticateClientError",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sgp::{Decode, Encode};

    #[test]
    fn frames_are_explicit() {
        let error = AuthenticateClientResponseEs9::AuthenticateClientError(
            AuthenticateClientErrorEsipa::EidMismatch,
        );
        let response = RemoteProfileProvisioningResponse::AuthenticateClientResponseEs9(error);
        let der = response.to_der().unwrap();
        assert_eq!(hex::encode_upper(&der), "A206BF3B03810107");
        assert_eq!(
            RemoteProfileProvisioningResponse::from_der(&der).unwrap(),
            response
        );
        assert!(RemoteProfileProvisioningRequest::from_der(&der).is_err());
    }
}
