//! Kills a server under load with kill -9, as often as is asked, and tells how many of the writes
//! that it had acknowledged were gone after its next start.

use std::process::ExitCode;

use clap::Parser;
use holdfast_tests::{kills, say};

/// Kills a server that has an append-only file under load.
#[derive(Debug, Parser)]
struct Options {
    /// How often.
    #[arg(long, default_value_t = 200)]
    rounds: u32,
    /// always, everysec or no.
    #[arg(long, default_value = "always")]
    appendfsync: String,
}

fn main() -> ExitCode {
    let Options {
        rounds,
        appendfsync,
    } = Options::parse();
    let tally = kills::campaign(rounds, &appendfsync);
    say(&format!(
        "{rounds} times killed under appendfsync {appendfsync}: {} writes acknowledged, {} missing",
        tally.acknowledged, tally.missing
    ));
    ExitCode::from(u8::from(tally.missing > 0))
}
