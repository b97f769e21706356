//! What an eIM can ask for: of an eUICC PSMOs and eCOs (SGP.32 2.11.1.1.3, 2.11.1.1.4), of its IPA downloads (2.11.1.3).

use super::EimError;
use crate::smdp::order::code_hash;
use applet_model::sgp::eim_config::EimConfigurationData;
use applet_model::sgp::es10::SetDefaultDpAddressRequest;
use applet_model::sgp::euicc_package::{Eco, EuiccPackage, NoParameters, ProfileOperation, Psmo};
use applet_model::sgp::ipa_data::{
    ContactSmds, IpaEuiccDataRequest, ProfileDownloadData, ProfileDownloadTriggerRequest,
};
use applet_model::sgp::{ActivationCode, Decode, Encode, Iccid, TagList};
use der::asn1::Null;
use std::fmt;
use std::str::FromStr;

/// One operation of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operation {
    /// A profile state management operation.
    Psmo(Psmo),
    /// An eIM configuration operation.
    Eco(Eco),
    /// A profile download.
    Download(Download),
    /// Data of the eUICC and of the IPA.
    Data(IpaEuiccDataRequest),
}

/// A profile download that the IPA is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Download {
    /// Where the profile is to be had.
    pub from: Source,
    /// The order's confirmation code. It stays with the eIM, which gives the IPA its hash when the SM-DP+ asks for
    /// it.
    pub confirmation_code: Option<String>,
}

/// Where a profile is to be had.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// At an SM-DP+; the IPA is told.
    ActivationCode(ActivationCode),
    /// At an SM-DP+ that only the eIM knows: for an IPA with eimDownloadDataHandling.
    ByEim(ActivationCode),
    /// At the eUICC's default SM-DP+.
    DefaultSmdp,
    /// Where an SM-DS says.
    Smds(Option<String>),
}

/// What only the eIM knows of a download that is queued.
pub(super) struct DownloadOrder {
    pub(super) activation_code: Option<String>,
    /// The IPA isn't told of the activation code.
    pub(super) by_eim: bool,
    /// See [`code_hash`].
    pub(super) code_hash: Option<Vec<u8>>,
}

/// A package as it is queued.
pub(super) struct Packed {
    /// EuiccPackage, ProfileDownloadTriggerRequest (BF54) or IpaEuiccDataRequest (BF52).
    pub(super) der: Vec<u8>,
    /// Of a download.
    pub(super) order: Option<DownloadOrder>,
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

    /// Asks the IPA for data of the eUICC and of its own: the content of a tag list.
    ///
    /// # Errors
    /// [`EimError::Operation`] if the list is too long.
    pub fn data(tags: &[u8]) -> Result<Self, EimError> {
        let tag_list = TagList::new(tags).ok_or_else(|| EimError::Operation {
            text: hex::encode_upper(tags),
            why: "a tag list has at most 65535 bytes".into(),
        })?;
        Ok(Operation::Data(IpaEuiccDataRequest {
            tag_list,
            euicc_ci_pk_identifier_to_be_used: None,
            search_criteria_notification: None,
            search_criteria_euicc_package_result: None,
            eim_transaction_id: None,
        }))
    }

    /// Lists the eIMs.
    pub fn list_eim() -> Self {
        Operation::Eco(Eco::list_eim())
    }
}

/// The tags of all that an IPA can be asked for (SGP.32 2.11.1.2), but for the association token, which this eIM has.
const ALL_DATA: &[u8] = &[
    0xA0, 0x81, 0xA2, 0xBF, 0x20, 0xBF, 0x22, 0x83, 0xA5, 0xA6, 0xA8, 0xA9,
];

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
            Operation::Download(download) => write!(f, "{download}"),
            Operation::Data(request) if request.tag_list.as_bytes() == ALL_DATA => {
                f.write_str("euiccData")
            }
            Operation::Data(request) => {
                write!(
                    f,
                    "euiccData {}",
                    hex::encode_upper(request.tag_list.as_bytes())
                )
            }
        }
    }
}

impl fmt::Display for Download {
    /// As [`Operation::from_str`] reads it, but for the confirmation code.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.from {
            Source::ActivationCode(code) => write!(f, "download {code}")?,
            Source::ByEim(code) => write!(f, "downloadByEim {code}")?,
            Source::DefaultSmdp => f.write_str("downloadFromDefaultSmdp")?,
            Source::Smds(None) => f.write_str("downloadFromSmds")?,
            Source::Smds(Some(address)) => write!(f, "downloadFromSmds {address}")?,
        }
        match self.confirmation_code {
            Some(_) => f.write_str(" confirmationCode ***"),
            None => Ok(()),
        }
    }
}

impl FromStr for Operation {
    type Err = EimError;

    /// `enable ICCID [rollback]`, `disable ICCID`, `delete ICCID`, `listProfileInfo`, `getRAT`,
    /// `setFallbackAttribute ICCID`, `unsetFallbackAttribute`, `setDefaultDpAddress [ADDRESS]`,
    /// `addEim HEX`, `updateEim HEX` (an EimConfigurationData in DER), `deleteEim EIMID`, `listEim`,
    /// `download ACTIVATION-CODE`, `downloadByEim ACTIVATION-CODE`, `downloadFromDefaultSmdp`,
    /// `euiccData [TAGS]` (a tag list in hexadecimal; all that v1.2 knows if none is given),
    /// `downloadFromSmds [ADDRESS]`, each with `confirmationCode CODE` if one is asked for.
    fn from_str(text: &str) -> Result<Self, EimError> {
        let wrong = |why: String| EimError::Operation {
            text: text.to_owned(),
            why,
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (words, confirmation_code) = match &words[..] {
            [rest @ .., "confirmationCode", code] => (rest, Some((*code).to_owned())),
            all => (all, None),
        };
        let code = |word: &str| -> Result<ActivationCode, EimError> {
            word.parse().map_err(|e| wrong(format!("{e}")))
        };
        let from = match words {
            ["download", word] => Some(Source::ActivationCode(code(word)?)),
            ["downloadByEim", word] => Some(Source::ByEim(code(word)?)),
            ["downloadFromDefaultSmdp"] => Some(Source::DefaultSmdp),
            ["downloadFromSmds"] => Some(Source::Smds(None)),
            ["downloadFromSmds", address] => Some(Source::Smds(Some((*address).to_owned()))),
            _ => None,
        };
        if let Some(from) = from {
            return Ok(Operation::Download(Download {
                from,
                confirmation_code,
            }));
        }
        if confirmation_code.is_some() {
            return Err(wrong("only a download has a confirmation code".into()));
        }
        let iccid = |word: &str| -> Result<Iccid, EimError> {
            word.parse().map_err(|e| wrong(format!("{e}")))
        };
        let entry = |word: &str| -> Result<EimConfigurationData, EimError> {
            let der = hex::decode(word).map_err(|e| wrong(e.to_string()))?;
            EimConfigurationData::from_der(&der).map_err(|e| wrong(e.to_string()))
        };
        Ok(match *words {
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
            ["euiccData"] => Operation::data(ALL_DATA)?,
            ["euiccData", tags] => {
                Operation::data(&hex::decode(tags).map_err(|e| wrong(e.to_string()))?)?
            }
            _ => {
                return Err(wrong(
                    "expected enable, disable, delete, listProfileInfo, getRAT, setFallbackAttribute, \
                     unsetFallbackAttribute, setDefaultDpAddress, addEim, updateEim, deleteEim, listEim, download, \
                     downloadByEim, downloadFromDefaultSmdp, downloadFromSmds or euiccData with its parameters"
                        .into(),
                ));
            }
        })
    }
}

/// The package of these operations.
pub(super) fn package(operations: &[Operation]) -> Result<Packed, EimError> {
    let encoded = |der: der::Result<Vec<u8>>| {
        der.map_err(|e| EimError::Encoding {
            what: "the package",
            detail: e.to_string(),
        })
    };
    let mut psmos = Vec::new();
    let mut ecos = Vec::new();
    for operation in operations {
        match operation {
            Operation::Psmo(psmo) => psmos.push(psmo.clone()),
            Operation::Eco(eco) => ecos.push(eco.clone()),
            Operation::Data(request) => {
                let [_] = operations else {
                    return Err(EimError::Mixed("a request for data stands alone".into()));
                };
                return Ok(Packed {
                    der: encoded(request.to_der())?,
                    order: None,
                });
            }
            Operation::Download(download) => {
                let [_] = operations else {
                    return Err(EimError::Mixed("a download stands alone".into()));
                };
                let der = encoded(download.trigger().to_der())?;
                return Ok(Packed {
                    der,
                    order: Some(download.order()),
                });
            }
        }
    }
    let package = match (psmos.is_empty(), ecos.is_empty()) {
        (false, true) => EuiccPackage::PsmoList(psmos),
        (true, false) => EuiccPackage::EcoList(ecos),
        (true, true) => return Err(EimError::Mixed("there is none".into())),
        (false, false) => return Err(EimError::Mixed("there are both".into())),
    };
    Ok(Packed {
        der: encoded(package.to_der())?,
        order: None,
    })
}

impl Download {
    /// A download with an activation code that the IPA is told.
    pub fn of(code: ActivationCode) -> Self {
        Download {
            from: Source::ActivationCode(code),
            confirmation_code: None,
        }
    }

    fn trigger(&self) -> ProfileDownloadTriggerRequest {
        let data = match &self.from {
            Source::ActivationCode(code) => {
                Some(ProfileDownloadData::ActivationCode(code.to_string()))
            }
            Source::ByEim(_) => None,
            Source::DefaultSmdp => Some(ProfileDownloadData::ContactDefaultSmdp(Null)),
            Source::Smds(address) => Some(ProfileDownloadData::ContactSmds(ContactSmds {
                smds_address: address.clone(),
            })),
        };
        ProfileDownloadTriggerRequest {
            profile_download_data: data,
            eim_transaction_id: None,
        }
    }

    fn order(&self) -> DownloadOrder {
        let (code, by_eim) = match &self.from {
            Source::ActivationCode(code) => (Some(code), false),
            Source::ByEim(code) => (Some(code), true),
            Source::DefaultSmdp | Source::Smds(_) => (None, false),
        };
        DownloadOrder {
            activation_code: code.map(ToString::to_string),
            by_eim,
            code_hash: self
                .confirmation_code
                .as_deref()
                .map(|code| code_hash(code).to_vec()),
        }
    }
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
            "download 1$smdp.example$LAB-1$2.999.10$1",
            "downloadByEim 1$smdp.example$LAB-1",
            "downloadFromDefaultSmdp",
            "downloadFromSmds smds.example",
        ] {
            assert_eq!(text.parse::<Operation>().unwrap().to_string(), text);
        }
        let with_code = "download LPA:1$smdp.example$LAB-1$$1 confirmationCode 1234";
        let shown = with_code.parse::<Operation>().unwrap().to_string();
        assert_eq!(
            shown,
            "download 1$smdp.example$LAB-1$$1 confirmationCode ***"
        );
        for bad in [
            "",
            "enable",
            "enable 1",
            "explode",
            "addEim 30",
            "download",
            "download smdp.example",
            "getRAT confirmationCode 1234",
        ] {
            assert!(bad.parse::<Operation>().is_err(), "{bad}");
        }
    }

    #[test]
    fn kinds_are_not_mixed() {
        let both = [Operation::list_eim(), Operation::get_rat()];
        assert!(package(&both).is_err() && package(&[]).is_err());
        let download = "downloadFromDefaultSmdp".parse().unwrap();
        assert!(package(&[download, Operation::get_rat()]).is_err());
        let der = package(&both[..1]).unwrap().der;
        let read = EuiccPackage::from_der(&der).unwrap();
        assert_eq!(operations(&read), both[..1]);
    }
}
