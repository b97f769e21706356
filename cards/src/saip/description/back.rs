//! From a package to words.

use super::build::ALGORITHMS;
use super::text::{self, Content, to_hex};
use super::{
    AkaText, Description, DomainText, ElementText, FcpText, HeaderText, KeyText, MASK, PartText,
    PinText, PukText, RfmText,
};
use crate::definition::Hex;
use crate::saip::elements::{
    AkaParameter, AlgoConfiguration, KeyObject, PinConfiguration, PinList, ProfileHeader, Rfm,
    SecurityDomain,
};
use crate::saip::file::{Fcp, FilePart, FilesElement, ManagementPart};
use crate::saip::{Element, Package};
use applet_model::sgp::Octets;
use der::Encode;
use std::collections::BTreeMap;

fn hex(octets: &Octets) -> Hex {
    to_hex(octets.as_bytes())
}

fn optional(octets: Option<&Octets>) -> Option<Hex> {
    octets.map(hex)
}

fn attempts(byte: Option<u8>) -> Option<[u8; 2]> {
    byte.map(|byte| [byte >> 4, byte & 0x0F])
}

impl Description {
    /// A package in words, its keys and PINs, too. Elements that words can't say are `raw`.
    pub fn of(package: &Package) -> Description {
        let version = package.header().map_or((3, 3), |header| {
            (header.major_version, header.minor_version)
        });
        let mut header = HeaderText::default();
        let mut elements = Vec::new();
        for (at, element) in package.elements.iter().enumerate() {
            match (at, element) {
                (0, Element::Header(stated)) => header = HeaderText::of(stated),
                _ => elements.push(ElementText::of(element, at, version)),
            }
        }
        let mut description = Description { header, elements };
        // Words are kept only where they lead back to the same element.
        if let (Some(first), Some(bytes)) = (package.elements.first(), first_bytes(package))
            && !description
                .package()
                .is_ok_and(|made| made.elements.first() == Some(first))
        {
            description.header = HeaderText {
                raw: Some(Hex(bytes)),
                ..HeaderText::default()
            };
        }
        description
    }

    /// The same without keys and PINs: [`MASK`] stands in their place, and elements that are raw are cut to nothing.
    #[must_use]
    pub fn masked(mut self) -> Description {
        let mask = || MASK.to_owned();
        for element in &mut self.elements {
            for pin in &mut element.pins {
                pin.value = mask();
            }
            for puk in &mut element.puks {
                puk.value = mask();
            }
            if let Some(aka) = &mut element.aka
                && aka.mapping.is_none()
            {
                (aka.key, aka.opc) = (mask(), mask());
            }
            for key in element
                .domain
                .iter_mut()
                .flat_map(|domain| &mut domain.keys)
            {
                key.value = mask();
            }
            if matches!(
                element.kind.as_str(),
                "cdmaParameter" | "securityDomain" | "akaParameter"
            ) && element.raw.is_some()
            {
                element.raw = Some(Hex::default());
            }
        }
        self
    }
}

fn first_bytes(package: &Package) -> Option<Vec<u8>> {
    package.elements.first()?.to_der().ok()
}

impl HeaderText {
    fn of(header: &ProfileHeader) -> HeaderText {
        let iccid = header.profile_iccid();
        HeaderText {
            version: format!("{}.{}", header.major_version, header.minor_version),
            profile_type: header.profile_type.clone().unwrap_or_default(),
            iccid: iccid.map_or_else(String::new, |iccid| iccid.to_string()),
            services: header.mandatory_services.names(),
            templates: Some(
                header
                    .mandatory_templates
                    .iter()
                    .map(ToString::to_string)
                    .collect(),
            ),
            pol: optional(header.pol.as_ref()),
            connectivity: optional(header.connectivity_parameters.as_ref()),
            raw: None,
        }
    }
}

impl ElementText {
    fn blank(kind: &str) -> ElementText {
        ElementText {
            kind: kind.to_owned(),
            id: None,
            mandated: true,
            template: None,
            files: BTreeMap::new(),
            commands: Vec::new(),
            pins: Vec::new(),
            pins_of: None,
            puks: Vec::new(),
            aka: None,
            domain: None,
            rfm: None,
            raw: None,
        }
    }

    fn of(element: &Element, number: usize, version: (u8, u8)) -> ElementText {
        let raw = || ElementText {
            raw: element.to_der().ok().map(Hex),
            ..ElementText::blank(element.name())
        };
        let Some(words) = ElementText::words(element) else {
            return raw();
        };
        let described = Description {
            header: HeaderText {
                version: format!("{}.{}", version.0, version.1),
                iccid: "8901000100000000009".to_owned(),
                ..HeaderText::default()
            },
            elements: vec![words.clone()],
        };
        let same = described
            .package()
            .is_ok_and(|made| made.elements.get(1) == Some(element));
        match same {
            true => ElementText {
                id: words.id.filter(|id| usize::from(*id) != number),
                ..words
            },
            false => raw(),
        }
    }

    /// The element in words, with its identification; `None` if there are none for it.
    fn words(element: &Element) -> Option<ElementText> {
        let header = element.header()?;
        let mut words = ElementText {
            id: Some(header.identification),
            mandated: header.mandated,
            ..ElementText::blank(element.name())
        };
        match element {
            Element::Files(files) => {
                words.template = Some(files.template.to_string());
                words.files = files_of(files)?;
            }
            Element::GenericFileManagement(management) => {
                words.commands = management
                    .commands
                    .iter()
                    .map(|list| commands(list))
                    .collect::<Option<_>>()?;
            }
            Element::PinCodes(pins) => match &pins.codes {
                PinList::Own(list) => words.pins = list.iter().map(pin).collect(),
                PinList::Of(path) => words.pins_of = Some(text::path_text(path.as_bytes())),
                PinList::Unknown(_) => return None,
            },
            Element::PukCodes(puks) => {
                words.puks = puks
                    .codes
                    .iter()
                    .map(|puk| PukText {
                        reference: puk.reference,
                        value: text::pin_text(puk.value.bytes()),
                        attempts: attempts(puk.attempts),
                    })
                    .collect();
            }
            Element::AkaParameter(parameter) => words.aka = Some(aka(parameter)?),
            Element::SecurityDomain(domain) => words.domain = Some(security_domain(domain)?),
            Element::Rfm(rfm) => words.rfm = Some(rfm_text(rfm)),
            Element::End(_) => {}
            _ => return None,
        }
        Some(words)
    }
}

fn files_of(files: &FilesElement) -> Option<BTreeMap<String, Vec<PartText>>> {
    let mut all = BTreeMap::new();
    for (number, file) in &files.files {
        let field = files.kind.field(*number)?;
        let mut parts: Vec<PartText> = Vec::new();
        for part in file {
            // A part's descriptor comes first, then the offset, then the content.
            let last = parts.last();
            match part {
                FilePart::DoNotCreate(_) => parts.push(PartText {
                    do_not_create: true,
                    ..PartText::default()
                }),
                FilePart::Descriptor(fcp) => parts.push(PartText {
                    fcp: Some(descriptor(fcp)?),
                    ..PartText::default()
                }),
                FilePart::Offset(offset) => {
                    if last.is_none_or(|last| last.offset.is_some() || last.content.is_some()) {
                        parts.push(PartText::default());
                    }
                    parts.last_mut()?.offset = Some(*offset);
                }
                FilePart::Content(bytes) => {
                    if last.is_none_or(|last| last.content.is_some()) {
                        parts.push(PartText::default());
                    }
                    parts.last_mut()?.content = Some(Content::text(field, bytes.as_bytes()));
                }
                FilePart::Unknown(_) => return None,
            }
        }
        all.insert(field.to_owned(), parts);
    }
    Some(all)
}

fn commands(list: &[ManagementPart]) -> Option<Vec<PartText>> {
    let mut parts: Vec<PartText> = Vec::new();
    for part in list {
        let last = parts.last();
        match part {
            ManagementPart::Path(path) => parts.push(PartText {
                path: Some(text::path_text(path.as_bytes())),
                ..PartText::default()
            }),
            ManagementPart::Create(fcp) => {
                let fits = |last: &PartText| {
                    last.fcp.is_none() && last.offset.is_none() && last.content.is_none()
                };
                if !last.is_some_and(fits) {
                    parts.push(PartText::default());
                }
                parts.last_mut()?.fcp = Some(descriptor(fcp)?);
            }
            ManagementPart::Offset(offset) => {
                if last.is_none_or(|last| last.offset.is_some() || last.content.is_some()) {
                    parts.push(PartText::default());
                }
                parts.last_mut()?.offset = Some(*offset);
            }
            ManagementPart::Content(bytes) => {
                if last.is_none_or(|last| last.content.is_some()) {
                    parts.push(PartText::default());
                }
                parts.last_mut()?.content = Some(hex(bytes).to_string());
            }
            ManagementPart::Unknown(_) => return None,
        }
    }
    Some(parts)
}

fn descriptor(fcp: &Fcp) -> Option<FcpText> {
    let mut words = FcpText {
        fid: optional(fcp.id.as_ref()),
        aid: optional(fcp.df_name.as_ref()),
        state: optional(fcp.life_cycle.as_ref()),
        pins: optional(fcp.pin_status.as_ref()),
        ..FcpText::default()
    };
    if let Some(bytes) = &fcp.descriptor {
        match text::descriptor_text(bytes.as_bytes()) {
            Some((kind, record)) => (words.kind, words.record) = (Some(kind), record),
            None => words.descriptor = Some(hex(bytes)),
        }
    }
    if let Some(rule) = &fcp.security {
        words.access = Some(text::access_text(rule.as_bytes())?);
    }
    if let Some(size) = &fcp.size {
        words.size = match size.as_bytes() {
            [low] => Some((*low).into()),
            [high, low] => Some(u16::from_be_bytes([*high, *low])),
            _ => return None,
        };
    }
    if let Some(sfi) = &fcp.short_id {
        words.sfi = match sfi.as_bytes() {
            [] => Some(0),
            [byte] => Some(byte >> 3),
            _ => return None,
        };
    }
    if let Some(info) = &fcp.proprietary {
        words.special = optional(info.special.as_ref());
        words.fill = optional(info.fill_pattern.as_ref());
        words.repeat = optional(info.repeat_pattern.as_ref());
        words.maximum = optional(info.maximum_size.as_ref());
        words.details = optional(info.details.as_ref());
        let parts = [
            &words.special,
            &words.fill,
            &words.repeat,
            &words.maximum,
            &words.details,
        ];
        words.empty_info = parts.iter().all(|part| part.is_none());
    }
    words.link = fcp
        .link
        .as_ref()
        .map(|path| text::path_text(path.as_bytes()));
    Some(words)
}

fn pin(pin: &PinConfiguration) -> PinText {
    PinText {
        reference: pin.reference,
        value: text::pin_text(pin.value.bytes()),
        puk: pin.unblocking,
        attributes: pin.attributes,
        attempts: attempts(pin.attempts),
    }
}

fn aka(parameter: &AkaParameter) -> Option<AkaText> {
    let mut words = AkaText {
        sqn_options: optional(parameter.sqn_options.as_ref()),
        sqn_delta: optional(parameter.sqn_delta.as_ref()),
        sqn_age_limit: optional(parameter.sqn_age_limit.as_ref()),
        sqn: parameter.sqn_init.iter().flatten().map(hex).collect(),
        ..AkaText::default()
    };
    match &parameter.algorithm {
        AlgoConfiguration::Mapping(mapping) => {
            words.mapping = Some([to_hex(mapping.source.as_bytes()), hex(&mapping.options)]);
        }
        AlgoConfiguration::Own(own) => {
            let name = ALGORITHMS
                .iter()
                .find(|(_, number)| *number == own.algorithm)?;
            name.0.clone_into(&mut words.algorithm);
            words.options = Some(hex(&own.options));
            words.key = hex::encode_upper(own.key.bytes());
            words.opc = hex::encode_upper(own.opc.bytes());
            words.rotations = optional(own.rotation_constants.as_ref());
            words.constants = optional(own.xoring_constants.as_ref());
            words.counter = optional(own.counter_max.as_ref());
            words.keccak = own.keccak;
        }
        AlgoConfiguration::Unknown(_) => return None,
    }
    Some(words)
}

fn security_domain(domain: &SecurityDomain) -> Option<DomainText> {
    let instance = &domain.instance;
    let keys = domain
        .keys
        .iter()
        .flatten()
        .map(key)
        .collect::<Option<Vec<_>>>()?;
    Some(DomainText {
        package: to_hex(instance.package.as_bytes()),
        class: to_hex(instance.class.as_bytes()),
        aid: to_hex(instance.aid.as_bytes()),
        privileges: hex(&instance.privileges),
        state: optional(instance.life_cycle.as_ref()),
        parameters: hex(&instance.parameters),
        toolkit: instance
            .uicc
            .as_ref()
            .and_then(|uicc| optional(uicc.toolkit.as_ref())),
        keys,
        data: domain.personalization.iter().flatten().map(hex).collect(),
    })
}

fn key(key: &KeyObject) -> Option<KeyText> {
    let [component] = key.components.as_slice() else {
        return None;
    };
    Some(KeyText {
        version: hex(&key.version),
        id: hex(&key.identifier),
        usage: hex(&key.usage),
        access: optional(key.access.as_ref()),
        kind: hex(&component.kind),
        value: hex::encode_upper(component.data.bytes()),
        mac_length: component.mac_length,
    })
}

fn rfm_text(rfm: &Rfm) -> RfmText {
    RfmText {
        aid: to_hex(rfm.aid.as_bytes()),
        domain: rfm.domain.as_ref().map(|aid| to_hex(aid.as_bytes())),
        tars: rfm.tars.iter().flatten().map(hex).collect(),
        security: hex(&rfm.security_level),
        access: hex(&rfm.access),
        admin: hex(&rfm.admin_access),
        adf: rfm.adf.as_ref().map(|adf| {
            [
                to_hex(adf.aid.as_bytes()),
                hex(&adf.access),
                hex(&adf.admin_access),
            ]
        }),
    }
}
