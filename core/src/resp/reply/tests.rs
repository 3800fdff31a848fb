use super::*;
use crate::limits;

fn written(proto: Proto, write: impl FnOnce(&mut Reply<'_>)) -> String {
    let mut out = OutBuf::default();
    write(&mut Reply::new(&mut out, proto));
    String::from_utf8(out.into_bytes()).unwrap()
}

#[track_caller]
fn assert_written(resp2: &str, resp3: &str, write: impl Fn(&mut Reply<'_>)) {
    assert_eq!(written(Proto::Resp2, &write), resp2);
    assert_eq!(written(Proto::Resp3, &write), resp3);
    let mut out = OutBuf::default();
    write(&mut Reply::new(&mut out, Proto::Resp3).silenced(true));
    assert!(out.is_empty(), "silence writes nothing");
}

#[test]
fn every_type_has_its_form_in_both_protocols() {
    assert_written("+OK\r\n", "+OK\r\n", |reply| reply.ok());
    assert_written("+QUEUED\r\n", "+QUEUED\r\n", |reply| reply.simple("QUEUED"));
    assert_written(":0\r\n:1\r\n:-7\r\n", ":0\r\n:1\r\n:-7\r\n", |reply| {
        [0, 1, -7].into_iter().for_each(|value| reply.int(value));
    });
    assert_written("$2\r\nhi\r\n", "$2\r\nhi\r\n", |reply| reply.bulk(b"hi"));
    assert_written("$2\r\n42\r\n", "$2\r\n42\r\n", |reply| reply.bulk_int(42));
    assert_written("$-1\r\n", "_\r\n", |reply| reply.null());
    assert_written("*-1\r\n", "_\r\n", |reply| reply.null_array());
    assert_written("*3\r\n", "*3\r\n", |reply| reply.array(3));
    assert_written("*6\r\n", "%3\r\n", |reply| reply.map(3));
    assert_written("*3\r\n", "~3\r\n", |reply| reply.set(3));
    assert_written("*3\r\n", ">3\r\n", |reply| reply.push(3));
    assert_written("", "|1\r\n", |reply| {
        assert_eq!(reply.attribute(1), reply.proto == Proto::Resp3)
    });
    assert_written("$3\r\n1.5\r\n", ",1.5\r\n", |reply| reply.double(1.5));
    assert_written("$4\r\n-inf\r\n", ",-inf\r\n", |reply| {
        reply.double(f64::NEG_INFINITY)
    });
    assert_written(":1\r\n:0\r\n", "#t\r\n#f\r\n", |reply| {
        reply.bool(true);
        reply.bool(false);
    });
    assert_written("$2\r\n99\r\n", "(99\r\n", |reply| reply.bignum(b"99"));
    assert_written("$2\r\nhi\r\n", "=6\r\ntxt:hi\r\n", |reply| {
        reply.verbatim(*b"txt", b"hi")
    });
}

#[test]
fn an_error_is_always_one_line() {
    let text = written(Proto::Resp2, |reply| reply.error("ERR a\r\nb\r\n\r\n"));
    assert_eq!(text, "-ERR a  b\r\n");
    let text = written(Proto::Resp2, |reply| {
        reply.protocol_error(ProtocolError::ExpectedBulk { got: b'\n' });
    });
    assert_eq!(text, "-ERR Protocol error: expected '$', got ' '\r\n");
}

#[test]
fn lengths_told_late_come_in_front_even_when_nested() {
    let text = written(Proto::Resp3, |reply| {
        let outer = reply.map_later();
        reply.bulk(b"k");
        let inner = reply.array_later();
        reply.int(1);
        reply.int(2);
        reply.set_len(inner, 2);
        reply.bulk(b"l");
        let inner = reply.set_later();
        reply.set_len(inner, 0);
        reply.set_len(outer, 2);
    });
    assert_eq!(text, "%2\r\n$1\r\nk\r\n*2\r\n:1\r\n:2\r\n$1\r\nl\r\n~0\r\n");
}

#[test]
fn a_length_told_after_a_long_reply_comes_in_front() {
    let long = Bytes::from("v".repeat(limits::SHARED_REPLY_BYTES));
    let count = 5000;
    let text = written(Proto::Resp2, |reply| {
        reply.ok();
        let later = reply.array_later();
        reply.bulk_shared(&long);
        (1..count).for_each(|_| reply.bulk(b"element"));
        reply.set_len(later, count);
        reply.ok();
    });
    let elements = "$7\r\nelement\r\n".repeat(count - 1);
    let long = core::str::from_utf8(&long).unwrap();
    assert_eq!(
        text,
        format!("+OK\r\n*5000\r\n$16384\r\n{long}\r\n{elements}+OK\r\n")
    );
}
