//! TLS 1.2 and 1.3 (SGP.22 2.6.6, SGP.32 2.6.3): a server's certificate of the lab's hierarchy, and a client's trust in its CI.

use cards::pki::{Cert, PkiError, ServerCredential, ServerRole, verify_server_tls};
use std::net::TcpStream;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime,
};
use tokio_rustls::rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, ServerConfig, SignatureScheme,
    StreamOwned,
};

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The key can't be used.
    #[error(transparent)]
    Pki(#[from] PkiError),
    /// The library refuses certificate or key.
    #[error("TLS: {0}")]
    Refused(#[from] Error),
    /// What is no name of a server.
    #[error("TLS: {0:?} is no server's name")]
    Name(String),
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// What a server shows.
#[derive(Clone)]
pub struct Tls(Arc<ServerConfig>);

impl Tls {
    /// Of a server's certificate, which its CI issued directly.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(credential: &ServerCredential) -> Result<Self, TlsError> {
        let key = credential.key.to_pkcs8()?;
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_vec()));
        let certificate = CertificateDer::from(credential.certificate.der().to_vec());
        let config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        Ok(Tls(Arc::new(config)))
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.clone())
    }
}

/// Whom a client believes: servers whose certificates these CIs issued.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

impl Trust {
    /// In a CI's servers; with a role, only in those that have it.
    ///
    /// # Errors
    /// [`TlsError`].
    pub fn new(ci: Cert, role: Option<ServerRole>) -> Result<Self, TlsError> {
        let provider = provider();
        let believer = Believer {
            ci,
            role,
            provider: provider.clone(),
        };
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(believer))
            .with_no_client_auth();
        Ok(Trust(Arc::new(config)))
    }

    /// A connection over which TLS is spoken with the server of this name.
    pub(super) fn over(
        &self,
        stream: TcpStream,
        name: &str,
    ) -> Result<StreamOwned<ClientConnection, TcpStream>, TlsError> {
        let name =
            ServerName::try_from(name.to_owned()).map_err(|_| TlsError::Name(name.to_owned()))?;
        let connection = ClientConnection::new(self.0.clone(), name)?;
        Ok(StreamOwned::new(connection, stream))
    }
}

/// Verifies certificates as the project does everywhere. The library's own verifier takes none with critical
/// certificate policies, which SGP.22's profile of certificates allows.
#[derive(Debug)]
struct Believer {
    ci: Cert,
    role: Option<ServerRole>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Believer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let refused = |e: &dyn std::fmt::Display| Error::General(e.to_string());
        let certificate = Cert::from_der(end_entity, "server's TLS").map_err(|e| refused(&e))?;
        let name = server_name.to_str();
        verify_server_tls(&self.ci, &certificate, self.role, &name, now.as_secs())
            .map_err(|e| refused(&e))?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, cert, dss, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, cert, dss, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
