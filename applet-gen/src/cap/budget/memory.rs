//! What code allocates: where, how much, how often.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::{Call, Program};
use super::flow::{Site, What, Word};
use super::stack::Graph;
use super::{Allocation, Costs, EntryKind, Instance, Memory, Storage, Times};
use crate::api::ApiClass;
use crate::cap::labels::{Labels, imported_class};
use crate::cap::{Cap, ClassRef};

/// Bytes of a cell of an instance, of a reference and of a short.
const CELL: u32 = 2;

/// Methods of the API that make objects of the card's own: class and method. Their size is known to
/// the card only. `new` of an API class is another.
const FACTORIES: &[(&str, &str)] = &[
    ("javacard/security/KeyBuilder", "buildKey"),
    ("javacard/security/Signature", "getInstance"),
    ("javacard/security/MessageDigest", "getInstance"),
    ("javacard/security/InitializedMessageDigest", "getInstance"),
    ("javacard/security/RandomData", "getInstance"),
    ("javacard/security/KeyAgreement", "getInstance"),
    ("javacard/security/Checksum", "getInstance"),
    ("javacardx/crypto/Cipher", "getInstance"),
    ("uicc/access/UICCSystem", "getTheUICCView"),
    ("uicc/access/UICCSystem", "getTheFileView"),
];

/// What one place makes, each time it is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Made {
    /// `byte[512]`, `Machine`.
    pub what: String,
    pub storage: Storage,
    /// Bytes in non-volatile memory; `None`: not known.
    pub persistent: Option<u32>,
    /// Bytes in RAM.
    pub transient: Option<u32>,
}

/// What a place makes; `None` if it makes nothing.
fn made_by(program: &Program<'_>, labels: &Labels, costs: Costs, site: &Site<'_>) -> Option<Made> {
    let length = |word: Option<&Word>| word.copied().flatten().and_then(|n| u32::try_from(n).ok());
    let array = |element: &str, size: u32, count: Option<u32>, storage| {
        let contents = count.map(|count| count * size);
        let (persistent, transient) = match storage {
            Storage::Persistent => (contents.map(|bytes| bytes + costs.object), Some(0)),
            _ => (Some(costs.object), contents),
        };
        Made {
            what: format!(
                "{element}[{}]",
                count.map_or("?".to_owned(), |count| count.to_string())
            ),
            storage,
            persistent,
            transient,
        }
    };
    match &site.what {
        What::New(class) => Some(instance(program.cap, program, labels, costs, *class)),
        What::Array(kind) => {
            let (element, size) = match kind {
                10 => ("boolean", 1),
                11 => ("byte", 1),
                12 => ("short", 2),
                _ => ("int", 4),
            };
            Some(array(
                element,
                size,
                length(site.args.first()),
                Storage::Persistent,
            ))
        }
        What::References => Some(array(
            "reference",
            CELL,
            length(site.args.first()),
            Storage::Persistent,
        )),
        What::Call(Call {
            imported: Some((class, method)),
            ..
        }) => {
            let element = match (class.name.as_str(), method.name.as_str()) {
                ("javacard/framework/JCSystem", "makeTransientBooleanArray") => ("boolean", 1),
                ("javacard/framework/JCSystem", "makeTransientByteArray") => ("byte", 1),
                ("javacard/framework/JCSystem", "makeTransientShortArray") => ("short", 2),
                ("javacard/framework/JCSystem", "makeTransientObjectArray") => ("reference", CELL),
                // Its type is a parameter, and it is in the runtime's memory.
                ("javacard/framework/JCSystem", "makeGlobalArray") => {
                    return Some(card_object("global array".to_owned()));
                }
                pair if FACTORIES.contains(&pair) => {
                    return Some(card_object(class.simple_name().to_owned()));
                }
                _ => return None,
            };
            let storage = match site.args.get(1).copied().flatten() {
                Some(1) => Storage::Reset,
                Some(2) => Storage::Deselect,
                _ => Storage::Transient,
            };
            Some(array(
                element.0,
                element.1,
                length(site.args.first()),
                storage,
            ))
        }
        What::Call(_) => None,
    }
}

fn card_object(what: String) -> Made {
    Made {
        what,
        storage: Storage::Card,
        persistent: None,
        transient: None,
    }
}

fn instance(
    cap: &Cap,
    program: &Program<'_>,
    labels: &Labels,
    costs: Costs,
    class: ClassRef,
) -> Made {
    let mut cells = 0;
    let mut next = Some(class);
    for _ in 0..=cap.class.classes.len() {
        let Some(ClassRef::Internal(offset)) = next else {
            break;
        };
        let info = cap.class.class_at(offset);
        cells += info.map_or(0, |info| u32::from(info.declared_instance_size));
        next = info.and_then(|info| info.super_class);
    }
    match class {
        ClassRef::Internal(offset) => Made {
            what: labels.class(offset),
            storage: Storage::Persistent,
            persistent: Some(costs.object + CELL * cells),
            transient: Some(0),
        },
        external => {
            let known = imported_class(cap, program.packages, external);
            let name = known.map_or_else(|| external.to_string(), |c| c.simple_name().to_owned());
            card_object(name)
        }
    }
}

/// How often each method runs while an entry point runs once, at most (every way counted); `None`
/// when it is called in a loop or by recursion.
fn times(
    entry: u16,
    order: &[Vec<u16>],
    recursive: impl Fn(u16) -> bool,
    sites: &BTreeMap<u16, Vec<Site<'_>>>,
) -> BTreeMap<u16, Option<u32>> {
    let mut times: BTreeMap<u16, Option<u32>> = BTreeMap::from([(entry, Some(1))]);
    // Callers stand before the called in the reverse of Tarjan's order.
    for component in order.iter().rev() {
        if !component.iter().any(|method| times.contains_key(method)) {
            continue;
        }
        if component.iter().any(|method| recursive(*method)) {
            times.extend(component.iter().map(|method| (*method, None)));
        }
        for method in component {
            let own = times.get(method).copied().flatten();
            for site in sites.get(method).into_iter().flatten() {
                let What::Call(call) = &site.what else {
                    continue;
                };
                let here = own.filter(|_| !site.in_loop);
                for target in &call.targets {
                    let sum = times.entry(*target).or_insert(Some(0));
                    *sum = sum.zip(here).map(|(a, b)| a.saturating_add(b));
                }
            }
        }
    }
    times
}

/// What each applet takes at its installation, and every place that allocates.
pub(super) fn allocate(
    program: &Program<'_>,
    labels: &Labels,
    costs: Costs,
    entries: &BTreeMap<u16, EntryKind>,
    sites: &BTreeMap<u16, Vec<Site<'_>>>,
    graph: &Graph,
) -> (Vec<Instance>, Vec<Allocation>) {
    let installs: Vec<BTreeMap<u16, Option<u32>>> = program
        .cap
        .applets
        .iter()
        .map(|applet| {
            times(
                applet.install_method_offset,
                &graph.order,
                |method| graph.recursive.contains(&method),
                sites,
            )
        })
        .collect();
    let mut instances: Vec<Instance> = program
        .cap
        .applets
        .iter()
        .map(|applet| Instance {
            applet: hex::encode_upper(&applet.aid),
            memory: Memory::default(),
        })
        .collect();
    let others = entries
        .iter()
        .filter(|(_, kind)| **kind != EntryKind::Install);
    let later: BTreeSet<u16> = others
        .flat_map(|(offset, _)| graph.below(*offset))
        .collect();
    let mut allocations = Vec::new();
    for (offset, sites) in sites {
        for site in sites {
            let Some(made) = made_by(program, labels, costs, site) else {
                continue;
            };
            let mut most = Times::Never;
            for (instance, times) in instances.iter_mut().zip(&installs) {
                let Some(times) = times.get(offset) else {
                    continue;
                };
                let times = times.filter(|_| !site.in_loop);
                instance.memory.add(&made, times);
                most = match (most, times) {
                    (Times::Repeated, _) | (_, None) => Times::Repeated,
                    (Times::AtMost(a), Some(b)) => Times::AtMost(a.max(b)),
                    (Times::Never, Some(b)) => Times::AtMost(b),
                };
            }
            allocations.push(Allocation {
                method: labels.method(*offset),
                at: site.at,
                line: u16::try_from(site.at)
                    .ok()
                    .and_then(|at| labels.line(*offset, at))
                    .map(|(file, line)| format!("{file}:{line}")),
                what: made.what,
                storage: made.storage,
                persistent: made.persistent,
                transient: made.transient,
                install: most,
                later: later.contains(offset),
            });
        }
    }
    allocations.sort_by_key(|place| place.at);
    (instances, allocations)
}

impl Memory {
    fn add(&mut self, made: &Made, times: Option<u32>) {
        if made.storage == Storage::Card {
            self.card_objects += times.unwrap_or(1);
            self.unknown += u32::from(times.is_none());
            return;
        }
        if times.is_none() || made.persistent.is_none() || made.transient.is_none() {
            self.unknown += 1;
        }
        let times = times.unwrap_or(1);
        let bytes = |each: Option<u32>| each.unwrap_or(0).saturating_mul(times);
        let add = |sum: &mut u32, each| *sum = sum.saturating_add(bytes(each));
        add(&mut self.persistent, made.persistent);
        match made.storage {
            Storage::Reset => add(&mut self.reset, made.transient),
            Storage::Deselect => add(&mut self.deselect, made.transient),
            _ => add(&mut self.transient, made.transient),
        }
    }
}

/// Whether a call goes to code that may be another package's: a shareable object's method, or a
/// server's `getShareableInterfaceObject`.
pub(super) fn leaves(call: &Call<'_>) -> bool {
    let shareable = |class: &ApiClass| class.is_shareable();
    call.imported.is_some_and(|(class, method)| {
        shareable(class) || method.name == "getAppletShareableInterfaceObject"
    })
}
