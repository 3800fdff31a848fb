//! One executable, many names: reads the command line and the configuration, builds the machine
//! they ask for and has the driver run it.
#![forbid(unsafe_code)]

mod allocator;
mod check_aof;
mod check_rdb;
mod files;
mod local;
mod logo;
mod start;
mod system;

use std::io::{self, Write as _};
use std::process::ExitCode;

use holdfast_core::config::cmdline::{self, Invocation, Tool};

fn main() -> ExitCode {
    let mut words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let name = words.next().unwrap_or_default();
    let args: Vec<String> = words.collect();
    let code = match cmdline::parse(&name, &args) {
        Invocation::Run(run) => start::run(&run, &name),
        Invocation::Version => {
            say(&cmdline::version_line(
                &allocator::name(),
                system::build_id(),
            ));
            0
        }
        Invocation::Print { text, code: 0 } => {
            say(&text);
            0
        }
        Invocation::Print { text, code } => {
            complain(&text);
            code
        }
        Invocation::Tool { tool, args } => run_tool(tool, &args),
    };
    ExitCode::from(code)
}

fn run_tool(tool: Tool, args: &[String]) -> u8 {
    match tool {
        Tool::Local => local::main(args),
        Tool::CheckRdb => check_rdb::main(args),
        Tool::CheckAof => check_aof::main(args),
        Tool::Cli => {
            complain(
                "holdfast cli: not in this release. The redis-cli of Redis works with Holdfast; \
                 install it (Debian: redis-tools) and use that.",
            );
            1
        }
    }
}

/// Prints a line on standard output. Nobody there to read it is no reason to fail.
fn say(text: &str) {
    drop(writeln!(io::stdout(), "{text}"));
}

/// Prints a line on standard error.
fn complain(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
