//! The scripts an operator has a Sentinel run: one queue, a few at a time, retried and timed.

use core::time::Duration;
use std::collections::VecDeque;

use crate::limits::{SCRIPTS_QUEUED_MAX, SCRIPTS_RUNNING_MAX};
use crate::machine::{Mono, ScriptExit, ScriptId, Ticket};

/// A command line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Script {
    /// The program.
    pub path: Box<str>,
    /// Its arguments.
    pub args: Vec<String>,
}

/// One script in the queue.
#[derive(Debug)]
pub struct Job {
    /// What to run.
    pub script: Script,
    /// How often it was started.
    pub starts: u32,
    /// Where it stands.
    pub state: JobState,
}

/// Where a script stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum JobState {
    /// Waits for its turn, not before the instant given.
    Scheduled {
        /// The earliest start; `None` if it never ran.
        at: Option<Mono>,
    },
    /// Runs.
    Running {
        /// Of its start.
        ticket: Ticket,
        /// Names the process.
        id: ScriptId,
        /// The process, once it is known.
        pid: Option<u32>,
        /// Since when.
        since: Mono,
        /// Whether it was told to die for taking too long.
        killed: bool,
    },
}

/// What came of a script, as far as anybody is told.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Nothing to tell.
    Silent,
    /// It failed for good: path, signal, exit status.
    Error(Box<str>, i32, i32),
    /// It was killed for taking too long: path and process.
    TimedOut(Box<str>, u32),
}

/// The queue.
#[derive(Debug)]
pub struct Scripts {
    queue: VecDeque<Job>,
    next_id: u64,
    /// A script that runs longer is killed.
    pub max_runtime: Duration,
    /// The delay before the second start; doubled for each one after it.
    pub retry_delay: Duration,
}

/// A script is started no more often than this.
const STARTS_MAX: u32 = 10;

impl Scripts {
    /// An empty queue.
    pub fn new(max_runtime: Duration, retry_delay: Duration) -> Self {
        Self {
            queue: VecDeque::new(),
            next_id: 0,
            max_runtime,
            retry_delay,
        }
    }

    /// Queues a script; of a full queue the oldest that does not run is dropped.
    pub fn push(&mut self, script: Script) {
        if self.queue.len() >= SCRIPTS_QUEUED_MAX {
            let oldest = self.queue.iter().position(|job| !job.is_running());
            let oldest = oldest.expect("fewer scripts run than the queue holds");
            self.queue.remove(oldest);
        }
        self.queue.push_back(Job {
            script,
            starts: 0,
            state: JobState::Scheduled { at: None },
        });
    }

    /// Starts the next script that is due, if one more may run.
    pub fn poll_start(&mut self, now: Mono, ticket: Ticket) -> Option<(ScriptId, Script)> {
        if self.running() >= SCRIPTS_RUNNING_MAX {
            return None;
        }
        let job = self.queue.iter_mut().find(|job| job.is_due(now))?;
        self.next_id += 1;
        let id = ScriptId(self.next_id);
        job.starts += 1;
        job.state = JobState::Running {
            ticket,
            id,
            pid: None,
            since: now,
            killed: false,
        };
        Some((id, job.script.clone()))
    }

    /// Takes the process id of a script that was started; tells whether it runs.
    pub fn spawned(&mut self, script: ScriptId, process: u32) -> bool {
        self.queue.iter_mut().any(|job| match &mut job.state {
            JobState::Running { id, pid, .. } if *id == script => {
                *pid = Some(process);
                true
            }
            JobState::Running { .. } | JobState::Scheduled { .. } => false,
        })
    }

    /// The next running script to kill for taking too long.
    pub fn poll_kill(&mut self, now: Mono) -> Option<ScriptId> {
        let max_runtime = self.max_runtime;
        self.queue.iter_mut().find_map(|job| match &mut job.state {
            JobState::Running {
                id, since, killed, ..
            } if !*killed && *since + max_runtime <= now => {
                *killed = true;
                Some(*id)
            }
            JobState::Running { .. } | JobState::Scheduled { .. } => None,
        })
    }

    /// Takes the end of a script; `None` if the ticket is not one of a script.
    pub fn finish(
        &mut self,
        now: Mono,
        ticket: Ticket,
        pid: u32,
        exit: ScriptExit,
    ) -> Option<Outcome> {
        let index = self
            .queue
            .iter()
            .position(|job| job.ticket() == Some(ticket))?;
        let job = &mut self.queue[index];
        let path = job.script.path.clone();
        let timed_out = matches!(job.state, JobState::Running { killed: true, .. });
        let (signal, code, again, told) = match exit {
            ScriptExit::Exited { code: 0 } => {
                self.queue.remove(index);
                return Some(Outcome::Silent);
            }
            ScriptExit::Exited { code } => (0, code, code == 1, false),
            ScriptExit::Signaled { signal } => (signal, 0, true, false),
            // Redis's figures for a script that could not be started. It counts as a start, or
            // a machine out of processes would be kept busy by reporting just that.
            ScriptExit::NotStarted { .. } => (99, 0, true, true),
        };
        let again = again && job.starts < STARTS_MAX;
        if again {
            let delay = self.retry_delay.saturating_mul(2_u32.pow(job.starts - 1));
            job.state = JobState::Scheduled {
                at: Some(now + delay),
            };
        } else {
            self.queue.remove(index);
        }
        Some(if timed_out {
            Outcome::TimedOut(path, pid)
        } else if again && !told {
            Outcome::Silent
        } else {
            Outcome::Error(path, signal, code)
        })
    }

    /// When a script is to be started or killed next.
    pub fn deadline(&self) -> Option<Mono> {
        let may_start = self.running() < SCRIPTS_RUNNING_MAX;
        self.queue
            .iter()
            .filter_map(|job| match job.state {
                JobState::Scheduled { at } if may_start => Some(at.unwrap_or_default()),
                JobState::Scheduled { .. } | JobState::Running { killed: true, .. } => None,
                JobState::Running { since, .. } => Some(since + self.max_runtime),
            })
            .min()
    }

    /// How many run.
    pub fn running(&self) -> usize {
        self.queue.iter().filter(|job| job.is_running()).count()
    }

    /// Everything queued or running, oldest first.
    pub fn jobs(&self) -> impl ExactSizeIterator<Item = &Job> {
        self.queue.iter()
    }
}

impl Job {
    fn is_running(&self) -> bool {
        matches!(self.state, JobState::Running { .. })
    }

    fn is_due(&self, now: Mono) -> bool {
        match self.state {
            JobState::Scheduled { at } => at.is_none_or(|at| at <= now),
            JobState::Running { .. } => false,
        }
    }

    fn ticket(&self) -> Option<Ticket> {
        match self.state {
            JobState::Running { ticket, .. } => Some(ticket),
            JobState::Scheduled { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Mono = Mono::from_nanos(1_000_000_000);

    const RUNTIME_MAX: Duration = Duration::from_secs(60);
    const RETRY_DELAY: Duration = Duration::from_secs(30);

    fn queue() -> Scripts {
        Scripts::new(RUNTIME_MAX, RETRY_DELAY)
    }

    fn script(name: &str) -> Script {
        Script {
            path: name.into(),
            args: Vec::new(),
        }
    }

    #[test]
    fn exit_status_1_is_retried_ten_times_with_doubling_delays() {
        let mut scripts = queue();
        scripts.push(script("/bin/x"));
        let mut now = NOW;
        let exit = ScriptExit::Exited { code: 1 };
        for start in 1..STARTS_MAX {
            scripts.poll_start(now, Ticket(u64::from(start))).unwrap();
            let ended = scripts.finish(now, Ticket(u64::from(start)), 7, exit);
            assert_eq!(ended, Some(Outcome::Silent));
            let delay = RETRY_DELAY * 2_u32.pow(start - 1);
            assert_eq!(scripts.deadline(), Some(now + delay));
            assert_eq!(scripts.poll_start(now, Ticket(0)), None);
            now = now + delay;
        }
        scripts.poll_start(now, Ticket(99)).unwrap();
        let ended = scripts.finish(now, Ticket(99), 7, exit);
        assert_eq!(ended, Some(Outcome::Error("/bin/x".into(), 0, 1)));
        assert_eq!((scripts.jobs().len(), scripts.deadline()), (0, None));
    }

    #[test]
    fn other_failures_are_reported_and_not_retried() {
        let mut scripts = queue();
        scripts.push(script("/bin/x"));
        scripts.poll_start(NOW, Ticket(1)).unwrap();
        let ended = scripts.finish(NOW, Ticket(1), 7, ScriptExit::Exited { code: 2 });
        assert_eq!(ended, Some(Outcome::Error("/bin/x".into(), 0, 2)));
        assert_eq!(scripts.jobs().len(), 0);
        assert_eq!(
            scripts.finish(NOW, Ticket(1), 7, ScriptExit::Exited { code: 0 }),
            None
        );
    }

    #[test]
    fn a_script_that_can_not_be_started_is_reported_and_waits_its_delay() {
        let mut scripts = queue();
        scripts.push(script("/bin/x"));
        scripts.poll_start(NOW, Ticket(1)).unwrap();
        let ended = scripts.finish(NOW, Ticket(1), 0, ScriptExit::NotStarted { errno: 11 });
        assert_eq!(ended, Some(Outcome::Error("/bin/x".into(), 99, 0)));
        assert_eq!(scripts.deadline(), Some(NOW + RETRY_DELAY));
    }

    #[test]
    fn a_script_that_takes_too_long_is_killed_once_and_tried_again() {
        let mut scripts = queue();
        scripts.push(script("/bin/x"));
        let (id, _) = scripts.poll_start(NOW, Ticket(1)).unwrap();
        assert_eq!(scripts.deadline(), Some(NOW + RUNTIME_MAX));
        let late = NOW + RUNTIME_MAX;
        assert_eq!(scripts.poll_kill(late), Some(id));
        assert_eq!(scripts.poll_kill(late), None);
        let ended = scripts.finish(late, Ticket(1), 42, ScriptExit::Signaled { signal: 9 });
        assert_eq!(ended, Some(Outcome::TimedOut("/bin/x".into(), 42)));
        assert_eq!(scripts.deadline(), Some(late + RETRY_DELAY));
    }

    #[test]
    fn sixteen_run_at_once_and_a_full_queue_drops_the_oldest_that_waits() {
        let mut scripts = queue();
        for n in 0..SCRIPTS_QUEUED_MAX {
            scripts.push(script(&n.to_string()));
        }
        let mut started = 0_u64;
        while scripts.poll_start(NOW, Ticket(started)).is_some() {
            started += 1;
        }
        assert_eq!(started, SCRIPTS_RUNNING_MAX as u64);
        assert_eq!(scripts.deadline(), Some(NOW + RUNTIME_MAX));
        scripts.push(script("new"));
        assert_eq!(scripts.jobs().len(), SCRIPTS_QUEUED_MAX);
        assert_eq!(scripts.running(), SCRIPTS_RUNNING_MAX);
        let dropped = SCRIPTS_RUNNING_MAX.to_string();
        assert!(scripts.jobs().all(|job| *job.script.path != *dropped));
    }
}
