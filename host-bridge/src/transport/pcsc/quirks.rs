//! Readers that need other treatment than the standard says: `quirks.toml`, and a station's own file.

use super::super::LinkError;
use serde::{Deserialize, Serialize};
use std::sync::OnceLock;
use std::time::Duration;

/// The variable that names a station's own file.
pub const VARIABLE: &str = "IPAE_READER_QUIRKS";

const SHIPPED: &str = include_str!("quirks.toml");

/// What is known of a kind of reader, and what is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    /// Parts of the reader's name, lower case, all of which it contains.
    pub reader: Vec<String>,
    /// USB vendor and product identifiers, hexadecimal, for drivers that tell them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usb: Option<String>,
    /// Who makes it.
    pub vendor: String,
    /// What goes wrong without the cure.
    pub symptom: String,
    /// Where it was reported.
    pub source: String,
    /// Le goes with a case 4 command over T=0: the reader fetches the answer itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keep_le: bool,
    /// Le doesn't go with a case 4 command whatever the protocol.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub strip_le: bool,
    /// No extended length.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub short_only: bool,
    /// Most command data bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_data: Option<u16>,
    /// How often a card that seems mute is powered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_tries: Option<u8>,
    /// Pause before it is powered again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_pause_ms: Option<u16>,
    /// Pause after each reset, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reset_pause_ms: Option<u16>,
    /// What a person can do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    quirk: Vec<Quirk>,
}

impl Quirk {
    /// Whether it is about a reader of this name, with these USB identifiers if the driver tells them.
    pub fn fits(&self, name: &str, usb: Option<&str>) -> bool {
        let name = name.to_lowercase();
        let named =
            !self.reader.is_empty() && self.reader.iter().all(|part| name.contains(part.as_str()));
        named || self.usb.is_some() && self.usb.as_deref() == usb
    }

    /// What is done about it, in words.
    pub fn cure(&self) -> String {
        let mut all = Vec::new();
        if self.keep_le {
            all.push("Le is sent with case 4 over T=0".to_owned());
        }
        if self.strip_le {
            all.push("case 4 goes without Le, the answer is fetched".to_owned());
        }
        if self.short_only {
            all.push("no extended length".to_owned());
        }
        if let Some(most) = self.max_data {
            all.push(format!("at most {most} bytes of command data"));
        }
        if let Some(tries) = self.power_tries {
            let pause = self.power_pause_ms.unwrap_or_default();
            all.push(format!(
                "a mute card is powered up to {tries} times, {pause} ms apart"
            ));
        }
        if let Some(pause) = self.reset_pause_ms {
            all.push(format!("{pause} ms of pause after a reset"));
        }
        all.extend(self.advice.clone());
        all.join("; ")
    }
}

fn parse(text: &str, name: &str) -> Result<Vec<Quirk>, LinkError> {
    toml::from_str::<Table>(text)
        .map(|table| table.quirk)
        .map_err(|e| LinkError::Quirks(format!("{name}: {e}")))
}

/// Every quirk that is known: those that come with the tools, then the station's own.
///
/// # Errors
/// [`LinkError::Quirks`]: the station's file can't be read.
pub fn table() -> Result<&'static [Quirk], LinkError> {
    static TABLE: OnceLock<Result<Vec<Quirk>, LinkError>> = OnceLock::new();
    let read = || {
        let mut all = parse(SHIPPED, "quirks.toml")?;
        if let Some(file) = std::env::var_os(VARIABLE) {
            let name = format!("{VARIABLE}={}", file.display());
            let text = std::fs::read_to_string(&file)
                .map_err(|e| LinkError::Quirks(format!("{name}: {e}")))?;
            all.extend(parse(&text, &name)?);
        }
        Ok(all)
    };
    match TABLE.get_or_init(read) {
        Ok(all) => Ok(all),
        Err(e) => Err(e.clone()),
    }
}

/// The quirks of one reader.
///
/// # Errors
/// [`LinkError::Quirks`].
pub fn of(name: &str, usb: Option<&str>) -> Result<Vec<&'static Quirk>, LinkError> {
    let all = table()?.iter();
    Ok(all.filter(|quirk| quirk.fits(name, usb)).collect())
}

/// How often and with which pauses a card that seems mute is powered.
pub fn power(quirks: &[&Quirk]) -> (u8, Duration) {
    let tries = quirks.iter().filter_map(|q| q.power_tries).max();
    let pause = quirks.iter().filter_map(|q| q.power_pause_ms).max();
    (
        tries.unwrap_or(1).max(1),
        Duration::from_millis(pause.unwrap_or_default().into()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let all = parse(SHIPPED, "quirks.toml").unwrap();
        for quirk in &all {
            assert!(!quirk.cure().is_empty(), "{quirk:?}");
            assert!(quirk.source.starts_with("https://"), "{quirk:?}");
            assert!(!quirk.reader.is_empty());
            for part in &quirk.reader {
                assert_eq!(*part, part.to_lowercase());
            }
        }
    }

    #[test]
    fn readers_are_known_by_name_or_usb_identifiers() {
        let cures = |name: &str, usb: Option<&str>| -> Vec<bool> {
            let quirks = parse(SHIPPED, "").unwrap();
            let fitting = quirks.iter().filter(|q| q.fits(name, usb));
            fitting.map(|q| q.short_only).collect()
        };
        assert_eq!(cures("OMNIKEY CardMan 1021 00 00", None), [false]);
        assert_eq!(cures("OmniKey CardMan 3121 00 00", None), [true]);
        assert_eq!(
            cures("OMNIKEY (076B:3021) 00 00", Some("076B:3021")),
            [true]
        );
        assert_eq!(cures("ACS ACR38U 00 00", Some("072F:90CC")), [false; 0]);
    }

    #[test]
    fn a_file_with_an_error_is_named() {
        let error = parse("[[quirk]]\nreader = 1", "mine.toml").unwrap_err();
        assert!(error.to_string().contains("mine.toml"), "{error}");
    }
}
