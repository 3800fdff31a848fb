use super::*;

const FILE: FileId = FileId(4);
const FULL: DiskFault = DiskFault::NoSpace;

fn at(ms: u64) -> Mono {
    Mono::default() + Duration::from_millis(ms)
}

fn append(text: &'static str) -> DiskOp {
    let data = Bytes::from_static(text.as_bytes());
    DiskOp::Append { file: FILE, data }
}

const SYNC: DiskOp = DiskOp::Sync { file: FILE };

struct Bench {
    writer: Writer,
    policy: Policy,
    now: Mono,
}

impl Bench {
    fn new(policy: Policy) -> Self {
        Self {
            writer: Writer::new(FILE, 0, 0, at(0)),
            policy,
            now: at(0),
        }
    }

    fn push(&mut self, text: &'static str) -> u64 {
        self.writer.push(Bytes::from_static(text.as_bytes()))
    }

    fn advance(&mut self) -> Vec<DiskOp> {
        let mut ops = Vec::new();
        let asked = self.writer.advance(self.now, self.policy, &mut ops);
        assert_eq!(asked, Asked::Usual);
        ops
    }

    fn done(&mut self, result: Result<(), DiskFault>) -> (Event, Vec<DiskOp>) {
        let mut ops = Vec::new();
        (self.writer.handle_done(self.now, result, &mut ops), ops)
    }

    fn works(&mut self) {
        assert_eq!(self.done(Ok(())), (Event::Progress, vec![]));
    }
}

#[test]
fn always_syncs_each_append_and_gathers_what_comes_meanwhile() {
    let mut bench = Bench::new(Policy::Always);
    let first = bench.push("a");
    assert_eq!(bench.advance(), [append("a"), SYNC]);
    let others = [bench.push("b"), bench.push("c")];
    assert_eq!(bench.advance(), []);
    bench.works();
    assert_eq!(bench.advance(), [], "one sync at a time");
    assert_eq!(bench.writer.synced(), 0);
    bench.works();
    assert_eq!(bench.writer.synced(), first);
    assert_eq!(bench.advance(), [append("bc"), SYNC]);
    bench.works();
    bench.works();
    assert_eq!(bench.writer.synced(), others[1]);
    assert!(bench.writer.is_durable());
    assert_eq!(bench.advance(), []);
    assert_eq!(bench.writer.len(), 3);
}

#[test]
fn everysec_syncs_once_a_second_and_also_when_nothing_more_comes() {
    let mut bench = Bench::new(Policy::Everysec);
    bench.push("a");
    assert_eq!(bench.advance(), [append("a")]);
    bench.works();
    assert_eq!(bench.writer.deadline(Policy::Everysec), Some(at(1_000)));
    bench.now = at(500);
    bench.push("b");
    assert_eq!(bench.advance(), [append("b")]);
    bench.works();
    bench.now = at(1_000);
    assert_eq!(bench.advance(), [SYNC]);
    assert_eq!(bench.writer.deadline(Policy::Everysec), None);
    bench.works();
    assert!(bench.writer.is_durable());
    assert_eq!(bench.writer.deadline(Policy::Everysec), None);
    bench.now = at(9_000);
    assert_eq!(bench.advance(), [], "there is nothing to be synced");
}

#[test]
fn everysec_writes_behind_a_sync_that_takes_two_seconds() {
    let mut bench = Bench::new(Policy::Everysec);
    bench.push("a");
    bench.now = at(1_000);
    assert_eq!(bench.advance(), [append("a"), SYNC]);
    bench.works();
    bench.push("b");
    assert_eq!(bench.advance(), []);
    assert_eq!(bench.writer.deadline(Policy::Everysec), Some(at(3_000)));
    bench.now = at(3_000);
    let mut ops = Vec::new();
    let asked = bench.writer.advance(bench.now, bench.policy, &mut ops);
    assert_eq!((asked, ops), (Asked::Delayed, vec![append("b")]));
    assert_eq!(bench.writer.deadline(Policy::Everysec), None);
    bench.works();
    bench.works();
    assert_eq!(bench.writer.synced(), 1);
    assert_eq!(bench.advance(), [SYNC]);
}

#[test]
fn never_syncs_only_in_a_hurry() {
    let mut bench = Bench::new(Policy::Never);
    bench.push("a");
    assert_eq!(bench.advance(), [append("a")]);
    bench.works();
    bench.now = at(60_000);
    assert_eq!(bench.advance(), []);
    bench.writer.hurry();
    assert_eq!(bench.advance(), [SYNC]);
    bench.works();
    assert!(bench.writer.is_durable());
}

#[test]
fn a_failed_append_is_cut_off_before_it_is_tried_again() {
    let mut bench = Bench::new(Policy::Everysec);
    bench.push("a");
    assert_eq!(bench.advance(), [append("a")]);
    bench.works();
    bench.push("b");
    assert_eq!(bench.advance(), [append("b")]);
    bench.push("c");
    let cut = DiskOp::Truncate { file: FILE, len: 1 };
    assert_eq!(
        bench.done(Err(FULL)),
        (Event::AppendFailed(FULL), vec![cut])
    );
    assert_eq!(bench.writer.fault(), Some(FULL));
    bench.now = at(2_000);
    assert_eq!(bench.advance(), [], "the part of it may still be there");
    bench.works();
    assert_eq!(bench.advance(), [append("bc")]);
    assert_eq!(bench.done(Ok(())), (Event::Recovered, vec![]));
    assert_eq!(bench.writer.fault(), None);
    assert_eq!(bench.advance(), [SYNC]);
    assert_eq!(bench.writer.len(), 3);
}

#[test]
fn an_append_that_failed_is_tried_again_after_a_second() {
    let mut bench = Bench::new(Policy::Always);
    bench.push("a");
    assert_eq!(bench.advance(), [append("a"), SYNC]);
    let cut = DiskOp::Truncate { file: FILE, len: 0 };
    assert_eq!(
        bench.done(Err(FULL)),
        (Event::AppendFailed(FULL), vec![cut])
    );
    bench.works();
    assert_eq!(bench.writer.synced(), 0, "the sync covers nothing");
    bench.works();
    assert_eq!(bench.writer.deadline(Policy::Always), Some(at(1_000)));
    assert_eq!(bench.advance(), []);
    bench.now = at(1_000);
    assert_eq!(
        bench.advance(),
        [append("a")],
        "no sync before it is known to work"
    );
    assert_eq!(bench.done(Ok(())).0, Event::Recovered);
    assert_eq!(bench.advance(), [SYNC]);
}

#[test]
fn a_file_is_not_trusted_after_a_failed_sync() {
    for failing in ["sync", "cut"] {
        let mut bench = Bench::new(Policy::Always);
        bench.push("a");
        bench.advance();
        if failing == "cut" {
            bench.done(Err(FULL)).1.clear();
            bench.works();
        } else {
            bench.works();
        }
        let eio = DiskFault::Failed { errno: 5 };
        assert_eq!(bench.done(Err(eio)).0, Event::Broken(eio), "{failing}");
        bench.push("b");
        bench.now = at(60_000);
        assert_eq!(bench.advance(), []);
        assert_eq!(bench.writer.deadline(Policy::Always), None);
        assert!(bench.writer.is_broken());
        assert!(!bench.writer.is_durable());
    }
}
