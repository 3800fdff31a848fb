//! The allocator, and what it says of itself.

use holdfast_io::AllocatorFigures;
use tikv_jemalloc_ctl::{background_thread, epoch, stats};

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Its name and version as INFO shows them: `jemalloc-5.3.1`.
pub(crate) fn name() -> String {
    let full = tikv_jemalloc_ctl::version::read().unwrap_or("unknown");
    // What follows the first dash names a commit.
    let version = full.split('-').next().unwrap_or(full);
    format!("jemalloc-{version}")
}

/// Lets it give memory back to the system from a thread of its own, so that freeing much does not
/// keep anyone waiting. To be called once the process will not fork any more.
pub(crate) fn start_background_thread() {
    if let Err(error) = background_thread::write(true) {
        tracing::warn!("jemalloc-bg-thread has no effect: {error}");
    }
}

/// What it hands out and holds at present.
pub(crate) fn figures() -> AllocatorFigures {
    // The figures stand still between two advances of the epoch.
    let read = || -> Result<AllocatorFigures, tikv_jemalloc_ctl::Error> {
        epoch::advance()?;
        let bytes = |figure: usize| u64::try_from(figure).unwrap_or(u64::MAX);
        Ok(AllocatorFigures {
            allocated: bytes(stats::allocated::read()?),
            active: bytes(stats::active::read()?),
            resident: bytes(stats::resident::read()?),
        })
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allocator_names_itself_and_counts() {
        let version = name();
        assert!(version.starts_with("jemalloc-5."), "{version}");
        assert!(!version.contains("-0-g"), "{version}");
        let before = figures();
        let held = vec![1_u8; 8 << 20];
        let after = figures();
        assert!(after.allocated >= before.allocated + (4 << 20));
        assert!(after.resident >= after.active);
        drop(held);
    }
}
