//! Load file to linked code (JCVM 4.5, ch. 6): imports checked against what is on the card, constant
//! pool resolved, methods lowered.

mod cache;
mod classes;
mod constants;

use super::api::{self, Api, NativeId};
use super::code::{Class, Code, Entry, Exported, Handler, Method, Statics};
use super::error::LoadError;
use super::lower::lower;
use super::platform::Platform;
use super::state::Linked;
use super::value::{ClassRef, PackageId};
use applet_gen::cap::{self, Cap, ComponentTag};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) use cache::shared;

type Result<T> = std::result::Result<T, LoadError>;

/// What the linker may link to.
pub(crate) struct World<'a> {
    pub linked: &'a Linked,
    /// The card has the type `int`.
    pub int: bool,
    pub platform: &'a Platform,
}

/// Links a load file as package `id`.
fn link(load_file: &[u8], id: PackageId, world: &World<'_>) -> Result<Code> {
    let cap = Cap::from_load_file(load_file).map_err(|e| LoadError::Format(e.to_string()))?;
    let int = cap.header.flags & cap::header::ACC_INT != 0;
    world.check_int(int)?;
    let imports = cap
        .imports
        .iter()
        .map(|import| world.import(import))
        .collect::<Result<Vec<_>>>()?;
    let size = cap::budget::package_bytes(&cap);
    let mut linker = Linker {
        cap: &cap,
        id,
        world,
        imports,
        classes: Vec::new(),
        methods: BTreeMap::new(),
        offsets: Vec::new(),
    };
    linker.find_methods()?;
    linker.classes()?;
    linker.close()?;
    let pool = linker.pool()?;
    let methods = linker.methods(&pool)?;
    let applets = linker.applets()?;
    let exports = linker.exports()?;
    let statics = linker.statics()?;
    let bound = linker.imports.iter();
    let bound = bound.filter_map(|import| world.linked.get(*import).cloned());
    Ok(Code {
        load_file: load_file.into(),
        id,
        int,
        wanted: cap.imports.clone(),
        bound: bound.collect(),
        aid: cap.header.package.aid.clone(),
        major: cap.header.package.major,
        minor: cap.header.package.minor,
        imports: linker.imports,
        pool,
        classes: linker.classes,
        methods,
        statics,
        applets,
        exports,
        size,
    })
}

impl World<'_> {
    /// Refuses a package that uses `int` (JCVM 2.2.3.1) on a card that doesn't have it.
    pub fn check_int(&self, used: bool) -> Result<()> {
        if used && !self.int {
            return Err(LoadError::NotSupported(
                "the package uses int (ACC_INT in its header): convert it without int, or choose a card \
                 whose definition has it"
                    .into(),
            ));
        }
        Ok(())
    }

    /// JCVM 4.5.2: major equal, minor not below.
    pub fn import(&self, import: &cap::PackageInfo) -> Result<PackageId> {
        let fail = |name: Option<&str>, reason: String| {
            let aid = hex::encode_upper(&import.aid);
            let name = name.map_or(aid.clone(), |name| {
                format!("{} ({aid})", name.replace('/', "."))
            });
            Err(LoadError::Import {
                name,
                major: import.major,
                minor: import.minor,
                reason,
            })
        };
        let fits = |major, minor| major == import.major && minor >= import.minor;
        let missing = "the card does not have this package".to_string();
        if let Some((id, package)) = Api::get().package_by_aid(&import.aid) {
            let name = Some(package.table.name.as_str());
            return match self.platform.version(&import.aid) {
                None => fail(name, missing),
                Some((major, minor)) if !fits(major, minor) => {
                    fail(name, format!("the card has {major}.{minor}"))
                }
                Some(_) => Ok(id),
            };
        }
        match self.linked.iter().find(|(_, code)| code.aid == import.aid) {
            None => fail(None, missing),
            Some((_, code)) if !fits(code.major, code.minor) => {
                fail(None, format!("the card has {}.{}", code.major, code.minor))
            }
            Some((id, _)) => Ok(id),
        }
    }

    /// A class of an API package, if the card's version of the package has it.
    fn api_class(&self, class: ClassRef) -> Option<&'static api::Class> {
        let aid = &Api::get().package(class.package)?.table.aid;
        let class = Api::get().class(class)?;
        self.platform.has(aid, class.since).then_some(class)
    }

    /// The method, if the card's version of its package has it.
    fn api_method(&self, id: NativeId) -> Option<NativeId> {
        let method = Api::get().native(id)?;
        self.platform.has(method.aid, method.since).then_some(id)
    }

    fn class(&self, class: ClassRef) -> Option<&Class> {
        self.linked
            .get(class.package)?
            .classes
            .get(usize::from(class.class))
    }
}

struct Linker<'a> {
    cap: &'a Cap,
    id: PackageId,
    world: &'a World<'a>,
    imports: Vec<PackageId>,
    classes: Vec<Class>,
    /// Method index by offset in the Method component.
    methods: BTreeMap<u16, u16>,
    /// The offsets, by index.
    offsets: Vec<u16>,
}

fn wrong(component: ComponentTag, offset: usize, reason: impl Into<String>) -> LoadError {
    LoadError::Link {
        component: component.to_string(),
        offset,
        reason: reason.into(),
    }
}

impl<'a> Linker<'a> {
    fn find_methods(&mut self) -> Result<()> {
        let mut offsets: BTreeSet<u16> = self.cap.entry_points();
        if let Some(descriptor) = &self.cap.descriptor {
            let interface = cap::descriptor::access::INTERFACE;
            let classes = descriptor
                .classes
                .iter()
                .filter(|c| c.access_flags & interface == 0);
            offsets.extend(classes.flat_map(|c| &c.methods).map(|m| m.method_offset));
        }
        for (index, offset) in (0u16..).zip(offsets) {
            self.methods.insert(offset, index);
            self.offsets.push(offset);
        }
        Ok(())
    }

    fn method_at(&self, offset: u16, component: ComponentTag) -> Result<u16> {
        self.methods
            .get(&offset)
            .copied()
            .ok_or_else(|| wrong(component, offset.into(), "no method at this offset"))
    }

    /// Class or interface of a class_ref.
    fn class_ref(
        &self,
        class: cap::ClassRef,
        at: usize,
        component: ComponentTag,
    ) -> Result<ClassRef> {
        match class {
            cap::ClassRef::Internal(offset) => {
                let interfaces = self.cap.class.interfaces.iter().map(|i| i.offset);
                let classes = self.cap.class.classes.iter().map(|c| c.offset);
                let index = interfaces.chain(classes).position(|at| at == offset);
                let index = index.and_then(|i| u16::try_from(i).ok());
                let class = index.ok_or_else(|| {
                    wrong(component, at, format!("no class at offset {offset:#06x}"))
                })?;
                Ok(ClassRef {
                    package: self.id,
                    class,
                })
            }
            cap::ClassRef::External {
                package,
                class: token,
            } => {
                let package = self.import(package, at, component)?;
                let missing = || {
                    wrong(
                        component,
                        at,
                        format!("imported package has no class {token}"),
                    )
                };
                let class = match self.world.linked.get(package) {
                    Some(code) => {
                        code.exports
                            .get(usize::from(token))
                            .ok_or_else(missing)?
                            .class
                    }
                    None => {
                        let class = ClassRef {
                            package,
                            class: token.into(),
                        };
                        self.world.api_class(class).ok_or_else(missing)?;
                        token.into()
                    }
                };
                Ok(ClassRef { package, class })
            }
        }
    }

    fn import(&self, package: u8, at: usize, component: ComponentTag) -> Result<PackageId> {
        self.imports
            .get(usize::from(package))
            .copied()
            .ok_or_else(|| wrong(component, at, format!("no imported package {package}")))
    }

    /// Any class that is on the card or being linked.
    fn known(&self, class: ClassRef) -> Option<&Class> {
        if class.package == self.id {
            return self.classes.get(usize::from(class.class));
        }
        self.world.class(class)
    }

    fn int(&self) -> bool {
        self.cap.header.flags & cap::header::ACC_INT != 0
    }

    fn header(&self, offset: u16) -> Result<cap::MethodHeader> {
        self.cap
            .method
            .header_at(offset)
            .map_err(|e| LoadError::Format(e.to_string()))
    }

    fn methods(&self, pool: &[Entry]) -> Result<Vec<Method>> {
        let starts: Vec<u16> = self.methods.keys().copied().collect();
        let mut methods = Vec::new();
        for (i, offset) in starts.iter().enumerate() {
            // Code ends where the next method that anything refers to begins.
            let end = starts
                .get(i + 1)
                .map_or(self.cap.method.end(), |next| usize::from(*next));
            methods.push(self.method(*offset, end, pool)?);
        }
        Ok(methods)
    }

    fn method(&self, offset: u16, end: usize, pool: &[Entry]) -> Result<Method> {
        let tag = ComponentTag::Method;
        let header = self.header(offset)?;
        let start = usize::from(offset) + header.len();
        let mut method = Method {
            offset,
            is_abstract: header.is_abstract(),
            nargs: header.nargs,
            max_stack: header.max_stack,
            max_locals: header.max_locals,
            code: Vec::new(),
            source: Vec::new(),
            handlers: Vec::new(),
            switches: Vec::new(),
        };
        if method.is_abstract {
            return Ok(method);
        }
        let length = end.saturating_sub(start);
        let bytes = self
            .cap
            .method
            .bytes_from(offset)
            .get(header.len()..header.len() + length);
        let bytes = bytes.ok_or_else(|| wrong(tag, start, "the method has no code"))?;
        let own = self
            .cap
            .method
            .handlers
            .iter()
            .filter(|h| (start..end).contains(&h.start.into()));
        let own: Vec<&cap::ExceptionHandler> = own.collect();
        let entries = own
            .iter()
            .map(|h| {
                let at = usize::from(h.handler).checked_sub(start);
                at.ok_or_else(|| {
                    wrong(
                        tag,
                        h.handler.into(),
                        "exception handler outside its method",
                    )
                })
            })
            .collect::<Result<Vec<_>>>()?;
        let lowered = lower(bytes, &entries, self.int())
            .map_err(|(at, reason)| wrong(tag, start + at, reason))?;
        for (handler, entry) in own.iter().zip(entries) {
            let from = usize::from(handler.start) - start;
            let target = lowered.index_at(entry);
            let catch = match handler.catch_type {
                0 => None,
                index => match pool.get(usize::from(index)) {
                    Some(Entry::Class(class)) => Some(*class),
                    _ => {
                        return Err(wrong(
                            tag,
                            start + entry,
                            format!("constant {index} is no class"),
                        ));
                    }
                },
            };
            method.handlers.push(Handler {
                start: lowered.index_from(from),
                end: lowered.index_from(from + usize::from(handler.length)),
                target: target
                    .ok_or_else(|| wrong(tag, start + entry, "exception handler into nowhere"))?,
                catch,
            });
        }
        method.source = lowered.source(start);
        method.code = lowered.code;
        method.switches = lowered.switches;
        Ok(method)
    }

    fn applets(&self) -> Result<Vec<(Vec<u8>, u16)>> {
        let applet = |a: &cap::Applet| {
            let method = self.method_at(a.install_method_offset, ComponentTag::Applet)?;
            Ok((a.aid.clone(), method))
        };
        self.cap.applets.iter().map(applet).collect()
    }

    fn exports(&self) -> Result<Vec<Exported>> {
        let tag = ComponentTag::Export;
        let classes = self.cap.export.iter().flat_map(|e| &e.classes);
        classes
            .map(|class| {
                let offset = class.class_offset;
                let internal = cap::ClassRef::Internal(offset);
                let methods = class.static_methods.iter().map(|m| self.method_at(*m, tag));
                Ok(Exported {
                    class: self.class_ref(internal, offset.into(), tag)?.class,
                    fields: class.static_fields.clone(),
                    methods: methods.collect::<Result<_>>()?,
                })
            })
            .collect()
    }

    fn statics(&self) -> Result<Statics> {
        let tag = ComponentTag::StaticField;
        let source = &self.cap.static_field;
        let size = 2 * usize::from(source.reference_count)
            + usize::from(source.default_value_count)
            + source.values.len();
        if size != usize::from(source.image_size)
            || source.arrays.len() > source.reference_count.into()
        {
            return Err(wrong(
                tag,
                0,
                format!(
                    "image of {} bytes with {size} bytes of fields",
                    source.image_size
                ),
            ));
        }
        let mut arrays = Vec::new();
        for array in &source.arrays {
            let width = match array.kind {
                4 => 2,
                5 => 4,
                _ => 1,
            };
            if (array.kind == 5 && !self.int()) || array.values.len() % width != 0 {
                return Err(wrong(
                    tag,
                    0,
                    format!(
                        "initial array of type {} with {} bytes",
                        array.kind,
                        array.values.len()
                    ),
                ));
            }
            arrays.push((array.kind, array.values.clone()));
        }
        let mut data = vec![0; source.default_value_count.into()];
        data.extend_from_slice(&source.values);
        Ok(Statics {
            references: source.reference_count,
            arrays,
            data,
        })
    }
}
