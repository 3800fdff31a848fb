//! What makes the process a good service: the background, a pidfile, limits.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

use crate::limits::RESERVED_FILES;
use crate::listen::text;
use crate::sys;

/// Goes on in the background: in a new session, with the standard files closed. The process
/// that calls this ends here with status 0. Call before any thread is started.
pub fn daemonize() -> io::Result<()> {
    sys::fork_to_background()?;
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    sys::replace_stdio(&null)
}

/// Has the program that `command` starts get `signal` when the thread that starts it ends.
pub fn end_with_parent(command: &mut Command, signal: i32) {
    sys::end_with_parent(command, signal);
}

/// Sends `signal` to a program that was started here; whether it still ran to get it.
pub fn signal(child: &mut Child, signal: i32) -> io::Result<bool> {
    // Whoever is not reaped yet keeps its process id.
    if child.try_wait()?.is_some() {
        return Ok(false);
    }
    sys::send_signal(child.id(), signal).map(|()| true)
}

/// A file that holds our process id as long as this value lives.
#[derive(Debug)]
pub struct Pidfile {
    path: PathBuf,
}

impl Pidfile {
    /// Writes the file. A failure is told in the log and harms nothing else.
    pub fn write(path: &Path) -> Option<Self> {
        // Absolute, because the working directory may change before the file is removed.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        match std::fs::write(&path, format!("{}\n", std::process::id())) {
            Ok(()) => Some(Self { path }),
            Err(error) => {
                tracing::warn!("Failed to write PID file: {}", text(&error));
                None
            }
        }
    }
}

impl Drop for Pidfile {
    fn drop(&mut self) {
        // Somebody else may have removed it; that is as good.
        drop(std::fs::remove_file(&self.path));
    }
}

/// The memory in which the system looks for the title of the process.
#[derive(Debug)]
pub struct Title(sys::TitleRoom);

impl Title {
    /// Takes the memory over; none if the system does not tell where it is. The arguments of the
    /// process must have been read. Call before any thread is started.
    pub fn claim() -> Option<Self> {
        sys::TitleRoom::claim().map(Self)
    }

    /// Shows a title, as much of it as there is room for.
    pub fn show(&self, text: &str) {
        self.0.write(text.as_bytes());
    }
}

/// The limit of open files leaves no room for a single client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooFewFiles {
    /// The limit in force.
    pub limit: u64,
    /// The limit wanted.
    pub wanted: u64,
}

impl std::fmt::Display for TooFewFiles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { limit, wanted } = self;
        write!(
            f,
            "Your current 'ulimit -n' of {limit} is not enough for the server to start. Please \
             increase your open file limit to at least {wanted}. Exiting."
        )
    }
}

impl std::error::Error for TooFewFiles {}

/// Raises the limit of open files for `maxclients` clients and returns how many clients it has
/// room for, at most that many. The log tells what was done, in Redis's words.
pub fn fit_maxclients(maxclients: u32) -> Result<u32, TooFewFiles> {
    let wanted = u64::from(maxclients) + RESERVED_FILES;
    let (soft, hard) = match sys::file_limit() {
        Ok(limit) => limit,
        Err(error) => {
            tracing::warn!(
                "Unable to obtain the current NOFILE limit ({}), assuming 1024 and setting the \
                 max clients configuration accordingly.",
                text(&error)
            );
            let room = u32::try_from(ASSUMED_FILES - RESERVED_FILES).expect("it is small");
            return Ok(maxclients.min(room));
        }
    };
    if soft >= wanted {
        return Ok(maxclients);
    }
    let refused = match raise(hard, wanted) {
        Ok(()) => {
            tracing::info!(
                "Increased maximum number of open files to {wanted} (it was originally set to \
                 {soft})."
            );
            return Ok(maxclients);
        }
        Err(error) => error,
    };
    // What could not be had whole is had in part: all that the hard limit allows.
    let limit = match sys::set_file_limit(hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    };
    let Some(room) = limit.checked_sub(RESERVED_FILES).filter(|room| *room > 0) else {
        return Err(TooFewFiles { limit, wanted });
    };
    let room = u32::try_from(room).map_or(maxclients, |room| room.min(maxclients));
    tracing::warn!(
        "You requested maxclients of {maxclients} requiring at least {wanted} max file \
         descriptors."
    );
    tracing::warn!(
        "Server can't set maximum open files to {wanted} because of OS error: {}.",
        text(&refused)
    );
    tracing::warn!(
        "Current maximum open files is {limit}. maxclients has been reduced to {room} to \
         compensate for low ulimit. If you need higher maxclients increase 'ulimit -n'."
    );
    Ok(room)
}

/// What Redis takes the limit for when the system does not tell.
const ASSUMED_FILES: u64 = 1024;

/// Below the hard limit anybody may raise the soft one; above it, both have to be.
fn raise(hard: u64, wanted: u64) -> io::Result<()> {
    sys::set_file_limit(wanted, hard.max(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pidfile_lives_as_long_as_its_value() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p.pid");
        let pidfile = Pidfile::write(&path).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert_eq!(written, format!("{}\n", std::process::id()));
        drop(pidfile);
        assert!(!path.exists());
    }

    #[test]
    fn a_pidfile_that_cannot_be_written_is_no_failure() {
        assert!(Pidfile::write(Path::new("/nonexistent/p.pid")).is_none());
    }

    #[test]
    fn few_clients_fit_any_limit() {
        assert_eq!(fit_maxclients(10), Ok(10));
    }

    #[test]
    fn a_program_bound_to_us_runs() {
        let mut command = Command::new("/bin/true");
        end_with_parent(&mut command, libc::SIGTERM);
        assert!(command.status().unwrap().success());
    }

    #[test]
    fn a_signal_reaches_a_program_until_it_has_ended() {
        let mut child = Command::new("/bin/sleep").arg("60").spawn().unwrap();
        assert!(signal(&mut child, libc::SIGTERM).unwrap());
        child.wait().unwrap();
        assert!(!signal(&mut child, libc::SIGTERM).unwrap());
    }
}
