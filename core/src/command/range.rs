//! Inclusive index ranges in which negative numbers count from the end.

use core::ops::Range;

/// The part of something `len` long that `start` and `end` mean; `None` if it is empty.
pub fn of(start: i64, end: i64, len: usize) -> Option<Range<usize>> {
    let len_signed = i64::try_from(len).ok()?;
    let from_end = |at: i64| {
        if at < 0 {
            at.saturating_add(len_signed)
        } else {
            at
        }
    };
    let start = from_end(start).max(0);
    let end = from_end(end).min(len_signed - 1);
    if start > end {
        return None;
    }
    let start = usize::try_from(start).ok()?;
    let end = usize::try_from(end).ok()?;
    Some(start..end + 1)
}

/// The part of a text `len` long that `start` and `end` mean. Unlike in a list, an end before
/// the first byte is taken for the first byte (t_string.c, getrangeCommand).
pub fn of_text(start: i64, end: i64, len: usize) -> Option<Range<usize>> {
    if start < 0 && end < 0 && start > end {
        return None;
    }
    clamped(start, end, len)
}

/// As [`of_text`], where even ends in the wrong order are taken for the first byte if both lie
/// before it (bitops.c, bitposCommand).
pub fn clamped(start: i64, end: i64, len: usize) -> Option<Range<usize>> {
    let len_signed = i64::try_from(len).ok()?;
    let before_first = end < 0 && end.saturating_add(len_signed) < 0;
    of(start, if before_first { 0 } else { end }, len)
}

#[cfg(test)]
mod tests {
    use super::{clamped, of, of_text};

    #[test]
    fn an_end_before_a_text_is_its_first_byte() {
        assert_eq!(of_text(0, -100, 5), Some(0..1));
        assert_eq!(of_text(-5, -6, 5), None);
        assert_eq!(clamped(-5, -6, 5), Some(0..1));
        assert_eq!(of_text(-7, -6, 5), Some(0..1));
        assert_eq!(of_text(1, -100, 5), None);
        assert_eq!(of_text(0, -100, 0), None);
        assert_eq!(clamped(-3, -2, 5), Some(2..4));
    }

    #[test]
    fn ranges_are_clamped_to_what_is_there() {
        assert_eq!(of(0, -1, 5), Some(0..5));
        assert_eq!(of(-3, -2, 5), Some(2..4));
        assert_eq!(of(-100, 100, 5), Some(0..5));
        assert_eq!(of(3, 1, 5), None);
        assert_eq!(of(5, 9, 5), None);
        assert_eq!(of(0, -6, 5), None);
        assert_eq!(of(0, -1, 0), None);
        assert_eq!(of(i64::MIN, i64::MAX, 1), Some(0..1));
    }
}
