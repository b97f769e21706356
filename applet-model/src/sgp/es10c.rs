//! ES10c: what a local assistant asks of the eUICC (SGP.22 5.7.16 to 5.7.21). An IPAe doesn't use
//! it; a card under test is also spoken to by tools that do.

use super::{Aid, Iccid};

codes! {
    /// ES10c.EnableProfile.
    LocalEnableResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        WrongProfileReenabling = 4 "wrongProfileReenabling",
        CatBusy = 5 "catBusy",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10c.DisableProfile.
    LocalDisableResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInEnabledState = 2 "profileNotInEnabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        CatBusy = 5 "catBusy",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10c.DeleteProfile.
    LocalDeleteResult {
        Ok = 0 "ok",
        IccidOrAidNotFound = 1 "iccidOrAidNotFound",
        ProfileNotInDisabledState = 2 "profileNotInDisabledState",
        DisallowedByPolicy = 3 "disallowedByPolicy",
        UndefinedError = 127 "undefinedError",
    }
    /// ES10c.SetNickname.
    SetNicknameResult {
        Ok = 0 "ok",
        IccidNotFound = 1 "iccidNotFound",
        UndefinedError = 127 "undefinedError",
    }
}

sequence! {
    /// ES10c.EnableProfile.
    EnableProfileRequest = 0xBF31 {
        profile_identifier "profileIdentifier": required 0xA0 ProfileIdentifier,
        refresh_flag "refreshFlag": required 0x81 bool,
    }
    /// Answer to [`EnableProfileRequest`].
    EnableProfileResponse = 0xBF31 {
        enable_result "enableResult": required 0x80 LocalEnableResult,
    }
    /// ES10c.DisableProfile.
    DisableProfileRequest = 0xBF32 {
        profile_identifier "profileIdentifier": required 0xA0 ProfileIdentifier,
        refresh_flag "refreshFlag": required 0x81 bool,
    }
    /// Answer to [`DisableProfileRequest`].
    DisableProfileResponse = 0xBF32 {
        disable_result "disableResult": required 0x80 LocalDisableResult,
    }
    /// Answer to [`DeleteProfileRequest`].
    DeleteProfileResponse = 0xBF33 {
        delete_result "deleteResult": required 0x80 LocalDeleteResult,
    }
    /// ES10c.SetNickname.
    SetNicknameRequest = 0xBF29 {
        iccid "iccid": required 0x5A Iccid,
        profile_nickname "profileNickname": required 0x90 String,
    }
    /// Answer to [`SetNicknameRequest`].
    SetNicknameResponse = 0xBF29 {
        set_nickname_result "setNicknameResult": required 0x80 SetNicknameResult,
    }
}

choice! {
    /// Which profile.
    ProfileIdentifier = _ {
        0x4F IsdpAid(Aid) "isdpAid",
        0x5A Iccid(Iccid) "iccid",
    }
    /// ES10c.DeleteProfile.
    DeleteProfileRequest = 0xBF33 {
        0x4F IsdpAid(Aid) "isdpAid",
        0x5A Iccid(Iccid) "iccid",
    }
}
