//! What a class declares, held against the language subset (JCVM 2.2).

use super::error::{Errors, Problem, rule};
use super::lower::java_name;
use super::types::{Type, field_type, refuse_type, signature};
use super::world::{Binding, ClassId, World};
use crate::classfile::{ClassFile, Method, Operand, acc};

/// Class file versions that this converter knows: those of JDK 1.1 and of Java 21.
const VERSIONS: std::ops::RangeInclusive<(u16, u16)> = (45, 3)..=(65, 0);

/// The source file's name for messages.
pub(crate) fn source(file: &ClassFile) -> String {
    match &file.source_file {
        Some(name) => name.clone(),
        None => format!("{}.class", java_name(&file.name)),
    }
}

/// Errors from here on are about this class.
pub(crate) fn at_class(errors: &mut Errors, file: &ClassFile) {
    errors.at(&source(file), java_name(&file.name));
}

/// Errors from here on are about this method.
pub(crate) fn at_method(errors: &mut Errors, file: &ClassFile, method: &Method) {
    let place = format!(
        "{}.{}{}",
        java_name(&file.name),
        method.name,
        method.descriptor
    );
    errors.at(&source(file), place);
}

/// Whether the file declares nothing that a card could hold: a module, a package's annotations,
/// an annotation type (annotations are for tools, JCVM 2.2.2.1 ignores those that it can).
pub(crate) fn is_left_out(file: &ClassFile) -> bool {
    file.access & (acc::ANNOTATION | acc::MODULE) != 0 || file.name.ends_with("/package-info")
}

/// Whether the class is refused as a whole: what is in it would only repeat that.
pub(crate) fn is_refused(file: &ClassFile) -> bool {
    !VERSIONS.contains(&file.version)
        || file.access & acc::ENUM != 0
        || is_record(file)
        || is_switch_map(file)
}

/// Whether javac made the class for a switch on an enum, which is refused where it stands.
fn is_switch_map(file: &ClassFile) -> bool {
    file.access & acc::SYNTHETIC != 0
        && (file.fields.iter()).any(|field| field.name.starts_with("$SwitchMap$"))
}

fn is_record(file: &ClassFile) -> bool {
    file.super_name.as_deref() == Some("java/lang/Record")
}

/// The first line that the class's code tells of: its declaration's, or near.
fn first_line(file: &ClassFile) -> Option<u16> {
    let codes = file
        .methods
        .iter()
        .filter_map(|method| method.code.as_ref());
    let lines = codes.flat_map(|code| code.lines.iter().map(|(_, line)| *line));
    lines.min()
}

/// Reports everything in a class's declarations that Java Card doesn't have.
pub(crate) fn class(world: &World, id: ClassId, file: &ClassFile, errors: &mut Errors) {
    at_class(errors, file);
    let (major, minor) = file.version;
    if !VERSIONS.contains(&file.version) {
        let what = match minor {
            u16::MAX => format!("class file version {major} with preview features"),
            _ => format!("class file version {major}.{minor}"),
        };
        let instead = "compile with `javac --release 8`, or any release up to 21";
        errors.unsupported(None, what, ("2.3.1", instead));
    }
    let whole = [
        (file.access & acc::ENUM != 0, "an enum"),
        (is_record(file), "a record"),
        (
            (file.attributes.iter()).any(|name| name == "PermittedSubclasses"),
            "a sealed class or interface",
        ),
    ];
    for (found, what) in whole {
        if found {
            errors.unsupported(first_line(file), what, rule::LANGUAGE);
        }
    }
    if is_refused(file) {
        return;
    }
    let above = file.super_name.iter().filter(|_| !file.is_interface());
    for name in above.chain(&file.interfaces) {
        if world.find(name).is_none() {
            errors.push(first_line(file), world.unknown_class(name));
        }
    }
    if world
        .interfaces(id)
        .iter()
        .any(|above| world.interfaces(*above).contains(&id))
    {
        errors.push(None, Problem::ClassFile("circular interfaces".to_owned()));
    }
    fields(world, file, errors);
    for method in &file.methods {
        at_method(errors, file, method);
        self::method(world, file, method, errors);
    }
    overloads(world, id, file, errors);
}

fn fields(world: &World, file: &ClassFile, errors: &mut Errors) {
    for field in &file.fields {
        let place = format!("{}.{}", java_name(&file.name), field.name);
        errors.at(&source(file), place);
        let line = initialised(file, &field.name);
        let kind = field_type(&field.descriptor, &mut |excluded| {
            refuse_type(errors, world.int, line, "a field", excluded);
        });
        known(world, &kind, line, errors);
        for (flag, keyword) in [(acc::VOLATILE, "volatile"), (acc::TRANSIENT, "transient")] {
            if field.access & flag != 0 {
                let instead = "leave it out; for memory that is cleared use \
                               JCSystem.makeTransientByteArray and its like";
                errors.unsupported(line, format!("the keyword {keyword}"), ("2.2.1.2", instead));
            }
        }
        if file.is_interface() && field.constant.is_none() {
            let instead = "declare it in a class: interfaces hold compile-time constants only";
            errors.unsupported(
                line,
                "an interface field that is no constant",
                ("2.2.4.6", instead),
            );
        }
    }
}

/// The line of the first assignment to a field in an initialiser: that of its declaration, where
/// it has a value there.
fn initialised(file: &ClassFile, field: &str) -> Option<u16> {
    let initialisers = (file.methods.iter())
        .filter(|method| matches!(method.name.as_str(), "<init>" | "<clinit>"))
        .filter_map(|method| method.code.as_ref());
    let lines = initialisers.filter_map(|code| {
        let put = code.instructions.iter().find(|ins| {
            let member = match &ins.operand {
                Operand::Member(member) => member,
                _ => return false,
            };
            let put = matches!(ins.opcode, 0xB3 | 0xB5);
            put && member.name == field && member.class == file.name
        })?;
        code.line(put.offset)
    });
    lines.min()
}

fn known(world: &World, kind: &Type, line: Option<u16>, errors: &mut Errors) {
    match kind {
        Type::Array(element) => known(world, element, line, errors),
        Type::Class(name) if world.find(name).is_none() => {
            errors.push(line, world.unknown_class(name));
        }
        _ => {}
    }
}

fn method(world: &World, file: &ClassFile, method: &Method, errors: &mut Errors) {
    let line = method
        .code
        .as_ref()
        .and_then(|code| code.lines.first())
        .map(|(_, line)| *line);
    let accessor = method.access & acc::SYNTHETIC != 0 && method.name.starts_with("access$");
    let what = match accessor {
        // javac computes `+=` and `++` on a private field of the other class in an int.
        true => {
            "the accessor that a nested class needs for += or ++ on a private field, with a value"
        }
        false => "a parameter or result",
    };
    let types = signature(&method.descriptor, &mut |excluded| {
        refuse_type(errors, world.int, line, what, excluded);
    });
    for kind in types.parameters.iter().chain([&types.result]) {
        known(world, kind, line, errors);
    }
    if method.access & acc::NATIVE != 0 {
        let instead = "use the API's classes: an applet cannot bring native code";
        errors.unsupported(line, "a native method", ("2.2.1.2", instead));
    }
    if method.access & acc::SYNCHRONIZED != 0 {
        errors.unsupported(line, "a synchronized method", rule::THREADS);
    }
    if method.access & acc::VARARGS != 0 && method.access & acc::SYNTHETIC == 0 {
        let what = "a method with a variable number of arguments";
        errors.unsupported(line, what, rule::VARARGS);
    }
    if (method.name.as_str(), method.descriptor.as_str()) == ("finalize", "()V") {
        errors.unsupported(line, "a finalizer", rule::FINALIZER);
    }
    if file.is_interface() && method.access & acc::ABSTRACT == 0 && method.name != "<clinit>" {
        let kind = match method.access {
            access if access & acc::PRIVATE != 0 => "private",
            access if access & acc::STATIC != 0 => "static",
            _ => "default",
        };
        let instead = "put the method in a class: interface methods have no body";
        let what = format!("a {kind} method of an interface");
        errors.unsupported(line, what, ("2.2.1.1", instead));
    }
    let Some(code) = &method.code else {
        return;
    };
    let mut seen = Vec::new();
    for variable in &code.variables {
        field_type(&variable.descriptor, &mut |excluded| {
            // The parameters are reported with the method.
            let is_parameter = variable.start == 0;
            let entry = (variable.name.clone(), variable.index);
            if is_parameter || seen.contains(&entry) {
                return;
            }
            seen.push(entry);
            let declared = code.line(variable.start.saturating_sub(1));
            let what = format!("the local variable {}", variable.name);
            refuse_type(errors, world.int, declared, &what, excluded);
        });
    }
}

/// An override must not be less visible to the tables than what it overrides: a package-visible
/// method cannot hide another package's public one (javac refuses this, hand-made files may not).
fn overloads(world: &World, id: ClassId, file: &ClassFile, errors: &mut Errors) {
    for (index, method) in world.classes[id].methods.iter().enumerate() {
        if method.binding != Binding::Virtual {
            continue;
        }
        for above in world.ancestry(id).into_iter().skip(1) {
            let Some(other) = world.declared(above, &method.name, &method.descriptor) else {
                continue;
            };
            let other = world.method(other);
            if other.binding == Binding::Virtual && other.is(acc::FINAL) && other.is_open() {
                if let Some(method) = file.methods.get(index) {
                    at_method(errors, file, method);
                }
                let what = format!(
                    "overrides the final method of {}",
                    world.classes[above].name
                );
                errors.push(None, Problem::ClassFile(what));
            }
        }
    }
}
