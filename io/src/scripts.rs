//! Script processes.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus};

use holdfast_core::machine::{Completion, Done, ScriptExit, ScriptId, Ticket};

use crate::limits::SCRIPTS_MAX;

/// The scripts that run. They are reaped in the loop, so a process id is never signalled after
/// the system may have given it to another.
#[derive(Default)]
pub(crate) struct Scripts(Vec<Running>);

struct Running {
    ticket: Ticket,
    script: ScriptId,
    child: Child,
}

impl Scripts {
    /// Starts a script with our environment and standard files, and returns its process id. Every
    /// other file of ours closes as it starts. A script that did not start is answered at once.
    pub(crate) fn spawn(
        &mut self,
        ticket: Ticket,
        script: ScriptId,
        path: &str,
        args: &[Vec<u8>],
    ) -> Result<u32, Completion> {
        match self.start(path, args) {
            Ok(child) => {
                let pid = child.id();
                self.0.push(Running {
                    ticket,
                    script,
                    child,
                });
                Ok(pid)
            }
            Err(error) => {
                tracing::debug!("Can't start script '{path}': {error}");
                let errno = error.raw_os_error().unwrap_or(0);
                let exit = ScriptExit::NotStarted { errno };
                Err(answer(ticket, 0, exit))
            }
        }
    }

    fn start(&self, path: &str, args: &[Vec<u8>]) -> io::Result<Child> {
        if self.0.len() >= SCRIPTS_MAX {
            return Err(io::Error::from_raw_os_error(libc::EAGAIN));
        }
        let args = args.iter().map(|arg| OsStr::from_bytes(arg));
        Command::new(path).args(args).spawn()
    }

    /// Kills a script that still runs; it is answered when it has ended.
    pub(crate) fn kill(&mut self, script: ScriptId) {
        for running in &mut self.0 {
            if running.script == script
                && let Err(error) = running.child.kill()
            {
                let pid = running.child.id();
                tracing::warn!("Can't kill script process {pid}: {error}");
            }
        }
    }

    /// Answers for every script that has ended. Call after SIGCHLD.
    pub(crate) fn reap(&mut self, mut answers: impl FnMut(Completion)) {
        self.0.retain_mut(|running| {
            let exit = match running.child.try_wait() {
                Ok(None) => return true,
                Ok(Some(status)) => exit_of(status),
                Err(error) => ScriptExit::NotStarted {
                    errno: error.raw_os_error().unwrap_or(0),
                },
            };
            answers(answer(running.ticket, running.child.id(), exit));
            false
        });
    }
}

fn answer(ticket: Ticket, pid: u32, exit: ScriptExit) -> Completion {
    Completion {
        ticket,
        done: Done::Script { pid, exit },
    }
}

fn exit_of(status: ExitStatus) -> ScriptExit {
    match (status.code(), status.signal()) {
        (Some(code), _) => ScriptExit::Exited { code },
        (None, Some(signal)) => ScriptExit::Signaled { signal },
        (None, None) => unreachable!("a reaped process has exited or was killed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::{Duration, Instant};

    const TICKET: Ticket = Ticket(9);
    const SCRIPT: ScriptId = ScriptId(3);

    fn wait_for_end(scripts: &mut Scripts) -> (u32, ScriptExit) {
        let patience = Instant::now() + Duration::from_secs(10);
        let mut ended = None;
        while ended.is_none() {
            assert!(Instant::now() < patience, "the script does not end");
            scripts.reap(|completion| {
                assert_eq!(completion.ticket, TICKET);
                ended = Some(completion.done);
            });
            std::thread::sleep(Duration::from_millis(2));
        }
        match ended {
            Some(Done::Script { pid, exit }) => (pid, exit),
            other => panic!("{other:?}"),
        }
    }

    fn shell(scripts: &mut Scripts, code: &str) {
        let args = [b"-c".to_vec(), code.as_bytes().to_vec()];
        scripts.spawn(TICKET, SCRIPT, "/bin/sh", &args).unwrap();
    }

    #[test]
    fn the_exit_status_is_told() {
        let mut scripts = Scripts::default();
        shell(&mut scripts, "exit 7");
        let (pid, exit) = wait_for_end(&mut scripts);
        assert!(pid > 0);
        assert_eq!(exit, ScriptExit::Exited { code: 7 });
    }

    #[test]
    fn a_killed_script_is_told_so() {
        let mut scripts = Scripts::default();
        shell(&mut scripts, "sleep 60");
        scripts.kill(SCRIPT);
        let (_, exit) = wait_for_end(&mut scripts);
        let signal = libc::SIGKILL;
        assert_eq!(exit, ScriptExit::Signaled { signal });
        scripts.kill(SCRIPT);
    }

    #[test]
    fn a_script_that_is_not_there_is_answered_at_once() {
        let mut scripts = Scripts::default();
        let answered = scripts.spawn(TICKET, SCRIPT, "/nonexistent/s.sh", &[]);
        let errno = libc::ENOENT;
        let exit = ScriptExit::NotStarted { errno };
        assert_eq!(answered, Err(answer(TICKET, 0, exit)));
    }
}
