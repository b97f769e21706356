//! Orders as people and management interfaces give them: a package and words about it.

use super::{NewOrder, Smdp, SmdpError, metadata_of};
use applet_model::sgp::profile::{
    NotificationConfigurationInformation, NotificationEvent, ProfileClass,
};
use applet_model::sgp::{ActivationCode, Eid, Encode, LPA_PREFIX};
use base64ct::{Base64, Encoding};
use serde::{Deserialize, Deserializer, Serialize};

/// What the SM-DP+ wants to be told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Event {
    /// The profile was installed.
    Install,
    /// It was enabled.
    Enable,
    /// It was disabled.
    Disable,
    /// It was deleted.
    Delete,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OrderForm {
    /// The unprotected profile package, DER; base64 in JSON.
    #[serde(deserialize_with = "base64")]
    pub profile: Vec<u8>,
    /// `profileName`.
    pub name: String,
    /// `serviceProviderName`.
    pub provider: String,
    /// What the activation code names the order by; without it, one that nobody guesses.
    #[serde(default)]
    pub matching_id: Option<String>,
    /// The only eUICC that may have it.
    #[serde(default)]
    pub eid: Option<String>,
    /// A code that must be entered for the download.
    #[serde(default)]
    pub confirmation_code: Option<String>,
    /// What the SM-DP+ is notified of.
    #[serde(default)]
    pub notify: Vec<Event>,
    /// A test profile.
    #[serde(default)]
    pub test: bool,
    /// It may become the Fallback Profile.
    #[serde(default)]
    pub fallback_allowed: bool,
}

fn base64<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(from)?;
    Base64::decode_vec(&text).map_err(serde::de::Error::custom)
}

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Placed {
    /// Its number.
    pub order: i64,
    /// The matching identifier.
    pub matching_id: String,
    /// ICCID of the profile, digits.
    pub iccid: String,
    /// The activation code, to be scanned or typed.
    pub activation_code: String,
    /// Whether a confirmation code is asked for.
    pub confirmation_code: bool,
}

impl Smdp {
    /// Takes an order. The ICCID comes from the package's header.
    ///
    /// # Errors
    /// [`SmdpError::Order`] for what can't be ordered, or a matching identifier that is taken.
    pub fn place(&self, form: OrderForm) -> Result<Placed, SmdpError> {
        let mut metadata = metadata_of(&form.profile, &form.provider, &form.name)?;
        metadata.profile_class = form.test.then_some(ProfileClass::Test);
        metadata.fallback_allowed = form.fallback_allowed.then_some(true);
        if !form.notify.is_empty() {
            let bits: Vec<u8> = form
                .notify
                .iter()
                .map(|event| match event {
                    Event::Install => NotificationEvent::NOTIFICATION_INSTALL,
                    Event::Enable => NotificationEvent::NOTIFICATION_ENABLE,
                    Event::Disable => NotificationEvent::NOTIFICATION_DISABLE,
                    Event::Delete => NotificationEvent::NOTIFICATION_DELETE,
                })
                .collect();
            metadata.notification_configuration_info =
                Some(vec![NotificationConfigurationInformation {
                    profile_management_operation: NotificationEvent::of(&bits),
                    notification_address: self.address().to_owned(),
                }]);
        }
        let eid = match form.eid {
            None => None,
            Some(text) => {
                let eid: Eid = text
                    .parse()
                    .map_err(|e| SmdpError::Order(format!("EID {text:?}: {e}")))?;
                Some(eid.to_string())
            }
        };
        let matching_id = form.matching_id.unwrap_or_else(|| self.new_matching_id());
        let iccid = metadata.iccid.to_string();
        let confirmation_code = form.confirmation_code.is_some();
        let order = self.order(&NewOrder {
            matching_id: matching_id.clone(),
            eid,
            confirmation_code: form.confirmation_code,
            metadata: metadata
                .to_der()
                .map_err(|e| SmdpError::Order(e.to_string()))?,
            profile: form.profile,
        })?;
        let code = ActivationCode {
            address: self.address().to_owned(),
            matching_id: matching_id.clone(),
            oid: None,
            confirmation_code,
        };
        Ok(Placed {
            order,
            matching_id,
            iccid,
            activation_code: format!("{LPA_PREFIX}{code}"),
            confirmation_code,
        })
    }
}
