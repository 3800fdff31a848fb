//! The mio driver: sockets, files, names, scripts, signals and clocks for any
//! [`Machine`](holdfast_core::Machine). It decides nothing.
//!
//! A program parses its configuration, calls what it needs of [`daemon`] before any thread
//! exists, starts the [`log`], installs the [`crash`] report, builds its machine with
//! [`Clock::now`] and hands it to [`run`].

pub mod addresses;
pub mod clock;
pub mod crash;
pub mod daemon;
mod disk;
mod event_loop;
mod facts;
mod inbox;
mod limits;
mod listen;
pub mod log;
mod notify;
mod resolve;
mod scripts;
mod signals;
mod sockets;
mod sys;

pub use clock::Clock;
pub use event_loop::{Options, run};
pub use facts::AllocatorFigures;
