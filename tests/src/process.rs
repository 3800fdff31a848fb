//! A process that does not outlive the test.

use std::fs;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use holdfast_io::daemon;

use crate::wait::{PATIENCE, wait_until};

/// A running program. It is killed when this value goes, and when the thread that started it
/// ends in another way.
#[derive(Debug)]
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program without input. Where its output goes is for the caller to say.
    ///
    /// # Panics
    ///
    /// If it can't be started.
    pub fn start(command: &mut Command) -> Self {
        daemon::end_with_parent(command, libc::SIGKILL);
        let child = command.stdin(Stdio::null()).spawn();
        let child = child.unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its standard output, if that is a pipe; once.
    pub fn take_stdout(&mut self) -> Option<std::process::ChildStdout> {
        self.child.stdout.take()
    }

    /// Sends a signal.
    ///
    /// # Panics
    ///
    /// If the process has ended.
    pub fn signal(&mut self, signal: i32) {
        let sent = daemon::signal(&mut self.child, signal).expect("a child can be signalled");
        assert!(sent, "the process has ended before signal {signal}");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be asked for")
    }

    /// Waits for its end.
    ///
    /// # Panics
    ///
    /// If it goes on for too long.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        wait_until(PATIENCE, "the process ends", || self.ended())
    }

    /// SIGKILL, and waits for the end.
    ///
    /// # Panics
    ///
    /// If the process can't be killed.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a child can be waited for");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that has ended by itself is as good.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Resident memory of a process.
///
/// # Panics
///
/// If there is no such process.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process is there");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line
        .and_then(|line| line.trim().strip_suffix(" kB"))
        .map(str::trim);
    kib.and_then(|kib| kib.parse::<u64>().ok())
        .expect("the system tells kB")
        * 1024
}

/// The time a process has had a processor, for itself and in the system.
///
/// # Panics
///
/// If there is no such process.
pub fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is there");
    // The name before it may have spaces.
    let fields = stat.rsplit(')').next().expect("a split has a last part");
    let ticks = |at: usize| fields.split_whitespace().nth(at)?.parse::<u64>().ok();
    let ticks = ticks(11).zip(ticks(12)).map(|(user, system)| user + system);
    Duration::from_millis(10 * ticks.expect("the system tells both"))
}
