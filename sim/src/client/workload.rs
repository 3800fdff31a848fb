//! What a client does: a mix of operations drawn from its own stream.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::mixed;
use super::record::{ELEMENTS_PER_CLIENT, Element, LONG_LOOP, Op};
use crate::ids::NodeId;
use crate::resp::command;
use crate::rng::Draws;
use crate::schedule::Upkeep;
use crate::time::ms;

/// The knobs of the workload of one run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Workload {
    /// Mean pause between two operations of a client, milliseconds.
    pub think_ms: u64,
    /// Lists written to at a time.
    pub lists: u32,
    /// Elements after which a list is left for a new one.
    pub list_len: u32,
    /// How often in a million an operation is a write to a list.
    pub push_ppm: u32,
    /// How often in a million such a write is followed by WAIT.
    pub wait_ppm: u32,
    /// How often in a million such a write is a transaction over two lists.
    pub multi_ppm: u32,
    /// How often in a million such a transaction has BGSAVE or BGREWRITEAOF in the middle.
    #[serde(default)]
    pub upkeep_ppm: u32,
    /// How often in a million such a write is followed by WAITAOF.
    #[serde(default)]
    pub kept_ppm: u32,
    /// How often in a million an operation is FLUSHALL. If that is ever, all others are writes of
    /// any kind and reads: of all else oracles know what is to be there.
    #[serde(default)]
    pub flush_ppm: u32,
    /// How often in a million an operation is a read of a list.
    pub read_ppm: u32,
    /// How often in a million an operation is a write of any kind to keys all clients share.
    #[serde(default)]
    pub mixed_ppm: u32,
    /// Some of what is to be done as one, and of the reads, is done by scripts.
    #[serde(default)]
    pub scripts: bool,
    /// How often in a million a SET has a time to live.
    pub expire_ppm: u32,
    /// How often in a million a client rests for several seconds.
    pub idle_ppm: u32,
}

/// The state of one client's workload.
pub struct Plan {
    knobs: Workload,
    client: NodeId,
    draws: Draws,
    written: u64,
    generation: u32,
}

impl Plan {
    /// The plan of one client.
    pub const fn new(knobs: Workload, client: NodeId, draws: Draws) -> Self {
        Self {
            knobs,
            client,
            draws,
            written: 0,
            generation: 0,
        }
    }

    /// How long the client pauses now.
    pub fn think(&mut self) -> Duration {
        if self.draws.odds(self.knobs.idle_ppm) {
            return ms(self.draws.between(2_000, 8_000));
        }
        let mean = self.knobs.think_ms.max(1);
        ms(self.draws.between(mean / 2, mean + mean / 2))
    }

    /// The next operation of a client of the master.
    pub fn next_op(&mut self) -> Op {
        if self.knobs.flush_ppm > 0 {
            return self.next_of_flushed();
        }
        if self.knobs.mixed_ppm > 0 && self.draws.odds(self.knobs.mixed_ppm) {
            let seed = self.draws.next_u64();
            return self.mixed(seed);
        }
        if self.draws.odds(self.knobs.push_ppm) {
            return self.next_push();
        }
        if self.draws.odds(self.knobs.read_ppm) {
            return self.read();
        }
        let key = self.own_key();
        match self.draws.below(4) {
            0 => Op::Incr {
                key: u32::try_from(self.draws.below(4)).expect("below 4"),
            },
            1 | 2 => Op::Get { key },
            _ if self.draws.odds(self.knobs.expire_ppm) => Op::SetExpiring {
                key,
                value: self.element(),
                ttl_ms: u32::try_from(self.draws.log_between(20, 20_000)).expect("small"),
            },
            _ => Op::Set {
                key,
                value: self.element(),
            },
        }
    }

    fn next_of_flushed(&mut self) -> Op {
        if self.draws.odds(self.knobs.flush_ppm) {
            let later = self.draws.chance(0.5);
            Op::Flush { later }
        } else if self.draws.odds(self.knobs.read_ppm) {
            self.read()
        } else {
            let seed = self.draws.next_u64();
            self.mixed(seed)
        }
    }

    /// The next operation of a client that reads from replicas.
    pub fn next_read(&mut self) -> Op {
        self.read()
    }

    fn read(&mut self) -> Op {
        let list = self.list();
        // The numbers of lists are small.
        let scripted = self.knobs.scripts && list % 5 == 1;
        let script = scripted.then(|| loops(list % 3 == 2));
        Op::Read { list, script }
    }

    const fn mixed(&self, seed: u64) -> Op {
        let scripts = self.knobs.scripts;
        Op::Mixed { seed, scripts }
    }

    /// Any randomness the client needs besides.
    pub const fn draws(&mut self) -> &mut Draws {
        &mut self.draws
    }

    fn next_push(&mut self) -> Op {
        let element = self.element();
        let list = self.list();
        if self.draws.odds(self.knobs.multi_ppm) {
            let other = self.list();
            if other != list {
                let upkeep = self.knobs.upkeep_ppm > 0 && self.draws.odds(self.knobs.upkeep_ppm);
                let between = upkeep.then(|| *self.draws.pick(&[Upkeep::Save, Upkeep::Rewrite]));
                let scripted = self.knobs.scripts && between.is_none() && element.is_multiple_of(3);
                return Op::PushTwo {
                    list,
                    other,
                    element,
                    between,
                    script: scripted.then(|| loops(element.is_multiple_of(8))),
                };
            }
        }
        if self.draws.odds(self.knobs.wait_ppm) {
            let replicas = u32::try_from(self.draws.between(1, 2)).expect("small");
            return Op::PushWait {
                list,
                element,
                replicas,
            };
        }
        if self.knobs.kept_ppm > 0 && self.draws.odds(self.knobs.kept_ppm) {
            return Op::PushKept { list, element };
        }
        Op::Push { list, element }
    }

    fn list(&mut self) -> u32 {
        let knobs = &self.knobs;
        let list = u32::try_from(self.draws.below(u64::from(knobs.lists))).expect("small");
        self.generation * knobs.lists + list
    }

    fn element(&mut self) -> Element {
        self.written += 1;
        // Every client moves on by its own count, so lists overlap between clients in time.
        let per_list = u64::from(self.knobs.list_len) * u64::from(self.knobs.lists);
        self.generation = u32::try_from(self.written / per_list).expect("few lists");
        u64::from(self.client.0) * ELEMENTS_PER_CLIENT + self.written
    }

    /// A key no other client writes.
    fn own_key(&mut self) -> u32 {
        u32::from(self.client.0) * 8 + u32::try_from(self.draws.below(8)).expect("below 8")
    }
}

/// The timeout of WAIT and WAITAOF that clients use.
pub const WAIT_TIMEOUT_MS: u64 = 500;

/// Appends the commands of an operation and returns how many replies they get.
pub fn encode(op: &Op, out: &mut Vec<u8>) -> usize {
    match *op {
        Op::Push { list, element } => {
            push(out, list, element);
            1
        }
        Op::PushWait {
            list,
            element,
            replicas,
        } => {
            push(out, list, element);
            let (replicas, timeout) = (replicas.to_string(), WAIT_TIMEOUT_MS.to_string());
            command(out, &[b"WAIT", replicas.as_bytes(), timeout.as_bytes()]);
            2
        }
        Op::PushTwo {
            list,
            other,
            element,
            between,
            script,
        } => match script {
            Some(loops) => push_by_script(out, (list, other), element, loops),
            None => push_two(out, (list, other), element, between),
        },
        Op::PushKept { list, element } => {
            push(out, list, element);
            let timeout = WAIT_TIMEOUT_MS.to_string();
            command(out, &[b"WAITAOF", b"1", b"0", timeout.as_bytes()]);
            2
        }
        Op::Read { list, script } => read(out, list, script),
        Op::Set { key, value } => {
            let (key, value) = (key_name(key), value.to_string());
            command(out, &[b"SET", key.as_bytes(), value.as_bytes()]);
            1
        }
        Op::SetExpiring { key, value, ttl_ms } => {
            let (key, value, ttl) = (key_name(key), value.to_string(), ttl_ms.to_string());
            let args = [
                &b"SET"[..],
                key.as_bytes(),
                value.as_bytes(),
                b"PX",
                ttl.as_bytes(),
            ];
            command(out, &args);
            1
        }
        Op::Get { key } => {
            command(out, &[b"GET", key_name(key).as_bytes()]);
            1
        }
        Op::Incr { key } => {
            command(out, &[b"INCR", format!("counter:{key}").as_bytes()]);
            1
        }
        Op::Mixed { seed, scripts } => mixed::encode(seed, scripts, out),
        Op::Flush { later } => {
            let how: &[u8] = if later { b"ASYNC" } else { b"SYNC" };
            command(out, &[b"FLUSHALL", how]);
            1
        }
    }
}

const fn loops(long: bool) -> u64 {
    if long { LONG_LOOP } else { 0 }
}

fn read(out: &mut Vec<u8>, list: u32, script: Option<u64>) -> usize {
    let list = list_name(list);
    match script {
        Some(loops) => {
            let (script, loops) = (READ_BY_SCRIPT.as_bytes(), loops.to_string());
            let words = [b"EVAL", script, b"1", list.as_bytes(), loops.as_bytes()];
            command(out, &words);
        }
        None => command(out, &[b"LRANGE", list.as_bytes(), b"0", b"-1"]),
    }
    1
}

fn push_two(
    out: &mut Vec<u8>,
    (list, other): (u32, u32),
    element: Element,
    between: Option<Upkeep>,
) -> usize {
    command(out, &[b"MULTI"]);
    push(out, list, element);
    let commands = between.map_or(&[][..], Upkeep::commands);
    for words in commands {
        command(out, words);
    }
    push(out, other, element);
    command(out, &[b"EXEC"]);
    4 + commands.len()
}

/// Shows the moment at which it began, whatever comes while it loops.
const READ_BY_SCRIPT: &str = "for _ = 1, tonumber(ARGV[1]) do end \
                              return redis.call('LRANGE', KEYS[1], 0, -1)";

/// Nobody may see the first element without the second, however long the loop takes.
const PUSH_BY_SCRIPT: &str = "redis.call('RPUSH', KEYS[1], ARGV[1]) \
                              for _ = 1, tonumber(ARGV[2]) do end \
                              return redis.call('RPUSH', KEYS[2], ARGV[1])";

fn push_by_script(
    out: &mut Vec<u8>,
    (list, other): (u32, u32),
    element: Element,
    loops: u64,
) -> usize {
    let (list, other) = (list_name(list), list_name(other));
    let (element, loops) = (element.to_string(), loops.to_string());
    let words: [&[u8]; 7] = [
        b"EVAL",
        PUSH_BY_SCRIPT.as_bytes(),
        b"2",
        list.as_bytes(),
        other.as_bytes(),
        element.as_bytes(),
        loops.as_bytes(),
    ];
    command(out, &words);
    1
}

fn push(out: &mut Vec<u8>, list: u32, element: Element) {
    let (list, element) = (list_name(list), element.to_string());
    command(out, &[b"RPUSH", list.as_bytes(), element.as_bytes()]);
}

fn list_name(list: u32) -> String {
    format!("list:{list}")
}

fn key_name(key: u32) -> String {
    format!("key:{key}")
}
