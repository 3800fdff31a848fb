//! Everything in Holdfast that decides, as deterministic state machines without I/O.
//!
//! A driver (`holdfast-io` in production, `sim` in the simulator) feeds a [`Machine`] bytes,
//! completions and time, and carries out what it asks for. This crate reads no clock, opens no
//! file or socket and draws no randomness but from the seed it is given.
#![forbid(unsafe_code)]

pub mod acl;
pub mod command;
pub mod config;
pub mod conn;
pub mod glob;
pub mod keyspace;
pub mod limits;
pub mod machine;
pub mod persist;
pub mod pubsub;
pub mod repl;
pub mod resp;
pub mod rng;
pub mod script;
pub mod sentinel;
pub mod server;
pub mod value;

pub use machine::Machine;
