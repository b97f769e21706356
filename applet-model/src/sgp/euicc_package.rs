//! eUICC packages: what the eIM signs and the eUICC executes (SGP.32 2.11.1.1, 5.9.1).

use super::eim_config::EimConfigurationData;
use super::es10::SetDefaultDpAddressRequest;
use super::profile::ProfileInfoListRequest;
use super::{Eid, Iccid, Octets, Oid, Signed, TransactionId};
use der::asn1::Null;

sequence! {
    /// ES10b.LoadEuiccPackage; also how it travels over ESipa.
    EuiccPackageRequest = 0xBF51 {
        /// With the bytes that were signed.
        euicc_package_signed "euiccPackageSigned": required 0x30 Signed<EuiccPackageSigned>,
        /// ECDSA, r and s of 32 bytes each, over [`signature_input`].
        eim_signature "eimSignature": required 0x5F37 Octets,
    }
    /// The signed part of an [`EuiccPackageRequest`].
    EuiccPackageSigned = 0x30 {
        eim_id "eimId": required 0x80 String,
        eid_value "eidValue": required 0x5A Eid,
        counter_value "counterValue": required 0x81 u64,
        eim_transaction_id "eimTransactionId": optional 0x82 TransactionId,
        euicc_package "euiccPackage": required _ EuiccPackage,
    }
    /// PSMO enable.
    Enable = 0x30 {
        iccid "iccid": required 0x5A Iccid,
        rollback_flag "rollbackFlag": flag 0x05 Null,
    }
    /// A PSMO that names a profile and says nothing else.
    ProfileOperation = 0x30 {
        iccid "iccid": required 0x5A Iccid,
    }
    /// An operation without parameters.
    #[derive(Default)]
    NoParameters = 0x30 {}
    /// PSMO configureImmediateEnable.
    #[derive(Default)]
    ConfigureImmediateEnable = 0x30 {
        immediate_enable_flag "immediateEnableFlag": flag 0x80 Null,
        default_smdp_oid "defaultSmdpOid": optional 0x81 Oid,
        default_smdp_address "defaultSmdpAddress": optional 0x82 String,
    }
    /// eCO deleteEim.
    DeleteEim = 0x30 {
        eim_id "eimId": required 0x80 String,
    }
}

choice! {
    /// What is to be done, in this order.
    EuiccPackage = _ {
        0xA0 PsmoList(Vec<Psmo>) "psmoList",
        0xA1 EcoList(Vec<Eco>) "ecoList",
    }
    /// A profile state management operation.
    ///
    /// One that isn't known or doesn't decode doesn't make the package undecodable: the eUICC
    /// answers it with processingTerminated (unknownOrDamagedCommand).
    Psmo = _ {
        0xA3 Enable(Enable) "enable",
        0xA4 Disable(ProfileOperation) "disable",
        0xA5 Delete(ProfileOperation) "delete",
        0xBF2D ListProfileInfo(ProfileInfoListRequest) "listProfileInfo",
        0xA6 GetRat(NoParameters) "getRAT",
        0xA7 ConfigureImmediateEnable(ConfigureImmediateEnable) "configureImmediateEnable",
        0xA8 SetFallbackAttribute(ProfileOperation) "setFallbackAttribute",
        0xA9 UnsetFallbackAttribute(NoParameters) "unsetFallbackAttribute",
        0xBF65 SetDefaultDpAddress(SetDefaultDpAddressRequest) "setDefaultDpAddress",
        ; or Unknown
    }
    /// An eIM configuration operation; see [`Psmo`] for those that aren't known.
    Eco = _ {
        0xA8 AddEim(EimConfigurationData) "addEim",
        0xA9 DeleteEim(DeleteEim) "deleteEim",
        0xAA UpdateEim(EimConfigurationData) "updateEim",
        0xAB ListEim(NoParameters) "listEim",
        ; or Unknown
    }
}

impl Psmo {
    /// Enables a profile; with `rollback`, the IPA may undo it if the result can't be delivered.
    pub fn enable(iccid: Iccid, rollback: bool) -> Self {
        Self::Enable(Enable {
            iccid,
            rollback_flag: rollback,
        })
    }

    /// Disables a profile.
    pub fn disable(iccid: Iccid) -> Self {
        Self::Disable(ProfileOperation { iccid })
    }

    /// Deletes a profile.
    pub fn delete(iccid: Iccid) -> Self {
        Self::Delete(ProfileOperation { iccid })
    }

    /// Lists all profiles with the eUICC's default elements.
    pub fn list_profile_info() -> Self {
        Self::ListProfileInfo(ProfileInfoListRequest::default())
    }

    /// Asks for the rules authorisation table.
    pub fn get_rat() -> Self {
        Self::GetRat(NoParameters {})
    }
}

impl Eco {
    /// Removes an eIM.
    pub fn delete_eim(eim_id: impl Into<String>) -> Self {
        Self::DeleteEim(DeleteEim {
            eim_id: eim_id.into(),
        })
    }

    /// Lists the eIMs.
    pub fn list_eim() -> Self {
        Self::ListEim(NoParameters {})
    }
}

/// The data object that ends the input of every signature between eIM and eUICC: the association
/// token (`84`), zero if the eIM has none (SGP.32 2.11.1.1, 2.11.2.1).
pub fn association_token_object(association_token: Option<i64>) -> Vec<u8> {
    let bytes = association_token.unwrap_or(0).to_be_bytes();
    // Two's complement in the fewest bytes (X.690 8.3.2).
    let skip = bytes
        .windows(2)
        .take_while(|pair| {
            matches!(pair, [0x00, next] if next & 0x80 == 0)
                || matches!(pair, [0xFF, next] if next & 0x80 != 0)
        })
        .count();
    crate::tlv::write(0x84, bytes.get(skip..).unwrap_or(&bytes))
}

/// The input of a signature: the signed element as it stands on the wire, then the association
/// token's data object. (v1.0 had no token here.)
pub fn signature_input(signed: &[u8], association_token: Option<i64>) -> Vec<u8> {
    let mut input = signed.to_vec();
    input.extend(association_token_object(association_token));
    input
}

#[cfg(test)]
mod tests {
    use super::super::{Decode, Encode};
    use super::*;
    use crate::tlv::{write, write_constructed};

    #[test]
    fn token_objects() {
        let object = |token| hex::encode_upper(association_token_object(token));
        assert_eq!(object(None), "840100");
        assert_eq!(object(Some(0)), "840100");
        assert_eq!(object(Some(127)), "84017F");
        assert_eq!(object(Some(128)), "84020080");
        assert_eq!(object(Some(-1)), "8401FF");
        assert_eq!(object(Some(0x123456)), "8403123456");
    }

    #[test]
    fn signed_bytes_are_kept() {
        // A later version's elements stand at the end of an operation and of the signed part.
        let eid = hex::decode("89049032123451234512345678901235").unwrap();
        let signed = write_constructed(
            0x30,
            &[
                write(0x80, b"eIM"),
                write(0x5A, &eid),
                write(0x81, &[1]),
                write_constructed(0xA0, &[write_constructed(0xA6, &[write(0x99, &[1, 2])])]),
                write(0x89, &[1]),
            ],
        );
        let bytes = write_constructed(0xBF51, &[signed.clone(), write(0x5F37, &[1, 2])]);
        let request = EuiccPackageRequest::from_der(&bytes).unwrap();
        assert_eq!(request.euicc_package_signed.bytes(), signed);
        assert_eq!(request.euicc_package_signed.eim_id, "eIM");
        assert_eq!(
            request.euicc_package_signed.euicc_package,
            EuiccPackage::PsmoList(vec![Psmo::get_rat()])
        );
        assert_eq!(request.to_der().unwrap(), bytes);
    }

    #[test]
    fn misplaced_elements_are_not_skipped() {
        let misplaced = write_constructed(0x30, &[write(0x82, b"a"), write(0x80, &[])]);
        assert!(ConfigureImmediateEnable::from_der(&misplaced).is_err());
    }

    #[test]
    fn unknown_and_damaged_operations_are_kept() {
        // [29] isn't an operation; an enable without ICCID is damaged.
        let bytes = hex::decode("A006BD00A300A600").unwrap();
        let EuiccPackage::PsmoList(list) = EuiccPackage::from_der(&bytes).unwrap() else {
            panic!()
        };
        assert!(matches!(
            &list[..],
            [Psmo::Unknown(_), Psmo::Unknown(_), Psmo::GetRat(_)]
        ));
        assert_eq!(EuiccPackage::PsmoList(list).to_der().unwrap(), bytes);
    }
}
