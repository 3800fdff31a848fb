use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

const MAX: u64 = 3_000;

fn registers(hll: HllRef<'_>) -> Vec<u8> {
    let mut registers = Registers::new();
    registers.merge(hll).expect("its registers are sound");
    registers.iter().collect()
}

/// The registers by definition.
fn model(elements: &[Vec<u8>]) -> Vec<u8> {
    let mut registers = vec![0; REGISTERS];
    for element in elements {
        let hash = murmur::hash(element);
        let register = &mut registers[(hash & 0x3fff) as usize];
        let rest = hash >> 14;
        let zeros = (0..50).take_while(|bit| rest >> bit & 1 == 0).count();
        *register = (zeros as u8 + 1).max(*register);
    }
    registers
}

fn elements(
    count: impl Into<proptest::collection::SizeRange>,
) -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(any::<u8>(), 0..20), count)
}

#[test]
fn hashes_are_those_of_redis() {
    // From the register that PFADD of the element raises in Redis, and its value.
    for (element, index, value) in KNOWN_PLACES {
        let place = place(element);
        assert_eq!((place.index, place.value), (*index, *value));
    }
}

/// Elements with the register they raise, and its value.
const KNOWN_PLACES: &[(&[u8], usize, u8)] = &[
    (b"", 5_938, 2),
    (b"a", 12_711, 2),
    (b"hello", 9_216, 1),
    (b"12345678", 10_579, 3),
    (b"1234567890123456789", 2_866, 1),
];

/// For some limits of sparse ones and numbers of elements `e0`, `e1` and so on, each added by a
/// PFADD of its own: length and hash of the string that Redis stores, the same of what PFMERGE
/// makes of it, and the estimate.
const STORED: &str = include_str!("stored.txt");

/// FNV-1a.
fn fingerprint(text: &[u8]) -> String {
    let hash = text.iter().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{}\t{hash:016x}", text.len())
}

#[test]
fn strings_are_those_that_redis_stores() {
    let (mut hll, mut limit, mut added) = (Hll::new(), 0, 0);
    for line in STORED.lines() {
        let fields: Vec<&str> = line.split('\t').collect();
        let number = |at: usize| fields[at].parse::<u64>().expect("a number");
        if limit != number(0) {
            (hll, limit, added) = (Hll::new(), number(0), 0);
        }
        while added < number(1) {
            if hll
                .add(format!("e{added}").as_bytes(), limit)
                .expect("it is sound")
            {
                hll.invalidate();
            }
            added += 1;
        }
        assert_eq!(fingerprint(hll.text()), fields[2..4].join("\t"), "{line}");
        let mut registers = Registers::new();
        registers.merge(hll.as_ref()).expect("it is sound");
        let mut merged = Hll::new();
        if hll.as_ref().encoding() == Encoding::Dense {
            merged.make_dense().expect("it is sound");
        }
        merged.raise_to(&registers, limit).expect("it is sound");
        merged.invalidate();
        assert_eq!(
            fingerprint(merged.text()),
            fields[4..6].join("\t"),
            "{line}"
        );
        assert_eq!(hll.as_ref().count(), Ok(number(6)), "{line}");
    }
}

#[test]
fn an_empty_one_is_a_single_run_of_zeros() {
    let mut hll = Hll::new();
    assert_eq!(hll.text(), b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\0\x7f\xff");
    assert_eq!(hll.as_ref().cached(), Some(0));
    hll.invalidate();
    assert_eq!(hll.as_ref().cached(), None);
    assert_eq!(hll.as_ref().count(), Ok(0));
}

#[test]
fn the_estimate_is_stored_until_it_is_stale() {
    let mut text = Hll::new().text().to_vec();
    store_count(&mut text, 77);
    assert_eq!(HllRef::new(&text).expect("sound").cached(), Some(77));
    invalidate(&mut text);
    assert_eq!(HllRef::new(&text).expect("sound").cached(), None);
}

#[test]
fn neighbours_of_the_same_value_share_a_run() {
    let mut hll = Hll::new();
    let mut raise = |index, value| hll.raise(Place { index, value }, MAX).expect("sound");
    for index in [10, 12, 11, 13, 14] {
        assert!(raise(index, 3));
        assert!(!raise(index, 2));
    }
    let opcodes: Vec<_> = hll.as_ref().opcodes().collect();
    let expected = [
        Opcode::Zero(10),
        Opcode::Value(3, 4),
        Opcode::Value(3, 1),
        Opcode::LongZero(REGISTERS - 15),
    ];
    assert_eq!(opcodes, expected);
}

#[test]
fn a_value_that_does_not_fit_a_run_makes_it_dense() {
    let mut hll = Hll::new();
    let place = Place {
        index: 7,
        value: 33,
    };
    assert_eq!(hll.raise(place, MAX), Ok(true));
    assert_eq!(hll.as_ref().encoding(), Encoding::Dense);
    assert_eq!(registers(hll.as_ref())[7], 33);
    assert_eq!(hll.raise(place, MAX), Ok(false));
}

#[test]
fn strings_of_another_kind_are_refused() {
    let sound = Hll::new();
    let mut dense = sound.clone();
    assert_eq!(dense.make_dense(), Ok(true));
    assert_eq!(dense.make_dense(), Ok(false));
    let mut magic = sound.text().to_vec();
    magic[0] = b'h';
    let mut encoding = sound.text().to_vec();
    encoding[4] = 2;
    let long = [dense.text(), b"x"].concat();
    for bad in [
        &b""[..],
        b"HYLL",
        &magic,
        &encoding,
        &dense.text()[1..],
        &long,
    ] {
        assert_eq!(HllRef::new(bad).err(), Some(HllFault::Foreign));
    }
}

#[test]
fn runs_that_are_not_all_registers_are_corrupt() {
    let mut text = Hll::new().text().to_vec();
    text.push(0);
    let longer = HllRef::new(&text).expect("that shows later");
    assert_eq!(longer.count(), Err(HllFault::Corrupt));
    assert_eq!(Registers::new().merge(longer), Err(HllFault::Corrupt));
    assert_eq!(Hll::from(longer).make_dense(), Err(HllFault::Corrupt));
    let shorter = HllRef::new(&text[..HEADER_BYTES]).expect("that shows later");
    assert_eq!(shorter.count(), Err(HllFault::Corrupt));
    assert_eq!(Hll::from(shorter).add(b"a", MAX), Err(HllFault::Corrupt));
}

#[test]
fn the_self_test_passes() {
    assert_eq!(self_test(), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn registers_are_the_same_whatever_the_encoding(
        elements in elements(0..1200),
        limit in 18..3000u64,
    ) {
        let (mut sparse, mut dense) = (Hll::new(), Hll::new());
        dense.make_dense().expect("it is sound");
        for element in &elements {
            let changed = sparse.add(element, limit).expect("it is sound");
            let mut text = dense.text().to_vec();
            prop_assert_eq!(add_dense(&mut text, element), changed);
            prop_assert_eq!(dense.add(element, limit), Ok(changed));
            prop_assert_eq!(dense.text(), &text);
        }
        let model = model(&elements);
        prop_assert_eq!(registers(sparse.as_ref()), &model[..]);
        prop_assert_eq!(registers(dense.as_ref()), &model[..]);
        prop_assert_eq!(sparse.as_ref().count(), dense.as_ref().count());
        let short = sparse.text().len() as u64 <= limit;
        prop_assert!(short || sparse.as_ref().encoding() == Encoding::Dense);
    }

    #[test]
    fn a_union_has_the_elements_of_all(one in elements(0..300), two in elements(0..300)) {
        let mut both = Registers::new();
        let mut united = Hll::new();
        for part in [&one, &two] {
            let mut hll = Hll::new();
            for element in part {
                hll.add(element, MAX).expect("it is sound");
            }
            both.merge(hll.as_ref()).expect("it is sound");
        }
        united.raise_to(&both, MAX).expect("it is sound");
        let model = model(&[one, two].concat());
        prop_assert_eq!(registers(united.as_ref()), &model[..]);
        prop_assert_eq!(both.count(), united.as_ref().count().expect("it is sound"));
    }

    #[test]
    fn damage_is_no_panic(
        elements in elements(0..200),
        damage in vec((any::<usize>(), any::<u8>()), 0..6),
        cut in any::<usize>(),
    ) {
        let mut hll = Hll::new();
        for element in &elements {
            hll.add(element, MAX).expect("it is sound");
        }
        let mut text = hll.text().to_vec();
        for (at, byte) in damage {
            let len = text.len() - HEADER_BYTES;
            text[HEADER_BYTES + at % len] = byte;
        }
        text.truncate(HEADER_BYTES + cut % (text.len() - HEADER_BYTES + 1));
        if let Ok(damaged) = HllRef::new(&text) {
            let sound = damaged.count().is_ok();
            prop_assert_eq!(Registers::new().merge(damaged).is_ok(), sound);
            let mut own = Hll::from(damaged);
            for element in &elements {
                let added = own.add(element, MAX);
                prop_assert!(added.is_ok() || !sound);
            }
            prop_assert_eq!(own.make_dense().is_ok(), sound);
        }
    }
}
