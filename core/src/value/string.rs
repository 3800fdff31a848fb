//! Strings: bytes or an integer.

use bytes::Bytes;

/// A string of its own, outside the keyspace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Str {
    /// The canonical decimal text of a number.
    Int(i64),
    /// Any bytes.
    Raw(Box<[u8]>),
    /// Any bytes, shared with whoever else holds them.
    Shared(Bytes),
}

impl Str {
    /// The string with these bytes; a number if they are the canonical text of one.
    pub fn new(bytes: &[u8]) -> Self {
        match parse_int(bytes) {
            Some(number) => Self::Int(number),
            None => Self::Raw(bytes.into()),
        }
    }

    /// Lends the string.
    pub fn as_ref(&self) -> StrRef<'_> {
        match self {
            Self::Int(number) => StrRef::Int(*number),
            Self::Raw(bytes) => StrRef::Raw(bytes),
            Self::Shared(bytes) => StrRef::Shared(bytes),
        }
    }
}

/// A string where it lies.
#[derive(Clone, Copy, Debug)]
pub enum StrRef<'a> {
    /// Any bytes.
    Raw(&'a [u8]),
    /// The canonical decimal text of a number.
    Int(i64),
    /// Any bytes, long enough that a reply shares them.
    Shared(&'a Bytes),
}

impl<'a> StrRef<'a> {
    /// The length of the text in bytes.
    pub fn len(self) -> usize {
        match self {
            Self::Raw(bytes) => bytes.len(),
            Self::Int(number) => int_text_len(number),
            Self::Shared(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The number that the text is, if it is one in canonical form.
    pub fn as_int(self) -> Option<i64> {
        match self {
            Self::Raw(bytes) => parse_int(bytes),
            Self::Int(number) => Some(number),
            Self::Shared(_) => None,
        }
    }

    /// The text, written into `scratch` if it is a number.
    pub fn text(self, scratch: &'a mut IntText) -> &'a [u8] {
        match self {
            Self::Raw(bytes) => bytes,
            Self::Int(number) => scratch.0.format(number).as_bytes(),
            Self::Shared(bytes) => bytes,
        }
    }

    /// Copies the text.
    pub fn to_vec(self) -> Vec<u8> {
        self.text(&mut IntText::default()).to_vec()
    }

    /// Copies the string; shared bytes stay shared.
    pub fn to_str(self) -> Str {
        match self {
            Self::Raw(bytes) => Str::Raw(bytes.into()),
            Self::Int(number) => Str::Int(number),
            Self::Shared(bytes) => Str::Shared(bytes.clone()),
        }
    }
}

impl PartialEq for StrRef<'_> {
    /// Equal text is an equal string, however it is held.
    fn eq(&self, other: &Self) -> bool {
        let (mut one, mut two) = (IntText::default(), IntText::default());
        self.text(&mut one) == other.text(&mut two)
    }
}

/// Room for the text of any number.
#[derive(Default)]
pub struct IntText(itoa::Buffer);

/// The number of which `text` is the canonical decimal form: no sign but `-`, no leading zero,
/// no `-0`.
#[inline]
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (&first, rest) = digits.split_first()?;
    if !first.is_ascii_digit() || rest.len() > INT_DIGITS_MAX - 1 {
        return None;
    }
    if first == b'0' {
        return (rest.is_empty() && !negative).then_some(0);
    }
    // Collected as a negative number, whose range is the larger one.
    let mut number = -i64::from(first - b'0');
    for &digit in rest {
        if !digit.is_ascii_digit() {
            return None;
        }
        number = number
            .checked_mul(10)?
            .checked_sub(i64::from(digit - b'0'))?;
    }
    if negative {
        Some(number)
    } else {
        number.checked_neg()
    }
}

fn int_text_len(number: i64) -> usize {
    let digits = number.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(number < 0)
}

/// Digits of `i64::MIN`.
const INT_DIGITS_MAX: usize = 19;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_canonical_text_is_a_number() {
        for text in [
            "", "-", "+1", "01", "-0", "00", " 1", "1 ", "1.0", "0x1", "-01",
        ] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text:?}");
        }
        for text in [
            "9223372036854775808",
            "-9223372036854775809",
            "99999999999999999999",
        ] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(parse_int(b"9223372036854775807"), Some(i64::MAX));
        assert_eq!(parse_int(b"-9223372036854775808"), Some(i64::MIN));
        assert_eq!(parse_int(b"0"), Some(0));
    }

    proptest! {
        #[test]
        fn a_number_and_its_text_are_the_same_string(number: i64, shift in 0..64u32) {
            let number = number >> shift;
            let text = number.to_string();
            prop_assert_eq!(Str::new(text.as_bytes()), Str::Int(number));
            prop_assert_eq!(StrRef::Int(number).len(), text.len());
            prop_assert_eq!(StrRef::Int(number), StrRef::Raw(text.as_bytes()));
        }

        #[test]
        fn text_is_a_number_exactly_if_it_prints_the_same(text in "[-+]?[0-9]{0,21}") {
            let canonical = text.parse::<i64>().ok().filter(|number| number.to_string() == text);
            prop_assert_eq!(parse_int(text.as_bytes()), canonical);
        }
    }
}
