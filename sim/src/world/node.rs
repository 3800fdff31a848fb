//! One host: its clocks, its disk, and the process that runs on it, if one does.

use std::collections::VecDeque;

use crate::addresses::Addresses;
use crate::client::Client;
use crate::clock::Clock;
use crate::disk::Disk;
use crate::driver::{Driver, Input, Pace};
use crate::ids::{Kind, NodeId};
use crate::queue::{Event, Queue};
use crate::rng::Draws;
use crate::time::{Time, us};

/// One host.
pub struct Node {
    /// Its id.
    pub id: NodeId,
    /// What its process is.
    pub kind: Kind,
    /// Its name in traces.
    pub name: String,
    /// Its clocks.
    pub clock: Clock,
    /// Its disk.
    pub disk: Disk,
    /// Its addresses.
    pub addresses: Addresses,
    /// Its process.
    pub state: State,
    /// What waits for the process.
    pub inbox: VecDeque<Input>,
    /// The slowness of its services.
    pub pace: Pace,
    pub(super) draws: Draws,
    pub(super) turns: Draws,
    wake_at: Option<Time>,
    /// The last wake-up that was put in for a timer: when that is due, and when the event comes.
    timer: Option<(Time, Time)>,
    busy_until: Time,
    /// A disk step ended while the process stood still.
    pub(super) stalled_step: bool,
    /// Something that its process asked of the disk has failed since it started.
    pub(super) disk_failed: bool,
    /// When that was last so.
    pub(super) failed_at: Option<Time>,
    /// When its process died it knew, or had no time to know, that its files may be no good.
    pub(super) files_doubtful: bool,
}

/// The process of a host.
pub enum State {
    /// None.
    Down,
    /// Stopped, as by SIGSTOP.
    Paused(Body),
    /// Running.
    Up(Body),
}

/// What a process is made of.
pub enum Body {
    /// A machine and its driver.
    Machine(Box<Driver>),
    /// A client.
    Client(Box<Client>),
}

impl Node {
    /// A host without a process.
    pub fn new(
        id: NodeId,
        kind: Kind,
        name: String,
        clock: Clock,
        (disk, addresses): (Disk, Addresses),
        (draws, turns): (Draws, Draws),
        pace: Pace,
    ) -> Self {
        Self {
            id,
            kind,
            name,
            clock,
            disk,
            addresses,
            state: State::Down,
            inbox: VecDeque::new(),
            pace,
            draws,
            turns,
            wake_at: None,
            timer: None,
            busy_until: Time::ZERO,
            stalled_step: false,
            disk_failed: false,
            failed_at: None,
            files_doubtful: false,
        }
    }

    /// Has the process run soon, as something waits for it.
    pub fn wake_soon(&mut self, queue: &mut Queue) {
        let delay = us(5 + self.turns.below(40));
        self.wake_by(queue, queue.now() + delay);
    }

    /// Has the process run at `at`, or earlier if it is to run earlier anyway.
    pub fn wake_by(&mut self, queue: &mut Queue, at: Time) {
        let at = at.max(self.busy_until);
        if self.wake_at.is_none_or(|known| at < known) {
            self.wake_at = Some(at);
            queue.push(at, Event::Wake(self.id));
        }
    }

    /// Has the process run a moment after a timer is due. While that is the same from turn to turn,
    /// so is the event.
    pub fn wake_for_timer(&mut self, queue: &mut Queue, due: Time) {
        if self.wake_at.is_some() {
            // There is a turn before; what is due after it is asked for then.
            return;
        }
        let pending =
            |&(of, at): &(Time, Time)| of == due && at > queue.now() && at >= self.busy_until;
        if let Some((_, at)) = self.timer.filter(pending) {
            self.wake_at = Some(at);
            return;
        }
        let late = us(self.turns.below(900));
        self.wake_by(queue, due + late);
        self.timer = self.wake_at.map(|at| (due, at));
    }

    /// Whether a wake-up that has come is the one waited for.
    pub fn take_wake(&mut self, now: Time) -> bool {
        let due = self.wake_at.is_some_and(|at| at <= now);
        if due {
            self.wake_at = None;
        }
        due
    }

    /// Keeps the process busy for a moment after a turn.
    pub fn spend(&mut self, now: Time, inputs: usize) {
        self.busy_until = now + us(10 + 2 * inputs as u64);
    }

    /// The machine that runs here, even if it stands still.
    pub fn driver(&self) -> Option<&Driver> {
        match &self.state {
            State::Up(Body::Machine(driver)) | State::Paused(Body::Machine(driver)) => Some(driver),
            State::Up(Body::Client(_)) | State::Paused(Body::Client(_)) | State::Down => None,
        }
    }

    /// The client that runs here.
    pub fn client_mut(&mut self) -> Option<&mut Client> {
        match &mut self.state {
            State::Up(Body::Client(client)) | State::Paused(Body::Client(client)) => Some(client),
            State::Up(Body::Machine(_)) | State::Paused(Body::Machine(_)) | State::Down => None,
        }
    }
}
