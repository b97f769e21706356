//! Methods that nothing can call.

use std::collections::{BTreeMap, BTreeSet};

use super::super::ir::{Body, Symbol};
use super::super::world::{Binding, MemberId, World};

/// The package's methods that no call can reach: statically bound ones (private, static,
/// constructors) that have no token, so that no other package can name them, and that no method
/// calls which itself can be reached. Virtual methods and those with tokens stay: the runtime and
/// other packages find them by number. `installs` are the applets' entry points.
pub(crate) fn unreachable(
    world: &World,
    bodies: &BTreeMap<MemberId, Body>,
    installs: &[MemberId],
) -> BTreeSet<MemberId> {
    let is_root = |id: &MemberId| {
        let method = world.method(*id);
        method.binding != Binding::Static || method.token.is_some() || installs.contains(id)
    };
    let mut reached: BTreeSet<MemberId> = bodies.keys().copied().filter(is_root).collect();
    let mut pending: Vec<MemberId> = reached.iter().copied().collect();
    while let Some(id) = pending.pop() {
        let symbols = bodies
            .get(&id)
            .into_iter()
            .flat_map(|body| &body.instructions);
        for symbol in symbols.filter_map(|ins| ins.op.symbol()) {
            if let Symbol::StaticMethod(called) = symbol
                && bodies.contains_key(&called)
                && reached.insert(called)
            {
                pending.push(called);
            }
        }
    }
    bodies
        .keys()
        .copied()
        .filter(|id| !reached.contains(id))
        .collect()
}
