//! Numbers as text, in the one form that can be turned back into the same bytes.

/// The number whose decimal text is exactly `bytes`.
#[must_use]
pub fn parse_canonical(bytes: &[u8]) -> Option<i64> {
    let (negative, digits) = match bytes {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [] => return None,
        [b'0'] => return (!negative).then_some(0),
        [b'0', ..] => return None,
        [..] if digits.len() > 19 => return None,
        [..] => {}
    }
    let mut number: i64 = 0;
    for digit in digits {
        if !digit.is_ascii_digit() {
            return None;
        }
        // Counted downwards, because the lowest number has no positive counterpart.
        number = number
            .checked_mul(10)?
            .checked_sub(i64::from(digit - b'0'))?;
    }
    if negative {
        Some(number)
    } else {
        number.checked_neg()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_canonical_form_is_a_number() {
        for no in [
            "",
            "-",
            "-0",
            "00",
            "01",
            "+1",
            " 1",
            "1 ",
            "1.0",
            "9223372036854775808",
        ] {
            assert_eq!(parse_canonical(no.as_bytes()), None, "{no:?}");
        }
        for yes in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(parse_canonical(yes.to_string().as_bytes()), Some(yes));
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_for_a_number_prints_as_the_same_bytes(text in "-?[0-9]{0,21}") {
            if let Some(number) = parse_canonical(text.as_bytes()) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }
}
