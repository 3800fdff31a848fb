//! Glob patterns with the rules of Redis: KEYS, SCAN, PSUBSCRIBE, CONFIG GET, ACL.
//!
//! `*` stands for any bytes, `?` for one byte, `[abc]`, `[^abc]` and `[a-z]` for one byte of a
//! class, and `\` makes the next byte literal. A class that is never closed ends with the
//! pattern; a `\` at the end of the pattern is itself.

use crate::limits::GLOB_STARS_MAX;

/// Whether all of `text` matches `pattern`.
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, Case::Sensitive)
}

/// As [`matches()`], with ASCII letters of either case alike.
pub fn matches_ignore_case(pattern: &[u8], text: &[u8]) -> bool {
    run(pattern, text, Case::Ignored)
}

/// Whether `pattern` has a byte that stands for anything but itself; an escape alone has not.
pub fn is_pattern(pattern: &[u8]) -> bool {
    pattern.iter().any(|byte| b"*?[".contains(byte))
}

#[derive(Clone, Copy, PartialEq)]
enum Case {
    Sensitive,
    Ignored,
}

impl Case {
    fn fold(self, byte: u8) -> u8 {
        match self {
            Self::Sensitive => byte,
            Self::Ignored => byte.to_ascii_lowercase(),
        }
    }
}

/// Every element but `*` takes exactly one byte, so going back to the latest `*` alone is enough:
/// the time is bounded by `pattern.len() * text.len()` whatever the pattern.
fn run(pattern: &[u8], text: &[u8], case: Case) -> bool {
    // As in Redis, even `*` needs something to look at.
    if text.is_empty() {
        return pattern.is_empty();
    }
    let (mut at, mut read) = (0, 0);
    // The element after the latest `*`, and the first byte that `*` has not taken yet.
    let mut retry = None;
    let mut stars = 0;
    loop {
        if pattern.get(at) == Some(&b'*') {
            at += 1;
            stars += usize::from(pattern.get(at).is_some_and(|&next| next != b'*'));
            if stars > GLOB_STARS_MAX {
                return false;
            }
            retry = Some((at, read));
            continue;
        }
        if read == text.len() && at == pattern.len() {
            return true;
        }
        let step = match (pattern.get(at..), text.get(read)) {
            (Some(rest), Some(&byte)) if !rest.is_empty() => element(rest, byte, case),
            (Some(_) | None, Some(_) | None) => None,
        };
        match (step, retry) {
            (Some(len), Some(_) | None) => {
                at += len;
                read += 1;
            }
            (None, Some((after, taken))) if taken < text.len() => {
                retry = Some((after, taken + 1));
                at = after;
                read = taken + 1;
            }
            (None, Some(_) | None) => return false,
        }
    }
}

/// The length of the element at the start of `pattern`, if it takes `byte`.
fn element(pattern: &[u8], byte: u8, case: Case) -> Option<usize> {
    match *pattern {
        [b'?', ..] => Some(1),
        [b'[', ref class @ ..] => {
            let (hit, len) = in_class(class, byte, case);
            hit.then_some(1 + len)
        }
        [b'\\', literal, ..] => (case.fold(literal) == case.fold(byte)).then_some(2),
        [literal, ..] => (case.fold(literal) == case.fold(byte)).then_some(1),
        [] => None,
    }
}

/// Whether a class holds `byte`, and how long the class is with its closing bracket.
fn in_class(class: &[u8], byte: u8, case: Case) -> (bool, usize) {
    let negated = class.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut hit = false;
    let byte = case.fold(byte);
    loop {
        match *class.get(at..).unwrap_or_default() {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                hit |= case.fold(literal) == byte;
                at += 2;
            }
            [low, b'-', high, ..] => {
                let (low, high) = (case.fold(low), case.fold(high));
                hit |= (low.min(high)..=low.max(high)).contains(&byte);
                at += 3;
            }
            [literal, ..] => {
                hit |= case.fold(literal) == byte;
                at += 1;
            }
        }
    }
    (hit != negated, at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literal_and_wild_bytes_match_as_in_redis() {
        let yes: &[(&str, &str)] = &[
            ("", ""),
            ("*", "anything"),
            ("***", "x"),
            ("h?llo", "hello"),
            ("h*llo", "heeeello"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[a-c]llo", "hbllo"),
            ("h[c-a]llo", "hbllo"),
            ("h\\*llo", "h*llo"),
            ("[\\]]", "]"),
            ("[^]", "x"),
            ("[ab", "b"),
            ("x\\", "x\\"),
            ("*a*b*c", "xxaxxbxxc"),
            ("[*]", "*"),
            ("[?-A]", "@"),
        ];
        for (pattern, text) in yes {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} does not take {text}"
            );
        }
    }

    #[test]
    fn near_misses_do_not_match() {
        let no: &[(&str, &str)] = &[
            ("", "a"),
            ("?", ""),
            ("*", ""),
            ("**", ""),
            ("a", ""),
            ("a*", "ba"),
            ("h[^e]llo", "hello"),
            ("[]", "]"),
            ("[]a", "a"),
            ("HELLO", "hello"),
            ("*a*b*c", "xxbxxaxxc"),
            ("a\\?", "ab"),
            ("[", ""),
        ];
        for (pattern, text) in no {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} takes {text}"
            );
        }
    }

    #[test]
    fn case_is_ignored_only_when_asked() {
        assert!(matches_ignore_case(b"TIME*", b"timeout"));
        assert!(matches_ignore_case(b"[A-C]x", b"bX"));
        assert!(!matches(b"[A-C]x", b"bx"));
    }

    #[test]
    fn many_stars_cost_no_more_than_pattern_times_text() {
        let pattern = b"*a".repeat(2_000);
        let mut pattern = pattern.as_slice().to_vec();
        pattern.push(b'b');
        assert!(!matches(&pattern, &b"a".repeat(20_000)));
    }

    #[test]
    fn a_pattern_with_too_many_stars_matches_nothing() {
        let text = b"a".repeat(GLOB_STARS_MAX + 1);
        let most = b"*a".repeat(GLOB_STARS_MAX);
        assert!(matches(&most, &text[1..]));
        assert!(matches(&[&most, &b"***"[..]].concat(), &text));
        assert!(matches(&b"**a".repeat(GLOB_STARS_MAX), &text));
        assert!(!matches(&b"*a".repeat(GLOB_STARS_MAX + 1), &text));
        assert!(!matches(&b"**a".repeat(GLOB_STARS_MAX + 1), &text));
    }

    /// The textbook definition but for the text without a byte, which Redis looks at first.
    fn model(pattern: &[u8], text: &[u8]) -> bool {
        if text.is_empty() {
            pattern.is_empty()
        } else {
            textbook(pattern, text)
        }
    }

    /// Exponential and evidently right.
    fn textbook(pattern: &[u8], text: &[u8]) -> bool {
        match (pattern, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (0..=text.len()).any(|skip| textbook(rest, &text[skip..])),
            ([], _) | (_, []) => false,
            (_, [byte, after @ ..]) => match element(pattern, *byte, Case::Sensitive) {
                Some(len) => textbook(&pattern[len..], after),
                None => false,
            },
        }
    }

    proptest! {
        #[test]
        fn every_pattern_matches_as_its_definition_says(
            pattern in "[ab*?\\[\\]^\\\\-]{0,8}",
            text in "[ab\\]\\\\-]{0,8}",
        ) {
            let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
            prop_assert_eq!(matches(pattern, text), model(pattern, text));
        }

        #[test]
        fn any_bytes_are_answered(
            pattern in proptest::collection::vec(any::<u8>(), 0..40),
            text in proptest::collection::vec(any::<u8>(), 0..40),
        ) {
            matches(&pattern, &text);
            matches_ignore_case(&pattern, &text);
        }
    }
}
