//! Integers of any width at any bit of a string, the most significant bit first.

use crate::value::parse_int;

/// The kind of an integer in a string: signed or not, and how wide.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Field {
    signed: bool,
    bits: u8,
}

/// What becomes of a number that does not fit its field.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Overflow {
    /// Its low bits are kept.
    #[default]
    Wrap,
    /// The nearest number that fits is taken.
    Sat,
    /// Nothing is written.
    Fail,
}

impl Field {
    /// The kind that a text like `i16` or `u8` names: up to 64 bits with a sign, 63 without.
    pub fn parse(text: &[u8]) -> Option<Self> {
        let (signed, width) = match text {
            [b'i', width @ ..] => (true, width),
            [b'u', width @ ..] => (false, width),
            _ => return None,
        };
        let most = if signed { 64 } else { 63 };
        let bits = parse_int(width).filter(|bits| (1..=most).contains(bits))?;
        let bits = u8::try_from(bits).ok()?;
        Some(Self { signed, bits })
    }

    /// The width in bits.
    pub const fn bits(self) -> u8 {
        self.bits
    }

    /// The number that stands at bit `at`; behind the end of the text there are zeros.
    pub fn read(self, text: &[u8], at: u64) -> i64 {
        let mut window = [0; WINDOW_BYTES];
        if let Ok(first) = usize::try_from(at / 8)
            && let Some(part) = text.get(first..)
        {
            let most = part.len().min(SPAN_BYTES_MAX);
            window[..most].copy_from_slice(&part[..most]);
        }
        self.of_bits(u128::from_be_bytes(window) >> self.shift(at))
    }

    /// Writes a number that fits at bit `at`. The whole field must lie within the text.
    pub fn write(self, text: &mut [u8], at: u64, value: i64) {
        let first = usize::try_from(at / 8).expect("the field lies in memory");
        let most = (text.len() - first).min(SPAN_BYTES_MAX);
        let part = &mut text[first..first + most];
        let mut window = [0; WINDOW_BYTES];
        window[..most].copy_from_slice(part);
        let (shift, mask) = (self.shift(at), self.mask());
        let kept = u128::from_be_bytes(window) & !(mask << shift);
        let put = (i128::from(value).cast_unsigned() & mask) << shift;
        part.copy_from_slice(&(kept | put).to_be_bytes()[..most]);
    }

    /// What is to be written for `value`; `None` if nothing is.
    pub fn fit(self, value: i64, overflow: Overflow) -> Option<i64> {
        if !self.signed {
            return self.fit_wide(i128::from(value.cast_unsigned()), overflow);
        }
        let high = self.high();
        // The room above a value is reckoned in 64 bits (bitops.c, checkSignedBitfieldOverflow):
        // for a value so low that it leaves them, saturation goes to the upper end.
        let wraps = self.bits < 64 && high - i128::from(value) > i128::from(i64::MAX);
        if wraps && overflow == Overflow::Sat {
            return i64::try_from(high).ok();
        }
        self.fit_wide(i128::from(value), overflow)
    }

    /// What is to be written for a value that was `before` and grows by `by`.
    pub fn sum(self, before: i64, by: i64, overflow: Overflow) -> Option<i64> {
        self.fit_wide(i128::from(before) + i128::from(by), overflow)
    }

    fn fit_wide(self, value: i128, overflow: Overflow) -> Option<i64> {
        let (low, high) = (self.low(), self.high());
        if (low..=high).contains(&value) {
            return i64::try_from(value).ok();
        }
        match overflow {
            Overflow::Wrap => Some(self.of_bits(value.cast_unsigned())),
            Overflow::Sat => i64::try_from(value.clamp(low, high)).ok(),
            Overflow::Fail => None,
        }
    }

    /// The number whose representation the low bits are.
    fn of_bits(self, bits: u128) -> i64 {
        let unused = u128::BITS - u32::from(self.bits);
        let shifted = bits << unused;
        let value = if self.signed {
            shifted.cast_signed() >> unused
        } else {
            (shifted >> unused).cast_signed()
        };
        i64::try_from(value).expect("a field has at most 64 bits, and 63 without a sign")
    }

    /// How far the field's last bit lies from the end of a window that starts at its first byte.
    fn shift(self, at: u64) -> u32 {
        u128::BITS - u32::from(self.bits) - (at % 8) as u32
    }

    fn mask(self) -> u128 {
        (1 << self.bits) - 1
    }

    fn low(self) -> i128 {
        if self.signed {
            -(1 << (self.bits - 1))
        } else {
            0
        }
    }

    fn high(self) -> i128 {
        let magnitude = self.bits - u8::from(self.signed);
        (1 << magnitude) - 1
    }
}

/// The bytes that 64 bits touch at most.
const SPAN_BYTES_MAX: usize = 9;
const WINDOW_BYTES: usize = size_of::<u128>();
const _: () = assert!(SPAN_BYTES_MAX <= WINDOW_BYTES);
