//! Files of templates (8.3, annex A) and of generic file management (8.3.5).

use super::{Builder, Family, Problem};
use crate::fs::MF;
use crate::fs::fcp::pin_references;
use crate::fs::security::Security;
use crate::fs::tree::{CURRENT_ADF, Elementary, FileId, Kind, LifeCycle, Node, Structure};
use crate::saip::elements::GenericFileManagement;
use crate::saip::file::{Fcp, FilePart, FilesElement, ManagementPart};
use crate::saip::status::Status;
use crate::saip::templates::{Pattern, Template, TemplateFile, TemplateType};
use applet_model::sgp::Octets;

/// EF.ARR of the MF and of what is directly in it, and of everything else (`securityAttributesReferenced`).
const ARR_OF_MF: u16 = 0x2F06;
const ARR: u16 = 0x6F06;
/// Bits of the file descriptor byte (ETSI TS 102 222 6.3.2.2.1).
const SHAREABLE: u8 = 0x40;

fn bad(text: impl Into<String>) -> Problem {
    Problem::new(Status::BAD_VALUES, text)
}

/// What a file is if its descriptor says no more.
#[derive(Default)]
struct Basis<'a> {
    kind: Option<TemplateType>,
    fid: Option<u16>,
    records: Option<u8>,
    size: Option<u16>,
    rule: Option<u8>,
    sfi: Option<u8>,
    content: Option<&'a Pattern>,
    /// Without a short identifier in the descriptor, it comes of the file identifier (ETSI TS 102 222 6.3.2.2.2).
    sfi_of_fid: bool,
}

impl<'a> Basis<'a> {
    /// The `number`-th file of a field.
    fn of(file: &'a TemplateFile, number: u16) -> Result<Basis<'a>, Problem> {
        if number >= file.count {
            let text = format!("{} has more descriptors than identifiers", file.field);
            return Err(bad(text));
        }
        Ok(Basis {
            kind: Some(file.kind),
            fid: file.fid.map(|fid| fid + number),
            records: file.records,
            size: file.size,
            rule: file.rule,
            sfi: file.sfi,
            content: file.content.as_ref(),
            sfi_of_fid: false,
        })
    }
}

/// What goes into a file: so many bytes are left as they are, or these are written.
#[derive(Clone, Copy)]
enum Fill<'a> {
    Skip(u16),
    Write(&'a [u8]),
}

/// Bytes that fills lay claim to.
fn reach(fills: &[Fill<'_>]) -> usize {
    fills
        .iter()
        .map(|fill| match fill {
            Fill::Skip(count) => usize::from(*count),
            Fill::Write(bytes) => bytes.len(),
        })
        .sum()
}

fn write(data: &mut [u8], at: &mut usize, fills: &[Fill<'_>]) -> Result<(), Problem> {
    for fill in fills {
        match fill {
            Fill::Skip(count) => *at += usize::from(*count),
            Fill::Write(bytes) => {
                let size = data.len();
                let slot = data.get_mut(*at..*at + bytes.len()).ok_or_else(|| {
                    bad(format!(
                        "content up to byte {} in a file of {size}",
                        *at + bytes.len()
                    ))
                })?;
                slot.copy_from_slice(bytes);
                *at += bytes.len();
            }
        }
    }
    Ok(())
}

fn octets(value: Option<&Octets>) -> Option<&[u8]> {
    value.map(Octets::as_bytes)
}

/// A number of at most two significant bytes.
fn size(value: &[u8]) -> Result<u16, Problem> {
    let number = value.iter().try_fold(0u16, |sum, byte| {
        sum.checked_mul(256).map(|sum| sum | u16::from(*byte))
    });
    number
        .filter(|_| !value.is_empty())
        .ok_or_else(|| bad(format!("a file of {} bytes", hex::encode_upper(value))))
}

/// A descriptor and the fills behind it.
type Group<'a> = (Option<&'a Fcp>, Vec<Fill<'a>>);

/// The files that a field states, each a descriptor and its fills; `None` if it isn't to be made.
fn groups(parts: &[FilePart]) -> Result<Option<Vec<Group<'_>>>, Problem> {
    let mut groups: Vec<Group<'_>> = vec![(None, Vec::new())];
    for part in parts {
        let Some((descriptor, fills)) = groups.last_mut() else {
            break;
        };
        match part {
            FilePart::DoNotCreate(_) => return Ok(None),
            FilePart::Descriptor(fcp) if descriptor.is_none() && fills.is_empty() => {
                *descriptor = Some(fcp);
            }
            FilePart::Descriptor(fcp) => groups.push((Some(fcp), Vec::new())),
            FilePart::Offset(count) => fills.push(Fill::Skip(*count)),
            FilePart::Content(bytes) => fills.push(Fill::Write(bytes.as_bytes())),
            FilePart::Unknown(_) => {
                let text = "a part of a later version in a file";
                return Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text));
            }
        }
    }
    Ok(Some(groups))
}

impl Builder {
    /// Makes the files of a template.
    pub(super) fn files(&mut self, element: &FilesElement) -> Result<(), Problem> {
        let template = Template::of(&element.template).ok_or_else(|| {
            Problem::new(
                Status::TEMPLATE_NOT_SUPPORTED,
                format!("template {}", element.template),
            )
        })?;
        if template.kind != element.kind {
            let text = format!("template {} is one of {}", template.oid, template.kind.name);
            return Err(bad(text));
        }
        if !element.rest.is_empty() {
            return Err(Problem::new(
                Status::FEATURE_NOT_SUPPORTED,
                "files of a later version",
            ));
        }
        let family = match element.kind.name {
            "mf" | "cd" | "telecom" => None,
            "isim" | "opt-isim" => Some(Family::Isim),
            "csim" | "opt-csim" => Some(Family::Csim),
            _ => Some(Family::Usim),
        };
        let base = match (family, element.kind.name) {
            (None, _) | (_, "usim" | "isim" | "csim") => FileId::MF,
            (Some(family), _) => self.family(family)?,
        };
        self.context = Some(base);
        let stated = |field: &str| {
            let wanted = |(number, _): &&(usize, _)| element.kind.field(*number) == Some(field);
            element
                .files
                .iter()
                .find(wanted)
                .map(|(_, parts)| parts.as_slice())
        };
        let unknown = element.files.iter().find_map(|(number, _)| {
            let field = element.kind.field(*number)?;
            template.file(field).is_none().then_some(field)
        });
        if let Some(field) = unknown {
            let text = format!("{field} isn't in template {}", template.oid);
            return Err(Problem::new(Status::INVALID_PARAMETER, text));
        }
        let mut directories: Vec<(&str, FileId)> = Vec::new();
        for file in &template.files {
            let parts = match stated(file.field) {
                Some(parts) => parts,
                None if mandatory(element, file.field) => {
                    let text = format!("{} is missing", file.field);
                    return Err(Problem::new(Status::INVALID_PARAMETER, text));
                }
                // Created by default, as far as the template knows what.
                None if template.by_default && file.size.is_some() => &[],
                None => continue,
            };
            let parent = match file.directory {
                None => base,
                Some(field) => directories
                    .iter()
                    .find(|(name, _)| *name == field)
                    .map(|(_, id)| *id)
                    .ok_or_else(|| bad(format!("{} without {field}", file.field)))?,
            };
            let named = |problem: Problem| {
                Problem::new(problem.status, format!("{}: {}", file.field, problem.text))
            };
            let Some(groups) = groups(parts).map_err(named)? else {
                continue;
            };
            for (number, (fcp, fills)) in groups.iter().enumerate() {
                let number = u16::try_from(number).unwrap_or(u16::MAX);
                let basis = Basis::of(file, number)?;
                let made = self.make(&basis, *fcp, fills, parent).map_err(named)?;
                if file.kind.is_directory() {
                    directories.push((file.field, made));
                }
                if let (TemplateType::Adf, Some(family)) = (file.kind, family) {
                    self.adfs.insert(family, made);
                    self.adf = Some(made);
                }
            }
        }
        if let Some((_, own)) = directories.first() {
            self.context = Some(*own);
        }
        Ok(())
    }

    /// Makes a file of what a template and a descriptor say.
    fn make(
        &mut self,
        basis: &Basis<'_>,
        fcp: Option<&Fcp>,
        fills: &[Fill<'_>],
        parent: FileId,
    ) -> Result<FileId, Problem> {
        let part = |of: fn(&Fcp) -> Option<&Octets>| fcp.and_then(of).map(Octets::as_bytes);
        let descriptor = part(|fcp| fcp.descriptor.as_ref());
        let (kind, shareable) = descriptor_byte(basis.kind, descriptor)?;
        let fid = match part(|fcp| fcp.id.as_ref()) {
            Some([high, low]) => Some(u16::from_be_bytes([*high, *low])),
            Some(_) => return Err(bad("a file identifier has two bytes")),
            None => basis.fid,
        };
        let state = match part(|fcp| fcp.life_cycle.as_ref()) {
            None => LifeCycle::Activated,
            Some([code]) => LifeCycle::of_code(*code).ok_or_else(|| bad("no life cycle status"))?,
            Some(_) => return Err(bad("a life cycle status has one byte")),
        };
        let security = security(basis, fcp, kind, parent)?;
        let pins = part(|fcp| fcp.pin_status.as_ref()).map(pin_list);
        if kind.is_directory() && !fills.is_empty() {
            return Err(bad("a directory has no content"));
        }
        if kind == TemplateType::Mf {
            let mf = self.volume.tree.get_mut(FileId::MF)?;
            mf.security = security;
            mf.state = state;
            if let (Kind::Directory { pins, .. }, Some(stated)) = (&mut mf.kind, pins) {
                *pins = stated;
            }
            return Ok(FileId::MF);
        }
        let (fid, node_kind) = match kind {
            TemplateType::Adf => {
                let name = part(|fcp| fcp.df_name.as_ref())
                    .filter(|name| (5..=16).contains(&name.len()))
                    .ok_or_else(|| bad("an application's directory needs its AID"))?;
                let kind = Kind::Directory {
                    name: name.to_vec(),
                    total: 0,
                    pins: pins.unwrap_or_default(),
                };
                (CURRENT_ADF, kind)
            }
            TemplateType::Df | TemplateType::Mf => {
                let kind = Kind::Directory {
                    name: Vec::new(),
                    total: 0,
                    pins: pins.unwrap_or_default(),
                };
                (identifier(fid)?, kind)
            }
            _ => {
                let fid = identifier(fid)?;
                let ef = self.elementary(basis, fcp, fills, kind, fid)?;
                (fid, Kind::Elementary(ef))
            }
        };
        let made = self.volume.tree.insert(Node {
            fid,
            parent,
            state,
            shareable,
            security,
            kind: node_kind,
        })?;
        if kind == TemplateType::Adf
            && let Some([high, low]) = part(|fcp| fcp.id.as_ref())
        {
            let temporary = u16::from_be_bytes([*high, *low]);
            if self.temporary.insert(temporary, made).is_some() {
                let text = format!("two applications have temporary identifier {temporary:04X}");
                return Err(bad(text));
            }
        }
        Ok(made)
    }

    fn elementary(
        &self,
        basis: &Basis<'_>,
        fcp: Option<&Fcp>,
        fills: &[Fill<'_>],
        kind: TemplateType,
        fid: u16,
    ) -> Result<Elementary, Problem> {
        let sfi = short_identifier(basis, fcp, fid)?;
        let link = fcp.and_then(|fcp| octets(fcp.link.as_ref()));
        if let Some(path) = link.filter(|path| !path.is_empty()) {
            let target = self.resolve(path)?;
            if self.volume.tree.get(target)?.is_directory() {
                let text = "a linked directory";
                return Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text));
            }
            let (target, shown) = self.volume.tree.contents(target)?;
            return Ok(Elementary {
                sfi,
                structure: shown.structure,
                record: shown.record,
                data: Vec::new(),
                link: Some(target),
            });
        }
        let structure = match kind {
            TemplateType::Linear => Structure::LinearFixed,
            TemplateType::Cyclic => Structure::Cyclic,
            TemplateType::Transparent => Structure::Transparent,
            _ => {
                let text = "a BER-TLV file";
                return Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text));
            }
        };
        let stated = match fcp.and_then(|fcp| octets(fcp.size.as_ref())) {
            Some(bytes) => Some(usize::from(size(bytes)?)),
            None => None,
        };
        let descriptor = fcp.and_then(|fcp| octets(fcp.descriptor.as_ref()));
        let (record, size) = match structure {
            Structure::Transparent => {
                let size = stated.or(basis.size.map(usize::from));
                // What the template doesn't fix is as long as what the package writes.
                (0, size.unwrap_or_else(|| reach(fills)))
            }
            _ => {
                let record = record_length(basis, descriptor)?;
                let by_template = basis.records.map(|records| usize::from(records) * record);
                let size = stated
                    .or(by_template)
                    .unwrap_or_else(|| reach(fills).div_ceil(record.max(1)).max(1) * record);
                if record == 0 || size % record != 0 || size / record > 254 {
                    return Err(bad(format!("{size} bytes are no records of {record}")));
                }
                (record, size)
            }
        };
        if size == 0 {
            let text = "the size is missing";
            return Err(Problem::new(Status::INVALID_PARAMETER, text));
        }
        let proprietary = fcp.and_then(|fcp| fcp.proprietary.as_ref());
        let once = proprietary.and_then(|info| octets(info.fill_pattern.as_ref()));
        let repeated = proprietary.and_then(|info| octets(info.repeat_pattern.as_ref()));
        let mut data: Vec<u8> = match (once, repeated, basis.content) {
            (Some(_), Some(_), _) => return Err(bad("a fill pattern and a repeat pattern")),
            (Some(pattern), None, _) => {
                let filler = pattern.last().copied().unwrap_or(0xFF);
                let mut data = pattern.to_vec();
                data.resize(size, filler);
                data
            }
            (None, Some(pattern), _) if !pattern.is_empty() => {
                pattern.iter().copied().cycle().take(size).collect()
            }
            // A template's content is that of a record, if there are any.
            (_, _, Some(content)) => match record {
                0 => content.fill(size),
                record => content
                    .fill(record)
                    .into_iter()
                    .cycle()
                    .take(size)
                    .collect(),
            },
            _ => vec![0xFF; size],
        };
        write(&mut data, &mut 0, fills)?;
        Ok(Elementary {
            sfi,
            structure,
            record: u8::try_from(record).map_err(|_| bad("a record of more than 255 bytes"))?,
            data,
            link: None,
        })
    }

    /// The file at a path of identifiers from the MF; an application's directory has its temporary one.
    pub(super) fn resolve(&self, path: &[u8]) -> Result<FileId, Problem> {
        if !path.len().is_multiple_of(2) {
            return Err(bad("a path of an odd number of bytes"));
        }
        let mut at = FileId::MF;
        for pair in path.chunks_exact(2) {
            let fid = pair
                .iter()
                .fold(0u16, |fid, byte| fid << 8 | u16::from(*byte));
            at = match (at, fid, self.temporary.get(&fid)) {
                (FileId::MF, MF, _) => FileId::MF,
                (FileId::MF, _, Some(adf)) => *adf,
                _ => self.volume.tree.child(at, fid).ok_or_else(|| {
                    bad(format!(
                        "no file {fid:04X} on path {}",
                        hex::encode_upper(path)
                    ))
                })?,
            };
        }
        Ok(at)
    }

    /// Generic file management: paths, files, contents, in order.
    pub(super) fn manage(&mut self, management: &GenericFileManagement) -> Result<(), Problem> {
        for commands in &management.commands {
            let mut directory = FileId::MF;
            let mut file = None;
            let mut offset = 0;
            let mut at = 0;
            while let Some(command) = commands.get(at) {
                at += 1;
                match command {
                    ManagementPart::Path(path) => {
                        let found = self.resolve(path.as_bytes())?;
                        let node = self.volume.tree.get(found)?;
                        (directory, file, offset) = match node.is_directory() {
                            true => (found, None, 0),
                            false => (node.parent, Some(found), 0),
                        };
                    }
                    ManagementPart::Create(fcp) => {
                        let fills = fills_from(commands.get(at..).unwrap_or(&[]));
                        let made = self.create(fcp, &fills, directory)?;
                        at += fills.len();
                        if self.volume.tree.get(made)?.is_directory() {
                            (directory, file) = (made, None);
                            self.context = Some(made);
                        } else {
                            (file, offset) = (Some(made), reach(&fills));
                        }
                    }
                    ManagementPart::Offset(count) => offset += usize::from(*count),
                    ManagementPart::Content(bytes) => {
                        let file = file.ok_or_else(|| bad("content without a file"))?;
                        let (file, _) = self.volume.tree.contents(file)?;
                        if let Kind::Elementary(ef) = &mut self.volume.tree.get_mut(file)?.kind {
                            write(&mut ef.data, &mut offset, &[Fill::Write(bytes.as_bytes())])?;
                        }
                    }
                    ManagementPart::Unknown(_) => {
                        let text = "a file command of a later version";
                        return Err(Problem::new(Status::FEATURE_NOT_SUPPORTED, text));
                    }
                }
            }
        }
        Ok(())
    }

    fn create(&mut self, fcp: &Fcp, fills: &[Fill<'_>], parent: FileId) -> Result<FileId, Problem> {
        let basis = Basis {
            sfi_of_fid: true,
            ..Basis::default()
        };
        let name = octets(fcp.id.as_ref())
            .map(hex::encode_upper)
            .unwrap_or_default();
        self.make(&basis, Some(fcp), fills, parent)
            .map_err(|problem| Problem::new(problem.status, format!("{name}: {}", problem.text)))
    }
}

/// The offsets and contents that follow a file's creation.
fn fills_from(commands: &[ManagementPart]) -> Vec<Fill<'_>> {
    commands
        .iter()
        .map_while(|command| match command {
            ManagementPart::Offset(count) => Some(Fill::Skip(*count)),
            ManagementPart::Content(bytes) => Some(Fill::Write(bytes.as_bytes())),
            _ => None,
        })
        .collect()
}

fn mandatory(element: &FilesElement, field: &str) -> bool {
    element
        .kind
        .fields()
        .any(|(name, mandatory)| name == field && mandatory)
}

fn identifier(fid: Option<u16>) -> Result<u16, Problem> {
    fid.filter(|fid| !matches!(*fid, MF | 0x3FFF | CURRENT_ADF | 0xFFFF))
        .ok_or_else(|| bad("a file identifier is missing, or one that means something else"))
}

/// What the file is, and if it is shareable: by its descriptor byte, and by its template.
fn descriptor_byte(
    template: Option<TemplateType>,
    descriptor: Option<&[u8]>,
) -> Result<(TemplateType, bool), Problem> {
    let Some(byte) = descriptor.and_then(|descriptor| descriptor.first()) else {
        let kind = template.ok_or_else(|| bad("the file descriptor is missing"))?;
        return Ok((kind, true));
    };
    let stated = match byte & !SHAREABLE {
        0x38 => TemplateType::Df,
        0x01 => TemplateType::Transparent,
        0x02 => TemplateType::Linear,
        0x06 => TemplateType::Cyclic,
        0x39 => TemplateType::BerTlv,
        other => return Err(bad(format!("file descriptor {other:02X}"))),
    };
    let kind = match template {
        Some(kind) if kind == stated || (kind.is_directory() && stated.is_directory()) => kind,
        Some(_) => return Err(bad("the file descriptor isn't that of the template")),
        None => stated,
    };
    Ok((kind, byte & SHAREABLE != 0))
}

fn record_length(basis: &Basis<'_>, descriptor: Option<&[u8]>) -> Result<usize, Problem> {
    match (descriptor, basis.size) {
        (Some([_, _, high, low]), _) => Ok(u16::from_be_bytes([*high, *low]).into()),
        (Some([_, _, low]), _) => Ok((*low).into()),
        (_, Some(size)) => Ok(size.into()),
        _ => Err(Problem::new(
            Status::INVALID_PARAMETER,
            "the length of a record is missing",
        )),
    }
}

fn short_identifier(basis: &Basis<'_>, fcp: Option<&Fcp>, fid: u16) -> Result<Option<u8>, Problem> {
    let valid = |sfi: &u8| (1..=30).contains(sfi);
    match fcp.and_then(|fcp| octets(fcp.short_id.as_ref())) {
        None if basis.sfi_of_fid => Ok(u8::try_from(fid & 0x1F).ok().filter(valid)),
        None => Ok(basis.sfi),
        Some([]) => Ok(None),
        Some([byte]) if byte & 0x07 == 0 && valid(&(byte >> 3)) => Ok(Some(byte >> 3)),
        Some(other) => Err(bad(format!(
            "short file identifier {}",
            hex::encode_upper(other)
        ))),
    }
}

/// The reference to a record of an EF.ARR, which may leave out the file.
fn security(
    basis: &Basis<'_>,
    fcp: Option<&Fcp>,
    kind: TemplateType,
    parent: FileId,
) -> Result<Security, Problem> {
    let of_mf = parent == FileId::MF || matches!(kind, TemplateType::Mf | TemplateType::Adf);
    let [high, low] = if of_mf { ARR_OF_MF } else { ARR }.to_be_bytes();
    let record = match (
        fcp.and_then(|fcp| octets(fcp.security.as_ref())),
        basis.rule,
    ) {
        (Some(whole @ [_, _, _]), _) => return Ok(Security::Referenced(whole.to_vec())),
        (Some([record]), _) => *record,
        (Some(other), _) => {
            return Err(bad(format!("access rule {}", hex::encode_upper(other))));
        }
        (None, Some(record)) => record,
        (None, None) => {
            let text = "the access rule is missing";
            return Err(Problem::new(Status::INVALID_PARAMETER, text));
        }
    };
    Ok(Security::Referenced(vec![high, low, record]))
}

/// `pinStatusTemplateDO`: a PIN status template, or the references alone, as published packages have them.
fn pin_list(value: &[u8]) -> Vec<u8> {
    match value.first() {
        Some(0x90) => pin_references(value),
        _ => value.to_vec(),
    }
}
