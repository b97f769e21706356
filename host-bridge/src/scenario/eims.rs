//! Scenarios of eIM configuration.

use super::bench::{Bench, DAY, Failure, SECOND_ADDRESS};
use crate::eim::PackageState;
use applet_model::sgp::Encode;
use applet_model::sgp::eim_config::EimConfigurationData;

pub(super) fn change_eim(b: &mut Bench) -> Result<(), Failure> {
    b.step("the device starts");
    b.boot()?;
    let der = |entry: EimConfigurationData| {
        entry
            .to_der()
            .map(hex::encode_upper)
            .map_err(|e| Failure::Message(e.to_string()))
    };
    let second = b.second.identity().clone();
    // The second eIM has an address instead of a name: the card then needs no configuration for it.
    let mut entry = second.configuration(0, false)?;
    entry.eim_fqdn = Some("192.0.2.9".into());
    let package = b.operate(&[&format!("addEim {}", der(entry)?), "listEim"])?;
    b.expect_end(&package, PackageState::Done, "")?;
    let eims = b.eim.inventory(&b.eid)?.eims;
    b.expect(eims.len() == 2, || {
        format!("two eIMs expected, the eUICC lists {eims:?}")
    })?;
    let update = EimConfigurationData {
        eim_fqdn: Some(SECOND_ADDRESS.to_string()),
        ..EimConfigurationData::new(second.eim_id.clone())
    };
    let first = b.eim.identity().eim_id.clone();
    let package = b.operate(&[
        &format!("updateEim {}", der(update)?),
        &format!("deleteEim {first}"),
    ])?;
    b.expect_end(&package, PackageState::Done, "")?;
    b.step("the card polls the new eIM");
    let eid = b.eid;
    let list = ["listProfileInfo".parse()?];
    let id = b.second.enqueue(&eid, &list)?;
    b.until(DAY, "the new eIM has the result", |_, second| {
        Ok(second
            .packages(&eid)?
            .iter()
            .any(|p| p.id == id && p.state.is_final()))
    })?;
    let done = b
        .second
        .packages(&eid)?
        .iter()
        .any(|p| p.id == id && p.state == PackageState::Done);
    b.expect(done, || "the new eIM's operation failed".into())
}
