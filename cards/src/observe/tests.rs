//! Observers fed with events whose sums are known.

use super::*;
use crate::definition::{Cost, Definition};
use crate::vm::{Context, Owner, PackageId, Place, Storage, Value};
use applet_gen::cap::opcode::code as op;

fn at(method: u16, pc: u16) -> Place {
    Place {
        package: PackageId::FIRST_LOADED,
        method,
        pc,
    }
}

fn instruction(method: u16, opcode: u8, depth: usize) -> Event<'static> {
    Event::Instruction {
        at: at(method, method + 2),
        opcode,
        depth,
        locals: &[],
        stack: &[],
    }
}

fn entered(method: u16, depth: usize) -> Event<'static> {
    Event::Entered {
        at: at(method, method + 2),
        owner: Owner::JCRE,
        depth,
    }
}

fn left(method: u16, depth: usize, thrown: bool) -> Event<'static> {
    Event::Left {
        at: at(method, method + 2),
        thrown,
        depth,
    }
}

fn api_call(class: &'static str, method: &'static str, bytes: usize) -> Event<'static> {
    Event::Native {
        class,
        method,
        descriptor: "()V",
        bytes,
        at: Some(at(0x10, 0x12)),
        caller: Owner::JCRE,
    }
}

/// process (0x10) calls itself through 0x20 once, writes, allocates, hashes, and waits for the card.
fn story() -> Profile {
    let mut profile = Profile::default();
    let context = Some(Context::Package(PackageId::FIRST_LOADED));
    let events = [
        Event::Started { frames: &[] },
        entered(0x10, 1),
        instruction(0x10, op::SCONST_0, 1),
        instruction(0x10, op::INVOKESTATIC, 1),
        entered(0x20, 2),
        instruction(0x20, op::INVOKESTATIC, 2),
        entered(0x10, 3),
        instruction(0x10, op::SADD, 3),
        left(0x10, 3, false),
        instruction(0x20, op::INVOKESTATIC, 2),
        api_call("javacard/framework/Util", "arrayCopy", 100),
        Event::Written { bytes: 64, context },
        Event::Written { bytes: 36, context },
        instruction(0x20, op::INVOKEVIRTUAL, 2),
        api_call("javacard/security/MessageDigest", "doFinal", 65),
        instruction(0x20, op::NEWARRAY, 2),
        Event::Allocated {
            what: crate::vm::Made::Bytes,
            storage: Storage::Persistent,
            persistent: 18,
            transient: 0,
            owner: Owner::JCRE,
        },
        left(0x20, 2, true),
        instruction(0x10, op::GOTO, 1),
        Event::Stopped { suspended: true },
        Event::Started {
            frames: &[at(0x10, 0x12)],
        },
        Event::Written {
            bytes: 3,
            context: None,
        },
        instruction(0x10, op::RETURN, 1),
        left(0x10, 1, false),
        Event::Stopped { suspended: false },
    ];
    for event in &events {
        profile.event(event);
    }
    profile
}

#[test]
fn stacks_add_up_to_what_was_executed() {
    let profile = story();
    let names = Names::default();
    let stacks = profile.stacks(&names);
    let sum: u64 = stacks
        .iter()
        .map(|stack| stack.counts.all_instructions())
        .sum();
    assert_eq!(sum, 9);
    assert_eq!(profile.total().all_instructions(), 9);
    let process = names.method(PackageId::FIRST_LOADED, 0x10);
    let helper = names.method(PackageId::FIRST_LOADED, 0x20);
    let own = |path: &[&str]| {
        let found = stacks.iter().find(|stack| stack.path == path).unwrap();
        (found.counts.all_instructions(), found.counts.all_writes())
    };
    assert_eq!(own(&[&process]), (4, 1));
    assert_eq!(own(&[&process, &helper]), (4, 0));
    assert_eq!(own(&[&process, &helper, &process]), (1, 0));
    assert_eq!(own(&[&process, &helper, "Util.arrayCopy"]), (0, 2));
}

#[test]
fn a_method_counts_itself_and_with_all_that_it_calls() {
    let rows = story().methods(&Names::default());
    let names = Names::default();
    let row = |method: u16| {
        let name = names.method(PackageId::FIRST_LOADED, method);
        rows.iter().find(|row| row.name == name).unwrap()
    };
    let process = row(0x10);
    assert_eq!(process.calls, 2, "going on after a suspension is no call");
    assert_eq!(process.own.all_instructions(), 5);
    assert_eq!(
        process.inclusive.all_instructions(),
        9,
        "the recursion counts once"
    );
    assert_eq!(process.inclusive.written_bytes(), 64 + 36 + 3);
    let helper = row(0x20);
    assert_eq!(
        (helper.own.allocations, helper.own.allocated_persistent),
        (1, 18)
    );
    assert_eq!(helper.inclusive.crypto_calls(), 1);
    let copy = rows
        .iter()
        .find(|row| row.name == "Util.arrayCopy")
        .unwrap();
    assert!(copy.api && copy.own.api_bytes == 100 && copy.own.all_writes() == 2);
}

fn cost() -> Cost {
    Definition::shipped("virtual-lab").unwrap().cost.unwrap()
}

#[test]
fn counts_become_time_by_the_definition() {
    let cost = cost();
    let total = story().total();
    let time = Time::of(&total, &cost);
    let ns = &cost.bytecode_ns;
    let bytecode = ns.load_store + ns.arithmetic + 4 * ns.invoke + ns.new + ns.branch + ns.return_;
    assert_eq!(time.bytecode_ns, u64::from(bytecode));
    assert_eq!(
        time.api_ns,
        2 * u64::from(cost.api_call_ns) + 100 * u64::from(cost.api_byte_ns)
    );
    // 64 and 36 bytes take a page each; the commit of 3 bytes takes log, data and its end.
    assert_eq!(cost.nvm.page_bytes, 64);
    assert_eq!(time.nvm_ns, 5 * 1000 * u64::from(cost.nvm.page_write_us));
    // 65 bytes are two blocks.
    assert_eq!(
        time.crypto_ns,
        2 * 1000 * u64::from(cost.crypto_us.digest_block)
    );
    let mut apdus = Apdus::default();
    apdus.add(5, 2);
    apdus.add(10, 8);
    let interface = Time::of_apdus(&apdus, &cost);
    let expected = 25 * 12 * 1_000_000_000 / u64::from(cost.apdu.bits_per_second)
        + 2 * 1000 * u64::from(cost.apdu.overhead_us);
    assert_eq!(interface.total_ns(), expected);
}

#[test]
fn a_tracer_keeps_the_path_to_an_exception_that_nobody_caught() {
    let names = Arc::new(Names::default());
    let mut tracer = Tracer::new(Arc::clone(&names)).tracing(Filter::default(), Vec::new(), 4);
    let thrown = |method| Event::Thrown {
        class: "javacard/framework/ISOException",
        reason: 0x6A80,
        at: Some(at(method, method + 2)),
    };
    let stack = [Value::Short(7), Value::NULL];
    let first = Event::Instruction {
        at: at(0x10, 0x12),
        opcode: op::INVOKESTATIC,
        depth: 1,
        locals: &[],
        stack: &stack,
    };
    for event in [
        Event::Started { frames: &[] },
        entered(0x10, 1),
        first,
        entered(0x20, 2),
        instruction(0x20, op::INVOKESTATIC, 2),
        api_call("javacard/framework/ISOException", "throwIt", 0),
        thrown(0x20),
        left(0x20, 2, true),
        left(0x10, 1, true),
        Event::Stopped { suspended: false },
    ] {
        tracer.event(&event);
    }
    let uncaught = tracer.take_uncaught().unwrap();
    assert_eq!(uncaught.api.as_deref(), Some("ISOException.throwIt"));
    assert_eq!(uncaught.path, [at(0x20, 0x22), at(0x10, 0x12)]);
    assert_eq!(
        uncaught.lines(&names)[0],
        "javacard.framework.ISOException: 6A80 (incorrect values in the command data)"
    );
    let (entries, left_out) = tracer.take();
    assert_eq!((entries.len(), left_out), (4, 0));
    assert!(matches!(&entries[0], Entry::Instruction { stack, .. } if *stack == ["7", "null"]));
    // A handler that runs on means that it was caught.
    tracer.event(&Event::Started { frames: &[] });
    tracer.event(&thrown(0x10));
    tracer.event(&instruction(0x10, op::POP, 1));
    assert_eq!(tracer.take_uncaught(), None);
    assert_eq!(tracer.take().1, 2, "beyond the limit");
}

#[test]
fn breakpoints_are_read() {
    let parse = |text: &str| text.parse::<Break>();
    let line = parse("Echo.process:12").unwrap();
    assert_eq!(
        (line.method.as_deref(), line.line),
        (Some("Echo.process"), Some(12))
    );
    let file = parse("Echo.java:3").unwrap();
    assert_eq!(
        (file.file.as_deref(), file.line),
        (Some("Echo.java"), Some(3))
    );
    assert_eq!(parse("Echo.process").unwrap().line, None);
    for wrong in ["", ":3", "Echo.java", "Echo.process:x"] {
        assert!(
            parse(wrong).unwrap_err().contains("expected CLASS.METHOD"),
            "{wrong}"
        );
    }
}
