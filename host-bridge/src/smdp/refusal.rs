//! Why an SM-DP+ refuses: one table of status codes (SGP.22 5.2.6, 5.6) and their numbers in the ASN.1 binding.

use serde::Serialize;

/// An error of an ES9+ function. The function's caller is told; nothing else changed unless the function says so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize)]
#[error("{message} (subject {subject}, reason {reason})")]
pub struct Refusal {
    /// Subject code.
    pub subject: &'static str,
    /// Reason code.
    pub reason: &'static str,
    /// The function's error in the ASN.1 binding.
    pub code: u8,
    /// In words.
    pub message: String,
}

macro_rules! refusals {
    ($($function:literal { $($name:ident = $subject:literal $reason:literal $code:literal, $text:literal;)* })*) => {
        impl Refusal {$($(
            pub(super) fn $name(detail: impl std::fmt::Display) -> Refusal {
                Refusal::of($subject, $reason, $code, $text, &detail.to_string())
            }
        )*)*}

        /// Function, subject, reason, number.
        const CODES: &[(&str, &str, &str, u8)] = &[$($( ($function, $subject, $reason, $code), )*)*];
    };
}

/// The number of what has none of its own.
pub(super) const UNDEFINED: u8 = 127;

refusals! {
    // 5.6.1
    "initiateAuthentication" {
        address = "8.8.1" "3.8" 1, "another SM-DP+'s address";
        version = "8.8.3" "3.1" 2, "the eUICC's version isn't supported";
        ci_not_supported = "8.8.2" "3.1" 3, "none of the eUICC's CIs is supported";
    }
    // 5.6.3
    "authenticateClient" {
        eum_certificate = "8.1.2" "6.1" 1, "the EUM's certificate";
        eum_expired = "8.1.2" "6.3" 2, "the EUM's certificate isn't valid now";
        euicc_certificate = "8.1.3" "6.1" 3, "the eUICC's certificate";
        euicc_expired = "8.1.3" "6.3" 4, "the eUICC's certificate isn't valid now";
        euicc_signature = "8.1" "6.1" 5, "the eUICC's signature or challenge doesn't fit";
        matching_id = "8.2.6" "3.8" 6, "no order with this matching identifier can be downloaded";
        eid = "8.1.1" "3.8" 7, "the order is for another eUICC";
        no_profile = "8.2.5" "4.3" 8, "no profile waits for this eUICC";
        ci_unknown = "8.11.1" "3.9" 9, "the eUICC's CI";
        transaction = "8.10.1" "3.9" 10, "no such session";
        memory = "8.1" "4.8" 11, "the eUICC has too little memory";
        tries_used_up = "8.8.5" "6.4" 6, "the order was tried too often";
    }
    // 5.6.2
    "getBoundProfilePackage" {
        package_signature = "8.1" "6.1" 1, "the eUICC's signature doesn't fit";
        code_missing = "8.2.7" "2.2" 2, "the confirmation code is missing";
        code_refused = "8.2.7" "3.8" 3, "the confirmation code is wrong";
        code_used_up = "8.2.7" "6.4" 4, "the confirmation code was wrong too often";
        rebinding = "8.2" "3.7" 5, "the order went to another eUICC meanwhile";
        package_transaction = "8.10.1" "3.9" 95, "no such session";
    }
    // 5.6.5
    "cancelSession" {
        cancel_transaction = "8.10.1" "3.9" 1, "no such session";
        cancel_signature = "8.1" "6.1" 2, "the eUICC's signature doesn't fit";
        cancel_oid = "8.8" "3.10" 127, "another SM-DP+'s object identifier";
    }
}

impl Refusal {
    fn of(
        subject: &'static str,
        reason: &'static str,
        code: u8,
        text: &str,
        detail: &str,
    ) -> Refusal {
        Refusal {
            subject,
            reason,
            code,
            message: match detail.is_empty() {
                true => text.to_owned(),
                false => format!("{text}: {detail}"),
            },
        }
    }

    /// Anything: the eUICC refused, or something here failed.
    pub(super) fn undefined(detail: impl std::fmt::Display) -> Refusal {
        let text = "the function can't be executed";
        Refusal::of("8.8", "5.1", UNDEFINED, text, &detail.to_string())
    }
}

/// The number in the ASN.1 binding of a status code that a server gave in JSON.
pub(super) fn code_of(function: &str, subject: &str, reason: &str) -> u8 {
    CODES
        .iter()
        .find(|(f, s, r, _)| (*f, *s, *r) == (function, subject, reason))
        .map_or(UNDEFINED, |(.., code)| *code)
}
