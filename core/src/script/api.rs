//! What scripts find of the server: the table `redis`, and what the prelude needs beside it.

use super::engine::Shared;
use super::library::arguments::{Args, one, to_integer};
use super::library::{self, ErrorReply, Failure, Raised, answer};
use super::random::Random48;
use super::values;
use super::{Purpose, Request, Sha};
use crate::resp::{self, OwnedArgv, Proto, ReplyParser, fmt_double};
use mlua::{Function, Lua, MultiValue, Scope, Table, Value};
use smallvec::SmallVec;
use std::borrow::Cow;

/// The prelude, when it has run.
pub(super) struct Host {
    /// Runs a script: `true` and what it returns, or `false` and its error.
    pub(super) run: Function,
    /// The globals of scripts.
    pub(super) world: Table,
}

const PRELUDE: &str = include_str!("prelude.lua");
/// The prelude's own name, by which errors are not placed in it.
const PRELUDE_NAME: &str = "=prelude";

const LOG_LEVELS: [&str; 4] = ["LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"];
/// `REPL_NONE` and its kin are sets of these.
const TO_AOF: i64 = 1;
const TO_REPLICAS: i64 = 2;

impl Host {
    /// Runs the prelude.
    pub(super) fn new<'scope, 'env: 'scope>(
        lua: &Lua,
        scope: &'scope Scope<'scope, 'env>,
        shared: &'env Shared<'env>,
        version: &str,
    ) -> mlua::Result<Self> {
        let host = lua.create_table()?;
        host.set(
            "killed",
            scope.create_function(|_, ()| Ok(shared.is_killed()))?,
        )?;
        host.set("place", lua.create_function(|lua, ()| Ok(origin(lua)))?)?;
        host.set("shown", lua.create_function(shown)?)?;
        let random = |lua: &Lua, args: MultiValue| {
            answer(lua, draw(shared, &Args::new(lua, args, "random")))
        };
        host.set("random", scope.create_function(random)?)?;
        let seed = |lua: &Lua, args: MultiValue| {
            answer(lua, reseed(shared, &Args::new(lua, args, "randomseed")))
        };
        host.set("randomseed", scope.create_function(seed)?)?;

        let redis = lua.create_table()?;
        constants(&redis, version)?;
        let call = |lua: &Lua, args: MultiValue| call(lua, shared, &args, true);
        redis.set("call", scope.create_function(call)?)?;
        let pcall = |lua: &Lua, args: MultiValue| self::call(lua, shared, &args, false);
        redis.set("pcall", scope.create_function(pcall)?)?;
        let check = |lua: &Lua, args: MultiValue| check_permission(lua, shared, &args);
        redis.set("acl_check_cmd", scope.create_function(check)?)?;
        let setresp = |_: &Lua, args: MultiValue| set_protocol(shared, &args);
        redis.set("setresp", scope.create_function(setresp)?)?;
        let set_repl = |_: &Lua, args: MultiValue| set_propagation(shared, &args);
        redis.set("set_repl", scope.create_function(set_repl)?)?;
        add_pure(lua, &redis)?;

        let libraries = library::tables(lua)?;
        libraries.set("redis", redis)?;
        let prelude = lua.load(PRELUDE).set_name(PRELUDE_NAME).into_function()?;
        let (run, world) = prelude.call((host, libraries))?;
        Ok(Self { run, world })
    }
}

fn constants(redis: &Table, version: &str) -> mlua::Result<()> {
    for (name, level) in LOG_LEVELS.into_iter().zip(0_i64..) {
        redis.set(name, level)?;
    }
    redis.set("REPL_NONE", 0)?;
    redis.set("REPL_AOF", TO_AOF)?;
    redis.set("REPL_SLAVE", TO_REPLICAS)?;
    redis.set("REPL_REPLICA", TO_REPLICAS)?;
    redis.set("REPL_ALL", TO_AOF | TO_REPLICAS)?;
    redis.set("REDIS_VERSION", version)?;
    // One byte for each part of the version.
    let parts = version
        .split('.')
        .filter_map(|part| part.parse::<i64>().ok());
    let packed = parts.fold(0, |packed, part| packed << 8 | part);
    redis.set("REDIS_VERSION_NUM", packed)
}

/// Adds what needs nothing of the script that runs.
fn add_pure(lua: &Lua, redis: &Table) -> mlua::Result<()> {
    redis.set("sha1hex", lua.create_function(sha1hex)?)?;
    redis.set("log", lua.create_function(log)?)?;
    redis.set("error_reply", lua.create_function(error_reply)?)?;
    redis.set("status_reply", lua.create_function(status_reply)?)?;
    // Scripts have been replicated by what they do since Redis 7.0; there is no debugger.
    let yes = |_: &Lua, _: MultiValue| Ok(true);
    redis.set("replicate_commands", lua.create_function(yes)?)?;
    let no = |_: &Lua, _: MultiValue| Ok(false);
    redis.set("breakpoint", lua.create_function(no)?)?;
    let nothing = |_: &Lua, _: MultiValue| Ok(());
    redis.set("debug", lua.create_function(nothing)?)
}

fn error(text: &[u8], counted: bool) -> ErrorReply {
    let text = text.to_vec();
    ErrorReply { text, counted }
}

/// Raises an error as commands have it.
fn raises<T>(text: &[u8]) -> mlua::Result<T> {
    Err(Raised::Reply(error(text, false)).into())
}

/// An error of ours as scripts see it that catch it.
pub(super) fn shown(lua: &Lua, error: Value) -> mlua::Result<Value> {
    let Value::Error(error) = &error else {
        return Ok(error);
    };
    match error.downcast_ref() {
        Some(Raised::Reply(error)) => error_table(lua, error),
        Some(Raised::Text(text)) => Ok(Value::String(lua.create_string(text)?)),
        None => Ok(Value::String(lua.create_string(error.to_string())?)),
    }
}

/// An error as scripts have it.
fn error_table(lua: &Lua, error: &ErrorReply) -> mlua::Result<Value> {
    let table = lua.create_table_with_capacity(0, 2)?;
    table.raw_set("err", lua.create_string(&error.text)?)?;
    if error.counted {
        table.raw_set(COUNTED, true)?;
    }
    Ok(Value::Table(table))
}

/// In the table of an error: statistics have it already. The name is Redis's.
const COUNTED: &str = "ignore_error_stats_update";

/// `redis.call` and `redis.pcall`, which differ in what becomes of an error.
fn call(
    lua: &Lua,
    shared: &Shared<'_>,
    args: &MultiValue,
    raises_errors: bool,
) -> mlua::Result<Value> {
    let propagates = shared.propagates.get();
    let proto = shared.proto.get();
    let failed = match request(args, proto, Purpose::Run { propagates }) {
        Ok(request) => {
            let reply = parse(&shared.ask(lua, request));
            let Some(text) = reply.as_error() else {
                return values::read(lua, &reply, proto);
            };
            error(text, true)
        }
        Err(text) => error(text.as_bytes(), false),
    };
    if raises_errors {
        Err(Raised::Reply(failed).into())
    } else {
        error_table(lua, &failed)
    }
}

/// The one reply that a command has written.
fn parse(mut reply: &[u8]) -> resp::Value {
    let parsed = ReplyParser::new(usize::MAX).next(&mut reply);
    let parsed = parsed.expect("our own replies are well-formed");
    parsed.unwrap_or(resp::Value::Null)
}

fn request(args: &MultiValue, proto: Proto, purpose: Purpose) -> Result<Request, &'static str> {
    if args.is_empty() {
        return Err("ERR Please specify at least one argument for this redis lib call");
    }
    let texts: Option<SmallVec<[_; 8]>> = args.iter().map(text).collect();
    let texts = texts.ok_or("ERR Lua redis lib command arguments must be strings or integers")?;
    let slices: SmallVec<[&[u8]; 8]> = texts.iter().map(|text| &text[..]).collect();
    Ok(Request {
        argv: OwnedArgv::from_slices(&slices),
        proto,
        purpose,
    })
}

/// An argument of a command: a string, or a number in the form in which replies have it.
fn text(value: &Value) -> Option<Text> {
    if let Some(text) = value.as_string() {
        Some(Text::Lua(text.as_bytes()))
    } else if let Some(value) = value.as_integer() {
        let mut digits = itoa::Buffer::new();
        Some(Text::Own(digits.format(value).as_bytes().into()))
    } else {
        let value = value.as_number()?;
        Some(Text::Own(fmt_double(value).as_bytes().into()))
    }
}

enum Text {
    Lua(mlua::BorrowedBytes),
    Own(SmallVec<[u8; 24]>),
}

impl core::ops::Deref for Text {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Self::Lua(bytes) => bytes,
            Self::Own(bytes) => bytes,
        }
    }
}

fn check_permission(lua: &Lua, shared: &Shared<'_>, args: &MultiValue) -> mlua::Result<bool> {
    if args.is_empty() {
        return raises(
            b"ERR Please specify at least one argument for this redis.acl_check_cmd() call",
        );
    }
    match request(args, Proto::Resp2, Purpose::Check) {
        Err(_) => {
            raises(b"ERR redis.acl_check_cmd() command arguments must be strings or integers")
        }
        Ok(request) => {
            let reply = parse(&shared.ask(lua, request));
            match reply.as_error() {
                Some(text) => raises(text),
                None => Ok(reply.as_int() == Some(1)),
            }
        }
    }
}

fn set_protocol(shared: &Shared<'_>, args: &MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return raises(b"ERR redis.setresp() requires one argument.");
    }
    match args.front().and_then(Value::as_integer) {
        Some(2) => shared.proto.set(Proto::Resp2),
        Some(3) => shared.proto.set(Proto::Resp3),
        _ => return raises(b"ERR RESP version must be 2 or 3."),
    }
    Ok(())
}

/// `redis.set_repl`. What goes only to replicas or only to the append-only file goes to both: the
/// file says which part of the replication stream it holds.
fn set_propagation(shared: &Shared<'_>, args: &MultiValue) -> mlua::Result<()> {
    if args.len() != 1 {
        return raises(b"ERR redis.set_repl() requires two arguments.");
    }
    match args.front().and_then(Value::as_integer) {
        Some(flags) if flags & !(TO_AOF | TO_REPLICAS) == 0 => shared.propagates.set(flags != 0),
        _ => {
            return raises(b"ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.");
        }
    }
    Ok(())
}

fn sha1hex(lua: &Lua, args: MultiValue) -> mlua::Result<mlua::LuaString> {
    if args.len() != 1 {
        return raises(b"ERR wrong number of arguments");
    }
    let text = args.front().and_then(text);
    let sha = Sha::of(text.as_deref().unwrap_or_default());
    lua.create_string(sha.as_bytes())
}

fn log(_: &Lua, args: MultiValue) -> mlua::Result<()> {
    if args.len() < 2 {
        return raises(b"ERR redis.log() requires two arguments or more.");
    }
    let level = match args.front() {
        Some(Value::Integer(level)) => usize::try_from(*level).ok(),
        Some(Value::Number(_)) => None,
        _ => return raises(b"ERR First argument must be a number (log level)."),
    };
    let mut line = Vec::new();
    for (value, at) in args.iter().skip(1).zip(0..) {
        if let Some(text) = text(value) {
            if at > 0 {
                line.push(b' ');
            }
            line.extend_from_slice(&text);
        }
    }
    let line = String::from_utf8_lossy(&line);
    match level {
        Some(0) => tracing::trace!("{line}"),
        Some(1) => tracing::debug!("{line}"),
        Some(2) => tracing::info!("{line}"),
        Some(3) => tracing::warn!("{line}"),
        _ => return raises(b"ERR Invalid debug level."),
    }
    Ok(())
}

/// `redis.error_reply`. An error has a code, its first word; one of a single word gets the
/// general one.
fn error_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Value> {
    let Some(text) = only_text(&args) else {
        return wrong_argument(lua);
    };
    let text = text.strip_prefix(b"-").unwrap_or(&text);
    let text = if text.contains(&b' ') {
        Cow::Borrowed(text)
    } else {
        Cow::Owned([b"ERR ", text].concat())
    };
    error_table(lua, &error(&text, false))
}

fn status_reply(lua: &Lua, args: MultiValue) -> mlua::Result<Value> {
    let Some(text) = only_text(&args) else {
        return wrong_argument(lua);
    };
    let text = Value::String(lua.create_string(text)?);
    values::field(lua, "ok", text)
}

fn only_text(args: &MultiValue) -> Option<Vec<u8>> {
    match (args.len(), args.front()) {
        (1, Some(Value::String(text))) => Some(text.as_bytes().to_vec()),
        _ => None,
    }
}

/// An error that is returned and not raised, as Redis has it here.
fn wrong_argument(lua: &Lua) -> mlua::Result<Value> {
    error_table(lua, &error(b"ERR wrong number or type of arguments", false))
}

/// `math.random` (lmathlib.c, with Redis's generator).
fn draw(shared: &Shared<'_>, args: &Args<'_>) -> Result<MultiValue, Failure> {
    let mut random = shared.random.get();
    let fraction = random.fraction();
    shared.random.set(random);
    let (low, high) = match args.len() {
        0 => return one(args.lua, fraction),
        1 => (1.0, args.number(1)?.trunc()),
        2 => (args.number(1)?.trunc(), args.number(2)?.trunc()),
        _ => return Err("wrong number of arguments".into()),
    };
    if low > high {
        return Err(args.bad(args.len(), "interval is empty"));
    }
    one(args.lua, (fraction * (high - low + 1.0)).floor() + low)
}

fn reseed(shared: &Shared<'_>, args: &Args<'_>) -> Result<MultiValue, Failure> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a seed is 32 bits, whatever is given"
    )]
    let seed = to_integer(args.number(1)?) as i32;
    shared.random.set(Random48::seeded(seed));
    Ok(MultiValue::new())
}

/// Where the error was raised that is being looked at: the innermost place in a script, by the
/// name of its text and the line.
fn origin(lua: &Lua) -> (Option<String>, Option<usize>) {
    /// Lua's own stack is not deeper (luaconf.h, `LUAI_MAXCALLS`).
    const FRAMES_MAX: usize = 20_000;
    for level in 1..FRAMES_MAX {
        let frame = lua.inspect_stack(level, |frame| {
            let source = frame.source().source?.into_owned();
            let line = frame.current_line()?;
            (source != PRELUDE_NAME).then_some((source, line))
        });
        match frame {
            None => break,
            Some(None) => {}
            Some(Some((source, line))) => return (Some(source), Some(line)),
        }
    }
    (None, None)
}

/// The error that a script ends with, as its client gets it.
pub(super) fn failure(shared: &Shared<'_>, sha: &Sha, raised: &Value) -> ErrorReply {
    let Value::Table(table) = raised else {
        return ended(sha, "unknown error");
    };
    let mut error = if shared.is_killed() {
        error(b"ERR Script killed by user with SCRIPT KILL.", false)
    } else {
        let text = values::string(table, "err");
        ErrorReply {
            text: text.unwrap_or_else(|| b"ERR unknown error".to_vec()),
            counted: is_counted(table),
        }
    };
    let line = table
        .raw_get("line")
        .ok()
        .and_then(|line: Value| line.as_integer());
    if let (Some(source), Some(line)) = (values::string(table, "source"), line) {
        let text = &mut error.text;
        text.extend_from_slice(format!(" script: {sha}, on ").as_bytes());
        text.extend_from_slice(&source);
        text.extend_from_slice(format!(":{line}.").as_bytes());
    }
    error
}

/// Whether statistics have the error in this table already.
pub(super) fn is_counted(table: &Table) -> bool {
    matches!(table.raw_get(COUNTED), Ok(Value::Boolean(true)))
}

/// As [`failure`], where it is not known what failed.
pub(super) fn ended(sha: &Sha, why: &str) -> ErrorReply {
    error(format!("ERR {why} script: {sha}").as_bytes(), false)
}
