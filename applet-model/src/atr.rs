//! Answer to reset (ISO/IEC 7816-3 8.2, ETSI TS 102 221 6.3): what a card says of itself at power-up.

use core::fmt;

/// Why bytes are no answer to reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AtrError {
    /// The initial character is neither 3B nor 3F.
    #[error("an answer to reset starts with 3B or 3F, this one with {0:02X}")]
    Convention(u8),
    /// The bytes end before all that T0 and TDi announce.
    #[error("the answer to reset ends after {found} bytes, {expected} are announced")]
    Cut {
        /// Bytes announced so far.
        expected: usize,
        /// Bytes there.
        found: usize,
    },
    /// More bytes than announced.
    #[error("{0} bytes follow the end of the answer to reset")]
    Trailing(usize),
    /// The exclusive-or of T0 to TCK is not zero (8.2.5).
    #[error("the check byte TCK is {found:02X}, the bytes before it give {expected:02X}")]
    CheckByte {
        /// What it has to be.
        expected: u8,
        /// What it is.
        found: u8,
    },
}

/// The interface bytes behind one TD (or T0): for protocol T, which the byte before them names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Interface {
    /// Protocol type T of the TD before these bytes; 0 behind T0.
    pub protocol: u8,
    /// TAi.
    pub ta: Option<u8>,
    /// TBi.
    pub tb: Option<u8>,
    /// TCi.
    pub tc: Option<u8>,
}

/// An answer to reset, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Atr {
    /// Inverse convention (3F) instead of direct (3B).
    pub inverse: bool,
    /// Interface bytes, those behind T0 first.
    pub interfaces: Vec<Interface>,
    /// Historical bytes.
    pub historical: Vec<u8>,
}

/// Clock rate conversion integers Fi by the high nibble of TA1 (ISO/IEC 7816-3 table 7); 0 is reserved.
const FI: [u16; 16] = [
    372, 372, 558, 744, 1116, 1488, 1860, 0, 0, 512, 768, 1024, 1536, 2048, 0, 0,
];
/// Baud rate adjustment integers Di by the low nibble of TA1 (table 8); 0 is reserved.
const DI: [u16; 16] = [0, 1, 2, 4, 8, 16, 32, 64, 12, 20, 0, 0, 0, 0, 0, 0];
/// Protocol type of global interface bytes (8.2.3).
const GLOBAL: u8 = 15;

impl Atr {
    /// Takes an answer to reset apart.
    ///
    /// # Errors
    /// [`AtrError`].
    pub fn parse(bytes: &[u8]) -> Result<Atr, AtrError> {
        let mut at = 0;
        let mut next = || -> Result<u8, AtrError> {
            at += 1;
            bytes.get(at - 1).copied().ok_or(AtrError::Cut {
                expected: at,
                found: bytes.len(),
            })
        };
        let inverse = match next()? {
            0x3B => false,
            0x3F => true,
            other => return Err(AtrError::Convention(other)),
        };
        let t0 = next()?;
        let mut interfaces = Vec::new();
        let (mut follow, mut protocol, mut checked) = (t0 >> 4, 0, false);
        loop {
            let mut optional = |bit: u8| match follow & bit {
                0 => Ok(None),
                _ => next().map(Some),
            };
            let (ta, tb, tc, td) = (optional(1)?, optional(2)?, optional(4)?, optional(8)?);
            interfaces.push(Interface {
                protocol,
                ta,
                tb,
                tc,
            });
            let Some(td) = td else { break };
            (follow, protocol) = (td >> 4, td & 0x0F);
            // TCK is there unless T=0 is the only protocol that is named (8.2.5).
            checked |= protocol != 0;
        }
        let end = at + usize::from(t0 & 0x0F);
        let expected = end + usize::from(checked);
        let cut = AtrError::Cut {
            expected,
            found: bytes.len(),
        };
        let historical = bytes.get(at..end).ok_or(cut)?.to_vec();
        if checked {
            let found = *bytes.get(end).ok_or(cut)?;
            let expected = bytes.iter().take(end).skip(1).fold(0, |sum, b| sum ^ b);
            if found != expected {
                return Err(AtrError::CheckByte { expected, found });
            }
        }
        if bytes.len() > expected {
            return Err(AtrError::Trailing(bytes.len() - expected));
        }
        Ok(Atr {
            inverse,
            interfaces,
            historical,
        })
    }

    /// Transmission protocols offered, in the card's order: T=0 if none is named (8.2.3).
    pub fn protocols(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for interface in self.interfaces.iter().skip(1) {
            if interface.protocol != GLOBAL && !all.contains(&interface.protocol) {
                all.push(interface.protocol);
            }
        }
        if all.is_empty() {
            all.push(0);
        }
        all
    }

    /// (Fi, Di) of TA1; the default (372, 1) without it, `None` for reserved values.
    pub fn speed(&self) -> Option<(u16, u16)> {
        let ta1 = self.interfaces.first()?.ta.unwrap_or(0x11);
        let fi = FI.get(usize::from(ta1 >> 4)).copied()?;
        let di = DI.get(usize::from(ta1 & 0x0F)).copied()?;
        (fi != 0 && di != 0).then_some((fi, di))
    }

    /// The protocol that the card insists on (TA2, specific mode), if it does.
    pub fn specific_mode(&self) -> Option<u8> {
        Some(self.interfaces.get(1)?.ta? & 0x0F)
    }

    /// The first interface bytes for this protocol behind TD2 and later.
    fn of(&self, protocol: u8) -> Option<&Interface> {
        self.interfaces
            .iter()
            .skip(2)
            .find(|interface| interface.protocol == protocol)
    }

    /// Information field size for T=1 (11.4.2); 32 if T=1 is offered without one.
    pub fn ifsc(&self) -> Option<u8> {
        if !self.protocols().contains(&1) {
            return None;
        }
        Some(self.of(1).and_then(|i| i.ta).unwrap_or(32))
    }

    /// Supply voltage classes (first TA after T=15, bits 1 to 3): A 5 V, B 3 V, C 1.8 V.
    pub fn classes(&self) -> Option<String> {
        let ta = self.of(GLOBAL)?.ta?;
        let names = [(1, 'A'), (2, 'B'), (4, 'C')];
        let text: String = names
            .iter()
            .filter(|(bit, _)| ta & bit != 0)
            .map(|(_, name)| *name)
            .collect();
        (!text.is_empty()).then_some(text)
    }

    /// What the card capabilities among the historical bytes say of extended Lc and Le fields (ISO/IEC
    /// 7816-4 12.1.1.9, third software function table); `None` if they aren't there: EF.ATR may have them.
    pub fn extended_length(&self) -> Option<bool> {
        // Category 80: compact-TLV to the end; 00: the same before three status bytes (12.1.1.2).
        let mut objects = match self.historical.as_slice() {
            [0x80, objects @ ..] => objects,
            [0x00, objects @ .., _, _, _] => objects,
            _ => return None,
        };
        while let [head, rest @ ..] = objects {
            let value = rest.get(..usize::from(head & 0x0F))?;
            if head >> 4 == 7 {
                return value.get(2).map(|table| table & 0x40 != 0);
            }
            objects = rest.get(value.len()..)?;
        }
        None
    }

    /// Whether the card calls itself an eUICC: bits 8 and 2 of the first TB after T=15 (GSMA SGP.02 2.2.1.1).
    pub fn is_euicc(&self) -> bool {
        self.of(GLOBAL)
            .and_then(|interface| interface.tb)
            .is_some_and(|tb| tb & 0x82 == 0x82)
    }
}

impl fmt::Display for Atr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let protocols: Vec<String> = self.protocols().iter().map(|t| format!("T={t}")).collect();
        f.write_str(&protocols.join(", "))?;
        if let Some(t) = self.specific_mode() {
            write!(f, " (specific mode T={t})")?;
        }
        match self.speed() {
            Some((fi, di)) => write!(f, "; F={fi}, D={di}")?,
            None => f.write_str("; TA1 has reserved values")?,
        }
        if let Some(size) = self.ifsc() {
            write!(f, ", IFSC {size}")?;
        }
        if let Some(classes) = self.classes() {
            write!(f, "; class {classes}")?;
        }
        if self.extended_length() == Some(true) {
            f.write_str("; extended length")?;
        }
        if self.is_euicc() {
            f.write_str("; eUICC")?;
        }
        if self.inverse {
            f.write_str("; inverse convention")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(hex: &str) -> Result<Atr, AtrError> {
        Atr::parse(&hex::decode(hex).unwrap())
    }

    #[test]
    fn answers_to_reset_of_the_standards_and_of_cards() {
        // GSM 11.11's classic: T=0 only, no TCK.
        let gsm = parse("3B00").unwrap();
        assert_eq!(gsm.protocols(), [0]);
        assert_eq!(gsm.speed(), Some((372, 1)));
        // The virtual card's.
        let own = parse("3B9C96803FC7828031E073FE2113644950416547").unwrap();
        assert_eq!(own.protocols(), [0]);
        assert_eq!(own.speed(), Some((512, 32)));
        assert_eq!(own.classes().as_deref(), Some("ABC"));
        assert!(own.is_euicc());
        assert_eq!(own.historical.len(), 12);
        assert_eq!(own.to_string(), "T=0; F=512, D=32; class ABC; eUICC");
        // Two of the field: a SIM with the eUICC flag, one of the same make without.
        let flagged = parse("3B9F96803F87828031E073FE211F574543753130136502").unwrap();
        let bare = parse("3B9F96801F878031E073FE211B674A4C753034054BA9").unwrap();
        assert!(flagged.is_euicc() && !bare.is_euicc());
        // A JCOP 2.4.1 card: T=1 with IFSC FE.
        let t1 = parse("3BF81300008131FE454A434F5076323431B7");
        assert_eq!(t1.as_ref().map(|a| a.protocols()), Ok(vec![1]));
        assert_eq!(t1.unwrap().ifsc(), Some(0xFE));
    }

    #[test]
    fn extended_length_is_in_the_historical_bytes() {
        // Card capabilities 73 FE 21 13: no extended length.
        let own = parse("3B9C96803FC7828031E073FE2113644950416547").unwrap();
        assert_eq!(own.extended_length(), Some(false));
        // The same with bit 7 of the third table, T=1 with IFSC FE.
        let long = parse("3B9C9681B1FE453FC7828031E073FE215364495041650C").unwrap();
        assert_eq!(long.extended_length(), Some(true));
        assert_eq!((long.protocols(), long.ifsc()), (vec![1], Some(0xFE)));
        assert!(long.is_euicc());
        assert!(
            long.to_string().starts_with("T=1; ") && long.to_string().contains("extended length")
        );
        // No card capabilities, or cut ones.
        assert_eq!(parse("3B00").unwrap().extended_length(), None);
        assert_eq!(parse("3B03807300").unwrap().extended_length(), None);
    }

    #[test]
    fn damage_is_told() {
        assert_eq!(parse("3C00"), Err(AtrError::Convention(0x3C)));
        assert_eq!(
            parse("3B90"),
            Err(AtrError::Cut {
                expected: 3,
                found: 2
            })
        );
        assert_eq!(parse("3B0000"), Err(AtrError::Trailing(1)));
        assert!(matches!(
            parse("3B9C96803FC7828031E073FE2113644950416548"),
            Err(AtrError::CheckByte { .. })
        ));
    }

    proptest! {
        #[test]
        fn anything_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            if let Ok(atr) = Atr::parse(&bytes) {
                let _ = atr.to_string();
            }
        }
    }
}
