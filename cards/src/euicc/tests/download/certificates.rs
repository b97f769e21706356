//! Server certificates that are wrong in one way each, and revocation lists.

use super::*;
use applet_model::sgp::certs::{LoadCrlResponse, LoadCrlResponseError};

#[test]
fn certificates_for_servers_are_checked_with_the_time_where_there_is_one() {
    let hierarchy = Hierarchy::lab().unwrap();
    let ci = &hierarchy.ci.certificate;
    let old = hierarchy
        .issue_server("old.example", ServerRole::Authentication, (2020, 2022))
        .unwrap();
    let verify = |at| {
        crate::pki::verify_server_certificate(ci, &old.certificate, ServerRole::Authentication, at)
    };
    assert!(verify(None).is_ok());
    // 1 January 2021 and 2030.
    assert!(verify(Some(1_609_459_200)).is_ok());
    assert!(matches!(
        verify(Some(1_893_456_000)),
        Err(crate::pki::ChainError::Expired { .. })
    ));
}

/// A certificate's tbsCertificate taken apart: its fields in order, and its extensions one by one.
#[derive(Clone)]
struct Parts {
    fields: Vec<Vec<u8>>,
    extensions: Vec<Vec<u8>>,
}

const ALGORITHM: usize = 2;
const ISSUER: usize = 3;
const KEY: usize = 6;

const SUBJECT_KEY_ID: &str = "551D0E";
const KEY_USAGE: &str = "551D0F";
const ALTERNATIVE_NAME: &str = "551D11";
const BASIC_CONSTRAINTS: &str = "551D13";
const POLICIES: &str = "551D20";
const AUTHORITY_KEY_ID: &str = "551D23";

fn oid(digits: &str) -> Vec<u8> {
    tlv::write(0x06, &hex::decode(digits).unwrap())
}

fn extension(id: &str, critical: bool, value: &str) -> Vec<u8> {
    let mut out = oid(id);
    if critical {
        out.extend([1, 1, 0xFF]);
    }
    out.extend(tlv::write(0x04, &hex::decode(value).unwrap()));
    tlv::write(0x30, &out)
}

/// A signature as certificates have it.
fn signature(key: &SecretKey, message: &[u8]) -> Vec<u8> {
    let raw = key.sign(message).unwrap();
    let number = |half: &[u8]| {
        let mut bytes = vec![0];
        bytes.extend(half.iter().skip_while(|b| **b == 0));
        if bytes.get(1).is_some_and(|b| b & 0x80 == 0) {
            bytes.remove(0);
        }
        tlv::write(0x02, &bytes)
    };
    let mut out = vec![0];
    out.extend(tlv::write(
        0x30,
        &[number(&raw[..32]), number(&raw[32..])].concat(),
    ));
    tlv::write(0x03, &out)
}

impl Parts {
    fn of(certificate: &Cert) -> Parts {
        let tbs = tlv::path(certificate.der(), &[0x30, 0x30]).unwrap();
        let mut fields = Vec::new();
        let mut extensions = Vec::new();
        for field in tbs.children().map(Result::unwrap) {
            if field.tag == 0xA3 {
                let list = tlv::read_one(field.value).unwrap();
                extensions.extend(list.children().map(|e| e.unwrap().raw.to_vec()));
            } else {
                fields.push(field.raw.to_vec());
            }
        }
        Parts { fields, extensions }
    }

    fn without(&mut self, id: &str) {
        let id = oid(id);
        self.extensions.retain(|e| !e[2..].starts_with(&id));
    }

    fn with(&mut self, id: &str, critical: bool, value: &str) {
        self.without(id);
        self.extensions.push(extension(id, critical, value));
    }

    fn sign(&self, key: &SecretKey) -> CertificateDer {
        let mut tbs = self.fields.concat();
        let extensions = tlv::write(0x30, &self.extensions.concat());
        tbs.extend(tlv::write(0xA3, &extensions));
        let tbs = tlv::write(0x30, &tbs);
        let parts = [
            tbs.clone(),
            self.fields[ALGORITHM].clone(),
            signature(key, &tbs),
        ];
        CertificateDer::from_bytes(&tlv::write(0x30, &parts.concat())).unwrap()
    }
}

/// What of a certificate is made wrong.
type Change<'a> = Box<dyn Fn(&mut Parts) + 'a>;

/// Changes that both roles' certificates are refused for as no certificates (invalidCertificate).
fn invalid(hierarchy: &Hierarchy) -> Vec<(&'static str, Change<'_>)> {
    vec![
        (
            "another issuer's name",
            Box::new(|p| {
                let eum = Parts::of(&hierarchy.eum.certificate);
                p.fields[ISSUER] = eum.fields[5].clone();
            }),
        ),
        (
            // ecdsa-with-SHA384.
            "another algorithm",
            Box::new(|p| p.fields[ALGORITHM] = tlv::write(0x30, &oid("2A8648CE3D040303"))),
        ),
        ("no key usage", Box::new(|p| p.without(KEY_USAGE))),
        (
            // keyCertSign.
            "another key usage",
            Box::new(|p| p.with(KEY_USAGE, true, "03020204")),
        ),
        ("no role", Box::new(|p| p.without(POLICIES))),
        (
            // id-rspRole-dp-tls.
            "another role",
            Box::new(|p| p.with(POLICIES, true, "300B3009060767811201020103")),
        ),
        (
            "no subject key identifier",
            Box::new(|p| p.without(SUBJECT_KEY_ID)),
        ),
        (
            "an authority",
            Box::new(|p| p.with(BASIC_CONSTRAINTS, true, "30030101FF")),
        ),
        (
            "an unknown critical extension",
            Box::new(|p| p.with("2A03", true, "0500")),
        ),
        (
            "an extension that can't be read",
            Box::new(|p| p.with(KEY_USAGE, true, "0400")),
        ),
        (
            "a point that isn't on its curve",
            Box::new(|p| {
                let key = &mut p.fields[KEY];
                *key.last_mut().unwrap() ^= 1;
            }),
        ),
    ]
}

/// secp384r1, and its base point.
const P384: &str = "3076301006072A8648CE3D020106052B8104002203620004\
    AA87CA22BE8B05378EB1C71EF320AD746E1D3B628BA79B9859F741E082542A385502F25DBF55296C3A545E3872760AB7\
    3617DE4A96262C6F5D9E98BF9292DC29F8F41DBD289A147CE9DA3113B5F0B8C00A60B1CE1D7E819D7A431D7C90EA0E5F";

fn p384(parts: &mut Parts) {
    parts.fields[KEY] = hex::decode(P384.replace(' ', "")).unwrap();
}

#[test]
fn a_certificate_for_authentication_is_refused_for_each_thing_that_is_wrong_in_it() {
    use AuthenticateErrorCode as E;
    let server = Server::new();
    let hierarchy = &server.hierarchy;
    let ci = hierarchy.ci.key.clone().unwrap();
    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let right = Parts::of(&server.smdp.auth.certificate);
    let mut lab = Lab::bare();
    let mut present = |certificate: CertificateDer| {
        let mut request = server.authentication(lab.challenge());
        request.server_certificate = certificate;
        match lab.authenticate(&request) {
            AuthenticateServerResponse::AuthenticateResponseError(e) => {
                Some(e.authenticate_error_code)
            }
            _ => None,
        }
    };
    assert_eq!(present(right.sign(&ci)), None);
    assert_eq!(
        present(right.sign(other.ci.key.as_ref().unwrap())),
        Some(E::InvalidCertificate)
    );
    for (what, change) in invalid(hierarchy) {
        let mut parts = right.clone();
        change(&mut parts);
        assert_eq!(
            present(parts.sign(&ci)),
            Some(E::InvalidCertificate),
            "{what}"
        );
    }
    let mut with = |change: &dyn Fn(&mut Parts)| {
        let mut parts = right.clone();
        change(&mut parts);
        present(parts.sign(&ci))
    };
    assert_eq!(with(&p384), Some(E::UnsupportedCurve));
    assert_eq!(with(&|p| p.without(AUTHORITY_KEY_ID)), Some(E::CiPkUnknown));
    assert_eq!(with(&|p| p.without(ALTERNATIVE_NAME)), Some(E::InvalidOid));
    // A dNSName is no object identifier.
    assert_eq!(
        with(&|p| p.with(ALTERNATIVE_NAME, false, "3003820161")),
        Some(E::InvalidOid)
    );
    assert_eq!(with(&|p| p.with("2A03", false, "0500")), None);
    // An eUICC has no clock: what expired long ago is taken.
    let old = hierarchy
        .issue_server("smdp.lab.example", ServerRole::Authentication, (2000, 2001))
        .unwrap();
    assert_eq!(present(der(&old.certificate)), None);
}

#[test]
fn a_certificate_for_binding_is_refused_for_each_thing_that_is_wrong_in_it() {
    use DownloadErrorCode as E;
    let server = Server::new();
    let ci = server.hierarchy.ci.key.clone().unwrap();
    let right = Parts::of(&server.smdp.pb.certificate);
    let mut lab = Lab::bare();
    let ok = lab.authenticated(&server);
    let mut present = |change: &dyn Fn(&mut Parts)| {
        let mut parts = right.clone();
        change(&mut parts);
        let mut request = server.preparation(&ok);
        request.smdp_certificate = parts.sign(&ci);
        match lab.prepare(&request) {
            PrepareDownloadResponse::DownloadResponseError(e) => Some(e.download_error_code),
            _ => None,
        }
    };
    for (what, change) in invalid(&server.hierarchy) {
        assert_eq!(present(&change), Some(E::InvalidCertificate), "{what}");
    }
    assert_eq!(present(&p384), Some(E::UnsupportedCurve));
    for (what, change) in [
        (
            "no CI",
            Box::new(|p: &mut Parts| p.without(AUTHORITY_KEY_ID)) as Change<'_>,
        ),
        ("no identifier", Box::new(|p| p.without(ALTERNATIVE_NAME))),
        (
            // 1.2.3: of another SM-DP+.
            "another identifier",
            Box::new(|p| p.with(ALTERNATIVE_NAME, false, "300488022A03")),
        ),
    ] {
        assert_eq!(present(&change), Some(E::InvalidCertificate), "{what}");
    }
    assert_eq!(present(&|_| {}), None);
}

#[test]
fn an_sm_ds_is_authenticated_and_binds_nothing() {
    let mut server = Server::new();
    server.smdp.auth = server
        .hierarchy
        .issue_server("smds.lab.example", ServerRole::Discovery, (2020, 2050))
        .unwrap();
    let mut lab = Lab::bare();
    let ok = lab.authenticated(&server);
    let refused = lab.prepare(&server.preparation(&ok));
    let PrepareDownloadResponse::DownloadResponseError(error) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        error.download_error_code,
        DownloadErrorCode::InvalidCertificate
    );
}

/// A revocation list, each part of which can be made wrong.
#[derive(Clone)]
struct List {
    number: u8,
    /// Serial numbers, and whether the entry takes one out of a delta list's base.
    entries: Vec<(Vec<u8>, bool)>,
    extensions: Vec<Vec<u8>>,
}

impl List {
    fn new(number: u8, serials: &[&[u8]]) -> List {
        List {
            number,
            entries: serials.iter().map(|s| (s.to_vec(), false)).collect(),
            extensions: Vec::new(),
        }
    }

    fn based_on(mut self, base: u8) -> List {
        let base = format!("0201{base:02X}");
        self.extensions.push(extension("551D1B", true, &base));
        self
    }

    fn part(mut self, part: u8, total: u8) -> List {
        for (id, number) in [("678112010200 02", total), ("678112010200 03", part)] {
            let value = format!("0201{number:02X}");
            self.extensions
                .push(extension(&id.replace(' ', ""), true, &value));
        }
        self
    }

    fn sign(&self, hierarchy: &Hierarchy, key: &SecretKey) -> Vec<u8> {
        let algorithm = tlv::write(0x30, &oid("2A8648CE3D040302"));
        let time = tlv::write(0x17, b"250101000000Z");
        let entries: Vec<u8> = self
            .entries
            .iter()
            .flat_map(|(serial, restored)| {
                let mut entry = [tlv::write(0x02, serial), time.clone()].concat();
                if *restored {
                    let reason = extension("551D15", false, "0A0108");
                    entry.extend(tlv::write(0x30, &reason));
                }
                tlv::write(0x30, &entry)
            })
            .collect();
        let key_id = tlv::write(0x30, &tlv::write(0x80, &hierarchy.ci_key_id()));
        let mut extensions = extension(AUTHORITY_KEY_ID, false, &hex::encode(key_id));
        let number = format!("0201{:02X}", self.number);
        extensions.extend(extension("551D14", false, &number));
        extensions.extend(self.extensions.concat());
        let tbs = [
            tlv::write(0x02, &[1]),
            algorithm.clone(),
            Parts::of(&hierarchy.ci.certificate).fields[ISSUER].clone(),
            time,
            if entries.is_empty() {
                Vec::new()
            } else {
                tlv::write(0x30, &entries)
            },
            tlv::write(0xA0, &tlv::write(0x30, &extensions)),
        ];
        let tbs = tlv::write(0x30, &tbs.concat());
        let inside = [tbs.clone(), algorithm, signature(key, &tbs)].concat();
        tlv::write(0xBF35, &tlv::write(0xA0, &inside))
    }
}

/// Loads a list: the parts that are missing, or the code.
fn load(lab: &mut Lab, command: &[u8]) -> Result<Vec<u64>, LoadCrlResponseError> {
    let answer = lab.send(command);
    assert_eq!(answer.sw, Sw::OK);
    match LoadCrlResponse::from_der(&answer.data).unwrap() {
        LoadCrlResponse::LoadCrlResponseOk(ok) => Ok(ok.missing_parts.unwrap_or_default()),
        LoadCrlResponse::LoadCrlResponseError(error) => Err(error),
    }
}

#[test]
fn a_revoked_certificate_is_no_longer_accepted() {
    let server = Server::new();
    let hierarchy = &server.hierarchy;
    let key = hierarchy.ci.key.clone().unwrap();
    let (auth, pb) = (
        server.smdp.auth.certificate.serial(),
        server.smdp.pb.certificate.serial(),
    );
    let mut lab = Lab::bare();
    let accepted = |lab: &mut Lab| {
        let request = server.authentication(lab.challenge());
        let AuthenticateServerResponse::AuthenticateResponseOk(ok) = lab.authenticate(&request)
        else {
            return 0;
        };
        match lab.prepare(&server.preparation(&ok)) {
            PrepareDownloadResponse::DownloadResponseOk(_) => 2,
            _ => 1,
        }
    };
    let load = |lab: &mut Lab, list: &List| load(lab, &list.sign(hierarchy, &key));
    assert_eq!(accepted(&mut lab), 2);
    assert_eq!(load(&mut lab, &List::new(1, &[])), Ok(vec![]));
    assert_eq!(accepted(&mut lab), 2);
    assert_eq!(load(&mut lab, &List::new(2, &[pb])), Ok(vec![]));
    assert_eq!(accepted(&mut lab), 1);
    // It outlives a reset and a stored image.
    lab.euicc.refresh();
    let image = serde_json::to_string(&lab.euicc).unwrap();
    lab.euicc = serde_json::from_str(&image).unwrap();
    // A delta list adds, and takes out.
    assert_eq!(
        load(&mut lab, &List::new(3, &[auth]).based_on(2)),
        Ok(vec![])
    );
    assert_eq!(accepted(&mut lab), 0);
    let mut restoring = List::new(4, &[auth]).based_on(3);
    restoring.entries[0].1 = true;
    assert_eq!(load(&mut lab, &restoring), Ok(vec![]));
    assert_eq!(accepted(&mut lab), 1);
    // In parts, the list before counts until all have come.
    assert_eq!(
        load(&mut lab, &List::new(5, &[]).part(3, 3)),
        Ok(vec![1, 2])
    );
    assert_eq!(
        load(&mut lab, &List::new(5, &[auth]).part(1, 3)),
        Ok(vec![2])
    );
    assert_eq!(accepted(&mut lab), 0);
    let state = &lab.euicc.state().revoked[0];
    assert_eq!((state.number, state.serials.len()), (4, 1));
    assert_eq!(load(&mut lab, &List::new(5, &[]).part(2, 3)), Ok(vec![]));
    let state = &lab.euicc.state().revoked[0];
    assert_eq!((state.number, state.serials.len()), (5, 1));
    assert_eq!(load(&mut lab, &List::new(6, &[])), Ok(vec![]));
    assert_eq!(accepted(&mut lab), 2);
}

#[test]
fn lists_are_refused_with_the_code_of_what_is_wrong() {
    use LoadCrlResponseError as E;
    let server = Server::new();
    let hierarchy = &server.hierarchy;
    let key = hierarchy.ci.key.clone().unwrap();
    let other = Hierarchy::from_seed(b"another", &HierarchyOptions::default()).unwrap();
    let mut lab = Lab::bare();
    let right = List::new(7, &[&[1]]);
    let signed = |list: &List| list.sign(hierarchy, &key);
    let wrong_key = right.sign(hierarchy, other.ci.key.as_ref().unwrap());
    assert_eq!(load(&mut lab, &wrong_key), Err(E::InvalidSignature));
    let foreign = right.sign(&other, other.ci.key.as_ref().unwrap());
    assert_eq!(load(&mut lab, &foreign), Err(E::VerificationKeyNotFound));
    assert_eq!(load(&mut lab, &[0xBF, 0x35, 0]), Err(E::InvalidCrlFormat));
    for wrong in [
        vec![extension("2A03", true, "0500")],
        vec![extension("67811201020002", true, "020102")],
        List::new(7, &[]).part(3, 2).extensions,
        List::new(7, &[]).part(1, 65).extensions,
        vec![extension("551D1B", true, "0500")],
    ] {
        let list = List {
            extensions: wrong,
            ..right.clone()
        };
        assert_eq!(load(&mut lab, &signed(&list)), Err(E::InvalidCrlFormat));
    }
    let delta = right.clone().based_on(6);
    assert_eq!(load(&mut lab, &signed(&delta)), Err(E::BaseCrlMissing));
    lab.euicc.constants.limits.revoked = 0;
    assert_eq!(
        load(&mut lab, &signed(&right)),
        Err(E::NotEnoughMemorySpace)
    );
    lab.euicc.constants.limits.revoked = 1;
    assert!(lab.euicc.state().revoked.is_empty());
    let writes = lab.nvm.writes;
    assert_eq!(load(&mut lab, &signed(&right)), Ok(vec![]));
    assert_eq!(lab.nvm.writes, writes + 1);
    let older = List::new(6, &[]);
    assert_eq!(
        load(&mut lab, &signed(&older)),
        Err(E::FresherCrlAlreadyLoaded)
    );
    let beyond = right.clone().based_on(8);
    assert_eq!(load(&mut lab, &signed(&beyond)), Err(E::BaseCrlMissing));
    // Again, and nothing is written.
    assert_eq!(load(&mut lab, &signed(&right)), Ok(vec![]));
    assert_eq!(lab.nvm.writes, writes + 1);
}
