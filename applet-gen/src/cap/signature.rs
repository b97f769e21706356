//! Types of fields and methods: the Descriptor's nibbles, the API tables' descriptors.

use std::fmt;

use super::ClassRef;

/// A type as the nibbles of a type descriptor say it (JCVM table 6-20).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
    Reference(ClassRef),
    /// A
    BooleanArray,
    /// B
    ByteArray,
    /// C
    ShortArray,
    /// D
    IntArray,
    /// E with a class.
    ReferenceArray(ClassRef),
}

impl Kind {
    /// Words on the stack or among the locals.
    pub fn words(self) -> u16 {
        match self {
            Kind::Void => 0,
            Kind::Int => 2,
            _ => 1,
        }
    }
}

impl fmt::Display for Kind {
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
