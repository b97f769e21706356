//! The eIMs that may command this eUICC: associated by the IPA (AddInitialEim), shown
//! (GetEimConfigurationData), and changed by eIMs (eCOs) (SGP.32 3.5, 5.9.4, 5.9.18).

use super::Euicc;
use super::es10::{Function, Refusal, answer};
use super::state::{Eim, State};
use crate::pki::PublicKey;
use applet_model::sgp::eim_config::{
    AddInitialEimError, AddInitialEimRequest, EimConfigurationData, EimIdInfo,
};
use applet_model::sgp::euicc_result::{
    AddEimResult, AddEimResultCode, DeleteEimResult, ListEimResult, UpdateEimResult,
};
use applet_model::sgp::profile::VendorExtension;
use applet_model::sgp::{Decode, Encode, KeyId};
use applet_model::tlv::{self, Tlv};

/// What an eIM's entry asks the eUICC to give it (SGP.32 2.11.1: "-1 requests a token").
const TOKEN_REQUEST: i64 = -1;
/// Longest `eimId`, bytes.
const EIM_ID_LIMIT: usize = 128;

impl Euicc {
    /// The entry for an eIM's data, with a token if it asks for one; or why not. The codes of addEim and
    /// AddInitialEim have the same numbers and names.
    fn new_eim(
        &self,
        state: &mut State,
        data: &EimConfigurationData,
    ) -> Result<Eim, AddEimResultCode> {
        if self.faults.memory_full || state.eims.len() >= self.limits().eims {
            return Err(AddEimResultCode::InsufficientMemory);
        }
        if state.eim(&data.eim_id).is_some() {
            return Err(AddEimResultCode::AssociatedEimAlreadyExists);
        }
        let wrong = AddEimResultCode::CommandError;
        let (Some(counter), Some(key_data)) = (data.counter_value, &data.eim_public_key_data)
        else {
            return Err(wrong);
        };
        if data.eim_id.is_empty() || data.eim_id.len() > EIM_ID_LIMIT {
            return Err(wrong);
        }
        let key = key_data.public_key().map_err(|_| wrong)?.to_bytes();
        PublicKey::from_spki(&key).map_err(|_| wrong)?;
        if counter > self.limits().counter {
            return Err(AddEimResultCode::CounterValueOutOfRange);
        }
        let ci_key_id = self
            .ci_key_id(data.euicc_ci_pk_id.as_ref())
            .ok_or(AddEimResultCode::CiPkUnknown)?;
        let token = match data.association_token {
            None => None,
            Some(TOKEN_REQUEST) => Some(state.take_token()),
            Some(_) => return Err(AddEimResultCode::InvalidAssociationToken),
        };
        let shown = EimConfigurationData {
            counter_value: None,
            association_token: token.map(i64::from),
            esipa_proprietary: self.esipa_proprietary(data),
            ..data.clone()
        };
        Ok(Eim {
            eim_id: data.eim_id.clone(),
            counter,
            token,
            key,
            ci_key_id,
            data: shown.to_der().map_err(|_| wrong)?,
        })
    }

    /// What an entry holds for proprietary protocols: v1.3 keeps it, versions before it know nothing of it.
    fn esipa_proprietary(&self, data: &EimConfigurationData) -> Option<Vec<VendorExtension>> {
        let known = self.speaks(&|version| *version >= [1, 3, 0]);
        data.esipa_proprietary.clone().filter(|_| known)
    }

    /// The CI that an entry names, or the first one; `None` if the eUICC has no key for it.
    fn ci_key_id(&self, named: Option<&KeyId>) -> Option<Vec<u8>> {
        match named {
            Some(id) => self.credential(id.as_bytes()),
            None => self.credentials.first(),
        }
        .map(|c| c.ci_key_id.clone())
    }

    /// ES10b.AddInitialEim (SGP.32 5.9.4): only while none is associated; all of the list or nothing.
    pub(super) fn add_initial_eim(&self, request: &Tlv<'_>) -> Function {
        let refuse =
            |code: AddInitialEimError| answer(0xBF57, &tlv::write(0x81, &[code.code() as u8]));
        if !self.state.eims.is_empty() {
            return refuse(AddInitialEimError::AssociatedEimAlreadyExists);
        }
        let list = match AddInitialEimRequest::from_der(request.raw) {
            Ok(request) => request.eim_configuration_data_list,
            Err(_) => return refuse(AddInitialEimError::CommandError),
        };
        if list.is_empty() {
            return refuse(AddInitialEimError::CommandError);
        }
        let mut state = self.state.clone();
        let mut done = Vec::new();
        for data in &list {
            match self.new_eim(&mut state, data) {
                Ok(eim) => {
                    done.extend(match eim.token {
                        Some(token) => {
                            tlv::write(0x84, &crate::pki::package::integer(u64::from(token)))
                        }
                        None => tlv::write(0x05, &[]),
                    });
                    state.eims.push(eim);
                }
                Err(code) => return refuse(AddInitialEimError::from_code(code.code())),
            }
        }
        Ok((tlv::write(0xBF57, &tlv::write(0xA0, &done)), Some(state)))
    }

    /// ES10b.GetEimConfigurationData (SGP.32 5.9.18): all eIMs, or the one with the eimId asked for. Counters are
    /// never shown.
    pub(super) fn get_eim_configuration_data(&self, request: &Tlv<'_>) -> Function {
        let wanted = match request.find(0xA0)? {
            Some(criteria) => {
                let criterion = tlv::read_one(criteria.value)?;
                if criterion.tag != 0x80 {
                    return Err(Refusal::Data);
                }
                Some(criterion.value.to_vec())
            }
            None => None,
        };
        let list: Vec<u8> = self
            .state
            .eims
            .iter()
            .filter(|e| wanted.as_ref().is_none_or(|id| e.eim_id.as_bytes() == id))
            .flat_map(|e| e.data.iter().copied())
            .collect();
        answer(0xBF55, &tlv::write(0xA0, &list))
    }

    /// eCO addEim (SGP.32 3.5.1).
    pub(super) fn add_eim(&self, state: &mut State, data: &EimConfigurationData) -> AddEimResult {
        match self.new_eim(state, data) {
            Ok(eim) => {
                let token = eim.token;
                state.eims.push(eim);
                match token {
                    Some(token) => AddEimResult::AssociationToken(i64::from(token)),
                    None => AddEimResult::AddEimResultCode(AddEimResultCode::Ok),
                }
            }
            Err(code) => AddEimResult::AddEimResultCode(code),
        }
    }

    /// eCO updateEim (SGP.32 3.5.2): what the entry holds replaces what the eUICC has; the token stays.
    pub(super) fn update_eim(
        &self,
        state: &mut State,
        data: &EimConfigurationData,
    ) -> UpdateEimResult {
        let wrong = UpdateEimResult::CommandError;
        let Some(eim) = state.eims.iter_mut().find(|e| e.eim_id == data.eim_id) else {
            return UpdateEimResult::EimNotFound;
        };
        let nothing = EimConfigurationData::new(data.eim_id.clone());
        if data.association_token.is_some() || *data == nothing {
            return wrong;
        }
        let Ok(mut shown) = EimConfigurationData::from_der(&eim.data) else {
            return UpdateEimResult::UndefinedError;
        };
        let mut changed = eim.clone();
        if let Some(key_data) = &data.eim_public_key_data {
            let Ok(key) = key_data.public_key() else {
                return wrong;
            };
            changed.key = key.to_bytes();
            if PublicKey::from_spki(&changed.key).is_err() {
                return wrong;
            }
            shown.eim_public_key_data = Some(key_data.clone());
        }
        if let Some(counter) = data.counter_value {
            if counter > self.limits().counter {
                return UpdateEimResult::CounterValueOutOfRange;
            }
            if counter < eim.counter && changed.key == eim.key {
                return wrong;
            }
            changed.counter = counter;
        }
        if data.euicc_ci_pk_id.is_some() {
            match self.ci_key_id(data.euicc_ci_pk_id.as_ref()) {
                Some(id) => changed.ci_key_id = id,
                None => return UpdateEimResult::CiPkUnknown,
            }
            shown.euicc_ci_pk_id = data.euicc_ci_pk_id.clone();
        }
        if let Some(information) = self.esipa_proprietary(data) {
            shown.esipa_proprietary = Some(information);
        }
        macro_rules! replace {
            ($($field:ident),*) => {$(
                if data.$field.is_some() {
                    shown.$field = data.$field.clone();
                }
            )*};
        }
        replace!(
            eim_fqdn,
            eim_id_type,
            trusted_public_key_data_tls,
            eim_supported_protocol
        );
        shown.indirect_profile_download |= data.indirect_profile_download;
        match shown.to_der() {
            Ok(der) => changed.data = der,
            Err(_) => return UpdateEimResult::UndefinedError,
        }
        *eim = changed;
        UpdateEimResult::Ok
    }

    /// eCO deleteEim (SGP.32 3.5.3); the last one's deletion succeeds with a code of its own.
    pub(super) fn delete_eim(state: &mut State, eim_id: &str) -> DeleteEimResult {
        let Some(at) = state.eims.iter().position(|e| e.eim_id == eim_id) else {
            return DeleteEimResult::EimNotFound;
        };
        state.eims.remove(at);
        if state.eims.is_empty() {
            DeleteEimResult::LastEimDeleted
        } else {
            DeleteEimResult::Ok
        }
    }

    /// eCO listEim (SGP.32 3.5.4).
    pub(super) fn list_eim(state: &State) -> ListEimResult {
        ListEimResult::EimIdList(
            state
                .eims
                .iter()
                .map(|eim| EimIdInfo {
                    eim_id: eim.eim_id.clone(),
                    eim_id_type: EimConfigurationData::from_der(&eim.data)
                        .ok()
                        .and_then(|d| d.eim_id_type),
                })
                .collect(),
        )
    }
}
