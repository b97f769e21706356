//! What an observer is told.

use super::harness::Card;
use crate::vm::*;
use std::any::Any;

/// Counts, by kind.
#[derive(Debug, Default, Clone, PartialEq)]
struct Counts {
    instructions: usize,
    entered: usize,
    left: usize,
    natives: Vec<(&'static str, usize)>,
    allocated: usize,
    written: Vec<usize>,
    began: usize,
    aborted: usize,
    thrown: Vec<(String, i16)>,
    suspended: usize,
    depth: usize,
    resumed_at: usize,
}

impl Observer for Counts {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Instruction {
                depth, opcode, at, ..
            } => {
                self.instructions += 1;
                self.depth = self.depth.max(*depth);
                assert!(at.pc > at.method);
                assert!(applet_gen::cap::opcode::lookup(*opcode).is_some());
            }
            Event::Entered { .. } => self.entered += 1,
            Event::Left { .. } => self.left += 1,
            Event::Native { method, bytes, .. } => self.natives.push((method, *bytes)),
            Event::Allocated { .. } => self.allocated += 1,
            Event::Written { bytes, .. } => self.written.push(*bytes),
            Event::Began => self.began += 1,
            Event::Aborted { .. } => self.aborted += 1,
            Event::Thrown { class, reason, .. } => {
                self.thrown.push(((*class).to_owned(), *reason));
            }
            Event::Stopped { suspended } => self.suspended += usize::from(*suspended),
            Event::Started { frames } => self.resumed_at += frames.len(),
        }
    }
}

/// What happens during one command to the client.
fn observed(ins: u8, p1: u8, p2: u8, data: &[u8]) -> Counts {
    let (mut card, mut host) = Card::new();
    host.observer.0 = Some(Box::<Counts>::default());
    card.ask(&mut host, ins, p1, p2, data);
    let observer: Box<dyn Any> = host.observer.0.take().unwrap();
    *observer.downcast().unwrap()
}

#[test]
fn calls_and_instructions_balance() {
    let seen = observed(4, 0, 0, &[]);
    assert!(seen.instructions > 50, "{seen:?}");
    assert_eq!(seen.entered, seen.left);
    assert!(seen.entered > 5);
    assert!(seen.depth >= 2);
    assert!(seen.allocated == 2, "the command makes objects: {seen:?}");
    assert_eq!(seen.resumed_at, 0);
}

#[test]
fn a_transaction_is_told_as_one_write() {
    let seen = observed(5, 9, 0, &[]);
    assert_eq!((seen.began, seen.aborted), (1, 0));
    assert_eq!(seen.written.len(), 1);
    assert!(seen.written[0] > 8, "all that it changed: {seen:?}");
    let seen = observed(5, 9, 1, &[]);
    assert_eq!((seen.began, seen.aborted, seen.written.len()), (1, 1, 0));
}

#[test]
fn natives_tell_their_size_and_exceptions_their_reason() {
    let seen = observed(0x11, 1, 0, b"abc");
    assert!(seen.natives.contains(&("doFinal", 2)), "{seen:?}");
    let seen = observed(3, 0, 0, &[]);
    let iso = "javacard/framework/ISOException".to_owned();
    assert!(seen.thrown.contains(&(iso, 0x6A80)), "{seen:?}");
}

#[test]
fn a_waiting_thread_starts_again_with_its_frames() {
    let (mut card, mut host) = Card::new();
    host.observer.0 = Some(Box::<Counts>::default());
    let command = [0x80, 0x0F, 0, 0, 0];
    let mut thread = card
        .vm
        .start_process(card.client, &command, 0, false)
        .unwrap();
    assert_eq!(card.vm.run(&mut thread, &mut host), Outcome::Suspended);
    let result = Resume::Return(Some(Value::Short(0)));
    card.vm.resume(&mut thread, result, &mut host);
    let observer: Box<dyn Any> = host.observer.0.take().unwrap();
    let seen: Counts = *observer.downcast().unwrap();
    assert_eq!(seen.suspended, 1);
    assert!(seen.resumed_at >= 1);
    assert_eq!(seen.entered, seen.left);
}
