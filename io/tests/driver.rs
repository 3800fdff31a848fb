//! The driver with real sockets, files and processes.

#![allow(clippy::unwrap_used, reason = "a test fails by it")]

mod common;

use std::fs::OpenOptions;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use common::{Client, FULL, PATIENCE, Running, eventually};
use holdfast_core::machine::Addr;

#[test]
fn lines_are_answered_one_by_one_and_in_a_pipeline() {
    let running = Running::start();
    let mut client = running.client();
    assert_eq!(client.ask("ECHO one"), "one");
    let pipeline: String = (0..1000).map(|i| format!("ECHO {i}\n")).collect();
    client
        .stream
        .get_mut()
        .write_all(pipeline.as_bytes())
        .unwrap();
    for i in 0..1000 {
        assert_eq!(client.hear(), i.to_string());
    }
    assert!(running.seen.rss.load(Ordering::SeqCst) > 100_000);
}

#[test]
fn a_request_costs_one_read_and_two_turns_at_most() {
    let running = Running::start();
    let mut client = running.client();
    client.ask("ECHO warm");
    let seen = &running.seen;
    let before = (
        seen.reads.load(Ordering::SeqCst),
        seen.turns.load(Ordering::SeqCst),
    );
    for _ in 0..100 {
        client.ask("ECHO x");
    }
    assert_eq!(seen.reads.load(Ordering::SeqCst) - before.0, 100);
    let turns = seen.turns.load(Ordering::SeqCst) - before.1;
    assert!(turns <= 200, "{turns} turns");
}

#[test]
fn a_line_longer_than_the_room_takes_several_reads() {
    let running = Running::start();
    let mut client = running.client();
    let long = "y".repeat(300_000);
    assert_eq!(client.ask(&format!("LENGTH {long}")), "300000");
}

#[test]
fn a_slow_reader_gets_all_of_a_big_reply_and_delays_nobody() {
    const BYTES: usize = 64 * 1024 * 1024;
    let running = Running::start();
    let mut slow = running.client();
    slow.say(&format!("BIG {BYTES}"));
    slow.say("ECHO end");
    let mut quick = running.client();
    let start = Instant::now();
    assert_eq!(quick.ask("ECHO quick"), "quick");
    assert!(start.elapsed() < Duration::from_secs(5));
    let turns = running.seen.turns.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(100));
    let idle_turns = running.seen.turns.load(Ordering::SeqCst) - turns;
    assert!(idle_turns < 20, "{idle_turns} turns while nobody reads");
    let mut big = vec![0; BYTES + 1];
    slow.stream.read_exact(&mut big).unwrap();
    assert!(big[..BYTES].iter().all(|&byte| byte == b'x'));
    assert_eq!(slow.hear(), "end");
}

#[test]
fn replies_come_before_the_end_when_a_client_closes_its_side() {
    let running = Running::start();
    for lines in [1, 100, 1000] {
        let mut client = running.client();
        let pipeline = "ECHO some text of a line\n".repeat(lines);
        client
            .stream
            .get_mut()
            .write_all(pipeline.as_bytes())
            .unwrap();
        client.stream.get_mut().shutdown(Shutdown::Write).unwrap();
        assert_eq!(client.hear_all().lines().count(), lines);
    }
    let hangups = &running.seen.hangups;
    eventually("the end", || hangups.load(Ordering::SeqCst) == 3);
}

#[test]
fn a_connection_closes_behind_its_last_reply() {
    let running = Running::start();
    let mut client = running.client();
    client.say("QUIT");
    assert_eq!(client.hear_all(), "bye\n");
    assert_eq!(running.seen.hangups.load(Ordering::SeqCst), 0);
    // The slot serves again.
    assert_eq!(running.client().ask("ECHO again"), "again");
}

#[test]
fn a_held_connection_is_read_again_without_a_new_event_and_without_spinning() {
    let running = Running::start();
    running.seen.holding.store(true, Ordering::SeqCst);
    let mut held = running.client();
    held.say("HOLD");
    let mut other = running.client();
    assert_eq!(other.ask("ECHO 1"), "1");
    held.say("ECHO late");
    assert_eq!(other.ask("ECHO 2"), "2");

    let turns = running.seen.turns.load(Ordering::SeqCst);
    std::thread::sleep(Duration::from_millis(100));
    let idle_turns = running.seen.turns.load(Ordering::SeqCst) - turns;
    assert!(idle_turns < 20, "{idle_turns} turns while held");

    running.seen.holding.store(false, Ordering::SeqCst);
    // The machine is asked again after its next turn, which this brings.
    assert_eq!(other.ask("ECHO 3"), "3");
    assert_eq!(held.hear(), "late");
}

#[test]
fn a_held_connection_that_breaks_is_told() {
    let running = Running::start();
    running.seen.holding.store(true, Ordering::SeqCst);
    let mut held = running.client();
    // Unread bytes on the client's side make its close a reset.
    held.say("ECHO unread");
    held.say("HOLD");
    running.client().ask("ECHO in between");
    held.say("ECHO never read");
    eventually("the hold", || {
        running.seen.reads.load(Ordering::SeqCst) >= 2
    });
    let stream = held.stream.into_inner();
    socket2::SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(stream);
    // One for it, one for the client in between.
    let hangups = &running.seen.hangups;
    eventually("the hangup", || hangups.load(Ordering::SeqCst) == 2);
}

#[test]
fn clients_above_the_limit_are_told_and_closed() {
    let running = Running::with(2, &[]);
    let mut first = running.client();
    let mut second = running.client();
    first.ask("ECHO 1");
    second.ask("ECHO 2");
    assert_eq!(running.client().hear_all(), FULL);
    second.say("QUIT");
    second.hear_all();
    assert_eq!(running.client().ask("ECHO 3"), "3");
    drop(first);
    let hangups = &running.seen.hangups;
    eventually("room", || hangups.load(Ordering::SeqCst) == 2);
}

#[test]
fn two_thousand_idle_connections_cost_nothing_and_none_is_lost() {
    let clients = 2000;
    holdfast_io::daemon::fit_maxclients(2 * clients).unwrap();
    let running = Running::start();
    let mut idle: Vec<TcpStream> = (0..clients)
        .map(|_| TcpStream::connect(running.at).unwrap())
        .collect();
    let accepted = &running.seen.accepted;
    eventually("accepting", || {
        accepted.load(Ordering::SeqCst) == u64::from(clients)
    });
    let mut active = running.client();
    let turns = running.seen.turns.load(Ordering::SeqCst);
    for _ in 0..100 {
        active.ask("ECHO x");
    }
    assert!(running.seen.turns.load(Ordering::SeqCst) - turns <= 210);
    for stream in &mut idle {
        stream.write_all(b"ECHO z\n").unwrap();
    }
    for stream in &mut idle {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut reply = [0; 2];
        stream.read_exact(&mut reply).unwrap();
        assert_eq!(&reply, b"z\n");
    }
    drop(idle);
    let hangups = &running.seen.hangups;
    eventually("all hangups", || {
        hangups.load(Ordering::SeqCst) == u64::from(clients)
    });
}

#[test]
fn timers_ring_in_order_and_not_early() {
    let running = Running::start();
    let (mut long, mut short) = (running.client(), running.client());
    let start = Instant::now();
    long.say("TIMER 60");
    short.say("TIMER 20");
    assert_eq!(short.hear(), "timer");
    assert!(start.elapsed() >= Duration::from_millis(20));
    assert_eq!(long.hear(), "timer");
    assert!(start.elapsed() >= Duration::from_millis(60));
}

#[test]
fn outgoing_connections_carry_bytes_both_ways_or_tell_why_not() {
    let running = Running::start();
    let mut client = running.client();
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = server.local_addr().unwrap();
    assert_eq!(client.ask(&format!("CONNECT {at}")), "connected");
    let (mut accepted, _) = server.accept().unwrap();
    accepted.write_all(b"hello\n").unwrap();
    assert_eq!(client.hear(), "hello");
    drop(accepted);
    let hangups = &running.seen.hangups;
    eventually("the hangup", || hangups.load(Ordering::SeqCst) == 1);

    drop(server);
    let refused = format!("refused {}", libc::ECONNREFUSED);
    assert_eq!(client.ask(&format!("CONNECT {at}")), refused);
    let absent = format!("refused {}", libc::ENOENT);
    assert_eq!(client.ask("CONNECT /nonexistent/socket"), absent);
    // Source and destination of different families: fails before anything is sent.
    let unfit = client.ask("CONNECT [::1]:1");
    assert!(unfit.starts_with("refused "), "{unfit}");
}

#[test]
fn a_unix_socket_serves_and_goes_with_the_process() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.sock");
    let addr = Addr::Unix(path.to_str().unwrap().into());
    let running = Running::with(usize::MAX, &[addr]);
    let mut client = Client::new(UnixStream::connect(&path).unwrap());
    assert_eq!(client.ask("ECHO unix"), "unix");
    client.say("QUIT");
    assert_eq!(client.hear_all(), "bye\n");
    let mut through = running.client();
    let said = through.ask(&format!("CONNECT {}", path.display()));
    assert_eq!(said, "connected");
    drop(through);
    drop(running);
    assert!(!path.exists());
}

#[test]
fn an_address_can_be_given_up_and_names_the_port_it_had() {
    let other = Addr::Tcp("0.0.0.0:0".parse().unwrap());
    let running = Running::with(usize::MAX, &[other]);
    let mut client = running.client();
    assert_eq!(client.ask(&format!("UNLISTEN {}", running.at)), "ok");
    eventually("the refusal", || TcpStream::connect(running.at).is_err());
    assert_eq!(client.ask("EXIT 3"), "exiting");
    assert_eq!(running.wait(), 3);
}

#[test]
fn files_are_written_synced_and_read_in_order() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let running = Running::start();
    let mut client = running.client();
    client.say(&format!("WRITE {} 200", path.display()));
    for _ in 0..203 {
        assert_eq!(client.hear(), "disk");
    }
    assert_eq!(path.metadata().unwrap().len(), 200 * 64 * 1024);
    client.say(&format!("READ {}", path.display()));
    let (opened, read) = (client.hear(), client.hear());
    assert_eq!(
        (&*opened, &*read),
        ("disk", &*format!("disk {}", "d".repeat(100)))
    );
    assert_eq!(client.hear(), "disk");
    client.say("READ /nonexistent/file");
    assert_eq!(client.hear(), "disk NotFound");
    assert!(client.hear().contains("errno: 9"));
}

#[test]
fn small_appends_are_done_at_once_but_never_before_what_was_asked_earlier() {
    let dir = tempfile::tempdir().unwrap();
    let (path, fifo) = (dir.path().join("f"), dir.path().join("fifo"));
    let made = Command::new("mkfifo").arg(&fifo).status().unwrap();
    assert!(made.success());
    let running = Running::start();
    let mut client = running.client();
    assert_eq!(client.ask(&format!("SINK {}", path.display())), "disk");
    for _ in 0..100 {
        assert_eq!(client.ask("PUT a"), "disk");
    }
    assert_eq!(std::fs::read(&path).unwrap(), [b'a'; 100]);

    // Opening a pipe that nobody writes to holds the disk thread up.
    client.say(&format!("READ {}", fifo.display()));
    for _ in 0..3 {
        client.say("PUT b");
    }
    client.say("SYNC");
    assert_eq!(client.ask("ECHO the loop goes on"), "the loop goes on");
    assert_eq!(path.metadata().unwrap().len(), 100);
    let writer = OpenOptions::new().write(true).open(&fifo).unwrap();
    drop(writer);
    let answers: Vec<String> = (0..7).map(|_| client.hear()).collect();
    assert!(
        answers.iter().all(|answer| answer.starts_with("disk")),
        "{answers:?}"
    );
    assert_eq!(client.ask("PUT c"), "disk");
    let written = std::fs::read(&path).unwrap();
    assert_eq!(&written[100..], b"bbbc");
}

#[test]
fn an_exit_waits_for_the_writes_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("f");
    let running = Running::start();
    let mut client = running.client();
    client.say(&format!("WRITE-EXIT {} 500", path.display()));
    assert_eq!(client.hear_all(), "");
    assert_eq!(path.metadata().unwrap().len(), 500 * 64 * 1024);
    assert_eq!(running.wait(), 0);
}

#[test]
fn names_are_looked_up_and_addresses_answered() {
    let running = Running::start();
    let mut client = running.client();
    assert_eq!(client.ask("RESOLVE 10.1.2.3"), "[10.1.2.3]");
    assert!(client.ask("RESOLVE localhost").contains("1"));
    assert_eq!(client.ask("RESOLVE no.such.name.invalid"), "[]");
}

#[test]
fn the_addresses_of_the_host_are_listed() {
    let running = Running::start();
    let mut client = running.client();
    for _ in 0..2 {
        let listed = client.ask("ADDRESSES");
        assert!(listed.contains("127.0.0.1"), "{listed}");
    }
}

#[test]
fn scripts_run_with_nothing_open_but_the_standard_files() {
    let running = Running::start();
    let mut client = running.client();
    client.ask("RUN /bin/sh|-c|exit 3");
    assert_eq!(client.hear(), "true Exited { code: 3 }");
    // The standard three and the directory that is looked into.
    client.ask("RUN /bin/sh|-c|set -- /proc/self/fd/*; exit $#");
    assert_eq!(client.hear(), "true Exited { code: 4 }");
    let sleeping = client.ask("RUN /bin/sleep|60");
    client.say(&format!("KILL {sleeping}"));
    assert_eq!(client.hear(), "true Signaled { signal: 9 }");
    client.ask("RUN /nonexistent/script");
    assert_eq!(client.hear(), "false NotStarted { errno: 2 }");
}

#[test]
fn keepalive_is_accepted_for_tcp() {
    let running = Running::start();
    assert_eq!(running.client().ask("KEEPALIVE 300"), "ok");
}
