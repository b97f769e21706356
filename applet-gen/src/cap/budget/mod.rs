//! What a package will take on a card, told from its CAP alone: the deepest stack by the call graph,
//! memory at installation and later, code.
//!
//! Every way through the code counts, taken together: a figure without reservation is an upper bound
//! of what the card will see. Reservations are said where they apply: recursion, allocation in a
//! loop, a length that no constant reaches, objects of the API (their size is the card's), code of
//! other packages. Methods of imported packages count as native, without a frame.
//!
//! `calls` resolves calls, `flow` follows a method, `entries` knows where the card enters, `stack` finds
//! the deepest path, `memory` what is allocated, `graph` circles; `limits` compares with a card.

mod calls;
mod entries;
mod flow;
mod graph;
mod limits;
mod memory;
mod show;
mod stack;
#[cfg(test)]
mod tests;

pub use limits::{Limits, Resource, Shortage};

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::labels::Labels;
use super::{Cap, CapError, ComponentTag};
use crate::api::ApiPackage;
use calls::Program;
use flow::{Site, What, Word};
use stack::Graph;

/// What a card charges besides the contents, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Costs {
    /// A frame besides its arguments, locals and operand stack (two bytes a word).
    pub frame: u32,
    /// An object or array besides its fields (two bytes a cell) or elements.
    pub object: u32,
}

/// Why the card enters a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EntryKind {
    /// `install` of an applet.
    Install,
    /// `process`, `select` and the like.
    Applet,
    /// `processToolkit`.
    Toolkit,
    /// A method of a shareable interface.
    Shareable,
    /// A method that other packages can call.
    Exported,
    /// Another method that overrides or implements one of an imported package.
    Callback,
}

/// A frame of the deepest path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Frame {
    /// The method.
    pub method: String,
    /// Bytes of the stack that it holds while the next one runs; the last one's are all it can use.
    pub bytes: u32,
}

/// A method that the card calls, and the deepest stack that comes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EntryPoint {
    /// The method.
    pub method: String,
    /// Why the card calls it.
    pub kind: EntryKind,
    /// Bytes of the stack at the deepest.
    pub stack: u32,
    /// The path there, outermost first.
    pub path: Vec<Frame>,
    /// Methods below it call themselves again: each round is counted once, the stack has no bound.
    pub recursive: bool,
    /// It calls objects of other packages, whose frames come on top.
    pub leaves_package: bool,
}

/// Which memory the contents of an object lie in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// Non-volatile memory.
    Persistent,
    /// CLEAR_ON_RESET.
    Reset,
    /// CLEAR_ON_DESELECT.
    Deselect,
    /// Transient, of a kind that no constant tells.
    Transient,
    /// As the card likes: an object of the API.
    Card,
}

/// How often a place is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Times {
    /// Not at all.
    Never,
    /// So many times at most.
    AtMost(u32),
    /// It lies in a loop or a recursion.
    Repeated,
}

impl Times {
    /// The times that are known, for comparison.
    fn count(self) -> u64 {
        match self {
            Times::Never => 0,
            Times::AtMost(n) => n.into(),
            Times::Repeated => 1,
        }
    }
}

/// A place that makes an object or array.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allocation {
    /// The method.
    pub method: String,
    /// Offset of the instruction in the Method component.
    pub at: usize,
    /// Source file and line, where the CAP has them.
    pub line: Option<String>,
    /// What it makes: `byte[512]`, a class.
    pub what: String,
    /// Where its contents lie.
    pub storage: Storage,
    /// Bytes in non-volatile memory, each time; `null`: not known.
    pub persistent: Option<u32>,
    /// Bytes in RAM, each time; `null`: not known.
    pub transient: Option<u32>,
    /// How often an installation reaches it.
    pub install: Times,
    /// Whether something else than `install` reaches it.
    pub later: bool,
}

/// Memory of an instance after its installation, in bytes: what is known, counted together.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// Objects in non-volatile memory.
    pub persistent: u32,
    /// CLEAR_ON_RESET.
    pub reset: u32,
    /// CLEAR_ON_DESELECT.
    pub deselect: u32,
    /// Transient of a kind that is not known.
    pub transient: u32,
    /// Objects of the API, whose size is the card's.
    pub card_objects: u32,
    /// Places whose size or number is not known.
    pub unknown: u32,
}

/// What one applet takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Instance {
    /// AID of the applet, in hexadecimal.
    pub applet: String,
    /// Its memory after installation.
    pub memory: Memory,
}

/// A method and its code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CodeSize {
    /// The method.
    pub method: String,
    /// Bytes of header and code.
    pub bytes: usize,
}

/// What a package will take on a card.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Budget {
    /// Bytes of the components that stay on the card, and of the static fields.
    pub package: usize,
    /// Bytes of static fields.
    pub static_image: usize,
    /// Bytes of the arrays that static fields start with, as objects.
    pub static_arrays: usize,
    /// Where the card enters, the deepest first.
    pub entry_points: Vec<EntryPoint>,
    /// Circles of calls.
    pub recursion: Vec<Vec<String>>,
    /// Each applet's memory.
    pub instances: Vec<Instance>,
    /// Every place that makes an object, in the order of the code.
    pub allocations: Vec<Allocation>,
    /// The methods by the size of their code, the largest first.
    pub code: Vec<CodeSize>,
    /// Methods that nothing reaches from where the card enters.
    pub unreachable: Vec<CodeSize>,
    /// Methods whose code can't be followed, and why.
    pub unfollowed: Vec<String>,
}

impl Budget {
    /// The deepest stack of any entry point.
    pub fn stack(&self) -> u32 {
        self.entry_points.first().map_or(0, |entry| entry.stack)
    }

    /// Whether anything but installation allocates: memory may grow after it.
    pub fn grows(&self) -> bool {
        self.allocations.iter().any(|place| place.later)
    }
}

/// Bytes that a package takes on a card, objects not counted: the components that it needs to run
/// (JCVM 6.2; what only the loading needs is gone), and the static fields.
pub fn package_bytes(cap: &Cap) -> usize {
    let stay = [
        ComponentTag::Applet,
        ComponentTag::Import,
        ComponentTag::ConstantPool,
        ComponentTag::Class,
        ComponentTag::Method,
        ComponentTag::StaticField,
        ComponentTag::Export,
    ];
    let components = stay
        .into_iter()
        .filter_map(|tag| cap.info(tag).ok().flatten());
    components.map(|info| info.len()).sum::<usize>() + usize::from(cap.static_field.image_size)
}

/// Takes the budget of a CAP; names of imports and what their methods do come from `packages`.
///
/// # Errors
/// [`CapError`] if the methods can't be cut out.
pub fn budget(cap: &Cap, packages: &[ApiPackage], costs: Costs) -> Result<Budget, CapError> {
    let program = Program::new(cap, packages)?;
    let labels = Labels::new(cap, packages);
    let entries = entries::entries(&program);
    let followed = follow(&program, entries.keys().copied());
    let graph = Graph::new(&program, &followed.sites);
    let deepest = stack::deepest(&program, &followed.sites, &graph, costs);

    let mut entry_points: Vec<EntryPoint> = entries
        .iter()
        .map(|(offset, kind)| {
            let below = graph.below(*offset);
            let calls = below.iter().filter_map(|m| followed.sites.get(m)).flatten();
            EntryPoint {
                method: labels.method(*offset),
                kind: *kind,
                stack: deepest.get(offset).map_or(0, |deep| deep.bytes),
                path: stack::path(*offset, &deepest, &labels),
                recursive: below.iter().any(|method| graph.recursive.contains(method)),
                leaves_package: calls.clone().any(|site| match &site.what {
                    What::Call(call) => memory::leaves(call),
                    _ => false,
                }),
            }
        })
        .collect();
    entry_points.sort_by(|a, b| b.stack.cmp(&a.stack).then_with(|| a.method.cmp(&b.method)));

    let (instances, allocations) =
        memory::allocate(&program, &labels, costs, &entries, &followed.sites, &graph);
    let arrays = cap.static_field.arrays.iter();
    let size = |offset: &u16| {
        let method = program.methods.get(offset);
        CodeSize {
            method: labels.method(*offset),
            bytes: method.map_or(0, |m| m.header.len() + m.code.len()),
        }
    };
    let dead = program.methods.iter().filter(|(offset, method)| {
        !followed.sites.contains_key(offset) && !method.header.is_abstract()
    });
    let mut code: Vec<CodeSize> = program.methods.keys().map(size).collect();
    code.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.method.cmp(&b.method)));
    let name = |circle: &Vec<u16>| circle.iter().map(|m| labels.method(*m)).collect();
    Ok(Budget {
        package: package_bytes(cap),
        static_image: cap.static_field.image_size.into(),
        static_arrays: arrays.map(|a| a.values.len() + costs.object as usize).sum(),
        entry_points,
        recursion: graph.circles.iter().map(name).collect(),
        instances,
        allocations,
        code,
        unreachable: dead.map(|(offset, _)| size(offset)).collect(),
        unfollowed: followed
            .broken
            .iter()
            .map(|(offset, why)| format!("{}: {why}", labels.method(*offset)))
            .collect(),
    })
}

/// What was found in the methods that the card can reach.
struct Followed<'a> {
    sites: BTreeMap<u16, Vec<Site<'a>>>,
    broken: BTreeMap<u16, String>,
}

/// Times that a method is followed with more exact parameters before all of them count as unknown.
const ROUNDS: u32 = 8;

/// Follows every method that can be reached; the numbers that all its callers give a parameter reach
/// into it.
fn follow<'a>(program: &Program<'a>, entries: impl Iterator<Item = u16>) -> Followed<'a> {
    let mut followed = Followed {
        sites: BTreeMap::new(),
        broken: BTreeMap::new(),
    };
    let words = |offset: u16| {
        let method = program.methods.get(&offset);
        method.map_or(0, |method| usize::from(method.header.nargs))
    };
    let mut parameters: BTreeMap<u16, Vec<Word>> = entries
        .map(|offset| (offset, vec![None; words(offset)]))
        .collect();
    let mut rounds: BTreeMap<u16, u32> = BTreeMap::new();
    let mut work: BTreeSet<u16> = parameters.keys().copied().collect();
    while let Some(offset) = work.pop_first() {
        let Some(method) = program
            .methods
            .get(&offset)
            .filter(|m| !m.header.is_abstract())
        else {
            continue;
        };
        let Some(known) = parameters.get_mut(&offset) else {
            continue;
        };
        let round = rounds.entry(offset).or_default();
        *round += 1;
        if *round > ROUNDS {
            known.fill(None);
        }
        let sites = flow::sites(program, method, known).unwrap_or_else(|why| {
            followed.broken.insert(offset, why);
            Vec::new()
        });
        for site in &sites {
            let What::Call(call) = &site.what else {
                continue;
            };
            for target in &call.targets {
                if !program.methods.contains_key(target) {
                    continue;
                }
                let fits = words(*target) == site.args.len();
                let given = if fits {
                    site.args.clone()
                } else {
                    vec![None; words(*target)]
                };
                let changed = match parameters.get_mut(target) {
                    None => {
                        parameters.insert(*target, given);
                        true
                    }
                    Some(known) => join(known, &given),
                };
                if changed {
                    work.insert(*target);
                }
            }
        }
        followed.sites.insert(offset, sites);
    }
    followed
}

fn join(known: &mut [Word], given: &[Word]) -> bool {
    let mut changed = false;
    for (word, other) in known.iter_mut().zip(given) {
        if word.is_some() && word != other {
            *word = None;
            changed = true;
        }
    }
    changed
}
