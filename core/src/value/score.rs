//! Scores in text, as Redis reads and writes them.

/// Reads all of a text as a number, decimal or hexadecimal, or as infinity. What is too large or
/// too small for a number is none.
pub fn parse_score(text: &[u8]) -> Option<f64> {
    let (score, exact) = read(text)?;
    exact.then_some(score)
}

/// As [`parse_score`], as loosely as Redis reads the ends of ranges: blanks in front are skipped,
/// nothing at all is 0, and what is too large is infinite.
pub fn parse_score_bound(text: &[u8]) -> Option<f64> {
    let blanks = text.iter().take_while(|byte| is_blank(**byte)).count();
    if text.is_empty() {
        return Some(0.0);
    }
    read(&text[blanks..]).map(|(score, _)| score)
}

/// Writes a score with 17 significant digits, as C does for `%.17g`.
pub fn long_score_text(score: f64) -> String {
    if !score.is_finite() || score == 0.0 {
        let sign = if score.is_sign_negative() { "-" } else { "" };
        let size = if score == 0.0 { "0" } else { "inf" };
        return format!("{sign}{size}");
    }
    let text = format!("{score:.16e}");
    let (digits, exponent) = text
        .split_once('e')
        .expect("it is written with an exponent");
    let exponent: i32 = exponent.parse().expect("an exponent is a number");
    let fixed = |places: i32| format!("{score:.*}", usize::try_from(places).unwrap_or(0));
    let without_zeros = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if (-4..17).contains(&exponent) {
        return without_zeros(&fixed(16 - exponent));
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{}e{sign}{:02}", without_zeros(digits), exponent.abs())
}

/// A number, and whether it lies within what a double can hold.
fn read(text: &[u8]) -> Option<(f64, bool)> {
    let (sign, digits) = match text {
        [b'-', rest @ ..] => (-1.0, rest),
        [b'+', rest @ ..] => (1.0, rest),
        rest => (1.0, rest),
    };
    if digits.eq_ignore_ascii_case(b"inf") || digits.eq_ignore_ascii_case(b"infinity") {
        return Some((sign * f64::INFINITY, true));
    }
    let (size, is_zero) = match digits {
        [b'0', b'x' | b'X', rest @ ..] => hexadecimal(rest)?,
        rest => decimal(rest)?,
    };
    let exact = size.is_finite() && (size != 0.0 || is_zero);
    Some((sign * size, exact))
}

/// A number without a sign, and whether all of its digits are 0.
fn decimal(text: &[u8]) -> Option<(f64, bool)> {
    if !matches!(text.first()?, b'0'..=b'9' | b'.') {
        return None;
    }
    let size = core::str::from_utf8(text).ok()?.parse().ok()?;
    let digits = text
        .iter()
        .take_while(|byte| !byte.eq_ignore_ascii_case(&b'e'));
    Some((
        size,
        digits
            .into_iter()
            .all(|byte| !byte.is_ascii_digit() || *byte == b'0'),
    ))
}

fn hexadecimal(text: &[u8]) -> Option<(f64, bool)> {
    let end = text
        .iter()
        .position(|byte| byte.eq_ignore_ascii_case(&b'p'))
        .unwrap_or(text.len());
    let (digits, power) = text.split_at(end);
    let mut exponent = match power {
        [] => 0,
        [_, power @ ..] => binary_exponent(power)?,
    };
    let (mut mantissa, mut any, mut point) = (0_u64, false, false);
    for &byte in digits {
        if byte == b'.' && !point {
            point = true;
            continue;
        }
        let digit = u64::from(char::from(byte).to_digit(16)?);
        any = true;
        // What no longer fits still says whether the rest is more than half.
        if mantissa >> 60 == 0 {
            mantissa = mantissa << 4 | digit;
            exponent -= if point { 4 } else { 0 };
        } else {
            mantissa |= u64::from(digit != 0);
            exponent += if point { 0 } else { 4 };
        }
    }
    any.then(|| (scaled(mantissa as f64, exponent), mantissa == 0))
}

fn binary_exponent(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"+").unwrap_or(text);
    let exponent: i64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(exponent.clamp(-EXPONENT_MAX, EXPONENT_MAX))
}

/// `size * 2^exponent`, in steps that lose nothing but in the last one.
fn scaled(size: f64, exponent: i64) -> f64 {
    let (mut size, mut left) = (size, exponent);
    while left != 0 && size != 0.0 && size.is_finite() {
        let step = left.clamp(-STEP, STEP);
        size *= 2_f64.powi(step as i32);
        left -= step;
    }
    size
}

fn is_blank(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

/// Beyond it any number is 0 or infinite, as long as digits are fewer.
const EXPONENT_MAX: i64 = 1 << 40;
const STEP: i64 = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_read_as_c_reads_numbers() {
        let inf = f64::INFINITY;
        for (text, score) in [
            ("1", Some(1.0)),
            ("-1.5", Some(-1.5)),
            ("+2.", Some(2.0)),
            (".5", Some(0.5)),
            ("5e-324", Some(5e-324)),
            ("1e308", Some(1e308)),
            ("0e999", Some(0.0)),
            ("inf", Some(inf)),
            ("-Infinity", Some(-inf)),
            ("+INF", Some(inf)),
            ("0x10", Some(16.0)),
            ("-0X1.8p1", Some(-3.0)),
            ("0x.8", Some(0.5)),
            ("0x1p-1074", Some(5e-324)),
            (
                "0x10000000000000800000000001",
                Some(f64::from_bits(0x4630_0000_0000_0001)),
            ),
            ("", None),
            (".", None),
            ("e5", None),
            ("1e", None),
            ("1e999", None),
            ("1e-999", None),
            ("0x1p-2000", None),
            ("0x1p2000", None),
            ("0x", None),
            ("0x1p", None),
            ("0xg", None),
            ("nan", None),
            ("infinit", None),
            (" 1", None),
            ("1 ", None),
            ("1_0", None),
            ("--1", None),
            ("1\0", None),
        ] {
            assert_eq!(parse_score(text.as_bytes()), score, "{text:?}");
        }
    }

    #[test]
    fn long_texts_have_17_digits() {
        for (score, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (f64::NEG_INFINITY, "-inf"),
            (2.5, "2.5"),
            (-100.0, "-100"),
            (0.1, "0.10000000000000001"),
            (123_456_789.123_456_79, "123456789.12345679"),
            (1e16, "10000000000000000"),
            (1e17, "1e+17"),
            (1.5e300, "1.5e+300"),
            (0.0001, "0.0001"),
            (0.00001, "1.0000000000000001e-05"),
            (5e-324, "4.9406564584124654e-324"),
        ] {
            assert_eq!(long_score_text(score), text);
        }
    }

    #[test]
    fn ends_of_ranges_are_read_more_loosely() {
        for (text, score) in [
            ("", Some(0.0)),
            (" \t1", Some(1.0)),
            ("1e999", Some(f64::INFINITY)),
            ("-1e999", Some(f64::NEG_INFINITY)),
            ("1e-999", Some(0.0)),
            (" ", None),
            ("1 ", None),
            ("nan", None),
        ] {
            assert_eq!(parse_score_bound(text.as_bytes()), score, "{text:?}");
        }
    }
}
