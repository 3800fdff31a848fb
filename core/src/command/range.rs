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

#[cfg(test)]
mod tests {
    use super::of;

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
