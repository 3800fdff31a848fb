//! Both directions of the protocol: any bytes, in any portions.

mod naive;

use holdfast_core::conn::Conns;
use holdfast_core::machine::ConnId;
use holdfast_core::resp::{
    Argv, ParseLimits, ProtocolError, ReplyFault, ReplyParser, Sender, Value,
};

/// Commands, each a list of arguments.
type Commands = Vec<Vec<Vec<u8>>>;

/// Finds the same commands and the same fault in any portions of a stream as a naive parser does
/// in the whole, on two connections that share their buffers.
///
/// The first two bytes choose the limits and the portions.
pub fn resp_parser(data: &[u8]) {
    let [options, seed, stream @ ..] = data else {
        return;
    };
    let limits = ParseLimits {
        bulk_max: if options & 1 == 0 {
            512 * 1024 * 1024
        } else {
            100
        },
        authenticated: options & 2 == 0,
        from: match options >> 2 & 3 {
            0 | 1 => Sender::Client,
            2 => Sender::Replica,
            _ => Sender::Master,
        },
    };
    let stream = &stretch(stream)[..];
    let (commands, fault) = naive::parse(stream, &limits);

    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let mut whole = Reader::new(&mut conns, stream, u8::MAX);
    let mut parts = Reader::new(&mut conns, stream, *seed);
    while whole.step(&mut conns, &mut argv, &limits) | parts.step(&mut conns, &mut argv, &limits) {}
    for reader in [whole, parts] {
        assert_eq!(reader.fault, fault);
        assert_eq!(reader.commands, commands);
        assert!(stream.starts_with(&reader.raw) || limits.from == Sender::Client);
        assert_eq!(reader.raw.len() as u64, reader.consumed);
        if fault.is_none() {
            let conn = conns.get(reader.conn).expect("it was not closed");
            let left = stream.len() - conn.input_len();
            assert!(left as u64 == reader.consumed || limits.from == Sender::Client);
        }
    }
}

/// Parses replies to the same values or the same fault in any portions, within bounds.
///
/// The first byte chooses the portions.
pub fn reply_parser(data: &[u8]) {
    let [seed, stream @ ..] = data else {
        return;
    };
    let values = replies([stream]);
    assert_eq!(replies(stream.chunks(1)), values);
    assert_eq!(replies(stream.chunks(usize::from(*seed) + 1)), values);
}

fn replies<'a>(portions: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<String>, ReplyFault> {
    let mut parser = ReplyParser::new(1 << 20);
    let mut values = Vec::new();
    for mut portion in portions {
        while let Some(value) = parser.next(&mut portion)? {
            // NaN is not equal to itself, but its text is.
            values.push(format!("{value:?}"));
            check_depth(&value, 0);
        }
        assert!(portion.is_empty());
    }
    Ok(values)
}

fn check_depth(value: &Value, depth: usize) {
    assert!(depth <= holdfast_core::limits::VALUE_DEPTH_MAX);
    for item in value.as_array().into_iter().flatten() {
        check_depth(item, depth + 1);
    }
}

/// Makes long arguments out of short input: the byte 255 and another one stand for as many times
/// 512 equal bytes.
fn stretch(bytes: &[u8]) -> Vec<u8> {
    let mut long = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (255, [count, tail @ ..]) => {
                long.resize(long.len() + usize::from(*count) * 512, b'x');
                rest = tail;
            }
            _ => long.push(*first),
        }
    }
    long
}

/// One connection that receives the stream in portions of its own.
struct Reader<'a> {
    conn: ConnId,
    rest: &'a [u8],
    seed: u8,
    commands: Commands,
    raw: Vec<u8>,
    consumed: u64,
    fault: Option<ProtocolError>,
}

impl<'a> Reader<'a> {
    fn new(conns: &mut Conns<()>, stream: &'a [u8], seed: u8) -> Self {
        Self {
            conn: conns.insert(None, ()),
            rest: stream,
            seed,
            commands: Vec::new(),
            raw: Vec::new(),
            consumed: 0,
            fault: None,
        }
    }

    /// Receives one portion; false if there is nothing left to do.
    fn step(&mut self, conns: &mut Conns<()>, argv: &mut Argv, limits: &ParseLimits) -> bool {
        if self.rest.is_empty() || self.fault.is_some() {
            return false;
        }
        let space = conns.read_space(self.conn);
        let len = self.portion().min(space.len()).min(self.rest.len());
        let (portion, rest) = self.rest.split_at(len);
        space[..len].copy_from_slice(portion);
        self.rest = rest;
        let mut input = conns.take_input(self.conn, len);
        loop {
            match input.next(argv, limits) {
                Ok(Some(args)) => {
                    self.commands
                        .push(args.iter().map(<[u8]>::to_vec).collect());
                    input
                        .last_raw(argv)
                        .for_each(|part| self.raw.extend_from_slice(part));
                    if limits.from == Sender::Client {
                        // Skipped bytes are not part of any command.
                        self.raw
                            .resize(usize::try_from(input.consumed()).unwrap_or(0), 0);
                    }
                }
                Ok(None) => break,
                Err(fault) => {
                    self.fault = Some(fault);
                    break;
                }
            }
            self.consumed = input.consumed();
        }
        conns.put_back(self.conn, input);
        true
    }

    /// How long the next portion is at most.
    fn portion(&mut self) -> usize {
        if self.seed == u8::MAX {
            return usize::MAX;
        }
        self.seed = (self.seed.wrapping_mul(29).wrapping_add(11)) % u8::MAX;
        let exponent = self.seed >> 4;
        usize::from(self.seed & 15) + (1 << exponent)
    }
}

#[cfg(test)]
mod tests;
