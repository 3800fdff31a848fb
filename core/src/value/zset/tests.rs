use super::*;
use crate::value::{KeyHasher, PackLimits};
use std::collections::BTreeMap;

/// Members with their scores.
type Model = BTreeMap<Vec<u8>, f64>;

fn shape(entries: usize) -> Shape {
    Shape {
        zset: PackLimits { entries, value: 64 },
        ..Shape::new(KeyHasher::predictable())
    }
}

fn scanned(zset: ZsetRef<'_>, count: usize) -> Model {
    let (mut cursor, mut seen) = (0, Model::new());
    loop {
        cursor = zset.scan(cursor, count, |member, score| {
            assert_eq!(seen.insert(member.to_vec(), score), None);
        });
        if cursor == 0 {
            return seen;
        }
    }
}

#[test]
fn an_ordered_or_shrinking_set_stays_sound_and_gives_memory_back() {
    let shape = shape(128);
    for step in [1, 7_919] {
        let (mut zset, count) = (Zset::new(), 30_000_u32);
        for at in 0..count {
            let score = f64::from(at * step % count);
            zset.insert(score, format!("member:{at:010}").as_bytes(), &shape);
        }
        zset.check_invariants();
        let full = zset.memory();
        assert!(full < 66 * count as usize, "{full} bytes");
        for at in (0..count).filter(|at| at % 20 != 0) {
            assert!(zset.remove(format!("member:{at:010}").as_bytes()));
        }
        zset.check_invariants();
        let left = zset.memory();
        assert!(left < full / 6, "{left} of {full} bytes are left");
        for at in 0..count / 2 {
            zset.insert(1.0, format!("other:{at}").as_bytes(), &shape);
        }
        zset.check_invariants();
        let len = zset.as_ref().len();
        assert_eq!(scanned(zset.as_ref(), 100).len(), len);
        zset.remove_range(0..len);
        zset.check_invariants();
        assert!(zset.is_empty());
    }
}
