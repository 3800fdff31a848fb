//! What the system and the allocator say of the process.

use std::fs::File;
use std::os::unix::fs::FileExt;

use holdfast_core::machine::{Facts, Mono};

use crate::limits::FACTS_INTERVAL;
use crate::sys;

/// What the allocator says of itself, in bytes; 0 for what it can't tell.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AllocatorFigures {
    /// Handed out.
    pub allocated: u64,
    /// In active pages.
    pub active: u64,
    /// Kept resident.
    pub resident: u64,
}

/// Reads the facts, at most a few times a second.
pub(crate) struct FactSource {
    /// Kept open: the system renews its text with every read from the start.
    statm: Option<File>,
    page_bytes: u64,
    allocator: fn() -> AllocatorFigures,
    due: Mono,
}

impl FactSource {
    pub(crate) fn new(allocator: fn() -> AllocatorFigures) -> Self {
        Self {
            statm: File::open("/proc/self/statm").ok(),
            page_bytes: sys::page_bytes(),
            allocator,
            due: Mono::default(),
        }
    }

    /// The facts, if the last ones are old.
    pub(crate) fn read(&mut self, now: Mono) -> Option<Facts> {
        if now < self.due {
            return None;
        }
        self.due = now + FACTS_INTERVAL;
        let (cpu_user, cpu_sys) = sys::cpu_times();
        let figures = (self.allocator)();
        Some(Facts {
            rss_bytes: self.rss_bytes(),
            cpu_user,
            cpu_sys,
            allocated_bytes: figures.allocated,
            active_bytes: figures.active,
            resident_bytes: figures.resident,
        })
    }

    fn rss_bytes(&self) -> u64 {
        let mut text = [0; 128];
        let Some(statm) = &self.statm else { return 0 };
        let Ok(filled) = statm.read_at(&mut text, 0) else {
            return 0;
        };
        resident_pages(&text[..filled]).saturating_mul(self.page_bytes)
    }
}

/// The second figure of /proc/self/statm.
fn resident_pages(statm: &[u8]) -> u64 {
    let second = statm.split(|&byte| byte == b' ').nth(1);
    second
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resident_pages_are_the_second_figure() {
        assert_eq!(resident_pages(b"5123 1027 800 1 0 99 0\n"), 1027);
        assert_eq!(resident_pages(b""), 0);
        assert_eq!(resident_pages(b"5 x"), 0);
    }

    #[test]
    fn facts_are_read_again_only_when_they_are_old() {
        let figures = || AllocatorFigures {
            allocated: 7,
            ..AllocatorFigures::default()
        };
        let mut source = FactSource::new(figures);
        let start = Mono::from_nanos(1);
        let facts = source.read(start).expect("there are none yet");
        assert!(facts.rss_bytes > 100_000);
        assert_eq!(facts.allocated_bytes, 7);
        assert_eq!(source.read(start + FACTS_INTERVAL / 2), None);
        assert!(source.read(start + FACTS_INTERVAL).is_some());
    }
}
