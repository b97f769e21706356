//! What the VM needs from the card around it.

use super::Vm;
use super::error::Fault;
use super::observer::Observer;
use super::value::{Context, Owner, Ref, Value};
use crate::power::Nvm;

/// Call of a method of an API package that the VM doesn't implement itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativeCall {
    /// Package with slashes, e.g. `uicc/toolkit`.
    pub package: &'static str,
    /// Full name of the class or interface that declares the method, e.g. `uicc/toolkit/ProactiveHandler`.
    pub class: &'static str,
    /// Method name; `<init>` for a constructor.
    pub method: &'static str,
    /// JVM descriptor, e.g. `(BBB)V`.
    pub descriptor: &'static str,
    /// Receiver; `None` for a static method. The VM has checked that it is not null and that the
    /// caller may use it.
    pub this: Option<Ref>,
    /// Arguments in order, without the receiver, of the kinds that the descriptor says.
    pub args: Vec<Value>,
    /// Who calls: the context and applet instance that ran when the call was made.
    pub caller: Owner,
}

impl NativeCall {
    /// Argument `i` as a number.
    ///
    /// # Errors
    /// A trap if there is no such argument or it is a reference.
    pub fn short(&self, i: usize) -> Result<i16, Fault> {
        self.args
            .get(i)
            .and_then(|v| v.short())
            .ok_or_else(|| self.bad_argument(i))
    }

    /// Argument `i` as a reference (maybe null).
    ///
    /// # Errors
    /// A trap if there is no such argument or it is a number.
    pub fn reference(&self, i: usize) -> Result<Ref, Fault> {
        self.args
            .get(i)
            .and_then(|v| v.reference())
            .ok_or_else(|| self.bad_argument(i))
    }

    /// `class.method(descriptor)` for messages.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}.{}{}", self.class, self.method, self.descriptor)
    }

    fn bad_argument(&self, i: usize) -> Fault {
        super::VmError::Native(
            self.name(),
            format!("argument {i} missing or of the wrong kind"),
        )
        .into()
    }
}

/// The card, as the VM sees it. Implemented by the virtual card; the VM itself is passed in where
/// the card needs it, so the implementing type must not contain the [`Vm`].
pub trait Host {
    /// The memory whose writes are counted and before which the power may be cut.
    fn nvm(&mut self) -> &mut Nvm;

    /// Fills `out` from the card's seeded generator.
    fn random(&mut self, out: &mut [u8]);

    /// A method of an API package that the VM doesn't implement itself (`uicc.*`,
    /// `org.globalplatform`, `ipae.es10`).
    ///
    /// # Errors
    /// [`Fault::Throw`] throws the exception at the call, [`Fault::Suspend`] stops the thread until
    /// [`Vm::resume`] brings the result, [`Fault::PowerCut`] ends everything, [`Fault::Trap`]
    /// with [`super::VmError::NotSupported`] is for methods that the card doesn't have.
    fn native(&mut self, vm: &mut Vm, call: &NativeCall) -> Result<Option<Value>, Fault>;

    /// Who is told what the VM does, if anyone is. Asked at the start of a run and at rare events.
    fn observer(&mut self) -> Option<&mut dyn Observer> {
        None
    }

    /// `JCSystem.getAppletShareableInterfaceObject` for a server that isn't a Java applet.
    /// `None`: no such native server (the VM then looks among the applet instances);
    /// `Some(Ref::NULL)`: the server refuses; otherwise the object, made with [`Vm::new_native`].
    fn get_shareable(&mut self, vm: &mut Vm, server_aid: &[u8], parameter: u8) -> Option<Ref>;

    /// A persistent write of this context has become durable (after [`Nvm::commit`]).
    fn on_commit(&mut self, context: Context) {
        let _ = context;
    }

    /// True if the card has a native applet of this AID, which `JCSystem.lookupAID` then finds.
    fn has_applet(&mut self, aid: &[u8]) -> bool {
        let _ = aid;
        false
    }

    /// True if the applet of this instance AID is selected on some channel, as the card sees it.
    /// `JCSystem.isAppletActive`.
    fn is_active(&mut self, aid: &[u8]) -> bool {
        let _ = aid;
        false
    }
}
