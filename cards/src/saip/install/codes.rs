//! PINs, unblock keys and authentication keys (8.4, 8.5).

use super::{Builder, Problem};
use crate::fs::FileId;
use crate::fs::pins::{PIN_BYTES, Pin};
use crate::naa::milenage::{self, Milenage};
use crate::naa::tuak::Tuak;
use crate::naa::{ARRAY, Algorithm, MAX_SEQ, Naa, Sequence};
use crate::saip::asn1::Secret;
use crate::saip::elements::{
    AkaParameter, AlgoConfiguration, AlgoParameter, PinCodes, PinConfiguration, PinList, PukCodes,
};
use crate::saip::status::Status;
use applet_model::sgp::Octets;

/// `pinAttributes`: enabled, may be changed, may be disabled and enabled.
const ENABLED: u8 = 0x01;
const CHANGEABLE: u8 = 0x02;
const CAN_BE_DISABLED: u8 = 0x04;
const ATTRIBUTES: u8 = ENABLED | CHANGEABLE | CAN_BE_DISABLED;
/// `maxNumOfAttemps-retryNumLeft` of PINs and of unblock keys, if it isn't stated.
const PIN_TRIES: u8 = 0x33;
const PUK_TRIES: u8 = 0xAA;
/// `sqnOptions`, `sqnDelta` and `sqnAgeLimit`, if they aren't stated.
const SQN_OPTIONS: u8 = 0x02;
const SQN_LIMIT: u64 = 0x0000_1000_0000;
/// `algorithmID`.
const MILENAGE: u8 = 1;
const TUAK: u8 = 2;
const TEST: u8 = 3;

fn bad(text: impl Into<String>) -> Problem {
    Problem::new(Status::BAD_VALUES, text)
}

fn tries(byte: u8) -> (u8, u8) {
    (byte >> 4, byte & 0x0F)
}

fn code(value: &Secret) -> Result<[u8; PIN_BYTES], Problem> {
    value
        .bytes()
        .try_into()
        .map_err(|_| bad("a PIN or unblock key has 8 bytes"))
}

/// A number of `N` bytes, or what counts without it.
fn number(octets: Option<&Octets>, length: usize, otherwise: u64) -> Result<u64, Problem> {
    let Some(octets) = octets else {
        return Ok(otherwise);
    };
    let bytes = octets.as_bytes();
    let value = bytes
        .iter()
        .fold(0u64, |sum, byte| sum << 8 | u64::from(*byte));
    match bytes.len() == length && value <= MAX_SEQ {
        true => Ok(value),
        false => Err(bad(format!("a value of {length} bytes up to {MAX_SEQ:X}"))),
    }
}

impl Builder {
    pub(super) fn puks(&mut self, codes: &PukCodes) -> Result<(), Problem> {
        for puk in &codes.codes {
            code(&puk.value)?;
            if self
                .puks
                .iter()
                .any(|other| other.reference == puk.reference)
            {
                return Err(bad(format!("unblock key {} comes twice", puk.reference)));
            }
            self.puks.push(puk.clone());
        }
        Ok(())
    }

    /// PINs belong to the directory that was made before them: global ones to the profile, local ones to it.
    pub(super) fn pins(&mut self, codes: &PinCodes) -> Result<(), Problem> {
        let context = self
            .context
            .ok_or_else(|| bad("PINs come behind the files that they are for"))?;
        match &codes.codes {
            PinList::Own(list) => list.iter().try_for_each(|pin| self.pin(context, pin)),
            PinList::Of(path) => {
                let other = self.resolve(path.as_bytes())?;
                let shared = self
                    .volume
                    .pins
                    .iter_mut()
                    .filter(|pin| pin.scopes().contains(&other));
                let count = shared.map(|pin| pin.share(context)).count();
                match count {
                    0 => Err(bad(format!("directory {path} has no PINs"))),
                    _ => Ok(()),
                }
            }
            PinList::Unknown(_) => Err(Problem::new(
                Status::PE_NOT_SUPPORTED,
                "PINs in a form of a later version",
            )),
        }
    }

    fn pin(&mut self, context: FileId, stated: &PinConfiguration) -> Result<(), Problem> {
        let reference = stated.reference;
        if !matches!(reference, 0x01..=0x08 | 0x0A..=0x0E | 0x81..=0x88 | 0x8A..=0x8E) {
            return Err(bad(format!("{reference} is no reference of a PIN")));
        }
        let scope = if reference & 0x80 == 0 {
            FileId::MF
        } else {
            context
        };
        let taken = |pin: &Pin| pin.reference == reference && pin.scopes().contains(&scope);
        if self.volume.pins.iter().any(taken) {
            return Err(bad(format!("PIN {reference} comes twice")));
        }
        let (puk, puk_tries) = match stated.unblocking {
            None => (None, PUK_TRIES),
            Some(wanted) => {
                let puk = self
                    .puks
                    .iter()
                    .find(|puk| puk.reference == wanted)
                    .ok_or_else(|| {
                        bad(format!(
                            "PIN {reference} names unblock key {wanted}, which isn't there"
                        ))
                    })?;
                (Some(code(&puk.value)?), puk.attempts.unwrap_or(PUK_TRIES))
            }
        };
        let attributes = stated.attributes.unwrap_or(ATTRIBUTES);
        let has = |bit| attributes & bit != 0;
        let pin = Pin::new(reference, code(&stated.value)?, has(ENABLED), puk)
            .of(scope)
            .with_tries(
                tries(stated.attempts.unwrap_or(PIN_TRIES)),
                tries(puk_tries),
            )
            .with_rights(has(CHANGEABLE), has(CAN_BE_DISABLED));
        self.volume.pins.push(pin);
        Ok(())
    }

    /// Keys belong to the application whose directory was made last.
    pub(super) fn aka(&mut self, parameter: &AkaParameter) -> Result<(), Problem> {
        let adf = self
            .adf
            .ok_or_else(|| bad("keys come behind their application"))?;
        if self.volume.naas.iter().any(|naa| naa.adfs.contains(&adf)) {
            return Err(bad("the application has keys already"));
        }
        match &parameter.algorithm {
            AlgoConfiguration::Mapping(mapping) => {
                let source = self.volume.tree.adf(mapping.source.as_bytes());
                let naa = self
                    .volume
                    .naas
                    .iter_mut()
                    .find(|naa| source.is_some_and(|source| naa.adfs.contains(&source)));
                naa.ok_or_else(|| bad(format!("{} has no keys", mapping.source)))?
                    .adfs
                    .push(adf);
            }
            AlgoConfiguration::Own(algorithm) => {
                let naa = Naa {
                    adfs: vec![adf],
                    algorithm: keys(algorithm)?,
                    sequence: sequence(parameter)?,
                    left: counter(algorithm)?,
                };
                self.volume.naas.push(naa);
            }
            AlgoConfiguration::Unknown(_) => {
                let text = "keys in a form of a later version";
                return Err(Problem::new(Status::PE_NOT_SUPPORTED, text));
            }
        }
        Ok(())
    }
}

fn counter(stated: &AlgoParameter) -> Result<Option<u32>, Problem> {
    match &stated.counter_max {
        None => Ok(None),
        Some(max) => {
            let max = number(Some(max), 3, 0)?;
            Ok(Some(u32::try_from(max).unwrap_or(u32::MAX)))
        }
    }
}

fn sequence(parameter: &AkaParameter) -> Result<Sequence, Problem> {
    let options = match parameter.sqn_options.as_ref().map(Octets::as_bytes) {
        None => SQN_OPTIONS,
        Some([options]) => *options,
        Some(_) => return Err(bad("sqnOptions has one byte")),
    };
    let init = parameter
        .sqn_init
        .iter()
        .flatten()
        .map(|value| number(Some(value), 6, 0))
        .collect::<Result<Vec<u64>, _>>()?;
    if !init.is_empty() && init.len() != ARRAY {
        return Err(bad(format!(
            "sqnInit has {} values, {ARRAY} are expected",
            init.len()
        )));
    }
    Ok(Sequence::new(
        options,
        number(parameter.sqn_delta.as_ref(), 6, SQN_LIMIT)?,
        number(parameter.sqn_age_limit.as_ref(), 6, SQN_LIMIT)?,
        &init,
    ))
}

fn keys(stated: &AlgoParameter) -> Result<Algorithm, Problem> {
    let key = stated.key.bytes();
    let short = |what: &str| {
        bad(format!(
            "{what} of a length that the algorithm doesn't have"
        ))
    };
    let option = match stated.options.as_bytes() {
        [option] => option & 0x07,
        _ => return Err(bad("algorithmOptions has one byte")),
    };
    // The length of RES: 32, 64, 128 or 256 bits.
    let res = match option {
        0..=3 => 4u8 << option,
        _ => return Err(bad(format!("algorithmOptions {option:02X}"))),
    };
    match stated.algorithm {
        MILENAGE => {
            let rotations = match &stated.rotation_constants {
                None => milenage::ROTATIONS,
                Some(list) => list
                    .as_bytes()
                    .try_into()
                    .map_err(|_| bad("five rotation constants"))?,
            };
            let mut constants = milenage::constants();
            if let Some(list) = &stated.xoring_constants {
                if list.as_bytes().len() != 80 {
                    return Err(bad("five xoring constants of 16 bytes"));
                }
                for (constant, bytes) in constants.iter_mut().zip(list.as_bytes().chunks_exact(16))
                {
                    constant.copy_from_slice(bytes);
                }
            }
            let k = key.try_into().map_err(|_| short("a key"))?;
            let opc = stated.opc.bytes().try_into().map_err(|_| short("an OPc"))?;
            let keys = Milenage::new(k, opc, rotations, constants);
            Ok(Algorithm::Milenage(Box::new(keys)))
        }
        TUAK => {
            let keys = Tuak::new(key, stated.opc.bytes(), stated.keccak.unwrap_or(1), res);
            keys.map(|keys| Algorithm::Tuak(Box::new(keys)))
                .ok_or_else(|| short("a key or TOPc"))
        }
        TEST if res > 16 => Err(bad("the test algorithm's RES has at most 128 bits")),
        TEST => Ok(Algorithm::Test {
            key: key.try_into().map_err(|_| short("a key"))?,
            res,
        }),
        other => Err(Problem::new(
            Status::FEATURE_NOT_SUPPORTED,
            format!("algorithm {other}"),
        )),
    }
}
