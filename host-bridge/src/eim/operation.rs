//! What an eIM can ask an eUICC to do: PSMOs and eCOs (SGP.32 2.11.1.1.3, 2.11.1.1.4).

use super::EimError;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::sgp::es10::SetDefaultDpAddressRequest;
use applet_model::sgp::euicc_package::{Eco, EuiccPackage, NoParameters, ProfileOperation, Psmo};
use applet_model::sgp::{Decode, Encode, Iccid};
use std::fmt;
use std::str::FromStr;

/// One operation of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A profile state management operation.
    Psmo(Psmo),
    /// An eIM configuration operation.
    Eco(Eco),
}

impl Operation {
    /// Enables a profile; with `rollback`, the IPA may undo it if the result can't be delivered.
    pub fn enable(iccid: Iccid, rollback: bool) -> Self {
        Operation::Psmo(Psmo::enable(iccid, rollback))
    }

    /// Disables a profile.
    pub fn disable(iccid: Iccid) -> Self {
        Operation::Psmo(Psmo::disable(iccid))
    }

    /// Deletes a profile.
    pub fn delete(iccid: Iccid) -> Self {
        Operation::Psmo(Psmo::delete(iccid))
    }

    /// Lists all profiles.
    pub fn list_profile_info() -> Self {
        Operation::Psmo(Psmo::list_profile_info())
    }

    /// Asks for the rules authorisation table.
    pub fn get_rat() -> Self {
        Operation::Psmo(Psmo::get_rat())
    }

    /// Adds an eIM.
    pub fn add_eim(entry: EimConfigurationData) -> Self {
        Operation::Eco(Eco::AddEim(entry))
    }

    /// Updates an eIM's entry.
    pub fn update_eim(entry: EimConfigurationData) -> Self {
        Operation::Eco(Eco::UpdateEim(entry))
    }

    /// Removes an eIM.
    pub fn delete_eim(eim_id: impl Into<String>) -> Self {
        Operation::Eco(Eco::delete_eim(eim_id))
    }

    /// Lists the eIMs.
    pub fn list_eim() -> Self {
        Operation::Eco(Eco::list_eim())
    }
}

impl fmt::Display for Operation {
    /// As [`Operation::from_str`] reads it; entries of eIMs are shown by their `eimId` only.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Operation::Psmo(Psmo::Enable(enable)) => {
                let rollback = if enable.rollback_flag {
                    " rollback"
                } else {
                    ""
                };
                write!(f, "enable {}{rollback}", enable.iccid)
            }
            Operation::Psmo(Psmo::Disable(operation)) => write!(f, "disable {}", operation.iccid),
            Operation::Psmo(Psmo::Delete(operation)) => write!(f, "delete {}", operation.iccid),
            Operation::Psmo(Psmo::SetFallbackAttribute(operation)) => {
                write!(f, "setFallbackAttribute {}", operation.iccid)
            }
            Operation::Psmo(Psmo::SetDefaultDpAddress(request)) => {
                write!(f, "setDefaultDpAddress {}", request.default_dp_address)
            }
            Operation::Psmo(psmo) => f.write_str(psmo.alternative()),
            Operation::Eco(Eco::AddEim(entry)) => write!(f, "addEim {}", entry.eim_id),
            Operation::Eco(Eco::UpdateEim(entry)) => write!(f, "updateEim {}", entry.eim_id),
            Operation::Eco(Eco::DeleteEim(delete)) => write!(f, "deleteEim {}", delete.eim_id),
            Operation::Eco(eco) => f.write_str(eco.alternative()),
        }
    }
}

impl FromStr for Operation {
    type Err = EimError;

    /// `enable ICCID [rollback]`, `disable ICCID`, `delete ICCID`, `listProfileInfo`, `getRAT`,
    /// `setFallbackAttribute ICCID`, `unsetFallbackAttribute`, `setDefaultDpAddress [ADDRESS]`,
    /// `addEim HEX`, `updateEim HEX` (an EimConfigurationData in DER), `deleteEim EIMID`, `listEim`.
    fn from_str(text: &str) -> Result<Self, EimError> {
        let wrong = |why: String| EimError::Operation {
            text: text.to_owned(),
            why,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let iccid = |word: &str| -> Result<Iccid, EimError> {
            word.parse().map_err(|e| wrong(format!("{e}")))
        };
        let entry = |word: &str| -> Result<EimConfigurationData, EimError> {
            let der = hex::decode(word).map_err(|e| wrong(e.to_string()))?;
            EimConfigurationData::from_der(&der).map_err(|e| wrong(e.to_string()))
        };
        Ok(match words[..] {
            ["enable", word] => Operation::enable(iccid(word)?, false),
            ["enable", word, "rollback"] => Operation::enable(iccid(word)?, true),
            ["disable", word] => Operation::disable(iccid(word)?),
            ["delete", word] => Operation::delete(iccid(word)?),
            ["listProfileInfo"] => Operation::list_profile_info(),
            ["getRAT"] => Operation::get_rat(),
            ["setFallbackAttribute", word] => {
                Operation::Psmo(Psmo::SetFallbackAttribute(ProfileOperation {
                    iccid: iccid(word)?,
                }))
            }
            ["unsetFallbackAttribute"] => {
                Operation::Psmo(Psmo::UnsetFallbackAttribute(NoParameters {}))
            }
            ["setDefaultDpAddress", ref rest @ ..] if rest.len() < 2 => {
                Operation::Psmo(Psmo::SetDefaultDpAddress(SetDefaultDpAddressRequest {
                    default_dp_address: rest.concat(),
                }))
            }
            ["addEim", word] => Operation::add_eim(entry(word)?),
            ["updateEim", word] => Operation::update_eim(entry(word)?),
            ["deleteEim", word] => Operation::delete_eim(word),
            ["listEim"] => Operation::list_eim(),
            _ => {
                return Err(wrong(
                    "expected enable, disable, delete, listProfileInfo, getRAT, setFallbackAttribute, \
                     unsetFallbackAttribute, setDefaultDpAddress, addEim, updateEim, deleteEim or listEim \
                     with its parameters"
                        .into(),
                ));
            }
        })
    }
}

/// The package of these operations, as DER.
pub(super) fn package(operations: &[Operation]) -> Result<Vec<u8>, EimError> {
    let mut psmos = Vec::new();
    let mut ecos = Vec::new();
    for operation in operations {
        match operation {
            Operation::Psmo(psmo) => psmos.push(psmo.clone()),
            Operation::Eco(eco) => ecos.push(eco.clone()),
        }
    }
    let package = match (psmos.is_empty(), ecos.is_empty()) {
        (false, true) => EuiccPackage::PsmoList(psmos),
        (true, false) => EuiccPackage::EcoList(ecos),
        (true, true) => return Err(EimError::Mixed("there is none".into())),
        (false, false) => return Err(EimError::Mixed("there are both".into())),
    };
    package.to_der().map_err(|e| EimError::Encoding {
        what: "the package",
        detail: e.to_string(),
    })
}

/// The operations of a package.
pub(super) fn operations(package: &EuiccPackage) -> Vec<Operation> {
    match package {
        EuiccPackage::PsmoList(list) => list.iter().cloned().map(Operation::Psmo).collect(),
        EuiccPackage::EcoList(list) => list.iter().cloned().map(Operation::Eco).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_read_as_they_are_shown() {
        for text in [
            "enable 89012345678901234567 rollback",
            "enable 8901234567890123456",
            "disable 89012345678901234567",
            "delete 89012345678901234567",
            "listProfileInfo",
            "getRAT",
            "setFallbackAttribute 89012345678901234567",
            "unsetFallbackAttribute",
            "deleteEim eim.example",
            "listEim",
        ] {
            assert_eq!(text.parse::<Operation>().unwrap().to_string(), text);
        }
        for bad in ["", "enable", "enable 1", "explode", "addEim 30"] {
            assert!(bad.parse::<Operation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_are_not_mixed() {
        let both = [Operation::list_eim(), Operation::get_rat()];
        assert!(package(&both).is_err() && package(&[]).is_err());
        let der = package(&both[..1]).unwrap();
        let read = EuiccPackage::from_der(&der).unwrap();
        assert_eq!(operations(&read), both[..1]);
    }
}
