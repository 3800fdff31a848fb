//! What strings are used for: HyperLogLogs that may be damaged, fields of bits, numbers, and what
//! two of them have in common.

use holdfast_core::value::bits::{self, Field, Overflow};
use holdfast_core::value::extended::Extended;
use holdfast_core::value::hyperloglog::{Hll, HllRef, Registers};
use holdfast_core::value::lcs;

/// Works on any string without a panic, and always comes to the same whatever the way.
///
/// The first byte chooses what the rest is used as.
pub fn string_values(data: &[u8]) {
    let [kind, body @ ..] = data else {
        return;
    };
    match kind % 4 {
        0 => hyperloglog(body),
        1 => fields(body),
        2 => number(body),
        _ => common(body),
    }
}

/// Sparse registers, a byte that says how many, and elements of a byte each.
fn hyperloglog(data: &[u8]) {
    let [count, rest @ ..] = data else {
        return;
    };
    let (registers, elements) = rest.split_at(rest.len().min(usize::from(*count)));
    let text = [b"HYLL\x01\0\0\0\0\0\0\0\0\0\0\x80", registers].concat();
    let hll = HllRef::new(&text).expect("its header is sound");
    let estimate = hll.count();
    let mut merged = Registers::new();
    assert_eq!(merged.merge(hll).is_ok(), estimate.is_ok());
    if let Ok(estimate) = estimate {
        assert_eq!(merged.count(), estimate);
    }
    let (mut short, mut long) = (Hll::from(hll), Hll::from(hll));
    for element in elements.chunks(1) {
        let added = (short.add(element, 40), long.add(element, 4_000));
        if estimate.is_ok() {
            assert_eq!(added.0, added.1);
        }
    }
    assert_eq!(short.as_ref().count(), long.as_ref().count());
    assert_eq!(long.make_dense().is_ok(), estimate.is_ok());
}

/// Steps of ten bytes each: sign and width, place, and a number.
fn fields(data: &[u8]) {
    const BYTES: u64 = 64;
    let mut text = vec![0; BYTES as usize];
    let (steps, _) = data.as_chunks::<10>();
    for [kind, place, number @ ..] in steps {
        let sign = if kind % 2 == 0 { 'i' } else { 'u' };
        let Some(field) = Field::parse(format!("{sign}{}", kind / 2).as_bytes()) else {
            continue;
        };
        let at = u64::from(*place);
        let number = i64::from_le_bytes(*number);
        let before = field.read(&text, at);
        let wrapped = field.sum(before, number, Overflow::Wrap);
        let wrapped = wrapped.expect("wrapping always gives a number");
        field.write(&mut text, at, wrapped);
        assert_eq!(field.read(&text, at), wrapped);
        let most = field.sum(before, number, Overflow::Sat);
        assert_eq!(
            most,
            field.sum(most.expect("so does stopping"), 0, Overflow::Fail)
        );
        let own = at..at + u64::from(field.bits());
        let ones = own.clone().filter(|&at| bits::bit(&text, at)).count();
        assert_eq!(bits::count(&text, own.clone()), ones as u64);
        let first = own.clone().find(|&at| bits::bit(&text, at));
        assert_eq!(bits::find(&text, true, own), first);
    }
}

fn number(text: &[u8]) {
    let Some(number) = Extended::parse(text) else {
        return;
    };
    let twice = number.plus(number);
    for number in [number, twice] {
        if number.is_finite() {
            let text = number.text();
            let again = Extended::parse(text.as_bytes()).expect("it is a number");
            assert_eq!(again.text(), text);
        }
    }
}

/// Two strings of the same length, one behind the other.
fn common(data: &[u8]) {
    let (one, two) = data.split_at(data.len() / 2);
    let runs = lcs::runs(one, two);
    for run in &runs {
        assert_eq!(one[run.one..][..run.len], two[run.two..][..run.len]);
    }
    assert!(runs.is_sorted_by(
        |later, run| run.one + run.len <= later.one && run.two + run.len <= later.two
    ));
    let len: usize = runs.iter().map(|run| run.len).sum();
    assert_eq!(lcs::len(one, two), len);
    assert_eq!(lcs::len(two, one), len);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_corpus_is_used_without_a_panic() {
        crate::corpus::replay("string_values", string_values);
    }

    proptest! {
        #[test]
        fn any_bytes_are_used_without_a_panic(data in prop::collection::vec(any::<u8>(), 0..200)) {
            string_values(&data);
        }
    }
}
