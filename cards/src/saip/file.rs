//! Files as elements state them: descriptors and contents (8.3), lists of files by template, and generic file management.

use super::asn1::rest;
use super::elements::PeHeader;
use applet_model::sgp::Octets;
use applet_model::sgp::asn1::{required, tag, tagged, tagged_len, write_tagged};
use der::asn1::{Any, ObjectIdentifier};
use der::{Encode, Length, Reader, Result, Tag, TagNumber, Writer};

record! {
    /// `ProprietaryInfo`.
    ProprietaryInfo {
        special "specialFileInformation": optional 0xC0 Octets,
        fill_pattern "fillPattern": optional 0xC1 Octets,
        repeat_pattern "repeatPattern": optional 0xC2 Octets,
        maximum_size "maximumFileSize": optional 0x86 Octets,
        details "fileDetails": optional 0x84 Octets,
    }
    /// `Fcp`.
    Fcp {
        descriptor "fileDescriptor": optional 0x82 Octets,
        id "fileID": optional 0x83 Octets,
        df_name "dfName": optional 0x84 Octets,
        life_cycle "lcsi": optional 0x8A Octets,
        security "securityAttributesReferenced": optional 0x8B Octets,
        size "efFileSize": optional 0x80 Octets,
        pin_status "pinStatusTemplateDO": optional 0xC6 Octets,
        short_id "shortEFID": optional 0x88 Octets,
        proprietary "proprietaryEFInfo": optional 0xA5 ProprietaryInfo,
        link "linkPath": optional 0xC7 Octets,
    }
}

alternatives! {
    /// A part of a `File`.
    FilePart {
        0x80 DoNotCreate(der::asn1::Null) "doNotCreate",
        0xA1 Descriptor(Fcp) "fileDescriptor",
        0x82 Offset(u16) "fillFileOffset",
        0x83 Content(Octets) "fillFileContent",
    }
    /// A step of `FileManagement`. Some of its tags are stated, so the others are universal.
    ManagementPart {
        0x80 Path(Octets) "filePath",
        0x62 Create(Fcp) "createFCP",
        0x02 Offset(u16) "fillFileOffset",
        0x81 Content(Octets) "fillFileContent",
    }
}

/// `File`.
pub type File = Vec<FilePart>;

/// An element that lists files of a template: its tag, its name, and the names of its files in the order of their tags,
/// from `[2]` on; those with `!` have to be there.
#[derive(Debug, PartialEq, Eq)]
pub struct FilesKind {
    /// Name of the alternative of `ProfileElement`.
    pub name: &'static str,
    /// Its tag on the wire.
    pub tag: u32,
    fields: &'static str,
}

impl FilesKind {
    /// Names of the files, and if each has to be there.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, bool)> {
        self.fields
            .split_whitespace()
            .map(|name| match name.strip_suffix('!') {
                Some(name) => (name, true),
                None => (name, false),
            })
    }

    /// Name of the file with this number.
    pub fn field(&self, number: usize) -> Option<&'static str> {
        self.fields().nth(number).map(|(name, _)| name)
    }

    /// The kind with this name.
    pub fn of_name(name: &str) -> Option<&'static FilesKind> {
        FILES_KINDS.iter().find(|kind| kind.name == name)
    }

    pub(super) fn of_tag(wanted: Tag) -> Option<&'static FilesKind> {
        FILES_KINDS.iter().find(|kind| tag(kind.tag) == wanted)
    }
}

/// The elements that list files.
pub static FILES_KINDS: &[FilesKind] = &[
    FilesKind {
        name: "mf",
        tag: 0xB0,
        fields: "mf! ef-pl ef-iccid! ef-dir! ef-arr! ef-umpc",
    },
    FilesKind {
        name: "cd",
        tag: 0xB1,
        fields: "df-cd! ef-launchpad ef-icon",
    },
    FilesKind {
        name: "telecom",
        tag: 0xB2,
        fields: "df-telecom! ef-arr ef-rma ef-sume ef-ice-dn ef-ice-ff ef-psismsc df-graphics ef-img ef-iidf \
            ef-ice-graphics ef-launch-scws ef-icon df-phonebook ef-pbr ef-ext1 ef-aas ef-gas ef-psc ef-cc ef-puid \
            ef-iap ef-adn ef-pbc ef-anr ef-puri ef-email ef-sne ef-uid ef-grp ef-ccp1 df-multimedia ef-mml ef-mmdf \
            df-mmss ef-mlpl ef-mspl ef-mmssmode df-mcs ef-mst ef-mcs-config df-v2x ef-vst ef-v2x-config ef-v2xp-pc5 \
            ef-v2xp-Uu",
    },
    FilesKind {
        name: "usim",
        tag: 0xB3,
        fields: "adf-usim! ef-imsi! ef-arr! ef-keys ef-keysPS ef-hpplmn ef-ust! ef-fdn ef-sms ef-smsp ef-smss ef-spn! \
            ef-est! ef-start-hfn ef-threshold ef-psloci ef-acc! ef-fplmn ef-loci ef-ad ef-ecc! ef-netpar ef-epsloci \
            ef-epsnsc",
    },
    FilesKind {
        name: "opt-usim",
        tag: 0xB4,
        fields: "ef-li ef-acmax ef-acm ef-gid1 ef-gid2 ef-msisdn ef-puct ef-cbmi ef-cbmid ef-sdn ef-ext2 ef-ext3 \
            ef-cbmir ef-plmnwact ef-oplmnwact ef-hplmnwact ef-dck ef-cnl ef-smsr ef-bdn ef-ext5 ef-ccp2 ef-ext4 ef-acl \
            ef-cmi ef-ici ef-oci ef-ict ef-oct ef-vgcs ef-vgcss ef-vbs ef-vbss ef-emlpp ef-aaem ef-hiddenkey ef-pnn \
            ef-opl ef-mbdn ef-ext6 ef-mbi ef-mwis ef-cfis ef-ext7 ef-spdi ef-mmsn ef-ext8 ef-mmsicp ef-mmsup ef-mmsucp \
            ef-nia ef-vgcsca ef-vbsca ef-gbabp ef-msk ef-muk ef-ehplmn ef-gbanl ef-ehplmnpi ef-lrplmnsi ef-nafkca \
            ef-spni ef-pnni ef-ncp-ip ef-ufc ef-nasconfig ef-uicciari ef-pws ef-fdnuri ef-bdnuri ef-sdnuri ef-ial \
            ef-ips ef-ipd ef-epdgid ef-epdgselection ef-epdgidem ef-epdgselectionem ef-frompreferred ef-imsconfigdata \
            ef-3gpppsdataoff ef-3gpppsdataoffservicelist ef-xcapconfigdata ef-earfcnlist ef-mudmidconfigdata ef-eaka",
    },
    FilesKind {
        name: "isim",
        tag: 0xB5,
        fields: "adf-isim! ef-impi! ef-impu! ef-domain! ef-ist! ef-ad ef-arr!",
    },
    FilesKind {
        name: "opt-isim",
        tag: 0xB6,
        fields: "ef-pcscf ef-sms ef-smsp ef-smss ef-smsr ef-gbabp ef-gbanl ef-nafkca ef-uicciari ef-frompreferred \
            ef-imsconfigdata ef-xcapconfigdata ef-webrtcuri ef-mudmidconfigdata",
    },
    FilesKind {
        name: "phonebook",
        tag: 0xB7,
        fields: "df-phonebook! ef-pbr ef-ext1 ef-aas ef-gas ef-psc ef-cc ef-puid ef-iap ef-adn ef-pbc ef-anr ef-puri \
            ef-email ef-sne ef-uid ef-grp ef-ccp1",
    },
    FilesKind {
        name: "gsm-access",
        tag: 0xB8,
        fields: "df-gsm-access! ef-kc ef-kcgprs ef-cpbcch ef-invscan",
    },
    FilesKind {
        name: "csim",
        tag: 0xB9,
        fields: "adf-csim! ef-arr! ef-call-count! ef-imsi-m! ef-imsi-t! ef-tmsi! ef-ah! ef-aop! ef-aloc! ef-cdmahome! \
            ef-znregi! ef-snregi! ef-distregi! ef-accolc! ef-term! ef-acp! ef-prl! ef-ruimid! ef-csim-st! ef-spc! \
            ef-otapaspc! ef-namlock! ef-ota! ef-sp! ef-esn-meid-me! ef-li! ef-usgind! ef-ad! ef-max-prl! ef-spcs! \
            ef-mecrp! ef-home-tag! ef-group-tag! ef-specific-tag! ef-call-prompt!",
    },
    FilesKind {
        name: "opt-csim",
        tag: 0xBA,
        fields: "ef-ssci ef-fdn ef-sms ef-smsp ef-smss ef-ssfc ef-spn ef-mdn ef-ecc ef-me3gpdopc ef-3gpdopm ef-sipcap \
            ef-mipcap ef-sipupp ef-mipupp ef-sipsp ef-mipsp ef-sippapss ef-puzl ef-maxpuzl ef-hrpdcap ef-hrpdupp \
            ef-csspr ef-atc ef-eprl ef-bcsmscfg ef-bcsmspref ef-bcsmstable ef-bcsmsp ef-bakpara ef-upbakpara ef-mmsn \
            ef-ext8 ef-mmsicp ef-mmsup ef-mmsucp ef-auth-capability ef-3gcik ef-dck ef-gid1 ef-gid2 ef-cdmacnl \
            ef-sf-euimid ef-est ef-hidden-key ef-lcsver ef-lcscp ef-sdn ef-ext2 ef-ext3 ef-ici ef-oci ef-ext5 ef-ccp2 \
            ef-applabels ef-model ef-rc ef-smscap ef-mipflags ef-3gpduppext ef-ipv6cap ef-tcpconfig ef-dgc \
            ef-wapbrowsercp ef-wapbrowserbm ef-mmsconfig ef-jdl",
    },
    FilesKind {
        name: "eap",
        tag: 0xBB,
        fields: "df-eap! ef-eapkeys ef-eapstatus! ef-puid ef-ps ef-curid ef-reid ef-realm",
    },
    FilesKind {
        name: "df-5gs",
        tag: 0xBC,
        fields: "df-df-5gs! ef-5gs3gpploci ef-5gsn3gpploci ef-5gs3gppnsc ef-5gsn3gppnsc ef-5gauthkeys ef-uac-aic \
            ef-suci-calc-info ef-opl5g ef-supinai ef-routing-indicator ef-ursp ef-tn3gppsnn ef-cag ef-sor-cmci ef-dri \
            ef-5gsedrx ef-5gnswo-conf ef-mchpplmn ef-kausf-derivation",
    },
    FilesKind {
        name: "df-saip",
        tag: 0xBD,
        fields: "df-df-saip! ef-suci-calc-info-usim",
    },
    FilesKind {
        name: "df-snpn",
        tag: 0xBE,
        fields: "df-df-snpn! ef-pws-snpn",
    },
    FilesKind {
        name: "df-5gprose",
        tag: 0xBF1F,
        fields: "df-df-5g-prose! ef-5g-prose-st ef-5g-prose-dd ef-5g-prose-dc ef-5g-prose-u2nru ef-5g-prose-ru \
            ef-5g-prose-uir",
    },
    FilesKind {
        name: "iot",
        tag: 0xBF20,
        fields: "mf ef-pl ef-iccid ef-dir ef-arr ef-umpc adf-usim ef-imsi! ef-arr-usim ef-keys ef-keysPS ef-hpplmn \
            ef-ust ef-start-hfn ef-threshold ef-psloci ef-acc! ef-fplmn ef-loci ef-ad ef-ecc ef-netpar",
    },
    FilesKind {
        name: "opt-iot",
        tag: 0xBF21,
        fields: "ef-fdn ef-sms ef-smsp ef-smss ef-spn ef-est ef-oplmnwact ef-hplmnwact ef-ehplmn ef-epsloci ef-epsnsc \
            df-df-5gs ef-5gs3gpploci ef-5gsn3gpploci ef-5gs3gppnsc ef-5gsn3gppnsc ef-5gauthkeys ef-uac-aic \
            ef-suci-calc-info ef-opl5g ef-supi-nai ef-routing-indicator ef-ursp ef-tn3gppsnn df-df-saip \
            ef-suci-calc-info-usim",
    },
];

/// An element that lists files of a template (8.3.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilesElement {
    /// Which one.
    pub kind: &'static FilesKind,
    /// Its header.
    pub header: PeHeader,
    /// `templateID`.
    pub template: ObjectIdentifier,
    /// The files that it states, by their number in [`FilesKind::fields`], in that order.
    pub files: Vec<(usize, File)>,
    /// Files of a later version.
    pub rest: Vec<Any>,
}

/// The header and the template come before the files.
const FIRST_FILE: u32 = 2;
const HEADER: Tag = tag(0xA0);
const TEMPLATE: Tag = tag(0x81);

fn file_tag(number: usize) -> Tag {
    Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(u32::try_from(number).unwrap_or(u32::MAX - FIRST_FILE) + FIRST_FILE),
    }
}

impl FilesElement {
    pub(super) fn decode_value<'a, R: Reader<'a>>(
        kind: &'static FilesKind,
        reader: &mut R,
    ) -> Result<Self> {
        let header = tagged(reader, HEADER)?;
        let header = required(header, reader, Some(HEADER))?;
        let template = tagged(reader, TEMPLATE)?;
        let template = required(template, reader, Some(TEMPLATE))?;
        let mut files = Vec::new();
        let mut known = vec![HEADER, TEMPLATE];
        for (number, _) in kind.fields().enumerate() {
            known.push(file_tag(number));
            if let Some(file) = tagged::<_, File>(reader, file_tag(number))? {
                files.push((number, file));
            }
        }
        Ok(FilesElement {
            kind,
            header,
            template,
            files,
            rest: rest(reader, &known)?,
        })
    }

    pub(super) fn value_len(&self) -> Result<Length> {
        let mut len = (tagged_len(&self.header, HEADER)? + tagged_len(&self.template, TEMPLATE)?)?;
        for (number, file) in &self.files {
            len = (len + tagged_len(file, file_tag(*number))?)?;
        }
        for element in &self.rest {
            len = (len + element.encoded_len()?)?;
        }
        Ok(len)
    }

    pub(super) fn encode_value(&self, writer: &mut impl Writer) -> Result<()> {
        write_tagged(&self.header, HEADER, writer)?;
        write_tagged(&self.template, TEMPLATE, writer)?;
        for (number, file) in &self.files {
            write_tagged(file, file_tag(*number), writer)?;
        }
        self.rest
            .iter()
            .try_for_each(|element| element.encode(writer))
    }
}
