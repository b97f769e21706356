//! Allocation, accounting, and letting go of objects.

use super::error::{DeleteError, Fault, Throw, VmError, system};
use super::heap::{Access, Kind, Object, Storage};
use super::host::Host;
use super::interp::tell;
use super::limits::Usage;
use super::native_state::NativeState;
use super::observer::{Event, Made};
use super::thread::Thread;
use super::tx::Undo;
use super::value::{ClassRef, InstanceId, Owner, PackageId, Ref, Value};
use super::vm::Vm;
use crate::power::Nvm;
use std::collections::{BTreeMap, BTreeSet};

impl Vm {
    /// Persistent bytes in use by packages and objects.
    pub(crate) fn persistent_used(&self) -> usize {
        self.linked.size() + self.s.heap.sums().persistent
    }

    /// Puts an object of an applet into memory: limits, transaction, one persistent write.
    pub(crate) fn allocate(
        &mut self,
        host: &mut dyn Host,
        owner: Owner,
        storage: Storage,
        kind: Kind,
    ) -> Result<Ref, Fault> {
        let object = Object {
            owner,
            storage,
            access: Access::Owner,
            fresh: false,
            kind,
        };
        self.check_room(&object)?;
        let bytes = object.persistent_bytes();
        let (reset, deselect) = object.transient_bytes();
        let made = Event::Allocated {
            what: Made::of(&object.kind),
            storage,
            persistent: bytes,
            transient: reset + deselect,
            owner,
        };
        if self.s.transaction.is_some() {
            let r = self.s.heap.insert(object);
            if let Err(fault) = self.before_write(host, owner.context, Undo::Created { object: r })
            {
                self.s.heap.remove(r);
                return Err(fault);
            }
            tell(host, &made);
            return Ok(r);
        }
        self.write_now(host, owner.context, bytes)?;
        tell(host, &made);
        Ok(self.s.heap.insert(object))
    }

    /// Refuses contents of this many bytes before they take the host's memory.
    pub(crate) fn check_persistent(&self, bytes: usize) -> Result<(), Fault> {
        if bytes > self.persistent_free() {
            return Err(Throw::system(system::NO_RESOURCE).into());
        }
        Ok(())
    }

    fn check_room(&self, object: &Object) -> Result<(), Fault> {
        let limits = &self.s.limits;
        let sums = self.s.heap.sums();
        let (reset, deselect) = object.transient_bytes();
        if self.persistent_used() + object.persistent_bytes() > limits.persistent {
            return Err(Throw::system(system::NO_RESOURCE).into());
        }
        if sums.reset + reset > limits.transient_reset
            || sums.deselect + deselect > limits.transient_deselect
        {
            return Err(Throw::system(system::NO_TRANSIENT_SPACE).into());
        }
        Ok(())
    }

    /// An object of the runtime itself: costs the applets nothing.
    pub(crate) fn runtime_object(&mut self, access: Access, kind: Kind) -> Ref {
        self.s.heap.insert(Object {
            owner: Owner::JCRE,
            storage: Storage::Runtime,
            access,
            fresh: false,
            kind,
        })
    }

    /// A fresh instance: numbers 0, references null.
    pub(crate) fn blank(&self, class: ClassRef, native: NativeState) -> Kind {
        let mut fields =
            vec![Value::Short(0); self.instance_cells(class).into()].into_boxed_slice();
        for c in self.line(class) {
            if let Some(loaded) = self.loaded_class(c) {
                let (first, count) = loaded.references;
                for field in fields.iter_mut().skip(first.into()).take(count.into()) {
                    *field = Value::NULL;
                }
            }
        }
        Kind::Instance {
            class,
            fields,
            native: native.boxed(),
        }
    }

    /// Removes objects, and makes every reference to them null.
    pub(crate) fn forget(&mut self, gone: &[Ref]) {
        if gone.is_empty() {
            return;
        }
        for r in gone {
            self.s.heap.remove(*r);
        }
        let set: BTreeSet<Ref> = gone.iter().copied().collect();
        let is_gone = |r: Ref| set.contains(&r);
        for (_, object) in self.s.heap.iter_mut() {
            object.kind.forget(&is_gone);
        }
        for package in self.s.packages.values_mut() {
            for r in &mut package.static_refs {
                if is_gone(*r) {
                    *r = Ref::NULL;
                }
            }
        }
        self.s.exceptions.retain(|_, r| !is_gone(*r));
    }

    /// The same for a thread's cells.
    pub(crate) fn forget_in(thread: &mut Thread, gone: &[Ref]) {
        if gone.is_empty() {
            return;
        }
        for cell in &mut thread.cells {
            if cell.reference().is_some_and(|r| gone.contains(&r)) {
                *cell = Value::NULL;
            }
        }
    }

    /// True if an applet has called `JCSystem.requestObjectDeletion` since the last [`Vm::collect`].
    #[must_use]
    pub fn deletion_requested(&self) -> bool {
        self.s.deletion_requested
    }

    /// What applets' objects, static fields and the given threads refer to.
    pub(crate) fn held(&self, suspended: &[&Thread]) -> BTreeSet<Ref> {
        let objects = self.s.heap.iter().map(|(_, object)| object);
        let applets = objects.filter(|object| object.storage != Storage::Runtime);
        let mut held: BTreeSet<Ref> = applets
            .flat_map(|object| object.kind.references())
            .collect();
        held.extend(self.s.packages.values().flat_map(|p| &p.static_refs));
        held.extend(suspended.iter().flat_map(|t| t.references()));
        held
    }

    /// Removes all objects that nothing refers to any more. `suspended` are the threads that the card
    /// keeps, `roots` the objects that it keeps itself (toolkit registrations, shared objects).
    /// Gives the number of objects removed; one persistent write if there are any.
    ///
    /// # Errors
    /// [`Fault::PowerCut`], with everything still there.
    pub fn collect(
        &mut self,
        nvm: &mut Nvm,
        suspended: &[&Thread],
        roots: &[Ref],
    ) -> Result<usize, Fault> {
        self.s.deletion_requested = false;
        let mut open: Vec<Ref> = roots.to_vec();
        open.extend(suspended.iter().flat_map(|t| t.references()));
        open.extend(self.s.packages.values().flat_map(|p| &p.static_refs));
        open.extend(
            self.s
                .instances
                .values()
                .flat_map(|i| [i.object, i.aid_object]),
        );
        open.extend(self.s.exceptions.values());
        open.extend([self.s.apdu, self.s.apdu_buffer]);
        let runtime = |o: &Object| o.storage == Storage::Runtime;
        open.extend(
            self.s
                .heap
                .iter()
                .filter(|(_, o)| runtime(o))
                .map(|(r, _)| r),
        );
        let mut live = BTreeSet::new();
        while let Some(r) = open.pop() {
            if live.insert(r)
                && let Ok(object) = self.s.heap.get(r)
            {
                open.extend(object.kind.references());
            }
        }
        let gone: Vec<Ref> = self
            .s
            .heap
            .iter()
            .map(|(r, _)| r)
            .filter(|r| !live.contains(r))
            .collect();
        if !gone.is_empty() {
            nvm.commit()?;
            self.forget(&gone);
        }
        Ok(gone.len())
    }

    /// Objects of an instance.
    pub(crate) fn owned_by(&self, instance: InstanceId) -> Vec<Ref> {
        let own = |owner: Owner| owner.instance == Some(instance);
        self.s
            .heap
            .iter()
            .filter(|(_, o)| own(o.owner))
            .map(|(r, _)| r)
            .collect()
    }

    /// Removes an applet instance and what it owns. The card has called `uninstall` before if it wants
    /// to ([`Vm::start_uninstall`]). One persistent write.
    ///
    /// # Errors
    /// [`DeleteError::InUse`] if another applet or a static field holds a reference to one of its
    /// objects (JCRE 11.3.4.1).
    pub fn delete_instance(
        &mut self,
        instance: InstanceId,
        nvm: &mut Nvm,
    ) -> Result<(), DeleteError> {
        let Some(found) = self.s.instances.get(&instance) else {
            return Err(DeleteError::NotFound);
        };
        let aid_object = found.aid_object;
        let gone: BTreeSet<Ref> = self.owned_by(instance).into_iter().collect();
        let held = self.s.heap.iter().find(|(r, o)| {
            !gone.contains(r)
                && o.storage != Storage::Runtime
                && o.kind.references().iter().any(|held| gone.contains(held))
        });
        if let Some((_, holder)) = held {
            let who = holder.owner.instance.and_then(|i| self.s.instances.get(&i));
            let who = who.map_or("the runtime".into(), |i| hex::encode_upper(&i.aid));
            return Err(DeleteError::InUse(format!(
                "an object of {who} refers to one of the instance"
            )));
        }
        for (package, loaded) in &self.s.packages {
            if loaded.static_refs.iter().any(|r| gone.contains(r)) {
                let aid = self
                    .linked
                    .get(*package)
                    .map_or_else(String::new, |c| hex::encode_upper(&c.aid));
                return Err(DeleteError::InUse(format!(
                    "a static field of package {aid} refers to an object of the instance"
                )));
            }
        }
        nvm.commit().map_err(|_| DeleteError::PowerCut)?;
        self.s.instances.remove(&instance);
        self.s.selected.retain(|active| active.instance != instance);
        let mut gone: Vec<Ref> = gone.into_iter().collect();
        if !aid_object.is_null() {
            gone.push(aid_object);
        }
        self.forget(&gone);
        Ok(())
    }

    /// Removes a package without instances and dependents. One persistent write.
    ///
    /// # Errors
    /// [`DeleteError::InUse`] with what still needs it.
    pub fn delete_package(&mut self, package: PackageId, nvm: &mut Nvm) -> Result<(), DeleteError> {
        if !self.s.packages.contains_key(&package) {
            return Err(DeleteError::NotFound);
        }
        if let Some(i) = self.s.instances.values().find(|i| i.package == package) {
            return Err(DeleteError::InUse(format!(
                "applet instance {}",
                hex::encode_upper(&i.aid)
            )));
        }
        if let Some(code) = self
            .linked
            .iter()
            .map(|(_, code)| code)
            .find(|code| code.imports.contains(&package))
        {
            return Err(DeleteError::InUse(format!(
                "package {}",
                hex::encode_upper(&code.aid)
            )));
        }
        let of_package = |o: &Object| match &o.kind {
            Kind::Instance { class, .. } => class.package == package,
            Kind::Refs { element, .. } => element.package == package,
            _ => false,
        };
        // Its static arrays are owned by its context and go with it.
        let own = |o: &Object| o.owner.context == super::Context::Package(package);
        if self.s.heap.iter().any(|(_, o)| of_package(o) && !own(o)) {
            return Err(DeleteError::InUse("an object of one of its classes".into()));
        }
        nvm.commit().map_err(|_| DeleteError::PowerCut)?;
        let gone: Vec<Ref> = self
            .s
            .heap
            .iter()
            .filter(|(_, o)| own(o))
            .map(|(r, _)| r)
            .collect();
        self.s.packages.remove(&package);
        self.linked.remove(package);
        self.forget(&gone);
        Ok(())
    }

    /// Memory in use.
    #[must_use]
    pub fn memory(&self) -> Usage {
        let mut instances: BTreeMap<InstanceId, usize> = BTreeMap::new();
        let mut reset: BTreeMap<InstanceId, usize> = BTreeMap::new();
        let mut deselect: BTreeMap<InstanceId, usize> = BTreeMap::new();
        let mut statics: BTreeMap<PackageId, usize> = BTreeMap::new();
        for (_, object) in self.s.heap.iter() {
            match (object.owner.instance, object.owner.context) {
                (Some(id), _) => {
                    let (r, d) = object.transient_bytes();
                    *instances.entry(id).or_default() += object.persistent_bytes();
                    if r > 0 {
                        *reset.entry(id).or_default() += r;
                    }
                    if d > 0 {
                        *deselect.entry(id).or_default() += d;
                    }
                }
                (None, super::Context::Package(package)) => {
                    *statics.entry(package).or_default() += object.persistent_bytes();
                }
                _ => {}
            }
        }
        let sums = self.s.heap.sums();
        Usage {
            instances: instances.into_iter().collect(),
            packages: self
                .linked
                .iter()
                .map(|(id, code)| (id, code.size + statics.get(&id).copied().unwrap_or(0)))
                .collect(),
            persistent: self.persistent_used(),
            reset_by_instance: reset.into_iter().collect(),
            deselect_by_instance: deselect.into_iter().collect(),
            transient_reset: sums.reset,
            transient_deselect: sums.deselect,
            max_stack: self.s.max_stack,
        }
    }

    /// Makes an object of an API class or interface whose methods the card implements itself
    /// ([`Host::native`]). `class` with slashes; `tag` comes back from [`Vm::native_tag`].
    /// `owner` [`Owner::JCRE`] with [`Access::Permanent`] or [`Access::Temporary`] makes an entry point
    /// object, which costs the applet nothing; another owner makes an ordinary object of its own
    /// (its memory, one persistent write unless a transaction is open; `access` is ignored).
    ///
    /// # Errors
    /// A trap if there is no such class; SystemException.NO_RESOURCE; [`Fault::PowerCut`].
    pub fn new_native(
        &mut self,
        host: &mut dyn Host,
        class: &str,
        tag: u32,
        owner: Owner,
        access: Access,
    ) -> Result<Ref, Fault> {
        let class = self.api_class(class)?;
        let kind = Kind::native(class, NativeState::Tag(tag));
        if owner == Owner::JCRE {
            return Ok(self.runtime_object(access, kind));
        }
        self.allocate(host, owner, Storage::Persistent, kind)
    }

    /// Number that the card gave a native object; `None` for any other object.
    #[must_use]
    pub fn native_tag(&self, object: Ref) -> Option<u32> {
        match self.native_of(object).ok()? {
            NativeState::Tag(tag) => Some(*tag),
            _ => None,
        }
    }

    /// Gives an object that the applet made by `new` of an API class of the card (constructor called
    /// through [`Host::native`]) its tag.
    ///
    /// # Errors
    /// A trap if it isn't an instance of a class.
    pub fn set_native_tag(&mut self, object: Ref, tag: u32) -> Result<(), Fault> {
        Ok(self.s.heap.set_native(object, NativeState::Tag(tag))?)
    }

    /// Native part of an object.
    pub(crate) fn native_of(&self, object: Ref) -> Result<&NativeState, VmError> {
        match &self.s.heap.get(object)?.kind {
            Kind::Instance { native, .. } => Ok(native.as_deref().unwrap_or(&NativeState::None)),
            other => Err(VmError::Type {
                expected: "an object".into(),
                found: other.describe().into(),
            }),
        }
    }

    /// Bytes of persistent memory that are left.
    pub(crate) fn persistent_free(&self) -> usize {
        self.s
            .limits
            .persistent
            .saturating_sub(self.persistent_used())
    }
}
