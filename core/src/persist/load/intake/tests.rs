use super::*;
use crate::persist::rdb::{Encoder, Options, Preamble};
use crate::rng::Rng;
use crate::value::Str;

/// What is behind the last key: a byte that says so, and the checksum.
const END_BYTES: usize = 9;
const NOW: Wall = Wall::from_millis(1_000_000);

fn keyspace() -> Keyspace {
    Keyspace::new(2, &mut Rng::new([5; 32]))
}

/// RDB data with these keys in one database, which is said to get `announced`.
fn data(keys: impl Iterator<Item = u32>, announced: u64) -> Vec<u8> {
    let mut encoder = Encoder::new(false, true);
    encoder.preamble(&Preamble::default());
    encoder.select_db(1);
    encoder.resize_db(announced, 0);
    for key in keys {
        let value = Value::Str(Str::Int(i64::from(key)));
        let key = format!("key {key}");
        encoder.key(key.as_bytes(), value.as_ref(), KeyMeta::default());
    }
    encoder.eof();
    core::iter::from_fn(|| encoder.poll_chunk())
        .flatten()
        .collect()
}

/// What comes of all that there is.
fn take(data: &[u8], keyspace: &mut Keyspace) -> (Result<bool, LoadFault>, Intake) {
    let mut decoder = Decoder::new(Options::default());
    let mut intake = Intake::new(NOW, Expired::Drop);
    decoder.feed(data);
    let result = intake.take_from(&mut decoder, keyspace, &mut { usize::MAX });
    keyspace.db(1).check_invariants();
    (result, intake)
}

#[test]
fn a_key_that_comes_twice_is_a_fault_wherever_it_comes() {
    // Within a batch, in the next one, and as the very next.
    for (keys, again) in [(5, 2), (40, 3), (40, 39), (16, 15)] {
        let mut keyspace = keyspace();
        let before = data(0..keys, 50).len() - END_BYTES;
        let data = data((0..keys).chain([again]).chain(keys..50), 50);
        let (result, intake) = take(&data, &mut keyspace);
        let Err(LoadFault::Intake { fault, offset }) = result else {
            panic!("{result:?}")
        };
        assert_eq!(fault, IntakeFault::DuplicateKey { db: 1 });
        assert_eq!(offset, before as u64);
        let kept = u64::from(keys);
        assert_eq!(
            (keyspace.db(1).len() as u64, intake.loaded().keys),
            (kept, kept)
        );
    }
}

#[test]
fn what_came_before_a_fault_is_there() {
    let mut broken = data(0..21, 21);
    *broken.last_mut().unwrap() ^= 1;
    let mut cut = broken[..broken.len() - END_BYTES].to_vec();
    cut.push(0xee);
    for (data, name) in [(broken, "checksum"), (cut, "type")] {
        let mut keyspace = keyspace();
        let (result, _) = take(&data, &mut keyspace);
        assert!(
            matches!(result, Err(LoadFault::Rdb(_))),
            "{name}: {result:?}"
        );
        assert_eq!(keyspace.db(1).len(), 21, "{name}");
    }
}

#[test]
fn no_more_keys_are_taken_than_allowed() {
    let data = data(0..100, 100);
    let mut keyspace = keyspace();
    let mut decoder = Decoder::new(Options::default());
    let mut intake = Intake::new(NOW, Expired::Drop);
    decoder.feed(&data);
    for (allowed, there) in [(1, 1), (20, 21), (0, 21), (78, 99)] {
        let mut left = allowed;
        let all = intake.take_from(&mut decoder, &mut keyspace, &mut left);
        assert_eq!((all, left), (Ok(false), 0));
        assert_eq!(keyspace.db(1).len(), there);
    }
    let mut left = 2;
    let all = intake.take_from(&mut decoder, &mut keyspace, &mut left);
    assert_eq!((all, left, keyspace.db(1).len()), (Ok(true), 1, 100));
}

#[test]
fn a_table_is_made_for_the_keys_that_are_announced_and_no_lie_costs_memory() {
    let segments_and_memory = |announced| {
        let mut keyspace = keyspace();
        let (result, _) = take(&data(0..20_000, announced), &mut keyspace);
        assert_eq!(result, Ok(true));
        (
            keyspace.db(1).segment_count(),
            keyspace.db(1).overhead() as u64,
        )
    };
    let (grown, grown_overhead) = segments_and_memory(0);
    let (made, overhead) = segments_and_memory(20_000);
    assert_eq!(made, grown.next_power_of_two());
    assert!(overhead < grown_overhead * 5 / 4);
    for lie in [20_000 * 8, 20_000 * 64, u64::MAX] {
        let (lied, overhead) = segments_and_memory(lie);
        assert!(lied > made);
        assert!(overhead < 20_000 * 200, "{lie}: {overhead} bytes");
    }
}
