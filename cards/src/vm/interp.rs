//! Threads run: from their start or from where they waited, through exceptions, to their end.

use super::api::Ret;
use super::error::{Fault, Throw, Trap, VmError};
use super::exec::Step;
use super::host::Host;
use super::native_state::NativeState;
use super::observer::{Event, Place};
use super::thread::{Frame, Outcome, Resume, State, Thread};
use super::value::{ClassRef, Ref, Value};
use super::vm::Vm;

impl Vm {
    /// Runs a thread until something ends or suspends it. A transaction that is open at the end is
    /// aborted (JCRE 7.6.2), also when the thread is suspended. The card must not run a thread from
    /// inside a native method while a transaction is open.
    pub fn run(&mut self, thread: &mut Thread, host: &mut dyn Host) -> Outcome {
        let State::Start {
            target,
            args,
            owner,
        } = std::mem::replace(&mut thread.state, State::Running)
        else {
            thread.state = State::Dead;
            return Outcome::Trap(VmError::Thread("run").into());
        };
        thread.cells = args;
        self.tell_start(thread, host);
        let nargs = thread.cells.len();
        // Until there is a frame, the runtime is the caller; a native method leaves its result here.
        thread.top.ceiling = nargs.max(1);
        match self.call(thread, host, target, nargs, owner) {
            Ok(()) if thread.top.package.is_loaded() => self.drive(thread, host, None),
            Ok(()) => {
                let value = thread.cells.pop();
                self.end(thread, host, Outcome::Returned(value))
            }
            Err(fault) => self.drive(thread, host, Some(fault)),
        }
    }

    /// Delivers the result of the native method that suspended the thread, and runs on.
    pub fn resume(&mut self, thread: &mut Thread, result: Resume, host: &mut dyn Host) -> Outcome {
        let State::Waiting(returns) = std::mem::replace(&mut thread.state, State::Running) else {
            thread.state = State::Dead;
            return Outcome::Trap(VmError::Thread("resume").into());
        };
        self.tell_start(thread, host);
        let fault = match result {
            Resume::Throw(thrown) => Some(Fault::Throw(thrown)),
            Resume::Return(value) => match check_return(returns, value) {
                Ok(None) => None,
                Ok(Some(value)) => thread.push(value).err().map(Fault::Trap),
                Err(e) => Some(Fault::Trap(e)),
            },
        };
        self.drive(thread, host, fault)
    }

    fn drive(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        mut fault: Option<Fault>,
    ) -> Outcome {
        thread.fuel = self.s.limits.fuel;
        loop {
            let result = match fault.take() {
                Some(fault) => Err(fault),
                None if thread.observed => self.steps::<true>(thread, host),
                None => self.steps::<false>(thread, host),
            };
            let thrown = match result {
                Ok(Step::Done(value)) => return self.end(thread, host, Outcome::Returned(value)),
                Ok(Step::OutOfFuel) => return self.end(thread, host, Outcome::OutOfFuel),
                Err(Fault::Suspend) => {
                    // Control goes back to the runtime, which no transaction survives (JCRE 7.6.2).
                    let gone = self.give_up(host);
                    Vm::forget_in(thread, &gone);
                    tell(host, &Event::Stopped { suspended: true });
                    self.s.max_stack = self.s.max_stack.max(thread.max_stack);
                    return Outcome::Suspended;
                }
                Err(Fault::PowerCut) => {
                    tell(host, &Event::Stopped { suspended: false });
                    thread.state = State::Dead;
                    return Outcome::PowerCut;
                }
                Err(Fault::Trap(e)) => return self.trap(thread, host, e),
                Err(Fault::Throw(t)) => self.exception(&t),
                Err(Fault::Object(r)) => Ok(r),
            };
            if let Ok(r) = thrown {
                self.tell_thrown(thread, host, r);
            }
            match thrown.and_then(|r| Ok((r, self.unwind(thread, host, r)?))) {
                Ok((_, true)) => {}
                Ok((r, false)) => {
                    let (exception, reason) = self.named(r);
                    let exception = exception.to_string();
                    return self.end(thread, host, Outcome::Uncaught { exception, reason });
                }
                Err(e) => return self.trap(thread, host, e),
            }
        }
    }

    fn trap(&mut self, thread: &mut Thread, host: &mut dyn Host, error: VmError) -> Outcome {
        let at = self.place(&thread.top);
        self.end(thread, host, Outcome::Trap(Trap { error, at }))
    }

    /// Where a frame stands; `None` if it is not one of a loaded package.
    pub(crate) fn place(&self, frame: &Frame) -> Option<Place> {
        self.code(frame.package).ok()?.place(frame)
    }

    fn tell_start(&self, thread: &mut Thread, host: &mut dyn Host) {
        thread.observed = host.observer().is_some();
        if !thread.observed {
            return;
        }
        let frames = thread.callers.iter().chain([&thread.top]);
        let frames: Vec<Place> = frames.filter_map(|f| self.place(f)).collect();
        tell(host, &Event::Started { frames: &frames });
    }

    fn tell_thrown(&self, thread: &Thread, host: &mut dyn Host, exception: Ref) {
        let (class, reason) = self.named(exception);
        let at = self.place(&thread.top);
        tell(host, &Event::Thrown { class, reason, at });
    }

    fn end(&mut self, thread: &mut Thread, host: &mut dyn Host, outcome: Outcome) -> Outcome {
        self.give_up(host);
        tell(host, &Event::Stopped { suspended: false });
        thread.state = State::Dead;
        thread.cells.clear();
        thread.callers.clear();
        self.s.max_stack = self.s.max_stack.max(thread.max_stack);
        outcome
    }

    /// The runtime's exception object of this class, with this reason.
    pub(crate) fn exception(&mut self, thrown: &Throw) -> Result<Ref, VmError> {
        let class = self.api_class(&thrown.class)?;
        let r = match self.s.exceptions.get(&class) {
            Some(r) => *r,
            None => {
                let kind = self.blank(class, NativeState::None);
                let r = self.runtime_object(super::Access::Temporary, kind);
                self.s.exceptions.insert(class, r);
                r
            }
        };
        self.s
            .heap
            .set_native(r, NativeState::Reason(thrown.reason))?;
        Ok(r)
    }

    /// An exception's nearest API class, and its reason.
    fn named(&self, r: Ref) -> (&'static str, i16) {
        let class = self.class_of(r).ok().flatten();
        let reason = match self.native_of(r) {
            Ok(NativeState::Reason(reason)) => *reason,
            _ => 0,
        };
        let name = class.map_or("java/lang/Throwable", |c| self.api_name(c));
        (name, reason)
    }

    /// Finds the handler of an exception and goes there. False if no frame has one.
    fn unwind(
        &mut self,
        thread: &mut Thread,
        host: &mut dyn Host,
        exception: Ref,
    ) -> Result<bool, VmError> {
        let class = self
            .class_of(exception)?
            .ok_or(VmError::NoClass("an array as exception".into()))?;
        loop {
            if thread.top.package.is_loaded()
                && let Some(target) = self.handler(&thread.top, class)?
            {
                thread.cells.truncate(thread.top.floor);
                thread.push_ref(exception)?;
                thread.top.pc = target;
                return Ok(true);
            }
            if thread.observed {
                self.tell_left(thread, host, true);
            }
            let Some(caller) = thread.callers.pop() else {
                return Ok(false);
            };
            thread.cells.truncate(thread.top.locals);
            let to_null = thread.top.shareable;
            thread.top = caller;
            if to_null {
                thread.push_ref(Ref::NULL)?;
                return Ok(true);
            }
        }
    }

    pub(crate) fn tell_left(&self, thread: &Thread, host: &mut dyn Host, thrown: bool) {
        let depth = thread.callers.len() + 1;
        if let Some(at) = self.place(&thread.top) {
            tell(host, &Event::Left { at, thrown, depth });
        }
    }

    fn handler(&self, frame: &Frame, class: ClassRef) -> Result<Option<u16>, VmError> {
        let code = self.code(frame.package)?;
        let method = code
            .methods
            .get(usize::from(frame.method))
            .ok_or(VmError::Code)?;
        let at = frame.pc.saturating_sub(1);
        let found = method.handlers.iter().find(|h| {
            (h.start..h.end).contains(&at) && h.catch.is_none_or(|c| self.assignable(class, c))
        });
        Ok(found.map(|h| h.target))
    }
}

/// Tells the observer, if there is one.
pub(crate) fn tell(host: &mut dyn Host, event: &Event<'_>) {
    if let Some(observer) = host.observer() {
        observer.event(event);
    }
}

/// The result of a native method against its declaration.
pub(crate) fn check_return(returns: Ret, value: Option<Value>) -> Result<Option<Value>, VmError> {
    match (returns, value) {
        (Ret::Void, None) => Ok(None),
        (Ret::Short, Some(Value::Short(v))) => Ok(Some(Value::Short(v))),
        (Ret::Byte, Some(Value::Short(v))) => {
            let [_, low] = v.to_be_bytes();
            Ok(Some(Value::Short(low.cast_signed().into())))
        }
        (Ret::Boolean, Some(Value::Short(v))) => Ok(Some(Value::Short((v != 0).into()))),
        (Ret::Ref, Some(Value::Ref(r))) => Ok(Some(Value::Ref(r))),
        (returns, value) => Err(VmError::Type {
            expected: format!("a native result of type {returns:?}").into(),
            found: format!("{value:?}"),
        }),
    }
}
