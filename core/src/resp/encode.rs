//! Commands as bytes, for links to other servers, replicas and the append-only log.

use super::ArgvRef;

/// Appends a command as an array of bulk strings.
pub fn encode_command(out: &mut Vec<u8>, args: &[&[u8]]) {
    encode(out, args.iter().copied());
}

/// Appends a parsed command as an array of bulk strings.
pub fn encode_argv(out: &mut Vec<u8>, args: ArgvRef<'_>) {
    encode(out, args.iter());
}

/// Appends arguments as an array of bulk strings.
pub fn encode<'a>(out: &mut Vec<u8>, args: impl ExactSizeIterator<Item = &'a [u8]>) {
    header(out, b'*', args.len());
    for arg in args {
        bulk(out, arg);
    }
}

/// Appends a bulk string.
pub(crate) fn bulk(out: &mut Vec<u8>, text: &[u8]) {
    out.reserve(text.len() + HEADER_MAX + 2);
    header(out, b'$', text.len());
    out.extend_from_slice(text);
    out.extend_from_slice(b"\r\n");
}

/// Appends a type byte, a length and a line end.
#[inline]
pub(crate) fn header(out: &mut Vec<u8>, kind: u8, len: usize) {
    // Of what is logged nearly every length is one of these.
    match u8::try_from(len) {
        Ok(len @ 0..10) => out.extend_from_slice(&[kind, b'0' + len, b'\r', b'\n']),
        Ok(len @ 10..100) => {
            let line = [kind, b'0' + len / 10, b'0' + len % 10, b'\r', b'\n'];
            out.extend_from_slice(&line);
        }
        Ok(_) | Err(_) => long_header(out, kind, len),
    }
}

fn long_header(out: &mut Vec<u8>, kind: u8, len: usize) {
    let mut line = [0; HEADER_MAX];
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(len).as_bytes();
    let end = digits.len() + 1;
    line[0] = kind;
    line[1..end].copy_from_slice(digits);
    line[end..end + 2].copy_from_slice(b"\r\n");
    out.extend_from_slice(&line[..end + 2]);
}

/// A type byte, the longest length and a line end.
pub(super) const HEADER_MAX: usize = 24;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_any_number_of_digits_are_written() {
        for len in [0, 9, 10, 42, 99, 100, 255, 256, 65_536, usize::MAX] {
            let mut out = Vec::new();
            header(&mut out, b'$', len);
            assert_eq!(out, format!("${len}\r\n").into_bytes());
        }
    }
}
