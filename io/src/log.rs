//! The log: `tracing` events as the lines Redis writes.
//!
//! `PID:ROLE DD Mon YYYY HH:MM:SS.mmm LEVEL message`, each one written at once. A log file is
//! opened for every line, so that it can be renamed or truncated at any time.

use std::fmt::{self, Write as _};
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use holdfast_core::machine::{LogLevel, LogRole};
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::{Interest, Subscriber};
use tracing::{Event, Level, Metadata};

mod syslog;

pub use syslog::Facility;

use crate::clock;
use crate::sys::{self, LocalTime};
use syslog::Syslog;

/// Where log lines go.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Standard output if there is none.
    pub file: Option<PathBuf>,
    /// The system's log as well.
    pub syslog: Option<SyslogTarget>,
}

/// How lines in the system's log are marked.
#[derive(Clone, Debug)]
pub struct SyslogTarget {
    /// The program's name.
    pub ident: String,
    /// The kind of program.
    pub facility: Facility,
}

/// Starts the log. Fails if the file can't be written or a log was started before.
pub fn start(target: Target, level: LogLevel) -> io::Result<()> {
    if let Some(path) = &target.file {
        open(path)?;
    }
    let syslog = target.syslog.map(Syslog::open);
    let file = target.file;
    let fresh = SINK.set(Sink { file, syslog }).is_ok();
    if !fresh || tracing::subscriber::set_global_default(Subscribed).is_err() {
        return Err(io::Error::other("the log is already started"));
    }
    set_level(level);
    Ok(())
}

/// Changes how much is logged.
pub fn set_level(level: LogLevel) {
    LEVEL.store(number_of(level), Ordering::Relaxed);
    tracing::callsite::rebuild_interest_cache();
}

/// Stamps lines with the role of a machine from here on; until then they carry `C`.
pub fn set_role(role: LogRole) {
    ROLE.store(letter_of(role), Ordering::Relaxed);
}

/// Writes a line, whatever the level in force.
pub fn write(level: Level, message: &str) {
    let at = clock::wall();
    let role = char::from(ROLE.load(Ordering::Relaxed));
    let mut line = String::with_capacity(message.len() + STAMP_BYTES);
    let time = sys::local_time(at.as_secs());
    let stamp = Stamp {
        pid: std::process::id(),
        role,
        time,
        millis: at.as_millis().rem_euclid(1000),
        mark: mark_of(level),
    };
    writeln!(line, "{stamp} {message}").expect("a string takes every write");
    emit(&line);
    if let Some(syslog) = SINK.get().and_then(|sink| sink.syslog.as_ref()) {
        syslog.send(level, time, message);
    }
}

/// Writes text as it is, without a stamp: the start-up logo.
pub fn write_raw(text: &str) {
    emit(text);
}

/// Lends the file that lines go to, without taking a lock: a signal may have come while a line was
/// written. Only a path of several hundred bytes is copied to the heap to open it. The system's log
/// is not written to.
pub(crate) fn lend_file(write: impl FnOnce(BorrowedFd<'_>)) {
    match SINK.get().and_then(|sink| sink.file.as_ref()) {
        Some(path) => {
            if let Ok(file) = open(path) {
                write(file.as_fd());
            }
        }
        None => write(io::stdout().as_fd()),
    }
}

struct Sink {
    file: Option<PathBuf>,
    syslog: Option<Syslog>,
}

static SINK: OnceLock<Sink> = OnceLock::new();
static ROLE: AtomicU8 = AtomicU8::new(b'C');
static LEVEL: AtomicU8 = AtomicU8::new(NOTICE);

/// Longer than any stamp but that of a far year.
const STAMP_BYTES: usize = 48;
const NOTICE: u8 = 2;

/// Without a log started, lines go to standard output. A line that can't be written is lost, as
/// with Redis: there is nowhere to tell.
fn emit(text: &str) {
    let written = match SINK.get().and_then(|sink| sink.file.as_ref()) {
        Some(path) => open(path).and_then(|mut file| file.write_all(text.as_bytes())),
        None => {
            let mut stdout = io::stdout().lock();
            stdout
                .write_all(text.as_bytes())
                .and_then(|()| stdout.flush())
        }
    };
    drop(written);
}

fn open(path: &PathBuf) -> io::Result<std::fs::File> {
    OpenOptions::new().append(true).create(true).open(path)
}

fn letter_of(role: LogRole) -> u8 {
    match role {
        LogRole::Master => b'M',
        LogRole::Replica => b'S',
        LogRole::Sentinel => b'X',
    }
}

fn number_of(level: LogLevel) -> u8 {
    match level {
        LogLevel::Nothing => 0,
        LogLevel::Warning => 1,
        LogLevel::Notice => NOTICE,
        LogLevel::Verbose => 3,
        LogLevel::Debug => 4,
    }
}

fn level_in_force() -> LevelFilter {
    match LEVEL.load(Ordering::Relaxed) {
        0 => LevelFilter::OFF,
        1 => LevelFilter::WARN,
        NOTICE => LevelFilter::INFO,
        3 => LevelFilter::DEBUG,
        _ => LevelFilter::TRACE,
    }
}

/// Redis's mark of a level: debug, verbose, notice, warning.
fn mark_of(level: Level) -> char {
    match level {
        Level::TRACE => '.',
        Level::DEBUG => '-',
        Level::INFO => '*',
        Level::WARN | Level::ERROR => '#',
    }
}

/// What stands before the message.
struct Stamp {
    pid: u32,
    role: char,
    time: LocalTime,
    millis: i64,
    mark: char,
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LocalTime {
            year,
            month,
            day,
            hour,
            minute,
            second,
        } = self.time;
        let (pid, role, millis, mark) = (self.pid, self.role, self.millis, self.mark);
        let month = month_name(month);
        write!(f, "{pid}:{role} {day:02} {month} {year} ")?;
        write!(f, "{hour:02}:{minute:02}:{second:02}.{millis:03} {mark}")
    }
}

fn month_name(month: usize) -> &'static str {
    const NAMES: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    NAMES[month.min(NAMES.len() - 1)]
}

/// The receiver of all events.
struct Subscribed;

impl Subscriber for Subscribed {
    /// The level may change at any time.
    fn register_callsite(&self, _: &'static Metadata<'static>) -> Interest {
        Interest::sometimes()
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(level_in_force())
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= level_in_force()
    }

    fn event(&self, event: &Event<'_>) {
        let mut message = Message::default();
        event.record(&mut message);
        write(*event.metadata().level(), &message.0);
    }

    /// Spans are not shown, so they need no names.
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The text of an event; its other fields are for traces.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            write!(self.0, "{value:?}").expect("a string takes every write");
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.0.push_str(value);
        }
    }
}

const MESSAGE: &str = "message";

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    #[test]
    fn a_stamp_has_the_form_of_redis() {
        let time = LocalTime {
            year: 2026,
            month: 10,
            day: 2,
            hour: 9,
            minute: 10,
            second: 39,
        };
        let stamp = Stamp {
            pid: 13254,
            role: 'M',
            time,
            millis: 65,
            mark: mark_of(Level::INFO),
        };
        assert_eq!(stamp.to_string(), "13254:M 02 Nov 2026 09:10:39.065 *");
        assert_eq!(month_name(0), "Jan");
        assert_eq!(month_name(11), "Dec");
    }

    #[test]
    fn each_level_lets_the_graver_events_through() {
        for (level, filter) in [
            (LogLevel::Nothing, LevelFilter::OFF),
            (LogLevel::Warning, LevelFilter::WARN),
            (LogLevel::Verbose, LevelFilter::DEBUG),
            (LogLevel::Debug, LevelFilter::TRACE),
            (LogLevel::Notice, LevelFilter::INFO),
        ] {
            LEVEL.store(number_of(level), Ordering::Relaxed);
            assert_eq!(level_in_force(), filter);
        }
        assert!(Level::WARN <= LevelFilter::INFO);
        assert!(Level::DEBUG > LevelFilter::INFO);
    }

    /// Collects messages the way [`Subscribed`] does.
    struct Collector(&'static Mutex<Vec<String>>);

    impl Subscriber for Collector {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }
        fn event(&self, event: &Event<'_>) {
            let mut message = Message::default();
            event.record(&mut message);
            self.0.lock().unwrap().push(message.0);
        }
        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }
        fn record(&self, _: &Id, _: &Record<'_>) {}
        fn record_follows_from(&self, _: &Id, _: &Id) {}
        fn enter(&self, _: &Id) {}
        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn only_the_message_of_an_event_is_shown() {
        static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
        tracing::subscriber::with_default(Collector(&SEEN), || {
            tracing::warn!(port = 6379, "+sdown master {} 127.0.0.1", "mymaster");
            let text = "given as a field";
            tracing::info!(message = text);
        });
        let seen = SEEN.lock().unwrap();
        assert_eq!(
            *seen,
            ["+sdown master mymaster 127.0.0.1", "given as a field"]
        );
    }
}
