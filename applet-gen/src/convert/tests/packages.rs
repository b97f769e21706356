//! Several packages in one run, and what a package offers to others.

use std::path::PathBuf;

use super::harness::{compile_texts, keep, lines};
use crate::api::{self, ApiPackage};
use crate::cap::header::{ACC_APPLET, ACC_EXPORT};
use crate::convert::{ConvertInput, Converted, convert, convert_all};

/// One input for each package of these sources, in the order of `names`.
fn inputs(sources: &[(&str, &str)], names: &[&str]) -> Vec<ConvertInput<'static>> {
    let classes = compile_texts(sources);
    let inputs = names.iter().enumerate().map(|(index, name)| {
        let folder = PathBuf::from(name.replace('.', "/"));
        let own = classes
            .iter()
            .filter(|(path, _)| path.parent() == Some(&folder));
        ConvertInput {
            classes: own
                .map(|(path, bytes)| (path.display().to_string(), bytes.clone()))
                .collect(),
            package_aid: vec![0xF0, 1, 2, 3, 4, index as u8],
            version: (1, 0),
            imports: api::packages(),
            ..ConvertInput::default()
        }
    });
    inputs.collect()
}

/// Every CAP must pass the verifier beside the offers of the others.
fn verified(all: &[Converted]) {
    let mut packages: Vec<ApiPackage> = all.iter().map(|made| made.exp.clone()).collect();
    packages.extend(api::packages().iter().cloned());
    for made in all {
        keep(made, &packages);
        let verdict = crate::cap::verify::verify(&made.cap, &packages);
        assert!(verdict.findings.is_empty(), "{:#?}", verdict.findings);
        assert!(verdict.unchecked.is_empty(), "{:?}", verdict.unchecked);
    }
}

const LIBRARY: &str = "package lib;
    import javacard.framework.*;
    class Hidden implements Inner {
        public short kept() { return 1; }
        public short named() { return 2; }
        short local() { return 3; }
        short call() { return local(); }
    }
    interface Inner extends Outer { short named(); }
";
const LIBRARY_OPEN: &str = "package lib;
    public class Open extends Hidden {
        public static short count;
        public short value;
        public Open() { count++; }
        public static short twice(short a) { return (short) (a + a); }
        public short named() { return 4; }
    }";
const LIBRARY_OUTER: &str = "package lib;
    public interface Outer { short kept(); }";
const SERVICE: &str = "package service;
    import javacard.framework.*;
    public interface Service extends Shareable, lib.Outer { short serve(lib.Open open); }";
const SERVICE_APPLET: &str = "package service;
    import javacard.framework.*;
    public class Server extends Applet implements Service {
        public static void install(byte[] b, short o, byte l) { new Server().register(); }
        public void process(APDU apdu) { }
        public short serve(lib.Open open) { return open.named(); }
        public short kept() { return 9; }
    }";
const SERVICE_SECOND: &str = "package service;
    import javacard.framework.*;
    public class Second extends Applet {
        public static void install(byte[] b, short o, byte l) { new Second().register(); }
        public void process(APDU apdu) { }
    }";
const CLIENT: &str = "package client;
    class Client extends lib.Open {
        short local() { return 5; }
        public short last() { return 6; }
        short use(service.Service service, lib.Open open) {
            lib.Open.count = lib.Open.twice(open.value);
            lib.Outer outer = open;
            return (short) (service.serve(this) + service.kept() + open.named()
                + open.kept() + outer.kept() + last() + local());
        }
    }";

#[test]
fn packages_in_the_order_of_their_imports() {
    let sources = [
        ("lib/Hidden.java", LIBRARY),
        ("lib/Open.java", LIBRARY_OPEN),
        ("lib/Outer.java", LIBRARY_OUTER),
        ("service/Service.java", SERVICE),
        ("service/Server.java", SERVICE_APPLET),
        ("service/Second.java", SERVICE_SECOND),
        ("client/Client.java", CLIENT),
    ];
    let mut inputs = inputs(&sources, &["client", "service", "lib"]);
    let [_, service, _] = inputs.as_mut_slice() else {
        panic!("three inputs")
    };
    service.applets = vec![
        ("service.Server".to_owned(), vec![0xF0, 1, 2, 3, 4, 1, 1]),
        ("service.Second".to_owned(), vec![0xF0, 1, 2, 3, 4, 1, 2]),
    ];
    let all = convert_all(&inputs).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    verified(&all);
    let [client, service, lib] = all.as_slice() else {
        panic!("three results")
    };
    assert_eq!(
        [&client.exp.name, &service.exp.name, &lib.exp.name],
        ["client", "service", "lib"]
    );
    assert_eq!(client.cap.header.flags, 0, "nothing of it is public");
    assert_eq!(client.cap.imports.len(), 2, "{:?}", client.cap.imports);
    assert_eq!(service.cap.header.flags, ACC_APPLET | ACC_EXPORT);
    assert_eq!(service.cap.applets.len(), 2);
    assert_eq!(lib.cap.header.flags, ACC_EXPORT);

    // Hidden classes are left out of what is offered; what came from them stays.
    let open = lib.exp.class_named("lib/Open").unwrap();
    assert_eq!(open.super_name.as_deref(), Some("java/lang/Object"));
    assert_eq!(open.interfaces, ["lib/Outer"]);
    let tokens: Vec<(&str, u8)> = (open.methods.iter())
        .map(|method| (method.name.as_str(), method.token))
        .collect();
    // equals() of Object is 0.
    let expected = [("<init>", 0), ("twice", 1), ("named", 2), ("kept", 1)];
    assert_eq!(tokens, expected);

    // The client's own virtual method goes on where the imported superclass ends; its local() is
    // another method than the library's of that name (JCVM 4.3.7.6).
    let class = &client.cap.class.classes[0];
    assert_eq!(
        (class.public_method_base, class.public_methods.len()),
        (3, 1)
    );
    assert_eq!(
        (class.package_method_base, class.package_methods.len()),
        (0, 2)
    );

    // The same through export files.
    let mut alone = inputs[0].clone();
    let known: Vec<ApiPackage> = [&lib.exp, &service.exp]
        .into_iter()
        .chain(api::packages())
        .cloned()
        .collect();
    let mut imports: Vec<ApiPackage> = known[..2]
        .iter()
        .map(|made| crate::exp::read(&crate::exp::write(made, &known).unwrap()).unwrap())
        .collect();
    imports.extend(api::packages().iter().cloned());
    alone.imports = &imports;
    let alone = convert(&alone).unwrap_or_else(|errors| panic!("{}", lines(&errors)));
    assert_eq!(alone.cap, client.cap);
}

#[test]
fn circles_are_refused_by_name() {
    let sources = [
        ("a/A.java", "package a; public class A { b.B b; }"),
        (
            "b/B.java",
            "package b; public class B { public c.C[] c() { return null; } }",
        ),
        (
            "c/C.java",
            "package c; public class C { public void f() { new b.B().c(); } }",
        ),
        ("d/D.java", "package d; public class D { }"),
    ];
    let errors = convert_all(&inputs(&sources, &["a", "b", "c", "d"])).unwrap_err();
    let text = lines(&errors);
    assert_eq!(errors.len(), 1, "{text}");
    assert!(text.contains("circle: b imports c imports b;"), "{text}");
}

#[test]
fn all_packages_tell_their_errors() {
    let sources = [
        ("a/A.java", "package a; public class A {\n long wide; }"),
        ("b/B.java", "package b; public class B {\n double wide; }"),
        ("c/C.java", "package c; public class C {\n a.A a; }"),
    ];
    let mut inputs = inputs(&sources, &["c", "b", "a"]);
    let text = lines(&convert_all(&inputs).unwrap_err());
    assert!(text.contains("a.A.wide: a field of type long"), "{text}");
    assert!(text.contains("b.B.wide: a field of type double"), "{text}");
    assert!(
        text.contains("package c: not looked at, since it imports a,"),
        "{text}"
    );

    inputs[0].package_aid = inputs[1].package_aid.clone();
    inputs[1].classes.clear();
    let text = lines(&convert_all(&inputs).unwrap_err());
    assert!(text.contains("no classes are given"), "{text}");
    assert!(text.contains("its AID is that of package"), "{text}");
}

/// A package with applets gives its shareable interfaces only (JCVM 6.12): the error says so.
#[test]
fn what_an_applet_package_hides_is_named() {
    let sources = [
        (
            "a/A.java",
            "package a; public class A { public static void install(byte[] b, short o, byte l) { } }",
        ),
        ("b/B.java", "package b; public class B {\n a.A a; }"),
    ];
    let mut inputs = inputs(&sources, &["a", "b"]);
    inputs[0].classes.extend(
        compile_texts(&[(
            "a/Main.java",
            "package a; public class Main extends javacard.framework.Applet {
             public static void install(byte[] b, short o, byte l) { }
             public void process(javacard.framework.APDU apdu) { } }",
        )])
        .into_iter()
        .map(|(path, bytes)| (path.display().to_string(), bytes)),
    );
    inputs[0].applets = vec![("a.Main".to_owned(), vec![0xF0, 1, 2, 3, 4, 0, 1])];
    let text = lines(&convert_all(&inputs).unwrap_err());
    assert!(
        text.contains("class a.A is not known; its package is imported, but does not export it"),
        "{text}"
    );
}
