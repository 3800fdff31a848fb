//! The system's log, as syslog(3) writes to it.

use std::os::unix::net::UnixDatagram;

use tracing::Level;

use super::{SyslogTarget, month_name};
use crate::sys::LocalTime;

/// The kind of program a line in the system's log comes from.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Facility {
    /// `user`
    User,
    /// `local0`
    #[default]
    Local0,
    /// `local1`
    Local1,
    /// `local2`
    Local2,
    /// `local3`
    Local3,
    /// `local4`
    Local4,
    /// `local5`
    Local5,
    /// `local6`
    Local6,
    /// `local7`
    Local7,
}

/// Sends datagrams to the logging daemon, if there is one.
pub(super) struct Syslog {
    socket: Option<UnixDatagram>,
    target: SyslogTarget,
}

impl Syslog {
    pub(super) fn open(target: SyslogTarget) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_nonblocking(true)?;
            Ok(socket)
        });
        let socket = socket.ok();
        Self { socket, target }
    }

    /// The daemon may have been restarted since the last line, so each one names its socket.
    /// A line it does not take is lost.
    pub(super) fn send(&self, level: Level, time: LocalTime, message: &str) {
        if let Some(socket) = &self.socket {
            let text = datagram(&self.target, std::process::id(), level, time, message);
            drop(socket.send_to(text.as_bytes(), DAEMON));
        }
    }
}

const DAEMON: &str = "/dev/log";

fn datagram(
    target: &SyslogTarget,
    pid: u32,
    level: Level,
    time: LocalTime,
    message: &str,
) -> String {
    let priority = (facility_number(target.facility) << 3) | severity(level);
    let month = month_name(time.month);
    let (day, hour, minute, second) = (time.day, time.hour, time.minute, time.second);
    let ident = &target.ident;
    format!(
        "<{priority}>{month} {day:2} {hour:02}:{minute:02}:{second:02} {ident}[{pid}]: {message}"
    )
}

fn facility_number(facility: Facility) -> u32 {
    match facility {
        Facility::User => 1,
        Facility::Local0 => 16,
        Facility::Local1 => 17,
        Facility::Local2 => 18,
        Facility::Local3 => 19,
        Facility::Local4 => 20,
        Facility::Local5 => 21,
        Facility::Local6 => 22,
        Facility::Local7 => 23,
    }
}

/// As Redis maps them: debug, informational, notice, warning.
fn severity(level: Level) -> u32 {
    match level {
        Level::TRACE => 7,
        Level::DEBUG => 6,
        Level::INFO => 5,
        Level::WARN | Level::ERROR => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_has_the_form_of_the_c_library() {
        let target = SyslogTarget {
            ident: "redis".to_owned(),
            facility: Facility::Local0,
        };
        let time = LocalTime {
            year: 2026,
            month: 10,
            day: 2,
            hour: 9,
            minute: 1,
            second: 39,
        };
        assert_eq!(
            datagram(&target, 77, Level::INFO, time, "Ready"),
            "<133>Nov  2 09:01:39 redis[77]: Ready"
        );
    }
}
