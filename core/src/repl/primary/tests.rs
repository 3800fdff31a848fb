//! A master and its replicas, byte by byte.

use super::*;
use crate::machine::{Now, Wall};
use crate::repl::action::SnapshotId;
use crate::repl::node::{Admission, Sync};
use crate::repl::settings::OutputLimit;
use crate::repl::stream::Unit;
use crate::repl::wait::{Kept, Need};
use crate::repl::{Replication, Role};
use crate::rng::Rng;

struct Fixture {
    repl: Replication,
    now: Now,
}

fn conn(index: u32) -> ConnId {
    ConnId {
        index,
        generation: 0,
    }
}

impl Fixture {
    fn new(settings: Settings) -> Self {
        let now = Now {
            mono: Mono::from_nanos(5_000_000_000),
            wall: Wall::default(),
        };
        let repl = Replication::new(now, &Rng::new([9; 32]), settings);
        Self { repl, now }
    }

    fn undelayed() -> Self {
        Self::new(Settings {
            diskless_delay: Duration::ZERO,
            ..Settings::default()
        })
    }

    fn pass(&mut self, millis: u64) -> Vec<Action> {
        self.now.mono = self.now.mono + Duration::from_millis(millis);
        self.turn()
    }

    fn turn(&mut self) -> Vec<Action> {
        self.repl.end_turn(self.now);
        core::iter::from_fn(|| self.repl.poll_action()).collect()
    }

    fn write(&mut self, db: u32, line: &str) {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.repl.feed(db, args.into_iter());
        self.repl.end_unit(Unit::Atomic);
    }

    fn replconf(&mut self, index: u32, line: &str) -> Replconf {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        self.repl.replconf(self.now, conn(index), &args)
    }

    fn ask(&mut self, index: u32, line: &str) -> Admission {
        let args: Vec<&[u8]> = line.split(' ').skip(1).map(str::as_bytes).collect();
        let sync = Sync {
            conn: conn(index),
            remote: &Addr::Tcp("127.0.0.1:40000".parse().unwrap()),
            pending_output: false,
            psync: Psync::parse(&args),
        };
        self.repl.sync(self.now, sync)
    }

    fn join(&mut self, index: u32) {
        let line = "listening-port 6380 capa eof capa psync2";
        assert_eq!(self.replconf(index, line), Replconf::Ok);
        assert_eq!(self.ask(index, "PSYNC ? -1"), Admission::Accepted);
    }

    /// A replica that has its snapshot and has said so.
    fn online(&mut self, index: u32) {
        self.join(index);
        let id = started(&self.turn());
        assert!(self.repl.snapshot_started(self.now, id, Ok(())));
        self.repl.snapshot_finished(self.now, id, true);
        self.written(index);
        self.replconf(index, "ack 0");
    }

    /// All that is written to a replica now, as text.
    fn written(&mut self, index: u32) -> String {
        let mut out = Vec::new();
        loop {
            let mut slices = Slices::new();
            self.repl.writable(conn(index), &mut slices);
            let bytes: Vec<u8> = slices.iter().flat_map(|s| s.to_vec()).collect();
            drop(slices);
            if bytes.is_empty() {
                return String::from_utf8(out).unwrap();
            }
            self.repl.consume(self.now, conn(index), bytes.len());
            out.extend(bytes);
        }
    }

    fn info(&self, name: &str) -> String {
        let info = self.repl.info(self.now);
        let prefix = format!("{name}:");
        let value = info.lines().find_map(|line| line.strip_prefix(&prefix));
        value
            .unwrap_or_else(|| panic!("{name} in {info}"))
            .to_owned()
    }

    fn replid(&self) -> String {
        self.repl.history().replid().to_string()
    }
}

fn started(actions: &[Action]) -> SnapshotId {
    let start = |action: &Action| match action {
        Action::StartSnapshot { id, .. } => Some(*id),
        Action::Resolve { .. }
        | Action::Dial { .. }
        | Action::Send { .. }
        | Action::Close { .. }
        | Action::CloseAfterReply { .. }
        | Action::StopSnapshot { .. }
        | Action::Disk { .. }
        | Action::LoadFile { .. }
        | Action::Follow { .. }
        | Action::Promote
        | Action::AbandonLoad { .. } => None,
    };
    let mut ids = actions.iter().filter_map(start);
    let id = ids.next().unwrap_or_else(|| panic!("{actions:?}"));
    assert_eq!(ids.next(), None);
    id
}

fn close(index: u32, reason: CloseReason) -> Action {
    let conn = conn(index);
    Action::Close { conn, reason }
}

#[test]
fn the_offset_of_a_full_resync_is_that_of_the_snapshot() {
    let mut f = Fixture::undelayed();
    f.join(1);
    let id = started(&f.turn());
    // A write between request and snapshot.
    f.write(3, "SET a 1");
    let offset = f.repl.offset();
    assert_ne!(offset, Offset::START);
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.write(3, "SET b 2");

    let head = f.written(1);
    let expected = format!("+FULLRESYNC {} {offset}\r\n$EOF:", f.replid());
    assert!(head.starts_with(&expected), "{head}");
    let mark = head[expected.len()..].trim_end().to_owned();
    assert_eq!(mark.len(), 40);

    f.repl
        .snapshot_chunk(f.now, id, &Bytes::from_static(b"REDIS0011"));
    assert_eq!(f.written(1), "REDIS0011");
    f.repl.snapshot_finished(f.now, id, true);
    assert_eq!(f.written(1), mark);

    // Nothing may follow the mark until the replica says that it saw it.
    f.write(3, "SET c 3");
    f.pass(3000);
    assert_eq!(f.written(1), "");
    assert_eq!(
        f.info("slave0"),
        "ip=127.0.0.1,port=6380,state=online,offset=0,lag=3"
    );
    f.replconf(1, &format!("ACK {offset}"));
    let stream = f.written(1);
    // The database is selected anew, though the stream was in it before.
    let select = "*2\r\n$6\r\nSELECT\r\n$1\r\n3\r\n*3\r\n$3\r\nSET\r\n$1\r\nb\r\n$1\r\n2\r\n";
    assert!(stream.starts_with(select), "{stream}");
}

#[test]
fn a_replica_that_can_go_on_is_sent_what_it_missed() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.write(0, "SET a 1");
    let missed = f.written(1);
    let id = f.replid();

    f.replconf(2, "capa eof capa psync2");
    assert_eq!(f.ask(2, &format!("PSYNC {id} 1")), Admission::Accepted);
    assert_eq!(f.written(2), format!("+CONTINUE {id}\r\n{missed}"));

    assert_eq!(f.ask(3, &format!("PSYNC {id} 1")), Admission::Accepted);
    assert_eq!(f.written(3), format!("+CONTINUE\r\n{missed}"));
    assert_eq!(f.repl.sync_stats().partial_ok, 2);
    assert_eq!(
        f.info("slave1"),
        "ip=127.0.0.1,port=0,state=online,offset=0,lag=0"
    );
}

#[test]
fn the_first_replica_changes_the_id_since_writes_were_not_counted_before() {
    let mut f = Fixture::undelayed();
    let id = f.replid();
    f.write(0, "SET a 1");
    assert_eq!(f.repl.offset(), Offset::START);
    assert_eq!(f.info("repl_backlog_active"), "0");
    f.join(1);
    assert_ne!(f.replid(), id);
    assert_eq!(f.info("master_replid2"), "0".repeat(40));
    assert_eq!(f.info("repl_backlog_active"), "1");
    assert_eq!(f.info("repl_backlog_first_byte_offset"), "1");
}

#[test]
fn a_refused_offset_changes_nothing() {
    let mut f = Fixture::undelayed();
    let before = f.replid();
    let refused = Admission::Refused("ERR value is not an integer or out of range".into());
    assert_eq!(f.ask(1, "PSYNC ? x"), refused);
    assert!(!f.repl.is_replica(conn(1)));
    assert_eq!(f.turn(), []);
    assert_eq!(f.replid(), before);
    assert_eq!(f.repl.sync_stats(), SyncStats::default());
}

#[test]
fn requests_out_of_place_are_refused_with_the_words_of_redis() {
    let mut f = Fixture::undelayed();
    let refused = |text: &'static str| Admission::Refused(text.into());
    assert_eq!(
        f.ask(1, "PSYNC abc 1 FAILOVER"),
        refused("ERR PSYNC FAILOVER can't be sent to a master.")
    );
    f.replconf(2, "rdb-filter-only functions");
    assert_eq!(
        f.ask(2, "PSYNC ? -1"),
        refused("ERR Filtered replica requires EOF capability")
    );
    f.join(3);
    assert_eq!(f.ask(3, "PSYNC ? -1"), Admission::Ignored);

    f.repl.replica_of(f.now, "127.0.0.1", 1);
    assert_eq!(
        f.ask(4, "PSYNC ? -1"),
        refused("NOMASTERLINK Can't SYNC while not connected with my master")
    );
    assert_eq!(
        f.ask(4, "PSYNC abc 1 FAILOVER"),
        refused("ERR PSYNC FAILOVER replid must match my replid.")
    );
    let take_over = format!("PSYNC {} 1 FAILOVER", f.replid());
    assert_eq!(f.ask(4, &take_over), Admission::TakeOver);
}

#[test]
fn replicas_that_come_in_time_share_a_snapshot() {
    let mut f = Fixture::new(Settings::default());
    f.join(1);
    assert_eq!(f.pass(4000), []);
    f.join(2);
    let id = started(&f.pass(1000));
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    assert_eq!(f.written(1), f.written(2));
    // One that comes later waits for the next.
    f.join(3);
    assert_eq!(f.pass(5000), []);
    assert_eq!(f.written(3), "\n");
    f.repl.snapshot_finished(f.now, id, true);
    assert_ne!(started(&f.turn()), id);
}

#[test]
fn enough_company_ends_the_delay() {
    let mut f = Fixture::new(Settings {
        diskless_max_replicas: 2,
        ..Settings::default()
    });
    f.join(1);
    assert_eq!(f.turn(), []);
    f.join(2);
    started(&f.turn());
}

#[test]
fn a_snapshot_nobody_waits_for_any_more_is_stopped() {
    let mut f = Fixture::undelayed();
    f.join(1);
    f.join(2);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.repl.hung_up(f.now, conn(1));
    assert_eq!(f.turn(), []);
    f.repl.hung_up(f.now, conn(2));
    assert_eq!(f.turn(), [Action::StopSnapshot { id }]);
    // What was on its way is ignored.
    f.repl.snapshot_chunk(f.now, id, &Bytes::from_static(b"x"));
    f.repl.snapshot_finished(f.now, id, true);

    f.join(3);
    let id = started(&f.turn());
    f.repl.hung_up(f.now, conn(3));
    assert!(!f.repl.snapshot_started(f.now, id, Ok(())));
    assert_eq!(f.turn(), [Action::StopSnapshot { id }]);
}

#[test]
fn a_taken_slot_delays_and_a_failure_is_told() {
    let mut f = Fixture::undelayed();
    f.join(1);
    let id = started(&f.turn());
    assert!(!f.repl.snapshot_started(f.now, id, Err(StartFault::Busy)));
    assert_eq!(f.turn(), []);
    f.repl.snapshot_slot_free(f.now);
    let id = started(&f.turn());
    assert!(!f.repl.snapshot_started(f.now, id, Err(StartFault::Failed)));
    let reply = b"-ERR BGSAVE failed, replication can't continue\r\n".to_vec();
    let conn = conn(1);
    assert_eq!(f.turn(), [Action::CloseAfterReply { conn, reply }]);
    assert!(!f.repl.is_replica(conn));
}

#[test]
fn a_failed_snapshot_closes_those_it_was_for() {
    let mut f = Fixture::undelayed();
    f.join(1);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.repl.snapshot_finished(f.now, id, false);
    assert_eq!(f.turn(), [close(1, CloseReason::SnapshotFailed)]);
}

#[test]
fn a_replica_that_must_know_the_length_is_told_it_and_streams_at_once() {
    let mut f = Fixture::undelayed();
    assert_eq!(f.ask(1, "SYNC"), Admission::Accepted);
    let actions = f.turn();
    let id = started(&actions);
    let (contents, to_file) = (Contents::All, true);
    let start = Action::StartSnapshot {
        id,
        contents,
        to_file,
    };
    assert_eq!(actions, [start]);
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.write(0, "SET a 1");
    assert_eq!(f.written(1), "");
    f.pass(1000);
    assert_eq!(f.written(1), "\n", "it is kept alive meanwhile");
    assert_eq!(f.repl.snapshot_wanted(), None);
    assert!(f.repl.snapshot_saved(f.now, id, 9));
    assert_eq!(f.repl.snapshot_wanted(), Some(id));
    f.repl
        .snapshot_chunk(f.now, id, &Bytes::from_static(b"REDIS"));
    assert_eq!(f.written(1), "$9\r\nREDIS");
    f.repl
        .snapshot_chunk(f.now, id, &Bytes::from_static(b"0011"));
    assert!(f.info("slave0").contains("state=send_bulk"));
    f.pass(1000);
    assert_eq!(f.written(1), "0011", "nothing comes in between");
    f.repl.snapshot_finished(f.now, id, true);
    assert!(f.info("slave0").contains("state=online"));
    let sent = f.written(1);
    assert!(sent.starts_with("*2\r\n$6\r\nSELECT"), "{sent}");
    // It never acknowledges, and is not missed.
    assert_eq!(f.pass(100_000).len(), 0);
    assert!(f.repl.is_replica(conn(1)));
}

#[test]
fn replicas_share_a_snapshot_until_its_file_is_whole() {
    let mut f = Fixture::new(Settings {
        diskless_sync: false,
        ..Settings::default()
    });
    f.join(1);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.write(0, "SET a 1");
    // This one comes later, and needs the stream from the same place.
    f.join(2);
    assert_eq!(f.turn(), []);
    let reply = format!("+FULLRESYNC {} 0\r\n", f.replid());
    assert_eq!([f.written(1), f.written(2)], [reply.clone(), reply]);
    assert!(f.info("slave1").contains("state=wait_bgsave"));
    assert!(f.repl.snapshot_saved(f.now, id, 1));
    f.join(3);
    assert_eq!(f.turn(), [], "it waits for the next one");
    f.repl.snapshot_chunk(f.now, id, &Bytes::from_static(b"R"));
    f.repl.snapshot_finished(f.now, id, true);
    for index in [1, 2] {
        let sent = f.written(index);
        assert!(sent.starts_with("$1\r\nR*2\r\n$6\r\nSELECT"), "{sent}");
        assert!(sent.contains("SET"), "{sent}");
    }
    started(&f.turn());
}

#[test]
fn a_file_nobody_waits_for_any_more_is_not_passed_on() {
    let mut f = Fixture::new(Settings {
        diskless_sync: false,
        ..Settings::default()
    });
    f.join(1);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.repl.hung_up(f.now, conn(1));
    assert_eq!(f.turn(), [Action::StopSnapshot { id }]);
    assert!(!f.repl.snapshot_saved(f.now, id, 100));
}

#[test]
fn the_slowest_replica_sets_the_pace_of_a_snapshot_and_a_stuck_one_is_dropped() {
    let mut f = Fixture::undelayed();
    f.join(1);
    f.join(2);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    let chunk = Bytes::from(vec![b'x'; 1024 * 1024]);
    f.repl.snapshot_chunk(f.now, id, &chunk);
    f.written(1);
    assert_eq!(f.repl.snapshot_wanted(), None);
    assert_eq!(f.pass(59_000), []);
    f.pass(1000);
    assert_eq!(f.pass(1000), [close(2, CloseReason::Timeout)]);
    assert_eq!(f.repl.snapshot_wanted(), Some(id));
}

#[test]
fn one_that_wants_only_the_snapshot_is_closed_when_it_has_it() {
    let mut f = Fixture::undelayed();
    f.replconf(1, "capa eof rdb-only 1");
    assert_eq!(f.ask(1, "PSYNC ? -1"), Admission::Accepted);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.repl.snapshot_finished(f.now, id, true);
    f.written(1);
    assert_eq!(f.turn(), [close(1, CloseReason::Delivered)]);
}

#[test]
fn silent_replicas_are_dropped_and_newlines_keep_them() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.pass(40_000);
    f.repl.replica_newline(f.now, conn(1));
    assert_eq!(f.pass(40_000), []);
    f.pass(20_000);
    assert_eq!(f.pass(1000), [close(1, CloseReason::Timeout)]);
}

#[test]
fn replicas_are_pinged_and_only_while_there_are_any() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.pass(10_000);
    assert_eq!(f.written(1), "*1\r\n$4\r\nPING\r\n");
    assert_eq!(f.repl.offset().get(), 14);
    f.pass(9000);
    assert_eq!(f.written(1), "");
    f.pass(1000);
    assert_eq!(f.written(1), "*1\r\n$4\r\nPING\r\n");
    f.repl.hung_up(f.now, conn(1));
    f.pass(100_000);
    assert_eq!(f.repl.offset().get(), 28);
}

#[test]
fn a_replica_that_reads_too_slowly_is_dropped() {
    let limit = OutputLimit {
        hard: 3_000_000,
        soft: 1_500_000,
        soft_for: Duration::from_secs(10),
    };
    let settings = Settings {
        output_limit: limit,
        diskless_delay: Duration::ZERO,
        ..Settings::default()
    };
    let mut f = Fixture::new(settings);
    f.online(1);
    f.online(2);
    let value = "x".repeat(1_000_000);
    for key in ["a", "b"] {
        f.write(0, &format!("SET {key} {value}"));
        f.written(2);
        assert_eq!(f.turn(), []);
    }
    assert_eq!(f.pass(9000), []);
    assert_eq!(f.pass(1000), [close(1, CloseReason::OutputLimit)]);
    for key in ["c", "d", "e"] {
        f.write(0, &format!("SET {key} {value}"));
    }
    assert_eq!(f.turn(), [close(2, CloseReason::OutputLimit)]);
    assert!(
        f.repl.backlog_memory() < 1_300_000,
        "nothing is kept for them any more"
    );
}

#[test]
fn a_snapshot_does_not_count_as_output_that_piles_up() {
    let limit = OutputLimit {
        hard: 50_000,
        soft: 50_000,
        soft_for: Duration::from_secs(10),
    };
    let mut f = Fixture::new(Settings {
        output_limit: limit,
        backlog_bytes: 16 * 1024,
        diskless_delay: Duration::ZERO,
        ..Settings::default()
    });
    f.join(1);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    let piece = Bytes::from(vec![b'x'; 100_000]);
    f.repl.snapshot_chunk(f.now, id, &piece);
    assert_eq!(f.turn(), []);
    assert_eq!(f.pass(20_000), []);
    // What is written meanwhile does.
    f.write(0, &format!("SET key {}", "x".repeat(60_000)));
    let dropped = [
        close(1, CloseReason::OutputLimit),
        Action::StopSnapshot { id },
    ];
    assert_eq!(f.turn(), dropped);
}

#[test]
fn writes_need_enough_good_replicas() {
    let settings = Settings {
        min_replicas: 1,
        diskless_delay: Duration::ZERO,
        ..Settings::default()
    };
    let mut f = Fixture::new(settings);
    assert!(!f.repl.may_write());
    f.join(1);
    let id = started(&f.turn());
    assert!(f.repl.snapshot_started(f.now, id, Ok(())));
    f.repl.snapshot_finished(f.now, id, true);
    assert!(!f.repl.may_write());
    f.written(1);
    assert!(f.repl.may_write(), "as soon as it is online");
    assert_eq!(f.info("min_slaves_good_slaves"), "1");
    f.pass(10_000);
    assert!(f.repl.may_write());
    f.pass(1000);
    assert!(!f.repl.may_write());
    f.replconf(1, "ACK 0");
    assert!(f.repl.may_write());
    f.repl.hung_up(f.now, conn(1));
    assert!(!f.repl.may_write());
    f.repl.replica_of(f.now, "127.0.0.1", 1);
    assert!(f.repl.may_write(), "a replica obeys its master");
}

#[test]
fn one_getack_serves_all_waits_of_a_turn() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.write(0, "SET a 1");
    f.written(1);
    let target = f.repl.offset();
    let timeout = Some(Duration::from_millis(500));
    assert_eq!(f.repl.wait(f.now, conn(10), need(target, 1), None), None);
    assert_eq!(f.repl.wait(f.now, conn(11), need(target, 2), timeout), None);
    f.turn();
    assert_eq!(
        f.written(1),
        "*3\r\n$8\r\nREPLCONF\r\n$6\r\nGETACK\r\n$1\r\n*\r\n"
    );
    f.replconf(1, &format!("ACK {target}"));
    f.turn();
    assert_eq!(f.repl.poll_waited(), Some((conn(10), 1)));
    assert_eq!(f.repl.poll_waited(), None);
    f.pass(500);
    assert_eq!(f.repl.poll_waited(), Some((conn(11), 1)));
}

#[test]
fn an_acknowledgement_of_what_was_never_sent_counts_for_nothing() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.replconf(1, "ACK 1000000");
    assert_eq!(f.repl.acked(&need(Offset::new(1).unwrap(), 0)), 0);
}

#[test]
fn promotion_selects_the_database_anew_and_closes_replicas() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.write(2, "SET a 1");
    let id = f.replid();
    f.repl.replica_of(f.now, "127.0.0.1", 1);
    f.turn();
    assert!(f.repl.promote(f.now));
    assert!(f.turn().contains(&close(1, CloseReason::Resync)));
    let at = f.repl.offset().next_byte();
    f.write(2, "SET b 1");
    assert_eq!(f.ask(2, &format!("PSYNC {id} {at}")), Admission::Accepted);
    let sent = f.written(2);
    let select = "+CONTINUE\r\n*2\r\n$6\r\nSELECT\r\n$1\r\n2\r\n";
    assert!(sent.starts_with(select), "{sent}");
    assert_eq!(f.info("second_repl_offset"), at.to_string());
    assert_eq!(f.info("master_replid2"), id);
}

#[test]
fn effects_before_a_change_of_role_belong_to_the_old_stream() {
    let mut f = Fixture::undelayed();
    f.online(1);
    f.written(1);
    let set: [&[u8]; 3] = [b"SET", b"k", b"v"];
    f.repl.feed(0, set.into_iter());
    f.repl.replica_of(f.now, "127.0.0.1", 1);
    assert_ne!(
        f.repl.offset(),
        Offset::START,
        "the place to go on from counts them"
    );
    f.repl.feed(0, set.into_iter());
    f.repl.end_unit(Unit::Atomic);
    let sent = f.written(1);
    assert!(
        sent.ends_with("*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n"),
        "{sent}"
    );
    assert_eq!(sent.matches("SET\r\n$1").count(), 1);
    assert_eq!(sent.len() as u64, f.repl.offset().get());
}

#[test]
fn info_and_role_have_the_fields_of_redis_in_order() {
    let mut f = Fixture::undelayed();
    f.online(1);
    let info = f.repl.info(f.now);
    let names: Vec<_> = info.lines().map(|l| l.split(':').next().unwrap()).collect();
    assert_eq!(
        names,
        [
            "role",
            "connected_slaves",
            "slave0",
            "master_failover_state",
            "master_replid",
            "master_replid2",
            "master_repl_offset",
            "second_repl_offset",
            "repl_backlog_active",
            "repl_backlog_size",
            "repl_backlog_first_byte_offset",
            "repl_backlog_histlen",
        ]
    );
    f.replconf(1, "ip-address 10.1.1.1");
    let replicas = vec![("10.1.1.1".to_owned(), 6380, Offset::START)];
    let offset = Offset::START;
    assert_eq!(f.repl.role(f.now), Role::Master { offset, replicas });
}

fn need(target: Offset, replicas: usize) -> Need {
    Need {
        target,
        replicas,
        kept: Kept::InMemory,
    }
}

#[test]
fn a_replica_that_has_come_back_counts_once_until_the_old_connection_gives_a_sign() {
    let mut f = Fixture::new(Settings {
        diskless_delay: Duration::ZERO,
        min_replicas: 2,
        min_replicas_lag: Duration::from_secs(10),
        ..Settings::default()
    });
    f.online(1);
    f.write(0, "SET a 1");
    let target = f.repl.offset();
    f.replconf(1, &format!("ACK {target}"));
    f.pass(100);
    f.online(2);
    f.replconf(2, &format!("ACK {target}"));
    assert_eq!(f.repl.acked(&need(target, 0)), 1);
    assert!(!f.repl.may_write());
    // It was sent before the host lost power, and was on its way.
    f.replconf(1, &format!("ACK {target}"));
    assert_eq!(f.repl.acked(&need(target, 0)), 1);
    assert!(!f.repl.may_write());
    // There are two after all, which seem to have one address.
    f.pass(2_000);
    f.replconf(1, &format!("ACK {target}"));
    f.replconf(2, &format!("ACK {target}"));
    assert_eq!(f.repl.acked(&need(target, 0)), 2);
    assert!(f.repl.may_write());
}
