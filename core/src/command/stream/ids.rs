//! IDs as arguments.

use crate::command::fail::Fail;
use crate::value::stream::StreamId;

/// The ID that XADD shall use.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum NewId {
    /// One of this moment.
    Auto,
    /// The next one of a millisecond.
    NextOf(u64),
    /// This one.
    Exactly(StreamId),
}

const INVALID: Fail = Fail::Plain("Invalid stream ID specified as stream command argument");
const INVALID_START: Fail = Fail::Plain("invalid start ID for the interval");
const INVALID_END: Fail = Fail::Plain("invalid end ID for the interval");

/// Redis copies no longer text to read an ID out of it.
const ID_BYTES_MAX: usize = 127;

/// An ID; without its second part it has this one.
pub(super) fn parse_with(text: &[u8], seq: u64) -> Result<StreamId, Fail> {
    if text.len() > ID_BYTES_MAX {
        return Err(INVALID);
    }
    let dash = text.iter().position(|&byte| byte == b'-');
    let (ms, rest) = text.split_at(dash.unwrap_or(text.len()));
    let ms = number(ms).ok_or(INVALID)?;
    let seq = match rest.get(1..) {
        Some(rest) => number(rest).ok_or(INVALID)?,
        None => seq,
    };
    Ok(StreamId::new(ms, seq))
}

/// An ID, the first of its millisecond if its second part is missing.
pub(super) fn parse(text: &[u8]) -> Result<StreamId, Fail> {
    parse_with(text, 0)
}

/// What XADD takes.
pub(super) fn parse_new(text: &[u8]) -> Result<NewId, Fail> {
    if text == b"*" {
        return Ok(NewId::Auto);
    }
    match text.strip_suffix(b"-*") {
        Some(ms) if text.len() <= ID_BYTES_MAX => number(ms).map(NewId::NextOf).ok_or(INVALID),
        _ => parse(text).map(NewId::Exactly),
    }
}

/// The first ID of a range.
pub(super) fn parse_start(text: &[u8]) -> Result<StreamId, Fail> {
    let (id, excluded) = parse_end_of_range(text, 0)?;
    if excluded {
        return id.next().ok_or(INVALID_START);
    }
    Ok(id)
}

/// The last ID of a range.
pub(super) fn parse_end(text: &[u8]) -> Result<StreamId, Fail> {
    let (id, excluded) = parse_end_of_range(text, u64::MAX)?;
    if excluded {
        return id.prev().ok_or(INVALID_END);
    }
    Ok(id)
}

fn parse_end_of_range(text: &[u8], seq: u64) -> Result<(StreamId, bool), Fail> {
    match text {
        b"-" => Ok((StreamId::MIN, false)),
        b"+" => Ok((StreamId::MAX, false)),
        [b'(', id @ ..] if !id.is_empty() => Ok((parse_with(id, seq)?, true)),
        _ => Ok((parse_with(text, seq)?, false)),
    }
}

/// A number as C's `strtoull` reads it.
fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    let text = text.strip_prefix(b"+").unwrap_or(text);
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_redis_does() {
        let id = StreamId::new;
        assert_eq!(parse(b"5-7"), Ok(id(5, 7)));
        assert_eq!(parse(b"5"), Ok(id(5, 0)));
        assert_eq!(parse(b"007-+1"), Ok(id(7, 1)));
        assert_eq!(parse(b"18446744073709551615"), Ok(id(u64::MAX, 0)));
        let wrong: [&[u8]; 9] = [b"", b"-", b"+", b"5-", b"-5", b"5-*", b"x", b"5-7-8", b"*"];
        for text in wrong {
            assert_eq!(parse(text), Err(INVALID), "{}", text.escape_ascii());
        }
        assert_eq!(parse(b"18446744073709551616"), Err(INVALID));
        assert_eq!(parse(&[b'0'; 128]), Err(INVALID));
        assert_eq!(parse_new(b"5-*"), Ok(NewId::NextOf(5)));
        assert_eq!(parse_new(b"*"), Ok(NewId::Auto));
        assert_eq!(parse_start(b"(5"), Ok(id(5, 1)));
        assert_eq!(parse_end(b"(5-0"), Ok(id(4, u64::MAX)));
        assert_eq!(parse_end(b"5"), Ok(id(5, u64::MAX)));
        assert_eq!(parse_end(b"(0-0"), Err(INVALID_END));
        assert_eq!(
            parse_start(b"(18446744073709551615-18446744073709551615"),
            Err(INVALID_START)
        );
    }
}
