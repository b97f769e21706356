//! What verified results say of an eUICC's profiles and eIMs.

use super::operation::Operation;
use applet_model::sgp::Eid;
use applet_model::sgp::euicc_package::{Eco, Psmo};
use applet_model::sgp::euicc_result::{DeleteEimResult, EuiccResultData, ListEimResult};
use applet_model::sgp::profile::{ProfileInfo, ProfileInfoListResponse};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::Serialize;
use utoipa::ToSchema;

/// A profile as the eIM knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct ProfileRow {
    /// ICCID, decimal digits.
    pub iccid: String,
    /// `enabled` or `disabled`.
    pub state: String,
    /// profileName.
    pub name: String,
    /// serviceProviderName.
    pub provider: String,
    /// profileNickname.
    pub nickname: String,
    /// profileClass.
    pub class: String,
}

/// An eUICC's profiles and eIMs, as far as verified results tell.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Inventory {
    /// True once a whole list came (listProfileInfo); without it, only what operations touched is
    /// known.
    pub complete: bool,
    /// Profiles by ICCID.
    pub profiles: Vec<ProfileRow>,
    /// Identifiers of the eIMs, as listEim, addEim and deleteEim tell.
    pub eims: Vec<String>,
}

impl Inventory {
    /// The ICCID of the enabled profile.
    pub fn enabled(&self) -> Option<&str> {
        self.profiles
            .iter()
            .find(|profile| profile.state == "enabled")
            .map(|profile| profile.iccid.as_str())
    }
}

pub(super) fn read(db: &mut Connection, eid: &Eid) -> rusqlite::Result<Inventory> {
    let eid = eid.to_string();
    let complete = db
        .query_row("SELECT listed FROM device WHERE eid = ?1", [&eid], |row| {
            row.get(0)
        })
        .optional()?
        .unwrap_or(false);
    let profiles = db
        .prepare_cached("SELECT * FROM profile WHERE eid = ?1 ORDER BY iccid")?
        .query_map([&eid], |row| {
            Ok(ProfileRow {
                iccid: row.get("iccid")?,
                state: row.get("state")?,
                name: row.get("name")?,
                provider: row.get("provider")?,
                nickname: row.get("nickname")?,
                class: row.get("class")?,
            })
        })?
        .collect::<rusqlite::Result<_>>()?;
    let eims = db
        .prepare_cached("SELECT eim_id FROM associated_eim WHERE eid = ?1 ORDER BY eim_id")?
        .query_map([&eid], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Inventory {
        complete,
        profiles,
        eims,
    })
}

/// The ICCID that is enabled as far as is known.
pub(super) fn enabled(tx: &Transaction<'_>, eid: &str) -> rusqlite::Result<Option<String>> {
    tx.query_row(
        "SELECT iccid FROM profile WHERE eid = ?1 AND state = 'enabled'",
        [eid],
        |row| row.get(0),
    )
    .optional()
}

/// Applies the results of a package's operations, in order.
pub(super) fn apply(
    tx: &Transaction<'_>,
    eid: &str,
    operations: &[Operation],
    results: &[EuiccResultData],
) -> rusqlite::Result<()> {
    for (operation, result) in operations.iter().zip(results) {
        if result.is_ok() {
            apply_one(tx, eid, operation, result)?;
        }
    }
    Ok(())
}

fn apply_one(
    tx: &Transaction<'_>,
    eid: &str,
    operation: &Operation,
    result: &EuiccResultData,
) -> rusqlite::Result<()> {
    match (operation, result) {
        (Operation::Psmo(Psmo::Enable(enable)), EuiccResultData::EnableResult(_)) => {
            set_enabled(tx, eid, Some(&enable.iccid.to_string()))
        }
        (Operation::Psmo(Psmo::Disable(operation)), EuiccResultData::DisableResult(_)) => {
            set_state(tx, eid, &operation.iccid.to_string(), "disabled")
        }
        (Operation::Psmo(Psmo::Delete(operation)), EuiccResultData::DeleteResult(_)) => tx
            .execute(
                "DELETE FROM profile WHERE eid = ?1 AND iccid = ?2",
                params![eid, operation.iccid.to_string()],
            )
            .map(|_| ()),
        (
            Operation::Psmo(Psmo::ListProfileInfo(request)),
            EuiccResultData::ListProfileInfoResult(ProfileInfoListResponse::ProfileInfoListOk(
                list,
            )),
        ) => take_list(tx, eid, list, request.search_criteria.is_none()),
        (Operation::Eco(Eco::AddEim(entry)), EuiccResultData::AddEimResult(_)) => tx
            .execute(
                "INSERT OR IGNORE INTO associated_eim (eid, eim_id) VALUES (?1, ?2)",
                params![eid, entry.eim_id],
            )
            .map(|_| ()),
        (Operation::Eco(Eco::DeleteEim(delete)), EuiccResultData::DeleteEimResult(result)) => {
            if *result == DeleteEimResult::LastEimDeleted {
                tx.execute("DELETE FROM associated_eim WHERE eid = ?1", [eid])?;
            }
            tx.execute(
                "DELETE FROM associated_eim WHERE eid = ?1 AND eim_id = ?2",
                params![eid, delete.eim_id],
            )
            .map(|_| ())
        }
        (
            Operation::Eco(Eco::ListEim(_)),
            EuiccResultData::ListEimResult(ListEimResult::EimIdList(list)),
        ) => {
            tx.execute("DELETE FROM associated_eim WHERE eid = ?1", [eid])?;
            for eim in list {
                tx.execute(
                    "INSERT OR IGNORE INTO associated_eim (eid, eim_id) VALUES (?1, ?2)",
                    params![eid, eim.eim_id],
                )?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Makes this profile the one that is enabled; `None`: none is.
pub(super) fn set_enabled(
    tx: &Transaction<'_>,
    eid: &str,
    iccid: Option<&str>,
) -> rusqlite::Result<()> {
    tx.execute(
        "UPDATE profile SET state = 'disabled' WHERE eid = ?1",
        [eid],
    )?;
    match iccid {
        Some(iccid) => set_state(tx, eid, iccid, "enabled"),
        None => Ok(()),
    }
}

fn set_state(tx: &Transaction<'_>, eid: &str, iccid: &str, state: &str) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO profile (eid, iccid, state) VALUES (?1, ?2, ?3) \
         ON CONFLICT (eid, iccid) DO UPDATE SET state = excluded.state",
        params![eid, iccid, state],
    )
    .map(|_| ())
}

/// A profile was installed: it is there, and disabled unless it is known to be enabled.
pub(super) fn installed(
    tx: &Transaction<'_>,
    eid: &str,
    iccid: &str,
    name: &str,
    provider: &str,
) -> rusqlite::Result<()> {
    tx.execute(
        "INSERT INTO profile (eid, iccid, state, name, provider) VALUES (?1, ?2, 'disabled', ?3, ?4) \
         ON CONFLICT (eid, iccid) DO UPDATE SET \
         name = CASE WHEN ?3 = '' THEN name ELSE ?3 END, provider = CASE WHEN ?4 = '' THEN provider ELSE ?4 END",
        params![eid, iccid, name, provider],
    )
    .map(|_| ())
}

fn take_list(
    tx: &Transaction<'_>,
    eid: &str,
    list: &[ProfileInfo],
    whole: bool,
) -> rusqlite::Result<()> {
    if whole {
        tx.execute("DELETE FROM profile WHERE eid = ?1", [eid])?;
        tx.execute("UPDATE device SET listed = 1 WHERE eid = ?1", [eid])?;
    }
    for profile in list {
        let Some(iccid) = profile.iccid else {
            continue;
        };
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        tx.execute(
            "INSERT OR REPLACE INTO profile (eid, iccid, state, name, provider, nickname, class) \
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                eid,
                iccid.to_string(),
                profile
                    .profile_state
                    .map_or("unknown", |state| state.name()),
                text(&profile.profile_name),
                text(&profile.service_provider_name),
                text(&profile.profile_nickname),
                profile.profile_class.map_or("", |class| class.name()),
            ],
        )?;
    }
    Ok(())
}
