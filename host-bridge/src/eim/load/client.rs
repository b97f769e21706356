//! The management interface's client, as far as a load needs one.

use super::super::manage::API;
use super::{LoadError, LoadOptions};
use serde_json::Value;
use std::net::SocketAddr;
use std::time::Duration;

/// How long the management interface may take for an answer.
const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) struct Client {
    agent: ureq::Agent,
    address: SocketAddr,
    authorization: String,
}

impl Client {
    pub(super) fn new(options: &LoadOptions) -> Self {
        Client {
            agent: ureq::Agent::config_builder()
                .timeout_global(Some(TIMEOUT))
                .http_status_as_error(false)
                .build()
                .into(),
            address: options.manage,
            authorization: options.authorization.clone(),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{API}{path}", self.address)
    }

    fn read(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> Result<Value, LoadError> {
        let failed = |detail: String| LoadError::Manage {
            address: self.address,
            detail,
        };
        let mut answer = answer.map_err(|e| failed(e.to_string()))?;
        let status = answer.status();
        let body = answer
            .body_mut()
            .with_config()
            .limit(64 * 1024 * 1024)
            .read_to_vec()
            .map_err(|e| failed(e.to_string()))?;
        let value: Value = serde_json::from_slice(&body).map_err(|e| failed(e.to_string()))?;
        if status.is_success() {
            return Ok(value);
        }
        let detail = value.get("detail").and_then(Value::as_str);
        Err(failed(format!("{status}: {}", detail.unwrap_or(""))))
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, LoadError> {
        let request = self.agent.get(self.url(path));
        self.read(request.header("Authorization", &self.authorization).call())
    }

    /// Sends a request that may be sent again, if it has a key.
    pub(super) fn post(
        &self,
        path: &str,
        body: &Value,
        key: Option<&str>,
    ) -> Result<Value, LoadError> {
        let mut request = self
            .agent
            .post(self.url(path))
            .header("Authorization", &self.authorization)
            .header("Content-Type", "application/json");
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.read(request.send(body.to_string()))
    }
}
