use super::*;
use proptest::prelude::*;

/// Numbers, what is added to them, and what INCRBYFLOAT of Redis 7.0 on x86-64 makes of both.
const SUMS: &str = include_str!("sums.txt");

fn sum(one: &str, other: &str) -> Option<Extended> {
    let (one, other) = (
        Extended::parse(one.as_bytes())?,
        Extended::parse(other.as_bytes())?,
    );
    Some(one.plus(other))
}

fn shown(number: Option<Extended>) -> String {
    match number {
        None => "no number".into(),
        Some(number) if !number.is_finite() => "infinite".into(),
        Some(number) => number.text(),
    }
}

#[test]
fn sums_are_those_of_redis() {
    for line in SUMS.lines() {
        let [one, other, expected] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line:?} has three fields");
        };
        assert_eq!(shown(sum(one, other)), expected, "{one} + {other}");
    }
}

#[test]
fn the_largest_number_is_read_and_the_next_one_is_not() {
    let largest = shown(sum("1.1897314953572317650e4932", "0"));
    assert!(largest.starts_with("118973149535723176502126385303097020516906332229462420044032"));
    assert_eq!(largest.len(), 4933);
    assert_eq!(shown(sum(&largest, &largest)), "infinite");
    for text in ["1e4932", "1e300"] {
        let text = shown(sum(text, "0"));
        assert_eq!(shown(sum(&text, "0")), text);
    }
    let digits = "1".repeat(TEXT_BYTES_MAX - 500);
    assert!(Extended::parse(format!("{digits}e-5000").as_bytes()).is_some());
    let long = format!("0.{}", "1".repeat(TEXT_BYTES_MAX - 2));
    assert!(Extended::parse(long.as_bytes()).is_some());
    assert!(Extended::parse(format!("{long}1").as_bytes()).is_none());
}

proptest! {
    #[test]
    fn sums_of_fractions_that_fit_are_exact(
        one in -(1i64 << 50)..1 << 50,
        two in -(1i64 << 50)..1 << 50,
        bits in 0..13u32,
    ) {
        // Half of a half and so on has at most so many digits as halvings.
        let text = |number: i64| {
            let whole = number.unsigned_abs() >> bits;
            let rest = number.unsigned_abs() - (whole << bits);
            let fraction = (u128::from(rest) * 10u128.pow(bits)) >> bits;
            let sign = if number < 0 { "-" } else { "" };
            let text = format!("{sign}{whole}.{fraction:0width$}", width = bits as usize);
            let text = text.trim_end_matches('0').trim_end_matches('.');
            if bits == 0 { format!("{sign}{whole}") } else { text.to_string() }
        };
        let plain = |text: String| if text == "-0" { "0".into() } else { text };
        prop_assert_eq!(shown(sum(&text(one), &text(two))), plain(text(one + two)));
    }

    #[test]
    fn a_short_decimal_number_is_written_as_it_was_read(
        whole in 0..64u32,
        fraction in 0..10_000_000_000_000_000u64,
    ) {
        let text = format!("{whole}.{fraction:016}1");
        prop_assert_eq!(shown(sum(&text, "0")), text);
    }

    #[test]
    fn any_text_is_read_without_a_panic(text in "[-+]?[0-9a-fxX.]{0,30}([eEpP][-+]?[0-9]{1,7})?") {
        if let Some(number) = Extended::parse(text.as_bytes()).filter(|number| number.is_finite()) {
            let text = number.text();
            prop_assert!(Extended::parse(text.as_bytes()).is_some());
        }
    }
}
