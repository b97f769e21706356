//! Packages onto the card, applets out of them.

use super::code::MethodRef;
use super::error::{Fault, LoadError, VmError};
use super::heap::{Access, Kind, Object, Storage};
use super::host::Host;
use super::link::{World, shared};
use super::state::{Installing, Instance, Linked, Loaded};
use super::thread::{Outcome, Thread};
use super::value::{Context, InstanceId, Owner, PackageId, Ref, Value};
use super::vm::Vm;
use std::sync::Arc;

impl Vm {
    /// Links the package in a load file (components in load order, JCVM 6.2) and puts it on the card.
    /// One persistent write, the last thing that happens: what the card records about the package
    /// belongs to the same write.
    ///
    /// # Errors
    /// Every reason in [`LoadError`]; the card is unchanged then.
    pub fn load(&mut self, load_file: &[u8], host: &mut dyn Host) -> Result<PackageId, LoadError> {
        let id = PackageId(self.s.next_package);
        let code = shared(load_file, id, &self.world())?;
        let aid = hex::encode_upper(&code.aid);
        if self.package_by_aid(&code.aid).is_some() || self.instance_by_aid(&code.aid).is_some() {
            return Err(LoadError::Exists(aid));
        }
        let arrays: Vec<Object> = code
            .statics
            .arrays
            .iter()
            .map(|(kind, bytes)| Object {
                owner: Owner {
                    context: Context::Package(id),
                    instance: None,
                },
                storage: Storage::Persistent,
                access: Access::Owner,
                fresh: false,
                kind: static_array(*kind, bytes),
            })
            .collect();
        let needed = code.size + arrays.iter().map(Object::persistent_bytes).sum::<usize>();
        let free = self.persistent_free();
        if needed > free {
            return Err(LoadError::Memory { needed, free });
        }
        host.nvm().commit().map_err(|_| LoadError::PowerCut)?;
        self.s.next_package += 1;
        let mut static_refs: Vec<Ref> = arrays.into_iter().map(|a| self.s.heap.insert(a)).collect();
        static_refs.resize(code.statics.references.into(), Ref::NULL);
        let static_data = code.statics.data.clone();
        let loaded = Loaded {
            load_file: Arc::clone(&code.load_file),
            verified: false,
            static_refs,
            static_data,
        };
        self.s.packages.insert(id, loaded);
        self.linked.insert(id, code);
        host.on_commit(Context::Package(id));
        Ok(id)
    }

    /// Links all stored packages again.
    pub(crate) fn relink(&mut self) -> Result<(), LoadError> {
        self.linked = Linked::default();
        // A package has a higher number than those that it imports.
        for (id, loaded) in &mut self.s.packages {
            let world = World {
                linked: &self.linked,
                int: self.s.limits.int,
                platform: &self.s.platform,
            };
            let code = shared(&loaded.load_file, *id, &world)?;
            loaded.load_file = Arc::clone(&code.load_file);
            self.linked.insert(*id, code);
        }
        Ok(())
    }

    fn world(&self) -> World<'_> {
        World {
            linked: &self.linked,
            int: self.s.limits.int,
            platform: &self.s.platform,
        }
    }

    /// Runs `install` of the applet class with AID `module` (found in any loaded package) to its end.
    /// `params` is bArray as GlobalPlatform gives it: length + instance AID, length + privileges,
    /// length + application data. The instance exists when the method has returned and has called
    /// `register`; otherwise everything that it made is gone again, and the second part is `None`.
    ///
    /// The last persistent write of an installation that succeeds makes the instance durable: what
    /// the card records about the instance belongs to the same write. While `install` runs,
    /// [`Host::native`] sees the new instance as the caller.
    ///
    /// # Errors
    /// [`VmError::NoClass`] if no package has that applet; [`VmError::Exists`] if the AID is taken.
    pub fn install(
        &mut self,
        module: &[u8],
        instance_aid: &[u8],
        params: &[u8],
        host: &mut dyn Host,
    ) -> Result<(Outcome, Option<InstanceId>), VmError> {
        let found = self.linked.iter().find_map(|(id, code)| {
            let (_, method) = code.applets.iter().find(|(aid, _)| aid == module)?;
            Some((id, *method))
        });
        let (package, method) = found
            .ok_or_else(|| VmError::NoClass(format!("applet {}", hex::encode_upper(module))))?;
        if self.instance_by_aid(instance_aid).is_some()
            || self.package_by_aid(instance_aid).is_some()
        {
            return Err(VmError::Exists(hex::encode_upper(instance_aid)));
        }
        let id = InstanceId(self.s.next_instance);
        self.s.installing = Some(Installing {
            id,
            aid: instance_aid.to_vec(),
            package,
            module: module.to_vec(),
            registered: false,
        });
        // bArray is a global array (JCRE 3.1, 6.2.2).
        let array = self.new_global_bytes(params.len());
        self.bytes_mut(array)?.copy_from_slice(params);
        let length = i16::try_from(params.len()).unwrap_or(0);
        // bLength is a byte; applets mask it. Parameters are at most 127 bytes on most cards, 255 here.
        let [_, length] = length.to_be_bytes();
        let args = vec![
            Value::Ref(array),
            Value::Short(0),
            Value::Short(length.cast_signed().into()),
        ];
        let owner = Owner {
            context: Context::Package(package),
            instance: Some(id),
        };
        let mut thread = Thread::new(MethodRef::Java { package, method }, args, owner);
        let mut outcome = self.run(&mut thread, host);
        if outcome == Outcome::Suspended {
            outcome = Outcome::Trap(VmError::Thread("suspend during install").into());
        }
        if outcome == Outcome::PowerCut {
            // Reset cleans up, as it would on a card.
            return Ok((outcome, None));
        }
        self.s.heap.remove(array);
        let registered = self.s.installing.as_ref().is_some_and(|i| i.registered);
        if !matches!(outcome, Outcome::Returned(_)) || !registered {
            self.undo_install();
            return Ok((outcome, None));
        }
        if host.nvm().commit().is_err() {
            return Ok((Outcome::PowerCut, None));
        }
        self.s.installing = None;
        self.s.next_instance += 1;
        host.on_commit(Context::Package(package));
        Ok((outcome, Some(id)))
    }

    /// Applet.register: the object becomes the instance that is being installed.
    pub(crate) fn register(
        &mut self,
        caller: Owner,
        object: Ref,
        aid: Option<&[u8]>,
    ) -> Result<(), Fault> {
        use super::error::{Throw, system};
        let illegal = || Fault::from(Throw::system(system::ILLEGAL_AID));
        let Some(installing) = self.s.installing.as_mut() else {
            return Err(illegal());
        };
        if caller.instance != Some(installing.id)
            || installing.registered
            || aid.is_some_and(|aid| aid != installing.aid)
        {
            return Err(illegal());
        }
        installing.registered = true;
        let instance = Instance {
            aid: installing.aid.clone(),
            package: installing.package,
            module: installing.module.clone(),
            object,
            aid_object: Ref::NULL,
        };
        self.s.instances.insert(installing.id, instance);
        Ok(())
    }

    /// Removes what an install that didn't end has left.
    pub(crate) fn undo_install(&mut self) {
        let Some(installing) = self.s.installing.take() else {
            return;
        };
        let mut gone = self.owned_by(installing.id);
        if let Some(instance) = self.s.instances.remove(&installing.id) {
            gone.push(instance.aid_object);
        }
        self.forget(&gone);
    }
}

fn static_array(kind: u8, bytes: &[u8]) -> Kind {
    match kind {
        4 => {
            let pairs = bytes.as_chunks::<2>().0.iter();
            Kind::Shorts(pairs.map(|pair| i16::from_be_bytes(*pair)).collect())
        }
        5 => {
            let words = bytes.as_chunks::<4>().0.iter();
            Kind::Ints(words.map(|word| i32::from_be_bytes(*word)).collect())
        }
        _ => Kind::Bytes {
            boolean: kind == 2,
            data: bytes.into(),
        },
    }
}
