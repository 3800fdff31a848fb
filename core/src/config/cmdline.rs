//! The command lines of the programs, as Redis reads them.
//!
//! One executable is all of them: the name it is called by says which, and under a name of its
//! own the first argument does.

use super::REDIS_VERSION;
use super::load::Source;
use super::text::{quote, split_args};

/// What a command line asks for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Invocation {
    /// Run a server or a Sentinel.
    Run(Run),
    /// Print [`version_line`] and exit with 0.
    Version,
    /// Print a text and exit.
    Print {
        /// The text; goes to standard error if the code is not 0.
        text: String,
        /// The exit status.
        code: u8,
    },
    /// Run another of the programs.
    Tool {
        /// Which.
        tool: Tool,
        /// Its arguments.
        args: Vec<String>,
    },
}

/// A server or Sentinel to run.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Run {
    /// Whether it is a Sentinel.
    pub sentinel: bool,
    /// The configuration file, as it was named.
    pub file: Option<String>,
    /// Whether more configuration comes from standard input.
    pub stdin: bool,
    /// The options, as lines of a configuration file.
    pub options: Vec<u8>,
}

/// A program beside server and Sentinel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Tool {
    /// The command line client.
    Cli,
    /// Checks a data set file.
    CheckRdb,
    /// Checks an append-only file.
    CheckAof,
    /// A whole group on loopback.
    Local,
}

/// What is logged when there is neither a file nor an option.
pub const NO_FILE_WARNING: &str = "Warning: no config file specified, using the default config. \
     In order to specify a config file use redis-server /path/to/redis.conf";

/// What is said when a Sentinel is started without a file, before it exits with 1.
pub const SENTINEL_NEEDS_FILE: &str =
    "Sentinel needs config file on disk to save state. Exiting...";

/// Reads a command line: the name the program was called by, and its arguments.
pub fn parse(name: &str, args: &[String]) -> Invocation {
    let base = name.rsplit('/').next().unwrap_or(name);
    let called = PREFIXES
        .into_iter()
        .find_map(|prefix| base.strip_prefix(prefix));
    if let Some(program) = called.and_then(|suffix| program_of(|own| suffix.starts_with(own))) {
        return run_program(program, base, args);
    }
    let Some((first, rest)) = args.split_first() else {
        return print(usage(), 1);
    };
    match first.as_str() {
        "-v" | "--version" => Invocation::Version,
        "-h" | "--help" | "help" => print(usage(), 0),
        word => match program_of(|own| word == own) {
            Some(program) => run_program(program, &format!("holdfast {word}"), rest),
            None => print(format!("holdfast: there is no '{word}'.\n\n{}", usage()), 1),
        },
    }
}

/// The answer to `--version`, in Redis's form.
pub fn version_line(malloc: &str, build: u64) -> String {
    format!("Redis server v={REDIS_VERSION} sha=00000000:0 malloc={malloc} bits=64 build={build:x}")
}

impl Run {
    /// What to read in order: the file, standard input, the options.
    pub fn sources(&self, file: Option<Vec<u8>>, stdin: Option<Vec<u8>>) -> Vec<Source> {
        let name = self.file.as_deref().unwrap_or("the configuration file");
        let options = (!self.options.is_empty()).then(|| self.options.clone());
        [
            (name, file),
            ("standard input", stdin),
            ("the command line", options),
        ]
        .into_iter()
        .filter_map(|(name, text)| Some(Source::new(name, text?)))
        .collect()
    }

    /// Whether the defaults alone count, which [`NO_FILE_WARNING`] is for.
    pub fn is_bare(&self) -> bool {
        self.file.is_none() && !self.stdin && self.options.is_empty()
    }
}

/// What the names of the programs begin with, in Redis, in Valkey and here.
const PREFIXES: [&str; 3] = ["redis-", "valkey-", "holdfast-"];

#[derive(Clone, Copy)]
enum Program {
    Server,
    Sentinel,
    Tool(Tool),
}

fn program_of(is: impl Fn(&str) -> bool) -> Option<Program> {
    let programs = [
        ("server", Program::Server),
        ("sentinel", Program::Sentinel),
        ("cli", Program::Tool(Tool::Cli)),
        ("check-rdb", Program::Tool(Tool::CheckRdb)),
        ("check-aof", Program::Tool(Tool::CheckAof)),
        ("local", Program::Tool(Tool::Local)),
    ];
    programs
        .into_iter()
        .find(|(own, _)| is(own))
        .map(|(_, program)| program)
}

fn run_program(program: Program, called: &str, args: &[String]) -> Invocation {
    let sentinel = match program {
        Program::Tool(tool) => {
            let args = args.to_vec();
            return Invocation::Tool { tool, args };
        }
        Program::Server => args.iter().any(|arg| arg == "--sentinel"),
        Program::Sentinel => true,
    };
    match args.first().map(String::as_str) {
        Some("-v" | "--version") => Invocation::Version,
        Some("-h" | "--help") => print(server_usage(called), 1),
        Some(flag @ ("--test-memory" | "--check-system")) => {
            print(format!("{called}: {flag} is not supported."), 1)
        }
        Some(_) | None => Invocation::Run(read_options(sentinel, args)),
    }
}

fn read_options(sentinel: bool, args: &[String]) -> Run {
    let mut args = args;
    let mut run = Run {
        sentinel,
        ..Run::default()
    };
    if let [file, rest @ ..] = args
        && !file.starts_with('-')
    {
        run.file = Some(file.clone());
        args = rest;
    }
    if let [rest @ .., last] = args
        && last == "-"
    {
        run.stdin = true;
        args = rest;
    }
    run.options = options_text(args);
    run
}

/// Options as lines: `--name` begins a line, everything else is a quoted argument of it.
///
/// Right after a bare `--name`, the next argument is its value even if it begins with dashes, so
/// that any value can be given. Two names take none: `--sentinel`, and `--save`, which alone
/// means `save ""`.
fn options_text(args: &[String]) -> Vec<u8> {
    let mut text = Vec::new();
    let mut value_expected = false;
    for (at, arg) in args.iter().enumerate() {
        let option = arg.strip_prefix("--").filter(|_| !value_expected);
        let Some(option) = option else {
            if !text.is_empty() {
                text.push(b' ');
            }
            quote(&mut text, arg.as_bytes());
            value_expected = false;
            continue;
        };
        if at > 0 {
            text.push(b'\n');
        }
        text.extend(option.bytes());
        let next = args.get(at + 1);
        let bare = split_args(arg.as_bytes()).is_some_and(|words| words.len() == 1);
        let option_follows = next.is_none_or(|next| next.starts_with("--"));
        if bare && option_follows && option.eq_ignore_ascii_case("save") {
            text.extend(b" \"\"");
            continue;
        }
        value_expected = bare && !option.eq_ignore_ascii_case("sentinel");
    }
    text
}

fn print(text: String, code: u8) -> Invocation {
    Invocation::Print { text, code }
}

fn server_usage(called: &str) -> String {
    format!(
        "Usage: {called} [/path/to/redis.conf] [--directive value ...] [-]\n       \
         {called} - (reads the configuration from standard input)\n       \
         {called} -v or --version\n       \
         {called} -h or --help\n\n\
         Examples:\n       \
         {called} (runs with the defaults)\n       \
         {called} /etc/redis/6379.conf\n       \
         {called} --port 7777\n       \
         {called} --port 7777 --replicaof 127.0.0.1 8888\n       \
         {called} /etc/redis/6379.conf --loglevel verbose\n\n\
         Sentinel:\n       \
         {called} /etc/redis/sentinel.conf --sentinel"
    )
}

fn usage() -> String {
    "Usage: holdfast server [/path/to/redis.conf] [--directive value ...] [-]\n       \
     holdfast sentinel /path/to/sentinel.conf\n       \
     holdfast cli [options] [command ...]\n       \
     holdfast check-rdb FILE\n       \
     holdfast check-aof [--fix|--truncate-to-timestamp SECONDS] FILE\n       \
     holdfast local [options] (a whole group on loopback)\n       \
     holdfast -v or --version\n\n\
     Through a link named redis-server, redis-sentinel, redis-cli, redis-check-rdb or \
     redis-check-aof, or the same with valkey-, it is that program."
        .to_owned()
}

#[cfg(test)]
mod tests;
