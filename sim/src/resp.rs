//! A reader of RESP2 of the simulator's own, so that a parser error in the product is not shared
//! by those who judge it.

/// One value off the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reply {
    /// `+`
    Simple(Vec<u8>),
    /// `-`
    Error(Vec<u8>),
    /// `:`
    Int(i64),
    /// `$`; `None` is the null bulk string.
    Bulk(Option<Vec<u8>>),
    /// `*`; `None` is the null array.
    Array(Option<Vec<Self>>),
}

/// The bytes are not RESP2.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Malformed {
    /// The line that made no sense.
    pub line: String,
}

const DEPTH_MAX: u32 = 8;

/// Bytes of one direction of a connection, taken apart into values as they come.
#[derive(Default)]
pub struct Reader {
    bytes: Vec<u8>,
    taken: usize,
}

impl Reader {
    /// Takes in more bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.taken > 0 && self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next complete value.
    pub fn next_reply(&mut self) -> Result<Option<Reply>, Malformed> {
        let mut cursor = Cursor {
            bytes: &self.bytes[self.taken..],
            at: 0,
        };
        let reply = cursor.reply(0)?;
        if reply.is_some() {
            self.taken += cursor.at;
            if self.taken > 4096 && self.taken * 2 > self.bytes.len() {
                self.bytes.drain(..self.taken);
                self.taken = 0;
            }
        }
        Ok(reply)
    }

    /// Bytes not taken yet.
    pub fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }

    /// Takes that many bytes as they are.
    pub fn skip(&mut self, len: usize) {
        assert!(len <= self.rest().len(), "only what has come can be taken");
        self.taken += len;
    }
}

struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn reply(&mut self, depth: u32) -> Result<Option<Reply>, Malformed> {
        let Some(line) = self.line() else {
            return Ok(None);
        };
        let malformed = || Malformed {
            line: String::from_utf8_lossy(line).into_owned(),
        };
        let (&kind, text) = line.split_first().ok_or_else(malformed)?;
        match kind {
            b'+' => Ok(Some(Reply::Simple(text.to_vec()))),
            b'-' => Ok(Some(Reply::Error(text.to_vec()))),
            b':' => Ok(Some(Reply::Int(int(text).ok_or_else(malformed)?))),
            b'$' => match int(text).ok_or_else(malformed)? {
                -1 => Ok(Some(Reply::Bulk(None))),
                len => {
                    let len = usize::try_from(len).map_err(|_| malformed())?;
                    self.bulk(len).map_err(|()| malformed())
                }
            },
            b'*' => match int(text).ok_or_else(malformed)? {
                -1 => Ok(Some(Reply::Array(None))),
                len => {
                    if depth == DEPTH_MAX {
                        return Err(malformed());
                    }
                    let len = usize::try_from(len).map_err(|_| malformed())?;
                    self.array(len, depth)
                }
            },
            _ => Err(malformed()),
        }
    }

    fn bulk(&mut self, len: usize) -> Result<Option<Reply>, ()> {
        let rest = &self.bytes[self.at..];
        if rest.len() < len + 2 {
            return Ok(None);
        }
        if &rest[len..len + 2] != b"\r\n" {
            return Err(());
        }
        self.at += len + 2;
        Ok(Some(Reply::Bulk(Some(rest[..len].to_vec()))))
    }

    fn array(&mut self, len: usize, depth: u32) -> Result<Option<Reply>, Malformed> {
        let mut items = Vec::with_capacity(len.min(1024));
        for _ in 0..len {
            match self.reply(depth + 1)? {
                Some(item) => items.push(item),
                None => return Ok(None),
            }
        }
        Ok(Some(Reply::Array(Some(items))))
    }

    fn line(&mut self) -> Option<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n")?;
        self.at += end + 2;
        Some(&rest[..end])
    }
}

/// A decimal integer.
pub fn int(text: &[u8]) -> Option<i64> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// Appends a command as an array of bulk strings.
pub fn command(into: &mut Vec<u8>, args: &[&[u8]]) {
    into.extend_from_slice(format!("*{}\r\n", args.len()).as_bytes());
    for arg in args {
        into.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        into.extend_from_slice(arg);
        into.extend_from_slice(b"\r\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_out_whole_however_the_bytes_come_in() {
        let wire = b"+OK\r\n*3\r\n:1\r\n$3\r\na\r\n\r\n*-1\r\n$-1\r\n-ERR no\r\n";
        let expected = [
            Reply::Simple(b"OK".to_vec()),
            Reply::Array(Some(vec![
                Reply::Int(1),
                Reply::Bulk(Some(b"a\r\n".to_vec())),
                Reply::Array(None),
            ])),
            Reply::Bulk(None),
            Reply::Error(b"ERR no".to_vec()),
        ];
        for step in 1..wire.len() {
            let mut reader = Reader::default();
            let mut got = Vec::new();
            for chunk in wire.chunks(step) {
                reader.push(chunk);
                while let Some(reply) = reader.next_reply().unwrap() {
                    got.push(reply);
                }
            }
            assert_eq!(got, expected);
            assert!(reader.rest().is_empty());
        }
    }

    #[test]
    fn what_is_not_resp_is_reported() {
        for wire in [&b"hello\r\n"[..], b":x\r\n", b"$2\r\nabcd\r\n", b"\r\n"] {
            let mut reader = Reader::default();
            reader.push(wire);
            assert!(reader.next_reply().is_err());
        }
    }

    #[test]
    fn a_command_reads_back_as_an_array() {
        let mut wire = Vec::new();
        command(&mut wire, &[b"GET", b"k"]);
        assert_eq!(wire, b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n");
    }
}
