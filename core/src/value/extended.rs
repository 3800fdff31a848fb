//! Numbers with 64 bits of mantissa: the `long double` of x86, in which Redis counts for
//! INCRBYFLOAT. What it answers shows more digits than an `f64` has.

mod big;

use big::Big;

/// A number, maybe infinite.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Extended(Option<Finite>);

/// `mantissa * 2^exponent`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Finite {
    negative: bool,
    mantissa: u64,
    exponent: i32,
}

impl Extended {
    /// Zero.
    pub const ZERO: Self = Self(Some(Finite {
        negative: false,
        mantissa: 0,
        exponent: 0,
    }));

    /// Reads all of a text as C does: decimal or hexadecimal digits with or without an exponent,
    /// or infinity. What is too large or too small is no number.
    pub fn parse(text: &[u8]) -> Option<Self> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let (negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            [b'+', rest @ ..] => (false, rest),
            rest => (false, rest),
        };
        if text.eq_ignore_ascii_case(b"inf") || text.eq_ignore_ascii_case(b"infinity") {
            return Some(Self(None));
        }
        let read = match text {
            [b'0', b'x' | b'X', digits @ ..] => hexadecimal(digits, negative)?,
            digits => decimal(digits, negative)?,
        };
        read.0.is_some().then_some(read)
    }

    /// Whether it is a number that can be written.
    pub const fn is_finite(self) -> bool {
        self.0.is_some()
    }

    /// The sum, rounded to the nearest number.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (Some(one), Some(other)) = (self.0, other.0) else {
            return Self(None);
        };
        if one.mantissa == 0 {
            return Self(Some(other));
        }
        if other.mantissa == 0 {
            return Self(Some(one));
        }
        let (one_bits, one_exponent) = one.widened();
        let (other_bits, other_exponent) = other.widened();
        let exponent = one_exponent.max(other_exponent);
        let one_bits = shifted(one_bits, exponent.abs_diff(one_exponent));
        let other_bits = shifted(other_bits, exponent.abs_diff(other_exponent));
        if one.negative == other.negative {
            return round(one.negative, one_bits + other_bits, exponent);
        }
        let negative = if one_bits > other_bits {
            one.negative
        } else {
            other.negative
        };
        round(negative, one_bits.abs_diff(other_bits), exponent)
    }

    /// The number with up to 17 digits behind the point, none of them in vain. It must be finite.
    pub fn text(self) -> String {
        let number = self.0.expect("only finite numbers are written");
        let (whole, fraction) = number.rounded();
        let mut text = whole.decimal();
        if fraction > 0 {
            let digits = format!("{fraction:0width$}", width = DIGITS as usize);
            text.push('.');
            text.push_str(digits.trim_end_matches('0'));
        }
        if number.negative && text != "0" {
            text.insert(0, '-');
        }
        text
    }
}

impl Finite {
    /// With its highest bit where the sum of two still fits, and the exponent for that.
    fn widened(self) -> (u128, i32) {
        let bits = u128::from(self.mantissa);
        let shift = bits.leading_zeros() - 2;
        (bits << shift, self.exponent - shift.cast_signed())
    }

    /// The number before the point, and that of the last digit behind it, rounded.
    fn rounded(self) -> (Big, u64) {
        let behind = self.exponent.min(0).unsigned_abs();
        if behind == 0 {
            let mut whole = Big::from(self.mantissa);
            whole.double(self.exponent.unsigned_abs());
            return (whole, 0);
        }
        let whole = self.mantissa.checked_shr(behind).unwrap_or(0);
        let rest = self.mantissa - whole.checked_shl(behind).unwrap_or(0);
        // Both factors together have fewer than 122 bits.
        let product = u128::from(rest) * 10u128.pow(DIGITS);
        let fraction = halve(product, behind);
        if fraction == 10u128.pow(DIGITS) {
            return (Big::from(whole + 1), 0);
        }
        let fraction = u64::try_from(fraction).expect("it is below ten to the 17th");
        (Big::from(whole), fraction)
    }
}

/// Divides by a power of two and rounds, halves to even.
fn halve(bits: u128, times: u32) -> u128 {
    if times > u128::BITS {
        return 0;
    }
    let kept = bits.checked_shr(times).unwrap_or(0);
    let lost = bits - kept.checked_shl(times).unwrap_or(0);
    let half = 1 << (times - 1);
    kept + u128::from(lost > half || (lost == half && kept % 2 == 1))
}

/// Shifted to the right; what falls off leaves a trace in the lowest bit.
fn shifted(bits: u128, by: u32) -> u128 {
    let kept = bits.checked_shr(by).unwrap_or(0);
    let lossless = kept.checked_shl(by) == Some(bits);
    kept | u128::from(!lossless)
}

/// The nearest number to `bits * 2^exponent`, halves to even.
fn round(negative: bool, bits: u128, exponent: i32) -> Extended {
    let spare = bits.leading_zeros();
    if spare == u128::BITS {
        return Extended::ZERO;
    }
    // Near zero, numbers have fewer bits.
    let lowest = exponent - spare.cast_signed() + MANTISSA_BITS.cast_signed();
    let lowest = lowest.max(EXPONENT_MIN);
    let drop = lowest - exponent;
    let (kept, lowest) = if drop > 0 {
        (halve(bits, drop.unsigned_abs()), lowest)
    } else {
        (bits << drop.unsigned_abs(), lowest)
    };
    let (mantissa, exponent) = match u64::try_from(kept) {
        Ok(mantissa) => (mantissa, lowest),
        Err(_) => (1 << (MANTISSA_BITS - 1), lowest + 1),
    };
    if exponent > EXPONENT_MAX {
        return Extended(None);
    }
    Extended(Some(Finite {
        negative,
        mantissa,
        exponent,
    }))
}

/// Digits, their number behind the point, and an exponent.
struct Digits {
    all: Big,
    behind: i32,
    exponent: i32,
}

impl Digits {
    fn parse(text: &[u8], radix: u32, mark: u8) -> Option<Self> {
        let end = text
            .iter()
            .position(|byte| byte.to_ascii_lowercase() == mark);
        let (digits, exponent) = match end {
            Some(end) => (&text[..end], parse_exponent(&text[end + 1..])?),
            None => (text, 0),
        };
        let mut all = Big::from(0);
        let (mut count, mut behind, mut point) = (0, 0, false);
        for &byte in digits {
            if byte == b'.' && !point {
                point = true;
                continue;
            }
            let digit = char::from(byte).to_digit(radix)?;
            all.multiply(radix, digit);
            count += 1;
            behind += i32::from(point);
        }
        (count > 0).then_some(Self {
            all,
            behind,
            exponent,
        })
    }
}

/// An exponent, bounded by what makes a difference.
fn parse_exponent(text: &[u8]) -> Option<i32> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() {
        return None;
    }
    let mut exponent = 0;
    for &byte in digits {
        let digit = char::from(byte).to_digit(10)?.cast_signed();
        exponent = (exponent * 10 + digit).min(EXPONENT_BOUND);
    }
    Some(if negative { -exponent } else { exponent })
}

fn hexadecimal(text: &[u8], negative: bool) -> Option<Extended> {
    let digits = Digits::parse(text, 16, b'p')?;
    finish(
        negative,
        &digits.all,
        digits.exponent - 4 * digits.behind,
        false,
    )
}

fn decimal(text: &[u8], negative: bool) -> Option<Extended> {
    let digits = Digits::parse(text, 10, b'e')?;
    let mut all = digits.all;
    let tens = digits.exponent - digits.behind;
    // A bit is less than a third of a digit.
    let magnitude = tens.saturating_add(all.bits() / 3);
    if all.is_zero() {
        return finish(negative, &all, 0, false);
    }
    let beyond = tens > MAGNITUDE_MAX || magnitude < -MAGNITUDE_MAX;
    if beyond {
        return None;
    }
    if tens >= 0 {
        all.multiply_by_fives(tens.unsigned_abs());
        return finish(negative, &all, tens, false);
    }
    // Enough zeros behind it for all bits of the quotient, and to spare.
    let zeros = (tens.unsigned_abs() * 7 / 3 + u128::BITS).next_multiple_of(32);
    all.double(zeros);
    let lossy = all.divide_by_fives(tens.unsigned_abs());
    finish(negative, &all, tens - zeros.cast_signed(), lossy)
}

/// The nearest number to `all * 2^exponent` and a little more if `lossy`. What is too small is
/// none.
fn finish(negative: bool, all: &Big, exponent: i32, lossy: bool) -> Option<Extended> {
    if all.is_zero() {
        return Some(Extended(Some(Finite {
            negative,
            mantissa: 0,
            exponent: 0,
        })));
    }
    let (bits, shift, cut) = all.top();
    let number = round(negative, bits | u128::from(lossy || cut), exponent + shift);
    let vanished = number.0.is_some_and(|number| number.mantissa == 0);
    (!vanished).then_some(number)
}

/// The longest text that Redis takes for a number (`MAX_LONG_DOUBLE_CHARS`, less a zero byte).
const TEXT_BYTES_MAX: usize = 5 * 1024 - 1;
const MANTISSA_BITS: u32 = u64::BITS;
/// The exponents of the lowest bit of the largest and the smallest numbers.
const EXPONENT_MAX: i32 = 16_383 - 63;
const EXPONENT_MIN: i32 = -16_445;
/// Far beyond any exponent that gives a number, with as many digits as a text can have.
const EXPONENT_BOUND: i32 = 100_000;
/// Powers of ten beyond those of any number.
const MAGNITUDE_MAX: i32 = 5_000;
/// Digits behind the point.
const DIGITS: u32 = 17;

#[cfg(test)]
mod tests;
