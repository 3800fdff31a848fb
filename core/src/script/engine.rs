//! The interpreter on its own stack.

use super::api::{self, Host};
use super::random::Random48;
use super::values;
use super::{Call, End, Request, Sha, Step};
use crate::conn::OutBuf;
use crate::limits;
use crate::resp::{Proto, Reply};
use core::cell::Cell;
use core::fmt;
use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, CoroutineResult, Yielder};
use mlua::{
    Function, HookTriggers, IntoLua, Lua, LuaOptions, LuaString, StdLib, Table, Value, VmState,
};

/// A Lua interpreter with the scripts it knows.
///
/// # Panics
///
/// Only one script runs at a time: what starts or defines one panics before the one that runs is
/// over, and what goes on with one panics when none runs.
pub struct Engine {
    /// None only while it is dropped.
    fiber: Option<Coroutine<Order, Report, (), DefaultStack>>,
    running: bool,
    memory: usize,
}

/// What the interpreter is told.
enum Order {
    /// Compile this.
    Define { sha: Sha, text: Vec<u8> },
    /// Forget a script.
    Forget(Sha),
    /// Run this.
    Run(Run),
    /// The reply to the command it called.
    Reply(Vec<u8>),
    /// Go on.
    GoOn,
    /// End the script that runs with an error it can't catch.
    Kill,
    /// There is nothing more to do.
    Quit,
}

struct Run {
    sha: Sha,
    keys: Vec<Box<[u8]>>,
    args: Vec<Box<[u8]>>,
    proto: Proto,
}

/// What the interpreter answers.
enum Report {
    /// Nothing: it waits for an order.
    Idle,
    /// Compiled, or why not.
    Defined(Result<(), Vec<u8>>),
    /// How far the script has come, and the memory that Lua has.
    Ran(Step, usize),
}

impl Engine {
    /// An interpreter that says it belongs to such a version of Redis.
    pub fn new(version: &'static str) -> Self {
        let stack = DefaultStack::new(limits::SCRIPT_STACK_BYTES)
            .expect("there is address space for a stack");
        let fiber = Coroutine::with_stack(stack, move |yielder, first| {
            interpret(yielder, first, version);
        });
        let mut engine = Self {
            fiber: Some(fiber),
            running: false,
            memory: 0,
        };
        // So that the memory of its libraries is known before any script runs.
        let Report::Idle = engine.tell(Order::GoOn) else {
            unreachable!("an interpreter that was told nothing has nothing to say")
        };
        engine
    }

    /// Compiles a script under its name; the error is that of Lua's compiler.
    pub fn define(&mut self, sha: Sha, text: &[u8]) -> Result<(), Vec<u8>> {
        assert!(!self.running, "no script is defined while one runs");
        match self.tell(Order::Define {
            sha,
            text: text.to_vec(),
        }) {
            Report::Defined(result) => result,
            Report::Idle | Report::Ran(..) => unreachable!("a definition is answered as such"),
        }
    }

    /// Forgets a script.
    pub fn forget(&mut self, sha: Sha) {
        assert!(!self.running, "no script is forgotten while one runs");
        self.tell(Order::Forget(sha));
    }

    /// Runs a script that was defined.
    pub fn start(&mut self, call: &Call<'_>) -> Step {
        assert!(!self.running, "one script runs at a time");
        self.running = true;
        let own = |texts: &[&[u8]]| texts.iter().map(|&text| text.into()).collect();
        self.step(Order::Run(Run {
            sha: call.sha,
            keys: own(&call.keys),
            args: own(&call.args),
            proto: call.proto,
        }))
    }

    /// Hands over the reply to a command, in the protocol that was asked for.
    pub fn reply(&mut self, reply: Vec<u8>) -> Step {
        self.step(Order::Reply(reply))
    }

    /// Goes on with a script that has run for a while.
    pub fn go_on(&mut self) -> Step {
        self.step(Order::GoOn)
    }

    /// Ends a script that has run for a while. It may take some more steps.
    pub fn kill(&mut self) -> Step {
        self.step(Order::Kill)
    }

    /// Whether a script runs.
    pub fn is_running(&self) -> bool {
        self.running
    }

    /// Memory that Lua has, bytes.
    pub fn memory(&self) -> usize {
        self.memory
    }

    fn step(&mut self, order: Order) -> Step {
        assert!(self.running, "a script runs");
        let Report::Ran(step, memory) = self.tell(order) else {
            unreachable!("a script that runs makes steps")
        };
        self.memory = memory;
        if matches!(step, Step::Over(_)) {
            self.running = false;
        }
        step
    }

    fn tell(&mut self, order: Order) -> Report {
        let fiber = self
            .fiber
            .as_mut()
            .expect("it is there until it is dropped");
        match fiber.resume(order) {
            CoroutineResult::Yield(report) => report,
            CoroutineResult::Return(()) => Report::Idle,
        }
    }
}

impl Drop for Engine {
    /// Ends the script that runs: its stack can't be taken away under it.
    fn drop(&mut self) {
        for _ in 0..limits::SCRIPT_KILL_STEPS_MAX {
            if !self.running || self.fiber.as_ref().is_none_or(Coroutine::done) {
                break;
            }
            self.kill();
        }
        if let Some(mut fiber) = self.fiber.take() {
            if !self.running && !fiber.done() {
                fiber.resume(Order::Quit);
            }
            if !fiber.done() {
                core::mem::forget(fiber);
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("running", &self.running)
            .field("memory", &self.memory)
            .finish_non_exhaustive()
    }
}

/// What a script shares with the functions it calls, and with the stack it is left by.
pub(super) struct Shared<'y> {
    yielder: &'y Yielder<Order, Report>,
    /// The script that runs is to end.
    killed: Cell<bool>,
    /// In which protocol it wants replies.
    pub(super) proto: Cell<Proto>,
    /// Whether what it does goes to replicas and the append-only file.
    pub(super) propagates: Cell<bool>,
    pub(super) random: Cell<Random48>,
}

impl Shared<'_> {
    /// Leaves the script until it has the reply to a command.
    pub(super) fn ask(&self, lua: &Lua, request: Request) -> Vec<u8> {
        let report = Report::Ran(Step::Command(request), lua.used_memory());
        match self.yielder.suspend(report) {
            Order::Reply(reply) => reply,
            // What it asked for is not done; it ends at its next instruction.
            Order::Kill => {
                self.killed.set(true);
                b"-ERR killed\r\n".to_vec()
            }
            Order::Define { .. } | Order::Forget(_) | Order::Run(_) | Order::GoOn | Order::Quit => {
                unreachable!("a command is replied to")
            }
        }
    }

    /// Leaves the script to come back to it; whether it is to end then.
    fn rest(&self, lua: &Lua) -> bool {
        if !self.killed.get() {
            let report = Report::Ran(Step::Slice, lua.used_memory());
            let order = self.yielder.suspend(report);
            self.killed.set(matches!(order, Order::Kill));
        }
        self.killed.get()
    }

    /// Whether the script that runs is to end.
    pub(super) fn is_killed(&self) -> bool {
        self.killed.get()
    }
}

/// Under what name Lua keeps the function that leaves a script which has run for a while.
const REST: &str = "rest";
/// What Lua calls a script.
const CHUNK_NAME: &str = "@user_script";

/// Carries out orders until there are no more.
fn interpret(yielder: &Yielder<Order, Report>, first: Order, version: &'static str) {
    let libraries = StdLib::TABLE | StdLib::STRING | StdLib::MATH;
    // A panic of ours is none of the script's business: nothing here catches it.
    let options = LuaOptions::new().catch_rust_panics(false);
    let lua = Lua::new_with(libraries, options).expect("these libraries are safe");
    let shared = Shared {
        yielder,
        killed: Cell::new(false),
        proto: Cell::new(Proto::Resp2),
        propagates: Cell::new(true),
        random: Cell::new(Random48::default()),
    };
    let done = lua.scope(|scope| {
        let host = Host::new(&lua, scope, &shared, version)?;
        let rest = scope.create_function(|lua, ()| Ok(shared.rest(lua)))?;
        lua.set_named_registry_value(REST, rest)?;
        let hook = HookTriggers::new().every_nth_instruction(limits::SCRIPT_SLICE_INSTRUCTIONS);
        lua.set_global_hook(hook, |lua, _| {
            let rest: Function = lua.named_registry_value(REST)?;
            if rest.call(())? {
                return Err(mlua::Error::runtime("killed"));
            }
            Ok(VmState::Continue)
        })?;
        obey(&lua, &host, &shared, first)
    });
    done.expect("Lua has the memory for what every script needs");
}

fn obey(lua: &Lua, host: &Host, shared: &Shared<'_>, first: Order) -> mlua::Result<()> {
    // In a table of Lua's: what Rust holds of Lua has places of its own, which are few.
    let scripts = lua.create_table()?;
    // But for the one that ran last, which mostly runs next.
    let mut last: Option<(Sha, Function)> = None;
    let mut order = first;
    loop {
        let report = match order {
            Order::Define { sha, text } => match compile(lua, &host.world, text) {
                Ok(function) => {
                    scripts.raw_set(name(lua, &sha)?, function)?;
                    Report::Defined(Ok(()))
                }
                Err(why) => Report::Defined(Err(why)),
            },
            Order::Forget(sha) => {
                last = None;
                scripts.raw_remove(name(lua, &sha)?)?;
                Report::Idle
            }
            Order::Run(run) => {
                shared.killed.set(false);
                shared.proto.set(Proto::Resp2);
                shared.propagates.set(true);
                let script = match last.take_if(|(sha, _)| *sha == run.sha) {
                    Some((_, script)) => script,
                    None => scripts.raw_get(name(lua, &run.sha)?)?,
                };
                let end = execute(lua, host, shared, &script, &run);
                last = Some((run.sha, script));
                Report::Ran(Step::Over(end), lua.used_memory())
            }
            Order::GoOn => Report::Idle,
            Order::Reply(_) | Order::Kill => unreachable!("no script runs"),
            Order::Quit => return Ok(()),
        };
        order = shared.yielder.suspend(report);
    }
}

fn name(lua: &Lua, sha: &Sha) -> mlua::Result<LuaString> {
    lua.create_string(sha.as_bytes())
}

fn compile(lua: &Lua, world: &Table, text: Vec<u8>) -> Result<Function, Vec<u8>> {
    let chunk = lua.load(text).set_name(CHUNK_NAME);
    let chunk = chunk.set_mode(mlua::chunk::ChunkMode::Text);
    let function = chunk.set_environment(world.clone()).into_function();
    function.map_err(|error| {
        let text = if let mlua::Error::SyntaxError { message, .. } = error {
            message
        } else {
            error.to_string()
        };
        text.into_bytes()
    })
}

/// A text that becomes a string of Lua's when its turn comes: Rust holds few of them at a time.
struct Text<'a>(&'a [u8]);

impl IntoLua for Text<'_> {
    fn into_lua(self, lua: &Lua) -> mlua::Result<Value> {
        Ok(Value::String(lua.create_string(self.0)?))
    }
}

/// Runs a script to its end.
fn execute(lua: &Lua, host: &Host, shared: &Shared<'_>, script: &Function, run: &Run) -> End {
    let list = |texts: &[Box<[u8]>]| lua.create_sequence_from(texts.iter().map(|text| Text(text)));
    // A script before this one may have stopped it.
    lua.gc_restart();
    let end = list(&run.keys).and_then(|keys| {
        let args = list(&run.args)?;
        host.run.call((script, keys, args))
    });
    let mut out = OutBuf::default();
    let mut reply = Reply::new(&mut out, run.proto);
    let error = match end {
        Ok((true, value)) => {
            values::write(&mut reply, &value, shared.proto.get());
            let counted = value.as_table().is_some_and(api::is_counted);
            let reply = out.into_bytes();
            let failed = reply.starts_with(b"-");
            return End {
                counts: failed && !counted,
                reply,
                failed,
            };
        }
        Ok((false, raised)) => api::failure(shared, &run.sha, &raised),
        // Nothing a script does comes here, but for memory that Lua does not get.
        Err(error) => api::ended(&run.sha, &error.to_string()),
    };
    reply.error_bytes(&error.text);
    End {
        reply: out.into_bytes(),
        failed: true,
        counts: !error.counted,
    }
}
