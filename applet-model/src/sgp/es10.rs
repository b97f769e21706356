//! The remaining ES10b functions: rollback, immediate enabling, fallback, emergency profile,
//! memory reset, connectivity parameters, default SM-DP+ address, IPAe activation (SGP.32 5.9),
//! and what the ISD-R says of itself when selected (SGP.32 5.9.2).

use super::euicc_result::EuiccPackageResult;
use super::{Octet16, Octets, Oid};
use der::asn1::Null;

codes! {
    /// ES10b.ProfileRollback (5.9.16).
    ProfileRollbackResult {
        Ok = 0 "ok",
        RollbackNotAllowed = 1 "rollbackNotAllowed",
        CatBusy = 5 "catBusy",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.ConfigureImmediateProfileEnabling (5.9.17).
    ConfigImmediateEnableResult {
        Ok = 0 "ok",
        InsufficientMemory = 1 "insufficientMemory",
        AssociatedEimAlreadyExists = 2 "associatedEimAlreadyExists",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.ImmediateEnable (5.9.15).
    ImmediateEnableResult {
        Ok = 0 "ok",
        ImmediateEnableNotAvailable = 1 "immediateEnableNotAvailable",
        NoSessionContext = 4 "noSessionContext",
        CatBusy = 5 "catBusy",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.EnableEmergencyProfile (5.9.22).
    EnableEmergencyProfileResult {
        Ok = 0 "ok",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        CatBusy = 5 "catBusy",
        EcallNotAvailable = 8 "ecallNotAvailable",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.DisableEmergencyProfile (5.9.23).
    DisableEmergencyProfileResult {
        Ok = 0 "ok",
        ProfileNotInEnabledState = 2 "profileNotInEnabledState",
        CatBusy = 5 "catBusy",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.ExecuteFallbackMechanism (5.9.20).
    ExecuteFallbackMechanismResult {
        Ok = 0 "ok",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        CatBusy = 5 "catBusy",
        FallbackNotAvailable = 6 "fallbackNotAvailable",
        CommandError = 7 "commandError",
        EcallActive = 104 "ecallActive",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.ReturnFromFallback (5.9.21).
    ReturnFromFallbackResult {
        Ok = 0 "ok",
        CatBusy = 5 "catBusy",
        FallbackNotAvailable = 6 "fallbackNotAvailable",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.SetDefaultDpAddress (5.9.25).
    SetDefaultDpAddressResult { Ok = 0 "ok", UndefinedError = 127 "undefinedError" }
    /// ES10b.eUICCMemoryReset (5.9.5), profiles and addresses.
    ResetResult {
        Ok = 0 "ok",
        NothingToDelete = 1 "nothingToDelete",
        CatBusy = 5 "catBusy",
        EcallActive = 104 "ecallActive",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.eUICCMemoryReset, the eIMs' entries.
    ResetEimResult {
        Ok = 0 "ok",
        NothingToDelete = 1 "nothingToDelete",
        EimResetNotSupported = 2 "eimResetNotSupported",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.eUICCMemoryReset, immediate enabling.
    ResetImmediateEnableConfigResult {
        Ok = 0 "ok",
        ResetIecNotSupported = 1 "resetIECNotSupported",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10b.GetConnectivityParameters (5.9.24) has none.
    ConnectivityParametersError {
        ParametersNotAvailable = 1 "parametersNotAvailable",
        UndefinedError = 127 "undefinedError",
    }
    /// IPAe activation (3.8.4).
    IpaeActivationResult { Ok = 0 "ok", NotSupported = 1 "notSupported" }
}

named_bits! {
    /// What eUICCMemoryReset resets.
    ResetOptions {
        DELETE_OPERATIONAL_PROFILES = 0 "deleteOperationalProfiles",
        DELETE_FIELD_LOADED_TEST_PROFILES = 1 "deleteFieldLoadedTestProfiles",
        RESET_DEFAULT_SMDP_ADDRESS = 2 "resetDefaultSmdpAddress",
        DELETE_PRE_LOADED_TEST_PROFILES = 3 "deletePreLoadedTestProfiles",
        DELETE_PROVISIONING_PROFILES = 4 "deleteProvisioningProfiles",
        RESET_EIM_CONFIG_DATA = 5 "resetEimConfigData",
        RESET_IMMEDIATE_ENABLE_CONFIG = 6 "resetImmediateEnableConfig",
    }
    /// What of the IPAe to activate.
    IpaeOption { ACTIVATE_IPAE = 0 "activateIpae" }
    /// What the ISD-R says of itself when selected.
    EuiccConfiguration {
        IPAE_SUPPORTED = 0 "ipaeSupported",
        ENABLED_PROFILE = 1 "enabledProfile",
    }
}

sequence! {
    /// ES10b.ProfileRollback.
    ProfileRollbackRequest = 0xBF58 {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`ProfileRollbackRequest`].
    ProfileRollbackResponse = 0xBF58 {
        cmd_result "cmdResult": required 0x02 ProfileRollbackResult,
        /// The new result, which replaces the package's.
        euicc_package_result "eUICCPackageResult": optional 0xBF51 EuiccPackageResult,
    }
    /// ES10b.ConfigureImmediateProfileEnabling.
    #[derive(Default)]
    ConfigureImmediateProfileEnablingRequest = 0xBF59 {
        immediate_enable_flag "immediateEnableFlag": flag 0x80 Null,
        default_smdp_oid "defaultSmdpOid": optional 0x81 Oid,
        default_smdp_address "defaultSmdpAddress": optional 0x82 String,
    }
    /// Answer to [`ConfigureImmediateProfileEnablingRequest`].
    ConfigureImmediateProfileEnablingResponse = 0xBF59 {
        config_immediate_enable_result "configImmediateEnableResult": required 0x80 ConfigImmediateEnableResult,
    }
    /// ES10b.ImmediateEnable.
    ImmediateEnableRequest = 0xBF5A {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`ImmediateEnableRequest`].
    ImmediateEnableResponse = 0xBF5A {
        immediate_enable_result "immediateEnableResult": required 0x80 ImmediateEnableResult,
    }
    /// ES10b.EnableEmergencyProfile.
    EnableEmergencyProfileRequest = 0xBF5B {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`EnableEmergencyProfileRequest`].
    EnableEmergencyProfileResponse = 0xBF5B {
        enable_emergency_profile_result "enableEmergencyProfileResult": required 0x80 EnableEmergencyProfileResult,
    }
    /// ES10b.DisableEmergencyProfile.
    DisableEmergencyProfileRequest = 0xBF5C {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`DisableEmergencyProfileRequest`].
    DisableEmergencyProfileResponse = 0xBF5C {
        disable_emergency_profile_result "disableEmergencyProfileResult": required 0x80 DisableEmergencyProfileResult,
    }
    /// ES10b.ExecuteFallbackMechanism.
    ExecuteFallbackMechanismRequest = 0xBF5D {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`ExecuteFallbackMechanismRequest`].
    ExecuteFallbackMechanismResponse = 0xBF5D {
        execute_fallback_mechanism_result "executeFallbackMechanismResult": required 0x80 ExecuteFallbackMechanismResult,
    }
    /// ES10b.ReturnFromFallback.
    ReturnFromFallbackRequest = 0xBF5E {
        refresh_flag "refreshFlag": required 0x80 bool,
    }
    /// Answer to [`ReturnFromFallbackRequest`].
    ReturnFromFallbackResponse = 0xBF5E {
        return_from_fallback_result "returnFromFallbackResult": required 0x80 ReturnFromFallbackResult,
    }
    /// ES10b.GetConnectivityParameters.
    #[derive(Default)]
    GetConnectivityParametersRequest = 0xBF5F {}
    /// How the enabled profile reaches the network.
    #[derive(Default)]
    ConnectivityParameters = 0x30 {
        /// As SGP.02 has them: COMPREHENSION-TLVs.
        http_params "httpParams": optional 0x81 Octets,
    }
    /// ES10b.eUICCMemoryReset. (v1.0 had tag `BF34`.)
    EuiccMemoryResetRequest = 0xBF64 {
        reset_options "resetOptions": required 0x82 ResetOptions,
    }
    /// Answer to [`EuiccMemoryResetRequest`].
    EuiccMemoryResetResponse = 0xBF64 {
        reset_result "resetResult": required 0x80 ResetResult,
        reset_eim_result "resetEimResult": optional 0x81 ResetEimResult,
        reset_immediate_enable_config_result "resetImmediateEnableConfigResult": optional 0x82 ResetImmediateEnableConfigResult,
    }
    /// ES10b.SetDefaultDpAddress, and the PSMO of that name. Empty: none.
    SetDefaultDpAddressRequest = 0xBF65 {
        default_dp_address "defaultDpAddress": required 0x80 String,
    }
    /// Answer to [`SetDefaultDpAddressRequest`].
    SetDefaultDpAddressResponse = 0xBF65 {
        set_default_dp_address_result "setDefaultDpAddressResult": required 0x80 SetDefaultDpAddressResult,
    }
    /// Activates the IPAe until the next reset.
    IpaeActivationRequest = 0xBF42 {
        ipae_option "ipaeOption": required 0x80 IpaeOption,
    }
    /// Answer to [`IpaeActivationRequest`].
    IpaeActivationResponse = 0xBF42 {
        ipae_activation_result "ipaeActivationResult": required 0x80 IpaeActivationResult,
    }
    /// What the ISD-R's answer to SELECT holds beside the usual.
    IsdrProprietaryApplicationTemplateIoT "ISDRProprietaryApplicationTemplateIoT" = 0xE1 {
        euicc_configuration "euiccConfiguration": required 0x80 EuiccConfiguration,
    }
    /// ES10b.GetEUICCChallenge.
    #[derive(Default)]
    GetEuiccChallengeRequest = 0xBF2E {}
    /// Answer to [`GetEuiccChallengeRequest`].
    GetEuiccChallengeResponse = 0xBF2E {
        euicc_challenge "euiccChallenge": required 0x80 Octet16,
    }
    /// ES10a.GetEuiccConfiguredAddresses.
    #[derive(Default)]
    EuiccConfiguredAddressesRequest = 0xBF3C {}
    /// Answer to [`EuiccConfiguredAddressesRequest`].
    EuiccConfiguredAddressesResponse = 0xBF3C {
        default_dp_address "defaultDpAddress": optional 0x80 String,
        root_ds_address "rootDsAddress": required 0x81 String,
    }
}

choice! {
    /// Answer to [`GetConnectivityParametersRequest`].
    GetConnectivityParametersResponse = 0xBF5F {
        0xA0 ConnectivityParameters(ConnectivityParameters) "connectivityParameters",
        0x81 ConnectivityParametersError(ConnectivityParametersError) "connectivityParametersError",
    }
}

impl SetDefaultDpAddressResponse {
    /// True if the address was set.
    pub fn is_ok(&self) -> bool {
        self.set_default_dp_address_result == SetDefaultDpAddressResult::Ok
    }
}
