//! The one text of a JSON value that is hashed and signed: RFC 8785 (JCS) for values without fractions.

use serde::Serialize;
use serde_json::Value;

/// Largest integer that every JSON reader takes without loss: 2⁵³ − 1 (RFC 8785 3.2.2.3).
const MAX_INTEGER: u64 = (1 << 53) - 1;

/// The value's canonical text: keys sorted by their UTF-16 code units, no white space, the shortest
/// escapes.
///
/// # Errors
/// What can't be written so: fractions, integers beyond 2⁵³ − 1.
pub fn canonical<T: Serialize + ?Sized>(value: &T) -> Result<String, String> {
    let value = serde_json::to_value(value).map_err(|e| e.to_string())?;
    let mut out = String::new();
    write(&value, &mut out)?;
    Ok(out)
}

fn write(value: &Value, out: &mut String) -> Result<(), String> {
    match value {
        Value::Number(number) => {
            let size = number
                .as_u64()
                .or_else(|| number.as_i64().map(i64::unsigned_abs));
            if size.is_none_or(|n| n > MAX_INTEGER) {
                return Err(format!("{number} is no integer that JSON keeps"));
            }
            out.push_str(&number.to_string());
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {
            // serde_json escapes as RFC 8785 3.2.2.2 does.
            out.push_str(&serde_json::to_string(value).map_err(|e| e.to_string())?);
        }
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out)?;
            }
            out.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<(&String, &Value)> = members.iter().collect();
            sorted.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (key, value)) in sorted.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(&Value::String(key.clone()), out)?;
                out.push(':');
                write(value, out)?;
            }
            out.push('}');
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_example_of_rfc_8785_3_2_3() {
        // The sorting example of the RFC: by UTF-16 code units, so that the emoji comes before U+FB33.
        let value = json!({
            "\u{20ac}": "Euro Sign", "\r": "Carriage Return",
            "\u{fb33}": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\u{1f600}": "Emoji: Grinning Face", "\u{80}": "Control",
            "\u{f6}": "Latin Small Letter O With Diaeresis"
        });
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\
             \"\u{f6}\":\"Latin Small Letter O With Diaeresis\",\"\u{20ac}\":\"Euro Sign\",\
             \"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
        );
    }

    #[test]
    fn literals_and_escapes() {
        let value = json!({"b": [null, true, false, -1, 0], "a": "\u{20ac}$\u{f}\nA'B\"\\/"});
        assert_eq!(
            canonical(&value).unwrap(),
            "{\"a\":\"\u{20ac}$\\u000f\\nA'B\\\"\\\\/\",\"b\":[null,true,false,-1,0]}"
        );
        assert!(canonical(&json!(1.5)).is_err());
        assert!(canonical(&json!(1u64 << 53)).is_err());
        assert_eq!(canonical(&json!(MAX_INTEGER)).unwrap(), "9007199254740991");
    }
}
