//! Drives one machine as `io` does: feeds it what waits, ends the turn, carries out what it asks.

use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use holdfast_core::machine::{
    Addr, Completion, ConnId, ConnectFault, DiskFault, DiskOp, Done, Effect, Hangup, Mono, Now,
    Peer, ScriptExit, ScriptId, Signal, Slices, Ticket,
};

use crate::addresses::Addresses;
use crate::disk::{Disk, Handles};
use crate::ids::{End, NodeId};
use crate::net::{Net, Notice, Read};
use crate::program::Program;
use crate::queue::{Event, Queue};
use crate::rng::Draws;
use crate::schedule::Step;
use crate::sink::Sink;
use crate::time::{ms, us};

const EAFNOSUPPORT: i32 = 97;
const SIGKILL: i32 = 9;
/// Rounds of effects and writes one turn may take before it counts as a livelock.
const ROUNDS_MAX: u32 = 10_000;

/// The parts of the world a turn touches.
pub struct Env<'a> {
    /// Whose turn it is.
    pub node: NodeId,
    /// Its clocks.
    pub now: Now,
    /// What will happen.
    pub queue: &'a mut Queue,
    /// The network.
    pub net: &'a mut Net,
    /// The node's disk.
    pub disk: &'a mut Disk,
    /// The addresses of its host.
    pub addresses: &'a mut Addresses,
    /// The node's randomness.
    pub draws: &'a mut Draws,
    /// Who watches.
    pub sink: &'a mut Sink,
    /// The slowness of the node's disk, resolver and scripts.
    pub pace: Pace,
}

/// How long a node's slow services take.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// The most an append, open or rename takes.
    pub write_max: Duration,
    /// The most a sync takes.
    pub sync_max: Duration,
    /// The most a lookup takes.
    pub resolve_max: Duration,
    /// Whether lookups find nothing.
    pub resolve_fails: bool,
    /// The most a script runs.
    pub script_max: Duration,
    /// How often a script asks to be run again.
    pub script_retry: f64,
    /// How often it fails for good.
    pub script_fails: f64,
    /// How often it does not end by itself.
    pub script_hangs: f64,
    /// How often a step on the host's addresses fails.
    pub address_failing: f64,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            write_max: us(200),
            sync_max: ms(5),
            resolve_max: ms(5),
            resolve_fails: false,
            script_max: ms(500),
            script_retry: 0.05,
            script_fails: 0.03,
            script_hangs: 0.03,
            address_failing: 0.02,
        }
    }
}

/// What waits for a process.
#[derive(Clone, Debug)]
pub enum Input {
    /// Something on the network.
    Net(Notice),
    /// The answer to an effect.
    Done(Completion),
    /// A script was started.
    Spawned(ScriptId, u32),
    /// A signal.
    Signal(Signal),
}

impl Input {
    /// Whether it tells of something to read.
    pub const fn is_read(&self) -> bool {
        matches!(self, Self::Net(Notice::Readable(_)))
    }

    /// Whether something that was asked of the disk has failed.
    pub const fn is_disk_fault(&self) -> bool {
        let Self::Done(done) = self else {
            return false;
        };
        match &done.done {
            Done::Disk(Err(DiskFault::Failed { .. } | DiskFault::NoSpace)) => true,
            Done::Disk(Ok(_) | Err(DiskFault::NotFound))
            | Done::Resolved(_)
            | Done::Listen(_)
            | Done::Script { .. }
            | Done::Address(_) => false,
        }
    }
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Turn {
    /// It sleeps until something happens or its next deadline passes.
    Sleep,
    /// It has more to do at once.
    Again,
    /// The process ended with that status.
    Exit(u8),
    /// It asked for time at or before the present: it would spin for ever.
    Stuck(&'static str),
}

/// A machine and what its process holds.
pub struct Driver {
    program: Box<dyn Program>,
    incarnation: u32,
    /// By the slot of the connection id.
    ends: Vec<Option<(ConnId, End)>>,
    /// Ends with something to read that the machine does not want yet.
    parked: Vec<End>,
    handles: Handles,
    steps: VecDeque<(Ticket, DiskOp)>,
    jobs: Vec<Option<Job>>,
    /// When the machine wants to run again by itself, as of its last turn.
    deadline: Option<Mono>,
}

struct Job {
    ticket: Ticket,
    script: Option<ScriptId>,
    done: Done,
}

impl Driver {
    /// A process that has just started.
    pub fn new(program: Box<dyn Program>, incarnation: u32) -> Self {
        let deadline = program.poll_timeout().map(|(at, _)| at);
        Self {
            program,
            deadline,
            incarnation,
            ends: Vec::new(),
            parked: Vec::new(),
            handles: Handles::default(),
            steps: VecDeque::new(),
            jobs: Vec::new(),
        }
    }

    /// The machine.
    pub fn program(&self) -> &dyn Program {
        &*self.program
    }

    /// Connections the process holds.
    pub fn conns(&self) -> usize {
        self.ends.iter().flatten().count()
    }

    /// When the machine wants to run again by itself.
    pub fn deadline(&self) -> Option<Mono> {
        self.deadline
    }

    /// Runs one turn over everything that waits.
    pub fn turn(&mut self, env: &mut Env<'_>, inbox: &mut VecDeque<Input>) -> Turn {
        let mut parked = std::mem::take(&mut self.parked);
        for end in parked.drain(..) {
            self.on_readable(env, end);
        }
        for input in inbox.drain(..) {
            match input {
                Input::Net(Notice::Accept(end)) => self.on_accept(env, end),
                Input::Net(Notice::Connected(end, result)) => self.on_connected(env, end, result),
                Input::Net(Notice::Readable(end)) => self.on_readable(env, end),
                Input::Net(Notice::Writable(end)) => {
                    if let Some(conn) = env.net.owner(end) {
                        self.flush(env, conn);
                    }
                }
                Input::Done(done) => self.program.handle_done(env.now, done),
                Input::Spawned(script, pid) => {
                    self.program.handle_spawned(env.now, script, pid);
                }
                Input::Signal(signal) => self.program.handle_signal(env.now, signal),
            }
        }
        if self.deadline.is_some_and(|at| at <= env.now.mono) {
            self.program.handle_timeout(env.now);
        }
        self.program.end_turn(env.now);
        if let Some(code) = self.drain(env, inbox) {
            return Turn::Exit(code);
        }
        let timer = self.program.poll_timeout();
        self.deadline = timer.map(|(at, _)| at);
        if let Some((at, name)) = timer
            && at <= env.now.mono
        {
            return Turn::Stuck(name.0);
        }
        if self.program.has_backlog() || !inbox.is_empty() || self.hears_again(env) {
            Turn::Again
        } else {
            Turn::Sleep
        }
    }

    /// Whether a connection that was not to be read from is by now.
    fn hears_again(&self, env: &Env<'_>) -> bool {
        let mut parked = self.parked.iter().filter_map(|&end| env.net.owner(end));
        parked.any(|conn| self.program.wants_read(conn))
    }

    /// [`Event::Disk`]: the first queued step is done. Answers also which it was.
    pub fn on_disk(&mut self, env: &mut Env<'_>) -> Option<(Completion, Step)> {
        let (ticket, op) = self.steps.pop_front()?;
        let done = env.disk.run(&mut self.handles, &op, env.draws);
        env.sink.disk(&op, done.is_ok());
        self.schedule_step(env);
        let completion = Completion {
            ticket,
            done: Done::Disk(done),
        };
        Some((completion, Step::of(&op)))
    }

    /// [`Event::Done`]: a lookup or a script has ended.
    pub fn on_job(&mut self, job: u32) -> Option<Completion> {
        let job = self.jobs.get_mut(job as usize)?.take()?;
        Some(Completion {
            ticket: job.ticket,
            done: job.done,
        })
    }

    /// The process is killed while a step may be under way.
    pub fn die(mut self, disk: &mut Disk, draws: &mut Draws) {
        if let Some((_, op)) = self.steps.pop_front()
            && draws.chance(0.5)
        {
            // Its result has nobody to go to; what it did to the disk stays.
            let _ = disk.run(&mut self.handles, &op, draws);
        }
    }

    fn on_accept(&mut self, env: &mut Env<'_>, end: End) {
        if !env.net.holds(end) {
            return;
        }
        let ways = env.net.ways(end).expect("the end is held");
        let peer = Peer {
            remote: Addr::Tcp(ways.remote),
            local: Addr::Tcp(ways.local),
        };
        match self.program.handle_accept(env.now, peer) {
            Ok(conn) => {
                env.net.adopt(end, conn);
                self.remember(env, conn, end);
            }
            Err(refusal) => {
                let reply = std::io::IoSlice::new(refusal.reply.as_bytes());
                env.net.write(env.queue, end, &[reply]);
                env.net.close(env.queue, end);
            }
        }
    }

    fn on_connected(&mut self, env: &mut Env<'_>, end: End, result: Result<(), i32>) {
        let Some(conn) = env.net.owner(end) else {
            return;
        };
        match result {
            Ok(()) => {
                let local = env.net.ways(end).expect("the end is held").local;
                (self.program).handle_connected(env.now, conn, Ok(Addr::Tcp(local)));
            }
            Err(errno) => {
                self.forget(conn);
                env.net.close(env.queue, end);
                (self.program).handle_connected(env.now, conn, Err(ConnectFault { errno }));
            }
        }
    }

    fn on_readable(&mut self, env: &mut Env<'_>, end: End) {
        let Some(conn) = env.net.owner(end) else {
            return;
        };
        if !self.program.wants_read(conn) {
            self.parked.push(end);
            return;
        }
        let space = self.program.read_space(conn);
        assert!(!space.is_empty(), "the machine lends no room to read into");
        let cause = match env.net.read(env.queue, end, space) {
            Read::Bytes(len) => {
                self.program.handle_read(env.now, conn, len);
                return;
            }
            Read::Empty => return,
            Read::Eof => Hangup::Eof,
            Read::Broken(errno) => Hangup::Error { errno },
        };
        self.forget(conn);
        env.net.close(env.queue, end);
        self.program.handle_hangup(env.now, conn, cause);
    }

    fn drain(&mut self, env: &mut Env<'_>, inbox: &mut VecDeque<Input>) -> Option<u8> {
        for _ in 0..ROUNDS_MAX {
            let mut busy = false;
            while let Some(effect) = self.program.poll_effect() {
                busy = true;
                if let Effect::Exit { code } = effect {
                    return Some(code);
                }
                self.carry_out(env, inbox, effect);
            }
            while let Some(conn) = self.program.poll_writable() {
                busy = true;
                self.flush(env, conn);
            }
            if !busy {
                return None;
            }
        }
        panic!("a turn of {} does not end", env.node);
    }

    fn carry_out(&mut self, env: &mut Env<'_>, inbox: &mut VecDeque<Input>, effect: Effect) {
        match effect {
            Effect::Listen { ticket, addr, .. } => {
                let done = Done::Listen(listen(env, &addr));
                inbox.push_back(Input::Done(Completion { ticket, done }));
            }
            Effect::Unlisten { addr } => {
                if let Addr::Tcp(addr) = addr {
                    env.net.unlisten(env.node, addr.port());
                }
            }
            Effect::Connect { conn, to, .. } => self.connect(env, conn, &to),
            Effect::Close { conn } => {
                if let Some(end) = self.forget(conn) {
                    env.net.close(env.queue, end);
                }
            }
            Effect::Resolve { ticket, host } => {
                let mut found = env.sink.names.resolve(&host);
                if env.pace.resolve_fails {
                    found.clear();
                }
                let found = Done::Resolved(found);
                let after = env.draws.log_duration(us(10), env.pace.resolve_max);
                self.start_job(env, ticket, None, found, after);
            }
            Effect::Disk { ticket, op } => {
                self.steps.push_back((ticket, op));
                if self.steps.len() == 1 {
                    self.schedule_step(env);
                }
            }
            Effect::Spawn { ticket, script, .. } => {
                let mut after = env.draws.log_duration(ms(1), env.pace.script_max);
                let mut code = i32::from(env.draws.chance(env.pace.script_retry));
                if env.draws.chance(env.pace.script_fails) {
                    code = 2;
                }
                if env.draws.chance(env.pace.script_hangs) {
                    after = Duration::from_secs(100_000);
                }
                let pid = 1_000 + u32::try_from(self.jobs.len()).expect("few jobs");
                inbox.push_back(Input::Spawned(script, pid));
                let done = Done::Script {
                    pid,
                    exit: ScriptExit::Exited { code },
                };
                self.start_job(env, ticket, Some(script), done, after);
            }
            Effect::Address { ticket, op } => {
                let (now, failing) = (env.queue.now(), env.pace.address_failing);
                let done = env.addresses.run(now, &op, failing, env.draws);
                let after = env.draws.log_duration(us(20), ms(5));
                self.start_job(env, ticket, None, Done::Address(done), after);
            }
            Effect::Kill { script } => self.kill_script(env, script),
            Effect::Keepalive { .. } | Effect::Notify { .. } | Effect::Title { .. } => {}
            Effect::Exit { .. } => unreachable!("the caller ends the process"),
        }
    }

    fn connect(&mut self, env: &mut Env<'_>, conn: ConnId, to: &Addr) {
        match to {
            Addr::Tcp(to) => {
                let end = env.net.connect(env.queue, env.node, *to, conn);
                self.remember(env, conn, end);
            }
            Addr::Unix(_) => {
                let fault = ConnectFault {
                    errno: EAFNOSUPPORT,
                };
                self.program.handle_connected(env.now, conn, Err(fault));
            }
        }
    }

    fn flush(&mut self, env: &mut Env<'_>, conn: ConnId) {
        let Some(end) = self.end_of(conn) else { return };
        loop {
            let mut slices = Slices::new();
            self.program.writable(conn, &mut slices);
            if slices.iter().all(|slice| slice.is_empty()) {
                return;
            }
            let written = env.net.write(env.queue, end, &slices);
            if written == 0 {
                return;
            }
            env.sink
                .wire(env.queue.now(), env.net, end, &slices, written);
            drop(slices);
            self.program.consume(env.now, conn, written);
        }
    }

    fn schedule_step(&self, env: &mut Env<'_>) {
        let Some((_, op)) = self.steps.front() else {
            return;
        };
        let most = match op {
            DiskOp::Sync { .. } | DiskOp::SyncDir { .. } => env.pace.sync_max,
            DiskOp::Open { .. }
            | DiskOp::Append { .. }
            | DiskOp::Read { .. }
            | DiskOp::Truncate { .. }
            | DiskOp::Length { .. }
            | DiskOp::CanRun { .. }
            | DiskOp::MakeDir { .. }
            | DiskOp::Close { .. }
            | DiskOp::Rename { .. }
            | DiskOp::Remove { .. }
            | DiskOp::ChangeDir { .. } => env.pace.write_max,
        };
        let after = env.draws.log_duration(us(5), most);
        let event = Event::Disk {
            node: env.node,
            incarnation: self.incarnation,
        };
        let begin = env.queue.now().max(env.disk.faults.stalled_until);
        env.queue.push(begin + after, event);
    }

    fn start_job(
        &mut self,
        env: &mut Env<'_>,
        ticket: Ticket,
        script: Option<ScriptId>,
        done: Done,
        after: Duration,
    ) {
        let job = u32::try_from(self.jobs.len()).expect("few jobs");
        self.jobs.push(Some(Job {
            ticket,
            script,
            done,
        }));
        let event = Event::Done {
            node: env.node,
            incarnation: self.incarnation,
            job,
        };
        env.queue.push(env.queue.now() + after, event);
    }

    fn kill_script(&mut self, env: &mut Env<'_>, script: ScriptId) {
        let running = (self.jobs.iter_mut().enumerate())
            .find(|(_, job)| job.as_ref().is_some_and(|job| job.script == Some(script)));
        let Some((index, Some(job))) = running else {
            return;
        };
        if let Done::Script { exit, .. } = &mut job.done {
            *exit = ScriptExit::Signaled { signal: SIGKILL };
        }
        let event = Event::Done {
            node: env.node,
            incarnation: self.incarnation,
            job: u32::try_from(index).expect("few jobs"),
        };
        env.queue.push(env.queue.now() + us(50), event);
    }

    /// The slot may be that of a connection whose end was decided in this turn and is told at the
    /// end of it. The event loop closes that one here, too.
    fn remember(&mut self, env: &mut Env<'_>, conn: ConnId, end: End) {
        let slot = conn.index as usize;
        if self.ends.len() <= slot {
            self.ends.resize(slot + 1, None);
        }
        if let Some((old, replaced)) = self.ends[slot].replace((conn, end)) {
            assert_ne!(old, conn, "an id names one connection");
            env.net.close(env.queue, replaced);
        }
    }

    fn forget(&mut self, conn: ConnId) -> Option<End> {
        let slot = self.ends.get_mut(conn.index as usize)?;
        match *slot {
            Some((id, end)) if id == conn => {
                *slot = None;
                Some(end)
            }
            Some(_) | None => None,
        }
    }

    fn end_of(&self, conn: ConnId) -> Option<End> {
        match *self.ends.get(conn.index as usize)? {
            Some((id, end)) if id == conn => Some(end),
            Some(_) | None => None,
        }
    }
}

fn listen(env: &mut Env<'_>, addr: &Addr) -> Result<Addr, i32> {
    match addr {
        Addr::Tcp(SocketAddr::V4(asked)) => {
            let port = env.net.listen(env.node, asked.port())?;
            Ok(Addr::Tcp(SocketAddr::new(IpAddr::V4(*asked.ip()), port)))
        }
        Addr::Tcp(SocketAddr::V6(_)) | Addr::Unix(_) => Err(EAFNOSUPPORT),
    }
}
