//! Inline commands and everything else that is quoted like them.

use core::fmt;

use super::Argv;

/// A quote that is not closed, or is closed in the middle of a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct UnbalancedQuotes;

impl fmt::Display for UnbalancedQuotes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unbalanced quotes")
    }
}

impl core::error::Error for UnbalancedQuotes {}

/// Splits a line into words as Redis does for inline commands and configuration files.
///
/// `"..."` understands `\xHH`, `\n`, `\r`, `\t`, `\b`, `\a` and takes any other escaped character
/// for itself; `'...'` only understands `\'`.
pub fn split_args(line: &[u8]) -> Result<Vec<Vec<u8>>, UnbalancedQuotes> {
    let mut words = Vec::new();
    let mut rest = line;
    loop {
        let mut word = Vec::new();
        match next_word(rest, &mut word)? {
            Some(len) => rest = &rest[len..],
            None => return Ok(words),
        }
        words.push(word);
    }
}

/// Splits an inline command into `argv`.
pub(super) fn split_into(line: &[u8], argv: &mut Argv) -> Result<(), UnbalancedQuotes> {
    argv.start_inline();
    let mut rest = line;
    loop {
        let text = argv.inline_text();
        let start = text.len();
        let Some(len) = next_word(rest, text)? else {
            return Ok(());
        };
        let word_len = text.len() - start;
        argv.push(start, word_len);
        rest = &rest[len..];
    }
}

/// Appends the first word of `line` to `word` and returns how much of the line it took, or
/// nothing if there is none.
fn next_word(line: &[u8], word: &mut Vec<u8>) -> Result<Option<usize>, UnbalancedQuotes> {
    let Some(mut at) = line.iter().position(|&byte| !is_space(byte)) else {
        return Ok(None);
    };
    while let Some(&byte) = line.get(at) {
        at = match byte {
            b'"' => double_quoted(line, at + 1, word)?,
            b'\'' => single_quoted(line, at + 1, word)?,
            // Redis ends a bare word at these, though it skips every kind of space before one.
            b' ' | b'\n' | b'\r' | b'\t' => break,
            _ => {
                word.push(byte);
                at + 1
            }
        };
        let closed = matches!(byte, b'"' | b'\'');
        if closed && line.get(at).is_some_and(|&next| !is_space(next)) {
            return Err(UnbalancedQuotes);
        }
        if closed {
            break;
        }
    }
    Ok(Some(at))
}

/// Appends what stands between double quotes and returns the place after the closing one.
fn double_quoted(
    line: &[u8],
    mut at: usize,
    word: &mut Vec<u8>,
) -> Result<usize, UnbalancedQuotes> {
    loop {
        match line[at..] {
            [b'"', ..] => return Ok(at + 1),
            [b'\\', b'x', high, low, ..] if let Some(byte) = hex_pair(high, low) => {
                word.push(byte);
                at += 4;
            }
            [b'\\', escaped, ..] => {
                word.push(unescape(escaped));
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

/// Appends what stands between single quotes and returns the place after the closing one.
fn single_quoted(
    line: &[u8],
    mut at: usize,
    word: &mut Vec<u8>,
) -> Result<usize, UnbalancedQuotes> {
    loop {
        match line[at..] {
            [b'\'', ..] => return Ok(at + 1),
            [b'\\', b'\'', ..] => {
                word.push(b'\'');
                at += 2;
            }
            [byte, ..] => {
                word.push(byte);
                at += 1;
            }
            [] => return Err(UnbalancedQuotes),
        }
    }
}

const fn unescape(byte: u8) -> u8 {
    match byte {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'b' => 0x08,
        b'a' => 0x07,
        other => other,
    }
}

fn hex_pair(high: u8, low: u8) -> Option<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    u8::try_from(digit(high)? * 16 + digit(low)?).ok()
}

/// What C's isspace says in the C locale.
const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let words = split_args(line.as_bytes()).ok()?;
        Some(
            words
                .iter()
                .map(|word| String::from_utf8_lossy(word).into_owned())
                .collect(),
        )
    }

    #[test]
    fn words_are_split_and_unquoted_as_redis_does() {
        for (line, words) in [
            ("", &[][..]),
            (" \t\r\n\u{b}\u{c}", &[]),
            ("PING", &["PING"]),
            ("  set  k\tv ", &["set", "k", "v"]),
            ("echo \u{b}a", &["echo", "a"]),
            ("echo a\u{b}b", &["echo", "a\u{b}b"]),
            ("\"\" ''", &["", ""]),
            (
                r#"echo "a b\n\r\t\b\a\q\"\\""#,
                &["echo", "a b\n\r\t\u{8}\u{7}q\"\\"],
            ),
            (r#""\x41\x4a\x4F\xZZ\x4""#, &["AJOxZZx4"]),
            (r"'a\'b\n' c", &[r"a'b\n", "c"]),
            (r#"a"b c" d"#, &["ab c", "d"]),
            ("a\0b \0", &["a\0b", "\0"]),
        ] {
            assert_eq!(split(line).unwrap(), words, "{line:?}");
        }
    }

    #[test]
    fn quotes_that_do_not_match_are_refused() {
        for line in [
            "\"", "'", "\"a", "'a", "\"a\"b", "'a'b", "'a''b'", "a\"b\"c", r#""a\""#,
        ] {
            assert_eq!(split(line), None, "{line:?}");
        }
    }

    /// Quotes a word as Redis writes it to its configuration.
    fn quote(word: &[u8]) -> Vec<u8> {
        let mut text = b"\"".to_vec();
        for &byte in word {
            match byte {
                b'"' | b'\\' => text.extend_from_slice(&[b'\\', byte]),
                b' '..=b'~' => text.push(byte),
                _ => text.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
            }
        }
        text.push(b'"');
        text
    }

    proptest! {
        #[test]
        fn quoted_words_come_back(words in vec(vec(any::<u8>(), 0..12), 0..6)) {
            let quoted: Vec<_> = words.iter().map(|word| quote(word)).collect();
            prop_assert_eq!(split_args(&quoted.join(&b" "[..])).unwrap(), words);
        }
    }
}
