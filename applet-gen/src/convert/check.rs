//! What a class declares, held against the language subset (JCVM 2.2).

use super::error::{Errors, Problem, rule};
use super::lower::java_name;
use super::types::{field_type, refuse_type, signature};
use super::world::{Binding, ClassId, World};
use crate::classfile::{ClassFile, Method, acc};

/// Java 8, the newest class file version whose constructs this converter knows.
const NEWEST_CLASS_FILE: u16 = 52;

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

/// Whether the class is refused as a whole: what is in it would only repeat that.
pub(crate) fn is_refused(file: &ClassFile) -> bool {
    file.version.0 > NEWEST_CLASS_FILE || file.access & (acc::ENUM | acc::ANNOTATION) != 0
}

/// Reports everything in a class's declarations that Java Card doesn't have.
pub(crate) fn class(world: &World, id: ClassId, file: &ClassFile, errors: &mut Errors) {
    at_class(errors, file);
    if file.version.0 > NEWEST_CLASS_FILE {
        errors.push(
            None,
            Problem::Unsupported {
                what: format!("class file version {}", file.version.0),
                clause: "2.3.1",
                instead: "compile with `javac -source 8 -target 8` or lower",
            },
        );
    }
    if file.access & acc::ENUM != 0 {
        errors.unsupported(None, "an enum", rule::LANGUAGE);
    }
    if file.access & acc::ANNOTATION != 0 {
        errors.unsupported(None, "an annotation type", rule::LANGUAGE);
    }
    if is_refused(file) {
        return;
    }
    let above = file.super_name.iter().filter(|_| !file.is_interface());
    for name in above.chain(&file.interfaces) {
        if world.find(name).is_none() {
            errors.push(
                None,
                Problem::Unknown {
                    what: format!("the superclass or interface {}", java_name(name)),
                    instead: "add its package to the imports, or do without it",
                },
            );
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
        let kind = field_type(&field.descriptor, &mut |excluded| {
            refuse_type(errors, None, "a field", excluded);
        });
        known(world, &kind, errors);
        for (flag, keyword) in [(acc::VOLATILE, "volatile"), (acc::TRANSIENT, "transient")] {
            if field.access & flag != 0 {
                let instead = "leave it out; for memory that is cleared use \
                               JCSystem.makeTransientByteArray and its like";
                errors.unsupported(None, format!("the keyword {keyword}"), ("2.2.1.2", instead));
            }
        }
        if file.is_interface() && field.constant.is_none() {
            let instead = "declare it in a class: interfaces hold compile-time constants only";
            errors.unsupported(
                None,
                "an interface field that is no constant",
                ("2.2.4.6", instead),
            );
        }
    }
}

fn known(world: &World, kind: &super::types::Type, errors: &mut Errors) {
    use super::types::Type;
    match kind {
        Type::Array(element) => known(world, element, errors),
        Type::Class(name) if name == "java/lang/String" => {
            errors.unsupported(None, "java.lang.String", rule::STRING);
        }
        Type::Class(name) if world.find(name).is_none() => {
            errors.push(None, world.unknown_class(name));
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
    let types = signature(&method.descriptor, &mut |excluded| {
        refuse_type(errors, line, "a parameter or result", excluded);
    });
    for kind in types.parameters.iter().chain([&types.result]) {
        known(world, kind, errors);
    }
    if method.access & acc::NATIVE != 0 {
        let instead = "use the API's classes: an applet cannot bring native code";
        errors.unsupported(line, "a native method", ("2.2.1.2", instead));
    }
    if method.access & acc::SYNCHRONIZED != 0 {
        errors.unsupported(line, "a synchronized method", rule::THREADS);
    }
    if file.is_interface() && method.access & acc::ABSTRACT == 0 && method.name != "<clinit>" {
        let instead = "put the method in a class: interface methods have no body";
        errors.unsupported(
            line,
            "a default or static method of an interface",
            ("2.2.1.1", instead),
        );
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
            refuse_type(errors, declared, &what, excluded);
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
