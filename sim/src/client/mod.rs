//! Clients as real ones are: they ask Sentinels for the master, check its ROLE, work until
//! something goes wrong, and start over. Some also listen for `+switch-master`, some read from
//! replicas.

mod answer;
pub mod line;
mod mixed;
pub mod record;
pub mod workload;

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::ids::{End, NodeId};
use crate::net::{Net, Notice};
use crate::queue::Queue;
use crate::resp::{Reply, command};
use crate::schedule::Upkeep;
use crate::sink::Sink;
use crate::time::{Time, ms};

use answer::{judge, leaves, replica_addr, socket_addr, switched_to};
use line::{Gone, Line};
use record::{History, Op, Outcome, Record};
use workload::{Plan, encode};

/// The name of the monitored master.
pub const MASTER_NAME: &str = "mymaster";
/// The name of the second master.
pub const SIDE_NAME: &str = "side";

/// The parts of the world a client touches.
pub struct Env<'a> {
    /// The client's node.
    pub node: NodeId,
    /// What will happen.
    pub queue: &'a mut Queue,
    /// The network.
    pub net: &'a mut Net,
    /// Who watches.
    pub sink: &'a mut Sink,
    /// What all clients did.
    pub history: &'a mut History,
    /// The incarnation of each node's process.
    pub incarnations: &'a [u32],
}

/// What a client is there for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// Works on the master.
    Worker,
    /// The same, and follows `+switch-master`.
    Follower,
    /// Reads from replicas.
    Reader,
    /// Does nothing until told to read everything back.
    Verifier,
    /// Orders failovers.
    Operator,
}

/// One client.
pub struct Client {
    role: Role,
    sentinels: Vec<SocketAddr>,
    next_sentinel: usize,
    plan: Plan,
    patience: Patience,
    phase: Phase,
    /// When the present phase ends by itself.
    deadline: Time,
    ears: Ears,
    session: u32,
    /// Where `+switch-master` said to go.
    hint: Option<SocketAddr>,
    /// Reads a verifier still has to do.
    to_verify: VecDeque<Op>,
    /// What an operator still has to say.
    orders: VecDeque<Order>,
    retired: bool,
}

/// One command, and to whom it goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Order {
    to: SocketAddr,
    command: Vec<u8>,
}

impl Order {
    fn new(to: SocketAddr, words: &[&[u8]]) -> Self {
        let mut bytes = Vec::new();
        command(&mut bytes, words);
        let command = bytes;
        Self { to, command }
    }

    /// `SENTINEL FAILOVER` to a Sentinel.
    pub fn failover(sentinel: SocketAddr) -> Self {
        Self::sentinel(sentinel, b"failover")
    }

    fn sentinel(to: SocketAddr, word: &[u8]) -> Self {
        Self::new(to, &[b"SENTINEL", word, MASTER_NAME.as_bytes()])
    }

    /// Any `SENTINEL` command to a Sentinel.
    pub fn to_sentinel(sentinel: SocketAddr, words: &[&str]) -> Self {
        let words = words.iter().map(|word| word.as_bytes());
        let words: Vec<&[u8]> = std::iter::once(&b"SENTINEL"[..]).chain(words).collect();
        Self::new(sentinel, &words)
    }

    /// `CLIENT KILL TYPE` to a server, of its replicas or of its master.
    pub fn unlink(server: SocketAddr, replicas: bool) -> Self {
        let kind: &[u8] = if replicas { b"replica" } else { b"master" };
        Self::new(server, &[b"CLIENT", b"KILL", b"TYPE", kind])
    }

    /// What an operator has a server do about its files.
    pub fn upkeep(server: SocketAddr, what: Upkeep) -> impl Iterator<Item = Self> {
        what.commands()
            .iter()
            .map(move |words| Self::new(server, words))
    }

    /// `FAILOVER` to a server; to a replica that is named, by force.
    pub fn handover(server: SocketAddr, timeout_ms: u64, to: Option<SocketAddr>) -> Self {
        let timeout = timeout_ms.to_string();
        let mut words: Vec<&[u8]> = vec![b"FAILOVER", b"TIMEOUT", timeout.as_bytes()];
        let replica = to.map(|to| (to.ip().to_string(), to.port().to_string()));
        if let Some((host, port)) = &replica {
            words.extend([&b"TO"[..], host.as_bytes(), port.as_bytes(), b"FORCE"]);
        }
        Self::new(server, &words)
    }
}

/// How long a client waits.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a connection or an answer from a Sentinel.
    pub sentinel_ms: u64,
    /// For an answer from a data server.
    pub server_ms: u64,
}

enum Phase {
    Resting,
    Asking(Line),
    Greeting(Line),
    Idle(Line),
    Waiting {
        line: Line,
        number: u32,
        replies: Vec<Reply>,
        expected: usize,
    },
}

enum Ears {
    None,
    Deaf { until: Time },
    Listening(Line),
}

impl Client {
    /// A client that starts to work at `start`.
    pub fn new(
        role: Role,
        sentinels: Vec<SocketAddr>,
        mut plan: Plan,
        patience: Patience,
        start: Time,
    ) -> Self {
        let next_sentinel = plan.draws().index(sentinels.len());
        let ears = match role {
            Role::Follower => Ears::Deaf { until: start },
            Role::Worker | Role::Reader | Role::Verifier | Role::Operator => Ears::None,
        };
        Self {
            role,
            sentinels,
            next_sentinel,
            plan,
            patience,
            phase: Phase::Resting,
            deadline: match role {
                Role::Verifier | Role::Operator => Time::NEVER,
                Role::Worker | Role::Follower | Role::Reader => start,
            },
            ears,
            session: 0,
            hint: None,
            to_verify: VecDeque::new(),
            orders: VecDeque::new(),
            retired: false,
        }
    }

    /// What it is there for.
    pub const fn role(&self) -> Role {
        self.role
    }

    /// Makes a verifier read these, each until it succeeds.
    pub fn verify(&mut self, at: Time, ops: impl IntoIterator<Item = Op>) {
        assert_eq!(self.role, Role::Verifier);
        self.to_verify.extend(ops);
        self.deadline = at;
    }

    /// Makes an operator give an order.
    pub fn order(&mut self, at: Time, order: Order) {
        assert_eq!(self.role, Role::Operator);
        self.orders.push_back(order);
        if matches!(self.phase, Phase::Resting) {
            self.deadline = at;
        }
    }

    /// Ends its work: what is under way is finished, nothing new is begun.
    pub const fn retire(&mut self) {
        self.retired = true;
    }

    /// Reads a verifier still has to do.
    pub fn unverified(&self) -> usize {
        self.to_verify.len()
    }

    /// When the client wants to run again by itself.
    pub fn deadline(&self) -> Time {
        match self.ears {
            Ears::Deaf { until } => until.min(self.deadline),
            Ears::None | Ears::Listening(_) => self.deadline,
        }
    }

    /// Runs one turn.
    pub fn turn(&mut self, env: &mut Env<'_>, inbox: impl Iterator<Item = Notice>) {
        for notice in inbox {
            self.on_notice(env, notice);
        }
        if let Ears::Deaf { until } = self.ears
            && until <= env.queue.now()
        {
            self.listen(env);
        }
        if self.deadline <= env.queue.now() {
            self.on_deadline(env);
        }
    }

    fn on_notice(&mut self, env: &mut Env<'_>, notice: Notice) {
        let end = match notice {
            Notice::Accept(end)
            | Notice::Connected(end, _)
            | Notice::Readable(end)
            | Notice::Writable(end) => end,
        };
        if self.phase.line().is_some_and(|line| line.end == end) {
            let line = self.phase.line().expect("it was just seen");
            match apply(line, env, notice) {
                Ok(()) => self.on_replies(env),
                Err(gone) => {
                    self.on_replies(env);
                    self.on_gone(env, end, &gone);
                }
            }
        } else if let Ears::Listening(line) = &mut self.ears
            && line.end == end
        {
            let alive = apply(line, env, notice);
            self.on_heard(env, alive);
        }
    }

    fn on_replies(&mut self, env: &mut Env<'_>) {
        while let Some(line) = self.phase.line() {
            let end = line.end;
            match line.next_reply() {
                Ok(Some(reply)) => self.on_reply(env, reply),
                Ok(None) => return,
                Err(gone) => {
                    self.on_gone(env, end, &gone);
                    return;
                }
            }
        }
    }

    fn on_reply(&mut self, env: &mut Env<'_>, reply: Reply) {
        match std::mem::replace(&mut self.phase, Phase::Resting) {
            Phase::Resting => {}
            Phase::Asking(line) => {
                line.close(env);
                match self.address(&reply) {
                    Some(to) => self.greet(env, to),
                    None => self.rest(env),
                }
            }
            Phase::Greeting(line) => self.on_role(env, line, &reply),
            Phase::Idle(line) => {
                let text = format!("{:?} came unasked from {}", reply, line.to);
                env.history.note_oddity(text);
                line.close(env);
                self.rest(env);
            }
            Phase::Waiting {
                line,
                number,
                mut replies,
                expected,
            } => {
                replies.push(reply);
                if replies.len() < expected {
                    self.phase = Phase::Waiting {
                        line,
                        number,
                        replies,
                        expected,
                    };
                } else {
                    self.on_answer(env, line, number, &replies);
                }
            }
        }
    }

    fn on_role(&mut self, env: &mut Env<'_>, line: Line, reply: &Reply) {
        let wanted: &[u8] = match self.role {
            Role::Reader => b"slave",
            Role::Worker | Role::Follower | Role::Verifier | Role::Operator => b"master",
        };
        let Reply::Array(Some(items)) = reply else {
            line.close(env);
            return self.rest(env);
        };
        if items.first() == Some(&Reply::Bulk(Some(wanted.to_vec()))) {
            self.session += 1;
            self.phase = Phase::Idle(line);
            self.pause(env);
        } else {
            line.close(env);
            self.rest(env);
        }
    }

    fn on_answer(&mut self, env: &mut Env<'_>, line: Line, number: u32, replies: &[Reply]) {
        let record = &env.history.records()[number as usize];
        let outcome = judge(&record.op, replies);
        let moved = match &outcome {
            Outcome::Refused(text) => leaves(text),
            Outcome::Pending
            | Outcome::Done
            | Outcome::Kept
            | Outcome::Waited(_)
            | Outcome::List(_)
            | Outcome::Value(_)
            | Outcome::Unknown => false,
        };
        if self.role == Role::Verifier && outcome.is_success() {
            self.to_verify.pop_front();
        }
        env.history.tell(number, env.queue.now(), outcome);
        if moved || self.hint.is_some() {
            line.close(env);
            match self.hint.take() {
                Some(to) => self.greet(env, to),
                None => self.rest(env),
            }
            return;
        }
        self.phase = Phase::Idle(line);
        self.pause(env);
    }

    fn on_gone(&mut self, env: &mut Env<'_>, end: End, gone: &Gone) {
        if self.phase.line().is_none_or(|line| line.end != end) {
            return;
        }
        if let Gone::Malformed(malformed) = gone {
            env.history
                .note_oddity(format!("a reply began {:?}", malformed.line));
        }
        self.give_up(env);
    }

    fn on_deadline(&mut self, env: &mut Env<'_>) {
        let idle = matches!(self.phase, Phase::Resting | Phase::Idle(_));
        if self.retired && idle {
            self.deadline = Time::NEVER;
            return;
        }
        match std::mem::replace(&mut self.phase, Phase::Resting) {
            Phase::Resting => self.ask(env),
            Phase::Idle(line) => self.next_op(env, line),
            phase @ (Phase::Asking(_) | Phase::Greeting(_) | Phase::Waiting { .. }) => {
                self.phase = phase;
                self.give_up(env);
            }
        }
    }

    /// Ends whatever is under way and starts over later.
    fn give_up(&mut self, env: &mut Env<'_>) {
        match std::mem::replace(&mut self.phase, Phase::Resting) {
            Phase::Resting => {}
            Phase::Asking(line) | Phase::Greeting(line) | Phase::Idle(line) => line.close(env),
            Phase::Waiting { line, number, .. } => {
                env.history.tell(number, env.queue.now(), Outcome::Unknown);
                line.close(env);
            }
        }
        self.rest(env);
    }

    fn rest(&mut self, env: &Env<'_>) {
        self.phase = Phase::Resting;
        self.deadline = match self.role {
            Role::Operator if self.orders.is_empty() => Time::NEVER,
            Role::Operator => env.queue.now(),
            Role::Worker | Role::Follower | Role::Reader | Role::Verifier => {
                env.queue.now() + ms(self.plan.draws().between(50, 500))
            }
        };
    }

    fn pause(&mut self, env: &Env<'_>) {
        self.deadline = match self.role {
            Role::Verifier if self.to_verify.is_empty() => Time::NEVER,
            Role::Verifier => env.queue.now(),
            Role::Worker | Role::Follower | Role::Reader | Role::Operator => {
                env.queue.now() + self.plan.think()
            }
        };
    }

    fn ask(&mut self, env: &mut Env<'_>) {
        let order = match self.role {
            Role::Operator => self.orders.pop_front(),
            Role::Reader => Some(Order::sentinel(self.next_sentinel(), b"replicas")),
            Role::Worker | Role::Follower | Role::Verifier => {
                let word = b"get-master-addr-by-name";
                Some(Order::sentinel(self.next_sentinel(), word))
            }
        };
        let Some(order) = order else {
            self.deadline = Time::NEVER;
            return;
        };
        let mut line = Line::connect(env, order.to);
        line.send(env, &order.command);
        self.phase = Phase::Asking(line);
        self.deadline = env.queue.now() + ms(self.patience.sentinel_ms);
    }

    fn greet(&mut self, env: &mut Env<'_>, to: SocketAddr) {
        let mut line = Line::connect(env, to);
        let mut question = Vec::new();
        command(&mut question, &[b"ROLE"]);
        line.send(env, &question);
        self.phase = Phase::Greeting(line);
        self.deadline = env.queue.now() + ms(self.patience.server_ms);
    }

    fn next_op(&mut self, env: &mut Env<'_>, mut line: Line) {
        let op = match self.role {
            Role::Worker | Role::Follower => self.plan.next_op(),
            Role::Reader | Role::Operator => self.plan.next_read(),
            Role::Verifier => match self.to_verify.front() {
                Some(op) => *op,
                None => {
                    self.phase = Phase::Idle(line);
                    self.deadline = Time::NEVER;
                    return;
                }
            },
        };
        let server = NodeId::by_ip(line.to.ip(), env.incarnations.len())
            .expect("a connection was made, so the node exists");
        let number = env.history.ask(Record {
            client: env.node,
            session: self.session,
            server,
            incarnation: env.incarnations[server.index()],
            as_master: self.role != Role::Reader,
            op,
            asked: env.queue.now(),
            told: Time::NEVER,
            outcome: Outcome::Pending,
        });
        let mut question = Vec::new();
        let expected = encode(&op, &mut question);
        line.send(env, &question);
        self.phase = Phase::Waiting {
            line,
            number,
            replies: Vec::new(),
            expected,
        };
        self.deadline = env.queue.now() + ms(self.patience.server_ms);
    }

    fn next_sentinel(&mut self) -> SocketAddr {
        let sentinel = self.sentinels[self.next_sentinel];
        self.next_sentinel = (self.next_sentinel + 1) % self.sentinels.len();
        sentinel
    }

    fn listen(&mut self, env: &mut Env<'_>) {
        let sentinel = self.next_sentinel();
        let mut line = Line::connect(env, sentinel);
        let mut question = Vec::new();
        command(&mut question, &[b"SUBSCRIBE", b"+switch-master"]);
        line.send(env, &question);
        self.ears = Ears::Listening(line);
    }

    fn on_heard(&mut self, env: &mut Env<'_>, mut alive: Result<(), Gone>) {
        while let Ears::Listening(line) = &mut self.ears {
            match line.next_reply() {
                Ok(Some(reply)) => {
                    if let Some(to) = switched_to(&reply) {
                        self.follow(env, to);
                    }
                }
                Ok(None) => break,
                Err(gone) => {
                    alive = Err(gone);
                    break;
                }
            }
        }
        if alive.is_err() {
            let until = env.queue.now() + ms(self.plan.draws().between(200, 2_000));
            if let Ears::Listening(line) = std::mem::replace(&mut self.ears, Ears::Deaf { until }) {
                line.close(env);
            }
        }
    }

    fn follow(&mut self, env: &mut Env<'_>, to: SocketAddr) {
        if self.phase.line().is_some_and(|line| line.to == to) {
            return;
        }
        if let Phase::Waiting { .. } = self.phase {
            self.hint = Some(to);
            return;
        }
        if let Some(line) = std::mem::replace(&mut self.phase, Phase::Resting).into_line() {
            line.close(env);
        }
        self.greet(env, to);
    }

    /// The address in a Sentinel's answer.
    fn address(&mut self, reply: &Reply) -> Option<SocketAddr> {
        let Reply::Array(Some(items)) = reply else {
            return None;
        };
        match self.role {
            Role::Worker | Role::Follower | Role::Verifier | Role::Operator => {
                let [Reply::Bulk(Some(host)), Reply::Bulk(Some(port))] = &items[..] else {
                    return None;
                };
                socket_addr(host, port)
            }
            Role::Reader => {
                let usable: Vec<SocketAddr> = items.iter().filter_map(replica_addr).collect();
                if usable.is_empty() {
                    return None;
                }
                Some(*self.plan.draws().pick(&usable))
            }
        }
    }
}

impl Phase {
    const fn line(&mut self) -> Option<&mut Line> {
        match self {
            Self::Resting => None,
            Self::Asking(line) | Self::Greeting(line) | Self::Idle(line) => Some(line),
            Self::Waiting { line, .. } => Some(line),
        }
    }

    fn into_line(self) -> Option<Line> {
        match self {
            Self::Resting => None,
            Self::Asking(line) | Self::Greeting(line) | Self::Idle(line) => Some(line),
            Self::Waiting { line, .. } => Some(line),
        }
    }
}

fn apply(line: &mut Line, env: &mut Env<'_>, notice: Notice) -> Result<(), Gone> {
    match notice {
        Notice::Connected(_, result) => line.on_connected(env, result),
        Notice::Readable(_) => line.read(env),
        Notice::Writable(_) => {
            line.flush(env);
            Ok(())
        }
        Notice::Accept(_) => unreachable!("clients do not listen"),
    }
}
