//! Byte strings as hexadecimal digits in TOML and JSON.

use serde::{Deserialize, Deserializer, Serializer};

/// `serialize_with`.
pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode_upper(bytes))
}

/// `deserialize_with`.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    hex::decode(&text).map_err(|e| {
        serde::de::Error::custom(format!(
            "\"{text}\" is not a string of hexadecimal digits: {e}"
        ))
    })
}
