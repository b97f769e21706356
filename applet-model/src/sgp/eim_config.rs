//! The eIM's entry in the eUICC: EimConfigurationData, AddInitialEim, GetEimConfigurationData
//! (SGP.32 2.11.1, 5.9.4, 5.9.18).

use super::asn1::{Component, Described, Schema, Shape};
use super::profile::VendorExtension;
use super::{CertificateDer, KeyId, PublicKeyDer};
use crate::tlv;
use der::asn1::Null;
use der::{DecodeValue, EncodeValue, ErrorKind, Header, Length, Reader, Result, Tag, Writer};

codes! {
    /// What an eimId is. Missing: proprietary.
    EimIdType {
        EimIdTypeOid = 1 "eimIdTypeOid",
        EimIdTypeFqdn = 2 "eimIdTypeFqdn",
        EimIdTypeProprietary = 3 "eimIdTypeProprietary",
    }
    /// Why AddInitialEim did nothing.
    AddInitialEimError {
        InsufficientMemory = 1 "insufficientMemory",
        AssociatedEimAlreadyExists = 2 "associatedEimAlreadyExists",
        CiPkUnknown = 3 "ciPKUnknown",
        InvalidAssociationToken = 5 "invalidAssociationToken",
        CounterValueOutOfRange = 6 "counterValueOutOfRange",
        CommandError = 7 "commandError",
        UndefinedError = 127 "undefinedError",
    }
}

named_bits! {
    /// How an eIM can be reached. Missing: proprietary.
    EimSupportedProtocol {
        EIM_RETRIEVE_HTTPS = 0 "eimRetrieveHttps",
        EIM_RETRIEVE_COAPS = 1 "eimRetrieveCoaps",
        EIM_INJECT_HTTPS = 2 "eimInjectHttps",
        EIM_INJECT_COAPS = 3 "eimInjectCoaps",
        EIM_PROPRIETARY = 4 "eimProprietary",
    }
}

sequence! {
    /// What the eUICC holds of an eIM, or is asked to hold.
    #[derive(Default)]
    EimConfigurationData = 0x30 {
        eim_id "eimId": required 0x80 String,
        eim_fqdn "eimFqdn": optional 0x81 String,
        eim_id_type "eimIdType": optional 0x82 EimIdType,
        /// Never shown by GetEimConfigurationData.
        counter_value "counterValue": optional 0x83 u64,
        /// -1 asks the eUICC for one (AddInitialEim, addEim).
        association_token "associationToken": optional 0x84 i64,
        eim_public_key_data "eimPublicKeyData": optional 0xA5 PublicKeyData,
        trusted_public_key_data_tls "trustedPublicKeyDataTls": optional 0xA6 TrustedPublicKeyData,
        eim_supported_protocol "eimSupportedProtocol": optional 0x87 EimSupportedProtocol,
        euicc_ci_pk_id "euiccCiPKId": optional 0x88 KeyId,
        indirect_profile_download "indirectProfileDownload": flag 0x89 Null,
        /// From v1.3 on.
        esipa_proprietary "eSipaProprietaryProtocolInformation": optional 0xAA Vec<VendorExtension>,
    }
    /// ES10b.AddInitialEim.
    AddInitialEimRequest = 0xBF57 {
        eim_configuration_data_list "eimConfigurationDataList": required 0xA0 Vec<EimConfigurationData>,
    }
    /// ES10b.GetEimConfigurationData.
    #[derive(Default)]
    GetEimConfigurationDataRequest = 0xBF55 {
        search_criteria "searchCriteria": optional 0xA0 EimSearchCriteria,
    }
    /// Answer to [`GetEimConfigurationDataRequest`].
    GetEimConfigurationDataResponse = 0xBF55 {
        eim_configuration_data_list "eimConfigurationDataList": required 0xA0 Vec<EimConfigurationData>,
    }
    /// What listEim shows of an eIM.
    EimIdInfo = 0x30 {
        eim_id "eimId": required 0x80 String,
        eim_id_type "eimIdType": optional 0x82 EimIdType,
    }
}

choice! {
    /// Which eIM's entry to get.
    EimSearchCriteria = _ {
        0x80 EimId(String) "eimId",
    }
    /// Answer to [`AddInitialEimRequest`].
    AddInitialEimResponse = 0xBF57 {
        0xA0 AddInitialEimOk(Vec<AddInitialEimOk>) "addInitialEimOk",
        0x81 AddInitialEimError(AddInitialEimError) "addInitialEimError",
    }
    /// For each entry, in order: the token given, or just done.
    AddInitialEimOk = _ {
        0x84 AssociationToken(i64) "associationToken",
        0x05 AddOk(Null) "addOk",
    }
}

/// A public key as such or in a certificate: the inside of `eimPublicKeyData` (A5) and
/// `trustedPublicKeyDataTls` (A6).
#[derive(Debug, Clone, PartialEq, Eq)]
enum KeyOrCertificate {
    Key(PublicKeyDer),
    Certificate(CertificateDer),
}

impl KeyOrCertificate {
    /// Sources disagree on what stands inside of A0/A1. The module's tags are IMPLICIT, so the tag
    /// replaces the inner SEQUENCE's 30, and that is what is written here; but at least one eIM
    /// writes A0{30…}, and one test a bare 30. All three are read. No confusion is possible: in a
    /// SubjectPublicKeyInfo a 30 is followed by a BIT STRING (03), in a Certificate a 30 by a 30.
    fn read(contents: &[u8]) -> Option<Self> {
        let outer = tlv::read_one(contents).ok()?;
        // The SEQUENCE with its 30, whichever way it came.
        let sequence = match outer.tag {
            0xA0 | 0xA1 => match tlv::read_one(outer.value) {
                Ok(inner) if inner.tag == 0x30 => inner.raw.to_vec(),
                _ => tlv::write(0x30, outer.value),
            },
            0x30 => outer.raw.to_vec(),
            _ => return None,
        };
        let inside = tlv::read_one(&sequence).ok()?;
        let mut tags = inside.children().map(|child| child.map(|child| child.tag));
        let is_key = match (tags.next()?.ok()?, tags.next()?.ok()?) {
            (0x30, 0x03) => true,
            (0x30, 0x30) => false,
            _ => return None,
        };
        match (outer.tag, is_key) {
            (0xA0 | 0x30, true) => PublicKeyDer::from_bytes(&sequence).ok().map(Self::Key),
            (0xA1 | 0x30, false) => CertificateDer::from_bytes(&sequence)
                .ok()
                .map(Self::Certificate),
            _ => None,
        }
    }

    fn parts(&self) -> (u32, &[u8]) {
        match self {
            Self::Key(key) => (0xA0, key.contents()),
            Self::Certificate(certificate) => (0xA1, certificate.contents()),
        }
    }

    fn written(&self) -> Vec<u8> {
        let (tag, contents) = self.parts();
        tlv::write(tag, contents)
    }
}

macro_rules! key_or_certificate {
    ($(
        $(#[$meta:meta])*
        $name:ident { $key:ident $key_name:literal, $certificate:ident $certificate_name:literal }
    )*) => {$(
        $(#[$meta])*
        #[doc = "\n\nWritten as IMPLICIT tags have it (A0 or A1 in place of the inner 30); read also with the inner 30 and as a bare 30."]
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum $name {
            #[doc = concat!("`", $key_name, "` (`A0`).")]
            $key(PublicKeyDer),
            #[doc = concat!("`", $certificate_name, "` (`A1`).")]
            $certificate(CertificateDer),
        }

        impl $name {
            fn inner(&self) -> KeyOrCertificate {
                match self {
                    Self::$key(key) => KeyOrCertificate::Key(key.clone()),
                    Self::$certificate(certificate) => KeyOrCertificate::Certificate(certificate.clone()),
                }
            }

            /// The key, taken out of the certificate if there is one.
            ///
            /// # Errors
            /// [`der::Error`] if the certificate doesn't parse.
            pub fn public_key(&self) -> Result<PublicKeyDer> {
                match self {
                    Self::$key(key) => Ok(key.clone()),
                    Self::$certificate(certificate) => {
                        let certificate = certificate.parse()?;
                        certificate.tbs_certificate().subject_public_key_info().try_into()
                    }
                }
            }
        }

        impl<'a> DecodeValue<'a> for $name {
            type Error = der::Error;

            fn decode_value<R: Reader<'a>>(reader: &mut R, header: Header) -> Result<Self> {
                let contents = reader.read_vec(header.length())?;
                match KeyOrCertificate::read(&contents) {
                    Some(KeyOrCertificate::Key(key)) => Ok(Self::$key(key)),
                    Some(KeyOrCertificate::Certificate(certificate)) => Ok(Self::$certificate(certificate)),
                    None => Err(reader.error(ErrorKind::Value { tag: Tag::Sequence })),
                }
            }
        }

        impl EncodeValue for $name {
            fn value_len(&self) -> Result<Length> {
                Length::try_from(self.inner().written().len())
            }

            fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
                writer.write(&self.inner().written())
            }
        }

        impl Described for $name {
            const SCHEMA: &'static Schema = &Schema {
                name: stringify!($name),
                tag: 0,
                shape: Shape::Choice(&[
                    Component { name: $key_name, tag: 0xA0, optional: false, schema: PublicKeyDer::SCHEMA },
                    Component { name: $certificate_name, tag: 0xA1, optional: false, schema: CertificateDer::SCHEMA },
                ]),
            };
        }
    )*};
}

key_or_certificate! {
    /// What the eUICC verifies the eIM's packages with.
    PublicKeyData { EimPublicKey "eimPublicKey", EimCertificate "eimCertificate" }
    /// What the IPA verifies the eIM's TLS or DTLS certificate with: a pin or a (CA) certificate.
    TrustedPublicKeyData { TrustedEimPkTls "trustedEimPkTls", TrustedCertificateTls "trustedCertificateTls" }
}

impl EimConfigurationData {
    /// An entry with this identity and nothing else.
    pub fn new(eim_id: impl Into<String>) -> Self {
        Self {
            eim_id: eim_id.into(),
            ..Self::default()
        }
    }
}
