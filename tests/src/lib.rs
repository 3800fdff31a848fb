//! What end-to-end tests and measurements need: real processes on loopback, Holdfast's or
//! Redis's, that are gone when a test is.
//!
//! Helpers panic when something is not as it should be: every caller is a test or a measurement
//! that can't go on then.
#![forbid(unsafe_code)]

mod client;
pub mod dataset;
pub mod differential;
mod failover;
pub mod farm;
mod group;
mod info;
pub mod kills;
pub mod lab;
mod node;
mod ports;
mod process;
mod program;
mod wait;

pub use client::{Client, text_of};
pub use failover::{Failover, Loss, Rejoin};
pub use group::{Group, MASTER, Shape};
pub use info::Info;
pub use node::{Kind, Node};
pub use ports::Port;
pub use process::{Process, cpu_time, resident_bytes};
pub use program::{Flavour, executable, peers_are_here, redis_cli};
pub use wait::{PATIENCE, wait_until};

/// Prints a line for whoever runs the test or measurement.
#[allow(
    clippy::print_stdout,
    reason = "the programs here report on standard output"
)]
pub fn say(line: &str) {
    println!("{line}");
}
