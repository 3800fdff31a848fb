//! A glance at commands that are still to be parsed.

/// Glances at the commands at the start of `bytes`, as far as they are complete and of the plain
/// form that clients send. What it can't read at a glance, it leaves: it is no more than a hint.
pub fn glances(bytes: &[u8]) -> impl Iterator<Item = Glance<'_>> {
    let mut rest = bytes;
    core::iter::from_fn(move || {
        let (glance, behind) = peek(rest)?;
        rest = behind;
        Some(glance)
    })
}

/// What is seen of a command at a glance.
#[derive(Clone, Copy, Debug)]
pub struct Glance<'a> {
    /// The first argument behind the name.
    pub key: &'a [u8],
    /// The second; empty if there is none.
    pub element: &'a [u8],
}

/// A glance at the first command, under the conditions of [`glances`], and the bytes behind it.
pub fn peek(bytes: &[u8]) -> Option<(Glance<'_>, &[u8])> {
    let (count, rest) = number(bytes, b'*')?;
    if !(2..=ARGUMENTS_MAX).contains(&count) {
        return None;
    }
    let (_, rest) = bulk(rest)?;
    let (key, mut rest) = bulk(rest)?;
    let mut element = &b""[..];
    for at in 2..count {
        let argument;
        (argument, rest) = bulk(rest)?;
        if at == 2 {
            element = argument;
        }
    }
    Some((Glance { key, element }, rest))
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
        glances(bytes).take(3).map(|glance| glance.key).collect()
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
    fn the_argument_behind_the_key_is_shown() {
        let bytes = b"*4\r\n$4\r\nHSET\r\n$1\r\nh\r\n$2\r\nf1\r\n$1\r\nv\r\n*2\r\n";
        let (glance, rest) = peek(bytes).unwrap();
        assert_eq!((glance.key, glance.element), (&b"h"[..], &b"f1"[..]));
        assert_eq!(rest, b"*2\r\n");
        let (glance, _) = peek(b"*2\r\n$4\r\nHLEN\r\n$1\r\nh\r\n").unwrap();
        assert_eq!((glance.key, glance.element), (&b"h"[..], &b""[..]));
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
