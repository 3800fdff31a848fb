//! The arguments of one command: as positions in the bytes they came in, or owned.

use bytes::Bytes;

use crate::limits;

/// The parsed arguments of one command, as positions in the buffer they were parsed from.
///
/// Reused from command to command, so that parsing allocates nothing once it is warm.
#[derive(Debug, Default)]
pub struct Argv {
    spans: Vec<Span>,
    bigs: Vec<Big>,
    /// The arguments of an inline command after unquoting; spans lie here if `inline`.
    text: Vec<u8>,
    inline: bool,
}

/// Where one argument lies.
#[derive(Clone, Copy, Debug)]
struct Span {
    /// Offset from the start of the command, or the index of a big bulk.
    start: usize,
    /// Length, or `BIG`.
    len: usize,
}

/// No slice is this long.
const BIG: usize = usize::MAX;

/// An argument that was received in a buffer of its own.
#[derive(Clone, Debug)]
struct Big {
    /// How many bytes of the command precede it in the shared buffer.
    at: usize,
    bytes: Bytes,
    /// The two bytes after it, whatever they are.
    end: [u8; 2],
}

impl Argv {
    /// Forgets the arguments and gives back unusual amounts of memory.
    #[inline]
    pub fn clear(&mut self) {
        self.spans.clear();
        self.bigs.clear();
        self.text.clear();
        self.inline = false;
        if self.spans.capacity() > limits::ARGV_KEEP {
            self.spans = Vec::new();
        }
        if self.text.capacity() > limits::INLINE_BYTES_MAX {
            self.text = Vec::new();
        }
    }

    /// How many arguments there are.
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument.
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// The arguments, given the bytes of the command they were parsed from.
    pub fn over<'a>(&'a self, command: &'a [u8]) -> ArgvRef<'a> {
        ArgvRef {
            text: if self.inline { &self.text } else { command },
            spans: &self.spans,
            bigs: &self.bigs,
        }
    }

    /// The bytes of the command as they came, in order, given those in the shared buffer.
    pub fn raw<'a>(&'a self, command: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let ends = self.bigs.iter().skip(1).map(|big| big.at);
        let rests = self.bigs.iter().zip(ends.chain([command.len()]));
        let first = self.bigs.first().map_or(command.len(), |big| big.at);
        [&command[..first]].into_iter().chain(
            rests.flat_map(move |(big, end)| [&big.bytes[..], &big.end, &command[big.at..end]]),
        )
    }

    /// Bytes that came in buffers of their own, with their line ends.
    pub(crate) fn big_bytes(&self) -> usize {
        self.bigs.iter().map(|big| big.bytes.len() + 2).sum()
    }

    pub(super) fn push(&mut self, start: usize, len: usize) {
        self.spans.push(Span { start, len });
    }

    pub(super) fn push_big(&mut self, at: usize, bytes: Bytes, end: [u8; 2]) {
        let start = self.bigs.len();
        self.spans.push(Span { start, len: BIG });
        self.bigs.push(Big { at, bytes, end });
    }

    /// Turns the arguments into those of an inline command.
    pub(super) fn start_inline(&mut self) {
        self.clear();
        self.inline = true;
    }

    /// Starts an inline argument, returning the text it goes to and where it starts.
    pub(super) fn inline_text(&mut self) -> &mut Vec<u8> {
        &mut self.text
    }

    /// Memory held beyond the struct itself.
    pub(super) fn memory(&self) -> usize {
        self.spans.capacity() * size_of::<Span>() + self.text.capacity() + self.big_bytes()
    }
}

/// Borrowed arguments of one command; the first is its name.
#[derive(Clone, Copy, Debug)]
pub struct ArgvRef<'a> {
    text: &'a [u8],
    spans: &'a [Span],
    bigs: &'a [Big],
}

impl<'a> ArgvRef<'a> {
    /// How many arguments there are.
    pub const fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is no argument.
    pub const fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// One argument. The index must be below `len`.
    pub fn get(self, index: usize) -> &'a [u8] {
        self.at(self.spans[index])
    }

    /// One argument, if there are so many.
    pub fn try_get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|&span| self.at(span))
    }

    /// One argument as shared bytes, if it was received in a buffer of its own: keeping it costs
    /// no copy.
    pub fn shared(self, index: usize) -> Option<&'a Bytes> {
        let span = self.spans[index];
        (span.len == BIG).then(|| &self.bigs[span.start].bytes)
    }

    /// The arguments in order.
    pub fn iter(self) -> impl DoubleEndedIterator<Item = &'a [u8]> + ExactSizeIterator {
        self.spans.iter().map(move |&span| self.at(span))
    }

    /// The arguments from the one at `first` on; none if there are not so many.
    #[must_use]
    pub fn skip(self, first: usize) -> Self {
        Self {
            spans: self.spans.get(first..).unwrap_or_default(),
            ..self
        }
    }

    /// The length of all arguments together.
    pub fn bytes(self) -> usize {
        self.iter().map(<[u8]>::len).sum()
    }

    fn at(self, span: Span) -> &'a [u8] {
        if span.len == BIG {
            &self.bigs[span.start].bytes
        } else {
            &self.text[span.start..span.start + span.len]
        }
    }
}

/// The arguments of a command that outlive the buffer they came in.
///
/// All in one buffer, except big ones, which are shared instead of copied.
#[derive(Clone, Debug, Default)]
pub struct OwnedArgv {
    text: Box<[u8]>,
    spans: Box<[Span]>,
    bigs: Box<[Big]>,
}

impl OwnedArgv {
    /// Copies the arguments.
    pub fn new(args: ArgvRef<'_>) -> Self {
        let mut text = Vec::with_capacity(args.small_bytes());
        let mut spans = Vec::with_capacity(args.len());
        let mut bigs = Vec::new();
        for index in 0..args.len() {
            if let Some(bytes) = args.shared(index) {
                spans.push(Span {
                    start: bigs.len(),
                    len: BIG,
                });
                let (at, bytes) = (text.len(), bytes.clone());
                bigs.push(Big {
                    at,
                    bytes,
                    end: *b"\r\n",
                });
            } else {
                let arg = args.get(index);
                spans.push(Span {
                    start: text.len(),
                    len: arg.len(),
                });
                text.extend_from_slice(arg);
            }
        }
        Self {
            text: text.into(),
            spans: spans.into(),
            bigs: bigs.into(),
        }
    }

    /// Copies arguments from anywhere.
    pub fn from_slices(args: &[&[u8]]) -> Self {
        let mut text = Vec::with_capacity(args.iter().map(|arg| arg.len()).sum());
        let mut spans = Vec::with_capacity(args.len());
        for arg in args {
            spans.push(Span {
                start: text.len(),
                len: arg.len(),
            });
            text.extend_from_slice(arg);
        }
        Self {
            text: text.into(),
            spans: spans.into(),
            bigs: Box::default(),
        }
    }

    /// The arguments, borrowed.
    pub fn as_ref(&self) -> ArgvRef<'_> {
        ArgvRef {
            text: &self.text,
            spans: &self.spans,
            bigs: &self.bigs,
        }
    }

    /// Memory held beyond the struct itself.
    pub fn memory(&self) -> usize {
        let bigs: usize = self
            .bigs
            .iter()
            .map(|big| size_of::<Big>() + big.bytes.len())
            .sum();
        self.text.len() + size_of_val(&self.spans[..]) + bigs
    }
}

impl ArgvRef<'_> {
    fn small_bytes(self) -> usize {
        self.spans
            .iter()
            .filter(|span| span.len != BIG)
            .map(|span| span.len)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resp::{encode_argv, encode_command};

    #[test]
    fn owned_arguments_are_the_same_and_share_big_ones() {
        let mut argv = Argv::default();
        argv.push(4, 3);
        argv.push_big(9, Bytes::from_static(b"bigger"), *b"\r\n");
        argv.push(9, 0);
        argv.push(9, 2);
        let args = argv.over(b"*4\r\nSET\r\nxy\r\n");
        let owned = OwnedArgv::new(args);
        for args in [args, owned.as_ref()] {
            assert_eq!(
                args.iter().collect::<Vec<_>>(),
                [&b"SET"[..], b"bigger", b"", b"xy"]
            );
            assert_eq!(args.skip(2).iter().collect::<Vec<_>>(), [&b""[..], b"xy"]);
            assert!(args.skip(5).is_empty());
            assert_eq!((args.len(), args.bytes(), args.try_get(4)), (4, 11, None));
            assert_eq!(args.shared(1).unwrap().as_ptr(), args.get(1).as_ptr());
            assert_eq!(args.shared(0), None);
        }
        let same = OwnedArgv::from_slices(&[b"SET", b"bigger", b"", b"xy"]);
        let (mut parsed, mut built) = (Vec::new(), Vec::new());
        encode_argv(&mut parsed, args);
        encode_command(&mut built, &same.as_ref().iter().collect::<Vec<_>>());
        assert_eq!(parsed, built);
        assert_eq!(
            built,
            b"*4\r\n$3\r\nSET\r\n$6\r\nbigger\r\n$0\r\n\r\n$2\r\nxy\r\n"
        );
    }

    #[test]
    fn the_bytes_of_a_command_can_be_had_as_they_came() {
        let mut argv = Argv::default();
        argv.push_big(8, Bytes::from_static(b"one"), *b"\r\n");
        argv.push_big(12, Bytes::from_static(b"two"), *b"\r\n");
        let raw: Vec<u8> = argv
            .raw(b"*3\r\n$3\r\n$3\r\n$0\r\n\r\n")
            .flatten()
            .copied()
            .collect();
        assert_eq!(raw, b"*3\r\n$3\r\none\r\n$3\r\ntwo\r\n$0\r\n\r\n");
        argv.clear();
        assert_eq!(argv.raw(b"PING\r\n").collect::<Vec<_>>(), [b"PING\r\n"]);
    }
}
