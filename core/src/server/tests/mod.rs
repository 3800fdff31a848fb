//! Whole servers behind the seam.

mod clients;
mod harness;
mod persistence;
mod replication;
