//! What a CAP offers to others, where its export file is not at hand: as much of it as the Export and
//! Descriptor components tell, under names made up from tokens.

use super::Report;
use super::context::Context;
use super::members::{Access, Kind, Signature, Visibility};
use super::world::Class;
use crate::api::{ApiClass, ApiField, ApiMethod, ApiPackage, flags};
use crate::cap::descriptor::{FieldRef, NO_TOKEN, access};
use crate::cap::{Cap, ClassRef};

/// The package of `cap` as those that import it see it; `None` without Export or Descriptor.
/// Classes that are not exported are in it under the token 255, which no import can mean, since
/// exported ones may extend them.
pub fn offer(cap: &Cap, packages: &[ApiPackage]) -> Option<ApiPackage> {
    let export = cap.export.as_ref()?;
    let descriptor = cap.descriptor.as_ref()?;
    let context = Context::new(cap, packages, &mut Report::default());
    let names = Names { cap };
    let classes = descriptor.classes.iter().filter_map(|described| {
        let ClassRef::Internal(offset) = described.this_class else {
            return None;
        };
        let this = Class::Own(offset);
        let token = export
            .classes
            .iter()
            .position(|one| one.class_offset == offset);
        let token = token.and_then(|token| u8::try_from(token).ok());
        let bits = [
            (access::PUBLIC, flags::PUBLIC),
            (access::FINAL, flags::FINAL),
            (access::CLASS_ABSTRACT, flags::ABSTRACT),
            (access::INTERFACE, flags::INTERFACE),
        ];
        let mut class_flags = bits
            .iter()
            .filter(|(own, _)| described.access_flags & own != 0)
            .fold(0, |all, (_, bit)| all | bit);
        if context.is_shareable(this) {
            class_flags |= flags::SHAREABLE;
        }
        let fields = described.fields.iter().filter_map(|field| {
            let found = context.own_field(this, field)?;
            let token = match field.field_ref {
                FieldRef::Static(_) => field.token,
                FieldRef::Instance { token, .. } => token,
            };
            visible(found.access, token)?;
            Some(ApiField {
                name: format!("f{token}"),
                descriptor: names.descriptor(found.kind),
                token: Some(token),
                flags: member_flags(found.access),
                constant: None,
            })
        });
        let methods = described.methods.iter().filter_map(|method| {
            let found = context.own_method(this, method)?;
            visible(found.access, method.token)?;
            Some(ApiMethod {
                name: match found.access {
                    one if one.is_init => "<init>".into(),
                    one if one.is_static => format!("s{}", method.token),
                    _ => format!("v{}", method.token),
                },
                descriptor: names.signature(&found.signature),
                token: method.token,
                flags: member_flags(found.access),
                exceptions: Vec::new(),
            })
        });
        Some(ApiClass {
            token: token.unwrap_or(NO_TOKEN),
            name: names.class(this),
            flags: class_flags,
            super_name: context.superclass(this).map(|class| names.class(class)),
            interfaces: context
                .interfaces(this)
                .into_iter()
                .map(|class| names.class(class))
                .collect(),
            fields: fields.collect(),
            methods: methods.collect(),
        })
    });
    Some(ApiPackage {
        name: names.package(),
        aid: cap.header.package.aid.clone(),
        major: cap.header.package.major,
        minor: cap.header.package.minor,
        applets: !cap.applets.is_empty(),
        classes: classes.collect(),
    })
}

fn visible(access: Access, token: u8) -> Option<()> {
    let seen = access.visibility >= Visibility::Protected && token != NO_TOKEN;
    seen.then_some(())
}

fn member_flags(access: Access) -> u16 {
    let bits = [
        (access.visibility == Visibility::Public, flags::PUBLIC),
        (access.visibility == Visibility::Protected, flags::PROTECTED),
        (access.is_static, flags::STATIC),
        (access.is_final, flags::FINAL),
        (access.is_abstract, flags::ABSTRACT),
    ];
    bits.iter()
        .filter(|(set, _)| *set)
        .fold(0, |all, (_, bit)| all | bit)
}

struct Names<'c> {
    cap: &'c Cap,
}

impl Names<'_> {
    fn package(&self) -> String {
        let name = self.cap.header.name.as_deref().unwrap_or_default();
        match std::str::from_utf8(name) {
            Ok(name) if !name.is_empty() => name.to_owned(),
            _ => hex::encode_upper(&self.cap.header.package.aid),
        }
    }

    fn class(&self, class: Class<'_>) -> String {
        match class {
            Class::Own(offset) => format!("{}/class_{offset:04x}", self.package()),
            Class::Api(class) => class.name.clone(),
        }
    }

    fn descriptor(&self, kind: Kind<'_>) -> String {
        match kind {
            Kind::Void => "V".into(),
            Kind::Boolean => "Z".into(),
            Kind::Byte => "B".into(),
            Kind::Short => "S".into(),
            Kind::Int => "I".into(),
            Kind::Reference(class) => format!("L{};", self.class(class)),
            Kind::BooleanArray => "[Z".into(),
            Kind::ByteArray => "[B".into(),
            Kind::ShortArray => "[S".into(),
            Kind::IntArray => "[I".into(),
            Kind::ReferenceArray(class) => format!("[L{};", self.class(class)),
        }
    }

    fn signature(&self, signature: &Signature<'_>) -> String {
        let parameters = signature.parameters.iter();
        let parameters: String = parameters.map(|kind| self.descriptor(*kind)).collect();
        format!("({parameters}){}", self.descriptor(signature.result))
    }
}
