//! From words to a package.

use super::{
    AkaText, Description, DescriptionError, DomainText, ElementText, FcpText, HeaderText, KeyText,
    PartText, PinText, RfmText, text,
};
use crate::definition::Hex;
use crate::euicc::Iccid;
use crate::saip::asn1::Secret;
use crate::saip::elements::{
    AdfAccess, AkaParameter, AlgoConfiguration, AlgoParameter, ApplicationInstance, End,
    GenericFileManagement, KeyComponent, KeyObject, MappingParameter, PeHeader, PinCodes,
    PinConfiguration, PinList, ProfileHeader, PukCodes, PukConfiguration, Rfm, SecurityDomain,
    UiccParameters,
};
use crate::saip::file::{
    Fcp, File, FilePart, FilesElement, FilesKind, ManagementPart, ProprietaryInfo,
};
use crate::saip::header::Services;
use crate::saip::templates::Template;
use crate::saip::{Element, Package};
use applet_model::sgp::{Aid, Octets};
use der::Decode;
use der::asn1::{Null, ObjectIdentifier};

type Text<T> = Result<T, String>;

fn octets(hex: &Hex) -> Octets {
    Octets::from(hex.bytes().to_vec())
}

fn optional(hex: Option<&Hex>) -> Option<Octets> {
    hex.map(octets)
}

fn aid(hex: &Hex, what: &str) -> Text<Aid> {
    Aid::new(hex.bytes()).ok_or_else(|| format!("{what} is an AID of 5 to 16 bytes"))
}

fn raw(hex: &Hex) -> Text<Element> {
    Element::from_der(hex.bytes()).map_err(|error| format!("raw: {error}"))
}

fn oid(text: &str) -> Text<ObjectIdentifier> {
    ObjectIdentifier::new(text).map_err(|_| format!("{text:?} is no object identifier"))
}

impl Description {
    /// The package that it describes.
    ///
    /// # Errors
    /// [`DescriptionError`]: the first element that makes no sense.
    pub fn package(&self) -> Result<Package, DescriptionError> {
        let version = version(&self.header).map_err(|problem| DescriptionError {
            place: "header".to_owned(),
            problem,
        })?;
        let mut elements = Vec::new();
        for (at, described) in self.elements.iter().enumerate() {
            let place = || format!("element {} ({})", at + 1, described.kind);
            let element = described
                .element(u16::try_from(at + 1).unwrap_or(u16::MAX), version)
                .map_err(|problem| DescriptionError {
                    place: place(),
                    problem,
                })?;
            elements.push(element);
        }
        if !matches!(elements.last(), Some(Element::End(_))) {
            let identification = u16::try_from(elements.len() + 1).unwrap_or(u16::MAX);
            elements.push(Element::End(End {
                header: header(true, identification),
                rest: Vec::new(),
            }));
        }
        let first =
            self.header
                .element(version, &elements)
                .map_err(|problem| DescriptionError {
                    place: "header".to_owned(),
                    problem,
                })?;
        elements.insert(0, first);
        Ok(Package { elements })
    }
}

fn version(header: &HeaderText) -> Text<(u8, u8)> {
    if header.raw.is_some() {
        return Ok((3, 3));
    }
    header
        .version
        .split_once('.')
        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)))
        .ok_or_else(|| format!("version {:?}: expected a version like 2.3", header.version))
}

fn header(mandated: bool, identification: u16) -> PeHeader {
    PeHeader {
        mandated,
        identification,
        rest: Vec::new(),
    }
}

impl HeaderText {
    fn element(&self, version: (u8, u8), elements: &[Element]) -> Text<Element> {
        if let Some(hex) = &self.raw {
            return raw(hex);
        }
        let mut services = Vec::new();
        for name in &self.services {
            services.push(Services::number(name).ok_or_else(|| {
                let known = crate::saip::header::SERVICES.join(", ");
                format!("service {name:?} is none; known are {known}")
            })?);
        }
        services.sort_unstable();
        services.dedup();
        let templates = match &self.templates {
            Some(list) => list
                .iter()
                .map(|text| oid(text))
                .collect::<Text<Vec<_>>>()?,
            None => {
                let mut used: Vec<ObjectIdentifier> = Vec::new();
                for element in elements {
                    if let Element::Files(files) = element
                        && !used.contains(&files.template)
                    {
                        used.push(files.template);
                    }
                }
                used
            }
        };
        let iccid = Iccid::checked(&self.iccid).map_err(|error| error.to_string())?;
        Ok(Element::Header(ProfileHeader {
            major_version: version.0,
            minor_version: version.1,
            profile_type: (!self.profile_type.is_empty()).then(|| self.profile_type.clone()),
            iccid: ProfileHeader::iccid_field(&iccid),
            pol: optional(self.pol.as_ref()),
            mandatory_services: Services(services),
            mandatory_templates: templates,
            connectivity_parameters: optional(self.connectivity.as_ref()),
            mandatory_aids: None,
            iot_options: None,
            rest: Vec::new(),
        }))
    }
}

impl ElementText {
    fn element(&self, number: u16, version: (u8, u8)) -> Text<Element> {
        if let Some(hex) = &self.raw {
            return raw(hex);
        }
        let header = header(self.mandated, self.id.unwrap_or(number));
        if let Some(kind) = FilesKind::of_name(&self.kind) {
            return self.files(kind, header, version).map(Element::Files);
        }
        let rest = Vec::new();
        Ok(match self.kind.as_str() {
            "genericFileManagement" => Element::GenericFileManagement(GenericFileManagement {
                header,
                commands: self
                    .commands
                    .iter()
                    .map(|list| commands(list))
                    .collect::<Text<Vec<_>>>()?,
                rest,
            }),
            "pinCodes" => Element::PinCodes(PinCodes {
                header,
                codes: match &self.pins_of {
                    Some(path) => PinList::Of(Octets::from(text::path(path)?)),
                    None => PinList::Own(self.pins.iter().map(pin).collect::<Text<Vec<_>>>()?),
                },
                rest,
            }),
            "pukCodes" => {
                let mut codes = Vec::new();
                for puk in &self.puks {
                    codes.push(PukConfiguration {
                        reference: puk.reference,
                        value: Secret::from(text::pin(&puk.value)?),
                        attempts: attempts(puk.attempts)?,
                        rest: Vec::new(),
                    });
                }
                Element::PukCodes(PukCodes {
                    header,
                    codes,
                    rest,
                })
            }
            "akaParameter" => {
                let aka = self.aka.as_ref().ok_or("aka is missing")?;
                Element::AkaParameter(parameter(aka, header)?)
            }
            "securityDomain" => {
                let domain = self.domain.as_ref().ok_or("domain is missing")?;
                Element::SecurityDomain(security_domain(domain, header)?)
            }
            "rfm" => Element::Rfm(rfm(self.rfm.as_ref().ok_or("rfm is missing")?, header)?),
            "end" => Element::End(End { header, rest }),
            other => {
                return Err(format!(
                    "type {other:?}: only raw can say it; in words there are genericFileManagement, pinCodes, pukCodes, \
                     akaParameter, securityDomain, rfm, end, and mf, telecom, usim and the other lists of files"
                ));
            }
        })
    }

    fn files(
        &self,
        kind: &'static FilesKind,
        header: PeHeader,
        version: (u8, u8),
    ) -> Text<FilesElement> {
        let template = match &self.template {
            Some(text) => oid(text)?,
            None => {
                let newest = Template::newest(kind, version);
                newest
                    .ok_or_else(|| {
                        format!("version {}.{} has no template for it", version.0, version.1)
                    })?
                    .oid
            }
        };
        if let Some(name) = self
            .files
            .keys()
            .find(|name| !kind.fields().any(|(field, _)| field == name.as_str()))
        {
            let fields: Vec<&str> = kind.fields().map(|(field, _)| field).collect();
            return Err(format!(
                "file {name:?} is none of it; there are {}",
                fields.join(", ")
            ));
        }
        let mut files = Vec::new();
        for (number, (field, _)) in kind.fields().enumerate() {
            if let Some(parts) = self.files.get(field) {
                let file = parts_of(parts).map_err(|problem| format!("{field}: {problem}"))?;
                files.push((number, file));
            }
        }
        Ok(FilesElement {
            kind,
            header,
            template,
            files,
            rest: Vec::new(),
        })
    }
}

fn parts_of(parts: &[PartText]) -> Text<File> {
    let mut file = Vec::new();
    for part in parts {
        if part.path.is_some() {
            return Err("path is for genericFileManagement".to_owned());
        }
        if part.do_not_create {
            file.push(FilePart::DoNotCreate(Null));
        }
        if let Some(fcp) = &part.fcp {
            file.push(FilePart::Descriptor(descriptor(fcp)?));
        }
        file.extend(part.offset.map(FilePart::Offset));
        if let Some(content) = &part.content {
            file.push(FilePart::Content(Octets::from(text::Content::bytes(
                content,
            )?)));
        }
    }
    Ok(file)
}

fn commands(parts: &[PartText]) -> Text<Vec<ManagementPart>> {
    let mut commands = Vec::new();
    for part in parts {
        if part.do_not_create {
            return Err("do_not_create is for files of templates".to_owned());
        }
        if let Some(path) = &part.path {
            commands.push(ManagementPart::Path(Octets::from(text::path(path)?)));
        }
        if let Some(fcp) = &part.fcp {
            commands.push(ManagementPart::Create(descriptor(fcp)?));
        }
        commands.extend(part.offset.map(ManagementPart::Offset));
        if let Some(content) = &part.content {
            let bytes = text::Content::bytes(content)?;
            commands.push(ManagementPart::Content(Octets::from(bytes)));
        }
    }
    Ok(commands)
}

fn descriptor(fcp: &FcpText) -> Text<Fcp> {
    let own = |bytes: Vec<u8>| Octets::from(bytes);
    let kind = match (&fcp.descriptor, &fcp.kind) {
        (Some(hex), None) => Some(octets(hex)),
        (None, Some(kind)) => Some(own(text::descriptor(kind, fcp.record)?)),
        (None, None) if fcp.record.is_none() => None,
        _ => return Err("descriptor, or type with record".to_owned()),
    };
    let proprietary = ProprietaryInfo {
        special: optional(fcp.special.as_ref()),
        fill_pattern: optional(fcp.fill.as_ref()),
        repeat_pattern: optional(fcp.repeat.as_ref()),
        maximum_size: optional(fcp.maximum.as_ref()),
        details: optional(fcp.details.as_ref()),
        rest: Vec::new(),
    };
    let stated = [
        &fcp.special,
        &fcp.fill,
        &fcp.repeat,
        &fcp.maximum,
        &fcp.details,
    ];
    Ok(Fcp {
        descriptor: kind,
        id: optional(fcp.fid.as_ref()),
        df_name: optional(fcp.aid.as_ref()),
        life_cycle: optional(fcp.state.as_ref()),
        security: match &fcp.access {
            Some(access) => Some(own(text::access(access)?)),
            None => None,
        },
        size: fcp.size.map(|size| own(text::size(size))),
        pin_status: optional(fcp.pins.as_ref()),
        short_id: match fcp.sfi {
            None => None,
            Some(0) => Some(own(Vec::new())),
            Some(sfi) if sfi <= 30 => Some(own(vec![sfi << 3])),
            Some(_) => return Err("sfi is 0 for none, or 1 to 30".to_owned()),
        },
        proprietary: (fcp.empty_info || stated.iter().any(|part| part.is_some()))
            .then_some(proprietary),
        link: match &fcp.link {
            Some(path) => Some(own(text::path(path)?)),
            None => None,
        },
        rest: Vec::new(),
    })
}

fn attempts(stated: Option<[u8; 2]>) -> Text<Option<u8>> {
    match stated {
        None => Ok(None),
        Some([all, left]) if all <= 15 && left <= all => Ok(Some(all << 4 | left)),
        Some(_) => Err("attempts are at most 15 in all, and at most as many left".to_owned()),
    }
}

fn pin(pin: &PinText) -> Text<PinConfiguration> {
    Ok(PinConfiguration {
        reference: pin.reference,
        value: Secret::from(text::pin(&pin.value)?),
        unblocking: pin.puk,
        attributes: pin.attributes,
        attempts: attempts(pin.attempts)?,
        rest: Vec::new(),
    })
}

/// `algorithmID` by name.
pub(super) const ALGORITHMS: &[(&str, u8)] = &[("milenage", 1), ("tuak", 2), ("test", 3)];

fn parameter(aka: &AkaText, header: PeHeader) -> Text<AkaParameter> {
    let algorithm = match &aka.mapping {
        Some([source, options]) => AlgoConfiguration::Mapping(MappingParameter {
            options: octets(options),
            source: aid(source, "the application of the mapping")?,
            rest: Vec::new(),
        }),
        None => {
            let known = ALGORITHMS.iter().find(|(name, _)| *name == aka.algorithm);
            let (_, number) = known.ok_or("algorithm is milenage, tuak or test")?;
            AlgoConfiguration::Own(AlgoParameter {
                algorithm: *number,
                options: aka
                    .options
                    .as_ref()
                    .map_or_else(|| Octets::from(vec![0]), octets),
                key: Secret::from(text::key(&aka.key)?),
                opc: Secret::from(text::key(&aka.opc)?),
                rotation_constants: optional(aka.rotations.as_ref()),
                xoring_constants: optional(aka.constants.as_ref()),
                counter_max: optional(aka.counter.as_ref()),
                keccak: aka.keccak,
                rest: Vec::new(),
            })
        }
    };
    Ok(AkaParameter {
        header,
        algorithm,
        sqn_options: optional(aka.sqn_options.as_ref()),
        sqn_delta: optional(aka.sqn_delta.as_ref()),
        sqn_age_limit: optional(aka.sqn_age_limit.as_ref()),
        sqn_init: (!aka.sqn.is_empty()).then(|| aka.sqn.iter().map(octets).collect()),
        rest: Vec::new(),
    })
}

fn security_domain(domain: &DomainText, header: PeHeader) -> Text<SecurityDomain> {
    let keys = domain.keys.iter().map(key).collect::<Text<Vec<_>>>()?;
    Ok(SecurityDomain {
        header,
        instance: ApplicationInstance {
            package: aid(&domain.package, "package")?,
            class: aid(&domain.class, "class")?,
            aid: aid(&domain.aid, "aid")?,
            domain: None,
            privileges: octets(&domain.privileges),
            life_cycle: optional(domain.state.as_ref()),
            parameters: octets(&domain.parameters),
            system: None,
            uicc: domain.toolkit.as_ref().map(|toolkit| UiccParameters {
                toolkit: Some(octets(toolkit)),
                access: None,
                admin: None,
                rest: Vec::new(),
            }),
            process_data: None,
            control_reference: None,
            rest: Vec::new(),
        },
        keys: (!keys.is_empty()).then_some(keys),
        personalization: (!domain.data.is_empty())
            .then(|| domain.data.iter().map(octets).collect()),
        open_personalization: None,
        cat_tp: None,
        rest: Vec::new(),
    })
}

fn key(key: &KeyText) -> Text<KeyObject> {
    Ok(KeyObject {
        usage: octets(&key.usage),
        access: optional(key.access.as_ref()),
        identifier: octets(&key.id),
        version: octets(&key.version),
        counter: None,
        components: vec![KeyComponent {
            kind: octets(&key.kind),
            data: Secret::from(text::key(&key.value)?),
            mac_length: key.mac_length,
            rest: Vec::new(),
        }],
        rest: Vec::new(),
    })
}

fn rfm(rfm: &RfmText, header: PeHeader) -> Text<Rfm> {
    Ok(Rfm {
        header,
        aid: aid(&rfm.aid, "aid")?,
        domain: match &rfm.domain {
            Some(domain) => Some(aid(domain, "domain")?),
            None => None,
        },
        tars: (!rfm.tars.is_empty()).then(|| rfm.tars.iter().map(octets).collect()),
        security_level: octets(&rfm.security),
        access: octets(&rfm.access),
        admin_access: octets(&rfm.admin),
        adf: match &rfm.adf {
            None => None,
            Some([adf, access, admin]) => Some(AdfAccess {
                aid: aid(adf, "the application's AID")?,
                access: octets(access),
                admin_access: octets(admin),
                rest: Vec::new(),
            }),
        },
        rest: Vec::new(),
    })
}
