//! Answers that are wrong on purpose, as data.

use super::{Eim, lock};
use applet_model::sgp::Eid;
use serde::{Deserialize, Serialize};

/// One way to be wrong. The first group is of the transport, the second of the next package that
/// is handed out (a poll with nothing to hand out leaves those alone).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    tag = "fault",
    rename_all = "kebab-case",
    rename_all_fields = "kebab-case",
    deny_unknown_fields
)]
pub enum EimFault {
    /// Takes the request, does what it asks for, and never answers.
    Silent,
    /// Closes the connection after this many bytes of the answer, headers included.
    CutMidAnswer {
        /// Bytes.
        bytes: usize,
    },
    /// 200 with bytes that are no DER.
    Garbage,
    /// One bit of the answer's body is wrong, in this byte or, if there are fewer, in the last.
    AlteredAnswer {
        /// From 0.
        at: usize,
    },
    /// This HTTP status with an empty body; the request isn't looked at.
    HttpStatus {
        /// 500, 503, …
        status: u16,
    },
    /// The package ends with an operation that no eUICC knows, so long that the whole answer has
    /// about this many bytes.
    LargeAnswer {
        /// Bytes.
        bytes: usize,
    },
    /// The package has the counter of the package before it (0 for the first).
    ReplayedCounter,
    /// One bit of the package's signature is wrong.
    WrongSignature,
    /// The package is for another EID (its last digit counted up).
    WrongEid,
    /// The package is from an eIM that the eUICC doesn't know.
    UnknownEimId,
}

/// When to be wrong. Without `times` it is so until [`Eim::clear_faults`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultPlan {
    /// What.
    pub fault: EimFault,
    /// How many more times.
    #[serde(default)]
    pub times: Option<u32>,
    /// Only for this EID (32 digits); else for any. Transport faults look at the EID in the request.
    #[serde(default)]
    pub eid: Option<String>,
    /// Transport faults only: of this ESipa function (`GetBoundProfilePackage`); else of any.
    #[serde(default)]
    pub function: Option<String>,
}

impl FaultPlan {
    /// The next time only.
    pub fn once(fault: EimFault) -> Self {
        FaultPlan {
            fault,
            times: Some(1),
            eid: None,
            function: None,
        }
    }

    /// Until it is cleared.
    pub fn always(fault: EimFault) -> Self {
        FaultPlan {
            fault,
            times: None,
            eid: None,
            function: None,
        }
    }
}

impl EimFault {
    pub(super) fn is_of_transport(&self) -> bool {
        matches!(
            self,
            EimFault::Silent
                | EimFault::CutMidAnswer { .. }
                | EimFault::Garbage
                | EimFault::AlteredAnswer { .. }
                | EimFault::HttpStatus { .. }
        )
    }
}

impl Eim {
    /// Takes one use of the first fault of a kind that counts for this EID, and this function of the transport's.
    pub(super) fn take_fault(&self, function: Option<&str>, eid: Option<&Eid>) -> Option<EimFault> {
        let transport = function.is_some();
        let eid = eid.map(ToString::to_string);
        for plan in lock(&self.inner.faults).iter_mut() {
            if plan.fault.is_of_transport() != transport || plan.eid.is_some() && plan.eid != eid {
                continue;
            }
            if plan.function.is_some() && plan.function.as_deref() != function {
                continue;
            }
            match &mut plan.times {
                Some(0) => continue,
                Some(n) => *n -= 1,
                None => {}
            }
            return Some(plan.fault.clone());
        }
        None
    }
}
