//! Who calls whom, and the deepest stack that comes of it.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::Program;
use super::flow::{Site, What};
use super::{Costs, Frame, graph};
use crate::cap::labels::Labels;

/// Who calls whom in the package.
pub(super) struct Graph {
    calls: BTreeMap<u16, BTreeSet<u16>>,
    /// Components, the called before their callers.
    pub order: Vec<Vec<u16>>,
    pub circles: Vec<Vec<u16>>,
    pub recursive: BTreeSet<u16>,
}

impl Graph {
    pub fn new(program: &Program<'_>, sites: &BTreeMap<u16, Vec<Site<'_>>>) -> Self {
        let called = |sites: &[Site<'_>]| -> BTreeSet<u16> {
            let calls = sites.iter().filter_map(|site| match &site.what {
                What::Call(call) => Some(&call.targets),
                _ => None,
            });
            let targets = calls.flatten().copied();
            targets
                .filter(|t| program.methods.contains_key(t))
                .collect()
        };
        let calls: BTreeMap<u16, BTreeSet<u16>> = sites
            .iter()
            .map(|(offset, sites)| (*offset, called(sites)))
            .collect();
        let offsets: Vec<u16> = calls.keys().copied().collect();
        let node: BTreeMap<u16, usize> = offsets.iter().copied().zip(0..).collect();
        let successors: Vec<Vec<usize>> = calls
            .values()
            .map(|targets| {
                targets
                    .iter()
                    .filter_map(|t| node.get(t).copied())
                    .collect()
            })
            .collect();
        let order: Vec<Vec<u16>> = graph::components(&successors)
            .iter()
            .map(|component| {
                component
                    .iter()
                    .filter_map(|n| offsets.get(*n).copied())
                    .collect()
            })
            .collect();
        let itself = |method: &u16| calls.get(method).is_some_and(|c| c.contains(method));
        let is_circle = |c: &&Vec<u16>| c.len() > 1 || c.iter().any(itself);
        let circles: Vec<Vec<u16>> = order.iter().filter(is_circle).cloned().collect();
        Graph {
            recursive: circles.iter().flatten().copied().collect(),
            calls,
            order,
            circles,
        }
    }

    /// A method and all that it reaches.
    pub fn below(&self, method: u16) -> BTreeSet<u16> {
        let mut found = BTreeSet::new();
        let mut open = vec![method];
        while let Some(method) = open.pop() {
            if found.insert(method) {
                open.extend(self.calls.get(&method).into_iter().flatten());
            }
        }
        found
    }
}

/// The deepest stack from a method on.
pub(super) struct Deepest {
    pub bytes: u32,
    /// The method that is called there, if that is deeper than the method itself.
    next: Option<u16>,
}

/// The deepest stack of every method, in bytes. A call's arguments are the first locals of the called.
pub(super) fn deepest(
    program: &Program<'_>,
    sites: &BTreeMap<u16, Vec<Site<'_>>>,
    graph: &Graph,
    costs: Costs,
) -> BTreeMap<u16, Deepest> {
    let mut found: BTreeMap<u16, Deepest> = BTreeMap::new();
    for offset in graph.order.iter().flatten() {
        let Some(method) = program.methods.get(offset) else {
            continue;
        };
        let header = &method.header;
        let locals = u32::from(header.nargs) + u32::from(header.max_locals);
        let mut best = Deepest {
            bytes: costs.frame + 2 * (locals + u32::from(header.max_stack)),
            next: None,
        };
        for site in sites.get(offset).into_iter().flatten() {
            let What::Call(call) = &site.what else {
                continue;
            };
            let held = u32::from(site.depth.saturating_sub(call.nargs));
            for target in &call.targets {
                // Within a circle what isn't known yet is left out: the stack has no bound anyway.
                if let Some(below) = found.get(target) {
                    let bytes = costs.frame + 2 * (locals + held) + below.bytes;
                    if bytes > best.bytes {
                        best = Deepest {
                            bytes,
                            next: Some(*target),
                        };
                    }
                }
            }
        }
        found.insert(*offset, best);
    }
    found
}

pub(super) fn path(entry: u16, deepest: &BTreeMap<u16, Deepest>, labels: &Labels) -> Vec<Frame> {
    let mut path = Vec::new();
    let mut next = Some(entry);
    while let Some(method) = next
        && let Some(deep) = deepest.get(&method)
    {
        next = deep.next;
        let below = next.and_then(|next| deepest.get(&next));
        path.push(Frame {
            method: labels.method(method),
            bytes: deep.bytes - below.map_or(0, |below| below.bytes),
        });
    }
    path
}
