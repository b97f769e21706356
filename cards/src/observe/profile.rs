//! What each method did, by the path of calls to it.

use super::{Counts, Names};
use crate::vm::{Event, Observer, PackageId, Place};
use std::collections::BTreeMap;

/// What a node of the tree of calls stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Root,
    Method(PackageId, u16),
    /// Class and method.
    Api(&'static str, &'static str),
}

#[derive(Debug)]
struct Node {
    key: Key,
    parent: usize,
    children: BTreeMap<Key, usize>,
    calls: u64,
    counts: Counts,
}

/// A thread that runs: the nodes of its frames, and the API method in which it is.
#[derive(Debug, Default)]
struct Running {
    frames: Vec<usize>,
    api: Option<usize>,
}

/// An observer that counts by path of calls.
#[derive(Debug)]
pub struct Profile {
    nodes: Vec<Node>,
    /// Threads within each other: an API method may start another one.
    running: Vec<Running>,
}

/// A path of calls, outermost first, and what its last method did itself.
#[derive(Debug, Clone)]
pub struct Stack {
    /// Names of methods.
    pub path: Vec<String>,
    /// Whether the last one is a method of the API.
    pub api: bool,
    /// What it did itself.
    pub counts: Counts,
}

/// A method, all its calls taken together.
#[derive(Debug, Clone)]
pub struct MethodRow {
    /// Its name.
    pub name: String,
    /// Whether it is a method of the API.
    pub api: bool,
    /// How often it was called.
    pub calls: u64,
    /// What it did itself.
    pub own: Counts,
    /// What it and all that it called did; a recursion counts once.
    pub inclusive: Counts,
}

impl Default for Profile {
    fn default() -> Self {
        Profile {
            nodes: vec![Node {
                key: Key::Root,
                parent: 0,
                children: BTreeMap::new(),
                calls: 0,
                counts: Counts::default(),
            }],
            running: Vec::new(),
        }
    }
}

impl Profile {
    /// Everything that was counted.
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        for node in &self.nodes {
            total += &node.counts;
        }
        total
    }

    /// Every path of calls that did something itself, in the order of names.
    pub fn stacks(&self, names: &Names) -> Vec<Stack> {
        let mut stacks = Vec::new();
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let path = self.path(at).iter().map(|key| name(*key, names)).collect();
            stacks.push(Stack {
                path,
                api: matches!(node.key, Key::Api(..)),
                counts: node.counts.clone(),
            });
        }
        stacks.sort_by(|a, b| a.path.cmp(&b.path));
        stacks
    }

    /// Every method, those with the most instructions below them first.
    pub fn methods(&self, names: &Names) -> Vec<MethodRow> {
        let mut rows: BTreeMap<Key, MethodRow> = BTreeMap::new();
        for (at, node) in self.nodes.iter().enumerate().skip(1) {
            let row = |key: Key| MethodRow {
                name: name(key, names),
                api: matches!(key, Key::Api(..)),
                calls: 0,
                own: Counts::default(),
                inclusive: Counts::default(),
            };
            let own = rows.entry(node.key).or_insert_with(|| row(node.key));
            own.calls += node.calls;
            own.own += &node.counts;
            let mut path = self.path(at);
            path.sort_unstable();
            path.dedup();
            for key in path {
                rows.entry(key).or_insert_with(|| row(key)).inclusive += &node.counts;
            }
        }
        let mut rows: Vec<MethodRow> = rows.into_values().collect();
        rows.sort_by(|a, b| {
            let by = |row: &MethodRow| (row.inclusive.all_instructions(), row.own.all_writes());
            by(b).cmp(&by(a)).then_with(|| a.name.cmp(&b.name))
        });
        rows
    }

    /// The keys on the path to a node, outermost first, the root left out.
    fn path(&self, at: usize) -> Vec<Key> {
        let mut path = Vec::new();
        let mut next = self.nodes.get(at);
        while let Some(node) = next
            && node.key != Key::Root
        {
            path.push(node.key);
            next = self.nodes.get(node.parent);
        }
        path.reverse();
        path
    }

    fn child(&mut self, parent: usize, key: Key) -> usize {
        let next = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else {
            return 0;
        };
        if let Some(known) = node.children.get(&key) {
            return *known;
        }
        node.children.insert(key, next);
        self.nodes.push(Node {
            key,
            parent,
            children: BTreeMap::new(),
            calls: 0,
            counts: Counts::default(),
        });
        next
    }

    /// The innermost frame's node; the root while only the runtime is at work.
    fn frame(&self) -> usize {
        let mut running = self.running.iter().rev();
        running
            .find_map(|thread| thread.frames.last().copied())
            .unwrap_or(0)
    }

    /// Where what happens now is counted.
    fn counts(&mut self) -> &mut Counts {
        let api = self.running.last().and_then(|thread| thread.api);
        let at = api.unwrap_or_else(|| self.frame());
        // A node is never removed: `at` is one of them.
        let at = at.min(self.nodes.len() - 1);
        &mut self.nodes[at].counts
    }

    fn leave_api(&mut self) {
        if let Some(thread) = self.running.last_mut() {
            thread.api = None;
        }
    }

    fn enter(&mut self, at: Place, call: bool) {
        let node = self.child(self.frame(), Key::Method(at.package, at.method));
        if let Some(node) = self.nodes.get_mut(node) {
            node.calls += u64::from(call);
        }
        if let Some(thread) = self.running.last_mut() {
            thread.frames.push(node);
        }
    }
}

fn name(key: Key, names: &Names) -> String {
    match key {
        Key::Root => String::new(),
        Key::Method(package, method) => names.method(package, method),
        Key::Api(class, method) => {
            let class = class.rsplit('/').next().unwrap_or(class);
            format!("{class}.{method}")
        }
    }
}

impl Observer for Profile {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { frames } => {
                self.running.push(Running::default());
                for at in *frames {
                    self.enter(*at, false);
                }
            }
            Event::Stopped { .. } => {
                self.running.pop();
                self.leave_api();
            }
            Event::Instruction { opcode, depth, .. } => {
                self.leave_api();
                if let Some(thread) = self.running.last_mut() {
                    thread.frames.truncate(*depth);
                }
                self.counts().instruction(*opcode);
            }
            Event::Entered { at, depth, .. } => {
                self.leave_api();
                if let Some(thread) = self.running.last_mut() {
                    thread.frames.truncate(depth.saturating_sub(1));
                }
                self.enter(*at, true);
            }
            Event::Left { depth, .. } => {
                self.leave_api();
                if let Some(thread) = self.running.last_mut() {
                    thread.frames.truncate(depth.saturating_sub(1));
                }
            }
            Event::Native {
                class,
                method,
                bytes,
                ..
            } => {
                let node = self.child(self.frame(), Key::Api(class, method));
                if let Some(node) = self.nodes.get_mut(node) {
                    node.calls += 1;
                    node.counts.api_call(class, method, *bytes);
                }
                if let Some(thread) = self.running.last_mut() {
                    thread.api = Some(node);
                }
            }
            Event::Allocated {
                persistent,
                transient,
                ..
            } => {
                let counts = self.counts();
                counts.allocations += 1;
                counts.allocated_persistent += *persistent as u64;
                counts.allocated_transient += *transient as u64;
            }
            Event::Written { bytes, context } => {
                let counts = self.counts();
                let sizes = match context {
                    Some(_) => &mut counts.writes,
                    None => &mut counts.commits,
                };
                *sizes.entry(*bytes).or_default() += 1;
            }
            Event::Thrown { .. } => self.counts().exceptions += 1,
            _ => {}
        }
    }
}
