//! Activation codes (SGP.22 4.1).

use super::Oid;
use std::fmt;
use std::str::FromStr;

/// What an activation code says: where a profile waits, and under which name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActivationCode {
    /// The SM-DP+'s address.
    pub address: String,
    /// The matching identifier; empty: what waits for this eUICC.
    pub matching_id: String,
    /// The SM-DP+'s object identifier, as its certificate has to carry it.
    pub oid: Option<Oid>,
    /// A confirmation code is asked for.
    pub confirmation_code: bool,
}

/// What codes to be scanned begin with; messages leave it out, some senders don't.
pub const LPA_PREFIX: &str = "LPA:";
/// Most bytes of an activation code (SGP.32 2.11.1.3).
pub const MAX_LENGTH: usize = 255;

/// Text that is no activation code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no activation code: {why}; one is [LPA:]1$ADDRESS$MATCHING-ID[$OID][$1]")]
pub struct ActivationCodeError {
    /// What was given.
    pub text: String,
    /// What is wrong.
    pub why: String,
}

impl FromStr for ActivationCode {
    type Err = ActivationCodeError;

    fn from_str(text: &str) -> Result<Self, ActivationCodeError> {
        let wrong = |why: String| ActivationCodeError {
            text: text.to_owned(),
            why,
        };
        let code = text.strip_prefix(LPA_PREFIX).unwrap_or(text);
        if code.len() > MAX_LENGTH {
            return Err(wrong(format!("it has {} bytes", code.len())));
        }
        let mut parts = code.split('$');
        match parts.next() {
            Some("1") => {}
            other => {
                return Err(wrong(format!(
                    "format {:?}, expected 1",
                    other.unwrap_or("")
                )));
            }
        }
        let address = parts.next().unwrap_or_default();
        if address.is_empty() {
            return Err(wrong("there is no address".into()));
        }
        let matching_id = parts
            .next()
            .ok_or_else(|| wrong("there is no matching identifier".into()))?;
        let oid = match parts.next() {
            None | Some("") => None,
            Some(oid) => Some(oid.parse().map_err(|e| wrong(format!("{e}")))?),
        };
        // What later versions add behind the flag is passed over.
        let confirmation_code = match parts.next() {
            None | Some("" | "0") => false,
            Some("1") => true,
            Some(other) => return Err(wrong(format!("confirmation code flag {other:?}"))),
        };
        Ok(ActivationCode {
            address: address.to_owned(),
            matching_id: matching_id.to_owned(),
            oid,
            confirmation_code,
        })
    }
}

impl fmt::Display for ActivationCode {
    /// As messages have it, without `LPA:`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "1${}${}", self.address, self.matching_id)?;
        match (&self.oid, self.confirmation_code) {
            (Some(oid), false) => write!(f, "${oid}"),
            (Some(oid), true) => write!(f, "${oid}$1"),
            (None, true) => f.write_str("$$1"),
            (None, false) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_with_and_without_what_may_be_missing() {
        for (text, shown) in [
            ("1$smdp.example$", "1$smdp.example$"),
            ("LPA:1$smdp.example$LAB-1", "1$smdp.example$LAB-1"),
            (
                "1$smdp.example$LAB-1$2.999.10",
                "1$smdp.example$LAB-1$2.999.10",
            ),
            ("1$smdp.example$LAB-1$$1", "1$smdp.example$LAB-1$$1"),
            (
                "1$smdp.example$LAB-1$2.999.10$1$later",
                "1$smdp.example$LAB-1$2.999.10$1",
            ),
            ("1$smdp.example$LAB-1$$", "1$smdp.example$LAB-1"),
        ] {
            let code: ActivationCode = text.parse().unwrap();
            assert_eq!(code.to_string(), shown);
        }
        let long = format!("1${}$", "x".repeat(254));
        for text in [
            "", "LPA:", "2$a$b", "1$$b", "1$a", "1$a$b$x", "1$a$b$$2", &long,
        ] {
            let refused = text.parse::<ActivationCode>().unwrap_err().to_string();
            assert!(refused.contains("1$ADDRESS"), "{refused}");
        }
    }
}
