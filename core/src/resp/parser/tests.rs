use super::*;
use crate::conn::Input;

const CLIENT: ParseLimits = ParseLimits {
    bulk_max: 512 * 1024 * 1024,
    authenticated: true,
    from: Sender::Client,
};

type Commands = Vec<Vec<Vec<u8>>>;

/// Feeds `portions` one after the other and collects what comes out, with the fault at the end.
fn parse_with<'a>(
    portions: impl IntoIterator<Item = &'a [u8]>,
    limits: &ParseLimits,
) -> (Commands, Option<ProtocolError>) {
    let mut input = Input::default();
    let mut argv = Argv::default();
    let mut commands = Vec::new();
    for mut portion in portions {
        while !portion.is_empty() {
            let space = input.space();
            let len = space.len().min(portion.len());
            space[..len].copy_from_slice(&portion[..len]);
            input.filled(len);
            portion = &portion[len..];
            loop {
                match input.next(&mut argv, limits) {
                    Ok(Some(args)) => commands.push(args.iter().map(<[u8]>::to_vec).collect()),
                    Ok(None) => break,
                    Err(error) => return (commands, Some(error)),
                }
            }
        }
    }
    (commands, None)
}

fn parse(bytes: &[u8]) -> (Commands, Option<ProtocolError>) {
    parse_with([bytes], &CLIENT)
}

fn words(words: &[&[u8]]) -> Vec<Vec<u8>> {
    words.iter().map(|word| word.to_vec()).collect()
}

#[test]
fn every_split_gives_the_same_commands() {
    let stream = b"*2\r\n$4\r\nECHO\r\n$0\r\n\r\n\r\nset  k \"v\\x41\"\r\n*0\r\n*-1\r\n\
        *3\r\n$3\r\nSET\r\n$1\r\nk\r\n$12\r\nhello\r\nworld\r\nPING\n*1\r\n$4\r\nPING\r\n";
    let (whole, None) = parse(stream) else {
        panic!("the stream is sound")
    };
    assert_eq!(whole.len(), 5);
    for first in 0..=stream.len() {
        for second in first..=stream.len() {
            let portions = [&stream[..first], &stream[first..second], &stream[second..]];
            assert_eq!(parse_with(portions, &CLIENT), (whole.clone(), None));
        }
    }
    assert_eq!(parse_with(stream.chunks(1), &CLIENT), (whole, None));
}

#[test]
fn a_big_argument_comes_in_its_own_buffer_over_any_split() {
    let value = vec![b'x'; limits::BIG_BULK_BYTES + 10];
    let mut stream = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n".to_vec();
    stream.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
    stream.extend_from_slice(&value);
    stream.extend_from_slice(b"\r\nPING\r\n");
    let expected = vec![words(&[b"SET", b"k", &value]), words(&[b"PING"])];
    let ends = (0..40).chain(stream.len() - 20..=stream.len());
    for end in ends {
        let portions = [&stream[..end], &stream[end..]];
        assert_eq!(
            parse_with(portions, &CLIENT),
            (expected.clone(), None),
            "split at {end}"
        );
    }
}

#[test]
fn faults_are_told_in_the_words_of_redis() {
    for (bytes, text) in [
        (&b"*abc\r\n"[..], "Protocol error: invalid multibulk length"),
        (b"*\r\n", "Protocol error: invalid multibulk length"),
        (b"*01\r\n", "Protocol error: invalid multibulk length"),
        (b"*+1\r\n", "Protocol error: invalid multibulk length"),
        (b"* 1\r\n", "Protocol error: invalid multibulk length"),
        (b"*1 \r\n", "Protocol error: invalid multibulk length"),
        (b"*-0\r\n", "Protocol error: invalid multibulk length"),
        (
            b"*2147483648\r\n",
            "Protocol error: invalid multibulk length",
        ),
        (
            b"*9223372036854775808\r\n",
            "Protocol error: invalid multibulk length",
        ),
        (b"*1\r\n+PING\r\n", "Protocol error: expected '$', got '+'"),
        (b"*1\r\n\"a\r\n", "Protocol error: expected '$', got '\"'"),
        (b"*1\r\n$-1\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$-0\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$abc\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$04\r\n", "Protocol error: invalid bulk length"),
        (b"*1\r\n$4xyPING\r\n", "Protocol error: invalid bulk length"),
        (
            b"*1\r\n$536870913\r\n",
            "Protocol error: invalid bulk length",
        ),
        (
            b"echo \"a\r\n",
            "Protocol error: unbalanced quotes in request",
        ),
        (
            b"echo \"a\"b\r\n",
            "Protocol error: unbalanced quotes in request",
        ),
        (
            b"echo 'a''b'\r\n",
            "Protocol error: unbalanced quotes in request",
        ),
    ] {
        let (commands, fault) = parse(bytes);
        assert!(commands.is_empty());
        assert_eq!(fault.map(|fault| fault.to_string()).as_deref(), Some(text));
    }
    assert_eq!(
        ProtocolError::ExpectedBulk { got: 0xff }.reply(),
        b"Protocol error: expected '$', got '\xff'"
    );
}

#[test]
fn lines_are_bounded_wherever_they_are_cut() {
    let max = limits::INLINE_BYTES_MAX;
    let digits = vec![b'1'; max + 10];
    let long = |prefix: &[u8], len: usize| [prefix, &digits[..len]].concat();
    let halves = |bytes: &[u8]| [&bytes[..9], &bytes[9..]].map(<[u8]>::to_vec);
    for (bytes, fault) in [
        (long(b"", max + 1), Some(ProtocolError::InlineTooLong)),
        (long(b"", max), None),
        (long(b"*", max), Some(ProtocolError::MultibulkLineTooLong)),
        (long(b"*", max - 1), None),
        (long(b"*1\r\n$", max), Some(ProtocolError::BulkLineTooLong)),
        (long(b"*1\r\n$", max - 1), None),
        (
            long(b"*1\r\n", max + 1),
            Some(ProtocolError::BulkLineTooLong),
        ),
    ] {
        let [first, second] = halves(&bytes);
        assert_eq!(parse(&bytes).1, fault);
        assert_eq!(parse_with([&first[..], &second[..]], &CLIENT).1, fault);
        let ended = [&bytes[..], b"\r\n"].concat();
        let [first, second] = halves(&ended);
        assert_eq!(
            parse(&ended),
            parse_with([&first[..], &second[..]], &CLIENT)
        );
    }
}

#[test]
fn who_has_not_authenticated_may_send_little() {
    let limits = ParseLimits {
        authenticated: false,
        ..CLIENT
    };
    for (bytes, fault) in [
        (
            &b"*11\r\n"[..],
            Some(ProtocolError::UnauthenticatedMultibulkLength),
        ),
        (b"*10\r\n", None),
        (b"*2147483648\r\n", Some(ProtocolError::MultibulkLength)),
        (
            b"*1\r\n$16385\r\n",
            Some(ProtocolError::UnauthenticatedBulkLength),
        ),
        (b"*1\r\n$16384\r\n", None),
        (b"*1\r\n$536870913\r\n", Some(ProtocolError::BulkLength)),
    ] {
        assert_eq!(parse_with([bytes], &limits).1, fault);
    }
}

#[test]
fn a_master_may_send_long_arguments_but_no_inline_command() {
    let limits = ParseLimits {
        bulk_max: 10,
        from: Sender::Master,
        ..CLIENT
    };
    let long = b"*1\r\n$11\r\nhello world\r\n";
    assert_eq!(
        parse_with([&long[..]], &limits),
        (vec![words(&[b"hello world"])], None)
    );
    let fault = Some(ProtocolError::InlineFromMaster);
    assert_eq!(parse_with([&b"PING\r\n"[..]], &limits), (Vec::new(), fault));
}

#[test]
fn signs_of_life_are_told_of_a_replica_and_a_master() {
    for from in [Sender::Replica, Sender::Master] {
        let limits = ParseLimits { from, ..CLIENT };
        let stream = b"\n*1\r\n$4\r\nPING\r\n\r\n*0\r\n";
        let expected = vec![Vec::new(), words(&[b"PING"]), Vec::new(), Vec::new()];
        assert_eq!(parse_with(stream.chunks(1), &limits), (expected, None));
    }
}

#[test]
fn what_was_consumed_can_be_counted_and_repeated_to_the_byte() {
    let limits = ParseLimits {
        from: Sender::Master,
        ..CLIENT
    };
    let value = vec![b'v'; limits::BIG_BULK_BYTES];
    let mut stream = b"\n*3\r\n$3\r\nSET\r\n$5\r\nhello\r\n".to_vec();
    stream.extend_from_slice(format!("${}\r\n", value.len()).as_bytes());
    stream.extend_from_slice(&value);
    stream.extend_from_slice(b"\r\n*1\r\n$4\r\nPING\r\n");
    for portion in [1, 7, 5000, stream.len()] {
        let (mut input, mut argv) = (Input::default(), Argv::default());
        let mut repeated = Vec::new();
        for mut bytes in stream.chunks(portion) {
            while !bytes.is_empty() {
                let space = input.space();
                let len = space.len().min(bytes.len());
                space[..len].copy_from_slice(&bytes[..len]);
                input.filled(len);
                bytes = &bytes[len..];
                while input.next(&mut argv, &limits).unwrap().is_some() {
                    input
                        .last_raw(&argv)
                        .for_each(|part| repeated.extend_from_slice(part));
                    assert_eq!(input.consumed(), repeated.len() as u64);
                }
            }
        }
        assert!(repeated == stream, "in portions of {portion}");
        assert!(input.is_idle());
    }
}
