//! One card of an order.

use super::columns::{EIM, Needs, is_config};
use super::digits::iccid_check_digit_fits;
use super::error::OrderFault;
use super::public_key;
use super::table::Cells;
use crate::keys::{self, KeySet, KeyStore, transport};
use applet_model::config::{Config, Form, ITEMS};
use applet_model::sgp::eim_config::{
    EimConfigurationData, EimIdType, EimSupportedProtocol, PublicKeyData,
};
use applet_model::sgp::{Eid, Iccid, KeyId};
use cards::definition::Definition;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::Arc;

/// A card to personalize.
pub struct OrderRow {
    /// Line in the order.
    pub line: usize,
    /// The card.
    pub eid: Eid,
    /// ICCIDs of its profiles, if the order states them.
    pub iccids: Vec<Iccid>,
    /// IMSIs of its profiles, if the order states them.
    pub imsis: Vec<String>,
    /// The card's SCP03 keys.
    pub keys: KeySet,
    /// The keys that are to replace them.
    pub new_keys: Option<KeySet>,
    /// Its first eIM; `None` where the job adds none and the order has none.
    pub eim: Option<Eim>,
    /// The applet's configuration.
    pub config: Config,
    /// What only the job knows, by column: where in the line, and the text. It may be secret.
    pub of_job: BTreeMap<String, (usize, String)>,
    /// What the response file repeats.
    pub echo: Vec<String>,
    pub(super) eid_column: usize,
    pub(super) iccids_column: usize,
    pub(super) imsis_column: usize,
    pub(super) keys_column: usize,
    pub(super) new_keys_column: usize,
}

/// The first eIM of a card.
#[derive(Debug, Clone, PartialEq)]
pub struct Eim {
    /// eimId.
    pub id: String,
    /// What the identifier is.
    pub id_type: EimIdType,
    /// eimFqdn.
    pub fqdn: String,
    /// The key that the eUICC verifies packages with.
    pub public_key: PublicKeyData,
    /// First counter value.
    pub counter: u64,
    /// Ask for an association token.
    pub token: bool,
    /// CI public key identifier.
    pub ci_pk_id: Option<KeyId>,
}

impl Eim {
    /// The entry for AddInitialEim (SGP.32 5.9.4).
    pub fn configuration(&self) -> EimConfigurationData {
        EimConfigurationData {
            eim_fqdn: Some(self.fqdn.clone()),
            eim_id_type: Some(self.id_type),
            counter_value: Some(self.counter),
            association_token: self.token.then_some(-1),
            eim_public_key_data: Some(self.public_key.clone()),
            eim_supported_protocol: Some(EimSupportedProtocol::of(&[
                EimSupportedProtocol::EIM_RETRIEVE_HTTPS,
            ])),
            euicc_ci_pk_id: self.ci_pk_id.clone(),
            ..EimConfigurationData::new(self.id.clone())
        }
    }

    /// The public key's point, uncompressed, for comparing.
    pub(crate) fn point(&self) -> Option<Vec<u8>> {
        public_key::point(&self.public_key)
    }
}

/// The same for an entry that a card shows.
pub(crate) fn point_of(entry: &EimConfigurationData) -> Option<Vec<u8>> {
    public_key::point(entry.eim_public_key_data.as_ref()?)
}

/// Reads cells of one row; every fault goes into the list.
struct Row<'a> {
    cells: &'a Cells,
    faults: &'a mut Vec<OrderFault>,
}

impl Row<'_> {
    fn fault(&mut self, name: &str, message: impl std::fmt::Display) {
        let (column, _) = self.cells.get(name);
        self.faults.push(OrderFault::new(
            self.cells.line,
            column,
            format!("{name}: {message}"),
        ));
    }

    /// The value of a cell that `read` understands; a fault and `None` otherwise.
    fn value<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (_, text) = self.cells.get(name);
        match read(text) {
            Ok(value) => Some(value),
            Err(message) => {
                self.fault(name, message);
                None
            }
        }
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    match text {
        "" => Err("must not be empty".to_owned()),
        text => Ok(text.to_owned()),
    }
}

impl OrderRow {
    /// Reads a row; `None` if it has a fault.
    pub(super) fn read(
        cells: &Cells,
        known: &Known<'_>,
        faults: &mut Vec<OrderFault>,
    ) -> Option<Self> {
        let before = faults.len();
        let mut row = Row { cells, faults };
        let eid = row.value("eid", |text| {
            let eid: Eid = text.parse().map_err(|e| format!("{e}"))?;
            match eid.check().is_ok() {
                true => Ok(eid),
                false => Err(format!(
                    "{text}: the check digits (the last two) do not fit"
                )),
            }
        });
        let iccids = row.value("iccids", |text| {
            text.split_whitespace()
                .map(|iccid| {
                    let read: Iccid = iccid.parse().map_err(|e| format!("{e}"))?;
                    match iccid_check_digit_fits(iccid) {
                        true => Ok(read),
                        false => Err(format!(
                            "{iccid}: the check digit (the last one) does not fit"
                        )),
                    }
                })
                .collect::<Result<Vec<Iccid>, String>>()
        });
        let imsis = row.value("imsis", |text| {
            text.split_whitespace()
                .map(|imsi| {
                    let fits =
                        (6..=15).contains(&imsi.len()) && imsi.bytes().all(|b| b.is_ascii_digit());
                    match fits {
                        true => Ok(imsi.to_owned()),
                        false => Err(format!("{imsi}: an IMSI has 6 to 15 digits")),
                    }
                })
                .collect::<Result<Vec<String>, String>>()
        });
        let keys = read_keys(&mut row, &CURRENT, known);
        let new_keys = match NEW.is_empty(&row) {
            true => Some(None),
            false => read_keys(&mut row, &NEW, known).map(Some),
        };
        let eim = match known.needs.eim || cells.has_any(EIM) {
            true => read_eim(&mut row, known).map(Some),
            false => Some(None),
        };
        let config = read_config(&mut row);
        if faults.len() > before {
            return None;
        }
        Some(OrderRow {
            line: cells.line,
            eid: eid?,
            iccids: iccids?,
            imsis: imsis?,
            keys: keys?,
            new_keys: new_keys?,
            eim: eim?,
            config,
            of_job: cells
                .of_job()
                .map(|(name, column, text)| (name.clone(), (column, text.to_owned())))
                .collect(),
            echo: cells.echo.clone(),
            eid_column: cells.get("eid").0,
            iccids_column: cells.get("iccids").0,
            imsis_column: cells.get("imsis").0,
            keys_column: cells.place(&[CURRENT.set, CURRENT.keys[0]]),
            new_keys_column: cells.place(&[NEW.set, NEW.keys[0]]),
        })
    }
}

/// The columns of one key set.
struct KeyColumns {
    set: &'static str,
    kvn: &'static str,
    keys: [&'static str; 3],
    wrap: &'static str,
    check_values: [&'static str; 3],
}

const CURRENT: KeyColumns = KeyColumns {
    set: "key_set",
    kvn: "kvn",
    keys: ["key_enc", "key_mac", "key_dek"],
    wrap: "key_wrap",
    check_values: ["key_enc_kcv", "key_mac_kcv", "key_dek_kcv"],
};

const NEW: KeyColumns = KeyColumns {
    set: "new_key_set",
    kvn: "new_kvn",
    keys: ["new_key_enc", "new_key_mac", "new_key_dek"],
    wrap: "new_key_wrap",
    check_values: ["new_key_enc_kcv", "new_key_mac_kcv", "new_key_dek_kcv"],
};

impl KeyColumns {
    fn is_empty(&self, row: &Row<'_>) -> bool {
        [self.set, self.kvn, self.wrap]
            .iter()
            .chain(&self.keys)
            .chain(&self.check_values)
            .all(|name| row.cells.get(name).1.is_empty())
    }
}

fn read_keys(row: &mut Row<'_>, columns: &KeyColumns, known: &Known<'_>) -> Option<KeySet> {
    let (definition, store) = (known.definition, known.store);
    let [enc_column, mac_column, dek_column] = columns.keys;
    let kvn = row.value(columns.kvn, |text| match text {
        "" => Ok(None),
        text => match u8::from_str_radix(text, 16) {
            Ok(kvn @ 0x01..=0x7F) => Ok(Some(kvn)),
            _ => Err(format!(
                "{text:?} is no key version: two hexadecimal digits, 01 to 7F"
            )),
        },
    })?;
    let (_, name) = row.cells.get(columns.set);
    let clear = columns.keys.map(|name| row.cells.get(name).1);
    let given = clear.iter().filter(|text| !text.is_empty()).count();
    let mut check_values = [None; 3];
    for (value, column) in check_values.iter_mut().zip(columns.check_values) {
        *value = row.value(column, |text| match text {
            "" => Ok(None),
            text => hex::decode(text)
                .ok()
                .and_then(|bytes| <[u8; 3]>::try_from(bytes).ok())
                .map(Some)
                .ok_or_else(|| "6 hexadecimal digits of a key check value are expected".to_owned()),
        })?;
    }
    let (_, wrap) = row.cells.get(columns.wrap);
    let found = match (name, given) {
        ("", 0) => {
            row.fault(
                columns.set,
                "must not be empty, or the three keys must be given",
            );
            return None;
        }
        (_, 0) if !wrap.is_empty() => Err((
            columns.wrap,
            format!(
                "the keys of {} are in the key file, those of {} come wrapped in the row: one of both is expected",
                columns.set, columns.wrap
            ),
        )),
        (name, 0) => store
            .find(name, kvn, definition)
            .map_err(|e| (columns.set, e.to_string())),
        ("", 3) if !wrap.is_empty() => {
            let kvn = kvn.unwrap_or(definition.isd.scp03.kvn);
            wrapped_set(wrap, kvn, clear, check_values, columns, store)
        }
        ("", 3) => {
            let [enc, mac, dek] = clear;
            let kvn = kvn.unwrap_or(definition.isd.scp03.kvn);
            keys::key_set("in the order", kvn, enc, mac, dek).map_err(|e| {
                let column = match &e {
                    keys::KeyError::Key { key: "mac", .. } => mac_column,
                    keys::KeyError::Key { key: "dek", .. } => dek_column,
                    _ => enc_column,
                };
                (column, e.to_string())
            })
        }
        ("", _) => Err((
            enc_column,
            format!("{enc_column}, {mac_column} and {dek_column} are all needed"),
        )),
        _ => Err((
            columns.set,
            "either a key set's name or the keys, not both".to_owned(),
        )),
    };
    let set = match found {
        Ok(set) => set,
        Err((column, message)) => {
            row.fault(column, message);
            return None;
        }
    };
    // Wrapped keys were compared when they were unwrapped.
    if wrap.is_empty()
        && check_values.iter().any(Option::is_some)
        && let Err(e) = transport::compare(&*set.keys, &check_values)
    {
        row.fault(columns.check_values[0], e);
        return None;
    }
    let (length, wanted) = (
        set.keys.key_length(),
        usize::from(definition.isd.scp03.key_length),
    );
    if length != wanted {
        let column = if given > 0 { enc_column } else { columns.set };
        row.fault(
            column,
            format!("the keys have {length} bytes, cards of this definition have keys of {wanted}"),
        );
        return None;
    }
    Some(set)
}

/// A key set that came wrapped. It is unwrapped once here, so that an order that does not unwrap touches no
/// card.
fn wrapped_set(
    transport: &str,
    kvn: u8,
    texts: [&str; 3],
    check_values: [Option<[u8; 3]>; 3],
    columns: &KeyColumns,
    store: &KeyStore,
) -> Result<KeySet, (&'static str, String)> {
    let transport = store
        .transport(transport)
        .map_err(|e| (columns.wrap, e.to_string()))?;
    let mut wrapped = [const { Vec::new() }; 3];
    for ((bytes, text), column) in wrapped.iter_mut().zip(texts).zip(columns.keys) {
        *bytes = hex::decode(text).map_err(|_| {
            let what = "hexadecimal digits in pairs are expected";
            (column, what.to_owned())
        })?;
    }
    let [first, ..] = columns.keys;
    let new = columns.set == NEW.set;
    let keys = transport
        .keys(wrapped, check_values, new)
        .and_then(|keys| keys.unwrap().map(|_| keys))
        .map_err(|e| (first, e.to_string()))?;
    Ok(KeySet {
        name: format!("wrapped under {}", transport.name()),
        kvn,
        keys: Arc::new(keys),
    })
}

/// What rows are read with, and what was read before: an eIM's key is the same in many rows.
pub(super) struct Known<'a> {
    directory: &'a Path,
    pub definition: &'a Definition,
    store: &'a KeyStore,
    pub needs: Needs,
    public_keys: RefCell<HashMap<String, Result<PublicKeyData, String>>>,
}

impl<'a> Known<'a> {
    pub fn new(
        directory: &'a Path,
        definition: &'a Definition,
        store: &'a KeyStore,
        needs: Needs,
    ) -> Self {
        Known {
            directory,
            definition,
            store,
            needs,
            public_keys: RefCell::default(),
        }
    }

    fn public_key(&self, cell: &str) -> Result<PublicKeyData, String> {
        if let Some(read) = self.public_keys.borrow().get(cell) {
            return read.clone();
        }
        let read = public_key::read(cell, self.directory);
        self.public_keys
            .borrow_mut()
            .insert(cell.to_owned(), read.clone());
        read
    }
}

fn read_eim(row: &mut Row<'_>, known: &Known<'_>) -> Option<Eim> {
    let id = row.value("eim_id", not_empty);
    let id_type = row.value("eim_id_type", |text| match text {
        "" | "fqdn" => Ok(EimIdType::EimIdTypeFqdn),
        "oid" => Ok(EimIdType::EimIdTypeOid),
        "proprietary" => Ok(EimIdType::EimIdTypeProprietary),
        other => Err(format!("{other:?}: fqdn, oid or proprietary is expected")),
    });
    let fqdn = row.value("eim_fqdn", |text| {
        let most = applet_model::machine::layout::FQDN_MAX;
        let fqdn = not_empty(text)?;
        if fqdn.contains("://") || fqdn.contains('/') {
            return Err(format!(
                "{fqdn:?}: a host name is expected, without scheme and path"
            ));
        }
        match fqdn.len() {
            n if n > most => Err(format!("{n} characters, the applet takes {most}")),
            _ => Ok(fqdn),
        }
    });
    let public_key = row.value("eim_public_key", |text| known.public_key(&not_empty(text)?));
    row.value("eim_certificate", |text| {
        if text.is_empty() {
            return Ok(());
        }
        match (known.public_key(text)?, &public_key) {
            (PublicKeyData::EimPublicKey(_), _) => {
                Err("a certificate is expected, this is a public key".to_owned())
            }
            (certificate, Some(key))
                if public_key::point(&certificate) != public_key::point(key) =>
            {
                Err("the certificate is not of the key in eim_public_key".to_owned())
            }
            _ => Ok(()),
        }
    });
    let counter = row.value("eim_counter", |text| match text {
        "" => Ok(0),
        text => text
            .parse::<u64>()
            .ok()
            .filter(|n| *n <= 0x7F_FFFF)
            .ok_or_else(|| format!("{text:?}: a number of 0 to 8388607 is expected")),
    });
    let token = row.value("eim_token", |text| match text {
        "" | "no" => Ok(false),
        "yes" => Ok(true),
        other => Err(format!("{other:?}: yes or no is expected")),
    });
    let ci_pk_id = row.value("eim_ci_pk_id", |text| match text {
        "" => Ok(None),
        text => hex::decode(text)
            .ok()
            .and_then(KeyId::new)
            .map(Some)
            .ok_or_else(|| {
                format!("{text:?}: hexadecimal digits of a key identifier are expected")
            }),
    });
    Some(Eim {
        id: id?,
        id_type: id_type?,
        fqdn: fqdn?,
        public_key: public_key?,
        counter: counter?,
        token: token?,
        ci_pk_id: ci_pk_id?,
    })
}

/// The applet's configuration: the default, with the cells that aren't empty.
fn read_config(row: &mut Row<'_>) -> Config {
    let mut value = serde_json::to_value(Config::default()).unwrap_or_default();
    for item in ITEMS {
        let (_, text) = row.cells.get(item.name);
        if text.is_empty() || !is_config(item.name) {
            continue;
        }
        let text = text.to_owned();
        let read = row.value(item.name, |_| match (item.form, item.name) {
            (Form::Number, _) => text
                .parse::<u16>()
                .ok()
                .filter(|n| (item.least..=item.most).contains(n))
                .map(serde_json::Value::from)
                .ok_or_else(|| {
                    format!(
                        "{text:?}: a number of {} to {} is expected ({})",
                        item.least, item.most, item.doc
                    )
                }),
            (_, "address") => text
                .parse::<std::net::Ipv4Addr>()
                .map(|address| serde_json::json!(address.octets()))
                .map_err(|_| format!("{text:?}: an IPv4 address is expected")),
            (_, "apn") => apn(&text, item.len.into()).map(|apn| serde_json::json!(apn)),
            _ => hex::decode(&text)
                .ok()
                .filter(|bytes| bytes.len() >= item.least.into() && bytes.len() <= item.len.into())
                .map(|bytes| serde_json::json!(bytes))
                .ok_or_else(|| {
                    format!(
                        "{text:?}: {} to {} bytes in hex are expected ({})",
                        item.least, item.len, item.doc
                    )
                }),
        });
        if let (Some(read), Some(object)) = (read, value.as_object_mut()) {
            object.insert(item.name.to_owned(), read);
        }
    }
    match serde_json::from_value::<Config>(value) {
        Ok(config) => {
            for problem in config.problems() {
                row.faults.push(OrderFault::new(row.cells.line, 1, problem));
            }
            config
        }
        Err(e) => {
            row.faults.push(OrderFault::new(
                row.cells.line,
                1,
                format!("configuration: {e}"),
            ));
            Config::default()
        }
    }
}

/// A Network Access Name as ETSI TS 102 223 8.70 codes it: labels, each with its length.
fn apn(text: &str, most: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    for label in text.split('.') {
        let fits = (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if !fits {
            return Err(format!(
                "{text:?}: labels of letters, digits and hyphens, separated by dots, are expected"
            ));
        }
        out.push(label.len() as u8);
        out.extend(label.bytes());
    }
    match out.len() {
        n if n > most => Err(format!(
            "{text:?}: coded it has {n} bytes, the applet takes {most}"
        )),
        _ => Ok(out),
    }
}
