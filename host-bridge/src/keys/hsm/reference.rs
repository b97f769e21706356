//! PKCS#11 URIs (RFC 7512), as far as they name a secret key.

use std::fmt;

/// The scheme that marks a reference where a key's value could stand.
const SCHEME: &str = "pkcs11:";

/// Which key of a token: `pkcs11:object=LABEL`, `pkcs11:id=%01%02`, or both; `token=LABEL` is compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObjectReference {
    /// Label of the token.
    pub token: Option<String>,
    /// CKA_LABEL.
    pub object: Option<String>,
    /// CKA_ID.
    pub id: Option<Vec<u8>>,
}

impl ObjectReference {
    /// Reads a reference; `None` for a text that is none.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Option<Result<Self, String>> {
        Some(Self::parse_path(text.trim().strip_prefix(SCHEME)?))
    }

    fn parse_path(path: &str) -> Result<Self, String> {
        let mut out = ObjectReference {
            token: None,
            object: None,
            id: None,
        };
        for attribute in path.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = attribute
                .split_once('=')
                .ok_or_else(|| format!("{attribute:?} is no attribute of the form name=value"))?;
            let bytes = percent_decoded(value)?;
            let text = || {
                String::from_utf8(bytes.clone()).map_err(|_| format!("{name} is not UTF-8 text"))
            };
            match name {
                "token" => out.token = Some(text()?),
                "object" => out.object = Some(text()?),
                "id" => out.id = Some(bytes),
                "type" if text()? == "secret-key" => {}
                // RFC 7512 knows pin-value, too: a PIN has no place in a file.
                _ => {
                    return Err(format!(
                        "attribute {name} is not used here: object, id, token and type=secret-key are"
                    ));
                }
            }
        }
        match (&out.object, &out.id) {
            (None, None) => Err("object= or id= is missing".to_owned()),
            _ => Ok(out),
        }
    }
}

fn percent_decoded(text: &str) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        rest = tail;
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digits = rest.split_at_checked(2);
        let decoded = digits.and_then(|(digits, tail)| Some((hex::decode(digits).ok()?, tail)));
        let Some((value, tail)) = decoded else {
            return Err("% is followed by two hexadecimal digits".to_owned());
        };
        out.extend(value);
        rest = tail;
    }
    Ok(out)
}

impl fmt::Display for ObjectReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        parts.extend(self.token.iter().map(|token| format!("token={token}")));
        parts.extend(self.object.iter().map(|object| format!("object={object}")));
        parts.extend(self.id.iter().map(|id| {
            let id: String = id.iter().map(|byte| format!("%{byte:02X}")).collect();
            format!("id={id}")
        }));
        write!(f, "{SCHEME}{}", parts.join(";"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn references_are_read() {
        let read = |text: &str| ObjectReference::parse(text).unwrap();
        let key = read("pkcs11:token=Lab%201;object=ISD-MASTER;id=%01%FF;type=secret-key").unwrap();
        assert_eq!(key.token.as_deref(), Some("Lab 1"));
        assert_eq!(key.object.as_deref(), Some("ISD-MASTER"));
        assert_eq!(key.id, Some(vec![1, 0xFF]));
        assert_eq!(
            key.to_string(),
            "pkcs11:token=Lab 1;object=ISD-MASTER;id=%01%FF"
        );
        assert!(ObjectReference::parse("00112233").is_none());
        for bad in [
            "pkcs11:",
            "pkcs11:token=a",
            "pkcs11:object",
            "pkcs11:object=a;pin-value=1",
            "pkcs11:id=%0",
        ] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "pkcs11:[a-z=;%0-9é]{0,40}") {
            let _ = ObjectReference::parse(&text);
        }
    }
}
