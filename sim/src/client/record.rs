//! What clients asked and what they were told: the history the oracles judge.

use crate::ids::NodeId;
use crate::schedule::Upkeep;
use crate::time::Time;

/// A value pushed once in a run: the client in the high digits, its count in the low ones.
pub type Element = u64;

/// Elements of one client.
pub const ELEMENTS_PER_CLIENT: u64 = 1_000_000;

/// One operation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Op {
    /// RPUSH of one unique element.
    Push {
        /// The list.
        list: u32,
        /// The element.
        element: Element,
    },
    /// The same inside MULTI or in a script, with one to a second list.
    PushTwo {
        /// The first list.
        list: u32,
        /// The second list.
        other: u32,
        /// The element pushed to both.
        element: Element,
        /// What the server is told to do about its files in between.
        between: Option<Upkeep>,
        /// How long the script loops in between that does it, if one does.
        script: Option<u64>,
    },
    /// RPUSH followed by WAIT.
    PushWait {
        /// The list.
        list: u32,
        /// The element.
        element: Element,
        /// Replicas that shall have it.
        replicas: u32,
    },
    /// RPUSH followed by WAITAOF on the server itself.
    PushKept {
        /// The list.
        list: u32,
        /// The element.
        element: Element,
    },
    /// LRANGE of a whole list.
    Read {
        /// The list.
        list: u32,
        /// How long the script loops before that does it, if one does.
        script: Option<u64>,
    },
    /// SET of a key only this client writes.
    Set {
        /// The key, unique to the client.
        key: u32,
        /// A value written once.
        value: Element,
    },
    /// The same with a time to live.
    SetExpiring {
        /// The key, unique to the client.
        key: u32,
        /// A value written once.
        value: Element,
        /// How long it lives.
        ttl_ms: u32,
    },
    /// GET of a key only this client writes.
    Get {
        /// The key, unique to the client.
        key: u32,
    },
    /// INCR of a counter all clients share.
    Incr {
        /// The counter.
        key: u32,
    },
    /// A write of any kind to keys all clients share.
    Mixed {
        /// What it is drawn from.
        seed: u64,
        /// Some of it is done by scripts.
        scripts: bool,
    },
    /// FLUSHALL.
    Flush {
        /// ASYNC.
        later: bool,
    },
}

impl Op {
    /// Whether a script does it.
    pub const fn is_scripted(&self) -> bool {
        matches!(
            self,
            Self::PushTwo {
                script: Some(_),
                ..
            } | Self::Read {
                script: Some(_),
                ..
            }
        )
    }
}

/// What came of an operation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// No answer yet.
    Pending,
    /// Done.
    Done,
    /// Done and this many replicas had it when WAIT answered.
    Waited(u32),
    /// Done and durable on the server's disk when WAITAOF answered.
    Kept,
    /// The elements of a list.
    List(Vec<Element>),
    /// The value of a key or counter.
    Value(Option<i64>),
    /// Answered with an error: not done.
    Refused(String),
    /// The answer never came: done or not.
    Unknown,
}

/// Takes a script more than one turn, and the simulator little time.
pub const LONG_LOOP: u64 = 120_000;

impl Outcome {
    /// Whether it says that the operation was done.
    pub const fn is_success(&self) -> bool {
        match self {
            Self::Done | Self::Kept | Self::Waited(_) | Self::List(_) | Self::Value(_) => true,
            Self::Pending | Self::Refused(_) | Self::Unknown => false,
        }
    }
}

/// One operation of one client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Who asked.
    pub client: NodeId,
    /// Which of the client's connections to a data server it went over; ascends.
    pub session: u32,
    /// The data server it went to.
    pub server: NodeId,
    /// Which process there.
    pub incarnation: u32,
    /// Whether it was sent to the server as master.
    pub as_master: bool,
    /// What was asked.
    pub op: Op,
    /// When it was sent.
    pub asked: Time,
    /// When its fate was known.
    pub told: Time,
    /// Its fate.
    pub outcome: Outcome,
}

impl Record {
    /// The lists and element a write adds, if it is one.
    pub fn pushed(&self) -> Option<(Element, [Option<u32>; 2])> {
        match self.op {
            Op::Push { list, element }
            | Op::PushKept { list, element }
            | Op::PushWait { list, element, .. } => Some((element, [Some(list), None])),
            Op::PushTwo {
                list,
                other,
                element,
                ..
            } => Some((element, [Some(list), Some(other)])),
            Op::Read { .. }
            | Op::Set { .. }
            | Op::SetExpiring { .. }
            | Op::Get { .. }
            | Op::Incr { .. }
            | Op::Mixed { .. }
            | Op::Flush { .. } => None,
        }
    }

    /// The two lists and the element a transaction adds to both, if it is one.
    pub const fn pushed_to_both(&self) -> Option<(Element, u32, u32)> {
        if let Op::PushTwo {
            list,
            other,
            element,
            ..
        } = self.op
        {
            return Some((element, list, other));
        }
        None
    }

    /// The key and value a write sets, and whether it expires, if it is one.
    pub fn set(&self) -> Option<(u32, i64, bool)> {
        let (key, value, expires) = match self.op {
            Op::Set { key, value } => (key, value, false),
            Op::SetExpiring { key, value, .. } => (key, value, true),
            Op::Push { .. }
            | Op::PushTwo { .. }
            | Op::PushWait { .. }
            | Op::PushKept { .. }
            | Op::Read { .. }
            | Op::Get { .. }
            | Op::Incr { .. }
            | Op::Mixed { .. }
            | Op::Flush { .. } => return None,
        };
        let value = i64::try_from(value).expect("elements are small");
        Some((key, value, expires))
    }

    /// Whether the client was told that it is done.
    pub const fn acked(&self) -> bool {
        self.outcome.is_success()
    }

    /// Whether it is a write that was acknowledged. What is drawn from a seed may be answered by
    /// an error as well.
    pub const fn writes(&self) -> bool {
        let other = matches!(self.op, Op::Read { .. } | Op::Get { .. } | Op::Mixed { .. });
        !other && self.acked()
    }
}

/// Everything all clients did, in the order asked.
#[derive(Default)]
pub struct History {
    records: Vec<Record>,
    /// Records completed since they were last looked at.
    fresh: Vec<u32>,
    oddities: Vec<String>,
}

impl History {
    /// Notes a question and returns its number.
    pub fn ask(&mut self, record: Record) -> u32 {
        let number = u32::try_from(self.records.len()).expect("fewer than 2^32 operations");
        self.records.push(record);
        number
    }

    /// Notes the answer.
    pub fn tell(&mut self, number: u32, at: Time, outcome: Outcome) {
        let record = &mut self.records[number as usize];
        assert_eq!(record.outcome, Outcome::Pending, "one answer per question");
        record.told = at;
        record.outcome = outcome;
        self.fresh.push(number);
    }

    /// Notes something a server must never send.
    pub fn note_oddity(&mut self, what: String) {
        self.oddities.push(what);
    }

    /// What servers sent and must never send.
    pub fn oddities(&self) -> &[String] {
        &self.oddities
    }

    /// All records.
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Takes the numbers of records answered since the last call.
    pub fn take_fresh(&mut self, into: &mut Vec<u32>) {
        into.append(&mut self.fresh);
    }
}
