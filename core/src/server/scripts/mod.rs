//! The scripts that are known, and the one that runs.
//!
//! A script is one unit: nothing else reads or changes the dataset before it is over, however many
//! turns that takes. What comes meanwhile waits, but for clients' commands: after
//! `busy-reply-threshold` those are refused, except the few that may end the script.

mod flags;
mod running;

pub use flags::ScriptFlags;

use super::client::Queued;
use crate::command::fail::Fail;
use crate::limits;
use crate::machine::{Addr, Completion, ConnId, ConnectFault, Hangup, Signal};
use crate::script::{Engine, Sha};
use running::Running;
use std::collections::{BTreeMap, BTreeSet};

/// All about scripts.
#[derive(Debug, Default)]
pub struct Scripts {
    /// Made for the first script: most servers never need one.
    engine: Option<Engine>,
    known: BTreeMap<Sha, Script>,
    /// Counts uses of scripts.
    uses: u64,
    running: Option<Box<Running>>,
    /// Effects of the command that runs go nowhere.
    muted: bool,
    /// What came while a script ran, in the order in which it came.
    deferred: Vec<Deferred>,
    /// Connections whose commands wait for the end of a script that is not slow yet.
    held: BTreeSet<ConnId>,
    /// Memory of the texts.
    text_bytes: usize,
}

#[derive(Debug)]
struct Script {
    flags: Option<ScriptFlags>,
    bytes: usize,
    /// When it was last run; nothing if SCRIPT LOAD made it known, whose scripts stay.
    evaluated: Option<u64>,
}

/// How a script came to be known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// By EVAL: it may be forgotten for others.
    Eval,
    /// By SCRIPT LOAD: it is there until SCRIPT FLUSH.
    Load,
}

/// What came from outside while a script ran.
#[derive(Debug)]
pub(in crate::server) enum Deferred {
    Connected(ConnId, Result<Addr, ConnectFault>),
    Hangup(ConnId, Hangup),
    Done(Completion),
    Signal(Signal),
}

impl Scripts {
    /// Takes note of a script, if it can be compiled.
    pub fn learn(&mut self, sha: Sha, text: &[u8], by: Use) -> Result<(), Fail> {
        self.uses += 1;
        let evaluated = (by == Use::Eval).then_some(self.uses);
        if let Some(script) = self.known.get_mut(&sha) {
            if by == Use::Load || script.evaluated.is_some() {
                script.evaluated = evaluated;
            }
            return Ok(());
        }
        let flags = ScriptFlags::of(text)?;
        // Lines keep their numbers: only the declaration's text goes.
        let code = match flags {
            Some(_) => &text[memchr::memchr(b'\n', text).unwrap_or(text.len())..],
            None => text,
        };
        self.engine().define(sha, code).map_err(|why| {
            let what: &[u8] = b"Error compiling script (new function): ";
            Fail::Detail([what, &why].concat().into())
        })?;
        if by == Use::Eval {
            self.make_room();
        }
        let bytes = text.len() + SCRIPT_OVERHEAD_BYTES;
        self.text_bytes += bytes;
        let script = Script {
            flags,
            bytes,
            evaluated,
        };
        self.known.insert(sha, script);
        Ok(())
    }

    /// Forgets the script that EVAL has not run for longest, if there are many.
    fn make_room(&mut self) {
        let evaluated = self.known.iter().filter_map(|(sha, script)| {
            let when = script.evaluated?;
            Some((when, *sha))
        });
        let (count, oldest) = evaluated.fold((0, None), |(count, oldest), next| {
            let oldest = oldest.map_or(next, |oldest| next.min(oldest));
            (count + 1, Some(oldest))
        });
        if let Some((_, sha)) = oldest.filter(|_| count >= limits::EVAL_SCRIPTS_MAX) {
            let script = self.known.remove(&sha).expect("it was found");
            self.text_bytes -= script.bytes;
            self.engine().forget(sha);
        }
    }

    /// Takes note that a script is used by its digest; false if it is not known.
    pub fn use_known(&mut self, sha: &Sha) -> bool {
        self.uses += 1;
        let Some(script) = self.known.get_mut(sha) else {
            return false;
        };
        script.evaluated = script.evaluated.map(|_| self.uses);
        true
    }

    fn engine(&mut self) -> &mut Engine {
        self.engine
            .get_or_insert_with(|| Engine::new(crate::config::REDIS_VERSION))
    }

    /// Whether a script can be called by its digest.
    pub fn knows(&self, sha: &Sha) -> bool {
        self.known.contains_key(sha)
    }

    /// What a script declares, if anything.
    pub fn flags(&self, sha: &Sha) -> Option<ScriptFlags> {
        self.known.get(sha)?.flags
    }

    /// Forgets everything.
    pub fn flush(&mut self) {
        assert!(self.running.is_none(), "no script runs beside a command");
        self.engine = None;
        self.known.clear();
        self.text_bytes = 0;
    }

    /// How many scripts are known.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether no script is known.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Memory of the scripts' texts, bytes.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// Memory of Lua, bytes.
    pub fn engine_bytes(&self) -> usize {
        self.engine.as_ref().map_or(0, Engine::memory)
    }

    /// Whether a script is in the middle of its work. Between commands that is one that has had
    /// its share of a turn.
    pub fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// Whether effects go neither to replicas nor to the append-only file.
    pub fn is_muted(&self) -> bool {
        self.muted
    }

    /// Whether a script runs for so long that others are refused.
    pub(in crate::server) fn is_slow(&self) -> bool {
        self.running.as_ref().is_some_and(|script| script.slow)
    }

    /// Whether a connection's commands have to wait for the end of a script.
    pub(in crate::server) fn holds(&self) -> bool {
        self.running.as_ref().is_some_and(|script| !script.slow)
    }

    /// Whether the script that runs was called by this connection.
    pub(in crate::server) fn is_called_by(&self, conn: ConnId) -> bool {
        self.running
            .as_ref()
            .is_some_and(|script| script.caller == conn)
    }

    /// Lets a connection's commands wait.
    pub(in crate::server) fn hold(&mut self, conn: ConnId) {
        self.held.insert(conn);
    }

    /// What EXEC runs when the script that has taken its turn is over.
    pub fn run_behind(&mut self, queue: std::vec::IntoIter<Queued>) {
        let running = self.running.as_mut().expect("a script has taken its turn");
        running.queue = queue;
    }

    /// Keeps what came for later: at most one thing of each effect and each connection, and the
    /// signals that somebody sends. What links send is not read at all meanwhile.
    pub(in crate::server) fn defer(&mut self, what: Deferred) {
        self.deferred.push(what);
    }

    /// Whether a connection is not to be closed before the script is over that it has called.
    pub(in crate::server) fn keeps(&mut self, conn: ConnId) -> bool {
        let caller = self.running.as_mut().filter(|script| script.caller == conn);
        caller.is_some_and(|script| {
            script.closes = true;
            true
        })
    }

    fn running(&mut self) -> &mut Running {
        self.running.as_mut().expect("a script runs")
    }
}

/// What a script takes beside its text.
const SCRIPT_OVERHEAD_BYTES: usize = size_of::<Sha>() + size_of::<Script>();
