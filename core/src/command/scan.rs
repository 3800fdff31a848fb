//! What SCAN and the commands like it have in common.

use super::args::Args;
use super::fail::Fail;
use crate::glob;
use crate::resp::{self, Reply};

/// Takes a cursor as Redis does: what fits a signed integer must not be negative; other numbers
/// may have a sign, and space in front. It ends at a zero byte, as a string of C does.
pub fn cursor(text: &[u8]) -> Result<u64, Fail> {
    let end = text.iter().position(|&byte| byte == 0);
    parse(&text[..end.unwrap_or(text.len())]).ok_or(Fail::InvalidCursor)
}

fn parse(text: &[u8]) -> Option<u64> {
    if let Some(value) = resp::parse_int(text) {
        return u64::try_from(value).ok();
    }
    const SPACE: &[u8] = b" \t\n\x0b\x0c\r";
    let blanks = text.iter().take_while(|byte| SPACE.contains(byte));
    let (negative, digits) = match &text[blanks.count()..] {
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let value: u64 = core::str::from_utf8(digits).ok()?.parse().ok()?;
    Some(if negative {
        value.wrapping_neg()
    } else {
        value
    })
}

/// Whether a pattern selects a text. `*` stands for all of them, the empty one too.
pub fn selects(pattern: &[u8], text: &[u8]) -> bool {
    pattern == b"*" || glob::matches(pattern, text)
}

/// Replies to a walk through something that is not there.
pub fn nothing(out: &mut Reply<'_>) {
    found(out, 0, 0);
}

/// Starts the reply to a step of a walk: the cursor that goes on, and how many items follow.
pub fn found(out: &mut Reply<'_>, next: u64, items: usize) {
    out.array(2);
    out.bulk_int(next as i64);
    out.array(items);
}

/// The options behind a cursor.
#[derive(Clone, Copy, Debug)]
pub struct ScanOptions<'a> {
    /// What is shown.
    pub pattern: Option<&'a [u8]>,
    /// About how many are looked at.
    pub count: usize,
    /// Of which type the shown keys are.
    pub kind: Option<&'a [u8]>,
    /// Whether what belongs to a name is left out.
    pub names_only: bool,
}

/// What is walked through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Walked {
    /// The keys of a database, which are told apart by their types.
    Keys,
    /// Elements that are nothing but themselves.
    Plain,
    /// Names, and what this option of later servers than Redis 7.2 leaves out.
    Pairs(&'static str),
}

impl<'a> ScanOptions<'a> {
    /// Takes all that is left.
    pub fn parse(mut args: Args<'a>, walked: Walked) -> Result<Self, Fail> {
        let mut options = Self {
            pattern: None,
            count: 10,
            kind: None,
            names_only: false,
        };
        while !args.is_done() {
            if let Walked::Pairs(names_only) = walked
                && args.keyword(names_only)
            {
                options.names_only = true;
                continue;
            }
            if args.left() < 2 {
                return Err(Fail::Syntax);
            }
            if args.keyword("count") {
                let count = args.int()?;
                if count < 1 {
                    return Err(Fail::Syntax);
                }
                options.count = usize::try_from(count).unwrap_or(usize::MAX);
            } else if args.keyword("match") {
                options.pattern = Some(args.bulk()?);
            } else if walked == Walked::Keys && args.keyword("type") {
                options.kind = Some(args.bulk()?);
            } else {
                return Err(Fail::Syntax);
            }
        }
        Ok(options)
    }

    /// Whether a key or an element is shown.
    pub fn selects(&self, text: &[u8]) -> bool {
        self.pattern.is_none_or(|pattern| selects(pattern, text))
    }
}

#[cfg(test)]
mod tests {
    use super::cursor;

    #[test]
    fn cursors_are_read_as_c_does() {
        for (text, value) in [
            (&b"0"[..], 0),
            (b"17", 17),
            (b"007", 7),
            (b"+7", 7),
            (b" \t7", 7),
            (b"7\0x", 7),
            (b"18446744073709551615", u64::MAX),
            (b"-18446744073709551615", 1),
            (b"-00001", u64::MAX),
        ] {
            assert_eq!(cursor(text), Ok(value), "{}", text.escape_ascii());
        }
        for text in [
            &b""[..],
            b" ",
            b"-1",
            b"7 ",
            b"x",
            b"+",
            b"--1",
            b"18446744073709551616",
        ] {
            assert!(cursor(text).is_err(), "{}", text.escape_ascii());
        }
    }
}
