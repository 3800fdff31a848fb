//! Numbers as text: C's `printf` with `%g`, and `strtod`.

use crate::script::library::Failure;
use mlua::{Lua, Value};

/// Appends a number as C prints it with `%.{precision}g`.
pub(super) fn push_number(out: &mut Vec<u8>, number: f64, precision: usize) {
    // Fourteen digits at most: only so small an integer is printed with all its digits.
    let integer = number as i32;
    if f64::from(integer) == number
        && precision >= 10
        && (integer != 0 || number.is_sign_positive())
    {
        out.extend_from_slice(itoa::Buffer::new().format(integer).as_bytes());
        return;
    }
    if !number.is_finite() {
        let text: &[u8] = match number {
            f64::INFINITY => b"inf",
            f64::NEG_INFINITY => b"-inf",
            _ => b"nan",
        };
        out.extend_from_slice(text);
        return;
    }
    // The digits, correctly rounded, as "d.ddde-7".
    let text = format!("{:.*e}", precision.saturating_sub(1), number.abs());
    let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let digits: Vec<u8> = mantissa.bytes().filter(|&byte| byte != b'.').collect();
    let digits = match digits.iter().rposition(|&digit| digit != b'0') {
        Some(last) => &digits[..=last],
        None => b"0",
    };
    if number.is_sign_negative() {
        out.push(b'-');
    }
    if (-4..0).contains(&exponent) {
        out.extend_from_slice(b"0.");
        out.extend((exponent..-1).map(|_| b'0'));
        out.extend_from_slice(digits);
        return;
    }
    // How many digits stand before the point.
    let whole = match usize::try_from(exponent) {
        Ok(exponent) if exponent < precision => exponent + 1,
        Ok(_) | Err(_) => 1,
    };
    for (at, digit) in digits.iter().enumerate() {
        if at == whole {
            out.push(b'.');
        }
        out.push(*digit);
    }
    out.extend((digits.len()..whole).map(|_| b'0'));
    if whole as i32 != exponent + 1 {
        let sign = if exponent < 0 { '-' } else { '+' };
        out.extend_from_slice(format!("e{sign}{:02}", exponent.unsigned_abs()).as_bytes());
    }
}

/// The longest number that `text` starts with in C's eyes, and its length; `None` if it does not
/// start with one. White space is no part of it.
pub(super) fn read_number(lua: &Lua, text: &[u8]) -> Result<Option<(f64, usize)>, Failure> {
    let sign = usize::from(matches!(text.first(), Some(b'+' | b'-')));
    let rest = &text[sign..];
    let signed = |number: f64| match text.first() {
        Some(b'-') => -number,
        Some(_) | None => number,
    };
    if has_prefix(rest, b"infinity") {
        return Ok(Some((signed(f64::INFINITY), sign + 8)));
    }
    if has_prefix(rest, b"inf") {
        return Ok(Some((signed(f64::INFINITY), sign + 3)));
    }
    if has_prefix(rest, b"nan") {
        let len = sign + 3 + nan_tag(&rest[3..]);
        return Ok(Some((signed(f64::NAN.abs()), len)));
    }
    if has_prefix(rest, b"0x") {
        let len = float_len(&rest[2..], u8::is_ascii_hexdigit, b'p');
        if len > 0 {
            let text = &text[..sign + 2 + len];
            // Rust does not read these, but Lua does, by C.
            let number = lua.coerce_number(Value::String(lua.create_string(text)?))?;
            return Ok(number.map(|number| (number, text.len())));
        }
    }
    let len = sign + float_len(rest, u8::is_ascii_digit, b'e');
    let number = std::str::from_utf8(&text[..len]).ok();
    let number = number.and_then(|number| number.parse().ok());
    Ok(number.map(|number| (number, len)))
}

/// Whether `text` starts with `prefix`, which is in small letters, in either case.
pub(super) fn has_prefix(text: &[u8], prefix: &[u8]) -> bool {
    text.get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The length of the letters in parentheses that may follow "nan".
fn nan_tag(text: &[u8]) -> usize {
    let Some((b'(', rest)) = text.split_first() else {
        return 0;
    };
    let len = count(rest, |byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    match rest.get(len) {
        Some(b')') => len + 2,
        Some(_) | None => 0,
    }
}

/// The length of digits with an optional point and exponent; zero if there is no digit.
fn float_len(text: &[u8], is_digit: fn(&u8) -> bool, exponent: u8) -> usize {
    let whole = count(text, is_digit);
    let fraction = match text.get(whole) {
        Some(b'.') => count(&text[whole + 1..], is_digit),
        Some(_) | None => 0,
    };
    if whole + fraction == 0 {
        return 0;
    }
    let point = usize::from(text.get(whole) == Some(&b'.'));
    let mantissa = whole + point + fraction;
    let Some((letter, rest)) = text[mantissa..].split_first() else {
        return mantissa;
    };
    let sign = usize::from(matches!(rest.first(), Some(b'+' | b'-')));
    match count(&rest[sign..], u8::is_ascii_digit) {
        digits if digits > 0 && letter.eq_ignore_ascii_case(&exponent) => {
            mantissa + 1 + sign + digits
        }
        _ => mantissa,
    }
}

/// How many bytes at the start of `text` are such.
fn count(text: &[u8], is_such: impl Fn(&u8) -> bool) -> usize {
    text.iter().take_while(|byte| is_such(byte)).count()
}
