//! Functions by which the IPA manages the eUICC itself: profile list, nickname, default SM-DP+, immediate
//! enabling.

use super::Euicc;
use super::Iccid;
use super::choices::{EMPTY_NICKNAME_REMOVES, GET_PROFILES_INFO_TAGS};
use super::es10::{Function, Refusal, answer, code, text};
use super::local::refresh_flag;
use super::profile::Profile;
use super::state::{ImmediateEnable, State};
use applet_model::tlv::{self, Tlv};

/// The ICCID in a data object.
pub(super) fn iccid(tlv: &Tlv<'_>) -> Result<Iccid, Refusal> {
    let bytes: [u8; 10] = tlv.value.try_into().map_err(|_| Refusal::Data)?;
    Ok(Iccid(bytes))
}

/// The tags in a tag list (5C).
fn tag_list(mut list: &[u8]) -> Option<Vec<u32>> {
    let mut tags = Vec::new();
    while let Some((first, rest)) = list.split_first() {
        let mut tag = u32::from(*first);
        list = rest;
        if first & 0x1F == 0x1F {
            loop {
                let (next, rest) = list.split_first()?;
                if tag > 0xFFFF {
                    return None;
                }
                tag = tag << 8 | u32::from(*next);
                list = rest;
                if next & 0x80 == 0 {
                    break;
                }
            }
        }
        tags.push(tag);
    }
    Some(tags)
}

impl Euicc {
    /// The value of `ProfileInfoListResponse` (inside of BF2D) for a `ProfileInfoListRequest`'s value: A0 with
    /// the profiles, or 81 with incorrectInputValues(1).
    pub(super) fn profile_info_list(
        state: &State,
        request: &[u8],
        default_tags: &[u32],
    ) -> Vec<u8> {
        let incorrect = || tlv::write(0x81, &[1]);
        let mut tags = default_tags.to_vec();
        let mut wanted: Box<dyn Fn(&Profile) -> bool> = Box::new(|_| true);
        for item in tlv::iter(request) {
            let Ok(item) = item else { return incorrect() };
            match item.tag {
                0xA0 => {
                    let Ok(criterion) = tlv::read_one(item.value) else {
                        return incorrect();
                    };
                    let value = criterion.value.to_vec();
                    wanted = match criterion.tag {
                        0x4F => Box::new(move |p| p.isdp_aid == value),
                        0x5A => Box::new(move |p| p.iccid.as_bytes().as_slice() == value),
                        0x95 => Box::new(move |p| [p.class.code()].as_slice() == value),
                        _ => return incorrect(),
                    };
                }
                0x5C => match tag_list(item.value) {
                    Some(list) => tags = list,
                    None => return incorrect(),
                },
                _ => return incorrect(),
            }
        }
        let list: Vec<u8> = state
            .profiles
            .iter()
            .filter(|p| wanted(p))
            .flat_map(|p| tlv::write(0xE3, &p.info(&tags)))
            .collect();
        tlv::write(0xA0, &list)
    }

    /// ES10c.GetProfilesInfo (SGP.22 5.7.15).
    pub(super) fn get_profiles_info(&self, request: &Tlv<'_>) -> Function {
        answer(
            0xBF2D,
            &Self::profile_info_list(&self.state, request.value, GET_PROFILES_INFO_TAGS),
        )
    }

    /// ES10c.SetNickname (SGP.22 5.7.21): ok(0), iccidNotFound(1), undefinedError(127) for more than 64 bytes.
    pub(super) fn set_nickname(&self, request: &Tlv<'_>) -> Function {
        let iccid = iccid(&tlv::require(request.value, 0x5A)?)?;
        let nickname = text(&tlv::require(request.value, 0x90)?)?;
        let mut state = self.state.clone();
        let Some(profile) = state.profiles.iter_mut().find(|p| p.iccid == iccid) else {
            return Ok((code(0xBF29, 0x80, 1), None));
        };
        if nickname.len() > 64 || (nickname.is_empty() && !EMPTY_NICKNAME_REMOVES) {
            return Ok((code(0xBF29, 0x80, 127), None));
        }
        profile.nickname = nickname;
        Ok((code(0xBF29, 0x80, 0), Some(state)))
    }

    /// Sets the default SM-DP+ address from the value of a `SetDefaultDpAddressRequest`; true if it was done. An empty
    /// address removes it.
    pub(super) fn set_default_dp(state: &mut State, request: &[u8]) -> Result<bool, Refusal> {
        let address = text(&tlv::require(request, 0x80)?)?;
        let fits = address.len() <= 255;
        if fits {
            state.default_smdp = address;
        }
        Ok(fits)
    }

    /// ES10b.SetDefaultDpAddress (SGP.32 5.9.25), and ES10a's of the same name (SGP.22 5.7.4): ok(0) or
    /// undefinedError(127).
    pub(super) fn set_default_dp_address(&self, request: &Tlv<'_>) -> Function {
        let mut state = self.state.clone();
        let done = Self::set_default_dp(&mut state, request.value)?;
        let result = if done { 0 } else { 127 };
        Ok((code(request.tag, 0x80, result), done.then_some(state)))
    }

    /// The configuration of immediate enabling in a request's value: flag present is on (SGP.32 3.4.4).
    pub(super) fn immediate_configuration(request: &[u8]) -> Result<ImmediateEnable, Refusal> {
        let mut configuration = ImmediateEnable::default();
        for item in tlv::iter(request) {
            let item = item?;
            match item.tag {
                0x80 => configuration.on = true,
                0x81 => configuration.smdp_oid = item.value.to_vec(),
                0x82 => configuration.smdp_address = Some(text(&item)?),
                _ => return Err(Refusal::Data),
            }
        }
        Ok(configuration)
    }

    /// ES10b.ConfigureImmediateProfileEnabling (SGP.32 5.9.17): only while no eIM is associated, else
    /// associatedEimAlreadyExists(2).
    pub(super) fn configure_immediate_profile_enabling(&self, request: &Tlv<'_>) -> Function {
        let configuration = Self::immediate_configuration(request.value)?;
        let result = if !self.state.eims.is_empty() {
            2
        } else if self.faults.memory_full {
            1
        } else {
            0
        };
        let state = (result == 0).then(|| State {
            immediate: configuration,
            ..self.state.clone()
        });
        Ok((code(0xBF59, 0x80, result), state))
    }

    /// ES10b.ImmediateEnable (SGP.32 5.9.15): of the profile that the last session installed, from the SM-DP+ that is
    /// configured, if one is. ok(0), immediateEnableNotAvailable(1), noSessionContext(4), catBusy(5).
    pub(super) fn immediate_enable(&mut self, request: &Tlv<'_>) -> Function {
        let refresh = refresh_flag(request, 0x80)?;
        let refuse = |result| Ok((code(0xBF5A, 0x80, result), None));
        let configured = &self.state.immediate;
        if !configured.on {
            return refuse(1);
        }
        let Some(installed) = &self.rsp.installed else {
            return refuse(4);
        };
        let fits = (configured.smdp_oid.is_empty()
            || configured.smdp_oid == installed.oid.as_bytes())
            && configured
                .smdp_address
                .as_ref()
                .is_none_or(|address| *address == installed.server_address);
        let before = self.state.enabled();
        let locked = before.is_some_and(|p| p.policy.ppr1_no_disable);
        let iccid = installed.iccid;
        if self.state.profile(&iccid).is_none() {
            return refuse(4);
        }
        if !fits || locked || self.state.emergency() {
            return refuse(1);
        }
        if self.cat_is_busy() {
            return refuse(5);
        }
        self.rsp.installed = None;
        let mut state = self.state.clone();
        if refresh {
            state.rollback = None;
        }
        self.switch(&mut state, Some(iccid));
        self.at_once = !refresh;
        Ok((code(0xBF5A, 0x80, 0), Some(state)))
    }
}
