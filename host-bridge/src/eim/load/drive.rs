//! Who polls when, who queues what.

use super::super::EimIdentity;
use super::client::Client;
use super::device::{Device, ICCIDS};
use super::report::{self, LoadReport, Taken};
use super::{LoadError, LoadOptions};
use cards::pki::Hierarchy;
use serde_json::json;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a request that failed waits before it is sent again: the eIM may be starting.
const AGAIN: Duration = Duration::from_millis(100);

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An operation that the eIM took.
pub(super) struct Operation {
    /// Which device's, by its place.
    pub(super) device: usize,
    /// Its number at the eIM.
    pub(super) package: i64,
}

/// What is shared by those who poll.
struct Shared<'a> {
    options: &'a LoadOptions,
    devices: Vec<Mutex<Device>>,
    /// When each device polls next, by its place.
    due: Mutex<BinaryHeap<Reverse<(Instant, usize)>>>,
    begun: Instant,
    stop: AtomicBool,
    taken: Mutex<Vec<Taken>>,
    errors: Mutex<std::collections::BTreeMap<String, u64>>,
    interrupted: &'a AtomicBool,
}

/// Drives a load and checks what came of it. `progress` is told what is done and how much of it, in
/// thousandths; `interrupted` ends the load early, and what was queued until then is checked.
///
/// # Errors
/// [`LoadError`] if a device can't be made or registered, or the eIM can't be asked at the end.
pub fn run(
    hierarchy: &Hierarchy,
    options: &LoadOptions,
    interrupted: &AtomicBool,
    progress: &(dyn Fn(&str, u32) + Sync),
) -> Result<LoadReport, LoadError> {
    let devices = take_in(hierarchy, options, interrupted, progress)?;
    let begun = Instant::now();
    let mut random = Random(options.seed);
    let spread = u64::try_from(options.poll_every.as_micros()).unwrap_or(u64::MAX);
    let due = (0..devices.len())
        .map(|place| {
            let first = Duration::from_micros(random.below(spread.max(1)));
            Reverse((begun + first, place))
        })
        .collect();
    let shared = Shared {
        options,
        devices,
        due: Mutex::new(due),
        begun,
        stop: AtomicBool::new(false),
        taken: Mutex::new(Vec::new()),
        errors: Mutex::default(),
        interrupted,
    };
    let operations = std::thread::scope(|scope| {
        for _ in 0..options.at_once.max(1) {
            scope.spawn(|| shared.poll_what_is_due());
        }
        let operations = shared.queue(&mut random, progress);
        shared.settle(progress);
        shared.stop.store(true, Ordering::Relaxed);
        operations
    });
    let Shared {
        devices,
        taken,
        errors,
        ..
    } = shared;
    let devices: Vec<Device> = devices
        .into_iter()
        .map(|device| device.into_inner().unwrap_or_else(PoisonError::into_inner))
        .collect();
    let taken = taken.into_inner().unwrap_or_else(PoisonError::into_inner);
    let errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    report::of(options, &devices, &operations, &taken, errors)
}

/// Makes the devices and tells the eIM of them.
fn take_in(
    hierarchy: &Hierarchy,
    options: &LoadOptions,
    interrupted: &AtomicBool,
    progress: &(dyn Fn(&str, u32) + Sync),
) -> Result<Vec<Mutex<Device>>, LoadError> {
    let client = Client::new(options);
    let identity = EimIdentity::of_hierarchy(hierarchy).map_err(|e| LoadError::Device {
        eid: "of no one".into(),
        detail: e.to_string(),
    })?;
    let mut devices = Vec::new();
    for number in 1..=options.devices {
        if interrupted.load(Ordering::Relaxed) {
            break;
        }
        let (device, papers) = Device::new(hierarchy, &identity, number)?;
        let body = json!({
            "eid": device.eid.to_string(),
            "euicc_certificate": hex::encode(papers.euicc_certificate),
            "eum_certificate": hex::encode(papers.eum_certificate),
            "association_token": papers.association_token,
            "counter": 0,
        });
        client.post("/devices", &body, None)?;
        devices.push(Mutex::new(device));
        progress("devices", thousandths(number, options.devices));
    }
    Ok(devices)
}

fn thousandths(done: u32, all: u32) -> u32 {
    u32::try_from(u64::from(done) * 1000 / u64::from(all.max(1))).unwrap_or(1000)
}

impl Shared<'_> {
    fn ended(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// One of those who poll: takes the device that is due next, until the load ends.
    fn poll_what_is_due(&self) {
        while !self.ended() {
            let next = lock(&self.due).pop();
            let Some(Reverse((due, place))) = next else {
                std::thread::sleep(Duration::from_millis(1));
                continue;
            };
            let wait = due.saturating_duration_since(Instant::now());
            if !wait.is_zero() {
                lock(&self.due).push(Reverse((due, place)));
                std::thread::sleep(wait.min(Duration::from_millis(5)));
                continue;
            }
            let Some(device) = self.devices.get(place) else {
                continue;
            };
            let polled = lock(device).poll(self.options.esipa);
            match polled {
                Ok(poll) => lock(&self.taken).push(Taken {
                    at: self.begun.elapsed(),
                    took: poll.took,
                    packages: poll.packages,
                }),
                Err(why) => {
                    *lock(&self.errors).entry(why).or_default() += 1;
                    std::thread::sleep(AGAIN);
                }
            }
            let next = Instant::now().max(due + self.options.poll_every);
            lock(&self.due).push(Reverse((next, place)));
        }
    }

    /// Queues operations at their rate until the load's time is over; gives those that the eIM took.
    fn queue(&self, random: &mut Random, progress: &(dyn Fn(&str, u32) + Sync)) -> Vec<Operation> {
        let client = Client::new(self.options);
        let run = random.next();
        let mut operations = Vec::new();
        let mut enabled = vec![0; self.devices.len()];
        let per_second = f64::from(self.options.operations_per_minute) / 60.0;
        loop {
            let elapsed = self.begun.elapsed();
            if elapsed >= self.options.duration || self.interrupted.load(Ordering::Relaxed) {
                return operations;
            }
            let whole = self.options.duration.as_secs_f64().max(f64::MIN_POSITIVE);
            progress("load", (elapsed.as_secs_f64() / whole * 1000.0) as u32);
            let due = elapsed.as_secs_f64() * per_second;
            if self.devices.is_empty() || operations.len() as f64 >= due {
                std::thread::sleep(Duration::from_millis(2));
                continue;
            }
            let device = random.below(self.devices.len() as u64) as usize;
            let (Some(at), Some(now)) = (self.devices.get(device), enabled.get_mut(device)) else {
                continue;
            };
            let asked = if random.below(4) == 0 {
                json!({ "operation": "inventory" })
            } else {
                *now = (*now + 1) % ICCIDS.len();
                let iccid = ICCIDS.get(*now).copied().unwrap_or_default();
                json!({ "operation": "enable", "iccid": iccid })
            };
            let eid = lock(at).eid;
            let body = json!({ "operations": [asked] });
            let key = format!("load-{run:016x}-{}", operations.len());
            let path = format!("/devices/{eid}/packages");
            // The same request with the same key, until the eIM says that it has it: it may have been
            // killed between taking it and saying so.
            let package = loop {
                match client.post(&path, &body, Some(&key)) {
                    Ok(row) => break row.get("id").and_then(serde_json::Value::as_i64),
                    Err(e) => {
                        *lock(&self.errors).entry(e.to_string()).or_default() += 1;
                        if self.interrupted.load(Ordering::Relaxed) {
                            return operations;
                        }
                        std::thread::sleep(AGAIN);
                    }
                }
            };
            operations.extend(package.map(|package| Operation { device, package }));
        }
    }

    /// Lets the devices poll until nothing waits, or the time for it is over.
    fn settle(&self, progress: &(dyn Fn(&str, u32) + Sync)) {
        let client = Client::new(self.options);
        let begun = Instant::now();
        let whole = self.options.settle.as_secs_f64().max(f64::MIN_POSITIVE);
        while begun.elapsed() < self.options.settle && !self.interrupted.load(Ordering::Relaxed) {
            progress(
                "settling",
                (begun.elapsed().as_secs_f64() / whole * 1000.0) as u32,
            );
            if let Ok(summary) = client.get("/summary") {
                let count = |state: &str| {
                    let packages = summary.get("packages");
                    packages.and_then(|p| p.get(state)).and_then(|n| n.as_u64())
                };
                if count("queued").is_none() && count("sent").is_none() {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

/// A simple generator (xorshift): the load follows from its seed.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        let mut x = self.0.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        self.0 = self.0.wrapping_add(1);
        x
    }

    fn below(&mut self, limit: u64) -> u64 {
        (self.next() >> 16) % limit.max(1)
    }
}
