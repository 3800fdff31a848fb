//! The bytes of an append-only file, and the commands in them.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};

/// A number in a command has no more bytes, with its line end.
const NUMBER_BYTES_MAX: usize = 127;
/// Of a command's name, so many bytes tell whether it begins or ends a transaction.
const NAME_BYTES: usize = 6;

/// A file being read.
pub(super) struct Source {
    reader: BufReader<File>,
    offset: u64,
    /// Where what was read last begins.
    began: u64,
}

/// Why there is no command: told with the place, or the file just ends.
#[derive(Debug)]
pub(super) struct Failing(Option<String>);

impl Failing {
    pub(super) fn new(began: u64, why: String) -> Self {
        Self(Some(format!("0x{began:16x}: {why}")))
    }

    pub(super) fn text(self) -> Option<String> {
        self.0
    }
}

impl Source {
    /// Goes on behind so many bytes.
    pub(super) fn new(file: File, offset: u64) -> Self {
        Self {
            reader: BufReader::new(file),
            offset,
            began: offset,
        }
    }

    pub(super) fn file(&self) -> &File {
        self.reader.get_ref()
    }

    pub(super) fn into_file(self) -> File {
        self.reader.into_inner()
    }

    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    pub(super) fn began(&self) -> u64 {
        self.began
    }

    pub(super) fn peek(&mut self) -> io::Result<Option<u8>> {
        Ok(self.reader.fill_buf()?.first().copied())
    }

    pub(super) fn is_at_end(&mut self) -> bool {
        matches!(self.peek(), Ok(None))
    }

    /// Reads up to the end of the line, but no more than so many bytes; empty at the end of the
    /// file.
    pub(super) fn line(&mut self, max: usize) -> io::Result<Vec<u8>> {
        self.began = self.offset;
        let mut line = Vec::new();
        let limit = u64::try_from(max).expect("a bound fits 64 bits");
        let mut limited = io::Read::by_ref(&mut self.reader).take(limit);
        let read = limited.read_until(b'\n', &mut line)?;
        self.offset += u64::try_from(read).expect("a length fits 64 bits");
        Ok(line)
    }

    /// Reads a command, and whether it begins or ends a transaction.
    pub(super) fn command(
        &mut self,
        path: &str,
        in_transaction: &mut bool,
        line: &mut u64,
    ) -> Result<(), Failing> {
        let argc = self.number(b'*', line)?;
        for number in 0..argc.max(0) {
            let name = self.string(line)?;
            let is = |word: &[u8]| number == 0 && name.eq_ignore_ascii_case(word);
            if is(b"multi") {
                if *in_transaction {
                    return Err(self.failing(format!("Unexpected MULTI in AOF {path}")));
                }
                *in_transaction = true;
            } else if is(b"exec") {
                if !*in_transaction {
                    return Err(self.failing(format!("Unexpected EXEC in AOF {path}")));
                }
                *in_transaction = false;
            }
        }
        Ok(())
    }

    fn failing(&self, why: String) -> Failing {
        Failing::new(self.began, why)
    }

    fn number(&mut self, prefix: u8, line: &mut u64) -> Result<i64, Failing> {
        let text = self.line(NUMBER_BYTES_MAX).map_err(|_| Failing(None))?;
        let Some((&first, rest)) = text.split_first() else {
            return Err(Failing(None));
        };
        if first != prefix {
            let (prefix, first) = (char::from(prefix), first.escape_ascii());
            return Err(self.failing(format!("Expected prefix '{prefix}', got: '{first}'")));
        }
        let digits = rest.strip_prefix(b"-").unwrap_or(rest);
        let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
        let len = digits.count() + usize::from(rest.starts_with(b"-"));
        let (number, end) = rest.split_at(len);
        self.line_end(end, line)?;
        let number = str::from_utf8(number).expect("digits are text");
        // A number that does not fit is too large for whatever it counts.
        Ok(match number.parse() {
            Ok(number) => number,
            Err(_) if number.starts_with('-') => i64::MIN,
            Err(_) if number.is_empty() => 0,
            Err(_) => i64::MAX,
        })
    }

    fn line_end(&self, end: &[u8], line: &mut u64) -> Result<(), Failing> {
        if end.starts_with(b"\r\n") {
            *line += 1;
            return Ok(());
        }
        let at = |index: usize| end.get(index).copied().unwrap_or(0);
        let (first, second) = (at(0), at(1));
        Err(self.failing(format!("Expected \\r\\n, got: {first:02x}{second:02x}")))
    }

    /// Reads a string; its first bytes, one more than the names that count have.
    fn string(&mut self, line: &mut u64) -> Result<Vec<u8>, Failing> {
        let len = self.number(b'$', line)?;
        let wanted = u64::try_from(len).ok().filter(|_| len <= i64::MAX - 2);
        let Some(wanted) = wanted.map(|len| len + 2) else {
            return Err(self.failing(format!(
                "Expected to read string of {len} bytes, which is not in the suitable range"
            )));
        };
        self.began = self.offset;
        let mut name = Vec::new();
        let mut end = [0; 2];
        let mut read = 0;
        while read < wanted {
            let piece = self.reader.fill_buf().unwrap_or_default();
            let take = usize::try_from(wanted - read).unwrap_or(usize::MAX);
            let piece = &piece[..take.min(piece.len())];
            if piece.is_empty() {
                break;
            }
            let room = NAME_BYTES - name.len().min(NAME_BYTES);
            name.extend_from_slice(&piece[..room.min(piece.len())]);
            for &byte in &piece[piece.len().saturating_sub(2)..] {
                end = [end[1], byte];
            }
            let taken = piece.len();
            self.reader.consume(taken);
            read += u64::try_from(taken).expect("a length fits 64 bits");
        }
        self.offset += read;
        if read < wanted {
            return Err(self.failing(format!("Expected to read {wanted} bytes, got {read} bytes")));
        }
        self.line_end(&end, line)?;
        name.truncate(usize::try_from(wanted - 2).unwrap_or(usize::MAX));
        Ok(name)
    }
}
