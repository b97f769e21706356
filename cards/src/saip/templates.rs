//! File tables of the profile templates, by their object identifiers (annex A): `templates.txt`, read once.

use super::file::FilesKind;
use der::asn1::ObjectIdentifier;
use std::sync::OnceLock;

const TABLE: &str = include_str!("templates.txt");
/// Arc of the templates' identifiers: joint-iso-itu-t(2) international-organizations(23) tca(143) euicc-profile(1).
const ARC: &str = "2.23.143.1";

/// What a file of a template is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateType {
    /// The master file.
    Mf,
    /// An application's directory.
    Adf,
    /// A directory.
    Df,
    /// Bytes without records.
    Transparent,
    /// Records of one length.
    Linear,
    /// Records of one length, the newest first.
    Cyclic,
    /// BER-TLV objects.
    BerTlv,
}

impl TemplateType {
    const NAMES: &'static [(&'static str, TemplateType)] = &[
        ("mf", TemplateType::Mf),
        ("adf", TemplateType::Adf),
        ("df", TemplateType::Df),
        ("transparent", TemplateType::Transparent),
        ("linear", TemplateType::Linear),
        ("cyclic", TemplateType::Cyclic),
        ("ber-tlv", TemplateType::BerTlv),
    ];

    /// True for a directory.
    pub fn is_directory(self) -> bool {
        matches!(
            self,
            TemplateType::Mf | TemplateType::Adf | TemplateType::Df
        )
    }
}

/// Content that a file has if the package states none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    head: Vec<u8>,
    /// The head's last byte goes on until the tail.
    goes_on: bool,
    tail: Vec<u8>,
}

impl Pattern {
    fn parse(text: &str) -> Option<Pattern> {
        let (head, tail) = text.split_once('*').unwrap_or((text, ""));
        Some(Pattern {
            head: hex::decode(head).ok()?,
            goes_on: text.contains('*'),
            tail: hex::decode(tail).ok()?,
        })
    }

    /// The pattern in `size` bytes; FF behind one that doesn't go on.
    pub fn fill(&self, size: usize) -> Vec<u8> {
        let filler = match self.goes_on {
            true => self.head.last().copied().unwrap_or(0xFF),
            false => 0xFF,
        };
        let mut bytes = self.head.clone();
        bytes.resize(
            size.saturating_sub(self.tail.len()).max(bytes.len()),
            filler,
        );
        bytes.extend(&self.tail);
        bytes.resize(size, 0xFF);
        bytes
    }
}

/// A file of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateFile {
    /// The file's name in the element.
    pub field: &'static str,
    /// File identifier; an application's directory has none, and some a package has to state.
    pub fid: Option<u16>,
    /// Identifiers that follow each other from it.
    pub count: u16,
    /// What it is.
    pub kind: TemplateType,
    /// Number of records.
    pub records: Option<u8>,
    /// Size of the file, or of a record, in bytes.
    pub size: Option<u16>,
    /// Record of the EF.ARR with its access rule.
    pub rule: Option<u8>,
    /// Short file identifier.
    pub sfi: Option<u8>,
    /// Its content.
    pub content: Option<Pattern>,
    /// The directory that it is in: the field's name; `None` for the template's own place.
    pub directory: Option<&'static str>,
}

/// A template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    /// Its identifier.
    pub oid: ObjectIdentifier,
    /// The element that it is for.
    pub kind: &'static FilesKind,
    /// "Created by default": files that the element leaves out are made, too.
    pub by_default: bool,
    /// Its files.
    pub files: Vec<TemplateFile>,
}

impl Template {
    /// The template with this identifier.
    pub fn of(oid: &ObjectIdentifier) -> Option<&'static Template> {
        all().iter().find(|template| template.oid == *oid)
    }

    /// The newest template of an element that a version of the format has; major and minor.
    pub fn newest(kind: &FilesKind, version: (u8, u8)) -> Option<&'static Template> {
        all()
            .iter()
            .filter(|template| template.kind == kind && template.since() <= version)
            .max_by_key(|template| template.since())
    }

    /// The version of the format that brought it (annex A's history).
    pub fn since(&self) -> (u8, u8) {
        let text = self.oid.to_string();
        match text.strip_prefix(ARC).unwrap_or_default() {
            ".2.12" => (2, 2),
            ".2.13" | ".2.14" => (2, 3),
            ".2.3.2" | ".2.4.2" | ".2.5.2" | ".2.9.2" | ".2.13.2" | ".2.13.3" => (3, 1),
            ".2.5.3" | ".2.13.4" | ".2.15" | ".2.16" => (3, 3),
            _ => (1, 0),
        }
    }

    /// The file of this field.
    pub fn file(&self, field: &str) -> Option<&TemplateFile> {
        self.files.iter().find(|file| file.field == field)
    }
}

/// Every template.
pub fn all() -> &'static [Template] {
    static PARSED: OnceLock<Vec<Template>> = OnceLock::new();
    PARSED.get_or_init(|| parse(TABLE))
}

/// Reads the table; lines that make no sense are left out, and a test sees to it that there are none.
fn parse(table: &'static str) -> Vec<Template> {
    let mut templates: Vec<Template> = Vec::new();
    let lines = table
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'));
    for line in lines {
        let words: Vec<&'static str> = line.split(' ').collect();
        if let ["template", oid, kind, flags @ ..] = words.as_slice() {
            let oid = ObjectIdentifier::new(&format!("{ARC}.{oid}")).ok();
            if let (Some(oid), Some(kind)) = (oid, FilesKind::of_name(kind)) {
                templates.push(Template {
                    oid,
                    kind,
                    by_default: flags.contains(&"default"),
                    files: Vec::new(),
                });
            }
        } else if let Some(template) = templates.last_mut()
            && let Some(file) = template_file(&words, &template.files)
        {
            template.files.push(file);
        }
    }
    templates
}

fn template_file(words: &[&'static str], before: &[TemplateFile]) -> Option<TemplateFile> {
    let &[field, fid, kind, records, size, rule, sfi, content] = words else {
        return None;
    };
    let (fid, count) = match fid.split_once('+') {
        Some((fid, count)) => (fid, count.parse().ok()?),
        None => (fid, 1),
    };
    let kind = TemplateType::NAMES
        .iter()
        .find(|(name, _)| *name == kind)?
        .1;
    // Directories of a template are in its first one; files are in the directory above them.
    let mut directories = before.iter().filter(|file| file.kind.is_directory());
    let directory = match kind.is_directory() {
        true => directories.next(),
        false => directories.next_back(),
    };
    let content = match content {
        "-" => None,
        text => Some(Pattern::parse(text)?),
    };
    Some(TemplateFile {
        field,
        fid: u16::from_str_radix(fid, 16).ok(),
        count,
        kind,
        records: records.parse().ok(),
        size: size.parse().ok(),
        rule: rule.parse().ok(),
        sfi: sfi.parse().ok(),
        content,
        directory: directory.map(|file| file.field),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_understood() {
        let lines = TABLE
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        let files: usize = all().iter().map(|template| template.files.len()).sum();
        assert_eq!(lines.count(), files + all().len());
        for template in all() {
            for file in &template.files {
                assert!(
                    template.kind.fields().any(|(name, _)| name == file.field),
                    "{} {}",
                    template.oid,
                    file.field
                );
            }
        }
    }

    #[test]
    fn patterns_fill_files() {
        let fill = |text: &str, size| hex::encode_upper(Pattern::parse(text).unwrap().fill(size));
        assert_eq!(fill("07FF*", 4), "07FFFFFF");
        assert_eq!(fill("FF*0001", 4), "FFFF0001");
        assert_eq!(fill("0102", 3), "0102FF");
        assert_eq!(fill("0102", 1), "01");
        assert_eq!(fill("00*", 2), "0000");
    }

    #[test]
    fn versions_pick_their_templates() {
        let newest = |name: &str, version| {
            let kind = FilesKind::of_name(name).unwrap();
            Template::newest(kind, version).map(|template| template.oid.to_string())
        };
        assert_eq!(newest("usim", (2, 3)).as_deref(), Some("2.23.143.1.2.4"));
        assert_eq!(newest("usim", (3, 1)).as_deref(), Some("2.23.143.1.2.4.2"));
        assert_eq!(
            newest("df-5gs", (3, 3)).as_deref(),
            Some("2.23.143.1.2.13.4")
        );
        assert_eq!(newest("df-5gs", (2, 1)), None);
    }
}
