use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::conn::OutBuf;
use crate::resp::{Proto, Reply};

/// Parses a stream that comes in the given portions.
fn parse<'a>(portions: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<Value>, ReplyFault> {
    parse_with(&mut ReplyParser::default(), portions)
}

fn parse_with<'a>(
    parser: &mut ReplyParser,
    portions: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<Value>, ReplyFault> {
    let mut values = Vec::new();
    for mut portion in portions {
        while let Some(value) = parser.next(&mut portion)? {
            values.push(value);
        }
        assert!(portion.is_empty());
    }
    Ok(values)
}

/// Writes a value as RESP3.
fn write(reply: &mut Reply<'_>, value: &Value) {
    match value {
        Value::Simple(text) => reply.simple(core::str::from_utf8(text).unwrap()),
        Value::Error(text) => reply.error_bytes(text),
        Value::Int(value) => reply.int(*value),
        Value::Bulk(text) => reply.bulk(text),
        Value::Null => reply.null(),
        Value::Array(items) => {
            reply.array(items.len());
            items.iter().for_each(|item| write(reply, item));
        }
        Value::Set(items) => {
            let later = reply.set_later();
            items.iter().for_each(|item| write(reply, item));
            reply.set_len(later, items.len());
        }
        Value::Push(items) => {
            reply.push(items.len());
            items.iter().for_each(|item| write(reply, item));
        }
        Value::Map(pairs) => {
            let later = reply.map_later();
            for (key, value) in pairs {
                write(reply, key);
                assert!(reply.attribute(1));
                reply.simple("ttl");
                reply.int(3600);
                write(reply, value);
            }
            reply.set_len(later, pairs.len());
        }
        Value::Double(value) => reply.double(*value),
        Value::Bool(value) => reply.bool(*value),
        Value::BigNumber(digits) => reply.bignum(digits),
        Value::Verbatim(format, text) => reply.verbatim(*format, text),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = || "[ -~]{0,9}".prop_map(String::into_bytes);
    let leaf = prop_oneof![
        text().prop_map(Value::Simple),
        text().prop_map(Value::Error),
        any::<i64>().prop_map(Value::Int),
        vec(any::<u8>(), 0..20).prop_map(Value::Bulk),
        Just(Value::Null),
        any::<i32>().prop_map(|value| Value::Double(f64::from(value) / 8.0)),
        any::<bool>().prop_map(Value::Bool),
        any::<i128>().prop_map(|value| Value::BigNumber(value.to_string().into_bytes())),
        vec(any::<u8>(), 0..9).prop_map(|text| Value::Verbatim(*b"txt", text)),
    ];
    leaf.prop_recursive(4, 30, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(Value::Array),
            vec(inner.clone(), 0..5).prop_map(Value::Set),
            vec(inner.clone(), 0..5).prop_map(Value::Push),
            vec((inner.clone(), inner), 0..4).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn what_a_server_writes_is_what_its_client_reads(
        values in vec(value(), 0..4),
        cuts in vec(any::<usize>(), 0..6),
    ) {
        let mut out = OutBuf::default();
        let mut reply = Reply::new(&mut out, Proto::Resp3);
        values.iter().for_each(|value| write(&mut reply, value));
        let bytes = out.into_bytes();

        let mut ends: Vec<_> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let portions = ends.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let mut parser = ReplyParser::default();
        prop_assert_eq!(parse_with(&mut parser, portions), Ok(values.clone()));
        prop_assert!(parser.is_idle());
        prop_assert_eq!(parse(bytes.chunks(1)), Ok(values));
    }

    #[test]
    fn any_bytes_are_replies_or_a_fault(bytes in "[-+:$*%~>|_,#(!=0-3a\r\n]{0,60}") {
        let whole = parse([bytes.as_bytes()]);
        prop_assert_eq!(parse(bytes.as_bytes().chunks(1)), whole);
    }
}

#[test]
fn nulls_of_all_kinds_are_one() {
    assert_eq!(
        parse([&b"$-1\r\n*-1\r\n_\r\n"[..]]),
        Ok(vec![Value::Null; 3])
    );
}

#[test]
fn an_attribute_is_left_out_wherever_it_stands() {
    let bytes = b"|1\r\n+a\r\n*1\r\n:1\r\n*2\r\n:1\r\n|1\r\n+b\r\n|0\r\n_\r\n:2\r\n";
    let expected = Value::Array(vec![Value::Int(1), Value::Int(2)]);
    assert_eq!(parse([&bytes[..]]), Ok(vec![expected]));
}

#[test]
fn a_reply_that_breaks_the_protocol_is_a_fault() {
    for (bytes, fault) in [
        (&b"x\r\n"[..], ReplyFault::Type { got: b'x' }),
        (b"\r\n", ReplyFault::LineEnd),
        (b"+OK\n", ReplyFault::LineEnd),
        (b"$1\r\nabc", ReplyFault::LineEnd),
        (b"=2\r\nab\r\n", ReplyFault::LineEnd),
        (b":x\r\n", ReplyFault::Number),
        (b"$-2\r\n", ReplyFault::Number),
        (b"*?\r\n", ReplyFault::Number),
        (b"#x\r\n", ReplyFault::Number),
        (b",x\r\n", ReplyFault::Number),
        (b"(1.5\r\n", ReplyFault::Number),
        (b"_x\r\n", ReplyFault::Number),
        (b"$9223372036854775807\r\n", ReplyFault::TooBig),
        (b"%9223372036854775807\r\n", ReplyFault::TooBig),
    ] {
        assert_eq!(
            parse([bytes]),
            Err(fault),
            "{:?}",
            String::from_utf8_lossy(bytes)
        );
    }
}

#[test]
fn a_reply_cannot_take_more_memory_than_it_may() {
    let mut parser = ReplyParser::new(1000);
    assert_eq!(
        parse_with(&mut parser, [&b"$2000\r\n"[..]]),
        Err(ReplyFault::TooBig)
    );

    let mut parser = ReplyParser::new(1000);
    let nulls = b"_\r\n".repeat(1000);
    assert!(
        parse_with(&mut parser, [&nulls[..]]).is_ok(),
        "each reply counts for itself"
    );
    let many = [&b"*1000000\r\n"[..], &nulls];
    assert_eq!(parse_with(&mut parser, many), Err(ReplyFault::TooBig));

    let mut parser = ReplyParser::new(1000);
    let endless = [b'+'; 2000];
    assert_eq!(
        parse_with(&mut parser, endless.chunks(10)),
        Err(ReplyFault::TooBig)
    );
}

#[test]
fn nesting_is_bounded() {
    let deep = |levels| [b"*1\r\n".repeat(levels), b":1\r\n".to_vec()].concat();
    assert!(parse([&deep(limits::VALUE_DEPTH_MAX)[..]]).is_ok());
    let too_deep = deep(limits::VALUE_DEPTH_MAX + 1);
    assert_eq!(parse([&too_deep[..]]), Err(ReplyFault::TooDeep));
}
