//! Checks what a run left: every receipt there, unaltered, in its place, once.

use super::{STATEMENT, canonical};
use crate::personalize::PersonalizeError;
use cards::pki::PublicKey;
use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What is wrong with the receipts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingKind {
    /// A card of the order, or a number of the chain, has none.
    Missing,
    /// Not what was signed.
    Altered,
    /// Not where the chain has it.
    Reordered,
    /// A card or number has more than one.
    Doubled,
    /// Of another order, or no card of it.
    Foreign,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Finding {
    /// What.
    pub kind: FindingKind,
    /// The file, card or station.
    pub of: String,
    /// In words.
    pub problem: String,
}

/// A station's chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChainSummary {
    /// The station.
    pub station: String,
    /// Receipts in it.
    pub receipts: u64,
    /// Hash of the last.
    pub last: String,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// SHA-256 of the order.
    pub order: String,
    /// Cards in the order.
    pub cards: usize,
    /// Receipts read.
    pub receipts: usize,
    /// One a station.
    pub chains: Vec<ChainSummary>,
    /// All that is wrong, sorted.
    pub findings: Vec<Finding>,
}

/// A receipt that can be read and is signed.
struct Link {
    file: String,
    eid: String,
    order: String,
    station: String,
    sequence: u64,
    previous: String,
    hash: String,
}

/// Takes the signature off a signed object and checks it: the members and their hash.
fn opened(text: &str, key: &PublicKey) -> Result<(Map<String, Value>, String), String> {
    let value: Value = serde_json::from_str(text).map_err(|e| format!("no JSON: {e}"))?;
    let whole = canonical(&value)?;
    if text.strip_suffix('\n') != Some(&whole) {
        return Err("not the canonical text (RFC 8785) of what it says".to_owned());
    }
    let Value::Object(mut members) = value else {
        return Err("no JSON object".to_owned());
    };
    let signature = members.remove("signature").unwrap_or_default();
    let member = |name: &str| signature.get(name).and_then(Value::as_str);
    if member("algorithm") != Some("ES256") {
        return Err("no ES256 signature".to_owned());
    }
    let signed = canonical(&members)?;
    let value = member("value").and_then(|hex| hex::decode(hex).ok());
    if !value.is_some_and(|value| key.verify(signed.as_bytes(), &value)) {
        return Err("the signature isn't this key's over this text".to_owned());
    }
    Ok((members, hex::encode(Sha256::digest(&signed))))
}

fn text(members: &Map<String, Value>, name: &str) -> String {
    let value = members.get(name).and_then(Value::as_str);
    value.unwrap_or_default().to_owned()
}

fn link(file: &str, source: &str, key: &PublicKey) -> Result<Link, String> {
    let (members, hash) = opened(source, key)?;
    let chain = members.get("chain").and_then(Value::as_object);
    let chain = chain.ok_or("no member chain")?;
    let sequence = chain.get("sequence").and_then(Value::as_u64);
    Ok(Link {
        file: file.to_owned(),
        eid: text(&members, "eid"),
        order: text(&members, "order"),
        station: text(chain, "station"),
        sequence: sequence.ok_or("no number in the chain")?,
        previous: text(chain, "previous"),
        hash,
    })
}

/// What the stations say of the order and of their chains.
#[derive(Default)]
struct Statements {
    order: String,
    cards: BTreeSet<String>,
    ends: BTreeMap<String, (u64, String)>,
}

impl Statements {
    fn add(&mut self, file: String, source: &str, key: &PublicKey, findings: &mut Vec<Finding>) {
        let found = |kind, problem: String| Finding {
            kind,
            of: file.clone(),
            problem,
        };
        let members = match opened(source, key) {
            Ok((members, _)) => members,
            Err(problem) => {
                findings.push(found(FindingKind::Altered, problem));
                return;
            }
        };
        let order = text(&members, "order");
        if self.order.is_empty() {
            self.order = order;
        } else if self.order != order {
            let problem = format!("it is of order {order}, the others of {}", self.order);
            findings.push(found(FindingKind::Foreign, problem));
            return;
        }
        let cards = members.get("cards").and_then(Value::as_array);
        let cards = cards.into_iter().flatten().filter_map(Value::as_str);
        self.cards.extend(cards.map(str::to_owned));
        let receipts = members.get("receipts").and_then(Value::as_u64);
        let end = (receipts.unwrap_or_default(), text(&members, "last"));
        self.ends.insert(text(&members, "station"), end);
    }
}

/// Files of a folder that end in `.json`, sorted by name.
fn json_files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "json") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// Checks the receipts in the output directories of an order's stations against each station's public
/// key, their chains, and the order's cards: those of the stations' statements, or `cards` where the
/// order itself is at hand.
///
/// # Errors
/// [`PersonalizeError::Output`] for a file that can't be read; what is wrong with receipts is a
/// [`Finding`].
pub fn verify(
    stations: &[(PathBuf, PublicKey)],
    cards: Option<&[String]>,
) -> Result<Verification, PersonalizeError> {
    let mut findings = Vec::new();
    let mut statements = Statements::default();
    let mut links = Vec::new();
    for (directory, key) in stations {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| PersonalizeError::Output {
                path: path.to_owned(),
                source,
            })
        };
        let path = directory.join(STATEMENT);
        statements.add(
            path.display().to_string(),
            &read(&path)?,
            key,
            &mut findings,
        );
        let folder = directory.join("receipts");
        let files = match json_files(&folder) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            files => files.map_err(|source| PersonalizeError::Output {
                path: folder,
                source,
            })?,
        };
        for path in files {
            let name = path.display().to_string();
            match link(&name, &read(&path)?, key) {
                Err(problem) => findings.push(Finding {
                    kind: FindingKind::Altered,
                    of: name,
                    problem,
                }),
                Ok(link) => {
                    if path.file_stem().is_none_or(|stem| *stem != *link.eid) {
                        findings.push(Finding {
                            kind: FindingKind::Reordered,
                            of: name,
                            problem: format!("it is the receipt of {}", link.eid),
                        });
                    }
                    links.push(link);
                }
            }
        }
    }
    if let Some(cards) = cards {
        statements.cards = cards.iter().cloned().collect();
    }
    of_cards(&links, &statements, &mut findings);
    let chains = of_chains(&links, &statements, &mut findings);
    findings.sort();
    Ok(Verification {
        order: statements.order,
        cards: statements.cards.len(),
        receipts: links.len(),
        chains,
        findings,
    })
}

/// Every card of the order once, and no other.
fn of_cards(links: &[Link], statements: &Statements, findings: &mut Vec<Finding>) {
    let mut seen: HashMap<&str, &str> = HashMap::new();
    for link in links {
        if link.order != statements.order || !statements.cards.contains(&link.eid) {
            findings.push(Finding {
                kind: FindingKind::Foreign,
                of: link.file.clone(),
                problem: format!("{} is no card of the order", link.eid),
            });
        }
        if let Some(first) = seen.insert(&link.eid, &link.file) {
            findings.push(Finding {
                kind: FindingKind::Doubled,
                of: link.file.clone(),
                problem: format!("{first} is of the same card"),
            });
        }
    }
    for eid in &statements.cards {
        if !seen.contains_key(eid.as_str()) {
            findings.push(Finding {
                kind: FindingKind::Missing,
                of: eid.clone(),
                problem: "a card of the order without a receipt".to_owned(),
            });
        }
    }
}

/// Every number of every chain once, each after the one that it names.
fn of_chains(
    links: &[Link],
    statements: &Statements,
    findings: &mut Vec<Finding>,
) -> Vec<ChainSummary> {
    let mut chains: BTreeMap<&str, Vec<&Link>> = BTreeMap::new();
    for station in statements.ends.keys() {
        chains.entry(station).or_default();
    }
    for link in links {
        chains.entry(&link.station).or_default().push(link);
    }
    let mut summaries = Vec::new();
    for (station, mut chain) in chains {
        chain.sort_by_key(|link| link.sequence);
        let mut missing = |number: u64| {
            findings.push(Finding {
                kind: FindingKind::Missing,
                of: format!("station {station}"),
                problem: format!("receipt {number} of its chain"),
            });
        };
        let (mut number, mut hash) = (0, statements.order.as_str());
        let mut out_of_place = Vec::new();
        for link in &chain {
            if link.sequence == number {
                out_of_place.push(Finding {
                    kind: FindingKind::Doubled,
                    of: link.file.clone(),
                    problem: format!("number {number} of station {station} stands twice"),
                });
                continue;
            }
            let next = number + 1;
            // A chain from a file may claim any number: no more are named than there can be.
            for lost in (next..link.sequence).take(chain.len() + statements.cards.len()) {
                missing(lost);
            }
            if link.sequence == next && link.previous != hash {
                out_of_place.push(Finding {
                    kind: FindingKind::Reordered,
                    of: link.file.clone(),
                    problem: format!("number {next} of station {station} follows another receipt"),
                });
            }
            number = link.sequence;
            hash = &link.hash;
        }
        if let Some((end, last)) = statements.ends.get(station) {
            for lost in (number + 1..=*end).take(chain.len() + statements.cards.len()) {
                missing(lost);
            }
            if number == *end && hash != last {
                out_of_place.push(Finding {
                    kind: FindingKind::Reordered,
                    of: format!("station {station}"),
                    problem: "its statement names another last receipt".to_owned(),
                });
            }
        }
        findings.append(&mut out_of_place);
        summaries.push(ChainSummary {
            station: station.to_owned(),
            receipts: chain.len() as u64,
            last: hash.to_owned(),
        });
    }
    summaries
}
