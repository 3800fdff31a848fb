//! A glance at commands that are still to be parsed.

/// Shows the first argument behind the name of up to `most` commands at the start of `bytes`, as
/// far as they are complete and of the plain form that clients send. What it can't read at a
/// glance, it leaves: it is no more than a hint.
pub fn peek_keys<'a>(bytes: &'a [u8], most: usize, mut show: impl FnMut(&'a [u8])) {
    let mut rest = bytes;
    for _ in 0..most {
        let Some((key, behind)) = peek_key(rest) else {
            return;
        };
        show(key);
        rest = behind;
    }
}

/// The argument behind the name of the first command, and the bytes behind the command.
fn peek_key(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (count, rest) = number(bytes, b'*')?;
    if !(2..=ARGUMENTS_MAX).contains(&count) {
        return None;
    }
    let (_, rest) = bulk(rest)?;
    let (key, mut rest) = bulk(rest)?;
    for _ in 2..count {
        (_, rest) = bulk(rest)?;
    }
    Some((key, rest))
}

fn bulk(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = number(bytes, b'$')?;
    let (bulk, rest) = rest.split_at_checked(len)?;
    Some((bulk, rest.get(2..)?))
}

/// A line with a kind and a number of few digits.
fn number(bytes: &[u8], kind: u8) -> Option<(usize, &[u8])> {
    let (&first, mut rest) = bytes.split_first()?;
    if first != kind {
        return None;
    }
    let mut number = 0;
    for _ in 0..DIGITS_MAX {
        let (&digit, behind) = rest.split_first()?;
        if !digit.is_ascii_digit() {
            break;
        }
        number = 10 * number + usize::from(digit - b'0');
        rest = behind;
    }
    Some((number, rest.strip_prefix(b"\r\n")?))
}

/// A command with more arguments is not worth a glance.
const ARGUMENTS_MAX: usize = 8;
const DIGITS_MAX: usize = 5;

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(bytes: &[u8]) -> Vec<&[u8]> {
        let mut keys = Vec::new();
        peek_keys(bytes, 3, |key| keys.push(key));
        keys
    }

    #[test]
    fn the_keys_of_whole_commands_are_shown() {
        let get = b"*2\r\n$3\r\nGET\r\n$2\r\nk1\r\n";
        let set = b"*3\r\n$3\r\nSET\r\n$0\r\n\r\n$3\r\nabc\r\n";
        assert_eq!(keys(&[&get[..], set].concat()), [&b"k1"[..], b""]);
        assert_eq!(keys(&get.repeat(5)), [b"k1"; 3]);
        for end in 0..get.len() {
            assert!(keys(&get[..end]).is_empty());
        }
    }

    #[test]
    fn what_is_no_plain_command_is_left() {
        let others = [
            "",
            "PING\r\n",
            "*1\r\n$4\r\nPING\r\n",
            "*2\r\n$999999\r\n",
            "*-1\r\n",
        ];
        for bytes in others {
            assert_eq!(keys(bytes.as_bytes()), [&b""[..]; 0], "{bytes}");
        }
    }
}
