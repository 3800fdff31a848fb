//! What the command parser should find, said as plainly as possible.

use holdfast_core::limits;
use holdfast_core::resp::{ParseLimits, ProtocolError, Sender};

use super::Commands;

/// All commands in a stream, and the fault that ends it, if one does.
pub(super) fn parse(stream: &[u8], limits: &ParseLimits) -> (Commands, Option<ProtocolError>) {
    let mut commands = Vec::new();
    let mut rest = stream;
    loop {
        match command(rest, limits) {
            Ok(Some((args, tail))) => {
                if !args.is_empty() || limits.from != Sender::Client {
                    commands.push(args);
                }
                rest = tail;
            }
            Ok(None) => return (commands, None),
            Err(fault) => return (commands, Some(fault)),
        }
    }
}

type Args<'a> = (Vec<Vec<u8>>, &'a [u8]);

/// The first command and what follows it; nothing if it is not complete.
fn command<'a>(bytes: &'a [u8], limits: &ParseLimits) -> Result<Option<Args<'a>>, ProtocolError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    if bytes[0] != b'*' {
        return inline(bytes, limits);
    }
    let Some((line, mut rest)) = line(bytes, ProtocolError::MultibulkLineTooLong)? else {
        return Ok(None);
    };
    let count = number(&line[1..]).ok_or(ProtocolError::MultibulkLength)?;
    if count > i64::from(i32::MAX) {
        return Err(ProtocolError::MultibulkLength);
    }
    if count > 10 && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedMultibulkLength);
    }
    let mut args = Vec::new();
    while (args.len() as i64) < count {
        let Some((arg, tail)) = bulk(rest, limits)? else {
            return Ok(None);
        };
        args.push(arg.to_vec());
        rest = tail;
    }
    Ok(Some((args, rest)))
}

type Bulk<'a> = (&'a [u8], &'a [u8]);

fn bulk<'a>(bytes: &'a [u8], limits: &ParseLimits) -> Result<Option<Bulk<'a>>, ProtocolError> {
    let Some((line, rest)) = line(bytes, ProtocolError::BulkLineTooLong)? else {
        return Ok(None);
    };
    let got = line.first().copied().unwrap_or(b'\r');
    if got != b'$' {
        return Err(ProtocolError::ExpectedBulk { got });
    }
    let len = number(&line[1..]).ok_or(ProtocolError::BulkLength)?;
    let too_long = len > limits.bulk_max && limits.from != Sender::Master;
    if len < 0 || too_long || len > i64::MAX / 2 {
        return Err(ProtocolError::BulkLength);
    }
    if len > 16384 && !limits.authenticated {
        return Err(ProtocolError::UnauthenticatedBulkLength);
    }
    let len = usize::try_from(len).expect("it is not negative");
    if rest.len() < len + 2 {
        return Ok(None);
    }
    Ok(Some((&rest[..len], &rest[len + 2..])))
}

/// A line up to `\r`, and what follows the byte after that.
fn line(bytes: &[u8], too_long: ProtocolError) -> Result<Option<Bulk<'_>>, ProtocolError> {
    let end = bytes.iter().position(|&byte| byte == b'\r');
    if end.unwrap_or(bytes.len()) > limits::INLINE_BYTES_MAX {
        return Err(too_long);
    }
    Ok(end
        .filter(|end| bytes.len() >= end + 2)
        .map(|end| (&bytes[..end], &bytes[end + 2..])))
}

fn number(text: &[u8]) -> Option<i64> {
    let text = core::str::from_utf8(text).ok()?;
    text.parse::<i64>()
        .ok()
        .filter(|number| number.to_string() == text)
}

fn inline<'a>(bytes: &'a [u8], limits: &ParseLimits) -> Result<Option<Args<'a>>, ProtocolError> {
    let end = bytes.iter().position(|&byte| byte == b'\n');
    if end.unwrap_or(bytes.len()) > limits::INLINE_BYTES_MAX {
        return Err(ProtocolError::InlineTooLong);
    }
    let Some(end) = end else {
        return Ok(None);
    };
    let line = bytes[..end].strip_suffix(b"\r").unwrap_or(&bytes[..end]);
    let args = words(line).ok_or(ProtocolError::UnbalancedQuotes)?;
    if !line.is_empty() && limits.from == Sender::Master {
        return Err(ProtocolError::InlineFromMaster);
    }
    Ok(Some((args, &bytes[end + 1..])))
}

enum Place {
    Between,
    Bare,
    Single,
    Double,
    /// Right after a closing quote.
    Closed,
}

fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut place = Place::Between;
    let mut at = 0;
    while at < line.len() {
        let byte = line[at];
        let space = b" \t\n\r\x0b\x0c".contains(&byte);
        at += 1;
        place = match place {
            Place::Between | Place::Closed if space => Place::Between,
            Place::Closed => return None,
            Place::Between => {
                words.push(Vec::new());
                at -= 1;
                Place::Bare
            }
            Place::Bare if b" \t\n\r".contains(&byte) => Place::Between,
            Place::Bare if byte == b'"' => Place::Double,
            Place::Bare if byte == b'\'' => Place::Single,
            Place::Single if byte == b'\'' => Place::Closed,
            Place::Double if byte == b'"' => Place::Closed,
            Place::Bare | Place::Single | Place::Double => {
                let (byte, len) = match place {
                    Place::Double => escaped(&line[at - 1..]),
                    Place::Single if line[at - 1..].starts_with(b"\\'") => (b'\'', 2),
                    Place::Between | Place::Bare | Place::Single | Place::Closed => (byte, 1),
                };
                words.last_mut()?.push(byte);
                at += len - 1;
                place
            }
        };
    }
    match place {
        Place::Between | Place::Bare | Place::Closed => Some(words),
        Place::Single | Place::Double => None,
    }
}

/// What stands at the start of `text` between double quotes, and how long it is.
fn escaped(text: &[u8]) -> (u8, usize) {
    let hex = text
        .get(2..4)
        .filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    match (text, hex) {
        ([b'\\', b'x', ..], Some(digits)) => {
            let digits = core::str::from_utf8(digits).expect("hexadecimal digits are ASCII");
            (
                u8::from_str_radix(digits, 16).expect("two hexadecimal digits are a byte"),
                4,
            )
        }
        ([b'\\', b'n', ..], _) => (b'\n', 2),
        ([b'\\', b'r', ..], _) => (b'\r', 2),
        ([b'\\', b't', ..], _) => (b'\t', 2),
        ([b'\\', b'b', ..], _) => (8, 2),
        ([b'\\', b'a', ..], _) => (7, 2),
        ([b'\\', other, ..], _) => (*other, 2),
        _ => (text[0], 1),
    }
}
