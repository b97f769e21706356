//! The profile elements (PEs) of the module PEDefinitions, version 3.3, that aren't lists of files.

use super::asn1::Secret;
use super::file::ManagementPart;
use super::header::Services;
use crate::euicc::Iccid;
use applet_model::sgp::{Aid, Octets};
use der::asn1::ObjectIdentifier;

record! {
    /// `PEHeader` (8.1): every element but the profile header begins with it.
    PeHeader {
        mandated "mandated": flag 0x80 der::asn1::Null,
        identification "identification": required 0x81 u16,
    }
    /// `ProfileHeader` (8.2).
    ProfileHeader {
        major_version "major-version": required 0x80 u8,
        minor_version "minor-version": required 0x81 u8,
        profile_type "profileType": optional 0x82 String,
        iccid "iccid": required 0x83 Octets,
        pol "pol": optional 0x84 Octets,
        mandatory_services "eUICC-Mandatory-services": required 0xA5 Services,
        mandatory_templates "eUICC-Mandatory-GFSTEList": required 0xA6 Vec<ObjectIdentifier>,
        connectivity_parameters "connectivityParameters": optional 0x87 Octets,
        mandatory_aids "eUICC-Mandatory-AIDs": optional 0xA8 Vec<MandatoryAid>,
        iot_options "iotOptions": optional 0xA9 IotOptions,
    }
    /// An application that the eUICC has to have.
    MandatoryAid {
        aid "aid": required 0x80 Aid,
        version "version": required 0x81 Octets,
    }
    /// `IotOptions`.
    IotOptions {
        pix "pix": required 0x80 Octets,
    }
    /// `PE-GenericFileManagement` (8.3.5): files outside of the templates.
    GenericFileManagement {
        header "gfm-header": required 0xA0 PeHeader,
        commands "fileManagementCMD": required 0xA1 Vec<Vec<ManagementPart>>,
    }
    /// `PINConfiguration`.
    PinConfiguration {
        reference "keyReference": required 0x80 u8,
        value "pinValue": required 0x81 Secret,
        unblocking "unblockingPINReference": optional 0x82 u8,
        attributes "pinAttributes": optional 0x83 u8,
        attempts "maxNumOfAttemps-retryNumLeft": optional 0x84 u8,
    }
    /// `PE-PINCodes` (8.4.1).
    PinCodes {
        header "pin-Header": required 0xA0 PeHeader,
        codes "pinCodes": required 0xA1 PinList,
    }
    /// `PUKConfiguration`.
    PukConfiguration {
        reference "keyReference": required 0x80 u8,
        value "pukValue": required 0x81 Secret,
        attempts "maxNumOfAttemps-retryNumLeft": optional 0x82 u8,
    }
    /// `PE-PUKCodes` (8.4.2).
    PukCodes {
        header "puk-Header": required 0xA0 PeHeader,
        codes "pukCodes": required 0xA1 Vec<PukConfiguration>,
    }
    /// `PE-AKAParameter` (8.5).
    AkaParameter {
        header "aka-header": required 0xA0 PeHeader,
        algorithm "algoConfiguration": required 0xA1 AlgoConfiguration,
        sqn_options "sqnOptions": optional 0x82 Octets,
        sqn_delta "sqnDelta": optional 0x83 Octets,
        sqn_age_limit "sqnAgeLimit": optional 0x84 Octets,
        sqn_init "sqnInit": optional 0xA5 Vec<Octets>,
    }
    /// `MappingParameter`: the keys are those of another application.
    MappingParameter {
        options "mappingOptions": required 0x80 Octets,
        source "mappingSource": required 0x81 Aid,
    }
    /// `AlgoParameter`.
    AlgoParameter {
        algorithm "algorithmID": required 0x80 u8,
        options "algorithmOptions": required 0x81 Octets,
        key "key": required 0x82 Secret,
        opc "opc": required 0x83 Secret,
        rotation_constants "rotationConstants": optional 0x84 Octets,
        xoring_constants "xoringConstants": optional 0x85 Octets,
        counter_max "authCounterMax": optional 0x86 Octets,
        keccak "numberOfKeccak": optional 0x87 u8,
    }
    /// `PE-CDMAParameter` (8.5.2).
    CdmaParameter {
        header "cdma-header": required 0xA0 PeHeader,
        authentication_key "authenticationKey": required 0x81 Secret,
        ssd "ssd": optional 0x82 Secret,
        hrpd "hrpdAccessAuthenticationData": optional 0x83 Secret,
        simple_ip "simpleIPAuthenticationData": optional 0x84 Secret,
        mobile_ip "mobileIPAuthenticationData": optional 0x85 Secret,
    }
    /// `PE-SecurityDomain` (8.6).
    SecurityDomain {
        header "sd-Header": required 0xA0 PeHeader,
        instance "instance": required 0xA1 ApplicationInstance,
        keys "keyList": optional 0xA2 Vec<KeyObject>,
        personalization "sdPersoData": optional 0xA3 Vec<Octets>,
        open_personalization "openPersoData": optional 0xA4 OpenPersonalization,
        cat_tp "catTpParameters": optional 0xA5 CatTpParameters,
    }
    /// `openPersoData`.
    OpenPersonalization {
        restrict "restrictParameter": optional 0xD9 Octets,
        contactless "contactlessProtocolParameters": optional 0x04 Octets,
    }
    /// `catTpParameters`.
    CatTpParameters {
        max_sdu "catTpMaxSduSize": required 0x80 u16,
        max_pdu "catTpMaxPduSize": required 0x81 u16,
    }
    /// `KeyObject` (8.6.3).
    KeyObject {
        usage "keyUsageQualifier": required 0x95 Octets,
        access "keyAccess": optional 0x96 Octets,
        identifier "keyIdentifier": required 0x82 Octets,
        version "keyVersionNumber": required 0x83 Octets,
        counter "keyCounterValue": optional 0x85 Octets,
        components "keyComponents": required 0x30 Vec<KeyComponent>,
    }
    /// A component of a key.
    KeyComponent {
        kind "keyType": required 0x80 Octets,
        data "keyData": required 0x86 Secret,
        mac_length "macLength": optional 0x87 u8,
    }
    /// `PE-Application` (8.7).
    Application {
        header "app-Header": required 0xA0 PeHeader,
        load_block "loadBlock": optional 0xA1 LoadPackage,
        instances "instanceList": optional 0xA2 Vec<ApplicationInstance>,
    }
    /// `ApplicationLoadPackage`.
    LoadPackage {
        aid "loadPackageAID": required 0x4F Aid,
        domain "securityDomainAID": optional 0x4F Aid,
        code_limit "nonVolatileCodeLimitC6": optional 0xC6 Octets,
        volatile_limit "volatileDataLimitC7": optional 0xC7 Octets,
        data_limit "nonVolatileDataLimitC8": optional 0xC8 Octets,
        hash "hashValue": optional 0xC1 Octets,
        block "loadBlockObject": required 0xC4 Octets,
    }
    /// `ApplicationInstance`.
    ApplicationInstance {
        package "applicationLoadPackageAID": required 0x4F Aid,
        class "classAID": required 0x4F Aid,
        aid "instanceAID": required 0x4F Aid,
        domain "extraditeSecurityDomainAID": optional 0x4F Aid,
        privileges "applicationPrivileges": required 0x82 Octets,
        life_cycle "lifeCycleState": optional 0x83 Octets,
        parameters "applicationSpecificParametersC9": required 0xC9 Octets,
        system "systemSpecificParameters": optional 0xEF Opaque,
        uicc "applicationParameters": optional 0xEA UiccParameters,
        process_data "processData": optional 0x30 Vec<Octets>,
        control_reference "controlReferenceTemplate": optional 0xB0 Opaque,
    }
    /// `UICCApplicationParameters`.
    UiccParameters {
        toolkit "uiccToolkitApplicationSpecificParametersField": optional 0x80 Octets,
        access "uiccAccessApplicationSpecificParametersField": optional 0x81 Octets,
        admin "uiccAdministrativeAccessApplicationSpecificParametersField": optional 0x82 Octets,
    }
    /// A SEQUENCE that nothing here looks into.
    Opaque {}
    /// `PE-RFM` (8.8).
    Rfm {
        header "rfm-header": required 0xA0 PeHeader,
        aid "instanceAID": required 0x4F Aid,
        domain "securityDomainAID": optional 0x4F Aid,
        tars "tarList": optional 0xA0 Vec<Octets>,
        security_level "minimumSecurityLevel": required 0x81 Octets,
        access "uiccAccessDomain": required 0x04 Octets,
        admin_access "uiccAdminAccessDomain": required 0x04 Octets,
        adf "adfRFMAccess": optional 0x30 AdfAccess,
    }
    /// `ADFRFMAccess`.
    AdfAccess {
        aid "adfAID": required 0x80 Aid,
        access "adfAccessDomain": required 0x81 Octets,
        admin_access "adfAdminAccessDomain": required 0x82 Octets,
    }
    /// `PE-NonStandard` (8.9).
    NonStandard {
        header "nonStandard-header": required 0xA0 PeHeader,
        issuer "issuerID": required 0x81 ObjectIdentifier,
        content "content": required 0x82 Octets,
    }
    /// `PE-End` (8.10).
    End {
        header "end-header": required 0xA0 PeHeader,
    }
}

alternatives! {
    /// PINs of an element, or the directory that has them already.
    PinList {
        0xA0 Own(Vec<PinConfiguration>) "pinconfig",
        0x81 Of(Octets) "filePath",
    }
    /// Keys of an authentication algorithm, or the application that has them already.
    AlgoConfiguration {
        0xA0 Mapping(MappingParameter) "mappingParameter",
        0xA1 Own(AlgoParameter) "algoParameter",
    }
}

/// Each pair of digits swapped: from a header's form to that of EF.ICCID, and back.
fn swapped(mut bytes: [u8; 10]) -> [u8; 10] {
    for byte in &mut bytes {
        *byte = byte.rotate_left(4);
    }
    bytes
}

impl ProfileHeader {
    /// The profile's ICCID; `None` unless the field has ten bytes. A header has the digits in their
    /// order (8.2), EF.ICCID and the profile's metadata swap each pair.
    pub fn profile_iccid(&self) -> Option<Iccid> {
        let bytes = self.iccid.as_bytes().try_into().ok()?;
        Some(Iccid(swapped(bytes)))
    }

    /// The field `iccid` for this ICCID.
    pub fn iccid_field(iccid: &Iccid) -> Octets {
        Octets::from(swapped(*iccid.as_bytes()).to_vec())
    }
}
