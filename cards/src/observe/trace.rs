//! Instruction traces, breakpoints, exceptions with the path of calls to them.

use super::names::{reason_name, value};
use super::{Line, Names};
use crate::vm::{Event, Observer, Place, Value};
use applet_model::status::Sw;
use std::fmt;
use std::sync::Arc;

/// Which code is traced.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Methods (`Class.method`, `Class` or `.method`); all if none are named.
    pub methods: Vec<String>,
    /// AIDs of packages in hexadecimal, or their beginnings; all if none are named.
    pub packages: Vec<String>,
}

/// True if a pattern (`Class.method`, `Class`, `.method`) means this method.
fn means(pattern: &str, method: &str) -> bool {
    let (class, name) = method.split_once('.').unwrap_or(("", method));
    match pattern.split_once('.') {
        Some(("", wanted)) => wanted == name,
        Some(_) => pattern == method,
        None => pattern == class || pattern == method,
    }
}

impl Filter {
    fn passes(&self, names: &Names, at: Place) -> bool {
        let method = || names.method(at.package, at.method);
        (self.methods.is_empty() || self.methods.iter().any(|wanted| means(wanted, &method())))
            && (self.packages.is_empty() || {
                let package = names.package(at.package);
                self.packages
                    .iter()
                    .any(|wanted| package.starts_with(wanted.as_str()))
            })
    }
}

/// A breakpoint: `CLASS.METHOD`, `CLASS.METHOD:LINE` or `FILE.java:LINE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Break {
    /// The method; `None` for any of the file.
    pub method: Option<String>,
    /// The file.
    pub file: Option<String>,
    /// The line; `None` for the method's entry.
    pub line: Option<u16>,
}

impl std::str::FromStr for Break {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!("expected CLASS.METHOD, CLASS.METHOD:LINE or FILE.java:LINE, found {text:?}")
        };
        let (place, line) = match text.split_once(':') {
            Some((place, line)) => (place, Some(line.parse().map_err(|_| wrong())?)),
            None => (text, None),
        };
        if place.is_empty() {
            return Err(wrong());
        }
        let is_file = place.ends_with(".java");
        if is_file && line.is_none() {
            return Err(wrong());
        }
        let place = Some(place.to_owned());
        Ok(Break {
            method: place.clone().filter(|_| !is_file),
            file: place.filter(|_| is_file),
            line,
        })
    }
}

impl Break {
    /// Whether it stops at this instruction, which is of the line `line`; `entered` for a method's first.
    fn stops(&self, method: &str, line: Option<&Line>, entered: bool) -> bool {
        self.method
            .as_ref()
            .is_none_or(|wanted| means(wanted, method))
            && self
                .file
                .as_ref()
                .is_none_or(|wanted| line.is_some_and(|line| line.file == *wanted))
            && match self.line {
                Some(wanted) => line.is_some_and(|line| line.line == wanted),
                None => entered,
            }
    }
}

/// A line of a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// An instruction, with what it found on the stack (top last).
    Instruction {
        /// Where.
        at: Place,
        /// Frames of the thread.
        depth: usize,
        /// The operand stack.
        stack: Vec<String>,
    },
    /// A call of an API method, an allocation, a persistent write, the start or end of a transaction.
    Note {
        /// What happened.
        text: String,
        /// Frames of the thread.
        depth: usize,
    },
    /// An exception.
    Thrown(Thrown),
    /// A breakpoint was reached.
    Stop {
        /// Where.
        at: Place,
        /// Locals with their names, where known.
        locals: Vec<(String, String)>,
        /// The operand stack, top last.
        stack: Vec<String>,
        /// The calling methods, innermost first.
        callers: Vec<Place>,
    },
}

/// An exception and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thrown {
    /// Full name of the class, with slashes.
    pub class: String,
    /// Reason code.
    pub reason: i16,
    /// The instruction and those of the calling methods, innermost first.
    pub path: Vec<Place>,
    /// The API method that threw it, if one did.
    pub api: Option<String>,
}

/// An observer that keeps a trace.
pub struct Tracer {
    names: Arc<Names>,
    filter: Filter,
    breaks: Vec<Break>,
    /// Whether instructions are kept; breakpoints and exceptions always are.
    instructions: bool,
    /// Entries that are kept.
    limit: usize,
    entries: Vec<Entry>,
    /// Entries that would have been kept beyond the limit.
    left_out: u64,
    /// Where each frame of the running threads stands.
    frames: Vec<Vec<Place>>,
    /// The API method that runs.
    api: Option<String>,
    /// The last exception, until code runs on.
    uncaught: Option<Thrown>,
    /// The line on which the last instruction was, for breakpoints on lines.
    last_line: Option<(Place, Option<Line>)>,
}

impl Tracer {
    /// Keeps exceptions only.
    pub fn new(names: Arc<Names>) -> Self {
        Tracer {
            names,
            filter: Filter::default(),
            breaks: Vec::new(),
            instructions: false,
            limit: usize::MAX,
            entries: Vec::new(),
            left_out: 0,
            frames: Vec::new(),
            api: None,
            uncaught: None,
            last_line: None,
        }
    }

    /// Keeps what the filter lets pass, and stops at breakpoints, up to so many entries.
    pub fn tracing(mut self, filter: Filter, breaks: Vec<Break>, limit: usize) -> Self {
        // With breakpoints alone, only the stops are of interest.
        self.instructions = breaks.is_empty() || !filter.methods.is_empty();
        self.filter = filter;
        self.breaks = breaks;
        self.limit = limit;
        self
    }

    /// What was kept since the last time; and how much was left out for the limit so far.
    pub fn take(&mut self) -> (Vec<Entry>, u64) {
        self.limit = self.limit.saturating_sub(self.entries.len());
        (std::mem::take(&mut self.entries), self.left_out)
    }

    /// The exception that ended the last thread, if one did.
    pub fn take_uncaught(&mut self) -> Option<Thrown> {
        self.uncaught.take()
    }

    fn keep(&mut self, entry: Entry) {
        if self.entries.len() < self.limit {
            self.entries.push(entry);
        } else {
            self.left_out += 1;
        }
    }

    /// Keeps a note if the running code is traced.
    fn note(&mut self, text: String) {
        let top = self.frames.last().and_then(|frames| frames.last().copied());
        let passes = match top {
            Some(at) => self.filter.passes(&self.names, at),
            // The runtime called a method of the API.
            None => self.filter.methods.is_empty() && self.filter.packages.is_empty(),
        };
        if self.instructions && passes {
            let depth = self.frames.last().map_or(0, Vec::len);
            self.keep(Entry::Note { text, depth });
        }
    }

    fn path(&self) -> Vec<Place> {
        let frames = self.frames.last().into_iter().flatten();
        frames.rev().copied().collect()
    }

    fn instruction(&mut self, at: Place, depth: usize, locals: &[Value], stack: &[Value]) {
        if let Some(frames) = self.frames.last_mut() {
            frames.truncate(depth);
            match frames.get_mut(depth.saturating_sub(1)) {
                Some(top) => *top = at,
                None => frames.push(at),
            }
        }
        if self.instructions && self.filter.passes(&self.names, at) {
            let stack = stack.iter().map(value).collect();
            self.keep(Entry::Instruction { at, depth, stack });
        }
        if self.breaks.is_empty() {
            return;
        }
        let method = self.names.method(at.package, at.method);
        let line = self.names.line(at);
        let entered = self.last_line.is_none();
        // A line stops once, not at each of its instructions.
        let same = self.last_line.as_ref().is_some_and(|(last, known)| {
            last.method == at.method && last.package == at.package && *known == line
        });
        let stops = |b: &Break| b.stops(&method, line.as_ref(), entered) && (!same || entered);
        if self.breaks.iter().any(stops) {
            let known = self.names.locals(at);
            let locals = locals.iter().zip(0..=u8::MAX).map(|(local, index)| {
                let name = known.get(&index).cloned();
                (
                    name.unwrap_or_else(|| format!("local {index}")),
                    value(local),
                )
            });
            let entry = Entry::Stop {
                at,
                locals: locals.collect(),
                stack: stack.iter().map(value).collect(),
                callers: self.path().into_iter().skip(1).collect(),
            };
            self.keep(entry);
        }
        self.last_line = Some((at, line));
    }
}

impl Observer for Tracer {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Started { frames } => {
                self.frames.push(frames.to_vec());
                self.api = None;
                self.uncaught = None;
            }
            Event::Stopped { .. } => {
                self.frames.pop();
                self.api = None;
            }
            Event::Instruction {
                at,
                depth,
                locals,
                stack,
                ..
            } => {
                self.api = None;
                self.uncaught = None;
                self.instruction(*at, *depth, locals, stack);
            }
            Event::Entered { at, depth, .. } => {
                self.api = None;
                self.last_line = None;
                if let Some(frames) = self.frames.last_mut() {
                    frames.truncate(depth.saturating_sub(1));
                    frames.push(*at);
                }
            }
            Event::Left { .. } => self.api = None,
            Event::Native { class, method, .. } => {
                let class = class.rsplit('/').next().unwrap_or(class);
                let name = format!("{class}.{method}");
                self.note(format!("-> {name}"));
                self.api = Some(name);
            }
            Event::Thrown { class, reason, at } => {
                let mut path = self.path();
                if path.is_empty() {
                    path.extend(at);
                }
                let thrown = Thrown {
                    class: (*class).to_owned(),
                    reason: *reason,
                    path,
                    api: self.api.clone(),
                };
                if self.instructions {
                    self.keep(Entry::Thrown(thrown.clone()));
                }
                self.uncaught = Some(thrown);
            }
            Event::Allocated {
                what,
                persistent,
                transient,
                ..
            } => {
                let made = self.names.made(*what);
                self.note(match transient {
                    0 => format!("-- made {made}, {persistent} bytes persistent"),
                    _ => format!("-- made {made}, {transient} bytes transient"),
                });
            }
            Event::Written { bytes, context } => self.note(match context {
                Some(_) => format!("-- wrote {bytes} bytes"),
                None => format!("-- committed {bytes} bytes"),
            }),
            Event::Began => self.note("-- transaction begins".to_owned()),
            Event::Aborted { .. } => self.note("-- transaction aborted".to_owned()),
        }
    }
}

impl Thrown {
    /// The exception with its path, a line each, as a Java stack trace has them.
    pub fn lines(&self, names: &Names) -> Vec<String> {
        let class = self.class.replace('/', ".");
        let mut lines = vec![match self.class.as_str() {
            "javacard/framework/ISOException" => {
                format!("{class}: {}", Sw(self.reason.cast_unsigned()))
            }
            _ => match reason_name(&self.class, self.reason) {
                Some(name) => format!("{class}: {name} ({})", self.reason),
                None => format!("{class}: reason {}", self.reason),
            },
        }];
        let api = self.api.iter().map(|method| format!("  in {method}"));
        lines.extend(api);
        lines.extend(
            self.path
                .iter()
                .map(|at| format!("  at {}", names.place(*at))),
        );
        lines
    }
}

impl Entry {
    /// The entry as text.
    pub fn text(&self, names: &Names) -> String {
        let indent = |depth: usize| "  ".repeat(depth.saturating_sub(1).min(40));
        match self {
            Entry::Instruction { at, depth, stack } => {
                let place = match names.line(*at) {
                    Some(line) => format!("{:04x} {line}", at.pc),
                    None => format!("{:04x}", at.pc),
                };
                let method = names.method(at.package, at.method);
                format!(
                    "{}{method} {place}  {}  [{}]",
                    indent(*depth),
                    names.instruction(*at),
                    stack.join(" ")
                )
            }
            Entry::Note { text, depth } => format!("{}{text}", indent(depth + 1)),
            Entry::Thrown(thrown) => thrown.lines(names).join("\n"),
            Entry::Stop {
                at,
                locals,
                stack,
                callers,
            } => {
                let mut lines = vec![format!("stopped at {}", names.place(*at))];
                lines.push(format!("  next    {}", names.instruction(*at)));
                for (name, value) in locals {
                    lines.push(format!("  {name:<7} {value}"));
                }
                lines.push(format!("  stack   [{}]", stack.join(" ")));
                let callers = callers
                    .iter()
                    .map(|at| format!("  from    {}", names.place(*at)));
                lines.extend(callers);
                lines.join("\n")
            }
        }
    }
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer")
            .field("entries", &self.entries.len())
            .finish_non_exhaustive()
    }
}
