//! The converter: class files of one package to a CAP file (JCVM 3.0.4, without `int`).
//!
//! [`convert`] runs these stages, each a file here:
//! `check` (declarations against the language subset), `world` and `tokens` (every class that can
//! be named; tokens and method tables of the own ones), `flow` and `lower` (abstract
//! interpretation of each body; Java instructions to Java Card's), `peephole` and `optimize`
//! (shorter code), `pool`, `method` (constant pool, branches, exception ranges, stack), `statics` (static initialisers),
//! `assemble` and `describe` (the components). All errors of a run are collected: a stage goes on
//! to its end, and the next one starts only if nothing was wrong.
//!
//! The result depends on nothing but the input, not even on the order of its classes.

mod absent;
mod assemble;
mod check;
mod debug;
mod describe;
mod error;
mod flow;
mod ir;
mod lower;
mod method;
mod optimize;
mod packages;
mod peephole;
mod pool;
mod refine;
mod statics;
mod tables;
#[cfg(test)]
mod tests;
mod tokens;
mod types;
mod widths;
mod world;

use std::collections::{BTreeMap, BTreeSet};

pub use error::{ConvertError, Problem};
pub use packages::convert_all;
pub use tables::{ImportTable, Tables, UsedConstant, tables};

use crate::api::ApiPackage;
use crate::cap::header::{ACC_APPLET, ACC_EXPORT, ACC_INT};
use crate::cap::{Applet, Cap, Debug, Directory, Header, PackageInfo, StaticFieldSize};
use crate::classfile::{ClassFile, acc};
use assemble::{Components, Parts, has_method_info, quiet_signature};
use error::Errors;
use ir::Body;
use lower::java_name;
use pool::Pool;
use world::{ClassId, MemberId, World};

/// The descriptor of `install(byte[], short, byte)`.
const INSTALL: &str = "([BSB)V";

/// What to convert. Give the fields that matter, and `..ConvertInput::default()` for the rest.
#[derive(Debug, Clone, Default)]
pub struct ConvertInput<'a> {
    /// The class files of one package: file name (for messages) and contents.
    pub classes: Vec<(String, Vec<u8>)>,
    /// The package's AID, 5 to 16 bytes.
    pub package_aid: Vec<u8>,
    /// The package's version: (major, minor).
    pub version: (u8, u8),
    /// Applet classes by full name (dots or slashes) with their AIDs.
    pub applets: Vec<(String, Vec<u8>)>,
    /// The packages that may be imported, of [`crate::api::packages`] or read by
    /// [`crate::exp::read`]; those that nothing names are not. Of several with one name, the
    /// first counts. [`convert_all`] adds the packages of its run.
    pub imports: &'a [ApiPackage],
    /// Whether the card has the optional `int` (JCVM 2.2.3.1).
    pub int: bool,
    /// Whether to leave the code as it is lowered, without the rules that make it shorter: to
    /// compare with.
    pub plain: bool,
    /// Whether methods stay that nothing can call.
    pub keep_unused: bool,
    /// Whether to make a Debug component (JCVM 6.14), which asks for CAP format 2.2.
    pub debug: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// The CAP, of format 2.1 (2.2 with Debug), with Descriptor.
    pub cap: Cap,
    /// What other packages can import of it: everything public of a library, the shareable
    /// interfaces of a package with applets.
    pub exp: ApiPackage,
}

/// Converts a package.
///
/// # Errors
/// Everything that was found wrong, by file and line.
pub fn convert(input: &ConvertInput<'_>) -> Result<Converted, Vec<ConvertError>> {
    let mut errors = Errors::default();
    let files = read(input, &mut errors);
    check_aids(input, &mut errors);
    let package = package_name(&files, &mut errors);
    errors.check()?;
    convert_files(input, &files, &package, input.imports)
}

/// Converts a package whose class files are read, and whose AIDs and name are right.
fn convert_files(
    input: &ConvertInput<'_>,
    files: &[ClassFile],
    package: &str,
    imports: &[ApiPackage],
) -> Result<Converted, Vec<ConvertError>> {
    let mut errors = Errors::default();
    let mut world = World::new(package, files, imports, input.int);
    for (id, file) in files.iter().enumerate() {
        check::class(&world, id, file, &mut errors);
    }
    let place = |errors: &mut Errors, class: ClassId| check::at_class(errors, &files[class]);
    errors.at(&format!("package {}", java_name(package)), String::new());
    let has_applets = !input.applets.is_empty();
    let order = tokens::component_order(&world, files.len());
    let (class_tokens, layouts) = tokens::assign(
        &mut world,
        files.len(),
        &order,
        has_applets,
        &mut errors,
        place,
    );
    let image = statics::image(&world, files, has_applets, &mut errors, place);
    let mut bodies = bodies(&world, files, &mut errors);
    errors.at("", String::new());
    let applets = applet_methods(input, &world, &mut errors);
    errors.check()?;

    let has_this = |id: MemberId| {
        let methods = files.get(id.class).map(|file| &file.methods);
        let code = methods.and_then(|methods| methods.get(id.index)?.code.as_ref());
        !world.method(id).is(acc::STATIC) && code.is_some_and(lower::keeps_local_0)
    };
    let mut dropped = BTreeSet::new();
    if !input.plain {
        for (id, body) in &mut bodies {
            peephole::improve(body);
            let shape = optimize::Shape {
                arguments: assemble::argument_cells(&world, *id),
                this: has_this(*id),
            };
            optimize::optimize(body, shape);
        }
    }
    if !input.keep_unused {
        dropped = optimize::unreachable(&world, &bodies, &applets);
        bodies.retain(|id, _| !dropped.contains(id));
    }
    let uses_int = uses_int(&world, &bodies);
    let pool = Pool::new(bodies.values()).map_err(|problem| whole(package, problem))?;
    let mut methods = BTreeMap::new();
    for (id, body) in &mut bodies {
        let file = &files[id.class];
        if !input.plain && has_this(*id) {
            peephole::fields_of_this(body, |field| {
                pool.index(ir::Symbol::InstanceField(field)) <= u8::MAX.into()
            });
        }
        match method::assemble(body, &pool) {
            Ok(assembled) => {
                let limits = assemble::over_limits(&world, *id, &assembled);
                if let Some(method) = file.methods.get(id.index)
                    && !limits.is_empty()
                {
                    check::at_method(&mut errors, file, method);
                    for problem in limits {
                        errors.push(None, problem);
                    }
                }
                methods.insert(*id, assembled);
            }
            Err(problem) => {
                if let Some(method) = file.methods.get(id.index) {
                    check::at_method(&mut errors, file, method);
                }
                errors.push(None, problem);
            }
        }
    }
    errors.check()?;

    let parts = Parts {
        world: &world,
        order: &order,
        class_tokens: &class_tokens,
        layouts: &layouts,
        methods: &methods,
        pool: &pool,
        image: &image,
        dropped: &dropped,
        debug: input.debug,
        uses_int,
    };
    let debug = |made: &_| debug::debug(&parts, made, files, package);
    link(input, &parts, package, imports, &applets, debug)
        .map_err(|problem| whole(package, problem))
}

/// An error about the package as a whole.
fn whole(package: &str, problem: Problem) -> Vec<ConvertError> {
    let mut errors = Errors::default();
    errors.at(&format!("package {}", java_name(package)), String::new());
    errors.push(None, problem);
    errors.finish()
}

fn read(input: &ConvertInput<'_>, errors: &mut Errors) -> Vec<ClassFile> {
    let mut files = Vec::new();
    for (name, bytes) in &input.classes {
        errors.at(name, String::new());
        match ClassFile::parse(bytes) {
            // What declares no class, and annotations, which nothing can ask for on a card.
            Ok(file) if check::is_left_out(&file) => {}
            Ok(file) => files.push(file),
            Err(error) => errors.push(None, error.into()),
        }
    }
    files.sort_by(|a, b| a.name.cmp(&b.name));
    for pair in files.windows(2) {
        if let [a, b] = pair
            && a.name == b.name
        {
            check::at_class(errors, b);
            errors.push(None, Problem::Input("the class is given twice".to_owned()));
        }
    }
    files
}

fn check_aids(input: &ConvertInput<'_>, errors: &mut Errors) {
    errors.at("the package", String::new());
    if input.applets.len() > 255 {
        let problem = Problem::TooMany {
            what: "applets of a package".to_owned(),
            value: input.applets.len(),
            limit: 255,
            clause: "6.5",
        };
        errors.push(None, problem);
    }
    let rid = |aid: &[u8]| aid.get(..5).map(<[u8]>::to_vec);
    let mut seen = BTreeSet::new();
    for (what, aid) in [("the package", &input.package_aid)]
        .into_iter()
        .chain(input.applets.iter().map(|(name, aid)| (name.as_str(), aid)))
    {
        if !(5..=16).contains(&aid.len()) {
            let text = format!(
                "the AID of {what} has {} bytes, 5 to 16 are allowed",
                aid.len()
            );
            errors.push(None, Problem::Input(text));
        } else if rid(aid) != rid(&input.package_aid) {
            let text = format!("the AID of {what} and that of the package differ in the RID");
            errors.push(None, Problem::Input(text));
        }
        if !seen.insert(aid) {
            let text = format!("the AID of {what} is taken by another applet or the package");
            errors.push(None, Problem::Input(text));
        }
    }
}

fn package_name(files: &[ClassFile], errors: &mut Errors) -> String {
    errors.at("the package", String::new());
    let names: BTreeSet<&str> = files.iter().map(ClassFile::package).collect();
    let mut names = names.into_iter();
    match (names.next(), names.next()) {
        (Some(""), None) => {
            let text = "the classes are in the unnamed package: give them a package statement";
            errors.push(None, Problem::Input(text.to_owned()));
            String::new()
        }
        (Some(name), None) => name.to_owned(),
        (Some(one), Some(other)) => {
            let text = format!(
                "the classes are of more than one package, {} and {}: convert one at a time",
                java_name(one),
                java_name(other)
            );
            errors.push(None, Problem::Input(text));
            String::new()
        }
        (None, _) => {
            errors.push(None, Problem::Input("no classes are given".to_owned()));
            String::new()
        }
    }
}

fn bodies(world: &World, files: &[ClassFile], errors: &mut Errors) -> BTreeMap<MemberId, Body> {
    let mut bodies = BTreeMap::new();
    for (class, file) in files.iter().enumerate() {
        if check::is_refused(file) {
            continue;
        }
        for (index, method) in file.methods.iter().enumerate() {
            let id = MemberId { class, index };
            let Some(code) = &method.code else { continue };
            if !has_method_info(world, id) {
                continue;
            }
            check::at_method(errors, file, method);
            let input = flow::Input {
                world,
                class,
                is_static: method.access & acc::STATIC != 0,
                signature: &quiet_signature(&method.descriptor),
                code,
            };
            if let Some(body) = flow::convert_body(&input, errors) {
                bodies.insert(id, body);
            }
        }
    }
    bodies
}

/// Whether an `int` is in a declaration of the package or in its code (JCVM 6.4, ACC_INT).
fn uses_int(world: &World, bodies: &BTreeMap<MemberId, Body>) -> bool {
    let mut found = false;
    for class in world.classes.iter().filter(|class| class.is_own()) {
        let fields = class.fields.iter().filter(|field| field.constant.is_none());
        for descriptor in fields.map(|field| &field.descriptor) {
            types::field_type(descriptor, &mut |_| found = true);
        }
        for method in &class.methods {
            types::signature(&method.descriptor, &mut |_| found = true);
        }
    }
    let mut ops = bodies.values().flat_map(|body| &body.instructions);
    found || ops.any(|ins| ins.op.uses_int())
}

/// The install method of every applet.
fn applet_methods(input: &ConvertInput<'_>, world: &World, errors: &mut Errors) -> Vec<MemberId> {
    let mut found = Vec::new();
    for (name, _) in &input.applets {
        errors.at("the package", format!("applet {}", java_name(name)));
        let id = world.find(&name.replace('.', "/"));
        let Some(id) = id.filter(|id| world.classes[*id].is_own()) else {
            let text = format!("no class {} is given", java_name(name));
            errors.push(None, Problem::Input(text));
            continue;
        };
        let extends = world
            .ancestry(id)
            .iter()
            .any(|above| world.classes[*above].name == "javacard/framework/Applet");
        if !extends || world.classes[id].access & acc::ABSTRACT != 0 {
            let text = "an applet must be a class that extends javacard.framework.Applet and is \
                        not abstract";
            errors.push(None, Problem::Input(text.to_owned()));
        }
        let install = world.declared(id, "install", INSTALL).filter(|install| {
            let method = world.method(*install);
            method.is(acc::PUBLIC) && method.is(acc::STATIC)
        });
        match install {
            Some(install) => found.push(install),
            None => {
                let text = "the applet has no method `public static void install(byte[], short, \
                            byte)` of its own";
                errors.push(None, Problem::Input(text.to_owned()));
            }
        }
    }
    found
}

/// Puts the components together.
fn link(
    input: &ConvertInput<'_>,
    parts: &Parts<'_>,
    package: &str,
    imports: &[ApiPackage],
    installs: &[MemberId],
    debug: impl FnOnce(&Components) -> Debug,
) -> Result<Converted, Problem> {
    let made = assemble::components(parts, |index| {
        let import = &imports[index];
        PackageInfo {
            major: import.major,
            minor: import.minor,
            aid: import.aid.clone(),
        }
    })?;
    let has_applets = !input.applets.is_empty();
    let exported = describe::exported(parts, has_applets);
    let export = describe::export(parts, &made, &exported);
    let descriptor = describe::descriptor(parts, &made)?;
    let debug = input.debug.then(|| debug(&made).write()).transpose()?;
    let applets = input.applets.iter().zip(installs);
    let applets: Vec<Applet> = applets
        .map(|((_, aid), install)| Applet {
            aid: aid.clone(),
            install_method_offset: made
                .places
                .methods
                .get(install)
                .map_or(u16::MAX, |place| place.offset),
        })
        .collect();
    let mut flags = 0;
    if export.is_some() {
        flags |= ACC_EXPORT;
    }
    if has_applets {
        flags |= ACC_APPLET;
    }
    if parts.uses_int {
        flags |= ACC_INT;
    }
    let (major, minor) = input.version;
    let mut cap = Cap {
        header: Header {
            minor: if input.debug { 2 } else { 1 },
            major: 2,
            flags,
            package: PackageInfo {
                major,
                minor,
                aid: input.package_aid.clone(),
            },
            name: input.debug.then(|| package.as_bytes().to_vec()),
        },
        directory: Directory {
            sizes: Vec::new(),
            static_field_size: StaticFieldSize::default(),
            import_count: 0,
            applet_count: 0,
            custom: Vec::new(),
        },
        applets,
        imports: made.imports,
        constant_pool: made.constant_pool,
        class: made.class,
        method: made.method,
        static_field: parts.image.component.clone(),
        ref_location: made.ref_location,
        export,
        descriptor: Some(descriptor),
        debug,
        custom: BTreeMap::new(),
    };
    cap.directory = cap.compute_directory()?;
    Ok(Converted {
        cap,
        exp: ApiPackage {
            name: package.to_owned(),
            aid: input.package_aid.clone(),
            major,
            minor,
            applets: has_applets,
            classes: describe::api_classes(parts, &exported),
        },
    })
}
