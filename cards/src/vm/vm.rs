//! The VM as the card sees it.

use super::error::{Fault, LoadError, VmError};
use super::heap::{Access, Heap};
use super::host::Host;
use super::limits::{Limits, Usage};
use super::thread::{Outcome, Resume, Thread};
use super::value::{InstanceId, Owner, PackageId, Ref, Value};
use crate::power::Nvm;

/// An applet instance on the card.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Instance {
    /// Instance AID.
    pub aid: Vec<u8>,
    /// Package that its class is in.
    pub package: PackageId,
    /// AID of the applet class (GlobalPlatform: executable module).
    pub module: Vec<u8>,
    /// The applet object.
    pub object: Ref,
}

/// The whole card's Java world: heap, statics, packages, applet instances, the open transaction.
///
/// A plain value: cloning it clones the card, storing it stores the card. Linked code is shared by
/// clones and is made again from the load files when a stored value is read.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Vm {
    limits: Limits,
    heap: Heap,
}

fn unready<T>() -> Result<T, VmError> {
    Err(VmError::Thread("run: not implemented yet"))
}

impl Vm {
    /// A card without packages. `without` are AIDs of API packages that this card does not have.
    #[must_use]
    pub fn new(limits: Limits, without: &[Vec<u8>]) -> Self {
        let _ = without;
        Vm {
            limits,
            heap: Heap::default(),
        }
    }

    /// Links the package in a load file (components in load order, JCVM 6.2) and puts it on the card.
    /// One persistent write.
    ///
    /// # Errors
    /// Every reason in [`LoadError`]; the card is unchanged then.
    pub fn load(&mut self, load_file: &[u8], host: &mut dyn Host) -> Result<PackageId, LoadError> {
        let _ = (load_file, host, &self.limits);
        Err(LoadError::NotSupported("loading".into()))
    }

    /// Package of this AID.
    #[must_use]
    pub fn package_by_aid(&self, aid: &[u8]) -> Option<PackageId> {
        let _ = aid;
        None
    }

    /// AIDs of the applets (executable modules) that a package has.
    #[must_use]
    pub fn modules(&self, package: PackageId) -> Vec<Vec<u8>> {
        let _ = package;
        Vec::new()
    }

    /// AID and version (major, minor) of a loaded package.
    #[must_use]
    pub fn package_aid(&self, package: PackageId) -> Option<(&[u8], u8, u8)> {
        let _ = package;
        None
    }

    /// All loaded packages.
    #[must_use]
    pub fn packages(&self) -> Vec<PackageId> {
        Vec::new()
    }

    /// Removes a package without instances and dependents. One persistent write.
    ///
    /// # Errors
    /// A message saying who still needs it; [`Fault::PowerCut`].
    pub fn delete_package(&mut self, package: PackageId, nvm: &mut Nvm) -> Result<(), DeleteError> {
        let _ = (package, nvm);
        Err(DeleteError::InUse("not implemented".into()))
    }

    /// Removes an applet instance and what it owns. The card has called `uninstall` before if it wants
    /// to ([`Vm::start_uninstall`]). One persistent write.
    ///
    /// # Errors
    /// [`DeleteError::InUse`] if another applet holds a reference to one of its objects.
    pub fn delete_instance(
        &mut self,
        instance: InstanceId,
        nvm: &mut Nvm,
    ) -> Result<(), DeleteError> {
        let _ = (instance, nvm);
        Err(DeleteError::InUse("not implemented".into()))
    }

    /// Runs `install` of the applet class with AID `module` (found in any loaded package) to its end.
    /// `params` is bArray as GlobalPlatform gives it: length + instance AID, length + privileges,
    /// length + application data. The instance exists when the method has returned and has called
    /// `register`; otherwise everything that it made is gone again, and the second part is `None`.
    ///
    /// # Errors
    /// [`VmError::NoClass`] if no package has that applet.
    pub fn install(
        &mut self,
        module: &[u8],
        instance_aid: &[u8],
        params: &[u8],
        host: &mut dyn Host,
    ) -> Result<(Outcome, Option<InstanceId>), VmError> {
        let _ = (module, instance_aid, params, host);
        unready()
    }

    /// Applet instance of this AID.
    #[must_use]
    pub fn instance_by_aid(&self, aid: &[u8]) -> Option<InstanceId> {
        let _ = aid;
        None
    }

    /// What is known of an instance.
    #[must_use]
    pub fn instance(&self, instance: InstanceId) -> Option<&Instance> {
        let _ = instance;
        None
    }

    /// All applet instances.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceId> {
        Vec::new()
    }

    /// Thread for `select()` (or `MultiSelectable.select` if the applet is active on another channel
    /// already). The instance counts as selected on `channel` from now on. Returns a boolean
    /// ([`Value::Short`], 0 = refused).
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_select(&mut self, instance: InstanceId, channel: u8) -> Result<Thread, VmError> {
        let _ = (instance, channel);
        unready()
    }

    /// Thread for `process(APDU)` with a whole command APDU in `command`. `selecting` is true for the
    /// SELECT that selected the applet. The response data is in [`Thread::apdu`] afterwards.
    ///
    /// # Errors
    /// [`VmError::NoInstance`], or a command that is no APDU.
    pub fn start_process(
        &mut self,
        instance: InstanceId,
        command: &[u8],
        channel: u8,
        selecting: bool,
    ) -> Result<Thread, VmError> {
        let _ = (instance, command, channel, selecting);
        unready()
    }

    /// Thread for `deselect()`. After it has run (whatever its outcome), call [`Vm::deselected`].
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_deselect(&mut self, instance: InstanceId, channel: u8) -> Result<Thread, VmError> {
        let _ = (instance, channel);
        unready()
    }

    /// Thread for `AppletEvent.uninstall()`; `None` if the applet doesn't implement it.
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_uninstall(&mut self, instance: InstanceId) -> Result<Option<Thread>, VmError> {
        let _ = instance;
        unready()
    }

    /// Thread for `getShareableInterfaceObject(client, parameter)` called by the runtime. Returns a
    /// reference to an object that implements Shareable, or null.
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_shareable(
        &mut self,
        instance: InstanceId,
        client: Option<&[u8]>,
        parameter: u8,
    ) -> Result<Thread, VmError> {
        let _ = (instance, client, parameter);
        unready()
    }

    /// Thread for an interface method of an API package on an applet's object, called by the runtime,
    /// e.g. `("uicc/toolkit/ToolkitInterface", "processToolkit", "(S)V")`.
    ///
    /// # Errors
    /// [`VmError::NoMethod`] if the object doesn't implement it.
    pub fn start_interface(
        &mut self,
        object: Ref,
        interface: &str,
        method: &str,
        descriptor: &str,
        args: &[Value],
    ) -> Result<Thread, VmError> {
        let _ = (object, interface, method, descriptor, args);
        unready()
    }

    /// Runs a thread until something ends or suspends it. A transaction that is open at the end is
    /// aborted (JCRE 7.6.2), unless the thread is suspended.
    pub fn run(&mut self, thread: &mut Thread, host: &mut dyn Host) -> Outcome {
        let _ = (thread, host);
        Outcome::Trap(VmError::Thread("run"))
    }

    /// Delivers the result of the native method that suspended the thread, and runs on.
    pub fn resume(&mut self, thread: &mut Thread, result: Resume, host: &mut dyn Host) -> Outcome {
        let _ = (thread, result, host);
        Outcome::Trap(VmError::Thread("resume"))
    }

    /// The applet on this channel is no longer selected: CLEAR_ON_DESELECT arrays of its package are
    /// cleared if none of the package's applets is active any more.
    pub fn deselected(&mut self, channel: u8) {
        let _ = channel;
    }

    /// Reset or power-up: rolls back an open transaction and an install that didn't end, clears
    /// transient memory, deselects everything. All threads are dead.
    pub fn reset(&mut self) {}

    /// True between beginTransaction and commit or abort.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        false
    }

    /// Memory in use.
    #[must_use]
    pub fn memory(&self) -> Usage {
        Usage::default()
    }

    /// The card's sizes.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Makes an object of an API class or interface whose methods the card implements itself
    /// ([`Host::native`]). `class` with slashes; `tag` comes back from [`Vm::native_tag`].
    /// `owner` [`Owner::JCRE`] with [`Access::Permanent`] or [`Access::Temporary`] makes an entry point
    /// object, which costs the applet nothing; another owner makes an ordinary object of its own
    /// (its memory, one persistent write unless a transaction is open).
    ///
    /// # Errors
    /// A trap if there is no such class; SystemException.NO_RESOURCE; [`Fault::PowerCut`].
    pub fn new_native(
        &mut self,
        nvm: &mut Nvm,
        class: &str,
        tag: u32,
        owner: Owner,
        access: Access,
    ) -> Result<Ref, Fault> {
        let _ = (nvm, class, tag, owner, access);
        unready().map_err(Fault::Trap)
    }

    /// Number that the card gave a native object; `None` for any other object.
    #[must_use]
    pub fn native_tag(&self, object: Ref) -> Option<u32> {
        let _ = object;
        None
    }

    /// Gives an object that the applet made by `new` of an API class of the card (constructor called
    /// through [`Host::native`]) its tag.
    ///
    /// # Errors
    /// A trap if it isn't an instance of an API class.
    pub fn set_native_tag(&mut self, object: Ref, tag: u32) -> Result<(), Fault> {
        let _ = (object, tag);
        unready().map_err(Fault::Trap)
    }

    /// An AID object with these bytes, a permanent entry point object (as JCSystem gives them out).
    pub fn new_aid(&mut self, aid: &[u8]) -> Ref {
        let _ = aid;
        Ref::NULL
    }

    /// Bytes of an AID object.
    #[must_use]
    pub fn aid_bytes(&self, object: Ref) -> Option<&[u8]> {
        let _ = object;
        None
    }

    /// Makes a global byte array of the runtime (JCRE 6.2.2): every context may read and write it, none may
    /// keep it.
    pub fn new_global_bytes(&mut self, length: usize) -> Ref {
        let _ = length;
        Ref::NULL
    }

    /// The APDU buffer.
    #[must_use]
    pub fn apdu_buffer(&self) -> Ref {
        Ref::NULL
    }

    /// A byte array for the runtime, without firewall.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn bytes(&self, array: Ref) -> Result<&[u8], VmError> {
        self.heap.get(array).map(|_| &[][..])
    }

    /// The same for writing, without counting a persistent write: only for the runtime's own arrays.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn bytes_mut(&mut self, array: Ref) -> Result<&mut [u8], VmError> {
        self.heap.get_mut(array).map(|_| &mut [][..])
    }

    /// `length` bytes of an array from `offset` as a native method reads them for its caller.
    ///
    /// # Errors
    /// NullPointerException, SecurityException, ArrayIndexOutOfBoundsException as the API says.
    pub fn read(
        &self,
        caller: Owner,
        array: Ref,
        offset: i16,
        length: i16,
    ) -> Result<&[u8], Fault> {
        let _ = (caller, array, offset, length);
        Err(Fault::Trap(VmError::Dangling(0)))
    }

    /// Stores bytes into an array as a native method does for its caller: firewall, bounds, the open
    /// transaction, and one persistent write if the array is persistent and no transaction is open.
    ///
    /// # Errors
    /// NullPointerException, SecurityException, ArrayIndexOutOfBoundsException,
    /// TransactionException.BUFFER_FULL, [`Fault::PowerCut`].
    pub fn write(
        &mut self,
        host: &mut dyn Host,
        caller: Owner,
        array: Ref,
        offset: i16,
        data: &[u8],
    ) -> Result<(), Fault> {
        let _ = (host, caller, array, offset, data);
        Err(Fault::Trap(VmError::Dangling(0)))
    }

    /// Length of any array, or an error if it isn't one.
    ///
    /// # Errors
    /// [`VmError::Dangling`], [`VmError::Type`].
    pub fn array_length(&self, array: Ref) -> Result<usize, VmError> {
        self.heap.get(array).map(|_| 0)
    }

    /// Owner of an object.
    ///
    /// # Errors
    /// [`VmError::Dangling`].
    pub fn owner(&self, object: Ref) -> Result<Owner, VmError> {
        self.heap.get(object).map(|o| o.owner)
    }

    /// True if the object's class is or implements `class` (name with slashes).
    #[must_use]
    pub fn is_instance(&self, object: Ref, class: &str) -> bool {
        let _ = (object, class);
        false
    }
}

/// Why a deletion is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeleteError {
    /// Something else needs it (GlobalPlatform: 6985).
    #[error("still in use: {0}")]
    InUse(String),
    /// It isn't there (6A88).
    #[error("not on the card")]
    NotFound,
    /// The power went away before the deletion.
    #[error("the power was cut")]
    PowerCut,
}
