//! Classes across API and loaded packages: supertypes, virtual and interface dispatch.

use super::api::Api;
use super::code::{Class, Code, MethodRef};
use super::error::VmError;
use super::heap::Kind;
use super::value::{ClassRef, PackageId, Ref};
use super::vm::Vm;
use std::sync::Arc;

/// Supertypes deeper than this are a loop in a broken CAP.
const MAX_DEPTH: usize = 256;

impl Vm {
    #[inline]
    pub(crate) fn code(&self, package: PackageId) -> Result<&Arc<Code>, VmError> {
        self.linked.get(package).ok_or(VmError::NoPackage(package))
    }

    #[inline]
    pub(crate) fn loaded_class(&self, class: ClassRef) -> Option<&Class> {
        self.linked
            .get(class.package)?
            .classes
            .get(usize::from(class.class))
    }

    /// The class, its superclass, and so on.
    pub(crate) fn line(&self, class: ClassRef) -> impl Iterator<Item = ClassRef> + '_ {
        std::iter::successors(Some(class), |c| self.superclass(*c)).take(MAX_DEPTH)
    }

    fn superclass(&self, class: ClassRef) -> Option<ClassRef> {
        match self.loaded_class(class) {
            Some(loaded) => loaded.superclass,
            None => Api::get().class(class)?.superclass,
        }
    }

    /// True for an interface that a class of an API package has.
    fn has_interface(&self, class: ClassRef, interface: ClassRef) -> bool {
        Api::get()
            .class(class)
            .is_some_and(|c| c.interfaces.contains(&interface))
    }

    /// True if an instance of `class` is an instance of `target`.
    pub(crate) fn assignable(&self, class: ClassRef, target: ClassRef) -> bool {
        class == target
            || Api::get().object == target
            || match self.loaded_class(class) {
                Some(loaded) => loaded.supers.binary_search(&target).is_ok(),
                None => self
                    .line(class)
                    .any(|c| c == target || self.has_interface(c, target)),
            }
    }

    /// Method that a virtual call with this token reaches in a receiver of this class. `from` is the
    /// package of the caller, which package-visible tokens (bit 8) belong to.
    pub(crate) fn find_virtual(
        &self,
        class: ClassRef,
        token: u8,
        from: PackageId,
    ) -> Option<MethodRef> {
        let at = usize::from(token & 0x7F);
        if token & 0x80 != 0 {
            // The caller's package is that of the class that declares the method.
            let mut line = self.line(class);
            let within = line.find(|c| c.package == from)?;
            return *self.loaded_class(within)?.package.get(at)?;
        }
        match self.loaded_class(class) {
            Some(loaded) => *loaded.public.get(at)?,
            None => {
                let id = *Api::get().class(class)?.virtuals.get(at)?;
                Some(MethodRef::Native(id?))
            }
        }
    }

    /// Method that an interface call reaches in a receiver of this class.
    pub(crate) fn find_interface(
        &self,
        class: ClassRef,
        interface: ClassRef,
        token: u8,
    ) -> Option<MethodRef> {
        let loaded = self.loaded_class(class);
        let mut interfaces = loaded.iter().flat_map(|c| &c.interfaces);
        if let Some((_, map)) = interfaces.find(|(i, _)| *i == interface) {
            let virtual_token = *map.get(usize::from(token))?;
            return self.find_virtual(class, virtual_token, class.package);
        }
        // A class of an API package, or an object of the card whose class is the interface itself.
        let api = Api::get();
        let id = (*api.class(interface)?.virtuals.get(usize::from(token))?)?;
        let method = api.native(id)?;
        let holder = self.line(class).find(|c| self.loaded_class(*c).is_none())?;
        let (_, id) = api.virtual_named(holder, method.method, method.descriptor)?;
        Some(MethodRef::Native(id))
    }

    /// True for an interface that is or extends Shareable.
    pub(crate) fn is_shareable_interface(&self, interface: ClassRef) -> bool {
        let shareable = Api::get().shareable;
        interface == shareable
            || match self.loaded_class(interface) {
                Some(loaded) => loaded.interface && loaded.shareable,
                None => self.has_interface(interface, shareable),
            }
    }

    /// Cells of an instance of this class.
    pub(crate) fn instance_cells(&self, class: ClassRef) -> u16 {
        self.loaded_class(class).map_or(0, |c| c.cells)
    }

    /// Name of the nearest API class of a class: what the outside knows it by.
    pub(crate) fn api_name(&self, class: ClassRef) -> &'static str {
        self.line(class)
            .find_map(|c| Api::get().class(c))
            .map_or("java/lang/Object", |c| c.name)
    }

    /// Class of an object; `None` for arrays.
    pub(crate) fn class_of(&self, object: Ref) -> Result<Option<ClassRef>, VmError> {
        Ok(match &self.s.heap.get(object)?.kind {
            Kind::Instance { class, .. } => Some(*class),
            _ => None,
        })
    }

    /// Class or interface of an API package that this card has.
    pub(crate) fn api_class(&self, name: &str) -> Result<ClassRef, VmError> {
        Api::get()
            .class_named(name)
            .ok_or_else(|| VmError::NoClass(name.into()))
    }
}
