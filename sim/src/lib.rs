//! The deterministic simulator of Holdfast: a world of hosts, disks, clocks and a network, driven
//! by a seed, in which groups of servers, Sentinels and clients must keep their promises.
//!
//! Nothing in the world reads a clock of ours, an operating system's randomness or the order of a
//! hash map; the wall clock is read for the report alone.
#![forbid(unsafe_code)]

pub mod addresses;
pub mod check;
pub mod client;
pub mod clock;
pub mod disk;
pub mod driver;
pub mod hash;
pub mod ids;
pub mod machines;
pub mod net;
pub mod options;
pub mod oracle;
pub mod program;
pub mod queue;
pub mod report;
pub mod resp;
pub mod rng;
pub mod run;
pub mod schedule;
pub mod setup;
pub mod sink;
pub mod time;
pub mod trace;
pub mod world;

#[cfg(test)]
mod toys;
