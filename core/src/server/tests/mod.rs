//! Whole servers behind the seam.

mod bits;
mod blocking;
mod clients;
mod corners;
mod eviction;
mod harness;
mod hyperloglog;
mod lists;
mod persistence;
mod replication;
mod stream_groups;
mod streams;
mod strings;
