//! The eIM with the project's own eUICC: what one signs, the other believes.

use super::*;
use applet_model::sgp::eim_config::{AddInitialEimOk, AddInitialEimRequest, AddInitialEimResponse};
use applet_model::sgp::esipa::{EimPackageResult, GetEimPackageRequest, ProvideEimPackageResult};
use applet_model::sgp::euicc_result::EuiccPackageResult;
use applet_model::sgp::{Decode, Encode};
use applet_model::tlv;
use cards::euicc::{Euicc, EuiccConfig};
use cards::pki::Hierarchy;
use cards::power::Nvm;

pub(super) const EID: &str = "89049032123451234512345678901235";
pub(super) const A: &str = "89999010000000000013";
pub(super) const B: &str = "89999020000000000029";

pub(super) struct World {
    pub(super) eim: Eim,
    pub(super) euicc: Euicc,
    nvm: Nvm,
    pub(super) eid: Eid,
}

impl World {
    /// An eUICC that gave its eIM an association token if `token`.
    pub(super) fn new(token: bool) -> Self {
        let config = EuiccConfig::lab(EID.parse().unwrap()).unwrap();
        let credential = config.credentials[0].clone();
        let mut euicc = Euicc::new(config).unwrap();
        let mut nvm = Nvm::default();
        let identity = EimIdentity::of_hierarchy(&Hierarchy::lab().unwrap()).unwrap();
        let entry = identity.configuration(41, token).unwrap();
        let request = AddInitialEimRequest {
            eim_configuration_data_list: vec![entry],
        };
        let answer = euicc
            .es10(&mut nvm, &request.to_der().unwrap())
            .unwrap()
            .data;
        let AddInitialEimResponse::AddInitialEimOk(done) =
            AddInitialEimResponse::from_der(&answer).unwrap()
        else {
            panic!("{}", hex::encode(&answer));
        };
        let association_token = match done[0] {
            AddInitialEimOk::AssociationToken(token) => Some(token),
            AddInitialEimOk::AddOk(_) => None,
        };
        assert_eq!(association_token.is_some(), token);
        let eim = Eim::open(&Storage::Memory, identity, EimOptions::default()).unwrap();
        let eid: Eid = EID.parse().unwrap();
        let registration = Registration {
            certificates: Some((credential.euicc_certificate, credential.eum_certificate)),
            association_token,
            counter: Some(41),
        };
        eim.register(&eid, &registration).unwrap();
        World {
            eim,
            euicc,
            nvm,
            eid,
        }
    }

    /// Queues a package and has it executed; gives what became of it.
    fn run(&mut self, operations: &[&str], fault: Option<EimFault>) -> PackageRow {
        let operations: Vec<Operation> = operations.iter().map(|o| o.parse().unwrap()).collect();
        let id = self.eim.enqueue(&self.eid, &operations).unwrap();
        if let Some(fault) = fault {
            self.eim.inject(FaultPlan::once(fault));
        }
        self.execute();
        self.eim.package(id).unwrap().unwrap()
    }

    /// Polls once, lets the eUICC execute what came, and delivers the result.
    pub(super) fn execute(&mut self) {
        let poll = GetEimPackageRequest::new(self.eid);
        let body = self.eim.get_package(&poll).unwrap().body;
        let package = tlv::read_one(&body).unwrap().value;
        let answer = self.euicc.es10(&mut self.nvm, package).unwrap().data;
        let result = EuiccPackageResult::from_der(&answer).unwrap();
        let message = ProvideEimPackageResult {
            eid_value: Some(self.eid),
            eim_package_result: EimPackageResult::EuiccPackageResult(result),
        };
        self.eim.provide_result(&message).unwrap();
    }
}

#[test]
fn inventory_follows_the_euicc() {
    for token in [false, true] {
        let mut w = World::new(token);
        let listed = w.run(&["listProfileInfo"], None);
        assert_eq!(
            (listed.state, listed.counter),
            (PackageState::Done, Some(42)),
            "{}",
            listed.note
        );
        let inventory = w.eim.inventory(&w.eid).unwrap();
        assert_eq!(
            (inventory.profiles.len(), inventory.enabled()),
            (3, Some(A))
        );
        let enable = format!("enable {B}");
        assert_eq!(w.run(&[&enable], None).state, PackageState::Done);
        assert_eq!(w.eim.inventory(&w.eid).unwrap().enabled(), Some(B));
        let eims = w.run(&["listEim"], None);
        assert_eq!(eims.state, PackageState::Done, "{}", eims.note);
        assert_eq!(w.eim.inventory(&w.eid).unwrap().eims, ["eim.lab.example"]);
    }
}

#[test]
fn every_wrong_package_is_refused_with_its_own_reason() {
    let mut w = World::new(true);
    assert_eq!(w.run(&["getRAT"], None).state, PackageState::Done);
    for (fault, reason) in [
        (EimFault::ReplayedCounter, "replayError"),
        (EimFault::WrongEid, "invalidEid"),
        (EimFault::WrongSignature, "without a signature"),
        (EimFault::UnknownEimId, "without a signature"),
    ] {
        let row = w.run(&["getRAT"], Some(fault.clone()));
        assert_eq!(row.state, PackageState::Failed, "{fault:?}: {}", row.note);
        assert!(row.note.contains(reason), "{fault:?}: {}", row.note);
    }
    assert_eq!(w.run(&["getRAT"], None).state, PackageState::Done);
}
