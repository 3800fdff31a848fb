//! What the machines log: captured for the trace, counted, and watched for errors.

use std::cell::{Cell, RefCell};
use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Event, Level, Metadata, Subscriber};

/// The target of the events a Sentinel announces.
pub const SENTINEL_EVENT: &str = "sentinel::event";

/// A line a machine logged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Logged {
    /// How urgent.
    pub level: Level,
    /// Whether it is one of Sentinel's announced events.
    pub sentinel_event: bool,
    /// The text.
    pub text: String,
}

/// Lines to be looked at: everything, or only what oracles need.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Detail {
    /// Sentinel events, errors and warnings.
    Events,
    /// Everything.
    All,
}

/// Runs `work` with this thread's machine logs captured.
pub fn capture<T>(detail: Detail, work: impl FnOnce() -> T) -> T {
    LOGGED.with_borrow_mut(Vec::clear);
    CAPTURING.set(true);
    let result = tracing::subscriber::with_default(Capture { detail }, work);
    CAPTURING.set(false);
    result
}

/// Whether this thread runs a simulation.
pub fn capturing() -> bool {
    CAPTURING.get()
}

/// Takes the lines logged since the last call.
pub fn take(into: &mut Vec<Logged>) {
    LOGGED.with_borrow_mut(|logged| into.append(logged));
}

thread_local! {
    static LOGGED: RefCell<Vec<Logged>> = const { RefCell::new(Vec::new()) };
    static CAPTURING: Cell<bool> = const { Cell::new(false) };
}

struct Capture {
    detail: Detail,
}

impl Subscriber for Capture {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if self.enabled(metadata) {
            Interest::always()
        } else {
            Interest::never()
        }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        let core =
            metadata.target().starts_with("holdfast_core") || metadata.target() == SENTINEL_EVENT;
        match self.detail {
            Detail::All => core,
            Detail::Events => {
                metadata.target() == SENTINEL_EVENT || (core && *metadata.level() <= Level::WARN)
            }
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let metadata = event.metadata();
        let mut text = Text(String::new());
        event.record(&mut text);
        let logged = Logged {
            level: *metadata.level(),
            sentinel_event: metadata.target() == SENTINEL_EVENT,
            text: text.0,
        };
        LOGGED.with_borrow_mut(|all| all.push(logged));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Text(String);

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let written = if field.name() == "message" {
            write!(self.0, "{value:?}")
        } else {
            write!(self.0, " {}={value:?}", field.name())
        };
        written.expect("a String takes everything");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(detail: Detail) -> Vec<Logged> {
        let mut lines = Vec::new();
        capture(detail, || {
            tracing::info!(target: "sentinel::event", "+sdown master mymaster 10.0.0.1 6379");
            tracing::error!(target: "holdfast_core::server", "broken");
            tracing::debug!(target: "holdfast_core::server", "chatter");
            tracing::error!(target: "elsewhere", "not ours");
            take(&mut lines);
        });
        lines
    }

    #[test]
    fn sentinel_events_and_errors_are_always_captured() {
        let lines = lines(Detail::Events);
        let texts: Vec<&str> = lines.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, ["+sdown master mymaster 10.0.0.1 6379", "broken"]);
        assert!(lines[0].sentinel_event && !lines[1].sentinel_event);
    }
}
