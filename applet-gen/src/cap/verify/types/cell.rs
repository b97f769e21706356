//! The types of values on the operand stack and in local variables, and their lattice.

use std::collections::BTreeSet;
use std::fmt;

use super::super::context::Context;
use super::super::members::Kind;
use super::super::world::Class;

/// What is known of an object: a class that it is an instance of, and interfaces that it implements
/// besides those of the class. What two ways lead to is an instance of the least common superclass
/// and of every interface that both have: so a value is used as an interface only where it
/// certainly implements it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Bound<'a> {
    /// No interface: an object known by its interface alone is a java.lang.Object with that.
    class: Class<'a>,
    /// With their superinterfaces, without those that `class` has.
    interfaces: BTreeSet<Class<'a>>,
}

impl<'a> Bound<'a> {
    /// Instances of a class or interface.
    pub fn of(context: &Context<'a>, class: Class<'a>) -> Self {
        if !context.is_interface_class(class) {
            return Bound {
                class,
                interfaces: BTreeSet::new(),
            };
        }
        let mut interfaces = context.interfaces(class);
        interfaces.insert(class);
        Bound {
            class: context.superclass(class).unwrap_or(class),
            interfaces,
        }
    }

    fn all_interfaces(&self, context: &Context<'a>) -> BTreeSet<Class<'a>> {
        let mut all = context.interfaces(self.class);
        all.extend(self.interfaces.iter().copied());
        all
    }

    /// Whether such an object can be used as a `to`.
    pub fn fits(&self, context: &Context<'a>, to: Class<'a>) -> bool {
        if self.class == to || self.interfaces.contains(&to) {
            return true;
        }
        if context.is_interface_class(to) {
            context.interfaces(self.class).contains(&to)
        } else {
            context.is_subclass(self.class, to)
        }
    }

    fn merge(&self, context: &Context<'a>, other: &Self) -> Option<Self> {
        if self == other {
            return Some(self.clone());
        }
        let others = context.lineage(other.class);
        let class = context
            .lineage(self.class)
            .into_iter()
            .find(|class| others.contains(class))?;
        let implied = context.interfaces(class);
        let theirs = other.all_interfaces(context);
        let interfaces = self
            .all_interfaces(context)
            .into_iter()
            .filter(|one| theirs.contains(one) && !implied.contains(one))
            .collect();
        Some(Bound { class, interfaces })
    }
}

impl fmt::Display for Bound<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.class)?;
        for interface in &self.interfaces {
            write!(f, " & {interface}")?;
        }
        Ok(())
    }
}

/// Elements of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Element<'a> {
    Boolean,
    Byte,
    Short,
    Int,
    Object(Bound<'a>),
}

/// The type of one 16-bit cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) enum Cell<'a> {
    /// Nothing that may be used.
    Unset,
    /// boolean, byte or short.
    Short,
    /// The first word of an int.
    Int,
    /// Its second word, always after the first.
    IntLow,
    Null,
    Object(Bound<'a>),
    Array(Element<'a>),
    /// What the `new` at this offset made, before its constructor has run.
    New(usize),
    /// `this` in a constructor, before another constructor has run.
    This,
    /// Return address of the `jsr` at this offset.
    Return(usize),
}

impl<'a> Cell<'a> {
    /// The cells of a value of a type; none for void.
    pub fn of(context: &Context<'a>, kind: Kind<'a>) -> Vec<Self> {
        vec![match kind {
            Kind::Void => return Vec::new(),
            Kind::Int => return vec![Cell::Int, Cell::IntLow],
            Kind::Boolean | Kind::Byte | Kind::Short => Cell::Short,
            Kind::Reference(class) => Cell::Object(Bound::of(context, class)),
            Kind::BooleanArray => Cell::Array(Element::Boolean),
            Kind::ByteArray => Cell::Array(Element::Byte),
            Kind::ShortArray => Cell::Array(Element::Short),
            Kind::IntArray => Cell::Array(Element::Int),
            Kind::ReferenceArray(class) => Cell::Array(Element::Object(Bound::of(context, class))),
        }]
    }

    /// Whether the cell holds a reference that may be used.
    pub fn is_reference(&self) -> bool {
        matches!(self, Cell::Null | Cell::Object(_) | Cell::Array(_))
    }

    /// Whether a value in one cell can be used as a `to`.
    pub fn fits(&self, context: &Context<'a>, to: Kind<'a>) -> bool {
        match (self, to) {
            (Cell::Short, Kind::Boolean | Kind::Byte | Kind::Short) => true,
            (Cell::Null, to) => to.is_reference(),
            (Cell::Object(bound), Kind::Reference(class)) => bound.fits(context, class),
            (Cell::Array(_), Kind::Reference(class)) => context.superclass(class).is_none(),
            (Cell::Array(Element::Boolean), Kind::BooleanArray)
            | (Cell::Array(Element::Byte), Kind::ByteArray)
            | (Cell::Array(Element::Short), Kind::ShortArray)
            | (Cell::Array(Element::Int), Kind::IntArray) => true,
            (Cell::Array(Element::Object(bound)), Kind::ReferenceArray(class)) => {
                bound.fits(context, class)
            }
            _ => false,
        }
    }

    /// What is certain where one way brings this and another that.
    pub fn merge(&self, context: &Context<'a>, other: &Self) -> Self {
        let object = || {
            context
                .class_named("java/lang/Object")
                .map_or(Cell::Unset, |class| Cell::Object(Bound::of(context, class)))
        };
        match (self, other) {
            (one, other) if one == other => one.clone(),
            (Cell::Null, other) if other.is_reference() => other.clone(),
            (one, Cell::Null) if one.is_reference() => one.clone(),
            (Cell::Object(one), Cell::Object(other)) => {
                one.merge(context, other).map_or(Cell::Unset, Cell::Object)
            }
            (Cell::Array(Element::Object(one)), Cell::Array(Element::Object(other))) => one
                .merge(context, other)
                .map_or(Cell::Unset, |bound| Cell::Array(Element::Object(bound))),
            (one, other) if one.is_reference() && other.is_reference() => object(),
            _ => Cell::Unset,
        }
    }
}

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cell::Unset => f.write_str("nothing usable"),
            Cell::Short => f.write_str("short"),
            Cell::Int => f.write_str("the first half of an int"),
            Cell::IntLow => f.write_str("the second half of an int"),
            Cell::Null => f.write_str("null"),
            Cell::Object(bound) => write!(f, "{bound}"),
            Cell::Array(Element::Boolean) => f.write_str("boolean[]"),
            Cell::Array(Element::Byte) => f.write_str("byte[]"),
            Cell::Array(Element::Short) => f.write_str("short[]"),
            Cell::Array(Element::Int) => f.write_str("int[]"),
            Cell::Array(Element::Object(bound)) => write!(f, "{bound}[]"),
            Cell::New(at) => write!(f, "the object without constructor of new at {at:#06x}"),
            Cell::This => f.write_str("this before its constructor"),
            Cell::Return(at) => write!(f, "the return address of jsr at {at:#06x}"),
        }
    }
}
