//! Java sources of the API packages, for `javac` to compile applets against.
//!
//! The stubs hold declarations and compile-time constants (which `javac` copies to where they are
//! used, as with the real API), no behaviour: a body throws. java.lang is left to the JDK, whose
//! classes hold all that Java Card has; what an applet uses beyond that, the converter refuses.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::{ApiClass, ApiField, ApiMethod, ApiPackage, find_class, flags, packages};
use crate::javac::{Javac, JavacError};

/// Folder of the sources in the stubs' folder.
const SOURCES: &str = "src";
/// Folder of the class files in the stubs' folder.
pub(crate) const CLASSES: &str = "classes";

/// Writes the sources of every package of the tables to `dir/src`; gives their paths, sorted.
pub fn write_sources(dir: &Path) -> Result<Vec<PathBuf>, JavacError> {
    write_sources_of(packages(), dir)
}

/// Writes the sources of these packages (a vendor's too) to `dir/src`; gives their paths, sorted.
/// java.lang is left out. A superclass is looked for among `packages`, then in the tables.
pub fn write_sources_of(packages: &[ApiPackage], dir: &Path) -> Result<Vec<PathBuf>, JavacError> {
    let mut paths = Vec::new();
    for package in packages
        .iter()
        .filter(|package| package.name != "java/lang")
    {
        // A nested class stands in its outer class's source.
        let outer = package
            .classes
            .iter()
            .filter(|class| !class.name.contains('$'));
        for class in outer {
            let path = dir.join(SOURCES).join(format!("{}.java", class.name));
            let file = |source| JavacError::File {
                path: path.clone(),
                source,
            };
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(file)?;
            }
            std::fs::write(&path, source(packages, package, class)).map_err(file)?;
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Writes the sources to `dir/src` and compiles them to `dir/classes`, which is given back: what
/// goes into the class path of an applet's compilation.
pub fn compile(dir: &Path, javac: &Javac) -> Result<PathBuf, JavacError> {
    compile_packages(packages(), &[], dir, javac)
}

/// [`compile`] for other packages, against `classpath`.
pub fn compile_packages(
    packages: &[ApiPackage],
    classpath: &[PathBuf],
    dir: &Path,
    javac: &Javac,
) -> Result<PathBuf, JavacError> {
    let sources = write_sources_of(packages, dir)?;
    let classes = dir.join(CLASSES);
    javac.compile(&sources, classpath, &classes)?;
    Ok(classes)
}

/// The source of one class.
pub fn source(all: &[ApiPackage], package: &ApiPackage, class: &ApiClass) -> String {
    let mut text = format!(
        "// {} {}.{}: declarations to compile against, without behaviour.\n",
        dotted(&package.name),
        package.major,
        package.minor
    );
    let _ = writeln!(text, "package {};\n", dotted(&package.name));
    body(all, package, class, &mut text);
    text
}

/// The declaration of a class, its members and the classes nested in it.
fn body(all: &[ApiPackage], package: &ApiPackage, class: &ApiClass, text: &mut String) {
    text.push_str(&head(class));
    text.push_str(" {\n");
    for field in &class.fields {
        let _ = writeln!(text, "    {}", field_source(class, field));
    }
    let constructed = class.methods.iter().any(ApiMethod::is_constructor);
    if !constructed && !class.is_interface() {
        // Without it, javac would add a public one.
        let body = super_call(all, class);
        let _ = writeln!(text, "    private {}() {{{body}}}", class_name(class));
    }
    for method in &class.methods {
        let _ = writeln!(text, "    {}", method_source(all, class, method));
    }
    let prefix = format!("{}$", class.name);
    for nested in package
        .classes
        .iter()
        .filter(|c| c.name.starts_with(&prefix))
    {
        text.push_str("    static ");
        body(all, package, nested, text);
    }
    text.push_str("}\n");
}

/// The name that a class is declared by: without package and outer class.
fn class_name(class: &ApiClass) -> &str {
    let name = class.simple_name();
    name.rsplit('$').next().unwrap_or(name)
}

fn head(class: &ApiClass) -> String {
    let interfaces: Vec<String> = class.interfaces.iter().map(|name| dotted(name)).collect();
    let interfaces = interfaces.join(", ");
    if class.is_interface() {
        let mut head = format!("public interface {}", class_name(class));
        if !interfaces.is_empty() {
            let _ = write!(head, " extends {interfaces}");
        }
        return head;
    }
    let mut head = modifiers(class.flags);
    let _ = write!(head, "class {}", class_name(class));
    if let Some(parent) = &class.super_name {
        let _ = write!(head, " extends {}", dotted(parent));
    }
    if !interfaces.is_empty() {
        let _ = write!(head, " implements {interfaces}");
    }
    head
}

fn field_source(class: &ApiClass, field: &ApiField) -> String {
    let kind = java_type(&field.descriptor);
    let modifiers = if class.is_interface() {
        String::new()
    } else {
        modifiers(field.flags)
    };
    match field.constant {
        Some(value) if field.descriptor == "Z" => {
            format!("{modifiers}{kind} {} = {};", field.name, value != 0)
        }
        Some(value) => format!("{modifiers}{kind} {} = ({kind}) {value};", field.name),
        // A final field without a constant value needs some value.
        None if field.flags & flags::FINAL != 0 => {
            let value = default_value(&field.descriptor);
            format!("{modifiers}{kind} {} = {value};", field.name)
        }
        None => format!("{modifiers}{kind} {};", field.name),
    }
}

fn method_source(all: &[ApiPackage], class: &ApiClass, method: &ApiMethod) -> String {
    let (parameters, result) = split_descriptor(&method.descriptor);
    let parameters: Vec<String> = parameters
        .iter()
        .enumerate()
        .map(|(index, kind)| format!("{} p{index}", java_type(kind)))
        .collect();
    let mut text = if class.is_interface() {
        String::new()
    } else {
        modifiers(method.flags)
    };
    if method.is_constructor() {
        text.push_str(class_name(class));
    } else {
        let _ = write!(text, "{} {}", java_type(result), method.name);
    }
    let _ = write!(text, "({})", parameters.join(", "));
    if !method.exceptions.is_empty() {
        let names: Vec<String> = method.exceptions.iter().map(|name| dotted(name)).collect();
        let _ = write!(text, " throws {}", names.join(", "));
    }
    if method.flags & flags::ABSTRACT != 0 {
        text.push(';');
    } else if method.is_constructor() {
        let _ = write!(text, " {{{}}}", super_call(all, class));
    } else {
        text.push_str(" { throw null; }");
    }
    text
}

/// The call of a superclass's constructor that has parameters; empty where javac's own will do.
fn super_call(all: &[ApiPackage], class: &ApiClass) -> String {
    let parent = class.super_name.as_deref().and_then(|name| {
        find_class(all, name)
            .or_else(|| find_class(packages(), name))
            .map(|(_, parent)| parent)
    });
    let constructors: Vec<&ApiMethod> = parent
        .into_iter()
        .flat_map(|parent| &parent.methods)
        .filter(|method| method.is_constructor())
        .collect();
    match constructors.first() {
        Some(first) if constructors.iter().all(|method| method.descriptor != "()V") => {
            let (parameters, _) = split_descriptor(&first.descriptor);
            let values: Vec<String> = parameters.iter().map(|kind| default_value(kind)).collect();
            format!(" super({}); ", values.join(", "))
        }
        _ => String::new(),
    }
}

/// A value of this type as a Java expression of exactly that type.
fn default_value(descriptor: &str) -> String {
    match descriptor {
        "Z" => "false".to_owned(),
        "B" | "S" | "I" => format!("({}) 0", java_type(descriptor)),
        _ => format!("({}) null", java_type(descriptor)),
    }
}

fn modifiers(access: u16) -> String {
    let names = [
        (flags::PUBLIC, "public "),
        (flags::PROTECTED, "protected "),
        (flags::ABSTRACT, "abstract "),
        (flags::STATIC, "static "),
        (flags::FINAL, "final "),
    ];
    names
        .iter()
        .filter(|(flag, _)| access & flag != 0)
        .map(|(_, name)| *name)
        .collect()
}

fn dotted(name: &str) -> String {
    name.replace(['/', '$'], ".")
}

/// A descriptor's type in Java.
fn java_type(descriptor: &str) -> String {
    let element = descriptor.trim_start_matches('[');
    let dimensions = descriptor.len() - element.len();
    let name = match element {
        "V" => "void".to_owned(),
        "Z" => "boolean".to_owned(),
        "B" => "byte".to_owned(),
        "S" => "short".to_owned(),
        "I" => "int".to_owned(),
        class => dotted(class.trim_start_matches('L').trim_end_matches(';')),
    };
    name + &"[]".repeat(dimensions)
}

/// A method descriptor's parameters and result.
fn split_descriptor(descriptor: &str) -> (Vec<&str>, &str) {
    let inner = descriptor.strip_prefix('(').unwrap_or(descriptor);
    let (mut rest, result) = inner.split_once(')').unwrap_or((inner, "V"));
    let mut parameters = Vec::new();
    while !rest.is_empty() {
        let brackets = rest.len() - rest.trim_start_matches('[').len();
        let end = match rest.get(brackets..) {
            Some(class) if class.starts_with('L') => {
                rest.find(';').map_or(rest.len(), |end| end + 1)
            }
            _ => (brackets + 1).min(rest.len()),
        };
        let (kind, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        parameters.push(kind);
        rest = after;
    }
    (parameters, result)
}

#[cfg(test)]
mod tests {
    use super::*;

    const APPLET: &str = "package sample;
import javacard.framework.*;
import uicc.toolkit.*;
public class Sample extends Applet implements ToolkitInterface, ToolkitConstants {
    static final short SW = (short) (ISO7816.SW_WRONG_DATA + 1);
    public static void install(byte[] a, short o, byte l) { new Sample().register(); }
    public void process(APDU apdu) {
        byte[] buffer = apdu.getBuffer();
        switch (buffer[ISO7816.OFFSET_INS]) {
            case ISO7816.INS_SELECT: return;
            default: ISOException.throwIt(SW);
        }
        try { UserException.throwIt((short) 1); } catch (UserException e) { e.getReason(); }
    }
    public void processToolkit(short event) throws ToolkitException {
        ProactiveHandler handler = ProactiveHandlerSystem.getTheHandler();
        handler.init(PRO_CMD_MORE_TIME, (byte) 0, DEV_ID_TERMINAL);
        handler.send();
    }
    public Shareable getShareableInterfaceObject(AID client, byte parameter) { return this; }
}
";

    #[test]
    fn descriptors_are_taken_apart() {
        assert_eq!(
            split_descriptor("([BS[[Ljava/lang/Object;Z)La/B;"),
            (vec!["[B", "S", "[[Ljava/lang/Object;", "Z"], "La/B;")
        );
        assert_eq!(java_type("[[La/b/C;"), "a.b.C[][]");
    }

    #[test]
    fn newer_versions_compile_too_with_their_nested_classes() {
        let javac = Javac::locate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let newest = crate::api::newest();
        let stubs = compile_packages(newest, &[], &folder.path().join("stubs"), &javac).unwrap();
        let source = folder.path().join("Shot.java");
        let text = "class Shot { void f(byte[] b) {
            javacard.security.MessageDigest.OneShot d = javacard.security.MessageDigest.OneShot.open((byte) 4);
            d.doFinal(b, (short) 0, (short) 1, b, (short) 0); d.close(); } }";
        std::fs::write(&source, text).unwrap();
        let out = folder.path().join("out");
        javac
            .compile(&[source], std::slice::from_ref(&stubs), &out)
            .unwrap();
        let class = std::fs::read(out.join("Shot.class")).unwrap();
        assert!(String::from_utf8_lossy(&class).contains("MessageDigest$OneShot"));
    }

    #[test]
    fn an_applet_compiles_against_the_stubs_and_twice_the_same() {
        let javac = Javac::locate().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stubs = compile(&folder.path().join("stubs"), &javac).unwrap();
        let source = folder.path().join("Sample.java");
        std::fs::write(&source, APPLET).unwrap();
        let class = |out: &str| {
            let out = folder.path().join(out);
            javac
                .compile(
                    std::slice::from_ref(&source),
                    std::slice::from_ref(&stubs),
                    &out,
                )
                .unwrap();
            std::fs::read(out.join("sample/Sample.class")).unwrap()
        };
        let bytes = class("a");
        assert_eq!(bytes[..8], [0xCA, 0xFE, 0xBA, 0xBE, 0, 0, 0, 52]);
        assert_eq!(bytes, class("b"));
        let text = String::from_utf8_lossy(&bytes);
        // Constants are copied, not linked to.
        assert!(!text.contains("INS_SELECT"));
        assert!(text.contains("LocalVariableTable"));
    }
}
