//! Bodies of requests, and lists of answers.

use super::super::{
    DeviceRow, Download, EimError, NotificationRow, Operation, PackageRow, Registration, ResultRow,
};
use super::problem::Problem;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// One operation on the profiles of a device.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(tag = "operation", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Asked {
    /// Download a profile from an SM-DP+. A package has no other operation beside it.
    Push {
        /// Activation code (SGP.22 4.1).
        #[schema(example = "LPA:1$smdp.lab.example$0123456789")]
        activation_code: String,
        /// The order's confirmation code, if it has one. It stays with the eIM.
        confirmation_code: Option<String>,
    },
    /// Enable a profile; what was enabled is disabled by it: the switch.
    Enable {
        /// ICCID, 18 to 20 digits.
        #[schema(example = "89999020000000000029")]
        iccid: String,
        /// Whether the device goes back if it can't reach the eIM through the new profile.
        #[serde(default = "yes")]
        rollback: bool,
    },
    /// Disable a profile.
    Disable {
        /// ICCID, 18 to 20 digits.
        iccid: String,
    },
    /// Delete a profile that isn't enabled.
    Delete {
        /// ICCID, 18 to 20 digits.
        iccid: String,
    },
    /// List all profiles.
    Inventory,
    /// Any other operation in the words of `ipae eim enqueue`: getRAT, listEim,
    /// setFallbackAttribute ICCID, …
    Other {
        /// The operation.
        #[schema(example = "getRAT")]
        text: String,
    },
}

fn yes() -> bool {
    true
}

impl Asked {
    pub(super) fn operation(&self) -> Result<Operation, EimError> {
        match self {
            Asked::Push {
                activation_code,
                confirmation_code,
            } => {
                let code = activation_code.parse().map_err(|e| EimError::Operation {
                    text: format!("push {activation_code}"),
                    why: format!("{e}"),
                })?;
                Ok(Operation::Download(Download {
                    confirmation_code: confirmation_code.clone(),
                    ..Download::of(code)
                }))
            }
            Asked::Enable { iccid, rollback } => {
                let rollback = if *rollback { " rollback" } else { "" };
                format!("enable {iccid}{rollback}").parse()
            }
            Asked::Disable { iccid } => format!("disable {iccid}").parse(),
            Asked::Delete { iccid } => format!("delete {iccid}").parse(),
            Asked::Inventory => Ok(Operation::list_profile_info()),
            Asked::Other { text } => text.parse(),
        }
    }
}

/// Operations for one device, carried out in this order as one package.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPackage {
    /// At least one; profile operations and eIM operations don't go together.
    pub operations: Vec<Asked>,
    /// Seconds after which it is no longer handed out if the device didn't poll; without, it waits for
    /// good.
    #[schema(example = 86400, minimum = 1)]
    pub expires_in: Option<u32>,
}

/// An eUICC to be taken in.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct NewDevice {
    /// EID, 32 digits.
    #[schema(example = "89049032000000000000000000000163")]
    pub eid: String,
    /// CERT.EUICC.ECDSA, DER in hexadecimal. Without it the eIM learns it from the first notification.
    pub euicc_certificate: Option<String>,
    /// CERT.EUM.ECDSA, DER in hexadecimal; both or none.
    pub eum_certificate: Option<String>,
    /// The association token that the eUICC gave this eIM.
    pub association_token: Option<i64>,
    /// The counter that the eUICC holds for this eIM.
    #[schema(minimum = 0)]
    pub counter: Option<u64>,
}

impl NewDevice {
    /// What of this the eIM takes in; certificates come together or not at all.
    pub(super) fn registration(&self) -> Result<Registration, Problem> {
        let der = |name: &str, text: &str| {
            hex::decode(text).map_err(|e| Problem::bad(format!("{name}: {e}")))
        };
        let certificates = match (&self.euicc_certificate, &self.eum_certificate) {
            (Some(euicc), Some(eum)) => Some((
                der("euicc_certificate", euicc)?,
                der("eum_certificate", eum)?,
            )),
            (None, None) => None,
            _ => {
                return Err(Problem::bad(
                    "euicc_certificate and eum_certificate come together or not at all",
                ));
            }
        };
        Ok(Registration {
            certificates,
            association_token: self.association_token,
            counter: self.counter,
        })
    }
}

/// Which part of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Part {
    /// Only what comes after this EID: `next` of the part before.
    #[serde(default)]
    pub after: String,
    /// At most so many.
    #[serde(default = "hundred")]
    #[param(minimum = 1, maximum = 1000, default = 100)]
    pub limit: u32,
}

fn hundred() -> u32 {
    100
}

/// A part of the fleet, in the order of EIDs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Devices {
    pub devices: Vec<DeviceRow>,
    /// What `after` is for the next part; none if this is the last.
    pub next: Option<String>,
}

/// A device's packages in the order they were queued.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Packages {
    pub packages: Vec<PackageRow>,
}

/// What came from a device.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct History {
    /// Results of packages, in order of arrival.
    pub results: Vec<ResultRow>,
    /// Notifications, in order of arrival.
    pub notifications: Vec<NotificationRow>,
}
