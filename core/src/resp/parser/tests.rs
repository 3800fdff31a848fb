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
