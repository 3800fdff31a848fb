//! The text of a configuration file: arguments with Redis's quoting, numbers with units.

/// Splits a line into arguments; `None` if a quote is not closed, or closed in mid-word.
///
/// Double quotes take `\n \r \t \b \a \" \\ \xHH`, single quotes only `\'`.
pub fn split_args(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut args = Vec::new();
    let mut rest = line;
    loop {
        let blank = rest.iter().take_while(|&&byte| is_space(byte)).count();
        rest = &rest[blank..];
        // The C server reads a line up to its first NUL.
        if rest.first().is_none_or(|&byte| byte == 0) {
            return Some(args);
        }
        let mut arg = Vec::new();
        loop {
            match *rest {
                [] | [0, ..] => break,
                [byte, ..] if is_space(byte) => break,
                [b'"', ref inside @ ..] => {
                    rest = double_quoted(inside, &mut arg)?;
                    break;
                }
                [b'\'', ref inside @ ..] => {
                    rest = single_quoted(inside, &mut arg)?;
                    break;
                }
                [byte, ref after @ ..] => {
                    arg.push(byte);
                    rest = after;
                }
            }
        }
        args.push(arg);
    }
}

/// Takes the argument up to its closing quote, which must end the word; what follows it.
fn double_quoted<'a>(mut rest: &'a [u8], arg: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [] | [0, ..] => return None,
            [b'\\', b'x', high, low, ref after @ ..]
                if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() =>
            {
                arg.push(hex_value(high) * 16 + hex_value(low));
                rest = after;
            }
            [b'\\', escaped, ref after @ ..] => {
                arg.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'b' => 8,
                    b'a' => 7,
                    literal => literal,
                });
                rest = after;
            }
            [b'"', ref after @ ..] => return ends_word(after).then_some(after),
            [byte, ref after @ ..] => {
                arg.push(byte);
                rest = after;
            }
        }
    }
}

fn single_quoted<'a>(mut rest: &'a [u8], arg: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        match *rest {
            [] | [0, ..] => return None,
            [b'\\', b'\'', ref after @ ..] => {
                arg.push(b'\'');
                rest = after;
            }
            [b'\'', ref after @ ..] => return ends_word(after).then_some(after),
            [byte, ref after @ ..] => {
                arg.push(byte);
                rest = after;
            }
        }
    }
}

fn ends_word(rest: &[u8]) -> bool {
    rest.first().is_none_or(|&byte| byte == 0 || is_space(byte))
}

/// As C's isspace in the "C" locale.
fn is_space(byte: u8) -> bool {
    byte.is_ascii_whitespace() || byte == 0x0b
}

fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        // The callers have checked that it is a hexadecimal digit.
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// Appends `bytes` in double quotes, so that [`split_args`] gives them back.
pub fn quote(out: &mut Vec<u8>, bytes: &[u8]) {
    out.push(b'"');
    for &byte in bytes {
        match byte {
            b'\\' | b'"' => out.extend([b'\\', byte]),
            b'\n' => out.extend(b"\\n"),
            b'\r' => out.extend(b"\\r"),
            b'\t' => out.extend(b"\\t"),
            7 => out.extend(b"\\a"),
            8 => out.extend(b"\\b"),
            b' '..=b'~' => out.push(byte),
            0..=0x1f | 0x7f..=0xff => {
                const DIGITS: &[u8; 16] = b"0123456789abcdef";
                let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
                out.extend([b'\\', b'x', DIGITS[high], DIGITS[low]]);
            }
        }
    }
    out.push(b'"');
}

/// Appends `bytes` as they are if that reads back as one argument, and quoted otherwise.
pub fn quote_if_needed(out: &mut Vec<u8>, bytes: &[u8]) {
    let plain = |&byte: &u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\'';
    if !bytes.is_empty() && bytes.iter().all(plain) {
        out.extend_from_slice(bytes);
    } else {
        quote(out, bytes);
    }
}

/// A whole decimal number in its only spelling: no sign but `-`, no leading zero, no space.
pub fn parse_int(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match *digits {
        [b'0'] if text.len() == 1 => Some(0),
        [b'1'..=b'9', ..] => core::str::from_utf8(text).ok()?.parse().ok(),
        _ => None,
    }
}

/// An amount of memory with an optional unit, of either case: `b`, `k`, `kb`, `m`, `mb`, `g`, `gb`.
/// Without digits it is 0, as Redis has it; one that 64 bits don't hold is no amount.
pub fn parse_memory(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (number, unit) = text.split_at(digits);
    let scale: u64 = match unit.to_ascii_lowercase().as_slice() {
        b"" | b"b" => 1,
        b"k" => 1000,
        b"kb" => KB,
        b"m" => 1_000_000,
        b"mb" => MB,
        b"g" => 1_000_000_000,
        b"gb" => GB,
        _ => return None,
    };
    if number.is_empty() {
        return Some(0);
    }
    let number: u64 = core::str::from_utf8(number).ok()?.parse().ok()?;
    number.checked_mul(scale)
}

/// An amount of memory as CONFIG REWRITE writes it: in the largest unit that divides it.
pub fn format_memory(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        n if n % GB == 0 => format!("{}gb", n / GB),
        n if n % MB == 0 => format!("{}mb", n / MB),
        n if n % KB == 0 => format!("{}kb", n / KB),
        n => n.to_string(),
    }
}

const KB: u64 = 1024;
const MB: u64 = 1024 * KB;
const GB: u64 = 1024 * MB;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn split(line: &str) -> Option<Vec<String>> {
        let args = split_args(line.as_bytes())?;
        let text = |arg| String::from_utf8_lossy(arg).into_owned();
        Some(args.iter().map(Vec::as_slice).map(text).collect())
    }

    #[test]
    fn words_and_both_kinds_of_quotes_are_arguments() {
        assert_eq!(split("  port\t 6379 \r").unwrap(), ["port", "6379"]);
        assert_eq!(split(r#"save """#).unwrap(), ["save", ""]);
        assert_eq!(split("logfile ''").unwrap(), ["logfile", ""]);
        assert_eq!(split(r"a 'it\'s' b").unwrap(), ["a", "it's", "b"]);
        assert_eq!(split(r#""\x41\n\q" x"y z""#).unwrap(), ["A\nq", "xy z"]);
        assert_eq!(split("").unwrap(), Vec::<String>::new());
        assert_eq!(split("port \\").unwrap(), ["port", "\\"]);
    }

    #[test]
    fn a_quote_left_open_or_closed_in_mid_word_is_refused() {
        for line in ["port \"abc", "port 'abc'x", "port \"a\"b", "a 'b", "\"\\"] {
            assert_eq!(split(line), None, "{line}");
        }
    }

    #[test]
    fn a_line_ends_at_nul() {
        assert_eq!(split("port 1\0 2").unwrap(), ["port", "1"]);
    }

    #[test]
    fn integers_have_one_spelling() {
        for (text, value) in [("0", 0), ("-1", -1), ("12", 12)] {
            assert_eq!(parse_int(text.as_bytes()), Some(value));
        }
        assert_eq!(parse_int(b"-9223372036854775808"), Some(i64::MIN));
        for text in [
            "",
            "-",
            "+5",
            "05",
            " 5",
            "5 ",
            "5.0",
            "0x5",
            "-0",
            "9223372036854775808",
        ] {
            assert_eq!(parse_int(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn memory_units_are_those_of_redis() {
        let cases: &[(&str, Option<u64>)] = &[
            ("1", Some(1)),
            ("1b", Some(1)),
            ("1k", Some(1000)),
            ("1kb", Some(1024)),
            ("1KB", Some(1024)),
            ("2m", Some(2_000_000)),
            ("2mb", Some(2_097_152)),
            ("1G", Some(1_000_000_000)),
            ("1gb", Some(1_073_741_824)),
            ("", Some(0)),
            ("18446744073709551615", Some(u64::MAX)),
            ("-1", None),
            ("1.5g", None),
            ("1kbb", None),
            (" 1", None),
            ("17179869184gb", None),
        ];
        for (text, value) in cases {
            assert_eq!(parse_memory(text.as_bytes()), *value, "{text}");
        }
    }

    #[test]
    fn memory_is_written_in_its_largest_whole_unit() {
        let cases = [
            (0, "0"),
            (1, "1"),
            (1024, "1kb"),
            (1_048_576, "1mb"),
            (3 << 30, "3gb"),
        ];
        for (bytes, text) in cases {
            assert_eq!(format_memory(bytes), text);
        }
        assert_eq!(format_memory(1_000_000), "1000000");
    }

    proptest! {
        #[test]
        fn quoted_arguments_read_back_the_same(
            args in proptest::collection::vec(
                proptest::collection::vec(any::<u8>(), 0..20), 0..6)
        ) {
            let (mut quoted, mut shortest) = (Vec::new(), Vec::new());
            for arg in &args {
                quote(&mut quoted, arg);
                quoted.push(b' ');
                quote_if_needed(&mut shortest, arg);
                shortest.push(b' ');
            }
            prop_assert_eq!(split_args(&quoted), Some(args.clone()));
            prop_assert_eq!(split_args(&shortest), Some(args));
        }

        #[test]
        fn any_line_is_answered(line in proptest::collection::vec(any::<u8>(), 0..60)) {
            split_args(&line);
            parse_memory(&line);
            parse_int(&line);
        }

        #[test]
        fn written_memory_reads_back_the_same(bytes in any::<u64>(), shift in 0..40u32) {
            let bytes = bytes >> shift << (shift % 31);
            prop_assert_eq!(parse_memory(format_memory(bytes).as_bytes()), Some(bytes));
        }
    }
}
