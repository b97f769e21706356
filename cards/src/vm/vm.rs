//! The VM as the card sees it: packages, instances, threads to start.

use super::apdu::ApduState;
use super::api::Api;
use super::code::MethodRef;
use super::error::VmError;
use super::heap::{Access, Heap, Kind};
use super::limits::Limits;
use super::native_state::NativeState;
use super::platform::Platform;
use super::state::{Active, Instance, Linked, State};
use super::thread::Thread;
use super::value::{ClassRef, Context, InstanceId, Owner, PackageId, Ref, Value};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// The whole card's Java world: heap, statics, packages, applet instances, the open transaction.
///
/// A plain value: cloning it clones the card, storing it stores the card. Linked code is shared by
/// clones and is made again from the load files when a stored value is read.
#[derive(Debug, Clone)]
pub struct Vm {
    pub(crate) s: State,
    pub(crate) linked: Linked,
}

impl Serialize for Vm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.s.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Vm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut vm = Vm {
            s: State::deserialize(deserializer)?,
            linked: Linked::default(),
        };
        vm.relink().map_err(serde::de::Error::custom)?;
        Ok(vm)
    }
}

impl PartialEq for Vm {
    fn eq(&self, other: &Self) -> bool {
        self.s == other.s
    }
}

impl Vm {
    /// A card that has everything of the API but the packages of these AIDs, and no package of its own.
    #[must_use]
    pub fn new(limits: Limits, without: &[Vec<u8>]) -> Self {
        Vm::on(limits, Platform::newest(without))
    }

    /// A card with this platform, and no package of its own.
    #[must_use]
    pub fn on(limits: Limits, platform: Platform) -> Self {
        let state = State {
            limits,
            mode: super::Mode::default(),
            platform,
            heap: Heap::default(),
            packages: BTreeMap::new(),
            instances: BTreeMap::new(),
            next_package: PackageId::FIRST_LOADED.0,
            next_instance: 1,
            transaction: None,
            installing: None,
            selected: Vec::new(),
            apdu: Ref::NULL,
            apdu_buffer: Ref::NULL,
            exceptions: BTreeMap::new(),
            deletion_requested: false,
            max_stack: 0,
        };
        let mut vm = Vm {
            s: state,
            linked: Linked::default(),
        };
        if let Ok(class) = vm.api_class("javacard/framework/APDU") {
            let kind = vm.blank(class, NativeState::None);
            vm.s.apdu = vm.runtime_object(Access::Temporary, kind);
        }
        vm.s.apdu_buffer = vm.new_global_bytes(vm.s.limits.apdu_buffer);
        vm
    }

    /// Package of this AID.
    #[must_use]
    pub fn package_by_aid(&self, aid: &[u8]) -> Option<PackageId> {
        self.linked
            .iter()
            .find(|(_, code)| code.aid == aid)
            .map(|(id, _)| id)
    }

    /// AIDs of the applets (executable modules) that a package has.
    #[must_use]
    pub fn modules(&self, package: PackageId) -> Vec<Vec<u8>> {
        let code = self.linked.get(package);
        code.map_or_else(Vec::new, |code| {
            code.applets.iter().map(|(aid, _)| aid.clone()).collect()
        })
    }

    /// AID and version (major, minor) of a loaded package.
    #[must_use]
    pub fn package_aid(&self, package: PackageId) -> Option<(&[u8], u8, u8)> {
        let code = self.linked.get(package)?;
        Some((&code.aid, code.major, code.minor))
    }

    /// Notes that a verifier has accepted a package, or that it hasn't. A package that was just loaded counts
    /// as not verified: everything that it does is checked while it runs. False if there is no such package.
    pub fn set_verified(&mut self, package: PackageId, verified: bool) -> bool {
        match self.s.packages.get_mut(&package) {
            Some(loaded) => {
                loaded.verified = verified;
                true
            }
            None => false,
        }
    }

    /// True if a verifier has accepted the package.
    #[must_use]
    pub fn is_verified(&self, package: PackageId) -> bool {
        let loaded = self.s.packages.get(&package);
        loaded.is_some_and(|loaded| loaded.verified)
    }

    /// True if the code of this package may skip the checks that a verifier has made superfluous.
    pub(crate) fn trusts(&self, package: PackageId) -> bool {
        self.s.mode == super::Mode::Trusting && self.is_verified(package)
    }

    /// The load file that a package came in.
    #[must_use]
    pub fn load_file(&self, package: PackageId) -> Option<&[u8]> {
        let loaded = self.s.packages.get(&package)?;
        Some(&loaded.load_file)
    }

    /// Sets how many instructions one command may take.
    pub fn set_fuel(&mut self, instructions: u64) {
        self.s.limits.fuel = instructions;
    }

    /// Sets whether verified packages are checked as well.
    pub fn set_mode(&mut self, mode: super::Mode) {
        self.s.mode = mode;
    }

    /// All loaded packages, oldest first.
    #[must_use]
    pub fn packages(&self) -> Vec<PackageId> {
        self.s.packages.keys().copied().collect()
    }

    /// Applet instance of this AID.
    #[must_use]
    pub fn instance_by_aid(&self, aid: &[u8]) -> Option<InstanceId> {
        self.s
            .instances
            .iter()
            .find(|(_, i)| i.aid == aid)
            .map(|(id, _)| *id)
    }

    /// What is known of an instance.
    #[must_use]
    pub fn instance(&self, instance: InstanceId) -> Option<&Instance> {
        self.s.instances.get(&instance)
    }

    /// All applet instances, oldest first.
    #[must_use]
    pub fn instances(&self) -> Vec<InstanceId> {
        self.s.instances.keys().copied().collect()
    }

    /// Context and instance that an applet's code runs as.
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn instance_owner(&self, instance: InstanceId) -> Result<Owner, VmError> {
        let found = self.found(instance)?;
        Ok(Owner {
            context: Context::Package(found.package),
            instance: Some(instance),
        })
    }

    fn found(&self, instance: InstanceId) -> Result<&Instance, VmError> {
        self.s
            .instances
            .get(&instance)
            .ok_or(VmError::NoInstance(instance.0))
    }

    /// Thread for `select()`, or `MultiSelectable.select(boolean)` if an applet of its package is
    /// active on another channel. The instance counts as selected on `channel` from now on. Returns
    /// a boolean ([`Value::Short`], 0 = refused: then call [`Vm::deselected`]).
    ///
    /// # Errors
    /// [`VmError::NoInstance`]; [`VmError::NotMultiselectable`] if the package is active on another
    /// channel and the applet can't share (JCRE 4.2: 6985).
    pub fn start_select(&mut self, instance: InstanceId, channel: u8) -> Result<Thread, VmError> {
        let mut thread = self.selection(instance, channel, "select", "()Z", "(Z)Z")?;
        thread.selecting = true;
        let package = self.found(instance)?.package;
        self.s.selected.retain(|active| active.channel != channel);
        self.s.selected.push(Active {
            channel,
            instance,
            package,
        });
        Ok(thread)
    }

    /// Thread for `deselect()`, or `MultiSelectable.deselect(boolean)` if an applet of its package is
    /// active on another channel. After it has run (whatever its outcome), call [`Vm::deselected`].
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_deselect(&mut self, instance: InstanceId, channel: u8) -> Result<Thread, VmError> {
        self.selection(instance, channel, "deselect", "()V", "(Z)V")
    }

    fn selection(
        &mut self,
        instance: InstanceId,
        channel: u8,
        method: &str,
        plain: &str,
        multi: &str,
    ) -> Result<Thread, VmError> {
        let found = self.found(instance)?;
        let (object, package) = (found.object, found.package);
        let others = || self.s.selected.iter().filter(|a| a.channel != channel);
        let same = others().any(|active| active.instance == instance);
        let shared = others().any(|active| active.package == package);
        let mut thread = if shared {
            let args = [Value::Short(same.into())];
            self.start_interface(
                object,
                "javacard/framework/MultiSelectable",
                method,
                multi,
                &args,
            )
            .map_err(|_| VmError::NotMultiselectable(instance.0))?
        } else {
            self.start_applet(instance, method, plain, &[])?
        };
        thread.channel = channel;
        thread.instance = Some(instance);
        Ok(thread)
    }

    /// Thread for `process(APDU)` with a whole command APDU in `command`. `selecting` is true for the
    /// SELECT that selected the applet. The response data is in [`Thread::apdu`] afterwards.
    ///
    /// # Errors
    /// [`VmError::NoInstance`]; [`VmError::Apdu`] if `command` is no command APDU, or one with extended lengths
    /// and the applet doesn't implement `javacardx.apdu.ExtendedLength`.
    pub fn start_process(
        &mut self,
        instance: InstanceId,
        command: &[u8],
        channel: u8,
        selecting: bool,
    ) -> Result<Thread, VmError> {
        let object = self.found(instance)?.object;
        let extended = self.is_instance(object, "javacardx/apdu/ExtendedLength");
        let state = ApduState::new(command, extended)?;
        let args = [Value::Ref(self.s.apdu)];
        let mut thread =
            self.start_applet(instance, "process", "(Ljavacard/framework/APDU;)V", &args)?;
        let buffer = self.bytes_mut(self.s.apdu_buffer)?;
        buffer.fill(0);
        for (slot, byte) in buffer.iter_mut().zip(state.header()) {
            *slot = *byte;
        }
        thread.apdu = Some(state);
        thread.channel = channel;
        thread.selecting = selecting;
        Ok(thread)
    }

    /// Thread for `AppletEvent.uninstall()`; `None` if the applet doesn't implement it.
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_uninstall(&mut self, instance: InstanceId) -> Result<Option<Thread>, VmError> {
        let object = self.found(instance)?.object;
        Ok(self
            .start_interface(
                object,
                "javacard/framework/AppletEvent",
                "uninstall",
                "()V",
                &[],
            )
            .ok())
    }

    /// Thread for `getShareableInterfaceObject(client, parameter)` called by the runtime. Returns a
    /// reference to an object (check it with [`Vm::is_instance`]), or null.
    ///
    /// # Errors
    /// [`VmError::NoInstance`].
    pub fn start_shareable(
        &mut self,
        instance: InstanceId,
        client: Option<&[u8]>,
        parameter: u8,
    ) -> Result<Thread, VmError> {
        let client = client.map_or(Ref::NULL, |aid| self.new_aid(aid));
        let args = [
            Value::Ref(client),
            Value::Short(i16::from(parameter.cast_signed())),
        ];
        let descriptor = "(Ljavacard/framework/AID;B)Ljavacard/framework/Shareable;";
        self.start_applet(instance, "getShareableInterfaceObject", descriptor, &args)
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
        let interface = self.api_class(interface)?;
        let class = self
            .class_of(object)?
            .ok_or_else(|| VmError::NoClass("an array".into()))?;
        let target = Api::get()
            .virtual_named(interface, method, descriptor)
            .and_then(|(token, _)| self.find_interface(class, interface, token))
            .ok_or_else(|| VmError::NoMethod(format!("{method}{descriptor}")))?;
        self.start(object, target, args)
    }

    fn start_applet(
        &mut self,
        instance: InstanceId,
        method: &str,
        descriptor: &str,
        args: &[Value],
    ) -> Result<Thread, VmError> {
        let object = self.found(instance)?.object;
        let class = self
            .class_of(object)?
            .ok_or_else(|| VmError::NoClass("an array".into()))?;
        let target = self.applet_method(class, method, descriptor)?;
        self.start(object, target, args)
    }

    /// Method of `javacard.framework.Applet` in an applet's class.
    pub(crate) fn applet_method(
        &self,
        class: ClassRef,
        method: &str,
        descriptor: &str,
    ) -> Result<MethodRef, VmError> {
        let applet = self.api_class("javacard/framework/Applet")?;
        Api::get()
            .virtual_named(applet, method, descriptor)
            .and_then(|(token, _)| self.find_virtual(class, token, class.package))
            .ok_or_else(|| VmError::NoMethod(format!("{method}{descriptor}")))
    }

    fn start(&mut self, object: Ref, target: MethodRef, args: &[Value]) -> Result<Thread, VmError> {
        let owner = self.s.heap.get(object)?.owner;
        let mut all = vec![Value::Ref(object)];
        all.extend_from_slice(args);
        Ok(Thread::new(target, all, owner))
    }

    /// The applet on this channel is no longer selected: CLEAR_ON_DESELECT arrays and keys of its package are
    /// cleared if none of the package's applets is active any more.
    pub fn deselected(&mut self, channel: u8) {
        let selected = &mut self.s.selected;
        let Some(at) = selected.iter().position(|active| active.channel == channel) else {
            return;
        };
        let package = selected.remove(at).package;
        if !self.is_selected(package) {
            let context = Context::Package(package);
            self.clear(|o| o.storage == super::Storage::Deselect && o.owner.context == context);
            for (_, object) in self.s.heap.iter_mut() {
                if let Kind::Instance {
                    native: Some(native),
                    ..
                } = &mut object.kind
                    && object.owner.context == context
                {
                    native.deselect();
                }
            }
        }
    }

    /// True if an applet of this package is selected on some channel.
    pub(crate) fn is_selected(&self, package: PackageId) -> bool {
        self.s.selected.iter().any(|a| a.package == package)
    }

    fn clear(&mut self, which: impl Fn(&super::heap::Object) -> bool) {
        for (_, object) in self.s.heap.iter_mut() {
            if which(object) {
                object.kind.clear();
            }
        }
    }

    /// Reset or power-up: rolls back an open transaction and an install that didn't end, clears
    /// transient memory, deselects everything. All threads are dead.
    pub fn reset(&mut self) {
        self.roll_back();
        self.undo_install();
        self.s.selected.clear();
        self.clear(|o| o.storage != super::Storage::Persistent);
        for (_, object) in self.s.heap.iter_mut() {
            if let Kind::Instance {
                native: Some(native),
                ..
            } = &mut object.kind
            {
                native.reset();
            }
        }
    }

    /// True between beginTransaction and commit or abort.
    #[must_use]
    pub fn in_transaction(&self) -> bool {
        self.s.transaction.is_some()
    }

    /// The card's sizes.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.s.limits
    }

    /// An AID object with these bytes, a permanent entry point object (as JCSystem gives them out).
    pub fn new_aid(&mut self, aid: &[u8]) -> Ref {
        let same = |kind: &Kind| match kind {
            Kind::Instance {
                native: Some(native),
                ..
            } => matches!(&**native, NativeState::Aid(a) if a == aid),
            _ => false,
        };
        let known = self
            .s
            .heap
            .iter()
            .find(|(_, o)| o.access == Access::Permanent && same(&o.kind))
            .map(|(r, _)| r);
        if let Some(r) = known {
            return r;
        }
        let Ok(class) = self.api_class("javacard/framework/AID") else {
            return Ref::NULL;
        };
        let native = NativeState::Aid(aid.to_vec());
        self.runtime_object(Access::Permanent, Kind::native(class, native))
    }

    /// Bytes of an AID object.
    #[must_use]
    pub fn aid_bytes(&self, object: Ref) -> Option<&[u8]> {
        match self.native_of(object).ok()? {
            NativeState::Aid(aid) => Some(aid),
            _ => None,
        }
    }

    /// Makes a global byte array of the runtime (JCRE 6.2.2): every context may read and write it, none
    /// may keep it.
    pub fn new_global_bytes(&mut self, length: usize) -> Ref {
        self.runtime_object(Access::Temporary, Kind::bytes(false, length))
    }

    /// The APDU buffer.
    #[must_use]
    pub fn apdu_buffer(&self) -> Ref {
        self.s.apdu_buffer
    }

    /// Owner of an object.
    ///
    /// # Errors
    /// [`VmError::Dangling`].
    pub fn owner(&self, object: Ref) -> Result<Owner, VmError> {
        self.s.heap.get(object).map(|o| o.owner)
    }

    /// True if the object's class is or implements `class` (name with slashes, of an API package).
    #[must_use]
    pub fn is_instance(&self, object: Ref, class: &str) -> bool {
        match (self.class_of(object), self.api_class(class)) {
            (Ok(Some(own)), Ok(target)) => self.assignable(own, target),
            _ => false,
        }
    }
}
