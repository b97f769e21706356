//! The end of a download: what metadata are accepted, the profile that is installed, and the signed
//! ProfileInstallationResult (SGP.22 5.5.3, 2.5.6, 5.7.6).

use super::Iccid;
use super::choices::PPR1_WANTS_NO_OTHER_PROFILE;
use super::download::{JustInstalled, Session};
use super::es10::{Function, Refusal};
use super::load::{Load, Refused};
use super::profile::{Event, Icon, NotificationConfig, Owner, PolicyRules, Profile};
use super::profile::{ProfileClass, named_bits};
use super::state::{State, StoredNotification};
use super::{Euicc, free_isdp_aid};
use crate::pki::package::integer;
use crate::saip;
use crate::saip::asn1::Secret;
use crate::saip::status::Status;
use applet_model::sgp::download::StoreMetadataRequest;
use applet_model::sgp::notification::{BppCommandId, ErrorReason};
use applet_model::sgp::profile::{IconType, NotificationEvent, PprIds};
use applet_model::sgp::{self, Encode};
use applet_model::status::Sw;
use applet_model::tlv;

/// A profile that is to be installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Installation {
    /// What the metadata make of it.
    pub profile: Profile,
    /// The unprotected profile package, once it has come.
    pub package: Vec<u8>,
}

/// What became of the profile elements: `EUICCResponse`, and what the eUICC must know of the profile.
struct Interpreted {
    sima: Vec<u8>,
    iccid: Iccid,
    imsi: String,
    size: usize,
}

/// Interprets a profile's elements.
fn interpret(package: &[u8]) -> Result<Interpreted, (ErrorReason, Vec<u8>)> {
    match saip::install::install(package) {
        Ok(installed) => Ok(Interpreted {
            sima: installed.response().to_bytes(),
            iccid: Iccid(installed.iccid),
            imsi: installed.imsi.clone(),
            size: installed.size(),
        }),
        Err(refused) => {
            let reason = match refused.failed().status {
                Status::NOT_ENOUGH_MEMORY => ErrorReason::InsufficientMemory,
                _ => ErrorReason::PeProcessingError,
            };
            Err((reason, refused.response().to_bytes()))
        }
    }
}

impl Euicc {
    /// Bytes that are left for profiles.
    pub(super) fn free_profile_memory(&self) -> usize {
        if let Some(free) = self.faults.profile_memory {
            return free;
        }
        let used: usize = self.state.profiles.iter().map(|p| p.size).sum();
        self.limits().profile_memory.saturating_sub(used)
    }

    /// Checks a profile's metadata (SGP.22 5.5.3) and gives the profile they describe.
    pub(super) fn accept_metadata(
        &self,
        metadata: &StoreMetadataRequest,
        dp_proprietary: &[u8],
    ) -> Result<Installation, ErrorReason> {
        let iccid = metadata.iccid;
        if self.state.profile(&iccid).is_some() {
            return Err(ErrorReason::IccidAlreadyExists);
        }
        let class = match &metadata.profile_class {
            None | Some(sgp::profile::ProfileClass::Operational) => ProfileClass::Operational,
            Some(sgp::profile::ProfileClass::Test) => ProfileClass::Test,
            Some(sgp::profile::ProfileClass::Provisioning) => ProfileClass::Provisioning,
            Some(_) => return Err(ErrorReason::UnsupportedProfileClass),
        };
        let (provider, name) = (&metadata.service_provider_name, &metadata.profile_name);
        if provider.len() > 32 || name.len() > 64 {
            return Err(ErrorReason::IncorrectInputValues);
        }
        let icon = match (&metadata.icon_type, &metadata.icon) {
            (None, None) => None,
            (Some(kind), Some(icon)) if icon.len() <= 1024 => Some(Icon {
                png: *kind == IconType::Png,
                bytes: icon.to_vec(),
            }),
            _ => return Err(ErrorReason::IncorrectInputValues),
        };
        let owner = metadata.profile_owner.as_ref().map(|owner| Owner {
            mcc_mnc: owner.mcc_mnc.to_vec(),
            gid1: owner.gid1.as_ref().map(|g| g.to_vec()).unwrap_or_default(),
            gid2: owner.gid2.as_ref().map(|g| g.to_vec()).unwrap_or_default(),
        });
        let has = |rule| {
            metadata
                .profile_policy_rules
                .is_some_and(|all| all.has(rule))
        };
        let policy = PolicyRules {
            ppr1_no_disable: has(PprIds::PPR1),
            ppr2_no_delete: has(PprIds::PPR2),
        };
        self.accept_policy(policy, owner.as_ref(), class)?;
        let mut notifications = Vec::new();
        for config in metadata
            .notification_configuration_info
            .as_deref()
            .unwrap_or_default()
        {
            let asked = config.profile_management_operation;
            let events = [
                (NotificationEvent::NOTIFICATION_INSTALL, Event::Install),
                (NotificationEvent::NOTIFICATION_ENABLE, Event::Enable),
                (NotificationEvent::NOTIFICATION_DISABLE, Event::Disable),
                (NotificationEvent::NOTIFICATION_DELETE, Event::Delete),
            ];
            notifications.push(NotificationConfig {
                events: events
                    .into_iter()
                    .filter(|(bit, _)| asked.has(*bit))
                    .map(|(_, event)| event)
                    .collect(),
                address: config.notification_address.clone(),
            });
        }
        let mut service_specific = Vec::new();
        for data in metadata
            .service_specific_data_stored_in_euicc
            .iter()
            .flatten()
        {
            data.encode_to_vec(&mut service_specific)
                .map_err(|_| ErrorReason::IncorrectInputValues)?;
        }
        Ok(Installation {
            profile: Profile {
                iccid,
                imsi: String::new(),
                service_provider: provider.clone(),
                name: name.clone(),
                nickname: String::new(),
                enabled: false,
                isdp_aid: free_isdp_aid(&self.state.profiles),
                owner,
                policy,
                notifications,
                fallback: false,
                fallback_allowed: metadata.fallback_allowed,
                ecall: metadata.ecall_indication.unwrap_or_default(),
                package: Secret::default(),
                http_params: Vec::new(),
                field_loaded: class == ProfileClass::Test,
                class,
                icon,
                dp_proprietary: dp_proprietary.to_vec(),
                service_specific,
                size: 0,
            },
            package: Vec::new(),
        })
    }

    /// Policy rules must be authorised by the rules authorisation table for the profile's owner (SGP.22 2.9.2).
    fn accept_policy(
        &self,
        policy: PolicyRules,
        owner: Option<&Owner>,
        class: ProfileClass,
    ) -> Result<(), ErrorReason> {
        if policy == PolicyRules::default() {
            return Ok(());
        }
        let Some(owner) = owner else {
            return Err(ErrorReason::PprNotAllowed);
        };
        let allowed = |asked: bool, has: fn(&super::config::AuthorisationRule) -> bool| {
            !asked
                || self
                    .constants
                    .rules
                    .iter()
                    .any(|rule| has(rule) && rule.operators.iter().any(|o| o.covers(owner)))
        };
        let other = self
            .state
            .profiles
            .iter()
            .any(|p| p.class == ProfileClass::Operational);
        let first = !(policy.ppr1_no_disable
            && PPR1_WANTS_NO_OTHER_PROFILE
            && class == ProfileClass::Operational
            && other);
        if allowed(policy.ppr1_no_disable, |rule| rule.ppr1)
            && allowed(policy.ppr2_no_delete, |rule| rule.ppr2)
            && first
        {
            Ok(())
        } else {
            Err(ErrorReason::PprNotAllowed)
        }
    }

    /// The package is complete: its elements are interpreted, and the profile is there or isn't.
    pub(super) fn installed(&mut self, session: &Session, mut load: Load) -> Function {
        let installation = load.installation.take();
        let Some(Installation {
            mut profile,
            package,
        }) = installation.map(|boxed| *boxed)
        else {
            return Err(Refusal::Status(Sw::UNKNOWN));
        };
        let refuse = |reason, sima| Refused {
            command: BppCommandId::LoadProfileElements,
            reason,
            sima,
        };
        let refused = match interpret(&package) {
            Ok(done) if done.iccid != profile.iccid => refuse(ErrorReason::DataMismatch, done.sima),
            Err((reason, sima)) => refuse(reason, sima),
            Ok(done) if done.size > self.free_profile_memory() => {
                refuse(ErrorReason::InsufficientMemory, Vec::new())
            }
            Ok(done) => {
                profile.imsi = done.imsi;
                profile.size = package.len().max(done.size);
                profile.package = package.into();
                return self.success(session, profile, &done.sima);
            }
        };
        load.installation = Some(Box::new(Installation {
            profile,
            package: Vec::new(),
        }));
        let (result, state) = self.not_installed(session, &load, &refused)?;
        Ok((result, Some(state)))
    }

    fn success(&mut self, session: &Session, profile: Profile, sima: &[u8]) -> Function {
        let mut state = self.state.clone();
        let mut success = tlv::write(0x4F, &profile.isdp_aid);
        success.extend(tlv::write(0x04, sima));
        let result = self.installation_result(
            &mut state,
            session,
            Some(&profile.iccid),
            &tlv::write(0xA0, &success),
        )?;
        self.rsp.installed = Some(JustInstalled {
            iccid: profile.iccid,
            oid: session.oid.clone(),
            server_address: session.server_address.clone(),
        });
        self.notify(&mut state, &profile, Event::Install);
        state.profiles.push(profile);
        Ok((result, Some(state)))
    }

    /// The signed result of an installation that failed, and the state that holds it.
    pub(super) fn not_installed(
        &mut self,
        session: &Session,
        load: &Load,
        refused: &Refused,
    ) -> Result<(Vec<u8>, State), Refusal> {
        let mut state = self.state.clone();
        let mut error = tlv::write(0x80, &integer(refused.command.code().unsigned_abs()));
        error.extend(tlv::write(
            0x81,
            &integer(refused.reason.code().unsigned_abs()),
        ));
        if !refused.sima.is_empty() {
            error.extend(tlv::write(0x82, &refused.sima));
        }
        let iccid = load.installation.as_ref().map(|i| i.profile.iccid);
        let result = self.installation_result(
            &mut state,
            session,
            iccid.as_ref(),
            &tlv::write(0xA1, &error),
        )?;
        Ok((result, state))
    }

    /// `ProfileInstallationResult` (BF37), which is also stored as a notification for the SM-DP+. The one-time key has
    /// served.
    fn installation_result(
        &self,
        state: &mut State,
        session: &Session,
        iccid: Option<&Iccid>,
        final_result: &[u8],
    ) -> Result<Vec<u8>, Refusal> {
        let undefined = Refusal::Status(Sw::UNKNOWN);
        let credential = self.credential(&session.ci_key_id).ok_or(undefined)?;
        let seq = state.take_seq();
        let mut metadata = tlv::write(0x80, &integer(seq));
        metadata.extend(tlv::write(0x81, &named_bits(Event::Install.mask())));
        metadata.extend(tlv::write(0x0C, session.server_address.as_bytes()));
        if let Some(iccid) = iccid {
            metadata.extend(tlv::write(0x5A, iccid.as_bytes()));
        }
        let metadata = tlv::write(0xBF2F, &metadata);
        let mut data = tlv::write(0x80, &session.transaction_id);
        data.extend_from_slice(&metadata);
        data.extend(tlv::write(0x06, session.oid.as_bytes()));
        data.extend(tlv::write(0xA2, final_result));
        let data = tlv::write(0xBF27, &data);
        let signature = credential
            .key
            .sign(&data)
            .map_err(|_| Refusal::Status(Sw::UNKNOWN))?;
        let notification = StoredNotification {
            seq,
            event: Event::Install,
            metadata,
            result: data,
            signature: signature.to_vec(),
        };
        let bytes = self.pending_notification(&notification);
        self.store_notification(state, notification);
        state.one_time = None;
        Ok(bytes)
    }
}
