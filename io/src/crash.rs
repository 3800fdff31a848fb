//! What the log says when we find a mistake of our own, or are made to end.

use std::any::Any;
use std::backtrace::Backtrace;
use std::io::{self, Write as _};
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::Level;

use crate::{log, sys};

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
/// its own rules must neither be served nor saved. SIGABRT has one written too, with the place
/// where the main thread is: systemd sends it to a service that hangs. Fails if it can't be taken
/// over.
pub fn install(ending: Ending) -> io::Result<()> {
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
    sys::report_abort(report_abort)
}

static REPORTING: AtomicBool = AtomicBool::new(false);

/// The frame of lines is Redis's, which tools look for.
fn report(panic: &PanicHookInfo<'_>) {
    let line = |text: &str| log::write(Level::WARN, text);
    line(START);
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
    line(STACK);
    line(&format!("Backtrace:\n{}", Backtrace::force_capture()));
    line(END);
}

/// What the signal may come in the middle of is not known, so these lines carry no stamp: that
/// takes the time zone, which is behind a lock.
fn report_abort(sender: i32) {
    if REPORTING.swap(true, Ordering::SeqCst) {
        return;
    }
    log::lend_file(|file| {
        let mut text = [0; REPORT_HEAD_BYTES];
        let mut room = &mut text[..];
        // What does not fit is left out.
        let _cut = write!(
            room,
            "\n\n{START}\nHoldfast {} crashed by signal: {}\nKilled by PID: {sender}\n{STACK}\n",
            env!("CARGO_PKG_VERSION"),
            libc::SIGABRT,
        );
        let left = room.len();
        sys::write_at_once(file, &text[..REPORT_HEAD_BYTES - left]);
        sys::write_stack(file);
        sys::write_at_once(file, END.as_bytes());
        sys::write_at_once(file, b"\n");
    });
}

const START: &str = "=== REDIS BUG REPORT START: Cut & paste starting from here ===";
const STACK: &str = "------ STACK TRACE ------";
const END: &str = "=== REDIS BUG REPORT END. Make sure to include from START to END. ===";
/// Room for everything before the stack.
const REPORT_HEAD_BYTES: usize = 512;

/// A panic with a fixed text and one with a formatted text carry different types.
fn message_of(payload: &dyn Any) -> &str {
    let fixed = payload.downcast_ref::<&str>().copied();
    let formatted = payload.downcast_ref::<String>().map(String::as_str);
    fixed.or(formatted).unwrap_or("no message")
}
