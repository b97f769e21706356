//! Types of fields and methods: the Descriptor's nibbles, the API tables' descriptors.

use std::fmt;

use super::ClassRef;

/// A type as the nibbles of a type descriptor say it (JCVM table 6-20); `C` is how classes are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<C = ClassRef> {
    /// 1, only as a result.
    Void,
    /// 2
    Boolean,
    /// 3
    Byte,
    /// 4
    Short,
    /// 5
    Int,
    /// 6 with a class.
    Reference(C),
    /// A
    BooleanArray,
    /// B
    ByteArray,
    /// C
    ShortArray,
    /// D
    IntArray,
    /// E with a class.
    ReferenceArray(C),
}

impl<C> Kind<C> {
    /// The same type with its class named otherwise; `None` where `class` knows none.
    pub fn try_map<D>(self, class: impl FnOnce(C) -> Option<D>) -> Option<Kind<D>> {
        Some(match self {
            Kind::Void => Kind::Void,
            Kind::Boolean => Kind::Boolean,
            Kind::Byte => Kind::Byte,
            Kind::Short => Kind::Short,
            Kind::Int => Kind::Int,
            Kind::Reference(one) => Kind::Reference(class(one)?),
            Kind::BooleanArray => Kind::BooleanArray,
            Kind::ByteArray => Kind::ByteArray,
            Kind::ShortArray => Kind::ShortArray,
            Kind::IntArray => Kind::IntArray,
            Kind::ReferenceArray(one) => Kind::ReferenceArray(class(one)?),
        })
    }

    /// Whether it is an object or an array.
    pub fn is_reference(&self) -> bool {
        !matches!(
            self,
            Kind::Void | Kind::Boolean | Kind::Byte | Kind::Short | Kind::Int
        )
    }

    /// Words on the stack or among the locals.
    pub fn words(&self) -> u16 {
        match self {
            Kind::Void => 0,
            Kind::Int => 2,
            _ => 1,
        }
    }
}

impl<C: fmt::Display> fmt::Display for Kind<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Void => f.write_str("void"),
            Kind::Boolean => f.write_str("boolean"),
            Kind::Byte => f.write_str("byte"),
            Kind::Short => f.write_str("short"),
            Kind::Int => f.write_str("int"),
            Kind::Reference(class) => write!(f, "<{class}>"),
            Kind::BooleanArray => f.write_str("boolean[]"),
            Kind::ByteArray => f.write_str("byte[]"),
            Kind::ShortArray => f.write_str("short[]"),
            Kind::IntArray => f.write_str("int[]"),
            Kind::ReferenceArray(class) => write!(f, "<{class}>[]"),
        }
    }
}

/// Reads the nibbles of a type descriptor; `None` where they are no sequence of types.
pub fn kinds(nibbles: &[u8]) -> Option<Vec<Kind>> {
    let mut found = Vec::new();
    let mut rest = nibbles.iter().copied();
    while let Some(nibble) = rest.next() {
        let mut class = || {
            let mut value = 0;
            for _ in 0..4 {
                value = value << 4 | u16::from(rest.next()?);
            }
            Some(ClassRef::from_u16(value))
        };
        found.push(match nibble {
            1 => Kind::Void,
            2 => Kind::Boolean,
            3 => Kind::Byte,
            4 => Kind::Short,
            5 => Kind::Int,
            6 => Kind::Reference(class()?),
            0xA => Kind::BooleanArray,
            0xB => Kind::ByteArray,
            0xC => Kind::ShortArray,
            0xD => Kind::IntArray,
            0xE => Kind::ReferenceArray(class()?),
            _ => return None,
        });
    }
    Some(found)
}

/// Reads a descriptor as class files and API tables have it: of a field (`[B`), or of a method
/// (`([BSB)V`: parameters, then the result), classes by full names. `None` where it is no
/// descriptor, or has an array of arrays, which Java Card has not (JCVM 2.2.1.2).
pub fn kinds_of_descriptor(descriptor: &str) -> Option<Vec<Kind<&str>>> {
    let mut found = Vec::new();
    let mut rest = descriptor;
    while let Some(first) = rest.chars().next() {
        rest = rest.get(first.len_utf8()..)?;
        let array = first == '[';
        let letter = if array {
            let letter = rest.chars().next()?;
            rest = rest.get(letter.len_utf8()..)?;
            letter
        } else {
            first
        };
        found.push(match (letter, array) {
            ('(' | ')', false) => continue,
            ('V', false) => Kind::Void,
            ('Z', false) => Kind::Boolean,
            ('B', false) => Kind::Byte,
            ('S', false) => Kind::Short,
            ('I', false) => Kind::Int,
            ('Z', true) => Kind::BooleanArray,
            ('B', true) => Kind::ByteArray,
            ('S', true) => Kind::ShortArray,
            ('I', true) => Kind::IntArray,
            ('L', array) => {
                let (name, after) = rest.split_once(';')?;
                rest = after;
                if array {
                    Kind::ReferenceArray(name)
                } else {
                    Kind::Reference(name)
                }
            }
            _ => return None,
        });
    }
    Some(found)
}

/// What a call takes from the stack and leaves on it, in words; `this` is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// Words of the parameters.
    pub parameters: u16,
    /// Words of the result: 0, 1 or 2.
    pub result: u16,
}

impl Words {
    /// Of a method's type descriptor: parameters, then the result.
    pub fn of_nibbles(nibbles: &[u8]) -> Option<Self> {
        let kinds = kinds(nibbles)?;
        let (result, parameters) = kinds.split_last()?;
        if parameters.contains(&Kind::Void) {
            return None;
        }
        Some(Words {
            parameters: parameters.iter().map(|kind| kind.words()).sum(),
            result: result.words(),
        })
    }

    /// Of a descriptor as class files and API tables have it: `([BSB)V`.
    pub fn of_descriptor(descriptor: &str) -> Option<Self> {
        let (parameters, result) = descriptor.strip_prefix('(')?.split_once(')')?;
        let result = match result {
            "V" => 0,
            "I" => 2,
            _ => 1,
        };
        let mut words = 0;
        let mut characters = parameters.chars();
        while let Some(first) = characters.next() {
            let mut element = first;
            while element == '[' {
                element = characters.next()?;
            }
            if element == 'L' {
                characters.by_ref().find(|character| *character == ';')?;
            }
            words += if first == 'I' { 2 } else { 1 };
        }
        Some(Words {
            parameters: words,
            result,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_both_notations_agree() {
        let words = |parameters, result| Some(Words { parameters, result });
        assert_eq!(Words::of_nibbles(&[0xB, 4, 3, 1]), words(3, 0));
        assert_eq!(Words::of_descriptor("([BSB)V"), words(3, 0));
        assert_eq!(Words::of_nibbles(&[6, 8, 0, 0, 0xA, 5, 4]), words(3, 1));
        assert_eq!(Words::of_descriptor("(La/B;I)[[S"), words(3, 1));
        assert_eq!(Words::of_descriptor("([La/B;[I)I"), words(2, 2));
        assert_eq!(Words::of_nibbles(&[1, 1]), None);
        assert_eq!(Words::of_nibbles(&[6, 8, 0]), None);
        assert_eq!(Words::of_descriptor("(La"), None);
    }
}
