//! Whole servers behind the seam.

mod bits;
mod clients;
mod harness;
mod hyperloglog;
mod persistence;
mod replication;
mod strings;
