//! Reading and writing back, whole files and garbage.

use proptest::prelude::*;

use super::decode::{decode, decode_all};
use super::jar::JarNames;
use super::opcode::code;
use super::sample;
use super::*;

#[test]
fn every_component_comes_back_from_jar_and_load_file() {
    let cap = sample::cap();
    let jar = cap.to_jar().unwrap();
    assert_eq!(jar, cap.to_jar().unwrap());
    assert_eq!(Cap::from_jar(&jar).unwrap(), cap);
    let load = cap.load_file(true).unwrap();
    assert_eq!(Cap::from_load_file(&load).unwrap(), cap);
    let bare = Cap::from_load_file(&cap.load_file(false).unwrap()).unwrap();
    assert_eq!(bare.descriptor, None);
    assert_eq!(bare.method, cap.method);
}

#[test]
fn header_bytes_are_those_of_the_specification() {
    let header = sample::cap()
        .component(ComponentTag::Header)
        .unwrap()
        .unwrap();
    assert_eq!(
        hex::encode_upper(header),
        "010010DECAFFED0102060001".to_owned() + "06F04950416599"
    );
}

#[test]
fn format_2_2_has_name_signature_pool_and_twelve_sizes() {
    let mut cap = sample::cap();
    cap.header.minor = 2;
    cap.header.name = Some(b"ipae/sample".to_vec());
    cap.class.signature_pool = Some(vec![0x01, 0x10]);
    cap.class.layout().unwrap();
    assert_eq!(cap.class.interfaces[0].offset, 4);
    cap.directory = cap.compute_directory().unwrap();
    assert_eq!(cap.directory.sizes.len(), 12);
    assert_eq!(Cap::from_jar(&cap.to_jar().unwrap()).unwrap(), cap);
}

#[test]
fn manifest_names_package_applets_and_imports_within_72_bytes() {
    let names = JarNames {
        package: "ipae.sample".into(),
        applets: vec!["Sample".into()],
    };
    let jar = sample::cap().to_jar_named(&names).unwrap();
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(jar)).unwrap();
    assert!(archive.by_name("ipae/sample/javacard/Header.cap").is_ok());
    let mut text = String::new();
    let mut manifest = archive.by_name("META-INF/MANIFEST.MF").unwrap();
    std::io::Read::read_to_string(&mut manifest, &mut text).unwrap();
    assert!(text.contains("Java-Card-Package-AID: 0xf0:0x49:0x50:0x41:0x65:0x99\r\n"));
    assert!(text.contains("Java-Card-Applet-1-Name: Sample\r\n"));
    assert!(text.contains("Java-Card-Imported-Package-1-Version: 1.5\r\n"));
    assert!(text.lines().all(|line| line.len() <= 72));
}

#[test]
fn methods_are_cut_by_descriptor_and_without_it() {
    let cap = sample::cap();
    let methods = cap.methods().unwrap();
    let mut bare = cap.clone();
    bare.descriptor = None;
    assert_eq!(methods, bare.methods().unwrap());
    assert_eq!(methods.len(), 3);
    assert_eq!(methods[1].header, MethodHeader::new(2, 3, 0));
    for method in &methods {
        decode_all(&method.code).unwrap();
    }
}

#[test]
fn reference_locations_go_on_after_255() {
    let mut cap = sample::cap();
    cap.ref_location.byte_indices = vec![0, 254, 509, 1529, 0xFFFF];
    let info = cap.info(ComponentTag::ReferenceLocation).unwrap().unwrap();
    assert_eq!(info[2..7], [0, 254, 255, 0, 255]);
    let read = Cap::from_load_file(&cap.load_file(true).unwrap()).unwrap();
    assert_eq!(read.ref_location, cap.ref_location);
}

#[test]
fn what_is_missing_double_or_too_new_is_named() {
    let cap = sample::cap();
    let mut twice = cap.load_file(false).unwrap();
    twice.extend(cap.component(ComponentTag::Import).unwrap().unwrap());
    assert_eq!(
        Cap::from_load_file(&twice),
        Err(CapError::Twice(ComponentTag::Import))
    );
    let load = cap.load_file(false).unwrap();
    let rest = load.len()
        - cap
            .component(ComponentTag::ReferenceLocation)
            .unwrap()
            .unwrap()
            .len();
    assert_eq!(
        Cap::from_load_file(&load[..rest]),
        Err(CapError::Missing(ComponentTag::ReferenceLocation))
    );
    let error = Cap::from_load_file(&load[..load.len() - 1]).unwrap_err();
    assert!(
        error.to_string().contains("bytes of component RefLocation"),
        "{error}"
    );
    let mut new = load.clone();
    new[7] = 3;
    assert_eq!(
        Cap::from_load_file(&new),
        Err(CapError::Format { major: 2, minor: 3 })
    );
}

#[test]
fn instructions_decode_with_targets_and_indexes() {
    let table = [code::STABLESWITCH, 0, 9, 0xFF, 0xFF, 0, 0, 0, 13, 0, 14];
    let instruction = decode(&table, 0).unwrap();
    assert_eq!(instruction.len, 11);
    assert_eq!(instruction.targets(), [9, 13, 14]);
    let interface = decode(&[code::INVOKEINTERFACE, 3, 1, 2, 7], 0).unwrap();
    let index = interface.pool_index().unwrap();
    assert_eq!((index.at, index.width, index.index), (2, 2, 0x0102));
    let array = decode(&[code::CHECKCAST, 11, 0, 0], 0).unwrap();
    assert_eq!(array.pool_index(), None);
    assert!(decode(&[code::SLOOKUPSWITCH, 0, 0, 0xFF, 0xFF], 0).is_err());
    assert!(decode(&[0xFE], 0).is_err());
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Cap::from_load_file(&bytes);
        let _ = Cap::from_jar(&bytes);
        let _ = decode_all(&bytes);
    }

    #[test]
    fn altered_files_are_refused_or_written_back_as_they_came(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in any::<Option<prop::sample::Index>>(),
    ) {
        let mut bytes = sample::cap().load_file(true).unwrap();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        let Ok(cap) = Cap::from_load_file(&bytes) else {
            return Ok(());
        };
        let _ = cap.methods();
        let mut rest = bytes.as_slice();
        while !rest.is_empty() {
            let (tag, info, after) = loadfile::split(rest).unwrap();
            let written = match ComponentTag::from_u8(tag) {
                Some(component) => cap.info(component).unwrap(),
                None => cap.custom.get(&tag).cloned(),
            };
            prop_assert_eq!(written.as_deref(), Some(info));
            rest = after;
        }
    }

    #[test]
    fn altered_archives_never_panic(
        index in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = sample::cap().to_jar().unwrap();
        let at = index.index(bytes.len());
        bytes[at] = byte;
        let _ = Cap::from_jar(&bytes);
    }
}
