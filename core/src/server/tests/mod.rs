//! Whole servers behind the seam.

mod clients;
mod eviction;
mod harness;
mod persistence;
mod replication;
