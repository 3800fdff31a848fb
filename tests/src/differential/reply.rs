//! Replies as they came over the wire: nothing the two protocols distinguish is lost.

use std::fmt::Write as _;
use std::io::{self, BufRead};

/// A reply. Each variant keeps the byte that announces it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Reply {
    /// What fits a line: `+`, `-`, `:`, `,`, `#`, `(` and `_`.
    Line(u8, Vec<u8>),
    /// What has a length: `$`, `!` and `=`.
    Text(u8, Vec<u8>),
    /// A length of -1: `$` or `*`.
    Missing(u8),
    /// Elements: `*`, `~`, `>`, and `%` and `|` with keys and values in turn.
    List(u8, Vec<Self>),
}

/// Elements of elements; more is no reply any server gives.
const DEPTH_MAX: usize = 32;

impl Reply {
    /// Reads the next reply.
    pub fn read(from: &mut impl BufRead) -> io::Result<Self> {
        Self::read_within(from, DEPTH_MAX)
    }

    fn read_within(from: &mut impl BufRead, depth: usize) -> io::Result<Self> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let fault = |line: &[u8]| io::Error::other(format!("no reply: {}", line.escape_ascii()));
        let Some(content) = line.strip_suffix(b"\r\n").filter(|line| !line.is_empty()) else {
            return Err(fault(&line));
        };
        let (kind, rest) = (content[0], &content[1..]);
        let count = || {
            let digits = std::str::from_utf8(rest).map_err(|_| fault(&line))?;
            digits.parse::<i64>().map_err(|_| fault(&line))
        };
        match kind {
            b'+' | b'-' | b':' | b',' | b'#' | b'(' | b'_' => Ok(Self::Line(kind, rest.to_vec())),
            b'$' | b'!' | b'=' => {
                let Ok(len) = usize::try_from(count()?) else {
                    return Ok(Self::Missing(kind));
                };
                let mut text = vec![0; len + 2];
                from.read_exact(&mut text)?;
                if !text.ends_with(b"\r\n") {
                    return Err(fault(&text));
                }
                text.truncate(len);
                Ok(Self::Text(kind, text))
            }
            b'*' | b'~' | b'>' | b'%' | b'|' if depth > 0 => {
                let Ok(len) = usize::try_from(count()?) else {
                    return Ok(Self::Missing(kind));
                };
                let len = if matches!(kind, b'%' | b'|') {
                    len * 2
                } else {
                    len
                };
                let items = (0..len).map(|_| Self::read_within(from, depth - 1));
                Ok(Self::List(kind, items.collect::<io::Result<_>>()?))
            }
            _ => Err(fault(&line)),
        }
    }

    /// The byte that announces it.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::Line(kind, _) | Self::Text(kind, _) | Self::Missing(kind) => *kind,
            Self::List(kind, _) => *kind,
        }
    }

    /// The text of a line or string.
    pub fn text(&self) -> &[u8] {
        match self {
            Self::Line(_, text) | Self::Text(_, text) => text,
            Self::Missing(_) | Self::List(..) => b"",
        }
    }

    /// The elements, none of what has none.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(_, items) => items,
            Self::Line(..) | Self::Text(..) | Self::Missing(_) => &[],
        }
    }

    /// Whether it is an error.
    pub const fn is_error(&self) -> bool {
        matches!(self.kind(), b'-' | b'!')
    }

    /// The integer it is.
    pub fn int(&self) -> Option<i64> {
        let is_int = self.kind() == b':';
        let digits = is_int.then(|| std::str::from_utf8(self.text()).ok())?;
        digits?.parse().ok()
    }

    /// The value behind a key, in a map or a list of keys and values.
    pub fn field(&self, name: &str) -> Option<&Self> {
        let mut pairs = self.items().chunks_exact(2);
        let found = pairs.find(|pair| pair[0].text() == name.as_bytes())?;
        Some(&found[1])
    }

    /// For people, on one line: `+OK`, `:1`, `"bulk"`, `nil`, `*[1 2]`, `%{k v}`.
    pub fn show(&self) -> String {
        let mut text = String::new();
        self.show_into(&mut text);
        text
    }

    fn show_into(&self, into: &mut String) {
        let shown = match self {
            Self::Line(kind, text) => {
                write!(into, "{}{}", char::from(*kind), text.escape_ascii())
            }
            Self::Text(b'$', text) => write!(into, "\"{}\"", text.escape_ascii()),
            Self::Text(kind, text) => {
                write!(into, "{}\"{}\"", char::from(*kind), text.escape_ascii())
            }
            Self::Missing(kind) => write!(into, "{}-1", char::from(*kind)),
            Self::List(kind, items) => {
                into.push(char::from(*kind));
                into.push('[');
                for (at, item) in items.iter().enumerate() {
                    if at > 0 {
                        into.push(' ');
                    }
                    item.show_into(into);
                }
                into.push(']');
                Ok(())
            }
        };
        shown.expect("a string takes text");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &str) -> String {
        Reply::read(&mut bytes.as_bytes()).unwrap().show()
    }

    #[test]
    fn replies_of_both_protocols_are_kept_apart() {
        assert_eq!(shown("$-1\r\n"), "$-1");
        assert_eq!(shown("*-1\r\n"), "*-1");
        assert_eq!(shown("_\r\n"), "_");
        assert_eq!(shown("$3\r\na\r\n\r\n"), "\"a\\r\\n\"");
        assert_eq!(shown("*2\r\n:1\r\n*0\r\n"), "*[:1 *[]]");
        assert_eq!(shown("%1\r\n+k\r\n,1.5\r\n"), "%[+k ,1.5]");
        assert_eq!(shown("=5\r\ntxt:a\r\n"), "=\"txt:a\"");
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        for bytes in ["", "x\r\n", "+OK\n", "$x\r\n", "$1\r\nab\r\n", "*1\r\n"] {
            assert!(Reply::read(&mut bytes.as_bytes()).is_err(), "{bytes:?}");
        }
    }
}
