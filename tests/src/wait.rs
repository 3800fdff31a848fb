//! Waiting for what has to come.

use std::thread;
use std::time::{Duration, Instant};

/// For what should come at once, on however slow a machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(5);

/// Asks `look` again and again until it finds something.
///
/// # Panics
///
/// If it finds nothing for that long; the message tells `what` was waited for.
#[track_caller]
pub fn wait_until<T>(patience: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(
            started.elapsed() < patience,
            "not within {patience:?}: {what}"
        );
        thread::sleep(PAUSE);
    }
}
