//! The applet firewall (JCRE 6.2): who may reach what.

use super::api::Api;
use super::error::{Fault, Throw, VmError};
use super::heap::{Access, Kind, Object, Storage};
use super::thread::Thread;
use super::value::{ClassRef, Context, InstanceId, Owner, Ref};
use super::vm::Vm;

impl Vm {
    /// An object that is not null.
    #[inline]
    pub(crate) fn object(&self, r: Ref) -> Result<&Object, Fault> {
        if r.is_null() {
            return Err(Throw::null_pointer().into());
        }
        Ok(self.s.heap.get(r)?)
    }

    /// Access to the contents of an array or object (6.2.8.1 to 6.2.8.3): arrays, fields, athrow's object.
    #[inline]
    pub(crate) fn accessible(&self, caller: Owner, r: Ref) -> Result<&Object, Fault> {
        let object = self.object(r)?;
        let own = caller.context == object.owner.context || caller.context == Context::Jcre;
        let open = object.access != Access::Owner;
        if !own && !open {
            return Err(Throw::security().into());
        }
        // CLEAR_ON_DESELECT contents exist only while the package is selected (6.2.8).
        if object.storage == Storage::Deselect {
            self.while_selected(object)?;
        }
        Ok(object)
    }

    /// CLEAR_ON_DESELECT memory is there while the package is selected (6.2.8), or being installed.
    pub(crate) fn has_deselect_memory(&self, owner: Owner) -> bool {
        let Context::Package(package) = owner.context else {
            return false;
        };
        let installing = self.s.installing.as_ref();
        installing.is_some_and(|i| i.package == package) || self.is_selected(package)
    }

    /// Fails as the use of the object by this caller would.
    ///
    /// # Errors
    /// NullPointerException, SecurityException.
    pub fn readable(&self, caller: Owner, r: Ref) -> Result<(), Fault> {
        self.accessible(caller, r).map(|_| ())
    }

    fn while_selected(&self, object: &Object) -> Result<(), Fault> {
        let of_package = matches!(object.owner.context, Context::Package(_));
        if of_package && !self.has_deselect_memory(object.owner) {
            return Err(Throw::security().into());
        }
        Ok(())
    }

    /// A reference that is stored into a field, a static or an array of references: temporary entry
    /// points and global arrays may not be (6.2.8.2, 6.2.8.8).
    #[inline]
    pub(crate) fn storable(&self, thread: &Thread, r: Ref) -> Result<(), Fault> {
        if r.is_null() {
            return Ok(());
        }
        let object = self.s.heap.get(r)?;
        if object.access == Access::Temporary && thread.top.owner.context != Context::Jcre {
            return Err(Throw::security().into());
        }
        self.initialised(thread, r)
    }

    /// invokevirtual (6.2.8.4): who runs in the method.
    pub(crate) fn enter_virtual(&self, caller: Owner, r: Ref) -> Result<Owner, Fault> {
        let object = self.object(r)?;
        if caller.context == object.owner.context {
            return Ok(caller);
        }
        if caller.context == Context::Jcre || object.access != Access::Owner {
            return Ok(object.owner);
        }
        Err(Throw::security().into())
    }

    /// invokeinterface (6.2.8.6): who runs in the method.
    pub(crate) fn enter_interface(
        &self,
        caller: Owner,
        channel: u8,
        r: Ref,
        interface: ClassRef,
    ) -> Result<Owner, Fault> {
        let object = self.object(r)?;
        match self.enter_virtual(caller, r) {
            Ok(owner) => Ok(owner),
            Err(refused) => {
                let Kind::Instance { class, .. } = object.kind else {
                    return Err(refused);
                };
                if self.is_shareable_interface(interface) && self.assignable(class, interface) {
                    return match object.owner.instance {
                        Some(server) if self.is_busy(server, channel) => Err(refused),
                        _ => Ok(object.owner),
                    };
                }
                Err(refused)
            }
        }
    }

    /// True for an applet that can't be called from another channel: it is active on one, and it is not
    /// multiselectable (JCRE 4.3, 6.2.8.6).
    pub(crate) fn is_busy(&self, server: InstanceId, channel: u8) -> bool {
        let mut active = self.s.selected.iter();
        active.any(|a| a.channel != channel && a.instance == server)
            && self.s.instances.get(&server).is_some_and(|found| {
                !self.is_instance(found.object, "javacard/framework/MultiSelectable")
            })
    }

    /// checkcast and instanceof (6.2.8.9): an object of another context only through a Shareable.
    pub(crate) fn castable(
        &self,
        caller: Owner,
        r: Ref,
        target: Option<ClassRef>,
    ) -> Result<(), Fault> {
        let object = self.object(r)?;
        if caller.context == object.owner.context
            || caller.context == Context::Jcre
            || object.access != Access::Owner
        {
            return Ok(());
        }
        let Kind::Instance { class, .. } = object.kind else {
            return Err(Throw::security().into());
        };
        let shareable = Api::get().shareable;
        let through = target.is_some_and(|t| self.is_shareable_interface(t));
        if through && self.assignable(class, shareable) {
            return Ok(());
        }
        Err(Throw::security().into())
    }

    /// The receiver of a native method.
    pub(crate) fn expect_instance(&self, r: Ref) -> Result<ClassRef, Fault> {
        match self.object(r)?.kind {
            Kind::Instance { class, .. } => Ok(class),
            ref other => Err(VmError::Type {
                expected: "an object".into(),
                found: other.describe().into(),
            }
            .into()),
        }
    }
}
