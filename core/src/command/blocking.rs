//! How long a command waits for keys.

use super::fail::Fail;
use crate::machine::Wall;
use core::time::Duration;

/// A timeout in seconds, maybe with a fraction, to the next millisecond. `None` is for ever.
pub fn timeout(text: &[u8], now: Wall) -> Result<Option<Duration>, Fail> {
    let millis = seconds(text).ok_or(Fail::TimeoutNotFloat)? * 1000.0;
    // Decimal fractions are none to the machine: 0.07 s are 70 ms, not 71.
    let whole = millis.round();
    let exact = (millis - whole).abs() <= millis.abs() * f64::EPSILON;
    let millis = if exact { whole } else { millis.ceil() };
    // The instant it means has to be one on the wall clock, as Redis counts.
    let most = i64::MAX - now.as_millis();
    if millis < 0.0 {
        return Err(Fail::TimeoutNegative);
    }
    if millis > most as f64 {
        return Err(Fail::TimeoutTooLong);
    }
    let millis = millis as u64;
    Ok((millis > 0).then(|| Duration::from_millis(millis)))
}

/// A number as Redis reads it: decimal, or whole and hexadecimal.
fn seconds(text: &[u8]) -> Option<f64> {
    let text = core::str::from_utf8(text).ok()?;
    let hex = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X"));
    let Some(digits) = hex else {
        return text.parse().ok().filter(|seconds: &f64| !seconds.is_nan());
    };
    let first = digits.chars().next()?.to_digit(16)?;
    digits
        .chars()
        .skip(1)
        .try_fold(f64::from(first), |sum, digit| {
            Some(sum * 16.0 + f64::from(digit.to_digit(16)?))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<u64>, Fail> {
        let read = timeout(text.as_bytes(), Wall::from_millis(1_700_000_000_000))?;
        Ok(read.map(|timeout| u64::try_from(timeout.as_millis()).expect("it is in range")))
    }

    #[test]
    fn timeouts_are_rounded_up_to_milliseconds() {
        let cases = [
            ("0", None),
            ("0.0", None),
            ("-0.0001", None),
            ("1", Some(1_000)),
            ("0.07", Some(70)),
            ("4.35", Some(4_350)),
            ("1.0001", Some(1_001)),
            ("1e-10", Some(1)),
            (".5", Some(500)),
            ("0x10", Some(16_000)),
        ];
        for (text, millis) in cases {
            assert_eq!(read(text), Ok(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_to_wait_is_refused() {
        for text in ["", "x", "1s", "nan", " 1", "0x", "0xg", "0x1g"] {
            assert_eq!(read(text), Err(Fail::TimeoutNotFloat), "{text:?}");
        }
        for text in ["-1", "-0.001", "-inf"] {
            assert_eq!(read(text), Err(Fail::TimeoutNegative), "{text}");
        }
        for text in ["inf", "1e300", "9223372036854775", "0x7fffffffffffffff"] {
            assert_eq!(read(text), Err(Fail::TimeoutTooLong), "{text}");
        }
    }
}
