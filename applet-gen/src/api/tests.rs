//! The tables against the published packages' tokens, where those are at hand.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

#[test]
fn packages_are_found_by_aid_and_name() {
    let framework = find_by_aid(&[0xA0, 0, 0, 0, 0x62, 1, 1]).unwrap();
    assert_eq!(framework.name, "javacard/framework");
    assert_eq!((framework.major, framework.minor), (1, 5));
    assert_eq!(find_by_name("javacard.framework"), Some(framework));
    let own = find_by_aid(applet_model::aid::PACKAGE_ES10).unwrap();
    assert!(own.class(0).unwrap().is_shareable());
}

#[test]
fn every_class_that_a_table_names_is_in_a_table() {
    for package in newest() {
        for class in &package.classes {
            let described = class
                .methods
                .iter()
                .map(|method| &method.descriptor)
                .chain(class.fields.iter().map(|field| &field.descriptor))
                .flat_map(|descriptor| descriptor.split(['L', ';']))
                .filter(|part| part.contains('/'));
            let named = class.interfaces.iter().chain(&class.super_name);
            for name in named.map(String::as_str).chain(described) {
                // HandlerBuilder names uicc.toolkit, and so on: all are ours.
                assert!(find_class(newest(), name).is_some(), "{name}");
            }
        }
    }
}

#[test]
fn members_are_found_where_they_are_inherited_from() {
    let find = |class, name, descriptor| find_method(packages(), class, name, descriptor);
    let found = find("javacard/framework/ISOException", "getReason", "()S").unwrap();
    assert_eq!(found.class.simple_name(), "CardRuntimeException");
    assert_eq!(found.member.token, 1);
    let found = find("uicc/toolkit/ProactiveHandler", "copy", "([BSS)S").unwrap();
    assert_eq!(
        (found.class.simple_name(), found.member.token),
        ("ViewHandler", 1)
    );
    // Two superinterfaces: the second one's methods get new tokens.
    let found = find("javacard/security/ECPublicKey", "getG", "([BS)S").unwrap();
    assert_eq!(
        (found.class.simple_name(), found.member.token),
        ("ECPublicKey", 15)
    );
    assert!(find("javacard/framework/ISOException", "<init>", "()V").is_none());
    let equals = method_by_token(packages(), "javacard/framework/APDU", 0).unwrap();
    assert_eq!(equals.class.name, "java/lang/Object");
    assert_eq!(
        interfaces_of(packages(), "uicc/toolkit/ProactiveHandler"),
        ["uicc/toolkit/EditHandler", "uicc/toolkit/ViewHandler"]
    );
    let offset = find_field(packages(), "javacard/framework/ISO7816", "SW_UNKNOWN").unwrap();
    assert_eq!(offset.member.constant, Some(0x6F00));
}

#[test]
fn errors_name_the_line() {
    let read = |line: &str| {
        let text = format!("package a.b 1.0 F000000001\n\n{line}\n");
        parse("t.api", &text).unwrap_err().to_string()
    };
    assert!(read("1 public class A").starts_with("t.api:3: expected TOKEN: MODIFIERS"));
    assert!(read("    1: public void f()").contains("a class before its members"));
    assert!(read("0: public class A\n    0: public void f(byte[)").starts_with("t.api:4"));
    assert!(
        read("0: public class A\n    -: public static final byte X = 0x100")
            .contains("a value within its type")
    );
    assert!(parse("t.api", "").is_err());
    assert!(read("0: public class A since 1.1").contains("since one of the package's versions"));
    for versions in ["1.1, 1.0", "1.0, 2.0", "1.0, 1.0", ""] {
        let text = format!("package a.b {versions} F000000001\n");
        assert!(parse("t.api", &text).is_err(), "{versions}");
    }
}

#[test]
fn a_version_has_what_came_before_it() {
    let text = "package a.b 1.0, 1.2 F000000001

0: public class A
    1: public void f()
    2: public void g() since 1.2

1: public class B since 1.2
    1: public void f()
";
    let parsed = parse("t.api", text).unwrap();
    let [old, new] = parsed.as_slice() else {
        panic!("{parsed:?}");
    };
    assert_eq!(
        (old.minor, old.classes.len(), old.classes[0].methods.len()),
        (0, 1, 1)
    );
    assert_eq!(
        (new.minor, new.classes.len(), new.classes[0].methods.len()),
        (2, 2, 2)
    );
    for package in packages() {
        let all = versions(&package.aid);
        assert_eq!(all.first(), Some(package));
        for pair in all.windows(2) {
            for class in &pair[0].classes {
                let later = pair[1].class_named(&class.name).unwrap();
                assert!(
                    class
                        .methods
                        .iter()
                        .all(|method| later.methods.contains(method))
                );
            }
        }
    }
}

/// Where the published packages' token listings are: `$IPAE_REFERENCE`, else
/// `shared/reference` beside the repository.
fn reference() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/reference");
    let folder = std::env::var_os("IPAE_REFERENCE").map_or(beside, PathBuf::from);
    Some(folder.join("api-tokens")).filter(|folder| folder.is_dir())
}

/// One listing, a line an item, sorted: with inherited methods, as export files have them.
fn listed(text: &str) -> BTreeSet<String> {
    let mut class = String::new();
    let mut items = BTreeSet::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        if line.starts_with("class") {
            class = line
                .split_whitespace()
                .find(|word| word.contains('/'))
                .unwrap()
                .to_owned();
            let (head, interfaces) = line.split_once(" interfaces ").unwrap_or((line, ""));
            items.insert(head.to_owned());
            for interface in interfaces.split_whitespace() {
                items.insert(format!("{class} has interface {interface}"));
            }
        } else if line.starts_with("package") {
            items.insert(line.split(" flags").next().unwrap().to_owned());
        } else {
            items.insert(format!("{class} {}", line.trim()));
        }
    }
    items
}

fn words(access: u16, interface: bool) -> String {
    let mut words = String::new();
    let names = [
        (flags::PUBLIC, "public "),
        (flags::PROTECTED, "protected "),
        (flags::INTERFACE, "interface "),
        (flags::STATIC, "static "),
        (flags::ABSTRACT, "abstract "),
        (flags::FINAL, "final "),
        (flags::SHAREABLE, "shareable "),
    ];
    for (flag, word) in names {
        if access & flag != 0 || (interface && word == "abstract ") {
            words.push_str(word);
        }
    }
    words
}

/// The same lines out of our table.
fn ours(package: &ApiPackage, packages: &[ApiPackage]) -> BTreeSet<String> {
    let aid = hex::encode_upper(&package.aid);
    let mut items = BTreeSet::from([format!(
        "package {} {}.{} aid {aid}",
        package.name, package.major, package.minor
    )]);
    for class in &package.classes {
        let mut supers = Vec::new();
        let mut next = class.super_name.clone();
        while let Some(name) = next {
            next = find_class(packages, &name).unwrap().1.super_name.clone();
            supers.insert(0, name);
        }
        let mut head = format!(
            "class {} {}{}",
            class.token,
            words(class.flags, false),
            class.name
        );
        if !supers.is_empty() {
            head = format!("{head} supers {}", supers.join(" "));
        }
        items.insert(head);
        for interface in interfaces_of(packages, &class.name) {
            items.insert(format!("{} has interface {interface}", class.name));
        }
        for field in &class.fields {
            items.insert(format!(
                "{} field - {}{} {} = {}",
                class.name,
                words(field.flags, false),
                field.name,
                field.descriptor,
                field.constant.unwrap()
            ));
        }
        let inherited = (0..=u8::MAX)
            .filter_map(|token| method_by_token(packages, &class.name, token))
            .map(|found| found.member);
        for method in class.methods.iter().chain(inherited) {
            items.insert(format!(
                "{} method {} {}{} {}",
                class.name,
                method.token,
                words(method.flags, false),
                method.name,
                method.descriptor
            ));
        }
    }
    items
}

#[test]
fn tables_equal_the_published_packages() {
    let Some(folder) = reference() else {
        // Past the test harness, which would hide it.
        let _ = writeln!(
            std::io::stderr(),
            "SKIPPED tables_equal_the_published_packages: no reference token listings here; \
             set IPAE_REFERENCE to their folder"
        );
        return;
    };
    // A version names classes of its own generation: 1.5 with 1.5.
    let generations = [packages(), newest()];
    for all in generations {
        let published = all
            .iter()
            .filter(|package| !package.name.starts_with("ipae/"));
        for package in published {
            let name = package.name.replace('/', ".");
            let path = folder.join(format!("{name}-{}.{}.txt", package.major, package.minor));
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let (theirs, ours) = (listed(&text), ours(package, all));
            let missing: Vec<_> = theirs.difference(&ours).collect();
            let spurious: Vec<_> = ours.difference(&theirs).collect();
            assert!(
                missing.is_empty() && spurious.is_empty(),
                "{name}: missing {missing:#?}, not published {spurious:#?}"
            );
            println!(
                "{name} {}.{}: {} items equal",
                package.major,
                package.minor,
                ours.len()
            );
        }
    }
}

proptest! {
    #[test]
    fn garbage_never_panics(lines in proptest::collection::vec("[ 0-9a-zA-Z:(),.=x\\[\\]-]{0,40}", 0..6)) {
        let text = format!("package a.b 1.0 F000000001\n{}", lines.join("\n"));
        let _ = parse("t.api", &text);
        let _ = parse("t.api", &lines.join("\n"));
    }
}
