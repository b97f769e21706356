//! Names and reported quirks from `known.toml`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::OnceLock;

const TEXT: &str = include_str!("known.toml");
/// Digits of an EID that its EUM is told by.
pub const PREFIX: usize = 8;

/// The table.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    eums: Names,
    issuers: Names,
    isd_rs: IsdRs,
    products: Atrs,
    quirk: Vec<Quirk>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    source: String,
    names: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Atrs {
    source: String,
    atrs: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct IsdRs {
    source: String,
    aids: Vec<IsdR>,
}

/// An AID that an ISD-R has.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IsdR {
    /// The AID.
    #[serde(with = "hex::serde")]
    pub aid: Vec<u8>,
    /// Whose it is.
    pub of: String,
}

/// A reported quirk.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quirk {
    eum: Option<String>,
    product: Option<String>,
    isd_r: Option<String>,
    iot: Option<bool>,
    /// What was seen.
    pub what: String,
    /// Where it was reported.
    pub source: String,
}

/// What quirks are looked up by.
#[derive(Debug, Default)]
pub struct Card<'a> {
    /// The EUM's name.
    pub eum: Option<&'a str>,
    /// The product's name.
    pub product: Option<&'a str>,
    /// Whose AID its ISD-R has.
    pub isd_r: Option<&'a str>,
    /// It speaks SGP.32.
    pub iot: bool,
}

/// The table, or what is wrong with it (a test reads it).
pub fn known() -> Result<&'static Known, &'static str> {
    static KNOWN: OnceLock<Result<Known, String>> = OnceLock::new();
    let read = || toml::from_str(TEXT).map_err(|e: toml::de::Error| e.to_string());
    KNOWN.get_or_init(read).as_ref().map_err(String::as_str)
}

impl Known {
    /// The EUM of an EID, by its first digits.
    pub fn eum(&self, eid: &str) -> Option<&str> {
        let prefix = eid.get(..PREFIX)?;
        self.eums.names.get(prefix).map(String::as_str)
    }

    /// The owner of a certificate issuer's key.
    pub fn issuer(&self, key_id: &[u8]) -> Option<&str> {
        let name = self.issuers.names.get(&hex::encode(key_id));
        name.map(String::as_str)
    }

    /// The product with this answer to reset.
    pub fn product(&self, atr: &[u8]) -> Option<&str> {
        let name = self.products.atrs.get(&hex::encode_upper(atr));
        name.map(String::as_str)
    }

    /// AIDs of ISD-Rs, in the order in which they are tried.
    pub fn isd_rs(&self) -> &[IsdR] {
        &self.isd_rs.aids
    }

    /// Where the names come from: EUMs, issuers, AIDs, products.
    pub fn sources(&self) -> [&str; 4] {
        [
            &self.eums.source,
            &self.issuers.source,
            &self.isd_rs.source,
            &self.products.source,
        ]
    }

    /// The quirks reported of such a card.
    pub fn quirks(&self, card: &Card<'_>) -> Vec<&Quirk> {
        let fits = |wanted: &Option<String>, found: Option<&str>| {
            wanted.is_none() || wanted.as_deref() == found
        };
        self.quirk
            .iter()
            .filter(|quirk| {
                fits(&quirk.eum, card.eum)
                    && fits(&quirk.product, card.product)
                    && fits(&quirk.isd_r, card.isd_r)
                    && quirk.iot.is_none_or(|iot| iot == card.iot)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_whole() {
        let known = known().unwrap();
        assert_eq!(known.isd_rs()[0].aid, applet_model::aid::ISD_R);
        let digits =
            |text: &String| text.len() == PREFIX && text.bytes().all(|b| b.is_ascii_digit());
        assert!(known.eums.names.keys().all(digits));
        for id in known.issuers.names.keys() {
            assert_eq!(hex::decode(id).map(|id| id.len()), Ok(20), "{id}");
            assert_eq!(*id, id.to_lowercase());
        }
        for atr in known.products.atrs.keys() {
            let bytes = hex::decode(atr).unwrap();
            applet_model::atr::Atr::parse(&bytes).unwrap_or_else(|e| panic!("{atr}: {e}"));
            assert_eq!(*atr, atr.to_uppercase());
        }
        for aid in known.isd_rs() {
            assert!((5..=16).contains(&aid.aid.len()));
        }
        for quirk in &known.quirk {
            let names = [&quirk.eum, &quirk.product, &quirk.isd_r];
            assert!(names.iter().any(|name| name.is_some()), "{}", quirk.what);
            let is_eum = |name: &String| known.eums.names.values().any(|eum| eum == name);
            assert!(quirk.eum.iter().all(is_eum), "{:?}", quirk.eum);
            let is_aid = |name: &String| known.isd_rs().iter().any(|aid| aid.of == *name);
            assert!(quirk.isd_r.iter().all(is_aid), "{:?}", quirk.isd_r);
            assert!(!quirk.source.is_empty());
        }
        assert!(known.sources().iter().all(|source| !source.is_empty()));
    }

    #[test]
    fn what_is_not_known_has_no_name() {
        let known = known().unwrap();
        assert_eq!(known.eum("89044045000000000000000000000000"), Some("Kigen"));
        assert_eq!(known.eum("8904404"), None);
        assert_eq!(known.eum("00000000000000000000000000000000"), None);
        assert_eq!(known.issuer(&[0; 20]), None);
        assert_eq!(known.product(&[0x3B, 0x00]), None);
        assert!(known.quirks(&Card::default()).is_empty());
        let card = Card {
            eum: Some("Giesecke+Devrient"),
            iot: true,
            ..Card::default()
        };
        assert_eq!(known.quirks(&card).len(), 1);
        let consumer = Card { iot: false, ..card };
        assert!(known.quirks(&consumer).is_empty());
    }
}
