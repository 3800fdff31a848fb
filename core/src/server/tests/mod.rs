//! Whole servers behind the seam.

mod blocking;
mod clients;
mod harness;
mod lists;
mod persistence;
mod replication;
