//! What the log says when we find a mistake of our own.

use std::any::Any;
use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

use crate::log;

/// How the process ends after its report.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Ending {
    /// By SIGABRT, which may leave a core file.
    #[default]
    Abort,
    /// With status 1, as `use-exit-on-panic` has it.
    Exit,
}

/// Has a panic of any thread write a report to the log and end the process: a state that broke
/// its own rules must neither be served nor saved.
pub fn install(ending: Ending) {
    std::panic::set_hook(Box::new(move |panic| {
        // A panic while reporting ends the process without another word.
        if !REPORTING.swap(true, Ordering::SeqCst) {
            report(panic);
        }
        match ending {
            Ending::Abort => std::process::abort(),
            Ending::Exit => std::process::exit(1),
        }
    }));
}

static REPORTING: AtomicBool = AtomicBool::new(false);

/// The frame of lines is Redis's, which tools look for.
fn report(panic: &PanicHookInfo<'_>) {
    let line = |text: &str| log::write(Level::WARN, text);
    line("=== REDIS BUG REPORT START: Cut & paste starting from here ===");
    line("=== ASSERTION FAILED ===");
    let place = panic.location().map(ToString::to_string);
    let place = place.as_deref().unwrap_or("an unknown place");
    let what = message_of(panic.payload());
    line(&format!("==> {place} '{what}' is not true"));
    let thread = std::thread::current();
    line(&format!(
        "Holdfast {}, thread '{}'",
        env!("CARGO_PKG_VERSION"),
        thread.name().unwrap_or("unnamed")
    ));
    line("------ STACK TRACE ------");
    line(&format!("Backtrace:\n{}", Backtrace::force_capture()));
    line("=== REDIS BUG REPORT END. Make sure to include from START to END. ===");
}

/// A panic with a fixed text and one with a formatted text carry different types.
fn message_of(payload: &dyn Any) -> &str {
    let fixed = payload.downcast_ref::<&str>().copied();
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    fixed.or(formatted).unwrap_or("no message")
}
