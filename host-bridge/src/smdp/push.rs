//! A device's part of a download: it relays between an SM-DP+ and the eUICC through ES10 (SGP.22 3.1.3), and has no key
//! of its own. For cards whose IPAe isn't in charge, and for tests.
//!
//! The card has no clock: whether the server's certificates are valid now is looked at here. Nothing is enabled. A
//! session that fails is cancelled at the card and, if it can be reached, at the server.

use super::http::encode;
use super::order::{code_hash, hash_cc};
use super::{Smdp, json};
use crate::eim;
use crate::transport::{self, CardLink, LinkError};
use applet_model::aid;
use applet_model::apdu::{Command, Response as Apdu};
use applet_model::sgp::asn1::Explicit;
use applet_model::sgp::download::{
    AuthenticateClientOkDpEsipa, AuthenticateClientRequestEsipa, AuthenticateServerRequest,
    AuthenticateServerResponse, CancelSessionReason, CancelSessionRequest,
    CancelSessionRequestEsipa, CancelSessionResponse, CtxParams1, CtxParamsForCommonAuthentication,
    GetBoundProfilePackageRequestEsipa, GetBoundProfilePackageResponseEsipa,
    InitiateAuthenticationOkEsipa, InitiateAuthenticationRequestEsipa,
    InitiateAuthenticationResponseEsipa, PrepareDownloadRequest, PrepareDownloadResponse,
};
use applet_model::sgp::es9::{
    AuthenticateClientResponseEs9, HandleNotification, RemoteProfileProvisioningRequest as Request,
    RemoteProfileProvisioningResponse as Response,
};
use applet_model::sgp::es10::{GetEuiccChallengeRequest, GetEuiccChallengeResponse};
use applet_model::sgp::euicc_info::{EuiccInfo1, GetEuiccInfo1Request};
use applet_model::sgp::ipa_data::{DeviceCapabilities, DeviceInfo};
use applet_model::sgp::notification::{
    FinalResult, NotificationSentRequest, NotificationSentResponse, PendingNotification,
    ProfileInstallationResult, RetrieveNotificationsListRequest, RetrieveNotificationsListResponse,
};
use applet_model::sgp::{CertificateDer, Decode, Encode, KeyId, Octet32};
use applet_model::status::Sw;
use cards::euicc::bpp;
use cards::saip::status::{EuiccResponse, Status};
use serde::Serialize;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// How long the server may take for each step.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer of a server.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;

/// Why nothing was downloaded.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// The card can't be reached.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The card refused a command.
    #[error("{what}: the card answered {sw}")]
    Card {
        /// Which command.
        what: &'static str,
        /// The status word.
        sw: Sw,
    },
    /// The eUICC refused a function.
    #[error("{what}: the eUICC answered {code}")]
    Euicc {
        /// The function.
        what: &'static str,
        /// The error's name.
        code: &'static str,
    },
    /// The server can't be reached, or its answer is none.
    #[error("SM-DP+ at {to}: {detail}")]
    Server {
        /// Where.
        to: String,
        /// What happened.
        detail: String,
    },
    /// The server refused.
    #[error("{function}: the SM-DP+ refused: {text}")]
    Refused {
        /// The function.
        function: &'static str,
        /// Its status code, in words.
        text: String,
    },
    /// A message can't be read.
    #[error("{what} can't be read: {detail}")]
    Message {
        /// Which.
        what: &'static str,
        /// Why.
        detail: String,
    },
    /// The server's certificate isn't valid now.
    #[error(
        "the SM-DP+'s {which} certificate is valid from {from} to {to} (Unix seconds), now it is {now}"
    )]
    Expired {
        /// Which of the two.
        which: &'static str,
        /// The first second.
        from: u64,
        /// The last one.
        to: u64,
        /// The time here.
        now: u64,
    },
    /// The server asks for a confirmation code.
    #[error("the SM-DP+ asks for a confirmation code, and none was given")]
    CodeMissing,
    /// The eUICC didn't install the profile.
    #[error("the profile was not installed: {reason} in {command}{sima}")]
    NotInstalled {
        /// `bppCommandId`.
        command: &'static str,
        /// `errorReason`.
        reason: &'static str,
        /// What `simaResponse` says, beginning with a separator; empty if there is none.
        sima: String,
    },
    /// The eUICC gave no result.
    #[error("the eUICC took the whole package and gave no result")]
    NoResult,
}

/// A way to an SM-DP+.
pub trait Es9 {
    /// Sends a request. A notification has no answer.
    ///
    /// # Errors
    /// [`PushError::Server`], [`PushError::Refused`] or [`PushError::Message`].
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError>;
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Binding {
    /// JSON (SGP.22 6.5).
    Json,
    /// ASN.1 (SGP.22 6.6).
    Asn1,
}

/// An SM-DP+ behind plain HTTP.
#[derive(Debug, Clone)]
pub struct HttpServer {
    /// Where it listens.
    pub to: SocketAddr,
    /// Its name, for the Host header.
    pub host: String,
    /// How messages are written.
    pub binding: Binding,
}

impl HttpServer {
    fn failed(&self, detail: impl ToString) -> PushError {
        PushError::Server {
            to: self.to.to_string(),
            detail: detail.to_string(),
        }
    }

    fn post(&self, path: &str, content_type: &str, body: &[u8]) -> std::io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.to, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nUser-Agent: gsma-rsp-lpad\r\nContent-Type: {content_type}\r\n\
             X-Admin-Protocol: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            self.host,
            eim::http::ADMIN_PROTOCOL,
            body.len()
        );
        stream.write_all(&[head.as_bytes(), body].concat())?;
        let mut answer = Vec::new();
        stream.take(MAX_ANSWER).read_to_end(&mut answer)?;
        Ok(answer)
    }

    /// Status and body of an answer that is there as a whole.
    fn body<'a>(&self, answer: &'a [u8]) -> Result<(u16, &'a [u8]), PushError> {
        let end = answer
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .ok_or_else(|| self.failed("the answer is no HTTP"))?;
        let (head, body) = answer.split_at(end + 4);
        let head = String::from_utf8_lossy(head).to_ascii_lowercase();
        let status = head
            .split_whitespace()
            .nth(1)
            .and_then(|s| s.parse().ok())
            .ok_or_else(|| self.failed("the answer is no HTTP"))?;
        if head.contains("transfer-encoding: chunked") {
            return Err(self.failed("chunked answers are not read"));
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length:"))
            .and_then(|value| value.trim().parse::<usize>().ok());
        if length.is_some_and(|length| length != body.len()) {
            return Err(self.failed("the connection ended in the middle of the answer"));
        }
        Ok((status, body))
    }
}

fn unreadable(what: &'static str) -> impl Fn(der::Error) -> PushError {
    move |e| PushError::Message {
        what,
        detail: e.to_string(),
    }
}

/// The code of an error in the ASN.1 binding, in words.
fn error_name(response: &Response) -> Option<&'static str> {
    use applet_model::sgp::download::CancelSessionResponseEsipa;
    match response {
        Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationErrorEsipa(code),
        ) => Some(code.name()),
        Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientError(code),
        ) => Some(code.name()),
        Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageErrorEsipa(code),
        ) => Some(code.name()),
        Response::CancelSessionResponseEs9(CancelSessionResponseEsipa::CancelSessionError(
            code,
        )) => Some(code.name()),
        _ => None,
    }
}

/// An answer, or the error in it.
fn checked(function: &'static str, response: Response) -> Result<Option<Response>, PushError> {
    match error_name(&response) {
        Some(name) => Err(PushError::Refused {
            function,
            text: name.into(),
        }),
        None => Ok(Some(response)),
    }
}

impl Es9 for HttpServer {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
        let function = json::function(request);
        let (path, content_type, body) = match self.binding {
            Binding::Asn1 => (
                eim::PATH.to_owned(),
                eim::http::CONTENT_TYPE,
                request.to_der().map_err(unreadable("the request"))?,
            ),
            Binding::Json => (
                format!("{}{function}", json::PATH),
                super::http::JSON,
                json::write_request(request).to_string().into_bytes(),
            ),
        };
        let answer = self
            .post(&path, content_type, &body)
            .map_err(|e| self.failed(e))?;
        let (status, body) = self.body(&answer)?;
        if !(200..300).contains(&status) {
            return Err(self.failed(format!("{function}: HTTP status {status}")));
        }
        if matches!(request, Request::HandleNotification(_)) {
            return Ok(None);
        }
        match self.binding {
            Binding::Asn1 => {
                let response =
                    Response::from_der(body).map_err(unreadable("the SM-DP+'s answer"))?;
                checked(function, response)
            }
            Binding::Json => {
                let unreadable = |detail: String| PushError::Message {
                    what: "the SM-DP+'s answer",
                    detail,
                };
                let body = serde_json::from_slice(body).map_err(|e| unreadable(e.to_string()))?;
                match json::read_response(function, &body).map_err(|e| unreadable(e.to_string()))? {
                    Ok(response) => Ok(Some(response)),
                    Err(text) => Err(PushError::Refused { function, text }),
                }
            }
        }
    }
}

/// An SM-DP+ in this process, without any socket.
impl Es9 for Smdp {
    fn call(&mut self, request: &Request) -> Result<Option<Response>, PushError> {
        let outcome = self.execute(request);
        match (&outcome.response, encode(request, &outcome)) {
            (Err(refusal), _) => Err(PushError::Refused {
                function: json::function(request),
                text: refusal.to_string(),
            }),
            (Ok(_), response) => Ok(response),
        }
    }
}

/// What to download.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushOrder {
    /// The SM-DP+'s address, as the activation code has it.
    pub address: String,
    /// The matching identifier; empty: what waits for this eUICC.
    pub matching_id: String,
    /// The confirmation code.
    pub confirmation_code: Option<String>,
    /// The time in Unix seconds, to look at certificates.
    pub now: u64,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pushed {
    /// ICCID of the profile, digits.
    pub iccid: String,
    /// Its name.
    pub name: String,
    /// AID of its ISD-P, hexadecimal.
    pub isdp_aid: String,
    /// Bytes of the bound package.
    pub package_bytes: usize,
    /// Commands to the card.
    pub apdus: u64,
    /// Bytes of those commands and of their answers.
    pub apdu_bytes: u64,
    /// Notifications that the SM-DP+ was told and the card has dropped.
    pub notifications: usize,
}

/// The card on the way to its ISD-R.
pub struct Lpa<'a> {
    link: &'a mut dyn CardLink,
    channel: u8,
    apdus: u64,
    bytes: u64,
}

impl<'a> Lpa<'a> {
    /// Resets the card, declares an assistant in the device (SGP.32 3.8.2), so that an IPAe keeps off, and selects
    /// the ISD-R on a logical channel of its own.
    ///
    /// # Errors
    /// [`PushError::Link`] or [`PushError::Card`].
    pub fn open(link: &'a mut dyn CardLink) -> Result<Self, PushError> {
        link.reset()?;
        let mut lpa = Lpa {
            link,
            channel: 0,
            apdus: 0,
            bytes: 0,
        };
        let capability = Command::new(0x80, 0xAA, 0, 0).with_data([0xA9, 3, 0x84, 1, 1]);
        // Cards without the command have no IPAe to keep off.
        lpa.transmit(&capability)?;
        let opened = lpa.transmit(&Command::new(0x00, 0x70, 0, 0).with_le(1))?;
        lpa.channel = match (opened.sw, opened.data.first()) {
            (Sw::OK, Some(channel @ 1..=3)) => *channel,
            (sw, _) => {
                return Err(PushError::Card {
                    what: "MANAGE CHANNEL",
                    sw,
                });
            }
        };
        let select = Command::new(lpa.channel, 0xA4, 4, 0).with_data(aid::ISD_R);
        let selected = lpa.transmit(&select)?;
        if selected.sw != Sw::OK {
            return Err(PushError::Card {
                what: "SELECT of the ISD-R",
                sw: selected.sw,
            });
        }
        Ok(lpa)
    }

    fn transmit(&mut self, command: &Command) -> Result<Apdu, PushError> {
        let answer = transport::exchange(self.link, command)?;
        self.apdus += 1;
        self.bytes += (5 + command.data.len() + answer.data.len() + 2) as u64;
        Ok(answer)
    }

    /// Sends an ES10 command in STORE DATA blocks and gives its answer (SGP.22 5.7.2).
    ///
    /// # Errors
    /// [`PushError::Link`] or [`PushError::Card`].
    pub fn es10(&mut self, what: &'static str, command: &[u8]) -> Result<Vec<u8>, PushError> {
        let count = command.len().div_ceil(255);
        let mut answer = Vec::new();
        for (number, block) in command.chunks(255).enumerate() {
            let p1 = if number + 1 == count { 0x91 } else { 0x11 };
            let store = Command::new(0x80 | self.channel, 0xE2, p1, number as u8).with_data(block);
            let response = self.transmit(&store)?;
            if response.sw != Sw::OK {
                return Err(PushError::Card {
                    what,
                    sw: response.sw,
                });
            }
            answer = response.data;
        }
        Ok(answer)
    }

    fn ask<T: for<'d> Decode<'d, Error = der::Error>>(
        &mut self,
        what: &'static str,
        request: &impl Encode,
    ) -> Result<T, PushError> {
        let command = request.to_der().map_err(unreadable(what))?;
        T::from_der(&self.es10(what, &command)?).map_err(unreadable(what))
    }

    /// Closes the channel.
    fn close(&mut self) -> Result<(), PushError> {
        let close = Command::new(0x00, 0x70, 0x80, self.channel);
        self.transmit(&close).map(|_| ())
    }

    /// Tells the SM-DP+ of notifications that are for it, and drops those from the card; gives their number.
    ///
    /// # Errors
    /// Any [`PushError`]; what was not told stays in the card.
    pub fn notify(&mut self, smdp: &mut dyn Es9, address: &str) -> Result<usize, PushError> {
        const WHAT: &str = "RetrieveNotificationsList";
        let list = match self.ask(WHAT, &RetrieveNotificationsListRequest::default())? {
            RetrieveNotificationsListResponse::NotificationList(list) => list,
            _ => {
                return Err(PushError::Euicc {
                    what: WHAT,
                    code: "undefinedError",
                });
            }
        };
        let mut told = 0;
        for notification in list {
            let to = match &notification {
                PendingNotification::ProfileInstallationResult(result) => {
                    let data = &result.profile_installation_result_data;
                    &data.notification_metadata.notification_address
                }
                PendingNotification::OtherSignedNotification(signed) => {
                    &signed.tbs_other_notification.notification_address
                }
                _ => continue,
            };
            if !to.eq_ignore_ascii_case(address) {
                continue;
            }
            let seq_number = notification.seq_number();
            smdp.call(&Request::HandleNotification(HandleNotification {
                pending_notification: notification,
            }))?;
            let _: NotificationSentResponse = self.ask(
                "RemoveNotificationFromList",
                &NotificationSentRequest { seq_number },
            )?;
            told += 1;
        }
        Ok(told)
    }

    fn cancel(
        &mut self,
        smdp: &mut dyn Es9,
        transaction: &applet_model::sgp::TransactionId,
        reason: CancelSessionReason,
    ) -> Result<(), PushError> {
        let response: CancelSessionResponse = self.ask(
            "CancelSession",
            &CancelSessionRequest {
                transaction_id: transaction.clone(),
                reason,
            },
        )?;
        smdp.call(&Request::CancelSessionRequestEs9(
            CancelSessionRequestEsipa {
                transaction_id: transaction.clone(),
                cancel_session_response: Explicit(response),
            },
        ))
        .map(|_| ())
    }
}

fn look_at_period(
    which: &'static str,
    certificate: &CertificateDer,
    now: u64,
) -> Result<(), PushError> {
    let parsed = certificate
        .parse()
        .map_err(unreadable("the SM-DP+'s certificate"))?;
    let validity = parsed.tbs_certificate().validity();
    let from = validity.not_before.to_unix_duration().as_secs();
    let to = validity.not_after.to_unix_duration().as_secs();
    if (from..=to).contains(&now) {
        return Ok(());
    }
    Err(PushError::Expired {
        which,
        from,
        to,
        now,
    })
}

/// Downloads a profile into the card.
///
/// # Errors
/// [`PushError`]: the profile isn't there. A session that had begun is cancelled; a result of the eUICC has been told to
/// the SM-DP+, or waits in the card.
pub fn push(
    link: &mut dyn CardLink,
    smdp: &mut dyn Es9,
    order: &PushOrder,
) -> Result<Pushed, PushError> {
    let mut lpa = Lpa::open(link)?;
    // Results that couldn't be told last time.
    let before = lpa.notify(smdp, &order.address)?;
    let done = download(&mut lpa, smdp, order);
    let told = lpa.notify(smdp, &order.address);
    lpa.close()?;
    let (result, name, package_bytes) = done?;
    let data = &result.profile_installation_result_data;
    let FinalResult::SuccessResult(success) = &data.final_result else {
        return Err(not_installed(&result));
    };
    let iccid = data.notification_metadata.iccid;
    Ok(Pushed {
        iccid: iccid.map(|iccid| iccid.to_string()).unwrap_or_default(),
        name,
        isdp_aid: success.aid.to_string(),
        package_bytes,
        apdus: lpa.apdus,
        apdu_bytes: lpa.bytes,
        notifications: before + told?,
    })
}

fn not_installed(result: &ProfileInstallationResult) -> PushError {
    match &result.profile_installation_result_data.final_result {
        FinalResult::ErrorResult(error) => PushError::NotInstalled {
            command: error.bpp_command_id.name(),
            reason: error.error_reason.name(),
            sima: error
                .sima_response
                .as_ref()
                .map(|sima| format!(": {}", sima_text(sima)))
                .unwrap_or_default(),
        },
        FinalResult::SuccessResult(_) => PushError::NoResult,
    }
}

type Done = (ProfileInstallationResult, String, usize);

fn download(lpa: &mut Lpa<'_>, smdp: &mut dyn Es9, order: &PushOrder) -> Result<Done, PushError> {
    let challenge: GetEuiccChallengeResponse =
        lpa.ask("GetEUICCChallenge", &GetEuiccChallengeRequest::default())?;
    let info: EuiccInfo1 = lpa.ask("GetEUICCInfo1", &GetEuiccInfo1Request::default())?;
    let request = Request::InitiateAuthenticationRequest(InitiateAuthenticationRequestEsipa {
        euicc_challenge: challenge.euicc_challenge,
        smdp_address: Some(order.address.clone()),
        euicc_info1: Some(info),
        eim_transaction_id: None,
    });
    let server = match smdp.call(&request)? {
        Some(Response::InitiateAuthenticationResponse(
            InitiateAuthenticationResponseEsipa::InitiateAuthenticationOkEsipa(ok),
        )) => ok,
        _ => return Err(unexpected("initiateAuthentication")),
    };
    look_at_period("authentication", &server.server_certificate, order.now)?;
    if !server
        .server_signed1
        .server_address
        .eq_ignore_ascii_case(&order.address)
    {
        return Err(PushError::Refused {
            function: "initiateAuthentication",
            text: format!("it calls itself {:?}", server.server_signed1.server_address),
        });
    }
    let transaction = server.server_signed1.transaction_id.clone();
    let authenticated = authenticate(lpa, smdp, order, server);
    // From here on there may be a session in the card.
    let done = authenticated.and_then(|ok| get_package(lpa, smdp, order, &transaction, ok));
    match done {
        Ok(done) => Ok(done),
        Err((reason, error)) => {
            // If the server can't be told, its session ends by itself.
            let _ = lpa.cancel(smdp, &transaction, reason);
            Err(error)
        }
    }
}

fn unexpected(function: &'static str) -> PushError {
    PushError::Message {
        what: "the SM-DP+'s answer",
        detail: format!("it is no answer to {function}"),
    }
}

/// An error, and what the session is cancelled with.
type Failed = (CancelSessionReason, PushError);

fn broken(error: PushError) -> Failed {
    let reason = match &error {
        PushError::Server { .. } => CancelSessionReason::Timeout,
        _ => CancelSessionReason::UndefinedReason,
    };
    (reason, error)
}

fn authenticate(
    lpa: &mut Lpa<'_>,
    smdp: &mut dyn Es9,
    order: &PushOrder,
    server: InitiateAuthenticationOkEsipa,
) -> Result<AuthenticateClientOkDpEsipa, Failed> {
    const WHAT: &str = "AuthenticateServer";
    let transaction_id = server.server_signed1.transaction_id.clone();
    let key_id =
        KeyId::new(server.euicc_ci_pk_identifier_to_be_used.to_vec()).ok_or_else(|| {
            broken(PushError::Message {
                what: "euiccCiPKIdToBeUsed",
                detail: "it has no bytes, or too many".into(),
            })
        })?;
    let matching_id = &order.matching_id;
    let request = AuthenticateServerRequest {
        server_signed1: server.server_signed1,
        server_signature1: server.server_signature1,
        euicc_ci_pk_id_to_be_used: key_id,
        server_certificate: server.server_certificate,
        ctx_params1: CtxParams1::CtxParamsForCommonAuthentication(
            CtxParamsForCommonAuthentication {
                matching_id: (!matching_id.is_empty()).then(|| matching_id.clone()),
                device_info: DeviceInfo {
                    // A type allocation code for tests (GSMA TS.06: 00 begins those of no device).
                    tac: vec![0x00, 0x10, 0x00, 0x00].into(),
                    device_capabilities: DeviceCapabilities::default(),
                    imei: None,
                },
            },
        ),
    };
    let response: AuthenticateServerResponse = lpa.ask(WHAT, &request).map_err(broken)?;
    let refused = match &response {
        AuthenticateServerResponse::AuthenticateResponseError(error) => {
            Some(error.authenticate_error_code.name())
        }
        _ => None,
    };
    let answer = smdp.call(&Request::AuthenticateClientRequest(
        AuthenticateClientRequestEsipa {
            transaction_id,
            authenticate_server_response: response,
        },
    ));
    if let Some(code) = refused {
        return Err(broken(PushError::Euicc { what: WHAT, code }));
    }
    match answer.map_err(broken)? {
        Some(Response::AuthenticateClientResponseEs9(
            AuthenticateClientResponseEs9::AuthenticateClientOk(ok),
        )) => Ok(ok),
        _ => Err(broken(unexpected("authenticateClient"))),
    }
}

fn get_package(
    lpa: &mut Lpa<'_>,
    smdp: &mut dyn Es9,
    order: &PushOrder,
    transaction: &applet_model::sgp::TransactionId,
    ok: AuthenticateClientOkDpEsipa,
) -> Result<Done, Failed> {
    const WHAT: &str = "PrepareDownload";
    look_at_period("binding", &ok.smdp_certificate, order.now).map_err(broken)?;
    let Some(metadata) = ok.profile_meta_data else {
        let error = unexpected("authenticateClient");
        return Err((CancelSessionReason::MetadataMismatch, error));
    };
    let hash_cc = match (ok.smdp_signed2.cc_required_flag, &order.confirmation_code) {
        (false, _) => None,
        (true, None) => {
            return Err((CancelSessionReason::Postponed, PushError::CodeMissing));
        }
        (true, Some(code)) => Some(Octet32(hash_cc(&code_hash(code), transaction.as_bytes()))),
    };
    let request = PrepareDownloadRequest {
        smdp_signed2: ok.smdp_signed2,
        smdp_signature2: ok.smdp_signature2,
        hash_cc,
        smdp_certificate: ok.smdp_certificate,
    };
    let response: PrepareDownloadResponse = lpa.ask(WHAT, &request).map_err(broken)?;
    let refused = match &response {
        PrepareDownloadResponse::DownloadResponseError(error) => {
            Some(error.download_error_code.name())
        }
        _ => None,
    };
    let answer = smdp.call(&Request::GetBoundProfilePackageRequest(
        GetBoundProfilePackageRequestEsipa {
            transaction_id: transaction.clone(),
            prepare_download_response: response,
        },
    ));
    if let Some(code) = refused {
        return Err(broken(PushError::Euicc { what: WHAT, code }));
    }
    let package = match answer.map_err(broken)? {
        Some(Response::GetBoundProfilePackageResponse(
            GetBoundProfilePackageResponseEsipa::GetBoundProfilePackageOkEsipa(ok),
        )) => ok
            .bound_profile_package
            .to_der()
            .map_err(|e| broken(unreadable("the bound profile package")(e)))?,
        _ => return Err(broken(unexpected("getBoundProfilePackage"))),
    };
    let commands = bpp::commands(&package).map_err(|e| {
        broken(PushError::Message {
            what: "the bound profile package",
            detail: e.to_string(),
        })
    })?;
    for command in commands {
        let answer = lpa
            .es10("LoadBoundProfilePackage", command)
            .map_err(|e| (CancelSessionReason::LoadBppExecutionError, e))?;
        if answer.is_empty() {
            continue;
        }
        let result = ProfileInstallationResult::from_der(&answer)
            .map_err(|e| broken(unreadable("ProfileInstallationResult")(e)))?;
        return Ok((result, metadata.profile_name, package.len()));
    }
    Err((
        CancelSessionReason::LoadBppExecutionError,
        PushError::NoResult,
    ))
}

/// What `simaResponse` says: the statuses that aren't ok, and the card's own words.
fn sima_text(response: &[u8]) -> String {
    let Ok(response) = EuiccResponse::from_der(response) else {
        return hex::encode_upper(response);
    };
    let statuses = response
        .statuses
        .iter()
        .filter(|pe| pe.status != Status::OK.0)
        .map(|pe| {
            let name = Status(pe.status).name();
            match pe.identification {
                Some(number) => format!("{name} in element {number}"),
                None => name,
            }
        });
    statuses
        .chain(response.message.clone())
        .collect::<Vec<_>>()
        .join(", ")
}
