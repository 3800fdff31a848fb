use super::*;
use proptest::collection::vec;
use proptest::prelude::*;

/// Every bit of a text, one by one.
fn bits(text: &[u8]) -> Vec<bool> {
    let of_byte = |byte: &u8| {
        (0..8)
            .map(|at| byte >> (7 - at) & 1 == 1)
            .collect::<Vec<_>>()
    };
    text.iter().flat_map(of_byte).collect()
}

/// Texts with long runs of equal bits, and random ones.
fn text() -> impl Strategy<Value = Vec<u8>> {
    let run =
        (any::<bool>(), 0..20usize).prop_map(|(on, len)| vec![if on { 0xff } else { 0 }; len]);
    let noise = vec(any::<u8>(), 0..12);
    vec(prop_oneof![3 => run, 1 => noise], 0..5).prop_map(|parts| parts.concat())
}

/// A text and a range of its bits.
fn text_and_range() -> impl Strategy<Value = (Vec<u8>, Range<u64>)> {
    (text(), any::<u64>(), any::<u64>()).prop_map(|(text, one, two)| {
        let len = text.len() as u64 * 8 + 1;
        let (one, two) = (one % len, two % len);
        (text, one.min(two)..one.max(two))
    })
}

fn field() -> impl Strategy<Value = Field> {
    let kinds = prop_oneof![
        (1..=64u8).prop_map(|bits| format!("i{bits}")),
        (1..=63u8).prop_map(|bits| format!("u{bits}")),
    ];
    kinds.prop_map(|kind| Field::parse(kind.as_bytes()).expect("a kind of field"))
}

/// The number that bits stand for, by the definition of two's complement.
fn number(bits: &[bool], signed: bool) -> i128 {
    let sum = bits.iter().fold(0, |sum, &bit| sum * 2 + i128::from(bit));
    if signed && bits[0] {
        sum - (1 << bits.len())
    } else {
        sum
    }
}

proptest! {
    #[test]
    fn bits_are_counted_and_found_as_one_by_one((text, range) in text_and_range()) {
        let all = bits(&text);
        let part = &all[range.start as usize..range.end as usize];
        let set = part.iter().filter(|&&bit| bit).count() as u64;
        prop_assert_eq!(count(&text, range.clone()), set);
        for on in [false, true] {
            let first = part.iter().position(|&bit| bit == on);
            let first = first.map(|at| range.start + at as u64);
            prop_assert_eq!(find(&text, on, range.clone()), first);
        }
    }

    #[test]
    fn a_bit_that_was_set_is_read_again_and_no_other_changes(
        mut text in vec(any::<u8>(), 1..40),
        at: u64,
        on: bool,
    ) {
        let at = at % (text.len() as u64 * 8);
        let mut expected = bits(&text);
        prop_assert_eq!(bit(&text, at), expected[at as usize]);
        expected[at as usize] = on;
        set_bit(&mut text, at, on);
        prop_assert_eq!(bits(&text), expected);
        prop_assert!(!bit(&text, text.len() as u64 * 8));
        prop_assert!(!bit(&text, u64::MAX));
    }

    #[test]
    fn strings_are_combined_as_if_padded_with_zeros(one in text(), two in text()) {
        for op in [BitOp::And, BitOp::Or, BitOp::Xor] {
            let mut result = one.clone();
            op.fold(&mut result, &two);
            let byte = |text: &[u8], at: usize| text.get(at).copied().unwrap_or(0);
            let expected: Vec<u8> = (0..one.len().max(two.len()))
                .map(|at| (byte(&one, at), byte(&two, at)))
                .map(|(one, two)| match op {
                    BitOp::And => one & two,
                    BitOp::Or => one | two,
                    BitOp::Xor => one ^ two,
                })
                .collect();
            prop_assert_eq!(result, expected);
        }
        let mut inverted = one.clone();
        invert(&mut inverted);
        prop_assert!(one.iter().zip(&inverted).all(|(one, two)| *one == !two));
    }

    #[test]
    fn a_field_is_read_as_its_bits_say(
        text in vec(any::<u8>(), 0..30),
        at in 0..300u64,
        field in field(),
    ) {
        let mut all = bits(&text);
        all.resize(400, false);
        let part = &all[at as usize..at as usize + usize::from(field.bits())];
        let signed = field.fit(-1, Overflow::Fail) == Some(-1);
        prop_assert_eq!(i128::from(field.read(&text, at)), number(part, signed));
    }

    #[test]
    fn a_field_that_was_written_is_read_again_and_no_other_bit_changes(
        text in vec(any::<u8>(), 40..50),
        at in 0..250u64,
        field in field(),
        value: i64,
    ) {
        let value = field.fit(value, Overflow::Wrap).expect("it wraps");
        let mut after = text.clone();
        field.write(&mut after, at, value);
        prop_assert_eq!(field.read(&after, at), value);
        let (before, mut after) = (bits(&text), bits(&after));
        let own = at as usize..at as usize + usize::from(field.bits());
        after[own.clone()].copy_from_slice(&before[own]);
        prop_assert_eq!(before, after);
    }

    #[test]
    fn sums_fit_or_wrap_or_stop_at_the_end_or_fail(
        bits in 1..=63u8,
        signed: bool,
        before: i64,
        by: i64,
        shift in 0..64u32,
    ) {
        let kind = format!("{}{bits}", if signed { 'i' } else { 'u' });
        let field = Field::parse(kind.as_bytes()).expect("a kind of field");
        let (before, by) = (field.fit(before, Overflow::Wrap).expect("it wraps"), by >> shift);
        let sum = i128::from(before) + i128::from(by);
        let low = if signed { -(1i128 << (bits - 1)) } else { 0 };
        let high = low + (1 << bits) - 1;
        let fits = (low..=high).contains(&sum);
        let wrapped = (sum - low).rem_euclid(1 << bits) + low;
        let of = |overflow| field.sum(before, by, overflow).map(i128::from);
        prop_assert_eq!(of(Overflow::Wrap), Some(wrapped));
        prop_assert_eq!(of(Overflow::Sat), Some(sum.clamp(low, high)));
        prop_assert_eq!(of(Overflow::Fail), fits.then_some(sum));
    }
}

#[test]
fn kinds_of_fields_have_a_letter_and_a_width() {
    for good in ["i1", "i64", "u1", "u63"] {
        assert!(Field::parse(good.as_bytes()).is_some(), "{good}");
    }
    for bad in [
        "", "i", "u64", "i65", "i0", "u0", "U8", "i08", "i-1", "8", "i8 ",
    ] {
        assert_eq!(Field::parse(bad.as_bytes()), None, "{bad}");
    }
}

#[test]
fn numbers_without_sign_are_taken_from_64_bits() {
    let byte = Field::parse(b"u8").expect("a kind of field");
    assert_eq!(byte.fit(-1, Overflow::Sat), Some(255));
    assert_eq!(byte.fit(-1, Overflow::Wrap), Some(255));
    assert_eq!(byte.fit(-1, Overflow::Fail), None);
    assert_eq!(byte.sum(3, -5, Overflow::Sat), Some(0));
}

#[test]
fn a_value_far_below_its_field_saturates_as_in_redis() {
    let byte = Field::parse(b"i8").expect("a kind of field");
    assert_eq!(byte.fit(i64::MIN, Overflow::Sat), Some(127));
    assert_eq!(byte.fit(i64::MIN + 808, Overflow::Sat), Some(-128));
    assert_eq!(byte.sum(0, i64::MIN, Overflow::Sat), Some(-128));
    let whole = Field::parse(b"i64").expect("a kind of field");
    assert_eq!(whole.fit(i64::MIN, Overflow::Sat), Some(i64::MIN));
    assert_eq!(whole.sum(i64::MIN, -1, Overflow::Sat), Some(i64::MIN));
}
