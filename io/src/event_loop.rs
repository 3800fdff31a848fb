//! The loop: events of the system in, effects and bytes of the machine out.
//!
//! Sockets are reported once per change (edge-triggered) and asked for both directions when they
//! are opened, never again. What a report promised and a turn left undone is remembered in
//! [`Queues`]; as long as they hold something, or the machine says it has a backlog, the loop
//! does not sleep.

use std::io::{self, IoSlice};
use std::sync::Arc;
use std::time::Duration;

use holdfast_core::Machine;
use holdfast_core::machine::{
    Addr, Completion, ConnId, ConnectFault, Done, Effect, Hangup, LogLevel, Mono, Now, ScriptId,
};
use mio::event::Event;
use mio::{Events, Poll, Token};

mod transfer;

use crate::addresses::Addresses;
use crate::clock::Clock;
use crate::daemon::{Pidfile, Title};
use crate::disk::Disk;
use crate::facts::{AllocatorFigures, FactSource};
use crate::inbox::Inbox;
use crate::limits::{ACCEPTS_PER_TURN, EVENTS_PER_TURN};
use crate::listen::Listeners;
use crate::log;
use crate::notify::Notifier;
use crate::resolve::Resolver;
use crate::scripts::Scripts;
use crate::signals::Signals;
use crate::sockets::{RESERVED_INDEX, ReadSide, Sockets, Stream, WriteSide, conn_of};
use crate::sys;

/// What a driver needs beside its machine.
#[derive(Debug)]
pub struct Options {
    /// The clock the machine was made with.
    pub clock: Clock,
    /// Asks the allocator for its figures, a few times a second.
    pub allocator: fn() -> AllocatorFigures,
    /// Removed when the machine ends.
    pub pidfile: Option<Pidfile>,
    /// Where the title of the process is shown.
    pub title: Option<Title>,
}

impl Options {
    /// Without a pidfile, a title and allocator figures.
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            allocator: AllocatorFigures::default,
            pidfile: None,
            title: None,
        }
    }
}

/// Drives a machine until it ends, and returns the exit status it wants. By then its writes to
/// files are done, its last replies are sent as far as the peers took them, and its Unix sockets
/// and the pidfile are removed.
pub fn run<M: Machine>(machine: M, mut options: Options) -> io::Result<u8> {
    sys::close_all_on_exec();
    let mut driver = Driver::new(machine, &mut options)?;
    let mut events = Events::with_capacity(EVENTS_PER_TURN);
    loop {
        if let Some(code) = driver.turn(&events) {
            driver.finish();
            return Ok(code);
        }
        let sleep = driver.sleep();
        driver.give_way();
        match driver.poll.poll(&mut events, sleep) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => events.clear(),
            result => result?,
        }
    }
}

struct Driver<M> {
    machine: M,
    clock: Clock,
    poll: Poll,
    sockets: Sockets,
    listeners: Listeners,
    queues: Queues,
    services: Services,
    signals: Signals,
    facts: FactSource,
    log_level: Option<LogLevel>,
    /// The machine's, as of the end of its last turn.
    deadline: Option<Mono>,
}

/// What is left to do without a new event.
#[derive(Default)]
struct Queues {
    /// Connections that may have something to read: all with [`ReadSide::Queued`], once.
    readable: Vec<ConnId>,
    /// Connections the machine does not want to hear: all with [`ReadSide::Paused`], once.
    paused: Vec<ConnId>,
    /// Connections with room to write: all with [`WriteSide::Queued`], once.
    unsent: Vec<ConnId>,
    /// Answers to effects and failures of writes, for the next turn.
    inputs: Vec<Input>,
}

enum Input {
    Done(Completion),
    Spawned(ScriptId, u32),
    Connected(ConnId, ConnectFault),
    Hangup(ConnId, Hangup),
}

/// What answers later, and from elsewhere.
struct Services {
    inbox: Arc<Inbox>,
    /// Emptied every time; kept for its memory.
    taken: Vec<Completion>,
    disk: Disk,
    resolver: Resolver,
    scripts: Scripts,
    addresses: Addresses,
    notifier: Option<Notifier>,
    title: Option<Title>,
}

const WAKER: Token = Token(RESERVED_INDEX as usize);
const SIGNALS: Token = Token((1 << 32) | RESERVED_INDEX as usize);

impl<M: Machine> Driver<M> {
    fn new(machine: M, options: &mut Options) -> io::Result<Self> {
        log::set_role(machine.log_role());
        let poll = Poll::new()?;
        let inbox = Arc::new(Inbox::new(poll.registry(), WAKER)?);
        let signals = Signals::new(poll.registry(), SIGNALS)?;
        let services = Services {
            disk: Disk::start(Arc::clone(&inbox))?,
            resolver: Resolver::new(Arc::clone(&inbox)),
            scripts: Scripts::default(),
            addresses: Addresses::new(Arc::clone(&inbox)),
            notifier: Notifier::from_env(),
            title: options.title.take(),
            taken: Vec::new(),
            inbox,
        };
        let deadline = machine.poll_timeout().map(|(at, _)| at);
        Ok(Self {
            machine,
            deadline,
            clock: options.clock,
            poll,
            sockets: Sockets::default(),
            listeners: Listeners::default(),
            queues: Queues::default(),
            services,
            signals,
            facts: FactSource::new(options.allocator),
            log_level: None,
        })
    }

    /// Feeds what has happened and carries out what comes of it; the exit status once the
    /// machine has ended.
    fn turn(&mut self, events: &Events) -> Option<u8> {
        let now = self.clock.now();
        if let Some(facts) = self.facts.read(now.mono) {
            self.machine.handle_facts(now, facts);
        }
        self.feed_inputs(now);
        for event in events {
            self.feed_event(now, event);
        }
        self.accept(now);
        self.read_queued(now);
        if self.deadline.is_some_and(|at| at <= now.mono) {
            self.machine.handle_timeout(now);
        }
        self.machine.end_turn(now);
        let ended = self.put_out(now);
        let timer = self.machine.poll_timeout();
        if let Some((at, name)) = timer {
            assert!(
                at > now.mono || self.deadline != Some(at),
                "deadline {name:?} has passed and remains after the turn"
            );
        }
        self.deadline = timer.map(|(at, _)| at);
        self.resume_paused();
        self.stamp_log();
        ended
    }

    /// How long to wait for events; `None` for as long as it takes.
    fn sleep(&self) -> Option<Duration> {
        if self.machine.has_backlog() || self.queues.have_work() {
            return Some(Duration::ZERO);
        }
        let deadlines = self.deadline.into_iter().chain(self.listeners.deadline());
        // Read again, so that a long turn does not make its timers late.
        deadlines.min().map(|at| at.since(self.clock.mono()))
    }

    /// Leaves the processor to whoever else is to run on it, between two turns of nothing but
    /// work in the background. A loop that never sleeps keeps it until the system takes it away,
    /// milliseconds later, and a client on the same host may wait for as long.
    fn give_way(&self) {
        if self.machine.is_in_background() && !self.queues.have_work() {
            std::thread::yield_now();
        }
    }

    fn feed_inputs(&mut self, now: Now) {
        for input in self.queues.inputs.drain(..) {
            match input {
                Input::Done(completion) => self.machine.handle_done(now, completion),
                Input::Spawned(script, pid) => self.machine.handle_spawned(now, script, pid),
                Input::Connected(conn, fault) => {
                    self.machine.handle_connected(now, conn, Err(fault));
                }
                Input::Hangup(conn, cause) => self.machine.handle_hangup(now, conn, cause),
            }
        }
    }

    fn feed_event(&mut self, now: Now, event: &Event) {
        match event.token() {
            WAKER => {
                let Services {
                    inbox, taken, disk, ..
                } = &mut self.services;
                inbox.take(taken);
                for completion in taken.drain(..) {
                    if matches!(completion.done, Done::Disk(_)) {
                        disk.note_answered();
                    }
                    self.machine.handle_done(now, completion);
                }
            }
            SIGNALS => {
                let arrived = self.signals.take();
                if arrived.child {
                    let machine = &mut self.machine;
                    let scripts = &mut self.services.scripts;
                    scripts.reap(|completion| machine.handle_done(now, completion));
                }
                for signal in arrived.for_machine() {
                    self.machine.handle_signal(now, signal);
                }
            }
            token if self.listeners.note_ready(token) => {}
            token => self.feed_readiness(now, conn_of(token), event),
        }
    }

    fn feed_readiness(&mut self, now: Now, conn: ConnId, event: &Event) {
        if !self.finish_connect(now, conn) {
            return;
        }
        let Some(socket) = self.sockets.get_mut(conn) else {
            return;
        };
        let ending = event.is_read_closed() || event.is_error();
        socket.ending |= ending;
        if event.is_writable() && socket.write == WriteSide::Full {
            socket.write = WriteSide::Queued;
            self.queues.unsent.push(conn);
        }
        if !event.is_readable() && !ending {
            return;
        }
        match socket.read {
            ReadSide::Drained => {
                socket.read = ReadSide::Queued;
                self.queues.readable.push(conn);
            }
            ReadSide::Queued => {}
            ReadSide::Paused => self.hang_up_if_broken(now, conn),
        }
    }

    /// Tells of a connection that has come to stand or to nothing; whether it stands.
    fn finish_connect(&mut self, now: Now, conn: ConnId) -> bool {
        let Some(socket) = self.sockets.get_mut(conn) else {
            return false;
        };
        if socket.write != WriteSide::Connecting {
            return true;
        }
        match socket.stream.connected() {
            Ok(None) => false,
            Ok(Some(local)) => {
                socket.stream.set_nodelay();
                socket.write = WriteSide::Queued;
                self.queues.unsent.push(conn);
                self.machine.handle_connected(now, conn, Ok(local));
                true
            }
            Err(error) => {
                self.sockets.remove(conn);
                let errno = errno_of(&error);
                let fault = ConnectFault { errno };
                self.machine.handle_connected(now, conn, Err(fault));
                false
            }
        }
    }

    fn accept(&mut self, now: Now) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some((stream, peer)) = self.listeners.accept(now.mono) else {
                return;
            };
            match self.machine.handle_accept(now, peer) {
                Ok(conn) => {
                    stream.set_nodelay();
                    self.open(conn, stream, WriteSide::Free);
                }
                Err(refusal) => {
                    // The peer may be gone or not listen: it is turned away in any case.
                    drop(stream.write(&[IoSlice::new(refusal.reply.as_bytes())]));
                }
            }
        }
    }

    fn open(&mut self, conn: ConnId, stream: Stream, write: WriteSide) {
        let registry = self.poll.registry();
        if let Err(error) = self.sockets.insert(registry, conn, stream, write) {
            let errno = errno_of(&error);
            self.queues.inputs.push(match write {
                WriteSide::Connecting => Input::Connected(conn, ConnectFault { errno }),
                WriteSide::Free | WriteSide::Queued | WriteSide::Full => {
                    Input::Hangup(conn, Hangup::Error { errno })
                }
            });
        }
    }

    /// Carries out effects and writes; the exit status once the machine has ended.
    fn put_out(&mut self, now: Now) -> Option<u8> {
        let mut ended = self.carry_out();
        if ended.is_none() && !self.queues.inputs.is_empty() {
            // What was done at once may be all that replies wait for.
            self.feed_inputs(now);
            self.machine.end_turn(now);
            ended = self.carry_out();
        }
        if ended.is_some() {
            return ended;
        }
        self.write_queued(now);
        while let Some(conn) = self.machine.poll_writable() {
            self.write_to(now, conn);
        }
        // What was written may have been the last of a connection, or make room for more work.
        self.carry_out()
    }

    fn carry_out(&mut self) -> Option<u8> {
        let mut ended = None;
        while ended.is_none()
            && let Some(effect) = self.machine.poll_effect()
        {
            ended = self.carry_out_one(effect);
        }
        let inputs = &mut self.queues.inputs;
        let answer = |completion| inputs.push(Input::Done(completion));
        self.services.disk.submit(answer);
        ended
    }

    fn carry_out_one(&mut self, effect: Effect) -> Option<u8> {
        match effect {
            Effect::Listen {
                ticket,
                addr,
                backlog,
                access,
            } => {
                let registry = self.poll.registry();
                let bound = self.listeners.listen(registry, &addr, backlog, &access);
                let bound = bound.map_err(|error| errno_of(&error));
                let done = Done::Listen(bound);
                self.answer(Completion { ticket, done });
            }
            Effect::Unlisten { addr } => self.listeners.unlisten(&addr),
            Effect::Connect { conn, to, from } => self.connect(conn, &to, from),
            Effect::Close { conn } => {
                self.sockets.remove(conn);
                self.queues.forget(conn);
            }
            Effect::Keepalive { conn, idle } => {
                if let Some(socket) = self.sockets.get_mut(conn) {
                    socket.stream.set_keepalive(idle);
                }
            }
            Effect::Resolve { ticket, host } => {
                if let Some(addresses) = self.services.resolver.resolve(ticket, host) {
                    let done = Done::Resolved(addresses);
                    self.answer(Completion { ticket, done });
                }
            }
            Effect::Disk { ticket, op } => self.services.disk.push(ticket, op),
            Effect::Spawn {
                ticket,
                script,
                path,
                args,
            } => match self.services.scripts.spawn(ticket, script, &path, &args) {
                Ok(pid) => self.queues.inputs.push(Input::Spawned(script, pid)),
                Err(not_started) => self.answer(not_started),
            },
            Effect::Kill { script } => self.services.scripts.kill(script),
            Effect::Address { ticket, op } => {
                if let Err(refused) = self.services.addresses.push(ticket, op) {
                    self.answer(refused);
                }
            }
            Effect::Notify { state } => {
                if let Some(notifier) = &self.services.notifier {
                    notifier.send(&state);
                }
            }
            Effect::Title { text } => {
                if let Some(title) = &self.services.title {
                    title.show(&text);
                }
            }
            Effect::Exit { code } => return Some(code),
        }
        None
    }

    fn connect(&mut self, conn: ConnId, to: &Addr, from: Option<std::net::IpAddr>) {
        match Stream::connect(to, from) {
            Ok(stream) => self.open(conn, stream, WriteSide::Connecting),
            Err(error) => {
                let errno = errno_of(&error);
                let fault = ConnectFault { errno };
                self.queues.inputs.push(Input::Connected(conn, fault));
            }
        }
    }

    fn answer(&mut self, completion: Completion) {
        self.queues.inputs.push(Input::Done(completion));
    }

    fn stamp_log(&mut self) {
        log::set_role(self.machine.log_role());
        let level = self.machine.log_level();
        if level != self.log_level {
            self.log_level = level;
            if let Some(level) = level {
                log::set_level(level);
            }
        }
    }

    /// The last replies, the last writes to files, and nothing left behind.
    fn finish(mut self) {
        let now = self.clock.now();
        self.write_last(now);
        self.services.disk.finish();
        self.listeners.close();
    }
}

impl Queues {
    fn have_work(&self) -> bool {
        !self.readable.is_empty() || !self.unsent.is_empty() || !self.inputs.is_empty()
    }

    /// Drops what a machine that closed the connection does not expect any more.
    fn forget(&mut self, closed: ConnId) {
        self.inputs.retain(|input| match input {
            Input::Done(_) | Input::Spawned(..) => true,
            Input::Connected(conn, _) | Input::Hangup(conn, _) => *conn != closed,
        });
    }
}

fn errno_of(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap_or(0)
}
