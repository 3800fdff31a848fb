//! A replica and its master, byte by byte.

use crc::{CRC_64_REDIS, Crc};

use super::*;
use crate::machine::{Addr, ConnectFault, DiskOp, FileId, Now, Wall};
use crate::repl::history::Offset;
use crate::repl::node::{Admission, Sync};
use crate::repl::primary::Psync;
use crate::repl::{Replication, Role};
use crate::rng::Rng;

const ID: &str = "0123456789abcdef0123456789abcdef01234567";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba98";

struct Fixture {
    repl: Replication,
    now: Now,
    conns: u32,
}

fn send(conn: ConnId, text: &str) -> Action {
    let bytes = text.as_bytes().to_vec();
    Action::Send { conn, bytes }
}

fn close(conn: ConnId, reason: CloseReason) -> Action {
    Action::Close { conn, reason }
}

fn rdb() -> Vec<u8> {
    let mut rdb = b"REDIS0010\xff".to_vec();
    let sum = Crc::<u64>::new(&CRC_64_REDIS).checksum(&rdb);
    rdb.extend_from_slice(&sum.to_le_bytes());
    rdb
}

fn place() -> Target {
    Target::Disk(Place {
        file: FileId(1),
        temp: "temp-1.1.rdb".into(),
        target: "dump.rdb".into(),
        dir: ".".into(),
    })
}

impl Fixture {
    fn new(settings: Settings) -> Self {
        let now = Now {
            mono: Mono::from_nanos(5_000_000_000),
            wall: Wall::default(),
        };
        let mut repl = Replication::new(now, &Rng::new([9; 32]), settings);
        repl.start_as_replica(now, "127.0.0.1", 6379);
        Self {
            repl,
            now,
            conns: 0,
        }
    }

    fn pass(&mut self, millis: u64) -> Vec<Action> {
        self.now.mono = self.now.mono + Duration::from_millis(millis);
        self.turn()
    }

    fn turn(&mut self) -> Vec<Action> {
        self.repl.end_turn(self.now);
        core::iter::from_fn(|| self.repl.poll_action()).collect()
    }

    /// Carries out the next attempt to connect.
    fn dial(&mut self) -> ConnId {
        let mut actions = self.turn();
        if actions.is_empty() {
            // The pause between two attempts.
            self.now.mono = self.repl.poll_timeout().unwrap().0;
            actions = self.turn();
        }
        let [Action::Dial { attempt, .. }] = actions[..] else {
            panic!("{actions:?}");
        };
        self.conns += 1;
        let conn = ConnId {
            index: self.conns,
            generation: 0,
        };
        self.repl.dialing(attempt, conn);
        conn
    }

    fn receive(&mut self, conn: ConnId, text: &str) -> (usize, Option<Event<'static>>) {
        let received = self.repl.receive(self.now, conn, text.as_bytes());
        let event = received.event.map(|event| match event {
            Event::Begin => Event::Begin,
            Event::Payload(bytes) => Event::Payload(Cow::Owned(bytes.into_owned())),
            Event::End => Event::End,
            Event::Streaming { db } => Event::Streaming { db },
        });
        (received.consumed, event)
    }

    /// A line that leads to nothing the server need know.
    fn line(&mut self, conn: ConnId, text: &str) {
        let line = format!("{text}\r\n");
        assert_eq!(self.receive(conn, &line), (line.len(), None));
    }

    /// The handshake up to the request for a resynchronization, which is answered.
    fn shake(&mut self) -> (ConnId, Action) {
        let conn = self.dial();
        self.repl.connected(self.now, conn, Ok(()));
        assert_eq!(self.turn(), [send(conn, "*1\r\n$4\r\nPING\r\n")]);
        self.line(conn, "+PONG");
        assert_eq!(self.turn().len(), 1);
        self.line(conn, "+OK");
        self.line(conn, "-ERR Unrecognized REPLCONF option: masters");
        self.line(conn, "+OK");
        let mut actions = self.turn();
        assert_eq!(actions.len(), 1);
        (conn, actions.remove(0))
    }

    /// A replica in sync with history `ID` at 100.
    fn online(&mut self) -> ConnId {
        let (conn, _) = self.shake();
        self.line(conn, &format!("+FULLRESYNC {ID} 100"));
        assert_eq!(self.receive(conn, "$18\r\n").1, Some(Event::Begin));
        self.repl.receive_to(self.now, Target::Memory);
        let bytes = rdb();
        let attempt = self.repl.receiving().unwrap();
        let event = self.repl.receive(self.now, conn, &bytes).event;
        assert_eq!(event, Some(Event::Payload(Cow::Borrowed(&bytes[..]))));
        assert_eq!(self.receive(conn, "").1, Some(Event::End));
        assert_eq!(self.repl.loaded(self.now, attempt, Ok(Some(2))), Some(2));
        assert_eq!(self.turn(), []);
        conn
    }

    fn info(&self, name: &str) -> String {
        let info = self.repl.info(self.now);
        let prefix = format!("{name}:");
        let value = info.lines().find_map(|line| line.strip_prefix(&prefix));
        value
            .unwrap_or_else(|| panic!("{name} in {info}"))
            .to_owned()
    }

    fn state(&self) -> (&'static str, i64) {
        match self.repl.role(self.now) {
            Role::Replica { state, offset, .. } => (state, offset),
            Role::Master { .. } => panic!("it is a replica"),
        }
    }
}

#[test]
fn the_handshake_says_who_we_are() {
    let mut f = Fixture::new(Settings {
        master_user: Some((*b"me").into()),
        master_auth: Some((*b"pass word").into()),
        announce_ip: Some("10.0.0.9".into()),
        announce_port: 6380,
        ..Settings::default()
    });
    assert_eq!(f.state(), ("connect", -1));
    let conn = f.dial();
    assert_eq!(f.state(), ("connecting", -1));
    f.repl.connected(f.now, conn, Ok(()));
    assert_eq!(f.state(), ("handshake", -1));
    assert_eq!(f.turn(), [send(conn, "*1\r\n$4\r\nPING\r\n")]);
    f.line(conn, "-NOAUTH Authentication required.");
    assert_eq!(
        f.turn(),
        [send(
            conn,
            "*3\r\n$4\r\nAUTH\r\n$2\r\nme\r\n$9\r\npass word\r\n\
             *3\r\n$8\r\nREPLCONF\r\n$14\r\nlistening-port\r\n$4\r\n6380\r\n\
             *3\r\n$8\r\nREPLCONF\r\n$10\r\nip-address\r\n$8\r\n10.0.0.9\r\n\
             *3\r\n$8\r\nREPLCONF\r\n$7\r\nmasters\r\n$1\r\n*\r\n\
             *5\r\n$8\r\nREPLCONF\r\n$4\r\ncapa\r\n$3\r\neof\r\n$4\r\ncapa\r\n$6\r\npsync2\r\n"
        )]
    );
    // Several replies may come at once, and errors to REPLCONF are no obstacle.
    let replies = "+OK\r\n-ERR unknown\r\n-ERR unknown\r\n-ERR unknown\r\n-ERR unknown\r\n";
    assert_eq!(f.receive(conn, replies), (replies.len(), None));
    let psync = "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n";
    assert_eq!(f.turn(), [send(conn, psync)]);
}

#[test]
fn half_a_line_waits_for_its_rest_but_not_for_ever() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.dial();
    f.repl.connected(f.now, conn, Ok(()));
    f.turn();
    assert_eq!(f.receive(conn, "+PO"), (0, None));
    assert_eq!(f.pass(4000), []);
    f.line(conn, "+PONG");
    f.turn();
    assert_eq!(f.receive(conn, "+O"), (0, None));
    assert_eq!(f.pass(5000)[0], close(conn, CloseReason::Link));
}

#[test]
fn a_master_that_is_silent_is_given_up_and_tried_again() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.dial();
    assert_eq!(f.pass(59_999), []);
    assert_eq!(f.pass(1), [close(conn, CloseReason::Link)]);
    // What comes of the old attempt is ignored.
    f.repl.connected(f.now, conn, Ok(()));
    assert_eq!(f.receive(conn, "+PONG\r\n"), (0, None));

    // A master that says nothing in the handshake.
    let conn = f.dial();
    f.repl.connected(f.now, conn, Ok(()));
    f.turn();
    assert_eq!(f.pass(60_000)[0], close(conn, CloseReason::Link));
}

#[test]
fn attempts_get_rarer_up_to_once_a_second() {
    let mut f = Fixture::new(Settings::default());
    let mut gaps = Vec::new();
    for _ in 0..8 {
        let conn = f.dial();
        f.repl
            .connected(f.now, conn, Err(ConnectFault { errno: 111 }));
        assert_eq!(f.turn(), []);
        let (at, _) = f.repl.poll_timeout().unwrap();
        gaps.push(at.since(f.now.mono).as_millis());
        f.now.mono = at;
    }
    assert_eq!(gaps, [50, 100, 200, 400, 800, 1000, 1000, 1000]);
}

#[test]
fn a_name_is_looked_up_for_each_attempt() {
    let mut f = Fixture::new(Settings::default());
    f.repl.replica_of(f.now, "db.example", 7000);
    let actions = f.turn();
    let [Action::Resolve { attempt, host }] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(&**host, "db.example");
    assert_eq!(f.state(), ("connecting", -1));
    let stale = Attempt(attempt.0 + 1);
    f.repl
        .resolved(f.now, stale, &["10.0.0.1".parse().unwrap()]);
    assert_eq!(f.turn(), []);
    f.repl
        .resolved(f.now, *attempt, &["10.0.0.1".parse().unwrap()]);
    let actions = f.turn();
    let [Action::Dial { to, .. }] = &actions[..] else {
        panic!("{actions:?}");
    };
    assert_eq!(to.to_string(), "10.0.0.1:7000");
}

#[test]
fn a_dataset_goes_through_a_file_before_it_replaces_the_old_one() {
    let mut f = Fixture::new(Settings::default());
    let (conn, _) = f.shake();
    f.line(conn, &format!("+FULLRESYNC {ID} 100"));
    f.line(conn, "");
    assert_eq!(f.state(), ("sync", -1));
    assert_eq!(f.info("master_sync_total_bytes"), "-1");
    let mark = "m".repeat(40);
    let header = format!("\n$EOF:{mark}\r\n");
    assert_eq!(f.receive(conn, &header), (header.len(), Some(Event::Begin)));
    f.repl.receive_to(f.now, place());
    let attempt = f.repl.receiving().unwrap();
    let own = f.repl.history().replid();

    let bytes = [&rdb()[..], mark.as_bytes()].concat();
    let received = f.repl.receive(f.now, conn, &bytes);
    assert_eq!((received.consumed, received.event), (58, None));
    assert!(!f.repl.wants_read(conn));
    // Disk steps are answered one after the other.
    let mut steps = Vec::new();
    loop {
        let actions = f.turn();
        let Some(Action::Disk { op, .. }) = actions.first() else {
            let path = "dump.rdb".into();
            assert_eq!(actions, [Action::LoadFile { attempt, path }]);
            break;
        };
        assert_eq!(
            f.repl.history().replid(),
            own,
            "the old dataset is still there"
        );
        for _ in &actions {
            f.repl.disk_done(f.now, attempt, Ok(()));
        }
        steps.push(core::mem::discriminant(op));
    }
    assert_eq!(steps.len(), 5);
    // Now there is no dataset, so there is no history it could be taken for.
    assert_ne!(f.repl.history().replid(), own);
    assert_eq!(f.repl.offset(), Offset::START);

    // Long loads are bridged by newlines.
    assert_eq!(f.pass(1000), [send(conn, "\n")]);
    assert_eq!(f.pass(500), []);
    assert_eq!(f.repl.loaded(f.now, attempt, Ok(Some(3))), Some(3));
    let ack = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n";
    assert_eq!(f.turn(), [send(conn, ack)], "the master waits for this");
    assert_eq!(f.repl.history().replid().to_string(), ID);
    assert_eq!(f.state(), ("connected", 100));
}

#[test]
fn a_damaged_dataset_leaves_the_old_one_alone() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    f.repl.hung_up(f.now, conn);
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, psync) = f.shake();
    let request = format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$3\r\n101\r\n");
    assert_eq!(psync, send(conn, &request));
    f.line(conn, &format!("+FULLRESYNC {OTHER} 5"));
    f.receive(conn, "$18\r\n");
    f.repl.receive_to(f.now, place());
    let mut bytes = rdb();
    bytes[17] ^= 1;
    f.repl.receive(f.now, conn, &bytes);
    let actions = f.turn();
    let path = "temp-1.1.rdb".into();
    let op = DiskOp::Remove { path };
    assert!(
        actions
            .iter()
            .any(|a| matches!(a, Action::Disk { op: o, .. } if *o == op)),
        "{actions:?}"
    );
    assert!(actions.contains(&close(conn, CloseReason::Link)));
    assert_eq!(f.repl.history().replid().to_string(), ID);
    // Another master may still be able to go on from there.
    f.repl.replica_of(f.now, "127.0.0.1", 7777);
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, psync) = f.shake();
    assert_eq!(psync, send(conn, &request));
    assert_eq!(f.info("slave_repl_offset"), "100");
}

#[test]
fn a_failed_load_leaves_no_history_behind() {
    let mut f = Fixture::new(Settings::default());
    let (conn, _) = f.shake();
    f.line(conn, &format!("+FULLRESYNC {ID} 100"));
    f.receive(conn, "$18\r\n");
    f.repl.receive_to(f.now, place());
    let attempt = f.repl.receiving().unwrap();
    f.repl.receive(f.now, conn, &rdb());
    while !f
        .turn()
        .iter()
        .any(|a| matches!(a, Action::LoadFile { .. }))
    {
        f.repl.disk_done(f.now, attempt, Ok(()));
    }
    assert_eq!(f.repl.loaded(f.now, attempt, Err(())), None);
    assert_eq!(f.turn()[0], close(conn, CloseReason::Link));
    assert_eq!(f.repl.place(), None);
    assert_eq!(f.info("slave_repl_offset"), "1");
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, psync) = f.shake();
    assert_eq!(
        psync,
        send(conn, "*3\r\n$5\r\nPSYNC\r\n$1\r\n?\r\n$2\r\n-1\r\n")
    );
}

#[test]
fn a_transfer_that_breaks_off_is_abandoned_and_a_complete_one_is_not() {
    let mut f = Fixture::new(Settings::default());
    let (conn, _) = f.shake();
    f.line(conn, &format!("+FULLRESYNC {ID} 100"));
    f.receive(conn, "$18\r\n");
    f.repl.receive_to(f.now, Target::Memory);
    let attempt = f.repl.receiving().unwrap();
    f.repl.receive(f.now, conn, &rdb()[..9]);
    f.repl.hung_up(f.now, conn);
    assert_eq!(f.repl.poll_action(), Some(Action::AbandonLoad { attempt }));

    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, _) = f.shake();
    f.line(conn, &format!("+FULLRESYNC {ID} 100"));
    f.receive(conn, "$18\r\n");
    f.repl.receive_to(f.now, Target::Memory);
    let attempt = f.repl.receiving().unwrap();
    f.repl.receive(f.now, conn, &rdb());
    assert_eq!(f.receive(conn, "").1, Some(Event::End));
    f.repl.hung_up(f.now, conn);
    assert_eq!(f.repl.loaded(f.now, attempt, Ok(Some(0))), None);
    assert_eq!(f.repl.history().replid().to_string(), ID);
    assert_eq!(f.info("master_link_status"), "down");
    let (_, psync) = f.shake();
    assert!(matches!(psync, Action::Send { bytes, .. } if bytes.ends_with(b"\r\n101\r\n")));
}

#[test]
fn only_applied_commands_count_and_a_transaction_only_as_a_whole() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    let set = b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\n1\r\n";
    let multi = b"*1\r\n$5\r\nMULTI\r\n";
    let exec = b"*1\r\n$4\r\nEXEC\r\n";
    f.repl.stream_received(f.now, conn, 200);
    f.repl.applied(f.now, conn, set, 2, false);
    let one = 100 + set.len() as u64;
    assert_eq!(f.repl.offset().get(), one);
    assert_eq!(f.info("slave_read_repl_offset"), "300");
    f.repl.applied(f.now, conn, multi, 2, true);
    f.repl.applied(f.now, conn, set, 2, true);
    assert_eq!(f.info("slave_repl_offset"), one.to_string());
    assert_eq!(f.info("repl_backlog_histlen"), (one - 100).to_string());
    f.repl.applied(f.now, conn, exec, 2, false);
    let two = one + (multi.len() + set.len() + exec.len()) as u64;
    assert_eq!(f.repl.offset().get(), two);

    // What is open when the link is lost is forgotten.
    f.repl.applied(f.now, conn, multi, 2, true);
    f.repl.hung_up(f.now, conn);
    f.repl.applied(f.now, conn, exec, 2, false);
    assert_eq!(f.repl.offset().get(), two);
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, psync) = f.shake();
    let byte = two + 1;
    let request = format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$3\r\n{byte}\r\n");
    assert_eq!(psync, send(conn, &request));
}

#[test]
fn going_on_with_the_stream_keeps_its_database_and_learns_its_id() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    f.repl.hung_up(f.now, conn);
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, _) = f.shake();
    let reply = format!("+CONTINUE {OTHER}\r\n");
    let both = format!("{reply}*1\r\n$4\r\nPING\r\n");
    let event = Some(Event::Streaming { db: 2 });
    assert_eq!(f.receive(conn, &both), (reply.len(), event));
    assert!(f.repl.is_streaming(conn));
    assert_eq!(f.repl.history().replid().to_string(), OTHER);
    assert_eq!(f.info("master_replid2"), ID);
    assert_eq!(f.info("second_repl_offset"), "101");
    assert_eq!(f.info("repl_backlog_active"), "1");
}

#[test]
fn replicas_of_ours_come_back_to_learn_a_new_id() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    let sub = ConnId {
        index: 50,
        generation: 0,
    };
    let psync = Psync {
        replid: ID.as_bytes(),
        offset: b"101",
        failover: false,
    };
    let sync = Sync {
        conn: sub,
        remote: &Addr::Tcp("10.0.0.5:4000".parse().unwrap()),
        pending_output: false,
        psync: Some(psync),
    };
    assert_eq!(f.repl.sync(f.now, sync), Admission::Accepted);
    // It stays while the master is away, and after it came back as it was.
    f.repl.hung_up(f.now, conn);
    let (conn, _) = f.shake();
    f.receive(conn, &format!("+CONTINUE {ID}\r\n"));
    assert!(f.repl.is_replica(sub));
    f.repl.hung_up(f.now, conn);
    let (conn, _) = f.shake();
    f.receive(conn, &format!("+CONTINUE {OTHER}\r\n"));
    assert_eq!(f.turn(), [close(sub, CloseReason::Resync)]);
}

#[test]
fn what_comes_of_an_earlier_attempt_is_ignored() {
    let mut f = Fixture::new(Settings::default());
    let old = f.dial();
    f.repl.replica_of(f.now, "127.0.0.1", 7777);
    assert_eq!(f.repl.poll_action(), Some(close(old, CloseReason::Link)));
    let new = f.dial();
    f.repl.connected(f.now, old, Ok(()));
    f.repl.hung_up(f.now, old);
    assert_eq!(f.turn(), []);
    assert_eq!(f.state(), ("connecting", -1));
    f.repl.connected(f.now, new, Ok(()));
    assert_eq!(f.turn(), [send(new, "*1\r\n$4\r\nPING\r\n")]);
    assert_eq!(f.receive(old, "+PONG\r\n"), (0, None));
}

#[test]
fn a_master_that_cannot_serve_now_is_asked_again_without_losing_our_place() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    f.repl.hung_up(f.now, conn);
    let mut seen = Vec::new();
    for reply in [
        "-NOMASTERLINK Can't SYNC while not connected with my master",
        "-LOADING Redis is loading the dataset in memory",
        "-NOPERM this user has no permissions to run the 'psync' command",
        "+FULLRESYNC nonsense",
    ] {
        f.now.mono = f.now.mono + Duration::from_secs(1);
        let (conn, psync) = f.shake();
        f.line(conn, "");
        assert_eq!(f.receive(conn, &format!("{reply}\r\n")).1, None);
        assert_eq!(f.turn(), [close(conn, CloseReason::Link)]);
        let Action::Send { bytes, .. } = psync else {
            panic!("{psync:?}");
        };
        seen.push(bytes);
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "the request stays the same");
}

#[test]
fn a_master_without_psync_is_asked_for_sync() {
    let mut f = Fixture::new(Settings::default());
    let (conn, _) = f.shake();
    f.line(conn, "-ERR unknown command 'PSYNC'");
    assert_eq!(f.turn(), [send(conn, "SYNC\r\n")]);
    assert_eq!(f.receive(conn, "$18\r\n").1, Some(Event::Begin));
    f.repl.receive_to(f.now, Target::Memory);
    let attempt = f.repl.receiving().unwrap();
    f.repl.receive(f.now, conn, &rdb());
    assert_eq!(f.receive(conn, "").1, Some(Event::End));
    assert_eq!(f.repl.loaded(f.now, attempt, Ok(None)), Some(0));
    assert_eq!(f.pass(5000), [], "it knows of no acknowledgements");
    f.repl.hung_up(f.now, conn);
    let (_, psync) = f.shake();
    assert!(matches!(psync, Action::Send { bytes, .. } if bytes.ends_with(b"-1\r\n")));
}

#[test]
fn a_continuation_nobody_asked_for_is_refused() {
    let mut f = Fixture::new(Settings::default());
    let (conn, _) = f.shake();
    assert_eq!(f.receive(conn, &format!("+CONTINUE {OTHER}\r\n")).1, None);
    assert_eq!(f.turn(), [close(conn, CloseReason::Link)]);
    assert!(!f.repl.is_connected());
}

#[test]
fn the_master_hears_every_second_and_when_it_asks() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    let ack = "*3\r\n$8\r\nREPLCONF\r\n$3\r\nACK\r\n$3\r\n100\r\n";
    assert_eq!(f.pass(1000), [send(conn, ack)]);
    assert_eq!(f.pass(999), []);
    // Asked twice in a turn it answers once, for all that was applied in it.
    f.repl.stream_received(f.now, conn, 74);
    for _ in 0..2 {
        f.repl.getack(f.now);
        f.repl.applied(f.now, conn, &[b'x'; 37], 2, false);
    }
    let ack = ack.replace("100", "174");
    assert_eq!(f.turn(), [send(conn, &ack)]);
    assert_eq!(f.pass(999), []);
    assert_eq!(f.pass(1), [send(conn, &ack)]);
}

#[test]
fn the_link_waits_for_the_place_in_the_own_file() {
    let mut f = Fixture::new(Settings::default());
    f.repl.hold_link(true);
    assert_eq!(f.turn(), []);
    assert_eq!(f.repl.poll_timeout(), None);
    f.repl.hold_link(false);
    f.dial();
}

#[test]
fn only_what_the_master_sends_shows_that_it_lives() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    for _ in 0..59 {
        assert_eq!(f.pass(1000).len(), 1, "an acknowledgement");
    }
    f.repl.stream_received(f.now, conn, 1);
    f.repl.applied(f.now, conn, b"\n", 2, false);
    f.pass(59_000);
    assert!(f.repl.is_connected());
    assert_eq!(f.pass(1000)[0], close(conn, CloseReason::Timeout));
    assert_eq!(f.info("master_link_status"), "down");
    assert_eq!(f.info("master_link_down_since_seconds"), "0");
    assert_eq!(f.info("slave_repl_offset"), "101");
}

#[test]
fn a_broken_stream_is_not_gone_on_with() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    f.repl.master_protocol_error(f.now, conn);
    assert_eq!(f.repl.poll_action(), Some(close(conn, CloseReason::Link)));
    assert_eq!(f.info("slave_repl_offset"), "1");
    let (_, psync) = f.shake();
    assert!(matches!(psync, Action::Send { bytes, .. } if bytes.ends_with(b"-1\r\n")));
}

#[test]
fn info_has_the_fields_of_redis_in_order() {
    let mut f = Fixture::new(Settings::default());
    let names = |f: &Fixture| -> Vec<String> {
        let info = f.repl.info(f.now);
        let lines = info
            .lines()
            .take_while(|l| !l.starts_with("connected_slaves"));
        lines
            .map(|l| l.split(':').next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        names(&f),
        [
            "role",
            "master_host",
            "master_port",
            "master_link_status",
            "master_last_io_seconds_ago",
            "master_sync_in_progress",
            "slave_read_repl_offset",
            "slave_repl_offset",
            "master_link_down_since_seconds",
            "slave_priority",
            "slave_read_only",
            "replica_announced",
        ]
    );
    assert_eq!(f.info("master_link_down_since_seconds"), "-1");
    assert_eq!(f.info("slave_repl_offset"), "1");
    let (conn, _) = f.shake();
    f.line(conn, &format!("+FULLRESYNC {ID} 100"));
    f.receive(conn, "$18\r\n");
    f.repl.receive_to(f.now, Target::Memory);
    f.repl.receive(f.now, conn, &rdb()[..9]);
    assert_eq!(f.info("master_sync_total_bytes"), "18");
    assert_eq!(f.info("master_sync_read_bytes"), "9");
    assert_eq!(f.info("master_sync_left_bytes"), "9");
    assert_eq!(f.info("master_sync_perc"), "50.00");
    assert_eq!(f.info("master_sync_last_io_seconds_ago"), "0");
}

#[test]
fn a_dataset_loaded_at_start_is_gone_on_with() {
    let mut f = Fixture::new(Settings::default());
    let at = crate::repl::node::Place {
        replid: ReplId::parse(ID.as_bytes()).unwrap(),
        offset: Offset::new(500).unwrap(),
        db: 4,
    };
    f.repl.restore(f.now, at);
    assert_eq!(f.repl.place(), Some(at));
    let (conn, psync) = f.shake();
    let request = format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$3\r\n501\r\n");
    assert_eq!(psync, send(conn, &request));
    let event = f.receive(conn, "+CONTINUE\r\n").1;
    assert_eq!(event, Some(Event::Streaming { db: 4 }));
}

/// A master that has started anew, with whatever was written since.
fn report() -> String {
    let body = format!(
        "role:master\r\nuptime_in_seconds:1\r\naof_enabled:0\r\n\
         master_replid:{OTHER}\r\nmaster_replid2:{}\r\nsecond_repl_offset:-1\r\n\
         db0:keys=3,expires=0,avg_ttl=0\r\n",
        "0".repeat(40)
    );
    format!("${}\r\n{body}\r\n", body.len())
}

impl Fixture {
    /// In sync, with data and under the eyes of Sentinels, and then without its master.
    fn bereft(&mut self) {
        let conn = self.online();
        self.repl.note_watched(self.now);
        self.repl.note_holdings(true);
        self.repl.hung_up(self.now, conn);
        assert_eq!(self.turn(), []);
    }

    /// Comes back to a master that is asked for a report.
    fn ask_for_report(&mut self) -> ConnId {
        let (conn, asked) = self.shake();
        assert_eq!(asked, send(conn, "*1\r\n$4\r\nINFO\r\n"));
        conn
    }

    fn refused(&mut self, conn: ConnId) {
        self.receive(conn, &report());
        assert_eq!(self.turn(), [close(conn, CloseReason::Link)]);
        assert_eq!(self.info("master_sync_refused"), "1");
        assert_eq!(self.info("master_replid"), ID);
    }
}

#[test]
fn a_master_without_its_data_is_refused_until_the_time_is_over() {
    let settings = Settings {
        keep_data: Duration::from_secs(5),
        ..Settings::default()
    };
    let mut f = Fixture::new(settings);
    f.bereft();
    let conn = f.ask_for_report();
    f.refused(conn);
    let conn = f.ask_for_report();
    f.refused(conn);
    f.now.mono = f.now.mono + Duration::from_secs(6);
    let conn = f.ask_for_report();
    f.receive(conn, &report());
    let actions = f.turn();
    assert!(is_psync(&actions, conn), "{actions:?}");
    assert!(!f.repl.info(f.now).contains("master_sync_refused"));
}

#[test]
fn a_report_is_asked_for_only_if_there_is_data_to_lose_and_someone_to_promote_it() {
    for (holds, watched, keep_secs) in [(false, true, 5), (true, false, 5), (true, true, 0)] {
        let mut f = Fixture::new(Settings {
            keep_data: Duration::from_secs(keep_secs),
            ..Settings::default()
        });
        let conn = f.online();
        if watched {
            f.repl.note_watched(f.now);
        }
        f.repl.note_holdings(holds);
        f.repl.hung_up(f.now, conn);
        let (conn, asked) = f.shake();
        assert!(is_psync(&[asked], conn));
    }
}

#[test]
fn whom_sentinels_have_watched_as_a_master_is_wary_as_a_replica() {
    let mut f = Fixture::new(Settings::default());
    f.repl.promote(f.now);
    f.turn();
    f.repl.note_watched(f.now);
    f.repl.replica_of(f.now, "127.0.0.1", 6379);
    let conn = f.online();
    f.repl.note_holdings(true);
    f.repl.hung_up(f.now, conn);
    f.turn();
    let conn = f.ask_for_report();
    f.refused(conn);
}

#[test]
fn another_master_named_by_hand_is_asked_for_no_report() {
    let mut f = Fixture::new(Settings::default());
    f.bereft();
    let conn = f.ask_for_report();
    f.refused(conn);
    f.repl.replica_of(f.now, "127.0.0.1", 6380);
    let (conn, asked) = f.shake();
    assert!(is_psync(&[asked], conn));
}

#[test]
fn a_report_that_is_denied_leads_to_a_resynchronization() {
    let mut f = Fixture::new(Settings::default());
    f.bereft();
    let conn = f.ask_for_report();
    f.line(
        conn,
        "-NOPERM this user has no permissions to run the 'info' command",
    );
    let actions = f.turn();
    assert!(is_psync(&actions, conn), "{actions:?}");
}

fn is_psync(actions: &[Action], conn: ConnId) -> bool {
    let wanted = send(
        conn,
        &format!("*3\r\n$5\r\nPSYNC\r\n$40\r\n{ID}\r\n$3\r\n101\r\n"),
    );
    actions == [wanted]
}

/// What a server says that asks for the stream where it is, and shows itself with this address.
fn ask(f: &mut Fixture, index: u32, ip: &str, port: &str) -> Admission {
    let conn = ConnId {
        index,
        generation: 0,
    };
    let words = ["listening-port", port, "ip-address", ip];
    let replid = f.repl.history().replid();
    let offset = f.repl.offset().next_byte().to_string();
    f.repl.replconf(f.now, conn, &words.map(str::as_bytes));
    let psync = Psync {
        replid: replid.as_bytes(),
        offset: offset.as_bytes(),
        failover: false,
    };
    let sync = Sync {
        conn,
        remote: &Addr::Tcp("10.0.0.5:4000".parse().unwrap()),
        pending_output: false,
        psync: Some(psync),
    };
    f.repl.sync(f.now, sync)
}

fn is_refused(admission: &Admission) -> bool {
    matches!(admission, Admission::Refused(text) if text.starts_with("NOMASTERLINK"))
}

#[test]
fn whoever_has_the_address_of_a_nameless_master_waits_until_the_master_has_sent_something() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    assert_eq!(ask(&mut f, 50, "127.0.0.1", "6380"), Admission::Accepted);
    // What arrives at once was sent before the master may have become a replica.
    for index in [51, 52, 53] {
        assert!(is_refused(&ask(&mut f, index, "127.0.0.1", "6379")));
        f.repl.stream_received(f.now, conn, 4);
        f.pass(500);
    }
    assert!(is_refused(&ask(&mut f, 54, "127.0.0.1", "6379")));
    f.repl.stream_received(f.now, conn, 4);
    assert_eq!(ask(&mut f, 55, "127.0.0.1", "6379"), Admission::Accepted);
    // That was then.
    f.pass(20_000);
    assert!(is_refused(&ask(&mut f, 56, "127.0.0.1", "6379")));
    f.pass(20_000);
    f.repl.stream_received(f.now, conn, 4);
    assert!(is_refused(&ask(&mut f, 57, "127.0.0.1", "6379")));
}

#[test]
fn a_nameless_master_that_is_a_replica_here_is_not_followed() {
    let mut f = Fixture::new(Settings::default());
    f.online();
    f.repl.promote(f.now);
    assert_eq!(ask(&mut f, 50, "10.0.0.7", "7000"), Admission::Accepted);
    f.turn();
    f.repl.replica_of(f.now, "10.0.0.7", 7000);
    let master = f.dial();
    f.repl.connected(f.now, master, Ok(()));
    f.turn();
    f.line(master, "+PONG");
    f.turn();
    f.line(master, "+OK");
    f.receive(master, "-ERR Unrecognized REPLCONF option: masters\r\n");
    assert_eq!(f.turn(), [close(master, CloseReason::Link)]);
    assert_eq!(f.info("master_link_cycle"), "1");
    // One that was is silent.
    f.now.mono = f.now.mono + Duration::from_millis(2_001);
    let (_, psync) = f.shake();
    assert!(matches!(psync, Action::Send { .. }));
    assert!(!f.repl.info(f.now).contains("master_link_cycle"));
}

#[test]
fn nobody_is_served_by_a_replica_that_has_heard_nothing_but_its_own_handshakes() {
    let mut f = Fixture::new(Settings::default());
    let conn = f.online();
    f.pass(59_000);
    assert_eq!(ask(&mut f, 50, "10.0.0.7", "7000"), Admission::Accepted);
    f.repl.hung_up(f.now, conn);
    f.now.mono = f.now.mono + Duration::from_secs(1);
    let (conn, _) = f.shake();
    f.receive(conn, &format!("+CONTINUE {ID}\r\n"));
    assert_eq!(f.info("master_link_status"), "up");
    assert!(is_refused(&ask(&mut f, 51, "10.0.0.7", "7001")));
    f.repl.stream_received(f.now, conn, 4);
    assert_eq!(ask(&mut f, 52, "10.0.0.7", "7001"), Admission::Accepted);
}
