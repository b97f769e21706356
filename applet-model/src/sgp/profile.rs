//! Profiles: ProfileInfo, the lists of them, policy rules and who owns what (SGP.22 5.7.15,
//! SGP.32 5.9).

use super::{Aid, Iccid, MccMnc, Octets, Oid, TagList};
use der::asn1::Any;

codes! {
    /// Whether a profile is the one in use.
    ProfileState { Disabled = 0 "disabled", Enabled = 1 "enabled" }
    /// What a profile is for.
    ProfileClass { Test = 0 "test", Provisioning = 1 "provisioning", Operational = 2 "operational" }
    /// The format of a profile's icon.
    IconType { Jpg = 0 "jpg", Png = 1 "png" }
    /// Why there is no list of profiles.
    ProfileInfoListError {
        IncorrectInputValues = 1 "incorrectInputValues",
        ProfileChangeOngoing = 11 "profileChangeOngoing",
        UndefinedError = 127 "undefinedError",
    }
}

named_bits! {
    /// Profile policy rules.
    PprIds {
        PPR_UPDATE_CONTROL = 0 "pprUpdateControl",
        PPR1 = 1 "ppr1",
        PPR2 = 2 "ppr2",
    }
    /// Flags of a rule in the rules authorisation table.
    PprFlags { CONSENT_REQUIRED = 0 "consentRequired" }
    /// Events that make a notification.
    NotificationEvent {
        NOTIFICATION_INSTALL = 0 "notificationInstall",
        NOTIFICATION_ENABLE = 1 "notificationEnable",
        NOTIFICATION_DISABLE = 2 "notificationDisable",
        NOTIFICATION_DELETE = 3 "notificationDelete",
    }
}

sequence! {
    /// The operator that a profile belongs to.
    OperatorId = 0x30 {
        mcc_mnc "mccMnc": required 0x80 MccMnc,
        gid1 "gid1": optional 0x81 Octets,
        gid2 "gid2": optional 0x82 Octets,
    }
    /// Whom to notify of what.
    NotificationConfigurationInformation = 0x30 {
        profile_management_operation "profileManagementOperation": required 0x80 NotificationEvent,
        notification_address "notificationAddress": required 0x81 String,
    }
    /// What an SM-DP+ keeps in a profile.
    DpProprietaryData = 0x30 {
        dp_oid "dpOid": required 0x80 Oid,
    }
    /// A vendor's own data.
    VendorExtension = 0x30 {
        vendor_oid "vendorOid": required 0x80 Oid,
        /// EXPLICIT, as an open type's tag is.
        vendor_specific_data "vendorSpecificData": required 0xA1 OpenValue,
    }
    /// What is known of an installed profile. Which elements are there depends on the tag list asked for.
    #[derive(Default)]
    ProfileInfo = 0xE3 {
        iccid "iccid": optional 0x5A Iccid,
        isdp_aid "isdpAid": optional 0x4F Aid,
        profile_state "profileState": optional 0x9F70 ProfileState,
        profile_nickname "profileNickname": optional 0x90 String,
        service_provider_name "serviceProviderName": optional 0x91 String,
        profile_name "profileName": optional 0x92 String,
        icon_type "iconType": optional 0x93 IconType,
        icon "icon": optional 0x94 Octets,
        profile_class "profileClass": optional 0x95 ProfileClass,
        notification_configuration_info "notificationConfigurationInfo": optional 0xB6 Vec<NotificationConfigurationInformation>,
        profile_owner "profileOwner": optional 0xB7 OperatorId,
        dp_proprietary_data "dpProprietaryData": optional 0xB8 DpProprietaryData,
        profile_policy_rules "profilePolicyRules": optional 0x99 PprIds,
        service_specific_data_stored_in_euicc "serviceSpecificDataStoredInEuicc": optional 0xBF22 Vec<VendorExtension>,
        ecall_indication "ecallIndication": optional 0x9F7B bool,
        fallback_attribute "fallbackAttribute": default_false 0x9F26 bool,
        fallback_allowed "fallbackAllowed": optional 0x9F67 bool,
    }
    /// ES10b/ES10c.GetProfilesInfo, and the PSMO listProfileInfo.
    #[derive(Default)]
    ProfileInfoListRequest = 0xBF2D {
        search_criteria "searchCriteria": optional 0xA0 ProfileSearchCriteria,
        /// Without it the eUICC answers with its default list.
        tag_list "tagList": optional 0x5C TagList,
    }
    /// A rule of the rules authorisation table.
    ProfilePolicyAuthorisationRule = 0x30 {
        ppr_ids "pprIds": required 0x80 PprIds,
        allowed_operators "allowedOperators": required 0xA1 Vec<OperatorId>,
        ppr_flags "pprFlags": required 0x82 PprFlags,
    }
    /// ES10b.GetRAT.
    #[derive(Default)]
    GetRatRequest = 0xBF43 {}
    /// Answer to [`GetRatRequest`].
    GetRatResponse = 0xBF43 {
        rat "rat": required 0xA0 RulesAuthorisationTable,
    }
}

/// The rules authorisation table; empty if no policy rule is allowed.
pub type RulesAuthorisationTable = Vec<ProfilePolicyAuthorisationRule>;

choice! {
    /// Which profiles to list.
    ProfileSearchCriteria = _ {
        0x4F IsdpAid(Aid) "isdpAid",
        0x5A Iccid(Iccid) "iccid",
        0x95 ProfileClass(ProfileClass) "profileClass",
    }
    /// Answer to [`ProfileInfoListRequest`].
    ProfileInfoListResponse = 0xBF2D {
        0xA0 ProfileInfoListOk(Vec<ProfileInfo>) "profileInfoListOk",
        0x81 ProfileInfoListError(ProfileInfoListError) "profileInfoListError",
    }
}

/// The value under an EXPLICIT tag, of any type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenValue(pub Any);

impl<'a> der::DecodeValue<'a> for OpenValue {
    type Error = der::Error;

    fn decode_value<R: der::Reader<'a>>(reader: &mut R, _header: der::Header) -> der::Result<Self> {
        <Any as der::Decode>::decode(reader).map(Self)
    }
}

impl der::EncodeValue for OpenValue {
    fn value_len(&self) -> der::Result<der::Length> {
        der::Encode::encoded_len(&self.0)
    }

    fn encode_value(&self, writer: &mut impl der::Writer) -> der::Result<()> {
        der::Encode::encode(&self.0, writer)
    }
}

impl super::asn1::Described for OpenValue {
    const SCHEMA: &'static super::asn1::Schema = <Any as super::asn1::Described>::SCHEMA;
}
