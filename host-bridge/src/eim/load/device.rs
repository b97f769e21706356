//! One device: an eUICC of the virtual card, and an IPA that does no more than poll, execute and deliver.

use super::super::{EimIdentity, PATH};
use super::LoadError;
use crate::web;
use applet_model::sgp::eim_config::{AddInitialEimOk, AddInitialEimRequest, AddInitialEimResponse};
use applet_model::sgp::esipa::{
    EimPackageResult, GetEimPackageRequest, GetEimPackageResponse, ProvideEimPackageResult,
    ProvideEimPackageResultResponse,
};
use applet_model::sgp::euicc_result::EuiccPackageResult;
use applet_model::sgp::notification::NotificationSentRequest;
use applet_model::sgp::{Decode, Eid, Encode};
use applet_model::tlv;
use cards::euicc::{Euicc, EuiccConfig, EuiccSetup};
use cards::pki::Hierarchy;
use cards::power::Nvm;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long the eIM may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The profiles of every device.
const PROFILES: &str = r#"
[[profile]]
iccid = "89999010000000000013"
imsi = "999010000000001"
service_provider = "Alpha Mobile"
name = "Alpha IoT"
enabled = true

[[profile]]
iccid = "89999020000000000029"
imsi = "999020000000002"
service_provider = "Beta Telecom"
name = "Beta IoT"
"#;

/// The ICCIDs above, the first enabled at the beginning.
pub(super) const ICCIDS: [&str; 2] = ["89999010000000000013", "89999020000000000029"];

/// A device.
pub(super) struct Device {
    pub(super) eid: Eid,
    euicc: Euicc,
    nvm: Nvm,
    /// A result that the eIM hasn't acknowledged: it is delivered before anything else.
    undelivered: Option<Vec<u8>>,
    /// Transactions of the packages that were executed, in order, upper-case hexadecimal.
    pub(super) executed: Vec<String>,
}

/// What the eIM is told of a device.
pub(super) struct Papers {
    pub(super) euicc_certificate: Vec<u8>,
    pub(super) eum_certificate: Vec<u8>,
    pub(super) association_token: Option<i64>,
}

/// One poll.
pub(super) struct Poll {
    /// Time from the request to the whole answer of GetEimPackage.
    pub(super) took: Duration,
    /// Packages that were executed.
    pub(super) packages: usize,
}

impl Device {
    /// The device of this number.
    pub(super) fn new(
        hierarchy: &Hierarchy,
        identity: &EimIdentity,
        number: u32,
    ) -> Result<(Self, Papers), LoadError> {
        let failed = |detail: String| LoadError::Device {
            eid: number.to_string(),
            detail,
        };
        let eid = Eid::with_check_digits(&format!("89049032{number:022}"))
            .map_err(|e| failed(e.to_string()))?;
        let setup = EuiccSetup::from_toml(PROFILES).map_err(|e| failed(e.to_string()))?;
        let config = EuiccConfig::issue(eid, u64::from(number), hierarchy, setup)
            .map_err(|e| failed(e.to_string()))?;
        let credential = config.credentials.first().cloned();
        let credential = credential.ok_or_else(|| failed("no certificate was issued".into()))?;
        let mut euicc = Euicc::new(config).map_err(|e| failed(e.to_string()))?;
        let mut nvm = Nvm::default();
        let entry = identity
            .configuration(0, true)
            .map_err(|e| failed(e.to_string()))?;
        let request = AddInitialEimRequest {
            eim_configuration_data_list: vec![entry],
        };
        let answer = execute(&mut euicc, &mut nvm, &encoded(&request)).map_err(failed)?;
        let association_token = match AddInitialEimResponse::from_der(&answer) {
            Ok(AddInitialEimResponse::AddInitialEimOk(done)) => match done.first() {
                Some(AddInitialEimOk::AssociationToken(token)) => Some(*token),
                _ => None,
            },
            other => return Err(failed(format!("AddInitialEim: {other:?}"))),
        };
        let device = Device {
            eid,
            euicc,
            nvm,
            undelivered: None,
            executed: Vec::new(),
        };
        let papers = Papers {
            euicc_certificate: credential.euicc_certificate,
            eum_certificate: credential.eum_certificate,
            association_token,
        };
        Ok((device, papers))
    }

    /// Polls until nothing more comes. As a card does: one connection for the procedure.
    ///
    /// # Errors
    /// What went wrong, in words; the next poll goes on from there.
    pub(super) fn poll(&mut self, to: SocketAddr) -> Result<Poll, String> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .build()
            .into();
        let url = format!("http://{to}{PATH}");
        let mut poll = Poll {
            took: Duration::ZERO,
            packages: 0,
        };
        loop {
            if let Some(result) = self.undelivered.clone() {
                self.delivered(&post(&agent, &url, &result)?)?;
            }
            let request = encoded(&GetEimPackageRequest::new(self.eid));
            let begun = Instant::now();
            let answer = post(&agent, &url, &request)?;
            if poll.took.is_zero() {
                poll.took = begun.elapsed();
            }
            let package = match GetEimPackageResponse::from_der(&answer) {
                Ok(GetEimPackageResponse::EuiccPackageRequest(request)) => request,
                Ok(GetEimPackageResponse::EimPackageError(_)) => return Ok(poll),
                other => return Err(format!("GetEimPackage: {other:?}")),
            };
            let transaction = package.euicc_package_signed.eim_transaction_id.clone();
            let bytes = tlv::read_one(&answer).map_err(|e| e.to_string())?.value;
            let answer = execute(&mut self.euicc, &mut self.nvm, bytes)?;
            let result = EuiccPackageResult::from_der(&answer).map_err(|e| e.to_string())?;
            if matches!(result, EuiccPackageResult::EuiccPackageResultSigned(_)) {
                self.executed
                    .extend(transaction.map(|t| hex::encode_upper(t.as_bytes())));
                poll.packages += 1;
            }
            self.undelivered = Some(encoded(&ProvideEimPackageResult {
                eid_value: Some(self.eid),
                eim_package_result: EimPackageResult::EuiccPackageResult(result),
            }));
        }
    }

    /// The eIM has a result: the eUICC may forget it.
    fn delivered(&mut self, answer: &[u8]) -> Result<(), String> {
        let response = ProvideEimPackageResultResponse::from_der(answer)
            .map_err(|e| format!("ProvideEimPackageResult: {e}"))?;
        if let ProvideEimPackageResultResponse::EimAcknowledgements(list) = response {
            for seq_number in list.0 {
                let sent = NotificationSentRequest {
                    seq_number: seq_number.0,
                };
                execute(&mut self.euicc, &mut self.nvm, &encoded(&sent))?;
            }
        }
        self.undelivered = None;
        Ok(())
    }
}

fn encoded(value: &impl Encode) -> Vec<u8> {
    // What this file makes has a form; a value without one would be refused by its reader.
    value.to_der().unwrap_or_default()
}

fn execute(euicc: &mut Euicc, nvm: &mut Nvm, command: &[u8]) -> Result<Vec<u8>, String> {
    euicc
        .es10(nvm, command)
        .map(|answer| answer.data)
        .map_err(|e| format!("{e:?}"))
}

fn post(agent: &ureq::Agent, url: &str, body: &[u8]) -> Result<Vec<u8>, String> {
    let sent = agent
        .post(url)
        .header("Content-Type", web::ASN1)
        .header("X-Admin-Protocol", web::ADMIN_PROTOCOL)
        .header("User-Agent", "gsma-rsp-ipae")
        .send(body);
    let mut answer = sent.map_err(|e| e.to_string())?;
    if answer.status() != 200 {
        return Err(format!("the eIM answered {}", answer.status()));
    }
    answer.body_mut().read_to_vec().map_err(|e| e.to_string())
}
