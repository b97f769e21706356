//! The IPA's own configuration: what personalization stores in the applet.
//!
//! eIM configuration itself belongs to the eUICC (ES10b.AddInitialEim) and isn't here.

use crate::machine::layout::{APN_MAX, BEARER_MAX, PERSISTENT, reg};
use crate::tlv;
use serde::{Deserialize, Serialize};

/// How a configuration object is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Form {
    /// A number of one or two bytes between a least and a most value.
    Number,
    /// So many bytes as the register has.
    Bytes,
    /// Up to so many bytes, after their count.
    Counted,
}

/// A configuration object of STORE DATA.
#[derive(Debug, Clone, Copy)]
pub struct Item {
    /// Tag, context-specific.
    pub tag: u8,
    /// Name, as in an order or a job.
    pub name: &'static str,
    /// First register byte.
    pub register: usize,
    /// Bytes of the number or array; most bytes for [`Form::Counted`].
    pub len: u8,
    /// How it is stored.
    pub form: Form,
    /// Least value of a number.
    pub least: u16,
    /// Most value of a number.
    pub most: u16,
    /// What it is, with its unit.
    pub doc: &'static str,
}

const fn number(
    tag: u8,
    name: &'static str,
    register: usize,
    len: u8,
    least: u16,
    most: u16,
    doc: &'static str,
) -> Item {
    Item {
        tag,
        name,
        register,
        len,
        form: Form::Number,
        least,
        most,
        doc,
    }
}

/// The objects, in the order of their tags.
#[rustfmt::skip]
pub const ITEMS: &[Item] = &[
    number(0x80, "poll_minutes", reg::POLL, 2, 1, 1439, "minutes between polls"),
    number(0x81, "boot_delay", reg::BOOT_DELAY, 2, 1, 32767, "seconds from start-up to the first poll"),
    number(0x82, "response_timeout", reg::RESPONSE, 2, 1, 32767, "seconds to wait for the eIM's answer"),
    number(0x83, "backoff", reg::BACKOFF, 2, 1, 32767, "seconds before the first retry, doubled each time"),
    number(0x84, "backoff_max", reg::BACKOFF_MAX, 2, 1, 32767, "seconds between retries at most"),
    number(0x85, "check_delay", reg::CHECK, 2, 1, 32767, "seconds between tries of the connectivity check"),
    number(0x86, "check_tries", reg::CHECK_TRIES, 1, 1, 127, "tries of the connectivity check before rollback"),
    number(0x87, "refresh_timeout", reg::REFRESH, 2, 1, 32767, "seconds to wait for the reset after REFRESH"),
    number(0x88, "refresh_tries", reg::REFRESH_TRIES, 1, 0, 127, "further tries of REFRESH"),
    number(0x89, "eim_choice", reg::EIM_CHOICE, 1, 0, 2, "0 first eIM, 1 next after a failure, 2 next at each poll"),
    number(0x8A, "on_loss", reg::LOSS, 1, 0, 1, "after loss of connectivity: 0 roll back, 1 keep trying"),
    number(0x8B, "port", reg::PORT, 2, 1, 32767, "TCP port where eimFqdn has none"),
    Item { tag: 0x8C, name: "address", register: reg::ADDRESS, len: 4, form: Form::Bytes, least: 0, most: 0, doc: "IPv4 address where eimFqdn is a name" },
    Item { tag: 0x8D, name: "bearer", register: reg::BEARER_LEN, len: BEARER_MAX as u8, form: Form::Counted, least: 1, most: 0, doc: "bearer description (ETSI TS 102 223 8.52)" },
    Item { tag: 0x8E, name: "apn", register: reg::APN_LEN, len: APN_MAX as u8, form: Form::Counted, least: 0, most: 0, doc: "Network Access Name, coded (ETSI TS 102 223 8.70)" },
];

/// Tag of the object that locks (01) or unlocks (00) the applet.
pub const TAG_LOCK: u8 = 0x90;

/// The configuration, decoded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Minutes between polls, 1 to 1439.
    pub poll_minutes: u16,
    /// Seconds from start-up to the first poll.
    pub boot_delay: u16,
    /// Seconds to wait for the eIM's answer.
    pub response_timeout: u16,
    /// Seconds before the first retry; doubled each time.
    pub backoff: u16,
    /// Seconds between retries at most.
    pub backoff_max: u16,
    /// Seconds between tries of the connectivity check after a profile change.
    pub check_delay: u16,
    /// Tries of the connectivity check before rollback.
    pub check_tries: u8,
    /// Seconds to wait for the reset after REFRESH.
    pub refresh_timeout: u16,
    /// Further tries of REFRESH.
    pub refresh_tries: u8,
    /// 0 first eIM only, 1 next eIM after a failure, 2 next eIM at each poll.
    pub eim_choice: u8,
    /// After loss of connectivity: 0 roll back, 1 keep trying.
    pub on_loss: u8,
    /// TCP port where `eimFqdn` has none.
    pub port: u16,
    /// IPv4 address of the eIM where `eimFqdn` is a name; all zero if there is none.
    pub address: [u8; 4],
    /// Bearer description, 1 to 8 bytes; `03` is the terminal's default bearer.
    pub bearer: Vec<u8>,
    /// Network Access Name, coded with its label lengths, up to 32 bytes.
    pub apn: Vec<u8>,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            poll_minutes: 60,
            boot_delay: 30,
            response_timeout: 30,
            backoff: 60,
            backoff_max: 21600,
            check_delay: 60,
            check_tries: 3,
            refresh_timeout: 60,
            refresh_tries: 2,
            eim_choice: 1,
            on_loss: 0,
            port: 80,
            address: [0; 4],
            bearer: vec![0x03],
            apn: Vec::new(),
        }
    }
}

impl Config {
    /// The value of an item, as stored.
    fn value(&self, item: &Item) -> Vec<u8> {
        let two = |n: u16| n.to_be_bytes().to_vec();
        match item.name {
            "poll_minutes" => two(self.poll_minutes),
            "boot_delay" => two(self.boot_delay),
            "response_timeout" => two(self.response_timeout),
            "backoff" => two(self.backoff),
            "backoff_max" => two(self.backoff_max),
            "check_delay" => two(self.check_delay),
            "check_tries" => vec![self.check_tries],
            "refresh_timeout" => two(self.refresh_timeout),
            "refresh_tries" => vec![self.refresh_tries],
            "eim_choice" => vec![self.eim_choice],
            "on_loss" => vec![self.on_loss],
            "port" => two(self.port),
            "address" => self.address.to_vec(),
            "bearer" => self.bearer.clone(),
            _ => self.apn.clone(),
        }
    }

    /// The data of STORE DATA that stores this configuration.
    pub fn to_store_data(&self) -> Vec<u8> {
        ITEMS
            .iter()
            .flat_map(|item| tlv::write(u32::from(item.tag), &self.value(item)))
            .collect()
    }

    /// The data of STORE DATA that locks or unlocks the applet.
    pub fn lock_data(lock: bool) -> Vec<u8> {
        vec![TAG_LOCK, 1, u8::from(lock)]
    }

    /// What is wrong with the values: name, value and range of each that the applet would refuse.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for item in ITEMS {
            let value = self.value(item);
            match item.form {
                Form::Number => {
                    let n = value.iter().fold(0u16, |n, b| n << 8 | u16::from(*b));
                    if n < item.least || n > item.most {
                        problems.push(format!(
                            "{} is {n}, expected {} to {}",
                            item.name, item.least, item.most
                        ));
                    }
                }
                Form::Counted
                    if value.len() < usize::from(item.least)
                        || value.len() > usize::from(item.len) =>
                {
                    problems.push(format!(
                        "{} has {} bytes, expected {} to {}",
                        item.name,
                        value.len(),
                        item.least,
                        item.len
                    ));
                }
                _ => {}
            }
        }
        problems
    }

    /// Writes the configuration to a persistent record.
    pub(crate) fn store(&self, nv: &mut [u8; PERSISTENT]) {
        for item in ITEMS {
            let value = self.value(item);
            let mut at = item.register;
            if item.form == Form::Counted {
                nv[at] = value.len() as u8;
                at += 1;
            }
            nv[at..at + value.len()].copy_from_slice(&value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_a_field_and_the_default_fits() {
        assert_eq!(Config::default().problems(), Vec::<String>::new());
        for item in ITEMS {
            let json = serde_json::to_value(Config::default()).unwrap();
            assert!(json.get(item.name).is_some(), "{}", item.name);
        }
    }

    #[test]
    fn values_out_of_range_are_named() {
        let config = Config {
            poll_minutes: 0,
            apn: vec![0; 40],
            ..Config::default()
        };
        assert_eq!(
            config.problems(),
            [
                "poll_minutes is 0, expected 1 to 1439",
                "apn has 40 bytes, expected 0 to 32"
            ]
        );
    }
}
