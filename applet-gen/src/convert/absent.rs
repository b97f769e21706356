//! Classes and methods of Java that Java Card doesn't have, by the construct that brings them in.
//!
//! A compiler names most of these classes without the programmer's doing: the error names what
//! was written instead.

use super::error::{Problem, rule};
use super::lower::java_name;
use crate::classfile::CallSite;

type Rule = (&'static str, &'static str);

/// Class, or package with a slash at its end: construct, rule. The first that fits counts.
const CLASSES: &[(&str, &str, Rule)] = &[
    ("java/lang/String", "", rule::STRING),
    (
        "java/lang/StringBuilder",
        "string concatenation",
        rule::STRING,
    ),
    (
        "java/lang/StringBuffer",
        "string concatenation",
        rule::STRING,
    ),
    ("java/lang/CharSequence", "", rule::STRING),
    (
        "java/lang/AssertionError",
        "an assert statement",
        rule::ASSERT,
    ),
    (
        "java/lang/Boolean",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Byte",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Short",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Integer",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Long",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Character",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Float",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Double",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    (
        "java/lang/Number",
        "boxing of a primitive value",
        rule::BOXING,
    ),
    ("java/lang/Enum", "an enum", rule::LANGUAGE),
    ("java/lang/Record", "a record", rule::LANGUAGE),
    (
        "java/lang/MatchException",
        "a switch on patterns or an enum",
        rule::LANGUAGE,
    ),
    (
        "java/lang/AutoCloseable",
        "a try-with-resources statement",
        rule::RESOURCES,
    ),
    (
        "java/io/Closeable",
        "a try-with-resources statement",
        rule::RESOURCES,
    ),
    ("java/lang/Class", "a class object", rule::REFLECTION),
    ("java/lang/reflect/", "reflection", rule::REFLECTION),
    ("java/lang/invoke/", "a method handle", rule::REFLECTION),
    (
        "java/lang/ClassLoader",
        "dynamic class loading",
        rule::REFLECTION,
    ),
    (
        "java/lang/SecurityManager",
        "a security manager",
        rule::REFLECTION,
    ),
    ("java/lang/Cloneable", "cloning of objects", rule::CLONE),
    (
        "java/lang/CloneNotSupportedException",
        "cloning of objects",
        rule::CLONE,
    ),
    ("java/lang/Thread", "threads", rule::THREADS),
    ("java/lang/ThreadLocal", "threads", rule::THREADS),
    ("java/lang/Runnable", "threads", rule::THREADS),
    ("java/lang/InterruptedException", "threads", rule::THREADS),
    ("java/util/concurrent/", "threads", rule::THREADS),
    (
        "java/util/function/",
        "a functional interface",
        rule::DYNAMIC,
    ),
    (
        "java/lang/Iterable",
        "an enhanced for statement over objects",
        rule::COLLECTION,
    ),
    ("java/util/", "a collection", rule::COLLECTION),
];

/// Method name and descriptor, of any class that doesn't declare it: construct, rule.
const METHODS: &[(&str, &str, &str, Rule)] = &[
    (
        "addSuppressed",
        "(Ljava/lang/Throwable;)V",
        "a try-with-resources statement",
        rule::RESOURCES,
    ),
    (
        "getClass",
        "()Ljava/lang/Class;",
        "a class object",
        rule::REFLECTION,
    ),
    (
        "clone",
        "()Ljava/lang/Object;",
        "cloning of objects",
        rule::CLONE,
    ),
    ("ordinal", "()I", "a switch on an enum", rule::LANGUAGE),
    ("wait", "()V", "threads", rule::THREADS),
    ("wait", "(J)V", "threads", rule::THREADS),
    ("notify", "()V", "threads", rule::THREADS),
    ("notifyAll", "()V", "threads", rule::THREADS),
    ("finalize", "()V", "a finalizer", rule::FINALIZER),
];

fn unsupported(what: String, rule: Rule) -> Problem {
    Problem::Unsupported {
        what,
        clause: rule.0,
        instead: rule.1,
    }
}

/// The refusal of a class that no card has.
pub(crate) fn class(name: &str) -> Option<Problem> {
    let fits = |entry: &str| name == entry || entry.ends_with('/') && name.starts_with(entry);
    let (_, construct, rule) = CLASSES.iter().find(|(entry, ..)| fits(entry))?;
    let what = match *construct {
        "" => java_name(name),
        construct => format!("{construct} ({})", java_name(name)),
    };
    Some(unsupported(what, *rule))
}

/// The refusal of a method that no class of a card has.
pub(crate) fn method(name: &str, descriptor: &str) -> Option<Problem> {
    let (_, _, construct, rule) = METHODS
        .iter()
        .find(|entry| (entry.0, entry.1) == (name, descriptor))?;
    Some(unsupported(format!("{construct} ({name}())"), *rule))
}

/// The refusal of an `invokedynamic`, by what the compiler made it of.
pub(crate) fn call_site(site: &CallSite) -> Problem {
    let factory = site.factory.rsplit('/').next().unwrap_or_default();
    let target = site.target.as_ref();
    let (what, rule) = match (factory, target) {
        ("StringConcatFactory", _) => ("string concatenation".to_owned(), rule::STRING),
        ("LambdaMetafactory", Some(body)) if body.name.starts_with("lambda$") => {
            ("a lambda expression".to_owned(), rule::DYNAMIC)
        }
        ("LambdaMetafactory", Some(method)) => {
            let what = format!(
                "the method reference {}::{}",
                java_name(&method.class),
                method.name
            );
            (what, rule::DYNAMIC)
        }
        ("SwitchBootstraps", _) => ("a switch on patterns or an enum".to_owned(), rule::LANGUAGE),
        ("ObjectMethods", _) => ("a record's method".to_owned(), rule::LANGUAGE),
        _ => (
            format!("{} of {}", site.name, java_name(&site.factory)),
            rule::DYNAMIC,
        ),
    };
    unsupported(format!("{what} (invokedynamic)"), rule)
}
