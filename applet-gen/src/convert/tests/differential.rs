//! Random arithmetic, computed by the JDK's virtual machine and by the converted code.
//!
//! Expressions of shorts and bytes with casts in random places become methods. Those that the
//! converter refuses are left out; of all others the result must be Java's for every input.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

use super::harness::{converted, run_compiler};
use crate::cap::opcode::code as op;
use crate::cap::{Cap, ComponentTag, Instruction, Operands, decode};

/// Numbers by a linear congruence: the same in every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.roll(from.len() as u64) as usize]
    }
}

fn expression(dice: &mut Dice, depth: usize) -> String {
    if depth == 0 {
        return match dice.roll(4) {
            0 => dice
                .pick(&[
                    "0", "1", "(-1)", "5", "127", "(-128)", "200", "255", "0x7FFF", "(-3000)",
                ])
                .to_owned(),
            _ => dice.pick(&["a", "b", "c", "d"]).to_owned(),
        };
    }
    let left = expression(dice, depth - 1);
    let smaller = dice.roll(depth as u64) as usize;
    let right = expression(dice, smaller);
    match dice.roll(16) {
        0..=3 => format!("({left} {} {right})", dice.pick(&["+", "-", "*"])),
        4..=6 => format!("({left} {} {right})", dice.pick(&["&", "|", "^"])),
        7 => format!(
            "({left} {} {})",
            dice.pick(&["<<", ">>", ">>>"]),
            dice.roll(20)
        ),
        8 => format!("({left} {} {right})", dice.pick(&["<<", ">>", ">>>"])),
        9 => format!(
            "({left} {} {})",
            dice.pick(&["/", "%"]),
            dice.pick(&["3", "-7", "256"])
        ),
        10 => format!("({left} / ({right} == 0 ? 1 : {right}))"),
        11 => format!("(-{left})"),
        12 => format!(
            "({left} {} {right} ? {left} : {right})",
            dice.pick(&["<", ">=", "!="])
        ),
        13 => format!("((byte) {left})"),
        14 => format!("({left} & 0xFF)"),
        _ => format!("((short) {left})"),
    }
}

/// Statements that no converter refuses: branches, loops, switches, early ends.
fn statements(dice: &mut Dice, depth: usize, in_loop: bool) -> String {
    let name = |dice: &mut Dice| dice.pick(&["a", "b", "c", "d", "g", "h"]).to_owned();
    let mut text = String::new();
    for _ in 0..=dice.roll(3) {
        let (x, y) = (name(dice), name(dice));
        let to = dice.pick(&["a", "b", "d", "g", "h"]);
        let constant = dice.pick(&["0", "1", "-1", "7", "100", "3000"]);
        let compare = dice.pick(&["<", ">=", "==", "!=", ">", "<="]);
        let _ = match dice.roll(if depth == 0 { 5 } else { 10 }) {
            0 | 1 => write!(
                text,
                "{to} = (short) ({x} {} {y});",
                dice.pick(&["+", "-", "^"])
            ),
            2 => write!(text, "{to} += {constant};"),
            3 => write!(text, "{to} = {constant}; {x}++;"),
            4 if in_loop => {
                let end = dice.pick(&["break", "continue"]);
                write!(text, "if ({x} {compare} {constant}) {{ {end}; }}")
            }
            4 => write!(text, "if ({x} {compare} {constant}) {{ return {y}; }}"),
            5 | 6 => {
                let then = statements(dice, depth - 1, in_loop);
                // Often the same on both sides: what stands twice can be kept once.
                let other = match dice.roll(3) {
                    0 => String::new(),
                    1 => format!("{y}--; {then}"),
                    _ => statements(dice, depth - 1, in_loop),
                };
                write!(
                    text,
                    "if ({x} {compare} {y}) {{ {then} }} else {{ {other} }}"
                )
            }
            7 => {
                let body = statements(dice, depth - 1, true);
                let index = format!("i{depth}");
                write!(
                    text,
                    "for (short {index} = 0; {index} < 3; {index}++) {{ {to} += {index}; {body} }}"
                )
            }
            _ => {
                let mut cases = String::new();
                let step = dice.pick(&["1", "3", "40"]).parse::<i16>().unwrap();
                for case in 0..=dice.roll(4) as i16 {
                    let body = statements(dice, depth - 1, false);
                    let end = dice.pick(&["break;", "break;", ""]);
                    let _ = write!(cases, "case {}: {body} {end} ", case * step);
                }
                write!(text, "switch ({x}) {{ {cases} default: {to}++; }}")
            }
        };
    }
    text
}

const INPUTS: [(i16, i16, i8, bool); 8] = [
    (0, 0, 0, false),
    (1, -1, 1, true),
    (-32768, -1, -128, true),
    (32767, 32767, 127, false),
    (-32768, 32767, -1, true),
    (12345, -54, 99, false),
    (255, 256, -7, true),
    (-2, 16384, 64, false),
];

/// The class, and the program that prints the results, one line a method.
fn sources(bodies: &[(usize, String)]) -> [(&'static str, String); 2] {
    let mut class = "package p; class A {\n".to_owned();
    let mut main = "package p; public class Main {\n".to_owned();
    let mut calls = String::new();
    for (index, body) in bodies {
        let _ = writeln!(
            class,
            "static short f{index}(short a, short b, byte c, boolean e) {{\
             short d = (short) (e ? 1 : a); {body} }}"
        );
        // A method each: one for all would be too large for the JVM.
        let _ = write!(
            main,
            "static void g{index}() {{ System.out.println(\"f{index}\""
        );
        for (a, b, c, e) in INPUTS {
            let _ = write!(
                main,
                " + \" \" + p.A.f{index}((short) {a}, (short) {b}, (byte) {c}, {e})"
            );
        }
        let _ = writeln!(main, "); }}");
        let _ = write!(calls, "g{index}();");
    }
    class.push('}');
    let _ = write!(main, "public static void main(String[] x) {{ {calls} }} }}");
    [("A.java", class), ("Main.java", main)]
}

fn class_file(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let path = folder.join("p/A.class");
    vec![("A.class".to_owned(), std::fs::read(path).unwrap())]
}

/// Runs straight arithmetic as JCVM chapter 7 says, on 16-bit cells.
fn run(code: &[Instruction], arguments: &[i16]) -> i16 {
    let mut locals = [0i16; 32];
    locals[..arguments.len()].copy_from_slice(arguments);
    let mut stack: Vec<i16> = Vec::new();
    let mut at = 0i64;
    for _ in 0..100_000 {
        let position = code.binary_search_by_key(&at, |ins| ins.at as i64).unwrap();
        let ins = &code[position];
        let next = at + ins.len as i64;
        at = next;
        let opcode = ins.opcode.code;
        match (opcode, &ins.operands) {
            (op::SCONST_M1..=op::SCONST_5, _) => {
                stack.push(i16::from(opcode) - i16::from(op::SCONST_0));
            }
            (op::BSPUSH | op::SSPUSH, Operands::Value(value)) => stack.push(*value as i16),
            (op::SLOAD, Operands::Local(index)) => stack.push(locals[usize::from(*index)]),
            (op::SLOAD_0..=op::SLOAD_3, _) => {
                stack.push(locals[usize::from(opcode - op::SLOAD_0)]);
            }
            (op::SSTORE, Operands::Local(index)) => {
                locals[usize::from(*index)] = stack.pop().unwrap();
            }
            (op::SSTORE_0..=op::SSTORE_3, _) => {
                locals[usize::from(opcode - op::SSTORE_0)] = stack.pop().unwrap();
            }
            (op::POP, _) => {
                stack.pop().unwrap();
            }
            (op::SINC | op::SINC_W, Operands::Increment { local, value }) => {
                let cell = &mut locals[usize::from(*local)];
                *cell = cell.wrapping_add(*value);
            }
            (op::SRETURN, _) => return stack.pop().unwrap(),
            (op::S2B, _) => {
                let value = stack.pop().unwrap();
                stack.push((value as i8).into());
            }
            (op::SNEG, _) => {
                let value = stack.pop().unwrap();
                stack.push(value.wrapping_neg());
            }
            (op::STABLESWITCH | op::SLOOKUPSWITCH, operands) => {
                let value = i64::from(stack.pop().unwrap());
                // The default comes first.
                let case = match operands {
                    Operands::Table { low, offsets, .. } => {
                        usize::try_from(value - i64::from(*low))
                            .ok()
                            .filter(|index| *index < offsets.len())
                    }
                    Operands::Lookup { pairs, .. } => {
                        pairs.iter().position(|(key, _)| i64::from(*key) == value)
                    }
                    other => panic!("{other:?} of a switch"),
                };
                at = ins.targets()[case.map_or(0, |index| index + 1)];
            }
            (op::GOTO | op::GOTO_W, _) => at = ins.targets()[0],
            (op::IFEQ..=op::IFLE | op::IFEQ_W..=op::IFLE_W, _) => {
                let kind = (opcode - op::IFEQ) % (op::IFEQ_W - op::IFEQ);
                if compare(kind, stack.pop().unwrap(), 0) {
                    at = ins.targets()[0];
                }
            }
            (op::IF_SCMPEQ..=op::IF_SCMPLE | op::IF_SCMPEQ_W..=op::IF_SCMPLE_W, _) => {
                let kind = (opcode - op::IF_SCMPEQ) % (op::IFEQ_W - op::IFEQ);
                let right = stack.pop().unwrap();
                if compare(kind, stack.pop().unwrap(), right) {
                    at = ins.targets()[0];
                }
            }
            _ => {
                let right = stack.pop().unwrap();
                let left = stack.pop().unwrap();
                stack.push(binary(opcode, left, right));
            }
        }
    }
    panic!("the code does not end");
}

fn compare(kind: u8, left: i16, right: i16) -> bool {
    match kind {
        0 => left == right,
        1 => left != right,
        2 => left < right,
        3 => left >= right,
        4 => left > right,
        _ => left <= right,
    }
}

fn binary(opcode: u8, left: i16, right: i16) -> i16 {
    let distance = (right & 0x1F) as u32;
    let wide = i32::from(left);
    match opcode {
        op::SADD => left.wrapping_add(right),
        op::SSUB => left.wrapping_sub(right),
        op::SMUL => left.wrapping_mul(right),
        op::SDIV => left.wrapping_div(right),
        op::SREM => left.wrapping_rem(right),
        op::SAND => left & right,
        op::SOR => left | right,
        op::SXOR => left ^ right,
        op::SSHL => wide.wrapping_shl(distance) as i16,
        op::SSHR => (wide >> distance) as i16,
        op::SUSHR => (wide as u32 >> distance) as i16,
        other => panic!("opcode {other:02x} in straight arithmetic"),
    }
}

fn results(cap: &Cap, index: usize) -> Vec<i16> {
    let methods = cap.methods().unwrap();
    let code = decode::decode_all(&methods[index].code).unwrap();
    INPUTS
        .iter()
        .map(|(a, b, c, e)| run(&code, &[*a, *b, (*c).into(), (*e).into()]))
        .collect()
}

#[test]
fn converted_arithmetic_is_javas() {
    let mut dice = Dice(42);
    let mut bodies: Vec<(usize, String)> = (0..600)
        .map(|index| {
            let depth = 1 + index % 4;
            let value = expression(&mut dice, depth);
            let body = match dice.roll(4) {
                0 => format!("d += {value}; return d;"),
                1 => format!("c -= {value}; d--; return (short) (c + d);"),
                _ => format!("return (short) {value};"),
            };
            (index, body)
        })
        .collect();
    let written = bodies.len();
    bodies.extend((written..written + 150).map(|index| {
        let body = statements(&mut dice, 2, false);
        let text = format!(
            "short g = 5; short h = (short) (a ^ b); {body} return (short) (d + g + h + a + b + c);"
        );
        (index, text)
    }));

    let first = run_compiler(&sources(&bodies));
    if let Err(errors) = converted(class_file(first.path()), None) {
        let refused: BTreeSet<String> = errors
            .iter()
            .map(|error| {
                assert!(error.to_string().contains("beyond a short"), "{error}");
                let name = error.place.trim_start_matches("p.A.");
                name.split('(').next().unwrap().to_owned()
            })
            .collect();
        bodies.retain(|(index, _)| !refused.contains(&format!("f{index}")));
    }
    assert!(bodies.len() > written / 3, "{} of {written}", bodies.len());

    let second = run_compiler(&sources(&bodies));
    let cap = converted(class_file(second.path()), None).unwrap().cap;
    let mut input = super::harness::input(class_file(second.path()), None);
    input.plain = true;
    let plain = crate::convert::convert(&input).unwrap().cap;
    let length = |cap: &Cap| cap.info(ComponentTag::Method).unwrap().unwrap().len();
    assert!(length(&cap) < length(&plain));
    let java = Command::new(super::harness::java())
        .arg("-classpath")
        .arg(second.path())
        .arg("p.Main")
        .output()
        .unwrap();
    assert!(java.status.success(), "{java:?}");
    let lines = String::from_utf8(java.stdout).unwrap();
    for (position, ((index, body), line)) in bodies.iter().zip(lines.lines()).enumerate() {
        // Method 0 is the constructor.
        let mut found = format!("f{index}");
        for value in results(&cap, position + 1) {
            let _ = write!(found, " {value}");
        }
        assert_eq!(found, line, "{body}");
        assert_eq!(
            results(&cap, position + 1),
            results(&plain, position + 1),
            "{body}"
        );
    }
}
