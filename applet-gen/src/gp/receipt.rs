//! Confirmations of delegated management (GPCS 11.1.6) and the receipts in them (GPCS C.5): what a card
//! proves to have done.

use super::command::lv;
use super::signature::{SigningKey, VerifyingKey};

/// A confirmation, as the response to LOAD, INSTALL or DELETE carries it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmation {
    /// The receipt: a signature by the security domain with Receipt Generation.
    pub receipt: Vec<u8>,
    /// Confirmation counter.
    pub counter: u16,
    /// Identification number (42) and image number (45) of that security domain, one after the other.
    pub unique: Vec<u8>,
    /// The token identifier, if the token had one.
    pub token_identifier: Option<Vec<u8>>,
    /// Digest of the token's data, if the card gives one.
    pub token_digest: Option<Vec<u8>>,
}

/// Why a confirmation can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfirmationError {
    /// It ends early.
    #[error("the confirmation ends inside its {0}")]
    Cut(&'static str),
    /// The counter hasn't two bytes.
    #[error("the confirmation counter has {0} bytes, it has 2")]
    Counter(usize),
    /// Bytes follow.
    #[error("{0} bytes follow the confirmation")]
    Trailing(usize),
}

/// Splits a field with its BER length (one or two bytes) off.
fn field<'a>(rest: &mut &'a [u8], name: &'static str) -> Result<&'a [u8], ConfirmationError> {
    let cut = ConfirmationError::Cut(name);
    let (length, tail) = match rest {
        [0x81, length, tail @ ..] => (*length, tail),
        [length, tail @ ..] if *length < 0x80 => (*length, tail),
        _ => return Err(cut),
    };
    let (value, tail) = tail.split_at_checked(length.into()).ok_or(cut)?;
    *rest = tail;
    Ok(value)
}

impl Confirmation {
    /// Reads the response data; `None` for the single byte 00 (no confirmation), or none at all.
    ///
    /// # Errors
    /// [`ConfirmationError`].
    pub fn parse(response: &[u8]) -> Result<Option<Self>, ConfirmationError> {
        let mut outer = response;
        if matches!(outer, [] | [0]) {
            return Ok(None);
        }
        let mut rest = field(&mut outer, "length")?;
        if !outer.is_empty() {
            return Err(ConfirmationError::Trailing(outer.len()));
        }
        let receipt = field(&mut rest, "receipt")?.to_vec();
        let counter = field(&mut rest, "confirmation counter")?;
        let counter = counter
            .try_into()
            .map(u16::from_be_bytes)
            .map_err(|_| ConfirmationError::Counter(counter.len()))?;
        let unique = field(&mut rest, "unique data")?.to_vec();
        let mut optional = |name| -> Result<Option<Vec<u8>>, ConfirmationError> {
            if rest.is_empty() {
                return Ok(None);
            }
            field(&mut rest, name).map(|value| Some(value.to_vec()))
        };
        let token_identifier = optional("token identifier")?;
        let token_digest = optional("token digest")?;
        if !rest.is_empty() {
            return Err(ConfirmationError::Trailing(rest.len()));
        }
        Ok(Some(Confirmation {
            receipt,
            counter,
            unique,
            token_identifier,
            token_digest,
        }))
    }

    /// A signed confirmation: the card's side.
    pub fn sign(
        counter: u16,
        unique: &[u8],
        token_identifier: Option<Vec<u8>>,
        operation: &Operation<'_>,
        key: &SigningKey,
    ) -> Self {
        let mut confirmation = Confirmation {
            receipt: Vec::new(),
            counter,
            unique: unique.to_vec(),
            token_identifier,
            token_digest: None,
        };
        confirmation.receipt = key.sign(&confirmation.input(operation));
        confirmation
    }

    /// Confirmation data (GPCS table 11-14).
    pub fn data(&self) -> Vec<u8> {
        let mut data = lv(&self.counter.to_be_bytes());
        data.extend(lv(&self.unique));
        for optional in [&self.token_identifier, &self.token_digest] {
            data.extend(optional.iter().flat_map(|value| lv(value)));
        }
        data
    }

    /// The response data.
    pub fn to_bytes(&self) -> Vec<u8> {
        lv(&[lv(&self.receipt), self.data()].concat())
    }

    /// What the receipt signs: confirmation data and what was done.
    pub fn input(&self, operation: &Operation<'_>) -> Vec<u8> {
        [self.data(), operation.fields()].concat()
    }

    /// True if the receipt is this operation's.
    pub fn verify(&self, operation: &Operation<'_>, key: &VerifyingKey) -> bool {
        key.verify(&self.input(operation), &self.receipt)
    }
}

/// What a receipt confirms (GPCS tables C-11 to C-15): AIDs, and what went with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation<'a> {
    /// A load file came into a security domain.
    Load {
        /// Executable load file.
        load_file: &'a [u8],
        /// The domain it is associated with.
        domain: &'a [u8],
    },
    /// An instance was installed or made selectable.
    Install {
        /// Executable load file.
        load_file: &'a [u8],
        /// Instance.
        instance: &'a [u8],
    },
    /// An application or load file went from one security domain to another.
    Extradition {
        /// Its domain before.
        from: &'a [u8],
        /// Application or load file.
        object: &'a [u8],
        /// Its domain now.
        to: &'a [u8],
    },
    /// A registry entry was changed.
    RegistryUpdate {
        /// The application's domain before; empty if it stays.
        from: &'a [u8],
        /// Application.
        application: &'a [u8],
        /// Its domain now; empty if it stays.
        to: &'a [u8],
        /// Privileges as in the command.
        privileges: &'a [u8],
        /// Parameters as in the command.
        parameters: &'a [u8],
    },
    /// An application or load file was deleted.
    Delete {
        /// Application or load file.
        object: &'a [u8],
    },
}

impl Operation<'_> {
    fn fields(&self) -> Vec<u8> {
        let fields: &[&[u8]] = match self {
            Operation::Load { load_file, domain } => &[load_file, domain],
            Operation::Install {
                load_file,
                instance,
            } => &[load_file, instance],
            Operation::Extradition { from, object, to } => &[from, object, to],
            Operation::RegistryUpdate {
                from,
                application,
                to,
                privileges,
                parameters,
            } => &[from, application, to, privileges, parameters],
            Operation::Delete { object } => &[object],
        };
        fields.iter().flat_map(|value| lv(value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::scp03::AesKey;
    use super::*;
    use proptest::prelude::*;

    fn key() -> SigningKey {
        SigningKey::Aes(AesKey::new(&[0x17; 16]).unwrap())
    }

    #[test]
    fn the_signed_data_are_those_of_public_implementations() {
        // GlobalPlatformPro's ReceiptVerifier signs confirmation data, then each AID with its length; gpshell's
        // build_confirmation_data: counter, card unique data, each with its length.
        let load = Operation::Load {
            load_file: &[1; 5],
            domain: &[2; 6],
        };
        let made = Confirmation::sign(0x0102, &[0x42, 0x45], None, &load, &key());
        let data = hex::decode("020102024245").unwrap();
        assert_eq!(made.data(), data);
        let signed = [&data[..], &[5], &[1; 5], &[6], &[2; 6]].concat();
        assert_eq!(made.receipt, key().sign(&signed));
        let response = made.to_bytes();
        assert_eq!(response[..2], [16 + 1 + 6, 16]);
        let read = Confirmation::parse(&response).unwrap().unwrap();
        assert_eq!(read, made);
        assert!(read.verify(&load, &key().verifying()));
        let other = Operation::Delete { object: &[1; 5] };
        assert!(!read.verify(&other, &key().verifying()));
    }

    #[test]
    fn no_confirmation_is_one_byte() {
        assert_eq!(Confirmation::parse(&[0]), Ok(None));
        assert_eq!(Confirmation::parse(&[]), Ok(None));
        assert_eq!(
            Confirmation::parse(&[2, 2, 1]),
            Err(ConfirmationError::Cut("receipt"))
        );
    }

    proptest! {
        #[test]
        fn confirmations_come_back(counter: u16, unique in proptest::collection::vec(any::<u8>(), 1..20), id in proptest::option::of(proptest::collection::vec(any::<u8>(), 0..5))) {
            let operation = Operation::Install { load_file: &[1; 5], instance: &[2; 7] };
            let made = Confirmation::sign(counter, &unique, id, &operation, &key());
            prop_assert_eq!(Confirmation::parse(&made.to_bytes()), Ok(Some(made)));
        }

        #[test]
        fn garbage_never_panics(data in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = Confirmation::parse(&data);
        }
    }
}
