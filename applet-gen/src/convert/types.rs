//! Descriptors, storage kinds and value ranges.

use super::error::{Errors, rule};

/// A field's, parameter's or result's type as Java Card stores it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    Void,
    Boolean,
    Byte,
    Short,
    /// Only where the package may use it (JCVM 2.2.3.1).
    Int,
    /// Class or interface, by name.
    Class(String),
    /// An array of booleans, bytes, shorts, ints or references.
    Array(Box<Type>),
    /// Refused, and reported where it was declared.
    Bad,
}

impl Type {
    /// The letter that instructions are named with: `a`, `b`, `s` or `i`.
    pub(crate) fn storage(&self) -> Storage {
        match self {
            Type::Boolean | Type::Byte => Storage::Byte,
            Type::Class(_) | Type::Array(_) => Storage::Reference,
            Type::Int => Storage::Int,
            Type::Void | Type::Short | Type::Bad => Storage::Short,
        }
    }

    /// Cells of a value on the stack, in the frame and in an object.
    pub(crate) fn cells(&self) -> usize {
        match self {
            Type::Void => 0,
            Type::Int => 2,
            _ => 1,
        }
    }

    /// What a load of this type can give.
    pub(crate) fn value(&self) -> Value {
        match self {
            Type::Boolean => Value::Number(Range::new(0, 1)),
            Type::Byte => Value::Number(Range::BYTE),
            Type::Short => Value::Number(Range::SHORT),
            Type::Int => Value::Int(Range::INT),
            Type::Class(_) | Type::Array(_) => Value::Reference,
            Type::Void | Type::Bad => Value::Bad,
        }
    }
}

/// How `int` is reported.
const INT: &str = "int";

/// Reads one type off the front of a descriptor.
fn one<'a>(text: &'a str, report: &mut dyn FnMut(&'static str)) -> Option<(Type, &'a str)> {
    let mut chars = text.chars();
    let rest_of = |chars: std::str::Chars<'a>| chars.as_str();
    Some(match chars.next()? {
        'V' => (Type::Void, rest_of(chars)),
        'Z' => (Type::Boolean, rest_of(chars)),
        'B' => (Type::Byte, rest_of(chars)),
        'S' => (Type::Short, rest_of(chars)),
        'I' => {
            report(INT);
            (Type::Int, rest_of(chars))
        }
        letter @ ('J' | 'F' | 'D' | 'C') => {
            report(match letter {
                'J' => "long",
                'F' => "float",
                'D' => "double",
                _ => "char",
            });
            (Type::Bad, rest_of(chars))
        }
        'L' => {
            let (name, rest) = rest_of(chars).split_once(';')?;
            (Type::Class(name.to_owned()), rest)
        }
        '[' => {
            let (element, rest) = one(rest_of(chars), report)?;
            match element {
                Type::Array(_) => {
                    report("an array of arrays");
                    (Type::Bad, rest)
                }
                Type::Bad => (Type::Bad, rest),
                element => (Type::Array(Box::new(element)), rest),
            }
        }
        _ => return None,
    })
}

/// A method's parameters and result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) parameters: Vec<Type>,
    pub(crate) result: Type,
}

/// Parses a field's descriptor; `report` hears of every type that Java Card doesn't have.
pub(crate) fn field_type(descriptor: &str, report: &mut dyn FnMut(&'static str)) -> Type {
    match one(descriptor, report) {
        Some((found, "")) => found,
        _ => Type::Bad,
    }
}

/// Parses a method's descriptor; `report` as for [`field_type`].
pub(crate) fn signature(descriptor: &str, report: &mut dyn FnMut(&'static str)) -> Signature {
    let bad = Signature {
        parameters: Vec::new(),
        result: Type::Bad,
    };
    let Some(mut rest) = descriptor.strip_prefix('(') else {
        return bad;
    };
    let mut parameters = Vec::new();
    loop {
        if let Some(result) = rest.strip_prefix(')') {
            return Signature {
                parameters,
                result: field_type(result, report),
            };
        }
        match one(rest, report) {
            Some((parameter, after)) => {
                parameters.push(parameter);
                rest = after;
            }
            None => return bad,
        }
    }
}

/// Reports a type by the clause that excludes it; `int` only where the package may not use it.
pub(crate) fn refuse_type(
    errors: &mut Errors,
    may_use_int: bool,
    line: Option<u16>,
    what: &str,
    excluded: &'static str,
) {
    let rule = match excluded {
        INT if may_use_int => return,
        INT => rule::INT,
        "an array of arrays" => rule::DIMENSIONS,
        _ => rule::TYPE,
    };
    errors.unsupported(line, format!("{what} of type {excluded}"), rule);
}

/// How a field is stored, or an instruction typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Storage {
    Reference,
    Byte,
    Short,
    Int,
}

impl Storage {
    /// Offset from the `_a` form of an instruction to this one's.
    pub(crate) fn step(self) -> u8 {
        match self {
            Storage::Reference => 0,
            Storage::Byte => 1,
            Storage::Short => 2,
            Storage::Int => 3,
        }
    }

    /// Cells of a value.
    pub(crate) fn cells(self) -> usize {
        match self {
            Storage::Int => 2,
            _ => 1,
        }
    }
}

/// What the Java `int` behind a 16-bit cell can be. The cell always holds its low 16 bits; it
/// holds the number itself only if the whole range lies in a short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: i64,
    pub(crate) high: i64,
}

impl Range {
    pub(crate) const BYTE: Range = Range::new(i8::MIN as i64, i8::MAX as i64);
    pub(crate) const SHORT: Range = Range::new(i16::MIN as i64, i16::MAX as i64);
    pub(crate) const INT: Range = Range::new(i32::MIN as i64, i32::MAX as i64);

    pub(crate) const fn new(low: i64, high: i64) -> Range {
        Range { low, high }
    }

    pub(crate) fn within(self, outer: Range) -> bool {
        outer.low <= self.low && self.high <= outer.high
    }

    /// Whether a short holds every value, so that the cell is the number.
    pub(crate) fn exact(self) -> bool {
        self.within(Range::SHORT)
    }

    pub(crate) fn constant(self) -> Option<i64> {
        (self.low == self.high).then_some(self.low)
    }

    /// The range of a Java `int` result: anything, as soon as the sum leaves 32 bits.
    fn wrapped(self) -> Range {
        if self.within(Range::INT) {
            self
        } else {
            Range::INT
        }
    }

    fn hull(values: impl IntoIterator<Item = i64>) -> Range {
        let mut range: Option<Range> = None;
        for value in values {
            range = Some(match range {
                None => Range::new(value, value),
                Some(so_far) => Range::new(so_far.low.min(value), so_far.high.max(value)),
            });
        }
        range.unwrap_or(Range::INT)
    }

    pub(crate) fn join(self, other: Range) -> Range {
        Range::new(self.low.min(other.low), self.high.max(other.high))
    }

    /// The join, widened where that is asked and it is not the same.
    fn joined(self, other: Range, widen: bool) -> Range {
        if self == other {
            return self;
        }
        let joined = self.join(other);
        if widen { joined.widen() } else { joined }
    }

    /// The least range with round ends that holds this one, so that loops come to an end.
    pub(crate) fn widen(self) -> Range {
        let lows = [0, i8::MIN.into(), i16::MIN.into()];
        // One below the greatest short: what is less than one, as an index inside its loop.
        let below = i64::from(i16::MAX) - 1;
        let highs = [0, 1, i8::MAX.into(), u8::MAX.into(), below, i16::MAX.into()];
        Range {
            low: lows
                .into_iter()
                .find(|low| *low <= self.low)
                .unwrap_or(Range::INT.low),
            high: highs
                .into_iter()
                .find(|high| self.high <= *high)
                .unwrap_or(Range::INT.high),
        }
    }

    pub(crate) fn add(self, other: Range) -> Range {
        Range::new(self.low + other.low, self.high + other.high).wrapped()
    }

    pub(crate) fn sub(self, other: Range) -> Range {
        Range::new(self.low - other.high, self.high - other.low).wrapped()
    }

    pub(crate) fn mul(self, other: Range) -> Range {
        let pairs = [
            self.low * other.low,
            self.low * other.high,
            self.high * other.low,
            self.high * other.high,
        ];
        Range::hull(pairs).wrapped()
    }

    pub(crate) fn neg(self) -> Range {
        Range::new(-self.high, -self.low).wrapped()
    }

    pub(crate) fn div(self, by: Range) -> Range {
        if let Some(by) = by.constant().filter(|by| *by != 0) {
            return Range::hull([self.low / by, self.high / by]);
        }
        if by.low >= 0 {
            return Range::new(self.low.min(0), self.high.max(0));
        }
        let most = self.low.abs().max(self.high.abs());
        Range::new(-most, most).wrapped()
    }

    pub(crate) fn rem(self, by: Range) -> Range {
        let most = (by.low.abs().max(by.high.abs()) - 1).max(0);
        Range::new(self.low.min(0).max(-most), self.high.max(0).min(most))
    }

    pub(crate) fn shl(self, by: Range) -> Range {
        match by.constant() {
            Some(by) => {
                let factor = 1i64 << (by & 31);
                Range::new(self.low * factor, self.high * factor).wrapped()
            }
            None => Range::INT,
        }
    }

    pub(crate) fn shr(self, by: Range) -> Range {
        match by.constant() {
            Some(by) => Range::new(self.low >> (by & 31), self.high >> (by & 31)),
            None => Range::new(self.low.min(0), self.high.max(0)),
        }
    }

    pub(crate) fn ushr(self, by: Range) -> Range {
        if self.low >= 0 {
            return self.shr(by);
        }
        match by.constant().map(|by| by & 31) {
            Some(0) => self,
            Some(by) => Range::new(0, u32::MAX as i64 >> by),
            None => Range::INT,
        }
    }

    /// All values with as many bits as the wider of the two has.
    fn bits(self, other: Range) -> Range {
        let bits = |value: i64| 64 - if value < 0 { !value } else { value }.leading_zeros();
        let most = [self.low, self.high, other.low, other.high]
            .into_iter()
            .map(bits)
            .max()
            .unwrap_or(31)
            .min(31);
        let high = (1i64 << most) - 1;
        if self.low >= 0 && other.low >= 0 {
            Range::new(0, high)
        } else {
            Range::new(-high - 1, high)
        }
    }

    pub(crate) fn and(self, other: Range) -> Range {
        match (self.low >= 0, other.low >= 0) {
            (true, true) => Range::new(0, self.high.min(other.high)),
            (true, false) => Range::new(0, self.high),
            (false, true) => Range::new(0, other.high),
            (false, false) => self.bits(other),
        }
    }

    pub(crate) fn or_xor(self, other: Range) -> Range {
        self.bits(other)
    }
}

/// What a cell of the frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Value {
    /// Nothing that may be read.
    Unset,
    /// An object, an array or null.
    Reference,
    /// A number in one cell: its low 16 bits.
    Number(Range),
    /// A number in two cells: all of it.
    Int(Range),
    /// The outcome of something that was refused; silences errors that would follow from it.
    Bad,
}

impl Value {
    /// Cells that it takes.
    pub(crate) fn cells(self) -> usize {
        match self {
            Value::Int(_) => 2,
            _ => 1,
        }
    }

    pub(crate) fn join(self, other: Value, widen: bool) -> Value {
        match (self, other) {
            (Value::Number(a), Value::Number(b)) => Value::Number(a.joined(b, widen)),
            (Value::Int(a), Value::Int(b)) => Value::Int(a.joined(b, widen)),
            (Value::Reference, Value::Reference) => Value::Reference,
            (Value::Bad, Value::Unset) | (Value::Unset, Value::Bad) => Value::Unset,
            (Value::Bad, _) | (_, Value::Bad) => Value::Bad,
            _ => Value::Unset,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A number and a range around it, of shorts or of ints.
    fn ranged() -> impl Strategy<Value = (i32, Range)> {
        let number = || prop_oneof![any::<i16>().prop_map(i32::from), any::<i32>(), -9i32..40];
        (number(), number(), number()).prop_map(|(a, b, c)| {
            let mut sorted = [a, b, c];
            sorted.sort_unstable();
            let [low, value, high] = sorted;
            (value, Range::new(low.into(), high.into()))
        })
    }

    proptest! {
        /// Every operation's range holds Java's result, and wherever the converter takes the
        /// 16-bit instruction, that instruction's result is Java's low 16 bits.
        #[test]
        fn ranges_hold_javas_results((x, a) in ranged(), (y, b) in ranged()) {
            let holds = |value: i32, range: Range| {
                range.low <= i64::from(value) && i64::from(value) <= range.high
            };
            let (xs, ys) = (x as i16, y as i16);
            prop_assert!(holds(x.wrapping_add(y), a.add(b)));
            prop_assert!(holds(x.wrapping_sub(y), a.sub(b)));
            prop_assert!(holds(x.wrapping_mul(y), a.mul(b)));
            prop_assert_eq!(x.wrapping_mul(y) as i16, xs.wrapping_mul(ys));
            prop_assert!(holds(x.wrapping_neg(), a.neg()));
            prop_assert!(holds(x & y, a.and(b)));
            prop_assert!(holds(x | y, a.or_xor(b)));
            prop_assert!(holds(x ^ y, a.or_xor(b)));
            prop_assert!(holds(x.wrapping_shl(y as u32), a.shl(b)));
            prop_assert!(holds(x >> (y & 31), a.shr(b)));
            prop_assert!(holds((x as u32 >> (y & 31)) as i32, a.ushr(b)));
            if y != 0 {
                prop_assert!(holds(x.wrapping_div(y), a.div(b)));
                prop_assert!(holds(x.wrapping_rem(y), a.rem(b)));
            }
            prop_assert!(a.within(a.widen()) && a.join(b).within(a.join(b).widen()));
        }

        #[test]
        fn descriptors_never_panic(text in "\\PC{0,20}") {
            signature(&text, &mut |_| {});
            field_type(&text, &mut |_| {});
        }
    }

    #[test]
    fn signatures() {
        let found = signature("([BSLa/B;)Z", &mut |_| panic!("all types are allowed"));
        assert_eq!(found.parameters.len(), 3);
        assert_eq!(found.result, Type::Boolean);
        let mut refused = Vec::new();
        signature("(I[[BJ)C", &mut |what| refused.push(what));
        assert_eq!(refused, ["int", "an array of arrays", "long", "char"]);
    }
}
