//! Whole servers behind the seam.

mod clients;
mod corners;
mod harness;
mod persistence;
mod replication;
