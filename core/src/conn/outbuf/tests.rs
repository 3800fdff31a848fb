use super::*;

fn writable(out: &OutBuf, durable: u64) -> Vec<u8> {
    let mut slices = Slices::new();
    out.writable(LogPos(durable), &mut slices);
    slices.iter().flat_map(|slice| slice.to_vec()).collect()
}

#[test]
fn a_reply_is_hidden_until_its_write_is_durable() {
    let mut out = OutBuf::default();
    out.push(b"+PONG\r\n");
    out.fence(LogPos(10));
    out.consume(7, LogPos(9));
    out.push(b"+OK\r\n");

    assert_eq!(writable(&out, 9), b"");
    assert!(out.is_fenced(LogPos(9)));
    assert_eq!(writable(&out, 10), b"+OK\r\n");
    out.consume(5, LogPos(10));
    assert!(out.is_empty());
    assert!(!out.is_fenced(LogPos(10)));
}

#[test]
fn a_deferred_reply_hides_what_follows_until_it_is_filled() {
    let mut out = OutBuf::default();
    out.push(b"*2\r\n");
    let slot = out.defer();
    out.push(b":2\r\n");
    assert_eq!(writable(&out, 0), b"*2\r\n");
    out.consume(4, LogPos(0));
    assert!(!out.is_empty());

    out.fill(slot, b":1\r\n");
    assert_eq!(writable(&out, 0), b":1\r\n:2\r\n");
    out.consume(8, LogPos(0));
    assert!(out.is_empty());
    assert_eq!(out.len(), 0);
}
