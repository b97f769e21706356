//! The eUICC as an IPA and an eIM see it. Answers are read with the data objects of `applet_model::sgp`,
//! which is another encoder than the eUICC's own.

mod codes;
mod download;
mod eims;
mod functions;
mod local;
mod packages;
mod robustness;
mod switches;
mod versions;

use super::*;
use crate::pki::package::VerifiedResult;
use crate::pki::{EimCredential, Hierarchy, sign_euicc_package, verify_euicc_result};
use applet_model::sgp::eim_config::{
    AddInitialEimRequest, AddInitialEimResponse, EimConfigurationData,
};
use applet_model::sgp::euicc_package::{Eco, EuiccPackage, EuiccPackageSigned, Psmo};
use applet_model::sgp::euicc_result::{EuiccPackageErrorCode, EuiccPackageResult, EuiccResultData};
use applet_model::sgp::{self, Decode, Encode, TransactionId};
use std::sync::OnceLock;

const ALPHA: &str = "89999010000000000013";
const BETA: &str = "89999020000000000029";
const GAMMA: &str = "89999030000000000035";
const UNKNOWN: &str = "8988303000000614224";

fn eid() -> Eid {
    Eid::with_check_digits("890490320010012345670000000001").unwrap()
}

fn iccid(text: &str) -> Iccid {
    text.parse().unwrap()
}

/// An eUICC, and one who acts as IPA and eIM.
#[derive(Clone)]
struct Lab {
    euicc: Euicc,
    nvm: Nvm,
    eim: EimCredential,
    token: Option<i64>,
    counter: u64,
}

/// A whole package by default right; each field can be made wrong.
struct Order {
    eim_id: String,
    eid: Eid,
    counter: u64,
    transaction: Option<TransactionId>,
    token: Option<i64>,
    package: EuiccPackage,
}

impl Lab {
    /// No eIM associated. Certificates are made once for all tests.
    fn bare() -> Self {
        static BARE: OnceLock<Lab> = OnceLock::new();
        BARE.get_or_init(|| Lab {
            euicc: Euicc::new(EuiccConfig::lab(eid()).unwrap()).unwrap(),
            nvm: Nvm::default(),
            eim: Hierarchy::lab().unwrap().eim.unwrap(),
            token: None,
            counter: 0,
        })
        .clone()
    }

    /// The lab's eIM associated, with a token.
    fn new() -> Self {
        let mut lab = Self::bare();
        let data = lab.eim.configuration_data(0, true).unwrap();
        let answer = lab.add_initial(vec![data]);
        assert!(matches!(answer, AddInitialEimResponse::AddInitialEimOk(_)));
        lab.token = lab.euicc.state().eims[0].token.map(i64::from);
        assert_eq!(lab.token, Some(1));
        lab
    }

    fn send(&mut self, command: &[u8]) -> Es10Answer {
        let answer = self.euicc.es10(&mut self.nvm, command).unwrap();
        self.euicc.check_invariants().unwrap();
        answer
    }

    /// Sends a request and reads the answer as `T`.
    fn call<T: for<'a> Decode<'a>>(&mut self, request: &impl Encode) -> T {
        let answer = self.send(&request.to_der().unwrap());
        assert_eq!(answer.sw, Sw::OK);
        T::from_der(&answer.data)
            .unwrap_or_else(|_| panic!("unreadable: {}", hex::encode_upper(&answer.data)))
    }

    fn add_initial(&mut self, list: Vec<EimConfigurationData>) -> AddInitialEimResponse {
        self.call(&AddInitialEimRequest {
            eim_configuration_data_list: list,
        })
    }

    fn order(&mut self, package: EuiccPackage) -> Order {
        self.counter += 1;
        Order {
            eim_id: self.eim.fqdn.clone(),
            eid: eid(),
            counter: self.counter,
            transaction: TransactionId::new([0xAB, self.counter as u8]),
            token: self.token,
            package,
        }
    }

    fn sign(&self, order: Order) -> Vec<u8> {
        let signed = EuiccPackageSigned {
            eim_id: order.eim_id,
            eid_value: order.eid,
            counter_value: order.counter,
            eim_transaction_id: order.transaction,
            euicc_package: order.package,
        };
        sign_euicc_package(&self.eim.key, &signed.to_der().unwrap(), order.token).unwrap()
    }

    /// Loads signed bytes; checks the signature of the answer with the token given.
    fn load(&mut self, package: &[u8], token: Option<i64>) -> EuiccPackageResult {
        let answer = self.send(package);
        assert_eq!(answer.sw, Sw::OK);
        let key = self.euicc.public_key(None).unwrap();
        let verified = verify_euicc_result(&key, &answer.data, token).unwrap();
        let result = EuiccPackageResult::from_der(&answer.data).unwrap();
        assert_eq!(
            matches!(verified, VerifiedResult::Unsigned(_)),
            matches!(result, EuiccPackageResult::EuiccPackageErrorUnsigned(_))
        );
        result
    }

    fn psmos(&mut self, list: Vec<Psmo>) -> Vec<EuiccResultData> {
        self.run(EuiccPackage::PsmoList(list))
    }

    fn ecos(&mut self, list: Vec<Eco>) -> Vec<EuiccResultData> {
        self.run(EuiccPackage::EcoList(list))
    }

    /// Executes a package that must be accepted, checks what must come back unchanged, and acknowledges it.
    fn run(&mut self, package: EuiccPackage) -> Vec<EuiccResultData> {
        let order = self.order(package);
        let (id, counter, transaction) = (
            order.eim_id.clone(),
            order.counter,
            order.transaction.clone(),
        );
        let token = order.token;
        let bytes = self.sign(order);
        let result = self.load(&bytes, token);
        assert_eq!(result.eim_id(), id);
        assert_eq!(result.counter_value(), Some(counter));
        assert_eq!(result.eim_transaction_id(), transaction.as_ref());
        assert!(result.seq_number().is_some());
        result.results().to_vec()
    }

    fn codes(&mut self, list: Vec<Psmo>) -> Vec<String> {
        self.psmos(list)
            .iter()
            .map(EuiccResultData::summary)
            .collect()
    }

    fn error(&mut self, order: Order) -> EuiccPackageErrorCode {
        let writes = self.nvm.writes;
        let state = self.euicc.state().clone();
        let bytes = self.sign(order);
        let token = self.token;
        let EuiccPackageResult::EuiccPackageErrorSigned(error) = self.load(&bytes, token) else {
            panic!("not a signed error");
        };
        assert_eq!(self.nvm.writes, writes);
        assert!(*self.euicc.state() == state);
        error
            .euicc_package_error_data_signed
            .value()
            .euicc_package_error_code
    }

    fn enabled(&self) -> Option<String> {
        self.euicc.enabled_profile().map(|p| p.iccid.to_string())
    }

    fn profile(&mut self, text: &str) -> &mut Profile {
        let wanted: Iccid = text.parse().unwrap();
        let mut all = self.euicc.state.profiles.iter_mut();
        all.find(|p| p.iccid == wanted).unwrap()
    }
}
