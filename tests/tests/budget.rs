//! What the static budget says of the applet, against what the VM measures.

use applet_gen::api;
use applet_gen::cap::budget::{EntryKind, budget, package_bytes};
use cards::vm::COSTS;
use host_bridge::campaign;
use ipae_tests::{applet, installed};
use std::sync::atomic::AtomicU64;

/// Random traces whose deepest stack is looked at.
const TRACES: u64 = 300;

#[test]
fn the_static_budget_holds_what_the_vm_measures() {
    let cap = &applet().named;
    let budget = budget(cap, api::packages(), COSTS).unwrap_or_else(|e| panic!("{e}"));
    assert!(budget.unfollowed.is_empty() && budget.recursion.is_empty());
    assert!(!budget.grows(), "the applet allocates at installation only");

    let (card, lockstep) = installed();
    let used = card.vm().memory();
    let sum = |list: &[(_, usize)]| list.iter().map(|(_, bytes)| bytes).sum::<usize>();
    let memory = &budget.instances[0].memory;
    assert_eq!(
        (memory.unknown, memory.card_objects, memory.transient),
        (0, 0, 0)
    );
    assert_eq!(sum(&used.instances), memory.persistent as usize);
    assert_eq!(used.transient_reset, memory.reset as usize);
    assert_eq!(used.transient_deselect, memory.deselect as usize);
    let packages: usize = used.packages.iter().map(|(_, bytes)| bytes).sum();
    // With names the CAP has a signature pool, which the one on the card doesn't.
    assert_eq!(
        packages,
        package_bytes(&applet().cap) + budget.static_arrays
    );
    let text = budget.to_string();
    assert!(text.contains("in Memory.<init> (Memory.java:"), "{text}");
    let deepest = &budget.entry_points[0];
    assert_eq!(deepest.method, "IpaApplet.processData", "{budget}");

    let of = |kind| {
        budget
            .entry_points
            .iter()
            .find(move |entry| entry.kind == kind)
    };
    let install = of(EntryKind::Install).expect("install").stack as usize;
    assert!(used.max_stack <= install, "{} > {install}", used.max_stack);

    let campaign = campaign::run(&card, &lockstep, 0..TRACES, &AtomicU64::new(0))
        .unwrap_or_else(|e| panic!("{e}"));
    let (measured, bound) = (campaign.max_stack, budget.stack() as usize);
    println!("stack: {measured} measured, {bound} by the call graph");
    assert!(measured <= bound, "{measured} > {bound}");
    // The deepest path is a real one, not one that adds up what never meets.
    assert!(measured * 2 > bound, "{measured} of {bound}");
}
