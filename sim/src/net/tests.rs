use super::*;
use crate::rng::Keys;
use crate::time::Time;

const A: NodeId = NodeId(0);
const B: NodeId = NodeId(1);
const OWNER: ConnId = ConnId {
    index: 0,
    generation: 0,
};

struct Bench {
    net: Net,
    queue: Queue,
    told: Vec<(NodeId, Notice)>,
}

impl Bench {
    fn new(seed: u64, quality: Quality) -> Self {
        let keys = Keys::new(seed);
        Self {
            net: Net::new(2, Paths::new(keys, 2, quality)),
            queue: Queue::new(keys, 2),
            told: Vec::new(),
        }
    }

    fn run_until(&mut self, at: Time) {
        while self.queue.next_at().is_some_and(|next| next <= at) {
            let event = self.queue.pop().unwrap();
            match event {
                Event::Slice(end) => self.net.on_slice(&mut self.queue, end),
                Event::Syn(key) => self.net.on_syn(&mut self.queue, key),
                Event::SynAck(key) => self.net.on_syn_ack(&mut self.queue, key),
                Event::Reset(end) => self.net.on_reset(&mut self.queue, end),
                Event::Window(end) => self.net.on_window(end),
                Event::Wake(_)
                | Event::Disk { .. }
                | Event::Done { .. }
                | Event::Fault(_)
                | Event::FaultEnd(_)
                | Event::Trip { .. }
                | Event::Start(_)
                | Event::Look => panic!("the network does not schedule {event:?}"),
            }
            while let Some(notice) = self.net.poll_notice() {
                self.told.push(notice);
            }
        }
        self.queue.push(at, Event::Look);
        self.queue.pop();
    }

    fn run_for(&mut self, millis: u64) {
        self.run_until(self.queue.now() + ms(millis));
    }

    fn pair(&mut self) -> (End, End) {
        self.net.listen(B, 6379).unwrap();
        let caller = (self.net).connect(&mut self.queue, A, B.at(6379), OWNER);
        self.run_for(5_000);
        assert!(self.told.contains(&(A, Notice::Connected(caller, Ok(())))));
        self.net.adopt(caller.peer(), OWNER);
        (caller, caller.peer())
    }

    fn write(&mut self, end: End, bytes: &[u8]) -> usize {
        (self.net).write(&mut self.queue, end, &[IoSlice::new(bytes)])
    }

    fn read_all(&mut self, end: End) -> (Vec<u8>, Read) {
        let mut all = Vec::new();
        loop {
            let mut buffer = [0; 7];
            match self.net.read(&mut self.queue, end, &mut buffer) {
                Read::Bytes(len) => all.extend_from_slice(&buffer[..len]),
                end @ (Read::Empty | Read::Eof | Read::Broken(_)) => return (all, end),
            }
        }
    }
}

#[test]
fn bytes_arrive_in_order_however_they_are_cut_delayed_and_lost() {
    let quality = Quality {
        latency_min_us: 50,
        latency_max_us: 20_000,
        cut_ppm: 500_000,
        loss_ppm: 200_000,
        ..Quality::CALM
    };
    for seed in 0..20 {
        let mut bench = Bench::new(seed, quality.clone());
        let (caller, callee) = bench.pair();
        let sent: Vec<u8> = (0..10_000u32).map(|n| n.to_le_bytes()[0]).collect();
        for chunk in sent.chunks(997) {
            assert_eq!(bench.write(caller, chunk), chunk.len());
            bench.run_for(1);
        }
        bench.run_for(60_000);
        assert_eq!(bench.read_all(callee), (sent, Read::Empty));
    }
}

#[test]
fn a_full_window_stops_the_writer_until_the_reader_reads() {
    let quality = Quality {
        window_bytes: 1_000,
        ..Quality::CALM
    };
    let mut bench = Bench::new(1, quality);
    let (caller, callee) = bench.pair();
    assert_eq!(bench.write(caller, &[7; 3_000]), 1_000);
    assert_eq!(bench.write(caller, &[7; 2_000]), 0);
    bench.run_for(10);
    bench.told.clear();
    assert_eq!(bench.read_all(callee).0.len(), 1_000);
    bench.run_for(10);
    assert!(bench.told.contains(&(A, Notice::Writable(caller))));
    assert_eq!(bench.write(caller, &[7; 2_000]), 1_000);
}

#[test]
fn a_partition_holds_bytes_back_and_healing_delivers_them() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.net.cut(A, B);
    bench.write(caller, b"one");
    bench.run_for(5_000);
    bench.write(caller, b"two");
    bench.write(callee, b"other way");
    bench.run_for(5_000);
    assert_eq!(bench.read_all(callee), (vec![], Read::Empty));
    assert_eq!(bench.read_all(caller).0, b"other way");
    bench.net.mend(&mut bench.queue, A, B);
    bench.run_for(5_000);
    assert_eq!(bench.read_all(callee).0, b"onetwo");
}

#[test]
fn what_a_partition_held_back_is_gone_when_its_host_loses_power() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.net.cut(A, B);
    bench.write(caller, b"lost");
    bench.run_for(1_000);
    bench.net.lose_power(A);
    bench.net.mend(&mut bench.queue, A, B);
    bench.run_for(60_000);
    assert_eq!(bench.read_all(callee), (Vec::new(), Read::Empty));
}

#[test]
fn a_connection_across_a_partition_times_out_and_one_to_a_closed_port_is_refused() {
    let mut bench = Bench::new(1, Quality::CALM);
    let refused = (bench.net).connect(&mut bench.queue, A, B.at(1), OWNER);
    bench.run_for(100);
    let told = (A, Notice::Connected(refused, Err(ECONNREFUSED)));
    assert!(bench.told.contains(&told));

    bench.net.listen(B, 6379).unwrap();
    bench.net.cut(A, B);
    let late = (bench.net).connect(&mut bench.queue, A, B.at(6379), OWNER);
    bench.run_for(10_000);
    assert!(!bench.told.contains(&(A, Notice::Connected(late, Ok(())))));
    bench.run_for(90_000);
    let told = (A, Notice::Connected(late, Err(ETIMEDOUT)));
    assert!(bench.told.contains(&told));
}

#[test]
fn a_killed_process_ends_its_connections_and_a_dead_host_says_nothing() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.write(callee, b"bye");
    bench.run_for(10);
    bench.net.kill(&mut bench.queue, B);
    bench.run_for(10);
    assert_eq!(bench.read_all(caller), (b"bye".to_vec(), Read::Eof));
    bench.net.close(&mut bench.queue, caller);
    assert_eq!(bench.net.conns(), 0);

    let (caller, _) = bench.pair();
    bench.net.lose_power(B);
    bench.write(caller, b"hello?");
    bench.run_for(60_000);
    assert_eq!(bench.read_all(caller), (vec![], Read::Empty));
    bench.net.restore_power(&mut bench.queue, B);
    bench.run_for(10_000);
    assert_eq!(bench.read_all(caller), (vec![], Read::Broken(ECONNRESET)));
}

#[test]
fn writing_to_a_closed_end_is_answered_by_a_reset() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.net.close(&mut bench.queue, callee);
    bench.run_for(10);
    assert_eq!(bench.read_all(caller), (vec![], Read::Eof));
    bench.write(caller, b"more");
    bench.run_for(10);
    assert_eq!(bench.read_all(caller), (vec![], Read::Broken(ECONNRESET)));
}

#[test]
fn closing_with_unread_bytes_resets_the_peer() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.write(caller, b"unread");
    bench.run_for(10);
    bench.net.close(&mut bench.queue, callee);
    bench.run_for(10);
    assert_eq!(bench.read_all(caller), (vec![], Read::Broken(ECONNRESET)));
}

#[test]
fn an_injected_reset_breaks_both_ends() {
    let mut bench = Bench::new(1, Quality::CALM);
    let (caller, callee) = bench.pair();
    bench.net.reset_between(&mut bench.queue, B, A);
    bench.run_for(10);
    assert_eq!(bench.read_all(caller).1, Read::Broken(ECONNRESET));
    assert_eq!(bench.read_all(callee).1, Read::Broken(ECONNRESET));
}
