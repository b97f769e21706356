//! The resources and what can be done with them.

use super::super::{
    DeviceRow, Eim, EimError, Enqueued, Inventory, PackageRow, PackageState, Summary,
};
use super::Manager;
use super::forms::{Devices, History, NewDevice, NewPackage, Packages, Part};
use super::problem::Problem;
use applet_model::sgp::Eid;
use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use std::time::Duration;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// The longest Idempotency-Key.
const LONGEST_KEY: usize = 200;

pub(super) fn all() -> OpenApiRouter<Manager> {
    OpenApiRouter::new()
        .routes(routes!(summary))
        .routes(routes!(list_devices, register))
        .routes(routes!(device))
        .routes(routes!(profiles))
        .routes(routes!(list_packages, enqueue))
        .routes(routes!(history))
        .routes(routes!(package, cancel))
}

/// How many devices and packages there are
#[utoipa::path(get, path = "/api/v1/summary", security(("token" = [])), responses(
    (status = 200, body = Summary),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
async fn summary(State(manager): State<Manager>) -> Result<Json<Summary>, Problem> {
    at_work(&manager, Eim::summary).await.map(Json)
}

/// The fleet
///
/// Devices in the order of their EIDs, a part at a time.
#[utoipa::path(get, path = "/api/v1/devices", security(("token" = [])), params(Part), responses(
    (status = 200, body = Devices),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
))]
async fn list_devices(
    State(manager): State<Manager>,
    part: Result<Query<Part>, QueryRejection>,
) -> Result<Json<Devices>, Problem> {
    let Query(part) = part.map_err(|e| Problem::bad(e.body_text()))?;
    if !(1..=1000).contains(&part.limit) {
        return Err(Problem::bad(format!(
            "limit: expected 1 to 1000, got {}",
            part.limit
        )));
    }
    // One more than asked for tells whether there are more.
    let mut devices = at_work(&manager, move |eim| {
        eim.devices_after(&part.after, part.limit + 1)
    })
    .await?;
    let whole = part.limit as usize;
    let next = if devices.len() > whole {
        devices.truncate(whole);
        devices.last().map(|device| device.eid.clone())
    } else {
        None
    };
    Ok(Json(Devices { devices, next }))
}

/// Take a device in, or tell more of one that is known
///
/// Certificates are verified up to a CI that this eIM trusts. A device that isn't registered is taken
/// in at its first poll unless the eIM was started otherwise.
#[utoipa::path(post, path = "/api/v1/devices", security(("token" = [])), request_body = NewDevice, responses(
    (status = 200, body = DeviceRow),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large"),
    (status = 422, description = "The certificates aren't this EID's under a CI that is trusted", body = Problem, content_type = "application/problem+json"),
))]
async fn register(
    State(manager): State<Manager>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<DeviceRow>, Problem> {
    let new: NewDevice = read(body)?;
    let eid = eid_in(&new.eid)?;
    let registration = new.registration()?;
    let device = at_work(&manager, move |eim| {
        eim.register(&eid, &registration)?;
        eim.device(&eid)
    })
    .await?;
    device
        .map(Json)
        .ok_or_else(|| Problem::new(500, "the device was taken in and is gone"))
}

/// One device
#[utoipa::path(get, path = "/api/v1/devices/{eid}", security(("token" = [])), params(
    ("eid" = String, Path, description = "EID, 32 digits"),
), responses(
    (status = 200, body = DeviceRow),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn device(
    State(manager): State<Manager>,
    Path(eid): Path<String>,
) -> Result<Json<DeviceRow>, Problem> {
    known(&manager, &eid).await.map(|(_, row)| Json(row))
}

/// A device's profiles and eIMs, as verified results tell
#[utoipa::path(get, path = "/api/v1/devices/{eid}/profiles", security(("token" = [])), params(
    ("eid" = String, Path, description = "EID, 32 digits"),
), responses(
    (status = 200, body = Inventory),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn profiles(
    State(manager): State<Manager>,
    Path(eid): Path<String>,
) -> Result<Json<Inventory>, Problem> {
    let (eid, _) = known(&manager, &eid).await?;
    at_work(&manager, move |eim| eim.inventory(&eid))
        .await
        .map(Json)
}

/// A device's queue and what became of what was queued before
#[utoipa::path(get, path = "/api/v1/devices/{eid}/packages", security(("token" = [])), params(
    ("eid" = String, Path, description = "EID, 32 digits"),
), responses(
    (status = 200, body = Packages),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn list_packages(
    State(manager): State<Manager>,
    Path(eid): Path<String>,
) -> Result<Json<Packages>, Problem> {
    let (eid, _) = known(&manager, &eid).await?;
    let packages = at_work(&manager, move |eim| eim.packages(&eid)).await?;
    Ok(Json(Packages { packages }))
}

/// Queue operations for a device
///
/// They wait until the device polls, behind those queued before. With an `Idempotency-Key` the same
/// request may be sent again (after a time-out, say) and is queued once.
#[utoipa::path(post, path = "/api/v1/devices/{eid}/packages", security(("token" = [])), params(
    ("eid" = String, Path, description = "EID, 32 digits"),
    ("Idempotency-Key" = Option<String>, Header, description = "Any text of the client's own, at most 200 characters; names this request for good"),
), request_body = NewPackage, responses(
    (status = 202, description = "Queued", body = PackageRow, headers(("Location" = String))),
    (status = 200, description = "The same request was queued before; how it stands now", body = PackageRow, headers(("Location" = String))),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "The key was used for another request", body = Problem, content_type = "application/problem+json"),
    (status = 413, description = "The body is too large"),
    (status = 422, description = "An operation can't be done", body = Problem, content_type = "application/problem+json"),
))]
async fn enqueue(
    State(manager): State<Manager>,
    Path(eid): Path<String>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let (eid, _) = known(&manager, &eid).await?;
    let new: NewPackage = read(body)?;
    let key = idempotency_key(&headers)?;
    let mut operations = Vec::new();
    for asked in &new.operations {
        operations.push(asked.operation()?);
    }
    if new.expires_in == Some(0) {
        return Err(Problem::bad("expires_in: expected at least 1 second"));
    }
    let expires_in = new.expires_in.map(|s| Duration::from_secs(s.into()));
    let (enqueued, row) = at_work(&manager, move |eim| {
        let enqueued = eim.enqueue_once(&eid, &operations, expires_in, key.as_deref())?;
        Ok((enqueued, eim.package(enqueued.package())?))
    })
    .await?;
    let status = match enqueued {
        Enqueued::New(_) => StatusCode::ACCEPTED,
        Enqueued::Before(_) => StatusCode::OK,
        Enqueued::KeyTaken(id) => {
            return Err(Problem::conflict(format!(
                "this Idempotency-Key was used for another request, which is package {id}"
            )));
        }
    };
    let row = row.ok_or_else(|| Problem::new(500, "the package was queued and is gone"))?;
    let location = format!("{}/packages/{}", super::API, row.id);
    Ok((status, [(header::LOCATION, location)], Json(row)).into_response())
}

/// What came from a device: results and notifications
#[utoipa::path(get, path = "/api/v1/devices/{eid}/history", security(("token" = [])), params(
    ("eid" = String, Path, description = "EID, 32 digits"),
), responses(
    (status = 200, body = History),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn history(
    State(manager): State<Manager>,
    Path(eid): Path<String>,
) -> Result<Json<History>, Problem> {
    let (eid, _) = known(&manager, &eid).await?;
    at_work(&manager, move |eim| {
        Ok(History {
            results: eim.results(&eid)?,
            notifications: eim.notifications(&eid)?,
        })
    })
    .await
    .map(Json)
}

/// One package: where it is, and what its results were
#[utoipa::path(get, path = "/api/v1/packages/{id}", security(("token" = [])), params(
    ("id" = i64, Path, description = "The package's number"),
), responses(
    (status = 200, body = PackageRow),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
))]
async fn package(
    State(manager): State<Manager>,
    Path(id): Path<String>,
) -> Result<Json<PackageRow>, Problem> {
    let id = number(&id)?;
    let row = at_work(&manager, move |eim| eim.package(id)).await?;
    row.map(Json)
        .ok_or_else(|| Problem::not_found(format!("there is no package {id}")))
}

/// Cancel a package that wasn't handed out yet
///
/// What was handed out may be at work on the card, and can't be called back.
#[utoipa::path(delete, path = "/api/v1/packages/{id}", security(("token" = [])), params(
    ("id" = i64, Path, description = "The package's number"),
), responses(
    (status = 200, description = "It is cancelled", body = PackageRow),
    (status = 400, body = Problem, content_type = "application/problem+json"),
    (status = 401, body = Problem, content_type = "application/problem+json"),
    (status = 404, body = Problem, content_type = "application/problem+json"),
    (status = 409, description = "It was handed out, or has ended", body = Problem, content_type = "application/problem+json"),
))]
async fn cancel(
    State(manager): State<Manager>,
    Path(id): Path<String>,
) -> Result<Json<PackageRow>, Problem> {
    let id = number(&id)?;
    let row = at_work(&manager, move |eim| {
        eim.cancel(id)?;
        eim.package(id)
    })
    .await?;
    match row {
        Some(row) if row.state == PackageState::Cancelled => Ok(Json(row)),
        Some(row) => Err(Problem::conflict(format!(
            "package {id} is {}: only what is queued can be cancelled",
            row.state.name()
        ))),
        None => Err(Problem::not_found(format!("there is no package {id}"))),
    }
}

/// Does what may wait for the database where it doesn't hold up the sockets.
async fn at_work<T: Send + 'static>(
    manager: &Manager,
    work: impl FnOnce(&Eim) -> Result<T, EimError> + Send + 'static,
) -> Result<T, Problem> {
    let eim = manager.eim.clone();
    tokio::task::spawn_blocking(move || work(&eim))
        .await
        .map_err(|e| Problem::new(500, e.to_string()))?
        .map_err(Problem::from)
}

/// The device that a path names.
async fn known(manager: &Manager, text: &str) -> Result<(Eid, DeviceRow), Problem> {
    let eid = eid_in(text)?;
    let row = at_work(manager, move |eim| eim.device(&eid)).await?;
    let row = row.ok_or_else(|| {
        Problem::not_found(format!(
            "no device {eid}: it never polled, and wasn't registered"
        ))
    })?;
    Ok((eid, row))
}

fn eid_in(text: &str) -> Result<Eid, Problem> {
    text.parse()
        .map_err(|e| Problem::bad(format!("EID {text:?}: {e}")))
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse()
        .map_err(|_| Problem::bad(format!("expected a package's number, got {text:?}")))
}

fn read<T: DeserializeOwned>(body: Result<Bytes, BytesRejection>) -> Result<T, Problem> {
    let body = body.map_err(|e| Problem::new(e.status().as_u16(), e.body_text()))?;
    serde_json::from_slice(&body).map_err(|e| Problem::bad(format!("the body: {e}")))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(value) = headers.get("idempotency-key") else {
        return Ok(None);
    };
    match value.to_str() {
        Ok(key) if (1..=LONGEST_KEY).contains(&key.len()) => Ok(Some(key.to_owned())),
        _ => Err(Problem::bad(format!(
            "Idempotency-Key: expected 1 to {LONGEST_KEY} visible ASCII characters"
        ))),
    }
}
