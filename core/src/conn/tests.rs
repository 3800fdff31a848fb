use super::*;
use crate::resp::{Argv, ParseLimits, Sender};

const CLIENT: ParseLimits = ParseLimits {
    bulk_max: 512 * 1024 * 1024,
    authenticated: true,
    from: Sender::Client,
};

fn receive(conns: &mut Conns<()>, id: ConnId, bytes: &[u8]) -> Input {
    let space = conns.read_space(id);
    space[..bytes.len()].copy_from_slice(bytes);
    conns.take_input(id, bytes.len())
}

/// Receives bytes and runs all complete commands through `run`.
fn commands(conns: &mut Conns<()>, id: ConnId, argv: &mut Argv, bytes: &[u8]) -> Vec<String> {
    let mut input = receive(conns, id, bytes);
    let mut found = Vec::new();
    while let Some(args) = input.next(argv, &CLIENT).unwrap() {
        let words: Vec<_> = args.iter().map(String::from_utf8_lossy).collect();
        found.push(words.join(" "));
    }
    conns.put_back(id, input);
    found
}

fn written(conns: &mut Conns<()>, id: ConnId) -> Vec<u8> {
    let mut slices = Slices::new();
    conns.writable(id, &mut slices);
    let bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.to_vec()).collect();
    drop(slices);
    conns.consume(id, bytes.len());
    bytes
}

#[test]
fn commands_of_two_connections_do_not_mix_in_the_shared_buffers() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let (a, b) = (conns.insert(None, ()), conns.insert(None, ()));

    assert!(commands(&mut conns, a, &mut argv, b"PING\r\n*2\r\n$4\r\nECHO\r\n").len() == 1);
    assert!(commands(&mut conns, b, &mut argv, b"*1\r").is_empty());
    assert_eq!(
        commands(&mut conns, a, &mut argv, b"$1\r\nx\r\n*1\r\n"),
        ["ECHO x"]
    );
    assert_eq!(
        commands(&mut conns, b, &mut argv, b"\n$4\r\nPING\r\n"),
        ["PING"]
    );
    assert_eq!(
        commands(&mut conns, a, &mut argv, b"$4\r\nTIME\r\n"),
        ["TIME"]
    );
    for conn in conns.iter() {
        assert_eq!((conn.input_len(), conn.input_memory()), (0, 0));
    }
}

#[test]
fn an_idle_connection_holds_no_buffer() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let id = conns.insert(None, ());
    commands(&mut conns, id, &mut argv, b"*1\r\n$4\r\nPI");
    assert_eq!(conns.get(id).unwrap().input_len(), 10);
    assert!(conns.get(id).unwrap().input_memory() < 64);
    assert_eq!(conns.get(id).unwrap().out.memory(), 0);

    let mut input = receive(&mut conns, id, b"NG\r\n");
    assert!(input.next(&mut argv, &CLIENT).unwrap().is_some());
    Reply::new(&mut conns.get_mut(id).unwrap().out, Proto::Resp2).simple("PONG");
    conns.put_back(id, input);
    assert_eq!(conns.poll_writable(), Some(id));
    assert_eq!(conns.poll_writable(), None);
    assert_eq!(written(&mut conns, id), b"+PONG\r\n");
    let conn = conns.get(id).unwrap();
    assert_eq!((conn.input_memory(), conn.out.memory()), (0, 0));
    assert_eq!(conns.spares.len(), 1);
    commands(&mut conns, id, &mut argv, b"*1\r\n$4\r\nPI");
    assert_eq!(conns.get(id).unwrap().out.memory(), 0);
    assert_eq!(conns.spares.len(), 1);
}

#[test]
fn a_stale_id_reaches_nothing() {
    let mut conns = Conns::new();
    let old = conns.insert(None, ());
    assert_eq!(conns.remove(old), Some(()));
    let new = conns.insert(None, ());
    assert_eq!(old.index, new.index);
    assert!(conns.get(old).is_none());
    assert!(conns.remove(old).is_none());
    conns.mark_writable(old);
    conns.close(old);
    assert_eq!((conns.poll_writable(), conns.poll_close()), (None, None));
}

#[test]
fn input_of_a_connection_that_is_gone_still_gives_the_shared_buffer_back() {
    let mut conns = Conns::new();
    let id = conns.insert(None, ());
    let input = receive(&mut conns, id, b"QUIT\r\n");
    conns.remove(id);
    conns.put_back(id, input);
    assert_eq!(conns.scratch.len(), limits::READ_SCRATCH_BYTES);
}

#[test]
fn a_connection_is_closed_when_its_last_reply_is_sent() {
    let mut conns = Conns::new();
    let id = conns.insert(None, ());
    conns.get_mut(id).unwrap().reply(Proto::Resp2).ok();
    conns.close_after_reply(id);
    conns.get_mut(id).unwrap().reply(Proto::Resp2).ok();
    conns.mark_writable(id);
    assert_eq!(conns.poll_close(), None);
    assert_eq!(conns.poll_writable(), Some(id));
    assert_eq!(written(&mut conns, id), b"+OK\r\n");
    assert_eq!(conns.poll_close(), Some(id));

    let quiet = conns.insert(None, ());
    conns.close_after_reply(quiet);
    assert_eq!(conns.poll_close(), Some(quiet));
}

#[test]
fn output_that_waits_for_the_log_is_offered_when_it_is_durable() {
    let mut conns = Conns::new();
    let id = conns.insert(None, ());
    let out = &mut conns.get_mut(id).unwrap().out;
    out.push(b":1\r\n");
    out.fence(LogPos(7));
    out.push(b"+OK\r\n");
    conns.mark_writable(id);
    assert_eq!(conns.poll_writable(), Some(id));
    assert_eq!(written(&mut conns, id), b":1\r\n");

    conns.set_durable(LogPos(6));
    assert_eq!(conns.poll_writable(), None);
    conns.set_durable(LogPos(7));
    assert_eq!(conns.poll_writable(), Some(id));
    assert_eq!(written(&mut conns, id), b"+OK\r\n");
    conns.set_durable(LogPos(8));
    assert_eq!(conns.poll_writable(), None);
}

#[test]
fn a_connection_that_is_to_be_closed_waits_for_its_deferred_reply() {
    let mut conns = Conns::new();
    let id = conns.insert(None, ());
    let slot = conns.get_mut(id).unwrap().out.defer();
    conns.close_after_reply(id);
    conns.mark_writable(id);
    assert_eq!((conns.poll_writable(), conns.poll_close()), (None, None));
    conns.fill(id, slot, b":3\r\n");
    assert_eq!(conns.poll_writable(), Some(id));
    assert_eq!(written(&mut conns, id), b":3\r\n");
    assert_eq!(conns.poll_close(), Some(id));

    let empty = conns.insert(None, ());
    let slot = conns.get_mut(empty).unwrap().out.defer();
    conns.close_after_reply(empty);
    conns.fill(empty, slot, b"");
    assert_eq!(conns.poll_close(), Some(empty));
}

#[test]
fn raw_bytes_and_commands_can_follow_each_other() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let id = conns.insert(None, ());
    let mut input = receive(&mut conns, id, b"+FULL\r\n$3\r\nRDB");
    assert_eq!(input.bytes(), b"+FULL\r\n$3\r\nRDB");
    input.skip(7);
    conns.put_back(id, input);

    let mut input = receive(&mut conns, id, b"*1\r\n$4\r\nPING\r\n*2\r\n");
    assert!(input.bytes().starts_with(b"$3\r\nRDB*1"));
    input.skip(7);
    assert_eq!(
        input.next(&mut argv, &CLIENT).unwrap().unwrap().get(0),
        b"PING"
    );
    assert_eq!(input.consumed(), 28);
    assert!(input.next(&mut argv, &CLIENT).unwrap().is_none());
    conns.put_back(id, input);
    assert_eq!(conns.get(id).unwrap().input_len(), 4);
}

#[test]
fn a_big_argument_is_received_where_it_stays() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let id = conns.insert(None, ());
    let len = 3 * limits::BIG_BULK_TRUST_BYTES;
    let head = format!("*2\r\n$4\r\nECHO\r\n${len}\r\nabc");
    let mut input = receive(&mut conns, id, head.as_bytes());
    assert!(input.next(&mut argv, &CLIENT).unwrap().is_none());
    conns.put_back(id, input);
    let memory = conns.get(id).unwrap().input_memory();
    assert!(
        memory < limits::BIG_BULK_TRUST_BYTES + 1024,
        "{memory} bytes for an announcement"
    );

    let mut missing = len - 3 + 2;
    let mut begin = core::ptr::null();
    while missing > 0 {
        let space = conns.read_space(id);
        assert!(space.len() <= missing);
        begin = space[space.len()..].as_ptr().wrapping_sub(len + 2);
        missing -= space.len();
        space.fill(b'x');
        let filled = space.len();
        let input = conns.take_input(id, filled);
        conns.put_back(id, input);
    }
    let mut input = conns.take_input(id, 0);
    let args = input.next(&mut argv, &CLIENT).unwrap().unwrap();
    let big = args.shared(1).unwrap();
    assert_eq!(big.as_ptr(), begin);
    assert_eq!((big.len(), &big[..4]), (len, &b"abcx"[..]));
    assert_eq!((args.shared(0), args.len()), (None, 2));
    conns.put_back(id, input);
    assert_eq!(conns.get(id).unwrap().input_memory(), 0);
}

#[test]
fn a_connection_costs_little() {
    assert!(
        size_of::<Conn<()>>() <= 320,
        "{} bytes",
        size_of::<Conn<()>>()
    );
}

fn fill(conns: &mut Conns<()>, id: ConnId, bytes: &[u8]) -> usize {
    conns.read_space(id)[..bytes.len()].copy_from_slice(bytes);
    bytes.len()
}

#[test]
fn what_is_held_comes_in_order_and_nothing_that_is_read_meanwhile_touches_it() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let ids: Vec<_> = (0..4).map(|_| conns.insert(None, ())).collect();
    assert!(commands(&mut conns, ids[3], &mut argv, b"*1\r\n$4\r\nTI").is_empty());

    for &id in &ids[..3] {
        let command = format!("ECHO {}\r\n", id.index);
        let filled = fill(&mut conns, id, command.as_bytes());
        assert!(conns.hold(id, filled));
        assert!(conns.is_held(id));
    }
    let filled = fill(&mut conns, ids[3], b"ME\r\n");
    assert!(!conns.hold(ids[3], filled), "a part of it is elsewhere");
    let mut input = conns.take_input(ids[3], filled);
    assert_eq!(
        input.next(&mut argv, &CLIENT).unwrap().unwrap().get(0),
        b"TIME"
    );
    conns.put_back(ids[3], input);

    conns.remove(ids[1]);
    for id in [ids[0], ids[2]] {
        let (taken, mut input) = conns.take_held().unwrap();
        assert_eq!((taken, conns.is_held(id)), (id, false));
        let args = input.next(&mut argv, &CLIENT).unwrap().unwrap();
        assert_eq!(args.get(1), id.index.to_string().as_bytes());
        assert!(input.is_empty());
        conns.put_back(id, input);
    }
    assert!(conns.take_held().is_none());
}

#[test]
fn as_much_is_held_as_the_bounds_say() {
    let mut conns = Conns::new();
    let mut argv = Argv::default();
    let ids: Vec<_> = (0..=limits::HELD_READS_MAX)
        .map(|_| conns.insert(None, ()))
        .collect();
    let (&last, others) = ids.split_last().unwrap();
    let long = [
        b"ECHO ",
        &[b'x'; limits::HELD_READ_BYTES_MAX - 7][..],
        b"\r\n",
    ]
    .concat();
    for &id in others {
        let filled = fill(&mut conns, id, &long);
        assert!(conns.hold(id, filled));
    }
    let filled = fill(&mut conns, last, b"PING\r\n");
    assert!(!conns.hold(last, filled), "they are as many as may be");
    let mut input = conns.take_input(last, filled);
    assert!(input.next(&mut argv, &CLIENT).unwrap().is_some());
    conns.put_back(last, input);
    assert_eq!(conns.held().len(), limits::HELD_READS_MAX);
    for &id in others {
        let (taken, mut input) = conns.take_held().unwrap();
        assert_eq!(taken, id);
        assert!(input.next(&mut argv, &CLIENT).unwrap().is_some() && input.is_empty());
        conns.put_back(id, input);
    }
    let filled = fill(&mut conns, last, &[&long[..], b"\n"].concat());
    assert!(!conns.hold(last, filled), "it is too long");
}
