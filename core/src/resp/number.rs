//! Numbers in text, as Redis reads and writes them.

/// Reads an integer as strictly as Redis does: no sign but `-`, no leading zero, no space.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'0'] => return Some(0),
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    let (&first, rest) = digits.split_first()?;
    if !(b'1'..=b'9').contains(&first) || rest.len() > 18 {
        return None;
    }
    let mut magnitude = u64::from(first - b'0');
    for &byte in rest {
        if !byte.is_ascii_digit() {
            return None;
        }
        magnitude = magnitude * 10 + u64::from(byte - b'0');
    }
    if negative {
        0_i64.checked_sub_unsigned(magnitude)
    } else {
        i64::try_from(magnitude).ok()
    }
}

/// Writes a double as Redis 7.2 replies it: an integer without a point where that loses nothing,
/// else the shortest text that reads back the same.
pub fn fmt_double(value: f64) -> DoubleText {
    let mut text = DoubleText {
        bytes: [0; DoubleText::LEN_MAX],
        len: 0,
    };
    if value.is_nan() {
        text.push(b"nan");
    } else if value.is_infinite() {
        text.push(if value < 0.0 { b"-inf" } else { b"inf" });
    } else if value == 0.0 {
        text.push(if value.is_sign_negative() {
            b"-0"
        } else {
            b"0"
        });
    } else if let Some(integer) = exact_int(value) {
        text.push(itoa::Buffer::new().format(integer).as_bytes());
    } else {
        if value < 0.0 {
            text.push(b"-");
        }
        Decimal::of(value.abs()).write(&mut text);
    }
    text
}

/// The text of a double.
#[derive(Clone, Copy, Debug)]
pub struct DoubleText {
    bytes: [u8; Self::LEN_MAX],
    len: usize,
}

impl DoubleText {
    /// Sign, 17 digits, point and exponent, or 17 digits and 7 zeros, with some room.
    const LEN_MAX: usize = 40;

    /// As bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    fn push(&mut self, text: &[u8]) {
        self.bytes[self.len..self.len + text.len()].copy_from_slice(text);
        self.len += text.len();
    }

    fn push_zeros(&mut self, count: usize) {
        for _ in 0..count {
            self.push(b"0");
        }
    }
}

/// The integer a double is, if it is one and lies in the range Redis prints as integers.
fn exact_int(value: f64) -> Option<i64> {
    const RANGE: f64 = (i64::MAX / 2) as f64;
    if !(-RANGE..=RANGE).contains(&value) || value.fract() != 0.0 {
        return None;
    }
    Some(value as i64)
}

/// The shortest decimal digits of a positive double: `digits * 10^exponent`.
struct Decimal {
    digits: [u8; Self::DIGITS_MAX],
    len: usize,
    exponent: i32,
}

impl Decimal {
    /// Seventeen significant digits, and the zeros ryu pads an integer with.
    const DIGITS_MAX: usize = 24;

    fn of(value: f64) -> Self {
        let mut buffer = ryu::Buffer::new();
        let text = buffer.format_finite(value);
        let mut decimal = Self {
            digits: [0; Self::DIGITS_MAX],
            len: 0,
            exponent: 0,
        };
        let mut places = 0;
        for (at, byte) in text.bytes().enumerate() {
            match byte {
                b'.' => places = 1,
                b'e' => {
                    let exponent: i32 = text[at + 1..].parse().expect("ryu writes a number");
                    decimal.exponent += exponent;
                    break;
                }
                b'0' if decimal.len == 0 => decimal.exponent -= places,
                digit => {
                    decimal.digits[decimal.len] = digit;
                    decimal.len += 1;
                    decimal.exponent -= places;
                }
            }
        }
        while decimal.len > 1 && decimal.digits[decimal.len - 1] == b'0' {
            decimal.len -= 1;
            decimal.exponent += 1;
        }
        decimal
    }

    /// Lays the digits out: as an integer with up to seven zeros, with a point if it stands near
    /// the digits, else with an exponent.
    fn write(&self, text: &mut DoubleText) {
        let digits = &self.digits[..self.len];
        let point = i32::try_from(self.len).expect("a few digits") + self.exponent;
        let magnitude = (point - 1).unsigned_abs();
        if let Ok(zeros) = usize::try_from(self.exponent)
            && zeros < 8
        {
            text.push(digits);
            text.push_zeros(zeros);
        } else if self.exponent < 0 && (self.exponent > -7 || magnitude < 4) {
            match usize::try_from(point) {
                Ok(whole) if whole > 0 => {
                    text.push(&digits[..whole]);
                    text.push(b".");
                    text.push(&digits[whole..]);
                }
                Ok(_) | Err(_) => {
                    text.push(b"0.");
                    text.push_zeros(point.unsigned_abs() as usize);
                    text.push(digits);
                }
            }
        } else {
            text.push(&digits[..1]);
            if digits.len() > 1 {
                text.push(b".");
                text.push(&digits[1..]);
            }
            text.push(if point < 1 { b"e-" } else { b"e+" });
            text.push(itoa::Buffer::new().format(magnitude).as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(value: f64) -> String {
        String::from_utf8(fmt_double(value).as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn integers_are_read_as_strictly_as_redis_does() {
        for (text, value) in [
            ("0", Some(0)),
            ("7", Some(7)),
            ("-7", Some(-7)),
            ("9223372036854775807", Some(i64::MAX)),
            ("-9223372036854775808", Some(i64::MIN)),
            ("9223372036854775808", None),
            ("-9223372036854775809", None),
            ("10000000000000000000", None),
            ("99999999999999999999", None),
            ("", None),
            ("-", None),
            ("-0", None),
            ("00", None),
            ("01", None),
            ("-01", None),
            ("+1", None),
            (" 1", None),
            ("1 ", None),
            ("1.0", None),
            ("0x1", None),
            ("1\0", None),
        ] {
            assert_eq!(parse_int(text.as_bytes()), value, "{text:?}");
        }
    }

    #[test]
    fn doubles_are_written_as_redis_does() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.0, "1"),
            (-3.0, "-3"),
            (0.1, "0.1"),
            (3.25, "3.25"),
            (-2.5, "-2.5"),
            (100.0, "100"),
            (1e15, "1000000000000000"),
            (1e17, "100000000000000000"),
            (4e18, "4000000000000000000"),
            (5e18, "5e+18"),
            (1e21, "1e+21"),
            (1.5e300, "1.5e+300"),
            (12_345_678_901_234_567_000.0, "12345678901234567000"),
            (1e-5, "0.00001"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-7, "1.5e-7"),
            (-1.5e-10, "-1.5e-10"),
            (0.123_456_789, "0.123456789"),
            (1.234_567_8, "1.2345678"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (f64::INFINITY, "inf"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "nan"),
        ] {
            assert_eq!(text(value), expected);
        }
    }

    proptest! {
        #[test]
        fn an_integer_reads_back(value: i64) {
            prop_assert_eq!(parse_int(value.to_string().as_bytes()), Some(value));
        }

        #[test]
        fn only_the_usual_text_of_an_integer_is_one(text in "[-+ 0-9]{0,22}") {
            let usual = text.parse::<i64>().ok().filter(|value| value.to_string() == text);
            prop_assert_eq!(parse_int(text.as_bytes()), usual);
        }

        #[test]
        fn a_double_reads_back(bits: u64) {
            let value = f64::from_bits(bits);
            let read: f64 = text(value).parse().unwrap();
            prop_assert!(read == value || value.is_nan());
        }

        #[test]
        fn a_double_of_few_digits_reads_back(digits in 1..1_000_000_i64, scale in -12..12_i32) {
            let value = digits as f64 * 10_f64.powi(scale);
            prop_assert_eq!(text(value).parse::<f64>().unwrap(), value);
        }
    }
}
