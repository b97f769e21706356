//! The eUICC's identifier.

use applet_model::sgp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// An EID: 32 decimal digits, kept as 16 bytes, two digits a byte, first digit in the high nibble
/// (SGP.22 4.3 `Octet16`, SGP.02 2.2.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Eid([u8; 16]);

/// Why a text is not an EID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EidError {
    /// Not 32 characters.
    #[error("an EID has 32 digits, this has {0}")]
    Length(usize),
    /// Something that is no decimal digit.
    #[error("an EID has decimal digits only, digit {position} is {found:?}")]
    Digit {
        /// Which digit, from 1.
        position: usize,
        /// What stands there.
        found: char,
    },
    /// The two check digits don't fit.
    #[error("the check digits of the EID are {found:02}, they should be {expected:02}")]
    CheckDigits {
        /// The digits that the first 30 call for.
        expected: u8,
        /// The digits found.
        found: u8,
    },
}

impl Eid {
    /// The EID's 16 bytes as they stand in `eidValue`. Whether the check digits fit is asked by
    /// [`Eid::check`].
    ///
    /// # Errors
    /// [`EidError::Digit`] if a nibble is no decimal digit.
    pub fn from_bytes(bytes: [u8; 16]) -> Result<Self, EidError> {
        for (i, b) in bytes.iter().enumerate() {
            for (half, nibble) in [b >> 4, b & 15].into_iter().enumerate() {
                if nibble > 9 {
                    return Err(EidError::Digit {
                        position: 2 * i + half + 1,
                        found: char::from_digit(u32::from(nibble), 16).unwrap_or('?'),
                    });
                }
            }
        }
        Ok(Eid(bytes))
    }

    /// The EID made of 30 digits and the check digits that belong to them (ISO/IEC 7064 MOD 97-10:
    /// with the check digits set to 00, 98 minus the remainder of the division by 97).
    ///
    /// # Errors
    /// [`EidError::Length`] (counted with the check digits) or [`EidError::Digit`].
    pub fn with_check_digits(first_30: &str) -> Result<Self, EidError> {
        let zero: Eid = parse_digits(&format!("{first_30}00"))?;
        let check = zero.expected_check_digits();
        let mut bytes = zero.0;
        bytes[15] = (check / 10) << 4 | (check % 10);
        Ok(Eid(bytes))
    }

    fn expected_check_digits(&self) -> u8 {
        let mut rest = 0u32;
        for (i, b) in self.0.iter().enumerate() {
            let two = if i == 15 {
                0
            } else {
                u32::from(b >> 4) * 10 + u32::from(b & 15)
            };
            rest = (rest * 100 + two) % 97;
        }
        (98 - rest) as u8
    }

    /// Checks the two check digits.
    ///
    /// # Errors
    /// [`EidError::CheckDigits`] with the digits that would fit.
    pub fn check(&self) -> Result<(), EidError> {
        let expected = self.expected_check_digits();
        let found = (self.0[15] >> 4) * 10 + (self.0[15] & 15);
        if expected == found {
            Ok(())
        } else {
            Err(EidError::CheckDigits { expected, found })
        }
    }

    /// The 16 bytes of `eidValue`.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

fn parse_digits(text: &str) -> Result<Eid, EidError> {
    let count = text.chars().count();
    if count != 32 {
        return Err(EidError::Length(count));
    }
    let mut bytes = [0u8; 16];
    for (i, c) in text.chars().enumerate() {
        let digit = c.to_digit(10).ok_or(EidError::Digit {
            position: i + 1,
            found: c,
        })?;
        let shift = if i % 2 == 0 { 4 } else { 0 };
        bytes[i / 2] |= (digit as u8) << shift;
    }
    Ok(Eid(bytes))
}

impl FromStr for Eid {
    type Err = EidError;

    /// 32 digits, with check digits that fit.
    fn from_str(text: &str) -> Result<Self, EidError> {
        let eid = parse_digits(text)?;
        eid.check()?;
        Ok(eid)
    }
}

impl From<Eid> for sgp::Eid {
    fn from(eid: Eid) -> Self {
        sgp::Eid(eid.0)
    }
}

impl fmt::Display for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Eid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Eid({self})")
    }
}

impl Serialize for Eid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Eid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn check_digits() {
        // SGP.26's example eUICC.
        let eid: Eid = "89049032123451234512345678901235".parse().unwrap();
        assert_eq!(eid.to_string(), "89049032123451234512345678901235");
        assert_eq!(
            Eid::with_check_digits("890490321234512345123456789012").unwrap(),
            eid
        );
        assert_eq!(
            "89049032123451234512345678901236".parse::<Eid>(),
            Err(EidError::CheckDigits {
                expected: 35,
                found: 36
            })
        );
        // The EID of osmocom/pysim's SCP03 vectors.
        assert_eq!(
            Eid::with_check_digits("898821199000000000000000000000")
                .unwrap()
                .to_string(),
            "89882119900000000000000000000005"
        );
        assert_eq!("8904".parse::<Eid>(), Err(EidError::Length(4)));
        assert_eq!(
            "8904903212345123451234567890123A".parse::<Eid>(),
            Err(EidError::Digit {
                position: 32,
                found: 'A'
            })
        );
        assert!(Eid::from_bytes([0xAB; 16]).is_err());
    }
}
