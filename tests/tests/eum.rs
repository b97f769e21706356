//! An EUM's own packages: a library with a shareable interface and an applet that imports it
//! through its export file, converted, verified, loaded, installed and run.

use applet_gen::api::{self, ApiPackage, stubs};
use applet_gen::cap::Cap;
use applet_gen::cap::verify::verify;
use applet_gen::collect::collect;
use applet_gen::convert::{ConvertInput, Converted, convert, convert_all};
use applet_gen::exp;
use applet_gen::gp::command::{self, Install};
use applet_gen::javac::Javac;
use applet_model::apdu::Command;
use ipae_tests::{authenticate, eid, factory_card, load, send, wrapped};
use std::path::{Path, PathBuf};

const LIBRARY: &[u8] = &[0xF0, 0x49, 0x50, 0x41, 0x65, 0xBB];
const READER: &[u8] = &[0xF0, 0x49, 0x50, 0x41, 0x65, 0xCC];
const MODULE: &[u8] = &[0xF0, 0x49, 0x50, 0x41, 0x65, 0xCC, 0x01];

type Classes = Vec<(String, Vec<u8>)>;

/// The class files of the library and of the applet.
fn classes() -> (Classes, Classes) {
    let folder = tempfile::tempdir().expect("a folder");
    let javac = Javac::locate().unwrap_or_else(|e| panic!("{e}"));
    let api = stubs::compile(&folder.path().join("api"), &javac).unwrap_or_else(|e| panic!("{e}"));
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("java/eum");
    let sources = collect(&[sources], "java").unwrap_or_else(|e| panic!("{e}"));
    let sources: Vec<PathBuf> = sources.into_iter().map(|(name, _)| name.into()).collect();
    let out = folder.path().join("classes");
    javac
        .compile(&sources, &[api], &out)
        .unwrap_or_else(|e| panic!("{e}"));
    let of = |package: &str| {
        collect(&[out.join(package)], "class").unwrap_or_else(|error| panic!("{error}"))
    };
    (of("eum/es10"), of("eum/reader"))
}

fn library(classes: Classes) -> ConvertInput<'static> {
    ConvertInput {
        classes,
        package_aid: LIBRARY.to_vec(),
        version: (1, 0),
        imports: api::packages(),
        ..ConvertInput::default()
    }
}

fn reader(classes: Classes, imports: &[ApiPackage]) -> ConvertInput<'_> {
    ConvertInput {
        classes,
        package_aid: READER.to_vec(),
        version: (1, 0),
        applets: vec![("eum.reader.ReaderApplet".to_owned(), MODULE.to_vec())],
        imports,
        ..ConvertInput::default()
    }
}

fn made(result: Result<Converted, Vec<impl std::fmt::Display>>) -> Converted {
    result.unwrap_or_else(|errors| {
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}", lines.join("\n"))
    })
}

/// Loads both on a card, installs the applet and asks it for the EID.
fn read_eid(library: &Cap, reader: &Cap) -> Vec<u8> {
    let mut card = factory_card(7, 1);
    card.reset();
    let mut channel = authenticate(&mut card);
    load(&mut card, &mut channel, library);
    load(&mut card, &mut channel, reader);
    let install = Install {
        package: READER,
        module: MODULE,
        instance: MODULE,
        privileges: [0, 0, 0],
        parameters: &[0xC9, 0x00],
        token: &[],
    };
    let install = install.for_install_and_make_selectable();
    wrapped(&mut card, &mut channel, &install);
    assert!(send(&mut card, &command::select(MODULE)).sw.is_ok());
    let answer = send(&mut card, &Command::new(0x80, 0x60, 0, 0).with_le(16));
    assert!(answer.sw.is_ok(), "{}; {:?}", answer.sw, card.take_fault());
    answer.data
}

#[test]
fn a_library_and_an_applet_that_imports_it_read_the_eid() {
    let (library_classes, reader_classes) = classes();
    let lib = made(convert(&library(library_classes.clone())));
    // The applet's converter knows the library by its export file alone.
    let bytes = exp::write(&lib.exp, api::packages()).expect("an export file");
    let mut imports = vec![exp::read(&bytes).expect("what was written")];
    imports.extend_from_slice(api::packages());
    let app = made(convert(&reader(reader_classes.clone(), &imports)));
    for cap in [&lib.cap, &app.cap] {
        let verdict = verify(cap, &imports);
        assert!(verdict.is_verified(), "{verdict:?}");
    }
    let wanted = hex::decode(eid(7).to_string()).expect("hexadecimal");
    assert_eq!(read_eid(&lib.cap, &app.cap), wanted);

    // Both in one run, the applet first: the same files.
    let inputs = [
        reader(reader_classes.clone(), api::packages()),
        library(library_classes.clone()),
    ];
    let both = convert_all(&inputs).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert!(both[0].cap == app.cap && both[1].cap == lib.cap);

    // Without the rules that make code shorter they do the same.
    let plain = |mut input: ConvertInput<'_>| {
        input.plain = true;
        made(convert(&input)).cap
    };
    let long = plain(reader(reader_classes, &imports));
    assert!(long.method.end() > app.cap.method.end());
    assert_eq!(read_eid(&plain(library(library_classes)), &long), wanted);
}
